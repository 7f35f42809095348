//! Summaries: records of our own that say what was dropped, so that nothing is missing from the sum.
//!
//! One at most for each tick. It carries the instance of the filter and a number that goes up, so that a second copy (Firehose
//! delivers at least once, and a restart sends the last one again when nobody knows whether it arrived) can be told from
//! a second summary. What does not fit into one record waits for the next tick.

use crate::engine::{Answer, Engine};
use crate::json::{self, Level, Value, push_string};
use crate::metrics::{Metric, RowId};
use crate::time::{EventTime, Now};
use crate::unreported::{Account, Unreported};
use std::collections::VecDeque;
use std::time::Duration;

/// What is known about the summaries so far.
#[derive(Debug, Default)]
pub(super) struct Summaries {
    /// Of this filter from its start to its end.
    pub(super) instance: u64,
    sequence: u64,
    /// When the last one was due.
    last: Option<Now>,
    /// Those of which nobody knows yet that the host has them; what earlier filters have left is among them.
    pub(super) unconfirmed: VecDeque<Vec<u8>>,
    /// Whether the first of them has been handed to the host: it has it when it calls again.
    is_handed: bool,
    /// How many of those in the saved state the host has.
    pub(super) taken: u32,
    /// The row with which the next one starts when some had no room in the last one.
    next: Option<RowId>,
    /// When idle keys were last looked for.
    swept: Option<Now>,
}

impl Engine {
    /// Takes a record of the tick input, which is counted as a tick only. The answer is a summary when one is due and there is
    /// something to sum up, else [`Answer::Drop`]. `text` may hold the `node`'s name.
    #[inline(never)]
    pub fn tick(&mut self, text: &[u8], now: Now, out: &mut Vec<u8>) -> Answer {
        out.clear();
        self.counters.add(Metric::Ticks, 1);
        self.counters.set(Metric::TickSeen, 1);
        self.make_room(now);
        self.summary_taken();
        let summaries = &mut self.summaries;
        if let Some(unsent) = summaries.unconfirmed.front() {
            out.extend_from_slice(unsent);
            summaries.is_handed = true;
            return Answer::Keep;
        }
        let Some(every) = self.file.summary else { return Answer::Drop };
        let from = *summaries.last.get_or_insert(now);
        let is_due = now.since(from).is_none_or(|past| past >= every);
        if !is_due && summaries.next.is_none() {
            return Answer::Drop;
        }
        summaries.last = Some(now);
        let node = match json::lookup(text, Level::Plain, &[Box::from("node")]) {
            Some(Value::String(name)) => json::unescape(name),
            _ => Vec::new(),
        };
        if !self.summarise(&node, (from, now), out) {
            return Answer::Drop;
        }
        self.unsaved.counts = true;
        self.counters.add(Metric::Summaries, 1);
        self.summaries.unconfirmed.push_back(out.clone());
        self.summaries.is_handed = true;
        Answer::Keep
    }

    /// The host has called again: what was handed to it is its own now. Whether that was a summary.
    pub fn summary_taken(&mut self) -> bool {
        let summaries = &mut self.summaries;
        let is_taken =
            std::mem::take(&mut summaries.is_handed) && summaries.unconfirmed.pop_front().is_some();
        if is_taken {
            summaries.taken = summaries.taken.saturating_add(1);
            self.unsaved.counts = true;
        }
        is_taken
    }

    /// When nearly all slots are taken, forgets the keys that are idle: each rule looks only at its own when it needs one.
    fn make_room(&mut self, now: Now) {
        let summaries = &mut self.summaries;
        let is_full = self.shared.capacity.is_nearly_full();
        if !is_full || summaries.swept.is_some_and(|last| now.since(last).is_some_and(|past| past < SWEEP)) {
            return;
        }
        summaries.swept = Some(now);
        let Engine { rules, counters, shared, .. } = self;
        for active in rules.iter_mut() {
            let account = &mut counters.row(active.row).unreported;
            active.state.forget_idle(now.0, &mut shared.capacity, account);
        }
    }

