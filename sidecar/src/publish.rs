//! What the filter sees: the files of the pods in the list, and for a grace period of those that have left it.
//!
//! The rule it keeps: a file goes only when its pod has been missing from every list for the grace period, counted from the
//! first such list: lines of a pod are still read after it has ended, and without a list nobody knows whether it has.

use crate::store::{PodFileStore, StoreError};
use nodesieve_engine::pods::{OlderPod, PodFile, file_name};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A directory of pod files and since when each pod is in no list.
#[derive(Debug)]
pub struct Publisher {
    directory: PodFileStore,
    grace: Duration,
    max_bytes: u64,
    /// By file name, with the first list without its pod; `None` before the directory has been looked at.
    missing: Option<BTreeMap<String, Option<Instant>>>,
    /// By namespace and name, the uid of the pod whose file was written last.
    uids: BTreeMap<(String, String), Option<String>>,
    /// By namespace and name, the pods that are listed beside the one that has the name.
    older: BTreeMap<(String, String), Vec<OlderPod>>,
    /// Pods whose name another one has taken, and since when.
    replaced: Vec<((String, String), Instant, OlderPod)>,
}

/// What became of a list.
#[derive(Debug, Default)]
pub struct Published {
    /// Files that are new or have new content.
    pub written: u64,
    /// Files that are gone now.
    pub removed: u64,
    /// Of these, before the grace period was over, for want of room.
    pub evicted: u64,
    /// Files that there should be now.
    pub files: usize,
    /// What all files have, in bytes; `None` when that was not looked at.
    pub bytes: Option<u64>,
    /// What went wrong, the directory as a whole before single files. What could not be written is tried again with the
    /// next list.
    pub failed: Vec<StoreError>,
}

impl Publisher {
    /// Publishes to `directory`, which may have so many bytes before files of pods that are gone go early.
    pub fn new(directory: impl Into<PathBuf>, grace: Duration, max_bytes: u64) -> Publisher {
        Publisher {
            directory: PodFileStore::new(directory),
            grace,
            max_bytes,
            missing: None,
            uids: BTreeMap::new(),
            older: BTreeMap::new(),
            replaced: Vec::new(),
        }
    }

    /// Publishes the pods of a list that is believed.
    #[cfg(test)]
    pub fn publish(&mut self, pods: &[PodFile], now: Instant) -> Published {
        let mut answer = self.add(pods, now);
        self.settle(&names(pods).collect(), &mut answer, now);
        answer
    }

    /// Removes the files of pods that have been listed no more for the grace period, by the names of the files of those that are; and
    /// of others that are gone, the longest first, while all together have too many bytes.
    pub fn settle(&mut self, listed: &BTreeSet<String>, answer: &mut Published, now: Instant) {
        let Some(missing) = &mut self.missing else { return };
        for (name, since) in missing.iter_mut() {
            match listed.contains(name) {
                true => *since = None,
                false => drop(since.get_or_insert(now)),
            }
        }
        missing
            .retain(|_, since| since.is_none_or(|since| now.saturating_duration_since(since) <= self.grace));
        match self.directory.sizes() {
            Ok(sizes) => {
                let size = |name: &String| sizes.get(name).copied().unwrap_or_default();
                let mut bytes = missing.keys().map(size).fold(0, u64::saturating_add);
                let mut gone: Vec<(Instant, String)> =
                    missing.iter().filter_map(|(name, since)| Some(((*since)?, name.clone()))).collect();
                gone.sort();
                for (_, name) in gone {
                    if bytes <= self.max_bytes {
                        break;
                    }
                    bytes = bytes.saturating_sub(size(&name));
                    missing.remove(&name);
                    answer.evicted = answer.evicted.saturating_add(1);
                }
                answer.bytes = Some(bytes);
            }
            Err(error) => answer.failed.push(error),
        }
        let keep: BTreeSet<String> = missing.keys().cloned().collect();
        let is_kept = |(namespace, pod): &(String, String)| {
            file_name(namespace, pod).is_some_and(|name| keep.contains(&name))
        };
        self.uids.retain(|name, _| is_kept(name));
        self.older.retain(|name, _| is_kept(name));
        answer.files = keep.len();
        match self.directory.retain(&keep) {
            Ok(removed) => {
                answer.removed = removed.removed;
                answer.failed.extend(removed.failed);
            }
            Err(error) => answer.failed.push(error),
        }
    }

