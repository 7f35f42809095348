//! Which of many texts may occur in a line? One pass for all of them, where one search each would cost as many passes.
//!
//! Wu and Manber, *A fast algorithm for multi-pattern searching* (1994), with blocks of two bytes: a table says for each block how
//! far the window can go on, which is nearly as far as the shortest text is long. The answer is a bit for each text. The rules kept
//! here: a bit that is not set is a proof, a bit that is set is worth a search; and a line whose blocks are all found in texts
//! cannot make the pass long: after a number of candidates in vain, every bit is set.

use crate::json::Escapes;
use crate::line::Line;
use crate::swar;

/// Texts that are searched for together.
#[derive(Debug)]
pub struct ManyTexts {
    /// For each block, by [`slot`]: how far to go on, or from [`FOUND`] on the bucket of the texts that end their window with it.
    shifts: Box<[u8; SLOTS]>,
    buckets: Vec<Vec<WantedText>>,
    /// The length of the shortest text, which is that of the window.
    window: usize,
    /// The bits of all of them.
    all: u64,
}

#[derive(Debug)]
struct WantedText {
    bytes: Box<[u8]>,
    bit: u64,
}

impl ManyTexts {
    /// The texts, as the host writes them inside a JSON string, with their bits.
    ///
    /// # Errors
    /// `None` for less than two texts, for one of less than [`SHORTEST`] bytes, and for more than 100.
    pub fn new(texts: &[(&[u8], u64)]) -> Option<ManyTexts> {
        let window = texts.iter().map(|(text, _)| text.len()).min()?.min(LONGEST_WINDOW);
        if texts.len() < 2 || texts.len() > MOST || window < SHORTEST {
            return None;
        }
        let furthest = window.wrapping_sub(1);
        let mut many = ManyTexts {
            shifts: Box::new([u8::try_from(furthest).ok()?; SLOTS]),
            buckets: Vec::new(),
            window,
            all: texts.iter().fold(0, |all, (_, bit)| all | bit),
        };
        for (text, _) in texts {
            let blocks = text.get(..window)?.windows(2);
            for (at, block) in blocks.enumerate().take(window.wrapping_sub(2)) {
                let shift = u8::try_from(window.wrapping_sub(2).wrapping_sub(at)).ok()?;
                let slot = many.shifts.get_mut(slot(*block.first_chunk()?))?;
                *slot = (*slot).min(shift);
            }
        }
        for (text, bit) in texts {
            let last = text.get(..window)?.last_chunk::<2>()?;
            let slot = many.shifts.get_mut(slot(*last))?;
            let bucket = match slot.checked_sub(FOUND) {
                Some(bucket) => usize::from(bucket),
                None => {
                    let bucket = many.buckets.len();
                    *slot = FOUND.checked_add(u8::try_from(bucket).ok()?)?;
                    many.buckets.push(Vec::new());
                    bucket
                }
            };
            many.buckets.get_mut(bucket)?.push(WantedText { bytes: (*text).into(), bit: *bit });
        }
        Some(many)
    }

    /// The bits of the texts that may occur in a line.
    pub fn in_line(&self, line: &Line<'_>) -> u64 {
        match line.escapes() {
            // What is searched for is written in one way in these.
            Escapes::None | Escapes::Short => self.find(line.raw()),
            Escapes::Nested | Escapes::Wide | Escapes::Irregular => u64::MAX,
        }
    }

    /// The bits of the texts that occur, or all bits.
    #[inline(never)]
    fn find(&self, text: &[u8]) -> u64 {
        let (mut found, mut vain) = (0u64, MOST_IN_VAIN.wrapping_add(text.len() / 32));
        let Some(mut left) = text.get(self.window.wrapping_sub(2)..) else { return 0 };
        let shifts: &[u8; SLOTS] = &self.shifts;
        while let Some(block) = left.first_chunk::<2>() {
            let mut shift = usize::from(shifts.get(slot(*block)).copied().unwrap_or(1));
            if shift >= usize::from(FOUND) {
                let bucket = shift.wrapping_sub(usize::from(FOUND));
                let start = text.len().wrapping_sub(left.len()).wrapping_sub(self.window.wrapping_sub(2));
                let bits = self.in_bucket(bucket, text.get(start..).unwrap_or_default());
                found |= bits;
                if found == self.all {
                    break;
                }
                if bits == 0 {
                    vain = vain.wrapping_sub(1);
                    if vain == 0 {
                        return u64::MAX;
                    }
                }
                shift = 1;
            }
            match left.get(shift..) {
                Some(behind) => left = behind,
                None => break,
            }
        }
        found
    }

