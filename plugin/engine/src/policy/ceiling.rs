//! `ceiling: {rate, burst, by}` of a guard: keeps what fits under a limit, and above it one record of each pod and template in ten
//! seconds, so that an error storm does not fill the bill and still shows each of its errors.

use crate::key::{Key, KeyId, KeyText, Part};
use crate::moment::Moment;
use crate::policy::gcra::Buckets;
use crate::policy::keyed::Keyed;
use crate::policy::limit::owe;
use crate::policy::window::Windows;
use crate::policy::{Asked, Decides, Decision, KeyTable, Limit, Role, Tables};
use crate::yaml::{Mistakes, Node};

/// How much a guard keeps before it thins out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceiling(pub Limit);

/// What fits under it, and the windows of what does not.
#[derive(Debug)]
pub(crate) struct CeilingState {
    below: Keyed<Buckets>,
    above: Box<Keyed<Windows>>,
    above_by: Key,
}

impl Decides for Ceiling {
    const NAME: &'static str = "ceiling";
    const ROLE: Role = Role::Guard;
    /// Without a kubelet all records of a node may be such, and a ceiling is there for the storm.
    const CHARGES_UNKNOWN: bool = true;
    type State = CeilingState;

    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Ceiling> {
        Limit::read_as(Self::NAME, node, mistakes).map(Ceiling)
    }

    fn start(&self, most: usize) -> CeilingState {
        CeilingState {
            below: Keyed::new(most, self.0.gcra()),
            above: Box::new(Keyed::new(most, ABOVE_PER)),
            above_by: Key(ABOVE.to_vec()),
        }
    }

    fn decide(&self, state: &mut CeilingState, asked: &mut Asked<'_>) -> Decision {
        let CeilingState { below, above, above_by } = state;
        let rate = *below.settings();
        let key = asked.key(&self.0.by);
        let fits = below.decide(&key, asked, false, |buckets, asked, now| {
            buckets.of(&asked.moment).take(&rate, asked.bytes, now)
        });
        let KeyText { hash, mut text } = key;
        let decision = if fits.is_kept() {
            Decision::Fits { key: hash }
        } else {
            text.clear();
            asked.keys.write(above_by, &mut text);
            let kind = KeyText::new(std::mem::take(&mut text));
            let holds = asked.holds;
            let decision = above.decide(&kind, asked, holds, |windows, asked, now| {
                windows.of(&asked.moment).enter(now, ABOVE_PER)
            });
            text = kind.text;
            decision.of_key(hash)
        };
        asked.buffers.give_back(text);
        decision
    }

    fn follow(&self, state: &mut CeilingState, key: KeyId, is_kept: bool, bytes: u64, moment: &Moment) {
        if is_kept {
            owe(&mut state.below, key, bytes, moment);
        }
    }
}

impl Tables for CeilingState {
    fn each(&mut self, take: &mut dyn FnMut(&mut dyn KeyTable)) {
        take(&mut self.below);
        take(&mut *self.above);
    }
}

/// What a guard still keeps above its ceiling: one record of each pod and template ...
const ABOVE: [Part; 2] = [Part::Pod, Part::Template];
/// ... in ten seconds.
const ABOVE_PER: u64 = 10_000_000_000;
