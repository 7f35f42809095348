//! Measures in force: which of them a record meets, and where it is counted.
//!
//! The rule kept here: every record that was read is asked once, whatever the rules make of it; and nothing that is measured changes
//! what becomes of it.

use crate::condition::{Met, Shows, When};
use crate::config::RuleFile;
use crate::engine::rule_id::{AskedUntil, NO_TEXT, RuleId};
use crate::facts::{Facts, Metadata, Seen};
use crate::line::Line;
use crate::measure::{Measure, Measured, Observed, SavedSeries, SeriesTable, Slot, write_labels};
use crate::metrics::{Counters, Metric};
use crate::number::small;
use crate::pattern::Searched;
use crate::tag::ContainerTag;
use crate::time::Now;
use std::rc::Rc;

/// All measures in force, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Measuring {
    all: Vec<ActiveMeasure>,
    /// Bytes of the metrics file that are left for further sets of label values.
    room: usize,
    /// A record's labels, written one after the other.
    buffer: Vec<u8>,
    /// Whether anything was counted since it was saved.
    has_news: bool,
    /// As it stands in the saved state.
    saved: Vec<u8>,
}

#[derive(Debug)]
struct ActiveMeasure {
    measure: Rc<Measure>,
    series: SeriesTable,
}

/// A measure that may be about a tag's records.
#[derive(Debug)]
pub(super) struct TagMeasure {
    /// Its place in [`Measuring`].
    at: usize,
    /// What a record must have, see the candidates among rules.
    levels: u8,
    streams: u8,
    pub(super) texts: u64,
    /// What a glance shows of its conditions.
    shown: Shows,
    /// The guard or rule with the same conditions: whatever meets the one meets the other.
    twin: Option<RuleId>,
    /// Where the tag's records are counted, and until when that holds.
    memo: Option<(Slot, Now)>,
}

impl TagMeasure {
    /// Its place in [`Measuring`].
    pub(super) fn place(&self) -> usize {
        self.at
    }

    #[inline]
    fn lacks_in(&self, seen: Seen) -> bool {
        self.levels & seen.levels == 0
            || self.streams & seen.streams == 0
            || self.texts & (seen.texts.bits | NO_TEXT) == 0
    }
}

impl Measuring {
    /// Puts measures in force; those that are as before go on with their numbers.
    pub(super) fn put_in_force(&mut self, file: &RuleFile) {
        let mut before = std::mem::take(&mut self.all);
        self.all = file
            .measures
            .iter()
            .map(|measure| {
                let same = before.iter_mut().find(|former| former.measure == *measure);
                let series = same.map(|former| std::mem::replace(&mut former.series, SeriesTable::new(0)));
                ActiveMeasure {
                    measure: Rc::clone(measure),
                    series: series.unwrap_or_else(|| SeriesTable::new(measure.max_series)),
                }
            })
            .collect();
        let taken = self.all.iter().map(|active| active.series.bytes(active.measure.lines()));
        self.room = taken.fold(ROOM, usize::saturating_sub);
        self.has_news = true;
    }

    /// Those whose conditions on names a tag meets.
    pub(super) fn of_tag(
        &self,
        container: Option<ContainerTag<'_>>,
        twin_of: impl Fn(&When) -> Option<RuleId>,
    ) -> Vec<TagMeasure> {
        let met = self
            .all
            .iter()
            .enumerate()
            .filter(|(_, active)| active.measure.when.unmet_by_tag(container.as_ref()).is_none());
        met.map(|(at, active)| {
            let Measure { when, what, .. } = &*active.measure;
            let needs = when.needs();
            let is_quick = *what == Measured::Records && active.measure.is_by_tag();
            let shown = if is_quick { when.shows() } else { Shows::Nothing };
            let (levels, streams) = (needs.levels, needs.streams);
            let twin = twin_of(when);
            TagMeasure { at, levels, streams, texts: NO_TEXT, shown, twin, memo: None }
        })
        .collect()
    }

    /// The texts of which a record must have one, for each of a tag's measures.
    pub(super) fn texts_of(&self, measure: &TagMeasure) -> Vec<Box<[u8]>> {
        self.all.get(measure.at).map(|active| active.measure.when.needs().texts).unwrap_or_default()
    }

    /// The measures that a record meets, as bits by their place among the tag's, if a glance shows that. `None`: it has to be asked
    /// in full.
    #[inline]
    pub(super) fn seen(
        &self,
        known: &[TagMeasure],
        (seen, asked): (Seen, AskedUntil),
        line: &Line<'_>,
        now: Now,
    ) -> Option<u32> {
        let mut met = 0u32;
        for (bit, measure) in known.iter().enumerate() {
            if measure.lacks_in(seen) {
                continue;
            }
            if measure.shown == Shows::Nothing {
                return None;
            }
            if measure.memo.is_none_or(|(_, until)| now > until) {
                return None;
            }
            let is_met = match asked.has_met(measure.twin) {
                Some(is_met) => is_met,
                None => {
                    measure.shown.is_met(seen, measure.texts) || {
                        let line = Searched::knowing(line, seen.needed(measure.texts));
                        self.all.get(measure.at)?.measure.when.holds_for(&line)
                    }
                }
            };
            if is_met {
                met |= 1u32.wrapping_shl(bit as u32);
            }
        }
        Some(met)
    }

