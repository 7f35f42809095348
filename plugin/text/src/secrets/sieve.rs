//! What a text has at least, if there is a hit in it: asked for every record of a tag that has something to redact, so it decides
//! what redaction costs.
//!
//! The rule kept here: a sieve may be wrong in one direction only. It looks at text as it stands inside JSON, escapes and all, and
//! says that there may be a hit wherever it cannot tell.

use crate::search::{Prepared, frequency};
use crate::swar;

/// One thing that a text with a hit has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// This byte.
    Byte(u8),
    /// One to three digits between two dots, and a digit in front.
    DottedDigits,
    /// Two colons, one behind the other, or as many as an address without them has.
    Colons,
    /// Digits in a row, or in groups, as many as a card has.
    Digits,
    /// This text.
    Text(Prepared),
    /// This word in small letters, whatever its case, searched for by one of its bytes.
    Word {
        /// The word.
        word: Box<[u8]>,
        /// Where in it the letter stands that is rare in logs, and which it is.
        rare: usize,
        /// See `rare`.
        byte: u8,
    },
    /// Nothing that could be looked for: every text may have a hit.
    Anything,
}

/// The signs of all that may be found in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sieve {
    signs: Box<[Sign]>,
}

impl Sign {
    /// This text exactly.
    pub fn text(text: &[u8]) -> Sign {
        if text.is_empty() { Sign::Anything } else { Sign::Text(Prepared::new(text)) }
    }

    /// This word, whatever its case.
    pub fn word(word: &[u8]) -> Sign {
        let word: Box<[u8]> = word.to_ascii_lowercase().into();
        let rare = rarest(&word);
        match word.get(rare).copied() {
            Some(byte) => Sign::Word { word, rare, byte },
            None => Sign::Anything,
        }
    }

    /// The same of a text that may be written with escapes: by the longest part of it that cannot be. Of less than two bytes it
    /// could not be told.
    pub fn within(text: &[u8], exact: bool) -> Sign {
        let is_plain = |byte: u8| (b' '..0x7f).contains(&byte) && !matches!(byte, b'"' | b'\\' | b'/');
        let part = text.split(|byte| !is_plain(*byte)).max_by_key(|part| part.len()).unwrap_or_default();
        match (part.len(), exact) {
            (0 | 1, _) => Sign::Anything,
            (_, true) => Sign::text(part),
            (_, false) => Sign::word(part),
        }
    }

    fn is_in(&self, text: &[u8]) -> bool {
        match self {
            Sign::Byte(byte) => swar::has_rare_byte(text, *byte),
            Sign::DottedDigits => self.in_blocks(text, |from| swar::block_with(text, from, b'.', false)),
            Sign::Colons => self.in_blocks(text, |from| swar::block_with(text, from, b':', false)),
            Sign::Digits => self.in_blocks(text, |from| swar::block_with_row(text, from)),
            Sign::Text(text_sought) => text_sought.find(text, 0).is_some(),
            Sign::Word { byte, .. } => self.in_blocks(text, |from| swar::block_with(text, from, *byte, true)),
            Sign::Anything => true,
        }
    }

    #[inline(always)]
    fn in_blocks(&self, text: &[u8], next: impl Fn(usize) -> Option<usize>) -> bool {
        let mut from = 0usize;
        while let Some(start) = next(from) {
            if self.is_in_block(text, start) {
                return true;
            }
            from = start.wrapping_add(32);
        }
        false
    }

    /// Whether it is at a place in the 32 bytes from one on.
    ///
    /// Not inlined: the loop that passes over the others would keep its words for this.
    #[inline(never)]
    fn is_in_block(&self, text: &[u8], start: usize) -> bool {
        match self {
            Sign::DottedDigits => {
                swar::any_place(text, (start, b'.', false), |at| has_dotted_digits(text, at))
            }
            Sign::Colons => swar::any_place(text, (start, b':', false), |at| has_colons(text, at)),
            Sign::Digits => swar::any_row(text, start, |at| has_digits(text, at)),
            Sign::Word { word, rare, byte } => swar::any_place(text, (start, *byte, true), |at| {
                let there =
                    at.checked_sub(*rare).and_then(|start| text.get(start..start.checked_add(word.len())?));
                there.is_some_and(|there| there.eq_ignore_ascii_case(word))
            }),
            Sign::Byte(_) | Sign::Text(_) | Sign::Anything => true,
        }
    }
}

