//! Two releases side by side: the metrics of their nodes, compared per thousand records.
//!
//! It exists because a canary sees other lines than the rest, so that numbers as they are say nothing. The rule it keeps: only
//! numbers of the filter itself count, a node's rows are added up to what its records come to, and what is not in both is told.
//!
//! - [`NodeMetrics::read`]: texts of `/metrics`, of one node or several behind one another.
//! - [`Canary::between`]: every share that differs by more than is allowed, and every fault that only the new release has.

use crate::table::{Align, Table, grouped};
use nodesieve_sidecar::exposition;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use thiserror::Error;

/// Why a text is not compared.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CanaryError {
    /// It has none of the filter's numbers.
    #[error("read metrics: no nodesieve_records_seen_total, as the sidecar serves it under /metrics")]
    NoFilter,
    /// Nothing has happened yet.
    #[error("read metrics: no record was seen yet")]
    NothingSeen,
}

/// The filter's numbers of one release, summed over the nodes that were asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeMetrics {
    /// How many nodes were asked.
    nodes: u64,
    seen: f64,
    /// Of each series, by its name and labels as written.
    values: BTreeMap<String, f64>,
}

/// What is compared, per thousand records seen, and what it is called.
const SHARES: [(&str, &str); 5] = [
    ("nodesieve_records_kept_total", "records kept"),
    ("nodesieve_records_dropped_total", "records dropped"),
    ("nodesieve_bytes_out_total", "bytes out"),
    ("nodesieve_records_metadata_missing_total", "without metadata"),
    ("nodesieve_records_late_total", "late"),
];
/// Numbers that are 0 where all is well.
const FAULTS: [&str; 12] = [
    "nodesieve_fault_null_total",
    "nodesieve_fault_record_total",
    "nodesieve_fault_size_total",
    "nodesieve_fault_unfinished_total",
    "nodesieve_metrics_write_failed_total",
    "nodesieve_reloads_refused_total",
    "nodesieve_state_failed_total",
    "nodesieve_last_good_rules",
    "nodesieve_state_shared",
    "nodesieve_recoveries",
    "nodesieve_pass_through",
    "nodesieve_pod_refused_total",
];

impl NodeMetrics {
    /// The numbers in a text; what several nodes have served may stand behind one another in it.
    ///
    /// # Errors
    /// [`CanaryError`].
    pub fn read(text: &str) -> Result<NodeMetrics, CanaryError> {
        let mut read = NodeMetrics::default();
        for sample in exposition::samples(text).filter(|sample| sample.name.starts_with("nodesieve_")) {
            if sample.name == "nodesieve_records_seen_total" {
                read.nodes = read.nodes.saturating_add(1);
                read.seen += sample.value;
            }
            if sample.value.is_finite() {
                *read.values.entry(sample.series.to_owned()).or_default() += sample.value;
            }
        }
        match (read.nodes, read.seen) {
            (0, _) => Err(CanaryError::NoFilter),
            (_, seen) if seen > 0.0 => Ok(read),
            _ => Err(CanaryError::NothingSeen),
        }
    }

    fn get(&self, series: &str) -> f64 {
        self.values.get(series).copied().unwrap_or_default()
    }

    fn per_thousand(&self, series: &str) -> f64 {
        self.get(series) * 1000.0 / self.seen
    }
}

/// How two releases differ.
#[derive(Clone, Debug, Serialize)]
pub struct Canary {
    /// Whether something differs by more than is allowed.
    pub differs: bool,
    /// Records seen by the nodes of each.
    pub seen: [f64; 2],
    /// Nodes of each.
    pub nodes: [u64; 2],
    /// Each number, per thousand records seen; of a rule the records that it dropped and kept.
    pub rows: Vec<CanaryRow>,
    /// Numbers that are 0 where all is well and are not so with the new release only.
    pub faults: Vec<CanaryFault>,
}

/// One number of both.
#[derive(Clone, Debug, Serialize)]
pub struct CanaryRow {
    /// What it is.
    pub name: String,
    /// Per thousand records of the old release.
    pub old: f64,
    /// Of the new one.
    pub new: f64,
    /// Whether they are further apart than is allowed.
    pub differs: bool,
}

/// A fault of the new release.
#[derive(Clone, Debug, Serialize)]
pub struct CanaryFault {
    /// The metric.
    pub metric: String,
    /// Its value, summed over the nodes.
    pub value: f64,
}

impl Canary {
    /// Compares; `tolerance` is how far apart the shares may be, in percent of the larger one. Less than one record in a thousand is
    /// never a difference.
    pub fn between(old: &NodeMetrics, new: &NodeMetrics, tolerance: f64) -> Canary {
        let row = |name: &str, series: &str| {
            let (old, new) = (old.per_thousand(series), new.per_thousand(series));
            let apart = (old - new).abs();
            let differs = apart >= 1.0 && apart * 100.0 > tolerance * old.max(new);
            CanaryRow { name: name.to_owned(), old, new, differs }
        };
        let mut rows: Vec<CanaryRow> = SHARES.iter().map(|(series, name)| row(name, series)).collect();
        let rules = |side: &NodeMetrics| -> Vec<String> {
            let prefix = "nodesieve_rule_matched_total";
            side.values.keys().filter_map(|series| series.strip_prefix(prefix)).map(str::to_owned).collect()
        };
        let mut labels = rules(old);
        labels.extend(rules(new).into_iter().filter(|rule| old.get_rule(rule).is_none()));
        for label in labels {
            let name =
                label.trim_matches(['{', '}']).replace("rule=", "").replace(",stage=", " ").replace('"', "");
            for (number, word) in [("kept", "kept"), ("dropped", "dropped")] {
                let found = row(&format!("{name}: {word}"), &format!("nodesieve_rule_{number}_total{label}"));
                if found.old > 0.0 || found.new > 0.0 {
                    rows.push(found);
                }
            }
        }
        let faults = FAULTS
            .iter()
            .filter(|metric| new.get(metric) > 0.0 && old.get(metric) == 0.0)
            .map(|metric| CanaryFault { metric: (*metric).to_owned(), value: new.get(metric) })
            .chain(new.not_in_force())
            .collect::<Vec<CanaryFault>>();
        let differs = !faults.is_empty() || rows.iter().any(|row| row.differs);
        Canary { differs, seen: [old.seen, new.seen], nodes: [old.nodes, new.nodes], rows, faults }
    }
}

