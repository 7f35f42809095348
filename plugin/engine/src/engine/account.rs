//! Account: every number that a record changes, in one place.
//!
//! The rule kept here: a record is counted once, in the totals and in the row of what decided it, and a dropped one is unreported
//! in one place from here on.

use crate::config::RuleFile;
use crate::config::model::Owner;
use crate::engine::decided::{Decided, Judged, fragment_number};
use crate::engine::emit::Emitted;
use crate::engine::rule_set::RuleSet;
use crate::engine::{Input, happened};
use crate::facts::Facts;
use crate::key::KeyId;
use crate::metrics::{Counters, Metric, RowId};
use crate::moment::Moment;
use crate::pods::Found;
use crate::policy::{Action, Decision};
use crate::record::Written;
use crate::stream::DroppedByRow;
use crate::time::Now;
use crate::unreported::Account;

/// Where records are counted.
pub(super) struct Accounting<'a> {
    pub(super) file: &'a RuleFile,
    pub(super) rules: &'a mut RuleSet,
    pub(super) counters: &'a mut Counters,
    pub(super) unsaved: &'a mut Unsaved,
    /// Whether what is dropped may come back.
    pub(super) may_recall: bool,
}

/// What has changed since the state was saved.
#[derive(Clone, Debug)]
pub(super) struct Unsaved {
    pub(super) counts: bool,
    pub(super) budgets: bool,
    /// The row whose unreported counts the last record has changed, if that is to be written now.
    pub(super) row: Option<RowId>,
    /// Others, of lines that the last record has brought back.
    pub(super) rows: Vec<RowId>,
    /// Of so many dropped records of a row, one is written.
    pub(super) every: u32,
}

impl Default for Unsaved {
    fn default() -> Unsaved {
        Unsaved { counts: false, budgets: false, row: None, rows: Vec::new(), every: 1 }
    }
}

impl Unsaved {
    /// A record was dropped that this row has unreported now.
    #[inline]
    fn note(&mut self, row: RowId, account: &mut Account) {
        self.counts = true;
        account.unwritten = account.unwritten.wrapping_add(1);
        if account.unwritten >= self.every {
            account.unwritten = 0;
            self.row = Some(row);
        }
    }

    /// A record has reported others.
    #[inline]
    fn note_reported(&mut self, row: RowId) {
        self.counts = true;
        self.row = Some(row);
    }
}

