//! The main job: a node's logs through the compiled filter and on to a Firehose endpoint, with a ledger that adds up.
//!
//! Replay owns time: records come in the order of their timestamps, the guest's clock is the record's time and never
//! goes back, and a tick comes with every virtual second. So every run gives the same answer.

use crate::artefact::ArtefactError;
use crate::delivery::{Bill, Delivery};
use crate::firehose::{Client, DeliverError, Firehose, Options};
use crate::guest::{Guest, GuestError, GuestSettings, Loss, Returned};
use crate::inputs::{InputError, Record};
use crate::ledger::Ledger;
use crate::money::{Bytes, Money, Prices};
use crate::reported::Reported;
use crate::stand_in::StandInError;
use crate::tree::{NodeTree, TreeError};
use nodesieve_engine::config::RuleFile;
use nodesieve_sidecar::{Limits, PodDirectory};
use std::path::Path;
use std::time::Duration;
use thiserror::Error;

/// The tag of the tick input, as in conf/fluent-bit.yaml.
pub const TICK_TAG: &[u8] = b"nodesieve.tick";
/// What the tick input sends.
const TICK: &[u8] = br#"{"node":"replay"}"#;
/// The delivery stream of the embedded endpoint.
const STREAM: &str = "nodesieve";
/// Longest gap between two records that is filled with a tick a second; a longer one is jumped over.
const MAX_TICKS_PER_GAP: u64 = 3600;
/// Summaries at the end of a replay: far more than there are rules.
const MAX_SUMMARIES: usize = 10_000;

/// Why a replay failed.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each variant is the error of a part")]
pub enum ReplayError {
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
    #[error(transparent)]
    Guest(#[from] GuestError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Endpoint(#[from] StandInError),
    #[error(transparent)]
    Deliver(#[from] DeliverError),
    #[error("fill the pod files from {path}: {reason}")]
    Pods { path: String, reason: String },
}

/// What to replay.
#[derive(Debug)]
pub struct Replay<'a> {
    /// The compiled filter.
    pub module: &'a Path,
    /// The rule file's text.
    pub source: &'a str,
    /// What it means.
    pub rules: &'a RuleFile,
    /// The kubelet's pod list, if there is one.
    pub pod_list: Option<&'a [u8]>,
    /// Records in the order in which they come.
    pub records: &'a [Record],
    /// A Firehose endpoint other than the embedded one.
    pub endpoint: Option<&'a str>,
    /// What the guest's random numbers start from.
    pub seed: u64,
    /// Prices.
    pub prices: Prices,
}

/// What a replay came to.
#[derive(Debug)]
pub struct Outcome {
    /// The numbers.
    pub ledger: Ledger,
    /// The filter's metrics file at the end.
    pub metrics: String,
    /// What the filter wrote to stderr.
    pub stderr: String,
    /// Where the numbers do not add up.
    pub imbalances: Vec<String>,
    /// The first losses, with the position of their records.
    pub losses: Vec<(usize, Loss)>,
}

impl Replay<'_> {
    /// Runs it. `progress` is told how many records are done; `delivered` gets every kept record in order, and every
    /// summary, as what became of a record with the tag [`TICK_TAG`].
    ///
    /// # Errors
    /// [`ReplayError`]; a record that the filter loses is no error but a fault in the ledger.
    pub fn run(
        &self,
        mut progress: impl FnMut(usize),
        mut delivered: impl FnMut(&Record, &[u8]),
    ) -> Result<Outcome, ReplayError> {
        let tree = NodeTree::new(self.source, self.rules)?;
        if let Some(pod_list) = self.pod_list {
            write_pods(pod_list, &tree.pods_directory())?;
        }
        let settings = GuestSettings { preopens: tree.preopens().to_vec(), seed: self.seed };
        let mut guest = Guest::start(self.module, &settings)?;
        let embedded = match self.endpoint {
            Some(_) => None,
            None => Some(Firehose::start(Options {
                stream: STREAM.into(),
                keep_records: false,
                ..Options::default()
            })?),
        };
        let url = match (self.endpoint, &embedded) {
            (Some(url), _) => url.to_owned(),
            (None, Some(firehose)) => firehose.url(),
            (None, None) => String::new(),
        };
        let mut delivery = Delivery::new(Client::new(&url, STREAM, None)?);
        let mut unfiltered = Bill::new();
        let mut ledger = Ledger { prices: self.prices, ..Ledger::default() };
        let mut losses = Vec::new();
        let mut clock = VirtualClock::default();
        let mut reported = Reported::default();
        let mut summaries = Vec::new();

        for (index, record) in self.records.iter().enumerate() {
            clock.advance(&mut guest, record.time, &mut summaries);
            for (tick, summary) in summaries.drain(..) {
                reported.add(&summary);
                delivery.add(&summary)?;
                delivered(&tick, &summary);
            }
            ledger.seen = ledger.seen.saturating_add(1);
            ledger.bytes_in = ledger.bytes_in.saturating_add(record.text.len() as u64);
            unfiltered.add(record.text.len());
            match guest.filter(record.tag.as_bytes(), record.time, record.text.as_bytes()) {
                Returned::Kept(text) => {
                    ledger.kept = ledger.kept.saturating_add(1);
                    ledger.bytes_out = ledger.bytes_out.saturating_add(text.len() as u64);
                    reported.add(&text);
                    delivery.add(&text)?;
                    delivered(record, &text);
                }
                Returned::Dropped => ledger.dropped = ledger.dropped.saturating_add(1),
                Returned::Lost(loss) => {
                    ledger.faults = ledger.faults.saturating_add(1);
                    if losses.len() < 10 {
                        losses.push((index, loss));
                    }
                }
            }
            progress(index.saturating_add(1));
        }
        clock.finish(&mut guest, self.rules, &mut summaries);
        for (tick, summary) in summaries.drain(..) {
            reported.add(&summary);
            delivery.add(&summary)?;
            delivered(&tick, &summary);
        }
        delivery.finish()?;
        ledger.ticks = clock.ticks;
        ledger.counted = reported.counted;
        ledger.summaries = reported.summaries;
        ledger.summarised = reported.summarised;

        let metrics = tree.metrics()?;
        ledger.read_metrics(&metrics);
        ledger.delivered = match &embedded {
            Some(firehose) => firehose.received().records,
            None => delivery.delivered(),
        };
        ledger.undeliverable = delivery.undeliverable();
        ledger.firehose_calls = delivery.calls();
        ledger.billed_bytes = delivery.bill().per_record();
        ledger.billed_bytes_aggregated = delivery.bill().aggregated();
        ledger.billed_bytes_unfiltered = unfiltered.per_record();
        ledger.billed_bytes_unfiltered_aggregated = unfiltered.aggregated();
        ledger.span_seconds = clock.span_seconds();
        let bytes = Bytes {
            billed: ledger.billed_bytes,
            billed_aggregated: ledger.billed_bytes_aggregated,
            unfiltered: ledger.billed_bytes_unfiltered,
            unfiltered_aggregated: ledger.billed_bytes_unfiltered_aggregated,
            out: ledger.bytes_out,
            seen: ledger.bytes_in,
        };
        ledger.money = Money::of(bytes, ledger.span_seconds, self.prices);
        let imbalances = ledger.imbalances(&metrics);
        Ok(Outcome { ledger, metrics, stderr: guest.stderr(), imbalances, losses })
    }
}

