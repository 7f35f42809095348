//! What the filter counts. One table has every number's name, unit and meaning; the README repeats it and a test
//! holds the two equal.
//!
//! The rule kept here: seen = kept + dropped, and the rows of all guards, rules and outcomes without a rule add up to
//! seen. A record is counted once, when its answer is decided.

use std::fmt::Write as _;

/// A number without labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "TABLE says what each means")]
pub enum Metric {
    Seen,
    Kept,
    Dropped,
    BytesIn,
    BytesOut,
    Sampled,
    Counted,
    Summarised,
    Open,
    Restored,
    Summaries,
    Late,
    Continued,
    Enriched,
    MetadataMissing,
    NoContainerTag,
    Truncated,
    NumbersMended,
    KeysReplaced,
    FaultNull,
    FaultUtf8,
    FaultRecord,
    FaultDepth,
    FaultUnfinished,
    PodReads,
    PodHits,
    PodStale,
    PodMissing,
    PodRefused,
    Reloads,
    ReloadsRefused,
    MetricsFailed,
    StateFailed,
    Ticks,
    PodsCached,
    TagsTracked,
    KeysTracked,
    RulesExpired,
    ConfigValid,
    LastGood,
    TickSeen,
    PassThrough,
}

/// Whether a number only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It grows until the filter restarts.
    Counter,
    /// It is what is now.
    Gauge,
}

