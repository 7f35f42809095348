//! The members of a line that is one JSON object, found by one strict walk.
//!
//! The host's records are JSON for certain, a line of log text is not. A filter pattern matches a JSON object and nothing
//! that only looks like one, so here, unlike in [`crate::json::Members`], every character is checked (RFC 8259):
//! scalars, escapes, control characters in strings, commas, and that nothing stands behind the object.

use crate::json::members::plain_end;
use crate::json::{Level, MAX_DEPTH, Value, skip_blank};
use crate::swar;

/// The top-level members of an object, by their places in the text.
#[derive(Debug)]
pub struct Outline {
    members: Vec<Place>,
    is_whole: bool,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    key: (u32, u32),
    has_escapes: bool,
    value: (u32, u32),
}

impl Outline {
    /// Walks a text; `None` when it is not exactly one JSON object, blanks around it allowed, or nests deeper than
    /// [`MAX_DEPTH`].
    pub fn of(text: &[u8], level: Level) -> Option<Outline> {
        let walk = Walk { text, level };
        let mut at = walk.blank(0);
        if walk.byte(at)? != b'{' {
            return None;
        }
        at = walk.blank(at.wrapping_add(1));
        let mut outline = Outline { members: Vec::new(), is_whole: true };
        if walk.byte(at)? == b'}' {
            return walk.ends(at).then_some(outline);
        }
        outline.members.reserve(16);
        loop {
            let key = walk.content(at)?;
            let (end, after, has_escapes) = walk.string(at)?;
            let value = walk.colon(after)?;
            at = walk.value(value)?;
            if outline.members.len() < MAX_MEMBERS {
                let short = |at| u32::try_from(at).unwrap_or(u32::MAX);
                let place =
                    Place { key: (short(key), short(end)), has_escapes, value: (short(value), short(at)) };
                outline.members.push(place);
            } else {
                outline.is_whole = false;
            }
            at = walk.blank(at);
            match walk.byte(at)? {
                b',' => at = walk.blank(at.wrapping_add(1)),
                b'}' => return walk.ends(at).then_some(outline),
                _ => return None,
            }
        }
    }

    /// Whether all members are here; of an object with more than 256 only the first are.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The members of `text`, which is the text this was made of: key as written, whether it has escapes, value.
    pub fn members<'a>(
        &self,
        text: &'a [u8],
        level: Level,
    ) -> impl DoubleEndedIterator<Item = (&'a [u8], bool, Value<'a>)> {
        self.members.iter().map(move |place| {
            let part = |(start, end): (u32, u32)| text.get(start as usize..end as usize).unwrap_or_default();
            (part(place.key), place.has_escapes, typed(part(place.value), level))
        })
    }
}

/// A value by its first character.
fn typed(text: &[u8], level: Level) -> Value<'_> {
    let quote = match level {
        Level::Plain => 1usize,
        Level::Quoted => 2,
    };
    match text.first() {
        Some(b'"' | b'\\') => {
            Value::String(text.get(quote..text.len().saturating_sub(quote)).unwrap_or_default())
        }
        Some(b'{') => Value::Object(text),
        Some(b'[') => Value::Array(text),
        _ => Value::Scalar(text),
    }
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    text: &'a [u8],
    level: Level,
}

