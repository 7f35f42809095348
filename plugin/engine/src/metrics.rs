//! What the filter counts. One table has every number's name, unit and meaning; the README repeats it and a test
//! holds the two equal.
//!
//! The rule kept here: seen = kept + dropped (of which some may still come back), and the rows of all guards, rules and outcomes without a rule add up to
//! seen. A record is counted once, in the row of what decided it; the totals are sums of rows, so they cannot differ. What a row has dropped and what of that is unreported stand
//! side by side.

mod table;

pub use table::{
    FRAGMENT_TABLE, Metric, MetricKind, MetricRow, REDACT_TABLE, RULE_TABLE, SHADOW_TABLE, TABLE,
};

use crate::unreported::{Account, Unreported};
use std::fmt::Write as _;
use table::COUNT;

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

/// What one guard, rule or outcome decided, and what of it is not reported yet.
#[derive(Clone, Debug)]
pub struct RuleCount {
    /// Its name.
    pub name: Box<str>,
    /// What it is.
    pub stage: Stage,
    /// Records kept.
    pub kept: u64,
    /// Bytes of these as they came.
    pub(crate) kept_bytes: u64,
    /// Bytes of these as they went.
    pub(crate) written_bytes: u64,
    /// Records dropped.
    pub dropped: u64,
    /// Bytes of these.
    pub dropped_bytes: u64,
    /// Of these, those that may still come back.
    pub(crate) held: Unreported,
    /// Dropped at first, and kept then.
    pub recalled: u64,
    /// The dropped that neither a later record's count nor a summary has reported, those on keys apart.
    pub(crate) unreported: Account,
}

/// The row of one guard, rule or outcome among the counters. It stays the same for as long as they live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowId(usize);

impl RowId {
    /// Its place among all rows.
    pub(crate) fn index(self) -> usize {
        self.0
    }

    /// The row of a place, which is one that [`RowId::index`] has given for the same rows.
    pub(crate) fn at(index: usize) -> RowId {
        RowId(index)
    }
}

/// The row of one rule in shadow mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShadowId(usize);

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
    /// What has a row that is not there: never, and counted all the same.
    rowless: RuleCount,
}

impl Default for Counters {
    fn default() -> Counters {
        let rowless = RuleCount::new(OTHER, Stage::Outcome);
        Counters { values: [0; COUNT], rules: Vec::new(), shadows: Vec::new(), rowless }
    }
}

impl RuleCount {
    fn new(name: &str, stage: Stage) -> RuleCount {
        RuleCount {
            name: name.into(),
            stage,
            kept: 0,
            kept_bytes: 0,
            written_bytes: 0,
            dropped: 0,
            dropped_bytes: 0,
            held: Unreported::default(),
            recalled: 0,
            unreported: Account::default(),
        }
    }

    /// Records decided.
    pub fn matched(&self) -> u64 {
        self.kept.wrapping_add(self.dropped)
    }

    /// Counts a record that is kept: its bytes as it came, and as it went.
    #[inline]
    pub(crate) fn keep(&mut self, bytes: u64, written: u64) {
        self.kept = self.kept.wrapping_add(1);
        self.kept_bytes = self.kept_bytes.wrapping_add(bytes);
        self.written_bytes = self.written_bytes.wrapping_add(written);
    }

    /// Counts a record that is dropped.
    #[inline]
    pub(crate) fn drop(&mut self, bytes: u64) {
        self.dropped = self.dropped.wrapping_add(1);
        self.dropped_bytes = self.dropped_bytes.wrapping_add(bytes);
    }
}

impl RuleCount {
    /// Records dropped that cannot come back.
    pub fn dropped_for_good(&self) -> u64 {
        self.dropped.saturating_sub(self.held.records)
    }

    /// A record that was dropped may still come back.
    pub(crate) fn hold(&mut self, bytes: u64) {
        self.held.add(Unreported { records: 1, bytes });
    }

    /// It cannot any more.
    pub(crate) fn let_go(&mut self, bytes: u64) {
        self.held.remove(Unreported { records: 1, bytes });
    }

    /// It does: it is kept, and nobody has been told that it was not.
    pub(crate) fn recall(&mut self, bytes: u64) {
        let one = Unreported { records: 1, bytes };
        self.held.remove(one);
        self.unreported.take_back(one);
        self.dropped = self.dropped.saturating_sub(1);
        self.dropped_bytes = self.dropped_bytes.saturating_sub(bytes);
        self.recalled = self.recalled.wrapping_add(1);
        self.kept = self.kept.wrapping_add(1);
        self.kept_bytes = self.kept_bytes.wrapping_add(bytes);
    }
}

impl Counters {
    /// The value of a number as it is shown: what may still come back is not dropped yet, so that no number goes back.
    pub fn shown(&self, metric: Metric) -> u64 {
        match metric {
            Metric::Dropped | Metric::Unreported => self.get(metric).saturating_sub(self.get(Metric::Held)),
            _ => self.get(metric),
        }
    }

    /// The value of a number.
    pub fn get(&self, metric: Metric) -> u64 {
        let sum = |of: fn(&RuleCount) -> u64| {
            self.rules.iter().chain([&self.rowless]).fold(0u64, |sum, row| sum.wrapping_add(of(row)))
        };
        match metric {
            Metric::Seen => sum(RuleCount::matched),
            Metric::Kept => sum(|row| row.kept),
            Metric::Dropped => sum(|row| row.dropped),
            Metric::BytesIn => sum(|row| row.kept_bytes.wrapping_add(row.dropped_bytes)),
            Metric::BytesOut => sum(|row| row.written_bytes),
            Metric::Recalled => sum(|row| row.recalled),
            Metric::Held => sum(|row| row.held.records),
            _ => self.values.get(metric as usize).copied().unwrap_or_default(),
        }
    }

