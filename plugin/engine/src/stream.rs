//! What is remembered between the records of one tag: its parts, which rules its names meet, and the line that a
//! continuation goes with.
//!
//! Records of one tag come in runs, so the last tag is compared before anything is looked up. At `MAX_TAGS` the
//! least recently used tag is forgotten: its names are read again, and a continuation line that comes after that is
//! judged by itself. Tags are told apart by a hash first: of two with the same one, which is a chance of one in 2^64, the later makes the
//! earlier forgotten. Which lines look like parts is not known here but in [`crate::continuation`].

use crate::continuation::{Body, LineShape, Look};
use crate::hash::{self, BuildWordHasher};
use crate::input::{Continuation, InputSettings};
use crate::metrics::RowId;
use crate::record::StreamName;
use crate::swar;
use crate::tag::ContainerTag;
use crate::tag_names::TagNames;
use crate::time::EventTime;
use lru::LruCache;
use std::num::NonZeroUsize;

/// All tags. `T` is what is known of a tag, `D` what was decided for a line.
#[derive(Debug)]
pub(crate) struct Streams<T, D> {
    /// Which of the states is a tag's, by the hash of it: a comparison of tags is done here, since libc's goes byte by byte.
    places: LruCache<u64, usize, BuildWordHasher>,
    states: Vec<TagState<T, D>>,
    /// That of the tag before.
    last: usize,
}

/// One tag.
#[derive(Debug)]
pub(crate) struct TagState<T, D> {
    pub(crate) names: TagNames,
    /// What was found out about the tag once, such as which rules its names meet.
    pub(crate) known: T,
    /// What is open on its two streams.
    pub(crate) runs: StreamRuns<D>,
    /// What was dropped of it.
    pub(crate) dropped: DroppedByRow,
}

/// What was dropped that no key knows of: records and bytes by row of the counters.
#[derive(Debug, Default)]
pub(crate) struct DroppedByRow(Vec<(RowId, u64, u64)>);

/// What is open on a container's two streams.
#[derive(Debug)]
pub(crate) struct StreamRuns<D>([OpenRuns<D>; 2]);

/// Which of a container's two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamSide {
    /// stdout, or a record that does not say.
    Out,
    /// stderr.
    Err,
}

impl StreamSide {
    #[inline]
    pub(crate) fn of(name: StreamName) -> StreamSide {
        match name {
            StreamName::Stderr => StreamSide::Err,
            StreamName::Stdout | StreamName::Other => StreamSide::Out,
        }
    }
}

/// What is open on one of the two.
#[derive(Debug)]
struct OpenRuns<D> {
    /// The last line that stood for itself.
    latest: Option<LineRun<D>>,
    /// The crash report before it: what looks like a part of one is a part of that, and not of a probe that came between.
    report: Option<LineRun<D>>,
    /// To which of the two the last line belongs.
    last: Slot,
}

/// Which run a line belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The last line that stood for itself.
    Latest,
    /// The crash report before it.
    Report,
}

/// A line and those that continue it.
#[derive(Debug)]
struct LineRun<D> {
    decided: D,
    last: EventTime,
    lines: u32,
    body: Body,
    /// Whether it is a log line that tells of an error: what was thrown may follow.
    is_failure: bool,
    /// Whether it is a crash report, or may become one.
    is_report: bool,
}

impl<D> LineRun<D> {
    fn is_open(&self, time: EventTime, limits: Continuation) -> bool {
        self.lines < limits.lines && self.last.distance(time) <= limits.within
    }

    /// The body behind a line, if the line belongs to it.
    fn taking(&self, look: &Look<'_>, is_next: bool) -> Option<Body> {
        match look.shape {
            LineShape::Opening { follows_error: true, .. }
                if is_next && self.is_failure && self.lines == 1 =>
            {
                Some(Body::opened_by(look))
            }
            LineShape::Opening { is_indented: true, .. } if is_next && self.is_report => {
                Some(self.body.continued_by(look, is_next).unwrap_or(self.body))
            }
            // Reports have blank lines in them, and end before what says something of itself.
            LineShape::Blank if is_next && self.is_report => {
                Some(self.body.continued_by(look, is_next).unwrap_or(self.body))
            }
            _ if is_next && self.is_report && look.is_stars() => Some(Body::Prose),
            LineShape::Own | LineShape::Opening { .. } => self.body.continued_by(look, is_next),
            _ => self.body.continued_by(look, is_next).or_else(|| {
                let is_tail = is_next && self.is_report && look.is_tail();
                is_tail.then_some(self.body)
            }),
        }
    }

    fn take(&mut self, body: Body, look: &Look<'_>, time: EventTime) {
        self.body = body;
        self.lines = self.lines.wrapping_add(1);
        self.last = time;
        self.is_report |= look.shape == LineShape::Frame || body.is_report();
    }
}

impl<D> Default for StreamRuns<D> {
    fn default() -> StreamRuns<D> {
        StreamRuns([OpenRuns::default(), OpenRuns::default()])
    }
}

