//! Decide: guards, then rules, first match decides; a condition that needs metadata which is missing stops the search.

use crate::config::RuleFile;
use crate::config::model::{Delegate, LiftBy, Owner, Part, PolicyKind, Sample};
use crate::config::{BY_LIMIT, BY_SAMPLE};
use crate::engine::applies::{Applies, applies, is_excluded, makes_no_difference};
use crate::engine::decided::{Decided, Judged, ShadowMarks, fragment_number};
use crate::engine::delegating::{Delegating, limit_within};
use crate::engine::rule_id::{AskedUntil, RuleId};
use crate::engine::rule_set::{ActiveRule, Candidate, Candidates, RuleSet};
use crate::facts::{Facts, Metadata};
use crate::hash::xxh3;
use crate::key::{Key, KeyId, RecordKeys};
use crate::metrics::{Counters, Metric};
use crate::pattern::Searched;
use crate::policy::{Action, Asked, Decides as _, Decision, KeyBuffers, KeyCapacity};
use crate::severity::Severity;
use crate::stream::{Slot, StreamRuns, StreamSide, TagState};
use crate::threshold::Threshold;

/// What the policies of all rules share.
#[derive(Debug)]
pub(super) struct SharedByRules {
    pub(super) capacity: KeyCapacity,
    pub(super) buffers: KeyBuffers,
    pub(super) random: fastrand::Rng,
}

/// What is remembered of a tag: the guards and rules whose conditions on names it meets, and what was decided for its lines.
pub(super) type Tag = TagState<Candidates, Judged>;
/// What was decided for the lines of a tag that others may go with.
pub(super) type Runs = StreamRuns<Judged>;

/// The rules, what they remember, and where they count.
pub(super) struct Deciding<'d> {
    pub(super) file: &'d RuleFile,
    pub(super) rules: &'d mut RuleSet,
    pub(super) counters: &'d mut Counters,
    pub(super) shared: &'d mut SharedByRules,
    pub(super) delegating: &'d mut Delegating,
    /// Bytes of the record as it came.
    pub(super) bytes: u64,
    /// Whether what is dropped may come back: then it is counted in its rule's row, where it can be found again.
    pub(super) may_recall: bool,
    /// What came of that for the record itself, and not a line before it.
    pub(super) asked: AskedUntil,
}

