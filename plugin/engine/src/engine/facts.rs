//! What can be asked about one record, each answer found at most once and only when a rule asks.

use crate::config::model::{Input, Key, Part};
use crate::json::{self, Level, Value};
use crate::line::Line;
use crate::pattern::{Document, Enriched, Missing, Pattern, Truth};
use crate::pods::{Cache, Enrichment, Found, PodMeta, PodSource, all_that_is_known};
use crate::record::RecordView;
use crate::sample::trace_randomness;
use crate::severity::Severity;
use crate::tag::ContainerTag;
use crate::time::{EventTime, Now};
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
    severity: OnceCell<Option<Severity>>,
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
    ) -> Facts<'r> {
        Facts {
            record,
            line,
            container,
            time,
            now,
            input,
            severity: OnceCell::new(),
            said_by_tag: OnceCell::new(),
        }
    }

    /// The line's severity.
    #[inline]
    pub(super) fn severity(&self) -> Option<Severity> {
        *self.severity.get_or_init(|| self.line.and_then(Severity::of))
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

    /// The 56-bit randomness of a sampling key, or `None` when the record has none of its parts.
    pub(super) fn randomness(&self, key: &Key, metadata: &mut Metadata<'_>) -> Option<u64> {
        if let [Part::TraceId] = key.0.as_slice() {
            let id = self.trace_id()?;
            return Some(trace_randomness(&id).unwrap_or_else(|| hash::randomness(&id, SEED)));
        }
        let mut text = Vec::new();
        let mut has_any = false;
        for part in &key.0 {
            let value = self.part(part, metadata);
            has_any |= value.is_some();
            text.extend_from_slice(&value.unwrap_or_default());
            // Keeps ("a", "bc") apart from ("ab", "c").
            text.push(0);
        }
        has_any.then(|| hash::randomness(&text, SEED))
    }

    fn part(&self, part: &Part, metadata: &mut Metadata<'_>) -> Option<Vec<u8>> {
        let tag = |name: fn(&ContainerTag<'r>) -> &'r str| {
            self.container.as_ref().map(|tag| name(tag).as_bytes().to_vec())
        };
        match part {
            Part::Namespace => tag(|tag| tag.namespace),
            Part::Pod => tag(|tag| tag.pod),
            Part::Container => tag(|tag| tag.container),
            Part::Workload => metadata.get()?.workload.as_ref().map(|name| name.as_bytes().to_vec()),
            Part::Stream => self.record.stream().map(<[u8]>::to_vec),
            Part::Severity => self.severity().map(|severity| severity.name().as_bytes().to_vec()),
            Part::TraceId => self.trace_id(),
            Part::Field(path) => self.field(path),
        }
    }

    /// The first trace id field that holds something, in the line's JSON, else in the record.
    fn trace_id(&self) -> Option<Vec<u8>> {
        let paths = || self.input.trace_id.iter().map(std::slice::from_ref);
        let in_line = |path: &[Box<str>]| self.line.and_then(|line| line.field(path));
        let is_there = |id: &Vec<u8>| !id.is_empty() && id != b"null" && !id.iter().all(|&byte| byte == b'0');
        let in_record = || paths().filter_map(|path| self.record_field(path)).find(is_there);
        paths().filter_map(in_line).find(is_there).or_else(in_record)
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

/// Whether an age comparison holds for a container that started then, at the time of a record.
pub(super) fn age_holds(test: model::AgeTest, started: i64, time: EventTime) -> bool {
    let started = u64::try_from(started).unwrap_or_default().saturating_mul(1_000_000_000);
    // A record from before the start (the clocks differ, or the second was cut off) has age zero.
    let age = time.as_nanos().saturating_sub(started);
    test.comparison.holds(u128::from(age), test.age.as_nanos())
}

/// The seed of keyed sampling: one for all nodes and for ever, so that all keep the same keys.
const SEED: u64 = 0;
