//! What outlives the filter: unreported counts, budgets, and the summaries of which nobody knows yet whether they arrived.
//!
//! One JSON object a line, and a last line that counts them: a file that was cut off is refused as a whole, and so is one whose
//! numbers cannot be. Keys are given up: what was unreported on them comes back as the rule's `other`. The file is written with
//! every tick on which something changed; what happens between two ticks is in the journal beside it
//! ([`crate::engine::journal`]), under the number of the row and the epoch of the file.

use crate::config::is_name;
use crate::engine::Engine;
use crate::engine::account::Unsaved;
use crate::engine::journal::{self, Journal, JournalHeader, JournalWrite};
use crate::json::{self, Level, Outline, Value, push_string};
use crate::measure::SavedSeries;
use crate::metrics::{Metric, RowId, Stage};
use crate::policy::Spent;
use crate::tag_names::NamespaceId;
use crate::time::Now;
use crate::unreported::Unreported;
use std::fmt;
use std::time::Duration;

/// Why a saved state was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SavedError {
    /// The first line is not that of this version.
    Version,
    /// The last line is missing or counts other lines.
    CutOff,
    /// This line, counted from 1, is none of ours.
    Line(usize),
    /// The numbers in this line, counted from 1, cannot be: more than a node can have dropped, or from a time to come.
    Absurd(usize),
}

impl fmt::Display for SavedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SavedError::Version => write!(f, "read saved state: its first line is not that of this version"),
            SavedError::CutOff => write!(f, "read saved state: it was cut off"),
            SavedError::Line(line) => write!(f, "read saved state: line {line} is none of ours"),
            SavedError::Absurd(line) => write!(f, "read saved state: the numbers in line {line} cannot be"),
        }
    }
}

impl std::error::Error for SavedError {}

/// What a filter before this one has left.
#[derive(Clone, Copy, Debug)]
pub struct Left<'l> {
    /// The name under which it is kept; empty when it has none.
    pub name: &'l str,
    /// What [`Engine::state_to_save`] has given.
    pub state: &'l str,
    /// The journal beside it; empty when there is none.
    pub journal: Journal<'l>,
}

/// A saved state that was read.
struct Saved {
    epoch: u32,
    lines: Vec<SavedLine>,
}

/// A line that was read.
enum SavedLine {
    Summary(Vec<u8>),
    Account {
        name: String,
        stage: Stage,
        row: Option<RowId>,
        unreported: Unreported,
        span: Option<(u64, u64)>,
    },
    Spent {
        name: String,
        key: Option<u64>,
        namespace: NamespaceId,
        label: String,
        day: u32,
        bytes: u64,
    },
    Measured {
        name: String,
        signature: u64,
        series: SavedSeries,
    },
    Volume {
        by_workload: bool,
        series: SavedSeries,
    },
    Delegated {
        namespace: NamespaceId,
        day: u32,
        bytes: u64,
    },
    TakenOver,
}

