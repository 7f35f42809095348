//! The set of records that the page works on, in one order: by time, then those without a time.
//!
//! The rule it keeps: adding a text does not change the times of records from other texts, except that records without a time
//! come after all that have one.

use crate::inputs::{Pasted, Record, follow, merge};
use std::collections::BTreeSet;

/// The records, and those that were added and are not merged yet.
#[derive(Debug, Default)]
pub(super) struct RecordSet {
    records: Vec<Record>,
    /// How many of them have a time.
    timed: usize,
    /// Records that wait to be merged.
    added: Vec<Vec<Record>>,
    /// And those without times, counted from 0.
    untimed: Vec<Record>,
    /// Tags that were made for files, with the prefix of the rules: at most one for each file, whose lines are held as well.
    tags: BTreeSet<String>,
}

/// The time of the first record where none has one: 2026-01-01T00:00:00Z.
const START: u32 = 1_767_225_600;

impl RecordSet {
    /// In their order; what was added since [`RecordSet::settle`] is not among them.
    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    /// Those of them that have a time.
    pub(super) fn timed(&self) -> &[Record] {
        self.records.get(..self.timed).unwrap_or_default()
    }

    /// Adds a text's.
    pub(super) fn add(&mut self, found: Pasted) {
        self.tags.extend(found.tags);
        self.added.push(found.records);
        follow(&mut self.untimed, found.untimed, 0);
    }

    /// Puts what was added in its place.
    pub(super) fn settle(&mut self) {
        let mut untimed = self.records.split_off(self.timed.min(self.records.len()));
        let before = untimed.first().map_or(0, |first| first.time.0);
        untimed.iter_mut().for_each(|record| record.time.0 = record.time.0.saturating_sub(before));
        follow(&mut untimed, std::mem::take(&mut self.untimed), 0);
        let mut streams = vec![std::mem::take(&mut self.records)];
        streams.append(&mut self.added);
        self.records = merge(streams);
        self.timed = self.records.len();
        let last = self.records.iter().map(|record| record.time.0).max();
        let start = last.map_or(START, |last| last.saturating_add(1));
        self.records.extend(untimed.into_iter().map(|mut record| {
            record.time.0 = record.time.0.saturating_add(start);
            record
        }));
    }

    /// Gives the tags that were made for files another prefix. Written records have tags of their own, as in a replay.
    pub(super) fn rename(&mut self, old: &str, new: &str) {
        let renamed = |tag: &str| format!("{new}{}", tag.strip_prefix(old).unwrap_or(tag));
        let waiting = self.added.iter_mut().flatten().chain(&mut self.untimed);
        for record in self.records.iter_mut().chain(waiting) {
            if self.tags.contains(&record.tag) {
                record.tag = renamed(&record.tag);
            }
        }
        self.tags = self.tags.iter().map(|tag| renamed(tag)).collect();
    }
}
