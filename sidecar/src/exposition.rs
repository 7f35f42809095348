//! A reader of Prometheus' text format: the sidecar checks the filter's metrics with it before it serves them, and the
//! harness reads metrics of both.
//!
//! Source: the exposition formats' specification, version 0.0.4. Time stamps behind a value are not read: nobody here writes
//! any.

use nodesieve_engine::measure::EXEMPLAR;
use std::collections::HashMap;

/// One sample, as it stands in its line.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSample<'t> {
    /// Name and labels as written: `nodesieve_rule_kept_total{rule="probes",stage="rule"}`.
    pub series: &'t str,
    /// The name of the metric.
    pub name: &'t str,
    /// Each label with its value, escapes as written.
    pub labels: Vec<(&'t str, &'t str)>,
    /// The number.
    pub value: f64,
}

impl<'t> MetricSample<'t> {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&'t str> {
        self.labels.iter().find(|(label, _)| *label == name).map(|(_, value)| *value)
    }
}

/// A line is neither a sample nor a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotExposition;

/// The samples of a text; lines that are none are passed over.
pub fn samples(text: &str) -> impl Iterator<Item = MetricSample<'_>> {
    text.lines().filter_map(|text| line(text).ok().flatten())
}

/// The value of a series, named as in the text.
pub fn value(text: &str, series: &str) -> Option<f64> {
    samples(text).find(|sample| sample.series == series).map(|sample| sample.value)
}

/// One line: a sample, or nothing for a comment or an empty one.
///
/// # Errors
/// [`NotExposition`] for anything else, such as `a{b=c} 1`.
pub fn line(line: &str) -> Result<Option<MetricSample<'_>>, NotExposition> {
    if line.is_empty() || line.starts_with("# ") {
        return Ok(None);
    }
    sample(line).map(Some).ok_or(NotExposition)
}

fn sample(line: &str) -> Option<MetricSample<'_>> {
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').unwrap_or(line.len());
    let (name, rest) = line.split_at_checked(end)?;
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(labels) => labels_and_rest(labels)?,
        None => (Vec::new(), rest),
    };
    let series = line.get(..line.len().checked_sub(rest.len())?)?;
    let value = rest.strip_prefix(' ')?.parse().ok()?;
    let is_name = name.starts_with(|first: char| !first.is_ascii_digit());
    is_name.then_some(MetricSample { series, name, labels, value })
}

/// Reads `label="value",...}`, and says what comes after it.
fn labels_and_rest(mut rest: &str) -> Option<(Vec<(&str, &str)>, &str)> {
    let mut labels = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, value) = rest.split_once("=\"")?;
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let mut is_escaped = false;
        let end = value.find(|c| {
            let ends = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            ends
        })?;
        let (value, after) = value.split_at_checked(end)?;
        labels.push((name, value));
        let after = after.strip_prefix('"')?;
        rest = after.strip_prefix(',').unwrap_or(after);
        if !is_name || (rest.len() == after.len() && !rest.starts_with('}')) {
            return None;
        }
    }
}

/// The same as OpenMetrics 1.0, with the filter's exemplars on their samples; `None` where it has none, and the text format says as much.
///
/// Every name that ends in `_total` is a counter's, and no other is.
pub fn openmetrics(text: &str) -> Option<String> {
    let marked = text.lines().filter_map(|line| line.strip_prefix(EXEMPLAR));
    let exemplars: HashMap<&str, &str> = marked.filter_map(|line| line.split_once("} {")).collect();
    if exemplars.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(text.len().saturating_add(1024));
    for line in text.lines().filter(|line| !line.starts_with(EXEMPLAR)) {
        let comment = line.strip_prefix("# ").and_then(|comment| comment.split_once(' '));
        match comment.and_then(|(kind, rest)| Some((kind, rest.split_once(' ')?))) {
            Some((kind @ ("HELP" | "TYPE"), (name, rest))) => {
                let name = name.strip_suffix("_total").unwrap_or(name);
                let rest = if kind == "HELP" { rest.replace('"', "\\\"") } else { rest.to_owned() };
                out.push_str(&format!("# {kind} {name} {rest}\n"));
            }
            _ if line.starts_with('#') || line.is_empty() => {}
            _ => {
                out.push_str(line);
                let exemplar = line.rsplit_once("} ").and_then(|(series, _)| exemplars.get(series));
                if let Some(exemplar) = exemplar {
                    out.push_str(" # {");
                    out.push_str(exemplar);
                }
                out.push('\n');
            }
        }
    }
    out.push_str("# EOF\n");
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exemplar_goes_onto_its_sample() {
        let text = "# HELP a_total records \"x\"\n# TYPE a_total counter\na_total{b=\"c\"} 1\n# TYPE m histogram\n\
            m_bucket{le=\"1\"} 1\nm_bucket{le=\"+Inf\"} 2\nm_sum 9\nm_count 2\n# EXEMPLAR m_bucket{le=\"+Inf\"} {trace_id=\"af\"} 8.5 1795168800\n";
        let expected = "# HELP a records \\\"x\\\"\n# TYPE a counter\na_total{b=\"c\"} 1\n# TYPE m histogram\n\
            m_bucket{le=\"1\"} 1\nm_bucket{le=\"+Inf\"} 2 # {trace_id=\"af\"} 8.5 1795168800\nm_sum 9\nm_count 2\n# EOF\n";
        assert_eq!(openmetrics(text).as_deref(), Some(expected));
        assert_eq!(openmetrics("a_total 1\n"), None);
    }

    #[test]
    fn a_line_is_a_comment_or_a_sample() {
        let good = [
            "",
            "# HELP a b",
            "a 1",
            "a_total{rule=\"x\",stage=\"rule\"} 12",
            "a{b=\"c } \\\" d\\\\\"} 1e3",
            "a{} NaN",
        ];
        for text in good {
            assert!(line(text).is_ok(), "{text}");
        }
        let bad = [
            "a",
            "a ",
            "a b",
            "1a 1",
            " a 1",
            "a{b=c} 1",
            "a{b=\"c\" 1",
            "a{b=\"c\"x=\"d\"} 1",
            "a{b=\"c\"}1",
            "{} 1",
            "#x",
            "a{=\"c\"} 1",
        ];
        for text in bad {
            assert_eq!(line(text), Err(NotExposition), "{text}");
        }
    }

    #[test]
    fn a_series_is_found_by_its_whole_name_and_its_labels() {
        let text = "# HELP kept x\nseen_total 12\nkept{rule=\"a b\",stage=\"rule\"} 3\nkept_total 4\n";
        assert_eq!(value(text, "kept{rule=\"a b\",stage=\"rule\"}"), Some(3.0));
        assert_eq!(value(text, "kept"), None);
        assert_eq!(value(text, "seen"), None);
        let found = samples(text).find(|sample| sample.name == "kept").unwrap();
        assert_eq!(
            (found.label("rule"), found.label("stage"), found.label("x")),
            (Some("a b"), Some("rule"), None)
        );
    }
}
