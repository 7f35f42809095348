//! Keeps about so many records per second of a rule, shared fairly over its keys: `target: {rate: 100/s, by: pod}`.
//!
//! Source: the dynamic samplers of dynsampler-go (`EMAThroughput`), without the defects found there. Keys beyond the
//! table share a bucket for each namespace that is counted like a key (there: kept 1:1 and not counted). Estimates do not
//! start at zero. Nothing has a floor of one record per key and interval, so many rare keys do not add up to a multiple of
//! the goal. Chances are fractions (there: integer rates, off by up to 2). A new key is never 1:1 for long: when an
//! interval keeps more than planned, the plan is made anew at once.
//!
//! The rule kept here: a *level* is found so that the sum over all keys of min(expected records, level) is the goal.
//! A key expected below the level is kept entirely, one above it with the chance level / expected. Where there are several
//! namespaces, half of the goal is shared out among them first, the other half among all keys ([`levels`]): so however many
//! keys one has, what another asks for is kept entirely up to its share of that half. Whatever the estimates say, no t
//! seconds keep more than one interval's goal + 1.2 · rate · t + 1 records.
//!
//! No clock, no random device and no table: the caller brings time, draws and the estimates.

mod cap;
mod distinct;
mod levels;
mod newcomers;

use crate::policy::keyed::Tenant;
use crate::tag_names::NamespaceId;
use cap::Cap;
use levels::{Offer, by_group, chance, levels};
use newcomers::Newcomers;

/// What one rule knows: the goal, what it expects of all keys, the keys without an estimate, and the cap.
#[derive(Debug)]
pub(crate) struct Goal {
    /// Records to keep per interval.
    goal: f64,
    interval: u64,
    /// When this interval began.
    start: u64,
    /// How many closed intervals the means rest on, as the sum of their weights: 0 none, towards 1 many.
    weight: f64,
    /// Records offered in this interval, and the mean of it over intervals.
    offered: f64,
    expected: f64,
    /// The sum of the chances of the offered: what this interval keeps, without the luck of the draw.
    keeping: f64,
    /// The `keeping` at which the plan is made anew, and how often that was done in this interval.
    alarm: f64,
    alarms: u8,
    /// What the plan in force wants to keep per interval, and the factor that makes it come true.
    planned: f64,
    gain: f64,
    /// Whether the last interval was like those before, so that its plan can be judged by what came of it.
    settled: bool,
    /// Records kept by a floor in this interval. They are paid out of the next one's goal.
    floors: f64,
    /// The keys without an estimate of their own, of each group. There is always a first one.
    others: Vec<Newcomers>,
    /// Namespaces of which something is expected, or has come.
    tenants: usize,
    cap: Cap,
}

/// What is known of one key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Estimate {
    /// Records offered in this interval.
    count: u32,
    /// The mean of it over closed intervals.
    mean: f32,
    /// The chance of a record to be kept; 0 until the key has one of its own.
    chance: f32,
}

impl Goal {
    /// A goal of `per_second` records, planned anew every `interval_nanos`.
    pub(crate) fn new(per_second: f64, interval_nanos: u64) -> Goal {
        let per_second = per_second.max(SLOWEST);
        let interval = interval_nanos.max(1);
        let goal = per_second * (interval as f64 / NANOS);
        let mut new = Goal {
            goal,
            interval,
            start: 0,
            weight: 0.0,
            offered: 0.0,
            expected: 0.0,
            keeping: 0.0,
            alarm: 0.0,
            alarms: 0,
            planned: goal,
            gain: 1.0,
            settled: false,
            floors: 0.0,
            others: vec![Newcomers::of(NamespaceId::NONE)],
            tenants: 0,
            cap: Cap::new(per_second, goal),
        };
        new.set_alarm(goal);
        new
    }

    /// Whether the interval is over at `now`, or keeps so much more than planned that a new plan is due: [`Goal::roll`]
    /// comes before the next [`Goal::offer`].
    pub(crate) fn is_due(&self, now: u64) -> bool {
        now.saturating_sub(self.start) >= self.interval
            || (self.keeping > self.alarm && self.alarms < MOST_ALARMS)
    }

