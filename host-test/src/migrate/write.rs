//! What `migrate` writes: the pipeline in the format that it had, the rule file, the report.

use super::chain::{Chain, ChainFormat, SectionKind, written};
use super::rules::{NewRule, RuleAction};
use serde_json::{Map, Value, json};

/// The chain as a configuration.
pub(super) fn pipeline(chain: &Chain) -> String {
    match chain.format {
        ChainFormat::Classic => classic(chain),
        ChainFormat::Yaml => yaml(chain),
    }
}

fn classic(chain: &Chain) -> String {
    let mut text = String::new();
    for (name, value) in &chain.variables {
        text.push_str(&format!("@SET {name}={value}\n"));
    }
    for section in &chain.sections {
        text.push_str(&format!("\n[{}]\n", section.kind.name()));
        for (key, value) in &section.properties {
            let values = match value {
                Value::Array(items) => items.iter().map(written).collect(),
                one => vec![written(one)],
            };
            for value in values {
                text.push_str(&format!("    {key} {value}\n"));
            }
        }
    }
    text.trim_start().to_owned()
}

fn yaml(chain: &Chain) -> String {
    let mut root = Map::new();
    if !chain.variables.is_empty() {
        let variables =
            chain.variables.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        root.insert("env".into(), Value::Object(variables.collect()));
    }
    let properties =
        |section: &super::chain::Section| Value::Object(section.properties.iter().cloned().collect());
    let services =
        chain.of_kind(&SectionKind::Service).flat_map(|section| section.properties.iter().cloned());
    let service: Map<String, Value> = services.collect();
    if !service.is_empty() {
        root.insert("service".into(), Value::Object(service));
    }
    root.extend(chain.others.clone());
    let part = |kind: &SectionKind| Value::Array(chain.of_kind(kind).map(properties).collect());
    root.insert(
        "pipeline".into(),
        json!({
            "inputs": part(&SectionKind::Input),
            "filters": part(&SectionKind::Filter),
            "outputs": part(&SectionKind::Output),
        }),
    );
    yaml_serde::to_string(&Value::Object(root)).unwrap_or_default()
}

/// A rule file; `head` is what stands before its rules, `tests` are records with the rule that drops them.
pub(super) fn rule_file(head: &str, rules: &[NewRule], tests: &[(String, Value)]) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut text = head.to_owned();
    if !rules.is_empty() {
        text.push_str("rules:\n");
    }
    for rule in rules {
        text.push_str(&format!("  - name: {}\n", rule.name));
        if !rule.when.is_empty() {
            let conditions = rule.when.iter().map(|(key, value)| format!("{key}: {}", quoted(value)));
            text.push_str(&format!("    when: {{ {} }}\n", conditions.collect::<Vec<_>>().join(", ")));
        }
        text.push_str(&match &rule.action {
            RuleAction::Drop => "    drop: {}\n".to_owned(),
            RuleAction::Limit(rate, burst) => format!("    limit: {{ rate: {rate}, burst: {burst} }}\n"),
        });
        text.push_str(&format!("    reason: {}\n", quoted(&rule.reason)));
    }
    if !tests.is_empty() {
        text.push_str("tests:\n");
    }
    for (rule, record) in tests {
        // JSON is YAML.
        text.push_str(&format!("  - record: {record}\n    expect: {{ rule: {rule}, action: drop }}\n"));
    }
    text
}
