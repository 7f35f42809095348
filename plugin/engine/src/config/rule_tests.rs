//! The `tests` of a rule file: a record as it would be delivered, and what the rules should do with it.
//!
//! A test's `kubernetes` is taken apart into what the filter really gets: a tag and a pod file. So a test goes the whole
//! way that a record goes on a node.

mod record;

use crate::config::model::{Action, RuleFile};
use crate::diag::Code;
use crate::time::parse_rfc3339;
use crate::yaml::{Mistakes, Node, NodeKind, Quoting, Section};
use record::{is_text, object, pod};
use std::ops::Range;
use std::time::Duration;

/// One test.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleTest {
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
    /// The rules of redact that hit every kept repetition; none of them, and no other.
    pub redacted: Option<Vec<Box<str>>>,
    /// The line of every kept repetition.
    pub line: Option<String>,
}

/// What decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The guard of this name.
    Guard(Box<str>),
    /// The rule of this name, or one of the outcomes `none`, `unknown`, `exclude`.
    Rule(Box<str>),
    /// The rule of this name, if it were not in shadow mode.
    Shadow(Box<str>),
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
pub(super) fn rule_tests(node: Option<&Node>, file: &RuleFile, mistakes: &mut Mistakes) -> Vec<RuleTest> {
    let Some(node) = node else { return Vec::new() };
    let NodeKind::List(list) = &node.kind else {
        if !matches!(&node.kind, NodeKind::Scalar { text, quoting: Quoting::Plain } if text.is_empty()) {
            mistakes.note(Code::WrongKind, &node.span, "tests must be a list");
        }
        return Vec::new();
    };
    let tests: Vec<RuleTest> = list.iter().filter_map(|node| rule_test(node, file, mistakes)).collect();
    let rules = file.guards.len().saturating_add(file.rules.len());
    if tests.len().saturating_mul(rules) > MAX_RULES_ASKED {
        let span = node.span.start..node.span.start.saturating_add(1);
        let message = format!("{} tests of {rules} rules are too many for a node", tests.len());
        mistakes.note_with_help(
            Code::Value,
            &span,
            message,
            "put some into a file of their own for `nodesieve check`",
        );
    }
    let bytes = tests
        .iter()
        .fold(0usize, |sum, test| sum.saturating_add(test.text.len().saturating_mul(test.times as usize)));
    if bytes > MAX_BYTES {
        let span = node.span.start..node.span.start.saturating_add(1);
        let message = format!("the tests have {bytes} bytes of records, at most {MAX_BYTES} in all");
        mistakes.note_with_help(Code::TooLarge, &span, message, HELP);
    }
    let records = tests.iter().fold(0u32, |sum, test| sum.saturating_add(test.times));
    if records > MAX_RECORDS {
        let span = node.span.start..node.span.start.saturating_add(1);
        let message = format!("the tests repeat {records} records, at most {MAX_RECORDS} in all");
        mistakes.note_with_help(Code::Value, &span, message, HELP);
    }
    tests
}

fn rule_test(node: &Node, file: &RuleFile, mistakes: &mut Mistakes) -> Option<RuleTest> {
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
    let NodeKind::Map(members) = &record.kind else {
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
    Some(RuleTest {
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

fn expect(node: &Node, file: &RuleFile, times: u32, mistakes: &mut Mistakes) -> Option<Expect> {
    let section = Section::open(
        node,
        "expect",
        &["rule", "guard", "shadow", "action", "kept", "z", "redacted", "line"],
        mistakes,
    )?;
    let mut expect = Expect::default();
    if let Some(node) = section.get("guard") {
        let names = file.guards.iter().map(|guard| &*guard.name);
        expect.subject = Some(Subject::Guard(known(node, "guard", names, mistakes)?));
    }
    if let Some(node) = section.get("shadow") {
        let shadows = file.rules.iter().filter(|rule| rule.shadow);
        let names = shadows.map(|rule| &*rule.name);
        expect.subject = Some(Subject::Shadow(known(node, "rule in shadow mode", names, mistakes)?));
    }
    let subjects = ["guard", "shadow", "rule"].map(|key| section.get(key));
    if let [_, second, ..] = subjects.into_iter().flatten().collect::<Vec<_>>().as_slice() {
        mistakes.note(Code::Value, &second.span, "a test is about one guard or rule");
        return None;
    }
    if let Some(node) = section.get("rule") {
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
    if let Some(node) = section.get("redacted") {
        let is_none = matches!(&node.kind, NodeKind::List(list) if list.is_empty());
        let written = if is_none { Vec::new() } else { mistakes.texts(node, "redacted")? };
        let names = file.redacts.iter().map(|rule| &*rule.name);
        let mut redacted = Vec::new();
        for (text, span) in written {
            if names.clone().any(|name| name == text) {
                redacted.push(Box::from(text));
                continue;
            }
            let message = format!("no rule of redact is called `{text}`");
            match mistakes.near(text, names.clone()) {
                Some(near) => {
                    mistakes.note_with_help(Code::Value, &span, message, format!("did you mean `{near}`?"));
                }
                None => mistakes.note(Code::Value, &span, message),
            }
        }
        expect.redacted = Some(redacted);
    }
    if let Some(node) = section.get("line") {
        expect.line = Some(mistakes.text(node, "line")?.to_owned());
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
        let help = "add `rule`, `guard`, `action`, `kept`, `redacted` or `line`";
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
    match mistakes.near(text, names) {
        Some(near) => {
            mistakes.note_with_help(Code::Value, &node.span, message, format!("did you mean `{near}`?"));
        }
        None => mistakes.note(Code::Value, &node.span, message),
    }
    None
}

fn number(node: &Node, what: &str, mistakes: &mut Mistakes) -> Option<f64> {
    let text = mistakes.text(node, what)?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let found = if is_plain { text.parse::<f64>().ok() } else { None };
    if found.is_none() {
        mistakes.note(Code::Value, &node.span, format!("{what} must be a number, found `{text}`"));
    }
    found
}

const DEFAULT_Z: f64 = 5.0;
/// Records of all tests of a file: some 20 us each on a node, whose records wait meanwhile.
const MAX_RECORDS: u32 = 20_000;
/// Bytes of these records: what a node reads in seconds, in between.
const MAX_BYTES: usize = 16 << 20;
const HELP: &str = "they run on the node whenever the file changes";
/// Tests times rules: each test starts all of them anew.
const MAX_RULES_ASKED: usize = 50_000;
