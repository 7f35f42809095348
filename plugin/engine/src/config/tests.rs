//! Mistakes are shown word for word, all of them in one pass; what is right means what the table in the README says.

use crate::condition::Ordered;
use crate::config::load;
use crate::config::model::{
    Action, Budget, Ceiling, Condition, Dedup, First, Floor, Key, Limit, Part, Policy, Rate, RuleFile,
    SeverityTest, Target, Unit,
};
use crate::diag::{Paint, render_all};
use crate::pods::{EnrichFields, Field, PodFile, Selection};
use crate::severity::Severity;
use proptest::prelude::*;
use std::num::NonZeroU64;
use std::time::Duration;

#[track_caller]
fn shown(source: &str, expected: &str) {
    let mistakes = match load(source) {
        Ok(loaded) => loaded.warnings,
        Err(mistakes) => mistakes,
    };
    assert_eq!(render_all(&mistakes, source, "f", Paint::Plain), expected);
}

/// The codes of the mistakes and warnings in the order of their places.
#[track_caller]
fn codes(source: &str, expected: &[&str]) {
    let mistakes = match load(source) {
        Ok(loaded) => loaded.warnings,
        Err(mistakes) => mistakes,
    };
    let found: Vec<&str> = mistakes.iter().map(|mistake| mistake.code.name()).collect();
    assert_eq!(found, expected, "{mistakes:#?}");
}

fn rule(body: &str) -> String {
    format!("version: 1\nrules:\n  - {{ name: a, {body} }}\n")
}

#[test]
fn every_mistake_of_a_file_is_shown_at_once() {
    shown(
        "version: 1\nenrich: { fields: laen }\nrules:\n  - name: probes\n    when: { namspace: x, severity: '>=eror', message: 'GET /healthz' }\n    drop: {}\n  - name: probes\n    sample: { rate: 0 }\n",
        "error[NS300]: `laen` is not a metadata field\n --> f:2:19\n  |\n2 | enrich: { fields: laen }\n  |                   ^^^^\n  = help: did you mean `lean`?\n\n\
         error[NS201]: unknown key `namspace` in when\n --> f:5:13\n  |\n5 |     when: { namspace: x, severity: '>=eror', message: 'GET /healthz' }\n  |             ^^^^^^^^\n  = help: did you mean `namespace`?\n\n\
         error[NS300]: `eror` is not a severity\n --> f:5:36\n  |\n5 |     when: { namspace: x, severity: '>=eror', message: 'GET /healthz' }\n  |                                    ^^^^^^^^\n  = help: did you mean `error`?\n\n\
         error[NS400]: invalid character '/' in a term without quotes\n --> f:5:60\n  |\n5 |     when: { namspace: x, severity: '>=eror', message: 'GET /healthz' }\n  |                                                            ^\n  = help: put the term into double quotes\n\n\
         error[NS501]: a drop must say why, or when it ends\n --> f:6:5\n  |\n6 |     drop: {}\n  |     ^^^^\n  = help: add `reason: ...`, or `until: 2027-01-31T00:00:00Z`\n\n\
         error[NS304]: `probes` is the name of an earlier guard or rule\n --> f:7:11\n  |\n7 |   - name: probes\n  |           ^^^^^^\n\n\
         error[NS302]: `0` is not a probability above 0\n --> f:8:21\n  |\n8 |     sample: { rate: 0 }\n  |                     ^\n  = help: to keep none, write `drop: {}`\n",
    );
}

