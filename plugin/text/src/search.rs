//! Does this text occur in that line? Asked for every record and every term, so it decides what a rule costs.
//!
//! The needle's rarest byte is searched eight bytes at a time and only its hits are compared. The line is searched as
//! the host wrote it, escapes and all, with the needle escaped the same way; a hit counts unless it starts inside an
//! escape. When a line makes the rare byte frequent, the search changes over to one that looks at each byte once,
//! so that no line can make it quadratic, nor dear.

use crate::json::{Escapes, push_string};
use crate::line::Line;
use crate::swar;
use memchr::memmem;
use std::cell::OnceCell;
use std::ops::Range;

/// A line that terms are searched for in.
#[derive(Clone, Copy, Debug)]
pub struct Searched<'r> {
    line: &'r Line<'r>,
    needed: NeededText,
}

/// What is known of the one text that a pattern needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeededText {
    /// Nothing.
    Unknown,
    /// The line has it.
    There,
    /// The line has it, and it first stands there, as written.
    FirstAt(usize),
}

impl<'r> Searched<'r> {
    /// A line by itself.
    pub fn alone(line: &'r Line<'r>) -> Searched<'r> {
        Searched { line, needed: NeededText::Unknown }
    }

    /// A line of which this is known.
    pub fn knowing(line: &'r Line<'r>, needed: NeededText) -> Searched<'r> {
        Searched { line, needed }
    }

    /// What is known of the text that the pattern needs.
    #[inline]
    pub fn needed(&self) -> NeededText {
        self.needed
    }

    /// Whether it is known to have the text that the pattern needs.
    #[inline]
    pub fn has_needed(&self) -> bool {
        self.needed != NeededText::Unknown
    }

    /// The line.
    pub fn line(&self) -> &'r Line<'r> {
        self.line
    }

    /// Whether a text occurs in it.
    pub fn has(&self, needle: &Needle) -> bool {
        needle.occurs_in(self.line)
    }
}

/// A text to search for, prepared.
#[derive(Clone, Debug)]
pub struct Needle {
    text: String,
    plain: Prepared,
    /// As the host writes it inside a JSON string; `None` when it holds characters with more than one spelling.
    escaped: Option<Prepared>,
}

impl PartialEq for Needle {
    fn eq(&self, other: &Needle) -> bool {
        self.text == other.text
    }
}

impl Needle {
    /// Prepares a text that is not empty.
    pub fn new(text: String) -> Needle {
        let mut written = Vec::new();
        push_string(&mut written, text.as_bytes());
        let content = written.get(1..written.len().saturating_sub(1)).unwrap_or_default();
        // Control characters have a short and a long escape; only those the host always writes short are safe.
        let one_spelling =
            text.bytes().all(|byte| (b' '..0x7f).contains(&byte) || matches!(byte, b'\n' | b'\r' | b'\t'));
        let escaped = one_spelling.then(|| Prepared::new(content));
        Needle { plain: Prepared::new(text.as_bytes()), escaped, text }
    }

    /// The text searched for.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As the host writes it inside a JSON string, if that has one spelling.
    pub fn written(&self) -> Option<&[u8]> {
        self.escaped.as_ref().map(|escaped| &*escaped.bytes)
    }

    /// Whether the text occurs in one without escapes.
    pub fn occurs_in_text(&self, text: &[u8]) -> bool {
        self.plain.find(text, 0).is_some()
    }

    /// Where the text occurs in one without escapes; places that overlap are one.
    pub fn spans_in(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut spans: Vec<Range<usize>> = Vec::new();
        let mut from = 0usize;
        while let Some(at) = self.plain.find(text, from) {
            let end = at.wrapping_add(self.text.len());
            match spans.last_mut().filter(|last| last.end > at) {
                Some(last) => last.end = end,
                None => spans.push(at..end),
            }
            from = at.wrapping_add(1);
        }
        spans
    }

    /// Whether the text occurs in the line.
    pub fn occurs_in(&self, line: &Line<'_>) -> bool {
        match (line.escapes(), &self.escaped) {
            (Escapes::None, _) => self.plain.find(line.raw(), 0).is_some(),
            (Escapes::Short | Escapes::Nested | Escapes::Wide, Some(escaped)) => {
                let raw = line.raw();
                let mut from = 0usize;
                while let Some(at) = escaped.find(raw, from) {
                    if !starts_inside_escape(raw, at) {
                        return true;
                    }
                    from = at.wrapping_add(1);
                }
                false
            }
            _ => self.plain.find(line.text(), 0).is_some(),
        }
    }
}

