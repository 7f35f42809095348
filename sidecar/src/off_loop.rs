//! Work on files beside the main loop: any volume may hang.
//!
//! The rule it keeps: nobody waits for a file without a limit, and of each kind of work at most one thread hangs, however often it is
//! asked for.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// One kind of work on files, which is done by one thread at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct OffLoop(Arc<Mutex<()>>);

impl OffLoop {
    /// What `work` comes to; `None` when that is not known within `limit`. Whoever hangs keeps the turn, and nobody else begins.
    pub(crate) async fn within<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let done = async {
            let turn = Arc::clone(&self.0).lock_owned().await;
            let done = spawn_blocking(move || {
                let done = work();
                drop(turn);
                done
            });
            done.await.ok()
        };
        timeout(limit, done).await.ok().flatten()
    }

    /// The same for what may fail; silence is a failure too.
    ///
    /// # Errors
    /// Those of `work`, and [`ErrorKind::TimedOut`] when nothing is known within [`LONGEST`].
    pub(crate) async fn io<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        self.within(LONGEST, work).await.unwrap_or_else(|| Err(silence(LONGEST)))
    }
}

/// What is said of a file that does not answer.
pub(crate) fn silence(limit: Duration) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, format!("not within {limit:?}, as on a volume that hangs"))
}

/// How long a small file may take.
pub(crate) const LONGEST: Duration = Duration::from_secs(5);

/// What a future comes to, for tests of what is on no loop.
#[cfg(test)]
pub(crate) fn waited_for<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;

    #[test]
    fn whoever_hangs_is_not_waited_for_and_nobody_hangs_beside_it() {
        let (work, began) = (OffLoop::default(), Arc::new(AtomicU32::new(0)));
        let short = Duration::from_millis(10);
        let (release, hangs) = mpsc::channel::<()>();
        waited_for(async {
            let count = Arc::clone(&began);
            let first = work.within(short, move || {
                count.fetch_add(1, Ordering::Relaxed);
                // Not for ever, so that a failure is one and no silence.
                hangs.recv_timeout(Duration::from_secs(20))
            });
            assert!(first.await.is_none());
            for _ in 0..20 {
                let count = Arc::clone(&began);
                assert!(work.within(short, move || count.fetch_add(1, Ordering::Relaxed)).await.is_none());
            }
            assert_eq!(began.load(Ordering::Relaxed), 1);
            release.send(()).unwrap();
            assert_eq!(work.within(Duration::from_secs(60), || 7).await, Some(7));
            assert!(work.io(|| Err::<(), _>(ErrorKind::NotFound.into())).await.is_err());
        });
        assert!(silence(short).to_string().starts_with("not within 10ms"));
    }
}
