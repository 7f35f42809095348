//! Volume: records and bytes of each namespace and workload, as they came, as they left, and as they are billed.
//!
//! The rule kept here: each record that is counted as seen is counted here once, so that the sums are those of the filter's totals.

use crate::config::model::Volume;
use crate::engine::{Answer, Engine, Input};
use crate::json::push_string;
use crate::measure::{LinesOf, SavedSeries, SeriesTable, Slot, VOLUME_TABLE, push_escaped};
use crate::pods::{MetadataFrom, NoPods, PodSource};
use crate::time::Now;
use std::fmt::Write as _;

/// What is counted of one namespace or workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
enum Part {
    Kept,
    KeptBytes,
    Dropped,
    DroppedBytes,
    Sent,
    Billed,
}

/// How many of these there are.
const PARTS: usize = 6;

/// The volume of all namespaces or workloads; nothing while the rule file does not ask for it.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    table: Option<(Volume, SeriesTable)>,
    /// Bytes of the metrics file that are left for further namespaces and workloads.
    room: usize,
    has_news: bool,
    /// As it stands in the saved state.
    saved: Vec<u8>,
}

/// What is remembered of a tag.
#[derive(Debug, Default)]
pub(super) struct TagVolume {
    /// Where it is counted, and until when that holds.
    memo: Option<(Slot, Now)>,
    /// Its open flush, by its number since 1970, what it has sent in that, and what of that is billed.
    flush: u64,
    sent: u64,
    billed: u64,
}

impl TagVolume {
    /// Bytes that are billed for so many more.
    fn bill(&mut self, bytes: u64, now: Now, volume: &Volume) -> u64 {
        // One timer flushes all containers.
        let every = u64::try_from(volume.flush.as_nanos()).unwrap_or(u64::MAX);
        let flush = now.0.checked_div(every).unwrap_or_default();
        if every == 0 || flush != self.flush {
            *self = TagVolume { memo: self.memo, flush, sent: 0, billed: 0 };
        }
        // Fluent Bit ends each with a line feed.
        self.sent = self.sent.saturating_add(bytes).saturating_add(1);
        let billed = self.sent.div_ceil(STEP).saturating_mul(STEP);
        let more = billed.saturating_sub(self.billed);
        self.billed = billed;
        more
    }
}

