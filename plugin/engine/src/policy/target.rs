//! A goal and the keys it is shared among: [`Goal`] decides, [`Keyed`] remembers.
//!
//! Late records have a goal and keys of their own, and a clock that goes on as their keys do ([`SharedLateClock`]): a backlog of
//! two hours is thinned out to what two hours would have given, whichever of its files is read first.

use crate::config::model;
use crate::policy::goal::{Estimate, Goal};
use crate::policy::keyed::{Counted, Forgettable, KeyText, Keyed, Seat};
use crate::policy::moment::{Moment, SharedLateClock};
use crate::policy::{Shared, nanos};

/// A goal for records in time, and one for late ones as soon as there are any.
#[derive(Debug)]
pub(crate) struct Target {
    in_time: Aim,
    late: Option<Box<Aim>>,
}

#[derive(Debug)]
struct Aim {
    goal: Goal,
    keys: Keyed<Estimate>,
    late: SharedLateClock,
}

impl Target {
    pub(crate) fn new(settings: &model::Target, most: usize) -> Target {
        Target { in_time: Aim::new(settings, most), late: None }
    }

    /// Decides a record. `floor` may keep what the goal would not, if it can take room: it is told what the goal said and
    /// how to ask.
    pub(crate) fn decide(
        &mut self,
        settings: &model::Target,
        key: KeyText<'_>,
        moment: &Moment,
        (bytes, holds): (u64, bool),
        shared: &mut Shared<'_>,
        floor: impl FnOnce(&mut Shared<'_>, bool, &mut dyn FnMut() -> bool) -> bool,
    ) -> Counted {
        let most = self.in_time.keys.most();
        let aim = if moment.is_late {
            self.late.get_or_insert_with(|| Box::new(Aim::new(settings, most)))
        } else {
            &mut self.in_time
        };
        let mut seat = aim.keys.admit(key, &(), moment, shared.slots, shared.account);
        let now =
            if moment.is_late { aim.late.measure(aim.keys.late_clock(seat), moment) } else { moment.now };
        let goal = &mut aim.goal;
        if goal.is_due(now) {
            goal.roll(now, aim.keys.states());
            aim.keys.forget_idle(&(), now, shared.slots, shared.account);
            // A key that is new is idle as long as nothing has been counted on it.
            let own = *aim.keys.late_clock(seat);
            seat = aim.keys.admit(key, &(), moment, shared.slots, shared.account);
            *aim.keys.late_clock(seat) = own;
        }
        aim.keys.decide(seat, moment, (bytes, holds), |estimate, _| {
            let estimate = (seat == Seat::Own).then_some(estimate);
            let kept = goal.offer(key.hash, estimate, now, shared.random.f64());
            floor(shared, kept, &mut || goal.admit_floor(now))
        })
    }

    /// A line that goes with one that was decided.
    pub(crate) fn follow(&mut self, hash: u64, kept: bool, moment: &Moment) {
        let aim = match &mut self.late {
            Some(late) if moment.is_late => late,
            _ => &mut self.in_time,
        };
        let now = if moment.is_late { aim.late.position() } else { moment.now };
        let (estimate, seat, _) = aim.keys.known(hash, moment);
        aim.goal.follow(hash, (seat == Seat::Own).then_some(estimate), now, kept);
    }

    /// Everything that remembers keys.
    pub(crate) fn keys(&mut self) -> impl Iterator<Item = &mut Keyed<Estimate>> {
        [Some(&mut self.in_time), self.late.as_deref_mut()].into_iter().flatten().map(|aim| &mut aim.keys)
    }

    pub(crate) fn slots(&self) -> usize {
        let late = self.late.as_ref().map_or(0, |aim| aim.keys.slots());
        self.in_time.keys.slots().saturating_add(late)
    }
}

impl Aim {
    fn new(settings: &model::Target, most: usize) -> Aim {
        Aim {
            goal: Goal::new(settings.rate.per_second(), nanos(settings.interval)),
            keys: Keyed::new(most),
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
