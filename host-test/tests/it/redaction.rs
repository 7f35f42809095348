//! Redaction over the corpus: 550 lines with what must not survive of each, and those of which nothing may change.

use crate::support;
use nodesieve_engine::config;
use nodesieve_engine::engine::{Answer, Engine, Input};
use nodesieve_engine::pods::{PodSource, Unavailable};
use nodesieve_engine::time::{EventTime, Now};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One line of the corpus.
pub(crate) struct Sample {
    kind: String,
    pub(crate) line: String,
    pub(crate) hits: Vec<String>,
    note: String,
}

pub(crate) fn corpus() -> Vec<Sample> {
    let path = support::conf().join("../host-test/cases/redact/corpus.ndjson");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| {
            let sample: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| sample[key].as_str().unwrap().to_owned();
            let hits = sample["hits"].as_array().unwrap().iter().map(|hit| hit.as_str().unwrap().to_owned());
            Sample { kind: text("kind"), line: text("line"), hits: hits.collect(), note: text("note") }
        })
        .collect()
}

/// A text with all its escapes resolved, however deep: what somebody sees who wants to.
pub(crate) fn resolved(text: &str) -> String {
    let mut text = text.replace("\\/", "/");
    for _ in 0..8 {
        let mut next = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find('\\') {
            next.push_str(&rest[..at]);
            let behind = rest[at..].trim_start_matches('\\');
            let code = behind.strip_prefix("u00").and_then(|hex| u8::from_str_radix(hex.get(..2)?, 16).ok());
            rest = match (code, behind.chars().next()) {
                (Some(code), _) => {
                    next.push(char::from(code));
                    &behind[5..]
                }
                (None, Some('n' | 't' | 'r')) => {
                    next.push('\n');
                    &behind[1..]
                }
                (None, _) => behind,
            };
        }
        next.push_str(rest);
        if next == text {
            break;
        }
        text = next;
    }
    text
}

pub(crate) fn engine(rules: &str) -> Engine {
    let source = format!("version: 1\nmetadata: {{ source: record }}\nenrich: off\n{rules}");
    Engine::new(config::load(&source).unwrap_or_else(|mistakes| panic!("{mistakes:?}")).rules, 1)
}

struct NoPods;

impl PodSource for NoPods {
    fn read(&mut self, _: &str, _: &mut Vec<u8>) -> Result<(), Unavailable> {
        Err(Unavailable::Missing)
    }
}

const TAG: &[u8] = b"kube.var.log.containers.web-1_shop_app-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.log";

/// What becomes of a line, as Fluent Bit writes it.
pub(crate) fn filtered(engine: &mut Engine, line: &str) -> (Answer, String) {
    let record = json!({ "log": line, "stream": "stdout" }).to_string();
    let mut out = Vec::new();
    let now = Now(1_795_168_800_000_000_000);
    let time = EventTime { sec: 1_795_168_800, nsec: 0 };
    let input = Input { tag: TAG, time, text: record.as_bytes() };
    let (answer, _) = engine.filter(input, &mut { now }, &mut NoPods, &mut out);
    (answer, String::from_utf8(out).unwrap())
}

/// Guarantees: no hit of the corpus survives in a record, what was JSON stays JSON, and lines that only look alike stay as they are.
#[test]
fn no_hit_of_the_corpus_survives_and_near_misses_stay() {
    let mut mistakes = Vec::new();
    let mut counts: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    for sample in corpus() {
        let Sample { kind, line, hits, note } = &sample;
        let mut engine = engine(&format!("redact: [{{ name: it, kind: {kind} }}]\n"));
        let (_, out) = filtered(&mut engine, line);
        let record: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
        let shown = record["log"].as_str().unwrap();
        let row = counts.entry(kind.clone()).or_default();
        row[if hits.is_empty() { 1 } else { 0 }] += 1;
        row[2] += usize::from(note.starts_with("false hit"));
        if hits.is_empty() {
            if shown != line {
                mistakes.push(format!("{kind}, {note}: changed\n  {line}\n  {shown}"));
            }
            continue;
        }
        let seen = resolved(shown);
        for hit in hits {
            if seen.contains(hit.as_str()) {
                mistakes.push(format!("{kind}, {note}: {hit} is left\n  {line}\n  {shown}"));
            }
        }
        let is_json = |text: &str| {
            text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<Value>(text).is_ok()
        };
        if is_json(line) && !is_json(shown) {
            mistakes.push(format!("{kind}, {note}: no JSON any more\n  {line}\n  {shown}"));
        }
    }
    eprintln!("with hits, near misses, of the hits false ones: {counts:?}");
    assert!(
        counts.len() == 8 && counts.values().all(|[hits, near, _]| *hits >= 30 && *near >= 25),
        "{counts:?}"
    );
    assert!(mistakes.is_empty(), "{} mistakes\n{}", mistakes.len(), mistakes.join("\n"));
}