impl Accounting<'_> {
    /// Counts a record that was read, decided and, if it is kept, emitted. `found` says how metadata was found, if it was
    /// asked for.
    #[inline]
    pub(super) fn account(
        &mut self,
        judged: &Judged,
        emitted: Option<&Emitted>,
        facts: &Facts<'_>,
        found: Option<Found>,
        (tag, bytes): (&mut DroppedByRow, u64),
    ) {
        match emitted {
            Some(emitted) => self.emitted(judged.decided, emitted, facts),
            None => self.dropped(judged.decided, facts, (tag, bytes)),
        }
        self.moment(&facts.moment);
        if let Some(found) = found {
            self.found(found);
        }
        self.count(judged, bytes, emitted.map_or(0, |emitted| emitted.bytes));
    }

    /// Counts a record that is dropped by what was seen of it, or of which nobody has seen anything; or does nothing, as long as
    /// there is no example of what its rule drops.
    #[inline]
    pub(super) fn dropped_at_once(
        &mut self,
        row: RowId,
        dropped: &mut DroppedByRow,
        input: Input<'_>,
        now: Now,
    ) -> bool {
        let count = self.counters.row(row);
        if count.unreported.example.is_none() {
            return false;
        }
        let moment = Moment::new(now, happened(input.time, now));
        let bytes = input.text.len() as u64;
        count.unreported.note(moment.event);
        count.unreported.add(bytes);
        count.drop(bytes);
        self.unsaved.note(row, &mut count.unreported);
        dropped.note(row, bytes);
        self.moment(&moment);
        true
    }

    /// Counts a record that is kept by what was seen of it, or of which nobody has seen anything.
    #[inline]
    pub(super) fn kept_at_once(
        &mut self,
        row: RowId,
        emitted: &Emitted,
        found: Found,
        (input, now): (Input<'_>, Now),
    ) {
        self.counters.row(row).keep(input.text.len() as u64, emitted.bytes);
        self.metadata(emitted.is_known, emitted.is_short);
        self.found(found);
        self.moment(&Moment::new(now, happened(input.time, now)));
    }

    #[inline]
    fn emitted(&mut self, decided: Decided, emitted: &Emitted, facts: &Facts<'_>) {
        let Emitted { written, is_known, is_short, is_merged, is_redacted, bytes } = emitted;
        if *written != Written::default() {
            self.counters.add(Metric::KeysReplaced, u64::from(written.replaced));
            self.counters.add(Metric::NumbersQuoted, written.quoted as u64);
            self.counters.add(Metric::Truncated, u64::from(written.truncated.is_some()));
        }
        if *is_redacted {
            self.counters.add(Metric::Redacted, 1);
        }
        if *is_merged {
            self.counters.add(Metric::Merged, 1);
        }
        let is_unknown = matches!(decided, Decided::Unknown { .. });
        self.metadata(is_known.map(|is_known| is_known && !is_unknown), *is_short);
        if let Decided::ByRule { rule, decision } = decided
            && let (Some(hash), Some(active)) = (decision.key(), self.rules.get_mut(rule))
        {
            let key = KeyId { hash, namespace: facts.names.namespace() };
            self.unsaved.budgets |= active.state.policy.charge(key, *bytes);
        }
    }

    /// Counts whether a kept record's metadata was known, `None` when its tag names no container, and whether a part of it was left
    /// out.
    #[inline]
    fn metadata(&mut self, is_known: Option<bool>, is_short: bool) {
        if is_short {
            self.counters.add(Metric::MetadataTruncated, 1);
        }
        let metric = match is_known {
            None => Metric::NoContainerTag,
            Some(true) => Metric::Enriched,
            Some(false) => Metric::MetadataMissing,
        };
        self.counters.add(metric, 1);
    }

    /// Counts how metadata was found.
    #[inline]
    fn found(&mut self, found: Found) {
        let metric = match found {
            Found::Hit => Metric::PodHits,
            Found::Read => Metric::PodReads,
            Found::Stale => Metric::PodStale,
            Found::Missing => Metric::PodMissing,
            Found::Refused => Metric::PodRefused,
            Found::Evicted => Metric::PodEvicted,
        };
        self.counters.add(metric, 1);
    }

    /// Counts a record that came late.
    #[inline]
    fn moment(&mut self, moment: &Moment) {
        if moment.is_late {
            self.counters.add(Metric::Late, 1);
        }
    }

    #[inline]
    fn dropped(&mut self, decided: Decided, facts: &Facts<'_>, (tag, bytes): (&mut DroppedByRow, u64)) {
        let Some(row) = self.row_of(decided) else { return };
        let account = &mut self.counters.row(row).unreported;
        self.unsaved.note(row, account);
        account.note(facts.moment.event);
        let is_on_key = match decided {
            Decided::ByRule { decision: Decision::DropOf { is_on_key, .. }, .. } => is_on_key,
            _ => false,
        };
        if !is_on_key {
            account.add(bytes);
            // Whose a line is that may come back is said when it does.
            if !self.may_recall {
                tag.note(row, bytes);
            }
        }
        if account.example.is_none() {
            let keys = &self.file.input.message_keys;
            account.example = facts.example(keys, MAX_EXAMPLE).map(Into::into);
        }
    }

    /// The totals and the rows.
    #[inline]
    pub(super) fn count(&mut self, judged: &Judged, bytes_in: u64, bytes_out: u64) {
        let Judged { decided, shadows } = *judged;
        let rule = decided.rule().and_then(|rule| self.rules.get(rule));
        match decided {
            Decided::ByRule { decision: Decision::Lifted { .. }, .. } => self.counters.add(Metric::Lifted, 1),
            _ if rule.is_some_and(|active| active.is_sampling) => self.counters.add(Metric::Sampled, 1),
            _ => {}
        }
        match (decided.action(), self.row_of(decided)) {
            (_, None) => {}
            (Action::Drop, Some(row)) => self.counters.row(row).drop(bytes_in),
            (Action::Keep, Some(row)) => {
                self.counters.row(row).keep(bytes_in, bytes_out);
                let count = decided.count();
                if count > 1 {
                    self.counters.add(Metric::Counted, count.saturating_sub(1));
                    self.unsaved.note_reported(row);
                }
            }
        }
        if shadows.met != 0 {
            for active in self.rules.shadows() {
                let Some(shadow) = active.shadow else { continue };
                let is_other = matches!(active.rule.owner, Owner::Fragment(at) if fragment_number(at) != shadows.fragment);
                if shadows.met & shadow.bit != 0 && !is_other {
                    let would_drop = shadows.would_drop & shadow.bit != 0;
                    self.counters.decide_in_shadow(shadow.row, would_drop.then_some(bytes_in));
                }
            }
        }
    }

    #[inline]
    pub(super) fn row_of(&self, decided: Decided) -> Option<RowId> {
        match decided.rule().and_then(|rule| self.rules.get(rule)) {
            Some(active) => Some(active.row),
            None => self.rules.row_of_outcome(decided.why(self.rules)),
        }
    }
}

/// Largest example of what a rule drops, in bytes.
const MAX_EXAMPLE: usize = 512;
