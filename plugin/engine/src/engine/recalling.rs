//! The lines that were dropped last, in case somebody wants to know what came before an error.
//!
//! One ring for each pod that a guard with `recall` is about. The rule kept here: a line in a ring is dropped and unreported in its row,
//! and no summary reports it as long as it may come back; so when a record brings it along, it leaves that account for the kept ones,
//! and nobody has heard of it before. What leaves a ring otherwise is what it always was, dropped.

use crate::config::model::Recall;
use crate::json::push_string;
use crate::metrics::{Counters, RowId};
use crate::tag_names::NamespaceId;
use crate::time::EventTime;
use hashbrown::HashMap;
use std::collections::VecDeque;

/// All rings.
#[derive(Debug, Default)]
pub(super) struct Recalling {
    rings: HashMap<u64, Ring>,
    bytes: usize,
    turn: u64,
}

/// Where a tag's dropped lines go.
#[derive(Clone, Copy, Debug)]
pub(super) struct TagRing {
    /// A hash of namespace and pod.
    pub(super) pod: u64,
    pub(super) namespace: NamespaceId,
    pub(super) most: Recall,
}

#[derive(Debug, Default)]
struct Ring {
    namespace: NamespaceId,
    lines: VecDeque<HeldLine>,
    bytes: usize,
    /// When it was last used.
    turn: u64,
}

#[derive(Debug)]
struct HeldLine {
    row: RowId,
    time: EventTime,
    /// Bytes of the record as it came.
    bytes: u64,
    /// What may be shown of it.
    text: Box<[u8]>,
}

/// What comes back with a record.
#[derive(Debug, Default)]
pub(super) struct Recalled {
    /// The lines as a JSON array.
    pub(super) array: Vec<u8>,
    pub(super) lines: u64,
    /// The rows that they were dropped in.
    pub(super) rows: Vec<RowId>,
}

impl Recalling {
    /// A record was dropped that may come back. What has to go for it is dropped for good.
    pub(super) fn hold(
        &mut self,
        tag: TagRing,
        (row, time, bytes): (RowId, EventTime, u64),
        text: Box<[u8]>,
        counters: &mut Counters,
    ) {
        if text.len() > tag.most.bytes {
            return;
        }
        self.turn = self.turn.wrapping_add(1);
        let ring = self.rings.entry(tag.pod).or_default();
        (ring.namespace, ring.turn) = (tag.namespace, self.turn);
        ring.bytes = ring.bytes.saturating_add(text.len());
        self.bytes = self.bytes.saturating_add(text.len());
        ring.lines.push_back(HeldLine { row, time, bytes, text });
        counters.row(row).hold(bytes);
        while ring.lines.len() > tag.most.lines || ring.bytes > tag.most.bytes {
            let Some(oldest) = ring.lines.pop_front() else { break };
            ring.bytes = ring.bytes.saturating_sub(oldest.text.len());
            self.bytes = self.bytes.saturating_sub(oldest.text.len());
            counters.row(oldest.row).let_go(oldest.bytes);
        }
        while self.bytes > MAX_BYTES || self.rings.len() > MAX_RINGS {
            if !self.give_up_one(counters) {
                break;
            }
        }
    }

    /// Gives up the ring that was not used for longest, of the namespace that has most.
    #[inline(never)]
    fn give_up_one(&mut self, counters: &mut Counters) -> bool {
        let by_bytes = self.bytes > MAX_BYTES;
        let held = |namespace: NamespaceId| {
            let own = self.rings.values().filter(|ring| ring.namespace == namespace);
            own.fold(0usize, |sum, ring| sum.saturating_add(if by_bytes { ring.bytes } else { 1 }))
        };
        let all = self.rings.values().map(|ring| ring.namespace);
        let Some(namespace) = all.max_by_key(|namespace| (held(*namespace), namespace.0)) else {
            return false;
        };
        let of_it = self.rings.iter().filter(|(_, ring)| ring.namespace == namespace);
        let Some(pod) = of_it.min_by_key(|(_, ring)| ring.turn).map(|(pod, _)| *pod) else { return false };
        self.forget(pod, counters)
    }

    fn forget(&mut self, pod: u64, counters: &mut Counters) -> bool {
        let Some(ring) = self.rings.remove(&pod) else { return false };
        self.bytes = self.bytes.saturating_sub(ring.bytes);
        ring.lines.iter().for_each(|line| counters.row(line.row).let_go(line.bytes));
        true
    }

    /// Gives all of them up: no guard recalls any more.
    pub(super) fn give_up(&mut self, counters: &mut Counters) {
        let pods: Vec<u64> = self.rings.keys().copied().collect();
        pods.into_iter().for_each(|pod| {
            self.forget(pod, counters);
        });
    }

    /// Takes the lines of a pod: the newest that fit into so many bytes, oldest first. They are kept from now on.
    pub(super) fn take(&mut self, tag: TagRing, room: usize, counters: &mut Counters) -> Option<Recalled> {
        let mut ring = self.rings.remove(&tag.pod)?;
        self.bytes = self.bytes.saturating_sub(ring.bytes);
        let mut parts: Vec<Vec<u8>> = Vec::new();
        let mut size = 2usize;
        let mut recalled = Recalled::default();
        while let Some(line) = ring.lines.pop_back() {
            let count = counters.row(line.row);
            let mut part = b"{\"time\":".to_vec();
            push_string(&mut part, line.time.to_rfc3339().as_bytes());
            part.extend_from_slice(b",\"rule\":");
            push_string(&mut part, count.name.as_bytes());
            part.extend_from_slice(b",\"record\":");
            part.extend_from_slice(&line.text);
            part.push(b'}');
            size = size.saturating_add(part.len()).saturating_add(1);
            if size > room {
                // This and all before it stay what they are.
                count.let_go(line.bytes);
                ring.lines.iter().for_each(|line| counters.row(line.row).let_go(line.bytes));
                break;
            }
            count.recall(line.bytes);
            if !recalled.rows.contains(&line.row) {
                recalled.rows.push(line.row);
            }
            parts.push(part);
        }
        recalled.lines = parts.len() as u64;
        parts.reverse();
        recalled.array = [b"[".as_slice(), &parts.join(&b','), b"]"].concat();
        (recalled.lines > 0).then_some(recalled)
    }
}

/// Bytes of all lines that are held.
const MAX_BYTES: usize = 4 << 20;
/// Pods of which some are.
const MAX_RINGS: usize = 256;
