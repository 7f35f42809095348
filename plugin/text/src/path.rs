//! Where a field stands that a rule file names: `level`, `dd.trace_id`, `$.dd.trace_id`.
//!
//! Programs write `{"dd":{"trace_id":"7"}}` and `{"dd.trace_id":"7"}` for the same thing, so a name with dots means both; and
//! in a line of text `dd.trace_id=7`.

use crate::hash::key_bit;
use crate::json::{self, Escapes, Level, Members, Outline, Value};
use crate::line::{Line, MAX_FIELD};
use crate::swar;
use std::ops::Deref;

/// A field by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// From the outermost key to the innermost.
    keys: Vec<Box<str>>,
    /// All of it as one key, if it has dots.
    dotted: [Box<str>; 1],
    /// The [`key_bit`]s of the keys that it may start with.
    bits: u64,
}

impl Path {
    /// Reads `key`, `a.b` or `$.a.b`.
    ///
    /// # Errors
    /// `None` for an empty key (`a..b`), an array's index (`$.a[0]`) and wildcards (`$.*`).
    pub fn parse(text: &str) -> Option<Path> {
        let name = text.strip_prefix("$.").unwrap_or(text);
        let is_plain = |key: &str| !key.is_empty() && !key.contains(['[', ']', '*', '"']);
        let keys: Vec<Box<str>> = name.split('.').map(Box::from).collect();
        let bits = key_bit(name.as_bytes()) | keys.first().map_or(0, |key| key_bit(key.as_bytes()));
        keys.iter().all(|key| is_plain(key)).then(|| Path { keys, dotted: [name.into()], bits })
    }

    /// The name, without `$.`.
    pub fn name(&self) -> &str {
        let [name] = &self.dotted;
        name
    }

    /// A string or scalar of the line's own JSON object, escapes resolved.
    pub fn in_line(&self, line: &Line<'_>) -> Option<Vec<u8>> {
        let whole = line.field(&self.dotted);
        if whole.is_some() || self.keys.len() == 1 { whole } else { line.field(&self.keys) }
    }

    /// The same of a record, which is JSON text.
    pub fn in_record(&self, text: &[u8]) -> Option<Vec<u8>> {
        let find = |path: &[Box<str>]| match json::lookup(text, Level::Plain, path)? {
            Value::String(content) | Value::Scalar(content) if content.len() > MAX_FIELD => None,
            Value::String(content) => Some(json::unescape(content)),
            Value::Scalar(text) => Some(text.to_vec()),
            Value::Object(_) | Value::Array(_) => None,
        };
        let whole = find(&self.dotted);
        if whole.is_some() || self.keys.len() == 1 { whole } else { find(&self.keys) }
    }

    /// Its value in an object, of whose members all are known.
    fn in_outline<'t>(&self, outline: &Outline, text: &'t [u8], level: Level) -> Option<Value<'t>> {
        if self.keys.len() == 1 {
            return outline.get(text, level, self.name().as_bytes());
        }
        outline.members(text, level).rev().find_map(|(written, has_escapes, value)| {
            let is = |key: &[u8]| {
                if has_escapes { json::stands_for(written, level, key) } else { swar::equal(written, key) }
            };
            self.in_member(is, value, level)
        })
    }

    /// Its value in a member of the object around it. `is` says whether the member has a key.
    fn in_member<'t>(&self, is: impl Fn(&[u8]) -> bool, value: Value<'t>, level: Level) -> Option<Value<'t>> {
        if is(self.name().as_bytes()) {
            return Some(value);
        }
        let (first, rest) = self.keys.split_first()?;
        match value {
            Value::Object(inner) if !rest.is_empty() && is(first.as_bytes()) => {
                json::lookup(inner, level, rest)
            }
            _ => None,
        }
    }
}

/// Fields that a rule file names for one thing, the first that a line or record has before the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    list: Vec<Path>,
    /// The [`key_bit`] of every key that one of them starts with.
    bits: u64,
    /// The last letter of every name: a bit for each, by [`ending_bit`].
    endings: u64,
}

