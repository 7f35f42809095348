//! The sidecar's status: metrics, readiness, and one log event for each change of state.
//!
//! The rule it keeps: trouble is logged when it starts, when it turns into another kind, and when it is over, and never
//! in between. How often it happened is in the metrics.

mod edge_alert;
mod table;

pub use table::{FAILED, STREAMS_FAILED, StatusMetric, TABLE};

use crate::client::PollError;
use crate::files;
use crate::pods_api::StreamError;
use crate::publish::Published;
use edge_alert::EdgeAlert;
use nodesieve_podlist::{Counts, PodFiles};
use std::fmt::Write as _;
use std::path::Path;
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
    streams_failed: [u64; StreamError::KINDS.len()],
    /// The files of a list that was taken are there.
    has_files: bool,
    /// A list will not come, or no files of it, however long that is waited for.
    cannot_be_had: bool,
    stream: EdgeAlert,
    kubelet: EdgeAlert,
    volume: EdgeAlert,
    watch: EdgeAlert,
    filter: EdgeAlert,
}

/// What there is to say of the pods of a list, or of those that are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListSummary {
    /// Pods, those of one name together.
    pub pods: usize,
    /// What has come, in bytes.
    pub bytes: u64,
    /// What was left out.
    pub counts: Counts,
}

impl ListSummary {
    /// That of a list.
    pub fn of(list: &PodFiles) -> ListSummary {
        ListSummary { pods: list.files.len(), bytes: list.bytes, counts: list.counts }
    }
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
            streams_failed: [0; StreamError::KINDS.len()],
            has_files: false,
            cannot_be_had: false,
            stream: EdgeAlert::default(),
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

    /// Notes a list that was taken.
    pub fn took(&mut self, list: &ListSummary, lasted: Duration, now: Instant) -> Option<LogEvent> {
        let is_first = self.taken.replace(now).is_none();
        self.summarize(list);
        self.set(StatusMetric::ListBytes, list.bytes as f64);
        self.add(StatusMetric::Received, list.bytes);
        self.set(StatusMetric::PollSeconds, lasted.as_secs_f64());
        if let Some((lasted, times)) = self.kubelet.good(now) {
            return Some(LogEvent::Info(format!(
                "poll: works again after {times} failures in {}",
                seconds(lasted)
            )));
        }
        is_first.then(|| LogEvent::Info(format!("poll: {} pods in {} bytes", list.pods, list.bytes)))
    }

    /// Notes what the Pods API has told since this was last noted.
    pub fn streamed(&mut self, known: &ListSummary, events: u64) {
        self.add(StatusMetric::StreamEvents, events);
        self.add(StatusMetric::Received, known.bytes);
    }

    /// Notes that each change of a pod is told, by the socket at `name`. The end of earlier trouble is logged only when `is_lasting`,
    /// so that streams which end one after the other are one line, not two each.
    pub fn streaming(
        &mut self,
        name: &str,
        known: &ListSummary,
        is_lasting: bool,
        now: Instant,
    ) -> Option<LogEvent> {
        self.taken = Some(now);
        self.summarize(known);
        let was_streaming = self.get(StatusMetric::Streaming) > 0.0;
        self.set(StatusMetric::Streaming, 1.0);
        // Whoever is told of each change does not miss the polls.
        self.kubelet.good(now);
        if !is_lasting {
            return None;
        }
        match self.stream.good(now) {
            Some((lasted, _)) => {
                let lasted = seconds(lasted);
                Some(LogEvent::Info(format!("follow {name}: {} pods, again after {lasted}", known.pods)))
            }
            None => (!was_streaming).then(|| LogEvent::Info(format!("follow {name}: {} pods", known.pods))),
        }
    }

    /// Notes that the Pods API cannot be followed; `polls` says whether the kubelet is polled then.
    pub fn not_streaming(
        &mut self,
        name: &str,
        error: &StreamError,
        polls: bool,
        now: Instant,
    ) -> Option<LogEvent> {
        self.set(StatusMetric::Streaming, 0.0);
        let kind = error.kind();
        count(&StreamError::KINDS, &mut self.streams_failed, kind);
        self.cannot_be_had |= !polls && matches!(kind, "denied" | "unimplemented" | "too_large");
        self.stream.bad(kind, now).then(|| {
            let then = if polls { "the kubelet is polled instead" } else { "the pod files stay as they are" };
            let text = format!("follow {name}: {error}; {then}");
            // Before Kubernetes 1.37 that is how it has to be.
            if kind == "missing" && polls { LogEvent::Info(text) } else { LogEvent::Warning(text) }
        })
    }

