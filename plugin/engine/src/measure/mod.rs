//! The section `measure`: numbers made of lines before rules decide, so that an access log can go and its rate, errors and latency
//! stay.
//!
//! The rule kept here: what is measured is bounded whatever lines say. A label's value has at most 64 bytes, a measure at
//! most `max_series` sets of values, and what comes beyond that is one set, `other`. A measure decides nothing: what becomes of a
//! record is the same with it and without.

mod labels;
mod series;
mod volume;

pub(crate) use labels::write_labels;
pub use series::EXEMPLAR;
pub(crate) use series::{LinesOf, Observed, SavedSeries, SeriesTable, Slot, push_escaped};
pub use volume::{VOLUME_TABLE, Volume};

use crate::condition::{Condition, When};
use crate::diag::Code;
use crate::hash::xxh3;
use crate::metrics::TABLE;
use crate::yaml::{Mistakes, Node, NodeKind, Quoting, Section, named};
use std::rc::Rc;

/// One measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Its name, unique among measures.
    pub name: Box<str>,
    /// Which records it is about; metadata that is missing meets nothing.
    pub when: When,
    /// What is made of them.
    pub what: Measured,
    /// By what they are told apart.
    pub by: Vec<Label>,
    /// Most sets of label values; beyond them all others are one.
    pub max_series: usize,
    /// A hash of all that it is as written: what saved numbers go by, since with other conditions, bounds or labels they would mean
    /// something else.
    pub signature: u64,
}

/// What a measure makes of its records.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// It counts them.
    Records,
    /// It counts a number in them by size.
    Values {
        /// Where the number is.
        of: ValueAt,
        /// What it counts, the end of the metric's name.
        unit: Option<Box<str>>,
        /// Upper bounds, rising.
        buckets: Box<[f64]>,
    },
}

/// A place in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueAt {
    /// `$.a.b`: in the line's JSON, else in the record.
    Path(Vec<Box<str>>),
    /// A name in the measure's own space-delimited pattern.
    Column(Box<str>),
}

/// One label.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Its name in the metrics file.
    pub name: Box<str>,
    /// What its value is.
    pub of: LabelOf,
}

/// What a label's value is.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelOf {
    /// The tag's namespace.
    Namespace,
    /// The tag's pod.
    Pod,
    /// The tag's container.
    Container,
    /// What owns the pod, while metadata is known.
    Workload,
    /// The record's stream.
    Stream,
    /// The line's severity.
    Severity,
    /// A value in the record; of a status code only its class (`2xx`) where that is wanted.
    Value(ValueAt, Shown),
}

/// How much of a value is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// As it is.
    Whole,
    /// `404` as `4xx`.
    Class,
}

impl Measure {
    /// The name of its metric: `nodesieve_measure_requests_total`, `nodesieve_measure_latency_ms`.
    pub fn metric(&self) -> String {
        let name = self.name.replace('-', "_");
        match &self.what {
            Measured::Records => format!("nodesieve_measure_{name}_total"),
            Measured::Values { unit: Some(unit), .. } => format!("nodesieve_measure_{name}_{unit}"),
            Measured::Values { unit: None, .. } => format!("nodesieve_measure_{name}"),
        }
    }

    /// Bounds of its buckets; none of a counter.
    pub(crate) fn buckets(&self) -> &[f64] {
        match &self.what {
            Measured::Records => &[],
            Measured::Values { buckets, .. } => buckets,
        }
    }

    /// What each of its sets of label values takes in the metrics file.
    pub(crate) fn lines(&self) -> LinesOf {
        let names =
            self.by.iter().fold(0usize, |sum, label| sum.saturating_add(label.name.len()).saturating_add(4));
        let count = match &self.what {
            Measured::Records => 1,
            Measured::Values { buckets, .. } => buckets.len().saturating_add(4),
        };
        LinesOf { count, around: self.metric().len().saturating_add(names).saturating_add(70) }
    }

    /// All names of metrics that it has.
    fn metrics(&self) -> Vec<String> {
        let metric = self.metric();
        match &self.what {
            Measured::Records => vec![metric],
            Measured::Values { .. } => {
                let parts = ["_bucket", "_sum", "_count"].map(|end| format!("{metric}{end}"));
                std::iter::once(metric).chain(parts).collect()
            }
        }
    }

