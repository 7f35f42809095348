//! `first: {n, per, then, by}`: keeps the first of each window, then one in so many.

use crate::diag::Code;
use crate::key::Key;
use crate::policy::keyed::Keyed;
use crate::policy::settings::{by, required, window};
use crate::policy::window::{Window, Windows};
use crate::policy::{Asked, Decides, Decision, nanos};
use crate::yaml::{Mistakes, Node, Section, parse_one_in};
use std::num::NonZeroU64;
use std::time::Duration;

/// The first so many of a window that starts with its first record, then one in so many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First {
    /// How many are kept at once.
    pub n: u32,
    /// How long the window is.
    pub per: Duration,
    /// Of those behind the first `n`, one in so many is kept; `None` keeps none.
    pub then: Option<NonZeroU64>,
    /// For each of which there is a window of its own.
    pub by: Key,
}

impl Decides for First {
    const NAME: &'static str = "first";
    type State = Keyed<Windows>;

    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<First> {
        let section = Section::open(node, Self::NAME, &["n", "per", "then", "by"], mistakes)?;
        let n = required(&section, Self::NAME, "n", "20", mistakes)
            .and_then(|node| mistakes.count(node, "n", 1..=1_000_000));
        let per = required(&section, Self::NAME, "per", "10s", mistakes)
            .and_then(|node| window(node, "per", mistakes));
        let then = match section.get("then") {
            None => None,
            Some(node) => {
                let text = mistakes.text(node, "then")?;
                let found = parse_one_in(text).filter(|one_in| one_in.get() > 1);
                if found.is_none() {
                    let help = "write 1/100; leave it out to keep none of the rest";
                    let message = format!("`{text}` is not one in a whole number of two or more");
                    mistakes.note_with_help(Code::Rate, &node.span, message, help);
                }
                found
            }
        };
        let by = by(&section, mistakes);
        Some(First { n: u32::try_from(n?).ok()?, per: per?, then, by: by? })
    }

    fn start(&self, most: usize) -> Keyed<Windows> {
        Keyed::new(most, nanos(self.per))
    }

    fn decide(&self, windows: &mut Keyed<Windows>, asked: &mut Asked<'_>) -> Decision {
        let per = nanos(self.per);
        windows.decide_by(&self.by, asked, |windows, asked, now| {
            let is_kept = self.admits(windows.of(&asked.moment), now, per);
            asked.settle(is_kept, &mut || true)
        })
    }

    fn floor_by(&self) -> Option<&Key> {
        Some(&self.by)
    }
}

impl First {
    /// Counts a record; whether it is one of those that are kept.
    fn admits(&self, window: &mut Window, now: u64, per: u64) -> bool {
        window.enter(now, per);
        match window.seen().checked_sub(u64::from(self.n)) {
            None | Some(0) => true,
            Some(beyond) => self.then.is_some_and(|then| beyond % then == 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first(n: u32, then: u64) -> First {
        First { n, per: Duration::from_secs(10), then: NonZeroU64::new(then), by: Key::default() }
    }

    fn kept(first: &First, records: u64) -> u64 {
        let mut window = Window::default();
        (0..records).filter(|_| first.admits(&mut window, 5, 100)).count() as u64
    }

    #[test]
    fn the_first_and_then_one_in_so_many() {
        for (records, expected) in [(100, 100), (199, 100), (200, 101), (1000, 109)] {
            assert_eq!(kept(&first(100, 100), records), expected, "{records}");
        }
        assert_eq!(kept(&first(3, 0), 1000), 3);
    }

    proptest! {
        #[test]
        fn kept_of_a_window_is_the_closed_form(n in 1u32..200, then in 0u64..50, records in 0u64..2000) {
            let beyond = records.saturating_sub(u64::from(n));
            let expected = records.min(u64::from(n)) + beyond.checked_div(then).unwrap_or(0);
            prop_assert_eq!(kept(&first(n, then), records), expected);
        }
    }
}
