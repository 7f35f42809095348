//! Guards and rules, and what must hold among them.

use crate::config::model::{
    Floor, Keep, Lift, Owner, Policy, PolicyKind, Recall, Role, Rule, RuleFile, When,
};
use crate::diag::Code;
use crate::time::parse_rfc3339;
use crate::yaml::{Mistakes, Node, NodeKind, Quoting, Section, named};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The guards or rules of a file.
pub(super) fn rules(source: &str, node: Option<&Node>, role: Role, mistakes: &mut Mistakes) -> Vec<Rc<Rule>> {
    let Some(node) = node else { return Vec::new() };
    match &node.kind {
        NodeKind::List(list) => {
            if let Some(first) = list.get(MAX_RULES) {
                let span = first.span.start..first.span.start.saturating_add(1);
                let message = format!(
                    "{} {}s are more than a node can ask, at most {MAX_RULES}",
                    list.len(),
                    word(role)
                );
                let help = "one pattern may have many terms: ?healthz ?readyz";
                mistakes.note_with_help(Code::TooLarge, &span, message, help);
            }
            let list = list.iter().take(MAX_RULES);
            list.filter_map(|node| rule(source, node, role, mistakes)).map(Rc::new).collect()
        }
        NodeKind::Scalar { text, quoting: Quoting::Plain } if text.is_empty() => Vec::new(),
        _ => {
            mistakes.note(Code::WrongKind, &node.span, format!("{}s must be a list", word(role)));
            Vec::new()
        }
    }
}

fn rule(source: &str, node: &Node, role: Role, mistakes: &mut Mistakes) -> Option<Rule> {
    let (section, name) = opened(node, role, mistakes)?;
    let drops = section.get("drop").is_some();
    let when = section.get("when").map(|node| When::read(source, node, drops, mistakes));
    with_policy(node, &section, role, (name, when), mistakes)
}

#[inline(never)]
fn opened<'n>(node: &'n Node, role: Role, mistakes: &mut Mistakes) -> Option<(Section<'n>, Option<&'n str>)> {
    let what = word(role);
    let own: &[&str] = match role {
        Role::Guard => &GUARD_KEYS,
        Role::Rule => &RULE_KEYS,
    };
    let known: Vec<&str> = own.iter().copied().chain(PolicyKind::of(role).map(PolicyKind::name)).collect();
    let section = Section::open(node, what, &known, mistakes)?;
    let name = name(&section, what, mistakes);
    Some((section, name))
}

/// What a rule does, and all else that is not its conditions.
#[inline(never)]
fn with_policy(
    node: &Node,
    section: &Section<'_>,
    role: Role,
    (name, when): (Option<&str>, Option<When>),
    mistakes: &mut Mistakes,
) -> Option<Rule> {
    let shadow = section.get("mode").is_some_and(|node| is_shadow(node, mistakes));
    let until = section.get("until").and_then(|node| until(node, mistakes));
    let reason = section.get("reason").and_then(|node| mistakes.text(node, "reason")).map(str::to_owned);
    let policy = policy(node, section, role, mistakes);
    let floor = section.get("floor").map(|node| Floor::read(node, policy.as_ref(), mistakes));
    let lift = section.get("lift").map(|node| Lift::read(node, mistakes));
    let recall = section.get("recall").map(|node| Recall::read(node, mistakes));
    if matches!(policy, Some(Policy::Drop(_)))
        && until.is_none()
        && reason.is_none()
        && section.get("until").is_none()
    {
        let key = section
            .entries()
            .iter()
            .find(|(key, ..)| *key == "drop")
            .map_or(section.span.clone(), |(_, key, _)| key.span.clone());
        let help = "add `reason: ...`, or `until: 2027-01-31T00:00:00Z`";
        mistakes.note_with_help(Code::Unexplained, &key, "a drop must say why, or when it ends", help);
    }
    Some(Rule {
        name: name?.into(),
        when: when.unwrap_or_default(),
        policy: policy?,
        floor: floor.flatten(),
        lift: lift.flatten(),
        recall: recall.flatten(),
        shadow,
        until,
        reason,
        owner: Owner::Platform,
    })
}

