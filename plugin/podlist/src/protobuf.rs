//! A pod as the kubelet's Pods API sends it, as far as a pod file needs it.
//!
//! The messages are those of Kubernetes with the fields that are wanted, under their numbers: `k8s.io/api/core/v1/generated.proto` and
//! `k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto` (v0.37.0-beta.0), and `k8s.io/kubelet/pkg/apis/pods/v1alpha1/api.proto` for the
//! API's own. All other fields are skipped while a message is read.
//!
//! The rule it keeps: a pod of hundreds of thousands of labels costs the bytes that it came in and no more. So labels and annotations are
//! no part of the message that is decoded, but are read one by one where they stand. Maps are lists of pairs here, which are the same bytes
//! and keep their order.

use crate::limits::{KeyFilter, Limits};
use crate::pod::{
    ContainerRun, ContainerStatus as KnownStatus, OwnerReference as Owner, Pod, PodParts, WantedPairs,
    containers_of,
};
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// Reads a pod; `None` for one without a usable name.
///
/// # Errors
/// Those of bytes that are no such message, a string that is not UTF-8 among them. A label or annotation that is none costs itself.
pub fn read_pod(bytes: &[u8], limits: &Limits) -> Result<Option<Pod>, prost::DecodeError> {
    let message = PodMessage::decode(bytes)?;
    let mut labels = SentPairs::new(&limits.labels, limits.max_value);
    let mut annotations = SentPairs::new(&limits.annotations, limits.max_value);
    each_part(bytes, |number, metadata| {
        if number != METADATA {
            return;
        }
        each_part(metadata, |number, entry| match number {
            LABELS => labels.take(entry),
            ANNOTATIONS => annotations.take(entry),
            _ => {}
        });
    });
    Ok(message.into_pod(labels.found(), annotations.found(), limits))
}

/// `WatchPodsEvent`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct WatchPodsEvent {
    /// What became of the pod; a number that is none of [`EventType`] is of a later version.
    #[prost(enumeration = "EventType", tag = "1")]
    pub r#type: i32,
    /// A [`PodMessage`]; of a deleted pod only name, namespace and uid are sure to be there.
    #[prost(bytes = "bytes", tag = "2")]
    pub pod: prost::bytes::Bytes,
}

/// `EventType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum EventType {
    /// Nothing that is sent.
    Unspecified = 0,
    /// Each pod at the start, and each that is new.
    Added = 1,
    /// Its metadata or state is another.
    Modified = 2,
    /// It is gone.
    Deleted = 3,
    /// All pods that there were at the start have been sent.
    InitialSyncComplete = 4,
}

/// `WatchPodsRequest`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct WatchPodsRequest {}

/// `GetPodRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct GetPodRequest {
    /// `metadata.uid`.
    #[prost(string, tag = "1")]
    pub pod_uid: String,
}

/// `GetPodResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct GetPodResponse {
    /// A [`PodMessage`].
    #[prost(bytes = "bytes", tag = "1")]
    pub pod: prost::bytes::Bytes,
}

/// `core/v1.Pod`.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub struct PodMessage {
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<ObjectMeta>,
    #[prost(message, optional, tag = "2")]
    pub spec: Option<PodSpec>,
    #[prost(message, optional, tag = "3")]
    pub status: Option<PodStatus>,
}

/// `meta/v1.ObjectMeta`.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub struct ObjectMeta {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub namespace: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub uid: Option<String>,
    #[prost(message, optional, tag = "8")]
    pub creation_timestamp: Option<Time>,
    #[prost(message, optional, tag = "9")]
    pub deletion_timestamp: Option<Time>,
    #[prost(message, repeated, tag = "13")]
    pub owner_references: Vec<OwnerReference>,
}

/// The rest of a pod, for whoever sends one: its bytes behind those of a [`PodMessage`] are the pod.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub struct PodPairs {
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<MetadataPairs>,
}

/// The maps of `meta/v1.ObjectMeta`.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub struct MetadataPairs {
    #[prost(message, repeated, tag = "11")]
    pub labels: Vec<Pair>,
    #[prost(message, repeated, tag = "12")]
    pub annotations: Vec<Pair>,
}

/// The fields that are read where they stand.
const METADATA: u32 = 1;
const LABELS: u32 = 11;
const ANNOTATIONS: u32 = 12;

/// An entry of a map of strings.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub struct Pair {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

/// `meta/v1.Time`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub struct Time {
    #[prost(int64, optional, tag = "1")]
    pub seconds: Option<i64>,
}

/// `meta/v1.OwnerReference`.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub struct OwnerReference {
    #[prost(string, optional, tag = "1")]
    pub kind: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub name: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub uid: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub api_version: Option<String>,
    #[prost(bool, optional, tag = "6")]
    pub controller: Option<bool>,
    #[prost(bool, optional, tag = "7")]
    pub block_owner_deletion: Option<bool>,
}

/// `core/v1.PodSpec`.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub struct PodSpec {
    #[prost(string, optional, tag = "10")]
    pub node_name: Option<String>,
}