/// A row of [`TABLE`]: metric, name in the metrics file, kind, unit, meaning.
pub type Row = (Metric, &'static str, Kind, &'static str, &'static str);

/// Every number without labels.
pub const TABLE: [Row; COUNT] = [
    (
        Metric::Seen,
        "nodesieve_records_seen_total",
        Kind::Counter,
        "records",
        "handed over by Fluent Bit, ticks excluded",
    ),
    (Metric::Kept, "nodesieve_records_kept_total", Kind::Counter, "records", "handed back"),
    (
        Metric::Dropped,
        "nodesieve_records_dropped_total",
        Kind::Counter,
        "records",
        "dropped by a rule, a ceiling, an annotation or no_match",
    ),
    (Metric::BytesIn, "nodesieve_bytes_in_total", Kind::Counter, "bytes", "JSON text of the records seen"),
    (Metric::BytesOut, "nodesieve_bytes_out_total", Kind::Counter, "bytes", "JSON text of the records kept"),
    (
        Metric::Sampled,
        "nodesieve_records_sampled_total",
        Kind::Counter,
        "records",
        "decided by a sample policy",
    ),
    (
        Metric::Counted,
        "nodesieve_records_counted_total",
        Kind::Counter,
        "records",
        "dropped, and reported in the count of a later record",
    ),
    (
        Metric::Summarised,
        "nodesieve_records_summarised_total",
        Kind::Counter,
        "records",
        "dropped, and reported in a summary",
    ),
    (
        Metric::Open,
        "nodesieve_records_open",
        Kind::Gauge,
        "records",
        "dropped and not reported yet: dropped + restored = counted + summarised + open",
    ),
    (
        Metric::Restored,
        "nodesieve_records_restored_total",
        Kind::Counter,
        "records",
        "dropped before the last start and not reported then",
    ),
    (
        Metric::Summaries,
        "nodesieve_summaries_total",
        Kind::Counter,
        "records",
        "of our own that sum up what was dropped",
    ),
    (
        Metric::Late,
        "nodesieve_records_late_total",
        Kind::Counter,
        "records",
        "that came more than 60 s after they happened and were limited by their own time",
    ),
    (
        Metric::Continued,
        "nodesieve_records_continued_total",
        Kind::Counter,
        "records",
        "decided with the line before them",
    ),
    (
        Metric::Enriched,
        "nodesieve_records_enriched_total",
        Kind::Counter,
        "records",
        "kept with metadata from a pod file",
    ),
    (
        Metric::MetadataMissing,
        "nodesieve_records_metadata_missing_total",
        Kind::Counter,
        "records",
        "kept with the tag's keys only, or because a condition was unknown",
    ),
    (
        Metric::NoContainerTag,
        "nodesieve_records_no_container_tag_total",
        Kind::Counter,
        "records",
        "kept without metadata because the tag names no container",
    ),
    (
        Metric::Truncated,
        "nodesieve_records_truncated_total",
        Kind::Counter,
        "records",
        "cut to input.max_record",
    ),
    (
        Metric::NumbersMended,
        "nodesieve_numbers_mended_total",
        Kind::Counter,
        "numbers",
        "turned into strings because Fluent Bit cannot read them back",
    ),
    (
        Metric::KeysReplaced,
        "nodesieve_keys_replaced_total",
        Kind::Counter,
        "records",
        "that had a key of ours already",
    ),
    (
        Metric::FaultNull,
        "nodesieve_fault_null_total",
        Kind::Counter,
        "records",
        "that did not fit into the guest's memory; a marker went on in their place",
    ),
    (
        Metric::FaultUtf8,
        "nodesieve_fault_utf8_total",
        Kind::Counter,
        "records",
        "passed on untouched: not UTF-8",
    ),
    (
        Metric::FaultRecord,
        "nodesieve_fault_record_total",
        Kind::Counter,
        "records",
        "passed on untouched: not one JSON object",
    ),
    (
        Metric::FaultDepth,
        "nodesieve_fault_depth_total",
        Kind::Counter,
        "records",
        "passed on untouched: nested too deep",
    ),
    (
        Metric::FaultUnfinished,
        "nodesieve_fault_unfinished_total",
        Kind::Counter,
        "records",
        "passed on untouched because an earlier call never returned",
    ),
    (
        Metric::PodReads,
        "nodesieve_pod_reads_total",
        Kind::Counter,
        "lookups",
        "answered by reading a pod file",
    ),
    (Metric::PodHits, "nodesieve_pod_hits_total", Kind::Counter, "lookups", "answered from the cache"),
    (
        Metric::PodStale,
        "nodesieve_pod_stale_total",
        Kind::Counter,
        "lookups",
        "answered with what was known before the file went away",
    ),
    (Metric::PodMissing, "nodesieve_pod_missing_total", Kind::Counter, "lookups", "without a pod file"),
    (
        Metric::PodRefused,
        "nodesieve_pod_refused_total",
        Kind::Counter,
        "lookups",
        "with a pod file that could not be read",
    ),
    (
        Metric::Reloads,
        "nodesieve_reloads_total",
        Kind::Counter,
        "reloads",
        "of the rule file that took effect",
    ),
    (
        Metric::ReloadsRefused,
        "nodesieve_reloads_refused_total",
        Kind::Counter,
        "reloads",
        "refused because of mistakes in the file",
    ),
    (
        Metric::MetricsFailed,
        "nodesieve_metrics_write_failed_total",
        Kind::Counter,
        "writes",
        "of the metrics file that failed",
    ),
    (
        Metric::StateFailed,
        "nodesieve_state_failed_total",
        Kind::Counter,
        "files",
        "of state.dir that could not be written or read",
    ),
    (Metric::Ticks, "nodesieve_ticks_total", Kind::Counter, "records", "of the tick input"),
    (Metric::PodsCached, "nodesieve_pods_cached", Kind::Gauge, "containers", "in the pod cache"),
    (Metric::TagsTracked, "nodesieve_tags_tracked", Kind::Gauge, "tags", "whose last line is remembered"),
    (
        Metric::KeysTracked,
        "nodesieve_keys_tracked",
        Kind::Gauge,
        "keys",
        "that have a state of their own, of all rules",
    ),
    (
        Metric::RulesExpired,
        "nodesieve_rules_expired",
        Kind::Gauge,
        "rules",
        "whose until is over: they decide nothing",
    ),
    (
        Metric::ConfigValid,
        "nodesieve_config_valid",
        Kind::Gauge,
        "bool",
        "1 when the rule file on disk is in force, 0 when it is missing or was refused",
    ),
    (
        Metric::LastGood,
        "nodesieve_last_good_rules",
        Kind::Gauge,
        "bool",
        "1 when the rule file was refused at the start and the last good one is in force",
    ),
    (
        Metric::TickSeen,
        "nodesieve_tick_seen",
        Kind::Gauge,
        "bool",
        "0 when no tick input feeds the filter: chores then ride on ordinary records, and there are no summaries",
    ),
    (
        Metric::PassThrough,
        "nodesieve_pass_through",
        Kind::Gauge,
        "bool",
        "1 after a call that never returned: records pass untouched",
    ),
];

/// The numbers of every guard, rule and outcome without a rule, with labels `rule` and `stage`.
pub const RULE_TABLE: [(&str, &str, &str); 4] = [
    ("nodesieve_rule_matched_total", "records", "decided here"),
    ("nodesieve_rule_kept_total", "records", "decided here and kept"),
    ("nodesieve_rule_dropped_total", "records", "decided here and dropped"),
    ("nodesieve_rule_dropped_bytes_total", "bytes", "JSON text of the records dropped here"),
];

/// What the rules in shadow mode would do, with label `rule`. Outside all totals.
pub const SHADOW_TABLE: [(&str, &str, &str); 3] = [
    ("nodesieve_shadow_matched_total", "records", "that a rule in shadow mode would decide"),
    ("nodesieve_shadow_dropped_total", "records", "that it would drop"),
    ("nodesieve_shadow_dropped_bytes_total", "bytes", "JSON text of the records that it would drop"),
];

const COUNT: usize = 42;

/// Where a decision was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// By a guard.
    Guard,
    /// By a rule.
    Rule,
    /// By neither: `none`, `unknown`, `fault`, `exclude`, `other`.
    Outcome,
}