    /// Notes what was published; `is_all` says that nothing waits to be.
    pub fn published(&mut self, published: &Published, is_all: bool, now: Instant) -> Option<LogEvent> {
        self.has_files |= is_all && self.taken.is_some();
        self.set(StatusMetric::Files, published.files as f64);
        if let Some(bytes) = published.bytes {
            self.set(StatusMetric::FilesBytes, bytes as f64);
        }
        self.add(StatusMetric::Written, published.written);
        self.add(StatusMetric::Removed, published.removed);
        self.add(StatusMetric::Evicted, published.evicted);
        self.add(StatusMetric::FilesFailed, published.failed.len() as u64);
        match published.failed.first() {
            Some(reason) => self.volume.bad("failed", now).then(|| {
                let more = published.failed.len().saturating_sub(1);
                let more = if more > 0 { format!(", and {more} more") } else { String::new() };
                LogEvent::Warning(format!("{reason}{more}; the last files stay, the next list tries again"))
            }),
            None => self.volume.good(now).map(|(lasted, _)| {
                LogEvent::Info(format!("pod files: can be written again after {}", seconds(lasted)))
            }),
        }
    }

    /// Notes that the volume of the pod files does not answer.
    pub fn hangs(&mut self, directory: &Path, now: Instant) -> Option<LogEvent> {
        // Logs do not wait for it.
        self.cannot_be_had = true;
        self.add(StatusMetric::FilesFailed, 1);
        self.volume.bad("hangs", now).then(|| {
            let limit = seconds(files::LONGEST);
            LogEvent::Warning(format!(
                "write pod files to {}: not within {limit}; what comes meanwhile is written once the volume answers",
                directory.display()
            ))
        })
    }

    fn summarize(&mut self, list: &ListSummary) {
        for (metric, value) in [
            (StatusMetric::Pods, list.pods as u64),
            (StatusMetric::Skipped, list.counts.skipped),
            (StatusMetric::Shortened, list.counts.shortened),
            (StatusMetric::Omitted, list.counts.omitted),
        ] {
            self.set(metric, value as f64);
        }
    }

    /// Notes a poll that brought no list that could be taken.
    pub fn failed(&mut self, url: &str, error: &PollError, now: Instant) -> Option<LogEvent> {
        let kind = error.kind();
        count(&PollError::KINDS, &mut self.failed, kind);
        // Trying again brings nothing: what waits for us need not wait.
        self.cannot_be_had |= matches!(kind, "forbidden" | "unauthorized" | "too_large");
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

    /// Whether the filter may start: the files of a list are there, or have been waited for long enough, or cannot be had.
    pub fn is_ready(&self, now: Instant) -> bool {
        self.has_files
            || self.cannot_be_had
            || now.saturating_duration_since(self.started) >= self.ready_after
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
        by_kind(&mut out, FAILED, &PollError::KINDS, &self.failed);
        by_kind(&mut out, STREAMS_FAILED, &StreamError::KINDS, &self.streams_failed);
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

/// Counts one of this kind.
fn count(kinds: &[&str], counts: &mut [u64], kind: &str) {
    let known = kinds.iter().position(|known| *known == kind);
    if let Some(count) = known.and_then(|index| counts.get_mut(index)) {
        *count = count.saturating_add(1);
    }
}

fn by_kind(out: &mut String, (name, unit, meaning): (&str, &str, &str), kinds: &[&str], counts: &[u64]) {
    let _ = writeln!(out, "# HELP {name} {unit} {meaning}\n# TYPE {name} counter");
    for (kind, count) in kinds.iter().zip(counts) {
        let _ = writeln!(out, "{name}{{kind=\"{kind}\"}} {count}");
    }
}

/// A time as people say it.
fn seconds(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds / 60) }
}

#[cfg(test)]
mod tests;
