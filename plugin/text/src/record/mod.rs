//! One record: the host's own JSON text, looked at in one pass and written back by splicing.
//!
//! The text is never re-serialised. A kept record is the host's bytes up to the closing brace, then the new members.
//! Only four things make it be put together member by member: a key that would otherwise stand there twice, a number
//! that the host printed but could not read back, and a record that is too large for the output.

mod layout;
mod merge;
mod object;
mod shape;
mod write;

pub use layout::{Closed, Front};
pub use merge::{Merge, Merged};
pub use object::RecordObject;
pub use shape::RecordShape;
pub use write::{Append, Written};

use crate::json::{self, Escapes, Level, MAX_MEMBERS, Malformed, Member, Members, PassedString, Value};
use crate::line::Line;
use crate::path::Path;
use crate::secrets::has_hidden;
use crate::severity::{self, Reading, Severity};

/// Which top-level members of a record mean something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    message: Vec<Box<str>>,
    appended: Vec<Box<str>>,
    sought: Vec<Box<str>>,
    /// One bit for each length that a name has, 64 and more in one.
    lengths: u64,
}

impl Names {
    /// `message` are fields that may hold the line; the first that holds a string is the line. `appended` are keys that
    /// may be appended: a record that has one of them already is put together without it. `sought` are keys that somebody looks
    /// for later: of a record that has none of them, nobody has to.
    pub fn new(message: Vec<Box<str>>, appended: Vec<Box<str>>, sought: Vec<Box<str>>) -> Names {
        let stream = Box::from(STREAM);
        let lengths = message
            .iter()
            .chain(&appended)
            .chain(&sought)
            .chain([&stream])
            .fold(0, |seen, name| seen | length_bit(name.len()));
        Names { message, appended, sought, lengths }
    }

    /// Whether a key with escapes may be one of the names, by its length.
    fn may_stand_for(&self, written: &[u8]) -> bool {
        let longest = 64u32.wrapping_sub(self.lengths.leading_zeros()) as usize;
        // A byte takes at most six, and names of 63 bytes and more have one bit.
        longest > 63 || written.len() <= longest.wrapping_mul(6)
    }

    fn has_length(&self, length: usize) -> bool {
        self.lengths & length_bit(length) != 0
    }
}

fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

/// A record whose structure has been read. Borrowed from the host's text.
#[derive(Debug)]
pub struct RecordView<'a> {
    text: &'a [u8],
    /// Where the closing brace stands.
    close: usize,
    members: usize,
    /// Whether it has a key that is sought.
    has_sought: bool,
    message: Option<(MemberSpan, Escapes)>,
    stream: Option<&'a [u8]>,
    stream_name: StreamName,
    /// The first field that says a level: its key as written, and its value.
    level: Option<(&'a [u8], Value<'a>)>,
    /// Whether printable ASCII may be written as an escape in it.
    hides: bool,
    front: Front,
    /// What most records have none of.
    rest: Option<Box<Unusual<'a>>>,
}

/// What makes a record be put together member by member.
#[derive(Debug, Default)]
struct Unusual<'a> {
    /// The appended keys that the record has already.
    doubled: Vec<&'a [u8]>,
    /// Numbers that the host could not read back.
    unreadable: Vec<(usize, usize)>,
}

/// Which of a container's two streams a record says that it is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamName {
    /// `stdout`
    Stdout,
    /// `stderr`
    Stderr,
    /// Another, or none.
    #[default]
    Other,
}

