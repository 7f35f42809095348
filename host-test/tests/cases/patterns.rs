//! The documented cases of the pattern language (cases/patterns/*.md and docs/patterns.md): natively, and in the compiled filter; a test
//! for each block.

use crate::blessing::bless;
use crate::{Test, Trials, support};
use host_test::artefact;
use host_test::cases;
use host_test::guest::Returned;
use host_test::matching::event_matches;
use nodesieve_engine::pattern::Pattern;
use std::path::PathBuf;

/// The cases of each form, the page that teaches the language, and what is refused; with how many blocks each has at least.
const FILES: [(&str, &str, usize); 6] = [
    ("terms", "host-test/cases/patterns/terms.md", 32),
    ("regex", "host-test/cases/patterns/regex.md", 33),
    ("json", "host-test/cases/patterns/json.md", 68),
    ("fields", "host-test/cases/patterns/fields.md", 38),
    ("page", "docs/patterns.md", 6),
    ("refused", "host-test/cases/patterns/refused.md", 101),
];

pub(crate) fn add(trials: &mut Trials) {
    for (name, _, at_least) in FILES {
        let place = format!("patterns::{name}");
        let blocks = blocks(&place);
        assert!(blocks.len() >= at_least, "{name}: only {} blocks are left", blocks.len());
        for (at, block) in blocks.iter().enumerate() {
            let tests: &[(&str, Test)] = match name {
                "refused" => &[("", is_refused_with_its_place)],
                _ => &[
                    ("matches", matches),
                    ("matches_in_the_compiled_filter", matches_in_the_compiled_filter),
                ],
            };
            trials.add(&place, &block[0], tests, at);
        }
    }
}

fn path(place: &str) -> PathBuf {
    let name = place.trim_start_matches("patterns::");
    let (_, path, _) = FILES.into_iter().find(|(found, ..)| *found == name).unwrap();
    artefact::workspace().join(path)
}

fn is_case(block: &cases::Block) -> bool {
    block.info == "pattern" || block.info == "refused"
}

/// The lines of each block with a pattern.
fn blocks(place: &str) -> Vec<Vec<String>> {
    let blocks = cases::blocks(&std::fs::read_to_string(path(place)).unwrap()).into_iter().filter(is_case);
    blocks.map(|block| block.content.lines().map(str::to_owned).collect()).collect()
}

/// A text as written, or the JSON string behind `=`.
fn unquoted(text: &str) -> String {
    match text.strip_prefix('=') {
        Some(json) => serde_json::from_str(json).unwrap(),
        None => text.to_owned(),
    }
}

/// A pattern with its events and whether each matches.
fn read(block: &[String]) -> (String, Vec<(bool, String)>) {
    let (pattern, events) = block.split_first().unwrap();
    let event = |line: &String| match line.split_at(2) {
        ("+ ", event) => (true, unquoted(event)),
        ("- ", event) => (false, unquoted(event)),
        _ => panic!("neither + nor -: {line}"),
    };
    (unquoted(pattern), events.iter().map(event).collect())
}

fn parsed(text: &str) -> Pattern {
    Pattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn matches(place: &str, at: usize) {
    bless(&path(place), |block| {
        let lines: Vec<String> = block.content.lines().map(str::to_owned).collect();
        let (pattern, events) = is_case(block).then(|| read(&lines))?;
        let pattern = parsed(&pattern);
        let marked = lines[1..].iter().zip(events).map(|(line, (_, event))| {
            format!("{} {}\n", if event_matches(&pattern, &event) { '+' } else { '-' }, &line[2..])
        });
        Some(format!("{}\n{}", lines[0], marked.collect::<String>()))
    });
    let (text, events) = read(&blocks(place)[at]);
    let pattern = parsed(&text);
    for (expected, event) in events {
        assert_eq!(event_matches(&pattern, &event), expected, "{text} on {event}");
    }
    assert_eq!(Pattern::parse(&pattern.to_string()).unwrap(), pattern, "{text}");
}

fn matches_in_the_compiled_filter(place: &str, at: usize) {
    let (pattern, events) = read(&blocks(place)[at]);
    let quoted = serde_json::to_string(&pattern).unwrap();
    let (mut guest, _tree) = support::start(&format!(
        "version: 1\nrules: [{{ name: it, when: {{ message: {quoted} }}, drop: {{}}, reason: x }}]\n"
    ));
    guest.clock().advance_to(1_800_000_000_000_000_000);
    let tag = format!("kube.var.log.containers.web-1_n_app-{}.log", "0a".repeat(32));
    // A newline at the end belongs to the log file, not to its line: the filter takes it off.
    for (expected, event) in events.into_iter().filter(|(_, event)| !event.ends_with('\n')) {
        let record = serde_json::json!({ "log": event }).to_string();
        let returned = guest.filter(tag.as_bytes(), (1_800_000_000, 0), record.as_bytes());
        assert_eq!(matches!(returned, Returned::Dropped), expected, "{pattern} on {event}");
    }
}

fn is_refused_with_its_place(place: &str, at: usize) {
    bless(&path(place), |block| {
        let pattern = block.content.lines().next().filter(|_| is_case(block))?;
        Some(format!("{pattern}\n{}\n", told(pattern)))
    });
    let blocks = blocks(place);
    let [pattern, mark] = blocks[at].as_slice() else { panic!("{:?}", blocks[at]) };
    assert_eq!(*mark, told(pattern), "{pattern}");
}

/// The place that is at fault, and the message.
fn told(pattern: &str) -> String {
    let error = Pattern::parse(pattern).unwrap_err();
    assert!(!error.help().is_empty());
    let characters = |bytes: usize| pattern[..bytes].chars().count();
    let (start, end) = (characters(error.span.start), characters(error.span.end));
    format!("{}{} {error}", " ".repeat(start), "^".repeat((end - start).max(1)))
}
