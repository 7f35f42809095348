//! When the records were written: the spans of the time axis, and how long it took.
//!
//! The rule it keeps: a few times far from all others have no influence. The axis leaves out a hundredth at either end where that makes
//! it four times shorter, so that the rest can be seen; the cost of a month leaves out only times that are implausible.

use crate::inputs::Record;

/// Spans of time.
pub(super) const MAX_SPANS: usize = 60;
/// What spans are long, in seconds.
const STEPS: [u64; 17] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400, 604_800];

/// Equal spans of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans {
    pub(super) start: u64,
    pub(super) step: u64,
    pub(super) count: usize,
}

impl Spans {
    /// Over where records are; a few with a time of their own do not stretch it.
    pub(super) fn over(records: &[Record]) -> Spans {
        let mut seconds: Vec<u64> = records.iter().map(|record| u64::from(record.time.0)).collect();
        seconds.sort_unstable();
        let (Some(&first), Some(&last)) = (seconds.first(), seconds.last()) else { return Spans::default() };
        let outliers = seconds.len() / 100;
        let low = seconds.get(outliers).copied().unwrap_or(first);
        let high = seconds.iter().rev().nth(outliers).copied().unwrap_or(last);
        let all = last.saturating_sub(first);
        let most = high.saturating_sub(low).max(1);
        let (first, last) = if all / 4 > most { (low, high) } else { (first, last) };
        let number = |time: u64, step: u64| time.checked_div(step).unwrap_or_default();
        let fits = |step: &u64| number(last, *step).saturating_sub(number(first, *step)) < MAX_SPANS as u64;
        let longest = last.saturating_sub(first).div_ceil(MAX_SPANS as u64).saturating_add(1);
        let step = STEPS.into_iter().find(|step| fits(step)).unwrap_or(longest).max(1);
        let start = number(first, step).saturating_mul(step);
        let count = number(last.saturating_sub(start), step).saturating_add(1);
        Spans { start, step, count: usize::try_from(count).unwrap_or(MAX_SPANS) }
    }

    /// The span that a time is in, the first or last if it is in none.
    pub(super) fn of(&self, seconds: u64) -> usize {
        let span = seconds.saturating_sub(self.start).checked_div(self.step).unwrap_or_default();
        usize::try_from(span).unwrap_or(usize::MAX).min(self.count.saturating_sub(1))
    }
}

/// When records were written, in seconds since 1970: from the first to the last that has a time, but for one in a hundred at either end
/// (and one of fewer) that is months from all others: a clock that was wrong. Not where most have no time.
pub(super) fn written(records: &[Record]) -> Option<(f64, f64)> {
    let mut times: Vec<u64> = records.iter().map(Record::nanoseconds).filter(|time| *time != 0).collect();
    if times.len() < records.len().saturating_sub(times.len()) {
        return None;
    }
    times.sort_unstable();
    let odd = times.len().div_ceil(100);
    let is_far = |pair: &[u64]| matches!(pair, [one, next] if next.saturating_sub(*one) > FAR);
    let first = times.windows(2).take(odd).rposition(is_far).map_or(0, |at| at.saturating_add(1));
    let from_end = times.windows(2).rev().take(odd).rposition(is_far).map_or(0, |at| at.saturating_add(1));
    let seconds = |time: &u64| *time as f64 / SECOND as f64;
    let (first, last) = (times.get(first)?, times.iter().rev().nth(from_end)?);
    (first <= last).then(|| (seconds(first), seconds(last)))
}

/// 30 days.
const FAR: u64 = 30 * 86_400 * SECOND;
const SECOND: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_wrong_does_not_stretch_what_is_known_of_a_month() {
        let span = |seconds: &[u32]| {
            let record =
                |second: &u32| Record { tag: String::new(), time: (*second, 0), text: String::new() };
            let records: Vec<Record> = seconds.iter().map(record).collect();
            written(&records).map_or(0.0, |(first, last)| last - first)
        };
        const DAY: u32 = 86_400;
        let now = 1_800_000_000;
        assert_eq!(span(&[now, now + 5, now + 90]), 90.0);
        // One far away, before or behind, is left out; a burst with hours of quiet behind it is not.
        assert_eq!(span(&[5, now, now + 90]), 90.0);
        assert_eq!(span(&[now, now + 90, now + 1000 * DAY]), 90.0);
        let burst: Vec<u32> = (0..991).map(|n| now + n / 50).chain((1..10).map(|n| now + n * 3600)).collect();
        assert_eq!(span(&burst), 9.0 * 3600.0);
        // Without a time: not counted while they are few, and where they are most nothing is known.
        assert_eq!(span(&[0, now, now + 90]), 90.0);
        assert_eq!(span(&[0, 0, now]), 0.0);
        assert_eq!((span(&[]), span(&[0]), span(&[now])), (0.0, 0.0, 0.0));
    }
}
