//! How a JSON library reads a pod file.

use crate::pods::{Container, OlderPod, Pairs, PodFile, Workload};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// The library's reader, as derived from the types, which is what pod files were read with at first.
#[derive(serde::Deserialize)]
struct Reference {
    version: u64,
    namespace: String,
    pod: String,
    uid: Option<String>,
    node: Option<String>,
    ip: Option<String>,
    labels: Option<Strings>,
    annotations: Option<Strings>,
    workload: Option<Object<ReferenceWorkload>>,
    owners: Option<String>,
    #[serde(default)]
    containers: Vec<Object<ReferenceContainer>>,
    #[serde(default)]
    older: Vec<Object<ReferenceOlder>>,
}

#[derive(serde::Deserialize)]
struct ReferenceOlder {
    uid: Option<String>,
    node: Option<String>,
    ip: Option<String>,
    labels: Option<Strings>,
    annotations: Option<Strings>,
    workload: Option<Object<ReferenceWorkload>>,
    #[serde(default)]
    ids: Vec<String>,
}

#[derive(serde::Deserialize)]
struct ReferenceWorkload {
    kind: String,
    name: String,
}

#[derive(serde::Deserialize)]
struct ReferenceContainer {
    name: String,
    id: String,
    image: Option<String>,
    hash: Option<String>,
    started: Option<i64>,
    restarts: Option<i64>,
}

/// Pairs of strings and of nothing else, where a pod list may have others.
struct Strings(Pairs);

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Strings, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Strings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strings, A::Error> {
                let mut pairs = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Option<String>>()? {
                    pairs.push((key, value.unwrap_or_default()));
                }
                Ok(Strings(Pairs(pairs)))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// An object, where a derived type would take an array of its fields' values too.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// What the library reads, without what is refused on purpose: an array in place of an object and, anywhere, bytes that
/// are not UTF-8. (The third, a nesting deeper than the walk's, has a test of its own.)
pub(super) fn by_reference(content: &[u8]) -> Option<PodFile> {
    std::str::from_utf8(content).ok()?;
    let Object(read): Object<Reference> = serde_json::from_slice(content).ok()?;
    (read.version == 1).then(|| PodFile {
        namespace: read.namespace,
        pod: read.pod,
        uid: read.uid,
        node: read.node,
        ip: read.ip,
        labels: read.labels.map(|Strings(pairs)| pairs),
        annotations: read.annotations.map(|Strings(pairs)| pairs),
        workload: read.workload.map(|Object(ReferenceWorkload { kind, name })| Workload { kind, name }),
        owners: read.owners,
        containers: read
            .containers
            .into_iter()
            .map(|Object(ReferenceContainer { name, id, image, hash, started, restarts })| Container {
                name,
                id,
                image,
                hash,
                started,
                restarts,
            })
            .collect(),
        older: read
            .older
            .into_iter()
            .map(|Object(older)| OlderPod {
                uid: older.uid,
                node: older.node,
                ip: older.ip,
                labels: older.labels.map(|Strings(pairs)| pairs),
                annotations: older.annotations.map(|Strings(pairs)| pairs),
                workload: older
                    .workload
                    .map(|Object(ReferenceWorkload { kind, name })| Workload { kind, name }),
                ids: older.ids,
            })
            .collect(),
    })
}
