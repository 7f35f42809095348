//! The rules in force, each one object: what was read, where it counts, what it remembers, what its records say.
//!
//! The rule kept here: a [`RuleId`] is given out by this set and good for this set. Whatever is kept beyond a reload goes through
//! [`RuleSet::same`].

use crate::condition::{Needs, Shows, When};
use crate::config::RuleFile;
use crate::config::model::{Delegate, Owner, Policy, Recall, Rule};
use crate::engine::measuring::{Measuring, TagMeasure};
use crate::engine::recalling::TagRing;
use crate::engine::redacting::{Redacting, TagRedaction};
use crate::engine::rule_id::{NO_TEXT, RuleId};
use crate::engine::rule_state::RuleState;
use crate::engine::shared_search::{SharedSearches, want};
use crate::engine::volume::TagVolume;
use crate::engine::why::{OUTCOMES, Why};
use crate::facts::Seen;
use crate::hash::xxh3;
use crate::many::ManyTexts;
use crate::metrics::{Counters, RowId, ShadowId, Stage};
use crate::pods::Remembered;
use crate::policy::{Action, KeyCapacity};
use crate::severity::LevelMemo;
use crate::tag::ContainerTag;
use crate::tag_names::NamespaceId;
use std::ops::Range;
use std::rc::Rc;

/// A guard or rule in force.
#[derive(Debug)]
pub(super) struct ActiveRule {
    pub(super) rule: Rc<Rule>,
    pub(super) why: Why,
    /// Where its decisions are counted.
    pub(super) row: RowId,
    /// Whether what it decides counts as sampled.
    pub(super) is_sampling: bool,
    /// Of a rule in shadow mode, where it counts what it would do.
    pub(super) shadow: Option<Shadow>,
    pub(super) state: RuleState,
    /// The `nodesieve` object on each record that it keeps.
    pub(super) annotation: Option<Vec<u8>>,
    /// Whether it may keep only what is delegated to its team.
    pub(super) is_bounded: bool,
}

/// A rule in shadow mode: its row, and its bit among the marks of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shadow {
    pub(super) row: ShadowId,
    pub(super) bit: u32,
}

/// The guards and rules that can decide a tag's records: their conditions on names are met.
#[derive(Debug)]
pub(super) struct Candidates {
    pub(super) rules: Box<[Candidate]>,
    /// Finds the texts that they need.
    pub(super) texts: Option<Rc<ManyTexts>>,
    /// What becomes of every record of the tag, if that is settled: then nobody has to look at one.
    pub(super) foregone: Option<Certain>,
    /// The same, if nothing else wants to see a record either.
    pub(super) unread: Option<Certain>,
    /// The measures that may be about the tag's records.
    pub(super) measures: Box<[TagMeasure]>,
    /// What is redacted of the tag's records.
    pub(super) redaction: TagRedaction,
    /// Where its dropped lines wait for an error.
    pub(super) ring: Option<TagRing>,
    /// Whether annotations of its pod may decide.
    pub(super) asks_pods: bool,
    /// What has left of the tag's records.
    pub(super) volume: TagVolume,
    /// What becomes of a record that none of them decides.
    pub(super) no_match: Option<Certain>,
    /// What is known of the fronts of the container's lines.
    pub(super) levels: LevelMemo,
    /// The metadata of the tag's container, for as long as the cache would give it again.
    pub(super) remembered: Option<Remembered>,
}

/// One of them, with what a record must have so that it has to be asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) id: RuleId,
    /// Bits of levels and streams, see [`crate::condition::Needs`].
    pub(super) levels: u8,
    pub(super) streams: u8,
    /// Bits of the texts of which the line has one; [`NO_TEXT`]: it need not have any.
    pub(super) texts: u64,
    /// What it decides for every record whose level, stream and line meet its conditions; `None` when that hangs on more.
    pub(super) certain: Option<Action>,
    /// What a glance shows of its conditions.
    shown: Shows,
}

impl Candidate {
    /// Whether its conditions cannot hold for a record with this.
    #[inline]
    pub(super) fn lacks_in(&self, seen: Seen) -> bool {
        self.levels & seen.levels == 0
            || self.streams & seen.streams == 0
            || self.texts & (seen.texts.bits | NO_TEXT) == 0
    }

    /// Whether a record with this, which has what it needs, meets its conditions. `false`: it has to be asked.
    #[inline]
    pub(super) fn is_met_with(&self, seen: Seen) -> bool {
        self.shown.is_met(seen, self.texts)
    }

    /// Whether the line alone decides whether such a record meets its conditions.
    #[inline]
    pub(super) fn is_up_to_line(&self) -> bool {
        matches!(self.shown, Shows::AllByText | Shows::AllButLine)
    }
}

