//! The `kubernetes` object: the built-in filter's keys, in its order, rendered once per cache fill.
//!
//! Source of keys and order: Fluent Bit 5.1.1, plugins/filter_kubernetes/kube_meta.c, `merge_meta`. Ours on top are
//! `workload`, `workload_kind` and `restarts`, which stand at the end and only where they are asked for.

use crate::glob::Globs;
use crate::json::{JsonReader, push_string};
use crate::pods::{Container, Pairs, PodFile};
use crate::tag::ContainerTag;

/// What goes onto a kept record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrichment {
    /// Where metadata comes from.
    pub source: MetadataFrom,
    /// The key under which it goes.
    pub key: Box<str>,
    /// Which keys the object has.
    pub fields: EnrichFields,
    /// Which labels.
    pub labels: Selection,
    /// Which annotations.
    pub annotations: Selection,
    /// Most bytes of the object; of what is larger, annotations and labels are left out, largest first.
    pub max_bytes: usize,
    /// Whether rules look into the metadata, all of which they see whatever the above says.
    pub for_rules: bool,
}

/// Where metadata comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetadataFrom {
    /// The pod file if there is one, else what a filter before has put onto the record.
    #[default]
    Auto,
    /// Pod files only. What is on the record is replaced.
    Pods,
    /// The record only. Nobody looks for pod files.
    Record,
}

/// Which keys the `kubernetes` object has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnrichFields {
    /// Those of the built-in filter.
    All,
    /// Pod, namespace, container, workload, labels, and annotations where some are chosen: what dashboards group by, at a fifth of the
    /// bytes.
    Lean,
    /// These, in the built-in filter's order.
    Only(Vec<Field>),
}

/// Which entries of a string map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Every one.
    All,
    /// None; the key is absent.
    None,
    /// Those whose key matches.
    Matching(Globs),
}

/// A key of the `kubernetes` object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each variant is the key of the same name")]
pub enum Field {
    PodName,
    NamespaceName,
    PodId,
    Labels,
    Annotations,
    OwnerReferences,
    Host,
    PodIp,
    ContainerName,
    DockerId,
    ContainerHash,
    ContainerImage,
    Workload,
    WorkloadKind,
    Restarts,
}

impl Field {
    /// All keys in the order in which they are written.
    pub const NAMES: [(&'static str, Field); 15] = [
        ("pod_name", Field::PodName),
        ("namespace_name", Field::NamespaceName),
        ("pod_id", Field::PodId),
        ("labels", Field::Labels),
        ("annotations", Field::Annotations),
        ("ownerReferences", Field::OwnerReferences),
        ("host", Field::Host),
        ("pod_ip", Field::PodIp),
        ("container_name", Field::ContainerName),
        ("docker_id", Field::DockerId),
        ("container_hash", Field::ContainerHash),
        ("container_image", Field::ContainerImage),
        ("workload", Field::Workload),
        ("workload_kind", Field::WorkloadKind),
        ("restarts", Field::Restarts),
    ];
}

impl Enrichment {
    /// Everything that the built-in filter adds, under its key.
    pub fn all() -> Enrichment {
        Enrichment {
            source: MetadataFrom::default(),
            key: "kubernetes".into(),
            fields: EnrichFields::All,
            labels: Selection::All,
            annotations: Selection::All,
            max_bytes: DEFAULT_BYTES,
            for_rules: false,
        }
    }

    /// The object for a container: from its pod's file as far as there is one, else from the tag alone. And whether anything was left
    /// out for its size: first annotations, then labels, each the largest first.
    pub fn render(
        &self,
        tag: &ContainerTag<'_>,
        file: Option<&PodFile>,
        container: Option<&Container>,
    ) -> (Vec<u8>, bool) {
        let is_wanted = |field| self.fields.contain(field);
        let chosen = [&self.labels, &self.annotations];
        let object = render(tag, file, container, is_wanted, chosen, &mut |_, _| true);
        let Some(excess) = object.len().checked_sub(self.max_bytes).filter(|excess| *excess > 0) else {
            return (object, false);
        };
        drop(object);
        let left_out = self.left_out(file, excess);
        let is_left_out = |field, key: &str| left_out.binary_search(&(field, key)).is_ok();
        let object =
            render(tag, file, container, is_wanted, chosen, &mut |field, key| !is_left_out(field, key));
        (object, true)
    }

    /// The entries without which the object is smaller by `excess`, or as small as it gets.
    fn left_out<'f>(&self, file: Option<&'f PodFile>, mut excess: usize) -> Vec<(Field, &'f str)> {
        let Some(file) = file else { return Vec::new() };
        let kinds = [
            (Field::Annotations, &self.annotations, &file.annotations),
            (Field::Labels, &self.labels, &file.labels),
        ];
        let mut left_out = Vec::new();
        for (field, selection, pairs) in kinds {
            let Some(pairs) = pairs.as_ref().filter(|_| self.fields.contain(field)) else { continue };
            let chosen = pairs.0.iter().filter(|(key, _)| selection.has(key));
            // As written: with quotes, colon and comma, and whatever JSON escapes.
            let mut sizes: Vec<(usize, &str)> = chosen
                .map(|(key, value)| {
                    let mut entry = ObjectText::default();
                    entry.text(key, Some(value));
                    (entry.0.len(), key.as_str())
                })
                .collect();
            sizes.sort_unstable();
            while excess > 0
                && let Some((bytes, key)) = sizes.pop()
            {
                excess = excess.saturating_sub(bytes);
                left_out.push((field, key));
            }
        }
        left_out.sort_unstable();
        left_out
    }

