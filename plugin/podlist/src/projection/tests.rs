use super::*;
use crate::limits::{Counts, KeyFilter};
use nodesieve_engine::glob::Globs;
use nodesieve_engine::pods::PodFile;
use nodesieve_engine::pods::{Container, Pairs, Workload};
use nodesieve_engine::time::parse_rfc3339;
use proptest::prelude::*;

/// A node's answer in kubelet's shape: a Deployment's pod with an init container, a proxy and a debug container, and
/// a static pod. Everything that a pod file does not need is there to be skipped.
const LIST: &str = r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[
{"metadata":{"name":"catalog-7d9c5b8f6d-x2k4q","generateName":"catalog-7d9c5b8f6d-","namespace":"shop",
 "uid":"b933ddf3-013f-4aec-988b-32b504a2f8c0","resourceVersion":"1","creationTimestamp":"2026-11-20T10:00:00Z",
 "labels":{"tier":"backend","app":"catalog","pod-template-hash":"7d9c5b8f6d"},
 "annotations":{"note":"a \"b\"\n","fluentbit.io/exclude":"false","empty":null},
 "ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"catalog-7d9c5b8f6d","uid":"6","controller":true,
  "blockOwnerDeletion":true}],
 "managedFields":[{"manager":"kubelet","fieldsV1":{"f:metadata":{"f:labels":{".":{}}}}}]},
 "spec":{"volumes":[{"name":"token","projected":{"sources":[],"defaultMode":420}}],
  "containers":[{"name":"catalog","image":"r/catalog:3","env":[{"name":"A","value":"{\"items\":null}"}]}],
  "nodeName":"node-a","hostNetwork":false,"priority":0},
 "status":{"phase":"Running","hostIP":"10.0.1.23","podIP":"10.42.3.11","podIPs":[{"ip":"10.42.3.11"},{"ip":"fd00::1"}],
  "initContainerStatuses":[{"name":"init","state":{"terminated":{"exitCode":0,"startedAt":"2026-11-20T10:00:01Z",
   "finishedAt":"2026-11-20T10:00:02Z","containerID":"containerd://aa"}},"lastState":{},"ready":true,"restartCount":0,
   "image":"r/proxy:1","imageID":"r/proxy@sha256:42","containerID":"containerd://aa","started":false}],
  "containerStatuses":[
   {"name":"catalog","state":{"running":{"startedAt":"2026-11-20T10:08:03Z"}},"lastState":{"terminated":{"exitCode":2,
    "startedAt":"2026-11-20T10:04:33Z","finishedAt":"2026-11-20T10:07:20Z","containerID":"containerd://bb"}},
    "restartCount":3,"image":"r/catalog:3","imageID":"docker-pullable://r/catalog@sha256:c1","containerID":"containerd://cc"},
   {"name":"proxy","state":{"waiting":{"reason":"ImagePullBackOff"}},"lastState":{},"image":"r/proxy:1","imageID":""}],
  "ephemeralContainerStatuses":[{"name":"debug","state":{"running":{"startedAt":"2026-11-20T11:00:00Z"}},
   "image":"busybox","imageID":"sha256:dd","containerID":"containerd://ee"}],"qosClass":"Burstable"}},
{"metadata":{"name":"etcd-ip-10-0-1-23.internal","namespace":"kube-system","uid":"0fdfa64c","creationTimestamp":null,
 "labels":null,"annotations":{"kubernetes.io/config.source":"file"}},
 "spec":{"nodeName":"node-a"},"status":{"phase":"Pending"}}]}"#;

fn project(list: &[u8]) -> Result<PodFiles, ListError> {
    super::project(list, &Limits::default())
}

