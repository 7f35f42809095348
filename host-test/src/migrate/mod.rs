//! `migrate`: a chain of Fluent Bit filters to nodesieve's pipeline, with a report of what became of each option.
//!
//! It exists because a switch that silently keeps or drops other records is none. The rule it keeps: a filter is translated only where
//! nothing between it and its new place may change what it sees; else it stays where it is, and the report says why.

mod chain;
mod expression;
mod kubernetes;
mod packed;
mod plan;
mod read;
mod report;
mod rules;
mod write;

pub use chain::{Chain, ChainFormat, Section, SectionKind};
pub use report::{Fate, ReportLine};

use nodesieve_engine::config;
use plan::{Plan, Takes};
use rules::NewRule;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a configuration could not be read.
#[derive(Debug, Error)]
pub enum MigrateError {
    /// A file could not be read.
    #[error("read {path}: {reason}")]
    Read {
        /// The path.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// It is not what Fluent Bit reads.
    #[error("read {place}: {reason}")]
    Syntax {
        /// File and line.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Files include one another.
    #[error("read {0}: files include one another")]
    Includes(PathBuf),
    /// What came out is no rule file, which is a mistake of ours.
    #[error("write nodesieve.yaml: {0}")]
    Rules(String),
}

/// What takes the place of a configuration.
#[derive(Clone, Debug)]
pub struct Migration {
    /// File names and contents.
    pub files: Vec<(String, String)>,
    /// What became of each option.
    pub report: Vec<ReportLine>,
}

/// Reads a configuration, or the ConfigMap or chart's values that hold one, and writes what takes its place.
///
/// # Errors
/// [`MigrateError`] when it or a file that it includes cannot be read.
pub fn migrate(path: &Path) -> Result<Migration, MigrateError> {
    if let Some((_folder, inside)) = packed::unpacked(path)? {
        return migrate(&inside);
    }
    let mut chain = read::read(path)?;
    let mut report = Vec::new();
    for section in chain.sections.iter().filter(|section| !matches!(section.kind, SectionKind::Filter)) {
        keep(section, "unchanged", &mut report);
    }
    let plan = Plan::of(&chain, &mut report);
    let (head, rules) = (plan.head(), plan.rules);
    let rule_file = tested(&head, &rules)?;
    let mut filters: Vec<Section> = Vec::new();
    let old: Vec<Section> = chain.of_kind(&SectionKind::Filter).cloned().collect();
    for (index, filter) in old.into_iter().enumerate() {
        if plan.module == Some(index) {
            filters.push(module(&plan.takes, plan.kubernetes.as_ref().map(|_| &filter)));
        }
        if !plan.replaced.contains(&index) {
            filters.push(filter);
        }
    }
    if plan.module.is_none() {
        filters.push(module(&plan.takes, None));
    }
    let is_filter = |section: &Section| section.kind == SectionKind::Filter;
    let at = chain
        .sections
        .iter()
        .position(is_filter)
        .or_else(|| chain.sections.iter().position(|section| section.kind == SectionKind::Output));
    let at = at.unwrap_or(chain.sections.len());
    chain.sections.retain(|section| !is_filter(section));
    let at = at.min(chain.sections.len());
    filters.insert(0, tick());
    chain.sections.splice(at..at, filters);
    let pipeline = write::pipeline(&chain);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut files = vec![(name.clone(), pipeline), ("nodesieve.yaml".into(), rule_file)];
    if let Some(kubernetes) = &plan.kubernetes {
        let lines = kubernetes.sidecar.iter().map(|(name, value)| format!("{name}={value}\n"));
        files.push(("sidecar.env".into(), lines.collect()));
    }
    files.extend(beside(path, &chain));
    files.push(("REPORT.md".into(), report::text(&name, &report)));
    Ok(Migration { files, report })
}

/// The files beside the old configuration that it names by a relative path, such as parsers and scripts: the new one looks for them
/// beside itself.
fn beside(path: &Path, chain: &Chain) -> Vec<(String, String)> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let values = chain.sections.iter().flat_map(|section| &section.properties);
    let mut found: Vec<(String, String)> = Vec::new();
    for value in values.flat_map(|(_, value)| match value {
        serde_json::Value::Array(items) => items.iter().map(chain::written).collect(),
        one => vec![chain::written(one)],
    }) {
        let named = Path::new(&value);
        let is_inside = named
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir));
        let is_new = !found.iter().any(|(name, _)| *name == value);
        if !value.is_empty()
            && is_inside
            && is_new
            && folder.join(named).is_file()
            && let Ok(content) = std::fs::read_to_string(folder.join(named))
        {
            found.push((value, content));
        }
    }
    found
}

