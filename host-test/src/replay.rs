//! The main job: a node's logs through the compiled filter and on to a Firehose endpoint, with a ledger that adds up.
//!
//! Replay owns time: records come in the order of their timestamps, the guest's clock is the record's time and never
//! goes back, and a tick comes with every virtual second. So every run gives the same answer.

pub use nodesieve_engine::engine::TICK_TAG;

use crate::artefact::ArtefactError;
use crate::delivery::Delivery;
use crate::fake::FakeError;
use crate::filter_counts;
use crate::firehose::{DeliverError, Firehose, FirehoseClient, FirehoseOptions, RequestSigner};
use crate::guest::{Guest, GuestError, GuestSettings, Loss, Returned};
use crate::inputs::{InputError, Record};
use crate::ledger::Ledger;
use crate::money::Prices;
use crate::tree::{NodeTree, TreeError};
use nodesieve_engine::config::RuleFile;
use nodesieve_engine::time::Now;
use nodesieve_podlist::{Limits, project};
use nodesieve_preview::clock::{TICK, Ticked, VirtualClock};
use nodesieve_preview::pods::PodTable;
use nodesieve_preview::survey::{Breakdown, Dimensions};
use nodesieve_preview::tally::Tally;
use nodesieve_preview::today::KubernetesFilter;
use nodesieve_sidecar::PodFileStore;
use std::path::Path;
use thiserror::Error;

/// The delivery stream of the embedded endpoint.
const STREAM: &str = "nodesieve";

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
    Endpoint(#[from] FakeError),
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
    /// How often Fluent Bit flushes, in seconds.
    pub flush_seconds: u32,
}

/// What a replay came to.
#[derive(Debug)]
pub struct ReplayOutcome {
    /// The numbers.
    pub ledger: Ledger,
    /// Where the volume is.
    pub breakdown: Breakdown,
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
    ) -> Result<ReplayOutcome, ReplayError> {
        let tree = NodeTree::new(self.source, self.rules)?;
        if let Some(pod_list) = self.pod_list {
            write_pods(pod_list, &tree.pods_directory())?;
        }
        let settings = GuestSettings { preopens: tree.preopens().to_vec(), seed: self.seed };
        let mut guest = Guest::start(self.module, &settings)?;
        let embedded = match self.endpoint {
            Some(_) => None,
            None => Some(Firehose::start(FirehoseOptions {
                stream: STREAM.into(),
                keep_records: false,
                ..FirehoseOptions::default()
            })?),
        };
        let url = match (self.endpoint, &embedded) {
            (Some(url), _) => url.to_owned(),
            (None, Some(firehose)) => firehose.url(),
            (None, None) => String::new(),
        };
        let mut client = FirehoseClient::new(&url, STREAM, None)?;
        if self.endpoint.is_some() {
            let signer = RequestSigner::from_env(client.host());
            client = client.signed_by(signer);
        }
        let mut delivery = Delivery::new(client);
        let input = &self.rules.input;
        let dimensions = Dimensions::of(self.records, input);
        let mut tally = Tally::new(self.flush_seconds, &dimensions);
        let mut pods = match self.pod_list {
            Some(list) => PodTable::of(list)
                .map_err(|reason| ReplayError::Pods { path: "the pod list".into(), reason })?,
            None => PodTable::default(),
        };
        let mut today = KubernetesFilter::beside(self.rules);
        let mut losses = Vec::new();
        let mut clock = VirtualClock::default();
        let mut summaries = Vec::new();

        for (index, record) in self.records.iter().enumerate() {
            clock.advance(record.nanoseconds(), |now| tick(&mut guest, now), &mut summaries);
            guest.clock().advance_to(clock.now());
            for summary in summaries.drain(..) {
                deliver_summary(&summary, &dimensions, &mut tally, &mut delivery, &mut delivered)?;
            }
            let seen = (record, today.length(record, Now(clock.now()), &mut pods));
            match guest.filter(record.tag.as_bytes(), record.time, record.text.as_bytes()) {
                Returned::Kept(text) => {
                    tally.kept(&dimensions, index, seen, &text);
                    delivery.add(&text)?;
                    delivered(record, &text);
                }
                Returned::Dropped => tally.dropped(&dimensions, index, seen),
                Returned::Lost(loss) => {
                    tally.lost(&dimensions, index, seen);
                    if losses.len() < 10 {
                        losses.push((index, loss));
                    }
                }
            }
            progress(index.saturating_add(1));
        }
        clock.finish(self.rules, |now| tick(&mut guest, now), &mut summaries);
        for summary in summaries.drain(..) {
            deliver_summary(&summary, &dimensions, &mut tally, &mut delivery, &mut delivered)?;
        }
        delivery.finish()?;

        let metrics = tree.metrics()?;
        let counts = filter_counts::read(&metrics);
        let mut ledger = tally.ledger(&counts, &clock, self.prices);
        ledger.delivered = match &embedded {
            Some(firehose) => firehose.received().records,
            None => delivery.delivered(),
        };
        ledger.undeliverable = delivery.undeliverable();
        ledger.firehose_calls = delivery.calls();
        let imbalances = ledger.imbalances(&counts);
        let breakdown = tally.survey().breakdown(&dimensions);
        Ok(ReplayOutcome { ledger, breakdown, metrics, stderr: guest.stderr(), imbalances, losses })
    }
}

/// Fills a directory with pod files by the sidecar's own code.
///
/// # Errors
/// [`ReplayError::Pods`] when the list is none, or the directory cannot be written.
pub fn write_pods(pod_list: &[u8], directory: &Path) -> Result<(), ReplayError> {
    let error = |reason: String| ReplayError::Pods { path: directory.display().to_string(), reason };
    let projected = project(pod_list, &Limits::default()).map_err(|reason| error(reason.to_string()))?;
    let written =
        PodFileStore::new(directory).write(&projected.files).map_err(|reason| error(reason.to_string()))?;
    match written.failed.first() {
        Some(reason) => Err(error(reason.to_string())),
        None => Ok(()),
    }
}

fn tick(guest: &mut Guest, now: u64) -> Option<Vec<u8>> {
    guest.clock().advance_to(now);
    let seconds = u32::try_from(now / 1_000_000_000).unwrap_or(u32::MAX);
    match guest.filter(TICK_TAG, (seconds, 0), TICK) {
        Returned::Kept(summary) => Some(summary),
        Returned::Dropped | Returned::Lost(_) => None,
    }
}

fn deliver_summary(
    ticked: &Ticked,
    dimensions: &Dimensions,
    tally: &mut Tally,
    delivery: &mut Delivery,
    delivered: &mut impl FnMut(&Record, &[u8]),
) -> Result<(), ReplayError> {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    tally.summary(dimensions, ticked);
    delivery.add(&ticked.summary)?;
    delivered(&Record { tag: text(TICK_TAG), time: (ticked.seconds, 0), text: text(TICK) }, &ticked.summary);
    Ok(())
}
