//! What can be asked about one record, each answer found at most once and only when a rule asks.

use crate::config::model::{Input, Key, Part};
use crate::continuation::Look;
use crate::json::{self, Level, Value};
use crate::line::Line;
use crate::path::{self, Path};
use crate::pattern::{Document, Enriched, Missing, Pattern, Truth};
use crate::pods::{Cache, Enrichment, Found, PodMeta, PodSource, all_that_is_known};
use crate::policy::KeySource;
use crate::record::RecordView;
use crate::sample::{Threshold, explicit_randomness};
use crate::search::Prepared;
use crate::severity::{self, Reading, Severity};
use crate::tag::ContainerTag;
use crate::template::template;
use crate::time::{EventTime, Now};
use crate::trace::TraceId;
use crate::{config::model, hash};
use std::cell::OnceCell;
use std::rc::Rc;

/// One record, its tag and the time.
pub(super) struct Facts<'r> {
    pub(super) record: &'r RecordView<'r>,
    pub(super) line: Option<&'r Line<'r>>,
    pub(super) container: Option<ContainerTag<'r>>,
    pub(super) time: EventTime,
    pub(super) now: Now,
    input: &'r Input,
    sampling: &'r Prepared,
    reading: OnceCell<Option<Reading>>,
    severity: OnceCell<Option<Severity>>,
    template: OnceCell<u64>,
    /// What the tag says about the container, as JSON.
    said_by_tag: OnceCell<Vec<u8>>,
}

