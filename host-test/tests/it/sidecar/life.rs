//! What the compiled filter makes of the files, through a pod's whole life.

use super::{Polled, kubelet, pods};
use crate::support;
use host_test::guest::Returned;
use host_test::kubelet::{FakeKubelet, FakePod, list};
use host_test::sidecar::settings;
use nodesieve_sidecar::SidecarSettings;
use serde_json::Value;
use tempfile::TempDir;

/// A node with a filter that reads what the sidecar writes.
struct Node {
    kubelet: FakeKubelet,
    sidecar: Polled,
    guest: host_test::guest::Guest,
    seconds: u64,
    _trees: (TempDir, host_test::tree::NodeTree),
}

impl Node {
    fn new() -> Node {
        let kubelet = kubelet(&pods(1));
        let root = tempfile::tempdir().unwrap();
        let (guest, tree) = support::start("version: 1\nenrich: { fields: all }\n");
        let settings =
            SidecarSettings { pods_dir: tree.pods_directory(), ..settings(&kubelet, root.path()).unwrap() };
        let mut node = Node {
            kubelet,
            sidecar: Polled::new(settings),
            guest,
            seconds: 1_800_000_000,
            _trees: (root, tree),
        };
        node.passes(0);
        node
    }

    fn passes(&mut self, seconds: u64) {
        self.seconds += seconds;
        self.guest.clock().advance_to(self.seconds * 1_000_000_000);
    }

    /// The kubelet lists these, and the sidecar has asked.
    fn lists(&mut self, pods: &[FakePod]) {
        self.kubelet.set_pods(list(pods.iter().map(FakePod::item)));
        assert!(self.sidecar.poll());
    }

    /// What a record of this container carries.
    fn kubernetes(&mut self, pod: &str, id: &str) -> Value {
        let tag = format!("kube.var.log.containers.{pod}_shop_app-{id}.log");
        let time = (u32::try_from(self.seconds).unwrap(), 0);
        match self.guest.filter(tag.as_bytes(), time, br#"{"log":"x"}"#) {
            Returned::Kept(text) => serde_json::from_slice::<Value>(&text).unwrap()["kubernetes"].clone(),
            other => panic!("{other:?}"),
        }
    }
}

/// Scenario: a pod is made, gets its container, is relabelled, restarts, is deleted and made anew under its name; the new
/// one is listed beside the old one at first.
/// Guarantees: at each step the filter gives each run its own metadata, at the latest when its cache has expired.
#[test]
fn a_pods_whole_life_is_seen_by_the_filter() {
    let id = |letter: &str| letter.repeat(64);
    let (first, second, third) = (id("a"), id("b"), id("c"));
    let mut node = Node::new();
    let mut pod = FakePod::new("shop", "web");

    // The log is there before anything is known: the tag speaks, and nothing waits.
    let unknown = node.kubernetes("web", &first);
    assert_eq!((&unknown["pod_name"], &unknown["labels"]), (&Value::from("web"), &Value::Null));

    // Listed without its container id: the pod's keys, the tag's id, seen once the miss has been believed for 2 s.
    node.lists(&[FakePod { containers: vec![("app".into(), String::new(), None)], ..pod.clone() }]);
    node.passes(2);
    let waiting = node.kubernetes("web", &first);
    assert_eq!((&waiting["pod_id"], &waiting["docker_id"]), (&"uid-of-web".into(), &first.as_str().into()));
    assert_eq!((&waiting["labels"]["app"], &waiting["container_image"]), (&"web".into(), &Value::Null));

    pod.containers = vec![("app".into(), first.clone(), None)];
    node.lists(&[pod.clone()]);
    node.passes(2);
    assert_eq!(node.kubernetes("web", &first)["container_image"], "r/app:1");

    // Relabelled: the cache holds for 60 s.
    pod.labels.push(("tier".into(), "gold".into()));
    node.lists(&[pod.clone()]);
    node.passes(59);
    assert_eq!(node.kubernetes("web", &first)["labels"]["tier"], Value::Null);
    node.passes(1);
    assert_eq!(node.kubernetes("web", &first)["labels"]["tier"], "gold");

    // Restarted: the new id is a new entry, read at once; the last lines of the old run keep theirs.
    pod.containers = vec![("app".into(), second.clone(), Some(first.clone()))];
    node.lists(&[pod.clone()]);
    assert_eq!(node.kubernetes("web", &second)["docker_id"], second.as_str());
    assert_eq!(node.kubernetes("web", &first)["docker_id"], first.as_str());
    assert_eq!(node.kubernetes("web", &second)["container_hash"], "r/app@sha256:9");

    // Deleted: gone from the list, and its last lines are still known, for the grace period.
    let other = FakePod::new("shop", "other").with("app", &id("d"));
    node.lists(std::slice::from_ref(&other));
    node.passes(61);
    assert_eq!(node.kubernetes("web", &second)["labels"]["tier"], "gold");

    // Made anew under its name while the old one is still ending: both ids are known, the newer pod speaks.
    let new = FakePod {
        uid: "uid-of-the-new".into(),
        created: "2026-11-20T11:00:00Z".into(),
        labels: vec![("tier".into(), "silver".into())],
        ..FakePod::new("shop", "web").with("app", &third)
    };
    for order in [[pod.clone(), new.clone(), other.clone()], [new.clone(), other.clone(), pod.clone()]] {
        node.lists(&order);
        node.passes(61);
        let (now, old) = (node.kubernetes("web", &third), node.kubernetes("web", &second));
        assert_eq!((&now["pod_id"], &now["labels"]["tier"]), (&"uid-of-the-new".into(), &"silver".into()));
        assert_eq!((&now["docker_id"], &old["docker_id"]), (&third.as_str().into(), &second.as_str().into()));
        assert_eq!((&old["pod_id"], &old["labels"]["tier"]), (&"uid-of-web".into(), &"gold".into()));
        assert_eq!(old["container_image"], "r/app:1");
    }

    // A name that starts like another's is another's.
    node.lists(&[new, other, FakePod::new("shop", "web-1").with("app", &id("e"))]);
    assert_eq!(node.kubernetes("web-1", &id("e"))["labels"]["app"], "web-1");
    assert_eq!(node.kubernetes("web", &third)["labels"]["tier"], "silver");
}
