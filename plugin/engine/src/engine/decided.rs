//! What was decided for a record, and by whom.

use crate::engine::rule_id::RuleId;
use crate::engine::rule_set::{Certain, RuleSet};
use crate::engine::why::{Fault, Why};
use crate::policy::{Action, Decision};

/// What was decided for a record, by whom, and only what hangs on that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decided {
    /// By a guard or rule.
    ByRule { rule: RuleId, decision: Decision },
    /// By none: `defaults.no_match`.
    NoMatch(Action),
    /// Dropped by an annotation of the pod.
    Excluded,
    /// Kept, because nobody knows whether a guard or rule applies; a guard's ceiling is charged with it, under a key.
    Unknown { charged: Option<(RuleId, u64)> },
    /// Kept, because it could not be read.
    Faulty(Fault),
}

impl From<Certain> for Decided {
    #[inline]
    fn from(certain: Certain) -> Decided {
        match (certain.rule, certain.action) {
            (Some(rule), Action::Drop) => Decided::ByRule { rule, decision: Decision::Drop },
            (Some(rule), Action::Keep) => Decided::ByRule { rule, decision: Decision::Keep },
            (None, action) => Decided::NoMatch(action),
        }
    }
}

/// What was decided, and what rules in shadow mode would have. A line that goes with this one has the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    pub(super) decided: Decided,
    pub(super) shadows: ShadowMarks,
}

/// The rules in shadow mode that a record met, and of these those that would have dropped it: their bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ShadowMarks {
    pub(super) met: u32,
    pub(super) would_drop: u32,
    /// Whose fragment's they are beside the platform's, counted from 1.
    pub(super) fragment: u16,
}

impl Decided {
    #[inline]
    pub(super) fn action(self) -> Action {
        match self {
            Decided::ByRule { decision, .. } => decision.action(),
            Decided::NoMatch(action) => action,
            Decided::Excluded => Action::Drop,
            Decided::Unknown { .. } | Decided::Faulty(_) => Action::Keep,
        }
    }

    /// The guard or rule that decided.
    #[inline]
    pub(super) fn rule(self) -> Option<RuleId> {
        match self {
            Decided::ByRule { rule, .. } => Some(rule),
            Decided::NoMatch(_) | Decided::Excluded | Decided::Unknown { .. } | Decided::Faulty(_) => None,
        }
    }

    /// How many records a kept one stands for.
    #[inline]
    pub(super) fn count(self) -> u64 {
        match self {
            Decided::ByRule { decision, .. } => decision.count(),
            Decided::NoMatch(_) | Decided::Excluded | Decided::Unknown { .. } | Decided::Faulty(_) => 1,
        }
    }

    /// What decided, for everybody else.
    #[inline]
    pub(super) fn why(self, rules: &RuleSet) -> Why {
        match self {
            Decided::ByRule { rule, .. } => rules.get(rule).map_or(Why::NoMatch, |active| active.why),
            Decided::NoMatch(_) => Why::NoMatch,
            Decided::Excluded => Why::Exclude,
            Decided::Unknown { .. } => Why::Unknown,
            Decided::Faulty(fault) => Why::Fault(fault),
        }
    }
}

/// How a fragment is told in the marks of a record.
pub(super) fn fragment_number(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX - 1).saturating_add(1)
}
