//! Windows that start with their first record: for `first`, `dedup` and floors.
//!
//! Tumbling, and not aligned to the clock: a key that is quiet has none open, so its next record is the first of a new
//! one. A clock that goes back keeps the window open for its length from then on.

use crate::moment::ByLateness;
use crate::policy::keyed::Forgettable;

/// A key's window, for records in time and for late ones.
pub(crate) type Windows = ByLateness<Window>;

/// A window and what it has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    /// When it started; 0 when there is none.
    start: u64,
    seen: u64,
}

impl Window {
    /// Counts a record; whether it is the first of a window of length `per`, in nanoseconds.
    pub(crate) fn enter(&mut self, now: u64, per: u64) -> bool {
        let is_new = self.is_over(now, per);
        if is_new {
            self.seen = 0;
        }
        if is_new || now < self.start {
            self.start = now.max(1);
        }
        self.seen = self.seen.saturating_add(1);
        is_new
    }

    /// Records of this window so far.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// Starts a window now, whatever was before.
    pub(crate) fn restart(&mut self, now: u64) {
        *self = Window { start: now.max(1), seen: 1 };
    }

    /// As [`Window::is_over`], for whoever does not enter: a clock that goes back keeps the window open for its length from
    /// then on.
    pub(crate) fn has_ended(&mut self, now: u64, per: u64) -> bool {
        if self.start > now {
            self.start = now.max(1);
        }
        self.is_over(now, per)
    }

    /// Whether no window is open.
    pub(crate) fn is_over(&self, now: u64, per: u64) -> bool {
        self.start == 0 || now >= self.start.saturating_add(per)
    }
}

impl Forgettable for Windows {
    /// The length, in nanoseconds.
    type Settings = u64;

    fn is_idle(&self, per: &u64, now: u64, late: Option<u64>) -> bool {
        // One that starts after now is from before the clock was set back.
        let is_idle =
            |window: &Window, now: u64| window.is_over(now, *per) || window.start > now.saturating_add(*per);
        is_idle(&self.in_time, now) && late.is_none_or(|late| is_idle(&self.late, late))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_window_ends_exactly_when_it_is_over() {
        let mut window = Window::default();
        assert!(window.enter(50, 100));
        assert!(!window.enter(149, 100));
        assert!(window.enter(150, 100));
        assert!(!window.enter(20, 100), "a clock that goes back opens none");
        assert!(!window.enter(119, 100));
        assert!(window.enter(120, 100));
    }

    #[test]
    fn a_window_may_start_at_time_zero() {
        let mut window = Window::default();
        assert!(window.enter(0, 100));
        assert!(!window.enter(0, 100));
    }

    proptest! {
        #[test]
        fn a_permanent_repeater_gives_one_record_a_window(gap in 1u64..50, per in 1u64..500) {
            let mut window = Window::default();
            let times: Vec<u64> = (0..2000).map(|n| 1 + n * gap).filter(|now| window.enter(*now, per)).collect();
            let expected = per.div_ceil(gap) * gap;
            prop_assert!(times.windows(2).all(|pair| pair[1] - pair[0] == expected));
        }
    }
}
