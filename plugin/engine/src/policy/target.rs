//! `target: {rate, by, interval}`: keeps about so many records a second, shared fairly over the keys. [`Goal`] decides, [`Keyed`]
//! remembers.
//!
//! Late records have a goal and keys of their own, and a clock that goes on as their keys do ([`SharedLateClock`]): a backlog of
//! two hours is thinned out to what two hours would have given, whichever of its files is read first.

use crate::diag::Code;
use crate::key::{Key, KeyId, KeyText};
use crate::moment::{Moment, SharedLateClock};
use crate::policy::goal::{Estimate, Goal};
use crate::policy::keyed::{Forgettable, Keyed, Ownership};
use crate::policy::settings::{by, rate, required, window};
use crate::policy::{Asked, Decides, Decision, KeyTable, Tables, nanos};
use crate::tag_names::NamespaceId;
use crate::yaml::{Mistakes, Node, Rate, Section, Unit};
use std::time::Duration;

/// A goal for all keys of a rule together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Records in a time.
    pub rate: Rate,
    /// Among which the goal is shared.
    pub by: Key,
    /// How often the shares are found anew.
    pub interval: Duration,
}

/// A goal for records in time, and one for late ones as soon as there are any.
#[derive(Debug)]
pub(crate) struct TargetState {
    in_time: SharedGoal,
    late: Option<Box<SharedGoal>>,
}

#[derive(Debug)]
struct SharedGoal {
    goal: Goal,
    keys: Keyed<Estimate>,
    late: SharedLateClock,
}

impl Decides for Target {
    const NAME: &'static str = "target";
    type State = Box<TargetState>;

    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Target> {
        Target::read_as(Self::NAME, node, mistakes)
    }

    fn start(&self, most: usize) -> Box<TargetState> {
        Box::new(TargetState::new(self, most))
    }

    fn decide(&self, state: &mut Box<TargetState>, asked: &mut Asked<'_>) -> Decision {
        let key = asked.key(&self.by);
        let holds = asked.holds;
        let decision = state
            .decide(self, &key, asked, holds, |asked, is_kept, has_room| asked.settle(is_kept, has_room));
        asked.give_back(key);
        decision
    }

    fn floor_by(&self) -> Option<&Key> {
        Some(&self.by)
    }

    fn follow(
        &self,
        state: &mut Box<TargetState>,
        before: Decision,
        namespace: NamespaceId,
        _: u64,
        moment: &Moment,
    ) -> bool {
        if let Some(hash) = before.key() {
            state.follow(KeyId { hash, namespace }, before.is_kept(), moment);
        }
        true
    }
}

impl Target {
    /// Also what a budget turns into; `what` is its name.
    pub(super) fn read_as(what: &str, node: &Node, mistakes: &mut Mistakes) -> Option<Target> {
        let section = Section::open(node, what, &["rate", "by", "interval"], mistakes)?;
        let node = required(&section, what, "rate", "100/s", mistakes);
        let rate = node.and_then(|node| rate(node, mistakes).map(|rate| (rate, node)));
        let by = by(&section, mistakes);
        let interval = match section.get("interval") {
            Some(node) => window(node, "interval", mistakes),
            None => Some(DEFAULT_INTERVAL),
        };
        let (rate, node) = rate?;
        if rate.unit == Unit::Bytes {
            let message = format!("the rate of {what} is in records");
            let help = "write 100/s; for bytes there are `limit` and `budget`";
            mistakes.note_with_help(Code::Amount, &node.span, message, help);
        }
        Some(Target { rate, by: by?, interval: interval? })
    }
}

impl TargetState {
    pub(super) fn new(settings: &Target, most: usize) -> TargetState {
        TargetState { in_time: SharedGoal::new(settings, Keyed::new(most, ())), late: None }
    }

    /// Of what is one namespace's anyway.
    pub(super) fn undivided(settings: &Target, most: usize) -> TargetState {
        TargetState { in_time: SharedGoal::new(settings, Keyed::undivided(most, ())), late: None }
    }

    /// Decides a record. `floor` may keep what the goal would not, if it can take room: it is told what the goal said and
    /// how to ask.
    pub(super) fn decide(
        &mut self,
        settings: &Target,
        key: &KeyText,
        asked: &mut Asked<'_>,
        holds: bool,
        floor: impl FnOnce(&mut Asked<'_>, bool, &mut dyn FnMut() -> bool) -> bool,
    ) -> Decision {
        let moment = asked.moment;
        let SharedGoal { goal, keys, late } = if moment.is_late {
            let in_time = &self.in_time;
            &mut **self
                .late
                .get_or_insert_with(|| Box::new(SharedGoal::new(settings, in_time.keys.another())))
        } else {
            &mut self.in_time
        };
        let mut owner = keys.admit(key, asked);
        let now = if moment.is_late { late.measure(keys.late_clock(owner), &moment) } else { moment.now };
        if goal.is_due(now) {
            let own = *keys.late_clock(owner);
            goal.roll(now, keys.states());
            keys.forget_idle(now, asked.capacity, asked.account);
            // A key that is new is idle as long as nothing has been counted on it.
            owner = keys.admit(key, asked);
            *keys.late_clock(owner) = own;
        }
        let tenant = keys.tenant(owner);
        keys.decide_as(owner, key.hash, asked, holds, |estimate, asked, _| {
            let estimate = matches!(owner, Ownership::Owned(_)).then_some(estimate);
            let is_kept = goal.offer(key.hash, tenant, estimate, now, asked.random.f64());
            floor(asked, is_kept, &mut || goal.admit_floor(tenant, now))
        })
    }

    /// A line that goes with one that was decided.
    fn follow(&mut self, key: KeyId, is_kept: bool, moment: &Moment) {
        let shared = match &mut self.late {
            Some(late) if moment.is_late => late,
            _ => &mut self.in_time,
        };
        let now = if moment.is_late { shared.late.position() } else { moment.now };
        let (_, owner, _) = shared.keys.known(key, moment);
        let tenant = shared.keys.tenant(owner);
        shared.goal.follow(key.hash, tenant, shared.keys.owned(owner), now, is_kept);
    }

    pub(super) fn capacity(&self) -> usize {
        let late = self.late.as_ref().map_or(0, |late| late.keys.capacity());
        self.in_time.keys.capacity().saturating_add(late)
    }
}

impl Tables for Box<TargetState> {
    fn each(&mut self, take: &mut dyn FnMut(&mut dyn KeyTable)) {
        take(&mut self.in_time.keys);
        if let Some(late) = &mut self.late {
            take(&mut late.keys);
        }
    }
}

impl SharedGoal {
    fn new(settings: &Target, keys: Keyed<Estimate>) -> SharedGoal {
        SharedGoal {
            goal: Goal::new(settings.rate.per_second(), nanos(settings.interval)),
            keys,
            late: SharedLateClock::default(),
        }
    }
}

impl Forgettable for Estimate {
    type Settings = ();

    fn is_idle(&self, (): &(), _: u64, _: Option<u64>) -> bool {
        Estimate::is_idle(self)
    }
}

const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
