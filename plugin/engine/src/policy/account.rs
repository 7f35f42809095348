//! What one rule has dropped and not reported yet.
//!
//! The rule kept here: a dropped record is open in exactly one place (on its key, or in its rule's account) until it is
//! reported in exactly one: the count of a later record, or a summary.

use crate::time::EventTime;
use std::collections::BTreeMap;

/// Dropped records and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl Open {
    pub(crate) fn add(&mut self, more: Open) {
        self.records = self.records.wrapping_add(more.records);
        self.bytes = self.bytes.wrapping_add(more.bytes);
    }

    pub(crate) fn remove(&mut self, less: Open) {
        self.records = self.records.wrapping_sub(less.records);
        self.bytes = self.bytes.wrapping_sub(less.bytes);
    }

    pub(crate) fn take(&mut self) -> Open {
        std::mem::take(self)
    }
}

/// A rule's account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    /// What has no key, or one of too many.
    other: Open,
    keys: BTreeMap<Box<str>, Open>,
    /// When the first and the last of them happened.
    pub(crate) span: Option<(EventTime, EventTime)>,
    /// One of them, masked.
    pub(crate) example: Option<Box<str>>,
}

impl Account {
    /// A dropped record that is not counted on a key.
    pub(crate) fn add(&mut self, bytes: u64) {
        self.other.add(Open { records: 1, bytes });
    }

    /// Notes when a dropped record happened, wherever it is counted.
    pub(crate) fn note(&mut self, time: EventTime) {
        self.span = Some(match self.span {
            None => (time, time),
            Some((first, last)) => (first.min(time), last.max(time)),
        });
    }

    /// What was open on a key that is forgotten or summed up; the empty label is `other`.
    pub(crate) fn take_over(&mut self, label: &str, open: Open) {
        if open.records == 0 {
            return;
        }
        if let Some(sum) = self.keys.get_mut(label) {
            sum.add(open);
        } else if label.is_empty() {
            self.other.add(open);
        } else if self.keys.len() < MAX_KEYS {
            self.keys.insert(label.into(), open);
        } else {
            // The keys of a flood: the largest of them stay.
            let smallest = self.keys.iter().min_by_key(|(_, open)| open.records);
            match smallest.map(|(label, open)| (label.clone(), *open)) {
                Some((smallest, least)) if least.records < open.records => {
                    self.keys.remove(&smallest);
                    self.other.add(least);
                    self.keys.insert(label.into(), open);
                }
                _ => self.other.add(open),
            }
        }
    }

    /// All that is open here.
    pub(crate) fn open(&self) -> Open {
        let mut sum = self.other;
        self.keys.values().for_each(|open| sum.add(*open));
        sum
    }

    /// The largest keys, largest first.
    pub(crate) fn top(&self, most: usize) -> Vec<(&str, Open)> {
        let mut keys: Vec<(&str, Open)> = self.keys.iter().map(|(label, open)| (&**label, *open)).collect();
        keys.sort_by(|a, b| b.1.records.cmp(&a.1.records).then(a.0.cmp(b.0)));
        keys.truncate(most);
        keys
    }

    /// Empties it.
    pub(crate) fn close(&mut self) {
        *self = Account::default();
    }
}

/// Keys of which an account knows what each has open.
const MAX_KEYS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_keys_stay_and_nothing_is_lost() {
        let mut account = Account::default();
        for n in 0..1000u64 {
            account.take_over(&format!("key-{n}"), Open { records: n % 300 + 1, bytes: 2 });
        }
        account.add(5);
        let sum: u64 = (0..1000u64).map(|n| n % 300 + 1).sum();
        assert_eq!(account.open(), Open { records: sum + 1, bytes: 2005 });
        let top = account.top(3);
        assert_eq!((top.len(), top[0].1.records), (3, 300));
        assert!(account.keys.len() <= MAX_KEYS);
        account.close();
        assert_eq!(account.open(), Open::default());
    }

    #[test]
    fn the_span_holds_all_times_in_whatever_order() {
        let mut account = Account::default();
        let time = |sec| EventTime { sec, nsec: 0 };
        for sec in [5, 3, 9] {
            account.note(time(sec));
        }
        assert_eq!(account.span, Some((time(3), time(9))));
    }
}
