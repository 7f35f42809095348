//! The main loop: wait until a list is due, ask, judge, publish, and say what changed.
//!
//! The rule it keeps: whatever the kubelet, the volume or the network does, the loop keeps running, and a pod file is
//! removed only after plausible lists have been without its pod for the grace period.

use crate::client::{KubeletClient, PollError};
use crate::publish::{Published, Publisher};
use crate::schedule::{Awaited, Reason, Schedule};
use crate::serve::{Server, SharedStatus, StartError};
use crate::settings::{PodListSource, SidecarSettings};
use crate::status::{LogEvent, Status};
use crate::trust::{Doubt, Trust};
use crate::watch::Watch;
use nodesieve_podlist::{Limits, PodFiles, project};
use std::collections::HashSet;
use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::sleep_until;

/// Takes the log events.
pub type Log = Box<dyn Fn(&LogEvent) + Send>;

/// A sidecar that is ready to run.
pub struct Sidecar {
    poller: Poller,
    publisher: Publisher,
    interval: Duration,
    watch: Watch,
    server: Option<Server>,
    shared: Arc<SharedStatus>,
    log: Log,
}

impl Sidecar {
    /// Gets ready: binds the port for health and metrics, so that whatever can fail at the start fails here.
    ///
    /// # Errors
    /// [`StartError::Bind`] when the port is taken.
    pub async fn start(settings: SidecarSettings, log: Log) -> Result<Sidecar, StartError> {
        let SidecarSettings {
            source,
            interval,
            limits,
            pods_dir,
            grace,
            watched,
            listen,
            ready_after,
            filter_metrics,
        } = settings;
        let longest_turn = match &source {
            PodListSource::Kubelet(kubelet) => {
                interval.saturating_mul(2).saturating_add(kubelet.total_timeout)
            }
            PodListSource::File(_) => interval.saturating_mul(2),
        };
        let status = Status::new(ready_after, Instant::now());
        let shared = Arc::new(SharedStatus::new(status, filter_metrics, longest_turn.saturating_add(SLACK)));
        let server = match listen {
            Some(address) => Some(Server::bind(address, Arc::clone(&shared)).await?),
            None => None,
        };
        Ok(Sidecar {
            poller: Poller { origin: Origin::new(source), trust: Trust::default(), limits: Arc::new(limits) },
            publisher: Publisher::new(pods_dir, grace),
            interval,
            watch: Watch::new(&watched),
            server,
            shared,
            log,
        })
    }

    /// Where health and metrics are served.
    pub fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(Server::address)
    }

    /// What is served under `/metrics`.
    pub fn metrics(&self) -> String {
        self.shared.metrics()
    }

    /// Polls once and publishes. Returns whether all of that went well.
    pub async fn once(&mut self) -> bool {
        let started = Instant::now();
        self.shared.status().polled(false);
        let answer = self.poller.poll().await;
        let (result, published) = self.outcome(answer, started);
        result.is_ok() && published.is_some_and(|published| published.failed.is_empty())
    }

    /// Polls until `stop` is there; then answers what is being asked for health and metrics, and ends within a second.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let (end_of_server, server_ends) = tokio::sync::oneshot::channel::<()>();
        let server = self.server.take().map(|server| tokio::spawn(server.run(server_ends)));
        let mut schedule = Schedule::new(self.interval, Instant::now(), seed());
        let mut known = Known::default();
        'turning: loop {
            let now = Instant::now();
            self.shared.status().turned(now);
            self.say(self.shared.take_events());
            // Before the first poll, so that what appears during it is not missed.
            let (is_new, reason) = self.watch.renew();
            let has_polled = self.shared.status().has_list();
            if is_new && has_polled {
                schedule.something_appeared(now);
            }
            let events = self.shared.status().watched(reason, now);
            self.say(events);
            tokio::select! {
                () = &mut stop => break 'turning,
                what = self.watch.next() => {
                    known.note(what, &mut schedule);
                    continue;
                }
                () = sleep_until(schedule.due().into()) => {}
            }
            let started = Instant::now();
            let reason = schedule.started(started);
            self.shared.status().polled(reason == Reason::Early);
            let answer = {
                let mut polling = pin!(self.poller.poll());
                loop {
                    tokio::select! {
                        () = &mut stop => break 'turning,
                        what = self.watch.next() => known.note(what, &mut schedule),
                        answer = &mut polling => break answer,
                    }
                }
            };
            let (result, _) = self.outcome(answer, started);
            let now = Instant::now();
            let given_up = match &result {
                Ok(list) => {
                    known = Known::of(list);
                    schedule.succeeded(now, |what| known.has(what))
                }
                Err(_) => schedule.failed(now),
            };
            self.shared.status().awaiting(schedule.awaited(), given_up);
        }
        drop(end_of_server);
        if let Some(server) = server {
            let _ = server.await;
        }
    }

    /// Publishes what can be published or notes the failure, and says what is new. Returns the list, if it is believed.
    fn outcome(
        &mut self,
        answer: Result<PolledList, PollError>,
        started: Instant,
    ) -> (Result<PodFiles, PollError>, Option<Published>) {
        let now = Instant::now();
        let result = match answer {
            Ok(PolledList { list, doubt: None }) => Ok(list),
            Ok(PolledList { list, doubt: Some(doubt) }) => {
                // The pods of a doubted list exist, so they get their files; pods that it lacks may exist too, so nothing is
                // removed. Files that cannot be written are reported with the next list that is believed.
                self.publisher.add(&list.files, now);
                Err(PollError::Doubt(doubt))
            }
            Err(error) => Err(error),
        };
        let published = match &result {
            Ok(list) => {
                let lasted = now.saturating_duration_since(started);
                let published = self.publisher.publish(&list.files, now);
                let events = self.shared.status().took(list, &published, lasted, now);
                self.say(events);
                Some(published)
            }
            Err(error) => {
                let events = self.shared.status().failed(&self.poller.origin.name(), error, now);
                self.say(events);
                None
            }
        };
        (result, published)
    }

    fn say(&self, events: impl IntoIterator<Item = LogEvent>) {
        for event in events {
            (self.log)(&event);
        }
    }
}

