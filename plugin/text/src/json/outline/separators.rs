//! What stands between the values of objects that were logged before.
//!
//! A program writes the same keys in the same order for years, so between two values stands what stood there in the line before:
//! `\", \"status\": `. That is compared as words, where a walk looks at each quote, colon and blank by itself. The rules kept here: a
//! separator is the copy of one that a strict walk has passed, and means the same wherever a value ends; values are looked at as
//! strictly as ever. So what is known changes what an outline costs and never what it says. There is a cap on separators and on
//! how many lines are learned from, whatever is logged.

use crate::hash::key_bit;
use crate::json::grammar;
use crate::json::outline::{MemberPlace, Outline, Walk};
use crate::json::token::BACKSLASHES;
use crate::swar;
use std::cell::Cell;

/// A tree: behind each separator and its value, those that have come next.
#[derive(Debug)]
pub(super) struct Separators {
    /// In no order; the first is what all objects start behind.
    tree: Vec<Separator>,
    /// What is left for learning.
    credit: u32,
}

/// What stands between two values, with the key in it, as [`Separators`] compares it.
#[derive(Clone, Debug, Default)]
struct Separator {
    /// The first word, and which of its bits count.
    first: (u64, u64),
    /// The words behind the first, before the last, and the last, of one that is long enough for them.
    others: [u64; 3],
    length: usize,
    /// Where its key starts, and twice how long that is.
    key: u32,
    key_length: u32,
    /// Whether it ends with the quote that a string starts with.
    opens_string: bool,
    /// The [`key_bit`]s of its key and all before it.
    key_bits: u64,
    /// The place of the one behind it that came last; 0 is none.
    behind: Cell<usize>,
    /// The place of the next that stands behind the same; 0 is none.
    other: Cell<usize>,
}

thread_local! {
    /// What is known. While it is in use it is nowhere: whoever never comes back with it leaves nothing half changed.
    static KNOWN: Cell<Option<Box<Separators>>> = const { Cell::new(None) };
}

/// Lets go of what is known without looking at it.
pub(super) fn forget() {
    if let Ok(known) = KNOWN.try_with(Cell::take) {
        std::mem::forget(known);
    }
}

/// Hands over what is known.
#[inline(always)]
pub(super) fn with<T>(ask: impl FnOnce(&mut Separators) -> T) -> T {
    let mut known = KNOWN.try_with(Cell::take).ok().flatten().unwrap_or_default();
    let answer = ask(&mut known);
    let _gone_with_the_thread = KNOWN.try_with(|place| place.set(Some(known)));
    answer
}

impl Default for Separators {
    fn default() -> Separators {
        Separators { tree: vec![Separator::default()], credit: MOST_CREDIT }
    }
}