impl Engine {
    /// The state as text when it has changed since the last time; when only budgets have, every ten seconds.
    #[inline(never)]
    pub fn state_to_save(&mut self, now: Now) -> Option<String> {
        let is_due = |last: Option<Now>, every: Duration| {
            last.is_none_or(|last| now.since(last).is_none_or(|past| past >= every))
        };
        // The more there is to write, the less often.
        let series = self.measuring.series().saturating_add(self.volumes.series()) as u64;
        let series_every = Duration::from_secs(series / SERIES_A_SECOND).min(BUDGETS_EVERY);
        let are_series_due = is_due(self.series_saved, series_every);
        self.unsaved.budgets |= std::mem::take(&mut self.delegating.has_news);
        let has_news = self.unsaved.counts
            || self.unsaved.budgets && is_due(self.saved, BUDGETS_EVERY)
            || (self.measuring.has_news() || self.volumes.has_news()) && are_series_due;
        if !has_news {
            return None;
        }
        self.unsaved = Unsaved { every: self.unsaved.every, ..Unsaved::default() };
        self.saved = Some(now);
        if are_series_due {
            self.series_saved = Some(now);
        }
        self.epoch = self.epoch.wrapping_add(1);
        self.summaries.taken = 0;
        let mut text = format!("{{\"nodesieve_state\":2,\"epoch\":{}}}\n", self.epoch).into_bytes();
        for name in &self.taken_over {
            text.extend_from_slice(format!("{{\"taken_over\":\"{name}\"}}\n").as_bytes());
        }
        for summary in &self.summaries.unconfirmed {
            text.extend_from_slice(b"{\"summary\":");
            push_string(&mut text, summary);
            text.extend_from_slice(b"}\n");
        }
        let Engine { rules, counters, .. } = self;
        // All of them: the journal knows rows by their numbers only.
        for row in counters.rows_from(None) {
            let count = counters.row(row);
            let account = &count.unreported;
            let line = format!(
                "{{\"account\":\"{}\",\"stage\":\"{}\",\"row\":{},\"records\":{},\"bytes\":{}",
                count.name,
                count.stage.name(),
                row.index(),
                account.open.records,
                account.open.bytes
            );
            text.extend_from_slice(line.as_bytes());
            if let Some((first, last)) = account.span {
                let span = format!(",\"first\":{first},\"last\":{last}");
                text.extend_from_slice(span.as_bytes());
            }
            text.extend_from_slice(b"}\n");
        }
        for active in rules.iter() {
            for Spent { key, namespace, label, day, bytes } in active.state.policy.spent() {
                if text.len() > MOST {
                    break;
                }
                let key = key.map_or_else(|| OTHER.to_owned(), |key| format!("{key:016x}"));
                let line = format!("{{\"spent\":\"{}\",\"key\":\"{key}\",\"label\":", active.rule.name);
                text.extend_from_slice(line.as_bytes());
                // For people only; a flood of keys must not make the file one of megabytes.
                let label = label.replace(char::is_control, "?");
                let label = label.get(..label.floor_char_boundary(MAX_LABEL)).unwrap_or_default();
                push_string(&mut text, label.as_bytes());
                if namespace != NamespaceId::NONE {
                    text.extend_from_slice(format!(",\"namespace\":\"{:016x}\"", namespace.0).as_bytes());
                }
                text.extend_from_slice(format!(",\"day\":{day},\"bytes\":{bytes}}}\n").as_bytes());
            }
        }
        for (namespace, day, bytes) in self.delegating.spent() {
            let line =
                format!("{{\"delegated\":\"{:016x}\",\"day\":{day},\"bytes\":{bytes}}}\n", namespace.0);
            text.extend_from_slice(line.as_bytes());
        }
        text.extend_from_slice(self.measuring.lines(are_series_due));
        text.extend_from_slice(self.volumes.lines(are_series_due));
        let lines = text.iter().filter(|byte| **byte == b'\n').count();
        text.extend_from_slice(format!("{{\"lines\":{lines}}}\n").as_bytes());
        String::from_utf8(text).ok()
    }

    /// Says that what [`Engine::state_to_save`] gave could not be written: the state before it is still the one on disk.
    pub fn state_not_saved(&mut self) {
        self.unsaved.counts = true;
        self.epoch = self.epoch.wrapping_sub(1);
    }

    /// Says that nothing of this filter is on disk: the state is to be saved, whether it has changed or not.
    pub fn nothing_is_saved(&mut self) {
        self.unsaved.counts = true;
    }

    /// What to write into the journal for the last record, if it has changed anything that must outlive the filter.
    #[inline]
    pub fn journal_write(&mut self) -> Option<JournalWrite> {
        let row = self.unsaved.row.take()?;
        Some(self.write_of(row))
    }

