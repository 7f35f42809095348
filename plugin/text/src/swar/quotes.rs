//! Searches for quotes and for the backslashes that escape them.
//!
//! Every record is a JSON text and most lines in it are JSON again, so these two bytes are looked for more than all others.

use super::{HIGH, LOW, below_one, exact_zeros, zero_bytes};

const QUOTES: u64 = LOW.wrapping_mul(b'"' as u64);
const BACKSLASHES: u64 = LOW.wrapping_mul(b'\\' as u64);
const LETTERS_U: u64 = LOW.wrapping_mul(b'u' as u64);

/// How many bytes of a text from `from` on, which is behind an escaped quote, are whole words with nothing in them but text and escaped
/// quotes: up to the word with a quote of its own or another escape, or to where there are none for some words. What stands behind is
/// not inside an escape.
#[inline]
pub(crate) fn pass_quoted(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let mut length = pass_quoted_blocks(text.get(from.wrapping_sub(1)..).unwrap_or_default());
    // Marks the first byte of a word when the word before ends in a backslash.
    let is_open = length > 0 && rest.get(length.wrapping_sub(1)) == Some(&b'\\');
    let (mut open, mut idle) = (if is_open { 0x80 } else { 0 }, 0u32);
    let (words, _) = rest.get(length..).unwrap_or_default().as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let (quotes, backslashes) = (exact_zeros(word ^ QUOTES), exact_zeros(word ^ BACKSLASHES));
        // An end, or something escaped that is no quote.
        if (backslashes.wrapping_shl(8) | open) != quotes {
            break;
        }
        open = backslashes.wrapping_shr(56);
        idle = if quotes == 0 { idle.wrapping_add(1) } else { 0 };
        length = length.wrapping_add(8);
        if idle == 2 && open == 0 {
            break;
        }
    }
    // A backslash at the end belongs to what comes next.
    if open == 0 { length } else { length.wrapping_sub(1) }
}

/// How many bytes of a text behind its first one, which is no backslash, are blocks of ASCII in which every quote stands behind a
/// backslash, and every backslash before a quote but the last of a block; each has one.
#[inline(always)]
fn pass_quoted_blocks(text: &[u8]) -> usize {
    let mut left = text;
    while let Some(block) = left.first_chunk::<33>() {
        let Some((wrong, backslashes)) = block_of_pairs(block) else { break };
        if wrong & HIGH != 0 || backslashes & HIGH == 0 {
            break;
        }
        left = left.get(32..).unwrap_or_default();
    }
    text.len().wrapping_sub(left.len())
}

/// Whether `\u` is among eight bytes.
#[inline(always)]
pub(crate) fn have_unicode_escape(bytes: &[u8; 8]) -> bool {
    let word = u64::from_le_bytes(*bytes);
    exact_zeros(word ^ BACKSLASHES) & exact_zeros(word.wrapping_shr(8) ^ LETTERS_U) != 0
}

/// Of 32 bytes behind a first one: what is wrong with them, and which of those before them are backslashes; in the high bits.
#[inline(always)]
fn block_of_pairs(block: &[u8; 33]) -> Option<(u64, u64)> {
    let (firsts, seconds) = (block.first_chunk::<32>()?.as_chunks::<8>().0, block.last_chunk::<32>()?);
    let ([a, b, c, d], [e, f, g, h]) = (firsts, seconds.as_chunks::<8>().0) else { return None };
    let pairs = [pair(e, a), pair(f, b), pair(g, c), pair(h, d)];
    Some(pairs.iter().fold((0, 0), |(wrong, seen), (one, other)| (wrong | one, seen | other)))
}

/// Each word is read twice, the second time from one byte before: a quote has to stand where that has a backslash, and
/// nowhere else. So words need not know of each other. What is wrong, and which of the bytes before are backslashes.
///
/// The high bit of a byte is set where it equals: no byte of ASCII borrows from the next one. The other bits mean nothing.
#[inline(always)]
fn pair(word: &[u8; 8], before: &[u8; 8]) -> (u64, u64) {
    let (word, before) = (u64::from_le_bytes(*word), u64::from_le_bytes(*before));
    let backslashes = HIGH.wrapping_sub(before ^ BACKSLASHES);
    ((HIGH.wrapping_sub(word ^ QUOTES) ^ backslashes) | word, backslashes)
}

/// Whether a text from `from` on, of which the byte before is ASCII and no backslash, such as the quote that opens it, is ASCII in
/// which every quote stands behind a backslash and every backslash before a quote. Nothing is said for certain (`false`) of one of less
/// than eight bytes.
#[inline(never)]
pub(crate) fn is_closed(text: &[u8], from: usize) -> bool {
    closed(text, from, |_, _| 0).is_some()
}

