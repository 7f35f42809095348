//! Explanations for people, and pod files for the engine without its host.

pub use nodesieve_preview::explanation::{Explanation, StepLine, explain, explain_next};

use crate::inputs::Record;
use nodesieve_engine::pods::{PodSource, Unavailable};
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
pub fn text(record: &Record, explanation: &Explanation) -> String {
    let mut out = format!("{}\n", record.text);
    out.push_str(&format!("  severity {}\n", explanation.severity.unwrap_or("unknown")));
    for step in &explanation.steps {
        let condition = step.condition.map(|key| format!(": {key}")).unwrap_or_default();
        let detail = step.detail.as_ref().map(|detail| format!(", {detail}")).unwrap_or_default();
        out.push_str(&format!("  {} {}: {}{condition}{detail}\n", step.stage, step.name, step.result));
    }
    let how = if explanation.continues { ", as the line that it continues" } else { "" };
    out.push_str(&format!("  => {} ({}{how})\n", explanation.action, explanation.rule));
    out
}
