//! The virtual clock of a run: it follows the records' own times, with a tick for every second of them.
//!
//! The rule it keeps: time never goes back, and the same records give the same ticks.

use nodesieve_engine::config::RuleFile;
use std::time::Duration;

/// What the tick input sends.
pub const TICK: &[u8] = br#"{"node":"replay"}"#;
/// Longest gap between two records that is filled with a tick a second; a longer one is jumped over.
const MAX_TICKS_PER_GAP: u64 = 3600;
/// Summaries at the end of a run: far more than there are rules.
const MAX_SUMMARIES: usize = 10_000;

/// What a tick was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticked {
    /// Seconds since 1970.
    pub seconds: u32,
    /// The summary.
    pub summary: Vec<u8>,
}

/// The clock.
#[derive(Clone, Debug, Default)]
pub struct VirtualClock {
    first: Option<u64>,
    now: u64,
    /// The time of the last record.
    last: u64,
    ticks: u64,
}

impl VirtualClock {
    /// Nanoseconds since 1970.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// How often it has ticked.
    pub fn ticks(&self) -> u64 {
        self.ticks
    }

    /// Seconds between the first and the last record.
    pub fn span_seconds(&self) -> f64 {
        self.first.map_or(0.0, |first| self.last.saturating_sub(first) as f64 / SECOND as f64)
    }

    /// Advances to a record's time in nanoseconds, with a tick at every second on the way. `tick` gets the time and returns a
    /// summary if there is one.
    pub fn advance(
        &mut self,
        to: u64,
        mut tick: impl FnMut(u64) -> Option<Vec<u8>>,
        summaries: &mut Vec<Ticked>,
    ) {
        if self.first.is_none() {
            self.first = Some(to);
            self.now = to;
        }
        let next_second = |now: u64| (now / SECOND).saturating_add(1).saturating_mul(SECOND);
        while next_second(self.now) <= to {
            let is_jump = to.saturating_sub(self.now) / SECOND > MAX_TICKS_PER_GAP;
            self.now = if is_jump {
                to.saturating_sub(MAX_TICKS_PER_GAP.saturating_mul(SECOND))
            } else {
                next_second(self.now)
            };
            summaries.extend(self.tick(&mut tick));
        }
        self.now = self.now.max(to);
        self.last = self.now;
    }

    /// Ticks until everything is summed up, and once more when the filter writes its metrics.
    pub fn finish(
        &mut self,
        rules: &RuleFile,
        mut tick: impl FnMut(u64) -> Option<Vec<u8>>,
        summaries: &mut Vec<Ticked>,
    ) {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4);
        if self.ticks == 0 {
            // Records of less than a second: summaries are counted from the first tick.
            summaries.extend(self.tick(&mut tick));
        }
        for wait in rules.summary.into_iter().chain([rules.metrics.every]) {
            self.now = self.now.saturating_add(nanos(wait)).saturating_add(SECOND);
            // Counts for which one summary has no room come with the next tick.
            while let Some(summary) = self.tick(&mut tick) {
                summaries.push(summary);
                self.now = self.now.saturating_add(SECOND);
                if summaries.len() >= MAX_SUMMARIES {
                    break;
                }
            }
        }
    }

    fn tick(&mut self, tick: &mut impl FnMut(u64) -> Option<Vec<u8>>) -> Option<Ticked> {
        self.ticks = self.ticks.saturating_add(1);
        let seconds = u32::try_from(self.now / SECOND).unwrap_or(u32::MAX);
        tick(self.now).map(|summary| Ticked { seconds, summary })
    }
}

const SECOND: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_tick_at_every_second_and_none_over_a_long_gap() {
        let mut clock = VirtualClock::default();
        let mut seen = Vec::new();
        let mut to = |clock: &mut VirtualClock, nanoseconds| {
            clock.advance(
                nanoseconds,
                |now| {
                    seen.push(now);
                    None
                },
                &mut Vec::new(),
            );
        };
        to(&mut clock, 1_500_000_000);
        to(&mut clock, 3_000_000_000);
        to(&mut clock, 2_000_000_000);
        assert_eq!((clock.now(), clock.ticks()), (3_000_000_000, 2));
        to(&mut clock, 100_000_000_000_000);
        assert_eq!(
            (seen[0], seen[1], clock.ticks()),
            (2_000_000_000, 3_000_000_000, 2 + 1 + MAX_TICKS_PER_GAP)
        );
        assert!((clock.span_seconds() - 99_998.5).abs() < 1e-9);
    }
}
