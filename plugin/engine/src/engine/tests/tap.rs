//! The tap: it shows what is asked for, within its limits, and changes nothing.

use super::{NoPods, engine, input};
use crate::engine::{Answer, Engine};
use crate::tap::{Tap, TapRequest};
use crate::time::Now;

const START: u64 = 1_795_168_800_000_000_000;
const RULES: &str = "version: 1\ntap: { bytes: 1MiB }\nguards: [{ name: errors, when: { severity: '>=error' } }]\n\
    rules: [{ name: noise, when: { message: noise }, drop: {}, reason: says nothing }, { name: half, sample: { rate: 1/2 } }]\n";

fn open(engine: &mut Engine, request: &str, tap: &Tap) {
    let request = request.replace("UNTIL", &(START / 1_000_000_000 + 60).to_string());
    engine.tap(Some(TapRequest::read(&request, tap, Now(START)).unwrap()));
}

fn feed(engine: &mut Engine, line: &str, now: Now) -> Answer {
    let text = format!("{{\"log\":{}}}", serde_json::Value::from(line));
    engine.filter(input(&text), &mut { now }, &mut NoPods, &mut Vec::new()).0
}

fn shown(engine: &mut Engine) -> Vec<serde_json::Value> {
    engine.take_tapped().lines.iter().map(|line| serde_json::from_slice(line).unwrap()).collect()
}

#[test]
fn a_verdict_is_shown_with_what_decided_and_a_masked_line() {
    let mut engine = engine(RULES).quick;
    open(&mut engine, r#"{"until":UNTIL}"#, &Tap::default());
    for line in ["noise 17 for bob@example.com", "ERROR it failed"] {
        feed(&mut engine, line, Now(START));
    }
    engine.filter(input("[broken"), &mut Now(START), &mut NoPods, &mut Vec::new());
    let lines = shown(&mut engine);
    assert_eq!(
        lines[0],
        serde_json::json!({ "time": "1970-01-01T00:00:05.000Z", "namespace": "n", "pod": "p", "container": "c", "verdict": "dropped",
            "stage": "rule", "rule": "noise", "policy": "drop", "reason": "says nothing", "line": "noise <*> for <*>" })
    );
    assert_eq!((&lines[1]["rule"], &lines[1]["verdict"]), (&"errors".into(), &"kept".into()));
    assert_eq!((&lines[2]["rule"], &lines[2]["line"]), (&"fault".into(), &serde_json::Value::Null));
    assert!(shown(&mut engine).is_empty(), "each once");
}

#[test]
fn only_what_is_asked_for_is_shown() {
    let lines = ["noise a", "noise b", "ERROR noise", "hello"];
    for (request, expected) in [
        (r#"{"until":UNTIL,"rule":"nois*"}"#, 2),
        (r#"{"until":UNTIL,"verdict":"dropped","match":"b"}"#, 1),
        (r#"{"until":UNTIL,"namespace":"other-*"}"#, 0),
        (r#"{"until":UNTIL,"rule":"errors","verdict":"kept"}"#, 1),
        (r#"{"until":1}"#, 0),
    ] {
        let mut engine = engine(RULES).quick;
        open(&mut engine, request, &Tap::default());
        for line in lines {
            feed(&mut engine, line, Now(START));
        }
        assert_eq!(shown(&mut engine).len(), expected, "{request}");
    }
    let mut engine = engine(RULES).quick;
    open(
        &mut engine,
        r#"{"until":UNTIL,"raw":true,"sample":0.5}"#,
        &Tap { raw: true, rate: 1000, ..Tap::default() },
    );
    for n in 0..1000 {
        feed(&mut engine, &format!("noise {n} bob@example.com"), Now(START));
    }
    let lines = shown(&mut engine);
    assert!((400..600).contains(&lines.len()), "{}", lines.len());
    assert!(lines[0]["line"].as_str().unwrap().ends_with(" bob@example.com"));
}

#[test]
fn beyond_its_rate_lines_are_counted_and_not_shown() {
    let mut engine = engine(RULES).quick;
    open(&mut engine, r#"{"until":UNTIL,"rate":10}"#, &Tap::default());
    for n in 0..100u64 {
        feed(&mut engine, &"noise ".repeat(2000), Now(START + n / 50 * 1_000_000_000));
    }
    let tapped = engine.take_tapped();
    assert_eq!((tapped.lines.len(), tapped.lost), (20, 80));
    assert!(tapped.lines.iter().all(|line| line.len() < 3000));
    // More than the file of answers holds is lost too.
    let mut small = super::engine(&RULES.replace("1MiB", "16KiB")).quick;
    open(&mut small, r#"{"until":UNTIL}"#, &Tap { rate: 1000, ..Tap::default() });
    (0..100).for_each(|n| assert_eq!(feed(&mut small, &"noise ".repeat(2000), Now(START + n)), Answer::Drop));
    let tapped = small.take_tapped();
    assert!(
        tapped.lines.len() < 20 && tapped.lines.len() as u64 + tapped.lost == 100,
        "{}",
        tapped.lines.len()
    );
    engine.tap(None);
    feed(&mut engine, "noise", Now(START));
    assert!(engine.take_tapped().lines.is_empty());
}

/// Guarantees: with a tap open, chance falls as without, and no number of the filter is another.
#[test]
fn a_tap_changes_no_verdict_and_no_count() {
    let run = |is_tapped: bool| {
        let mut engine = engine(RULES).quick;
        if is_tapped {
            open(&mut engine, r#"{"until":UNTIL,"sample":0.3}"#, &Tap::default());
        }
        let lines = (0..500).map(|n| match n % 4 {
            0 => "ERROR it failed".to_owned(),
            1 => "  at com.example.Main".to_owned(),
            _ => format!(r#"{{"n":{n}}}"#),
        });
        let answers: Vec<Answer> = lines.map(|line| feed(&mut engine, &line, Now(START))).collect();
        (answers, engine.render_metrics("0", Now(START)), engine.state_to_save(Now(START)))
    };
    assert_eq!(run(true), run(false));
}
