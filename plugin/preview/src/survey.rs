//! Where the volume is: by namespace, over time, by template; before and after.
//!
//! What a record belongs to does not depend on the rules, so it is found once ([`Dimensions`]); a run only counts
//! ([`Survey`]). Both are bounded: beyond their caps namespaces and templates are counted as `other`.

mod times;

use crate::inputs::Record;
use nodesieve_engine::config::model::InputSettings;
use nodesieve_engine::record::{Names, RecordView};
use nodesieve_engine::template::{masked, template};
use nodesieve_engine::time::EventTime;
use serde::Serialize;
use std::collections::BTreeMap;
use times::{Spans, written};

/// Records and bytes before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// Records seen.
    pub seen: u64,
    /// Of these, kept.
    pub kept: u64,
    /// Of these, dropped.
    pub dropped: u64,
    /// Bytes of JSON seen.
    pub bytes_in: u64,
    /// Bytes of JSON kept.
    pub bytes_out: u64,
}

/// A name with its volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The namespace or template.
    pub name: String,
    /// Its volume.
    #[serde(flatten)]
    pub volume: Volume,
}

/// A span of time with its volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimeSpan {
    /// When it starts, RFC 3339.
    pub start: String,
    /// Its volume.
    #[serde(flatten)]
    pub volume: Volume,
}

/// The volume as JSON tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Breakdown {
    /// By namespace, the largest first; records without a container's tag are in the namespace `none`.
    pub namespaces: Vec<Named>,
    /// Over time, in spans of `time_step_seconds`. Records far from all others are in the first or last span.
    pub times: Vec<TimeSpan>,
    /// The length of a span.
    pub time_step_seconds: u64,
    /// The templates with most bytes, the largest first.
    pub templates: Vec<Named>,
}

/// Most namespaces with counts of their own.
const MAX_NAMESPACES: usize = 200;
/// Most templates with counts of their own.
const MAX_TEMPLATES: usize = 4096;
/// Templates shown.
const TOP_TEMPLATES: usize = 20;
/// Longest template shown, in bytes.
const MAX_TEMPLATE: usize = 240;
/// The name for everything beyond a cap.
const OTHER: &str = "other";
/// The namespace of a record whose tag names no container.
const NONE: &str = "none";

/// Where one record is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct RecordPlace {
    namespace: usize,
    template: usize,
    span: usize,
}

/// What each record belongs to.
#[derive(Clone, Debug, Default)]
pub struct Dimensions {
    namespaces: Vec<Label>,
    templates: Vec<Label>,
    spans: Spans,
    places: Vec<RecordPlace>,
    /// When these records were written, in seconds since 1970; `None` where too few say so.
    written: Option<(f64, f64)>,
}

impl Dimensions {
    /// Those of records in the order of time. `input` is that of the rules.
    pub fn of(records: &[Record], input: &InputSettings) -> Dimensions {
        let names = Names::new(input.message.clone(), Vec::new(), Vec::new());
        let keys = &input.message_keys;
        let spans = Spans::over(records);
        let mut namespaces = Numbered::new(MAX_NAMESPACES);
        let mut templates = Numbered::new(MAX_TEMPLATES);
        let place = |record: &Record| {
            let namespace = input.container_of(&record.tag).map_or(NONE, |tag| tag.namespace);
            let view = RecordView::read(record.text.as_bytes(), &names).ok();
            let line = view.as_ref().and_then(RecordView::line);
            let key = line.as_ref().map(|line| template(line, keys));
            let text =
                || line.as_ref().map_or_else(|| NONE.to_owned(), |line| masked(line, keys, MAX_TEMPLATE));
            RecordPlace {
                namespace: namespaces.number(namespace.to_owned(), || namespace.to_owned()),
                template: templates.number(key, text),
                span: spans.of(u64::from(record.time.0)),
            }
        };
        let places = records.iter().map(place).collect();
        let (namespaces, templates) = (namespaces.labels(), templates.labels());
        let written = written(records);
        Dimensions { namespaces, templates, spans, places, written }
    }

    /// How many records these are of.
    pub fn records(&self) -> usize {
        self.places.len()
    }

    /// How long it took to write the records, in seconds; 0 when nothing is known of it.
    pub fn span_seconds(&self) -> f64 {
        self.written.map_or(0.0, |(first, last)| last - first)
    }

    /// Whether a time is one at which most of these records were written.
    pub fn is_when_most_were(&self, seconds: u32) -> bool {
        let seconds = f64::from(seconds);
        self.written.is_none_or(|(first, last)| (first.floor()..=last).contains(&seconds))
    }