impl Walk<'_> {
    #[inline]
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    #[inline]
    fn blank(&self, at: usize) -> usize {
        match self.text.get(at) {
            Some(byte) if *byte > b' ' && *byte != b'\\' => at,
            _ => skip_blank(self.text, at, self.level),
        }
    }

    /// Whether nothing but blanks stands behind the brace at `at`.
    fn ends(&self, at: usize) -> bool {
        self.blank(at.wrapping_add(1)) == self.text.len()
    }

    /// Where the value behind a key starts.
    #[inline]
    fn colon(&self, at: usize) -> Option<usize> {
        let at = self.blank(at);
        (self.byte(at)? == b':').then(|| self.blank(at.wrapping_add(1)))
    }

    /// Where the content of the string at `at` starts.
    #[inline]
    fn content(&self, at: usize) -> Option<usize> {
        match self.level {
            Level::Plain => (self.byte(at)? == b'"').then(|| at.wrapping_add(1)),
            Level::Quoted => (self.byte(at)? == b'\\' && self.byte(at.wrapping_add(1))? == b'"')
                .then(|| at.wrapping_add(2)),
        }
    }

    /// Where the content of the string at `at` ends, the first byte behind it, and whether it has escapes.
    #[inline]
    fn string(&self, at: usize) -> Option<(usize, usize, bool)> {
        let content = self.content(at)?;
        match self.level {
            Level::Plain => self.plain_string(content),
            Level::Quoted => {
                // Most strings have no escapes: the first backslash belongs to the closing quote.
                let end = swar::find_byte(self.text, content, b'\\')?;
                match self.byte(end.wrapping_add(1))? {
                    b'"' => Some((end, end.wrapping_add(2), false)),
                    _ => self.quoted_string(end),
                }
            }
        }
    }

    fn plain_string(&self, content: usize) -> Option<(usize, usize, bool)> {
        let (end, after, _) = plain_end(self.text, content)?;
        let inner = self.text.get(content..end)?;
        let mut from = 0usize;
        let mut has_escapes = false;
        while let Some(backslash) = swar::find_byte(inner, from, b'\\') {
            has_escapes = true;
            from = escape(inner.get(backslash..)?)?.wrapping_add(backslash);
        }
        inner.iter().all(|&byte| byte >= b' ').then_some((end, after, has_escapes))
    }

    /// A string inside a string, from its first backslash.
    fn quoted_string(&self, mut at: usize) -> Option<(usize, usize, bool)> {
        loop {
            let rest = self.text.get(at..)?;
            let length = match rest {
                [b'\\', b'"', ..] => return Some((at, at.wrapping_add(2), true)),
                // The string's own escape: `\"` and `\\` are written with a backslash for each of their characters.
                [b'\\', b'\\', b'\\', b'"' | b'\\', ..] => 4,
                [b'\\', b'\\', b'u', ..] => escape(rest.get(1..)?)?.wrapping_add(1),
                [b'\\', b'\\', b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 3,
                // A control character that the host has escaped: `\u0000` to `\u001f` here, `\n` and the like below.
                [b'\\', b'u', b'0', b'0', b'0' | b'1', ..] => return None,
                [b'\\', b'u', ..] => escape(rest)?,
                _ => return None,
            };
            at = swar::find_byte(self.text, at.wrapping_add(length), b'\\')?;
        }
    }

    /// The first byte behind the value at `start`.
    fn value(&self, start: usize) -> Option<usize> {
        match self.byte(start)? {
            b'{' | b'[' => self.container(start),
            b'"' | b'\\' => self.string(start).map(|(_, after, _)| after),
            _ => self.scalar(start),
        }
    }

    fn scalar(&self, at: usize) -> Option<usize> {
        let rest = self.text.get(at..)?;
        let length = match rest.first()? {
            b't' => rest.starts_with(b"true").then_some(4),
            b'f' => rest.starts_with(b"false").then_some(5),
            b'n' => rest.starts_with(b"null").then_some(4),
            _ => number(rest),
        };
        Some(at.wrapping_add(length?))
    }

    /// The first byte behind the container at `start`; iterative, one bit per open container.
    fn container(&self, start: usize) -> Option<usize> {
        let mut objects = [0u64; (MAX_DEPTH / 64) as usize];
        let mut depth = 0u32;
        let mut at = start;
        loop {
            at = match self.byte(at)? {
                open @ (b'{' | b'[') => {
                    if depth >= MAX_DEPTH {
                        return None;
                    }
                    let word = objects.get_mut((depth / 64) as usize)?;
                    let bit = 1u64 << (depth % 64);
                    *word = if open == b'{' { *word | bit } else { *word & !bit };
                    depth = depth.wrapping_add(1);
                    let inner = self.blank(at.wrapping_add(1));
                    match (open, self.byte(inner)?) {
                        (b'{', b'}') | (b'[', b']') => {
                            depth = depth.wrapping_sub(1);
                            inner.wrapping_add(1)
                        }
                        (b'{', _) => {
                            at = self.colon(self.string(inner)?.1)?;
                            continue;
                        }
                        _ => {
                            at = inner;
                            continue;
                        }
                    }
                }
                b'"' | b'\\' => self.string(at)?.1,
                _ => self.scalar(at)?,
            };
            // Behind a value: containers close until there is another one.
            loop {
                let Some(top) = depth.checked_sub(1) else { return Some(at) };
                let is_object = objects.get((top / 64) as usize)? & (1u64 << (top % 64)) != 0;
                at = self.blank(at);
                match (self.byte(at)?, is_object) {
                    (b',', true) => {
                        let key = self.blank(at.wrapping_add(1));
                        at = self.colon(self.string(key)?.1)?;
                        break;
                    }
                    (b',', false) => {
                        at = self.blank(at.wrapping_add(1));
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        at = at.wrapping_add(1);
                        depth = top;
                    }
                    _ => return None,
                }
            }
        }
    }
}

