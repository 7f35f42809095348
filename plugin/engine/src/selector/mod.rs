//! Kubernetes label selectors: what `kubectl get pods -l` selects, a rule selects on the node.
//!
//! # Syntax
//! Requirements separated by `,`; all of them must hold, there is no "or". The empty selector holds always.
//!
//! | requirement | holds for a pod | without the label |
//! |---|---|---|
//! | `app=web`, `app==web` | whose label `app` is `web` | no |
//! | `app!=web` | whose label `app` is anything else | **yes** |
//! | `app in (web,api)` | whose label `app` is one of the values | no |
//! | `app notin (web,api)` | whose label `app` is none of them | **yes** |
//! | `app` | that has the label, with any value | no |
//! | `!app` | that does not have it | yes |
//! | `shard>4`, `shard<8` | whose label is a 64-bit integer that compares so | no |
//!
//! A key is `name` or `prefix/name`. A name starts and ends with a letter or digit, contains `-`, `_` and `.` besides
//! them, and has at most 63 bytes; so does a value, which may also be empty. A prefix is a lower case DNS subdomain of
//! at most 253 bytes. Blanks, tabs, CR and LF may stand between all tokens. `in` and `notin` are operators only behind
//! a key and only in lower case: `notin=in` and `in in (in)` are selectors. A missing value is the empty one: `x=`,
//! `x in ()` and `x in (a,)` contain it. What `>` and `<` compare with must be an integer *and* a label value, so it
//! has digits only: no sign, at most 9223372036854775807.
//!
//! # Matching
//! Exact and case-sensitive, on whole values. A label of a pod is read by `>` and `<` as `strconv.ParseInt` does:
//! `+5`, `-5` and `007` are integers; `1.5`, `1_000`, ` 1`, the empty value and what overflows are none, and then the
//! requirement does not hold.
//!
//! # Normal form
//! A selector prints as apimachinery prints it and reads back as itself: no blanks but around `in` and `notin`, the
//! values of a set sorted and each one once. Only the requirements keep their order, where apimachinery sorts them by
//! key: that changes no answer, and [`Selector::first_failed`] follows the order of the author.
//!
//! # Errors
//! [`SelectorError`] names the offending character or token and the role of its place. A selector of more than 4096
//! bytes is refused; that limit is this module's own.
//!
//! # Differences
//! None but that limit. In particular a NUL ends the selector where a token may start, and is skipped right behind
//! one, because apimachinery's lexer takes it for the end of its text. Deliberately not here: `LabelSelector` objects
//! (`matchLabels`, `matchExpressions`), field selectors, and what a selector means for a pod whose labels are unknown,
//! which is the caller's decision.
//!
//! Source of the behaviour: `pkg/labels/selector.go` and `pkg/api/validate/content/kube.go` of
//! [kubernetes/apimachinery](https://github.com/kubernetes/apimachinery) at `eed236ceee2c`.

mod display;
mod error;
mod eval;
mod names;
mod parse;
#[cfg(test)]
mod tests;

pub use error::{LabelPart, SelectorError, SelectorErrorKind, TokenPlace};

use std::collections::BTreeSet;

/// A parsed label selector. Syntax, matching and normal form are those of the [module](self).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

impl Selector {
    /// Parses a selector.
    ///
    /// # Errors
    /// - more than 4096 bytes;
    /// - a token where another must stand: `x=a,` `x,,y` `x==a==b` `!x=a` `x>=1` `!!x` `x in a` `x IN (a)`;
    /// - a key or value with an invalid character: `x="a"` `x=*` `x=a||y=b` `Example.com/x`;
    /// - one that starts or ends with `-`, `_` or `.`: `x=-a` `x.=a` `a..b/x`;
    /// - one that is too long, a key without prefix or name (`/x`, `x/`) or with a second slash (`a/b/c`);
    /// - no integer from 0 to 9223372036854775807 behind `>` or `<`: `x>` `x<a` `x>-1` `x>+1` `x>1.5`.
    ///
    /// ```
    /// use nodesieve_engine::selector::Selector;
    ///
    /// let selector = Selector::parse("app in (web, api), tier!=canary")?;
    /// assert!(selector.matches(|key| (key == "app").then_some("web")));
    /// assert!(!selector.matches(|_| None));
    ///
    /// let error = Selector::parse("app=web,").unwrap_err();
    /// assert_eq!(error.to_string(), "found the end after ','; expected a key or '!'");
    /// # Ok::<(), nodesieve_engine::selector::SelectorError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Selector, SelectorError> {
        parse::parse(text).map(|requirements| Selector { requirements })
    }

    /// Whether a pod matches whose labels `get` looks up. A key that the pod has several times is to answer its last
    /// value; a pod without labels is one whose every lookup answers `None`.
    pub fn matches<'a>(&self, get: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.first_failed(get).is_none()
    }

    /// The first requirement, in the order of the author, that does not hold for the labels; `None` when all hold.
    pub fn first_failed<'a>(&self, get: impl Fn(&str) -> Option<&'a str>) -> Option<&Requirement> {
        self.requirements.iter().find(|requirement| !requirement.holds(get(&requirement.key)))
    }

    /// Whether there are no requirements, so that everything matches.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }
}

impl Selector {
    /// What it asks for, in the order of the author.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// The keys that are asked for.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.requirements.iter().map(Requirement::key)
    }
}

/// One requirement of a selector, such as `app!=web`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    key: String,
    condition: LabelCondition,
}

impl Requirement {
    /// The label that it asks for.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether a pod without the label cannot meet it.
    pub fn needs_key(&self) -> bool {
        match self.condition {
            LabelCondition::Exists
            | LabelCondition::Equals(..)
            | LabelCondition::In(_)
            | LabelCondition::Above(_)
            | LabelCondition::Below(_) => true,
            LabelCondition::Absent | LabelCondition::Differs(_) | LabelCondition::NotIn(_) => false,
        }
    }

    /// The values that it names, to be one of them or none.
    pub fn values(&self) -> Vec<&str> {
        match &self.condition {
            LabelCondition::Equals(_, value) | LabelCondition::Differs(value) => vec![value],
            LabelCondition::In(values) | LabelCondition::NotIn(values) => {
                values.iter().map(String::as_str).collect()
            }
            LabelCondition::Exists
            | LabelCondition::Absent
            | LabelCondition::Above(_)
            | LabelCondition::Below(_) => Vec::new(),
        }
    }
}

/// What a requirement asks of its label.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LabelCondition {
    Exists,
    Absent,
    Equals(EqualsSign, String),
    Differs(String),
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Above(Bound),
    Below(Bound),
}

/// The two ways to write "equals", which print as they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EqualsSign {
    Single,
    Double,
}

/// An integer with its digits, which print as they were written: `x>01`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound {
    digits: String,
    number: i64,
}
