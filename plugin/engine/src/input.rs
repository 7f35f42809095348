//! How records are read: where the line, its level and its trace id stand, and how far a report reaches over lines.

use crate::path::{Path, Paths};
use crate::tag::ContainerTag;
pub use crate::tag_regex::{TagRegex, TagRegexError};
use crate::template;
use std::time::Duration;

/// How records are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSettings {
    /// What a container's tag starts with.
    pub tag_prefix: String,
    /// What else may be a container's tag.
    pub tag_regex: Option<TagRegex>,
    /// Fields that may hold the line.
    pub message: Vec<Box<str>>,
    /// Fields that may hold a trace id, in the line or the record.
    pub trace_id: Paths,
    /// Whether what a record says about an earlier sampling of it is believed.
    pub trust_sampling: bool,
    /// Further fields that may hold a level, asked before the known ones.
    pub severity: Vec<Path>,
    /// Fields of a line's JSON that may hold its message, the first that holds a string.
    pub message_keys: Vec<Box<str>>,
    /// Which lines go with the one before; `None` when each is judged by itself.
    pub continuation: Option<Continuation>,
    /// Largest answer, in bytes.
    pub max_record: usize,
}

impl InputSettings {
    /// The container that a tag names: as kubelet names its log file, behind the prefix, else as the expression says.
    pub fn container_of<'t>(&self, tag: &'t str) -> Option<ContainerTag<'t>> {
        let by_file_name = ContainerTag::parse(tag, &self.tag_prefix);
        by_file_name.or_else(|| self.tag_regex.as_ref()?.container_of(tag))
    }
}

/// How far a continuation reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Continuation {
    /// In event time, from the line before.
    pub within: Duration,
    /// In lines, from the first.
    pub lines: u32,
}

impl Default for InputSettings {
    fn default() -> InputSettings {
        InputSettings {
            tag_prefix: "kube.var.log.containers.".into(),
            tag_regex: None,
            message: ["log", "message"].map(Box::from).to_vec(),
            trace_id: TRACE_IDS.iter().filter_map(|name| Path::parse(name)).collect::<Vec<_>>().into(),
            trust_sampling: false,
            severity: Vec::new(),
            message_keys: template::MESSAGE_KEYS.map(Box::from).to_vec(),
            continuation: Some(Continuation::default()),
            max_record: 1_000_000,
        }
    }
}

impl Default for Continuation {
    fn default() -> Continuation {
        Continuation { within: Duration::from_secs(5), lines: 500 }
    }
}

/// Where trace ids stand by default: W3C's and X-Ray's names, Datadog's, ECS' and Google's.
pub const TRACE_IDS: [&str; 9] = [
    "trace_id",
    "traceId",
    "traceID",
    "traceparent",
    "xray_trace_id",
    "dd.trace_id",
    "dd_trace_id",
    "trace.id",
    "logging.googleapis.com/trace",
];
