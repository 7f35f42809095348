//! Laws of a goal: the level is that of a slow search, and no window keeps more than the cap.

use super::*;
use proptest::prelude::*;

/// The level by bisection.
fn slow_level(budget: f64, sources: &[Offer]) -> f64 {
    let (mut low, mut high) = (0.0, 1e9);
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if filled(middle, sources) < budget { low = middle } else { high = middle }
    }
    low
}

fn filled(level: f64, sources: &[Offer]) -> f64 {
    sources.iter().map(|source| source.records.min(level * source.keys)).sum()
}

/// What happens to a goal in the laws below.
#[derive(Clone, Copy, Debug)]
enum Step {
    Offer(u64),
    Follow(u64),
    Floor,
    Wait(u64),
    Back(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0u64..6).prop_map(Step::Offer),
        3 => (0u64..6).prop_map(Step::Follow),
        3 => Just(Step::Floor),
        4 => (0u32..36).prop_map(|bits| Step::Wait(1 << bits)),
        1 => (0u32..44).prop_map(|bits| Step::Back(1 << bits)),
    ];
    // Runs of one step, so that clumps exhaust the cap.
    prop::collection::vec((step, 1usize..60), 1..40).prop_map(|runs| {
        runs.into_iter().flat_map(|(step, times)| std::iter::repeat_n(step, times)).collect()
    })
}

proptest! {
    #[test]
    fn the_level_is_that_of_a_bisection(
        sources in prop::collection::vec((0.0f64..1e6, prop_oneof![4 => Just(1.0f64), 1 => 1.0f64..1e5]), 1..300),
        skew in 0i32..6,
        part in 0.0001f64..1.5,
    ) {
        let sources: Vec<_> =
            sources.into_iter().map(|(n, keys)| Offer { records: n * (n / 1e6).powi(skew), keys }).collect();
        let total = filled(f64::INFINITY, &sources);
        let budget = part * total;
        let found = level(budget, sources.iter().copied());
        if total <= budget {
            prop_assert!(sources.iter().all(|source| chance(found, source.records / source.keys) == 1.0));
        } else if total > 0.0 {
            prop_assert!((filled(found, &sources) / budget - 1.0).abs() < 1e-3);
            prop_assert!((found / slow_level(budget, &sources) - 1.0).abs() < 1e-3);
        }
    }

    /// Scenario: records, lines that follow, floors, pauses and a clock set back, at any rate.
    /// Guarantees: in no window of t seconds (counted by the steps forward alone) does the cap let more through than
    /// one interval's goal + 1.2 · rate · t + 1, and every chance stays one.
    #[test]
    fn no_window_keeps_more_than_the_cap(
        steps in steps(), rate in -9.0f64..14.0, seconds in 1u64..100, seed: u64,
    ) {
        let per_second = rate.exp().min(1e6);
        let mut goal = Goal::new(per_second, seconds * SECOND);
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut table: BTreeMap<u64, Estimate> = BTreeMap::new();
        let (mut now, mut forward) = (BEGIN, 0u64);
        let mut kept = Vec::new();
        for step in steps {
            if goal.is_due(now) {
                goal.roll(now, grouped(&mut table));
                table.retain(|_, estimate| !estimate.is_idle());
                prop_assert!(!goal.is_due(now));
                for chance in table.values().chain([&goal.others[0].estimate]).map(|estimate| estimate.chance) {
                    prop_assert!(chance > 0.0 && chance <= 1.0);
                }
                prop_assert!((0.25..=4.0).contains(&goal.gain) && goal.expected >= 0.0);
            }
            let mut estimate = match step {
                Step::Offer(key) | Step::Follow(key) if key < 4 => Some(table.entry(key).or_default()),
                _ => None,
            };
            let was_kept = match step {
                Step::Offer(key) => goal.offer(key, ALONE, estimate.take(), now, rng.f64()),
                Step::Follow(key) => {
                    goal.follow(key, ALONE, estimate.take(), now, rng.bool());
                    false
                }
                Step::Floor => goal.admit_floor(ALONE, now),
                Step::Wait(nanos) => {
                    now += nanos;
                    forward += nanos;
                    false
                }
                Step::Back(nanos) => {
                    now -= nanos;
                    false
                }
            };
            if was_kept {
                kept.push(forward as f64 / 1e9);
            }
        }
        for (first, from) in kept.iter().enumerate() {
            for (last, to) in kept.iter().enumerate().skip(first) {
                let bound = per_second * (seconds as f64 + 1.2 * (to - from)) + 1.0;
                prop_assert!((last - first + 1) as f64 <= bound * (1.0 + 1e-9), "{first} to {last}: {bound}");
            }
        }
    }
}