/// As [`is_closed`], and whether there are any quotes.
#[inline(always)]
pub(crate) fn closed_with_quotes(text: &[u8], from: usize) -> Option<bool> {
    closed(text, from, |_, backslashes| backslashes)
}

/// As [`is_closed`], and whether another byte may be there; which is wrong at times of one that is not.
#[inline(never)]
pub(crate) fn closed_with(text: &[u8], from: usize, byte: u8) -> Option<bool> {
    let wanted = LOW.wrapping_mul(u64::from(byte));
    closed(text, from, |word, _| below_one(word ^ wanted))
}

/// Pair by pair of words, of which the last may overlap.
#[inline(always)]
fn closed(text: &[u8], from: usize, sought: impl Fn(u64, u64) -> u64) -> Option<bool> {
    let behind = text.get(from.checked_sub(1)?..)?;
    let (mut wrong, mut seen) = (0u64, 0u64);
    let mut pass = |word: &[u8; 8], before: &[u8; 8]| {
        let (found, backslashes) = pair(word, before);
        wrong |= found;
        seen |= sought(u64::from_le_bytes(*word), backslashes);
    };
    let mut left = behind;
    while let Some(block) = left.first_chunk::<33>() {
        let (firsts, seconds) = (block.first_chunk::<32>()?.as_chunks::<8>().0, block.last_chunk::<32>()?);
        let ([a, b, c, d], [e, f, g, h]) = (firsts, seconds.as_chunks::<8>().0) else { return None };
        pass(e, a);
        pass(f, b);
        pass(g, c);
        pass(h, d);
        left = left.get(32..)?;
    }
    while let Some(block) = left.first_chunk::<9>() {
        pass(block.last_chunk::<8>()?, block.first_chunk::<8>()?);
        left = left.get(8..)?;
    }
    let block = behind.last_chunk::<9>()?;
    pass(block.last_chunk::<8>()?, block.first_chunk::<8>()?);
    let is_closed = wrong & HIGH == 0 && block.last() != Some(&b'\\');
    is_closed.then_some(seen & HIGH != 0)
}

/// Where the first quote stands, if it is in the first sixteen bytes and no backslash comes before it.
#[inline(always)]
pub(crate) fn near_quote(text: &[u8]) -> Option<usize> {
    let mut at = 0usize;
    for word in text.first_chunk::<16>()?.as_chunks::<8>().0 {
        let word = u64::from_le_bytes(*word);
        let quotes = zero_bytes(word ^ QUOTES);
        let special = quotes | zero_bytes(word ^ BACKSLASHES);
        if special != 0 {
            // The lowest mark is always a true one.
            let is_quote = quotes & special.wrapping_neg() & special != 0;
            return is_quote.then(|| at.wrapping_add((special.trailing_zeros() / 8) as usize));
        }
        at = at.wrapping_add(8);
    }
    None
}

/// Where the first backslash stands, if it is in the first sixteen bytes, a quote behind it and none before it.
#[inline(always)]
pub(crate) fn near_escaped_quote(text: &[u8]) -> Option<usize> {
    let mut at = 0usize;
    for word in text.first_chunk::<16>()?.as_chunks::<8>().0 {
        let word = u64::from_le_bytes(*word);
        let backslashes = zero_bytes(word ^ BACKSLASHES);
        let special = backslashes | zero_bytes(word ^ QUOTES);
        if special != 0 {
            let found = at.wrapping_add((special.trailing_zeros() / 8) as usize);
            let is_backslash = backslashes & special.wrapping_neg() & special != 0;
            return (is_backslash && text.get(found.wrapping_add(1)) == Some(&b'"')).then_some(found);
        }
        at = at.wrapping_add(8);
    }
    None
}

/// Where a quote, a backslash or a control character stands: what ends a string, or what cannot be taken as it stands.
#[inline]
pub(crate) fn find_special(text: &[u8]) -> Option<usize> {
    let (words, tail) = text.as_chunks::<8>();
    let mut start = 0usize;
    for word in words {
        let word = u64::from_le_bytes(*word);
        // Each of the three marks its first byte truly, and others only above it.
        let control = word.wrapping_sub(0x2020_2020_2020_2020) & !word;
        let quote = (word ^ QUOTES).wrapping_sub(LOW) & !(word ^ QUOTES);
        let backslash = (word ^ BACKSLASHES).wrapping_sub(LOW) & !(word ^ BACKSLASHES);
        let found = (control | quote | backslash) & HIGH;
        if found != 0 {
            return Some(start.wrapping_add((found.trailing_zeros() / 8) as usize));
        }
        start = start.wrapping_add(8);
    }
    tail.iter()
        .position(|&byte| byte < b' ' || byte == b'"' || byte == b'\\')
        .map(|at| start.wrapping_add(at))
}
