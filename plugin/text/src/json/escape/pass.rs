//! Strings with many escapes, passed without a search for each.
//!
//! A line of control characters, tabs or backslashes is nothing but escapes, and a search for the next one would cost ten times what
//! plain text does. The rule kept here: what is passed says of its escapes what [`Escapes::at`] says of each, and what stands behind
//! is not inside an escape.

use crate::json::Escapes;
use crate::json::escape::blocks::Blocks;
use crate::swar::{HIGH, exact_zeros, zero_bytes};

/// How many bytes at the start of a text, which is not inside an escape, are a string's content: up to its closing quote, or to where
/// there are no escapes for some bytes.
///
/// Eight bytes at a time: which of them are quotes and backslashes says which are escaped, whatever stands between them.
#[inline(never)]
pub(crate) fn pass_escapes(text: &[u8], worst: &mut Escapes) -> usize {
    let (mut rest, mut seen) = (text, 0u8);
    // Marks the first byte if it is escaped by the one before.
    let mut open = 0u64;
    // Marks of what was escaped, and of the backslashes among it.
    let (mut escapes, mut nested) = (0u64, 0u64);
    let mut blocks = Blocks::default();
    while let Some(word) = rest.first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        // Control characters and letters in turn, as colours are: looked for first, for each is almost eight bytes.
        if word as u16 == UNIT_START && open == 0 {
            rest = if word & CONTROL_MASK == CONTROL && !is_special((word >> 40) as u8) {
                seen |= SHORT;
                match behind_control(word) {
                    6 => behind_same_units(rest.get(6..).unwrap_or_default(), word),
                    length => rest.get(length..).unwrap_or_default(),
                }
            } else {
                unit(rest.get(2..).unwrap_or_default(), &mut seen)
            };
            continue;
        }
        // `\\n`: an escape of a text that stands in a text.
        if word as u16 == NESTED_START && open == 0 && !is_special((word >> 16) as u8) {
            seen |= NESTED;
            let is_double = (word >> 24) as u16 == NESTED_START && !is_special((word >> 40) as u8);
            rest = rest.get(if is_double { 6 } else { 3 }..).unwrap_or_default();
            rest = blocks.pass(text, rest, true);
            continue;
        }
        let is_ascii = word & HIGH == 0;
        let (quotes, backslashes) = if is_ascii {
            (zeros_of_ascii(word ^ QUOTES), zeros_of_ascii(word ^ BACKSLASHES))
        } else {
            (exact_zeros(word ^ QUOTES), exact_zeros(word ^ BACKSLASHES))
        };
        if (quotes | backslashes | open) & FIRST_TWO == 0 {
            let first = ((quotes | backslashes).trailing_zeros() / 8) as usize;
            let length = if first < 8 { Some(first) } else { near_special(rest) };
            let Some(length) = length else { break };
            rest = rest.get(length..).unwrap_or_default();
            continue;
        }
        let mut escaped = backslashes << 8 | open;
        let is_nested = escaped & backslashes != 0;
        if is_nested {
            escaped = escaped_among(backslashes, open != 0);
        }
        let ends = quotes & !escaped;
        if ends != 0 {
            // All before the closing quote.
            escaped &= (ends & ends.wrapping_neg()).wrapping_sub(1);
        }
        if is_nested {
            nested |= escaped & backslashes;
        }
        escapes |= escaped;
        let letters = escaped & !(quotes | backslashes);
        // Ends of lines and tabs are nearly all of them.
        if letters != 0
            && (!is_ascii || letters & !(zeros_of_ascii(word ^ ALL_N) | zeros_of_ascii(word ^ ALL_T)) != 0)
        {
            let (to_unit, kinds) = unusual(word, letters);
            seen |= kinds;
            if let Some(at) = to_unit {
                // Next, with its backslash; that of the first byte is gone.
                rest = match at.checked_sub(1) {
                    Some(backslash) => rest.get(backslash..).unwrap_or_default(),
                    None => unit(rest.get(1..).unwrap_or_default(), &mut seen),
                };
                open = 0;
                continue;
            }
        }
        if ends != 0 {
            rest = rest.get((ends.trailing_zeros() / 8) as usize..).unwrap_or_default();
            open = 0;
            break;
        }
        let was = open;
        open = if is_nested { (backslashes & !escaped) >> 56 } else { backslashes >> 56 };
        rest = rest.get(8..).unwrap_or_default();
        if open == was {
            rest = behind_same(rest, word);
        }
        if !is_ascii || open != 0 {
            continue;
        }
        rest = blocks.pass(text, rest, is_nested);
    }
    if rest.len() < 8 {
        if open != 0 {
            // With the backslash that escapes the first of them.
            rest = text.get(text.len().wrapping_sub(rest.len()).wrapping_sub(1)..).unwrap_or_default();
        }
        let (left, kinds) = last_bytes(rest);
        (rest, seen) = (left, seen | kinds);
    }
    if escapes != 0 {
        seen |= SHORT;
    }
    if nested != 0 {
        seen |= NESTED;
    }
    let found = match seen {
        0 => Escapes::None,
        _ if seen & IRREGULAR != 0 => Escapes::Irregular,
        _ if seen & WIDE != 0 => Escapes::Wide,
        _ if seen & NESTED != 0 => Escapes::Nested,
        _ => Escapes::Short,
    };
    *worst = (*worst).max(found);
    text.len().wrapping_sub(rest.len())
}

