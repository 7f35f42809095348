//! The walk over the members of one JSON object, at either quoting level.

use crate::json::MAX_DEPTH;
use crate::json::escape::{Escapes, unescape};
use crate::json::token::{ScalarBytes, after_quote, plain_end, quoted_end, scalar_length, skip_blank};
use crate::json::unreadable::{MAX_UNREADABLE, is_unreadable};
use crate::swar;

/// How the quotes of the text are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// JSON as such: a string stands between `"` and `"`.
    Plain,
    /// JSON inside a JSON string that has not been unescaped: a string stands between `\"` and `\"`.
    Quoted,
}

/// What stops a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The text is not an object, or its structure is broken.
    Syntax,
    /// Containers nest deeper than [`MAX_DEPTH`].
    TooDeep,
    /// An object has more members than anybody counts with ([`crate::json::MAX_MEMBERS`]).
    TooMany,
}

/// A value, with its text still as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// The content between the quotes, escapes untouched.
    String(&'a [u8]),
    /// A number, `true`, `false`, `null`, or what a printer puts where a number should be (`nan`).
    Scalar(&'a [u8]),
    /// An object, from `{` to `}`.
    Object(&'a [u8]),
    /// An array, from `[` to `]`.
    Array(&'a [u8]),
}

/// One member of an object. Offsets are into the text that was opened.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The key between its quotes, escapes untouched.
    pub key: &'a [u8],
    /// The escapes of the key.
    pub key_escapes: Escapes,
    /// The escapes of a string value, as far as [`Level::Plain`] goes.
    pub escapes: Escapes,
    /// The value.
    pub value: Value<'a>,
    /// Where the key's opening quote stands.
    pub start: usize,
    /// Where the value starts, quotes included.
    pub value_start: usize,
    /// The first byte behind the value.
    pub end: usize,
}

impl Member<'_> {
    /// Whether the key is `name`, escapes resolved.
    pub fn has_key(&self, name: &[u8], level: Level) -> bool {
        if self.key_escapes == Escapes::None {
            return self.key == name;
        }
        stands_for(self.key, level, name)
    }
}

/// Whether a key as written, with escapes in it, is `name`. One that is too long for that is not resolved.
#[inline(never)]
pub(crate) fn stands_for(written: &[u8], level: Level, name: &[u8]) -> bool {
    let spelling = match level {
        Level::Plain => LONGEST_SPELLING,
        Level::Quoted => LONGEST_SPELLING.wrapping_mul(LONGEST_SPELLING),
    };
    // Most keys differ from a name in what stands before their first escape.
    let is_other = written.first().is_none_or(|first| *first != b'\\' && Some(first) != name.first());
    if is_other || written.len() > name.len().wrapping_mul(spelling) {
        return false;
    }
    let once = unescape(written);
    match level {
        Level::Plain => once == name,
        Level::Quoted => unescape(&once) == name,
    }
}

/// The most bytes that a byte takes as written.
const LONGEST_SPELLING: usize = 6;

/// Iterates the members of the object that `text` starts with.
#[derive(Debug)]
pub struct Members<'a> {
    text: &'a [u8],
    level: Level,
    at: usize,
    first: bool,
    unreadable: Unreadable,
    passed: Option<PassedString>,
}

/// A long string of an object that somebody has passed before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PassedString {
    /// Where its content starts.
    pub start: usize,
    /// Where its closing quote stands.
    pub end: usize,
    pub escapes: Escapes,
}

/// Where a scalar stands that prints like a number but reads back as none, if a walk is asked to look for them.
#[derive(Debug, Default)]
enum Unreadable {
    #[default]
    Ignored,
    Found(Vec<(usize, usize)>),
}

impl<'a> Members<'a> {
    /// Starts at the first `{` of `text`; blanks before it are skipped.
    ///
    /// # Errors
    /// [`Malformed::Syntax`] when the first byte that is not blank is not `{`.
    pub fn open(text: &'a [u8], level: Level) -> Result<Members<'a>, Malformed> {
        let at = skip_blank(text, 0, level);
        if text.get(at) != Some(&b'{') {
            return Err(Malformed::Syntax);
        }
        let at = at.wrapping_add(1);
        Ok(Members { text, level, at, first: true, unreadable: Unreadable::Ignored, passed: None })
    }

    /// As [`Members::open`] at [`Level::Plain`], of a text in which a string has been passed before: it is not passed once more.
    ///
    /// # Errors
    /// As [`Members::open`].
    pub(crate) fn open_passed(
        text: &'a [u8],
        passed: Option<PassedString>,
    ) -> Result<Members<'a>, Malformed> {
        let mut members = Members::open(text, Level::Plain)?;
        members.passed = passed;
        Ok(members)
    }

