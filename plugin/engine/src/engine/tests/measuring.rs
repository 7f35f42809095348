//! Measures: what they count is what there was, whatever rules decide, and they change nothing else.

use super::both_ways::BothWays;
use super::{NoPods, engine, input};
use crate::engine::{Answer, Input};
use crate::metrics::Metric;
use crate::pods::{PodFile, PodSource, Unavailable};
use crate::time::{EventTime, Now};

const START: u64 = 1_795_168_800_000_000_000;
const SECOND: u64 = 1_000_000_000;
const MEASURES: &str = "measure:\n\
    - { name: requests, when: { message: '{ $.status = * }' }, counter: {}, by: [namespace, $.status class] }\n\
    - { name: latency, when: { message: '{ $.status = * }' }, histogram: { of: $.ms, unit: ms, buckets: [10, 100] } }\n\
    - { name: lines, counter: {}, by: [workload] }\n";
const DROP_ALL: &str = "rules: [{ name: all, drop: {}, reason: test }]\n";

fn rules(measures: &str, rest: &str) -> String {
    format!("version: 1\n{measures}{rest}")
}

fn feed(engine: &mut BothWays, lines: &[&str]) -> u64 {
    let mut out = Vec::new();
    let mut kept = 0;
    for line in lines {
        let text = format!("{{\"log\":{}}}", serde_json::Value::from(*line));
        let answer = engine.filter(input(&text), &mut Now(START), &mut NoPods, &mut out).0;
        kept += u64::from(answer != Answer::Drop);
    }
    kept
}

/// The lines of the metrics file about measures that begin like this.
fn shown(engine: &mut BothWays, start: &str) -> Vec<String> {
    let text = engine.render_metrics("0", Now(START));
    text.lines()
        .filter(|line| line.starts_with(&format!("nodesieve_measure_{start}")))
        .map(str::to_owned)
        .collect()
}

const REQUESTS: [&str; 5] = [
    r#"{"status":200,"ms":3}"#,
    r#"{"status":204,"ms":"47.5"}"#,
    r#"{"status":503,"ms":1200}"#,
    r#"{"status":"none","ms":"soon"}"#,
    "no request",
];