    /// Adds to a number; the totals of records and bytes are sums of rows, and nothing can be added to them.
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

    /// The rows that have decided something or can: a rule in shadow mode decides nothing, it has numbers of its own.
    pub fn decided(&self) -> impl Iterator<Item = &RuleCount> {
        let is_shadow = |row: &RuleCount| self.shadows.iter().any(|shadow| shadow.name == row.name);
        self.rules.iter().filter(move |row| row.matched() > 0 || !is_shadow(row))
    }

    /// The row of a name, made when there is none. At [`MAX_ROWS`], which only many reloads with new names reach,
    /// further names share the row `other`.
    pub(crate) fn row_of(&mut self, name: &str, stage: Stage) -> RowId {
        let same = |row: &RuleCount| &*row.name == name && row.stage == stage;
        if let Some(found) = self.rules.iter().position(same) {
            return RowId(found);
        }
        let is_full = self.rules.len() >= MAX_ROWS;
        if is_full && name != OTHER {
            return self.row_of(OTHER, Stage::Outcome);
        }
        self.rules.push(RuleCount::new(name, stage));
        RowId(self.rules.len().wrapping_sub(1))
    }

    /// A row.
    #[inline]
    pub(crate) fn row(&mut self, row: RowId) -> &mut RuleCount {
        self.rules.get_mut(row.0).unwrap_or(&mut self.rowless)
    }

    /// All rows from this one on, and then those before it.
    pub(crate) fn rows_from(&self, start: Option<RowId>) -> impl Iterator<Item = RowId> + use<> {
        let start = start.map_or(0, |row| row.0).min(self.rules.len());
        (start..self.rules.len()).chain(0..start).map(RowId)
    }

    /// What the rules in shadow mode would do.
    pub fn shadows(&self) -> &[ShadowCount] {
        &self.shadows
    }

    /// The row of a shadow rule, as [`Counters::row_of`].
    pub(crate) fn shadow_of(&mut self, name: &str) -> ShadowId {
        if let Some(found) = self.shadows.iter().position(|row| &*row.name == name) {
            return ShadowId(found);
        }
        if self.shadows.len() >= MAX_ROWS && name != OTHER {
            return self.shadow_of(OTHER);
        }
        self.shadows.push(ShadowCount { name: name.into(), matched: 0, dropped: 0, dropped_bytes: 0 });
        ShadowId(self.shadows.len().wrapping_sub(1))
    }

    /// Counts what a shadow rule would do.
    pub(crate) fn decide_in_shadow(&mut self, shadow: ShadowId, dropped_bytes: Option<u64>) {
        let Some(row) = self.shadows.get_mut(shadow.0) else { return };
        row.matched = row.matched.wrapping_add(1);
        if let Some(bytes) = dropped_bytes {
            row.dropped = row.dropped.wrapping_add(1);
            row.dropped_bytes = row.dropped_bytes.wrapping_add(bytes);
        }
    }

    /// All numbers in Prometheus' text format. Names of rules need no escapes.
    pub fn render(&self, version: &str) -> String {
        let mut out = String::with_capacity(8192);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# HELP nodesieve_info the version that runs\n# TYPE nodesieve_info gauge");
        let _ = writeln!(out, "nodesieve_info{{version=\"{version}\"}} 1");
        for (metric, name, kind, unit, meaning) in TABLE {
            let kind = if kind == MetricKind::Counter { "counter" } else { "gauge" };
            let _ = writeln!(
                out,
                "# HELP {name} {unit} {meaning}\n# TYPE {name} {kind}\n{name} {}",
                self.shown(metric)
            );
        }
        for (index, (name, unit, meaning)) in RULE_TABLE.into_iter().enumerate() {
            let _ = writeln!(out, "# HELP {name} {unit} {meaning}\n# TYPE {name} counter");
            for row in self.decided() {
                let value = match index {
                    0 => row.matched(),
                    1 => row.kept,
                    2 => row.dropped_for_good(),
                    _ => row.dropped_bytes.saturating_sub(row.held.bytes),
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
const MAX_ROWS: usize = 4096;

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
            assert_eq!(name.ends_with("_total"), kind == MetricKind::Counter, "{name}");
        }
    }

    #[test]
    fn renders_what_prometheus_reads() {
        let mut counters = Counters::default();
        let row = counters.row_of("probes", Stage::Rule);
        counters.row(row).drop(100);
        counters.row(row).keep(120, 140);
        let text = counters.render("0.1.0");
        assert!(
            text.contains("# TYPE nodesieve_records_seen_total counter\nnodesieve_records_seen_total 2\n")
        );
        assert!(text.contains("nodesieve_rule_matched_total{rule=\"probes\",stage=\"rule\"} 2\n"));
        assert!(text.contains("nodesieve_rule_dropped_bytes_total{rule=\"probes\",stage=\"rule\"} 100\n"));
    }

    #[test]
    fn rows_are_bounded_and_lose_nothing() {
        let mut counters = Counters::default();
        for n in 0..5000 {
            let row = counters.row_of(&format!("r{n}"), Stage::Rule);
            counters.row(row).keep(1, 1);
        }
        assert_eq!(counters.rules().len(), MAX_ROWS + 1);
        assert_eq!(counters.rules().iter().map(RuleCount::matched).sum::<u64>(), 5000);
    }
}
