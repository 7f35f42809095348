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
pub struct Terms(Vec<(TermSign, Needle)>);

impl Terms {
    /// Adds a term; its text is not empty.
    pub(super) fn push(&mut self, sign: TermSign, text: String) {
        self.0.push((sign, Needle::new(text)));
    }

    /// The terms with their signs.
    pub fn iter(&self) -> impl Iterator<Item = (TermSign, &str)> {
        self.0.iter().map(|(sign, needle)| (*sign, needle.text()))
    }

    /// Whether the pattern has optional terms that decide nothing, because plain or excluded ones stand beside them.
    pub fn optional_are_ignored(&self) -> bool {
        self.has(TermSign::Optional) && (self.has(TermSign::Plain) || self.has(TermSign::Excluded))
    }

    /// Texts of which a line that matches has one: the longest that must occur, else all of those of which one must.
    pub(super) fn needed_texts(&self) -> Vec<Box<[u8]>> {
        let of = |wanted: TermSign| {
            self.0.iter().filter(move |(sign, _)| *sign == wanted).map(|(_, needle)| needle)
        };
        if let [(TermSign::Plain, _)] = self.0.as_slice()
            && self.0.iter().any(|(_, only)| only.text() == " ")
        {
            // The one that any line matches.
            return Vec::new();
        }
        if let Some(longest) = of(TermSign::Plain).filter_map(Needle::written).max_by_key(|text| text.len()) {
            return vec![longest.into()];
        }
        let decides = !self.has(TermSign::Plain) && !self.has(TermSign::Excluded);
        let optional = of(TermSign::Optional).map(|needle| needle.written().map(Box::from));
        optional.collect::<Option<_>>().filter(|_| decides).unwrap_or_default()
    }

    /// The one text that must occur, where nothing else is asked.
    pub(super) fn only(&self) -> Option<&Needle> {
        match self.0.as_slice() {
            [(TermSign::Plain, needle)] if needle.text() != " " => Some(needle),
            _ => None,
        }
    }

    /// Whether the line matches.
    #[inline]
    pub fn matches(&self, line: &Searched<'_>) -> bool {
        // The one pattern whose documentation promises more than the service does, see `crate::pattern`.
        if let [(TermSign::Plain, only)] = self.0.as_slice()
            && only.text() == " "
        {
            return true;
        }
        let mut only_optional = true;
        for (sign, needle) in &self.0 {
            let wanted = match sign {
                TermSign::Optional => continue,
                TermSign::Plain => true,
                TermSign::Excluded => false,
            };
            only_optional = false;
            if line.has(needle) != wanted {
                return false;
            }
        }
        !only_optional || self.0.is_empty() || self.0.iter().any(|(_, needle)| line.has(needle))
    }

    /// The first plain term that is missing or excluded one that occurs.
    pub(super) fn failed(&self, line: &Searched<'_>) -> Option<(TermSign, &str)> {
        let failed = self.0.iter().find(|(sign, needle)| match sign {
            TermSign::Plain => !line.has(needle),
            TermSign::Excluded => line.has(needle),
            TermSign::Optional => false,
        });
        failed.map(|(sign, needle)| (*sign, needle.text()))
    }

    fn has(&self, wanted: TermSign) -> bool {
        self.0.iter().any(|(sign, _)| *sign == wanted)
    }
}
