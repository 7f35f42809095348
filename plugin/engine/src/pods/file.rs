//! One pod as one small file: what the sidecar writes and the filter reads.
//!
//! The file is JSON with a version. A reader that does not know the version, or finds the file of another pod, or one
//! beyond the limits, treats it as unreadable; it never guesses.

use crate::tag::{is_dns_label, is_dns_subdomain};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use std::fmt;
use xxhash_rust::xxh3::xxh3_64;

/// Everything about a pod that a rule may ask for or a record may carry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodFile {
    pub(crate) version: Version,
    /// Namespace, a DNS label.
    pub namespace: String,
    /// Pod name, a DNS subdomain.
    pub pod: String,
    /// `metadata.uid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// `spec.nodeName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `status.podIP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// `metadata.labels` in their order; `None` when the pod has no such map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Pairs>,
    /// `metadata.annotations` in their order; `None` when the pod has no such map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Pairs>,
    /// What owns the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
    /// Init, ordinary and ephemeral containers, as far as kubelet reports their state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
}

/// What owns a pod: the Deployment behind its ReplicaSet, the CronJob behind its Job, else its controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// `Deployment`, `StatefulSet`, `CronJob` and so on.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// One run of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Container name, a DNS label.
    pub name: String,
    /// Container id without its `containerd://`.
    pub id: String,
    /// `status.image`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// `status.imageID` without its scheme, as the built-in filter's `container_hash`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// When this run started, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<i64>,
}

/// String pairs that keep their order and are a JSON object in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs(pub Vec<(String, String)>);

impl Pairs {
    /// The value of a key; of several the last.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// Why a pod file was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileError {
    /// Larger than [`MAX_FILE_BYTES`].
    TooLarge(usize),
    /// Not the JSON that this version writes: broken, of another version, or with too many entries.
    Json(String),
    /// The file of another pod (namespace and name as found).
    OtherPod(String, String),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::TooLarge(bytes) => {
                write!(f, "read pod file: {bytes} bytes, at most {MAX_FILE_BYTES} allowed")
            }
            FileError::Json(reason) => write!(f, "read pod file: {reason}"),
            FileError::OtherPod(namespace, pod) => write!(f, "read pod file: it describes {namespace}/{pod}"),
        }
    }
}

impl std::error::Error for FileError {}

impl PodFile {
    /// A pod of which nothing but its name is known.
    pub fn new(namespace: impl Into<String>, pod: impl Into<String>) -> PodFile {
        PodFile { namespace: namespace.into(), pod: pod.into(), ..PodFile::default() }
    }

    /// The pod as the content of its file.
    ///
    /// # Errors
    /// [`FileError::TooLarge`] when the content would be more than a reader accepts, [`FileError::Json`] when there
    /// are more labels, annotations or containers than that.
    pub fn encode(&self) -> Result<Vec<u8>, FileError> {
        self.check_counts()?;
        let mut content = serde_json::to_vec(self).map_err(|error| FileError::Json(error.to_string()))?;
        content.push(b'\n');
        if content.len() > MAX_FILE_BYTES { Err(FileError::TooLarge(content.len())) } else { Ok(content) }
    }

    /// Reads the content of the file of `namespace`/`pod`.
    ///
    /// # Errors
    /// [`FileError`] for a file over the limits, JSON that does not fit, a version other than 1, another pod's file.
    pub fn decode(content: &[u8], namespace: &str, pod: &str) -> Result<PodFile, FileError> {
        if content.len() > MAX_FILE_BYTES {
            return Err(FileError::TooLarge(content.len()));
        }
        let file: PodFile =
            serde_json::from_slice(content).map_err(|error| FileError::Json(error.to_string()))?;
        file.check_counts()?;
        if file.namespace == namespace && file.pod == pod {
            Ok(file)
        } else {
            Err(FileError::OtherPod(file.namespace, file.pod))
        }
    }

    fn check_counts(&self) -> Result<(), FileError> {
        let pairs = |pairs: &Option<Pairs>| pairs.as_ref().map_or(0, |pairs| pairs.0.len());
        for (what, count) in [
            ("labels", pairs(&self.labels)),
            ("annotations", pairs(&self.annotations)),
            ("containers", self.containers.len()),
        ] {
            if count > MAX_ENTRIES {
                return Err(FileError::Json(format!("{count} {what}, at most {MAX_ENTRIES} allowed")));
            }
        }
        Ok(())
    }
}

