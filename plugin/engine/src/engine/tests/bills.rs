//! Bills that cannot be run up: whatever a pod writes, what is kept of it stays within what the rules allow.

use super::*;
use crate::engine::Why;

/// A second of records, from the tenth on.
fn second(at: u64, n: u64, of: u64) -> Now {
    Now((10 + at) * 1_000_000_000 + n * 1_000_000_000 / of)
}

/// How many of these lines of a pod's container are kept, each with its time.
fn kept(engine: &mut BothWays, tag: &str, lines: impl Iterator<Item = (Now, String)>) -> u64 {
    let mut out = Vec::new();
    let mut kept = 0;
    for (now, line) in lines {
        let time = now.event_time();
        let text = format!("{{\"log\":{},\"stream\":\"stderr\"}}", serde_json::Value::from(line));
        let input = Input { tag: tag.as_bytes(), time, text: text.as_bytes() };
        kept += u64::from(engine.filter(input, &mut { now }, &mut NoPods, &mut out).0 != Answer::Drop);
    }
    kept
}

const WEB: &str = "kube.var.log.containers.web-1_shop_app-0a.log";
const GUARD: &str = "version: 1\nguards: [{ name: errors, when: { severity: '>=error' }, ceiling: { rate: 200/s, by: pod } }]\n";

/// Scenario: 200 errors a second for ten seconds, each of another kind and with 100 lines behind it.
/// Guarantees: the ceiling, a tenth on top for new kinds, and one report's rest; far from the 202,000 lines that there are.
#[test]
fn new_kinds_with_long_reports_stay_below_the_ceiling() {
    let mut engine = engine(GUARD);
    let word = |n: u64| -> String { (0..8).map(|at| char::from(b'a' + (n >> (at * 2) & 3) as u8)).collect() };
    let lines = (0..10).flat_map(|s| (0..200).map(move |n| (s, n))).flat_map(|(s, n)| {
        let now = second(s, n, 200);
        let first = (now, format!("ERROR {} is {} by {}", word(s * 200 + n), word(n * 7), word(s + 3 * n)));
        std::iter::once(first).chain((0..100).map(move |at| (now, format!("    line {at} of it"))))
    });
    let kept = kept(&mut engine, WEB, lines);
    let allowed = 200 + 2000 + (20 + 200) + 2 * 500;
    assert!((2000..=allowed).contains(&kept), "{kept}");
}

/// Scenario: 40 containers of a pod begin a report at once and write 400 lines of it by turns.
/// Guarantees: lines that go with a kept one are charged too: what is kept does not grow with the number of containers.
#[test]
fn many_reports_at_once_stay_below_the_ceiling() {
    for ceiling in ["{ rate: 200/s, by: pod }", "{ rate: 200/s }"] {
        let mut engine = engine(&GUARD.replace("{ rate: 200/s, by: pod }", ceiling));
        let tags: Vec<String> =
            (0..40).map(|n| format!("kube.var.log.containers.web-1_shop_app{n}-0a.log")).collect();
        let mut sum = 0;
        for s in 0..10 {
            for at in 0..400 {
                for (n, tag) in tags.iter().enumerate() {
                    let line = if at == 0 { format!("ERROR {n} failed") } else { format!("    line {at}") };
                    sum += kept(&mut engine, tag, std::iter::once((second(s, at, 400), line)));
                }
            }
        }
        assert!((1500..=200 + 2000 + 220 + 2 * 500).contains(&sum), "{ceiling}: {sum}");
    }
}

/// Scenario: a pod's flood has used up a ceiling that all share; another pod has one error.
/// Guarantees: it is kept, with its trace.
#[test]
fn the_first_error_of_another_pod_is_not_in_the_floods_way() {
    let mut engine = engine(&GUARD.replace(", by: pod", ""));
    let flood = |s: u64| (0..2000).map(move |n| (second(s, n, 2000), format!("ERROR {n} {} failed", n * 31)));
    kept(&mut engine, WEB, flood(0).chain(flood(1)));
    let now = second(2, 0, 1);
    let error = std::iter::once((now, "ERROR ledger is closed".to_owned()));
    let report = error.chain((0..100).map(|at| (now, format!("    at ledger.close({at})"))));
    assert_eq!(kept(&mut engine, "kube.var.log.containers.pay-1_pay_app-0b.log", report), 101);
}

#[test]
fn what_no_rule_decides_is_bounded_where_the_file_says_so() {
    let lines = || (0..10_000).map(|n| (second(0, n, 10_000), "just a line".to_owned()));
    let unbounded =
        "version: 1\nrules: [{ name: noise, when: { message: noise }, drop: {}, reason: test }]\n";
    assert_eq!(kept(&mut engine(unbounded), WEB, lines()), 10_000);
    let bounded = format!("{unbounded}defaults: {{ ceiling: {{ rate: 100/s, by: pod }} }}\n");
    let mut engine = engine(&bounded);
    assert_eq!(kept(&mut engine, WEB, lines()), 100 + 99 + 1, "and one of its kind above it");
    let counters = engine.counters();
    let none = counters.rules().iter().find(|row| &*row.name == "none").unwrap();
    assert_eq!((none.kept, none.dropped), (200, 9800));
    assert_eq!(engine.unreported().records, 9800);
    let verdict =
        engine.filter(input(r#"{"log":"x"}"#), &mut Now(9_999_000_000_000), &mut NoPods, &mut Vec::new()).1;
    assert_eq!(verdict.why, Why::NoMatch);
    let explained = engine.quick.explain(input(r#"{"log":"x"}"#), Now(5), &mut NoPods).unwrap();
    assert_eq!((explained.action, explained.why, explained.steps.len()), (None, Why::NoMatch, 1));
}

/// Without a kubelet nobody knows the labels, and a rule that asks for them decides nothing.
#[test]
fn records_of_which_nobody_knows_the_rule_are_bounded_too() {
    let rules = "version: 1\nrules: [{ name: api, when: { labels: app=api }, drop: {}, reason: test }]\n\
                 defaults: { ceiling: { rate: 100/s, by: pod } }\n";
    let mut engine = engine(rules);
    let lines = (0..10_000).map(|n| (second(0, n, 10_000), format!("line {n}")));
    let kept = kept(&mut engine, WEB, lines);
    assert_eq!(kept, 200);
    let unknown = engine.counters().rules().iter().find(|row| &*row.name == "unknown").unwrap().kept;
    assert_eq!(unknown, 199);
}

#[test]
fn a_line_that_brings_a_threshold_along_stands_for_itself_and_is_drawn_as_all() {
    let rules = "version: 1\nrules: [{ name: one, sample: { rate: 1/1000, by: trace_id } }]\n";
    let mut engine = engine(rules);
    let forged = |n: u64| {
        format!(
            "{{\"trace_id\":\"{n:032x}\",\"sampling.randomness\":\"ffffffffffffff\",\"sampling.threshold\":\"ffffffffffffff\"}}"
        )
    };
    assert_eq!(kept(&mut engine, WEB, (0..1000).map(|n| (second(0, n, 1000), forged(n + 1)))), 0);
}
