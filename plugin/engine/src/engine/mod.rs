//! The one pipeline: read, decide, emit, account.
//!
//! A record that cannot be read is echoed and counted; only a rule (or `no_match: drop`) drops. The pod cache is
//! touched when a condition that needs metadata is reached or the record is kept: what an early rule drops costs no
//! look-up.
//!
//! A record's way has three steps ([`Engine::filter`]); what only some records need is marked `#[inline(never)]`, so that the frames
//! of a step, which the interpreter's small stack has to hold, are not those of all.

mod account;
mod applies;
mod call;
mod decide;
mod decided;
mod delegating;
mod emit;
mod explain;
mod faulty;
mod glance;
mod journal;
mod measuring;
mod recalling;
mod redacting;
mod reload;
mod report;
mod rule_id;
mod rule_set;
mod rule_state;
mod saved;
mod shared_search;
mod summary;
mod tap;
mod volume;
mod why;

pub use crate::policy::Action;
pub use call::{Answer, Clock, Input, TICK_TAG, Verdict};
pub use delegating::FragmentState;
pub use explain::{Explained, Step, StepResult};
pub use faulty::marker;
pub use journal::{Journal, JournalHeader, JournalWrite, SLOT};
pub use saved::{Left, SavedError, taken_over_by};
pub use tap::{TapLine, Tapped};
pub use why::{Fault, OUTCOMES, Why};

use crate::config::RuleFile;
use crate::config::model::Owner;
use crate::facts::{Facts, Glance, Glanced, Metadata, Own, SAMPLED_BY};
use crate::json::Malformed;
use crate::line::Line;
use crate::metrics::{Counters, RowId};
use crate::pods::{Cache, OwnMemo, PodSource};
use crate::policy::{Decision, KeyBuffers, KeyCapacity};
use crate::record::{Names, RecordShape, RecordView, TRUNCATED};
use crate::search::Prepared;
use crate::stream::{StreamSide, Streams};
use crate::tag::ContainerTag;
use crate::time::{EventTime, Now};
use crate::utf8::is_utf8;
use account::{Accounting, Unsaved};
use decide::{Deciding, SharedByRules, Tag};
use decided::{Decided, Judged};
use delegating::Delegating;
use emit::Kept;
use glance::Seeing;
use measuring::Measuring;
use recalling::{Recalled, Recalling, TagRing};
use redacting::{Redacting, TagRedaction};
use rule_id::AskedUntil;
use rule_set::{ActiveRule, Candidates, Certain, RuleSet};
use std::rc::Rc;
use summary::Summaries;
use tap::OpenTap;
use volume::Volumes;

/// The filter without its host.
#[derive(Debug)]
pub struct Engine {
    file: Rc<RuleFile>,
    rules: RuleSet,
    shared: SharedByRules,
    names: Names,
    shape: RecordShape,
    streams: Streams<Candidates, Judged>,
    cache: Cache,
    /// What the last record with metadata of its own says.
    own: OwnMemo,
    counters: Counters,
    /// What a record holds that was sampled before.
    sampling: Prepared,
    summaries: Summaries,
    measuring: Measuring,
    redacting: Redacting,
    recalling: Recalling,
    delegating: Delegating,
    volumes: Volumes,
    tap: Option<Box<OpenTap>>,
    /// Whether somebody looks at records behind their verdict: volume or a tap.
    is_watched: bool,
    unsaved: Unsaved,
    saved: Option<Now>,
    /// When measures and volume were.
    series_saved: Option<Now>,
    /// That of the state which was saved last.
    epoch: u32,
    /// Names of filters before this one whose counts are in its own, as long as their files may still be there.
    taken_over: Vec<Box<str>>,
    /// Whether every record is read and decided the long way.
    is_reference: bool,
}

impl Engine {
    /// A filter with these rules. `seed` starts the generator of random sampling.
    pub fn new(rules: impl Into<Rc<RuleFile>>, seed: u64) -> Engine {
        Engine::with(rules.into(), seed)
    }

