//! From kubelet's list to pod files: a pure function, so that every rule about pods can be read and tested here.
//!
//! The rule it keeps: records are joined by container id, so every id that kubelet knows, past runs included, is in
//! the file of its pod. An answer without a list is an error and not an empty list, because the one means "kubelet
//! cannot say" and the other "no pods". The result does not depend on the order of the list, which kubelet shuffles.

use crate::limits::{KeyFilter, Limits};
use crate::listing::{self, ListError};
use crate::pod_list::{ContainerRun, ContainerStatus, ListedPod, PodMetadata, PodStatus};
use nodesieve_engine::pods::{Container, OlderPod, Pairs, PodFile, Workload, file_name};
use std::collections::BTreeMap;
use std::io::Read;

/// The pods of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFiles {
    /// One file per namespace and name, sorted by these. Each of them can be encoded.
    pub files: Vec<PodFile>,
    /// Items that are not a pod with a usable name, and pods that are too large even without labels.
    pub skipped: u64,
    /// Pods that lost their annotations, or these and their labels, because their file would have been too large.
    pub shortened: u64,
    /// Labels and annotations that were left out because they are longer than [`Limits::max_value`].
    pub omitted: u64,
    /// Size of the answer, in bytes.
    pub bytes: u64,
    /// `metadata.uid` of every pod, also of those that share a name.
    pub uids: Vec<String>,
}

/// Reads kubelet's answer to `GET /pods`, a Kubernetes PodList in JSON, as it comes.
///
/// # Errors
/// [`ListError`] when the answer is not a list of pods; nothing on disk may be changed then. A single pod that
/// cannot be read is no error: it is counted in [`PodFiles::skipped`].
pub fn project(pod_list: impl Read, limits: &Limits) -> Result<PodFiles, ListError> {
    let mut answer = PodFiles::default();
    let mut pods: BTreeMap<(String, String), Vec<ListedPod>> = BTreeMap::new();
    answer.bytes = listing::read(pod_list, limits.max_list, |item| {
        match serde_json::from_str(item).ok().and_then(named) {
            Some((name, mut pod)) => {
                answer.uids.extend(pod.metadata.uid.clone());
                // The large ones at once; labels only when the owner's name was found by them.
                answer.omit(&mut pod.metadata.annotations, &limits.annotations, limits.max_value);
                pods.entry(name).or_default().push(pod);
            }
            None => answer.skipped = answer.skipped.saturating_add(1),
        }
    })?;
    for ((namespace, name), same_name) in pods {
        let mut file = file_of(namespace, name, same_name);
        answer.omit(&mut file.labels, &limits.labels, limits.max_value);
        for older in &mut file.older {
            answer.omit(&mut older.labels, &limits.labels, limits.max_value);
        }
        match fitted(file) {
            Some((file, was_shortened)) => {
                answer.files.push(file);
                answer.shortened = answer.shortened.saturating_add(u64::from(was_shortened));
            }
            None => answer.skipped = answer.skipped.saturating_add(1),
        }
    }
    Ok(answer)
}

impl PodFiles {
    /// Leaves out the pairs that are not wanted, and counts those that are and have too long a value.
    fn omit(&mut self, pairs: &mut Option<Pairs>, keys: &KeyFilter, max_value: u64) {
        let Some(Pairs(pairs)) = pairs else { return };
        pairs.retain(|(key, value)| {
            let wanted = keys.allow.matches(key) && !keys.deny.matches(key);
            let fits = value.len() as u64 <= max_value;
            self.omitted = self.omitted.saturating_add(u64::from(wanted && !fits));
            wanted && fits
        });
    }
}

/// The pod under its namespace and name, if these are names that a file can have.
fn named(mut pod: ListedPod) -> Option<((String, String), ListedPod)> {
    let (namespace, name) = (pod.metadata.namespace.take()?, pod.metadata.name.take()?);
    file_name(&namespace, &name)?;
    Some(((namespace, name), pod))
}

/// The file of all pods of one name: of a StatefulSet's pod there can be a terminating and a new one. The newest
/// gives the pod's metadata; the containers of all are listed, because their ids are unique, and the older pods' own metadata
/// is kept with their ids.
fn file_of(namespace: String, name: String, mut pods: Vec<ListedPod>) -> PodFile {
    pods.sort_by(|left, right| age(&right.metadata).cmp(&age(&left.metadata)));
    let mut file = PodFile::new(namespace, name);
    for (at, pod) in pods.into_iter().enumerate() {
        let before = file.containers.len();
        add_containers(&pod.status, &mut file.containers);
        let workload = workload_of(&pod.metadata);
        let PodMetadata { uid, labels, annotations, owner_references, .. } = pod.metadata;
        let (node, ip) = (pod.spec.node_name, pod.status.pod_ip);
        if at == 0 {
            (file.uid, file.node, file.ip) = (uid, node, ip);
            (file.labels, file.annotations, file.workload) = (labels, annotations, workload);
            file.owners = owner_references.text;
        } else if file.older.len() < MAX_OLDER {
            let ids = file.containers.iter().skip(before).map(|container| container.id.clone()).collect();
            file.older.push(OlderPod { uid, node, ip, labels, annotations, workload, ids });
        }
    }
    file
}

