//! Volume: who makes how much, with sums that are the filter's own totals.

use super::both_ways::BothWays;
use super::{NoPods, engine};
use crate::engine::{Answer, Input};
use crate::metrics::Metric;
use crate::time::{EventTime, Now};

const START: u64 = 1_795_168_800_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// A record of a pod in a namespace, at a time.
fn feed(engine: &mut BothWays, namespace: &str, text: &str, now: Now) -> Answer {
    let tag = format!("kube.var.log.containers.web-1_{namespace}_app-0a.log");
    let input = Input { tag: tag.as_bytes(), time: EventTime::default(), text: text.as_bytes() };
    engine.filter(input, &mut { now }, &mut NoPods, &mut Vec::new()).0
}

/// A number of the metrics file, summed over the series that have these labels.
fn sum(engine: &mut BothWays, name: &str, label: &str) -> u64 {
    let text = engine.render_metrics("0", Now(START));
    let lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(label));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

const RULES: &str = "version: 1\nstate: { dir: off }\nvolume: { by: namespace }\n\
    rules: [{ name: noise, when: { message: noise }, drop: {}, reason: test }]\n";

/// Guarantees: each record that was seen is counted once, broken ones too, and the sums are the totals.
#[test]
fn the_sums_are_the_totals() {
    let mut engine = engine(RULES);
    for n in 0..400u64 {
        let namespace = ["shop", "bank", "batch"][n as usize % 3];
        let text = match n % 5 {
            0 => r#"{"log":"noise"}"#.to_owned(),
            1 => "[broken".to_owned(),
            _ => format!(r#"{{"log":"line {n}","stream":"stdout"}}"#),
        };
        feed(&mut engine, namespace, &text, Now(START + n * SECOND / 50));
    }
    let input = Input { tag: b"\xff", time: EventTime::default(), text: br#"{"log":"x"}"# };
    engine.filter(input, &mut Now(START), &mut NoPods, &mut Vec::new());
    engine.both(|engine| engine.count_untouched(Metric::FaultNull, 7, 9));
    let totals = [Metric::Kept, Metric::Dropped, Metric::BytesIn, Metric::BytesOut]
        .map(|metric| engine.counters().get(metric));
    let records = "nodesieve_volume_records_total";
    assert_eq!(
        [
            sum(&mut engine, records, "outcome=\"kept\""),
            sum(&mut engine, records, "outcome=\"dropped\""),
            sum(&mut engine, "nodesieve_volume_bytes_total", ""),
            sum(&mut engine, "nodesieve_volume_sent_bytes_total", ""),
        ],
        totals
    );
    assert_eq!(sum(&mut engine, records, "namespace=\"shop\""), 134);
    assert_eq!(sum(&mut engine, records, "namespace=\"\""), 2);
}

/// Guarantees: what leaves of a container in one flush is billed as one record, in steps of 5 KB.
#[test]
fn a_flush_is_billed_in_steps() {
    let mut engine = engine(RULES);
    let text = format!(r#"{{"log":"{}"}}"#, "x".repeat(2000));
    let billed = |engine: &mut BothWays| sum(engine, "nodesieve_volume_billed_bytes_total", "");
    feed(&mut engine, "shop", &text, Now(START));
    assert_eq!(billed(&mut engine), 5120);
    feed(&mut engine, "shop", &text, Now(START + SECOND));
    assert_eq!(billed(&mut engine), 5120);
    feed(&mut engine, "shop", &text, Now(START + 4 * SECOND));
    assert_eq!(billed(&mut engine), 2 * 5120);
    feed(&mut engine, "shop", &text, Now(START + 5 * SECOND));
    feed(&mut engine, "bank", &text, Now(START + 5 * SECOND));
    assert_eq!(billed(&mut engine), 4 * 5120);
    feed(&mut engine, "shop", r#"{"log":"noise"}"#, Now(START + 11 * SECOND));
    assert_eq!(billed(&mut engine), 4 * 5120, "what is dropped is not billed");
}

#[test]
fn namespaces_without_end_are_one_from_the_limit_on() {
    let mut engine = engine(&RULES.replace("by: namespace", "by: namespace, max_series: 5"));
    for n in 0..3000u64 {
        feed(&mut engine, &format!("n{n}"), r#"{"log":"x"}"#, Now(START + n));
    }
    assert_eq!(sum(&mut engine, "nodesieve_volume_records_total", "namespace=\"other\""), 2995);
    assert_eq!(sum(&mut engine, "nodesieve_volume_records_total", ""), 3000);
}

/// Guarantees: each summary says what came since the one before, also when nothing was dropped, and all of them add up; a successor
/// tells nothing twice and loses nothing that was saved.
#[test]
fn summaries_say_what_came_since_the_last() {
    let source = "version: 1\nvolume: {}\nrules: [{ name: noise, when: { message: noise }, drop: {}, reason: test }]\n";
    let mut told = 0;
    let mut summary = |engine: &mut BothWays, at: u64| -> u64 {
        let mut out = Vec::new();
        if engine.tick(b"{\"node\":\"n\"}", Now(START + at * SECOND), &mut out) == Answer::Drop {
            return 0;
        }
        engine.summary_taken();
        let summary: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let volume = summary["nodesieve"]["volume"].as_array().unwrap();
        let records = volume
            .iter()
            .map(|entry| entry["kept"].as_u64().unwrap() + entry["dropped"].as_u64().unwrap())
            .sum();
        told += records;
        records
    };
    let mut first = engine(source);
    assert_eq!(summary(&mut first, 0), 0);
    for n in 0..10 {
        feed(&mut first, "shop", r#"{"log":"x"}"#, Now(START + n));
    }
    assert_eq!(summary(&mut first, 61), 10);
    assert_eq!(summary(&mut first, 122), 0, "nothing has come");
    for n in 0..7 {
        feed(&mut first, "shop", r#"{"log":"noise"}"#, Now(START + n));
    }
    assert_eq!(summary(&mut first, 183), 7);
    let saved = first.state_to_save(Now(START + 200 * SECOND)).unwrap();
    let mut second = engine(source);
    second.restore(&saved).unwrap();
    assert_eq!(sum(&mut second, "nodesieve_volume_records_total", "workload=\"\""), 17);
    summary(&mut second, 300);
    feed(&mut second, "shop", r#"{"log":"x"}"#, Now(START + 301 * SECOND));
    assert_eq!(summary(&mut second, 362), 1);
    assert_eq!(told, 18);
}
