//! What teams may decide for themselves: the section `delegate`, and the fragments beside the rule file.
//!
//! A fragment is a file of rules for one namespace, the one that it is named after. The rule kept here: whatever it says, its rules are
//! about records of that namespace only, they come behind all guards, and they do what the platform's file lets them; what it may not
//! is refused with it alone, or bounded.

use crate::condition::When;
use crate::config::lower;
use crate::config::model::{Keep, Policy, PolicyKind, Role, Rule, RuleFile, Sample};
use crate::config::rule_tests::{RuleTest, Subject, rule_tests};
use crate::config::rules::{MAX_SHADOWS, names_are_unique, rules, unreachable};
use crate::diag::{Code, Diagnostic, in_order};
use crate::threshold::{Probability, Threshold};
use crate::yaml::{self, Mistakes, Node, Rate, Section, Unit, parse_rate};
use std::num::NonZeroU64;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

/// What teams may.
#[derive(Clone, Debug, PartialEq)]
pub struct Delegate {
    /// Policies of their rules.
    pub policies: Vec<PolicyKind>,
    /// At most so much is kept by them.
    pub max_keep: MaxKeep,
    /// Whether they may drop records of severity `error` and above.
    pub may_drop_errors: bool,
    /// Bytes that they may keep of a namespace in a UTC day.
    pub budget: Option<NonZeroU64>,
    /// Whether annotations of pods decide too.
    pub annotations: bool,
}

/// At most so much is kept of a namespace by what its team says; beyond that the platform's rules decide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxKeep {
    /// All.
    All,
    /// Of what their `keep` and `sample` would, this share.
    Share(Probability),
    /// This rate.
    Rate(Rate),
}

/// Whose rule it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// The platform's.
    #[default]
    Platform,
    /// Each pod's, by its annotations.
    Pods,
    /// Of the fragment at this place.
    Fragment(usize),
}

/// A fragment that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Fragment {
    /// The namespace that it is about.
    pub namespace: Box<str>,
    /// Its rules, under names of their own.
    pub rules: Vec<Rc<Rule>>,
}

/// A fragment with its tests, not run yet, and what is legal in it but surely not meant.
#[derive(Debug)]
pub struct LoadedFragment {
    /// It.
    pub fragment: Rc<Fragment>,
    /// The platform's rules with those of this fragment alone, for its tests.
    pub rules: Rc<RuleFile>,
    /// Its own tests.
    pub tests: Vec<RuleTest>,
    /// Warnings only.
    pub warnings: Vec<Diagnostic>,
}

impl Delegate {
    /// Reads the section.
    pub(crate) fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Delegate> {
        let known = ["policies", "max_keep_rate", "may_drop_errors", "budget", "annotations"];
        let section = Section::open(node, "delegate", &known, mistakes)?;
        let policies = match section.get("policies") {
            None => Some(PolicyKind::of(Role::Rule).collect()),
            Some(node) => policies(node, mistakes),
        };
        let max_keep = match section.get("max_keep_rate") {
            None => Some(MaxKeep::All),
            Some(node) => max_keep(node, mistakes),
        };
        let budget = match section.get("budget") {
            None => Some(None),
            Some(node) => daily(node, mistakes).map(Some),
        };
        let mut flag = |key: &str, default: bool| match section.get(key) {
            None => Some(default),
            Some(node) => mistakes.boolean(node, key),
        };
        let (may_drop_errors, annotations) = (flag("may_drop_errors", false), flag("annotations", true));
        Some(Delegate {
            policies: policies?,
            max_keep: max_keep?,
            may_drop_errors: may_drop_errors?,
            budget: budget?,
            annotations: annotations?,
        })
    }

    /// Whether what is kept has to be counted to be bounded.
    pub(crate) fn bounds(&self) -> bool {
        matches!(self.max_keep, MaxKeep::Rate(_)) || self.budget.is_some()
    }

