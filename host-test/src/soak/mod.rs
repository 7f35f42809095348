//! The compiled filter for as long as one likes, under everything that can happen to it at once.
//!
//! It exists because what breaks after a week breaks no test of a second. Containers come and go, keys are hostile, rules change, clocks
//! jump both ways, files fail, the filter is started again; the rule it keeps: the same seed and number of records is the same run, and
//! the laws are checked all along: no trap, every answer is JSON, what was seen is kept or dropped, what the kept stand for and what was
//! summed up and what is unreported is what was seen, and linear memory does not grow any more once it has grown.

mod calls;
mod traffic;
mod wasi_faults;

pub use calls::beside_the_engine;

use crate::filter_counts;
use crate::guest::{CompiledModule, Guest, GuestError, GuestSettings, Loss, Returned};
use crate::tree::{NodeTree, TreeError};
use fastrand::Rng;
use nodesieve_engine::config::load;
use nodesieve_engine::engine::TICK_TAG;
use nodesieve_engine::metrics::Metric;
use nodesieve_laws::calls::{RULES, rules};
use nodesieve_laws::sums;
use nodesieve_preview::clock::TICK;
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};
use thiserror::Error;
use traffic::Traffic;
use wasi_faults::WasiFaults;

/// Why a soak could not be run. That a law is broken is no error.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each variant is the error of a part")]
pub enum SoakError {
    #[error(transparent)]
    Guest(#[from] GuestError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error("change the pod files of the soak: {0}")]
    Pods(std::io::Error),
    #[error("read the first rules of the soak: they have mistakes")]
    Rules,
}

/// How long a soak is.
#[derive(Clone, Copy, Debug)]
pub enum SoakLength {
    /// So many records: the same run everywhere.
    Records(u64),
    /// So much time.
    Time(Duration),
}

/// A soak to run.
#[derive(Clone, Copy, Debug)]
pub struct Soak<'a> {
    /// The compiled filter.
    pub module: &'a Path,
    /// What everything that happens starts from.
    pub seed: u64,
    /// How long.
    pub length: SoakLength,
    /// Of so many calls of WASI one fails; none if 0.
    pub faults: u32,
}

/// What a soak came to. Serialised as its `--format json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SoakReport {
    /// Records handed over.
    pub records: u64,
    /// Of these, kept.
    pub kept: u64,
    /// Of these, dropped.
    pub dropped: u64,
    /// Records that the kept stand for besides themselves.
    pub counted: u64,
    /// Records that summaries say were dropped.
    pub summarised: u64,
    /// Ticks.
    pub ticks: u64,
    /// How often the rule file was changed, bad ones included.
    pub rule_files: u64,
    /// Pods that came.
    pub pods: u64,
    /// Jumps of the clock.
    pub jumps: u64,
    /// How often the filter was started again.
    pub restarts: u64,
    /// Calls of WASI that failed or came up short.
    pub injected: u64,
    /// Most linear memory after warm-up, and at the end, in bytes, of the life in which it has grown most.
    pub memory_warm: usize,
    /// See above.
    pub memory_end: usize,
    /// The laws that were broken, the first ten times.
    pub broken: Vec<String>,
}

impl Soak<'_> {
    /// Runs it. `progress` hears of records and time gone.
    ///
    /// # Errors
    /// [`SoakError`] when it cannot be run.
    pub fn run(&self, mut progress: impl FnMut(u64, Duration)) -> Result<SoakReport, SoakError> {
        let module = CompiledModule::load(self.module)?;
        let mut soaking = Soaking::start(&module, self)?;
        let started = Instant::now();
        loop {
            let records = soaking.report.records;
            let is_over = match self.length {
                SoakLength::Records(most) => records >= most,
                SoakLength::Time(most) => started.elapsed() >= most,
            };
            if is_over || !soaking.report.broken.is_empty() {
                break;
            }
            for _ in 0..STEPS {
                soaking.step()?;
            }
            soaking.check();
            // Every other life is short.
            let is_short = soaking.report.restarts.is_multiple_of(2);
            if soaking.memory.len() >= if is_short { CHECKS_OF_A_SHORT_LIFE } else { CHECKS_OF_A_LIFE } {
                soaking.restart()?;
            }
            progress(records, started.elapsed());
        }
        soaking.end_of_life();
        soaking.report.injected = soaking.faults.injected();
        Ok(soaking.report)
    }
}

/// A soak under way.
struct Soaking<'a> {
    module: &'a CompiledModule,
    tree: NodeTree,
    guest: Guest,
    faults: WasiFaults,
    one_of: u32,
    random: Rng,
    traffic: Traffic,
    /// The guest's clock, in nanoseconds.
    clock: u64,
    /// Records of this life.
    seen: u64,
    /// The last summary: it comes again after a restart, and counts once.
    last_summary: Vec<u8>,
    /// Linear memory at each check of this life.
    memory: Vec<usize>,
    report: SoakReport,
}

