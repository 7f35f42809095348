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
    /// All pods have been told, or it is time to look at them as a whole.
    Whole {
        /// Whether they are all that there are.
        judged: Result<(), Doubt>,
        /// Whether the stream can be relied on: after one that ended soon, only when it has lasted for the time between two polls.
        is_lasting: bool,
    },
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
    /// When the stream began that there is.
    began: Instant,
    failures: u32,
    /// Whether the last stream that told all ended soon after.
    was_short: bool,
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
            began: now,
            failures: 0,
            was_short: false,
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
            self.began = Instant::now();
            return Followed::Progress;
        };
        let mut update = tokio::select! {
            update = stream.updates.recv() => update,
            // Not while all is told anew: files of pods that the stream before did not know would count as gone.
            () = sleep_until(self.settle.into()), if self.is_streaming && self.fresh.is_none() => {
                return self.whole(Instant::now());
            }
        };
        // Some at once, so that a burst is one order for the files. What is taken out of the queue is noted before this returns.
        for taken in 1.. {
            let now = Instant::now();
            match update.take().unwrap_or(Update::Ended(StreamError::Ended)) {
                Update::Ended(error) => return self.ended(error, now),
                Update::Synced => return self.synced(now),
                other => self.note(other),
            }
            if taken >= QUEUE {
                break;
            }
            match self.stream.as_mut().map(|stream| stream.updates.try_recv()) {
                Some(Ok(next)) => update = Some(next),
                Some(Err(_)) | None => break,
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
        // At once, unless files of the last pods come first.
        self.settle = now;
        last
    }

    fn whole(&mut self, now: Instant) -> Followed {
        self.settle = now.checked_add(self.interval).unwrap_or(now);
        let is_lasting = self.has_lasted(now);
        self.was_short &= !is_lasting;
        // What was left out for want of room is told again by a new stream only; a poll would bring it as soon.
        if self.pods.has_room_again() && is_lasting {
            self.stream = None;
            self.due = now;
        }
        let judged = self.trust.judge(self.pods.names().count(), self.pods.knows_api(), now);
        Followed::Whole { judged, is_lasting: !self.was_short }
    }

    fn ended(&mut self, error: StreamError, now: Instant) -> Followed {
        self.stream = None;
        self.fresh = None;
        let was_streaming = std::mem::replace(&mut self.is_streaming, false);
        self.trust.interrupted();
        if was_streaming {
            self.was_short = !self.has_lasted(now);
            // One that ends as soon as all is told must not have all told again each second.
            if !self.was_short {
                self.failures = 0;
            }
        }
        let pause = FIRST_RETRY.saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        self.due = now.checked_add(pause.min(LONGEST_PAUSE)).unwrap_or(now);
        Followed::Failed { error, was_streaming }
    }

    /// Whether the stream has been there for the time between two polls.
    fn has_lasted(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= self.interval
    }
}

