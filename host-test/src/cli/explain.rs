//! `explain`: what became of a line, and why.
//!
//! The rule it keeps: all records pass the engine in the order and with the clock of a replay, so that what is explained is what
//! `replay` does; only the chosen ones are told.

use crate::archive;
use crate::cli::arguments::{ExplainArguments, OutputFormat};
use crate::cli::commands::{load_rules, node_logs, print};
use crate::explain::{explain as explain_record, explain_next, text};
use crate::inputs::{self, Record};
use crate::shipped;
use anyhow::Context as _;
use nodesieve_engine::config::RuleFile;
use nodesieve_engine::engine::{Answer, Engine, Input};
use nodesieve_engine::record::{Names, RecordView};
use nodesieve_engine::time::{EventTime, Now};
use nodesieve_preview::clock::{TICK, VirtualClock};
use nodesieve_preview::inputs::{PastedFormat, follow, pasted};
use nodesieve_preview::pods::PodTable;
use nodesieve_preview::run::SEED;
use serde_json::Value;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn explain(arguments: &ExplainArguments) -> anyhow::Result<ExitCode> {
    let conf = shipped::conf()?;
    let rules_path = arguments.rules.clone().unwrap_or_else(|| conf.join(shipped::EXAMPLE_RULES));
    let Some(files) = load_rules(&rules_path)? else { return Ok(ExitCode::from(1)) };
    let rules = files.loaded.rules;
    let pod_list = arguments.pods.as_deref().map(inputs::pod_list).transpose()?;
    let mut pods = match &pod_list {
        Some(list) => PodTable::of(list).map_err(anyhow::Error::msg)?,
        None => PodTable::default(),
    };
    let records = match arguments.logs.as_slice() {
        [] => {
            let mut content = Vec::new();
            std::io::stdin().lock().read_to_end(&mut content).context("read lines from stdin")?;
            from_lines("stdin", &content, &rules)?
        }
        [path] if let Some(content) = text_of(path) => {
            from_lines(&path.display().to_string(), &content, &rules)?
        }
        paths => node_logs(paths, &rules.input.tag_prefix, pod_list.as_deref())?,
    };
    let names = Names::new(rules.input.message.clone(), Vec::new(), Vec::new());
    let mut engine = Engine::new(rules.clone(), SEED);
    let (mut clock, mut out, mut summaries) = (VirtualClock::default(), Vec::new(), Vec::new());
    let (mut told, mut more) = (0usize, 0usize);
    let recalls = rules.guards.iter().any(|guard| guard.recall.is_some()) && !arguments.alone;
    let mut held = HeldWords::default();
    for record in &records {
        clock.advance(record.nanoseconds(), |now| tick(&mut engine, now), &mut summaries);
        summaries.clear();
        let now = Now(clock.now());
        let is_chosen = is_chosen(arguments, record, &names);
        if is_chosen && told == arguments.limit {
            more += 1;
        }
        if !is_chosen || told == arguments.limit {
            let time = EventTime { sec: record.time.0, nsec: record.time.1 };
            let input = Input { tag: record.tag.as_bytes(), time, text: record.text.as_bytes() };
            engine.filter(input, &mut { now }, &mut pods, &mut out);
            held.recalled(record, &out);
            continue;
        }
        told += 1;
        let explanation = match arguments.alone {
            true => explain_record(&mut engine, record, Now(record.nanoseconds()), &mut pods),
            false => explain_next(&mut engine, record, now, &mut pods, &mut out),
        };
        held.recalled(record, &out);
        let words = Words {
            tag: record.tag.clone(),
            time: EventTime { sec: record.time.0, nsec: record.time.1 }.to_rfc3339(),
            text: record.text.clone(),
            is_dropped: explanation.action == "drop",
            words: match arguments.format {
                OutputFormat::Text => text(record, &explanation, &rules),
                OutputFormat::Json => format!("{}\n", serde_json::to_string(&explanation)?),
            },
            format: arguments.format,
        };
        // What a later record brings back is known later.
        if recalls { held.0.push(words) } else { print(&words.words)? }
    }
    held.0.iter().try_for_each(|words| print(&words.words))?;
    if more > 0 {
        anstream::eprintln!("{more} more lines are chosen; --limit shows them");
    }
    if told == 0 && (arguments.grep.is_some() || arguments.at.is_some()) {
        anstream::eprintln!("none of {} lines is chosen", records.len());
        return Ok(ExitCode::from(1));
    }
    Ok(ExitCode::SUCCESS)
}

/// What there is to say of a line, in the order of the lines.
#[derive(Default)]
struct HeldWords(Vec<Words>);

struct Words {
    tag: String,
    time: String,
    text: String,
    is_dropped: bool,
    words: String,
    format: OutputFormat,
}

