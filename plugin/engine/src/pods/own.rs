//! What a record says of its own pod: the object that Fluent Bit's `kubernetes` filter, or whoever was before us, has put onto it.
//!
//! It exists so that rules work behind that filter, without a sidecar. The rule kept here: an object counts only where it is about
//! the pod that the tag names. What a parser makes of a line may be called `kubernetes` too, and would else label any pod as it
//! likes; where a tag names no container there is nothing to compare it with.
//!
//! Source of the keys: Fluent Bit 5.1.1, plugins/filter_kubernetes/kube_meta.c, `merge_meta`.

use crate::json::{Level, Members, Value, unescape};
use crate::pods::{Container, Enrichment, Pairs, PodFile, PodMeta, Workload};
use crate::swar;
use crate::tag::ContainerTag;
use std::rc::Rc;

/// The last object that was looked at, and what came of it: a chunk's records are of one container as a rule.
#[derive(Debug, Default)]
pub(crate) struct OwnMemo {
    object: Vec<u8>,
    tag: Box<str>,
    meta: Option<Rc<PodMeta>>,
}

impl OwnMemo {
    /// What the object says, if it counts under this tag.
    pub(crate) fn get(
        &mut self,
        object: &[u8],
        (tag, container): (&str, Option<ContainerTag<'_>>),
        enrichment: &Enrichment,
    ) -> Option<Rc<PodMeta>> {
        if !swar::equal(&self.object, object) || !swar::equal(self.tag.as_bytes(), tag.as_bytes()) {
            self.meta = read(object, container, enrichment).map(Rc::new);
            self.tag = tag.into();
            self.object.clear();
            if object.len() <= MAX_REMEMBERED {
                self.object.extend_from_slice(object);
            } else {
                // It is read again for the next record.
                return self.meta.take();
            }
        }
        self.meta.clone()
    }

    /// Forgets it, when what is made of it changes.
    pub(crate) fn clear(&mut self) {
        *self = OwnMemo::default();
    }
}

/// The object with what `ours` has and it has not; `None` when that is nothing.
pub(crate) fn completed(object: &[u8], ours: &[u8]) -> Option<Vec<u8>> {
    let own = keys(object)?;
    let mut members = Members::open(ours, Level::Plain).ok()?;
    let mut text: Vec<u8> = Vec::new();
    while let Ok(Some(member)) = members.next() {
        // Ours are names of which no character needs an escape.
        if !own.iter().any(|key| key == member.key) {
            if text.is_empty() {
                let end = object.iter().rposition(|byte| *byte == b'}')?;
                text.extend_from_slice(object.get(..end)?);
            }
            if text.trim_ascii_end().last() != Some(&b'{') {
                text.push(b',');
            }
            text.extend_from_slice(ours.get(member.start..member.end)?);
        }
    }
    (!text.is_empty()).then(|| {
        text.push(b'}');
        text
    })
}

fn keys(object: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut members = Members::open(object, Level::Plain).ok()?;
    let mut keys = Vec::new();
    while let Ok(Some(member)) = members.next() {
        keys.push(unescape(member.key));
    }
    Some(keys)
}

fn read(object: &[u8], tag: Option<ContainerTag<'_>>, enrichment: &Enrichment) -> Option<PodMeta> {
    let said = Said::read(object)?;
    let is_of = |tag: &ContainerTag<'_>| {
        said.namespace.as_deref() == Some(tag.namespace) && said.pod.as_deref() == Some(tag.pod)
    };
    if tag.is_some_and(|tag| !is_of(&tag)) {
        return None;
    }
    let Said { pod, namespace, mut file, container, owner } = said;
    if file.workload.is_none() {
        file.workload = owner.or_else(|| workload(&file, pod.as_deref()?));
    }
    let (pod, namespace) = (pod.unwrap_or_default(), namespace.unwrap_or_default());
    let of_object =
        ContainerTag { pod: &pod, namespace: &namespace, container: &container.name, id: &container.id };
    let tag = tag.unwrap_or(of_object);
    // Its id may be missing, and it is the one that the tag names all the same.
    let id = if container.id.is_empty() { tag.id.to_owned() } else { container.id.clone() };
    file.containers = vec![Container { id, name: tag.container.to_owned(), ..container.clone() }];
    file.namespace = tag.namespace.to_owned();
    file.pod = tag.pod.to_owned();
    Some(PodMeta { is_own: true, ..PodMeta::of_file(file, None, &tag, enrichment) })
}

