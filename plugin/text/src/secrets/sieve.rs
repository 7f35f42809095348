//! What a text has at least, if there is a hit in it: asked for every record of a tag that has something to redact, so it decides
//! what redaction costs.
//!
//! The rule kept here: a sieve may be wrong in one direction only. It looks at text as it stands inside JSON, escapes and all, and
//! says that there may be a hit wherever it cannot tell.

use crate::search::frequency;
use crate::swar::{self, any_byte};

/// One thing that a text with a hit has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// This byte.
    Byte(u8),
    /// A dot between two digits.
    DotBetweenDigits,
    /// Two colons, one behind the other, or as many as an address without them has.
    Colons,
    /// Digits in a row, or in groups, as many as a card has.
    Digits,
    /// This text, searched for by one of its bytes.
    Text {
        /// The text; where case does not matter, in small letters.
        text: Box<[u8]>,
        /// Whether case matters.
        exact: bool,
        /// Where in it the byte stands that is rare in logs.
        rare: usize,
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
        Sign::Text { text: text.into(), exact: true, rare: rarest(text, true) }
    }

    /// This word, whatever its case.
    pub fn word(word: &[u8]) -> Sign {
        let text = word.to_ascii_lowercase();
        Sign::Text { rare: rarest(&text, false), text: text.into(), exact: false }
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
            Sign::Byte(byte) => any_byte(text, *byte, false, |_| true),
            Sign::DotBetweenDigits => any_byte(text, b'.', false, |at| {
                let is_digit =
                    |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_digit);
                is_digit(at.checked_sub(1)) && is_digit(at.checked_add(1))
            }),
            Sign::Colons => any_byte(text, b':', false, |at| has_colons(text, at)),
            Sign::Digits => swar::any_row(text, |at| has_digits(text, at)),
            Sign::Text { text: wanted, exact, rare } => {
                let Some(byte) = wanted.get(*rare) else { return true };
                any_byte(text, *byte, !exact, |at| {
                    let start = at.checked_sub(*rare);
                    let there = start.and_then(|start| text.get(start..start.checked_add(wanted.len())?));
                    there.is_some_and(|there| {
                        if *exact { swar::equal(there, wanted) } else { there.eq_ignore_ascii_case(wanted) }
                    })
                })
            }
            Sign::Anything => true,
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

    /// Whether there may be a hit in a text that stands inside JSON.
    #[inline]
    pub fn may_hit(&self, text: &[u8]) -> bool {
        self.signs.iter().any(|sign| sign.is_in(text))
    }
}

/// Whether printable ASCII is written as an escape in this text, so that nothing in it is what it looks like: `\u0040`, however many
/// backslashes stand in front.
pub fn has_hidden(text: &[u8]) -> bool {
    any_byte(text, b'\\', false, |at| {
        matches!(text.get(at.wrapping_add(1)..at.wrapping_add(5)), Some([b'u', b'0', b'0', b'2'..=b'7']))
    })
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

/// Where in a text the byte stands that is rarest in logs.
fn rarest(text: &[u8], exact: bool) -> usize {
    let common = |byte: u8| {
        let other = if exact { 0 } else { frequency(byte.to_ascii_uppercase()) };
        frequency(byte).saturating_add(other)
    };
    (0..text.len()).min_by_key(|at| text.get(*at).map_or(0, |byte| common(*byte))).unwrap_or_default()
}

/// Bytes of a card's number with all its groups, and more.
const ROW: usize = 24;
/// Digits that a card has at least.
const FEWEST: usize = 13;
