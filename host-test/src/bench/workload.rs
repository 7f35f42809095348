//! The logs that benchmarks run on: 30 pods of four namespaces, half of them writing JSON, half text.
//!
//! It exists so that the fuel bench and the bench of a real Fluent Bit measure the same lines, without a recording in the
//! repository. The rule it keeps: the same size gives the same bytes, and the log files are the only source, so that a record
//! of the one bench is a line of the other.

use super::lines::{LineWriter, Program};
use crate::inputs::Record;
use crate::kubelet::{FakePod, list};
use crate::samples::{CriLine, CriLog, Dice, WINDOW_START};
use nodesieve_preview::inputs::log_file;
use serde_json::{Value, json};

/// What tail puts before a file's name to make the tag.
pub const TAG_PREFIX: &str = "kube.var.log.containers.";
/// How many pods there are, each with one container.
pub const PODS: usize = 30;

/// The seed; another one gives other bytes of the same kind.
const SEED: u64 = 20_261_127;
/// How much of a file tail reads and hands on at once, in bytes: its buffer is 32 kB.
const READ: usize = 30_000;
/// Between two lines of the node, in nanoseconds: a thousand lines a second.
const STEP: u64 = 1_000_000;

/// Deployments: application, namespace, container, what it writes, and pods.
const DEPLOYMENTS: [(&str, &str, &str, Program, usize); 7] = [
    ("cart", "shop", "cart", Program::JsonRequests, 4),
    ("orders", "shop", "orders", Program::JsonRequests, 4),
    ("ledger", "payments", "ledger", Program::JsonRequests, 4),
    ("search", "platform", "indexer", Program::JsonWorker, 3),
    ("web", "shop", "nginx", Program::AccessLog, 4),
    ("gateway", "platform", "gateway", Program::AccessLog, 7),
    ("importer", "batch", "importer", Program::TextWorker, 4),
];

/// How many lines of which size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkloadSize {
    /// Bytes of a line, about.
    pub line: usize,
    /// Lines of each pod that tail delivers in one go.
    pub run: usize,
    /// How often each pod's turn comes.
    pub turns: usize,
}

impl WorkloadSize {
    /// Lines of about so many bytes in as many runs as give a stable average.
    pub fn of_lines(line: usize) -> WorkloadSize {
        let run = READ.checked_div(line).unwrap_or_default().max(1);
        let turns = match line {
            0..=200 => 4,
            201..=2000 => 8,
            _ => 16,
        };
        WorkloadSize { line, run, turns }
    }

    /// Lines of 150 bytes, one of each pod at a time.
    pub fn by_turns() -> WorkloadSize {
        WorkloadSize { line: SHORT, run: 1, turns: 400 }
    }

    /// At least so many lines of 150 bytes.
    pub fn of_records(records: usize) -> WorkloadSize {
        let size = WorkloadSize::of_lines(SHORT);
        WorkloadSize { turns: records.div_ceil(size.run.saturating_mul(PODS)).max(1), ..size }
    }

    /// How many lines all pods write.
    pub fn records(&self) -> usize {
        PODS.saturating_mul(self.run).saturating_mul(self.turns)
    }
}

/// Bytes of an ordinary line.
pub const SHORT: usize = 150;

/// A pod's log file as the runtime has written it.
#[derive(Clone, Debug)]
pub struct GeneratedLog {
    /// The file's name below /var/log/containers.
    pub name: String,
    /// Its content in the format of containerd.
    pub content: Vec<u8>,
}

/// Log files and the pod list to go with them.
#[derive(Clone, Debug)]
pub struct GeneratedNode {
    /// A file for each pod.
    pub logs: Vec<GeneratedLog>,
    /// What the kubelet answers.
    pub pod_list: Vec<u8>,
    run: usize,
}

/// A pod in the making.
struct Writing {
    name: String,
    log: CriLog,
    lines: LineWriter,
    dice: Dice,
}

impl GeneratedNode {
    /// The node whose pods have written this much.
    pub fn new(size: WorkloadSize) -> GeneratedNode {
        let (mut writing, mut items) = (Vec::new(), Vec::new());
        for (app, namespace, container, program, replicas) in DEPLOYMENTS {
            let mut dice = Dice::of(SEED, app);
            let template = dice.text(b"bcdfghjklmnpqrstvwxz2456789", 9);
            for _ in 0..replicas {
                let pod = format!("{app}-{template}-{}", dice.text(b"bcdfghjklmnpqrstvwxz2456789", 5));
                let id = dice.hex(64);
                items.push(item(namespace, &pod, container, &id, app, &template));
                writing.push(Writing {
                    name: format!("{pod}_{namespace}_{container}-{id}.log"),
                    log: CriLog::starting(WINDOW_START),
                    lines: LineWriter::new(program, size.line),
                    dice: Dice::of(SEED, &pod),
                });
            }
        }
        let mut at = WINDOW_START;
        for _ in 0..size.turns {
            for Writing { log, lines, dice, .. } in &mut writing {
                for _ in 0..size.run {
                    at = at.plus_nanos(STEP);
                    let now = at.plus_nanos(dice.between(1, STEP - 1));
                    let text = lines.next(now, dice);
                    log.push(now, &CriLine { stream: lines.stream(dice), text });
                }
            }
        }
        let logs =
            writing.into_iter().map(|pod| GeneratedLog { name: pod.name, content: pod.log.into_bytes() });
        GeneratedNode { logs: logs.collect(), pod_list: list(items), run: size.run }
    }

