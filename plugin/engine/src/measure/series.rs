//! The numbers of one measure, by the values of its labels.
//!
//! The rule kept here: a number in the metrics file never goes back but when its measure starts anew, so that nobody takes a restart
//! for a flood: while there is a saved state, what is shown is what that has.

use crate::hash::BuildWordHasher;
use crate::json::push_string;
use crate::measure::{Measure, Measured};
use crate::time::Now;
use hashbrown::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Where one set of values is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(u32);

/// All sets of values of one measure.
#[derive(Debug)]
pub(crate) struct SeriesTable {
    places: HashMap<Box<[u8]>, u32, BuildWordHasher>,
    all: Vec<Series>,
    most: usize,
    /// The one that all others share.
    other: Option<u32>,
}

#[derive(Debug)]
struct Series {
    /// Each value ended by NUL; `None` is what the others share.
    labels: Option<Box<[u8]>>,
    numbers: Numbers,
    /// As the saved state has them.
    saved: Numbers,
    /// As a summary has told them.
    told: Option<Box<[u64]>>,
    /// The largest number of the last minute, with the trace that it is of.
    exemplar: Option<Exemplar>,
}

/// A record that stands for others: its number, when it came, and its trace.
#[derive(Clone, Debug, PartialEq)]
struct Exemplar {
    value: f64,
    at: Now,
    /// Empty where the record has none: it is not looked for again with each record.
    trace: Box<str>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Numbers {
    count: u64,
    sum: f64,
    /// By the bound that is not smaller; what is above all is in none.
    buckets: Box<[u64]>,
}

/// What a set of label values takes in the metrics file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinesOf {
    /// Lines.
    pub(crate) count: usize,
    /// Bytes of each beside the values.
    pub(crate) around: usize,
}

/// What has come to a set of label values: those, `None` for what the others share, and by how much each number has grown.
pub(crate) type News<const N: usize> = (Option<Box<[u8]>>, [u64; N]);

/// One record, as far as a measure is concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Observed {
    /// There was one.
    Record,
    /// With this number in it.
    Value(f64),
}

/// A set of values as saved.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SavedSeries {
    /// `None`: what the others share.
    pub(crate) labels: Option<Vec<u8>>,
    pub(crate) count: u64,
    pub(crate) sum: f64,
    pub(crate) buckets: Vec<u64>,
}

impl SeriesTable {
    /// Nothing counted. At most so many sets of values have a place of their own.
    pub(crate) fn new(most: usize) -> SeriesTable {
        SeriesTable {
            places: HashMap::with_hasher(BuildWordHasher::default()),
            all: Vec::new(),
            most,
            other: None,
        }
    }

    /// How many sets of values it has.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The place of a set of values, and whether it is the one that the others share. `room` is what there is for lines of the
    /// metrics file, of which each set takes `lines` with `around` bytes around its values.
    pub(crate) fn slot(
        &mut self,
        labels: &[u8],
        (buckets, lines): (usize, LinesOf),
        room: &mut usize,
    ) -> (Slot, bool) {
        if let Some(place) = self.places.get(labels) {
            return (Slot(*place), false);
        }
        // With an escape for each byte.
        let bytes = labels.len().saturating_mul(2).saturating_add(lines.around).saturating_mul(lines.count);
        if self.places.len() < self.most && bytes <= *room {
            *room = room.saturating_sub(bytes);
            let place = self.push(Some(labels.into()), buckets);
            self.places.insert(labels.into(), place);
            return (Slot(place), false);
        }
        (Slot(self.shared(buckets)), true)
    }

    fn shared(&mut self, buckets: usize) -> u32 {
        match self.other {
            Some(place) => place,
            None => {
                let place = self.push(None, buckets);
                self.other = Some(place);
                place
            }
        }
    }

    fn push(&mut self, labels: Option<Box<[u8]>>, buckets: usize) -> u32 {
        let numbers = Numbers { count: 0, sum: 0.0, buckets: vec![0; buckets].into() };
        self.all.push(Series { labels, saved: numbers.clone(), numbers, told: None, exemplar: None });
        self.all.len().saturating_sub(1) as u32
    }

    /// What its sets of values take of the room in the metrics file.
    pub(crate) fn bytes(&self, lines: LinesOf) -> usize {
        let each =
            self.places.keys().map(|labels| labels.len().saturating_mul(2).saturating_add(lines.around));
        each.fold(0usize, |sum, bytes| sum.saturating_add(bytes.saturating_mul(lines.count)))
    }