/// The name of a pod's file, or `None` for names that Kubernetes would not allow (`../etc`): these never become a
/// path. Names over 200 bytes become a prefix and the XXH3 of the whole.
pub fn file_name(namespace: &str, pod: &str) -> Option<String> {
    if !is_dns_label(namespace) || !is_dns_subdomain(pod) {
        return None;
    }
    let name = format!("{namespace}_{pod}");
    match name.get(..MAX_STEM) {
        Some(start) if name.len() > MAX_STEM => {
            Some(format!("{start}~{:016x}.json", xxh3_64(name.as_bytes())))
        }
        _ => Some(format!("{name}.json")),
    }
}

/// The version number, refused unless it is the one that this code writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Version;

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(VERSION)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Version, D::Error> {
        match u64::deserialize(deserializer)? {
            VERSION => Ok(Version),
            other => Err(D::Error::custom(format!("version {other} is not {VERSION}"))),
        }
    }
}

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pairs, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Option<String>>()? {
                    // The API allows null for a string map's value and means the empty string.
                    pairs.push((key, value.unwrap_or_default()));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The version of the format that this code reads and writes.
const VERSION: u64 = 1;
/// The largest pod file, in bytes: Kubernetes allows 256 KiB of annotations, and JSON escapes take room.
pub const MAX_FILE_BYTES: usize = 512 * 1024;
/// Labels, annotations and containers in one file, each.
const MAX_ENTRIES: usize = 1024;
/// Longest `<namespace>_<pod>` that is used as it is, in bytes.
const MAX_STEM: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_file_reads_back_in_order() {
        let pairs =
            |list: &[(&str, &str)]| Pairs(list.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect());
        let file = PodFile {
            namespace: "shop".into(),
            pod: "web-1".into(),
            labels: Some(pairs(&[("z", "1"), ("a", "\"x\"\n")])),
            containers: vec![Container {
                name: "app".into(),
                id: "0a".into(),
                started: Some(7),
                ..Default::default()
            }],
            ..PodFile::default()
        };
        let content = file.encode().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&content),
            "{\"version\":1,\"namespace\":\"shop\",\"pod\":\"web-1\",\"labels\":{\"z\":\"1\",\"a\":\"\\\"x\\\"\\n\"},\
             \"containers\":[{\"name\":\"app\",\"id\":\"0a\",\"started\":7}]}\n"
        );
        assert_eq!(PodFile::decode(&content, "shop", "web-1"), Ok(file));
    }

    #[test]
    fn refuses_what_it_did_not_write() {
        let decode =
            |content: &str| PodFile::decode(content.as_bytes(), "n", "p").map_err(|error| error.to_string());
        let error = |content: &str| decode(content).unwrap_err();
        assert_eq!(
            error(r#"{"version":2,"namespace":"n","pod":"p"}"#),
            "read pod file: version 2 is not 1 at line 1 column 12"
        );
        assert_eq!(error(r#"{"version":1,"namespace":"n","pod":"q"}"#), "read pod file: it describes n/q");
        assert!(error("{}").contains("missing field `version`"));
        assert!(error("").contains("EOF"));
        assert!(
            decode(r#"{"version":1,"namespace":"n","pod":"p","new":[1]}"#).is_ok(),
            "later keys are skipped"
        );
        let many: String = (0..=MAX_ENTRIES).map(|n| format!("\"{n}\":\"\",")).collect();
        let many = format!(
            r#"{{"version":1,"namespace":"n","pod":"p","labels":{{{}}}}}"#,
            many.trim_end_matches(',')
        );
        assert_eq!(error(&many), "read pod file: 1025 labels, at most 1024 allowed");
        assert!(error(&" ".repeat(MAX_FILE_BYTES + 1)).contains("524289 bytes"));
    }

    #[test]
    fn names_are_safe_and_distinct() {
        assert_eq!(file_name("shop", "web-1").as_deref(), Some("shop_web-1.json"));
        assert_eq!(
            file_name("kube-system", "etcd-a.b.internal").as_deref(),
            Some("kube-system_etcd-a.b.internal.json")
        );
        for (namespace, pod) in
            [("..", "p"), ("n", "../p"), ("n", ""), ("", "p"), ("n", "a/b"), ("N", "p"), ("n.m", "p")]
        {
            assert_eq!(file_name(namespace, pod), None, "{namespace}/{pod}");
        }
        let long = |end: char| file_name("n", &format!("{}{end}", "a".repeat(240))).unwrap();
        assert!(long('b').len() <= 230 && long('b') != long('c'));
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_without_a_panic(content in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = PodFile::decode(&content, "n", "p");
        }
    }
}
