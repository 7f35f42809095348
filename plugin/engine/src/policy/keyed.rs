//! One state per key, for a bounded number of keys.
//!
//! A new key is admitted when a slot is free or the least recently used key is idle, which is to say that a new state
//! would be the same as the one that is forgotten. Otherwise it shares the state `other` with all that came too late: so a
//! flood of new keys never gets a fresh burst for each, is never dropped outright and never kept one to one. What is
//! unreported on a key that is forgotten goes to the rule's account.

use crate::hash::BuildWordHasher;
use crate::key::{Key, KeyText};
use crate::moment::{LateClock, Moment};
use crate::policy::{Asked, Decision, Tables};
use crate::unreported::{Account, Unreported};
use lru::LruCache;

/// The states of a rule's keys.
#[derive(Debug)]
pub(crate) struct Keyed<S: Forgettable> {
    keys: LruCache<u64, KeyEntry<S>, BuildWordHasher>,
    other: KeyEntry<S>,
    most: usize,
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
    /// The key's own.
    Owned,
    /// The one of all keys that have none.
    Shared,
}

/// How many keys all rules remember together.
#[derive(Debug, Default)]
pub(crate) struct KeyCapacity(pub(crate) usize);

impl KeyCapacity {
    pub(crate) fn has_room_for(&self, more: usize) -> bool {
        self.0.saturating_add(more) <= MAX_KEYS
    }

    pub(crate) fn take(&mut self, more: usize) {
        self.0 = self.0.saturating_add(more);
    }

    pub(crate) fn give_back(&mut self, fewer: usize) {
        self.0 = self.0.saturating_sub(fewer);
    }
}

/// Room for the texts of keys, kept from record to record.
#[derive(Debug, Default)]
pub(crate) struct KeyBuffers(Vec<Vec<u8>>);

impl KeyBuffers {
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let mut text = self.0.pop().unwrap_or_default();
        text.clear();
        text
    }

    /// Kept for the next record, unless a field of a megabyte has been here.
    pub(crate) fn give_back(&mut self, text: Vec<u8>) {
        if text.capacity() <= MAX_KEY_KEPT {
            self.0.push(text);
        }
    }
}

/// A table of keys, whatever it remembers of them.
pub(crate) trait KeyTable {
    /// What is dropped, counted on keys, and not reported yet.
    #[cfg(test)]
    fn unreported(&self) -> Unreported;

    /// Hands all that over to the account.
    fn report(&mut self, account: &mut Account);

    /// Capacity taken.
    fn capacity(&self) -> usize;

    /// From now on at most so many keys.
    fn set_most(&mut self, most: usize);

    /// Forgets the keys that are idle.
    fn forget_idle(&mut self, now: u64, capacity: &mut KeyCapacity, account: &mut Account);
}

