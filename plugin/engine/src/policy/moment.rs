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

impl Moment {
    pub(crate) fn new(now: Now, event: EventTime) -> Moment {
        let (now, event) = (now.0, event.as_nanos());
        Moment { now, event, is_late: now.saturating_sub(event) > LATE }
    }
}

/// How much later than it happened a record comes at the most to be measured by the clock, in nanoseconds.
const LATE: u64 = 60_000_000_000;
