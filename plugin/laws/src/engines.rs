//! An engine beside its reference, and what came of all that they were told: the one place where laws call the engine.
//!
//! The rule it keeps: both are told the same and must answer alike; what was seen is what was kept and dropped, and what the kept
//! stand for, what was summed up and what is unreported.

use crate::json::is_json;
use crate::record::{count, summed};
use nodesieve_engine::config::RuleFile;
use nodesieve_engine::engine::{Answer, Engine, Input, Journal, Left, SavedError, Verdict};
use nodesieve_engine::metrics::Metric;
use nodesieve_engine::pods::PodSource;
use nodesieve_engine::record::{Names, RecordView};
use nodesieve_engine::time::Now;
use std::rc::Rc;

/// Both, and the sums.
pub(crate) struct Engines {
    quick: Engine,
    reference: Engine,
    /// The answer of the quick one, and of the reference.
    pub(crate) out: Vec<u8>,
    expected: Vec<u8>,
    seen: u64,
    kept: u64,
    dropped: u64,
    /// What the kept stand for.
    stood: u64,
    /// What summaries have said.
    summed: u64,
    /// What was taken over from a life before, and is reported some time.
    inherited: u64,
}

impl Engines {
    pub(crate) fn new(rules: &Rc<RuleFile>) -> Engines {
        let (quick, mut reference) =
            (Engine::new(Rc::clone(rules), SEED), Engine::new(Rc::clone(rules), SEED));
        reference.be_the_reference();
        let (out, expected) = (Vec::new(), Vec::new());
        let (seen, kept, dropped, stood, summed, inherited) = (0, 0, 0, 0, 0, 0);
        Engines { quick, reference, out, expected, seen, kept, dropped, stood, summed, inherited }
    }

    pub(crate) fn rules(&self) -> &RuleFile {
        self.quick.rules()
    }

    /// Hands over a record; the answer's text is in `out`.
    pub(crate) fn filter(
        &mut self,
        input: Input<'_>,
        now: Now,
        pods: &mut dyn PodSource,
    ) -> (Answer, Verdict) {
        let answer = self.quick.filter(input, &mut { now }, pods, &mut self.out);
        // Of a tag whose records are all dropped none is read, whatever is in it. The reference, which reads all, gets one that it can
        // read and that is as long.
        let blank = stand_in(input.text);
        let is_unread = answer.0 == Answer::Drop && !is_readable(input.text);
        let shown = Input { text: if is_unread { &blank } else { input.text }, ..input };
        let expected = self.reference.filter(shown, &mut { now }, pods, &mut self.expected);
        assert_eq!(answer, expected, "quick and reference: {}", String::from_utf8_lossy(input.text));
        if answer.0 == Answer::Keep {
            self.answered_alike();
        }
        self.seen += 1;
        if answer.0 == Answer::Drop {
            self.dropped += 1;
        } else {
            self.kept += 1;
            self.stood = self.stood.saturating_add(count(answer, &self.out));
        }
        answer
    }

    /// Hands over a tick; a summary is in `out` if there is one.
    pub(crate) fn tick(&mut self, now: Now) -> bool {
        let answer = self.quick.tick(TICK, now, &mut self.out);
        assert_eq!(answer, self.reference.tick(TICK, now, &mut self.expected));
        if answer != Answer::Keep {
            return false;
        }
        self.answered_alike();
        assert!(
            is_json(&self.out) && !self.out.contains(&0),
            "a summary: {}",
            String::from_utf8_lossy(&self.out)
        );
        true
    }

    /// As [`Engines::tick`]; a summary is counted.
    pub(crate) fn tick_and_sum(&mut self, now: Now) -> bool {
        let is_summary = self.tick(now);
        if is_summary {
            let most = self.rules().input.max_record;
            assert!(self.out.len() <= most, "a summary of {} bytes, at most {most}", self.out.len());
            self.summed = self.summed.saturating_add(summed(&self.out));
        }
        is_summary
    }

    fn answered_alike(&self) {
        let shown = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        assert!(
            self.out == self.expected,
            "{}\nand by the reference {}",
            shown(&self.out),
            shown(&self.expected)
        );
    }

    pub(crate) fn replace_rules(&mut self, rules: &Rc<RuleFile>) {
        self.quick.replace_rules(Rc::clone(rules));
        self.reference.replace_rules(Rc::clone(rules));
    }

    /// Takes up a saved state; both take it or refuse it.
    pub(crate) fn restore(&mut self, saved: &str) -> Result<(), SavedError> {
        let left = Left { name: "", state: saved, journal: Journal(&[]) };
        let late = Now(u64::MAX / 2);
        let taken = self.quick.restore(left, late);
        assert_eq!(taken, self.reference.restore(left, late));
        self.inherited = self.inherited.saturating_add(self.restored());
        taken
    }

    pub(crate) fn restored(&self) -> u64 {
        self.quick.counters().get(Metric::Restored)
    }

    /// The state, if it has changed since it was last asked for.
    pub(crate) fn state_to_save(&mut self, now: Now) -> Option<String> {
        let saved = self.quick.state_to_save(now);
        assert_eq!(saved, self.reference.state_to_save(now));
        saved
    }

    pub(crate) fn unreported(&mut self, now: Now) -> u64 {
        self.quick.refresh_gauges(now);
        self.quick.counters().get(Metric::Unreported)
    }

    /// The equations, and that both have counted the same.
    pub(crate) fn add_up(&mut self, now: Now) {
        let unreported = self.unreported(now);
        let Engines { quick, reference, seen, kept, dropped, stood, summed, inherited, .. } = self;
        let counters = quick.counters();
        let counted = [Metric::Seen, Metric::Kept, Metric::Dropped].map(|metric| counters.get(metric));
        assert_eq!(counted, [*seen, *kept, *dropped], "seen, kept and dropped");
        let rows: u64 = counters.rules().iter().map(|row| row.matched()).sum();
        assert_eq!(rows, *seen, "the rows add up to what was seen");
        assert_eq!(
            *stood + *summed + unreported,
            *seen + *inherited,
            "{stood} stood for, {summed} summed up, {unreported} unreported; {seen} seen, {inherited} inherited"
        );
        assert_eq!(quick.render_metrics("0", now), reference.render_metrics("0", now), "quick and reference");
    }
}

fn is_readable(text: &[u8]) -> bool {
    let names = Names::new(Vec::new(), Vec::new(), Vec::new());
    std::str::from_utf8(text).is_ok() && RecordView::read(text, &names).is_ok()
}

/// A record without a member, as long as this text if it can be.
fn stand_in(text: &[u8]) -> Vec<u8> {
    [b"{".as_slice(), &vec![b' '; text.len().saturating_sub(2)], b"}"].concat()
}

/// What the tick input sends.
pub(crate) const TICK: &[u8] = b"{\"node\":\"n\"}";
/// Where random sampling starts.
const SEED: u64 = 7;