impl Volumes {
    /// Whether anything is counted.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.table.is_some()
    }

    /// Puts other settings in force; with the same the numbers go on.
    pub(super) fn put_in_force(&mut self, wanted: Option<&Volume>) {
        if self.table.as_ref().map(|(volume, _)| volume) == wanted {
            return;
        }
        self.room = ROOM;
        self.table = wanted.map(|volume| (*volume, SeriesTable::new(volume.max_series)));
        self.has_news = true;
        self.saved.clear();
    }

    fn count(&mut self, slot: Option<Slot>, parts: [(Part, u64); 4]) {
        let Some((_, table)) = &mut self.table else { return };
        let slot = slot.unwrap_or_else(|| table.slot(NOBODY, (PARTS, LINES), &mut self.room).0);
        table.add(slot, parts.map(|(part, more)| (part as usize, more)));
        self.has_news = true;
    }

    /// Counts a record that never reached the rules.
    pub(super) fn count_untouched(&mut self, bytes_in: u64, bytes_out: u64) {
        if self.is_on() {
            let parts = [
                (Part::Kept, 1),
                (Part::KeptBytes, bytes_in),
                (Part::Sent, bytes_out),
                (Part::Billed, bytes_out),
            ];
            self.count(None, parts);
        }
    }

    /// Writes all numbers in Prometheus' text format.
    pub(super) fn render(&self, is_saved: bool, out: &mut String) {
        let Some((volume, table)) = &self.table else { return };
        let parts: [&[(Part, &str)]; 4] = [
            &[(Part::Kept, "kept"), (Part::Dropped, "dropped")],
            &[(Part::KeptBytes, "kept"), (Part::DroppedBytes, "dropped")],
            &[(Part::Sent, "")],
            &[(Part::Billed, "")],
        ];
        for ((name, unit, meaning), parts) in VOLUME_TABLE.into_iter().zip(parts) {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "# HELP {name} {unit} {meaning}\n# TYPE {name} counter");
            table.each(is_saved, |labels, numbers| {
                let labels = labels_of(volume, labels);
                for (part, outcome) in parts {
                    let value = numbers.get(*part as usize).copied().unwrap_or_default();
                    let outcome =
                        if outcome.is_empty() { String::new() } else { format!(",outcome=\"{outcome}\"") };
                    let _ = writeln!(out, "{name}{{{labels}{outcome}}} {value}");
                }
            });
        }
    }

    /// What has come since the last summary as JSON, the largest first and as much as there is room for; empty when nothing has.
    pub(super) fn summary(&mut self, room: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let Some((volume, table)) = &mut self.table else { return out };
        if !volume.in_summaries {
            return out;
        }
        let mut all = table.take_news();
        all.sort_by_key(|(_, numbers)| std::cmp::Reverse(bytes(numbers)));
        let rest = all.split_off(all.len().min(TOP));
        let mut other = [0u64; PARTS];
        for (labels, numbers) in all {
            let entry = entry(volume, labels.as_deref(), &numbers);
            if out.len().saturating_add(entry.len()) > room {
                sum_up(&mut other, &numbers);
                continue;
            }
            if !out.is_empty() {
                out.push(b',');
            }
            out.extend_from_slice(&entry);
        }
        rest.iter().for_each(|(_, numbers)| sum_up(&mut other, numbers));
        if other != [0; PARTS] {
            if !out.is_empty() {
                out.push(b',');
            }
            out.extend_from_slice(&entry(volume, None, &other));
        }
        out
    }

    /// Namespaces or workloads that are told apart.
    pub(super) fn series(&self) -> usize {
        self.table.as_ref().map_or(0, |(_, table)| table.len())
    }

    /// Whether anything is to be saved.
    pub(super) fn has_news(&self) -> bool {
        self.has_news
    }

    /// Its lines of the saved state: as they were when they were last due.
    pub(super) fn lines(&mut self, is_due: bool) -> &[u8] {
        if is_due
            && std::mem::take(&mut self.has_news)
            && let Some((volume, table)) = &mut self.table
        {
            self.saved.clear();
            let head = format!("{{\"volume\":{}", u8::from(volume.by_workload));
            table.save().for_each(|series| series.write(&head, &mut self.saved));
        }
        &self.saved
    }

    /// Adds what was saved, if it was told apart in the same way.
    pub(super) fn restore(&mut self, by_workload: bool, saved: &SavedSeries) {
        if let Some((volume, table)) = &mut self.table
            && volume.by_workload == by_workload
            && saved.buckets.len() == PARTS
        {
            table.restore(saved, LINES, &mut self.room);
            self.has_news = true;
        }
    }
}

