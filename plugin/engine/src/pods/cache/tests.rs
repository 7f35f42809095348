//! The cache over a directory that counts its reads.

use super::*;
use crate::pods::Pairs;
use std::collections::BTreeMap;

/// A directory that counts how often it is read.
#[derive(Default)]
struct Directory {
    files: BTreeMap<String, Vec<u8>>,
    broken: bool,
    reads: usize,
}

impl PodSource for Directory {
    fn read(&mut self, file_name: &str, into: &mut Vec<u8>) -> Result<(), Unavailable> {
        self.reads += 1;
        if self.broken {
            return Err(Unavailable::Unreadable);
        }
        into.extend_from_slice(self.files.get(file_name).ok_or(Unavailable::Missing)?);
        Ok(())
    }
}

impl Directory {
    fn put(&mut self, pod: &str, ids: &[&str]) {
        self.put_labelled(pod, ids, 0);
    }

    /// A pod with so many labels of a hundred bytes.
    fn put_labelled(&mut self, pod: &str, ids: &[&str], labels: usize) {
        let containers = ids
            .iter()
            .map(|id| Container {
                name: "app".into(),
                id: (*id).into(),
                started: Some(1),
                ..Container::default()
            })
            .collect();
        let labels = (0..labels).map(|n| (format!("label-{n:03}"), "x".repeat(88))).collect();
        let labels = Some(Pairs(labels));
        let file =
            PodFile { namespace: "n".into(), pod: pod.into(), containers, labels, ..PodFile::default() };
        self.files.insert(file_name("n", pod).unwrap(), file.encode().unwrap());
    }
}

struct Bench {
    cache: Cache,
    directory: Directory,
}

impl Bench {
    fn new(capacity: usize) -> Bench {
        let settings = CacheSettings {
            ttl: Duration::from_secs(60),
            stale: Duration::from_secs(600),
            missing_ttl: Duration::from_secs(2),
            capacity: NonZeroUsize::new(capacity).unwrap(),
            max_bytes: 1 << 20,
        };
        Bench { cache: Cache::new(settings), directory: Directory::default() }
    }

    /// Looks a container up; the answer is how it was found, whether it is complete, and the reads so far.
    fn get(&mut self, pod: &str, id: &str, second: u64) -> (Found, bool, usize) {
        let tag = ContainerTag { pod, namespace: "n", container: "app", id };
        let now = Now(second * 1_000_000_000);
        let key = format!("kube.{pod}_n_app-{id}.log");
        let enrichment = Enrichment::all();
        let (meta, found) = self.cache.get(&key, &tag, &enrichment, now, &mut self.directory);
        assert!(String::from_utf8_lossy(meta.ending.text()).contains(&format!("\"pod_name\":\"{pod}\"")));
        (found, meta.complete, self.directory.reads)
    }
}

#[test]
fn a_complete_answer_is_believed_for_the_ttl() {
    let mut bench = Bench::new(8);
    bench.directory.put("web", &["0a"]);
    assert_eq!(bench.get("web", "0a", 100), (Found::Read, true, 1));
    assert_eq!(bench.get("web", "0a", 159), (Found::Hit, true, 1));
    assert_eq!(bench.get("web", "0a", 160), (Found::Read, true, 2));
}

#[test]
fn a_new_pod_heals_within_the_short_ttl() {
    let mut bench = Bench::new(8);
    assert_eq!(bench.get("web", "0a", 100), (Found::Missing, false, 1));
    bench.directory.put("web", &[]);
    assert_eq!(bench.get("web", "0a", 101), (Found::Missing, false, 1));
    assert_eq!(bench.get("web", "0a", 102), (Found::Read, false, 2));
    bench.directory.put("web", &["0a"]);
    assert_eq!(bench.get("web", "0a", 103), (Found::Hit, false, 2));
    assert_eq!(bench.get("web", "0a", 104), (Found::Read, true, 3));
}

#[test]
fn an_old_answer_serves_while_the_file_is_gone_but_not_for_ever() {
    let mut bench = Bench::new(8);
    bench.directory.put("web", &["0a"]);
    bench.get("web", "0a", 100);
    bench.directory.files.clear();
    assert_eq!(bench.get("web", "0a", 160), (Found::Stale, true, 2));
    assert_eq!(bench.get("web", "0a", 161), (Found::Stale, true, 2));
    bench.directory.broken = true;
    assert_eq!(bench.get("web", "0a", 700), (Found::Stale, true, 3));
    assert_eq!(bench.get("web", "0a", 702), (Found::Refused, false, 4));
}

