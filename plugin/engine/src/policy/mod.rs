//! What policies remember from record to record, and what they decide by it.
//!
//! One [`RuleState`] for each guard and rule. It knows keys, counts and times, and nothing about records: key texts come in
//! through [`KeySource`], and what a kept record stands for goes out as [`Acted`]. State is bounded ([`keyed`]), and every
//! dropped record is open in one place until it is reported ([`account`]).

mod account;
mod budget;
mod gcra;
mod goal;
mod keyed;
mod moment;
mod target;
mod window;

pub(crate) use account::{Account, Open};
pub(crate) use keyed::Slots;
pub(crate) use moment::Moment;

use crate::config::model::{Floor, Key, Part, Policy, Rule};
use budget::Purse;
use gcra::{Buckets, Pace};
use keyed::{Counted, KeyText, Keyed};
use target::Target;
use window::Windows;

/// Writes a record's key, parts ended by NUL.
pub(crate) trait KeySource {
    fn write(&mut self, key: &Key, into: &mut Vec<u8>);
}

/// What all rules share, and the account of the one that decides.
pub(crate) struct Shared<'a> {
    pub(crate) slots: &'a mut Slots,
    pub(crate) account: &'a mut Account,
    pub(crate) random: &'a mut fastrand::Rng,
}

/// One record, as policies see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) moment: Moment,
    /// Of its JSON text as it came.
    pub(crate) bytes: u64,
    /// Whether a later record's count may report it, should it be dropped.
    pub(crate) holds: bool,
}

/// What a policy with a state decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Acted {
    pub(crate) keep: bool,
    /// How many records a kept one stands for.
    pub(crate) count: u64,
    /// Whether a dropped one is counted on its key.
    pub(crate) held: bool,
    /// The key, for what follows.
    pub(crate) key: u64,
    /// Whether it is above a guard's ceiling.
    pub(crate) is_above: bool,
}

/// The state of one guard or rule.
#[derive(Debug)]
pub(crate) struct RuleState {
    kind: Kind,
    floor: Option<Keyed<Windows>>,
    key: Vec<u8>,
    floor_key: Vec<u8>,
    most: usize,
}

#[derive(Debug)]
enum Kind {
    /// Keep, drop and sample remember nothing.
    Stateless,
    First(Keyed<Windows>),
    Limit(Pace, Keyed<Buckets>),
    Dedup(Keyed<Windows>),
    Target(Box<Target>),
    /// What each key has spent, and the goal of those for which there is no room for one.
    Budget(Keyed<Purse>, Option<Box<Target>>),
    /// A guard's: what fits under it, and the windows of what does not.
    Ceiling(Pace, Keyed<Buckets>, Keyed<Windows>),
}

impl RuleState {
    /// The state of a rule that has decided nothing yet, for at most `most` keys.
    pub(crate) fn new(rule: &Rule, most: usize) -> RuleState {
        let kind = match (&rule.ceiling, &rule.policy) {
            (Some(ceiling), _) => Kind::Ceiling(Pace::new(ceiling), Keyed::new(most), Keyed::new(most)),
            (None, Policy::Keep | Policy::Drop | Policy::Sample(_)) => Kind::Stateless,
            (None, Policy::First(_)) => Kind::First(Keyed::new(most)),
            (None, Policy::Limit(limit)) => Kind::Limit(Pace::new(limit), Keyed::new(most)),
            (None, Policy::Dedup(_)) => Kind::Dedup(Keyed::new(most)),
            (None, Policy::Target(target)) => Kind::Target(Box::new(Target::new(target, most))),
            (None, Policy::Budget(_)) => Kind::Budget(Keyed::new(most), None),
        };
        let floor = rule.floor.as_ref().map(|_| Keyed::new(most));
        RuleState { kind, floor, key: Vec::new(), floor_key: Vec::new(), most }
    }