impl<'r> Facts<'r> {
    pub(super) fn new(
        record: &'r RecordView<'r>,
        line: Option<&'r Line<'r>>,
        container: Option<ContainerTag<'r>>,
        time: EventTime,
        now: Now,
        input: &'r Input,
        sampling: &'r Prepared,
    ) -> Facts<'r> {
        Facts {
            record,
            line,
            container,
            time,
            now,
            input,
            sampling,
            reading: OnceCell::new(),
            severity: OnceCell::new(),
            template: OnceCell::new(),
            said_by_tag: OnceCell::new(),
        }
    }

    /// What the line says of itself.
    #[inline]
    pub(super) fn reading(&self) -> Option<Reading> {
        *self.reading.get_or_init(|| self.line.and_then(severity::read))
    }

    /// The line as it looks next to others.
    #[inline]
    pub(super) fn look(&self) -> Option<Look<'r>> {
        let line = self.line?;
        let mut look = Look::at(line, self.reading());
        look.is_failure = self.severity() >= Some(Severity::Error);
        Some(look)
    }

    /// The severity of the line, else of the record.
    #[inline]
    pub(super) fn severity(&self) -> Option<Severity> {
        *self.severity.get_or_init(|| {
            Severity::of_record(self.record, self.line, &self.input.severity, || self.reading())
        })
    }

    /// Whether the record matches a JSON pattern; metadata is looked up only when it decides.
    pub(super) fn record_matches(&self, pattern: &Pattern, metadata: &mut Metadata<'_>) -> Truth {
        let first =
            self.document(pattern, metadata.enrichment, None, |document| pattern.matches_document(&document));
        if first != Truth::Unknown {
            return first;
        }
        match metadata.get() {
            Some(meta) => self.document(pattern, metadata.enrichment, Some(&meta), |document| {
                pattern.matches_document(&document)
            }),
            None => Truth::Unknown,
        }
    }

    /// The record as a pattern sees it, with as much metadata as is given; without any, with what the tag says.
    pub(super) fn document<T>(
        &self,
        pattern: &Pattern,
        enrichment: &Enrichment,
        meta: Option<&PodMeta>,
        ask: impl FnOnce(Document<'_>) -> T,
    ) -> T {
        let key = &*enrichment.key;
        let record = self.record.text();
        let Some(tag) = self.container.filter(|_| pattern.mentions(key)) else {
            // Without a container there will be no metadata, and nobody knows what it would say.
            let missing = if self.container.is_none() { Missing::Pod } else { Missing::Nothing };
            let object = self.container.map(|_| b"{}".as_slice());
            return ask(Document::Record(Enriched { record, key, object, missing, id_is_whole: false }));
        };
        let (object, missing) = match meta {
            None => {
                let object = self.said_by_tag.get_or_init(|| all_that_is_known(&tag, None, None));
                (object.as_slice(), if pattern.reaches_into(key) { Missing::Pod } else { Missing::Nothing })
            }
            Some(meta) => {
                let missing = match (meta.known, meta.complete) {
                    (false, _) => Missing::Pod,
                    (true, false) => Missing::Container,
                    (true, true) => Missing::Nothing,
                };
                (meta.for_rules.as_slice(), missing)
            }
        };
        let id_is_whole = tag.has_whole_id();
        ask(Document::Record(Enriched { record, key, object: Some(object), missing, id_is_whole }))
    }

    /// The 56-bit randomness of a sampling key, or `None` when the record lacks one of its parts: the parts that it has would be
    /// one hash for all such records, and all of them would share one fate.
    pub(super) fn randomness(&self, key: &Key, metadata: &mut Metadata<'_>) -> Option<u64> {
        if let [Part::TraceId] = key.0.as_slice() {
            return Some(match self.trace_id()? {
                // The low 56 bits, as the threshold has them.
                TraceId::Bits(bits) => bits as u64,
                TraceId::Text(text) => hash::randomness(&text, SEED),
            });
        }
        let mut text = Vec::new();
        for part in &key.0 {
            if !self.write_part(part, metadata, &mut text) {
                return None;
            }
            // Keeps ("a", "bc") apart from ("ab", "c").
            text.push(0);
        }
        (!key.0.is_empty()).then(|| hash::randomness(&text, SEED))
    }

    /// What an earlier stage has sampled by: randomness and threshold, as far as the line or the record says so
    /// (OpenTelemetry's `sampling.randomness` and `sampling.threshold`).
    pub(super) fn sampled_before(&self) -> (Option<u64>, Option<Threshold>) {
        let text = self.record.text();
        if self.sampling.find(text, 0).is_none() {
            return (None, None);
        }
        let find = |name: &str| self.field(&[Box::from(name)]);
        let randomness = find("sampling.randomness").and_then(|text| explicit_randomness(&text));
        (randomness, find("sampling.threshold").and_then(|text| Threshold::parse(&text)))
    }

    /// Writes a part of a key; whether the record has it.
    fn write_part(&self, part: &Part, metadata: &mut Metadata<'_>, into: &mut Vec<u8>) -> bool {
        let text = match part {
            Part::Namespace | Part::Pod | Part::Container => {
                let Some(tag) = &self.container else { return false };
                into.extend_from_slice(tag.namespace.as_bytes());
                if *part != Part::Namespace {
                    into.push(b'/');
                    into.extend_from_slice(tag.pod.as_bytes());
                }
                if *part == Part::Container {
                    into.push(b'/');
                    into.extend_from_slice(tag.container.as_bytes());
                }
                return true;
            }
            Part::Workload => {
                let meta = metadata.get();
                let Some(name) = meta.as_ref().and_then(|meta| meta.workload.as_ref()) else { return false };
                self.write_part(&Part::Namespace, metadata, into);
                into.push(b'/');
                into.extend_from_slice(name.as_bytes());
                return true;
            }
            Part::Template => {
                let Some(line) = self.line else { return false };
                let hash = *self.template.get_or_init(|| template(line, &self.input.message_keys));
                into.extend(hash.to_be_bytes().iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex_digit));
                return true;
            }
            Part::Stream => self.record.stream().map(<[u8]>::to_vec),
            Part::Severity => self.severity().map(|severity| severity.name().as_bytes().to_vec()),
            Part::TraceId => self.trace_id().map(|id| id.key()),
            Part::Field(path) => self.field(path),
        };
        into.extend_from_slice(text.as_deref().unwrap_or_default());
        text.is_some()
    }

    /// The first trace id: in the line's JSON or its text, else in the record.
    fn trace_id(&self) -> Option<TraceId> {
        let paths = &self.input.trace_id;
        let read = |path: &Path, value: &[u8]| TraceId::parse(value, is_datadog(path.name()));
        let in_line = self.line.and_then(|line| match line.raw().first() {
            Some(b'{') => path::each_in_json(paths, line.as_json(), read),
            _ => path::each_in_text(paths, line, read),
        });
        in_line.or_else(|| path::each_in_json(paths, (self.record.text(), Level::Plain), read))
    }

    fn field(&self, path: &[Box<str>]) -> Option<Vec<u8>> {
        self.line.and_then(|line| line.field(path)).or_else(|| self.record_field(path))
    }

    fn record_field(&self, path: &[Box<str>]) -> Option<Vec<u8>> {
        match json::lookup(self.record.text(), Level::Plain, path)? {
            Value::String(content) => Some(json::unescape(content)),
            Value::Scalar(text) => Some(text.to_vec()),
            Value::Object(_) | Value::Array(_) => None,
        }
    }
}