impl Separators {
    /// Takes the members at the start of an object that stand behind known separators: what is left behind the last of them,
    /// and the place of its separator. `None` for what is no object.
    #[inline(always)]
    pub(super) fn members<'a>(&self, text: &'a [u8], outline: &mut Outline) -> Option<(&'a [u8], usize)> {
        let (mut rest, mut at) = (text, 0usize);
        let mut before = self.tree.first()?;
        while rest.len() > 1
            && let Some((found, separator)) = self.next(before, rest)
        {
            let behind = rest.get(separator.length..)?;
            let start = text.len().wrapping_sub(rest.len());
            let mut value = text.len().wrapping_sub(behind.len());
            rest = if separator.opens_string {
                value = value.wrapping_sub(QUOTE);
                let length = backslash(behind)?;
                match behind.get(length.wrapping_add(1)..)? {
                    [b'"', left @ ..] => left,
                    _ => Walk::<true>::quoted_string(behind, length)?.2,
                }
            } else if let Some(left) = grammar::behind_short_integer(behind) {
                left
            } else {
                let behind = Walk::<true>::blank(behind);
                value = text.len().wrapping_sub(behind.len());
                grammar::value(&mut Walk::<true>, behind)?
            };
            // There are never more of them than an outline has room for.
            outline.places.push(MemberPlace {
                key: (start as u32).wrapping_add(separator.key),
                key_length: separator.key_length,
                value: value as u32,
                value_end: text.len().wrapping_sub(rest.len()) as u32,
            });
            (before, at) = (separator, found);
        }
        Some((rest, at))
    }

    /// The separator behind another that a text starts with, and its place.
    #[inline(always)]
    fn next(&self, before: &Separator, text: &[u8]) -> Option<(usize, &Separator)> {
        let found = before.behind.get();
        let separator = self.tree.get(found)?;
        if separator.starts(text) { Some((found, separator)) } else { self.other(before, text) }
    }

    /// The same, where it is not the one that came last.
    #[inline(never)]
    fn other(&self, before: &Separator, text: &[u8]) -> Option<(usize, &Separator)> {
        let latest = &before.behind;
        let mut before = self.tree.get(latest.get())?;
        loop {
            let found = before.other.get();
            let separator = self.tree.get(found).filter(|_| found != 0)?;
            if separator.starts(text) {
                before.other.set(separator.other.replace(latest.replace(found)));
                return Some((found, separator));
            }
            before = separator;
        }
    }

    /// The [`key_bit`]s of all keys up to a separator.
    #[inline(always)]
    pub(super) fn key_bits(&self, at: usize) -> u64 {
        self.tree.get(at).map_or(u64::MAX, |separator| separator.key_bits)
    }

    /// Learns what stands between the values of an object from the member of this number on, which comes behind the separator in
    /// this place.
    #[inline(never)]
    pub(super) fn learn(&mut self, text: &[u8], outline: &Outline, (known, at): (usize, usize)) {
        self.credit = self.credit.wrapping_add(1).min(MOST_CREDIT);
        if self.credit < A_LINE || outline.places.len() == known {
            return;
        }
        self.credit = self.credit.wrapping_sub(A_LINE);
        let mut at = at;
        if self.tree.len() > MOST_SEPARATORS.wrapping_sub(MOST_OF_A_LINE) {
            // What is still written comes back.
            *self = Separators { tree: vec![Separator::default()], credit: self.credit };
            if known > 0 {
                return;
            }
            at = 0;
        }
        let before = known.checked_sub(1).and_then(|last| outline.places.get(last));
        let mut start = before.map_or(0, |place| place.value_end);
        // What an outline has no room for is not learned either.
        for place in outline.places.iter().skip(known).take(MOST_OF_A_LINE) {
            let Some(separator) = Separator::of(text, (start, place)) else { return };
            let Some(next) = self.add(at, separator) else { return };
            (at, start) = (next, place.value_end);
        }
    }

    /// Puts a separator behind another, in front of those that are there; its place.
    fn add(&mut self, at: usize, separator: Separator) -> Option<usize> {
        let place = self.tree.len();
        let before = self.tree.get(at)?;
        let other = Cell::new(before.behind.replace(place));
        let key_bits = before.key_bits | separator.key_bits;
        self.tree.push(Separator { other, key_bits, ..separator });
        // The one that has not come for longest makes room.
        let mut last = place;
        for _ in 1..MOST_ALTERNATIVES {
            last = self.tree.get(last)?.other.get();
        }
        if last != 0 {
            self.tree.get(last)?.other.set(0);
        }
        Some(place)
    }
}

