//! One state per key, for a bounded number of keys.
//!
//! A new key is admitted when a slot is free or the least recently used key is idle, which is to say that a new state
//! would be the same as the one that is forgotten. Otherwise it shares the state `other` with all that came too late: so a
//! flood of new keys never gets a fresh burst for each, is never dropped outright and never kept one to one. What is
//! open on a key that is forgotten goes to the rule's account.

use crate::hash::{BuildWordHasher, xxh3};
use crate::policy::account::{Account, Open};
use crate::policy::moment::{LateClock, Moment};
use lru::LruCache;

/// The states of a rule's keys.
#[derive(Debug)]
pub(crate) struct Keyed<S> {
    keys: LruCache<u64, Entry<S>, BuildWordHasher>,
    other: Entry<S>,
    most: usize,
    open: Open,
}

#[derive(Debug, Default)]
struct Entry<S> {
    state: S,
    open: Open,
    label: Box<str>,
    late: LateClock,
}

/// A state that can be forgotten when nothing is in it.
pub(crate) trait Forgettable: Default {
    /// What all states of a rule have in common.
    type Settings;

    /// Whether a new state would decide the same from now on. `late` is what the key's clock for late records shows, if it
    /// has had any.
    fn is_idle(&self, settings: &Self::Settings, now: u64, late: Option<u64>) -> bool;

    /// Slots that the state takes besides its own.
    fn slots(&self) -> usize {
        0
    }
}

/// Whose state decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seat {
    /// The key's own.
    Own,
    /// The one of all keys that have none.
    Shared,
}

/// The slots of all rules.
#[derive(Debug, Default)]
pub(crate) struct Slots(pub(crate) usize);

/// A key's text, parts ended by NUL, and what it hashes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyText<'k> {
    pub(crate) hash: u64,
    pub(crate) text: &'k [u8],
}

/// A decision on a key, with what the record stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) keep: bool,
    /// How many records a kept one stands for, itself included.
    pub(crate) count: u64,
    /// Whether a dropped one is counted on its key, and will be reported by a later one or a summary.
    pub(crate) held: bool,
}

impl<S: Forgettable> Entry<S> {
    fn is_idle(&self, settings: &S::Settings, now: u64) -> bool {
        self.state.is_idle(settings, now, self.late.at(now))
    }
}

impl<'k> KeyText<'k> {
    pub(crate) fn new(text: &'k [u8]) -> KeyText<'k> {
        KeyText { hash: xxh3(text), text }
    }

    /// The text for people: parts joined by slashes, shortened to [`MAX_LABEL`] bytes.
    fn label(&self) -> Box<str> {
        let text = self.text.strip_suffix(b"\0").unwrap_or(self.text);
        let mut label: String =
            String::from_utf8_lossy(text.get(..MAX_LABEL).unwrap_or(text)).replace('\0', "/");
        while label.len() > MAX_LABEL {
            label.pop();
        }
        label.into()
    }
}

impl<S: Forgettable> Keyed<S> {
    pub(crate) fn new(most: usize) -> Keyed<S> {
        Keyed {
            // Grown as needed: most rules have few keys.
            keys: LruCache::unbounded_with_hasher(BuildWordHasher::default()),
            other: Entry::default(),
            most,
            open: Open::default(),
        }
    }

    /// Decides a record of the key that was admitted last, else by the shared state, and keeps the key's count. `decide`
    /// gets the state and the time by which the record is measured.
    #[inline]
    pub(crate) fn decide(
        &mut self,
        seat: Seat,
        moment: &Moment,
        (bytes, holds): (u64, bool),
        decide: impl FnOnce(&mut S, u64) -> bool,
    ) -> Counted {
        let found = match seat {
            Seat::Own => self.keys.iter_mut().next().map(|(_, entry)| entry),
            Seat::Shared => None,
        };
        let entry = found.unwrap_or(&mut self.other);
        let keep = decide(&mut entry.state, entry.late.measure(moment));
        let mut count = 1;
        if keep {
            count = entry.open.records.saturating_add(1);
            self.open.remove(entry.open.take());
        } else if holds {
            let more = Open { records: 1, bytes };
            entry.open.add(more);
            self.open.add(more);
        }
        Counted { keep, count, held: !keep && holds }
    }

