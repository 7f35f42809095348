//! The line of a record: the text of its message field, read without unescaping it when that can be avoided.
//!
//! The host hands the line as the content of a JSON string. Most questions (does it contain `ERROR`? what is its
//! `level`?) can be answered on the escaped text, and unescaping every line would cost more than all the rest of the
//! filter. [`Line::escapes`] says which shortcuts are sound; [`Line::text`] unescapes once and remembers.

use crate::head;
use crate::json::{self, Escapes, Level, Outline, Value};
use std::cell::OnceCell;

/// A line of log text inside a record.
#[derive(Debug)]
pub struct Line<'a> {
    raw: &'a [u8],
    escapes: Escapes,
    text: OnceCell<Vec<u8>>,
    head: OnceCell<Vec<u8>>,
    outline: OnceCell<Option<Outline>>,
}

impl<'a> Line<'a> {
    /// The line in a JSON string's content, as written between the quotes.
    pub fn new(content: &'a [u8]) -> Line<'a> {
        Line::with_escapes(content, Escapes::of(content))
    }

    /// As [`Line::new`], when the escapes are known from reading the record.
    #[inline(always)]
    pub fn with_escapes(content: &'a [u8], escapes: Escapes) -> Line<'a> {
        let raw = if escapes == Escapes::None { content } else { without_newline(content) };
        Line { raw, escapes, text: OnceCell::new(), head: OnceCell::new(), outline: OnceCell::new() }
    }

    /// The line with all that is written, a newline at its end included.
    pub fn exactly(content: &'a [u8]) -> Line<'a> {
        Line {
            raw: content,
            escapes: Escapes::of(content),
            text: OnceCell::new(),
            head: OnceCell::new(),
            outline: OnceCell::new(),
        }
    }

    /// The text as written in the record, escapes and all, without the newline that docker leaves at its end.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Which escapes [`Line::raw`] contains.
    pub fn escapes(&self) -> Escapes {
        self.escapes
    }

    /// The text that was logged; of one that is longer than [`MAX_UNESCAPED`] and has escapes, its start.
    pub fn text(&self) -> &[u8] {
        match self.escapes {
            Escapes::None => self.raw,
            _ => self.text.get_or_init(|| json::unescape(json::cut(self.raw, MAX_UNESCAPED))),
        }
    }

    /// The start of the line as it reads on a terminal: escapes resolved, each ANSI sequence one [`head::COLOUR`].
    #[inline]
    pub fn head(&self) -> &[u8] {
        match head::as_it_stands(self.raw, self.escapes) {
            Some(start) => start,
            None => self.head.get_or_init(|| head::resolved(self.raw)),
        }
    }

    /// The text and level at which the line's own JSON can be walked: escaped as it stands if that is sound.
    pub fn as_json(&self) -> (&[u8], Level) {
        match self.escapes {
            Escapes::None => (self.raw, Level::Plain),
            Escapes::Short | Escapes::Nested | Escapes::Wide => (self.raw, Level::Quoted),
            Escapes::Irregular => (self.text(), Level::Plain),
        }
    }

    /// The members of the line if it is exactly one JSON object, by their places in [`Line::as_json`]; walked once.
    pub fn outline(&self) -> Option<&Outline> {
        let walk = || {
            let (text, level) = self.as_json();
            Outline::of(text, level)
        };
        self.outline.get_or_init(walk).as_ref()
    }

    /// Whether [`Line::outline`] has been asked before and costs nothing now.
    #[inline]
    pub fn has_outline(&self) -> bool {
        self.outline.get().is_some()
    }

    /// Whether nothing is remembered of it: then it has nothing to give back.
    #[inline(always)]
    pub fn is_untouched(&self) -> bool {
        self.text.get().is_none() && self.head.get().is_none() && self.outline.get().is_none()
    }

    /// A string or scalar of the line's own JSON object by its path of keys, escapes resolved.
    ///
    /// `None` when the line is not a JSON object, has no such member, or the member is an object, an array or longer than
    /// 16 KiB.
    pub fn field(&self, path: &[Box<str>]) -> Option<Vec<u8>> {
        let (text, level) = self.as_json();
        match self.value(text, level, path)? {
            // Whatever this is, it is no key; and resolving its escapes would take its size twice again.
            Value::String(content) | Value::Scalar(content) if content.len() > MAX_FIELD => None,
            Value::String(content) if level == Level::Quoted => {
                Some(json::unescape(&json::unescape(content)))
            }
            Value::String(content) => Some(json::unescape(content)),
            Value::Scalar(text) => Some(text.to_vec()),
            Value::Object(_) | Value::Array(_) => None,
        }
    }

    /// By its members where they have been found before, else by a walk to it.
    fn value<'l>(&self, text: &'l [u8], level: Level, path: &[Box<str>]) -> Option<Value<'l>> {
        let Some(outline) = self.outline.get().and_then(Option::as_ref).filter(|outline| outline.is_whole())
        else {
            return json::lookup(text, level, path);
        };
        let (first, rest) = path.split_first()?;
        match outline.get(text, level, first.as_bytes())? {
            Value::Object(inner) if !rest.is_empty() => json::lookup(inner, level, rest),
            found => rest.is_empty().then_some(found),
        }
    }
}

/// Without one trailing `\n` or `\r\n`, both as escapes; `\\n` is a backslash and a letter.
#[inline(always)]
fn without_newline(content: &[u8]) -> &[u8] {
    if content.last() == Some(&b'n') { without_escaped_newline(content) } else { content }
}

#[inline(never)]
fn without_escaped_newline(content: &[u8]) -> &[u8] {
    let strip = |text: &[u8], escape: &[u8]| {
        let rest = text.strip_suffix(escape)?;
        let backslashes = rest.iter().rev().take_while(|&&byte| byte == b'\\').count();
        (backslashes % 2 == 0).then_some(rest.len())
    };
    let Some(end) = strip(content, b"\\n") else { return content };
    let line = content.get(..end).unwrap_or_default();
    let end = strip(line, b"\\r").unwrap_or(end);
    content.get(..end).unwrap_or_default()
}

/// Longest field that is read, in bytes as written.
pub const MAX_FIELD: usize = 16 << 10;
/// How much of a line is unescaped at most, in bytes as written: the guest's memory holds a large record once, not
/// twice. Lines this long are cut on their way out; only a rule that looks for characters with two spellings sees the
/// difference.
pub const MAX_UNESCAPED: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn path(key: &str) -> [Box<str>; 1] {
        [Box::from(key)]
    }

