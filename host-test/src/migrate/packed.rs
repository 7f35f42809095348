//! Configurations inside of something else: a ConfigMap, or the values of a Helm release.

use super::MigrateError;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The configuration that a file holds for somebody else, as a file of its own with all that lies beside it.
pub(super) fn unpacked(path: &Path) -> Result<Option<(TempDir, PathBuf)>, MigrateError> {
    let read = |reason| MigrateError::Read { path: path.to_owned(), reason };
    let is_yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    if !is_yaml {
        return Ok(None);
    }
    let text = fs::read_to_string(path).map_err(read)?;
    // One of several documents will do; what is none is said by whoever reads it next.
    for document in text.split("\n---") {
        let Ok(Value::Object(root)) = yaml_serde::from_str::<Value>(document) else { continue };
        let files = match (root.get("kind").and_then(Value::as_str), root.get("data"), root.get("config")) {
            (Some("ConfigMap"), Some(Value::Object(data)), _) => texts(data.iter()),
            (None, _, Some(Value::Object(config))) if config.contains_key("filters") => from_chart(config),
            _ => continue,
        };
        let is_main = |name: &str| MAIN.iter().any(|main| name.eq_ignore_ascii_case(main));
        let main = files.iter().find(|(name, _)| is_main(name));
        let main =
            main.or_else(|| files.iter().find(|(_, text)| text.to_ascii_lowercase().contains("[filter]")));
        let Some((main, _)) = main else { continue };
        let folder = tempfile::tempdir().map_err(read)?;
        for (name, text) in &files {
            fs::write(folder.path().join(name), text).map_err(read)?;
        }
        let main = folder.path().join(main);
        return Ok(Some((folder, main)));
    }
    Ok(None)
}

fn texts<'v>(entries: impl Iterator<Item = (&'v String, &'v Value)>) -> Vec<(String, String)> {
    let text = |(name, value): (&String, &Value)| {
        let is_name = !name.contains('/') && name != "..";
        value.as_str().filter(|_| is_name).map(|text| (name.clone(), text.to_owned()))
    };
    entries.filter_map(text).collect()
}

/// The chart fluent/fluent-bit has a key for each kind of section, and puts them one behind the other.
fn from_chart(config: &serde_json::Map<String, Value>) -> Vec<(String, String)> {
    let part = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or_default();
    let main = ["service", "inputs", "filters", "outputs"].map(part).join("\n");
    vec![
        ("fluent-bit.conf".to_owned(), main),
        ("custom_parsers.conf".to_owned(), part("customParsers").to_owned()),
    ]
}

/// Names of the file that includes the others.
const MAIN: [&str; 4] = ["fluent-bit.conf", "fluent-bit.yaml", "td-agent-bit.conf", "fluentbit.conf"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::{Fate, migrate};

    #[test]
    fn a_config_map_and_a_charts_values_hold_a_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let chain = "[FILTER]\n    Name kubernetes\n    Match kube.*\n    Merge_Log On\n";
        let indented =
            |text: &str, by: &str| text.lines().map(|line| format!("{by}{line}\n")).collect::<String>();
        let map = format!(
            "apiVersion: v1\nkind: Service\n---\napiVersion: v1\nkind: ConfigMap\ndata:\n  fluent-bit.conf: |\n    [INPUT]\n        Name tail\n        Tag kube.*\n    @INCLUDE filters.conf\n  filters.conf: |\n{}",
            indented(chain, "    ")
        );
        let values = format!(
            "config:\n  inputs: |\n    [INPUT]\n        Name tail\n        Tag kube.*\n  filters: |\n{}",
            indented(chain, "    ")
        );
        for (name, text) in [("map.yaml", map), ("values.yaml", values)] {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            let found = migrate(&path).unwrap();
            let rules = &found.files.iter().find(|(name, _)| name == "nodesieve.yaml").unwrap().1;
            assert!(rules.contains("merge_log: true"), "{name}: {rules}");
            assert!(found.files.iter().any(|(name, _)| name == "fluent-bit.conf"), "{name}");
            assert!(
                !found.report.iter().any(|line| line.fate == Fate::Impossible),
                "{name}: {:?}",
                found.report
            );
        }
    }
}
