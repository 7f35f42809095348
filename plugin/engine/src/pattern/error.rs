//! What is wrong with a pattern, and what is right but surely not meant.

use crate::pattern::terms::Terms;
use std::fmt;
use std::ops::Range;

/// Why a pattern was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// What is wrong.
    pub kind: PatternErrorKind,
    /// The bytes of the pattern that are at fault.
    pub span: Range<usize>,
}

/// The ways in which a pattern can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternErrorKind {
    /// More than 1024 characters.
    TooLong(usize),
    /// A character outside quotes that a bare term may not contain.
    NeedsQuotes(char),
    /// A quote that nothing closes.
    UnclosedQuote,
    /// `""`.
    EmptyPhrase,
    /// `-` or `?` with no term behind it.
    LoneSign(char),
    /// A phrase that touches the text behind it, as in `"a"b`.
    TouchesQuote,
    /// One of the forms that this version does not read.
    Unsupported(&'static str),
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            PatternErrorKind::TooLong(length) => {
                write!(f, "the pattern has {length} characters; at most 1024 are allowed")
            }
            PatternErrorKind::NeedsQuotes(found) => {
                write!(f, "invalid character '{found}' in a term without quotes")
            }
            PatternErrorKind::UnclosedQuote => f.write_str("nothing closes this quote"),
            PatternErrorKind::EmptyPhrase => f.write_str("a phrase may not be empty"),
            PatternErrorKind::LoneSign(sign) => write!(f, "no term follows this '{sign}'"),
            PatternErrorKind::TouchesQuote => {
                f.write_str("a phrase must be followed by a blank, '-', '?' or the end")
            }
            PatternErrorKind::Unsupported(form) => {
                write!(f, "{form} patterns are not supported by this version")
            }
        }
    }
}

impl PatternError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self.kind {
            PatternErrorKind::TooLong(_) => "split it into several rules",
            PatternErrorKind::NeedsQuotes(_) => "put the term into double quotes",
            PatternErrorKind::UnclosedQuote => "add a closing quote; write \\\" for a quote inside a phrase",
            PatternErrorKind::EmptyPhrase => "an empty pattern matches everything",
            PatternErrorKind::LoneSign(_) => "write the term behind the sign, or put the sign into quotes",
            PatternErrorKind::TouchesQuote => "put a blank between them, or both into one phrase",
            PatternErrorKind::Unsupported(_) => {
                "use terms: words, \"phrases\", -excluded and ?optional terms"
            }
        }
    }
}

/// What is legal but surely not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternWarning {
    /// What happens, in the author's terms.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

/// The warnings for a pattern and the text it was read from.
pub(super) fn warnings(terms: &Terms, text: &str) -> Vec<PatternWarning> {
    let mut found = Vec::new();
    if terms.optional_are_ignored() {
        found.push(PatternWarning {
            message: "the ?optional terms are ignored because the pattern has other terms".into(),
            help: "use either only ?optional terms or none".into(),
        });
    }
    let outside_quotes = text.split('"').step_by(2);
    for word in outside_quotes.flat_map(str::split_whitespace) {
        let inner = word.trim_start_matches(['-', '?']);
        if let Some(at) = inner.find(['-', '?']) {
            let (head, tail) = inner.split_at(at);
            if !head.is_empty() && !tail.trim_matches(['-', '?']).is_empty() {
                let sign = if tail.starts_with('-') { "excludes" } else { "makes optional" };
                let rest = tail.trim_matches(['-', '?']);
                found.push(PatternWarning {
                    message: format!("`{inner}` is two terms: `{head}`, and one that {sign} `{rest}`"),
                    help: format!("write \"{inner}\" with quotes to search for that text"),
                });
            }
        }
    }
    found
}
