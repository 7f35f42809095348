//! What outlives the filter: when it is written, and how what an earlier filter has left is taken up.
//!
//! The rule kept here: a record is answered when what it changed is in the journal, and a summary when it is in the state; so an end
//! without a word, which is every end, leaves on disk what was. What is taken over from another filter is saved as ours before its
//! files go, with its name, so that nobody counts it again.

use super::Housekeeping;
use crate::files::say;
use crate::lives::{LeftBehind, StateFiles};
use nodesieve_engine::engine::{Clock, Journal, JournalWrite, Left, taken_over_by};
use nodesieve_engine::metrics::Metric;
use nodesieve_engine::time::Now;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

impl Housekeeping {
    /// Follows `state.dir` of the rules in force.
    pub(super) fn place_state(&mut self) {
        let wanted = self.engine.rules().state_dir.as_deref().map(Path::new);
        if self.state.as_ref().map(StateFiles::directory) == wanted {
            return;
        }
        let files = wanted.map(|directory| StateFiles::new(directory, self.engine.instance()));
        // What is left there would be reported once more if the rules went back to that place.
        self.left_behind = std::mem::replace(&mut self.state, files);
        self.is_waited_for = self.state.is_some();
    }

    /// Before a record: goes on with the tests of new rules, takes up what there is and has it on disk, and notes that the host has
    /// taken a summary.
    #[cold]
    #[inline(never)]
    pub(super) fn attend(&mut self, now: Now, clock: &mut dyn Clock, is_tick: bool) {
        self.test_rules(clock, is_tick);
        self.follow_new_platform(now, clock);
        self.is_waited_for = self.candidate.is_some();
        if self.engine.summary_taken() && self.state.as_ref().is_some_and(StateFiles::has_journal) {
            self.write_into_journal(&self.engine.journal_header(now));
        }
        if self.state.as_ref().is_some_and(|state| !state.has_journal()) {
            self.save(now);
        }
    }

    /// Writes what must outlive the filter when it has changed, and that the filter lives.
    pub(super) fn save(&mut self, now: Now) {
        if self.state.is_none() {
            self.leave_nothing_behind();
            return;
        }
        self.take_over(now);
        let Some(files) = &mut self.state else { return };
        if !files.has_journal() {
            self.engine.nothing_is_saved();
        }
        let state = self.engine.state_to_save(now);
        if let Some(state) = &state
            && let Err(error) = files.save(state)
        {
            let path = files.state_path(files.name());
            self.engine.state_not_saved();
            self.state_failed(&path, &error);
            return;
        }
        self.writes_left = WRITES_A_SECOND;
        self.engine.write_one_in(1);
        let header = self.engine.journal_header(now);
        if self.write_into_journal(&header) && state.is_some() {
            self.has_complained = false;
            self.leave_nothing_behind();
        }
    }

    /// Writes what a record has changed. When a second has seen very many, only one in some for the rest of it: a write costs as much
    /// as all else that a record costs.
    pub(super) fn write_record(&mut self, write: &JournalWrite) {
        self.write_into_journal(write);
        while let Some(write) = self.engine.further_journal_write() {
            self.write_into_journal(&write);
        }
        self.writes_left = self.writes_left.saturating_sub(1);
        if self.writes_left == 0 {
            self.engine.write_one_in(IN_A_FLOOD);
        }
    }

    /// Writes one place of the journal; whether it was written.
    pub(super) fn write_into_journal(&mut self, write: &JournalWrite) -> bool {
        let Some(files) = &mut self.state else { return false };
        // Without one, the state is not on disk yet, and neither is what a place in the journal means.
        if !files.has_journal() && write.offset > 0 {
            return false;
        }
        match files.write(write) {
            Ok(()) => true,
            Err(error) => {
                files.give_journal_up();
                let path = files.state_path(files.name());
                self.state_failed(&path, &error);
                false
            }
        }
    }

    /// Takes up what filters before this one have left.
    fn take_over(&mut self, now: Now) {
        let Some(files) = &mut self.state else { return };
        let ended = files.left_behind(now);
        let is_shared = files.is_shared();
        let directory = files.directory().to_owned();
        if is_shared {
            self.engine.counters_mut().set(Metric::StateShared, 1);
            self.say_shared(&directory);
        }
        if ended.is_empty() {
            return;
        }
        let known: Vec<String> = self.state.iter().flat_map(StateFiles::other_states).collect();
        let known: Vec<&str> = known.iter().flat_map(|state| taken_over_by(state)).collect();
        let mut taken_over = Vec::new();
        for LeftBehind { name, state, journal } in ended {
            // Whoever has taken it over has not come to removing it.
            if !known.contains(&name.as_str()) {
                self.restore(&name, state, &journal, now);
            }
            taken_over.push(name);
        }
        self.make_sure_of(&taken_over, now);
    }

    fn restore(&mut self, name: &str, state: std::io::Result<String>, journal: &[u8], now: Now) {
        let outcome = match state {
            Ok(state) => {
                // A filter with this one's number is the one before it, and its files are overwritten.
                let is_own = self.state.as_ref().is_some_and(|files| files.name() == name);
                let name = if is_own { "" } else { name };
                let left = Left { name, state: &state, journal: Journal(journal) };
                self.engine.restore(left, now).map_err(|error| error.to_string())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(reason) = outcome {
            self.engine.counters_mut().add(Metric::StateFailed, 1);
            let path = self.state.as_ref().map(|files| files.state_path(name)).unwrap_or_default();
            say(&format!(
                "nodesieve: restore {}: {reason}; unreported counts and budgets start at zero\n",
                path.display()
            ));
        }
    }

    /// Saves what was taken over from these filters as ours, and only then removes what they have left.
    fn make_sure_of(&mut self, names: &[String], now: Now) {
        self.engine.nothing_is_saved();
        let (Some(files), Some(state)) = (&mut self.state, self.engine.state_to_save(now)) else { return };
        if let Err(error) = files.save(&state) {
            let path = files.state_path(files.name());
            self.engine.state_not_saved();
            self.state_failed(&path, &error);
            return;
        }
        let own = files.name().to_owned();
        for name in names.iter().filter(|name| **name != own) {
            if files.remove(name) {
                self.engine.is_gone(name);
            }
        }
    }

    fn leave_nothing_behind(&mut self) {
        // Files that are not there, or cannot be removed, are no worse than before.
        if let Some(mut files) = self.left_behind.take() {
            files.clear();
        }
    }

    fn say_shared(&mut self, directory: &Path) {
        if !std::mem::replace(&mut self.has_said_shared, true) {
            say(&format!(
                "nodesieve: use {}: another filter keeps its state there too. Each has its own counts, but they share {}: let one \
                 filter have all tags, or give each a rule file of its own\n",
                directory.display(),
                self.engine.rules().metrics.file
            ));
        }
    }

    pub(super) fn state_failed(&mut self, path: &Path, error: &std::io::Error) {
        self.engine.counters_mut().add(Metric::StateFailed, 1);
        if !std::mem::replace(&mut self.has_complained, true) {
            say(&format!("nodesieve: write {}: {error}\n", path.display()));
        }
    }

    pub(super) fn last_good_path(&self, name: &str) -> Option<PathBuf> {
        self.engine.rules().state_dir.as_ref().map(|directory| Path::new(directory).join(name))
    }
}

/// Records a second that are each written down: what a busy node drops.
pub(super) const WRITES_A_SECOND: u32 = 10_000;
/// Of so many dropped records of a rule, one is written for the rest of such a second.
const IN_A_FLOOD: u32 = 16;
