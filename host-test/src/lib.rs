//! The harness that a user and CI drive: it loads the compiled filter as Fluent Bit does and proves what comes out.
//!
//! The rule kept here: nothing is decided about log content. What a record means is the engine's business, what the
//! host does with it is in [`guest`], and everything else reads files, sends records and counts.

pub use nodesieve_preview::{host_json, ledger, money, reported};

pub mod archive;
pub mod artefact;
pub mod bench;
pub mod canary;
pub mod cases;
pub mod cli;
pub mod compare;
#[cfg(feature = "component")]
pub mod component;
pub mod delivery;
pub mod diff;
pub mod explain;
pub mod fake;
pub mod filter_counts;
pub mod firehose;
pub mod fluent_bit;
pub mod guest;
pub mod html_report;
pub mod inputs;
pub mod kubelet;
pub mod matching;
pub mod measured;
pub mod migrate;
pub mod node_logs;
#[cfg(feature = "playground")]
pub mod playground;
pub mod replay;
pub mod report;
pub mod rule_files;
pub mod samples;
pub mod shipped;
pub mod sidecar;
pub mod soak;
pub mod suggest;
pub mod table;
pub mod tree;
pub mod volume;