impl From<Vec<Path>> for Paths {
    fn from(list: Vec<Path>) -> Paths {
        let bits = list.iter().fold(0, |bits, path| bits | path.bits);
        let ending = |path: &Path| path.name().bytes().last().map_or(0, ending_bit);
        let endings = list.iter().fold(0, |endings, path| endings | ending(path));
        Paths { list, bits, endings }
    }
}

impl Deref for Paths {
    type Target = [Path];

    fn deref(&self) -> &[Path] {
        &self.list
    }
}

impl Paths {
    /// The keys that they start with.
    pub fn first_keys(&self) -> impl Iterator<Item = &str> {
        self.iter().flat_map(|path| path.keys.first().map(|key| &**key).into_iter().chain([path.name()]))
    }

    /// Whether one of them may start with one of the keys that have these [`key_bit`]s.
    #[inline]
    pub fn may_start(&self, keys: u64) -> bool {
        self.bits & keys != 0
    }
}

/// What shares one with another letter is told apart by the name.
#[inline(always)]
fn ending_bit(last: u8) -> u64 {
    1u64.wrapping_shl(u32::from(last))
}

/// The values of the paths in a JSON object, in the order of the paths; one walk for all of them. `take` says whether it has what
/// it wants.
pub fn each_in_json<T>(
    paths: &Paths,
    mut members: Members<'_>,
    take: impl FnMut(&Path, &[u8]) -> Option<T>,
) -> Option<T> {
    let (mut found, level) = (NOTHING, members.level());
    while let Ok(Some(member)) = members.next() {
        if member.key_escapes != Escapes::None || paths.may_start(key_bit(member.key)) {
            note(paths, &mut found, |key| member.has_key(key, level), member.value, level);
        }
    }
    first(paths, found, level, take)
}

/// As [`each_in_json`], of a line that is an object: by its outline, if it has one.
pub fn each_in_line<T>(
    paths: &Paths,
    line: &Line<'_>,
    take: impl FnMut(&Path, &[u8]) -> Option<T>,
) -> Option<T> {
    let (text, level) = line.as_json();
    let Some(outline) = line.outline().filter(|outline| outline.is_whole()) else {
        return each_in_json(paths, Members::open(text, level).ok()?, take);
    };
    let bits = outline.key_bits(text);
    if !paths.may_start(bits) {
        return None;
    }
    // Where few can be there, as nearly always, each is looked for: of duplicate keys the last counts, the first from the end.
    let mut few: [Option<&Path>; FEW] = [None; FEW];
    let mut candidates = paths.iter().filter(|path| path.bits & bits != 0);
    few.iter_mut().for_each(|few| *few = candidates.next());
    if candidates.next().is_none() {
        let mut take = take;
        return few
            .into_iter()
            .flatten()
            .filter_map(|path| Some((path, path.in_outline(outline, text, level)?)))
            .find_map(|(path, value)| taken(path, value, level, &mut take));
    }
    let mut found = NOTHING;
    for (written, has_escapes, value) in outline.members(text, level) {
        if has_escapes || paths.may_start(key_bit(written)) {
            let is = |key: &[u8]| {
                if has_escapes { json::stands_for(written, level, key) } else { swar::equal(written, key) }
            };
            note(paths, &mut found, is, value, level);
        }
    }
    first(paths, found, level, take)
}

/// What each path has found.
type FoundValues<'t> = [Option<Value<'t>>; MAX_PATHS];
const NOTHING: FoundValues<'static> = [None; MAX_PATHS];

/// Notes what a member is to each path. Of duplicate keys the last counts, as for every reader downstream.
fn note<'t>(
    paths: &[Path],
    found: &mut FoundValues<'t>,
    is: impl Fn(&[u8]) -> bool,
    value: Value<'t>,
    level: Level,
) {
    for (path, slot) in paths.iter().zip(found) {
        *slot = path.in_member(&is, value, level).or(*slot);
    }
}

/// What the first path that has something gives.
fn first<T>(
    paths: &[Path],
    found: FoundValues<'_>,
    level: Level,
    mut take: impl FnMut(&Path, &[u8]) -> Option<T>,
) -> Option<T> {
    paths.iter().zip(found).find_map(|(path, value)| taken(path, value?, level, &mut take))
}

