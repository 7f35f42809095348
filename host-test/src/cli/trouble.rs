//! The commands about failures: a fake kubelet, and a real Fluent Bit whose kubelet or destination fails.

use super::arguments::{FluentBitArguments, KubeletArguments, OutputFormat};
use super::commands::{print, read};
use crate::artefact;
use crate::fluent_bit::{
    self, Buffering, FaultReport, FaultRun, InjectedFault, MetadataFilter, Outage, OutageReport,
};
use crate::kubelet::{FailureMode, FakeKubelet, KubeletOptions, StreamMode};
use crate::table::{Align, Table, grouped};
use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::process::ExitCode;
use std::time::Duration;

pub(super) fn serve(arguments: &KubeletArguments) -> anyhow::Result<ExitCode> {
    let samples = artefact::workspace().join("conf/samples/podlist.json");
    let pod_list = read(arguments.pods.as_deref().unwrap_or(&samples))?;
    let options = KubeletOptions {
        port: arguments.port,
        token: arguments.token.clone(),
        is_controlled: true,
        pods_api: arguments.pods_api_socket.clone(),
    };
    let kubelet = FakeKubelet::start(options, pod_list)?;
    kubelet.set_mode(arguments.mode);
    kubelet.set_stream_mode(arguments.stream_mode);
    let ca = &arguments.ca;
    std::fs::write(ca, kubelet.ca_pem()).with_context(|| format!("write {}", ca.display()))?;
    let url = kubelet.url();
    print(&format!("{url}/pods\n"))?;
    anstream::eprintln!(
        "a kubelet that is {}; to change that: curl --cacert {} -T - {url}/fake/mode <<< hang\nfailure modes: {}",
        arguments.mode,
        ca.display(),
        FailureMode::ALL.map(|(_, name)| name).join(", ")
    );
    if let Some(socket) = &arguments.pods_api_socket {
        anstream::eprintln!(
            "its Pods API at {} is {}; to change that: ... {url}/fake/stream-mode\nfailure modes: {}",
            socket.display(),
            arguments.stream_mode,
            StreamMode::ALL.map(|(_, name)| name).join(", ")
        );
    }
    loop {
        std::thread::park();
    }
}

pub(super) fn kubelet(arguments: &FluentBitArguments, mode: FailureMode) -> anyhow::Result<ExitCode> {
    let program = fluent_bit::find().context("find fluent-bit: neither FLUENT_BIT nor PATH has it")?;
    let conf = artefact::workspace().join("conf");
    let module = artefact::module(arguments.wasm.as_deref())?;
    let rules = match &arguments.rules {
        Some(path) => String::from_utf8(read(path)?).with_context(|| format!("read {}", path.display()))?,
        None => "version: 1\n".to_owned(),
    };
    let runs = [
        (MetadataFilter::Nodesieve, FailureMode::Ok),
        (MetadataFilter::Nodesieve, mode),
        (MetadataFilter::Kubernetes(&[]), mode),
    ];
    let mut all = Vec::new();
    for (filter, mode) in runs {
        anstream::eprintln!("{}, a kubelet that is {mode}, for {} s", filter.name(), arguments.seconds);
        let bar = progress(arguments.seconds);
        let outage = Outage {
            fluent_bit: &program,
            module: &module,
            conf: &arguments.conf.clone().unwrap_or_else(|| conf.join("fluent-bit.yaml")),
            rules: &rules,
            filter,
            mode,
            lines: arguments.lines,
            lasting: Duration::from_secs(arguments.seconds),
        };
        let run = outage.run(|gone| bar.set_position(gone.as_secs()))?;
        bar.finish_and_clear();
        anstream::eprintln!(
            "{} of {} lines delivered, {} with labels",
            run.delivered,
            run.written,
            run.enriched
        );
        all.push(run);
    }
    match arguments.format {
        OutputFormat::Text => print(&outage_table(&all).to_string())?,
        OutputFormat::Json => print(&format!("{}\n", serde_json::to_string_pretty(&all)?))?,
    }
    let ours = all.iter().filter(|run| run.filter == "nodesieve");
    let is_well = ours.into_iter().all(|run| run.lost == 0 && run.enriched == run.written);
    Ok(ExitCode::from(u8::from(!is_well)))
}

