//! What is masked, and what must not change a key.

use super::*;

fn keys() -> Vec<Box<str>> {
    MESSAGE_KEYS.map(Box::from).to_vec()
}
use crate::json::push_string;
use proptest::prelude::*;

/// The content of a JSON string that means `text`.
fn written(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_string(&mut out, text);
    out[1..out.len() - 1].to_vec()
}

/// The same in the spelling that has an escape for every character that can have one.
fn spelled_out(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(|unit| format!("\\u{unit:04x}").into_bytes()).collect()
}

fn key(text: &str) -> u64 {
    template(&Line::new(&written(text.as_bytes())), &keys())
}

fn shown(text: &str) -> String {
    masked(&Line::new(&written(text.as_bytes())), &keys(), usize::MAX)
}

#[track_caller]
fn assert_masked(pairs: &[(&str, &str)]) {
    for (text, expected) in pairs {
        assert_eq!(shown(text), *expected, "{text}");
    }
}

#[test]
fn numbers() {
    assert_masked(&[
        ("read 661069 rows", "read <*> rows"),
        ("delta=-5 drift=+0.25 ratio=1.5e-9", "delta=<*> drift=<*> ratio=<*>"),
        ("took=637us", "took=<*>"),
        ("took=1m30.5s", "took=<*>"),
        ("took 2876µs at 40%", "took <*> at <*>"),
        ("3.5GB of 100Mi", "<*> of <*>"),
        ("compiled in 675 ms", "compiled in <*> ms"),
        ("10connections", "<*>connections"),
        ("level-5 is no sign", "level-<*> is no sign"),
        ("values 1, 2, 3, 4", "values <*>"),
        ("values [1]", "values [<*>]"),
        ("values [1;2;-3]", "values [<*>]"),
        ("retry 3 of 5", "retry <*> of <*>"),
        ("cost 1_000_000", "cost <*>"),
        ("重試3次", "重試<*>次"),
    ]);
}

#[test]
fn names_with_digits() {
    assert_masked(&[
        ("http2 utf8 sha256 ipv4 k8s s3 v1", "http<*> utf<*> sha<*> ipv<*> k<*>s s<*> v<*>"),
        ("user42 SKU-64709 room_7", "user<*> SKU-<*> room_<*>"),
        ("importer v0.9.1", "importer v<*>"),
        ("cart fe22b29e", "cart <*>"),
        ("cart 0xdeadbeef +0x2f4", "cart <*>"),
        ("ulid=01KA515574188A18F297B69086", "ulid=<*>"),
        ("node web-7d9f8b6c5-x2v9k up", "node web-<*> up"),
        // No digit at all, or only at the end: still a name that Kubernetes made up.
        ("node web-7d9f8b6c5-xkvqz up", "node web-<*> up"),
        ("node web-bcdfghjkl-hvrz9 up", "node web-<*> up"),
        ("node web-10 up", "node web-<*> up"),
        ("added decade facade", "added decade facade"),
        ("id 904f23c5-abcd-4a86-8549-1919cd9eb4e5.", "id <*>."),
        ("GET /api/v1/products/26288/reviews", "GET /api/v<*>/products/<*>/reviews"),
    ]);
}

#[test]
fn addresses() {
    assert_masked(&[
        ("from 10.42.6.53", "from <*>"),
        ("from 10.42.6.53:8080 on", "from <*> on"),
        ("unknown[198.51.100.25]:25", "unknown[<*>]:<*>"),
        ("peer 2001:db8::ff00:42:8329: refused", "peer <*>: refused"),
        ("peer 2001:0db8:85a3:0000:0000:8a2e:0370:7334", "peer <*>"),
        ("peer fe80::abcd and ::1", "peer <*> and <*>"),
        ("std::vector fade::bed", "std::vector fade::bed"),
    ]);
}

#[test]
fn times() {
    assert_masked(&[
        ("2026-11-20T10:00:00.014190Z info", "<*> info"),
        ("2026-11-20T10:00:00+01:00 info", "<*> info"),
        ("2026-11-20 10:00:00,123 INFO", "<*> INFO"),
        ("2026/11/20 10:01:52 start", "<*> start"),
        ("Nov 20 10:00:00 host", "<*> host"),
        ("Nov  5 10:00:00 host", "<*> host"),
        ("Fri, 20 Nov 2026 10:00:00 GMT", "<*> GMT"),
        ("- [20/Nov/2026:10:00:00 +0000] -", "- [<*>] -"),
        ("at 1795168801937", "at <*>"),
        ("E1120 10:00:00.035536  1 a.go:805] x", "E<*> a.go:<*>] x"),
        ("May I march on", "May I march on"),
    ]);
}