/// Whether position `at` is the letter or a digit of an escape that starts before it.
#[inline]
pub(crate) fn starts_inside_escape(raw: &[u8], at: usize) -> bool {
    let Some(before) = raw.get(..at) else { return false };
    let may_be = match before.last_chunk::<8>() {
        Some(last) => last.last() == Some(&b'\\') || swar::have_unicode_escape(last),
        None => !before.is_empty(),
    };
    may_be && is_inside_escape(raw, at)
}

#[inline(never)]
fn is_inside_escape(raw: &[u8], at: usize) -> bool {
    let is_escape = |backslash: usize| {
        let run =
            raw.get(..=backslash).unwrap_or_default().iter().rev().take_while(|&&byte| byte == b'\\').count();
        run % 2 == 1
    };
    let Some(previous) = at.checked_sub(1) else { return false };
    if raw.get(previous) == Some(&b'\\') {
        return is_escape(previous);
    }
    (2..=5).filter_map(|back| at.checked_sub(back)).any(|backslash| {
        raw.get(backslash..backslash.wrapping_add(2)) == Some(b"\\u") && is_escape(backslash)
    })
}

/// Bytes to search for, prepared.
#[derive(Clone, Debug)]
pub struct Prepared {
    bytes: Box<[u8]>,
    /// Its two rarest bytes with their places.
    rare: (usize, u8),
    other: (usize, u8),
    /// Whether even the rarest is found in every few words.
    is_common: bool,
    linear: OnceCell<LinearSearch>,
}

