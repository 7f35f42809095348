//! `dedup: {window, by}`: keeps one of those that are alike.

use crate::key::{Key, Part};
use crate::policy::keyed::Keyed;
use crate::policy::settings::{required, window};
use crate::policy::window::Windows;
use crate::policy::{Asked, Decides, Decision, nanos};
use crate::yaml::{Mistakes, Node, Section};
use std::time::Duration;

/// One record of those that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dedup {
    /// How long after the one that was kept the others are held back.
    pub window: Duration,
    /// What makes them alike.
    pub by: Key,
}

impl Decides for Dedup {
    const NAME: &'static str = "dedup";
    type State = Keyed<Windows>;

    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Dedup> {
        let section = Section::open(node, Self::NAME, &["window", "by"], mistakes)?;
        let window = required(&section, Self::NAME, "window", "30s", mistakes)
            .and_then(|node| window(node, "window", mistakes));
        let by = match section.get("by") {
            Some(node) => Key::read(node, mistakes),
            None => Some(Key(vec![Part::Container, Part::Template])),
        };
        Some(Dedup { window: window?, by: by? })
    }

    fn start(&self, most: usize) -> Keyed<Windows> {
        Keyed::new(most, nanos(self.window))
    }

    fn decide(&self, windows: &mut Keyed<Windows>, asked: &mut Asked<'_>) -> Decision {
        let per = nanos(self.window);
        windows.decide_by(&self.by, asked, |windows, asked, now| windows.of(&asked.moment).enter(now, per))
    }
}
