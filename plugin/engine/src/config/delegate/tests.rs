//! What teams may say, and what is made of it.

use super::*;
use crate::config::load;

fn platform(delegate: &str) -> Rc<RuleFile> {
    let source = format!("version: 1\ndelegate: {delegate}\nrules: [{{ name: all, keep: {{}} }}]\n");
    load(&source).unwrap_or_else(|mistakes| panic!("{mistakes:?}")).rules
}

fn mistakes(delegate: &str, fragment: &str) -> Vec<String> {
    let found = load_fragment(&format!("version: 1\n{fragment}"), "payments", &platform(delegate));
    found.err().unwrap_or_default().into_iter().map(|mistake| mistake.message).collect()
}

#[test]
fn a_fragment_is_about_its_own_namespace_under_its_own_name() {
    let source =
        "version: 1\nrules:\n  - { name: debug, when: { message: debug }, drop: {}, reason: noise }\n";
    let loaded = load_fragment(source, "payments", &platform("{}")).unwrap();
    let rule = &loaded.fragment.rules[0];
    assert_eq!(&*rule.name, "payments/debug");
    assert!(rule.when.conditions().iter().any(|condition| condition.key() == "namespace"));
    let names: Vec<&str> = loaded.rules.rules.iter().map(|rule| &*rule.name).collect();
    assert_eq!(names, ["pod/sample", "pod/limit", "payments/debug", "all"]);
    assert_eq!(loaded.rules.fragments, [("payments".into(), 2..3)]);
    assert_eq!(platform("{ annotations: false }").rules.len(), 1);
}

#[test]
fn what_a_fragment_may_not_is_refused_with_it_and_said() {
    for (delegate, fragment, expected) in [
        ("{}", "guards: []", "unknown key `guards` in a fragment"),
        (
            "{}",
            "rules: [{ name: a, when: { namespace: shop }, keep: {} }]",
            "a fragment is about its own namespace, payments",
        ),
        ("{ policies: [sample, limit] }", "rules: [{ name: a, keep: {} }]", "`keep` is not delegated"),
        ("{}", "rules: [{ name: a, drop: {} }]", "a drop must say why, or when it ends"),
        (
            "{}",
            "rules: [{ name: a, keep: {} }, { name: a, keep: {} }]",
            "`a` is the name of an earlier guard or rule",
        ),
        (
            "{}",
            "tests: [{ record: { log: x }, expect: { action: keep } }]",
            "this record is not from payments",
        ),
        ("{}", "redact: []", "unknown key `redact` in a fragment"),
    ] {
        let found = mistakes(delegate, fragment);
        assert!(found.iter().any(|message| message.contains(expected)), "{fragment}: {found:?}");
    }
    let refused = |source: &str, namespace: &str, platform: &RuleFile| {
        load_fragment(source, namespace, platform).err().map(|mistakes| mistakes[0].code)
    };
    let nothing = load("version: 1\n").unwrap().rules;
    assert_eq!(refused("version: 1\n", "payments", &nothing), Some(Code::MissingKey));
    assert_eq!(refused("version: 1\n", "../etc", &platform("{}")), Some(Code::Name));
    let huge = format!("version: 1\n#{}", "x".repeat(MAX_FRAGMENT_BYTES));
    assert_eq!(refused(&huge, "payments", &platform("{}")), Some(Code::TooLarge));
    let many: String =
        (0..60).map(|n| format!("  - {{ name: r{n}, when: {{ message: m{n} }}, keep: {{}} }}\n")).collect();
    assert_eq!(
        refused(&format!("version: 1\nrules:\n{many}"), "payments", &platform("{}")),
        Some(Code::TooLarge)
    );
}

#[test]
fn a_share_bounds_what_keeps_and_samples() {
    let source = "version: 1\nrules: [{ name: a, when: { message: a }, keep: {} }, { name: b, when: { message: b }, sample: { rate: 0.9 } }, \
        { name: c, when: { message: c }, sample: { rate: 0.1 } }]\n";
    let loaded = load_fragment(source, "payments", &platform("{ max_keep_rate: 0.5 }")).unwrap();
    let rates: Vec<f64> = loaded
        .fragment
        .rules
        .iter()
        .map(|rule| match &rule.policy {
            Policy::Sample(sample) => sample.rate.value(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(rates, [0.5, 0.5, 0.1]);
}

#[test]
fn a_fragment_brings_its_own_tests() {
    let record = "record: { log: debug x, kubernetes: { namespace_name: payments } }";
    let source = |expect: &str| {
        format!(
            "version: 1\nrules: [{{ name: debug, when: {{ message: debug }}, drop: {{}}, reason: noise }}]\ntests: [{{ {record}, expect: {{ {expect} }} }}]\n"
        )
    };
    let run = |expect: &str| crate::rule_test::load_fragment(&source(expect), "payments", &platform("{}"));
    assert!(run("rule: debug, action: drop").is_ok());
    let failed = run("action: keep").unwrap_err();
    assert_eq!(failed[0].message, "this should be kept, rule `payments/debug` drops it");
}

#[test]
fn settings_that_make_no_sense_are_mistakes() {
    for (delegate, expected) in [
        ("{ policies: [drop, dorp] }", "`dorp` is not a policy"),
        ("{ max_keep_rate: lots }", "`lots` is neither a rate nor a share"),
        ("{ budget: 5GB }", "`5GB` is not a size per day"),
        ("{ may_drop_errors: maybe }", "may_drop_errors must be true or false, found `maybe`"),
    ] {
        let found = load(&format!("version: 1\ndelegate: {delegate}\n")).unwrap_err();
        assert_eq!(found[0].message, expected);
    }
}
