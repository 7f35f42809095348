//! Which of many texts may occur in a line? One pass for all of them, where one search each would cost as many passes.
//!
//! Wu and Manber, *A fast algorithm for multi-pattern searching* (1994), with blocks of two bytes: a table says for each block how
//! far the window can go on, which is nearly as far as the shortest text is long. The answer is a bit for each text. The rules kept
//! here: a bit is a proof, set or not, unless all are set, which says nothing; and a line whose blocks are all found in texts
//! cannot make the pass long: after a number of candidates in vain, every bit is set.

use crate::json::Escapes;
use crate::line::Line;
use crate::search::starts_inside_escape;
use crate::swar;

/// Texts that are searched for together.
#[derive(Debug)]
pub struct ManyTexts {
    /// For each block, by [`slot`]: how far to go on, or from [`FOUND`] on the bucket of the texts that end their window with it.
    shifts: Box<[u8; SLOTS]>,
    buckets: Vec<Bucket>,
    /// The length of the shortest text, which is that of the window.
    window: usize,
    /// The bits of all of them.
    all: u64,
    /// Whether no two share one.
    have_own_bits: bool,
}

/// The texts that a line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundTexts {
    /// Their bits; all bits say nothing.
    pub bits: u64,
    /// The one that was found last, of those that stand at one place all, and where it first stands.
    pub newest: (u64, usize),
}

impl FoundTexts {
    /// Those of a line that nobody has looked at.
    pub const UNKNOWN: FoundTexts = FoundTexts { bits: u64::MAX, newest: (0, 0) };
    /// None.
    pub const NONE: FoundTexts = FoundTexts { bits: 0, newest: (0, 0) };
}

/// Texts whose windows end with the same block.
#[derive(Debug)]
struct Bucket {
    /// How far to go on behind them: to where the block may be inside another window.
    on: u8,
    /// The first four bytes, as far as they are the same in all of them.
    first: u32,
    same: u32,
    texts: Vec<WantedText>,
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
        let all = texts.iter().fold(0, |all, (_, bit)| all | bit);
        let mut many = ManyTexts {
            shifts: vec![u8::try_from(furthest).ok()?; SLOTS].into_boxed_slice().try_into().ok()?,
            buckets: Vec::new(),
            window,
            all,
            have_own_bits: usize::try_from(all.count_ones()) == Ok(texts.len()),
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
                    let first = u32::from_le_bytes(*text.first_chunk()?);
                    many.buckets.push(Bucket { on: *slot, first, same: u32::MAX, texts: Vec::new() });
                    *slot = FOUND.checked_add(u8::try_from(bucket).ok()?)?;
                    bucket
                }
            };
            let bucket = many.buckets.get_mut(bucket)?;
            bucket.same &= !(bucket.first ^ u32::from_le_bytes(*text.first_chunk()?));
            bucket.texts.push(WantedText { bytes: (*text).into(), bit: *bit });
        }
        Some(many)
    }

    /// Whether each text has a bit that no other has: where not all are set, one that is set is a proof then.
    #[inline]
    pub fn have_own_bits(&self) -> bool {
        self.have_own_bits
    }

    /// The texts that may occur in a line.
    #[inline(always)]
    pub fn in_line(&self, line: &Line<'_>) -> FoundTexts {
        match line.escapes() {
            // What is searched for is written in one way in these.
            Escapes::None | Escapes::Short => self.find(line.raw()),
            Escapes::Nested | Escapes::Wide | Escapes::Irregular => FoundTexts::UNKNOWN,
        }
    }

    /// The texts that occur, or all bits.
    #[inline(always)]
    fn find(&self, text: &[u8]) -> FoundTexts {
        let Some(ends) = text.get(self.window.wrapping_sub(2)..) else { return FoundTexts::NONE };
        let (mut found, mut newest) = (0u64, (0u64, 0usize));
        let mut vain = MOST_IN_VAIN.wrapping_add(text.len() / 32);
        let shifts: &[u8; SLOTS] = &self.shifts;
        let (mut left, mut on) = (ends, 0usize);
        while let Some(block) = left.get(on..on.wrapping_add(2)).and_then(|block| block.first_chunk::<2>()) {
            left = left.get(on..).unwrap_or_default();
            on = usize::from(shifts.get(slot(*block)).copied().unwrap_or(1));
            if on >= usize::from(FOUND) {
                let at = ends.len().wrapping_sub(left.len());
                let bucket = self.buckets.get(on.wrapping_sub(usize::from(FOUND)));
                let Some(bucket) = bucket else { return FoundTexts::UNKNOWN };
                on = usize::from(bucket.on);
                match bucket.at(text, at) {
                    0 => {
                        vain = vain.wrapping_sub(1);
                        if vain == 0 {
                            return FoundTexts::UNKNOWN;
                        }
                    }
                    bits => {
                        if found & bits == 0 {
                            newest = (bits, at);
                        }
                        found |= bits;
                        if found == self.all {
                            break;
                        }
                    }
                }
            }
        }
        FoundTexts { bits: found, newest }
    }
}

