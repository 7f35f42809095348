//! The `kubernetes` object: the built-in filter's keys, in its order, rendered once per cache fill.
//!
//! Source of keys and order: Fluent Bit 5.1.1, plugins/filter_kubernetes/kube_meta.c, `merge_meta`. Ours on top are
//! `workload`, `workload_kind` and `restarts`, which stand at the end and only where they are asked for.

use crate::glob::Globs;
use crate::json::push_string;
use crate::pods::{Container, Pairs, PodFile};
use crate::tag::ContainerTag;

/// What goes onto a kept record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrichment {
    /// The key under which it goes.
    pub key: Box<str>,
    /// Which keys the object has.
    pub fields: EnrichFields,
    /// Which labels.
    pub labels: Selection,
    /// Which annotations.
    pub annotations: Selection,
    /// Whether rules look into the metadata, all of which they see whatever the above says.
    pub for_rules: bool,
}

/// Which keys the `kubernetes` object has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnrichFields {
    /// Those of the built-in filter.
    All,
    /// Pod, namespace, container, workload and labels: what dashboards group by, at a fifth of the bytes.
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
    pub const NAMES: [(&'static str, Field); 14] = [
        ("pod_name", Field::PodName),
        ("namespace_name", Field::NamespaceName),
        ("pod_id", Field::PodId),
        ("labels", Field::Labels),
        ("annotations", Field::Annotations),
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
            key: "kubernetes".into(),
            fields: EnrichFields::All,
            labels: Selection::All,
            annotations: Selection::All,
            for_rules: false,
        }
    }

    /// The object for a container: from its pod's file as far as there is one, else from the tag alone.
    pub fn render(
        &self,
        tag: &ContainerTag<'_>,
        file: Option<&PodFile>,
        container: Option<&Container>,
    ) -> Vec<u8> {
        render(tag, file, container, |field| self.fields.contain(field), [&self.labels, &self.annotations])
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
    render(tag, file, container, is_known, [&Selection::All; 2])
}

fn render(
    tag: &ContainerTag<'_>,
    file: Option<&PodFile>,
    container: Option<&Container>,
    is_wanted: impl Fn(Field) -> bool,
    [labels, annotations]: [&Selection; 2],
) -> Vec<u8> {
    let workload = file.and_then(|file| file.workload.as_ref());
    let mut object = ObjectText::default();
    for (name, field) in Field::NAMES {
        if !is_wanted(field) {
            continue;
        }
        match field {
            Field::PodName => object.text(name, Some(tag.pod)),
            Field::NamespaceName => object.text(name, Some(tag.namespace)),
            Field::PodId => object.text(name, file.and_then(|file| file.uid.as_deref())),
            Field::Labels => object.pairs(name, file.and_then(|file| file.labels.as_ref()), labels),
            Field::Annotations => {
                object.pairs(name, file.and_then(|file| file.annotations.as_ref()), annotations);
            }
            Field::Host => object.text(name, file.and_then(|file| file.node.as_deref())),
            Field::PodIp => object.text(name, file.and_then(|file| file.ip.as_deref())),
            Field::ContainerName => object.text(name, Some(tag.container)),
            // kubelet may have cut the id in the file name; its own status has it whole.
            Field::DockerId => object.text(name, Some(container.map_or(tag.id, |found| found.id.as_str()))),
            Field::ContainerHash => object.text(name, container.and_then(|found| found.hash.as_deref())),
            Field::ContainerImage => object.text(name, container.and_then(|found| found.image.as_deref())),
            Field::Workload => object.text(name, workload.map(|found| found.name.as_str())),
            Field::WorkloadKind => object.text(name, workload.map(|found| found.kind.as_str())),
            Field::Restarts => object.number(name, container.and_then(|found| found.restarts)),
        }
    }
    object.finish()
}