#[test]
fn quoted_strings() {
    assert_masked(&[
        (r#"open "a b" and 'c d' failed"#, "open <*> and <*> failed"),
        (r#"field "a\"b" is empty"#, "field <*> is empty"),
        ("I don't and you can't", "I don't and you can't"),
        ("the users' 'own' files", "the users' <*> files"),
        ("say 'don't' now", "say <*> now"),
        ("a \"lonely quote and 'another", "a \"lonely quote and 'another"),
        (r#"got {"id":5,"name":"bob"}!"#, "got {<*>}!"),
        (r#"203.0.113.1 - - [x] "GET / HTTP/1.1" 200 5 "-" "curl/8""#, "<*> - - [x] <*> 2xx <*>"),
        // Here the quotes hold the message.
        (
            r#"level=info msg="saved file 7 as 'x'" by="me""#,
            r#"level=info msg="saved file <*> as <*>" by=<*>"#,
        ),
        (
            r#"I1120 10:00:00.1 1 a.go:80] "Sync done" elapsed="2ms""#,
            r#"I<*> a.go:<*>] "Sync done" elapsed=<*>"#,
        ),
    ]);
}

#[test]
fn blanks_colours_and_lines() {
    assert_masked(&[
        ("", ""),
        (" \t ", ""),
        ("  padded \t  text  ", "padded text"),
        ("\x1b[2m10:00:00\x1b[22m \x1b[36m\x1b[1m[vite]\x1b[22m update\x1b[0m", "<*> [vite] update"),
        ("first line 1\nsecond line", "first line <*>"),
        ("\r\n \nfirst\r\nsecond", "first"),
    ]);
}

#[test]
fn objects_show_level_message_and_keys() {
    assert_masked(&[
        (
            r#"{"ts":"2026","level":"ERROR","msg":"read \"x\" 5 times","user":"bob"}"#,
            r#"{"level":"error","message":"read <*> times","keys":["level","msg","ts","user"]}"#,
        ),
        (r#"{"b":1,"a\u002f":2,"b":3,"user_42":4}"#, r#"{"keys":["a/","b","user_<*>"]}"#),
        (
            r#"{"level":30,"message":5,"event":"up"}"#,
            r#"{"level":"30","message":"up","keys":["event","level","message"]}"#,
        ),
        (r#"{"level":"a word that is far too long","log":""}"#, r#"{"message":"","keys":["level","log"]}"#),
        ("{}", r#"{"keys":[]}"#),
    ]);
}

#[test]
fn objects_differ_by_level_message_and_keys() {
    let base = key(r#"{"level":"info","msg":"done 1","a":1}"#);
    for same in [
        r#"{"a":{"x":[1]},"msg":"done 27","level":"INFO"}"#,
        r#" { "a" : "x" , "a" : "y" , "level" : "info" , "msg" : "done 3\nmore" } "#,
    ] {
        assert_eq!(key(same), base, "{same}");
    }
    for other in [
        r#"{"level":"warn","msg":"done 1","a":1}"#,
        r#"{"level":"info","msg":"begun 1","a":1}"#,
        r#"{"level":"info","msg":"done 1","b":1}"#,
        r#"{"level":"info","msg":"done 1"}"#,
        r#"{"level":"info","event":"done 1","a":1}"#,
        r#"{"level":"info","a":1,"msg":null}"#,
        "done 1",
    ] {
        assert_ne!(key(other), base, "{other}");
    }
}

/// Keys are compared between nodes and between releases: whoever changes one of these changes all.
#[test]
fn keys_are_for_ever() {
    assert_eq!(key(""), 0x2622_ecf6_e3e7_33fc);
    assert_eq!(
        key("2026-11-20 10:00:00,026 INFO fraud.worker scored tx=974b031511d5 score=0.022"),
        0xf4ed_ccd6_f307_1059
    );
    assert_eq!(
        key(r#"{"level":"info","msg":"saved snapshot","snapshot-index":48435604}"#),
        0x1259_8c35_2f66_20b5
    );
}

#[test]
fn only_the_start_of_a_long_line_counts() {
    let long = |tail: &str| format!("{}{tail}", "word ".repeat(204));
    assert_ne!(key(&long("")), key(&long("xyz")));
    assert_eq!(key(&long("more 1")), key(&long("more than that")));
    // Numbers of other lengths: the cut falls elsewhere, and the key stays.
    let list = |number: &str| format!("slow: IN ({})", format!("{number}, ").repeat(900));
    assert_eq!(key(&list("7")), key(&list("1234567")));
    // The cut opens no string.
    assert_eq!(shown(&format!("payload \"{}\" end", "secret ".repeat(400))), "payload <*>");
}

#[test]
fn long_lines_may_be_spelled_out_too() {
    for text in ["wörd 17, ".repeat(700), format!("{{\"msg\":\"{}\"}}", "a \\u0041 ".repeat(9000))] {
        let (one, other) = (written(text.as_bytes()), spelled_out(&text));
        assert_eq!(template(&Line::new(&one), &keys()), template(&Line::new(&other), &keys()));
    }
}

#[test]
fn a_shown_text_is_cut_between_characters() {
    let content = written("größe 17 ok".as_bytes());
    let shown = |limit| masked(&Line::new(&content), &keys(), limit);
    assert_eq!([shown(0), shown(3), shown(4), shown(99)], ["", "gr", "grö", "größe <*> ok"]);
}

#[test]
fn quotes_without_end_take_linear_time() {
    for text in [
        "\"'".repeat(1024),
        "\\\"".repeat(1024),
        "x='".repeat(700),
        "msg=\"' ".repeat(300),
        "a:".repeat(1024),
    ] {
        key(&text);
    }
}

/// Guarantees: a line of nothing but values costs no masking for each.
#[test]
fn a_template_ends_with_its_48th_value() {
    assert_eq!(shown(&"x 1 ".repeat(60)), "x <*> ".repeat(48).trim_end());
    assert_eq!(key(&format!("{}one", "x 1 ".repeat(48))), key(&format!("{}other", "x 2 ".repeat(48))));
    assert_ne!(key(&format!("{}one", "x 1 ".repeat(47))), key(&format!("{}other", "x 2 ".repeat(47))));
    let requests = r#""GET / HTTP/1.1" 200 "#.repeat(60);
    assert_eq!(shown(&requests), "<*> 2xx ".repeat(24).trim_end());
}

proptest! {
    #[test]
    fn never_panics(content in prop::collection::vec(any::<u8>(), 0..300), limit in 0usize..40) {
        template(&Line::new(&content), &keys());
        prop_assert!(masked(&Line::new(&content), &keys(), limit).len() <= limit);
    }

    #[test]
    fn never_panics_on_what_looks_like_a_line(
        parts in prop::collection::vec(prop_oneof![
            "[a-fx0-9:]{1,9}", "[ \t\"'\\\\=:.,%+-]{1,3}",
            Just("\x1b[3".into()), Just("msg=\"".into()), Just("Nov 2".into()), Just("µs".into()), Just("-xkvqz".into()),
        ], 0..60),
    ) {
        let text = parts.concat();
        prop_assert!(shown(&text).len() <= 1024);
    }

    #[test]
    fn no_digit_matters(text in "[ -~µ\u{1b}]{0,80}|[a-f0-9:. \"'=x-]{0,60}", digits in prop::collection::vec(b'0'..=b'9', 1..20)) {
        prop_assume!(!text.trim_start().starts_with('{'));
        let mut digits = digits.iter().cycle();
        let other: String = text
            .chars()
            .map(|c| if c.is_ascii_digit() { char::from(*digits.next().unwrap()) } else { c })
            .collect();
        prop_assert_eq!(shown(&text), shown(&other));
        prop_assert_eq!(key(&text), key(&other));
    }

    #[test]
    fn a_number_may_be_longer(one in 0u32.., other in 0u32.., around in "[a-z]{1,9}[ =:(-]") {
        let line = |number: u32| format!("{around}{number} rows, took {number}ms");
        prop_assert_eq!(key(&line(one)), key(&line(other)));
    }

    #[test]
    fn other_first_words_are_other_keys(one in "[a-zA-Z]{1,12}", other in "[a-zA-Z]{1,12}", rest in "[ -~]{0,40}") {
        prop_assume!(one != other);
        let is_name = |word: &str| word.len() == 3 && word.starts_with(|c: char| c.is_ascii_uppercase());
        prop_assume!(!is_name(&one) && !is_name(&other));
        prop_assert_ne!(key(&format!("{one} {rest}")), key(&format!("{other} {rest}")));
    }

    #[test]
    fn the_spelling_of_the_host_does_not_matter(
        text in "[ -~\t\né😀]{0,60}|\\{\"[a-zé/]{0,4}\":\"[ -!#-\\[\\]-~é]{0,20}\"\\}|\\{\"m\\\\u00e9\":1,\"message\":\"\\\\u0041 \\\\\\\\ [a-z]{0,9}\"\\}",
    ) {
        let (plain, spelled) = (written(text.as_bytes()), spelled_out(&text));
        let ascii: Vec<u8> = String::from_utf8(plain.clone()).unwrap().chars().flat_map(|c| {
            if c.is_ascii() { vec![c as u8] } else { spelled_out(&c.to_string()) }
        }).collect();
        for content in [&spelled, &ascii] {
            prop_assert_eq!(template(&Line::new(content), &keys()), template(&Line::new(&plain), &keys()));
            prop_assert_eq!(masked(&Line::new(content), &keys(), 500), masked(&Line::new(&plain), &keys(), 500));
        }
        // What has no escapes is taken as it stands.
        if !text.contains(['"', '\\', '\n', '\t']) {
            prop_assert_eq!(key(&text), template(&Line::new(text.as_bytes()), &keys()));
        }
    }

    #[test]
    fn the_order_of_keys_does_not_matter(
        members in prop::collection::vec(("[a-z\"é_0-9]{0,6}", "[a-z0-9 ]{0,6}"), 0..9), turn in 0usize..9,
    ) {
        // One value for each key: of several the last counts.
        let members: std::collections::BTreeMap<_, _> = members.into_iter().collect();
        let mut parts: Vec<String> = members
            .iter()
            .map(|(key, value)| format!("{}:{}", serde_json::json!(key), serde_json::json!(value)))
            .collect();
        let one = format!("{{{}}}", parts.join(","));
        parts.rotate_left(turn.min(members.len()));
        let other = format!("{{{}}}", parts.join(" , "));
        prop_assert_eq!(key(&one), key(&other));
        prop_assert_eq!(shown(&one), shown(&other));
    }
}