    /// A share that a team asks for, as far as it may.
    pub(crate) fn share(&self, wanted: Probability) -> Probability {
        match self.max_keep {
            MaxKeep::Share(most) if most.value() < wanted.value() => most,
            MaxKeep::All | MaxKeep::Share(_) | MaxKeep::Rate(_) => wanted,
        }
    }

    /// The policy of a team's rule, as far as it may.
    fn clamped(&self, policy: Policy) -> Policy {
        let MaxKeep::Share(most) = self.max_keep else { return policy };
        match policy {
            Policy::Keep(_) => {
                Policy::Sample(Sample { rate: most, threshold: Threshold::new(most), by: Vec::new() })
            }
            Policy::Sample(sample) => {
                let rate = self.share(sample.rate);
                Policy::Sample(Sample { rate, threshold: Threshold::new(rate), ..sample })
            }
            other => other,
        }
    }
}

fn policies(node: &Node, mistakes: &mut Mistakes) -> Option<Vec<PolicyKind>> {
    let mut kinds = Vec::new();
    let mut is_good = true;
    for (text, span) in mistakes.texts(node, "policies")? {
        match PolicyKind::named(text, Role::Rule) {
            Some(kind) => kinds.push(kind),
            None => {
                let names: Vec<&str> = PolicyKind::of(Role::Rule).map(PolicyKind::name).collect();
                let help = match mistakes.near(text, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known policies: {}", names.join(", ")),
                };
                mistakes.note_with_help(Code::Value, &span, format!("`{text}` is not a policy"), help);
                is_good = false;
            }
        }
    }
    is_good.then_some(kinds)
}

fn max_keep(node: &Node, mistakes: &mut Mistakes) -> Option<MaxKeep> {
    let text = mistakes.text(node, "max_keep_rate")?;
    let found = match Probability::parse(text) {
        Some(share) => Some(MaxKeep::Share(share)),
        None => parse_rate(text).map(MaxKeep::Rate),
    };
    if found.is_none() {
        let help = "write a rate, 200/s or 1MB/s, or a share of what they would keep, 0.5";
        let message = format!("`{text}` is neither a rate nor a share");
        mistakes.note_with_help(Code::Amount, &node.span, message, help);
    }
    found
}

fn daily(node: &Node, mistakes: &mut Mistakes) -> Option<NonZeroU64> {
    let text = mistakes.text(node, "budget")?;
    let is_daily = |rate: &Rate| rate.unit == Unit::Bytes && rate.per == Duration::from_secs(86_400);
    let found = parse_rate(text).filter(is_daily).map(|rate| rate.amount);
    if found.is_none() {
        let message = format!("`{text}` is not a size per day");
        mistakes.note_with_help(Code::Amount, &node.span, message, "write 2GiB/day or 500MB/day");
    }
    found
}

