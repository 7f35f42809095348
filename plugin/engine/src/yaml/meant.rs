//! What somebody meant who wrote a value of the wrong kind, or a word that other tools know: said as what to write instead.
//!
//! The rule kept here: help that is given can be written as it stands.

use crate::severity::Severity;
use crate::yaml::{Node, NodeKind};

/// Instead of a mapping or list where text belongs.
pub(crate) fn text_instead_of(what: &str, node: &Node) -> String {
    let selector = matches!(what, "labels" | "annotations");
    match (&node.kind, what) {
        (NodeKind::Map(_) | NodeKind::List(_), _) if selector => match selector_of(node) {
            Some(text) => format!("write a selector as text: {what}: '{text}'"),
            None => format!("write a selector as text: {what}: 'app=web,tier in (a,b)'"),
        },
        (NodeKind::List(list), "severity") => {
            let levels = list.iter().filter_map(scalar);
            let known = levels.filter_map(|word| Severity::NAMES.iter().find(|(name, _)| *name == word));
            let (low, high) =
                (known.clone().min_by_key(|(_, level)| *level), known.max_by_key(|(_, level)| *level));
            let (low, high) = (low.map_or("warn", |(name, _)| name), high.map_or("info", |(name, _)| name));
            format!("one comparison takes in all levels up to one: '<={high}', or from one on: '>={low}'")
        }
        (NodeKind::List(list), "message") if list.len() > 1 => {
            let words: Option<Vec<String>> = list.iter().map(|node| scalar(node).map(term)).collect();
            let words = words.unwrap_or_default();
            let (any, all) =
                (words.iter().map(|word| format!("?{word}")).collect::<Vec<_>>().join(" "), words.join(" "));
            match words.is_empty() || any.contains('\'') {
                true => {
                    "a pattern is one text: '?a ?b' for lines with one of them, 'a b' for lines with both"
                        .to_owned()
                }
                false => format!(
                    "a pattern is one text: '{any}' for lines with one of them, '{all}' for lines with all"
                ),
            }
        }
        (NodeKind::List(list), "stream") if list.len() == 2 => {
            "leave the condition out: it holds for both then".to_owned()
        }
        (NodeKind::List(list), what)
            if !matches!(what, "message" | "record") && list.first().and_then(scalar).is_some() =>
        {
            let each: Vec<String> =
                list.iter().filter_map(scalar).take(3).map(|text| format!("{{ {what}: {text} }}")).collect();
            format!("it has one value; for one of several: any: [{}]", each.join(", "))
        }
        _ => "put it in single quotes if it starts with { or [".to_owned(),
    }
}

/// Instead of text where a mapping belongs: the policies, which others switch on with a word or give a number.
pub(crate) fn mapping_instead_of(what: &str, node: &Node) -> Option<String> {
    let text = scalar(node)?;
    let is_amount = text.starts_with(|first: char| first.is_ascii_digit());
    Some(match what {
        "drop" | "keep" if matches!(text, "true" | "yes" | "on" | "all") => format!("write `{what}: {{}}`"),
        "drop" | "keep" => format!("write `{what}: {{}}`; what it is for stands in `when`"),
        "sample" if is_amount => format!("write `sample: {{ rate: {text} }}`"),
        "sample" => "write `sample: { rate: 1/10 }`".to_owned(),
        "limit" | "target" if is_amount && text.contains('/') => {
            format!("write `{what}: {{ rate: {text} }}`")
        }
        "limit" | "target" if is_amount => format!("write `{what}: {{ rate: {text}/s }}`"),
        "limit" | "target" => format!("write `{what}: {{ rate: 20/s }}`"),
        "first" if is_amount => format!("write `first: {{ n: {text}, per: 1m }}`"),
        "dedup" if is_amount => format!("write `dedup: {{ window: {text} }}`"),
        "dedup" => "write `dedup: { window: 10s }`".to_owned(),
        "budget" if is_amount => format!("write `budget: {{ spend: {text} }}`"),
        "ceiling" if is_amount => format!("write `ceiling: {{ rate: {text} }}`"),
        "when" => "write conditions: when: { namespace: shop, severity: '<=debug' }".to_owned(),
        "not" => "write conditions: not: { namespace: shop }".to_owned(),
        _ => return None,
    })
}