impl<'a> Soaking<'a> {
    fn start(module: &'a CompiledModule, soak: &Soak<'_>) -> Result<Soaking<'a>, SoakError> {
        let source = rules(0);
        let loaded = load(&source).map_err(|_| SoakError::Rules)?;
        let tree = NodeTree::new(&source, &loaded.rules)?;
        let faults = WasiFaults::new(soak.seed);
        let guest = started(module, &tree, &faults)?;
        let mut soaking = Soaking {
            module,
            tree,
            guest,
            faults,
            one_of: soak.faults,
            random: Rng::with_seed(soak.seed),
            traffic: Traffic::new(soak.seed),
            clock: START,
            seen: 0,
            last_summary: Vec::new(),
            memory: Vec::new(),
            report: SoakReport::default(),
        };
        soaking.begin_of_life();
        Ok(soaking)
    }

    /// Something happens: mostly a record.
    fn step(&mut self) -> Result<(), SoakError> {
        match self.random.u32(..1000) {
            0 => self.change_rules()?,
            1..=3 => {
                self.report.pods += 1;
                let directory = self.tree.pods_directory();
                self.traffic.churn(&directory, self.clock / SECOND).map_err(SoakError::Pods)?;
            }
            4 => self.jump(),
            5 => {
                let (tag, time) = (self.traffic.tag(), self.time());
                let returned = self.guest.filter_without_memory(&tag, time, 1000);
                self.take(&tag, b"{}", returned);
            }
            6..=25 => {
                self.clock = self.clock.saturating_add(SECOND);
                self.tick();
            }
            _ => {
                self.clock = self.clock.saturating_add(self.random.u64(..20_000_000));
                self.guest.clock().set_to(self.clock);
                let (tag, text, time) = (self.traffic.tag(), self.traffic.record(), self.time());
                let returned = self.guest.filter(&tag, time, &text);
                self.take(&tag, &text, returned);
            }
        }
        Ok(())
    }

    /// The time of a record: now, late, early or none.
    fn time(&mut self) -> (u32, u32) {
        let now = self.clock / SECOND;
        let second = match self.random.u32(..20) {
            0 => now.saturating_sub(self.random.u64(..10_000)),
            1 => now.saturating_add(self.random.u64(..100)),
            2 => 0,
            _ => now,
        };
        (u32::try_from(second).unwrap_or(u32::MAX), (self.clock % SECOND) as u32)
    }

    fn take(&mut self, tag: &[u8], text: &[u8], returned: Returned) {
        self.seen += 1;
        let report = &mut self.report;
        report.records += 1;
        match returned {
            Returned::Kept(answer) => {
                report.kept += 1;
                // One whose tag cannot be read goes on as it came, with whatever it says of itself.
                let is_read = std::str::from_utf8(tag).is_ok();
                report.counted += if is_read { sums(&answer).0.saturating_sub(1) } else { 0 };
                if is_read && is_object(text) && answer.len() > LARGEST {
                    self.broken(format!("an answer of {} bytes", answer.len()));
                }
            }
            Returned::Dropped => report.dropped += 1,
            // What was no object when it came is none when it goes. The filter's idea of JSON is wider, so it may count all the same.
            Returned::Lost(Loss::Json { text: answer, .. }) if !is_object(text) => {
                report.kept += 1;
                let is_read = std::str::from_utf8(tag).is_ok() && std::str::from_utf8(text).is_ok();
                report.counted += if is_read { sums(&answer).0.saturating_sub(1) } else { 0 };
            }
            Returned::Lost(loss) => {
                let shown: String = String::from_utf8_lossy(text).chars().take(500).collect();
                self.broken(format!("{loss}, for {shown}"));
            }
        }
    }

    fn tick(&mut self) {
        self.guest.clock().set_to(self.clock);
        self.report.ticks += 1;
        let second = u32::try_from(self.clock / SECOND).unwrap_or(u32::MAX);
        match self.guest.filter(TICK_TAG, (second, 0), TICK) {
            Returned::Kept(summary) if summary == self.last_summary => {}
            Returned::Kept(summary) => {
                self.report.summarised += sums(&summary).1;
                self.last_summary = summary;
            }
            Returned::Dropped => {}
            Returned::Lost(loss) => self.broken(format!("a tick: {loss}")),
        }
    }

    fn change_rules(&mut self) -> Result<(), SoakError> {
        self.report.rule_files += 1;
        let source = match self.random.u32(..8) {
            0 => "version: 1\nrules: [".to_owned(),
            _ => rules(self.random.usize(..RULES.len())),
        };
        Ok(self.tree.put_rules(&source)?)
    }

    fn jump(&mut self) {
        self.report.jumps += 1;
        let bits = self.random.u32(20..48);
        let by = self.random.u64(..1 << bits);
        let is_back = self.random.bool();
        let to = if is_back { self.clock.saturating_sub(by) } else { self.clock.saturating_add(by) };
        self.clock = to.clamp(START - YEAR, START + 40 * YEAR);
    }

    /// Adds up, while no file fails.
    fn check(&mut self) {
        self.faults.set(0);
        // Metrics are written every 10 s.
        self.clock = self.clock.saturating_add(11 * SECOND);
        self.tick();
        self.memory.push(self.guest.memory_bytes());
        match self.tree.metrics() {
            Ok(metrics) => self.add_up(&metrics),
            Err(error) => self.broken(error.to_string()),
        }
        self.faults.set(self.one_of);
    }

    fn add_up(&mut self, metrics: &str) {
        let counts = filter_counts::read(metrics);
        let [seen, kept, dropped, unreported, passed] =
            [Metric::Seen, Metric::Kept, Metric::Dropped, Metric::Unreported, Metric::PassThrough]
                .map(|metric| counts.get(metric));
        let SoakReport { records, kept: all_kept, dropped: all_dropped, counted, summarised, .. } =
            self.report;
        if (seen, kept + dropped) != (self.seen, self.seen) {
            self.broken(format!(
                "{} handed over in this life, {seen} seen, {kept} kept, {dropped} dropped",
                self.seen
            ));
        }
        if all_kept + all_dropped != records || all_kept + counted + summarised + unreported != records {
            self.broken(format!(
                "{records} records: {all_kept} kept, {all_dropped} dropped; {counted} counted, {summarised} summed up, {unreported} unreported"
            ));
        }
        if passed > 0 {
            self.broken("the filter passes everything through".to_owned());
        }
    }

    /// Starts the filter again, right behind a check: all that is unreported is in the saved state.
    fn restart(&mut self) -> Result<(), SoakError> {
        self.end_of_life();
        self.report.restarts += 1;
        self.faults.set(0);
        // One that is refused at a start, without a last good one, would leave the saved state where it is.
        self.tree.put_rules(&rules(self.random.usize(..RULES.len())))?;
        self.guest = started(self.module, &self.tree, &self.faults)?;
        self.begin_of_life();
        Ok(())
    }

    /// The first call reads rules and state, while no file fails.
    fn begin_of_life(&mut self) {
        (self.seen, self.memory) = (0, Vec::new());
        self.clock = self.clock.saturating_add(SECOND);
        self.tick();
        self.faults.set(self.one_of);
    }

    /// In its second half a life takes no more memory than in its first.
    fn end_of_life(&mut self) {
        let (first, second) = self.memory.split_at(self.memory.len() / 2);
        let most = |part: &[usize]| part.iter().copied().max().unwrap_or_default();
        let (warm, end) = (most(first), most(second));
        let report = &mut self.report;
        let is_judged = self.memory.len() >= CHECKS_TO_JUDGE;
        if is_judged && end.saturating_sub(warm) >= report.memory_end.saturating_sub(report.memory_warm) {
            (report.memory_warm, report.memory_end) = (warm, end);
        }
        if is_judged && end > warm + SLACK {
            self.broken(format!("linear memory grows: {warm} bytes after warm-up, {end} at the end"));
        }
    }

    fn broken(&mut self, law: String) {
        if self.report.broken.len() < MOST_BROKEN {
            let (records, ticks) = (self.report.records, self.report.ticks);
            self.report.broken.push(format!("after {records} records and {ticks} ticks: {law}"));
        }
    }
}

