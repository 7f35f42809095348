//! Decide at a glance: what most records come to, without the questions that only the others need.
//!
//! A line that stands for itself, of which the level, the stream and the texts that occur are known, passes by all rules that need
//! something else. When the first that is left drops or keeps whatever meets its conditions, and these are about nothing but that,
//! the record is answered. The rule kept here: whatever is not certain by then goes the long way, and nothing has been changed.

use crate::engine::account::Accounting;
use crate::engine::decide::Runs;
use crate::engine::decided::{Judged, ShadowMarks};
use crate::engine::emit::emit_spliced;
use crate::engine::measuring::Measuring;
use crate::engine::rule_id::AskedUntil;
use crate::engine::rule_set::{Candidates, Certain, RuleSet};
use crate::engine::{Input, Verdict, happened};
use crate::facts::Glanced;
use crate::line::Line;
use crate::pattern::Searched;
use crate::policy::Action;
use crate::record::RecordView;
use crate::stream::{DroppedByRow, StreamSide};
use crate::time::Now;

/// A record that has been read, and what was seen of it.
pub(super) struct Seeing<'g> {
    pub(super) input: Input<'g>,
    pub(super) now: Now,
    pub(super) record: &'g RecordView<'g>,
    pub(super) line: &'g Line<'g>,
    pub(super) glanced: &'g Glanced,
    pub(super) side: StreamSide,
}

/// Answers a record, if it is certain what becomes of it; else does nothing.
#[inline]
pub(super) fn answer(
    seeing: &Seeing<'_>,
    (known, measuring): (&Candidates, &mut Measuring),
    (runs, dropped): (&mut Runs, &mut DroppedByRow),
    mut accounting: Accounting<'_>,
    out: &mut Vec<u8>,
) -> Option<Verdict> {
    let Seeing { input, now, record, line, glanced, side } = *seeing;
    let file = accounting.file;
    let begins = match file.input.continuation {
        None => None,
        // Nobody looks at its lines for that.
        Some(_) if known.foregone.is_some() => None,
        Some(_) if runs.is_quiet(side) => Some(glanced.is_single(line)?),
        Some(_) => return None,
    };
    if known.asks_pods {
        let (meta, _) = known.remembered.as_ref().and_then(|last| last.at(now))?;
        if meta.asks {
            return None;
        }
    }
    let certain = match known.foregone {
        None => certain(known, glanced, accounting.rules, line)?,
        Some(_) if known.measures.is_empty() && known.redaction.is_none() => return None,
        Some(foregone) => foregone,
    };
    let measured = if known.measures.is_empty() {
        0
    } else {
        let asked = certain.rule.map_or(AskedUntil::End, AskedUntil::Met);
        measuring.seen(&known.measures, (glanced.seen, asked), line, now)?
    };
    match certain.action {
        // It may come back: who it is has to be remembered.
        Action::Drop if known.ring.is_some() => return None,
        // A private key that begins here may go on in lines that are kept.
        Action::Drop
            if known.redaction.follows_keys()
                && known.redaction.may_hit(input.text, record.front(), record.may_hide()) =>
        {
            return None;
        }
        Action::Drop => {
            if !accounting.dropped_at_once(certain.row, dropped, input, now) {
                return None;
            }
        }
        Action::Keep => {
            if file.merge_log.is_some() && record.may_merge() {
                return None;
            }
            if !known.redaction.is_none()
                && known.redaction.may_hit(input.text, record.front(), record.may_hide())
            {
                return None;
            }
            let (meta, found) = known.remembered.as_ref().and_then(|last| last.at(now))?;
            if file.exclude_annotations && meta.excludes_anything() {
                return None;
            }
            let emitted = emit_spliced(record.spliced_at()?, &meta, file.input.max_record, out)?;
            accounting.kept_at_once(certain.row, &emitted, found, (input, now));
        }
    }
    if measured != 0 {
        measuring.count_seen(&known.measures, measured);
    }
    if let Some(is_failure) = begins {
        let judged = Judged { decided: certain.into(), shadows: ShadowMarks::default() };
        runs.begin_single(side, happened(input.time, now), is_failure, judged);
    }
    Some(Verdict { action: certain.action, why: certain.why })
}

/// What the first rule decides that is not passed by, if that is certain.
#[inline]
fn certain(known: &Candidates, glanced: &Glanced, rules: &RuleSet, line: &Line<'_>) -> Option<Certain> {
    for candidate in &known.rules {
        if candidate.lacks_in(glanced.seen) {
            continue;
        }
        let action = candidate.certain?;
        let active = rules.get(candidate.id)?;
        if !candidate.is_met_with(glanced.seen) {
            let needed = glanced.seen.needed(candidate.texts);
            if !active.rule.when.holds_for(&Searched::knowing(line, needed)) {
                continue;
            }
        }
        return Some(active.certain(candidate.id, action));
    }
    known.no_match
}
