//! The branches of an expression as bits: one for each place in a branch, all moved on together by each character.
//!
//! A set bit says that everything before this place has been matched up to here. The rule kept here: a character costs
//! the same few operations whatever text came before it.

mod branch;
mod spans;

pub use branch::{Branch, Class, Element, Times};

use std::ops::Range;

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Automaton(Size);

#[derive(Clone, Debug)]
enum Size {
    /// At most 64 places, nearly always.
    Word(Box<Narrow>),
    /// More.
    Words(Box<Wide>),
}

/// What the places mean, 64 of them.
#[derive(Clone, Debug)]
struct Narrow {
    /// For each byte that starts a character, the places at which this character may stand.
    may_stand: [u64; 256],
    places: Places<u64>,
}

/// As [`Narrow`], of any number.
#[derive(Clone, Debug)]
struct Wide {
    may_stand: Vec<Vec<u64>>,
    places: Places<Vec<u64>>,
}

#[derive(Clone, Copy, Debug)]
struct Places<W> {
    /// Places whose character may come again.
    repeated: W,
    /// Places whose character may be missing.
    optional: W,
    /// Places at which a branch may begin anywhere.
    begin: W,
    /// The same, and those that may begin only at the start of the text.
    begin_first: W,
    /// Ends of branches.
    end: W,
    /// Ends of branches that must be the end of the text.
    end_last: W,
}

impl Automaton {
    /// Compiles branches.
    pub fn new(branches: &[Branch]) -> Automaton {
        let places: usize = branches
            .iter()
            .fold(0, |sum, branch| sum.saturating_add(branch.elements.len()).saturating_add(1));
        let words = places.div_ceil(64).max(1);
        let wide = Wide::new(branches, words);
        if words > 1 {
            return Automaton(Size::Words(Box::new(wide)));
        }
        let first = |words: &Vec<u64>| words.first().copied().unwrap_or_default();
        let mut tables = Box::new(Narrow {
            may_stand: [0; 256],
            places: Places {
                repeated: first(&wide.places.repeated),
                optional: first(&wide.places.optional),
                begin: first(&wide.places.begin),
                begin_first: first(&wide.places.begin_first),
                end: first(&wide.places.end),
                end_last: first(&wide.places.end_last),
            },
        });
        for (to, from) in tables.may_stand.iter_mut().zip(&wide.may_stand) {
            *to = first(from);
        }
        Automaton(Size::Word(tables))
    }

    /// The parts of a text, which is UTF-8, that stand in a match: every byte of every match, and no other.
    pub fn spans_in(&self, text: &[u8]) -> Vec<Range<usize>> {
        if !self.is_found_in(text) {
            return Vec::new();
        }
        match &self.0 {
            Size::Word(tables) => {
                let places = tables.places;
                let word = |word: u64| vec![word];
                let places = Places {
                    repeated: word(places.repeated),
                    optional: word(places.optional),
                    begin: word(places.begin),
                    begin_first: word(places.begin_first),
                    end: word(places.end),
                    end_last: word(places.end_last),
                };
                let may_stand = |byte: u8| tables.may_stand.get(usize::from(byte)).map(std::slice::from_ref);
                spans::all(&places, may_stand, text)
            }
            Size::Words(wide) => {
                let may_stand = |byte: u8| wide.may_stand.get(usize::from(byte)).map(Vec::as_slice);
                spans::all(&wide.places, may_stand, text)
            }
        }
    }

    /// Whether a branch matches anywhere in the text, which is UTF-8.
    pub fn is_found_in(&self, text: &[u8]) -> bool {
        match &self.0 {
            Size::Word(tables) => tables.is_found_in(text),
            Size::Words(wide) => wide.is_found_in(text),
        }
    }
}

