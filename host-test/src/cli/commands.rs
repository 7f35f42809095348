//! What each command does.

use crate::canary::{Canary, NodeMetrics};
use crate::cli::arguments::{
    CheckArguments, DiffArguments, FluentBitArguments, InputArguments, MatchArguments, OutputFormat,
    ReplayArguments, SamplesArguments,
};
use crate::compare::{Difference, ORDER_INDEPENDENT, RunComparison};
use crate::diff::{self, DiffSide};
use crate::inputs::{self, Record};
use crate::ledger::Ledger;
use crate::matching::{answer, event_matches};
use crate::measured::{self, MeasuredSeries};
use crate::node_logs::{self, NodeLogs};
use crate::replay::{self, ReplayOutcome};
use crate::rule_files::{self, Finding, LoadedFiles};
use crate::{artefact, fluent_bit, html_report, report, samples as sample_data, shipped};
use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nodesieve_engine::config::RuleFile;
use nodesieve_engine::diag::{Code, Diagnostic, Paint};
use nodesieve_engine::pattern::Pattern;
use nodesieve_podlist::{Limits, project};
use nodesieve_preview::doubts::SeenNames;
use nodesieve_preview::fleet::Fleet;
use nodesieve_preview::money::Prices;
use nodesieve_preview::pods::PodTable;
use nodesieve_preview::run::PreviewRun;
use nodesieve_preview::survey::{Breakdown, Dimensions};
use serde::Serialize;
use std::fs::File;
use std::io::{BufRead as _, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

pub(super) fn replay(arguments: &ReplayArguments) -> anyhow::Result<ExitCode> {
    let conf = shipped::conf()?;
    let rules_path = arguments.rules.clone().unwrap_or_else(|| conf.join(shipped::EXAMPLE_RULES));
    let Some(LoadedFiles { source, loaded, warned, .. }) = load_rules(&rules_path)? else {
        return Ok(ExitCode::from(1));
    };
    let (records, pod_list) = input(&arguments.run, &conf, &loaded.rules.input.tag_prefix)?;
    let module = artefact::module(arguments.run.wasm.as_deref())?;
    let mut out = arguments.out.as_deref().map(create).transpose()?;
    // Created before the replay runs, so that a path that cannot be written is an error at once.
    let mut page = arguments.report.as_deref().map(create).transpose()?;
    let mut out_failed = None;
    let bar = progress_bar(records.len() as u64);
    let replay = replay::Replay {
        module: &module,
        source: &source,
        rules: &loaded.rules,
        pod_list: pod_list.as_deref(),
        records: &records,
        endpoint: arguments.firehose.as_deref(),
        seed: arguments.run.seed,
        prices: arguments.run.prices(),
        flush_seconds: arguments.run.flush,
    };
    let outcome = replay.run(
        |done| {
            if done.is_multiple_of(256) {
                bar.set_position(done as u64)
            }
        },
        |record, text| {
            if let Some(out) = &mut out
                && let Err(error) = write_delivered(out, record, text)
            {
                out_failed.get_or_insert(error);
            }
        },
    )?;
    bar.finish_and_clear();
    if let Some(error) = out_failed {
        return Err(error).context("write the delivered records");
    }
    if let Some(mut out) = out {
        out.flush().context("write the delivered records")?;
    }
    if !outcome.stderr.is_empty() {
        anstream::eprint!("{}", outcome.stderr);
    }
    let fleet = arguments.fleet.fleet(&outcome.ledger);
    if let Some(file) = &mut page {
        let rules = rules_path.display().to_string();
        let html = html_report::html(&outcome, &rules, &arguments.run.shown(), fleet.as_ref());
        file.write_all(html.as_bytes()).and_then(|()| file.flush()).context("write the report")?;
    }
    if arguments.fleet.nodes.is_some() && fleet.is_none() {
        anstream::eprintln!(
            "warning: these records are of less than 10 s, or have no times: nothing is known of a fleet"
        );
    }
    match arguments.format {
        OutputFormat::Text => print(&report::text(&outcome, fleet.as_ref()))?,
        OutputFormat::Json => {
            let ReplayOutcome { ledger, breakdown, metrics, .. } = &outcome;
            let told = ReplayReport { ledger, fleet, breakdown, measured: measured::series(metrics) };
            print(&format!("{}\n", serde_json::to_string_pretty(&told)?))?
        }
    }
    let doubts = doubts(&loaded.rules, &outcome.ledger, &records, pod_list.as_deref());
    tell(&doubts);
    for wrong in &outcome.imbalances {
        anstream::eprintln!("does not add up: {wrong}");
    }
    // The module has told the warnings already, as it does on a node.
    let is_strict = arguments.strict && (!doubts.is_empty() || !warned.is_empty());
    let is_well = outcome.imbalances.is_empty() && outcome.ledger.faults == 0 && !is_strict;
    Ok(ExitCode::from(u8::from(!is_well)))
}

/// A replay as JSON: the ledger, and where the volume is.
#[derive(Serialize)]
struct ReplayReport<'o> {
    #[serde(flatten)]
    ledger: &'o Ledger,
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet: Option<Fleet>,
    #[serde(flatten)]
    breakdown: &'o Breakdown,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    measured: Vec<MeasuredSeries>,
}

