//! CloudWatch Logs filter patterns: a pattern that a team tested in the console decides the same on the node.
//!
//! # Syntax
//! The first character selects the form, and blanks around a pattern do not count:
//!
//! | pattern | matches an event |
//! |---|---|
//! | `ERROR timeout` | that contains both texts, anywhere: `ERRORCODE` contains `ERROR` |
//! | `"GET /healthz"` | that contains the phrase; anything but letters, digits, `_` and `.` needs the quotes |
//! | `ERROR -retry` | that contains `ERROR` and does not contain `retry` |
//! | `?ERROR ?WARN` | that contains any of them; next to plain or excluded terms, optional terms are ignored |
//! | `%user-[0-9]+%` | in which the regular expression is found, see [`Regex`] |
//! | `{ $.status >= 500 && $.user NOT EXISTS }` | that is one JSON object and meets the conditions, see [`PropertySelector`] |
//! | `[ip, user, ..., status = 4*, bytes]` | whose fields, split at blanks, are as listed |
//! | empty, or only blanks | always |
//!
//! # Matching
//! Case-sensitive. Terms are substrings; `-` and `?` start a new term even inside a word, as in AWS: `a-b` is `a` and
//! not `b`. `" "` (a quoted blank) matches everything, as AWS's documentation promises and its service does not. A JSON
//! condition is true of nodes that exist: `$.a != 1` is false where there is no `$.a`. `*` in a value stands for any run
//! of characters wherever it stands, where AWS does not backtrack.
//!
//! # Limits
//! 1024 characters, two regular expressions, three selectors with a wildcard and one in each, as in AWS; and 64 nested
//! parentheses. Every form takes time linear in the line and in the pattern, and no stack that grows with either.
//!
//! # Errors
//! [`PatternError`] names the offending character or token and where it stands.
//!
//! Source of the behaviour: AWS's *Filter pattern syntax for metric filters, subscription filters, filter log events,
//! and Live Tail*, and recorded answers of its `TestMetricFilter`.

mod display;
mod doubt;
mod error;
mod fields;
mod joined;
mod lex;
mod logic;
mod object;
mod parse;
mod regex;
mod terms;
mod value;
mod why;

pub use crate::search::Searched;
pub use doubt::PatternWarning;
pub use error::{PatternError, PatternErrorKind};
pub use logic::Truth;
pub use object::{Document, Enriched, Missing, PropertySelector};
pub use regex::Regex;
pub use terms::{TermSign, Terms};

use crate::line::Line;
use crate::search::Needle;
use fields::FieldEntry;
use std::ops::Range;

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    form: Form,
}

#[derive(Clone, Debug, PartialEq)]
enum Form {
    Terms(Terms),
    Regex(Regex),
    Object(object::ObjectPattern),
    /// With a text that every matching line contains.
    Fields(fields::FieldPattern, Option<Box<Needle>>),
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// [`PatternError`] for what [`PatternErrorKind`] lists, each with its example.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        parse::parse(text).map(|form| Pattern { form })
    }

    /// Whether the line matches. Never fails.
    #[inline]
    pub fn matches(&self, line: &Searched<'_>) -> bool {
        match &self.form {
            Form::Terms(terms) => terms.matches(line),
            Form::Regex(regex) => regex.matches(line),
            Form::Object(object) => object.holds_for(line),
            Form::Fields(fields, needed) => {
                needed.as_ref().is_none_or(|needed| line.has_needed() || line.has(needed))
                    && fields.matches(line.line().text())
            }
        }
    }

    /// Texts of which a line that matches has one, as the host writes them inside a JSON string; none where it may have none of
    /// any.
    pub(crate) fn needed_texts(&self) -> Vec<Box<[u8]>> {
        let written = |needles: &[Needle]| {
            let all = needles.iter().map(|needle| needle.written().map(Box::from));
            all.collect::<Option<Vec<Box<[u8]>>>>().unwrap_or_default()
        };
        match &self.form {
            Form::Terms(terms) => terms.needed_texts(),
            Form::Regex(regex) => written(regex.needed_texts()),
            Form::Object(object) => object.needed_keys(),
            Form::Fields(_, needed) => {
                needed.as_deref().map(|needed| written(std::slice::from_ref(needed))).unwrap_or_default()
            }
        }
    }

    /// Whether a line matches as soon as it has the one text that it needs.
    pub(crate) fn is_one_text(&self) -> bool {
        match &self.form {
            Form::Terms(terms) => terms.only().is_some(),
            Form::Regex(_) | Form::Object(_) | Form::Fields(..) => false,
        }
    }

    /// Whether it is of the JSON form, which may be asked about a whole record.
    pub fn is_object(&self) -> bool {
        matches!(self.form, Form::Object(_))
    }

    /// Whether a record matches; other forms than JSON match none.
    pub fn matches_document(&self, document: &Document<'_>) -> Truth {
        match &self.form {
            Form::Object(object) => object.truth(document),
            _ => Truth::No,
        }
    }

    /// Whether it asks for anything that stands under `key` in a record.
    pub fn mentions(&self, key: &str) -> bool {
        match &self.form {
            Form::Object(object) => object.selectors().any(|selector| selector.mentions(key)),
            _ => false,
        }
    }

    /// Whether it asks for what stands under `key` in a record, as far as a tag does not say it.
    pub fn reaches_into(&self, key: &str) -> bool {
        match &self.form {
            Form::Object(object) => object.selectors().any(|selector| selector.reaches_into(key)),
            _ => false,
        }
    }

    /// The names of the fields of a space-delimited pattern; none in another form.
    pub(crate) fn columns(&self) -> Vec<&str> {
        match &self.form {
            Form::Fields(fields, _) => fields.entries().filter_map(FieldEntry::name).collect(),
            _ => Vec::new(),
        }
    }

    /// What a line has in the field of that name.
    pub(crate) fn column(&self, name: &str, line: &Line<'_>) -> Option<Vec<u8>> {
        match &self.form {
            Form::Fields(fields, _) => fields.value_of(name, line.text()).map(<[u8]>::to_vec),
            _ => None,
        }
    }

    /// Whether it says which part of a text is meant: one text, or an expression that needs at least one character.
    pub(crate) fn has_parts(&self) -> bool {
        match &self.form {
            Form::Terms(terms) => terms.only().is_some(),
            Form::Regex(regex) => !regex.is_always(),
            Form::Object(_) | Form::Fields(..) => false,
        }
    }

    /// The parts of a text that match; none where it does not say which.
    pub(crate) fn parts_of(&self, text: &[u8]) -> Vec<Range<usize>> {
        match &self.form {
            Form::Terms(terms) => terms.only().map(|only| only.spans_in(text)).unwrap_or_default(),
            Form::Regex(regex) => regex.spans_in(text),
            Form::Object(_) | Form::Fields(..) => Vec::new(),
        }
    }

    /// Texts of which one has to occur so that it has a part, as they are; none where it may have none of any.
    pub(crate) fn parts_need(&self) -> Vec<&str> {
        match &self.form {
            Form::Terms(terms) => terms.only().map(Needle::text).into_iter().collect(),
            Form::Regex(regex) => regex.needed_texts().iter().map(Needle::text).collect(),
            Form::Object(_) | Form::Fields(..) => Vec::new(),
        }
    }

    /// How many terms must occur; none in another form.
    pub fn plain_terms(&self) -> usize {
        match &self.form {
            Form::Terms(terms) => terms.iter().filter(|(sign, _)| *sign == TermSign::Plain).count(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests;
