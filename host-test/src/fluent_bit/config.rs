//! The shipped configuration, changed as little as possible for a machine that is no Kubernetes node.
//!
//! It exists so that a run tests the file that is deployed. The rule it keeps: lines are changed one by one, never
//! parsed and printed again, and a key that should be changed and is not there is an error, so that the file and this
//! driver cannot drift apart.

use super::{FluentBitError, LOGS, MODULE, RULES, SHARED, STATE};
use std::path::Path;

/// The deployed paths. None is the start of another.
const DEPLOYED: [&str; 5] = [LOGS, RULES, SHARED, STATE, MODULE];

/// What the temporary node has in the place of a real one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replacements<'a> {
    /// What goes in front of each deployed path.
    pub(super) root: &'a Path,
    /// Port of the fake Firehose on 127.0.0.1.
    pub(super) firehose_port: u16,
    /// The fake's CA certificate.
    pub(super) ca_file: &'a Path,
    /// Port of Fluent Bit's own server.
    pub(super) http_port: u16,
}

/// How keys and values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConfigFormat {
    Yaml,
    Classic,
}

/// One change: the lines that take the place of each line with this key.
struct Edit<'a> {
    key: &'a str,
    /// The value that the key must have; any if `None`.
    was: Option<&'a str>,
    /// The value that it gets; its own, rooted, if `None`.
    value: Option<String>,
    /// Keys that come after it.
    then: Vec<(&'a str, String)>,
    done: bool,
}

/// Puts `root` before each deployed path in `text`.
pub(super) fn rooted(text: &str, root: &Path) -> String {
    let root = root.display().to_string();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('/') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let inside_a_path = out.ends_with(|last: char| last.is_alphanumeric() || "/._-*".contains(last));
        if !inside_a_path && DEPLOYED.iter().any(|path| from.strip_prefix(path).is_some_and(ends_a_name)) {
            out.push_str(&root);
        }
        out.push('/');
        rest = from.strip_prefix('/').unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Whether a name that ends before `rest` is whole: `/run/nodesieve2` is none of ours.
fn ends_a_name(rest: &str) -> bool {
    !rest.starts_with(|next: char| next.is_alphanumeric() || "._-".contains(next))
}

/// The configuration for a run. `path` is where `source` is from; its ending tells the format.
///
/// # Errors
/// [`FluentBitError::Config`] when a key that must be changed is not there.
pub(super) fn rewrite(
    source: &str,
    path: &Path,
    place: &Replacements<'_>,
    overrides: &[(&str, &str)],
) -> Result<String, FluentBitError> {
    let yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let format = if yaml { ConfigFormat::Yaml } else { ConfigFormat::Classic };
    let mut edits = edits(place);
    for (key, value) in overrides {
        match edits.iter_mut().find(|edit| edit.key == *key) {
            Some(edit) => edit.value = Some((*value).to_owned()),
            None => edits.push(Edit {
                key,
                was: None,
                value: Some((*value).to_owned()),
                then: Vec::new(),
                done: false,
            }),
        }
    }
    let mut out = String::with_capacity(source.len() * 2);
    for line in source.lines() {
        format.change(line, &mut edits, place.root, &mut out);
    }
    match edits.iter().find(|edit| !edit.done) {
        None => Ok(out),
        Some(Edit { key, was, .. }) => {
            let value = was.map(|was| format!(" with the value {was}")).unwrap_or_default();
            Err(FluentBitError::Config { path: path.to_owned(), reason: format!("no key {key}{value}") })
        }
    }
}

/// The YAML configuration with Fluent Bit's own `kubernetes` filter, an item of `filters`, in the place of nodesieve's, or before it.
///
/// # Errors
/// [`FluentBitError::Config`] when there is no section `filters` before `outputs`.
pub(super) fn with_built_in(
    yaml: &str,
    path: &Path,
    built_in: &str,
    is_alone: bool,
) -> Result<String, FluentBitError> {
    let parts = yaml.split_once("\n  filters:\n").zip(yaml.split_once("\n  outputs:\n"));
    let Some(((before, filters), (_, after))) = parts else {
        let reason = "no filters before outputs".to_owned();
        return Err(FluentBitError::Config { path: path.to_owned(), reason });
    };
    Ok(match is_alone {
        true => format!("{before}\n  filters:\n{built_in}  outputs:\n{after}"),
        false => format!("{before}\n  filters:\n{built_in}{filters}"),
    })
}

/// That filter as an item of `filters`, set up as its documentation recommends for large clusters: it asks the kubelet, every 60 s,
/// with an answer of any size. `settings` of its come on top.
pub(super) fn built_in_filter(kubelet_port: u16, root: &Path, settings: &[(&str, &str)]) -> String {
    let secrets = root.join("var/run/secrets");
    let secrets = secrets.display();
    let mut item = format!(
        "    - name: kubernetes\n      match: kube.*\n      kube_url: https://127.0.0.1:{kubelet_port}\n      \
         kube_ca_file: {secrets}/ca.crt\n      kube_token_file: {secrets}/token\n      use_kubelet: true\n      \
         kubelet_host: 127.0.0.1\n      kubelet_port: {kubelet_port}\n      kube_tag_prefix: kube.var.log.containers.\n      \
         kube_meta_cache_ttl: 60\n      buffer_size: 0\n"
    );
    for (key, value) in settings {
        item.push_str(&format!("      {key}: {value}\n"));
    }
    item
}

fn edits<'a>(place: &Replacements<'_>) -> Vec<Edit<'a>> {
    let edit = |key, was, value, then| Edit { key, was, value, then, done: false };
    let file_name = ("tag_regex", "(?<file>[^/]+)$".to_owned());
    // The tag is made from the path, and with the root it would not be the one that the filter knows.
    let tag = format!("kube{}.<file>", LOGS.replace('/', "."));
    let address = vec![
        ("endpoint", "127.0.0.1".to_owned()),
        ("port", place.firehose_port.to_string()),
        ("tls.ca_file", place.ca_file.display().to_string()),
    ];
    vec![
        edit("tag", Some("kube.*"), Some(tag), vec![file_name]),
        edit("delivery_stream", None, None, address),
        edit("http_port", None, Some(place.http_port.to_string()), Vec::new()),
    ]
}