    /// The state of a key that was decided before, else the shared one, and the time by which a record is measured.
    pub(crate) fn known(&mut self, hash: u64, moment: &Moment) -> (&mut S, Seat, u64) {
        let (entry, seat) = match self.keys.peek_mut(&hash) {
            Some(entry) => (entry, Seat::Own),
            None => (&mut self.other, Seat::Shared),
        };
        (&mut entry.state, seat, entry.late.measure(moment))
    }

    /// The clock for late records of the key that was admitted last, else of the shared state.
    pub(crate) fn late_clock(&mut self, seat: Seat) -> &mut LateClock {
        let found = match seat {
            Seat::Own => self.keys.iter_mut().next().map(|(_, entry)| entry),
            Seat::Shared => None,
        };
        &mut found.unwrap_or(&mut self.other).late
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
    pub(crate) fn admit(
        &mut self,
        key: KeyText<'_>,
        settings: &S::Settings,
        moment: &Moment,
        slots: &mut Slots,
        account: &mut Account,
    ) -> Seat {
        // Records of one key come in runs: the last one is compared before anything is looked up.
        let is_last = self.keys.peek_mru().is_some_and(|(last, _)| *last == key.hash);
        if !is_last
            && self.keys.get(&key.hash).is_none()
            && !self.make(key, settings, moment.now, slots, account)
        {
            return Seat::Shared;
        }
        Seat::Own
    }

    /// Puts a new key in the place of an idle one or in a free slot, if there is one.
    fn make(
        &mut self,
        key: KeyText<'_>,
        settings: &S::Settings,
        now: u64,
        slots: &mut Slots,
        account: &mut Account,
    ) -> bool {
        if self.keys.len() >= self.most || slots.0 >= crate::config::MAX_KEYS {
            let is_idle = self.keys.peek_lru().is_some_and(|(_, entry)| entry.is_idle(settings, now));
            if !is_idle {
                return false;
            }
            let forgotten = self.keys.pop_lru();
            self.forget(forgotten.map(|(_, entry)| entry), slots, account);
        }
        slots.0 = slots.0.saturating_add(1);
        self.keys.put(key.hash, Entry { label: key.label(), ..Entry::default() });
        true
    }

    fn forget(&mut self, entry: Option<Entry<S>>, slots: &mut Slots, account: &mut Account) {
        let Some(entry) = entry else { return };
        self.open.remove(entry.open);
        account.take_over(&entry.label, entry.open);
        slots.0 = slots.0.saturating_sub(entry.state.slots().saturating_add(1));
    }

    /// The states that have a key of their own.
    pub(crate) fn states(&mut self) -> impl Iterator<Item = &mut S> {
        self.keys.iter_mut().map(|(_, entry)| &mut entry.state)
    }

    /// Forgets what is idle.
    pub(crate) fn forget_idle(
        &mut self,
        settings: &S::Settings,
        now: u64,
        slots: &mut Slots,
        account: &mut Account,
    ) {
        let idle: Vec<u64> = self
            .keys
            .iter()
            .filter(|(_, entry)| entry.is_idle(settings, now))
            .map(|(hash, _)| *hash)
            .collect();
        for hash in idle {
            let forgotten = self.keys.pop(&hash);
            self.forget(forgotten, slots, account);
        }
    }

    /// What is dropped and not reported yet.
    pub(crate) fn open(&self) -> Open {
        self.open
    }

    /// Hands everything that is open over to the account.
    pub(crate) fn report(&mut self, account: &mut Account) {
        if self.open == Open::default() {
            return;
        }
        self.open = Open::default();
        for (_, entry) in self.keys.iter_mut() {
            account.take_over(&entry.label, entry.open.take());
        }
        account.take_over("", self.other.open.take());
    }

    /// Slots taken.
    pub(crate) fn slots(&self) -> usize {
        let own = self.keys.len().saturating_add(self.other.state.slots());
        self.keys.iter().fold(own, |sum, (_, entry)| sum.saturating_add(entry.state.slots()))
    }

    /// Most keys that have a slot.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    pub(crate) fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    /// The hash, label and state of each key that has a slot, and the shared state, which has neither.
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
    pub(crate) fn put(&mut self, hash: Option<u64>, label: &str, state: S, slots: &mut Slots) {
        let Some(hash) = hash else {
            self.other.state = state;
            return;
        };
        if self.keys.len() < self.most && slots.0 < crate::config::MAX_KEYS {
            let entry = Entry { state, label: label.into(), ..Entry::default() };
            if self.keys.put(hash, entry).is_none() {
                slots.0 = slots.0.saturating_add(1);
            }
        }
    }
}

/// Longest label of a key, in bytes.
const MAX_LABEL: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;
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

