//! What an expression is made of: branches, each a row of classes of characters.

/// One alternative: a row of elements, tied to the start or the end of the text or to neither.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Branch {
    /// What stands in a row.
    pub elements: Vec<Element>,
    /// Whether it begins only at the start of the text.
    pub at_start: bool,
    /// Whether it ends only at the end of the text.
    pub at_end: bool,
}

/// A class of characters and how often one of them occurs here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Element {
    /// Which characters may stand here.
    pub class: Class,
    /// How many of them.
    pub times: Times,
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// Exactly one.
    Once,
    /// One or none.
    Optionally,
    /// Any number, also none.
    Repeatedly,
}

/// Which characters: one bit for each of ASCII, and one for all others together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// Bit 65 stands for `A`.
    pub ascii: u128,
    /// Whether characters beyond ASCII are in it.
    pub beyond: bool,
}

impl Branch {
    /// Whether it matches in every text, because nothing of it has to occur.
    pub fn is_always(&self) -> bool {
        !(self.at_start && self.at_end) && self.elements.iter().all(Element::may_be_missing)
    }

    /// The text it is, when it is nothing but a text that may stand anywhere.
    pub fn text(&self) -> Option<String> {
        let is_free = !self.at_start && !self.at_end && !self.elements.is_empty();
        if is_free { self.elements.iter().map(Element::character).collect() } else { None }
    }

    /// The longest text that must occur for it to match.
    pub fn needed_text(&self) -> Option<String> {
        let mut longest = String::new();
        let mut current = String::new();
        for element in &self.elements {
            match element.character() {
                Some(character) => current.push(character),
                None => current.clear(),
            }
            if current.len() > longest.len() {
                longest.clone_from(&current);
            }
        }
        (longest.len() > 1).then_some(longest)
    }
}

impl Element {
    /// Whether a text matches without it.
    pub fn may_be_missing(&self) -> bool {
        self.times != Times::Once
    }

    /// The one character that must stand here.
    fn character(&self) -> Option<char> {
        let is_one = self.times == Times::Once && !self.class.beyond && self.class.ascii.count_ones() == 1;
        if is_one { char::from_u32(self.class.ascii.trailing_zeros()) } else { None }
    }
}

impl Class {
    /// The characters from one to another.
    pub fn range(low: u8, high: u8) -> Class {
        let below = |end: u32| 1u128.checked_shl(end).map_or(u128::MAX, |bit| bit.wrapping_sub(1));
        let ascii = below(u32::from(high).wrapping_add(1)) & !below(u32::from(low));
        Class { ascii, beyond: false }
    }

    /// One character.
    pub fn one(character: u8) -> Class {
        Class::range(character, character)
    }

    /// Those of both.
    pub fn or(self, other: Class) -> Class {
        Class { ascii: self.ascii | other.ascii, beyond: self.beyond | other.beyond }
    }

    /// All others.
    pub fn complement(self) -> Class {
        Class { ascii: !self.ascii, beyond: !self.beyond }
    }

    /// `\d`, `\s`, `\w` and their complements.
    pub fn named(letter: u8) -> Option<Class> {
        let word = || Class::range(b'a', b'z').or(Class::range(b'A', b'Z')).or(Class::range(b'0', b'9'));
        let class = match letter.to_ascii_lowercase() {
            b'd' => Class::range(b'0', b'9'),
            // Tab, newline, vertical tab, form feed and carriage return stand in a row.
            b's' => Class::range(b'\t', b'\r').or(Class::one(b' ')),
            b'w' => word().or(Class::one(b'_')),
            _ => return None,
        };
        Some(if letter.is_ascii_uppercase() { class.complement() } else { class })
    }
}
