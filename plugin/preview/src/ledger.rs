//! What a run came to: counted from outside where that is possible, and taken from the filter's own counts for what
//! only it knows. The two must agree, and [`Ledger::imbalances`] says where they do not.

pub use crate::counts::RuleLine;

use crate::counts::FilterCounts;
use crate::money::{ByDestination, LEAST_SECONDS, Prices, Saved, ThreeWays};
use nodesieve_engine::metrics::Metric;
use serde::Serialize;

/// The numbers of a run. Serialised as the `--format json` of `replay`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Ledger {
    /// Records handed to the filter.
    pub seen: u64,
    /// Of these, kept.
    pub kept: u64,
    /// Of these, dropped by a rule.
    pub dropped: u64,
    /// Records that a sample policy decided.
    pub sampled: u64,
    /// Dropped records that a later record's count reports.
    pub counted: u64,
    /// Dropped records that summaries report.
    pub summarised: u64,
    /// Dropped records that the filter has not reported yet.
    pub open: u64,
    /// Dropped records that may still be recalled; they are among `dropped`.
    #[serde(skip_serializing_if = "is_none")]
    pub held: u64,
    /// Records that were dropped at first and came back with others; they are among `kept`.
    #[serde(skip_serializing_if = "is_none")]
    pub recalled: u64,
    /// Summaries.
    pub summaries: u64,
    /// Records decided with the line before them.
    pub continued: u64,
    /// Kept with metadata from a pod file.
    pub enriched: u64,
    /// Kept with less.
    pub metadata_missing: u64,
    /// Kept without metadata because the tag names no container.
    pub no_container_tag: u64,
    /// Records that the filter could not read, and records that Fluent Bit would have lost.
    pub faults: u64,
    /// Records cut to `input.max_record`.
    pub truncated: u64,
    /// Records that the Firehose endpoint accepted.
    pub delivered: u64,
    /// Bytes of JSON that Firehose would take, summaries among them.
    pub delivered_bytes: u64,
    /// Records too large for Firehose.
    pub undeliverable: u64,
    /// Calls of PutRecordBatch.
    pub firehose_calls: u64,
    /// Bytes of JSON seen.
    pub bytes_in: u64,
    /// Bytes of JSON kept.
    pub bytes_out: u64,
    /// Bytes that the built-in filter would have made of all records.
    pub bytes_kubernetes_filter: u64,
    /// Bytes that are billed, of all lines, of these with the built-in filter's metadata, and with nodesieve.
    pub billed: ByDestination<ThreeWays<u64>>,
    /// Of these, what Firehose bills for what was delivered, each line a record.
    pub billed_bytes: u64,
    /// The same with `simple_aggregation`, lines joined into records of up to 1,000 KiB.
    pub billed_bytes_aggregated: u64,
    /// How often Fluent Bit flushes, in seconds: what a container writes between two flushes is aggregated.
    pub flush_seconds: u32,
    /// Seconds between the first and the last record, a few far from all others not counted; 0 when nothing is known of it.
    pub span_seconds: f64,
    /// Ticks of the virtual clock.
    pub ticks: u64,
    /// What guards, rules and outcomes decided.
    pub rules: Vec<RuleLine>,
    /// What rules in shadow mode would do; `kept` and `stage` say nothing here.
    pub shadows: Vec<RuleLine>,
    /// Dollars for 30 days of this node at the rate of the run.
    pub dollars: ByDestination<ThreeWays<f64>>,
    /// What is saved of the kubernetes filter's dollars, and by what.
    pub saved: ByDestination<Saved>,
    /// The prices that `dollars` are made of.
    pub prices: Prices,
}

/// Generic because serde hands references over, which lints call wasteful for a number on some targets and not on others.
fn is_none<N: PartialEq + Default>(number: &N) -> bool {
    *number == N::default()
}