impl Narrow {
    fn is_found_in(&self, text: &[u8]) -> bool {
        let Places { repeated, optional, begin, begin_first, end, end_last } = self.places;
        let skip = |places: u64| places | (optional.wrapping_add(places & optional) ^ optional);
        let begin = skip(begin);
        let mut places = skip(begin_first);
        let may_stand = |byte: u8| self.may_stand.get(usize::from(byte)).copied().unwrap_or_default();
        let mut bytes = text.iter();
        while let Some(&first) = bytes.next() {
            let mut byte = first;
            // While nothing has begun, only what a branch may begin with counts.
            if places == begin {
                while may_stand(byte) & begin == 0 {
                    match bytes.next() {
                        Some(&next) => byte = next,
                        None => return begin & (end | end_last) != 0,
                    }
                }
            }
            if is_continuation(byte) {
                continue;
            }
            let may_stand = may_stand(byte);
            let matched = places & may_stand;
            // Every place moves on by one, but those that may come again stay.
            places = ((matched & !repeated) << 1) | (matched & repeated) | begin;
            if optional != 0 {
                places = skip(places);
            }
            if places & end != 0 {
                return true;
            }
            if places == 0 {
                return false;
            }
        }
        places & (end | end_last) != 0
    }
}

impl Wide {
    fn new(branches: &[Branch], words: usize) -> Wide {
        let none = || vec![0u64; words];
        let mut places = Places {
            repeated: none(),
            optional: none(),
            begin: none(),
            begin_first: none(),
            end: none(),
            end_last: none(),
        };
        let mut may_stand = vec![none(); 256];
        let mut place = 0usize;
        for branch in branches {
            set(&mut places.begin_first, place);
            if !branch.at_start {
                set(&mut places.begin, place);
            }
            for element in &branch.elements {
                match element.times {
                    Times::Once => {}
                    Times::Optionally => set(&mut places.optional, place),
                    Times::Repeatedly => {
                        set(&mut places.optional, place);
                        set(&mut places.repeated, place);
                    }
                }
                for (byte, row) in (0u8..=255).zip(&mut may_stand) {
                    if contains(element.class, byte) {
                        set(row, place);
                    }
                }
                place = place.wrapping_add(1);
            }
            set(if branch.at_end { &mut places.end_last } else { &mut places.end }, place);
            place = place.wrapping_add(1);
        }
        Wide { may_stand, places }
    }

    fn is_found_in(&self, text: &[u8]) -> bool {
        let Places { repeated, optional, begin, begin_first, end, end_last } = &self.places;
        let meet = |one: &[u64], other: &[u64]| one.iter().zip(other).any(|(one, other)| one & other != 0);
        let mut places = begin_first.clone();
        skip(&mut places, optional);
        for &byte in text {
            if is_continuation(byte) {
                continue;
            }
            let Some(may_stand) = self.may_stand.get(usize::from(byte)) else { continue };
            let mut carry = 0u64;
            for ((places, may_stand), (repeated, begin)) in
                places.iter_mut().zip(may_stand).zip(repeated.iter().zip(begin))
            {
                let matched = *places & may_stand;
                let moving = matched & !repeated;
                *places = (moving << 1) | carry | (matched & repeated) | begin;
                carry = moving >> 63;
            }
            skip(&mut places, optional);
            if meet(&places, end) {
                return true;
            }
        }
        meet(&places, end) || meet(&places, end_last)
    }
}

/// Passes over characters that may be missing: adding a place to a run of optional ones carries to the run's end.
fn skip(places: &mut [u64], optional: &[u64]) {
    let mut carry = false;
    for (places, optional) in places.iter_mut().zip(optional) {
        let (sum, first) = optional.overflowing_add(*places & optional);
        let (sum, second) = sum.overflowing_add(u64::from(carry));
        *places |= sum ^ optional;
        carry = first || second;
    }
}

fn set(words: &mut [u64], place: usize) {
    if let Some(word) = words.get_mut(place / 64) {
        *word |= 1 << (place % 64);
    }
}

fn contains(class: Class, byte: u8) -> bool {
    if byte.is_ascii() { class.ascii & (1 << byte) != 0 } else { class.beyond && !is_continuation(byte) }
}

/// Whether a byte is inside a character, not its first.
fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}
