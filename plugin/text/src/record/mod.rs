//! One record: the host's own JSON text, looked at in one pass and written back by splicing.
//!
//! The text is never re-serialised. A kept record is the host's bytes up to the closing brace, then the new members.
//! Only four things make it be put together member by member: a key that would otherwise stand there twice, a number
//! that the host printed but could not read back, and a record that is too large for the output.

mod layout;
mod shape;

pub use shape::RecordShape;

use crate::json::{self, Escapes, Level, Malformed, Member, Members, Value};
use crate::line::Line;
use crate::path::Path;
use crate::severity::{self, Reading, Severity};
use std::collections::BinaryHeap;
use std::ops::Range;

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

/// A member to put behind a record's own. `value` is JSON text.
#[derive(Clone, Copy, Debug)]
pub struct Append<'x> {
    /// The key, without anything that JSON would escape.
    pub key: &'x str,
    /// The value, as JSON.
    pub value: &'x [u8],
}

/// What writing a record did to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// A key of the record's own was replaced by an appended one.
    pub replaced: bool,
    /// Numbers that the host could not have read back and that are strings now.
    pub quoted: usize,
    /// The record was cut down from this many bytes.
    pub truncated: Option<usize>,
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
            note(&member);
            if view.level.is_none() && severity::is_level_key(member.key) {
                view.level = Some((member.key, member.value));
            }
            // Most keys are told from all that mean something by their length.
            if member.key_escapes == Escapes::None && !names.has_length(member.key.len()) {
                continue;
            }
            let is = |name: &str| member.has_key(name.as_bytes(), Level::Plain);
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

    /// The record's text as the host wrote it.
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The line, if a message field holds a string.
    pub fn line(&self) -> Option<Line<'a>> {
        let (span, escapes) = self.message?;
        self.text.get(span.start..span.end).map(|content| Line::with_escapes(content, escapes))
    }

    /// Whether it has one of the keys that are sought, see [`Names`].
    #[inline]
    pub fn has_sought(&self) -> bool {
        self.has_sought
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

    /// Writes the record with `append` behind its own members into `out`, which is cleared first, in at most `limit`
    /// bytes.
    ///
    /// A record that is larger gets its message cut on a character boundary; if that is not enough, its other members
    /// go, largest first; if even the appended ones do not fit, they go too. It is marked `"truncated":<bytes>`, the
    /// number being the size that it would have had with what is appended.
    pub fn write(&self, append: &[Append<'_>], limit: usize, out: &mut Vec<u8>) -> Written {
        out.clear();
        let replaced = self.has_any(append);
        let mut written = Written { replaced, quoted: self.unreadable().len(), truncated: None };
        let is_spliced = !replaced && self.unreadable().is_empty();
        let parts = if is_spliced { Vec::new() } else { self.parts(append) };
        let length = if is_spliced {
            self.close.wrapping_add(appended_length(self.members == 0, append))
        } else {
            length_of(&parts, append)
        };
        // Never built whole when it is too large: the guest's memory may not hold it twice.
        if length > limit {
            written.truncated = Some(length);
            self.cut_down(length, append, limit, out);
        } else if is_spliced {
            out.extend_from_slice(self.text.get(..self.close).unwrap_or_default());
            push_members(out, self.members == 0, append);
        } else {
            self.assemble(&parts, None, append, out);
        }
        written
    }

    /// The record without its closing brace, if what is put onto it only goes behind its own members.
    #[inline]
    pub fn spliced_at(&self) -> Option<&'a [u8]> {
        if self.rest.is_some() || self.members == 0 { None } else { self.text.get(..self.close) }
    }

    /// Writes a record's `own` members, `ending`, which is members and a closing brace, and maybe one more in front of the
    /// brace, into `out`, which is cleared first; or nothing when that takes more than `limit` bytes.
    #[inline]
    pub fn write_ended(
        &self,
        own: &[u8],
        ending: &[u8],
        last: Option<&Append<'_>>,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> bool {
        let more = last.map_or(0, |last| last.key.len().wrapping_add(last.value.len()).wrapping_add(4));
        let length = own.len().wrapping_add(ending.len()).wrapping_add(more);
        if length > limit {
            return false;
        }
        out.clear();
        out.reserve(length);
        out.extend_from_slice(own);
        match last {
            None => out.extend_from_slice(ending),
            Some(last) => {
                out.extend_from_slice(ending.get(..ending.len().wrapping_sub(1)).unwrap_or_default());
                push_members(out, false, std::slice::from_ref(last));
            }
        }
        true
    }

    /// Whether the record has this key, which is one of [`Names`]' appended ones.
    #[inline]
    pub fn has_own(&self, key: &str) -> bool {
        self.doubled().iter().any(|own| is_key(own, key))
    }

    #[inline]
    fn doubled(&self) -> &[&'a [u8]] {
        self.rest.as_ref().map_or(&[], |rest| &rest.doubled)
    }

    #[inline]
    fn unreadable(&self) -> &[(usize, usize)] {
        self.rest.as_ref().map_or(&[], |rest| &rest.unreadable)
    }

    fn has_any(&self, append: &[Append<'_>]) -> bool {
        self.doubled().iter().any(|own| append.iter().any(|other| is_key(own, other.key)))
    }

    /// The members that stay, each with the unreadable numbers in it. Both stand in the order of the text, so one walk
    /// over each does.
    fn parts(&self, append: &[Append<'_>]) -> Vec<KeptMember> {
        let mut parts = Vec::with_capacity(self.members);
        let Ok(mut members) = Members::open(self.text, Level::Plain) else { return parts };
        let mut next = 0usize;
        while let Ok(Some(member)) = members.next() {
            let from = next;
            while self.unreadable().get(next).is_some_and(|span| span.1 <= member.end) {
                next = next.wrapping_add(1);
            }
            if !append.iter().any(|other| is_key(member.key, other.key)) {
                let span = MemberSpan { start: member.start, end: member.end };
                parts.push(KeptMember { span, unreadable: from..next });
            }
        }
        parts
    }

    /// Puts the record together; `message` replaces the line's text.
    fn assemble(
        &self,
        parts: &[KeptMember],
        message: Option<&[u8]>,
        append: &[Append<'_>],
        out: &mut Vec<u8>,
    ) {
        out.clear();
        out.push(b'{');
        let copy = |from: usize, to: usize, out: &mut Vec<u8>| {
            out.extend_from_slice(self.text.get(from..to).unwrap_or_default());
        };
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            let mut from = part.span.start;
            if let (Some(message), Some((line, _))) = (message, self.message)
                && self.holds_line(part)
            {
                copy(from, line.start, out);
                out.extend_from_slice(message);
                from = line.end;
            }
            for &(start, end) in self.unreadable().get(part.unreadable.clone()).unwrap_or_default() {
                copy(from, start, out);
                out.push(b'"');
                copy(start, end, out);
                out.push(b'"');
                from = end;
            }
            copy(from, part.span.end, out);
        }
        push_members(out, parts.is_empty(), append);
    }

    fn cut_down(&self, length: usize, append: &[Append<'_>], limit: usize, out: &mut Vec<u8>) {
        let original = length.to_string();
        let mut append = append.to_vec();
        append.push(Append { key: TRUNCATED, value: original.as_bytes() });
        let mut parts = self.parts(&append);
        let message = self.line();
        let content = message.as_ref().map_or(b"".as_slice(), |line| line.raw());
        let line = self.message.filter(|_| parts.iter().any(|part| self.holds_line(part)));
        let line_length = line.map_or(0, |(span, _)| span.end.wrapping_sub(span.start));
        let mut needed = length_of(&parts, &append).saturating_sub(line_length);

        // When the line alone is not enough, the other members go, largest first. Each takes its comma along.
        let mut others = BinaryHeap::new();
        if needed > limit {
            let members = parts.iter().enumerate().filter(|(_, part)| !self.holds_line(part));
            others.extend(members.map(|(index, part)| (part.length(), index)));
        }
        let mut dropped = vec![false; if needed > limit { parts.len() } else { 0 }];
        while needed > limit
            && let Some((length, index)) = others.pop()
        {
            needed = needed.saturating_sub(length).saturating_sub(1);
            if let Some(flag) = dropped.get_mut(index) {
                *flag = true;
            }
        }
        let mut flags = dropped.into_iter();
        parts.retain(|_| !flags.next().unwrap_or(false));
        // Then what we would add, but for the mark itself.
        while needed > limit && append.len() > 1 {
            append.remove(0);
            needed = length_of(&parts, &append).saturating_sub(line_length);
        }
        let room = limit.saturating_sub(needed);
        self.assemble(&parts, Some(json::cut(content, room)), &append, out);
    }

    fn holds_line(&self, part: &KeptMember) -> bool {
        self.message.is_some_and(|(line, _)| part.span.start <= line.start && line.end <= part.span.end)
    }
}

/// A member that stays.
#[derive(Clone, Debug)]
struct KeptMember {
    span: MemberSpan,
    /// Which of the record's unreadable numbers are in it.
    unreadable: Range<usize>,
}

impl KeptMember {
    /// Its bytes when written, quotes around unreadable numbers included.
    fn length(&self) -> usize {
        self.span.end.wrapping_sub(self.span.start).wrapping_add(self.unreadable.len().wrapping_mul(2))
    }
}

/// How long a record of these parts is.
fn length_of(parts: &[KeptMember], append: &[Append<'_>]) -> usize {
    let own = parts.iter().fold(parts.len().saturating_sub(1), |sum, part| sum.wrapping_add(part.length()));
    own.wrapping_add(appended_length(parts.is_empty(), append)).wrapping_add(1)
}

/// How many bytes [`push_members`] adds.
fn appended_length(mut first: bool, append: &[Append<'_>]) -> usize {
    append.iter().fold(1, |sum, member| {
        let comma = usize::from(!std::mem::replace(&mut first, false));
        sum.wrapping_add(comma)
            .wrapping_add(member.key.len())
            .wrapping_add(member.value.len())
            .wrapping_add(3)
    })
}

fn is_key(written: &[u8], name: &str) -> bool {
    written == name.as_bytes() || (written.contains(&b'\\') && json::unescape(written) == name.as_bytes())
}

fn push_members(out: &mut Vec<u8>, mut first: bool, append: &[Append<'_>]) {
    for member in append {
        if !std::mem::replace(&mut first, false) {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(member.key.as_bytes());
        out.extend_from_slice(b"\":");
        out.extend_from_slice(member.value);
    }
    out.push(b'}');
}

/// The member that says which stream a line came from.
const STREAM: &str = "stream";
/// The key that marks a record which was too large, with its size in bytes before it was cut.
pub const TRUNCATED: &str = "truncated";

#[cfg(test)]
mod tests;
