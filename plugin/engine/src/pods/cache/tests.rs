//! The cache over a directory that counts its reads.

use super::*;
use crate::pods::{EnrichFields, Selection};
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
        let containers = ids
            .iter()
            .map(|id| Container {
                name: "app".into(),
                id: (*id).into(),
                started: Some(1),
                ..Container::default()
            })
            .collect();
        let file = PodFile { namespace: "n".into(), pod: pod.into(), containers, ..PodFile::default() };
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
        };
        Bench { cache: Cache::new(settings), directory: Directory::default() }
    }

    /// Looks a container up; the answer is how it was found, whether it is complete, and the reads so far.
    fn get(&mut self, pod: &str, id: &str, second: u64) -> (Found, bool, usize) {
        let tag = ContainerTag { pod, namespace: "n", container: "app", id };
        let enrichment = Enrichment {
            for_rules: false,
            key: "kubernetes".into(),
            fields: EnrichFields::All,
            labels: Selection::All,
            annotations: Selection::All,
        };
        let now = Now(second * 1_000_000_000);
        let key = format!("{pod}-{id}");
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
