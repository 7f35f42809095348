//! The most that a goal keeps, whatever its estimates say.

use super::NANOS;

/// A token bucket as one time stamp (GCRA): `full_at` runs ahead of the clock by one `step` per record kept.
#[derive(Debug)]
pub(super) struct Cap {
    step: u64,
    /// How far ahead a record may find it, and how far it can get at all.
    room: u64,
    most: u64,
    pub(super) full_at: u64,
}

impl Cap {
    /// The room that there is.
    pub(super) const ALL: f64 = 1.0;

    pub(super) fn new(per_second: f64, burst: f64) -> Cap {
        // Rounded towards fewer records. The casts saturate.
        let step = (NANOS / (per_second * HEADROOM)).ceil() as u64;
        let burst = (burst as u64).saturating_add(1);
        let room = step.saturating_mul(burst.saturating_sub(1));
        let most = step.saturating_mul(burst.saturating_mul(2));
        Cap { step, room, most, full_at: 0 }
    }

    /// Takes room for one record, if there is any in this part of it.
    pub(super) fn take(&mut self, now: u64, part: f64) -> bool {
        self.clamp(now);
        let room = if part < Cap::ALL { (self.room as f64 * part) as u64 } else { self.room };
        let fits = self.full_at <= now.saturating_add(room);
        if fits {
            self.charge(now);
        }
        fits
    }

    /// Takes the room whether it is there or not.
    pub(super) fn charge(&mut self, now: u64) {
        self.full_at = self.full_at.max(now).saturating_add(self.step);
        self.clamp(now);
    }

    /// More debt than `most` comes from a clock that was set back, or from endless lines that follow.
    fn clamp(&mut self, now: u64) {
        self.full_at = self.full_at.min(now.saturating_add(self.most));
    }
}

/// The cap lies this much above the goal: estimates may err a little, a bill may not.
const HEADROOM: f64 = 1.2;