fn keep(section: &Section, how: &str, report: &mut Vec<ReportLine>) {
    let what = match section.text("name") {
        Some(name) => format!("{} {name}", section.kind.name()),
        None => section.kind.name().to_owned(),
    };
    report.push(ReportLine { place: section.place.clone(), what, fate: Fate::Kept, how: how.into() });
}

/// The rule file with those tests that it passes: a sample of an expression may meet an earlier rule first.
fn tested(head: &str, rules: &[NewRule]) -> Result<String, MigrateError> {
    let loads = |text: &str| {
        config::load(text).map_err(|mistakes| {
            let first = mistakes.first().map(|mistake| mistake.message.to_string());
            MigrateError::Rules(first.unwrap_or_default())
        })
    };
    loads(&write::rule_file(head, rules, &[]))?;
    let mut tests = Vec::new();
    for rule in rules {
        let Some(sample) = rule.sample.clone() else { continue };
        tests.push((rule.name.clone(), sample));
        let text = write::rule_file(head, rules, &tests);
        let passes = nodesieve_engine::rule_test::load_explained(&text).is_ok();
        if !passes {
            tests.pop();
        }
    }
    Ok(write::rule_file(head, rules, &tests))
}

/// The module, which takes what the old filter took, and the tick. It has the name and log level of the one that it replaces.
fn module(takes: &Takes, replaced: Option<&Section>) -> Section {
    let old = match takes {
        (_, Some(expression)) => format!("({expression})"),
        (Some(glob), None) => glob_expression(glob),
        (None, None) => "^kube\\.".to_owned(),
    };
    let mut module = Section::new(
        SectionKind::Filter,
        "new",
        &[
            ("name", "wasm"),
            ("match_regex", &format!("{old}|^nodesieve\\.tick$")),
            ("event_format", "json"),
            ("wasm_path", "${NODESIEVE_MODULE}"),
            ("function_name", "filter"),
            ("accessible_paths", "/etc/nodesieve,/run/nodesieve,/var/lib/nodesieve/filter"),
            ("wasm_stack_size", "256k"),
        ],
    );
    // What is the instance's and not the filter's stays with it.
    let of_instance = |key: &str| key.eq_ignore_ascii_case("alias") || key.eq_ignore_ascii_case("log_level");
    let kept = replaced.into_iter().flat_map(|old| &old.properties).filter(|(key, _)| of_instance(key));
    module.properties.extend(kept.cloned());
    module
}

/// A `match` as an expression: `*` stands for any text.
fn glob_expression(glob: &str) -> String {
    let mut text = "^".to_owned();
    for character in glob.chars() {
        match character {
            '*' => text.push_str(".*"),
            c if c.is_ascii_alphanumeric() || "_-/".contains(c) => text.push(c),
            c => text.extend(['\\', c]),
        }
    }
    text.push('$');
    text
}

/// The module's clock.
fn tick() -> Section {
    Section::new(
        SectionKind::Input,
        "new",
        &[
            ("name", "dummy"),
            ("tag", "nodesieve.tick"),
            ("dummy", "{\"node\":\"${NODE_NAME}\"}"),
            ("rate", "1"),
        ],
    )
}

#[cfg(test)]
mod tests;
