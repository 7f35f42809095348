//! What of a rule file met nothing in a run, and what is missing to tell: said at the end of `replay`, `diff` and `check --logs`, so
//! that a name with a letter wrong does not look like a rule that saves nothing.
//!
//! The rule it keeps: it says what was seen and asks; that a rule has nothing to do in one hour of logs is no mistake.

use crate::inputs::Record;
use crate::ledger::{Ledger, RuleLine};
use nodesieve_engine::config::model::{InputSettings, Rule};
use nodesieve_engine::config::{Owner, RuleFile};
use nodesieve_engine::diag::did_you_mean;
use nodesieve_engine::glob::Globs;
use nodesieve_engine::pods::PodFile;
use nodesieve_engine::selector::Selector;
use std::collections::{BTreeMap, BTreeSet};

/// The names that records and pods have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenNames {
    namespaces: BTreeSet<String>,
    pods: BTreeSet<String>,
    containers: BTreeSet<String>,
    workloads: BTreeSet<String>,
    /// Keys of labels with their values.
    labels: BTreeMap<String, BTreeSet<String>>,
    has_pods: bool,
}

impl SeenNames {
    /// Those of records, and of pods where there are any.
    pub fn of(records: &[Record], input: &InputSettings, pods: Option<&[PodFile]>) -> SeenNames {
        let mut seen = SeenNames { has_pods: pods.is_some(), ..SeenNames::default() };
        let mut last = "";
        for record in records {
            if record.tag == last {
                continue;
            }
            last = &record.tag;
            if let Some(tag) = input.container_of(&record.tag) {
                seen.namespaces.insert(tag.namespace.to_owned());
                seen.pods.insert(tag.pod.to_owned());
                seen.containers.insert(tag.container.to_owned());
            }
        }
        for pod in pods.unwrap_or_default() {
            seen.namespaces.insert(pod.namespace.clone());
            seen.pods.insert(pod.pod.clone());
            seen.containers.extend(pod.containers.iter().map(|container| container.name.clone()));
            seen.workloads.extend(pod.workload.iter().map(|workload| workload.name.clone()));
            for (key, value) in pod.labels.iter().flat_map(|labels| &labels.0) {
                seen.labels.entry(key.clone()).or_default().insert(value.clone());
            }
        }
        seen
    }

    fn under(&self, key: &str) -> Option<&BTreeSet<String>> {
        match key {
            "namespace" => Some(&self.namespaces),
            "pod" => Some(&self.pods),
            "container" => Some(&self.containers),
            "workload" if self.has_pods => Some(&self.workloads),
            _ => None,
        }
    }
}

/// All doubts about a run, each a sentence.
pub fn doubts(rules: &RuleFile, ledger: &Ledger, seen: &SeenNames) -> Vec<String> {
    let mut found = Vec::new();
    let unknown = ledger.rules.iter().find(|line| line.stage == "outcome" && line.name == "unknown");
    let unknown = unknown.map_or(0, |line| line.matched);
    // Where hardly anything is known, that is what to say.
    let is_known = unknown.saturating_mul(2) <= ledger.seen;
    for (stage, rule) in
        rules.guards.iter().map(|rule| ("guard", rule)).chain(rules.rules.iter().map(|rule| ("rule", rule)))
    {
        // What pods ask for is no rule of the file.
        if rule.owner == Owner::Pods {
            continue;
        }
        let mut names = unknown_names(rule, seen);
        names.extend(unknown_labels(rule, seen));
        if is_known && names.is_empty() && ledger.seen > 0 && has_met_nothing(stage, rule, ledger) {
            found.push(format!("{stage} `{}` matched none of {} records", rule.name, ledger.seen));
        }
        found.extend(names.into_iter().map(|doubt| format!("{stage} `{}`: {doubt}", rule.name)));
    }
    let met = ledger.enriched.saturating_add(ledger.metadata_missing);
    if seen.has_pods && ledger.enriched == 0 && met > 0 {
        found.push(
            "the pods that were given are those of none of these logs: no kept record has metadata"
                .to_owned(),
        );
    }
    // A pod or two are missing from any list.
    if unknown.saturating_mul(20) > ledger.seen {
        let why = match seen.has_pods {
            true => "their pods or containers are not in the list",
            false => "there is no list of pods: --pods takes one",
        };
        found.push(format!(
            "{unknown} of {} records were kept as unknown, because a condition asks for metadata that is missing: {why}",
            ledger.seen
        ));
    }
    found
}

