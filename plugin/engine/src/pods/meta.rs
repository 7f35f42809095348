//! What is known about a container, ready to use: rendered and read once for each time that its pod file is read.
//!
//! The rule kept here: what is the pod's and not the container's is held once for all containers of the pod, and everything knows
//! how many bytes it takes.

use crate::pods::cache::container_of;
use crate::pods::{Enrichment, Excluded, Pairs, PodFile};
use crate::tag::ContainerTag;
use std::rc::Rc;

/// What is known about a container, ready to use.
#[derive(Debug, Default)]
pub struct PodMeta {
    /// What goes behind a record's own members: the `kubernetes` object under its key, and the closing brace.
    pub ending: Ending,
    /// The same with every key and entry, for rules; empty when none asks.
    pub for_rules: Vec<u8>,
    /// What it shares with the other containers of its pod.
    pub of_pod: Rc<OfPod>,
    /// What the pod's annotations exclude.
    pub excluded: Excluded,
    /// Whether the pod's annotations ask for anything of us: `nodesieve.io/...`.
    pub asks: bool,
    /// Start of this run of the container, in seconds since 1970.
    pub started: Option<i64>,
    /// Whether there was a pod file at all.
    pub known: bool,
    /// Whether it is what the record itself says.
    pub is_own: bool,
    /// Whether the pod file listed this container id.
    pub complete: bool,
    /// Whether labels or annotations are missing from the object, because it would be too large with them.
    pub truncated: bool,
}

/// What the containers of a pod share.
#[derive(Debug, Default)]
pub struct OfPod {
    namespace: Box<str>,
    pod: Box<str>,
    /// The pod's labels; `None` when they are not known.
    pub labels: Option<Pairs>,
    /// The pod's annotations; `None` when they are not known.
    pub annotations: Option<Pairs>,
    /// Name of what owns the pod.
    pub workload: Option<String>,
}

impl PodMeta {
    /// All that a pod's file says about a container. `shared` is what another container of the pod holds, if it is the same.
    pub(super) fn of_file(
        file: PodFile,
        shared: Option<Rc<OfPod>>,
        tag: &ContainerTag<'_>,
        enrichment: &Enrichment,
    ) -> PodMeta {
        let container = container_of(&file, tag).cloned();
        // Two pods may have had the name; the container's id says which of them wrote this.
        let file = file.as_seen_by(container.as_ref().map_or(tag.id, |container| &container.id));
        let excluded = file.annotations.as_ref().map(|pairs| Excluded::by(pairs, tag.container));
        let (object, truncated) = enrichment.render(tag, Some(&file), container.as_ref());
        let asks = file
            .annotations
            .as_ref()
            .is_some_and(|pairs| pairs.0.iter().any(|(key, _)| key.starts_with("nodesieve.io/")));
        PodMeta {
            asks,
            ending: Ending::new(&enrichment.key, &object),
            for_rules: enrichment.render_for_rules(tag, Some(&file), container.as_ref()),
            complete: container.is_some(),
            started: container.and_then(|container| container.started),
            known: true,
            is_own: false,
            excluded: excluded.unwrap_or_default(),
            of_pod: shared
                .filter(|shared| shared.is_of(tag, &file))
                .unwrap_or_else(|| Rc::new(OfPod::new(tag, file))),
            truncated,
        }
    }

    /// What a tag alone says.
    pub(super) fn of_tag(tag: &ContainerTag<'_>, enrichment: &Enrichment) -> PodMeta {
        let (object, truncated) = enrichment.render(tag, None, None);
        PodMeta {
            ending: Ending::new(&enrichment.key, &object),
            for_rules: enrichment.render_for_rules(tag, None, None),
            truncated,
            ..PodMeta::default()
        }
    }

    /// Whether the pod's annotations keep any record out.
    #[inline]
    pub fn excludes_anything(&self) -> bool {
        self.excluded != Excluded::default()
    }

    /// Bytes that it takes alone.
    pub(super) fn bytes(&self) -> usize {
        self.own_bytes().saturating_add(self.of_pod.bytes())
    }

    /// Bytes that it takes, with its part of what it shares.
    pub(super) fn bytes_held(&self) -> usize {
        let holders = Rc::strong_count(&self.of_pod).max(1);
        self.own_bytes().saturating_add(self.of_pod.bytes().checked_div(holders).unwrap_or_default())
    }

    fn own_bytes(&self) -> usize {
        let texts = self.ending.text.capacity().saturating_add(self.for_rules.capacity());
        texts.saturating_add(OVERHEAD)
    }
}

impl OfPod {
    fn new(tag: &ContainerTag<'_>, file: PodFile) -> OfPod {
        OfPod {
            namespace: tag.namespace.into(),
            pod: tag.pod.into(),
            workload: file.workload.map(|workload| workload.name),
            labels: Some(file.labels.unwrap_or_default()),
            annotations: Some(file.annotations.unwrap_or_default()),
        }
    }

    /// Whether it is what the file of this pod says.
    pub(super) fn is_of(&self, tag: &ContainerTag<'_>, file: &PodFile) -> bool {
        let is_same = |own: &Option<Pairs>, other: &Option<Pairs>| match (own, other) {
            (Some(own), Some(other)) => own == other,
            (Some(own), None) => own.0.is_empty(),
            (None, _) => false,
        };
        *self.pod == *tag.pod
            && *self.namespace == *tag.namespace
            && self.workload.as_deref() == file.workload.as_ref().map(|workload| &*workload.name)
            && is_same(&self.labels, &file.labels)
            && is_same(&self.annotations, &file.annotations)
    }

    fn bytes(&self) -> usize {
        let pairs = [&self.labels, &self.annotations].into_iter().flatten().flat_map(|pairs| &pairs.0);
        pairs.fold(OVERHEAD, |sum, (key, value)| {
            sum.saturating_add(key.len()).saturating_add(value.len()).saturating_add(OVERHEAD_OF_PAIR)
        })
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
        let start = key.len().saturating_add(4);
        let mut text = Vec::with_capacity(start.saturating_add(object.len()).saturating_add(1));
        for part in [b",\"".as_slice(), key.as_bytes(), b"\":"] {
            text.extend_from_slice(part);
        }
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

/// Bytes that an entry takes beside its texts: its own, those of the table, and what the allocator rounds up.
const OVERHEAD: usize = 512;
/// The same of a pair of strings.
const OVERHEAD_OF_PAIR: usize = 96;
