//! What is asked of a table of keys whatever it remembers of them: what is unreported in it, and how much room it takes.

use super::{Forgettable, KeyCapacity, Keyed};
use crate::policy::Tables;
use crate::unreported::{Account, Unreported};

/// A table of keys, whatever it remembers of them.
pub(crate) trait KeyTable {
    /// What is dropped, counted on keys, and not reported yet.
    #[cfg(test)]
    fn unreported(&self) -> Unreported;

    /// Hands all that over to the account.
    fn report(&mut self, account: &mut Account);

    /// Capacity taken.
    fn capacity(&self) -> usize;

    /// Of that, what is beyond what is set aside for it.
    fn pooled(&self) -> usize;

    /// From now on at most so many keys.
    fn set_most(&mut self, most: usize);

    /// So many places are set aside for it.
    fn set_reserve(&mut self, reserve: usize);

    /// Forgets the keys that are idle.
    fn forget_idle(&mut self, now: u64, capacity: &mut KeyCapacity, account: &mut Account);
}

impl<S: Forgettable> Tables for Keyed<S> {
    fn each(&mut self, take: &mut dyn FnMut(&mut dyn KeyTable)) {
        take(self);
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
        for entry in self.entries.iter_mut().chain(&mut self.others).chain([&mut self.rest]) {
            account.take_over(&entry.label, entry.unreported.take());
        }
    }

    fn capacity(&self) -> usize {
        let entries = self.entries.iter().chain(&self.others).chain([&self.rest]);
        entries.fold(self.places.len(), |sum, entry| sum.saturating_add(entry.state.capacity()))
    }

    fn pooled(&self) -> usize {
        self.capacity().saturating_sub(self.places.len().min(self.reserve))
    }

    fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    fn set_reserve(&mut self, reserve: usize) {
        self.reserve = reserve;
    }

    fn forget_idle(&mut self, now: u64, capacity: &mut KeyCapacity, account: &mut Account) {
        for place in 0..self.entries.len() {
            let is_idle = self.entries.get(place).is_some_and(|entry| entry.is_idle(&self.settings, now));
            if is_idle && self.places.at(place).is_some() {
                self.forget(place, capacity, account);
            }
        }
        self.shrink();
    }
}