pub(super) fn fault(arguments: &FluentBitArguments, fault: InjectedFault) -> anyhow::Result<ExitCode> {
    let program = fluent_bit::find().context("find fluent-bit: neither FLUENT_BIT nor PATH has it")?;
    let conf = artefact::workspace().join("conf/fluent-bit.yaml");
    let module = artefact::module(arguments.wasm.as_deref())?;
    let mut all = Vec::new();
    for buffering in [Buffering::Shipped, Buffering::Chart] {
        anstream::eprintln!("{}, {} buffers, for {} s", fault.name(), buffering.name(), arguments.seconds);
        let bar = progress(arguments.seconds);
        let run = FaultRun {
            fluent_bit: &program,
            module: &module,
            conf: arguments.conf.as_deref().unwrap_or(&conf),
            fault,
            buffering,
            lines: arguments.lines,
            lasting: Duration::from_secs(arguments.seconds),
        };
        let report = run.run(|gone| bar.set_position(gone.as_secs()))?;
        bar.finish_and_clear();
        anstream::eprintln!("{} of {} lines delivered", report.delivered, report.written);
        all.push(report);
    }
    match arguments.format {
        OutputFormat::Text => print(&fault_table(&all).to_string())?,
        OutputFormat::Json => print(&format!("{}\n", serde_json::to_string_pretty(&all)?))?,
    }
    Ok(ExitCode::from(u8::from(all.first().is_none_or(|shipped| shipped.lost > 0 || !shipped.well_again))))
}

fn fault_table(all: &[FaultReport]) -> Table {
    let numbers = [
        "written",
        "in time",
        "in the end",
        "cut",
        "lost",
        "repeated",
        "refused calls",
        "reloads",
        "MB at most",
    ];
    let columns = [("fault", Align::Left), ("buffers", Align::Left)].into_iter();
    let columns: Vec<_> = columns.chain(numbers.map(|name| (name, Align::Right))).collect();
    let mut table = Table::new(&columns);
    for run in all {
        let FaultReport {
            written,
            in_time,
            delivered,
            cut,
            lost,
            repeated,
            refused_calls,
            reloads,
            memory_mb,
            ..
        } = *run;
        let mut row = vec![run.fault.to_owned(), run.buffering.to_owned()];
        row.extend(
            [written, in_time, delivered, cut, lost, repeated, refused_calls, reloads, memory_mb]
                .map(grouped),
        );
        table.row(row);
    }
    table
}

/// Hidden by itself when stderr is not a terminal.
fn progress(seconds: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(seconds), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} s") {
        bar.set_style(style);
    }
    bar
}

fn outage_table(all: &[OutageReport]) -> Table {
    let headings = [
        "written",
        "in time",
        "in the end",
        "with labels",
        "lost",
        "repeated",
        "CPU ms",
        "requests",
        "list s old",
        "ended",
    ];
    let columns = [("filter", Align::Left), ("kubelet", Align::Left)].into_iter();
    let columns: Vec<_> = columns.chain(headings.map(|name| (name, Align::Right))).collect();
    let mut table = Table::new(&columns);
    for run in all {
        let mut row = vec![run.filter.to_owned(), run.kubelet.to_owned()];
        let OutageReport { written, in_time, delivered, enriched, lost, repeated, cpu_ms, requests, .. } =
            *run;
        row.extend([written, in_time, delivered, enriched, lost, repeated, cpu_ms, requests].map(grouped));
        row.push(run.poll_age.map_or("-".to_owned(), |age| format!("{age:.0}")));
        row.push(run.ended.clone());
        table.row(row);
    }
    table
}
