//! Everything in conf/ is loaded here and agrees with the code.

use crate::support;
use host_test::explain::PodFileFolder;
use host_test::node_logs;
use host_test::replay::{TICK_TAG, write_pods};
use host_test::reported::Reported;
use host_test::samples::{self, DEFAULT_SEED};
use nodesieve_engine::config::{self, Loaded, model};
use nodesieve_engine::diag::{Code, Paint, render_all};
use nodesieve_engine::engine::{Answer, Engine, Input};
use nodesieve_engine::metrics::{self, Metric, RuleCount, Stage};
use nodesieve_engine::severity::{self, ExplainedLevel};
use nodesieve_engine::time::{EventTime, Now};
use nodesieve_engine::{rule_test, template};
use nodesieve_sidecar::Setting;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The rule file to start from and those with an idea each, by their names.
fn rule_files() -> Vec<(String, Loaded)> {
    let rules = fs::read_dir(support::conf().join("rules")).unwrap();
    let mut paths = vec![support::conf().join("nodesieve.yaml")];
    paths.extend(rules.map(|entry| entry.unwrap().path()));
    let load = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let source = fs::read_to_string(path).unwrap();
        let loaded = rule_test::load_explained(&source)
            .unwrap_or_else(|all| panic!("{}", render_all(&all, &source, &name, Paint::Plain)));
        (name, loaded)
    };
    paths.iter().map(|path| load(path)).collect()
}

/// Guarantees: a rule that met everything would fail some test, as each file also says what its rules do not decide.
#[test]
fn the_rule_files_load_without_a_warning_and_pass_tests_of_their_own() {
    let files = rule_files();
    assert!(files.len() > 10, "{}", files.len());
    for (name, loaded) in files {
        assert_eq!(loaded.warnings, [], "{name}");
        let deciders: BTreeSet<String> =
            loaded.tests.iter().map(|test| format!("{:?}", test.expect.subject)).collect();
        assert!(deciders.len() > 1, "{name}: all tests expect {deciders:?}");
    }
}

