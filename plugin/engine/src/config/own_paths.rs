//! Where the filter's own files are: apart from each other, and from those of Fluent Bit.
//!
//! It exists because a path is replaced by whoever writes there: metrics in the place of tail's database would have all logs read
//! again, and a pod file in the place of the state would lose counts.

use crate::config::model::RuleFile;
use crate::diag::Code;
use crate::yaml::{Mistakes, Node, NodeKind, Section};
use std::ops::Range;

/// Notes paths of the filter that are, hold or lie in another of its own, or one of Fluent Bit's.
pub(super) fn are_apart(top: &Section<'_>, file: &RuleFile, mistakes: &mut Mistakes) {
    let own = [
        ("pods.dir", Some(&file.pods.dir), place(top, "pods", "dir")),
        ("metrics.file", Some(&file.metrics.file), place(top, "metrics", "file")),
        ("state.dir", file.state_dir.as_ref(), place(top, "state", "dir")),
        ("tap.file", file.tap.as_ref().map(|tap| &tap.file), place(top, "tap", "file")),
    ];
    for (at, (name, path, span)) in own.iter().enumerate() {
        let Some(path) = path else { continue };
        for (other, others, other_span) in own.iter().skip(at.saturating_add(1)) {
            let meets = others.as_ref().is_some_and(|others| holds(path, others) || holds(others, path));
            // Said of the one that is written here: defaults are apart.
            if let (true, Some(span)) = (meets, other_span.as_ref().or(span.as_ref())) {
                let message = format!("{name} and {other} must be apart: neither may hold the other");
                mistakes.note(Code::Path, span, message);
            }
        }
        let Some(span) = span else { continue };
        let is_database = DATABASES.iter().any(|ending| path.ends_with(ending));
        let foreign = FLUENT_BITS.iter().find(|foreign| holds(path, foreign) || holds(foreign, path));
        if let Some(foreign) = foreign {
            let message = format!("{name} must be apart from {foreign}, which is Fluent Bit's own");
            let help = "give the filter a directory of its own, such as /var/lib/nodesieve/filter";
            mistakes.note_with_help(Code::Path, span, message, help);
        } else if is_database || path.ends_with("/nodesieve.yaml") {
            let message = format!("{name} would replace `{path}`, a file that is not the filter's");
            mistakes.note(Code::Path, span, message);
        }
    }
}

/// Whether a path is another or a directory around it.
fn holds(path: &str, other: &str) -> bool {
    let names = |path: &str| -> Vec<String> {
        path.split('/').filter(|name| !name.is_empty() && *name != ".").map(str::to_owned).collect()
    };
    names(other).starts_with(&names(path))
}

/// Where a key of a section is written, if it is.
fn place(top: &Section<'_>, section: &str, key: &str) -> Option<Range<usize>> {
    let NodeKind::Map(members) = &top.get(section)?.kind else { return None };
    let is_key = |node: &Node| matches!(&node.kind, NodeKind::Scalar { text, .. } if text == key);
    members.iter().find(|(name, _)| is_key(name)).map(|(_, value)| value.span.clone())
}

/// Fluent Bit's files in `conf/fluent-bit.yaml`.
pub const FLUENT_BITS: [&str; 2] = ["/var/lib/nodesieve/tail.db", "/var/lib/nodesieve/chunks"];
/// What databases end in: those of tail, wherever they are.
const DATABASES: [&str; 4] = [".db", ".db-wal", ".db-shm", ".db-journal"];

#[cfg(test)]
mod tests {
    use crate::config::load;

    #[track_caller]
    fn said(file: &str) -> Vec<String> {
        match load(&format!("version: 1\n{file}")) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes.into_iter().map(|mistake| mistake.message).collect(),
        }
    }

    #[test]
    fn paths_of_its_own_are_apart() {
        for fine in [
            "",
            "state: { dir: off }\n",
            "metrics: { file: /run/nodesieve/other.prom }\n",
            "pods: { dir: /a/pods }\nmetrics: { file: /a/m.prom }\nstate: { dir: /a/state }\n",
            "pods: { dir: /a/pods }\nmetrics: { file: /a/pods2 }\n",
        ] {
            assert_eq!(said(fine), [""; 0], "{fine}");
        }
        for (wrong, expected) in [
            ("metrics: { file: /run/nodesieve/pods }\n", "pods.dir and metrics.file must be apart"),
            ("metrics: { file: /run/nodesieve/pods/n_p.json }\n", "pods.dir and metrics.file must be apart"),
            (
                "metrics: { file: /var/lib/nodesieve/filter/last-good.yaml }\n",
                "metrics.file and state.dir must be apart",
            ),
            ("state: { dir: /run/nodesieve }\n", "pods.dir and state.dir must be apart"),
            ("state: { dir: /run//nodesieve/./pods/ }\n", "pods.dir and state.dir must be apart"),
            (
                "metrics: { file: /var/lib/nodesieve/tail.db }\n",
                "metrics.file must be apart from /var/lib/nodesieve/tail.db",
            ),
            (
                "state: { dir: /var/lib/nodesieve }\n",
                "state.dir must be apart from /var/lib/nodesieve/tail.db",
            ),
            (
                "state: { dir: /var/lib/nodesieve/chunks/tail.0 }\n",
                "state.dir must be apart from /var/lib/nodesieve/chunks",
            ),
            ("tap: { file: /run/nodesieve/pods/tap }\n", "pods.dir and tap.file must be apart"),
            ("metrics: { file: /data/offsets.db }\n", "metrics.file would replace `/data/offsets.db`"),
            ("metrics: { file: /data/offsets.db-wal }\n", "metrics.file would replace"),
            ("metrics: { file: /etc/nodesieve/nodesieve.yaml }\n", "metrics.file would replace"),
        ] {
            let said = said(wrong);
            assert!(said.iter().any(|message| message.starts_with(expected)), "{wrong}: {said:?}");
        }
    }
}
