//! Real lines: their levels, their reports, their traces, their kinds, as `host-test/cases/lines` has them; a test for each block.

use crate::blessing::{bless, is_asked_for};
use crate::{Test, Trials, support};
use host_test::cases;
use host_test::guest::Guest;
use host_test::guest::Returned;
use nodesieve_engine::config::model::TRACE_IDS;
use nodesieve_engine::json::push_string;
use nodesieve_engine::line::Line;
use nodesieve_engine::severity::Severity;
use nodesieve_engine::template::{MESSAGE_KEYS, masked, template};
use nodesieve_engine::trace::TraceId;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// A fenced block: what stands behind the fence, and its lines.
struct Block {
    kind: String,
    title: String,
    lines: Vec<String>,
}

pub(crate) fn add(trials: &mut Trials) {
    let files: [(&str, Test, usize); 5] = [
        ("severity", lines_have_the_level_that_they_state, 27),
        ("running-text", lines_have_the_level_that_they_state, 11),
        ("reports", crash_reports_live_or_die_whole, 82),
        ("traces", placeholders_are_no_ids_and_spellings_of_one_id_are_one, 4),
        ("templates", kinds_of_lines_are_told_apart_and_values_are_not, 135),
    ];
    for (file, test, at_least) in files {
        let blocks = blocks(file);
        assert!(blocks.len() >= at_least, "{file}: only {} blocks are left", blocks.len());
        for (at, block) in blocks.iter().enumerate() {
            let words = match file {
                "severity" | "running-text" | "reports" => block.title.clone(),
                _ => format!("{} {}", block.kind, block.title),
            };
            trials.add(&format!("lines::{}", file.replace('-', "_")), &words, &[("", test)], at);
        }
    }
}

fn path(file: &str) -> PathBuf {
    support::conf().join("../host-test/cases/lines").join(format!("{file}.md"))
}

/// The blocks of a case file, escapes resolved.
fn blocks(file: &str) -> Vec<Block> {
    let blocks = cases::blocks(&fs::read_to_string(path(file)).unwrap());
    blocks.iter().map(|block| Block::of(&block.info, &block.content)).collect()
}

/// The block of a test, by the place in its name.
fn block(place: &str, at: usize) -> Block {
    blocks(&place.trim_start_matches("lines::").replace('_', "-")).swap_remove(at)
}

impl Block {
    fn of(info: &str, content: &str) -> Block {
        let (kind, title) = info.split_once(' ').unwrap_or((info, ""));
        Block { kind: kind.into(), title: title.into(), lines: content.lines().map(unescaped).collect() }
    }
}

fn unescaped(line: &str) -> String {
    let mut out = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        out.push(match character {
            '\\' => match characters.next() {
                Some('e') => '\x1b',
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('0') => '\0',
                other => other.unwrap(),
            },
            other => other,
        });
    }
    out
}

/// The content of the JSON string that a line is to the filter.
fn written(line: &str) -> Vec<u8> {
    let mut out = Vec::new();
    push_string(&mut out, line.as_bytes());
    out[1..out.len() - 1].to_vec()
}

