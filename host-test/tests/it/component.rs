//! What the component asks of its host and tells it, beside what the cases say.

use crate::faces::Face as _;
use crate::in_component::nodesieve::filter::types::{Action, Severity, Stage, Unavailable};
use crate::in_component::{InComponent, binary, record};
use host_test::fluent_bit::FilterMetrics;
use nodesieve_preview::findings::finding;

#[test]
fn a_component_asks_its_host_for_nothing_but_its_world() {
    let InComponent { .. } = InComponent::start("version: 1\n");
    let mut imports = Vec::new();
    for payload in wasmparser::Parser::new(0).parse_all(binary()) {
        if let wasmparser::Payload::ComponentImportSection(section) = payload.unwrap() {
            imports.extend(section.into_iter().map(|import| import.unwrap().name.name.to_owned()));
        }
    }
    // Types that the world names are no functions.
    imports.retain(|name| name.contains(':'));
    assert_eq!(imports, ["nodesieve:filter/types@1.0.0", "nodesieve:filter/host@1.0.0"]);
}

#[test]
fn verdicts_say_what_decided_and_findings_where_the_mistake_is() {
    let mut face = InComponent::start(
        "version: 1\nrules: [{ name: probes, when: { message: healthz }, drop: {}, reason: noise }]\n",
    );
    let verdicts = face.decide(&[
        record("t", 5, r#"{"log":"GET /healthz"}"#),
        record("t", 6, r#"{"log":"other"}"#),
        record("t", 7, "not a record"),
    ]);
    let told: Vec<_> = verdicts
        .iter()
        .map(|verdict| (verdict.action, verdict.stage, &*verdict.rule, verdict.text.is_some()))
        .collect();
    assert_eq!(
        told,
        [
            (Action::Drop, Stage::Rule, "probes", false),
            (Action::Keep, Stage::Outcome, "none", true),
            (Action::Keep, Stage::Outcome, "fault", true)
        ]
    );
    let refused = face.filter.call_load(&mut face.store, "version: 1\nrulez: []\n").unwrap().unwrap_err();
    assert_eq!((refused[0].line, refused[0].column, &*refused[0].code), (2, 1, "NS201"));
    let still = face.decide(&[record("t", 8, r#"{"log":"GET /healthz"}"#)]);
    assert_eq!(still[0].action, Action::Drop);
}

#[test]
fn guards_warnings_and_numbers_are_told_as_everywhere() {
    // A rule behind one that takes everything is doubted, and usable.
    let doubted = "version: 1\n\
        guards: [{ name: errors, when: { severity: '>=error' } }]\n\
        rules: [{ name: lost, drop: {}, reason: all }, { name: late, when: { container: a }, keep: {} }]\n";
    let mut face = InComponent::start("version: 1\n");
    let mut load = |source: &str| {
        let found = match face.filter.call_load(&mut face.store, source).unwrap() {
            Ok(warnings) => (true, warnings),
            Err(mistakes) => (false, mistakes),
        };
        let native = match nodesieve_engine::rule_test::load_explained(source) {
            Ok(loaded) => (true, loaded.warnings),
            Err(mistakes) => (false, mistakes),
        };
        assert!(!found.1.is_empty() && (found.0, found.1.len()) == (native.0, native.1.len()));
        for (found, native) in found.1.iter().zip(&native.1) {
            let native = finding(native, source, "");
            let severity = if native.severity == "warning" { Severity::Warning } else { Severity::Error };
            assert_eq!((found.line as usize, found.column as usize), (native.line, native.column));
            assert_eq!((&*found.code, found.severity), (native.code, severity));
            assert_eq!((&found.message, &found.help), (&native.message, &native.help));
        }
    };
    load(doubted);
    load("version: 1\nrulez: []\nrules: [{ name: A }]\n");
    let verdict = face.decide(&[record("t", 5, r#"{"log":"level=error no"}"#)]).remove(0);
    assert_eq!((verdict.action, verdict.stage, &*verdict.rule), (Action::Keep, Stage::Guard, "errors"));

    face.store.data_mut().absence = Unavailable::Unreadable;
    let tag = format!("kube.var.log.containers.p_n_c-{:064}.log", 0);
    face.decide(&[record(&tag, 6, r#"{"log":"level=error no"}"#)]);
    face.filter("nodesieve.tick", 7, "{}");
    let metrics = FilterMetrics::new(face.metrics(8));
    let numbers = [
        "nodesieve_reloads_total",
        "nodesieve_reloads_refused_total",
        "nodesieve_config_valid",
        "nodesieve_ticks_total",
        "nodesieve_tick_seen",
        "nodesieve_pod_refused_total",
    ];
    assert_eq!(numbers.map(|name| metrics.get(name)), [2, 1, 0, 1, 1, 1].map(Some));
}