/// Guarantees: what is deployed drops what its header lists and nothing else: one rule, and what is above ceilings; the rest is in shadow
/// mode, and of the samples only that rule drops.
#[test]
fn what_is_deployed_drops_what_its_header_lists_and_nothing_else() {
    let source = fs::read_to_string(support::conf().join("nodesieve.yaml")).unwrap();
    let rules = config::load(&source).unwrap().rules;
    let (header, _) = source.split_once("\nversion: 1\n").unwrap();
    let (listed, _) = header.split_once("# Everything else is kept.").unwrap();
    let bold: Vec<&str> =
        rules.rules.iter().filter(|rule| !rule.shadow).map(|rule| rule.name.as_ref()).collect();
    assert_eq!(bold, ["probes"]);
    assert!(listed.contains("by the rule `probes`") && listed.contains("above a ceiling"), "{listed}");
    assert!(
        rules.guards.iter().all(|guard| matches!(guard.policy, model::Policy::Ceiling(_)))
            && rules.rules.len() > bold.len()
    );
    let output = crate::command_line::run(
        &["replay", "--rules", support::conf().join("nodesieve.yaml").to_str().unwrap(), "--format", "json"],
        "",
    );
    let ledger: serde_json::Value = serde_json::from_str(crate::command_line::out(&output)).unwrap();
    let dropping: Vec<&str> = ledger["rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["dropped"] != 0)
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(dropping, ["probes"]);
    assert!(ledger["dropped"].as_u64() > Some(100) && ledger["shadows"].as_array().unwrap().len() > 1);
}

/// Guarantees: the example of what a platform delegates, and of what a team makes of it, are good as they stand, alone and together.
#[test]
fn the_example_of_a_team_goes_with_that_of_its_platform() {
    let path = support::conf().join("teams/nodesieve.yaml");
    let found = host_test::rule_files::load(&path, Paint::Plain).unwrap();
    assert_eq!(found.refused, "");
    assert!(found.loaded.rules.rules.iter().any(|rule| rule.name.starts_with("payments/")));
    for file in [path, support::conf().join("teams/rules.d/payments.yaml")] {
        let (findings, shown) = host_test::rule_files::check(&file, Paint::Plain).unwrap();
        assert!(findings.is_empty(), "{shown}");
    }
}

/// Scenario: the sample logs with their pods through each rule file, with a tick a second.
/// Guarantees: every guard and rule, shadows included, meets a record; what is delivered accounts for all that was seen.
#[test]
fn every_guard_and_rule_meets_a_sample_and_everything_is_accounted_for() {
    let samples = support::conf().join("samples");
    let directory = tempfile::tempdir().unwrap();
    write_pods(&fs::read(samples.join("podlist.json")).unwrap(), directory.path()).unwrap();
    let records = node_logs::records(&[samples.join("containers")], "kube.var.log.containers.").unwrap();
    for (name, loaded) in rule_files() {
        let mut engine = Engine::new(loaded.rules, 1);
        let mut pods = PodFileFolder(Some(directory.path().to_owned()));
        let (mut reported, mut out, mut ticked) = (Reported::default(), Vec::new(), 0);
        let tick = |engine: &mut Engine, second: u32, reported: &mut Reported| {
            let mut summary = Vec::new();
            let now = EventTime { sec: second, nsec: 0 };
            if engine.tick(b"{}", Now(now.as_nanos()), &mut summary) == Answer::Keep {
                assert!(reported.add(&summary), "{name}: no summary");
            }
        };
        for record in &records {
            let (sec, nsec) = record.time;
            if sec > ticked {
                tick(&mut engine, sec, &mut reported);
                ticked = sec;
            }
            let time = EventTime { sec, nsec };
            let input = Input { tag: record.tag.as_bytes(), time, text: record.text.as_bytes() };
            match engine.filter(input, &mut Now(time.as_nanos()), &mut pods, &mut out).0 {
                Answer::Keep => assert!(!reported.add(&out), "{name}: a summary of somebody else's"),
                Answer::Echo => assert!(!reported.add(record.text.as_bytes()), "{name}"),
                Answer::Drop => {}
            }
        }
        tick(&mut engine, ticked + 61, &mut reported);
        engine.render_metrics("test", Now(u64::from(ticked + 61) * 1_000_000_000));

        let counters = engine.counters();
        let get = |metric| counters.get(metric);
        assert_eq!(get(Metric::Seen), records.len() as u64, "{name}");
        assert_eq!(get(Metric::Seen), get(Metric::Kept) + get(Metric::Dropped), "{name}");
        assert_eq!(
            (reported.records, reported.counted, reported.summarised),
            (get(Metric::Kept), get(Metric::Counted), get(Metric::Summarised)),
            "{name}"
        );
        assert_eq!(
            reported.records + reported.counted + reported.summarised + get(Metric::Unreported),
            get(Metric::Seen),
            "{name}"
        );
        let rules = engine.rules();
        for rule in rules.guards.iter().chain(&rules.rules) {
            let matched = match rule.shadow {
                true => counters.shadows().iter().find(|row| row.name == rule.name).map(|row| row.matched),
                false => counters
                    .rules()
                    .iter()
                    .find(|row| row.name == rule.name && row.stage != Stage::Outcome)
                    .map(RuleCount::matched),
            };
            assert!(matched > Some(0), "{name}: {} meets no sample record", rule.name);
        }
        if rules.exclude_annotations {
            let excluded = counters.rules().iter().find(|row| &*row.name == "exclude").unwrap();
            assert!(excluded.dropped > 0 && excluded.kept == 0, "{name}: no sample pod excludes itself");
        }
    }
}

#[test]
fn the_samples_are_what_their_generator_writes() {
    let directory = tempfile::tempdir().unwrap();
    samples::write(directory.path(), DEFAULT_SEED).unwrap();
    let shipped = support::conf().join("samples");
    let mut names = vec![Path::new("podlist.json").to_owned()];
    let logs = fs::read_dir(directory.path().join("containers")).unwrap();
    names.extend(logs.map(|entry| Path::new("containers").join(entry.unwrap().file_name())));
    assert_eq!(fs::read_dir(shipped.join("containers")).unwrap().count() + 1, names.len());
    for name in names {
        let (made, kept) =
            (fs::read(directory.path().join(&name)).unwrap(), fs::read(shipped.join(&name)).unwrap());
        assert!(
            made == kept,
            "{} differs: `nodesieve samples --out conf/samples` writes it anew",
            name.display()
        );
    }
}

/// A section of a Fluent Bit configuration: its kind and its keys with their values, in order.
type Section = (String, Vec<(String, String)>);

fn classic(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(kind) => sections.push((kind.to_lowercase(), Vec::new())),
            None => {
                let (key, value) = line.split_once(char::is_whitespace).unwrap();
                sections.last_mut().unwrap().1.push((key.to_lowercase(), value.trim().to_owned()));
            }
        }
    }
    sections
}