/// The policy in a rule's or guard's section. `node` is that section as written.
fn policy(node: &Node, section: &Section<'_>, role: Role, mistakes: &mut Mistakes) -> Option<Policy> {
    let written: Vec<(PolicyKind, &Node)> = match &node.kind {
        NodeKind::Map(map) => map
            .iter()
            .filter_map(|(key, _)| match &key.kind {
                NodeKind::Scalar { text, .. } => PolicyKind::named(text, role).map(|kind| (kind, key)),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    match (written.as_slice(), role) {
        ([], Role::Guard) => Some(Policy::Keep(Keep)),
        ([], Role::Rule) => {
            let span = section.span.start..section.span.start.saturating_add(1);
            let help = "add one of `drop: {}`, `keep: {}`, `sample: {rate: 1/10}`, `limit: {rate: 20/s}`";
            mistakes.note_with_help(Code::Policy, &span, "this rule has no policy", help);
            None
        }
        ([(kind, _)], _) => kind.read(section.get(kind.name())?, mistakes),
        ([_, (kind, second), ..], _) => {
            let message = format!("a rule has one policy; `{}` is another", kind.name());
            let help = "the first rule that matches decides, so a second one with the same conditions is never asked: choose one policy, or give \
                each its own conditions; a `floor` keeps a few of what first, limit, target or budget drop";
            mistakes.note_with_help(Code::Policy, &second.span, message, help);
            None
        }
    }
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Guard => "guard",
        Role::Rule => "rule",
    }
}

fn is_shadow(node: &Node, mistakes: &mut Mistakes) -> bool {
    match mistakes.text(node, "mode") {
        None | Some("enforce") => false,
        Some("shadow") => true,
        Some(other) => {
            let message = format!("mode must be enforce or shadow, found `{other}`");
            mistakes.note(Code::Value, &node.span, message);
            false
        }
    }
}

/// What each of them would do is remembered for continuation lines in the bits of a word.
pub(super) fn shadows_are_few(lists: &[Option<&Node>], file: &RuleFile, mistakes: &mut Mistakes) {
    let shadows = file.rules.iter().filter(|rule| rule.shadow).count();
    if shadows > MAX_SHADOWS
        && let Some(node) = lists.iter().flatten().next()
    {
        let span = node.span.start..node.span.start.saturating_add(1);
        let message = format!("{shadows} rules are in shadow mode, at most {MAX_SHADOWS} can be");
        mistakes.note(Code::Value, &span, message);
    }
}

fn name<'n>(section: &Section<'n>, what: &str, mistakes: &mut Mistakes) -> Option<&'n str> {
    let name = named(section, what, "counts and reports go by name", mistakes)?;
    if RESERVED.contains(&name) {
        let span = section.get("name").map_or(section.span.clone(), |node| node.span.clone());
        mistakes.note(Code::Name, &span, format!("`{name}` is a name that reports use themselves"));
        return None;
    }
    Some(name)
}

fn until(node: &Node, mistakes: &mut Mistakes) -> Option<i64> {
    let text = mistakes.text(node, "until")?;
    let found = parse_rfc3339(text);
    if found.is_none() {
        let help = "write date, time and zone: 2027-01-31T00:00:00Z";
        mistakes.note_with_help(Code::Value, &node.span, format!("`{text}` is not an instant"), help);
    }
    found
}

pub(super) fn names_are_unique(lists: &[Option<&Node>], mistakes: &mut Mistakes) {
    let mut seen: BTreeMap<&str, ()> = BTreeMap::new();
    for rule in lists.iter().flatten().flat_map(|node| children(node)) {
        let NodeKind::Map(map) = &rule.kind else { continue };
        let is_name =
            |(key, _): &&(Node, Node)| matches!(&key.kind, NodeKind::Scalar { text, .. } if text == "name");
        let Some((_, node)) = map.iter().find(is_name) else { continue };
        let NodeKind::Scalar { text, .. } = &node.kind else { continue };
        if seen.insert(text, ()).is_some() {
            mistakes.note(
                Code::DuplicateName,
                &node.span,
                format!("`{text}` is the name of an earlier guard or rule"),
            );
        }
    }
}

/// Warns about what stands behind a guard or rule that decides every record for ever, or all that it would decide.
pub(super) fn unreachable(lists: &[(Option<&Node>, &[Rc<Rule>])], mistakes: &mut Mistakes) {
    let mut last: Option<&str> = None;
    let mut before: Vec<&Rc<Rule>> = Vec::new();
    for (node, rules) in lists {
        let nodes: Vec<&Node> = node.map(children).unwrap_or_default();
        for (node, rule) in nodes.iter().zip(rules.iter()) {
            if let Some(name) = last {
                let span = node.span.start..node.span.start.saturating_add(1);
                let message =
                    format!("`{}` is never reached: `{name}` before it decides every record", rule.name);
                mistakes.note(Code::Unreachable, &span, message);
            } else if let Some(earlier) = before.iter().find(|earlier| {
                earlier.when == rule.when
                    && earlier.until.is_none()
                    && !earlier.shadow
                    && !rule.when.is_empty()
            }) {
                let span = node.span.start..node.span.start.saturating_add(1);
                let message = format!(
                    "`{}` is never reached: `{}` before it has the same conditions",
                    rule.name, earlier.name
                );
                let help = "the first that matches decides: put what is more special in front";
                mistakes.note_with_help(Code::Unreachable, &span, message, help);
            } else if rule.when.is_empty() && rule.until.is_none() && !rule.shadow {
                last = Some(&rule.name);
            }
            before.push(rule);
        }
    }
}

fn children(node: &Node) -> Vec<&Node> {
    match &node.kind {
        NodeKind::List(list) => list.iter().collect(),
        _ => Vec::new(),
    }
}

/// Names under which reports count what no rule decided.
pub(crate) const RESERVED: [&str; 6] = ["none", "unknown", "fault", "exclude", "other", "total"];
/// Most rules, and most guards.
const MAX_RULES: usize = 500;
/// Most rules in shadow mode.
pub(super) const MAX_SHADOWS: usize = 32;
/// What a guard may have besides its policy.
const GUARD_KEYS: [&str; 4] = ["name", "when", "lift", "recall"];
/// What a rule may have besides its policy.
const RULE_KEYS: [&str; 6] = ["name", "when", "floor", "mode", "until", "reason"];