/// Exit code 1 says that something changes; a rule file that cannot be used is a failure here.
pub(super) fn diff(arguments: &DiffArguments) -> anyhow::Result<ExitCode> {
    if arguments.metrics {
        return compare_metrics(arguments);
    }
    let conf = shipped::conf()?;
    let module = artefact::module(arguments.run.wasm.as_deref())?;
    let mut has_doubts = false;
    let mut side = |path: &Path| {
        let Some(LoadedFiles { source, loaded, warned, .. }) = load_rules(path)? else { return Ok(None) };
        anstream::eprint!("{warned}");
        let (records, pod_list) = input(&arguments.run, &conf, &loaded.rules.input.tag_prefix)?;
        let side = DiffSide::of(&replay::Replay {
            module: &module,
            source: &source,
            rules: &loaded.rules,
            pod_list: pod_list.as_deref(),
            records: &records,
            endpoint: None,
            seed: arguments.run.seed,
            prices: arguments.run.prices(),
            flush_seconds: arguments.run.flush,
        })?;
        if let Some(wrong) = side.imbalances.first() {
            anyhow::bail!("replay with {}: does not add up: {wrong}", path.display());
        }
        let found = doubts(&loaded.rules, &side.ledger, &records, pod_list.as_deref());
        let found: Vec<String> = found.iter().map(|doubt| format!("{}: {doubt}", path.display())).collect();
        tell(&found);
        has_doubts |= !found.is_empty() || !warned.is_empty();
        anyhow::Ok(Some(side))
    };
    let (Some(old), Some(new)) = (side(&arguments.old)?, side(&arguments.new)?) else {
        return Ok(ExitCode::from(2));
    };
    let changes = diff::Diff::between(&old, &new);
    match arguments.format {
        OutputFormat::Text => print(&changes.to_string())?,
        OutputFormat::Json => print(&format!("{}\n", serde_json::to_string_pretty(&changes)?))?,
    }
    Ok(ExitCode::from(u8::from(changes.changed || arguments.strict && has_doubts)))
}

/// Exit code 1 says that the releases differ.
fn compare_metrics(arguments: &DiffArguments) -> anyhow::Result<ExitCode> {
    let read = |path: &Path| {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("read metrics {}", path.display()))?;
        NodeMetrics::read(&text).with_context(|| path.display().to_string())
    };
    let canary = Canary::between(&read(&arguments.old)?, &read(&arguments.new)?, arguments.tolerance);
    match arguments.format {
        OutputFormat::Text => print(&canary.to_string())?,
        OutputFormat::Json => print(&format!("{}\n", serde_json::to_string_pretty(&canary)?))?,
    }
    Ok(ExitCode::from(u8::from(canary.differs)))
}

pub(super) fn check(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let mut all: Vec<Finding> = Vec::new();
    for file in &arguments.files {
        let (findings, shown) = rule_files::check(file, Paint::Ansi)?;
        if arguments.format == OutputFormat::Text {
            anstream::eprint!("{shown}");
            let count =
                |severity: &str| findings.iter().filter(|finding| finding.severity == severity).count();
            print(&format!(
                "{}: {} errors, {} warnings\n",
                file.display(),
                count("error"),
                count("warning")
            ))?;
        }
        all.extend(findings);
    }
    if arguments.format == OutputFormat::Json {
        print(&format!("{}\n", serde_json::to_string_pretty(&all)?))?;
    }
    let mut is_bad = all.iter().any(|finding| finding.severity == "error");
    if !is_bad && (!arguments.logs.is_empty() || arguments.pods.is_some()) {
        for file in &arguments.files {
            let Some(LoadedFiles { loaded, .. }) = load_rules(file)? else { continue };
            let pods = arguments.pods.as_deref().map(inputs::pod_list).transpose()?;
            let records = match arguments.logs.as_slice() {
                [] => Vec::new(),
                paths => node_logs(paths, &loaded.rules.input.tag_prefix, pods.as_deref())?,
            };
            let ledger = decided(&loaded.rules, &records, pods.as_deref())?;
            let found = doubts(&loaded.rules, &ledger, &records, pods.as_deref());
            tell(&found);
            is_bad |= arguments.strict && !found.is_empty();
        }
    }
    is_bad |= arguments.strict && !all.is_empty();
    Ok(ExitCode::from(u8::from(is_bad)))
}

