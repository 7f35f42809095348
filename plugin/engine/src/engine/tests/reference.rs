//! The quick ways against the long one: a record that is read by the layout of the one before, and one that is dropped without
//! being read, come to what reading and deciding each in full comes to.

use super::NoPods;
use crate::config::load;
use crate::engine::{Action, Answer, Engine, Fault, Input, Verdict, Why};
use crate::metrics::Metric;
use crate::pods::{Container, Pairs, PodFile, PodSource, Unavailable};
use crate::time::{EventTime, Now};
use proptest::prelude::*;

/// What happens to a filter.
#[derive(Clone, Debug)]
enum Event {
    Record {
        tag: usize,
        text: String,
        late: u64,
    },
    Tick,
    Reload(usize),
    /// So many milliseconds pass, or the clock goes back by as many.
    Clock(i64),
}

const TAGS: [&str; 4] = [
    "kube.var.log.containers.web-1_shop_web-0a.log",
    "kube.var.log.containers.web-2_shop_web-0b.log",
    "kube.var.log.containers.job-1_batch_job-0c.log",
    "other.tag",
];

/// Rule files over the same lines: with some what becomes of a tag's records hangs on the tag alone, with two on an annotation too, and
/// the last looks for several texts, which one search finds.
const RULES: [&str; 18] = [
    "rules: [{ name: noise, when: { message: noise }, drop: {}, reason: test }, { name: half, sample: { rate: 1/2 } }]",
    "guards: [{ name: errors, when: { severity: '>=error' }, ceiling: { rate: 2/s, by: pod } }]\nrules: \
     [{ name: few, when: { namespace: shop }, limit: { rate: 1/s, burst: 3, by: container } }, \
     { name: same, dedup: { window: 5s } }]",
    "rules: [{ name: wait, when: { message: noise }, drop: {}, reason: test, mode: shadow }, \
     { name: json, when: { message: '{ $.status = 500 }' }, keep: {} }, \
     { name: goal, target: { rate: 1/s, by: template }, floor: { per: 10s } }]",
    "rules: [{ name: batch, when: { namespace: batch }, drop: {}, reason: test }, \
     { name: rest, when: { labels: 'app=web' }, first: { n: 2, per: 5s, then: 1/3, by: pod } }]",
    "rules: [{ name: all, drop: {}, reason: test }]",
    "rules: [{ name: batch, when: { namespace: batch }, keep: {} }, { name: noise, when: { message: noise }, drop: {}, reason: test }]",
    "",
    "exclude_annotations: true",
    "exclude_annotations: true\nrules: [{ name: noise, when: { message: noise }, drop: {}, reason: test }, { name: out, when: { stream: stderr }, keep: {} }]",
    "rules: [{ name: noise, when: { message: 'noise day' }, drop: {}, reason: test }, \
     { name: failed, when: { message: '{ $.status = 500 }' }, keep: {} }, \
     { name: bad, when: { message: '%bad$|Traceback%' }, drop: {}, reason: test }, \
     { name: quoted, when: { message: '\"a \\\"b\" \"level\"' }, sample: { rate: 1/2 } }, \
     { name: err, when: { stream: stderr, severity: '>=error' }, drop: {}, reason: test }, \
     { name: any, when: { message: '?failed ?noise' }, first: { n: 2, per: 5s } }]",
    "rules: [{ name: some, when: { any: [{ message: noise }, { severity: '>=error', stream: stderr }] }, drop: {}, reason: test }, \
     { name: apart, when: { not: { namespace: shop } }, sample: { rate: 1/2 } }, \
     { name: one, when: { any: [{ message: failed }, { message: '{ $.status = 500 }' }], not: { stream: stderr } }, keep: {} }]",
    "exclude_annotations: true\nrules: [{ name: out, when: { not: [{ labels: 'app=web' }, { message: noise }] }, drop: {}, reason: test }, \
     { name: some, when: { any: [{ namespace: batch }, { labels: 'app=web', message: bad }] }, limit: { rate: 1/s, by: pod } }]",
    "measure: [{ name: all, counter: {}, by: [namespace, workload] }, { name: noisy, when: { message: noise }, counter: {} }, \
     { name: bad, when: { severity: '>=error' }, counter: {}, by: [stream, severity] }]\n\
     rules: [{ name: batch, when: { namespace: batch }, drop: {}, reason: test }, { name: noise, when: { message: noise }, drop: {}, reason: test }]",
    "measure: [{ name: status, when: { message: '{ $.status = * }' }, counter: {}, by: $.status class, max_series: 1 }, \
     { name: size, when: { stream: stderr }, histogram: { of: $.status, buckets: [1, 300] }, by: [pod, $.msg], max_series: 2 }]\n\
     rules: [{ name: all, drop: {}, reason: test }]",
    "volume: { by: workload, max_series: 2 }\nmeasure: [{ name: web, when: { labels: 'app=web' }, counter: {}, by: container }, { name: words, when: { message: '[a, b, c]' }, \
     histogram: { of: b }, by: a, max_series: 3 }]\nrules: [{ name: noise, when: { message: noise }, keep: {} }]",
    "guards: [{ name: errors, when: { severity: '>=error' }, ceiling: { rate: 2/s, by: pod }, lift: { for: 3s, rate: 2/s }, recall: { lines: 3, bytes: 1KiB } }]\n\
     rules: [{ name: noise, when: { message: noise }, drop: {}, reason: test }, { name: some, first: { n: 1, per: 5s } }]\n\
     redact: [{ name: day, pattern: '%of the [a-z]+%' }, { name: words, when: { stream: stderr }, keys: [msg], with: remove }]",
    "redact: [{ name: fail, when: { labels: 'app=web' }, pattern: '%fail[a-z]*%' }, { name: mail, kind: [email, private_key] }]\n\
     rules: [{ name: noise, when: { message: noise }, drop: {}, reason: test }]",
    "guards: [{ name: bad, when: { message: bad }, lift: { by: workload } }]\nredact: [{ name: level, fields: [$.level] }]\nmeasure: [{ name: m, counter: {}, by: $.level }]\n\
     rules: [{ name: few, limit: { rate: 1/s, by: container } }]",
];