#[track_caller]
fn files(items: &str) -> PodFiles {
    project(format!(r#"{{"items":[{items}]}}"#).as_bytes()).unwrap()
}

/// The file of the only pod, from what its `metadata` has besides the name, and its `status`.
#[track_caller]
fn file(metadata: &str, status: &str) -> PodFile {
    let item = format!(r#"{{"metadata":{{"namespace":"n","name":"p"{metadata}}},"status":{{{status}}}}}"#);
    let PodFiles { files, counts: Counts { skipped, .. }, .. } = files(&item);
    assert_eq!((files.len(), skipped), (1, 0));
    files.into_iter().next().unwrap()
}

fn pairs(list: &[(&str, &str)]) -> Option<Pairs> {
    Some(Pairs(list.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()))
}

fn ids(file: &PodFile) -> Vec<(&str, &str, Option<i64>)> {
    file.containers.iter().map(|run| (run.name.as_str(), run.id.as_str(), run.started)).collect()
}

#[test]
fn a_pod_keeps_what_records_and_rules_need() {
    let PodFiles { files, counts: Counts { skipped, shortened, .. }, .. } = project(LIST.as_bytes()).unwrap();
    assert_eq!((files.len(), skipped, shortened), (2, 0, 0));
    let [static_pod, catalog] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!((catalog.namespace.as_str(), catalog.pod.as_str()), ("shop", "catalog-7d9c5b8f6d-x2k4q"));
    assert_eq!(catalog.uid.as_deref(), Some("b933ddf3-013f-4aec-988b-32b504a2f8c0"));
    assert_eq!(catalog.node.as_deref(), Some("node-a"));
    assert_eq!(catalog.ip.as_deref(), Some("10.42.3.11"));
    let labels = [("tier", "backend"), ("app", "catalog"), ("pod-template-hash", "7d9c5b8f6d")];
    assert_eq!(catalog.labels, pairs(&labels));
    let annotations = [("note", "a \"b\"\n"), ("fluentbit.io/exclude", "false"), ("empty", "")];
    assert_eq!(catalog.annotations, pairs(&annotations));
    assert_eq!(catalog.workload, Some(Workload { kind: "Deployment".into(), name: "catalog".into() }));

    assert_eq!(static_pod.pod, "etcd-ip-10-0-1-23.internal");
    assert_eq!((&static_pod.labels, &static_pod.workload), (&None, &None));
    assert!(static_pod.annotations.is_some() && static_pod.containers.is_empty());
}

#[test]
fn every_run_of_every_container_is_listed() {
    let files = project(LIST.as_bytes()).unwrap().files;
    let run =
        |name: &str, id: &str, image: &str, hash: &str, started: &str, restarts: Option<i64>| Container {
            name: name.into(),
            id: id.into(),
            image: Some(image.into()),
            hash: Some(hash.into()),
            started: parse_rfc3339(started),
            restarts,
        };
    let expected = [
        run("init", "aa", "r/proxy:1", "r/proxy@sha256:42", "2026-11-20T10:00:01Z", Some(0)),
        run("catalog", "cc", "r/catalog:3", "r/catalog@sha256:c1", "2026-11-20T10:08:03Z", Some(3)),
        run("catalog", "bb", "r/catalog:3", "r/catalog@sha256:c1", "2026-11-20T10:04:33Z", Some(2)),
        run("debug", "ee", "busybox", "sha256:dd", "2026-11-20T11:00:00Z", None),
    ];
    assert_eq!(files[1].containers, expected);
}

#[test]
fn a_container_that_waits_for_its_restart_is_listed_once_with_its_start() {
    let found = file(
        "",
        r#""containerStatuses":[{"name":"c","containerID":"containerd://aa","state":{"waiting":{}},
        "lastState":{"terminated":{"startedAt":"1970-01-01T00:00:07Z","containerID":"containerd://aa"}}}]"#,
    );
    assert_eq!(ids(&found), [("c", "aa", Some(7))]);
}

#[test]
fn a_container_without_id_or_name_has_no_entry() {
    let found = file(
        "",
        r#""containerStatuses":[{"name":"a","containerID":null},{"name":"b","containerID":""},
        {"name":"c","containerID":"containerd://"},{"containerID":"containerd://dd"},
        {"name":"e","containerID":"ee","state":null,"lastState":{"terminated":null}}]"#,
    );
    assert_eq!(ids(&found), [("e", "ee", None)]);
}

