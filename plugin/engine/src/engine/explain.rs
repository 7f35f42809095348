//! The same decision, told step by step: which rule was asked, and which condition failed.

use crate::config::BY_SAMPLE;
use crate::config::model::{Owner, PolicyKind};
use crate::engine::applies::{self, Applies};
use crate::engine::delegating::PodAsks;
use crate::engine::{Action, Engine, Fault, Input, Why, read_in_full};
use crate::facts::{Facts, Metadata, Own};
use crate::metrics::Stage;
use crate::pods::PodSource;
use crate::severity::Severity;
use crate::tag_names::TagNames;
use crate::time::Now;

/// How a record is decided, without deciding it: no counter moves and no generator is drawn from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Every guard and rule that was asked, in order.
    pub steps: Vec<Step>,
    /// The line's severity.
    pub severity: Option<Severity>,
    /// What decides; `None` when a generator would draw or it hangs on the records before.
    pub action: Option<Action>,
    /// Why.
    pub why: Why,
}

/// One guard or rule and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: Box<str>,
    /// Guard or rule.
    pub stage: Stage,
    /// Its answer.
    pub result: StepResult,
    /// Of a condition that failed or is unknown: the term, selector or field that decides it and what was found.
    pub detail: Option<String>,
}

/// The answer of a guard or rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepResult {
    /// It decides.
    Matched,
    /// This condition does not hold.
    Failed(&'static str),
    /// This condition cannot be known; the record is kept, unless it comes to the same either way.
    Unknown(&'static str),
    /// It would decide, and only counts what it would do: the search goes on.
    Shadow,
    /// Its `until` is over.
    Over,
}

impl StepResult {
    /// The word for it, wherever explanations are shown.
    pub fn name(self) -> &'static str {
        match self {
            StepResult::Matched => "matched",
            StepResult::Failed(_) => "failed",
            StepResult::Unknown(_) => "unknown",
            StepResult::Shadow => "matched in shadow mode",
            StepResult::Over => "over",
        }
    }

    /// The condition that failed or is unknown.
    pub fn condition(self) -> Option<&'static str> {
        match self {
            StepResult::Failed(key) | StepResult::Unknown(key) => Some(key),
            StepResult::Matched | StepResult::Shadow | StepResult::Over => None,
        }
    }
}

impl Engine {
    /// Explains one record as if it stood alone: a continuation line is judged by itself.
    ///
    /// # Errors
    /// [`Fault`] for a record that could not be read and would be echoed.
    pub fn explain(
        &mut self,
        input: Input<'_>,
        now: Now,
        pods: &mut dyn PodSource,
    ) -> Result<Explained, Fault> {
        let Engine { file, rules, names, shape, cache, own, sampling, .. } = self;
        let tag = std::str::from_utf8(input.tag).map_err(|_| Fault::Utf8)?;
        let record = read_in_full(input.text, names, shape)?;
        let line = record.line();
        let container = file.input.container_of(tag);
        let of_tag = TagNames::of(tag, container);
        let facts =
            Facts::new(&record, line.as_ref(), &of_tag, (input.time, now), &file.input, sampling, None);
        let own = Own::of(&record, &file.enrich, own);
        let mut metadata = Metadata::new(&of_tag, &file.enrich, now, (cache, None), own, pods);
        let mut steps = Vec::new();
        let mut found = None;
        for (id, active) in rules.all() {
            let rule = &active.rule;
            if rule.owner == Owner::Pods {
                let asks = metadata.get().filter(|meta| meta.asks).map(|meta| PodAsks::of(&meta));
                let Some(asks) = asks.filter(|asks| asks.is_on(now.0)) else { continue };
                let is_error = facts.severity() >= Some(Severity::Error);
                let Some(delegate) = &file.delegate else { continue };
                let may = |kind: PolicyKind| delegate.policies.contains(&kind);
                let is_it = match *rule.name == *BY_SAMPLE {
                    true => asks.sample.is_some() && may(PolicyKind::Sample),
                    false => asks.limit.is_some() && may(PolicyKind::Limit),
                };
                if is_it && (delegate.may_drop_errors || !is_error) {
                    let (result, stage) = (StepResult::Matched, Stage::Rule);
                    steps.push(Step { name: rule.name.clone(), stage, result, detail: None });
                    found = Some((None, active.why));
                    break;
                }
                continue;
            }
            let applies = match rule.when.unmet_by_tag(container.as_ref()) {
                Some(condition) if !applies::is_over(rule, now) => Applies::No(condition),
                _ => applies::applies(file, rule, false, &facts, &mut metadata),
            };
            if active.why == Why::NoMatch {
                // It is no rule of the file; whether there is room hangs on the records before.
                let is_excluded = applies == Applies::Excluded;
                let why = if is_excluded { Why::Exclude } else { Why::NoMatch };
                found = Some((is_excluded.then_some(Action::Drop), why));
                break;
            }
            let (result, detail) = match applies {
                Applies::Excluded => {
                    found = Some((Some(Action::Drop), Why::Exclude));
                    break;
                }
                Applies::Over => (StepResult::Over, None),
                Applies::No(condition) => {
                    (StepResult::Failed(condition.key()), condition.found(&facts, &mut metadata))
                }
                Applies::Unknown(condition) => {
                    (StepResult::Unknown(condition.key()), Some(unknown(&mut metadata)))
                }
                Applies::Yes if rule.shadow => (StepResult::Shadow, None),
                Applies::Yes => (StepResult::Matched, None),
            };
            let stage = if rules.is_guard(id) { Stage::Guard } else { Stage::Rule };
            steps.push(Step { name: rule.name.clone(), stage, result, detail });
            match result {
                StepResult::Unknown(_)
                    if !rule.shadow
                        && !applies::makes_no_difference(file, rules, id, &facts, &mut metadata) =>
                {
                    // Below a guard's ceiling it is kept; whether it is hangs on the records before.
                    let action = (!rule.policy.charges_unknown()).then_some(Action::Keep);
                    found = Some((action, Why::Unknown));
                    break;
                }
                StepResult::Matched => {
                    found = Some((applies::certain_of(rule, &facts, &mut metadata), active.why));
                    break;
                }
                StepResult::Unknown(_) | StepResult::Failed(_) | StepResult::Shadow | StepResult::Over => {}
            }
        }
        let (action, why) = match found {
            Some(found) => found,
            None if file.no_match == Action::Keep && applies::is_excluded(file, &facts, &mut metadata) => {
                (Some(Action::Drop), Why::Exclude)
            }
            None => (Some(file.no_match), Why::NoMatch),
        };
        Ok(Explained { steps, severity: facts.severity(), action, why })
    }
}

/// What is missing where a condition is unknown.
fn unknown(metadata: &mut Metadata<'_>) -> String {
    match metadata.get() {
        None => "the tag names no container".into(),
        Some(meta) if !meta.known => "there is no pod file".into(),
        Some(_) => "the pod file does not list this run of the container yet".into(),
    }
}