pub(super) fn matching(arguments: &MatchArguments) -> anyhow::Result<ExitCode> {
    let stdin = std::io::stdin().lock();
    let mut stdout = BufWriter::new(std::io::stdout().lock());
    let mut lines = stdin
        .split(b'\n')
        .map(|line| line.map(|line| String::from_utf8_lossy(&line).into_owned()).context("read from stdin"));
    let Some(text) = &arguments.pattern else {
        for line in lines {
            let line = line?;
            if !line.trim().is_empty() {
                writeln!(stdout, "{}", serde_json::to_string(&answer(&line))?).context("write to stdout")?;
            }
        }
        stdout.flush().context("write to stdout")?;
        return Ok(ExitCode::SUCCESS);
    };
    let pattern = match Pattern::parse(text) {
        Ok(pattern) => pattern,
        Err(error) => {
            let shown =
                Diagnostic::new(Code::Pattern, error.span.clone(), error.to_string()).with_help(error.help());
            anstream::eprint!("{}", shown.render(text, "pattern", Paint::Ansi));
            return Ok(ExitCode::from(2));
        }
    };
    for warning in pattern.warnings(text) {
        anstream::eprintln!("warning: {}; {}", warning.message, warning.help);
    }
    let found = lines.try_fold(false, |found, line| {
        let line = line?;
        let matches = event_matches(&pattern, line.strip_suffix('\r').unwrap_or(&line));
        if matches {
            writeln!(stdout, "{line}").context("write to stdout")?;
        }
        anyhow::Ok(found || matches)
    })?;
    stdout.flush().context("write to stdout")?;
    Ok(ExitCode::from(u8::from(!found)))
}

pub(super) fn fluent_bit(arguments: &FluentBitArguments) -> anyhow::Result<ExitCode> {
    let program = fluent_bit::find().context("find fluent-bit: neither FLUENT_BIT nor PATH has it")?;
    let conf = shipped::conf()?;
    let module = artefact::module(arguments.wasm.as_deref())?;
    let pod_list = read(&conf.join("samples/podlist.json"))?;
    let shipped = conf.join("nodesieve.yaml");
    let mut sources = Vec::new();
    if arguments.rules.is_none() {
        let exact = nodesieve_engine::config::load(ORDER_INDEPENDENT)
            .map_err(|_| anyhow::anyhow!("load the order-independent rules: they have mistakes"))?;
        sources.push(("order-independent rules".to_owned(), (ORDER_INDEPENDENT.to_owned(), exact)));
    }
    let path = arguments.rules.as_ref().unwrap_or(&shipped);
    let Some(files) = load_rules(path)? else { return Ok(ExitCode::from(1)) };
    sources.push((path.display().to_string(), (files.source, files.loaded)));
    let mut all = Vec::new();
    for (name, (source, loaded)) in &sources {
        anstream::eprintln!("running {} with {name}", program.display());
        let difference = RunComparison {
            fluent_bit: &program,
            module: &module,
            ahead_of_time: arguments.aot.as_deref(),
            conf: &arguments.conf.clone().unwrap_or_else(|| conf.join("fluent-bit.yaml")),
            source,
            rules: &loaded.rules,
            logs: &conf.join("samples/containers"),
            pod_list: &pod_list,
            overrides: &[],
            timeout: Duration::from_secs(arguments.timeout),
        }
        .run()?;
        if arguments.format == OutputFormat::Text {
            print(&compared(name, &difference))?;
        }
        all.push(difference);
    }
    if arguments.format == OutputFormat::Json {
        print(&format!("{}\n", serde_json::to_string_pretty(&all)?))?;
    }
    Ok(ExitCode::from(u8::from(!all.iter().all(Difference::is_well))))
}

fn compared(name: &str, difference: &Difference) -> String {
    let Difference { seen, kept, dropped, delivered, expected, .. } = difference;
    let mut out = format!("{name}: seen {seen} = kept {kept} + dropped {dropped}; delivered {delivered}");
    out.push_str(&match difference.exact {
        true if difference.is_well() => format!(", the same {expected} records as the replay\n"),
        true => format!(", the replay {expected}\n"),
        false => format!("; the replay kept {expected} (these rules draw by chance)\n"),
    });
    for line in difference.findings.iter().chain(&difference.examples) {
        out.push_str(&format!("  {line}\n"));
    }
    out
}

