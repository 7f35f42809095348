//! What kubelet answers to `GET /pods`, as far as a pod file needs it.
//!
//! Most of an answer is environment, volumes and managed fields; these are skipped as they stream by and never become
//! a value. The rule: `null`, `""` and an absent field are the same thing, as in the Go program that wrote them.

use nodesieve_engine::pods::Pairs;
use nodesieve_engine::time::parse_rfc3339;
use serde::de::Deserializer;
use serde::{Deserialize, de};
use serde_json::value::RawValue;

/// One item of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListedPod {
    #[serde(deserialize_with = "or_default")]
    pub metadata: PodMetadata,
    #[serde(deserialize_with = "or_default")]
    pub spec: PodSpec,
    #[serde(deserialize_with = "or_default")]
    pub status: PodStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PodMetadata {
    #[serde(deserialize_with = "present")]
    pub name: Option<String>,
    #[serde(deserialize_with = "present")]
    pub namespace: Option<String>,
    #[serde(deserialize_with = "present")]
    pub uid: Option<String>,
    #[serde(deserialize_with = "instant")]
    pub creation_timestamp: Option<i64>,
    #[serde(deserialize_with = "instant")]
    pub deletion_timestamp: Option<i64>,
    pub labels: Option<Pairs>,
    pub annotations: Option<Pairs>,
    #[serde(deserialize_with = "owners")]
    pub owner_references: OwnerReferences,
}

/// The owners of a pod, as far as its workload is named by them, and all of it as it came.
#[derive(Debug, Default)]
pub(crate) struct OwnerReferences {
    pub list: Vec<OwnerReference>,
    pub text: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OwnerReference {
    #[serde(deserialize_with = "present")]
    pub kind: Option<String>,
    #[serde(deserialize_with = "present")]
    pub name: Option<String>,
    pub controller: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PodSpec {
    #[serde(deserialize_with = "present")]
    pub node_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PodStatus {
    #[serde(rename = "podIP", deserialize_with = "present")]
    pub pod_ip: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub init_container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "or_default")]
    pub container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "or_default")]
    pub ephemeral_container_statuses: Vec<ContainerStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ContainerStatus {
    #[serde(deserialize_with = "present")]
    pub name: Option<String>,
    #[serde(rename = "containerID", deserialize_with = "present")]
    pub container_id: Option<String>,
    #[serde(deserialize_with = "present")]
    pub image: Option<String>,
    #[serde(rename = "imageID", deserialize_with = "present")]
    pub image_id: Option<String>,
    pub restart_count: Option<i64>,
    #[serde(deserialize_with = "or_default")]
    pub state: ContainerState,
    #[serde(deserialize_with = "or_default")]
    pub last_state: ContainerState,
}

/// At most one of the two is there; a waiting container has neither.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ContainerState {
    #[serde(deserialize_with = "or_default")]
    pub running: ContainerRun,
    #[serde(deserialize_with = "or_default")]
    pub terminated: ContainerRun,
}

/// One run of a container. `containerID` is there only once the run is over.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ContainerRun {
    #[serde(deserialize_with = "instant")]
    pub started_at: Option<i64>,
    #[serde(rename = "containerID", deserialize_with = "present")]
    pub container_id: Option<String>,
}

fn or_default<'de, D: Deserializer<'de>, T: Default + de::Deserialize<'de>>(
    source: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(source)?.unwrap_or_default())
}

fn present<'de, D: Deserializer<'de>>(source: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(source)?.filter(|text| !text.is_empty()))
}

fn owners<'de, D: Deserializer<'de>>(source: D) -> Result<OwnerReferences, D::Error> {
    let Some(raw) = Option::<Box<RawValue>>::deserialize(source)? else {
        return Ok(OwnerReferences::default());
    };
    let list: Vec<OwnerReference> = serde_json::from_str(raw.get()).map_err(de::Error::custom)?;
    let text = Some(raw.get()).filter(|text| !list.is_empty() && text.len() <= MAX_OWNERS);
    Ok(OwnerReferences { text: text.map(str::to_owned), list })
}

/// Longest list of owners that is handed on, in bytes: the API allows one controller and has no limit on others.
const MAX_OWNERS: usize = 4 << 10;

/// Seconds since 1970. A time that is none is as good as absent: nothing joins on it.
fn instant<'de, D: Deserializer<'de>>(source: D) -> Result<Option<i64>, D::Error> {
    Ok(Option::<String>::deserialize(source)?.as_deref().and_then(parse_rfc3339))
}
