//! The `nodesieve` object on a kept record: which sampling it went through, or how many records it stands for.
//!
//! Names of rules need no escapes. A record that no policy sampled or counted carries none.

use crate::config::RuleFile;
use crate::config::model::Policy;
use crate::engine::Why;
use crate::engine::decide::Decided;
use crate::sample::Threshold;

/// The key under which it goes.
pub(super) const KEY: &str = "nodesieve";

/// What every record that a rule samples carries.
pub(super) fn of_rule(annotate: bool, name: &str, policy: &Policy) -> Option<Vec<u8>> {
    match policy {
        Policy::Sample(sample) if annotate => Some(sampled(name, sample.rate.value(), sample.threshold)),
        _ => None,
    }
}

/// What this record alone carries: the records it stands for, or the threshold of an earlier stage.
#[inline]
pub(super) fn of_record(rules: &RuleFile, decided: &Decided) -> Option<Vec<u8>> {
    if decided.count <= 1 && decided.threshold.is_none() || !rules.annotate {
        return None;
    }
    let name = match decided.verdict.why {
        Why::Guard(at) => &rules.guards.get(at)?.name,
        Why::Rule(at) => &rules.rules.get(at)?.name,
        _ => return None,
    };
    Some(match decided.threshold {
        Some(threshold) => sampled(name, threshold.probability(), threshold),
        None => format!("{{\"rule\":\"{name}\",\"count\":{}}}", decided.count).into_bytes(),
    })
}

fn sampled(name: &str, rate: f64, threshold: Threshold) -> Vec<u8> {
    format!("{{\"rule\":\"{name}\",\"rate\":{rate},\"th\":\"{}\"}}", threshold.text()).into_bytes()
}
