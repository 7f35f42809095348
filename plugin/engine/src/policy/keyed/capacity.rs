//! How many keys all rules remember together, and what of it each table can count on.

/// The keys of all rules.
///
/// Half of the capacity is set aside for the tables in force, in equal parts; the rest is for whoever comes first. So no
/// rule takes all of it from another one, whatever is in its keys.
#[derive(Debug)]
pub(crate) struct KeyCapacity {
    taken: usize,
    /// What is taken beyond the parts that are set aside.
    pooled: usize,
    /// How much of that there is.
    pool: usize,
}

impl Default for KeyCapacity {
    fn default() -> KeyCapacity {
        KeyCapacity { taken: 0, pooled: 0, pool: MAX_KEYS }
    }
}

impl KeyCapacity {
    /// What is set aside for each of so many tables, of which none takes more than `most`.
    pub(crate) fn reserve_of(tables: usize, most: usize) -> usize {
        (MAX_KEYS / 2).checked_div(tables).unwrap_or(0).min(most)
    }

    /// With `reserve` set aside for each of so many tables, which have taken so much, and so much of it beyond that.
    pub(crate) fn new((tables, reserve): (usize, usize), taken: usize, pooled: usize) -> KeyCapacity {
        KeyCapacity { taken, pooled, pool: MAX_KEYS.saturating_sub(tables.saturating_mul(reserve)) }
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    #[cfg(test)]
    pub(crate) fn pooled(&self) -> usize {
        self.pooled
    }

    /// Whether keys that are idle should be looked for.
    pub(crate) fn is_nearly_full(&self) -> bool {
        let is_nearly = |taken: usize, most: usize| taken > most.saturating_sub(most / 8);
        is_nearly(self.taken, MAX_KEYS) || is_nearly(self.pooled, self.pool)
    }

    /// Whether there is room for something that is no key of a table.
    pub(crate) fn has_room_for(&self, more: usize) -> bool {
        self.taken.saturating_add(more) <= MAX_KEYS && self.pooled.saturating_add(more) <= self.pool
    }

    pub(crate) fn take(&mut self, more: usize) {
        self.taken = self.taken.saturating_add(more);
        self.pooled = self.pooled.saturating_add(more);
    }

    pub(crate) fn give_back(&mut self, fewer: usize) {
        self.taken = self.taken.saturating_sub(fewer);
        self.pooled = self.pooled.saturating_sub(fewer);
    }

    /// Whether there is room for one more key of a table that holds so many.
    pub(super) fn has_place(&self, held: usize, reserve: usize) -> bool {
        if held < reserve { self.taken < MAX_KEYS } else { self.has_room_for(1) }
    }

    /// Takes a place for a table that has held so many.
    pub(super) fn take_place(&mut self, held: usize, reserve: usize) {
        self.taken = self.taken.saturating_add(1);
        self.pooled = self.pooled.saturating_add(usize::from(held >= reserve));
    }

    /// Gives one back for a table that holds so many from now on.
    pub(super) fn give_back_place(&mut self, held: usize, reserve: usize) {
        self.taken = self.taken.saturating_sub(1);
        self.pooled = self.pooled.saturating_sub(usize::from(held >= reserve));
    }
}

/// Most keys of all rules together, and so of one.
pub(crate) const MAX_KEYS: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the tables take and give back in whatever order, the sums are those of the tables, the cap holds, and
        /// each table gets what is set aside for it.
        #[test]
        fn each_table_gets_its_part_and_all_together_no_more_than_there_is(
            steps in prop::collection::vec((0usize..3, any::<bool>(), 1usize..9000), 0..60), most in 1usize..30_000,
        ) {
            let reserve = KeyCapacity::reserve_of(3, most);
            let mut capacity = KeyCapacity::new((3, reserve), 0, 0);
            let mut held = [0usize; 3];
            for (table, takes, times) in steps {
                for _ in 0..times {
                    let own = &mut held[table];
                    if takes && capacity.has_place(*own, reserve) {
                        capacity.take_place(*own, reserve);
                        *own += 1;
                    } else if takes {
                        prop_assert!(*own >= reserve);
                    } else if *own > 0 {
                        *own -= 1;
                        capacity.give_back_place(*own, reserve);
                    }
                }
                prop_assert_eq!(capacity.taken(), held.iter().sum::<usize>());
                prop_assert!(capacity.taken() <= MAX_KEYS);
                let pooled: usize = held.iter().map(|held| held.saturating_sub(reserve)).sum();
                prop_assert_eq!(capacity.pooled, pooled);
            }
        }
    }

    #[test]
    fn a_single_table_can_have_it_all() {
        let reserve = KeyCapacity::reserve_of(1, MAX_KEYS);
        let mut capacity = KeyCapacity::new((1, reserve), 0, 0);
        for held in 0..MAX_KEYS {
            assert!(capacity.has_place(held, reserve));
            capacity.take_place(held, reserve);
        }
        assert!(!capacity.has_place(MAX_KEYS, reserve));
    }
}