impl HeldWords {
    /// Says of each dropped line that an answer brings back which record has it.
    fn recalled(&mut self, with: &Record, answer: &[u8]) {
        if !self.0.iter().any(|words| words.is_dropped) {
            return;
        }
        let Ok(kept) = serde_json::from_slice::<Value>(answer) else { return };
        let by = kept["nodesieve"]["rule"].as_str().unwrap_or_default();
        let at = EventTime { sec: with.time.0, nsec: with.time.1 }.to_rfc3339();
        for line in kept["nodesieve"]["recalled"].as_array().into_iter().flatten() {
            let is_then = |words: &Words| {
                words.is_dropped && words.tag == with.tag && line["time"] == words.time.as_str()
            };
            let is_it = |words: &Words| {
                let text: Value = serde_json::from_str(&words.text).unwrap_or_default();
                is_then(words) && line["record"]["log"] == text["log"]
            };
            // What is redacted comes back as another text.
            let found = self.0.iter().position(is_it).or_else(|| self.0.iter().position(is_then));
            if let Some(words) = found.and_then(|at| self.0.get_mut(at)) {
                words.is_dropped = false;
                words.come_back(&at, by);
            }
        }
    }
}

impl Words {
    fn come_back(&mut self, at: &str, by: &str) {
        match self.format {
            OutputFormat::Text => self.words.push_str(&format!(
                "     it came back: in nodesieve.recalled of the record of {at}, by the guard {by}, and is counted as kept\n"
            )),
            OutputFormat::Json => {
                if let Ok(Value::Object(mut told)) = serde_json::from_str::<Value>(&self.words) {
                    told.insert("recalled".into(), serde_json::json!({ "time": at, "guard": by }));
                    self.words = format!("{}\n", Value::Object(told));
                }
            }
        }
    }
}

fn is_chosen(arguments: &ExplainArguments, record: &Record, names: &Names) -> bool {
    let is_at = arguments.at.as_ref().is_none_or(|at| {
        let time = EventTime { sec: record.time.0, nsec: record.time.1 }.to_rfc3339();
        time.starts_with(at.strip_suffix('Z').unwrap_or(at))
    });
    is_at
        && arguments.grep.as_ref().is_none_or(|wanted| {
            let view = RecordView::read(record.text.as_bytes(), names).ok();
            let line = view.as_ref().and_then(RecordView::line);
            let in_line =
                line.is_some_and(|line| String::from_utf8_lossy(line.text()).contains(wanted.as_str()));
            in_line || record.text.contains(wanted.as_str())
        })
}

/// The content of a file whose lines are text without a time, which `replay` would refuse.
fn text_of(path: &Path) -> Option<Vec<u8>> {
    let content = archive::content(path).ok().filter(|_| path.is_file())?;
    let found = pasted("", &content, "");
    (found.format == PastedFormat::Plain && found.records.is_empty()).then_some(content)
}

/// The records of lines of any kind; `from` is what they are called.
fn from_lines(from: &str, content: &[u8], rules: &RuleFile) -> anyhow::Result<Vec<Record>> {
    let first = content.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    // Who writes a record means one: a mistake in it is told, and no line of text.
    if first.is_some_and(is_meant_as_record) {
        let mut records = Vec::new();
        for (index, line) in content.split(|&byte| byte == b'\n').enumerate() {
            let line = String::from_utf8_lossy(line);
            if !line.trim().is_empty() {
                let place = || format!("read record at {from}:{}", index.saturating_add(1));
                records.push(inputs::record(&line).with_context(place)?);
            }
        }
        return Ok(records);
    }
    let found = pasted("", content, &rules.input.tag_prefix);
    let form = match found.format {
        PastedFormat::Cri => "lines of containerd or CRI-O",
        PastedFormat::Docker => "lines of Docker",
        PastedFormat::Records => "records",
        PastedFormat::Plain if found.untimed.is_empty() => {
            "lines with a time in front, as `kubectl logs --timestamps` writes them"
        }
        PastedFormat::Plain => "lines of text, written now",
    };
    let lines = found.records.len().saturating_add(found.untimed.len());
    let container =
        found.tags.first().map(|_| " of a container in the namespace default").unwrap_or_default();
    anstream::eprintln!("read from {from}: {lines} {form}{container}");
    let mut records = found.records;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    follow(&mut records, found.untimed, u32::try_from(now).unwrap_or(u32::MAX));
    Ok(records)
}

/// Whether a line is a record, or one with a mistake: no logger writes an object with these members, or an empty one.
fn is_meant_as_record(line: &[u8]) -> bool {
    let members: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(line).ok();
    line.starts_with(b"{\"tag\"")
        || members.is_some_and(|members| {
            members.is_empty() || members.contains_key("tag") && members.contains_key("record")
        })
}

fn tick(engine: &mut Engine, now: u64) -> Option<Vec<u8>> {
    let mut summary = Vec::new();
    (engine.tick(TICK, Now(now), &mut summary) == Answer::Keep).then_some(summary)
}
