//! The pods of a node, held within bounds.
//!
//! The rules it keeps: one pod that is too large costs itself; many that are too large together have less room each, whoever came
//! first; and what is left out depends on which pods there are, never on their order.

use crate::limits::{Counts, Limits};
use crate::pod::{Pod, file_of, fitted};
use nodesieve_engine::pods::PodFile;
use std::collections::BTreeMap;

/// The pods of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFiles {
    /// One file per namespace and name, sorted by these. Each of them can be encoded.
    pub files: Vec<PodFile>,
    /// What was left out.
    pub counts: Counts,
    /// Size of the answer, in bytes.
    pub bytes: u64,
    /// `metadata.uid` of every pod for which there is room, also of those that share a name.
    pub uids: Vec<String>,
    /// Whether a pod is there that only the API server can have told the kubelet of.
    pub knows_api: bool,
}

/// Pods by namespace and name; of one name there can be several.
#[derive(Debug)]
pub struct PodSet {
    limits: Limits,
    pods: BTreeMap<(String, String), Vec<Pod>>,
    weight: u64,
    /// What the labels and annotations of one pod may weigh now.
    room: u64,
    left_out: u64,
}

impl PodSet {
    /// None so far.
    pub fn new(limits: Limits) -> PodSet {
        let room = limits.max_pod;
        PodSet { limits, pods: BTreeMap::new(), weight: 0, room, left_out: 0 }
    }

    /// Puts a pod in the place of the one with its uid, if there is one.
    pub fn put(&mut self, pod: Pod) {
        let (namespace, name) = pod.name();
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        self.remove(&namespace, &name, pod.uid());
        self.add(pod);
    }

    /// Adds a pod.
    pub fn add(&mut self, mut pod: Pod) {
        pod.shorten_to(self.room);
        let (namespace, name) = pod.name();
        let name = (namespace.to_owned(), name.to_owned());
        self.weight = self.weight.saturating_add(weight(&pod));
        // Nearly always the only one: room for more would be most of what is held.
        self.pods.entry(name).or_insert_with(|| Vec::with_capacity(1)).push(pod);
        while self.weight > self.limits.max_total && self.make_room() {}
    }

    /// Removes the pod of this uid; returns whether it was there.
    pub fn remove(&mut self, namespace: &str, name: &str, uid: Option<&str>) -> bool {
        let name = (namespace.to_owned(), name.to_owned());
        let Some(same_name) = self.pods.get_mut(&name) else { return false };
        let before = same_name.len();
        let mut gone = 0u64;
        // Two without a uid are two pods of a list that has none.
        same_name.retain(|pod| {
            let is_it = uid.is_some() && pod.uid() == uid;
            gone = gone.saturating_add(if is_it { weight(pod) } else { 0 });
            !is_it
        });
        self.weight = self.weight.saturating_sub(gone);
        let was_there = same_name.len() < before;
        if same_name.is_empty() {
            self.pods.remove(&name);
        }
        was_there
    }

    /// The file of a name, if there is a pod of it and it can be encoded.
    pub fn file(&self, namespace: &str, name: &str) -> Option<PodFile> {
        let same_name = self.pods.get(&(namespace.to_owned(), name.to_owned()))?;
        fitted(file_of(same_name.clone())).map(|(file, _)| file)
    }

    /// Namespace and name of all.
    pub fn names(&self) -> impl Iterator<Item = &(String, String)> {
        self.pods.keys()
    }

    /// Each pod.
    pub fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.values().flatten()
    }

    /// What they weigh, in bytes.
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// Whether something was left out for want of room that there is now.
    pub fn has_room_again(&self) -> bool {
        (self.room < self.limits.max_pod || self.left_out > 0) && self.weight <= self.limits.max_total / 2
    }

    /// What is left out of those that are there, and how many are not there for want of room.
    pub fn counts(&self) -> Counts {
        let shortened = self.pods().filter(|pod| pod.was_shortened()).count() as u64;
        let omitted = self.pods().map(Pod::omitted).fold(0, u64::saturating_add);
        Counts { skipped: self.left_out, shortened, omitted }
    }

    /// Whether a pod is there that only the API server can have told of: it has its mark, or is being deleted.
    pub fn knows_api(&self) -> bool {
        self.pods().any(|pod| pod.is_of_api() || pod.is_leaving())
    }

    /// All files.
    pub fn into_files(self) -> PodFiles {
        let (mut counts, knows_api) = (self.counts(), self.knows_api());
        counts.shortened = 0;
        let mut files = Vec::with_capacity(self.pods.len());
        for same_name in self.pods.into_values() {
            let was_shortened = same_name.iter().any(Pod::was_shortened);
            match fitted(file_of(same_name)) {
                Some((file, lost_more)) => {
                    counts.shortened = counts.shortened.saturating_add(u64::from(was_shortened || lost_more));
                    files.push(file);
                }
                None => counts.skipped = counts.skipped.saturating_add(1),
            }
        }
        PodFiles { files, counts, knows_api, ..PodFiles::default() }
    }

    /// Gives each pod half of the room that it had; once there is none, the last by name goes. `false` when nothing is left.
    fn make_room(&mut self) -> bool {
        if self.room > 0 {
            // Halves of what one pod has never sum up to nothing by themselves.
            self.room = if self.room > LEAST_ROOM { self.room / 2 } else { 0 };
            for pod in self.pods.values_mut().flatten() {
                pod.shorten_to(self.room);
            }
            self.weight = self.pods.values().flatten().map(weight).fold(0, u64::saturating_add);
            return true;
        }
        let Some((_, pods)) = self.pods.pop_last() else { return false };
        let gone = pods.iter().map(weight).fold(0, u64::saturating_add);
        self.weight = self.weight.saturating_sub(gone);
        self.left_out = self.left_out.saturating_add(pods.len() as u64);
        true
    }
}

