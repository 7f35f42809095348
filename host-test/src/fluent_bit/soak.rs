//! A real Fluent Bit for a million lines, while rules change, pods come and go and logs are rotated.
//!
//! It exists because a leak of a few bytes a line is seen in no short run. The rule it keeps: each round's lines have arrived before the
//! next round starts, so that what is in memory at its end is what stays, and nothing else.

use super::numbered::{Arrived, list_of, remove, rotate_logs_of, write_to};
use super::{FluentBitError, MetadataFilter, Running, Setup};
use serde::Serialize;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A soak to run.
#[derive(Clone, Copy, Debug)]
pub struct NodeSoak<'a> {
    /// The program.
    pub fluent_bit: &'a Path,
    /// The compiled filter.
    pub module: &'a Path,
    /// `conf/fluent-bit.yaml`.
    pub conf: &'a Path,
    /// How many lines are written.
    pub lines: u64,
    /// In how many rounds.
    pub rounds: u64,
}

/// What a soak came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NodeSoakReport {
    /// Lines written.
    pub written: u64,
    /// Of these, never delivered.
    pub lost: u64,
    /// Deliveries of a line that had been delivered.
    pub repeated: u64,
    /// Pods that there have been.
    pub pods: u64,
    /// Rule files that took effect.
    pub reloads: u64,
    /// The most memory that Fluent Bit had resident at the end of one of the first half of the rounds, in bytes.
    pub memory_warm: u64,
    /// The same of the second half.
    pub memory_end: u64,
}

impl NodeSoak<'_> {
    /// Runs it. `progress` hears of rounds.
    ///
    /// # Errors
    /// [`FluentBitError`] when it cannot be run. That lines are lost is no error.
    pub fn run(&self, mut progress: impl FnMut(u64)) -> Result<NodeSoakReport, FluentBitError> {
        let empty = tempfile::tempdir()
            .map_err(|reason| FluentBitError::Make { path: "an empty directory".into(), reason })?;
        let mut running = Running::start(Setup {
            fluent_bit: self.fluent_bit,
            module: self.module,
            conf: self.conf,
            rules: RULES[0],
            logs: empty.path(),
            pod_list: Some(&list_of(living(0))),
            filter: MetadataFilter::Nodesieve,
            disk: None,
            elsewhere: None,
            overrides: &[("refresh_interval", "1"), ("scheduler.cap", "5"), ("grace", "5")],
        })?;
        let mut arrived = Arrived::default();
        let (mut written, mut memory) = (0, Vec::new());
        for round in 0..self.rounds {
            let until = self.lines.saturating_mul(round.saturating_add(1)) / self.rounds.max(1);
            self.round(&mut running, round, written..until)?;
            written = until;
            // What does not come in that time is lost.
            let has_come = arrived.wait_for(&running, until, PATIENCE)?;
            memory.push(resident(running.process())?);
            progress(round);
            if !has_come {
                break;
            }
        }
        let outcome = running.stop()?;
        outcome.records.iter().for_each(|record| arrived.add(record));
        let most = |part: &[u64]| part.iter().copied().max().unwrap_or_default();
        let (first, second) = memory.split_at(memory.len() / 2);
        Ok(NodeSoakReport {
            written,
            lost: written.saturating_sub(arrived.numbers.len() as u64),
            repeated: arrived.numbers.values().map(|seen| seen.times - 1).sum(),
            pods: living(memory.len() as u64).end,
            reloads: outcome.metrics.get("nodesieve_reloads_total").unwrap_or_default(),
            memory_warm: most(first),
            memory_end: most(second),
        })
    }

    /// Other rules, other pods, other files, and this round's lines.
    fn round(&self, running: &mut Running, round: u64, numbers: Range<u64>) -> Result<(), FluentBitError> {
        let rules = RULES.get(usize::try_from(round).unwrap_or_default() % RULES.len());
        running.put_rules(rules.copied().unwrap_or_default())?;
        let pods = living(round);
        if let Some(metadata) = running.metadata() {
            metadata.kubelet.set_pods(list_of(pods.clone()));
        }
        // Their lines have arrived.
        for gone in living(round.saturating_sub(2)).start..living(round.saturating_sub(1)).start {
            remove(running, gone)?;
        }
        if round % 3 == 2 {
            rotate_logs_of(running, pods.clone(), round)?;
        }
        let count = numbers.end.saturating_sub(numbers.start);
        let share = count.div_ceil(LIVING);
        for (at, pod) in pods.enumerate() {
            let start = numbers.start.saturating_add(share.saturating_mul(at as u64)).min(numbers.end);
            write_to(running, pod, start..start.saturating_add(share).min(numbers.end))?;
        }
        Ok(())
    }
}

/// The pods of a round: with each, some come and some go.
fn living(round: u64) -> Range<u64> {
    let first = round.saturating_mul(COMING);
    first..first.saturating_add(LIVING)
}

/// Memory that a process has resident, in bytes.
fn resident(process: u32) -> Result<u64, FluentBitError> {
    let path = PathBuf::from(format!("/proc/{process}/status"));
    let status = fs::read_to_string(&path).map_err(|reason| FluentBitError::Read { path, reason })?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
    Ok(kilobytes.and_then(|text| text.parse::<u64>().ok()).unwrap_or_default().saturating_mul(1024))
}

/// Rules that keep every line, by keys of their own, and one file that is refused.
const RULES: [&str; 4] = [
    "version: 1\n",
    "version: 1\nguards:\n  - { name: lines, when: { message: line } }\n",
    "version: 1\nrules: [",
    "version: 1\nrules:\n  - { name: all, first: { n: 10000000, per: 1h, by: template } }\n",
];
/// Pods at a time.
const LIVING: u64 = 20;
/// Pods that come with a round, and go with a later one.
const COMING: u64 = 4;
/// How long is waited for a round's lines.
const PATIENCE: Duration = Duration::from_secs(120);
