//! Reading a configuration in either format, with what it includes.
//!
//! Source of the formats: Fluent Bit 5.1.1, src/config_format/flb_cf_fluentbit.c and flb_cf_yaml.c.

use super::MigrateError;
use super::chain::{Chain, ChainFormat, Section, SectionKind};
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

/// Reads a file and what it includes.
pub(super) fn read(path: &Path) -> Result<Chain, MigrateError> {
    let is_yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let format = if is_yaml { ChainFormat::Yaml } else { ChainFormat::Classic };
    let mut chain = Chain {
        format,
        variables: Vec::new(),
        sections: Vec::new(),
        others: Map::new(),
        parsers: Vec::new(),
    };
    into(path, &mut chain, 0)?;
    chain.parsers = parsers(path, &chain);
    Ok(chain)
}

/// What the parsers' files have, each with its own format. One that cannot be read, such as the image's own, is passed over: whoever asks
/// for a parser of it is told that there is none.
fn parsers(path: &Path, chain: &Chain) -> Vec<Section> {
    let named = chain.of_kind(&SectionKind::Service).flat_map(|service| service.texts("parsers_file"));
    let folder = path.parent().unwrap_or(Path::new("."));
    let read = |name: String| {
        let mut alone = Chain {
            format: chain.format,
            variables: Vec::new(),
            sections: Vec::new(),
            others: Map::new(),
            parsers: Vec::new(),
        };
        into(&folder.join(chain.resolved(&name)), &mut alone, 0).ok()?;
        let in_yaml = alone.others.get("parsers").and_then(Value::as_array).cloned().unwrap_or_default();
        let in_yaml = in_yaml.into_iter().filter_map(|parser| match parser {
            Value::Object(properties) => Some(Section {
                kind: SectionKind::of("parser"),
                properties: properties.into_iter().collect(),
                place: name.clone(),
            }),
            _ => None,
        });
        Some(alone.sections.into_iter().chain(in_yaml).collect::<Vec<_>>())
    };
    named.filter_map(read).flatten().collect()
}

fn into(path: &Path, chain: &mut Chain, depth: usize) -> Result<(), MigrateError> {
    if depth > MAX_INCLUDES {
        return Err(MigrateError::Includes(path.to_owned()));
    }
    let text =
        fs::read_to_string(path).map_err(|reason| MigrateError::Read { path: path.to_owned(), reason })?;
    if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
        yaml(path, &text, chain, depth)
    } else {
        classic(path, &text, chain, depth)
    }
}

fn classic(path: &Path, text: &str, chain: &mut Chain, depth: usize) -> Result<(), MigrateError> {
    let mut open: Option<Section> = None;
    for (index, line) in text.lines().enumerate() {
        let place = format!("{}:{}", name_of(path), index + 1);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with(';') {
            continue;
        }
        if let Some(command) = line.strip_prefix('@') {
            let (word, value) = split(command);
            match word.to_ascii_uppercase().as_str() {
                "SET" => {
                    if let Some((name, value)) = value.split_once('=') {
                        chain.variables.push((name.trim().to_owned(), value.trim().to_owned()));
                    }
                }
                "INCLUDE" => {
                    chain.sections.extend(open.take());
                    for file in included(path, &chain.resolved(value))? {
                        into(&file, chain, depth + 1)?;
                    }
                }
                _ => {
                    return Err(MigrateError::Syntax {
                        place,
                        reason: format!("an unknown command @{word}"),
                    });
                }
            }
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            chain.sections.extend(open.take());
            open = Some(Section { kind: SectionKind::of(name), properties: Vec::new(), place });
            continue;
        }
        let (key, value) = split(line);
        match &mut open {
            Some(section) => section.properties.push((key.to_owned(), Value::from(value))),
            None => {
                return Err(MigrateError::Syntax {
                    place,
                    reason: "a property outside of any section".into(),
                });
            }
        }
    }
    chain.sections.extend(open);
    Ok(())
}

fn split(line: &str) -> (&str, &str) {
    line.split_once([' ', '\t']).map_or((line, ""), |(key, value)| (key, value.trim()))
}

