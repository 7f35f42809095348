//! The one pipeline, in reading order: bytes, record, guards, rules, verdict, metadata, bytes.
//!
//! A record that cannot be read is echoed and counted; only a rule (or `no_match: drop`) drops. The pod cache is
//! touched when a condition that needs metadata is reached or the record is kept: what an early rule drops costs no
//! look-up.
//!
//! What runs for every record is marked `#[inline]` and compiled with the face; what runs seldom and is called from there is
//! marked `#[inline(never)]`, so that it stays in this crate, which is compiled for size.

mod annotation;
mod conditions;
mod decide;
mod explain;
mod facts;
mod reload;
mod saved;
mod summary;
mod why;

pub use explain::{Explained, Step, StepResult};
pub use saved::SavedError;
pub use why::{Fault, OUTCOMES, Why};

use crate::config::RuleFile;
use crate::config::model::{Action, Rule};
use crate::json::{self, Malformed};
use crate::metrics::{Counters, Metric};
use crate::pods::{Cache, Found, PodSource};
use crate::policy::{Account, Moment, Open, RuleState, Slots};
use crate::record::{Append, Names, RecordView, Shape, TRUNCATED};
use crate::search::Prepared;
use crate::stream::{Side, Streams};
use crate::swar;
use crate::tag::ContainerTag;
use crate::template::masked;
use crate::time::{EventTime, Now};
use decide::{Decided, Deciding};
use facts::{Facts, Metadata};
use std::rc::Rc;
use summary::Summaries;

/// The tag of the input that is our clock: [`Engine::tick`] takes its records, [`Engine::filter`] all others.
pub const TICK_TAG: &[u8] = b"nodesieve.tick";

/// One record as the host hands it over.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The tag.
    pub tag: &'a [u8],
    /// When the record says it happened.
    pub time: EventTime,
    /// The record as JSON text.
    pub text: &'a [u8],
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It ends here.
    Drop,
    /// It goes on as what was written to the output buffer.
    Keep,
    /// It goes on as it came: it could not be read.
    Echo,
}

/// What was decided and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Keep or drop.
    pub action: Action,
    /// What decided.
    pub why: Why,
}

/// The filter without its host.
#[derive(Debug)]
pub struct Engine {
    rules: Rc<RuleFile>,
    names: Names,
    shape: Shape,
    /// The `nodesieve` object that a kept record of this rule carries, by position in guards and rules.
    annotations: Vec<Option<Vec<u8>>>,
    /// Where decisions are counted, by position in guards and rules, then the outcomes.
    rows: Vec<usize>,
    /// What each guard and rule remembers, by position.
    states: Vec<RuleState>,
    /// What is dropped and not reported yet, by row of the counters.
    accounts: Vec<Account>,
    slots: Slots,
    /// Where shadow rules are counted, in their order.
    shadows: Vec<usize>,
    streams: Streams<Decided>,
    cache: Cache,
    counters: Counters,
    random: fastrand::Rng,
    /// What a record holds that was sampled before.
    sampling: Prepared,
    summaries: Summaries,
    /// Whether counts have changed since the state was saved.
    is_changed: bool,
    /// Whether budgets have.
    is_charged: bool,
    saved: Option<Now>,
}

impl Engine {
    /// A filter with these rules. `seed` starts the generator of random sampling.
    pub fn new(rules: impl Into<Rc<RuleFile>>, seed: u64) -> Engine {
        Engine::with(rules.into(), seed)
    }

    #[inline(never)]
    fn with(rules: Rc<RuleFile>, seed: u64) -> Engine {
        let mut engine = Engine {
            names: names(&rules),
            shape: Shape::default(),
            annotations: Vec::new(),
            rows: Vec::new(),
            states: Vec::new(),
            accounts: Vec::new(),
            slots: Slots::default(),
            shadows: Vec::new(),
            streams: Streams::new(),
            cache: Cache::new(rules.pods.cache),
            counters: Counters::default(),
            random: fastrand::Rng::with_seed(seed),
            sampling: Prepared::new(b"\"sampling."),
            summaries: Summaries::default(),
            is_changed: false,
            is_charged: false,
            saved: None,
            rules,
        };
        engine.summaries.instance = engine.random.u64(..);
        engine.prepare(Vec::new());
        engine
    }

    /// The rules in force.
    pub fn rules(&self) -> &RuleFile {
        &self.rules
    }

    /// A number of this engine's own, under which its summaries go.
    pub fn instance(&self) -> u64 {
        self.summaries.instance
    }

    /// The numbers so far, gauges as of the last record.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The numbers, for a face to count what only it can see.
    pub fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// Brings the gauges up to date and renders all numbers as Prometheus text.
    #[inline(never)]
    pub fn render_metrics(&mut self, version: &str, now: Now) -> String {
        self.refresh_gauges(now);
        self.counters.render(version)
    }