    /// Counts a record.
    #[inline]
    pub(crate) fn count(&mut self, Slot(place): Slot, observed: Observed, bounds: &[f64]) {
        let Some(series) = self.all.get_mut(place as usize) else { return };
        let numbers = &mut series.numbers;
        numbers.count = numbers.count.wrapping_add(1);
        if let Observed::Value(value) = observed {
            numbers.sum = (numbers.sum + value).min(f64::MAX);
            let at = bounds.iter().position(|bound| value <= *bound);
            if let Some(bucket) = at.and_then(|at| numbers.buckets.get_mut(at)) {
                *bucket = bucket.wrapping_add(1);
            }
        }
    }

    /// Whether a number is the one to be shown with its trace: the largest for a minute.
    #[inline]
    pub(crate) fn wants_trace(&self, Slot(place): Slot, value: f64, now: Now) -> bool {
        let Some(series) = self.all.get(place as usize) else { return false };
        series.exemplar.as_ref().is_none_or(|known| {
            value > known.value || now.since(known.at).is_none_or(|past| past >= EXEMPLAR_HOLDS)
        })
    }

    /// Shows a number with its trace; without one the next that is larger is asked.
    pub(crate) fn exemplify(&mut self, Slot(place): Slot, value: f64, now: Now, trace: &[u8]) {
        let Some(series) = self.all.get_mut(place as usize) else { return };
        let trace = trace.get(..MAX_TRACE).unwrap_or(trace);
        let mut text = String::new();
        push_escaped(&String::from_utf8_lossy(trace), &mut text);
        series.exemplar = Some(Exemplar { value, at: now, trace: text.into() });
    }

    /// Adds to some of the numbers of a set of values.
    pub(crate) fn add<const N: usize>(&mut self, Slot(place): Slot, more: [(usize, u64); N]) {
        let Some(series) = self.all.get_mut(place as usize) else { return };
        for (at, more) in more {
            if let Some(number) = series.numbers.buckets.get_mut(at) {
                *number = number.wrapping_add(more);
            }
        }
    }

    /// Each set of values with its numbers.
    pub(crate) fn each(&self, is_saved: bool, mut take: impl FnMut(Option<&[u8]>, &[u64])) {
        for series in &self.all {
            let numbers = if is_saved { &series.saved } else { &series.numbers };
            take(series.labels.as_deref(), &numbers.buckets);
        }
    }

    /// What has come to each set of values since this was last asked, of those with anything.
    pub(crate) fn take_news<const N: usize>(&mut self) -> Vec<News<N>> {
        let news = self.all.iter_mut().map(|series| {
            let mut more = [0u64; N];
            let told = series.told.get_or_insert_with(|| vec![0; N].into());
            for ((more, told), now) in more.iter_mut().zip(told.iter_mut()).zip(&series.numbers.buckets) {
                *more = now.wrapping_sub(*told);
                *told = *now;
            }
            (series.labels.clone(), more)
        });
        news.filter(|(_, more)| more.iter().any(|number| *number > 0)).collect()
    }

