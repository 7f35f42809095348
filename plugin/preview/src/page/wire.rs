//! Wire types: what the engine's answers look like in the page's JSON.

use crate::explanation::Explanation;
use crate::findings::Placed;
use serde::Serialize;

/// What [`super::Page::load`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoadedRules {
    /// Whether the next run uses them.
    pub usable: bool,
    /// Mistakes and warnings, which the engine bounds: the last says how many more mistakes there are.
    pub findings: Vec<Placed>,
}

/// What [`super::Page::add`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Added {
    /// Records in the text.
    pub records: usize,
    /// What the text was taken for.
    pub format: &'static str,
    /// Lines in it that are no record.
    pub skipped: usize,
}

/// A guard, a rule or an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecisionRow {
    /// Its name.
    pub name: String,
    /// `guard`, `rule` or `outcome`.
    pub stage: &'static str,
    /// The policy that keeps some of its records and drops others: `sample`, `limit` and so on; of a guard `ceiling`.
    #[serde(rename = "weighs", skip_serializing_if = "Option::is_none")]
    pub policy_kind: Option<&'static str>,
    /// What an outcome means, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<&'static str>,
}

/// A record as a row of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Time of day; with month and day where the records are of several days.
    pub time: String,
    /// Namespace, or nothing.
    pub namespace: String,
    /// Pod, or nothing.
    pub pod: String,
    /// Container, or nothing.
    pub container: String,
    /// Stream, or nothing.
    pub stream: String,
    /// The line's severity.
    pub severity: Option<&'static str>,
    /// The start of the line, or of the record when it has none.
    pub message: String,
}

/// Everything about one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// Its tag.
    pub tag: String,
    /// Its time, RFC 3339.
    pub time: String,
    /// The record as it came.
    pub record: String,
    /// `keep` or `drop`.
    pub action: &'static str,
    /// The row of what decided.
    pub row: usize,
    /// The kept record.
    pub answer: Option<String>,
    /// Whether it continues the line before it and has its verdict, whatever it would get alone.
    #[serde(rename = "continued")]
    pub is_continued: bool,
    /// Guards and rules in their order, as if the record stood alone.
    pub explanation: Explanation,
}
