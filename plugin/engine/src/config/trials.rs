//! The `tests` of a rule file: a record as it would be delivered, and what the rules should do with it.
//!
//! A test's `kubernetes` is taken apart into what the filter really gets: a tag and a pod file. So a test goes the whole
//! way that a record goes on a node.

use crate::config::model::{Action, RuleFile};
use crate::config::section::{Mistakes, Section};
use crate::config::yaml::{Kind, Node, Quoting};
use crate::diag::{Code, did_you_mean};
use crate::json::{Level, Outline, push_string};
use crate::tag::ContainerTag;
use crate::time::parse_rfc3339;
use std::ops::Range;
use std::time::Duration;

/// One test.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Where it stands in the file.
    pub span: Range<usize>,
    /// The tag that the record comes with.
    pub tag: String,
    /// The pod file in front of and behind the container's start, in seconds since 1970; `None` when metadata is missing.
    pub pod: Option<(Vec<u8>, Vec<u8>)>,
    /// How long the container has run at the first record.
    pub age: Duration,
    /// The record as JSON text, in which [`RANDOM_ID`] is a new id and [`NUMBER`] the position of each repetition.
    pub text: String,
    /// How often it comes.
    pub times: u32,
    /// How long after one the next comes.
    pub every: Duration,
    /// When the first comes, in seconds since 1970; `None` is before every `until`.
    pub at: Option<i64>,
    /// What must come of it.
    pub expect: Expect,
}

/// What a test expects; what is `None` may be anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expect {
    /// What decides every repetition.
    pub subject: Option<Subject>,
    /// What becomes of every repetition.
    pub action: Option<Action>,
    /// How many are kept.
    pub kept: Option<Kept>,
}

/// What decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The guard of this name.
    Guard(Box<str>),
    /// The rule of this name, or one of the outcomes `none`, `unknown`, `exclude`.
    Rule(Box<str>),
}

/// How many are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kept {
    /// So many.
    Exactly(u32),
    /// A share of all, within so many standard deviations.
    Share {
        /// The share.
        share: f64,
        /// The deviations.
        z: f64,
    },
}

/// Replaced by 32 random hexadecimal digits in each repetition.
pub const RANDOM_ID: &str = "$rand128";
/// Replaced by the position of each repetition, from 0.
pub const NUMBER: &str = "$n";

/// The tests of a file.
pub(super) fn trials(node: Option<&Node>, file: &RuleFile, mistakes: &mut Mistakes) -> Vec<Trial> {
    let Some(node) = node else { return Vec::new() };
    let Kind::List(list) = &node.kind else {
        if !matches!(&node.kind, Kind::Scalar { text, quoting: Quoting::Plain } if text.is_empty()) {
            mistakes.note(Code::WrongKind, &node.span, "tests must be a list");
        }
        return Vec::new();
    };
    let trials: Vec<Trial> = list.iter().filter_map(|node| trial(node, file, mistakes)).collect();
    let rules = file.guards.len().saturating_add(file.rules.len());
    if trials.len().saturating_mul(rules) > MAX_RULES_ASKED {
        let span = node.span.start..node.span.start.saturating_add(1);
        let message = format!("{} tests of {rules} rules are too many for a node", trials.len());
        mistakes.note_with_help(
            Code::Value,
            &span,
            message,
            "put some into a file of their own for `host-test check`",
        );
    }
    let records = trials.iter().fold(0u32, |sum, trial| sum.saturating_add(trial.times));
    if records > MAX_RECORDS {
        let span = node.span.start..node.span.start.saturating_add(1);
        let message = format!("the tests repeat {records} records, at most {MAX_RECORDS} in all");
        let help = "they run on the node whenever the file changes";
        mistakes.note_with_help(Code::Value, &span, message, help);
    }
    trials
}

