//! Any bytes as a kubelet's list of pods: what streams by is what a library reads as a whole, a list is its pods one by one, and every
//! file can be written and read.

use crate::behaviour::{Behaviour, variant};
use nodesieve_engine::pods::{PodFile, file_name};
use nodesieve_podlist::{Counts, Limits, ListError, PodFiles, project};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::{self, Read};

pub(crate) fn check(data: &[u8]) -> Behaviour {
    let limits = Limits::default();
    let read = project(data, &limits);
    let in_drops = project(Drops(data), &limits);
    match (&read, &in_drops) {
        (Ok(whole), Ok(in_drops)) => assert_eq!(whole, in_drops),
        (Err(whole), Err(in_drops)) => assert_eq!(whole.to_string(), in_drops.to_string()),
        _ => assert!(read.is_ok() == in_drops.is_ok(), "{read:?} and {in_drops:?}"),
    }
    let by_library = items(data);
    let files = match read {
        Ok(files) => files,
        Err(error) => {
            assert!(by_library.is_none(), "refused: {error}");
            return Behaviour::of((variant(&error), kind(&error)));
        }
    };
    let Some(items) = by_library else { panic!("taken, and no list of pods for a library") };
    assert_eq!(files.bytes, data.len() as u64);
    for file in &files.files {
        assert!(file_name(&file.namespace, &file.pod).is_some(), "{file:?}");
        let content = file.encode();
        let again = content.as_ref().map(|content| PodFile::decode(content, &file.namespace, &file.pod));
        assert_eq!(again, Ok(Ok(file.clone())));
    }
    check_alone(&files, &items, &limits);
    let PodFiles { files, counts: Counts { skipped, omitted, .. }, uids, .. } = &files;
    let known = |kind: &&str| ["Deployment", "CronJob", "ReplicaSet", "Job"].contains(kind);
    let kind =
        |file: &PodFile| file.workload.as_ref().map(|of| Some(&*of.kind).filter(known).map(str::to_owned));
    let workloads: Vec<_> = files.iter().take(2).map(kind).collect();
    let sizes = files
        .iter()
        .take(2)
        .map(|file| (file.containers.len().min(4), file.older.len(), file.labels.is_some()))
        .collect::<Vec<_>>();
    Behaviour::of(((*skipped).min(3), (*omitted).min(3), uids.len().min(3), workloads, sizes))
}

/// The list is what its items are, each in a list of its own.
fn check_alone(files: &PodFiles, items: &[&RawValue], limits: &Limits) {
    let mut alone: BTreeMap<(String, String), Vec<PodFile>> = BTreeMap::new();
    let (mut skipped, mut omitted, mut uids) = (0, 0, Vec::new());
    for item in items {
        let list = format!("{{\"items\":[{}]}}", item.get());
        let Ok(one) = project(list.as_bytes(), limits) else {
            panic!("a list of one of its items is refused")
        };
        assert!(one.files.len() as u64 + one.counts.skipped == 1, "{one:?}");
        skipped += one.counts.skipped;
        omitted += one.counts.omitted;
        uids.extend(one.uids);
        for file in one.files {
            check_by_tree(&file, item);
            alone.entry((file.namespace.clone(), file.pod.clone())).or_default().push(file);
        }
    }
    let mut found = files.uids.clone();
    found.sort_unstable();
    uids.sort_unstable();
    assert_eq!((files.counts.skipped, found), (skipped, uids));
    assert_eq!(files.files.len(), alone.len());
    assert_eq!(files.counts.omitted, omitted);
    for (file, (name, same_name)) in files.files.iter().zip(&alone) {
        assert_eq!((&file.namespace, &file.pod), (&name.0, &name.1));
        match same_name.as_slice() {
            [one] => assert_eq!(file, one),
            _ => {
                let ids =
                    |file: &PodFile| file.containers.iter().map(|run| run.id.clone()).collect::<Vec<_>>();
                let mut all: Vec<String> = same_name.iter().flat_map(ids).collect();
                let mut found = ids(file);
                all.sort_unstable();
                all.dedup();
                found.sort_unstable();
                assert_eq!(found, all, "every run of every pod of the name");
                assert!(same_name.iter().any(|one| one.uid == file.uid && one.ip == file.ip));
            }
        }
    }
}

