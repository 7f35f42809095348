//! Explanations for people, and pod files for the engine without its host.

pub use nodesieve_preview::explanation::{Explanation, StepLine, explain, explain_next};

use crate::inputs::Record;
use nodesieve_engine::config::RuleFile;
use nodesieve_engine::pods::{PodSource, Unavailable};
use nodesieve_engine::time::EventTime;
use std::path::PathBuf;

/// Pod files in a directory, for the engine without its host; no directory means no pods.
#[derive(Debug)]
pub struct PodFileFolder(pub Option<PathBuf>);

impl PodSource for PodFileFolder {
    fn read(&mut self, file_name: &str, into: &mut Vec<u8>) -> Result<(), Unavailable> {
        let directory = self.0.as_ref().ok_or(Unavailable::Missing)?;
        *into = std::fs::read(directory.join(file_name)).map_err(|_| Unavailable::Missing)?;
        Ok(())
    }
}

/// An explanation for people.
pub fn text(record: &Record, explanation: &Explanation, rules: &RuleFile) -> String {
    let time = EventTime { sec: record.time.0, nsec: record.time.1 }.to_rfc3339();
    let container = rules.input.container_of(&record.tag);
    let container = container.map_or_else(
        || format!("tag {}", record.tag),
        |tag| format!("{}/{}/{}", tag.namespace, tag.pod, tag.container),
    );
    let mut out = format!("{}\n  {time} {container}\n", record.text);
    out.push_str(&format!("  severity {}\n", explanation.severity.unwrap_or("unknown")));
    for step in &explanation.steps {
        let condition = step.condition.map(|key| format!(": {key}")).unwrap_or_default();
        let detail = step.detail.as_ref().map(|detail| format!(", {detail}")).unwrap_or_default();
        out.push_str(&format!("  {} {}: {}{condition}{detail}\n", step.stage, step.name, step.result));
    }
    let how = if explanation.continues { ", as the line that it continues" } else { "" };
    out.push_str(&format!("  => {} ({}{how})\n", explanation.action, explanation.rule));
    if let Some(words) = meaning(explanation, rules) {
        out.push_str(&format!("     {words}\n"));
    }
    out
}

/// What the outcome means, in words.
fn meaning(explanation: &Explanation, rules: &RuleFile) -> Option<String> {
    let is_dropped = explanation.action == "drop";
    Some(match explanation.rule.as_str() {
        "none" if is_dropped => "no guard and no rule decides it, and defaults.no_match is drop".to_owned(),
        "none" => "no guard and no rule decides it: what none decides is kept".to_owned(),
        "unknown" => "its pod's metadata is missing, so nobody knows whether the condition above holds: it is kept rather than \
            dropped by mistake. With --pods, or once the sidecar has seen the pod, the rules decide"
            .to_owned(),
        "exclude" => "an annotation of its pod, fluentbit.io/exclude or one of its kind, keeps it out (exclude_annotations: true)".to_owned(),
        rule if rule.starts_with("fault") => "it cannot be read, and only a rule may drop: Fluent Bit gets it back as it came, and a \
            metric counts it (nodesieve_fault_*_total)"
            .to_owned(),
        _ if is_dropped && rules.annotate => {
            "it is counted: in nodesieve.count of a later record of its kind, or in a summary".to_owned()
        }
        _ if is_dropped => "it is counted in a summary".to_owned(),
        _ if explanation.action == "depends" => {
            "chance decides, or what came before: --logs with the lines before it shows which".to_owned()
        }
        _ => return None,
    })
}
