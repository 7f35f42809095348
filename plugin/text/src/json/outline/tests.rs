//! What is an object and what only looks like one; compared with a JSON library.

use super::*;
use crate::json::push_string;
use proptest::prelude::*;

/// Whether the text is an object by the outline, read as it stands and as the content of a string.
#[track_caller]
fn is_object(text: &str) -> bool {
    let plain = Outline::of(text.as_bytes(), Level::Plain).is_some();
    let mut written = Vec::new();
    push_string(&mut written, text.as_bytes());
    let quoted = Outline::of(&written[1..written.len() - 1], Level::Quoted).is_some();
    assert_eq!(plain, quoted, "{text}");
    plain
}

#[test]
fn takes_objects_and_nothing_else() {
    for text in [
        "{}",
        "{\"a\":\"x\",\n \"b\":1,\r\n\"c\":2 , \"d\":\"y\" , \"e\":\"z\"\n}",
        " {\n\"a\" : 1 ,\t\"b\":[ ] }\r\n",
        r#"{"a":"\"\\\/\b\f\n\r\t\u00e9\ud800","":{"x":[{},[],[[1,-0.5e+7,true,false,null]]]}}"#,
        r#"{"größe":"😀"}"#,
    ] {
        assert!(is_object(text), "{text}");
    }
    for text in [
        "",
        " ",
        "[1]",
        "1",
        "null",
        "{",
        "}",
        "{}x",
        "x{}",
        "{}{}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{\"a\":NaN}",
        "{\"a\":tru}",
        "{\"a\":truex}",
        "{\"a\":\"x}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\u{1}\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\n\\x\"}",
        "{\"a\":\"\\x\\n\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":[1,]}",
        "{\"a\":[1}",
        "{\"a\":{]}",
        "{\"a\":{\"b\":1,}}",
        "{\"a\":{\"b\"}}",
        "{\"a\":[1 2]}",
        "{\"a\":1}}",
        "{1:2}",
        "{\"a\":-}",
    ] {
        assert!(!is_object(text), "{text}");
    }
    assert!(is_object(&format!("{{\"a\":{}{}}}", "[".repeat(255), "]".repeat(255))));
    assert!(!is_object(&format!("{{\"a\":{}{}}}", "[".repeat(257), "]".repeat(257))));
}

#[test]
fn remembers_members_with_their_values() {
    let text = br#"{\"a\":\"x\",\"b\\n\":[1],\"c\":{},\"d\":-1}"#;
    let outline = Outline::of(text, Level::Quoted).unwrap();
    let get = |key: &[u8]| outline.get(text, Level::Quoted, key);
    assert_eq!(get(b"a"), Some(Value::String(b"x")));
    assert_eq!(get(b"b\n"), Some(Value::Array(b"[1]")));
    assert_eq!(get(b"c"), Some(Value::Object(b"{}")));
    assert_eq!((get(b"d"), get(b"e")), (Some(Value::Scalar(b"-1")), None));
    let twice = br#"{"a":1,"a":2}"#;
    let outline = Outline::of(twice, Level::Plain).unwrap();
    assert_eq!(outline.get(twice, Level::Plain, b"a"), Some(Value::Scalar(b"2")));
}

fn json() -> impl Strategy<Value = String> {
    "[{}\\[\\]\",:a1e.+\\\\nu0-]{0,24}".prop_map(|text| format!("{{\"a\":{text}}}"))
}

fn spaced() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"k\""),
        Just("\"longer than a word\""),
        Just("\"\\n\""),
        Just("17"),
        Just("-0.5"),
        Just("true"),
        Just("null"),
        Just(" "),
        Just("\n"),
        Just("\t"),
    ];
    let member = (
        "[ \n]{0,1}",
        "[ \r]{0,1}",
        "[ \t]{0,1}",
        "[ \n]{0,1}",
        prop_oneof![Just("1"), Just("\"v\""), Just("[{}]"), Just("\"a long string value\"")],
    )
        .prop_map(|(a, b, c, d, value)| format!("{a}\"key\"{b}:{c}{value}{d}"));
    let object = prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(",")));
    prop_oneof![prop::collection::vec(token, 0..16).prop_map(|tokens| tokens.concat()), object]
}

proptest! {
    #[test]
    fn agrees_with_a_json_library_on_blanks(text in spaced()) {
        let library = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
        prop_assert_eq!(is_object(&text), library.is_ok(), "{}", text);
    }

    #[test]
    fn agrees_with_a_json_library(text in json()) {
        let library = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
        // A double that is too large is a number all the same, and lone surrogates are what Java takes.
        let is_special = library.as_ref().err().is_some_and(|error| {
            error.to_string().starts_with("number out of range") || error.to_string().contains("surrogate")
                || error.to_string().contains("hex escape")
        });
        prop_assume!(!is_special);
        prop_assert_eq!(is_object(&text), library.is_ok(), "{}", text);
    }
}