/// Asks for the list and judges whether it is complete.
struct Poller {
    origin: Origin,
    trust: Trust,
    limits: Arc<Limits>,
}

impl Poller {
    async fn poll(&mut self) -> Result<PolledList, PollError> {
        let read = self.read().await;
        match read {
            Ok(list) => {
                let doubt = self.trust.judge(list.files.len(), Instant::now()).err();
                Ok(PolledList { list, doubt })
            }
            Err(error) => {
                self.trust.interrupted();
                Err(error)
            }
        }
    }

    async fn read(&mut self) -> Result<PodFiles, PollError> {
        match &mut self.origin {
            Origin::Kubelet(client) => client.pods(Arc::clone(&self.limits)).await,
            Origin::File(path) => {
                let file =
                    File::open(&*path).map_err(|reason| PollError::File { path: path.clone(), reason })?;
                Ok(project(file, &self.limits)?)
            }
        }
    }
}

/// A list, and why it may not be complete.
struct PolledList {
    list: PodFiles,
    doubt: Option<Doubt>,
}

/// Where the list comes from.
enum Origin {
    Kubelet(Box<KubeletClient>),
    File(PathBuf),
}

impl Origin {
    fn new(source: PodListSource) -> Origin {
        match source {
            PodListSource::Kubelet(kubelet) => Origin::Kubelet(Box::new(KubeletClient::new(kubelet))),
            PodListSource::File(path) => Origin::File(path),
        }
    }

    fn name(&self) -> String {
        match self {
            Origin::Kubelet(client) => client.url(),
            Origin::File(path) => path.display().to_string(),
        }
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

/// What a busy node may take longer than planned before the sidecar counts as stuck.
const SLACK: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use nodesieve_engine::pods::{Container, PodFile};

    /// A list of so many pods.
    fn list(pods: usize) -> String {
        let pod = |n| format!(r#"{{"metadata":{{"namespace":"n","name":"p{n}","uid":"u{n}"}},"spec":{{}}}}"#);
        format!(r#"{{"items":[{}]}}"#, (0..pods).map(pod).collect::<Vec<_>>().join(","))
    }

    #[test]
    fn a_poll_without_a_list_interrupts_what_was_seen_of_a_loss() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let (origin, limits) = (Origin::File(scratch.path().join("list")), Arc::new(Limits::default()));
        let mut poller = Poller { origin, trust: Trust::default(), limits };
        let mut poll = |text: Option<&str>| {
            match text {
                Some(text) => std::fs::write(scratch.path().join("list"), text).unwrap(),
                None => std::fs::remove_file(scratch.path().join("list")).unwrap(),
            }
            let answer = runtime.block_on(poller.poll()).map(|answer| answer.doubt.is_some()).ok();
            (answer, poller.trust.clone())
        };
        let (believed, before) = poll(Some(&list(30)));
        let (doubted, during) = poll(Some(&list(3)));
        let (failed, after) = poll(None);
        assert_eq!((believed, doubted, failed), (Some(false), Some(true), None));
        assert!(during != before && after == before);
    }

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