/// Reads the fragment of a namespace, to go with the platform's rules.
///
/// # Errors
/// Every mistake in it, and the warnings with them, when there is at least one mistake.
pub fn load_fragment(
    source: &str,
    namespace: &str,
    platform: &RuleFile,
) -> Result<LoadedFragment, Vec<Diagnostic>> {
    let whole = |code: Code, message: String| vec![Diagnostic::new(code, 0..0, message)];
    if !is_namespace(namespace) {
        let message =
            format!("`{namespace}` is no namespace: a fragment is named after its own, payments.yaml");
        return Err(whole(Code::Name, message));
    }
    let Some(delegate) = &platform.delegate else {
        let message = "the platform's rule file delegates nothing".to_owned();
        let help = "add `delegate: {}` to it";
        return Err(whole(Code::MissingKey, message)
            .into_iter()
            .map(|found| found.with_help(help))
            .collect());
    };
    if source.len() > MAX_FRAGMENT_BYTES {
        let message =
            format!("the fragment has {} bytes, at most {MAX_FRAGMENT_BYTES} are read", source.len());
        return Err(whole(Code::TooLarge, message));
    }
    let root = yaml::read(source).map_err(|mistakes| in_order(mistakes, source))?;
    let mut mistakes = Mistakes::default();
    let mut found = Vec::new();
    let mut tests = Vec::new();
    let mut file = Rc::new(platform.clone());
    if let Some(top) = Section::open(&root, "a fragment", &["version", "rules", "tests"], &mut mistakes) {
        lower::version(&top, &mut mistakes);
        let node = top.get("rules");
        found = rules(source, node, Role::Rule, &mut mistakes);
        names_are_unique(&[node], &mut mistakes);
        let nodes = node.map(children).unwrap_or_default();
        for (node, rule) in nodes.iter().zip(&found) {
            may(delegate, namespace, (node, rule), &mut mistakes);
        }
        let shadows = |rules: &[Rc<Rule>]| rules.iter().filter(|rule| rule.shadow).count();
        let most = MAX_SHADOWS.saturating_sub(shadows(&platform.rules));
        if shadows(&found) > most {
            let message = format!(
                "{} rules are in shadow mode, at most {most} can be beside the platform's",
                shadows(&found)
            );
            mistakes.note(Code::Value, &top.span, message);
        }
        if found.len() > MAX_FRAGMENT_RULES {
            let message =
                format!("{} rules are too many for a fragment, at most {MAX_FRAGMENT_RULES}", found.len());
            mistakes.note(Code::TooLarge, &top.span, message);
        }
        if !mistakes.are_serious() {
            unreachable(&[(node, &found)], &mut mistakes);
        }
        let short: Vec<Box<str>> = found.iter().map(|rule| rule.name.clone()).collect();
        let known = RuleFile { rules: found.clone(), guards: platform.guards.clone(), ..platform.clone() };
        tests = rule_tests(top.get("tests"), &known, &mut mistakes);
        about_its_own(&tests, namespace, platform, &mut mistakes);
        found = found.into_iter().map(|rule| Rc::new(owned(&rule, namespace, delegate))).collect();
        for test in &mut tests {
            if let Some(Subject::Rule(name) | Subject::Shadow(name)) = &mut test.expect.subject
                && short.contains(name)
            {
                *name = format!("{namespace}/{name}").into();
            }
        }
    }
    let fragment = Rc::new(Fragment { namespace: namespace.into(), rules: found });
    if mistakes.are_serious() {
        return Err(mistakes.in_order(source));
    }
    file = Rc::new(file.with_fragments(&[Rc::clone(&fragment)]));
    Ok(LoadedFragment { fragment, rules: file, tests, warnings: mistakes.in_order(source) })
}

/// Notes what a team's rule may not.
fn may(delegate: &Delegate, namespace: &str, (node, rule): (&Node, &Rule), mistakes: &mut Mistakes) {
    let span = node.span.start..node.span.start.saturating_add(1);
    let kind = rule.policy.kind();
    if !delegate.policies.contains(&kind) {
        let message = format!("`{}` is not delegated", kind.name());
        let names: Vec<&str> = delegate.policies.iter().map(|kind| kind.name()).collect();
        let help = format!("the platform delegates {}", names.join(", "));
        mistakes.note_with_help(Code::Policy, &span, message, help);
    }
    if rule.when.conditions().iter().any(|condition| condition.key() == "namespace") {
        let message = format!("a fragment is about its own namespace, {namespace}");
        mistakes.note_with_help(Code::Value, &span, message, "leave `namespace` out");
    }
}

