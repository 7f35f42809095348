//! The members of a line that is one JSON object, found by one strict walk.
//!
//! The host's records are JSON for certain, a line of log text is not. A filter pattern matches a JSON object and nothing
//! that only looks like one, so here, unlike in [`crate::json::Members`], every character is checked (RFC 8259):
//! scalars, escapes, control characters in strings, commas, and that nothing stands behind the object. What stands between
//! the values is mostly known from earlier lines ([`separators`]).

use crate::hash::key_bit;
use crate::json::grammar::{self, Grammar, escape, number, scalar};
use crate::json::token::find_backslash;
use crate::json::{Level, MAX_DEPTH, Value, plain_end, skip_blank, stands_for, unescape};
use crate::swar;
use separators::Separators;
use std::cell::{Cell, OnceCell};

mod separators;

/// The top-level members of an object, by their places in the text.
#[derive(Debug)]
pub struct Outline {
    places: Vec<MemberPlace>,
    is_whole: bool,
    key_bits: OnceCell<u64>,
}

/// Offsets into the text, which is in the guest's memory and ends long before they do. Sixteen bytes, so that a dozen
/// members are a small thing to allocate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MemberPlace {
    key: u32,
    /// Doubled, and one more when the key has escapes.
    key_length: u32,
    value: u32,
    value_end: u32,
}

thread_local! {
    /// Room for the members of the next outline, left by one that is gone: so a line that is read costs no allocation.
    static ROOM: Cell<Vec<MemberPlace>> = const { Cell::new(Vec::new()) };
}

/// Lets go of the room without looking at it: for whoever starts anew where a walk never ended.
pub fn forget_room() {
    if let Ok(room) = ROOM.try_with(Cell::take) {
        std::mem::forget(room);
    }
    separators::forget();
}

impl Drop for Outline {
    fn drop(&mut self) {
        // Of two that were there at once the one that goes last is kept.
        let places = std::mem::take(&mut self.places);
        let _gone_with_the_thread = ROOM.try_with(|room| room.set(places));
    }
}

impl Outline {
    /// None of whose members is known yet.
    fn empty() -> Outline {
        let mut places = ROOM.try_with(Cell::take).unwrap_or_default();
        places.clear();
        Outline { places, is_whole: true, key_bits: OnceCell::new() }
    }

    /// Walks a text; `None` when it is not exactly one JSON object, blanks around it allowed, or nests deeper than
    /// [`MAX_DEPTH`].
    pub fn of(text: &[u8], level: Level) -> Option<Outline> {
        // Most lines that are none begin with something else.
        if !matches!(text.first()?, b'{' | ..=b' ' | b'\\') {
            return None;
        }
        match level {
            Level::Plain => Outline::walked(text, level),
            Level::Quoted => separators::with(|known| Outline::with_known(text, known)),
        }
    }

    /// The same, whatever is known of earlier lines.
    fn walked(text: &[u8], level: Level) -> Option<Outline> {
        let mut outline = Outline::empty();
        match level {
            Level::Plain => Walk::<false>::members(text, text, &mut outline)?,
            Level::Quoted => Walk::<true>::members(text, text, &mut outline)?,
        }
        Some(outline)
    }

    #[inline(always)]
    fn with_known(text: &[u8], known: &mut Separators) -> Option<Outline> {
        let mut outline = Outline::empty();
        let (rest, at) = known.members(text, &mut outline)?;
        if rest == b"}" && at != 0 {
            outline.key_bits = OnceCell::from(known.key_bits(at));
            return Some(outline);
        }
        let members = outline.places.len();
        Walk::<true>::members(text, rest, &mut outline)?;
        known.learn(text, &outline, (members, at));
        Some(outline)
    }

