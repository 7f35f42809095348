//! A run of records through the engine itself, as `nodesieve replay` runs them through the compiled filter.

use crate::clock::{TICK, VirtualClock};
use crate::counts::FilterCounts;
use crate::inputs::Record;
use crate::ledger::Ledger;
use crate::money::{FLUSH_SECONDS, Prices};
use crate::pods::PodTable;
use crate::survey::{Breakdown, Dimensions};
use crate::tally::Tally;
use crate::today::KubernetesFilter;
use nodesieve_engine::config::RuleFile;
use nodesieve_engine::engine::{Answer, Engine, Input};
use nodesieve_engine::metrics::Metric;
use nodesieve_engine::redact::Seed;
use nodesieve_engine::time::{EventTime, Now};
use std::rc::Rc;

/// What the engine's random numbers start from, here and in `nodesieve replay` unless it gets another: one seed for all runs,
/// so that they can be compared with each other.
pub const SEED: u64 = 1;

/// A run under way.
#[derive(Debug)]
pub struct PreviewRun {
    engine: Engine,
    clock: VirtualClock,
    tally: Tally,
    today: KubernetesFilter,
    done: usize,
    is_finished: bool,
    out: Vec<u8>,
}

/// What became of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordOutcome<'r> {
    /// The row of what decided: guards, rules, then [`nodesieve_engine::engine::OUTCOMES`].
    pub row: usize,
    /// The kept record's text, or `None` when it is dropped.
    pub text: Option<&'r [u8]>,
    /// Whether it continues the line before it, and has its verdict.
    pub is_continued: bool,
}

impl PreviewRun {
    /// A run with nothing done.
    pub fn new(rules: &Rc<RuleFile>, dimensions: &Dimensions) -> PreviewRun {
        let mut engine = Engine::new(Rc::clone(rules), SEED);
        engine.set_redact_seed(Seed::to_try());
        PreviewRun {
            engine,
            clock: VirtualClock::default(),
            tally: Tally::new(FLUSH_SECONDS, dimensions),
            today: KubernetesFilter::beside(rules),
            done: 0,
            is_finished: false,
            out: Vec::new(),
        }
    }

    /// Records done.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Ticks of the virtual clock so far.
    pub fn ticks(&self) -> u64 {
        self.clock.ticks()
    }

    /// Takes the next record, which must be the one at position [`PreviewRun::done`].
    pub fn take(
        &mut self,
        record: &Record,
        dimensions: &Dimensions,
        pods: &mut PodTable,
    ) -> RecordOutcome<'_> {
        let PreviewRun { engine, clock, tally, today, .. } = self;
        let mut summaries = Vec::new();
        clock.advance(record.nanoseconds(), |now| tick(engine, now), &mut summaries);
        summaries.iter().for_each(|ticked| tally.summary(dimensions, ticked));
        let time = EventTime { sec: record.time.0, nsec: record.time.1 };
        let input = Input { tag: record.tag.as_bytes(), time, text: record.text.as_bytes() };
        let continued = engine.counters().get(Metric::Continued);
        let (answer, verdict) = engine.filter(input, &mut Now(clock.now()), pods, &mut self.out);
        let is_continued = engine.counters().get(Metric::Continued) > continued;
        let text = match answer {
            Answer::Drop => None,
            Answer::Keep => Some(self.out.as_slice()),
            Answer::Echo => Some(record.text.as_bytes()),
        };
        let seen = (record, today.length(record, Now(clock.now()), pods));
        match text {
            Some(text) => tally.kept(dimensions, self.done, seen, text),
            None => tally.dropped(dimensions, self.done, seen),
        }
        self.done = self.done.saturating_add(1);
        let row = verdict.why.row(self.engine.rules());
        // An echoed record is copied, so that the caller finds every kept text in one place.
        if answer == Answer::Echo {
            self.out.clear();
            self.out.extend_from_slice(record.text.as_bytes());
        }
        RecordOutcome { row, text: (answer != Answer::Drop).then_some(self.out.as_slice()), is_continued }
    }

    /// Ticks until everything is summed up, once.
    pub fn finish(&mut self, dimensions: &Dimensions) {
        if std::mem::replace(&mut self.is_finished, true) {
            return;
        }
        let PreviewRun { engine, clock, tally, .. } = self;
        let mut summaries = Vec::new();
        let rules = engine.rules().clone();
        clock.finish(&rules, |now| tick(engine, now), &mut summaries);
        summaries.iter().for_each(|ticked| tally.summary(dimensions, ticked));
    }

    /// The numbers so far, and where they do not add up.
    pub fn ledger(&mut self, prices: Prices) -> (Ledger, Vec<String>) {
        self.engine.refresh_gauges(Now(self.clock.now()));
        let counts = FilterCounts::from(self.engine.counters());
        let ledger = self.tally.ledger(&counts, &self.clock, prices);
        let imbalances = ledger.imbalances(&counts);
        (ledger, imbalances)
    }

    /// What the rule file has measured so far: each series with its value.
    pub fn measured(&self) -> Vec<(String, String)> {
        self.engine.measured()
    }

    /// Where the volume is, so far.
    pub fn breakdown(&self, dimensions: &Dimensions) -> Breakdown {
        self.tally.survey().breakdown(dimensions)
    }
}

fn tick(engine: &mut Engine, now: u64) -> Option<Vec<u8>> {
    let mut summary = Vec::new();
    (engine.tick(TICK, Now(now), &mut summary) == Answer::Keep).then_some(summary)
}