/// Updates that wait to be taken, and that are taken at once.
const QUEUE: usize = 32;
/// Pauses after failures: a second, doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use nodesieve_podlist::Limits;
    use nodesieve_podlist::protobuf::{ObjectMeta, PodMessage, read_pod};
    use prost::Message as _;
    use std::sync::Arc;

    fn pod(name: &str, uid: &str) -> Box<Pod> {
        let text = |text: &str| Some(text.to_owned());
        let metadata =
            ObjectMeta { name: text(name), namespace: text("n"), uid: text(uid), ..ObjectMeta::default() };
        let bytes = PodMessage { metadata: Some(metadata), ..PodMessage::default() }.encode_to_vec();
        Box::new(read_pod(&bytes, &Limits::default()).unwrap().unwrap())
    }

    /// What a follower makes of these updates, until the last of them is taken.
    fn followed(updates: Vec<Update>) -> (Follower, Vec<Followed>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let limits = Arc::new(Limits::default());
        let api = PodsApi {
            socket: "/s".into(),
            limits,
            silence: Duration::from_secs(1),
            quiet: Duration::from_secs(1),
        };
        let mut follower = Follower::new(api, Duration::from_secs(30), Instant::now());
        let found = runtime.block_on(async {
            let (sender, receiver) = mpsc::channel(updates.len().max(1));
            for update in updates {
                sender.try_send(update).unwrap();
            }
            let task = tokio::spawn(std::future::pending::<()>()).abort_handle();
            follower.stream = Some(Stream { updates: receiver, task });
            let mut found = Vec::new();
            while sender.capacity() < sender.max_capacity() {
                found.push(follower.next().await);
            }
            if follower.is_streaming() && follower.fresh.is_none() {
                found.push(follower.next().await);
            }
            found
        });
        (follower, found)
    }

    fn files(found: &[Followed]) -> usize {
        let count = |followed: &Followed| match followed {
            Followed::Changed(files) => files.len(),
            Followed::Progress | Followed::Whole { .. } | Followed::Failed { .. } => 0,
        };
        found.iter().map(count).sum()
    }

    #[test]
    fn each_of_many_updates_is_noted_however_they_are_queued() {
        for count in [1, QUEUE - 1, QUEUE, QUEUE + 1, 5 * QUEUE + 3] {
            let pods = (0..count).map(|n| Update::Pod(pod(&format!("p{n}"), &n.to_string())));
            let updates = [Update::Begins].into_iter().chain(pods).chain([Update::Synced]).collect();
            let (follower, found) = followed(updates);
            assert_eq!((follower.names().count(), files(&found)), (count, count));
            assert!(
                matches!(found.last(), Some(Followed::Whole { judged: Ok(()), is_lasting: true })),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_new_stream_takes_the_place_of_the_one_before_when_all_is_told() {
        let old = [Update::Begins, Update::Pod(pod("a", "1")), Update::Pod(pod("b", "2")), Update::Synced];
        let half = [Update::Begins, Update::Pod(pod("a", "1"))];
        let (follower, _) = followed(old.into_iter().chain(half).collect());
        assert_eq!(follower.names().count(), 2, "b is not forgotten yet");
        let whole = [Update::Begins, Update::Pod(pod("a", "1")), Update::Synced, Update::Gone(pod("a", "1"))];
        let (follower, _) = followed(whole.into_iter().collect());
        assert_eq!(follower.names().count(), 0);
    }

    #[test]
    fn pods_are_not_looked_at_as_a_whole_while_they_are_told_anew() {
        let (mut follower, _) = followed(vec![Update::Begins, Update::Pod(pod("a", "1")), Update::Synced]);
        follower.note(Update::Begins);
        follower.note(Update::Pod(pod("b", "2")));
        follower.settle = Instant::now();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (sender, updates) = mpsc::channel(1);
        let task = runtime.spawn(std::future::pending::<()>()).abort_handle();
        follower.stream = Some(Stream { updates, task });
        // Which of two that are ready is taken is by chance.
        for _ in 0..64 {
            sender.try_send(Update::Alive).unwrap();
            assert!(!matches!(runtime.block_on(follower.next()), Followed::Whole { .. }));
        }
    }

    #[test]
    fn a_new_stream_begins_when_there_is_room_again() {
        let (mut follower, _) = followed(vec![Update::Begins, Update::Pod(pod("a", "1")), Update::Synced]);
        let later = follower.began + follower.interval;
        follower.whole(later);
        assert!(follower.stream.is_some(), "nothing is left out");
        follower.pods = PodSet::new(Limits { max_total: 1, ..Limits::default() });
        follower.pods.put(*pod("a", "1"));
        follower.whole(later - Duration::from_secs(1));
        assert!(follower.stream.is_some(), "not more often than a poll");
        follower.whole(later);
        assert!(follower.stream.is_none() && follower.is_streaming() && follower.due == later);
    }

    #[test]
    fn a_stream_that_ends_is_tried_again_after_longer_and_longer() {
        let (mut follower, found) = followed(vec![Update::Ended(StreamError::Missing)]);
        assert!(matches!(found[..], [Followed::Failed { was_streaming: false, .. }]));
        let now = Instant::now();
        let pauses: Vec<u64> = (0..8)
            .map(|_| {
                follower.ended(StreamError::Missing, now);
                follower.due.duration_since(now).as_secs()
            })
            .collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
        // Telling all is not enough to be trusted again; lasting as long as a poll's pause is.
        let pause = |lasted: Duration, follower: &mut Follower| {
            (follower.is_streaming, follower.began) = (false, now);
            follower.synced(now);
            follower.ended(StreamError::Ended, now + lasted);
            follower.due.duration_since(now + lasted).as_secs()
        };
        assert_eq!(pause(Duration::from_secs(29), &mut follower), 60);
        assert_eq!(pause(Duration::from_secs(30), &mut follower), 1);
        assert_eq!(pause(Duration::from_secs(29), &mut follower), 2);
    }

    /// Guarantees: whoever is told that the stream is there again is not told so once more for each of many that end at once.
    #[test]
    fn a_stream_after_a_short_one_is_there_again_when_it_has_lasted() {
        let (mut follower, _) = followed(vec![Update::Begins, Update::Pod(pod("a", "1")), Update::Synced]);
        let mut now = follower.began;
        let interval = follower.interval;
        let is_lasting = |follower: &mut Follower, now| {
            matches!(follower.whole(now), Followed::Whole { is_lasting: true, .. })
        };
        for _ in 0..3 {
            follower.ended(StreamError::Ended, now);
            follower.began = now;
            follower.synced(now);
            assert!(!is_lasting(&mut follower, now + interval / 2));
            // What keeps it from telling anything says nothing of how long it would last.
            follower.ended(StreamError::Missing, now + interval / 2);
            follower.ended(StreamError::Missing, now + interval);
            now += interval;
        }
        follower.began = now;
        follower.synced(now);
        assert!(!is_lasting(&mut follower, now) && is_lasting(&mut follower, now + interval));
        follower.ended(StreamError::Ended, now + interval);
        follower.began = now + interval;
        follower.synced(now + interval);
        assert!(is_lasting(&mut follower, now + interval), "the one before it stayed");
    }
}
