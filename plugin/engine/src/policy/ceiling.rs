//! `ceiling: {rate, burst, by}` of a guard: keeps what fits under a limit, and above it one record of each pod and template in ten
//! seconds, so that an error storm does not fill the bill and still shows each of its errors.
//!
//! The rule kept here: all that a guard keeps is charged, the lines that go with a record included. Below the ceiling that is the
//! ceiling's rate. Above it a pod has a tenth of that on top, for kinds of lines that were not seen for ten seconds: whoever
//! invents a new kind with every line gets no more, and another pod's first error is not in their way.

use crate::key::{Key, KeyId, Part};
use crate::moment::Moment;
use crate::policy::gcra::{Buckets, GcraRate};
use crate::policy::keyed::Keyed;
use crate::policy::limit::owe;
use crate::policy::window::Windows;
use crate::policy::{Asked, Decides, Decision, KeyTable, Limit, Role, Tables};
use crate::tag_names::NamespaceId;
use crate::yaml::{Mistakes, Node, Rate, Unit};
use std::num::NonZeroU64;

/// How much a guard keeps before it thins out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceiling(pub Limit);

/// What fits under it, and the windows of what does not.
#[derive(Debug)]
pub(crate) struct CeilingState {
    below: Keyed<Buckets>,
    /// The kinds of lines above it.
    kinds: Keyed<Windows>,
    /// What each pod may keep of them.
    pods: Keyed<Buckets>,
    /// What a kind is, and whose it is.
    kind: Key,
    pod: Key,
}

impl Decides for Ceiling {
    const NAME: &'static str = "ceiling";
    const ROLE: Role = Role::Guard;
    const MAY_BE_LIFTED: bool = false;
    /// Without a kubelet all records of a node may be such, and a ceiling is there for the storm.
    const CHARGES_UNKNOWN: bool = true;
    type State = Box<CeilingState>;

    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Ceiling> {
        Limit::read_as(Self::NAME, node, mistakes).map(Ceiling)
    }

    fn start(&self, most: usize) -> Box<CeilingState> {
        Box::new(CeilingState {
            below: Keyed::new(most, self.0.gcra()),
            kinds: Keyed::new(most, KIND_PER),
            pods: Keyed::new(most, self.above()),
            kind: Key(vec![Part::Pod, Part::Template]),
            pod: Key(vec![Part::Pod]),
        })
    }

    fn decide(&self, state: &mut Box<CeilingState>, asked: &mut Asked<'_>) -> Decision {
        let rate = *state.below.settings();
        let key = asked.key(&self.0.by);
        let fits = state.below.decide(&key, asked, false, |buckets, asked, now| {
            buckets.of(&asked.moment).take(&rate, asked.bytes, now)
        });
        let decision = if fits.is_kept() { Decision::Fits { key: key.hash } } else { state.above(asked) };
        asked.give_back(key);
        decision
    }

    fn follow(
        &self,
        state: &mut Box<CeilingState>,
        before: Decision,
        namespace: NamespaceId,
        bytes: u64,
        moment: &Moment,
    ) -> bool {
        let of = |hash| KeyId { hash, namespace };
        match before {
            Decision::Fits { key } => owe(&mut state.below, of(key), bytes, moment),
            Decision::KeepFor { key, .. } => owe(&mut state.pods, of(key), bytes, moment),
            Decision::Keep
            | Decision::Drop
            | Decision::Lifted { .. }
            | Decision::KeepAbove(_)
            | Decision::DropOf { .. } => true,
        }
    }
}

impl Ceiling {
    /// What a pod may keep above it: a tenth of the rate, and at once a tenth of the burst, or some lines at least.
    fn above(&self) -> GcraRate {
        let Limit { rate, burst, by: _ } = &self.0;
        let least = match rate.unit {
            Unit::Records => 8,
            Unit::Bytes => 65_536,
        };
        let burst = NonZeroU64::new((burst.get() / 10).max(least)).unwrap_or(*burst);
        let Rate { unit, amount, per } = *rate;
        GcraRate::new(&Rate { unit, amount, per: per.saturating_mul(10) }, burst)
    }
}

impl CeilingState {
    /// Decides a record for which there is no room below the ceiling. The decision's key is the pod's.
    #[inline(never)]
    fn above(&mut self, asked: &mut Asked<'_>) -> Decision {
        let CeilingState { below: _, kinds, pods, kind, pod } = self;
        let rate = *pods.settings();
        let (pod, kind) = (asked.key(pod), asked.key(kind));
        let of_pod = pod.hash;
        // A kind that a pod has no room for takes no place in the table either.
        let has_room = kinds.is_known(kind.hash) || {
            let (buckets, _, now) =
                pods.known(KeyId { hash: of_pod, namespace: asked.keys.namespace() }, &asked.moment);
            buckets.of(&asked.moment).has_room(&rate, asked.bytes, now)
        };
        let decision = if has_room {
            let holds = asked.holds;
            kinds.decide(&kind, asked, holds, |windows, asked, now| {
                windows.of(&asked.moment).has_ended(now, KIND_PER)
                    && pods
                        .decide(&pod, asked, false, |buckets, asked, now| {
                            buckets.of(&asked.moment).take(&rate, asked.bytes, now)
                        })
                        .is_kept()
                    && windows.of(&asked.moment).enter(now, KIND_PER)
            })
        } else {
            Decision::DropOf { key: of_pod, is_on_key: false }
        };
        asked.give_back(kind);
        asked.give_back(pod);
        decision.of_key(of_pod)
    }
}

impl Tables for Box<CeilingState> {
    fn each(&mut self, take: &mut dyn FnMut(&mut dyn KeyTable)) {
        take(&mut self.below);
        take(&mut self.kinds);
        take(&mut self.pods);
    }
}

/// For how long a kind of line above the ceiling is not kept again.
const KIND_PER: u64 = 10_000_000_000;
