//! A JSON text read from front to back, once, by somebody who knows what should be in it.
//!
//! As strict as [`crate::json::Outline`], whose steps these are, and in one pass: what comes next is looked at, then taken
//! or passed over. Nesting is the caller's own code; what is passed over is not nested deeper than
//! [`crate::json::MAX_DEPTH`].

use crate::json::escape::code_unit;
use crate::json::grammar;
use crate::json::outline::Walk;
use crate::swar;
use std::borrow::Cow;

/// Stands before a value, a comma, a closing bracket or at the end, never before a blank.
///
/// What is `None` is not JSON there, or not what was asked for; the reader then stands where it stood, or behind a start of
/// it that was right.
#[derive(Debug)]
pub struct JsonReader<'a> {
    text: &'a str,
    rest: &'a [u8],
    /// A string while its escapes are resolved: one that is kept then has the room that it needs and no more.
    scratch: String,
}

impl<'a> JsonReader<'a> {
    /// Starts before the value that is the whole of `text`.
    pub fn new(text: &'a str) -> JsonReader<'a> {
        JsonReader { text, rest: Walk::<false>::blank(text.as_bytes()), scratch: String::new() }
    }

    /// How many bytes of the text have been read.
    pub fn position(&self) -> usize {
        self.text.len().wrapping_sub(self.rest.len())
    }

    /// The first character of what comes next; `None` at the end of the text.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Passes this character and the blanks behind it, if it comes next; whether it did.
    pub fn take(&mut self, character: u8) -> bool {
        match self.rest.split_first() {
            Some((first, behind)) if *first == character => {
                self.rest = Walk::<false>::blank(behind);
                true
            }
            _ => false,
        }
    }

    /// Whether there is one more thing in a container that closes with `close`: passes the comma before it, or the bracket.
    /// Behind a comma there is always one: whoever takes a closing bracket for it finds that it is none.
    pub fn next(&mut self, close: u8, is_first: bool) -> Option<bool> {
        if self.take(close) { Some(false) } else { (is_first || self.take(b',')).then_some(true) }
    }

    /// The key of a member, and its colon.
    pub fn key(&mut self) -> Option<Cow<'a, str>> {
        let key = self.string()?;
        self.take(b':').then_some(key)
    }

    /// A string, its escapes resolved. Half of a surrogate pair is no character and refused, although a string that is
    /// passed over may have one.
    pub fn string(&mut self) -> Option<Cow<'a, str>> {
        let [b'"', content @ ..] = self.rest else { return None };
        let from = self.text.len().wrapping_sub(content.len());
        let end = swar::find_special(content)?;
        let plain = self.text.get(from..from.wrapping_add(end))?;
        let behind = content.get(end..)?;
        if let [b'"', behind @ ..] = behind {
            self.rest = Walk::<false>::blank(behind);
            return Some(Cow::Borrowed(plain));
        }
        self.escaped_string(plain, behind).map(Cow::Owned)
    }

    /// A string from its first escape on.
    #[inline(never)]
    fn escaped_string(&mut self, plain: &str, mut rest: &'a [u8]) -> Option<String> {
        let mut string = std::mem::take(&mut self.scratch);
        string.clear();
        string.push_str(plain);
        while let [b'\\', ..] = rest {
            let (character, length) = resolved(rest)?;
            string.push(character);
            rest = rest.get(length..)?;
            let end = swar::find_special(rest)?;
            let from = self.text.len().wrapping_sub(rest.len());
            string.push_str(self.text.get(from..from.wrapping_add(end))?);
            rest = rest.get(end..)?;
        }
        let [b'"', behind @ ..] = rest else { return None };
        self.rest = Walk::<false>::blank(behind);
        let kept = string.clone();
        self.scratch = string;
        Some(kept)
    }

    /// Any value, as written.
    pub fn value(&mut self) -> Option<&'a str> {
        let from = self.position();
        let behind = grammar::value(&mut Walk::<false>, self.rest)?;
        self.rest = Walk::<false>::blank(behind);
        self.text.get(from..self.text.len().wrapping_sub(behind.len()))
    }
}

/// The character that the escape at the start of `text` stands for, and the length of the escape.
fn resolved(text: &[u8]) -> Option<(char, usize)> {
    let short = match text.get(1)? {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
        b'u' => {
            let units = [code_unit(text, 0)?].into_iter().chain(code_unit(text, 6));
            let character = char::decode_utf16(units).next()?.ok()?;
            return Some((character, character.len_utf16().wrapping_mul(6)));
        }
        _ => return None,
    };
    Some((short, 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::MAX_DEPTH;
    use proptest::prelude::*;

    /// An object of strings by the reader.
    fn strings(text: &str) -> Option<Vec<(String, String)>> {
        let mut reader = JsonReader::new(text);
        let mut found = Vec::new();
        if !reader.take(b'{') {
            return None;
        }
        while reader.next(b'}', found.is_empty())? {
            found.push((reader.key()?.into_owned(), reader.string()?.into_owned()));
        }
        reader.peek().is_none().then_some(found)
    }

    #[test]
    fn reads_what_it_is_asked_for() {
        let mut reader = JsonReader::new(" [ 1 , -0.5e3,\"a\\n\", null ,{\"a\":[]} ] ");
        assert!(!reader.take(b'{') && reader.take(b'['));
        assert_eq!((reader.next(b']', true), reader.value()), (Some(true), Some("1")));
        assert_eq!((reader.next(b']', false), reader.value()), (Some(true), Some("-0.5e3")));
        assert_eq!((reader.next(b']', false), reader.string().as_deref()), (Some(true), Some("a\n")));
        assert_eq!((reader.next(b']', false), reader.string()), (Some(true), None));
        assert_eq!((reader.value(), reader.position()), (Some("null"), 26));
        assert_eq!((reader.next(b']', false), reader.value()), (Some(true), Some("{\"a\":[]}")));
        assert_eq!((reader.next(b']', false), reader.peek()), (Some(false), None));
    }

    #[test]
    fn refuses_what_is_not_json() {
        assert_eq!(strings("\t{ } \n"), Some(vec![]));
        assert!(strings(r#"{"a" : "\ud83d\ude00" , "b":""}"#).is_some());
        for text in [
            "",
            r#"{"#,
            r#"{,}"#,
            r#"{"a":"",}"#,
            r#"{"a":"" "b":""}"#,
            r#"{"a" ""}"#,
            r#"{"a":"}"#,
            r#"{"a":""]"#,
            r#"{"a":""}}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\ud83d"}"#,
            r#"{"a":"\ude00"}"#,
            r#"{"\ud83d\u0061":""}"#,
            "{\"a\":\"\n\"}",
            "{\"a\":\"0123456789\u{1f}\"}",
        ] {
            assert_eq!(strings(text), None, "{text}");
        }
        let nest = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(JsonReader::new(&nest(MAX_DEPTH as usize)).value().is_some());
        assert!(JsonReader::new(&nest(MAX_DEPTH as usize + 1)).value().is_none());
    }

    proptest! {
        #[test]
        fn strings_are_read_as_a_library_reads_them(content in "([a\"\\\\/u é😀\u{1}-]|\\\\[nu\\\\\"x]|\\\\ud83d|\\\\ude00|\\\\u00e9){0,20}") {
            let text = format!("\"{content}\"");
            let mut reader = JsonReader::new(&text);
            let read = reader.string().map(Cow::into_owned).filter(|_| reader.peek().is_none());
            prop_assert_eq!(read, serde_json::from_str::<String>(&text).ok());
        }
    }
}
