//! Which key has which place, in the order of use, apart for each namespace.
//!
//! It exists so that a namespace with too many keys can give up its own least recently used one at once, however many
//! there are: no step here looks through the keys. It knows nothing of what is remembered of a key, so that it is in the
//! module once.

use crate::tag_names::NamespaceId;
use hashbrown::HashTable;

/// The places of a table.
#[derive(Debug)]
pub(super) struct Places {
    /// By key, which is a hash already.
    of: HashTable<u32>,
    places: Vec<Place>,
    /// The first of the places that are free; each says which is next.
    free: u32,
    /// The place that was used last.
    last: u32,
    /// The first is of records without a namespace, and of namespaces beyond the cap.
    groups: Vec<Group>,
    /// By namespace, likewise.
    group_of: HashTable<u32>,
    last_group: u32,
    /// Groups that hold a place.
    holding: usize,
    /// The group that was looked at last to see whether it can spare something.
    turn: usize,
}

#[derive(Debug)]
struct Place {
    key: u64,
    /// [`NONE`] when it is free.
    group: u32,
    /// Its neighbours of the same group, in the order of use.
    newer: u32,
    older: u32,
}

/// The keys of a namespace.
#[derive(Debug)]
struct Group {
    namespace: NamespaceId,
    newest: u32,
    oldest: u32,
    held: u32,
}

impl Group {
    fn new(namespace: NamespaceId) -> Group {
        Group { namespace, newest: NONE, oldest: NONE, held: 0 }
    }
}

impl Places {
    pub(super) fn new() -> Places {
        Places {
            of: HashTable::new(),
            places: Vec::new(),
            free: NONE,
            last: NONE,
            groups: vec![Group::new(NamespaceId::NONE)],
            group_of: HashTable::new(),
            last_group: 0,
            holding: 0,
            turn: 0,
        }
    }

    /// Places taken.
    pub(super) fn len(&self) -> usize {
        self.of.len()
    }

    /// The place of a key.
    pub(super) fn peek(&self, key: u64) -> Option<usize> {
        let Places { of, places, .. } = self;
        of.find(key, |place| places.get(*place as usize).is_some_and(|place| place.key == key))
            .map(|place| *place as usize)
    }

    /// The place of a key, which is then the most recently used one of its group.
    #[inline]
    pub(super) fn find(&mut self, key: u64) -> Option<usize> {
        // Records of one key come in runs: the last one is compared before anything is looked up.
        let last = self.places.get(self.last as usize);
        if last.is_some_and(|last| last.key == key) {
            return Some(self.last as usize);
        }
        let place = self.peek(key)? as u32;
        self.last = place;
        let group = self.places.get(place as usize).map_or(NONE, |found| found.group);
        let is_newest = self.groups.get(group as usize).is_some_and(|group| group.newest == place);
        if !is_newest {
            self.detach(place);
            self.attach(place, group);
        }
        Some(place as usize)
    }

    /// Gives a place to a key that has none.
    pub(super) fn insert(&mut self, key: u64, group: usize) -> usize {
        let group = if group < self.groups.len() { group as u32 } else { 0 };
        let new = Place { key, group, newer: NONE, older: NONE };
        let place = self.free;
        let place = match self.places.get_mut(place as usize) {
            Some(free) => {
                self.free = free.older;
                *free = new;
                place
            }
            None => {
                self.places.push(new);
                self.places.len().saturating_sub(1) as u32
            }
        };
        let Places { of, places, .. } = self;
        of.insert_unique(key, place, |place| places.get(*place as usize).map_or(0, |place| place.key));
        self.attach(place, group);
        if let Some(group) = self.groups.get_mut(group as usize) {
            self.holding = self.holding.wrapping_add(usize::from(group.held == 0));
            group.held = group.held.wrapping_add(1);
        }
        self.last = place;
        place as usize
    }

    /// Frees a place.
    pub(super) fn remove(&mut self, place: usize) {
        let Some(found) = self.places.get(place).filter(|found| found.group != NONE) else { return };
        let (key, group) = (found.key, found.group);
        if let Ok(found) = self.of.find_entry(key, |known| *known as usize == place) {
            found.remove();
        }
        self.detach(place as u32);
        if let Some(group) = self.groups.get_mut(group as usize) {
            group.held = group.held.saturating_sub(1);
            self.holding = self.holding.saturating_sub(usize::from(group.held == 0));
        }
        if self.last as usize == place {
            self.last = NONE;
        }
        if let Some(found) = self.places.get_mut(place) {
            *found = Place { key: 0, group: NONE, newer: NONE, older: self.free };
        }
        self.free = place as u32;
    }

