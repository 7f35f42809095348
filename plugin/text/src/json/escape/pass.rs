//! Strings with many escapes, passed eight bytes at a time.
//!
//! A line of control characters, tabs or backslashes is nothing but escapes, and one step for each would cost ten times what plain text
//! does. The rule kept here: what is passed says of its escapes what [`Escapes::at`] says of each, and what stands behind is not
//! inside an escape.

use crate::json::Escapes;
use crate::swar::exact_zeros;

/// Passes escapes of UTF-16 units that stand one behind the other, the first at `at`; where the text goes on.
///
/// Four digits are taken for what they should be, but for a quote or a backslash among them: those are left to the caller.
#[inline]
pub(crate) fn pass_units(text: &[u8], mut at: usize, worst: &mut Escapes) -> usize {
    while let Some(word) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let bytes = u64::from_le_bytes(*word);
        if bytes & 0xffff != UNIT {
            return at;
        }
        if bytes & CONTROL_MASK == CONTROL && !matches!(word.get(5), Some(b'"' | b'\\')) {
            *worst = (*worst).max(Escapes::Short);
            at = at.wrapping_add(6);
            continue;
        }
        *worst = (*worst).max(Escapes::at(text, at));
        let special = exact_zeros(bytes ^ QUOTES) | exact_zeros(bytes ^ BACKSLASHES);
        if special & DIGITS != 0 {
            return at.wrapping_add(2);
        }
        at = at.wrapping_add(6);
    }
    if text.get(at..at.wrapping_add(2)) != Some(b"\\u") {
        return at;
    }
    *worst = (*worst).max(Escapes::at(text, at));
    at.wrapping_add(2)
}

/// How many bytes at the start of a text, which is not inside an escape, are whole words of a string's content: up to the word with
/// its closing quote, or to where there are no escapes for two words.
#[inline(never)]
pub(crate) fn pass_escapes(text: &[u8], worst: &mut Escapes) -> usize {
    let (mut length, mut idle) = (0usize, 0u32);
    // Marks the first byte of a word when the word before ends in the middle of an escape.
    let mut open = 0u64;
    // A letter whose escape has been looked at.
    let mut letter = LOW.wrapping_mul(b'n' as u64);
    let mut found = *worst;
    for word in text.as_chunks::<8>().0 {
        let word = u64::from_le_bytes(*word);
        let (quotes, backslashes) = (exact_zeros(word ^ QUOTES), exact_zeros(word ^ BACKSLASHES));
        let (escaped, next) = escaped(backslashes, open);
        if quotes & !escaped != 0 {
            break;
        }
        open = next;
        let start = length;
        length = length.wrapping_add(8);
        if escaped | next == 0 {
            idle = idle.wrapping_add(1);
            if idle == 2 {
                break;
            }
            continue;
        }
        idle = 0;
        if found == Escapes::Irregular || escaped == 0 {
            continue;
        }
        found = found.max(if escaped & backslashes == 0 { Escapes::Short } else { Escapes::Nested });
        let mut others = escaped & !(quotes | backslashes) & !exact_zeros(word ^ letter);
        while others != 0 {
            let at = start.wrapping_add((others.trailing_zeros() / 8) as usize);
            others &= others.wrapping_sub(1);
            // Control characters are all that most printers escape in this way.
            let unit = text.get(at..).and_then(<[u8]>::first_chunk::<4>).map(|unit| u32::from_le_bytes(*unit));
            if unit.is_some_and(|unit| unit & CONTROL_UNIT_MASK == CONTROL_UNIT) {
                continue;
            }
            found = found.max(Escapes::at(text, at.wrapping_sub(1)));
            match text.get(at) {
                Some(b'u') | None => {}
                Some(byte) => letter = LOW.wrapping_mul(u64::from(*byte)),
            }
        }
    }
    *worst = found;
    // A backslash at the end belongs to what comes next.
    if open == 0 { length } else { length.wrapping_sub(1) }
}

