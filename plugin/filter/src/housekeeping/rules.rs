//! The rule file: when it is read, how its tests run, and what rules are in force while there are no good ones.
//!
//! A file's own tests may take longer than records can wait, so they run in slices: on ticks, and now and then in front of a record.
//! The rule kept here: rules take effect when their tests have passed and not before; until then those before them stay, at the start
//! the last good ones, and without those all is kept and enriched.

use super::{Housekeeping, LAST_GOOD_FILE, MAX_RULE_BYTES, RULE_FILE};
use crate::files::{find_file, read_text, say, stamp, write_whole};
use nodesieve_engine::config::{self, RuleFile};
use nodesieve_engine::diag::{Code, Diagnostic, MAX_SHOWN, Paint, render_all};
use nodesieve_engine::engine::Clock;
use nodesieve_engine::metrics::Metric;
use nodesieve_engine::rule_test::TestRun;
use nodesieve_engine::time::Now;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long tests run at the start before records go by the last good rules.
const AT_START: Duration = Duration::from_millis(250);
/// How long they run on a tick.
const ON_TICK: Duration = Duration::from_millis(200);
/// How long they run in front of a record, and how long after that records have their turn.
const BEFORE_RECORD: Duration = Duration::from_millis(20);
const RECORDS_HAVE: Duration = Duration::from_millis(80);

/// A rule file whose tests have not all run.
pub(super) struct Candidate {
    run: TestRun,
    source: String,
    path: PathBuf,
    /// When its tests go on in front of a record.
    due: Now,
}

impl Housekeeping {
    pub(super) fn reload_when_changed(&mut self, now: Now) {
        self.last_done = now;
        if self.rule_file.is_none() {
            self.rule_file = find_file(&self.directories, RULE_FILE);
        }
        match self.rule_file.as_deref().and_then(stamp) {
            // The rules stay in force; when the file comes back, it is read.
            None => {
                self.stamp = None;
                self.engine.counters_mut().set(Metric::ConfigValid, 0);
            }
            on_disk if on_disk != self.stamp => self.read_rules(),
            Some(_) => {}
        }
    }

    /// Reads the rule file. One without tests is in force then, one with tests when they have run.
    pub(super) fn read_rules(&mut self) {
        let Some(path) = self.rule_file.clone() else { return };
        self.stamp = stamp(&path);
        self.candidate = None;
        let source = match read_text(&path, MAX_RULE_BYTES) {
            Ok(source) => source,
            Err(error) => {
                let code = if error.kind() == ErrorKind::FileTooLarge { Code::TooLarge.name() } else { "" };
                let code = if code.is_empty() { String::new() } else { format!(" [{code}]") };
                return self.refuse(&format!("nodesieve: read {}: {error}{code}", path.display()));
            }
        };
        match TestRun::begin(&source) {
            Err(mistakes) => self.refuse(&refusal(&mistakes, &source, &path)),
            Ok(run) => {
                let has_tests = run.has_tests();
                self.candidate = Some(Candidate { run, source, path, due: Now::default() });
                if has_tests {
                    self.is_waited_for = true;
                } else {
                    self.take_candidate();
                }
            }
        }
    }

    /// Runs a slice of the tests of a file that is to take effect, if one waits and the slice is due.
    pub(super) fn test_rules(&mut self, clock: &mut dyn Clock, is_tick: bool) {
        let Some(candidate) = &mut self.candidate else { return };
        let start = clock.now();
        let is_start = !self.is_restored;
        if !is_start && start < candidate.due {
            return;
        }
        let slice = match (is_start, is_tick) {
            (true, _) => AT_START,
            (false, true) => ON_TICK,
            (false, false) => BEFORE_RECORD,
        };
        // A clock that goes back ends the slice: nobody knows how long it was.
        let is_over = candidate.run.go_on(&mut || clock.now().since(start).is_some_and(|past| past < slice));
        candidate.due = clock.now().after(RECORDS_HAVE);
        if is_over {
            self.take_candidate();
        } else if is_start {
            self.fall_back();
            self.is_restored = true;
        }
    }

    /// The tests have run: the rules are in force if all of them hold.
    fn take_candidate(&mut self) {
        let Some(Candidate { run, source, path, due: _ }) = self.candidate.take() else { return };
        match run.finish() {
            Ok(loaded) => {
                if !loaded.warnings.is_empty() {
                    say(&render_all(&loaded.warnings, &source, &path.display().to_string(), Paint::Plain));
                }
                self.engine.count_reload(true);
                self.engine.counters_mut().set(Metric::LastGood, 0);
                self.put_in_force(loaded.rules);
                self.keep_as_last_good(&source);
            }
            Err(mistakes) => self.refuse(&refusal(&mistakes, &source, &path)),
        }
    }

    fn refuse(&mut self, message: &str) {
        self.engine.count_reload(false);
        let kept = if self.is_restored { "; the rules before it stay in force" } else { "" };
        say(&format!("{message}{kept}\n"));
        if !self.is_restored {
            self.fall_back();
        }
    }

    /// The rule file is bad or missing and there are no rules before it: those that were taken last, in an earlier life. Their tests
    /// have passed then.
    pub(super) fn fall_back(&mut self) {
        // Where they are is said in the file that cannot be used: where it is by default, or in what the filter can see.
        let default = RuleFile::default().state_dir.map(PathBuf::from);
        let places = default.iter().chain(&self.directories).map(|directory| directory.join(LAST_GOOD_FILE));
        let written = |path: &PathBuf| fs::metadata(path).and_then(|found| found.modified()).ok();
        let newest = places.filter_map(|path| Some((written(&path)?, path))).max();
        let Some((_, path)) = newest else {
            say("nodesieve: find the last rules that were good: there are none; all is kept\n");
            return;
        };
        let source = match read_text(&path, MAX_RULE_BYTES) {
            Ok(source) => source,
            Err(error) => {
                say(&format!("nodesieve: read {}: {error}; all is kept\n", path.display()));
                return;
            }
        };
        match config::load(&source) {
            Ok(loaded) => {
                say(&format!("nodesieve: take {}: the last rules that were good\n", path.display()));
                self.engine.counters_mut().set(Metric::LastGood, 1);
                self.put_in_force(loaded.rules);
            }
            Err(mistakes) => say(&format!("{}; all is kept\n", refusal(&mistakes, &source, &path))),
        }
    }

    fn keep_as_last_good(&mut self, source: &str) {
        // Two filters have the same rule file, so that it does not matter which of them writes it.
        let Some(path) = self.last_good_path(LAST_GOOD_FILE) else { return };
        if read_text(&path, MAX_RULE_BYTES).is_ok_and(|known| known == source) {
            return;
        }
        if let Err(error) = write_whole(&path, source.as_bytes()) {
            self.state_failed(&path, &error);
        }
    }
}

/// What to say about a file that has mistakes, or whose own tests do not hold.
fn refusal(mistakes: &[Diagnostic], source: &str, path: &Path) -> String {
    let shown = path.display().to_string();
    let list = render_all(mistakes, source, &shown, Paint::Plain);
    let count = match mistakes.len() {
        1 => "1 mistake".to_owned(),
        count if count > MAX_SHOWN => format!("more than {MAX_SHOWN} mistakes"),
        count => format!("{count} mistakes"),
    };
    format!("{list}nodesieve: load {shown}: {count}")
}