    /// Brings the gauges among [`Engine::counters`] up to date.
    #[inline(never)]
    pub fn refresh_gauges(&mut self, now: Now) {
        let open = self.open().records;
        let expired = self.expired(now).count();
        self.counters.set(Metric::Open, open);
        self.counters.set(Metric::KeysTracked, self.slots.0 as u64);
        self.counters.set(Metric::RulesExpired, expired as u64);
        self.counters.set(Metric::PodsCached, self.cache.len() as u64);
        self.counters.set(Metric::TagsTracked, self.streams.len() as u64);
    }

    /// The names of the rules whose `until` is over.
    pub fn expired(&self, now: Now) -> impl Iterator<Item = &str> {
        let is_over = move |rule: &&Rule| decide::is_over(rule, now);
        self.rules.guards.iter().chain(&self.rules.rules).filter(is_over).map(|rule| &*rule.name)
    }

    /// Counts a record that a face had to answer without showing it to the engine; `fault` says why.
    pub fn count_untouched(&mut self, fault: Metric, bytes_in: usize, bytes_out: usize) {
        self.counters.add(fault, 1);
        self.count(Decided::plain(Action::Keep, Why::Fault(Fault::Record)), bytes_in, bytes_out);
    }

    /// Decides one record. `out` holds the answer when it is [`Answer::Keep`], and is cleared in any case.
    #[inline]
    pub fn filter(
        &mut self,
        input: Input<'_>,
        now: Now,
        pods: &mut dyn PodSource,
        out: &mut Vec<u8>,
    ) -> (Answer, Verdict) {
        out.clear();
        match self.try_filter(input, now, pods, out) {
            Ok(decided) => {
                let verdict = decided.verdict;
                let answer = if verdict.action == Action::Drop { Answer::Drop } else { Answer::Keep };
                self.count(decided, input.text.len(), out.len());
                (answer, verdict)
            }
            Err(fault) => {
                let metric = match fault {
                    Fault::Utf8 => Metric::FaultUtf8,
                    Fault::Record => Metric::FaultRecord,
                    Fault::Depth => Metric::FaultDepth,
                };
                self.counters.add(metric, 1);
                out.clear();
                // A record that is only too deep may still hold numbers that would lose it on the way back.
                let mended = if fault == Fault::Depth { json::mend(input.text, out) } else { 0 };
                self.counters.add(Metric::NumbersMended, mended as u64);
                let answer = if mended > 0 { Answer::Keep } else { Answer::Echo };
                let decided = Decided::plain(Action::Keep, Why::Fault(fault));
                self.count(decided, input.text.len(), if mended > 0 { out.len() } else { input.text.len() });
                (answer, decided.verdict)
            }
        }
    }

    #[inline]
    fn try_filter(
        &mut self,
        input: Input<'_>,
        now: Now,
        pods: &mut dyn PodSource,
        out: &mut Vec<u8>,
    ) -> Result<Decided, Fault> {
        let Engine { rules, names, shape, annotations, streams, cache, counters, sampling, .. } = self;
        let record = read(input.text, names, shape)?;
        let line = record.line();
        let side = if record.stream() == Some(b"stderr") { Side::Err } else { Side::Out };
        let meets = |container: Option<ContainerTag<'_>>| decide::tag_meets(rules, container);
        let state = streams.tag(input.tag, &rules.input.tag_prefix, meets).ok_or(Fault::Utf8)?;
        let tag = state.name();
        let container = state.container(&tag);
        let mut metadata = Metadata::new(&tag, container, &rules.enrich, now, cache, pods);
        // Without a time of its own a record happened when it came: limits by event time would wait for 1970 to go on.
        let time = if input.time == EventTime::default() { now.event_time() } else { input.time };
        let moment = Moment::new(now, time);
        let bytes = input.text.len() as u64;

        let facts = Facts::new(&record, line.as_ref(), container, time, now, &rules.input, sampling);
        let mut deciding = Deciding {
            rules,
            states: &mut self.states,
            rows: &self.rows,
            accounts: &mut self.accounts,
            slots: &mut self.slots,
            random: &mut self.random,
            bytes,
        };
        let look = rules.input.continuation.and_then(|limits| Some((limits, facts.look()?)));
        let continued = look.as_ref().and_then(|(limits, look)| state.continues(side, look, time, *limits));
        let decided = match (continued, look) {
            (Some((before, slot)), _) => {
                // Whatever line it goes with, what a guard would keep is kept, and the rest of its report with it.
                let is_dropped = before.verdict.action == Action::Drop && before.verdict.why != Why::Exclude;
                let guarded =
                    if is_dropped { deciding.guarded(&state.meets, &facts, &mut metadata) } else { None };
                match guarded {
                    Some(decided) => {
                        state.decide_anew(side, slot, decided);
                        decided
                    }
                    None => {
                        counters.add(Metric::Continued, 1);
                        deciding.follow(&before, &moment);
                        Decided { count: 1, held: false, ..before }
                    }
                }
            }
            (None, look) => {
                let decided = deciding.decide(&state.meets, &facts, &mut metadata);
                if let Some((_, look)) = look {
                    state.begin(side, &look, time, decided);
                }
                decided
            }
        };
        let verdict = decided.verdict;
        let at = verdict.why.position(rules);

        if verdict.action == Action::Keep {
            let meta = metadata.get();
            let rendered =
                meta.as_ref().map(|meta| meta.rendered.as_slice()).filter(|object| *object != b"{}");
            let kubernetes = rendered.map(|value| Append { key: &rules.enrich.key, value });
            let of_record = annotation::of_record(rules, &decided);
            let of_rule = at.and_then(|at| annotations.get(at)?.as_deref());
            // What stands there already is not of our making and would be counted as ours.
            let foreign = record.has_own(annotation::KEY).then_some(b"{}".as_slice());
            let annotation = of_record
                .as_deref()
                .or(of_rule)
                .or(foreign)
                .map(|value| Append { key: annotation::KEY, value });
            let written = match (kubernetes, annotation) {
                (Some(first), Some(second)) => record.write(&[first, second], rules.input.max_record, out),
                (Some(one), None) | (None, Some(one)) => record.write(&[one], rules.input.max_record, out),
                (None, None) => record.write(&[], rules.input.max_record, out),
            };
            counters.add(Metric::KeysReplaced, u64::from(written.replaced));
            counters.add(Metric::NumbersMended, written.mended as u64);
            counters.add(Metric::Truncated, u64::from(written.truncated.is_some()));
            counters.add(
                match meta {
                    None => Metric::NoContainerTag,
                    Some(meta) if meta.known && verdict.why != Why::Unknown => Metric::Enriched,
                    Some(_) => Metric::MetadataMissing,
                },
                1,
            );
            let state = at.and_then(|at| self.states.get_mut(at));
            self.is_charged |= state.is_some_and(|state| state.charge(decided.key, out.len() as u64));
        } else if let Some(row) = self.rows.get(verdict.why.row(rules)).copied()
            && let Some(account) = self.accounts.get_mut(row)
        {
            self.is_changed = true;
            account.note(time);
            if !decided.held {
                account.add(bytes);
                state.note_dropped(row, bytes);
            }
            if account.example.is_none() {
                account.example =
                    line.as_ref().map(|line| masked(line, &rules.input.message_keys, MAX_EXAMPLE).into());
            }
        }
        counters.add(Metric::Late, u64::from(moment.is_late));
        if let Some(found) = metadata.found() {
            let metric = match found {
                Found::Hit => Metric::PodHits,
                Found::Read => Metric::PodReads,
                Found::Stale => Metric::PodStale,
                Found::Missing => Metric::PodMissing,
                Found::Refused => Metric::PodRefused,
            };
            counters.add(metric, 1);
        }
        Ok(decided)
    }

