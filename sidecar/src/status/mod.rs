//! The sidecar's status: metrics, readiness, and one log event for each change of state.
//!
//! The rule it keeps: trouble is logged when it starts, when it turns into another kind, and when it is over, and never
//! in between. How often it happened is in the metrics.

mod edge_alert;
mod table;

pub use table::{FAILED, StatusMetric, TABLE};

use crate::client::PollError;
use crate::publish::Published;
use edge_alert::EdgeAlert;
use nodesieve_podlist::PodFiles;
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use table::COUNT;

/// Numbers and states since the start.
#[derive(Debug)]
pub struct Status {
    started: Instant,
    ready_after: Duration,
    /// The last list that was taken.
    taken: Option<Instant>,
    /// When the main loop last started a turn.
    turned: Instant,
    values: [f64; COUNT],
    failed: [u64; PollError::KINDS.len()],
    kubelet: EdgeAlert,
    volume: EdgeAlert,
    watch: EdgeAlert,
    filter: EdgeAlert,
}

/// A line for the log, with its level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// Something works, again or for the first time.
    Info(String),
    /// Something does not work.
    Warning(String),
}

impl Status {
    /// The status of a sidecar that starts now.
    pub fn new(ready_after: Duration, now: Instant) -> Status {
        Status {
            started: now,
            ready_after,
            taken: None,
            turned: now,
            values: [0.0; COUNT],
            failed: [0; PollError::KINDS.len()],
            kubelet: EdgeAlert::default(),
            volume: EdgeAlert::default(),
            watch: EdgeAlert::default(),
            filter: EdgeAlert::default(),
        }
    }

    /// Notes that the main loop starts a turn.
    pub fn turned(&mut self, now: Instant) {
        self.turned = now;
    }

    /// When the main loop last started a turn.
    pub fn last_turn(&self) -> Instant {
        self.turned
    }

    /// Notes that a list was asked for.
    pub fn polled(&mut self, is_early: bool) {
        self.add(StatusMetric::Polls, 1);
        self.add(StatusMetric::EarlyPolls, u64::from(is_early));
    }

    /// Notes a list that was taken, and what was published of it.
    pub fn took(
        &mut self,
        list: &PodFiles,
        published: &Published,
        lasted: Duration,
        now: Instant,
    ) -> Vec<LogEvent> {
        let is_first = self.taken.replace(now).is_none();
        for (metric, value) in [
            (StatusMetric::ListBytes, list.bytes),
            (StatusMetric::Pods, list.files.len() as u64),
            (StatusMetric::Skipped, list.skipped),
            (StatusMetric::Shortened, list.shortened),
            (StatusMetric::Omitted, list.omitted),
            (StatusMetric::Files, published.files as u64),
        ] {
            self.set(metric, value as f64);
        }
        self.set(StatusMetric::PollSeconds, lasted.as_secs_f64());
        self.add(StatusMetric::Written, published.written);
        self.add(StatusMetric::Removed, published.removed);
        self.add(StatusMetric::FilesFailed, published.failed.len() as u64);
        let mut events = Vec::new();
        if let Some((lasted, times)) = self.kubelet.good(now) {
            events.push(LogEvent::Info(format!(
                "poll: works again after {times} failures in {}",
                seconds(lasted)
            )));
        } else if is_first {
            let PodFiles { files, bytes, .. } = list;
            events.push(LogEvent::Info(format!("poll: {} pods in {bytes} bytes", files.len())));
        }
        match published.failed.first() {
            Some(reason) if self.volume.bad("failed", now) => {
                let more = published.failed.len().saturating_sub(1);
                let more = if more > 0 { format!(", and {more} more") } else { String::new() };
                events.push(LogEvent::Warning(format!(
                    "{reason}{more}; the last files stay, the next list tries again"
                )));
            }
            Some(_) => {}
            None => {
                if let Some((lasted, _)) = self.volume.good(now) {
                    let lasted = seconds(lasted);
                    events.push(LogEvent::Info(format!("pod files: can be written again after {lasted}")));
                }
            }
        }
        events
    }

    /// Notes a poll that brought no list that could be taken.
    pub fn failed(&mut self, url: &str, error: &PollError, now: Instant) -> Option<LogEvent> {
        let kind = error.kind();
        let known = PollError::KINDS.iter().position(|known| *known == kind);
        if let Some(count) = known.and_then(|index| self.failed.get_mut(index)) {
            *count = count.saturating_add(1);
        }
        self.kubelet.bad(kind, now).then(|| {
            let hint = error.hint().map(|hint| format!("; hint: {hint}")).unwrap_or_default();
            LogEvent::Warning(format!("poll {url}: {error}; the pod files stay as they are{hint}"))
        })
    }