    /// Members with a string or a number as their value, without escapes inside and with at most one blank behind the colon,
    /// which is most of most lines: as many as come next but the last; what is left from the first that is something else. `rest` is where a member starts.
    #[inline(always)]
    fn short_members<'a>(&mut self, text: &[u8], mut rest: &'a [u8]) -> &'a [u8] {
        while let [b'\\', b'"', key @ ..] = rest {
            let Some(key_length) = find_backslash(key) else { break };
            let Some([b'\\', b'"', b':', value @ ..]) = key.get(key_length..) else { break };
            let value = if let [b' ', value @ ..] = value { value } else { value };
            let behind = match value {
                [b'\\', b'"', content @ ..] => {
                    let Some(length) = find_backslash(content) else { break };
                    let Some([b'\\', b'"', behind @ ..]) = content.get(length..) else { break };
                    behind
                }
                [b'0'..=b'9', ..] => {
                    let Some(behind) = number(value) else { break };
                    behind
                }
                _ => break,
            };
            let [b',', next @ ..] = behind else { break };
            self.push(MemberPlace {
                key: text.len().wrapping_sub(key.len()) as u32,
                key_length: (key_length as u32).wrapping_mul(2),
                value: text.len().wrapping_sub(value.len()) as u32,
                value_end: text.len().wrapping_sub(behind.len()) as u32,
            });
            rest = Walk::<true>::blank(next);
        }
        rest
    }

    #[inline(always)]
    fn push(&mut self, place: MemberPlace) {
        if self.places.len() < MAX_MEMBERS {
            self.places.push(place);
        } else {
            self.is_whole = false;
        }
    }

    /// Whether all members are here; of an object with more than 256 only the first are.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The keys as written in `text`, which is the text this was made of, and whether they have escapes; in its order.
    pub(crate) fn keys<'a>(&self, text: &'a [u8]) -> impl Iterator<Item = (&'a [u8], bool)> {
        self.places.iter().filter_map(move |place| {
            let end = place.key.wrapping_add(place.key_length / 2);
            let written = text.get(place.key as usize..end as usize)?;
            Some((written, !place.key_length.is_multiple_of(2)))
        })
    }

    /// The keys of `text`, which is the text this was made of, as they read; in its order.
    pub fn names(&self, text: &[u8]) -> Vec<String> {
        self.keys(text).map(|(key, _)| String::from_utf8_lossy(&unescape(key)).into_owned()).collect()
    }

    /// The [`key_bit`] of every key; of one with escapes, which may be any, all.
    pub fn key_bits(&self, text: &[u8]) -> u64 {
        let bit = |(key, has_escapes)| if has_escapes { u64::MAX } else { key_bit(key) };
        *self.key_bits.get_or_init(|| self.keys(text).fold(0, |bits, key| bits | bit(key)))
    }

    /// The members of `text`, which is the text this was made of, with the same keys and their values; in its order.
    pub(crate) fn members<'a>(
        &self,
        text: &'a [u8],
        level: Level,
    ) -> impl DoubleEndedIterator<Item = (&'a [u8], bool, Value<'a>)> {
        self.places.iter().filter_map(move |place| {
            let end = place.key.wrapping_add(place.key_length / 2);
            let written = text.get(place.key as usize..end as usize)?;
            let value = text.get(place.value as usize..place.value_end as usize)?;
            Some((written, !place.key_length.is_multiple_of(2), typed(value, level)))
        })
    }

    /// The value of a key in `text`, which is the text this was made of; of several the last.
    #[inline]
    pub fn get<'a>(&self, text: &'a [u8], level: Level, key: &[u8]) -> Option<Value<'a>> {
        let part = |start: u32, end: u32| text.get(start as usize..end as usize);
        // Most keys differ in their length.
        let wanted = key.len().wrapping_mul(2);
        let is_key = |place: &&MemberPlace| {
            let length = place.key_length as usize;
            if length != wanted && length.is_multiple_of(2) {
                return false;
            }
            let written = part(place.key, place.key.wrapping_add(place.key_length / 2)).unwrap_or_default();
            if length.is_multiple_of(2) { swar::equal(written, key) } else { stands_for(written, level, key) }
        };
        let place = self.places.iter().rev().find(is_key)?;
        part(place.value, place.value_end).map(|text| typed(text, level))
    }
}

/// A value by its first character.
fn typed(text: &[u8], level: Level) -> Value<'_> {
    let quote = match level {
        Level::Plain => 1usize,
        Level::Quoted => 2,
    };
    match text.first() {
        Some(b'"' | b'\\') => {
            Value::String(text.get(quote..text.len().saturating_sub(quote)).unwrap_or_default())
        }
        Some(b'{') => Value::Object(text),
        Some(b'[') => Value::Array(text),
        _ => Value::Scalar(text),
    }
}

/// The walk, for a text as it stands or inside a string. Every step takes what is left of the text and hands on what is
/// left behind it: slices, because an interpreter pays for every sum of a start and an offset.
pub(super) struct Walk<const QUOTED: bool>;

