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

use crate::hash::BuildWordHasher;
use crate::pods::{Container, Enrichment, Excluded, Pairs, PodFile, PodSource, Unavailable, file_name};
use crate::swar;
use crate::tag::ContainerTag;
use crate::time::Now;
use lru::LruCache;
use std::num::NonZeroUsize;
use std::rc::Rc;
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
}

/// What is known about a container, ready to use.
#[derive(Debug, Default)]
pub struct PodMeta {
    /// What goes behind a record's own members: the `kubernetes` object under its key, and the closing brace.
    pub ending: Ending,
    /// The same with every key and entry, for rules; empty when none asks.
    pub for_rules: Vec<u8>,
    /// The pod's labels; `None` when they are not known.
    pub labels: Option<Pairs>,
    /// The pod's annotations; `None` when they are not known.
    pub annotations: Option<Pairs>,
    /// What the pod's annotations exclude.
    pub excluded: Excluded,
    /// Name of what owns the pod.
    pub workload: Option<String>,
    /// Start of this run of the container, in seconds since 1970.
    pub started: Option<i64>,
    /// Whether there was a pod file at all.
    pub known: bool,
    /// Whether the pod file listed this container id.
    pub complete: bool,
}

impl PodMeta {
    /// Whether the pod's annotations keep any record out.
    #[inline]
    pub fn excludes_anything(&self) -> bool {
        self.excluded != Excluded::default()
    }
}

/// The end of an enriched record, rendered once: what is put in the place of a record's closing brace.
#[derive(Debug, Default)]
pub struct Ending {
    text: Vec<u8>,
    /// Where the object starts.
    object: usize,
}

impl Ending {
    /// Under this key, this object; an empty one is not shown.
    fn new(key: &str, object: &[u8]) -> Ending {
        if object == b"{}" {
            return Ending { text: b"}".to_vec(), object: 1 };
        }
        let mut text = [b",\"", key.as_bytes(), b"\":"].concat();
        let start = text.len();
        text.extend_from_slice(object);
        text.push(b'}');
        Ending { text, object: start }
    }

    /// All of it.
    #[inline]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The object alone, as JSON, if there is one.
    #[inline]
    pub fn object(&self) -> Option<&[u8]> {
        self.text.get(self.object..self.text.len().wrapping_sub(1)).filter(|object| !object.is_empty())
    }
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
}

/// The cache.
#[derive(Debug)]
pub struct Cache {
    settings: CacheSettings,
    entries: LruCache<Box<str>, CacheEntry, BuildWordHasher>,
    content: Vec<u8>,
}

#[derive(Debug)]
struct CacheEntry {
    meta: Rc<PodMeta>,
    checked: Now,
    /// When the file was last taken.
    taken: Option<Now>,
    found: Found,
}

/// An answer that a tag keeps for itself, with the time in which the cache would give it again.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    meta: Rc<PodMeta>,
    found: Found,
    /// From when on and until when.
    from: Now,
    until: Now,
}

impl Remembered {
    /// The answer, if the cache would give it too.
    #[inline]
    pub(crate) fn at(&self, now: Now) -> Option<(&Rc<PodMeta>, Found)> {
        (now >= self.from && now < self.until).then_some((&self.meta, self.found))
    }
}

impl Cache {
    /// An empty cache.
    pub fn new(settings: CacheSettings) -> Cache {
        let entries = LruCache::with_hasher(settings.capacity, BuildWordHasher::default());
        Cache { settings, entries, content: Vec::new() }
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
        let old = self.entries.pop(key);
        let entry = CacheEntry::next(old, file, tag, enrichment, now, &settings);
        let answer = (Rc::clone(&entry.meta), entry.found);
        self.entries.put(key.into(), entry);
        answer
    }

    /// What was answered last, for as long as it would be answered again.
    pub(crate) fn last(&self) -> Option<Remembered> {
        let (_, entry) = self.entries.peek_mru()?;
        Some(Remembered {
            meta: Rc::clone(&entry.meta),
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

    fn next(
        old: Option<CacheEntry>,
        file: Result<PodFile, Found>,
        tag: &ContainerTag<'_>,
        enrichment: &Enrichment,
        now: Now,
        settings: &CacheSettings,
    ) -> CacheEntry {
        match file {
            Ok(file) => {
                let container = container_of(&file, tag).cloned();
                // Two pods may have had the name; the container's id says which of them wrote this.
                let file = file.as_seen_by(container.as_ref().map_or(tag.id, |container| &container.id));
                let excluded = file.annotations.as_ref().map(|pairs| Excluded::by(pairs, tag.container));
                let excluded = excluded.unwrap_or_default();
                let meta = match old {
                    // The run is over and no longer listed: what was known about it stays true.
                    Some(old) if container.is_none() && old.meta.complete => old.meta,
                    _ => Rc::new(PodMeta {
                        ending: Ending::new(
                            &enrichment.key,
                            &enrichment.render(tag, Some(&file), container.as_ref()),
                        ),
                        for_rules: enrichment.render_for_rules(tag, Some(&file), container.as_ref()),
                        complete: container.is_some(),
                        started: container.and_then(|container| container.started),
                        workload: file.workload.map(|workload| workload.name),
                        labels: Some(file.labels.unwrap_or_default()),
                        annotations: Some(file.annotations.unwrap_or_default()),
                        known: true,
                        excluded,
                    }),
                };
                CacheEntry { meta, checked: now, taken: Some(now), found: Found::Read }
            }
            Err(reason) => {
                let still_good = |old: &CacheEntry| {
                    old.taken.and_then(|taken| now.since(taken)).is_some_and(|age| age <= settings.stale)
                };
                match old.filter(still_good) {
                    Some(old) => CacheEntry { checked: now, found: Found::Stale, ..old },
                    None => {
                        let ending = Ending::new(&enrichment.key, &enrichment.render(tag, None, None));
                        let for_rules = enrichment.render_for_rules(tag, None, None);
                        let meta = Rc::new(PodMeta { ending, for_rules, ..PodMeta::default() });
                        CacheEntry { meta, checked: now, taken: None, found: reason }
                    }
                }
            }
        }
    }
}

/// The container of the tag: by its id, which kubelet may have cut short in the file name.
fn container_of<'f>(file: &'f PodFile, tag: &ContainerTag<'_>) -> Option<&'f Container> {
    file.containers.iter().find(|container| container.id == tag.id).or_else(|| {
        file.containers.iter().find(|found| found.name == tag.container && found.id.starts_with(tag.id))
    })
}

#[cfg(test)]
mod tests;
