//! The sections of the file around the rules.

use crate::config::enrich::{enrich, keys_are_free, metadata};
use crate::config::model::{Action, Ceiling, Continuation, Delegate, Role, RuleFile, Tap, Volume, With};
use crate::config::own_paths::are_apart;
use crate::config::rule_tests::{RuleTest, rule_tests};
use crate::config::rules::{names_are_unique, rules, shadows_are_few, unreachable};
use crate::diag::Code;
use crate::input::{TagRegex, TagRegexError};
use crate::measure::measures;
use crate::path::{MAX_PATHS, Path};
use crate::policy::{Decides as _, MAX_KEYS};
use crate::redact::redacts;
use crate::yaml::{Mistakes, Node, NodeKind, Quoting, Section};
use std::num::NonZeroUsize;

/// The model of a file, its tests, and everything that is wrong with it.
///
/// Reading a rule goes deepest of all that is done with a file, and Fluent Bit gives a filter 8 KB for all calls: nothing else is kept
/// below it than what it needs.
pub(super) fn lower(source: &str, root: &Node) -> (RuleFile, Vec<RuleTest>, Mistakes) {
    let mut file = empty();
    let mut mistakes = Mistakes::default();
    let mut tests = Vec::new();
    if let Some(top) = opened(root, &mut mistakes) {
        read_sections(&top, &mut file, &mut mistakes);
        keys_are_free(&top, &file, &mut mistakes);
        are_apart(&top, &file, &mut mistakes);
        file.guards = rules(source, top.get("guards"), Role::Guard, &mut mistakes);
        file.rules = rules(source, top.get("rules"), Role::Rule, &mut mistakes);
        read_rest(source, &top, &mut file, &mut mistakes);
        tests = rule_tests(top.get("tests"), &file, &mut mistakes);
    }
    (file, tests, mistakes)
}

#[inline(never)]
fn empty() -> RuleFile {
    RuleFile::default()
}

#[inline(never)]
fn opened<'n>(root: &'n Node, mistakes: &mut Mistakes) -> Option<Section<'n>> {
    let known = [
        "version",
        "input",
        "pods",
        "enrich",
        "metadata",
        "exclude_annotations",
        "metrics",
        "state",
        "defaults",
        "redact",
        "measure",
        "volume",
        "tap",
        "delegate",
        "guards",
        "rules",
        "tests",
    ];
    Section::open(root, "the rule file", &known, mistakes)
}

#[inline(never)]
fn read_sections(top: &Section<'_>, file: &mut RuleFile, mistakes: &mut Mistakes) {
    version(top, mistakes);
    if let Some(node) = top.get("exclude_annotations") {
        file.exclude_annotations = mistakes.boolean(node, "exclude_annotations").unwrap_or_default();
    }
    let sections: [(&str, ReadSection); 10] = [
        ("input", input),
        ("pods", pods),
        ("enrich", enrich),
        ("metadata", metadata),
        ("metrics", metrics),
        ("state", state),
        ("defaults", defaults),
        ("volume", volume),
        ("tap", tap),
        ("delegate", delegate),
    ];
    for (key, read) in sections {
        if let Some(node) = top.get(key) {
            // A section with mistakes leaves its defaults; the file is refused anyway.
            let _ = read(node, file, mistakes);
        }
    }
}

/// What is about the rules, or is read like them.
#[inline(never)]
fn read_rest(source: &str, top: &Section<'_>, file: &mut RuleFile, mistakes: &mut Mistakes) {
    file.redacts = redacts(source, top.get("redact"), mistakes);
    hashes_have_a_seed(top.get("redact"), file, mistakes);
    recalls_are_shown(top.get("guards"), file, mistakes);
    file.measures = measures(source, top.get("measure"), mistakes);
    let key = &*file.enrich.key;
    let asks_for_more = file.all().any(|rule| rule.when.reaches_into(key))
        || file.measures.iter().any(|measure| measure.when.reaches_into(key))
        || file.redacts.iter().any(|redact| redact.when.reaches_into(key));
    file.enrich.for_rules = asks_for_more;
    names_are_unique(&[top.get("guards"), top.get("rules")], mistakes);
    // A condition with a mistake has been left out: only without mistakes is a rule without conditions meant so.
    if !mistakes.are_serious() {
        unreachable(&[(top.get("guards"), &file.guards), (top.get("rules"), &file.rules)], mistakes);
    }
    shadows_are_few(&[top.get("rules")], file, mistakes);
}