#[inline(never)]
fn trial(node: &Node, file: &RuleFile, mistakes: &mut Mistakes) -> Option<Trial> {
    let known = ["record", "repeat", "at", "age", "metadata", "expect"];
    let section = Section::open(node, "a test", &known, mistakes)?;
    let missing = |key: &str, mistakes: &mut Mistakes| {
        let span = node.span.start..node.span.start.saturating_add(1);
        mistakes.note(Code::MissingKey, &span, format!("this test has no `{key}`"));
    };
    let Some(record) = section.get("record") else {
        missing("record", mistakes);
        return None;
    };
    let Some(expected) = section.get("expect") else {
        missing("expect", mistakes);
        return None;
    };
    let Kind::Map(members) = &record.kind else {
        mistakes.note(Code::WrongKind, &record.span, "record must be a mapping");
        return None;
    };
    let (mut times, mut every) = (1, Duration::ZERO);
    if let Some(node) = section.get("repeat") {
        let section = Section::open(node, "repeat", &["n", "every"], mistakes)?;
        let count = section.get("n").and_then(|node| mistakes.count(node, "n", 1..=MAX_RECORDS as usize));
        let Some(count) = count else {
            if section.get("n").is_none() {
                mistakes.note(Code::MissingKey, &node.span, "`repeat` has no `n`");
            }
            return None;
        };
        times = u32::try_from(count).unwrap_or(MAX_RECORDS);
        if let Some(node) = section.get("every") {
            every = mistakes.duration(node, "every")?;
        }
    }
    let at = match section.get("at") {
        Some(node) => {
            let text = mistakes.text(node, "at")?;
            let found = parse_rfc3339(text).filter(|at| u32::try_from(*at).is_ok());
            if found.is_none() {
                let help = "write date, time and zone: 2027-01-31T00:00:00Z";
                mistakes.note_with_help(Code::Value, &node.span, format!("`{text}` is not an instant"), help);
            }
            Some(found?)
        }
        None => None,
    };
    let age = match section.get("age") {
        Some(node) => mistakes.duration(node, "age")?,
        None => Duration::from_secs(86_400),
    };
    let is_known = match section.get("metadata") {
        Some(node) => match mistakes.text(node, "metadata")? {
            "known" => true,
            "missing" => false,
            other => {
                let message = format!("metadata must be known or missing, found `{other}`");
                mistakes.note(Code::Value, &node.span, message);
                return None;
            }
        },
        None => true,
    };
    let kubernetes = members.iter().find(|(key, _)| is_text(key, &file.enrich.key)).map(|(_, value)| value);
    let described = pod(&file.input.tag_prefix, kubernetes, mistakes)?;
    let mut text = Vec::new();
    object(members.iter().filter(|(key, _)| !is_text(key, &file.enrich.key)), &mut text);
    Some(Trial {
        span: node.span.clone(),
        tag: described.tag,
        pod: is_known.then_some(described.file),
        age,
        text: String::from_utf8(text).unwrap_or_default(),
        times,
        every,
        at,
        expect: expect(expected, file, times, mistakes)?,
    })
}

/// The pod that a record's metadata describes; what it does not say is made up.
struct Described {
    tag: String,
    /// Its pod file, in front of and behind the container's start.
    file: (Vec<u8>, Vec<u8>),
}

#[inline(never)]
fn pod(prefix: &str, node: Option<&Node>, mistakes: &mut Mistakes) -> Option<Described> {
    let section = match node {
        Some(node) => Some(Section::open(node, "kubernetes", &METADATA, mistakes)?),
        None => None,
    };
    let id = "0a".repeat(32);
    let mut text = |key: &str, default: &str| match section.as_ref().and_then(|section| section.get(key)) {
        Some(node) => mistakes.text(node, key).map(str::to_owned),
        None => Some(default.to_owned()),
    };
    let [namespace, pod, container, id] =
        [("namespace_name", "default"), ("pod_name", "pod"), ("container_name", "app"), ("docker_id", &id)]
            .map(|(key, default)| text(key, default));
    let (namespace, pod, container, id) = (namespace?, pod?, container?, id?);
    let tag = format!("{prefix}{pod}_{namespace}_{container}-{id}.log");
    let is_named =
        |tag: ContainerTag<'_>| tag.pod == pod && tag.namespace == namespace && tag.container == container;
    if !ContainerTag::parse(&tag, prefix).is_some_and(is_named) {
        let span = node.map_or(0..0, |node| node.span.clone());
        let message = format!("`{namespace}`, `{pod}`, `{container}` are no names of a container on a node");
        let help =
            "names are lower case letters, digits and dashes, those of pods dots too; an id is hexadecimal";
        mistakes.note_with_help(Code::Value, &span, message, help);
        return None;
    }
    let mut front = b"{\"version\":1".to_vec();
    member(&mut front, "namespace", &namespace);
    member(&mut front, "pod", &pod);
    for (key, name) in [("pod_id", "uid"), ("host", "node"), ("pod_ip", "ip")] {
        if section.as_ref().is_some_and(|section| section.get(key).is_some()) {
            member(&mut front, name, &text(key, "")?);
        }
    }
    let workload = text("workload", "")?;
    if !workload.is_empty() {
        front.extend_from_slice(b",\"workload\":{\"kind\":");
        push_string(&mut front, text("workload_kind", "Deployment")?.as_bytes());
        member(&mut front, "name", &workload);
        front.push(b'}');
    }
    let mut back = Vec::new();
    for (key, name) in [("container_image", "image"), ("container_hash", "hash")] {
        if section.as_ref().is_some_and(|section| section.get(key).is_some()) {
            member(&mut back, name, &text(key, "")?);
        }
    }
    back.extend_from_slice(b"}]}");
    for key in ["labels", "annotations"] {
        front.extend_from_slice(format!(",\"{key}\":").as_bytes());
        match section.as_ref().and_then(|section| section.get(key)) {
            Some(node) => pairs(node, key, &mut front, mistakes)?,
            None => front.extend_from_slice(b"{}"),
        }
    }
    front.extend_from_slice(b",\"containers\":[{\"name\":");
    push_string(&mut front, container.as_bytes());
    member(&mut front, "id", &id);
    front.extend_from_slice(b",\"started\":");
    Some(Described { tag, file: (front, back) })
}