/// The same, byte by byte, of the few at the end; what is left of them.
#[inline(never)]
fn last_bytes(mut rest: &[u8]) -> (&[u8], u8) {
    let mut seen = 0u8;
    while let [first, behind @ ..] = rest {
        rest = match (first, behind) {
            (b'"', _) | (b'\\', []) => break,
            (b'\\', [letter, digits @ ..]) if kind(*letter) == UNIT => unit(digits, &mut seen),
            (b'\\', [letter, behind @ ..]) => {
                seen |= kind(*letter);
                behind
            }
            _ => behind,
        };
    }
    (rest, seen)
}

/// Whether a byte ends a string or begins an escape.
#[inline(always)]
fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\'
}

/// How far it is to what stands behind the control character that a word starts with, and behind up to two other bytes.
#[inline(always)]
fn behind_control(word: u64) -> usize {
    let (next, last) = ((word >> 48) as u8, (word >> 56) as u8);
    // Mostly another one.
    if next == b'\\' || next == b'"' {
        6
    } else if last == b'\\' || last == b'"' {
        7
    } else {
        8
    }
}

/// Where the first UTF-16 unit among escapes has its letter, and what the escapes before it are; all of them where there is none.
#[inline(always)]
fn unusual(word: u64, letters: u64) -> (Option<usize>, u8) {
    let (mut left, mut kinds) = (letters, 0u8);
    while left != 0 {
        let at = left.trailing_zeros() / 8;
        let kind = kind((word >> at.wrapping_mul(8)) as u8);
        if kind == UNIT {
            return (Some(at as usize), kinds);
        }
        kinds |= kind;
        left &= left.wrapping_sub(1);
    }
    (None, kinds)
}

/// Marks each zero byte of a word of ASCII in its high bit: no byte borrows from the next one.
#[inline(always)]
fn zeros_of_ascii(word: u64) -> u64 {
    HIGH.wrapping_sub(word) & HIGH
}

/// Marks which of eight bytes are escaped, by which of them are backslashes and whether the first is escaped.
#[inline(always)]
fn escaped_among(backslashes: u64, is_first: bool) -> u64 {
    let table = if is_first { &ESCAPED_BEHIND } else { &ESCAPED };
    let bits = (backslashes >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let escaped = table.get(bits as usize).copied().unwrap_or(0);
    // Each bit to the high bit of its byte.
    let spread = u64::from(escaped).wrapping_mul(0x0101_0101_0101_0101) & 0x8040_2010_0804_0201;
    spread.wrapping_add(0x7f7f_7f7f_7f7f_7f7f) & HIGH
}

/// Where the next quote or backslash stands, if it is in the next sixteen bytes.
#[inline(always)]
fn near_special(text: &[u8]) -> Option<usize> {
    let Some(words) = text.first_chunk::<16>() else {
        return text.iter().position(|byte| matches!(byte, b'\\' | b'"')).or(Some(text.len()));
    };
    let mut at = 0usize;
    for word in words.as_chunks::<8>().0 {
        let word = u64::from_le_bytes(*word);
        // The lowest mark is always a true one.
        let found = zero_bytes(word ^ QUOTES) | zero_bytes(word ^ BACKSLASHES);
        if found != 0 {
            return Some(at.wrapping_add((found.trailing_zeros() / 8) as usize));
        }
        at = at.wrapping_add(8);
    }
    None
}

/// What is left behind eight bytes that stand at the start, as often as they follow one another: an escape seldom comes alone.
#[inline]
fn behind_same(text: &[u8], same: u64) -> &[u8] {
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        if u64::from_le_bytes(*word) != same {
            break;
        }
        rest = behind;
    }
    rest
}

