//! The `when` of a rule.

use crate::config::model::{AgeTest, Comparison, SeverityTest, When};
use crate::config::section::{Mistakes, Section};
use crate::config::yaml::{Kind, Node, Quoting};
use crate::diag::{Code, did_you_mean};
use crate::pattern::Pattern;
use crate::severity::Severity;
use crate::time::parse_duration;
use std::ops::Range;

/// The conditions of a rule; those with mistakes are left out, the file is refused anyway.
pub(super) fn when(source: &str, node: &Node, mistakes: &mut Mistakes) -> When {
    let known =
        ["namespace", "pod", "container", "workload", "stream", "severity", "container_age", "message"];
    let later = ["labels", "annotations", "record"];
    let Some(section) = Section::open(node, "when", &known, &later, mistakes) else { return When::default() };
    let globs = |key: &str, mistakes: &mut Mistakes| {
        section.get(key).and_then(|node| mistakes.globs(node, key, is_name))
    };
    When {
        namespace: globs("namespace", mistakes),
        pod: globs("pod", mistakes),
        container: globs("container", mistakes),
        workload: globs("workload", mistakes),
        stream: section.get("stream").and_then(|node| stream(node, mistakes)),
        severity: section.get("severity").and_then(|node| severity(node, mistakes)),
        container_age: section.get("container_age").and_then(|node| age(node, mistakes)),
        message: section.get("message").and_then(|node| message(source, node, mistakes)),
    }
}

impl When {
    /// Whether there is no condition, so that every record meets it.
    pub fn is_empty(&self) -> bool {
        *self == When::default()
    }
}

fn stream(node: &Node, mistakes: &mut Mistakes) -> Option<Box<str>> {
    match mistakes.text(node, "stream")? {
        text @ ("stdout" | "stderr") => Some(text.into()),
        other => {
            mistakes.note(
                Code::Value,
                &node.span,
                format!("stream must be stdout or stderr, found `{other}`"),
            );
            None
        }
    }
}

fn severity(node: &Node, mistakes: &mut Mistakes) -> Option<SeverityTest> {
    let text = mistakes.text(node, "severity")?;
    if text == "unknown" {
        return Some(SeverityTest::Unknown);
    }
    let (comparison, word) = comparison(text);
    match Severity::NAMES.iter().find(|(name, _)| *name == word) {
        Some((_, severity)) => Some(SeverityTest::Compared(comparison, *severity)),
        None => {
            let names = Severity::NAMES.map(|(name, _)| name);
            let help = match did_you_mean(word, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("compare with one of {}: '>=error'", names.join(", ")),
            };
            mistakes.note_with_help(Code::Value, &node.span, format!("`{word}` is not a severity"), help);
            None
        }
    }
}

fn age(node: &Node, mistakes: &mut Mistakes) -> Option<AgeTest> {
    let text = mistakes.text(node, "container_age")?;
    let (comparison, word) = comparison(text);
    let age = parse_duration(word);
    if age.is_none() || comparison == Comparison::Equal {
        let message = format!("`{text}` is not an age to compare with");
        mistakes.note_with_help(
            Code::Duration,
            &node.span,
            message,
            "write a comparison and a duration: '<60s'",
        );
        return None;
    }
    age.map(|age| AgeTest { comparison, age })
}

fn message(source: &str, node: &Node, mistakes: &mut Mistakes) -> Option<Pattern> {
    let text = mistakes.text(node, "message")?;
    match Pattern::parse(text) {
        Ok(pattern) => {
            for warning in pattern.warnings(text) {
                mistakes.note_with_help(Code::PatternDoubt, &node.span, warning.message, warning.help);
            }
            Some(pattern)
        }
        Err(error) => {
            let span = inside(source, node, text, &error.span);
            let yaml_took_the_quotes = matches!(&node.kind, Kind::Scalar { quoting: Quoting::Double, .. });
            let help = if yaml_took_the_quotes {
                "YAML takes double quotes for itself: put the whole pattern in single quotes, '\"like this\"'"
            } else {
                error.help()
            };
            mistakes.note_with_help(Code::Pattern, &span, error.to_string(), help);
            None
        }
    }
}

/// Where a span of a text's value stands in the source: exactly, when the text is written without escapes.
fn inside(source: &str, node: &Node, value: &str, span: &Range<usize>) -> Range<usize> {
    let start = match &node.kind {
        Kind::Scalar { quoting: Quoting::Single | Quoting::Double, .. } => node.span.start.saturating_add(1),
        _ => node.span.start,
    };
    let as_written = source.get(start..).is_some_and(|rest| rest.starts_with(value));
    if as_written {
        start.saturating_add(span.start)..start.saturating_add(span.end)
    } else {
        node.span.clone()
    }
}

fn comparison(text: &str) -> (Comparison, &str) {
    for (sign, comparison) in [
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("<", Comparison::Less),
        (">", Comparison::More),
        ("=", Comparison::Equal),
    ] {
        if let Some(rest) = text.strip_prefix(sign) {
            return (comparison, rest.trim());
        }
    }
    (Comparison::Equal, text)
}

/// Characters of Kubernetes names.
fn is_name(character: char) -> bool {
    character.is_ascii_lowercase() || character.is_ascii_digit() || matches!(character, '-' | '.')
}