/// Fills a directory with pod files by the sidecar's own code.
///
/// # Errors
/// [`ReplayError::Pods`] when the list is none, or the directory cannot be written.
pub fn write_pods(pod_list: &[u8], directory: &Path) -> Result<(), ReplayError> {
    let error = |reason: String| ReplayError::Pods { path: directory.display().to_string(), reason };
    let projected = nodesieve_sidecar::project(pod_list, &Limits::default())
        .map_err(|reason| error(reason.to_string()))?;
    let written =
        PodDirectory::new(directory).write(&projected.files).map_err(|reason| error(reason.to_string()))?;
    match written.failed.first() {
        Some(reason) => Err(error(reason.to_string())),
        None => Ok(()),
    }
}

/// The guest's clock, turned by the records.
#[derive(Debug, Default)]
struct VirtualClock {
    first: Option<u64>,
    now: u64,
    /// The time of the last record.
    last: u64,
    ticks: u64,
}

impl VirtualClock {
    /// Goes on to a record's time, with a tick at every second on the way. What ticks answer goes into `summaries`.
    fn advance(&mut self, guest: &mut Guest, time: (u32, u32), summaries: &mut Vec<(Record, Vec<u8>)>) {
        let to = u64::from(time.0).saturating_mul(SECOND).saturating_add(u64::from(time.1));
        if self.first.is_none() {
            self.first = Some(to);
            self.now = to;
        }
        let next_second = |now: u64| (now / SECOND).saturating_add(1).saturating_mul(SECOND);
        while next_second(self.now) <= to {
            let is_jump = to.saturating_sub(self.now) / SECOND > MAX_TICKS_PER_GAP;
            self.now = if is_jump {
                to.saturating_sub(MAX_TICKS_PER_GAP.saturating_mul(SECOND))
            } else {
                next_second(self.now)
            };
            summaries.extend(self.tick(guest));
        }
        self.now = self.now.max(to);
        self.last = self.now;
        guest.clock().advance_to(self.now);
    }

    /// Ticks until everything is summed up, and once more when the filter writes its metrics.
    fn finish(&mut self, guest: &mut Guest, rules: &RuleFile, summaries: &mut Vec<(Record, Vec<u8>)>) {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4);
        if self.ticks == 0 {
            // Records of less than a second: summaries are counted from the first tick.
            summaries.extend(self.tick(guest));
        }
        for wait in rules.summary.into_iter().chain([rules.metrics.every]) {
            self.now = self.now.saturating_add(nanos(wait)).saturating_add(SECOND);
            // What has no room in one summary comes with the next tick.
            while let Some(summary) = self.tick(guest) {
                summaries.push(summary);
                self.now = self.now.saturating_add(SECOND);
                if summaries.len() >= MAX_SUMMARIES {
                    break;
                }
            }
        }
    }

    /// The tick and its answer, if it has one.
    fn tick(&mut self, guest: &mut Guest) -> Option<(Record, Vec<u8>)> {
        guest.clock().advance_to(self.now);
        self.ticks = self.ticks.saturating_add(1);
        let seconds = u32::try_from(self.now / SECOND).unwrap_or(u32::MAX);
        match guest.filter(TICK_TAG, (seconds, 0), TICK) {
            Returned::Kept(summary) => {
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                Some((Record { tag: text(TICK_TAG), time: (seconds, 0), text: text(TICK) }, summary))
            }
            Returned::Dropped | Returned::Lost(_) => None,
        }
    }

    fn span_seconds(&self) -> f64 {
        self.first.map_or(0.0, |first| self.last.saturating_sub(first) as f64 / SECOND as f64)
    }
}

const SECOND: u64 = 1_000_000_000;
