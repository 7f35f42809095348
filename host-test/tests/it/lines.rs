//! Real lines: their levels, their reports, their traces, their kinds, as `host-test/cases/lines` has them.

use crate::support;
use host_test::cases;
use host_test::guest::Returned;
use nodesieve_engine::config::model::TRACE_IDS;
use nodesieve_engine::json::push_string;
use nodesieve_engine::line::Line;
use nodesieve_engine::severity::Severity;
use nodesieve_engine::template::{MESSAGE_KEYS, masked, template};
use nodesieve_engine::trace::TraceId;
use std::collections::BTreeSet;
use std::fs;

/// A fenced block: what stands behind the fence, and its lines.
struct Block {
    kind: String,
    title: String,
    lines: Vec<String>,
}

/// The blocks of a case file, escapes resolved.
fn blocks(name: &str) -> Vec<Block> {
    let path = support::conf().join("../host-test/cases/lines").join(name);
    let blocks = cases::blocks(&fs::read_to_string(path).unwrap()).into_iter().map(|block| {
        let (kind, title) = block.info.split_once(' ').unwrap_or((&block.info, ""));
        Block {
            kind: kind.into(),
            title: title.into(),
            lines: block.content.lines().map(unescaped).collect(),
        }
    });
    let blocks: Vec<Block> = blocks.collect();
    assert!(!blocks.is_empty(), "{name}");
    blocks
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

fn check_levels(name: &str) -> usize {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for block in blocks(name) {
        assert_eq!(block.kind, "lines");
        for line in &block.lines {
            count += 1;
            let content = written(line);
            let found = Severity::of(&Line::new(&content)).map_or("unknown", Severity::name);
            if !block.title.split(" or ").any(|expected| expected == found) {
                wrong.push(format!("{found} and not {}: {line}", block.title));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    count
}

#[test]
fn lines_have_the_level_that_they_state() {
    assert!(check_levels("severity.md") > 500);
}

#[test]
fn level_words_in_running_text_are_no_levels() {
    assert!(check_levels("running-text.md") > 200);
}

const KEEPS_ERRORS: &str = "version: 1\nenrich: { fields: [pod_id] }\n\
    guards: [{ name: errors, when: { severity: '>=error' } }]\nrules:\n\
    - { name: warnings, when: { severity: warn }, keep: {} }\n- { name: rest, drop: {}, reason: routine }\n";
const DROPS_ROUTINE: &str = "version: 1\nenrich: { fields: [pod_id] }\n\
    guards: [{ name: errors, when: { severity: '>=error' } }]\n\
    rules: [{ name: routine, when: { severity: '<=info' }, drop: {}, reason: routine }]\n";

/// Each block through the compiled filter, as a container of its own.
#[test]
fn crash_reports_live_or_die_whole() {
    let (mut wrong, mut count) = (Vec::new(), 0usize);
    let (mut errors, _tree) = support::start(KEEPS_ERRORS);
    let (mut routine, _other_tree) = support::start(DROPS_ROUTINE);
    for (number, block) in blocks("reports.md").into_iter().enumerate() {
        let guest = match block.kind.as_str() {
            "reports" => &mut errors,
            "careful" => &mut routine,
            other => panic!("{other}"),
        };
        let second = 1_800_000_000 + 100 * number as u32;
        guest.clock().advance_to(u64::from(second) * 1_000_000_000);
        let tag = format!("kube.var.log.containers.a-{number}_shop_b-0a.log");
        for (at, line) in block.lines.iter().enumerate() {
            let (mark, text) = (&line[..1], &line[3..]);
            let stream = if &line[1..2] == "2" { "stderr" } else { "stdout" };
            let log = String::from_utf8(written(text)).unwrap();
            let record = format!("{{\"stream\":\"{stream}\",\"log\":\"{log}\"}}");
            let returned = guest.filter(tag.as_bytes(), (second, at as u32 * 1_000_000), record.as_bytes());
            count += 1;
            if (returned == Returned::Dropped) != (mark == "-") {
                wrong.push(format!("{}: {mark} {text}", block.title));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 1000, "{count}");
}

#[test]
fn placeholders_are_no_ids_and_spellings_of_one_id_are_one() {
    let is_datadog = |key: &str| key.split(['.', '_', '-']).any(|part| part == "dd" || part == "datadog");
    let id = |line: &str| {
        let (key, value) = line.split_once(' ').unwrap();
        match TraceId::parse(value.as_bytes(), is_datadog(key)) {
            // What a threshold looks at.
            Some(TraceId::Bits(bits)) => (bits as u64).to_string(),
            other => format!("{other:?}"),
        }
    };
    for block in blocks("traces.md") {
        match block.kind.as_str() {
            kind @ ("placeholders" | "ids") => {
                for line in &block.lines {
                    let found = TraceId::parse(line.as_bytes(), false);
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
    }
    assert!(TRACE_IDS.iter().any(|name| is_datadog(name)));
}

#[test]
fn kinds_of_lines_are_told_apart_and_values_are_not() {
    let keys: Vec<Box<str>> = MESSAGE_KEYS.map(Box::from).to_vec();
    let mut wrong = Vec::new();
    for block in blocks("templates.md") {
        let contents: Vec<Vec<u8>> = block.lines.iter().map(|line| written(line)).collect();
        let hashes: BTreeSet<u64> = contents.iter().map(|line| template(&Line::new(line), &keys)).collect();
        let expected = if block.kind == "same" { 1 } else { contents.len() };
        if hashes.len() != expected {
            let shown: Vec<String> =
                contents.iter().map(|line| masked(&Line::new(line), &keys, 300)).collect();
            wrong.push(format!("{} {}:\n  {}", block.kind, block.title, shown.join("\n  ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