fn started(module: &CompiledModule, tree: &NodeTree, faults: &WasiFaults) -> Result<Guest, GuestError> {
    let settings = GuestSettings { preopens: tree.preopens().to_vec(), seed: GUEST_SEED };
    module.start_around(
        &settings,
        |linker| faults.put_in_front(linker),
        |forwards, store, memory| forwards.lead(store, memory),
    )
}

fn is_object(text: &[u8]) -> bool {
    // What is ignored is not looked at for whether it is text.
    std::str::from_utf8(text).is_ok()
        && text.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
}

const SECOND: u64 = 1_000_000_000;
const YEAR: u64 = 31_536_000 * SECOND;
/// 2026-11-20T10:00:00Z.
const START: u64 = 1_795_168_800 * SECOND;
/// One for all lives: the name under which a filter claims its state directory comes from it.
const GUEST_SEED: u64 = 7;
/// What happens between two checks.
const STEPS: u32 = 5_000;
/// Checks of one life: 250,000 things that happen.
const CHECKS_OF_A_LIFE: usize = 50;
const CHECKS_OF_A_SHORT_LIFE: usize = 3;
/// With fewer, a life was too short to say whether its memory grows.
const CHECKS_TO_JUDGE: usize = 20;
/// How much memory may still grow after the first half of a life, in bytes: tables that had never been full, and the 4 MiB of lines that may
/// be recalled.
const SLACK: usize = 6 << 20;
/// The largest answer that any of the rule files allows.
const LARGEST: usize = 1_000_000;
const MOST_BROKEN: usize = 10;
