//! Names and values in text that is no JSON: logfmt, query strings, headers, and JSON that is only a part of a line.

use std::ops::Range;

/// Hands over each `name=value` and `name: value` of a text: the name, and where its value is.
pub(super) fn each(text: &[u8], mut take: impl FnMut(&[u8], Range<usize>)) {
    let mut free = 0usize;
    let mut at = 0usize;
    while let Some(rest) = text.get(at..) {
        let Some(found) = rest.iter().position(|byte| matches!(byte, b'=' | b':')) else { return };
        let sign = at.wrapping_add(found);
        at = sign.wrapping_add(1);
        let Some(name) = name_before(text, free, sign) else { continue };
        // `name = value`: blanks behind the sign belong to it where there are some in front, and behind a colon.
        let front = text.get(..sign).unwrap_or_default();
        let has_blanks = text.get(sign) == Some(&b':') || front.ends_with(b" ");
        let Some(value) = value_behind(text, sign.wrapping_add(1), has_blanks) else { continue };
        free = at;
        // What stands in the place of another hit is none.
        let found = text.get(value.clone()).unwrap_or_default();
        if !found.starts_with(b"[redacted:") && !found.starts_with(b"[hashed:") {
            take(name, value);
        }
    }
}

/// The name in front of a sign, without quotes.
fn name_before(text: &[u8], free: usize, sign: usize) -> Option<&[u8]> {
    let before = text.get(free..sign)?.trim_ascii_end();
    let quotes = before.iter().rev().take_while(|byte| is_quote(**byte)).count();
    let before = before.get(..before.len().wrapping_sub(quotes))?;
    let length = before.iter().rev().take_while(|byte| is_in_name(**byte)).count();
    let name = before.get(before.len().wrapping_sub(length)..)?;
    (!name.is_empty()).then_some(name)
}

/// The value behind a sign: in quotes, or up to what ends a word. Of a header, the word for how somebody is known is not all.
fn value_behind(text: &[u8], at: usize, has_blanks: bool) -> Option<Range<usize>> {
    let count = |from: usize, is: fn(u8) -> bool| {
        text.get(from..).unwrap_or_default().iter().take_while(|byte| is(**byte)).count()
    };
    let blanks = if has_blanks { count(at, |byte| byte == b' ' || byte == b'\t') } else { 0 };
    let start = at.wrapping_add(blanks);
    let quotes = count(start, is_quote);
    if quotes > 0 {
        let inner = start.wrapping_add(quotes);
        let quote = *text.get(inner.wrapping_sub(1))?;
        // Escaped quotes inside are part of the value as long as there are more backslashes in front than in front of the first.
        let depth = quotes.wrapping_sub(1);
        let mut from = inner;
        while let Some(found) = text.get(from..)?.iter().position(|byte| *byte == quote) {
            let end = from.wrapping_add(found);
            let slashes = text.get(inner..end)?.iter().rev().take_while(|byte| **byte == b'\\').count();
            if slashes <= depth {
                return Some(inner..end.wrapping_sub(slashes));
            }
            from = end.wrapping_add(1);
        }
        return Some(inner..text.len());
    }
    let mut end = start.wrapping_add(count(start, is_in_value));
    let word = text.get(start..end)?;
    if word.is_empty() {
        return None;
    }
    if SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme)) {
        let behind = end.wrapping_add(count(end, |byte| byte == b' '));
        end = behind.wrapping_add(count(behind, is_in_value));
    }
    Some(start..end)
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'\\')
}

fn is_in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || !byte.is_ascii()
}

fn is_in_value(byte: u8) -> bool {
    !byte.is_ascii_whitespace()
        && !matches!(byte, b'&' | b',' | b';' | b'"' | b'\'' | b'\\' | b')' | b']' | b'}' | b'<' | b'>')
}

/// How somebody is known in an `Authorization` header, in front of what only they know.
const SCHEMES: [&[u8]; 5] = [b"bearer", b"basic", b"digest", b"token", b"negotiate"];

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, &str)> {
        let mut found = Vec::new();
        each(text.as_bytes(), |name, value| {
            found.push((String::from_utf8_lossy(name).into_owned(), &text[value]));
        });
        found
    }

    #[test]
    fn names_and_values_are_found_in_the_ways_that_logs_write_them() {
        for (text, expected) in [
            (
                "level=info password=hunter2 x",
                &[("level", "info"), ("password", "hunter2")] as &[(&str, &str)],
            ),
            ("GET /a?token=abc&x=1 HTTP", &[("token", "abc"), ("x", "1")]),
            (r#"msg="a b" pw="c \" d" e"#, &[("msg", "a b"), ("pw", r#"c \" d"#)]),
            (r#"INFO {"pw":"a b","n":1}"#, &[("pw", "a b"), ("n", "1")]),
            (r#"INFO {\"pw\":\"a \\\" b\",\"n\":1}"#, &[("pw", r#"a \\\" b"#), ("n", "1")]),
            ("Authorization: Bearer abc.def x", &[("Authorization", "Bearer abc.def")]),
            ("set password = hunter2, x", &[("password", "hunter2")]),
            ("at 13:54:19", &[("13", "54:19"), ("54", "19")]),
        ] {
            let found = pairs(text);
            let found: Vec<(&str, &str)> =
                found.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
