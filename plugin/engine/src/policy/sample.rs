//! `sample: {rate, by, else_by}`: keeps a share, of each trace or key all or nothing.
//!
//! What decides is [`crate::threshold`]: randomness from the first key that a record has, else from the generator, against the
//! threshold of the rate. A record that an earlier stage has sampled brings its randomness and threshold along.

use crate::diag::Code;
use crate::key::{Key, KeySource, Part};
use crate::policy::settings::{probability, required};
use crate::policy::{Action, Asked, Decides, Decision};
use crate::threshold::{Probability, Threshold};
use crate::yaml::{Mistakes, Node, Section};

/// Probability sampling.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The share as written.
    pub rate: Probability,
    /// What randomness is compared with.
    pub threshold: Threshold,
    /// Where randomness comes from: a key if there is one, else the next key, else the generator.
    pub by: Vec<Key>,
}

impl Decides for Sample {
    const NAME: &'static str = "sample";
    const IS_SAMPLING: bool = true;
    type State = ();

    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Sample> {
        let section = Section::open(node, Self::NAME, &["rate", "by", "else_by"], mistakes)?;
        let rate = required(&section, Self::NAME, "rate", "1/10", mistakes);
        let rate =
            rate.and_then(|node| probability(node, "rate", "to keep none, write `drop: {}`", mistakes));
        let mut by = Vec::new();
        for name in ["by", "else_by"] {
            by.extend(section.get(name).and_then(|node| Key::read(node, mistakes)));
        }
        if section.get("by").is_none()
            && let Some(node) = section.get("else_by")
        {
            mistakes.note(Code::MissingKey, &node.span, "`else_by` needs a `by` before it");
        }
        let rate = rate?;
        Some(Sample { rate, threshold: Threshold::new(rate), by })
    }

    fn start(&self, _: usize) {}

    /// A missing trace id never drops by itself: without any key, the generator decides.
    fn decide(&self, (): &mut (), asked: &mut Asked<'_>) -> Decision {
        let (randomness, earlier) = match self.keyed(asked.keys) {
            Some(keyed) => keyed,
            None => (asked.random.u64(..), None),
        };
        match (self.keeps(randomness, earlier), earlier) {
            (false, _) => Decision::Drop,
            (true, None) => Decision::Keep,
            (true, Some(threshold)) => Decision::KeepAbove(threshold),
        }
    }

    fn certain(&self, keys: &mut dyn KeySource) -> Option<Action> {
        let (randomness, earlier) = self.keyed(keys)?;
        Some(if self.keeps(randomness, earlier) { Action::Keep } else { Action::Drop })
    }

    fn annotation(&self, rule: &str) -> Option<Vec<u8>> {
        Some(annotation(rule, self.rate.value(), self.threshold))
    }
}

impl Sample {
    /// The randomness of the first key that the record has, or `None` when it has none. The threshold is that of an earlier
    /// stage where it is the higher one: of what that stage let through, only what it would not have is ours to drop.
    fn keyed(&self, keys: &mut dyn KeySource) -> Option<(u64, Option<Threshold>)> {
        for key in &self.by {
            let by_trace = matches!(key.0.as_slice(), [Part::TraceId]);
            let (explicit, earlier) = if by_trace { keys.sampled_before() } else { (None, None) };
            let Some(randomness) = explicit.or_else(|| keys.randomness(key)) else { continue };
            // A threshold that this record would not have passed is no truth about it.
            let earlier = earlier.filter(|earlier| *earlier > self.threshold && earlier.keeps(randomness));
            return Some((randomness, earlier));
        }
        None
    }

    fn keeps(&self, randomness: u64, earlier: Option<Threshold>) -> bool {
        earlier.unwrap_or(self.threshold).keeps(randomness)
    }
}

/// What a record says about the sampling it went through.
pub(crate) fn annotation(rule: &str, rate: f64, threshold: Threshold) -> Vec<u8> {
    format!("{{\"rule\":\"{rule}\",\"rate\":{rate},\"th\":\"{}\"}}", threshold.text()).into_bytes()
}
