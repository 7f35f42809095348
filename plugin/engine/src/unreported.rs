//! What one rule has dropped and not reported yet.
//!
//! The rule kept here: a dropped record is unreported in exactly one place (on its key, or in its rule's account) until it is
//! reported in exactly one: the count of a later record, or a summary.

/// Dropped records and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unreported {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl Unreported {
    pub(crate) fn add(&mut self, more: Unreported) {
        self.records = self.records.saturating_add(more.records);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }

    pub(crate) fn remove(&mut self, less: Unreported) {
        self.records = self.records.saturating_sub(less.records);
        self.bytes = self.bytes.saturating_sub(less.bytes);
    }

    pub(crate) fn take(&mut self) -> Unreported {
        std::mem::take(self)
    }
}

/// A rule's account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    /// All that the rule has dropped and not reported, on keys and here.
    pub(crate) open: Unreported,
    /// How often that has changed since it was written into the journal.
    pub(crate) unwritten: u32,
    /// What has no key, or one of too many.
    other: Unreported,
    /// Few enough to look through.
    keys: Vec<(Box<str>, Unreported)>,
    /// The fewest records of a key among them when they were last compared.
    least: u64,
    /// When the first and the last of them happened, in nanoseconds since 1970.
    pub(crate) span: Option<(u64, u64)>,
    /// One of them, masked.
    pub(crate) example: Option<Box<str>>,
}

impl Account {
    /// A dropped record that is not counted on a key.
    #[inline]
    pub(crate) fn add(&mut self, bytes: u64) {
        self.other.records = self.other.records.wrapping_add(1);
        self.other.bytes = self.other.bytes.wrapping_add(bytes);
        self.open.records = self.open.records.wrapping_add(1);
        self.open.bytes = self.open.bytes.wrapping_add(bytes);
    }

    /// A dropped record that is on no key is kept after all.
    pub(crate) fn take_back(&mut self, part: Unreported) {
        self.open.remove(part);
        self.other.remove(part);
    }

    /// What an earlier filter has left unreported.
    pub(crate) fn inherit(&mut self, part: Unreported) {
        self.open.add(part);
        self.other.add(part);
    }

    /// Notes when a dropped record happened, in nanoseconds since 1970, wherever it is counted.
    #[inline]
    pub(crate) fn note(&mut self, event: u64) {
        let (first, last) = self.span.unwrap_or((event, event));
        self.span = Some((first.min(event), last.max(event)));
    }

    /// What was unreported on a key that is forgotten or summed up, and open already; the empty label is `other`.
    pub(crate) fn take_over(&mut self, label: &str, part: Unreported) {
        if part.records == 0 {
            return;
        }
        let is_full = self.keys.len() >= MAX_KEYS;
        if label.is_empty() {
            self.other.add(part);
        } else if let Some((_, sum)) = self.keys.iter_mut().find(|(known, _)| **known == *label) {
            // However small: it is known whose it is.
            sum.add(part);
        } else if is_full && part.records <= self.least {
            self.other.add(part);
        } else if !is_full {
            self.keys.push((label.into(), part));
        } else {
            // The keys of a flood: the largest of them stay.
            match self.keys.iter_mut().min_by_key(|(_, unreported)| unreported.records) {
                Some(smallest) if smallest.1.records < part.records => {
                    self.other.add(smallest.1);
                    *smallest = (label.into(), part);
                }
                _ => self.other.add(part),
            }
            // Most keys of a flood need not even be looked for.
            self.least = self.keys.iter().map(|(_, unreported)| unreported.records).min().unwrap_or_default();
        }
    }

    /// Says whose a part of what has no key is.
    pub(crate) fn attribute(&mut self, label: &str, part: Unreported) {
        // A part that was closed in the meantime is nobody's any more.
        if part.records <= self.other.records && part.bytes <= self.other.bytes {
            self.other.remove(part);
            self.take_over(label, part);
        }
    }

    /// All that is unreported here.
    pub(crate) fn unreported(&self) -> Unreported {
        let mut sum = self.other;
        self.keys.iter().for_each(|(_, unreported)| sum.add(*unreported));
        sum
    }

    /// The largest keys, largest first.
    pub(crate) fn top(&self, most: usize) -> Vec<(&str, Unreported)> {
        let mut left: Vec<(&str, Unreported)> =
            self.keys.iter().map(|(label, part)| (&**label, *part)).collect();
        let mut top = Vec::new();
        while top.len() < most {
            let largest = (0..left.len()).max_by_key(|at| {
                let found = left.get(*at);
                found.map(|(label, part)| (part.records, std::cmp::Reverse(*label)))
            });
            let Some(largest) = largest else { break };
            top.push(left.swap_remove(largest));
        }
        top
    }

    /// Empties it, but for a part that is not reported yet.
    pub(crate) fn close(&mut self, but: Unreported) {
        *self = Account { open: but, other: but, ..Account::default() };
    }
}

/// Keys of which an account knows what each has unreported.
const MAX_KEYS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_keys_stay_and_nothing_is_lost() {
        let mut account = Account::default();
        for n in 0..1000u64 {
            account.take_over(&format!("key-{n}"), Unreported { records: n % 300 + 1, bytes: 2 });
        }
        account.add(5);
        let sum: u64 = (0..1000u64).map(|n| n % 300 + 1).sum();
        assert_eq!(account.unreported(), Unreported { records: sum + 1, bytes: 2005 });
        let top = account.top(3);
        assert_eq!((top.len(), top[0].1.records), (3, 300));
        assert!(account.keys.len() <= MAX_KEYS);
        account.close(Unreported::default());
        assert_eq!(account.unreported(), Unreported::default());
    }

    #[test]
    fn a_small_part_of_a_known_key_is_its_own_at_a_full_table_too() {
        let mut account = Account::default();
        for n in 0..100u64 {
            account.take_over(&format!("key-{n}"), Unreported { records: n + 10, bytes: 1 });
        }
        let (label, before) = account.keys[0].clone();
        account.take_over(&label, Unreported { records: 1, bytes: 1 });
        assert_eq!(account.keys[0].1.records, before.records + 1);
    }

    #[test]
    fn the_span_holds_all_times_in_whatever_order() {
        let mut account = Account::default();
        for event in [5, 3, 9] {
            account.note(event);
        }
        assert_eq!(account.span, Some((3, 9)));
    }
}
