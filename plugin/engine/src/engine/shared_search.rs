//! One search for the texts of all rules and measures of a tag.
//!
//! Most tags meet the same rules, so that a search is made once and shared. The rule kept here: there are at most [`MAX_SEARCHES`] of
//! them, and what comes after does without.

use crate::engine::rule_id::{NO_TEXT, RuleId};
use crate::many::{self, ManyTexts};
use std::cell::RefCell;
use std::rc::Rc;

/// The searches that there are.
#[derive(Debug, Default)]
pub(super) struct SharedSearches(RefCell<Vec<SharedSearch>>);

/// A search with the rules and measures that it is for.
#[derive(Debug)]
struct SharedSearch {
    rules: Box<[RuleId]>,
    measures: Box<[usize]>,
    texts: Option<Rc<ManyTexts>>,
}

impl SharedSearches {
    /// The search of these rules and measures for the texts that they want; none where there is nothing to gain, or no room.
    pub(super) fn of(
        &self,
        (ids, measures): (Vec<RuleId>, Vec<usize>),
        wanted: &[(&[u8], u64)],
    ) -> Option<Rc<ManyTexts>> {
        // Nobody else has it: it is only borrowed here.
        let mut searches = self.0.try_borrow_mut().ok()?;
        let is_for_them = |shared: &&SharedSearch| *shared.rules == *ids && *shared.measures == *measures;
        if let Some(shared) = searches.iter().find(is_for_them) {
            return shared.texts.clone();
        }
        if searches.len() >= MAX_SEARCHES {
            return None;
        }
        let texts = ManyTexts::new(wanted).map(Rc::new);
        searches.push(SharedSearch { rules: ids.into(), measures: measures.into(), texts: texts.clone() });
        texts
    }
}

/// The bits of these texts, which are wanted from now on; of none, or of a short one, that of every line.
pub(super) fn want<'t>(texts: &'t [Box<[u8]>], wanted: &mut Vec<(&'t [u8], u64)>) -> u64 {
    let mut bits = 0u64;
    // A rule with a short text is asked about every line.
    if texts.iter().all(|text| text.len() >= many::SHORTEST) {
        for text in texts {
            let known = wanted.iter().find(|(known, _)| *known == &**text).map(|(_, bit)| *bit);
            // From the 64th on, two share a bit.
            let bit = known.unwrap_or(1u64.wrapping_shl((wanted.len() % 63) as u32));
            if known.is_none() {
                wanted.push((text, bit));
            }
            bits |= bit;
        }
    }
    if bits == 0 { NO_TEXT } else { bits }
}

/// Most searches, of 64 kB and the texts each. Tags beyond them ask each rule.
const MAX_SEARCHES: usize = 64;
