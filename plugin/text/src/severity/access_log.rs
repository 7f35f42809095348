//! Access logs in the common format, which say nothing of a level: told by their fronts, because they are the most frequent lines
//! of all and walking through each only to find nothing costs the most.
//!
//! The rule kept here: a line that is taken for one is a line in which [`super::front`] finds nothing.

use crate::swar;

/// Whether a line is `10.0.1.7 - - [20/Nov/2026:10:00:00 +0000] \"` and more.
pub(super) fn is_access_log(raw: &[u8]) -> bool {
    let Some(length) = address_length(raw) else { return false };
    let Some(front) = raw.get(length..).and_then(|rest| rest.first_chunk::<LENGTH>()) else { return false };
    let mut differs = 0u64;
    let mut above = 0u64;
    for (at, (wanted, mask, digits)) in WORDS {
        let Some(word) = front.get(at..).and_then(|rest| rest.first_chunk::<8>()) else { return false };
        let word = u64::from_le_bytes(*word);
        differs |= (word ^ wanted) & mask;
        // The upper half is that of a digit: ten and more carry into the highest bit.
        above |= (word & digits).wrapping_add(ABOVE_NINE);
    }
    let month = front.get(9..12).unwrap_or_default();
    differs == 0 && above & HIGH == 0 && month.iter().all(u8::is_ascii_alphabetic)
}

/// How long the address is at the start of a line: digits and dots up to a blank.
#[inline]
fn address_length(raw: &[u8]) -> Option<usize> {
    let [first, second] = raw.first_chunk::<LONGEST>()?.as_chunks::<8>().0 else { return None };
    // The high bit of each byte that ends an address, or cannot be in one.
    let others = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        // Nought to nine when it is a digit; ten and more, also those beyond ASCII, carry into the highest bit or have it.
        let digit = word ^ DIGITS;
        ((digit & LOW_BITS).wrapping_add(ABOVE_NINE) | digit) & HIGH & !swar::exact_zeros(word ^ DOTS)
    };
    let others = match (others(first), others(second)) {
        (0, 0) => return None,
        (0, second) => (second.trailing_zeros() / 8).wrapping_add(8),
        (first, _) => first.trailing_zeros() / 8,
    };
    let length = others as usize;
    (length >= SHORTEST && raw.get(length) == Some(&b' ')).then_some(length)
}

const DIGITS: u64 = u64::from_le_bytes([b'0'; 8]);
const DOTS: u64 = u64::from_le_bytes([b'.'; 8]);
const HIGH: u64 = 0x8080_8080_8080_8080;
const LOW_BITS: u64 = !HIGH;
/// What makes a digit carry into the highest bit of its byte from ten on.
const ABOVE_NINE: u64 = 0x7676_7676_7676_7676;

/// What stands behind the address: `0` for a digit, `A` for a letter of the month.
const SHAPE: &[u8; LENGTH] = b" - - [00/AAA/0000:00:00:00 +0000] \\\"";
const LENGTH: usize = 36;
/// The words of it, the last of which overlaps the one before.
const WORDS: [(usize, (u64, u64, u64)); 5] =
    [(0, word(0)), (8, word(8)), (16, word(16)), (24, word(24)), (28, word(28))];
/// `1.1.1.1` and `255.255.255.255 `.
const SHORTEST: usize = 7;
const LONGEST: usize = 16;

/// What is wanted of eight bytes, under which mask, and which lower halves must be those of digits.
const fn word(at: usize) -> (u64, u64, u64) {
    let (mut wanted, mut mask, mut digits, mut index) = (0u64, 0u64, 0u64, 0usize);
    #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // While compiling.
    while index < 8 {
        let byte = SHAPE[at + index];
        let (own, digit) = match byte {
            b'0' => (0xf0u64, 0x0fu64),
            b'A' => (0, 0),
            _ => (0xff, 0),
        };
        wanted |= (byte as u64 & own) << (index * 8);
        mask |= own << (index * 8);
        digits |= digit << (index * 8);
        index += 1;
    }
    (wanted, mask, digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::push_string;
    use crate::line::Line;
    use proptest::prelude::*;

    #[test]
    fn access_logs_are_told_by_their_fronts() {
        let front = r#"10.0.1.7 - - [20/Nov/2026:10:00:00 +0000] \"GET /ERROR HTTP/1.1\" 500 1"#;
        assert!(is_access_log(front.as_bytes()));
        for (from, to) in [
            ("10.0.1.7", "a.b.c.d1"),
            ("10.0.1.7", "1.1.1"),
            (" - - ", " - x "),
            ("2026", "202x"),
            ("10:00:00", "1?:00:00"),
            ("Nov", "1ov"),
            ("\\\"", "ERR"),
            ("] ", "]: "),
        ] {
            assert!(!is_access_log(front.replacen(from, to, 1).as_bytes()), "{to}");
        }
    }

    proptest! {
        /// Whatever is behind the front, and whatever bytes of it are changed.
        #[test]
        fn what_is_taken_for_one_says_nothing_of_a_level(
            address in "[0-9.]{5,17}", month in "[A-Z][a-z]{2}|ERR|[A-Za-z]{3}", rest in "(ERROR|level=error|[ -~]{0,30})",
            place in any::<prop::sample::Index>(), byte in b' '..0x7f, is_changed in any::<bool>(),
        ) {
            let text = format!("{address} - - [20/{month}/2026:10:00:00 +0000] \"{rest}");
            let mut out = Vec::new();
            push_string(&mut out, text.as_bytes());
            let mut content = out[1..out.len() - 1].to_vec();
            if is_changed {
                let at = place.index(content.len());
                content[at] = byte;
            }
            if is_access_log(&content) {
                let line = Line::new(&content);
                prop_assert_eq!(super::super::read_on(&line), None, "{}", String::from_utf8_lossy(&content));
            }
        }
    }
}
