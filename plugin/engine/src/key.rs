//! The `by` of a policy: which records share a state.
//!
//! A part is here once, with its name in rule files and what a record gives for it.

use crate::diag::Code;
use crate::facts::{Facts, Metadata};
use crate::hash::{self, xxh3};
use crate::tag_names::{NamesUpTo, NamespaceId, write_names};
use crate::threshold::Threshold;
use crate::trace::TraceId;
use crate::yaml::{Mistakes, Node};
use std::borrow::Cow;

/// A key of one or more parts. Without any, all records share one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key(pub Vec<Part>);

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The tag's namespace.
    Namespace,
    /// The tag's pod, with its namespace.
    Pod,
    /// The tag's container, with its namespace and pod.
    Container,
    /// What owns the pod, with its namespace, while metadata is known.
    Workload,
    /// The record's stream.
    Stream,
    /// The line's severity.
    Severity,
    /// The trace id.
    TraceId,
    /// The line without what varies in it ([`crate::template`]).
    Template,
    /// A field of the line's JSON, else of the record, by its path.
    Field(Vec<Box<str>>),
}

/// What a policy can ask of the record it decides.
pub(crate) trait KeySource {
    /// Writes the record's key, parts ended by NUL; its hash, if that is known.
    fn write(&mut self, key: &Key, into: &mut Vec<u8>) -> Option<u64>;

    /// The 56-bit randomness of a sampling key, or `None` when the record lacks one of its parts.
    fn randomness(&mut self, key: &Key) -> Option<u64>;

    /// A key's text without what may not be shown of it, or `None` when all may.
    fn shown(&self, _text: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// The namespace that the record is from.
    fn namespace(&self) -> NamespaceId;

    /// What an earlier stage has sampled by: randomness and threshold, as far as the line or the record says so.
    fn sampled_before(&mut self) -> (Option<u64>, Option<Threshold>);
}

/// A record's key as written.
#[derive(Debug)]
pub(crate) struct KeyText {
    pub(crate) hash: u64,
    pub(crate) text: Vec<u8>,
}

impl KeyText {
    /// `hash` is that of the text, if it is known.
    pub(crate) fn new(text: Vec<u8>, hash: Option<u64>) -> KeyText {
        KeyText { hash: hash.unwrap_or_else(|| xxh3(&text)), text }
    }
}

/// A key that was written before, and the namespace whose record had it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyId {
    pub(crate) hash: u64,
    pub(crate) namespace: NamespaceId,
}

/// The keys of one record.
pub(crate) struct RecordKeys<'k, 'r, 'e> {
    pub(crate) facts: &'k Facts<'r>,
    pub(crate) metadata: &'k mut Metadata<'e>,
    /// Parts that were written and may not be shown, with what may.
    hidden: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<'k, 'r, 'e> RecordKeys<'k, 'r, 'e> {
    pub(crate) fn new(facts: &'k Facts<'r>, metadata: &'k mut Metadata<'e>) -> RecordKeys<'k, 'r, 'e> {
        RecordKeys { facts, metadata, hidden: Vec::new() }
    }
}

impl KeySource for RecordKeys<'_, '_, '_> {
    fn write(&mut self, key: &Key, into: &mut Vec<u8>) -> Option<u64> {
        if let [part] = key.0.as_slice()
            && let Some(known) = part.names().and_then(|up_to| self.facts.names.key(up_to))
        {
            into.extend_from_slice(&known.text);
            return Some(known.hash);
        }
        for part in &key.0 {
            let start = into.len();
            let is_there = part.write(self.facts, self.metadata, into);
            if let Part::Field(path) = part
                && self.facts.hides()
                && let Some(value) = into.get(start..)
                && let Some(shown) = self.facts.shown_field(path, value)
            {
                self.hidden.push((value.to_vec(), shown));
            }
            // While nobody knows what owns a pod, it is by itself: all of them under one limit would be one noisy pod's
            // doing.
            if !is_there && *part == Part::Workload {
                Part::Pod.write(self.facts, self.metadata, into);
            }
            into.push(0);
        }
        None
    }

    /// The parts that a record has would be one hash for all such records, and all of them would share one fate: so a record
    /// that lacks a part has no randomness.
    fn randomness(&mut self, key: &Key) -> Option<u64> {
        if let [Part::TraceId] = key.0.as_slice() {
            return Some(match self.facts.trace_id()? {
                // The low 56 bits, as the threshold has them.
                TraceId::Bits(bits) => bits as u64,
                TraceId::Text(text) => hash::randomness(&text, SEED),
            });
        }
        let mut text = Vec::new();
        for part in &key.0 {
            if !part.write(self.facts, self.metadata, &mut text) {
                return None;
            }
            // Keeps ("a", "bc") apart from ("ab", "c").
            text.push(0);
        }
        (!key.0.is_empty()).then(|| hash::randomness(&text, SEED))
    }

    fn shown(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut parts: Vec<&[u8]> = text.split(|byte| *byte == 0).collect();
        for (value, shown) in &self.hidden {
            parts.iter_mut().filter(|part| **part == *value).for_each(|part| *part = shown);
        }
        let written = if self.hidden.is_empty() { None } else { Some(parts.join(&0)) };
        match self.facts.shown(written.as_deref().unwrap_or(text)) {
            Cow::Owned(shown) => Some(shown),
            Cow::Borrowed(_) => written,
        }
    }

    fn namespace(&self) -> NamespaceId {
        self.facts.names.namespace()
    }

    fn sampled_before(&mut self) -> (Option<u64>, Option<Threshold>) {
        self.facts.sampled_before()
    }
}

