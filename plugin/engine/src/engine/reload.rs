//! Putting other rules in force without forgetting what the ones before have counted.
//!
//! A rule that decides as one before it keeps that one's state; what a changed or removed rule has open goes to its account
//! and into the next summary, under its name. What a budget has spent belongs to its rule's name and keys,
//! whatever else changes.

use crate::config::RuleFile;
use crate::config::model::{Policy, Rule};
use crate::engine::{Engine, OUTCOMES, Why, annotation, decide, names};
use crate::metrics::{Metric, Stage};
use crate::pods::Cache;
use crate::policy::{Account, RuleState, Slots};
use crate::record::Shape;
use crate::tag::ContainerTag;
use std::rc::Rc;

/// A rule that was in force, the row in which it counted, and what it remembers.
pub(super) type Former<'o> = (&'o Rule, usize, RuleState);

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
    fn replace(&mut self, rules: Rc<RuleFile>) {
        let same_metadata = rules.pods == self.rules.pods && rules.enrich == self.rules.enrich;
        if !same_metadata {
            self.cache = Cache::new(rules.pods.cache);
        }
        self.names = names(&rules);
        self.shape = Shape::default();
        // A trace that is being written stays whole: its lines keep their verdict, under the same name if there is one.
        let old = std::mem::replace(&mut self.rules, rules);
        let rules = &self.rules;
        let meets = |container: Option<ContainerTag<'_>>| decide::tag_meets(rules, container);
        self.streams.rejudge(&rules.input.tag_prefix, meets, |mut decided| {
            decided.verdict.why = same_name(&old, rules, decided.verdict.why);
            decided.shadows = (0, 0);
            decided
        });
        let states = std::mem::take(&mut self.states).into_iter();
        let former = old.guards.iter().chain(&old.rules).zip(std::mem::take(&mut self.rows)).zip(states);
        self.prepare(former.map(|((rule, row), state)| (rule, row, state)).collect());
    }

    /// Makes what is derived from the rules. `former` are the rules before these.
    #[inline(never)]
    pub(super) fn prepare(&mut self, mut former: Vec<Former<'_>>) {
        let Engine { rules, counters, accounts, slots, .. } = self;
        let guards = rules.guards.iter().map(|rule| (rule, Stage::Guard));
        let all = guards.chain(rules.rules.iter().map(|rule| (rule, Stage::Rule)));
        let outcomes = OUTCOMES.into_iter().map(|name| (name, Stage::Outcome));
        self.annotations = all
            .clone()
            .map(|(rule, _)| annotation::of_rule(rules.annotate, &rule.name, &rule.policy))
            .collect();
        let names = all.clone().map(|(rule, stage)| (&*rule.name, stage));
        self.rows = names.chain(outcomes).map(|(name, stage)| counters.row(name, stage)).collect();
        accounts.resize_with(counters.rules().len(), Account::default);
        let shadows = rules.rules.iter().filter(|rule| rule.shadow);
        self.shadows = shadows.map(|rule| counters.shadow(&rule.name)).collect();

        self.states = Vec::new();
        for (rule, _) in all {
            let state = match former.iter().position(|(other, ..)| rule.decides_as(other)) {
                Some(at) => {
                    let mut state = former.swap_remove(at).2;
                    state.set_most(rules.max_keys);
                    state
                }
                None => {
                    let mut state = RuleState::new(rule, rules.max_keys);
                    if let Some((_, _, old)) = former.iter().find(|(other, ..)| has_same_budgets(rule, other))
                    {
                        for (hash, label, day, bytes) in old.spent() {
                            state.put_spent(hash, label, day, bytes, &mut Slots::default());
                        }
                    }
                    state
                }
            };
            self.states.push(state);
        }
        for (_, row, mut state) in former {
            if let Some(account) = accounts.get_mut(row) {
                state.report(account);
            }
        }
        if !rules.annotate {
            // Nothing can be reported on records any more.
            for (state, row) in self.states.iter_mut().zip(&self.rows) {
                if let Some(account) = accounts.get_mut(*row) {
                    state.report(account);
                }
            }
        }
        *slots = Slots(self.states.iter().map(RuleState::slots).sum());
    }
}

/// Whether two rules are one budget for the same keys, whatever it is and whoever it is for.
fn has_same_budgets(one: &Rule, other: &Rule) -> bool {
    match (&one.policy, &other.policy) {
        (Policy::Budget(budget), Policy::Budget(before)) => one.name == other.name && budget.by == before.by,
        _ => false,
    }
}

/// What decided, by its place in other rules; a guard or rule that is not in them any more has decided as no rule.
fn same_name(old: &RuleFile, new: &RuleFile, why: Why) -> Why {
    let find = |old: &[Rule], new: &[Rule], at: usize| {
        let name = &old.get(at)?.name;
        new.iter().position(|rule| rule.name == *name)
    };
    match why {
        Why::Guard(at) => find(&old.guards, &new.guards, at).map_or(Why::NoMatch, Why::Guard),
        Why::Rule(at) => find(&old.rules, &new.rules, at).map_or(Why::NoMatch, Why::Rule),
        other => other,
    }
}
