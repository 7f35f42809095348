//! One record: the host's own JSON text, looked at in one pass and written back by splicing.
//!
//! The text is never re-serialised. A kept record is the host's bytes up to the closing brace, then the new members.
//! Only four things make it be put together member by member: a key that would otherwise stand there twice, a number
//! that the host printed but could not read back, and a record that is too large for the output.

use crate::json::{self, Escapes, Level, Malformed, Members, Value};
use crate::line::Line;

/// Which top-level members of a record mean something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    message: Vec<Box<str>>,
    appended: Vec<Box<str>>,
    /// One bit for each length that a name has, 64 and more in one.
    lengths: u64,
}

impl Names {
    /// `message` are fields that may hold the line; the first that holds a string is the line. `appended` are keys that
    /// may be appended: a record that has one of them already is put together without it.
    pub fn new(message: Vec<Box<str>>, appended: Vec<Box<str>>) -> Names {
        let stream = Box::from(STREAM);
        let lengths = message
            .iter()
            .chain(&appended)
            .chain([&stream])
            .fold(0, |seen, name| seen | length_bit(name.len()));
        Names { message, appended, lengths }
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
    message: Option<(Span, Escapes)>,
    stream: Option<&'a [u8]>,
    /// The appended keys that the record has already.
    doubled: Vec<&'a [u8]>,
    unreadable: Vec<(usize, usize)>,
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
    pub mended: usize,
    /// The record was cut down from this many bytes.
    pub truncated: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    end: usize,
}

impl<'a> RecordView<'a> {
    /// Reads the structure of a record.
    ///
    /// # Errors
    /// [`Malformed`] when the text is not exactly one JSON object (`[1]`, `{"a":1`, `{}{}`), or nests too deep.
    pub fn read(text: &'a [u8], names: &Names) -> Result<RecordView<'a>, Malformed> {
        let mut members = Members::open_checking_numbers(text, Level::Plain)?;
        let mut view = RecordView {
            text,
            close: 0,
            members: 0,
            message: None,
            stream: None,
            doubled: Vec::new(),
            unreadable: Vec::new(),
        };
        let mut rank = usize::MAX;
        while let Some(member) = members.next()? {
            view.members = view.members.wrapping_add(1);
            // Most keys are told from all that mean something by their length.
            if member.key_escapes == Escapes::None && !names.has_length(member.key.len()) {
                continue;
            }
            let is = |name: &str| member.has_key(name.as_bytes(), Level::Plain);
            if names.appended.iter().any(|name| is(name)) {
                view.doubled.push(member.key);
            }
            let Value::String(content) = member.value else { continue };
            if let Some(found) = names.message.iter().position(|name| is(name))
                && found <= rank
            {
                rank = found;
                let start = member.value_start.wrapping_add(1);
                view.message = Some((Span { start, end: start.wrapping_add(content.len()) }, member.escapes));
            }
            if is(STREAM) {
                view.stream = Some(content);
            }
        }
        let end = members.position();
        if json::skip_blank(text, end, Level::Plain) != text.len() {
            return Err(Malformed::Syntax);
        }
        view.close = end.saturating_sub(1);
        view.unreadable = members.into_unreadable();
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

    /// The text of the `stream` member, escapes untouched: `stdout` or `stderr` as a rule.
    pub fn stream(&self) -> Option<&'a [u8]> {
        self.stream
    }

    /// Writes the record with `append` behind its own members into `out`, which is cleared first, in at most `limit`
    /// bytes.
    ///
    /// A record that is larger gets its message cut on a character boundary; if that is not enough, its other members
    /// go, largest first; if even the appended ones do not fit, they go too. It is marked `"truncated":<bytes>`, the
    /// number being its size before.
    pub fn write(&self, append: &[Append<'_>], limit: usize, out: &mut Vec<u8>) -> Written {
        out.clear();
        let replaced = self.has_any(append);
        let mut written = Written { replaced, mended: self.unreadable.len(), truncated: None };
        let is_spliced = !replaced && self.unreadable.is_empty();
        let parts = if is_spliced { Vec::new() } else { self.parts(append) };
        let length = if is_spliced {
            self.close.wrapping_add(appended_length(self.members == 0, append))
        } else {
            self.length(&parts, append)
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

    fn has_any(&self, append: &[Append<'_>]) -> bool {
        self.doubled.iter().any(|own| append.iter().any(|other| is_key(own, other.key)))
    }

    /// The members that stay, as spans of the text.
    fn parts(&self, append: &[Append<'_>]) -> Vec<Span> {
        let mut parts = Vec::with_capacity(self.members);
        let Ok(mut members) = Members::open(self.text, Level::Plain) else { return parts };
        while let Ok(Some(member)) = members.next() {
            if !append.iter().any(|other| is_key(member.key, other.key)) {
                parts.push(Span { start: member.start, end: member.end });
            }
        }
        parts
    }

    /// Puts the record together; `message` replaces the line's text.
    fn assemble(&self, parts: &[Span], message: Option<&[u8]>, append: &[Append<'_>], out: &mut Vec<u8>) {
        out.clear();
        out.push(b'{');
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            let mut from = part.start;
            let copy = |from: usize, to: usize, out: &mut Vec<u8>| {
                out.extend_from_slice(self.text.get(from..to).unwrap_or_default());
            };
            if let (Some(message), Some(line)) = (message, self.message.map(|(span, _)| span))
                && part.start <= line.start
                && line.end <= part.end
            {
                copy(from, line.start, out);
                out.extend_from_slice(message);
                from = line.end;
            }
            for &(start, end) in
                self.unreadable.iter().filter(|span| part.start <= span.0 && span.1 <= part.end)
            {
                copy(from, start, out);
                out.push(b'"');
                copy(start, end, out);
                out.push(b'"');
                from = end;
            }
            copy(from, part.end, out);
        }
        push_members(out, parts.is_empty(), append);
    }

    /// How long [`RecordView::assemble`] would make the record.
    fn length(&self, parts: &[Span], append: &[Append<'_>]) -> usize {
        let own = parts.iter().map(|part| part.end.wrapping_sub(part.start)).sum::<usize>();
        let within =
            |span: &&(usize, usize)| parts.iter().any(|part| part.start <= span.0 && span.1 <= part.end);
        let quotes = self.unreadable.iter().filter(within).count().wrapping_mul(2);
        let commas = parts.len().saturating_sub(1);
        let rest = appended_length(parts.is_empty(), append).wrapping_add(1);
        own.wrapping_add(quotes).wrapping_add(commas).wrapping_add(rest)
    }

    fn cut_down(&self, length: usize, append: &[Append<'_>], limit: usize, out: &mut Vec<u8>) {
        let original = length.to_string();
        let mut append = append.to_vec();
        append.push(Append { key: TRUNCATED, value: original.as_bytes() });
        let mut parts = self.parts(&append);
        let message = self.line();
        let content = message.as_ref().map_or(b"".as_slice(), |line| line.raw());
        loop {
            let has_line = parts.iter().any(|part| self.holds_line(part));
            let line = if has_line { content.len() } else { 0 };
            let without_line = self.length(&parts, &append).saturating_sub(line);
            if let Some(room) = limit.checked_sub(without_line) {
                self.assemble(&parts, Some(json::cut(content, room)), &append, out);
                return;
            }
            // The line alone was not enough: the largest other member goes, then what we would add.
            let largest = parts
                .iter()
                .enumerate()
                .filter(|(_, part)| !self.holds_line(part))
                .max_by_key(|(_, part)| part.end.wrapping_sub(part.start))
                .map(|(index, _)| index);
            match largest {
                Some(index) => drop(parts.remove(index)),
                None if append.len() > 1 => drop(append.remove(0)),
                // Not even the mark fits beside the line's key: the limit is far above that.
                None => return self.assemble(&parts, Some(b""), &append, out),
            }
        }
    }

    fn holds_line(&self, part: &Span) -> bool {
        self.message.is_some_and(|(line, _)| part.start <= line.start && line.end <= part.end)
    }
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> Names {
        Names::new(
            vec!["log".into(), "message".into()],
            ["kubernetes", "k", TRUNCATED].map(Box::from).to_vec(),
        )
    }

    fn write(text: &str, append: &[(&str, &str)], limit: usize) -> (String, Written) {
        let append: Vec<Append<'_>> =
            append.iter().map(|(key, value)| Append { key, value: value.as_bytes() }).collect();
        let mut out = Vec::new();
        let written = RecordView::read(text.as_bytes(), &names()).unwrap().write(&append, limit, &mut out);
        (String::from_utf8(out).unwrap(), written)
    }

    #[test]
    fn finds_line_and_stream() {
        let line = |text: &str| {
            let view = RecordView::read(text.as_bytes(), &names()).unwrap();
            view.line().map(|line| String::from_utf8(line.raw().to_vec()).unwrap())
        };
        assert_eq!(line(r#"{"time":"x","log":"a\"b"}"#).as_deref(), Some(r#"a\"b"#));
        assert_eq!(line(r#"{"message":"m","log":"l"}"#).as_deref(), Some("l"));
        assert_eq!(line(r#"{"log":7,"message":"m"}"#).as_deref(), Some("m"));
        assert_eq!(line(r#"{"log":"1","log":"2"}"#).as_deref(), Some("2"));
        assert_eq!(line(r#"{"l\u006fg":"e"}"#).as_deref(), Some("e"));
        assert_eq!(line("{}"), None);
        let view = RecordView::read(br#"{"stream":"stderr"}"#, &names()).unwrap();
        assert_eq!(view.stream(), Some(b"stderr".as_slice()));
    }

    #[test]
    fn refuses_anything_but_one_object() {
        for text in ["", "[1]", "{}{}", "{} x", "nan", r#"{"a":1"#] {
            assert_eq!(RecordView::read(text.as_bytes(), &names()).err(), Some(Malformed::Syntax), "{text}");
        }
        assert!(RecordView::read(b" {} \n", &names()).is_ok());
    }

    #[test]
    fn splices_behind_the_own_members() {
        let (text, written) = write(r#"{"log":"a"}"#, &[("kubernetes", r#"{"pod_name":"p"}"#)], 1000);
        assert_eq!(text, r#"{"log":"a","kubernetes":{"pod_name":"p"}}"#);
        assert_eq!(written, Written::default());
        assert_eq!(write("{}", &[("k", "1")], 1000).0, r#"{"k":1}"#);
        assert_eq!(write(r#"{ "log" : "a" }"#, &[], 1000).0, r#"{ "log" : "a" }"#);
    }

    #[test]
    fn replaces_an_existing_key_and_never_doubles_it() {
        for own in [
            r#"{"kubernetes":{"x":1},"log":"a"}"#,
            r#"{"log":"a","kubernetes":1}"#,
            r#"{"kubernetes":1,"log":"a","kubernetes":2}"#,
            r#"{"kubernete\u0073":1,"log":"a"}"#,
        ] {
            let (text, written) = write(own, &[("kubernetes", "{}")], 1000);
            assert!(text.ends_with(r#""kubernetes":{}}"#), "{text}");
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&text).unwrap()["kubernetes"],
                serde_json::json!({})
            );
            assert!(written.replaced, "{own}");
        }
    }

    #[test]
    fn numbers_that_do_not_read_back_become_strings() {
        let (text, written) =
            write(r#"{"a":nan,"b":[1,-inf,{"c":1.797693134862316e+308}],"d":2}"#, &[("k", "1")], 1000);
        assert_eq!(text, r#"{"a":"nan","b":[1,"-inf",{"c":"1.797693134862316e+308"}],"d":2,"k":1}"#);
        assert_eq!(written.mended, 3);
    }

    #[test]
    fn a_large_record_loses_the_end_of_its_line() {
        let text = format!(r#"{{"stream":"stdout","log":"{}","n":1}}"#, "ab\\n".repeat(500));
        let (cut, written) = write(&text, &[("kubernetes", r#"{"pod_name":"p"}"#)], 1000);
        let whole = text.len() + r#","kubernetes":{"pod_name":"p"}"#.len();
        assert_eq!(written.truncated, Some(whole));
        assert!((990..=1000).contains(&cut.len()), "{}", cut.len());
        let read: serde_json::Value = serde_json::from_str(&cut).unwrap();
        assert_eq!((&read["truncated"], &read["n"]), (&serde_json::json!(whole), &serde_json::json!(1)));
        assert!(read["log"].as_str().unwrap().starts_with("ab\nab\n"));
    }

    #[test]
    fn the_limit_is_met_exactly_and_lengths_are_what_is_written() {
        for own in [r#"{"log":"abc","n":nan}"#, r#"{"kubernetes":1,"log":"abc"}"#, r#"{"log":"abc"}"#, "{}"] {
            let (whole, _) = write(own, &[("kubernetes", "{}")], 1000);
            assert_eq!(
                write(own, &[("kubernetes", "{}")], whole.len()),
                (whole.clone(), write(own, &[("kubernetes", "{}")], 1000).1)
            );
            let (_, written) = write(own, &[("kubernetes", "{}")], whole.len() - 1);
            assert_eq!(written.truncated, Some(whole.len()), "{own}");
        }
    }

    #[test]
    fn a_record_without_a_line_loses_its_largest_members() {
        let text = format!(r#"{{"a":"{}","b":[{}1],"c":"small"}}"#, "x".repeat(900), "1,".repeat(600));
        let (cut, _) = write(&text, &[("kubernetes", "{}")], 1000);
        let read: serde_json::Value = serde_json::from_str(&cut).unwrap();
        assert!(read.get("b").is_none() && read["c"] == "small" && read.get("kubernetes").is_some(), "{cut}");
        let huge = format!(r#"{{"v":"{}"}}"#, "x".repeat(300));
        let (cut, _) = write(r#"{"a":1}"#, &[("kubernetes", &huge)], 200);
        assert_eq!(cut, r#"{"truncated":329}"#);
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_within_the_limit_and_as_one_object(
            map in prop::collection::btree_map("log|stream|kubernetes|[ab]", "[a\"\\\\\né😀]{0,200}", 0..5),
            limit in 100usize..600,
        ) {
            let text = serde_json::to_string(&map).unwrap();
            let (out, written) = write(&text, &[("kubernetes", r#"{"pod_name":"p"}"#)], limit);
            prop_assert!(out.len() <= limit);
            let read: serde_json::Value = serde_json::from_str(&out).unwrap();
            prop_assert_eq!(written.truncated.is_some(), read.get("truncated").is_some());
            prop_assert_eq!(&read["kubernetes"]["pod_name"], "p");
            prop_assert_eq!(out.matches("\"kubernetes\":").count(), 1 + usize::from(map.iter().any(|(k, v)|
                k != "kubernetes" && v.contains("\"kubernetes\":"))));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(text in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(view) = RecordView::read(&text, &names()) {
                let mut out = Vec::new();
                view.write(&[Append { key: "k", value: b"1" }], 40, &mut out);
            }
        }
    }
}
