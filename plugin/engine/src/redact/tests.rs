//! Redaction of texts and records.

use super::*;
use crate::config::load;

fn redacted(rules: &str, text: &str) -> (Option<String>, Vec<u32>) {
    let source = format!("version: 1\ndefaults: {{ redact_seed: /seed }}\nredact:\n{rules}");
    let loaded = load(&source).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let rules = &loaded.rules.redacts;
    let seed = Seed::new(b"sixteen bytes or more");
    let mut redactor = Redactor::new(rules, u64::MAX, seed.as_ref());
    let out = redactor.record(text.as_bytes(), &["kubernetes"]);
    (out.map(|out| String::from_utf8(out).unwrap()), redactor.hits)
}

#[test]
fn what_is_sought_is_replaced_wherever_it_is_written_and_the_rest_stays() {
    let email = "  - { name: mail, kind: email }\n";
    for (rules, text, expected) in [
        (
            email,
            r#"{"log":"from a@b.de to <c@d.de>"}"#,
            r#"{"log":"from [redacted:mail] to <[redacted:mail]>"}"#,
        ),
        (
            email,
            r#"{"log":"{\"to\":\"a@b.de\",\"n\":1}"}"#,
            r#"{"log":"{\"to\":\"[redacted:mail]\",\"n\":1}"}"#,
        ),
        (email, r#"{"log":"{\"to\":\"a\\u0040b.de\"}"}"#, r#"{"log":"{\"to\":\"[redacted:mail]\"}"}"#),
        (
            email,
            r#"{"log":"INFO {\"to\":\"a\\u0040b.de\"}"}"#,
            r#"{"log":"INFO {\"to\":\"[redacted:mail]\"}"}"#,
        ),
        (
            email,
            r#"{"log":"{\"m\":\"{\\\"to\\\":\\\"a\\\\u0040b.de\\\"}\"}"}"#,
            r#"{"log":"{\"m\":\"{\\\"to\\\":\\\"[redacted:mail]\\\"}\"}"}"#,
        ),
        (
            email,
            r#"{"log":"INFO {\"m\":\"x\\na@b.de\"}"}"#,
            r#"{"log":"INFO {\"m\":\"x\\n[redacted:mail]\"}"}"#,
        ),
        (
            email,
            r#"{"a@b.de":["x","c@d.de"],"log":"","kubernetes":{"x":"a@b.de"}}"#,
            r#"{"[redacted:mail]":["x","[redacted:mail]"],"log":"","kubernetes":{"x":"a@b.de"}}"#,
        ),
        (
            "  - { name: card, kind: credit_card }\n",
            r#"{"log":"{\"card\":4111111111111111,\"b\":[4111111111111111]}"}"#,
            r#"{"log":"{\"card\":\"[redacted:card]\",\"b\":[\"[redacted:card]\"]}"}"#,
        ),
        (
            "  - { name: pw, keys: ['*Password*'] }\n",
            r#"{"log":"{\"dbPassword\":{\"a\":[1,\"}\"]},\"b\":1}","PASSWORD":true}"#,
            r#"{"log":"{\"dbPassword\":\"[redacted:pw]\",\"b\":1}","PASSWORD":"[redacted:pw]"}"#,
        ),
        (
            "  - { name: pw, keys: [password, authorization] }\n",
            r#"{"log":"user=x password=hunter2 Authorization: Bearer abc.d\n"}"#,
            r#"{"log":"user=x password=[redacted:pw] Authorization: [redacted:pw]\n"}"#,
        ),
        (
            "  - { name: user, fields: [$.user.email, ip], with: remove }\n",
            r#"{"log":"{\"a\":1, \"user\":{\"email\":\"x\"}, \"ip\":7}","ip":"1"}"#,
            r#"{"log":"{\"a\":1, \"user\":{}}"}"#,
        ),
        ("  - { name: gone, keys: [b], with: remove }\n", r#"{"b":1,"a":1}"#, r#"{"a":1}"#),
        ("  - { name: gone, keys: [b, c], with: remove }\n", r#"{"a":1,"b":1, "c":[]}"#, r#"{"a":1}"#),
        ("  - { name: gone, keys: [b], with: remove }\n", r#"{"b":{"b":1}}"#, "{}"),
        (
            "  - { name: list, fields: ['$.users.name'] }\n",
            r#"{"users":[{"name":"x"},{"name":"y","z":1}]}"#,
            r#"{"users":[{"name":"[redacted:list]"},{"name":"[redacted:list]","z":1}]}"#,
        ),
        (
            "  - { name: id, pattern: '%user-[0-9]+%' }\n",
            r#"{"log":"user-12 and user-345!"}"#,
            r#"{"log":"[redacted:id] and [redacted:id]!"}"#,
        ),
        (
            "  - { name: id, pattern: '\"top secret\"', with: remove }\n",
            r#"{"log":"a top secret b"}"#,
            r#"{"log":"a  b"}"#,
        ),
        (
            "  - { name: mail, kind: email, keys: [to] }\n",
            r#"{"log":"{\"to\":[\"x a@b.de\"],\"cc\":\"a@b.de\"}"}"#,
            r#"{"log":"{\"to\":[\"x [redacted:mail]\"],\"cc\":\"a@b.de\"}"}"#,
        ),
        (
            "  - { name: aws, kind: aws_key }\n",
            r#"{"log":"{\"SecretAccessKey\":\"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"}"}"#,
            r#"{"log":"{\"SecretAccessKey\":\"[redacted:aws]\"}"}"#,
        ),
        (
            "  - { name: mail, kind: email, with: hash }\n",
            r#"{"log":"a@b.de a@b.de"}"#,
            r#"{"log":"[hashed:mail:d26f47889c3a5a25] [hashed:mail:d26f47889c3a5a25]"}"#,
        ),
    ] {
        let (found, hits) = redacted(rules, text);
        assert_eq!(found.as_deref(), Some(expected), "{rules}{text}");
        assert!(hits[0] > 0);
        // Redacted twice is redacted once.
        if !expected.contains("hashed") {
            assert_eq!(redacted(rules, expected).0.unwrap_or_else(|| expected.to_owned()), expected);
        }
    }
}

#[test]
fn what_is_not_sought_stays_byte_for_byte() {
    for (rules, text) in [
        ("  - { name: mail, kind: email }\n", r#"{"log":"a \u00fc \\n","x": [1 , {"y":null}] }"#),
        ("  - { name: pw, keys: [password] }\n", r#"{"log":"passwords=x"}"#),
        ("  - { name: pw, fields: [$.a.b] }\n", r#"{"b":1,"a":{"c":{"b":1}}}"#),
    ] {
        assert_eq!(redacted(rules, text).0, None, "{text}");
    }
}

#[test]
fn hits_of_several_rules_that_overlap_are_one_of_the_first() {
    let rules = "  - { name: mail, kind: email }\n  - { name: host, pattern: '%b.de/[a-z]+%' }\n";
    let (found, hits) = redacted(rules, r#"{"log":"x a@b.de/path y"}"#);
    assert_eq!(found.as_deref(), Some(r#"{"log":"x [redacted:mail] y"}"#));
    assert_eq!(hits, [1, 0]);
}

#[test]
fn a_text_that_is_cut_off_or_none_of_ours_is_redacted_all_the_same() {
    let rules = "  - { name: mail, kind: email }\n";
    for (text, expected) in [
        (r#"{"log":"a@b.de"#, r#"{"log":"[redacted:mail]""#),
        (r#"a@b.de"#, r#""[redacted:mail]""#),
        (r#"]}{"log":["a@b.de"}"#, r#"]}{"log":["[redacted:mail]"}"#),
    ] {
        assert_eq!(redacted(rules, text).0.as_deref(), Some(expected), "{text}");
    }
}

mod laws {
    use super::*;
    use proptest::prelude::*;

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let text = proptest::sample::select(vec![
            "",
            "a@b.de",
            "x",
            "\n",
            "\"a@b.de\"",
            "{\"k\":\"a@b.de\"}",
            "[\"\\u0061@b.de\",1]",
            "4111111111111111",
            "pw=secret1",
            "ü\\",
        ]);
        let leaf = prop_oneof![
            text.prop_map(|text| serde_json::Value::String(text.to_owned())),
            Just(serde_json::json!(4_111_111_111_111_111u64)),
            Just(serde_json::json!(null)),
            Just(serde_json::json!(-1.5e3)),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let key = proptest::sample::select(vec!["pw", "k", "a@b.de", "gone"]);
            let object = proptest::collection::vec((key, inner.clone()), 0..4);
            let nested = inner.clone().prop_map(|inner| serde_json::Value::String(inner.to_string()));
            prop_oneof![
                proptest::collection::vec(inner, 0..4).prop_map(serde_json::Value::Array),
                object.prop_map(|members| members
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect()),
                nested,
            ]
        })
    }

    const RULES: &str = "  - { name: mail, kind: [email, credit_card] }\n  - { name: pw, keys: [pw] }\n  - { name: gone, keys: [gone], with: remove }\n";

    proptest! {
        #[test]
        fn what_was_json_is_json_and_no_secret_is_left(inner in json()) {
            let record = serde_json::json!({ "log": serde_json::json!({ "v": inner }).to_string(), "field": inner }).to_string();
            let (found, _) = redacted(RULES, &record);
            let found = found.unwrap_or_else(|| record.clone());
            let read: serde_json::Value = serde_json::from_str(&found).unwrap();
            let line = read.get("log").and_then(|line| line.as_str()).unwrap();
            prop_assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
            let resolved = found.replace('\\', "").replace("u0061", "a");
            for secret in ["a@b.de", "4111111111111111", "secret1"] {
                prop_assert!(!resolved.contains(secret), "{secret} in {found}");
            }
            prop_assert_eq!(redacted(RULES, &found).0.unwrap_or_else(|| found.clone()), found);
        }

        #[test]
        fn any_bytes_are_walked_to_their_end(text in proptest::collection::vec(proptest::sample::select(b"{}[]\",:\\ a@.b1\x0c\xff\n".to_vec()), 0..60)) {
            let source = format!("version: 1\nredact:\n{RULES}");
            let loaded = load(&source).unwrap();
            let mut redactor = Redactor::new(&loaded.rules.redacts, u64::MAX, None);
            let _ = redactor.record(&text, &["a"]);
            let _ = redactor.text(&text);
        }
    }
}
