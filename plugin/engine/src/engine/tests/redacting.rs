//! Redaction in the pipeline: in records, examples, labels, metrics and taps, and of keys that go over lines.

use super::both_ways::BothWays;
use super::traffic::{SECOND, START};
use super::{NoPods, engine};
use crate::engine::{Answer, Input};
use crate::metrics::Metric;
use crate::pods::{PodFile, PodSource, Unavailable};
use crate::tap::TapRequest;
use crate::time::{EventTime, Now};

fn feed(engine: &mut BothWays, text: &str) -> (Answer, String) {
    let mut out = Vec::new();
    let tag = b"kube.var.log.containers.web-1_shop_app-0a.log";
    let input =
        Input { tag, time: EventTime { sec: (START / SECOND) as u32, nsec: 0 }, text: text.as_bytes() };
    let answer = engine.filter(input, &mut Now(START), &mut NoPods, &mut out).0;
    (answer, String::from_utf8_lossy(&out).into_owned())
}

fn line(engine: &mut BothWays, line: &str) -> String {
    let record = serde_json::json!({ "log": line, "stream": "stdout" }).to_string();
    let (answer, out) = feed(engine, &record);
    if answer == Answer::Drop {
        return String::new();
    }
    let record: serde_json::Value = serde_json::from_str(&out).unwrap();
    record["log"].as_str().unwrap().to_owned()
}

