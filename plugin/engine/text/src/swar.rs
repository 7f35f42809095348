//! Byte searches that look at eight bytes per step.
//!
//! The filter runs in an interpreter without SIMD: every operation costs about a nanosecond, so a loop over bytes
//! is the one thing no hot path may do. The rule kept here: a search costs at most two operations per byte.

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

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

/// Whether every byte of `text` is ASCII.
pub fn is_ascii(text: &[u8]) -> bool {
    let (blocks, tail) = text.as_chunks::<32>();
    let block_is_ascii = |block: &[u8; 32]| {
        let (words, _) = block.as_chunks::<8>();
        words.iter().fold(0, |seen, word| seen | u64::from_le_bytes(*word)) & HIGH == 0
    };
    blocks.iter().all(block_is_ascii) && tail.is_ascii()
}

/// Whether two texts are equal; like `==`, but libc's comparison in the guest goes byte by byte.
pub fn equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let ((a, a_tail), (b, b_tail)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    a.iter().zip(b).all(|(a, b)| u64::from_le_bytes(*a) == u64::from_le_bytes(*b))
        && a_tail.iter().zip(b_tail).all(|(a, b)| a == b)
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
            for (index, word) in [a, b, c, d].into_iter().enumerate() {
                let found = mask(word);
                if found != 0 {
                    return Some(
                        start
                            .wrapping_add(index.wrapping_mul(8))
                            .wrapping_add((found.trailing_zeros() / 8) as usize),
                    );
                }
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

#[inline(always)]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

/// Marks zero bytes, and also bytes of 0x81 and more and what borrows from them: cheaper, and enough to pass over a
/// block of ASCII text.
#[inline(always)]
fn below_one(word: u64) -> u64 {
    word.wrapping_sub(LOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_byte_loop_finds(text in prop::collection::vec(any::<u8>(), 0..80), from in 0usize..90) {
            let slow = |wanted: &dyn Fn(u8) -> bool| (from..text.len()).find(|&at| wanted(text[at]));
            for byte in [0u8, 1, b'"', b'\\', 0x7f, 0x80, 0xff] {
                prop_assert_eq!(find_byte(&text, from, byte), slow(&|b| b == byte));
            }
            prop_assert_eq!(find_either(&text, from, b'"', 0x80), slow(&|b| b == b'"' || b == 0x80));
        }

        #[test]
        fn equality_and_ascii_agree_with_std(text in prop::collection::vec(any::<u8>(), 0..80), flip in 0usize..80) {
            prop_assert_eq!(is_ascii(&text), text.is_ascii());
            let mut other = text.clone();
            prop_assert!(equal(&text, &other));
            if let Some(byte) = other.get_mut(flip) {
                *byte ^= 1;
                prop_assert!(!equal(&text, &other));
            }
        }
    }
}
