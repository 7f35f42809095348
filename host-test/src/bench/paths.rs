//! What is measured: a name, a rule file, and the lines that go through it.
//!
//! The rule it keeps: names are for those who compare numbers of two versions. A path may be added; one that is there keeps its
//! name, its rules and its lines.

use super::ten_rules::{hundred_rules, ten_rules};
use super::workload::SHORT;

/// A way through the filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BenchPath {
    /// Its name.
    pub name: String,
    /// The rule file.
    pub rules: String,
    /// What goes through it.
    pub input: BenchInput,
    /// What is counted.
    pub counted: CountedWork,
}

/// The records that go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BenchInput {
    /// The generated workload with lines of about so many bytes.
    Lines(usize),
    /// The same with short lines of all pods by turns, so that no record has the tag of the one before.
    ByTurns,
    /// conf/samples.
    Samples,
}

/// Whose instructions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedWork {
    /// Those of the export `filter`.
    Filter,
    /// Those of `malloc` and `free`, which the host calls to hand a record over.
    Copying,
}

/// All paths. `shipped` is the rule file that the samples go through.
pub fn paths(shipped: &str) -> Vec<BenchPath> {
    let mut all = Vec::new();
    let mut add = |name: &str, rules: String, input, counted| {
        all.push(BenchPath { name: name.to_owned(), rules, input, counted });
    };
    let first = [
        ("drop-by-tag", drops_by_tag(1)),
        ("drop-by-term", drops_by_term(1)),
        ("severity-guard", guards(1)),
        ("json-condition", file(&format!("rules:\n{FAILED}{REST}"))),
        ("sampled", file("rules:\n  - { name: traces, sample: { rate: 1/10, by: trace_id } }\n")),
        ("json-and-trace", file(&format!("rules:\n{TRACES}{REST}"))),
        ("keep-lean", file("")),
        ("keep-full", "version: 1\nenrich: { fields: all }\n".to_owned()),
    ];
    for (name, rules) in &first {
        add(name, rules.clone(), BenchInput::Lines(SHORT), CountedWork::Filter);
    }
    let short = BenchInput::Lines(SHORT);
    add("ten-rules", ten_rules(), short, CountedWork::Filter);
    add("hundred-rules", hundred_rules(), short, CountedWork::Filter);
    for (name, merge) in [("merge", "true"), ("merge-alone", "{ keep_log: false }")] {
        let rules = format!("version: 1\nenrich: {{ fields: lean, merge_log: {merge} }}\n");
        add(name, rules, short, CountedWork::Filter);
    }
    add("samples", shipped.to_owned(), BenchInput::Samples, CountedWork::Filter);
    add("malloc-and-free", file(""), short, CountedWork::Copying);
    for (name, rules) in [("keep-lean", file("")), ("ten-rules", ten_rules())] {
        add(&format!("{name}-by-turns"), rules, BenchInput::ByTurns, CountedWork::Filter);
    }
    for many in [10, 100] {
        for (name, rules) in [
            ("drop-by-tag", drops_by_tag(many)),
            ("drop-by-term", drops_by_term(many)),
            ("severity-guard", guards(many)),
        ] {
            add(&format!("{name}-{many}"), rules, short, CountedWork::Filter);
        }
    }
    for (line, ending) in [(1500, "1k5"), (15_000, "15k")] {
        for (name, rules) in &first {
            let name = format!("{name}-{ending}");
            add(&name, rules.clone(), BenchInput::Lines(line), CountedWork::Filter);
        }
    }
    all
}

/// A rule whose JSON condition is asked of every line and holds for few.
const FAILED: &str = "  - { name: failed, when: { message: '{ $.status >= 500 }' }, keep: {} }\n";
/// A rule that reads JSON, and of what it finds a trace id.
const TRACES: &str =
    "  - { name: traces, when: { message: '{ $.status < 400 }' }, sample: { rate: 1/10, by: trace_id } }\n";
/// What comes last where a path is about deciding: what is kept costs its metadata.
const REST: &str = "  - { name: rest, drop: {}, reason: measured }\n";

/// A rule file with little metadata: about 150 bytes.
fn file(rest: &str) -> String {
    format!("version: 1\nenrich: {{ fields: lean, labels: [app] }}\n{rest}")
}

/// So many drops, of which the last takes all and the others name namespaces that there are not.
fn drops_by_tag(many: usize) -> String {
    let others = (1..many).map(|n| {
        format!(
            "  - {{ name: team-{n}, when: {{ namespace: 'team-{n}-*' }}, drop: {{}}, reason: measured }}\n"
        )
    });
    file(&format!("rules:\n{}{REST}", others.collect::<String>()))
}

/// So many terms, of which the last is in every line.
fn drops_by_term(many: usize) -> String {
    let rule = |n: usize, term: &str| {
        format!("  - {{ name: term-{n}, when: {{ message: '{term}' }}, drop: {{}}, reason: measured }}\n")
    };
    let others = (1..many).map(|n| rule(n, &format!("\"marker {n} of none\"")));
    file(&format!("rules:\n{}{}", others.collect::<String>(), rule(many, "euw1")))
}

/// So many guards, all of which ask for the level and one for nothing else; what passes them is dropped.
fn guards(many: usize) -> String {
    let others = (1..many).map(|n| {
        format!(
            "  - {{ name: errors-{n}, when: {{ severity: '>=error', message: '\"marker {n} of none\"' }} }}\n"
        )
    });
    let last = format!("  - {{ name: errors-{many}, when: {{ severity: '>=error' }} }}\n");
    file(&format!("guards:\n{}{last}rules:\n{REST}", others.collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodesieve_engine::config::load;
    use std::collections::BTreeSet;

    #[test]
    fn every_rule_file_is_without_mistakes_and_has_as_many_rules_as_its_name_says() {
        for path in paths("version: 1\n") {
            let rules = load(&path.rules).unwrap_or_else(|_| panic!("{}:\n{}", path.name, path.rules)).rules;
            let count = rules.all().count();
            match path.name.as_str() {
                "ten-rules" | "drop-by-tag-10" | "drop-by-term-10" => assert_eq!(count, 10, "{}", path.name),
                "hundred-rules" | "drop-by-tag-100" | "drop-by-term-100" => {
                    assert_eq!(count, 100, "{}", path.name)
                }
                _ => {}
            }
        }
    }

    #[test]
    fn names_are_told_apart() {
        let all = paths("");
        let names: BTreeSet<&str> = all.iter().map(|path| path.name.as_str()).collect();
        assert_eq!(names.len(), all.len());
    }
}
