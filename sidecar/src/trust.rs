//! Whether a list of pods is plausible.
//!
//! A kubelet that has just been restarted answers with no pods, or with the static ones only, until it has heard from
//! the API server again. The rule kept here: an empty list is never plausible, because the sidecar itself runs on the
//! node; and a list that has suddenly lost most of its pods is plausible only when the loss lasts, or when a pod in it can only be
//! known from the API server.

use std::time::{Duration, Instant};

/// Why a list is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// There are no pods in it, although the sidecar's own pod is on the node.
    #[error("believe pod list: it is empty")]
    Empty,
    /// It has lost more than half of the pods.
    #[error("believe pod list: {pods} pods where there were {before}")]
    Shrunk {
        /// Pods in the list.
        pods: usize,
        /// Pods in the last list that was believed.
        before: usize,
    },
}

/// What the judgement needs to remember of earlier lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Pods in the last list that was believed.
    before: usize,
    /// Since when lists are much smaller than that.
    shrunk: Option<Instant>,
}

impl Trust {
    /// Judges a list of so many pods; `knows_api` says that one of them is there only because the kubelet has heard from the API
    /// server, so that the others have gone and are not unknown yet.
    ///
    /// # Errors
    /// [`Doubt::Empty`] for none; [`Doubt::Shrunk`] for less than half of the last one that was believed, when that had
    /// at least [`MANY`], until it has been so for [`SHRUNK_FOR`].
    pub fn judge(&mut self, pods: usize, knows_api: bool, now: Instant) -> Result<(), Doubt> {
        if pods == 0 {
            self.interrupted();
            return Err(Doubt::Empty);
        }
        if !knows_api && self.before >= MANY && pods < self.before.div_ceil(2) {
            let since = *self.shrunk.get_or_insert(now);
            if now.saturating_duration_since(since) < SHRUNK_FOR {
                return Err(Doubt::Shrunk { pods, before: self.before });
            }
        }
        *self = Trust { before: pods, shrunk: None };
        Ok(())
    }

    /// There was no list at all: nobody knows whether the loss has lasted.
    pub fn interrupted(&mut self) {
        self.shrunk = None;
    }
}

/// Fewer pods than this come and go at any time.
pub const MANY: usize = 4;
/// How long a restarted kubelet may take to know its pods again: it asks the API server within seconds, unless that is
/// down as well.
pub const SHRUNK_FOR: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, start: Instant) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn an_empty_list_is_never_believed() {
        let (mut trust, start) = (Trust::default(), Instant::now());
        assert_eq!(trust.judge(0, false, start), Err(Doubt::Empty));
        assert_eq!(trust.judge(1, false, start), Ok(()));
        assert_eq!(trust.judge(0, false, at(9999, start)), Err(Doubt::Empty));
    }

    #[test]
    fn a_sudden_loss_is_believed_when_it_lasts() {
        let (mut trust, start) = (Trust::default(), Instant::now());
        assert_eq!(trust.judge(30, false, start), Ok(()));
        let doubt = Err(Doubt::Shrunk { pods: 14, before: 30 });
        assert_eq!(trust.judge(14, false, at(30, start)), doubt);
        assert_eq!(trust.judge(14, false, at(149, start)), doubt);
        assert_eq!(trust.judge(14, false, at(150, start)), Ok(()));
        assert_eq!(trust.judge(7, false, at(151, start)), Ok(()), "half of what is known now");
    }

    #[test]
    fn a_loss_that_is_over_is_forgotten() {
        let (mut trust, start) = (Trust::default(), Instant::now());
        assert_eq!(trust.judge(30, false, start), Ok(()));
        assert!(trust.judge(2, false, at(30, start)).is_err());
        assert_eq!(trust.judge(29, false, at(60, start)), Ok(()));
        assert!(trust.judge(2, false, at(155, start)).is_err(), "the time counts from the loss on");
    }

    #[test]
    fn a_loss_has_to_be_seen_all_the_time() {
        let (mut trust, start) = (Trust::default(), Instant::now());
        assert_eq!(trust.judge(30, false, start), Ok(()));
        assert!(trust.judge(3, false, at(30, start)).is_err());
        trust.interrupted();
        assert!(trust.judge(3, false, at(200, start)).is_err());
        assert!(trust.judge(0, false, at(210, start)).is_err());
        assert!(trust.judge(3, false, at(321, start)).is_err());
        assert_eq!(trust.judge(3, false, at(441, start)), Ok(()));
    }

    #[test]
    fn few_pods_may_go_at_once() {
        let (mut trust, start) = (Trust::default(), Instant::now());
        assert_eq!(trust.judge(3, false, start), Ok(()));
        assert_eq!(trust.judge(1, false, start), Ok(()));
    }

    #[test]
    fn a_loss_is_believed_at_once_when_the_list_says_that_the_kubelet_knows() {
        let (mut trust, start) = (Trust::default(), Instant::now());
        assert_eq!(trust.judge(110, false, start), Ok(()));
        assert_eq!(trust.judge(5, true, at(1, start)), Ok(()));
        assert_eq!(trust.judge(0, true, at(2, start)), Err(Doubt::Empty));
    }
}