/// Marks the bytes of a word that stand behind the backslash of an escape, and the first of the next word in the same way.
#[inline(always)]
fn escaped(backslashes: u64, open: u64) -> (u64, u64) {
    let behind = backslashes.wrapping_shl(8) | open;
    if backslashes & behind == 0 {
        return (behind, backslashes.wrapping_shr(56));
    }
    if backslashes == HIGH {
        return if open == 0 { (SECOND, 0) } else { (SECOND.wrapping_shr(8), FIRST) };
    }
    in_runs(backslashes, open)
}

/// The same where backslashes stand side by side: of a run every second one is escaped. A subtraction carries through each run, as in
/// Langdale and Lemire, *Parsing gigabytes of JSON per second* (2019).
#[inline]
fn in_runs(backslashes: u64, open: u64) -> (u64, u64) {
    let bits = backslashes.wrapping_shr(7).wrapping_mul(0x0102_0408_1020_4080).wrapping_shr(56);
    let open = open.wrapping_shr(7);
    let starts = bits & !open;
    let codes = (starts.wrapping_shl(1) | ODD).wrapping_sub(starts) ^ ODD;
    let escaped = (codes ^ (bits | open)) & 0xff;
    let next = (codes & bits).wrapping_shr(7) & 1;
    let lanes = escaped.wrapping_mul(LOW) & 0x8040_2010_0804_0201;
    (lanes.wrapping_add(!HIGH) & HIGH, next.wrapping_shl(7))
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
const QUOTES: u64 = 0x2222_2222_2222_2222;
const BACKSLASHES: u64 = 0x5c5c_5c5c_5c5c_5c5c;
/// The first byte of a word, and every second one.
const FIRST: u64 = 0x80;
const SECOND: u64 = 0x8000_8000_8000_8000;
/// Every second bit of eight.
const ODD: u64 = 0xaa;
/// `\u`
const UNIT: u64 = 0x755c;
/// `\u000` and `\u001`, and what is compared.
const CONTROL: u64 = 0x30_3030_755c;
const CONTROL_MASK: u64 = 0xfe_ffff_ffff;
/// The same without the backslash.
const CONTROL_UNIT: u32 = 0x3030_3075;
const CONTROL_UNIT_MASK: u32 = 0xfeff_ffff;
/// Where the four digits stand.
const DIGITS: u64 = 0x8080_8080_0000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Escape by escape: where content ends or stops being whole, and the worst of its escapes.
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
        fn words_are_passed_as_escapes_are_one_by_one(
            text in "([a\\\\]|\\\\\\\\|\\\\\"|\\\\n|\\\\t|\\\\/|\\\\u0001|\\\\u00e9|\\\\u0041|a{9}|\"){0,40}",
        ) {
            let text = text.as_bytes();
            let mut worst = Escapes::None;
            let length = pass_escapes(text, &mut worst);
            let (expected, is_whole) = one_by_one(text, length).expect("no closing quote is passed");
            prop_assert!(is_whole, "{length} is inside an escape");
            prop_assert_eq!(worst, expected);
            // It stops at a word with a closing quote, behind two words without escapes, or at the end.
            let rest = &text[length..];
            let stops = rest.len() < 16 && (rest.len() < 9 || one_by_one(rest, 9).is_none())
                || one_by_one(rest, 9.min(rest.len())).is_none()
                || text[length.saturating_sub(16)..length].iter().all(|byte| *byte != b'\\');
            prop_assert!(stops, "{length} of {}", text.len());
        }

        #[test]
        fn units_are_passed_as_escapes_are_one_by_one(text in "(\\\\u0001|\\\\u001f|\\\\u00e9|\\\\u007f|\\\\u12\"|\\\\u1\\\\n|\\\\n|a|\"){0,12}") {
            let text = text.as_bytes();
            if text.starts_with(b"\\u") {
                let mut worst = Escapes::None;
                let length = pass_units(text, 0, &mut worst);
                let (expected, is_whole) = one_by_one(text, length).expect("no closing quote is passed");
                prop_assert!(is_whole && length >= 2);
                prop_assert_eq!(worst, expected);
            }
        }
    }
}
