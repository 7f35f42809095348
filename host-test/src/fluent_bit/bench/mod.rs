//! CPU time and memory of a real Fluent Bit: without a filter, with its own, with Lua, and with nodesieve.
//!
//! It exists because instructions in the guest are not all that a record costs: the host copies it, prints it, reads the answer
//! back. The rule it keeps: numbers are compared within one run only, in which the pipelines take turns, so that a busy machine
//! slows all of them; and what a start costs is measured with one line of each pod and taken off.

mod measured;
mod pipeline;
mod report;

pub use report::{CpuReport, CpuTable, PipelineCost};

use super::node::TemporaryNode;
use super::{FluentBitError, LOGS};
use crate::bench::{GeneratedNode, WorkloadSize};
use crate::replay::ReplayError;
use measured::{MeasuredPipeline, MeasuredRun};
use pipeline::{Pipeline, Plugins, Sink};
use std::fs;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why nothing could be measured.
#[derive(Debug, Error)]
pub enum CpuBenchError {
    /// Fluent Bit did not start, or did not come to its end.
    #[error(transparent)]
    FluentBit(#[from] FluentBitError),
    /// There are no pod files.
    #[error(transparent)]
    Pods(#[from] ReplayError),
    /// A pipeline that drops nothing has lost records, so its time is not that of all records.
    #[error("measure {pipeline}: {delivered} of {records} records arrived")]
    Lost {
        /// Its name.
        pipeline: String,
        /// How many arrived.
        delivered: u64,
        /// How many lines there are.
        records: u64,
    },
}

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub struct CpuBench<'a> {
    /// The program.
    pub fluent_bit: &'a Path,
    /// The compiled filter.
    pub module: &'a Path,
    /// What WAMR's compiler made of it. Without it nothing runs as machine code.
    pub ahead_of_time: Option<&'a Path>,
    /// At least so many lines a run.
    pub records: usize,
    /// How often each pipeline runs.
    pub rounds: u32,
}

/// The generated logs on disk.
struct LogFolder {
    path: PathBuf,
    node: GeneratedNode,
    records: u64,
}

impl LogFolder {
    /// Writes the logs below a node of their own, which outlives all runs.
    fn write(node: &TemporaryNode, name: &str, size: WorkloadSize) -> Result<LogFolder, FluentBitError> {
        let path = node.at(LOGS).join(name);
        let make = |path: &Path, made: std::io::Result<()>| {
            made.map_err(|reason| FluentBitError::Make { path: path.to_owned(), reason })
        };
        make(&path, fs::create_dir_all(&path))?;
        let mut generated = GeneratedNode::new(size);
        for log in &mut generated.logs {
            let file = path.join(&log.name);
            make(&file, fs::write(&file, std::mem::take(&mut log.content)))?;
        }
        Ok(LogFolder { path, node: generated, records: size.records() as u64 })
    }
}

impl CpuBench<'_> {
    /// How many runs of a pipeline there will be, for a progress bar.
    pub fn runs(&self) -> usize {
        let rounds = usize::try_from(self.rounds).unwrap_or(usize::MAX);
        Sink::ALL.iter().map(|sink| self.pipelines(*sink).len().saturating_mul(rounds)).sum()
    }

    /// Measures all pipelines. `progress` hears the name of each before it runs.
    ///
    /// # Errors
    /// [`CpuBenchError`]. A pipeline that this Fluent Bit has not the plugins for is no error: it is reported as skipped.
    pub fn run(&self, mut progress: impl FnMut(&str)) -> Result<CpuReport, CpuBenchError> {
        let logs = TemporaryNode::new()?;
        let full = LogFolder::write(&logs, "full", WorkloadSize::of_records(self.records))?;
        let one_each = WorkloadSize { run: 1, turns: 1, ..WorkloadSize::of_records(0) };
        let start = LogFolder::write(&logs, "start", one_each)?;
        let plugins = Plugins::of(self.fluent_bit)?;
        let mut tables = Vec::new();
        for sink in Sink::ALL {
            let mut measured: Vec<MeasuredPipeline> = self
                .pipelines(sink)
                .into_iter()
                .map(|pipeline| MeasuredPipeline::new(plugins.missing(&pipeline, sink), pipeline))
                .collect();
            for _ in 0..self.rounds {
                for pipeline in &mut measured {
                    progress(&pipeline.pipeline.name());
                    if pipeline.skipped.is_none() {
                        let run = MeasuredRun { bench: self, pipeline: &pipeline.pipeline, sink };
                        let (start, full) = (run.of(&start)?, run.of(&full)?);
                        pipeline.runs.push((start, full));
                    }
                }
            }
            tables.push(CpuTable::of(sink, &measured, &full, &start));
        }
        Ok(CpuReport { records: full.records, rounds: self.rounds, tables })
    }

    fn pipelines(&self, sink: Sink) -> Vec<Pipeline> {
        Pipeline::all(sink, self.ahead_of_time.is_some())
    }
}
