//! The Pods API: pods as they change, and what becomes of it when it fails.

use super::{LONG, files, is_whole, kubelet, pods};
use host_test::kubelet::{FakeKubelet, FakePod, FakePodsApi, StreamMode};
use host_test::sidecar::{RunningSidecar, settings};
use nodesieve_sidecar::{LogEvent, SidecarSettings};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

pub(super) fn items(pods: &[FakePod]) -> Vec<Value> {
    pods.iter().map(FakePod::item).collect()
}

/// A node with both ways to its pods.
pub(super) struct Node {
    root: TempDir,
    kubelet: FakeKubelet,
    pub(super) settings: SidecarSettings,
}

impl Node {
    pub(super) fn new(pods: &[FakePod]) -> Node {
        let (root, kubelet) = (tempfile::tempdir().unwrap(), kubelet(pods));
        let settings = SidecarSettings {
            pods_api: Some(root.path().join("api.sock")),
            ..settings(&kubelet, root.path()).unwrap()
        };
        Node { root, kubelet, settings }
    }

    fn socket(&self) -> PathBuf {
        self.root.path().join("api.sock")
    }

    pub(super) fn api(&self, pods: &[FakePod]) -> FakePodsApi {
        FakePodsApi::start(&self.socket(), &items(pods)).unwrap()
    }

    pub(super) fn start(&self) -> RunningSidecar {
        RunningSidecar::start(self.settings.clone()).unwrap()
    }

    pub(super) fn directory(&self) -> &Path {
        &self.settings.pods_dir
    }

    pub(super) fn kubelet(&self) -> &FakeKubelet {
        &self.kubelet
    }

    pub(super) fn count(&self) -> usize {
        let names =
            fs::read_dir(self.directory()).into_iter().flatten().map(|entry| entry.unwrap().file_name());
        names.filter(|name| is_whole(name.to_str().unwrap())).count()
    }

    fn labels(&self, pod: &str) -> Option<Value> {
        let text = fs::read(self.directory().join(format!("shop_{pod}.json"))).ok()?;
        Some(serde_json::from_slice::<Value>(&text).unwrap()["labels"].clone())
    }
}

pub(super) fn streams(sidecar: &RunningSidecar) {
    sidecar.wait_until("nodesieve_sidecar_streaming", |value| value == 1.0, LONG).unwrap();
}

fn polls(sidecar: &RunningSidecar) -> f64 {
    sidecar.metric("nodesieve_sidecar_polls_total").unwrap().unwrap()
}