    /// Closes the interval if it is over, and gives every estimate its chance for the time ahead. Each comes with its group.
    /// The caller may then forget the estimates that are idle.
    pub(crate) fn roll<'a>(&mut self, now: u64, estimates: impl Iterator<Item = (usize, &'a mut Estimate)>) {
        let estimates: Vec<_> = estimates.collect();
        let elapsed = now.saturating_sub(self.start);
        if elapsed >= self.interval {
            // The grid of intervals is held, or batches that come at their own pace would stretch every interval.
            let next = self.start.saturating_add(self.interval);
            self.start = if elapsed.saturating_sub(self.interval) < self.interval { next } else { now };
            // Silence teaches nothing: a rule that pauses goes on with what it knew.
            if self.offered > 0.0 {
                self.close(estimates);
            }
        } else {
            self.alarms = self.alarms.saturating_add(1);
            let past = elapsed as f64 / self.interval as f64;
            let ahead = 1.0 - past;
            // At least as much again as came so far. Clumps come in no time, so an instant says nothing of the pace.
            let pace = ahead / past.max(BRIEFEST);
            let seen = pace.max(1.0);
            let total = (self.offered * seen).max(self.expected * ahead);
            let budget = self.goal * ahead.max(SHORTEST);
            self.move_new(&estimates);
            self.plan(estimates, Ahead { seen, pace, known: ahead }, total, (budget, budget * SHARED));
            self.set_alarm(budget);
        }
    }

    /// Decides one record. `draw` is uniform in [0, 1); `key` is the hash of the key, `estimate` what is known of it,
    /// `None` for a key that found no place.
    pub(crate) fn offer(
        &mut self,
        key: u64,
        tenant: Tenant,
        estimate: Option<&mut Estimate>,
        now: u64,
        draw: f64,
    ) -> bool {
        let chance = self.count(key, tenant, estimate, now);
        draw < f64::from(chance) && self.take(tenant, now)
    }

    /// A line that shares the fate of one decided before: counted, but not decided here.
    pub(crate) fn follow(
        &mut self,
        key: u64,
        tenant: Tenant,
        estimate: Option<&mut Estimate>,
        now: u64,
        kept: bool,
    ) {
        self.count(key, tenant, estimate, now);
        if kept {
            self.cap.charge(now);
        }
    }

    /// Whether the cap has room for a record that a floor wants to keep although the draw said no. Takes the room.
    pub(crate) fn admit_floor(&mut self, tenant: Tenant, now: u64) -> bool {
        let admitted = self.take(tenant, now);
        self.floors += f64::from(u8::from(admitted));
        admitted
    }

    /// Counts one record and returns its chance.
    fn count(&mut self, key: u64, tenant: Tenant, estimate: Option<&mut Estimate>, now: u64) -> f32 {
        // The clock was set back: the interval begins again, or it would last until the old time is reached.
        self.start = self.start.min(now);
        self.offered += 1.0;
        let mut chance = 0.0;
        if let Some(estimate) = estimate {
            estimate.count = estimate.count.saturating_add(1);
            chance = estimate.chance;
        }
        if chance <= 0.0 {
            let others = self.others_of(tenant);
            let is_new = others.as_ref().is_some_and(|others| !others.is_expected);
            chance = others.map_or(0.0, |others| others.count(key));
            self.tenants = self.tenants.saturating_add(usize::from(is_new));
        }
        self.keeping += f64::from(chance);
        chance
    }

    /// Takes room under the cap for one record. Where there are several namespaces, a part of the room is for those that have
    /// asked for less than their share in this interval: a flood does not find it.
    fn take(&mut self, tenant: Tenant, now: u64) -> bool {
        let share = if self.tenants > 1 { self.goal * SHARED / self.tenants as f64 } else { f64::INFINITY };
        let asked = self.others_of(tenant).map(|others| {
            others.asked += 1.0;
            others.asked
        });
        let is_within = asked.is_none_or(|asked| asked <= share.max(1.0));
        self.cap.take(now, if is_within { Cap::ALL } else { 1.0 - SHARED })
    }

    /// The keys without an estimate of a namespace, which begins anew where another one had its place.
    fn others_of(&mut self, tenant: Tenant) -> Option<&mut Newcomers> {
        while self.others.len() <= tenant.group {
            self.others.push(Newcomers::of(NamespaceId::NONE));
        }
        let others = self.others.get_mut(tenant.group)?;
        if others.namespace != tenant.namespace {
            *others = Newcomers::of(tenant.namespace);
        }
        Some(others)
    }

    /// Notes the keys that get an estimate now and were among the others so far.
    fn move_new(&mut self, estimates: &[(usize, &mut Estimate)]) {
        for (group, new) in estimates.iter().filter(|(_, estimate)| estimate.chance <= 0.0) {
            if let Some(others) = self.others.get_mut(*group) {
                others.moved += f64::from(new.count);
                others.moved_keys += 1.0;
            }
        }
    }

    /// Blends the counts of the interval into the means and plans the next one.
    #[expect(clippy::manual_clamp, reason = "`clamp` prints floats when it panics: 20 kB")]
    fn close(&mut self, mut estimates: Vec<(usize, &mut Estimate)>) {
        // A rare key that by luck did not come for a while has too high a chance, and one that came too low a one; that
        // does not cancel out. What it does to the whole is measured: the share of the offered that was kept against
        // the share that was to be kept.
        if self.settled && self.alarms == 0 && self.expected > self.planned {
            let came_true = (self.keeping / self.offered) * (self.expected / self.planned);
            self.gain = (self.gain / came_true.sqrt()).max(1.0 / MOST_GAIN).min(MOST_GAIN);
        }
        // The usual mean gives the last interval half of the weight (more while there are few: the sum of the weights
        // is divided out). Where traffic jumped or broke down, the past is hardly worth anything. The weights are those
        // of the goal and not of each key: it was there and saw nothing of a key that is new. Corrected one by one, the
        // estimates of many rare keys, known only by the intervals they came in, add up to twice of what comes.
        self.weight = 0.5 + 0.5 * self.weight;
        let likeness = self.offered.min(self.expected) / self.offered.max(self.expected);
        let share = (2.0 - 2.0 * likeness).min(JUMP).max(0.5 / self.weight);
        self.settled = share < SETTLED;
        self.expected += share * (self.offered - self.expected);
        // What was new when traffic changed came with the change and stays. In any other interval, being new is habit.
        self.move_new(&estimates);
        for others in &mut self.others {
            others.close(share, self.settled);
        }
        for (_, estimate) in &mut estimates {
            estimate.close(share);
        }

        self.planned = (self.goal - self.floors).max(self.goal / 2.0);
        // What floors have kept is paid for by those that ask for more than their share.
        let budget = (self.planned, self.goal * SHARED);
        self.plan(estimates, Ahead { seen: 0.0, pace: 0.0, known: 1.0 }, self.expected, budget);
        (self.offered, self.keeping, self.floors, self.alarms) = (0.0, 0.0, 0.0, 0);
        self.set_alarm(self.goal);
    }

    /// Finds the levels at which `budget` of the `total` records ahead is kept, and sets all chances. `shared` of it is shared
    /// among namespaces first.
    fn plan(
        &mut self,
        mut estimates: Vec<(usize, &mut Estimate)>,
        ahead: Ahead,
        total: f64,
        (budget, shared): (f64, f64),
    ) {
        let others: f64 = self.others.iter().map(|others| others.estimate.ahead(&ahead)).sum();
        // New keys are among the others and have an estimate, and gone ones still have one. The whole is known better. (It
        // cannot be more than its parts, unless the caller lost estimates. Those keys come as new ones.)
        let sum: f64 = estimates.iter().map(|(_, estimate)| estimate.ahead(&ahead)).sum();
        let scale = (total / (sum + others)).min(1.0);
        let others: Vec<Offer> = self.others.iter().map(|others| others.offer(&ahead, scale)).collect();
        let [seen, pace, known] =
            [ahead.seen, ahead.pace.min(MOST_FORESEEN), ahead.known].map(|part| part * scale);
        let ahead = Ahead { seen, pace, known };
        // One clump makes no flood: a namespace that is taken for quiet too long is found out by the next plan, and one that
        // is taken for a flood would be thinned out for a whole interval.
        let patient = Ahead { seen: pace, pace, known };
        let newcomers = self.others.iter().map(|others| others.besides_estimates(&patient)).enumerate();
        let known = estimates.iter().map(|(group, estimate)| (*group, estimate.ahead(&patient)));
        let whole = by_group(newcomers.chain(known), others.len());
        let keys = estimates
            .iter()
            .map(|(group, estimate)| (*group, Offer { records: estimate.ahead(&ahead), keys: 1.0 }));
        let offers = others.iter().copied().enumerate().chain(keys);
        self.tenants = 0;
        for (newcomers, whole) in self.others.iter_mut().zip(&whole) {
            newcomers.is_expected = *whole >= f64::from(IDLE);
            self.tenants = self.tenants.saturating_add(usize::from(newcomers.is_expected));
        }
        let found =
            if total > budget { levels(budget * self.gain, (shared, &whole), offers) } else { Vec::new() };
        let level = |group: usize| found.get(group).copied().unwrap_or(f64::INFINITY);
        for (group, estimate) in &mut estimates {
            estimate.chance = chance(level(*group), estimate.ahead(&ahead));
        }
        // A key that nothing is known of brings what such keys bring, and at least the one record it comes with.
        for ((group, newcomers), offer) in self.others.iter_mut().enumerate().zip(&others) {
            newcomers.estimate.chance = chance(level(group), (offer.records / offer.keys).max(scale));
        }
    }

    /// A quarter above the plan is no accident any more. One record is: for goals below some records per interval.
    fn set_alarm(&mut self, budget: f64) {
        self.alarm = self.keeping + 1.25 * budget + 1.0;
    }
}