    /// How the quotes of its text are written.
    pub fn level(&self) -> Level {
        self.level
    }

    /// As [`Members::open`], and the walk collects scalars that the host cannot read back (`nan`, `inf`, doubles that round to infinity).
    ///
    /// # Errors
    /// As [`Members::open`].
    pub fn open_checking_numbers(text: &'a [u8], level: Level) -> Result<Members<'a>, Malformed> {
        let mut members = Members::open(text, level)?;
        members.unreadable = Unreadable::Found(Vec::new());
        Ok(members)
    }

    /// Where the walk stands: after the last member, the first byte behind the closing brace.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The start and end of every unreadable scalar that the walk has passed.
    pub fn into_unreadable(self) -> Vec<(usize, usize)> {
        match self.unreadable {
            Unreadable::Ignored => Vec::new(),
            Unreadable::Found(found) => found,
        }
    }

    /// Starts at the first `[` of `text`, for [`Members::next_element`]; blanks before it are skipped.
    ///
    /// # Errors
    /// [`Malformed::Syntax`] when the first byte that is not blank is not `[`.
    pub fn open_array(text: &'a [u8], level: Level) -> Result<Members<'a>, Malformed> {
        let at = skip_blank(text, 0, level);
        if text.get(at) != Some(&b'[') {
            return Err(Malformed::Syntax);
        }
        let at = at.wrapping_add(1);
        Ok(Members { text, level, at, first: true, unreadable: Unreadable::Ignored, passed: None })
    }

    /// The next element of an array, or `None` behind the last.
    ///
    /// # Errors
    /// [`Malformed`] as for [`Members::next`].
    pub fn next_element(&mut self) -> Result<Option<Value<'a>>, Malformed> {
        let mut at = skip_blank(self.text, self.at, self.level);
        match self.text.get(at) {
            Some(b']') => return Ok(None),
            Some(b',') if !self.first => at = skip_blank(self.text, at.wrapping_add(1), self.level),
            Some(_) if self.first => {}
            _ => return Err(Malformed::Syntax),
        }
        self.first = false;
        let (value, end, _) = self.value(at)?;
        self.at = end;
        Ok(Some(value))
    }

    /// The next member, or `None` behind the last.
    ///
    /// # Errors
    /// [`Malformed::Syntax`] for a missing quote, colon, comma or brace (`{"a":1 "b":2}`), [`Malformed::TooDeep`]
    /// for a value nested too deep.
    #[expect(
        clippy::should_implement_trait,
        reason = "a fallible walk reads best as `while let Ok(Some(..))`"
    )]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Member<'a>>, Malformed> {
        let short = match self.level {
            Level::Plain => self.short::<1>(b"\""),
            Level::Quoted => self.short::<2>(b"\\\""),
        };
        match short {
            Some(member) => member.map(Some),
            None => self.any(),
        }
    }

    /// The next member if it is as most are: without blanks but one behind the colon, and its key short and without escapes. Slices all the way, because an interpreter pays for every sum of a start and an offset.
    #[inline(never)]
    fn short<const QUOTE: usize>(&mut self, quote: &[u8; QUOTE]) -> Option<Result<Member<'a>, Malformed>> {
        let text = self.text;
        let near = if QUOTE == 1 { swar::near_quote } else { swar::near_escaped_quote };
        let string = |rest: &'a [u8]| {
            let content = rest.strip_prefix(quote)?;
            let (inner, behind) = content.split_at_checked(near(content)?)?;
            Some((inner, behind.get(QUOTE..)?))
        };
        let rest = match text.get(self.at..)? {
            [b',', rest @ ..] if !self.first => rest,
            rest if self.first => rest,
            _ => return None,
        };
        let (key, behind) = string(rest)?;
        let value = match behind {
            [b':', b' ', value @ ..] | [b':', value @ ..] => value,
            _ => return None,
        };
        let place = |rest: &[u8]| text.len().wrapping_sub(rest.len());
        let value_start = place(value);
        let mut escapes = Escapes::None;
        let (kind, end) = match value {
            [bracket @ (b'{' | b'['), ..] => match self.container(value_start) {
                Ok((inner, end)) if *bracket == b'{' => (Value::Object(inner), end),
                Ok((inner, end)) => (Value::Array(inner), end),
                Err(malformed) => return Some(Err(malformed)),
            },
            [b'"' | b'\\', ..] => match string(value) {
                Some((inner, behind)) => (Value::String(inner), place(behind)),
                // What is no string may be a blank before one.
                None => {
                    let (inner, end, found) = self.string(value_start).ok()?;
                    escapes = found;
                    (Value::String(inner), end)
                }
            },
            _ => {
                let (length, seen) = scalar_length(value)?;
                let number = value.get(..length)?;
                let is_checked =
                    matches!(self.unreadable, Unreadable::Found(_)) && seen & ScalarBytes::ODD != 0;
                if length == 0 || is_checked && is_unreadable(number) {
                    return None;
                }
                (Value::Scalar(number), value_start.wrapping_add(length))
            }
        };
        self.first = false;
        self.at = end;
        let key_escapes = Escapes::None;
        Some(Ok(Member { key, key_escapes, escapes, value: kind, start: place(rest), value_start, end }))
    }

    #[inline(never)]
    fn any(&mut self) -> Result<Option<Member<'a>>, Malformed> {
        let mut at = skip_blank(self.text, self.at, self.level);
        match self.text.get(at) {
            Some(b'}') => {
                self.at = at.wrapping_add(1);
                // A trailing comma would have moved past the brace, so this is the end.
                return Ok(None);
            }
            Some(b',') if !self.first => at = skip_blank(self.text, at.wrapping_add(1), self.level),
            Some(_) if self.first => {}
            _ => return Err(Malformed::Syntax),
        }
        self.first = false;
        let start = at;
        let (key, after, key_escapes) = self.string(at)?;
        at = skip_blank(self.text, after, self.level);
        if self.text.get(at) != Some(&b':') {
            return Err(Malformed::Syntax);
        }
        let value_start = skip_blank(self.text, at.wrapping_add(1), self.level);
        let (value, end, escapes) = self.value(value_start)?;
        self.at = end;
        Ok(Some(Member { key, key_escapes, escapes, value, start, value_start, end }))
    }

    fn value(&mut self, at: usize) -> Result<(Value<'a>, usize, Escapes), Malformed> {
        let container = |(text, end), kind: fn(&'a [u8]) -> Value<'a>| (kind(text), end, Escapes::None);
        match self.text.get(at).ok_or(Malformed::Syntax)? {
            b'"' if self.level == Level::Plain => {
                self.string(at).map(|(text, end, escapes)| (Value::String(text), end, escapes))
            }
            b'\\' => self.string(at).map(|(text, end, escapes)| (Value::String(text), end, escapes)),
            b'{' => self.container(at).map(|found| container(found, Value::Object)),
            b'[' => self.container(at).map(|found| container(found, Value::Array)),
            _ => self.scalar(at).map(|found| container(found, Value::Scalar)),
        }
    }

    /// The content of the string that opens at `at`, the first byte behind it, and its escapes.
    #[inline]
    fn string(&self, at: usize) -> Result<(&'a [u8], usize, Escapes), Malformed> {
        let content = after_quote(self.text, at, self.level).ok_or(Malformed::Syntax)?;
        // Most strings end with their first special byte.
        let rest = self.text.get(content..).ok_or(Malformed::Syntax)?;
        let near = match self.level {
            Level::Plain => swar::near_quote(rest).map(|end| (end, end.wrapping_add(1))),
            Level::Quoted => swar::near_escaped_quote(rest).map(|end| (end, end.wrapping_add(2))),
        };
        if let Some((end, after)) = near {
            let text = rest.get(..end).unwrap_or_default();
            return Ok((text, content.wrapping_add(after), Escapes::None));
        }
        if let Some(passed) = &self.passed
            && passed.start == content
        {
            let text = self.text.get(content..passed.end).unwrap_or_default();
            return Ok((text, passed.end.wrapping_add(1), passed.escapes));
        }
        let found = match self.level {
            Level::Plain => plain_end(self.text, content),
            Level::Quoted => quoted_end(self.text, content),
        };
        let (end, after, escapes) = found.ok_or(Malformed::Syntax)?;
        Ok((self.text.get(content..end).unwrap_or_default(), after, escapes))
    }

    fn scalar(&mut self, at: usize) -> Result<(&'a [u8], usize), Malformed> {
        let rest = self.text.get(at..).unwrap_or_default();
        let (length, seen) = scalar_length(rest).ok_or(Malformed::Syntax)?;
        let text = rest.get(..length).unwrap_or_default();
        if text.is_empty() {
            return Err(Malformed::Syntax);
        }
        let end = at.wrapping_add(text.len());
        if let Unreadable::Found(found) = &mut self.unreadable
            && seen & ScalarBytes::ODD != 0
            && is_unreadable(text)
        {
            if found.len() >= MAX_UNREADABLE {
                return Err(Malformed::TooMany);
            }
            found.push((at, end));
        }
        Ok((text, end))
    }

    /// The text of the container that opens at `start`: brackets are matched, scalars and strings stepped over.
    fn container(&mut self, start: usize) -> Result<(&'a [u8], usize), Malformed> {
        // One bit for each open container, set for an object: a closing bracket must be of the same kind. The last is the lowest, and
        // above the first is one that says how many there are.
        let (mut open, mut none) = (1u64, 1u64);
        let mut around = OpenAround::default();
        let is_quoted = self.level == Level::Quoted && matches!(self.unreadable, Unreadable::Ignored);
        let mut rest = self.text.get(start..).unwrap_or_default();
        loop {
            let (first, behind) = rest.split_first().ok_or(Malformed::Syntax)?;
            let at = match *first {
                byte @ (b'{' | b'[') => {
                    if open >> 63 != 0 {
                        none = around.push(open).ok_or(Malformed::TooDeep)?;
                        open = none;
                    }
                    open = open << 1 | u64::from(byte == b'{');
                    rest = behind;
                    continue;
                }
                byte @ (b'}' | b']') => {
                    if open & 1 != u64::from(byte == b'}') {
                        return Err(Malformed::Syntax);
                    }
                    open >>= 1;
                    rest = behind;
                    if open == none {
                        let Some(before) = around.pop() else {
                            let end = self.text.len().wrapping_sub(rest.len());
                            return Ok((self.text.get(start..end).unwrap_or_default(), end));
                        };
                        (open, none) = (before, 1);
                    }
                    continue;
                }
                b',' | b':' | b' ' | b'\n' | b'\t' | b'\r' => {
                    rest = behind;
                    continue;
                }
                b'0'..=b'9' | b'\\' if is_quoted && let Some(next) = dull::behind_value(rest) => {
                    // Nearly always one of these stands there.
                    rest = if let [b':' | b',', behind @ ..] = next { behind } else { next };
                    continue;
                }
                b'"' if self.level == Level::Plain => {
                    self.string(self.text.len().wrapping_sub(rest.len()))?.1
                }
                b'\\' => {
                    let at = self.text.len().wrapping_sub(rest.len());
                    let after = skip_blank(self.text, at, self.level);
                    if after == at { self.string(at)?.1 } else { after }
                }
                _ => self.scalar(self.text.len().wrapping_sub(rest.len()))?.1,
            };
            rest = self.text.get(at..).unwrap_or_default();
        }
    }
}

/// The containers around the innermost, 63 at a time.
#[derive(Default)]
struct OpenAround {
    open: [u64; (MAX_DEPTH / AT_ONCE) as usize],
    count: usize,
}

impl OpenAround {
    /// Keeps those that are open; how nobody is written behind them, or `None` where there are too many.
    #[inline(never)]
    fn push(&mut self, open: u64) -> Option<u64> {
        *self.open.get_mut(self.count)? = open;
        self.count = self.count.wrapping_add(1);
        // Behind the last there is room for what is left up to the limit.
        let is_last = self.count == self.open.len();
        Some(if is_last { 1 << (AT_ONCE - MAX_DEPTH % AT_ONCE) } else { 1 })
    }

    /// Those that were kept last.
    #[inline(never)]
    fn pop(&mut self) -> Option<u64> {
        self.count = self.count.checked_sub(1)?;
        self.open.get(self.count).copied()
    }
}

/// How many containers a word tells the kinds of.
const AT_ONCE: u32 = 63;

mod dull;
#[cfg(test)]
mod tests;