    /// Treats the times of all records but these as invented.
    pub fn trust_only(&mut self, timed: &[Record]) {
        let most_are = timed.len() >= self.places.len().saturating_sub(timed.len());
        self.written = if most_are { written(timed) } else { None };
    }
}

/// The counts of a run.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    namespaces: Vec<Volume>,
    templates: Vec<Volume>,
    spans: Vec<Volume>,
}

impl Survey {
    /// Nothing counted.
    pub fn new(dimensions: &Dimensions) -> Survey {
        let zeros = |count| vec![Volume::default(); count];
        Survey {
            namespaces: zeros(dimensions.namespaces.len()),
            templates: zeros(dimensions.templates.len()),
            spans: zeros(dimensions.spans.count),
        }
    }

    /// Counts what became of the record at a position: its bytes when it is kept, or `None` when it is dropped.
    pub fn add(&mut self, dimensions: &Dimensions, index: usize, bytes_in: usize, bytes_out: Option<usize>) {
        self.at(dimensions, index, |volume| volume.add(bytes_in as u64, bytes_out.map(|bytes| bytes as u64)));
    }

    /// Counts that the record at a position is lost: seen, and neither kept nor dropped.
    pub fn lost(&mut self, dimensions: &Dimensions, index: usize, bytes_in: usize) {
        self.at(dimensions, index, |volume| volume.see(bytes_in as u64));
    }

    fn at(&mut self, dimensions: &Dimensions, index: usize, count: impl Fn(&mut Volume)) {
        let Some(place) = dimensions.places.get(index) else { return };
        let volumes = [
            self.namespaces.get_mut(place.namespace),
            self.templates.get_mut(place.template),
            self.spans.get_mut(place.span),
        ];
        volumes.into_iter().flatten().for_each(count);
    }

    /// The counts with their names.
    pub fn breakdown(&self, dimensions: &Dimensions) -> Breakdown {
        let templates = named(&dimensions.templates, &self.templates, TOP_TEMPLATES);
        let spans = &dimensions.spans;
        let start = |index: usize| {
            let seconds = spans.start.saturating_add((index as u64).saturating_mul(spans.step));
            EventTime { sec: u32::try_from(seconds).unwrap_or(u32::MAX), nsec: 0 }.to_rfc3339()
        };
        let times = self.spans.iter().enumerate();
        Breakdown {
            namespaces: named(&dimensions.namespaces, &self.namespaces, usize::MAX),
            times: times.map(|(index, volume)| TimeSpan { start: start(index), volume: *volume }).collect(),
            time_step_seconds: spans.step,
            templates,
        }
    }
}

impl Volume {
    fn see(&mut self, bytes_in: u64) {
        self.seen = self.seen.saturating_add(1);
        self.bytes_in = self.bytes_in.saturating_add(bytes_in);
    }

    fn add(&mut self, bytes_in: u64, bytes_out: Option<u64>) {
        self.see(bytes_in);
        match bytes_out {
            Some(bytes) => {
                self.kept = self.kept.saturating_add(1);
                self.bytes_out = self.bytes_out.saturating_add(bytes);
            }
            None => self.dropped = self.dropped.saturating_add(1),
        }
    }
}

/// A name, and whether it stands for all that are beyond the cap: a name from a log may be equal to it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Label {
    name: String,
    is_rest: bool,
}

/// The `most` names with the most bytes, the largest first; after them, and not counted, what is beyond a cap.
fn named(labels: &[Label], volumes: &[Volume], most: usize) -> Vec<Named> {
    let both = labels.iter().zip(volumes).filter(|(_, volume)| volume.seen > 0);
    let (rest, own): (Vec<_>, Vec<_>) = both.partition(|(label, _)| label.is_rest);
    let named = |(label, volume): (&Label, &Volume)| Named { name: label.name.clone(), volume: *volume };
    let mut found: Vec<Named> = own.into_iter().map(named).collect();
    found.sort_by(|one, other| {
        other.volume.bytes_in.cmp(&one.volume.bytes_in).then_with(|| one.name.cmp(&other.name))
    });
    found.truncate(most);
    found.extend(rest.into_iter().map(named));
    found
}

/// Names by number, in the order in which they come; beyond a cap all are one.
struct Numbered<K> {
    numbers: BTreeMap<K, usize>,
    names: Vec<String>,
    cap: usize,
    is_over: bool,
}

impl<K: Ord> Numbered<K> {
    fn new(cap: usize) -> Numbered<K> {
        Numbered { numbers: BTreeMap::new(), names: Vec::new(), cap, is_over: false }
    }