impl Separator {
    /// What stands in front of the value of a member, from where the one before ends; `None` for one that is not learned: with
    /// escapes in its key, or too long.
    fn of(text: &[u8], (start, place): (u32, &MemberPlace)) -> Option<Separator> {
        let value = text.get(place.value as usize..)?;
        let opens_string = value.starts_with(b"\\\"");
        let end = (place.value as usize).wrapping_add(if opens_string { QUOTE } else { 0 });
        let bytes = text.get(start as usize..end)?;
        let has_escapes = !place.key_length.is_multiple_of(2);
        if has_escapes || bytes.len() > LONGEST || bytes.is_empty() {
            return None;
        }
        let key_end = place.key.wrapping_add(place.key_length / 2);
        let mut padded = [0u8; 8];
        let mut mask = [0u8; 8];
        for ((to, mask), byte) in padded.iter_mut().zip(&mut mask).zip(bytes) {
            (*to, *mask) = (*byte, 0xff);
        }
        let word = |at: usize| {
            let rest = bytes.get(at..)?;
            rest.first_chunk::<8>().map(|word| u64::from_le_bytes(*word))
        };
        let from_end = |back: usize| bytes.len().checked_sub(back).and_then(word).unwrap_or_default();
        Some(Separator {
            first: (u64::from_le_bytes(padded), u64::from_le_bytes(mask)),
            others: [word(8).unwrap_or_default(), from_end(16), from_end(8)],
            length: bytes.len(),
            key: place.key.wrapping_sub(start),
            key_length: place.key_length,
            opens_string,
            key_bits: key_bit(text.get(place.key as usize..key_end as usize)?),
            behind: Cell::new(0),
            other: Cell::new(0),
        })
    }

    /// Whether a text starts with it; not where less than a word is left of one.
    #[inline(always)]
    fn starts(&self, text: &[u8]) -> bool {
        let Some(word) = text.first_chunk::<8>() else { return false };
        let (first, mask) = self.first;
        if (u64::from_le_bytes(*word) ^ first) & mask != 0 {
            return false;
        }
        // The first of all has none.
        if self.length <= 8 { self.length > 0 } else { self.goes_on(text) }
    }

    /// The same of what is behind the first word.
    #[inline(always)]
    fn goes_on(&self, text: &[u8]) -> bool {
        let Some(text) = text.get(..self.length) else { return false };
        let [second, before_last, last] = self.others;
        let word = |word: Option<&[u8; 8]>| word.map_or(0, |word| u64::from_le_bytes(*word));
        if word(text.last_chunk::<8>()) != last {
            return false;
        }
        // Four words that overlap are all of 32 bytes.
        self.length <= 16
            || text.last_chunk::<16>().is_some_and(|end| word(end.first_chunk::<8>()) == before_last)
                && text.first_chunk::<16>().is_some_and(|start| word(start.last_chunk::<8>()) == second)
    }
}

/// Where the next backslash stands: in most strings of a line within a few words.
#[inline(always)]
fn backslash(text: &[u8]) -> Option<usize> {
    let mut left = text;
    while let Some((word, behind)) = left.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word) ^ BACKSLASHES;
        if swar::may_have_zero(word) {
            let found = swar::zero_bytes(word);
            if found != 0 {
                let at = text.len().wrapping_sub(left.len());
                return Some(at.wrapping_add((found.trailing_zeros() / 8) as usize));
            }
        }
        left = behind;
    }
    // The last word overlaps the one before; what was looked at goes.
    let Some(last) = text.last_chunk::<8>() else { return text.iter().position(|byte| *byte == b'\\') };
    let looked_at = 8usize.wrapping_sub(left.len()).wrapping_mul(8);
    let last = u64::from_le_bytes(*last).checked_shr(looked_at as u32)?;
    let found = swar::zero_bytes(last ^ BACKSLASHES);
    let at = text.len().wrapping_sub(left.len());
    (found != 0).then(|| at.wrapping_add((found.trailing_zeros() / 8) as usize))
}

/// Bytes of a quote inside a string.
const QUOTE: usize = 2;
/// Longest separator, in bytes.
const LONGEST: usize = 32;
/// Most separators in all: some 80 kB.
const MOST_SEPARATORS: usize = 1024;
/// Most that are learned from one line.
const MOST_OF_A_LINE: usize = 64;
/// Most that are known to come behind one.
const MOST_ALTERNATIVES: usize = 8;
/// What a line costs that is learned from; one that was not known to its end brings one. So of many at most an eighth is learned from.
const A_LINE: u32 = 8;
/// The first lines are all learned from.
const MOST_CREDIT: u32 = 512;

#[cfg(test)]
mod tests;
