//! What can be asked about one record, each answer found at most once and only when a rule asks.

mod metadata;

pub(crate) use metadata::{Metadata, Own};

use crate::continuation::Look;
use crate::hash::key_bit;
use crate::input::InputSettings;
use crate::json::{self, Value};
use crate::line::{Line, MAX_FIELD};
use crate::many::{FoundTexts, ManyTexts};
use crate::moment::Moment;
use crate::path::{self, Path};
use crate::pattern::{Document, Enriched, Missing, Pattern, Truth};
use crate::pods::{Enrichment, PodMeta, all_that_is_known};
use crate::record::{RecordView, StreamName};
use crate::search::{NeededText, Prepared};
use crate::severity::{self, Glimpse, LevelMemo, Reading, Severity};
use crate::tag::ContainerTag;
use crate::tag_names::TagNames;
use crate::template::{masked, masked_text, template};
use crate::threshold::{Threshold, explicit_randomness};
use crate::time::{EventTime, Now};
use crate::trace::TraceId;
use std::borrow::Cow;
use std::cell::OnceCell;

/// What is known of a container's lines before one is read.
pub(crate) struct Glance<'r> {
    /// The fronts of lines and their levels.
    pub(crate) levels: &'r mut LevelMemo,
    /// One search for the texts that rules need.
    pub(crate) texts: Option<&'r ManyTexts>,
}

/// What a glance has shown.
#[derive(Clone, Copy)]
pub(crate) struct Glanced {
    pub(crate) seen: Seen,
    glimpse: Glimpse,
    severity: Option<Severity>,
}

impl Glance<'_> {
    /// Looks at a record and its line.
    #[inline]
    pub(crate) fn at(
        self,
        record: &RecordView<'_>,
        line: Option<&Line<'_>>,
        input: &InputSettings,
    ) -> Glanced {
        let nothing = Glimpse { reading: None, is_single: false };
        let glimpse = line.map_or(nothing, |line| self.levels.read(line));
        let severity = record.severity(line, &input.severity, || glimpse.reading);
        let texts = match (self.texts, line) {
            (Some(texts), Some(line)) => texts.in_line(line),
            (None, _) => FoundTexts::UNKNOWN,
            // A record without a line has no texts.
            (_, None) => FoundTexts::NONE,
        };
        let seen = Seen {
            levels: level_bit(severity),
            streams: stream_bit(record.stream_name()),
            texts,
            is_proof: texts.bits != u64::MAX && self.texts.is_some_and(ManyTexts::have_own_bits),
        };
        Glanced { seen, glimpse, severity }
    }
}

impl Glanced {
    /// Whether the line stands for itself and opens nothing, without a look at it: then, whether it says that it is an error.
    #[inline]
    pub(crate) fn is_single(&self, line: &Line<'_>) -> Option<bool> {
        let is_failure = self.severity >= Some(Severity::Error);
        // An error may open a report, but one line of JSON does not.
        let is_single = self.glimpse.is_single && (!is_failure || line.raw().first() == Some(&b'{'));
        is_single.then_some(is_failure)
    }
}

/// What a record has of what rules need, in the bits of [`crate::condition::Needs`].
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) levels: u8,
    pub(crate) streams: u8,
    pub(crate) texts: FoundTexts,
    /// Whether a bit of them is a proof that the text is there.
    pub(crate) is_proof: bool,
}

impl Seen {
    /// Whether the line is known to have the text of this bit, or one of those of these.
    #[inline]
    pub(crate) fn has_found(&self, text: u64) -> bool {
        self.is_proof && self.texts.bits & text != 0
    }

    /// What is known of the text that a pattern needs, by its bit, or of those by theirs of which it needs one.
    #[inline]
    pub(crate) fn needed(&self, text: u64) -> NeededText {
        let (newest, at) = self.texts.newest;
        if !self.has_found(text) {
            NeededText::Unknown
        } else if newest == text && text.is_power_of_two() {
            NeededText::FirstAt(at)
        } else {
            NeededText::There
        }
    }
}

/// What is shown of texts in which something may be redacted.
pub(crate) trait ShowsText {
    /// A text without what is to go, or `None` when it stays as it is.
    fn shown(&self, text: &[u8]) -> Option<Vec<u8>>;

    /// The same of the value at the end of a path.
    fn shown_field(&self, path: &[Box<str>], text: &[u8]) -> Option<Vec<u8>>;
}

