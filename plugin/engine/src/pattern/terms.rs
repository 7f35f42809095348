//! Term patterns, compiled and matched.

use crate::search::{Needle, Searched};

/// What a term asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermSign {
    /// It must occur.
    Plain,
    /// It must not occur.
    Excluded,
    /// One of these must occur, unless the pattern has terms of another sign.
    Optional,
}

/// The terms of a pattern in the order written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    all: Vec<(TermSign, Needle)>,
    /// The place of the longest that must occur, of those that are written in one way.
    longest: Option<usize>,
}

impl Terms {
    /// Adds a term; its text is not empty.
    pub(super) fn push(&mut self, sign: TermSign, text: String) {
        self.all.push((sign, Needle::new(text)));
        let plain = self.all.iter().enumerate().filter(|(_, (sign, _))| *sign == TermSign::Plain);
        let written = plain.filter_map(|(at, (_, needle))| Some((at, needle.written()?.len())));
        self.longest = written.max_by_key(|(_, length)| *length).map(|(at, _)| at);
    }

    /// The terms with their signs.
    pub fn iter(&self) -> impl Iterator<Item = (TermSign, &str)> {
        self.all.iter().map(|(sign, needle)| (*sign, needle.text()))
    }

    /// Whether the pattern has optional terms that decide nothing, because plain or excluded ones stand beside them.
    pub fn optional_are_ignored(&self) -> bool {
        self.has(TermSign::Optional) && (self.has(TermSign::Plain) || self.has(TermSign::Excluded))
    }

    /// Texts of which a line that matches has one: the longest that must occur, else all of those of which one must.
    pub(super) fn needed_texts(&self) -> Vec<Box<[u8]>> {
        let of = |wanted: TermSign| {
            self.all.iter().filter(move |(sign, _)| *sign == wanted).map(|(_, needle)| needle)
        };
        if let [(TermSign::Plain, _)] = self.all.as_slice()
            && self.all.iter().any(|(_, only)| only.text() == " ")
        {
            // The one that any line matches.
            return Vec::new();
        }
        if let Some((_, longest)) = self.longest.and_then(|longest| self.all.get(longest)) {
            return longest.written().map(Box::from).into_iter().collect();
        }
        let decides = !self.has(TermSign::Plain) && !self.has(TermSign::Excluded);
        let optional = of(TermSign::Optional).map(|needle| needle.written().map(Box::from));
        optional.collect::<Option<_>>().filter(|_| decides).unwrap_or_default()
    }

    /// The one text that must occur, where nothing else is asked.
    pub(super) fn only(&self) -> Option<&Needle> {
        match self.all.as_slice() {
            [(TermSign::Plain, needle)] if needle.text() != " " => Some(needle),
            _ => None,
        }
    }

    /// Whether the line matches.
    #[inline]
    pub fn matches(&self, line: &Searched<'_>) -> bool {
        // The one pattern whose documentation promises more than the service does, see `crate::pattern`.
        if let [(TermSign::Plain, only)] = self.all.as_slice()
            && only.text() == " "
        {
            return true;
        }
        let mut only_optional = true;
        // That one has been found, if the line has been searched for it.
        let found = if line.has_needed() { self.longest } else { None };
        for (at, (sign, needle)) in self.all.iter().enumerate() {
            let wanted = match sign {
                TermSign::Optional => continue,
                TermSign::Plain => true,
                TermSign::Excluded => false,
            };
            only_optional = false;
            if found != Some(at) && line.has(needle) != wanted {
                return false;
            }
        }
        !only_optional || self.all.is_empty() || self.all.iter().any(|(_, needle)| line.has(needle))
    }

    /// The first plain term that is missing or excluded one that occurs.
    pub(super) fn failed(&self, line: &Searched<'_>) -> Option<(TermSign, &str)> {
        let failed = self.all.iter().find(|(sign, needle)| match sign {
            TermSign::Plain => !line.has(needle),
            TermSign::Excluded => line.has(needle),
            TermSign::Optional => false,
        });
        failed.map(|(sign, needle)| (*sign, needle.text()))
    }

    fn has(&self, wanted: TermSign) -> bool {
        self.all.iter().any(|(sign, _)| *sign == wanted)
    }
}