    /// Publishes what is in a list from which something may be missing.
    pub fn add(&mut self, pods: &[PodFile], now: Instant) -> Published {
        let mut answer = Published::default();
        let pods = self.with_replaced(pods, now);
        let pods = pods.as_ref();
        match self.directory.write(pods) {
            Ok(written) => {
                answer.written = written.written;
                answer.failed.extend(written.failed);
            }
            Err(error) => answer.failed.push(error),
        }
        if self.missing.is_none() {
            match self.directory.names() {
                Ok(names) => self.missing = Some(names.into_iter().map(|name| (name, None)).collect()),
                Err(error) => answer.failed.push(error),
            }
        }
        if let Some(missing) = &mut self.missing {
            missing.extend(names(pods).map(|name| (name, None)));
            answer.files = missing.len();
        }
        answer
    }
}

impl Publisher {
    /// Adds to each pod the one that had its name before. Lines of a StatefulSet's pod are still read after its successor was
    /// made, and only the container's id tells the two apart.
    fn with_replaced<'p>(&mut self, pods: &'p [PodFile], now: Instant) -> Cow<'p, [PodFile]> {
        let grace = self.grace;
        self.replaced.retain(|(_, since, _)| now.saturating_duration_since(*since) <= grace);
        for pod in pods {
            let name = (pod.namespace.clone(), pod.pod.clone());
            // Those that were listed beside it and are no more.
            let is_listed =
                |uid: &Option<String>| *uid == pod.uid || pod.older.iter().any(|older| older.uid == *uid);
            let gone = self.older.remove(&name).unwrap_or_default().into_iter();
            let gone = gone.filter(|older| !is_listed(&older.uid)).map(|older| (name.clone(), now, older));
            self.replaced.extend(gone);
            if !pod.older.is_empty() {
                self.older.insert(name.clone(), pod.older.clone());
            }
            let before = match self.uids.get(&name) {
                Some(uid) if *uid == pod.uid => continue,
                known => known.cloned(),
            };
            self.uids.insert(name.clone(), pod.uid.clone());
            let written = self.directory.read(&pod.namespace, &pod.pod);
            let Some(written) = written.filter(|written| written.uid.is_some() && written.uid != pod.uid)
            else {
                continue;
            };
            // A pod that is still listed beside its successor needs no such entry.
            if before.is_none_or(|before| before == written.uid) && !is_listed(&written.uid) {
                self.replaced.push((name, now, written.into_older()));
            }
        }
        self.forget_replaced();
        if self.replaced.is_empty() {
            return Cow::Borrowed(pods);
        }
        let mut pods = pods.to_vec();
        for (name, _, older) in &self.replaced {
            let is_it = |pod: &&mut PodFile| (&pod.namespace, &pod.pod) == (&name.0, &name.1);
            let Some(pod) = pods.iter_mut().find(is_it) else { continue };
            if !pod.older.iter().any(|known| known.uid == older.uid) {
                pod.older.push(older.clone());
                // A merged file that is too large is not written: the listed pod comes first.
                if pod.encode().is_err() {
                    pod.older.pop();
                }
            }
        }
        Cow::Owned(pods)
    }

    /// Forgets those that were replaced first, where a name has had many pods, or they have too many bytes, those of a name or all
    /// together: a pod that is made anew each second must fill neither the memory nor its file with those that it was.
    fn forget_replaced(&mut self) {
        let most = MOST_BYTES.min(usize::try_from(self.max_bytes / 2).unwrap_or(usize::MAX));
        let (mut of_name, mut bytes) = (BTreeMap::<(String, String), (usize, usize)>::new(), 0usize);
        let mut kept: Vec<_> = std::mem::take(&mut self.replaced);
        kept.reverse();
        kept.retain(|(name, _, older)| {
            let (count, own) = of_name.entry(name.clone()).or_default();
            let size = bytes_of(older);
            (*count, *own) = (count.saturating_add(1), own.saturating_add(size));
            bytes = bytes.saturating_add(size);
            *count <= MOST_OF_A_NAME && *own <= MOST_BYTES_OF_A_NAME && bytes <= most
        });
        kept.reverse();
        self.replaced = kept;
    }
}

