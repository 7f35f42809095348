//! The engine as the filter's face for Fluent Bit calls it: with the readings of the clock that the face makes, the rules that it reads
//! from a file, and the state that it saves on ticks.
//!
//! It exists to be compared with the compiled module, call by call. The rule it keeps: what `plugin/filter` does to an answer, it does;
//! metrics and log events, which change none, it leaves out.

use crate::calls::Pods;
use nodesieve_engine::config::RuleFile;
use nodesieve_engine::engine::{
    Answer, Clock, Engine, Input, Journal, JournalWrite, Left, SLOT, SavedError, TICK_TAG,
};
use nodesieve_engine::metrics::Metric;
use nodesieve_engine::rule_test;
use nodesieve_engine::time::Now;
use std::time::Duration;

/// As far ahead of the clock as a saved state may be, in nanoseconds.
const DAY: u64 = 86_400_000_000_000;

/// What stays when a filter ends.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// The rule file.
    pub rules: String,
    /// The pod files.
    pub pods: Pods,
    /// The saved state, once there is one.
    pub state: Option<String>,
    /// The journal beside it.
    pub journal: Vec<u8>,
    /// The latest time of the clock so far.
    pub latest: Now,
}

impl Disk {
    fn write(&mut self, write: &JournalWrite) {
        let start = usize::try_from(write.offset).unwrap_or_default();
        let end = start.saturating_add(SLOT);
        self.journal.resize(self.journal.len().max(end), 0);
        if let Some(place) = self.journal.get_mut(start..end) {
            place.copy_from_slice(&write.bytes);
        }
    }
}

/// A filter from its first call on.
pub struct Native {
    engine: Engine,
    clock: Reading,
    awaits_restore: bool,
    /// Whether the host has a summary when it calls again.
    awaits_taking: bool,
    last_done: Now,
    next_due: Now,
}

impl Native {
    /// One that starts with what is on the disk.
    pub fn start(disk: &Disk, seed: u64) -> Native {
        let mut native = Native {
            engine: Engine::new(RuleFile::default(), seed),
            clock: Reading { now: Now(0), read: Now(0), second: 0, left: 0, ticks: false },
            awaits_restore: true,
            awaits_taking: false,
            last_done: Now(0),
            next_due: Now(0),
        };
        native.reload(disk);
        native
    }

    /// One call at a time of the clock. `has_new_rules` says that the rule file was written since the last one.
    pub fn call(
        &mut self,
        input: Input<'_>,
        now: Now,
        disk: &mut Disk,
        has_new_rules: &mut bool,
        out: &mut Vec<u8>,
    ) -> Answer {
        self.clock.now = now;
        let lately = self.clock.lately(&input);
        if std::mem::take(&mut self.awaits_restore) {
            if let Some(saved) = &disk.state {
                let restored = restore(&mut self.engine, (saved, &disk.journal), lately);
                // A state from more than a day ahead is refused as a whole: of a clock that was that wrong nothing is believed.
                let is_ahead = disk.latest.0 > lately.0.saturating_add(DAY);
                assert!(restored.is_ok() || is_ahead, "{restored:?}: {saved}");
            }
            self.engine.nothing_is_saved();
            disk.journal.clear();
            self.save(disk, lately);
        } else if std::mem::take(&mut self.awaits_taking) && self.engine.summary_taken() {
            disk.write(&self.engine.journal_header(lately));
        }
        disk.latest = disk.latest.max(lately);
        let is_tick = input.tag == TICK_TAG;
        if is_tick || lately < self.last_done || lately >= self.next_due {
            self.last_done = lately;
            if std::mem::take(has_new_rules) {
                self.reload(disk);
            }
            if is_tick {
                let answer = self.engine.tick(input.text, lately, out);
                self.save(disk, lately);
                self.awaits_taking = answer == Answer::Keep;
                self.next_due = lately.after(TICK_IS_GONE);
                return answer;
            }
            self.engine.counters_mut().set(Metric::TickSeen, 0);
            self.save(disk, lately);
            self.next_due = lately.after(HOUSEKEEPING_EVERY);
        }
        let mut pods = disk.pods;
        let answer = self.engine.filter_lately(input, (lately, &mut self.clock), &mut pods, out).0;
        if let Some(write) = self.engine.journal_write() {
            disk.write(&write);
        }
        answer
    }

