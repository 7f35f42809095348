//! One pod as one small file: what the sidecar writes and the filter reads.
//!
//! The file is JSON with a version. A reader that does not know the version, or finds the file of another pod, or one
//! beyond the limits, treats it as unreadable; it never guesses.

mod decode;
#[cfg(any(test, feature = "encode"))]
mod encode;

use crate::tag::{is_dns_label, is_dns_subdomain};
use std::fmt;
use xxhash_rust::xxh3::xxh3_64;

/// Everything about a pod that a rule may ask for or a record may carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFile {
    /// Namespace, a DNS label.
    pub namespace: String,
    /// Pod name, a DNS subdomain.
    pub pod: String,
    /// `metadata.uid`.
    pub uid: Option<String>,
    /// `spec.nodeName`.
    pub node: Option<String>,
    /// `status.podIP`.
    pub ip: Option<String>,
    /// `metadata.labels` in their order; `None` when the pod has no such map.
    pub labels: Option<Pairs>,
    /// `metadata.annotations` in their order; `None` when the pod has no such map.
    pub annotations: Option<Pairs>,
    /// What owns the pod.
    pub workload: Option<Workload>,
    /// `metadata.ownerReferences` as JSON, an array.
    pub owners: Option<String>,
    /// Init, ordinary and ephemeral containers, as far as kubelet reports their state, of all pods of the name.
    pub containers: Vec<Container>,
    /// Other pods of the same name, such as that of a StatefulSet before it was replaced: lines of theirs are read late.
    pub older: Vec<OlderPod>,
}

/// A pod that had the name before: what is its own, and which containers are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OlderPod {
    /// `metadata.uid`.
    pub uid: Option<String>,
    /// `spec.nodeName`.
    pub node: Option<String>,
    /// `status.podIP`.
    pub ip: Option<String>,
    /// `metadata.labels`.
    pub labels: Option<Pairs>,
    /// `metadata.annotations`.
    pub annotations: Option<Pairs>,
    /// What owns the pod.
    pub workload: Option<Workload>,
    /// The ids of its containers.
    pub ids: Vec<String>,
}

/// What owns a pod: the Deployment behind its ReplicaSet, the CronJob behind its Job, else its controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// `Deployment`, `StatefulSet`, `CronJob` and so on.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// One run of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Container name, a DNS label.
    pub name: String,
    /// Container id without its `containerd://`.
    pub id: String,
    /// `status.image`.
    pub image: Option<String>,
    /// `status.imageID` without its scheme, as the built-in filter's `container_hash`.
    pub hash: Option<String>,
    /// When this run started, in seconds since 1970.
    pub started: Option<i64>,
    /// How often the container had been restarted when this run started.
    pub restarts: Option<i64>,
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

    /// Reads the content of the file of `namespace`/`pod`.
    ///
    /// # Errors
    /// [`FileError`] for a file over the limits, JSON that does not fit, a version other than 1, another pod's file.
    pub fn decode(content: &[u8], namespace: &str, pod: &str) -> Result<PodFile, FileError> {
        if content.len() > MAX_FILE_BYTES {
            return Err(FileError::TooLarge(content.len()));
        }
        let file = decode::decode(content).map_err(FileError::Json)?;
        file.check_counts()?;
        if file.namespace == namespace && file.pod == pod {
            Ok(file)
        } else {
            Err(FileError::OtherPod(file.namespace, file.pod))
        }
    }

    /// The file as the container of this id sees it: if that belongs to an older pod of the name, with what is that pod's own.
    pub fn as_seen_by(mut self, id: &str) -> PodFile {
        let is_own = |older: &OlderPod| older.ids.iter().any(|own| own == id);
        if let Some(at) = self.older.iter().position(is_own) {
            let OlderPod { uid, node, ip, labels, annotations, workload, ids: _ } =
                self.older.swap_remove(at);
            (self.uid, self.node, self.ip) = (uid, node, ip);
            (self.labels, self.annotations, self.workload) = (labels, annotations, workload);
            self.owners = None;
        }
        self
    }

    /// What an older pod of the name leaves when this one has taken its place.
    pub fn into_older(self) -> OlderPod {
        let is_of_others = |id: &String| self.older.iter().any(|older| older.ids.contains(id));
        let ids = self.containers.iter().map(|container| container.id.clone());
        let ids = ids.filter(|id| !is_of_others(id)).collect();
        let PodFile { uid, node, ip, labels, annotations, workload, .. } = self;
        OlderPod { uid, node, ip, labels, annotations, workload, ids }
    }

    fn check_counts(&self) -> Result<(), FileError> {
        let pairs = |pairs: &Option<Pairs>| pairs.as_ref().map_or(0, |pairs| pairs.0.len());
        for (what, count) in [
            ("labels", pairs(&self.labels)),
            ("annotations", pairs(&self.annotations)),
            ("containers", self.containers.len()),
            ("older pods", self.older.len()),
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

/// The version of the format that this code reads and writes.
const VERSION: i64 = 1;
/// The largest pod file, in bytes: Kubernetes allows 256 KiB of annotations, and JSON escapes take room.
pub const MAX_FILE_BYTES: usize = 512 * 1024;
/// Labels, annotations and containers in one file, each.
const MAX_ENTRIES: usize = 1024;
/// Longest `<namespace>_<pod>` that is used as it is, in bytes.
const MAX_STEM: usize = 200;

#[cfg(test)]
mod tests;