/// What is decided for certain, and where it is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Certain {
    /// The guard or rule that decides; `None` when none does and [`RuleFile::no_match`] is what is left.
    pub(super) rule: Option<RuleId>,
    pub(super) action: Action,
    pub(super) why: Why,
    pub(super) row: RowId,
}

/// All guards and rules in force, in the order in which a record meets them.
#[derive(Debug, Default)]
pub(super) struct RuleSet {
    rules: Vec<ActiveRule>,
    guards: usize,
    /// The guards that lift.
    lifts: Box<[RuleId]>,
    /// The rules of fragments, by their namespace, and where those of the platform start.
    fragments: Vec<(Box<str>, Range<usize>)>,
    platform: usize,
    /// The rules in shadow mode.
    shadows: Box<[RuleId]>,
    /// The searches of tags, by the rules that can decide their records: most containers are alike to the rules.
    searches: SharedSearches,
    /// The rows of what no guard and no rule decides, in the order of [`OUTCOMES`].
    outcomes: Vec<RowId>,
}

impl ActiveRule {
    /// Whether it decides every record whose tag meets its conditions on names, for ever, whatever else is known.
    fn is_last(&self) -> bool {
        let Rule {
            when,
            until,
            shadow,
            name: _,
            policy: _,
            floor: _,
            lift: _,
            recall: _,
            reason: _,
            owner: _,
        } = &*self.rule;
        !shadow && until.is_none() && !self.is_bounded && when.asks_for_the_tag_only()
    }

    /// What it decides for every record of a tag, if that hangs on nothing else.
    fn decides_all(&self) -> Option<Action> {
        if self.is_last() { self.action() } else { None }
    }

    /// What it decides for every record that meets its conditions, if a glance and the line show whether one does.
    fn decides_at_a_glance(&self) -> Option<Action> {
        let is_shown = self.rule.when.shows() != Shows::Nothing;
        if self.rule.shadow || self.rule.until.is_some() || !is_shown { None } else { self.action() }
    }

    /// That it decides so. `id` is its own.
    pub(super) fn certain(&self, id: RuleId, action: Action) -> Certain {
        Certain { rule: Some(id), action, why: self.why, row: self.row }
    }

    /// What it decides for every record that meets its conditions, whatever came before.
    fn action(&self) -> Option<Action> {
        // What it lifts and recalls needs to be seen.
        if self.rule.lift.is_some() || self.rule.recall.is_some() || self.is_bounded {
            return None;
        }
        match &self.rule.policy {
            Policy::Drop(_) => Some(Action::Drop),
            Policy::Keep(_) => Some(Action::Keep),
            Policy::Sample(_)
            | Policy::First(_)
            | Policy::Limit(_)
            | Policy::Dedup(_)
            | Policy::Target(_)
            | Policy::Budget(_)
            | Policy::Ceiling(_) => None,
        }
    }
}