fn lines_have_the_level_that_they_state(place: &str, at: usize) {
    let block = block(place, at);
    assert_eq!(block.kind, "lines");
    let mut wrong = Vec::new();
    for line in &block.lines {
        let content = written(line);
        let found = Severity::of(&Line::new(&content)).map_or("unknown", Severity::name);
        if !block.title.split(" or ").any(|expected| expected == found) {
            wrong.push(format!("{found} and not {}: {line}", block.title));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const KEEPS_ERRORS: &str = "version: 1\nenrich: { fields: [pod_id] }\n\
    guards: [{ name: errors, when: { severity: '>=error' } }]\nrules:\n\
    - { name: warnings, when: { severity: warn }, keep: {} }\n- { name: rest, drop: {}, reason: routine }\n";
const DROPS_ROUTINE: &str = "version: 1\nenrich: { fields: [pod_id] }\n\
    guards: [{ name: errors, when: { severity: '>=error' } }]\n\
    rules: [{ name: routine, when: { severity: '<=info' }, drop: {}, reason: routine }]\n";

/// A block through the compiled filter.
fn crash_reports_live_or_die_whole(place: &str, at: usize) {
    if is_asked_for() {
        bless(&path("reports"), |block| {
            let told = decided(&Block::of(&block.info, &block.content));
            let marked =
                block.content.lines().zip(told).map(|(line, mark)| format!("{mark}{}\n", &line[1..]));
            Some(marked.collect())
        });
    }
    let block = block(place, at);
    let wrong: Vec<&String> = block
        .lines
        .iter()
        .zip(decided(&block))
        .filter_map(|(line, mark)| (!line.starts_with(mark)).then_some(line))
        .collect();
    assert!(wrong.is_empty(), "not as marked: {wrong:#?}");
}

/// What becomes of each line of a container: `+` or `-`.
fn decided(block: &Block) -> Vec<char> {
    let rules = match block.kind.as_str() {
        "reports" => KEEPS_ERRORS,
        "careful" => DROPS_ROUTINE,
        other => panic!("{other}"),
    };
    let (mut guest, _tree): (Guest, _) = support::start(rules);
    let second = 1_800_000_000u32;
    guest.clock().advance_to(u64::from(second) * 1_000_000_000);
    let mut decided = Vec::new();
    for (at, line) in block.lines.iter().enumerate() {
        let stream = if &line[1..2] == "2" { "stderr" } else { "stdout" };
        let log = String::from_utf8(written(&line[3..])).unwrap();
        let record = format!("{{\"stream\":\"{stream}\",\"log\":\"{log}\"}}");
        let tag = b"kube.var.log.containers.a-1_shop_b-0a.log";
        let returned = guest.filter(tag, (second, at as u32 * 1_000_000), record.as_bytes());
        decided.push(if returned == Returned::Dropped { '-' } else { '+' });
    }
    decided
}

fn placeholders_are_no_ids_and_spellings_of_one_id_are_one(place: &str, at: usize) {
    let is_datadog = |key: &str| key.split(['.', '_', '-']).any(|part| part == "dd" || part == "datadog");
    let id = |line: &str| {
        let (key, value) = line.split_once(' ').unwrap();
        match TraceId::parse(value.as_bytes(), || is_datadog(key)) {
            // What a threshold looks at.
            Some(TraceId::Bits(bits)) => (bits as u64).to_string(),
            other => format!("{other:?}"),
        }
    };
    let block = block(place, at);
    match block.kind.as_str() {
        kind @ ("placeholders" | "ids") => {
            for line in &block.lines {
                let found = TraceId::parse(line.as_bytes(), || false);
                assert_eq!(found.is_none(), kind == "placeholders", "{line:?}");
            }
        }
        kind => {
            for pair in block.lines.split(|line| line.is_empty()).filter(|pair| !pair.is_empty()) {
                let [one, other] = pair else { panic!("{pair:?}") };
                assert_eq!(id(one) == id(other), kind == "same", "{one}\n{other}");
            }
        }
    }
    assert!(TRACE_IDS.iter().any(|name| is_datadog(name)));
}

fn kinds_of_lines_are_told_apart_and_values_are_not(place: &str, at: usize) {
    let keys: Vec<Box<str>> = MESSAGE_KEYS.map(Box::from).to_vec();
    let block = block(place, at);
    let contents: Vec<Vec<u8>> = block.lines.iter().map(|line| written(line)).collect();
    let hashes: BTreeSet<u64> = contents.iter().map(|line| template(&Line::new(line), &keys)).collect();
    let shown: Vec<String> = contents.iter().map(|line| masked(&Line::new(line), &keys, 300)).collect();
    assert_eq!(hashes.len(), if block.kind == "same" { 1 } else { contents.len() }, "{shown:#?}");
}
