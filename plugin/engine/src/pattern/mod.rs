//! CloudWatch Logs filter patterns: a pattern that a team tested in the console decides the same on the node.
//!
//! # Syntax
//! This version reads *term* patterns. The first character selects the form: `{` (JSON), `[` (space-delimited) and
//! `%` (regular expression) are recognised and refused as not yet supported; anything else is terms.
//!
//! | pattern | matches an event |
//! |---|---|
//! | `ERROR timeout` | that contains both texts, anywhere: `ERRORCODE` contains `ERROR` |
//! | `"GET /healthz"` | that contains the phrase; anything but letters, digits, `_` and `.` needs the quotes |
//! | `ERROR -retry` | that contains `ERROR` and does not contain `retry` |
//! | `?ERROR ?WARN` | that contains any of them; next to plain or excluded terms, optional terms are ignored |
//! | empty, or only blanks | always |
//!
//! # Matching
//! Case-sensitive, substrings, on the line without one trailing newline. `-` and `?` start a new term even inside a
//! word, as in AWS: `a-b` is `a` and not `b`. `" "` (a quoted blank) matches everything, as AWS's documentation
//! promises and its service does not.
//!
//! # Errors
//! [`PatternError`] names the offending character or token and where it stands.
//!
//! Source of the behaviour: AWS's *Filter pattern syntax for metric filters, subscription filters, filter log events,
//! and Live Tail*, and recorded answers of its `TestMetricFilter`.

mod display;
mod error;
mod parse;
mod search;
mod terms;

pub use error::{PatternError, PatternErrorKind, PatternWarning};
pub use terms::Terms;

use crate::line::Line;

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    terms: Terms,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// [`PatternError`] for more than 1024 characters, a character that needs quotes (`a:b`), an unclosed quote, an
    /// empty phrase (`""`), a sign without a term (`- `), text that touches a quote (`"a"b`), and for the forms that
    /// are not supported yet (`{ $.a = 1 }`, `[a, b]`, `%a+%`).
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        parse::parse(text).map(|terms| Pattern { terms })
    }

    /// Whether the line matches. Never fails.
    pub fn matches(&self, line: &Line<'_>) -> bool {
        self.terms.matches(line)
    }

    /// What is legal in the pattern but surely not meant, such as `abc-123` or `?a b`.
    pub fn warnings(&self, text: &str) -> Vec<PatternWarning> {
        error::warnings(&self.terms, text)
    }
}