    /// The bits of the texts of a bucket that stand at the start of this one.
    #[inline(never)]
    fn in_bucket(&self, bucket: usize, text: &[u8]) -> u64 {
        let texts = self.buckets.get(bucket).map(Vec::as_slice).unwrap_or_default();
        let is_here = |wanted: &&WantedText| {
            // Its first four bytes tell most from it.
            text.first_chunk::<4>() == wanted.bytes.first_chunk::<4>()
                && text.get(..wanted.bytes.len()).is_some_and(|here| swar::equal(here, &wanted.bytes))
        };
        texts.iter().filter(is_here).fold(0, |bits, wanted| bits | wanted.bit)
    }
}

/// Where a block stands in the table. Two that share a place only make the window go on less far.
#[inline(always)]
fn slot(block: [u8; 2]) -> usize {
    let word = u32::from(u16::from_le_bytes(block));
    ((word ^ word.wrapping_shr(4)) as usize) % SLOTS
}

const SLOTS: usize = 4096;
/// From here on an entry is a bucket.
const FOUND: u8 = 128;
/// Most texts; each may have a bucket of its own.
const MOST: usize = 100;
/// Shortest text: with a shorter one the window would hardly move.
pub const SHORTEST: usize = 4;
const LONGEST_WINDOW: usize = 64;
/// Candidates in vain after which every bit is set; one more for each 32 bytes of the line.
const MOST_IN_VAIN: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(text: &str) -> Vec<u8> {
        let written = serde_json::to_string(text).unwrap();
        written.as_bytes()[1..written.len() - 1].to_vec()
    }

    fn bits(texts: &[String]) -> Vec<(Vec<u8>, u64)> {
        texts.iter().enumerate().map(|(at, text)| (written(text), 1 << (at % 64))).collect()
    }

    fn many(texts: &[(Vec<u8>, u64)]) -> Option<ManyTexts> {
        ManyTexts::new(&texts.iter().map(|(text, bit)| (text.as_slice(), *bit)).collect::<Vec<_>>())
    }

    proptest! {
        /// A bit that is not set is a proof, and without a hostile line one that is set is true.
        #[test]
        fn the_bits_are_those_of_the_texts_that_occur(
            texts in prop::collection::vec("[ab\" ]{4,9}", 2..6), line in "[ab\" ]{0,60}",
        ) {
            let texts = bits(&texts);
            let Some(many) = many(&texts) else { return Ok(()) };
            let raw = written(&line);
            let found = many.in_line(&Line::exactly(&raw));
            let expected = texts.iter().filter(|(text, _)| raw.windows(text.len()).any(|here| here == &**text));
            let expected = expected.fold(0, |bits, (_, bit)| bits | bit);
            prop_assert_eq!(found & expected, expected);
            prop_assert!(found == expected || found == u64::MAX);
        }

        #[test]
        fn words_among_other_words_are_found(
            texts in prop::collection::vec("[a-z]{4,20}", 2..90), at in any::<prop::sample::Index>(), filler in "[A-Z0-9 ]{0,200}",
        ) {
            let texts = bits(&texts);
            let Some(many) = many(&texts) else { return Ok(()) };
            let (wanted, bit) = &texts[at.index(texts.len())];
            let place = filler.len() / 2;
            let line = [&filler.as_bytes()[..place], wanted, &filler.as_bytes()[place..]].concat();
            prop_assert_eq!(many.in_line(&Line::exactly(&line)) & bit, *bit);
            prop_assert_eq!(many.in_line(&Line::exactly(filler.as_bytes())), 0);
        }
    }

    #[test]
    fn a_line_made_of_starts_gives_up_instead_of_taking_long() {
        let texts = bits(&["baaaaaaa".into(), "caaaaaaa".into()]);
        let many = many(&texts).unwrap();
        let line = "a".repeat(1000);
        assert_eq!(many.in_line(&Line::exactly(line.as_bytes())), u64::MAX);
        assert_eq!(many.in_line(&Line::exactly(b"aaaaaaaaaabaaaaaaaaa")), 1);
    }

    #[test]
    fn what_can_be_written_in_two_ways_may_be_anything() {
        let many = many(&bits(&["first".into(), "second".into()])).unwrap();
        for (line, expected) in
            [(r"no such text", 0), (r"a\n", 0), (r"\u00e9", u64::MAX), (r"a\/b", u64::MAX), (r"\\", u64::MAX)]
        {
            assert_eq!(many.in_line(&Line::exactly(line.as_bytes())), expected, "{line}");
        }
    }

    #[test]
    fn few_and_short_texts_are_searched_for_by_themselves() {
        for texts in [vec![], vec!["only one".to_owned()], vec!["long enough".to_owned(), "ab".to_owned()]] {
            assert!(many(&bits(&texts)).is_none());
        }
    }
}