#[test]
fn a_restarted_container_is_read_at_once() {
    let mut bench = Bench::new(8);
    bench.directory.put("web", &["0a"]);
    bench.get("web", "0a", 100);
    bench.directory.put("web", &["0b"]);
    assert_eq!(bench.get("web", "0b", 101), (Found::Read, true, 2));
    // The old run's last lines keep what was known about it.
    assert_eq!(bench.get("web", "0a", 161), (Found::Read, true, 3));
}

#[test]
fn a_cut_id_matches_the_whole_one_and_names_match_exactly() {
    let mut bench = Bench::new(8);
    bench.directory.put("web-10", &["0abcdef"]);
    assert_eq!(bench.get("web-10", "0abc", 100), (Found::Read, true, 1));
    assert_eq!(bench.get("web-1", "0abc", 100), (Found::Missing, false, 2));
}

#[test]
fn a_clock_that_goes_back_reads_again() {
    let mut bench = Bench::new(8);
    bench.directory.put("web", &["0a"]);
    bench.get("web", "0a", 100);
    assert_eq!(bench.get("web", "0a", 50), (Found::Read, true, 2));
}

#[test]
fn the_capacity_is_never_exceeded() {
    let mut bench = Bench::new(3);
    for n in 0..100 {
        bench.get(&format!("web-{n}"), "0a", 100);
    }
    assert_eq!(bench.cache.len(), 3);
    assert!(!bench.cache.is_empty());
}

#[test]
fn a_file_that_is_not_one_is_refused() {
    let mut bench = Bench::new(3);
    bench.directory.files.insert("n_web.json".into(), b"{\"version\":9}".to_vec());
    assert_eq!(bench.get("web", "0a", 100), (Found::Refused, false, 1));
}

/// Scenario: a tenant has 20 pods with 100 kB of labels each, others have ordinary ones; all write all the time.
/// Guarantees: the cache holds no more bytes than it may, ordinary pods keep their metadata, and each of the large ones is read once
/// in two seconds at the most.
#[test]
fn the_largest_entries_go_when_the_bytes_are_used_up() {
    let mut bench = Bench::new(1024);
    for n in 0..20 {
        bench.directory.put_labelled(&format!("huge-{n}"), &["0a"], 1000);
        bench.directory.put(&format!("web-{n}"), &["0a"]);
    }
    for n in 0..20 {
        bench.get(&format!("web-{n}"), "0a", 100);
    }
    let before = bench.directory.reads;
    let mut evicted = 0;
    for round in 0..100 {
        for n in 0..20 {
            let (found, is_complete, _) = bench.get(&format!("huge-{n}"), "0a", 101 + round / 50);
            assert_eq!(is_complete, found != Found::Evicted);
            evicted += usize::from(found == Found::Evicted);
            assert_eq!(bench.get(&format!("web-{n}"), "0a", 101 + round / 50).0, Found::Hit);
            let held: usize = bench.cache.entries.iter().map(|(_, entry)| entry.meta.bytes_held()).sum();
            assert!(held <= 1 << 20, "{held}");
        }
    }
    assert!(evicted > 500, "{evicted}");
    assert_eq!(bench.directory.reads - before, 20, "in two seconds");
}

#[test]
fn containers_of_one_pod_hold_what_is_the_pods_once() {
    let mut bench = Bench::new(1024);
    let ids: Vec<String> = (0..40).map(|n| format!("0a{n:02}")).collect();
    bench.directory.put_labelled("web", &ids.iter().map(String::as_str).collect::<Vec<_>>(), 300);
    for id in &ids {
        assert_eq!(bench.get("web", id, 100).0, Found::Read);
    }
    let labels: Vec<_> =
        bench.cache.entries.iter().map(|(_, entry)| Rc::as_ptr(&entry.meta.of_pod)).collect();
    assert!(labels.iter().all(|one| *one == labels[0]));
    assert!(ids.iter().all(|id| bench.get("web", id, 101).0 == Found::Hit), "all of them have room");
    // The pod is labelled anew: whoever is read later has the new ones.
    bench.directory.put_labelled("web", &["0a00", "0a01"], 5);
    bench.get("web", "0a00", 160);
    let now_and_before: std::collections::BTreeSet<_> =
        bench.cache.entries.iter().map(|(_, entry)| Rc::as_ptr(&entry.meta.of_pod)).collect();
    assert_eq!(now_and_before.len(), 2);
}

/// What a tag remembers by itself is not held by it: a thousand tags would hold what the cache has given up.
#[test]
fn what_a_tag_remembers_ends_with_the_cache_s() {
    let mut bench = Bench::new(1);
    bench.directory.put("web", &["0a"]);
    bench.get("web", "0a", 100);
    let remembered = bench.cache.last().unwrap();
    assert!(remembered.at(Now(101_000_000_000)).is_some());
    assert!(remembered.at(Now(161_000_000_000)).is_none());
    bench.get("other", "0a", 101);
    assert!(remembered.at(Now(101_000_000_000)).is_none());
}
