//! The tap's files: asked in one, answered in the other, whatever becomes of them.

use super::{DROP_NOISE, NOISE, Scratch, feed};
use crate::housekeeping::Housekeeping;
use nodesieve_engine::engine::Answer;
use std::fs;

const TICK: &str = "nodesieve.tick";
const TAG: &str = "kube.var.log.containers.web-1_shop_app-0a.log";

fn start(scratch: &Scratch, tap: &str) -> Housekeeping {
    let root = scratch.0.display();
    let tap = format!("tap: {{ request: {root}/pods/.tap, file: {root}/tap.ndjson{tap} }}\n");
    scratch.put("nodesieve.yaml", &scratch.rules(&format!("{tap}{DROP_NOISE}")));
    Housekeeping::start(std::slice::from_ref(&scratch.0), 1)
}

fn answers(scratch: &Scratch) -> Vec<String> {
    let text = fs::read_to_string(scratch.0.join("tap.ndjson")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn what_is_asked_for_is_answered_until_its_time_is_over() {
    let scratch = Scratch::new("tap");
    let mut housekeeping = start(&scratch, "");
    feed(&mut housekeeping, TICK, "{}", 100);
    assert_eq!(feed(&mut housekeeping, TAG, NOISE, 100), Answer::Drop);
    assert!(answers(&scratch).is_empty(), "nobody has asked");

    scratch.put("pods/.tap", r#"{"until":105,"rule":"noise"}"#);
    feed(&mut housekeeping, TICK, "{}", 101);
    feed(&mut housekeeping, TAG, NOISE, 101);
    feed(&mut housekeeping, TAG, r#"{"log":"kept"}"#, 101);
    feed(&mut housekeeping, TICK, "{}", 102);
    let lines = answers(&scratch);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with("{\"sequence\":1,\"instance\":\"") && lines[0].ends_with("\"tap\":\"open\"}")
    );
    assert!(
        lines[1].contains("\"sequence\":2,") && lines[1].contains("\"rule\":\"noise\",\"policy\":\"drop\""),
        "{}",
        lines[1]
    );

    feed(&mut housekeeping, TICK, "{}", 106);
    feed(&mut housekeeping, TAG, NOISE, 106);
    feed(&mut housekeeping, TICK, "{}", 107);
    let lines = answers(&scratch);
    assert!(
        lines.len() == 3 && lines[2].contains("\"tap\":\"closed\",\"reason\":\"its time is over\""),
        "{lines:?}"
    );
    feed(&mut housekeeping, TICK, "{}", 120);
    assert_eq!(
        (scratch.metric("nodesieve_tap_lines_total"), scratch.metric("nodesieve_tap_lost_total")),
        ("1".into(), "0".into())
    );
}

#[test]
fn a_bad_request_is_answered_with_its_reason_and_the_end_of_one_with_its_file() {
    let scratch = Scratch::new("tap-bad");
    let mut housekeeping = start(&scratch, "");
    for (at, bad) in ["{\"until\":900,\"raw\":true}", "not json", "\u{0}"].into_iter().enumerate() {
        scratch.put("pods/.tap", bad);
        feed(&mut housekeeping, TICK, "{}", 100 + at as u64);
        assert!(
            answers(&scratch)[at].contains("\"tap\":\"refused\",\"reason\":\"read tap request: "),
            "{bad}"
        );
    }
    scratch.put("pods/.tap", "{\"until\":900}");
    feed(&mut housekeeping, TICK, "{}", 110);
    fs::remove_file(scratch.0.join("pods/.tap")).unwrap();
    feed(&mut housekeeping, TICK, "{}", 111);
    assert!(answers(&scratch).last().unwrap().contains("\"reason\":\"the request is gone\""));
    feed(&mut housekeeping, TAG, NOISE, 112);
    feed(&mut housekeeping, TICK, "{}", 113);
    assert_eq!(answers(&scratch).len(), 5);
}

/// Guarantees: a ring that nobody reads stays within its bytes; a file that cannot be written costs the tap its lines and the filter nothing.
#[test]
fn a_tap_that_nobody_reads_and_a_volume_that_is_full_cost_lines_of_the_tap_only() {
    let scratch = Scratch::new("tap-ring");
    let mut housekeeping = start(&scratch, ", bytes: 16KiB, rate: 1000");
    scratch.put("pods/.tap", "{\"until\":900}");
    feed(&mut housekeeping, TICK, "{}", 100);
    for second in 101..121 {
        for n in 0..50 {
            feed(&mut housekeeping, TAG, &format!("{{\"log\":\"noise {n}\"}}"), second);
        }
        feed(&mut housekeeping, TICK, "{}", second);
    }
    let lines = answers(&scratch);
    let bytes: usize = lines.iter().map(|line| line.len() + 1).sum();
    assert!((12 << 10..=16 << 10).contains(&bytes), "{bytes}");
    assert!(lines.last().unwrap().contains("\"sequence\":1001,"), "{:?}", lines.last());

    fs::remove_file(scratch.0.join("tap.ndjson")).unwrap();
    fs::create_dir_all(scratch.0.join("tap.ndjson/full")).unwrap();
    assert_eq!(feed(&mut housekeeping, TAG, NOISE, 122), Answer::Drop);
    feed(&mut housekeeping, TICK, "{}", 122);
    feed(&mut housekeeping, TICK, "{}", 140);
    assert_eq!(
        (scratch.metric("nodesieve_tap_lines_total"), scratch.metric("nodesieve_tap_lost_total")),
        ("1001".into(), "1".into())
    );
    assert_eq!(scratch.metric("nodesieve_records_seen_total"), "1001");
}

#[test]
fn without_a_section_nothing_is_looked_for() {
    let scratch = Scratch::new("tap-off");
    scratch.put("nodesieve.yaml", &scratch.rules(DROP_NOISE));
    scratch.put("pods/.tap", "{\"until\":900}");
    let mut housekeeping = Housekeeping::start(std::slice::from_ref(&scratch.0), 1);
    feed(&mut housekeeping, TICK, "{}", 100);
    feed(&mut housekeeping, TAG, NOISE, 100);
    feed(&mut housekeeping, TICK, "{}", 101);
    assert!(answers(&scratch).is_empty());
}
