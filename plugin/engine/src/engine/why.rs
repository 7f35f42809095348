//! What decided a record, and what it is called: one place, so that metrics, reports and every face use the same names.

use crate::config::RuleFile;
use crate::config::model::{NO_RULE, Rule};
use crate::metrics::Stage;
use std::rc::Rc;

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The guard of this position.
    Guard(usize),
    /// The rule of this position.
    Rule(usize),
    /// Neither; `defaults.no_match` did.
    NoMatch,
    /// A condition was unknown for want of metadata.
    Unknown,
    /// An annotation of the pod excludes it.
    Exclude,
    /// The record could not be read.
    Fault(Fault),
}

/// Why a record could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The record or its tag is not UTF-8.
    Utf8,
    /// The text is not one JSON object.
    Record,
    /// Its containers nest deeper than [`crate::json::MAX_DEPTH`].
    Depth,
    /// It has more members than [`crate::json::MAX_MEMBERS`].
    Size,
}

/// What is said of a record that no guard and no rule decides, in the order of their rows.
pub const OUTCOMES: [&str; 4] = [NO_RULE, UNKNOWN, FAULT, EXCLUDE];

impl Why {
    /// What it is and its name. A guard or rule that these rules do not have is nameless.
    pub fn named(self, rules: &RuleFile) -> (Stage, &str) {
        match self {
            Why::Guard(at) => (Stage::Guard, name_at(&rules.guards, at)),
            Why::Rule(at) => (Stage::Rule, name_at(&rules.rules, at)),
            Why::NoMatch => (Stage::Outcome, NO_RULE),
            Why::Unknown => (Stage::Outcome, UNKNOWN),
            Why::Exclude => (Stage::Outcome, EXCLUDE),
            Why::Fault(_) => (Stage::Outcome, FAULT),
        }
    }

    /// Its row where guards come first, then rules, then [`OUTCOMES`].
    #[inline]
    pub fn row(self, rules: &RuleFile) -> usize {
        match self {
            Why::Guard(at) => at,
            Why::Rule(at) => rules.guards.len().wrapping_add(at),
            Why::NoMatch | Why::Unknown | Why::Fault(_) | Why::Exclude => {
                let outcome = self.outcome().unwrap_or_default();
                rules.guards.len().wrapping_add(rules.rules.len()).wrapping_add(outcome)
            }
        }
    }

    /// Its place in [`OUTCOMES`], unless a guard or rule decided.
    #[inline]
    pub(super) fn outcome(self) -> Option<usize> {
        match self {
            Why::Guard(_) | Why::Rule(_) => None,
            Why::NoMatch => Some(0),
            Why::Unknown => Some(1),
            Why::Fault(_) => Some(2),
            Why::Exclude => Some(3),
        }
    }
}

fn name_at(list: &[Rc<Rule>], at: usize) -> &str {
    list.get(at).map_or("", |rule| &rule.name)
}

const UNKNOWN: &str = "unknown";
const FAULT: &str = "fault";
const EXCLUDE: &str = "exclude";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    /// Every face shows a row by its name: both must be of the same thing.
    #[test]
    fn the_row_of_a_decision_is_where_its_name_stands() {
        let rules = load(
            "version: 1\n\
             guards:\n  - { name: errors, when: { severity: '>=error' } }\n\
             rules:\n  - { name: probes, when: { message: probe }, drop: {}, reason: noise }\n  \
             - { name: rest, keep: {} }\n",
        )
        .unwrap()
        .rules;
        let names: Vec<&str> = rules.all().map(|rule| &*rule.name).chain(OUTCOMES).collect();
        let all = [
            Why::Guard(0),
            Why::Rule(0),
            Why::Rule(1),
            Why::NoMatch,
            Why::Unknown,
            Why::Fault(Fault::Utf8),
            Why::Exclude,
        ];
        assert_eq!(all.len(), names.len());
        for why in all {
            let (stage, name) = why.named(&rules);
            assert_eq!(names[why.row(&rules)], name, "{why:?}");
            assert_eq!(why.outcome().is_none(), stage != Stage::Outcome, "{why:?}");
        }
        assert_eq!(Why::Rule(9).named(&rules), (Stage::Rule, ""));
    }
}