/// What comes behind a value.
enum BehindValue<'a> {
    /// Another member, which starts there.
    Member(&'a [u8]),
    /// The end of the text.
    End,
}

/// A string that was passed: the bytes of its content, whether it has escapes, and what is left.
type BehindString<'a> = (usize, bool, &'a [u8]);

impl<const QUOTED: bool> Walk<QUOTED> {
    /// Takes the members of an object, or those behind the value that `rest` stands behind where some are known.
    fn members(text: &[u8], rest: &[u8], outline: &mut Outline) -> Option<()> {
        let mut rest = if outline.places.is_empty() {
            let (b'{', rest) = Self::blank(text).split_first()? else { return None };
            let rest = Self::blank(rest);
            if let [b'}', behind @ ..] = rest {
                return Self::blank(behind).is_empty().then_some(());
            }
            outline.places.reserve(12);
            rest
        } else {
            match Self::behind_value(rest)? {
                BehindValue::Member(rest) => rest,
                BehindValue::End => return Some(()),
            }
        };
        let quote = if QUOTED { 2usize } else { 1 };
        loop {
            if QUOTED {
                rest = outline.short_members(text, rest);
            }
            let key = text.len().wrapping_sub(rest.len()).wrapping_add(quote);
            let (length, has_escapes, behind) = Self::string(rest)?;
            let value = grammar::colon::<Self>(behind)?;
            rest = grammar::value(&mut Walk::<QUOTED>, value)?;
            outline.push(MemberPlace {
                key: key as u32,
                key_length: (length as u32).wrapping_mul(2) | u32::from(has_escapes),
                value: text.len().wrapping_sub(value.len()) as u32,
                value_end: text.len().wrapping_sub(rest.len()) as u32,
            });
            rest = match Self::behind_value(rest)? {
                BehindValue::Member(rest) => rest,
                BehindValue::End => return Some(()),
            };
        }
    }

    /// What comes behind a value of the object itself.
    #[inline(always)]
    fn behind_value(rest: &[u8]) -> Option<BehindValue<'_>> {
        match rest {
            [b',', behind @ ..] => Some(BehindValue::Member(Self::blank(behind))),
            _ => match Self::blank(rest) {
                [b',', behind @ ..] => Some(BehindValue::Member(Self::blank(behind))),
                [b'}', behind @ ..] if Self::blank(behind).is_empty() => Some(BehindValue::End),
                _ => None,
            },
        }
    }

    /// What is left behind blanks.
    #[inline(always)]
    pub(super) fn blank(rest: &[u8]) -> &[u8] {
        match rest {
            [b'\\', b'"', ..] => rest,
            [first, ..] if *first > b' ' && *first != b'\\' => rest,
            // One blank, as most printers write that write any.
            [b' ', behind @ ..] if matches!(behind, [b'\\', b'"', ..]) => behind,
            [b' ', behind @ ..] if matches!(behind, [b'"' | b'0'..=b'9', ..]) => behind,
            _ => Self::behind_blanks(rest),
        }
    }

    #[cold]
    #[inline(never)]
    fn behind_blanks(rest: &[u8]) -> &[u8] {
        let level = if QUOTED { Level::Quoted } else { Level::Plain };
        rest.get(skip_blank(rest, 0, level)..).unwrap_or_default()
    }

    /// Passes a string.
    #[inline(always)]
    fn string(rest: &[u8]) -> Option<BehindString<'_>> {
        if !QUOTED {
            return Self::plain_string(rest);
        }
        let [b'\\', b'"', content @ ..] = rest else { return None };
        // Most strings have no escapes: the first backslash belongs to the closing quote.
        let length = find_backslash(content).or_else(|| swar::find_byte(content, 0, b'\\'))?;
        match content.get(length..)? {
            [b'\\', b'"', behind @ ..] => Some((length, false, behind)),
            _ => Self::quoted_string(content, length),
        }
    }

    #[inline(never)]
    fn plain_string(rest: &[u8]) -> Option<BehindString<'_>> {
        let [b'"', content @ ..] = rest else { return None };
        let (end, after, _) = plain_end(content, 0)?;
        let inner = content.get(..end)?;
        let mut from = 0usize;
        let mut has_escapes = false;
        while let Some(backslash) = swar::find_byte(inner, from, b'\\') {
            has_escapes = true;
            from = escape(inner.get(backslash..)?)?.wrapping_add(backslash);
        }
        let passed = (end, has_escapes, content.get(after..)?);
        inner.iter().all(|&byte| byte >= b' ').then_some(passed)
    }

    /// A string inside a string, from its first backslash.
    #[inline(never)]
    fn quoted_string(content: &[u8], first: usize) -> Option<BehindString<'_>> {
        let mut rest = content.get(first..)?;
        loop {
            // Most are the short ones, a backslash and a letter, written with one backslash more; first two at a time.
            while let Some(word) = rest.first_chunk::<8>()
                && are_two_escapes(u64::from_le_bytes(*word))
            {
                rest = rest.get(6..)?;
            }
            while let Some(head) = rest.first_chunk::<4>()
                && let length = nested_escape(*head)
                && length > 0
            {
                rest = rest.get(length..)?;
            }
            if rest.first() != Some(&b'\\') {
                let gap = find_backslash(rest).or_else(|| swar::find_byte(rest, 0, b'\\'))?;
                rest = rest.get(gap..)?;
                continue;
            }
            let at = content.len().wrapping_sub(rest.len());
            let length = match rest {
                [b'\\', b'"', behind @ ..] => return Some((at, at != first, behind)),
                // The string's own escape: `\"` and `\\` are written with a backslash for each of their characters.
                [b'\\', b'\\', b'\\', b'"' | b'\\', ..] => 4,
                [b'\\', b'\\', b'u', ..] => escape(rest.get(1..)?)?.wrapping_add(1),
                [b'\\', b'\\', b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 3,
                // A control character that the host has escaped: `\u0000` to `\u001f` here, `\n` and the like below.
                [b'\\', b'u', b'0', b'0', b'0' | b'1', ..] => return None,
                [b'\\', b'u', ..] => escape(rest)?,
                _ => return None,
            };
            rest = rest.get(length..)?;
        }
    }
}

