//! Which filters go, which stay, and where the module stands.
//!
//! The rule it keeps: a filter is translated only where all between it and the module is, and it takes the same records.

use super::chain::Section;
use super::chain::{Chain, SectionKind};
use super::keep;
use super::kubernetes::{self, Head};
use super::report::{Fate, ReportLine};
use super::rules::{self, Before, NewRule, Translated};

/// `match` and `match_regex`.
pub(super) type Takes = (Option<String>, Option<String>);

/// Which filters go, and what comes in their place.
pub(super) struct Plan {
    /// Where the module stands: before the old filter of this number.
    pub(super) module: Option<usize>,
    pub(super) replaced: Vec<usize>,
    /// What the module takes.
    pub(super) takes: Takes,
    pub(super) kubernetes: Option<Head>,
    pub(super) rules: Vec<NewRule>,
}

impl Plan {
    pub(super) fn of(chain: &Chain, report: &mut Vec<ReportLine>) -> Plan {
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
            plan.kubernetes = Some(kubernetes::read(&resolved, chain, report));
            plan.replaced.push(module);
        }
        // Away from the module, until one stays: what is behind that may see what it has changed.
        let before: Vec<usize> = (0..module).rev().collect();
        let behind: Vec<usize> = (module..filters.len()).filter(|at| !plan.replaced.contains(at)).collect();
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
                        report.extend(rules::options(filter, &names));
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

    pub(super) fn head(&self) -> String {
        let mut text =
            "# Written by `nodesieve migrate`: what the old filters did. See REPORT.md.\nversion: 1\n"
                .to_owned();
        // Lines are decided one by one, as grep does it.
        let prefix = self.kubernetes.as_ref().and_then(|head| head.tag_prefix.as_ref());
        let prefix = prefix
            .map(|prefix| format!(", tag_prefix: '{}'", prefix.replace('\'', "''")))
            .unwrap_or_default();
        let expression = self.kubernetes.as_ref().and_then(|head| head.tag_regex.as_ref());
        let expression = expression
            .map(|expression| format!(", tag_regex: '{}'", expression.replace('\'', "''")))
            .unwrap_or_default();
        text.push_str(&format!("input: {{ continuation: off{prefix}{expression} }}\n"));
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
pub(super) fn glob_matches(glob: &str, tag: &str) -> bool {
    match glob.split_once('*') {
        None => glob == tag,
        Some((start, rest)) => tag.strip_prefix(start).is_some_and(|behind| {
            rest.is_empty()
                || (0..=behind.len()).any(|at| behind.get(at..).is_some_and(|tail| glob_matches(rest, tail)))
        }),
    }
}
