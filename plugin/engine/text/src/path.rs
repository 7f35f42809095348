//! Where a field stands that a rule file names: `level`, `dd.trace_id`, `$.dd.trace_id`.
//!
//! Programs write `{"dd":{"trace_id":"7"}}` and `{"dd.trace_id":"7"}` for the same thing, so a name with dots means both; and
//! in a line of text `dd.trace_id=7`.

use crate::json::{self, Level, Value};
use crate::line::Line;
use crate::swar;

/// A field by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// From the outermost key to the innermost.
    keys: Vec<Box<str>>,
    /// All of it as one key, if it has dots.
    dotted: [Box<str>; 1],
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
        keys.iter().all(|key| is_plain(key)).then(|| Path { keys, dotted: [name.into()] })
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
            Value::String(content) => Some(json::unescape(content)),
            Value::Scalar(text) => Some(text.to_vec()),
            Value::Object(_) | Value::Array(_) => None,
        };
        let whole = find(&self.dotted);
        if whole.is_some() || self.keys.len() == 1 { whole } else { find(&self.keys) }
    }

    /// What stands behind `name=` or `name: ` in a line of text: up to a blank, a comma, a quote or a closing bracket.
    pub fn in_text(&self, line: &Line<'_>) -> Option<Vec<u8>> {
        let (text, name) = (line.raw(), self.name().as_bytes());
        let (first, last) = (*name.first()?, *name.last()?);
        let end = name.len().wrapping_sub(1);
        let mut from = 0usize;
        while let Some(at) = swar::find_pair(text, from, (end, last), (0, first), name.len().wrapping_add(1))
        {
            from = at.wrapping_add(1);
            let behind = at.wrapping_add(name.len());
            let before = at.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(b' ');
            let stands_alone = !before.is_ascii_alphanumeric() && !matches!(before, b'_' | b'.' | b'-' | b'/')
                // An escaped tab or newline ends in its letter.
                || matches!(text.get(at.wrapping_sub(2)..at), Some(b"\\t" | b"\\n"));
            if !stands_alone || text.get(at..behind) != Some(name) {
                continue;
            }
            let value = match text.get(behind..) {
                Some([b'=', value @ ..] | [b':', b' ', value @ ..] | [b':', value @ ..]) => value,
                _ => continue,
            };
            let value = value.strip_prefix(b"\\\"").or_else(|| value.strip_prefix(b"\"")).unwrap_or(value);
            let is_end = |byte: &u8| {
                matches!(byte, b' ' | b',' | b'"' | b'\\' | b']' | b')' | b'}' | b'\'' | b'|' | b'>' | b'&')
            };
            let length = value.iter().take(MAX_VALUE).position(is_end);
            let length = length.unwrap_or(value.len().min(MAX_VALUE));
            return value.get(..length).map(<[u8]>::to_vec);
        }
        None
    }
}

/// Longest value in a line of text.
const MAX_VALUE: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn found(path: &str, line: &str) -> Option<String> {
        let mut content = Vec::new();
        json::push_string(&mut content, line.as_bytes());
        let line = Line::new(&content[1..content.len() - 1]);
        let path = Path::parse(path).unwrap();
        let value = path.in_line(&line).or_else(|| path.in_text(&line))?;
        Some(String::from_utf8(value).unwrap())
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