#[test]
fn every_policy_reads_its_settings_and_has_its_defaults() {
    let policy = |body: &str| load(&rule(body)).unwrap().rules.rules[0].policy.clone();
    let rate = |unit, amount: u64, seconds| Rate {
        unit,
        amount: NonZeroU64::new(amount).unwrap(),
        per: Duration::from_secs(seconds),
    };
    let whole = |number| NonZeroU64::new(number).unwrap();
    assert_eq!(
        policy("first: { n: 20, per: 10s, then: 1/100, by: [pod, template] }"),
        Policy::First(First {
            n: 20,
            per: Duration::from_secs(10),
            then: NonZeroU64::new(100),
            by: Key(vec![Part::Pod, Part::Template]),
        })
    );
    let limit = |rate, burst, by| Policy::Limit(Limit { rate, burst: whole(burst), by: Key(by) });
    assert_eq!(
        policy("limit: { rate: 20/s, burst: 200, by: container }"),
        limit(rate(Unit::Records, 20, 1), 200, vec![Part::Container])
    );
    assert_eq!(policy("limit: { rate: 5MB/s }"), limit(rate(Unit::Bytes, 5_000_000, 1), 5_000_000, vec![]));
    assert_eq!(policy("limit: { rate: 1/h }"), limit(rate(Unit::Records, 1, 3600), 1, vec![]));
    assert_eq!(
        policy("dedup: { window: 30s }"),
        Policy::Dedup(Dedup {
            window: Duration::from_secs(30),
            by: Key(vec![Part::Container, Part::Template]),
        })
    );
    let target = |per_second, by, interval| Target {
        rate: rate(Unit::Records, per_second, 1),
        by: Key(by),
        interval: Duration::from_secs(interval),
    };
    assert_eq!(policy("target: { rate: 100/s }"), Policy::Target(target(100, vec![], 10)));
    assert_eq!(
        policy("budget: { spend: 2GB/day, by: namespace, over: { rate: 5/s, by: template, interval: 30s } }"),
        Policy::Budget(Budget {
            spend: whole(2_000_000_000),
            by: Key(vec![Part::Namespace]),
            soft: Some(1_600_000_000),
            over: Some(target(5, vec![Part::Template], 30)),
        })
    );
    let budget = Budget { spend: whole(1024), by: Key::default(), soft: None, over: None };
    assert_eq!(policy("budget: { spend: 1KiB/day }"), Policy::Budget(budget));
}

#[test]
fn floors_ceilings_and_modes_are_part_of_a_rule() {
    let source = "version: 1\nguards: [{ name: g, when: { stream: stderr }, ceiling: { rate: 200/s, by: pod } }]\n\
        rules: [{ name: a, limit: { rate: 1/s, by: pod }, floor: { per: 60s }, mode: shadow }, { name: b, keep: {} }]\n\
        exclude_annotations: true\nstate: { dir: off }\ndefaults: { summary: off, max_keys: 5 }\n";
    let loaded = load(source).unwrap();
    assert_eq!(loaded.warnings, [], "a rule in shadow mode hides none behind it");
    let rules = loaded.rules;
    let Policy::Ceiling(Ceiling(limit)) = &rules.guards[0].policy else { panic!("no ceiling") };
    assert_eq!(limit.burst.get(), 200);
    let floor = Floor { per: Duration::from_secs(60), by: Key(vec![Part::Pod]) };
    assert_eq!((rules.rules[0].floor.clone(), rules.rules[0].shadow), (Some(floor), true));
    assert_eq!(
        (rules.exclude_annotations, rules.state_dir.clone(), rules.summary, rules.max_keys),
        (true, None, None, 5)
    );
    let defaults = load("version: 1\n").unwrap().rules;
    assert_eq!(
        (defaults.exclude_annotations, defaults.state_dir.as_deref()),
        (false, Some("/var/lib/nodesieve/filter"))
    );
    assert_eq!((defaults.summary, defaults.max_keys), (Some(Duration::from_secs(60)), 4096));
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    for (body, code) in [
        ("first: { n: 1 }", "NS202"),
        ("first: { n: 0, per: 1s }", "NS300"),
        ("first: { n: 1, per: 0s }", "NS301"),
        ("first: { n: 1, per: 8d }", "NS301"),
        ("first: { n: 1, per: 1s, then: 0.01 }", "NS302"),
        ("first: { n: 1, per: 1s, then: 1/1 }", "NS302"),
        ("limit: { rate: 1/d, burst: 1000 }", "NS307"),
        ("limit: { rate: 2000000/s }", "NS307"),
        ("limit: { rate: 1/s, by: [pod, pod] }", "NS300"),
        ("limit: { rate: 20 }", "NS307"),
        ("limit: { rate: 20/s, burst: 10MB }", "NS307"),
        ("limit: { rate: 5MB/s, burst: 10 }", "NS307"),
        ("limit: { rate: 20/s, burst: 0 }", "NS307"),
        ("limit: {}", "NS202"),
        ("dedup: { by: pod }", "NS202"),
        ("dedup: { window: 1s, by: pods }", "NS300"),
        ("target: { rate: 5MB/s }", "NS307"),
        ("budget: { spend: 5MB/s }", "NS307"),
        ("budget: { spend: 5MB/day, soft: 0.5 }", "NS202"),
        ("budget: { spend: 5MB/day, soft: 2, over: { rate: 1/s } }", "NS302"),
        ("keep: {}, floor: { per: 60s }", "NS500"),
        ("dedup: { window: 1s }, floor: { per: 60s }", "NS500"),
        ("limit: { rate: 1/s }, floor: {}", "NS202"),
        ("keep: {}, mode: shade", "NS300"),
        ("keep: {}, ceiling: { rate: 1/s }", "NS201"),
        ("sample: { rate: 1/2, by: templat }", "NS300"),
    ] {
        codes(&rule(body), &[code]);
    }
    codes("version: 1\nstate: { dir: x }\n", &["NS306"]);
    codes("version: 1\ndefaults: { max_keys: 100000 }\n", &["NS300"]);
    codes("version: 1\ndefaults: { summary: 10ms }\n", &["NS301"]);
    let many: String = (0..33)
        .map(|n| format!("{{ name: r{n}, when: {{ pod: x{n} }}, keep: {{}}, mode: shadow }},"))
        .collect();
    codes(&format!("version: 1\nrules: [{many}]\n"), &["NS300"]);
}

