//! The main loop: follow the kubelet's pods as they change, or ask for them when that is due; judge, publish, and say what changed.
//!
//! The rule it keeps: whatever the kubelet, the volume or the network does, the loop keeps running, and a pod file is
//! removed only after its pod has been missing from what is plausible for the grace period. Files are another thread's work.

use crate::client::PollError;
use crate::files::{Order, PodFileThread};
use crate::follow::{Followed, Follower};
use crate::pods_api::PodsApi;
use crate::poll::{PolledList, Poller};
use crate::publish::{Published, Publisher};
use crate::schedule::{Awaited, Reason, Schedule};
use crate::serve::{Server, SharedStatus, StartError};
use crate::settings::{KubeletSettings, PodListSource, SidecarSettings};
use crate::status::{ListSummary, LogEvent, Status};
use crate::tap::TapServer;
use crate::watch::Watch;
use nodesieve_podlist::PodFiles;
use std::collections::HashSet;
use std::future::pending;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Mutex;
use tokio::time::sleep_until;

/// Takes the log events.
pub type Log = Box<dyn Fn(&LogEvent) + Send>;

/// A sidecar that is ready to run.
pub struct Sidecar {
    poller: Option<Arc<Mutex<Poller>>>,
    /// What is polled, for the log.
    polled: String,
    follower: Option<Follower>,
    files: PodFileThread,
    pods_dir: PathBuf,
    interval: Duration,
    watch: Watch,
    server: Option<Server>,
    tap: Option<TapServer>,
    shared: Arc<SharedStatus>,
    log: Log,
}

/// A poll that is under way.
struct Polling {
    started: Instant,
    answer: Pin<Box<dyn Future<Output = Result<PolledList, PollError>> + Send>>,
}

impl Sidecar {
    /// Gets ready: binds the port for health and metrics, so that whatever can fail at the start fails here.
    ///
    /// # Errors
    /// [`StartError::Bind`] when the port is taken.
    pub async fn start(settings: SidecarSettings, log: Log) -> Result<Sidecar, StartError> {
        let SidecarSettings {
            pods_api,
            source,
            interval,
            limits,
            pods_dir,
            grace,
            watched,
            listen,
            ready_after,
            filter_metrics,
            tap,
        } = settings;
        let longest_turn = match &source {
            Some(
                PodListSource::Kubelet(KubeletSettings { total_timeout, .. })
                | PodListSource::File { total_timeout, .. },
            ) => interval.saturating_mul(2).saturating_add(*total_timeout),
            None => interval.saturating_mul(2),
        };
        let now = Instant::now();
        let status = Status::new(ready_after, now);
        let shared = Arc::new(SharedStatus::new(status, filter_metrics, longest_turn.saturating_add(SLACK)));
        let server = match listen {
            Some(address) => Some(Server::bind(address, Arc::clone(&shared)).await?),
            None => None,
        };
        let tap = match &tap {
            Some(tap) => Some(TapServer::bind(tap, &pods_dir).await?),
            None => None,
        };
        let publisher = Publisher::new(&pods_dir, grace, limits.max_total);
        let limits = Arc::new(limits);
        let poller = source.map(|source| Poller::new(source, Arc::clone(&limits)));
        let api = pods_api.map(|socket| PodsApi { socket, limits, silence: SILENCE, quiet: interval });
        Ok(Sidecar {
            polled: poller.as_ref().map(Poller::name).unwrap_or_default(),
            poller: poller.map(|poller| Arc::new(Mutex::new(poller))),
            follower: api.map(|api| Follower::new(api, interval, now)),
            files: PodFileThread::start(publisher),
            pods_dir,
            interval,
            watch: Watch::new(&watched),
            server,
            tap,
            shared,
            log,
        })
    }

