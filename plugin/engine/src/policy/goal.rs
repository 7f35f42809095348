//! Keeps about so many records per second of a rule, shared fairly over its keys: `target: {rate: 100/s, by: pod}`.
//!
//! Source: the dynamic samplers of dynsampler-go (`EMAThroughput`), without the defects found there. Keys beyond the
//! table share one bucket that is counted like a key (there: kept 1:1 and not counted). Estimates do not start at
//! zero. Nothing has a floor of one record per key and interval, so many rare keys do not add up to a multiple of
//! the goal. Chances are fractions (there: integer rates, off by up to 2). A new key is never 1:1 for long: when an
//! interval keeps more than planned, the plan is made anew at once.
//!
//! The rule kept here: a *level* is found so that the sum over all keys of min(expected records, level) is the goal.
//! A key expected below the level is kept entirely, one above it with the chance level / expected. Whatever the
//! estimates say, no t seconds keep more than one interval's goal + 1.2 · rate · t + 1 records.
//!
//! No clock, no random device and no table: the caller brings time, draws and the estimates.

mod distinct;

use distinct::Distinct;

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
    /// The keys without an estimate of their own: all of their records, how many keys they are.
    other: Estimate,
    other_keys: Distinct,
    other_keys_mean: f64,
    /// Those of them that have an estimate since: they will not be among them again.
    moved: f64,
    moved_keys: f64,
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
            other: Estimate { chance: 1.0, ..Estimate::default() },
            other_keys: Distinct::default(),
            other_keys_mean: 0.0,
            moved: 0.0,
            moved_keys: 0.0,
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

    /// Closes the interval if it is over, and gives every estimate its chance for the time ahead. The caller may then
    /// forget the estimates that are idle.
    pub(crate) fn roll<'a>(&mut self, now: u64, estimates: impl Iterator<Item = &'a mut Estimate>) {
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
            let seen = (ahead / past.max(BRIEFEST)).max(1.0);
            let total = (self.offered * seen).max(self.expected * ahead);
            let budget = self.goal * ahead.max(SHORTEST);
            self.move_new(&estimates);
            self.plan(estimates, Ahead { seen, known: ahead }, total, budget);
            self.set_alarm(budget);
        }
    }

    /// Decides one record. `draw` is uniform in [0, 1); `key` is the hash of the key, `estimate` what is known of it,
    /// `None` for a key that found no place.
    pub(crate) fn offer(&mut self, key: u64, estimate: Option<&mut Estimate>, now: u64, draw: f64) -> bool {
        let chance = self.count(key, estimate, now);
        draw < f64::from(chance) && self.cap.take(now)
    }

    /// A line that shares the fate of one decided before: counted, but not decided here.
    pub(crate) fn follow(&mut self, key: u64, estimate: Option<&mut Estimate>, now: u64, kept: bool) {
        self.count(key, estimate, now);
        if kept {
            self.cap.charge(now);
        }
    }

    /// Whether the cap has room for a record that a floor wants to keep although the draw said no. Takes the room.
    pub(crate) fn admit_floor(&mut self, now: u64) -> bool {
        let admitted = self.cap.take(now);
        self.floors += f64::from(u8::from(admitted));
        admitted
    }

    /// Counts one record and returns its chance.
    fn count(&mut self, key: u64, estimate: Option<&mut Estimate>, now: u64) -> f32 {
        // The clock was set back: the interval begins again, or it would last until the old time is reached.
        self.start = self.start.min(now);
        self.offered += 1.0;
        let mut chance = 0.0;
        if let Some(estimate) = estimate {
            estimate.count = estimate.count.saturating_add(1);
            chance = estimate.chance;
        }
        if chance <= 0.0 {
            self.other.count = self.other.count.saturating_add(1);
            self.other_keys.insert(key);
            chance = self.other.chance;
        }
        self.keeping += f64::from(chance);
        chance
    }

    /// Notes the keys that get an estimate now and were among the others so far.
    fn move_new(&mut self, estimates: &[&mut Estimate]) {
        for new in estimates.iter().filter(|estimate| estimate.chance <= 0.0) {
            self.moved += f64::from(new.count);
            self.moved_keys += 1.0;
        }
    }

    /// Blends the counts of the interval into the means and plans the next one.
    #[expect(clippy::manual_clamp, reason = "`clamp` prints floats when it panics: 20 kB")]
    fn close(&mut self, mut estimates: Vec<&mut Estimate>) {
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
        if self.settled {
            (self.moved, self.moved_keys) = (0.0, 0.0);
        }
        let other_keys = (self.other_keys.take() - self.moved_keys).max(0.0);
        self.other_keys_mean += share * (other_keys - self.other_keys_mean);
        self.other.count = self.other.count.saturating_sub(self.moved as u32);
        (self.moved, self.moved_keys) = (0.0, 0.0);
        self.other.close(share);
        for estimate in &mut estimates {
            estimate.close(share);
        }

        self.planned = (self.goal - self.floors).max(self.goal / 2.0);
        self.plan(estimates, Ahead { seen: 0.0, known: 1.0 }, self.expected, self.planned);
        (self.offered, self.keeping, self.floors, self.alarms) = (0.0, 0.0, 0.0, 0);
        self.set_alarm(self.goal);
    }

    /// Finds the level at which `budget` of the `total` records ahead is kept, and sets all chances.
    fn plan(&mut self, mut estimates: Vec<&mut Estimate>, ahead: Ahead, total: f64, budget: f64) {
        let other = self.other.ahead(&ahead);
        let other_keys = self.other_keys.count.max(self.other_keys_mean).min(other).max(SHORTEST);
        // New keys are in `other` and have an estimate, and gone ones still have one. The whole is known better. (It
        // cannot be more than its parts, unless the caller lost estimates. Those keys come as new ones.)
        let sum: f64 = estimates.iter().map(|estimate| estimate.ahead(&ahead)).sum();
        let scale = (total / (sum + other)).min(1.0);
        let ahead = Ahead { seen: ahead.seen * scale, known: ahead.known * scale };
        let other = Offer { records: other * scale, keys: other_keys };
        let keys = estimates.iter().map(|estimate| Offer { records: estimate.ahead(&ahead), keys: 1.0 });
        let level =
            if total > budget { level(budget * self.gain, keys.chain([other])) } else { f64::INFINITY };
        for estimate in &mut estimates {
            estimate.chance = chance(level, estimate.ahead(&ahead));
        }
        // A key that nothing is known of brings what such keys bring, and at least the one record it comes with.
        self.other.chance = chance(level, (other.records / other.keys).max(scale));
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
    known: f64,
}