fn yaml(source: &str) -> Vec<Section> {
    use yaml_serde::{Mapping, Value};
    fn map(value: &Value) -> &Mapping {
        value.as_mapping().unwrap_or_else(|| panic!("a mapping is expected, not {value:?}"))
    }
    // The classic format knows no other values than texts.
    fn text(value: &Value) -> String {
        match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(bool) => bool.to_string(),
            other => panic!("text is expected, not {other:?}"),
        }
    }
    let keys = |value: &Value| {
        map(value).iter().map(|(key, value)| (text(key).to_lowercase(), text(value))).collect()
    };
    let root: Value = yaml_serde::from_str(source).unwrap();
    let mut sections = Vec::new();
    for (key, value) in map(&root) {
        match text(key).as_str() {
            "service" => sections.push(("service".to_owned(), keys(value))),
            "pipeline" => {
                for (kind, list) in map(value) {
                    let kind = text(kind).trim_end_matches('s').to_owned();
                    sections
                        .extend(list.as_sequence().unwrap().iter().map(|list| (kind.clone(), keys(list))));
                }
            }
            other => panic!("a section {other} that the classic twin cannot have"),
        }
    }
    sections
}

#[test]
fn the_classic_configuration_means_the_same_as_the_yaml_one() {
    let read = |name: &str| fs::read_to_string(support::conf().join(name)).unwrap();
    let (yaml, classic) = (yaml(&read("fluent-bit.yaml")), classic(&read("fluent-bit.conf")));
    assert_eq!(yaml.len(), classic.len());
    for (yaml, classic) in yaml.iter().zip(&classic) {
        assert_eq!(yaml, classic);
    }
}

#[test]
fn the_fluent_bit_configuration_and_the_rule_file_agree_on_paths_and_tags() {
    let sections = yaml(&fs::read_to_string(support::conf().join("fluent-bit.yaml")).unwrap());
    let rules =
        config::load(&fs::read_to_string(support::conf().join("nodesieve.yaml")).unwrap()).unwrap().rules;
    let value = |kind: &str, name: &str, key: &str| {
        let found = sections
            .iter()
            .find(|(section, keys)| section == kind && keys.contains(&("name".into(), name.into())));
        found.unwrap().1.iter().find(|(other, _)| other == key).unwrap().1.clone()
    };
    let paths = value("filter", "wasm", "accessible_paths");
    for path in
        [Some(&rules.pods.dir), Some(&rules.metrics.file), rules.state_dir.as_ref()].into_iter().flatten()
    {
        assert!(
            paths.split(',').any(|visible| Path::new(path).starts_with(visible.trim())),
            "{path} is not in {paths}"
        );
    }
    assert!(paths.split(',').any(|visible| visible.trim() == host_test::tree::CONFIG_DIRECTORY));
    // The filter sees nothing of Fluent Bit's own, and would refuse to be told to.
    let storage = &sections.iter().find(|(section, _)| section == "service").unwrap().1;
    let storage = storage.iter().find(|(key, _)| key == "storage.path").unwrap().1.clone();
    assert_eq!([value("input", "tail", "db"), storage], config::FLUENT_BITS.map(str::to_owned));
    assert!(
        !paths
            .split(',')
            .any(|visible| config::FLUENT_BITS.iter().any(|own| Path::new(own).starts_with(visible.trim())))
    );
    assert_eq!(value("input", "dummy", "tag").as_bytes(), TICK_TAG);
    assert_eq!(value("filter", "wasm", "function_name"), "filter");
    assert_eq!(value("output", "kinesis_firehose", "retry_limit"), "no_limits");
    let service = sections.iter().find(|(section, _)| section == "service").unwrap();
    let flush = service.1.iter().find(|(key, _)| key == "flush").unwrap();
    assert_eq!(flush.1, host_test::money::FLUSH_SECONDS.to_string());
    // Fluent Bit 5.1.1 crashes over it unless a filter drops the first tick: see the file.
    assert!(sections.iter().all(|(_, keys)| keys.iter().all(|(key, _)| key != "flush_on_startup")));
}