/// What a path's value gives, escapes resolved.
fn taken<T>(
    path: &Path,
    value: Value<'_>,
    level: Level,
    take: &mut impl FnMut(&Path, &[u8]) -> Option<T>,
) -> Option<T> {
    match value {
        Value::String(content) if content.len() > MAX_VALUE => None,
        Value::String(content) if swar::find_byte(content, 0, b'\\').is_none() => take(path, content),
        Value::String(content) if level == Level::Quoted => {
            take(path, &json::unescape(&json::unescape(content)))
        }
        Value::String(content) => take(path, &json::unescape(content)),
        Value::Scalar(text) => take(path, text),
        Value::Object(_) | Value::Array(_) => None,
    }
}

/// The values that stand behind `name=` or `name: ` in a line of text, up to a blank, a comma, a quote or a closing bracket;
/// as for [`each_in_json`].
pub fn each_in_text<T>(
    paths: &Paths,
    line: &Line<'_>,
    mut take: impl FnMut(&Path, &[u8]) -> Option<T>,
) -> Option<T> {
    let text = line.raw();
    let mut found: [Option<&[u8]>; MAX_PATHS] = [None; MAX_PATHS];
    let mut from = 0usize;
    while let Some(at) = swar::find_either(text, from, b'=', b':') {
        from = at.wrapping_add(1);
        let mut before = text.get(..at).unwrap_or_default();
        let mut is_spaced = text.get(at) == Some(&b':');
        // `trace_id = x`, and `"trace_id": x` in an object behind the text.
        if let [rest @ .., last @ (b' ' | b'"')] = before {
            is_spaced |= *last == b' ';
            before = rest.strip_suffix(b"\\").unwrap_or(rest);
        }
        // Its last letter tells most words from all names.
        if before.last().is_none_or(|last| paths.endings & ending_bit(*last) == 0) {
            continue;
        }
        for (path, slot) in paths.iter().zip(&mut found) {
            let name = path.name().as_bytes();
            if slot.is_none() && before.last() == name.last() && ends_with_name(before, name) {
                *slot = Some(value_at(text.get(from..).unwrap_or_default(), is_spaced));
            }
        }
    }
    paths.iter().zip(found).find_map(|(path, value)| take(path, value?))
}

/// Whether a name stands at the end of a text as a word of its own.
fn ends_with_name(text: &[u8], name: &[u8]) -> bool {
    let Some(before) = text.strip_suffix(name) else { return false };
    match before {
        [] => true,
        // An escaped tab or newline ends in its letter.
        [.., b'\\', b't' | b'n'] => true,
        // A colour.
        [.., b'0'..=b'9' | b'[', b'm'] => true,
        [.., last] => !last.is_ascii_alphanumeric() && !matches!(last, b'_' | b'.' | b'-' | b'/'),
    }
}

/// The value that a text starts with. Behind `key=` a blank says that there is none, unless one `is_spaced` before it too.
fn value_at(text: &[u8], is_spaced: bool) -> &[u8] {
    let text = if is_spaced { text.strip_prefix(b" ").unwrap_or(text) } else { text };
    let text = behind_colour(text);
    let text = [&b"\\\""[..], b"\"", b"'"].iter().find_map(|quote| text.strip_prefix(*quote)).unwrap_or(text);
    let is_end = |byte: &u8| {
        matches!(byte, b' ' | b',' | b'"' | b'\\' | b']' | b')' | b'}' | b'\'' | b'|' | b'>' | b'&')
    };
    let length = text.iter().take(MAX_VALUE).position(is_end).unwrap_or(text.len().min(MAX_VALUE));
    let value = text.get(..length).unwrap_or_default();
    // The dot of a sentence.
    value.strip_suffix(b".").unwrap_or(value)
}

/// Behind an ANSI sequence, as JSON writes it.
fn behind_colour(text: &[u8]) -> &[u8] {
    let Some(rest) = text.strip_prefix(b"\\u001b[") else { return text };
    let end = rest.iter().take(16).position(u8::is_ascii_alphabetic).map_or(0, |at| at.wrapping_add(1));
    rest.get(end..).unwrap_or_default()
}

/// Most paths of a list.
pub const MAX_PATHS: usize = 16;
/// Longest value.
const MAX_VALUE: usize = 256;

