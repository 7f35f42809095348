//! A pattern as it stands in a rule file: its mistakes at their places, and what YAML made of it before we saw it.

use crate::condition::WrittenCondition;
use crate::diag::Code;
use crate::pattern::{Pattern, PatternErrorKind, PatternWarning};
use crate::yaml::{Mistakes, Node, NodeKind, Quoting};
use std::ops::Range;

/// The pattern, with its text.
pub(super) fn parse<'w>(
    written: &WrittenCondition<'w>,
    key: &str,
    mistakes: &mut Mistakes,
) -> Option<(&'w str, Pattern)> {
    let (source, node) = (written.source, written.node);
    let text = mistakes.text(node, key)?;
    mistakes.count_pattern(text, &node.span);
    match Pattern::parse(text) {
        Ok(pattern) => Some((text, pattern)),
        Err(error) => {
            let span = inside(source, node, text, &error.span);
            let yaml_took_the_quotes =
                matches!(&node.kind, NodeKind::Scalar { quoting: Quoting::Double, .. })
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

/// The same of a pattern that is no condition.
pub(crate) fn written_pattern(source: &str, node: &Node, mistakes: &mut Mistakes) -> Option<Pattern> {
    let written = WrittenCondition { source, node, drops: false };
    let (text, pattern) = parse(&written, "pattern", mistakes)?;
    warn(&written, text, &pattern, mistakes);
    Some(pattern)
}

/// Notes what is legal in a pattern but surely not meant.
pub(super) fn warn(written: &WrittenCondition<'_>, text: &str, pattern: &Pattern, mistakes: &mut Mistakes) {
    let mut warnings = pattern.warnings(text);
    warnings.extend(eaten_by_yaml(written.source, written.node, pattern));
    if written.drops {
        warnings.extend(pattern.differs_only_where_present());
    }
    for warning in warnings {
        mistakes.note_with_help(Code::PatternDoubt, &written.node.span, warning.message, warning.help);
    }
}

/// What YAML kept for itself of a pattern that looks right in the file.
fn eaten_by_yaml(source: &str, node: &Node, pattern: &Pattern) -> Option<PatternWarning> {
    let NodeKind::Scalar { text, quoting } = &node.kind else { return None };
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

/// Where a span of a text's value stands in the source: exactly, when the text is written without escapes.
pub(super) fn inside(source: &str, node: &Node, value: &str, span: &Range<usize>) -> Range<usize> {
    let start = match &node.kind {
        NodeKind::Scalar { quoting: Quoting::Single | Quoting::Double, .. } => {
            node.span.start.saturating_add(1)
        }
        _ => node.span.start,
    };
    let as_written = source.get(start..).is_some_and(|rest| rest.starts_with(value));
    if as_written {
        start.saturating_add(span.start)..start.saturating_add(span.end)
    } else {
        node.span.clone()
    }
}