    #[inline(never)]
    fn with(file: Rc<RuleFile>, seed: u64) -> Engine {
        let random = fastrand::Rng::with_seed(seed);
        let mut engine = Engine {
            names: names(&file),
            rules: RuleSet::default(),
            shared: SharedByRules {
                capacity: KeyCapacity::default(),
                buffers: KeyBuffers::default(),
                random,
            },
            shape: RecordShape::default(),
            streams: Streams::new(),
            cache: Cache::new(file.pods.cache),
            own: OwnMemo::default(),
            counters: Counters::default(),
            sampling: Prepared::new(b"\"sampling."),
            summaries: Summaries::default(),
            measuring: Measuring::default(),
            redacting: Redacting::default(),
            recalling: Recalling::default(),
            delegating: Delegating::default(),
            volumes: Volumes::default(),
            tap: None,
            is_watched: false,
            unsaved: Unsaved::default(),
            saved: None,
            series_saved: None,
            epoch: 0,
            taken_over: Vec::new(),
            is_reference: false,
            file,
        };
        engine.summaries.instance = engine.shared.random.u64(..);
        engine.put_in_force();
        engine
    }

    /// Reads and decides every record the long way from now on: what tests compare the quick ways with.
    pub fn be_the_reference(&mut self) {
        self.is_reference = true;
    }

    /// Decides one record. `out` holds the answer when it is [`Answer::Keep`], and is cleared in any case.
    pub fn filter(
        &mut self,
        input: Input<'_>,
        clock: &mut dyn Clock,
        pods: &mut dyn PodSource,
        out: &mut Vec<u8>,
    ) -> (Answer, Verdict) {
        self.filter_lately(input, (clock.now(), clock), pods, out)
    }

    /// As [`Engine::filter`]; with the clock comes a time that was read not long before, which will do for what needs no policy.
    #[inline(never)]
    pub fn filter_lately(
        &mut self,
        input: Input<'_>,
        clock: (Now, &mut dyn Clock),
        pods: &mut dyn PodSource,
        out: &mut Vec<u8>,
    ) -> (Answer, Verdict) {
        out.clear();
        let now = clock.0;
        let (answer, verdict) = match self.try_filter(input, clock, pods, out) {
            Ok(verdict) => {
                let answer = if verdict.action == Action::Drop { Answer::Drop } else { Answer::Keep };
                (answer, verdict)
            }
            Err(fault) => self.hand_back(input, fault, out),
        };
        if self.is_watched {
            if self.volumes.is_on() {
                self.note_volume(input, (answer, out.len()), now, pods);
            }
            match &mut self.tap {
                Some(tap) if tap.is_full(now) => tap.skip(verdict.why.row(&self.file), verdict.action),
                Some(_) => self.note_tap(input, verdict, now),
                None => {}
            }
        }
        (answer, verdict)
    }

    /// Read, decide, emit, account: in three steps, of which each takes what the one before could not answer. They are three
    /// functions, because most records end in the first or second, and an interpreter pays for what the third prepares.
    #[inline(always)]
    fn try_filter(
        &mut self,
        input: Input<'_>,
        (now, clock): (Now, &mut dyn Clock),
        pods: &mut dyn PodSource,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, Fault> {
        if !self.streams.is_last(input.tag) {
            self.turn_to(input.tag)?;
        }
        let Engine { file, rules, shape, streams, counters, unsaved, is_reference, .. } = self;
        let tag = streams.last().ok_or(Fault::Utf8)?;
        if let Some(foregone) = tag.known.unread
            && !*is_reference
        {
            let accounting = Accounting { file, rules, counters, unsaved, may_recall: false };
            if unread(foregone, accounting, (tag, shape), (input, now), out) {
                return Ok(Verdict { action: foregone.action, why: foregone.why });
            }
        }
        self.at_a_glance(input, (now, clock), pods, out)
    }

    /// Makes a tag the last one.
    #[inline(never)]
    fn turn_to(&mut self, tag: &[u8]) -> Result<(), Fault> {
        let Engine { file, rules, streams, measuring, redacting, .. } = self;
        let known = |container: Option<ContainerTag<'_>>| {
            rules.candidates(container, (file.no_match, asks_pods(file)), (measuring, redacting))
        };
        streams.turn_to(tag, &file.input, known).ok_or(Fault::Utf8)
    }

