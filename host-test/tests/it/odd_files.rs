//! Replay and a real Fluent Bit make the same records of odd files, byte for byte.
//!
//! It exists because replay's verdicts and bills are right only if it reads a file as tail does, and real files hold
//! surprises: bytes of a binary, NULs after a rotation, lines of a shim, times of another clock.

use crate::fluent_bit::program;
use crate::support;
use host_test::fluent_bit::{MetadataFilter, Running, Setup};
use host_test::node_logs;
use host_test::replay::{Replay, TICK_TAG};
use nodesieve_engine::config;
use nodesieve_preview::money::{FLUSH_SECONDS, Prices};
use nodesieve_preview::run::SEED;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Nothing is decided by the clock, and the tag's own keys tell the files apart.
const RULES: &str = "version: 1\nenrich: { fields: [pod_name] }\n";
const T: &str = "2026-11-20T10:00:00.123456789Z";

/// Names of containers with the lines of their files.
fn files() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let cri = |text: &[u8]| [T.as_bytes(), b" stdout F ", text].concat();
    let plain = |lines: &[&str]| lines.iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>();
    vec![
        (
            "bytes",
            vec![
                cri("größe 漢字 😀 \u{7f} \u{2028} \u{feff} \u{a0}".as_bytes()),
                cri(b"bad \xff\xfe tail"),
                cri(b"cut \xe2\x82"),
                cri(b"\xc3\x28 overlong \xc0\xaf surrogate \xed\xa0\x80 too large \xf5\x80\x80\x80"),
                cri(b"tab\tquote\"back\\slash/ctl\x01\x1b[31m\x08\x0c nul \x00 inside"),
                cri(b"carriage return\r"),
                cri(b"  blanks around  "),
                cri(b""),
                cri(b"{\"level\":\"info\",\"msg\":\"\\u00fc \xc3\xbc\"}"),
            ],
        ),
        (
            "times",
            plain(&[
                "2026-11-20T10:00:00.1Z  stdout F two blanks behind the time",
                "2026-11-20 10:00:00 stdout F a blank in the time",
                "2026-11-20T10:00:00Z stdout F no fraction",
                "2026-11-20T10:00:00.5+01:00 stdout F offset",
                "2026-11-20T10:00:00,5Z stdout F comma",
                "2026-11-20T10:00:60.1Z stdout F a leap second",
                "2026-11-20T10:00:00.1z stdout F small z",
                "2026-11-20T10:00:00.1 stdout F no zone",
                "2026-13-40T10:00:00.1Z stdout F no such day",
                "2026-11-20T10:00:00.1234567891234Z stdout F a long fraction",
                "2026 stdout F a year",
                "1970-01-01T00:00:00Z stdout F the epoch",
                "1970-01-01T00:00:01Z stdout F a second later",
            ]),
        ),
        (
            "no-times",
            plain(&[
                "never stdout F bad one",
                "never stderr F bad err",
                "raw between",
                "2026-11-20T10:00:00.3Z stderr F good err",
                "never stdout P bad two",
                "2026-11-20T10:00:00.4Z stdout F good out",
                "2026-11-20T10:00:00.5Z stdout F and one",
                "1969-12-31T23:59:59.9Z stdout F before the epoch",
                "2106-02-07T06:28:16.5Z stdout F behind it",
                "2026-11-20T10:00:00.6Z stdout F fine",
                "\0\0\0\x002026-11-20T10:00:00.7Z stdout F nuls in front",
                "\0\0\0",
                "2026-11-20T10:00:00.8Z stdout F fine again",
                "x stdout F y stdout F z",
                "2026-11-20T10:00:00.9Z stdout F last",
                "never stdout F lost",
            ]),
        ),
        (
            "shapes",
            plain(&[
                "\0\0\x002026-11-20T10:00:00.1Z stdout F nuls at the start of the file",
                "raw line",
                "",
                "   ",
                "2026-11-20T10:00:00.1Z stdout F",
                "2026-11-20T10:00:00.1Z stdout F ",
                "2026-11-20T10:00:00.1Z stdout X another flag",
                "2026-11-20T10:00:00.1Z stdlog F another stream",
                "2026-11-20T10:00:00.1Z stdout P",
                "2026-11-20T10:00:00.1Z stdout F:x",
                "2026-11-20T10:00:00.1Z\tstdout F tab",
                "2026-11-20T10:00:00.1Z stdout P part one ",
                "2026-11-20T10:00:00.2Z stderr F whole",
                "2026-11-20T10:00:00.3Z stdout F part two",
                "2026-11-20T10:00:00.4Z stdout P open ",
                "raw behind it",
                "2026-11-20T10:00:00.5Z stdout F new",
                r#"{"log":"a line of docker's\n","stream":"stdout","time":"2026-11-20T10:00:00.1Z"}"#,
                "2026-11-20T10:00:00.6Z stdout F end",
            ]),
        ),
        (
            "docker",
            vec![
                br#"{"log":"plain\n","stream":"stdout","time":"2026-11-20T10:00:00.100000001Z"}"#.to_vec(),
                br#"{"log":"a ","stream":"stdout","time":"2026-11-20T10:00:00.2Z","attrs":{"z":"1","a":[1,{"b":"\u00e9"}]}}"#.to_vec(),
                br#"{"log":"err\n","stream":"stderr","time":"2026-11-20T10:00:00.3Z"}"#.to_vec(),
                br#"{"log":"b\n","stream":"stdout","time":"2026-11-20T10:00:00.4Z"}"#.to_vec(),
                br#"{"log":"open ","stream":"stdout","time":"2026-11-20T10:00:00.41Z"}"#.to_vec(),
                b"not json".to_vec(),
                br#"{"log":"gr\u00fc\u00df \ud83d\ude00 \/ \" \\ \u001b[31m\u0000\n","stream":"stdout","time":"2026-11-20T10:00:00.5Z"}"#.to_vec(),
                br#"{"log":"no time\n","stream":"stdout"}"#.to_vec(),
                br#"{"log":"bad time\n","stream":"stdout","time":"yesterday"}"#.to_vec(),
                br#"{"log":"next\n","stream":"stdout","time":"2026-11-20T10:00:00.7Z"}"#.to_vec(),
                br#"{"stream":"stdout","time":"2026-11-20T10:00:00.7Z"}"#.to_vec(),
                br#"{"log":7,"stream":"stdout","time":"2026-11-20T10:00:00.8Z"}"#.to_vec(),
                br#"{"log":"","stream":"stdout","time":"2026-11-20T10:00:00.8Z"}"#.to_vec(),
                br#"{"log":"cut"#.to_vec(),
                b"{}".to_vec(),
                b"[1]".to_vec(),
                br#"{"log":"crlf\r\n","stream":"stdout","time":"2026-11-20T10:00:00.91Z"}"#.to_vec(),
                b"{\"log\":\"bad \xff utf8\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-20T10:00:00.93Z\"}".to_vec(),
                br#"{"time":"2026-11-20T10:00:00.94Z","stream":"stdout","log":"order\n"}"#.to_vec(),
                br#" {"log":"behind it \n","stream":null,"time":"2026-11-20T10:00:00.95Z","n":17,"t":true,"z":null} x"#.to_vec(),
                b"2026-11-20T10:00:00.1Z stdout F a line of containerd's".to_vec(),
            ],
        ),
    ]
}

