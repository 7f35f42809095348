//! nodesieve in the place of the built-in `kubernetes` filter, and behind it: the sample logs through a real Fluent Bit.
//!
//! The rule it keeps: what is delivered is the same, but for what is named here.

use crate::fluent_bit::{logs_of_whole_lines, program};
use crate::support;
use host_test::fluent_bit::{MetadataFilter, Running, Setup};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// The built-in filter as nearly everybody has it.
const USUAL: &[(&str, &str)] = &[("merge_log", "on"), ("keep_log", "on")];
const ALIKE: &str = "version: 1\ninput: { continuation: off }\nenrich: { fields: all, labels: true, annotations: true, max_bytes: 256KiB, merge_log: true }\n";

/// What is delivered, as texts whose members are in the order of their names, and how often.
type Delivered = BTreeMap<String, usize>;

#[test]
fn what_is_delivered_in_the_place_of_the_built_in_filter_is_no_worse() {
    let Some(program) = program() else { return };
    let (logs, lines) = logs_of_whole_lines();
    let theirs = delivered(&program, ALIKE, MetadataFilter::Kubernetes(USUAL), logs.path(), lines);
    let ours = delivered(&program, ALIKE, MetadataFilter::Nodesieve, logs.path(), lines);
    let only = |one: &[Map<String, Value>], other: &[Map<String, Value>]| {
        let mut left = counted(one);
        for (text, times) in counted(other) {
            if let Some(count) = left.get_mut(&text) {
                *count = count.saturating_sub(times);
            }
        }
        left.retain(|_, count| *count > 0);
        left
    };
    let (better, known) = (only(&ours, &theirs), only(&theirs, &ours));
    assert_eq!(better.values().sum::<usize>(), known.values().sum::<usize>(), "a record for a record");
    for (text, other) in better.keys().zip(known.keys()) {
        let why = IMPROVED.iter().find(|(_, is_it)| is_it(&read(text), &read(other)));
        assert!(why.is_some(), "{text}\n{other}");
    }
}

/// Whether ours differs from theirs in this way.
type IsIt = fn(&Value, &Value) -> bool;

/// Where ours says more, or what is right, with why.
const IMPROVED: [(&str, IsIt); 2] = [
    (
        "kubelet cuts file names at 255 bytes, and with them the id, by which the built-in filter takes a tag apart",
        |ours, theirs| {
            theirs.get("kubernetes").is_none()
                && ours["kubernetes"]["docker_id"].as_str().is_some_and(|id| id.len() == 64)
        },
    ),
    (
        "the built-in filter remembers a container by its name, so that a run has the id of another one",
        |ours, theirs| {
            let without_id = |record: &Value| {
                let mut record = record.clone();
                record["kubernetes"].as_object_mut().and_then(|metadata| metadata.remove("docker_id"));
                record
            };
            without_id(ours) == without_id(theirs)
        },
    ),
];

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn behind_the_built_in_filter_rules_hold_without_a_sidecar_and_no_field_is_lost() {
    let Some(program) = program() else { return };
    let (logs, lines) = logs_of_whole_lines();
    let rules = "version: 1\ninput: { continuation: off }\nenrich: off\nmetadata: { source: record }\nrules:\n  \
        - { name: cart, when: { labels: app=cart }, drop: {}, reason: test }\n  \
        - { name: noted, when: { workload: catalog }, keep: {} }\n";
    let expected = delivered(&program, rules, MetadataFilter::Kubernetes(USUAL), logs.path(), lines);
    let is_cart = |record: &Map<String, Value>| {
        record.get("kubernetes").is_some_and(|metadata| metadata["labels"]["app"] == "cart")
    };
    let (carts, others): (Vec<_>, Vec<_>) = expected.into_iter().partition(is_cart);
    assert!(!carts.is_empty(), "the samples have what is to be dropped");
    let found = delivered(&program, rules, MetadataFilter::Before(USUAL), logs.path(), others.len() as u64);
    assert_eq!(found.len(), others.len());
    assert!(counted(&found) == counted(&others), "every other record is as the built-in filter made it");
}

fn counted(records: &[Map<String, Value>]) -> Delivered {
    let mut counted = Delivered::new();
    for record in records {
        *counted.entry(Value::Object(record.clone()).to_string()).or_default() += 1;
    }
    counted
}

/// The log lines that arrive, of which there are so many.
fn delivered(
    program: &Path,
    rules: &str,
    filter: MetadataFilter<'_>,
    logs: &Path,
    lines: u64,
) -> Vec<Map<String, Value>> {
    let (module, conf) = (support::module(), support::conf().join("fluent-bit.yaml"));
    let pod_list = fs::read(support::conf().join("samples/podlist.json")).unwrap();
    let running = Running::start(Setup {
        fluent_bit: program,
        module: &module,
        conf: &conf,
        rules,
        logs,
        pod_list: Some(&pod_list),
        filter,
        disk: None,
        elsewhere: None,
        overrides: &[("flush", "1")],
    })
    .unwrap();
    let mut found = Vec::new();
    let deadline = Instant::now() + LONG;
    loop {
        for record in running.firehose().take_records() {
            for line in record.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let record: Map<String, Value> = serde_json::from_slice(line).unwrap();
                // The tick is one too where nobody takes it.
                if !record.contains_key("node") || record.contains_key("stream") {
                    found.push(record);
                }
            }
        }
        if found.len() as u64 >= lines {
            return found;
        }
        assert!(Instant::now() < deadline, "{} of {lines} lines", found.len());
        std::thread::sleep(Duration::from_millis(100));
    }
}

const LONG: Duration = Duration::from_secs(90);
