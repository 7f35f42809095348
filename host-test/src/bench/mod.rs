//! What a record costs inside the filter: guest instructions (wasmtime's fuel) by path.
//!
//! It exists because time on a shared machine drifts by a third and instructions do not drift at all: two versions of the module
//! are compared by their numbers, on any machine. The rule it keeps: the calls are Fluent Bit's, a tick comes every second
//! as on a node, and the first quarter of the records, which fills caches, is not counted. Neither are ticks, nor the bytes
//! of an answer, each of which costs one while it is copied.
//!
//! - [`paths`]: what is measured; [`FuelBench`]: measures it.
//! - [`GeneratedNode`]: the lines, for other benches too.

mod lines;
mod paths;
#[cfg(feature = "playground")]
mod profile;
mod ten_rules;
mod workload;
#[cfg(feature = "playground")]
mod wrapped;

pub use paths::{BenchInput, BenchPath, CountedWork, paths};
#[cfg(feature = "playground")]
pub use profile::{FunctionFuel, PathProfile, ProfileError, Profiler};
pub use ten_rules::{TEN_RULES_LUA, ten_rules};
pub use workload::{GeneratedLog, GeneratedNode, WorkloadSize};

use crate::guest::{CompiledModule, Guest, GuestError, GuestSettings, Loss, Returned};
use crate::inputs::{InputError, Record};
use crate::node_logs;
use crate::replay::{ReplayError, TICK_TAG, write_pods};
use crate::table::{Align, Table, bytes, grouped};
use crate::tree::{NodeTree, TreeError};
use nodesieve_preview::bundle::Bundle;
use nodesieve_preview::clock::{TICK, VirtualClock};
use nodesieve_preview::run::SEED;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use thiserror::Error;
use workload::TAG_PREFIX;

/// Why a path could not be measured.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "most variants are the error of a part")]
pub enum BenchError {
    #[error(transparent)]
    Guest(#[from] GuestError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Pods(#[from] ReplayError),
    #[error(transparent)]
    Input(#[from] InputError),
    /// A file of conf/ is not there.
    #[error("read {path}: {reason}")]
    Read { path: PathBuf, reason: std::io::Error },
    /// The rule file of a path has mistakes.
    #[error("load the rules of {path}: they have mistakes")]
    Rules { path: String },
    /// The filter has lost a record, which no number can make good.
    #[error("measure {path}: {loss}")]
    Lost { path: String, loss: Loss },
}

/// All that was measured. Serialised as the `--format json` of `bench`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FuelReport {
    /// In the order of [`paths`].
    pub paths: Vec<PathFuel>,
}

/// What one path costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PathFuel {
    /// Its name.
    pub name: String,
    /// Instructions a record, on average, without the bytes of the answer.
    pub fuel: u64,
    /// The same of the record in the middle.
    pub median: u64,
    /// Bytes of the answers, over all records, those that are dropped included.
    pub bytes_out: u64,
    /// The share of the records that is kept.
    pub kept: f64,
    /// Instructions of the host's calls of `malloc` and `free`, a record. They are in no other number.
    pub malloc_and_free: u64,
    /// How many records were counted.
    pub records: u64,
    /// The guest's memory at the end, in bytes.
    pub memory: u64,
}

/// Measures paths with one module.
pub struct FuelBench {
    module: CompiledModule,
    conf: PathBuf,
    /// Generated once each.
    inputs: BTreeMap<BenchInput, BenchRecords>,
}

/// Records and the pods that they are from.
struct BenchRecords {
    records: Vec<Record>,
    pod_list: Vec<u8>,
}

impl BenchRecords {
    fn of(size: WorkloadSize) -> BenchRecords {
        let node = GeneratedNode::new(size);
        BenchRecords { records: node.records(), pod_list: node.pod_list }
    }
}

/// A guest with its directories.
struct StartedGuest {
    guest: Guest,
    _tree: NodeTree,
}