/// One item as a tree has what its file has.
fn check_by_tree(file: &PodFile, item: &RawValue) {
    let Ok(tree) = serde_json::from_str::<Value>(item.get()) else { return };
    let metadata = &tree["metadata"];
    assert_eq!(
        (metadata["namespace"].as_str(), metadata["name"].as_str()),
        (Some(&*file.namespace), Some(&*file.pod))
    );
    assert_eq!(file.uid.as_deref(), metadata["uid"].as_str().filter(|uid| !uid.is_empty()));
    // An object that has a key twice is none that Go writes, and counts as absent.
    let is_twice = item.get().matches("\"nodeName\"").count() > 1;
    let node = tree["spec"]["nodeName"].as_str().filter(|node| !node.is_empty());
    assert!(file.node.as_deref() == node || is_twice && file.node.is_none(), "{:?}, {node:?}", file.node);
    for (pairs, name) in [(&file.labels, "labels"), (&file.annotations, "annotations")] {
        for (key, _) in pairs.iter().flat_map(|pairs| &pairs.0) {
            let found = pairs.as_ref().and_then(|pairs| pairs.get(key));
            let expected = metadata[name].get(key).map(|value| value.as_str().unwrap_or_default());
            // Of one that is there twice, one may have been too long.
            assert!(found == expected || item.get().len() > 16_000, "{name} {key}: {found:?}, {expected:?}");
        }
    }
}

/// The items as a library reads them, unless it is no object with one list of that name.
fn items(data: &[u8]) -> Option<Vec<&RawValue>> {
    #[derive(Deserialize)]
    struct List<'d> {
        #[serde(borrow)]
        items: Option<Vec<&'d RawValue>>,
    }
    let is_object = data.trim_ascii_start().first() == Some(&b'{');
    let list: List<'_> = serde_json::from_slice(data).ok().filter(|_| is_object)?;
    list.items
}

/// What is wrong with it, without places and values.
fn kind(error: &ListError) -> Option<String> {
    match error {
        ListError::Json(error) => {
            let said = error.to_string();
            let kind = said.split(['`', '"', ':']).next().unwrap_or_default();
            Some(kind.chars().filter(|one| !one.is_ascii_digit()).collect())
        }
        _ => None,
    }
}

/// A few bytes at a time.
struct Drops<'d>(&'d [u8]);

impl Read for Drops<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = (self.0.len() % 7 + 1).min(into.len());
        into.get_mut(..most).map_or(Ok(0), |into| self.0.read(into))
    }
}

pub(crate) const WORDS: &[&str] = &[
    "{\"items\":[",
    "]}",
    "{\"metadata\":{\"name\":\"p\",\"namespace\":\"n\"",
    ",\"uid\":\"u\"",
    ",\"labels\":{\"app\":\"a\"}",
    ",\"annotations\":{\"n\":null}",
    ",\"creationTimestamp\":\"2026-11-20T10:00:00Z\"",
    ",\"deletionTimestamp\":\"2026-11-20T10:00:00Z\"",
    ",\"ownerReferences\":[{\"kind\":\"ReplicaSet\",\"name\":\"a-1\",\"controller\":true}]",
    "\"pod-template-hash\":\"1\"",
    "\"Job\"",
    "\"a-29000000\"",
    "}",
    "{",
    "[",
    "]",
    ",",
    ":",
    "\"spec\":{\"nodeName\":\"x\"}",
    "\"status\":{\"podIP\":\"1\"",
    ",\"containerStatuses\":[{\"name\":\"c\",\"containerID\":\"containerd://aa\"}]",
    "\"initContainerStatuses\":",
    "\"state\":{\"running\":{\"startedAt\":\"2026-11-20T10:00:00Z\"}}",
    "\"lastState\":{\"terminated\":{\"containerID\":\"containerd://bb\"}}",
    "\"restartCount\":3",
    "\"imageID\":\"a://b\"",
    "null",
    "\"\"",
    "-1",
    "1e999",
    "1.5",
    "true",
    "\\u0000",
    "\\ud800",
    "\"items\":null",
    "\u{e9}",
    " ",
    "\n",
    "\0",
];
