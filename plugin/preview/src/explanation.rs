//! Why a record is kept or dropped: every guard and rule in order, with the condition that failed.

use crate::inputs::Record;
use nodesieve_engine::config::model::Action;
use nodesieve_engine::engine::{Engine, Explained, Fault, Input, Why};
use nodesieve_engine::metrics::Metric;
use nodesieve_engine::pods::PodSource;
use nodesieve_engine::time::{EventTime, Now};
use serde::Serialize;

/// An explanation as `--format json` tells it, one object per record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// `keep`, `drop`, or, of a record by itself, `depends` when chance or the records before decide.
    pub action: &'static str,
    /// The guard or rule that decides; `none`, `unknown`, `exclude` or `fault` when none does.
    pub rule: String,
    /// The severity of the record, if it states one.
    pub severity: Option<&'static str>,
    /// Whether it continues a line before it, and has its verdict; the steps are then those of the line by itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub continues: bool,
    /// Each guard and rule that was asked.
    pub steps: Vec<StepLine>,
}

/// One guard or rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepLine {
    /// `guard` or `rule`.
    pub stage: &'static str,
    /// Its name.
    pub name: String,
    /// `matched`, `failed`, `unknown`, `over` or `matched in shadow mode`.
    pub result: &'static str,
    /// The condition that failed or is unknown.
    pub condition: Option<&'static str>,
    /// The term, selector or field that decides it, and what was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Explains the next of several records, and decides it as the filter does: what it continues, and what chance and the records
/// before it have left of a limit, are known.
pub fn explain_next(
    engine: &mut Engine,
    record: &Record,
    now: Now,
    pods: &mut dyn PodSource,
    out: &mut Vec<u8>,
) -> Explanation {
    let mut explanation = explain(engine, record, now, pods);
    let time = EventTime { sec: record.time.0, nsec: record.time.1 };
    let input = Input { tag: record.tag.as_bytes(), time, text: record.text.as_bytes() };
    let continued = engine.counters().get(Metric::Continued);
    let (_, verdict) = engine.filter(input, &mut { now }, pods, out);
    explanation.continues = engine.counters().get(Metric::Continued) > continued;
    if !matches!(verdict.why, Why::Fault(_)) {
        explanation.action = match verdict.action {
            Action::Keep => "keep",
            Action::Drop => "drop",
        };
        explanation.rule = verdict.why.named(engine.rules()).1.into();
    }
    explanation
}

/// Explains one record as if it stood alone, at an instant.
pub fn explain(engine: &mut Engine, record: &Record, now: Now, pods: &mut dyn PodSource) -> Explanation {
    let time = EventTime { sec: record.time.0, nsec: record.time.1 };
    let input = Input { tag: record.tag.as_bytes(), time, text: record.text.as_bytes() };
    match engine.explain(input, now, pods) {
        Ok(explained) => tell(engine, &explained),
        Err(fault) => {
            let reason = match fault {
                Fault::Utf8 => "not UTF-8",
                Fault::Record => "not one JSON object",
                Fault::Depth => "nested too deep",
                Fault::Size => "more than 65,536 members",
            };
            let rule = format!("fault: {reason}, passed on untouched");
            Explanation { action: "keep", rule, severity: None, continues: false, steps: Vec::new() }
        }
    }
}

fn tell(engine: &Engine, explained: &Explained) -> Explanation {
    Explanation {
        action: match explained.action {
            Some(Action::Keep) => "keep",
            Some(Action::Drop) => "drop",
            // A share of a policy that says how many: by chance, or by what came before.
            None => "depends",
        },
        rule: explained.why.named(engine.rules()).1.into(),
        severity: explained.severity.map(nodesieve_engine::severity::Severity::name),
        continues: false,
        steps: explained
            .steps
            .iter()
            .map(|step| StepLine {
                stage: step.stage.name(),
                name: step.name.to_string(),
                result: step.result.name(),
                condition: step.result.condition(),
                detail: step.detail.clone(),
            })
            .collect(),
    }
}