fn engine(rules: &str) -> Engine {
    Engine::new(load(rules).unwrap().rules, 7)
}

fn source(index: usize) -> String {
    format!("version: 1\nenrich: {{ fields: lean }}\ndefaults: {{ summary: 2s }}\n{}\n", RULES[index])
}

struct OnePod;

impl PodSource for OnePod {
    fn read(&mut self, name: &str, into: &mut Vec<u8>) -> Result<(), Unavailable> {
        if name != "shop_web-1.json" {
            return Err(Unavailable::Missing);
        }
        let mut file = PodFile::new("shop", "web-1");
        file.labels = Some(Pairs(vec![("app".into(), "web".into())]));
        file.annotations = Some(Pairs(vec![("fluentbit.io/exclude_stdout".into(), "true".into())]));
        file.containers.push(Container { name: "web".into(), id: "0a".into(), ..Container::default() });
        into.extend_from_slice(&file.encode().unwrap());
        Ok(())
    }
}

fn any_line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("noise of the day".to_owned()),
        Just("ERROR it failed".to_owned()),
        Just(r#"said "noise day" and failed"#.to_owned()),
        Just(r#"{"level":"info","status":500,"msg":"all bad"}"#.to_owned()),
        Just("Traceback (most recent call last):".to_owned()),
        Just("  File \"a.py\", line 7, in f".to_owned()),
        Just("ValueError: bad".to_owned()),
        Just(String::new()),
        "[ -~]{0,40}",
        "[a-zé\\t]{0,20}",
        (0u32..3).prop_map(|n| format!(r#"{{"level": "info", "status": {}, "msg": "a \"b\""}}"#, n * 250)),
    ]
}

/// A record as the host writes it, most with the line last; all of them can be read.
fn any_record() -> impl Strategy<Value = String> {
    let text = |value: &str| serde_json::to_string(value).unwrap();
    prop_oneof![
        6 => (any_line(), any::<bool>(), 0u32..100).prop_map(move |(line, is_err, n)| {
            let stream = if is_err { "stderr" } else { "stdout" };
            format!(r#"{{"time":"2026-11-20T10:00:{n:02}.5Z","stream":"{stream}","_p":"F","log":{}}}"#, text(&line))
        }),
        1 => any_line().prop_map(move |line| format!(r#"{{"log":{},"stream":"stdout"}}"#, text(&line))),
        1 => any_line().prop_map(move |line| format!(r#"{{"level":"error","n":1,"log":{}}}"#, text(&line))),
        1 => Just(r#"{"log":"x","nodesieve":{"count":5},"big":1e999}"#.to_owned()),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        16 => (0..TAGS.len(), any_record(), prop_oneof![4 => Just(0u64), 1 => Just(7200)])
            .prop_map(|(tag, text, late)| Event::Record { tag, text, late }),
        2 => Just(Event::Tick),
        1 => (0..RULES.len()).prop_map(Event::Reload),
        3 => prop_oneof![8 => 1i64..4000, 1 => -3000i64..0].prop_map(Event::Clock),
    ]
}

/// What came of an event: the answer, its text and why.
fn apply(
    engine: &mut Engine,
    event: &Event,
    clock: &mut i64,
    out: &mut Vec<u8>,
) -> (Answer, Option<Verdict>) {
    let mut now = Now(*clock as u64 * 1_000_000);
    match event {
        Event::Record { tag, text, late } => {
            let millis = *clock as u64 - late * 1000;
            let time = EventTime { sec: (millis / 1000) as u32, nsec: (millis % 1000) as u32 * 1_000_000 };
            let input = Input { tag: TAGS[*tag].as_bytes(), time, text: text.as_bytes() };
            let (answer, verdict) = engine.filter(input, &mut now, &mut OnePod, out);
            (answer, Some(verdict))
        }
        Event::Tick => (engine.tick(b"{}", now, out), None),
        Event::Reload(index) => {
            engine.replace_rules(load(&source(*index)).unwrap().rules);
            out.clear();
            (Answer::Drop, None)
        }
        Event::Clock(millis) => {
            *clock += millis;
            out.clear();
            (Answer::Drop, None)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_quick_ways_come_to_what_the_long_one_does(
        first in 0..RULES.len(), events in prop::collection::vec(any_event(), 1..120),
    ) {
        let (mut quick, mut long) = (engine(&source(first)), engine(&source(first)));
        long.be_the_reference();
        let (mut clock, mut other_clock) = (1_795_168_800_000i64, 1_795_168_800_000i64);
        let (mut out, mut expected) = (Vec::new(), Vec::new());
        for event in &events {
            let answer = apply(&mut quick, event, &mut clock, &mut out);
            let reference = apply(&mut long, event, &mut other_clock, &mut expected);
            prop_assert_eq!(answer, reference, "{:?}", event);
            if answer.0 == Answer::Keep {
                prop_assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&expected), "{:?}", event);
            }
        }
        let now = Now(clock as u64 * 1_000_000);
        prop_assert_eq!(quick.render_metrics("0", now), long.render_metrics("0", now));
        prop_assert_eq!(quick.state_to_save(now), long.state_to_save(now));
    }
}

/// Scenario: a rule drops all records of a tag, and the rule has shown an example.
/// Guarantees: what could not be read is dropped as well, by the rule and not as a fault; before the example it is kept.
#[test]
fn a_record_of_a_dropped_tag_is_dropped_unread() {
    let mut engine = engine(&source(4));
    let mut filter = |text: &[u8]| {
        let input = Input { tag: TAGS[0].as_bytes(), time: EventTime { sec: 5, nsec: 0 }, text };
        engine.filter(input, &mut Now(5_000_000_000), &mut NoPods, &mut Vec::new())
    };
    let unread = Verdict { action: Action::Drop, why: Why::Rule(0) };
    assert_eq!(filter(b"{broken").1.why, Why::Fault(Fault::Record));
    assert_eq!(filter(br#"{"log":"x"}"#), (Answer::Drop, unread));
    assert_eq!(filter(b"{broken"), (Answer::Drop, unread));
    assert_eq!(filter(&[0xff]), (Answer::Drop, unread));
    let counters = engine.counters();
    assert_eq!((counters.get(Metric::FaultRecord), counters.get(Metric::Dropped)), (1, 3));
}

/// Scenario: a traceback starts while a rule drops all, and other rules come before its end.
/// Guarantees: its rest stands for itself: nobody has looked at its start.
#[test]
fn what_was_dropped_unread_has_no_continuation_under_other_rules() {
    let mut engine = engine(&source(4));
    let mut out = Vec::new();
    let record = |line: &str| format!(r#"{{"log":"{line}"}}"#);
    for line in ["first, as an example", "Traceback (most recent call last):"] {
        let (time, text) = (EventTime { sec: 5, nsec: 0 }, record(line));
        engine.filter(
            Input { tag: TAGS[0].as_bytes(), time, text: text.as_bytes() },
            &mut Now(1),
            &mut NoPods,
            &mut out,
        );
    }
    engine.replace_rules(load("version: 1\n").unwrap().rules);
    let (time, text) = (EventTime { sec: 5, nsec: 0 }, record("  File a.py, line 7, in f"));
    let input = Input { tag: TAGS[0].as_bytes(), time, text: text.as_bytes() };
    let verdict = engine.filter(input, &mut Now(2), &mut NoPods, &mut out).1;
    assert_eq!((verdict.action, engine.counters().get(Metric::Continued)), (Action::Keep, 0));
}

/// Scenario: a guard stands before the rule that drops all, or the rule's time ends, or it only counts.
/// Guarantees: each record is looked at.
#[test]
fn a_record_that_something_else_could_decide_is_read() {
    let drops = "{ name: all, drop: {}, reason: test";
    for rules in [
        format!("guards: [{{ name: g, when: {{ message: x }} }}]\nrules: [{drops} }}]"),
        format!("rules: [{drops}, until: 2030-01-01T00:00:00Z }}]"),
        format!("rules: [{drops}, mode: shadow }}]"),
        format!("rules: [{drops}, when: {{ stream: stdout }} }}]"),
        format!("rules: [{drops}, when: {{ labels: 'app=web' }} }}]"),
    ] {
        let mut engine = engine(&format!("version: 1\n{rules}\n"));
        for text in [r#"{"log":"y","stream":"stdout"}"#, r#"{"log":"y","stream":"stdout"}"#] {
            let input =
                Input { tag: TAGS[0].as_bytes(), time: EventTime { sec: 5, nsec: 0 }, text: text.as_bytes() };
            engine.filter(input, &mut Now(5_000_000_000), &mut NoPods, &mut Vec::new());
        }
        let broken = Input { tag: TAGS[0].as_bytes(), time: EventTime { sec: 5, nsec: 0 }, text: b"{broken" };
        let verdict = engine.filter(broken, &mut Now(5_000_000_000), &mut NoPods, &mut Vec::new()).1;
        assert_eq!(verdict.why, Why::Fault(Fault::Record), "{rules}");
    }
}
