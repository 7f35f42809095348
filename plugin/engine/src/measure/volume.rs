//! The section `volume`: who makes how much, so that a logging bill can be shared.

use crate::diag::Code;
use crate::yaml::{Mistakes, Node, Section};
use std::time::Duration;

/// What is counted of every namespace, or of every workload in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Whether workloads are told apart.
    pub by_workload: bool,
    /// Most namespaces or workloads; beyond them all others are one.
    pub max_series: usize,
    /// What leaves of a container in this time is one billed record, as Fluent Bit flushes.
    pub flush: Duration,
    /// Whether summaries say it too.
    pub in_summaries: bool,
}

/// The numbers of each namespace and workload: name, unit, meaning. The first two have the label `outcome`.
pub const VOLUME_TABLE: [(&str, &str, &str); 4] = [
    ("nodesieve_volume_records_total", "records", "kept and dropped"),
    ("nodesieve_volume_bytes_total", "bytes", "JSON text of these, as they came"),
    ("nodesieve_volume_sent_bytes_total", "bytes", "JSON text of the records kept, as they left"),
    (
        "nodesieve_volume_billed_bytes_total",
        "bytes",
        "that Firehose bills, in steps of 5 KB for each container and flush",
    ),
];

impl Default for Volume {
    fn default() -> Volume {
        Volume { by_workload: true, max_series: 500, flush: Duration::from_secs(5), in_summaries: true }
    }
}

impl Volume {
    /// Reads the section.
    pub(crate) fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Volume> {
        let section = Section::open(node, "volume", &["by", "max_series", "flush", "summaries"], mistakes)?;
        let mut volume = Volume::default();
        if let Some(node) = section.get("by") {
            volume.by_workload = match mistakes.text(node, "volume.by")? {
                "workload" => true,
                "namespace" => false,
                other => {
                    let message = format!("volume.by must be workload or namespace, found `{other}`");
                    mistakes.note(Code::Value, &node.span, message);
                    return None;
                }
            };
        }
        if let Some(node) = section.get("max_series") {
            volume.max_series = mistakes.count(node, "volume.max_series", 1..=2000)?;
        }
        if let Some(node) = section.get("flush") {
            volume.flush = mistakes.duration(node, "volume.flush")?;
        }
        if let Some(node) = section.get("summaries") {
            volume.in_summaries = mistakes.boolean(node, "volume.summaries")?;
        }
        Some(volume)
    }
}