    /// Reads a record of the last tag, and answers it by what is seen of it if that is enough.
    #[inline(never)]
    fn at_a_glance(
        &mut self,
        input: Input<'_>,
        (now, clock): (Now, &mut dyn Clock),
        pods: &mut dyn PodSource,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, Fault> {
        if self.is_reference {
            let record = read_in_full(input.text, &self.names, &mut self.shape)?;
            return self.in_full((input, clock.now()), (&record, record.line().as_ref(), None), pods, out);
        }
        let quick = self.shape.quick(input.text);
        let in_full;
        let record = match &quick {
            Some(record) => record,
            None => {
                in_full = read_in_full(input.text, &self.names, &mut self.shape)?;
                &in_full
            }
        };
        let line = record.line();
        let Engine { file, rules, streams, counters, unsaved, measuring, .. } = self;
        let Tag { known, runs, dropped, .. } = streams.last().ok_or(Fault::Utf8)?;
        let glance = Glance { levels: &mut known.levels, texts: known.texts.as_deref() };
        let glanced = glance.at(record, line.as_ref(), &file.input);
        if let Some(seen) = &line {
            let side = StreamSide::of(record.stream_name());
            let seeing = Seeing { input, now, record, line: seen, glanced: &glanced, side };
            let accounting = Accounting { file, rules, counters, unsaved, may_recall: false };
            if let Some(verdict) =
                glance::answer(&seeing, (known, measuring), (runs, dropped), accounting, out)
            {
                // What has nothing to give back is not asked for it piece by piece.
                if seen.is_untouched() {
                    std::mem::forget(line);
                }
                return Ok(verdict);
            }
        }
        self.in_full((input, clock.now()), (record, line.as_ref(), Some(glanced)), pods, out)
    }

    /// Asks the rules about a record of the last tag, and for all that they need to know.
    #[inline(never)]
    fn in_full(
        &mut self,
        (input, now): (Input<'_>, Now),
        (record, line, glanced): (&RecordView<'_>, Option<&Line<'_>>, Option<Glanced>),
        pods: &mut dyn PodSource,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, Fault> {
        let Engine {
            file,
            rules,
            shared,
            streams,
            cache,
            own,
            counters,
            sampling,
            unsaved,
            measuring,
            redacting,
            recalling,
            delegating,
            ..
        } = self;
        let record_names = &self.names;
        let Tag { names, known, runs, dropped } = streams.last().ok_or(Fault::Utf8)?;
        let Candidates { rules: candidates, foregone, remembered, measures, redaction, ring, .. } = known;
        let may_recall = ring.is_some();
        let time = happened(input.time, now);
        let bytes = input.text.len() as u64;
        let shown = redacting.shown(redaction);
        let facts = Facts::new(record, line, names, (time, now), &file.input, sampling, glanced)
            .showing(if redaction.is_none() { None } else { Some(&shown) });
        let remembered = glanced.is_some().then_some(remembered);
        let own = Own::of(record, &file.enrich, own);
        let mut metadata = Metadata::new(names, &file.enrich, now, (cache, remembered), own, pods);

        let candidates = (&**candidates, foregone.is_some());
        let mut deciding = Deciding {
            file,
            rules,
            counters,
            shared,
            delegating,
            bytes,
            may_recall,
            asked: AskedUntil::Unknown,
        };
        let judged = deciding.judge(candidates, runs, &facts, &mut metadata);
        let asked = deciding.asked;
        if !measures.is_empty() {
            measuring.count((measures, asked), &facts, &mut metadata, counters);
        }
        let decided = judged.decided;
        let emitted = match decided.action() {
            Action::Drop => {
                if !redaction.is_none() {
                    redacting.follow(redaction, &facts);
                }
                None
            }
            Action::Keep => {
                let rule = decided.rule().and_then(|rule| rules.get(rule));
                let recalled = match ring {
                    Some(ring) => recall(decided, rule, *ring, (file, recalling), (counters, unsaved)),
                    None => None,
                };
                let annotation = emit::annotation(decided, rule, file, recalled.as_ref());
                let meta = metadata.get();
                let kept = Kept { rule, file, names: record_names, meta, annotation };
                Some(if redaction.is_none() {
                    kept.emit(record, &mut metadata, out)
                } else {
                    kept.emit_redacted(redacting, (redaction, input), (record, &facts, &mut metadata), out)?
                })
            }
        };
        let found = metadata.found();
        if file.delegate.is_some()
            && let (Some(emitted), Some(active)) = (&emitted, decided.rule().and_then(|rule| rules.get(rule)))
            && active.rule.owner != Owner::Platform
        {
            delegating.charge(facts.names.namespace(), (bytes, emitted.bytes), &facts.moment);
        }
        let mut accounting = Accounting { file, rules, counters, unsaved, may_recall };
        accounting.account(&judged, emitted.as_ref(), &facts, found, (dropped, bytes));
        if may_recall && accounting.unsaved.row.is_none() {
            accounting.unsaved.row = accounting.unsaved.rows.pop();
        }
        if let Some(ring) = ring
            && emitted.is_none()
            && decided != Decided::Excluded
            && let Some(row) = accounting.row_of(decided)
        {
            hold((*ring, row), input, &facts, (redacting, redaction), (recalling, counters));
        }
        Ok(Verdict { action: decided.action(), why: decided.why(rules) })
    }
}

/// A record was dropped that may come back.
#[inline(never)]
fn hold(
    (ring, row): (TagRing, RowId),
    input: Input<'_>,
    facts: &Facts<'_>,
    (redacting, redaction): (&Redacting, &TagRedaction),
    (recalling, counters): (&mut Recalling, &mut Counters),
) {
    let text = redacting.held(redaction, input, facts);
    let text = text.unwrap_or_else(|| input.text.to_vec());
    recalling.hold(ring, (row, facts.time, input.text.len() as u64), text.into(), counters);
}

/// The lines that come back with a record which a guard keeps.
#[inline(never)]
fn recall(
    decided: Decided,
    rule: Option<&ActiveRule>,
    ring: TagRing,
    (file, recalling): (&RuleFile, &mut Recalling),
    (counters, unsaved): (&mut Counters, &mut Unsaved),
) -> Option<Recalled> {
    let most = rule?.rule.recall?;
    if matches!(decided, Decided::ByRule { decision: Decision::Lifted { .. }, .. }) {
        return None;
    }
    let recalled = recalling.take(ring, most.bytes.min(file.input.max_record / 2), counters)?;
    unsaved.counts = true;
    unsaved.rows.clone_from(&recalled.rows);
    Some(recalled)
}

/// Answers a record of a tag whose records all come to the same, if nobody has to read it for that; else does nothing.
#[inline]
fn unread(
    foregone: Certain,
    mut accounting: Accounting<'_>,
    (tag, shape): (&mut Tag, &mut RecordShape),
    (input, now): (Input<'_>, Now),
    out: &mut Vec<u8>,
) -> bool {
    match foregone.action {
        Action::Drop => accounting.dropped_at_once(foregone.row, &mut tag.dropped, input, now),
        Action::Keep => kept_unread(foregone, accounting, (tag, shape), (input, now), out),
    }
}

/// Keeps it: a function of its own, because an interpreter copies all constants of a function for each call.
#[inline(never)]
fn kept_unread(
    foregone: Certain,
    mut accounting: Accounting<'_>,
    (tag, shape): (&mut Tag, &mut RecordShape),
    (input, now): (Input<'_>, Now),
    out: &mut Vec<u8>,
) -> bool {
    let file = accounting.file;
    if file.merge_log.is_some() {
        return false;
    }
    let Some((meta, found)) = tag.known.remembered.as_ref().and_then(|last| last.at(now)) else {
        return false;
    };
    if file.exclude_annotations && meta.excludes_anything() {
        return false;
    }
    let Some(emitted) =
        emit::emit_unread(input.text, (shape, &tag.known.redaction), &meta, file.input.max_record, out)
    else {
        return false;
    };
    accounting.kept_at_once(foregone.row, &emitted, found, (input, now));
    true
}

/// When a record happened. Without a time of its own it happened when it came: limits by event time would wait for 1970 to go
/// on.
#[inline]
fn happened(time: EventTime, now: Now) -> EventTime {
    if time == EventTime::default() { now.event_time() } else { time }
}

/// Whether annotations of pods may decide.
fn asks_pods(file: &RuleFile) -> bool {
    file.delegate.as_ref().is_some_and(|delegate| delegate.annotations)
}

fn names(rules: &RuleFile) -> Names {
    let appended = [&*rules.enrich.key, emit::ANNOTATION, TRUNCATED].map(Box::from).to_vec();
    let sampled_by = SAMPLED_BY.into_iter().filter(|_| rules.input.trust_sampling);
    let sought = rules.input.trace_id.first_keys().chain(sampled_by).map(Box::from).collect();
    Names::new(rules.input.message.clone(), appended, sought)
}

/// The structure of a record that is UTF-8, checked many bytes at a time: the host escapes everything beyond ASCII unless
/// it is told not to.
#[inline(never)]
fn read_in_full<'a>(text: &'a [u8], names: &Names, shape: &mut RecordShape) -> Result<RecordView<'a>, Fault> {
    if !is_utf8(text) {
        return Err(Fault::Utf8);
    }
    RecordView::read_shaped(text, names, shape).map_err(|reason| match reason {
        Malformed::Syntax => Fault::Record,
        Malformed::TooDeep => Fault::Depth,
        Malformed::TooMany => Fault::Size,
    })
}

#[cfg(test)]
mod tests;