    /// Whether what it counts under hangs on the tag alone, as far as a tag's container stays what it is.
    pub(crate) fn is_by_tag(&self) -> bool {
        self.by.iter().all(|label| match label.of {
            LabelOf::Namespace | LabelOf::Pod | LabelOf::Container | LabelOf::Workload => true,
            LabelOf::Stream | LabelOf::Severity | LabelOf::Value(..) => false,
        })
    }

    /// Whether one of its labels needs metadata.
    pub(crate) fn is_by_workload(&self) -> bool {
        self.by.iter().any(|label| label.of == LabelOf::Workload)
    }
}

/// The measures of a file.
pub(crate) fn measures(source: &str, node: Option<&Node>, mistakes: &mut Mistakes) -> Vec<Rc<Measure>> {
    let Some(node) = node else { return Vec::new() };
    let list = match &node.kind {
        NodeKind::List(list) => list,
        NodeKind::Scalar { text, quoting: Quoting::Plain } if text.is_empty() => return Vec::new(),
        _ => {
            mistakes.note(Code::WrongKind, &node.span, "measure must be a list");
            return Vec::new();
        }
    };
    if let Some(first) = list.get(MAX_MEASURES) {
        let span = first.span.start..first.span.start.saturating_add(1);
        let message = format!("{} measures are too many, at most {MAX_MEASURES}", list.len());
        mistakes.note(Code::TooLarge, &span, message);
    }
    let mut all: Vec<Rc<Measure>> = Vec::new();
    let mut series = 0usize;
    for node in list.iter().take(MAX_MEASURES) {
        let Some(measure) = measure(source, node, mistakes) else { continue };
        let span = node.span.start..node.span.start.saturating_add(1);
        let taken = |metric: &&String| {
            let is_own = TABLE.iter().any(|(_, name, ..)| *name == **metric);
            is_own || all.iter().any(|other| other.metrics().contains(metric))
        };
        if let Some(metric) = measure.metrics().iter().find(taken) {
            let message = format!("`{}` would be the metric {metric} once more", measure.name);
            mistakes.note_with_help(Code::DuplicateName, &span, message, "give it another `name` or `unit`");
        } else if all.iter().any(|other| other.name == measure.name) {
            let message = format!("`{}` is the name of an earlier measure", measure.name);
            mistakes.note(Code::DuplicateName, &span, message);
        }
        series = series.saturating_add(measure.max_series);
        if series > MAX_ALL_SERIES && series.saturating_sub(measure.max_series) <= MAX_ALL_SERIES {
            let message =
                format!("the measures up to here may have more than {MAX_ALL_SERIES} series in all");
            mistakes.note_with_help(Code::TooLarge, &span, message, "give some a smaller `max_series`");
        }
        all.push(Rc::new(measure));
    }
    all
}

fn measure(source: &str, node: &Node, mistakes: &mut Mistakes) -> Option<Measure> {
    let known = ["name", "when", "counter", "histogram", "by", "max_series"];
    let section = Section::open(node, "a measure", &known, mistakes)?;
    let help = "it becomes the metric: `name: requests` is nodesieve_measure_requests_total";
    let name = named(&section, "measure", help, mistakes);
    let when = section.get("when").map(|node| When::read(source, node, false, mistakes)).unwrap_or_default();
    let what = match (section.get("counter"), section.get("histogram")) {
        (Some(node), None) => Section::open(node, "counter", &[], mistakes).map(|_| Measured::Records),
        (None, Some(node)) => histogram(node, &when, mistakes),
        (first, _) => {
            let span = section.span.start..section.span.start.saturating_add(1);
            let message = match first {
                Some(_) => "a measure is a counter or a histogram, not both",
                None => "this measure has neither `counter` nor `histogram`",
            };
            let help = "write `counter: {}`, or `histogram: { of: $.duration_ms, unit: ms, buckets: [10, 100, 1000] }`";
            mistakes.note_with_help(Code::MissingKey, &span, message, help);
            None
        }
    };
    let by = section.get("by").map_or(Some(Vec::new()), |node| labels(node, &when, mistakes));
    let max_series = section
        .get("max_series")
        .map_or(Some(DEFAULT_SERIES), |node| mistakes.count(node, "max_series", 1..=MAX_SERIES));
    let mut written = Vec::new();
    write_out(node, &mut written);
    let (name, signature) = (name?.into(), xxh3(&written));
    Some(Measure { name, when, what: what?, by: by?, max_series: max_series?, signature })
}

