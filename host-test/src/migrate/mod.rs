//! `migrate`: a chain of Fluent Bit filters to nodesieve's pipeline, with a report of what became of each option.
//!
//! It exists because a switch that silently keeps or drops other records is none. The rule it keeps: a filter is translated only where
//! nothing between it and its new place may change what it sees; else it stays where it is, and the report says why.

mod chain;
mod expression;
mod kubernetes;
mod packed;
mod read;
mod report;
mod rules;
mod write;

pub use chain::{Chain, ChainFormat, Section, SectionKind};
pub use report::{Fate, ReportLine};

use kubernetes::Head;
use nodesieve_engine::config;
use rules::{Before, NewRule, Translated};
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
            filters.push(module(&plan.takes));
        }
        if !plan.replaced.contains(&index) {
            filters.push(filter);
        }
    }
    if plan.module.is_none() {
        filters.push(module(&plan.takes));
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

/// `match` and `match_regex`.
type Takes = (Option<String>, Option<String>);

/// Which filters go, and what comes in their place.
struct Plan {
    /// Where the module stands: before the old filter of this number.
    module: Option<usize>,
    replaced: Vec<usize>,
    /// What the module takes.
    takes: Takes,
    kubernetes: Option<Head>,
    rules: Vec<NewRule>,
}

impl Plan {
    fn of(chain: &Chain, report: &mut Vec<ReportLine>) -> Plan {
        let filters: Vec<&Section> = chain.of_kind(&SectionKind::Filter).collect();
        let named =
            |names: &[&str]| filters.iter().position(|filter| names.contains(&filter.name().as_str()));
        let module = named(&["kubernetes"]).or_else(|| named(&["grep", "throttle"]));
        let takes = module
            .and_then(|at| filters.get(at))
            .map_or((Some("kube.*".into()), None), |filter| filter.takes());
        let mut plan = Plan { module, replaced: Vec::new(), takes, kubernetes: None, rules: Vec::new() };
        plan.about_the_whole(chain, module.is_some(), report);
        let Some(module) = module else {
            filters.iter().for_each(|filter| keep(filter, "unchanged", report));
            return plan;
        };
        if let Some(filter) = filters.get(module).filter(|filter| filter.name() == "kubernetes") {
            let resolved = chain.with_variables(filter);
            let unset = resolved
                .properties
                .iter()
                .find(|(_, value)| value.as_str().is_some_and(|text| text.contains("${")));
            if let Some((key, _)) = unset {
                let how = "it has a variable that is set nowhere: run this with the variables of the old pod's environment".to_owned();
                let (place, what) = (filter.place.clone(), key.clone());
                report.push(ReportLine { place, what, fate: Fate::Differs, how });
            }
            plan.kubernetes = Some(kubernetes::read(&resolved, report));
            plan.replaced.push(module);
        }
        // Away from the module, until one stays: what is behind that may see what it has changed.
        let first = module.saturating_sub(usize::from(plan.kubernetes.is_none()));
        let before = (0..module).rev().collect::<Vec<_>>();
        let behind = (first..filters.len())
            .filter(|at| *at != module || plan.kubernetes.is_none())
            .collect::<Vec<_>>();
        let behind: Vec<usize> = behind.into_iter().filter(|at| *at >= module).collect();
        let mut limits: Vec<NewRule> = Vec::new();
        for (side, order) in [(false, before), (true, behind)] {
            let mut stays: Option<String> = None;
            let mut found: Vec<NewRule> = Vec::new();
            for at in order {
                let Some(filter) = filters.get(at) else { continue };
                let number = at + 1;
                let name = filter.name();
                let translated = match (&stays, name.as_str()) {
                    (Some(other), "grep" | "throttle") => {
                        Err(format!("`{other}` stands between, and may change what it sees"))
                    }
                    (_, "grep" | "throttle") if !takes_the_same(chain, &filter.takes(), &plan.takes) => {
                        Err("it takes other records than the filter in the place of which nodesieve stands"
                            .to_owned())
                    }
                    (None, "grep") => {
                        rules::grep(filter, &format!("grep-{number}"), chain, plan.before(side))
                    }
                    (None, "throttle") if limits.is_empty() => {
                        rules::throttle(filter, &format!("throttle-{number}"))
                    }
                    (None, "throttle") => Err("there is one limit on all records already".to_owned()),
                    (_, "kubernetes") => Err("one is replaced, and this is another".to_owned()),
                    _ => Err(String::new()),
                };
                match translated {
                    Ok(Translated { rules, differs }) => {
                        let what = format!("FILTER {name}");
                        let names: Vec<_> = rules.iter().map(|rule| rule.name.clone()).collect();
                        let mut line = |fate, how| {
                            report.push(ReportLine {
                                place: filter.place.clone(),
                                what: what.clone(),
                                fate,
                                how,
                            })
                        };
                        line(Fate::Translated, format!("rules: {}", names.join(", ")));
                        differs.into_iter().for_each(|how| line(Fate::Differs, how));
                        if name == "throttle" {
                            limits.extend(rules);
                            line(Fate::Differs, "it counts what the rules before it have left. What a grep behind it dropped used up its rate \
                                before, and does so no more".to_owned());
                        } else {
                            found.extend(rules);
                        }
                        plan.replaced.push(at);
                    }
                    Err(why) => {
                        let how = if why.is_empty() {
                            "unchanged, in its place".to_owned()
                        } else {
                            format!("unchanged, in its place: {why}")
                        };
                        keep(filter, &how, report);
                        stays = stays.or(Some(name));
                    }
                }
            }
            plan.rules.extend(found);
        }
        plan.rules.extend(limits);
        plan
    }

    /// What the `kubernetes` filter does to what a filter on this side sees.
    fn before(&self, is_behind: bool) -> Before {
        let (merges, keeps_log) =
            self.kubernetes.as_ref().map_or((false, true), |head| (head.merges, head.keeps_log));
        // Without that filter, records may have its metadata from elsewhere.
        Before { is_behind: is_behind || self.kubernetes.is_none(), merges, keeps_log }
    }

    fn about_the_whole(&self, chain: &Chain, has_filters: bool, report: &mut Vec<ReportLine>) {
        let mut say = |what: &str, fate, how: &str| {
            report.push(ReportLine { place: "the whole".into(), what: what.into(), fate, how: how.into() });
        };
        if chain.of_kind(&SectionKind::Input).next().is_none() {
            say(
                "no input",
                Fate::Impossible,
                "this is a part of a configuration. Where somebody else runs Fluent Bit, as EKS Fargate's log \
                router does, no filter in WebAssembly can be loaded: there the chain has to stay as it is",
            );
        }
        if !has_filters {
            say(
                "no filter",
                Fate::Translated,
                "nothing is dropped; the module stands at the end for rules of your own",
            );
        }
        if chain
            .of_kind(&SectionKind::Input)
            .any(|input| input.texts("processors").iter().any(|text| !text.is_empty()))
        {
            say("processors", Fate::Kept, "they run before all filters, as they did");
        }
        say(
            "new input",
            Fate::Differs,
            "`dummy` under the tag nodesieve.tick, the module's clock; the module takes its records away. A filter \
            before the module, or one with Match *, sees one a second",
        );
        say(
            "what is dropped",
            Fate::Translated,
            "nothing says how much was dropped, as before. `defaults: { annotate: true, summary: 60s }` in \
            nodesieve.yaml has every drop accounted for in the records that are kept",
        );
    }

    fn head(&self) -> String {
        let mut text =
            "# Written by `nodesieve migrate`: what the old filters did. See REPORT.md.\nversion: 1\n"
                .to_owned();
        // Lines are decided one by one, as grep does it.
        let prefix = self.kubernetes.as_ref().and_then(|head| head.tag_prefix.as_ref());
        let prefix = prefix
            .map(|prefix| format!(", tag_prefix: '{}'", prefix.replace('\'', "''")))
            .unwrap_or_default();
        text.push_str(&format!("input: {{ continuation: off{prefix} }}\n"));
        match &self.kubernetes {
            Some(head) => {
                let keys = head.enrich.iter().map(|(key, value)| format!("{key}: {value}"));
                text.push_str(&format!(
                    "enrich: {{ {}, max_bytes: 256KiB }}\n",
                    keys.collect::<Vec<_>>().join(", ")
                ));
                if head.exclude_annotations {
                    text.push_str("exclude_annotations: true\n");
                }
            }
            None => text.push_str("enrich: off\nmetadata: { source: record }\n"),
        }
        text.push_str("defaults: { annotate: false, summary: off }\n");
        text
    }
}

/// Whether two filters see the same records: they say the same, or every input is for both and nothing makes other tags.
fn takes_the_same(chain: &Chain, one: &Takes, other: &Takes) -> bool {
    if one == other {
        return true;
    }
    let ((Some(one), None), (Some(other), None)) = (one, other) else { return false };
    let mut filters = chain.of_kind(&SectionKind::Filter);
    let makes_tags = filters.any(|filter| matches!(filter.name().as_str(), "rewrite_tag" | "log_to_metrics"));
    let mut tags = chain.of_kind(&SectionKind::Input).map(|input| input.text("tag"));
    let is_for_both = |tag: &str| glob_matches(one, tag) && glob_matches(other, tag);
    !makes_tags && tags.all(|tag| tag.is_some_and(|tag| is_for_both(&tag)))
}

/// Whether a glob matches a tag, or all that a tag with a `*` can become.
fn glob_matches(glob: &str, tag: &str) -> bool {
    match glob.split_once('*') {
        None => glob == tag,
        Some((start, rest)) => tag.strip_prefix(start).is_some_and(|behind| {
            rest.is_empty()
                || (0..=behind.len()).any(|at| behind.get(at..).is_some_and(|tail| glob_matches(rest, tail)))
        }),
    }
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

/// The module, which takes what the old filter took, and the tick.
fn module(takes: &Takes) -> Section {
    let old = match takes {
        (_, Some(expression)) => format!("({expression})"),
        (Some(glob), None) => glob_expression(glob),
        (None, None) => "^kube\\.".to_owned(),
    };
    Section::new(
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
    )
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
