//! Strings with usual escapes, passed 32 bytes at a time without a branch for each word.
//!
//! Most escapes are those of quotes, ends of lines and tabs, in lines that are JSON and in JSON inside of that. The rule kept here: what is
//! passed has no other escapes and no quote of its own, and what stands behind is not inside an escape; where that is not certain,
//! nothing is passed.

use crate::json::escape::pass::{ALL_N, ALL_T, BACKSLASHES, QUOTES};
use crate::swar::{self, HIGH};

/// When blocks are tried.
pub(super) struct Blocks {
    /// How many usual words are passed one by one before that.
    words: u32,
    /// And how many next time, if nothing is passed.
    patience: u32,
}

impl Default for Blocks {
    fn default() -> Blocks {
        Blocks { words: 3, patience: 16 }
    }
}

impl Blocks {
    /// What is left behind blocks, if it is time to try; a usual word has been passed right before.
    #[inline(always)]
    pub(super) fn pass<'t>(&mut self, text: &'t [u8], rest: &'t [u8], is_nested: bool) -> &'t [u8] {
        self.words = self.words.wrapping_sub(1);
        if self.words != 0 {
            return rest;
        }
        let passed = pass_blocks(text, rest, is_nested);
        self.patience = if passed.len() < rest.len() { 1 } else { self.patience.wrapping_mul(8).min(512) };
        self.words = self.patience;
        passed
    }
}

/// What is left of a text behind blocks of ASCII whose escapes are those of quotes, ends of lines and tabs, and of backslashes if
/// it is nested; each block has one at the least.
///
/// Each word is read again from some bytes before: so words need not know of each other.
#[inline(never)]
fn pass_blocks<'t>(text: &'t [u8], rest: &'t [u8], is_nested: bool) -> &'t [u8] {
    let at = text.len().wrapping_sub(rest.len());
    let Some(start) = at.checked_sub(CONTEXT).and_then(|before| text.get(before..)) else { return rest };
    // Of what is not ASCII the marks mean nothing; and what stands behind a backslash that is escaped itself is not.
    let context = start.get(..CONTEXT).unwrap_or_default();
    if !context.is_ascii() || context.last() == Some(&b'\\') {
        return rest;
    }
    let mut left = start;
    while let Some(block) = left.first_chunk::<{ CONTEXT + 32 }>()
        && (if is_nested { are_nested(block) } else { are_usual(block) })
    {
        left = left.get(32..).unwrap_or_default();
    }
    // An odd backslash escapes what comes next.
    let backslashes = swar::trailing(left.get(..CONTEXT).unwrap_or_default(), b'\\');
    let from = if left.len() < start.len() { CONTEXT.wrapping_sub(backslashes % 2) } else { CONTEXT };
    left.get(from..).unwrap_or_default()
}

/// Four words behind `CONTEXT` bytes, from so many bytes before on.
#[inline(always)]
fn words_before(block: &[u8; CONTEXT + 32], before: usize) -> [u64; 4] {
    let from = CONTEXT.wrapping_sub(before);
    match block.get(from..).map(|rest| rest.as_chunks::<8>().0) {
        Some([a, b, c, d, ..]) => [a, b, c, d].map(|word| u64::from_le_bytes(*word)),
        _ => [u64::MAX; 4],
    }
}

/// Marks `n`, `t` and `r`.
#[inline(always)]
fn usual_letters(word: u64) -> u64 {
    HIGH.wrapping_sub(word ^ ALL_N) | HIGH.wrapping_sub(word ^ ALL_T) | HIGH.wrapping_sub(word ^ ALL_R)
}

