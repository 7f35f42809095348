//! Searches for two bytes of a text at a time, a known distance apart: what most other texts are told from it by.

use super::{HIGH, LOW, below_one, exact_zeros};

/// The first place at or after `from` at which `length` bytes start that have the byte `rare.1` at `rare.0` and `other.1` at
/// `other.0`; both are within the length. Every place is tried for the rare one, 64 at a time.
#[inline]
pub fn find_pair(
    text: &[u8],
    from: usize,
    rare: (usize, u8),
    other: (usize, u8),
    length: usize,
) -> Option<usize> {
    let (one, two) = (LOW.wrapping_mul(u64::from(rare.1)), LOW.wrapping_mul(u64::from(other.1)));
    let (heads, tails) = aligned(text, from, rare.0, other.0, length)?;
    let places = heads.len();
    let found = if places >= 64 {
        scan::<64>(heads, tails, one, two)
    } else if places >= 32 {
        scan::<32>(heads, tails, one, two)
    } else if places >= 8 {
        scan::<8>(heads, tails, one, two)
    } else {
        heads.iter().zip(tails).position(|(head, tail)| *head == rare.1 && *tail == other.1)
    };
    found.map(|at| from.wrapping_add(at))
}

/// As [`find_pair`], when neither byte is rare: both are looked at in every place. Twice the work of one
/// alone, and no detour for each of its hits.
#[inline]
pub fn find_common_pair(
    text: &[u8],
    from: usize,
    first: (usize, u8),
    second: (usize, u8),
    length: usize,
) -> Option<usize> {
    let (one, two) = (LOW.wrapping_mul(u64::from(first.1)), LOW.wrapping_mul(u64::from(second.1)));
    let (heads, tails) = aligned(text, from, first.0, second.0, length)?;
    let (left, others) = behind_unmarked::<false>(heads, tails, (one, two));
    let start = from.wrapping_add(heads.len().wrapping_sub(left.len()));
    let found = match (left.split_first_chunk::<32>(), others.split_first_chunk::<32>()) {
        (Some((block, behind)), Some((other, others_behind))) => match pair_in(block, other, one, two) {
            Some(at) => Some(at),
            // There are bytes beyond ASCII, which are marked too, and seldom in one block only.
            None => {
                let bytes = (first.1, second.1);
                let found = find_exactly((behind, others_behind), (one, two), bytes);
                found.map(|at| at.wrapping_add(block.len()))
            }
        },
        _ => find_last((left, others), (one, two), (first.1, second.1)),
    };
    found.map(|at| start.wrapping_add(at))
}

/// The first place at which both have their byte, with marks that tell bytes beyond ASCII apart.
#[inline(never)]
fn find_exactly((heads, tails): (&[u8], &[u8]), marks: (u64, u64), bytes: (u8, u8)) -> Option<usize> {
    let (left, others) = behind_unmarked::<true>(heads, tails, marks);
    let start = heads.len().wrapping_sub(left.len());
    find_last((left, others), marks, bytes).map(|at| start.wrapping_add(at))
}

/// What is left of both texts behind the blocks that do not have the pair. The first that is left may have it, and has it if the marks
/// are exact; those that are not are cheaper, and mark bytes beyond ASCII too.
#[inline(always)]
fn behind_unmarked<'t, const EXACT: bool>(
    heads: &'t [u8],
    tails: &'t [u8],
    (one, two): (u64, u64),
) -> (&'t [u8], &'t [u8]) {
    let (mut left, mut others) = (heads, tails);
    while let (Some((block, behind)), Some((other, others_behind))) =
        (left.split_first_chunk::<32>(), others.split_first_chunk::<32>())
    {
        let ((words, _), (seconds, _)) = (block.as_chunks::<8>(), other.as_chunks::<8>());
        let ([a, b, c, d], [e, f, g, h]) = (words, seconds) else { break };
        let both = |word: &[u8; 8], second: &[u8; 8]| {
            let differs = (u64::from_le_bytes(*word) ^ one) | (u64::from_le_bytes(*second) ^ two);
            if EXACT { below_one(differs) & !differs } else { below_one(differs) }
        };
        if (both(a, e) | both(b, f) | both(c, g) | both(d, h)) & HIGH != 0 {
            break;
        }
        (left, others) = (behind, others_behind);
    }
    (left, others)
}

/// The same word by word, and at last byte by byte.
#[inline]
fn find_last(
    (left, others): (&[u8], &[u8]),
    (one, two): (u64, u64),
    (first, second): (u8, u8),
) -> Option<usize> {
    if let Some(at) = pair_in(left, others, one, two) {
        return Some(at);
    }
    let (words, tail) = left.as_chunks::<8>();
    let (_, others) = others.as_chunks::<8>();
    let at = tail.iter().zip(others).position(|(head, other)| *head == first && *other == second)?;
    Some(words.len().wrapping_mul(8).wrapping_add(at))
}

/// The text from two offsets on, so that a place in one is the same place in the other; as long as `length` bytes fit.
#[inline(always)]
fn aligned(text: &[u8], from: usize, one: usize, other: usize, length: usize) -> Option<(&[u8], &[u8])> {
    let places = text.len().checked_sub(from)?.checked_sub(length)?.checked_add(1)?;
    let behind = |offset: usize| text.get(from.checked_add(offset)?..)?.get(..places);
    Some((behind(one)?, behind(other)?))
}

/// Looks at `BLOCK` places at once, of which there are at least as many in both texts.
#[inline(always)]
fn scan<const BLOCK: usize>(heads: &[u8], tails: &[u8], one: u64, two: u64) -> Option<usize> {
    let mut left = heads;
    while let Some((block, behind)) = left.split_first_chunk::<BLOCK>() {
        if may_have(block, one) {
            let start = heads.len().wrapping_sub(left.len());
            if let Some(at) = pair_in(block, tails.get(start..)?, one, two) {
                return Some(start.wrapping_add(at));
            }
        }
        left = behind;
    }
    if left.is_empty() {
        return None;
    }
    // The last block overlaps the one before: one more look instead of one for each byte that is left.
    let block = heads.last_chunk::<BLOCK>()?;
    if !may_have(block, one) {
        return None;
    }
    let start = heads.len().wrapping_sub(BLOCK);
    pair_in(block, tails.get(start..)?, one, two).map(|at| start.wrapping_add(at))
}

/// Whether a byte may be in a block.
#[inline(always)]
pub(super) fn may_have(block: &[u8], wanted: u64) -> bool {
    let (words, _) = block.as_chunks::<8>();
    let marks = |word: &[u8; 8]| below_one(u64::from_le_bytes(*word) ^ wanted);
    words.iter().fold(0, |all, word| all | marks(word)) & HIGH != 0
}

/// Where in a block one byte stands and in the other block, at the same place, the other.
///
/// Not inlined: the loop that passes over blocks without the byte would keep all their words for it.
#[inline(never)]
fn pair_in(block: &[u8], tail: &[u8], one: u64, two: u64) -> Option<usize> {
    let ((words, _), (seconds, _)) = (block.as_chunks::<8>(), tail.as_chunks::<8>());
    for (index, (word, behind)) in words.iter().zip(seconds).enumerate() {
        let word = u64::from_le_bytes(*word) ^ one;
        if below_one(word) & HIGH != 0 {
            // Exact marks, also above a true one: a false one would have to be told apart.
            let both = exact_zeros(word) & exact_zeros(u64::from_le_bytes(*behind) ^ two);
            if both != 0 {
                return Some(index.wrapping_mul(8).wrapping_add((both.trailing_zeros() / 8) as usize));
            }
        }
    }
    None
}
