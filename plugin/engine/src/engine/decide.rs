//! Guards, then rules, first match decides; a condition that needs metadata which is missing stops the search.

use crate::config::RuleFile;
use crate::config::model::{Action, Part, Policy, Rule, Sample};
use crate::engine::conditions::{Met, met, names_met};
use crate::engine::facts::{Facts, Keys, Metadata};
use crate::engine::{Verdict, Why};
use crate::policy::{Account, Asked, Moment, RuleState, Shared, Slots};
use crate::sample::Threshold;
use crate::tag::ContainerTag;
use crate::time::Now;

/// For each guard and rule, whether a tag's names meet its conditions on them. Decided once per tag.
pub(super) fn tag_meets(rules: &RuleFile, container: Option<ContainerTag<'_>>) -> Box<[bool]> {
    rules
        .guards
        .iter()
        .chain(&rules.rules)
        .map(|rule| names_met(&rule.when, container.as_ref()).is_none())
        .collect()
}

/// A verdict with what hangs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decided {
    pub(super) verdict: Verdict,
    /// How many records a kept one stands for.
    pub(super) count: u64,
    /// Whether a dropped one is counted on its key.
    pub(super) held: bool,
    /// The key of its policy, if that has any.
    pub(super) key: u64,
    /// The guard that it is charged to, where that has not decided it.
    pub(super) charged: Option<u16>,
    /// Whether a guard has decided it above its ceiling.
    pub(super) is_above: bool,
    /// The threshold of a sampled record when an earlier stage had a higher one.
    pub(super) threshold: Option<Threshold>,
    /// The shadow rules that it met, and of these those that would have dropped it, one bit each in their order.
    pub(super) shadows: (u32, u32),
}

impl Decided {
    /// A verdict on which nothing hangs.
    pub(super) fn plain(action: Action, why: Why) -> Decided {
        let verdict = Verdict { action, why };
        Decided {
            verdict,
            count: 1,
            held: false,
            key: 0,
            charged: None,
            is_above: false,
            threshold: None,
            shadows: (0, 0),
        }
    }
}

/// The rules and what they remember.
pub(super) struct Deciding<'d> {
    pub(super) rules: &'d RuleFile,
    /// By position in guards and rules.
    pub(super) states: &'d mut [RuleState],
    /// The row of each guard and rule.
    pub(super) rows: &'d [usize],
    /// By row.
    pub(super) accounts: &'d mut [Account],
    pub(super) slots: &'d mut Slots,
    pub(super) random: &'d mut fastrand::Rng,
    /// Bytes of the record as it came.
    pub(super) bytes: u64,
}

