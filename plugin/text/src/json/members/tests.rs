//! The walk against a tree, at both levels.

use super::*;
use crate::json::{lookup, push_string};
use proptest::prelude::*;

fn walk(text: &str) -> Result<Vec<(String, String)>, Malformed> {
    let mut members = Members::open(text.as_bytes(), Level::Plain)?;
    let mut found = Vec::new();
    while let Some(member) = members.next()? {
        let value = &text[member.value_start..member.end];
        found.push((String::from_utf8_lossy(member.key).into_owned(), value.to_owned()));
    }
    Ok(found)
}

#[test]
fn walks_members_of_every_kind() {
    let found = walk(r#" { "a" : "x\"y" , "b":[1,{"c":"]"}], "d":-1.5e3,"e":null , "f":{} } "#).unwrap();
    let values: Vec<&str> = found.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, [r#""x\"y""#, r#"[1,{"c":"]"}]"#, "-1.5e3", "null", "{}"]);
    assert_eq!(walk("{}"), Ok(vec![]));
}

#[test]
fn refuses_what_is_not_an_object() {
    for text in [
        "",
        "[1]",
        "1",
        "{",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1 "b":2}"#,
        r#"{"a":1,}"#,
        r#"{"a":[}"#,
        r#"{"a":"x}"#,
        r#"{"a":[1}]}"#,
        r#"{,"a":1}"#,
        r#"{a:1}"#,
        r#"{"a":b"c"}"#,
    ] {
        assert_eq!(walk(text), Err(Malformed::Syntax), "{text}");
    }
}

#[test]
fn depth_is_limited_exactly() {
    let nest = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(walk(&nest(MAX_DEPTH as usize)).is_ok());
    assert_eq!(walk(&nest(MAX_DEPTH as usize + 1)), Err(Malformed::TooDeep));
}

#[test]
fn knows_the_numbers_the_host_cannot_read_back() {
    for scalar in
        ["nan", "-nan", "inf", "-inf", "1.797693134862316e+308", "-1.797693134862316e+308", "1e999", "NaN"]
    {
        assert!(is_unreadable(scalar.as_bytes()), "{scalar}");
    }
    for scalar in ["null", "1", "1.797693134862315e+308", "1e-999", "0.1", "true", "18446744073709551615"] {
        assert!(!is_unreadable(scalar.as_bytes()), "{scalar}");
    }
    let text = br#"{"a":nan,"b":{"c":[1,inf]},"d":"nan"}"#;
    let mut members = Members::open_checking_numbers(text, Level::Plain).unwrap();
    while let Ok(Some(_)) = members.next() {}
    assert_eq!(members.into_unreadable(), [(5, 8), (21, 24)]);
}

#[test]
fn the_last_of_duplicate_keys_wins() {
    let path = |keys: &[&str]| keys.iter().map(|key| Box::from(*key)).collect::<Vec<Box<str>>>();
    let text = br#"{"a":{"b":1},"a":{"b":2,"\u0062":3}}"#;
    assert_eq!(lookup(text, Level::Plain, &path(&["a", "b"])), Some(Value::Scalar(b"3")));
    assert_eq!(lookup(text, Level::Plain, &path(&["a", "b", "c"])), None);
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "[a\"\\\\{}\\[\\],:\n\tü😀]{0,6}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map("[ab\"\\\\]{0,3}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn finds_what_a_tree_finds_at_both_levels(
        map in prop::collection::btree_map("[ab\"\\\\]{0,3}", any_json(), 0..5),
        pretty in any::<bool>(),
    ) {
        let tree = serde_json::Value::Object(map.into_iter().collect());
        let plain = if pretty { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) }.unwrap();
        let mut quoted = Vec::new();
        push_string(&mut quoted, plain.as_bytes());
        let quoted = &quoted[1..quoted.len() - 1];
        for (key, expected) in tree.as_object().unwrap() {
            let path = [Box::from(key.as_str())];
            let at_plain = lookup(plain.as_bytes(), Level::Plain, &path).unwrap();
            let at_quoted = lookup(quoted, Level::Quoted, &path).unwrap();
            prop_assert_eq!(&read(at_plain, Level::Plain), expected);
            prop_assert_eq!(&read(at_quoted, Level::Quoted), expected);
        }
    }

    #[test]
    fn any_bytes_are_walked_without_a_panic(text in prop::collection::vec(any::<u8>(), 0..60)) {
        for level in [Level::Plain, Level::Quoted] {
            let mut braced = vec![b'{'];
            braced.extend_from_slice(&text);
            if let Ok(mut members) = Members::open_checking_numbers(&braced, level) {
                while let Ok(Some(_)) = members.next() {}
            }
        }
    }
}

fn read(value: Value<'_>, level: Level) -> serde_json::Value {
    let text = match value {
        Value::String(content) => {
            let quote = if level == Level::Plain { "\"" } else { "\\\"" };
            [quote.as_bytes(), content, quote.as_bytes()].concat()
        }
        Value::Scalar(text) | Value::Object(text) | Value::Array(text) => text.to_vec(),
    };
    let text = if level == Level::Plain { text } else { unescape(&text) };
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn escaped_blanks_stand_between_tokens_inside_quotes() {
    let text = r#"{\"a\":\t\"b\",\n\"c\"\r:\n1\n}"#.as_bytes();
    for (key, value) in [("a", Value::String(b"b")), ("c", Value::Scalar(b"1"))] {
        assert_eq!(lookup(text, Level::Quoted, &[key.into()]), Some(value), "{key}");
    }
}
