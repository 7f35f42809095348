//! JSON patterns, `{ $.status >= 500 && $.user NOT EXISTS }`: conditions on the members of a JSON object.
//!
//! The object is never built. A line's members are found by one strict walk over its raw text, remembered for the other
//! rules of this record; values are compared where they stand and unescaped only when they hold escapes.

mod eval;
mod parse;
mod prefilter;
mod selector;

pub use eval::{Document, Enriched, Missing};
pub(super) use parse::parse;
pub use selector::PropertySelector;

use crate::pattern::logic::{Logic, Truth};
use crate::pattern::object::prefilter::KeyPrefilter;
use crate::pattern::value::Compared;
use crate::search::{NeededText, Searched};
use std::fmt;

/// A JSON pattern.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ObjectPattern {
    pub(super) logic: Logic<PropertyCondition>,
}

/// What must be true of the nodes that a selector finds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PropertyCondition {
    pub(super) selector: PropertySelector,
    pub(super) test: Test,
    /// The key of the nodes that it needs, if it needs any: a line without it is no match and need not be walked.
    key: Option<KeyPrefilter>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    Compare(Compared),
    IsNull,
    IsTrue,
    IsFalse,
    NotExists,
}

impl ObjectPattern {
    /// Whether a line meets the conditions.
    #[inline]
    pub(super) fn holds_for(&self, searched: &Searched<'_>) -> bool {
        let line = searched.line();
        if prefilter::is_applicable(line) {
            // Of several conditions nobody knows whose key it is.
            let needed =
                if self.logic.iter().nth(1).is_none() { searched.needed() } else { NeededText::Unknown };
            if !self.logic.holds(|condition| condition.may_hold(line, needed)) {
                return false;
            }
        }
        self.logic.holds(|condition| condition.holds(&Document::Line(line)))
    }

    /// The same where a document may have parts that are not known.
    pub(super) fn truth(&self, document: &Document<'_>) -> Truth {
        self.logic.truth(|condition| condition.truth(document))
    }

    /// Keys of which an object that meets the conditions has one, as a line holds them.
    pub(super) fn needed_keys(&self) -> Vec<Box<[u8]>> {
        let keys = || self.logic.iter().map(|condition| condition.key.as_ref().map(KeyPrefilter::written));
        if self.logic.is_conjunction()
            && let Some(longest) = keys().flatten().max_by_key(|key| key.len())
        {
            return vec![longest.into()];
        }
        keys().map(|key| key.map(Box::from)).collect::<Option<_>>().unwrap_or_default()
    }

    /// The selectors in the order written.
    pub(super) fn selectors(&self) -> impl Iterator<Item = &PropertySelector> {
        self.logic.iter().map(|condition| &condition.selector)
    }
}

impl fmt::Display for ObjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{ {} }}", self.logic)
    }
}

impl fmt::Display for PropertyCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.selector)?;
        match &self.test {
            Test::Compare(comparison) => comparison.fmt(f),
            Test::IsNull => f.write_str("IS NULL"),
            Test::IsTrue => f.write_str("IS TRUE"),
            Test::IsFalse => f.write_str("IS FALSE"),
            Test::NotExists => f.write_str("NOT EXISTS"),
        }
    }
}
