//! A real Fluent Bit whose destination fails, or that is ended meanwhile: the shipped pipeline loses no line.
//!
//! Skipped where there is no Fluent Bit. `nodesieve fluent-bit --fault` is the same at any length.

use crate::fluent_bit::program;
use crate::support;
use host_test::fluent_bit::{Buffering, FaultReport, FaultRun, FluentBitError, InjectedFault};
use std::time::Duration;

const LINES: u64 = 20_000;
/// Of 5,000 lines that are written in two parts, this many at the most come in two records or without their start: tail sends out what
/// it has of a line every 4 s, and forgets it when it ends.
const MOST_CUT: u64 = 250;

fn run(fault: InjectedFault, buffering: Buffering) -> Option<FaultReport> {
    let program = program()?;
    let (module, conf) = (support::module(), support::conf().join("fluent-bit.yaml"));
    let run = FaultRun {
        fluent_bit: &program,
        module: &module,
        conf: &conf,
        fault,
        buffering,
        lines: LINES,
        lasting: Duration::from_secs(15),
    };
    let report = match run.run(|_| {}) {
        Err(FluentBitError::Make { path, reason }) if fault == InjectedFault::DiskFull => {
            crate::support::skip("small-disk", &format!("no small disk at {}: {reason}", path.display()));
            return None;
        }
        report => report.unwrap(),
    };
    eprintln!("{report:?}");
    assert!(report.well_again && report.cut <= MOST_CUT, "{report:?}");
    Some(report)
}

#[track_caller]
fn loses_nothing(fault: InjectedFault) {
    let Some(report) = run(fault, Buffering::Shipped) else { return };
    assert_eq!(report.lost, 0, "{report:?}");
}

#[test]
fn an_outage_loses_nothing_and_repeats_nothing() {
    let Some(report) = run(InjectedFault::Outage, Buffering::Shipped) else { return };
    assert_eq!((report.in_time, report.lost, report.repeated), (0, 0, 0), "{report:?}");
    assert!(report.refused_calls > 20, "{report:?}");
}

#[test]
fn throttling_loses_nothing_and_repeats_nothing() {
    let Some(report) = run(InjectedFault::Throttle, Buffering::Shipped) else { return };
    assert_eq!((report.lost, report.repeated), (0, 0), "{report:?}");
    assert!(report.refused_calls > 20 && report.in_time > 0, "{report:?}");
}

#[test]
fn partial_failures_lose_nothing() {
    loses_nothing(InjectedFault::Partial);
}

#[test]
fn a_rollout_during_an_outage_loses_nothing() {
    loses_nothing(InjectedFault::Sigterm);
}

#[test]
fn a_kill_during_an_outage_loses_nothing() {
    loses_nothing(InjectedFault::Kill);
}

#[test]
fn reloads_under_load_lose_nothing_and_repeat_nothing() {
    let Some(report) = run(InjectedFault::Reload, Buffering::Shipped) else { return };
    assert_eq!((report.lost, report.repeated), (0, 0), "{report:?}");
    assert!(report.in_time > LINES / 2, "{report:?}");
    // The start, and five of seven swaps: the second and the fifth bring a broken file.
    assert!((4..=6).contains(&report.reloads), "{report:?}");
}

#[test]
fn rotation_during_an_outage_loses_nothing_and_repeats_nothing() {
    let Some(report) = run(InjectedFault::Rotate, Buffering::Shipped) else { return };
    assert_eq!((report.in_time, report.lost, report.repeated), (0, 0, 0), "{report:?}");
    // tail joins the parts of a line within a file: one that is written when the file changes comes as two.
    assert!(report.cut > 0, "{report:?}");
}

/// Guarantees: a chunk that a crash has cut costs the records in it, and neither the others nor what comes after.
#[test]
fn a_chunk_that_is_cut_on_disk_loses_its_own_records_and_no_others() {
    let Some(report) = run(InjectedFault::CutChunk, Buffering::Shipped) else { return };
    assert!((1..LINES / 5).contains(&report.lost), "{report:?}");
}

/// Guarantees: a disk that is full takes nothing away that was on it, does not end Fluent Bit, and is over when it is
/// over. What is read meanwhile is lost, which is what the README says.
#[test]
fn a_full_disk_loses_what_is_read_meanwhile_and_nothing_else() {
    let Some(report) = run(InjectedFault::DiskFull, Buffering::Shipped) else { return };
    assert!(report.lost > 0, "the disk was not full: {report:?}");
    assert!(report.delivered > LINES / 10, "{report:?}");
    assert_eq!(report.repeated, 0, "{report:?}");
}

/// The counts mean something: with the chart's buffers the same outage does lose lines.
#[test]
fn the_same_outage_loses_lines_with_the_charts_buffers() {
    let Some(report) = run(InjectedFault::Outage, Buffering::Chart) else { return };
    assert!(report.lost > LINES / 10, "{report:?}");
}
