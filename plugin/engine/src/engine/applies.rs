//! Whether a guard or rule applies to a record, and whether that matters.
//!
//! The rule kept here: `explain` and the pipeline ask the same questions, so what one says the other does.

use crate::condition::{Condition, Met};
use crate::config::RuleFile;
use crate::config::model::{Owner, Policy, Rule};
use crate::engine::rule_id::RuleId;
use crate::engine::rule_set::{ActiveRule, RuleSet};
use crate::facts::{Facts, Metadata};
use crate::key::RecordKeys;
use crate::policy::Action;
use crate::time::Now;

/// Whether a guard or rule applies to a record whose tag meets its conditions on names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Applies<'r> {
    /// Its `until` is over.
    Over,
    /// This condition does not hold.
    No(&'r Condition),
    /// An annotation of the pod comes before it.
    Excluded,
    /// All others hold, this one cannot be known.
    Unknown(&'r Condition),
    /// It decides.
    Yes,
}

/// `is_met`: that the record meets its conditions is known.
#[inline]
pub(super) fn applies<'r>(
    file: &RuleFile,
    rule: &'r Rule,
    is_met: bool,
    facts: &Facts<'_>,
    metadata: &mut Metadata<'_>,
) -> Applies<'r> {
    if is_over(rule, facts.now) {
        return Applies::Over;
    }
    let met = if is_met { Met::Yes } else { rule.when.met(facts, metadata) };
    match met {
        Met::No(condition) => Applies::No(condition),
        Met::Unknown(condition) if rule.shadow => Applies::Unknown(condition),
        met if !precedes_exclusion(rule, met) && is_excluded(file, facts, metadata) => Applies::Excluded,
        Met::Unknown(condition) => Applies::Unknown(condition),
        Met::Yes => Applies::Yes,
    }
}

/// Whether a record comes to the same whether this guard or rule applies or not: the search may go on then.
pub(super) fn makes_no_difference(
    file: &RuleFile,
    rules: &RuleSet,
    id: RuleId,
    facts: &Facts<'_>,
    metadata: &mut Metadata<'_>,
) -> bool {
    let certain = rules.get(id).and_then(|active| certain_of(&active.rule, facts, metadata));
    certain.is_some_and(|action| certain_behind(file, rules, id, facts, metadata) == Some(action))
}

/// What a rule decides for certain if it applies: nothing of it hangs on chance or on what came before.
pub(super) fn certain_of(rule: &Rule, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Option<Action> {
    rule.policy.certain(&mut RecordKeys::new(facts, metadata))
}

/// What the guards and rules behind one decide for certain, whatever else is unknown.
fn certain_behind(
    file: &RuleFile,
    rules: &RuleSet,
    id: RuleId,
    facts: &Facts<'_>,
    metadata: &mut Metadata<'_>,
) -> Option<Action> {
    // What has to be decided in the same way by all that may apply before the first that does.
    let mut all: Option<Action> = None;
    let mut agree = |action: Action| match all {
        Some(other) if other != action => None,
        _ => {
            all = Some(action);
            all
        }
    };
    for ActiveRule { rule, .. } in rules.behind(id) {
        let is_out = rule.shadow
            || rule.owner == Owner::Pods
            || is_over(rule, facts.now)
            || rule.when.unmet_by_tag(facts.container().as_ref()).is_some();
        if is_out {
            continue;
        }
        match rule.when.met(facts, metadata) {
            Met::No(_) => {}
            Met::Unknown(_) => {
                agree(certain_of(rule, facts, metadata)?)?;
            }
            Met::Yes => return agree(certain_of(rule, facts, metadata)?),
        }
    }
    agree(file.no_match)
}

/// Whether a rule decides although an annotation that excludes comes before all rules: a drop that needs no metadata comes to
/// the same and saves the look-up.
#[inline]
fn precedes_exclusion(rule: &Rule, met: Met<'_>) -> bool {
    met == Met::Yes
        && matches!(rule.policy, Policy::Drop(_))
        && !rule.shadow
        && !rule.when.asks_for_metadata()
}

/// Whether an annotation of the pod keeps the record out.
#[inline]
pub(super) fn is_excluded(file: &RuleFile, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> bool {
    file.exclude_annotations
        && metadata.get().is_some_and(|meta| match facts.record.stream() {
            Some(b"stdout") => meta.excluded.stdout,
            Some(b"stderr") => meta.excluded.stderr,
            _ => meta.excluded.stdout && meta.excluded.stderr,
        })
}

/// Whether a rule's time is over.
#[inline]
pub(super) fn is_over(rule: &Rule, now: Now) -> bool {
    rule.until.is_some_and(|until| i64::try_from(now.seconds()).unwrap_or(i64::MAX) >= until)
}
