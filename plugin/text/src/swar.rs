//! Byte searches that look at eight bytes per step.
//!
//! The filter runs in an interpreter without SIMD: every operation costs about a nanosecond, so a loop over bytes
//! is the one thing no hot path may do. The rule kept here: a search costs at most two operations per byte.

mod pairs;
mod quotes;

use pairs::may_have;
pub use pairs::{find_common_pair, find_pair};
pub(crate) use quotes::{
    closed_with, closed_with_quotes, find_special, have_unicode_escape, is_closed, near_escaped_quote,
    near_quote, pass_quoted,
};

const LOW: u64 = 0x0101_0101_0101_0101;
pub(crate) const HIGH: u64 = 0x8080_8080_8080_8080;

/// The position of the first `byte` in `text` at or after `from`. Quickest for ASCII bytes.
#[inline]
pub fn find_byte(text: &[u8], from: usize, byte: u8) -> Option<usize> {
    let wanted = LOW.wrapping_mul(u64::from(byte));
    let found = |word| zero_bytes(word ^ wanted);
    find(text, from, |word| below_one(word ^ wanted), found, |candidate| candidate == byte)
}

/// The position of the first `one` or `other` in `text` at or after `from`.
#[inline]
pub fn find_either(text: &[u8], from: usize, one: u8, other: u8) -> Option<usize> {
    let wanted = (LOW.wrapping_mul(u64::from(one)), LOW.wrapping_mul(u64::from(other)));
    find(
        text,
        from,
        |word| below_one(word ^ wanted.0) | below_one(word ^ wanted.1),
        |word| zero_bytes(word ^ wanted.0) | zero_bytes(word ^ wanted.1),
        |candidate| candidate == one || candidate == other,
    )
}

/// Whether three bytes stand somewhere one behind the other. The first should be rare; of a word that has it, the others are looked at in
/// all places at once, so that a text of nothing else takes no longer.
#[inline]
pub(crate) fn has_three(text: &[u8], [first, second, third]: [u8; 3]) -> bool {
    let [one, two, three] = [first, second, third].map(|byte| LOW.wrapping_mul(u64::from(byte)));
    let mut at = 0usize;
    while let Some(found) = find_byte(text, at, first) {
        let rest = text.get(found..).unwrap_or_default();
        let Some(ten) = rest.first_chunk::<10>() else {
            return rest.windows(3).any(|found| found == [first, second, third]);
        };
        let word = |at: usize| {
            ten.get(at..).and_then(|rest| rest.first_chunk::<8>()).map_or(0, |word| u64::from_le_bytes(*word))
        };
        let all = exact_zeros(word(0) ^ one) & exact_zeros(word(1) ^ two) & exact_zeros(word(2) ^ three);
        if all != 0 {
            return true;
        }
        at = found.wrapping_add(8);
    }
    false
}

/// Whether eight bytes are decimal digits.
#[inline(always)]
pub(crate) fn are_digits(word: [u8; 8]) -> bool {
    const UPPER: u64 = LOW.wrapping_mul(0xf0);
    const DIGIT: u64 = LOW.wrapping_mul(0x30);
    let word = u64::from_le_bytes(word);
    // Ten and more carry into the upper half.
    let carried = word.wrapping_add(LOW.wrapping_mul(6));
    ((word ^ DIGIT) | (carried ^ DIGIT)) & UPPER == 0
}

/// How many of eight bytes are decimal digits, from the first on.
#[inline(always)]
pub(crate) fn leading_digits(word: [u8; 8]) -> usize {
    const DIGIT: u64 = LOW.wrapping_mul(0x30);
    // Ten and more carry into the highest bit; what carries into the next byte comes behind a byte that is marked.
    const ABOVE_NINE: u64 = LOW.wrapping_mul(0x76);
    let word = u64::from_le_bytes(word) ^ DIGIT;
    let others = (word.wrapping_add(ABOVE_NINE) | word) & HIGH;
    (others.trailing_zeros() / 8) as usize
}

