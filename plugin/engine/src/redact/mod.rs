//! The section `redact`: what must not leave the node, and what stands in its place.
//!
//! The rule kept here: a file says what is sought (a kind, a pattern, or all of what fields and keys hold), where, and in whose records;
//! after a load nothing of that can fail. Ignorance redacts: a condition that cannot be known is taken to hold.

mod apply;
mod fields;
mod pairs;
mod seed;
mod view;
mod walk;

pub use apply::Redactor;
pub(crate) use apply::bit;
pub use seed::{SEED_BYTES, Seed};

use crate::condition::When;
use crate::diag::Code;
use crate::pattern::Pattern;
use crate::secrets::{Kind, Sieve, Sign};
use crate::yaml::{Mistakes, Node, NodeKind, Quoting, Section, named};
use fields::Scope;
use std::rc::Rc;

/// One rule of what is redacted.
#[derive(Clone, Debug, PartialEq)]
pub struct Redact {
    /// Its name, unique among these.
    pub name: Box<str>,
    /// In which records; those of which nobody knows are among them.
    pub when: When,
    /// Where in a record.
    pub(crate) scope: Scope,
    /// What is sought there.
    pub(crate) what: What,
    /// What becomes of it.
    pub with: With,
}

/// What is sought.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// All that the fields and keys hold.
    Whole,
    /// What has the form of one of these.
    Kinds(Vec<Kind>),
    /// What a pattern matches.
    Pattern(Pattern),
}

/// What becomes of a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum With {
    /// `[redacted:name]` stands in its place.
    Mask,
    /// `[hashed:name:16 hexadecimal digits]`, the same for the same text and seed.
    Hash,
    /// Nothing; of a whole value its key goes too.
    Remove,
}

impl Redact {
    /// What a record's text has at least if there is a hit.
    fn signs(&self) -> Vec<Sign> {
        match (&self.what, self.scope.signs()) {
            // Both must be there: the rarer one decides.
            (_, Some(signs)) => signs,
            (What::Whole, None) => vec![Sign::Anything],
            (What::Kinds(kinds), None) => kinds.iter().flat_map(|kind| kind.signs()).collect(),
            (What::Pattern(pattern), None) => match pattern.parts_need() {
                needed if needed.is_empty() => vec![Sign::Anything],
                needed => needed.into_iter().map(|text| Sign::within(text.as_bytes(), true)).collect(),
            },
        }
    }

    /// Whether private keys are among what it seeks, which may go on with the next line.
    pub(crate) fn seeks_private_keys(&self) -> bool {
        self.scope.is_everywhere()
            && matches!(&self.what, What::Kinds(kinds) if kinds.contains(&Kind::PrivateKey))
    }
}

/// What the text of a record has at least if one of these has a hit in it.
pub(crate) fn sieve<'r>(rules: impl IntoIterator<Item = &'r Redact>) -> Sieve {
    Sieve::new(rules.into_iter().flat_map(Redact::signs))
}

/// The rules of a file.
pub(crate) fn redacts(source: &str, node: Option<&Node>, mistakes: &mut Mistakes) -> Vec<Rc<Redact>> {
    let Some(node) = node else { return Vec::new() };
    let list = match &node.kind {
        NodeKind::List(list) => list,
        NodeKind::Scalar { text, quoting: Quoting::Plain } if text.is_empty() => return Vec::new(),
        _ => {
            mistakes.note(Code::WrongKind, &node.span, "redact must be a list");
            return Vec::new();
        }
    };
    if let Some(first) = list.get(MAX_REDACTS) {
        let span = first.span.start..first.span.start.saturating_add(1);
        let message = format!("{} rules of redact are too many, at most {MAX_REDACTS}", list.len());
        mistakes.note_with_help(
            Code::TooLarge,
            &span,
            message,
            "one may have a list of kinds, keys and fields",
        );
    }
    let mut all: Vec<Rc<Redact>> = Vec::new();
    for node in list.iter().take(MAX_REDACTS) {
        let Some(redact) = redact(source, node, mistakes) else { continue };
        if all.iter().any(|other| other.name == redact.name) {
            let span = node.span.start..node.span.start.saturating_add(1);
            let message = format!("`{}` is the name of an earlier rule of redact", redact.name);
            mistakes.note(Code::DuplicateName, &span, message);
        }
        all.push(Rc::new(redact));
    }
    all
}