impl Estimate {
    /// Whether the key may be forgotten: nothing came lately, and too little before to move the level.
    pub(crate) fn is_idle(&self) -> bool {
        self.count == 0 && self.mean < IDLE
    }

    fn close(&mut self, share: f64) {
        let mean = f64::from(self.mean);
        self.mean = (mean + share * (f64::from(self.count) - mean)) as f32;
        self.count = 0;
    }

    /// The records expected in the time ahead.
    fn ahead(&self, ahead: &Ahead) -> f64 {
        (f64::from(self.count) * ahead.seen).max(f64::from(self.mean) * ahead.known)
    }
}

/// What becomes of one record counted in this interval, and of one in the mean, in the time a plan is made for.
struct Ahead {
    seen: f64,
    /// The first, if it goes on as it came.
    pace: f64,
    known: f64,
}

const NANOS: f64 = 1e9;
/// Per second; about one record in 30 years. Keeps divisors above 0.
const SLOWEST: f64 = 1e-9;
/// The part of the goal that is shared among namespaces before the rest is among all keys.
const SHARED: f64 = 0.5;
/// The part of an interval from which its pace is read at the earliest.
const BRIEFEST: f64 = 1.0 / 64.0;
/// The part of the goal that a new plan may spend however late it comes; also keeps divisors above 0.
const SHORTEST: f64 = 1.0 / 16.0;
/// The weight of an interval that was nothing like those before.
const JUMP: f64 = 0.9375;
/// The weight from which on an interval is news rather than habit.
const SETTLED: f64 = 0.6;
/// How many times as much again as has come a namespace is expected to ask for at the most.
const MOST_FORESEEN: f64 = 4.0;
/// New plans within one interval; each costs a few passes over all keys.
const MOST_ALARMS: u8 = 12;
const MOST_GAIN: f64 = 4.0;
/// Records per interval: one single record is forgotten after four intervals.
const IDLE: f32 = 1.0 / 16.0;

#[cfg(test)]
mod tests;