impl EnrichFields {
    fn contain(&self, field: Field) -> bool {
        match self {
            EnrichFields::All => !matches!(field, Field::Workload | Field::WorkloadKind | Field::Restarts),
            EnrichFields::Lean => matches!(
                field,
                Field::PodName
                    | Field::NamespaceName
                    | Field::Labels
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

    fn number(&mut self, name: &str, value: Option<i64>) {
        if let Some(value) = value {
            self.key(name);
            self.0.extend_from_slice(value.to_string().as_bytes());
        }
    }

    fn pairs(&mut self, name: &str, pairs: Option<&Pairs>, selection: &Selection) {
        let chosen = |key: &str| match selection {
            Selection::All => true,
            Selection::None => false,
            Selection::Matching(globs) => globs.matches(key),
        };
        let Some(pairs) = pairs.filter(|_| *selection != Selection::None) else { return };
        let mut inner = ObjectText::default();
        for (key, value) in pairs.0.iter().filter(|(key, _)| chosen(key)) {
            inner.text(key, Some(value));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pods::Workload;

    fn file() -> PodFile {
        let pairs = |list: &[(&str, &str)]| {
            Some(Pairs(list.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()))
        };
        PodFile {
            namespace: "shop".into(),
            pod: "web-1".into(),
            uid: Some("u-1".into()),
            node: Some("node-a".into()),
            ip: Some("10.0.0.7".into()),
            labels: pairs(&[("tier", "web"), ("app", "shop")]),
            annotations: pairs(&[("note", "a \"b\"\nc")]),
            workload: Some(Workload { kind: "StatefulSet".into(), name: "web".into() }),
            containers: vec![Container {
                name: "app".into(),
                id: "0abc".into(),
                image: Some("r/i:1".into()),
                hash: Some("r/i@sha256:9".into()),
                started: Some(1),
                restarts: Some(3),
            }],
            older: Vec::new(),
        }
    }

    #[track_caller]
    fn check(fields: EnrichFields, labels: Selection, annotations: Selection, known: bool, expected: &str) {
        let tag = ContainerTag { pod: "web-1", namespace: "shop", container: "app", id: "0a" };
        let enrichment =
            Enrichment { key: "kubernetes".into(), fields, labels, annotations, for_rules: false };
        let file = file();
        let rendered = if known {
            enrichment.render(&tag, Some(&file), file.containers.first())
        } else {
            enrichment.render(&tag, None, None)
        };
        assert_eq!(String::from_utf8(rendered).unwrap(), expected);
    }

    #[test]
    fn all_is_the_built_in_filters_object() {
        check(
            EnrichFields::All,
            Selection::All,
            Selection::All,
            true,
            concat!(
                r#"{"pod_name":"web-1","namespace_name":"shop","pod_id":"u-1","labels":{"tier":"web","app":"shop"},"#,
                r#""annotations":{"note":"a \"b\"\nc"},"host":"node-a","pod_ip":"10.0.0.7","container_name":"app","#,
                r#""docker_id":"0abc","container_hash":"r/i@sha256:9","container_image":"r/i:1"}"#
            ),
        );
    }

    #[test]
    fn without_a_file_the_tag_speaks() {
        let expected =
            r#"{"pod_name":"web-1","namespace_name":"shop","container_name":"app","docker_id":"0a"}"#;
        check(EnrichFields::All, Selection::All, Selection::All, false, expected);
        check(EnrichFields::Only(vec![Field::PodId]), Selection::All, Selection::All, false, "{}");
    }

    #[test]
    fn lean_and_lists_select() {
        let only_app = Selection::Matching(Globs::new(["app*"]));
        check(
            EnrichFields::Lean,
            only_app,
            Selection::All,
            true,
            concat!(
                r#"{"pod_name":"web-1","namespace_name":"shop","labels":{"app":"shop"},"container_name":"app","#,
                r#""workload":"web"}"#
            ),
        );
        let list = EnrichFields::Only(vec![Field::Restarts, Field::WorkloadKind, Field::Host]);
        check(
            list,
            Selection::None,
            Selection::None,
            true,
            r#"{"host":"node-a","workload_kind":"StatefulSet","restarts":3}"#,
        );
        check(EnrichFields::Only(vec![Field::Labels]), Selection::None, Selection::None, true, "{}");
    }
}