impl RuleSet {
    /// Puts rules in force. `state` gives each its state, `counters` its row.
    pub(super) fn new(
        file: &RuleFile,
        counters: &mut Counters,
        mut state: impl FnMut(&Rule) -> RuleState,
    ) -> RuleSet {
        let guards = file.guards.iter().enumerate().map(|(at, rule)| (rule, Why::Guard(at), Stage::Guard));
        let rules = file.rules.iter().enumerate().map(|(at, rule)| (rule, Why::Rule(at), Stage::Rule));
        // Those of the platform come first among the bits, and each fragment goes on behind them: no record meets two of these.
        let is_shadow = |rule: &&Rc<Rule>| rule.shadow && rule.owner == Owner::Platform;
        let behind = u32::try_from(file.rules.iter().filter(is_shadow).count()).unwrap_or_default();
        let (mut last, mut of_platform, mut of_fragment) = (Owner::Platform, 0u32, behind);
        let mut next_bit = |owner: Owner| {
            if owner != last {
                (last, of_fragment) = (owner, behind);
            }
            let next = if owner == Owner::Platform { &mut of_platform } else { &mut of_fragment };
            *next = next.wrapping_add(1);
            1u32.wrapping_shl(next.wrapping_sub(1))
        };
        let bounds = file.delegate.as_ref().is_some_and(Delegate::bounds);
        let mut start = |(rule, why, stage): (&Rc<Rule>, Why, Stage)| ActiveRule {
            why,
            row: counters.row_of(&rule.name, stage),
            is_sampling: rule.policy.is_sampling(),
            shadow: rule.shadow.then(|| {
                let row = counters.shadow_of(&rule.name);
                Shadow { row, bit: next_bit(rule.owner) }
            }),
            is_bounded: bounds
                && matches!(rule.owner, Owner::Fragment(_))
                && !matches!(rule.policy, Policy::Drop(_)),
            state: state(rule),
            annotation: rule.policy.annotation(&rule.name).filter(|_| file.annotate),
            rule: Rc::clone(rule),
        };
        let last = file.ceiling.iter().map(|ceiling| (ceiling, Why::NoMatch, Stage::Outcome));
        let rules: Vec<ActiveRule> = guards.chain(rules).chain(last).map(&mut start).collect();
        let lifts = rules.iter().enumerate().filter(|(_, active)| active.rule.lift.is_some());
        let lifts = lifts.map(|(at, _)| RuleId(at)).collect();
        let shadows = rules.iter().enumerate().filter(|(_, active)| active.shadow.is_some());
        let shadows = shadows.map(|(at, _)| RuleId(at)).collect();
        let guards = file.guards.len();
        let place = |at: usize| guards.saturating_add(at);
        let mut fragments: Vec<(Box<str>, Range<usize>)> = Vec::new();
        for (namespace, range) in &file.fragments {
            let at = fragments.partition_point(|(known, _)| known < namespace);
            fragments.insert(at, (namespace.clone(), place(range.start)..place(range.end)));
        }
        let of_teams = file.rules.iter().take_while(|rule| rule.owner != Owner::Platform).count();
        let outcomes = OUTCOMES.map(|name| counters.row_of(name, Stage::Outcome)).to_vec();
        RuleSet {
            rules,
            guards,
            lifts,
            fragments,
            platform: place(of_teams),
            shadows,
            searches: SharedSearches::default(),
            outcomes,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ActiveRule> {
        self.rules.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut ActiveRule> {
        self.rules.iter_mut()
    }

    #[inline]
    pub(super) fn get(&self, id: RuleId) -> Option<&ActiveRule> {
        self.rules.get(id.0)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: RuleId) -> Option<&mut ActiveRule> {
        self.rules.get_mut(id.0)
    }

    /// All of them with their ids.
    pub(super) fn all(&self) -> impl Iterator<Item = (RuleId, &ActiveRule)> {
        self.rules.iter().enumerate().map(|(at, rule)| (RuleId(at), rule))
    }

    /// What bounds the records that no guard and no rule decides, if anything does.
    pub(super) fn last_resort(&self) -> Option<RuleId> {
        let at = self.rules.len().checked_sub(1)?;
        self.rules.get(at).filter(|last| last.why == Why::NoMatch).map(|_| RuleId(at))
    }

    /// The first with these conditions that always decides.
    fn with_conditions(&self, when: &When) -> Option<RuleId> {
        let is_twin = |active: &ActiveRule| {
            active.rule.when == *when
                && active.rule.until.is_none()
                && !active.rule.shadow
                && !active.is_bounded
                && active.rule.owner != Owner::Pods
        };
        self.rules.iter().position(is_twin).map(RuleId)
    }

    /// Those that a record meets after this one.
    pub(super) fn behind(&self, id: RuleId) -> impl Iterator<Item = &ActiveRule> {
        self.rules.iter().skip(id.0.saturating_add(1))
    }

    /// The rules in shadow mode.
    pub(super) fn shadows(&self) -> impl Iterator<Item = &ActiveRule> {
        self.shadows.iter().filter_map(|id| self.get(*id))
    }

    /// The rule under which is counted what pods ask for.
    pub(super) fn of_pods(&self, name: &str) -> Option<RuleId> {
        let mut all = (self.guards..self.platform).map(RuleId);
        all.find(|id| {
            self.get(*id).is_some_and(|active| active.rule.owner == Owner::Pods && *active.rule.name == *name)
        })
    }

    /// The guards that lift.
    #[inline]
    pub(super) fn lifts(&self) -> &[RuleId] {
        &self.lifts
    }

    #[inline]
    pub(super) fn is_guard(&self, id: RuleId) -> bool {
        id.0 < self.guards
    }

    /// What the rules come to for a tag. Found out once per tag. `no_match` becomes of what none decides.
    pub(super) fn candidates(
        &self,
        container: Option<ContainerTag<'_>>,
        (no_match, asks_pods): (Action, bool),
        (measuring, redacting): (&Measuring, &Redacting),
    ) -> Candidates {
        let mut ids = Vec::new();
        let fragment = container.and_then(|tag| {
            let place =
                self.fragments.binary_search_by(|(namespace, _)| (**namespace).cmp(tag.namespace)).ok()?;
            self.fragments.get(place).map(|(_, rules)| rules.clone())
        });
        let fragment = fragment.unwrap_or_default();
        let all = (0..self.guards).chain(fragment).chain(self.platform..self.rules.len());
        for id in all.map(RuleId) {
            let Some(active) = self.get(id) else { continue };
            if active.rule.when.unmet_by_tag(container.as_ref()).is_some() {
                continue;
            }
            ids.push(id);
            // What stands behind one that decides every record is never asked.
            if active.is_last() {
                break;
            }
        }
        let row = self.row_of_outcome(Why::NoMatch);
        let no_match = row.map(|row| Certain { rule: None, action: no_match, why: Why::NoMatch, row });
        let foregone = match ids.first().and_then(|id| Some((*id, self.get(*id)?))) {
            None => no_match,
            Some((id, first)) => first.decides_all().map(|action| first.certain(id, action)),
        };
        let ring = container.and_then(|container| self.ring_of(&ids, container));
        let mut measures = measuring.of_tag(container, |when| self.with_conditions(when));
        let (rules, texts) = self.at_a_glance(ids, &mut measures, measuring);
        let (measures, levels) = (measures.into_boxed_slice(), LevelMemo::default());
        let redaction = redacting.of_tag(container);
        let unread = foregone.filter(|_| measures.is_empty() && !asks_pods);
        Candidates {
            rules,
            texts,
            foregone,
            unread,
            measures,
            redaction,
            ring,
            asks_pods,
            volume: TagVolume::default(),
            no_match,
            levels,
            remembered: None,
        }
    }

    /// Where the dropped lines of a container wait, if one of these guards recalls them.
    fn ring_of(&self, ids: &[RuleId], container: ContainerTag<'_>) -> Option<TagRing> {
        let recalls = ids.iter().filter_map(|id| self.get(*id)?.rule.recall);
        let most = recalls.reduce(|one, other| Recall {
            lines: one.lines.max(other.lines),
            bytes: one.bytes.max(other.bytes),
        })?;
        let pod = xxh3(format!("{}/{}", container.namespace, container.pod).as_bytes());
        Some(TagRing { pod, namespace: NamespaceId::of(container.namespace), most })
    }

    /// What rules need of a record, and the search for the texts among that.
    fn at_a_glance(
        &self,
        ids: Vec<RuleId>,
        measures: &mut [TagMeasure],
        measuring: &Measuring,
    ) -> (Box<[Candidate]>, Option<Rc<ManyTexts>>) {
        let needs = |id: &RuleId| self.get(*id).map(|active| active.rule.when.needs()).unwrap_or_default();
        let needs: Vec<Needs> = ids.iter().map(needs).collect();
        let mut wanted: Vec<(&[u8], u64)> = Vec::new();
        let mut candidates = Vec::with_capacity(ids.len());
        for (id, Needs { levels, streams, texts }) in ids.iter().zip(&needs) {
            let rule = self.get(*id);
            let mut candidate = Candidate {
                id: *id,
                levels: *levels,
                streams: *streams,
                texts: NO_TEXT,
                certain: rule.and_then(ActiveRule::decides_at_a_glance),
                shown: rule.map_or(Shows::Nothing, |active| active.rule.when.shows()),
            };
            candidate.texts = want(texts, &mut wanted);
            candidates.push(candidate);
        }
        let of_measures: Vec<Vec<Box<[u8]>>> =
            measures.iter().map(|measure| measuring.texts_of(measure)).collect();
        for (measure, texts) in measures.iter_mut().zip(&of_measures) {
            measure.texts = want(texts, &mut wanted);
        }
        let texts = self.searches.of((ids, measures.iter().map(TagMeasure::place).collect()), &wanted);
        if texts.is_none() {
            candidates.iter_mut().for_each(|candidate| candidate.texts = NO_TEXT);
            measures.iter_mut().for_each(|measure| measure.texts = NO_TEXT);
        }
        (candidates.into(), texts)
    }

    /// The guard or rule in this set that has the place of one in another: the one of its kind and name.
    pub(super) fn same(&self, other: &RuleSet, id: RuleId) -> Option<RuleId> {
        let wanted = other.get(id)?;
        let is_same = |rule: &ActiveRule| {
            rule.rule.name == wanted.rule.name
                && matches!(rule.why, Why::Guard(_)) == matches!(wanted.why, Why::Guard(_))
        };
        self.all().find(|(_, rule)| is_same(rule)).map(|(id, _)| id)
    }

    /// Sets a part of the capacity aside for each table, of at most `most` keys.
    pub(super) fn share_capacity(&mut self, most: usize) -> KeyCapacity {
        let (mut tables, mut taken, mut pooled) = (0usize, 0usize, 0usize);
        for active in &mut self.rules {
            active.state.each(&mut |_| tables = tables.saturating_add(1));
        }
        let reserve = KeyCapacity::reserve_of(tables, most);
        for active in &mut self.rules {
            active.state.each(&mut |table| table.set_reserve(reserve));
            taken = taken.saturating_add(active.state.capacity());
            pooled = pooled.saturating_add(active.state.pooled());
        }
        KeyCapacity::new((tables, reserve), taken, pooled)
    }

    /// The row of what no guard and no rule decides.
    #[inline]
    pub(super) fn row_of_outcome(&self, why: Why) -> Option<RowId> {
        self.outcomes.get(why.outcome()?).copied()
    }
}
