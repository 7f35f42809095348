//! The object by fields, selections and sizes.

use super::*;
use crate::pods::Workload;

fn file() -> PodFile {
    let pairs = |list: &[(&str, &str)]| {
        Some(Pairs(list.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()))
    };
    PodFile {
        namespace: "shop".into(),
        pod: "web-1".into(),
        uid: Some("u-1".into()),
        node: Some("node-a".into()),
        ip: Some("10.0.0.7".into()),
        labels: pairs(&[("tier", "web"), ("app", "shop")]),
        annotations: pairs(&[("note", "a \"b\"\nc")]),
        workload: Some(Workload { kind: "StatefulSet".into(), name: "web".into() }),
        owners: Some(r#"[{"kind":"StatefulSet","name":"web"}]"#.into()),
        containers: vec![Container {
            name: "app".into(),
            id: "0abc".into(),
            image: Some("r/i:1".into()),
            hash: Some("r/i@sha256:9".into()),
            started: Some(1),
            restarts: Some(3),
        }],
        older: Vec::new(),
    }
}

#[test]
fn owners_are_written_as_they_came_and_only_as_an_array() {
    let tag = ContainerTag { pod: "web-1", namespace: "shop", container: "app", id: "0a" };
    let fields = EnrichFields::Only(vec![Field::OwnerReferences]);
    let enrichment = Enrichment { fields, ..Enrichment::all() };
    let written = |owners: &str| {
        let file = PodFile { owners: Some(owners.into()), ..file() };
        String::from_utf8(enrichment.render(&tag, Some(&file), None).0).unwrap()
    };
    assert_eq!(written(r#"[{"kind":"Job"}]"#), r#"{"ownerReferences":[{"kind":"Job"}]}"#);
    for broken in ["", "{}", "[", "[1]]", "[1] ", "[}", "\"x\""] {
        assert_eq!(written(broken), "{}", "{broken}");
    }
}

#[track_caller]
fn check(fields: EnrichFields, labels: Selection, annotations: Selection, known: bool, expected: &str) {
    let tag = ContainerTag { pod: "web-1", namespace: "shop", container: "app", id: "0a" };
    let enrichment = Enrichment { fields, labels, annotations, ..Enrichment::all() };
    let file = file();
    let rendered = if known {
        enrichment.render(&tag, Some(&file), file.containers.first())
    } else {
        enrichment.render(&tag, None, None)
    };
    assert_eq!((std::str::from_utf8(&rendered.0).unwrap(), rendered.1), (expected, false));
}

#[test]
fn all_is_the_built_in_filters_object() {
    check(
        EnrichFields::All,
        Selection::All,
        Selection::All,
        true,
        concat!(
            r#"{"pod_name":"web-1","namespace_name":"shop","pod_id":"u-1","labels":{"tier":"web","app":"shop"},"#,
            r#""annotations":{"note":"a \"b\"\nc"},"host":"node-a","pod_ip":"10.0.0.7","container_name":"app","#,
            r#""docker_id":"0abc","container_hash":"r/i@sha256:9","container_image":"r/i:1"}"#
        ),
    );
}

#[test]
fn without_a_file_the_tag_speaks() {
    let expected = r#"{"pod_name":"web-1","namespace_name":"shop","container_name":"app","docker_id":"0a"}"#;
    check(EnrichFields::All, Selection::All, Selection::All, false, expected);
    check(EnrichFields::Only(vec![Field::PodId]), Selection::All, Selection::All, false, "{}");
}

#[test]
fn lean_and_lists_select() {
    let only_app = Selection::Matching(Globs::new(["app*"]));
    check(
        EnrichFields::Lean,
        only_app,
        Selection::None,
        true,
        concat!(
            r#"{"pod_name":"web-1","namespace_name":"shop","labels":{"app":"shop"},"container_name":"app","#,
            r#""workload":"web"}"#
        ),
    );
    let list = EnrichFields::Only(vec![Field::Restarts, Field::WorkloadKind, Field::Host]);
    check(
        list,
        Selection::None,
        Selection::None,
        true,
        r#"{"host":"node-a","workload_kind":"StatefulSet","restarts":3}"#,
    );
    check(EnrichFields::Only(vec![Field::Labels]), Selection::None, Selection::None, true, "{}");
}

#[test]
fn what_is_too_large_loses_annotations_and_then_labels_the_largest_first() {
    let tag = ContainerTag { pod: "web-1", namespace: "shop", container: "app", id: "0a" };
    let mut file = file();
    let long = |n: usize| "x".repeat(n);
    file.annotations =
        Some(Pairs(vec![("a".into(), long(2000)), ("b".into(), long(300)), ("c".into(), long(900))]));
    file.labels = Some(Pairs(vec![("l".into(), long(500)), ("m".into(), long(40)), ("n".into(), long(700))]));
    let keys = |max_bytes| {
        let enrichment = Enrichment { max_bytes, ..Enrichment::all() };
        let (object, truncated) = enrichment.render(&tag, Some(&file), None);
        assert!(object.len() <= max_bytes, "{}", object.len());
        let object: serde_json::Value = serde_json::from_slice(&object).unwrap();
        let keys = |name: &str| object[name].as_object().unwrap().keys().cloned().collect::<String>();
        (keys("annotations") + "/" + &keys("labels"), truncated)
    };
    let expected = |keys: &str, truncated| (keys.to_owned(), truncated);
    assert_eq!(keys(16_384), expected("abc/lmn", false));
    assert_eq!(keys(3000), expected("bc/lmn", true));
    assert_eq!(keys(1900), expected("b/lmn", true));
    assert_eq!(keys(1600), expected("/lmn", true));
    assert_eq!(keys(1024), expected("/lm", true));
    assert_eq!(keys(400), expected("/m", true));
}
