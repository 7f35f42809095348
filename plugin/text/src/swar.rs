//! Byte searches that look at eight bytes per step.
//!
//! The filter runs in an interpreter without SIMD: every operation costs about a nanosecond, so a loop over bytes
//! is the one thing no hot path may do. The rule kept here: a search costs at most two operations per byte.

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
const QUOTES: u64 = LOW.wrapping_mul(b'"' as u64);
const BACKSLASHES: u64 = LOW.wrapping_mul(b'\\' as u64);

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
    let (mut left, mut others) = (heads, tails);
    while let (Some((block, behind)), Some((other, others_behind))) =
        (left.split_first_chunk::<32>(), others.split_first_chunk::<32>())
    {
        let ((words, _), (seconds, _)) = (block.as_chunks::<8>(), other.as_chunks::<8>());
        let ([a, b, c, d], [e, f, g, h]) = (words, seconds) else { break };
        let both = |word: &[u8; 8], second: &[u8; 8]| {
            below_one((u64::from_le_bytes(*word) ^ one) | (u64::from_le_bytes(*second) ^ two))
        };
        let marks = both(a, e) | both(b, f) | both(c, g) | both(d, h);
        if marks & HIGH != 0
            && let Some(at) = pair_in(block, other, one, two)
        {
            let start = heads.len().wrapping_sub(left.len());
            return Some(from.wrapping_add(start).wrapping_add(at));
        }
        (left, others) = (behind, others_behind);
    }
    let start = from.wrapping_add(heads.len().wrapping_sub(left.len()));
    if let Some(at) = pair_in(left, others, one, two) {
        return Some(start.wrapping_add(at));
    }
    let (words, tail) = left.as_chunks::<8>();
    let (_, others) = others.as_chunks::<8>();
    let at = tail.iter().zip(others).position(|(head, other)| *head == first.1 && *other == second.1)?;
    Some(start.wrapping_add(words.len().wrapping_mul(8)).wrapping_add(at))
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
fn may_have(block: &[u8], wanted: u64) -> bool {
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

/// How many bytes at the start of a text are whole words with nothing in them but text and escaped quotes: up to the word with a
/// quote of its own or another escape, or to where there are none for two words. What stands behind is not inside an escape.
#[inline]
pub(crate) fn pass_quoted(text: &[u8]) -> usize {
    let (words, _) = text.as_chunks::<8>();
    let (mut length, mut idle) = (0usize, 0u32);
    // Marks the first byte of a word when the word before ends in a backslash.
    let mut open = 0u64;
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

/// Whether a text from `from` on, of which the byte before is no backslash, is ASCII in which every quote stands behind a
/// backslash and every backslash before a quote. Nothing is said for certain (`false`) of one of less than eight bytes.
#[inline(never)]
pub(crate) fn is_closed(text: &[u8], from: usize) -> bool {
    closed::<false>(text, from).is_some()
}

/// As [`is_closed`], and whether there are any quotes.
#[inline(never)]
pub(crate) fn closed_with_quotes(text: &[u8], from: usize) -> Option<bool> {
    closed::<true>(text, from)
}

/// Each word is read twice, the second time from one byte before: a quote has to stand where that has a backslash, and
/// nowhere else. So words need not know of each other, and the last one may overlap.
#[inline(always)]
fn closed<const QUOTES: bool>(text: &[u8], from: usize) -> Option<bool> {
    const QUOTE: u64 = LOW.wrapping_mul(b'"' as u64);
    const BACKSLASH: u64 = LOW.wrapping_mul(b'\\' as u64);
    let behind = text.get(from.checked_sub(1)?..)?;
    let (mut wrong, mut seen) = (0u64, 0u64);
    let mut pass = |word: &[u8; 8], before: &[u8; 8]| {
        let (word, before) = (u64::from_le_bytes(*word), u64::from_le_bytes(*before));
        // The high bit of a byte is set where it equals: no byte of ASCII borrows from the next one. The other bits mean nothing.
        let backslashes = HIGH.wrapping_sub(before ^ BACKSLASH);
        wrong |= (HIGH.wrapping_sub(word ^ QUOTE) ^ backslashes) | word;
        if QUOTES {
            seen |= backslashes;
        }
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
        fn quotes_nearby_are_those_that_a_byte_loop_finds(text in "[a\"\\\\!#\\[\\]]{0,24}|[a-z]{0,14}[\"\\\\]{0,3}[a-z]{0,9}", digits in "[/-:0-9]{8}|[ -~]{8}") {
            let text = text.as_bytes();
            let special = text.iter().position(|byte| matches!(byte, b'"' | b'\\')).filter(|at| *at < 16 && text.len() >= 16);
            prop_assert_eq!(near_quote(text), special.filter(|at| text[*at] == b'"'));
            let is_escaped = |at: &usize| text[*at] == b'\\' && text.get(at + 1) == Some(&b'"');
            prop_assert_eq!(near_escaped_quote(text), special.filter(is_escaped));
            prop_assert_eq!(are_digits(*digits.as_bytes().first_chunk().unwrap()), digits.bytes().all(|byte| byte.is_ascii_digit()));
        }

        #[test]
        fn three_bytes_are_found_where_a_byte_loop_finds_them(text in "[{\\\\x]{0,60}|[x{]{0,30}[{\\\\]{0,4}x{0,12}") {
            let text = text.as_bytes();
            prop_assert_eq!(has_three(text, [b'{', b'\\', b'\\']), text.windows(3).any(|three| three == br"{\\"));
        }

        #[test]
        fn runs_are_counted_as_a_byte_loop_does(before in "[ab]{0,30}", run in 0usize..40, behind in "[ab]{0,30}") {
            let text = format!("{before}{}{behind}", "a".repeat(run)).into_bytes();
            prop_assert_eq!(trailing(&text, b'a'), text.iter().rev().take_while(|byte| **byte == b'a').count());
            prop_assert_eq!(leading(&text, b'a'), text.iter().take_while(|byte| **byte == b'a').count());
        }

        #[test]
        fn equal_texts_are_those_that_a_comparison_finds_equal(
            text in prop::collection::vec(any::<u8>(), 0..120), change in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let mut other = text.clone();
            if let Some(change) = change && !text.is_empty() {
                other[change.index(text.len())] ^= 1;
            }
            prop_assert_eq!(equal(&text, &other), text == other);
            prop_assert!(!equal(&text, &[&text[..], b"x"].concat()));
        }

        #[test]
        fn a_text_is_closed_as_a_byte_loop_says(
            text in prop::collection::vec(prop_oneof![
                8 => b' '..0x7f, 2 => Just(b'"'), 2 => Just(b'\\'), 1 => any::<u8>()], 0..60),
            quoted in any::<bool>(), from in 0usize..20,
        ) {
            // Most random texts are not closed: some are made so.
            let text: Vec<u8> = if quoted {
                text.iter().filter(|b| **b != b'\\' && b.is_ascii())
                    .flat_map(|b| if *b == b'"' { vec![b'\\', b'"'] } else { vec![*b] }).collect()
            } else { text };
            let slow = |text: &[u8]| {
                let mut at = 0;
                let mut has = false;
                while at < text.len() {
                    match (text[at], text.get(at + 1)) {
                        (b'\\', Some(b'"')) => { has = true; at += 2; }
                        (b'\\' | b'"' | 0x80.., _) => return None,
                        _ => at += 1,
                    }
                }
                Some(has)
            };
            let text = [b"\"".as_slice(), &text].concat();
            let (from, length) = (from + 1, text.len());
            if text.get(from - 1).is_some_and(|before| *before != b'\\') && from + 8 <= length {
                let expected = slow(&text[from..]);
                prop_assert_eq!(closed_with_quotes(&text, from), expected);
                prop_assert_eq!(is_closed(&text, from), expected.is_some());
            } else if from + 8 > length {
                prop_assert!(!is_closed(&text, from));
            }
        }

        #[test]
        fn finds_the_pair_that_a_byte_loop_finds(
            text in prop::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(0x80u8), Just(0x81), Just(b'`'), any::<u8>()], 0..150),
            from in 0usize..160,
            offsets in (0usize..40, 0usize..40),
        ) {
            for (first, second) in [(b'a', b'b'), (b'b', b'a'), (0x80, b'a'), (b'a', b'a'), (1, 0)] {
                let (rare, other) = ((offsets.0, first), (offsets.1, second));
                let length = offsets.0.max(offsets.1) + 1;
                let is_pair = |at: &usize| {
                    text.get(at + rare.0) == Some(&rare.1) && text.get(at + other.0) == Some(&other.1)
                };
                let expected = (from..text.len()).find(is_pair);
                prop_assert_eq!(find_pair(&text, from, rare, other, length), expected);
                prop_assert_eq!(find_common_pair(&text, from, rare, other, length), expected);
            }
        }

        #[test]
        fn escaped_quotes_are_passed_and_nothing_else(
            text in prop::collection::vec(prop_oneof![3 => Just(b"a".to_vec()), 3 => Just(b"\\\"".to_vec()), 1 => Just(b"\"".to_vec()), 1 => Just(b"\\\\".to_vec()), 1 => Just(b"\\n".to_vec()), 1 => Just(vec![0x81])], 0..60),
        ) {
            let text = text.concat();
            let passed = pass_quoted(&text);
            // Byte by byte: every quote behind a backslash, every backslash before a quote.
            let mut at = 0;
            while at < passed {
                match text[at] {
                    b'"' => prop_assert!(false, "a quote of its own at {at}"),
                    b'\\' => {
                        prop_assert_eq!(text.get(at + 1), Some(&b'"'));
                        at += 2;
                    }
                    _ => at += 1,
                }
            }
            prop_assert_eq!(at, passed, "the end is inside no escape");
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
