//! What is known of a record's pod, from its file, its tag or the record itself.
//!
//! The rule kept here: it is looked up when somebody asks, and once; a pod file comes before what is on the record.

use crate::pods::{Cache, Enrichment, Found, MetadataFrom, NoPods, OwnMemo, PodMeta, PodSource, Remembered};
use crate::record::RecordView;
use crate::tag_names::TagNames;
use crate::time::Now;
use std::cell::OnceCell;
use std::rc::Rc;

/// The metadata of a record's container, looked up when first asked for.
pub(crate) struct Metadata<'e> {
    names: &'e TagNames,
    pub(crate) enrichment: &'e Enrichment,
    now: Now,
    cache: &'e mut Cache,
    pods: &'e mut dyn PodSource,
    answer: Option<(Rc<PodMeta>, Found)>,
    /// What the tag remembers of the answer before; `None` when it is to be looked up.
    remembered: Option<&'e mut Option<Remembered>>,
    own: Own<'e>,
}

/// What is on the record under the key of the metadata: an object, and what it says once somebody has asked.
pub(crate) struct Own<'e> {
    object: Option<&'e [u8]>,
    memo: &'e mut OwnMemo,
    meta: OnceCell<Option<Rc<PodMeta>>>,
}

impl<'e> Own<'e> {
    pub(crate) fn of(record: &RecordView<'e>, enrichment: &Enrichment, memo: &'e mut OwnMemo) -> Own<'e> {
        let object = match enrichment.source {
            MetadataFrom::Pods => None,
            MetadataFrom::Auto | MetadataFrom::Record => record.own_object(&enrichment.key),
        };
        Own { object, memo, meta: OnceCell::new() }
    }
}

impl<'e> Metadata<'e> {
    pub(crate) fn new(
        names: &'e TagNames,
        enrichment: &'e Enrichment,
        now: Now,
        (cache, remembered): (&'e mut Cache, Option<&'e mut Option<Remembered>>),
        own: Own<'e>,
        pods: &'e mut dyn PodSource,
    ) -> Metadata<'e> {
        Metadata { names, enrichment, now, cache, pods, answer: None, remembered, own }
    }

    /// What is known about the container, or `None` when the tag names none and the record says nothing of its own.
    #[inline]
    pub(crate) fn get(&mut self) -> Option<Rc<PodMeta>> {
        let of_pod = self.of_pod();
        if self.own.object.is_none() || of_pod.as_ref().is_some_and(|meta| meta.known) {
            return of_pod;
        }
        self.of_record().or(of_pod)
    }

    /// Whether the tag names a container.
    pub(crate) fn has_container(&self) -> bool {
        self.names.container().is_some()
    }

    /// The object on the record, if it is about the record's own pod.
    pub(crate) fn own_object(&mut self) -> Option<&'e [u8]> {
        let object = self.own.object?;
        self.of_record().map(|_| object)
    }

    #[inline(never)]
    fn of_record(&mut self) -> Option<Rc<PodMeta>> {
        let object = self.own.object?;
        if self.own.meta.get().is_none() {
            let names = (self.names.tag(), self.names.container());
            let _ = self.own.meta.set(self.own.memo.get(object, names, self.enrichment));
        }
        self.own.meta.get().cloned().flatten()
    }

    /// What the pod file says, or the tag where there is none.
    #[inline]
    fn of_pod(&mut self) -> Option<Rc<PodMeta>> {
        if self.answer.is_none() {
            let last = self.remembered.as_ref().and_then(|remembered| remembered.as_ref()?.at(self.now));
            self.answer = match last {
                Some(answer) => Some(answer),
                None => self.look_up(),
            };
        }
        self.answer.as_ref().map(|(meta, _)| Rc::clone(meta))
    }

    #[inline(never)]
    fn look_up(&mut self) -> Option<(Rc<PodMeta>, Found)> {
        let tag = self.names.container()?;
        let mut none = NoPods;
        let pods: &mut dyn PodSource = match self.enrichment.source {
            MetadataFrom::Auto | MetadataFrom::Pods => self.pods,
            MetadataFrom::Record => &mut none,
        };
        let answer = self.cache.get(self.names.tag(), &tag, self.enrichment, self.now, pods);
        if let Some(remembered) = &mut self.remembered {
            **remembered = self.cache.last();
        }
        Some(answer)
    }

    /// How the answer was found, if one was asked for.
    #[inline]
    pub(crate) fn found(&self) -> Option<Found> {
        self.answer.as_ref().map(|(_, found)| *found)
    }
}
