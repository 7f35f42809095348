//! What a rule decides, and what it remembers for it.
//!
//! Each policy is one file: its settings and how they are read, what it remembers, how it decides, what it reports, its tests
//! ([`Decides`]). Adding one is a file and a line in the list below: the compiler asks for the rest.
//!
//! Policies know keys, counts and times, and nothing about records: what they need of one comes in through [`Asked`], what
//! becomes of it goes out as [`Decision`]. State is bounded ([`keyed`]), and every dropped record is unreported in one place
//! until it is reported ([`crate::unreported`]).

#[macro_use]
mod sum;

mod budget;
mod ceiling;
mod dedup;
mod first;
mod floor;
mod gcra;
mod goal;
mod keyed;
mod lift;
mod limit;
mod sample;
mod settings;
mod target;
mod unconditional;
mod window;

pub use budget::Budget;
pub use ceiling::Ceiling;
pub use dedup::Dedup;
pub use first::First;
pub use floor::Floor;
pub use lift::{Lift, LiftBy, Recall};
pub use limit::Limit;
pub use sample::Sample;
pub use target::Target;
pub use unconditional::{Drop, Keep};

pub(crate) use floor::FloorState;
pub(crate) use gcra::{Buckets, GcraRate};
pub(crate) use keyed::{KeyBuffers, KeyCapacity, KeyTable, MAX_KEYS};
pub(crate) use lift::LiftState;
pub(crate) use sample::annotation as sampling_annotation;

use crate::key::{Key, KeyId, KeySource, KeyText};
use crate::moment::Moment;
use crate::tag_names::NamespaceId;
use crate::threshold::Threshold;
use crate::unreported::Account;
use crate::yaml::{Mistakes, Node};
use std::fmt::Debug;

policies! {
    // In the order in which they are listed for people.
    Drop,
    Keep,
    Sample,
    First,
    Limit,
    Dedup,
    Target,
    Budget,
    Ceiling,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is kept.
    Keep,
    /// It is dropped.
    Drop,
}

/// A policy: everything about it hangs on its settings.
pub(crate) trait Decides: Clone + Debug + PartialEq + Sized {
    /// Its key in rule files.
    const NAME: &'static str;

    /// In which list of a rule file it stands.
    const ROLE: Role = Role::Rule;

    /// Whether a record of which nobody knows if its rule applies is charged to it all the same.
    const CHARGES_UNKNOWN: bool = false;

    /// Whether what it decides counts as sampled.
    const IS_SAMPLING: bool = false;

    /// Whether a lift keeps what it would not.
    const MAY_BE_LIFTED: bool = true;

    /// What it remembers.
    type State: Debug + Tables;

    /// Reads its settings; mistakes are noted.
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self>;

    /// The state of a rule that has decided nothing yet, for at most `most` keys.
    fn start(&self, most: usize) -> Self::State;

    /// Decides a record.
    fn decide(&self, state: &mut Self::State, asked: &mut Asked<'_>) -> Decision;

    /// What it decides for certain, if nothing of it hangs on chance or on what came before.
    fn certain(&self, _keys: &mut dyn KeySource) -> Option<Action> {
        None
    }

    /// The key of its floor where that names none; `None` when it can have no floor.
    fn floor_by(&self) -> Option<&Key> {
        None
    }

    /// Takes note of a line that goes with one that was decided so; whether it may share that one's fate.
    fn follow(
        &self,
        _state: &mut Self::State,
        _before: Decision,
        _namespace: NamespaceId,
        _bytes: u64,
        _moment: &Moment,
    ) -> bool {
        true
    }

    /// Takes note of the bytes that were delivered of a record of this key; whether that has to be saved.
    fn charge(_state: &mut Self::State, _key: KeyId, _bytes: u64) -> bool {
        false
    }

    /// What every record that it keeps says about the sampling, as JSON. Names of rules need no escapes.
    fn annotation(&self, _rule: &str) -> Option<Vec<u8>> {
        None
    }

    /// Whether what was spent under these settings counts under others.
    fn goes_on_as(&self, _other: &Self) -> bool {
        false
    }

    /// What has been spent by key, to outlive the state.
    fn spent(_state: &Self::State) -> Vec<Spent<'_>> {
        Vec::new()
    }

    /// Puts back what was spent.
    fn put_spent(_state: &mut Self::State, _spent: Spent<'_>, _capacity: &mut KeyCapacity) {}
}

/// Where a policy stands in a rule file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A rule has exactly one.
    Rule,
    /// A guard may have it; without one it keeps.
    Guard,
}

/// What remembers keys.
pub(crate) trait Tables {
    /// Hands over each table in turn.
    fn each(&mut self, take: &mut dyn FnMut(&mut dyn KeyTable));
}

impl Tables for () {
    fn each(&mut self, _: &mut dyn FnMut(&mut dyn KeyTable)) {}
}

