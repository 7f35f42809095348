//! Whether a record meets the conditions of a rule: yes, no, or unknown where metadata that is missing would tell.

use crate::config::model::{SeverityTest, When};
use crate::engine::facts::{Facts, Metadata, age_holds};
use crate::pattern::{Searched, Truth};
use crate::tag::ContainerTag;

/// Whether a record meets the conditions of a rule; the name is that of the first condition that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    Yes,
    No(&'static str),
    /// All others hold, this one cannot be known.
    Unknown(&'static str),
}

/// The first condition on the tag's names that does not hold.
pub(super) fn names_met(when: &When, container: Option<&ContainerTag<'_>>) -> Option<&'static str> {
    let fails = |globs: &Option<crate::glob::Globs>, name: Option<&str>| {
        globs.as_ref().is_some_and(|globs| !name.is_some_and(|name| globs.matches(name)))
    };
    if fails(&when.namespace, container.map(|tag| tag.namespace)) {
        Some("namespace")
    } else if fails(&when.pod, container.map(|tag| tag.pod)) {
        Some("pod")
    } else if fails(&when.container, container.map(|tag| tag.container)) {
        Some("container")
    } else {
        None
    }
}

/// Whether a record meets the conditions besides those on the tag's names, cheapest first and metadata last.
#[inline]
pub(super) fn met(when: &When, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Met {
    // Taken apart as a whole, here and below, so that a new condition cannot be forgotten.
    let When {
        namespace: _,
        pod: _,
        container: _,
        stream,
        severity,
        message,
        record: _,
        labels: _,
        annotations: _,
        workload: _,
        container_age: _,
    } = when;
    if let Some(stream) = stream
        && facts.record.stream() != Some(stream.as_bytes())
    {
        return Met::No("stream");
    }
    if let Some(test) = severity {
        let holds = match (test, facts.severity()) {
            (SeverityTest::Compared(comparison, level), Some(severity)) => comparison.holds(severity, *level),
            (SeverityTest::Compared(..), None) => false,
            (SeverityTest::Unknown, severity) => severity.is_none(),
        };
        if !holds {
            return Met::No("severity");
        }
    }
    if let Some(pattern) = message
        && !facts.line.is_some_and(|line| pattern.matches(&Searched::alone(line)))
    {
        return Met::No("message");
    }
    if when.asks_for_metadata() { metadata_met(when, facts, metadata) } else { Met::Yes }
}

/// The conditions on the record as a whole and on metadata.
fn metadata_met(when: &When, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Met {
    let When {
        namespace: _,
        pod: _,
        container: _,
        stream: _,
        severity: _,
        message: _,
        record,
        labels,
        annotations,
        workload,
        container_age,
    } = when;
    let mut unknown = None;
    if let Some(pattern) = record {
        match facts.record_matches(pattern, metadata) {
            Truth::Yes => {}
            Truth::No => return Met::No("record"),
            Truth::Unknown => unknown = Some("record"),
        }
    }
    let asked = [
        ("labels", labels.is_some()),
        ("annotations", annotations.is_some()),
        ("workload", workload.is_some()),
        ("container_age", container_age.is_some()),
    ];
    let Some((first, _)) = asked.into_iter().find(|(_, is_asked)| *is_asked) else {
        return unknown.map_or(Met::Yes, Met::Unknown);
    };
    // A tag that names no container has no metadata either. That may well be a tag prefix that does not fit, so this is
    // no answer to act on.
    let Some(meta) = metadata.get() else { return Met::Unknown(unknown.unwrap_or(first)) };
    for (key, selector, pairs) in
        [("labels", labels, &meta.labels), ("annotations", annotations, &meta.annotations)]
    {
        let Some(selector) = selector else { continue };
        match pairs {
            Some(pairs) if selector.matches(|key| pairs.get(key)) => {}
            Some(_) => return Met::No(key),
            None => unknown = unknown.or(Some(key)),
        }
    }
    if let Some(globs) = workload {
        match &meta.workload {
            Some(name) if globs.matches(name) => {}
            None if !meta.known => unknown = unknown.or(Some("workload")),
            _ => return Met::No("workload"),
        }
    }
    if let Some(test) = container_age {
        match meta.started {
            Some(started) if age_holds(*test, started, facts.time) => {}
            Some(_) => return Met::No("container_age"),
            None => unknown = unknown.or(Some("container_age")),
        }
    }
    unknown.map_or(Met::Yes, Met::Unknown)
}
