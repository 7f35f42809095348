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
    /// By file name, with the first list without its pod; `None` before the directory has been looked at.
    missing: Option<BTreeMap<String, Option<Instant>>>,
    /// By namespace and name, the uid of the pod whose file was written last.
    uids: BTreeMap<(String, String), Option<String>>,
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
    /// Files that there should be now.
    pub files: usize,
    /// What went wrong, the directory as a whole before single files. What could not be written is tried again with the
    /// next list.
    pub failed: Vec<StoreError>,
}

impl Publisher {
    /// Publishes to `directory`.
    pub fn new(directory: impl Into<PathBuf>, grace: Duration) -> Publisher {
        Publisher {
            directory: PodFileStore::new(directory),
            grace,
            missing: None,
            uids: BTreeMap::new(),
            replaced: Vec::new(),
        }
    }

    /// Publishes the pods of a list that is believed.
    pub fn publish(&mut self, pods: &[PodFile], now: Instant) -> Published {
        let mut answer = self.add(pods, now);
        let Some(missing) = &mut self.missing else { return answer };
        let listed: BTreeSet<String> = names(pods).collect();
        // `add` has just noted which pods are listed.
        for (_, since) in missing.iter_mut().filter(|(name, _)| !listed.contains(*name)) {
            since.get_or_insert(now);
        }
        missing
            .retain(|_, since| since.is_none_or(|since| now.saturating_duration_since(since) <= self.grace));
        let keep: BTreeSet<String> = missing.keys().cloned().collect();
        self.uids
            .retain(|(namespace, pod), _| file_name(namespace, pod).is_some_and(|name| keep.contains(&name)));
        answer.files = keep.len();
        match self.directory.retain(&keep) {
            Ok(removed) => {
                answer.removed = removed.removed;
                answer.failed.extend(removed.failed);
            }
            Err(error) => answer.failed.push(error),
        }
        answer
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
            let is_listed = pod.older.iter().any(|older| older.uid == written.uid);
            if before.is_none_or(|before| before == written.uid) && !is_listed {
                self.replaced.push((name, now, written.into_older()));
            }
        }
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
}

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
        let Published { written, removed, files, failed } = published;
        assert_eq!((written, removed, files, failed.len()), expected, "{failed:?}");
    }

    #[test]
    fn a_file_outlives_its_pod_by_the_grace_period() {
        let (scratch, start) = (tempfile::tempdir().unwrap(), Instant::now());
        let mut publisher = Publisher::new(scratch.path().join("pods"), GRACE);
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
        let mut publisher = Publisher::new(scratch.path().join("pods"), GRACE);
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
        let mut publisher = Publisher::new(scratch.path().join("pods"), GRACE);
        publisher.publish(&pods(&["a", "b"]), start);
        check(publisher.add(&pods(&["new"]), start), (1, 0, 3, 0));
        check(publisher.publish(&pods(&["a"]), after(start, 10_000)), (0, 0, 3, 0));
        assert_eq!(names(&scratch.path().join("pods")), ["shop_a.json", "shop_b.json", "shop_new.json"]);
    }

    #[test]
    fn a_replaced_pod_speaks_for_its_own_containers_for_the_grace_period() {
        let (scratch, start) = (tempfile::tempdir().unwrap(), Instant::now());
        let mut publisher = Publisher::new(scratch.path().join("pods"), GRACE);
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
    fn files_of_an_earlier_process_get_the_grace_period_too() {
        let (scratch, start) = (tempfile::tempdir().unwrap(), Instant::now());
        Publisher::new(scratch.path().join("pods"), GRACE).publish(&pods(&["old", "a"]), start);
        let mut publisher = Publisher::new(scratch.path().join("pods"), GRACE);
        check(publisher.publish(&pods(&["a"]), after(start, 10_000)), (0, 0, 2, 0));
        check(publisher.publish(&pods(&["a"]), after(start, 10_601)), (0, 1, 1, 0));
    }

    #[test]
    fn a_volume_that_is_not_there_is_told_and_used_once_it_is() {
        let (scratch, start) = (tempfile::tempdir().unwrap(), Instant::now());
        let mut publisher = Publisher::new(scratch.path().join("volume/pods"), GRACE);
        let failed = publisher.publish(&pods(&["a"]), start).failed;
        assert!(failed[0].to_string().starts_with("create pod directory "), "{failed:?}");
        std::fs::create_dir(scratch.path().join("volume")).unwrap();
        check(publisher.publish(&pods(&["a"]), after(start, 30)), (1, 0, 1, 0));
    }
}
