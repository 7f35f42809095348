//! A rule file to start from: what is deployed, and for a node's own logs a rule in shadow mode for each of the dearest kinds of line.
//!
//! The rule it keeps: nothing that is suggested drops a record. A rule says what it would save; whoever has looked at it takes its
//! `mode: shadow` away. What has a level of error or above is never suggested: the guard has it.

use crate::inputs::Record;
use nodesieve_engine::config::{self, RuleFile};
use nodesieve_engine::record::{Names, RecordView};
use nodesieve_engine::rule_test;
use nodesieve_engine::severity::Severity;
use nodesieve_engine::template::{masked, template};
use nodesieve_preview::money::{ByDestination, Prices};
use nodesieve_preview::numbers::{bytes, dollars};
use nodesieve_preview::pods::PodTable;
use nodesieve_preview::run::PreviewRun;
use nodesieve_preview::survey::Dimensions;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The file that is deployed.
pub const DEPLOYED: &str = include_str!("../../conf/nodesieve.yaml");

/// What a kind of line costs, and where it is written.
#[derive(Debug, Default)]
struct Kind {
    records: u64,
    bytes: u64,
    /// What stays of it when all that varies is taken out.
    shape: String,
    containers: BTreeSet<String>,
    namespaces: BTreeSet<String>,
    /// An example: its line, and namespace, pod and container.
    line: String,
    names: [String; 3],
}

/// A rule for a kind of line.
#[derive(Debug)]
struct Suggestion {
    name: String,
    when: String,
    policy: &'static str,
    kind: Kind,
}

/// The deployed rules, with suggestions for the most expensive kinds of these lines. Without records the deployed rules alone.
pub fn rule_file(records: &[Record], pods: &PodTable) -> String {
    let (head, tests) = DEPLOYED.split_once("defaults:\n").unwrap_or((DEPLOYED, ""));
    let suggestions =
        if records.is_empty() { Vec::new() } else { suggestions(records, &RuleFile::default()) };
    let mut rules = String::new();
    let mut passing = String::new();
    let with = |rules: &str, more: &str| format!("{head}{rules}defaults:\n{tests}{more}");
    let saved = saved(records, pods, &suggestions);
    for suggestion in suggestions {
        let Suggestion { name, when, policy, kind } = &suggestion;
        let price = saved
            .get(name)
            .map(|saved| format!("  # In shadow mode: it would drop {saved}.\n"))
            .unwrap_or_default();
        let rule = format!(
            "  # {} records, {}: {}\n{price}  - name: {name}\n    when: {when}\n    {policy}\n    mode: shadow\n\n",
            kind.records,
            bytes(kind.bytes),
            one_line(&kind.shape, 120),
        );
        let test = test(&suggestion);
        let candidate = format!("{rules}{rule}");
        if config::load(&with(&candidate, "")).is_err() {
            continue;
        }
        rules = candidate;
        // A line that an earlier rule meets is no test of this one.
        if rule_test::load_explained(&with(&rules, &format!("{passing}{test}"))).is_ok() {
            passing.push_str(&test);
        }
    }
    with(&rules, &passing)
}

