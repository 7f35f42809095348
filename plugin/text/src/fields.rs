//! A line as fields: runs of anything but blanks, `"quoted"` and `[bracketed]` ones without their delimiters.

use std::collections::VecDeque;

/// The fields of a line, from the left.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    line: &'a [u8],
    at: usize,
    /// Behind the last closing delimiter of each kind no other comes, so an opening one there is an ordinary character:
    /// known after the first search, which keeps the work linear.
    unclosed: [bool; 2],
}

impl<'a> Fields<'a> {
    /// The fields of a line without escapes.
    pub fn of(line: &'a [u8]) -> Fields<'a> {
        Fields { line: trim_end(line), at: 0, unclosed: [false; 2] }
    }

    /// The next field.
    #[expect(clippy::should_implement_trait, reason = "`last` and `rest` here are not those of an iterator")]
    pub fn next(&mut self) -> Option<&'a [u8]> {
        self.skip_blank();
        let rest = self.rest_of_line();
        let (kind, close) = match rest.first()? {
            b'"' => (0usize, b'"'),
            b'[' => (1, b']'),
            _ => (2, 0),
        };
        if let Some(unclosed) = self.unclosed.get_mut(kind)
            && !*unclosed
        {
            let inner = rest.get(1..).unwrap_or_default();
            match memchr::memchr(close, inner) {
                Some(length) => {
                    self.at = self.at.wrapping_add(length).wrapping_add(2);
                    return inner.get(..length);
                }
                None => *unclosed = true,
            }
        }
        let mut length = 0usize;
        while let Some(&byte) = rest.get(length) {
            if is_blank(byte) {
                break;
            }
            length = length.wrapping_add(1);
        }
        self.at = self.at.wrapping_add(length);
        rest.get(..length)
    }

    /// All that is left as one text; unwrapped if it is exactly one field. `None` when nothing is left.
    pub fn rest(mut self) -> Option<&'a [u8]> {
        self.skip_blank();
        let rest = self.rest_of_line();
        let one = self.next()?;
        self.skip_blank();
        Some(if self.rest_of_line().is_empty() { one } else { rest })
    }

    /// The last `count` fields, or all if there are fewer.
    pub fn last(mut self, count: usize) -> VecDeque<&'a [u8]> {
        let mut last = VecDeque::with_capacity(count.saturating_add(1));
        while let Some(field) = self.next() {
            last.push_back(field);
            if last.len() > count {
                last.pop_front();
            }
        }
        last
    }

    fn rest_of_line(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn skip_blank(&mut self) {
        while self.line.get(self.at).is_some_and(|&byte| is_blank(byte)) {
            self.at = self.at.wrapping_add(1);
        }
    }
}

/// ASCII white space.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn trim_end(mut line: &[u8]) -> &[u8] {
    while let Some((last, rest)) = line.split_last()
        && is_blank(*last)
    {
        line = rest;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(line: &str) -> Vec<String> {
        let mut fields = Fields::of(line.as_bytes());
        std::iter::from_fn(|| fields.next()).map(|field| String::from_utf8(field.to_vec()).unwrap()).collect()
    }

    /// The rule, character by character.
    fn slow(line: &str) -> Vec<String> {
        let blank = |c: char| c.is_ascii_whitespace() || c == '\x0b';
        let mut rest = line.trim_matches(blank);
        let mut found = Vec::new();
        while let Some(first) = rest.chars().next() {
            let close = match first {
                '"' => Some('"'),
                '[' => Some(']'),
                _ => None,
            };
            let quoted = close.and_then(|close| rest[1..].split_once(close));
            match quoted {
                Some((inner, behind)) => {
                    found.push(inner.to_owned());
                    rest = behind.trim_start_matches(blank);
                }
                None => {
                    let (field, behind) = rest.split_once(blank).unwrap_or((rest, ""));
                    found.push(field.to_owned());
                    rest = behind.trim_start_matches(blank);
                }
            }
        }
        found
    }

    #[test]
    fn quotes_and_brackets_hold_a_field_together() {
        let line = "127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] \"GET / HTTP/1.0\" 404  1534 ";
        let expected =
            ["127.0.0.1", "-", "frank", "10/Oct/2000:13:25:15 -0700", "GET / HTTP/1.0", "404", "1534"];
        assert_eq!(fields(line), expected);
        assert_eq!(fields("\"b\"c \"\" [] x\"y z\""), ["b", "c", "", "", "x\"y", "z\""]);
        assert_eq!(fields("[a [b] c] \"open"), ["a [b", "c]", "\"open"]);
        assert!(fields(" \t\u{b}").is_empty() && fields("\u{a0}").len() == 1);
    }

    #[test]
    fn the_rest_is_raw_unless_it_is_one_field() {
        let rest = |line: &'static str| Fields::of(line.as_bytes()).rest();
        assert_eq!(rest("  \"a b\" "), Some(b"a b".as_slice()));
        assert_eq!(rest(" \"a b\"  c "), Some(b"\"a b\"  c".as_slice()));
        assert_eq!(rest("  "), None);
    }

    proptest! {
        #[test]
        fn agrees_with_the_rule(line in "[ab\" \\[\\]\t\u{b}é]{0,16}") {
            prop_assert_eq!(fields(&line), slow(&line), "{:?}", line);
        }
    }
}
