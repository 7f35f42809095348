//! Redaction in force: which rules are about a tag's records, what is done to those that are kept, and what is shown of any.
//!
//! The rule kept here: whatever leaves the filter (records, examples, labels, lines of a tap) has been through here; and a record in
//! which nothing can be hit is only looked through for that.

use crate::condition::Met;
use crate::config::RuleFile;
use crate::config::model::{Redact, With};
use crate::engine::Input;
use crate::facts::{Facts, Metadata, ShowsText};
use crate::json::push_string;
use crate::line::Line;
use crate::record::Front;
use crate::redact::{Redactor, Seed, bit, sieve};
use crate::secrets::{InPrivateKey, Sieve, continues_private_key, ends_in_private_key};
use crate::stream::StreamSide;
use crate::tag::ContainerTag;
use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::rc::Rc;

/// All rules of redact in force.
#[derive(Debug, Default)]
pub(super) struct Redacting {
    rules: Vec<Rc<Redact>>,
    /// Hits by name since the start, those of rules that are gone too.
    hits: Vec<(Box<str>, Cell<u64>)>,
    /// Where in `hits` each of the rules counts.
    rows: Vec<usize>,
    seed: Option<Seed>,
    /// Those of tags with the same rules are one.
    sieves: RefCell<Vec<(u64, Rc<Sieve>)>>,
}

/// What is redacted of a tag's records.
#[derive(Debug, Default)]
pub(super) struct TagRedaction {
    /// The rules that may be about them.
    bits: u64,
    sieve: Option<Rc<Sieve>>,
    /// What a line has at least in which something is hit, when that is a rare byte.
    rare: Option<u8>,
    /// Whether a private key may go on over lines.
    follows_keys: bool,
    /// Whether what was found of a front holds for others of its layout, and the layouts in whose fronts nothing was found.
    fronts_last: bool,
    clear: Cell<[u32; 2]>,
    open: OpenKeys,
}

/// How many more lines of stdout and of stderr may belong to a private key that was begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct OpenKeys {
    out: u16,
    err: u16,
}

/// What is shown of a tag's texts.
pub(super) struct Shown<'r> {
    redacting: &'r Redacting,
    bits: u64,
    /// Whether a private key is open, of which more may come.
    in_key: bool,
}

impl TagRedaction {
    #[inline]
    pub(super) fn is_none(&self) -> bool {
        self.bits == 0
    }

    /// Whether a record is to be looked at for what it says: something may be hit in it or hidden behind escapes, or it belongs to a
    /// key.
    #[inline(never)]
    pub(super) fn may_hit(&self, text: &[u8], front: Front, may_hide: bool) -> bool {
        if self.open != OpenKeys::default() || may_hide {
            return true;
        }
        let Some(sieve) = &self.sieve else { return true };
        let is_clear = self.knows_clear(front) || self.is_clear(sieve, text, front);
        let from = if is_clear { front.length } else { 0 };
        sieve.may_hit(text.get(from..).unwrap_or_default())
    }

    /// The byte that a line has at least of which something may have to go, if it is enough to look for that.
    #[inline]
    pub(super) fn sought(&self) -> Option<u8> {
        if self.open == OpenKeys::default() { self.rare } else { None }
    }

    /// Whether it is known that nothing can be hit in what stands in front of a line.
    #[inline]
    pub(super) fn knows_clear(&self, front: Front) -> bool {
        let [one, other] = self.clear.get();
        front.serial != 0 && (front.serial == one || front.serial == other)
    }

    /// Whether nothing can be hit in what stands in front of a line: it is that of a record before, in which nothing could.
    #[inline(never)]
    fn is_clear(&self, sieve: &Sieve, text: &[u8], front: Front) -> bool {
        if front.serial == 0
            || !self.fronts_last
            || text.get(..front.length).is_none_or(|front| sieve.may_hit(front))
        {
            return false;
        }
        let [one, _] = self.clear.get();
        self.clear.set([front.serial, one]);
        true
    }

    /// Whether what becomes of a dropped record may change how later ones are redacted.
    #[inline]
    pub(super) fn follows_keys(&self) -> bool {
        self.follows_keys
    }
}