impl Engine {
    /// Counts a record of a tag, with what became of it.
    #[inline(never)]
    pub(super) fn note_volume(
        &mut self,
        input: Input<'_>,
        (answer, written): (Answer, usize),
        now: Now,
        pods: &mut dyn PodSource,
    ) {
        let Engine { file, streams, cache, volumes, .. } = self;
        let Volumes { table, room, .. } = volumes;
        let Some((volume, table)) = table else { return };
        let bytes = input.text.len() as u64;
        // A tag that is no text has no state, and the last one is another's.
        let tag = if streams.is_last(input.tag) { streams.last() } else { None };
        let Some(tag) = tag else {
            return volumes.count_untouched(bytes, bytes);
        };
        let of_tag = &mut tag.known.volume;
        let slot = match of_tag.memo.filter(|(_, until)| now <= *until) {
            Some((slot, _)) => slot,
            None => {
                let mut labels = Vec::new();
                let mut until = u64::MAX;
                if let Some(container) = tag.names.container() {
                    labels.extend_from_slice(container.namespace.as_bytes());
                    labels.push(0);
                    if volume.by_workload {
                        until = now.0.saturating_add(MEMO);
                        let mut none = NoPods;
                        let pods: &mut dyn PodSource =
                            if file.enrich.source == MetadataFrom::Record { &mut none } else { pods };
                        let (meta, _) = cache.get(tag.names.tag(), &container, &file.enrich, now, pods);
                        let workload = meta.of_pod.workload.as_deref().unwrap_or_default();
                        labels.extend_from_slice(workload.as_bytes());
                        labels.push(0);
                    }
                } else {
                    labels.extend_from_slice(NOBODY);
                }
                let (slot, _) = table.slot(&labels, (PARTS, LINES), room);
                of_tag.memo = Some((slot, Now(until)));
                slot
            }
        };
        let parts = match answer {
            Answer::Drop => {
                [(Part::Dropped, 1), (Part::DroppedBytes, bytes), (Part::Sent, 0), (Part::Billed, 0)]
            }
            Answer::Keep | Answer::Echo => {
                let sent = if answer == Answer::Echo { bytes } else { written as u64 };
                let billed = of_tag.bill(sent, now, volume);
                [(Part::Kept, 1), (Part::KeptBytes, bytes), (Part::Sent, sent), (Part::Billed, billed)]
            }
        };
        volumes.count(Some(slot), parts);
    }
}

/// Bytes as they came.
fn bytes(numbers: &[u64; PARTS]) -> u64 {
    let [_, kept, _, dropped, ..] = numbers;
    kept.saturating_add(*dropped)
}

fn sum_up(into: &mut [u64; PARTS], more: &[u64; PARTS]) {
    into.iter_mut().zip(more).for_each(|(to, from)| *to = to.saturating_add(*from));
}

/// Namespace and workload of a set of labels; `None` is what all others share.
fn names<'l>(volume: &Volume, labels: Option<&'l [u8]>) -> [Option<&'l str>; 2] {
    let mut parts = labels.map(|labels| labels.split(|byte| *byte == 0));
    let mut next = || match &mut parts {
        Some(parts) => std::str::from_utf8(parts.next().unwrap_or_default()).unwrap_or_default(),
        None => "other",
    };
    [Some(next()), volume.by_workload.then(next)]
}

fn labels_of(volume: &Volume, labels: Option<&[u8]>) -> String {
    let mut out = String::new();
    for (key, name) in ["namespace=\"", "\",workload=\""].into_iter().zip(names(volume, labels)) {
        let Some(name) = name else { continue };
        out.push_str(key);
        push_escaped(name, &mut out);
    }
    out.push('"');
    out
}

fn entry(volume: &Volume, labels: Option<&[u8]>, numbers: &[u64; PARTS]) -> Vec<u8> {
    let mut out = b"{".to_vec();
    for (key, name) in ["namespace", "workload"].into_iter().zip(names(volume, labels)) {
        let Some(name) = name else { continue };
        out.extend_from_slice(format!("\"{key}\":").as_bytes());
        push_string(&mut out, name.as_bytes());
        out.push(b',');
    }
    let [kept, kept_bytes, dropped, dropped_bytes, sent, billed] = numbers;
    let text = format!(
        "\"kept\":{kept},\"kept_bytes\":{kept_bytes},\"dropped\":{dropped},\"dropped_bytes\":{dropped_bytes},\"sent_bytes\":{sent},\
         \"billed_bytes\":{billed}}}"
    );
    out.extend_from_slice(text.as_bytes());
    out
}

/// What a namespace or workload takes in the metrics file: six lines.
const LINES: LinesOf = LinesOf { count: 6, around: 110 };
/// Bytes of the metrics file for all of them.
const ROOM: usize = 1 << 20;
/// The labels of what names no container.
const NOBODY: &[u8] = b"\0\0";
/// Firehose bills in steps of 5 KB.
const STEP: u64 = 5120;
/// Most that a summary names.
const TOP: usize = 50;
/// For how long a tag's workload is believed here, in nanoseconds.
const MEMO: u64 = 5_000_000_000;