/// Whether a byte is anywhere in a text: for one that is nearly never there, since nothing is prepared to go on behind it.
#[inline(never)]
pub(crate) fn has_rare_byte(text: &[u8], byte: u8) -> bool {
    let wanted = LOW.wrapping_mul(u64::from(byte));
    let mut left = text;
    while let Some((block, behind)) = left.split_first_chunk::<128>() {
        if may_have(block, wanted) {
            return find_byte(left, 0, byte).is_some();
        }
        left = behind;
    }
    while let Some((block, behind)) = left.split_first_chunk::<32>() {
        if may_have(block, wanted) {
            return find_byte(left, 0, byte).is_some();
        }
        left = behind;
    }
    match text.last_chunk::<32>() {
        Some(block) => may_have(block, wanted) && find_byte(left, 0, byte).is_some(),
        None => left.contains(&byte),
    }
}

/// Where the next 32 bytes start that may have a byte, from `from` on in steps of 32; the last may be fewer. With `fold` a small letter
/// is found in capitals too. What is passed over costs an operation a byte.
#[inline(always)]
pub(crate) fn block_with(text: &[u8], from: usize, byte: u8, fold: bool) -> Option<usize> {
    let wanted = LOW.wrapping_mul(u64::from(byte));
    let upper = if fold { LOW.wrapping_mul(0x20) } else { 0 };
    block(text, from, |word| below_one((word | upper) ^ wanted), HIGH)
}

/// The same of 32 bytes that may have a row of eight or more digits, blanks and signs.
#[inline(always)]
pub(crate) fn block_with_row(text: &[u8], from: usize) -> Option<usize> {
    block(text, from, |word| u64::from(is_row(word)), 1)
}

/// The places of a byte in a part of a text, of 32 bytes at most; whether one of them passes `check`.
#[inline(always)]
pub(crate) fn any_place(
    text: &[u8],
    (start, byte, fold): (usize, u8, bool),
    check: impl Fn(usize) -> bool,
) -> bool {
    let wanted = LOW.wrapping_mul(u64::from(byte));
    let upper = if fold { LOW.wrapping_mul(0x20) } else { 0 };
    let block = text.get(start..).unwrap_or_default();
    let mut at = start;
    for word in block.chunks(8).take(4) {
        let word = match word.first_chunk::<8>() {
            Some(word) => *word,
            None => {
                let mut bytes = [0u8; 8];
                bytes.iter_mut().zip(word).for_each(|(to, byte)| *to = *byte);
                bytes
            }
        };
        let mut marks = zero_bytes((u64::from_le_bytes(word) | upper) ^ wanted);
        while marks != 0 {
            let place = at.wrapping_add((marks.trailing_zeros() / 8) as usize);
            // What borrows from a true mark is none.
            let is_it = text
                .get(place)
                .is_some_and(|found| *found == byte || fold && found.eq_ignore_ascii_case(&byte));
            if is_it && check(place) {
                return true;
            }
            marks &= marks.wrapping_sub(1);
        }
        at = at.wrapping_add(8);
    }
    false
}

/// The words in a part of a text, of 32 bytes at most, whose first half is a row of digits, blanks and signs; whether one of them
/// passes `check`.
#[inline(always)]
pub(crate) fn any_row(text: &[u8], start: usize, check: impl Fn(usize) -> bool) -> bool {
    let block = text.get(start..).unwrap_or_default();
    let mut at = start;
    for word in block.chunks(8).take(4) {
        let mut bytes = [0u8; 8];
        bytes.iter_mut().zip(word).for_each(|(to, byte)| *to = *byte);
        if is_row(u64::from_le_bytes(bytes)) && check(at) {
            return true;
        }
        at = at.wrapping_add(8);
    }
    false
}

/// Whether the first half of a word is digits, blanks and signs: wherever a row of 13 starts, it fills that of a word.
#[inline(always)]
fn is_row(word: u64) -> bool {
    // What is none of them has one of these bits where they have not, or the other way round.
    const CLASS: u64 = 0x2020_2020;
    const BITS: u64 = 0xe0e0_e0e0;
    (word ^ CLASS) & BITS == 0
}

