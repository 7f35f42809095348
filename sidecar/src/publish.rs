//! What the filter sees: the files of the pods that are, and for a while of those that were.
//!
//! The rule it keeps: a file goes only when its pod has been missing from every list for the grace period, counted from the
//! first such list, because lines of a pod are read after it has ended, and while there is no list nobody knows.

use crate::store::{PodDirectory, StoreError};
use nodesieve_engine::pods::{PodFile, file_name};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A directory of pod files and since when each pod is in no list.
#[derive(Debug)]
pub struct Publisher {
    directory: PodDirectory,
    grace: Duration,
    /// By file name, with the first list without its pod; `None` before the directory has been looked at.
    missing: Option<BTreeMap<String, Option<Instant>>>,
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
        Publisher { directory: PodDirectory::new(directory), grace, missing: None }
    }

    /// Publishes the pods of a list that is believed.
    pub fn publish(&mut self, pods: &[PodFile], now: Instant) -> Published {
        let mut answer = self.add(pods);
        let Some(missing) = &mut self.missing else { return answer };
        let listed: BTreeSet<String> = names(pods).collect();
        // Of those that are listed `add` has just noted that they are.
        for (_, since) in missing.iter_mut().filter(|(name, _)| !listed.contains(*name)) {
            since.get_or_insert(now);
        }
        missing
            .retain(|_, since| since.is_none_or(|since| now.saturating_duration_since(since) <= self.grace));
        let keep: BTreeSet<String> = missing.keys().cloned().collect();
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
    pub fn add(&mut self, pods: &[PodFile]) -> Published {
        let mut answer = Published::default();
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

/// The names of their files.
fn names(pods: &[PodFile]) -> impl Iterator<Item = String> {
    pods.iter().filter_map(|pod| file_name(&pod.namespace, &pod.pod))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

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
        let (scratch, start) = (Scratch::new(), Instant::now());
        let mut publisher = Publisher::new(scratch.at("pods"), GRACE);
        check(publisher.publish(&pods(&["a", "b"]), start), (2, 0, 2, 0));
        // Without a list for a while: b may have ended just now.
        check(publisher.publish(&pods(&["a"]), after(start, 5000)), (0, 0, 2, 0));
        check(publisher.publish(&pods(&["a"]), after(start, 5600)), (0, 0, 2, 0));
        check(publisher.publish(&pods(&["a"]), after(start, 5601)), (0, 1, 1, 0));
        assert_eq!(scratch.names("pods"), ["shop_a.json"]);
    }

    #[test]
    fn a_pod_that_comes_back_starts_anew() {
        let (scratch, start) = (Scratch::new(), Instant::now());
        let mut publisher = Publisher::new(scratch.at("pods"), GRACE);
        publisher.publish(&pods(&["a", "b"]), start);
        publisher.publish(&pods(&["a"]), after(start, 500));
        publisher.publish(&pods(&["a", "b"]), after(start, 550));
        check(publisher.publish(&pods(&["a"]), after(start, 1150)), (0, 0, 2, 0));
        check(publisher.publish(&pods(&["a"]), after(start, 1750)), (0, 0, 2, 0));
        check(publisher.publish(&pods(&["a"]), after(start, 1751)), (0, 1, 1, 0));
    }

    #[test]
    fn what_is_added_is_there_and_nothing_goes() {
        let (scratch, start) = (Scratch::new(), Instant::now());
        let mut publisher = Publisher::new(scratch.at("pods"), GRACE);
        publisher.publish(&pods(&["a", "b"]), start);
        check(publisher.add(&pods(&["new"])), (1, 0, 3, 0));
        check(publisher.publish(&pods(&["a"]), after(start, 10_000)), (0, 0, 3, 0));
        assert_eq!(scratch.names("pods"), ["shop_a.json", "shop_b.json", "shop_new.json"]);
    }

    #[test]
    fn files_of_an_earlier_process_get_the_grace_period_too() {
        let (scratch, start) = (Scratch::new(), Instant::now());
        Publisher::new(scratch.at("pods"), GRACE).publish(&pods(&["old", "a"]), start);
        let mut publisher = Publisher::new(scratch.at("pods"), GRACE);
        check(publisher.publish(&pods(&["a"]), after(start, 10_000)), (0, 0, 2, 0));
        check(publisher.publish(&pods(&["a"]), after(start, 10_601)), (0, 1, 1, 0));
    }

    #[test]
    fn a_volume_that_is_not_there_is_told_and_used_once_it_is() {
        let (scratch, start) = (Scratch::new(), Instant::now());
        let mut publisher = Publisher::new(scratch.at("volume/pods"), GRACE);
        let failed = publisher.publish(&pods(&["a"]), start).failed;
        assert!(failed[0].to_string().starts_with("create pod directory "), "{failed:?}");
        std::fs::create_dir(scratch.at("volume")).unwrap();
        check(publisher.publish(&pods(&["a"]), after(start, 30)), (1, 0, 1, 0));
    }
}
