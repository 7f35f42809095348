//! Lifts and recalls: what is kept around an error, and that each line is accounted for once.

use super::both_ways::BothWays;
use super::traffic::{SECOND, START, whole};
use super::{NoPods, engine};
use crate::engine::{Answer, Input};
use crate::metrics::Metric;
use crate::time::{EventTime, Now};
use proptest::prelude::*;

const GUARD: &str =
    "guards: [{ name: errors, when: { message: ERROR }, recall: { lines: 5, bytes: 4KiB } }]\n";
const RULES: &str = "rules:\n  - { name: debug, when: { message: debug }, drop: {}, reason: test }\n  \
    - { name: few, when: { message: few }, first: { n: 1, per: 1h, by: container } }\n";

fn rules(guards: &str) -> String {
    format!("version: 1\ndefaults: {{ summary: 60s }}\n{guards}{RULES}")
}

/// A pod's line at a time, and what came of it.
fn feed(engine: &mut BothWays, pod: &str, line: &str, millis: u64) -> Option<String> {
    let tag = format!("kube.var.log.containers.{pod}_shop_app-0a.log");
    let now = START + millis * 1_000_000;
    let text = format!("{{\"stream\":\"stdout\",\"log\":\"{line}\"}}");
    let time = EventTime { sec: (now / SECOND) as u32, nsec: (now % SECOND) as u32 };
    let mut out = Vec::new();
    let input = Input { tag: tag.as_bytes(), time, text: text.as_bytes() };
    match engine.filter(input, &mut Now(now), &mut NoPods, &mut out).0 {
        Answer::Drop => None,
        Answer::Keep | Answer::Echo => Some(String::from_utf8(out).unwrap()),
    }
}

/// How many lines came back with a record.
pub(super) fn recalled(record: &str) -> u64 {
    let record: serde_json::Value = serde_json::from_str(record).unwrap();
    record["nodesieve"]["recalled"].as_array().map_or(0, |lines| lines.len() as u64)
}

#[test]
fn an_error_brings_the_last_dropped_lines_of_its_pod_and_nobody_counts_them_twice() {
    let mut engine = engine(&rules(GUARD));
    for n in 0..8 {
        assert_eq!(feed(&mut engine, "web-1", &format!("debug {n}"), n), None);
    }
    assert_eq!(feed(&mut engine, "web-2", "debug elsewhere", 9), None);
    let error = feed(&mut engine, "web-1", "ERROR now", 10).unwrap();
    let record: serde_json::Value = serde_json::from_str(&error).unwrap();
    assert_eq!(record["nodesieve"]["rule"], "errors");
    let lines = record["nodesieve"]["recalled"].as_array().unwrap();
    let texts: Vec<&str> = lines.iter().map(|line| line["record"]["log"].as_str().unwrap()).collect();
    assert_eq!(texts, ["debug 3", "debug 4", "debug 5", "debug 6", "debug 7"]);
    assert_eq!((&lines[0]["rule"], lines[0]["time"].as_str().unwrap().len()), (&"debug".into(), 24));
    // Once.
    assert_eq!(recalled(&feed(&mut engine, "web-1", "ERROR again", 11).unwrap()), 0);
    let counters = engine.counters();
    let row = counters.rules().iter().find(|row| &*row.name == "debug").unwrap();
    assert_eq!((row.kept, row.dropped, row.recalled), (5, 4, 5));
    assert_eq!(
        (counters.get(Metric::Kept), counters.get(Metric::Dropped), counters.get(Metric::Seen)),
        (7, 4, 11)
    );
    // web-2's may still come back: no summary knows of it yet.
    let mut out = Vec::new();
    engine.tick(b"{}", Now(START), &mut out);
    assert_eq!(engine.tick(b"{}", Now(START + 61 * SECOND), &mut out), Answer::Keep);
    assert_eq!(whole(&out, &["nodesieve", "dropped"]), Some(3));
    assert_eq!(recalled(&feed(&mut engine, "web-2", "ERROR too", 62_000).unwrap()), 1);
    engine.tick(b"{}", Now(START + 63 * SECOND), &mut out);
    assert_eq!(
        engine.tick(b"{}", Now(START + 130 * SECOND), &mut out),
        Answer::Drop,
        "there is nothing left to report"
    );
}

