//! Where a path's instructions go: exact fuel by function.
//!
//! It exists because a sampling profiler sees the interpreter and not the module. The rule it keeps: the functions of a path add
//! up to what the path costs without a profile, to the last instruction.

use super::wrapped::{ENTER, IMPORTS, LEAVE, OUTSIDE, WrappedModule};
use super::{BenchError, BenchPath, FuelBench};
use crate::guest::CompiledModule;
use crate::table::{Align, Table, grouped};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;
use wasmtime::Caller;
use wasmtime_wasi::p1::WasiP1Ctx;

/// How many functions of a path are shown to people.
const SHOWN: usize = 30;

/// Why there is no profile.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// The module could not be read.
    #[error("read {path}: {reason}")]
    Read {
        /// The module.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// Its functions could not be wrapped.
    #[error("wrap the functions of {path}: {reason}")]
    Wrap {
        /// The module.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The path could not be run.
    #[error(transparent)]
    Bench(#[from] BenchError),
}

/// Profiles paths with one module.
pub struct Profiler {
    bench: FuelBench,
    names: Vec<String>,
    /// Instructions of each function's wrapper.
    inside: Arc<[u64]>,
    root: Option<usize>,
}

/// The functions of one path. Serialised as a member of `profiles` in the `--format json` of `bench --profile`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PathProfile {
    /// The path's name.
    pub name: String,
    /// Instructions of all functions, with the bytes of answers: the sum of those below.
    pub total: u64,
    /// How many records were counted.
    pub records: u64,
    /// The functions that were called, the most expensive first.
    pub functions: Vec<FunctionFuel>,
}

/// What one function has cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FunctionFuel {
    /// Its name in the source.
    pub name: String,
    /// Instructions of its own, without those of what it calls.
    pub fuel: u64,
    /// How often it was called.
    pub calls: u64,
}

/// The calls that are under way, and what is counted of those that are over.
#[derive(Default)]
struct CallStack {
    is_counting: bool,
    frames: Vec<CallFrame>,
    /// Fuel and calls by function.
    counts: Vec<(u64, u64)>,
}

struct CallFrame {
    function: usize,
    /// Fuel that was left when it was entered.
    left: u64,
    /// What it was charged for its calls.
    called: u64,
}

impl CallStack {
    fn enter(&mut self, function: usize, left: u64, root: Option<usize>) {
        // Outside `filter` the host may be calling `malloc`.
        if !self.frames.is_empty() || Some(function) == root {
            self.frames.push(CallFrame { function, left, called: 0 });
        }
    }

    fn leave(&mut self, left: u64, inside: &[u64]) {
        let Some(frame) = self.frames.pop() else { return };
        let measured = frame.left.saturating_sub(left);
        if let Some(caller) = self.frames.last_mut() {
            caller.called = caller.called.saturating_add(measured).saturating_add(OUTSIDE);
        }
        if !self.is_counting {
            return;
        }
        let wrapper = inside.get(frame.function).copied().unwrap_or_default();
        let own = measured.saturating_sub(frame.called).saturating_sub(wrapper);
        if let Some((fuel, calls)) = self.counts.get_mut(frame.function) {
            *fuel = fuel.saturating_add(own);
            *calls = calls.saturating_add(1);
        }
    }
}

impl Profiler {
    /// A profiler of this module, which should have names. `conf` is as for [`FuelBench`].
    ///
    /// # Errors
    /// [`ProfileError`].
    pub fn new(module: &Path, conf: &Path) -> Result<Profiler, ProfileError> {
        let path = || module.to_owned();
        let bytes = std::fs::read(module).map_err(|reason| ProfileError::Read { path: path(), reason })?;
        let wrapped =
            WrappedModule::of(&bytes).map_err(|reason| ProfileError::Wrap { path: path(), reason })?;
        let compiled = CompiledModule::of_bytes(module, &wrapped.bytes).map_err(BenchError::from)?;
        let inside = wrapped.functions.iter().map(|function| function.inside).collect();
        let names = wrapped.functions.into_iter().map(|function| function.name).collect();
        Ok(Profiler { bench: FuelBench::of(compiled, conf), names, inside, root: wrapped.root })
    }

