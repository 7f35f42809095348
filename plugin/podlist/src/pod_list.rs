//! What kubelet answers to `GET /pods`, as far as a pod file needs it.
//!
//! Most of an answer is environment, volumes and managed fields; these are skipped and never become a value. The rules: `null`, `""` and
//! an absent field are the same thing, as in the Go program that wrote them; and what is not of the expected type costs itself only, as
//! if it were absent. So does an object that has a key twice, which Go never writes.

use crate::limits::Limits;
use crate::pod::{ContainerRun, ContainerStatus, OwnerReference, Pod, PodParts, WantedPairs, containers_of};
use nodesieve_engine::time::parse_rfc3339;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Reads one item: a pod, unless it has no usable name.
///
/// # Errors
/// Those of a text that is no JSON, or not UTF-8.
pub(crate) fn read_pod(item: &[u8], limits: &Limits) -> Result<Option<Pod>, serde_json::Error> {
    let item = str::from_utf8(item).map_err(|_| serde_json::Error::custom("a string is not UTF-8"))?;
    match serde_json::from_str::<ListedPod<'_>>(item) {
        Ok(pod) => Ok(pod.into_pod(limits)),
        Err(_) => serde_json::from_str::<IgnoredAny>(item).map(|_| None),
    }
}

/// One item of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListedPod<'i> {
    #[serde(borrow, deserialize_with = "lenient")]
    metadata: PodMetadata<'i>,
    #[serde(deserialize_with = "lenient")]
    spec: PodSpec,
    #[serde(deserialize_with = "lenient")]
    status: PodStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodMetadata<'i> {
    #[serde(deserialize_with = "present")]
    name: Option<String>,
    #[serde(deserialize_with = "present")]
    namespace: Option<String>,
    #[serde(deserialize_with = "present")]
    uid: Option<String>,
    #[serde(deserialize_with = "instant")]
    creation_timestamp: Option<i64>,
    #[serde(deserialize_with = "instant")]
    deletion_timestamp: Option<i64>,
    #[serde(borrow)]
    labels: Option<&'i RawValue>,
    #[serde(borrow)]
    annotations: Option<&'i RawValue>,
    #[serde(deserialize_with = "list")]
    owner_references: Vec<OwnerReference>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodSpec {
    #[serde(deserialize_with = "present")]
    node_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodStatus {
    #[serde(rename = "podIP", deserialize_with = "present")]
    pod_ip: Option<String>,
    #[serde(deserialize_with = "list")]
    init_container_statuses: Vec<ListedStatus>,
    #[serde(deserialize_with = "list")]
    container_statuses: Vec<ListedStatus>,
    #[serde(deserialize_with = "list")]
    ephemeral_container_statuses: Vec<ListedStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ListedStatus {
    #[serde(deserialize_with = "present")]
    name: Option<String>,
    #[serde(rename = "containerID", deserialize_with = "present")]
    container_id: Option<String>,
    #[serde(deserialize_with = "present")]
    image: Option<String>,
    #[serde(rename = "imageID", deserialize_with = "present")]
    image_id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    restart_count: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    state: ListedState,
    #[serde(deserialize_with = "lenient")]
    last_state: ListedState,
}

/// At most one of the two is there; a waiting container has neither.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListedState {
    #[serde(deserialize_with = "lenient")]
    running: ListedRun,
    #[serde(deserialize_with = "lenient")]
    terminated: ListedRun,
}

/// One run of a container. `containerID` is there only once the run is over.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ListedRun {
    #[serde(deserialize_with = "instant")]
    started_at: Option<i64>,
    #[serde(rename = "containerID", deserialize_with = "present")]
    container_id: Option<String>,
}

impl ListedPod<'_> {
    fn into_pod(self, limits: &Limits) -> Option<Pod> {
        let PodMetadata { name, namespace, uid, creation_timestamp, deletion_timestamp, .. } = self.metadata;
        let mut labels = WantedPairs::new(&limits.labels, limits.max_value);
        let mut annotations = WantedPairs::new(&limits.annotations, limits.max_value);
        let has_labels = read_pairs(self.metadata.labels, &mut labels);
        let has_annotations = read_pairs(self.metadata.annotations, &mut annotations);
        let PodStatus { pod_ip, init_container_statuses, container_statuses, ephemeral_container_statuses } =
            self.status;
        let statuses =
            init_container_statuses.into_iter().chain(container_statuses).chain(ephemeral_container_statuses);
        let parts = PodParts {
            namespace: namespace?,
            name: name?,
            uid,
            created: creation_timestamp,
            is_leaving: deletion_timestamp.is_some(),
            node: self.spec.node_name,
            ip: pod_ip,
            labels: has_labels.then_some(labels),
            annotations: has_annotations.then_some(annotations),
            owners: self.metadata.owner_references,
            containers: containers_of(statuses.map(ContainerStatus::from)),
        };
        parts.into_pod(limits)
    }
}

impl From<ListedStatus> for ContainerStatus {
    fn from(listed: ListedStatus) -> ContainerStatus {
        let ListedStatus { name, container_id, image, image_id, restart_count, state, last_state } = listed;
        let before = last_state.terminated;
        ContainerStatus {
            name,
            image,
            image_id,
            restarts: restart_count,
            now: ContainerRun {
                id: container_id,
                started: state.running.started_at.or(state.terminated.started_at),
            },
            before: ContainerRun { id: before.container_id, started: before.started_at },
        }
    }
}

/// Reads an object of strings; `false` when there is none. A value that is no string is left out.
fn read_pairs(raw: Option<&RawValue>, into: &mut WantedPairs<'_>) -> bool {
    let Some(raw) = raw.filter(|raw| raw.get().starts_with('{')) else { return false };
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    // What is broken within a key ends the reading; what was read stays.
    if deserializer.deserialize_map(PairVisitor(into)).is_err() {
        into.leave_out();
    }
    true
}

struct PairVisitor<'p, 'f>(&'p mut WantedPairs<'f>);

impl<'de> Visitor<'de> for PairVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match serde_json::from_str::<Option<String>>(map.next_value::<&RawValue>()?.get()) {
                Ok(value) => self.0.push(key, value.unwrap_or_default()),
                Err(_) => self.0.leave_out(),
            }
        }
        Ok(())
    }
}

/// A value of this type, and its default for any other.
fn lenient<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(source: D) -> Result<T, D::Error> {
    let raw = <&RawValue>::deserialize(source)?;
    Ok(serde_json::from_str::<Option<T>>(raw.get()).ok().flatten().unwrap_or_default())
}

/// A list of this type, without those that are of another, [`MOST_ITEMS`] at most.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(source: D) -> Result<Vec<T>, D::Error> {
    let raw: Vec<&RawValue> = lenient(source)?;
    Ok(raw.into_iter().take(MOST_ITEMS).filter_map(|raw| serde_json::from_str(raw.get()).ok()).collect())
}

fn present<'de, D: Deserializer<'de>>(source: D) -> Result<Option<String>, D::Error> {
    Ok(lenient::<D, Option<String>>(source)?.filter(|text| !text.is_empty()))
}

/// Seconds since 1970. A time that is none is as good as absent: nothing joins on it.
fn instant<'de, D: Deserializer<'de>>(source: D) -> Result<Option<i64>, D::Error> {
    Ok(lenient::<D, Option<String>>(source)?.as_deref().and_then(parse_rfc3339))
}

/// More owners or containers than a pod has.
const MOST_ITEMS: usize = 1024;
