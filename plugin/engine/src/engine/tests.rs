//! Laws of the pipeline; what single features do is in host-test/cases.

mod bills;
mod both_ways;
mod clocks;
mod hostile;
mod lasting;
mod lifting;
mod measuring;
mod redacting;
mod reference;
mod tap;
mod teams;
mod tenants;
mod traffic;
mod volume;

use super::*;
use crate::config::load;
use crate::metrics::Metric;
use crate::pods::Unavailable;
use both_ways::BothWays;
use proptest::prelude::*;

struct NoPods;

impl PodSource for NoPods {
    fn read(&mut self, _: &str, _: &mut Vec<u8>) -> Result<(), Unavailable> {
        Err(Unavailable::Missing)
    }
}

const RULES: &str = "version: 1\n\
    guards:\n  - { name: errors, when: { severity: '>=error' } }\n\
    rules:\n  - { name: noise, when: { message: noise }, drop: {}, reason: test }\n  \
    - { name: half, when: { stream: stdout }, sample: { rate: 1/2 } }\n  \
    - { name: batch, when: { workload: batch-* }, drop: {}, reason: test }\n";

const TEXTS: &str = "version: 1\n\
    rules:\n  - { name: two, when: { message: 'nabc cab0' }, drop: {}, reason: test }\n  \
    - { name: not, when: { message: 'ncab -abn0' }, drop: {}, reason: test }\n  \
    - { name: one, when: { message: abn0, stream: stdout }, drop: {}, reason: test }\n  \
    - { name: some, when: { message: '?cab0a ?nabcn' }, first: { n: 2, per: 60s } }\n  \
    - { name: columns, when: { message: '[a, b = nabc*, ...]' }, keep: {} }\n  \
    - { name: quote, when: { message: '\"a\\\"nabc\"' }, sample: { rate: 1/2 } }\n  \
    - { name: last, when: { message: nabc }, limit: { rate: 5/s } }\n";

fn engine(rules: &str) -> BothWays {
    BothWays::new(load(rules).unwrap().rules, 7)
}

fn input(text: &str) -> Input<'_> {
    Input {
        tag: b"kube.var.log.containers.p_n_c-0a.log",
        time: EventTime { sec: 5, nsec: 0 },
        text: text.as_bytes(),
    }
}