/// The metadata of a record's container, looked up when first asked for.
pub(super) struct Metadata<'e> {
    key: &'e str,
    container: Option<ContainerTag<'e>>,
    pub(super) enrichment: &'e Enrichment,
    now: Now,
    cache: &'e mut Cache,
    pods: &'e mut dyn PodSource,
    answer: Option<(Rc<PodMeta>, Found)>,
}

impl<'e> Metadata<'e> {
    pub(super) fn new(
        key: &'e str,
        container: Option<ContainerTag<'e>>,
        enrichment: &'e Enrichment,
        now: Now,
        cache: &'e mut Cache,
        pods: &'e mut dyn PodSource,
    ) -> Metadata<'e> {
        Metadata { key, container, enrichment, now, cache, pods, answer: None }
    }

    /// What is known about the container, or `None` when the tag names none.
    #[inline]
    pub(super) fn get(&mut self) -> Option<Rc<PodMeta>> {
        let tag = self.container.as_ref()?;
        let (cache, pods) = (&mut *self.cache, &mut *self.pods);
        let answer =
            self.answer.get_or_insert_with(|| cache.get(self.key, tag, self.enrichment, self.now, pods));
        Some(Rc::clone(&answer.0))
    }

    /// How the answer was found, if one was asked for.
    #[inline]
    pub(super) fn found(&self) -> Option<Found> {
        self.answer.as_ref().map(|(_, found)| *found)
    }
}

/// Writes the keys of one record.
pub(super) struct Keys<'k, 'r, 'e> {
    pub(super) facts: &'k Facts<'r>,
    pub(super) metadata: &'k mut Metadata<'e>,
}

impl KeySource for Keys<'_, '_, '_> {
    fn write(&mut self, key: &Key, into: &mut Vec<u8>) {
        for part in &key.0 {
            let is_there = self.facts.write_part(part, self.metadata, into);
            // While nobody knows what owns a pod, it is by itself: all of them under one limit would be one noisy pod's
            // doing.
            if !is_there && *part == Part::Workload {
                self.facts.write_part(&Part::Pod, self.metadata, into);
            }
            into.push(0);
        }
    }
}

fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0'.wrapping_add(nibble) } else { b'a'.wrapping_add(nibble).wrapping_sub(10) }
}

/// Whether a trace id under this name may be a decimal number.
fn is_datadog(name: &str) -> bool {
    name.split(['.', '_', '-']).any(|part| matches!(part, "dd" | "datadog"))
}

/// Whether an age comparison holds for a container that started then, at the time of a record.
pub(super) fn age_holds(test: model::AgeTest, started: i64, time: EventTime) -> bool {
    let started = u64::try_from(started).unwrap_or_default().saturating_mul(1_000_000_000);
    // A record from before the start (the clocks differ, or the second was cut off) has age zero.
    let age = time.as_nanos().saturating_sub(started);
    test.comparison.holds(u128::from(age), test.age.as_nanos())
}

/// The seed of keyed sampling: one for all nodes and for ever, so that all keep the same keys.
const SEED: u64 = 0;