/// What each would save a month, for people: each by itself, whatever guards and rules stand before it.
fn saved(records: &[Record], pods: &PodTable, suggestions: &[Suggestion]) -> BTreeMap<String, String> {
    let mut rules = "version: 1\nrules:\n".to_owned();
    for Suggestion { name, when, policy, .. } in suggestions {
        let rule = format!("  - {{ name: {name}, when: {when}, {policy}, mode: shadow }}\n");
        if config::load(&format!("{rules}{rule}")).is_ok() {
            rules.push_str(&rule);
        }
    }
    let Ok(loaded) = config::load(&rules) else { return BTreeMap::new() };
    let dimensions = Dimensions::of(records, &loaded.rules.input);
    let rules: Rc<RuleFile> = loaded.rules;
    let mut run = PreviewRun::new(&rules, &dimensions);
    let mut pods = pods.clone();
    for record in records {
        run.take(record, &dimensions, &mut pods);
    }
    run.finish(&dimensions);
    let (ledger, _) = run.ledger(Prices::default());
    let line = |shadow: &nodesieve_preview::ledger::RuleLine| {
        let size = shadow.dropped_bytes;
        let all = ByDestination { firehose_aggregated: size, firehose: size, cloudwatch: size };
        let a_month = ledger.prices.dollars(all, ledger.span_seconds);
        let money = if ledger.is_timed() {
            format!(
                ", in a month of this node ${} on Firehose and ${} on CloudWatch Logs",
                dollars(a_month.firehose_aggregated),
                dollars(a_month.cloudwatch)
            )
        } else {
            String::new()
        };
        (shadow.name.clone(), format!("{} of them, {}{money}", shadow.dropped, bytes(size)))
    };
    ledger.shadows.iter().map(line).collect()
}

fn suggestions(records: &[Record], rules: &RuleFile) -> Vec<Suggestion> {
    let names = Names::new(rules.input.message.clone(), Vec::new(), Vec::new());
    let keys = &rules.input.message_keys;
    let mut kinds: BTreeMap<u64, Kind> = BTreeMap::new();
    for record in records {
        let Ok(view) = RecordView::read(record.text.as_bytes(), &names) else { continue };
        let (Some(line), Some(tag)) = (view.line(), rules.input.container_of(&record.tag)) else { continue };
        if Severity::of(&line).is_some_and(|level| level >= Severity::Warn) {
            continue;
        }
        let key = template(&line, keys);
        if kinds.len() >= MAX_KINDS && !kinds.contains_key(&key) {
            continue;
        }
        let kind = kinds.entry(key).or_default();
        kind.records += 1;
        kind.bytes += record.text.len() as u64;
        kind.namespaces.insert(tag.namespace.to_owned());
        kind.containers.insert(tag.container.to_owned());
        if kind.records == 1 {
            kind.shape = masked(&line, keys, 240);
            kind.line = String::from_utf8_lossy(line.text()).into_owned();
            kind.names = [tag.namespace, tag.pod, tag.container].map(str::to_owned);
        }
    }
    let mut kinds: Vec<Kind> = kinds.into_values().filter(|kind| kind.records >= FEWEST).collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.bytes));
    let mut taken = BTreeSet::new();
    kinds.into_iter().take(MOST).map(|kind| suggestion(kind, &mut taken)).collect()
}

fn suggestion(kind: Kind, taken: &mut BTreeSet<String>) -> Suggestion {
    let words = words(&kind);
    let mut conditions = Vec::new();
    if kind.namespaces.len() <= FEW {
        conditions.push(format!("namespace: {}", list(&kind.namespaces)));
    }
    if kind.containers.len() <= FEW {
        conditions.push(format!("container: {}", list(&kind.containers)));
    }
    if !words.is_empty() {
        let terms: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        conditions.push(format!("message: '{}'", terms.join(" ")));
    }
    conditions.push("severity: '<=info'".to_owned());
    // Lines without a level are none below a level.
    if !has_level(&kind) {
        conditions.pop();
    }
    let policy = match words.is_empty() {
        true => "first: { n: 10, per: 1m, then: 1/20, by: [container, template] }",
        false => "sample: { rate: 1/10 }",
    };
    let from = words.first().cloned().or_else(|| kind.containers.first().cloned()).unwrap_or_default();
    let mut name = slug(&from);
    for number in 2.. {
        if taken.insert(name.clone()) {
            break;
        }
        name = format!("{}-{number}", slug(&from));
    }
    Suggestion { name, when: format!("{{ {} }}", conditions.join(", ")), policy, kind }
}

fn has_level(kind: &Kind) -> bool {
    let mut text = Vec::new();
    nodesieve_engine::json::push_string(&mut text, kind.line.as_bytes());
    let inner = text.get(1..text.len() - 1).unwrap_or_default();
    Severity::of(&nodesieve_engine::line::Line::new(inner)).is_some()
}