    /// Numbers the places anew, so that none is free and no more room is taken than for them. Says which number each had.
    pub(super) fn renumber(&mut self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.len());
        for (at, group) in self.groups.iter_mut().enumerate() {
            let mut place = group.oldest;
            while let Some(found) = self.places.get(place as usize) {
                order.push((place as usize, found.key, at));
                place = found.newer;
            }
            *group = Group::new(group.namespace);
        }
        (self.free, self.last, self.holding) = (NONE, NONE, 0);
        self.places = Vec::with_capacity(order.len());
        self.of = HashTable::with_capacity(order.len());
        for (_, key, group) in &order {
            self.insert(*key, *group);
        }
        order.into_iter().map(|(before, ..)| before).collect()
    }

    /// The key and the group of a place that is taken.
    pub(super) fn at(&self, place: usize) -> Option<(u64, usize)> {
        let found = self.places.get(place).filter(|found| found.group != NONE)?;
        Some((found.key, found.group as usize))
    }

    /// The place of a group that was not used for longest.
    pub(super) fn oldest(&self, group: usize) -> Option<usize> {
        let oldest = self.groups.get(group)?.oldest;
        (oldest != NONE).then_some(oldest as usize)
    }

    /// Groups, whether they hold places or not.
    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn namespace(&self, group: usize) -> NamespaceId {
        self.groups.get(group).map_or(NamespaceId::NONE, |group| group.namespace)
    }

    /// The group of a namespace, if it has one of its own.
    pub(super) fn group(&mut self, namespace: NamespaceId) -> Option<usize> {
        if namespace == NamespaceId::NONE {
            return Some(0);
        }
        let last = self.groups.get(self.last_group as usize);
        if last.is_none_or(|last| last.namespace != namespace) {
            let Places { groups, group_of, .. } = self;
            let is_of =
                |group: &u32| groups.get(*group as usize).is_some_and(|group| group.namespace == namespace);
            self.last_group = *group_of.find(namespace.0, is_of)?;
        }
        Some(self.last_group as usize)
    }

    /// Makes a group for a namespace that has none.
    pub(super) fn add_group(&mut self, namespace: NamespaceId) -> usize {
        let group = self.groups.len();
        self.groups.push(Group::new(namespace));
        self.note_group(group as u32, namespace);
        group
    }

    /// Gives a group that holds nothing to another namespace.
    pub(super) fn rename_group(&mut self, group: usize, namespace: NamespaceId) {
        let Some(found) = self.groups.get_mut(group) else { return };
        let before = std::mem::replace(&mut found.namespace, namespace);
        if let Ok(found) = self.group_of.find_entry(before.0, |known| *known as usize == group) {
            found.remove();
        }
        self.note_group(group as u32, namespace);
    }

    fn note_group(&mut self, group: u32, namespace: NamespaceId) {
        let Places { groups, group_of, .. } = self;
        let hash = |group: &u32| groups.get(*group as usize).map_or(0, |group| group.namespace.0);
        group_of.insert_unique(namespace.0, group, hash);
    }

    /// The next group, by turns: looking at one for each key that finds no place gets round to all of them.
    pub(super) fn next_in_turn(&mut self) -> usize {
        let next = self.turn.wrapping_add(1);
        self.turn = if next < self.groups.len() { next } else { 0 };
        self.turn
    }

    pub(super) fn holds_nothing(&self, group: usize) -> bool {
        self.groups.get(group).is_none_or(|group| group.held == 0)
    }

    /// Whether a group holds less than its share: what there is, in equal parts for all that hold or want some.
    pub(super) fn is_below_its_share(&self, group: usize) -> bool {
        let held = self.groups.get(group).map_or(0, |group| group.held as usize);
        let sharing = self.holding.saturating_add(usize::from(held == 0));
        held < self.len().checked_div(sharing).unwrap_or(0)
    }

    /// The group that holds most.
    pub(super) fn largest(&self) -> usize {
        let mut largest = (0, 0);
        for (at, group) in self.groups.iter().enumerate() {
            if group.held > largest.1 {
                largest = (at, group.held);
            }
        }
        largest.0
    }

    /// Takes a place out of the order of its group.
    fn detach(&mut self, place: u32) {
        let Some(&Place { group, newer, older, .. }) = self.places.get(place as usize) else { return };
        let Some(group) = self.groups.get_mut(group as usize) else { return };
        match self.places.get_mut(newer as usize) {
            Some(newer) => newer.older = older,
            None => group.newest = older,
        }
        match self.places.get_mut(older as usize) {
            Some(older) => older.newer = newer,
            None => group.oldest = newer,
        }
    }

    /// Puts a place in front of its group.
    fn attach(&mut self, place: u32, group: u32) {
        let Some(group) = self.groups.get_mut(group as usize) else { return };
        let before = std::mem::replace(&mut group.newest, place);
        match self.places.get_mut(before as usize) {
            Some(before) => before.newer = place,
            None => group.oldest = place,
        }
        if let Some(found) = self.places.get_mut(place as usize) {
            found.newer = NONE;
            found.older = before;
        }
    }
}

