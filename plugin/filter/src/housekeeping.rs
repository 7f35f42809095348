//! Housekeeping: what the filter does besides filtering. It reads rules and pod files, and writes metrics and state.
//!
//! There is no timer and no last call. A `dummy` input with the tag [`TICK_TAG`] is the clock; when there is no tick input,
//! housekeeping runs on the record path, at most once a second. Nothing here can lose a record: a file that is missing, broken or
//! on a full disk changes a counter and nothing else.

mod fragments;
mod lasting;
mod redact_seed;
mod rules;
mod tap;

use crate::files::{PodFilesOnNode, Stamp, find_file, say, write_whole};
use crate::lives::StateFiles;
use fragments::Fragments;
use nodesieve_engine::config::RuleFile;
use nodesieve_engine::engine::{Answer, Clock, Engine, Input, TICK_TAG};
use nodesieve_engine::metrics::Metric;
use nodesieve_engine::time::Now;
use rules::Candidate;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use tap::TapFiles;

/// The rule file, in the first directory of `accessible_paths` that has it.
const RULE_FILE: &str = "nodesieve.yaml";
/// How often housekeeping is done without a tick input.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(1);
/// How long after its last tick the tick input counts as gone.
const TICK_IS_GONE: Duration = Duration::from_secs(30);
/// Largest rule file, in bytes.
const MAX_RULE_BYTES: u64 = nodesieve_engine::config::MAX_BYTES as u64;
/// The last rule file that was taken, in `state.dir`.
const LAST_GOOD_FILE: &str = "last-good.yaml";

/// A filter with its files.
pub(crate) struct Housekeeping {
    engine: Engine,
    /// What the filter can see at all.
    directories: Vec<PathBuf>,
    rule_file: Option<PathBuf>,
    /// What the rule file looked like when it was last read.
    stamp: Option<Stamp>,
    /// The rules that are to take effect when their tests have run.
    candidate: Option<Candidate>,
    pods: PodFilesOnNode,
    /// When housekeeping was done last, and when a record does it if no tick has come until then.
    last_done: Now,
    next_due: Now,
    metrics_written: Option<Now>,
    /// Whether what outlived the last filter has been taken up: with the first rules in force.
    is_restored: bool,
    /// Where what must outlive the filter is kept; `None` keeps it nowhere.
    state: Option<StateFiles>,
    /// Whether something is to be done before the next record: nothing is on disk yet, or the host has taken a summary.
    is_waited_for: bool,
    /// Whether it has been said that the directory is another filter's too.
    has_said_shared: bool,
    /// How many writes into the journal this second has left.
    writes_left: u32,
    /// Files in a place that the rules do not name any more.
    left_behind: Option<StateFiles>,
    /// Rules whose time was over at the last tick.
    expired: usize,
    /// Whether a failure to write the state has been said.
    has_complained: bool,
    tap: TapFiles,
    fragments: Fragments,
}

impl Housekeeping {
    /// A filter that finds its rules in the first of `directories` that holds a rule file.
    pub(crate) fn start(directories: &[PathBuf], seed: u64) -> Housekeeping {
        let rule_file = find_file(directories, RULE_FILE);
        let rules = RuleFile::default();
        let pods = PodFilesOnNode(PathBuf::from(&rules.pods.dir));
        let mut housekeeping = Housekeeping {
            engine: Engine::new(rules, seed),
            directories: directories.to_vec(),
            rule_file,
            stamp: None,
            candidate: None,
            pods,
            last_done: Now::default(),
            next_due: Now::default(),
            metrics_written: None,
            is_restored: false,
            state: None,
            is_waited_for: false,
            has_said_shared: false,
            writes_left: lasting::WRITES_A_SECOND,
            left_behind: None,
            expired: 0,
            has_complained: false,
            tap: TapFiles::default(),
            fragments: Fragments::default(),
        };
        if housekeeping.rule_file.is_some() {
            housekeeping.read_rules();
        } else {
            let places: Vec<_> =
                directories.iter().map(|directory| directory.display().to_string()).collect();
            say(&format!(
                "nodesieve: find {RULE_FILE}: in none of the accessible paths ({})\n",
                places.join(", ")
            ));
            housekeeping.fall_back();
        }
        housekeeping
    }

    /// Decides one record and does the housekeeping that is due. A tick is not counted, and answers with a summary when one is
    /// due.
    #[inline(always)]
    pub(crate) fn filter(
        &mut self,
        input: Input<'_>,
        (now, clock): (Now, &mut dyn Clock),
        out: &mut Vec<u8>,
    ) -> Answer {
        if self.is_waited_for {
            self.attend(now, clock, input.tag == TICK_TAG);
        }
        if input.tag.len() == TICK_TAG.len() && input.tag == TICK_TAG {
            return self.tick(input, (now, clock), out);
        }
        if now < self.last_done || now >= self.next_due {
            self.do_without_tick(now, clock);
        }
        let answer = self.engine.filter_lately(input, (now, clock), &mut self.pods, out).0;
        if let Some(write) = self.engine.journal_write() {
            self.write_record(&write);
        }
        answer
    }