    /// Notes whether all directories are watched that should be; `reason` says why not.
    pub fn watched(&mut self, reason: Option<String>, now: Instant) -> Option<LogEvent> {
        self.set(StatusMetric::Watching, if reason.is_none() { 1.0 } else { 0.0 });
        match reason {
            Some(reason) => self
                .watch
                .bad("failed", now)
                .then(|| LogEvent::Warning(format!("{reason}; new pods are seen at the next regular poll"))),
            None => self.watch.good(now).map(|(lasted, _)| {
                LogEvent::Info(format!("watch for new logs: works again after {}", seconds(lasted)))
            }),
        }
    }

    /// Notes how many pods and containers are awaited, and how many more were given up.
    pub fn awaiting(&mut self, awaited: usize, given_up: u64) {
        self.set(StatusMetric::Awaited, awaited as f64);
        self.add(StatusMetric::GivenUp, given_up);
    }

    /// Notes how old the filter's metrics are, or why they cannot be served; `None` when there are none yet.
    pub fn filter_metrics(
        &mut self,
        found: Result<Option<Duration>, String>,
        now: Instant,
    ) -> Option<LogEvent> {
        let age = found.as_ref().ok().copied().flatten();
        self.set(StatusMetric::FilterMetricsAge, age.map_or(f64::NAN, |age| age.as_secs_f64()));
        match found {
            Ok(_) => self
                .filter
                .good(now)
                .map(|_| LogEvent::Info("filter's metrics: can be served again".to_owned())),
            Err(reason) => self.filter.bad("failed", now).then_some(LogEvent::Warning(reason)),
        }
    }

    /// Whether the filter may start: there was a list, or it has been waited for long enough.
    pub fn is_ready(&self, now: Instant) -> bool {
        self.taken.is_some() || now.saturating_duration_since(self.started) >= self.ready_after
    }

    /// Whether there has been a list at all.
    pub fn has_list(&self) -> bool {
        self.taken.is_some()
    }

    /// The value of a number as last set.
    pub fn get(&self, metric: StatusMetric) -> f64 {
        self.values.get(metric as usize).copied().unwrap_or_default()
    }

    /// All numbers in Prometheus' text format.
    pub fn render(&mut self, now: Instant) -> String {
        let since = self.taken.unwrap_or(self.started);
        self.set(StatusMetric::PollAge, now.saturating_duration_since(since).as_secs_f64());
        self.set(StatusMetric::Ready, if self.is_ready(now) { 1.0 } else { 0.0 });
        let mut out = String::with_capacity(4096);
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "# HELP nodesieve_sidecar_info the version that runs\n# TYPE nodesieve_sidecar_info gauge\n\
             nodesieve_sidecar_info{{version=\"{}\"}} 1",
            env!("CARGO_PKG_VERSION")
        );
        for (metric, name, unit, meaning) in TABLE {
            let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
            let value = self.get(metric);
            let _ = writeln!(out, "# HELP {name} {unit} {meaning}\n# TYPE {name} {kind}\n{name} {value}");
        }
        let (name, unit, meaning) = FAILED;
        let _ = writeln!(out, "# HELP {name} {unit} {meaning}\n# TYPE {name} counter");
        for (kind, count) in PollError::KINDS.iter().zip(self.failed) {
            let _ = writeln!(out, "{name}{{kind=\"{kind}\"}} {count}");
        }
        out
    }

    fn add(&mut self, metric: StatusMetric, more: u64) {
        self.set(metric, self.get(metric) + more as f64);
    }

    fn set(&mut self, metric: StatusMetric, to: f64) {
        if let Some(value) = self.values.get_mut(metric as usize) {
            *value = to;
        }
    }
}

