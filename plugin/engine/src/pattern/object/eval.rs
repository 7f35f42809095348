//! Selectors looked up and conditions tested, in the text as it stands.

use crate::json::{Escapes, Level, Malformed, Members, Value, cut, unescape};
use crate::line::{Line, MAX_UNESCAPED};
use crate::pattern::logic::Truth;
use crate::pattern::object::selector::{PropertySelector, SelectorStep};
use crate::pattern::object::{PropertyCondition, Test};
use crate::pattern::value::{Operand, Operator};
use crate::record::RecordObject;
use crate::swar;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What a JSON pattern is asked about.
#[derive(Clone, Copy, Debug)]
pub enum Document<'d> {
    /// A line, which may or may not be a JSON object.
    Line(&'d Line<'d>),
    /// A record with the metadata that will be put on it.
    Record(Enriched<'d>),
}

/// A record as it would be with its metadata.
#[derive(Clone, Copy, Debug)]
pub struct Enriched<'d> {
    /// The record's own members.
    pub record: RecordObject<'d>,
    /// The key under which metadata goes.
    pub key: &'d str,
    /// What goes there, as JSON, as far as it is known; `None` when nothing will.
    pub object: Option<&'d [u8]>,
    /// What is not known of it.
    pub missing: Missing,
    /// Whether the tag has the container's whole id: kubelet cuts it where a file name would get too long.
    pub id_is_whole: bool,
}

/// Which part of a record's metadata is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// None: what is not there does not exist.
    Nothing,
    /// What kubelet says about this run of the container.
    Container,
    /// All but what the tag says.
    Pod,
}

/// A value with the way its quotes are written.
#[derive(Clone, Copy)]
struct Property<'a> {
    value: Value<'a>,
    level: Level,
}

impl PropertyCondition {
    /// Whether it holds, as far as the document is known.
    #[inline]
    pub(in crate::pattern) fn holds(&self, document: &Document<'_>) -> bool {
        if let Document::Line(line) = document
            && line.outline().is_none()
        {
            return false;
        }
        let nodes = |visit: &mut dyn FnMut(Property<'_>) -> bool| self.selector.visit(document, visit);
        match &self.test {
            Test::Compare(comparison) => {
                let holds = |node: Property<'_>| node.compare(|operand| comparison.holds(operand));
                if comparison.operator == Operator::NotEqual && self.selector.has_wildcard() {
                    // No node may be equal, and there must be something that the wildcard stands in.
                    let Some(_) = self.selector.parent_of_wildcard(document) else { return false };
                    !nodes(&mut |node| holds(node) == Some(false))
                } else {
                    nodes(&mut |node| holds(node) == Some(true))
                }
            }
            Test::IsTrue => nodes(&mut |node| node.is(b"true")),
            Test::IsFalse => nodes(&mut |node| node.is(b"false")),
            Test::IsNull => {
                let into_arrays = !self.selector.has_wildcard();
                nodes(&mut |node| node.is(b"null") || (into_arrays && node.holds_null()))
            }
            Test::NotExists => !nodes(&mut |_| true),
        }
    }

    /// Whether a further node can make it false; of other conditions it can only make them true.
    fn is_refuted_by_a_node(&self) -> bool {
        match &self.test {
            Test::NotExists => true,
            Test::Compare(comparison) => {
                comparison.operator == Operator::NotEqual && self.selector.has_wildcard()
            }
            Test::IsNull | Test::IsTrue | Test::IsFalse => false,
        }
    }

    /// Whether it holds if that can be known.
    pub(super) fn truth(&self, document: &Document<'_>) -> Truth {
        match document {
            Document::Record(enriched) if self.selector.is_open(enriched) => {
                // What is not known can only add nodes: one that is there already decides.
                match (self.holds(document), self.is_refuted_by_a_node()) {
                    (true, false) => Truth::Yes,
                    (false, true) => Truth::No,
                    _ => Truth::Unknown,
                }
            }
            _ => self.holds(document).into(),
        }
    }
}

impl PropertySelector {
    /// Whether it reaches into what is not known.
    fn is_open(&self, enriched: &Enriched<'_>) -> bool {
        let Some((first, rest)) = self.steps.split_first() else { return false };
        match first {
            SelectorStep::Key(key) if **key != *enriched.key => return false,
            // The object itself will be there, whatever is in it.
            _ if rest.is_empty() && enriched.object.is_some() => return false,
            SelectorStep::Key(_) => {}
            // Without a container nothing will be added; only a selector that names the key asks for what that would be.
            SelectorStep::Every => {
                let is_added = enriched.object.is_some() && enriched.missing != Missing::Nothing;
                return is_added && !rest.is_empty();
            }
            SelectorStep::Index(_) => return false,
        }
        if enriched.object.is_none() {
            // Without a container there is no metadata; what the record brought itself stands.
            return enriched.missing != Missing::Nothing && enriched.own(enriched.key).is_none();
        }
        match (enriched.missing, rest.first()) {
            (Missing::Nothing, _) | (_, Some(SelectorStep::Index(_)) | None) => false,
            (_, Some(SelectorStep::Every)) => true,
            (Missing::Pod, Some(SelectorStep::Key(key))) => {
                let is_whole_id = enriched.id_is_whole && **key == *CONTAINER_ID;
                !is_whole_id && !TAG_KEYS.contains(&&**key)
            }
            (Missing::Container, Some(SelectorStep::Key(key))) => {
                CONTAINER_KEYS.contains(&&**key) || (!enriched.id_is_whole && **key == *CONTAINER_ID)
            }
        }
    }

