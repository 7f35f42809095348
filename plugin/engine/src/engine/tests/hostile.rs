//! What breaks limits and sums when nobody thinks of it: late files read by turns, clocks that go back, floods of keys,
//! records that look like ours. And everything at once, at random, against the one equation.

use super::both_ways::BothWays;
use super::traffic::{SECOND, START, whole, with};
use super::{NoPods, engine};
use crate::config::load;
use crate::engine::{Answer, Input, Why};
use crate::json::{Level, Outline};
use crate::pods::{PodSource, Unavailable};
use crate::time::{EventTime, Now};

const TAG: &str = "kube.var.log.containers.p_n_c-0a.log";
const DAY: u64 = 86_400 * SECOND;

/// Feeds one record; whether it is kept, and what goes on.
fn put(engine: &mut BothWays, tag: &str, text: &str, event: u64, now: u64) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let time = EventTime { sec: (event / SECOND) as u32, nsec: (event % SECOND) as u32 };
    let input = Input { tag: tag.as_bytes(), time, text: text.as_bytes() };
    (engine.filter(input, &mut Now(now), &mut NoPods, &mut out).0 != Answer::Drop).then_some(out)
}

/// Scenario: two files of one key, one 100 s late and one 61 s, read by turns.
/// Guarantees: the step forward from one to the other opens no new window and fills no bucket.
#[test]
fn late_files_that_are_read_by_turns_share_one_clock() {
    for (policy, most) in [
        ("first: { n: 1, per: 10s }", 6),
        ("dedup: { window: 30s }", 3),
        ("limit: { rate: 1/s, burst: 5 }", 5 + 40 + 10),
        ("target: { rate: 1/s }", 200),
    ] {
        let mut engine = with(policy);
        let kept = (0..10_000u64)
            .filter(|n| {
                let now = START + n * 1_000_000;
                let late = if n % 2 == 0 { 100 } else { 61 };
                put(&mut engine, TAG, r#"{"log":"same text"}"#, now - late * SECOND, now).is_some()
            })
            .count();
        assert!((1..=most).contains(&kept), "{policy}: {kept}");
    }
}

/// Scenario: a file is read to its end, and half an hour later an older one of the same key.
#[test]
fn a_late_file_behind_a_newer_one_has_the_rate_of_the_time_in_between() {
    let mut engine = with("limit: { rate: 1/s, burst: 5 }");
    let mut kept = |now: u64, late: u64| {
        (0..100)
            .filter(|_| put(&mut engine, TAG, r#"{"log":"x"}"#, now - late * SECOND, now).is_some())
            .count()
    };
    assert_eq!(kept(START, 3600), 5);
    assert_eq!(kept(START, 7200), 0);
    assert_eq!(kept(START + 1800 * SECOND, 3600 + 3600), 5);
}

#[test]
fn a_floor_opens_again_after_the_clock_was_set_back() {
    let mut engine = with("first: { n: 1, per: 7d }, floor: { per: 10s, by: pod }");
    let mut at = |now: u64| put(&mut engine, TAG, r#"{"log":"x"}"#, now, now).is_some();
    assert!(at(START + DAY) && !at(START));
    assert_eq!((0..3600).filter(|second| at(START + second * SECOND)).count(), 359);
}

#[test]
fn a_clock_set_back_over_midnight_opens_no_second_day() {
    let mut engine = with("budget: { spend: 1kB/day, by: pod }");
    let mut fill = |now: u64| {
        let text = format!("{{\"log\":\"{}\"}}", "x".repeat(50));
        (0..100).filter(|_| put(&mut engine, TAG, &text, now, now).is_some()).count()
    };
    let midnight = START / DAY * DAY;
    assert!(fill(midnight + SECOND) > 3);
    assert_eq!((fill(midnight - SECOND), fill(midnight + 2 * SECOND)), (0, 0));
    assert!(fill(midnight + DAY) > 3);
}

/// A shadow does not know how large the record will be with its metadata; it counts what came.
#[test]
fn a_budget_in_the_shadow_spends_too() {
    let mut engine = with("budget: { spend: 1kB/day, by: pod }, mode: shadow");
    let text = format!("{{\"log\":\"{}\"}}", "x".repeat(40));
    for _ in 0..100 {
        assert!(put(&mut engine, TAG, &text, START, START).is_some());
    }
    assert_eq!(engine.counters().shadows()[0].dropped, 80, "50 bytes each");
}

#[test]
fn what_stands_under_our_key_is_not_taken_for_ours() {
    for policy in ["limit: { rate: 1000/s }", "keep: {}"] {
        let mut engine = with(policy);
        let text = r#"{"log":"x","nodesieve":{"rule":"it","count":1000000}}"#;
        let out = put(&mut engine, TAG, text, START, START).unwrap();
        assert_eq!(whole(&out, &["nodesieve", "count"]), None, "{}", String::from_utf8_lossy(&out));
        assert!(out.starts_with(br#"{"log":"x","kubernetes""#) && out.ends_with(br#","nodesieve":{}}"#));
    }
}

/// Scenario: one rule's keys fill all slots and are idle ever after.
#[test]
fn idle_keys_make_room_for_other_rules() {
    let mut engine = engine(
        "version: 1\ndefaults: { max_keys: 65536 }\nrules:\n\
         - { name: users, when: { message: hello }, limit: { rate: 1000/s, by: $.u } }\n\
         - { name: pods, limit: { rate: 1/s, burst: 1, by: pod } }\n",
    );
    for n in 0..65_536 {
        put(&mut engine, TAG, &format!("{{\"log\":\"hello\",\"u\":{n}}}"), START, START);
    }
    let mut kept = 0;
    for second in 0..100 {
        let now = START + DAY + second * SECOND;
        engine.tick(b"{}", Now(now), &mut Vec::new());
        for pod in 0..10 {
            let tag = TAG.replace("p_n", &format!("p{pod}_n"));
            kept += u32::from(put(&mut engine, &tag, r#"{"log":"x"}"#, now, now).is_some());
        }
    }
    assert_eq!(kept, 1000);
}

#[test]
fn what_keys_without_a_slot_have_spent_survives() {
    let rules = "version: 1\ndefaults: { max_keys: 1 }\nrules: [{ name: paid, budget: { spend: 1kB/day, by: $.u } }]\n";
    let mut first = engine(rules);
    let mut number = 0;
    let mut kept = |engine: &mut BothWays| {
        let feed = |_: &u32| {
            number += 1;
            put(engine, TAG, &format!("{{\"log\":\"{}\",\"u\":{number}}}", "x".repeat(50)), START, START)
                .is_some()
        };
        (0..100).filter(feed).count()
    };
    assert!(kept(&mut first) > 3);
    let saved = first.state_to_save(Now(START)).unwrap();
    let mut second = engine(rules);
    second.restore(&saved).unwrap();
    assert_eq!(kept(&mut second), 0);
    first.replace_rules(load(&rules.replace("1kB", "1001B")).unwrap().rules);
    assert_eq!(kept(&mut first), 0, "nor does a change of the budget make them new");
    first.replace_rules(load(&rules.replace("$.u", "pod")).unwrap().rules);
    assert!(kept(&mut first) > 3, "other keys are others");
}

/// Scenario: two namespaces with more spenders than places, of which one has spent what those without a place have.
/// Guarantees: the other one has not, and both is so after a restart; what an older version saved is read.
#[test]
fn what_keys_without_a_slot_have_spent_is_their_own_namespaces() {
    let rules = "version: 1\ndefaults: { max_keys: 2 }\nrules: [{ name: paid, budget: { spend: 1kB/day, by: $.u } }]\n";
    let mut number = 0;
    let mut kept = |engine: &mut BothWays, namespace: &str, records: u64| {
        let tag = TAG.replace("p_n", &format!("p_{namespace}"));
        let feed = |_: &u64| {
            number += 1;
            put(engine, &tag, &format!("{{\"log\":\"{}\",\"u\":{number}}}", "x".repeat(50)), START, START)
                .is_some()
        };
        (0..records).filter(feed).count()
    };
    let mut first = engine(rules);
    assert!(kept(&mut first, "loud", 100) > 3);
    assert_eq!((kept(&mut first, "loud", 9), kept(&mut first, "quiet", 3)), (0, 3));
    let saved = first.state_to_save(Now(START)).unwrap();
    let mut second = engine(rules);
    second.restore(&saved).unwrap();
    assert_eq!((kept(&mut second, "loud", 9), kept(&mut second, "quiet", 1)), (0, 1));
    let before: String = saved
        .lines()
        .map(|line| {
            line.split(",\"namespace\"").next().unwrap().to_owned()
                + &match line.split_once(",\"day\"") {
                    Some((_, day)) if line.contains("namespace") => format!(",\"day\"{day}\n"),
                    _ => "\n".to_owned(),
                }
        })
        .collect();
    assert!(!before.contains("namespace") && before.contains("other"));
    engine(rules).restore(&before).unwrap();
}

#[test]
fn a_flood_of_spenders_fits_into_the_saved_state_and_comes_back_in_time() {
    let rules = "version: 1\ndefaults: { max_keys: 65536 }\nrules: [{ name: paid, budget: { spend: 1kB/day, by: $.u } }]\n";
    let mut first = engine(rules);
    for n in 0..70_000 {
        let text = format!("{{\"log\":\"x\",\"u\":\"{n:06}{}\"}}", r"\u0001".repeat(120));
        put(&mut first, TAG, &text, START, START);
    }
    let saved = first.state_to_save(Now(START)).unwrap();
    assert!(saved.len() < 16 << 20, "{}", saved.len());
    assert!(saved.lines().count() > 65_536);
    // Would take minutes if each line looked at all others.
    engine(rules).restore(&saved).unwrap();
}

#[test]
fn no_rule_waits_for_its_turn_in_the_summaries_for_ever() {
    let rules: String = (0..30)
        .map(|n| {
            format!("{{ name: rule-number-{n:02}, when: {{ container: c{n} }}, drop: {{}}, reason: test }},")
        })
        .collect();
    let mut engine = engine(&format!("version: 1\ninput: {{ max_record: 1500 }}\nrules: [{rules}]\n"));
    let (mut said, mut out) = (String::new(), Vec::new());
    for second in 0..100 {
        let now = START + second * SECOND;
        for n in 0..30 {
            put(&mut engine, &TAG.replace("_c-", &format!("_c{n}-")), r#"{"log":"x"}"#, now, now);
        }
        if engine.tick(b"{}", Now(now), &mut out) == Answer::Keep {
            assert!(out.len() <= 1500);
            said += std::str::from_utf8(&out).unwrap();
        }
    }
    assert!((0..30).all(|n| said.contains(&format!("rule-number-{n:02}"))));
}

#[test]
fn a_long_reason_does_not_make_a_summary_larger_than_a_record() {
    let reason = "because ".repeat(1000);
    let mut engine = engine(&format!(
        "version: 1\ninput: {{ max_record: 1024 }}\nrules: [{{ name: it, drop: {{}}, reason: {reason} }}]\n"
    ));
    put(&mut engine, TAG, r#"{"log":"x"}"#, START, START);
    let mut out = Vec::new();
    engine.tick(b"{}", Now(START), &mut out);
    assert_eq!(engine.tick(b"{}", Now(START + 60 * SECOND), &mut out), Answer::Keep);
    assert!(out.len() <= 1024, "{}", out.len());
}

#[test]
fn a_restored_summary_is_checked_before_the_host_sees_it() {
    let saved = "{\"nodesieve_state\":1}\n{\"summary\":\"not json\"}\n{\"lines\":2}\n";
    assert!(with("keep: {}").restore(saved).is_err());
}

struct Pod(&'static str);

impl PodSource for Pod {
    fn read(&mut self, _: &str, into: &mut Vec<u8>) -> Result<(), Unavailable> {
        into.extend_from_slice(self.0.as_bytes());
        Ok(())
    }
}

#[test]
fn an_excluded_pod_is_excluded_whatever_is_unknown_about_it() {
    let rules = "version: 1\nexclude_annotations: true\n\
        rules: [{ name: old, when: { container_age: '>60s' }, drop: {}, reason: test }]\n";
    let pod = r#"{"version":1,"namespace":"n","pod":"p","annotations":{"fluentbit.io/exclude":"true"}}"#;
    let time = EventTime { sec: (START / SECOND) as u32, nsec: 0 };
    let input = Input { tag: TAG.as_bytes(), time, text: br#"{"log":"x","stream":"stdout"}"# };
    let verdict = engine(rules).filter(input, &mut Now(START), &mut Pod(pod), &mut Vec::new()).1;
    assert_eq!(verdict.why, Why::Exclude);
    assert_eq!(engine(rules).quick.explain(input, Now(START), &mut Pod(pod)).unwrap().why, Why::Exclude);
}

const POLICIES: [&str; 13] = [
    "keep: {}",
    "drop: {}, reason: x",
    "first: { n: 2, per: 5s, then: 1/7, by: $.u }",
    "first: { n: 2, per: 5s, by: [pod, $.u] }, floor: { per: 3s, by: $.u }",
    "limit: { rate: 1/s, burst: 3, by: $.u }",
    "limit: { rate: 200B/s, by: pod }, floor: { per: 2s }",
    "dedup: { window: 4s, by: $.u }",
    "dedup: { window: 4s }",
    "target: { rate: 2/s, by: $.u, interval: 1s }",
    "target: { rate: 2/s, by: $.u, interval: 1s }, floor: { per: 2s, by: pod }",
    "budget: { spend: 2kB/day, by: $.u }",
    "budget: { spend: 9kB/day, by: pod, soft: 0.1, over: { rate: 1/s, by: $.u, interval: 1s } }, floor: { per: 5s }",
    "sample: { rate: 1/3, by: $.u }",
];

fn any_rules(random: &mut fastrand::Rng) -> String {
    let mut rules = format!(
        "version: 1\ninput: {{ max_record: {} }}\ndefaults: {{ max_keys: {}, annotate: {}, no_match: {} }}\n\
         guards:\n- {{ name: g, when: {{ message: guard }}{} }}\nrules:\n",
        1024 + random.u64(..3) * 500,
        1 + random.u64(..6),
        random.u64(..4) != 0,
        random.choice(["drop", "keep", "keep"]).unwrap(),
        random.choice(["", ", ceiling: { rate: 1/s, burst: 2, by: $.u }"]).unwrap(),
    );
    for n in 0..random.u64(..4) {
        let policy = random.choice(POLICIES).unwrap();
        let shadow = if random.u64(..4) == 0 { ", mode: shadow" } else { "" };
        let word = random.u64(..3);
        rules += &format!("- {{ name: r{n}, when: {{ message: w{word} }}, {policy}{shadow} }}\n");
    }
    rules
}

/// Scenario: all policies, stack traces, late and early records, clocks that jump, rules that change, restarts at a tick.
/// Guarantees: at every moment what was seen is what the kept stand for, what was summed up, and what is unreported.
#[test]
fn the_equation_holds_whatever_happens() {
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut engine = engine(&any_rules(&mut random));
        let (mut seen, mut stood, mut summed, mut now) = (0, 0, 0, START);
        let mut out = Vec::new();
        for step in 0..2000 {
            now = match random.u64(..60) {
                0 => now - random.u64(..40) * SECOND,
                1 => now + random.u64(..90) * SECOND,
                2 => now + DAY,
                _ => now + random.u64(..SECOND),
            };
            match random.u64(..200) {
                0 | 1 => engine.replace_rules(load(&any_rules(&mut random)).unwrap().rules),
                2..=9 => {
                    if engine.tick(b"{\"node\":\"n\"}", Now(now), &mut out) == Answer::Keep {
                        assert!(Outline::of(&out, Level::Plain).is_some());
                        summed += whole(&out, &["nodesieve", "dropped"]).unwrap();
                    }
                }
                10 | 11 => {
                    let open = engine.unreported().records;
                    engine.both(|engine| engine.unsaved.counts = true);
                    let has_sent = !engine.quick.summaries.unconfirmed.is_empty();
                    let saved = engine.state_to_save(Now(now)).unwrap();
                    engine = super::engine(&any_rules(&mut random));
                    engine.restore(&saved).unwrap();
                    assert_eq!(engine.unreported().records, open, "seed {seed} step {step}");
                    // The copy of the last summary is not added.
                    let again = has_sent && engine.tick(b"{}", Now(now), &mut out) == Answer::Keep;
                    assert_eq!(again, has_sent);
                }
                _ => {
                    let event = match random.u64(..6) {
                        0 => now - 61 * SECOND - random.u64(..500) * SECOND,
                        1 => now + random.u64(..50) * SECOND,
                        _ => now,
                    };
                    let word =
                        random.choice(["w0", "w1", "w2", "guard w1", "  at x", "Caused by: y", "none"]);
                    let namespace = random.choice(["n", "n", "m", "o"]).unwrap();
                    let tag = TAG.replace("p_n", &format!("p{}_{namespace}", random.u64(..3)));
                    let users = if seed % 2 == 0 { 5 } else { 200 };
                    let text = format!("{{\"log\":\"{}\",\"u\":\"{}\"}}", word.unwrap(), random.u64(..users));
                    seen += 1;
                    if let Some(out) = put(&mut engine, &tag, &text, event, now) {
                        stood += whole(&out, &["nodesieve", "count"]).unwrap_or(1);
                    }
                }
            }
            assert_eq!(stood + summed + engine.unreported().records, seen, "seed {seed} step {step}");
            let taken: usize = engine.quick.rules.iter_mut().map(|active| active.state.capacity()).sum();
            let pooled: usize = engine.quick.rules.iter_mut().map(|active| active.state.pooled()).sum();
            let capacity = &engine.quick.shared.capacity;
            assert_eq!((taken, pooled), (capacity.taken(), capacity.pooled()), "seed {seed} step {step}");
        }
    }
}
