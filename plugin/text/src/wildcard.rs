//! Texts with `*` for any run of characters, also an empty one: bare and quoted values.

use crate::search::Prepared;
use crate::swar;

/// A text with or without wildcards.
#[derive(Clone, Debug)]
pub struct Wildcard {
    text: Box<str>,
    /// What stands between the stars; `None` without any.
    parts: Option<Parts>,
}

#[derive(Clone, Debug)]
struct Parts {
    head: Box<[u8]>,
    middle: Box<[Prepared]>,
    tail: Box<[u8]>,
}

impl PartialEq for Wildcard {
    fn eq(&self, other: &Wildcard) -> bool {
        self.text == other.text
    }
}

impl Wildcard {
    /// Prepares a text in which every `*` is a wildcard.
    pub fn new(text: String) -> Wildcard {
        let mut split = text.split('*').map(str::as_bytes);
        let head = split.next().unwrap_or_default().into();
        let parts = split.next_back().map(|tail| Parts {
            head,
            middle: split.filter(|part| !part.is_empty()).map(Prepared::new).collect(),
            tail: tail.into(),
        });
        Wildcard { parts, text: text.into() }
    }

    /// The text as meant, `*` included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the whole of `value` matches. Each part is taken where it first occurs, so this takes linear time.
    pub fn matches(&self, value: &[u8]) -> bool {
        let Some(Parts { head, middle, tail }) = &self.parts else {
            return swar::equal(value, self.text.as_bytes());
        };
        let inner = value.strip_prefix(&**head).and_then(|rest| rest.strip_suffix(&**tail));
        let Some(mut rest) = inner else { return false };
        for part in middle {
            match part.find(rest, 0) {
                Some(at) => rest = rest.get(at.wrapping_add(part.len())..).unwrap_or_default(),
                None => return false,
            }
        }
        true
    }

    /// The longest text that every match contains.
    pub fn longest_part(&self) -> &str {
        self.text.split('*').max_by_key(|part| part.len()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, by trying every length for every star.
    fn slow(pattern: &str, value: &str) -> bool {
        match pattern.split_once('*') {
            None => pattern == value,
            Some((head, tail)) => value.strip_prefix(head).is_some_and(|rest| {
                rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| slow(tail, &rest[at..]))
            }),
        }
    }

    #[test]
    fn stars_stand_for_any_run() {
        for (pattern, value, matches) in [
            ("4*", "404", true),
            ("*.html*", "GET /index.html HTTP/1.0", true),
            ("*111.111.111", "111.111.111.111", true),
            ("111*111", "111.111.111.111", true),
            ("a*a", "a", false),
            ("*", "", true),
            ("**", "x", true),
            ("", "", true),
            ("", "x", false),
            ("a?c", "abc", false),
        ] {
            assert_eq!(Wildcard::new(pattern.into()).matches(value.as_bytes()), matches, "{pattern} {value}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*é]{0,7}", value in "[abé]{0,9}") {
            let matches = Wildcard::new(pattern.clone()).matches(value.as_bytes());
            prop_assert_eq!(matches, slow(&pattern, &value));
        }
    }
}
