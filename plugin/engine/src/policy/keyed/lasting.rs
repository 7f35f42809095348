//! What of a table outlives it: the states of its keys, and of the namespaces whose keys found no place.

use super::{Forgettable, KeyCapacity, KeyEntry, Keyed, Ownership};
use crate::tag_names::NamespaceId;

impl<S: Forgettable> Keyed<S> {
    /// The key, namespace, label and state of each key that has an entry, and the shared states, which have neither key nor
    /// label.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Option<u64>, NamespaceId, &str, &S)> {
        let own = self.entries.iter().enumerate().filter_map(|(place, entry)| {
            let (key, group) = self.places.at(place)?;
            Some((Some(key), self.places.namespace(group), &*entry.label, &entry.state))
        });
        let others = [&self.rest].into_iter().chain(&self.others).enumerate();
        own.chain(others.map(|(group, entry)| (None, self.places.namespace(group), "", &entry.state)))
    }

    /// The state of a key, or the one that its namespace shares for none.
    pub(crate) fn peek(&mut self, key: Option<u64>, namespace: NamespaceId) -> Option<&S> {
        match key {
            Some(key) => self.places.peek(key).and_then(|place| self.entries.get(place)),
            None => match self.places.group(namespace)? {
                0 => Some(&self.rest),
                group => self.others.get(group.wrapping_sub(1)),
            },
        }
        .map(|entry| &entry.state)
    }

    /// Puts a state in the place of a key, if there is room, or of what its namespace shares.
    pub(crate) fn put(
        &mut self,
        (key, namespace): (Option<u64>, NamespaceId),
        label: &str,
        state: S,
        capacity: &mut KeyCapacity,
    ) {
        let group = match self.places.group(namespace) {
            Some(group) => group,
            None if self.places.groups() < self.most_groups => {
                self.others.push(KeyEntry::default());
                self.places.add_group(namespace)
            }
            None => 0,
        };
        let owner = match key {
            None => Ownership::Shared(group),
            Some(key) => match self.places.peek(key) {
                Some(place) => Ownership::Owned(place),
                None => {
                    let held = self.places.len();
                    if held < self.most && capacity.has_place(held, self.reserve) {
                        capacity.take_place(held, self.reserve);
                        self.insert(
                            key,
                            group,
                            KeyEntry { state, label: label.into(), ..KeyEntry::default() },
                        );
                    }
                    return;
                }
            },
        };
        self.entry(owner).state = state;
    }
}