/// What one counted call did.
struct CountedCall {
    fuel: u64,
    copying: u64,
    bytes_out: u64,
}

impl FuelBench {
    /// A bench of this module. `conf` is the directory with the samples and their rules.
    ///
    /// # Errors
    /// [`BenchError::Guest`] for a module that cannot be loaded.
    pub fn new(module: &Path, conf: &Path) -> Result<FuelBench, BenchError> {
        Ok(FuelBench::of(CompiledModule::load(module)?, conf))
    }

    fn of(module: CompiledModule, conf: &Path) -> FuelBench {
        FuelBench { module, conf: conf.to_owned(), inputs: BTreeMap::new() }
    }

    /// All paths, the samples with the rules that are shipped.
    ///
    /// # Errors
    /// [`BenchError::Read`].
    pub fn paths(&self) -> Result<Vec<BenchPath>, BenchError> {
        let path = self.conf.join(crate::shipped::EXAMPLE_RULES);
        match std::fs::read_to_string(&path) {
            Ok(shipped) => Ok(paths(&shipped)),
            Err(reason) => Err(BenchError::Read { path, reason }),
        }
    }

    /// Measures one path.
    ///
    /// # Errors
    /// [`BenchError`].
    pub fn measure(&mut self, path: &BenchPath) -> Result<PathFuel, BenchError> {
        self.generate(path.input)?;
        let started = self.start(path, |module, settings| module.start(settings))?;
        self.run(path, started, |_| {})
    }

    /// Makes the records of an input, unless they are there.
    fn generate(&mut self, input: BenchInput) -> Result<(), BenchError> {
        if self.inputs.contains_key(&input) {
            return Ok(());
        }
        let made = match input {
            BenchInput::Lines(line) => BenchRecords::of(WorkloadSize::of_lines(line)),
            BenchInput::ByTurns => BenchRecords::of(WorkloadSize::by_turns()),
            BenchInput::Samples => {
                let samples = self.conf.join("samples");
                let path = samples.join("podlist.json");
                let pod_list = std::fs::read(&path).map_err(|reason| BenchError::Read { path, reason })?;
                BenchRecords {
                    records: node_logs::records(&[samples.join("containers")], TAG_PREFIX)?,
                    pod_list,
                }
            }
        };
        self.inputs.insert(input, made);
        Ok(())
    }

    /// A guest with the rules of a path and the pod files of its input.
    fn start(
        &self,
        path: &BenchPath,
        start: impl FnOnce(&CompiledModule, &GuestSettings) -> Result<Guest, GuestError>,
    ) -> Result<StartedGuest, BenchError> {
        let loaded = nodesieve_engine::config::load(Bundle::of(&path.rules).platform)
            .map_err(|_| BenchError::Rules { path: path.name.clone() })?;
        let tree = NodeTree::new(&path.rules, &loaded.rules)?;
        if let Some(input) = self.inputs.get(&path.input) {
            write_pods(&input.pod_list, &tree.pods_directory())?;
        }
        let settings = GuestSettings { preopens: tree.preopens().to_vec(), seed: SEED };
        Ok(StartedGuest { guest: start(&self.module, &settings)?, _tree: tree })
    }

