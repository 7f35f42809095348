//! One state per key, for a bounded number of keys.
//!
//! A new key is admitted when a place is free or one is idle, which is to say that a new state would be the same as the one
//! that is forgotten. When none is, each namespace has a share: one that holds less than its share takes the least recently
//! used place of the one that holds most. Otherwise a new key shares the state `other` with the keys of its namespace that
//! came too late: so a flood of new keys never gets a fresh burst for each, is never dropped outright and never kept one to
//! one, and takes nothing from another namespace. What is unreported on a key that is forgotten goes to the rule's account.

mod buffers;
mod capacity;
mod lasting;
mod places;
mod table;

pub(crate) use buffers::KeyBuffers;
pub(crate) use capacity::{KeyCapacity, MAX_KEYS};
pub(crate) use table::KeyTable;

use crate::key::{Key, KeyId, KeyText};
use crate::moment::{LateClock, Moment};
use crate::policy::{Asked, Decision};
use crate::tag_names::NamespaceId;
use crate::unreported::{Account, Unreported};
use places::Places;

/// The states of a rule's keys.
#[derive(Debug)]
pub(crate) struct Keyed<S: Forgettable> {
    places: Places,
    /// By place.
    entries: Vec<KeyEntry<S>>,
    /// By group of keys but the first, of the keys that found no place.
    others: Vec<KeyEntry<S>>,
    /// The first group's.
    rest: KeyEntry<S>,
    most: usize,
    /// How many places there are for this table whatever others take.
    reserve: usize,
    most_groups: usize,
    unreported: Unreported,
    settings: S::Settings,
}

#[derive(Debug, Default)]
struct KeyEntry<S> {
    state: S,
    unreported: Unreported,
    label: Box<str>,
    late: LateClock,
}

/// A state that can be forgotten when nothing is in it.
pub(crate) trait Forgettable: Default {
    /// What all states of a rule have in common.
    type Settings: std::fmt::Debug;

    /// Whether a new state would decide the same from now on. `late` is what the key's clock for late records shows, if it
    /// has had any.
    fn is_idle(&self, settings: &Self::Settings, now: u64, late: Option<u64>) -> bool;

    /// Capacity that the state takes besides its own.
    fn capacity(&self) -> usize {
        0
    }
}

/// Whose entry decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// The key's own, at this place.
    Owned(usize),
    /// The one of all keys of this group that have none.
    Shared(usize),
}

/// Whom a key belongs to: the keys of a namespace are a group.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tenant {
    pub(crate) group: usize,
    pub(crate) namespace: NamespaceId,
}

impl<S: Forgettable> KeyEntry<S> {
    fn is_idle(&self, settings: &S::Settings, now: u64) -> bool {
        self.state.is_idle(settings, now, self.late.at(now))
    }
}

/// A key's text for people: parts joined by slashes, shortened to [`MAX_LABEL`] bytes.
fn label(text: &[u8]) -> Box<str> {
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    let mut label: String = String::from_utf8_lossy(text.get(..MAX_LABEL).unwrap_or(text)).replace('\0', "/");
    while label.len() > MAX_LABEL {
        label.pop();
    }
    label.into()
}

impl<S: Forgettable> Keyed<S> {
    pub(crate) fn new(most: usize, settings: S::Settings) -> Keyed<S> {
        Keyed {
            // Grown as needed: most rules have few keys.
            places: Places::new(),
            entries: Vec::new(),
            others: Vec::new(),
            rest: KeyEntry::default(),
            most,
            reserve: 0,
            most_groups: MAX_GROUPS,
            unreported: Unreported::default(),
            settings,
        }
    }

    /// A table in which all namespaces are one: for what is one namespace's anyway.
    pub(crate) fn undivided(most: usize, settings: S::Settings) -> Keyed<S> {
        Keyed { most_groups: 1, ..Keyed::new(most, settings) }
    }

    /// One as it was new.
    pub(crate) fn another(&self) -> Keyed<S>
    where
        S::Settings: Clone,
    {
        Keyed { most_groups: self.most_groups, ..Keyed::new(self.most, self.settings.clone()) }
    }

    /// What all states have in common.
    pub(crate) fn settings(&self) -> &S::Settings {
        &self.settings
    }