impl Redacting {
    /// Puts rules in force; those of a name that there was before go on counting.
    pub(super) fn put_in_force(&mut self, file: &RuleFile) {
        self.rules.clone_from(&file.redacts);
        self.sieves = RefCell::default();
        if self.hits.len().saturating_add(self.rules.len()) > MAX_NAMES {
            // Only many reloads with new names come here: those of rules that are gone are given up.
            self.hits.retain(|(name, _)| file.redacts.iter().any(|rule| rule.name == *name));
        }
        self.rows = self.rules.iter().map(|rule| row_of(&mut self.hits, &rule.name)).collect();
    }

    /// What hashes go by; without one, what would be hashed is masked.
    pub(super) fn set_seed(&mut self, seed: Option<Seed>) {
        self.seed = seed;
    }

    /// Whether there is something to hash and nothing to do it with.
    pub(super) fn lacks_seed(&self) -> bool {
        self.seed.is_none() && self.rules.iter().any(|rule| rule.with == With::Hash)
    }

    /// What is redacted of a tag's records.
    pub(super) fn of_tag(&self, container: Option<ContainerTag<'_>>) -> TagRedaction {
        let bits = self.bits(container.as_ref());
        if bits == 0 {
            return TagRedaction::default();
        }
        let rules = || {
            self.rules.iter().enumerate().filter(move |(at, _)| bits & bit(*at) != 0).map(|(_, rule)| &**rule)
        };
        let known =
            self.sieves.borrow().iter().find(|(of, _)| *of == bits).map(|(_, sieve)| Rc::clone(sieve));
        let sieve = known.unwrap_or_else(|| {
            let made = Rc::new(sieve(rules()));
            let mut all = self.sieves.borrow_mut();
            if all.len() < MAX_SIEVES {
                all.push((bits, Rc::clone(&made)));
            }
            made
        });
        let follows_keys = rules().any(Redact::seeks_private_keys);
        let (rare, fronts_last) = (sieve.rare_byte(), sieve.stands_other_digits());
        TagRedaction { bits, sieve: Some(sieve), rare, follows_keys, fronts_last, ..TagRedaction::default() }
    }

    fn bits(&self, container: Option<&ContainerTag<'_>>) -> u64 {
        let about =
            self.rules.iter().enumerate().filter(|(_, rule)| rule.when.unmet_by_tag(container).is_none());
        about.fold(0, |bits, (at, _)| bits | bit(at))
    }