#[test]
fn the_workload_is_what_people_deployed() {
    let labels = r#""labels":{"pod-template-hash":"5c7d"}"#;
    for (kind, name, expected) in [
        ("ReplicaSet", "web-5c7d", Some(("Deployment", "web"))),
        ("ReplicaSet", "web-eu-5c7d", Some(("Deployment", "web-eu"))),
        ("ReplicaSet", "web-9999", Some(("ReplicaSet", "web-9999"))),
        ("ReplicaSet", "web5c7d", Some(("ReplicaSet", "web5c7d"))),
        ("ReplicaSet", "-5c7d", Some(("ReplicaSet", "-5c7d"))),
        ("Job", "report-29919480", Some(("CronJob", "report"))),
        // Seven days and a second before the pod, an hour after it, and each a minute nearer.
        ("Job", "report-29909401", Some(("CronJob", "report"))),
        ("Job", "report-29909400", Some(("Job", "report-29909400"))),
        ("Job", "report-29919540", Some(("CronJob", "report"))),
        ("Job", "report-29919541", Some(("Job", "report-29919541"))),
        ("Job", "backup-20261124", Some(("Job", "backup-20261124"))),
        ("Job", "report-", Some(("Job", "report-"))),
        ("Job", "report-2991948", Some(("Job", "report-2991948"))),
        ("Job", "report-2991948x", Some(("Job", "report-2991948x"))),
        ("Job", "29919480", Some(("Job", "29919480"))),
        ("StatefulSet", "db", Some(("StatefulSet", "db"))),
        ("Workflow", "etl-29919480", Some(("Workflow", "etl-29919480"))),
        ("Node", "node-a", None),
    ] {
        let owner = format!(
            r#",{labels},"creationTimestamp":"2026-11-20T10:00:05Z","ownerReferences":[{{"kind":"{kind}","name":"{name}"}}]"#
        );
        let expected = expected.map(|(kind, name)| Workload { kind: kind.into(), name: name.into() });
        assert_eq!(file(&owner, "").workload, expected, "{kind} {name}");
    }
    let without_label = r#","ownerReferences":[{"kind":"ReplicaSet","name":"web-5c7d","controller":true}]"#;
    assert_eq!(file(without_label, "").workload.map(|workload| workload.kind).as_deref(), Some("ReplicaSet"));
}

