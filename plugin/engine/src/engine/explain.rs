//! The same decision, told step by step: which rule was asked, and which condition failed.

use crate::config::model::{Action, Policy, When};
use crate::engine::conditions::{self, Met};
use crate::engine::decide;
use crate::engine::facts::{Facts, Metadata};
use crate::engine::{Engine, Fault, Input, Why, read};
use crate::metrics::Stage;
use crate::pods::{Pairs, PodSource};
use crate::selector::Selector;
use crate::severity::Severity;
use crate::tag::ContainerTag;
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
        let Engine { rules, names, shape, cache, sampling, .. } = self;
        let tag = std::str::from_utf8(input.tag).map_err(|_| Fault::Utf8)?;
        let record = read(input.text, names, shape)?;
        let line = record.line();
        let container = ContainerTag::parse(tag, &rules.input.tag_prefix);
        let facts = Facts::new(&record, line.as_ref(), container, input.time, now, &rules.input, sampling);
        let mut metadata = Metadata::new(tag, container, &rules.enrich, now, cache, pods);
        let mut steps = Vec::new();
        let mut found = None;
        let guards = rules.guards.iter().enumerate().map(|(at, rule)| (Why::Guard(at), Stage::Guard, rule));
        let all =
            guards.chain(rules.rules.iter().enumerate().map(|(at, rule)| (Why::Rule(at), Stage::Rule, rule)));
        for (at, (why, stage, rule)) in all.enumerate() {
            let mut asked = None;
            let result = if decide::is_over(rule, now) {
                StepResult::Over
            } else if let Some(key) = conditions::names_met(&rule.when, container.as_ref()) {
                StepResult::Failed(key)
            } else {
                let met = conditions::met(&rule.when, &facts, &mut metadata);
                asked = Some(met).filter(|met| match met {
                    Met::Yes => true,
                    Met::No(_) => false,
                    Met::Unknown(_) => !rule.shadow,
                });
                match met {
                    Met::Yes if rule.shadow => StepResult::Shadow,
                    Met::Yes => StepResult::Matched,
                    Met::No(key) => StepResult::Failed(key),
                    Met::Unknown(key) => StepResult::Unknown(key),
                }
            };
            if let Some(met) = asked
                && !decide::precedes_exclusion(rule, met)
                && decide::is_excluded(rules, &facts, &mut metadata)
            {
                found = Some((Some(Action::Drop), Why::Exclude));
                break;
            }
            let detail = match result {
                StepResult::Failed(key) => detail(&rule.when, key, &facts, &mut metadata),
                StepResult::Unknown(_) => Some(unknown(&mut metadata)),
                StepResult::Matched | StepResult::Shadow | StepResult::Over => None,
            };
            steps.push(Step { name: rule.name.clone(), stage, result, detail });
            match result {
                StepResult::Unknown(_)
                    if !rule.shadow
                        && !decide::makes_no_difference(rules, at, rule, &facts, &mut metadata) =>
                {
                    // Below a guard's ceiling it is kept; whether it is hangs on the records before.
                    let action = rule.ceiling.is_none().then_some(Action::Keep);
                    found = Some((action, Why::Unknown));
                    break;
                }
                StepResult::Matched => {
                    let action = match &rule.policy {
                        Policy::Keep if rule.ceiling.is_none() => Some(Action::Keep),
                        Policy::Drop => Some(Action::Drop),
                        Policy::Sample(sample) => {
                            decide::keyed(sample, &facts, &mut metadata).map(|(action, _)| action)
                        }
                        _ => None,
                    };
                    found = Some((action, why));
                    break;
                }
                _ => {}
            }
        }
        let (action, why) = match found {
            Some(found) => found,
            None if rules.no_match == Action::Keep && decide::is_excluded(rules, &facts, &mut metadata) => {
                (Some(Action::Drop), Why::Exclude)
            }
            None => (Some(rules.no_match), Why::NoMatch),
        };
        Ok(Explained { steps, severity: facts.severity(), action, why })
    }
}

/// What the record has where a condition does not hold.
fn detail(when: &When, key: &str, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Option<String> {
    let is = |name: &str, found: Option<&str>| match found {
        Some(found) => format!("{name} is {found}"),
        None => format!("there is no {name}"),
    };
    let container = facts.container;
    Some(match key {
        "namespace" => is(key, container.map(|tag| tag.namespace)),
        "pod" => is(key, container.map(|tag| tag.pod)),
        "container" => is(key, container.map(|tag| tag.container)),
        "stream" => is(key, facts.record.stream().and_then(|stream| std::str::from_utf8(stream).ok())),
        "severity" => is(key, Some(facts.severity().map_or("unknown", Severity::name))),
        "message" => match facts.line {
            Some(line) => when.message.as_ref()?.why_not(line)?,
            None => "the record has no message".into(),
        },
        "record" => {
            let pattern = when.record.as_ref()?;
            let enrichment = metadata.enrichment;
            let meta = if pattern.reaches_into(&enrichment.key) { metadata.get() } else { None };
            facts.document(pattern, enrichment, meta.as_deref(), |document| {
                pattern.why_not_document(&document)
            })?
        }
        _ => {
            let meta = metadata.get()?;
            match (key, &meta.labels, &meta.annotations) {
                ("labels", Some(pairs), _) => unmet(when.labels.as_ref()?, pairs)?,
                ("annotations", _, Some(pairs)) => unmet(when.annotations.as_ref()?, pairs)?,
                ("container_age", ..) => {
                    let age = i64::from(facts.time.sec).saturating_sub(meta.started?);
                    format!("the container had run for {age} s")
                }
                _ => is(key, meta.workload.as_deref()),
            }
        }
    })
}

/// What is missing where a condition is unknown.
fn unknown(metadata: &mut Metadata<'_>) -> String {
    match metadata.get() {
        None => "the tag names no container".into(),
        Some(meta) if !meta.known => "there is no pod file".into(),
        Some(_) => "the pod file does not list this run of the container yet".into(),
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
