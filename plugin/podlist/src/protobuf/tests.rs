use super::*;
use crate::pod_list;

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// The same pod as the kubelet's list has it and as its Pods API sends it.
#[test]
fn a_pod_of_either_source_is_the_same() {
    let item = br#"{"metadata":{"name":"web-5f-1","namespace":"shop","uid":"u","creationTimestamp":"2026-11-20T10:00:00Z",
        "labels":{"app":"web","pod-template-hash":"5f"},"annotations":{"note":"a","kubernetes.io/config.source":"api"},
        "ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-5f","uid":"6","controller":true,"blockOwnerDeletion":true}]},
        "spec":{"nodeName":"node-a"},"status":{"podIP":"10.0.0.7",
        "initContainerStatuses":[{"name":"init","containerID":"containerd://aa","state":{"terminated":{"startedAt":"2026-11-20T10:00:01Z","containerID":"containerd://aa"}},"restartCount":0,"image":"i","imageID":""}],
        "containerStatuses":[{"name":"web","containerID":"containerd://cc","state":{"running":{"startedAt":"2026-11-20T10:08:03Z"}},
        "lastState":{"terminated":{"startedAt":"2026-11-20T10:04:33Z","containerID":"containerd://bb"}},"restartCount":3,"image":"r/web:3","imageID":"r/web@sha256:c1"}],
        "ephemeralContainerStatuses":[{"name":"debug","containerID":"containerd://ee","image":"b","imageID":"sha256:dd"}]}}"#;
    let time = |seconds: i64| Some(Time { seconds: Some(seconds) });
    let start = 1_795_168_800;
    let terminated =
        |offset: i64, id: &str| Some(Terminated { started_at: time(start + offset), container_id: text(id) });
    let message = PodMessage {
        metadata: Some(ObjectMeta {
            name: text("web-5f-1"),
            namespace: text("shop"),
            uid: text("u"),
            creation_timestamp: time(start),
            deletion_timestamp: None,
            owner_references: vec![OwnerReference {
                kind: text("ReplicaSet"),
                name: text("web-5f"),
                uid: text("6"),
                api_version: text("apps/v1"),
                controller: Some(true),
                block_owner_deletion: Some(true),
            }],
        }),
        spec: Some(PodSpec { node_name: text("node-a") }),
        status: Some(PodStatus {
            pod_ip: text("10.0.0.7"),
            init_container_statuses: vec![ContainerStatus {
                name: text("init"),
                state: Some(ContainerState { running: None, terminated: terminated(1, "containerd://aa") }),
                restart_count: Some(0),
                image: text("i"),
                image_id: text(""),
                container_id: text("containerd://aa"),
                ..ContainerStatus::default()
            }],
            container_statuses: vec![ContainerStatus {
                name: text("web"),
                state: Some(ContainerState {
                    running: Some(Running { started_at: time(start + 483) }),
                    terminated: None,
                }),
                last_state: Some(ContainerState {
                    running: None,
                    terminated: terminated(273, "containerd://bb"),
                }),
                restart_count: Some(3),
                image: text("r/web:3"),
                image_id: text("r/web@sha256:c1"),
                container_id: text("containerd://cc"),
            }],
            ephemeral_container_statuses: vec![ContainerStatus {
                name: text("debug"),
                image: text("b"),
                image_id: text("sha256:dd"),
                container_id: text("containerd://ee"),
                ..ContainerStatus::default()
            }],
        }),
    };
    let limits = Limits::default();
    let listed = pod_list::read_pod(item, &limits).unwrap().unwrap();
    let mut bytes = message.encode_to_vec();
    bytes.extend(sent(
        [("app", "web"), ("pod-template-hash", "5f")].map(pair).into(),
        [("note", "a"), ("kubernetes.io/config.source", "api")].map(pair).into(),
    ));
    // Fields that are not wanted, such as spec.containers, are skipped.
    bytes.extend([0x12, 5, 0x12, 3, 1, 2, 3]);
    let sent = read_pod(&bytes, &limits).unwrap().unwrap();
    assert!(sent.is_of_api() && !sent.is_leaving());
    assert_eq!(sent, listed);
}

fn sent(labels: Vec<Pair>, annotations: Vec<Pair>) -> Vec<u8> {
    PodPairs { metadata: Some(MetadataPairs { labels, annotations }) }.encode_to_vec()
}

fn pair((key, value): (&str, &str)) -> Pair {
    Pair { key: key.to_owned(), value: value.to_owned() }
}

#[test]
fn what_is_no_pod_is_an_error_or_none_and_never_a_panic() {
    let limits = Limits::default();
    let read = |bytes: &[u8]| read_pod(bytes, &limits);
    assert_eq!(read(b""), Ok(None));
    assert!(read(&[0xff, 1, 2]).is_err());
    let named = |name: &str| PodMessage {
        metadata: Some(ObjectMeta { name: text(name), namespace: text("n"), ..ObjectMeta::default() }),
        ..PodMessage::default()
    };
    assert_eq!(read(&named("../etc").encode_to_vec()), Ok(None));
    let mut broken = named("pp").encode_to_vec();
    let at = broken.windows(2).position(|two| two == b"pp").unwrap();
    broken[at] = 0xff;
    assert!(read(&broken).is_err());
    let mut whole = named("pp").encode_to_vec();
    whole.extend(sent(vec![pair(("a", "b"))], vec![]));
    for end in 0..whole.len() {
        let _ = read(&whole[..end]);
    }
}

/// A label that is not UTF-8, one without a value, one that is longer than it may be, and one of a field that nobody knows.
#[test]
fn a_label_that_is_none_costs_itself() {
    let mut pairs = sent(
        vec![pair(("a", "bb")), pair(("empty", "")), pair(("long", &"x".repeat(70_000))), pair(("c", "d"))],
        vec![pair(("note", "n"))],
    );
    let at = pairs.windows(2).position(|two| two == b"bb").unwrap();
    pairs[at] = 0xff;
    let metadata =
        ObjectMeta { name: text("p"), namespace: text("n"), uid: text("u"), ..ObjectMeta::default() };
    let mut bytes = PodMessage { metadata: Some(metadata), ..PodMessage::default() }.encode_to_vec();
    bytes.extend(pairs);
    // A number and 64 bits, which no field of ours is.
    bytes.extend([0x98, 1, 7, 0xa1, 1, 1, 2, 3, 4, 5, 6, 7, 8]);
    let pod = read_pod(&bytes, &Limits::default()).unwrap().unwrap();
    assert_eq!(pod.omitted(), 2);
    let mut set = crate::PodSet::new(Limits::default());
    set.put(pod);
    assert_eq!(set.counts().omitted, 2);
    let file = set.file("n", "p").unwrap();
    let owned = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(file.labels.unwrap().0, owned(&[("empty", ""), ("c", "d")]));
    assert_eq!(file.annotations.unwrap().0, owned(&[("note", "n")]));
}

#[test]
fn a_time_that_is_not_set_is_none() {
    assert_eq!(instant(Some(Time { seconds: Some(-62_135_596_800) })), None);
    assert_eq!(instant(Some(Time { seconds: None })), None);
    assert_eq!(instant(Some(Time { seconds: Some(7) })), Some(7));
}