    /// The records in the order in which tail hands them on: a run of each file in turn.
    pub fn records(&self) -> Vec<Record> {
        let read = |log: &GeneratedLog| log_file(&log.content, &format!("{TAG_PREFIX}{}", log.name));
        let mut files: Vec<_> = self.logs.iter().map(|log| read(log).into_iter()).collect();
        let mut records = Vec::new();
        loop {
            let before = records.len();
            for file in &mut files {
                records.extend(file.by_ref().take(self.run));
            }
            if records.len() == before {
                return records;
            }
        }
    }
}

/// A pod with as much metadata as a Deployment of a chart has.
fn item(namespace: &str, pod: &str, container: &str, id: &str, app: &str, template: &str) -> Value {
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    let mut fake = FakePod::new(namespace, pod).with(container, id);
    fake.created = "2026-11-13T10:00:00Z".into();
    fake.labels = pairs(&[
        ("app", app),
        ("app.kubernetes.io/instance", app),
        ("app.kubernetes.io/managed-by", "Helm"),
        ("app.kubernetes.io/version", "4.17.2"),
        ("pod-template-hash", template),
        ("tier", "backend"),
    ]);
    fake.annotations = pairs(&[
        ("checksum/config", "d2a84f4b8b650937ec8f73cd8be2c74add5a911ba64df27458ed8229da804a26"),
        ("kubectl.kubernetes.io/restartedAt", "2026-11-13T10:00:00Z"),
        ("prometheus.io/port", "9090"),
        ("prometheus.io/scrape", "true"),
    ]);
    let mut item = fake.item();
    if let Some(metadata) = item.get_mut("metadata").and_then(Value::as_object_mut) {
        let owner = json!([{
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{app}-{template}"),
            "uid": "93d1ec16-44ad-4c92-a177-5abdab12e5f1", "controller": true, "blockOwnerDeletion": true,
        }]);
        metadata.insert("ownerReferences".into(), owner);
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_same_size_gives_the_same_bytes_and_half_of_them_are_json() {
        let size = WorkloadSize { line: SHORT, run: 20, turns: 2 };
        let (node, again) = (GeneratedNode::new(size), GeneratedNode::new(size));
        let records = node.records();
        assert_eq!(records, again.records());
        assert_eq!((records.len(), node.logs.len()), (size.records(), PODS));
        let json = records.iter().filter(|record| record.text.contains(r#""log":"{\""#)).count();
        assert_eq!(json * 2, records.len());
        let namespaces: BTreeSet<_> =
            records.iter().filter_map(|record| record.tag.split('_').nth(1)).collect();
        assert_eq!(namespaces.len(), 4);
    }

    #[test]
    fn records_come_in_runs_with_rising_times() {
        let size = WorkloadSize { line: SHORT, run: 20, turns: 2 };
        let records = GeneratedNode::new(size).records();
        assert!(records.is_sorted_by_key(|record| record.time));
        let changes = records.windows(2).filter(|pair| pair[0].tag != pair[1].tag).count();
        assert_eq!(changes, PODS * 2 - 1);
        assert!(records[0].text.starts_with(r#"{"time":"2026-11-20T10:00:00.00"#), "{}", records[0].text);
    }

    #[test]
    fn lines_have_the_size_that_was_asked_for() {
        for line in [SHORT, 1500, 15_000] {
            let size = WorkloadSize { turns: 1, ..WorkloadSize::of_lines(line) };
            let records = GeneratedNode::new(size).records();
            let average = records.iter().map(|record| record.text.len()).sum::<usize>() / records.len();
            // 77 bytes of the record around the line, and the backslashes of JSON in JSON.
            assert!(average.abs_diff(line + 82) < line / 20, "{average} for {line}");
        }
    }

    #[test]
    fn sizes_are_counted_in_whole_turns() {
        assert_eq!(WorkloadSize::of_records(300_000).records(), 300_000);
        assert_eq!(WorkloadSize::of_records(1).records(), 6000);
        assert_eq!(WorkloadSize::of_lines(15_000).run, 2);
    }
}