    /// Where health and metrics are served.
    pub fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(Server::address)
    }

    /// Where verdicts are shown.
    pub fn tap_address(&self) -> Option<SocketAddr> {
        self.tap.as_ref().map(TapServer::address)
    }

    /// What is served under `/metrics`.
    pub async fn metrics(&self) -> String {
        self.shared.metrics().await
    }

    /// Asks once, by the Pods API if that can be had, and publishes. Returns whether all of that went well.
    pub async fn once(&mut self) -> bool {
        if let Some(mut follower) = self.follower.take() {
            loop {
                match follower.next().await {
                    Followed::Whole { judged, .. } => {
                        let order = Order::write_all(follower.files());
                        return judged.is_ok() && self.all_done(order).await;
                    }
                    Followed::Failed { error, .. } => {
                        let event = self.shared.status().not_streaming(
                            &follower.name(),
                            &error,
                            self.poller.is_some(),
                            Instant::now(),
                        );
                        self.say(event);
                        break;
                    }
                    Followed::Progress | Followed::Changed(_) => {}
                }
            }
        }
        let Some(poller) = self.poller.clone() else { return false };
        let started = Instant::now();
        self.shared.status().polled(false);
        let answer = poller.lock().await.poll().await;
        let is_list = matches!(&answer, Ok(PolledList { doubt: None, .. }));
        match self.order_of(answer, started) {
            Some(order) => self.all_done(order).await && is_list,
            None => false,
        }
    }

    /// Follows or polls until `stop` is there; then answers what is being asked for health and metrics, and ends within a second.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let (end_of_server, server_ends) = tokio::sync::oneshot::channel::<()>();
        let server = self.server.take().map(|server| tokio::spawn(server.run(server_ends)));
        let (end_of_tap, tap_ends) = tokio::sync::oneshot::channel::<()>();
        let tap = self.tap.take().map(|tap| tokio::spawn(tap.run(tap_ends)));
        let mut turn = Turn::new(self.interval, self.follower.is_some());
        loop {
            let now = Instant::now();
            self.shared.status().turned(now);
            self.say(self.shared.take_events());
            // Before the first poll, so that what appears during it is not missed.
            let (is_new, reason) = self.watch.renew();
            let is_streaming = self.follower.as_ref().is_some_and(Follower::is_streaming);
            if is_new && !is_streaming && self.shared.status().has_list() {
                turn.schedule.something_appeared(now);
            }
            let events = self.shared.status().watched(reason, now);
            self.say(events);
            let may_poll = self.poller.is_some() && !is_streaming && turn.polling.is_none();
            let due = turn.due(now);
            let late = self.files.is_late_at().filter(|at| turn.told_late != Some(*at));
            tokio::select! {
                () = &mut stop => break,
                what = self.watch.next() => {
                    if !is_streaming {
                        turn.known.note(what, &mut turn.schedule);
                    }
                }
                published = self.files.done() => self.published(&published),
                () = until(late) => {
                    turn.told_late = late;
                    self.hangs();
                }
                followed = followed(&mut self.follower) => self.follow(followed, &mut turn),
                answer = polled(&mut turn.polling) => self.poll(answer, &mut turn),
                () = sleep_until(due.into()), if may_poll => self.ask(&mut turn),
            }
        }
        drop((end_of_server, end_of_tap));
        for server in [server, tap].into_iter().flatten() {
            let _ = server.await;
        }
    }

    /// Begins a poll.
    fn ask(&self, turn: &mut Turn) {
        let Some(poller) = self.poller.clone() else { return };
        let started = Instant::now();
        let reason = turn.schedule.started(started);
        self.shared.status().polled(reason == Reason::Early);
        turn.polling =
            Some(Polling { started, answer: Box::pin(async move { poller.lock().await.poll().await }) });
    }

    /// Takes what a poll has brought.
    fn poll(&mut self, answer: Result<PolledList, PollError>, turn: &mut Turn) {
        let now = Instant::now();
        let started = turn.polling.take().map_or(now, |polling| polling.started);
        let known = match &answer {
            Ok(PolledList { list, doubt: None }) => Some(Known::of(list)),
            Ok(_) | Err(_) => None,
        };
        if let Some(order) = self.order_of(answer, started) {
            self.files.order(order, now);
        }
        let given_up = match known {
            Some(known) => {
                turn.known = known;
                turn.schedule.succeeded(now, |what| turn.known.has(what))
            }
            None => turn.schedule.failed(now),
        };
        self.shared.status().awaiting(turn.schedule.awaited(), given_up);
    }

    /// Takes what the Pods API has told.
    fn follow(&mut self, followed: Followed, turn: &mut Turn) {
        let now = Instant::now();
        let Some(follower) = &mut self.follower else { return };
        let (summary, events) = follower.summary();
        let mut told = None;
        self.shared.status().streamed(&summary, events);
        match followed {
            Followed::Progress => {}
            Followed::Changed(files) => self.files.order(Order::write(files), now),
            Followed::Whole { judged, is_lasting } => {
                // What is doubted removes nothing; it is looked at again.
                if judged.is_ok() {
                    self.files.order(Order::settle(follower.names()), now);
                }
                told = self.shared.status().streaming(&follower.name(), &summary, is_lasting, now);
                // A list that is older than the stream is of no use.
                turn.polling = None;
                self.shared.status().awaiting(0, 0);
            }
            Followed::Failed { error, was_streaming } => {
                let has_poller = self.poller.is_some();
                told = self.shared.status().not_streaming(&follower.name(), &error, has_poller, now);
                turn.not_before = None;
                if was_streaming {
                    // What the stream would have told meanwhile is asked for.
                    turn.known = Known::default();
                    turn.schedule.something_appeared(now);
                }
            }
        }
        self.say(told);
    }

    /// Notes what a poll has brought; what is to be done with it.
    fn order_of(&mut self, answer: Result<PolledList, PollError>, started: Instant) -> Option<Order> {
        let now = Instant::now();
        let (order, events) = match answer {
            Ok(PolledList { list, doubt: None }) => {
                let lasted = now.saturating_duration_since(started);
                let events = self.shared.status().took(&ListSummary::of(&list), lasted, now);
                (Some(Order::write_all(list.files)), events)
            }
            Ok(PolledList { list, doubt: Some(doubt) }) => {
                // The pods of a doubted list exist, so they get their files; pods that it lacks may exist too, so nothing is
                // removed.
                let error = PollError::Doubt(doubt);
                (Some(Order::write(list.files)), self.shared.status().failed(&self.polled, &error, now))
            }
            Err(error) => (None, self.shared.status().failed(&self.polled, &error, now)),
        };
        self.say(events);
        order
    }

    /// Has an order carried out, and waits for that; whether it went well.
    async fn all_done(&mut self, order: Order) -> bool {
        self.files.order(order, Instant::now());
        let late = self.files.is_late_at();
        tokio::select! {
            published = self.files.done() => {
                self.published(&published);
                published.failed.is_empty()
            }
            () = until(late) => {
                self.hangs();
                false
            }
        }
    }

    fn published(&self, published: &Published) {
        let event = self.shared.status().published(published, self.files.is_idle(), Instant::now());
        self.say(event);
    }

    fn hangs(&self) {
        let event = self.shared.status().hangs(&self.pods_dir, Instant::now());
        self.say(event);
    }

    fn say(&self, events: impl IntoIterator<Item = LogEvent>) {
        for event in events {
            (self.log)(&event);
        }
    }
}