#[test]
fn what_may_come_back_is_dropped_when_the_filter_ends() {
    let mut first = engine(&rules(GUARD));
    (0..3).for_each(|n| assert_eq!(feed(&mut first, "web-1", "debug", n), None));
    let saved = first.state_to_save(Now(START)).unwrap();
    let mut second = engine(&rules(GUARD));
    second.restore(&saved).unwrap();
    assert_eq!(recalled(&feed(&mut second, "web-1", "ERROR", 10).unwrap()), 0);
    let mut out = Vec::new();
    second.tick(b"{}", Now(START), &mut out);
    assert_eq!(second.tick(b"{}", Now(START + 61 * SECOND), &mut out), Answer::Keep);
    assert_eq!(whole(&out, &["nodesieve", "dropped"]), Some(3));
}

#[test]
fn shown_numbers_never_go_back() {
    let mut engine = engine(&rules(GUARD));
    let mut last: Vec<(String, u64)> = Vec::new();
    for n in 0..40u64 {
        feed(&mut engine, "web-1", if n % 7 == 6 { "ERROR" } else { "debug" }, n);
        let text = engine.quick.render_metrics("0", Now(START));
        let counters = text.lines().filter(|line| line.starts_with("nodesieve_") && line.contains("_total"));
        let now: Vec<(String, u64)> = counters
            .map(|line| {
                line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().unwrap())).unwrap()
            })
            .collect();
        for (name, value) in &last {
            let found = now.iter().find(|(other, _)| other == name).unwrap();
            assert!(found.1 >= *value, "{name} {value} {}", found.1);
        }
        last = now;
        let number = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
            line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()
        };
        let sum = number("nodesieve_records_kept_total") + number("nodesieve_records_dropped_total");
        let seen = number("nodesieve_records_seen_total");
        assert_eq!((sum + number("nodesieve_records_held"), seen), (seen, n + 1));
    }
}

#[test]
fn a_lift_keeps_what_would_be_sampled_of_its_key_for_its_time_and_within_its_rate() {
    let guard =
        "guards: [{ name: errors, when: { message: ERROR }, lift: { for: 10s, by: pod, rate: 3/s } }]\n";
    let mut engine = engine(&rules(guard));
    let kept = |engine: &mut BothWays, pod: &str, from: u64| {
        (0..10).filter(|n| feed(engine, pod, "few", from + n).is_some()).count()
    };
    assert_eq!((kept(&mut engine, "web-1", 0), kept(&mut engine, "web-2", 20)), (1, 1));
    feed(&mut engine, "web-1", "ERROR", 40).unwrap();
    assert_eq!((kept(&mut engine, "web-1", 50), kept(&mut engine, "web-2", 60)), (3, 0));
    let lifted = feed(&mut engine, "web-1", "few", 5_000).unwrap();
    assert!(lifted.contains("\"nodesieve\":{\"rule\":\"errors\",\"lifted\":true}"), "{lifted}");
    // What a rule drops for a reason stays dropped.
    assert_eq!(feed(&mut engine, "web-1", "debug", 5_001), None);
    assert_eq!(kept(&mut engine, "web-1", 10_041), 0, "it is over");
    assert_eq!(engine.counters().get(Metric::Lifted), 4);
}

#[test]
fn a_lift_by_trace_reaches_other_pods_and_nothing_without_an_id() {
    let guard = "guards: [{ name: errors, when: { message: ERROR }, lift: { by: trace_id } }]\n";
    let mut engine = engine(&rules(guard));
    let line = |what: &str, id: &str| format!("{what} trace_id={id}");
    let (one, other) = ("0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319d");
    for pod in ["web-1", "web-2"] {
        feed(&mut engine, pod, "few", 0).unwrap();
    }
    feed(&mut engine, "web-1", &line("ERROR", one), 1).unwrap();
    assert!(feed(&mut engine, "web-2", &line("few", one), 2).is_some());
    assert!(feed(&mut engine, "web-2", &line("few", other), 3).is_none());
    assert!(feed(&mut engine, "web-2", "few", 4).is_none());
    feed(&mut engine, "web-1", "ERROR without an id", 5).unwrap();
    assert!(feed(&mut engine, "web-1", "few", 6).is_none());
}

