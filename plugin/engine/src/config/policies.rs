//! The policy of a rule: exactly one of the known ones, with its settings.

use crate::config::amounts::{parse_bytes, parse_one_in, parse_rate};
use crate::config::keys::key;
use crate::config::model::{
    Budget, Dedup, First, Floor, Key, Limit, Part, Policy, PolicyKind, Rate, Sample, Target, Unit,
};
use crate::config::section::{Mistakes, Section};
use crate::config::yaml::{Kind, Node};
use crate::diag::Code;
use crate::sample::{Probability, Threshold};
use std::num::NonZeroU64;
use std::time::Duration;

/// The policy in a rule's section. `node` is the rule as written.
pub(super) fn policy(node: &Node, section: &Section<'_>, mistakes: &mut Mistakes) -> Option<Policy> {
    let written: Vec<(PolicyKind, &Node)> = match &node.kind {
        Kind::Map(map) => map
            .iter()
            .filter_map(|(key, _)| match &key.kind {
                Kind::Scalar { text, .. } => PolicyKind::named(text).map(|kind| (kind, key)),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    match written.as_slice() {
        [] => {
            let span = section.span.start..section.span.start.saturating_add(1);
            let help = "add one of `drop: {}`, `keep: {}`, `sample: {rate: 1/10}`, `limit: {rate: 20/s}`";
            mistakes.note_with_help(Code::Policy, &span, "this rule has no policy", help);
            None
        }
        [(kind, _)] => {
            let node = section.get(kind.name())?;
            match kind {
                PolicyKind::Drop => Section::open(node, "drop", &[], mistakes).map(|_| Policy::Drop),
                PolicyKind::Keep => Section::open(node, "keep", &[], mistakes).map(|_| Policy::Keep),
                PolicyKind::Sample => sample(node, mistakes).map(Policy::Sample),
                PolicyKind::First => first(node, mistakes).map(Policy::First),
                PolicyKind::Limit => limit(node, "limit", mistakes).map(Policy::Limit),
                PolicyKind::Dedup => dedup(node, mistakes).map(Policy::Dedup),
                PolicyKind::Target => target(node, "target", mistakes).map(Policy::Target),
                PolicyKind::Budget => budget(node, mistakes).map(Policy::Budget),
            }
        }
        [_, (kind, second), ..] => {
            let message = format!("a rule has one policy; `{}` is another", kind.name());
            mistakes.note_with_help(Code::Policy, &second.span, message, "make it a rule of its own");
            None
        }
    }
}

fn sample(node: &Node, mistakes: &mut Mistakes) -> Option<Sample> {
    let section = Section::open(node, "sample", &["rate", "by", "else_by"], mistakes)?;
    let rate = required(&section, "sample", "rate", "1/10", mistakes);
    let rate = rate.and_then(|node| probability(node, "rate", "to keep none, write `drop: {}`", mistakes));
    let mut by = Vec::new();
    for name in ["by", "else_by"] {
        by.extend(section.get(name).and_then(|node| key(node, mistakes)));
    }
    if section.get("by").is_none()
        && let Some(node) = section.get("else_by")
    {
        mistakes.note(Code::MissingKey, &node.span, "`else_by` needs a `by` before it");
    }
    let rate = rate?;
    Some(Sample { rate, threshold: Threshold::new(rate), by })
}

fn first(node: &Node, mistakes: &mut Mistakes) -> Option<First> {
    let section = Section::open(node, "first", &["n", "per", "then", "by"], mistakes)?;
    let n = required(&section, "first", "n", "20", mistakes)
        .and_then(|node| mistakes.count(node, "n", 1..=1_000_000));
    let per =
        required(&section, "first", "per", "10s", mistakes).and_then(|node| window(node, "per", mistakes));
    let then = match section.get("then") {
        None => None,
        Some(node) => {
            let text = mistakes.text(node, "then")?;
            let found = parse_one_in(text).filter(|one_in| one_in.get() > 1);
            if found.is_none() {
                let help = "write 1/100; leave it out to keep none of the rest";
                mistakes.note_with_help(
                    Code::Rate,
                    &node.span,
                    format!("`{text}` is not one in a whole number of two or more"),
                    help,
                );
            }
            found
        }
    };
    let by = by(&section, mistakes);
    Some(First { n: u32::try_from(n?).ok()?, per: per?, then, by: by? })
}

/// Also a guard's ceiling, which is a limit; `what` is its name.
pub(super) fn limit(node: &Node, what: &str, mistakes: &mut Mistakes) -> Option<Limit> {
    let section = Section::open(node, what, &["rate", "burst", "by"], mistakes)?;
    let rate = required(&section, what, "rate", "20/s", mistakes).and_then(|node| rate(node, mistakes));
    let by = by(&section, mistakes);
    let burst = section.get("burst").map(|node| (node, mistakes.text(node, "burst")));
    let rate = rate?;
    let burst = match burst {
        None => NonZeroU64::new(rate.per_second() as u64).unwrap_or(NonZeroU64::MIN),
        Some((node, text)) => {
            let text = text?;
            let (found, help) = match rate.unit {
                Unit::Records => (text.parse().ok(), "write a whole number of records, such as 200"),
                Unit::Bytes => (parse_bytes(text), "write a size with its unit, such as 10MB"),
            };
            let found = found.and_then(NonZeroU64::new).filter(|burst| burst.get() <= MOST_BURST);
            if found.is_none() {
                let message = format!("`{text}` is not a burst of this rate");
                mistakes.note_with_help(Code::Amount, &node.span, message, help);
            }
            found?
        }
    };
    let seconds = burst.get() as f64 / rate.per_second();
    if seconds > LONGEST_BURST {
        let message = format!(
            "this burst is what the rate gives in {} days, at most a year's worth can be",
            (seconds / 86_400.0) as u64
        );
        mistakes.note(Code::Amount, &section.span, message);
        return None;
    }
    Some(Limit { rate, burst, by: by? })
}

fn dedup(node: &Node, mistakes: &mut Mistakes) -> Option<Dedup> {
    let section = Section::open(node, "dedup", &["window", "by"], mistakes)?;
    let window = required(&section, "dedup", "window", "30s", mistakes)
        .and_then(|node| window(node, "window", mistakes));
    let by = match section.get("by") {
        Some(node) => key(node, mistakes),
        None => Some(Key(vec![Part::Container, Part::Template])),
    };
    Some(Dedup { window: window?, by: by? })
}

fn target(node: &Node, what: &str, mistakes: &mut Mistakes) -> Option<Target> {
    let section = Section::open(node, what, &["rate", "by", "interval"], mistakes)?;
    let node = required(&section, what, "rate", "100/s", mistakes);
    let rate = node.and_then(|node| rate(node, mistakes).map(|rate| (rate, node)));
    let by = by(&section, mistakes);
    let interval = match section.get("interval") {
        Some(node) => window(node, "interval", mistakes),
        None => Some(DEFAULT_INTERVAL),
    };
    let (rate, node) = rate?;
    if rate.unit == Unit::Bytes {
        let help = "write 100/s; for bytes there are `limit` and `budget`";
        mistakes.note_with_help(Code::Amount, &node.span, format!("the rate of {what} is in records"), help);
    }
    Some(Target { rate, by: by?, interval: interval? })
}

fn budget(node: &Node, mistakes: &mut Mistakes) -> Option<Budget> {
    let section = Section::open(node, "budget", &["spend", "by", "soft", "over"], mistakes)?;
    let spend = required(&section, "budget", "spend", "2GiB/day", mistakes).and_then(|node| {
        let text = mistakes.text(node, "spend")?;
        let is_daily = |rate: &Rate| rate.unit == Unit::Bytes && rate.per == DAY;
        let found = parse_rate(text).filter(is_daily).map(|rate| rate.amount);
        if found.is_none() {
            let message = format!("`{text}` is not a size per day");
            mistakes.note_with_help(Code::Amount, &node.span, message, "write 2GiB/day or 500MB/day");
        }
        found
    });
    let by = by(&section, mistakes);
    let over = section.get("over").map(|node| target(node, "over", mistakes));
    let soft =
        section.get("soft").map(|node| (node, probability(node, "soft", "leave `soft` out", mistakes)));
    if let (Some((node, _)), None) = (&soft, &over) {
        let help = "add `over: {rate: 5/s}`";
        mistakes.note_with_help(Code::MissingKey, &node.span, "`soft` needs an `over` to turn into", help);
    }
    let over = match over {
        Some(over) => Some(over?),
        None => None,
    };
    let share = match soft {
        Some((_, share)) => share?.value(),
        None => DEFAULT_SOFT,
    };
    let spend = spend?;
    // Not more than the budget: the share is at most 1.
    let soft = over.as_ref().map(|_| (spend.get() as f64 * share) as u64);
    Some(Budget { spend, by: by?, soft, over })
}

/// The floor of a rule with this policy.
pub(super) fn floor(node: &Node, policy: Option<&Policy>, mistakes: &mut Mistakes) -> Option<Floor> {
    let section = Section::open(node, "floor", &["per", "by"], mistakes)?;
    let per =
        required(&section, "floor", "per", "60s", mistakes).and_then(|node| window(node, "per", mistakes));
    let own = match policy? {
        Policy::First(first) => &first.by,
        Policy::Limit(limit) => &limit.by,
        Policy::Target(target) => &target.by,
        Policy::Budget(budget) => &budget.by,
        other => {
            let message = format!("`{}` has no floor", other.name());
            let help = "floors are for first, limit, target and budget";
            mistakes.note_with_help(Code::Policy, &section.span, message, help);
            return None;
        }
    };
    let by = match section.get("by") {
        Some(node) => key(node, mistakes),
        None => Some(own.clone()),
    };
    Some(Floor { per: per?, by: by? })
}

fn by(section: &Section<'_>, mistakes: &mut Mistakes) -> Option<Key> {
    match section.get("by") {
        Some(node) => key(node, mistakes),
        None => Some(Key::default()),
    }
}

fn required<'n>(
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
fn window(node: &Node, what: &str, mistakes: &mut Mistakes) -> Option<Duration> {
    let found = mistakes.duration(node, what)?;
    if !(SHORTEST..=LONGEST).contains(&found) {
        mistakes.note(Code::Duration, &node.span, format!("{what} must be from 1ms to 7d"));
        return None;
    }
    Some(found)
}

fn rate(node: &Node, mistakes: &mut Mistakes) -> Option<Rate> {
    let text = mistakes.text(node, "rate")?;
    let found = parse_rate(text).filter(|rate| rate.unit == Unit::Bytes || rate.per_second() <= FASTEST);
    if found.is_none() {
        let help = "write 20/s, 300/m, 1000/h, or with bytes 5MB/s; at most a million records a second";
        mistakes.note_with_help(Code::Amount, &node.span, format!("`{text}` is not a rate"), help);
    }
    found
}

fn probability(node: &Node, what: &str, for_zero: &str, mistakes: &mut Mistakes) -> Option<Probability> {
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

/// Seconds of a rate that a burst can be: a year's.
const LONGEST_BURST: f64 = 31_536_000.0;
const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
const DEFAULT_SOFT: f64 = 0.8;
/// Records in a second: no node has so many.
const FASTEST: f64 = 1e6;
const DAY: Duration = Duration::from_secs(86_400);
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// Records or bytes: a burst of more is no limit, and its time would not fit.
const MOST_BURST: u64 = 1_000_000_000_000;
