//! A record as the JSON text that Fluent Bit hands to the filter.
//!
//! Source: Fluent Bit 5.1, `flb_msgpack_to_json_str` with the default `json.escape_unicode`: everything beyond ASCII is
//! `\uXXXX`, control characters are escaped, the slash is not.

use serde_json::Value;
use std::fmt::Write as _;

/// The text of a record.
pub fn print(record: &Value) -> String {
    let mut out = String::new();
    push_value(&mut out, record);
    out
}

fn push_value(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => push_string(out, text),
        Value::Array(list) => {
            out.push('[');
            for (index, item) in list.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_value(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_string(out, key);
                out.push(':');
                push_value(out, item);
            }
            out.push('}');
        }
        // Writing to a String cannot fail.
        Value::Null | Value::Bool(_) | Value::Number(_) => drop(write!(out, "{value}")),
    }
}

/// A string with its quotes.
pub fn push_string(out: &mut String, text: &str) {
    push_bytes(out, text.as_bytes());
}

/// Log bytes as a string with its quotes.
///
/// A byte that is not UTF-8 becomes a private-use character, U+E000 and its value, which the host does not escape; at
/// the end of the text, where it could be the start of a character, it is dropped
/// (`flb_utils_write_str_escaped` in src/flb_utils.c).
pub fn push_bytes(out: &mut String, bytes: &[u8]) {
    out.push('"');
    let mut rest = bytes;
    while !rest.is_empty() {
        let (valid, invalid) = match std::str::from_utf8(rest) {
            Ok(text) => (text, 0),
            Err(error) => {
                let valid = rest.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok());
                (valid.unwrap_or_default(), error.error_len().unwrap_or(1))
            }
        };
        valid.chars().for_each(|character| push_character(out, character));
        rest = rest.get(valid.len()..).unwrap_or_default();
        let Some(&lead) = rest.first() else { break };
        let (wrong, behind) = rest.split_at_checked(invalid).unwrap_or((rest, &[]));
        if expected_length(lead) > rest.len() {
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        out.extend(wrong.iter().filter_map(|&byte| char::from_u32(0xe000_u32.saturating_add(byte.into()))));
        rest = behind;
    }
    out.push('"');
}

fn push_character(out: &mut String, character: char) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        ' '..='~' => out.push(character),
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

/// The length that a lead byte announces, by the host's table, which still knows five and six.
fn expected_length(lead: u8) -> usize {
    match lead {
        0..0xc0 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf8 => 4,
        0xf8..0xfc => 5,
        _ => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_fluent_bit_does() {
        let record =
            serde_json::json!({"log": "é😀\u{1b}\u{7f}/\"\\\n", "n": [1, -2.5, null, true], "o": {}});
        assert_eq!(
            print(&record),
            r#"{"log":"\u00e9\ud83d\ude00\u001b\u007f/\"\\\n","n":[1,-2.5,null,true],"o":{}}"#
        );
    }

    #[test]
    fn bytes_that_are_not_utf8_come_out_as_the_host_writes_them() {
        let text = |bytes: &[u8]| {
            let mut out = String::new();
            push_bytes(&mut out, bytes);
            out
        };
        assert_eq!(text(b"x\xff\xfe yyyyyy"), "\"x\u{e0ff}\u{e0fe} yyyyyy\"");
        assert_eq!(text(b"\xc3\x28"), "\"\u{e0c3}(\"");
        assert_eq!(text(b"... \xe2\x82"), "\"... \u{e082}\"");
    }
}