/// So many paths are looked for one by one.
const FEW: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_that_is_there_gives_what_a_walk_gives() {
        let paths =
            Paths::from(["trace_id", "dd.trace_id", "$.a.b"].map(|path| Path::parse(path).unwrap()).to_vec());
        for text in [
            r#"{"trace_id":"x","dd":{"trace_id":7}}"#,
            r#"{"dd.trace_id":"y","a":{"b":"z"}}"#,
            r#"{"trace_id":"x","trace_id":{"no":1},"a":{"b":[1]}}"#,
            r#"{"tr\u0061ce_id":"x","n":1}"#,
            r#"{"a":{"c":1},"a":{"b":"last"}}"#,
            r#"{"trace_id": null, "a": {"b": "c\"d"}}"#,
        ] {
            let mut content = Vec::new();
            json::push_string(&mut content, text.as_bytes());
            let line = Line::new(&content[1..content.len() - 1]);
            let take = |path: &Path, value: &[u8]| Some((path.name().to_owned(), value.to_vec()));
            let members = || Members::open(line.as_json().0, line.as_json().1).unwrap();
            let expected = each_in_json(&paths, members(), take);
            assert_eq!(each_in_line(&paths, &line, take), expected, "{text}");
            assert!(line.outline().is_some());
            assert_eq!(each_in_line(&paths, &line, take), expected, "{text}");
        }
    }

    #[track_caller]
    fn found(path: &str, line: &str) -> Option<String> {
        let mut content = Vec::new();
        json::push_string(&mut content, line.as_bytes());
        let line = Line::new(&content[1..content.len() - 1]);
        let paths = Paths::from(vec![Path::parse(path).unwrap()]);
        let take = |_: &Path, value: &[u8]| Some(String::from_utf8(value.to_vec()).unwrap());
        let (text, level) = line.as_json();
        let found = Members::open(text, level).ok().and_then(|members| each_in_json(&paths, members, take));
        assert_eq!(found, paths[0].in_line(&line).map(|value| String::from_utf8(value).unwrap()));
        found.or_else(|| each_in_text(&paths, &line, take))
    }

    #[test]
    fn a_key_without_a_value_does_not_take_the_next_word_for_it() {
        assert_eq!(found("trace_id", "level=error trace_id= order=17 msg=x").unwrap_or_default(), "");
        assert_eq!(found("trace_id", "ERROR [trace_id= span_id=7] x").unwrap_or_default(), "");
    }

    #[test]
    fn values_in_text_stand_behind_quotes_colours_and_blanks() {
        for line in [
            "ERROR failed, trace_id=4bf9.",
            "ERROR trace_id='4bf9' x",
            "ERROR trace_id = 4bf9 x",
            r#"ERROR boom {"trace_id": "4bf9"}"#,
            "INF x \u{1b}[36mtrace_id=\u{1b}[0m4bf9",
        ] {
            assert_eq!(found("trace_id", line).as_deref(), Some("4bf9"), "{line}");
        }
    }

    #[test]
    fn a_name_with_dots_is_a_key_and_a_path() {
        for path in ["dd.trace_id", "$.dd.trace_id"] {
            for line in [
                r#"{"dd":{"trace_id":"7"}}"#,
                r#"{"dd.trace_id":7}"#,
                "INFO [dd.service=a dd.trace_id=7 dd.span_id=9] x",
                "a\tdd.trace_id=\"7\"",
                "dd.trace_id: 7, x",
            ] {
                assert_eq!(found(path, line).as_deref(), Some("7"), "{path} in {line}");
            }
        }
        for line in ["my_dd.trace_id=7", "dd.trace_ids=7", "dd.trace_id", "", r#"{"trace_id":"7"}"#] {
            assert_eq!(found("dd.trace_id", line), None, "{line}");
        }
        assert_eq!(found("trace_id", "dd.trace_id=7 trace_id=8").as_deref(), Some("8"));
    }

    #[test]
    fn what_is_no_field_is_refused() {
        for text in ["", "$.", "a..b", "$.a[0]", "$.*"] {
            assert_eq!(Path::parse(text), None, "{text}");
        }
    }
}
