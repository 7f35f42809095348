//! The conditions of a `when`.
//!
//! Each condition is one type in one file, which says under which key it is read, what it asks for, how it is decided, and what
//! a person is told where it does not hold ([`RecordTest`]). Adding one is a file and a line in the list below: the compiler
//! asks for the rest.
//!
//! The rule kept here: what a condition may look at is in its signature ([`DecideBy`]), so that one that needs metadata can
//! neither be decided without it nor be left out where metadata is missing.

#[macro_use]
mod sum;

mod age;
mod alternatives;
mod comparison;
mod message;
mod metadata;
mod names;
mod needs;
mod record;
mod severity;
mod stream;
mod written_pattern;

pub use age::{AgeTest, ContainerAge};
pub use alternatives::{AnyOf, NoneOf};
pub use comparison::Ordered;
pub use message::Message;
pub(crate) use metadata::doubt_annotation;
pub use metadata::{Annotations, Labels, OwnedBy};
pub use names::{InContainer, InNamespace, InPod};
pub(crate) use needs::Needs;
pub use record::WholeRecord;
pub use severity::SeverityTest;
pub use stream::OnStream;
pub(crate) use written_pattern::written_pattern;

use crate::diag::Code;
use crate::facts::{Facts, Metadata, Seen};
use crate::glob::Globs;
use crate::pattern::{Searched, Truth};
use crate::selector::Selector;
use crate::severity::Severity;
use crate::tag::ContainerTag;
use crate::yaml::{Mistakes, Node, NodeKind, Section};
use std::fmt::Debug;

conditions! {
    // In the order in which they are asked, what is cheap before what is not.
    Namespace(InNamespace),
    Pod(InPod),
    Container(InContainer),
    Stream(OnStream),
    Severity(SeverityTest),
    Message(Message),
    Record(WholeRecord),
    Labels(Labels),
    Annotations(Annotations),
    Workload(OwnedBy),
    ContainerAge(ContainerAge),
    Any(AnyOf),
    Not(NoneOf),
}

/// A condition: everything about it hangs on its type.
pub(crate) trait RecordTest: Clone + Debug + PartialEq + Sized {
    /// Its key in rule files.
    const KEY: &'static str;

    /// How it is decided, and what it asks for.
    const DECIDE: DecideBy<Self>;

    /// What this one asks for.
    fn asks(&self) -> Asks {
        Self::DECIDE.asks()
    }

    /// Whether a tag meets it; what asks for more than the tag is not decided here.
    fn is_met_by_tag(&self, container: Option<&ContainerTag<'_>>) -> bool {
        match Self::DECIDE {
            DecideBy::Tag(met) => met(self, container),
            DecideBy::Record(_) | DecideBy::Metadata(_) => true,
        }
    }

