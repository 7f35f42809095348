//! A destination that fails, or a Fluent Bit that is ended meanwhile, while containers keep writing.
//!
//! It exists to show which settings lose lines and which do not. The rule it keeps: lines are written evenly and counted by
//! their numbers where they arrive; the shipped pipeline and the AWS chart's differ in their settings only.

use super::numbered::{Arrived, PODS, pod_list, rotate, write, write_with_parts};
use super::{End, FluentBitError, MetadataFilter, Running, STATE, Setup};
use crate::firehose::FirehoseFault;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InjectedFault {
    /// Firehose is unavailable.
    Outage,
    /// Firehose takes one call in four.
    Throttle,
    /// Firehose refuses one record in three of those in its calls.
    Partial,
    /// Firehose is unavailable, and Fluent Bit is stopped and started again, as in a rollout.
    Sigterm,
    /// Firehose is unavailable, and Fluent Bit is killed and started again.
    Kill,
    /// Firehose is unavailable, and the disk behind the buffers is full before it is back.
    DiskFull,
    /// The rule file is swapped for another one again and again, for a broken one too.
    Reload,
    /// The logs are rotated again and again, while Firehose is unavailable.
    Rotate,
    /// As [`Kill`](InjectedFault::Kill), and the largest chunk on the disk has lost its second half, as a crash of the node may leave it.
    CutChunk,
}

impl InjectedFault {
    /// Every fault with its name.
    pub const ALL: [(InjectedFault, &'static str); 9] = [
        (InjectedFault::Outage, "outage"),
        (InjectedFault::Throttle, "throttle"),
        (InjectedFault::Partial, "partial"),
        (InjectedFault::Sigterm, "sigterm"),
        (InjectedFault::Kill, "kill"),
        (InjectedFault::DiskFull, "disk-full"),
        (InjectedFault::Reload, "reload"),
        (InjectedFault::Rotate, "rotate"),
        (InjectedFault::CutChunk, "cut-chunk"),
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        InjectedFault::ALL.iter().find(|(fault, _)| *fault == self).map_or("outage", |(_, name)| name)
    }

    /// What is done once, when half of the time is over.
    fn halfway(self, running: &mut Running) -> Result<(), FluentBitError> {
        match self {
            InjectedFault::Sigterm => running.restart(End::Terminated),
            InjectedFault::Kill => running.restart(End::Killed),
            InjectedFault::CutChunk => running.restart_after(End::Killed, cut_largest_chunk),
            InjectedFault::Outage
            | InjectedFault::Throttle
            | InjectedFault::Partial
            | InjectedFault::DiskFull
            | InjectedFault::Reload
            | InjectedFault::Rotate => Ok(()),
        }
    }

    /// What is done every [`TURN`] while it lasts.
    fn turn(self, running: &mut Running, turn: u32) -> Result<(), FluentBitError> {
        match (self, turn % 3) {
            (InjectedFault::Rotate, _) => rotate(running, u64::from(turn)),
            (InjectedFault::Reload, 0) => running.put_rules(OTHER_RULES),
            (InjectedFault::Reload, 1) => running.put_rules("version: 1\nrules: ["),
            (InjectedFault::Reload, _) => running.put_rules(RULES),
            _ => Ok(()),
        }
    }
}

/// A name that is no fault's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read fault {0:?}: not one of {names}", names = InjectedFault::ALL.map(|(_, name)| name).join(", "))]
pub struct FaultError(String);

impl std::str::FromStr for InjectedFault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<InjectedFault, FaultError> {
        let found = InjectedFault::ALL.iter().find(|(_, name)| *name == text);
        found.map(|(fault, _)| *fault).ok_or_else(|| FaultError(text.to_owned()))
    }
}

/// Where lines wait while they cannot be delivered, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buffering {
    /// As shipped: on disk, for as long as it takes.
    Shipped,
    /// As the AWS chart has it (aws-for-fluent-bit 0.2.0): in memory, and given up after one retry.
    Chart,
}

impl Buffering {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Buffering::Shipped => "shipped",
            Buffering::Chart => "chart's",
        }
    }

    fn overrides(self) -> Vec<(&'static str, &'static str)> {
        // On a node a retry may wait for a minute, and a stop for half of one.
        let mut overrides = vec![("refresh_interval", "1"), ("scheduler.cap", "5"), ("grace", "5")];
        if self == Buffering::Chart {
            overrides.extend([("storage.type", "memory"), ("retry_limit", "1")]);
        }
        overrides
    }
}

/// A fault to run.
#[derive(Clone, Copy, Debug)]
pub struct FaultRun<'a> {
    /// The program.
    pub fluent_bit: &'a Path,
    /// The compiled filter.
    pub module: &'a Path,
    /// `conf/fluent-bit.yaml`.
    pub conf: &'a Path,
    /// What goes wrong.
    pub fault: InjectedFault,
    /// Where lines wait.
    pub buffering: Buffering,
    /// How many lines are written meanwhile.
    pub lines: u64,
    /// For how long it goes wrong.
    pub lasting: Duration,
}

/// The result of a fault. Serialised as the `--format json` of `fluent-bit --fault`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FaultReport {
    /// What went wrong.
    pub fault: &'static str,
    /// Where lines waited.
    pub buffering: &'static str,
    /// Lines written.
    pub written: u64,
    /// Of these, delivered while it went wrong.
    pub in_time: u64,
    /// Of these, delivered in the end, whole.
    pub delivered: u64,
    /// Of these, delivered without their start, or with it as a record of its own. One line in four is written in two parts.
    pub cut: u64,
    /// Of these, never.
    pub lost: u64,
    /// Whether lines that are written when all is well again arrive.
    pub well_again: bool,
    /// Deliveries of a line that had been delivered.
    pub repeated: u64,
    /// Calls that Firehose refused.
    pub refused_calls: u64,
    /// Rule files that took effect.
    pub reloads: u64,
    /// The most memory that Fluent Bit had resident, in MB; since its last start.
    pub memory_mb: u64,
}

