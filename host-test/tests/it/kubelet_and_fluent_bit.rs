//! The last layer for metadata: a real Fluent Bit, the sidecar's main loop, and a kubelet in failure modes.
//!
//! Skipped where there is no Fluent Bit.

use crate::fluent_bit::program;
use crate::support;
use host_test::fluent_bit::{LOGS, MetadataFilter, Outage, PODS, Running, Setup};
use host_test::kubelet::{FailureMode, FakePod, list};
use host_test::sidecar::RunningSidecar;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(120);

/// Scenario: the kubelet hangs for 20 s, ten times as long as the filter's cache and the built-in filter's request last,
/// while 30,000 lines are written; once with nodesieve and once with Fluent Bit's own filter. `nodesieve fluent-bit
/// --kubelet hang` is the same for 5 minutes.
/// Guarantees: with nodesieve every line arrives while the kubelet still hangs, once, with its pod's labels.
#[test]
fn a_kubelet_that_hangs_costs_no_line_and_no_label() {
    let Some(program) = program() else { return };
    let (module, conf) = (support::module(), support::conf().join("fluent-bit.yaml"));
    let outage = Outage {
        fluent_bit: &program,
        module: &module,
        conf: &conf,
        rules: "version: 1\npods: { ttl: 2s }\n",
        filter: MetadataFilter::Nodesieve,
        mode: FailureMode::Hang,
        lines: 30_000,
        lasting: Duration::from_secs(20),
    };
    let ours = outage.run(|_| {}).unwrap();
    assert_eq!((ours.written, ours.in_time, ours.delivered), (30_000, 30_000, 30_000), "{ours:?}");
    assert_eq!((ours.enriched, ours.lost, ours.repeated), (30_000, 0, 0), "{ours:?}");
    assert!(ours.poll_age.is_some_and(|age| age >= 15.0), "{ours:?}");
    assert!((1..=5).contains(&ours.requests), "it was asked and did not answer: {ours:?}");
    assert_eq!(ours.ended, "when told to");
}

fn uid(number: usize) -> String {
    format!("{number:08x}-013f-4aec-988b-32b504a2f8c0")
}

/// A node whose pods come while Fluent Bit runs.
struct Newcomers {
    running: Running,
    pods: Vec<FakePod>,
    delivered: BTreeMap<String, Value>,
    /// New pods without a file, and since when; and how long the others took.
    awaited: BTreeMap<usize, Instant>,
    waits: Vec<Duration>,
}

impl Newcomers {
    fn new(program: &Path, filter: MetadataFilter<'_>) -> Newcomers {
        let (module, conf) = (support::module(), support::conf().join("fluent-bit.yaml"));
        let pods: Vec<FakePod> = (0..30).map(|n| FakePod::new("shop", &format!("old-{n}"))).collect();
        let logs = tempfile::tempdir().unwrap();
        let running = Running::start(Setup {
            fluent_bit: program,
            module: &module,
            conf: &conf,
            rules: "version: 1\n",
            logs: logs.path(),
            pod_list: Some(&list(pods.iter().map(FakePod::item))),
            filter,
            disk: None,
            elsewhere: None,
            overrides: &[],
        })
        .unwrap();
        Newcomers { running, pods, delivered: BTreeMap::new(), awaited: BTreeMap::new(), waits: Vec::new() }
    }

    /// The kubelet has a new pod, and has made the directory for its logs, as before it starts a first container.
    fn pod(&mut self, number: usize) {
        self.list(number);
        self.awaited.insert(number, Instant::now());
        self.announce();
        self.directory(number);
    }

    /// Notes which new pods have their files.
    fn look(&mut self) {
        let directory = self.running.at(PODS);
        self.awaited.retain(|number, since| {
            let is_there = directory.join(format!("shop_new-{number}.json")).exists();
            self.waits.extend(is_there.then(|| since.elapsed()));
            !is_there
        });
    }

    fn list(&mut self, number: usize) {
        let pod = FakePod { uid: uid(number), ..FakePod::new("shop", &format!("new-{number}")) };
        self.pods.push(pod.with("app", &format!("{number:064x}")));
    }

    fn directory(&self, number: usize) {
        let name = format!("shop_new-{number}_{}", uid(number));
        fs::create_dir(self.running.at("/var/log/pods").join(name)).unwrap();
    }

    /// Its container has started and written a line.
    fn log(&self, number: usize) {
        let path = self.running.at(LOGS).join(format!("new-{number}_shop_app-{number:064x}.log"));
        fs::write(path, "2026-11-20T10:00:00.000000001Z stdout F first\n").unwrap();
    }

    fn announce(&self) {
        let metadata = self.running.metadata().unwrap();
        metadata.set_pods(&list(self.pods.iter().map(FakePod::item)));
    }