fn any_record() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(r#"{"log":"noise"}"#.to_owned()),
        Just(r#"{"log":"ERROR noise"}"#.to_owned()),
        Just(r#"{"log":"  at x","stream":"stdout"}"#.to_owned()),
        Just(r#"{"log":"hello","stream":"stdout"}"#.to_owned()),
        Just(r#"{"log":"hello","stream":"stderr"}"#.to_owned()),
        Just("[broken".to_owned()),
        Just("{}".to_owned()),
    ]
}

proptest! {
    #[test]
    fn every_record_is_counted_once_and_the_rows_add_up(records in prop::collection::vec(any_record(), 0..60)) {
        let mut engine = engine(RULES);
        let mut out = Vec::new();
        let (mut kept, mut dropped) = (0u64, 0u64);
        for text in &records {
            match engine.filter(input(text), &mut Now(5_000_000_000), &mut NoPods, &mut out).0 {
                Answer::Drop => dropped += 1,
                Answer::Keep | Answer::Echo => kept += 1,
            }
        }
        let counters = engine.counters();
        prop_assert_eq!((counters.get(Metric::Kept), counters.get(Metric::Dropped)), (kept, dropped));
        prop_assert_eq!(counters.get(Metric::Seen), records.len() as u64);
        let sum = |part: fn(&crate::metrics::RuleCount) -> u64| counters.rules().iter().map(part).sum::<u64>();
        prop_assert_eq!(sum(|row| row.matched()), records.len() as u64);
        prop_assert_eq!((sum(|row| row.kept), sum(|row| row.dropped)), (kept, dropped));
        let faults = counters.get(Metric::FaultRecord);
        let read = counters.get(Metric::Enriched) + counters.get(Metric::MetadataMissing) + counters.get(Metric::NoContainerTag);
        prop_assert_eq!(read + faults, kept);
    }

    #[test]
    fn the_same_seed_gives_the_same_verdicts(records in prop::collection::vec(any_record(), 0..60)) {
        let verdicts = |seed| {
            let mut engine = Engine::new(load(RULES).unwrap().rules, seed);
            let decide = |text: &String| engine.filter(input(text), &mut Now(5), &mut NoPods, &mut Vec::new()).1;
            records.iter().map(decide).collect::<Vec<_>>()
        };
        prop_assert_eq!(verdicts(3), verdicts(3));
    }

    /// What one search has found of the texts of all rules is not searched for again. The engine that is compared searches for each.
    #[test]
    fn a_text_that_was_found_decides_as_a_search_for_it_does(
        lines in prop::collection::vec("(nabc|cab0|ncab|abn0|[abcn0\"\n\u{1} ]){0,12}", 1..40),
    ) {
        let mut engine = engine(TEXTS);
        for line in &lines {
            // A line of JSON stands for itself, so that it is decided at a glance.
            for log in [line.clone(), serde_json::json!({ "m": line }).to_string()] {
                let record = serde_json::json!({ "log": log }).to_string();
                engine.filter(input(&record), &mut Now(5_000_000_000), &mut NoPods, &mut Vec::new());
            }
        }
    }

    #[test]
    fn an_explanation_is_the_verdict_of_the_record_alone(text in any_record()) {
        let explained = engine(RULES).quick.explain(input(&text), Now(5), &mut NoPods);
        let verdict = engine(RULES).filter(input(&text), &mut Now(5), &mut NoPods, &mut Vec::new()).1;
        match explained {
            Ok(explained) => {
                prop_assert_eq!(explained.why, verdict.why);
                prop_assert!(explained.action.is_none_or(|action| action == verdict.action));
            }
            Err(fault) => prop_assert_eq!(verdict.why, Why::Fault(fault)),
        }
    }
}

#[test]
fn rules_that_share_a_bit_of_the_search_do_not_share_what_is_found() {
    let rule = |n: usize| {
        format!("  - {{ name: r{n}, when: {{ message: text{n:03} }}, drop: {{}}, reason: test }}\n")
    };
    let rules: String = (0..90).map(rule).collect();
    let mut engine = engine(&format!("version: 1\nrules:\n{rules}"));
    for n in 0..90 {
        let record = format!(r#"{{"log":"a text{n:03} in it"}}"#);
        engine.filter(input(&record), &mut Now(5_000_000_000), &mut NoPods, &mut Vec::new());
    }
    assert!(
        engine.counters().rules().iter().filter(|row| row.name.starts_with('r')).all(|row| row.dropped == 1)
    );
}

#[test]
fn counters_outlive_a_change_of_rules() {
    let mut engine = engine(RULES);
    engine.filter(input(r#"{"log":"noise"}"#), &mut Now(5), &mut NoPods, &mut Vec::new());
    engine.replace_rules(load("version: 1\nrules: [{ name: noise, keep: {} }]\n").unwrap().rules);
    engine.filter(input(r#"{"log":"noise"}"#), &mut Now(5), &mut NoPods, &mut Vec::new());
    let rows = engine.counters().rules();
    let noise = rows.iter().find(|row| &*row.name == "noise").unwrap();
    assert_eq!((noise.matched(), noise.kept, noise.dropped), (2, 1, 1));
}

#[test]
fn a_trace_stays_whole_over_a_change_of_rules() {
    let guarded = "version: 1\nguards: [{ name: errors, when: { severity: '>=error' } }]\ndefaults: { no_match: drop }\n";
    let mut engine = engine(guarded);
    let answer = |engine: &mut BothWays, text: &str| {
        engine.filter(input(text), &mut Now(5), &mut NoPods, &mut Vec::new())
    };
    assert_eq!(answer(&mut engine, r#"{"log":"ERROR x"}"#).0, Answer::Keep);
    let with_another = guarded.replace("guards: [", "guards: [{ name: new, when: { message: never } }, ");
    engine.replace_rules(load(&with_another).unwrap().rules);
    assert_eq!(
        answer(&mut engine, r#"{"log":"  at y"}"#),
        (Answer::Keep, Verdict { action: Action::Keep, why: Why::Guard(1) })
    );
    let without = "version: 1\ndefaults: { no_match: drop }\nrules: [{ name: new, when: { message: never }, keep: {} }]\n";
    engine.replace_rules(load(without).unwrap().rules);
    assert_eq!(
        answer(&mut engine, r#"{"log":"  at z"}"#).1,
        Verdict { action: Action::Keep, why: Why::NoMatch }
    );
    assert_eq!(answer(&mut engine, r#"{"log":"ERROR x"}"#).0, Answer::Drop);
}

#[test]
fn a_dropped_record_costs_no_lookup() {
    let mut engine = engine(RULES);
    engine.filter(input(r#"{"log":"noise"}"#), &mut Now(5), &mut NoPods, &mut Vec::new());
    assert_eq!(engine.counters().get(Metric::PodMissing), 0);
    engine.filter(input(r#"{"log":"kept"}"#), &mut Now(5), &mut NoPods, &mut Vec::new());
    assert_eq!(engine.counters().get(Metric::PodMissing), 1);
}

/// Guarantees: without a key the generator draws, so a missing trace id neither drops all nor keeps all.
#[test]
fn records_without_a_key_are_sampled_by_chance() {
    let rules = "version: 1\nrules: [{ name: half, sample: { rate: 1/2, by: trace_id, else_by: $.user } }]\n";
    let mut engine = engine(rules);
    let mut kept = |text: &str| {
        (0..1000)
            .filter(|_| {
                engine.filter(input(text), &mut Now(5), &mut NoPods, &mut Vec::new()).0 == Answer::Keep
            })
            .count()
    };
    assert!((420..=580).contains(&kept(r#"{"log":"no id"}"#)));
    assert!([0, 1000].contains(&kept(r#"{"log":"{\"user\":\"u-17\"}"}"#)), "one key, one decision");
}