    /// What is to be saved; from now on that is what is shown.
    pub(crate) fn save(&mut self) -> impl Iterator<Item = SavedSeries> + '_ {
        self.all.iter_mut().map(|series| {
            let Numbers { count, sum, buckets } = &series.numbers;
            series.saved.count = *count;
            series.saved.sum = *sum;
            series.saved.buckets.copy_from_slice(buckets);
            let labels = series.labels.as_deref().map(<[u8]>::to_vec);
            SavedSeries { labels, count: *count, sum: *sum, buckets: buckets.to_vec() }
        })
    }

    /// Adds what was saved before the start.
    pub(crate) fn restore(&mut self, saved: &SavedSeries, lines: LinesOf, room: &mut usize) {
        let buckets = saved.buckets.len();
        let place = match &saved.labels {
            Some(labels) => self.slot(labels, (buckets, lines), room).0.0,
            None => self.shared(buckets),
        };
        let Some(series) = self.all.get_mut(place as usize) else { return };
        for numbers in [&mut series.numbers, &mut series.saved] {
            numbers.count = numbers.count.wrapping_add(saved.count);
            numbers.sum = (numbers.sum + saved.sum).min(f64::MAX);
            add_each(&mut numbers.buckets, &saved.buckets);
        }
        // Whoever has saved it has told it, or nobody will.
        add_each(series.told.get_or_insert_with(|| vec![0; buckets].into()), &saved.buckets);
    }

    /// Writes all of it in Prometheus' text format; `is_saved`: as the saved state has it.
    pub(crate) fn render(&self, measure: &Measure, is_saved: bool, out: &mut String) {
        let metric = measure.metric();
        let kind = match &measure.what {
            Measured::Records => "counter",
            Measured::Values { .. } => "histogram",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# HELP {metric} of the measure {}\n# TYPE {metric} {kind}", measure.name);
        for series in &self.all {
            let numbers = if is_saved { &series.saved } else { &series.numbers };
            let labels = series.labels_as_text(measure);
            match &measure.what {
                Measured::Records => {
                    let _ = writeln!(out, "{metric}{} {}", braced(&labels), numbers.count);
                }
                Measured::Values { buckets, .. } => {
                    let comma = if labels.is_empty() { "" } else { "," };
                    let mut below = 0u64;
                    for (bound, count) in buckets.iter().zip(&numbers.buckets) {
                        below = below.wrapping_add(*count);
                        let _ = writeln!(out, "{metric}_bucket{{{labels}{comma}le=\"{bound}\"}} {below}");
                    }
                    let all = numbers.count;
                    let _ = writeln!(out, "{metric}_bucket{{{labels}{comma}le=\"+Inf\"}} {all}");
                    let _ = writeln!(out, "{metric}_sum{} {}", braced(&labels), numbers.sum);
                    let _ = writeln!(out, "{metric}_count{} {all}", braced(&labels));
                    if let Some(Exemplar { value, at, trace }) =
                        series.exemplar.as_ref().filter(|known| !known.trace.is_empty())
                    {
                        let le = buckets.iter().find(|bound| *value <= **bound);
                        let le = le.map_or_else(|| "+Inf".to_owned(), f64::to_string);
                        // A comment to whoever reads the text format; the sidecar makes an exemplar of it where one is wanted.
                        let bucket = format!("{metric}_bucket{{{labels}{comma}le=\"{le}\"}}");
                        let _ = writeln!(
                            out,
                            "{EXEMPLAR}{bucket} {{trace_id=\"{trace}\"}} {value} {}",
                            at.seconds()
                        );
                    }
                }
            }
        }
    }
}

impl Series {
    /// `namespace="shop",status="2xx"`.
    fn labels_as_text(&self, measure: &Measure) -> String {
        let mut text = String::new();
        let mut values = self.labels.as_deref().map(|labels| labels.split(|byte| *byte == 0));
        for (at, label) in measure.by.iter().enumerate() {
            let value = match &mut values {
                Some(values) => values.next().unwrap_or_default(),
                None => b"other",
            };
            let _ = write!(text, "{}{}=\"", if at == 0 { "" } else { "," }, label.name);
            push_escaped(&String::from_utf8_lossy(value), &mut text);
            text.push('"');
        }
        text
    }
}

/// How a line with an exemplar begins.
pub const EXEMPLAR: &str = "# EXEMPLAR ";
/// How long the largest number is shown.
const EXEMPLAR_HOLDS: Duration = Duration::from_secs(60);
/// Longest trace id that is shown, in bytes: with its name, what OpenMetrics allows.
const MAX_TRACE: usize = 64;

fn add_each(to: &mut [u64], from: &[u64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = to.wrapping_add(*from));
}

impl SavedSeries {
    /// Writes it as a line of the saved state that begins with `head`, an object that is open.
    pub(crate) fn write(&self, head: &str, into: &mut Vec<u8>) {
        let SavedSeries { labels, count, sum, buckets } = self;
        into.extend_from_slice(head.as_bytes());
        if let Some(labels) = labels {
            into.extend_from_slice(b",\"labels\":");
            // NUL is no part of a value.
            let text: Vec<u8> = labels.iter().map(|byte| if *byte == 0 { b'\n' } else { *byte }).collect();
            push_string(into, &text);
        }
        let buckets: Vec<String> = buckets.iter().map(u64::to_string).collect();
        let sum = sum.to_bits();
        let line =
            format!(",\"count\":{count},\"sum\":\"{sum:016x}\",\"buckets\":\"{}\"}}\n", buckets.join(" "));
        into.extend_from_slice(line.as_bytes());
    }
}

/// Writes the value of a label as the text format wants it.
pub(crate) fn push_escaped(value: &str, into: &mut String) {
    for character in value.chars() {
        match character {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            other if other.is_control() => into.push(' '),
            other => into.push(other),
        }
    }
}

fn braced(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}