    /// What is shown of a tag's texts.
    pub(super) fn shown(&self, tag: &TagRedaction) -> Shown<'_> {
        Shown { redacting: self, bits: tag.bits, in_key: tag.open != OpenKeys::default() }
    }

    /// The same of a container's.
    pub(super) fn shown_of(&self, container: Option<ContainerTag<'_>>) -> Shown<'_> {
        Shown { redacting: self, bits: self.bits(container.as_ref()), in_key: false }
    }

    /// A kept record's text without what is to go, or `None` when it stays as it is.
    #[inline(never)]
    pub(super) fn kept(
        &self,
        tag: &mut TagRedaction,
        input: Input<'_>,
        facts: &Facts<'_>,
        metadata: &mut Metadata<'_>,
        spared: &[&str],
    ) -> Option<Vec<u8>> {
        if !tag.may_hit(input.text, facts.record.front(), facts.record.may_hide()) {
            return None;
        }
        let mut redactor =
            Redactor::new(&self.rules, self.met(tag.bits, facts, metadata), self.seed.as_ref());
        let of_key = facts.line.filter(|_| self.follow(tag, facts)).and_then(|line| {
            let shown = redactor.key_line(line.text())?;
            with_line(input.text, line, &shown)
        });
        let text = of_key.as_deref().unwrap_or(input.text);
        let redacted = redactor.record(text, spared).or(of_key);
        self.count(&redactor);
        redacted
    }

    /// What may be shown of a record that was dropped and may come back; `None` when that is all.
    pub(super) fn held(&self, tag: &TagRedaction, input: Input<'_>, facts: &Facts<'_>) -> Option<Vec<u8>> {
        if tag.is_none() || !tag.may_hit(input.text, facts.record.front(), facts.record.may_hide()) {
            return None;
        }
        let mut redactor = Redactor::new(&self.rules, tag.bits, self.seed.as_ref());
        let in_key = tag.open != OpenKeys::default();
        let of_key = facts.line.filter(|line| in_key && continues_private_key(line.text()).is_some());
        let of_key = of_key.and_then(|line| with_line(input.text, line, &redactor.key_line(line.text())?));
        redactor.record(of_key.as_deref().unwrap_or(input.text), &[]).or(of_key)
    }

    /// Takes note of a line; whether it belongs to a private key that an earlier one began.
    pub(super) fn follow(&self, tag: &mut TagRedaction, facts: &Facts<'_>) -> bool {
        let Some(line) = facts.line.filter(|_| tag.follows_keys) else { return false };
        let open = match StreamSide::of(facts.record.stream_name()) {
            StreamSide::Out => &mut tag.open.out,
            StreamSide::Err => &mut tag.open.err,
        };
        let belongs = if *open > 0 { continues_private_key(line.text()) } else { None };
        *open = match belongs {
            Some(InPrivateKey::Part) => open.saturating_sub(1),
            Some(InPrivateKey::End) | None => 0,
        };
        if ends_in_private_key(line.text()) {
            *open = MAX_KEY_LINES;
        }
        belongs.is_some()
    }

    /// The rules of these whose conditions a record meets; one that cannot be known is taken to hold.
    fn met(&self, bits: u64, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> u64 {
        let mut met = 0u64;
        for (at, rule) in self.rules.iter().enumerate() {
            if bits & bit(at) != 0 && !matches!(rule.when.met(facts, metadata), Met::No(_)) {
                met |= bit(at);
            }
        }
        met
    }

    /// A record's text that cannot be read, without what any rule would take.
    pub(super) fn unreadable(&self, text: &[u8], spared: &[&str]) -> Option<Vec<u8>> {
        if self.rules.is_empty() {
            return None;
        }
        let mut redactor = Redactor::new(&self.rules, u64::MAX, self.seed.as_ref());
        let redacted = redactor.record(text, spared);
        self.count(&redactor);
        redacted
    }

    fn count(&self, redactor: &Redactor<'_>) {
        for (row, hits) in self.rows.iter().zip(&redactor.hits) {
            if let Some((_, sum)) = self.hits.get(*row) {
                sum.set(sum.get().wrapping_add(u64::from(*hits)));
            }
        }
    }

    /// Hits by rule.
    pub(super) fn hits(&self) -> impl Iterator<Item = (&str, u64)> {
        self.hits.iter().map(|(name, hits)| (&**name, hits.get()))
    }

    /// Their metric.
    pub(super) fn render(&self, out: &mut String) {
        if self.hits.is_empty() {
            return;
        }
        let (name, unit, meaning) = crate::metrics::REDACT_TABLE;
        let _ = writeln!(out, "# HELP {name} {unit} {meaning}\n# TYPE {name} counter");
        for (rule, hits) in self.hits() {
            let _ = writeln!(out, "{name}{{rule=\"{rule}\"}} {hits}");
        }
    }
}

impl ShowsText for Shown<'_> {
    /// Conditions on the record are not asked: more is hidden than would be, and never less.
    fn shown(&self, text: &[u8]) -> Option<Vec<u8>> {
        if self.bits == 0 {
            return None;
        }
        let mut redactor = Redactor::new(&self.redacting.rules, self.bits, self.redacting.seed.as_ref());
        if self.in_key && continues_private_key(text) == Some(InPrivateKey::Part) {
            return redactor.key_line(text);
        }
        redactor.text(text)
    }

    fn shown_field(&self, path: &[Box<str>], text: &[u8]) -> Option<Vec<u8>> {
        if self.bits == 0 {
            return None;
        }
        Redactor::new(&self.redacting.rules, self.bits, self.redacting.seed.as_ref()).field(path, text)
    }
}

/// A record with another text for its line.
fn with_line(text: &[u8], line: &Line<'_>, shown: &[u8]) -> Option<Vec<u8>> {
    let raw = line.raw();
    let start = (raw.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let end = start.checked_add(raw.len())?;
    let mut content = Vec::new();
    push_string(&mut content, shown);
    let content = content.get(1..content.len().checked_sub(1)?)?;
    Some([text.get(..start)?, content, text.get(end..)?].concat())
}

fn row_of(hits: &mut Vec<(Box<str>, Cell<u64>)>, name: &str) -> usize {
    if let Some(row) = hits.iter().position(|(known, _)| **known == *name) {
        return row;
    }
    hits.push((name.into(), Cell::new(0)));
    hits.len().wrapping_sub(1)
}

/// Lines that a private key has at most: one of 16,384 bits has 200.
const MAX_KEY_LINES: u16 = 250;
/// Different sets of rules for which a sieve is kept; others are made for each tag.
const MAX_SIEVES: usize = 64;
/// Names that are counted, those of rules that are gone too.
const MAX_NAMES: usize = 256;