    #[inline(never)]
    fn tick(&mut self, input: Input<'_>, (now, clock): (Now, &mut dyn Clock), out: &mut Vec<u8>) -> Answer {
        self.reload_when_changed(now);
        self.test_rules(clock, true);
        self.follow_fragments(now, clock);
        self.say_expired(now);
        self.seek_redact_seed();
        let answer = self.engine.tick(input.text, now, out);
        self.serve_tap(now);
        self.save(now);
        // With its next call the host has what it gets now.
        self.is_waited_for = answer == Answer::Keep || self.candidate.is_some();
        self.write_metrics_when_due(now);
        self.next_due = now.after(TICK_IS_GONE);
        answer
    }

    /// Does what a tick would: there is no tick input, or none has come for long.
    #[inline(never)]
    fn do_without_tick(&mut self, now: Now, clock: &mut dyn Clock) {
        self.engine.counters_mut().set(Metric::TickSeen, 0);
        self.reload_when_changed(now);
        self.test_rules(clock, true);
        self.follow_fragments(now, clock);
        self.seek_redact_seed();
        self.serve_tap(now);
        self.save(now);
        self.write_metrics_when_due(now);
        self.next_due = now.after(HOUSEKEEPING_EVERY);
    }

    /// Counts a record that never reached the engine.
    pub(crate) fn count_untouched(&mut self, fault: Metric, bytes_in: usize, bytes_out: usize) {
        self.engine.count_untouched(fault, bytes_in, bytes_out);
    }

    /// From now on records pass untouched: an earlier call never returned.
    pub(crate) fn note_pass_through(&mut self) {
        self.engine.counters_mut().set(Metric::PassThrough, 1);
    }

    /// This filter has started in the place of one that a call never returned from.
    pub(crate) fn note_recoveries(&mut self, times: u32) {
        self.engine.counters_mut().set(Metric::Recoveries, u64::from(times));
    }

    /// Writes the metrics file if the last time was long enough ago.
    pub(crate) fn write_metrics_when_due(&mut self, now: Now) {
        if is_due(self.metrics_written, now, self.engine.rules().metrics.every) {
            self.metrics_written = Some(now);
            self.write_metrics(now);
        }
    }

    /// Says when a rule's time is over: from then on what it dropped comes through.
    fn say_expired(&mut self, now: Now) {
        let count = self.engine.expired(now).count();
        if std::mem::replace(&mut self.expired, count) < count {
            let names: Vec<&str> = self.engine.expired(now).collect();
            say(&format!("nodesieve: their time is over, they decide nothing: {}\n", names.join(", ")));
        }
    }

    fn put_in_force(&mut self, rules: Rc<RuleFile>) {
        for path in self.unreachable_paths(&rules) {
            say(&format!("nodesieve: reach {path}: it lies under none of the accessible paths\n"));
        }
        self.pods = PodFilesOnNode(PathBuf::from(&rules.pods.dir));
        let rules = self.follow_platform(&rules);
        self.engine.replace_rules(rules);
        self.read_redact_seed();
        self.is_restored = true;
        self.place_state();
        self.is_waited_for |= self.engine.rules().delegate.is_some();
    }

    /// Paths of a rule file that the filter can never open.
    fn unreachable_paths<'r>(&self, rules: &'r RuleFile) -> Vec<&'r str> {
        let is_visible =
            |path: &&str| self.directories.iter().any(|directory| Path::new(path).starts_with(directory));
        let tap = rules.tap.as_ref();
        let paths = [
            Some(rules.pods.dir.as_str()),
            Some(rules.metrics.file.as_str()),
            rules.state_dir.as_deref(),
            rules.redact_seed.as_deref(),
            tap.map(|tap| tap.request.as_str()),
            tap.map(|tap| tap.file.as_str()),
        ];
        paths.into_iter().flatten().filter(|path| !is_visible(path)).collect()
    }

    fn write_metrics(&mut self, now: Now) {
        let text = self.engine.render_metrics(env!("CARGO_PKG_VERSION"), now);
        let path = PathBuf::from(&self.engine.rules().metrics.file);
        if write_whole(&path, text.as_bytes()).is_err() {
            self.engine.counters_mut().add(Metric::MetricsFailed, 1);
        }
    }
}

fn is_due(last: Option<Now>, now: Now, every: Duration) -> bool {
    // A clock that went back makes it due: waiting for it to catch up could take for ever.
    last.is_none_or(|last| now.since(last).is_none_or(|elapsed| elapsed >= every))
}

#[cfg(test)]
mod tests;