fn has_met_nothing(stage: &str, rule: &Rule, ledger: &Ledger) -> bool {
    let is_of = |line: &&RuleLine| line.name == *rule.name && line.stage == stage;
    let lines = if rule.shadow { &ledger.shadows } else { &ledger.rules };
    lines
        .iter()
        .find(|line| if rule.shadow { line.name == *rule.name } else { is_of(line) })
        .is_some_and(|line| line.matched == 0)
}

/// Labels, and values of labels, that no pod has, each with the nearest that some pod has.
fn unknown_labels(rule: &Rule, seen: &SeenNames) -> Vec<String> {
    let mut found = Vec::new();
    if seen.labels.is_empty() {
        return found;
    }
    let requirements = rule.when.label_selectors().into_iter().flat_map(Selector::requirements);
    for requirement in requirements {
        let key = requirement.key();
        let Some(known) = seen.labels.get(key) else {
            // That it is not there is what some ask for.
            if requirement.needs_key() {
                let near = meant(key, seen.labels.keys());
                found.push(format!("no pod here has the label `{key}`{near}"));
            }
            continue;
        };
        let values = requirement.values();
        let is_met = values.iter().any(|value| known.contains(*value));
        for value in values.iter().filter(|value| !known.contains(**value)) {
            // As with names: of a list one may be missing, unless it is nearly one that nobody names.
            let unnamed = || known.iter().filter(|other| !values.contains(&other.as_str()));
            let near = did_you_mean(value, unnamed().map(String::as_str));
            if is_met && near.is_none_or(|near| value.len() < SHORTEST || are_siblings(value, near)) {
                continue;
            }
            found.push(format!("no pod here has `{value}` as the label `{key}`{}", meant(value, unnamed())));
        }
    }
    found
}

fn meant<'n>(text: &str, names: impl Iterator<Item = &'n String>) -> String {
    did_you_mean(text, names.map(String::as_str))
        .map(|near| format!(": did you mean {near}?"))
        .unwrap_or_default()
}

/// Names that nothing has, each with the nearest that something has.
fn unknown_names(rule: &Rule, seen: &SeenNames) -> Vec<String> {
    let mut found = Vec::new();
    for (key, globs) in rule.when.names() {
        let Some(names) = seen.under(key).filter(|names| !names.is_empty()) else { continue };
        let is_met = names.iter().any(|name| globs.matches(name));
        for text in globs.texts() {
            if names.iter().any(|name| Globs::new([text]).matches(name)) {
                continue;
            }
            // Where others of the list are there, it is no doubt that one is missing, unless it is nearly one that nobody names.
            let unnamed = names.iter().map(String::as_str).filter(|name| !is_met || !globs.matches(name));
            let near = did_you_mean(text.trim_matches(['*', '-']), unnamed);
            if is_met && near.is_none_or(|near| text.len() < SHORTEST || are_siblings(text, near)) {
                continue;
            }
            let near = near.map(|near| format!(": did you mean {near}?")).unwrap_or_default();
            found.push(format!("no {key} here is `{text}`{near}"));
        }
    }
    found
}

/// Whether two names differ in nothing but what is behind their last dash: `shop-eu` and `shop-us`.
fn are_siblings(one: &str, other: &str) -> bool {
    let family = |name: &str| name.rsplit_once('-').map(|(family, _)| family.to_owned());
    family(one).is_some_and(|of_one| family(other) == Some(of_one))
}