/// The length of the escape that `text` starts with.
fn escape(text: &[u8]) -> Option<usize> {
    match text.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => text.get(2..6)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}

/// The length of the JSON number that `text` starts with.
fn number(text: &[u8]) -> Option<usize> {
    let digits = |at: usize| {
        let rest = text.get(at..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut at = usize::from(text.first() == Some(&b'-'));
    let whole = digits(at);
    // A leading zero stands alone.
    if whole == 0 || (whole > 1 && text.get(at) == Some(&b'0')) {
        return None;
    }
    at = at.wrapping_add(whole);
    if text.get(at) == Some(&b'.') {
        let fraction = digits(at.wrapping_add(1));
        if fraction == 0 {
            return None;
        }
        at = at.wrapping_add(fraction).wrapping_add(1);
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at = at.wrapping_add(1);
        if let Some(b'+' | b'-') = text.get(at) {
            at = at.wrapping_add(1);
        }
        let exponent = digits(at);
        if exponent == 0 {
            return None;
        }
        at = at.wrapping_add(exponent);
    }
    Some(at)
}

/// How many members an outline remembers.
const MAX_MEMBERS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::push_string;
    use proptest::prelude::*;

    /// Whether the text is an object by the outline, read as it stands and as the content of a string.
    #[track_caller]
    fn is_object(text: &str) -> bool {
        let plain = Outline::of(text.as_bytes(), Level::Plain).is_some();
        let mut written = Vec::new();
        push_string(&mut written, text.as_bytes());
        let quoted = Outline::of(&written[1..written.len() - 1], Level::Quoted).is_some();
        assert_eq!(plain, quoted, "{text}");
        plain
    }

    #[test]
    fn takes_objects_and_nothing_else() {
        for text in [
            "{}",
            " {\n\"a\" : 1 ,\t\"b\":[ ] }\r\n",
            r#"{"a":"\"\\\/\b\f\n\r\t\u00e9\ud800","":{"x":[{},[],[[1,-0.5e+7,true,false,null]]]}}"#,
            r#"{"größe":"😀"}"#,
        ] {
            assert!(is_object(text), "{text}");
        }
        for text in [
            "",
            " ",
            "[1]",
            "1",
            "null",
            "{",
            "}",
            "{}x",
            "x{}",
            "{}{}",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1 \"b\":2}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":+1}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":1e}",
            "{\"a\":NaN}",
            "{\"a\":tru}",
            "{\"a\":truex}",
            "{\"a\":\"x}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\u{1}\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":[1,]}",
            "{\"a\":[1}",
            "{\"a\":{]}",
            "{\"a\":{\"b\":1,}}",
            "{\"a\":{\"b\"}}",
            "{\"a\":[1 2]}",
            "{\"a\":1}}",
            "{1:2}",
            "{\"a\":-}",
        ] {
            assert!(!is_object(text), "{text}");
        }
        assert!(is_object(&format!("{{\"a\":{}{}}}", "[".repeat(255), "]".repeat(255))));
        assert!(!is_object(&format!("{{\"a\":{}{}}}", "[".repeat(257), "]".repeat(257))));
    }

    #[test]
    fn remembers_members_with_their_values() {
        let text = br#"{\"a\":\"x\",\"b\\n\":[1],\"c\":{},\"d\":-1}"#;
        let outline = Outline::of(text, Level::Quoted).unwrap();
        let members: Vec<_> = outline.members(text, Level::Quoted).collect();
        assert_eq!(members[0], (b"a".as_slice(), false, Value::String(b"x")));
        assert_eq!(members[1], (br"b\\n".as_slice(), true, Value::Array(b"[1]")));
        assert_eq!(members[2], (b"c".as_slice(), false, Value::Object(b"{}")));
        assert_eq!(members[3], (b"d".as_slice(), false, Value::Scalar(b"-1")));
    }

    fn json() -> impl Strategy<Value = String> {
        "[{}\\[\\]\",:a1e.+\\\\nu0-]{0,24}".prop_map(|text| format!("{{\"a\":{text}}}"))
    }

    proptest! {
        #[test]
        fn agrees_with_a_json_library(text in json()) {
            let library = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
            // A double that is too large is a number all the same, and lone surrogates are what Java takes.
            let is_special = library.as_ref().err().is_some_and(|error| {
                error.to_string().starts_with("number out of range") || error.to_string().contains("surrogate")
                    || error.to_string().contains("hex escape")
            });
            prop_assume!(!is_special);
            prop_assert_eq!(is_object(&text), library.is_ok(), "{}", text);
        }
    }
}