#[test]
fn what_is_held_is_bounded_and_a_flood_gives_up_its_own_first() {
    let mut engine = engine(&rules(
        "guards: [{ name: errors, when: { message: ERROR }, recall: { lines: 1000, bytes: 256KiB } }]\n",
    ));
    feed(&mut engine, "quiet", "debug of the quiet one", 0);
    let long = format!("debug {}", "x".repeat(2000));
    let mut out = Vec::new();
    for n in 0..6000u64 {
        let tag = format!("kube.var.log.containers.p{}_flood_app-0a.log", n % 400);
        let text = format!("{{\"log\":\"{long}\"}}");
        let input = Input { tag: tag.as_bytes(), time: EventTime { sec: 5, nsec: 0 }, text: text.as_bytes() };
        engine.filter(input, &mut Now(START), &mut NoPods, &mut out);
    }
    assert!(engine.counters().get(Metric::Held) <= (4 << 20) / 2000);
    assert_eq!(recalled(&feed(&mut engine, "quiet", "ERROR", 1).unwrap()), 1);
}

/// Found by a reader: a guard's ceiling that holds while metadata is missing counted what may come back on a key too.
#[test]
fn what_nobody_knows_a_rule_for_is_counted_once_where_lines_may_come_back() {
    let guards = "guards: [{ name: errors, when: { message: ERROR }, recall: { lines: 50 } }, \
        { name: web, when: { labels: 'app=web' }, ceiling: { rate: 1/s, by: pod } }]\n";
    let mut engine = engine(&rules(guards));
    let mut reported = 0;
    for n in 0..30u64 {
        let line = if n % 10 == 9 { "ERROR" } else { "few" };
        if let Some(record) = feed(&mut engine, "web-1", line, n * 400) {
            reported += whole(record.as_bytes(), &["nodesieve", "count"]).unwrap_or(1) + recalled(&record);
        }
    }
    let open: u64 = engine.counters().rules().iter().map(|row| row.unreported.open.records).sum();
    assert_eq!(reported + open, 30);
}

proptest! {
    #[test]
    fn every_line_is_kept_recalled_counted_or_summed_up_once(
        lines in prop::collection::vec((0..3usize, prop_oneof![4 => Just("debug"), 3 => Just("few"), 1 => Just("ERROR"), 1 => Just("plain")], 0u64..20), 1..120),
        reload in 0usize..120,
    ) {
        let guard = "guards: [{ name: errors, when: { message: ERROR }, ceiling: { rate: 2/s, burst: 3 }, lift: { for: 2s, rate: 2/s }, recall: { lines: 4, bytes: 1KiB } }]\n";
        let mut engine = engine(&rules(guard));
        let (mut millis, mut reported) = (0u64, 0u64);
        let mut out = Vec::new();
        for (n, (pod, line, pause)) in lines.iter().enumerate() {
            millis += pause * 500;
            if let Some(record) = feed(&mut engine, &format!("web-{pod}"), line, millis) {
                reported += whole(record.as_bytes(), &["nodesieve", "count"]).unwrap_or(1) + recalled(&record);
            }
            if n == reload {
                engine.replace_rules(crate::config::load(&rules("")).unwrap().rules);
            }
            if engine.tick(b"{}", Now(START + millis * 1_000_000), &mut out) == Answer::Keep {
                reported += whole(&out, &["nodesieve", "dropped"]).unwrap();
            }
            let open: u64 = engine.counters().rules().iter().map(|row| row.unreported.open.records).sum();
            prop_assert_eq!(reported + open, n as u64 + 1);
        }
    }
}
