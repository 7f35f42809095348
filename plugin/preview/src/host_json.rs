//! A record as the JSON text that Fluent Bit hands to the filter.
//!
//! Source: Fluent Bit 5.1, `flb_msgpack_to_json_str` with `json.escape_unicode: false`, as `conf/` sets it: letters beyond ASCII
//! stand as they are, control characters are escaped, the slash is not.

use serde_json::Value;
use std::fmt::Write as _;

/// The text of a record.
pub fn print(record: &Value) -> String {
    let mut out = String::new();
    push_value(&mut out, record);
    out
}

/// A value.
pub fn push_value(out: &mut String, value: &Value) {
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
/// Each byte that belongs to no character becomes U+FFFD (`flb_utils_write_str_raw` in src/flb_utils.c).
pub fn push_bytes(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|character| push_character(out, character));
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
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
        '\0'..' ' | '\u{7f}' => drop(write!(out, "\\u{:04x}", u32::from(character))),
        _ => out.push(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_fluent_bit_does() {
        let record =
            serde_json::json!({"log": "é😀\u{1b}\u{7f}/\"\\\n", "n": [1, -2.5, null, true], "o": {}});
        assert_eq!(print(&record), r#"{"log":"é😀\u001b\u007f/\"\\\n","n":[1,-2.5,null,true],"o":{}}"#);
    }

    #[test]
    fn bytes_that_are_not_utf8_come_out_as_the_host_writes_them() {
        let text = |bytes: &[u8]| {
            let mut out = String::new();
            push_bytes(&mut out, bytes);
            out
        };
        assert_eq!(text(b"x\xff\xfe y"), "\"x\u{fffd}\u{fffd} y\"");
        assert_eq!(text(b"\xc3\x28"), "\"\u{fffd}(\"");
        assert_eq!(text(b"... \xe2\x82"), "\"... \u{fffd}\u{fffd}\"");
        assert_eq!(text(b"\xed\xa0\x80\xf5\x80"), format!("\"{}\"", "\u{fffd}".repeat(5)));
    }
}