/// `core/v1.PodStatus`.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub struct PodStatus {
    #[prost(string, optional, tag = "6")]
    pub pod_ip: Option<String>,
    #[prost(message, repeated, tag = "8")]
    pub container_statuses: Vec<ContainerStatus>,
    #[prost(message, repeated, tag = "10")]
    pub init_container_statuses: Vec<ContainerStatus>,
    #[prost(message, repeated, tag = "13")]
    pub ephemeral_container_statuses: Vec<ContainerStatus>,
}

/// `core/v1.ContainerStatus`.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub struct ContainerStatus {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(message, optional, tag = "2")]
    pub state: Option<ContainerState>,
    #[prost(message, optional, tag = "3")]
    pub last_state: Option<ContainerState>,
    #[prost(int32, optional, tag = "5")]
    pub restart_count: Option<i32>,
    #[prost(string, optional, tag = "6")]
    pub image: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub image_id: Option<String>,
    #[prost(string, optional, tag = "8")]
    pub container_id: Option<String>,
}

/// `core/v1.ContainerState`.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub struct ContainerState {
    #[prost(message, optional, tag = "2")]
    pub running: Option<Running>,
    #[prost(message, optional, tag = "3")]
    pub terminated: Option<Terminated>,
}

/// `core/v1.ContainerStateRunning`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub struct Running {
    #[prost(message, optional, tag = "1")]
    pub started_at: Option<Time>,
}

/// `core/v1.ContainerStateTerminated`.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub struct Terminated {
    #[prost(message, optional, tag = "5")]
    pub started_at: Option<Time>,
    #[prost(string, optional, tag = "7")]
    pub container_id: Option<String>,
}

impl PodMessage {
    fn into_pod(
        self,
        labels: Option<WantedPairs<'_>>,
        annotations: Option<WantedPairs<'_>>,
        limits: &Limits,
    ) -> Option<Pod> {
        let metadata = self.metadata?;
        let status = self.status.unwrap_or_default();
        let statuses = status.init_container_statuses.into_iter().chain(status.container_statuses);
        let statuses = statuses.chain(status.ephemeral_container_statuses);
        let parts = PodParts {
            namespace: present(metadata.namespace)?,
            name: present(metadata.name)?,
            uid: present(metadata.uid),
            created: instant(metadata.creation_timestamp),
            is_leaving: metadata.deletion_timestamp.is_some(),
            node: self.spec.and_then(|spec| present(spec.node_name)),
            ip: present(status.pod_ip),
            labels,
            annotations,
            owners: metadata.owner_references.into_iter().map(Owner::from).collect(),
            containers: containers_of(statuses.map(KnownStatus::from)),
        };
        parts.into_pod(limits)
    }
}

impl From<OwnerReference> for Owner {
    fn from(reference: OwnerReference) -> Owner {
        let OwnerReference { kind, name, uid, api_version, controller, block_owner_deletion } = reference;
        Owner { api_version, kind, name, uid, controller, block_owner_deletion }
    }
}

impl From<ContainerStatus> for KnownStatus {
    fn from(status: ContainerStatus) -> KnownStatus {
        let state = status.state.unwrap_or_default();
        let over = state.terminated.and_then(|run| instant(run.started_at));
        let started = state.running.and_then(|run| instant(run.started_at)).or(over);
        let before = status.last_state.and_then(|state| state.terminated).unwrap_or_default();
        KnownStatus {
            name: present(status.name),
            image: present(status.image),
            image_id: present(status.image_id),
            restarts: status.restart_count.map(i64::from),
            now: ContainerRun { id: present(status.container_id), started },
            before: ContainerRun { id: present(before.container_id), started: instant(before.started_at) },
        }
    }
}

/// The entries of a map, as they come.
struct SentPairs<'f> {
    wanted: WantedPairs<'f>,
    is_there: bool,
}

impl<'f> SentPairs<'f> {
    fn new(filter: &'f KeyFilter, max_value: u64) -> SentPairs<'f> {
        SentPairs { wanted: WantedPairs::new(filter, max_value), is_there: false }
    }

    fn take(&mut self, entry: &[u8]) {
        self.is_there = true;
        match Pair::decode(entry) {
            Ok(pair) => self.wanted.push(pair.key, pair.value),
            Err(_) => self.wanted.leave_out(),
        }
    }

    /// A map without entries is not sent at all, so it cannot be told from none.
    fn found(self) -> Option<WantedPairs<'f>> {
        self.is_there.then_some(self.wanted)
    }
}

/// Calls `each` with the number and the content of each field that is a message, a string or bytes. Whoever decodes the same bytes is told
/// what is wrong with them; here that is only where they end.
fn each_part<'b>(mut bytes: &'b [u8], mut each: impl FnMut(u32, &'b [u8])) {
    while let Ok((number, kind)) = decode_key(&mut bytes) {
        if kind != WireType::LengthDelimited {
            if skip_field(kind, number, &mut bytes, DecodeContext::default()).is_err() {
                return;
            }
            continue;
        }
        let length = decode_varint(&mut bytes).ok().and_then(|length| usize::try_from(length).ok());
        let Some((content, rest)) = length.and_then(|length| bytes.split_at_checked(length)) else { return };
        bytes = rest;
        each(number, content);
    }
}

fn present(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Go writes a time that is not set with the seconds of the year 1.
fn instant(time: Option<Time>) -> Option<i64> {
    time.and_then(|time| time.seconds).filter(|seconds| *seconds > 0)
}

#[cfg(test)]
mod tests;