#[inline(always)]
fn block(text: &[u8], from: usize, mark: impl Fn(u64) -> u64, bits: u64) -> Option<usize> {
    let marks = |block: &[u8; 32]| {
        let [a, b, c, d] = block.as_chunks::<8>().0 else { return u64::MAX };
        let [a, b, c, d] = [a, b, c, d].map(|word| mark(u64::from_le_bytes(*word)));
        (a | b | c | d) & bits
    };
    let mut left = text.get(from..)?;
    // Two at once, as long as there are.
    while let Some((blocks, behind)) = left.split_first_chunk::<64>() {
        let [a, b, c, d, e, f, g, h] = blocks.as_chunks::<8>().0 else { break };
        let [a, b, c, d, e, f, g, h] = [a, b, c, d, e, f, g, h].map(|word| mark(u64::from_le_bytes(*word)));
        if (a | b | c | d | e | f | g | h) & bits != 0 {
            break;
        }
        left = behind;
    }
    while let Some((block, behind)) = left.split_first_chunk::<32>() {
        if marks(block) != 0 {
            return Some(text.len().wrapping_sub(left.len()));
        }
        left = behind;
    }
    if left.is_empty() {
        return None;
    }
    // The last block overlaps the one before: one more look instead of one for each byte that is left.
    let may_have = text.last_chunk::<32>().is_none_or(|block| marks(block) != 0);
    may_have.then_some(text.len().wrapping_sub(left.len()))
}

/// How often a byte stands at the end of a text, one behind the other.
#[inline]
pub fn trailing(text: &[u8], byte: u8) -> usize {
    let wanted = LOW.wrapping_mul(u64::from(byte));
    let mut rest = text;
    while let Some((before, word)) = rest.split_last_chunk::<8>() {
        if u64::from_le_bytes(*word) != wanted {
            break;
        }
        rest = before;
    }
    while let [before @ .., last] = rest {
        if *last != byte {
            break;
        }
        rest = before;
    }
    text.len().wrapping_sub(rest.len())
}

/// How often a byte stands at the start of a text, one behind the other.
#[inline]
pub fn leading(text: &[u8], byte: u8) -> usize {
    let wanted = LOW.wrapping_mul(u64::from(byte));
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        if u64::from_le_bytes(*word) != wanted {
            break;
        }
        rest = behind;
    }
    while let [first, behind @ ..] = rest {
        if *first != byte {
            break;
        }
        rest = behind;
    }
    text.len().wrapping_sub(rest.len())
}

/// Whether every byte of `text` is ASCII.
pub fn is_ascii(text: &[u8]) -> bool {
    let (blocks, tail) = text.as_chunks::<32>();
    let block_is_ascii = |block: &[u8; 32]| {
        let (words, _) = block.as_chunks::<8>();
        words.iter().fold(0, |seen, word| seen | u64::from_le_bytes(*word)) & HIGH == 0
    };
    blocks.iter().all(block_is_ascii) && tail.is_ascii()
}

/// What is left of a text behind blocks of ASCII.
#[inline]
pub(crate) fn behind_ascii(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let Some((block, behind)) = rest.split_first_chunk::<32>() {
        let [a, b, c, d] = block.as_chunks::<8>().0 else { break };
        let [a, b, c, d] = [a, b, c, d].map(|word| u64::from_le_bytes(*word));
        if (a | b | c | d) & HIGH != 0 {
            break;
        }
        rest = behind;
    }
    rest
}