impl Stage {
    /// The stage's name in labels and reports.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Guard => "guard",
            Stage::Rule => "rule",
            Stage::Outcome => "outcome",
        }
    }
}

/// What one guard, rule or outcome decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCount {
    /// Its name.
    pub name: Box<str>,
    /// What it is.
    pub stage: Stage,
    /// Records decided.
    pub matched: u64,
    /// Of these, kept.
    pub kept: u64,
    /// Of these, dropped.
    pub dropped: u64,
    /// Bytes of the dropped.
    pub dropped_bytes: u64,
}

/// What one rule in shadow mode would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowCount {
    /// Its name.
    pub name: Box<str>,
    /// Records it would decide.
    pub matched: u64,
    /// Of these, those it would drop.
    pub dropped: u64,
    /// Bytes of those.
    pub dropped_bytes: u64,
}

/// All numbers of one filter.
#[derive(Clone, Debug)]
pub struct Counters {
    values: [u64; COUNT],
    rules: Vec<RuleCount>,
    shadows: Vec<ShadowCount>,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters { values: [0; COUNT], rules: Vec::new(), shadows: Vec::new() }
    }
}

impl Counters {
    /// The value of a number.
    #[inline]
    pub fn get(&self, metric: Metric) -> u64 {
        self.values.get(metric as usize).copied().unwrap_or_default()
    }

    /// Adds to a number.
    #[inline]
    pub fn add(&mut self, metric: Metric, more: u64) {
        if let Some(value) = self.values.get_mut(metric as usize) {
            *value = value.wrapping_add(more);
        }
    }

    /// Sets a gauge.
    #[inline]
    pub fn set(&mut self, metric: Metric, to: u64) {
        if let Some(value) = self.values.get_mut(metric as usize) {
            *value = to;
        }
    }

    /// The rows of guards, rules and outcomes.
    pub fn rules(&self) -> &[RuleCount] {
        &self.rules
    }

    /// The row of a name, made when there is none. At [`MAX_ROWS`], which only many reloads with new names reach,
    /// further names share the row `other`.
    pub(crate) fn row(&mut self, name: &str, stage: Stage) -> usize {
        let same = |row: &RuleCount| &*row.name == name && row.stage == stage;
        if let Some(found) = self.rules.iter().position(same) {
            return found;
        }
        let is_full = self.rules.len() >= MAX_ROWS;
        if is_full && name != OTHER {
            return self.row(OTHER, Stage::Outcome);
        }
        self.rules.push(RuleCount {
            name: name.into(),
            stage,
            matched: 0,
            kept: 0,
            dropped: 0,
            dropped_bytes: 0,
        });
        self.rules.len().wrapping_sub(1)
    }

    /// What the rules in shadow mode would do.
    pub fn shadows(&self) -> &[ShadowCount] {
        &self.shadows
    }

    /// The position of a shadow rule's numbers, as [`Counters::row`].
    pub(crate) fn shadow(&mut self, name: &str) -> usize {
        if let Some(found) = self.shadows.iter().position(|row| &*row.name == name) {
            return found;
        }
        if self.shadows.len() >= MAX_ROWS && name != OTHER {
            return self.shadow(OTHER);
        }
        self.shadows.push(ShadowCount { name: name.into(), matched: 0, dropped: 0, dropped_bytes: 0 });
        self.shadows.len().wrapping_sub(1)
    }

