//! What outlives the filter: unreported counts, budgets, and the summary of which nobody knows yet whether it arrived.
//!
//! One JSON object a line, and a last line that counts them: a file that was cut off is refused as a whole. Keys are given up:
//! what was unreported on them comes back as the rule's `other`. The file is written with every tick on which something
//! changed, so a kill repeats or loses the counts of one tick.

use crate::config::is_name;
use crate::engine::Engine;
use crate::engine::account::Unsaved;
use crate::json::{self, Level, Outline, Value, push_string};
use crate::metrics::{Metric, Stage};
use crate::policy::Spent;
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
}

impl fmt::Display for SavedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SavedError::Version => write!(f, "read saved state: its first line is not that of this version"),
            SavedError::CutOff => write!(f, "read saved state: it was cut off"),
            SavedError::Line(line) => write!(f, "read saved state: line {line} is none of ours"),
        }
    }
}

impl std::error::Error for SavedError {}

/// A line that was read.
enum Saved {
    Summary(Vec<u8>),
    Account { name: String, stage: Stage, unreported: Unreported, span: Option<(u64, u64)> },
    Spent { name: String, key: Option<u64>, label: String, day: u32, bytes: u64 },
}

impl Engine {
    /// The state as text when it has changed since the last time; when only budgets have, every ten seconds.
    #[inline(never)]
    pub fn state_to_save(&mut self, now: Now) -> Option<String> {
        let is_due = self.saved.is_none_or(|last| now.since(last).is_none_or(|past| past >= BUDGETS_EVERY));
        let has_news = self.unsaved.counts || self.unsaved.budgets && is_due;
        if !has_news {
            return None;
        }
        self.unsaved = Unsaved::default();
        self.saved = Some(now);
        let mut text = format!("{FIRST}\n").into_bytes();
        if let Some(summary) = &self.summaries.unconfirmed {
            text.extend_from_slice(b"{\"summary\":");
            push_string(&mut text, summary);
            text.extend_from_slice(b"}\n");
        }
        let Engine { rules, counters, .. } = self;
        for row in counters.rows_from(None) {
            let count = counters.row(row);
            let account = &count.unreported;
            let mut unreported = account.unreported();
            for active in rules.iter_mut().filter(|active| active.row == row) {
                unreported.add(active.state.unreported());
            }
            if unreported.records == 0 {
                continue;
            }
            let line = format!(
                "{{\"account\":\"{}\",\"stage\":\"{}\",\"records\":{},\"bytes\":{}",
                count.name,
                count.stage.name(),
                unreported.records,
                unreported.bytes
            );
            text.extend_from_slice(line.as_bytes());
            if let Some((first, last)) = account.span {
                let span = format!(",\"first\":{first},\"last\":{last}");
                text.extend_from_slice(span.as_bytes());
            }
            text.extend_from_slice(b"}\n");
        }
        for active in rules.iter() {
            for Spent { key, label, day, bytes } in active.state.policy.spent() {
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
                text.extend_from_slice(format!(",\"day\":{day},\"bytes\":{bytes}}}\n").as_bytes());
            }
        }
        let lines = text.iter().filter(|byte| **byte == b'\n').count();
        text.extend_from_slice(format!("{{\"lines\":{lines}}}\n").as_bytes());
        String::from_utf8(text).ok()
    }

    /// Says that what [`Engine::state_to_save`] gave could not be written.
    pub fn state_not_saved(&mut self) {
        self.unsaved.counts = true;
    }

    /// Takes up a saved state. Called once, when the rules are in force.
    ///
    /// # Errors
    /// [`SavedError`] for a text that is not whole, or not of this version; nothing is taken from it then.
    #[inline(never)]
    pub fn restore(&mut self, text: &str) -> Result<(), SavedError> {
        for saved in read(text)? {
            match saved {
                Saved::Summary(summary) => {
                    self.summaries.unconfirmed = Some(summary);
                    self.summaries.is_unsent = true;
                }
                Saved::Account { name, stage, unreported, span } => {
                    let row = self.counters.row_of(&name, stage);
                    let account = &mut self.counters.row(row).unreported;
                    account.take_over("", unreported);
                    for event in span.iter().flat_map(|(first, last)| [*first, *last]) {
                        account.note(event);
                    }
                    self.counters.add(Metric::Restored, unreported.records);
                }
                Saved::Spent { name, key, label, day, bytes } => {
                    if let Some(active) = self.rules.iter_mut().find(|active| *active.rule.name == *name) {
                        let spent = Spent { key, label: &label, day, bytes };
                        active.state.policy.put_spent(spent, &mut self.shared.capacity);
                    }
                }
            }
        }
        Ok(())
    }
}

fn read(text: &str) -> Result<Vec<Saved>, SavedError> {
    let mut lines = text.lines();
    if lines.next() != Some(FIRST) {
        return Err(SavedError::Version);
    }
    let mut saved = Vec::new();
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
        saved.push(entry(line).ok_or(if is_last { SavedError::CutOff } else { SavedError::Line(number) })?);
    }
    Err(SavedError::CutOff)
}

fn entry(line: &str) -> Option<Saved> {
    // What is damaged in its middle is none of ours either, whatever can still be read of it.
    Outline::of(line.as_bytes(), Level::Plain)?;
    let string = |key: &str| match value(line, key)? {
        Value::String(content) => String::from_utf8(json::unescape(content)).ok(),
        _ => None,
    };
    if let Some(summary) = string("summary") {
        // It goes to the host as it is.
        Outline::of(summary.as_bytes(), Level::Plain)?;
        return Some(Saved::Summary(summary.into_bytes()));
    }
    if let Some(name) = string("account").filter(|name| is_name(name)) {
        let stage = string("stage")?;
        let stage =
            [Stage::Guard, Stage::Rule, Stage::Outcome].into_iter().find(|known| known.name() == stage)?;
        let unreported = Unreported { records: whole(line, "records")?, bytes: whole(line, "bytes")? };
        let time = |key: &str| {
            let nanos = whole(line, key)?;
            u32::try_from(nanos / SECOND).ok().map(|_| nanos)
        };
        let span = time("first").zip(time("last"));
        return Some(Saved::Account { name, stage, unreported, span });
    }
    Some(Saved::Spent {
        name: string("spent")?,
        key: match &*string("key")? {
            OTHER => None,
            key => Some(u64::from_str_radix(key, 16).ok()?),
        },
        label: string("label")?,
        day: u32::try_from(whole(line, "day")?).ok()?,
        bytes: whole(line, "bytes")?,
    })
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
/// The key of all that share a state.
const OTHER: &str = "other";
/// Longest label of a key in the file, in bytes.
const MAX_LABEL: usize = 40;
/// How long the file gets before no more budgets are written, in bytes; all that there can be take less.
const MOST: usize = 15 << 20;
const FIRST: &str = "{\"nodesieve_state\":1}";
const SECOND: u64 = 1_000_000_000;
