//! Strings with many escapes, passed without a search for each.
//!
//! A line of control characters, tabs or backslashes is nothing but escapes, and a search for the next one would cost ten times what
//! plain text does. The rule kept here: what is passed says of its escapes what [`Escapes::at`] says of each, and what stands behind
//! is not inside an escape.

use crate::json::Escapes;
use crate::swar::zero_bytes;

/// How many bytes at the start of a text, which is not inside an escape, are a string's content: up to its closing quote, or to where
/// there are no escapes for some bytes.
///
/// Eight bytes at a time: which of them are quotes and backslashes says which are escaped, whatever stands between them.
#[inline(never)]
pub(crate) fn pass_escapes(text: &[u8], worst: &mut Escapes) -> usize {
    let (mut rest, mut seen) = (text, 0u8);
    let (mut escaped_quotes, mut escaped_backslashes) = (0u8, 0u8);
    while let Some(word) = rest.first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        // `\\n`: an escape of a text that stands in a text.
        if word as u16 == NESTED_START && !is_special((word >> 16) as u8) {
            escaped_backslashes = 1;
            rest = rest.get(3..).unwrap_or_default();
            continue;
        }
        // Control characters and letters in turn, as colours are: looked for first, for each is almost eight bytes.
        let near_unit = match word {
            _ if word as u16 == UNIT_START => Some((word, 0)),
            _ if (word >> 8) as u16 == UNIT_START && !is_special(word as u8) => Some((word >> 8, 1usize)),
            _ => None,
        };
        if let Some((escape, before)) = near_unit {
            rest = if escape & CONTROL_MASK == CONTROL && !is_special((escape >> 40) as u8) {
                seen |= SHORT;
                rest.get(before.wrapping_add(6)..).unwrap_or_default()
            } else {
                unit(rest.get(before.wrapping_add(2)..).unwrap_or_default(), &mut seen)
            };
            continue;
        }
        // One byte before an escape of one letter.
        if (word >> 8) as u8 == b'\\' && !is_special(word as u8) {
            seen |= kind((word >> 16) as u8);
            rest = rest.get(3..).unwrap_or_default();
            continue;
        }
        let (quotes, backslashes) = if word & ALL_HIGH == 0 {
            (bits_of_ascii(word ^ ALL_QUOTES), bits_of_ascii(word ^ ALL_BACKSLASHES))
        } else {
            (bits(word ^ ALL_QUOTES), bits(word ^ ALL_BACKSLASHES))
        };
        if (quotes | backslashes) & 3 == 0 {
            let first = (quotes | backslashes).trailing_zeros() as usize;
            let length = if first < 8 { Some(first) } else { near_special(rest) };
            let Some(length) = length else { break };
            rest = rest.get(length..).unwrap_or_default();
            continue;
        }
        let escaped = escaped(backslashes);
        let ends = quotes & !escaped;
        // All before the closing quote, or all.
        let before = (ends & ends.wrapping_neg()).wrapping_sub(1);
        let inside = escaped & before;
        escaped_quotes |= inside & quotes;
        escaped_backslashes |= inside & backslashes;
        let mut letters = inside & !(quotes | backslashes);
        let mut behind_unit = None;
        while letters != 0 {
            let at = letters.trailing_zeros();
            let kind = kind((word >> at.wrapping_mul(8)) as u8);
            if kind == UNIT {
                behind_unit = rest.get(at as usize..);
                break;
            }
            seen |= kind;
            letters &= letters.wrapping_sub(1);
        }
        if let Some([_, digits @ ..]) = behind_unit {
            rest = unit(digits, &mut seen);
        } else if ends != 0 {
            rest = rest.get(ends.trailing_zeros() as usize..).unwrap_or_default();
            break;
        } else {
            rest = if backslashes & !escaped & LAST == 0 {
                behind_same(rest, word)
            } else {
                // What the last backslash escapes stands behind these eight.
                rest.get(7..).unwrap_or_default()
            };
        }
    }
    if rest.len() < 8 {
        rest = last_bytes(rest, &mut seen);
    }
    if escaped_quotes != 0 {
        seen |= SHORT;
    }
    if escaped_backslashes != 0 {
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

/// The same, byte by byte, of the less than eight at the end; what is left of them.
#[inline(never)]
fn last_bytes<'t>(mut rest: &'t [u8], seen: &mut u8) -> &'t [u8] {
    while let [first, behind @ ..] = rest {
        rest = match (first, behind) {
            (b'"', _) | (b'\\', []) => break,
            (b'\\', [letter, digits @ ..]) if kind(*letter) == UNIT => unit(digits, seen),
            (b'\\', [letter, behind @ ..]) => {
                *seen |= kind(*letter);
                behind
            }
            _ => behind,
        };
    }
    rest
}

/// Whether a byte ends a string or begins an escape.
#[inline(always)]
fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\'
}

/// One bit for each zero byte of a word of ASCII, of which no byte borrows from the next one; the lowest for the first.
#[inline(always)]
fn bits_of_ascii(word: u64) -> u8 {
    ((ALL_HIGH.wrapping_sub(word) & ALL_HIGH).wrapping_mul(0x0002_0408_1020_4081) >> 56) as u8
}

/// The same of any word.
#[inline(never)]
fn bits(word: u64) -> u8 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let marks = !((word & LOW).wrapping_add(LOW) | word | LOW);
    ((marks >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

/// Which of eight bytes are escaped, by which of them are backslashes; the first is not.
#[inline(always)]
fn escaped(backslashes: u8) -> u8 {
    ESCAPED.get(usize::from(backslashes)).copied().unwrap_or(0)
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
    if (zeros(word ^ QUOTES) | zeros(word ^ BACKSLASHES)) & HIGH != 0 {
        return behind;
    }
    let known = u64::from(word) << 16 | u64::from(UNIT_START);
    let mut left = after;
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

/// For each pattern of backslashes among eight bytes, which of the eight are escaped when the first is not.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // While compiling.
static ESCAPED: [u8; 256] = {
    let (mut escaped, mut backslashes) = ([0u8; 256], 0usize);
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
};

/// The bit of the last of eight bytes.
const LAST: u8 = 0b1000_0000;
const HIGH: u32 = 0x8080_8080;
const QUOTES: u32 = 0x2222_2222;
const BACKSLASHES: u32 = 0x5c5c_5c5c;
/// A backslash and its letter.
const NESTED_START: u16 = u16::from_le_bytes(*b"\\\\");
const UNIT_START: u16 = u16::from_le_bytes(*b"\\u");
/// What the unit of a control character starts with but for the lowest bit of its third digit, and the bits that say so.
const CONTROL: u64 = 0x30_3030_755c;
const CONTROL_MASK: u64 = 0xfe_ffff_ffff;
/// The six bytes of a unit.
const UNIT_MASK: u64 = 0xffff_ffff_ffff;
const ALL_HIGH: u64 = 0x8080_8080_8080_8080;
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
            text in "(a|é|(\\\\\\\\){1,9}|\\\\\"|(\\\\n){1,9}|\\\\t|\\\\/|\\\\u0001|\\\\u001f|\\\\u00e9|\\\\u4e2d|\\\\u0041|\\\\u12\"|\\\\u1\\\\n|\\\\u000\"|a{9}|a{18}|\"|\\\\){0,30}",
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
