//! A real Fluent Bit, end to end: log files in, records at the fake Firehose out.
//!
//! It exists because the replay only imitates the host; here Fluent Bit itself loads the compiled filter. The rule it
//! keeps: what runs is the configuration that is shipped, line by line. Only what a machine that is no Kubernetes
//! node cannot have is changed (see `config`): each deployed path gets a temporary root in front of it, the output an
//! address to deliver to.
//!
//! - [`find`]: where Fluent Bit is; without one, the caller says so and continues.
//! - [`Setup`], [`Running`], [`RunOutcome`]: start, look on, stop.
//! - [`FilterMetrics`]: the filter's own numbers, which tell when everything was processed.

mod bench;
mod config;
mod fault;
mod node;
mod numbered;
mod outage;
mod process;
mod rules;
mod run;
mod soak;

pub use bench::{CpuBench, CpuBenchError, CpuReport, CpuTable, PipelineCost};
pub use fault::{Buffering, FaultError, FaultReport, FaultRun, InjectedFault};
pub use outage::{Outage, OutageReport};
pub use run::{End, MetadataSource, RunOutcome, Running};
pub use soak::{NodeSoak, NodeSoakReport};

use crate::fake::FakeError;
use crate::sidecar::SidecarError;
use nodesieve_sidecar::exposition;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;
use thiserror::Error;

/// Where the container logs are on a node.
pub const LOGS: &str = "/var/log/containers";
/// Where the runtime writes them, a directory for each pod.
pub const POD_LOGS: &str = "/var/log/pods";
/// Where the rule file is deployed, as a ConfigMap.
pub const RULES: &str = "/etc/nodesieve";
/// What the sidecar and the filter share.
pub const SHARED: &str = "/run/nodesieve";
/// The pod files.
pub const PODS: &str = "/run/nodesieve/pods";
/// The filter's metrics.
pub const METRICS: &str = "/run/nodesieve/metrics.prom";
/// What outlives the pod: offsets, chunks, state.
pub const STATE: &str = "/var/lib/nodesieve";
/// What the filter may see of that.
pub const FILTER_STATE: &str = "/var/lib/nodesieve/filter";
/// Where the image has the filter.
pub const MODULE: &str = "/opt/nodesieve";

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// The program, see [`find`].
    pub fluent_bit: &'a Path,
    /// The compiled filter.
    pub module: &'a Path,
    /// `conf/fluent-bit.yaml` or `conf/fluent-bit.conf`; the ending tells the format.
    pub conf: &'a Path,
    /// The text of a rule file, with the paths as deployed.
    pub rules: &'a str,
    /// A directory whose files become the node's container logs.
    pub logs: &'a Path,
    /// What the node's kubelet answers, to which the sidecar's own main loop runs; without it there is no sidecar and no
    /// metadata.
    pub pod_list: Option<&'a [u8]>,
    /// Which filter gives the records their metadata.
    pub filter: MetadataFilter<'a>,
    /// Room on the disk with [`STATE`], in bytes: a small one of its own, which takes the permission to mount. `None`: the
    /// machine's.
    pub disk: Option<u64>,
    /// A Firehose to deliver to instead of the fake.
    pub elsewhere: Option<Address<'a>>,
    /// Keys of the configuration that get another value, wherever they stand, such as
    /// `("wasm_stack_size", "8192")`. A key that is nowhere is an error.
    pub overrides: &'a [(&'a str, &'a str)],
}

/// A server on 127.0.0.1 that speaks TLS, which the output insists on.
#[derive(Clone, Copy, Debug)]
pub struct Address<'a> {
    /// Its port.
    pub port: u16,
    /// Its CA certificate, as PEM.
    pub ca_file: &'a Path,
}

