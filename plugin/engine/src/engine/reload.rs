//! Putting other rules in force without forgetting what the ones before have counted.
//!
//! A rule that decides as one before it keeps that one's state; what a changed or removed rule has open goes to its account
//! and into the next summary, under its name. What a budget has spent belongs to its rule's name and keys,
//! whatever else changes.

use crate::config::RuleFile;
use crate::config::model::Rule;
use crate::engine::decided::{Decided, Judged, ShadowMarks};
use crate::engine::rule_set::RuleSet;
use crate::engine::rule_state::RuleState;
use crate::engine::{Engine, asks_pods, names};
use crate::metrics::Metric;
use crate::pods::Cache;
use crate::policy::KeyCapacity;
use crate::record::RecordShape;
use crate::tag::ContainerTag;
use std::rc::Rc;

impl Engine {
    /// Counts that rules were read, and whether they can be used.
    pub fn count_reload(&mut self, is_valid: bool) {
        self.counters.add(if is_valid { Metric::Reloads } else { Metric::ReloadsRefused }, 1);
        self.counters.set(Metric::ConfigValid, u64::from(is_valid));
    }

    /// Puts other rules in force. Counters go on; the pod cache starts anew only when what it holds would differ.
    pub fn replace_rules(&mut self, rules: impl Into<Rc<RuleFile>>) {
        self.replace(rules.into());
    }

    #[inline(never)]
    fn replace(&mut self, file: Rc<RuleFile>) {
        let same_metadata = file.pods == self.file.pods && file.enrich == self.file.enrich;
        if !same_metadata {
            self.cache = Cache::new(file.pods.cache);
            self.own.clear();
        }
        self.names = names(&file);
        self.shape = RecordShape::default();
        self.file = file;
        let before = self.put_in_force();
        // A trace that is being written stays whole: its lines keep their verdict, under the same name if there is one.
        let Engine { file, rules, streams, measuring, redacting, .. } = self;
        streams.rejudge(
            &file.input,
            |container: Option<ContainerTag<'_>>| {
                rules.candidates(container, (file.no_match, asks_pods(file)), (measuring, redacting))
            },
            |candidates| candidates.foregone.is_none(),
            |judged| Judged {
                decided: under_the_same_name(judged.decided, &before, rules),
                shadows: ShadowMarks::default(),
            },
        );
    }

    /// Puts the rules of the file in force, and returns those before them, which remember nothing any more.
    #[inline(never)]
    pub(super) fn put_in_force(&mut self) -> RuleSet {
        // The rows may be others now, and the journal goes by the rows of the saved state.
        self.unsaved.counts = true;
        self.measuring.put_in_force(&self.file);
        self.redacting.put_in_force(&self.file);
        self.delegating.put_in_force(&self.file);
        self.volumes.put_in_force(self.file.volume.as_ref());
        self.tap_again();
        let Engine { file, rules, counters, shared, recalling, .. } = self;
        let mut before = std::mem::take(rules);
        *rules = RuleSet::new(file, counters, |rule| state_of(rule, file.max_keys, &mut before));
        for former in before.iter_mut() {
            former.state.report(&mut counters.row(former.row).unreported);
        }
        if !file.annotate {
            // Nothing can be reported on records any more.
            for active in rules.iter_mut() {
                active.state.report(&mut counters.row(active.row).unreported);
            }
        }
        shared.capacity = rules.share_capacity(file.max_keys);
        if !file.guards.iter().any(|guard| guard.recall.is_some()) {
            recalling.give_up(counters);
        }
        before
    }
}

/// The state with which a rule starts: that of the rule before it which decides the same, else a new one.
fn state_of(rule: &Rule, most: usize, before: &mut RuleSet) -> RuleState {
    if let Some(former) = before.iter_mut().find(|former| rule.decides_as(&former.rule)) {
        let nothing = RuleState::new(rule, 0);
        let mut state = std::mem::replace(&mut former.state, nothing);
        state.set_most(most);
        return state;
    }
    let mut state = RuleState::new(rule, most);
    if let Some(former) = before.iter().find(|former| has_same_budgets(rule, &former.rule)) {
        for spent in former.state.policy.spent() {
            state.policy.put_spent(spent, &mut KeyCapacity::default());
        }
    }
    state
}

/// Whether two rules are one budget for the same keys, whatever it is and whoever it is for.
fn has_same_budgets(one: &Rule, other: &Rule) -> bool {
    one.name == other.name && one.policy.goes_on_as(&other.policy)
}

/// What was decided, by the rules after these; a guard or rule that is not among them any more has decided as no rule.
fn under_the_same_name(decided: Decided, before: &RuleSet, after: &RuleSet) -> Decided {
    match decided {
        Decided::ByRule { rule, decision } => match after.same(before, rule) {
            Some(rule) => Decided::ByRule { rule, decision },
            None => Decided::NoMatch(decision.action()),
        },
        Decided::Unknown { charged } => Decided::Unknown {
            charged: charged.and_then(|(rule, key)| Some((after.same(before, rule)?, key))),
        },
        Decided::NoMatch(_) | Decided::Excluded | Decided::Faulty(_) => decided,
    }
}