    #[test]
    fn knows_which_shortcuts_are_sound() {
        for (content, expected) in [
            ("plain", Escapes::None),
            (r#"{\"a\":1}\n"#, Escapes::Short),
            (r"\u001b[31m", Escapes::Short),
            (r"gr\u00fc\u00df\n", Escapes::Wide),
            (r"a\/b", Escapes::Irregular),
            (r"\u0041", Escapes::Irregular),
            (r"\\u0041", Escapes::Nested),
        ] {
            assert_eq!(Line::new(content.as_bytes()).escapes(), expected, "{content}");
        }
    }

    #[test]
    fn the_newline_at_the_end_is_not_part_of_the_line() {
        for (content, raw) in [
            (r"a\n", "a"),
            (r"a\r\n", "a"),
            (r"\n", ""),
            (r"a\n\n", r"a\n"),
            (r"a\\n", r"a\\n"),
            (r"a\r", r"a\r"),
        ] {
            assert_eq!(Line::new(content.as_bytes()).raw(), raw.as_bytes(), "{content}");
        }
    }

    #[test]
    fn reads_fields_of_escaped_and_of_irregular_json() {
        for content in [
            r#"{\"level\":\"w\\\"x\",\"n\":7,\"o\":{}}"#,
            r#"{\u0022level\u0022:\"w\\\"x\",\"n\":7,\"o\":{}}"#,
        ] {
            let line = Line::new(content.as_bytes());
            assert_eq!(line.field(&path("level")).as_deref(), Some(b"w\"x".as_slice()), "{content}");
            assert_eq!(line.field(&path("n")).as_deref(), Some(b"7".as_slice()));
            assert_eq!(line.field(&path("o")), None);
            assert_eq!(line.field(&path("missing")), None);
        }
        assert_eq!(Line::new(b"no json").field(&path("level")), None);
    }
}
