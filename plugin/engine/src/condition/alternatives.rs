//! `any` and `not`: conditions on conditions, one level deep.
//!
//! The rule kept here: what cannot be known stays so. `any` is unknown where no alternative holds and one is unknown, `not` where its
//! conditions are; so neither makes a rule act on metadata that nobody has.

use crate::condition::{Asks, DecideBy, Needs, RecordTest, When, WrittenCondition};
use crate::diag::Code;
use crate::facts::{Facts, Metadata};
use crate::pattern::Truth;
use crate::tag::ContainerTag;
use crate::yaml::{Mistakes, Node, NodeKind};

/// One of several sets of conditions holds.
#[derive(Clone, Debug, PartialEq)]
pub struct AnyOf(pub(super) Box<[When]>);

/// None of several sets of conditions holds.
#[derive(Clone, Debug, PartialEq)]
pub struct NoneOf(pub(super) Box<[When]>);

impl RecordTest for AnyOf {
    const KEY: &'static str = "any";

    const DECIDE: DecideBy<AnyOf> = DecideBy::Metadata(|test, facts, metadata| any(&test.0, facts, metadata));

    fn read(written: &WrittenCondition<'_>, mistakes: &mut Mistakes) -> Option<AnyOf> {
        let NodeKind::List(list) = &written.node.kind else {
            let help = "write a list: any: [{ severity: '>=error' }, { message: timeout }]";
            mistakes.note_with_help(
                Code::WrongKind,
                &written.node.span,
                "any must be a list of conditions",
                help,
            );
            return None;
        };
        read(list, (Self::KEY, written.drops), written, mistakes).map(AnyOf)
    }

    fn asks(&self) -> Asks {
        asks(&self.0)
    }

    fn is_met_by_tag(&self, container: Option<&ContainerTag<'_>>) -> bool {
        self.asks() != Asks::Tag || self.0.iter().any(|when| when.unmet_by_tag(container).is_none())
    }

    fn found(&self, _: &Facts<'_>, _: &mut Metadata<'_>) -> Option<String> {
        Some(format!("none of its {} alternatives holds", self.0.len()))
    }

    fn reaches_into(&self, key: &str) -> bool {
        self.0.iter().any(|when| when.reaches_into(key))
    }

    fn needs(&self) -> Needs {
        Needs::of_any(self.0.iter().map(When::needs))
    }
}

impl RecordTest for NoneOf {
    const KEY: &'static str = "not";

    const DECIDE: DecideBy<NoneOf> =
        DecideBy::Metadata(|test, facts, metadata| match any(&test.0, facts, metadata) {
            Truth::Yes => Truth::No,
            Truth::No => Truth::Yes,
            Truth::Unknown => Truth::Unknown,
        });

    fn read(written: &WrittenCondition<'_>, mistakes: &mut Mistakes) -> Option<NoneOf> {
        // What is kept out of a drop is not lost by it.
        let how = (Self::KEY, false);
        match &written.node.kind {
            NodeKind::List(list) => read(list, how, written, mistakes),
            _ => read(std::slice::from_ref(written.node), how, written, mistakes),
        }
        .map(NoneOf)
    }

    fn asks(&self) -> Asks {
        asks(&self.0)
    }

    fn is_met_by_tag(&self, container: Option<&ContainerTag<'_>>) -> bool {
        self.asks() != Asks::Tag || self.0.iter().all(|when| when.unmet_by_tag(container).is_some())
    }

    fn found(&self, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Option<String> {
        let holds = self.0.iter().position(|when| when.truth(facts, metadata) == Truth::Yes)?;
        Some(match self.0.len() {
            1 => "its conditions hold".to_owned(),
            _ => format!("its conditions {} hold", holds.saturating_add(1)),
        })
    }

    fn reaches_into(&self, key: &str) -> bool {
        self.0.iter().any(|when| when.reaches_into(key))
    }
}

fn any(alternatives: &[When], facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Truth {
    let mut truth = Truth::No;
    for when in alternatives {
        match when.truth(facts, metadata) {
            Truth::Yes => return Truth::Yes,
            Truth::Unknown => truth = Truth::Unknown,
            Truth::No => {}
        }
    }
    truth
}

/// The most that any of the conditions asks for.
fn asks(alternatives: &[When]) -> Asks {
    let of_one = |when: &When| match (when.asks_for_metadata(), when.asks_for_the_tag_only()) {
        (true, _) => Asks::Metadata,
        (false, true) => Asks::Tag,
        (false, false) => Asks::Record,
    };
    let mut all = Asks::Tag;
    for one in alternatives.iter().map(of_one) {
        all = match (all, one) {
            (Asks::Metadata, _) | (_, Asks::Metadata) => Asks::Metadata,
            (Asks::Record, _) | (_, Asks::Record) => Asks::Record,
            (Asks::Tag, Asks::Tag) => Asks::Tag,
        };
    }
    all
}

fn read(
    list: &[Node],
    (key, drops): (&str, bool),
    written: &WrittenCondition<'_>,
    mistakes: &mut Mistakes,
) -> Option<Box<[When]>> {
    if list.is_empty() || list.len() > MAX_ALTERNATIVES {
        let message = format!("{key} has 1 to {MAX_ALTERNATIVES} sets of conditions, found {}", list.len());
        mistakes.note(Code::Value, &written.node.span, message);
        return None;
    }
    let one = |node: &Node| {
        let found = When::read_inner(written.source, node, (key, drops), mistakes)?;
        if matches!(&node.kind, NodeKind::Map(map) if map.is_empty()) {
            let help = format!(
                "write conditions: {key}: {}",
                if key == "any" { "[{ stream: stderr }]" } else { "{ stream: stderr }" }
            );
            mistakes.note_with_help(
                Code::Value,
                &node.span,
                format!("{key} has a set without conditions"),
                help,
            );
        }
        Some(found)
    };
    // All of them are looked at: every mistake in one pass.
    let all: Vec<Option<When>> = list.iter().map(one).collect();
    all.into_iter().collect()
}

/// Most sets of conditions under one key.
const MAX_ALTERNATIVES: usize = 32;
