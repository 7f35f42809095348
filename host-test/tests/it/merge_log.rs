//! `enrich.merge_log` beside the built-in filter's `Merge_Log`: the same lines through a real Fluent Bit with the one and with the
//! other.
//!
//! The rule it keeps: what is delivered is the same, but where the built-in filter loses the line, and only there.

use crate::fluent_bit::program;
use crate::support;
use host_test::fluent_bit::{MetadataFilter, Running, Setup};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Containers of lines, as JSON strings: blanks, what is no object, numbers, escapes, halves of pairs, names that are taken, text behind,
/// newlines at the end.
const LINES: &[&str] = &[
    r#"{"level":"info","status":200,"o":{"a":[1,null,{"b":true}]},"f":false}"#,
    "  \t{ \"a\" : 1 , \"b\" : [ 1 , 2 ] }\r",
    "{}",
    " { } ",
    "[1,2]",
    "\"x\"",
    "true",
    "text",
    "text {\"a\":1}",
    "{a:1}",
    r#"{"a":1,}"#,
    r#"{"a":1"#,
    r#"{"a":"x"#,
    r#"{"a" "b"}"#,
    r#"{"a":01}"#,
    r#"{"a":+1}"#,
    r#"{"a":.5}"#,
    r#"{"a":1.}"#,
    r#"{"a":NaN}"#,
    r#"{"a":Infinity}"#,
    r#"{"a":1E400}"#,
    r#"{"a":[1,-1e999]}"#,
    r#"{"a":1e-400,"b":-0,"c":-0.0,"d":5e-324,"e":1.5E+7}"#,
    r#"{"a":9223372036854775807,"b":18446744073709551615,"c":-9223372036854775808}"#,
    r#"{"a":18446744073709551616,"b":-9223372036854775809,"c":123456789012345678901234567890}"#,
    r#"{"a":"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00."}"#,
    r#"{"a":"größe 😀"}"#,
    "{\"a\":\"tab\there \u{1}\u{1f}\u{7f}\"}",
    "{\"a\":\"nul\u{0}here\"}",
    "{\"a\":\"x\ny\"}",
    "{\"a\":1\n,\"b\":2}",
    "\u{c}{\"a\":1}",
    "\u{feff}{\"a\":1}",
    r#"{"a":"\ude00x"}"#,
    r#"{"a":"\ud83dx"}"#,
    r#"{"a":"\ud83d\u0041x"}"#,
    r#"{"a":"\ud83d\ud83d\ude00x"}"#,
    r#"{"a":"\u12"}"#,
    r#"{"a":"\u12x."}"#,
    r#"{"a":"\u"}"#,
    r#"{"a":"\uzz12"}"#,
    r#"{"a":"\x41"}"#,
    r#"{"a":"\'"}"#,
    r#"{"k\n\"":1,"":2}"#,
    r#"{"k\u0041":1,"kA":2}"#,
    r#"{"a":1,"b":2,"a":3}"#,
    r#"{"o":{"a":1,"a":2}}"#,
    r#"{"log":"inner","x":1}"#,
    r#"{"stream":"stderr","time":"t"}"#,
    r#"{"stream":7,"log":null,"time":{"a":1}}"#,
    r#"{"kubernetes":{"pod_name":"fake"},"x":1}"#,
    r#"{"data":1,"x":2}"#,
    r#"{"a":1} tail"#,
    r#"{"a":1}}"#,
    r#"{"a":1},"#,
    r#"{"a":1} -"#,
    r#"{"a":1} "x"#,
    r#"{"a":1} true"#,
    r#"{"a":1} 7"#,
    r#"{"a":1} "x""#,
    r#"{"a":1}{"b":2}"#,
    r#"{"a":1}[]"#,
    r#"{"a":1} null x"#,
    r#"{"a":"x\n"}"#,
    r#"{"a":"x\n\n","b":"\n","c":"\n\n","d":"\r\n"}"#,
    r#"{"a":"x\r\n"}"#,
    r#"{"a":"x\\n","b":"x\\r\\n\n","c":"\\n","d":"\\\\n","e":"n"}"#,
    r#"{"a":"x\u000a","b":"x\u005cn"}"#,
    r#"{"o":{"a":"x\n"},"l":["y\n"]}"#,
];