/// What is left behind a UTF-16 unit, and behind the same one as often as it follows; `behind` is what stands behind its letter. Four
/// digits are taken for what they should be, but for a quote or a backslash among them.
#[inline(always)]
fn unit<'t>(behind: &'t [u8], seen: &mut u8) -> &'t [u8] {
    let Some((digits, after)) = behind.split_first_chunk::<4>() else {
        *seen |= of_short_unit(behind);
        return behind;
    };
    // Control characters are what most printers escape in this way.
    *seen |= match digits {
        [b'0', b'0', b'0' | b'1', _] => SHORT,
        [b'0', b'0', b'2'..=b'7', _] => IRREGULAR,
        _ => WIDE,
    };
    let word = u32::from_le_bytes(*digits);
    if (zeros(word ^ QUOTES as u32) | zeros(word ^ BACKSLASHES as u32)) & HIGH as u32 != 0 {
        return behind;
    }
    behind_same_units(after, u64::from(word) << 16 | u64::from(UNIT_START))
}

/// What is left behind the UTF-16 unit that a word starts with, as often as it stands at the start of a text.
#[inline(always)]
fn behind_same_units(text: &[u8], known: u64) -> &[u8] {
    let mut left = text;
    while let Some(next) = left.first_chunk::<8>()
        && (u64::from_le_bytes(*next) ^ known) & UNIT_MASK == 0
    {
        left = left.get(6..).unwrap_or_default();
    }
    left
}

/// Marks the zero bytes of a word in their high bits; above the first, others may be marked too.
#[inline(always)]
fn zeros(word: u32) -> u32 {
    word.wrapping_sub(0x0101_0101) & !word
}

/// Of a unit with less than four digits behind its letter.
#[inline(never)]
fn of_short_unit(digits: &[u8]) -> u8 {
    match digits {
        [b'0', b'0', b'0' | b'1', ..] => SHORT,
        [b'0', b'0', b'2'..=b'7', ..] | [] | [_] | [_, _] => IRREGULAR,
        _ => WIDE,
    }
}

/// What an escape is by its letter.
#[inline(always)]
fn kind(letter: u8) -> u8 {
    KINDS.get(usize::from(letter)).copied().unwrap_or(IRREGULAR)
}

const SHORT: u8 = 1;
const NESTED: u8 = 2;
const WIDE: u8 = 4;
const IRREGULAR: u8 = 8;
const UNIT: u8 = 16;

#[allow(clippy::indexing_slicing)] // While compiling.
static KINDS: [u8; 256] = {
    let mut kinds = [IRREGULAR; 256];
    kinds[b'"' as usize] = SHORT;
    kinds[b'n' as usize] = SHORT;
    kinds[b't' as usize] = SHORT;
    kinds[b'r' as usize] = SHORT;
    kinds[b'b' as usize] = SHORT;
    kinds[b'f' as usize] = SHORT;
    kinds[b'\\' as usize] = NESTED;
    kinds[b'u' as usize] = UNIT;
    kinds
};

/// For each pattern of backslashes among eight bytes, which of the eight are escaped when the first is not, and when it is.
static ESCAPED: [u8; 256] = escaped_bytes(0);
static ESCAPED_BEHIND: [u8; 256] = escaped_bytes(1);

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // While compiling.
const fn escaped_bytes(first: u8) -> [u8; 256] {
    let (mut escaped, mut backslashes) = ([first; 256], 0usize);
    while backslashes < 256 {
        let mut at = 0;
        while at < 7 {
            // A backslash that is not escaped itself escapes what follows.
            if backslashes >> at & 1 == 1 && escaped[backslashes] >> at & 1 == 0 {
                escaped[backslashes] |= 2 << at;
            }
            at += 1;
        }
        backslashes += 1;
    }
    escaped
}