/// The tables of the documents repeat those of the code.
#[test]
fn the_documents_repeat_the_tables_of_the_code() {
    let readme = crate::documents::all();
    for (_, name, _, unit, meaning) in metrics::TABLE {
        let row = format!("| `{name}` | {unit} | {meaning} |");
        assert!(readme.contains(&row), "the documents lack the row\n{row}");
    }
    for (name, unit, meaning) in metrics::RULE_TABLE.into_iter().chain(metrics::SHADOW_TABLE) {
        assert!(readme.contains(&format!("| `{name}` | {unit} | {meaning} |")), "{name}");
    }
    for (_, code, meaning) in Code::ALL {
        assert!(readme.contains(&format!("| {code} | {meaning} |")), "{code}");
    }
    let sidecar = nodesieve_sidecar::TABLE.map(|(_, name, unit, meaning)| (name, unit, meaning));
    for (name, unit, meaning) in
        sidecar.into_iter().chain([nodesieve_sidecar::FAILED, nodesieve_sidecar::STREAMS_FAILED])
    {
        assert!(readme.contains(&format!("| `{name}` | {unit} | {meaning} |")), "{name}");
    }
    for kind in nodesieve_sidecar::PollError::KINDS.into_iter().chain(nodesieve_sidecar::StreamError::KINDS) {
        assert!(readme.contains(&format!("`{kind}`")), "{kind}");
    }
    for Setting { flag, variable, value, default, meaning } in nodesieve_sidecar::SETTINGS {
        let value = if value.is_empty() { String::new() } else { format!(" {value}") };
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        let row = format!("| `--{flag}{value}` | `{variable}` | {default} | {meaning} |");
        assert!(readme.contains(&row), "the documents lack the row\n{row}");
    }
    let of_the_filter = metrics::TABLE.len()
        + metrics::RULE_TABLE.len()
        + metrics::SHADOW_TABLE.len()
        + metrics::FRAGMENT_TABLE.len()
        + 1;
    let rows = of_the_filter + nodesieve_sidecar::TABLE.len() + 2;
    let page = fs::read_to_string(support::conf().join("../docs/metrics.md")).unwrap();
    assert_eq!(page.matches("| `nodesieve_").count(), rows);
}

/// Guarantees: the order in which a line is asked for its level, and the keys that are asked, are documented as they are.
#[test]
fn the_page_about_lines_repeats_the_tables_of_the_code() {
    let page = fs::read_to_string(support::conf().join("../docs/reading-lines.md")).unwrap();
    let rows: String = (1..)
        .zip(severity::PRECEDENCE)
        .map(|(number, step)| {
            let ExplainedLevel { reads, example, severity, because, .. } = step;
            format!("| {number} | {reads} | `{example}` | `{}` | {because} |\n", severity.name())
        })
        .collect();
    assert!(page.contains(&format!("|---|---|---|---|---|\n{rows}\n")), "the page lacks\n{rows}");
    let names = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    for keys in [
        names(&severity::level_keys().collect::<Vec<_>>()),
        names(&template::MESSAGE_KEYS),
        names(&model::TRACE_IDS),
    ] {
        assert!(page.contains(&keys), "the page lacks {keys}");
    }
}

#[test]
fn the_conditions_on_the_page_about_migration_are_conditions() {
    let page = fs::read_to_string(support::conf().join("../docs/migrate.md")).unwrap().replace("\\|", "|");
    let mut count = 0;
    for key in ["record: '", "message: '"] {
        for (_, behind) in page.match_indices(key).map(|(at, key)| page.split_at(at + key.len())) {
            let (pattern, _) = behind.split_once('\'').unwrap();
            let key = key.trim_end_matches('\'');
            let source = format!(
                "version: 1\nrules: [{{ name: x, when: {{ {key}'{pattern}' }}, drop: {{}}, reason: x }}]\n"
            );
            assert!(config::load(&source).is_ok_and(|loaded| loaded.warnings.is_empty()), "{source}");
            count += 1;
        }
    }
    assert!(count >= 3);
}
