//! The node's pods as the Pods API tells of them: what is known, what has changed, and when to try again.
//!
//! The rule it keeps: a stream's pods take the place of those before it once all of them have been told, never earlier; what the filter
//! already knows stays until then.

use crate::pods_api::{PodsApi, StreamError, Update};
use crate::status::ListSummary;
use crate::trust::{Doubt, Trust};
use nodesieve_engine::pods::PodFile;
use nodesieve_podlist::{Pod, PodSet};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::sleep_until;

/// What following has brought.
#[derive(Debug)]
pub(crate) enum Followed {
    /// Nothing to be done.
    Progress,
    /// These files are other ones now.
    Changed(Vec<PodFile>),
    /// All pods have been told, or it is time to look at them as a whole; whether they are all that there are.
    Whole(Result<(), Doubt>),
    /// It cannot be followed now.
    Failed {
        /// Why.
        error: StreamError,
        /// Whether it could be until now.
        was_streaming: bool,
    },
}

/// Follows the API for ever.
#[derive(Debug)]
pub(crate) struct Follower {
    api: PodsApi,
    interval: Duration,
    stream: Option<Stream>,
    /// When to begin a stream, while there is none.
    due: Instant,
    failures: u32,
    trust: Trust,
    pods: PodSet,
    /// Those of a stream that has not told all yet.
    fresh: Option<PodSet>,
    is_streaming: bool,
    /// When to look at the pods as a whole.
    settle: Instant,
    changed: BTreeSet<(String, String)>,
    received: u64,
    events: u64,
    skipped: u64,
}

/// A stream; it ends with this.
#[derive(Debug)]
struct Stream {
    updates: mpsc::Receiver<Update>,
    task: AbortHandle,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Follower {
    pub(crate) fn new(api: PodsApi, interval: Duration, now: Instant) -> Follower {
        let pods = PodSet::new((*api.limits).clone());
        Follower {
            api,
            interval,
            stream: None,
            due: now,
            failures: 0,
            trust: Trust::default(),
            pods,
            fresh: None,
            is_streaming: false,
            settle: now,
            changed: BTreeSet::new(),
            received: 0,
            events: 0,
            skipped: 0,
        }
    }

    /// Where the API is.
    pub(crate) fn name(&self) -> String {
        self.api.socket.display().to_string()
    }

    /// Whether all pods are known and each change is told.
    pub(crate) fn is_streaming(&self) -> bool {
        self.is_streaming
    }

    /// Namespace and name of all pods.
    pub(crate) fn names(&self) -> impl Iterator<Item = &(String, String)> {
        self.pods.names()
    }

    /// The file of each.
    pub(crate) fn files(&self) -> Vec<PodFile> {
        self.names().filter_map(|(namespace, name)| self.pods.file(namespace, name)).collect()
    }

    /// What is known, and the bytes and events since this was last asked.
    pub(crate) fn summary(&mut self) -> (ListSummary, u64) {
        let mut counts = self.pods.counts();
        counts.skipped = counts.skipped.saturating_add(self.skipped);
        let summary = ListSummary {
            pods: self.pods.names().count(),
            bytes: std::mem::take(&mut self.received),
            counts,
        };
        (summary, std::mem::take(&mut self.events))
    }

    /// Waits for the next thing to do; nothing is lost when nobody waits any more.
    pub(crate) async fn next(&mut self) -> Followed {
        let Some(stream) = &mut self.stream else {
            sleep_until(self.due.into()).await;
            let (sender, updates) = mpsc::channel(QUEUE);
            let task = tokio::spawn(self.api.clone().follow(sender)).abort_handle();
            self.stream = Some(Stream { updates, task });
            return Followed::Progress;
        };
        let first = tokio::select! {
            update = stream.updates.recv() => update,
            () = sleep_until(self.settle.into()), if self.is_streaming => return self.whole(Instant::now()),
        };
        let mut update = first;
        for _ in 0..QUEUE {
            let now = Instant::now();
            match update.take().unwrap_or(Update::Ended(StreamError::Ended)) {
                Update::Ended(error) => return self.ended(error, now),
                Update::Synced => return self.synced(now),
                other => self.note(other),
            }
            match self.stream.as_mut().map(|stream| stream.updates.try_recv()) {
                Some(Ok(next)) => update = Some(next),
                _ => break,
            }
        }
        self.changes()
    }

    fn note(&mut self, update: Update) {
        match update {
            Update::Begins => {
                self.fresh = Some(PodSet::new((*self.api.limits).clone()));
                self.skipped = 0;
            }
            Update::Pod(pod) => {
                self.touch(&pod);
                self.filling().put(*pod);
            }
            Update::Gone(pod) => {
                self.touch(&pod);
                let (namespace, name) = pod.name();
                self.filling().remove(namespace, name, pod.uid());
            }
            Update::Skipped => self.skipped = self.skipped.saturating_add(1),
            Update::Received(bytes) => {
                self.received = self.received.saturating_add(bytes);
                self.events = self.events.saturating_add(1);
            }
            Update::Alive | Update::Synced | Update::Ended(_) => {}
        }
    }

    fn touch(&mut self, pod: &Pod) {
        let (namespace, name) = pod.name();
        self.changed.insert((namespace.to_owned(), name.to_owned()));
    }

    fn filling(&mut self) -> &mut PodSet {
        self.fresh.as_mut().unwrap_or(&mut self.pods)
    }

    /// The files of what has changed; of a pod that is gone there is none, and its file has the grace period.
    fn changes(&mut self) -> Followed {
        let changed = std::mem::take(&mut self.changed);
        let pods = self.fresh.as_ref().unwrap_or(&self.pods);
        let files: Vec<PodFile> =
            changed.iter().filter_map(|(namespace, name)| pods.file(namespace, name)).collect();
        if files.is_empty() { Followed::Progress } else { Followed::Changed(files) }
    }

    fn synced(&mut self, now: Instant) -> Followed {
        let last = self.changes();
        if let Some(fresh) = self.fresh.take() {
            self.pods = fresh;
        }
        self.is_streaming = true;
        self.failures = 0;
        // At once, unless files of the last pods come first.
        self.settle = now;
        last
    }

    fn whole(&mut self, now: Instant) -> Followed {
        self.settle = now.checked_add(self.interval).unwrap_or(now);
        Followed::Whole(self.trust.judge(self.pods.names().count(), self.pods.knows_api(), now))
    }

    fn ended(&mut self, error: StreamError, now: Instant) -> Followed {
        self.stream = None;
        self.fresh = None;
        let was_streaming = std::mem::replace(&mut self.is_streaming, false);
        self.trust.interrupted();
        let pause = FIRST_RETRY.saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        self.due = now.checked_add(pause.min(LONGEST_PAUSE)).unwrap_or(now);
        Followed::Failed { error, was_streaming }
    }
}

/// Updates that wait to be taken, and that are taken at once.
const QUEUE: usize = 32;
/// Pauses after failures: a second, doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
