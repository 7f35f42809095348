//! A directory as it lies on a node, with what lies beside logs.

use super::*;
use crate::inputs;
use std::io::Write as _;
use std::os::unix::fs::symlink;

const CRI: &str = "2026-11-20T10:00:00.1Z stdout F hello\n";
const ID: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(text: &str) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest)
}

fn tags(found: &NodeLogs) -> Vec<&str> {
    found.records.iter().map(|record| record.tag.as_str()).collect()
}

#[test]
fn a_nodes_directory_is_read_and_what_is_no_log_is_named() {
    let node = tempfile::tempdir().unwrap();
    let at = |path: &str| node.path().join(path);
    let write = |path: &str, content: &[u8]| {
        fs::create_dir_all(at(path).parent().unwrap()).unwrap();
        fs::write(at(path), content).unwrap();
    };
    write("pods/shop_web-1_uid-1/app/0.log.20261120-095900.gz", &gzipped(CRI));
    write("pods/shop_web-1_uid-1/app/1.log", CRI.as_bytes());
    write("pods/shop_web-1_uid-1/app/empty.txt", b"x");
    fs::create_dir_all(at("containers")).unwrap();
    symlink(at("pods/shop_web-1_uid-1/app/1.log"), at(&format!("containers/web-1_shop_app-{ID}.log")))
        .unwrap();
    symlink(at("gone"), at("containers/gone_shop_app-0a.log")).unwrap();
    write("containers/notes.log", b"just\nsome notes\n");
    let list = format!(
        r#"{{"kind":"PodList","items":[{{"metadata":{{"name":"web-1","namespace":"shop"}},"status":{{"containerStatuses":[{{"name":"app","restartCount":1,"containerID":"containerd://{ID}"}}]}}}}]}}"#
    );
    let found = read(&[at("containers")], "kube.", None).unwrap();
    assert_eq!(tags(&found), [format!("kube.web-1_shop_app-{ID}.log")]);
    let whys: Vec<&str> = found.left_out.iter().map(|(_, why)| why.as_str()).collect();
    assert_eq!(whys[0], "a link to nothing");
    assert!(whys[1].starts_with("its lines are none of"), "{whys:?}");
    let found = read(&[at("pods")], "kube.", Some(list.as_bytes())).unwrap();
    let zeros = "0".repeat(64);
    assert_eq!(
        tags(&found),
        [format!("kube.web-1_shop_app-{zeros}.log"), format!("kube.web-1_shop_app-{ID}.log")]
    );
    assert_eq!(found.left_out.len(), 1);
    // The whole of it: a link and its target are one file.
    let found = read(&[node.path().to_owned()], "kube.", None).unwrap();
    assert_eq!(found.records.len(), 2);
}

#[test]
fn what_is_named_is_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("a.log.gz"), gzipped(CRI)).unwrap();
    fs::write(at("b_n_c-0a.log.zst"), zstandard(CRI)).unwrap();
    fs::write(at("timed.txt"), "2026-11-20T10:00:00.1Z as kubectl logs --timestamps has it\n").unwrap();
    fs::write(at("notes.txt"), "just\nsome notes\n").unwrap();
    fs::write(at("broken.log.gz"), &gzipped(CRI)[..20]).unwrap();
    fs::create_dir(at("none")).unwrap();
    let found = read(&["a.log.gz", "b_n_c-0a.log.zst", "timed.txt"].map(at), "k.", None).unwrap();
    assert_eq!(tags(&found), ["k.a.log", "k.b_n_c-0a.log", "k.timed.txt"]);
    for (name, expected) in [
        ("notes.txt", "its lines are none of containerd"),
        ("broken.log.gz", "broken.log.gz: "),
        ("missing.log", "missing.log: "),
        ("none", "no *.log files"),
    ] {
        let error = read(&[at(name)], "k.", None).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn pods_are_taken_in_any_form_that_kubectl_prints() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let pod = r#"{"kind":"Pod","metadata":{"name":"web-1","namespace":"shop"}}"#;
    fs::write(at("list.json"), format!(r#"{{"kind":"List","items":[{pod}]}}"#)).unwrap();
    fs::write(at("one.json"), pod).unwrap();
    fs::write(
        at("list.yaml"),
        "apiVersion: v1\nitems:\n- kind: Pod\n  metadata: {name: web-1, namespace: shop}\nkind: List\n",
    )
    .unwrap();
    fs::write(at("one.yaml"), "kind: Pod\nmetadata: {name: web-1, namespace: shop}\n---\nkind: Pod\nmetadata: {name: web-2, namespace: shop}\n").unwrap();
    fs::write(at("bad.yaml"), "kind: Deployment\n").unwrap();
    for (name, pods) in [("list.json", 1), ("one.json", 1), ("list.yaml", 1), ("one.yaml", 2)] {
        let list = inputs::pod_list(&at(name)).unwrap();
        assert_eq!(project(list.as_slice(), &Limits::default()).unwrap().files.len(), pods, "{name}");
    }
    let error = inputs::pod_list(&at("bad.yaml")).unwrap_err().to_string();
    assert!(error.contains("bad.yaml: it is neither"), "{error}");
}
