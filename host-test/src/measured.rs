//! What a replay has measured: the series of measures, volume, redaction, lifts and fragments in the filter's metrics, as they stand there.
//!
//! The rule kept here: nothing is computed. What is shown is what a scrape of the node would have.

use crate::table::{Align, Table};
use nodesieve_engine::measure::VOLUME_TABLE;
use nodesieve_engine::metrics::TABLE;
use nodesieve_sidecar::exposition::{MetricSample, samples};
use serde::Serialize;

/// One number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeasuredSeries {
    /// Metric and labels as in the metrics file.
    pub series: String,
    /// Its value.
    pub value: f64,
}

/// All series of measures and volume.
pub fn series(metrics: &str) -> Vec<MeasuredSeries> {
    let is_ours = |sample: &MetricSample<'_>| {
        let is_own = TABLE.iter().any(|(_, name, ..)| *name == sample.name);
        let is_volume = VOLUME_TABLE.iter().any(|(name, ..)| *name == sample.name);
        let is_other = FURTHER.contains(&sample.name) && sample.value > 0.0;
        is_volume || is_other || sample.name.starts_with("nodesieve_measure_") && !is_own
    };
    samples(metrics)
        .filter(is_ours)
        .map(|sample| MeasuredSeries { series: sample.series.to_owned(), value: sample.value })
        .collect()
}

/// Those for people: of histograms without their buckets, and so many at most.
fn for_people(series: &[MeasuredSeries]) -> (Vec<&MeasuredSeries>, usize) {
    let shown: Vec<&MeasuredSeries> =
        series.iter().filter(|one| !one.series.contains("_bucket{")).take(MOST).collect();
    let left = series.iter().filter(|one| !one.series.contains("_bucket{")).count() - shown.len();
    (shown, left)
}

/// The table of a report; empty without any.
pub fn table(metrics: &str) -> String {
    let series = series(metrics);
    let (shown, left) = for_people(&series);
    if shown.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[("measured", Align::Left), ("", Align::Right)]);
    for one in shown {
        table.row(vec![one.series.clone(), one.value.to_string()]);
    }
    let more =
        if left > 0 { format!("and {left} more, in the metrics file and in JSON\n") } else { String::new() };
    format!("{table}{more}\n")
}

/// What else is of interest where there is any.
const FURTHER: [&str; 6] = [
    "nodesieve_redacted_total",
    "nodesieve_records_redacted_total",
    "nodesieve_records_lifted_total",
    "nodesieve_records_recalled_total",
    "nodesieve_fragment_rules",
    "nodesieve_fragment_valid",
];
/// Most lines of a report.
const MOST: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_and_volume_are_shown_and_the_filters_own_numbers_are_not() {
        let metrics = "# TYPE x counter\nnodesieve_records_seen_total 3\nnodesieve_measure_series 2\nnodesieve_measure_other_total 0\n\
            nodesieve_measure_requests_total{status=\"2xx\"} 2\nnodesieve_measure_took_ms_bucket{le=\"1\"} 1\nnodesieve_measure_took_ms_sum 5.5\n\
            nodesieve_volume_records_total{namespace=\"a\",outcome=\"kept\"} 1\n";
        let names: Vec<String> = series(metrics).into_iter().map(|one| one.series).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        let text = table(metrics);
        let line = text.lines().find(|line| line.starts_with("nodesieve_measure_took_ms_sum ")).unwrap();
        assert!(line.ends_with(" 5.5"), "{text}");
        assert!(!text.contains("bucket"), "{text}");
        assert_eq!(table("nodesieve_measure_series 0\n"), "");
    }
}