/// No place, no group.
const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Use(u64, u64),
        Remove(u64),
        Renumber,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0u64..20, 0u64..4).prop_map(|(key, namespace)| Step::Use(key, namespace)),
            1 => (0u64..20).prop_map(Step::Remove),
            1 => Just(Step::Renumber),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        /// A slow reference: for each namespace a list of its keys, the most recently used one last.
        #[test]
        fn the_order_of_use_is_that_of_a_list(steps in steps()) {
            let mut places = Places::new();
            let mut lists: Vec<Vec<u64>> = vec![Vec::new(); 4];
            for step in steps {
                match step {
                    Step::Use(key, namespace) => {
                        let owner = lists.iter().position(|list| list.contains(&key));
                        match (places.find(key), owner) {
                            (Some(place), Some(owner)) => {
                                prop_assert_eq!(places.at(place).unwrap().0, key);
                                lists[owner].retain(|known| *known != key);
                                lists[owner].push(key);
                            }
                            (None, None) => {
                                let id = NamespaceId(namespace);
                                let group = places.group(id).unwrap_or_else(|| places.add_group(id));
                                places.insert(key, group);
                                lists[namespace as usize].push(key);
                            }
                            found => prop_assert!(false, "{found:?}"),
                        }
                    }
                    Step::Renumber => {
                        let keys: Vec<Option<u64>> =
                            (0..places.places.len()).map(|place| places.at(place).map(|(key, _)| key)).collect();
                        for (now, before) in places.renumber().into_iter().enumerate() {
                            prop_assert_eq!(places.at(now).map(|(key, _)| key), keys[before]);
                        }
                        prop_assert_eq!(places.places.len(), places.len());
                    }
                    Step::Remove(key) => {
                        if let Some(place) = places.peek(key) {
                            places.remove(place);
                            lists.iter_mut().for_each(|list| list.retain(|known| *known != key));
                        }
                    }
                }
                prop_assert_eq!(places.len(), places.of.len());
                prop_assert_eq!(places.len(), lists.iter().map(Vec::len).sum::<usize>());
                prop_assert_eq!(places.holding, lists.iter().filter(|list| !list.is_empty()).count());
                for (namespace, list) in lists.iter().enumerate() {
                    let Some(group) = places.group(NamespaceId(namespace as u64)) else { continue };
                    let oldest = places.oldest(group).and_then(|place| places.at(place));
                    prop_assert_eq!(oldest.map(|(key, _)| key), list.first().copied());
                    prop_assert_eq!(places.groups[group].held as usize, list.len());
                }
                let largest = lists.iter().map(Vec::len).max().unwrap_or(0);
                prop_assert_eq!(places.groups[places.largest()].held as usize, largest);
            }
        }
    }

    #[test]
    fn a_place_that_is_freed_is_used_again() {
        let mut places = Places::new();
        let first = places.insert(7, 0);
        places.remove(first);
        assert_eq!((places.find(7), places.find(0)), (None, None), "a free place is nobody's");
        assert_eq!((places.insert(8, 0), places.places.len()), (first, 1));
    }
}