    /// The same once more, for a record that has changed several rows; there is a first then.
    #[inline]
    pub fn further_journal_write(&mut self) -> Option<JournalWrite> {
        let row = self.unsaved.rows.pop()?;
        Some(self.write_of(row))
    }

    #[inline(never)]
    fn write_of(&mut self, row: RowId) -> JournalWrite {
        journal::write_row(self.epoch, row, self.counters.row(row).unreported.open)
    }

    /// Of so many dropped records of a rule, one is to be written into the journal: the others are lost when the filter ends before the
    /// next. 1 writes all of them.
    pub fn write_one_in(&mut self, every: u32) {
        self.unsaved.every = every;
    }

    /// What the journal's header is to say now.
    pub fn journal_header(&self, now: Now) -> JournalWrite {
        JournalHeader { epoch: self.epoch, taken: self.summaries.taken, alive: now }.write()
    }

    /// Takes up what a filter before this one has left. Its name is in every state from now on, until [`Engine::is_gone`].
    ///
    /// # Errors
    /// [`SavedError`] for a text that is not whole, not of a version that is known, or says what cannot be; nothing is taken from it
    /// then.
    #[inline(never)]
    pub fn restore(&mut self, left: Left<'_>, now: Now) -> Result<(), SavedError> {
        let Left { name, state, journal } = left;
        let Saved { epoch, lines } = read(state, now)?;
        // Under the same name, what is in the journal must not count with the next state.
        self.epoch = self.epoch.max(epoch);
        let header = journal.header().filter(|header| header.epoch == epoch);
        let mut taken = header.map_or(0, |header| header.taken);
        for line in lines {
            match line {
                SavedLine::Summary(_) if taken > 0 => taken = taken.saturating_sub(1),
                SavedLine::Summary(summary) => self.summaries.unconfirmed.push_back(summary),
                SavedLine::Account { name, stage, row: number, unreported, span } => {
                    let changed = number.filter(|_| epoch > 0).and_then(|row| journal.row(epoch, row));
                    let unreported = changed.filter(can_be).unwrap_or(unreported);
                    if unreported.records == 0 {
                        continue;
                    }
                    let row = self.counters.row_of(&name, stage);
                    let account = &mut self.counters.row(row).unreported;
                    account.inherit(unreported);
                    for event in span.iter().flat_map(|(first, last)| [*first, *last]) {
                        account.note(event);
                    }
                    self.counters.add(Metric::Restored, unreported.records);
                }
                SavedLine::Spent { name, key, namespace, label, day, bytes } => {
                    if let Some(active) = self.rules.iter_mut().find(|active| *active.rule.name == *name) {
                        let spent = Spent { key, namespace, label: &label, day, bytes };
                        active.state.policy.put_spent(spent, &mut self.shared.capacity);
                    }
                }
                SavedLine::Measured { name, signature, series } => {
                    self.measuring.restore(&name, signature, &series);
                }
                SavedLine::Volume { by_workload, series } => self.volumes.restore(by_workload, &series),
                SavedLine::Delegated { namespace, day, bytes } => {
                    self.delegating.put_spent(namespace, day, bytes);
                }
                SavedLine::TakenOver => {}
            }
        }
        if is_filter_name(name) {
            self.taken_over.push(name.into());
        }
        self.unsaved.counts = true;
        Ok(())
    }

    /// Says that what a filter has left is not there any more: nobody can take it up twice.
    pub fn is_gone(&mut self, name: &str) {
        self.taken_over.retain(|known| **known != *name);
    }
}

/// The names of the filters whose counts are in a saved state.
pub fn taken_over_by(state: &str) -> impl Iterator<Item = &str> {
    state.lines().filter_map(|line| line.strip_prefix("{\"taken_over\":\"")?.strip_suffix("\"}"))
}