impl Bucket {
    /// The bits of its texts that stand at this place.
    #[inline(always)]
    fn at(&self, text: &[u8], at: usize) -> u64 {
        let Some(here) = text.get(at..) else { return 0 };
        let Some(first) = here.first_chunk::<4>() else { return 0 };
        // Nearly all differ there already.
        if (u32::from_le_bytes(*first) ^ self.first) & self.same != 0 { 0 } else { self.in_full(text, at) }
    }

    /// The same, where the first four bytes are as they should.
    #[inline(never)]
    fn in_full(&self, text: &[u8], at: usize) -> u64 {
        if starts_inside_escape(text, at) {
            return 0;
        }
        let text = text.get(at..).unwrap_or_default();
        let is_here = |wanted: &&WantedText| {
            let bytes = &*wanted.bytes;
            // Most have eight to sixteen bytes: these are two words.
            text.get(..bytes.len()).is_some_and(|here| {
                match (here.first_chunk::<8>(), here.last_chunk::<8>()) {
                    (Some(first), Some(last)) => {
                        Some(first) == bytes.first_chunk()
                            && Some(last) == bytes.last_chunk()
                            && (bytes.len() <= 16 || swar::equal(here, bytes))
                    }
                    _ => swar::equal(here, bytes),
                }
            })
        };
        self.texts.iter().filter(is_here).fold(0, |bits, wanted| bits | wanted.bit)
    }
}

/// Where a block stands in the table: each has a place of its own, which takes an interpreter fewer steps than a hash.
#[inline(always)]
fn slot(block: [u8; 2]) -> usize {
    usize::from(u16::from_le_bytes(block))
}

const SLOTS: usize = 65_536;
/// From here on an entry is a bucket; what is less is a way to go on, which is shorter than the longest window.
const FOUND: u8 = LONGEST_WINDOW as u8;
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
        /// A bit is a proof, set or not, but where all are set. What is written like a text may start inside an escape.
        #[test]
        fn the_bits_are_those_of_the_texts_that_occur(
            texts in prop::collection::vec("[abn\" \u{1}0]{4,9}", 2..6), line in "[abn\"\n \u{1}0]{0,60}",
        ) {
            let written_once = bits(&texts);
            let Some(many) = many(&written_once) else { return Ok(()) };
            let raw = written(&line);
            let FoundTexts { bits: found, newest } = many.in_line(&Line::exactly(&raw));
            let expected = texts.iter().zip(&written_once).filter(|(text, _)| line.contains(&**text));
            let expected = expected.fold(0, |bits, (_, (_, bit))| bits | bit);
            prop_assert!(found == expected || found == u64::MAX, "{:b} instead of {:b}", found, expected);
            for (text, _) in written_once.iter().filter(|(_, bit)| newest.0 & bit != 0) {
                let mut places = (0..raw.len()).filter(|at| raw[*at..].starts_with(text));
                prop_assert_eq!(places.find(|at| !starts_inside_escape(&raw, *at)), Some(newest.1));
            }
            prop_assert_eq!(newest.0 == 0, found == 0 || found == u64::MAX);
        }

        #[test]
        fn texts_that_share_a_bit_are_known(count in 2usize..90) {
            let texts: Vec<String> = (0..count).map(|at| format!("text {at}")).collect();
            prop_assert_eq!(many(&bits(&texts)).unwrap().have_own_bits(), count <= 64);
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
            prop_assert_eq!(many.in_line(&Line::exactly(&line)).bits & bit, *bit);
            prop_assert_eq!(many.in_line(&Line::exactly(filler.as_bytes())).bits, 0);
        }
    }

    #[test]
    fn a_line_made_of_starts_gives_up_instead_of_taking_long() {
        let texts = bits(&["baaaaaaa".into(), "caaaaaaa".into()]);
        let many = many(&texts).unwrap();
        let line = "a".repeat(1000);
        assert_eq!(many.in_line(&Line::exactly(line.as_bytes())), FoundTexts::UNKNOWN);
        assert_eq!(many.in_line(&Line::exactly(b"aaaaaaaaaabaaaaaaaaa")).bits, 1);
    }

    #[test]
    fn what_can_be_written_in_two_ways_may_be_anything() {
        let many = many(&bits(&["first".into(), "second".into()])).unwrap();
        for (line, expected) in
            [(r"no such text", 0), (r"a\n", 0), (r"\u00e9", u64::MAX), (r"a\/b", u64::MAX), (r"\\", u64::MAX)]
        {
            assert_eq!(many.in_line(&Line::exactly(line.as_bytes())).bits, expected, "{line}");
        }
    }

    #[test]
    fn few_and_short_texts_are_searched_for_by_themselves() {
        for texts in [vec![], vec!["only one".to_owned()], vec!["long enough".to_owned(), "ab".to_owned()]] {
            assert!(many(&bits(&texts)).is_none());
        }
    }
}
