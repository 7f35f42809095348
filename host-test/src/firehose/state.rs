//! What the fake counted, and which fault it injects.
//!
//! It exists apart from the HTTP part so that a test thread and the server thread share one small, lockable
//! thing. The rule it keeps: the counters of one call change in one step, so a snapshot never shows half a
//! call, and every change wakes those who wait.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nodesieve_preview::billing::billed_bytes;

/// The fault that the fake injects from now on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FirehoseFault {
    /// None.
    #[default]
    None,
    /// Every call is answered with 503 `ServiceUnavailableException`.
    Unavailable,
    /// Every `every`-th record offered since the fault was set, counted across calls (so a retry gets
    /// further), fails with `ServiceUnavailableException`. 1 fails all of them, 0 none.
    PartialFailure {
        /// Distance between two failing records.
        every: usize,
    },
    /// One call in so many is taken, all others are answered with 503 `ServiceUnavailableException`, as when a stream's
    /// throughput is used up. 1 takes all of them.
    Throttled {
        /// Distance between two calls that are taken.
        every: usize,
    },
    /// Calls are read and never answered, not even after the fault is lifted; only stopping the server ends
    /// them.
    Stall,
}

/// Totals since the start of the fake.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// TCP connections accepted; fewer than calls when the sender uses keep-alive.
    pub connections: u64,
    /// TLS handshakes that failed, for instance because the sender does not trust the certificate.
    pub failed_handshakes: u64,
    /// Calls answered with 200, partial failures included.
    pub calls: u64,
    /// Calls answered with 4xx or 5xx.
    pub rejected_calls: u64,
    /// Calls that [`FirehoseFault::Stall`] left unanswered.
    pub stalled_calls: u64,
    /// Bytes of the request bodies of the calls answered with 200 (JSON with base64, without headers).
    pub body_bytes: u64,
    /// Records accepted.
    pub records: u64,
    /// Bytes of the accepted records (before base64).
    pub bytes: u64,
    /// Bytes AWS would bill for the accepted records, see [`super::billed_bytes`].
    pub billed_bytes: u64,
    /// Records that failed in an otherwise accepted call; a retry is counted again.
    pub failed_records: u64,
}

/// The part of the fake that the server thread and its owner share.
pub(super) struct SharedFirehose {
    keep_records: bool,
    inner: Mutex<FirehoseState>,
    changed: Condvar,
}

#[derive(Default)]
struct FirehoseState {
    received: Received,
    records: Vec<Vec<u8>>,
    fault: FirehoseFault,
    /// Records offered since the fault was set.
    offered: usize,
}