    /// Counts a record under the measures that [`Measuring::seen`] has found.
    #[inline]
    pub(super) fn count_seen(&mut self, known: &[TagMeasure], met: u32) {
        let mut left = met;
        while left != 0 {
            let measure = known.get(left.trailing_zeros() as usize);
            if let Some(TagMeasure { at, memo: Some((slot, _)), .. }) = measure
                && let Some(active) = self.all.get_mut(*at)
            {
                active.series.count(*slot, Observed::Record, &[]);
            }
            left &= left.wrapping_sub(1);
        }
        self.has_news = true;
    }

    /// Asks a tag's measures about a record, and counts it.
    #[inline(never)]
    pub(super) fn count(
        &mut self,
        (known, asked): (&mut [TagMeasure], AskedUntil),
        facts: &Facts<'_>,
        metadata: &mut Metadata<'_>,
        counters: &mut Counters,
    ) {
        let seen = facts.seen();
        for known in known {
            if seen.is_some_and(|seen| known.lacks_in(seen)) {
                continue;
            }
            let Some(ActiveMeasure { measure, series }) = self.all.get_mut(known.at) else { continue };
            let is_met =
                asked.has_met(known.twin).unwrap_or_else(|| measure.when.met(facts, metadata) == Met::Yes);
            if !is_met {
                continue;
            }
            let observed = match &measure.what {
                Measured::Records => Observed::Record,
                Measured::Values { of, .. } => {
                    match of.read(&measure.when, facts).as_deref().and_then(number) {
                        Some(value) => Observed::Value(value),
                        None => {
                            counters.add(Metric::MeasureUnread, 1);
                            continue;
                        }
                    }
                }
            };
            let bounds = measure.buckets();
            let slot = match known.memo.filter(|(_, until)| facts.now <= *until) {
                Some((slot, _)) => slot,
                None => {
                    self.buffer.clear();
                    write_labels(measure, facts, metadata, &mut self.buffer);
                    let (slot, is_other) =
                        series.slot(&self.buffer, (bounds.len(), measure.lines()), &mut self.room);
                    if is_other {
                        counters.add(Metric::MeasureOther, 1);
                    } else if measure.is_by_tag() {
                        // What owns a pod may become known, or a name may be given to another.
                        let holds = if measure.is_by_workload() {
                            facts.now.0.saturating_add(MEMO)
                        } else {
                            u64::MAX
                        };
                        known.memo = Some((slot, Now(holds)));
                    }
                    slot
                }
            };
            series.count(slot, observed, bounds);
            self.has_news = true;
            if let Observed::Value(value) = observed
                && series.wants_trace(slot, value, facts.now)
            {
                let trace = facts.trace_id().map(|id| id.key()).unwrap_or_default();
                series.exemplify(slot, value, facts.now, &trace);
            }
        }
    }

    /// Writes all numbers in Prometheus' text format; `is_saved`: as the saved state has them.
    pub(super) fn render(&self, is_saved: bool, out: &mut String) {
        for ActiveMeasure { measure, series } in &self.all {
            series.render(measure, is_saved, out);
        }
    }

    /// Whether anything is to be saved.
    pub(super) fn has_news(&self) -> bool {
        self.has_news
    }

    /// Its lines of the saved state: as they were when they were last due.
    pub(super) fn lines(&mut self, is_due: bool) -> &[u8] {
        if is_due && std::mem::take(&mut self.has_news) {
            self.saved.clear();
            for ActiveMeasure { measure, series } in &mut self.all {
                let head = format!(
                    "{{\"measure\":\"{}\",\"signature\":\"{:016x}\"",
                    measure.name, measure.signature
                );
                series.save().for_each(|series| series.write(&head, &mut self.saved));
            }
        }
        &self.saved
    }

    /// Adds what was saved under a name, if the measure of that name still means the same.
    pub(super) fn restore(&mut self, name: &str, signature: u64, saved: &SavedSeries) {
        let same = |active: &&mut ActiveMeasure| {
            *active.measure.name == *name
                && active.measure.signature == signature
                && active.measure.buckets().len() == saved.buckets.len()
        };
        if let Some(active) = self.all.iter_mut().find(same) {
            active.series.restore(saved, active.measure.lines(), &mut self.room);
            self.has_news = true;
        }
    }

    /// Sets of values in all.
    pub(super) fn series(&self) -> usize {
        self.all.iter().map(|active| active.series.len()).sum()
    }
}

/// A number as lines have it, in quotes or not. Less than nothing is none: sums of what is measured rise.
fn number(text: &[u8]) -> Option<f64> {
    if let Some(small) = small(text) {
        return Some(small as f64).filter(|value| *value >= 0.0);
    }
    let text = std::str::from_utf8(text).ok()?;
    let starts = text.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    text.parse::<f64>().ok().filter(|value| starts && value.is_finite())
}

/// Bytes of the metrics file for measures. The sidecar serves 4 MiB in all.
const ROOM: usize = 2 << 20;
/// For how long a tag's workload is believed here, in nanoseconds.
const MEMO: u64 = 5_000_000_000;
