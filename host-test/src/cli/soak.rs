//! The command that runs the filter for long, under everything at once.

use super::arguments::{OutputFormat, SoakArguments};
use super::commands::print;
use crate::artefact;
use crate::soak::{Soak, SoakLength, SoakReport};
use crate::table::{Align, Table, grouped};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::process::ExitCode;
use std::time::Duration;

pub(super) fn soak(arguments: &SoakArguments) -> anyhow::Result<ExitCode> {
    let module = artefact::module(arguments.wasm.as_deref())?;
    let time = SoakLength::Time(Duration::from_secs(arguments.seconds));
    let length = arguments.records.map_or(time, SoakLength::Records);
    // Hidden by itself when stderr is not a terminal.
    let whole = arguments.records.unwrap_or(arguments.seconds);
    let bar = ProgressBar::with_draw_target(Some(whole), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed}") {
        bar.set_style(style);
    }
    let soak = Soak { module: &module, seed: arguments.seed, length, faults: arguments.faults };
    let report = soak.run(|records, gone| {
        bar.set_position(arguments.records.map_or(gone.as_secs(), |_| records));
    })?;
    bar.finish_and_clear();
    match arguments.format {
        OutputFormat::Text => print(&table(&report).to_string())?,
        OutputFormat::Json => print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?,
    }
    for broken in &report.broken {
        anstream::eprintln!("broken {broken}");
    }
    Ok(ExitCode::from(u8::from(!report.broken.is_empty())))
}

fn table(report: &SoakReport) -> Table {
    let mut table = Table::new(&[("what", Align::Left), ("how many", Align::Right)]);
    let rows = [
        ("records", report.records),
        ("kept", report.kept),
        ("dropped", report.dropped),
        ("counted on a kept one", report.counted),
        ("summed up", report.summarised),
        ("ticks", report.ticks),
        ("rule files", report.rule_files),
        ("pods", report.pods),
        ("jumps of the clock", report.jumps),
        ("restarts", report.restarts),
        ("calls for files that failed", report.injected),
        ("bytes of memory after warm-up", report.memory_warm as u64),
        ("bytes of memory at the end", report.memory_end as u64),
        ("broken laws", report.broken.len() as u64),
    ];
    for (what, count) in rows {
        table.row(vec![what.to_owned(), grouped(count)]);
    }
    table
}
