//! Any bytes as a selector (the first line) and as labels (`key=value` in each further line): nothing panics, what is printed reads
//! back, and the answer is that of a slow evaluator of the normal form.

use crate::behaviour::{Behaviour, variant};
use nodesieve_engine::selector::Selector;
use std::collections::BTreeSet;

pub(crate) fn check(data: &[u8]) -> Behaviour {
    let text = String::from_utf8_lossy(data);
    let (selector, labels) = text.split_once('\n').unwrap_or((&text, ""));
    let compiled = match Selector::parse(selector) {
        Ok(compiled) => compiled,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return Behaviour::of(("refused", variant(&error.kind), selector.len() / 16));
        }
    };
    let get = |key: &str| {
        labels
            .lines()
            .rev()
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    };
    let matches = compiled.matches(get);
    assert_eq!(compiled.first_failed(get).is_none(), matches);
    let printed = compiled.to_string();
    let again = Selector::parse(&printed);
    assert_eq!(again.as_ref(), Ok(&compiled), "{printed}");
    let parts = requirements(&printed);
    assert_eq!(parts.iter().all(|part| holds(part, get)), matches, "{printed}");
    let operators: BTreeSet<&str> = parts.iter().map(|part| operator(part)).collect();
    Behaviour::of((matches, operators, parts.len().min(4)))
}

/// The requirements of a normal form: its commas outside of parentheses part them.
fn requirements(printed: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0);
    for (at, character) in printed.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.extend(printed.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(printed.get(start..).filter(|rest| !rest.is_empty()));
    parts
}

const OPERATORS: [&str; 7] = [" notin (", " in (", "!=", "==", "=", ">", "<"];

fn operator(part: &str) -> &str {
    if part.starts_with('!') {
        "!"
    } else {
        OPERATORS.into_iter().find(|sign| part.contains(sign)).unwrap_or_default()
    }
}

fn holds<'l>(part: &str, get: impl Fn(&str) -> Option<&'l str>) -> bool {
    let sign = operator(part);
    if sign == "!" {
        return get(part.trim_start_matches('!')).is_none();
    }
    if sign.is_empty() {
        return get(part).is_some();
    }
    let (key, value) = part.split_once(sign).unwrap_or_default();
    let label = get(key);
    let is_listed =
        || label.is_some_and(|label| value.trim_end_matches(')').split(',').any(|listed| listed == label));
    let number = |text: &str| text.parse::<i64>().ok();
    let compared = || label.and_then(number).zip(number(value));
    match sign {
        " notin (" => !is_listed(),
        " in (" => is_listed(),
        "!=" => label != Some(value),
        "=" | "==" => label == Some(value),
        ">" => compared().is_some_and(|(label, bound)| label > bound),
        _ => compared().is_some_and(|(label, bound)| label < bound),
    }
}

pub(crate) const WORDS: &[&str] = &[
    "app",
    "in",
    "notin",
    " in (",
    " notin (",
    ")",
    "(",
    ",",
    "=",
    "==",
    "!=",
    "!",
    ">",
    "<",
    "\n",
    "app=web\n",
    "shard=7\n",
    "shard",
    "7",
    "9223372036854775807",
    "example.com/",
    "/",
    "-",
    ".",
    "_",
    " ",
    "\t",
    "\0",
    "a,b",
    "+5",
    "007",
];