fn member(into: &mut Vec<u8>, name: &str, value: &str) {
    into.extend_from_slice(format!(",\"{name}\":").as_bytes());
    push_string(into, value.as_bytes());
}

#[inline(never)]
fn pairs(node: &Node, what: &str, into: &mut Vec<u8>, mistakes: &mut Mistakes) -> Option<()> {
    let Kind::Map(map) = &node.kind else {
        mistakes.note(Code::WrongKind, &node.span, format!("{what} must be a mapping"));
        return None;
    };
    into.push(b'{');
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            into.push(b',');
        }
        push_string(into, mistakes.text(key, what)?.as_bytes());
        into.push(b':');
        push_string(into, mistakes.text(value, what)?.as_bytes());
    }
    into.push(b'}');
    Some(())
}

#[inline(never)]
fn expect(node: &Node, file: &RuleFile, times: u32, mistakes: &mut Mistakes) -> Option<Expect> {
    let section = Section::open(node, "expect", &["rule", "guard", "action", "kept", "z"], mistakes)?;
    let mut expect = Expect::default();
    if let Some(node) = section.get("guard") {
        let names = file.guards.iter().map(|guard| &*guard.name);
        expect.subject = Some(Subject::Guard(known(node, "guard", names, mistakes)?));
    }
    if let Some(node) = section.get("rule") {
        if expect.subject.is_some() {
            mistakes.note(
                Code::Value,
                &node.span,
                "a record is decided by a guard or by a rule, not by both",
            );
            return None;
        }
        let enforced = file.rules.iter().filter(|rule| !rule.shadow);
        let names = enforced.map(|rule| &*rule.name).chain(["none", "unknown", "exclude"]);
        expect.subject = Some(Subject::Rule(known(node, "rule", names, mistakes)?));
    }
    if let Some(node) = section.get("action") {
        expect.action = Some(match mistakes.text(node, "action")? {
            "keep" => Action::Keep,
            "drop" => Action::Drop,
            other => {
                let message = format!("action must be keep or drop, found `{other}`");
                mistakes.note(Code::Value, &node.span, message);
                return None;
            }
        });
    }
    let z = match section.get("z") {
        Some(node) => Some((number(node, "z", mistakes)?, node)),
        None => None,
    };
    if let Some(node) = section.get("kept") {
        let text = mistakes.text(node, "kept")?;
        expect.kept = Some(match text.parse::<u32>() {
            Ok(count) => Kept::Exactly(count),
            Err(_) => share(
                node,
                number(node, "kept", mistakes)?,
                z.map_or(DEFAULT_Z, |(z, _)| z),
                times,
                mistakes,
            )?,
        });
    }
    if let Some((_, node)) = z
        && !matches!(expect.kept, Some(Kept::Share { .. }))
    {
        mistakes.note(Code::Value, &node.span, "`z` is for a share that is kept, such as `kept: 0.1`");
        return None;
    }
    if expect == Expect::default() {
        let help = "add `rule`, `guard`, `action` or `kept`";
        mistakes.note_with_help(Code::MissingKey, &node.span, "this test expects nothing", help);
        return None;
    }
    Some(expect)
}

