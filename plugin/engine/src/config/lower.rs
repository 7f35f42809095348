//! The sections of the file around the rules.

use crate::config::conditions::when;
use crate::config::model::{Action, Continuation, Policy, Rule, RuleFile};
use crate::config::policies::policy;
use crate::config::section::{Mistakes, Section};
use crate::config::yaml::{Kind, Node, Quoting};
use crate::diag::{Code, Diagnostic, did_you_mean};
use crate::pods::{Field, Fields, Selection};
use crate::time::parse_rfc3339;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;

/// The model of a file, and everything that is wrong with it.
pub(super) fn lower(source: &str, root: &Node) -> (RuleFile, Vec<Diagnostic>) {
    let mut file = RuleFile::default();
    let mut mistakes = Mistakes(Vec::new());
    let known = [
        "version",
        "input",
        "pods",
        "enrich",
        "exclude_annotations",
        "metrics",
        "state",
        "defaults",
        "guards",
        "rules",
    ];
    if let Some(top) = Section::open(root, "the rule file", &known, &["tests"], &mut mistakes) {
        version(&top, &mut mistakes);
        top.only_off("exclude_annotations", "false", &mut mistakes);
        let sections: [(&str, Reader); 6] = [
            ("input", input),
            ("pods", pods),
            ("enrich", enrich),
            ("metrics", metrics),
            ("state", state),
            ("defaults", defaults),
        ];
        for (key, read) in sections {
            if let Some(node) = top.get(key) {
                // A section with mistakes leaves its defaults; the file is refused anyway.
                let _ = read(node, &mut file, &mut mistakes);
            }
        }
        enrich_key_is_free(&top, &file, &mut mistakes);
        file.guards = rules(source, top.get("guards"), "guard", &mut mistakes);
        file.rules = rules(source, top.get("rules"), "rule", &mut mistakes);
        let key = &file.enrich.key;
        let asks = |rule: &Rule| rule.when.record.as_ref().is_some_and(|pattern| pattern.reaches_into(key));
        file.enrich.for_rules = file.guards.iter().chain(&file.rules).any(asks);
        names_are_unique(&[top.get("guards"), top.get("rules")], &mut mistakes);
        // A condition with a mistake has been left out: only without mistakes is a rule without conditions meant so.
        if mistakes.0.iter().all(|mistake| mistake.code.is_warning()) {
            unreachable(&[(top.get("guards"), &file.guards), (top.get("rules"), &file.rules)], &mut mistakes);
        }
    }
    (file, mistakes.0)
}

type Reader = fn(&Node, &mut RuleFile, &mut Mistakes) -> Option<()>;

fn version(top: &Section<'_>, mistakes: &mut Mistakes) {
    match top.get("version") {
        Some(node) if matches!(&node.kind, Kind::Scalar { text, .. } if text == "1") => {}
        Some(node) => mistakes.note_with_help(
            Code::Version,
            &node.span,
            "this version reads `version: 1`",
            "write `version: 1`",
        ),
        None => {
            let span = top.span.start..top.span.start;
            mistakes.note_with_help(
                Code::MissingKey,
                &span,
                "`version` is missing",
                "start with `version: 1`",
            );
        }
    }
}

fn input(node: &Node, file: &mut RuleFile, mistakes: &mut Mistakes) -> Option<()> {
    let known = ["tag_prefix", "message", "trace_id", "continuation", "max_record"];
    let section = Section::open(node, "input", &known, &[], mistakes)?;
    let input = &mut file.input;
    if let Some(prefix) = section.get("tag_prefix").and_then(|node| mistakes.text(node, "tag_prefix")) {
        input.tag_prefix = prefix.to_owned();
    }
    for (key, slot) in [("message", &mut input.message), ("trace_id", &mut input.trace_id)] {
        if let Some(names) = section.get(key).and_then(|node| mistakes.texts(node, key)) {
            *slot = names.into_iter().map(|(name, _)| Box::from(name)).collect();
        }
    }
    if let Some(limit) =
        section.get("max_record").and_then(|node| mistakes.count(node, "max_record", 1024..=1_023_999))
    {
        input.max_record = limit;
    }
    if let Some(node) = section.get("continuation") {
        input.continuation = match &node.kind {
            Kind::Scalar { text, quoting: Quoting::Plain } if text == "off" || text == "false" => None,
            _ => {
                let section = Section::open(node, "input.continuation", &["within", "lines"], &[], mistakes)?;
                let default = Continuation { within: std::time::Duration::from_secs(5), lines: 500 };
                let within = section.get("within").and_then(|node| mistakes.duration(node, "within"));
                let lines = section.get("lines").and_then(|node| mistakes.count(node, "lines", 1..=100_000));
                Some(Continuation {
                    within: within.unwrap_or(default.within),
                    lines: lines.and_then(|lines| u32::try_from(lines).ok()).unwrap_or(default.lines),
                })
            }
        };
    }
    Some(())
}