/// Whether in 32 bytes there are backslashes, each with a quote, an `n`, a `t` or an `r` behind it, and no other quote.
#[inline(always)]
fn are_usual(block: &[u8; CONTEXT + 32]) -> bool {
    let (mut wrong, mut any) = (0u64, 0u64);
    for (word, before) in words_before(block, 0).into_iter().zip(words_before(block, 1)) {
        let quotes = HIGH.wrapping_sub(word ^ QUOTES);
        let usual = quotes | usual_letters(word);
        let backslashes = HIGH.wrapping_sub(before ^ BACKSLASHES);
        wrong |= (backslashes & !usual) | (quotes & !backslashes) | word;
        any |= backslashes;
    }
    wrong & HIGH == 0 && any & HIGH != 0
}

/// The same where backslashes may be escaped too, of which no four stand in a row: behind one or three of them a byte is escaped.
#[inline(always)]
fn are_nested(block: &[u8; CONTEXT + 32]) -> bool {
    let backslash = |word: u64| HIGH.wrapping_sub(word ^ BACKSLASHES);
    let [own, one, two, three, four] = [0, 1, 2, 3, 4].map(|before| words_before(block, before));
    let (mut wrong, mut any) = (0u64, 0u64);
    for ((((word, one), two), three), four) in own.into_iter().zip(one).zip(two).zip(three).zip(four) {
        let (one, two, three, four) = (backslash(one), backslash(two), backslash(three), backslash(four));
        let quotes = HIGH.wrapping_sub(word ^ QUOTES);
        let usual = quotes | backslash(word) | usual_letters(word);
        let escaped = one & (!two | three);
        wrong |= (escaped & !usual) | (quotes & !escaped) | (one & two & three & four) | word;
        any |= one;
    }
    wrong & HIGH == 0 && any & HIGH != 0
}

/// How many bytes before a block are looked at.
const CONTEXT: usize = 4;
const ALL_R: u64 = 0x7272_7272_7272_7272;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Which bytes are escaped, one by one.
    fn escaped(text: &[u8]) -> Vec<bool> {
        let mut is_next = false;
        let one = |byte: &u8| {
            let is_escaped = is_next;
            is_next = *byte == b'\\' && !is_escaped;
            is_escaped
        };
        text.iter().map(one).collect()
    }

    fn passed(text: &[u8], at: usize, is_nested: bool) -> usize {
        text.len() - at - pass_blocks(text, &text[at..], is_nested).len()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Guarantees: wherever they begin, blocks have no quote of the string's own and end behind an escape, not in it.
        #[test]
        fn blocks_have_no_closing_quote_and_end_outside_of_escapes(
            before in "(a|é|\"|\\\\\\\\|\\\\n|\\\\\"){0,6}",
            text in "((\\\\n|\\\\\"|a){1,40}|(\\\\\\\\n|\\\\\\\\\\\\\"|\\\\\\\\|\\\\t|k){1,40}|\"|é|\\\\u0041){1,6}",
        ) {
            let text = [before.as_bytes(), text.as_bytes()].concat();
            let escaped = escaped(&text);
            for at in (0..text.len()).filter(|at| !escaped[*at]) {
                for is_nested in [false, true] {
                    let end = at + passed(&text, at, is_nested);
                    prop_assert!(escaped.get(end) != Some(&true), "{at}..{end} ends inside of an escape");
                    let own = (at..end).find(|at| text[*at] == b'"' && !escaped[*at]);
                    prop_assert!(own.is_none() && text[at..end].is_ascii(), "{at}..{end}, {own:?}");
                }
            }
        }
    }

    /// Guarantees: what JSON in JSON, and that in JSON, is made of is passed in one go; it is nearly all that comes here.
    #[test]
    fn usual_escapes_are_passed_to_the_last_whole_block() {
        for (unit, is_nested) in
            [(r#"\"k\":1,"#, false), (r"line\n", false), (r#"\\\"k\\\":1,"#, true), (r"line\\n\t", true)]
        {
            let text = unit.repeat(100);
            let (length, at) = (text.len(), unit.len() * 2);
            assert!(length - at - passed(text.as_bytes(), at, is_nested) < 33, "{unit}");
        }
    }
}