impl SharedFirehose {
    pub(super) fn new(keep_records: bool) -> Self {
        Self { keep_records, inner: Mutex::default(), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, FirehoseState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn received(&self) -> Received {
        self.lock().received
    }

    pub(super) fn records(&self) -> Vec<Vec<u8>> {
        self.lock().records.clone()
    }

    pub(super) fn take_records(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.lock().records)
    }

    pub(super) fn fault(&self) -> FirehoseFault {
        self.lock().fault
    }

    pub(super) fn set_fault(&self, fault: FirehoseFault) {
        let mut inner = self.lock();
        inner.fault = fault;
        inner.offered = 0;
    }

    /// Whether this call is refused because of throttling.
    pub(super) fn is_throttled(&self) -> bool {
        let mut inner = self.lock();
        let FirehoseFault::Throttled { every } = inner.fault else { return false };
        inner.offered += 1;
        !inner.offered.is_multiple_of(every.max(1))
    }

    /// Changes the counters and wakes those who wait.
    pub(super) fn count(&self, change: impl FnOnce(&mut Received)) {
        change(&mut self.lock().received);
        self.changed.notify_all();
    }

    /// Takes the records of one valid call of `body` bytes, except those that the fault lets fail. Returns
    /// for each record the number under which it was accepted, `None` for a failed one.
    pub(super) fn accept(&self, records: Vec<Vec<u8>>, body: usize) -> Vec<Option<u64>> {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let every = match inner.fault {
            FirehoseFault::PartialFailure { every } => every,
            _ => 0,
        };
        inner.received.calls += 1;
        inner.received.body_bytes += body as u64;
        let mut numbers = Vec::with_capacity(records.len());
        for record in records {
            if every > 0 {
                inner.offered += 1;
            }
            if every > 0 && inner.offered.is_multiple_of(every) {
                inner.received.failed_records += 1;
                numbers.push(None);
                continue;
            }
            numbers.push(Some(inner.received.records));
            inner.received.records += 1;
            inner.received.bytes += record.len() as u64;
            inner.received.billed_bytes += billed_bytes(record.len());
            if self.keep_records {
                inner.records.push(record);
            }
        }
        drop(guard);
        self.changed.notify_all();
        numbers
    }

    /// Blocks until `condition` holds, `timeout` at most; tells whether it holds.
    pub(super) fn wait_until(&self, condition: impl Fn(&Received) -> bool, timeout: Duration) -> bool {
        let (inner, _) = self
            .changed
            .wait_timeout_while(self.lock(), timeout, |inner| !condition(&inner.received))
            .unwrap_or_else(PoisonError::into_inner);
        condition(&inner.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|number| format!("{number}\n").into_bytes()).collect()
    }

    #[test]
    fn counts_bytes_and_billed_bytes() {
        let shared = SharedFirehose::new(true);
        let numbers = shared.accept(vec![vec![0; 5_121], vec![0; 10]], 7_000);
        assert_eq!(numbers, [Some(0), Some(1)]);
        let received = shared.received();
        assert_eq!((received.calls, received.records, received.bytes), (1, 2, 5_131));
        assert_eq!((received.billed_bytes, received.body_bytes), (15_360, 7_000));
    }

    #[test]
    fn a_partial_failure_counts_across_calls() {
        let shared = SharedFirehose::new(true);
        shared.set_fault(FirehoseFault::PartialFailure { every: 3 });
        assert_eq!(shared.accept(records(4), 0), [Some(0), Some(1), None, Some(2)]);
        assert_eq!(shared.accept(records(2), 0), [Some(3), None]);
        assert_eq!(shared.received().failed_records, 2);
        assert_eq!(shared.records().len(), 4);
        shared.set_fault(FirehoseFault::PartialFailure { every: 1 });
        assert_eq!(shared.accept(records(2), 0), [None, None]);
        shared.set_fault(FirehoseFault::PartialFailure { every: 0 });
        assert_eq!(shared.accept(records(1), 0), [Some(4)]);
    }

    #[test]
    fn one_call_in_so_many_is_taken_when_throttled() {
        let shared = SharedFirehose::new(false);
        assert!(!shared.is_throttled());
        shared.set_fault(FirehoseFault::Throttled { every: 3 });
        let calls: Vec<bool> = (0..6).map(|_| shared.is_throttled()).collect();
        assert_eq!(calls, [true, true, false, true, true, false]);
    }

    #[test]
    fn keeps_records_only_when_asked() {
        let shared = SharedFirehose::new(false);
        shared.accept(records(3), 0);
        assert_eq!((shared.received().records, shared.records().len()), (3, 0));
        let shared = SharedFirehose::new(true);
        shared.accept(records(3), 0);
        assert_eq!((shared.take_records().len(), shared.records().len()), (3, 0));
    }

    #[test]
    fn waits_for_another_thread_and_gives_up_in_time() {
        let shared = SharedFirehose::new(false);
        assert!(!shared.wait_until(|received| received.records > 0, Duration::from_millis(1)));
        std::thread::scope(|scope| {
            scope.spawn(|| shared.accept(records(1), 0));
            assert!(shared.wait_until(|received| received.records > 0, Duration::from_secs(30)));
        });
    }
}
