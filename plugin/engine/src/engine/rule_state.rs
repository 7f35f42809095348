//! What a guard or rule remembers: the tables of its policy, its floor and its lift, asked as one.

use crate::config::model::Rule;
use crate::policy::{ActivePolicy, FloorState, KeyCapacity, KeyTable, LiftState, Tables};
use crate::unreported::Account;
#[cfg(test)]
use crate::unreported::Unreported;

/// What a guard or rule remembers.
#[derive(Debug)]
pub(super) struct RuleState {
    pub(super) policy: ActivePolicy,
    pub(super) floor: Option<FloorState>,
    pub(super) lift: Option<LiftState>,
}

impl RuleState {
    pub(super) fn new(rule: &Rule, most: usize) -> RuleState {
        RuleState {
            policy: rule.policy.start(most),
            floor: rule.floor.as_ref().map(|floor| FloorState::new(floor, most)),
            lift: rule.lift.as_ref().map(|lift| LiftState::new(lift, most)),
        }
    }

    pub(super) fn each(&mut self, take: &mut dyn FnMut(&mut dyn KeyTable)) {
        self.policy.each(take);
        if let Some(floor) = &mut self.floor {
            floor.each(take);
        }
        if let Some(lift) = &mut self.lift {
            lift.each(take);
        }
    }

    /// What is dropped, counted on keys, and not reported yet.
    #[cfg(test)]
    pub(super) fn unreported(&mut self) -> Unreported {
        let mut sum = Unreported::default();
        self.each(&mut |table| sum.add(table.unreported()));
        sum
    }

    /// Hands all that over to the account of the rule.
    pub(super) fn report(&mut self, account: &mut Account) {
        self.each(&mut |table| table.report(account));
    }

    /// Capacity taken.
    pub(super) fn capacity(&mut self) -> usize {
        let mut sum = 0usize;
        self.each(&mut |table| sum = sum.saturating_add(table.capacity()));
        sum
    }

    /// From now on at most so many keys.
    pub(super) fn set_most(&mut self, most: usize) {
        self.each(&mut |table| table.set_most(most));
    }

    /// Of that, what is beyond what is set aside for each table.
    pub(super) fn pooled(&mut self) -> usize {
        let mut sum = 0usize;
        self.each(&mut |table| sum = sum.saturating_add(table.pooled()));
        sum
    }

    /// Forgets the keys that are idle: other rules have no room left.
    pub(super) fn forget_idle(&mut self, now: u64, capacity: &mut KeyCapacity, account: &mut Account) {
        self.each(&mut |table| table.forget_idle(now, capacity, account));
    }
}