    /// All paths.
    ///
    /// # Errors
    /// As [`FuelBench::paths`].
    pub fn paths(&self) -> Result<Vec<BenchPath>, ProfileError> {
        Ok(self.bench.paths()?)
    }

    /// Profiles one path.
    ///
    /// # Errors
    /// [`ProfileError::Bench`].
    pub fn profile(&mut self, path: &BenchPath) -> Result<PathProfile, ProfileError> {
        self.bench.generate(path.input)?;
        let stack = Arc::new(Mutex::new(CallStack {
            counts: vec![(0, 0); self.names.len()],
            ..CallStack::default()
        }));
        let (entered, left) = (Arc::clone(&stack), Arc::clone(&stack));
        let (root, inside) = (self.root, Arc::clone(&self.inside));
        let started = self.bench.start(path, |module, settings| {
            module.start_with(settings, |linker| {
                linker.func_wrap(IMPORTS, ENTER, move |caller: Caller<'_, WasiP1Ctx>, function: u32| {
                    let fuel = caller.get_fuel().unwrap_or_default();
                    locked(&entered).enter(function as usize, fuel, root);
                })?;
                linker.func_wrap(IMPORTS, LEAVE, move |caller: Caller<'_, WasiP1Ctx>, _: u32| {
                    let fuel = caller.get_fuel().unwrap_or_default();
                    locked(&left).leave(fuel, &inside);
                })?;
                Ok(())
            })
        })?;
        let measured =
            self.bench.run(path, started, |is_counting| locked(&stack).is_counting = is_counting)?;
        let counts = std::mem::take(&mut locked(&stack).counts);
        let mut functions: Vec<FunctionFuel> = counts
            .into_iter()
            .zip(&self.names)
            .filter(|((_, calls), _)| *calls > 0)
            .map(|((fuel, calls), name)| FunctionFuel { name: name.clone(), fuel, calls })
            .collect();
        functions.sort_by(|one, other| other.fuel.cmp(&one.fuel).then_with(|| one.name.cmp(&other.name)));
        let total = functions.iter().map(|function| function.fuel).sum();
        Ok(PathProfile { name: path.name.clone(), total, records: measured.records, functions })
    }
}

impl std::fmt::Display for PathProfile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let records = self.records.max(1) as f64;
        let each = |fuel: u64| fuel as f64 / records;
        let total = each(self.total).round() as u64;
        writeln!(
            f,
            "{}: {} instructions a record, the bytes of its answer included",
            self.name,
            grouped(total)
        )?;
        let mut table =
            Table::new(&[("fuel", Align::Right), ("calls", Align::Right), ("function", Align::Left)]);
        for function in self.functions.iter().take(SHOWN) {
            table.row(vec![
                format!("{:.1}", each(function.fuel)),
                format!("{:.2}", each(function.calls)),
                function.name.clone(),
            ]);
        }
        let rest: u64 = self.functions.iter().skip(SHOWN).map(|function| function.fuel).sum();
        if rest > 0 {
            table.row(vec![format!("{:.1}", each(rest)), String::new(), "all others".into()]);
        }
        table.fmt(f)
    }
}

fn locked(stack: &Mutex<CallStack>) -> std::sync::MutexGuard<'_, CallStack> {
    stack.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_not_charged_for_what_it_calls_nor_for_wrappers() {
        let inside = [4, 5];
        let mut stack = CallStack { is_counting: true, counts: vec![(0, 0); 2], ..CallStack::default() };
        // The host's `malloc`, outside `filter`.
        stack.enter(1, 2000, Some(0));
        stack.leave(1990, &inside);
        stack.enter(0, 1000, Some(0));
        stack.enter(1, 900, Some(0));
        stack.leave(800, &inside);
        stack.leave(700, &inside);
        // 300 in all: 100 for the call, 3 around it, 4 of the wrapper.
        assert_eq!(stack.counts, [(300 - 100 - 3 - 4, 1), (100 - 5, 1)]);
    }
}
