//! A fuzzer on stable Rust: seeds, changed at random by a seeded generator, and kept when they lead somewhere new.
//!
//! It exists so that `cargo test` runs every law, for seconds or for hours, without nightly and without libFuzzer. What is new is told
//! by the [`Behaviour`] that a law returns, not by coverage. The rules it keeps: a run of so many executions is the same run everywhere;
//! the input that is being tried stands in a file, so that even an abort leaves it behind; one that breaks the law is made smaller and
//! written out, and put among the seeds it runs first from then on.
#![expect(
    clippy::disallowed_methods,
    reason = "a driver of tests reads seeds, a variable and its CPU time, and writes what it finds"
)]

mod mutate;

use crate::Behaviour;
use mutate::Mutations;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Instant;

/// The variable that makes runs long: for how many seconds of CPU time each law is run.
pub const SECONDS: &str = "NODESIEVE_FUZZ_SECONDS";

/// A run to be made.
#[derive(Debug)]
pub struct Fuzzing<'a> {
    /// The law's name.
    pub name: &'a str,
    /// Where its seeds are.
    pub seeds: &'a Path,
    /// What its inputs are made of.
    pub words: &'a [&'a str],
    /// How often it is run when [`SECONDS`] is not set.
    pub executions: u64,
    /// What all choices start from.
    pub seed: u64,
    /// Where inputs go that break the law.
    pub found: &'a Path,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Fuzzed {
    name: String,
    /// Inputs tried.
    pub executions: u64,
    /// Different things that they came to.
    pub behaviours: usize,
    seconds: f64,
}

impl fmt::Display for Fuzzed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fuzzed { name, executions, behaviours, seconds } = self;
        let rate = *executions as f64 / seconds.max(0.001);
        write!(
            f,
            "{name}: {executions} executions in {seconds:.1} s of CPU time, {rate:.0} a second, {behaviours} behaviours"
        )
    }
}

/// An input that breaks a law.
#[derive(Clone, Debug)]
pub struct Broken {
    /// What was asserted.
    pub said: String,
    /// Where the input is, made as small as it goes.
    pub input: PathBuf,
    /// After how many executions it was found.
    pub execution: u64,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Broken { said, input, execution } = self;
        write!(
            f,
            "{said}\nexecution {execution}, input: {0}; copy it to the seeds of the law, which run first",
            input.display()
        )
    }
}

impl Fuzzing<'_> {
    /// Runs it: every seed as it is, then changed ones.
    ///
    /// # Errors
    /// [`Broken`] for the first input that breaks the law.
    pub fn run(&self, check: impl FnMut(&[u8]) -> Behaviour) -> Result<Fuzzed, Box<Broken>> {
        self.run_for(std::env::var(SECONDS).ok().and_then(|text| text.parse().ok()), check)
    }

    /// As [`Fuzzing::run`], for so many seconds of CPU time or else so many executions.
    fn run_for(
        &self,
        seconds: Option<f64>,
        check: impl FnMut(&[u8]) -> Behaviour,
    ) -> Result<Fuzzed, Box<Broken>> {
        let mut run = Run { check, current: self.current(), executions: 0, known: BTreeSet::new() };
        let started = cpu_seconds();
        let mut corpus = self.seeds();
        for input in &corpus {
            run.execute(input).map_err(|said| self.report(&mut run, said, input))?;
        }
        let mut mutations = Mutations::new(self.seed, self.words);
        let mut input = Vec::new();
        while match seconds {
            Some(seconds) => run.executions % 16 != 0 || cpu_seconds() - started < seconds,
            None => run.executions < self.executions,
        } {
            mutations.mutate(&corpus, &mut input);
            let is_new = run.execute(&input).map_err(|said| self.report(&mut run, said, &input))?;
            if is_new && corpus.len() < MOST_KEPT {
                corpus.push(input.clone());
            }
        }
        Ok(Fuzzed {
            name: self.name.to_owned(),
            executions: run.executions,
            behaviours: run.known.len(),
            seconds: cpu_seconds() - started,
        })
    }

    /// The seeds in the order of their names, and an empty one.
    fn seeds(&self) -> Vec<Vec<u8>> {
        let entries = fs::read_dir(self.seeds).into_iter().flatten();
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort_unstable();
        let seeds = paths.iter().filter_map(|path| fs::read(path).ok());
        std::iter::once(Vec::new()).chain(seeds).collect()
    }

    /// The file of the input that is being tried; without one only an abort leaves nothing behind.
    fn current(&self) -> Option<File> {
        fs::create_dir_all(self.found).ok()?;
        File::create(self.found.join(format!("{}-current", self.name))).ok()
    }

    fn report<C: FnMut(&[u8]) -> Behaviour>(
        &self,
        run: &mut Run<C>,
        said: String,
        input: &[u8],
    ) -> Box<Broken> {
        let execution = run.executions;
        let least = run.least(input);
        let path = self.found.join(format!("{}-broken", self.name));
        let _ = fs::create_dir_all(self.found);
        let _ = fs::write(&path, least);
        Box::new(Broken { said, input: path, execution })
    }
}

