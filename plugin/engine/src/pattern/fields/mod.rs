//! Space-delimited patterns, `[ip, user, ..., status = 4*, bytes > 1000]`: a line as a row of fields.

mod parse;

use crate::fields::Fields;
pub(super) use parse::parse;

use crate::pattern::logic::Logic;
use crate::pattern::value::{Compared, Literal, Operand, Operator};
use std::fmt;

/// A space-delimited pattern.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FieldPattern {
    /// Entries from the left; without an ellipsis the last takes what is left of the line.
    pub(super) left: Vec<FieldEntry>,
    /// Entries behind an ellipsis, from the right end of the line.
    pub(super) right: Option<Vec<FieldEntry>>,
}

/// One entry of the pattern.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum FieldEntry {
    /// No name: anything.
    Unnamed,
    /// A name, which is only a label: anything.
    Named(Box<str>),
    /// What must be true of the field.
    Tested(Logic<FieldTest>),
}

/// A comparison with the name of its field in front, the same in all tests of an entry.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FieldTest {
    pub(super) name: Box<str>,
    pub(super) comparison: Compared,
}

impl FieldPattern {
    /// Whether a line matches; its text has no escapes.
    #[inline]
    pub(super) fn matches(&self, line: &[u8]) -> bool {
        let holds = |(entry, field): (&FieldEntry, &[u8])| entry.holds(field);
        match &self.right {
            None => {
                let Some((last, before)) = self.left.split_last() else { return true };
                let mut fields = Fields::of(line);
                for entry in before {
                    let Some(field) = fields.next() else { return false };
                    if !entry.holds(field) {
                        return false;
                    }
                }
                fields.rest().is_some_and(|rest| last.holds(rest))
            }
            Some(right) => {
                let mut fields = Fields::of(line);
                for entry in &self.left {
                    if !fields.next().is_some_and(|field| entry.holds(field)) {
                        return false;
                    }
                }
                if right.is_empty() {
                    return true;
                }
                let tail = fields.last(right.len());
                tail.len() == right.len() && right.iter().zip(tail).all(holds)
            }
        }
    }

    /// What a line has in the first entry of that name.
    pub(super) fn value_of<'l>(&self, name: &str, line: &'l [u8]) -> Option<&'l [u8]> {
        let at = |entries: &[FieldEntry]| entries.iter().position(|entry| entry.name() == Some(name));
        let mut fields = Fields::of(line);
        let Some(place) = at(&self.left) else {
            let right = self.right.as_deref()?;
            return fields.last(right.len()).get(at(right)?).copied();
        };
        for _ in 0..place {
            fields.next()?;
        }
        let takes_the_rest = self.right.is_none() && place.wrapping_add(1) == self.left.len();
        if takes_the_rest { fields.rest() } else { fields.next() }
    }

    /// All entries in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = &FieldEntry> {
        self.left.iter().chain(self.right.iter().flatten())
    }

    /// Whether there is no condition and at most one field is asked for.
    pub(super) fn takes_any_line(&self) -> bool {
        self.right.is_none()
            && self.left.len() <= 1
            && !self.entries().any(|entry| matches!(entry, FieldEntry::Tested(_)))
    }

    /// The longest text that stands in every line that matches, when there is one.
    pub(super) fn needed_text(&self) -> Option<&str> {
        let tested = self.entries().filter_map(|entry| match entry {
            FieldEntry::Tested(logic) if logic.is_conjunction() => Some(logic),
            _ => None,
        });
        let texts = tested.flat_map(Logic::iter).filter_map(|test| match &test.comparison {
            Compared { operator: Operator::Equal, value: Literal::Text { text, .. } } => {
                Some(text.longest_part())
            }
            _ => None,
        });
        texts.max_by_key(|text| text.len()).filter(|text| text.len() > 1)
    }
}

impl FieldEntry {
    /// Its name, if it has one.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            FieldEntry::Unnamed => None,
            FieldEntry::Named(name) => Some(name),
            FieldEntry::Tested(logic) => logic.iter().next().map(|test| &*test.name),
        }
    }

    /// Whether a field is as wanted.
    #[inline]
    pub(super) fn holds(&self, field: &[u8]) -> bool {
        match self {
            FieldEntry::Unnamed | FieldEntry::Named(_) => true,
            FieldEntry::Tested(logic) => logic.holds(|test| test.comparison.holds(Operand::Field(field))),
        }
    }
}

impl fmt::Display for FieldPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        let mut entries =
            self.left.iter().map(Some).chain(
                self.right.iter().flat_map(|right| std::iter::once(None).chain(right.iter().map(Some))),
            );
        let first = entries.next();
        // `[]` has no entries; one unnamed entry alone cannot be written.
        if let Some(entry) = first {
            write_entry(f, entry)?;
        }
        for entry in entries {
            f.write_str(", ")?;
            write_entry(f, entry)?;
        }
        f.write_str("]")
    }
}

fn write_entry(f: &mut fmt::Formatter<'_>, entry: Option<&FieldEntry>) -> fmt::Result {
    match entry {
        None => f.write_str("..."),
        Some(FieldEntry::Unnamed) => Ok(()),
        Some(FieldEntry::Named(name)) => f.write_str(name),
        Some(FieldEntry::Tested(logic)) => write!(f, "{logic}"),
    }
}

impl fmt::Display for FieldEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldEntry::Unnamed => Ok(()),
            FieldEntry::Named(name) => f.write_str(name),
            FieldEntry::Tested(logic) => logic.fmt(f),
        }
    }
}

impl fmt::Display for FieldTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.comparison)
    }
}