    /// What rules see; nothing when none asks.
    pub fn render_for_rules(
        &self,
        tag: &ContainerTag<'_>,
        file: Option<&PodFile>,
        container: Option<&Container>,
    ) -> Vec<u8> {
        if self.for_rules { all_that_is_known(tag, file, container) } else { Vec::new() }
    }
}

/// The object with every key and entry, but without a container id that kubelet has cut and nobody has completed: no rule
/// may take it for another one.
pub fn all_that_is_known(
    tag: &ContainerTag<'_>,
    file: Option<&PodFile>,
    container: Option<&Container>,
) -> Vec<u8> {
    let is_known = |field| field != Field::DockerId || container.is_some() || tag.has_whole_id();
    render(tag, file, container, is_known, [&Selection::All; 2], &mut |_, _| true)
}

fn render(
    tag: &ContainerTag<'_>,
    file: Option<&PodFile>,
    container: Option<&Container>,
    is_wanted: impl Fn(Field) -> bool,
    [labels, annotations]: [&Selection; 2],
    has_room: &mut dyn FnMut(Field, &str) -> bool,
) -> Vec<u8> {
    let workload = file.and_then(|file| file.workload.as_ref());
    // Of a run that nobody knows any more, the image is that of the container's last one: the built-in filter's answer too.
    let last_run = || {
        let runs = file?.containers.iter().filter(|other| other.name == tag.container);
        runs.max_by_key(|run| run.started)
    };
    let image = container.or_else(last_run);
    let mut object = ObjectText::default();
    for (name, field) in Field::NAMES {
        if !is_wanted(field) {
            continue;
        }
        match field {
            Field::PodName => object.text(name, Some(tag.pod)),
            Field::NamespaceName => object.text(name, Some(tag.namespace)),
            Field::PodId => object.text(name, file.and_then(|file| file.uid.as_deref())),
            Field::Labels | Field::Annotations => {
                let (pairs, selection) = match field {
                    Field::Labels => (file.and_then(|file| file.labels.as_ref()), labels),
                    _ => (file.and_then(|file| file.annotations.as_ref()), annotations),
                };
                object.pairs(name, pairs, selection, &mut |key| has_room(field, key));
            }
            Field::OwnerReferences => object.array(name, file.and_then(|file| file.owners.as_deref())),
            Field::Host => object.text(name, file.and_then(|file| file.node.as_deref())),
            Field::PodIp => object.text(name, file.and_then(|file| file.ip.as_deref())),
            Field::ContainerName => object.text(name, Some(tag.container)),
            // kubelet may have cut the id in the file name; its own status has it whole.
            Field::DockerId => {
                let id = container.map_or(tag.id, |found| found.id.as_str());
                object.text(name, Some(id).filter(|id| !id.is_empty()));
            }
            Field::ContainerHash => object.text(name, image.and_then(|found| found.hash.as_deref())),
            Field::ContainerImage => object.text(name, image.and_then(|found| found.image.as_deref())),
            Field::Workload => object.text(name, workload.map(|found| found.name.as_str())),
            Field::WorkloadKind => object.text(name, workload.map(|found| found.kind.as_str())),
            Field::Restarts => object.number(name, container.and_then(|found| found.restarts)),
        }
    }
    object.finish()
}

impl Selection {
    fn has(&self, key: &str) -> bool {
        match self {
            Selection::All => true,
            Selection::None => false,
            Selection::Matching(globs) => globs.matches(key),
        }
    }
}

impl EnrichFields {
    fn contain(&self, field: Field) -> bool {
        match self {
            EnrichFields::All => !matches!(
                field,
                Field::OwnerReferences | Field::Workload | Field::WorkloadKind | Field::Restarts
            ),
            EnrichFields::Lean => matches!(
                field,
                Field::PodName
                    | Field::NamespaceName
                    | Field::Labels
                    | Field::Annotations
                    | Field::ContainerName
                    | Field::Workload
            ),
            EnrichFields::Only(list) => list.contains(&field),
        }
    }
}

#[derive(Default)]
struct ObjectText(Vec<u8>);

impl ObjectText {
    fn key(&mut self, name: &str) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        push_string(&mut self.0, name.as_bytes());
        self.0.push(b':');
    }

    fn text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.key(name);
            push_string(&mut self.0, value.as_bytes());
        }
    }

    /// An array that is JSON already; what is none is left out, because it would make the record none either.
    fn array(&mut self, name: &str, value: Option<&str>) {
        let Some(value) = value.filter(|value| value.starts_with('[')) else { return };
        let mut reader = JsonReader::new(value);
        if reader.value() == Some(value) {
            self.key(name);
            self.0.extend_from_slice(value.as_bytes());
        }
    }

    fn number(&mut self, name: &str, value: Option<i64>) {
        if let Some(value) = value {
            self.key(name);
            self.0.extend_from_slice(value.to_string().as_bytes());
        }
    }

    fn pairs(
        &mut self,
        name: &str,
        pairs: Option<&Pairs>,
        selection: &Selection,
        has_room: &mut dyn FnMut(&str) -> bool,
    ) {
        let Some(pairs) = pairs.filter(|_| *selection != Selection::None) else { return };
        let mut inner = ObjectText::default();
        for (key, value) in pairs.0.iter().filter(|(key, _)| selection.has(key)) {
            if has_room(key) {
                inner.text(key, Some(value));
            }
        }
        self.key(name);
        let inner = inner.finish();
        self.0.extend_from_slice(&inner);
    }

    fn finish(mut self) -> Vec<u8> {
        if self.0.is_empty() {
            self.0.push(b'{');
        }
        self.0.push(b'}');
        self.0
    }
}

/// Bytes of the object by default: what a pod with some dozens of labels never has.
pub const DEFAULT_BYTES: usize = 16_384;

#[cfg(test)]
mod tests;