/// What gives the records their metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetadataFilter<'a> {
    /// nodesieve, with its sidecar.
    #[default]
    Nodesieve,
    /// The same, and the sidecar follows the kubelet's Pods API.
    Following,
    /// Fluent Bit's own `kubernetes` filter, which asks the kubelet itself, with these settings of its beside. Needs the YAML
    /// configuration.
    Kubernetes(&'a [(&'a str, &'a str)]),
    /// The same, and nodesieve behind it, without a sidecar.
    Before(&'a [(&'a str, &'a str)]),
}

impl MetadataFilter<'_> {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            MetadataFilter::Nodesieve => "nodesieve",
            MetadataFilter::Following => "nodesieve, by the Pods API",
            MetadataFilter::Kubernetes(_) => "kubernetes",
            MetadataFilter::Before(_) => "kubernetes, nodesieve",
        }
    }
}

/// Why a run failed.
#[derive(Debug, Error)]
pub enum FluentBitError {
    /// A file or directory of the temporary node could not be made, or not be copied there.
    #[error("make {path} for fluent-bit: {reason}")]
    Make {
        /// The path.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// A file could not be read.
    #[error("read {path} for fluent-bit: {reason}")]
    Read {
        /// The path.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The configuration is not the one that this driver knows.
    #[error("rewrite {path}: {reason}")]
    Config {
        /// The path.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// There is nothing to deliver to.
    #[error("start fluent-bit: {0}")]
    Fake(#[from] FakeError),
    /// The sidecar did not start, or has no metadata.
    #[error(transparent)]
    Sidecar(#[from] SidecarError),
    /// The program could not be started.
    #[error("start {path}: {reason}")]
    Start {
        /// The program.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The program ended, or ended otherwise than it should.
    #[error("{action} fluent-bit: it ended with {status}; the end of its log:\n{log}")]
    Ended {
        /// What was being done.
        action: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        log: String,
    },
    /// What was waited for did not come.
    #[error("wait for fluent-bit to {what}: not within {timeout:?}; {progress}; the end of its log:\n{log}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// For how long.
        timeout: Duration,
        /// How far it was.
        progress: String,
        /// The last lines of its log.
        log: String,
    },
    /// The signal could not be sent, or the program not be asked how it is.
    #[error("{action} fluent-bit, process {process}: {reason}")]
    Process {
        /// What was being done.
        action: &'static str,
        /// Its number.
        process: u32,
        /// Why.
        reason: std::io::Error,
    },
    /// A delivered line is not JSON.
    #[error("read delivered line {line}: {reason}")]
    Delivered {
        /// Its start.
        line: String,
        /// What is wrong with it.
        reason: serde_json::Error,
    },
}

/// Where Fluent Bit is: what `FLUENT_BIT` names, else the first `fluent-bit` on `PATH`.
pub fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("FLUENT_BIT").filter(|named| !named.is_empty()) {
        return Some(PathBuf::from(named));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join("fluent-bit"))
        .find(|program| program.is_file())
}

/// One content of the metrics file, the only place that tells how far the filter is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterMetrics(String);

impl FilterMetrics {
    /// Takes the text of the file.
    pub fn new(text: impl Into<String>) -> FilterMetrics {
        FilterMetrics(text.into())
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The value of a series, named as in the file: `nodesieve_records_seen_total`,
    /// `nodesieve_rule_kept_total{rule="probes",stage="rule"}`.
    pub fn get(&self, series: &str) -> Option<u64> {
        exposition::value(&self.0, series).map(|value| value as u64)
    }

    /// Records that Fluent Bit handed over; 0 before the filter has written its first metrics.
    pub fn seen(&self) -> u64 {
        self.get("nodesieve_records_seen_total").unwrap_or_default()
    }

    /// Records kept; 0 before the filter has written its first metrics.
    pub fn kept(&self) -> u64 {
        self.get("nodesieve_records_kept_total").unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_series_by_its_whole_name() {
        let metrics = FilterMetrics::new(
            "# HELP nodesieve_records_seen_total x\nnodesieve_records_seen_total 12\nkept{rule=\"a b\"} 3\nkept_total 4\n",
        );
        assert_eq!(metrics.seen(), 12);
        assert_eq!(metrics.get("kept{rule=\"a b\"}"), Some(3));
        assert_eq!(metrics.get("kept"), None);
        assert_eq!(metrics.get("nodesieve_records_seen"), None);
        assert_eq!(metrics.kept(), 0);
    }
}
