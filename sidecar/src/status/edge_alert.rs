//! An alert that fires on a change only: when trouble starts, when it turns into another kind, and when it is over.
//!
//! It exists so that an outage of an hour is two lines in the log and not a thousand.

use std::time::{Duration, Instant};

/// Whether something is in trouble, and of which kind.
#[derive(Debug, Default)]
pub(super) struct EdgeAlert(Option<Trouble>);

#[derive(Debug)]
struct Trouble {
    kind: &'static str,
    since: Instant,
    times: u64,
}

impl EdgeAlert {
    /// Notes trouble of this kind. Returns whether that is a change.
    pub(super) fn bad(&mut self, kind: &'static str, now: Instant) -> bool {
        match &mut self.0 {
            Some(trouble) => {
                trouble.times = trouble.times.saturating_add(1);
                std::mem::replace(&mut trouble.kind, kind) != kind
            }
            None => {
                self.0 = Some(Trouble { kind, since: now, times: 1 });
                true
            }
        }
    }

    /// Notes that all is well. If that is a change, returns how long the trouble lasted and how often it was noted.
    pub(super) fn good(&mut self, now: Instant) -> Option<(Duration, u64)> {
        let trouble = self.0.take()?;
        Some((now.saturating_duration_since(trouble.since), trouble.times))
    }
}