/// What was written, whatever the blanks and quotes around it.
fn write_out(node: &Node, into: &mut Vec<u8>) {
    match &node.kind {
        NodeKind::Scalar { text, .. } => into.extend_from_slice(text.as_bytes()),
        NodeKind::List(list) => list.iter().for_each(|node| write_out(node, into)),
        NodeKind::Map(map) => map.iter().for_each(|(key, value)| {
            write_out(key, into);
            write_out(value, into);
        }),
    }
    into.push(0);
}

fn histogram(node: &Node, when: &When, mistakes: &mut Mistakes) -> Option<Measured> {
    let section = Section::open(node, "histogram", &["of", "unit", "buckets"], mistakes)?;
    let of = match section.get("of") {
        Some(node) => {
            let text = mistakes.text(node, "of")?;
            value_at(text, when, node, mistakes)
        }
        None => {
            let help = "`of: $.duration_ms` is a number in a JSON line; a name is one of the measure's own pattern [ip, ..., bytes]";
            mistakes.note_with_help(Code::MissingKey, &node.span, "this histogram has no `of`", help);
            None
        }
    };
    let unit = match section.get("unit") {
        None => Some(None),
        Some(node) => unit(node, mistakes).map(Some),
    };
    let buckets = match section.get("buckets") {
        None => Some(DEFAULT_BUCKETS.into()),
        Some(node) => buckets(node, mistakes),
    };
    Some(Measured::Values { of: of?, unit: unit?, buckets: buckets? })
}

fn unit(node: &Node, mistakes: &mut Mistakes) -> Option<Box<str>> {
    let text = mistakes.text(node, "unit")?;
    let is_plain = text.len() <= 16 && text.starts_with(|first: char| first.is_ascii_lowercase());
    let is_word = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if !is_plain || !is_word || ["total", "bucket", "sum", "count", "info"].contains(&text) {
        let message = format!("`{text}` cannot be the end of a metric's name");
        mistakes.note_with_help(
            Code::Value,
            &node.span,
            message,
            "write what the number counts: ms, seconds, bytes",
        );
        return None;
    }
    Some(text.into())
}

fn buckets(node: &Node, mistakes: &mut Mistakes) -> Option<Box<[f64]>> {
    let mut bounds: Vec<f64> = Vec::new();
    for (text, span) in mistakes.texts(node, "buckets")? {
        let bound = text.parse::<f64>().ok().filter(|bound| bound.is_finite());
        match (bound, bounds.last()) {
            (Some(bound), Some(last)) if bound <= *last => {
                mistakes.note(Code::Value, &span, format!("buckets rise, and {text} comes after {last}"));
                return None;
            }
            (Some(bound), _) => bounds.push(bound),
            (None, _) => {
                mistakes.note(Code::Value, &span, format!("`{text}` is not a number"));
                return None;
            }
        }
    }
    if bounds.len() > MAX_BUCKETS {
        let message = format!("{} buckets are too many, at most {MAX_BUCKETS}", bounds.len());
        mistakes.note(Code::TooLarge, &node.span, message);
        return None;
    }
    Some(bounds.into())
}

