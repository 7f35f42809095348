//! A rate with a burst, as one timestamp: the generic cell rate algorithm.
//!
//! Source: ITU-T I.371; the same as a token bucket that is filled continuously. `tat` is when the bucket will be full
//! again. In every window of length t at most `burst + rate * t` passes. Rounding is always against the record, so that
//! holds exactly.
//!
//! A record that is larger than the whole burst could never pass: it does when the bucket is full, and the bucket is in
//! debt then.

use crate::moment::ByLateness;
use crate::policy::keyed::Forgettable;
use crate::policy::nanos;
use crate::yaml::{Rate, Unit};
use std::num::NonZeroU64;

/// A rate with its burst, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GcraRate {
    unit: Unit,
    /// What one record or byte costs.
    each: f64,
    /// What an idle key may take at once.
    burst: u64,
    /// Largest debt that can come about: a full burst and one report behind it. More is a clock that was set back.
    most: u64,
}

/// A key's bucket, for records in time and for late ones.
pub(crate) type Buckets = ByLateness<Bucket>;

/// When a bucket will be full again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket(u64);

impl GcraRate {
    pub(crate) fn new(rate: &Rate, burst: NonZeroU64) -> GcraRate {
        let each = nanos(rate.per) as f64 / rate.amount.get() as f64;
        // A record's cost is whole, so that a burst holds exactly as many as it says.
        let each = if rate.unit == Unit::Records { each.ceil() } else { each };
        let largest = match rate.unit {
            Unit::Records => CONTINUATION,
            Unit::Bytes => LARGEST,
        };
        let nanos = |amount: f64| (amount * each).ceil() as u64;
        let burst = nanos(burst.get() as f64).min(FAR);
        GcraRate { unit: rate.unit, each, burst, most: burst.saturating_add(nanos(largest)).min(FAR) }
    }

    fn cost(&self, bytes: u64) -> u64 {
        match self.unit {
            Unit::Records => self.each as u64,
            Unit::Bytes => (bytes as f64 * self.each).ceil() as u64,
        }
    }
}

impl Bucket {
    /// Takes a record's cost if there is room.
    pub(crate) fn take(&mut self, rate: &GcraRate, bytes: u64, now: u64) -> bool {
        let fits = self.has_room(rate, bytes, now);
        if fits {
            self.0 = self.0.max(now).saturating_add(rate.cost(bytes));
        }
        fits
    }

    /// Whether there is room for a record.
    pub(crate) fn has_room(&mut self, rate: &GcraRate, bytes: u64, now: u64) -> bool {
        let wait = self.wait(rate, now);
        wait == 0 || wait.saturating_add(rate.cost(bytes)) <= rate.burst
    }

    /// Takes a record's cost, whether there is room or not, up to the largest debt that one report can make; whether it did.
    pub(crate) fn owe(&mut self, rate: &GcraRate, bytes: u64, now: u64) -> bool {
        let owed = self.wait(rate, now).saturating_add(rate.cost(bytes));
        let fits = owed <= rate.most;
        if fits {
            self.0 = now.saturating_add(owed);
        }
        fits
    }

    /// How long until the bucket is full. A clock that goes back grants nothing, and does not close the bucket for as long
    /// as it went back either.
    fn wait(&mut self, rate: &GcraRate, now: u64) -> u64 {
        self.0 = self.0.min(now.saturating_add(rate.most));
        self.0.saturating_sub(now)
    }
}

impl Forgettable for Buckets {
    type Settings = GcraRate;

    fn is_idle(&self, rate: &GcraRate, now: u64, late: Option<u64>) -> bool {
        // What lies farther ahead than any debt can is from before the clock was set back.
        let is_full = |bucket: &Bucket, now: u64| bucket.0 <= now || bucket.0 > now.saturating_add(rate.most);
        is_full(&self.in_time, now) && late.is_none_or(|late| is_full(&self.late, late))
    }
}

