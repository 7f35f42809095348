//! Guards, then rules, first match decides; a condition that needs metadata which is missing stops the search.

use crate::config::RuleFile;
use crate::config::model::{Action, Policy, Rule, Sample, SeverityTest, When};
use crate::engine::facts::{Facts, Metadata, age_holds};
use crate::engine::{Verdict, Why};
use crate::pattern::{Searched, Truth};
use crate::tag::ContainerTag;
use crate::time::Now;

/// Whether a record meets the conditions of a rule; the name is that of the first condition that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    Yes,
    No(&'static str),
    /// All others hold, this one cannot be known.
    Unknown(&'static str),
}

/// For each guard and rule, whether a tag's names meet its conditions on them. Decided once per tag.
pub(super) fn tag_meets(rules: &RuleFile, container: Option<ContainerTag<'_>>) -> Box<[bool]> {
    rules
        .guards
        .iter()
        .chain(&rules.rules)
        .map(|rule| names_met(&rule.when, container.as_ref()).is_none())
        .collect()
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

/// The verdict on a record. `meets` is [`tag_meets`] of its tag.
#[inline]
pub(super) fn decide(
    rules: &RuleFile,
    meets: &[bool],
    facts: &Facts<'_>,
    metadata: &mut Metadata<'_>,
    random: &mut fastrand::Rng,
) -> Verdict {
    let (guards_meet, rules_meet) = meets.split_at(rules.guards.len().min(meets.len()));
    for (at, (rule, tag_is_met)) in rules.guards.iter().zip(guards_meet).enumerate() {
        if *tag_is_met && let Some(verdict) = verdict(rule, Why::Guard(at), facts, metadata, random) {
            return verdict;
        }
    }
    for (at, (rule, tag_is_met)) in rules.rules.iter().zip(rules_meet).enumerate() {
        if *tag_is_met && let Some(verdict) = verdict(rule, Why::Rule(at), facts, metadata, random) {
            return verdict;
        }
    }
    Verdict { action: rules.no_match, why: Why::NoMatch }
}

/// What one guard or rule says; nothing when it does not apply.
#[inline]
fn verdict(
    rule: &Rule,
    why: Why,
    facts: &Facts<'_>,
    metadata: &mut Metadata<'_>,
    random: &mut fastrand::Rng,
) -> Option<Verdict> {
    if is_over(rule, facts.now) {
        return None;
    }
    match met(&rule.when, facts, metadata) {
        Met::Yes => Some(Verdict { action: act(&rule.policy, facts, metadata, random), why }),
        Met::No(_) => None,
        Met::Unknown(_) => Some(Verdict { action: Action::Keep, why: Why::Unknown }),
    }
}

/// Whether a rule's time is over.
#[inline]
pub(super) fn is_over(rule: &Rule, now: Now) -> bool {
    rule.until.is_some_and(|until| i64::try_from(now.seconds()).unwrap_or(i64::MAX) >= until)
}

/// Whether a record meets the conditions besides those on the tag's names, cheapest first and metadata last.
#[inline]
pub(super) fn met(when: &When, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Met {
    if let Some(stream) = &when.stream
        && facts.record.stream() != Some(stream.as_bytes())
    {
        return Met::No("stream");
    }
    if let Some(test) = &when.severity {
        let holds = match (test, facts.severity()) {
            (SeverityTest::Compared(comparison, level), Some(severity)) => comparison.holds(severity, *level),
            (SeverityTest::Compared(..), None) => false,
            (SeverityTest::Unknown, severity) => severity.is_none(),
        };
        if !holds {
            return Met::No("severity");
        }
    }
    if let Some(pattern) = &when.message
        && !facts.line.is_some_and(|line| pattern.matches(&Searched::alone(line)))
    {
        return Met::No("message");
    }
    if when.asks_for_metadata() { metadata_met(when, facts, metadata) } else { Met::Yes }
}

/// The conditions on the record as a whole and on metadata.
fn metadata_met(when: &When, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Met {
    let mut unknown = None;
    if let Some(pattern) = &when.record {
        match facts.record_matches(pattern, metadata) {
            Truth::Yes => {}
            Truth::No => return Met::No("record"),
            Truth::Unknown => unknown = Some("record"),
        }
    }
    let needed = [
        ("labels", when.labels.is_some()),
        ("annotations", when.annotations.is_some()),
        ("workload", when.workload.is_some()),
        ("container_age", when.container_age.is_some()),
    ];
    let Some((first, _)) = needed.into_iter().find(|(_, is_asked)| *is_asked) else {
        return unknown.map_or(Met::Yes, Met::Unknown);
    };
    // A tag that names no container has no metadata either. That may well be a tag prefix that does not fit, so this is
    // no answer to act on.
    let Some(meta) = metadata.get() else { return Met::Unknown(unknown.unwrap_or(first)) };
    for (key, selector, pairs) in
        [("labels", &when.labels, &meta.labels), ("annotations", &when.annotations, &meta.annotations)]
    {
        let Some(selector) = selector else { continue };
        match pairs {
            Some(pairs) if selector.matches(|key| pairs.get(key)) => {}
            Some(_) => return Met::No(key),
            None => unknown = unknown.or(Some(key)),
        }
    }
    if let Some(globs) = &when.workload {
        match &meta.workload {
            Some(name) if globs.matches(name) => {}
            None if !meta.known => unknown = unknown.or(Some("workload")),
            _ => return Met::No("workload"),
        }
    }
    if let Some(test) = when.container_age {
        match meta.started {
            Some(started) if age_holds(test, started, facts.time) => {}
            Some(_) => return Met::No("container_age"),
            None => unknown = unknown.or(Some("container_age")),
        }
    }
    unknown.map_or(Met::Yes, Met::Unknown)
}

#[inline]
fn act(
    policy: &Policy,
    facts: &Facts<'_>,
    metadata: &mut Metadata<'_>,
    random: &mut fastrand::Rng,
) -> Action {
    match policy {
        Policy::Keep => Action::Keep,
        Policy::Drop => Action::Drop,
        // A missing trace id never drops by itself: without any key, the generator decides.
        Policy::Sample(sample) => {
            keyed(sample, facts, metadata).unwrap_or_else(|| drawn(sample, random.u64(..)))
        }
    }
}

/// The sampling policy of what decided, if it has one.
#[inline]
pub(super) fn sample_of(rules: &RuleFile, why: Why) -> Option<&Sample> {
    let Why::Rule(at) = why else { return None };
    match &rules.rules.get(at)?.policy {
        Policy::Sample(sample) => Some(sample),
        Policy::Keep | Policy::Drop => None,
    }
}

/// What the first key that the record has decides, or `None` when it has none.
pub(super) fn keyed(sample: &Sample, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Option<Action> {
    let randomness = sample.by.iter().find_map(|key| facts.randomness(key, metadata))?;
    Some(drawn(sample, randomness))
}

fn drawn(sample: &Sample, randomness: u64) -> Action {
    if sample.threshold.keeps(randomness) { Action::Keep } else { Action::Drop }
}