    /// Reads it; mistakes are noted.
    fn read(written: &WrittenCondition<'_>, mistakes: &mut Mistakes) -> Option<Self>;

    /// What the record has where the condition does not hold, for a person.
    fn found(&self, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Option<String>;

    /// Whether it looks at metadata under this key of the record, beyond what the tag says.
    fn reaches_into(&self, _key: &str) -> bool {
        false
    }

    /// What a record must have for it to hold, as far as that can be seen at a glance.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// What a glance at a record that meets its needs shows of it.
    fn shows(&self) -> Shows {
        Shows::Nothing
    }

    /// Whether it holds for a line, where that is what decides.
    fn holds_for(&self, _line: &Searched<'_>) -> bool {
        true
    }
}

/// What a glance shows of a condition, from all to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shows {
    /// That it holds: its needs are all that it asks.
    All,
    /// The same where the text that it needs is known to be in the line; else the line has to be asked.
    AllByText,
    /// That it holds once the line has been asked.
    AllButLine,
    /// Not whether it holds.
    Nothing,
}

impl Shows {
    /// Whether a record of which this was seen is known to meet it; it has what is needed, `texts` by their bits. `false`: it has to be
    /// asked.
    #[inline]
    pub(crate) fn is_met(self, seen: Seen, texts: u64) -> bool {
        match self {
            Shows::All => true,
            Shows::AllByText => seen.has_found(texts),
            Shows::AllButLine | Shows::Nothing => false,
        }
    }
}

/// What decides a condition, by what it asks for.
pub(crate) enum DecideBy<T> {
    /// The names in the tag: asked once per tag.
    Tag(fn(&T, Option<&ContainerTag<'_>>) -> bool),
    /// The record itself.
    Record(fn(&T, &Facts<'_>) -> bool),
    /// What is known about the container, which may be nothing.
    Metadata(fn(&T, &Facts<'_>, &mut Metadata<'_>) -> Truth),
}

/// A condition as written in a rule file.
pub(crate) struct WrittenCondition<'w> {
    /// The whole file.
    pub(crate) source: &'w str,
    /// The value behind the key.
    pub(crate) node: &'w Node,
    /// Whether records that meet it are lost, which is what some warnings are about.
    pub(crate) drops: bool,
}

/// The conditions of a guard or rule; all of them must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct When {
    /// Those on the tag, those on the record, those on metadata.
    conditions: Box<[Condition]>,
    /// How many of them are on the tag, and how many are not on metadata.
    by_tag: usize,
    without_metadata: usize,
}

/// Whether a record meets the conditions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Met<'w> {
    Yes,
    /// The first that does not hold.
    No(&'w Condition),
    /// All others hold, this one cannot be known.
    Unknown(&'w Condition),
}

impl When {
    fn new(conditions: Vec<Condition>) -> When {
        let (by_tag, others): (Vec<_>, Vec<_>) =
            conditions.into_iter().partition(|condition| condition.asks() == Asks::Tag);
        let (by_record, by_metadata): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|condition| condition.asks() == Asks::Record);
        When {
            by_tag: by_tag.len(),
            without_metadata: by_tag.len().saturating_add(by_record.len()),
            conditions: by_tag.into_iter().chain(by_record).chain(by_metadata).collect(),
        }
    }

    /// The same of one namespace only, and if wanted of no record that says it is an error.
    pub(crate) fn within(self, namespace: &str, without_errors: bool) -> When {
        let mut conditions: Vec<Condition> = self.conditions.into_vec();
        conditions.push(Condition::Namespace(InNamespace(Globs::new([namespace]))));
        if without_errors {
            let test = SeverityTest::Compared(Ordered::AtLeast, Severity::Error);
            let errors = When::new(vec![Condition::Severity(test)]);
            conditions.push(Condition::Not(NoneOf([errors].into())));
        }
        When::new(conditions)
    }

    /// The conditions of a rule; those with mistakes are left out, the file is refused anyway.
    ///
    /// `drops` says that records which meet them are lost.
    pub(crate) fn read(source: &str, node: &Node, drops: bool, mistakes: &mut Mistakes) -> When {
        let Some(section) = Section::open(node, "when", &Condition::KEYS, mistakes) else {
            return When::default();
        };
        let read = |key: &&str| {
            let node = section.get(key)?;
            Condition::read(key, &WrittenCondition { source, node, drops }, mistakes)
        };
        When::new(Condition::KEYS.iter().filter_map(read).collect())
    }

    /// As [`When::read`] of what stands under `any` or `not`, where neither may stand again.
    fn read_inner(
        source: &str,
        node: &Node,
        (key, drops): (&str, bool),
        mistakes: &mut Mistakes,
    ) -> Option<When> {
        if let NodeKind::Map(map) = &node.kind {
            let again = map.iter().find(|(inner, _)| {
                matches!(&inner.kind, NodeKind::Scalar { text, .. } if text == AnyOf::KEY || text == NoneOf::KEY)
            });
            if let Some((inner, _)) = again {
                let message = format!("any and not stand in `when` only, not under `{key}`");
                let help = "make it a rule of its own: the first rule that matches decides";
                mistakes.note_with_help(Code::UnknownKey, &inner.span, message, help);
                return None;
            }
        }
        let known: Vec<&str> =
            Condition::KEYS.iter().copied().filter(|own| *own != AnyOf::KEY && *own != NoneOf::KEY).collect();
        let section = Section::open(node, key, &known, mistakes)?;
        let read = |key: &&str| {
            let node = section.get(key)?;
            Condition::read(key, &WrittenCondition { source, node, drops }, mistakes)
        };
        Some(When::new(known.iter().filter_map(read).collect()))
    }

    /// What a record must have for all of them to hold, as far as that can be seen at a glance.
    pub(crate) fn needs(&self) -> Needs {
        self.conditions.iter().fold(Needs::default(), |needs, condition| needs.and(condition.needs()))
    }

    /// What a glance shows of all that are not on the tag.
    pub(crate) fn shows(&self) -> Shows {
        let others = self.conditions.get(self.by_tag..).unwrap_or_default();
        others.iter().map(Condition::shows).max().unwrap_or(Shows::All)
    }

    /// Whether those that are about the line hold for it.
    pub(crate) fn holds_for(&self, line: &Searched<'_>) -> bool {
        self.conditions.iter().all(|condition| condition.holds_for(line))
    }

    /// All of them, in the order in which they are asked.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// The names that are asked for, with the keys under which they are: those under `any` and `not` too.
    pub fn names(&self) -> Vec<(&'static str, &Globs)> {
        self.conditions.iter().flat_map(Condition::names).collect()
    }

    /// The selectors of labels: those under `any` and `not` too.
    pub fn label_selectors(&self) -> Vec<&Selector> {
        self.conditions.iter().flat_map(Condition::label_selectors).collect()
    }

    /// Whether there is a condition on the record as a whole or on what is known about its container.
    #[inline]
    pub fn asks_for_metadata(&self) -> bool {
        self.without_metadata < self.conditions.len()
    }

    /// Whether there is no condition but on the tag.
    pub(crate) fn asks_for_the_tag_only(&self) -> bool {
        self.by_tag == self.conditions.len()
    }

    /// Whether there is no condition, so that every record meets it.
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    /// Whether a condition looks at metadata under this key of the record, beyond what the tag says.
    pub(crate) fn reaches_into(&self, key: &str) -> bool {
        self.conditions.iter().any(|condition| condition.reaches_into(key))
    }

    /// The first condition on the tag that does not hold.
    pub(crate) fn unmet_by_tag(&self, container: Option<&ContainerTag<'_>>) -> Option<&Condition> {
        let by_tag = self.conditions.get(..self.by_tag).unwrap_or_default();
        by_tag.iter().find(|condition| !condition.is_met_by_tag(container))
    }

    /// Whether all of them hold, those on the tag too.
    pub(crate) fn truth(&self, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Truth {
        if self.unmet_by_tag(facts.container().as_ref()).is_some() {
            return Truth::No;
        }
        match self.met(facts, metadata) {
            Met::Yes => Truth::Yes,
            Met::No(_) => Truth::No,
            Met::Unknown(_) => Truth::Unknown,
        }
    }

    /// Whether a record meets the conditions besides those on the tag.
    #[inline]
    pub(crate) fn met(&self, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Met<'_> {
        let mut unknown = None;
        for condition in self.conditions.get(self.by_tag..).unwrap_or_default() {
            match condition.met(facts, metadata) {
                Truth::Yes => {}
                Truth::No => return Met::No(condition),
                Truth::Unknown => unknown = unknown.or(Some(condition)),
            }
        }
        unknown.map_or(Met::Yes, Met::Unknown)
    }
}

impl Condition {
    fn label_selectors(&self) -> Vec<&Selector> {
        match self {
            Condition::Labels(Labels(selector)) => vec![selector],
            Condition::Any(AnyOf(inner)) | Condition::Not(NoneOf(inner)) => {
                inner.iter().flat_map(When::label_selectors).collect()
            }
            Condition::Namespace(_)
            | Condition::Pod(_)
            | Condition::Container(_)
            | Condition::Workload(_)
            | Condition::Stream(_)
            | Condition::Severity(_)
            | Condition::Message(_)
            | Condition::Record(_)
            | Condition::Annotations(_)
            | Condition::ContainerAge(_) => Vec::new(),
        }
    }

    fn names(&self) -> Vec<(&'static str, &Globs)> {
        match self {
            Condition::Namespace(InNamespace(globs))
            | Condition::Pod(InPod(globs))
            | Condition::Container(InContainer(globs))
            | Condition::Workload(OwnedBy(globs)) => vec![(self.key(), globs)],
            Condition::Any(AnyOf(inner)) | Condition::Not(NoneOf(inner)) => {
                inner.iter().flat_map(When::names).collect()
            }
            Condition::Stream(_)
            | Condition::Severity(_)
            | Condition::Message(_)
            | Condition::Record(_)
            | Condition::Labels(_)
            | Condition::Annotations(_)
            | Condition::ContainerAge(_) => Vec::new(),
        }
    }
}

/// What a condition asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    Tag,
    Record,
    Metadata,
}

impl<T> DecideBy<T> {
    const fn asks(&self) -> Asks {
        match self {
            DecideBy::Tag(_) => Asks::Tag,
            DecideBy::Record(_) => Asks::Record,
            DecideBy::Metadata(_) => Asks::Metadata,
        }
    }
}

#[inline]
fn decide<T: RecordTest>(test: &T, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Truth {
    match T::DECIDE {
        DecideBy::Tag(met) => met(test, facts.container().as_ref()).into(),
        DecideBy::Record(met) => met(test, facts).into(),
        DecideBy::Metadata(met) => met(test, facts, metadata),
    }
}

/// `container is istio-proxy`, or that there is none.
fn is(what: &str, found: Option<&str>) -> String {
    match found {
        Some(found) => format!("{what} is {found}"),
        None => format!("there is no {what}"),
    }
}

/// Characters of Kubernetes names.
fn is_name(character: char) -> bool {
    character.is_ascii_lowercase() || character.is_ascii_digit() || matches!(character, '-' | '.')
}
