//! Writing a record back: its own text with members spliced in behind, or put together member by member where that will not do.
//!
//! The rule kept here: what is written is the host's own bytes, but for what is left out, cut or put into quotes, and never more than
//! the limit.

use super::{MemberSpan, RecordView, TRUNCATED};
use crate::json::{self, Level, Members};
use std::collections::BinaryHeap;
use std::ops::Range;

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

impl<'a> RecordView<'a> {
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

    /// Whether the record has this key, which is one of [`super::Names`]' appended ones.
    #[inline]
    pub fn has_own(&self, key: &str) -> bool {
        self.doubled().iter().any(|own| is_key(own, key))
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
    written == name.as_bytes()
        || (written.contains(&b'\\') && json::stands_for(written, Level::Plain, name.as_bytes()))
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