/// A run under way.
struct Run<C> {
    check: C,
    current: Option<File>,
    executions: u64,
    known: BTreeSet<Behaviour>,
}

impl<C: FnMut(&[u8]) -> Behaviour> Run<C> {
    /// Tries an input: whether it led somewhere new, or what was asserted.
    fn execute(&mut self, input: &[u8]) -> Result<bool, String> {
        if let Some(file) = &mut self.current {
            let written = file
                .rewind()
                .and_then(|()| file.write_all(input))
                .and_then(|()| file.set_len(input.len() as u64));
            if written.is_err() {
                self.current = None;
            }
        }
        self.executions += 1;
        let check = &mut self.check;
        match catch_unwind(AssertUnwindSafe(|| check(input))) {
            Ok(behaviour) => Ok(self.known.insert(behaviour)),
            Err(reason) => Err(said(&*reason)),
        }
    }

    /// The input with everything left out that need not be there for the law to be broken.
    fn least(&mut self, input: &[u8]) -> Vec<u8> {
        quiet(true);
        let mut least = input.to_vec();
        let mut tries = MOST_TRIES;
        let mut size = least.len().div_ceil(2);
        while size > 0 && tries > 0 {
            let mut at = 0;
            while at < least.len() && tries > 0 {
                let end = (at + size).min(least.len());
                let shorter =
                    [least.get(..at).unwrap_or_default(), least.get(end..).unwrap_or_default()].concat();
                tries -= 1;
                if self.execute(&shorter).is_err() { least = shorter } else { at = end }
            }
            size /= 2;
        }
        quiet(false);
        least
    }
}

fn said(reason: &(dyn std::any::Any + Send)) -> String {
    let text = reason
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| reason.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").to_owned()
}

/// CPU time of this thread so far; where the system does not say, time.
fn cpu_seconds() -> f64 {
    let spent = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = spent.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanoseconds
        .map_or_else(|| START.with(|start| start.elapsed().as_secs_f64()), |nanoseconds| nanoseconds / 1e9)
}

/// Whether this thread's panics are not shown: an input that is made smaller breaks the law again and again.
fn quiet(is_quiet: bool) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let show = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                show(info);
            }
        }));
    });
    QUIET.set(is_quiet);
}

thread_local! {
    static START: Instant = Instant::now();
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Most inputs that are kept because they led somewhere new.
const MOST_KEPT: usize = 20_000;
/// How often an input is tried to be made smaller.
const MOST_TRIES: u32 = 3_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn fuzzing<'a>(seeds: &'a Path, found: &'a Path) -> Fuzzing<'a> {
        Fuzzing { name: "own", seeds, words: &["magic"], executions: 20_000, seed: 1, found }
    }

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("nodesieve-laws-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("seeds")).unwrap();
        path
    }

    #[test]
    fn what_breaks_is_found_made_small_and_written_out() {
        let scratch = scratch("broken");
        fs::write(scratch.join("seeds/0"), "a long text without what breaks it, a long text").unwrap();
        let broken = fuzzing(&scratch.join("seeds"), &scratch)
            .run_for(None, |input| {
                assert!(!input.windows(5).any(|part| part == b"magic"), "there is magic");
                Behaviour::of(input.len() / 4)
            })
            .unwrap_err();
        assert_eq!(
            (broken.said.as_str(), fs::read(&broken.input).unwrap()),
            ("there is magic", b"magic".to_vec())
        );
        fs::copy(&broken.input, scratch.join("seeds/1")).unwrap();
        let again = fuzzing(&scratch.join("seeds"), &scratch).run_for(None, |input| {
            assert!(input != b"magic");
            Behaviour::of(0)
        });
        assert_eq!(again.unwrap_err().execution, 3, "among the seeds it runs first");
        let _ = fs::remove_dir_all(&scratch);
    }

    #[test]
    fn the_same_seed_makes_the_same_run_and_new_behaviour_is_followed() {
        let scratch = scratch("same");
        fs::write(scratch.join("seeds/0"), "0").unwrap();
        let run = |steps: &mut Vec<Behaviour>| {
            let stairs =
                |input: &[u8]| input.iter().zip(b"0123456").take_while(|(one, other)| one == other).count();
            let report = fuzzing(&scratch.join("seeds"), &scratch).run_for(None, |input| {
                let behaviour = Behaviour::of(stairs(input));
                steps.push(behaviour);
                behaviour
            });
            report.unwrap().behaviours
        };
        let (mut one, mut other) = (Vec::new(), Vec::new());
        let behaviours = run(&mut one);
        assert_eq!((behaviours, &one), (run(&mut other), &other));
        assert!(behaviours >= 5, "{behaviours}: step by step, which no blind change finds");
        let _ = fs::remove_dir_all(&scratch);
    }
}