/// The key that others call so.
pub(crate) fn key(written: &str, known: &[&'static str]) -> Option<String> {
    let is_known = |key: &str| known.contains(&key);
    if is_known("message") && is_known("severity") {
        let own = match written {
            "level" | "loglevel" | "log_level" | "lvl" => "severity",
            "msg" | "log" | "line" | "text" | "pattern" | "match" | "regex" => "message",
            "ns" | "namespace_name" | "namespaces" => "namespace",
            "pod_name" | "pods" => "pod",
            "container_name" | "containers" => "container",
            "label" | "selector" | "matchLabels" | "label_selector" => "labels",
            "deployment" | "owner" | "app" | "service" => "workload",
            "age" => "container_age",
            "or" | "anyOf" | "one_of" => "any",
            "none" | "exclude" | "unless" | "except" => "not",
            "and" | "all" | "allOf" => {
                return Some("all conditions of a `when` have to hold: write them side by side".to_owned());
            }
            _ => return None,
        };
        return is_known(own).then(|| format!("did you mean `{own}`?"));
    }
    if is_known("when") {
        let conditions = [
            "namespace",
            "pod",
            "container",
            "stream",
            "severity",
            "message",
            "record",
            "labels",
            "annotations",
            "workload",
            "any",
            "not",
        ];
        return match written {
            own if conditions.contains(&own) => {
                Some(format!("conditions stand in `when`: when: {{ {own}: ... }}"))
            }
            "if" | "match" | "where" | "conditions" => Some("did you mean `when`?".to_owned()),
            "action" | "policy" => Some(
                "the policy is a key of its own: `drop: {}`, `keep: {}`, `sample: { rate: 1/10 }`".to_owned(),
            ),
            "rate" => Some(
                "a rate belongs to a policy: `sample: { rate: 1/10 }`, `limit: { rate: 20/s }`".to_owned(),
            ),
            _ => None,
        };
    }
    None
}

fn scalar(node: &Node) -> Option<&str> {
    match &node.kind {
        NodeKind::Scalar { text, .. } => Some(text),
        NodeKind::List(_) | NodeKind::Map(_) => None,
    }
}

/// A word as a term of a pattern.
fn term(word: &str) -> String {
    match word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        true => word.to_owned(),
        false => format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// What a mapping or a list of them says as a selector: `{app: web}`, `{matchLabels: {app: web}}`, `[app=web, tier=front]`.
fn selector_of(node: &Node) -> Option<String> {
    let part = |(key, value): &(Node, Node)| match (scalar(key)?, &value.kind) {
        ("matchLabels", NodeKind::Map(_)) => selector_of(value),
        (key, NodeKind::Scalar { text, .. }) if text.is_empty() => Some(key.to_owned()),
        (key, NodeKind::Scalar { text, .. }) => Some(format!("{key}={text}")),
        (key, NodeKind::List(values)) if key != "matchExpressions" => {
            let values: Option<Vec<&str>> = values.iter().map(scalar).collect();
            Some(format!("{key} in ({})", values?.join(",")))
        }
        _ => None,
    };
    let parts: Option<Vec<String>> = match &node.kind {
        NodeKind::Map(map) => map.iter().map(part).collect(),
        NodeKind::List(list) => {
            let one = |node: &Node| match scalar(node) {
                Some(text) => Some(text.to_owned()),
                None if matches!(node.kind, NodeKind::Map(_)) => selector_of(node),
                None => None,
            };
            list.iter().map(one).collect()
        }
        NodeKind::Scalar { .. } => None,
    };
    parts.map(|parts| parts.join(",")).filter(|text| !text.is_empty() && !text.contains('\''))
}
