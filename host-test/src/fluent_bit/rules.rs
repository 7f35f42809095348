//! A rule file with the paths of the temporary node.
//!
//! It exists because a path that is not written is the deployed one: what the file leaves to the defaults has to be
//! said. The rule it keeps: the text stays the user's, with lines added and paths rooted; it is not parsed, so that a
//! file with mistakes reaches the filter with the same mistakes. A rule file whose top level is in flow style
//! (`{version: 1}`) cannot be run this way.

use super::config::rooted;
use super::{FILTER_STATE, METRICS, PODS};
use std::path::Path;

/// What is written where the file says nothing: the deployed paths, and metrics often enough to wait for.
const SAID: [(&str, &str, &str); 4] = [
    ("pods", "dir", PODS),
    ("metrics", "file", METRICS),
    ("metrics", "every", "1s"),
    ("state", "dir", FILTER_STATE),
];

/// `rules` for a node whose root is `root`.
pub(super) fn placed(rules: &str, root: &Path) -> String {
    let mut text = rules.to_owned();
    for (section, key, value) in SAID {
        text = said(&text, section, key, value);
    }
    rooted(&text, root)
}

/// `text` with `key` in the section `section`, which gets `value` unless it has one.
fn said(text: &str, section: &str, key: &str, value: &str) -> String {
    let Some((before, body)) = split_at_section(text, section) else {
        let line_feed = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return format!("{text}{line_feed}{section}: {{ {key}: {value} }}\n");
    };
    if let Some(flow) = body.trim_start_matches(' ').strip_prefix('{') {
        let end = flow.find('}').unwrap_or(flow.len());
        let inside = flow.get(..end).unwrap_or_default();
        if has_key(inside.split([',', '\n']), key) {
            return text.to_owned();
        }
        let comma = if inside.trim().is_empty() { "" } else { "," };
        return format!("{before} {{ {key}: {value}{comma}{flow}");
    }
    // Block style: the section reaches to the next line that starts in the first column.
    let lines = || body.lines().skip(1).take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    let first = lines().find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    match first {
        Some(first) if !has_key(lines(), key) => {
            let indent = first.len().saturating_sub(first.trim_start().len());
            let (head, rest) = body.split_once('\n').unwrap_or((body, ""));
            format!("{before}{head}\n{:indent$}{key}: {value}\n{rest}", "")
        }
        // It has one, or it is neither a mapping nor empty in a way that we know: left as it is.
        _ => text.to_owned(),
    }
}

/// The text up to the colon of the top-level key, and what follows.
fn split_at_section<'t>(text: &'t str, section: &str) -> Option<(&'t str, &'t str)> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.strip_prefix(section).is_some_and(|rest| rest.starts_with(':')) {
            return text.split_at_checked(start + section.len() + 1);
        }
        start += line.len();
    }
    None
}

fn has_key<'l>(mut entries: impl Iterator<Item = &'l str>, key: &str) -> bool {
    entries.any(|entry| entry.trim_start().strip_prefix(key).is_some_and(|rest| rest.starts_with(':')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_added_once() {
        let cases = [
            ("a: 1\n", "a: 1\npods: { dir: X }\n"),
            ("a: 1", "a: 1\npods: { dir: X }\n"),
            ("pods: { ttl: 1s }\nb: 2\n", "pods: { dir: X, ttl: 1s }\nb: 2\n"),
            ("pods: {}\n", "pods: { dir: X}\n"),
            ("pods: {dir: Y}\n", "pods: {dir: Y}\n"),
            ("pods:\n  # where\n  ttl: 1s\n\nb: 2\n", "pods:\n  dir: X\n  # where\n  ttl: 1s\n\nb: 2\n"),
            ("pods:\n  ttl: 1s\n  dir: Y\n", "pods:\n  ttl: 1s\n  dir: Y\n"),
            ("pods:\n  ttl: 1s\nb:\n  dir: Y\n", "pods:\n  dir: X\n  ttl: 1s\nb:\n  dir: Y\n"),
            ("x:\n  pods: 1\npods: [\n", "x:\n  pods: 1\npods: [\n"),
        ];
        for (text, expected) in cases {
            assert_eq!(said(text, "pods", "dir", "X"), expected);
        }
    }

    #[test]
    fn a_rule_file_gets_the_root_everywhere() {
        let placed = placed("version: 1\nmetrics: { file: /run/nodesieve/m.prom }\n", Path::new("/t"));
        assert_eq!(
            placed,
            "version: 1\nmetrics: { every: 1s, file: /t/run/nodesieve/m.prom }\npods: { dir: /t/run/nodesieve/pods }\nstate: { dir: /t/var/lib/nodesieve/filter }\n"
        );
    }
}