fn pods(node: &Node, file: &mut RuleFile, mistakes: &mut Mistakes) -> Option<()> {
    let section =
        Section::open(node, "pods", &["dir", "ttl", "stale", "missing_ttl", "capacity"], &[], mistakes)?;
    if let Some(dir) = section.get("dir").and_then(|node| mistakes.path(node, "pods.dir")) {
        file.pods.dir = dir;
    }
    let cache = &mut file.pods.cache;
    for (key, slot) in
        [("ttl", &mut cache.ttl), ("stale", &mut cache.stale), ("missing_ttl", &mut cache.missing_ttl)]
    {
        if let Some(duration) = section.get(key).and_then(|node| mistakes.duration(node, key)) {
            *slot = duration;
        }
    }
    if let Some(capacity) =
        section.get("capacity").and_then(|node| mistakes.count(node, "capacity", 1..=65_536))
    {
        cache.capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
    }
    Some(())
}

fn enrich(node: &Node, file: &mut RuleFile, mistakes: &mut Mistakes) -> Option<()> {
    let section = Section::open(node, "enrich", &["fields", "labels", "annotations", "key"], &[], mistakes)?;
    let enrich = &mut file.enrich;
    if let Some(fields) = section.get("fields").and_then(|node| fields(node, mistakes)) {
        enrich.fields = fields;
    }
    for (key, slot) in [("labels", &mut enrich.labels), ("annotations", &mut enrich.annotations)] {
        if let Some(node) = section.get(key) {
            *slot = match &node.kind {
                Kind::Scalar { text, quoting: Quoting::Plain } if text == "true" => Selection::All,
                Kind::Scalar { text, quoting: Quoting::Plain } if text == "false" => Selection::None,
                _ => Selection::Matching(mistakes.globs(node, "key", is_metadata_key)?),
            };
        }
    }
    if let Some(node) = section.get("key") {
        let key = mistakes.text(node, "enrich.key")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let reserved = ["nodesieve", crate::record::TRUNCATED].contains(&key);
        if key.is_empty() || reserved || !key.bytes().all(plain) {
            let message = format!("`{key}` cannot be the key of the metadata");
            mistakes.note_with_help(
                Code::Value,
                &node.span,
                message,
                "use letters, digits, `_`, `-` and `.`",
            );
        }
        enrich.key = key.into();
    }
    Some(())
}

/// The metadata must not take the place of the line, nor of what says where it came from.
fn enrich_key_is_free(top: &Section<'_>, file: &RuleFile, mistakes: &mut Mistakes) {
    let key = &*file.enrich.key;
    let is_taken = key == "stream" || key == "time" || file.input.message.iter().any(|name| &**name == key);
    if is_taken && let Some(node) = top.get("enrich") {
        let message = format!("the metadata cannot be called `{key}`: it would replace that field");
        mistakes.note_with_help(Code::Value, &node.span, message, "leave `enrich.key` out for `kubernetes`");
    }
}

fn fields(node: &Node, mistakes: &mut Mistakes) -> Option<Fields> {
    if let Kind::Scalar { text, .. } = &node.kind {
        match text.as_str() {
            "all" => return Some(Fields::All),
            "lean" => return Some(Fields::Lean),
            _ => {}
        }
    }
    let mut chosen = Vec::new();
    for (text, span) in mistakes.texts(node, "enrich.fields")? {
        match Field::NAMES.iter().find(|(name, _)| *name == text) {
            Some((_, field)) => chosen.push(*field),
            None => {
                let names = Field::NAMES.iter().map(|(name, _)| *name);
                let help = match did_you_mean(text, names.clone().chain(["all", "lean"])) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!(
                        "known fields: all, lean, or a list of {}",
                        names.collect::<Vec<_>>().join(", ")
                    ),
                };
                mistakes.note_with_help(
                    Code::Value,
                    &span,
                    format!("`{text}` is not a metadata field"),
                    help,
                );
            }
        }
    }
    Some(Fields::Only(chosen))
}

fn metrics(node: &Node, file: &mut RuleFile, mistakes: &mut Mistakes) -> Option<()> {
    let section = Section::open(node, "metrics", &["file", "every"], &[], mistakes)?;
    if let Some(path) = section.get("file").and_then(|node| mistakes.path(node, "metrics.file")) {
        file.metrics.file = path;
    }
    if let Some(every) = section.get("every").and_then(|node| mistakes.duration(node, "every")) {
        file.metrics.every = every;
    }
    Some(())
}

fn state(node: &Node, _: &mut RuleFile, mistakes: &mut Mistakes) -> Option<()> {
    Section::open(node, "state", &["dir"], &[], mistakes)?.only_off("dir", "off", mistakes);
    Some(())
}

fn defaults(node: &Node, file: &mut RuleFile, mistakes: &mut Mistakes) -> Option<()> {
    let section =
        Section::open(node, "defaults", &["no_match", "summary", "annotate"], &["max_keys"], mistakes)?;
    section.only_off("summary", "off", mistakes);
    if let Some(node) = section.get("no_match") {
        match mistakes.text(node, "no_match")? {
            "keep" => file.no_match = Action::Keep,
            "drop" => file.no_match = Action::Drop,
            other => mistakes.note(
                Code::Value,
                &node.span,
                format!("no_match must be keep or drop, found `{other}`"),
            ),
        }
    }
    if let Some(annotate) = section.get("annotate").and_then(|node| mistakes.boolean(node, "annotate")) {
        file.annotate = annotate;
    }
    Some(())
}

