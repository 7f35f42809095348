//! A trouble that is told once.

use std::time::{Duration, Instant};

/// Whether something is in trouble, and in which.
#[derive(Debug, Default)]
pub(super) struct EdgeAlert(Option<Trouble>);

#[derive(Debug)]
struct Trouble {
    kind: &'static str,
    since: Instant,
    times: u64,
}

impl EdgeAlert {
    /// It is in trouble of this kind. Whether that is news.
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

    /// All is well. If that is news: how long it was not, and how often.
    pub(super) fn good(&mut self, now: Instant) -> Option<(Duration, u64)> {
        let trouble = self.0.take()?;
        Some((now.saturating_duration_since(trouble.since), trouble.times))
    }
}