impl NodeMetrics {
    fn get_rule(&self, label: &str) -> Option<f64> {
        self.values.get(&format!("nodesieve_rule_matched_total{label}")).copied()
    }

    /// Nodes whose rule file is not in force.
    fn not_in_force(&self) -> Option<CanaryFault> {
        let value = self.nodes as f64 - self.get("nodesieve_config_valid");
        (value > 0.0).then(|| CanaryFault { metric: "nodesieve_config_valid at 0".to_owned(), value })
    }
}

impl fmt::Display for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [old, new] = self.seen.map(|seen| grouped(seen as u64));
        let [old_nodes, new_nodes] = self.nodes;
        writeln!(
            f,
            "per 1,000 records seen: {old} by {old_nodes} of the old, {new} by {new_nodes} of the new\n"
        )?;
        let number = |name| (name, Align::Right);
        let mut table = Table::new(&[("", Align::Left), number("old"), number("new"), ("", Align::Left)]);
        for row in &self.rows {
            let mark = if row.differs { "differs" } else { "" };
            table.row(vec![
                row.name.clone(),
                format!("{:.1}", row.old),
                format!("{:.1}", row.new),
                mark.to_owned(),
            ]);
        }
        write!(f, "{table}")?;
        for fault in &self.faults {
            writeln!(f, "with the new one only: {} is {}", fault.metric, fault.value)?;
        }
        let same = if self.differs { "they differ" } else { "no difference beyond what is allowed" };
        writeln!(f, "\n{same}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(seen: u64, dropped: u64, more: &str) -> NodeMetrics {
        let kept = seen - dropped;
        NodeMetrics::read(&format!(
            "# HELP x y\nnodesieve_records_seen_total {seen}\nnodesieve_records_kept_total {kept}\n\
             nodesieve_records_dropped_total {dropped}\nnodesieve_config_valid 1\n\
             nodesieve_rule_matched_total{{rule=\"probes\",stage=\"rule\"}} {dropped}\n\
             nodesieve_rule_dropped_total{{rule=\"probes\",stage=\"rule\"}} {dropped}\n{more}"
        ))
        .unwrap()
    }

    fn differing(canary: &Canary) -> Vec<&str> {
        canary.rows.iter().filter(|row| row.differs).map(|row| row.name.as_str()).collect()
    }

    #[test]
    fn shares_are_compared_and_not_numbers() {
        let canary = Canary::between(&metrics(1_000_000, 300_000, ""), &metrics(2_000, 610, ""), 20.0);
        assert!(!canary.differs, "{canary}");
        let canary = Canary::between(&metrics(1_000_000, 300_000, ""), &metrics(2_000, 1_200, ""), 20.0);
        assert!(canary.differs, "{canary}");
        assert_eq!(differing(&canary), ["records kept", "records dropped", "probes rule: dropped"]);
        assert!(canary.to_string().contains("probes rule: dropped  300.0  600.0  differs\n"), "{canary}");
    }

    #[test]
    fn less_than_one_in_a_thousand_is_no_difference() {
        let canary = Canary::between(&metrics(100_000, 10, ""), &metrics(100_000, 90, ""), 20.0);
        assert!(!canary.differs, "{canary}");
    }

    #[test]
    fn a_rule_that_only_one_has_is_told() {
        let more = "nodesieve_rule_matched_total{rule=\"dns\",stage=\"rule\"} 50\n\
                    nodesieve_rule_kept_total{rule=\"dns\",stage=\"rule\"} 50\n";
        let canary = Canary::between(&metrics(1000, 100, ""), &metrics(1000, 100, more), 20.0);
        assert_eq!(differing(&canary), ["dns rule: kept"]);
    }

    #[test]
    fn a_fault_of_the_new_one_is_a_difference_whatever_its_share() {
        let fault = "nodesieve_reloads_refused_total 1\n";
        let canary = Canary::between(&metrics(1000, 1, ""), &metrics(1000, 1, fault), 20.0);
        assert!(
            canary.differs && canary.to_string().contains("nodesieve_reloads_refused_total is 1"),
            "{canary}"
        );
        let both = Canary::between(&metrics(1000, 1, fault), &metrics(1000, 1, fault), 20.0);
        assert!(!both.differs, "what both have is no news");
    }

    #[test]
    fn nodes_behind_one_another_are_summed() {
        let two = "nodesieve_records_seen_total 10\nnodesieve_config_valid 1\nnodesieve_records_seen_total 30\n\
                   nodesieve_config_valid 0\n";
        let two = NodeMetrics::read(two).unwrap();
        assert_eq!((two.nodes, two.seen), (2, 40.0));
        let canary = Canary::between(&two, &two, 20.0);
        assert_eq!(canary.faults[0].metric, "nodesieve_config_valid at 0");
    }

    #[test]
    fn a_text_without_the_filter_is_refused() {
        assert_eq!(NodeMetrics::read("nodesieve_sidecar_pods 3\n"), Err(CanaryError::NoFilter));
        assert_eq!(NodeMetrics::read("nodesieve_records_seen_total 0\n"), Err(CanaryError::NothingSeen));
    }
}
