use super::*;

/// The messages of the tests that do not hold.
fn failures(source: &str) -> Vec<String> {
    let found = load_explained(source).err().unwrap_or_default();
    found
        .into_iter()
        .map(|one| [Some(one.message), one.help].into_iter().flatten().collect::<Vec<_>>().join("; "))
        .collect()
}

const RULES: &str = "version: 1\n\
    guards: [{ name: errors, when: { severity: '>=error' } }, { name: fresh, when: { container_age: '<60s' } }]\n\
    rules:\n\
    - { name: probes, when: { labels: 'app in (api)', message: healthz }, drop: {}, until: 2027-01-01T00:00:00Z }\n\
    - { name: tenth, when: { namespace: shop }, sample: { rate: 0.1, by: trace_id } }\n\
    - { name: few, when: { namespace: few }, first: { n: 2, per: 10s, then: 1/4 } }\n\
    tests:\n";

#[track_caller]
fn check(test: &str, expected: &[&str]) {
    assert_eq!(failures(&format!("{RULES}- {test}\n")), expected);
}

#[test]
fn what_holds_says_nothing() {
    check(
        "{ record: { log: GET /healthz, kubernetes: { labels: { app: api } } }, expect: { rule: probes, action: drop } }",
        &[],
    );
    check("{ record: { log: GET /healthz }, expect: { rule: none, action: keep } }", &[]);
    check("{ record: { log: 'ERROR x' }, expect: { guard: errors } }", &[]);
    check("{ record: { log: hello }, age: 10s, expect: { guard: fresh } }", &[]);
    check("{ record: { log: GET /healthz }, metadata: missing, expect: { rule: unknown } }", &[]);
    check(
        "{ record: { trace_id: $rand128, log: hi, kubernetes: { namespace_name: shop } }, repeat: { n: 10000, every: 1ms }, expect: { rule: tenth, kept: 0.10 } }",
        &[],
    );
    check(
        "{ record: { log: 'x $n', kubernetes: { namespace_name: few } }, repeat: { n: 22, every: 1ms }, expect: { kept: 7 } }",
        &[],
    );
}

#[test]
fn what_does_not_hold_says_why() {
    check(
        "{ record: { log: GET /health, kubernetes: { labels: { app: api } } }, expect: { rule: probes } }",
        &[
            "rule `probes` should decide this, no rule does; `message` of `probes` does not hold: \"healthz\" does not occur",
        ],
    );
    check(
        "{ record: { log: hello }, expect: { action: drop } }",
        &["this should be dropped, no rule keeps it"],
    );
    check(
        "{ record: { log: hello, kubernetes: { namespace_name: few } }, repeat: { n: 20 }, expect: { kept: 3 } }",
        &["3 of 20 should be kept, 6 are"],
    );
    check(
        "{ record: { log: hello, kubernetes: { namespace_name: few } }, repeat: { n: 20 }, expect: { kept: 0.9, z: 1 } }",
        &["17 to 19 of 20 should be kept, 6 are"],
    );
    check(
        "{ record: { log: '$name $n', kubernetes: { namespace_name: shop } }, repeat: { n: 3 }, expect: { guard: fresh } }",
        &[
            "guard `fresh` should decide this, rule `tenth` does (repetition 0); `container_age` of `fresh` does not hold: the container had run for 86400 s",
        ],
    );
    check(
        "{ record: { log: hello, kubernetes: { namespace_name: few } }, repeat: { n: 20 }, expect: { action: keep } }",
        &["this should be kept, rule `few` drops it (repetition 2)"],
    );
}

/// A record at a time comes to the same as all at once.
#[test]
fn tests_may_run_in_slices() {
    let holds = "{ record: { log: 'x $n', kubernetes: { namespace_name: few } }, repeat: { n: 22 }, expect: { kept: 7 } }";
    let fails = holds.replace("kept: 7", "kept: 8");
    for (test, expected) in [(holds, Ok(())), (&fails, Err("8 of 22 should be kept, 7 are".to_owned()))] {
        let source = format!("{RULES}- {holds}\n- {test}\n");
        let mut run = TestRun::begin(&source).unwrap();
        let slices = (1..).find(|_| run.go_on(&mut || false)).unwrap();
        assert_eq!(slices, 44);
        assert_eq!(run.finish().map(|_| ()).map_err(|mistakes| mistakes[0].message.clone()), expected);
    }
}

#[test]
fn a_rule_in_shadow_mode_is_tested_by_what_it_would_do() {
    let rules = "version: 1\nrules:\n\
        - { name: would, when: { message: noise }, first: { n: 2, per: 10s }, mode: shadow }\n\
        - { name: does, when: { message: noise }, drop: {}, reason: test }\ntests:\n";
    let check = |test: &str, expected: &[&str]| assert_eq!(failures(&format!("{rules}- {test}\n")), expected);
    check("{ record: { log: noise }, repeat: { n: 9 }, expect: { shadow: would, kept: 2 } }", &[]);
    check("{ record: { log: noise }, expect: { shadow: would, action: keep } }", &[]);
    check("{ record: { log: noise }, expect: { rule: does, action: drop } }", &[]);
    check(
        "{ record: { log: noise }, expect: { shadow: would, action: drop } }",
        &["this should be dropped, rule `would` in shadow mode keeps it"],
    );
    check(
        "{ record: { log: hello }, expect: { shadow: would } }",
        &[
            "rule `would` in shadow mode should meet this, it does not; `message` of `would` does not hold: \"noise\" does not occur",
        ],
    );
}

#[test]
fn a_rule_whose_time_is_over_is_tested_in_its_time() {
    let record = "record: { log: GET /healthz, kubernetes: { labels: { app: api } } }";
    check(&format!("{{ {record}, expect: {{ rule: probes }} }}"), &[]);
    check(
        &format!("{{ {record}, at: 2027-01-02T00:00:00Z, expect: {{ rule: probes }} }}"),
        &[
            "rule `probes` should decide this, no rule does; the time of `probes` is over; set `at` to an instant before its `until`",
        ],
    );
    let old = RULES.replace("2027-01-01", "1999-01-01");
    assert_eq!(failures(&format!("{old}- {{ {record}, expect: {{ rule: probes }} }}\n")), [""; 0]);
}
