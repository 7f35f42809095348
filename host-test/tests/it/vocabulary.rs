//! One term for one thing: in rule files, on the command line, in metrics, in the report, on the page and in the WIT world.

use host_test::explain::{Explanation, StepLine};
use host_test::ledger::{Ledger, RuleLine};
use host_test::replay::ReplayOutcome;
use host_test::report;
use nodesieve_engine::engine::{OUTCOMES, StepResult};
use nodesieve_engine::metrics::{RULE_TABLE, SHADOW_TABLE, Stage, TABLE};
use nodesieve_preview::findings::Finding;
use nodesieve_preview::inputs::PastedFormat;
use nodesieve_preview::page::Page;
use nodesieve_preview::panel::{self, Rows};
use nodesieve_preview::survey::{Breakdown, Named, Volume};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

const WORLD: &str = include_str!("../../../plugin/filter/wit/filter.wit");

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

/// The names in a block of the world such as `enum stage { ... }`, as JSON writes them.
fn of_world(block: &str) -> BTreeSet<String> {
    let lines: Vec<&str> = WORLD.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let text = lines.join("\n");
    let (_, behind) = text.split_once(&format!("{block} {{")).unwrap_or_else(|| panic!("no {block}"));
    let (inside, _) = behind.split_once('}').unwrap();
    let name = |part: &str| part.split(':').next().unwrap().trim().replace('-', "_");
    inside.split(',').map(name).filter(|name| !name.is_empty()).collect()
}

fn set<const N: usize>(words: [&str; N]) -> BTreeSet<String> {
    words.map(String::from).into()
}

#[test]
fn numbers_of_the_ledger_are_called_as_the_metrics_are() {
    let metrics: BTreeSet<&str> = TABLE.iter().map(|(_, name, ..)| *name).collect();
    let ledger = keys(&serde_json::to_value(Ledger::default()).unwrap());
    let of_metrics = [
        "seen",
        "kept",
        "dropped",
        "sampled",
        "counted",
        "summarised",
        "continued",
        "enriched",
        "metadata_missing",
        "no_container_tag",
        "truncated",
    ];
    for word in of_metrics {
        assert!(metrics.contains(format!("nodesieve_records_{word}_total").as_str()), "metric of {word}");
        assert!(ledger.contains(word), "ledger's {word}");
    }
    for word in ["bytes_in", "bytes_out", "summaries", "ticks"] {
        assert!(metrics.contains(format!("nodesieve_{word}_total").as_str()), "metric of {word}");
        assert!(ledger.contains(word), "ledger's {word}");
    }
    assert!(metrics.contains("nodesieve_records_open") && ledger.contains("open"));
    // What only a harness knows, who counts from outside and has prices. A new number is put here, or called as its metric.
    let own = [
        "delivered",
        "delivered_bytes",
        "undeliverable",
        "firehose_calls",
        "billed_bytes",
        "bytes_kubernetes_filter",
        "billed",
        "billed_bytes_aggregated",
        "flush_seconds",
        "span_seconds",
        "faults",
        "open",
        "rules",
        "shadows",
        "dollars",
        "saved",
        "prices",
    ];
    let as_metrics = of_metrics.into_iter().chain(["bytes_in", "bytes_out", "summaries", "ticks"]);
    let named: BTreeSet<String> = as_metrics.chain(own).map(String::from).collect();
    assert_eq!(ledger, named);
    let row = keys(&serde_json::to_value(RuleLine::default()).unwrap());
    for (table, prefix) in [(&RULE_TABLE[..], "nodesieve_rule_"), (&SHADOW_TABLE[..], "nodesieve_shadow_")] {
        for (name, ..) in table {
            let word = name.strip_prefix(prefix).and_then(|name| name.strip_suffix("_total")).unwrap();
            assert!(row.contains(word), "{name} is no column of the rules");
        }
    }
    let volume = keys(&serde_json::to_value(Volume::default()).unwrap());
    assert!(volume.is_subset(&ledger), "{volume:?}");
}

#[test]
fn stages_outcomes_and_actions_are_called_alike_everywhere() {
    let stages = [Stage::Guard, Stage::Rule, Stage::Outcome].map(Stage::name);
    assert_eq!(of_world("enum stage"), set(stages));
    assert_eq!(of_world("enum action"), set(["keep", "drop"]));
    for action in of_world("enum action") {
        let source = format!(
            "version: 1\ndefaults: {{ no_match: {action} }}\nrules: [{{ name: a, {action}: {{}}, reason: r }}]\n"
        );
        assert!(
            nodesieve_engine::rule_test::load_explained(&source).is_ok(),
            "a rule file does not know {action}"
        );
    }
    let mut engine = nodesieve_engine::engine::Engine::new(nodesieve_engine::config::RuleFile::default(), 0);
    let metrics = engine.render_metrics("", nodesieve_engine::time::Now(0));
    for outcome in OUTCOMES {
        assert!(metrics.contains(&format!("rule=\"{outcome}\",stage=\"outcome\"")), "metrics' {outcome}");
        assert!(WORLD.contains(&format!("`{outcome}`")), "the world does not explain {outcome}");
        let rules = vec![RuleLine { name: outcome.into(), stage: "outcome".into(), ..RuleLine::default() }];
        let html = panel::volume(
            &Ledger { rules, ..Ledger::default() },
            &Breakdown::default(),
            &[],
            Rows::Buttons,
            None,
        );
        assert!(
            html.contains(&format!("data-row=\"{outcome}\" data-stage=\"outcome\"")),
            "panel's {outcome}"
        );
        assert!(
            !html.contains("<span class=\"stage\">outcome"),
            "the panel does not say what {outcome} means"
        );
    }
}