pub(super) fn samples(arguments: &SamplesArguments) -> anyhow::Result<ExitCode> {
    let summary = sample_data::write(&arguments.out, arguments.seed)?;
    anstream::eprintln!(
        "wrote {} lines in {} log files ({} bytes) and {} pods to {}",
        summary.lines,
        summary.files,
        summary.bytes,
        summary.pods,
        arguments.out.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// A rule file; `None` when it has mistakes, which are shown.
pub(super) fn load_rules(path: &Path) -> anyhow::Result<Option<LoadedFiles>> {
    match rule_files::load(path, Paint::Ansi) {
        Ok(files) => {
            // As on a node: a fragment that is refused costs itself only.
            anstream::eprint!("{}", files.refused);
            Ok(Some(files))
        }
        Err(error @ rule_files::RuleFileError::Mistakes { .. }) => {
            anstream::eprintln!("{error}");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// What the rules make of the records, by the engine itself.
fn decided(rules: &Rc<RuleFile>, records: &[Record], pods: Option<&[u8]>) -> anyhow::Result<Ledger> {
    let dimensions = Dimensions::of(records, &rules.input);
    let mut pods = pods.map_or(Ok(PodTable::default()), PodTable::of).map_err(anyhow::Error::msg)?;
    let mut run = PreviewRun::new(rules, &dimensions);
    for record in records {
        run.take(record, &dimensions, &mut pods);
    }
    run.finish(&dimensions);
    Ok(run.ledger(Prices::default()).0)
}

/// What met nothing, for stderr.
fn doubts(rules: &RuleFile, ledger: &Ledger, records: &[Record], pods: Option<&[u8]>) -> Vec<String> {
    let pods = pods.and_then(|list| project(list, &Limits::default()).ok()).map(|found| found.files);
    nodesieve_preview::doubts::doubts(rules, ledger, &SeenNames::of(records, &rules.input, pods.as_deref()))
}

fn tell(doubts: &[String]) {
    for doubt in doubts {
        anstream::eprintln!("note: {doubt}");
    }
}

/// The records to replay, and the pod list that goes with them.
fn input(
    arguments: &InputArguments,
    conf: &Path,
    tag_prefix: &str,
) -> anyhow::Result<(Vec<Record>, Option<Vec<u8>>)> {
    let samples = conf.join("samples");
    let is_samples = arguments.logs.is_empty() && arguments.records.is_none();
    let pods = match (&arguments.pods, is_samples) {
        (Some(path), _) => Some(inputs::pod_list(path)?),
        (None, true) => Some(read(&samples.join("podlist.json"))?),
        (None, false) => None,
    };
    let records = match (&arguments.records, is_samples) {
        (Some(path), _) => inputs::records(path)?,
        (None, true) => node_logs::records(&[samples.join("containers")], tag_prefix)?,
        (None, false) => node_logs(&arguments.logs, tag_prefix, pods.as_deref())?,
    };
    Ok((records, pods))
}

/// Records of log files; what is left out of directories is named.
pub(super) fn node_logs(
    paths: &[PathBuf],
    tag_prefix: &str,
    pods: Option<&[u8]>,
) -> anyhow::Result<Vec<Record>> {
    let NodeLogs { records, left_out } = node_logs::read(paths, tag_prefix, pods)?;
    for (path, why) in left_out.iter().take(MOST_NAMED) {
        anstream::eprintln!("left out {}: {why}", path.display());
    }
    if let Some(more) = left_out.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        anstream::eprintln!("left out {more} more files");
    }
    Ok(records)
}

/// Files that are named of those that were left out.
const MOST_NAMED: usize = 20;

fn write_delivered(out: &mut impl std::io::Write, record: &Record, text: &[u8]) -> std::io::Result<()> {
    write!(
        out,
        "{{\"tag\":{},\"time\":[{},{}],\"record\":",
        serde_json::Value::from(record.tag.as_str()),
        record.time.0,
        record.time.1
    )?;
    out.write_all(text)?;
    out.write_all(b"}\n")
}

fn progress_bar(length: u64) -> ProgressBar {
    // Hidden by itself when stderr is not a terminal.
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} records {elapsed}") {
        bar.set_style(style);
    }
    bar
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    File::create(path).map(BufWriter::new).with_context(|| format!("create {}", path.display()))
}

pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("read {}", path.display()))
}

/// Data goes to stdout; a reader that is gone ends the run without a message.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