    /// Decides by the state; `None` when the policy has none.
    pub(crate) fn act(
        &mut self,
        rule: &Rule,
        asked: &Asked,
        keys: &mut dyn KeySource,
        shared: &mut Shared<'_>,
    ) -> Option<Acted> {
        if let Kind::Stateless = self.kind {
            return None;
        }
        let lane = usize::from(asked.moment.is_late);
        let (moment, bytes, holds) = (&asked.moment, asked.bytes, asked.holds);
        let RuleState { kind, floor, key: text, floor_key, most } = self;
        let by = match (&rule.ceiling, &rule.policy) {
            (Some(ceiling), _) => &ceiling.by,
            (None, Policy::First(first)) => &first.by,
            (None, Policy::Limit(limit)) => &limit.by,
            (None, Policy::Dedup(dedup)) => &dedup.by,
            (None, Policy::Target(target)) => &target.by,
            (None, Policy::Budget(budget)) => &budget.by,
            (None, _) => return None,
        };
        text.clear();
        keys.write(by, text);
        let key = KeyText::new(text);
        let mut floor = match (floor, &rule.floor) {
            (Some(state), Some(settings)) => {
                floor_key.clear();
                keys.write(&settings.by, floor_key);
                Some((state, settings, KeyText::new(floor_key)))
            }
            _ => None,
        };
        let mut settle =
            |shared: &mut Shared<'_>, kept: bool, room: &mut dyn FnMut() -> bool| match &mut floor {
                Some((state, settings, key)) => settle(state, settings, *key, moment, shared, kept, room),
                None => kept,
            };
        let mut always = || true;
        let mut is_above = false;
        let (counted, key) = match (kind, &rule.policy) {
            (Kind::First(state), Policy::First(first)) => {
                let per = nanos(first.per);
                let seat = state.admit(key, &per, moment, shared.slots, shared.account);
                let decide = |windows: &mut Windows, now| {
                    let kept = windows.get_mut(lane).is_none_or(|window| window.admits(first, now, per));
                    settle(shared, kept, &mut always)
                };
                (state.decide(seat, moment, (bytes, holds), decide), key)
            }
            (Kind::Limit(pace, state), Policy::Limit(_)) => {
                let seat = state.admit(key, pace, moment, shared.slots, shared.account);
                let decide = |buckets: &mut Buckets, now| {
                    let kept = buckets.get_mut(lane).is_none_or(|bucket| bucket.take(pace, bytes, now));
                    settle(shared, kept, &mut always)
                };
                (state.decide(seat, moment, (bytes, holds), decide), key)
            }
            (Kind::Dedup(state), Policy::Dedup(dedup)) => {
                let per = nanos(dedup.window);
                let seat = state.admit(key, &per, moment, shared.slots, shared.account);
                let decide = |windows: &mut Windows, now| {
                    windows.get_mut(lane).is_none_or(|window| window.enter(now, per))
                };
                (state.decide(seat, moment, (bytes, holds), decide), key)
            }
            (Kind::Target(state), Policy::Target(target)) => {
                (state.decide(target, key, moment, (bytes, holds), shared, settle), key)
            }
            (Kind::Budget(state, common), Policy::Budget(budget)) => {
                let seat = state.admit(key, &(), moment, shared.slots, shared.account);
                let decide = |purse: &mut Purse, _| {
                    let over = || {
                        let mut text = Vec::new();
                        if let Some(over) = &budget.over {
                            keys.write(&over.by, &mut text);
                        }
                        KeyText::new(&text).hash
                    };
                    let kept = purse.admits(budget, (*most, common), moment, shared, over);
                    settle(shared, kept, &mut always)
                };
                (state.decide(seat, moment, (bytes, holds), decide), key)
            }
            (Kind::Ceiling(pace, below, above), _) => {
                let seat = below.admit(key, pace, moment, shared.slots, shared.account);
                let fits = |buckets: &mut Buckets, now| {
                    buckets.get_mut(lane).is_none_or(|bucket| bucket.take(pace, bytes, now))
                };
                let counted = below.decide(seat, moment, (bytes, false), fits);
                if counted.keep {
                    (counted, key)
                } else {
                    let hash = key.hash;
                    is_above = true;
                    text.clear();
                    keys.write(&Key(ABOVE.to_vec()), text);
                    let seat =
                        above.admit(KeyText::new(text), &ABOVE_PER, moment, shared.slots, shared.account);
                    let decide = |windows: &mut Windows, now| {
                        windows.get_mut(lane).is_none_or(|window| window.enter(now, ABOVE_PER))
                    };
                    (above.decide(seat, moment, (bytes, holds), decide), KeyText { hash, text: b"" })
                }
            }
            _ => return None,
        };
        let Counted { keep, count, held } = counted;
        let acted = Acted { keep, count, held, key: key.hash, is_above };
        // Kept for the next record, unless a field of a megabyte has been here.
        for text in [text, floor_key] {
            if text.capacity() > MAX_KEY_KEPT {
                *text = Vec::new();
            }
        }
        Some(acted)
    }

    /// A line that goes with one that was decided for this key.
    pub(crate) fn follow(&mut self, key: u64, kept: bool, bytes: u64, moment: &Moment) {
        match &mut self.kind {
            Kind::Limit(pace, state) | Kind::Ceiling(pace, state, _) if kept => {
                let lane = usize::from(moment.is_late);
                let (buckets, _, now) = state.known(key, moment);
                if let Some(bucket) = buckets.get_mut(lane) {
                    bucket.owe(pace, bytes, now);
                }
            }
            Kind::Target(target) => target.follow(key, kept, moment),
            _ => {}
        }
    }

    /// Bytes that were handed on of a record of this key; whether anybody wants to know.
    pub(crate) fn charge(&mut self, key: u64, bytes: u64) -> bool {
        let Kind::Budget(state, _) = &mut self.kind else { return false };
        let purse = state.state(key);
        purse.spent = purse.spent.saturating_add(bytes);
        true
    }

    /// What is dropped, counted on keys, and not reported yet.
    pub(crate) fn open(&mut self) -> Open {
        match &mut self.kind {
            Kind::Stateless => Open::default(),
            Kind::First(state) | Kind::Dedup(state) | Kind::Ceiling(_, _, state) => state.open(),
            Kind::Limit(_, state) => state.open(),
            Kind::Target(target) => target.keys().fold(Open::default(), |mut sum, keys| {
                sum.add(keys.open());
                sum
            }),
            Kind::Budget(state, _) => state.open(),
        }
    }

    /// Forgets the keys that are idle: other rules have none left.
    pub(crate) fn forget_idle(&mut self, rule: &Rule, now: u64, slots: &mut Slots, account: &mut Account) {
        if let (Some(state), Some(floor)) = (&mut self.floor, &rule.floor) {
            state.forget_idle(&nanos(floor.per), now, slots, account);
        }
        match (&mut self.kind, &rule.policy) {
            (Kind::First(state), Policy::First(first)) => {
                state.forget_idle(&nanos(first.per), now, slots, account);
            }
            (Kind::Dedup(state), Policy::Dedup(dedup)) => {
                state.forget_idle(&nanos(dedup.window), now, slots, account);
            }
            (Kind::Limit(pace, state), _) => state.forget_idle(pace, now, slots, account),
            (Kind::Ceiling(pace, below, above), _) => {
                below.forget_idle(pace, now, slots, account);
                above.forget_idle(&ABOVE_PER, now, slots, account);
            }
            (Kind::Budget(state, _), _) => state.forget_idle(&(), now, slots, account),
            _ => {}
        }
    }

    /// Hands all that over to the rule's account.
    pub(crate) fn report(&mut self, account: &mut Account) {
        match &mut self.kind {
            Kind::Stateless => {}
            Kind::First(state) | Kind::Dedup(state) | Kind::Ceiling(_, _, state) => state.report(account),
            Kind::Limit(_, state) => state.report(account),
            Kind::Target(target) => target.keys().for_each(|keys| keys.report(account)),
            Kind::Budget(state, _) => state.report(account),
        }
    }

    /// Slots taken.
    pub(crate) fn slots(&self) -> usize {
        let floor = self.floor.as_ref().map_or(0, Keyed::slots);
        floor.saturating_add(match &self.kind {
            Kind::Stateless => 0,
            Kind::First(state) | Kind::Dedup(state) => state.slots(),
            Kind::Limit(_, state) => state.slots(),
            Kind::Ceiling(_, below, above) => below.slots().saturating_add(above.slots()),
            Kind::Target(target) => target.slots(),
            Kind::Budget(state, common) => {
                state.slots().saturating_add(common.as_ref().map_or(0, |target| target.slots()))
            }
        })
    }

    /// From now on at most so many keys.
    pub(crate) fn set_most(&mut self, most: usize) {
        self.most = most;
        if let Some(floor) = &mut self.floor {
            floor.set_most(most);
        }
        match &mut self.kind {
            Kind::Stateless => {}
            Kind::First(state) | Kind::Dedup(state) => state.set_most(most),
            Kind::Limit(_, state) => state.set_most(most),
            Kind::Ceiling(_, below, above) => {
                below.set_most(most);
                above.set_most(most);
            }
            Kind::Target(target) => target.keys().for_each(|keys| keys.set_most(most)),
            Kind::Budget(state, _) => state.set_most(most),
        }
    }

    /// What each key of a budget has spent: hash (`None` for all that share a state), label, day, bytes.
    pub(crate) fn spent(&self) -> Vec<(Option<u64>, &str, u32, u64)> {
        let Kind::Budget(state, _) = &self.kind else { return Vec::new() };
        state
            .entries()
            .filter(|(.., purse)| purse.spent > 0)
            .map(|(hash, label, purse)| (hash, label, purse.day, purse.spent))
            .collect()
    }

    /// Puts back what a key of a budget had spent on a day.
    pub(crate) fn put_spent(
        &mut self,
        hash: Option<u64>,
        label: &str,
        day: u32,
        spent: u64,
        slots: &mut Slots,
    ) {
        if let Kind::Budget(state, _) = &mut self.kind {
            // What has been spent since the start, if the state was taken up later, counts too.
            let since = state
                .peek(hash)
                .filter(|purse| purse.day >= day)
                .map_or((day, 0), |purse| (purse.day, purse.spent));
            let before = if since.0 == day { spent } else { 0 };
            state.put(hash, label, Purse::of(since.0, before.saturating_add(since.1)), slots);
        }
    }
}

