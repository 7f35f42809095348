//! `floor: {per, by}`: at least one record for each key and window, whatever the policy beside it says.

use crate::diag::Code;
use crate::key::Key;
use crate::policy::keyed::Keyed;
use crate::policy::settings::{required, window};
use crate::policy::window::Windows;
use crate::policy::{Asked, KeyTable, Policy, Tables, nanos};
use crate::yaml::{Mistakes, Node, Section};
use std::time::Duration;

/// At least one record for each key and window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    /// The window.
    pub per: Duration,
    /// The key.
    pub by: Key,
}

impl Floor {
    /// The floor of a rule with this policy.
    pub(crate) fn read(node: &Node, policy: Option<&Policy>, mistakes: &mut Mistakes) -> Option<Floor> {
        let section = Section::open(node, "floor", &["per", "by"], mistakes)?;
        let per = required(&section, "floor", "per", "60s", mistakes)
            .and_then(|node| window(node, "per", mistakes));
        let policy = policy?;
        let Some(own) = policy.floor_by() else {
            let message = format!("`{}` has no floor", policy.kind().name());
            let help = "floors are for first, limit, target and budget";
            mistakes.note_with_help(Code::Policy, &section.span, message, help);
            return None;
        };
        let by = match section.get("by") {
            Some(node) => Key::read(node, mistakes),
            None => Some(own.clone()),
        };
        Some(Floor { per: per?, by: by? })
    }
}

/// A floor in force.
#[derive(Debug)]
pub(crate) struct FloorState {
    floor: Floor,
    windows: Keyed<Windows>,
}

impl FloorState {
    pub(crate) fn new(floor: &Floor, most: usize) -> FloorState {
        FloorState { floor: floor.clone(), windows: Keyed::new(most, nanos(floor.per)) }
    }

    /// Whatever is kept starts the floor's window anew.
    pub(super) fn settle(
        &mut self,
        asked: &mut Asked<'_>,
        is_kept: bool,
        has_room: &mut dyn FnMut() -> bool,
    ) -> bool {
        let FloorState { floor, windows } = self;
        let per = nanos(floor.per);
        let key = asked.key(&floor.by);
        let decision = windows.decide(&key, asked, false, |windows, asked, now| {
            let window = windows.of(&asked.moment);
            let keep = is_kept || window.has_ended(now, per) && has_room();
            if keep {
                window.restart(now);
            }
            keep
        });
        asked.give_back(key);
        decision.is_kept()
    }
}

impl Tables for FloorState {
    fn each(&mut self, take: &mut dyn FnMut(&mut dyn KeyTable)) {
        take(&mut self.windows);
    }
}