/// The texts of a line that do not vary, long enough to tell it from others and to stand in single quotes.
fn words(kind: &Kind) -> Vec<String> {
    let shape = match serde_json::from_str::<serde_json::Value>(&kind.shape) {
        Ok(object) => object.get("message").and_then(|text| text.as_str()).unwrap_or_default().to_owned(),
        // A shape that was cut is none.
        Err(_) if kind.shape.starts_with("{\"") => kind
            .shape
            .split_once("\"message\":\"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .map(|(message, _)| message.to_owned())
            .unwrap_or_default(),
        Err(_) => kind.shape.clone(),
    };
    let mut found: Vec<&str> = shape
        .split("<*>")
        .flat_map(|part| part.split(['"', '\'', '\\', '\n', '\t']))
        .map(|part| part.trim_matches(|c: char| !c.is_alphanumeric()))
        // A class of statuses stands for digits.
        .filter(|part| part.chars().filter(|c| c.is_alphabetic()).count() >= 4 && !part.contains("xx "))
        .filter(|part| kind.line.contains(part))
        .collect();
    found.sort_by_key(|part| std::cmp::Reverse(part.len()));
    found.dedup();
    found.into_iter().take(2).map(|part| part.chars().take(60).collect()).collect()
}

fn test(Suggestion { name, kind, .. }: &Suggestion) -> String {
    let [namespace, pod, container] = &kind.names;
    let line = kind.line.replace('\'', "''");
    format!(
        "  - record: {{ log: '{line}', kubernetes: {{ namespace_name: {namespace}, pod_name: {pod}, container_name: {container} }} }}\n    expect: {{ shadow: {name} }}\n"
    )
}

fn list(names: &BTreeSet<String>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match names.as_slice() {
        [one] => (*one).to_owned(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// The start of a text, in a comment.
fn one_line(text: &str, most: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(most).collect()
}

/// A name of a rule.
fn slug(text: &str) -> String {
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let words: Vec<String> = parts.take(4).map(str::to_ascii_lowercase).collect();
    let name: String = words.join("-").chars().take(40).collect();
    let name = name.trim_matches('-').to_owned();
    if name.is_empty() { "lines".to_owned() } else { format!("like-{name}") }
}

/// Suggestions.
const MOST: usize = 10;
/// Kinds that are told apart.
const MAX_KINDS: usize = 20_000;
/// A kind that is seldom is not worth a rule.
const FEWEST: u64 = 20;
/// Names that are still listed in a condition.
const FEW: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggestion_drops_nothing_and_says_what_it_would_save() {
        let record = |second: u32, line: &str| Record {
            tag: "kube.var.log.containers.web-1_shop_app-0a.log".into(),
            time: (1_800_000_000 + second, 0),
            text: format!("{{\"log\":{}}}", serde_json::Value::from(line)),
        };
        let lines = |n| [format!("INFO cache refreshed in {n} ms"), format!("ERROR it failed {n} times")];
        let records: Vec<Record> = (0..200).flat_map(|n| lines(n).map(|line| record(n, &line))).collect();
        let file = rule_file(&records, &PodTable::default());
        let loaded = rule_test::load_explained(&file).unwrap_or_else(|all| panic!("{all:?}\n{file}"));
        assert_eq!(loaded.warnings, [], "{file}");
        assert!(
            file.contains("message: '\"INFO cache refreshed in\"'")
                && file
                    .contains(", in a month of this node $0.00 on Firehose and $0.04 on CloudWatch Logs.\n"),
            "{file}"
        );
        assert!(file.contains("expect: { shadow: like-info-cache-refreshed-in }"), "{file}");
        assert!(!file.contains("it failed"), "{file}");
        let own = loaded.rules.rules.iter().filter(|rule| rule.name.starts_with("like-"));
        assert!(own.clone().count() == 1 && own.clone().all(|rule| rule.shadow));
        assert_eq!(rule_file(&[], &PodTable::default()), DEPLOYED);
    }
}
