//! Any bytes as a rule file: it loads, or says where it is wrong in a place that it has; and what loads decides records.

use crate::behaviour::{Behaviour, variant};
use crate::calls::{Pods, START, TAGS};
use crate::engines::Engines;
use crate::record::{check_answer, event_time};
use nodesieve_engine::config::{self, Loaded};
use nodesieve_engine::diag::{Diagnostic, Paint, render_all};
use nodesieve_engine::engine::Input;
use nodesieve_engine::rule_test;
use nodesieve_engine::time::Now;
use std::collections::BTreeSet;

pub(crate) fn check(data: &[u8]) -> Behaviour {
    let source = String::from_utf8_lossy(data);
    match load(&source) {
        Err(mistakes) => {
            assert!(
                mistakes.iter().any(|mistake| !mistake.code.is_warning()),
                "refused for nothing: {mistakes:?}"
            );
            for mistake in &mistakes {
                check_mistake(mistake, &source);
            }
            check_rendered(&mistakes, &source);
            let codes: BTreeSet<&str> = mistakes.iter().map(|mistake| mistake.code.name()).collect();
            let helps: BTreeSet<&str> = mistakes
                .iter()
                .map(|mistake| mistake.message.split('`').next().unwrap_or_default())
                .collect();
            Behaviour::of((codes, helps.into_iter().next()))
        }
        Ok(loaded) => {
            for warning in &loaded.warnings {
                assert!(warning.code.is_warning());
                check_mistake(warning, &source);
            }
            check_rendered(&loaded.warnings, &source);
            let policies: Vec<String> = loaded.rules.all().map(|rule| variant(&rule.policy)).collect();
            decide(&loaded);
            Behaviour::of(("loads", policies, loaded.warnings.len(), loaded.tests.len()))
        }
    }
}

/// With the file's own tests, unless these take long.
fn load(source: &str) -> Result<Loaded, Vec<Diagnostic>> {
    let loaded = config::load(source)?;
    let times: u64 = loaded.tests.iter().map(|test| u64::from(test.times)).sum();
    if times > FEW_TIMES { Ok(loaded) } else { rule_test::load_explained(source) }
}

fn check_mistake(mistake: &Diagnostic, source: &str) {
    assert!(mistake.span.start <= mistake.span.end, "{mistake:?}");
    assert!(source.get(mistake.span.clone()).is_some(), "not in the text: {mistake:?}");
    assert!(!mistake.message.is_empty() && !mistake.message.ends_with('.'), "{mistake:?}");
    let (line, column) = mistake.position(source);
    let text = source.split('\n').nth(line - 1);
    let is_inside = text.is_some_and(|text| column <= text.chars().count() + 1);
    assert!(is_inside, "{line}:{column} is nowhere: {mistake:?}");
    let shown = mistake.render(source, "f", Paint::Plain);
    assert!(shown.contains(&format!("--> f:{line}:{column}\n")), "{shown}");
}

fn check_rendered(mistakes: &[Diagnostic], source: &str) {
    let plain = render_all(mistakes, source, "f", Paint::Plain);
    let coloured = render_all(mistakes, source, "f", Paint::Ansi);
    assert!(coloured.len() >= plain.len());
    assert!(plain.len() <= 2_000 * 21 + 4 * source.len(), "{} bytes", plain.len());
}

/// What loads can be put in force, and decides.
fn decide(loaded: &Loaded) {
    let mut engines = Engines::new(&loaded.rules);
    let mut pods = Pods::default();
    for (second, text) in RECORDS.iter().cycle().take(3 * RECORDS.len()).enumerate() {
        let clock = START + second as i64 * 400;
        let now = Now(clock.unsigned_abs() * 1_000_000);
        let tag = TAGS.get(second / 2 % TAGS.len()).copied().unwrap_or_default();
        let input = Input { tag: tag.as_bytes(), time: event_time(clock, 0), text: text.as_bytes() };
        let answer = engines.filter(input, now, &mut pods);
        check_answer(text.as_bytes(), answer, &engines.out, &loaded.rules);
        if second % 7 == 6 {
            engines.tick_and_sum(now);
        }
    }
    engines.add_up(Now((START.unsigned_abs() + 100_000) * 1_000_000));
}

const RECORDS: [&str; 9] = [
    r#"{"time":"2026-11-20T10:00:00.5Z","stream":"stdout","_p":"F","log":"noise of the day"}"#,
    r#"{"time":"2026-11-20T10:00:00.6Z","stream":"stderr","_p":"F","log":"ERROR it failed"}"#,
    r#"{"time":"2026-11-20T10:00:00.7Z","stream":"stderr","_p":"F","log":"  at com.x.Y(Z.java:7)"}"#,
    r#"{"log":"{\"level\":\"debug\",\"status\":500,\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}","u":"1"}"#,
    r#"{"log":"GET /healthz 200","stream":"stdout","nodesieve":{"count":5}}"#,
    r#"{"message":"x","level":"warn","big":1e999}"#,
    r#"{"log":"","stream":"stdout"}"#,
    r#"{}"#,
    r#"{"log":"cut"#,
];

/// Repetitions of a file's tests that take no time.
const FEW_TIMES: u64 = 200;

pub(crate) const WORDS: &[&str] = &[
    "version: 1\n",
    "guards:\n",
    "rules:\n",
    "tests:\n",
    "  - name: a\n",
    "    when: { message: x }\n",
    "{ name: x, ",
    " }",
    "[",
    "]",
    ", ",
    ": ",
    "\n  ",
    "\n",
    "drop: {}",
    "keep: {}",
    "sample: { rate: 1/2 }",
    "limit: { rate: 1/s, burst: 3, by: pod }",
    "first: { n: 2, per: 5s, then: 1/7 }",
    "dedup: { window: 5s }",
    "target: { rate: 2/s, by: $.u, interval: 1s }",
    "budget: { spend: 2kB/day, by: pod }",
    "floor: { per: 2s }",
    "ceiling: { rate: 1/s }",
    "reason: r",
    "until: 2027-01-01T00:00:00Z",
    "mode: shadow",
    "severity: '>=error'",
    "namespace: shop",
    "container_age: '<60s'",
    "labels: 'a in (b)'",
    "stream: stdout",
    "any: [{ message: x }, { severity: error }]",
    "not: { labels: a=b }",
    "age: 10s",
    "expect: { rule: a, action: drop }",
    "record: { log: x }",
    "repeat: { n: 5 }",
    "input: { max_record: 1024 }",
    "enrich: { fields: all, key: k }",
    "enrich: { merge_log: { key: data, keep_log: false, trim: true } }",
    "defaults: { summary: 1s, no_match: drop, annotate: false, max_keys: 1 }",
    "pods: { ttl: 1s }",
    "metrics: { every: 1s }",
    "state: { dir: /x }",
    "'",
    "\"",
    "|\n",
    ">-\n",
    "&a",
    "*a",
    "!!str ",
    "# ",
    "\t",
    "\r\n",
    "%YAML 1.2\n---\n",
    "...\n",
    "? ",
    "- ",
    "\u{feff}",
    "\u{85}",
    "é",
    "\\u0000",
    "\0",
    "~",
    "null",
    "1e9",
    "-1",
    "18446744073709551616",
    "any:",
    "not:",
    "exclude_annotations: true",
    "'{ $.a = 1 }'",
    "'%a+%'",
    "'[a, ...]'",
];
