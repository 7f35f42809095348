//! Emit: a kept record's text with what is put onto it, its pod's metadata and what it stands for.

use crate::config::RuleFile;
use crate::engine::decided::Decided;
use crate::engine::recalling::Recalled;
use crate::engine::redacting::{Redacting, TagRedaction};
use crate::engine::rule_set::ActiveRule;
use crate::engine::{Fault, Input, read_in_full};
use crate::facts::{Facts, Metadata};
use crate::pods::{PodMeta, completed};
use crate::policy::{Decision, sampling_annotation};
use crate::record::{Append, Merge, Names, RecordShape, RecordView, Written};
use crate::secrets::has_hidden;
use std::rc::Rc;

/// The key under which a record says which sampling it went through, or how many records it stands for.
pub(super) const ANNOTATION: &str = "nodesieve";

/// What was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Emitted {
    pub(super) written: Written,
    /// Whether the pod's metadata was known; `None` when the tag names no container.
    pub(super) is_known: Option<bool>,
    /// Whether labels or annotations were left out for their size.
    pub(super) is_short: bool,
    /// Whether the members of its line were put onto it.
    pub(super) is_merged: bool,
    /// Whether something of it was redacted.
    pub(super) is_redacted: bool,
    pub(super) bytes: u64,
}

/// A kept record, but for its text: who decided, and what goes onto it.
pub(super) struct Kept<'k> {
    /// The guard or rule that decided.
    pub(super) rule: Option<&'k ActiveRule>,
    pub(super) file: &'k RuleFile,
    pub(super) names: &'k Names,
    /// What is known of its pod. It is looked up before, as what it carries is made: what reads a pod's file or writes numbers goes
    /// deep, and the stack is small.
    pub(super) meta: Option<Rc<PodMeta>>,
    /// What it alone carries.
    pub(super) annotation: Option<Vec<u8>>,
}

