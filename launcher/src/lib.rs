//! Starts Fluent Bit with the filter as machine code where the node can run it, else with the portable module.
//!
//! It exists because machine code takes a fraction of the interpreter's CPU, but is tied to the processor, to the version of
//! Fluent Bit's WASM runtime and to the permission to map executable memory; Fluent Bit does not start when it cannot load
//! it, and ends when it meets an instruction that the processor does not know. So the image has both, and each start tries the
//! machine code first, in a Fluent Bit of its own.
//!
//! The rule it keeps: a node never fails to start because of the launcher. Only an answer that the machine code alone can have
//! given is a yes; everything else, its own faults included, is the portable module.
//!
//! - [`LauncherSettings`]: environment variables; all arguments are Fluent Bit's.
//! - [`choose`]: which module, and why.
//! - [`launch`]: becomes Fluent Bit.
#![forbid(unsafe_code)]

mod choice;
mod evidence;
mod probe;
mod settings;

pub use choice::{ModuleChoice, choose, launch};
pub use evidence::{RECORD, RULE, TAG};
pub use settings::{LauncherSettings, LauncherVariable, MODULE_VARIABLE, VARIABLES};

use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// Why the machine code is not taken, or nothing is started.
#[derive(Debug, Error)]
pub enum LaunchError {
    /// It cannot be read.
    #[error("read machine code {}: {reason}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// It is another kind of file.
    #[error("read machine code {}: it does not begin as WAMR's compiler begins its files", .path.display())]
    OtherFile {
        /// The file.
        path: PathBuf,
    },
    /// The probe could not be started or watched.
    #[error("{action} probe {}: {reason}", .program.display())]
    Probe {
        /// What was being done.
        action: &'static str,
        /// The program.
        program: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// Fluent Bit ended, whether it refused the file or was ended by it.
    #[error("probe machine code {}: Fluent Bit ended with {how}{}", .path.display(), with(.said))]
    Ended {
        /// The file.
        path: PathBuf,
        /// An exit code or a signal.
        how: String,
        /// What it said about it.
        said: Option<String>,
    },
    /// There was no answer.
    #[error("probe machine code {}: no answer in {limit:?}{}", .path.display(), with(.said))]
    TimedOut {
        /// The file.
        path: PathBuf,
        /// The time limit.
        limit: Duration,
        /// What Fluent Bit said.
        said: Option<String>,
    },
    /// The record came out otherwise than the filter makes it.
    #[error("probe machine code {}: the filter did not answer as it should{}", .path.display(), with(.said))]
    OtherAnswer {
        /// The file.
        path: PathBuf,
        /// What Fluent Bit said.
        said: Option<String>,
    },
    /// A signal came that tells the container to end.
    #[error("probe machine code {}: told to end by signal {signal}", .path.display())]
    ToldToEnd {
        /// The file.
        path: PathBuf,
        /// The signal's number.
        signal: i32,
    },
    /// Fluent Bit cannot be run at all.
    #[error("run {}: {reason}", .program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
}

fn with(said: &Option<String>) -> String {
    said.as_ref().map(|said| format!(": {said}")).unwrap_or_default()
}
