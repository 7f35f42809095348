//! A real Fluent Bit against the replay: the same logs, the same rules, the same pods, and what arrived in both.
//!
//! Rules whose verdicts do not depend on order, time or chance must deliver the same records, compared as multisets for
//! each container. For all others the sums must hold: every record seen is kept or dropped, and what is kept is delivered.

use crate::fluent_bit::{Address, FluentBitError, MetadataFilter, Running, Setup};
use crate::inputs::InputError;
use crate::money::{FLUSH_SECONDS, Prices};
use crate::node_logs;
use crate::replay::{Replay, ReplayError, TICK_TAG};
use nodesieve_engine::config::RuleFile;
use nodesieve_engine::config::model::{Part, Policy};
use nodesieve_preview::run::SEED;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use thiserror::Error;

/// Rules that can be compared record by record.
pub const ORDER_INDEPENDENT: &str = include_str!("order_independent.yaml");

/// Why a comparison could not be made. That the two differ is no error.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each variant is the error of a part")]
pub enum CompareError {
    #[error(transparent)]
    FluentBit(#[from] FluentBitError),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("fetch what was delivered: {0}")]
    Fetch(std::io::Error),
}

/// A Firehose that is not the fake, such as moto's.
pub trait Destination {
    /// Where it is.
    fn address(&self) -> Address<'_>;

    /// All lines that were delivered to it, in the order in which they lie there.
    ///
    /// # Errors
    /// When they cannot be had.
    fn fetch(&self) -> std::io::Result<Vec<u8>>;
}

/// What to compare.
#[derive(Clone, Copy, Debug)]
pub struct RunComparison<'a> {
    /// The program.
    pub fluent_bit: &'a Path,
    /// The compiled filter.
    pub module: &'a Path,
    /// What WAMR's compiler made of it, for Fluent Bit to load in its place. The replay runs the module all the same.
    pub ahead_of_time: Option<&'a Path>,
    /// `conf/fluent-bit.yaml` or its twin.
    pub conf: &'a Path,
    /// The rule file's text.
    pub source: &'a str,
    /// What it means.
    pub rules: &'a RuleFile,
    /// A directory of container logs.
    pub logs: &'a Path,
    /// The kubelet's pod list.
    pub pod_list: &'a [u8],
    /// Other values for keys of the configuration.
    pub overrides: &'a [(&'a str, &'a str)],
    /// How long Fluent Bit may take.
    pub timeout: Duration,
}

/// What came of it. Serialised as the `--format json` of `fluent-bit`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Whether the records themselves were compared.
    pub exact: bool,
    /// Records that the filter inside Fluent Bit saw.
    pub seen: u64,
    /// Of these, kept.
    pub kept: u64,
    /// Of these, dropped.
    pub dropped: u64,
    /// Records that arrived, summaries not among them.
    pub delivered: u64,
    /// Summaries that arrived, each once.
    pub summaries: u64,
    /// Dropped records that counts and summaries report.
    pub reported: u64,
    /// Dropped records that the filter has not reported yet.
    pub open: u64,
    /// Records that the replay saw.
    pub expected_seen: u64,
    /// Records that the replay delivered.
    pub expected: u64,
    /// Records that the replay delivered and Fluent Bit did not.
    pub missing: u64,
    /// Records that Fluent Bit delivered and the replay did not.
    pub unexpected: u64,
    /// The first of each, shortened.
    pub examples: Vec<String>,
    /// What does not add up.
    pub findings: Vec<String>,
}

impl RunComparison<'_> {
    /// Runs both and compares.
    ///
    /// # Errors
    /// [`CompareError`] when one of the two did not come to its end.
    pub fn run(&self) -> Result<Difference, CompareError> {
        self.run_to(None)
    }

    /// The same with another Firehose than the fake.
    ///
    /// # Errors
    /// As [`RunComparison::run`], and [`CompareError::Fetch`].
    pub fn run_to(&self, other: Option<&dyn Destination>) -> Result<Difference, CompareError> {
        let records = node_logs::records(&[self.logs.to_owned()], &self.rules.input.tag_prefix)?;
        let replay = Replay {
            module: self.module,
            source: self.source,
            rules: self.rules,
            pod_list: Some(self.pod_list),
            records: &records,
            endpoint: None,
            seed: SEED,
            prices: Prices::default(),
            flush_seconds: FLUSH_SECONDS,
        };
        let mut predicted = Vec::new();
        let outcome = replay.run(
            |_| {},
            |record, text| {
                // When a summary is due depends on the clock.
                if record.tag.as_bytes() != TICK_TAG {
                    predicted.extend(serde_json::from_slice::<Value>(text));
                }
            },
        )?;

        let mut running = Running::start(Setup {
            fluent_bit: self.fluent_bit,
            module: self.ahead_of_time.unwrap_or(self.module),
            conf: self.conf,
            rules: self.source,
            logs: self.logs,
            pod_list: Some(self.pod_list),
            filter: MetadataFilter::Nodesieve,
            disk: None,
            elsewhere: other.map(Destination::address),
            overrides: self.overrides,
        })?;
        running.wait_for(records.len() as u64, self.timeout)?;
        let mut arrived = running.stop()?;
        if let Some(other) = other {
            arrived.add(&other.fetch().map_err(CompareError::Fetch)?)?;
        }

        let reported = &arrived.reported;
        let mut difference = Difference {
            exact: is_order_independent(self.rules),
            seen: arrived.metrics.seen(),
            kept: arrived.metrics.kept(),
            dropped: arrived.metrics.get("nodesieve_records_dropped_total").unwrap_or_default(),
            delivered: arrived.records.len() as u64,
            summaries: reported.summaries,
            reported: reported.counted.saturating_add(reported.summarised),
            open: arrived.metrics.get("nodesieve_records_open").unwrap_or_default(),
            expected_seen: outcome.ledger.seen,
            expected: outcome.ledger.kept,
            ..Difference::default()
        };
        if difference.exact {
            difference.compare(&predicted, &arrived.records);
        }
        difference.conserve();
        Ok(difference)
    }
}