/// What the loop keeps from one turn to the next.
struct Turn {
    schedule: Schedule,
    known: Known,
    polling: Option<Polling>,
    /// The Pods API has a moment to bring all pods before the kubelet is asked for them.
    not_before: Option<Instant>,
    /// The order that was said to take too long.
    told_late: Option<Instant>,
}

impl Turn {
    fn new(interval: Duration, follows: bool) -> Turn {
        let now = Instant::now();
        let not_before = now.checked_add(HEAD_START).filter(|_| follows);
        let schedule = Schedule::new(interval, now, seed());
        Turn { schedule, known: Known::default(), polling: None, not_before, told_late: None }
    }

    fn due(&self, now: Instant) -> Instant {
        self.schedule.due().max(self.not_before.unwrap_or(now))
    }
}

async fn followed(follower: &mut Option<Follower>) -> Followed {
    match follower {
        Some(follower) => follower.next().await,
        None => pending().await,
    }
}

async fn polled(polling: &mut Option<Polling>) -> Result<PolledList, PollError> {
    match polling {
        Some(polling) => polling.answer.as_mut().await,
        None => pending().await,
    }
}

async fn until(late: Option<Instant>) {
    match late {
        Some(at) => sleep_until(at.into()).await,
        None => pending().await,
    }
}

/// The pods and containers of the last list.
#[derive(Default)]
struct Known {
    containers: HashSet<String>,
    pods: HashSet<String>,
}

impl Known {
    fn of(list: &PodFiles) -> Known {
        let containers = list.files.iter().flat_map(|file| &file.containers);
        Known {
            containers: containers.map(|container| container.id.clone()).collect(),
            pods: list.uids.iter().cloned().collect(),
        }
    }

    fn has(&self, what: &Awaited) -> bool {
        match what {
            Awaited::Pod(uid) => self.pods.contains(uid),
            Awaited::Container(id) => {
                // kubelet cuts long file names, and the id is at their end.
                self.containers.contains(id)
                    || self.containers.iter().any(|known| known.starts_with(id.as_str()))
            }
        }
    }

    /// Schedules a poll for something that has appeared, unless the last list has it.
    fn note(&self, what: Option<Awaited>, schedule: &mut Schedule) {
        match what {
            Some(what) if self.has(&what) => {}
            Some(what) => schedule.appeared(what, Instant::now()),
            None => schedule.something_appeared(Instant::now()),
        }
    }
}

/// A seed that differs from node to node, so that nodes do not poll in step.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs().wrapping_mul(1_000_000_007) ^ u64::from(now.subsec_nanos()) ^ u64::from(std::process::id())
}

/// How long the kubelet may be silent while the Pods API is asked.
const SILENCE: Duration = Duration::from_secs(10);
/// How long the first poll waits for a stream that would make it needless.
const HEAD_START: Duration = Duration::from_secs(2);
/// What a busy node may take longer than planned before the sidecar counts as stuck.
const SLACK: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use nodesieve_engine::pods::{Container, PodFile};

    #[test]
    fn what_the_last_list_has_is_not_asked_for_again() {
        let container = Container { name: "c".into(), id: "0abc".into(), ..Container::default() };
        let file = PodFile { containers: vec![container], ..PodFile::new("n", "p") };
        let known = Known::of(&PodFiles { files: vec![file], uids: vec!["u".into()], ..PodFiles::default() });
        let start = Instant::now();
        let mut schedule = Schedule::new(Duration::from_secs(30), start, 1);
        schedule.started(start);
        schedule.succeeded(start, |_| true);
        let regular = schedule.due();
        for what in
            [Awaited::Container("0abc".into()), Awaited::Container("0a".into()), Awaited::Pod("u".into())]
        {
            known.note(Some(what), &mut schedule);
        }
        assert_eq!((schedule.due(), schedule.awaited()), (regular, 0));
        known.note(Some(Awaited::Container("0abd".into())), &mut schedule);
        assert!(schedule.due() < regular);
        assert_eq!(schedule.awaited(), 1);
    }
}
