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
