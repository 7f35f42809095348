//! Where an expression matches: for each place of the automaton the earliest start of what has been matched up to it.
//!
//! The rule kept here: what belongs to any match is found, not only to the longest of the first, in one pass over the text. A
//! character costs a few operations for each place that is reached, whatever text came before.

use super::{Places, is_continuation};
use std::ops::Range;

/// All bytes of all matches; matches that overlap are one part. An empty match has none.
pub(super) fn all<'m>(
    places: &Places<Vec<u64>>,
    may_stand: impl Fn(u8) -> Option<&'m [u64]>,
    text: &[u8],
) -> Vec<Range<usize>> {
    let width = places.begin.len().saturating_mul(64);
    let mut now: Vec<Option<usize>> = vec![None; width];
    let mut next = now.clone();
    let mut found: Vec<Range<usize>> = Vec::new();
    let has = |words: &[u64], place: usize| {
        words.get(place / 64).is_some_and(|word| word & (1u64 << (place % 64)) != 0)
    };
    let begin = |starts: &mut [Option<usize>], words: &[u64], at: usize| {
        for (place, start) in starts.iter_mut().enumerate() {
            if start.is_none() && has(words, place) {
                *start = Some(at);
            }
        }
    };
    begin(&mut now, &places.begin_first, 0);
    skip(&mut now, |place| has(&places.optional, place));
    let starts = text.iter().enumerate().filter(|(_, byte)| !is_continuation(**byte));
    let mut characters = starts.peekable();
    while let Some((_, &byte)) = characters.next() {
        let end = characters.peek().map_or(text.len(), |(next, _)| *next);
        next.fill(None);
        let stands = may_stand(byte).unwrap_or_default();
        for (place, start) in now.iter().enumerate() {
            let Some(start) = *start else { continue };
            if has(stands, place) {
                let to = if has(&places.repeated, place) { place } else { place.wrapping_add(1) };
                earlier(&mut next, to, start);
            }
        }
        begin(&mut next, &places.begin, end);
        skip(&mut next, |place| has(&places.optional, place));
        std::mem::swap(&mut now, &mut next);
        let is_last = end == text.len();
        let ends = |place: usize| has(&places.end, place) || is_last && has(&places.end_last, place);
        let ended = now.iter().enumerate().filter(|(place, _)| ends(*place));
        if let Some(start) = ended.filter_map(|(_, start)| *start).min().filter(|start| *start < end) {
            add(&mut found, start..end);
        }
    }
    found
}

/// Passes over characters that may be missing.
fn skip(starts: &mut [Option<usize>], is_optional: impl Fn(usize) -> bool) {
    for place in 0..starts.len() {
        if is_optional(place)
            && let Some(start) = starts.get(place).copied().flatten()
        {
            earlier(starts, place.wrapping_add(1), start);
        }
    }
}

fn earlier(starts: &mut [Option<usize>], place: usize, start: usize) {
    if let Some(known) = starts.get_mut(place) {
        *known = Some(known.map_or(start, |known| known.min(start)));
    }
}

/// Adds a match that ends behind all others; what it overlaps becomes a part of it.
fn add(found: &mut Vec<Range<usize>>, more: Range<usize>) {
    let mut start = more.start;
    while let Some(last) = found.last().filter(|last| last.end > start) {
        start = start.min(last.start);
        found.pop();
    }
    found.push(start..more.end);
}

#[cfg(test)]
mod tests {
    use super::super::{Automaton, Branch, Class, Element, Times};
    use proptest::prelude::*;
    use std::ops::Range;

    fn element(class: Class, times: Times) -> Element {
        Element { class, times }
    }

    fn letters() -> impl Strategy<Value = Branch> {
        let class =
            prop_oneof![Just(Class::one(b'a')), Just(Class::range(b'a', b'b')), Just(Class::one(b'c'))];
        let times = prop_oneof![Just(Times::Once), Just(Times::Optionally), Just(Times::Repeatedly)];
        let elements =
            proptest::collection::vec((class, times).prop_map(|(class, times)| element(class, times)), 1..5);
        (elements, any::<bool>(), any::<bool>()).prop_map(|(elements, at_start, at_end)| Branch {
            elements,
            at_start,
            at_end,
        })
    }

    /// Whether a branch matches a whole text: every way of it is tried.
    fn matches(elements: &[Element], text: &[u8]) -> bool {
        let Some((first, rest)) = elements.split_first() else { return text.is_empty() };
        let takes = |text: &[u8]| !text.is_empty() && first.class.ascii & (1 << text[0]) != 0;
        match first.times {
            Times::Once => takes(text) && matches(rest, &text[1..]),
            Times::Optionally => matches(rest, text) || takes(text) && matches(rest, &text[1..]),
            Times::Repeatedly => matches(rest, text) || takes(text) && matches(elements, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn every_byte_of_every_match_is_found_and_no_other(
            branches in proptest::collection::vec(letters(), 1..3),
            text in "[abcd]{0,9}",
        ) {
            let bytes = text.as_bytes();
            let mut covered = vec![false; bytes.len()];
            for start in 0..bytes.len() {
                for end in start + 1..=bytes.len() {
                    let fits = |branch: &Branch| {
                        (!branch.at_start || start == 0)
                            && (!branch.at_end || end == bytes.len())
                            && matches(&branch.elements, &bytes[start..end])
                    };
                    if branches.iter().any(fits) {
                        covered[start..end].fill(true);
                    }
                }
            }
            let spans: Vec<Range<usize>> = Automaton::new(&branches).spans_in(bytes);
            let mut found = vec![false; bytes.len()];
            for span in &spans {
                found[span.clone()].fill(true);
            }
            prop_assert_eq!(found, covered, "{:?}", spans);
        }
    }

    #[test]
    fn matches_side_by_side_are_parts_of_their_own_and_overlapping_ones_are_one() {
        let row = |text: &[u8]| Branch {
            elements: text.iter().map(|byte| element(Class::one(*byte), Times::Once)).collect(),
            ..Branch::default()
        };
        let of = |pattern: &[u8], text: &[u8]| Automaton::new(&[row(pattern)]).spans_in(text);
        assert_eq!(of(b"ab", b"ababxab"), [0..2, 2..4, 5..7]);
        assert_eq!(of(b"aa", b"aaa b aa"), [0..3, 6..8]);
    }
}
