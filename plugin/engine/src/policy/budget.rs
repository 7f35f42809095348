//! `budget: {spend, by, soft, over}`: keeps so many bytes of each key in a UTC day.
//!
//! What is counted is what is delivered, with its metadata: that is what is billed. The day is the day of arrival, for
//! late records too. From the soft limit on a goal thins the key out; at the budget's end only a floor is kept. A clock
//! that goes back opens no new day.

use crate::diag::Code;
use crate::key::{Key, KeyId, KeyText};
use crate::policy::keyed::{Forgettable, Keyed};
use crate::policy::settings::{by, probability, required};
use crate::policy::target::{Target, TargetState};
use crate::policy::{Asked, Decides, Decision, KeyCapacity, KeyTable, Spent, Tables};
use crate::yaml::{Mistakes, Node, Rate, Section, Unit, parse_rate};
use std::num::NonZeroU64;
use std::time::Duration;

/// Bytes in a UTC day.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Bytes of JSON text delivered, in a day.
    pub spend: NonZeroU64,
    /// For each of which there is a budget of its own.
    pub by: Key,
    /// Bytes from which on only `over` is kept; `None` without `over`.
    pub soft: Option<u64>,
    /// What is kept of a key that has spent more than `soft`.
    pub over: Option<Target>,
}

/// What each key has spent, and the goal of those for which there is no capacity for one of their own.
#[derive(Debug)]
pub(crate) struct BudgetState {
    keys: Keyed<SpentToday>,
    common: Option<Box<TargetState>>,
}

/// What a key has spent.
#[derive(Debug, Default)]
struct SpentToday {
    /// Days since 1970.
    day: u32,
    /// Bytes of that day.
    bytes: u64,
    /// The goal of a key that is over its soft limit.
    over: Option<Box<TargetState>>,
}

impl Decides for Budget {
    const NAME: &'static str = "budget";
    type State = BudgetState;

    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Budget> {
        let section = Section::open(node, Self::NAME, &["spend", "by", "soft", "over"], mistakes)?;
        let spend = required(&section, Self::NAME, "spend", "2GiB/day", mistakes).and_then(|node| {
            let text = mistakes.text(node, "spend")?;
            let is_daily = |rate: &Rate| rate.unit == Unit::Bytes && rate.per == DAY;
            let found = parse_rate(text).filter(is_daily).map(|rate| rate.amount);
            if found.is_none() {
                let message = format!("`{text}` is not a size per day");
                mistakes.note_with_help(Code::Amount, &node.span, message, "write 2GiB/day or 500MB/day");
            }
            found
        });
        let by = by(&section, mistakes);
        let over = section.get("over").map(|node| Target::read_as("over", node, mistakes));
        let soft =
            section.get("soft").map(|node| (node, probability(node, "soft", "leave `soft` out", mistakes)));
        if let (Some((node, _)), None) = (&soft, &over) {
            let help = "add `over: {rate: 5/s}`";
            mistakes.note_with_help(
                Code::MissingKey,
                &node.span,
                "`soft` needs an `over` to turn into",
                help,
            );
        }
        let over = match over {
            Some(over) => Some(over?),
            None => None,
        };
        let share = match soft {
            Some((_, share)) => share?.value(),
            None => DEFAULT_SOFT,
        };
        let spend = spend?;
        // Not more than the budget: the share is at most 1.
        let soft = over.as_ref().map(|_| (spend.get() as f64 * share) as u64);
        Some(Budget { spend, by: by?, soft, over })
    }

    fn start(&self, most: usize) -> BudgetState {
        BudgetState { keys: Keyed::new(most, ()), common: None }
    }

    fn decide(&self, state: &mut BudgetState, asked: &mut Asked<'_>) -> Decision {
        let BudgetState { keys, common } = state;
        let most = keys.most();
        keys.decide_by(&self.by, asked, |spent, asked, _| {
            let is_kept = self.admits(spent, (most, common), asked);
            asked.settle(is_kept, &mut || true)
        })
    }

    fn floor_by(&self) -> Option<&Key> {
        Some(&self.by)
    }