    /// Waits until all pods so far have their files.
    fn wait_for_files(&self) {
        let files = self.pods.len() as f64;
        self.sidecar().wait_until("nodesieve_sidecar_files", |there| there == files, LONG).unwrap();
    }

    fn sidecar(&self) -> &RunningSidecar {
        self.running.metadata().unwrap().sidecar.as_ref().unwrap()
    }

    /// How many of so many new pods have the labels on their first record.
    fn with_labels(mut self, of: usize) -> usize {
        self.running.wait_for(of as u64, LONG).unwrap();
        for record in self.running.stop().unwrap().records {
            let pod = record["kubernetes"]["pod_name"].as_str().unwrap().to_owned();
            self.delivered.entry(pod).or_insert(record);
        }
        assert_eq!(self.delivered.len(), of);
        self.delivered
            .iter()
            .filter(|(pod, record)| record["kubernetes"]["labels"]["app"] == pod.as_str())
            .count()
    }
}

/// Scenario: 200 pods start on two nodes, ten a second, in kubelet's order: the pod is known and has a directory for its logs; then its
/// sandbox is made and its images are looked at; then its container starts and writes, two seconds later, whether anybody knows the
/// pod or not. One node follows the Pods API, the other polls.
/// Guarantees: the first record of each has its labels, on both; whoever follows asks the kubelet for nothing, and whoever polls at most
/// once a second.
#[test]
fn the_first_record_of_a_new_pod_has_its_labels_by_following_and_by_polling() {
    let Some(program) = program() else { return };
    let mut nodes =
        [MetadataFilter::Following, MetadataFilter::Nodesieve].map(|filter| Newcomers::new(&program, filter));
    let received =
        |node: &Newcomers| node.sidecar().metric("nodesieve_sidecar_received_bytes_total").unwrap().unwrap();
    let before = nodes.each_ref().map(received);
    let (pods, step, behind) = (200, Duration::from_millis(100), 20);
    let began = Instant::now();
    for turn in 0..pods + behind {
        for node in &mut nodes {
            if turn < pods {
                node.pod(turn);
            }
            if let Some(number) = turn.checked_sub(behind) {
                node.log(number);
            }
        }
        while began.elapsed() < step * (turn as u32 + 1) {
            nodes.iter_mut().for_each(Newcomers::look);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let lasted = began.elapsed().as_secs_f64();
    let [following, polling] = nodes.map(|mut node| {
        node.wait_for_files();
        node.look();
        node
    });
    let [follow, poll] = [&following, &polling].map(|node| {
        let mut waits = node.waits.clone();
        waits.sort();
        assert_eq!(waits.len(), pods);
        (waits[pods / 2], waits[pods - 1])
    });
    let asked = [&following, &polling].map(|node| node.running.metadata().unwrap().kubelet.asked());
    let moved = [received(&following) - before[0], received(&polling) - before[1]];
    eprintln!(
        "{pods} new pods in {lasted:.1} s: followed, median and worst {follow:.0?}, {} requests, {} bytes; polled, {poll:.0?}, {} requests, {} bytes",
        asked[0].pods, moved[0], asked[1].pods, moved[1]
    );
    assert_eq!((following.with_labels(pods), polling.with_labels(pods)), (pods, pods));
    assert_eq!((asked[0].pods, asked[0].others + asked[1].others), (0, 0), "{asked:?}");
    // At most one a second.
    assert!(asked[1].pods as f64 <= lasted + 2.0, "{asked:?} in {lasted} s");
}

/// Scenario: 100 pods in bursts of five, each of which has already written its line when its directory appears, so that
/// nothing but the sidecar's speed is between tail and a record without labels. Tail looks every 5 s; if its look falls
/// into the few milliseconds between a log and its pod's file, the records of that burst are kept without labels.
/// Guarantees: that is rare, how rare is the machine's: without a look at new directories all would be hit.
#[test]
fn a_log_that_appears_with_its_pod_is_nearly_always_in_time() {
    let Some(program) = program() else { return };
    let mut node = Newcomers::new(&program, MetadataFilter::Nodesieve);
    for first in (0..100).step_by(5) {
        // The sidecar asks at most once a second.
        node.sidecar().wait_until("nodesieve_sidecar_poll_age_seconds", |age| age >= 1.0, LONG).unwrap();
        for number in first..first + 5 {
            node.list(number);
        }
        node.announce();
        for number in first..first + 5 {
            node.log(number);
            node.directory(number);
        }
        node.wait_for_files();
    }
    let found = node.with_labels(100);
    eprintln!("{found} of 100 first records have their labels");
    assert!(found >= 50, "{found}");
}
