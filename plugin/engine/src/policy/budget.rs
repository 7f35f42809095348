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

    /// Whether a record is kept. `key` is the hash of the key of `over`. `common` is the goal of all keys that have no slots
    /// left for one of their own, with at most `most` keys.
    pub(crate) fn admits(
        &mut self,
        budget: &model::Budget,
        (most, common): (usize, &mut Option<Box<Target>>),
        moment: &Moment,
        shared: &mut Shared<'_>,
        key: impl FnOnce() -> u64,
    ) -> bool {
        let today = day(moment.now);
        if today > self.day {
            self.spent = 0;
            if let Some(over) = self.over.take() {
                shared.slots.0 = shared.slots.0.saturating_sub(over.slots().saturating_add(GOAL));
            }
        }
        // A day ahead is a clock that was set back over midnight, and will be there again; more is a clock that was wrong.
        if today > self.day || self.day > today.saturating_add(1) {
            self.day = today;
        }
        if self.spent >= budget.spend.get() {
            return false;
        }
        match (&budget.over, budget.soft) {
            (Some(settings), Some(soft)) if self.spent >= soft => {
                let has_room = shared.slots.0.saturating_add(GOAL) <= crate::config::MAX_KEYS;
                let new = || Box::new(Target::new(settings, most));
                let over = match &mut self.over {
                    Some(over) => over,
                    None if has_room => {
                        shared.slots.0 = shared.slots.0.saturating_add(GOAL);
                        self.over.insert(new())
                    }
                    None => common.get_or_insert_with(new),
                };
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
        self.over.as_ref().map_or(0, |over| over.slots().saturating_add(GOAL))
    }
}

/// Days since 1970, UTC.
pub(crate) fn day(now: u64) -> u32 {
    u32::try_from(now / DAY).unwrap_or(u32::MAX)
}

/// What a goal takes of the slots: as much memory as so many keys.
const GOAL: usize = 24;
/// Nanoseconds of a day.
const DAY: u64 = 86_400_000_000_000;
