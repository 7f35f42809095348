//! Which pod a container is of, and whether pods are really gone: the same by the list and by the Pods API.

use super::stream::{Node, items, streams, until};
use super::{Polled, files, pods};
use host_test::kubelet::{FakePod, list};
use nodesieve_engine::pods::PodFile;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Uid and label `v` of the pod of a container, as the filter would read them.
fn seen(directory: &Path, container: &str) -> Option<(String, String)> {
    let content = fs::read(directory.join("shop_db-0.json")).ok()?;
    let seen = PodFile::decode(&content, "shop", "db-0").unwrap().as_seen_by(container);
    Some((seen.uid?, seen.labels.and_then(|labels| labels.get("v").map(str::to_owned)).unwrap_or_default()))
}

fn of_name(uid: &str, created: &str) -> FakePod {
    FakePod {
        uid: uid.into(),
        created: format!("2026-11-20T{created}:00Z"),
        labels: vec![("v".into(), format!("of-{uid}"))],
        ..FakePod::new("shop", "db-0")
    }
}

/// Each of these containers is seen as one of this pod, whatever order the pods come in, by both ways.
#[track_caller]
fn each_is_seen_as(pods: &[FakePod], expected: &[(&str, &str)]) {
    let check = |what: &str, directory: &Path| {
        for (container, uid) in expected {
            let own = Some(((*uid).to_owned(), format!("of-{uid}")));
            assert_eq!(seen(directory, container), own, "{what}: {container}");
        }
    };
    for turn in 0..pods.len() {
        let mut pods = pods.to_vec();
        pods.rotate_left(turn);
        let node = Node::new(&pods);
        let mut polled =
            Polled::new(nodesieve_sidecar::SidecarSettings { pods_api: None, ..node.settings.clone() });
        assert!(polled.poll());
        check("listed", node.directory());

        let node = Node::new(&[]);
        let api = node.api(&pods[..1]);
        let sidecar = node.start();
        streams(&sidecar);
        api.set_pods(&items(&pods));
        let events = (pods.len() + 1) as f64;
        sidecar
            .wait_until("nodesieve_sidecar_stream_events_total", |seen| seen >= events, super::LONG)
            .unwrap();
        until(|| {
            expected.iter().all(|(container, uid)| {
                seen(node.directory(), container).is_some_and(|(found, _)| found == *uid)
            })
        });
        check("followed", node.directory());
    }
}

/// A StatefulSet's pod that is being deleted still writes beside its successor.
#[test]
fn a_pod_that_is_leaving_and_its_successor_keep_their_own() {
    let old = FakePod { is_leaving: true, ..of_name("old", "10:00") }.with("db", "0a");
    let new = of_name("new", "11:00").with("db", "0b");
    each_is_seen_as(&[old, new], &[("0a", "old"), ("0b", "new")]);
}

#[test]
fn of_two_pods_made_within_a_second_the_one_that_is_leaving_is_the_older() {
    let old = FakePod { is_leaving: true, ..of_name("z", "10:00") }.with("db", "0a");
    let new = of_name("a", "10:00").with("db", "0b");
    // One that is unknown to both is the newer one's.
    each_is_seen_as(&[old, new], &[("0a", "z"), ("0b", "a"), ("0c", "a")]);
}

/// A static pod has its uid from its manifest, and its mirror another one from the API server.
#[test]
fn a_static_pod_and_its_mirror_keep_their_own() {
    let noted = |pod: FakePod, key: &str, value: &str| FakePod {
        annotations: vec![(key.into(), value.into())],
        ..pod
    };
    let of_file = noted(of_name("static", "10:00"), "kubernetes.io/config.source", "file").with("db", "0a");
    let mirror = noted(of_name("mirror", "10:01"), "kubernetes.io/config.mirror", "1f2e");
    // Until its status is known at the API server, the mirror has no containers, and then the same.
    each_is_seen_as(&[of_file.clone(), mirror.clone()], &[("0a", "static")]);
    each_is_seen_as(&[of_file, mirror.with("db", "0a")], &[("0a", "mirror")]);
}

/// What is left of a node that had 30 pods, and whether that can be all.
fn left() -> [(&'static str, Vec<FakePod>, bool); 3] {
    let few = pods(3);
    let mut leaving = few.clone();
    leaving[1].is_leaving = true;
    let mut of_api = few.clone();
    of_api[1].annotations = vec![("kubernetes.io/config.source".into(), "api".into())];
    [
        ("nothing says why", few, false),
        ("one is leaving", leaving, true),
        ("one is the API server's", of_api, true),
    ]
}

/// Guarantees: a list that has lost most of its pods removes nothing, unless it says why; what it still has stays.
#[test]
fn a_list_that_has_lost_most_pods_is_believed_when_it_says_why() {
    for (what, left, is_believed) in left() {
        let mut node = Node::new(&pods(30));
        node.settings.grace = Duration::ZERO;
        let mut polled =
            Polled::new(nodesieve_sidecar::SidecarSettings { pods_api: None, ..node.settings.clone() });
        assert!(polled.poll());
        node.kubelet().set_pods(list(left.iter().map(FakePod::item)));
        assert_eq!(polled.poll(), is_believed, "{what}");
        assert_eq!(polled.poll(), is_believed, "{what}");
        assert_eq!(files(node.directory()).len(), if is_believed { 3 } else { 30 }, "{what}");
    }
}

/// The same where each pod that goes is told.
#[test]
fn a_stream_that_has_lost_most_pods_is_believed_when_it_says_why() {
    for (what, left, is_believed) in left() {
        let mut node = Node::new(&[]);
        (node.settings.grace, node.settings.interval) = (Duration::ZERO, Duration::from_millis(100));
        let api = node.api(&pods(30));
        let sidecar = node.start();
        streams(&sidecar);
        until(|| node.count() == 30);
        api.set_pods(&items(&left));
        match is_believed {
            true => until(|| node.count() == 3),
            false => {
                let events = (30 + 1 + 27) as f64;
                sidecar
                    .wait_until("nodesieve_sidecar_stream_events_total", |seen| seen >= events, super::LONG)
                    .unwrap();
                // All are looked at each time, and so that often.
                let gets = api.asked().gets;
                until(|| api.asked().gets >= gets + 5);
                assert_eq!(node.count(), 30, "{what}");
            }
        }
    }
}