/// A test's record comes from the fragment's namespace.
fn about_its_own(tests: &[RuleTest], namespace: &str, platform: &RuleFile, mistakes: &mut Mistakes) {
    for test in tests {
        let found = platform.input.container_of(&test.tag).map(|tag| tag.namespace.to_owned());
        if found.as_deref() != Some(namespace) {
            let span: Range<usize> = test.span.start..test.span.start.saturating_add(1);
            let message = format!("this record is not from {namespace}");
            let help = format!("add `kubernetes: {{ namespace_name: {namespace} }}` to it");
            mistakes.note_with_help(Code::Value, &span, message, help);
        }
    }
    let records = tests.iter().fold(0u32, |sum, test| sum.saturating_add(test.times));
    if records > MAX_FRAGMENT_RECORDS
        && let Some(test) = tests.first()
    {
        let span = test.span.start..test.span.start.saturating_add(1);
        let message =
            format!("the tests repeat {records} records, at most {MAX_FRAGMENT_RECORDS} in a fragment");
        mistakes.note_with_help(
            Code::TooLarge,
            &span,
            message,
            "they run on the node whenever the file changes",
        );
    }
}

/// A team's rule as it is asked: of its namespace, under its name, within what is delegated.
fn owned(rule: &Rule, namespace: &str, delegate: &Delegate) -> Rule {
    // A `keep` of which a share is kept drops, too.
    let policy = delegate.clamped(rule.policy.clone());
    let leaves_errors = !delegate.may_drop_errors && !matches!(policy, Policy::Keep(_));
    let when = rule.when.clone().within(namespace, leaves_errors);
    Rule { name: format!("{namespace}/{}", rule.name).into(), when, policy, ..rule.clone() }
}

fn children(node: &Node) -> Vec<&Node> {
    match &node.kind {
        yaml::NodeKind::List(list) => list.iter().collect(),
        yaml::NodeKind::Map(_) | yaml::NodeKind::Scalar { .. } => Vec::new(),
    }
}

/// Whether a text can be the name of a namespace (RFC 1123).
fn is_namespace(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

impl RuleFile {
    /// These rules with those of fragments, in front of the platform's own: what `delegate` bounds comes before what it is bounded by.
    /// Fragments beyond [`MAX_FRAGMENTS`] or, with all before them, 2000 rules are left out.
    #[must_use]
    pub fn with_fragments(&self, fragments: &[Rc<Fragment>]) -> RuleFile {
        let mut file = self.clone();
        file.rules.retain(|rule| rule.owner == Owner::Platform);
        file.fragments.clear();
        let Some(delegate) = &self.delegate else { return file };
        let mut rules: Vec<Rc<Rule>> = Vec::new();
        if delegate.annotations {
            rules.extend(of_pods());
        }
        for fragment in fragments.iter().take(MAX_FRAGMENTS) {
            if rules.len().saturating_add(fragment.rules.len()) > MAX_RULES {
                continue;
            }
            let owner = Owner::Fragment(file.fragments.len());
            let start = rules.len();
            rules.extend(fragment.rules.iter().map(|rule| Rc::new(Rule { owner, ..(**rule).clone() })));
            file.fragments.push((fragment.namespace.clone(), start..rules.len()));
        }
        rules.append(&mut file.rules);
        file.rules = rules;
        file
    }
}

/// The rules under which is counted what annotations of pods decide; no record is asked about them.
fn of_pods() -> [Rc<Rule>; 2] {
    [BY_SAMPLE, BY_LIMIT].map(|name| {
        Rc::new(Rule {
            name: name.into(),
            when: When::default(),
            policy: Policy::Keep(Keep),
            floor: None,
            lift: None,
            recall: None,
            shadow: false,
            until: None,
            reason: None,
            owner: Owner::Pods,
        })
    })
}

/// Under these names is counted what `nodesieve.io/sample` and `nodesieve.io/limit` decide.
pub(crate) const BY_SAMPLE: &str = "pod/sample";
pub(crate) const BY_LIMIT: &str = "pod/limit";
/// Largest fragment, in bytes.
pub const MAX_FRAGMENT_BYTES: usize = 64 << 10;
/// Fragments of a node.
pub const MAX_FRAGMENTS: usize = 500;
/// Rules of all of them.
const MAX_RULES: usize = 2000;
const MAX_FRAGMENT_RULES: usize = 50;
/// Records that the tests of one repeat.
const MAX_FRAGMENT_RECORDS: u32 = 1000;

#[cfg(test)]
mod tests;