impl Sieve {
    /// A sieve for all of these; one sign is asked once.
    pub fn new(signs: impl IntoIterator<Item = Sign>) -> Sieve {
        let mut all: Vec<Sign> = Vec::new();
        for sign in signs {
            if !all.contains(&sign) {
                all.push(sign);
            }
        }
        if all.contains(&Sign::Anything) {
            all = vec![Sign::Anything];
        }
        Sieve { signs: all.into() }
    }

    /// Whether a text without a sign stays without one when its digits change, each to another digit or to what stands near them in
    /// ASCII: `:;<=>?`.
    pub fn stands_other_digits(&self) -> bool {
        !self.signs.iter().any(|sign| match sign {
            Sign::Colons | Sign::Anything => true,
            Sign::Byte(byte) => byte & 0xf0 == 0x30,
            Sign::DottedDigits | Sign::Digits => false,
            Sign::Text(text) => text.bytes().iter().any(|byte| byte & 0xf0 == 0x30),
            Sign::Word { word, .. } => word.iter().any(|byte| byte & 0xf0 == 0x30),
        })
    }

    /// A byte without which nothing is hit, when there is one that few lines have.
    pub fn rare_byte(&self) -> Option<u8> {
        let byte = match &*self.signs {
            [Sign::Byte(byte)] => *byte,
            [Sign::Text(text)] => text.rarest(),
            _ => return None,
        };
        (byte.is_ascii() && frequency(byte) <= RARE).then_some(byte)
    }

    /// Whether there may be a hit in a text that stands inside JSON.
    #[inline]
    pub fn may_hit(&self, text: &[u8]) -> bool {
        match &*self.signs {
            [Sign::Byte(byte)] => swar::has_rare_byte(text, *byte),
            signs => signs.iter().any(|sign| sign.is_in(text)),
        }
    }
}

/// Whether printable ASCII is written as an escape in this text, so that nothing in it is what it looks like: `\u0040`, however many
/// backslashes stand in front.
pub fn has_hidden(text: &[u8]) -> bool {
    let is_hidden = |at: usize| {
        matches!(text.get(at.wrapping_add(1)..at.wrapping_add(5)), Some([b'u', b'0', b'0', b'2'..=b'7']))
    };
    let mut from = 0usize;
    while let Some(start) = swar::block_with(text, from, b'\\', false) {
        if swar::any_place(text, (start, b'\\', false), is_hidden) {
            return true;
        }
        from = start.wrapping_add(32);
    }
    false
}

/// Whether the first two dots of an address may stand here.
fn has_dotted_digits(text: &[u8], at: usize) -> bool {
    let is_digit = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_digit);
    if !is_digit(at.checked_sub(1)) {
        return false;
    }
    let behind = text.get(at.wrapping_add(1)..).unwrap_or_default();
    let digits = behind.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    (1..=3).contains(&digits) && behind.get(digits) == Some(&b'.')
}

/// Whether an address may stand around a colon.
fn has_colons(text: &[u8], at: usize) -> bool {
    let byte = |at: Option<usize>| at.and_then(|at| text.get(at)).copied().unwrap_or_default();
    let (before, next) = (byte(at.checked_sub(1)), byte(at.checked_add(1)));
    if before == b':' || next == b':' {
        return true;
    }
    if !before.is_ascii_hexdigit() || !next.is_ascii_hexdigit() {
        return false;
    }
    // Without a double colon there are seven: this may be the first of them.
    let row = text.get(at..).unwrap_or_default().iter().take(40);
    row.take_while(|byte| byte.is_ascii_hexdigit() || **byte == b':').filter(|byte| **byte == b':').count()
        >= 6
}

/// Whether as many digits as a card has stand around a place, with at most one blank or dash between two.
fn has_digits(text: &[u8], at: usize) -> bool {
    let is_in = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-');
    let front = text.get(at.saturating_sub(ROW)..at).unwrap_or_default();
    let start = at.saturating_sub(front.iter().rev().take_while(is_in).count());
    let row = text.get(start..).unwrap_or_default().iter().take(ROW.wrapping_mul(2)).take_while(is_in);
    row.filter(|byte| byte.is_ascii_digit()).count() >= FEWEST
}

/// Where in a word the letter stands that is rarest in logs, in either case.
fn rarest(word: &[u8]) -> usize {
    let common = |byte: u8| frequency(byte).saturating_add(frequency(byte.to_ascii_uppercase()));
    (0..word.len()).min_by_key(|at| word.get(*at).map_or(0, |byte| common(*byte))).unwrap_or_default()
}

/// Bytes of a card's number with all its groups, and more.
const ROW: usize = 24;
/// Digits that a card has at least.
const FEWEST: usize = 13;
/// Of a byte that few lines have, in thousandths of all.
const RARE: u8 = 2;