/// What is hashed without a seed could be found out by trying.
fn hashes_have_a_seed(node: Option<&Node>, file: &RuleFile, mistakes: &mut Mistakes) {
    let hashes = file.redacts.iter().any(|redact| redact.with == With::Hash);
    if let Some(node) = node.filter(|_| hashes && file.redact_seed.is_none()) {
        let span = node.span.start..node.span.start.saturating_add(1);
        let message = "`with: hash` needs a seed, without which hashes could be found out by trying";
        let help =
            "add `defaults: { redact_seed: /etc/nodesieve/redact/seed }`, a file of 16 random bytes or more";
        mistakes.note_with_help(Code::MissingKey, &span, message, help);
    }
}

/// Lines come back on a record, in what it says of itself.
fn recalls_are_shown(node: Option<&Node>, file: &RuleFile, mistakes: &mut Mistakes) {
    let recalls = file.guards.iter().any(|guard| guard.recall.is_some());
    if let Some(node) = node.filter(|_| recalls && !file.annotate) {
        let span = node.span.start..node.span.start.saturating_add(1);
        let message =
            "`recall` puts lines into `nodesieve.recalled` of a record, and `defaults.annotate` is false";
        mistakes.note_with_help(Code::Value, &span, message, "leave `annotate` out, or `recall`");
    }
}

type ReadSection = fn(&Node, &mut RuleFile, &mut Mistakes) -> Option<()>;

