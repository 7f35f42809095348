//! The `by` of a policy: one part or several.

use crate::config::model::{Key, Part};
use crate::config::section::Mistakes;
use crate::config::yaml::Node;
use crate::diag::{Code, did_you_mean};

pub(super) fn key(node: &Node, mistakes: &mut Mistakes) -> Option<Key> {
    let parts: Vec<Option<Part>> = mistakes
        .texts(node, "by")?
        .into_iter()
        .map(|(text, span)| {
            let found = part(text);
            if found.is_none() {
                let names = NAMES.iter().map(|(name, _)| *name);
                let help = match did_you_mean(text, names.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!(
                        "known keys: {}, or a field such as $.user.id",
                        names.collect::<Vec<_>>().join(", ")
                    ),
                };
                mistakes.note_with_help(Code::Value, &span, format!("`{text}` is not a key"), help);
            }
            found
        })
        .collect();
    let parts = parts.into_iter().collect::<Option<Vec<Part>>>()?;
    let is_twice = |(at, part): (usize, &Part)| parts.iter().take(at).any(|other| other == part);
    if parts.iter().enumerate().any(is_twice) {
        mistakes.note(Code::Value, &node.span, "a part stands twice in this key");
        return None;
    }
    Some(Key(parts))
}

fn part(text: &str) -> Option<Part> {
    if let Some((_, part)) = NAMES.iter().find(|(name, _)| *name == text) {
        return Some(part.clone());
    }
    let path = text.strip_prefix("$.")?;
    let is_plain = |name: &str| !name.is_empty() && !name.contains(['[', ']', '*']);
    path.split('.').all(is_plain).then(|| Part::Field(path.split('.').map(Box::from).collect()))
}

const NAMES: [(&str, Part); 8] = [
    ("namespace", Part::Namespace),
    ("pod", Part::Pod),
    ("container", Part::Container),
    ("workload", Part::Workload),
    ("stream", Part::Stream),
    ("severity", Part::Severity),
    ("trace_id", Part::TraceId),
    ("template", Part::Template),
];