fn labels(node: &Node, when: &When, mistakes: &mut Mistakes) -> Option<Vec<Label>> {
    let mut labels: Vec<Option<Label>> = Vec::new();
    for (text, span) in mistakes.texts(node, "by")? {
        let written = Node {
            kind: NodeKind::Scalar { text: text.to_owned(), quoting: Quoting::Plain },
            span: span.clone(),
        };
        let label = label(text, when, &written, mistakes);
        if let Some(label) = &label
            && labels.iter().flatten().any(|other| other.name == label.name)
        {
            mistakes.note(Code::Value, &span, format!("`{}` is the name of an earlier label", label.name));
            labels.push(None);
            continue;
        }
        labels.push(label);
    }
    if labels.len() > MAX_LABELS {
        mistakes.note(Code::TooLarge, &node.span, format!("a measure has at most {MAX_LABELS} labels"));
        return None;
    }
    labels.into_iter().collect()
}

fn label(text: &str, when: &When, node: &Node, mistakes: &mut Mistakes) -> Option<Label> {
    if let Some((name, of)) = PLAIN.into_iter().find(|(name, _)| *name == text) {
        return Some(Label { name: name.into(), of });
    }
    let (place, shown) = match text.split_once(' ') {
        None => (text, Shown::Whole),
        Some((place, "class")) => (place, Shown::Class),
        Some((_, other)) => {
            let message = format!("`{other}` is nothing that can be made of a value");
            mistakes.note_with_help(Code::Value, &node.span, message, "`$.status class` makes 4xx of 404");
            return None;
        }
    };
    let at = value_at(place, when, node, mistakes)?;
    let last = match &at {
        ValueAt::Path(path) => path.last().map(|name| &**name).unwrap_or_default(),
        ValueAt::Column(name) => name,
    };
    let name: String =
        last.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let is_own = PLAIN.iter().any(|(plain, _)| *plain == name) || name == "le" || name.starts_with("__");
    if is_own || !name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_') {
        mistakes.note(Code::Value, &node.span, format!("`{name}` cannot be the name of a label"));
        return None;
    }
    Some(Label { name: name.into(), of: LabelOf::Value(at, shown) })
}

/// A path, or a name in the measure's own pattern.
fn value_at(text: &str, when: &When, node: &Node, mistakes: &mut Mistakes) -> Option<ValueAt> {
    if let Some(path) = text.strip_prefix("$.") {
        let is_plain = |name: &str| !name.is_empty() && !name.contains(['[', ']', '*']);
        if path.split('.').all(is_plain) {
            return Some(ValueAt::Path(path.split('.').map(Box::from).collect()));
        }
        mistakes.note(
            Code::Value,
            &node.span,
            format!("`{text}` is not a field: a path such as $.http.status"),
        );
        return None;
    }
    if columns(when).any(|name| name == text) {
        return Some(ValueAt::Column(text.into()));
    }
    let known = PLAIN.iter().map(|(name, _)| *name).chain(columns(when));
    let help = match mistakes.near(text, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "a field such as $.status, or a name in the measure's own pattern, `message: '[ip, user, status, bytes]'`".to_owned(),
    };
    mistakes.note_with_help(Code::Value, &node.span, format!("`{text}` is nowhere in these records"), help);
    None
}

/// The names in the space-delimited patterns of these conditions.
fn columns(when: &When) -> impl Iterator<Item = &str> {
    when.conditions().iter().flat_map(|condition| match condition {
        Condition::Message(message) => message.columns(),
        _ => Vec::new(),
    })
}

/// What a label may be by its plain name.
const PLAIN: [(&str, LabelOf); 6] = [
    ("namespace", LabelOf::Namespace),
    ("pod", LabelOf::Pod),
    ("container", LabelOf::Container),
    ("workload", LabelOf::Workload),
    ("stream", LabelOf::Stream),
    ("severity", LabelOf::Severity),
];
/// Bounds that fit milliseconds of requests.
const DEFAULT_BUCKETS: [f64; 12] =
    [1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10_000.0];
/// Most measures: a record's are bits of a word.
pub(crate) const MAX_MEASURES: usize = 32;
const MAX_BUCKETS: usize = 20;
const MAX_LABELS: usize = 6;
const DEFAULT_SERIES: usize = 100;
const MAX_SERIES: usize = 1000;
/// Most series of all measures together: a megabyte or two.
const MAX_ALL_SERIES: usize = 4000;
/// Longest value of a label, in bytes; what is longer is cut.
pub(crate) const MAX_VALUE: usize = 64;

#[cfg(test)]
mod tests;