    #[inline]
    fn count(&mut self, decided: Decided, bytes_in: usize, bytes_out: usize) {
        let counters = &mut self.counters;
        let Decided { verdict, count, shadows, .. } = decided;
        counters.add(Metric::Seen, 1);
        counters.add(Metric::BytesIn, bytes_in as u64);
        let dropped = verdict.action == Action::Drop;
        if dropped {
            counters.add(Metric::Dropped, 1);
        } else {
            counters.add(Metric::Kept, 1);
            counters.add(Metric::BytesOut, bytes_out as u64);
            counters.add(Metric::Counted, count.saturating_sub(1));
            self.is_changed |= count > 1;
        }
        if decide::sample_of(&self.rules, verdict.why).is_some() {
            counters.add(Metric::Sampled, 1);
        }
        if let Some(row) = self.rows.get(verdict.why.row(&self.rules)).copied() {
            counters.decide(row, dropped.then_some(bytes_in));
        }
        let (mut matched, mut would_drop) = shadows;
        for shadow in &self.shadows {
            if matched == 0 {
                break;
            }
            if matched & 1 == 1 {
                counters.decide_in_shadow(*shadow, (would_drop & 1 == 1).then_some(bytes_in));
            }
            (matched, would_drop) = (matched >> 1, would_drop >> 1);
        }
    }

    /// What is dropped and not reported yet.
    fn open(&mut self) -> Open {
        let mut sum = Open::default();
        self.states.iter_mut().for_each(|state| sum.add(state.open()));
        self.accounts.iter().for_each(|account| sum.add(account.open()));
        sum
    }
}

fn names(rules: &RuleFile) -> Names {
    let appended = [&*rules.enrich.key, annotation::KEY, TRUNCATED].map(Box::from).to_vec();
    Names::new(rules.input.message.clone(), appended)
}

/// The structure of a record that is UTF-8, checked many bytes at a time: the host escapes everything beyond ASCII unless
/// it is told not to.
#[inline]
fn read<'a>(text: &'a [u8], names: &Names, shape: &mut Shape) -> Result<RecordView<'a>, Fault> {
    if !swar::is_ascii(text) && std::str::from_utf8(text).is_err() {
        return Err(Fault::Utf8);
    }
    RecordView::read_shaped(text, names, shape).map_err(|reason| match reason {
        Malformed::Syntax => Fault::Record,
        Malformed::TooDeep => Fault::Depth,
    })
}

/// Largest example of what a rule drops, in bytes.
const MAX_EXAMPLE: usize = 512;

#[cfg(test)]
mod tests;