/// Whether two texts are equal; like `==`, but libc's comparison in the guest goes byte by byte.
#[inline(never)]
pub fn equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let (Some(one_end), Some(other_end)) = (one.last_chunk::<8>(), other.last_chunk::<8>()) else {
        return one.iter().zip(other).all(|(a, b)| a == b);
    };
    if one.len() < 32 {
        let mut differs = differing(one_end, other_end);
        let (words, seconds) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
        for (a, b) in words.iter().zip(seconds) {
            differs |= differing(a, b);
        }
        return differs == 0;
    }
    let mut differs = 0u64;
    let (mut left, mut others) = (one, other);
    while let (Some(block), Some(other)) = (left.first_chunk::<64>(), others.first_chunk::<64>()) {
        let ((first, second), (third, fourth)) = (halves(block), halves(other));
        differs |= block_differs(first, third) | block_differs(second, fourth);
        (left, others) = (left.get(64..).unwrap_or_default(), others.get(64..).unwrap_or_default());
    }
    if let (Some(block), Some(other)) = (left.first_chunk::<32>(), others.first_chunk::<32>()) {
        differs |= block_differs(block, other);
    }
    // The last block overlaps the one before: one more look instead of one for each word that is left.
    let (Some(block), Some(other)) = (one.last_chunk::<32>(), other.last_chunk::<32>()) else { return false };
    differs | block_differs(block, other) == 0
}

#[inline(always)]
fn halves(block: &[u8; 64]) -> (&[u8; 32], &[u8; 32]) {
    match block.as_chunks::<32>().0 {
        [first, second] => (first, second),
        _ => (&[0; 32], &[1; 32]),
    }
}

#[inline(always)]
fn block_differs(one: &[u8; 32], other: &[u8; 32]) -> u64 {
    let ([a, b, c, d], [e, f, g, h]) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0) else { return 1 };
    differing(a, e) | differing(b, f) | differing(c, g) | differing(d, h)
}

#[inline(always)]
fn differing(one: &[u8; 8], other: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other)
}

/// `maybe` marks every byte that is wanted, and may mark others, in bits of [`HIGH`]; `mask` marks the first exactly.
#[inline(always)]
fn find(
    text: &[u8],
    from: usize,
    maybe: impl Fn(u64) -> u64,
    mask: impl Fn(u64) -> u64,
    hit: impl Fn(u8) -> bool,
) -> Option<usize> {
    let mut rest = text.get(from..)?;
    let mut start = from;
    // What ends a key or comes behind an escape stands near: two words by themselves before whole blocks.
    for _ in 0..2 {
        let Some((word, behind)) = rest.split_first_chunk::<8>() else { break };
        let found = mask(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(start.wrapping_add((found.trailing_zeros() / 8) as usize));
        }
        start = start.wrapping_add(8);
        rest = behind;
    }
    let (blocks, tail) = rest.as_chunks::<32>();
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        let [a, b, c, d] = words else { break };
        let [a, b, c, d] = [a, b, c, d].map(|word| u64::from_le_bytes(*word));
        if (maybe(a) | maybe(b) | maybe(c) | maybe(d)) & HIGH != 0 {
            let mut at = start;
            for word in words {
                let found = mask(u64::from_le_bytes(*word));
                if found != 0 {
                    return Some(at.wrapping_add((found.trailing_zeros() / 8) as usize));
                }
                at = at.wrapping_add(8);
            }
        }
        start = start.wrapping_add(32);
    }
    let (words, tail) = tail.as_chunks::<8>();
    for word in words {
        // The lowest marked byte is always a true one; a false mark can only stand above it.
        let found = mask(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(start.wrapping_add((found.trailing_zeros() / 8) as usize));
        }
        start = start.wrapping_add(8);
    }
    tail.iter().position(|&byte| hit(byte)).map(|at| start.wrapping_add(at))
}

/// Marks the first zero byte of a word in its high bit; above it, other bytes may be marked too.
#[inline(always)]
pub(crate) fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

/// Marks every zero byte and no other.
#[inline(always)]
pub(crate) fn exact_zeros(word: u64) -> u64 {
    !(((word & !HIGH).wrapping_add(!HIGH)) | word) & HIGH
}

/// Marks zero bytes, and also bytes of 0x81 and more and what borrows from them: cheaper, and enough to pass over a
/// block of ASCII text.
#[inline(always)]
fn below_one(word: u64) -> u64 {
    word.wrapping_sub(LOW)
}

/// Whether a byte of a word may be zero: always where one is, and also for bytes of 0x81 and more.
#[inline(always)]
pub(crate) fn may_have_zero(word: u64) -> bool {
    below_one(word) & HIGH != 0
}

#[cfg(test)]
mod tests;