impl PartialEq for Prepared {
    fn eq(&self, other: &Prepared) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Prepared {}

/// A search that takes a bounded time for each byte, made when a line needs it.
#[derive(Clone, Debug)]
enum LinearSearch {
    /// For each byte the places of the bytes searched for where it stands: of at most 64, a place is a bit, and how far each start has
    /// come is one word (Baeza-Yates and Gonnet, *A new approach to text searching*, 1992).
    Places(Box<[u64; 256]>),
    /// Crochemore and Perrin's two ways, which cost some times as much.
    TwoWay(Box<memmem::Finder<'static>>),
}

impl LinearSearch {
    fn new(bytes: &[u8]) -> LinearSearch {
        if bytes.len() > 64 {
            return LinearSearch::TwoWay(Box::new(memmem::Finder::new(bytes).into_owned()));
        }
        let mut places = Box::new([0u64; 256]);
        for (place, byte) in (0u32..).zip(bytes) {
            if let Some(bits) = places.get_mut(usize::from(*byte)) {
                *bits |= 1u64.wrapping_shl(place);
            }
        }
        LinearSearch::Places(places)
    }
}

impl Prepared {
    /// Prepares bytes, of which there is at least one.
    pub fn new(bytes: &[u8]) -> Prepared {
        let rarest = |without: Option<usize>| {
            let all = bytes.iter().copied().enumerate().filter(|(at, _)| Some(*at) != without);
            all.min_by_key(|(_, byte)| frequency(*byte))
        };
        let rare = rarest(None).unwrap_or_default();
        let other = rarest(Some(rare.0)).unwrap_or(rare);
        let is_common = frequency(rare.1) >= 4;
        Prepared { bytes: bytes.into(), rare, other, is_common, linear: OnceCell::new() }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The one of them that is rarest in logs.
    pub(crate) fn rarest(&self) -> u8 {
        self.rare.1
    }

    /// How many bytes these are; never none.
    #[expect(clippy::len_without_is_empty, reason = "there is always at least one")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Where they first occur at or after `from`.
    pub fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        let (mut from, mut budget) = (from, CANDIDATES);
        let next = |from| {
            let find = if self.is_common { swar::find_common_pair } else { swar::find_pair };
            find(text, from, self.rare, self.other, self.bytes.len())
        };
        while let Some(start) = next(from) {
            let candidate = text.get(start..start.wrapping_add(self.bytes.len()))?;
            if swar::equal(candidate, &self.bytes) {
                return Some(start);
            }
            from = start.wrapping_add(1);
            budget = budget.saturating_sub(1);
            if budget == 0 {
                return self.find_linear(text.get(from..)?).map(|found| found.wrapping_add(from));
            }
        }
        None
    }
}

impl Prepared {
    /// The same with a bounded time for each byte.
    #[inline(never)]
    fn find_linear(&self, text: &[u8]) -> Option<usize> {
        let places = match self.linear.get_or_init(|| LinearSearch::new(&self.bytes)) {
            LinearSearch::Places(places) => places,
            LinearSearch::TwoWay(finder) => return finder.find(text),
        };
        let last = 1u64.wrapping_shl((self.bytes.len() as u32).wrapping_sub(1));
        let mut state = 0u64;
        let step = |state: u64, byte: u8| {
            (state.wrapping_shl(1) | 1) & places.get(usize::from(byte)).copied().unwrap_or(0)
        };
        let mut rest = text;
        // Eight bytes are looked at before anybody asks whether one of them was the last.
        while let Some((block, behind)) = rest.split_first_chunk::<8>() {
            let [a, b, c, d, e, f, g, h] = *block;
            let one = step(state, a);
            let two = step(one, b);
            let three = step(two, c);
            let four = step(three, d);
            let five = step(four, e);
            let six = step(five, f);
            let seven = step(six, g);
            let eight = step(seven, h);
            if (one | two | three | four | five | six | seven | eight) & last != 0 {
                break;
            }
            (state, rest) = (eight, behind);
        }
        let is_end = |byte: &u8| {
            state = step(state, *byte);
            state & last != 0
        };
        let behind = rest.iter().position(is_end)?.wrapping_add(text.len().wrapping_sub(rest.len()));
        Some(behind.wrapping_add(1).wrapping_sub(self.bytes.len()))
    }
}

/// How common a byte is in log text, in thousandths: counted in access logs, JSON with its escapes, traces and words.
pub(crate) fn frequency(byte: u8) -> u8 {
    match byte {
        b'"' | b'\\' => 64,
        b' ' | b'0' => 55,
        b'1' | b'2' | b'e' => 45,
        b'.' | b':' | b'a' | b't' => 29,
        b'c' | b'o' | b'r' | b's' => 24,
        b'3'..=b'9' | b'-' | b'd' | b'i' | b'l' => 18,
        b'/' | b',' | b'n' | b'p' | b'u' => 15,
        b'b' | b'h' | b'm' | b'v' | b'T' => 11,
        b'f' | b'g' => 8,
        b'=' | b'_' | b'k' | b'E' | b'G' => 5,
        b'[' | b']' | b'w'..=b'y' | b'N'..=b'P' | b'H' | b'Z' => 4,
        b'+' | b'{' | b'}' | b'A'..=b'Y' | b'j' | b'q' | b'z' => 2,
        _ => 1,
    }
}

/// Misses after which the two-way search takes over.
const CANDIDATES: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_search_in_the_unescaped_text(
            text in "[ab\"\\\\\n\tnu0é\u{1}]{0,24}",
            needle in "[ab\"\\\\\n\tnu0é\u{1}]{1,4}",
            ascii in any::<bool>(),
        ) {
            let mut written = serde_json::to_string(&text).unwrap();
            if ascii {
                written = written.replace('é', "\\u00e9");
            }
            let line = Line::exactly(&written.as_bytes()[1..written.len() - 1]);
            prop_assert_eq!(Needle::new(needle.clone()).occurs_in(&line), text.contains(&needle), "{}", written);
        }

        #[test]
        fn the_linear_search_finds_the_first_occurrence(text in "[ab]{0,120}", needle in "[ab]{1,6}|[ab]{60,70}", place in 0usize..60) {
            let text = format!("{}{needle}{text}", &text[..place.min(text.len())]);
            for text in [&text[..], &text[..needle.len() - 1]] {
                prop_assert_eq!(Prepared::new(needle.as_bytes()).find_linear(text.as_bytes()), text.find(&needle));
            }
        }

        #[test]
        fn finds_the_first_occurrence(text in "[ab]{0,120}", needle in "[ab]{1,6}") {
            let found = Prepared::new(needle.as_bytes()).find(text.as_bytes(), 0);
            prop_assert_eq!(found, text.find(&needle));
        }
    }
}
