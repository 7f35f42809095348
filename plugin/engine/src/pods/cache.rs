//! The pod cache: one entry per container, filled from pod files on a miss, bounded, and never in the way.
//!
//! | the file | what a record gets | looked at again after |
//! |---|---|---|
//! | lists the container id | everything | `ttl` |
//! | is there, the id is not in it yet | the pod's keys, the tag's id | `missing_ttl` |
//! | was read before, is gone or unreadable now | what was known, for at most `stale` | `missing_ttl` |
//! | is not there | the tag's keys | `missing_ttl` |
//!
//! The container id is part of the key, so a restarted container is a new entry and is read at once; because every
//! incomplete answer is kept for `missing_ttl`, no container causes more than one read in that time. At the capacity
//! the least recently used container goes; it costs one read when it comes back.
//!
//! What all of them hold is bounded in bytes too. Beyond that the largest give theirs up, however recently they were used, and go
//! by the tag's keys until `missing_ttl` is over and they are read again: whoever writes a pod's labels can lose that pod's
//! metadata for a time, and nobody else's.

use crate::hash::BuildWordHasher;
use crate::pods::meta::{OfPod, PodMeta};
use crate::pods::{Container, Enrichment, PodFile, PodSource, Unavailable, file_name};
use crate::swar;
use crate::tag::{ContainerNames, ContainerTag};
use crate::time::Now;
use lru::LruCache;
use std::num::NonZeroUsize;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// How long what is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// A complete answer.
    pub ttl: Duration,
    /// An old answer, while its file cannot be had.
    pub stale: Duration,
    /// An incomplete answer.
    pub missing_ttl: Duration,
    /// Containers kept.
    pub capacity: NonZeroUsize,
    /// Bytes that all of them hold, at least those of one.
    pub max_bytes: usize,
}

/// How an answer was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// In the cache, fresh.
    Hit,
    /// The file was read and taken.
    Read,
    /// The file could not be had; the answer is an old one.
    Stale,
    /// The file could not be had and nothing was known before.
    Missing,
    /// The file is there but was not taken ([`crate::pods::FileError`]) and nothing was known before.
    Refused,
    /// The answer was given up, because the cache holds as many bytes as it may.
    Evicted,
}

/// The cache.
#[derive(Debug)]
pub struct Cache {
    settings: CacheSettings,
    entries: LruCache<Box<str>, CacheEntry, BuildWordHasher>,
    content: Vec<u8>,
    /// What the entries hold, each as if it shared nothing.
    bytes: usize,
}

#[derive(Debug)]
struct CacheEntry {
    meta: Rc<PodMeta>,
    checked: Now,
    /// When the file was last taken.
    taken: Option<Now>,
    found: Found,
    /// What its tag says, for when it gives up the rest.
    names: ContainerNames,
}

/// An answer that a tag keeps for itself, with the time in which the cache would give it again: only as long as the cache holds
/// it too, or the tags would hold more than the cache may.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    meta: Weak<PodMeta>,
    found: Found,
    /// From when on and until when.
    from: Now,
    until: Now,
}

impl Remembered {
    /// The answer, if the cache would give it too.
    #[inline]
    pub(crate) fn at(&self, now: Now) -> Option<(Rc<PodMeta>, Found)> {
        if now < self.from || now >= self.until {
            return None;
        }
        Some((self.meta.upgrade()?, self.found))
    }
}

impl Cache {
    /// An empty cache.
    pub fn new(settings: CacheSettings) -> Cache {
        let entries = LruCache::with_hasher(settings.capacity, BuildWordHasher::default());
        Cache { settings, entries, content: Vec::new(), bytes: 0 }
    }

    /// What is known about the container of `tag`; `key` is the tag's text and stands for it in the cache.
    #[inline]
    pub fn get(
        &mut self,
        key: &str,
        tag: &ContainerTag<'_>,
        enrichment: &Enrichment,
        now: Now,
        source: &mut dyn PodSource,
    ) -> (Rc<PodMeta>, Found) {
        let settings = self.settings;
        // Records of one container come in runs: the last one is compared before the table is asked.
        let is_last =
            self.entries.peek_mru().is_some_and(|(last, _)| swar::equal(last.as_bytes(), key.as_bytes()));
        let known =
            if is_last { self.entries.peek_mru().map(|(_, entry)| entry) } else { self.entries.get(key) };
        if let Some(entry) = known
            && entry.is_fresh(now, &settings)
        {
            return (Rc::clone(&entry.meta), entry.found_again());
        }
        let file = self.read(tag, source);
        let old = self.forget(key);
        let shared = file.as_ref().ok().and_then(|file| self.shared_by(tag, file));
        let entry = CacheEntry::next(old, (file, shared), tag, enrichment, now, &settings);
        let answer = (Rc::clone(&entry.meta), entry.found);
        if self.entries.len() >= settings.capacity.get()
            && let Some((_, forgotten)) = self.entries.pop_lru()
        {
            self.bytes = self.bytes.saturating_sub(forgotten.bytes());
        }
        self.bytes = self.bytes.saturating_add(entry.bytes());
        self.entries.put(key.into(), entry);
        if self.bytes > settings.max_bytes {
            self.make_room(key, enrichment);
        }
        answer
    }

    fn forget(&mut self, key: &str) -> Option<CacheEntry> {
        let old = self.entries.pop(key)?;
        self.bytes = self.bytes.saturating_sub(old.bytes());
        Some(old)
    }