impl<S: Forgettable> Tables for Keyed<S> {
    fn each(&mut self, take: &mut dyn FnMut(&mut dyn KeyTable)) {
        take(self);
    }
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
            keys: LruCache::unbounded_with_hasher(BuildWordHasher::default()),
            other: KeyEntry::default(),
            most,
            unreported: Unreported::default(),
            settings,
        }
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

    /// As [`Keyed::decide`], for the key that was admitted last.
    #[inline]
    pub(crate) fn decide_as(
        &mut self,
        owner: Ownership,
        key: u64,
        asked: &mut Asked<'_>,
        holds: bool,
        decide: impl FnOnce(&mut S, &mut Asked<'_>, u64) -> bool,
    ) -> Decision {
        let found = match owner {
            Ownership::Owned => self.keys.iter_mut().next().map(|(_, entry)| entry),
            Ownership::Shared => None,
        };
        let entry = found.unwrap_or(&mut self.other);
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

    /// The state of a key that was decided before, else the shared one, and the time by which a record is measured.
    pub(crate) fn known(&mut self, hash: u64, moment: &Moment) -> (&mut S, Ownership, u64) {
        let (entry, owner) = match self.keys.peek_mut(&hash) {
            Some(entry) => (entry, Ownership::Owned),
            None => (&mut self.other, Ownership::Shared),
        };
        (&mut entry.state, owner, entry.late.measure(moment))
    }

    /// The clock for late records of the key that was admitted last, else of the shared state.
    pub(crate) fn late_clock(&mut self, owner: Ownership) -> &mut LateClock {
        let found = match owner {
            Ownership::Owned => self.keys.iter_mut().next().map(|(_, entry)| entry),
            Ownership::Shared => None,
        };
        &mut found.unwrap_or(&mut self.other).late
    }

    /// Whether a key has an entry of its own.
    pub(crate) fn is_known(&self, hash: u64) -> bool {
        self.keys.contains(&hash)
    }

    /// As [`Keyed::known`], when no time is to be measured.
    pub(crate) fn state(&mut self, hash: u64) -> &mut S {
        match self.keys.peek_mut(&hash) {
            Some(entry) => &mut entry.state,
            None => &mut self.other.state,
        }
    }

    /// Finds or makes a place for a key, which is then the most recently used one.
    #[inline]
    pub(crate) fn admit(&mut self, key: &KeyText, asked: &mut Asked<'_>) -> Ownership {
        // Records of one key come in runs: the last one is compared before anything is looked up.
        let is_last = self.keys.peek_mru().is_some_and(|(last, _)| *last == key.hash);
        let is_owned = is_last
            || self.keys.get(&key.hash).is_some()
            || self.make(key, asked.moment.now, asked.capacity, asked.account);
        if is_owned { Ownership::Owned } else { Ownership::Shared }
    }

    /// Puts a new key in the place of an idle one or where there is room, if there is.
    fn make(&mut self, key: &KeyText, now: u64, capacity: &mut KeyCapacity, account: &mut Account) -> bool {
        if self.keys.len() >= self.most || !capacity.has_room_for(1) {
            let is_idle = self.keys.peek_lru().is_some_and(|(_, entry)| entry.is_idle(&self.settings, now));
            if !is_idle {
                return false;
            }
            let forgotten = self.keys.pop_lru();
            self.forget(forgotten.map(|(_, entry)| entry), capacity, account);
        }
        capacity.take(1);
        self.keys.put(key.hash, KeyEntry { label: label(&key.text), ..KeyEntry::default() });
        true
    }

    fn forget(&mut self, entry: Option<KeyEntry<S>>, capacity: &mut KeyCapacity, account: &mut Account) {
        let Some(entry) = entry else { return };
        self.unreported.remove(entry.unreported);
        account.take_over(&entry.label, entry.unreported);
        capacity.give_back(entry.state.capacity().saturating_add(1));
    }

    /// The states that have a key of their own.
    pub(crate) fn states(&mut self) -> impl Iterator<Item = &mut S> {
        self.keys.iter_mut().map(|(_, entry)| &mut entry.state)
    }

    /// Most keys that have an entry of their own.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// The hash, label and state of each key that has an entry, and the shared state, which has neither.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Option<u64>, &str, &S)> {
        let own = self.keys.iter().map(|(hash, entry)| (Some(*hash), &*entry.label, &entry.state));
        own.chain([(None, "", &self.other.state)])
    }

    /// The state of a key, or the shared one for none.
    pub(crate) fn peek(&self, hash: Option<u64>) -> Option<&S> {
        match hash {
            Some(hash) => self.keys.peek(&hash).map(|entry| &entry.state),
            None => Some(&self.other.state),
        }
    }

    /// Puts a state in the place of a key, if there is room, or of the shared one.
    pub(crate) fn put(&mut self, hash: Option<u64>, label: &str, state: S, capacity: &mut KeyCapacity) {
        let Some(hash) = hash else {
            self.other.state = state;
            return;
        };
        if self.keys.len() < self.most && capacity.has_room_for(1) {
            let entry = KeyEntry { state, label: label.into(), ..KeyEntry::default() };
            if self.keys.put(hash, entry).is_none() {
                capacity.take(1);
            }
        }
    }
}

impl<S: Forgettable> KeyTable for Keyed<S> {
    #[cfg(test)]
    fn unreported(&self) -> Unreported {
        self.unreported
    }

    fn report(&mut self, account: &mut Account) {
        if self.unreported == Unreported::default() {
            return;
        }
        self.unreported = Unreported::default();
        for (_, entry) in self.keys.iter_mut() {
            account.take_over(&entry.label, entry.unreported.take());
        }
        account.take_over("", self.other.unreported.take());
    }

    fn capacity(&self) -> usize {
        let own = self.keys.len().saturating_add(self.other.state.capacity());
        self.keys.iter().fold(own, |sum, (_, entry)| sum.saturating_add(entry.state.capacity()))
    }

    fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    fn forget_idle(&mut self, now: u64, capacity: &mut KeyCapacity, account: &mut Account) {
        let is_idle = |entry: &KeyEntry<S>| entry.is_idle(&self.settings, now);
        let idle = self.keys.iter().filter(|(_, entry)| is_idle(entry)).map(|(hash, _)| *hash);
        for hash in idle.collect::<Vec<u64>>() {
            let forgotten = self.keys.pop(&hash);
            self.forget(forgotten, capacity, account);
        }
    }
}

