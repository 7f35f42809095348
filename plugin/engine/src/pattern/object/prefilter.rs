//! A prefilter: most lines are not what a JSON pattern looks for, and that can be seen without walking them.
//!
//! A condition that needs a node needs its key in the line, and behind one of its places a value that passes. What stands
//! around it is not looked at, so this only ever says that a line *may* match; then it is walked. The rule kept here: where a
//! key or a value could be spelled in another way, it may.

use crate::json::{self, Escapes, Level, skip_blank};
use crate::line::Line;
use crate::pattern::object::selector::{PropertySelector, SelectorStep};
use crate::pattern::object::{PropertyCondition, Test};
use crate::pattern::value::{Operand, Operator};
use crate::search::{NeededText, Prepared};
use crate::swar;

/// A key as a line holds it, its quotes escaped.
#[derive(Clone, Debug)]
pub(super) struct KeyPrefilter(Prepared);

impl KeyPrefilter {
    /// The key as a line holds it.
    pub(super) fn written(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl PartialEq for KeyPrefilter {
    /// It follows from the selector, which is compared.
    fn eq(&self, _: &KeyPrefilter) -> bool {
        true
    }
}

/// Whether a prefilter says anything about this line: it was not walked yet, and each plain character in its keys has one spelling. That
/// is so where they have no escapes, or none of UTF-16 units.
#[inline]
pub(super) fn is_applicable(line: &Line<'_>) -> bool {
    match (line.escapes(), line.raw()) {
        _ if line.has_outline() => false,
        (Escapes::Short, [b'{' | b' ' | b'\\', ..]) => true,
        (Escapes::Nested, [b'{', ..]) => !json::has_nested_units(line.raw()),
        // The walk ends with the first character of what is no object.
        (Escapes::Short | Escapes::Nested, _) => false,
        (Escapes::None | Escapes::Wide | Escapes::Irregular, _) => false,
    }
}

impl PropertyCondition {
    pub(super) fn new(selector: PropertySelector, test: Test) -> PropertyCondition {
        let needs_a_node = match &test {
            Test::Compare(comparison) => {
                comparison.operator != Operator::NotEqual || !selector.has_wildcard()
            }
            Test::IsNull | Test::IsTrue | Test::IsFalse => true,
            Test::NotExists => false,
        };
        let key = match selector.steps.last() {
            Some(SelectorStep::Key(key)) if needs_a_node && key.bytes().all(is_plain) => {
                Some(KeyPrefilter(Prepared::new(format!("\\\"{key}\\\"").as_bytes())))
            }
            _ => None,
        };
        PropertyCondition { selector, test, key }
    }

    /// Whether it can hold for a line for which a prefilter [says anything](is_applicable).
    #[inline]
    pub(super) fn may_hold(&self, line: &Line<'_>, needed: NeededText) -> bool {
        let Some(KeyPrefilter(key)) = &self.key else { return true };
        let raw = line.raw();
        let mut from = 0usize;
        // What stands inside an escape is no key: so the first that counts is known, and mostly the only one.
        if let NeededText::FirstAt(at) = needed {
            if self.may_pass(raw, at.wrapping_add(key.len())) {
                return true;
            }
            from = at.wrapping_add(1);
        }
        while let Some(at) = key.find(raw, from) {
            if self.may_pass(raw, at.wrapping_add(key.len())) {
                return true;
            }
            // The closing quote of one string and the opening one of the next may have been taken for a key like `,`.
            from = at.wrapping_add(1);
        }
        false
    }

    /// Whether what stands behind a key passes.
    #[inline]
    fn may_pass(&self, raw: &[u8], behind_key: usize) -> bool {
        let colon = skip_blank(raw, behind_key, Level::Quoted);
        if raw.get(colon) != Some(&b':') {
            return false;
        }
        let value = raw.get(skip_blank(raw, colon.wrapping_add(1), Level::Quoted)..).unwrap_or_default();
        let comparison = match &self.test {
            Test::Compare(comparison) => comparison,
            Test::IsTrue => return value.starts_with(b"true"),
            Test::IsFalse => return value.starts_with(b"false"),
            Test::IsNull => return value.starts_with(b"null") || value.starts_with(b"["),
            Test::NotExists => return true,
        };
        match value {
            [b'\\', b'"', content @ ..] => match swar::find_byte(content, 0, b'\\') {
                // The string has escapes.
                Some(length) if content.get(length.wrapping_add(1)) != Some(&b'"') => true,
                Some(length) => {
                    comparison.holds(Operand::JsonString(content.get(..length).unwrap_or_default()))
                }
                None => true,
            },
            [b'-' | b'0'..=b'9', ..] => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\\');
                let length = value.iter().position(ends).unwrap_or(value.len());
                comparison.holds(Operand::JsonNumber(value.get(..length).unwrap_or_default()))
            }
            _ => false,
        }
    }
}

/// Characters with one spelling in a string without UTF-16 units; `/` may stand behind a backslash.
fn is_plain(byte: u8) -> bool {
    (b' '..0x7f).contains(&byte) && !matches!(byte, b'"' | b'\\' | b'/')
}