    /// Hands every node to `visit` until it says that it has seen enough; whether it did.
    #[inline]
    fn visit(&self, document: &Document<'_>, visit: &mut dyn FnMut(Property<'_>) -> bool) -> bool {
        let Some(wildcard) = self.steps.iter().position(|step| *step == SelectorStep::Every) else {
            return self.before(document, self.steps.len()).is_some_and(visit);
        };
        let Some(behind) = self.steps.get(wildcard.wrapping_add(1)..) else { return false };
        let mut visit = |node: Property<'_>| node.walk(behind).is_some_and(&mut *visit);
        match self.before(document, wildcard) {
            Some(parent) => parent.each(&mut visit),
            None if wildcard == 0 => document.each(&mut visit),
            None => false,
        }
    }

    /// What the wildcard stands in, if it exists; the root always does.
    fn parent_of_wildcard(&self, document: &Document<'_>) -> Option<()> {
        match self.steps.iter().position(|step| *step == SelectorStep::Every)? {
            0 => Some(()),
            wildcard => self.before(document, wildcard).map(|_| ()),
        }
    }

    /// The node that the first `count` steps lead to, none of them a wildcard.
    #[inline]
    fn before<'d>(&self, document: &Document<'d>, count: usize) -> Option<Property<'d>> {
        let (first, rest) = self.steps.get(..count)?.split_first()?;
        let SelectorStep::Key(key) = first else { return None };
        document.member(key)?.walk(rest)
    }
}

impl<'d> Document<'d> {
    /// A member of the root.
    fn member(&self, key: &str) -> Option<Property<'d>> {
        match self {
            Document::Line(line) => {
                let (text, level) = line.as_json();
                let outline = line.outline()?;
                if !outline.is_whole() {
                    return member(Members::open(text, level), key);
                }
                outline.get(text, level, key.as_bytes()).map(|value| Property { value, level })
            }
            Document::Record(enriched) => match enriched.object {
                Some(object) if *key == *enriched.key => {
                    Some(Property { value: Value::Object(object), level: Level::Plain })
                }
                _ => enriched.own(key),
            },
        }
    }

    /// Hands every member of the root to `visit`, as [`Property::each`].
    fn each(&self, visit: &mut dyn FnMut(Property<'_>) -> bool) -> bool {
        match self {
            Document::Line(line) => {
                let (text, level) = line.as_json();
                Property { value: Value::Object(text), level }.each(visit)
            }
            Document::Record(enriched) => {
                let replaced = enriched.object.map(|_| enriched.key);
                each_member(enriched.record.members(), replaced, visit)
                    || enriched.object.is_some_and(|object| {
                        visit(Property { value: Value::Object(object), level: Level::Plain })
                    })
            }
        }
    }
}

impl<'d> Enriched<'d> {
    /// A member that the record has of its own.
    fn own(&self, key: &str) -> Option<Property<'d>> {
        member(self.record.members(), key)
    }
}