impl StreamName {
    /// The stream of this name.
    pub fn of(name: &[u8]) -> StreamName {
        match name {
            b"stdout" => StreamName::Stdout,
            b"stderr" => StreamName::Stderr,
            _ => StreamName::Other,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct MemberSpan {
    start: usize,
    end: usize,
}

impl<'a> RecordView<'a> {
    /// Reads the structure of a record.
    ///
    /// # Errors
    /// [`Malformed`] when the text is not exactly one JSON object (`[1]`, `{"a":1`, `{}{}`), or nests too deep.
    pub fn read(text: &'a [u8], names: &Names) -> Result<RecordView<'a>, Malformed> {
        RecordView::read_noting(text, names, &mut |_| {})
    }

    /// As [`RecordView::read`]; `shape` is that of an earlier record, tried first and learned anew when it does not fit.
    ///
    /// # Errors
    /// As [`RecordView::read`].
    pub fn read_shaped(
        text: &'a [u8],
        names: &Names,
        shape: &mut RecordShape,
    ) -> Result<RecordView<'a>, Malformed> {
        let view = match shape.read(text) {
            Some(view) => view,
            None => shape.learn(text, names)?,
        };
        shape.layouts.learn(&view);
        Ok(view)
    }

    fn read_noting(
        text: &'a [u8],
        names: &Names,
        note: &mut dyn FnMut(&Member<'a>),
    ) -> Result<RecordView<'a>, Malformed> {
        let mut members = Members::open_checking_numbers(text, Level::Plain)?;
        let mut view = RecordView::empty(text);
        let mut doubled = Vec::new();
        let mut rank = usize::MAX;
        while let Some(member) = members.next()? {
            view.members = view.members.wrapping_add(1);
            if view.members > MAX_MEMBERS {
                return Err(Malformed::TooMany);
            }
            note(&member);
            if view.level.is_none() && severity::is_level_key(member.key) {
                view.level = Some((member.key, member.value));
            }
            // Most keys are told from all that mean something by their length.
            if member.key_escapes == Escapes::None && !names.has_length(member.key.len()) {
                continue;
            }
            let resolved;
            let key = match member.key_escapes {
                Escapes::None => member.key,
                _ if !names.may_stand_for(member.key) => continue,
                _ => {
                    resolved = json::unescape(member.key);
                    resolved.as_slice()
                }
            };
            let is = |name: &str| key == name.as_bytes();
            if names.appended.iter().any(|name| is(name)) {
                doubled.push(member.key);
            }
            view.has_sought |= names.sought.iter().any(|name| is(name));
            let Value::String(content) = member.value else { continue };
            if let Some(found) = names.message.iter().position(|name| is(name))
                && found <= rank
            {
                rank = found;
                let start = member.value_start.wrapping_add(1);
                view.message =
                    Some((MemberSpan { start, end: start.wrapping_add(content.len()) }, member.escapes));
            }
            if is(STREAM) {
                view.stream = Some(content);
                view.stream_name = StreamName::of(content);
            }
        }
        let end = members.position();
        if json::skip_blank(text, end, Level::Plain) != text.len() {
            return Err(Malformed::Syntax);
        }
        view.close = end.saturating_sub(1);
        let unreadable = members.into_unreadable();
        if !doubled.is_empty() || !unreadable.is_empty() {
            view.rest = Some(Box::new(Unusual { doubled, unreadable }));
        }
        Ok(view)
    }

    /// What stands in front of its line, if it is laid out as one before it.
    pub fn front(&self) -> Front {
        self.front
    }

    /// Whether printable ASCII may be written as an escape in it, so that what it says is not what it looks like; where nobody knows
    /// yet, it is looked for.
    pub fn may_hide(&self) -> bool {
        self.hides && has_hidden(self.text)
    }

    /// The record's text as the host wrote it.
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The record as the object that it is.
    pub fn object(&self) -> RecordObject<'a> {
        let passed = |(span, escapes): (MemberSpan, Escapes)| PassedString {
            start: span.start,
            end: span.end,
            escapes,
        };
        RecordObject::with_line(self.text, self.message.map(passed))
    }

    /// The line, if a message field holds a string.
    #[inline(always)]
    pub fn line(&self) -> Option<Line<'a>> {
        let (span, escapes) = self.message?;
        self.text.get(span.start..span.end).map(|content| Line::with_escapes(content, escapes))
    }

    /// Whether it has one of the keys that are sought, see [`Names`].
    #[inline]
    pub fn has_sought(&self) -> bool {
        self.has_sought
    }

    /// The object under a key which is one of [`Names`]' appended ones, if the record has one.
    #[inline]
    pub fn own_object(&self, key: &str) -> Option<&'a [u8]> {
        self.rest.as_ref()?;
        self.find_object(key)
    }

    #[inline(never)]
    fn find_object(&self, key: &str) -> Option<&'a [u8]> {
        if !self.has_own(key) {
            return None;
        }
        match self.object().lookup(&[Box::from(key)])? {
            Value::Object(text) => Some(text),
            Value::String(_) | Value::Scalar(_) | Value::Array(_) => None,
        }
    }

    /// The text of the `stream` member, escapes untouched: `stdout` or `stderr` as a rule.
    pub fn stream(&self) -> Option<&'a [u8]> {
        self.stream
    }

    /// Which stream that is.
    #[inline]
    pub fn stream_name(&self) -> StreamName {
        self.stream_name
    }

    /// The severity of the record: that of its line, else that of its own fields, which a parser before the filter may have
    /// made. `further` are the keys of `input.severity`, which come first; `reading` is what the line says of itself.
    #[inline]
    pub fn severity(
        &self,
        line: Option<&Line<'_>>,
        further: &[Path],
        reading: impl FnOnce() -> Option<Reading>,
    ) -> Option<Severity> {
        let named = if further.is_empty() { None } else { severity::of_further(self.text, line, further) };
        named
            .or_else(|| reading().map(|reading| reading.severity))
            .or_else(|| self.level.and_then(|(key, value)| severity::of_field(key, value)))
    }

    #[inline]
    fn doubled(&self) -> &[&'a [u8]] {
        self.rest.as_ref().map_or(&[], |rest| &rest.doubled)
    }

    #[inline]
    fn unreadable(&self) -> &[(usize, usize)] {
        self.rest.as_ref().map_or(&[], |rest| &rest.unreadable)
    }
}

/// The member that says which stream a line came from.
const STREAM: &str = "stream";
/// The key that marks a record which was too large, with its size in bytes before it was cut.
pub const TRUNCATED: &str = "truncated";

#[cfg(test)]
mod tests;
