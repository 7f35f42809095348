//! `limit: {rate, burst, by}`: keeps at most so much in a time, by the rate of [`crate::policy::gcra`].

use crate::diag::Code;
use crate::key::{Key, KeyId};
use crate::moment::Moment;
use crate::policy::gcra::{Buckets, GcraRate};
use crate::policy::keyed::Keyed;
use crate::policy::settings::{by, rate, required};
use crate::policy::{Asked, Decides, Decision};
use crate::tag_names::NamespaceId;
use crate::yaml::{Mistakes, Node, Rate, Section, Unit, parse_bytes};
use std::num::NonZeroU64;

/// A rate with a burst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How much in how long.
    pub rate: Rate,
    /// How much at one instant, in the unit of the rate.
    pub burst: NonZeroU64,
    /// For each of which there is a limit of its own.
    pub by: Key,
}

impl Decides for Limit {
    const NAME: &'static str = "limit";
    type State = Keyed<Buckets>;

    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Limit> {
        Limit::read_as(Self::NAME, node, mistakes)
    }

    fn start(&self, most: usize) -> Keyed<Buckets> {
        Keyed::new(most, self.gcra())
    }

    fn decide(&self, buckets: &mut Keyed<Buckets>, asked: &mut Asked<'_>) -> Decision {
        let rate = *buckets.settings();
        buckets.decide_by(&self.by, asked, |buckets, asked, now| {
            let is_kept = buckets.of(&asked.moment).take(&rate, asked.bytes, now);
            asked.settle(is_kept, &mut || true)
        })
    }

    fn floor_by(&self) -> Option<&Key> {
        Some(&self.by)
    }

    fn follow(
        &self,
        buckets: &mut Keyed<Buckets>,
        before: Decision,
        namespace: NamespaceId,
        bytes: u64,
        moment: &Moment,
    ) -> bool {
        match before.key() {
            Some(hash) if before.is_kept() => owe(buckets, KeyId { hash, namespace }, bytes, moment),
            _ => true,
        }
    }
}

impl Limit {
    pub(super) fn gcra(&self) -> GcraRate {
        GcraRate::new(&self.rate, self.burst)
    }

    /// Also a guard's ceiling, which is a limit; `what` is its name.
    pub(super) fn read_as(what: &str, node: &Node, mistakes: &mut Mistakes) -> Option<Limit> {
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
}

/// Charges a line that is to be kept with the one before it, room or not, unless the debt is as large as it gets: many reports
/// at once would pass the limit otherwise. Whether it was charged.
pub(super) fn owe(buckets: &mut Keyed<Buckets>, key: KeyId, bytes: u64, moment: &Moment) -> bool {
    let rate = *buckets.settings();
    let (state, _, now) = buckets.known(key, moment);
    state.of(moment).owe(&rate, bytes, now)
}

/// Seconds of a rate that a burst can be: a year's.
const LONGEST_BURST: f64 = 31_536_000.0;
/// Records or bytes: a burst of more is no limit, and its time would not fit.
const MOST_BURST: u64 = 1_000_000_000_000;