    fn reload(&mut self, disk: &Disk) {
        let loaded = rule_test::load_explained(&disk.rules);
        self.engine.count_reload(loaded.is_ok());
        if let Ok(loaded) = loaded {
            self.engine.replace_rules(loaded.rules);
        }
    }

    fn save(&mut self, disk: &mut Disk, now: Now) {
        if let Some(state) = self.engine.state_to_save(now) {
            disk.state = Some(state);
        }
        disk.write(&self.engine.journal_header(now));
    }
}

/// The one place where the saved state is handed to the engine, besides [`crate::engines`].
fn restore(engine: &mut Engine, (state, journal): (&str, &[u8]), now: Now) -> Result<(), SavedError> {
    engine.restore(Left { name: "", state, journal: Journal(journal) }, now)
}

/// The host's clock as the face reads it: for every second of records, after every tick, after so many records; for each where no ticks
/// come; and when a policy asks.
struct Reading {
    now: Now,
    read: Now,
    second: u32,
    left: u32,
    ticks: bool,
}

impl Reading {
    fn lately(&mut self, input: &Input<'_>) -> Now {
        let is_tick = input.tag == TICK_TAG;
        if self.left == 0 || input.time.sec != self.second || is_tick {
            self.ticks |= is_tick;
            self.read = self.now;
            self.second = input.time.sec;
            let will_do = self.ticks && !is_tick && input.time.sec != 0;
            self.left = if will_do { RECORDS_A_READING } else { 0 };
        } else {
            self.left -= 1;
        }
        self.read
    }
}

impl Clock for Reading {
    fn now(&mut self) -> Now {
        self.read = self.now;
        self.read
    }
}

const RECORDS_A_READING: u32 = 64;
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(1);
const TICK_IS_GONE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::{START, rules};
    use crate::record::{event_time, sums};

    /// Scenario: rules are swapped for some that drop, and the filter ends behind a tick.
    /// Guarantees: the new rules hold from the tick on, and the next life sums up what the one before has dropped.
    #[test]
    fn rules_are_read_on_ticks_and_what_is_dropped_outlives_the_filter() {
        let mut disk = Disk { rules: rules(6), ..Disk::default() };
        let (mut out, mut has_new_rules) = (Vec::new(), false);
        let mut call = |native: &mut Native, disk: &mut Disk, seconds: i64, tag: &str, is_new: bool| {
            has_new_rules |= is_new;
            let clock = START + seconds * 1000;
            let text = br#"{"log":"x"}"#;
            let input = Input { tag: tag.as_bytes(), time: event_time(clock, 0), text };
            let answer =
                native.call(input, Now(clock.unsigned_abs() * 1_000_000), disk, &mut has_new_rules, &mut out);
            (answer, sums(&out).1)
        };
        let (tick, tag) = ("nodesieve.tick", "kube.var.log.containers.p_n_c-0a.log");
        let mut native = Native::start(&disk, 1);
        assert_eq!(call(&mut native, &mut disk, 0, tick, false).0, Answer::Drop);
        disk.rules = rules(4);
        assert_eq!(call(&mut native, &mut disk, 0, tag, true).0, Answer::Keep, "not before a tick");
        assert_eq!(call(&mut native, &mut disk, 1, tick, false).0, Answer::Drop);
        assert_eq!(call(&mut native, &mut disk, 1, tag, false).0, Answer::Drop);
        assert_eq!(call(&mut native, &mut disk, 1, tick, false).0, Answer::Drop);
        let mut next = Native::start(&disk, 1);
        assert_eq!(call(&mut next, &mut disk, 3, tick, false).0, Answer::Drop);
        assert_eq!(call(&mut next, &mut disk, 6, tick, false), (Answer::Keep, 1));
    }
}
