//! Spreads a program's output over the time its container runs, with the kubelet's probes in between.

use super::cri::CriLog;
use super::dice::Dice;
use super::moment::{SampleTime, WINDOW_START};
use super::workload::SampleWorkload;
use super::{access_logs, cri::CriLine};

/// One life of a container within the recorded window.
#[derive(Clone, Copy, Debug)]
pub struct SampleRun {
    /// Its first possible line.
    pub from: SampleTime,
    /// Its last possible line.
    pub to: SampleTime,
    /// It starts at `from`, rather than having been there before the window.
    pub starts: bool,
    /// It ends at `to`, rather than living on after the window.
    pub ends: bool,
}

impl SampleRun {
    /// The whole ten minutes of a container that runs before and after them.
    pub fn whole_window() -> Self {
        Self { from: WINDOW_START, to: WINDOW_START.plus_seconds(600), starts: false, ends: false }
    }

    /// A short life, in seconds after the start of the window.
    pub fn within(from: u64, to: u64) -> Self {
        let (from, to) = (WINDOW_START.plus_seconds(from), WINDOW_START.plus_seconds(to));
        Self { from, to, starts: true, ends: true }
    }
}

/// The kubelet's probes of a container, which writes an access log line for each.
pub struct Probes {
    every_nanos: Option<u64>,
    due: SampleTime,
}

impl Probes {
    /// Two probes (of liveness and of readiness) in each `period` of so many seconds, if at all, from a
    /// random phase on.
    pub fn every(period: Option<u64>, run: SampleRun, dice: &mut Dice) -> Self {
        let every_nanos = period.map(|seconds| seconds * 1_000_000_000 / 2);
        let phase = every_nanos.map_or(0, |every| dice.between(0, every));
        Self { every_nanos, due: run.from.plus_nanos(phase) }
    }

    /// Writes the probes that are due by `now`; returns how many.
    fn catch_up(&mut self, now: SampleTime, log: &mut CriLog, dice: &mut Dice) -> usize {
        let Some(every) = self.every_nanos else { return 0 };
        let mut written = 0;
        while self.due <= now {
            log.push(self.due, &access_logs::probe(self.due, dice));
            self.due = self.due.plus_nanos(every + dice.between(0, 900_000));
            written += 1;
        }
        written
    }
}

/// Lets `program` write about `target` lines during `run`; the probes' lines come on top.
pub fn record(
    program: &mut dyn SampleWorkload,
    run: SampleRun,
    target: usize,
    mut probes: Probes,
    dice: &mut Dice,
) -> CriLog {
    let mut log = CriLog::starting(run.from);
    let mut probe_lines = 0;
    let mut now = run.from.plus_nanos(dice.between(1_000_000, 40_000_000));
    if run.starts {
        let lines = program.first_words(now, dice);
        push_all(&mut log, now, &lines, dice);
        now = log.last().plus_nanos(dice.between(1_000_000, 90_000_000));
    }
    while log.lines() - probe_lines < target {
        // Probes go between bursts, never into one, so that a stack trace stays in one piece.
        probe_lines += probes.catch_up(now, &mut log, dice);
        let before = log.lines();
        let lines = program.burst(now, dice);
        push_all(&mut log, now, &lines, dice);
        let written = (log.lines() - before).max(1);
        let left = target.saturating_sub(log.lines() - probe_lines);
        now = next_burst(now.max(log.last()), run.to, written, left, dice);
    }
    probes.catch_up(run.to, &mut log, dice);
    if run.ends {
        let lines = program.last_words(run.to, dice);
        push_all(&mut log, run.to, &lines, dice);
    }
    log
}

/// An uneven share of the time that is left, so that traffic looks like traffic.
fn next_burst(now: SampleTime, end: SampleTime, written: usize, left: usize, dice: &mut Dice) -> SampleTime {
    let rest = now.nanos_until(end);
    let (written, left) = (written as u64, left as u64);
    let even = rest / (written + left) * written;
    now.plus_nanos((even / 100 * dice.between(25, 175)).min(rest / 10 * 9))
}

fn push_all(log: &mut CriLog, now: SampleTime, lines: &[CriLine], dice: &mut Dice) {
    let mut at = now;
    for line in lines {
        // A program stamps its line before containerd does.
        at = at.plus_nanos(dice.between(18_000, 260_000));
        log.push(at, line);
    }
}
