//! Strings with many escapes, passed without a search for each.
//!
//! A line of control characters, tabs or backslashes is nothing but escapes, and a search for the next one would cost ten times what
//! plain text does. The rule kept here: what is passed says of its escapes what [`Escapes::at`] says of each, and what stands behind
//! is not inside an escape.

use crate::json::Escapes;
use crate::swar::zero_bytes;

/// How many bytes at the start of a text, which is not inside an escape, are a string's content: up to its closing quote, or to where
/// there are no escapes for some bytes.
#[inline(never)]
pub(crate) fn pass_escapes(text: &[u8], worst: &mut Escapes) -> usize {
    let (mut rest, mut seen) = (text, 0u8);
    while let [first, behind @ ..] = rest {
        if *first != b'\\' {
            if *first == b'"' {
                break;
            }
            // One byte by itself; where there are more, the next escape is looked for among some.
            rest = match behind.first() {
                Some(b'\\' | b'"') | None => behind,
                Some(_) => match near_special(behind) {
                    Some(length) => behind.get(length..).unwrap_or_default(),
                    None => break,
                },
            };
            continue;
        }
        let [letter, behind @ ..] = behind else { break };
        let kind = kind(*letter);
        if kind == UNIT {
            rest = unit(rest, behind, &mut seen);
            continue;
        }
        seen |= kind;
        rest = behind;
        // The same escape once more: most likely there are many.
        if let Some(next) = behind.first_chunk::<2>()
            && u16::from_le_bytes(*next) == u16::from_le_bytes([b'\\', *letter])
        {
            rest = behind_pairs(behind, *letter);
        }
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
        let found = zero_bytes(word ^ ALL_QUOTES) | zero_bytes(word ^ ALL_BACKSLASHES);
        if found != 0 {
            return Some(at.wrapping_add((found.trailing_zeros() / 8) as usize));
        }
        at = at.wrapping_add(8);
    }
    None
}

/// What is left behind escapes of one letter that stand one behind the other, of which there is one at least.
#[inline]
fn behind_pairs(text: &[u8], letter: u8) -> &[u8] {
    let pairs = u64::from(u16::from_le_bytes([b'\\', letter])).wrapping_mul(0x0001_0001_0001_0001);
    let mut rest = text.get(2..).unwrap_or_default();
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        if u64::from_le_bytes(*word) != pairs {
            break;
        }
        rest = behind;
    }
    rest
}

/// What is left behind the UTF-16 unit that `rest` starts with, `behind` being what stands behind its letter, and behind the same unit
/// as often as it follows. Four digits are taken for what they should be, but for a quote or a backslash among them.
#[inline(always)]
fn unit<'t>(rest: &'t [u8], behind: &'t [u8], seen: &mut u8) -> &'t [u8] {
    let Some((digits, after)) = behind.split_first_chunk::<4>() else {
        *seen |= of_unit(rest);
        return behind;
    };
    // Control characters are what most printers escape in this way.
    *seen |= match digits {
        [b'0', b'0', b'0' | b'1', _] => SHORT,
        [b'0', b'0', b'2'..=b'7', _] => IRREGULAR,
        _ => WIDE,
    };
    let word = u32::from_le_bytes(*digits);
    if (zeros(word ^ QUOTES) | zeros(word ^ BACKSLASHES)) & HIGH != 0 {
        return behind;
    }
    let mut left = after;
    if let [b'\\', b'u', ..] = left
        && let Some(known) = rest.first_chunk::<8>()
    {
        let known = u64::from_le_bytes(*known);
        while let Some(next) = left.first_chunk::<8>()
            && (u64::from_le_bytes(*next) ^ known) & UNIT_MASK == 0
        {
            left = left.get(6..).unwrap_or_default();
        }
    }
    left
}

/// Marks the zero bytes of a word in their high bits; above the first, others may be marked too.
#[inline(always)]
fn zeros(word: u32) -> u32 {
    word.wrapping_sub(0x0101_0101) & !word
}

#[inline(never)]
fn of_unit(rest: &[u8]) -> u8 {
    match Escapes::at(rest, 0) {
        Escapes::None => 0,
        Escapes::Short => SHORT,
        Escapes::Nested => NESTED,
        Escapes::Wide => WIDE,
        Escapes::Irregular => IRREGULAR,
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

const HIGH: u32 = 0x8080_8080;
const QUOTES: u32 = 0x2222_2222;
const BACKSLASHES: u32 = 0x5c5c_5c5c;
/// The six bytes of a unit.
const UNIT_MASK: u64 = 0xffff_ffff_ffff;
const ALL_QUOTES: u64 = 0x2222_2222_2222_2222;
const ALL_BACKSLASHES: u64 = 0x5c5c_5c5c_5c5c_5c5c;

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
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_passed_is_what_escapes_are_one_by_one(
            text in "(a|(\\\\\\\\){1,9}|\\\\\"|(\\\\n){1,9}|\\\\t|\\\\/|\\\\u0001|\\\\u001f|\\\\u00e9|\\\\u4e2d|\\\\u0041|\\\\u12\"|\\\\u1\\\\n|\\\\u000\"|a{9}|a{18}|\"|\\\\){0,30}",
        ) {
            let text = text.as_bytes();
            let mut worst = Escapes::None;
            let length = pass_escapes(text, &mut worst);
            let (expected, is_whole) = one_by_one(text, length).expect("no closing quote is passed");
            prop_assert!(is_whole, "{length} is inside an escape");
            prop_assert_eq!(worst, expected);
            let rest = &text[length..];
            let is_idle = rest.len() >= 17 && !rest[..17].contains(&b'\\') && !rest[..17].contains(&b'"');
            prop_assert!(matches!(rest, [] | [b'"', ..] | [b'\\']) || is_idle, "{length} of {}", text.len());
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