/// What becomes of a record once its floor has been asked: whatever is kept starts the floor's window anew.
fn settle(
    state: &mut Keyed<Windows>,
    floor: &Floor,
    key: KeyText<'_>,
    moment: &Moment,
    shared: &mut Shared<'_>,
    kept: bool,
    room: &mut dyn FnMut() -> bool,
) -> bool {
    let per = nanos(floor.per);
    let seat = state.admit(key, &per, moment, shared.slots, shared.account);
    let decide = |windows: &mut Windows, now| {
        let Some(window) = windows.get_mut(usize::from(moment.is_late)) else { return kept };
        let keep = kept || window.has_ended(now, per) && room();
        if keep {
            window.restart(now);
        }
        keep
    };
    state.decide(seat, moment, (0, false), decide).keep
}

/// Without the 128 bits that `as_nanos` has.
pub(crate) fn nanos(duration: std::time::Duration) -> u64 {
    let second = 1_000_000_000;
    duration.as_secs().saturating_mul(second).saturating_add(u64::from(duration.subsec_nanos()))
}

/// Largest room for a key's text that is kept from record to record, in bytes.
const MAX_KEY_KEPT: usize = 4096;
/// What a guard still keeps above its ceiling: one record of each pod and template ...
const ABOVE: [Part; 2] = [Part::Pod, Part::Template];
/// ... in ten seconds.
const ABOVE_PER: u64 = 10_000_000_000;