fn weight(pod: &Pod) -> u64 {
    pod.base_weight().saturating_add(pod.pair_weight())
}

/// Less room than this is none, in bytes.
const LEAST_ROOM: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod_list::read_pod;

    fn pod(name: &str, uid: &str, annotation: usize) -> Pod {
        let text = format!(
            r#"{{"metadata":{{"namespace":"n","name":"{name}","uid":"{uid}","labels":{{"app":"{name}"}},
            "annotations":{{"note":"{}"}}}}}}"#,
            "x".repeat(annotation)
        );
        read_pod(text.as_bytes(), &Limits::default()).unwrap().unwrap()
    }

    fn files(pods: impl IntoIterator<Item = Pod>, max_total: u64) -> PodFiles {
        let mut set = PodSet::new(Limits { max_total, ..Limits::default() });
        for pod in pods {
            set.put(pod);
            assert!(set.weight() <= max_total);
        }
        set.into_files()
    }

    #[test]
    fn many_that_are_too_large_have_less_room_each_in_any_order() {
        let pods: Vec<Pod> =
            (0..50).map(|n| pod(&format!("p{n:02}"), &format!("u{n}"), 300 * (n % 10))).collect();
        let found = files(pods.clone(), 120_000);
        assert_eq!((found.files.len(), found.counts.skipped), (50, 0));
        assert!(found.counts.shortened > 0 && found.counts.shortened < 50, "{:?}", found.counts);
        assert_eq!(files(pods.into_iter().rev(), 120_000), found);
        let lost = |file: &&PodFile| file.annotations.as_ref().unwrap().0.is_empty();
        assert!(found.files.iter().filter(lost).all(|file| file.labels.as_ref().unwrap().0.len() == 1));
    }

    #[test]
    fn pods_without_room_are_left_out_in_any_order_and_counted() {
        let pods: Vec<Pod> = (0..50).map(|n| pod(&format!("p{n:02}"), &format!("u{n}"), 10)).collect();
        let found = files(pods.clone(), 15_000);
        assert!((5..20).contains(&found.files.len()), "{}", found.files.len());
        assert_eq!(found.files.len() as u64 + found.counts.skipped, 50);
        let reversed = files(pods.into_iter().rev(), 15_000);
        assert_eq!(reversed.files, found.files);
    }

    #[test]
    fn room_is_there_again_once_those_that_took_it_are_gone() {
        let mut set = PodSet::new(Limits { max_total: 15_000, ..Limits::default() });
        for n in 0..50 {
            set.put(pod(&format!("p{n:02}"), &format!("u{n}"), 10));
        }
        assert!(set.counts().skipped > 0 && !set.has_room_again());
        for n in 1..50 {
            set.remove("n", &format!("p{n:02}"), Some(&format!("u{n}")));
        }
        assert!(set.has_room_again());
        let mut roomy = PodSet::new(Limits::default());
        roomy.put(pod("web", "1", 10));
        assert!(!roomy.has_room_again(), "nothing was left out");
    }

    #[test]
    fn a_pod_takes_the_place_of_the_one_with_its_uid_and_goes_by_it() {
        let mut set = PodSet::new(Limits::default());
        set.put(pod("web", "1", 10));
        set.put(pod("web", "2", 10));
        let weight = set.weight();
        set.put(pod("web", "1", 10));
        assert_eq!((set.weight(), set.pods().count()), (weight, 2));
        assert!(set.remove("n", "web", Some("2")) && !set.remove("n", "web", Some("2")));
        assert_eq!(set.file("n", "web").unwrap().uid.as_deref(), Some("1"));
        assert!(set.remove("n", "web", Some("1")));
        assert_eq!((set.weight(), set.names().count(), set.file("n", "web")), (0, 0, None));
    }
}