/// Guarantees: lines that are dropped are measured, by their status class; a number may stand in quotes, and what is none is told.
#[test]
fn dropped_lines_are_measured() {
    let mut engine = engine(&rules(MEASURES, &format!("state: {{ dir: off }}\n{DROP_ALL}")));
    assert_eq!(feed(&mut engine, &REQUESTS), 0);
    assert_eq!(
        shown(&mut engine, "requests"),
        [
            r#"nodesieve_measure_requests_total{namespace="n",status="2xx"} 2"#,
            r#"nodesieve_measure_requests_total{namespace="n",status="5xx"} 1"#,
            r#"nodesieve_measure_requests_total{namespace="n",status="other"} 1"#,
        ]
    );
    assert_eq!(
        shown(&mut engine, "latency"),
        [
            r#"nodesieve_measure_latency_ms_bucket{le="10"} 1"#,
            r#"nodesieve_measure_latency_ms_bucket{le="100"} 2"#,
            r#"nodesieve_measure_latency_ms_bucket{le="+Inf"} 3"#,
            "nodesieve_measure_latency_ms_sum 1250.5",
            "nodesieve_measure_latency_ms_count 3",
        ]
    );
    assert_eq!(shown(&mut engine, "lines"), [r#"nodesieve_measure_lines_total{workload=""} 5"#]);
    assert_eq!(engine.counters().get(Metric::MeasureUnread), 1);
}

/// Guarantees: whatever rules there are, measures see each record that can be read, and no number of the rules is another for them.
#[test]
fn measures_change_no_verdict_and_no_count() {
    let lines: Vec<String> = (0..300)
        .map(|n| match n % 6 {
            0 => format!(r#"{{"status":{},"ms":{n},"level":"info"}}"#, 200 + n % 4 * 100),
            1 => "ERROR it failed".into(),
            2 => "    at com.example.Main(Main.java:7)".into(),
            3 => "noise".into(),
            4 => "java.lang.IllegalStateException: x".into(),
            _ => format!("line {n}"),
        })
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for rest in [
        DROP_ALL,
        "rules: [{ name: all, keep: {} }]\n",
        "guards: [{ name: errors, when: { severity: '>=error' } }]\nrules: [{ name: noise, when: { message: noise }, drop: {}, reason: x }, \
         { name: few, first: { n: 3, per: 1h, by: template } }]\n",
    ] {
        let (mut with, mut without) = (engine(&rules(MEASURES, rest)), engine(&rules("", rest)));
        assert_eq!(feed(&mut with, &lines), feed(&mut without, &lines));
        let counts = |engine: &BothWays| -> Vec<(String, u64, u64)> {
            let rows = engine.counters().rules().iter();
            rows.map(|row| (row.name.to_string(), row.kept, row.dropped)).collect()
        };
        assert_eq!(counts(&with), counts(&without));
        for metric in [Metric::Continued, Metric::BytesOut, Metric::Unreported] {
            assert_eq!(with.counters().get(metric), without.counters().get(metric), "{metric:?}");
        }
        with.both(|engine| {
            assert_eq!(engine.state_to_save(Now(START)).unwrap().matches("\"measure\"").count(), 4)
        });
        assert_eq!(
            shown(&mut with, "lines"),
            [r#"nodesieve_measure_lines_total{workload=""} 300"#],
            "{rest}"
        );
    }
}

/// Guarantees: label values that never end are one series from the limit on, and nothing is lost of the sum.
#[test]
fn hostile_values_are_one_series() {
    let measure =
        "measure: [{ name: users, counter: {}, by: $.user, max_series: 10 }]\nstate: { dir: off }\n";
    let mut engine = engine(&rules(measure, DROP_ALL));
    let mut out = Vec::new();
    for n in 0..5000 {
        let line = serde_json::json!({ "user": format!("\u{0}\"\\\n{}{n}", "é".repeat(n % 90)) }).to_string();
        let text = serde_json::json!({ "log": line }).to_string();
        engine.filter(input(&text), &mut Now(START), &mut NoPods, &mut out);
    }
    let lines = shown(&mut engine, "users");
    assert_eq!(lines.len(), 11);
    let counts: Vec<u64> =
        lines.iter().map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(counts.iter().sum::<u64>(), 5000);
    assert!(lines.iter().all(|line| line.len() < 200), "{lines:?}");
    assert_eq!(lines[10], format!("nodesieve_measure_users_total{{user=\"other\"}} {}", counts[10]));
    assert_eq!(engine.counters().get(Metric::MeasureOther), counts[10]);
}

/// Guarantees: the largest measures that a file may have, with the longest values that lines can bring, leave the metrics file within what
/// the sidecar serves, and the saved state within what is read again.
#[test]
fn the_largest_measures_fit_into_the_metrics_file() {
    let by = "[$.a, $.b, $.c, $.d, $.e]";
    let measures =
        (0..4).map(|n| format!("{{ name: m{n}, histogram: {{ of: $.n }}, by: {by}, max_series: 1000 }}"));
    let measures = format!("measure: [{}]\nvolume: {{}}\n", measures.collect::<Vec<_>>().join(", "));
    let mut engine = engine(&rules(&measures, DROP_ALL));
    let mut out = Vec::new();
    for n in 0..1500 {
        let value = format!("{n:04}{}", "\"".repeat(80));
        let line = serde_json::json!({ "n": n, "a": value, "b": value, "c": value, "d": value, "e": value });
        let text = serde_json::json!({ "log": line.to_string() }).to_string();
        engine.quick.filter(input(&text), &mut Now(START), &mut NoPods, &mut out);
    }
    let saved = engine.quick.state_to_save(Now(START)).unwrap();
    let text = engine.quick.render_metrics("0", Now(START));
    assert!((1 << 20..4 << 20).contains(&text.len()), "{}", text.len());
    assert!(saved.len() < 4 << 20, "{}", saved.len());
    let counted = text.lines().filter(|line| line.starts_with("nodesieve_measure_m3_count"));
    let counted: u64 = counted.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(counted, 1500);
}

/// Guarantees: no number that a line can hold makes a saved state that is refused, or a sum that goes back.
#[test]
fn no_number_spoils_the_saved_state() {
    let source = rules(MEASURES, DROP_ALL);
    let mut engine = engine(&source);
    let lines: Vec<String> =
        ["1e308", "1e308", "1.7e308", "-5", "\"-1\"", "\"NaN\"", "\"inf\"", "0.1", "\".5\""]
            .iter()
            .map(|number| format!(r#"{{"status":200,"ms":{number}}}"#))
            .collect();
    let mut sum = 0.0;
    for (at, line) in lines.iter().enumerate() {
        feed(&mut engine, &[line]);
        let saved = engine.state_to_save(Now(START + at as u64 * SECOND)).unwrap();
        super::engine(&source).restore(&saved).unwrap();
        let line = shown(&mut engine, "latency_ms_sum").remove(0);
        let now: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(now.is_finite() && now >= sum, "{line}");
        sum = now;
    }
    assert_eq!(engine.counters().get(Metric::MeasureUnread), 4);
}

/// Scenario: state is kept. Records come, the state is saved, more come, the filter is killed and another takes over.
/// Guarantees: what is shown never goes back, and is never more than what a successor knows of.
#[test]
fn what_was_shown_never_goes_back() {
    let source = rules(MEASURES, DROP_ALL);
    let total = |engine: &mut BothWays| -> f64 {
        let lines = shown(engine, "lines_total{");
        lines.iter().map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    };
    let mut first = engine(&source);
    feed(&mut first, &REQUESTS);
    assert_eq!(total(&mut first), 5.0, "nobody keeps anything so far");
    let saved = first.state_to_save(Now(START)).unwrap();
    assert_eq!(total(&mut first), 5.0);
    feed(&mut first, &REQUESTS);
    // The filter ends here, before the next tick.
    assert_eq!(total(&mut first), 5.0);

    let mut second = engine(&source);
    second.restore(&saved).unwrap();
    assert_eq!(total(&mut second), 5.0);
    feed(&mut second, &REQUESTS);
    let saved = second.state_to_save(Now(START + 11 * SECOND)).unwrap();
    assert_eq!(total(&mut second), 10.0);
    assert_eq!(shown(&mut second, "latency_ms_sum"), ["nodesieve_measure_latency_ms_sum 2501"]);
    // Of two filters before it, as after a rollout in which they have overlapped.
    let mut third = engine(&source);
    third.restore(&saved).unwrap();
    third.restore(&saved).unwrap();
    assert_eq!(total(&mut third), 20.0);
}

/// Guarantees: a measure that is as before goes on over a reload; with other bounds or labels it starts anew, and takes nothing up that
/// means something else.
#[test]
fn a_changed_measure_starts_anew() {
    let off = "state: { dir: off }\n";
    let mut engine = engine(&rules(MEASURES, &format!("{off}{DROP_ALL}")));
    feed(&mut engine, &REQUESTS);
    let wider = MEASURES.replace("[10, 100]", "[10, 1000]");
    engine.replace_rules(crate::config::load(&rules(&wider, off)).unwrap().rules);
    assert_eq!(shown(&mut engine, "lines_total"), [r#"nodesieve_measure_lines_total{workload=""} 5"#]);
    assert_eq!(shown(&mut engine, "latency"), Vec::<String>::new());
    let mut before = super::engine(&rules(MEASURES, DROP_ALL));
    feed(&mut before, &REQUESTS);
    let saved = before.state_to_save(Now(START)).unwrap();
    let mut after = super::engine(&rules(&wider, DROP_ALL));
    after.restore(&saved).unwrap();
    assert_eq!(shown(&mut after, "latency"), Vec::<String>::new());
    assert_eq!(shown(&mut after, "requests").len(), 3);
}

/// Guarantees: of a minute the slowest is shown with its trace, whatever is written there.
#[test]
fn the_slowest_of_a_minute_is_shown_with_its_trace() {
    let mut engine = engine(&rules(MEASURES, &format!("state: {{ dir: off }}\n{DROP_ALL}")));
    let feed_at = |engine: &mut BothWays, line: &str, second: u64| {
        let text = format!("{{\"log\":{}}}", serde_json::Value::from(line));
        engine.filter(input(&text), &mut Now(START + second * SECOND), &mut NoPods, &mut Vec::new());
    };
    let exemplar = |engine: &mut BothWays| {
        let text = engine.render_metrics("0", Now(START));
        text.lines().find(|line| line.starts_with("# EXEMPLAR ")).unwrap_or_default().to_owned()
    };
    feed_at(&mut engine, r#"{"status":200,"ms":7}"#, 0);
    assert_eq!(exemplar(&mut engine), "", "it has no trace");
    feed_at(&mut engine, r#"{"status":200,"ms":47,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#, 1);
    feed_at(&mut engine, r#"{"status":200,"ms":9,"trace_id":"0af7651916cd43dd8448eb211c80319c"}"#, 2);
    let at = START / SECOND;
    let slow = format!(
        "# EXEMPLAR nodesieve_measure_latency_ms_bucket{{le=\"100\"}} {{trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"}} 47 {}",
        at + 1
    );
    assert_eq!(exemplar(&mut engine), slow);
    feed_at(&mut engine, r#"{"status":200,"ms":9,"trace_id":"-"}"#, 62);
    assert_eq!(exemplar(&mut engine), "", "that is no trace id");
    feed_at(&mut engine, r#"{"status":200,"ms":5000,"trace_id":"0af7651916cd43dd8448eb211c80319c"}"#, 63);
    assert!(
        exemplar(&mut engine).contains("le=\"+Inf\"} {trace_id=\"0af7651916cd43dd8448eb211c80319c\"} 5000 ")
    );
}

#[test]
fn a_saved_measure_that_cannot_be_is_refused() {
    let mut engine = engine(&rules(MEASURES, DROP_ALL));
    feed(&mut engine, &REQUESTS);
    let saved = engine.state_to_save(Now(START)).unwrap();
    let bits = format!("{:016x}", 1250.5f64.to_bits());
    assert!(saved.contains(&bits), "{saved}");
    for (from, to) in [
        ("\"buckets\":\"1 1\"", "\"buckets\":\"1 9\""),
        (&bits, "7ff8000000000000"),
        ("\"count\":3", "\"count\":-3"),
    ] {
        let damaged = saved.replace(from, to);
        assert!(damaged != saved && super::engine(&rules(MEASURES, "")).restore(&damaged).is_err(), "{from}");
    }
}

struct Owned;

impl PodSource for Owned {
    fn read(&mut self, _: &str, into: &mut Vec<u8>) -> Result<(), Unavailable> {
        let mut file = PodFile::new("n", "p");
        file.workload = Some(crate::pods::Workload { kind: "Deployment".into(), name: "web".into() });
        into.extend_from_slice(&file.encode().unwrap());
        Ok(())
    }
}

/// Guarantees: a workload that becomes known is counted by its name within seconds.
#[test]
fn a_workload_is_counted_once_it_is_known() {
    let measure = "measure: [{ name: lines, counter: {}, by: workload }]\nstate: { dir: off }\n";
    let mut engine = engine(&rules(measure, DROP_ALL));
    let mut out = Vec::new();
    for second in 0..20u64 {
        let now = Now(START + second * SECOND);
        let input = Input {
            tag: b"kube.var.log.containers.p_n_c-0a.log",
            time: EventTime::default(),
            text: br#"{"log":"x"}"#,
        };
        let pods: &mut dyn PodSource = if second < 8 { &mut NoPods } else { &mut Owned };
        engine.filter(input, &mut { now }, pods, &mut out);
    }
    let lines = shown(&mut engine, "lines_total");
    let unknown: u64 = lines[0].rsplit(' ').next().unwrap().parse().unwrap();
    assert!(lines[0].contains("workload=\"\"") && (8..=14).contains(&unknown), "{lines:?}");
    assert_eq!(lines[1], format!("nodesieve_measure_lines_total{{workload=\"web\"}} {}", 20 - unknown));
}