impl Deciding<'_> {
    /// Decides a record. `meets` is [`tag_meets`] of its tag.
    #[inline]
    pub(super) fn decide(
        &mut self,
        meets: &[bool],
        facts: &Facts<'_>,
        metadata: &mut Metadata<'_>,
    ) -> Decided {
        if let Some(decided) = self.guarded(meets, facts, metadata) {
            return decided;
        }
        let rules = self.rules;
        let guards = rules.guards.len();
        let rules_meet = meets.get(guards..).unwrap_or_default();
        let (mut shadows, mut bit) = ((0, 0), 1u32);
        for (at, (rule, tag_is_met)) in rules.rules.iter().zip(rules_meet).enumerate() {
            let own = bit;
            if rule.shadow {
                bit = bit.wrapping_shl(1);
            }
            if !*tag_is_met {
                continue;
            }
            let place = guards.wrapping_add(at);
            match self.ask(place, rule, Why::Rule(at), facts, metadata) {
                None => {}
                Some(decided) if rule.shadow && decided.verdict.why == Why::Rule(at) => {
                    shadows.0 |= own;
                    if decided.verdict.action == Action::Drop {
                        shadows.1 |= own;
                    } else if let Some(state) = self.states.get_mut(place) {
                        // What would be handed on is not known yet, with its metadata; what came is close.
                        state.charge(decided.key, self.bytes);
                    }
                }
                Some(decided) => return Decided { shadows, ..decided },
            }
        }
        let none = if rules.no_match == Action::Keep && is_excluded(rules, facts, metadata) {
            Decided::plain(Action::Drop, Why::Exclude)
        } else {
            Decided::plain(rules.no_match, Why::NoMatch)
        };
        Decided { shadows, ..none }
    }

    /// What the guards decide, if one of them does.
    #[inline]
    pub(super) fn guarded(
        &mut self,
        meets: &[bool],
        facts: &Facts<'_>,
        metadata: &mut Metadata<'_>,
    ) -> Option<Decided> {
        let mut guards = self.rules.guards.iter().zip(meets).enumerate();
        guards.find_map(
            |(at, (rule, tag_is_met))| {
                if *tag_is_met { self.ask(at, rule, Why::Guard(at), facts, metadata) } else { None }
            },
        )
    }

    /// Charges a line that goes with one that was decided before.
    pub(super) fn follow(&mut self, before: &Decided, moment: &Moment) {
        let verdict = before.verdict;
        if let Some(at) = before.charged.map(usize::from).or_else(|| verdict.why.position(self.rules))
            && let Some(state) = self.states.get_mut(at)
        {
            state.follow(before.key, verdict.action == Action::Keep, self.bytes, moment);
        }
    }

    /// What one guard or rule decides, or would; nothing when it does not apply.
    #[inline]
    fn ask(
        &mut self,
        at: usize,
        rule: &Rule,
        why: Why,
        facts: &Facts<'_>,
        metadata: &mut Metadata<'_>,
    ) -> Option<Decided> {
        if is_over(rule, facts.now) {
            return None;
        }
        let met = met(&rule.when, facts, metadata);
        match met {
            Met::No(_) => None,
            Met::Unknown(_) if rule.shadow => None,
            _ if !precedes_exclusion(rule, met) && is_excluded(self.rules, facts, metadata) => {
                Some(Decided::plain(Action::Drop, Why::Exclude))
            }
            Met::Unknown(_) => self.unknown(at, rule, why, facts, metadata),
            Met::Yes => Some(self.act(at, rule, why, facts, metadata)),
        }
    }

    /// What becomes of a record while nobody knows whether a guard or rule applies: neither a lenient nor a harsh one may act
    /// on ignorance, so it is kept, unless ignorance makes no difference.
    ///
    /// A guard's ceiling holds all the same: without a kubelet all records of a node may be such, and a ceiling is there for
    /// the storm. What is above it is the guard's own.
    #[inline(never)]
    fn unknown(
        &mut self,
        at: usize,
        rule: &Rule,
        why: Why,
        facts: &Facts<'_>,
        metadata: &mut Metadata<'_>,
    ) -> Option<Decided> {
        if makes_no_difference(self.rules, at, rule, facts, metadata) {
            return None;
        }
        if rule.ceiling.is_none() {
            return Some(Decided::plain(Action::Keep, Why::Unknown));
        }
        let decided = self.act(at, rule, why, facts, metadata);
        Some(if decided.is_above {
            decided
        } else {
            Decided {
                charged: u16::try_from(at).ok(),
                key: decided.key,
                ..Decided::plain(Action::Keep, Why::Unknown)
            }
        })
    }

    /// What a rule that applies decides.
    fn act(
        &mut self,
        at: usize,
        rule: &Rule,
        why: Why,
        facts: &Facts<'_>,
        metadata: &mut Metadata<'_>,
    ) -> Decided {
        match &rule.policy {
            Policy::Keep if rule.ceiling.is_none() => Decided::plain(Action::Keep, why),
            Policy::Drop => Decided::plain(Action::Drop, why),
            // A missing trace id never drops by itself: without any key, the generator decides.
            Policy::Sample(sample) => match keyed(sample, facts, metadata) {
                Some((action, threshold)) => Decided { threshold, ..Decided::plain(action, why) },
                None => Decided::plain(drawn(sample.threshold, self.random.u64(..)), why),
            },
            _ => self.remembered(at, rule, why, facts, metadata),
        }
    }

    fn remembered(
        &mut self,
        at: usize,
        rule: &Rule,
        why: Why,
        facts: &Facts<'_>,
        metadata: &mut Metadata<'_>,
    ) -> Decided {
        let account = self.rows.get(at).and_then(|row| self.accounts.get_mut(*row));
        let (Some(state), Some(account)) = (self.states.get_mut(at), account) else {
            return Decided::plain(Action::Keep, why);
        };
        let asked = Asked {
            moment: Moment::new(facts.now, facts.time),
            bytes: self.bytes,
            // What goes out with a count must say so, and a shadow's record is not dropped at all.
            holds: self.rules.annotate && !rule.shadow,
        };
        let mut shared = Shared { slots: &mut *self.slots, account, random: &mut *self.random };
        match state.act(rule, &asked, &mut Keys { facts, metadata }, &mut shared) {
            Some(acted) => {
                let action = if acted.keep { Action::Keep } else { Action::Drop };
                Decided {
                    count: acted.count,
                    held: acted.held,
                    key: acted.key,
                    is_above: acted.is_above,
                    ..Decided::plain(action, why)
                }
            }
            None => Decided::plain(Action::Keep, why),
        }
    }
}