/// How often each text is there.
fn counted(texts: Vec<String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    texts.into_iter().for_each(|text| *counts.entry(text).or_default() += 1);
    counts
}

fn write(directory: &Path) {
    for (name, lines) in files() {
        let content: Vec<u8> = lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect();
        let path = directory.join(format!("{name}_odd_app-{}.log", "0a".repeat(32)));
        fs::write(path, content).unwrap();
    }
}

/// Scenario: files with all of these surprises, through the shipped configuration.
/// Guarantees: what is delivered is what replay delivers, byte for byte.
#[test]
fn odd_files_come_out_as_replay_says() {
    let Some(fluent_bit) = program() else { return };
    let logs = tempfile::tempdir().unwrap();
    write(logs.path());
    let rules = config::load(RULES).unwrap().rules;
    let module = support::module();
    let records = node_logs::records(&[logs.path().to_owned()], &rules.input.tag_prefix).unwrap();
    let replay = Replay {
        module: &module,
        source: RULES,
        rules: &rules,
        pod_list: None,
        records: &records,
        endpoint: None,
        seed: SEED,
        prices: Prices::default(),
        flush_seconds: FLUSH_SECONDS,
    };
    let mut predicted = Vec::new();
    let keep = |texts: &mut Vec<String>, text: &[u8]| texts.push(String::from_utf8(text.to_vec()).unwrap());
    replay
        .run(
            |_| {},
            |record, text| {
                if record.tag.as_bytes() != TICK_TAG {
                    keep(&mut predicted, text)
                }
            },
        )
        .unwrap();
    let mut running = Running::start(Setup {
        fluent_bit: &fluent_bit,
        module: &module,
        conf: &support::conf().join("fluent-bit.yaml"),
        rules: RULES,
        logs: logs.path(),
        pod_list: None,
        filter: MetadataFilter::Nodesieve,
        disk: None,
        elsewhere: None,
        overrides: &[],
    })
    .unwrap();
    running.wait_for(records.len() as u64, Duration::from_secs(60)).unwrap();
    let arrived = running.stop().unwrap();
    assert!(predicted.len() > 60, "{}", predicted.len());
    assert_eq!(counted(arrived.texts), counted(predicted));
}