    fn number(&mut self, key: K, name: impl FnOnce() -> String) -> usize {
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        let number = self.names.len();
        if number < self.cap {
            self.names.push(name());
            self.numbers.insert(key, number);
            return number;
        }
        self.is_over = true;
        self.cap
    }

    fn labels(self) -> Vec<Label> {
        let own = self.names.into_iter().map(|name| Label { name, is_rest: false });
        let rest = self.is_over.then(|| Label { name: OTHER.to_owned(), is_rest: true });
        own.chain(rest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(namespace: &str, second: u32, log: &str) -> Record {
        Record {
            tag: format!("t.p_{namespace}_c-0.log"),
            time: (second, 0),
            text: format!("{{\"log\":\"{log}\"}}"),
        }
    }

    fn breakdown(records: &[Record], keeps: impl Fn(usize) -> bool) -> Breakdown {
        let dimensions =
            Dimensions::of(records, &InputSettings { tag_prefix: "t.".into(), ..InputSettings::default() });
        let mut survey = Survey::new(&dimensions);
        for (index, record) in records.iter().enumerate() {
            survey.add(&dimensions, index, record.text.len(), keeps(index).then_some(100));
        }
        survey.breakdown(&dimensions)
    }

    #[test]
    fn counts_by_namespace_time_and_template() {
        let records =
            [record("a", 100, "took 5 ms"), record("b", 101, "took 7 ms"), record("b", 103, "other line")];
        let found = breakdown(&records, |index| index > 0);
        let names: Vec<_> = found
            .namespaces
            .iter()
            .map(|named| (&*named.name, named.volume.seen, named.volume.kept))
            .collect();
        assert_eq!(names, [("b", 2, 2), ("a", 1, 0)]);
        assert_eq!(found.times.len(), 4);
        assert_eq!((found.time_step_seconds, &*found.times[0].start), (1, "1970-01-01T00:01:40.000Z"));
        let templates: Vec<_> = found
            .templates
            .iter()
            .map(|named| (&*named.name, named.volume.seen, named.volume.dropped))
            .collect();
        assert_eq!(templates, [("took <*> ms", 2, 1), ("other line", 1, 0)]);
    }

    #[test]
    fn every_record_is_in_each_part_once_beyond_the_caps_too() {
        let records: Vec<Record> = (0..5000)
            .map(|n: u32| record(&format!("n{n}"), n * 60, &"word ".repeat(1 + n as usize % 50)))
            .collect();
        let found = breakdown(&records, |index| index % 2 == 0);
        let sum = |list: &[Named]| list.iter().map(|named| named.volume.seen).sum::<u64>();
        assert_eq!(sum(&found.namespaces), 5000);
        assert_eq!(found.namespaces.len(), MAX_NAMESPACES + 1);
        assert_eq!(found.namespaces.last().map(|named| &*named.name), Some(OTHER));
        assert_eq!(found.times.iter().map(|span| span.volume.seen).sum::<u64>(), 5000);
        assert!(found.times.len() <= times::MAX_SPANS, "{}", found.times.len());
    }

    #[test]
    fn what_is_called_other_is_not_taken_for_what_is_beyond_the_cap() {
        let word =
            |n: u32| (0..4).map(|at| char::from(b'g' + (n >> (4 * at) & 15) as u8)).collect::<String>();
        let others = (0..9000).map(|_| record("none", 1, "other"));
        let words = (0..5000).map(|n| record("other", 1, &format!("{} said", word(n))));
        let records: Vec<Record> = others.chain(words).collect();
        let found = breakdown(&records, |_| true);
        assert_eq!(found.templates.len(), TOP_TEMPLATES + 1);
        assert!(found.templates.iter().take(TOP_TEMPLATES).any(|named| named.name == "other"));
        assert_eq!(found.templates.last().map(|named| &*named.name), Some(OTHER));
        assert_eq!(found.namespaces.iter().map(|named| &*named.name).collect::<Vec<_>>(), ["none", "other"]);
        let seen: u64 = found.templates.last().map(|named| named.volume.seen).unwrap_or_default();
        assert!(seen > 0 && seen < 14_000, "{seen}");
    }

    #[test]
    fn one_odd_time_does_not_stretch_the_axis() {
        let mut records: Vec<Record> = (0..1000).map(|n: u32| record("a", 1_800_000_000 + n, "x")).collect();
        records.insert(0, record("a", 0, "x"));
        let found = breakdown(&records, |_| true);
        assert!(found.times.len() > 10 && found.times[0].start.starts_with("2027"), "{:?}", found.times[0]);
        assert_eq!(found.times.iter().map(|span| span.volume.seen).sum::<u64>(), 1001);
    }
}