    fn ask(keyed: &mut Keyed<Busy>, account: &mut Account, key: &str, now: u64, keep: bool) -> Counted {
        let mut slots = Slots(keyed.slots());
        let seat = keyed.admit(KeyText::new(key.as_bytes()), &(), &at(now), &mut slots, account);
        keyed.decide(seat, &at(now), (10, true), |state, _| {
            state.0 = now + 100;
            keep
        })
    }

    #[test]
    fn a_kept_record_stands_for_those_dropped_before_it() {
        let (mut keyed, mut account) = (Keyed::new(8), Account::default());
        assert!(ask(&mut keyed, &mut account, "a", 1, false).held);
        ask(&mut keyed, &mut account, "a", 2, false);
        ask(&mut keyed, &mut account, "b", 3, false);
        assert_eq!(ask(&mut keyed, &mut account, "a", 4, true).count, 3);
        assert_eq!(ask(&mut keyed, &mut account, "a", 5, true).count, 1);
        assert_eq!(keyed.open(), Open { records: 1, bytes: 10 });
    }

    #[test]
    fn at_the_cap_a_new_key_shares_until_the_oldest_is_idle() {
        let (mut keyed, mut account) = (Keyed::new(2), Account::default());
        ask(&mut keyed, &mut account, "a", 0, false);
        ask(&mut keyed, &mut account, "b", 50, false);
        ask(&mut keyed, &mut account, "c", 99, false);
        assert_eq!(keyed.slots(), 2);
        assert_eq!(keyed.other.state.0, 199, "c shares");
        ask(&mut keyed, &mut account, "d", 100, true);
        let labels: Vec<&str> = keyed.entries().map(|(_, label, _)| label).collect();
        assert_eq!(labels, ["d", "b", ""], "a was idle");
        assert_eq!(account.open(), Open { records: 1, bytes: 10 }, "what was open on it is not lost");
    }

    proptest! {
        /// Whatever comes, each dropped record is open in one place until it is reported in one.
        #[test]
        fn nothing_is_lost_or_counted_twice(
            records in prop::collection::vec((0u8..20, any::<bool>(), 0u64..60), 0..300), most in 1usize..12,
        ) {
            let (mut keyed, mut account) = (Keyed::new(most), Account::default());
            let (mut now, mut dropped, mut counted) = (0, 0, 0);
            for (key, keep, step) in records {
                now += step;
                let decided = ask(&mut keyed, &mut account, &key.to_string(), now, keep);
                if keep { counted += decided.count - 1 } else { dropped += 1 }
                prop_assert!(keyed.slots() <= most);
                prop_assert_eq!(keyed.open().records + account.open().records + counted, dropped);
            }
            keyed.report(&mut account);
            prop_assert_eq!(keyed.open(), Open::default());
            prop_assert_eq!(account.open().records + counted, dropped);
        }

        /// As long as there are slots for all, a key is decided as if it were alone.
        #[test]
        fn keys_do_not_meet_while_there_is_room(records in prop::collection::vec((0u8..8, any::<bool>()), 0..200)) {
            let (mut keyed, mut account) = (Keyed::new(8), Account::default());
            let mut alone: BTreeMap<u8, u64> = BTreeMap::new();
            for (key, keep) in records {
                let open = alone.entry(key).or_default();
                let decided = ask(&mut keyed, &mut account, &key.to_string(), 1, keep);
                if keep {
                    prop_assert_eq!(decided.count, *open + 1);
                    *open = 0;
                } else {
                    *open += 1;
                }
            }
        }
    }

    #[test]
    fn labels_are_for_people() {
        assert_eq!(&*KeyText::new(b"shop\0web-1\0").label(), "shop/web-1");
        let long = "ü".repeat(100);
        let label = KeyText::new(long.as_bytes()).label();
        assert!(label.len() <= MAX_LABEL && label.starts_with("üü"));
        assert!(KeyText::new(&[0xff; 300]).label().len() <= MAX_LABEL);
    }
}