    /// What another container of the pod holds already, if it is the same.
    fn shared_by(&self, tag: &ContainerTag<'_>, file: &PodFile) -> Option<Rc<OfPod>> {
        let mut pods = self.entries.iter().map(|(_, entry)| &entry.meta.of_pod);
        pods.find(|of_pod| of_pod.is_of(tag, file)).map(Rc::clone)
    }

    /// Has the largest entries give up what they hold, until there is room. The last one asked for, under `key`, is the last to go.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, key: &str, enrichment: &Enrichment) {
        loop {
            // What containers of one pod share is there once.
            let held = self.entries.iter().map(|(_, entry)| entry.meta.bytes_held());
            if held.fold(0, usize::saturating_add) <= self.settings.max_bytes {
                return;
            }
            let others = self.entries.iter_mut().filter(|(own, entry)| ***own != *key && !entry.is_evicted());
            let Some((_, largest)) = others.max_by_key(|(_, entry)| entry.meta.bytes_held()) else {
                return;
            };
            let before = largest.bytes();
            largest.give_up(enrichment);
            self.bytes = self.bytes.saturating_sub(before).saturating_add(largest.bytes());
        }
    }

    /// What was answered last, for as long as it would be answered again.
    pub(crate) fn last(&self) -> Option<Remembered> {
        let (_, entry) = self.entries.peek_mru()?;
        Some(Remembered {
            meta: Rc::downgrade(&entry.meta),
            found: entry.found_again(),
            from: entry.checked,
            until: entry.checked.after(entry.limit(&self.settings)),
        })
    }

    /// Containers in the cache.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the cache is empty.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn read(&mut self, tag: &ContainerTag<'_>, source: &mut dyn PodSource) -> Result<PodFile, Found> {
        let name = file_name(tag.namespace, tag.pod).ok_or(Found::Missing)?;
        self.content.clear();
        source.read(&name, &mut self.content).map_err(|reason| match reason {
            Unavailable::Missing => Found::Missing,
            Unavailable::Unreadable => Found::Refused,
        })?;
        PodFile::decode(&self.content, tag.namespace, tag.pod).map_err(|_| Found::Refused)
    }
}

impl CacheEntry {
    #[inline]
    fn is_fresh(&self, now: Now, settings: &CacheSettings) -> bool {
        now.since(self.checked).is_some_and(|age| age < self.limit(settings))
    }

    /// How long it is believed.
    #[inline]
    fn limit(&self, settings: &CacheSettings) -> Duration {
        let complete = self.meta.complete && matches!(self.found, Found::Read);
        if complete { settings.ttl } else { settings.missing_ttl }
    }

    /// How it was found when it is asked for again.
    #[inline]
    fn found_again(&self) -> Found {
        if matches!(self.found, Found::Read) { Found::Hit } else { self.found }
    }

    /// What it holds, as if it shared nothing.
    fn bytes(&self) -> usize {
        self.meta.bytes()
    }

    fn is_evicted(&self) -> bool {
        matches!(self.found, Found::Evicted)
    }

    /// Leaves what its tag says. It is read again as one that was incomplete.
    fn give_up(&mut self, enrichment: &Enrichment) {
        self.meta = Rc::new(PodMeta::of_tag(&self.names.borrowed(), enrichment));
        self.found = Found::Evicted;
        self.taken = None;
    }

    fn next(
        old: Option<CacheEntry>,
        (file, shared): (Result<PodFile, Found>, Option<Rc<OfPod>>),
        tag: &ContainerTag<'_>,
        enrichment: &Enrichment,
        now: Now,
        settings: &CacheSettings,
    ) -> CacheEntry {
        let names = ContainerNames::of(tag);
        match file {
            Ok(file) => {
                let meta = match old {
                    // The run is over and no longer listed: what was known about it stays true.
                    Some(old) if old.meta.complete && container_of(&file, tag).is_none() => old.meta,
                    _ => Rc::new(PodMeta::of_file(file, shared, tag, enrichment)),
                };
                CacheEntry { meta, checked: now, taken: Some(now), found: Found::Read, names }
            }
            Err(reason) => {
                let still_good = |old: &CacheEntry| {
                    old.taken.and_then(|taken| now.since(taken)).is_some_and(|age| age <= settings.stale)
                };
                match old.filter(still_good) {
                    Some(old) => CacheEntry { checked: now, found: Found::Stale, ..old },
                    None => {
                        let meta = Rc::new(PodMeta::of_tag(tag, enrichment));
                        CacheEntry { meta, checked: now, taken: None, found: reason, names }
                    }
                }
            }
        }
    }
}

/// The container of the tag: by its id, which kubelet may have cut short in the file name. A tag of one's own making may have no id: then
/// it is the last run that kubelet knows of, as with the built-in filter.
pub(super) fn container_of<'f>(file: &'f PodFile, tag: &ContainerTag<'_>) -> Option<&'f Container> {
    let mut of_name = file.containers.iter().filter(|found| found.name == tag.container);
    if tag.id.is_empty() {
        return of_name.max_by_key(|run| run.started);
    }
    let by_id = file.containers.iter().find(|container| container.id == tag.id);
    by_id.or_else(|| of_name.find(|found| found.id.starts_with(tag.id)))
}

#[cfg(test)]
mod tests;
