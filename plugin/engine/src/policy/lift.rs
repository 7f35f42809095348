//! `lift: {for, by, rate}` of a guard: what would be sampled of the same key is kept for a while once the guard has met one of its
//! records.
//!
//! The rule kept here: what is kept so is kept for itself and counted as one, and no policy is asked about it; it has a rate of its own,
//! and beyond that the rules decide as always. At a full table a new key is not lifted.

use crate::diag::Code;
use crate::key::{Key, KeyId, Part};
use crate::moment::{ByLateness, Moment};
use crate::policy::gcra::{Buckets, GcraRate};
use crate::policy::keyed::{Forgettable, Keyed};
use crate::policy::limit::Limit;
use crate::policy::settings::rate;
use crate::policy::{Asked, KeyTable, Tables, nanos};
use crate::tag_names::NamespaceId;
use crate::yaml::{Mistakes, Node, Rate, Section, Unit};
use std::num::NonZeroU64;
use std::time::Duration;

/// What a guard lifts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lift {
    /// For how long, from the last record that the guard met.
    pub lasts: Duration,
    /// Records of the same what.
    pub by: LiftBy,
    /// At most so much of each.
    pub limit: Limit,
}

/// What a lift goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiftBy {
    /// The pod.
    Pod,
    /// The trace, on whatever container of the node; a record without an id lifts nothing.
    TraceId,
    /// What owns the pod.
    Workload,
}

impl LiftBy {
    fn part(self) -> Part {
        match self {
            LiftBy::Pod => Part::Pod,
            LiftBy::TraceId => Part::TraceId,
            LiftBy::Workload => Part::Workload,
        }
    }
}

impl Lift {
    /// Reads the section.
    pub(crate) fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Lift> {
        let section = Section::open(node, "lift", &["for", "by", "rate"], mistakes)?;
        let lasts = match section.get("for") {
            Some(node) => {
                let lasts = mistakes.duration(node, "for");
                if lasts.is_some_and(|lasts| lasts.is_zero() || lasts > LONGEST) {
                    let help = "a lift is for what comes right after: 30s, 60s, 5m";
                    mistakes.note_with_help(Code::Duration, &node.span, "a lift lasts up to an hour", help);
                    return None;
                }
                lasts
            }
            None => Some(USUAL),
        };
        let by = match section.get("by") {
            None => Some(LiftBy::Pod),
            Some(node) => match mistakes.text(node, "by")? {
                "pod" => Some(LiftBy::Pod),
                "trace_id" => Some(LiftBy::TraceId),
                "workload" => Some(LiftBy::Workload),
                other => {
                    let message = format!("a lift is by pod, trace_id or workload, found `{other}`");
                    mistakes.note(Code::Value, &node.span, message);
                    None
                }
            },
        };
        let most = match section.get("rate") {
            None => Some(Rate { unit: Unit::Records, amount: USUAL_RATE, per: Duration::from_secs(1) }),
            Some(node) => rate(node, mistakes),
        };
        let (by, most) = (by?, most?);
        let burst = NonZeroU64::new(most.per_second() as u64).unwrap_or(NonZeroU64::MIN);
        Some(Lift { lasts: lasts?, by, limit: Limit { rate: most, burst, by: Key(vec![by.part()]) } })
    }
}

/// A lift in force.
#[derive(Debug)]
pub(crate) struct LiftState {
    lift: Lift,
    keys: Keyed<LiftedKey>,
    /// When the last of all ends.
    until: u64,
}

/// One key, lifted.
#[derive(Debug, Default)]
pub(crate) struct LiftedKey {
    until: u64,
    buckets: Buckets,
}

impl Forgettable for LiftedKey {
    type Settings = GcraRate;

    fn is_idle(&self, _: &GcraRate, now: u64, _: Option<u64>) -> bool {
        self.until <= now
    }
}

impl LiftState {
    pub(crate) fn new(lift: &Lift, most: usize) -> LiftState {
        LiftState { lift: lift.clone(), keys: Keyed::new(most, lift.limit.gcra()), until: 0 }
    }

    /// Whether nothing is lifted.
    #[inline]
    pub(crate) fn is_quiet(&self, now: u64) -> bool {
        self.until <= now
    }

    /// What it goes by.
    pub(crate) fn by(&self) -> LiftBy {
        self.lift.by
    }

    /// The guard has met a record.
    pub(crate) fn start(&mut self, asked: &mut Asked<'_>) {
        let now = asked.moment.now;
        let until = now.saturating_add(nanos(self.lift.lasts));
        let key = asked.key(&self.lift.limit.by);
        let owner = self.keys.admit(&key, asked);
        asked.give_back(key);
        if let Some(lifted) = self.keys.owned(owner) {
            if lifted.until <= now {
                lifted.buckets = ByLateness::default();
            }
            lifted.until = until;
            // A clock that was set back ends what was lifted before.
            self.until = until;
        }
    }

    /// Whether a record is kept for that, which it is charged for then: its key.
    pub(crate) fn keeps(&mut self, asked: &mut Asked<'_>) -> Option<u64> {
        let key = asked.key(&self.lift.limit.by);
        let hash = key.hash;
        asked.give_back(key);
        let id = KeyId { hash, namespace: asked.keys.namespace() };
        let (now, bytes, rate) = (asked.moment.now, asked.bytes, *self.keys.settings());
        if !self.keys.is_known(hash) {
            return None;
        }
        let (lifted, _, measured) = self.keys.known(id, &asked.moment);
        let is_kept = lifted.until > now && lifted.buckets.of(&asked.moment).take(&rate, bytes, measured);
        is_kept.then_some(hash)
    }

    /// Charges a line that goes with one that was kept so; whether there was room.
    pub(crate) fn follow(&mut self, hash: u64, namespace: NamespaceId, bytes: u64, moment: &Moment) -> bool {
        let rate = *self.keys.settings();
        let (lifted, _, now) = self.keys.known(KeyId { hash, namespace }, moment);
        lifted.buckets.of(moment).owe(&rate, bytes, now)
    }
}

impl Tables for LiftState {
    fn each(&mut self, take: &mut dyn FnMut(&mut dyn KeyTable)) {
        take(&mut self.keys);
    }
}

/// `recall: {lines, bytes}` of a guard: with a record that it meets come the lines of its pod that were dropped last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recall {
    /// At most so many.
    pub lines: usize,
    /// Of at most so many bytes in all.
    pub bytes: usize,
}

impl Recall {
    /// Reads the section.
    pub(crate) fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Recall> {
        let section = Section::open(node, "recall", &["lines", "bytes"], mistakes)?;
        let lines =
            section.get("lines").map_or(Some(50), |node| mistakes.count(node, "recall.lines", 1..=1000));
        let bytes = section
            .get("bytes")
            .map_or(Some(64 << 10), |node| mistakes.size(node, "recall.bytes", 1024..=262_144));
        Some(Recall { lines: lines?, bytes: bytes? })
    }
}

const USUAL: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);
const USUAL_RATE: NonZeroU64 = NonZeroU64::new(100).unwrap();