/// A share that this many records can tell from all and from none.
fn share(node: &Node, share: f64, z: f64, times: u32, mistakes: &mut Mistakes) -> Option<Kept> {
    if share <= 0.0 || share >= 1.0 {
        let help =
            "for all or none write `action: keep` or `action: drop`, for a number of records the number";
        mistakes.note_with_help(Code::Value, &node.span, "a share lies between 0 and 1", help);
        return None;
    }
    let needed = (z * z * (share / (1.0 - share)).max((1.0 - share) / share)) as u32;
    if times <= needed {
        let message = format!("{times} records cannot tell this share from all or none");
        let help = format!("repeat it more than {needed} times, or write a smaller `z`");
        mistakes.note_with_help(Code::Value, &node.span, message, help);
        return None;
    }
    Some(Kept::Share { share, z })
}

#[inline(never)]
fn known<'n>(
    node: &Node,
    what: &str,
    names: impl Iterator<Item = &'n str> + Clone,
    mistakes: &mut Mistakes,
) -> Option<Box<str>> {
    let text = mistakes.text(node, what)?;
    if names.clone().any(|name| name == text) {
        return Some(text.into());
    }
    let message = format!("no {what} that decides is called `{text}`");
    match did_you_mean(text, names) {
        Some(near) => {
            mistakes.note_with_help(Code::Value, &node.span, message, format!("did you mean `{near}`?"));
        }
        None => mistakes.note(Code::Value, &node.span, message),
    }
    None
}

#[inline(never)]
fn number(node: &Node, what: &str, mistakes: &mut Mistakes) -> Option<f64> {
    let text = mistakes.text(node, what)?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let found = if is_plain { text.parse::<f64>().ok() } else { None };
    if found.is_none() {
        mistakes.note(Code::Value, &node.span, format!("{what} must be a number, found `{text}`"));
    }
    found
}

fn is_text(node: &Node, wanted: &str) -> bool {
    matches!(&node.kind, Kind::Scalar { text, .. } if text == wanted)
}

/// A node as JSON. Rule files are at most 16 levels deep.
#[inline(never)]
fn json(node: &Node, out: &mut Vec<u8>) {
    match &node.kind {
        Kind::Scalar { text, quoting: Quoting::Plain } if is_json_scalar(text) => {
            out.extend_from_slice(text.as_bytes());
        }
        Kind::Scalar { text, quoting: Quoting::Plain } if text.is_empty() || text == "~" => {
            out.extend_from_slice(b"null");
        }
        Kind::Scalar { text, .. } => push_string(out, text.as_bytes()),
        Kind::List(list) => {
            out.push(b'[');
            for (index, node) in list.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                json(node, out);
            }
            out.push(b']');
        }
        Kind::Map(map) => object(map.iter(), out),
    }
}

#[inline(never)]
fn object<'n>(members: impl Iterator<Item = &'n (Node, Node)>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (key, value)) in members.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if let Kind::Scalar { text, .. } = &key.kind {
            push_string(out, text.as_bytes());
        }
        out.push(b':');
        json(value, out);
    }
    out.push(b'}');
}

/// Whether a plain text of YAML is the same value in JSON.
fn is_json_scalar(text: &str) -> bool {
    let is_number =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    let wrapped = format!("{{\"\":{text}}}");
    matches!(text, "true" | "false" | "null")
        || is_number && Outline::of(wrapped.as_bytes(), Level::Plain).is_some()
}

const METADATA: [&str; 13] = [
    "namespace_name",
    "pod_name",
    "pod_id",
    "labels",
    "annotations",
    "host",
    "pod_ip",
    "container_name",
    "docker_id",
    "container_image",
    "container_hash",
    "workload",
    "workload_kind",
];
const DEFAULT_Z: f64 = 5.0;
/// Records of all tests of a file: some 20 us each on a node, whose records wait meanwhile.
const MAX_RECORDS: u32 = 20_000;
/// Tests times rules: each test starts all of them anew.
const MAX_RULES_ASKED: usize = 50_000;