/// Whether a text can be the name of a filter: the digits of its instance.
fn is_filter_name(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a node can have dropped that: not more records than in hours of the most that Fluent Bit reads, each with no more bytes
/// than a record has.
fn can_be(unreported: &Unreported) -> bool {
    let Unreported { records, bytes } = *unreported;
    records <= MOST_RECORDS && bytes <= records.saturating_mul(LARGEST) && (records > 0 || bytes == 0)
}

fn read(text: &str, now: Now) -> Result<Saved, SavedError> {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let epoch = match whole(first, "nodesieve_state") {
        // As it was before there was a journal.
        Some(1) => 0,
        Some(2) => {
            whole(first, "epoch").and_then(|epoch| u32::try_from(epoch).ok()).ok_or(SavedError::Version)?
        }
        _ => return Err(SavedError::Version),
    };
    let mut saved = Saved { epoch, lines: Vec::new() };
    let total = text.lines().count();
    for (index, line) in lines.enumerate() {
        let number = index.saturating_add(2);
        if let Some(count) = whole(line, "lines") {
            let is_whole = count == number.saturating_sub(1) as u64 && text.ends_with('\n');
            return match (is_whole, total > number) {
                (false, _) => Err(SavedError::CutOff),
                // What stands behind the end was not counted by it.
                (true, true) => Err(SavedError::Line(number.saturating_add(1))),
                (true, false) => Ok(saved),
            };
        }
        // Half a line is the end of what was written, whatever stands in it.
        let is_last = total == number;
        let line = entry(line).ok_or(if is_last { SavedError::CutOff } else { SavedError::Line(number) })?;
        if !makes_sense(&line, now) {
            return Err(SavedError::Absurd(number));
        }
        saved.lines.push(line);
    }
    Err(SavedError::CutOff)
}

/// Whether the numbers of a line can be. A clock that was set back since then may have been a day ahead.
fn makes_sense(line: &SavedLine, now: Now) -> bool {
    let latest = now.0.saturating_add(DAY);
    match line {
        SavedLine::Summary(_) | SavedLine::TakenOver => true,
        SavedLine::Account { unreported, span, row, .. } => {
            can_be(unreported)
                && span.is_none_or(|(first, last)| first <= last && last <= latest)
                && row.is_none_or(|row| row.index() < MOST_ROWS)
        }
        SavedLine::Measured { series: SavedSeries { count, sum, buckets, .. }, .. } => {
            let in_buckets = buckets.iter().fold(0u64, |sum, count| sum.saturating_add(*count));
            *count <= MOST_MEASURED && in_buckets <= *count && sum.is_finite()
        }
        SavedLine::Volume { series: SavedSeries { buckets, .. }, .. } => {
            buckets.iter().all(|number| *number <= MOST_BYTES)
        }
        SavedLine::Spent { day, bytes, .. } | SavedLine::Delegated { day, bytes, .. } => {
            u64::from(*day) <= latest / DAY && *bytes <= MOST_SPENT
        }
    }
}

fn entry(line: &str) -> Option<SavedLine> {
    // What is damaged in its middle is none of ours either, whatever can still be read of it.
    Outline::of(line.as_bytes(), Level::Plain)?;
    let string = |key: &str| match value(line, key)? {
        Value::String(content) => String::from_utf8(json::unescape(content)).ok(),
        _ => None,
    };
    if let Some(summary) = string("summary") {
        // It goes to the host as it is.
        Outline::of(summary.as_bytes(), Level::Plain)?;
        return Some(SavedLine::Summary(summary.into_bytes()));
    }
    if string("taken_over").is_some() {
        return Some(SavedLine::TakenOver);
    }
    if let Some(namespace) = string("delegated") {
        return Some(SavedLine::Delegated {
            namespace: NamespaceId(u64::from_str_radix(&namespace, 16).ok()?),
            day: u32::try_from(whole(line, "day")?).ok()?,
            bytes: whole(line, "bytes")?,
        });
    }
    if let Some(name) = string("account").filter(|name| is_row_name(name)) {
        let stage = string("stage")?;
        let stage =
            [Stage::Guard, Stage::Rule, Stage::Outcome].into_iter().find(|known| known.name() == stage)?;
        let unreported = Unreported { records: whole(line, "records")?, bytes: whole(line, "bytes")? };
        let time = |key: &str| {
            let nanos = whole(line, key)?;
            u32::try_from(nanos / SECOND).ok().map(|_| nanos)
        };
        let span = time("first").zip(time("last"));
        let row = whole(line, "row").and_then(|row| usize::try_from(row).ok()).map(RowId::at);
        return Some(SavedLine::Account { name, stage, row, unreported, span });
    }
    let hex = |key: &str| u64::from_str_radix(&string(key)?, 16).ok();
    let series = || -> Option<SavedSeries> {
        let labels = string("labels");
        let labels =
            labels.map(|text| text.bytes().map(|byte| if byte == b'\n' { 0 } else { byte }).collect());
        let buckets = string("buckets")?;
        let buckets = buckets.split_whitespace().map(|count| count.parse().ok()).collect::<Option<_>>()?;
        Some(SavedSeries { labels, count: whole(line, "count")?, sum: f64::from_bits(hex("sum")?), buckets })
    };
    if let Some(name) = string("measure").filter(|name| is_name(name)) {
        return Some(SavedLine::Measured { name, signature: hex("signature")?, series: series()? });
    }
    if let Some(by_workload @ 0..=1) = whole(line, "volume") {
        return Some(SavedLine::Volume { by_workload: by_workload == 1, series: series()? });
    }
    Some(SavedLine::Spent {
        name: string("spent")?,
        key: match &*string("key")? {
            OTHER => None,
            key => Some(u64::from_str_radix(key, 16).ok()?),
        },
        namespace: match string("namespace") {
            // None, or written by a version that did not tell them apart.
            None => NamespaceId::NONE,
            Some(namespace) => NamespaceId(u64::from_str_radix(&namespace, 16).ok()?),
        },
        label: string("label")?,
        day: u32::try_from(whole(line, "day")?).ok()?,
        bytes: whole(line, "bytes")?,
    })
}

/// Whether a text can be the name of a row: that of a rule, or of one of a namespace's.
fn is_row_name(text: &str) -> bool {
    match text.split_once('/') {
        Some((namespace, name)) => is_name(namespace) && is_name(name),
        None => is_name(text),
    }
}

fn whole(line: &str, key: &str) -> Option<u64> {
    match value(line, key)? {
        Value::Scalar(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

fn value<'l>(line: &'l str, key: &str) -> Option<Value<'l>> {
    json::lookup(line.as_bytes(), Level::Plain, &[Box::from(key)])
}

/// How often what budgets have spent is written: a kill forgets that much of it.
const BUDGETS_EVERY: Duration = Duration::from_secs(10);
/// So many sets of label values are written every second.
const SERIES_A_SECOND: u64 = 100;
/// The key of all that share a state.
const OTHER: &str = "other";
/// Longest label of a key in the file, in bytes.
const MAX_LABEL: usize = 40;
/// How long the file gets before no more budgets are written, in bytes; all that there can be take less.
const MOST: usize = 11 << 20;
/// Records that a measure can have counted in all years that a node lives.
const MOST_MEASURED: u64 = 1 << 53;
/// Bytes of a namespace in all these years.
const MOST_BYTES: u64 = 1 << 60;
const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;
/// Records that a rule can have unreported: what Fluent Bit reads in three hours at a million a second.
const MOST_RECORDS: u64 = 10_000_000_000;
/// Bytes of the largest record that the filter is handed.
const LARGEST: u64 = 32 << 20;
/// Bytes that a key can have spent in a day: a gigabyte a second.
const MOST_SPENT: u64 = 86_400_000_000_000;
/// Rows that there can be, see [`crate::metrics`].
const MOST_ROWS: usize = 1 << 16;
