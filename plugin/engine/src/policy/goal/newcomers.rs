//! The keys of a namespace that have no estimate of their own: they are new, or found no place.

use super::distinct::Distinct;
use super::levels::Offer;
use super::{Ahead, Estimate, SHORTEST};
use crate::tag_names::NamespaceId;

/// What is known of them: all of their records, and how many keys they are.
#[derive(Debug)]
pub(super) struct Newcomers {
    pub(super) namespace: NamespaceId,
    pub(super) estimate: Estimate,
    keys: Distinct,
    keys_mean: f64,
    /// Those of them that have an estimate since: they will not be among them again.
    pub(super) moved: f64,
    pub(super) moved_keys: f64,
    /// Whether anything of the namespace is expected, or has come.
    pub(super) is_expected: bool,
    /// Records of the whole namespace that have asked for room under the cap in this interval.
    pub(super) asked: f64,
}

impl Newcomers {
    pub(super) fn of(namespace: NamespaceId) -> Newcomers {
        Newcomers {
            namespace,
            estimate: Estimate { chance: 1.0, ..Estimate::default() },
            keys: Distinct::default(),
            keys_mean: 0.0,
            moved: 0.0,
            moved_keys: 0.0,
            is_expected: false,
            asked: 0.0,
        }
    }

    /// Counts a record, and says what its chance is.
    pub(super) fn count(&mut self, key: u64) -> f32 {
        self.estimate.count = self.estimate.count.saturating_add(1);
        self.keys.insert(key);
        self.is_expected = true;
        self.estimate.chance
    }

    /// Blends the counts of the interval into the means. What has moved is not among them any more, unless being new is
    /// habit.
    pub(super) fn close(&mut self, share: f64, is_habit: bool) {
        if is_habit {
            (self.moved, self.moved_keys) = (0.0, 0.0);
        }
        let keys = (self.keys.take() - self.moved_keys).max(0.0);
        self.keys_mean += share * (keys - self.keys_mean);
        self.estimate.count = self.estimate.count.saturating_sub(self.moved as u32);
        (self.moved, self.moved_keys, self.asked) = (0.0, 0.0, 0.0);
        self.estimate.close(share);
    }

    /// The records expected in the time ahead of keys that will have no estimate.
    pub(super) fn besides_estimates(&self, ahead: &Ahead) -> f64 {
        let count = (f64::from(self.estimate.count) - self.moved).max(0.0);
        (count * ahead.seen).max(f64::from(self.estimate.mean) * ahead.known)
    }

    /// The records expected in the time ahead, and of how many keys; `scale` is what the whole is of its parts.
    pub(super) fn offer(&self, ahead: &Ahead, scale: f64) -> Offer {
        let records = self.estimate.ahead(ahead);
        let keys = self.keys.count.max(self.keys_mean).min(records).max(SHORTEST);
        Offer { records: records * scale, keys }
    }
}
