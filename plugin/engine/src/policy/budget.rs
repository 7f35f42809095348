//! Bytes in a UTC day, for each key.
//!
//! What is counted is what is handed on, with its metadata: that is what is billed. The day is the day of arrival, for
//! late records too. From the soft limit on a goal thins the key out; at the budget's end only a floor is kept. A clock
//! that goes back opens no new day.

use crate::config::model;
use crate::policy::Shared;
use crate::policy::keyed::{Forgettable, KeyText};
use crate::policy::moment::Moment;
use crate::policy::target::Target;

/// What a key has spent.
#[derive(Debug, Default)]
pub(crate) struct Purse {
    /// Days since 1970.
    pub(crate) day: u32,
    /// Bytes of that day.
    pub(crate) spent: u64,
    /// The goal of a key that is over its soft limit.
    over: Option<Box<Target>>,
}

impl Purse {
    /// What was spent on a day.
    pub(crate) fn of(day: u32, spent: u64) -> Purse {
        Purse { day, spent, over: None }
    }

    /// Whether a record is kept. `key` writes the key of `over`.
    pub(crate) fn admits(
        &mut self,
        budget: &model::Budget,
        most: usize,
        moment: &Moment,
        shared: &mut Shared<'_>,
        key: impl FnOnce() -> u64,
    ) -> bool {
        let today = day(moment.now);
        if today > self.day {
            self.spent = 0;
            if let Some(over) = self.over.take() {
                shared.slots.0 = shared.slots.0.saturating_sub(over.slots());
            }
        }
        self.day = today;
        if self.spent >= budget.spend.get() {
            return false;
        }
        match (&budget.over, budget.soft) {
            (Some(settings), Some(soft)) if self.spent >= soft => {
                let over = self.over.get_or_insert_with(|| Box::new(Target::new(settings, most)));
                let key = KeyText { hash: key(), text: b"" };
                over.decide(settings, key, moment, (0, false), shared, |_, kept, _| kept).keep
            }
            _ => true,
        }
    }
}

impl Forgettable for Purse {
    type Settings = ();

    fn is_idle(&self, (): &(), now: u64, _: Option<u64>) -> bool {
        self.spent == 0 || self.day < day(now)
    }

    fn slots(&self) -> usize {
        self.over.as_ref().map_or(0, |over| over.slots())
    }
}

/// Days since 1970, UTC.
pub(crate) fn day(now: u64) -> u32 {
    u32::try_from(now / DAY).unwrap_or(u32::MAX)
}

/// Nanoseconds of a day.
const DAY: u64 = 86_400_000_000_000;