    /// Decides a record by the state of its key. `decide` gets the state and the time by which the record is measured.
    #[inline]
    pub(crate) fn decide_by(
        &mut self,
        by: &Key,
        asked: &mut Asked<'_>,
        decide: impl FnOnce(&mut S, &mut Asked<'_>, u64) -> bool,
    ) -> Decision {
        let key = asked.key(by);
        let decision = self.decide(&key, asked, asked.holds, decide);
        asked.give_back(key);
        decision
    }

    /// As [`Keyed::decide_by`], for a key that is known. `holds` says whether a dropped record is counted on it.
    #[inline]
    pub(crate) fn decide(
        &mut self,
        key: &KeyText,
        asked: &mut Asked<'_>,
        holds: bool,
        decide: impl FnOnce(&mut S, &mut Asked<'_>, u64) -> bool,
    ) -> Decision {
        let owner = self.admit(key, asked);
        self.decide_as(owner, key.hash, asked, holds, decide)
    }

    /// As [`Keyed::decide`], for a key that was admitted.
    #[inline]
    pub(crate) fn decide_as(
        &mut self,
        owner: Ownership,
        key: u64,
        asked: &mut Asked<'_>,
        holds: bool,
        decide: impl FnOnce(&mut S, &mut Asked<'_>, u64) -> bool,
    ) -> Decision {
        let entry = match owner {
            Ownership::Owned(place) => self.entries.get_mut(place),
            Ownership::Shared(group) => self.others.get_mut(group.wrapping_sub(1)),
        };
        let entry = entry.unwrap_or(&mut self.rest);
        let now = entry.late.measure(&asked.moment);
        if decide(&mut entry.state, asked, now) {
            let count = entry.unreported.records.saturating_add(1);
            if count > 1 {
                let reported = entry.unreported.take();
                self.unreported.remove(reported);
                asked.account.open.remove(reported);
            }
            return Decision::KeepFor { key, count };
        }
        if holds {
            let more = Unreported { records: 1, bytes: asked.bytes };
            entry.unreported.add(more);
            self.unreported.add(more);
            asked.account.open.add(more);
        }
        Decision::DropOf { key, is_on_key: holds }
    }

    /// The state of a key that was decided before, else the one that its namespace shares, and the time by which a record is
    /// measured.
    pub(crate) fn known(&mut self, key: KeyId, moment: &Moment) -> (&mut S, Ownership, u64) {
        let owner = self.owner(key);
        let entry = self.entry(owner);
        (&mut entry.state, owner, entry.late.measure(moment))
    }

    /// The clock for late records of a key that was admitted, else of the shared state.
    pub(crate) fn late_clock(&mut self, owner: Ownership) -> &mut LateClock {
        &mut self.entry(owner).late
    }

    /// Whether a key has an entry of its own.
    pub(crate) fn is_known(&self, hash: u64) -> bool {
        self.places.peek(hash).is_some()
    }

    /// As [`Keyed::known`], when no time is to be measured.
    pub(crate) fn state(&mut self, key: KeyId) -> &mut S {
        let owner = self.owner(key);
        &mut self.entry(owner).state
    }

    /// Whom an entry belongs to. A key that several namespaces have is that of the one which had it first.
    pub(crate) fn tenant(&self, owner: Ownership) -> Tenant {
        let group = match owner {
            Ownership::Owned(place) => self.places.at(place).map_or(0, |(_, group)| group),
            Ownership::Shared(group) => group,
        };
        Tenant { group, namespace: self.places.namespace(group) }
    }

    /// The key's own state.
    pub(crate) fn owned(&mut self, owner: Ownership) -> Option<&mut S> {
        match owner {
            Ownership::Owned(place) => self.entries.get_mut(place).map(|entry| &mut entry.state),
            Ownership::Shared(_) => None,
        }
    }

    fn owner(&mut self, key: KeyId) -> Ownership {
        match self.places.peek(key.hash) {
            Some(place) => Ownership::Owned(place),
            None => Ownership::Shared(self.places.group(key.namespace).unwrap_or(0)),
        }
    }

    fn entry(&mut self, owner: Ownership) -> &mut KeyEntry<S> {
        let entry = match owner {
            Ownership::Owned(place) => self.entries.get_mut(place),
            Ownership::Shared(group) => self.others.get_mut(group.wrapping_sub(1)),
        };
        entry.unwrap_or(&mut self.rest)
    }

    /// Finds or makes a place for a key, which is then the most recently used one.
    #[inline]
    pub(crate) fn admit(&mut self, key: &KeyText, asked: &mut Asked<'_>) -> Ownership {
        match self.places.find(key.hash) {
            Some(place) => Ownership::Owned(place),
            None => self.admit_new(key, asked),
        }
    }

    /// Puts a new key where there is room, or in the place of another one.
    #[inline(never)]
    fn admit_new(&mut self, key: &KeyText, asked: &mut Asked<'_>) -> Ownership {
        let turn = self.places.next_in_turn();
        let group = self.group_of(asked, turn);
        let held = self.places.len();
        if held >= self.most || !asked.capacity.has_place(held, self.reserve) {
            let Some(place) = self.place_to_give_up((group, turn), asked.moment.now) else {
                return Ownership::Shared(group);
            };
            self.forget(place, asked.capacity, asked.account);
        }
        asked.capacity.take_place(self.places.len(), self.reserve);
        let shown = asked.keys.shown(&key.text);
        let label = label(shown.as_deref().unwrap_or(&key.text));
        let entry = KeyEntry { label, ..KeyEntry::default() };
        Ownership::Owned(self.insert(key.hash, group, entry))
    }

    fn insert(&mut self, key: u64, group: usize, entry: KeyEntry<S>) -> usize {
        let place = self.places.insert(key, group);
        match self.entries.get_mut(place) {
            Some(free) => *free = entry,
            // The next one: places are numbered as entries are.
            None => self.entries.push(entry),
        }
        place
    }

    /// The place that a new key of a group may have at a full table, if there is one. `turn` is another group, by turns.
    fn place_to_give_up(&self, (group, turn): (usize, usize), now: u64) -> Option<usize> {
        let Keyed { places, entries, settings, .. } = self;
        let idle = |group: usize| {
            let place = places.oldest(group)?;
            entries.get(place)?.is_idle(settings, now).then_some(place)
        };
        let found = idle(group).or_else(|| idle(turn));
        if found.is_some() || !places.is_below_its_share(group) {
            return found;
        }
        // Not for each key of a flood: the group grows, and stops at its share.
        let found = (0..places.groups()).find_map(idle);
        found.or_else(|| places.oldest(places.largest()))
    }

    /// The group of a record's namespace. `turn` is the one that is looked at for whether anything is left of it.
    fn group_of(&mut self, asked: &mut Asked<'_>, turn: usize) -> usize {
        let namespace = asked.keys.namespace();
        if let Some(group) = self.places.group(namespace) {
            return group;
        }
        if self.places.groups() < self.most_groups {
            self.others.push(KeyEntry::default());
            return self.places.add_group(namespace);
        }
        let is_free = self.places.holds_nothing(turn);
        match self.others.get_mut(turn.wrapping_sub(1)) {
            Some(other) if is_free && other.is_idle(&self.settings, asked.moment.now) => {
                let other = std::mem::take(other);
                self.unreported.remove(other.unreported);
                asked.account.take_over("", other.unreported);
                asked.capacity.give_back(other.state.capacity());
                self.places.rename_group(turn, namespace);
                turn
            }
            _ => 0,
        }
    }

    fn forget(&mut self, place: usize, capacity: &mut KeyCapacity, account: &mut Account) {
        let Some(entry) = self.entries.get_mut(place).map(std::mem::take) else { return };
        self.places.remove(place);
        self.unreported.remove(entry.unreported);
        account.take_over(&entry.label, entry.unreported);
        capacity.give_back(entry.state.capacity());
        capacity.give_back_place(self.places.len(), self.reserve);
    }

    /// Gives back the room of places that are free, when those are most of them.
    fn shrink(&mut self) {
        if self.entries.len() > FEW.max(self.places.len().saturating_mul(4)) {
            let order = self.places.renumber();
            let entries = order.into_iter().map(|before| self.entries.get_mut(before).map(std::mem::take));
            self.entries = entries.map(Option::unwrap_or_default).collect();
        }
    }

    /// The states that have a key of their own, each with its group.
    pub(crate) fn states(&mut self) -> impl Iterator<Item = (usize, &mut S)> {
        let Keyed { places, entries, .. } = self;
        entries.iter_mut().enumerate().filter_map(|(place, entry)| {
            let (_, group) = places.at(place)?;
            Some((group, &mut entry.state))
        })
    }

    /// Most keys that have an entry of their own.
    pub(crate) fn most(&self) -> usize {
        self.most
    }
}

/// Groups of keys of a table: each namespace is one, and those beyond share the first. A node has fewer pods than that.
const MAX_GROUPS: usize = 257;
/// So many places are not worth to be given back.
const FEW: usize = 64;
/// Longest label of a key, in bytes.
const MAX_LABEL: usize = 120;

#[cfg(test)]
mod tests;