/// A time as people say it.
fn seconds(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds / 60) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::Doubt;
    use nodesieve_podlist::ListError;

    fn failures(status: &Status, kind: &str) -> u64 {
        status.failed[PollError::KINDS.iter().position(|known| *known == kind).unwrap()]
    }

    fn status() -> (Status, Instant) {
        let now = Instant::now();
        (Status::new(Duration::from_secs(20), now), now)
    }

    fn list(pods: usize) -> PodFiles {
        let files = (0..pods).map(|n| nodesieve_engine::pods::PodFile::new("n", format!("p{n}"))).collect();
        PodFiles { files, bytes: 1000, ..PodFiles::default() }
    }

    #[test]
    fn the_table_is_in_the_order_of_the_enum_and_names_are_distinct() {
        for (index, (metric, ..)) in TABLE.iter().enumerate() {
            assert_eq!(*metric as usize, index);
        }
        let mut names: Vec<&str> = TABLE.iter().map(|row| row.1).chain([FAILED.0]).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len() + 1);
        let mut kinds = PollError::KINDS.to_vec();
        kinds.sort_unstable();
        assert_eq!(kinds, PollError::KINDS);
    }

    #[test]
    fn an_outage_is_two_lines_however_long_it_is() {
        let (mut status, start) = status();
        let after = |seconds| start + Duration::from_secs(seconds);
        let refused = || PollError::Connect(std::io::ErrorKind::ConnectionRefused.into());
        let took = status.took(&list(3), &Published::default(), Duration::ZERO, start);
        assert_eq!(took, [LogEvent::Info("poll: 3 pods in 1000 bytes".into())]);
        let told = status.failed("U", &refused(), after(30));
        let expected = "poll U: connect: connection refused; the pod files stay as they are";
        assert_eq!(told, Some(LogEvent::Warning(expected.into())));
        for second in 31..90 {
            assert_eq!(status.failed("U", &refused(), after(second)), None);
        }
        let Some(LogEvent::Warning(other)) =
            status.failed("U", &PollError::Forbidden("no".into()), after(90))
        else {
            panic!("another trouble is told")
        };
        assert!(other.contains("; hint: the service account needs a ClusterRole"), "{other}");
        let again = status.took(&list(3), &Published::default(), Duration::ZERO, after(100));
        assert_eq!(again, [LogEvent::Info("poll: works again after 61 failures in 70 s".into())]);
        assert_eq!(
            (failures(&status, "connect"), failures(&status, "forbidden"), failures(&status, "tls")),
            (60, 1, 0)
        );
    }

    #[test]
    fn a_volume_that_fails_is_told_once_and_counted() {
        let (mut status, now) = status();
        let failure = || crate::store::StoreError::Write {
            path: "/p/a.json".into(),
            reason: std::io::ErrorKind::StorageFull.into(),
        };
        let failed = || Published { failed: vec![failure(), failure()], ..Published::default() };
        let events = status.took(&list(1), &failed(), Duration::ZERO, now);
        let expected = "write pod file /p/a.json: no storage space, and 1 more; the last files stay, the next list tries again";
        assert_eq!(events[1], LogEvent::Warning(expected.into()));
        assert_eq!(status.took(&list(1), &failed(), Duration::ZERO, now), []);
        let events = status.took(&list(1), &Published::default(), Duration::ZERO, now);
        assert_eq!(events, [LogEvent::Info("pod files: can be written again after 0 s".into())]);
        assert_eq!(status.get(StatusMetric::FilesFailed), 4.0);
    }

    #[test]
    fn it_is_ready_with_a_list_or_after_a_bounded_wait() {
        let (mut status, start) = status();
        assert!(!status.is_ready(start + Duration::from_secs(19)));
        assert!(status.is_ready(start + Duration::from_secs(20)));
        status.took(&list(1), &Published::default(), Duration::ZERO, start);
        assert!(status.is_ready(start));
    }

    #[test]
    fn the_age_of_the_last_list_grows_through_an_outage() {
        let (mut status, start) = status();
        status.took(
            &list(1),
            &Published::default(),
            Duration::from_millis(250),
            start + Duration::from_secs(5),
        );
        status.failed("U", &PollError::Doubt(Doubt::Empty), start + Duration::from_secs(200));
        status.failed("U", &PollError::List(ListError::NoItems), start + Duration::from_secs(230));
        let text = status.render(start + Duration::from_secs(305));
        assert!(text.contains("\nnodesieve_sidecar_poll_age_seconds 300\n"), "{text}");
        assert!(text.contains("\nnodesieve_sidecar_poll_seconds 0.25\n"));
        assert!(text.contains("nodesieve_sidecar_polls_failed_total{kind=\"no_items\"} 1\n"));
    }

    #[test]
    fn watching_and_the_filters_metrics_have_states_of_their_own() {
        let (mut status, now) = status();
        assert!(matches!(status.watched(Some("watch /x: no".into()), now), Some(LogEvent::Warning(_))));
        assert_eq!(status.watched(Some("watch /x: no".into()), now), None);
        assert!(matches!(status.watched(None, now), Some(LogEvent::Info(_))));
        assert_eq!(status.watched(None, now), None);
        assert_eq!(status.filter_metrics(Ok(None), now), None);
        assert!(status.render(now).contains("nodesieve_sidecar_filter_metrics_age_seconds NaN\n"));
        assert!(status.filter_metrics(Err("broken".into()), now).is_some());
        assert!(status.filter_metrics(Ok(Some(Duration::from_secs(3))), now).is_some());
        assert!(status.render(now).contains("nodesieve_sidecar_filter_metrics_age_seconds 3\n"));
    }
}