impl<'t, const QUOTED: bool> Grammar<'t> for Walk<QUOTED> {
    #[inline(always)]
    fn max_depth(&self) -> u32 {
        MAX_DEPTH
    }

    #[inline(always)]
    fn blank(rest: &'t [u8]) -> &'t [u8] {
        Walk::<QUOTED>::blank(rest)
    }

    #[inline(always)]
    fn string(&mut self, rest: &'t [u8]) -> Option<&'t [u8]> {
        Walk::<QUOTED>::string(rest).map(|(_, _, behind)| behind)
    }

    #[inline(always)]
    fn scalar(&mut self, rest: &'t [u8]) -> Option<&'t [u8]> {
        scalar(rest)
    }
}

/// The length of an escape of a string inside a string, if it is one of those with one letter: `\\n`, `\\\"`, `\\\\`.
#[inline(always)]
fn nested_escape(head: [u8; 4]) -> usize {
    let [_, _, letter, last] = head;
    if u32::from_le_bytes(head) & 0xffff != u32::from_le_bytes(*b"\\\\\0\0") {
        return 0;
    }
    match NESTED.get(usize::from(letter)) {
        Some(4) if last != b'"' && last != b'\\' => 0,
        Some(length) => usize::from(*length),
        None => 0,
    }
}

/// Whether a word starts with two escapes of three bytes.
#[inline(always)]
fn are_two_escapes(word: u64) -> bool {
    const BACKSLASHES: u64 = 0x5c_5c00_5c5c;
    const MASK: u64 = 0xff_ff00_ffff;
    let is_short = |letter: u64| NESTED.get((letter & 0xff) as usize) == Some(&3);
    word & MASK == BACKSLASHES && is_short(word >> 16) && is_short(word >> 40)
}

/// By the byte behind two backslashes, how long the escape is that they belong to; 0 where that needs a closer look.
#[allow(clippy::indexing_slicing)] // While compiling.
static NESTED: [u8; 256] = {
    let mut lengths = [0u8; 256];
    lengths[b'\\' as usize] = 4;
    lengths[b'/' as usize] = 3;
    lengths[b'b' as usize] = 3;
    lengths[b'f' as usize] = 3;
    lengths[b'n' as usize] = 3;
    lengths[b'r' as usize] = 3;
    lengths[b't' as usize] = 3;
    lengths
};

/// How many members an outline remembers.
const MAX_MEMBERS: usize = 256;

#[cfg(test)]
mod tests;