fn yaml(path: &Path, text: &str, chain: &mut Chain, depth: usize) -> Result<(), MigrateError> {
    let syntax = |reason: String| MigrateError::Syntax { place: name_of(path), reason };
    let root: Value = yaml_serde::from_str(text).map_err(|reason| syntax(reason.to_string()))?;
    let Value::Object(root) = root else { return Err(syntax("the top is no mapping".into())) };
    for (key, value) in root {
        match (key.as_str(), value) {
            ("env", Value::Object(variables)) => {
                let text = |(name, value): (String, Value)| (name, super::chain::written(&value));
                chain.variables.extend(variables.into_iter().map(text));
            }
            ("includes", Value::Array(files)) => {
                for file in files {
                    let named = chain.resolved(&super::chain::written(&file));
                    for file in included(path, &named)? {
                        into(&file, chain, depth + 1)?;
                    }
                }
            }
            ("service", Value::Object(properties)) => chain.sections.push(Section {
                kind: SectionKind::Service,
                properties: properties.into_iter().collect(),
                place: format!("{}: service", name_of(path)),
            }),
            ("pipeline", Value::Object(parts)) => {
                for (part, items) in parts {
                    let kind = match part.as_str() {
                        "inputs" => SectionKind::Input,
                        "filters" => SectionKind::Filter,
                        "outputs" => SectionKind::Output,
                        _ => return Err(syntax(format!("pipeline has no part {part}"))),
                    };
                    let Value::Array(items) = items else { continue };
                    for (index, item) in items.into_iter().enumerate() {
                        let place = format!("{}: {part}[{index}]", name_of(path));
                        let Value::Object(properties) = item else {
                            return Err(MigrateError::Syntax { place, reason: "it is no mapping".into() });
                        };
                        let properties = properties.into_iter().collect();
                        chain.sections.push(Section { kind: kind.clone(), properties, place });
                    }
                }
            }
            (_, value) => match (chain.others.get_mut(&key), value) {
                // Each file may have parsers of its own.
                (Some(Value::Array(before)), Value::Array(more)) => before.extend(more),
                (_, value) => {
                    chain.others.insert(key, value);
                }
            },
        }
    }
    Ok(())
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files that an include names, beside the file that has it; one `*` stands for any part of a name.
fn included(from: &Path, named: &str) -> Result<Vec<PathBuf>, MigrateError> {
    let path = from.parent().unwrap_or(Path::new(".")).join(named.trim_matches('"'));
    let name = name_of(&path);
    let Some((start, end)) = name.split_once('*') else { return Ok(vec![path]) };
    let folder = path.parent().unwrap_or(Path::new("."));
    let entries =
        fs::read_dir(folder).map_err(|reason| MigrateError::Read { path: folder.to_owned(), reason })?;
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| {
        let name = name_of(path);
        name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
    });
    found.sort();
    Ok(found)
}

/// Files that include one another.
const MAX_INCLUDES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_the_same_sections() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "main.conf",
            "@SET level=info\n[SERVICE]\n    Flush 1\n# no\n@INCLUDE more-*.conf\n[OUTPUT]\n  Name stdout\n  Match *\n",
        );
        write("more-a.conf", "[INPUT]\n Name tail\n Tag  kube.*\n");
        write("more-b.conf", "[FILTER]\n Name grep\n Exclude log  a b\n Exclude log c\n");
        write(
            "main.yaml",
            "env: { level: info }\nservice: { flush: 1 }\npipeline:\n  inputs: [{ name: tail, tag: kube.* }]\n  filters:\n    - name: grep\n      exclude: [log  a b, log c]\n  outputs: [{ name: stdout, match: '*' }]\nparsers: [{ name: p, format: json }]\n",
        );
        for file in ["main.conf", "main.yaml"] {
            let chain = read(&folder.path().join(file)).unwrap();
            let kinds: Vec<_> = chain.sections.iter().map(|section| section.kind.name()).collect();
            assert_eq!(kinds, ["SERVICE", "INPUT", "FILTER", "OUTPUT"], "{file}");
            assert_eq!(chain.sections[2].texts("Exclude"), ["log  a b", "log c"]);
            assert_eq!(chain.resolved("x ${level}"), "x info");
        }
        let error = read(&folder.path().join("none.conf")).unwrap_err().to_string();
        assert!(error.starts_with("read "), "{error}");
        write("bad.conf", "Flush 1\n");
        let error = read(&folder.path().join("bad.conf")).unwrap_err().to_string();
        assert_eq!(error, "read bad.conf:1: a property outside of any section");
        write("loop.conf", "@INCLUDE loop.conf\n");
        assert!(matches!(read(&folder.path().join("loop.conf")), Err(MigrateError::Includes(_))));
    }
}