#[test]
fn a_secret_leaves_the_filter_nowhere() {
    let mut engine = engine(
        "version: 1\ndefaults: { summary: 1s }\nredact: [{ name: mail, kind: email }]\ntap: { raw: true }\n\
         measure: [{ name: users, counter: {}, by: $.user }]\n\
         guards: [{ name: errors, when: { message: ERROR }, recall: { lines: 1 } }]\n\
         rules: [{ name: noise, when: { message: noise }, drop: {}, reason: test }, { name: users, limit: { rate: 1/m, burst: 1, by: $.user } }]\n",
    );
    let tap = engine.quick.rules().tap.clone().unwrap();
    let until = START / SECOND + 60;
    let request = format!("{{\"until\":{until},\"rate\":1000,\"raw\":true}}");
    let request = TapRequest::read(&request, &tap, Now(START)).unwrap();
    engine.both(|engine| engine.tap(Some(request.clone())));
    let secret = "eve@example.com";
    let mut seen = String::new();
    for text in [
        r#"{"log":"noise of eve@example.com"}"#.to_owned(),
        serde_json::json!({ "log": r#"{"user":"eve@example.com"}"# }).to_string(),
        serde_json::json!({ "log": r#"{"user":"eve@example.com","n":2}"# }).to_string(),
        r#"{"log":"ERROR for eve@example.com","mail":"eve@example.com"}"#.to_owned(),
        r#"{"log":"noise of eve@example.com"}"#.to_owned(),
        r#"{"log":"noise of eve@example.com"}"#.to_owned(),
        // It cannot be read.
        r#"{"log":"eve@example.com""#.to_owned(),
        format!("{{\"log\":\"eve@example.com\",\"deep\":{}{}}}", "[".repeat(300), "]".repeat(300)),
    ] {
        seen.push_str(&feed(&mut engine, &text).1);
    }
    let mut out = Vec::new();
    for second in 0..3 {
        engine.tick(b"{}", Now(START + second * 2 * SECOND), &mut out);
        seen.push_str(&String::from_utf8_lossy(&out));
    }
    seen.push_str(&engine.quick.render_metrics("0", Now(START)));
    seen.push_str(&engine.state_to_save(Now(START)).unwrap());
    for tapped in engine.quick.take_tapped().lines {
        seen.push_str(&String::from_utf8_lossy(&tapped));
    }
    assert!(
        seen.contains("\"summary\":true") && seen.contains("\"verdict\"") && seen.contains("recalled"),
        "{seen}"
    );
    assert!(seen.contains("nodesieve_measure_users_total{") && seen.contains("[redacted:mail]"));
    let at = seen.find(secret).map(|at| &seen[at.saturating_sub(100)..at + 20]);
    assert_eq!(at, None);
    assert!(engine.counters().get(Metric::Redacted) >= 3);
    let hits: Vec<(String, u64)> =
        engine.quick.redactions().map(|(name, hits)| (name.to_owned(), hits)).collect();
    assert!(hits[0].0 == "mail" && hits[0].1 >= 3, "{hits:?}");
}

#[test]
fn a_private_key_over_several_lines_is_redacted_to_its_end_whatever_is_dropped_of_it() {
    let source = "version: 1\nredact: [{ name: key, kind: private_key }]\n\
        rules: [{ name: begin, when: { message: BEGIN }, drop: {}, reason: test }]\n";
    let body = "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQC7VJTUt9Us8cKj";
    for source in [source, &source.replace("message: BEGIN", "message: nothing-such")] {
        let mut engine = engine(source);
        line(&mut engine, "before");
        let begin = line(&mut engine, "-----BEGIN PRIVATE KEY-----");
        assert!(begin.is_empty() || begin == "[redacted:key]", "{begin}");
        for _ in 0..3 {
            assert_eq!(line(&mut engine, body), "[redacted:key]");
        }
        assert_eq!(line(&mut engine, "-----END PRIVATE KEY-----"), "[redacted:key]");
        assert_eq!(line(&mut engine, body), body);
        // One that was cut off ends where lines are no longer its own.
        line(&mut engine, "-----BEGIN PRIVATE KEY-----");
        assert_eq!(line(&mut engine, "GET / 200"), "GET / 200");
        assert_eq!(line(&mut engine, body), body);
    }
}

#[test]
fn a_condition_that_cannot_be_known_is_taken_to_hold() {
    let source = "version: 1\nredact: [{ name: mail, when: { labels: 'app=web' }, kind: email }, \
        { name: err, when: { severity: '>=error' }, pattern: boom }]\n";
    let mut engine = engine(source);
    assert_eq!(line(&mut engine, "INFO a@example.com boom"), "INFO [redacted:mail] boom");
    assert_eq!(line(&mut engine, "ERROR boom"), "ERROR [redacted:err]");
}

#[test]
fn what_is_redacted_is_not_larger_than_a_record_may_be() {
    let source =
        "version: 1\ninput: { max_record: 2kB }\nredact: [{ name: mail-addresses-of-people, kind: email }]\n";
    let mut engine = engine(&source.replace("2kB", "2000"));
    let record = serde_json::json!({ "log": "a@b.de ".repeat(250) }).to_string();
    let (_, out) = feed(&mut engine, &record);
    assert!(out.len() <= 2000 && !out.contains("a@b.de"), "{}", out.len());
    let record: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(record["log"].as_str().unwrap().starts_with("[redacted:mail-addresses-of-people] [redacted"));
}

#[test]
fn a_key_or_label_that_is_made_of_a_redacted_field_is_redacted() {
    let source = "version: 1\ndefaults: { summary: 1s }\nredact: [{ name: user, fields: [$.user.name] }, { name: gone, keys: [token], with: remove }]\n\
        measure: [{ name: users, counter: {}, by: [$.user.name, $.token] }]\n\
        rules: [{ name: few, limit: { rate: 1/m, burst: 1, by: [$.user.name, $.token] } }]\n";
    let mut engine = engine(source);
    for n in 0..3 {
        let text = format!(r#"{{"user":{{"name":"mallory"}},"token":"s3cret","n":{n}}}"#);
        feed(&mut engine, &serde_json::json!({ "log": text }).to_string());
    }
    let mut out = Vec::new();
    engine.tick(b"{}", Now(START), &mut out);
    engine.tick(b"{}", Now(START + 2 * SECOND), &mut out);
    let summary = String::from_utf8(out).unwrap();
    assert!(summary.contains("\"key\":\"[redacted:user]/\",\"dropped\":2"), "{summary}");
    let metrics = engine.quick.render_metrics("0", Now(START));
    assert!(
        metrics.contains("user_name=\"[redacted:user]\"") || metrics.contains("=\"[redacted:user]\""),
        "{metrics}"
    );
    for text in [&summary, &metrics] {
        assert!(!text.contains("mallory") && !text.contains("s3cret"), "{text}");
    }
}

struct Known;

impl PodSource for Known {
    fn read(&mut self, _: &str, into: &mut Vec<u8>) -> Result<(), Unavailable> {
        into.extend_from_slice(&PodFile::new("shop", "web-1").encode().unwrap());
        Ok(())
    }
}

/// Guarantees: of records that nobody reads, since nothing about them is open but this, a hit is found wherever it stands: at each place
/// of a line of each length, in front of it, and behind escapes.
#[test]
fn a_hit_is_found_at_every_place_of_records_that_nobody_reads() {
    let jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
    for (kind, secret) in [("email", "a@b.de"), ("jwt", jwt)] {
        let mut engine = engine(&format!("version: 1\nredact: [{{ name: it, kind: {kind} }}]\n"));
        let mut redacted = |text: &str| {
            let mut out = Vec::new();
            let time = EventTime { sec: (START / SECOND) as u32, nsec: 0 };
            let tag = b"kube.var.log.containers.web-1_shop_app-0a.log";
            let input = Input { tag, time, text: text.as_bytes() };
            engine.filter(input, &mut Now(START), &mut Known, &mut out);
            String::from_utf8(out).unwrap()
        };
        let record = |front: &str, log: &str| {
            format!("{{\"time\":\"2026-11-20T10:00:00.1Z\",\"stream\":\"{front}\",\"log\":\"{log}\"}}")
        };
        for length in 0..48 {
            let plain = "x".repeat(length) + " 12 \\\"b\\\"";
            assert!(redacted(&record("stdout", &plain)).contains(&plain));
            for at in 0..=length {
                let (front, behind) = ("y ".repeat(at), "z ".repeat(length - at));
                let answer = redacted(&record("stdout", &format!("{front}{secret} {behind}")));
                assert!(!answer.contains(secret) && answer.contains("[redacted:it]"), "{answer}");
            }
        }
        assert!(!redacted(&record(secret, "x 12 y 34 z")).contains(secret));
        let hidden = secret.replacen('@', "\\u0040", 1).replacen('J', "\\u004a", 1);
        for text in
            [record("stdout", &hidden), record(&hidden, "x 12 y 34 z"), record(&hidden, "x 12 y 35 z")]
        {
            assert!(redacted(&text).contains("[redacted:it]"), "{text}");
        }
    }
}