/// The keys of an object that a script of the page has as a constant, such as `const SIGNS = { ... };`.
fn of_script(script: &str, constant: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("playground").join(script);
    let text = std::fs::read_to_string(path).unwrap();
    let (_, behind) = text.split_once(&format!("const {constant} = {{")).unwrap();
    let (inside, _) = behind.split_once("};").unwrap();
    inside
        .split(", ")
        .filter_map(|pair| Some(pair.split_once(':')?.0.trim().trim_matches('"').to_owned()))
        .collect()
}

#[test]
fn results_and_formats_are_called_alike_by_the_engine_and_the_page() {
    let results = [
        StepResult::Matched,
        StepResult::Failed("message"),
        StepResult::Unknown("labels"),
        StepResult::Shadow,
        StepResult::Over,
    ];
    assert_eq!(of_script("explanation.js", "SIGNS"), set(results.map(StepResult::name)));
    let formats = [PastedFormat::Cri, PastedFormat::Docker, PastedFormat::Records, PastedFormat::Plain];
    assert_eq!(of_script("inputs.js", "FORMATS"), set(formats.map(PastedFormat::name)));
    // What outcomes mean comes from the engine; a second list would drift.
    for row in Page::default().rows() {
        assert_eq!(row.meaning, Some(panel::meaning(&row.name)), "{row:?}");
        assert_ne!(row.meaning, Some(panel::meaning("something new")), "{row:?} has no meaning");
    }
}

#[test]
fn the_terminal_and_the_panel_have_the_columns_of_the_json() {
    let rules =
        vec![RuleLine { name: "a".into(), stage: "rule".into(), matched: 1, kept: 1, ..RuleLine::default() }];
    let outcome = ReplayOutcome {
        ledger: Ledger { rules, ..Ledger::default() },
        breakdown: Breakdown::default(),
        metrics: String::new(),
        stderr: String::new(),
        imbalances: Vec::new(),
        losses: Vec::new(),
    };
    let text = report::text(&outcome, None);
    let html = panel::volume(&outcome.ledger, &outcome.breakdown, &[], Rows::Text, None);
    let row = keys(&serde_json::to_value(RuleLine::default()).unwrap());
    for word in ["matched", "kept", "dropped"] {
        assert!(row.contains(word) && text.lines().next().unwrap().contains(word), "{text}");
    }
    for word in ["kept", "dropped"] {
        assert!(html.contains(&format!(" {word}</span>")), "{word}: {html}");
    }
    for (name, _) in outcome.ledger.dollars.named() {
        assert!(text.contains(name) && html.contains(name), "{name}");
    }
}

#[test]
fn structures_have_the_same_fields_in_json_and_in_the_world() {
    let finding = Finding {
        file: String::new(),
        line: 1,
        column: 1,
        code: "",
        severity: "error",
        message: String::new(),
        help: None,
    };
    let mut fields = keys(&serde_json::to_value(finding).unwrap());
    fields.remove("file");
    assert_eq!(of_world("record finding"), fields);
    assert_eq!(of_world("enum severity"), set(["error", "warning"]));
    let step =
        StepLine { stage: "rule", name: String::new(), result: "matched", condition: None, detail: None };
    let explanation = Explanation {
        action: "keep",
        rule: String::new(),
        severity: None,
        continues: true,
        steps: vec![step],
    };
    let verdict = of_world("record verdict");
    let told = keys(&serde_json::to_value(&explanation).unwrap());
    assert!(
        ["action", "rule"].iter().all(|word| verdict.contains(*word) && told.contains(*word)),
        "{verdict:?}"
    );
    let record = of_world("record log-record");
    let line = json!({ "tag": "t", "time": [1, 2], "record": {} });
    assert!(
        ["tag", "time"].iter().all(|word| record.contains(*word) && line.get(word).is_some()),
        "{record:?}"
    );
}

#[test]
fn what_volume_is_divided_by_are_fields_that_a_rule_may_count_by() {
    let keys = keys(&serde_json::to_value(Breakdown::default()).unwrap());
    for word in ["namespace", "template"] {
        assert!(keys.contains(&format!("{word}s")), "{keys:?}");
        let source = format!("version: 1\nrules: [{{ name: a, limit: {{ rate: 1/s, by: {word} }} }}]\n");
        assert!(nodesieve_engine::rule_test::load_explained(&source).is_ok(), "{word}");
    }
    let named = Named { name: "shop".into(), volume: Volume::default() };
    assert_eq!(serde_json::to_value(named).unwrap()["name"], "shop");
}

#[test]
fn nobody_uses_another_word_for_dropped() {
    let playground = Path::new(env!("CARGO_MANIFEST_DIR")).join("playground");
    let mut texts = vec![("filter.wit".to_owned(), WORLD.to_owned())];
    for entry in playground.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_some_and(|end| end != "png") {
            texts.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(texts.len() > 10);
    for (name, text) in texts {
        let text = text.to_lowercase();
        for word in ["discarded", "suppressed", "filtered out", "log entries", "log event", "passed through"]
        {
            assert!(!text.contains(word), "{name} says `{word}`");
        }
    }
}