/// Waits until what is asked for holds.
#[track_caller]
pub(super) fn until(what: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + LONG;
    while !what() {
        assert!(std::time::Instant::now() < deadline, "never so");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn each_change_of_a_pod_is_in_its_file_and_the_kubelet_is_not_polled() {
    let mut pods = pods(3);
    let node = Node::new(&pods);
    let api = node.api(&pods);
    let sidecar = node.start();
    streams(&sidecar);
    until(|| node.count() == 3);
    until(|| sidecar.get("/readyz").unwrap() == (200, "ready\n".into()));
    pods.push(FakePod::new("shop", "new").with("app", "0d"));
    api.set_pods(&items(&pods));
    until(|| node.labels("new") == Some(serde_json::json!({ "app": "new" })));
    pods[3].labels = vec![("app".into(), "other".into())];
    api.set_pods(&items(&pods));
    until(|| node.labels("new") == Some(serde_json::json!({ "app": "other" })));
    // One that is gone has the grace period.
    pods.pop();
    api.set_pods(&items(&pods));
    sidecar.wait_until("nodesieve_sidecar_stream_events_total", |events| events == 7.0, LONG).unwrap();
    assert!(node.labels("new").is_some());
    assert_eq!((polls(&sidecar), node.kubelet.asked().connections), (0.0, 0));
    let asked = api.asked();
    assert_eq!((asked.watches, asked.masked), (1, 1));
    let received = sidecar.metric("nodesieve_sidecar_received_bytes_total").unwrap().unwrap();
    assert!(received >= asked.bytes as f64 && received < asked.bytes as f64 * 1.1, "{received} of {asked:?}");
    let told = format!("follow {}: 3 pods", node.socket().display());
    assert_eq!(sidecar.events(), [LogEvent::Info(told)]);
}

#[test]
fn a_pod_that_is_gone_loses_its_file_after_the_grace_period() {
    let pods = pods(3);
    let mut node = Node::new(&pods);
    node.settings.interval = Duration::from_secs(1);
    node.settings.grace = Duration::from_secs(1);
    let api = node.api(&pods);
    let sidecar = node.start();
    streams(&sidecar);
    until(|| node.count() == 3);
    api.set_pods(&items(&pods[..2]));
    until(|| node.count() == 2);
    drop(sidecar);
}

/// Scenario: the API fails in one way after the other while files are there; the kubelet's list is the same.
/// Guarantees: not a byte and not a time of a file changes, the failure is counted under its kind and said in one line, the kubelet is
/// polled meanwhile, and the stream is back once the API is.
#[test]
fn whatever_becomes_of_the_stream_the_files_stay_and_the_kubelet_is_polled() {
    for (mode, kinds) in [
        (StreamMode::Unimplemented, &["unimplemented"][..]),
        (StreamMode::Denied, &["denied"]),
        (StreamMode::NotReady, &["not_ready"]),
        (StreamMode::Silent, &["silent"]),
        (StreamMode::Stall, &["silent"]),
        (StreamMode::Ends, &["ended"]),
        (StreamMode::Slow, &["exhausted"]),
        (StreamMode::TooLarge, &["too_large"]),
        (StreamMode::Garbage, &["garbage", "ended"]),
        (StreamMode::Close, &["ended", "garbage"]),
    ] {
        let pods = pods(30);
        let node = Node::new(&pods);
        let api = node.api(&pods);
        let sidecar = node.start();
        streams(&sidecar);
        until(|| node.count() == 30);
        let before = files(node.directory());
        api.set_mode(mode);
        api.end_streams();
        let count_of = |kind: &&str| {
            let series = format!("nodesieve_sidecar_streams_failed_total{{kind=\"{kind}\"}}");
            sidecar.metric(&series).unwrap().unwrap()
        };
        let failed = || -> f64 { kinds.iter().map(count_of).sum() };
        // One is the stream that has been ended.
        until(|| failed() >= if kinds.contains(&"ended") { 2.0 } else { 1.0 });
        sidecar.wait_until("nodesieve_sidecar_polls_total", |polls| polls >= 1.0, LONG).unwrap();
        let after = files(node.directory());
        let changed: Vec<_> =
            after.iter().filter(|(name, content)| before.get(*name) != Some(content)).collect();
        assert!(after == before, "{mode}: {changed:?}, {} and {}", before.len(), after.len());
        api.set_mode(StreamMode::Ok);
        if mode != StreamMode::Ends {
            streams(&sidecar);
        }
        assert!(files(node.directory()) == before, "{mode}");
        // Each time that it is another one: the stream that was ended is one too.
        let warnings: Vec<_> =
            sidecar.events().into_iter().filter(|event| matches!(event, LogEvent::Warning(_))).collect();
        let others = kinds.iter().filter(|kind| **kind != "ended" && count_of(kind) > 0.0).count();
        let is_said_once = warnings.windows(2).all(|two| two[0] != two[1]);
        assert!(is_said_once && warnings.len() > others, "{mode}: {warnings:?}");
        // Kinds that come by turns are said by turns.
        assert!(warnings.len() == 1 + others || kinds.len() > 1, "{mode}: {warnings:?}");
    }
}

/// Guarantees: a kubelet that hangs behind an open stream is told from one on whose node nothing happens.
#[test]
fn a_kubelet_that_has_no_news_is_asked_whether_it_is_there() {
    let pods = pods(2);
    let mut node = Node::new(&pods);
    node.settings.interval = Duration::from_secs(1);
    let api = node.api(&pods);
    let sidecar = node.start();
    streams(&sidecar);
    until(|| api.asked().gets >= 2);
    assert_eq!((api.asked().watches, polls(&sidecar)), (1, 0.0));
    api.set_mode(StreamMode::Hang);
    sidecar
        .wait_until("nodesieve_sidecar_streams_failed_total{kind=\"silent\"}", |count| count >= 1.0, LONG)
        .unwrap();
    sidecar.wait_until("nodesieve_sidecar_polls_total", |polls| polls >= 1.0, LONG).unwrap();
    assert_eq!(node.count(), 2);
}

#[test]
fn a_kubelet_that_is_killed_and_starts_again_is_followed_again() {
    let mut pods = pods(5);
    let mut node = Node::new(&pods);
    node.settings.interval = Duration::from_secs(1);
    let api = node.api(&pods);
    let sidecar = node.start();
    streams(&sidecar);
    until(|| node.count() == 5);
    let before = files(node.directory());
    // The socket that a killed kubelet has left refuses.
    drop(api);
    sidecar
        .wait_until("nodesieve_sidecar_streams_failed_total{kind=\"refused\"}", |count| count >= 1.0, LONG)
        .unwrap();
    sidecar.wait_until("nodesieve_sidecar_polls_total", |polls| polls >= 1.0, LONG).unwrap();
    assert!(node.kubelet.asked().lists >= 1 && files(node.directory()) == before);
    let api = node.api(&pods);
    streams(&sidecar);
    assert!(files(node.directory()) == before);
    let told =
        |part: &str| sidecar.events().iter().filter(|event| format!("{event:?}").contains(part)).count();
    // When it has lasted, if the one before it has not.
    until(|| told("5 pods, again after") == 1);
    assert_eq!(told("Connection refused"), 1, "{:?}", sidecar.events());
    pods.push(FakePod::new("shop", "new"));
    api.set_pods(&items(&pods));
    until(|| node.labels("new").is_some());
}

#[test]
fn without_a_socket_the_kubelet_is_polled_as_ever_and_one_line_says_so() {
    let node = Node::new(&pods(3));
    let sidecar = node.start();
    until(|| node.count() == 3);
    let told =
        format!("follow {}: no socket is there; the kubelet is polled instead", node.socket().display());
    assert_eq!(sidecar.events().first(), Some(&LogEvent::Info(told)));
    // It appears, as when the kubelet is upgraded.
    let _api = node.api(&pods(4));
    streams(&sidecar);
    until(|| node.count() == 4);
}

#[test]
fn the_api_alone_needs_neither_kubelet_nor_token() {
    let pods = pods(3);
    let mut node = Node::new(&pods);
    node.settings.source = None;
    let api = node.api(&pods);
    let sidecar = node.start();
    streams(&sidecar);
    until(|| node.count() == 3);
    api.set_mode(StreamMode::Unimplemented);
    api.end_streams();
    sidecar
        .wait_until(
            "nodesieve_sidecar_streams_failed_total{kind=\"unimplemented\"}",
            |count| count >= 1.0,
            LONG,
        )
        .unwrap();
    assert_eq!((node.count(), node.kubelet.asked().connections), (3, 0));
}

#[test]
fn other_versions_of_the_api_are_spoken_too() {
    for mode in [StreamMode::BetaOnly, StreamMode::NoMask] {
        let pods = pods(3);
        let node = Node::new(&pods);
        let api = node.api(&pods);
        api.set_mode(mode);
        let sidecar = node.start();
        streams(&sidecar);
        until(|| node.count() == 3);
        assert_eq!(polls(&sidecar), 0.0, "{mode}");
    }
}

#[test]
fn a_pod_that_is_none_costs_itself() {
    let mut pods = pods(3);
    pods[0].annotations = vec![("nodesieve.io/note".into(), "x".repeat(17 << 10))];
    let node = Node::new(&pods);
    let api = node.api(&pods);
    api.set_mode(StreamMode::BadPods);
    let sidecar = node.start();
    streams(&sidecar);
    until(|| node.count() == 3);
    assert_eq!(sidecar.metric("nodesieve_sidecar_pods_skipped").unwrap(), Some(1.0));
    // And a value that is too long costs itself, and is counted here as in a list.
    sidecar.wait_until("nodesieve_sidecar_values_omitted", |omitted| omitted == 1.0, LONG).unwrap();
}

/// A node's pods come and go and change for ever: what is held is what is there.
#[test]
fn a_hundred_thousand_changes_leave_the_files_of_what_is_there() {
    let mut pods = pods(20);
    let node = Node::new(&pods);
    let api = node.api(&pods);
    let sidecar = node.start();
    streams(&sidecar);
    for change in 0..5_000 {
        for pod in &mut pods {
            pod.labels = vec![("n".into(), change.to_string())];
        }
        api.set_pods(&items(&pods));
    }
    let last = serde_json::json!({ "n": "4999" });
    until(|| (0..20).all(|n| node.labels(&format!("web-{n}")) == Some(last.clone())));
    // The pods there were, that this was all, and each change.
    let events = (20 + 1 + 5_000 * 20) as f64;
    sidecar.wait_until("nodesieve_sidecar_stream_events_total", |seen| seen == events, LONG).unwrap();
    assert_eq!((node.count(), polls(&sidecar)), (20, 0.0));
}

/// Scenario: a node of 110 pods, then of 250, on which a pod a second goes and another comes, followed and polled side by side; ten of
/// them, and 200 with `NODESIEVE_FUZZ_SECONDS`.
/// Guarantees: what the Pods API sends is less than a fiftieth of what polling moves, it is asked once, and each new pod gets its file.
#[test]
fn following_moves_a_fiftieth_of_what_polling_does() {
    let newcomers = if std::env::var_os("NODESIEVE_FUZZ_SECONDS").is_some() { 200 } else { 10 };
    for count in [110, 250] {
        let large = |n: usize| {
            let pod = FakePod::new("shop", &format!("web-{n}"));
            FakePod { ballast: 18_000, uid: format!("{n:08x}-013f-4aec-988b-32b504a2f8c0"), ..pod }
                .with("app", &format!("{n:064x}"))
        };
        let mut all: Vec<FakePod> = (0..count).map(large).collect();
        let (following, polling) = (Node::new(&all), Node::new(&all));
        let api = following.api(&all);
        let nodes = [(following.start(), &following), (polling.start(), &polling)];
        streams(&nodes[0].0);
        nodes.iter().for_each(|(_, node)| until(|| node.count() == count));
        let received = |sidecar: &RunningSidecar| {
            sidecar.metric("nodesieve_sidecar_received_bytes_total").unwrap().unwrap()
        };
        let before = nodes.each_ref().map(|(sidecar, _)| received(sidecar));
        let asked = || [api.asked().watches + api.asked().gets, polling.kubelet.asked().lists];
        let (asked_before, started) = (asked(), std::time::Instant::now());
        let mut waits = [Vec::new(), Vec::new()];
        for number in count..count + newcomers {
            all.remove(0);
            all.push(large(number));
            let list = host_test::kubelet::list(all.iter().map(FakePod::item));
            polling.kubelet.set_pods(list);
            let began = std::time::Instant::now();
            api.set_pods(&items(&all));
            for (_, node) in &nodes {
                let directory = node.root.path().join("var/log/pods");
                fs::create_dir(
                    directory.join(format!("shop_web-{number}_{number:08x}-013f-4aec-988b-32b504a2f8c0")),
                )
                .unwrap();
            }
            let mut pending = vec![0, 1];
            while !pending.is_empty() {
                pending.retain(|at| {
                    let is_there = nodes[*at].1.labels(&format!("web-{number}")).is_some();
                    if is_there {
                        waits[*at].push(began.elapsed());
                    }
                    !is_there
                });
                std::thread::sleep(Duration::from_millis(1));
            }
            // A pod a second.
            std::thread::sleep(Duration::from_secs(1).saturating_sub(began.elapsed()));
        }
        assert_eq!(api.asked().watches, 1);
        let moved = [0, 1].map(|at| received(&nodes[at].0) - before[at]);
        waits.iter_mut().for_each(|waits| waits.sort());
        let [follow, poll] = waits.each_ref().map(|waits| (waits[waits.len() / 2], waits[waits.len() - 1]));
        let minutes = started.elapsed().as_secs_f64() / 60.0;
        let requests = asked().map(|count| count as f64 / minutes);
        eprintln!(
            "{count} pods, {newcomers} come and go, one a second; a minute: followed {:.1} requests, {:.2} MB, median and worst {follow:?}; polled {:.1} requests, {:.1} MB, {poll:?}",
            requests[0] - asked_before[0] as f64 / minutes,
            moved[0] / minutes / 1e6,
            requests[1] - asked_before[1] as f64 / minutes,
            moved[1] / minutes / 1e6,
        );
        assert!(moved[0] * 50.0 < moved[1], "{moved:?}");
    }
}
