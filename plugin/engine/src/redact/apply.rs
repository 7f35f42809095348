//! Redaction of one record or text by the rules that are about it.
//!
//! The rule kept here: hits are sought in what a text says and replaced where it is written, so that what was JSON stays JSON. Nothing
//! is replaced twice, and hits that overlap are one.

use super::view::View;
use super::walk::Walk;
use super::{Redact, Seed, What, With, pairs};
use crate::json::{Level, Outline};
use std::ops::Range;
use std::rc::Rc;

/// The rules that are about a record, and how often each has hit.
#[derive(Debug)]
pub struct Redactor<'r> {
    pub(super) rules: &'r [Rc<Redact>],
    /// A bit for each of the rules that is about the record.
    active: u64,
    seed: Option<&'r Seed>,
    /// Hits of each rule.
    pub(crate) hits: Vec<u32>,
}

/// What a text is: which rules are about all of it, what it is called, and how many strings it is inside of.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) bits: u64,
    pub(super) name: Option<&'p [u8]>,
    pub(super) depth: u32,
}

/// A hit, and the rule that has it.
struct Hit {
    part: Range<usize>,
    rule: usize,
}

impl<'r> Redactor<'r> {
    /// For a record which these rules, by their bits, are about. Without a seed what would be hashed is masked.
    pub(crate) fn new(rules: &'r [Rc<Redact>], active: u64, seed: Option<&'r Seed>) -> Redactor<'r> {
        Redactor { rules, active, seed, hits: vec![0; rules.len()] }
    }

    /// A record's JSON text without what is to go, or `None` when there is nothing. Values under `spared` keys of the record itself are
    /// left alone. The text need not be whole: what looks like a string is one.
    pub fn record(&mut self, text: &[u8], spared: &[&str]) -> Option<Vec<u8>> {
        let bits = self.everywhere();
        Walk::new(self, text, Place { bits, name: None, depth: 0 }, spared).run()
    }

    /// A text by itself, as [`Redactor::record`].
    pub fn text(&mut self, text: &[u8]) -> Option<Vec<u8>> {
        let bits = self.everywhere();
        self.inner(text, Place { bits, name: None, depth: 0 })
    }

    /// The value at the end of a path, as [`Redactor::record`].
    pub fn field(&mut self, path: &[Box<str>], text: &[u8]) -> Option<Vec<u8>> {
        let keys: Vec<Vec<u8>> = path.iter().map(|key| key.as_bytes().to_vec()).collect();
        let about = keys.last().map_or(0, |last| self.about(last, &keys));
        if let Some(taker) = self.taker(about) {
            return Some(self.replaced(taker, text).unwrap_or_default());
        }
        let bits = self.everywhere() | about;
        self.inner(text, Place { bits, name: keys.last().map(Vec::as_slice), depth: 0 })
    }

    /// What stands in the place of a line that belongs to a private key which an earlier line began.
    pub(crate) fn key_line(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let rule = (0..self.rules.len()).find(|at| {
            self.active & bit(*at) != 0 && self.rules.get(*at).is_some_and(|rule| rule.seeks_private_keys())
        })?;
        Some(self.replaced(rule, line).unwrap_or_default())
    }

    /// The rules that are about all of a record.
    fn everywhere(&self) -> u64 {
        self.bits_of(|rule| rule.scope.is_everywhere())
    }

    fn bits_of(&self, is: impl Fn(&Redact) -> bool) -> u64 {
        let all = self.rules.iter().enumerate();
        all.filter(|(_, rule)| is(rule)).fold(0, |bits, (at, _)| bits | bit(at)) & self.active
    }

    /// The rules that are about the value of a key, or at the end of a path.
    pub(super) fn about(&self, key: &[u8], path: &[Vec<u8>]) -> u64 {
        self.bits_of(|rule| rule.scope.has_key(key) || rule.scope.has_field(path))
    }

    /// Whether paths have to be known.
    pub(super) fn needs_paths(&self) -> bool {
        self.bits_of(|rule| rule.scope.has_paths()) != 0
    }

    /// The first of these rules that takes all there is.
    pub(super) fn taker(&self, bits: u64) -> Option<usize> {
        (0..self.rules.len()).find(|at| {
            bits & bit(*at) != 0 && self.rules.get(*at).is_some_and(|rule| matches!(rule.what, What::Whole))
        })
    }

    /// A text inside others, if anything of it is to go.
    pub(super) fn inner(&mut self, text: &[u8], place: Place<'_>) -> Option<Vec<u8>> {
        if place.depth < MAX_NESTED && is_json(text) {
            return Walk::new(self, text, place, &[]).run();
        }
        self.plain(text, place)
    }

    /// A text that is no JSON.
    pub(super) fn plain(&mut self, text: &[u8], place: Place<'_>) -> Option<Vec<u8>> {
        let mut hits = self.hits_in(text, place);
        if hits.is_empty() {
            return None;
        }
        hits.sort_unstable_by_key(|hit| (hit.part.start, hit.rule));
        let mut out = Vec::with_capacity(text.len().saturating_add(32));
        let mut copied = 0usize;
        let mut left = hits.into_iter().peekable();
        while let Some(mut hit) = left.next() {
            while let Some(next) = left.next_if(|next| next.part.start < hit.part.end) {
                hit.part.end = hit.part.end.max(next.part.end);
            }
            out.extend_from_slice(text.get(copied..hit.part.start).unwrap_or_default());
            let found = text.get(hit.part.clone()).unwrap_or_default();
            out.extend(self.replaced(hit.rule, found).unwrap_or_default());
            copied = hit.part.end;
        }
        out.extend_from_slice(text.get(copied..).unwrap_or_default());
        Some(out)
    }

    fn hits_in(&self, text: &[u8], place: Place<'_>) -> Vec<Hit> {
        let view = View::of(text);
        let mut hits: Vec<Hit> = Vec::new();
        let mut parts: Vec<Range<usize>> = Vec::new();
        for (at, rule) in self.rules.iter().enumerate() {
            if self.active & bit(at) == 0 {
                continue;
            }
            let is_about_all = place.bits & bit(at) != 0;
            if !is_about_all && !rule.scope.has_keys() {
                continue;
            }
            let mut add = |part: Range<usize>| hits.push(Hit { part, rule: at });
            parts.clear();
            match &rule.what {
                What::Whole => {}
                What::Kinds(kinds) => {
                    for kind in kinds {
                        kind.find(&view.text, place.name, &mut parts);
                    }
                }
                What::Pattern(pattern) => {
                    parts.extend(pattern.parts_of(&view.text));
                    // A pattern may be about how a text is written, too.
                    if view.is_resolved() {
                        let as_written = pattern.parts_of(text);
                        as_written.into_iter().filter(|_| is_about_all).for_each(&mut add);
                    }
                }
            }
            if is_about_all {
                parts.iter().for_each(|part| add(view.written(part.clone())));
            }
            if !rule.scope.has_keys() || is_about_all {
                continue;
            }
            pairs::each(&view.text, |name, value| {
                if !rule.scope.has_key(name) {
                    return;
                }
                if rule.what == What::Whole {
                    add(view.written(value));
                } else {
                    let inside =
                        parts.iter().filter(|part| part.start >= value.start && part.end <= value.end);
                    inside.for_each(|part| add(view.written(part.clone())));
                }
            });
        }
        hits
    }

    /// What stands in the place of a hit, which is counted; `None`: nothing does.
    pub(super) fn replaced(&mut self, rule: usize, found: &[u8]) -> Option<Vec<u8>> {
        if let Some(hits) = self.hits.get_mut(rule) {
            *hits = hits.saturating_add(1);
        }
        let rule = self.rules.get(rule)?;
        match (rule.with, self.seed) {
            (With::Remove, _) => None,
            (With::Hash, Some(seed)) => {
                Some(format!("[hashed:{}:{}]", rule.name, seed.hash(found)).into_bytes())
            }
            (With::Mask, _) | (With::Hash, None) => Some(format!("[redacted:{}]", rule.name).into_bytes()),
        }
    }
}

/// The bit of a rule.
pub(crate) fn bit(at: usize) -> u64 {
    u32::try_from(at).ok().and_then(|at| 1u64.checked_shl(at)).unwrap_or_default()
}

/// Whether a text is a JSON object, array or string to its last byte.
fn is_json(text: &[u8]) -> bool {
    match text.trim_ascii_start().first() {
        Some(b'{') => Outline::of(text, Level::Plain).is_some(),
        Some(b'[' | b'"') => {
            let mut member = Vec::with_capacity(text.len().saturating_add(8));
            member.extend_from_slice(b"{\"\":");
            member.extend_from_slice(text);
            member.push(b'}');
            Outline::of(&member, Level::Plain).is_some()
        }
        _ => false,
    }
}

/// Strings inside strings that are read as JSON; deeper ones are text.
const MAX_NESTED: u32 = 6;
