//! Max-min fair sharing (water-filling), among namespaces and among keys.

/// Records expected of a number of keys.
#[derive(Clone, Copy)]
pub(super) struct Offer {
    pub(super) records: f64,
    pub(super) keys: f64,
}

/// What each of so many groups asks for, from what each of its keys does.
pub(super) fn by_group(records: impl Iterator<Item = (usize, f64)>, groups: usize) -> Vec<f64> {
    let mut whole = vec![0.0; groups];
    for (group, records) in records {
        if let Some(whole) = whole.get_mut(group) {
            *whole += records;
        }
    }
    whole
}

/// The level of each group at which `budget` of what is offered is kept. `whole` is what each group asks for, among which
/// `shared` is shared first. What is offered comes with its group.
///
/// Shared among all keys alike, a goal would go to whoever has most keys. Shared among namespaces and then among the keys of
/// each, a namespace with a hundred pods would get no more than one with a single one. So one part is shared in the one
/// way and what is left in the other: the level of a key is the sum of both.
pub(super) fn levels(
    budget: f64,
    (shared, whole): (f64, &[f64]),
    offers: impl Iterator<Item = (usize, Offer)> + Clone,
) -> Vec<f64> {
    let mut of_group = vec![0.0; whole.len()];
    let mut rest = budget;
    if whole.iter().filter(|records| **records > 0.0).count() > 1 {
        let share = level(shared, whole.iter().map(|records| Offer { records: *records, keys: 1.0 }));
        let budgets: Vec<f64> = whole.iter().map(|records| records.min(share)).collect();
        rest = (rest - budgets.iter().sum::<f64>()).max(0.0);
        of_group = levels_of(&budgets, offers.clone());
        for (level, records) in of_group.iter_mut().zip(whole) {
            // All of it fits, or nothing has come yet.
            if *records <= share {
                *level = f64::INFINITY;
            }
        }
    }
    // What is not kept by the share of its namespace.
    let of_group_at = |group: usize| of_group.get(group).copied().unwrap_or(f64::INFINITY);
    let beyond = offers.filter_map(|(group, Offer { records, keys })| {
        let records = records - of_group_at(group) * keys;
        (records > 0.0).then_some(Offer { records, keys })
    });
    let of_all = level(rest, beyond);
    of_group.iter().map(|of_group| of_group + of_all).collect()
}

/// The level at which the sum of keys · min(records / keys, level) is `budget`; infinite when all records fit.
pub(super) fn level(budget: f64, offers: impl Iterator<Item = Offer> + Clone) -> f64 {
    let found = levels_of(&[budget], offers.map(|offer| (0, offer)));
    found.first().copied().unwrap_or(f64::INFINITY)
}

/// The level of each group by itself.
///
/// Newton's method from below on a concave line of straight pieces. Each pass at least halves the missing rest or the
/// keys above the level, so single precision is reached in log4(keys · 2^24) passes: 18 for 4,096 keys, usually 2 or 3.
fn levels_of(budgets: &[f64], offers: impl Iterator<Item = (usize, Offer)> + Clone) -> Vec<f64> {
    struct Search {
        level: f64,
        rest: f64,
        keys: f64,
    }
    let mut searches: Vec<Search> =
        budgets.iter().map(|_| Search { level: 0.0, rest: 0.0, keys: 0.0 }).collect();
    for _ in 0..MOST_PASSES {
        for (search, budget) in searches.iter_mut().zip(budgets) {
            (search.rest, search.keys) = (*budget, 0.0);
        }
        for (group, offer) in offers.clone() {
            let Some(search) = searches.get_mut(group) else { continue };
            if offer.records <= search.level * offer.keys {
                search.rest -= offer.records;
            } else {
                search.keys += offer.keys;
            }
        }
        let mut is_found = true;
        for search in &mut searches {
            let next = if search.keys > 0.0 { search.rest / search.keys } else { f64::INFINITY };
            if next > search.level {
                search.level = next;
                is_found = false;
            }
        }
        if is_found {
            break;
        }
    }
    searches.iter().map(|search| search.level).collect()
}

/// Never 0, which means that there is none.
pub(super) fn chance(level: f64, records: f64) -> f32 {
    if records <= level { 1.0 } else { ((level / records) as f32).max(f32::MIN_POSITIVE) }
}

const MOST_PASSES: u8 = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Guarantees: with keys of several namespaces, the budget is kept; a namespace that asks for no more than its share
        /// is kept whole, each other one keeps at least the share; in a namespace no key gets more than another that asks
        /// for more; and with one namespace the level is that of its keys.
        #[test]
        fn each_namespace_keeps_its_share_and_all_together_the_budget(
            keys in prop::collection::vec((0usize..4, 0.01f64..100.0), 1..60),
            part in 0.05f64..0.95, of_it in 0.1f64..1.0, namespaces in 1usize..5,
        ) {
            let keys: Vec<(usize, f64)> = keys.into_iter().map(|(group, n)| (group % namespaces, n)).collect();
            let whole = by_group(keys.iter().copied(), namespaces);
            let budget = part * whole.iter().sum::<f64>();
            let shared = of_it * budget;
            let offers = keys.iter().map(|(group, records)| (*group, Offer { records: *records, keys: 1.0 }));
            let levels = levels(budget, (shared, &whole), offers.clone());
            let kept = by_group(keys.iter().map(|(group, n)| (*group, n.min(levels[*group]))), namespaces);
            prop_assert!((kept.iter().sum::<f64>() / budget - 1.0).abs() < 1e-6);
            let asking = whole.iter().filter(|records| **records > 0.0).count();
            let equal = shared / asking as f64;
            for (kept, whole) in kept.iter().zip(&whole).filter(|(_, whole)| **whole > 0.0) {
                let is_whole = (kept / whole - 1.0).abs() < 1e-6;
                prop_assert!(is_whole || *kept >= equal * (1.0 - 1e-6) || asking == 1, "{kept} of {whole}");
            }
            if asking == 1 {
                let alone = level(budget, offers.map(|(_, offer)| offer));
                prop_assert_eq!(levels.iter().filter(|level| **level == alone).count(), namespaces);
            }
        }
    }

    /// One namespace with ten keys and one with a single one, all of which ask for more than there is: between what would be
    /// fair to the keys and what would be fair to the namespaces.
    #[test]
    fn a_namespace_with_many_keys_gets_more_than_one_with_few() {
        let keys = (0..11).map(|key| (usize::from(key == 10), Offer { records: 1000.0, keys: 1.0 }));
        let found = levels(110.0, (55.0, &[10_000.0, 1_000.0]), keys);
        assert_eq!(found, [2.75 + 5.0, 27.5 + 5.0]);
    }
}