/// Lines that a stack trace has at most by default: they come whole.
const CONTINUATION: f64 = 500.0;
/// Bytes of a record that is not cut.
const LARGEST: f64 = 1_000_000.0;
/// A year.
const FAR: u64 = 31_536_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn gcra(unit: Unit, amount: u64, burst: u64) -> GcraRate {
        let whole = |number| NonZeroU64::new(number).unwrap();
        let per_second = Rate { unit, amount: whole(amount), per: Duration::from_secs(1) };
        GcraRate::new(&per_second, whole(burst))
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn an_idle_key_passes_exactly_its_burst_and_then_its_rate() {
        let rate = gcra(Unit::Records, 20, 200);
        let mut bucket = Bucket::default();
        let at = |bucket: &mut Bucket, now: u64| (0..1000).filter(|_| bucket.take(&rate, 1, now)).count();
        assert_eq!(at(&mut bucket, SECOND), 200);
        assert_eq!(at(&mut bucket, SECOND + 49_999_999), 0);
        assert_eq!(at(&mut bucket, SECOND + 50_000_000), 1);
        assert_eq!(at(&mut bucket, 2 * SECOND), 19);
        assert_eq!(at(&mut bucket, 1000 * SECOND), 200);
    }

    #[test]
    fn a_record_larger_than_the_burst_passes_when_the_bucket_is_full_and_is_paid_for() {
        let rate = gcra(Unit::Bytes, 1000, 500);
        let mut bucket = Bucket::default();
        assert!(bucket.take(&rate, 3000, SECOND));
        assert!(!bucket.take(&rate, 1, SECOND + 2_500_000_000), "2,500 bytes of debt");
        assert!(bucket.take(&rate, 1, SECOND + 2_501_000_000));
        assert!(!bucket.take(&rate, 500, 4 * SECOND) && bucket.take(&rate, 500, 4 * SECOND + 1_000_000));
    }

    #[test]
    fn a_clock_that_goes_back_grants_nothing_and_is_caught_up_with() {
        let rate = gcra(Unit::Records, 10, 10);
        let mut bucket = Bucket::default();
        let day = 86_400 * SECOND;
        assert_eq!((0..20).filter(|_| bucket.take(&rate, 1, day)).count(), 10);
        assert!(!bucket.take(&rate, 1, SECOND));
        let waited = (1..).find(|second| bucket.take(&rate, 1, second * SECOND)).unwrap();
        assert!(waited <= 52, "{waited} s: the largest debt, not a day");
    }

    proptest! {
        /// The law: in every window of length t at most burst + t / tau pass.
        #[test]
        fn no_window_has_more_than_burst_and_rate(
            amount in 1u64..2000, burst in 1u64..50,
            steps in prop::collection::vec(prop_oneof![Just(0u64), 0..2_000_000u64, 0..400_000_000u64], 1..200),
        ) {
            let rate = gcra(Unit::Records, amount, burst);
            let tau = SECOND.div_ceil(amount);
            let mut bucket = Bucket::default();
            let mut now = SECOND;
            let mut passed = Vec::new();
            for step in steps {
                now += step;
                if bucket.take(&rate, 1, now) {
                    passed.push(now);
                }
            }
            for (index, from) in passed.iter().enumerate() {
                for (more, to) in passed.iter().enumerate().skip(index) {
                    let window = to - from;
                    prop_assert!((more - index + 1) as u64 <= burst + window / tau);
                }
            }
        }

        /// A slow reference: a bucket of tokens in exact fractions.
        #[test]
        fn agrees_with_a_bucket_of_tokens(
            burst in 1u64..20, steps in prop::collection::vec(0u64..40, 1..200),
        ) {
            // 10 a second: tau is 100 ms, and time is in whole 10 ms, so that tenths of a token are exact.
            let rate = gcra(Unit::Records, 10, burst);
            let mut bucket = Bucket::default();
            let (mut now, mut tenths) = (SECOND, burst * 10);
            for step in steps {
                now += step * 10_000_000;
                tenths = (tenths + step).min(burst * 10);
                let expected = tenths >= 10;
                if expected {
                    tenths -= 10;
                }
                prop_assert_eq!(bucket.take(&rate, 1, now), expected);
            }
        }

        #[test]
        fn steady_overload_passes_burst_and_rate(amount in 1u64..500, burst in 2u64..100, seconds in 1u64..20) {
            let rate = gcra(Unit::Records, amount, burst);
            let mut bucket = Bucket::default();
            let gap = SECOND / (amount * 5);
            let offered = seconds * SECOND / gap;
            let passed = (0..offered).filter(|n| bucket.take(&rate, 1, SECOND + n * gap)).count() as u64;
            let expected = offered.min(burst + seconds * amount);
            prop_assert!(passed.abs_diff(expected) <= 1 + seconds, "{passed} of {offered}");
        }
    }
}