    /// Hands over the records. `counted` is told before and after each call that counts.
    fn run(
        &self,
        path: &BenchPath,
        started: StartedGuest,
        mut counted: impl FnMut(bool),
    ) -> Result<PathFuel, BenchError> {
        let mut guest = started.guest;
        let records = self.inputs.get(&path.input).map(|input| input.records.as_slice()).unwrap_or_default();
        let warm = records.len() / 4;
        let (mut clock, mut summaries) = (VirtualClock::default(), Vec::new());
        let mut calls = Vec::with_capacity(records.len());
        for (index, record) in records.iter().enumerate() {
            clock.advance(record.nanoseconds(), |now| tick(&mut guest, now), &mut summaries);
            summaries.clear();
            guest.clock().advance_to(clock.now());
            let is_counted = index >= warm;
            counted(is_counted);
            let returned = guest.filter(record.tag.as_bytes(), record.time, record.text.as_bytes());
            counted(false);
            let bytes_out = match returned {
                Returned::Kept(text) => text.len() as u64,
                Returned::Dropped => 0,
                Returned::Lost(loss) => return Err(BenchError::Lost { path: path.name.clone(), loss }),
            };
            if is_counted {
                calls.push(CountedCall { fuel: guest.fuel_used(), copying: guest.copying_fuel(), bytes_out });
            }
        }
        Ok(PathFuel::of(path, &calls, guest.memory_bytes() as u64))
    }
}

impl PathFuel {
    fn of(path: &BenchPath, calls: &[CountedCall], memory: u64) -> PathFuel {
        let work = |call: &CountedCall| match path.counted {
            CountedWork::Filter => call.fuel.saturating_sub(call.bytes_out),
            CountedWork::Copying => call.copying,
        };
        let mut all: Vec<u64> = calls.iter().map(work).collect();
        all.sort_unstable();
        let average = |of: &dyn Fn(&CountedCall) -> u64| {
            let sum = calls.iter().map(of).fold(0, u64::saturating_add);
            (sum as f64 / calls.len().max(1) as f64).round() as u64
        };
        let kept = calls.iter().filter(|call| call.bytes_out > 0).count();
        PathFuel {
            name: path.name.clone(),
            fuel: average(&work),
            median: all.get(all.len() / 2).copied().unwrap_or_default(),
            bytes_out: average(&|call| call.bytes_out),
            kept: kept as f64 / calls.len().max(1) as f64,
            malloc_and_free: average(&|call| call.copying),
            records: calls.len() as u64,
            memory,
        }
    }
}

impl std::fmt::Display for FuelReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let headings = ["fuel", "median", "malloc, free", "bytes out", "kept", "records", "memory"];
        let columns: Vec<_> = [("path", Align::Left)]
            .into_iter()
            .chain(headings.into_iter().map(|name| (name, Align::Right)))
            .collect();
        let mut table = Table::new(&columns);
        for path in &self.paths {
            table.row(vec![
                path.name.clone(),
                grouped(path.fuel),
                grouped(path.median),
                grouped(path.malloc_and_free),
                grouped(path.bytes_out),
                format!("{:.1} %", path.kept * 100.0),
                grouped(path.records),
                bytes(path.memory),
            ]);
        }
        table.fmt(f)
    }
}

fn tick(guest: &mut Guest, now: u64) -> Option<Vec<u8>> {
    guest.clock().advance_to(now);
    let seconds = u32::try_from(now / 1_000_000_000).unwrap_or(u32::MAX);
    match guest.filter(TICK_TAG, (seconds, 0), TICK) {
        Returned::Kept(summary) => Some(summary),
        Returned::Dropped | Returned::Lost(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_and_medians_leave_out_the_bytes_of_answers() {
        let path = |counted| BenchPath {
            name: "p".into(),
            rules: String::new(),
            input: BenchInput::Samples,
            counted,
        };
        let calls = [(100, 0), (1300, 300), (400, 0)].map(|(fuel, bytes_out)| CountedCall {
            fuel,
            copying: 7,
            bytes_out,
        });
        let found = PathFuel::of(&path(CountedWork::Filter), &calls, 65_536);
        assert_eq!((found.fuel, found.median, found.bytes_out), (500, 400, 100));
        assert_eq!((found.kept, found.malloc_and_free, found.records), (1.0 / 3.0, 7, 3));
        let copying = PathFuel::of(&path(CountedWork::Copying), &calls, 0);
        assert_eq!((copying.fuel, copying.median), (7, 7));
        assert_eq!(PathFuel::of(&path(CountedWork::Filter), &[], 0).fuel, 0);
    }
}