impl<D> Default for OpenRuns<D> {
    fn default() -> OpenRuns<D> {
        OpenRuns { latest: None, report: None, last: Slot::Latest }
    }
}

impl<T, D: Clone> Streams<T, D> {
    /// Nothing remembered.
    pub(crate) fn new() -> Streams<T, D> {
        let capacity = NonZeroUsize::new(MAX_TAGS).unwrap_or(NonZeroUsize::MIN);
        let places = LruCache::with_hasher(capacity, BuildWordHasher::default());
        Streams { places, states: Vec::new(), last: 0 }
    }

    /// Whether a tag is that of the record before.
    #[inline]
    pub(crate) fn is_last(&self, tag: &[u8]) -> bool {
        self.states.get(self.last).is_some_and(|last| last.is_of(tag))
    }

    /// The state of the last tag.
    #[inline]
    pub(crate) fn last(&mut self) -> Option<&mut TagState<T, D>> {
        self.states.get_mut(self.last)
    }

    /// Makes a tag the last one; `known` is asked for a tag that is new. `None` when the tag is not UTF-8.
    #[inline(never)]
    pub(crate) fn turn_to(
        &mut self,
        tag: &[u8],
        input: &InputSettings,
        known: impl FnOnce(Option<ContainerTag<'_>>) -> T,
    ) -> Option<()> {
        let hash = hash::words(tag);
        let found = self.places.get(&hash).copied();
        let is_its = |place: &usize| self.states.get(*place).is_some_and(|state| state.is_of(tag));
        self.last = match found.filter(is_its) {
            Some(place) => place,
            None => self.begin((tag, hash), found, input, known)?,
        };
        Some(())
    }

    /// Makes the state of a tag that is new: in the place of another with its hash, or of the least recently used one when there are too
    /// many.
    #[inline(never)]
    fn begin(
        &mut self,
        (tag, hash): (&[u8], u64),
        other: Option<usize>,
        input: &InputSettings,
        known: impl FnOnce(Option<ContainerTag<'_>>) -> T,
    ) -> Option<usize> {
        let text = std::str::from_utf8(tag).ok()?;
        let parsed = input.container_of(text);
        let state = TagState {
            names: TagNames::of(text, parsed),
            known: known(parsed),
            runs: StreamRuns::default(),
            dropped: DroppedByRow::default(),
        };
        let is_full = other.is_none() && self.places.len() == MAX_TAGS;
        let free = if is_full { self.places.pop_lru().map(|(_, place)| place) } else { other };
        let place = match free.and_then(|place| Some((place, self.states.get_mut(place)?))) {
            Some((place, forgotten)) => {
                *forgotten = state;
                place
            }
            None => {
                self.states.push(state);
                self.states.len().wrapping_sub(1)
            }
        };
        self.places.put(hash, place);
        Some(place)
    }

    /// Takes every tag apart again, as new rules want it, and passes each remembered verdict through `renamed`; but nothing is
    /// open any more where lines are not looked at from now on.
    pub(crate) fn rejudge(
        &mut self,
        input: &InputSettings,
        mut known: impl FnMut(Option<ContainerTag<'_>>) -> T,
        is_looked_at: impl Fn(&T) -> bool,
        renamed: impl Fn(D) -> D,
    ) {
        for state in &mut self.states {
            let parsed = input.container_of(state.names.tag());
            let names = TagNames::of(state.names.tag(), parsed);
            state.known = known(parsed);
            state.names = names;
            if !is_looked_at(&state.known) {
                state.runs = StreamRuns::default();
            }
            let both = state.runs.0.iter_mut();
            for run in both.flat_map(|runs| [&mut runs.latest, &mut runs.report]).flatten() {
                run.decided = renamed(run.decided.clone());
            }
        }
    }

    /// Hands over what each tag has noted as dropped: label, row, records, bytes. What a forgotten tag had noted is not
    /// among it.
    pub(crate) fn take_dropped(&mut self, mut take: impl FnMut(&str, RowId, u64, u64)) {
        for (_, place) in &self.places {
            let Some(state) = self.states.get_mut(*place).filter(|state| !state.dropped.0.is_empty()) else {
                continue;
            };
            let TagState { names, dropped, .. } = state;
            let label = match names.container() {
                Some(tag) => format!("{}/{}/{}", tag.namespace, tag.pod, tag.container),
                None => names.tag().to_owned(),
            };
            let label = label.get(..label.floor_char_boundary(MAX_LABEL)).unwrap_or_default();
            for (row, records, bytes) in dropped.0.drain(..) {
                take(label, row, records, bytes);
            }
        }
    }

    /// Tags remembered.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }
}

impl<T, D> TagState<T, D> {
    #[inline(always)]
    fn is_of(&self, tag: &[u8]) -> bool {
        swar::equal(self.names.tag().as_bytes(), tag)
    }
}

impl DroppedByRow {
    /// Notes a dropped record that is counted on no key.
    #[inline]
    pub(crate) fn note(&mut self, row: RowId, bytes: u64) {
        // Most tags have one row.
        if let Some((known, records, sum)) = self.0.first_mut()
            && *known == row
        {
            *records = records.wrapping_add(1);
            *sum = sum.wrapping_add(bytes);
            return;
        }
        match self.0.iter_mut().find(|(known, ..)| *known == row) {
            Some((_, records, sum)) => {
                *records = records.wrapping_add(1);
                *sum = sum.wrapping_add(bytes);
            }
            None => self.0.push((row, 1, bytes)),
        }
    }
}

impl<D: Clone> StreamRuns<D> {
    /// What was decided for the line that this one continues, or `None` when it stands for itself.
    ///
    /// A part of a crash report goes with the last report, whatever line came between; what is only indented goes with the
    /// line right before it.
    #[inline]
    pub(crate) fn continues(
        &mut self,
        side: StreamSide,
        look: &Look<'_>,
        time: EventTime,
        limits: Continuation,
    ) -> Option<(D, Slot)> {
        let OpenRuns { latest, report, last } = self.0.get_mut(side as usize)?;
        let is_plain = |run: &Option<LineRun<D>>| run.as_ref().is_none_or(|run| run.body == Body::Plain);
        if look.shape == LineShape::Own && is_plain(latest) && is_plain(report) {
            return None;
        }
        let taking = |run: &Option<LineRun<D>>, slot: Slot| {
            let run = run.as_ref().filter(|run| run.is_open(time, limits))?;
            run.taking(look, *last == slot)
        };
        let (by_latest, by_report) = (taking(latest, Slot::Latest), taking(report, Slot::Report));
        let latest_is_report = latest.as_ref().is_some_and(|run| run.is_report);
        let report_waits = report.as_ref().is_some_and(|run| run.body.is_waiting());
        let (run, slot, body) = match (by_latest, by_report) {
            (Some(body), None) => (latest, Slot::Latest, body),
            (None, Some(body)) => (report, Slot::Report, body),
            // Both have a place for it: a report rather than a line that has none yet.
            (Some(body), Some(_))
                if latest_is_report
                    || !report_waits && look.shape != LineShape::Frame && *last == Slot::Latest =>
            {
                (latest, Slot::Latest, body)
            }
            (Some(_), Some(body)) => (report, Slot::Report, body),
            (None, None) => return None,
        };
        let run = run.as_mut()?;
        run.take(body, look, time);
        *last = slot;
        Some((run.decided.clone(), slot))
    }

    /// Whether nothing is open that a line which stands for itself could belong to.
    #[inline]
    pub(crate) fn is_quiet(&self, side: StreamSide) -> bool {
        let Some(OpenRuns { latest, report, last }) = self.0.get(side as usize) else { return false };
        latest.as_ref().is_none_or(|run| run.body == Body::Plain && !run.is_report)
            && report.as_ref().is_none_or(|run| run.body == Body::Plain)
            && *last == Slot::Latest
    }

    /// As [`StreamRuns::begin`] for a line that opens nothing, where [nothing is open](StreamRuns::is_quiet).
    #[inline]
    pub(crate) fn begin_single(&mut self, side: StreamSide, time: EventTime, is_failure: bool, decided: D) {
        let Some(runs) = self.0.get_mut(side as usize) else { return };
        let (lines, body) = (1, Body::Plain);
        runs.latest = Some(LineRun { decided, last: time, lines, body, is_failure, is_report: is_failure });
    }

    /// From now on a run goes with another verdict: one of its lines met a guard.
    pub(crate) fn decide_anew(&mut self, side: StreamSide, slot: Slot, decided: D) {
        let Some(runs) = self.0.get_mut(side as usize) else { return };
        let run = match slot {
            Slot::Latest => &mut runs.latest,
            Slot::Report => &mut runs.report,
        };
        if let Some(run) = run {
            run.decided = decided;
        }
    }

    /// Remembers what was decided for a line that stands for itself.
    #[inline]
    pub(crate) fn begin(&mut self, side: StreamSide, look: &Look<'_>, time: EventTime, decided: D) {
        let Some(runs) = self.0.get_mut(side as usize) else { return };
        let body = Body::opened_by(look);
        let is_report = look.is_failure || body.is_report() || look.shape == LineShape::Frame;
        let is_failure = look.is_failure && look.shape == LineShape::Own;
        let new = LineRun { decided, last: time, lines: 1, body, is_failure, is_report };
        if runs.latest.as_ref().is_some_and(|latest| latest.is_report) {
            runs.report = runs.latest.take();
        }
        runs.latest = Some(new);
        runs.last = Slot::Latest;
    }
}

/// Longest label of a tag, in bytes.
const MAX_LABEL: usize = 120;
/// Tags remembered: a node runs at most a few hundred containers, and each restart is a new tag.
const MAX_TAGS: usize = 1024;

#[cfg(test)]
mod tests;
