//! The commands that measure: instructions in the guest, and time in a real Fluent Bit.

use super::arguments::{BenchArguments, FluentBitArguments, OutputFormat};
use super::commands::print;
use crate::artefact;
use crate::bench::{BenchPath, FuelBench, FuelReport};
use crate::fluent_bit::{self, CpuBench};
use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::process::ExitCode;

pub(super) fn bench(arguments: &BenchArguments) -> anyhow::Result<ExitCode> {
    if arguments.profile {
        return profile(arguments);
    }
    let module = artefact::module(arguments.wasm.as_deref())?;
    let mut bench = FuelBench::new(&module, &artefact::workspace().join("conf"))?;
    let mut report = FuelReport::default();
    let paths = chosen(bench.paths()?, &arguments.paths)?;
    let bar = progress(paths.len());
    for path in &paths {
        bar.set_message(path.name.clone());
        report.paths.push(bench.measure(path)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    match arguments.format {
        OutputFormat::Text => print(&report.to_string())?,
        OutputFormat::Json => print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(feature = "playground")]
fn profile(arguments: &BenchArguments) -> anyhow::Result<ExitCode> {
    use crate::bench::Profiler;
    let module = match &arguments.wasm {
        Some(named) => artefact::module(Some(named))?,
        None => artefact::module_with_names()?,
    };
    let mut profiler = Profiler::new(&module, &artefact::workspace().join("conf"))?;
    let paths = chosen(profiler.paths()?, &arguments.paths)?;
    let bar = progress(paths.len());
    let mut profiles = Vec::new();
    for path in &paths {
        bar.set_message(path.name.clone());
        let profile = profiler.profile(path)?;
        bar.inc(1);
        if arguments.format == OutputFormat::Text {
            bar.suspend(|| print(&format!("{profile}\n")))?;
        }
        profiles.push(profile);
    }
    bar.finish_and_clear();
    if arguments.format == OutputFormat::Json {
        let all = serde_json::json!({ "profiles": profiles });
        print(&format!("{}\n", serde_json::to_string_pretty(&all)?))?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(not(feature = "playground"))]
fn profile(_: &BenchArguments) -> anyhow::Result<ExitCode> {
    anyhow::bail!(
        "profile the filter: this program was built without what takes modules apart; use `cargo run --release --features \
         playground -- bench --profile`"
    )
}

/// The paths with these names; all if there are none.
fn chosen(all: Vec<BenchPath>, names: &[String]) -> anyhow::Result<Vec<BenchPath>> {
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|path| path.name == **name)) {
        let known: Vec<&str> = all.iter().map(|path| path.name.as_str()).collect();
        anyhow::bail!("find path {unknown}: there is none; paths: {}", known.join(", "));
    }
    Ok(all.into_iter().filter(|path| names.is_empty() || names.contains(&path.name)).collect())
}

pub(super) fn fluent_bit(arguments: &FluentBitArguments) -> anyhow::Result<ExitCode> {
    let program = fluent_bit::find().context("find fluent-bit: neither FLUENT_BIT nor PATH has it")?;
    let module = artefact::module(arguments.wasm.as_deref())?;
    let bench = CpuBench {
        fluent_bit: &program,
        module: &module,
        ahead_of_time: arguments.aot.as_deref(),
        records: arguments.records,
        rounds: arguments.rounds,
    };
    anstream::eprintln!("running {}, {} runs", program.display(), bench.runs());
    let bar = progress(bench.runs());
    let report = bench.run(|pipeline| {
        bar.set_message(pipeline.to_owned());
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    match arguments.format {
        OutputFormat::Text => print(&report.to_string())?,
        OutputFormat::Json => print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Hidden by itself when stderr is not a terminal.
fn progress(length: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length as u64), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar
}