fn redact(source: &str, node: &Node, mistakes: &mut Mistakes) -> Option<Redact> {
    let known = ["name", "when", "fields", "keys", "kind", "pattern", "with"];
    let section = Section::open(node, "a rule of redact", &known, mistakes)?;
    let help = "it stands in the place of what is redacted: `name: emails` writes [redacted:emails]";
    let name = named(&section, "rule of redact", help, mistakes);
    let when = section.get("when").map(|node| When::read(source, node, false, mistakes)).unwrap_or_default();
    let scope = Scope::read(&section, mistakes);
    let what = match (section.get("kind"), section.get("pattern")) {
        (Some(node), None) => {
            let is_everywhere = scope.as_ref().is_some_and(Scope::is_everywhere);
            kinds(node, is_everywhere, mistakes).map(What::Kinds)
        }
        (None, Some(node)) => pattern(source, node, mistakes).map(What::Pattern),
        (None, None) => Some(What::Whole),
        (Some(_), Some(node)) => {
            mistakes.note(Code::Value, &node.span, "a rule of redact has a `kind` or a `pattern`, not both");
            None
        }
    };
    if matches!(what, Some(What::Whole)) && section.get("fields").is_none() && section.get("keys").is_none() {
        let span = node.span.start..node.span.start.saturating_add(1);
        let message = "this rule of redact does not say what it seeks";
        let help = "add `kind: email`, `pattern: '%user-[0-9]+%'`, `keys: ['*password*']` or `fields: [$.user.email]`";
        mistakes.note_with_help(Code::MissingKey, &span, message, help);
        return None;
    }
    let with = match section.get("with") {
        None => Some(With::Mask),
        Some(node) => match mistakes.text(node, "with")? {
            "mask" => Some(With::Mask),
            "hash" => Some(With::Hash),
            "remove" => Some(With::Remove),
            other => {
                let message = format!("with must be mask, hash or remove, found `{other}`");
                mistakes.note(Code::Value, &node.span, message);
                None
            }
        },
    };
    Some(Redact { name: name?.into(), when, scope: scope?, what: what?, with: with? })
}

fn kinds(node: &Node, is_everywhere: bool, mistakes: &mut Mistakes) -> Option<Vec<Kind>> {
    let mut kinds = Vec::new();
    let mut is_good = true;
    for (text, span) in mistakes.texts(node, "kind")? {
        let names = Kind::ALL.iter().map(|(_, name, _)| *name);
        let Some(kind) = Kind::named(&text.replace('-', "_")) else {
            let help = match mistakes.near(text, names.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known kinds: {}", names.collect::<Vec<_>>().join(", ")),
            };
            mistakes.note_with_help(Code::Value, &span, format!("`{text}` is not a kind of secret"), help);
            is_good = false;
            continue;
        };
        if let Some(others) = kind.false_hits().filter(|_| is_everywhere) {
            let message = format!("`{}` also hits {others}", kind.name());
            let help = "say where with `keys` or `fields`, or accept it: what is kept loses these too";
            mistakes.note_with_help(Code::FalseHits, &span, message, help);
        }
        kinds.push(kind);
    }
    is_good.then_some(kinds)
}

fn pattern(source: &str, node: &Node, mistakes: &mut Mistakes) -> Option<Pattern> {
    let pattern = crate::condition::written_pattern(source, node, mistakes)?;
    if !pattern.has_parts() {
        let message = "this pattern does not say which part of a text is meant";
        let help =
            "write one text, '\"user 4711\"', or an expression that needs a character, '%user-[0-9]+%'";
        mistakes.note_with_help(Code::Pattern, &node.span, message, help);
        return None;
    }
    let needed = pattern.parts_need();
    let is_dear =
        needed.is_empty() || needed.iter().any(|text| Sign::within(text.as_bytes(), true) == Sign::Anything);
    if is_dear {
        let message = "this pattern has no text that must occur, so that every record is searched with it";
        let help = "begin or end it with a fixed text: '%user-[0-9]+%'";
        mistakes.note_with_help(Code::PatternDoubt, &node.span, message, help);
    }
    Some(pattern)
}

/// Most rules of redact: each has a bit of a word.
pub(crate) const MAX_REDACTS: usize = 64;

#[cfg(test)]
mod tests;