impl ConfigFormat {
    /// Writes `line`, or what takes its place.
    fn change(self, line: &str, edits: &mut [Edit<'_>], root: &Path, out: &mut String) {
        let Some((indent, key, value)) = self.split(line) else {
            out.push_str(line);
            out.push('\n');
            return;
        };
        let holds = |edit: &&mut Edit<'_>| edit.key == key && edit.was.is_none_or(|was| was == value);
        let Some(edit) = edits.iter_mut().find(holds) else {
            out.push_str(&rooted(line, root));
            out.push('\n');
            return;
        };
        edit.done = true;
        match &edit.value {
            Some(value) => self.push(indent, key, value, out),
            None => {
                out.push_str(&rooted(line, root));
                out.push('\n');
            }
        }
        // A first key in YAML has the dash of its list in front; those behind it have blanks.
        let indent = indent.replace('-', " ");
        for (key, value) in &edit.then {
            self.push(&indent, key, value, out);
        }
    }

    /// What stands before the key, the key and the value; `None` for lines without both.
    fn split(self, line: &str) -> Option<(&str, &str, &str)> {
        let start = line.find(|first: char| first != ' ' && first != '-')?;
        let (indent, rest) = line.split_at_checked(start)?;
        if rest.starts_with(['#', '[']) {
            return None;
        }
        let (key, value) = match self {
            ConfigFormat::Yaml => rest.split_once(": ")?,
            ConfigFormat::Classic => rest.split_once(' ')?,
        };
        Some((indent, key, value.trim()))
    }

    fn push(self, indent: &str, key: &str, value: &str, out: &mut String) {
        let line = match self {
            ConfigFormat::Yaml => format!("{indent}{key}: '{}'\n", value.replace('\'', "''")),
            ConfigFormat::Classic => format!("{indent}{key} {value}\n"),
        };
        out.push_str(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Replacements<'static> {
        Replacements {
            root: Path::new("/t"),
            firehose_port: 1,
            ca_file: Path::new("/t/ca.pem"),
            http_port: 2,
        }
    }

    const YAML: &str = "service:\n  http_port: 2020\n  # /etc/nodesieve stays\npipeline:\n  inputs:\n    \
                        - tag: kube.*\n      path: /var/log/containers/*.log\n    - tag: other\n  outputs:\n    \
                        - delivery_stream: ${S}\n";

    #[test]
    fn every_deployed_path_gets_the_root_and_nothing_else_does() {
        let cases = [
            ("/etc/nodesieve,/run/nodesieve/pods", "/t/etc/nodesieve,/t/run/nodesieve/pods"),
            ("dir: '/run/nodesieve'", "dir: '/t/run/nodesieve'"),
            (
                "/run/nodesieve2 /run/nodesieve-x /mnt/etc/nodesieve",
                "/run/nodesieve2 /run/nodesieve-x /mnt/etc/nodesieve",
            ),
            ("http://a/b // /var/log /", "http://a/b // /var/log /"),
            ("ü/var/log/containers", "ü/var/log/containers"),
        ];
        for (text, expected) in cases {
            assert_eq!(rooted(text, Path::new("/t")), expected);
        }
    }

    #[test]
    fn yaml_lines_are_changed_one_by_one() {
        let expected = "service:\n  http_port: '2'\n  # /etc/nodesieve stays\npipeline:\n  inputs:\n    \
                        - tag: 'kube.var.log.containers.<file>'\n      tag_regex: '(?<file>[^/]+)$'\n      \
                        path: /t/var/log/containers/*.log\n    - tag: 'mine'\n  outputs:\n    \
                        - delivery_stream: ${S}\n      endpoint: '127.0.0.1'\n      port: '1'\n      \
                        tls.ca_file: '/t/ca.pem'\n";
        // The first edit for a key decides; an override of `tag` would take the tail's as well.
        let rewritten = rewrite(&YAML.replace("other", "mine"), Path::new("f.yaml"), &place(), &[]).unwrap();
        assert_eq!(rewritten, expected.replace("'mine'", "mine"));
    }

    #[test]
    fn classic_lines_are_changed_likewise() {
        let source = "[SERVICE]\n    http_port 2020\n[INPUT]\n    tag kube.*\n    db /var/lib/nodesieve/tail.db\n\
                      [FILTER]\n    wasm_stack_size 256k\n[OUTPUT]\n    delivery_stream x\n";
        let overrides = [("wasm_stack_size", "8192")];
        let rewritten = rewrite(source, Path::new("f.conf"), &place(), &overrides).unwrap();
        assert_eq!(
            rewritten,
            "[SERVICE]\n    http_port 2\n[INPUT]\n    tag kube.var.log.containers.<file>\n    \
             tag_regex (?<file>[^/]+)$\n    db /t/var/lib/nodesieve/tail.db\n[FILTER]\n    wasm_stack_size 8192\n\
             [OUTPUT]\n    delivery_stream x\n    endpoint 127.0.0.1\n    port 1\n    tls.ca_file /t/ca.pem\n"
        );
    }

    #[test]
    fn a_key_that_is_not_there_is_an_error() {
        let rewritten = |source: &str, overrides: &[(&str, &str)]| {
            rewrite(source, Path::new("f.yaml"), &place(), overrides).unwrap_err().to_string()
        };
        assert_eq!(rewritten(YAML, &[("grace", "1")]), "rewrite f.yaml: no key grace");
        let other_tag = YAML.replace("kube.*", "k8s.*");
        assert_eq!(rewritten(&other_tag, &[]), "rewrite f.yaml: no key tag with the value kube.*");
    }
}