/// Sorts by age, the newest last. Within one second the pod that is not being deleted is the newer one; the uid only
/// keeps the result from changing with the order of the list.
fn age(metadata: &PodMetadata) -> (Option<i64>, bool, Option<&str>) {
    (metadata.creation_timestamp, metadata.deletion_timestamp.is_none(), metadata.uid.as_deref())
}

fn add_containers(status: &PodStatus, containers: &mut Vec<Container>) {
    let lists =
        [&status.init_container_statuses, &status.container_statuses, &status.ephemeral_container_statuses];
    for container in lists.into_iter().flatten() {
        let (running, over) = (&container.state.running, &container.state.terminated);
        let now = ContainerRun {
            container_id: container.container_id.clone(),
            started_at: running.started_at.or(over.started_at),
        };
        add_run(container, &now, container.restart_count, containers);
        let before = container.restart_count.map(|count| count.saturating_sub(1).max(0));
        add_run(container, &container.last_state.terminated, before, containers);
    }
}

/// Adds one run, unless its id is there already: a container that waits for its restart still has the id of the run
/// that is over, and only `lastState` says when that one started.
fn add_run(of: &ContainerStatus, run: &ContainerRun, restarts: Option<i64>, containers: &mut Vec<Container>) {
    let id = run.container_id.as_deref().map(without_scheme);
    let (Some(name), Some(id)) = (&of.name, id.filter(|id| !id.is_empty())) else {
        return;
    };
    match containers.iter_mut().find(|known| known.id == id) {
        Some(known) => known.started = known.started.or(run.started_at),
        None => containers.push(Container {
            name: name.clone(),
            id: id.to_string(),
            image: of.image.clone(),
            hash: of.image_id.as_deref().and_then(container_hash).map(str::to_string),
            started: run.started_at,
            restarts,
        }),
    }
}

/// `containerd://0a1b` without its `containerd://`.
fn without_scheme(id: &str) -> &str {
    id.split_once("://").map_or(id, |(_, id)| id)
}

/// The built-in filter's `container_hash` (Fluent Bit 5.1.1, plugins/filter_kubernetes/kube_meta.c, `extract_hash`):
/// slashes after the first colon end a scheme, which goes; any other colon belongs to the image; without one there is
/// no hash.
fn container_hash(image_id: &str) -> Option<&str> {
    let (_, rest) = image_id.split_once(':')?;
    let hash = if rest.starts_with('/') { rest.trim_start_matches('/') } else { image_id };
    Some(hash).filter(|hash| !hash.is_empty())
}

/// The workload that owns the pod: the Deployment of a ReplicaSet, the CronJob of a scheduled Job. Both names follow from
/// the owner's, so no request is needed. A static pod is owned by its node and has no workload.
fn workload_of(metadata: &PodMetadata) -> Option<Workload> {
    let owners = &metadata.owner_references.list;
    let owner = owners.iter().find(|owner| owner.controller == Some(true)).or_else(|| owners.first())?;
    let (kind, name) = (owner.kind.as_deref()?, owner.name.as_deref()?);
    let above = match kind {
        "Node" => return None,
        "ReplicaSet" => template_hash(metadata)
            .and_then(|hash| name.strip_suffix(hash)?.strip_suffix('-'))
            .map(|name| ("Deployment", name)),
        "Job" => name
            .rsplit_once('-')
            .filter(|(_, time)| {
                time.len() >= SCHEDULE_DIGITS && time.bytes().all(|byte| byte.is_ascii_digit())
            })
            .map(|(name, _)| ("CronJob", name)),
        _ => None,
    };
    let (kind, name) = above.filter(|(_, name)| !name.is_empty()).unwrap_or((kind, name));
    Some(Workload { kind: kind.to_string(), name: name.to_string() })
}

fn template_hash(metadata: &PodMetadata) -> Option<&str> {
    let mut labels = metadata.labels.iter().flat_map(|labels| &labels.0);
    labels
        .find(|(key, _)| key == "pod-template-hash")
        .map(|(_, hash)| hash.as_str())
        .filter(|hash| !hash.is_empty())
}

/// The file as a reader takes it, and whether something had to go: annotations first, because they are what grows.
/// `None` when the containers alone are too many.
fn fitted(mut file: PodFile) -> Option<(PodFile, bool)> {
    if file.encode().is_ok() {
        return Some((file, false));
    }
    file.annotations = None;
    file.older.iter_mut().for_each(|older| older.annotations = None);
    if file.encode().is_err() {
        file.labels = None;
        file.older.iter_mut().for_each(|older| older.labels = None);
        file.encode().ok()?;
    }
    Some((file, true))
}

/// Pods that had the name before, of which is known what is their own.
const MAX_OLDER: usize = 4;
/// A CronJob's Job ends in the minutes since 1970 of its time, which have had 8 digits since 1989.
const SCHEDULE_DIGITS: usize = 8;

#[cfg(test)]
mod tests;
