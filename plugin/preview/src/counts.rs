//! The filter's own counts: from the engine in this program, or read from the metrics that a compiled filter has written.

use nodesieve_engine::metrics::{Counters, Metric, Stage, TABLE};
use serde::Serialize;

/// The numbers of one filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FilterCounts {
    /// In the order of [`TABLE`].
    numbers: Vec<u64>,
    rules: Vec<RuleLine>,
    shadows: Vec<RuleLine>,
}

/// What one guard, rule or outcome decided.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RuleLine {
    /// Its name.
    pub name: String,
    /// `guard`, `rule` or `outcome`.
    pub stage: String,
    /// Records decided.
    pub matched: u64,
    /// Of these, kept.
    pub kept: u64,
    /// Of these, dropped.
    pub dropped: u64,
    /// Bytes of the dropped.
    pub dropped_bytes: u64,
}

impl FilterCounts {
    /// Nothing but rows: those of guards, rules and outcomes, and those of rules in shadow mode. They are put into the order in
    /// which a record meets them.
    pub fn new(mut rules: Vec<RuleLine>, shadows: Vec<RuleLine>) -> FilterCounts {
        let stages = [Stage::Guard, Stage::Rule, Stage::Outcome];
        rules.sort_by_key(|line| stages.iter().position(|stage| stage.name() == line.stage));
        FilterCounts { numbers: vec![0; TABLE.len()], rules, shadows }
    }

    /// A number.
    pub fn get(&self, metric: Metric) -> u64 {
        self.numbers.get(metric as usize).copied().unwrap_or_default()
    }

    /// Sets a number.
    pub fn set(&mut self, metric: Metric, value: u64) {
        if let Some(number) = self.numbers.get_mut(metric as usize) {
            *number = value;
        }
    }

    /// All that could not be read or handed over.
    pub fn faults(&self) -> u64 {
        let is_fault = |name: &str| name.starts_with("nodesieve_fault_");
        let faults =
            TABLE.iter().filter(|(_, name, ..)| is_fault(name)).map(|(metric, ..)| self.get(*metric));
        faults.fold(0, u64::saturating_add)
    }

    /// What guards, rules and outcomes decided.
    pub fn rules(&self) -> &[RuleLine] {
        &self.rules
    }

    /// What rules in shadow mode would do.
    pub fn shadows(&self) -> &[RuleLine] {
        &self.shadows
    }
}

impl From<&Counters> for FilterCounts {
    fn from(counters: &Counters) -> FilterCounts {
        let rules = counters.decided().map(|row| RuleLine {
            name: row.name.to_string(),
            stage: row.stage.name().into(),
            matched: row.matched(),
            kept: row.kept,
            dropped: row.dropped_for_good(),
            dropped_bytes: row.dropped_bytes,
        });
        let shadows = counters.shadows().iter().map(|row| RuleLine {
            name: row.name.to_string(),
            stage: "shadow".into(),
            matched: row.matched,
            kept: 0,
            dropped: row.dropped,
            dropped_bytes: row.dropped_bytes,
        });
        let mut counts = FilterCounts::new(rules.collect(), shadows.collect());
        for (metric, ..) in TABLE {
            counts.set(metric, counters.shown(metric));
        }
        counts
    }
}
