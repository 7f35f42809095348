//! What the settings of several policies have in common: keys, rates, windows and shares.

use crate::diag::Code;
use crate::key::Key;
use crate::threshold::Probability;
use crate::yaml::{Mistakes, Node, Rate, Section, Unit, parse_rate};
use std::time::Duration;

pub(super) fn by(section: &Section<'_>, mistakes: &mut Mistakes) -> Option<Key> {
    match section.get("by") {
        Some(node) => Key::read(node, mistakes),
        None => Some(Key::default()),
    }
}

pub(super) fn required<'n>(
    section: &Section<'n>,
    what: &str,
    name: &str,
    example: &str,
    mistakes: &mut Mistakes,
) -> Option<&'n Node> {
    let found = section.get(name);
    if found.is_none() {
        let help = format!("add `{name}: {example}`");
        mistakes.note_with_help(Code::MissingKey, &section.span, format!("`{what}` has no `{name}`"), help);
    }
    found
}

/// A duration that something can happen in.
pub(super) fn window(node: &Node, what: &str, mistakes: &mut Mistakes) -> Option<Duration> {
    let found = mistakes.duration(node, what)?;
    if !(SHORTEST..=LONGEST).contains(&found) {
        mistakes.note(Code::Duration, &node.span, format!("{what} must be from 1ms to 7d"));
        return None;
    }
    Some(found)
}

pub(super) fn rate(node: &Node, mistakes: &mut Mistakes) -> Option<Rate> {
    let text = mistakes.text(node, "rate")?;
    let found = parse_rate(text).filter(|rate| rate.unit == Unit::Bytes || rate.per_second() <= FASTEST);
    if found.is_none() {
        let help = "write 20/s, 300/m, 1000/h, or with bytes 5MB/s; at most a million records a second";
        mistakes.note_with_help(Code::Amount, &node.span, format!("`{text}` is not a rate"), help);
    }
    found
}

pub(super) fn probability(
    node: &Node,
    what: &str,
    for_zero: &str,
    mistakes: &mut Mistakes,
) -> Option<Probability> {
    let text = mistakes.text(node, what)?;
    let found = Probability::parse(text);
    if found.is_none() {
        let help = if text == "0" { for_zero } else { "write 0.1 or 1/10; at most 1" };
        mistakes.note_with_help(
            Code::Rate,
            &node.span,
            format!("`{text}` is not a probability above 0"),
            help,
        );
    }
    found
}

/// Records in a second: no node has so many.
const FASTEST: f64 = 1e6;
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