impl<'a> Property<'a> {
    /// The node that steps without a wildcard lead to.
    #[inline]
    fn walk(self, steps: &[SelectorStep]) -> Option<Property<'a>> {
        let mut node = self;
        for step in steps {
            node = match (step, node.value) {
                (SelectorStep::Key(key), Value::Object(text)) => {
                    member(Members::open(text, node.level), key)?
                }
                (SelectorStep::Index(index), Value::Array(text)) => {
                    let mut elements = Members::open_array(text, node.level).ok()?;
                    for _ in 0..*index {
                        elements.next_element().ok()??;
                    }
                    Property { value: elements.next_element().ok()??, level: node.level }
                }
                _ => return None,
            };
        }
        Some(node)
    }

    /// Hands every member or element to `visit` until it says that it has seen enough; whether it did.
    fn each(self, visit: &mut dyn FnMut(Property<'_>) -> bool) -> bool {
        match self.value {
            Value::Object(text) => each_member(Members::open(text, self.level), None, visit),
            Value::Array(text) => {
                let Ok(mut elements) = Members::open_array(text, self.level) else { return false };
                while let Ok(Some(value)) = elements.next_element() {
                    if visit(Property { value, level: self.level }) {
                        return true;
                    }
                }
                false
            }
            Value::String(_) | Value::Scalar(_) => false,
        }
    }

    /// What a comparison says of a string or a number; `None` for anything else.
    #[inline]
    fn compare(self, holds: impl FnOnce(Operand<'_>) -> bool) -> Option<bool> {
        match self.value {
            Value::String(content) => Some(holds(Operand::JsonString(&resolved(content, self.level)))),
            Value::Scalar(text) if matches!(text.first(), Some(b'0'..=b'9' | b'-')) => {
                Some(holds(Operand::JsonNumber(text)))
            }
            _ => None,
        }
    }

    #[inline]
    fn is(self, word: &[u8]) -> bool {
        matches!(self.value, Value::Scalar(text) if text == word)
    }

    fn holds_null(self) -> bool {
        matches!(self.value, Value::Array(_)) && self.each(&mut |node| node.is(b"null"))
    }

    /// The node for a person: its JSON, cut short.
    pub(super) fn shown(self) -> String {
        let text = match self.value {
            Value::String(content) => {
                let content = resolved(content, self.level);
                format!("\"{}\"", String::from_utf8_lossy(&content))
            }
            Value::Scalar(text) => String::from_utf8_lossy(text).into_owned(),
            Value::Object(_) => "an object".into(),
            Value::Array(_) => "an array".into(),
        };
        match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
            None => text,
        }
    }
}

impl PropertyCondition {
    /// What the selector finds, for a person: `$.status is 200`.
    pub(in crate::pattern) fn finding(&self, document: &Document<'_>) -> String {
        if let Document::Line(line) = document
            && line.outline().is_none()
        {
            return "the line is not one JSON object".into();
        }
        let mut found = Vec::new();
        self.selector.visit(document, &mut |node| {
            found.push(node.shown());
            found.len() >= SHOWN_NODES
        });
        match found.as_slice() {
            [] => format!("{} is not there", self.selector),
            [one] => format!("{} is {one}", self.selector),
            several => format!("{} are {}", self.selector, several.join(", ")),
        }
    }
}

/// The last member of an object with a key.
fn member<'a>(members: Result<Members<'a>, Malformed>, key: &str) -> Option<Property<'a>> {
    let mut members = members.ok()?;
    let (mut found, level) = (None, members.level());
    while let Ok(Some(member)) = members.next() {
        if member.has_key(key.as_bytes(), level) {
            found = Some(Property { value: member.value, level });
        }
    }
    found
}

/// Hands each member of an object but those called `without` to `visit`; of duplicate keys only the last, as far as the
/// first [`MAX_KEYS`] keys go.
fn each_member(
    members: Result<Members<'_>, Malformed>,
    without: Option<&str>,
    visit: &mut dyn FnMut(Property<'_>) -> bool,
) -> bool {
    let Ok(mut members) = members else { return false };
    let level = members.level();
    // Ordered, not hashed: the keys are whatever somebody logged.
    let mut last: BTreeMap<Cow<'_, [u8]>, Value<'_>> = BTreeMap::new();
    while let Ok(Some(member)) = members.next() {
        let key = match member.key_escapes {
            Escapes::None => Cow::Borrowed(member.key),
            _ => resolved(member.key, level),
        };
        if without.is_some_and(|name| *key == *name.as_bytes()) {
            continue;
        }
        if last.len() < MAX_KEYS || last.contains_key(&key) {
            last.insert(key, member.value);
        } else if visit(Property { value: member.value, level }) {
            return true;
        }
    }
    last.into_values().any(|value| visit(Property { value, level }))
}

/// A string's content with its escapes resolved, copied only if it has any; of a very long one that has, the start.
fn resolved(content: &[u8], level: Level) -> Cow<'_, [u8]> {
    if swar::find_byte(content, 0, b'\\').is_none() {
        return Cow::Borrowed(content);
    }
    let once = unescape(cut(content, MAX_UNESCAPED));
    Cow::Owned(match level {
        Level::Plain => once,
        Level::Quoted => unescape(&once),
    })
}

/// What the tag says about a container.
pub(super) const TAG_KEYS: [&str; 3] = ["namespace_name", "pod_name", "container_name"];
/// What it says as a rule.
const CONTAINER_ID: &str = "docker_id";
/// What only kubelet's status of this run of the container says.
const CONTAINER_KEYS: [&str; 2] = ["container_hash", "container_image"];
/// How many keys of an object are remembered to find duplicates.
const MAX_KEYS: usize = 1 << 16;
/// How much of a value an explanation shows, in characters.
const SHOWN: usize = 80;
/// How many nodes of a wildcard an explanation shows.
const SHOWN_NODES: usize = 4;