#[test]
fn tests_are_read_with_all_their_mistakes() {
    let test = |body: &str| {
        format!("version: 1\nrules: [{{ name: noise, keep: {{}} }}]\ntests:\n  - {{ {body} }}\n")
    };
    let first = load(&test(
        "record: { log: 'a \"b\"', n: 7, deep: [1.5, x, null, true, 'no', 0123], kubernetes: { namespace_name: shop, labels: { app: 1 } } }, expect: { rule: noise }",
    ))
    .unwrap()
    .tests
    .remove(0);
    assert_eq!(first.text, r#"{"log":"a \"b\"","n":7,"deep":[1.5,"x",null,true,"no","0123"]}"#);
    assert_eq!(first.tag, format!("kube.var.log.containers.pod_shop_app-{}.log", "0a".repeat(32)));
    let (front, back) = first.pod.unwrap();
    let file = [front, b"5".to_vec(), back].concat();
    let file = PodFile::decode(&file, "shop", "pod").unwrap();
    assert_eq!((file.labels.unwrap().get("app"), file.containers[0].started), (Some("1"), Some(5)));
    for (body, code) in [
        ("expect: { rule: noise }", "NS202"),
        ("record: { log: x }", "NS202"),
        ("record: x, expect: { rule: noise }", "NS200"),
        ("record: { log: x }, expect: {}", "NS202"),
        ("record: { log: x }, expect: { rule: nois }", "NS300"),
        ("record: { log: x }, expect: { guard: noise }", "NS300"),
        ("record: { log: x }, expect: { shadow: noise }", "NS300"),
        ("record: { log: x }, expect: { action: dorp }", "NS300"),
        ("record: { log: x }, expect: { kept: 1.5 }", "NS300"),
        ("record: { log: x }, expect: { kept: many }", "NS300"),
        ("record: { log: x }, at: tomorrow, expect: { rule: noise }", "NS300"),
        ("record: { log: x }, age: 5, expect: { rule: noise }", "NS301"),
        ("record: { log: x }, repeat: { n: 0 }, expect: { rule: noise }", "NS300"),
        ("record: { log: x }, repeat: { every: 1s }, expect: { rule: noise }", "NS202"),
        ("record: { log: x }, repeat: { n: 20001 }, expect: { rule: noise }", "NS300"),
        ("record: { log: x, kubernetes: { label: {} } }, expect: { rule: noise }", "NS201"),
        ("record: { log: x, kubernetes: { labels: x } }, expect: { rule: noise }", "NS200"),
        ("record: { log: x }, metadata: gone, expect: { rule: noise }", "NS300"),
        ("record: { log: x }, repeat: { n: 25 }, expect: { kept: 0.5 }", "NS300"),
        ("record: { log: x }, repeat: { n: 1000 }, expect: { kept: 0.0 }", "NS300"),
        ("record: { log: x }, repeat: { n: 10 }, expect: { kept: 5, z: 3 }", "NS300"),
        ("record: { log: x, kubernetes: { pod_name: My_Pod } }, expect: { rule: none }", "NS300"),
    ] {
        codes(&test(body), &[code]);
    }
    let twice = test("record: { log: x }, repeat: { n: 15000 }, expect: { kept: 1 }");
    let more =
        format!("{twice}  - {{ record: {{ log: x }}, repeat: {{ n: 15000 }}, expect: {{ kept: 1 }} }}\n");
    codes(&more, &["NS300"]);
    let rules: String =
        (0..300).map(|n| format!("{{ name: r{n}, when: {{ pod: x{n} }}, keep: {{}} }},")).collect();
    let tests = "{ record: { log: x }, expect: { action: keep } },".repeat(167);
    codes(&format!("version: 1\nrules: [{rules}]\ntests: [{tests}]\n"), &["NS300"]);
}

#[test]
fn each_code_has_a_file_that_causes_it() {
    codes("version: [1\n", &["NS100"]);
    codes(&format!("version: {}1{}\n", "[".repeat(20), "]".repeat(20)), &["NS101"]);
    codes("version: &a 1\n", &["NS102"]);
    codes("version: 1\nversion: 1\n", &["NS103"]);
    codes("version: 1\nrules: 7\n", &["NS200"]);
    codes("version: 1\nrulse: []\n", &["NS201"]);
    codes("rules: []\n", &["NS202"]);
    codes("version: 2\n", &["NS203"]);
    codes(&rule("keep: {}, when: { stream: both }"), &["NS300"]);
    codes("version: 1\npods: { ttl: 60 }\n", &["NS301"]);
    codes(&rule("sample: { rate: 3/2 }"), &["NS302"]);
    codes("version: 1\nguards: [{ name: Errors }]\n", &["NS303"]);
    codes("version: 1\nguards: [{ name: none }]\n", &["NS303"]);
    codes("version: 1\nguards: [{ name: a, when: { pod: x } }, { name: a }]\n", &["NS304"]);
    codes(&rule("keep: {}, when: { namespace: Shop_* }"), &["NS305"]);
    codes("version: 1\nmetrics: { file: run/../x }\n", &["NS306"]);
    codes(&rule("keep: {}, when: { message: a:b }"), &["NS400"]);
    codes(&rule("keep: {}, when: { message: abc-123 }"), &["NS401"]);
    codes(&rule("keep: {}, when: { labels: 'a=b,' }"), &["NS402"]);
    codes(&rule("drop: {}, keep: {}, reason: x"), &["NS500"]);
    codes(&rule("drop: {}"), &["NS501"]);
    codes("version: 1\nguards: [{ name: a }, { name: b }]\n", &["NS502"]);
    let annotated = rule("when: { annotations: 'a,nodesieve.io/b' }, keep: {}");
    codes(&annotated, &["NS403"]);
    codes(&format!("{annotated}metadata: {{ source: record }}\n"), &[]);
    codes("version: 1\nenrich: { annotations: ['fluentbit.io/exclude', 'b/*', c] }\n", &["NS403", "NS403"]);
    codes("version: 1\nenrich: { annotations: true }\n", &[]);
    codes("version: 1\nguards: [{ name: a }]\nrules: [{ name: b, keep: {} }]\n", &["NS502"]);
    codes("version: 1\nenrich: { key: log }\n", &["NS300"]);
    codes("version: 1\ninput: { message: msg }\nenrich: { key: log }\n", &[]);
    codes("version: 1\nenrich: { merge_log: { key: kubernetes } }\n", &["NS300"]);
    codes("version: 1\nenrich: { key: k8s, merge_log: { key: kubernetes } }\n", &[]);
    codes("version: 1\nenrich: { merge_log: { key: 'a b', keep_log: maybe } }\n", &["NS300", "NS300"]);
    codes("version: 1\nenrich: { merge_log: { on: true } }\n", &["NS201"]);
    codes("version: 1\nenrich: { merge_log: yes }\n", &["NS300"]);
    codes("version: 1\nguards: [{ name: a, when: { stream: x } }, { name: b }]\n", &["NS300"]);
}

#[test]
fn quotes_that_yaml_took_are_explained() {
    let source = rule("keep: {}, when: { message: \"GET /healthz\" }");
    let mistakes = load(&source).unwrap_err();
    assert_eq!(mistakes[0].position(&source), (3, 48));
    assert!(mistakes[0].help.as_deref().unwrap().starts_with("YAML takes double quotes for itself"));
    let other = load(&rule("keep: {}, when: { message: \"{ $.status == 500 }\" }")).unwrap_err();
    assert_eq!(other[0].help.as_deref(), Some("write one `=`"));
}

#[test]
fn patterns_that_yaml_would_eat_are_warned_about() {
    let block = |condition: &str| {
        format!("version: 1\nrules:\n  - name: a\n    when:\n      {condition}\n    keep: {{}}\n")
    };
    let warned = |condition: &str, message: &str| {
        let source = block(condition);
        let loaded = load(&source).unwrap_or_else(|mistakes| panic!("{condition}: {mistakes:?}"));
        let messages: Vec<_> = loaded.warnings.iter().map(|warning| warning.message.as_str()).collect();
        assert_eq!(messages, if message.is_empty() { vec![] } else { vec![message] }, "{condition}");
    };
    warned("message: ERROR #42", "the pattern is only `ERROR`: YAML takes `#42` for a comment");
    warned("message: ERROR # this is why", "");
    warned("message: ''", "an empty pattern matches every line");
    warned("labels: ''", "an empty selector matches every pod, whatever its labels");
    warned("labels:", "an empty selector matches every pod, whatever its labels");
    warned("message:", "an empty pattern matches every line");
    warned(
        "message: \"Task timed out\"",
        "YAML took the quotes: these are 3 terms, which may stand anywhere in the line",
    );
    warned("message: '\"Task timed out\"'", "");
    warned("message: \"ERROR\"", "");
    warned(
        "message: '[ERROR]'",
        "`[ERROR]` matches every line: it is a row of fields, and names no condition",
    );
    for eaten in ["message: [ERROR]", "message: { $.a = 1 }", "record: { $.a = 1 }"] {
        let mistakes = load(&block(eaten)).unwrap_err();
        assert_eq!(mistakes[0].code.name(), "NS200", "{eaten}");
        assert!(mistakes[0].help.as_deref().unwrap().contains("single quotes"), "{eaten}");
    }
    let percent = load(&block("message: %a+%")).unwrap_err();
    assert!(percent[0].help.as_deref().unwrap_or_default().contains("single quotes"), "{percent:?}");
}

#[test]
fn mistakes_in_patterns_are_shown_where_they_stand() {
    shown(
        "version: 1\nrules:\n  - name: a\n    when: { message: '{ $.status == 500 }', labels: 'app in (a', record: ERROR }\n    keep: {}\n",
        "error[NS400]: `==` is not an operator\n --> f:4:34\n  |\n4 |     when: { message: '{ $.status == 500 }', labels: 'app in (a', record: ERROR }\n  |                                  ^^\n  = help: write one `=`\n\n\
         error[NS402]: found the end after a value of the set; expected ',' or ')'\n --> f:4:63\n  |\n4 |     when: { message: '{ $.status == 500 }', labels: 'app in (a', record: ERROR }\n  |                                                               ^\n  = help: put ',' between the values and ')' behind the last\n\n\
         error[NS400]: a record is matched by a JSON pattern, this is another form\n --> f:4:74\n  |\n4 |     when: { message: '{ $.status == 500 }', labels: 'app in (a', record: ERROR }\n  |                                                                          ^^^^^\n  = help: write record: '{ $.field = value }', or use `message` for the line\n",
    );
}

#[test]
fn a_drop_that_misses_records_without_the_field_is_warned_about() {
    let source = rule("drop: {}, reason: x, when: { message: '{ $.level != error }' }");
    let warning = &load(&source).unwrap().warnings[0];
    assert_eq!(warning.message, "`$.level != error` is false for records without $.level");
    codes(&rule("keep: {}, when: { message: '{ $.level != error }' }"), &[]);
}

#[test]
fn metadata_is_kept_whole_only_when_a_rule_asks_beyond_the_tag() {
    let asks = |record: &str| {
        load(&rule(&format!("keep: {{}}, when: {{ record: '{record}' }}"))).unwrap().rules.enrich.for_rules
    };
    assert!(
        asks("{ $.kubernetes.labels.app = x }") && asks("{ $.*.host = x }") && asks("{ $.kubernetes.* = x }")
    );
    assert!(!asks("{ $.kubernetes.pod_name = x }") && !asks("{ $.log = x }") && !asks("{ $.* = x }"));
}

#[test]
fn the_empty_file_has_the_defaults() {
    assert_eq!(load("version: 1\n").unwrap().rules, RuleFile::default().into());
    assert_eq!(load("version: 1\nrules:\nguards: []\n").unwrap().rules, RuleFile::default().into());
}

#[test]
fn every_key_has_its_meaning() {
    let loaded = load(
        "version: 1\ninput: { tag_prefix: a., message: [msg], trace_id: id, continuation: off, max_record: 500_000 }\n\
         pods: { dir: /p, ttl: 30s, stale: 1h, missing_ttl: 500ms, capacity: 7 }\n\
         enrich: { fields: [host, labels], labels: false, annotations: ['nodesieve.io/*'], key: k8s }\n\
         metrics: { file: /m/x.prom, every: 30s }\ndefaults: { no_match: drop, annotate: false }\n\
         guards:\n  - { name: g, when: { severity: '>=error', container_age: '<60s' } }\n\
         rules:\n  - { name: r, when: { stream: stderr, workload: w-* }, sample: { rate: 1/8, by: [pod, $.user.id], else_by: trace_id },\n      until: 2027-01-31T00:00:00Z, reason: because }\n",
    )
    .unwrap();
    assert_eq!(loaded.warnings, []);
    let file = loaded.rules;
    assert_eq!(
        (file.input.tag_prefix.as_str(), file.input.max_record, file.input.continuation),
        ("a.", 500_000, None)
    );
    assert_eq!((&*file.input.message[0], file.input.trace_id[0].name()), ("msg", "id"));
    assert_eq!((file.pods.cache.ttl, file.pods.cache.capacity.get()), (Duration::from_secs(30), 7));
    assert_eq!(file.enrich.fields, EnrichFields::Only(vec![Field::Host, Field::Labels]));
    assert_eq!((&file.enrich.labels, &*file.enrich.key), (&Selection::None, "k8s"));
    assert_eq!((file.no_match, file.annotate), (Action::Drop, false));
    let severity = SeverityTest::Compared(Ordered::AtLeast, Severity::Error);
    assert!(file.guards[0].when.conditions().contains(&Condition::Severity(severity)));
    let Policy::Sample(sample) = &file.rules[0].policy else { panic!("not a sample") };
    assert_eq!((sample.threshold.text().as_str(), sample.by.len()), ("e", 2));
    assert_eq!(sample.by[0].0, [Part::Pod, Part::Field(vec!["user".into(), "id".into()])]);
    assert_eq!(file.rules[0].until, Some(1_801_353_600));
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,80}|(version|rules|when|drop|[-{}\\[\\]:'\", \n]){0,30}") {
        if let Err(mistakes) = load(&text) {
            render_all(&mistakes, &text, "f", Paint::Plain);
        }
    }
}

#[test]
fn a_merge_is_as_the_built_in_filter_does_it_unless_told_otherwise() {
    let merge = |text: &str| {
        load(&format!("version: 1\nenrich: {{ merge_log: {text} }}\n")).unwrap().rules.merge_log.clone()
    };
    assert_eq!(load("version: 1\n").unwrap().rules.merge_log, None);
    assert_eq!(merge("false"), None);
    assert_eq!(merge("true"), Some(crate::record::Merge { key: None, keep_log: true, trim: true }));
    assert_eq!(merge("{}"), merge("true"));
    let all = crate::record::Merge { key: Some("data".into()), keep_log: false, trim: false };
    assert_eq!(merge("{ key: data, keep_log: false, trim: false }"), Some(all));
}

/// What is answered to what people write first.
mod meant;
