//! The `when` of a rule.

use crate::config::model::{AgeTest, Comparison, SeverityTest, When};
use crate::config::section::{Mistakes, Section};
use crate::config::yaml::{Kind, Node, Quoting};
use crate::diag::{Code, did_you_mean};
use crate::pattern::{Pattern, PatternErrorKind, PatternWarning};
use crate::selector::Selector;
use crate::severity::Severity;
use crate::time::parse_duration;
use std::ops::Range;

/// The conditions of a rule; those with mistakes are left out, the file is refused anyway.
///
/// `drops` says that records which meet them are lost, which is what some warnings are about.
pub(super) fn when(source: &str, node: &Node, drops: bool, mistakes: &mut Mistakes) -> When {
    let known = [
        "namespace",
        "pod",
        "container",
        "workload",
        "labels",
        "annotations",
        "stream",
        "severity",
        "container_age",
        "message",
        "record",
    ];
    let Some(section) = Section::open(node, "when", &known, mistakes) else { return When::default() };
    let selector = |key: &str, mistakes: &mut Mistakes| {
        section.get(key).and_then(|node| selector(source, node, key, mistakes))
    };
    let pattern = |key: &str, mistakes: &mut Mistakes| {
        section.get(key).and_then(|node| pattern(source, node, key, drops, mistakes))
    };
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
        message: pattern("message", mistakes),
        record: pattern("record", mistakes),
        labels: selector("labels", mistakes),
        annotations: selector("annotations", mistakes),
    }
}

impl When {
    /// Whether there is a condition on the record as a whole or on what is known about its container.
    #[inline]
    pub fn asks_for_metadata(&self) -> bool {
        // Taken apart as a whole, so that a new condition has to be put on one of the two sides.
        let When {
            namespace: _,
            pod: _,
            container: _,
            stream: _,
            severity: _,
            message: _,
            record,
            labels,
            annotations,
            workload,
            container_age,
        } = self;
        record.is_some()
            || labels.is_some()
            || annotations.is_some()
            || workload.is_some()
            || container_age.is_some()
    }

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

fn pattern(source: &str, node: &Node, key: &str, drops: bool, mistakes: &mut Mistakes) -> Option<Pattern> {
    let text = mistakes.text(node, key)?;
    match Pattern::parse(text) {
        Ok(pattern) if key == "record" && !pattern.is_object() => {
            let message = "a record is matched by a JSON pattern, this is another form";
            let help = "write record: '{ $.field = value }', or use `message` for the line";
            mistakes.note_with_help(Code::Pattern, &node.span, message, help);
            None
        }
        Ok(pattern) => {
            let mut warnings = pattern.warnings(text);
            warnings.extend(eaten_by_yaml(source, node, &pattern));
            if drops {
                warnings.extend(pattern.differs_only_where_present());
            }
            for warning in warnings {
                mistakes.note_with_help(Code::PatternDoubt, &node.span, warning.message, warning.help);
            }
            Some(pattern)
        }
        Err(error) => {
            let span = inside(source, node, text, &error.span);
            let yaml_took_the_quotes = matches!(&node.kind, Kind::Scalar { quoting: Quoting::Double, .. })
                && matches!(error.kind, PatternErrorKind::NeedsQuotes(_));
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

/// What YAML kept for itself of a pattern that looks right in the file.
fn eaten_by_yaml(source: &str, node: &Node, pattern: &Pattern) -> Option<PatternWarning> {
    let Kind::Scalar { text, quoting } = &node.kind else { return None };
    let rest = source.get(node.span.end..).unwrap_or_default().lines().next().unwrap_or_default();
    let comment = rest.trim_start();
    match quoting {
        _ if text.trim().is_empty() => Some(PatternWarning {
            message: "an empty pattern matches every line".into(),
            help: "leave the condition out, or write one".into(),
        }),
        // `ERROR #42` is meant to be searched for, `ERROR # why` is not.
        Quoting::Plain if comment.strip_prefix('#').is_some_and(|word| !word.starts_with([' ', '#'])) => {
            Some(PatternWarning {
                message: format!(
                    "the pattern is only `{text}`: YAML takes `{}` for a comment",
                    comment.trim_end()
                ),
                help: "put the whole pattern in single quotes".into(),
            })
        }
        Quoting::Double if pattern.plain_terms() > 1 && !text.contains(['"', '-', '?']) => {
            Some(PatternWarning {
                message: format!(
                    "YAML took the quotes: these are {} terms, which may stand anywhere in the line",
                    pattern.plain_terms()
                ),
                help: format!("for the phrase write '\"{text}\"', for the terms use single quotes"),
            })
        }
        _ => None,
    }
}

fn selector(source: &str, node: &Node, key: &str, mistakes: &mut Mistakes) -> Option<Selector> {
    let text = mistakes.text(node, key)?;
    match Selector::parse(text) {
        // Go's parser stops there without a word, and what it has not read selects nothing less.
        Ok(_) if text.contains('\0') => {
            mistakes.note(Code::Selector, &node.span, format!("{key} must not contain a NUL character"));
            None
        }
        Ok(selector) => {
            if selector.is_empty() {
                let message = format!("an empty selector matches every pod, whatever its {key}");
                mistakes.note_with_help(
                    Code::PatternDoubt,
                    &node.span,
                    message,
                    "leave the condition out, or write one",
                );
            }
            Some(selector)
        }
        Err(error) => {
            let span = inside(source, node, text, &error.span);
            mistakes.note_with_help(Code::Selector, &span, error.to_string(), error.help());
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