/// Most keys of all rules together, and so of one.
pub(crate) const MAX_KEYS: usize = 65_536;
/// Largest room for a key's text that is kept from record to record, in bytes.
const MAX_KEY_KEPT: usize = 4096;
/// Longest label of a key, in bytes.
const MAX_LABEL: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeySource;
    use crate::threshold::Threshold;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// A state that is busy for a time.
    #[derive(Debug, Default)]
    struct Busy(u64);

    impl Forgettable for Busy {
        type Settings = ();

        fn is_idle(&self, (): &(), now: u64, _: Option<u64>) -> bool {
            now >= self.0
        }
    }

    fn at(now: u64) -> Moment {
        Moment { now, event: now, is_late: false }
    }

    /// A record without keys of its own: the tests bring them.
    struct NoKeys;

    impl KeySource for NoKeys {
        fn write(&mut self, _: &Key, _: &mut Vec<u8>) {}

        fn randomness(&mut self, _: &Key) -> Option<u64> {
            None
        }

        fn sampled_before(&mut self) -> (Option<u64>, Option<Threshold>) {
            (None, None)
        }
    }

    fn ask(keyed: &mut Keyed<Busy>, account: &mut Account, key: &str, now: u64, keep: bool) -> Decision {
        let mut asked = Asked {
            moment: at(now),
            bytes: 10,
            holds: true,
            keys: &mut NoKeys,
            capacity: &mut KeyCapacity(keyed.capacity()),
            account,
            random: &mut fastrand::Rng::with_seed(1),
            buffers: &mut KeyBuffers::default(),
            floor: None,
        };
        keyed.decide(&KeyText::new(key.into()), &mut asked, true, |state, _, _| {
            state.0 = now + 100;
            keep
        })
    }

    #[test]
    fn a_kept_record_stands_for_those_dropped_before_it() {
        let (mut keyed, mut account) = (Keyed::new(8, ()), Account::default());
        assert!(matches!(
            ask(&mut keyed, &mut account, "a", 1, false),
            Decision::DropOf { is_on_key: true, .. }
        ));
        ask(&mut keyed, &mut account, "a", 2, false);
        ask(&mut keyed, &mut account, "b", 3, false);
        assert_eq!(ask(&mut keyed, &mut account, "a", 4, true).count(), 3);
        assert_eq!(ask(&mut keyed, &mut account, "a", 5, true).count(), 1);
        assert_eq!(keyed.unreported(), Unreported { records: 1, bytes: 10 });
    }

    #[test]
    fn at_the_cap_a_new_key_shares_until_the_oldest_is_idle() {
        let (mut keyed, mut account) = (Keyed::new(2, ()), Account::default());
        ask(&mut keyed, &mut account, "a", 0, false);
        ask(&mut keyed, &mut account, "b", 50, false);
        ask(&mut keyed, &mut account, "c", 99, false);
        assert_eq!(keyed.capacity(), 2);
        assert_eq!(keyed.other.state.0, 199, "c shares");
        ask(&mut keyed, &mut account, "d", 100, true);
        let labels: Vec<&str> = keyed.entries().map(|(_, label, _)| label).collect();
        assert_eq!(labels, ["d", "b", ""], "a was idle");
        assert_eq!(
            account.unreported(),
            Unreported { records: 1, bytes: 10 },
            "what was unreported on it is not lost"
        );
    }

    proptest! {
        /// Whatever comes, each dropped record is unreported in one place until it is reported in one.
        #[test]
        fn nothing_is_lost_or_counted_twice(
            records in prop::collection::vec((0u8..20, any::<bool>(), 0u64..60), 0..300), most in 1usize..12,
        ) {
            let (mut keyed, mut account) = (Keyed::new(most, ()), Account::default());
            let (mut now, mut dropped, mut counted) = (0, 0, 0);
            for (key, keep, step) in records {
                now += step;
                let decided = ask(&mut keyed, &mut account, &key.to_string(), now, keep);
                if keep { counted += decided.count() - 1 } else { dropped += 1 }
                prop_assert!(keyed.capacity() <= most);
                prop_assert_eq!(keyed.unreported().records + account.unreported().records + counted, dropped);
            }
            keyed.report(&mut account);
            prop_assert_eq!(keyed.unreported(), Unreported::default());
            prop_assert_eq!(account.unreported().records + counted, dropped);
        }

        /// As long as there are slots for all, a key is decided as if it were alone.
        #[test]
        fn keys_do_not_meet_while_there_is_room(records in prop::collection::vec((0u8..8, any::<bool>()), 0..200)) {
            let (mut keyed, mut account) = (Keyed::new(8, ()), Account::default());
            let mut alone: BTreeMap<u8, u64> = BTreeMap::new();
            for (key, keep) in records {
                let open = alone.entry(key).or_default();
                let decided = ask(&mut keyed, &mut account, &key.to_string(), 1, keep);
                if keep {
                    prop_assert_eq!(decided.count(), *open + 1);
                    *open = 0;
                } else {
                    *open += 1;
                }
            }
        }
    }

    #[test]
    fn labels_are_for_people() {
        assert_eq!(&*label(b"shop\0web-1\0"), "shop/web-1");
        let long = "ü".repeat(100);
        let long = label(long.as_bytes());
        assert!(long.len() <= MAX_LABEL && long.starts_with("üü"));
        assert!(label(&[0xff; 300]).len() <= MAX_LABEL);
    }
}
