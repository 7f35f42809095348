//! `drop: {}` and `keep: {}`: the same for every record. They remember nothing.

use crate::key::KeySource;
use crate::policy::{Action, Asked, Decides, Decision};
use crate::yaml::{Mistakes, Node, Section};

/// Drops all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drop;

/// Keeps all. Also what a guard does without a ceiling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep;

impl Decides for Drop {
    const NAME: &'static str = "drop";
    const MAY_BE_LIFTED: bool = false;
    type State = ();

    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Drop> {
        Section::open(node, Self::NAME, &[], mistakes).map(|_| Drop)
    }

    fn start(&self, _: usize) {}

    fn decide(&self, (): &mut (), _: &mut Asked<'_>) -> Decision {
        Decision::Drop
    }

    fn certain(&self, _: &mut dyn KeySource) -> Option<Action> {
        Some(Action::Drop)
    }
}

impl Decides for Keep {
    const NAME: &'static str = "keep";
    const MAY_BE_LIFTED: bool = false;
    type State = ();

    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Keep> {
        Section::open(node, Self::NAME, &[], mistakes).map(|_| Keep)
    }

    fn start(&self, _: usize) {}

    fn decide(&self, (): &mut (), _: &mut Asked<'_>) -> Decision {
        Decision::Keep
    }

    fn certain(&self, _: &mut dyn KeySource) -> Option<Action> {
        Some(Action::Keep)
    }
}