    fn charge(state: &mut BudgetState, key: KeyId, bytes: u64) -> bool {
        let spent = state.keys.state(key);
        spent.bytes = spent.bytes.saturating_add(bytes);
        true
    }

    /// For the same keys, whatever the budget is now.
    fn goes_on_as(&self, other: &Budget) -> bool {
        self.by == other.by
    }

    fn spent(state: &BudgetState) -> Vec<Spent<'_>> {
        let spent = state.keys.entries().filter(|(.., spent)| spent.bytes > 0);
        let found = spent.map(|(key, namespace, label, &SpentToday { day, bytes, .. })| Spent {
            key,
            namespace,
            label,
            day,
            bytes,
        });
        found.collect()
    }

    fn put_spent(state: &mut BudgetState, spent: Spent<'_>, capacity: &mut KeyCapacity) {
        // What has been spent since the start, if the state was taken up later, counts too.
        let since = state.keys.peek(spent.key, spent.namespace).filter(|since| since.day >= spent.day);
        let (day, since) = since.map_or((spent.day, 0), |since| (since.day, since.bytes));
        let before = if day == spent.day { spent.bytes } else { 0 };
        let today = SpentToday { day, bytes: before.saturating_add(since), over: None };
        state.keys.put((spent.key, spent.namespace), spent.label, today, capacity);
    }
}

impl Budget {
    /// Whether a record is kept. `common` is the goal of all keys for which there is no capacity for one of their own, with
    /// at most `most` keys.
    fn admits(
        &self,
        spent: &mut SpentToday,
        (most, common): (usize, &mut Option<Box<TargetState>>),
        asked: &mut Asked<'_>,
    ) -> bool {
        let today = day(asked.moment.now);
        if today > spent.day {
            spent.bytes = 0;
            if let Some(over) = spent.over.take() {
                asked.capacity.give_back(over.capacity().saturating_add(GOAL));
            }
        }
        // A day ahead is a clock that was set back over midnight, and will be there again; more is a clock that was wrong.
        if today > spent.day || spent.day > today.saturating_add(1) {
            spent.day = today;
        }
        if spent.bytes >= self.spend.get() {
            return false;
        }
        match (&self.over, self.soft) {
            (Some(settings), Some(soft)) if spent.bytes >= soft => {
                let over = match &mut spent.over {
                    Some(over) => over,
                    None if asked.capacity.has_room_for(GOAL) => {
                        asked.capacity.take(GOAL);
                        // A key's goal is mostly one namespace's.
                        spent.over.insert(Box::new(TargetState::undivided(settings, most)))
                    }
                    None => common.get_or_insert_with(|| Box::new(TargetState::new(settings, most))),
                };
                let key = asked.key(&settings.by);
                let nameless = KeyText { hash: key.hash, text: Vec::new() };
                asked.give_back(key);
                over.decide(settings, &nameless, asked, false, |_, is_kept, _| is_kept).is_kept()
            }
            _ => true,
        }
    }
}

impl Tables for BudgetState {
    fn each(&mut self, take: &mut dyn FnMut(&mut dyn KeyTable)) {
        take(&mut self.keys);
        if let Some(common) = &mut self.common {
            common.each(take);
        }
    }
}

impl Forgettable for SpentToday {
    type Settings = ();

    fn is_idle(&self, (): &(), now: u64, _: Option<u64>) -> bool {
        self.bytes == 0 || self.day < day(now)
    }

    fn capacity(&self) -> usize {
        self.over.as_ref().map_or(0, |over| over.capacity().saturating_add(GOAL))
    }
}

/// Days since 1970, UTC.
fn day(now: u64) -> u32 {
    u32::try_from(now / NANOS_OF_A_DAY).unwrap_or(u32::MAX)
}

const DEFAULT_SOFT: f64 = 0.8;
/// What a goal takes of the capacity: as much memory as so many keys.
const GOAL: usize = 24;
const DAY: Duration = Duration::from_secs(86_400);
const NANOS_OF_A_DAY: u64 = 86_400_000_000_000;
