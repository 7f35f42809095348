//! A node whose kubelet fails for minutes while its containers keep writing.
//!
//! It exists to show what an outage of the kubelet does to the logs: nothing with nodesieve, and much with a filter that
//! asks the kubelet itself. The rule it keeps: lines are written evenly over the whole outage and counted by their
//! numbers where they arrive, so lost, repeated and late ones are told apart.

use super::numbered::{Arrived, PODS, pod_list, write};
use super::process::cpu_ms;
use super::{FluentBitError, MetadataFilter, Running, Setup};
use crate::kubelet::FailureMode;
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};

/// An outage of the kubelet to run.
#[derive(Clone, Copy, Debug)]
pub struct Outage<'a> {
    /// The program.
    pub fluent_bit: &'a Path,
    /// The compiled filter.
    pub module: &'a Path,
    /// `conf/fluent-bit.yaml`.
    pub conf: &'a Path,
    /// The rule file.
    pub rules: &'a str,
    /// Which filter gives the records their metadata.
    pub filter: MetadataFilter<'a>,
    /// The kubelet's failure mode meanwhile.
    pub mode: FailureMode,
    /// How many lines are written.
    pub lines: u64,
    /// Over how long.
    pub lasting: Duration,
}

/// The result of an outage. Serialised as the `--format json` of `fluent-bit --kubelet`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OutageReport {
    /// `nodesieve` or `kubernetes`.
    pub filter: &'static str,
    /// The kubelet's failure mode.
    pub kubelet: &'static str,
    /// Lines written.
    pub written: u64,
    /// Of these, delivered before the outage was over.
    pub in_time: u64,
    /// Of these, delivered in the end.
    pub delivered: u64,
    /// Of these, with the pod's labels.
    pub enriched: u64,
    /// Delivered more than once.
    pub repeated: u64,
    /// Written and never delivered.
    pub lost: u64,
    /// CPU that Fluent Bit used for them, in milliseconds.
    pub cpu_ms: u64,
    /// Age of the last list that the sidecar took, at the end of the outage, in seconds; without a sidecar there is none.
    pub poll_age: Option<f64>,
    /// Requests that reached the kubelet, whatever became of them.
    pub requests: u64,
    /// How Fluent Bit ended: `when told to`, `never`, or what the system says of a crash.
    pub ended: String,
}

impl Outage<'_> {
    /// Runs it. `progress` hears of seconds gone.
    ///
    /// # Errors
    /// [`FluentBitError`] when it cannot be run. That lines are lost is no error.
    pub fn run(&self, mut progress: impl FnMut(Duration)) -> Result<OutageReport, FluentBitError> {
        let pod_list = pod_list();
        let empty = tempfile::tempdir()
            .map_err(|reason| FluentBitError::Make { path: "an empty directory".into(), reason })?;
        let running = Running::start(Setup {
            fluent_bit: self.fluent_bit,
            module: self.module,
            conf: self.conf,
            rules: self.rules,
            logs: empty.path(),
            pod_list: Some(&pod_list),
            filter: self.filter,
            disk: None,
            elsewhere: None,
            // A new file is found soon; that is not what is looked at here.
            overrides: &[("refresh_interval", "1")],
        })?;
        let mut arrived = Arrived::default();
        // Before the outage each container has said something, so that whoever remembers metadata has it.
        write(&running, 0..u64::from(PODS))?;
        if !arrived.wait_for(&running, u64::from(PODS), LONG)? {
            return Err(FluentBitError::TimedOut {
                what: "deliver the first lines".into(),
                timeout: LONG,
                progress: format!("{} arrived", arrived.numbers.len()),
                log: running.log(),
            });
        }
        let Some(metadata) = running.metadata() else {
            return Err(FluentBitError::Config { path: self.conf.to_owned(), reason: "no pod list".into() });
        };
        metadata.kubelet.set_mode(self.mode);
        let (asked, cpu, started) =
            (metadata.kubelet.asked().pods, cpu_ms(running.process()), Instant::now());
        let mut written = 0;
        while written < self.lines {
            let gone = started.elapsed().min(self.lasting);
            let share = gone.as_secs_f64() / self.lasting.as_secs_f64();
            let due = ((self.lines as f64 * share) as u64).min(self.lines);
            let first = u64::from(PODS);
            write(&running, first + written..first + due)?;
            written = due;
            arrived.take(&running)?;
            progress(gone);
            std::thread::sleep(STEP);
        }
        // What is on its way has a moment to arrive: Fluent Bit flushes every few seconds.
        arrived.wait_for(&running, u64::from(PODS) + self.lines, SETTLE)?;
        let in_time = arrived.numbers.len() as u64 - u64::from(PODS);
        let cpu_ms = cpu_ms(running.process()).saturating_sub(cpu);
        let poll_age = match &metadata.sidecar {
            Some(sidecar) => sidecar.metric("nodesieve_sidecar_poll_age_seconds")?,
            None => None,
        };
        let requests = metadata.kubelet.asked().pods - asked;
        metadata.kubelet.set_mode(FailureMode::Ok);
        arrived.wait_for(&running, u64::from(PODS) + self.lines, LONG)?;
        let ended = match running.stop() {
            Ok(outcome) => {
                outcome.records.iter().for_each(|record| arrived.add(record));
                "when told to".to_owned()
            }
            // A crash belongs to the result, and so does a program that cannot be told to stop.
            Err(FluentBitError::Ended { status, .. }) => status.to_string(),
            Err(FluentBitError::TimedOut { .. }) => "never".to_owned(),
            Err(error) => return Err(error),
        };
        let delivered = arrived.numbers.len() as u64 - u64::from(PODS);
        Ok(OutageReport {
            filter: self.filter.name(),
            kubelet: self.mode.name(),
            written: self.lines,
            in_time,
            delivered,
            enriched: arrived.numbers.range(u64::from(PODS)..).filter(|(_, seen)| seen.enriched).count()
                as u64,
            repeated: arrived.numbers.values().map(|seen| seen.times - 1).sum(),
            lost: self.lines.saturating_sub(delivered),
            cpu_ms,
            poll_age,
            requests,
            ended,
        })
    }
}

/// Between two looks.
const STEP: Duration = Duration::from_millis(100);
/// For what is on its way at the end.
const SETTLE: Duration = Duration::from_secs(5);
/// For what has to come.
const LONG: Duration = Duration::from_secs(60);
