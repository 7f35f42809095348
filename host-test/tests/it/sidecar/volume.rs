//! A volume that is full, then read-only: real ones, where this machine lets a test mount them.

use super::{Polled, files, kubelet, pods};
use host_test::kubelet::list;
use host_test::sidecar::settings;
use host_test::volume::TmpfsVolume;
use nodesieve_sidecar::LogEvent;

/// Guarantees: from a list that has lost most of its pods the new ones are taken at once, and no file is removed.
#[test]
fn a_list_that_is_doubted_still_brings_new_pods() {
    let mut pods = pods(30);
    let kubelet = kubelet(&pods);
    let root = tempfile::tempdir().unwrap();
    let settings = settings(&kubelet, root.path()).unwrap();
    let directory = settings.pods_dir.clone();
    let mut sidecar = Polled::new(settings);
    assert!(sidecar.poll());
    let before = files(&directory);
    pods.truncate(2);
    pods.push(host_test::kubelet::FakePod::new("shop", "new"));
    kubelet.set_pods(list(pods.iter().map(host_test::kubelet::FakePod::item)));
    assert!(!sidecar.poll());
    let mut after = files(&directory);
    assert!(after.remove("shop_new.json").is_some());
    assert_eq!(after, before);
}

/// Guarantees: a pod as large as a kubelet can write it is read like any other.
#[test]
fn a_pod_full_of_escapes_is_read_like_any_other() {
    let list = format!(
        r#"{{"items":[{{"metadata":{{"namespace":"shop","name":"big","uid":"u1"}},"spec":{{"containers":[{{"name":"c","args":["{}"]}}]}}}},{{"metadata":{{"namespace":"shop","name":"small","uid":"u2"}},"spec":{{}}}}]}}"#,
        "\\u003c".repeat(1_500_000)
    );
    let kubelet = kubelet(&[]);
    kubelet.set_pods(list);
    let root = tempfile::tempdir().unwrap();
    let settings = settings(&kubelet, root.path()).unwrap();
    let directory = settings.pods_dir.clone();
    assert!(Polled::new(settings).poll());
    assert_eq!(files(&directory).into_keys().collect::<Vec<_>>(), ["shop_big.json", "shop_small.json"]);
}

/// Scenario: 64 kB for 30 files of 4 kB and more, which then change; more room; no more writing; writing again.
/// Guarantees: what there is room for is written, whole; what was there stays; trouble and its end are logged once each.
#[test]
fn a_full_or_read_only_volume_is_told_and_survived() {
    let mut pods = pods(30);
    for pod in &mut pods {
        pod.annotations = vec![("nodesieve.io/note".into(), "x".repeat(4000))];
    }
    let kubelet = kubelet(&pods);
    let root = tempfile::tempdir().unwrap();
    let settings = settings(&kubelet, root.path()).unwrap();
    let Ok(volume) = TmpfsVolume::mount(&root.path().join("run/nodesieve"), 64 << 10) else {
        crate::support::skip("mounts", "no mounts here");
        return;
    };
    let directory = settings.pods_dir.clone();
    let mut sidecar = Polled::new(settings);
    assert!(!sidecar.poll() && !sidecar.poll());
    let events = sidecar.events();
    let [LogEvent::Info(_), LogEvent::Warning(full)] = events.as_slice() else { panic!("{events:?}") };
    assert!(
        full.contains("No space left on device") && full.contains(" more; the last files stay"),
        "{full}"
    );
    let written = files(&directory);
    assert!((5..20).contains(&written.len()), "{}", written.len());
    assert!(written.keys().all(|name| name.ends_with(".json")), "nothing half written: {:?}", written.keys());
    assert!(written.values().all(|(content, _)| content.ends_with(b"}\n")));

    volume.remount("size=1m").unwrap();
    assert!(sidecar.poll());
    assert_eq!(files(&directory).len(), 30);
    assert!(matches!(sidecar.events().as_slice(), [LogEvent::Info(_)]));

    volume.remount("ro").unwrap();
    let before = files(&directory);
    assert!(sidecar.poll(), "nothing changed, so nothing has to be written");
    pods[0].labels.push(("new".into(), "label".into()));
    kubelet.set_pods(list(pods.iter().map(host_test::kubelet::FakePod::item)));
    assert!(!sidecar.poll() && !sidecar.poll());
    assert_eq!(files(&directory), before);
    let events = sidecar.events();
    assert!(
        matches!(events.as_slice(), [LogEvent::Warning(text)] if text.contains("Read-only file system")),
        "{events:?}"
    );
    volume.remount("rw").unwrap();
    assert!(sidecar.poll());
    assert_ne!(files(&directory), before);
}
