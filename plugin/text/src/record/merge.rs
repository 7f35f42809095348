//! Merging: the JSON object that a line is becomes members of the record.
//!
//! The rule kept here: nothing of the record is lost. A member goes only for one of the same name, and the line only where its object
//! took its place.

use super::{Names, RecordView};
use crate::json::{self, Embedded, Escapes, Level, MAX_MEMBERS, Members};
use crate::line::MAX_UNESCAPED;

/// How lines that are JSON objects are merged into their records; the built-in filter's `Merge_Log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The member that holds the object (`Merge_Log_Key`); without, its members stand beside the record's own.
    pub key: Option<Box<str>>,
    /// Whether the line stays where it was merged (`Keep_Log`).
    pub keep_log: bool,
    /// Whether strings that are members lose newlines at their end (`Merge_Log_Trim`).
    pub trim: bool,
}

impl Default for Merge {
    /// As the built-in filter does it.
    fn default() -> Merge {
        Merge { key: None, keep_log: true, trim: true }
    }
}

/// A record's text with its line merged.
#[derive(Debug)]
pub struct Merged {
    text: Vec<u8>,
    members: usize,
    /// Whether nothing in it makes it be put together member by member.
    is_plain: bool,
}

impl Merged {
    /// The text.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Its structure, to be written in at most `limit` bytes; `None` when nobody could read it back.
    pub fn view(&self, names: &Names, limit: usize) -> Option<RecordView<'_>> {
        let Merged { text, members, is_plain } = self;
        // What may have to be cut is read like any record.
        if !is_plain || text.len() > limit / 2 {
            return RecordView::read(text, names).ok();
        }
        let mut view = RecordView::empty(text);
        view.members = *members;
        view.close = text.len().wrapping_sub(1);
        Some(view)
    }
}

impl RecordView<'_> {
    /// Whether the line may be an object, by how it starts.
    #[inline]
    pub fn may_merge(&self) -> bool {
        let Some((span, escapes)) = self.message else { return false };
        let content = self.text.get(span.start..span.end).unwrap_or_default();
        match content.first() {
            Some(b'{') => true,
            Some(b' ' | b'\t' | b'\\') => {
                let start = json::skip_blank(content, 0, Level::Quoted);
                content.get(start) == Some(&b'{') || escapes == Escapes::Irregular
            }
            _ => false,
        }
    }

    /// The record's text with its line merged, see [`Embedded::of`]: the object's members come last, and a member of the
    /// record's own goes when one of them has its name.
    ///
    /// `None` when the line is no object, or when the record has more than 4 MiB, memory is short, or the record would have more
    /// than 65,536 members.
    pub fn merged(&self, merge: &Merge, names: &Names) -> Option<Merged> {
        if !self.may_merge() {
            return None;
        }
        let (span, escapes) = self.message?;
        let content = self.text.get(span.start..span.end)?;
        // What it takes several times over has to fit beside the record.
        if self.text.len() > MAX_UNESCAPED {
            return None;
        }
        let mut unescaped = Vec::new();
        let line = match escapes {
            Escapes::None => content,
            _ => {
                unescaped.try_reserve(content.len()).ok()?;
                json::unescape_into(content, &mut unescaped);
                &unescaped
            }
        };
        let embedded = Embedded::of(line, merge.trim, if merge.key.is_some() { 2 } else { 1 })?;
        if self.members.saturating_add(embedded.members()) > MAX_MEMBERS {
            return None;
        }
        let key_length = merge.key.as_ref().map_or(0, |key| key.len());
        let mut out = Vec::new();
        out.try_reserve(
            self.close.checked_add(embedded.text().len())?.checked_add(key_length)?.checked_add(8)?,
        )
        .ok()?;
        let goes = |key: &[u8]| match &merge.key {
            Some(name) => key == name.as_bytes(),
            None => embedded.has_key(key),
        };
        let mut count = if merge.key.is_some() { 1 } else { embedded.members() };
        let mut members = Members::open(self.text, Level::Plain).ok()?;
        while let Ok(Some(member)) = members.next() {
            let is_line = member.start <= span.start && span.end <= member.end;
            let is_replaced = match member.key_escapes {
                Escapes::None => goes(member.key),
                _ => goes(&json::unescape(member.key)),
            };
            if !is_replaced && (merge.keep_log || !is_line) {
                out.push(if out.is_empty() { b'{' } else { b',' });
                out.extend_from_slice(self.text.get(member.start..member.end)?);
                count = count.wrapping_add(1);
            }
        }
        out.push(if out.is_empty() { b'{' } else { b',' });
        if let Some(key) = &merge.key {
            out.push(b'"');
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\":{");
        }
        out.extend_from_slice(embedded.text());
        if merge.key.is_some() {
            out.push(b'}');
        }
        out.push(b'}');
        let is_ours = |name: &str| merge.key.is_none() && embedded.has_key(name.as_bytes());
        let is_plain = self.rest.is_none() && !names.appended.iter().any(|name| is_ours(name));
        Some(Merged { text: out, members: count, is_plain })
    }
}