/// Shorter names are near to any other.
const SHORTEST: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use nodesieve_engine::config;
    use nodesieve_engine::pods::Pairs;

    #[test]
    fn labels_that_no_pod_has_are_told_with_the_nearest_that_some_pod_has() {
        let when = [
            "labels: 'app=cataloge'",
            "labels: 'appp=catalog'",
            "labels: 'app in (catalog, chekout)'",
            "labels: 'app in (catalog, elsewhere)'",
            "labels: '!canary'",
            "labels: 'tier!=frontent'",
            "not: { labels: 'zone' }",
            "labels: 'app=catalog,tier'",
        ];
        let rules: String =
            when.iter().map(|when| format!("\n  - {{ when: {{ {when} }}, keep: {{}} }}")).collect();
        let rules = rules.split("{ when").collect::<Vec<_>>();
        let named = rules.iter().enumerate().map(|(at, part)| match at {
            0 => (*part).to_owned(),
            at => format!("{{ name: r{at}, when{part}"),
        });
        let rules =
            config::load(&format!("version: 1\nrules:{}\n", named.collect::<String>())).unwrap().rules;
        let pod = |labels: &[(&str, &str)]| PodFile {
            labels: Some(Pairs(labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())),
            ..PodFile::new("n", "p")
        };
        let pods = [pod(&[("app", "catalog"), ("tier", "frontend")]), pod(&[("app", "checkout")])];
        let seen = SeenNames::of(&[], &rules.input, Some(&pods));
        assert_eq!(
            doubts(&rules, &Ledger::default(), &seen),
            [
                "rule `r1`: no pod here has `cataloge` as the label `app`: did you mean catalog?",
                "rule `r2`: no pod here has the label `appp`: did you mean app?",
                "rule `r3`: no pod here has `chekout` as the label `app`: did you mean checkout?",
                "rule `r6`: no pod here has `frontent` as the label `tier`: did you mean frontend?",
                "rule `r7`: no pod here has the label `zone`",
            ]
        );
    }

    #[test]
    fn a_name_with_a_letter_wrong_is_told_with_the_nearest_that_was_seen() {
        let rules = config::load(
            "version: 1\nrules:\n  - { name: a, when: { namespace: paymnets }, keep: {} }\n  - { name: b, when: { not: { workload: crat } }, keep: {} }\n  - { name: c, when: { namespace: 'pay*' }, keep: {} }\n  - { name: d, when: { namespace: [payments, elsewhere], pod: [a, c, web-2] }, keep: {} }\n  - { name: e, when: { pod: [a, checkuot] }, keep: {} }\n",
        )
        .unwrap()
        .rules;
        let record = |pod: &str| Record {
            tag: format!("kube.var.log.containers.{pod}_payments_app-0a.log"),
            time: (1, 0),
            text: "{}".into(),
        };
        let mut pod = PodFile::new("shop", "cart-1");
        pod.workload =
            Some(nodesieve_engine::pods::Workload { kind: "Deployment".into(), name: "cart".into() });
        let seen = SeenNames::of(
            &[record("a"), record("b"), record("web-1"), record("checkout")],
            &rules.input,
            Some(&[pod]),
        );
        let line = |name: &str, stage: &str, matched| RuleLine {
            name: name.into(),
            stage: stage.into(),
            matched,
            ..RuleLine::default()
        };
        let ledger = Ledger {
            seen: 2,
            metadata_missing: 2,
            rules: vec![
                line("a", "rule", 0),
                line("b", "rule", 1),
                line("c", "rule", 0),
                line("d", "rule", 1),
                line("e", "rule", 1),
                line("unknown", "outcome", 1),
            ],
            ..Ledger::default()
        };
        assert_eq!(
            doubts(&rules, &ledger, &seen),
            [
                "rule `a`: no namespace here is `paymnets`: did you mean payments?",
                "rule `b`: no workload here is `crat`: did you mean cart?",
                "rule `c` matched none of 2 records",
                "rule `e`: no pod here is `checkuot`: did you mean checkout?",
                "the pods that were given are those of none of these logs: no kept record has metadata",
                "1 of 2 records were kept as unknown, because a condition asks for metadata that is missing: their pods or containers are not in the list",
            ]
        );
    }
}
