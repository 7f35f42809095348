//! The documented cases of the pattern language (cases/patterns/*.md): natively, and in the compiled filter.

use crate::support;
use host_test::artefact;
use host_test::cases;
use host_test::guest::Returned;
use host_test::matching::{MatchAnswer, answer, event_matches};
use nodesieve_engine::pattern::Pattern;
use std::fmt::Write as _;

/// The lines of each block of this kind.
fn blocks(file: &str, kind: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(artefact::workspace().join(file)).unwrap();
    let blocks = cases::blocks(&text).into_iter().filter(|block| block.info == kind);
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
fn patterns(file: &str) -> Vec<(String, Vec<(bool, String)>)> {
    let case = |block: Vec<String>| {
        let (pattern, events) = block.split_first().unwrap();
        let event = |line: &String| match line.split_at(2) {
            ("+ ", event) => (true, unquoted(event)),
            ("- ", event) => (false, unquoted(event)),
            _ => panic!("{file}: neither + nor -: {line}"),
        };
        (unquoted(pattern), events.iter().map(event).collect())
    };
    blocks(file, "pattern").into_iter().map(case).collect()
}

/// The cases of each form, and the page that teaches the language.
const FILES: [&str; 5] = [
    "host-test/cases/patterns/terms.md",
    "host-test/cases/patterns/regex.md",
    "host-test/cases/patterns/json.md",
    "host-test/cases/patterns/fields.md",
    "docs/patterns.md",
];

#[test]
fn documented_patterns_match_as_documented() {
    let mut count = 0;
    for file in FILES {
        for (text, events) in patterns(file) {
            let pattern = Pattern::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            for (expected, event) in events {
                assert_eq!(event_matches(&pattern, &event), expected, "{file}: {text} on {event}");
                count += 1;
            }
            assert_eq!(Pattern::parse(&pattern.to_string()).unwrap(), pattern, "{text}");
        }
    }
    assert!(count >= 430, "only {count} cases are left");
}

/// Each pattern is a rule of its own namespace that drops, so that one filter runs all of a file.
#[test]
fn documented_patterns_match_the_same_in_the_compiled_filter() {
    for file in FILES {
        let cases = patterns(file);
        let mut rules = "version: 1\nrules:\n".to_owned();
        for (index, (pattern, _)) in cases.iter().enumerate() {
            let quoted = serde_json::to_string(pattern).unwrap();
            writeln!(rules, "  - {{ name: r{index}, when: {{ namespace: n{index}, message: {quoted} }}, drop: {{}}, reason: x }}")
                .unwrap();
        }
        let (mut guest, _tree) = support::start(&rules);
        guest.clock().advance_to(1_800_000_000_000_000_000);
        for (index, (pattern, events)) in cases.iter().enumerate() {
            let tag = format!("kube.var.log.containers.web-1_n{index}_app-{}.log", "0a".repeat(32));
            for (expected, event) in events {
                // A newline at the end belongs to the log file, not to its line: the filter takes it off.
                if event.ends_with('\n') {
                    continue;
                }
                let record = serde_json::json!({ "log": event }).to_string();
                let returned = guest.filter(tag.as_bytes(), (1_800_000_000, 0), record.as_bytes());
                let dropped = matches!(returned, Returned::Dropped);
                assert_eq!(dropped, *expected, "{file}: {pattern} on {event}");
            }
        }
    }
}

#[test]
fn what_must_be_refused_is_refused_with_its_place() {
    let refused = blocks("host-test/cases/patterns/refused.md", "refused");
    assert!(refused.len() >= 101, "only {} cases are left", refused.len());
    for block in refused {
        let [pattern, mark] = block.as_slice() else { panic!("{block:?}") };
        let error = Pattern::parse(pattern).unwrap_err();
        let characters = |bytes: usize| pattern[..bytes].chars().count();
        let (start, end) = (characters(error.span.start), characters(error.span.end));
        let expected = format!("{}{} {error}", " ".repeat(start), "^".repeat((end - start).max(1)));
        assert_eq!(*mark, expected, "{pattern}");
        assert!(!error.help().is_empty());
    }
}

/// Answers of Kubernetes' own selector code (apimachinery, pkg/labels) to selectors of every kind.
#[test]
fn selectors_are_read_and_matched_as_kubernetes_does() {
    let text =
        std::fs::read_to_string(artefact::workspace().join("host-test/cases/selectors.ndjson")).unwrap();
    let mut count = 0;
    for line in text.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let expected = case.get("match").and_then(serde_json::Value::as_bool);
        let found = match answer(line) {
            MatchAnswer::Match(matches) => Some(matches),
            MatchAnswer::Error(_) => None,
        };
        assert_eq!(found, expected, "{line}");
        count += 1;
    }
    assert!(count >= 890, "only {count} cases are left");
}