/// About how much memory a replaced pod takes.
fn bytes_of(pod: &OlderPod) -> usize {
    let pairs = pod.labels.iter().chain(&pod.annotations).flat_map(|pairs| &pairs.0);
    let texts =
        pairs.flat_map(|(key, value)| [key.len(), value.len()]).chain(pod.ids.iter().map(String::len));
    texts.fold(256, |sum: usize, length| sum.saturating_add(length).saturating_add(24))
}

/// Replaced pods that are remembered of one name: as many as may be listed beside one another.
const MOST_OF_A_NAME: usize = 4;
/// What they may take in the memory and in the file of the one that has the name, in bytes: as much as labels and annotations of a pod.
const MOST_BYTES_OF_A_NAME: usize = 64 << 10;
/// What all that are remembered may take, in bytes, if half of what all files may have is not less: with a grace period of minutes, some
/// thousand pods like most.
const MOST_BYTES: usize = 4 << 20;

/// The names of their files.
fn names(pods: &[PodFile]) -> impl Iterator<Item = String> {
    pods.iter().filter_map(|pod| file_name(&pod.namespace, &pod.pod))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::names;
    use nodesieve_engine::pods::{Container, Pairs};

    const GRACE: Duration = Duration::from_secs(600);

    fn pods(names: &[&str]) -> Vec<PodFile> {
        names.iter().map(|name| PodFile::new("shop", *name)).collect()
    }

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    /// Written, removed, there, failed.
    #[track_caller]
    fn check(published: Published, expected: (u64, u64, usize, usize)) {
        let Published { written, removed, files, failed, .. } = published;
        assert_eq!((written, removed, files, failed.len()), expected, "{failed:?}");
    }

    #[test]
    fn a_file_outlives_its_pod_by_the_grace_period() {
        let (scratch, start) = (tempfile::tempdir().unwrap(), Instant::now());
        let mut publisher = Publisher::new(scratch.path().join("pods"), GRACE, u64::MAX);
        check(publisher.publish(&pods(&["a", "b"]), start), (2, 0, 2, 0));
        // Without a list for a while: b may have ended just now.
        check(publisher.publish(&pods(&["a"]), after(start, 5000)), (0, 0, 2, 0));
        check(publisher.publish(&pods(&["a"]), after(start, 5600)), (0, 0, 2, 0));
        check(publisher.publish(&pods(&["a"]), after(start, 5601)), (0, 1, 1, 0));
        assert_eq!(names(&scratch.path().join("pods")), ["shop_a.json"]);
    }

    #[test]
    fn a_pod_that_comes_back_starts_anew() {
        let (scratch, start) = (tempfile::tempdir().unwrap(), Instant::now());
        let mut publisher = Publisher::new(scratch.path().join("pods"), GRACE, u64::MAX);
        publisher.publish(&pods(&["a", "b"]), start);
        publisher.publish(&pods(&["a"]), after(start, 500));
        publisher.publish(&pods(&["a", "b"]), after(start, 550));
        check(publisher.publish(&pods(&["a"]), after(start, 1150)), (0, 0, 2, 0));
        check(publisher.publish(&pods(&["a"]), after(start, 1750)), (0, 0, 2, 0));
        check(publisher.publish(&pods(&["a"]), after(start, 1751)), (0, 1, 1, 0));
    }

    #[test]
    fn what_is_added_is_there_and_nothing_goes() {
        let (scratch, start) = (tempfile::tempdir().unwrap(), Instant::now());
        let mut publisher = Publisher::new(scratch.path().join("pods"), GRACE, u64::MAX);
        publisher.publish(&pods(&["a", "b"]), start);
        check(publisher.add(&pods(&["new"]), start), (1, 0, 3, 0));
        check(publisher.publish(&pods(&["a"]), after(start, 10_000)), (0, 0, 3, 0));
        assert_eq!(names(&scratch.path().join("pods")), ["shop_a.json", "shop_b.json", "shop_new.json"]);
    }

    #[test]
    fn a_replaced_pod_speaks_for_its_own_containers_for_the_grace_period() {
        let (scratch, start) = (tempfile::tempdir().unwrap(), Instant::now());
        let mut publisher = Publisher::new(scratch.path().join("pods"), GRACE, u64::MAX);
        let pod = |uid: &str, id: &str| {
            let mut pod = PodFile { uid: Some(uid.into()), ..PodFile::new("shop", "db-0") };
            pod.labels = Some(Pairs(vec![("of".into(), uid.into())]));
            pod.containers.push(Container { name: "db".into(), id: id.into(), ..Container::default() });
            pod
        };
        let uid_of = |id: &str| {
            PodFileStore::new(scratch.path().join("pods")).read("shop", "db-0").unwrap().as_seen_by(id).uid
        };
        publisher.publish(&[pod("old", "0a")], start);
        publisher.publish(&[pod("new", "0b")], after(start, 30));
        assert_eq!((uid_of("0a").as_deref(), uid_of("0b").as_deref()), (Some("old"), Some("new")));
        // The same list again changes nothing, and a later one only when the time is over.
        check(publisher.publish(&[pod("new", "0b")], after(start, 60)), (0, 0, 1, 0));
        check(publisher.publish(&[pod("new", "0b")], after(start, 631)), (1, 0, 1, 0));
        assert_eq!(uid_of("0a").as_deref(), Some("new"));
    }

    #[test]
    fn a_pod_that_was_listed_beside_its_successor_speaks_for_its_own_containers_too() {
        let (scratch, start) = (tempfile::tempdir().unwrap(), Instant::now());
        let mut publisher = Publisher::new(scratch.path().join("pods"), GRACE, u64::MAX);
        let older = OlderPod { uid: Some("old".into()), ids: vec!["0a".into()], ..OlderPod::default() };
        let new = PodFile { uid: Some("new".into()), ..PodFile::new("shop", "db-0") };
        let both = PodFile { older: vec![older], ..new.clone() };
        let uid_of = |id: &str| {
            PodFileStore::new(scratch.path().join("pods")).read("shop", "db-0").unwrap().as_seen_by(id).uid
        };
        publisher.publish(std::slice::from_ref(&both), start);
        publisher.publish(std::slice::from_ref(&new), after(start, 30));
        assert_eq!((uid_of("0a").as_deref(), uid_of("0b").as_deref()), (Some("old"), Some("new")));
        publisher.publish(std::slice::from_ref(&new), after(start, 631));
        assert_eq!(uid_of("0a").as_deref(), Some("new"));
    }

    #[test]
    fn pods_that_are_made_anew_without_end_are_forgotten_the_first_ones_first() {
        let (scratch, start) = (tempfile::tempdir().unwrap(), Instant::now());
        let mut publisher = Publisher::new(scratch.path().join("pods"), GRACE, u64::MAX);
        let pod = |name: &str, uid: usize, label: usize| {
            let mut pod = PodFile { uid: Some(uid.to_string()), ..PodFile::new("shop", name) };
            pod.labels = Some(Pairs(vec![("of".into(), "x".repeat(label))]));
            pod.containers.push(Container { id: format!("{uid:04x}"), ..Container::default() });
            pod
        };
        for n in 0..100 {
            publisher.publish(&[pod("db-0", n, 10)], after(start, 1));
        }
        let uids = |publisher: &Publisher| {
            publisher.replaced.iter().map(|(_, _, older)| older.uid.clone().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(uids(&publisher), ["95", "96", "97", "98"]);
        let written = PodFileStore::new(scratch.path().join("pods")).read("shop", "db-0").unwrap();
        assert_eq!(written.older.len(), 4);
        for n in 0..400 {
            publisher.publish(&[pod(&format!("w-{}", n / 2), n, 60_000)], after(start, 2));
        }
        let bytes: usize = publisher.replaced.iter().map(|(_, _, older)| bytes_of(older)).sum();
        assert!(bytes <= MOST_BYTES && bytes > MOST_BYTES - 100_000, "{bytes}");
        assert_eq!(uids(&publisher).last().unwrap(), "398");
        // Nor is a file filled with them.
        for n in 0..5 {
            publisher.publish(&[pod("large", n, 30_000)], after(start, 3));
        }
        let written = PodFileStore::new(scratch.path().join("pods")).read("shop", "large").unwrap();
        assert_eq!(
            written.older.iter().filter_map(|older| older.uid.as_deref()).collect::<Vec<_>>(),
            ["2", "3"]
        );
        let mut small = Publisher::new(scratch.path().join("small"), GRACE, 100_000);
        for n in 0..8 {
            small.publish(&[pod(&format!("w-{}", n / 2), n, 30_000)], after(start, 4));
        }
        assert_eq!(uids(&small), ["6"]);
    }

    #[test]
    fn files_of_an_earlier_process_get_the_grace_period_too() {
        let (scratch, start) = (tempfile::tempdir().unwrap(), Instant::now());
        Publisher::new(scratch.path().join("pods"), GRACE, u64::MAX).publish(&pods(&["old", "a"]), start);
        let mut publisher = Publisher::new(scratch.path().join("pods"), GRACE, u64::MAX);
        check(publisher.publish(&pods(&["a"]), after(start, 10_000)), (0, 0, 2, 0));
        check(publisher.publish(&pods(&["a"]), after(start, 10_601)), (0, 1, 1, 0));
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_told_and_used_once_it_can() {
        let (scratch, start) = (tempfile::tempdir().unwrap(), Instant::now());
        let mut publisher = Publisher::new(scratch.path().join("volume/pods"), GRACE, u64::MAX);
        std::fs::write(scratch.path().join("volume"), "no directory").unwrap();
        let failed = publisher.publish(&pods(&["a"]), start).failed;
        assert!(failed[0].to_string().starts_with("create pod directory "), "{failed:?}");
        std::fs::remove_file(scratch.path().join("volume")).unwrap();
        check(publisher.publish(&pods(&["a"]), after(start, 30)), (1, 0, 1, 0));
    }

    #[test]
    fn files_of_pods_that_are_gone_are_the_first_to_go_when_room_is_short() {
        let (scratch, start) = (tempfile::tempdir().unwrap(), Instant::now());
        let directory = scratch.path().join("pods");
        let size = pods(&["a"])[0].encode().unwrap().len() as u64;
        let mut publisher = Publisher::new(&directory, GRACE, 3 * size);
        check(publisher.publish(&pods(&["a", "b", "c"]), start), (3, 0, 3, 0));
        publisher.publish(&pods(&["b", "c"]), after(start, 1));
        let third = publisher.publish(&pods(&["c", "d"]), after(start, 2));
        assert_eq!((third.evicted, third.bytes), (1, Some(3 * size)), "the longest gone");
        check(third, (1, 1, 3, 0));
        assert_eq!(names(&directory), ["shop_b.json", "shop_c.json", "shop_d.json"]);
        // What is listed stays, however much it is.
        let listed = publisher.publish(&pods(&["c", "d", "e", "f"]), after(start, 3));
        assert_eq!((listed.evicted, listed.bytes), (1, Some(4 * size)));
        assert_eq!(names(&directory).len(), 4);
    }
}