fn rules(source: &str, node: Option<&Node>, what: &str, mistakes: &mut Mistakes) -> Vec<Rule> {
    let Some(node) = node else { return Vec::new() };
    match &node.kind {
        Kind::List(list) => list.iter().filter_map(|node| rule(source, node, what, mistakes)).collect(),
        Kind::Scalar { text, quoting: Quoting::Plain } if text.is_empty() => Vec::new(),
        _ => {
            mistakes.note(Code::WrongKind, &node.span, format!("{what}s must be a list"));
            Vec::new()
        }
    }
}

fn rule(source: &str, node: &Node, what: &str, mistakes: &mut Mistakes) -> Option<Rule> {
    let is_guard = what == "guard";
    let (known, later): (&[&str], &[&str]) = if is_guard {
        (&["name", "when"], &["ceiling"])
    } else {
        (
            &["name", "when", "drop", "keep", "sample", "mode", "until", "reason"],
            &["first", "limit", "dedup", "target", "budget", "floor"],
        )
    };
    let section = Section::open(node, what, known, later, mistakes)?;
    let name = name(&section, what, mistakes);
    let drops = section.get("drop").is_some();
    let when = section.get("when").map(|node| when(source, node, drops, mistakes));
    section.only_off("mode", "enforce", mistakes);
    let until = section.get("until").and_then(|node| until(node, mistakes));
    let reason = section.get("reason").and_then(|node| mistakes.text(node, "reason")).map(str::to_owned);
    let policy = if is_guard { Some(Policy::Keep) } else { policy(node, &section, mistakes) };
    if matches!(policy, Some(Policy::Drop))
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
    Some(Rule { name: name?.into(), when: when.unwrap_or_default(), policy: policy?, until, reason })
}

fn name<'n>(section: &Section<'n>, what: &str, mistakes: &mut Mistakes) -> Option<&'n str> {
    let Some(node) = section.get("name") else {
        let span = section.span.start..section.span.start.saturating_add(1);
        mistakes.note_with_help(
            Code::MissingKey,
            &span,
            format!("this {what} has no `name`"),
            "counts and reports go by name",
        );
        return None;
    };
    let name = mistakes.text(node, "name")?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(allowed) {
        let message =
            format!("`{name}` is not a name: 1 to {MAX_NAME} lower case letters, digits and dashes");
        mistakes.note(Code::Name, &node.span, message);
        return None;
    }
    if RESERVED.contains(&name) {
        mistakes.note(Code::Name, &node.span, format!("`{name}` is a name that reports use themselves"));
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

fn names_are_unique(lists: &[Option<&Node>], mistakes: &mut Mistakes) {
    let mut seen: BTreeMap<&str, ()> = BTreeMap::new();
    for rule in lists.iter().flatten().flat_map(|node| children(node)) {
        let Kind::Map(map) = &rule.kind else { continue };
        let is_name =
            |(key, _): &&(Node, Node)| matches!(&key.kind, Kind::Scalar { text, .. } if text == "name");
        let Some((_, node)) = map.iter().find(is_name) else { continue };
        let Kind::Scalar { text, .. } = &node.kind else { continue };
        if seen.insert(text, ()).is_some() {
            mistakes.note(
                Code::DuplicateName,
                &node.span,
                format!("`{text}` is the name of an earlier guard or rule"),
            );
        }
    }
}

/// Warns about what stands behind a guard or rule that decides every record for ever.
fn unreachable(lists: &[(Option<&Node>, &[Rule])], mistakes: &mut Mistakes) {
    let mut last: Option<&str> = None;
    for (node, rules) in lists {
        let nodes: Vec<&Node> = node.map(children).unwrap_or_default();
        for (node, rule) in nodes.iter().zip(rules.iter()) {
            if let Some(name) = last {
                let span = node.span.start..node.span.start.saturating_add(1);
                let message =
                    format!("`{}` is never reached: `{name}` before it decides every record", rule.name);
                mistakes.note(Code::Unreachable, &span, message);
            } else if rule.when.is_empty() && rule.until.is_none() {
                last = Some(&rule.name);
            }
        }
    }
}

fn children(node: &Node) -> Vec<&Node> {
    match &node.kind {
        Kind::List(list) => list.iter().collect(),
        _ => Vec::new(),
    }
}

/// Characters of label and annotation keys (`[prefix/]name`).
fn is_metadata_key(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '/')
}

/// Names under which reports count what no rule decided.
pub(crate) const RESERVED: [&str; 6] = ["none", "unknown", "fault", "exclude", "other", "total"];
/// Longest name of a rule, in bytes: it stands on records and in metric labels.
const MAX_NAME: usize = 63;