    /// Writes what is unreported into a summary and closes the accounts; whether there was anything.
    #[inline(never)]
    fn summarise(&mut self, node: &[u8], (from, to): (Now, Now), out: &mut Vec<u8>) -> bool {
        let Engine { file, rules, counters, summaries, streams, volumes, .. } = self;
        streams.take_dropped(|label, row, records, bytes| {
            counters.row(row).unreported.attribute(label, Unreported { records, bytes });
        });
        for active in rules.iter_mut() {
            active.state.report(&mut counters.row(active.row).unreported);
        }
        let reason = |row: RowId, name: &str| {
            let rule = &rules.iter().find(|active| active.row == row && *active.rule.name == *name)?.rule;
            let reason = rule.reason.as_deref()?;
            reason.get(..reason.floor_char_boundary(MAX_REASON))
        };
        let mut sum = Unreported::default();
        let mut entries = Vec::new();
        let room = file.max_entries_bytes();
        // From where the last one ended, so that the rules at the end of the list have their turn.
        for row in counters.rows_from(summaries.next.take()) {
            let count = counters.row(row);
            // What may still come back is nobody's business yet.
            let mut unreported = count.unreported.unreported();
            unreported.remove(count.held);
            if unreported.records == 0 {
                continue;
            }
            let mut short =
                format!("{{\"rule\":\"{}\",\"stage\":\"{}\"", count.name, count.stage.name()).into_bytes();
            let mut entry = short.clone();
            if let Some(reason) = reason(row, &count.name) {
                member(&mut entry, "reason", reason.as_bytes());
            }
            describe(&count.unreported, unreported, TOP, &mut entry);
            if entry.len() > room {
                describe(&count.unreported, unreported, 0, &mut short);
                entry = short;
            }
            if entries.len().saturating_add(entry.len()) > room && !entries.is_empty() {
                summaries.next = Some(row);
                break;
            }
            if !entries.is_empty() {
                entries.push(b',');
            }
            entries.append(&mut entry);
            sum.add(unreported);
            let held = count.held;
            count.unreported.close(held);
        }
        let volume = volumes.summary(room.saturating_sub(entries.len()));
        if sum.records == 0 && volume.is_empty() {
            return false;
        }
        summaries.sequence = summaries.sequence.saturating_add(1);
        out.extend_from_slice(b"{\"nodesieve\":{\"summary\":true");
        member(out, "node", node);
        out.extend_from_slice(
            format!(
                ",\"instance\":\"{:016x}\",\"sequence\":{},\"from\":\"{}\",\"to\":\"{}\",\"dropped\":{},\"bytes\":{},\"rules\":[",
                summaries.instance,
                summaries.sequence,
                instant(from),
                instant(to),
                sum.records,
                sum.bytes
            )
            .as_bytes(),
        );
        out.append(&mut entries);
        if volume.is_empty() {
            out.extend_from_slice(b"]}}");
        } else {
            out.extend_from_slice(b"],\"volume\":[");
            out.extend_from_slice(&volume);
            out.extend_from_slice(b"]}}");
        }
        counters.add(Metric::Summarised, sum.records);
        true
    }
}

/// The numbers of an account, behind its name. With `top` 0 only those that are always small.
fn describe(account: &Account, sum: Unreported, top: usize, into: &mut Vec<u8>) {
    into.extend_from_slice(format!(",\"dropped\":{},\"bytes\":{}", sum.records, sum.bytes).as_bytes());
    if let Some((first, last)) = account.span {
        for (key, event) in [("first", first), ("last", last)] {
            member(into, key, EventTime::from_nanos(event).to_rfc3339().as_bytes());
        }
    }
    let keys = account.top(top);
    if !keys.is_empty() {
        let mut other = sum.records;
        into.extend_from_slice(b",\"keys\":[");
        for (index, (label, part)) in keys.iter().enumerate() {
            into.extend_from_slice(if index == 0 { b"{\"key\":" } else { b",{\"key\":" });
            push_string(into, label.as_bytes());
            into.extend_from_slice(format!(",\"dropped\":{}}}", part.records).as_bytes());
            other = other.saturating_sub(part.records);
        }
        into.extend_from_slice(format!("],\"other\":{other}").as_bytes());
    }
    if let (Some(example), true) = (&account.example, top > 0) {
        member(into, "example", example.as_bytes());
    }
    into.push(b'}');
}

fn member(into: &mut Vec<u8>, key: &str, value: &[u8]) {
    into.extend_from_slice(b",\"");
    into.extend_from_slice(key.as_bytes());
    into.extend_from_slice(b"\":");
    push_string(into, value);
}

fn instant(now: Now) -> String {
    let sec = u32::try_from(now.seconds()).unwrap_or(u32::MAX);
    let nsec = u32::try_from(now.0 % 1_000_000_000).unwrap_or_default();
    EventTime { sec, nsec }.to_rfc3339()
}

impl crate::config::RuleFile {
    /// How many bytes of a summary may be about rules: the rest is at most what a node's name and the numbers take.
    fn max_entries_bytes(&self) -> usize {
        self.input.max_record.saturating_sub(HEAD)
    }
}

/// How often idle keys are looked for while slots are short.
const SWEEP: Duration = Duration::from_secs(10);
/// Keys of a rule that are named; all others are one number.
const TOP: usize = 20;
/// Longest part of a reason that is repeated, in bytes.
const MAX_REASON: usize = 256;
/// Bytes around the rules: the numbers and a name of 253 characters.
const HEAD: usize = 600;