impl Kept<'_> {
    /// Writes the answer for it, with the members of its line if these are merged.
    #[inline]
    pub(super) fn emit(
        &self,
        record: &RecordView<'_>,
        metadata: &mut Metadata<'_>,
        out: &mut Vec<u8>,
    ) -> Emitted {
        match &self.file.merge_log {
            Some(merge) if record.may_merge() => self.merged(record, merge, metadata, out),
            _ => self.put(record, metadata, false, out),
        }
    }

    /// The same of a record whose line may be a JSON object, which is merged into it. What it becomes is read like any record, so
    /// that all else holds for it as well: our members come last and once, and it is not larger than the limit.
    #[inline(never)]
    fn merged(
        &self,
        record: &RecordView<'_>,
        merge: &Merge,
        metadata: &mut Metadata<'_>,
        out: &mut Vec<u8>,
    ) -> Emitted {
        let merged = record.merged(merge, self.names);
        let view = merged.as_ref().and_then(|merged| merged.view(self.names, self.file.input.max_record));
        let is_merged = view.is_some();
        let emitted = self.put(view.as_ref().unwrap_or(record), metadata, is_merged, out);
        Emitted { is_merged, ..emitted }
    }

    /// As [`Kept::emit`] of a record of which something may have to go.
    #[inline(never)]
    pub(super) fn emit_redacted(
        &self,
        redacting: &Redacting,
        (tag, input): (&mut TagRedaction, Input<'_>),
        (record, facts, metadata): (&RecordView<'_>, &Facts<'_>, &mut Metadata<'_>),
        out: &mut Vec<u8>,
    ) -> Result<Emitted, Fault> {
        let Some(text) = redacting.kept(tag, input, facts, metadata, &[&self.file.enrich.key]) else {
            return Ok(self.emit(record, metadata, out));
        };
        // What it became is read like any record: it may be longer than the limit now.
        let mut shape = RecordShape::default();
        let redacted = read_in_full(&text, self.names, &mut shape)?;
        Ok(Emitted { is_redacted: true, ..self.emit(&redacted, metadata, out) })
    }

    /// Writes a text of it, which may be that with the members of its line.
    #[inline]
    fn put(
        &self,
        record: &RecordView<'_>,
        metadata: &mut Metadata<'_>,
        is_merged: bool,
        out: &mut Vec<u8>,
    ) -> Emitted {
        let Kept { rule, file, meta, .. } = self;
        let object = meta.as_ref().and_then(|meta| meta.ending.object());
        // What is on the record about its own pod stays, and gets what it has not.
        let own = metadata.own_object();
        let completed = own.filter(|_| metadata.has_container()).and_then(|own| completed(own, object?));
        let object = match own {
            None => object,
            // A line that was merged may have brought another one.
            Some(own) if is_merged => Some(completed.as_deref().unwrap_or(own)),
            Some(_) => completed.as_deref(),
        };
        let kubernetes = object.map(|value| Append { key: &file.enrich.key, value });
        let of_rule = rule.and_then(|active| active.annotation.as_deref());
        // What stands there already is not of our making and would be counted as ours.
        let foreign = record.has_own(ANNOTATION).then_some(b"{}".as_slice());
        let annotation =
            self.annotation.as_deref().or(of_rule).or(foreign).map(|value| Append { key: ANNOTATION, value });
        let most = file.input.max_record;
        if let Some(meta) = meta.as_ref()
            && own.is_none()
            && let Some(members) = record.spliced_at()
            && record.write_ended(members, meta.ending.text(), annotation.as_ref(), most, out)
        {
            return Emitted::ended(meta, out);
        }
        let written = match (kubernetes, annotation) {
            (Some(first), Some(second)) => record.write(&[first, second], most, out),
            (Some(one), None) | (None, Some(one)) => record.write(&[one], most, out),
            (None, None) => record.write(&[], most, out),
        };
        Emitted {
            written,
            is_known: meta.as_ref().map(|meta| meta.known),
            is_short: meta.as_ref().is_some_and(|meta| meta.truncated),
            is_merged: false,
            is_redacted: false,
            bytes: out.len() as u64,
        }
    }
}

impl Emitted {
    /// A record with all of its own, and what stands ready in `metadata`.
    #[inline]
    fn ended(metadata: &PodMeta, out: &[u8]) -> Emitted {
        let PodMeta { known, truncated, .. } = *metadata;
        let bytes = out.len() as u64;
        Emitted {
            written: Written::default(),
            is_known: Some(known),
            is_short: truncated,
            is_merged: false,
            is_redacted: false,
            bytes,
        }
    }
}

/// Writes the answer for a kept record that nobody has to read: it is laid out as one before it, and what is put onto it stands
/// ready in `metadata`; and nothing of it has to go. Does nothing when one of these is not so.
#[inline]
pub(super) fn emit_unread(
    text: &[u8],
    (shape, redaction): (&mut RecordShape, &TagRedaction),
    metadata: &PodMeta,
    most: usize,
    out: &mut Vec<u8>,
) -> Option<Emitted> {
    let end = if redaction.is_none() { shape.close_of(text)? } else { clear_end(text, shape, redaction)? };
    emit_spliced(text.get(..end)?, metadata, most, out)
}

/// Where the closing brace stands of a record that nobody has read, if nothing of it has to go.
#[inline(never)]
fn clear_end(text: &[u8], shape: &mut RecordShape, redaction: &TagRedaction) -> Option<usize> {
    let closed = shape.closed(text, redaction.sought())?;
    if closed.lacks && !closed.may_hide && redaction.knows_clear(closed.front) {
        return Some(closed.at);
    }
    let may_hide = closed.may_hide && has_hidden(text);
    (!redaction.may_hit(text, closed.front, may_hide)).then_some(closed.at)
}

/// The same of a record's `own` members.
#[inline]
pub(super) fn emit_spliced(
    own: &[u8],
    metadata: &PodMeta,
    most: usize,
    out: &mut Vec<u8>,
) -> Option<Emitted> {
    let ending = metadata.ending.text();
    if own.len().wrapping_add(ending.len()) > most {
        return None;
    }
    out.extend_from_slice(own);
    out.extend_from_slice(ending);
    Some(Emitted::ended(metadata, out))
}

/// What a record carries that brings lines back.
#[inline(never)]
fn recalling(decided: Decided, rule: Option<&ActiveRule>, recalled: &Recalled) -> Vec<u8> {
    let name = rule.map(|active| &*active.rule.name).unwrap_or_default();
    let mut object = format!("{{\"rule\":\"{name}\"").into_bytes();
    if decided.count() > 1 {
        object.extend_from_slice(format!(",\"count\":{}", decided.count()).as_bytes());
    }
    object.extend_from_slice(b",\"recalled\":");
    object.extend_from_slice(&recalled.array);
    object.push(b'}');
    object
}

/// What this record alone carries: the lines that come back with it, the records it stands for, or the threshold of an earlier stage.
/// Names of rules need no escapes.
#[inline]
pub(super) fn annotation(
    decided: Decided,
    rule: Option<&ActiveRule>,
    file: &RuleFile,
    recalled: Option<&Recalled>,
) -> Option<Vec<u8>> {
    if let Some(recalled) = recalled {
        return Some(recalling(decided, rule, recalled));
    }
    let Decided::ByRule { decision, .. } = decided else { return None };
    if !file.annotate {
        return None;
    }
    match decision {
        Decision::KeepAbove(_) | Decision::Lifted { .. } => told(decision, rule?),
        Decision::KeepFor { count, .. } if count > 1 => told(decision, rule?),
        Decision::KeepFor { .. }
        | Decision::Keep
        | Decision::Drop
        | Decision::Fits { .. }
        | Decision::DropOf { .. } => None,
    }
}

#[inline(never)]
fn told(decision: Decision, rule: &ActiveRule) -> Option<Vec<u8>> {
    let name = &rule.rule.name;
    match decision {
        Decision::KeepAbove(threshold) => Some(sampling_annotation(name, threshold.probability(), threshold)),
        Decision::KeepFor { count, .. } => {
            Some(format!("{{\"rule\":\"{name}\",\"count\":{count}}}").into_bytes())
        }
        Decision::Lifted { .. } => Some(format!("{{\"rule\":\"{name}\",\"lifted\":true}}").into_bytes()),
        Decision::Keep | Decision::Drop | Decision::Fits { .. } | Decision::DropOf { .. } => None,
    }
}