pub(super) const QUOTES: u64 = 0x2222_2222_2222_2222;
pub(super) const BACKSLASHES: u64 = 0x5c5c_5c5c_5c5c_5c5c;
const FIRST_TWO: u64 = 0xffff;
pub(super) const ALL_N: u64 = 0x6e6e_6e6e_6e6e_6e6e;
pub(super) const ALL_T: u64 = 0x7474_7474_7474_7474;
/// A backslash and its letter.
const NESTED_START: u16 = u16::from_le_bytes(*b"\\\\");
const UNIT_START: u16 = u16::from_le_bytes(*b"\\u");
/// What the unit of a control character starts with but for the lowest bit of its third digit, and the bits that say so.
const CONTROL: u64 = 0x30_3030_755c;
const CONTROL_MASK: u64 = 0xfe_ffff_ffff;
/// The six bytes of a unit.
const UNIT_MASK: u64 = 0xffff_ffff_ffff;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Escape by escape: the worst before a limit, and whether the limit is not inside one; `None` behind a closing quote.
    fn one_by_one(text: &[u8], limit: usize) -> Option<(Escapes, bool)> {
        let (mut at, mut worst) = (0, Escapes::None);
        while at < limit {
            match text[at] {
                b'"' => return None,
                b'\\' => {
                    worst = worst.max(Escapes::at(text, at));
                    at += 2;
                }
                _ => at += 1,
            }
        }
        Some((worst, at == limit))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn what_is_passed_is_what_escapes_are_one_by_one(
            text in "(a|é|(\\\\\"k|\\\\nab){1,20}|(\\\\\\\\n|\\\\\\\\\\\\\"k|\\\\\"){1,20}|(\\\\\\\\){1,9}|\\\\\"|(\\\\n){1,9}|\\\\t|\\\\/|\\\\u0001|\\\\u001f|\\\\u00e9|\\\\u4e2d|\\\\u0041|\\\\u12\"|\\\\u1\\\\n|\\\\u000\"|a{9}|a{18}|\"|\\\\){0,30}",
        ) {
            let text = text.as_bytes();
            let mut worst = Escapes::None;
            let length = pass_escapes(text, &mut worst);
            let (expected, is_whole) = one_by_one(text, length).expect("no closing quote is passed");
            prop_assert!(is_whole, "{length} is inside an escape");
            prop_assert_eq!(worst, expected);
            let rest = &text[length..];
            let is_idle = rest.len() >= 16 && !rest[..16].contains(&b'\\') && !rest[..16].contains(&b'"');
            prop_assert!(matches!(rest, [] | [b'"', ..] | [b'\\']) || is_idle, "{length} of {}", text.len());
        }
    }

    /// Guarantees: a quote ends the string whatever stands before it, also what is not UTF-8: its bytes say nothing about their neighbours.
    #[test]
    fn a_quote_behind_a_byte_that_is_no_text_ends_the_string() {
        for before in 3..20 {
            let mut text = br"\\a".repeat(before);
            text.extend_from_slice(b"\\\\\xc3");
            let length = text.len();
            text.extend_from_slice(&[&b"\""[..], &br"a\\n".repeat(20)].concat());
            assert_eq!(pass_escapes(&text, &mut Escapes::None), length, "{before}");
        }
    }

    /// Guarantees: one step for an escape, and less for those that are all the same: the work is bounded by the bytes whatever they are.
    #[test]
    fn a_line_of_nothing_but_escapes_is_passed_in_one_go() {
        for escape in
            ["\\n", "\\\\", "\\\"", "\\u0001", "\\u00e9", "\\/", "\\u0001\\n", "ab\\t", "\\u00e9\\\""]
        {
            let text = escape.repeat(1000);
            assert_eq!(pass_escapes(text.as_bytes(), &mut Escapes::None), text.len(), "{escape}");
        }
    }
}