    /// Counts what a shadow rule would do.
    pub(crate) fn decide_in_shadow(&mut self, shadow: usize, dropped_bytes: Option<usize>) {
        let Some(row) = self.shadows.get_mut(shadow) else { return };
        row.matched = row.matched.wrapping_add(1);
        if let Some(bytes) = dropped_bytes {
            row.dropped = row.dropped.wrapping_add(1);
            row.dropped_bytes = row.dropped_bytes.wrapping_add(bytes as u64);
        }
    }

    /// Counts a decision in its row.
    pub(crate) fn decide(&mut self, row: usize, dropped_bytes: Option<usize>) {
        let Some(row) = self.rules.get_mut(row) else { return };
        row.matched = row.matched.wrapping_add(1);
        match dropped_bytes {
            Some(bytes) => {
                row.dropped = row.dropped.wrapping_add(1);
                row.dropped_bytes = row.dropped_bytes.wrapping_add(bytes as u64);
            }
            None => row.kept = row.kept.wrapping_add(1),
        }
    }

    /// All numbers in Prometheus' text format. Names of rules need no escapes.
    pub fn render(&self, version: &str) -> String {
        let mut out = String::with_capacity(8192);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# HELP nodesieve_info the version that runs\n# TYPE nodesieve_info gauge");
        let _ = writeln!(out, "nodesieve_info{{version=\"{version}\"}} 1");
        for (metric, name, kind, unit, meaning) in TABLE {
            let kind = if kind == Kind::Counter { "counter" } else { "gauge" };
            let _ = writeln!(
                out,
                "# HELP {name} {unit} {meaning}\n# TYPE {name} {kind}\n{name} {}",
                self.get(metric)
            );
        }
        for (index, (name, unit, meaning)) in RULE_TABLE.into_iter().enumerate() {
            let _ = writeln!(out, "# HELP {name} {unit} {meaning}\n# TYPE {name} counter");
            for row in &self.rules {
                let value = match index {
                    0 => row.matched,
                    1 => row.kept,
                    2 => row.dropped,
                    _ => row.dropped_bytes,
                };
                let _ =
                    writeln!(out, "{name}{{rule=\"{}\",stage=\"{}\"}} {value}", row.name, row.stage.name());
            }
        }
        for (index, (name, unit, meaning)) in SHADOW_TABLE.into_iter().enumerate() {
            if self.shadows.is_empty() {
                break;
            }
            let _ = writeln!(out, "# HELP {name} {unit} {meaning}\n# TYPE {name} counter");
            for row in &self.shadows {
                let value =
                    [row.matched, row.dropped, row.dropped_bytes].get(index).copied().unwrap_or_default();
                let _ = writeln!(out, "{name}{{rule=\"{}\"}} {value}", row.name);
            }
        }
        out
    }
}

const OTHER: &str = "other";
/// Most rows of rules that are kept, retired ones included.
const MAX_ROWS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum_and_names_are_distinct() {
        for (index, (metric, ..)) in TABLE.iter().enumerate() {
            assert_eq!(*metric as usize, index);
        }
        let mut names: Vec<&str> = TABLE.iter().map(|row| row.1).chain(RULE_TABLE.map(|row| row.0)).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len() + RULE_TABLE.len());
        for (_, name, kind, ..) in TABLE {
            assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
        }
    }

    #[test]
    fn renders_what_prometheus_reads() {
        let mut counters = Counters::default();
        counters.add(Metric::Seen, 3);
        let row = counters.row("probes", Stage::Rule);
        counters.decide(row, Some(100));
        counters.decide(row, None);
        let text = counters.render("0.1.0");
        assert!(
            text.contains("# TYPE nodesieve_records_seen_total counter\nnodesieve_records_seen_total 3\n")
        );
        assert!(text.contains("nodesieve_rule_matched_total{rule=\"probes\",stage=\"rule\"} 2\n"));
        assert!(text.contains("nodesieve_rule_dropped_bytes_total{rule=\"probes\",stage=\"rule\"} 100\n"));
    }

    #[test]
    fn rows_are_bounded_and_lose_nothing() {
        let mut counters = Counters::default();
        for n in 0..2000 {
            let row = counters.row(&format!("r{n}"), Stage::Rule);
            counters.decide(row, None);
        }
        assert_eq!(counters.rules().len(), MAX_ROWS + 1);
        assert_eq!(counters.rules().iter().map(|row| row.matched).sum::<u64>(), 2000);
    }
}
