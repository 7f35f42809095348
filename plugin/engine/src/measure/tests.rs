//! What is written under `measure` means what the documentation says, and every mistake is told.

use super::*;
use crate::config::load;

fn read(measure: &str) -> Measure {
    let source = format!("version: 1\nmeasure:\n  - {measure}\n");
    (*load(&source).unwrap().rules.measures[0]).clone()
}

#[test]
fn a_measure_has_its_metric_and_labels() {
    let measure = read(
        "{ name: http-requests, when: { namespace: shop, message: '[ip, user, status = 5*, bytes]' }, counter: {}, by: [namespace, $.http.code, status class] }",
    );
    assert_eq!(measure.metric(), "nodesieve_measure_http_requests_total");
    let names: Vec<&str> = measure.by.iter().map(|label| &*label.name).collect();
    assert_eq!(names, ["namespace", "code", "status"]);
    assert_eq!(measure.by[2].of, LabelOf::Value(ValueAt::Column("status".into()), Shown::Class));
    assert_eq!(measure.max_series, 100);
    let measure = read("{ name: took, when: { message: '[..., ms]' }, histogram: { of: ms, unit: ms } }");
    assert_eq!(measure.metric(), "nodesieve_measure_took_ms");
    assert_eq!(measure.buckets().len(), DEFAULT_BUCKETS.len());
}

#[test]
fn every_mistake_is_told_with_its_code() {
    for (measure, code) in [
        ("{ counter: {} }", "NS202"),
        ("{ name: Requests, counter: {} }", "NS303"),
        ("{ name: a }", "NS202"),
        ("{ name: a, counter: {}, histogram: { of: $.a } }", "NS202"),
        ("{ name: a, count: {} }", "NS201"),
        ("{ name: a, counter: { of: $.a } }", "NS201"),
        ("{ name: a, histogram: {} }", "NS202"),
        ("{ name: a, histogram: { of: duration } }", "NS300"),
        ("{ name: a, histogram: { of: $.a, buckets: [1, 1] } }", "NS300"),
        ("{ name: a, histogram: { of: $.a, buckets: [1, many] } }", "NS300"),
        ("{ name: a, histogram: { of: $.a, unit: Total } }", "NS300"),
        ("{ name: a, counter: {}, by: [trace_id] }", "NS300"),
        ("{ name: a, counter: {}, by: [$.a, $.b.a] }", "NS300"),
        ("{ name: a, counter: {}, by: [$.status classes] }", "NS300"),
        ("{ name: a, counter: {}, by: [$.le] }", "NS300"),
        ("{ name: a, counter: {}, max_series: 0 }", "NS300"),
        ("{ name: a, counter: {} }, { name: a, counter: {} }", "NS304"),
        ("{ name: other, counter: {} }", "NS304"),
        ("{ name: series, histogram: { of: $.a } }", "NS304"),
        ("{ name: a, histogram: { of: $.b } }, { name: a-count, histogram: { of: $.b } }", "NS304"),
        ("{ name: a-ms, histogram: { of: $.b } }, { name: a, histogram: { of: $.b, unit: ms } }", "NS304"),
    ] {
        let source = format!("version: 1\nmeasure: [{measure}]\n");
        let mistakes = load(&source).map(|_| ()).unwrap_err();
        let codes: Vec<&str> = mistakes.iter().map(|mistake| mistake.code.name()).collect();
        assert!(codes.contains(&code), "{measure}: {mistakes:#?}");
    }
    let many =
        (0..40).map(|n| format!("{{ name: m{n}, counter: {{}}, max_series: 1000 }}")).collect::<Vec<_>>();
    let mistakes = load(&format!("version: 1\nmeasure: [{}]\n", many.join(", "))).map(|_| ()).unwrap_err();
    assert_eq!(mistakes.len(), 2, "{mistakes:#?}");
}

#[test]
fn a_column_is_found_wherever_its_name_stands() {
    let value = |pattern: &str, name: &str, line: &str| {
        let measure = read(&format!("{{ name: a, when: {{ message: '{pattern}' }}, counter: {{}} }}"));
        let Condition::Message(message) = &measure.when.conditions()[0] else { panic!("no pattern") };
        let raw = crate::line::Line::new(line.as_bytes());
        message.column(name, &raw).map(|found| String::from_utf8(found).unwrap())
    };
    assert_eq!(value("[ip, user, ms]", "user", "1.2.3.4 [a b] 17").as_deref(), Some("a b"));
    assert_eq!(value("[ip, user, rest]", "rest", "1.2.3.4 a 17 and more").as_deref(), Some("17 and more"));
    assert_eq!(value("[ip, ..., bytes, ms]", "bytes", "1.2.3.4 a b c 17 3").as_deref(), Some("17"));
    assert_eq!(value("[ip, ..., ms]", "ip", "1.2.3.4 a b 3").as_deref(), Some("1.2.3.4"));
    assert_eq!(value("[ip, user, ms]", "ms", "1.2.3.4"), None);
}