impl Key {
    /// The `by` of a policy: one name or a list.
    pub(crate) fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Key> {
        let parts: Vec<Option<Part>> = mistakes
            .texts(node, "by")?
            .into_iter()
            .map(|(text, span)| {
                let found = part(text);
                if found.is_none() {
                    let names = NAMES.iter().map(|(name, _)| *name);
                    let help = match mistakes.near(text, names.clone()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!(
                            "known keys: {}, or a field such as $.user.id",
                            names.collect::<Vec<_>>().join(", ")
                        ),
                    };
                    mistakes.note_with_help(Code::Value, &span, format!("`{text}` is not a key"), help);
                }
                found
            })
            .collect();
        let parts = parts.into_iter().collect::<Option<Vec<Part>>>()?;
        let is_twice = |(at, part): (usize, &Part)| parts.iter().take(at).any(|other| other == part);
        if parts.iter().enumerate().any(is_twice) {
            mistakes.note(Code::Value, &node.span, "a part stands twice in this key");
            return None;
        }
        Some(Key(parts))
    }
}

impl Part {
    /// How many of the tag's names it is, if it is these.
    #[inline]
    fn names(&self) -> Option<NamesUpTo> {
        match self {
            Part::Namespace => Some(NamesUpTo::Namespace),
            Part::Pod => Some(NamesUpTo::Pod),
            Part::Container => Some(NamesUpTo::Container),
            Part::Workload
            | Part::Stream
            | Part::Severity
            | Part::TraceId
            | Part::Template
            | Part::Field(_) => None,
        }
    }

    /// Writes what a record has for it; whether it has it.
    fn write(&self, facts: &Facts<'_>, metadata: &mut Metadata<'_>, into: &mut Vec<u8>) -> bool {
        let names = |up_to: NamesUpTo, into: &mut Vec<u8>| {
            let tag = facts.container();
            tag.inspect(|tag| write_names(tag, up_to, into)).is_some()
        };
        let text = match self {
            Part::Namespace => return names(NamesUpTo::Namespace, into),
            Part::Pod => return names(NamesUpTo::Pod, into),
            Part::Container => return names(NamesUpTo::Container, into),
            Part::Workload => {
                let meta = metadata.get();
                let Some(name) = meta.as_ref().and_then(|meta| meta.of_pod.workload.as_ref()) else {
                    return false;
                };
                Part::Namespace.write(facts, metadata, into);
                into.push(b'/');
                into.extend_from_slice(name.as_bytes());
                return true;
            }
            Part::Template => {
                let Some(hash) = facts.template() else { return false };
                into.extend(hash.to_be_bytes().iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex_digit));
                return true;
            }
            Part::Stream => facts.record.stream().map(<[u8]>::to_vec),
            Part::Severity => facts.severity().map(|severity| severity.name().as_bytes().to_vec()),
            Part::TraceId => facts.trace_id().map(|id| id.key()),
            Part::Field(path) => facts.field(path),
        };
        into.extend_from_slice(text.as_deref().unwrap_or_default());
        text.is_some()
    }
}

fn part(text: &str) -> Option<Part> {
    if let Some((_, part)) = NAMES.iter().find(|(name, _)| *name == text) {
        return Some(part.clone());
    }
    let path = text.strip_prefix("$.")?;
    let is_plain = |name: &str| !name.is_empty() && !name.contains(['[', ']', '*']);
    path.split('.').all(is_plain).then(|| Part::Field(path.split('.').map(Box::from).collect()))
}

fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0'.wrapping_add(nibble) } else { b'a'.wrapping_add(nibble).wrapping_sub(10) }
}

const NAMES: [(&str, Part); 8] = [
    ("namespace", Part::Namespace),
    ("pod", Part::Pod),
    ("container", Part::Container),
    ("workload", Part::Workload),
    ("stream", Part::Stream),
    ("severity", Part::Severity),
    ("trace_id", Part::TraceId),
    ("template", Part::Template),
];
/// The seed of keyed sampling: one for all nodes and for ever, so that all keep the same keys.
const SEED: u64 = 0;
