//! An engine beside its reference: whatever the one is told, the other is told too, and both must answer alike.
//!
//! It exists so that every test of the engine is one of the quick ways and of the long one.

use crate::config::RuleFile;
use crate::engine::{Answer, Clock, Engine, Input, Journal, JournalWrite, Left, SavedError, Verdict};
use crate::metrics::Counters;
use crate::pods::PodSource;
use crate::time::Now;
use crate::unreported::Unreported;
use std::rc::Rc;

pub(super) struct BothWays {
    pub(super) quick: Engine,
    long: Engine,
    /// The answer of the reference.
    expected: Vec<u8>,
}

impl BothWays {
    pub(super) fn new(rules: impl Into<Rc<RuleFile>>, seed: u64) -> BothWays {
        let rules = rules.into();
        let (quick, mut long) = (Engine::new(Rc::clone(&rules), seed), Engine::new(rules, seed));
        long.be_the_reference();
        BothWays { quick, long, expected: Vec::new() }
    }

    /// Does the same to both.
    pub(super) fn both(&mut self, change: impl Fn(&mut Engine)) {
        change(&mut self.quick);
        change(&mut self.long);
    }

    #[track_caller]
    pub(super) fn filter(
        &mut self,
        input: Input<'_>,
        clock: &mut dyn Clock,
        pods: &mut dyn PodSource,
        out: &mut Vec<u8>,
    ) -> (Answer, Verdict) {
        let mut now = clock.now();
        let answer = self.quick.filter(input, &mut now, pods, out);
        let expected = self.long.filter(input, &mut now, pods, &mut self.expected);
        assert_eq!(answer, expected, "{}", String::from_utf8_lossy(input.text));
        if answer.0 == Answer::Keep {
            assert_eq!(String::from_utf8_lossy(out), String::from_utf8_lossy(&self.expected));
        }
        answer
    }

    #[track_caller]
    pub(super) fn tick(&mut self, text: &[u8], now: Now, out: &mut Vec<u8>) -> Answer {
        let answer = self.quick.tick(text, now, out);
        assert_eq!(answer, self.long.tick(text, now, &mut self.expected));
        assert_eq!(String::from_utf8_lossy(out), String::from_utf8_lossy(&self.expected));
        assert_eq!(self.quick.render_metrics("0", now), self.long.render_metrics("0", now));
        answer
    }

    pub(super) fn replace_rules(&mut self, rules: impl Into<Rc<RuleFile>>) {
        let rules = rules.into();
        self.quick.replace_rules(Rc::clone(&rules));
        self.long.replace_rules(rules);
    }

    pub(super) fn restore(&mut self, text: &str) -> Result<(), SavedError> {
        self.restore_left(text, &[], Now(u64::MAX / 2))
    }

    pub(super) fn restore_left(&mut self, state: &str, journal: &[u8], now: Now) -> Result<(), SavedError> {
        let left = Left { name: "00000000000000aa", state, journal: Journal(journal) };
        self.long.restore(left, now)?;
        self.quick.restore(left, now)
    }

    #[track_caller]
    pub(super) fn further_journal_write(&mut self) -> Option<JournalWrite> {
        let write = self.quick.further_journal_write();
        assert_eq!(write, self.long.further_journal_write());
        write
    }

    #[track_caller]
    pub(super) fn journal_write(&mut self) -> Option<JournalWrite> {
        let write = self.quick.journal_write();
        assert_eq!(write, self.long.journal_write());
        write
    }

    #[track_caller]
    pub(super) fn journal_header(&self, now: Now) -> JournalWrite {
        let header = self.quick.journal_header(now);
        assert_eq!(header, self.long.journal_header(now));
        header
    }

    #[track_caller]
    pub(super) fn summary_taken(&mut self) -> bool {
        let taken = self.quick.summary_taken();
        assert_eq!(taken, self.long.summary_taken());
        taken
    }

    #[track_caller]
    pub(super) fn state_to_save(&mut self, now: Now) -> Option<String> {
        let state = self.quick.state_to_save(now);
        assert_eq!(state, self.long.state_to_save(now));
        state
    }

    #[track_caller]
    pub(super) fn unreported(&mut self) -> Unreported {
        let unreported = self.quick.unreported();
        assert_eq!(unreported, self.long.unreported());
        assert_eq!(unreported, sum_of_places(&mut self.quick));
        unreported
    }

    pub(super) fn counters(&self) -> &Counters {
        self.quick.counters()
    }

    pub(super) fn render_metrics(&mut self, version: &str, now: Now) -> String {
        self.quick.render_metrics(version, now)
    }
}

/// What is unreported by each place where it can be: keys, and what has none.
fn sum_of_places(engine: &mut Engine) -> Unreported {
    let mut sum = Unreported::default();
    engine.rules.iter_mut().for_each(|active| sum.add(active.state.unreported()));
    engine.counters.rules().iter().for_each(|row| sum.add(row.unreported.unreported()));
    sum
}
