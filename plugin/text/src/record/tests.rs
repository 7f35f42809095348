//! Reading and writing of records.

use super::*;
use proptest::prelude::*;

fn names() -> Names {
    Names::new(
        vec!["log".into(), "message".into()],
        ["kubernetes", "k", TRUNCATED].map(Box::from).to_vec(),
        Vec::new(),
    )
}

fn write(text: &str, append: &[(&str, &str)], limit: usize) -> (String, Written) {
    let append: Vec<Append<'_>> =
        append.iter().map(|(key, value)| Append { key, value: value.as_bytes() }).collect();
    let mut out = Vec::new();
    let written = RecordView::read(text.as_bytes(), &names()).unwrap().write(&append, limit, &mut out);
    (String::from_utf8(out).unwrap(), written)
}

#[test]
fn finds_line_and_stream() {
    let line = |text: &str| {
        let view = RecordView::read(text.as_bytes(), &names()).unwrap();
        view.line().map(|line| String::from_utf8(line.raw().to_vec()).unwrap())
    };
    assert_eq!(line(r#"{"time":"x","log":"a\"b"}"#).as_deref(), Some(r#"a\"b"#));
    assert_eq!(line(r#"{"message":"m","log":"l"}"#).as_deref(), Some("l"));
    assert_eq!(line(r#"{"log":7,"message":"m"}"#).as_deref(), Some("m"));
    assert_eq!(line(r#"{"log":"1","log":"2"}"#).as_deref(), Some("2"));
    assert_eq!(line(r#"{"l\u006fg":"e"}"#).as_deref(), Some("e"));
    assert_eq!(line("{}"), None);
    let view = RecordView::read(br#"{"stream":"stderr"}"#, &names()).unwrap();
    assert_eq!(view.stream(), Some(b"stderr".as_slice()));
}

#[test]
fn refuses_anything_but_one_object() {
    for text in ["", "[1]", "{}{}", "{} x", "nan", r#"{"a":1"#] {
        assert_eq!(RecordView::read(text.as_bytes(), &names()).err(), Some(Malformed::Syntax), "{text}");
    }
    assert!(RecordView::read(b" {} \n", &names()).is_ok());
}

#[test]
fn splices_behind_the_own_members() {
    let (text, written) = write(r#"{"log":"a"}"#, &[("kubernetes", r#"{"pod_name":"p"}"#)], 1000);
    assert_eq!(text, r#"{"log":"a","kubernetes":{"pod_name":"p"}}"#);
    assert_eq!(written, Written::default());
    assert_eq!(write("{}", &[("k", "1")], 1000).0, r#"{"k":1}"#);
    assert_eq!(write(r#"{ "log" : "a" }"#, &[], 1000).0, r#"{ "log" : "a" }"#);
}

#[test]
fn replaces_an_existing_key_and_never_doubles_it() {
    for own in [
        r#"{"kubernetes":{"x":1},"log":"a"}"#,
        r#"{"log":"a","kubernetes":1}"#,
        r#"{"kubernetes":1,"log":"a","kubernetes":2}"#,
        r#"{"kubernete\u0073":1,"log":"a"}"#,
    ] {
        let (text, written) = write(own, &[("kubernetes", "{}")], 1000);
        assert!(text.ends_with(r#""kubernetes":{}}"#), "{text}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap()["kubernetes"],
            serde_json::json!({})
        );
        assert!(written.replaced, "{own}");
    }
}

#[test]
fn numbers_that_do_not_read_back_become_strings() {
    let (text, written) =
        write(r#"{"a":nan,"b":[1,-inf,{"c":1.797693134862316e+308}],"d":2}"#, &[("k", "1")], 1000);
    assert_eq!(text, r#"{"a":"nan","b":[1,"-inf",{"c":"1.797693134862316e+308"}],"d":2,"k":1}"#);
    assert_eq!(written.quoted, 3);
}

#[test]
fn a_large_record_loses_the_end_of_its_line() {
    let text = format!(r#"{{"stream":"stdout","log":"{}","n":1}}"#, "ab\\n".repeat(500));
    let (cut, written) = write(&text, &[("kubernetes", r#"{"pod_name":"p"}"#)], 1000);
    let whole = text.len() + r#","kubernetes":{"pod_name":"p"}"#.len();
    assert_eq!(written.truncated, Some(whole));
    assert!((990..=1000).contains(&cut.len()), "{}", cut.len());
    let read: serde_json::Value = serde_json::from_str(&cut).unwrap();
    assert_eq!((&read["truncated"], &read["n"]), (&serde_json::json!(whole), &serde_json::json!(1)));
    assert!(read["log"].as_str().unwrap().starts_with("ab\nab\n"));
}

#[test]
fn the_limit_is_met_exactly_and_lengths_are_what_is_written() {
    for own in [r#"{"log":"abc","n":nan}"#, r#"{"kubernetes":1,"log":"abc"}"#, r#"{"log":"abc"}"#, "{}"] {
        let (whole, _) = write(own, &[("kubernetes", "{}")], 1000);
        assert_eq!(
            write(own, &[("kubernetes", "{}")], whole.len()),
            (whole.clone(), write(own, &[("kubernetes", "{}")], 1000).1)
        );
        let (_, written) = write(own, &[("kubernetes", "{}")], whole.len() - 1);
        assert_eq!(written.truncated, Some(whole.len()), "{own}");
    }
}

/// Guarantees: a record of very many members and numbers is written in linear time; a slower way would take minutes.
#[test]
fn records_of_many_members_are_written_quickly() {
    let members: Vec<String> = (0..60_000).map(|n| format!("\"k{n}\":[inf,{n}]")).collect();
    let text = format!("{{{}}}", members.join(","));
    let (whole, written) = write(&text, &[("kubernetes", "{}")], 10_000_000);
    assert_eq!(written.quoted, 60_000);
    assert!(whole.contains("\"k59999\":[\"inf\",59999]"));
    let (cut, _) = write(&text, &[("kubernetes", "{}")], 500_000);
    assert!((499_900..=500_000).contains(&cut.len()), "{}", cut.len());
    assert!(serde_json::from_str::<serde_json::Value>(&cut).is_ok());
}

#[test]
fn a_record_without_a_line_loses_its_largest_members() {
    let text = format!(r#"{{"a":"{}","b":[{}1],"c":"small"}}"#, "x".repeat(900), "1,".repeat(600));
    let (cut, _) = write(&text, &[("kubernetes", "{}")], 1000);
    let read: serde_json::Value = serde_json::from_str(&cut).unwrap();
    assert!(read.get("b").is_none() && read["c"] == "small" && read.get("kubernetes").is_some(), "{cut}");
    let huge = format!(r#"{{"v":"{}"}}"#, "x".repeat(300));
    let (cut, _) = write(r#"{"a":1}"#, &[("kubernetes", &huge)], 200);
    assert_eq!(cut, r#"{"truncated":329}"#);
}

proptest! {
    #[test]
    fn whatever_is_read_is_written_within_the_limit_and_as_one_object(
        map in prop::collection::btree_map("log|stream|kubernetes|[ab]", "[a\"\\\\\né😀]{0,200}", 0..5),
        limit in 100usize..600,
    ) {
        let text = serde_json::to_string(&map).unwrap();
        let (out, written) = write(&text, &[("kubernetes", r#"{"pod_name":"p"}"#)], limit);
        prop_assert!(out.len() <= limit);
        let read: serde_json::Value = serde_json::from_str(&out).unwrap();
        prop_assert_eq!(written.truncated.is_some(), read.get("truncated").is_some());
        prop_assert_eq!(&read["kubernetes"]["pod_name"], "p");
        prop_assert_eq!(out.matches("\"kubernetes\":").count(), 1 + usize::from(map.iter().any(|(k, v)|
            k != "kubernetes" && v.contains("\"kubernetes\":"))));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(text in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(view) = RecordView::read(&text, &names()) {
            let mut out = Vec::new();
            view.write(&[Append { key: "k", value: b"1" }], 40, &mut out);
        }
    }
}

fn merged(text: &str, merge: &Merge) -> Option<String> {
    let view = RecordView::read(text.as_bytes(), &names()).unwrap();
    let merged = view.merged(merge, &names())?;
    // What is known of it is what reading it says.
    let (known, read) =
        (merged.view(&names(), usize::MAX).unwrap(), RecordView::read(merged.text(), &names()).unwrap());
    assert_eq!((known.close, known.spliced_at()), (read.close, read.spliced_at()), "{text}");
    Some(String::from_utf8(merged.text().to_vec()).unwrap())
}

#[test]
fn an_object_in_the_line_becomes_members_behind_the_others() {
    let record = r#"{"time":"t","log":" {\"a\":1,\"b\":\"x\\n\"}\n","stream":"stdout"}"#;
    let all = Merge::default();
    let expected = r#"{"time":"t","log":" {\"a\":1,\"b\":\"x\\n\"}\n","stream":"stdout","a":1,"b":"x"}"#;
    assert_eq!(merged(record, &all).as_deref(), Some(expected));
    let without = Merge { keep_log: false, trim: false, ..Merge::default() };
    assert_eq!(
        merged(record, &without).as_deref(),
        Some(r#"{"time":"t","stream":"stdout","a":1,"b":"x\n"}"#)
    );
    let keyed = Merge { key: Some("stream".into()), ..Merge::default() };
    let expected = r#"{"time":"t","log":" {\"a\":1,\"b\":\"x\\n\"}\n","stream":{"a":1,"b":"x"}}"#;
    assert_eq!(merged(record, &keyed).as_deref(), Some(expected));
    assert_eq!(merged(r#"{"log":"{\"a\":1}"}"#, &without).as_deref(), Some(r#"{"a":1}"#));
}

#[test]
fn a_member_of_the_line_takes_the_place_of_the_records() {
    let merge = Merge::default();
    for (record, expected) in [
        (
            r#"{"log":"{\"log\":\"i\",\"stream\":1}","stream":"stdout","x":2}"#,
            r#"{"x":2,"log":"i","stream":1}"#,
        ),
        (r#"{"l\u006fg":"{\"log\":\"i\"}","y":1}"#, r#"{"y":1,"log":"i"}"#),
        (r#"{"y":1,"log":"{\"\\u0079\":2}"}"#, r#"{"log":"{\"\\u0079\":2}","\u0079":2}"#),
    ] {
        assert_eq!(merged(record, &merge).as_deref(), Some(expected));
    }
}

#[test]
fn other_lines_are_not_merged() {
    for record in
        [r#"{"log":"a {}"}"#, r#"{"log":"{}"}"#, r#"{"log":"{\"a\":1E400}"}"#, r#"{"log":{"a":1}}"#, "{}"]
    {
        assert_eq!(merged(record, &Merge::default()), None, "{record}");
    }
    let large = format!("{{\"log\":\"{{\\\"a\\\":\\\"{}\\\"}}\"}}", "x".repeat(crate::line::MAX_UNESCAPED));
    assert_eq!(merged(&large, &Merge::default()), None);
}

/// Each of the one is looked for among all of the other; one by one that would be 400 million comparisons.
#[test]
fn very_many_members_on_both_sides_are_merged_once_each() {
    let members =
        |from: usize| (from..from + 20_000).map(|n| format!("\"k{n}\":{n}")).collect::<Vec<_>>().join(",");
    let line = format!("{{{}}}", members(10_000));
    let record = format!("{{\"log\":{},{}}}", serde_json::to_string(&line).unwrap(), members(0));
    let without = Merge { keep_log: false, ..Merge::default() };
    assert_eq!(
        merged(&record, &without),
        Some(format!("{{{},{}}}", &members(0)[..members(0).find(",\"k10000\"").unwrap()], members(10_000)))
    );
}