/// Whether a record comes to the same whether this rule applies or not: the search may go on then.
pub(super) fn makes_no_difference(
    rules: &RuleFile,
    at: usize,
    rule: &Rule,
    facts: &Facts<'_>,
    metadata: &mut Metadata<'_>,
) -> bool {
    certain_of(rule, facts, metadata)
        .is_some_and(|action| certain_behind(rules, at, facts, metadata) == Some(action))
}

/// What a rule decides for certain if it applies: nothing of it hangs on chance or on what came before.
fn certain_of(rule: &Rule, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Option<Action> {
    if rule.ceiling.is_some() {
        return None;
    }
    match &rule.policy {
        Policy::Keep => Some(Action::Keep),
        Policy::Drop => Some(Action::Drop),
        Policy::Sample(sample) => keyed(sample, facts, metadata).map(|(action, _)| action),
        Policy::First(_) | Policy::Limit(_) | Policy::Dedup(_) | Policy::Target(_) | Policy::Budget(_) => {
            None
        }
    }
}

/// What the guards and rules behind a position decide for certain, whatever else is unknown.
fn certain_behind(
    rules: &RuleFile,
    at: usize,
    facts: &Facts<'_>,
    metadata: &mut Metadata<'_>,
) -> Option<Action> {
    // What has to be decided in the same way by all that may apply before the first that does.
    let mut all: Option<Action> = None;
    let mut agree = |action: Action| match all {
        Some(other) if other != action => None,
        _ => {
            all = Some(action);
            all
        }
    };
    for rule in rules.guards.iter().chain(&rules.rules).skip(at.saturating_add(1)) {
        let is_out = rule.shadow
            || is_over(rule, facts.now)
            || names_met(&rule.when, facts.container.as_ref()).is_some();
        if is_out {
            continue;
        }
        match met(&rule.when, facts, metadata) {
            Met::No(_) => {}
            Met::Unknown(_) => {
                agree(certain_of(rule, facts, metadata)?)?;
            }
            Met::Yes => return agree(certain_of(rule, facts, metadata)?),
        }
    }
    agree(rules.no_match)
}

/// Whether a rule decides although an annotation that excludes comes before all rules: a drop that needs no metadata comes to
/// the same and saves the look-up.
#[inline]
pub(super) fn precedes_exclusion(rule: &Rule, met: Met) -> bool {
    met == Met::Yes && matches!(rule.policy, Policy::Drop) && !rule.shadow && !rule.when.asks_for_metadata()
}

/// Whether an annotation of the pod keeps the record out.
#[inline]
pub(super) fn is_excluded(rules: &RuleFile, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> bool {
    rules.exclude_annotations
        && metadata.get().is_some_and(|meta| match facts.record.stream() {
            Some(b"stdout") => meta.excluded.stdout,
            Some(b"stderr") => meta.excluded.stderr,
            _ => meta.excluded.stdout && meta.excluded.stderr,
        })
}

/// Whether a rule's time is over.
#[inline]
pub(super) fn is_over(rule: &Rule, now: Now) -> bool {
    rule.until.is_some_and(|until| i64::try_from(now.seconds()).unwrap_or(i64::MAX) >= until)
}

/// The sampling policy of what decided, if it has one.
#[inline]
pub(super) fn sample_of(rules: &RuleFile, why: Why) -> Option<&Sample> {
    let Why::Rule(at) = why else { return None };
    match &rules.rules.get(at)?.policy {
        Policy::Sample(sample) => Some(sample),
        _ => None,
    }
}

/// What the first key that the record has decides, or `None` when it has none. The threshold is that of an earlier
/// stage where it is the higher one: of what that stage let through, only what it would not have is ours to drop.
pub(super) fn keyed(
    sample: &Sample,
    facts: &Facts<'_>,
    metadata: &mut Metadata<'_>,
) -> Option<(Action, Option<Threshold>)> {
    for key in &sample.by {
        let by_trace = matches!(key.0.as_slice(), [Part::TraceId]);
        let (explicit, earlier) = if by_trace { facts.sampled_before() } else { (None, None) };
        let Some(randomness) = explicit.or_else(|| facts.randomness(key, metadata)) else { continue };
        // A threshold that this record would not have passed is no truth about it.
        let earlier = earlier.filter(|earlier| *earlier > sample.threshold && earlier.keeps(randomness));
        let threshold = earlier.unwrap_or(sample.threshold);
        return Some((drawn(threshold, randomness), earlier));
    }
    None
}

fn drawn(threshold: Threshold, randomness: u64) -> Action {
    if threshold.keeps(randomness) { Action::Keep } else { Action::Drop }
}