impl FaultRun<'_> {
    /// Runs it. `progress` hears of time gone.
    ///
    /// # Errors
    /// [`FluentBitError`] when it cannot be run. That lines are lost is no error.
    pub fn run(&self, mut progress: impl FnMut(Duration)) -> Result<FaultReport, FluentBitError> {
        let empty = tempfile::tempdir()
            .map_err(|reason| FluentBitError::Make { path: "an empty directory".into(), reason })?;
        let mut running = Running::start(Setup {
            fluent_bit: self.fluent_bit,
            module: self.module,
            conf: self.conf,
            rules: RULES,
            logs: empty.path(),
            pod_list: Some(&pod_list()),
            filter: MetadataFilter::Nodesieve,
            disk: (self.fault == InjectedFault::DiskFull).then_some(DISK),
            elsewhere: None,
            overrides: &self.buffering.overrides(),
        })?;
        let mut arrived = Arrived::default();
        let first = u64::from(PODS);
        write(&running, 0..first)?;
        arrived.wait_for(&running, first, PATIENCE)?;
        running.firehose().set_fault(match self.fault {
            InjectedFault::Outage
            | InjectedFault::Sigterm
            | InjectedFault::Kill
            | InjectedFault::DiskFull
            | InjectedFault::Rotate
            | InjectedFault::CutChunk => FirehoseFault::Unavailable,
            InjectedFault::Reload => FirehoseFault::None,
            InjectedFault::Throttle => FirehoseFault::Throttled { every: 4 },
            InjectedFault::Partial => FirehoseFault::PartialFailure { every: 3 },
        });
        let end = first + self.lines;
        let (started, mut written) = (Instant::now(), 0);
        let mut is_halfway = false;
        let mut turn = 0_u32;
        while written < self.lines {
            let gone = started.elapsed().min(self.lasting);
            let share = gone.as_secs_f64() / self.lasting.as_secs_f64();
            let due = ((self.lines as f64 * share) as u64).min(self.lines);
            write_with_parts(&running, first + written..first + due, end)?;
            written = due;
            if share >= 0.5 && !is_halfway {
                is_halfway = true;
                self.fault.halfway(&mut running)?;
            }
            if gone >= TURN.saturating_mul(turn.saturating_add(1)) {
                self.fault.turn(&mut running, turn)?;
                turn = turn.saturating_add(1);
            }
            arrived.take(&running)?;
            progress(gone);
            std::thread::sleep(STEP);
        }
        let in_time = arrived.numbers.len() as u64 - first;
        running.firehose().set_fault(FirehoseFault::None);
        // What does not come in that time is lost; with the chart's settings that is to be expected.
        let _ = arrived.wait_until(&running, |arrived| arrived.seen(first..end) == self.lines, PATIENCE)?;
        let sent = end..end + u64::from(PODS);
        write(&running, sent.clone())?;
        let has_arrived =
            |arrived: &Arrived| sent.clone().all(|number| arrived.numbers.contains_key(&number));
        let well_again = arrived.wait_until(&running, has_arrived, PATIENCE)?;
        let memory_mb = running.most_memory()? / 1_000_000;
        let outcome = running.stop()?;
        outcome.records.iter().for_each(|record| arrived.add(record));
        let delivered = arrived.numbers.range(first..end).count() as u64;
        let seen = arrived.seen(first..end);
        Ok(FaultReport {
            fault: self.fault.name(),
            buffering: self.buffering.name(),
            written: self.lines,
            in_time,
            delivered,
            cut: seen.saturating_sub(delivered),
            lost: self.lines.saturating_sub(seen),
            well_again,
            repeated: arrived.numbers.values().map(|seen| seen.times - 1).sum(),
            refused_calls: outcome.received.rejected_calls,
            memory_mb,
            reloads: outcome.metrics.get("nodesieve_reloads_total").unwrap_or_default(),
        })
    }
}

/// Takes the second half of the largest chunk away.
fn cut_largest_chunk(running: &Running) -> Result<(), FluentBitError> {
    let directory = running.at(STATE).join("chunks");
    let cut = || -> io::Result<()> {
        let mut largest: Option<(u64, PathBuf)> = None;
        for stream in fs::read_dir(&directory)? {
            for chunk in fs::read_dir(stream?.path())? {
                let chunk = chunk?;
                let size = chunk.metadata()?.len();
                if largest.as_ref().is_none_or(|(most, _)| size > *most) {
                    largest = Some((size, chunk.path()));
                }
            }
        }
        // What waits in memory has none.
        let Some((size, path)) = largest else { return Ok(()) };
        fs::OpenOptions::new().write(true).open(path)?.set_len(size / 2)
    };
    cut().map_err(|reason| FluentBitError::Make { path: directory.clone(), reason })
}

/// Rules that keep everything.
const RULES: &str = "version: 1\n";
/// Others that do.
const OTHER_RULES: &str = "version: 1\nguards:\n  - { name: lines, when: { message: line } }\n";
/// Between two reloads or rotations.
const TURN: Duration = Duration::from_secs(2);
/// Room on the disk that becomes full: a third of what 20,000 lines take.
const DISK: u64 = 4 << 20;
/// Between two looks.
const STEP: Duration = Duration::from_millis(100);
/// How long is waited for what should come.
const PATIENCE: Duration = Duration::from_secs(45);