/// An object's members, as far as anybody asks for them.
#[derive(Default)]
struct Said {
    pod: Option<String>,
    namespace: Option<String>,
    file: PodFile,
    container: Container,
    owner: Option<Workload>,
}

impl Said {
    fn read(object: &[u8]) -> Option<Said> {
        let mut said = Said::default();
        let (mut kind, mut name) = (None, None);
        let mut members = Members::open(object, Level::Plain).ok()?;
        while let Ok(Some(member)) = members.next() {
            match (member.key, member.value) {
                (b"labels", Value::Object(text)) => said.file.labels = pairs(text),
                (b"annotations", Value::Object(text)) => said.file.annotations = pairs(text),
                (b"ownerReferences" | b"owner_references", Value::Array(text)) => said.owner = owner(text),
                (b"restarts", Value::Scalar(text)) => {
                    said.container.restarts =
                        std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                }
                (key, Value::String(content)) => {
                    let value = String::from_utf8(unescape(content)).ok()?;
                    match key {
                        b"pod_name" => said.pod = Some(value),
                        b"namespace_name" => said.namespace = Some(value),
                        b"pod_id" => said.file.uid = Some(value),
                        b"host" => said.file.node = Some(value),
                        b"pod_ip" => said.file.ip = Some(value),
                        b"container_name" => said.container.name = value,
                        b"docker_id" | b"container_id" => said.container.id = value,
                        b"container_hash" => said.container.hash = Some(value),
                        b"container_image" => said.container.image = Some(value),
                        b"workload" => name = Some(value),
                        b"workload_kind" => kind = Some(value),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        said.file.workload = name.map(|name| Workload { kind: kind.unwrap_or_default(), name });
        Some(said)
    }
}

/// The strings of an object: what else stands there is no label.
fn pairs(object: &[u8]) -> Option<Pairs> {
    let mut members = Members::open(object, Level::Plain).ok()?;
    let mut pairs = Vec::new();
    while let Ok(Some(member)) = members.next() {
        if let Value::String(content) = member.value
            && let (Ok(key), Ok(value)) =
                (String::from_utf8(unescape(member.key)), String::from_utf8(unescape(content)))
            && pairs.len() < MAX_PAIRS
        {
            pairs.push((key, value));
        }
    }
    Some(Pairs(pairs))
}

/// The first owner of a list of owner references.
fn owner(array: &[u8]) -> Option<Workload> {
    let start = array.iter().position(|byte| *byte == b'{')?;
    let mut members = Members::open(array.get(start..)?, Level::Plain).ok()?;
    let (mut kind, mut name) = (None, None);
    while let Ok(Some(member)) = members.next() {
        if let Value::String(content) = member.value {
            let value = String::from_utf8(unescape(content)).ok();
            match member.key {
                b"kind" => kind = value,
                b"name" => name = value,
                _ => {}
            }
        }
    }
    // That of a ReplicaSet is its Deployment's as a rule, which the labels tell.
    kind.zip(name).filter(|(kind, _)| kind != "ReplicaSet").map(|(kind, name)| Workload { kind, name })
}

/// What owns a pod, by the labels that its controller gives it.
fn workload(file: &PodFile, pod: &str) -> Option<Workload> {
    let labels = file.labels.as_ref()?;
    let of = |kind: &str, name: &str| {
        (!name.is_empty()).then(|| Workload { kind: kind.to_owned(), name: name.to_owned() })
    };
    let before_last_dash = || pod.rsplit_once('-').map(|(name, _)| name);
    if let Some(hash) = labels.get("pod-template-hash") {
        return of("Deployment", before_last_dash()?.strip_suffix(hash)?.strip_suffix('-')?);
    }
    if labels.get("statefulset.kubernetes.io/pod-name").is_some() {
        return of("StatefulSet", before_last_dash()?);
    }
    if let Some(job) = labels.get("batch.kubernetes.io/job-name").or_else(|| labels.get("job-name")) {
        return of("Job", job);
    }
    if labels.get("pod-template-generation").is_some() {
        return of("DaemonSet", before_last_dash()?);
    }
    None
}

/// Largest object that is remembered, in bytes.
const MAX_REMEMBERED: usize = 64 << 10;
/// Most labels, and annotations, that are looked at; as of a pod file.
const MAX_PAIRS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: ContainerTag<'static> =
        ContainerTag { pod: "web-7d4b-x2x9z", namespace: "shop", container: "app", id: "0a" };

    fn meta(object: &str, tag: Option<ContainerTag<'_>>) -> Option<PodMeta> {
        read(object.as_bytes(), tag, &Enrichment::all())
    }

    #[test]
    fn what_the_built_in_filter_has_put_there_is_read() {
        let object = r#"{"pod_name":"web-7d4b-x2x9z","namespace_name":"shop","pod_id":"u","labels":{"app":"w\"eb","pod-template-hash":"7d4b","n":7},"annotations":{"fluentbit.io/exclude":"true"},"host":"node","pod_ip":"10.0.0.1","container_name":"app","docker_id":"0abc","container_hash":"h","container_image":"i"}"#;
        let found = meta(object, Some(TAG)).unwrap();
        assert_eq!(found.of_pod.labels.as_ref().unwrap().get("app"), Some("w\"eb"));
        assert_eq!(found.of_pod.labels.as_ref().unwrap().get("n"), None);
        assert_eq!(found.of_pod.workload.as_deref(), Some("web"));
        assert!(found.known && found.complete && found.is_own && found.excludes_anything());
        assert_eq!(meta(object, None).unwrap().of_pod.workload.as_deref(), Some("web"));
    }

    #[test]
    fn an_object_about_another_pod_does_not_count() {
        for object in [
            "{}",
            r#"{"labels":{"app":"admin"}}"#,
            r#"{"pod_name":"web-7d4b-x2x9z","namespace_name":"other"}"#,
            r#"{"pod_name":"api","namespace_name":"shop"}"#,
        ] {
            assert!(meta(object, Some(TAG)).is_none(), "{object}");
        }
    }

    #[test]
    fn owners_are_told_by_references_and_labels() {
        let workload = |pod: &str, rest: &str| {
            let object = format!(r#"{{"pod_name":"{pod}","namespace_name":"n",{rest}}}"#);
            meta(&object, None).unwrap().of_pod.workload.clone()
        };
        for (pod, rest, expected) in [
            ("db-0", r#""labels":{"statefulset.kubernetes.io/pod-name":"db-0"}"#, Some("db")),
            ("agent-x2x9z", r#""labels":{"pod-template-generation":"1"}"#, Some("agent")),
            ("m-1-x", r#""labels":{"job-name":"m-1"}"#, Some("m-1")),
            ("x-1", r#""ownerReferences":[{"kind":"Kafka","name":"x"}],"labels":{}"#, Some("x")),
            ("x-1", r#""ownerReferences":[{"kind":"ReplicaSet","name":"x"}],"labels":{}"#, None),
            ("x-1", r#""workload":"y","workload_kind":"Z""#, Some("y")),
            ("x-1", r#""labels":{}"#, None),
        ] {
            assert_eq!(workload(pod, rest).as_deref(), expected, "{pod} {rest}");
        }
    }

    #[test]
    fn what_is_missing_is_put_behind_what_is_there() {
        let completed = |own: &str, ours: &str| {
            completed(own.as_bytes(), ours.as_bytes()).map(|text| String::from_utf8(text).unwrap())
        };
        assert_eq!(completed(r#"{"a":1,"b":2}"#, r#"{"b":3,"a":4}"#), None);
        assert_eq!(
            completed(r#"{"a":1}"#, r#"{"b":{"x":2},"a":4,"c":5}"#).as_deref(),
            Some(r#"{"a":1,"b":{"x":2},"c":5}"#)
        );
        assert_eq!(completed("{ }", r#"{"b":3}"#).as_deref(), Some(r#"{ "b":3}"#));
        assert_eq!(completed(r#"{"\u0062":1}"#, r#"{"b":3}"#), None);
    }
}
