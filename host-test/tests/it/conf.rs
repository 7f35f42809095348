//! Everything in conf/ is loaded here and agrees with the code.

use crate::support;
use host_test::samples::{self, DEFAULT_SEED};
use nodesieve_engine::config;
use nodesieve_engine::diag::{Code, Paint, render_all};
use nodesieve_engine::metrics;
use std::fs;
use std::path::Path;

#[test]
fn the_shipped_rule_file_loads_without_a_warning() {
    let source = fs::read_to_string(support::conf().join("nodesieve.yaml")).unwrap();
    let loaded = config::load(&source)
        .unwrap_or_else(|all| panic!("{}", render_all(&all, &source, "nodesieve.yaml", Paint::Plain)));
    assert_eq!(loaded.warnings, []);
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
            "{} differs: `host-test samples --out conf/samples` writes it anew",
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
    use nodesieve_engine::config::yaml::{Kind, Node, read};
    fn map(node: &Node) -> &[(Node, Node)] {
        match &node.kind {
            Kind::Map(map) => map,
            _ => panic!("a mapping is expected at byte {}", node.span.start),
        }
    }
    fn text(node: &Node) -> &str {
        match &node.kind {
            Kind::Scalar { text, .. } => text,
            _ => panic!("text is expected at byte {}", node.span.start),
        }
    }
    let keys = |node: &Node| {
        map(node).iter().map(|(key, value)| (text(key).to_lowercase(), text(value).to_owned())).collect()
    };
    let root = read(source).unwrap();
    let mut sections = Vec::new();
    for (key, value) in map(&root) {
        match text(key) {
            "service" => sections.push(("service".to_owned(), keys(value))),
            "pipeline" => {
                for (kind, list) in map(value) {
                    let Kind::List(list) = &list.kind else { panic!("a list is expected") };
                    let kind = text(kind).trim_end_matches('s').to_owned();
                    sections.extend(list.iter().map(|node| (kind.clone(), keys(node))));
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
    for path in [&rules.pods.dir, &rules.metrics.file] {
        assert!(
            paths.split(',').any(|visible| Path::new(path).starts_with(visible.trim())),
            "{path} is not in {paths}"
        );
    }
    assert!(paths.split(',').any(|visible| visible.trim() == host_test::tree::CONFIG_DIRECTORY));
    assert_eq!(value("input", "dummy", "tag").as_bytes(), host_test::replay::TICK_TAG);
    assert_eq!(value("filter", "wasm", "function_name"), "filter");
    assert_eq!(value("output", "kinesis_firehose", "retry_limit"), "no_limits");
}

/// The tables of the README repeat those of the code.
#[test]
fn the_readme_repeats_the_tables_of_the_code() {
    let readme = fs::read_to_string(support::conf().join("../README.md")).unwrap();
    for (_, name, _, unit, meaning) in metrics::TABLE {
        let row = format!("| `{name}` | {unit} | {meaning} |");
        assert!(readme.contains(&row), "the README lacks the row\n{row}");
    }
    for (name, unit, meaning) in metrics::RULE_TABLE {
        assert!(readme.contains(&format!("| `{name}` | {unit} | {meaning} |")), "{name}");
    }
    for (_, code, meaning) in Code::ALL {
        assert!(readme.contains(&format!("| {code} | {meaning} |")), "{code}");
    }
    assert_eq!(readme.matches("| `nodesieve_").count(), metrics::TABLE.len() + metrics::RULE_TABLE.len());
}
