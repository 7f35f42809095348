//! When a record comes and when it happened.
//!
//! Limits follow the time of arrival, because that is what the bill and the disk see. Only what comes long after it
//! happened (the backlog after an outage, which arrives all at once) is measured by its own time, with a state and a clock of its own:
//! it would be one burst otherwise, and nearly all of it dropped.

use crate::time::{EventTime, Now};

/// The time of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// The clock, in nanoseconds since 1970.
    pub(crate) now: u64,
    /// When it happened, likewise.
    pub(crate) event: u64,
    /// Whether the two are more than [`LATE`] apart.
    pub(crate) is_late: bool,
}

/// A state for records in time and one for late ones.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ByLateness<T> {
    pub(crate) in_time: T,
    pub(crate) late: T,
}

impl<T> ByLateness<T> {
    /// The one by which a record is measured.
    #[inline]
    pub(crate) fn of(&mut self, moment: &Moment) -> &mut T {
        if moment.is_late { &mut self.late } else { &mut self.in_time }
    }
}

impl Moment {
    pub(crate) fn new(now: Now, event: EventTime) -> Moment {
        let (now, event) = (now.0, event.as_nanos());
        Moment { now, event, is_late: now.saturating_sub(event) > LATE }
    }
}

/// How much later than it happened a record comes at the most to be measured by the clock, in nanoseconds.
const LATE: u64 = 60_000_000_000;

/// A clock for late records. It never goes back, although their times do (several files are read by turns), and goes on with
/// the time of arrival, so that no backlog waits for ever behind one that was read before it, and none for a container whose
/// own clock stands still.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LateClock {
    /// In event time; 0 when there was no late record.
    event: u64,
    /// When that was, by the clock.
    at: u64,
    /// Where the clock that all keys of a goal share stood then ([`SharedLateClock`]).
    shared: u64,
}

impl LateClock {
    /// What it shows at a time of arrival; `None` when there was no late record.
    pub(crate) fn at(&self, now: u64) -> Option<u64> {
        (self.event > 0).then(|| self.event.saturating_add(now.saturating_sub(self.at)))
    }

    /// The time by which a record is measured.
    pub(crate) fn measure(&mut self, moment: &Moment) -> u64 {
        if !moment.is_late {
            return moment.now;
        }
        self.event = self.at(moment.now).unwrap_or_default().max(moment.event);
        self.at = moment.now;
        self.event
    }
}

/// The clock for late records of what many keys share, such as a goal.
///
/// The files of a backlog are read one after the other, each from its start, so that the times of one lie long before those
/// of another that has been read. The latest of all times would stand still for all files but the first, and throw their
/// backlogs away. So each key brings its own progress along: it starts where the clock stands when the key comes, and the
/// clock is as far as the farthest of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SharedLateClock {
    position: u64,
    at: u64,
}

impl SharedLateClock {
    /// Goes on by what a record's key has gone on since its last one, and says where it is. `own` is the key's clock.
    pub(crate) fn measure(&mut self, own: &mut LateClock, moment: &Moment) -> u64 {
        let known = (own.event > 0).then_some(*own);
        let event = own.measure(moment);
        let elapsed = moment.now.saturating_sub(self.at);
        let now = if self.position == 0 { event } else { self.position.saturating_add(elapsed) };
        let reached = match known {
            Some(before) => before.shared.saturating_add(event.saturating_sub(before.event)),
            None => now,
        };
        // One that is far behind goes on from here: what others have used up in the meantime was not its time.
        own.shared = if reached.saturating_add(LATE) < now { now } else { reached };
        self.position = now.max(own.shared);
        self.at = moment.now;
        self.position
    }

    /// Where it stands.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }
}
