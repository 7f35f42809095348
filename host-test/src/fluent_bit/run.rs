//! A Fluent Bit process, from its start to the count of what it delivered.
//!
//! It exists because a process and a server have many ways to never end. The rule it keeps: every
//! wait has a time limit, every failure shows the end of Fluent Bit's log, and nothing outlives its [`Running`].

use super::config::{Replacements, built_in_filter, rewrite, with_built_in};
use super::node::TemporaryNode;
use super::process::{
    MODULE_FILE, POLL, START, STOP, end, ended, free_port, log, most_memory, spawn, tail, terminate,
    wait_for_port,
};
use super::{FilterMetrics, FluentBitError, LOGS, METRICS, MODULE, MetadataFilter, Setup};
use crate::firehose::{Firehose, FirehoseOptions, Received};
use crate::kubelet::{FakeKubelet, FakePodsApi, KubeletOptions, items};
use crate::reported::Reported;
use crate::sidecar::{self, RunningSidecar, TOKEN};
use nodesieve_sidecar::{SidecarSettings, TapSettings};
use serde_json::Value;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// How often a start is tried: somebody else may take the port between our asking for it and Fluent Bit's.
const STARTS: usize = 3;
/// How often the sidecar asks for the list.
const INTERVAL: Duration = Duration::from_secs(5);

/// A running Fluent Bit with its node, its Firehose, and where its metadata comes from. Dropping it kills it and removes
/// the node.
pub struct Running {
    child: Child,
    firehose: Firehose,
    metadata: Option<MetadataSource>,
    node: TemporaryNode,
    program: PathBuf,
    conf: PathBuf,
    http_port: u16,
}

/// How a program is brought to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With SIGTERM, as kubelet does; it may deliver what it has.
    Terminated,
    /// With SIGKILL, as the kernel does when memory is short.
    Killed,
}

/// A kubelet and the sidecar that asks it.
pub struct MetadataSource {
    /// The sidecar, whose main loop turns; `None` where Fluent Bit's own filter asks the kubelet. Before the kubelet, so
    /// that it ends first.
    pub sidecar: Option<RunningSidecar>,
    /// The kubelet, to make it misbehave or to change its pods.
    pub kubelet: FakeKubelet,
    /// Its Pods API, where the sidecar follows that.
    pub pods_api: Option<FakePodsApi>,
}

impl MetadataSource {
    /// Starts both for the node at `root`; the pod files are there when this returns, as they are when kubelet starts
    /// Fluent Bit after its sidecar is ready.
    pub(super) fn start(
        pod_list: &[u8],
        root: &Path,
        filter: MetadataFilter<'_>,
    ) -> Result<MetadataSource, FluentBitError> {
        let options = KubeletOptions { token: Some(TOKEN.into()), ..KubeletOptions::default() };
        let kubelet = FakeKubelet::start(options, pod_list)?;
        // Token and authority are for both. Runs are short, so it asks more often than on a node.
        let settings = SidecarSettings { interval: INTERVAL, ..sidecar::settings(&kubelet, root)? };
        let pods_api = match filter {
            MetadataFilter::Following => {
                Some(FakePodsApi::start(&root.join("pods-api.sock"), &items(pod_list))?)
            }
            MetadataFilter::Nodesieve | MetadataFilter::Kubernetes(_) | MetadataFilter::Before(_) => None,
        };
        let socket = pods_api.as_ref().map(|api| api.socket().to_owned());
        let tap = TapSettings {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            answers: root.join("run/nodesieve/tap.ndjson"),
        };
        let settings = SidecarSettings { pods_api: socket, tap: Some(tap), ..settings };
        let sidecar = match filter {
            MetadataFilter::Nodesieve | MetadataFilter::Following => Some(RunningSidecar::start(settings)?),
            MetadataFilter::Kubernetes(_) | MetadataFilter::Before(_) => None,
        };
        if let Some(sidecar) = &sidecar {
            sidecar.wait_until("nodesieve_sidecar_files", |files| files > 0.0, START)?;
        }
        Ok(MetadataSource { sidecar, kubelet, pods_api })
    }