impl Difference {
    /// Whether all is as it should be.
    pub fn is_well(&self) -> bool {
        self.findings.is_empty()
    }

    fn compare(&mut self, predicted: &[Value], arrived: &[Value]) {
        // Each predicted record counts up and each delivered one down; a count that is not zero is a difference.
        let mut balance: BTreeMap<(String, String), i64> = BTreeMap::new();
        for (records, step) in [(predicted, 1), (arrived, -1)] {
            for record in records {
                *balance.entry((container(record), canonical(record))).or_default() += step;
            }
        }
        for ((container, record), count) in balance.into_iter().filter(|(_, count)| *count != 0) {
            let what = if count > 0 { "missing" } else { "unexpected" };
            if self.examples.len() < 10 {
                let shown: String = record.chars().take(300).collect();
                self.examples.push(format!("{what} {}x in {container}: {shown}", count.unsigned_abs()));
            }
            let sum = if count > 0 { &mut self.missing } else { &mut self.unexpected };
            *sum = sum.saturating_add(count.unsigned_abs());
        }
        if self.missing > 0 || self.unexpected > 0 {
            self.findings.push(format!("{} records missing, {} unexpected", self.missing, self.unexpected));
        }
    }

    fn conserve(&mut self) {
        let checks = [
            ("seen", self.seen, "the replay's seen", self.expected_seen),
            ("seen", self.seen, "kept + dropped", self.kept.saturating_add(self.dropped)),
            ("delivered", self.delivered, "kept", self.kept),
            ("dropped", self.dropped, "reported + unreported", self.reported.saturating_add(self.open)),
        ];
        for (left_name, left, right_name, right) in checks {
            if left != right {
                self.findings.push(format!("{left_name} is {left}, {right_name} is {right}"));
            }
        }
    }
}

/// Whether every sampled record has a key, so that chance decides nothing, and no rule depends on the wall clock.
pub fn is_order_independent(rules: &RuleFile) -> bool {
    // A key that lacks one of its parts is none, and chance decides.
    let always_there =
        |part: &Part| matches!(part, Part::Namespace | Part::Pod | Part::Container | Part::Template);
    rules.all().all(|rule| {
        let by_key = match &rule.policy {
            Policy::Keep(_) | Policy::Drop(_) => true,
            Policy::Sample(sample) => sample.by.iter().any(|key| key.0.iter().all(always_there)),
            _ => false,
        };
        rule.until.is_none() && (by_key || rule.shadow)
    })
}

/// The container that a record is from, by its metadata: the tag itself is not delivered.
fn container(record: &Value) -> String {
    let part = |key: &str| record["kubernetes"][key].as_str().unwrap_or("-").to_owned();
    ["namespace_name", "pod_name", "container_name", "docker_id"].map(part).join("/")
}

/// A record as text that does not depend on the order of its keys.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, String> =
                map.iter().map(|(key, value)| (key, canonical(value))).collect();
            let members: Vec<String> =
                sorted.into_iter().map(|(key, value)| format!("{key:?}:{value}")).collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_counted_both_ways_whatever_the_order_of_keys() {
        let mut difference = Difference { exact: true, ..Difference::default() };
        let predicted = [json!({"a":1,"b":2}), json!({"x":1}), json!({"x":1})];
        let arrived = [json!({"x":1}), json!({"b":2,"a":1}), json!({"y":1})];
        difference.compare(&predicted, &arrived);
        assert_eq!((difference.missing, difference.unexpected), (1, 1));
        assert_eq!(difference.examples.len(), 2);
        assert!(!difference.is_well());
    }

    #[test]
    fn the_rules_for_exact_comparison_are_order_independent() {
        let load = |source: &str| nodesieve_engine::config::load(source).unwrap().rules;
        assert!(is_order_independent(&load(ORDER_INDEPENDENT)));
        assert!(!is_order_independent(&load(
            "version: 1\nrules: [{ name: a, sample: { rate: 1/2, by: trace_id } }]\n"
        )));
    }
}
