//! One run of one pipeline: started, looked at until it has read everything and ended, and counted.
//!
//! It exists apart from [`super::super::Running`], which runs the shipped configuration and stops it when it likes. The rule it
//! keeps: a run counts only when Fluent Bit has ended by itself, and when what keeps everything has delivered everything.

use super::super::node::TemporaryNode;
use super::super::process::{cpu_ms, end, log, most_memory, spawn, tail};
use super::super::{FluentBitError, MODULE, MetadataFilter, MetadataSource, PODS};
use super::pipeline::{ConfigPlaces, FilterStage, Pipeline, Sink};
use super::{CpuBench, CpuBenchError, LogFolder};
use crate::bench::TEN_RULES_LUA;
use crate::firehose::{Firehose, FirehoseOptions};
use crate::replay::write_pods;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::process::Child;
use std::time::{Duration, Instant};

/// How long a run may take.
const LONGEST: Duration = Duration::from_secs(600);
/// Between two looks at a process.
const LOOK: Duration = Duration::from_millis(10);

/// A pipeline and what its runs came to.
pub(super) struct MeasuredPipeline {
    pub(super) pipeline: Pipeline,
    /// Why it does not run.
    pub(super) skipped: Option<String>,
    /// With one line of each pod, and with all.
    pub(super) runs: Vec<(RunCost, RunCost)>,
}

/// What one run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RunCost {
    /// User and system time of the process.
    pub(super) cpu_ms: u64,
    /// The most memory that it had resident.
    pub(super) memory: u64,
    /// How many lines arrived.
    pub(super) delivered: u64,
}

/// A run to be made.
pub(super) struct MeasuredRun<'a> {
    pub(super) bench: &'a CpuBench<'a>,
    pub(super) pipeline: &'a Pipeline,
    pub(super) sink: Sink,
}

/// A child that does not outlive the run.
struct WatchedChild(Child);

impl Drop for WatchedChild {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

impl MeasuredPipeline {
    pub(super) fn new(skipped: Option<String>, pipeline: Pipeline) -> MeasuredPipeline {
        MeasuredPipeline { pipeline, skipped, runs: Vec::new() }
    }
}

impl MeasuredRun<'_> {
    /// Runs it over these logs.
    pub(super) fn of(&self, logs: &LogFolder) -> Result<RunCost, CpuBenchError> {
        let mut node = TemporaryNode::new()?;
        let pod_list = logs.node.pod_list.as_slice();
        // The kubelet lives as long as the run.
        let kubelet = MetadataSource::start(pod_list, node.root(), MetadataFilter::Kubernetes(&[]))?.kubelet;
        let firehose = Firehose::start(FirehoseOptions { tls: true, ..FirehoseOptions::default() })
            .map_err(FluentBitError::from)?;
        node.put("/ca.pem", firehose.ca_pem().unwrap_or_default())?;
        node.put("/ten_rules.lua", TEN_RULES_LUA)?;
        if let Some(rules) = self.pipeline.rules() {
            node.put_rules(&rules)?;
            write_pods(pod_list, &node.at(PODS))?;
            node.copy(self.module(), &node.at(MODULE).join("nodesieve.wasm"))?;
        }
        let places = ConfigPlaces {
            root: node.root(),
            logs: &logs.path,
            kubelet_port: kubelet.address().port(),
            firehose_port: firehose.address().port(),
        };
        let conf = node.put("/bench.yaml", &self.pipeline.config(self.sink, &places))?;
        let mut child = WatchedChild(spawn(self.bench.fluent_bit, &conf, &node)?);
        let (mut cost, mut arrived) = (RunCost::default(), 0u64);
        let deadline = Instant::now() + LONGEST;
        loop {
            let has_ended = has_ended(&child.0)?;
            // Lines end with a line feed each, and there is none inside a record's JSON.
            let lines = |record: Vec<u8>| {
                record.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count()
                    as u64
            };
            arrived = firehose.take_records().into_iter().map(lines).fold(arrived, u64::saturating_add);
            if has_ended {
                break;
            }
            cost.memory = most_memory(child.0.id()).unwrap_or_default().max(cost.memory);
            if Instant::now() >= deadline {
                return Err(self.timed_out(&node, arrived).into());
            }
            std::thread::sleep(LOOK);
        }
        // Not reaped yet, so its times can be read, of all its threads.
        cost.cpu_ms = cpu_ms(child.0.id());
        let process = child.0.id();
        let status =
            child.0.wait().map_err(|reason| FluentBitError::Process { action: "watch", process, reason })?;
        let said = log(&node);
        if !status.success() {
            return Err(FluentBitError::Ended { action: "measure", status, log: tail(&said) }.into());
        }
        cost.delivered = match self.sink {
            Sink::Counter => counted(&said),
            Sink::Firehose => arrived,
        };
        if self.pipeline.keeps_all() && cost.delivered != logs.records {
            let (delivered, records) = (cost.delivered, logs.records);
            return Err(CpuBenchError::Lost { pipeline: self.pipeline.name(), delivered, records });
        }
        Ok(cost)
    }

    /// What Fluent Bit loads: the module, or machine code.
    fn module(&self) -> &std::path::Path {
        let is_machine_code = self
            .pipeline
            .0
            .iter()
            .any(|stage| matches!(stage, FilterStage::Nodesieve { is_machine_code: true, .. }));
        self.bench.ahead_of_time.filter(|_| is_machine_code).unwrap_or(self.bench.module)
    }

    fn timed_out(&self, node: &TemporaryNode, arrived: u64) -> FluentBitError {
        FluentBitError::TimedOut {
            what: format!("read all logs through {}", self.pipeline.name()),
            timeout: LONGEST,
            progress: format!("{arrived} records arrived"),
            log: tail(&log(node)),
        }
    }
}

/// Whether a child has ended; it is not reaped.
fn has_ended(child: &Child) -> Result<bool, FluentBitError> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match waitid(WaitId::Pid(Pid::from_child(child)), options) {
        Ok(status) => Ok(status.is_some()),
        Err(reason) => {
            Err(FluentBitError::Process { action: "watch", process: child.id(), reason: reason.into() })
        }
    }
}

/// The records that the output `counter` has printed, a line of JSON for each chunk.
fn counted(log: &str) -> u64 {
    let of_line =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?.get("log_records")?.as_u64();
    log.lines().filter_map(of_line).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_among_other_lines() {
        let log = "Fluent Bit v5.1.1\n{\"ts\":1.5,\"serialized_events\":3,\"log_records\":3,\"total\":3}\n[ warn] x\n\
                   {\"ts\":1.6,\"serialized_events\":4,\"log_records\":4,\"total\":4}\n";
        assert_eq!(counted(log), 7);
    }
}