    /// The kubelet has these pods now.
    pub fn set_pods(&self, pod_list: &[u8]) {
        self.kubelet.set_pods(pod_list);
        if let Some(api) = &self.pods_api {
            api.set_pods(&items(pod_list));
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// The delivered log lines in the order of their arrival. A line that the runtime had to split comes in two when
    /// Fluent Bit's timer, every 4 s, falls between the reads of its pieces.
    pub records: Vec<Value>,
    /// The same as they were delivered, byte for byte.
    pub texts: Vec<String>,
    /// The delivered summaries, copies too.
    pub summaries: Vec<Value>,
    /// What these and the delivered summaries say.
    pub reported: Reported,
    /// The filter's metrics as last written.
    pub metrics: FilterMetrics,
    /// What Fluent Bit and the filter said.
    pub log: String,
    /// The Firehose's totals.
    pub received: Received,
}

impl RunOutcome {
    /// Adds lines that were delivered elsewhere.
    ///
    /// # Errors
    /// [`FluentBitError::Delivered`].
    pub fn add(&mut self, delivered: &[u8]) -> Result<(), FluentBitError> {
        let mut read = Vec::new();
        lines(delivered, &mut read)?;
        for (text, record) in read {
            if !self.reported.add(text.as_bytes()) {
                self.texts.push(text);
                self.records.push(record);
            } else {
                self.summaries.push(record);
            }
        }
        Ok(())
    }
}

impl Running {
    /// Starts Fluent Bit; its server answers when this returns.
    ///
    /// # Errors
    /// [`FluentBitError`] when files cannot be made, the configuration is not as expected, or Fluent Bit ends.
    pub fn start(setup: Setup<'_>) -> Result<Running, FluentBitError> {
        let firehose = Firehose::start(FirehoseOptions { tls: true, ..FirehoseOptions::default() })?;
        let mut node = TemporaryNode::new()?;
        if let Some(bytes) = setup.disk {
            node.mount_disk(bytes)?;
        }
        node.copy(setup.module, &node.at(MODULE).join(MODULE_FILE))?;
        node.copy_files(setup.logs, LOGS)?;
        let metadata = setup
            .pod_list
            .map(|pod_list| MetadataSource::start(pod_list, node.root(), setup.filter))
            .transpose()?;
        node.put_rules(setup.rules)?;
        let ca_file = node.put("/ca.pem", firehose.ca_pem().unwrap_or_default())?;
        let conf = fs::read_to_string(setup.conf)
            .map_err(|reason| FluentBitError::Read { path: setup.conf.to_owned(), reason })?;
        let mut tries = 1..=STARTS;
        loop {
            let place = Replacements {
                root: node.root(),
                firehose_port: setup.elsewhere.map_or(firehose.address().port(), |other| other.port),
                ca_file: setup.elsewhere.map_or(&ca_file, |other| other.ca_file),
                http_port: free_port()?,
            };
            let name = setup.conf.file_name().unwrap_or_default().to_string_lossy();
            let mut text = rewrite(&conf, setup.conf, &place, setup.overrides)?;
            if let Some(metadata) = &metadata {
                let port = metadata.kubelet.address().port();
                text = match setup.filter {
                    MetadataFilter::Nodesieve | MetadataFilter::Following => text,
                    MetadataFilter::Kubernetes(settings) | MetadataFilter::Before(settings) => {
                        let built_in = built_in_filter(port, node.root(), settings);
                        let is_alone = matches!(setup.filter, MetadataFilter::Kubernetes(_));
                        with_built_in(&text, setup.conf, &built_in, is_alone)?
                    }
                };
            }
            let conf = node.put(&format!("/{name}"), &text)?;
            let mut child = spawn(setup.fluent_bit, &conf, &node)?;
            match wait_for_port(&mut child, place.http_port, &node) {
                Ok(()) => {
                    let (program, http_port) = (setup.fluent_bit.to_owned(), place.http_port);
                    return Ok(Running { child, firehose, metadata, node, program, conf, http_port });
                }
                Err(error) => {
                    end(&mut child);
                    let taken = log(&node).contains("could not bind address");
                    if !taken || tries.next().is_none() {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// The root of the node: what is deployed as `/run/nodesieve` is `run/nodesieve` below it.
    pub fn tree(&self) -> &Path {
        self.node.root()
    }

    /// Where a deployed path is, such as [`super::PODS`] or [`super::LOGS`].
    pub fn at(&self, deployed: &str) -> PathBuf {
        self.node.at(deployed)
    }

    /// The Firehose, to make it misbehave or to look at its totals.
    pub fn firehose(&self) -> &Firehose {
        &self.firehose
    }

    /// Where metadata comes from; `None` without a pod list.
    pub fn metadata(&self) -> Option<&MetadataSource> {
        self.metadata.as_ref()
    }

    /// Swaps the rule file as kubelet does. The filter sees it on its next tick.
    ///
    /// # Errors
    /// [`FluentBitError::Make`].
    pub fn put_rules(&mut self, rules: &str) -> Result<(), FluentBitError> {
        self.node.put_rules(rules)
    }

    /// The filter's metrics as last written; empty before the first time.
    pub fn metrics(&self) -> FilterMetrics {
        FilterMetrics::new(fs::read_to_string(self.at(METRICS)).unwrap_or_default())
    }

    /// The number of Fluent Bit's process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that the process has had resident, in bytes (`VmHWM`).
    ///
    /// # Errors
    /// [`FluentBitError::Read`].
    pub fn most_memory(&self) -> Result<u64, FluentBitError> {
        most_memory(self.child.id())
    }

    /// What Fluent Bit has said so far.
    pub fn log(&self) -> String {
        log(&self.node)
    }

    /// Waits until the filter has seen this many records. They need not be delivered yet; [`Running::stop`] sees to
    /// that.
    ///
    /// # Errors
    /// As [`Running::wait_until`].
    pub fn wait_for(&mut self, records: u64, timeout: Duration) -> Result<FilterMetrics, FluentBitError> {
        self.wait_until(&format!("see {records} records"), |metrics| metrics.seen() >= records, timeout)
    }

    /// Waits until `condition` holds for the filter's metrics. `what` completes "wait for fluent-bit to".
    ///
    /// # Errors
    /// [`FluentBitError::TimedOut`], and [`FluentBitError::Ended`] when Fluent Bit has.
    pub fn wait_until(
        &mut self,
        what: &str,
        condition: impl Fn(&FilterMetrics) -> bool,
        timeout: Duration,
    ) -> Result<FilterMetrics, FluentBitError> {
        let deadline = Instant::now() + timeout;
        loop {
            let metrics = self.metrics();
            if condition(&metrics) {
                return Ok(metrics);
            }
            if let Some(status) = ended(&mut self.child)? {
                return Err(FluentBitError::Ended { action: "watch", status, log: tail(&self.log()) });
            }
            if Instant::now() >= deadline {
                let delivered = self.firehose.received();
                return Err(FluentBitError::TimedOut {
                    what: what.to_owned(),
                    timeout,
                    progress: format!(
                        "the filter saw {} and kept {}, {} bytes were delivered",
                        metrics.seen(),
                        metrics.kept(),
                        delivered.bytes
                    ),
                    log: tail(&self.log()),
                });
            }
            std::thread::sleep(POLL);
        }
    }

    /// Ends Fluent Bit and starts it again on the same node.
    ///
    /// # Errors
    /// [`FluentBitError`] when it does not end, or does not start.
    pub fn restart(&mut self, how: End) -> Result<(), FluentBitError> {
        self.restart_after(how, |_| Ok(()))
    }

    /// The same, with something done to the node in between.
    pub(super) fn restart_after(
        &mut self,
        how: End,
        change: impl FnOnce(&Running) -> Result<(), FluentBitError>,
    ) -> Result<(), FluentBitError> {
        match how {
            End::Terminated => {
                terminate(&self.child)?;
                self.wait_for_end()?;
            }
            End::Killed => end(&mut self.child),
        }
        change(self)?;
        self.child = spawn(&self.program, &self.conf, &self.node)?;
        wait_for_port(&mut self.child, self.http_port, &self.node)
    }

    fn wait_for_end(&mut self) -> Result<ExitStatus, FluentBitError> {
        let deadline = Instant::now() + STOP;
        loop {
            if let Some(status) = ended(&mut self.child)? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(FluentBitError::TimedOut {
                    what: "end".into(),
                    timeout: STOP,
                    progress: format!("{:?}", self.firehose.received()),
                    log: tail(&self.log()),
                });
            }
            std::thread::sleep(POLL);
        }
    }

    /// Stops Fluent Bit as kubelet does, with SIGTERM, lets it deliver what it has, and counts.
    ///
    /// # Errors
    /// [`FluentBitError`] when it does not end, ends with a failure, or has delivered what is no JSON.
    pub fn stop(mut self) -> Result<RunOutcome, FluentBitError> {
        terminate(&self.child)?;
        let status = self.wait_for_end()?;
        if !status.success() {
            return Err(FluentBitError::Ended { action: "stop", status, log: tail(&self.log()) });
        }
        let mut outcome = RunOutcome {
            records: Vec::new(),
            texts: Vec::new(),
            summaries: Vec::new(),
            reported: Reported::default(),
            metrics: self.metrics(),
            log: self.log(),
            received: self.firehose.received(),
        };
        for record in self.firehose.take_records() {
            outcome.add(&record)?;
        }
        Ok(outcome)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// The log lines in a Firehose record: the output joins them with line feeds, with an empty one at the end.
pub(super) fn lines(record: &[u8], into: &mut Vec<(String, Value)>) -> Result<(), FluentBitError> {
    for line in record.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let text = String::from_utf8_lossy(line).into_owned();
        let read = serde_json::from_slice(line)
            .map_err(|reason| FluentBitError::Delivered { line: text.chars().take(200).collect(), reason })?;
        into.push((text, read));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_taken_apart_into_its_lines() {
        let mut found = Vec::new();
        lines(b"{\"a\":1}\n{\"b\":\"\\n\"}\n\n", &mut found).unwrap();
        let texts: Vec<&str> = found.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["{\"a\":1}", "{\"b\":\"\\n\"}"]);
        let error = lines(b"{\"a\":1}{\n", &mut found).unwrap_err().to_string();
        assert!(error.starts_with("read delivered line {\"a\":1}{: "), "{error}");
    }
}
