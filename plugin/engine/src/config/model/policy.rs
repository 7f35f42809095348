//! What a rule decides: the policies, with their units resolved.

use crate::sample::{Probability, Threshold};
use std::num::NonZeroU64;
use std::time::Duration;

/// What a rule decides.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// Keep all.
    Keep,
    /// Drop all.
    Drop,
    /// Keep a share.
    Sample(Sample),
    /// Keep the first of each window, then every so many.
    First(First),
    /// Keep at most so much in a time.
    Limit(Limit),
    /// Keep one of those that repeat.
    Dedup(Dedup),
    /// Keep about so many records a second, shared fairly.
    Target(Target),
    /// Keep so many bytes a day.
    Budget(Budget),
}

/// Which policy it is, without its settings: what a rule file names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the policy of the same name")]
pub enum PolicyKind {
    Drop,
    Keep,
    Sample,
    First,
    Limit,
    Dedup,
    Target,
    Budget,
}

impl PolicyKind {
    /// All of them, in the order in which they are listed for people.
    pub const ALL: [PolicyKind; 8] = [
        PolicyKind::Drop,
        PolicyKind::Keep,
        PolicyKind::Sample,
        PolicyKind::First,
        PolicyKind::Limit,
        PolicyKind::Dedup,
        PolicyKind::Target,
        PolicyKind::Budget,
    ];

    /// Its name in rule files.
    pub const fn name(self) -> &'static str {
        match self {
            PolicyKind::Drop => "drop",
            PolicyKind::Keep => "keep",
            PolicyKind::Sample => "sample",
            PolicyKind::First => "first",
            PolicyKind::Limit => "limit",
            PolicyKind::Dedup => "dedup",
            PolicyKind::Target => "target",
            PolicyKind::Budget => "budget",
        }
    }

    /// The policy of a name.
    pub fn named(name: &str) -> Option<PolicyKind> {
        PolicyKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Policy {
    /// Which policy it is.
    pub fn kind(&self) -> PolicyKind {
        match self {
            Policy::Keep => PolicyKind::Keep,
            Policy::Drop => PolicyKind::Drop,
            Policy::Sample(_) => PolicyKind::Sample,
            Policy::First(_) => PolicyKind::First,
            Policy::Limit(_) => PolicyKind::Limit,
            Policy::Dedup(_) => PolicyKind::Dedup,
            Policy::Target(_) => PolicyKind::Target,
            Policy::Budget(_) => PolicyKind::Budget,
        }
    }

    /// The policy's name in rule files.
    pub fn name(&self) -> &'static str {
        self.kind().name()
    }
}

/// Probability sampling.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The share as written.
    pub rate: Probability,
    /// What randomness is compared with.
    pub threshold: Threshold,
    /// Where randomness comes from: a key if there is one, else the next key, else the generator.
    pub by: Vec<Key>,
}

/// The first so many of a window that starts with its first record, then one in so many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First {
    /// How many are kept at once.
    pub n: u32,
    /// How long the window is.
    pub per: Duration,
    /// Of those behind the first `n`, one in so many is kept; `None` keeps none.
    pub then: Option<NonZeroU64>,
    /// For each of which there is a window of its own.
    pub by: Key,
}

/// A rate with a burst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How much in how long.
    pub rate: Rate,
    /// How much at one instant, in the unit of the rate.
    pub burst: NonZeroU64,
    /// For each of which there is a limit of its own.
    pub by: Key,
}

/// An amount per time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What is counted.
    pub unit: Unit,
    /// How much of it.
    pub amount: NonZeroU64,
    /// In how long.
    pub per: Duration,
}

/// What a rate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Records.
    Records,
    /// Bytes of JSON text as the record came.
    Bytes,
}

impl Rate {
    /// How much in a second.
    pub fn per_second(self) -> f64 {
        self.amount.get() as f64 / self.per.as_secs_f64()
    }
}

/// One record of those that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dedup {
    /// How long after the one that was kept the others are held back.
    pub window: Duration,
    /// What makes them alike.
    pub by: Key,
}

/// A goal for all keys of a rule together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Records in a time.
    pub rate: Rate,
    /// Among which the goal is shared.
    pub by: Key,
    /// How often the shares are found anew.
    pub interval: Duration,
}

/// Bytes in a UTC day.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Bytes of JSON text handed on, in a day.
    pub spend: NonZeroU64,
    /// For each of which there is a budget of its own.
    pub by: Key,
    /// Bytes from which on only `over` is kept; `None` without `over`.
    pub soft: Option<u64>,
    /// What is kept of a key that has spent more than `soft`.
    pub over: Option<Target>,
}

/// At least one record for each key and window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    /// The window.
    pub per: Duration,
    /// The key.
    pub by: Key,
}

/// A key of one or more parts. Without any, all records share one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key(pub Vec<Part>);

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The tag's namespace.
    Namespace,
    /// The tag's pod, with its namespace.
    Pod,
    /// The tag's container, with its namespace and pod.
    Container,
    /// What owns the pod, with its namespace, while metadata is known.
    Workload,
    /// The record's stream.
    Stream,
    /// The line's severity.
    Severity,
    /// The trace id.
    TraceId,
    /// The line without what varies in it ([`crate::template`]).
    Template,
    /// A field of the line's JSON, else of the record, by its path.
    Field(Vec<Box<str>>),
}