pub(super) fn version(top: &Section<'_>, mistakes: &mut Mistakes) {
    match top.get("version") {
        Some(node) if matches!(&node.kind, NodeKind::Scalar { text, .. } if text == "1") => {}
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
    let known = [
        "tag_prefix",
        "tag_regex",
        "message",
        "message_keys",
        "severity",
        "trace_id",
        "trust_sampling",
        "continuation",
        "max_record",
    ];
    let section = Section::open(node, "input", &known, mistakes)?;
    let input = &mut file.input;
    if let Some(prefix) = section.get("tag_prefix").and_then(|node| mistakes.text(node, "tag_prefix")) {
        input.tag_prefix = prefix.to_owned();
    }
    if let Some(node) = section.get("tag_regex") {
        input.tag_regex = tag_regex(node, mistakes);
    }
    for (key, slot) in [("message", &mut input.message), ("message_keys", &mut input.message_keys)] {
        if let Some(names) = section.get(key).and_then(|node| mistakes.texts(node, key)) {
            *slot = names.into_iter().map(|(name, _)| Box::from(name)).collect();
        }
    }
    if let Some(paths) = section.get("trace_id").and_then(|node| paths(node, "trace_id", mistakes)) {
        input.trace_id = paths.into();
    }
    if let Some(paths) = section.get("severity").and_then(|node| paths(node, "severity", mistakes)) {
        input.severity = paths;
    }
    if let Some(node) = section.get("trust_sampling") {
        input.trust_sampling = mistakes.boolean(node, "trust_sampling").unwrap_or_default();
    }
    if let Some(limit) =
        section.get("max_record").and_then(|node| mistakes.count(node, "max_record", 1024..=1_023_999))
    {
        input.max_record = limit;
    }
    if let Some(node) = section.get("continuation") {
        input.continuation = match is_off(node) {
            true => None,
            false => {
                let section = Section::open(node, "input.continuation", &["within", "lines"], mistakes)?;
                let default = Continuation::default();
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

fn tag_regex(node: &Node, mistakes: &mut Mistakes) -> Option<TagRegex> {
    let text = mistakes.text(node, "tag_regex")?;
    let (message, help) = match TagRegex::parse(text) {
        Ok(found) => return Some(found),
        Err(TagRegexError::Syntax(reason)) => (
            format!("`tag_regex` is refused: {reason}"),
            "an expression without look-around and back-references, in single quotes: '^app\\.(?<namespace_name>[^.]+)\\.'".to_owned(),
        ),
        Err(TagRegexError::MissingGroup(group)) => {
            (format!("`tag_regex` has no group `{group}`"), format!("write a part of it as (?<{group}>[^_]+)"))
        }
        Err(TagRegexError::UnknownGroup(group)) => (
            format!("`tag_regex` has a group `{group}`, which means nothing"),
            "known groups: pod_name, namespace_name, container_name, docker_id; (?:...) groups without a name".to_owned(),
        ),
    };
    mistakes.note_with_help(Code::Pattern, &node.span, message, help);
    None
}

/// Names of fields, each with or without the path to it.
fn paths(node: &Node, what: &str, mistakes: &mut Mistakes) -> Option<Vec<Path>> {
    let paths = mistakes.texts(node, what)?.into_iter().map(|(text, span)| {
        let found = Path::parse(text);
        if found.is_none() {
            let help = "write a field as trace_id, dd.trace_id or $.dd.trace_id";
            mistakes.note_with_help(Code::Value, &span, format!("`{text}` is not a field"), help);
        }
        found
    });
    // All of them are looked at: every mistake in one pass.
    let paths = paths.collect::<Vec<_>>().into_iter().collect::<Option<Vec<Path>>>()?;
    if paths.len() > MAX_PATHS {
        mistakes.note(Code::Value, &node.span, format!("{what} has at most {MAX_PATHS} fields"));
        return None;
    }
    Some(paths)
}

fn pods(node: &Node, file: &mut RuleFile, mistakes: &mut Mistakes) -> Option<()> {
    let section = Section::open(
        node,
        "pods",
        &["dir", "ttl", "stale", "missing_ttl", "capacity", "max_bytes"],
        mistakes,
    )?;
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
    if let Some(node) = section.get("max_bytes") {
        cache.max_bytes = mistakes.size(node, "pods.max_bytes", MIN_POD_BYTES..=MAX_POD_BYTES)?;
    }
    Some(())
}

fn metrics(node: &Node, file: &mut RuleFile, mistakes: &mut Mistakes) -> Option<()> {
    let section = Section::open(node, "metrics", &["file", "every"], mistakes)?;
    if let Some(path) = section.get("file").and_then(|node| mistakes.path(node, "metrics.file")) {
        file.metrics.file = path;
    }
    if let Some(every) = section.get("every").and_then(|node| mistakes.duration(node, "every")) {
        file.metrics.every = every;
    }
    Some(())
}

fn state(node: &Node, file: &mut RuleFile, mistakes: &mut Mistakes) -> Option<()> {
    let section = Section::open(node, "state", &["dir"], mistakes)?;
    if let Some(node) = section.get("dir") {
        file.state_dir = if is_off(node) { None } else { mistakes.path(node, "state.dir") };
    }
    Some(())
}

fn volume(node: &Node, file: &mut RuleFile, mistakes: &mut Mistakes) -> Option<()> {
    if !is_off(node) {
        file.volume = Some(Volume::read(node, mistakes)?);
    }
    Some(())
}

fn tap(node: &Node, file: &mut RuleFile, mistakes: &mut Mistakes) -> Option<()> {
    if !is_off(node) {
        file.tap = Some(Tap::read(node, mistakes)?);
    }
    Some(())
}

fn delegate(node: &Node, file: &mut RuleFile, mistakes: &mut Mistakes) -> Option<()> {
    if !is_off(node) {
        file.delegate = Some(Delegate::read(node, mistakes)?);
    }
    Some(())
}

fn defaults(node: &Node, file: &mut RuleFile, mistakes: &mut Mistakes) -> Option<()> {
    let section = Section::open(
        node,
        "defaults",
        &["no_match", "ceiling", "max_keys", "summary", "annotate", "redact_seed"],
        mistakes,
    )?;
    if let Some(node) = section.get("max_keys") {
        file.max_keys = mistakes.count(node, "max_keys", 1..=MAX_KEYS).unwrap_or(file.max_keys);
    }
    if let Some(node) = section.get("summary") {
        file.summary = if is_off(node) { None } else { mistakes.duration(node, "summary") };
        if file.summary.is_some_and(|every| every.as_secs() == 0) {
            mistakes.note(Code::Duration, &node.span, "summaries come with ticks: at most one a second");
        }
    }
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
    if let Some(node) = section.get("ceiling").filter(|node| !is_off(node)) {
        if file.no_match == Action::Drop {
            let message = "a ceiling bounds what is kept, and `no_match: drop` keeps nothing";
            mistakes.note(Code::Value, &node.span, message);
        }
        file.ceiling = Ceiling::read(node, mistakes).map(RuleFile::last_resort);
    }
    if let Some(node) = section.get("redact_seed") {
        file.redact_seed = mistakes.path(node, "defaults.redact_seed");
    }
    if let Some(annotate) = section.get("annotate").and_then(|node| mistakes.boolean(node, "annotate")) {
        file.annotate = annotate;
    }
    Some(())
}

/// The smallest and the largest pod cache, in bytes: one large pod, and half of what the filter has.
const MIN_POD_BYTES: usize = 1 << 20;
const MAX_POD_BYTES: usize = 64 << 20;

/// Whether a value is the plain word `off`.
pub(super) fn is_off(node: &Node) -> bool {
    matches!(&node.kind, NodeKind::Scalar { text, quoting: Quoting::Plain } if text == "off" || text == "false")
}