/// One record, its tag and the time.
pub(crate) struct Facts<'r> {
    pub(crate) record: &'r RecordView<'r>,
    pub(crate) line: Option<&'r Line<'r>>,
    /// The tag, and the container that it names.
    pub(crate) names: &'r TagNames,
    pub(crate) time: EventTime,
    pub(crate) now: Now,
    pub(crate) moment: Moment,
    input: &'r InputSettings,
    sampling: &'r Prepared,
    /// What was seen at a glance; `None` answers each question in full.
    glanced: Option<Glanced>,
    reading: OnceCell<Option<Reading>>,
    severity: OnceCell<Option<Severity>>,
    template: OnceCell<u64>,
    /// What the tag says about the container, as JSON.
    said_by_tag: OnceCell<Vec<u8>>,
    /// What of its texts may be shown, if not all.
    shows: Option<&'r dyn ShowsText>,
}

impl<'r> Facts<'r> {
    pub(crate) fn new(
        record: &'r RecordView<'r>,
        line: Option<&'r Line<'r>>,
        names: &'r TagNames,
        (time, now): (EventTime, Now),
        input: &'r InputSettings,
        sampling: &'r Prepared,
        glanced: Option<Glanced>,
    ) -> Facts<'r> {
        Facts {
            record,
            line,
            names,
            time,
            now,
            moment: Moment::new(now, time),
            input,
            sampling,
            glanced,
            reading: OnceCell::new(),
            severity: OnceCell::new(),
            template: OnceCell::new(),
            said_by_tag: OnceCell::new(),
            shows: None,
        }
    }

    /// The same, of whose texts not all may be shown.
    pub(crate) fn showing(self, shows: Option<&'r dyn ShowsText>) -> Facts<'r> {
        Facts { shows, ..self }
    }

    /// What may be shown of one of its texts: in the label of a key, in an example, in a metric.
    pub(crate) fn shown<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        match self.shows.and_then(|shows| shows.shown(text)) {
            Some(shown) => Cow::Owned(shown),
            None => Cow::Borrowed(text),
        }
    }

    /// The same of the value at the end of a path, or `None` when all of it may be.
    pub(crate) fn shown_field(&self, path: &[Box<str>], text: &[u8]) -> Option<Vec<u8>> {
        self.shows.and_then(|shows| shows.shown_field(path, text))
    }

    /// Whether not all may be shown.
    pub(crate) fn hides(&self) -> bool {
        self.shows.is_some()
    }

    /// Its line as an example, without what varies in it.
    pub(crate) fn example(&self, message_keys: &[Box<str>], limit: usize) -> Option<String> {
        let line = self.line?;
        Some(match self.shows.and_then(|shows| shows.shown(line.text())) {
            Some(shown) => masked_text(&shown, message_keys, limit),
            None => masked(line, message_keys, limit),
        })
    }

    /// The container that the tag names.
    #[inline]
    pub(crate) fn container(&self) -> Option<ContainerTag<'r>> {
        self.names.container()
    }

    /// What the line says of itself.
    #[inline]
    pub(crate) fn reading(&self) -> Option<Reading> {
        match self.glanced {
            Some(glanced) => glanced.glimpse.reading,
            None => *self.reading.get_or_init(|| self.line.and_then(severity::read)),
        }
    }

    /// Whether the line stands for itself and opens nothing, as far as that was seen: then, whether it says that it is an error.
    #[inline]
    pub(crate) fn is_single(&self) -> Option<bool> {
        self.glanced?.is_single(self.line?)
    }

    /// What the record has of what rules need; `None` where every rule is to be asked.
    #[inline]
    pub(crate) fn seen(&self) -> Option<Seen> {
        self.glanced.map(|glanced| glanced.seen)
    }

    /// The line as it looks next to others.
    #[inline]
    pub(crate) fn look(&self) -> Option<Look<'r>> {
        let line = self.line?;
        let mut look = Look::at(line, self.reading());
        look.is_failure = self.severity() >= Some(Severity::Error);
        Some(look)
    }

    /// The severity of the line, else of the record.
    #[inline]
    pub(crate) fn severity(&self) -> Option<Severity> {
        match self.glanced {
            Some(glanced) => glanced.severity,
            None => *self
                .severity
                .get_or_init(|| self.record.severity(self.line, &self.input.severity, || self.reading())),
        }
    }

    /// Whether the record matches a JSON pattern; metadata is looked up only when it decides.
    pub(crate) fn record_matches(&self, pattern: &Pattern, metadata: &mut Metadata<'_>) -> Truth {
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
    pub(crate) fn document<T>(
        &self,
        pattern: &Pattern,
        enrichment: &Enrichment,
        meta: Option<&PodMeta>,
        ask: impl FnOnce(Document<'_>) -> T,
    ) -> T {
        let key = &*enrichment.key;
        let record = self.record.object();
        let container = self.container();
        if meta.is_some_and(|meta| meta.is_own) {
            // It stands there already.
            let missing = Missing::Nothing;
            return ask(Document::Record(Enriched { record, key, object: None, missing, id_is_whole: true }));
        }
        let Some(tag) = container.filter(|_| pattern.mentions(key)) else {
            // Without a container there will be no metadata, and nobody knows what it would say.
            let missing = if container.is_none() { Missing::Pod } else { Missing::Nothing };
            let object = container.map(|_| b"{}".as_slice());
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

    /// What an earlier stage has sampled by: randomness and threshold, as far as the line or the record says so
    /// (OpenTelemetry's `sampling.randomness` and `sampling.threshold`), and as far as the rule file has that believed: whoever
    /// writes a line could keep all of his, and have one stand for any number. A record is believed to stand for a million at
    /// most.
    pub(crate) fn sampled_before(&self) -> (Option<u64>, Option<Threshold>) {
        if !self.input.trust_sampling {
            return (None, None);
        }
        const KEYS: u64 = key_bit(SAMPLED_BY[0].as_bytes()) | key_bit(SAMPLED_BY[1].as_bytes());
        let in_line = self.line.is_some_and(|line| match line.raw().first() {
            // Only an object has members.
            None | Some(b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'[') => false,
            Some(_) if line.has_outline() => line
                .outline()
                .is_some_and(|outline| !outline.is_whole() || outline.key_bits(line.as_json().0) & KEYS != 0),
            Some(_) => self.sampling.find(line.raw(), 0).is_some(),
        });
        if !in_line && !self.record.has_sought() {
            return (None, None);
        }
        let find = |name: &str| self.field(&[Box::from(name)]);
        let randomness = find(SAMPLED_BY[0]).and_then(|text| explicit_randomness(&text));
        let threshold = find(SAMPLED_BY[1]).and_then(|text| Threshold::parse(&text));
        (randomness, threshold.filter(|threshold| threshold.probability() >= LEAST_BELIEVED))
    }

    /// The hash of the line's template, if there is a line.
    pub(crate) fn template(&self) -> Option<u64> {
        let line = self.line?;
        Some(*self.template.get_or_init(|| template(line, &self.input.message_keys)))
    }

    /// The first trace id: in the line's JSON or its text, else in the record.
    pub(crate) fn trace_id(&self) -> Option<TraceId> {
        let paths = &self.input.trace_id;
        let read = |path: &Path, value: &[u8]| TraceId::parse(value, || is_datadog(path.name()));
        let in_line = self.line.and_then(|line| match line.raw().first() {
            Some(b'{') => path::each_in_line(paths, line, read),
            _ => path::each_in_text(paths, line, read),
        });
        in_line.or_else(|| {
            if !self.record.has_sought() {
                return None;
            }
            path::each_in_json(paths, self.record.object().members().ok()?, read)
        })
    }

    /// A field of the line's JSON, else of the record.
    pub(crate) fn field(&self, path: &[Box<str>]) -> Option<Vec<u8>> {
        self.line.and_then(|line| line.field(path)).or_else(|| self.record_field(path))
    }

    fn record_field(&self, path: &[Box<str>]) -> Option<Vec<u8>> {
        match self.record.object().lookup(path)? {
            Value::String(content) | Value::Scalar(content) if content.len() > MAX_FIELD => None,
            Value::String(content) => Some(json::unescape(content)),
            Value::Scalar(text) => Some(text.to_vec()),
            Value::Object(_) | Value::Array(_) => None,
        }
    }
}

/// Where OpenTelemetry's samplers leave randomness and threshold.
pub(crate) const SAMPLED_BY: [&str; 2] = ["sampling.randomness", "sampling.threshold"];

/// The smallest probability that a record is believed to have passed.
const LEAST_BELIEVED: f64 = 1e-6;

/// The bit of a severity, or of none that is known.
#[inline]
pub(crate) fn level_bit(severity: Option<Severity>) -> u8 {
    match severity {
        None => 1,
        Some(severity) => 2u8.wrapping_shl(severity as u32),
    }
}

/// The bit of a record's stream.
#[inline]
pub(crate) fn stream_bit(stream: StreamName) -> u8 {
    match stream {
        StreamName::Stdout => 1,
        StreamName::Stderr => 2,
        StreamName::Other => 4,
    }
}

/// Whether a trace id under this name may be a decimal number.
fn is_datadog(name: &str) -> bool {
    name.split(['.', '_', '-']).any(|part| matches!(part, "dd" | "datadog"))
}
