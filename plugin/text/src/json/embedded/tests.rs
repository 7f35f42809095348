//! What is an object that the host reads back, and how it is written.

use super::*;
use proptest::prelude::*;
use serde_json::{Map, Value};

#[track_caller]
fn members(line: &str) -> String {
    let found = Embedded::of(line.as_bytes(), true, 1).map(|embedded| embedded.text);
    found.map_or("none".into(), |text| String::from_utf8(text).unwrap())
}

#[test]
fn an_object_is_handed_on_as_it_was_written() {
    for (line, expected) in [
        (r#"{"a":1,"b":"x"}"#, r#""a":1,"b":"x""#),
        (
            " \t{ \"a\" : 1.50 , \"b\" : [ 1 , {\"c\":null} ] } \r\n",
            r#""a" : 1.50 , "b" : [ 1 , {"c":null} ]"#,
        ),
        (
            r#"{"":-0,"x":1e-400,"y":123456789012345678901234567890}"#,
            r#""":-0,"x":1e-400,"y":123456789012345678901234567890"#,
        ),
        (
            r#"{"a":"\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00."}"#,
            r#""a":"\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00.""#,
        ),
    ] {
        assert_eq!(members(line), expected, "{line}");
    }
}

#[test]
fn what_the_host_cannot_read_back_stays_a_line() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(63), "]".repeat(63));
    for line in [
        "",
        "{",
        "[1]",
        "true",
        "\"x\"",
        "{}",
        "{a:1}",
        r#"{"a":1,}"#,
        r#"{"a":01}"#,
        r#"{"a":+1}"#,
        r#"{"a":NaN}"#,
        r#"{"a":1E400}"#,
        r#"{"a":-1e400}"#,
        r#"{"a":1.7976931348623157e308}"#,
        r#"{"a":"\x41"}"#,
        r#"{"a":"x"#,
        "\u{c}{\"a\":1}",
        "\u{feff}{\"a\":1}",
        r#"{"a":1 "b":2}"#,
        r#"{"a":"\u12\"}"#,
        &deep,
    ] {
        assert_eq!(members(line), "none", "{line}");
    }
    let less = deep.replacen("[[", "[", 1).replacen("]]", "]", 1);
    assert_ne!(members(&less), "none");
    assert!(Embedded::of(less.as_bytes(), true, 2).is_none(), "under a key it is one deeper");
}

#[test]
fn text_behind_an_object_is_no_harm_unless_it_is_a_value() {
    for tail in [" tail", "}", ",", " -", " \"x", " [1", " }{", " nul"] {
        assert_eq!(members(&format!("{{\"a\":1}}{tail}")), r#""a":1"#, "{tail}");
    }
    for tail in [" true", "{\"b\":2}", " \"x\" y", "[]", " 7", " -1", "null", " 1e400x"] {
        assert_eq!(members(&format!("{{\"a\":1}}{tail}")) == "none", tail != " 1e400x", "{tail}");
    }
}

#[test]
fn of_a_key_that_stands_there_twice_the_last_counts() {
    assert_eq!(members(r#"{"a":1,"b":2,"a":3}"#), r#""b":2,"a":3"#);
    assert_eq!(members(r#"{"a":1,"\u0061":2,"b\n":1,"b\n":3}"#), r#""\u0061":2,"b\n":3"#);
    assert_eq!(members(r#"{"o":{"a":1,"a":2},"a":1}"#), r#""o":{"a":1,"a":2},"a":1"#);
}

#[test]
fn newlines_at_the_end_of_members_go_but_never_the_first_character() {
    for (value, expected) in [
        (r"x\n", "x"),
        (r"x\n\n", "x"),
        (r"\n\n", r"\n"),
        (r"\n", r"\n"),
        (r"x\r\n", r"x\r"),
        (r"x\\n", "x"),
        (r"x\\r\\n\n", "x"),
        (r"\\n", ""),
        (r"x\\\\n", r"x\\"),
        (r"x\u000a", "x"),
        (r"x\u005cn", "x"),
        (r"x\u005c\u006E", "x"),
        (r"xn", "xn"),
        ("x\n", "x"),
        (r"\u0041b\n", "Ab"),
    ] {
        assert_eq!(members(&format!("{{\"a\":\"{value}\"}}")), format!("\"a\":\"{expected}\""), "{value}");
    }
    let nested = r#"{"o":{"a":"x\n"},"l":["y\n"]}"#;
    assert_eq!(members(nested), nested[1..nested.len() - 1]);
    let untrimmed = Embedded::of(br#"{"a":"x\n"}"#, false, 1).unwrap();
    assert_eq!(untrimmed.text(), br#""a":"x\n""#);
}

#[test]
fn halves_of_pairs_and_short_escapes_are_what_the_host_takes_them_for() {
    for (value, expected) in [
        (r"\ude00x", r"\ufffdx"),
        (r"\ud83dx", r"\ufffdx"),
        (r"\ud83d\u0041x", r"\ufffdx"),
        (r"\ud83d\ud83dx", r"\ufffdx"),
        (r"\ud83d\u1x", r"\ufffdx"),
        (r"\u12", r"\\u12"),
        (r"\u12x.", r"\\u12."),
        ("a\tb\u{1}\u{0}", r"a\tb\u0001\u0000"),
    ] {
        assert_eq!(members(&format!("{{\"a\":\"{value}\"}}")), format!("\"a\":\"{expected}\""), "{value}");
    }
}

fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?",
        "true|false|null",
        "\"([a-z\u{1}\n\té😀]|\\\\[nrt\\\\\"/]|\\\\u[0-9a-fA-F]{1,4}|\\\\ud83d(\\\\ude00)?){0,6}\"",
    ];
    scalar.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::vec(("[ab]|\\\\u006[12]|\\\\n", inner), 0..4).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(key, value)| format!("\"{key}\" :{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    /// Whatever the line is: what is handed on is JSON, each key once.
    #[test]
    fn what_is_handed_on_is_json(line in prop_oneof![value(), "[{}\\[\\]\",:\\\\nu0-9a-e \n-]{0,40}"], trim: bool) {
        if let Some(embedded) = Embedded::of(line.as_bytes(), trim, 1) {
            let text = [b"{", embedded.text(), b"}"].concat();
            let text = String::from_utf8(text).unwrap();
            let read: Map<String, Value> = serde_json::from_str(&text).unwrap_or_else(|reason| panic!("{line}: {text}: {reason}"));
            prop_assert_eq!(read.len(), embedded.members());
            for key in read.keys() {
                prop_assert!(embedded.has_key(key.as_bytes()));
            }
        }
    }

    /// And what a strict library reads means the same.
    #[test]
    fn what_is_json_keeps_its_meaning(line in value()) {
        let read: Result<Map<String, Value>, _> = serde_json::from_str(&line);
        if let Ok(read) = read && !read.is_empty() && let Some(embedded) = Embedded::of(line.as_bytes(), false, 1) {
            let text = [b"{", embedded.text(), b"}"].concat();
            prop_assert_eq!(serde_json::from_slice::<Map<String, Value>>(&text).unwrap(), read);
        }
    }
}
