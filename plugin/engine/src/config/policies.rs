//! The policy of a rule: exactly one of the known ones.

use crate::config::model::{Key, Part, Policy, Sample};
use crate::config::section::{Mistakes, Section};
use crate::config::yaml::{Kind, Node};
use crate::diag::{Code, did_you_mean};
use crate::sample::{Probability, Threshold};

/// The policy in a rule's section. `node` is the rule as written.
pub(super) fn policy(node: &Node, section: &Section<'_>, mistakes: &mut Mistakes) -> Option<Policy> {
    let written: Vec<(&str, &Node)> = match &node.kind {
        Kind::Map(map) => map
            .iter()
            .filter_map(|(key, _)| match &key.kind {
                Kind::Scalar { text, .. } if ALL.contains(&text.as_str()) => Some((text.as_str(), key)),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    match written.as_slice() {
        [] => {
            let span = section.span.start..section.span.start.saturating_add(1);
            let help = "add one of `drop: {}`, `keep: {}`, `sample: {rate: 1/10}`";
            mistakes.note_with_help(Code::Policy, &span, "this rule has no policy", help);
            None
        }
        [(name, _)] => {
            let node = section.get(name)?;
            match *name {
                "drop" => Section::open(node, "drop", &[], &[], mistakes).map(|_| Policy::Drop),
                "keep" => Section::open(node, "keep", &[], &[], mistakes).map(|_| Policy::Keep),
                _ => sample(node, mistakes).map(Policy::Sample),
            }
        }
        [_, (name, second), ..] => {
            let message = format!("a rule has one policy; `{name}` is another");
            mistakes.note_with_help(Code::Policy, &second.span, message, "make it a rule of its own");
            None
        }
    }
}

fn sample(node: &Node, mistakes: &mut Mistakes) -> Option<Sample> {
    let section = Section::open(node, "sample", &["rate", "by", "else_by"], &[], mistakes)?;
    let rate = match section.get("rate") {
        Some(node) => rate(node, mistakes),
        None => {
            mistakes.note_with_help(
                Code::MissingKey,
                &section.span,
                "`sample` has no `rate`",
                "add `rate: 1/10`",
            );
            None
        }
    };
    let mut by = Vec::new();
    for key in ["by", "else_by"] {
        by.extend(section.get(key).and_then(|node| self::key(node, mistakes)));
    }
    if section.get("by").is_none()
        && let Some(node) = section.get("else_by")
    {
        mistakes.note(Code::MissingKey, &node.span, "`else_by` needs a `by` before it");
    }
    let rate = rate?;
    Some(Sample { rate, threshold: Threshold::new(rate), by })
}

fn rate(node: &Node, mistakes: &mut Mistakes) -> Option<Probability> {
    let text = mistakes.text(node, "rate")?;
    let found = Probability::parse(text);
    if found.is_none() {
        let help =
            if text == "0" { "to keep none, write `drop: {}`" } else { "write 0.1 or 1/10; at most 1" };
        mistakes.note_with_help(
            Code::Rate,
            &node.span,
            format!("`{text}` is not a probability above 0"),
            help,
        );
    }
    found
}

fn key(node: &Node, mistakes: &mut Mistakes) -> Option<Key> {
    let mut parts = Vec::new();
    for (text, span) in mistakes.texts(node, "by")? {
        let found = match text {
            "namespace" => Some(Part::Namespace),
            "pod" => Some(Part::Pod),
            "container" => Some(Part::Container),
            "workload" => Some(Part::Workload),
            "stream" => Some(Part::Stream),
            "severity" => Some(Part::Severity),
            "trace_id" => Some(Part::TraceId),
            "template" => {
                mistakes.note(
                    Code::Unsupported,
                    &span,
                    "keys by `template` are not supported by this version",
                );
                None
            }
            _ => match text.strip_prefix("$.") {
                Some(path)
                    if path.split('.').all(|name| !name.is_empty() && !name.contains(['[', ']', '*'])) =>
                {
                    Some(Part::Field(path.split('.').map(Box::from).collect()))
                }
                _ => {
                    let names =
                        ["namespace", "pod", "container", "workload", "stream", "severity", "trace_id"];
                    let help = match did_you_mean(text, names) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("known keys: {}, or a field such as $.user.id", names.join(", ")),
                    };
                    mistakes.note_with_help(
                        Code::Value,
                        &span,
                        format!("`{text}` is not a key to sample by"),
                        help,
                    );
                    None
                }
            },
        };
        parts.push(found);
    }
    parts.into_iter().collect::<Option<Vec<Part>>>().map(Key)
}

/// Every policy there is, those of later versions included: two of them in one rule are one too many.
const ALL: [&str; 8] = ["drop", "keep", "sample", "first", "limit", "dedup", "target", "budget"];