impl Ledger {
    /// Takes what only the filter knows.
    pub fn take(&mut self, counts: &FilterCounts) {
        self.sampled = counts.get(Metric::Sampled);
        self.open = counts.get(Metric::Unreported);
        self.held = counts.get(Metric::Held);
        self.continued = counts.get(Metric::Continued);
        self.enriched = counts.get(Metric::Enriched);
        self.metadata_missing = counts.get(Metric::MetadataMissing);
        self.no_container_tag = counts.get(Metric::NoContainerTag);
        self.truncated = counts.get(Metric::Truncated);
        self.faults = self.faults.saturating_add(counts.faults());
        self.rules = counts.rules().to_vec();
        self.shadows = counts.shadows().to_vec();
    }

    /// Whether the run's records took long enough to write that something is known of a month's dollars.
    pub fn is_timed(&self) -> bool {
        self.span_seconds >= LEAST_SECONDS
    }

    /// Where the numbers do not add up; empty when they do.
    pub fn imbalances(&self, counts: &FilterCounts) -> Vec<String> {
        let sum = |part: fn(&RuleLine) -> u64| self.rules.iter().map(part).sum::<u64>();
        let checks = [
            ("seen", self.seen, "kept + dropped", self.kept.saturating_add(self.dropped)),
            (
                "kept + summaries",
                self.kept.saturating_sub(self.recalled).saturating_add(self.summaries),
                "delivered + undeliverable",
                self.delivered.saturating_add(self.undeliverable),
            ),
            (
                "seen",
                self.seen,
                "counts of the kept + in summaries + unreported",
                self.kept
                    .saturating_add(self.counted)
                    .saturating_add(self.summarised)
                    .saturating_add(self.open)
                    .saturating_add(self.held),
            ),
            ("counted", self.counted, "the filter's counted", counts.get(Metric::Counted)),
            ("in summaries", self.summarised, "the filter's summarised", counts.get(Metric::Summarised)),
            ("seen", self.seen, "the filter's seen", counts.get(Metric::Seen)),
            ("kept", self.kept, "the filter's kept", counts.get(Metric::Kept)),
            (
                "dropped",
                self.dropped,
                "the filter's dropped and held",
                counts.get(Metric::Dropped).saturating_add(self.held),
            ),
            ("bytes in", self.bytes_in, "the filter's bytes in", counts.get(Metric::BytesIn)),
            ("bytes out", self.bytes_out, "the filter's bytes out", counts.get(Metric::BytesOut)),
            ("seen", self.seen, "matched by all rules", sum(|rule| rule.matched)),
            ("kept", self.kept, "kept by all rules", sum(|rule| rule.kept)),
            (
                "dropped",
                self.dropped,
                "dropped by all rules and held",
                sum(|rule| rule.dropped).saturating_add(self.held),
            ),
        ];
        checks
            .into_iter()
            .filter(|(_, left, _, right)| left != right)
            .map(|(left_name, left, right_name, right)| {
                format!("{left_name} is {left}, {right_name} is {right}")
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> FilterCounts {
        let rule = |name: &str, stage: &str, matched, kept| RuleLine {
            name: name.into(),
            stage: stage.into(),
            matched,
            kept,
            dropped: matched - kept,
            dropped_bytes: 0,
        };
        let mut counts =
            FilterCounts::new(vec![rule("none", "outcome", 0, 0), rule("a", "rule", 3, 2)], Vec::new());
        for (metric, value) in [
            (Metric::Seen, 3),
            (Metric::Kept, 2),
            (Metric::Dropped, 1),
            (Metric::Unreported, 1),
            (Metric::FaultUtf8, 1),
            (Metric::FaultDepth, 1),
        ] {
            counts.set(metric, value);
        }
        counts
    }

    #[test]
    fn a_ledger_that_adds_up_has_no_imbalance() {
        let mut ledger = Ledger { seen: 3, kept: 2, dropped: 1, delivered: 2, ..Ledger::default() };
        ledger.take(&counts());
        assert_eq!(ledger.faults, 2);
        assert_eq!(ledger.imbalances(&counts()), Vec::<String>::new());
        ledger.delivered = 1;
        ledger.rules[0].matched = 4;
        assert_eq!(
            ledger.imbalances(&counts()),
            ["kept + summaries is 2, delivered + undeliverable is 1", "seen is 3, matched by all rules is 4"]
        );
    }
}
