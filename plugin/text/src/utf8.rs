//! Whether a text is UTF-8, eight bytes at a time.
//!
//! The host escapes what is not ASCII unless it is told not to; then lines in Cyrillic or Chinese are nothing else, and the standard
//! library goes character by character. The rule kept here: the answer is that of [`std::str::from_utf8`].

use crate::swar;

/// Whether a text is UTF-8.
pub fn is_utf8(text: &[u8]) -> bool {
    let mut rest = text;
    // Marks the bytes at the start of a word that belong to a character of the word before.
    let mut open = 0u64;
    let mut is_ascii = true;
    loop {
        if is_ascii {
            rest = swar::behind_ascii(rest);
        }
        let Some((word, behind)) = rest.split_first_chunk::<8>() else { break };
        let word = u64::from_le_bytes(*word);
        match characters(word, rest, open) {
            Some(next) => open = next,
            None => return false,
        }
        is_ascii = word & HIGH | open == 0;
        rest = behind;
    }
    let mut last = [0u8; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    characters(u64::from_le_bytes(last), rest, open) == Some(0)
}

/// Checks the characters that start in a word, `rest` being the text from it on; what they leave open, in the next word.
#[inline(always)]
fn characters(word: u64, rest: &[u8], open: u64) -> Option<u64> {
    let is_high = word & HIGH;
    let continuing = is_high & !word.wrapping_shl(1);
    // Of two bytes and more, of three and more, of four.
    let leading = is_high & word.wrapping_shl(1);
    if leading == 0 {
        return (continuing == open).then_some(0);
    }
    let (three, four) =
        (leading & word.wrapping_shl(2), leading & word.wrapping_shl(2) & word.wrapping_shl(3));
    let expected = leading.wrapping_shl(8) | three.wrapping_shl(16) | four.wrapping_shl(24) | open;
    let next = leading.wrapping_shr(56) | three.wrapping_shr(48) | four.wrapping_shr(40);
    if expected != continuing {
        return None;
    }
    // 0xc0 and 0xc1 would be ASCII in two bytes.
    let two = leading & !three;
    if two & swar::exact_zeros(word & OVERLONG) != 0 {
        return None;
    }
    if three != 0 && !are_within(word, rest, three & !four, four) {
        return None;
    }
    Some(next)
}

/// Whether characters of three and four bytes could not be shorter, are no surrogates and not beyond the last.
#[inline]
fn are_within(word: u64, rest: &[u8], three: u64, four: u64) -> bool {
    let low = word & LOWER;
    let mut marked = four | (three & (swar::exact_zeros(low) | swar::exact_zeros(low ^ SURROGATE)));
    while marked != 0 {
        let at = (marked.trailing_zeros() / 8) as usize;
        let second = rest.get(at.wrapping_add(1)).copied().unwrap_or_default();
        let fits = match rest.get(at) {
            Some(0xe0) => second >= 0xa0,
            Some(0xed) => second < 0xa0,
            Some(0xf0) => second >= 0x90,
            Some(0xf4) => second < 0x90,
            Some(lead) => *lead < 0xf4,
            None => false,
        };
        if !fits {
            return false;
        }
        marked &= marked.wrapping_sub(1);
    }
    true
}

const HIGH: u64 = 0x8080_8080_8080_8080;
/// What distinguishes 0xc0 and 0xc1 from all other leads of two bytes.
const OVERLONG: u64 = 0x1e1e_1e1e_1e1e_1e1e;
const LOWER: u64 = 0x0f0f_0f0f_0f0f_0f0f;
/// The lower half of 0xed.
const SURROGATE: u64 = 0x0d0d_0d0d_0d0d_0d0d;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_character_is_one_and_no_lead_with_any_second_byte_differs() {
        for before in 0..9 {
            for lead in 0x80..=0xffu8 {
                for second in 0x70..=0xffu8 {
                    for tail in [&[][..], &[0x80], &[0x80, 0x80], &[0xbf, 0xbf, 0x80], b"a"] {
                        let text = [&vec![b'a'; before][..], &[lead, second], tail].concat();
                        assert_eq!(is_utf8(&text), std::str::from_utf8(&text).is_ok(), "{text:x?}");
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_answer_is_that_of_the_library(
            text in "\\PC{0,40}|[aéк漢😀\u{7ff}\u{800}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}]{0,60}",
            change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())), cut in any::<prop::sample::Index>(), is_cut in any::<bool>(),
        ) {
            let mut text = text.into_bytes();
            if let Some((at, byte)) = change && !text.is_empty() {
                let at = at.index(text.len());
                text[at] = byte;
            }
            if is_cut {
                text.truncate(cut.index(text.len() + 1));
            }
            prop_assert_eq!(is_utf8(&text), std::str::from_utf8(&text).is_ok(), "{:x?}", text);
        }
    }
}