#[test]
fn the_controller_owns_the_pod_before_the_first_owner() {
    let owners = |second: &str| {
        let owners = format!(
            r#","ownerReferences":[{{"kind":"A","name":"a","controller":false}},{{"kind":"B","name":"b"{second}}}]"#
        );
        file(&owners, "").workload.map(|workload| workload.name)
    };
    assert_eq!(owners(r#","controller":true"#).as_deref(), Some("b"));
    assert_eq!(owners(r#","controller":null"#).as_deref(), Some("a"));
    assert_eq!(file(r#","ownerReferences":[]"#, "").workload, None);
}

#[test]
fn the_newest_of_one_name_speaks_and_all_containers_are_listed() {
    let item = |uid: &str, times: &str, id: &str| {
        format!(
            r#"{{"metadata":{{"namespace":"n","name":"web-1","uid":"{uid}",{times}}},"status":{{"podIP":"10.0.0.{uid}",
            "containerStatuses":[{{"name":"c","containerID":"containerd://{id}"}}]}}}}"#
        )
    };
    let old = item(
        "1",
        r#""creationTimestamp":"2026-11-20T10:00:00Z","deletionTimestamp":"2026-11-20T11:00:00Z""#,
        "aa",
    );
    let new = item("2", r#""creationTimestamp":"2026-11-20T11:00:01Z""#, "bb");
    let same_second = item("0", r#""creationTimestamp":"2026-11-20T10:00:00Z""#, "bb");
    let unknown = item("3", r#""creationTimestamp":null"#, "bb");
    for (winner, loser, uid, expected) in [
        (&new, &old, "2", ["bb", "aa"]),
        (&same_second, &old, "0", ["bb", "aa"]),
        (&old, &unknown, "1", ["aa", "bb"]),
    ] {
        for list in [[winner.as_str(), loser], [loser, winner]] {
            let found = files(&list.join(",")).files;
            let [found] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!(
                (found.uid.as_deref(), found.ip.as_deref()),
                (Some(uid), Some(format!("10.0.0.{uid}").as_str()))
            );
            assert_eq!(found.containers.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), expected);
        }
    }
}

#[test]
fn null_is_absent_everywhere() {
    let found = file(
        r#","uid":null,"labels":null,"annotations":null,"ownerReferences":null,"creationTimestamp":null"#,
        r#""podIP":null,"initContainerStatuses":null,"containerStatuses":[{"name":"c","containerID":"aa","image":null,
        "imageID":null,"state":{"running":{"startedAt":null},"terminated":null},"lastState":null}],
        "ephemeralContainerStatuses":null"#,
    );
    let mut expected = PodFile::new("n", "p");
    expected.containers = vec![Container { name: "c".into(), id: "aa".into(), ..Container::default() }];
    assert_eq!(found, expected);
    let bare = files(r#"{"metadata":{"namespace":"n","name":"p"},"spec":null,"status":null}"#);
    assert_eq!(bare.files, [PodFile::new("n", "p")]);
    assert_eq!(file(r#","labels":{}"#, "").labels, pairs(&[]), "an empty map is a map");
    let odd = r#","labels":{"a":"b","n":7,"o":{"x":[1]},"t":true,"z":null}"#;
    assert_eq!(file(odd, "").labels, pairs(&[("a", "b"), ("z", "")]), "what is no string costs itself");
}

#[test]
fn a_broken_pod_is_counted_and_the_others_are_kept() {
    let broken = [
        "null",
        "5",
        "{}",
        r#"{"metadata":null}"#,
        r#"{"metadata":{"namespace":"n"}}"#,
        r#"{"metadata":{"name":"p"}}"#,
        r#"{"metadata":{"namespace":"n","name":""}}"#,
        r#"{"metadata":{"namespace":"n","name":5}}"#,
        r#"{"metadata":{"namespace":"n","name":"../p"}}"#,
        r#"{"metadata":{"namespace":"N","name":"p"}}"#,
    ];
    let found = files(&format!(r#"{},{{"metadata":{{"namespace":"n","name":"good"}}}}"#, broken.join(",")));
    assert_eq!((found.files, found.counts.skipped), (vec![PodFile::new("n", "good")], 10));
}

#[test]
fn what_is_of_another_type_costs_itself_only() {
    let found = file(
        r#","uid":7,"labels":[1],"annotations":"x","ownerReferences":[5,{"kind":7,"name":"a"},{"kind":"Job","name":"b"}]"#,
        r#""podIP":{},"initContainerStatuses":{},"containerStatuses":[7,{"name":"c","containerID":"aa","restartCount":"3",
        "state":[],"image":{"a":1}},{"name":["d"],"containerID":"bb"}]"#,
    );
    let mut expected = PodFile::new("n", "p");
    expected.containers = vec![Container { name: "c".into(), id: "aa".into(), ..Container::default() }];
    assert_eq!(
        (found.uid.clone(), found.labels.clone(), found.containers.clone()),
        (None, None, expected.containers)
    );
    assert_eq!(found.annotations, None);
}

#[test]
fn an_answer_without_a_list_is_an_error_and_an_empty_list_is_not() {
    for none in ["{}", r#"{"items":null}"#, r#"{"kind":"Status","code":403}"#, "[]", " [[]]", "[null]"] {
        assert!(matches!(project(none.as_bytes()), Err(ListError::NoItems)), "{none}");
    }
    assert_eq!(project(b"{}").unwrap_err().to_string(), "read pod list: the answer has no items");
    for wrong in ["null", "Unauthorized", r#"{"items":{}}"#, r#"{"items":"x"}"#, r#"{"items":[]}x"#] {
        assert!(matches!(project(wrong.as_bytes()), Err(ListError::Json(_))), "{wrong}");
    }
    let cut = project(br#"{"items":[{"metadata":{"na"#).unwrap_err().to_string();
    assert_eq!(cut, "read pod list: cut after 26 bytes");
    assert_eq!(project(br#"{"items":[]}"#).unwrap(), PodFiles { bytes: 12, ..PodFiles::default() });
}

#[test]
fn a_list_that_is_cut_anywhere_is_an_error() {
    for end in 0..LIST.len() {
        let cut = project(LIST.as_bytes().get(..end).unwrap());
        assert!(matches!(cut, Err(ListError::Cut { bytes }) if bytes == end as u64), "{end}");
    }
}

#[test]
fn a_pod_that_is_too_large_loses_annotations_then_labels_then_its_file() {
    let many = |count: usize| (0..count).map(|n| format!("\"k{n}\":\"\"")).collect::<Vec<_>>().join(",");
    let long = "x".repeat(600_000);
    let shape = |labels: &str, annotations: &str, uid: &str| {
        let found = files(&format!(
            r#"{{"metadata":{{"namespace":"n","name":"p","uid":"{uid}","labels":{{{labels}}},
            "annotations":{{{annotations}}}}}}}"#
        ));
        let maps = found.files.first().map(|file| (file.labels.is_some(), file.annotations.is_some()));
        (maps, found.counts.shortened, found.counts.skipped)
    };
    let one = r#""a":"b""#;
    assert_eq!(shape(&many(1024), &many(1024), "u"), (Some((true, true)), 0, 0));
    assert_eq!(shape(one, &many(1025), "u"), (Some((true, true)), 1, 0));
    let large: Vec<String> = (0..60).map(|n| format!("\"k{n}\":\"{}\"", "x".repeat(10_000))).collect();
    assert_eq!(shape(one, &large.join(","), "u"), (Some((true, true)), 1, 0));
    assert_eq!(shape(&many(1025), one, "u"), (Some((true, true)), 1, 0));
    assert_eq!(shape(one, one, &long), (None, 0, 1));
}

/// The file of a Deployment's pod with these limits, and how many values were too long.
fn selected(limits: &Limits) -> (PodFile, u64) {
    let item = r#"{"metadata":{"namespace":"n","name":"p","labels":{"app":"web","pod-template-hash":"5f","team":"a"},
        "annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}","note":"0123456789","url":"x"},
        "ownerReferences":[{"kind":"ReplicaSet","name":"web-5f"}]}}"#;
    let list = super::project(format!(r#"{{"items":[{item}]}}"#).as_bytes(), limits).unwrap();
    (list.files.into_iter().next().unwrap(), list.counts.omitted)
}

#[test]
fn labels_and_annotations_are_handed_on_as_the_settings_say() {
    let keys = |allow: &str, deny: &str| KeyFilter { allow: Globs::new([allow]), deny: Globs::new([deny]) };
    let (file, omitted) = selected(&Limits::default());
    assert_eq!(file.labels, pairs(&[("app", "web"), ("pod-template-hash", "5f"), ("team", "a")]));
    assert_eq!((file.annotations, omitted), (pairs(&[("note", "0123456789"), ("url", "x")]), 0));

    let limits = Limits { labels: keys("*", "pod-*"), annotations: keys("n*", ""), ..Limits::default() };
    let (file, _) = selected(&limits);
    assert_eq!(file.labels, pairs(&[("app", "web"), ("team", "a")]));
    assert_eq!(file.annotations, pairs(&[("note", "0123456789")]));
    assert_eq!(file.workload.unwrap().kind, "Deployment", "what is not handed on still tells the owner");
}

#[test]
fn a_value_that_is_too_long_is_left_out_as_a_whole_and_counted() {
    for (max_value, expected, omitted) in
        [(10, pairs(&[("note", "0123456789"), ("url", "x")]), 0), (9, pairs(&[("url", "x")]), 1)]
    {
        let (file, count) = selected(&Limits { max_value, ..Limits::default() });
        assert_eq!((file.annotations, count), (expected, omitted));
    }
}

#[test]
fn deep_nesting_in_what_is_skipped_is_harmless() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let item =
        format!(r#"{{"metadata":{{"namespace":"n","name":"p"}},"spec":{{"nodeName":"a","x":{deep}}}}}"#);
    assert_eq!(files(&item).files.first().and_then(|file| file.node.as_deref()), Some("a"));
}

#[test]
fn the_sample_list_is_taken_as_a_whole() {
    let list = include_bytes!("../../../../conf/samples/podlist.json");
    let PodFiles { files, counts: Counts { skipped, shortened, .. }, .. } = project(list).unwrap();
    assert_eq!((skipped, shortened), (0, 0));
    let file = |pod: &str| files.iter().find(|file| file.pod.starts_with(pod)).unwrap();
    let workload = |pod: &str| {
        file(pod).workload.as_ref().map(|workload| format!("{}/{}", workload.kind, workload.name))
    };
    assert_eq!(workload("catalog-").as_deref(), Some("Deployment/catalog"));
    assert_eq!(workload("nightly-report-").as_deref(), Some("CronJob/nightly-report"));
    assert_eq!(workload("prometheus-0").as_deref(), Some("StatefulSet/prometheus"));
    assert_eq!(workload("etcd-"), None);
    assert_eq!(file("importer-").containers.len(), 2, "the run before is listed");
    assert!(file("thumbnailer-").containers.is_empty(), "it waits for its image");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = project(&bytes);
    }

    #[test]
    fn a_list_with_a_wrong_byte_is_read_without_a_panic(at in 0..LIST.len(), byte in any::<u8>()) {
        let mut list = LIST.as_bytes().to_vec();
        list[at] = byte;
        if let Ok(found) = project(&list) {
            prop_assert!(found.files.iter().all(|file| file.encode().is_ok()));
        }
    }
}

#[test]
fn owners_are_handed_on_as_they_came_unless_there_are_very_many() {
    let owners = r#"[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-5f","uid":"6","controller":true,"blockOwnerDeletion":true}]"#;
    assert_eq!(file(&format!(r#","ownerReferences":{owners}"#), "").owners.as_deref(), Some(owners));
    for none in [r#","ownerReferences":[]"#, r#","ownerReferences":null"#, ""] {
        assert_eq!(file(none, "").owners, None, "{none}");
    }
    let many = vec![r#"{"kind":"X","name":"y"}"#; 300].join(",");
    let found = file(&format!(r#","ownerReferences":[{many}]"#), "");
    assert_eq!((found.owners, found.workload.unwrap().name), (None, "y".to_owned()));
}