/// Records expected of a number of keys.
#[derive(Clone, Copy)]
struct Offer {
    records: f64,
    keys: f64,
}

/// The level at which the sum of keys · min(records / keys, level) is `budget`; infinite when all records fit.
///
/// Newton's method from below on a concave line of straight pieces. Each pass at least halves the missing rest or the
/// keys above the level, so single precision is reached in log4(keys · 2^24) passes: 18 for 4,096 keys, usually 2 or 3.
fn level(budget: f64, sources: impl Iterator<Item = Offer> + Clone) -> f64 {
    let mut level = 0.0;
    for _ in 0..MOST_PASSES {
        let (mut rest, mut keys) = (budget, 0.0);
        for source in sources.clone() {
            if source.records <= level * source.keys {
                rest -= source.records;
            } else {
                keys += source.keys;
            }
        }
        if keys <= 0.0 {
            return f64::INFINITY;
        }
        let next = rest / keys;
        if next <= level {
            break;
        }
        level = next;
    }
    level
}

/// Never 0, which means that there is none.
fn chance(level: f64, records: f64) -> f32 {
    if records <= level { 1.0 } else { ((level / records) as f32).max(f32::MIN_POSITIVE) }
}

/// A token bucket as one time stamp (GCRA): `full_at` runs ahead of the clock by one `step` per record kept.
#[derive(Debug)]
struct Cap {
    step: u64,
    /// How far ahead a record may find it, and how far it can get at all.
    room: u64,
    most: u64,
    full_at: u64,
}

impl Cap {
    fn new(per_second: f64, burst: f64) -> Cap {
        // Rounded towards fewer records. The casts saturate.
        let step = (NANOS / (per_second * HEADROOM)).ceil() as u64;
        let burst = (burst as u64).saturating_add(1);
        let room = step.saturating_mul(burst.saturating_sub(1));
        let most = step.saturating_mul(burst.saturating_mul(2));
        Cap { step, room, most, full_at: 0 }
    }

    fn take(&mut self, now: u64) -> bool {
        self.clamp(now);
        let fits = self.full_at <= now.saturating_add(self.room);
        if fits {
            self.charge(now);
        }
        fits
    }

    /// Takes the room whether it is there or not.
    fn charge(&mut self, now: u64) {
        self.full_at = self.full_at.max(now).saturating_add(self.step);
        self.clamp(now);
    }

    /// More debt than `most` comes from a clock that was set back, or from endless lines that follow.
    fn clamp(&mut self, now: u64) {
        self.full_at = self.full_at.min(now.saturating_add(self.most));
    }
}

const NANOS: f64 = 1e9;
/// Per second; about one record in 30 years. Keeps divisors above 0.
const SLOWEST: f64 = 1e-9;
/// The cap lies this much above the goal: estimates may err a little, a bill may not.
const HEADROOM: f64 = 1.2;
/// The part of an interval from which its pace is read at the earliest.
const BRIEFEST: f64 = 1.0 / 64.0;
/// The part of the goal that a new plan may spend however late it comes; also keeps divisors above 0.
const SHORTEST: f64 = 1.0 / 16.0;
/// The weight of an interval that was nothing like those before.
const JUMP: f64 = 0.9375;
/// The weight from which on an interval is news rather than habit.
const SETTLED: f64 = 0.6;
/// New plans within one interval; each costs a few passes over all keys.
const MOST_ALARMS: u8 = 12;
const MOST_PASSES: u8 = 32;
const MOST_GAIN: f64 = 4.0;
/// Records per interval: one single record is forgotten after four intervals.
const IDLE: f32 = 1.0 / 16.0;
#[cfg(test)]
mod tests;
