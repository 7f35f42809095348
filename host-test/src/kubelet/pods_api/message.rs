//! Items of a pod list as Kubernetes' protobuf has them.

use nodesieve_engine::time::parse_rfc3339;
use nodesieve_podlist::protobuf::{
    ContainerState, ContainerStatus, MetadataPairs, ObjectMeta, OwnerReference, Pair, PodMessage, PodPairs,
    PodSpec, PodStatus, Running, Terminated, Time,
};
use prost::Message;
use prost::bytes::Bytes;
use serde_json::Value;

/// `metadata.uid`.
pub(super) fn uid_of(item: &Value) -> String {
    text(&item["metadata"]["uid"]).unwrap_or_default()
}

/// The whole pod. What a pod file does not need, its environment, is there as bytes to be skipped.
pub(super) fn bytes_of(item: &Value) -> Bytes {
    let metadata = &item["metadata"];
    let message = PodMessage {
        metadata: Some(ObjectMeta {
            creation_timestamp: time(&metadata["creationTimestamp"]),
            deletion_timestamp: time(&metadata["deletionTimestamp"]),
            owner_references: list(&metadata["ownerReferences"], owner),
            ..minimal(item)
        }),
        spec: Some(PodSpec { node_name: text(&item["spec"]["nodeName"]) }),
        status: Some(PodStatus {
            pod_ip: text(&item["status"]["podIP"]),
            container_statuses: list(&item["status"]["containerStatuses"], status),
            init_container_statuses: list(&item["status"]["initContainerStatuses"], status),
            ephemeral_container_statuses: list(&item["status"]["ephemeralContainerStatuses"], status),
        }),
    };
    let pairs = PodPairs {
        metadata: Some(MetadataPairs {
            labels: pairs(&metadata["labels"]),
            annotations: pairs(&metadata["annotations"]),
        }),
    };
    let mut bytes = message.encode_to_vec();
    bytes.extend(pairs.encode_to_vec());
    let ballast = item["spec"]["containers"].to_string();
    // `spec` once more, which is merged with the other: its field 2, the containers.
    let mut spec = Vec::new();
    field(&mut spec, 2, ballast.as_bytes());
    field(&mut bytes, 2, &spec);
    bytes.into()
}

/// What a deleted pod is told with.
pub(super) fn minimal_bytes_of(item: &Value) -> Bytes {
    PodMessage { metadata: Some(minimal(item)), ..PodMessage::default() }.encode_to_vec().into()
}

fn minimal(item: &Value) -> ObjectMeta {
    let metadata = &item["metadata"];
    ObjectMeta {
        name: text(&metadata["name"]),
        namespace: text(&metadata["namespace"]),
        uid: text(&metadata["uid"]),
        ..ObjectMeta::default()
    }
}

fn field(into: &mut Vec<u8>, number: u32, content: &[u8]) {
    prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, into);
    prost::encoding::encode_varint(content.len() as u64, into);
    into.extend_from_slice(content);
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn time(value: &Value) -> Option<Time> {
    value.as_str().and_then(parse_rfc3339).map(|seconds| Time { seconds: Some(seconds) })
}

fn pairs(value: &Value) -> Vec<Pair> {
    let pairs = value.as_object().into_iter().flatten();
    pairs.map(|(key, value)| Pair { key: key.clone(), value: text(value).unwrap_or_default() }).collect()
}

fn list<T>(value: &Value, item: fn(&Value) -> T) -> Vec<T> {
    value.as_array().into_iter().flatten().map(item).collect()
}

fn owner(value: &Value) -> OwnerReference {
    OwnerReference {
        kind: text(&value["kind"]),
        name: text(&value["name"]),
        uid: text(&value["uid"]),
        api_version: text(&value["apiVersion"]),
        controller: value["controller"].as_bool(),
        block_owner_deletion: value["blockOwnerDeletion"].as_bool(),
    }
}

fn status(value: &Value) -> ContainerStatus {
    ContainerStatus {
        name: text(&value["name"]),
        state: state(&value["state"]),
        last_state: state(&value["lastState"]),
        restart_count: value["restartCount"].as_i64().and_then(|count| count.try_into().ok()),
        image: text(&value["image"]),
        image_id: text(&value["imageID"]),
        container_id: text(&value["containerID"]),
    }
}

fn state(value: &Value) -> Option<ContainerState> {
    let running = value.get("running").map(|run| Running { started_at: time(&run["startedAt"]) });
    let terminated = value.get("terminated").map(|run| Terminated {
        started_at: time(&run["startedAt"]),
        container_id: text(&run["containerID"]),
    });
    Some(ContainerState { running, terminated })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubelet::{FakePod, list as pod_list};
    use nodesieve_podlist::protobuf::read_pod;
    use nodesieve_podlist::{Limits, PodSet, project};

    #[test]
    fn a_pod_is_the_same_from_the_list_and_from_the_api() {
        let limits = Limits::default();
        let sample = std::fs::read(crate::artefact::workspace().join("conf/samples/podlist.json")).unwrap();
        let mine = FakePod { ballast: 500, ..FakePod::new("shop", "web-1").with("app", "0a") };
        for text in [sample, pod_list([mine.item()])] {
            let items: Value = serde_json::from_slice(&text).unwrap();
            let mut set = PodSet::new(limits.clone());
            for item in items["items"].as_array().unwrap() {
                set.put(read_pod(&bytes_of(item), &limits).unwrap().unwrap());
            }
            let (mut listed, mut sent) = (project(&text[..], &limits).unwrap().files, set.into_files().files);
            for file in listed.iter_mut().chain(&mut sent) {
                // A map without entries is not sent.
                file.labels = file.labels.take().filter(|pairs| !pairs.0.is_empty());
                file.annotations = file.annotations.take().filter(|pairs| !pairs.0.is_empty());
            }
            assert_eq!(sent, listed);
        }
    }
}