/// What a key has spent on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spent<'s> {
    /// The hash of the key, `None` for all of a namespace that share a state.
    pub(crate) key: Option<u64>,
    pub(crate) namespace: NamespaceId,
    /// The key for people.
    pub(crate) label: &'s str,
    /// Days since 1970.
    pub(crate) day: u32,
    pub(crate) bytes: u64,
}

/// One record, as policies see it, and what they share with all others.
pub(crate) struct Asked<'a> {
    pub(crate) moment: Moment,
    /// Of its JSON text as it came.
    pub(crate) bytes: u64,
    /// Whether a later record's count may report it, should it be dropped.
    pub(crate) holds: bool,
    pub(crate) keys: &'a mut dyn KeySource,
    pub(crate) capacity: &'a mut KeyCapacity,
    /// The account of the rule that decides.
    pub(crate) account: &'a mut Account,
    pub(crate) random: &'a mut fastrand::Rng,
    pub(crate) buffers: &'a mut KeyBuffers,
    pub(crate) floor: Option<&'a mut FloorState>,
}

/// What a policy decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Kept, for itself.
    Keep,
    /// Dropped, and counted in the account of its rule.
    Drop,
    /// Kept although its rule would sample, because a guard has lifted its key.
    Lifted { key: u64 },
    /// Kept by a share; an earlier stage had the higher threshold.
    KeepAbove(Threshold),
    /// Kept, because it fits under a guard's ceiling.
    Fits { key: u64 },
    /// Kept, and stands for so many records of its key.
    KeepFor { key: u64, count: u64 },
    /// Dropped; counted on its key until it is reported, or in the account of its rule.
    DropOf { key: u64, is_on_key: bool },
}

impl Decision {
    pub(crate) fn action(self) -> Action {
        match self {
            Decision::Keep
            | Decision::Lifted { .. }
            | Decision::KeepAbove(_)
            | Decision::Fits { .. }
            | Decision::KeepFor { .. } => Action::Keep,
            Decision::Drop | Decision::DropOf { .. } => Action::Drop,
        }
    }

    pub(crate) fn is_kept(self) -> bool {
        self.action() == Action::Keep
    }

    /// The same for another key.
    pub(crate) fn of_key(self, key: u64) -> Decision {
        match self {
            Decision::Keep | Decision::Drop | Decision::KeepAbove(_) | Decision::Lifted { .. } => self,
            Decision::Fits { .. } => Decision::Fits { key },
            Decision::KeepFor { count, .. } => Decision::KeepFor { key, count },
            Decision::DropOf { is_on_key, .. } => Decision::DropOf { key, is_on_key },
        }
    }

    /// The key by which it was decided, if there was one.
    pub(crate) fn key(self) -> Option<u64> {
        match self {
            // What a lift is charged with is no policy's.
            Decision::Keep | Decision::Drop | Decision::KeepAbove(_) | Decision::Lifted { .. } => None,
            Decision::Fits { key } | Decision::KeepFor { key, .. } | Decision::DropOf { key, .. } => {
                Some(key)
            }
        }
    }

    /// How many records a kept one stands for.
    pub(crate) fn count(self) -> u64 {
        match self {
            Decision::KeepFor { count, .. } => count,
            _ => 1,
        }
    }

    /// What becomes of a line that goes with the one that was decided so: it stands for nothing but itself.
    pub(crate) fn followed(self) -> Decision {
        match self {
            Decision::KeepFor { key, .. } => Decision::KeepFor { key, count: 1 },
            Decision::DropOf { key, .. } => Decision::DropOf { key, is_on_key: false },
            Decision::Keep
            | Decision::Drop
            | Decision::Lifted { .. }
            | Decision::KeepAbove(_)
            | Decision::Fits { .. } => self,
        }
    }
}

impl Asked<'_> {
    /// Writes the record's key; the buffer goes back by [`Asked::give_back`].
    pub(crate) fn key(&mut self, by: &Key) -> KeyText {
        let mut text = self.buffers.take();
        let hash = self.keys.write(by, &mut text);
        KeyText::new(text, hash)
    }

    pub(crate) fn give_back(&mut self, key: KeyText) {
        self.buffers.give_back(key.text);
    }

    /// What becomes of the record once the floor has been asked, if there is one. `has_room` says whether the policy lets
    /// the floor keep what it would not.
    pub(crate) fn settle(&mut self, is_kept: bool, has_room: &mut dyn FnMut() -> bool) -> bool {
        match self.floor.take() {
            Some(floor) => floor.settle(self, is_kept, has_room),
            None => is_kept,
        }
    }
}

/// Without the 128 bits that `as_nanos` has.
pub(crate) fn nanos(duration: std::time::Duration) -> u64 {
    let second = 1_000_000_000;
    duration.as_secs().saturating_mul(second).saturating_add(u64::from(duration.subsec_nanos()))
}