impl Deciding<'_> {
    /// Decides a record: as the line that it continues, or by itself. Where all records of a tag come to the same, none is
    /// looked at for that.
    #[inline]
    pub(super) fn judge(
        &mut self,
        (candidates, is_foregone): (&[Candidate], bool),
        runs: &mut Runs,
        facts: &Facts<'_>,
        metadata: &mut Metadata<'_>,
    ) -> Judged {
        if is_foregone {
            return self.alone(candidates, facts, metadata);
        }
        let side = StreamSide::of(facts.record.stream_name());
        let Some(limits) = self.file.input.continuation else {
            return self.alone(candidates, facts, metadata);
        };
        if runs.is_quiet(side)
            && let Some(is_failure) = facts.is_single()
        {
            let judged = self.alone(candidates, facts, metadata);
            runs.begin_single(side, facts.time, is_failure, judged);
            return judged;
        }
        let Some(look) = facts.look() else { return self.alone(candidates, facts, metadata) };
        match runs.continues(side, &look, facts.time, limits) {
            Some((before, slot)) => {
                self.with_before(before, (side, slot), (candidates, runs), facts, metadata)
            }
            None => {
                let judged = self.alone(candidates, facts, metadata);
                runs.begin(side, &look, facts.time, judged);
                judged
            }
        }
    }

    /// A line that goes with one before it. What a guard would keep is kept, whatever line it goes with, and the rest of its
    /// report with it.
    #[inline(never)]
    fn with_before(
        &mut self,
        before: Judged,
        (side, slot): (StreamSide, Slot),
        (candidates, runs): (&[Candidate], &mut Runs),
        facts: &Facts<'_>,
        metadata: &mut Metadata<'_>,
    ) -> Judged {
        let is_dropped = before.decided.action() == Action::Drop && before.decided != Decided::Excluded;
        if is_dropped && let Some(decided) = self.guarded(candidates, facts, metadata) {
            let judged = Judged { decided, shadows: ShadowMarks::default() };
            runs.decide_anew(side, slot, judged);
            return judged;
        }
        self.counters.add(Metric::Continued, 1);
        Judged { decided: self.follow(before.decided, facts), ..before }
    }

    /// A record by itself. `candidates` are those of its tag.
    #[inline]
    fn alone(&mut self, candidates: &[Candidate], facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Judged {
        let mut shadows = ShadowMarks::default();
        let found = match &self.file.delegate {
            None => self.search(candidates, &mut shadows, facts, metadata),
            Some(delegate) => self.delegated(delegate, candidates, &mut shadows, facts, metadata),
        };
        let decided = match found {
            Some(decided) => decided,
            None => {
                self.asked = AskedUntil::End;
                self.unmatched(facts, metadata)
            }
        };
        Judged { decided, shadows }
    }

    /// The guards first, then what the pod asks for, then all others.
    #[inline(never)]
    fn delegated(
        &mut self,
        delegate: &Delegate,
        candidates: &[Candidate],
        shadows: &mut ShadowMarks,
        facts: &Facts<'_>,
        metadata: &mut Metadata<'_>,
    ) -> Option<Decided> {
        let guards = candidates.iter().take_while(|candidate| self.rules.is_guard(candidate.id)).count();
        let (guards, others) = candidates.split_at_checked(guards)?;
        if let Some(decided) = self.search(guards, shadows, facts, metadata) {
            return Some(decided);
        }
        if delegate.annotations
            && let Some(decided) = self.asked_by_pod(delegate, facts, metadata)
        {
            return Some(decided);
        }
        self.search(others, shadows, facts, metadata)
    }

    /// What the annotations of its pod make of a record, as far as they may.
    fn asked_by_pod(
        &mut self,
        delegate: &Delegate,
        facts: &Facts<'_>,
        metadata: &mut Metadata<'_>,
    ) -> Option<Decided> {
        let meta = metadata.get().filter(|meta| meta.asks)?;
        let asks = self.delegating.asks(&meta, self.counters);
        let may = |kind: PolicyKind| delegate.policies.contains(&kind);
        let sample = asks.sample.filter(|_| may(PolicyKind::Sample));
        let limit = asks.limit.filter(|_| may(PolicyKind::Limit));
        let is_error = facts.severity() >= Some(Severity::Error);
        if sample.is_none() && limit.is_none()
            || !asks.is_on(facts.moment.now)
            || is_error && !delegate.may_drop_errors
            || is_excluded(self.file, facts, metadata)
        {
            return None;
        }
        let namespace = facts.names.namespace();
        if !self.delegating.has_room(namespace, self.bytes, &facts.moment) {
            return None;
        }
        let by = |name: &str, decision: Decision| -> Option<Decided> {
            Some(Decided::ByRule { rule: self.rules.of_pods(name)?, decision })
        };
        let mut kept = by(BY_LIMIT, Decision::Keep)?;
        if let Some(share) = sample {
            let rate = delegate.share(share);
            let threshold = Threshold::new(rate);
            let sample = Sample { rate, threshold, by: vec![Key(vec![Part::TraceId])] };
            let keys = &mut RecordKeys::new(facts, metadata);
            let is_kept = match sample.certain(keys) {
                Some(action) => action == Action::Keep,
                None => threshold.keeps(self.shared.random.u64(..)),
            };
            if !is_kept {
                return by(BY_SAMPLE, Decision::Drop);
            }
            kept = by(BY_SAMPLE, Decision::KeepAbove(threshold))?;
        }
        if let Some(rate) = limit {
            let tag = facts.container()?;
            let pod = xxh3(format!("{}/{}", tag.namespace, tag.pod).as_bytes());
            let rate = limit_within(delegate, rate);
            if !self.delegating.pod_has_room(pod, &rate, self.bytes, &facts.moment) {
                return by(BY_LIMIT, Decision::Drop);
            }
        }
        Some(kept)
    }

    /// What becomes of a record that no guard and no rule decides.
    #[inline]
    fn unmatched(&self, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Decided {
        match self.file.no_match {
            Action::Keep if is_excluded(self.file, facts, metadata) => Decided::Excluded,
            action => Decided::NoMatch(action),
        }
    }

    /// What the guards decide, if one of them does.
    fn guarded(
        &mut self,
        candidates: &[Candidate],
        facts: &Facts<'_>,
        metadata: &mut Metadata<'_>,
    ) -> Option<Decided> {
        // They come before all rules.
        let guards = candidates.iter().take_while(|candidate| self.rules.is_guard(candidate.id)).count();
        let guards = candidates.get(..guards).unwrap_or_default();
        self.search(guards, &mut ShadowMarks::default(), facts, metadata)
    }

    /// The first of these guards and rules that decides.
    #[inline]
    fn search(
        &mut self,
        candidates: &[Candidate],
        shadows: &mut ShadowMarks,
        facts: &Facts<'_>,
        metadata: &mut Metadata<'_>,
    ) -> Option<Decided> {
        let seen = facts.seen();
        for candidate in candidates {
            if seen.is_some_and(|seen| candidate.lacks_in(seen)) {
                continue;
            }
            let id = candidate.id;
            let Some(active) = self.rules.get_mut(id) else { continue };
            let mut is_met = seen.is_some_and(|seen| candidate.is_met_with(seen));
            if !is_met
                && candidate.is_up_to_line()
                && let (Some(seen), Some(line)) = (seen, facts.line)
            {
                if !active.rule.when.holds_for(&Searched::knowing(line, seen.needed(candidate.texts))) {
                    continue;
                }
                is_met = true;
            }
            match applies(self.file, &active.rule, is_met, facts, metadata) {
                Applies::Over | Applies::No(_) => {}
                Applies::Excluded => return Some(Decided::Excluded),
                Applies::Unknown(_) if active.shadow.is_some() => {}
                Applies::Unknown(_) => {
                    let decided = self.unknown(id, facts, metadata);
                    if decided.is_some() {
                        return decided;
                    }
                }
                Applies::Yes
                    if active.is_bounded
                        && !self.delegating.has_room(facts.names.namespace(), self.bytes, &facts.moment) => {}
                Applies::Yes => {
                    if !self.rules.lifts().is_empty()
                        && let Some(lifted) = self.lift(id, facts, metadata)
                    {
                        self.asked = AskedUntil::Met(id);
                        return Some(lifted);
                    }
                    let holds = self.file.annotate && !self.may_recall;
                    let Some(active) = self.rules.get_mut(id) else { continue };
                    let decision =
                        act(active, self.counters, self.shared, (self.bytes, holds), facts, metadata);
                    let Some(shadow) = active.shadow else {
                        self.asked = AskedUntil::Met(id);
                        return Some(Decided::ByRule { rule: id, decision });
                    };
                    shadows.met |= shadow.bit;
                    if let Owner::Fragment(at) = active.rule.owner {
                        shadows.fragment = fragment_number(at);
                    }
                    match (decision.action(), decision.key()) {
                        (Action::Drop, _) => shadows.would_drop |= shadow.bit,
                        // What would be delivered is not known yet, with its metadata; what came is close.
                        (Action::Keep, Some(hash)) => {
                            let key = KeyId { hash, namespace: facts.names.namespace() };
                            active.state.policy.charge(key, self.bytes);
                        }
                        (Action::Keep, None) => {}
                    }
                }
            }
        }
        None
    }

    /// A guard or rule has met a record: it lifts its key, if it is to, and what it would sample is kept, if that is lifted.
    #[inline(never)]
    fn lift(&mut self, id: RuleId, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Option<Decided> {
        let active = self.rules.get_mut(id)?;
        if active.state.lift.is_some() {
            let asked = (self.bytes, self.file.annotate && !self.may_recall);
            start_lift(active, self.counters, self.shared, asked, facts, metadata);
        }
        self.lifted(id, facts, metadata)
    }

    /// Keeps a record that this rule would sample, if a guard has lifted its key and there is room.
    #[inline(never)]
    fn lifted(&mut self, id: RuleId, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Option<Decided> {
        let rule = &self.rules.get(id)?.rule;
        if rule.shadow || !rule.policy.may_be_lifted() {
            return None;
        }
        for at in 0..self.rules.lifts().len() {
            let guard = *self.rules.lifts().get(at)?;
            let active = self.rules.get_mut(guard)?;
            let Some(lift) = &mut active.state.lift else { continue };
            if lift.is_quiet(facts.moment.now) || lift.by() == LiftBy::TraceId && facts.trace_id().is_none() {
                continue;
            }
            let mut asked = Asked {
                moment: facts.moment,
                bytes: self.bytes,
                holds: false,
                keys: &mut RecordKeys::new(facts, metadata),
                capacity: &mut self.shared.capacity,
                account: &mut self.counters.row(active.row).unreported,
                random: &mut self.shared.random,
                buffers: &mut self.shared.buffers,
                floor: None,
            };
            if let Some(key) = lift.keeps(&mut asked) {
                return Some(Decided::ByRule { rule: guard, decision: Decision::Lifted { key } });
            }
        }
        None
    }

    /// What becomes of a record while nobody knows whether a guard or rule applies: neither a lenient nor a harsh one may act
    /// on ignorance, so it is kept, unless ignorance makes no difference.
    ///
    /// A guard's ceiling holds all the same: without a kubelet all records of a node may be such, and a ceiling is there for
    /// the storm. What is above it is the guard's own.
    #[inline(never)]
    fn unknown(&mut self, id: RuleId, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Option<Decided> {
        if makes_no_difference(self.file, self.rules, id, facts, metadata) {
            return None;
        }
        let charges = |active: &ActiveRule| active.rule.policy.charges_unknown();
        let id = match self.rules.get(id) {
            Some(active) if charges(active) => id,
            // No rule decides: what bounds such records, if anything does.
            _ => match self.rules.last_resort() {
                Some(last) => last,
                None => return Some(Decided::Unknown { charged: None }),
            },
        };
        let active = self.rules.get_mut(id)?;
        let holds = self.file.annotate && !self.may_recall;
        match act(active, self.counters, self.shared, (self.bytes, holds), facts, metadata) {
            Decision::Fits { key } => Some(Decided::Unknown { charged: Some((id, key)) }),
            decision => Some(Decided::ByRule { rule: id, decision }),
        }
    }

    /// Charges a line that goes with one that was decided before, and says what becomes of it: the same, as long as there is room
    /// for it.
    fn follow(&mut self, before: Decided, facts: &Facts<'_>) -> Decided {
        let (rule, decision, same) = match before {
            Decided::ByRule { rule, decision } => {
                (rule, decision, Decided::ByRule { rule, decision: decision.followed() })
            }
            Decided::Unknown { charged: Some((rule, key)) } => (rule, Decision::Fits { key }, before),
            Decided::Unknown { charged: None }
            | Decided::NoMatch(_)
            | Decided::Excluded
            | Decided::Faulty(_) => {
                return before;
            }
        };
        let namespace = facts.names.namespace();
        if let Decision::Lifted { key } = decision {
            let lift = self.rules.get_mut(rule).and_then(|active| active.state.lift.as_mut());
            let has_room = lift.is_none_or(|lift| lift.follow(key, namespace, self.bytes, &facts.moment));
            let decision = Decision::DropOf { key, is_on_key: false };
            return if has_room { same } else { Decided::ByRule { rule, decision } };
        }
        let Some((active, key)) = self.rules.get_mut(rule).zip(decision.key()) else { return same };
        let has_room = active.state.policy.follow(decision, namespace, self.bytes, &facts.moment);
        if has_room {
            same
        } else {
            Decided::ByRule { rule, decision: Decision::DropOf { key, is_on_key: false } }
        }
    }
}

/// What a rule that applies decides. `holds` says whether a record may say how many it stands for.
#[inline]
fn act(
    active: &mut ActiveRule,
    counters: &mut Counters,
    shared: &mut SharedByRules,
    (bytes, holds): (u64, bool),
    facts: &Facts<'_>,
    metadata: &mut Metadata<'_>,
) -> Decision {
    let mut asked = Asked {
        moment: facts.moment,
        bytes,
        // A shadow's record is not dropped at all.
        holds: holds && active.shadow.is_none(),
        keys: &mut RecordKeys::new(facts, metadata),
        capacity: &mut shared.capacity,
        account: &mut counters.row(active.row).unreported,
        random: &mut shared.random,
        buffers: &mut shared.buffers,
        floor: active.state.floor.as_mut(),
    };
    active.state.policy.decide(&mut asked)
}

/// A guard has met a record: its key is lifted from now on.
#[inline(never)]
fn start_lift(
    active: &mut ActiveRule,
    counters: &mut Counters,
    shared: &mut SharedByRules,
    (bytes, holds): (u64, bool),
    facts: &Facts<'_>,
    metadata: &mut Metadata<'_>,
) {
    let Some(lift) = &mut active.state.lift else { return };
    if lift.by() == LiftBy::TraceId && facts.trace_id().is_none() {
        return;
    }
    lift.start(&mut Asked {
        moment: facts.moment,
        bytes,
        holds,
        keys: &mut RecordKeys::new(facts, metadata),
        capacity: &mut shared.capacity,
        account: &mut counters.row(active.row).unreported,
        random: &mut shared.random,
        buffers: &mut shared.buffers,
        floor: None,
    });
}