#[test]
fn what_is_merged_is_what_the_built_in_filter_merges() {
    let Some(program) = program() else { return };
    let lines: Vec<String> = LINES.iter().map(|line| (*line).to_owned()).chain(deep()).collect();
    for (rules, settings) in [
        ("true", [("merge_log", "on"), ("keep_log", "on")].as_slice()),
        ("{ keep_log: false }", &[("merge_log", "on"), ("keep_log", "off")]),
        (
            "{ key: data, keep_log: false, trim: false }",
            &[("merge_log", "on"), ("keep_log", "off"), ("merge_log_key", "data"), ("merge_log_trim", "off")],
        ),
    ] {
        let rules = format!("version: 1\nenrich: {{ merge_log: {rules} }}\n");
        let theirs = delivered(&program, &rules, MetadataFilter::Kubernetes(settings), &lines);
        let ours = delivered(&program, &rules, MetadataFilter::Nodesieve, &lines);
        let mut apart = String::new();
        for (index, line) in lines.iter().enumerate() {
            let (ours, theirs) = (ours.get(&index), theirs.get(&index));
            // Where the built-in filter loses the line, ours keeps it.
            let is_kept = || ours.is_some_and(|ours| ours["log"] == format!("{line}\n"));
            let is_same = ours.is_some() && ours == theirs;
            let is_as_expected = is_same || loses(theirs) && is_kept();
            if !is_as_expected {
                apart.push_str(&format!("{line:?}\n  ours   {ours:?}\n  theirs {theirs:?}\n"));
            }
        }
        assert!(apart.is_empty(), "{rules}{apart}");
    }
}

/// Lines that the built-in filter loses, at the most.
const LOST: u64 = 8;
const LONG: Duration = Duration::from_secs(60);

/// Whether neither the line nor anything of it arrived.
fn loses(record: Option<&Value>) -> bool {
    let own = |record: &Value| {
        record.as_object().is_some_and(|members| members.keys().all(|key| key == "stream" || key == "time"))
    };
    record.is_none_or(own)
}

/// What nests as deep as is merged, and deeper.
fn deep() -> impl Iterator<Item = String> {
    [50, 60, 61, 62, 63, 64, 600]
        .map(|depth| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth)))
        .into_iter()
}

/// What arrives of lines, by their number, without metadata. Each has a container of its own, so that nothing but the tag tells which it
/// was.
fn delivered(
    program: &Path,
    rules: &str,
    filter: MetadataFilter<'_>,
    lines: &[String],
) -> BTreeMap<usize, Value> {
    let logs = tempfile::tempdir().unwrap();
    for (index, line) in lines.iter().enumerate() {
        let record =
            json!({ "log": format!("{line}\n"), "stream": "stdout", "time": "2026-11-20T10:00:00Z" });
        let file = format!("p_n_c{index}-{}.log", "0a".repeat(32));
        fs::write(logs.path().join(file), format!("{record}\n")).unwrap();
    }
    let (module, conf) = (support::module(), support::conf().join("fluent-bit.yaml"));
    let running = Running::start(Setup {
        fluent_bit: program,
        module: &module,
        conf: &conf,
        rules,
        logs: logs.path(),
        pod_list: Some(br#"{"kind":"PodList","items":[{"metadata":{"name":"other","namespace":"n"}}]}"#),
        filter,
        disk: None,
        elsewhere: None,
        overrides: &[("flush", "1")],
    })
    .unwrap();
    // A chunk for each container, and what is on the way when told to stop is delivered.
    assert!(running.firehose().wait_until(|received| received.records + LOST >= lines.len() as u64, LONG));
    let outcome = running.stop().unwrap();
    let mut found = BTreeMap::new();
    for mut record in outcome.records {
        let metadata = record.as_object_mut().and_then(|record| record.remove("kubernetes"));
        let container = metadata.as_ref().and_then(|metadata| metadata["container_name"].as_str());
        let Some(index) = container.and_then(|name| name.strip_prefix('c')?.parse().ok()) else { continue };
        assert_eq!(found.insert(index, record), None, "container {index} came twice");
    }
    found
}
