//! `labels`, `annotations`, `workload`: what is known about the pod. Without metadata they are unknown.

use crate::condition::written_pattern::inside;
use crate::condition::{DecideBy, RecordTest, WrittenCondition, is, is_name};
use crate::diag::Code;
use crate::facts::{Facts, Metadata};
use crate::glob::Globs;
use crate::pattern::Truth;
use crate::pods::{Pairs, WRITTEN_ANNOTATIONS, is_written_by_default};
use crate::selector::Selector;
use crate::yaml::Mistakes;
use std::ops::Range;

/// The pod's labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels(pub(super) Selector);

/// The pod's annotations.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotations(Selector);

/// What owns the pod.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedBy(pub(super) Globs);

impl RecordTest for Labels {
    const KEY: &'static str = "labels";

    const DECIDE: DecideBy<Labels> = DecideBy::Metadata(|test, _, metadata| {
        metadata.get().map_or(Truth::Unknown, |meta| selected(&test.0, meta.of_pod.labels.as_ref()))
    });

    fn read(written: &WrittenCondition<'_>, mistakes: &mut Mistakes) -> Option<Labels> {
        selector(written, Self::KEY, mistakes).map(Labels)
    }

    fn found(&self, _: &Facts<'_>, metadata: &mut Metadata<'_>) -> Option<String> {
        unmet(&self.0, metadata.get()?.of_pod.labels.as_ref()?)
    }
}

impl RecordTest for Annotations {
    const KEY: &'static str = "annotations";

    const DECIDE: DecideBy<Annotations> = DecideBy::Metadata(|test, _, metadata| {
        metadata.get().map_or(Truth::Unknown, |meta| selected(&test.0, meta.of_pod.annotations.as_ref()))
    });

    fn read(written: &WrittenCondition<'_>, mistakes: &mut Mistakes) -> Option<Annotations> {
        let selector = selector(written, Self::KEY, mistakes)?;
        selector.keys().for_each(|key| doubt_annotation(key, &written.node.span, mistakes));
        Some(Annotations(selector))
    }

    fn found(&self, _: &Facts<'_>, metadata: &mut Metadata<'_>) -> Option<String> {
        unmet(&self.0, metadata.get()?.of_pod.annotations.as_ref()?)
    }
}

impl RecordTest for OwnedBy {
    const KEY: &'static str = "workload";

    const DECIDE: DecideBy<OwnedBy> = DecideBy::Metadata(|test, _, metadata| {
        let Some(meta) = metadata.get() else { return Truth::Unknown };
        match &meta.of_pod.workload {
            Some(name) => test.0.matches(name).into(),
            // What is on a record names no owner as a rule.
            None if !meta.known || meta.is_own => Truth::Unknown,
            None => Truth::No,
        }
    });

    fn read(written: &WrittenCondition<'_>, mistakes: &mut Mistakes) -> Option<OwnedBy> {
        mistakes.globs(written.node, Self::KEY, is_name).map(OwnedBy)
    }

    fn found(&self, _: &Facts<'_>, metadata: &mut Metadata<'_>) -> Option<String> {
        Some(is(Self::KEY, metadata.get()?.of_pod.workload.as_deref()))
    }
}

/// Notes an annotation that the pod files lack unless the sidecar is told to write it.
pub(crate) fn doubt_annotation(key: &str, span: &Range<usize>, mistakes: &mut Mistakes) {
    if !is_written_by_default(key) {
        let message = format!("the sidecar does not write the annotation `{key}` unless it is told to");
        let help = format!("start it with `--annotations '{},{key}'`", WRITTEN_ANNOTATIONS.join(","));
        mistakes.note_with_help(Code::Unwritten, span, message, help);
    }
}

fn selected(selector: &Selector, pairs: Option<&Pairs>) -> Truth {
    match pairs {
        Some(pairs) => selector.matches(|key| pairs.get(key)).into(),
        None => Truth::Unknown,
    }
}

fn unmet(selector: &Selector, pairs: &Pairs) -> Option<String> {
    let requirement = selector.first_failed(|key| pairs.get(key))?;
    let key = requirement.key();
    Some(match pairs.get(key) {
        Some(value) => format!("{requirement}: {key} is {value:?}"),
        None => format!("{requirement}: {key} is not there"),
    })
}

fn selector(written: &WrittenCondition<'_>, key: &str, mistakes: &mut Mistakes) -> Option<Selector> {
    let (source, node) = (written.source, written.node);
    let text = mistakes.text(node, key)?;
    match Selector::parse(text) {
        // Go's parser stops there without a word, and what it has not read selects nothing less.
        Ok(_) if text.contains('\0') => {
            mistakes.note(Code::Selector, &node.span, format!("{key} must not contain a NUL character"));
            None
        }
        Ok(selector) => {
            if selector.is_empty() {
                let message = format!("an empty selector matches every pod, whatever its {key}");
                mistakes.note_with_help(
                    Code::PatternDoubt,
                    &node.span,
                    message,
                    "leave the condition out, or write one",
                );
            }
            Some(selector)
        }
        Err(error) => {
            let span = inside(source, node, text, &error.span);
            mistakes.note_with_help(Code::Selector, &span, error.to_string(), error.help());
            None
        }
    }
}
