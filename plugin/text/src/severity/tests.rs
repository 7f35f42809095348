//! Lines and what they say of themselves.

use super::*;
use crate::json::push_string;
use crate::record::{Names, RecordView};

#[track_caller]
fn check(line: &str, expected: Option<Severity>) {
    let mut content = Vec::new();
    push_string(&mut content, line.as_bytes());
    let content = &content[1..content.len() - 1];
    assert_eq!(Severity::of(&Line::new(content)), expected, "{line}");
}

/// The examples of the documented order are what they are said to be, and by the step that is said.
#[test]
fn each_step_of_the_precedence_decides_its_example() {
    let further = [Path::parse("$.app.sev").unwrap()];
    for ExplainedLevel { step, example, severity, .. } in PRECEDENCE {
        let mut content = Vec::new();
        push_string(&mut content, example.as_bytes());
        let line = Line::new(&content[1..content.len() - 1]);
        let reading = read(&line);
        match step {
            PrecedenceStep::Structured | PrecedenceStep::Front | PrecedenceStep::Crash => {
                assert_eq!(reading, Some(Reading { severity, step }), "{example}");
            }
            PrecedenceStep::Further | PrecedenceStep::Record => {
                let text = match step {
                    PrecedenceStep::Record => example.to_owned(),
                    _ => format!("{{\"log\":\"{}\"}}", std::str::from_utf8(line.raw()).unwrap()),
                };
                let names = Names::new(vec!["log".into()], Vec::new(), Vec::new());
                let record = RecordView::read(text.as_bytes(), &names).unwrap();
                let of = |further| record.severity(record.line().as_ref(), further, || None);
                assert_eq!(of(&further), Some(severity), "{example}");
            }
        }
    }
}

#[test]
fn reads_json_levels_at_the_top_only() {
    check(r#"{"ts":"x","level":"error","msg":"level=info"}"#, Some(Severity::Error));
    check(r#"{"severity":"WARNING"}"#, Some(Severity::Warn));
    check(r#"{"lvl":"dbug","v":1}"#, Some(Severity::Debug));
    check(r#"{"level":30,"msg":"pino"}"#, Some(Severity::Info));
    check(r#"{"ctx":{"level":"error"},"msg":"x"}"#, None);
    check(r#"{"msg":"\"level\":\"error\""}"#, None);
    check(r#"{"ctx":{"level":"debug"},"level":"fatal"}"#, Some(Severity::Fatal));
    check(r#"{"level":3}"#, None);
    check(r#"{"level":"ünknown"}"#, None);
    check(r#"{"level":"error""#, Some(Severity::Error));
}

/// Guarantees: a line that is nothing but wrappers or levels that are none costs no reading for each.
#[test]
fn looks_into_some_values_and_not_into_any_number() {
    let wrapped = |n: usize| r#""log":"{\"a\":1}","#.repeat(n) + r#""message":"{\"level\":\"error\"}""#;
    check(&format!("{{{}}}", wrapped(3)), Some(Severity::Error));
    check(&format!("{{{}}}", wrapped(4)), None);
    check(&format!(r#"{{"level":"warn",{}}}"#, wrapped(4)), Some(Severity::Warn));
    let beside = |n: usize| format!(r#"{{{}"level":"warn"}}"#, r#""log":"{\"a\":1}","#.repeat(n));
    check(&beside(3), Some(Severity::Warn));
    check(&beside(4), None);
    let objects = |n: usize| r#""level":{"a":1},"#.repeat(n) + r#""level":{"name":"error"}"#;
    check(&format!("{{{}}}", objects(3)), Some(Severity::Error));
    check(&format!("{{{}}}", objects(4)), None);
    let levels = |n: usize, more: &str| format!("{{{}{more}}}", r#""level":"x","#.repeat(n));
    check(&levels(7, r#""severity":"error""#), Some(Severity::Error));
    for more in [r#""severity":"error""#, r#""severity":"error","a":1"#, r#""a":1,"severity":"error""#] {
        check(&levels(8, more), None);
    }
    let pairs = |n: usize| format!("{}level=error", "level=x ".repeat(n));
    check(&pairs(7), Some(Severity::Error));
    check(&pairs(8), None);
    let members = |n: usize| format!(r#"{{{}"level":"error"}}"#, r#""a":1,"#.repeat(n));
    check(&members(63), Some(Severity::Error));
    check(&members(64), None);
    let others = |n: usize| format!("{}level=error", "a=b ".repeat(n));
    check(&others(39), Some(Severity::Error));
    check(&others(40), None);
}

#[test]
fn reads_prefixes_and_openings() {
    check("E1123 10:00:00.123456       1 reflector.go:138] Failed", Some(Severity::Error));
    check("I1120 10:00:00.000001 x", Some(Severity::Info));
    check("<3>disk failure", Some(Severity::Error));
    check("<30>daemon info", Some(Severity::Info));
    check("<200>no priority", None);
    check("[ERROR] 400 BAD REQUEST", Some(Severity::Error));
    check("[ warn ] x", Some(Severity::Warn));
    check("ERROR something broke", Some(Severity::Error));
    check("error: something broke", Some(Severity::Error));
    check("Error handling is hard", None);
    check("panic: runtime error: index out of range", Some(Severity::Fatal));
    check("Traceback (most recent call last):", Some(Severity::Error));
    check("Exception in thread \"main\" java.lang.X", Some(Severity::Error));
    check("java.lang.IllegalStateException: closed", Some(Severity::Error));
    check("\u{1b}[31mERROR\u{1b}[0m red", Some(Severity::Error));
    check("java.lang.IllegalStateException:\nclosed", Some(Severity::Error));
}

#[test]
fn words_that_are_levels_only_by_accident_are_passed_over() {
    for line in [
        "config: open /etc/app.yaml: no such file",
        "log: cannot write",
        "default: connection refused",
        "fine: 3",
        "CONFIG missing: abort",
        "LOG FILE missing",
        "12:00:01 LOG FILE missing",
        "12:00:01 CONFIG x",
    ] {
        check(line, None);
    }
    check("FINE: entering", Some(Severity::Debug));
    check("SEVERE: cannot start", Some(Severity::Error));
    check("{\"level\":\"config\"}", Some(Severity::Debug));
    check("{\"level\":null,\"severity\":\"ERROR\"}", Some(Severity::Error));
    check("{\"level\":3,\"severity\":\"error\"}", Some(Severity::Error));
}

#[test]
fn reads_logfmt_keys_that_stand_alone() {
    check("ts=1 level=warn msg=\"x\"", Some(Severity::Warn));
    check("level=\"error\" msg=x", Some(Severity::Error));
    check("waterlevel=error", None);
    check("a=1 level=7 b=2", None);
}

#[test]
fn reads_the_word_behind_the_time() {
    check("2026-11-20 10:00:01.123  INFO 1 --- [nio-8080-exec-1] c.e.Cart : level", Some(Severity::Info));
    check("2026/11/20 10:00:01 [error] 31#31: *1 open() failed", Some(Severity::Error));
    check("2026-11-20T10:00:01Z\tDEBUG\tcontroller\tdone", Some(Severity::Debug));
    check("10:00:01 the Information desk", None);
    check("GET /healthz 200 in 3 ms without an ERROR far behind in the text of it", None);
    check("", None);
}
