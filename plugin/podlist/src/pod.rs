//! A pod as it is known, from whatever source: what its file needs, within limits, and nothing else.
//!
//! The rule it keeps: what a pod weighs is bounded the moment it is read, so that holding all of a node's pods is bounded too.

use crate::limits::{KeyFilter, Limits};
use nodesieve_engine::json::push_string;
use nodesieve_engine::pods::{Container, OlderPod, Pairs, PodFile, Workload, file_name};
use serde::Deserialize;
use std::cmp::Reverse;

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    namespace: String,
    name: String,
    uid: Option<String>,
    created: Option<i64>,
    is_leaving: bool,
    is_of_api: bool,
    node: Option<String>,
    ip: Option<String>,
    labels: Option<Pairs>,
    annotations: Option<Pairs>,
    workload: Option<Workload>,
    /// Owner references as a JSON array.
    owners: Option<String>,
    containers: Vec<Container>,
    was_shortened: bool,
    /// Labels and annotations that are no strings or too long.
    omitted: u64,
}

impl Pod {
    /// Namespace and name, of which a file's name can be made.
    pub fn name(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> Option<&str> {
        self.uid.as_deref()
    }

    /// Whether it is being deleted.
    pub fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// Whether the kubelet has it from the API server (`kubernetes.io/config.source: api`), and not from a file of its own.
    pub fn is_of_api(&self) -> bool {
        self.is_of_api
    }

    /// Whether labels or annotations were left out for want of room.
    pub(crate) fn was_shortened(&self) -> bool {
        self.was_shortened
    }

    /// How many labels and annotations were left out for what they are.
    pub(crate) fn omitted(&self) -> u64 {
        self.omitted
    }

    /// Sorts by age, the newest last. Within one second the pod that is not being deleted is the newer one; the uid only keeps the result
    /// from changing with the order of the list.
    fn age(&self) -> (Option<i64>, bool, Option<&str>) {
        (self.created, !self.is_leaving, self.uid.as_deref())
    }

    /// What it weighs without labels and annotations, in bytes.
    pub(crate) fn base_weight(&self) -> u64 {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let sum = |parts: &[usize]| parts.iter().fold(0, |sum: usize, part| sum.saturating_add(*part));
        let container = |run: &Container| {
            sum(&[run.name.len(), run.id.len(), text(&run.image), text(&run.hash), CONTAINER_WEIGHT])
        };
        let containers = self.containers.iter().map(container).fold(0, usize::saturating_add);
        let names = self.namespace.len().saturating_add(self.name.len());
        let own = sum(&[names, text(&self.uid), text(&self.node), text(&self.ip), text(&self.owners)]);
        sum(&[own, containers, POD_WEIGHT]) as u64
    }

    /// What its labels and annotations weigh, in bytes.
    pub(crate) fn pair_weight(&self) -> u64 {
        weight(&self.labels).saturating_add(weight(&self.annotations))
    }

    /// Takes labels and annotations away until they weigh no more than this: the longest annotations first, then the longest labels.
    pub(crate) fn shorten_to(&mut self, most: u64) {
        let mut excess = self.pair_weight().saturating_sub(most);
        for pairs in [&mut self.annotations, &mut self.labels].into_iter().flatten() {
            if excess > 0 {
                self.was_shortened = true;
                excess = excess.saturating_sub(shorten(pairs, excess));
            }
        }
    }
}

/// The file of all pods of one name: of a StatefulSet's pod there can be a terminating and a new one. The newest gives the pod's
/// metadata; the containers of all are listed, because their ids are unique, and the older pods' own metadata is kept with their ids.
pub(crate) fn file_of(mut pods: Vec<Pod>) -> PodFile {
    pods.sort_by(|left, right| right.age().cmp(&left.age()));
    let mut file = PodFile::default();
    for (at, pod) in pods.into_iter().enumerate() {
        let mut ids = Vec::new();
        for run in pod.containers {
            match file.containers.iter_mut().find(|known| known.id == run.id) {
                Some(known) => known.started = known.started.or(run.started),
                None => {
                    ids.push(run.id.clone());
                    file.containers.push(run);
                }
            }
        }
        let Pod { uid, node, ip, labels, annotations, workload, .. } = pod;
        if at == 0 {
            (file.namespace, file.pod, file.owners) = (pod.namespace, pod.name, pod.owners);
            (file.uid, file.node, file.ip) = (uid, node, ip);
            (file.labels, file.annotations, file.workload) = (labels, annotations, workload);
        } else if file.older.len() < MAX_OLDER {
            file.older.push(OlderPod { uid, node, ip, labels, annotations, workload, ids });
        }
    }
    file
}

/// The file as a reader takes it, and whether something had to go: annotations first, because they are what grows. `None` when the
/// containers alone are too many.
pub(crate) fn fitted(mut file: PodFile) -> Option<(PodFile, bool)> {
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

/// A pod as its source has it.
#[derive(Default)]
pub(crate) struct PodParts<'f> {
    pub namespace: String,
    pub name: String,
    pub uid: Option<String>,
    pub created: Option<i64>,
    pub is_leaving: bool,
    pub node: Option<String>,
    pub ip: Option<String>,
    pub labels: Option<WantedPairs<'f>>,
    pub annotations: Option<WantedPairs<'f>>,
    pub owners: Vec<OwnerReference>,
    pub containers: Vec<Container>,
}

impl PodParts<'_> {
    /// The pod, unless its names are none that a file can have.
    pub fn into_pod(self, limits: &Limits) -> Option<Pod> {
        file_name(&self.namespace, &self.name)?;
        let hash = self.labels.as_ref().and_then(|labels| labels.template_hash.clone());
        let is_of_api = self.annotations.as_ref().is_some_and(|annotations| annotations.is_of_api);
        let omitted = [&self.labels, &self.annotations].into_iter().flatten().map(|pairs| pairs.omitted);
        let omitted = omitted.fold(0, u64::saturating_add);
        let is_cut = [&self.labels, &self.annotations].into_iter().flatten().any(|pairs| pairs.is_full);
        let mut pod = Pod {
            workload: workload_of(&self.owners, hash.as_deref(), self.created),
            owners: owners_text(&self.owners),
            namespace: self.namespace,
            name: self.name,
            uid: self.uid,
            created: self.created,
            is_leaving: self.is_leaving,
            is_of_api,
            node: self.node,
            ip: self.ip,
            labels: self.labels.map(|labels| Pairs(labels.pairs)),
            annotations: self.annotations.map(|annotations| Pairs(annotations.pairs)),
            containers: self.containers,
            was_shortened: is_cut,
            omitted,
        };
        pod.shorten_to(limits.max_pod);
        Some(pod)
    }
}

/// The pairs that are wanted, within limits; what they tell about the pod is noted whether they are wanted or not.
pub(crate) struct WantedPairs<'f> {
    filter: &'f KeyFilter,
    max_value: u64,
    pairs: Vec<(String, String)>,
    bytes: usize,
    omitted: u64,
    is_full: bool,
    template_hash: Option<String>,
    is_of_api: bool,
}

impl<'f> WantedPairs<'f> {
    pub fn new(filter: &'f KeyFilter, max_value: u64) -> WantedPairs<'f> {
        let pairs = Vec::new();
        WantedPairs {
            filter,
            max_value,
            pairs,
            bytes: 0,
            omitted: 0,
            is_full: false,
            template_hash: None,
            is_of_api: false,
        }
    }

    pub fn push(&mut self, key: String, value: String) {
        match key.as_str() {
            "pod-template-hash" => self.template_hash = Some(value.clone()).filter(|hash| !hash.is_empty()),
            "kubernetes.io/config.source" => self.is_of_api = value == "api",
            _ => {}
        }
        if !self.filter.wants(&key) {
            return;
        }
        if value.len() as u64 > self.max_value {
            return self.leave_out();
        }
        let bytes = self.bytes.saturating_add(key.len()).saturating_add(value.len());
        if self.pairs.len() >= MOST_PAIRS || bytes > MOST_PAIR_BYTES {
            self.is_full = true;
            return;
        }
        self.bytes = bytes;
        self.pairs.push((key, value));
    }

    /// Counts one that is no pair of strings, or too long.
    pub fn leave_out(&mut self) {
        self.omitted = self.omitted.saturating_add(1);
    }
}

/// An owner of a pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct OwnerReference {
    pub api_version: Option<String>,
    pub kind: Option<String>,
    pub name: Option<String>,
    pub uid: Option<String>,
    pub controller: Option<bool>,
    pub block_owner_deletion: Option<bool>,
}

/// What is known of one container.
#[derive(Default)]
pub(crate) struct ContainerStatus {
    pub name: Option<String>,
    pub image: Option<String>,
    pub image_id: Option<String>,
    pub restarts: Option<i64>,
    pub now: ContainerRun,
    pub before: ContainerRun,
}

/// One run of it: its id with a scheme, and when it started.
#[derive(Default)]
pub(crate) struct ContainerRun {
    pub id: Option<String>,
    pub started: Option<i64>,
}

/// Every run of these containers.
pub(crate) fn containers_of(statuses: impl Iterator<Item = ContainerStatus>) -> Vec<Container> {
    let mut containers = Vec::new();
    for status in statuses {
        let before = status.restarts.map(|count| count.saturating_sub(1).max(0));
        add_run(&status, &status.now, status.restarts, &mut containers);
        add_run(&status, &status.before, before, &mut containers);
    }
    containers
}

/// Adds one run, unless its id is there already: a container that waits for its restart still has the id of the run that is over, and only
/// `lastState` says when that one started.
fn add_run(of: &ContainerStatus, run: &ContainerRun, restarts: Option<i64>, containers: &mut Vec<Container>) {
    let id = run.id.as_deref().map(without_scheme);
    let (Some(name), Some(id)) = (&of.name, id.filter(|id| !id.is_empty())) else {
        return;
    };
    match containers.iter_mut().find(|known| known.id == id) {
        Some(known) => known.started = known.started.or(run.started),
        None => containers.push(Container {
            name: name.clone(),
            id: id.to_string(),
            image: of.image.clone(),
            hash: of.image_id.as_deref().and_then(container_hash).map(str::to_string),
            started: run.started,
            restarts,
        }),
    }
}

/// `containerd://0a1b` without its `containerd://`.
fn without_scheme(id: &str) -> &str {
    id.split_once("://").map_or(id, |(_, id)| id)
}

/// The built-in filter's `container_hash` (Fluent Bit 5.1.1, plugins/filter_kubernetes/kube_meta.c, `extract_hash`): slashes after the
/// first colon end a scheme, which goes; any other colon belongs to the image; without one there is no hash.
fn container_hash(image_id: &str) -> Option<&str> {
    let (_, rest) = image_id.split_once(':')?;
    let hash = if rest.starts_with('/') { rest.trim_start_matches('/') } else { image_id };
    Some(hash).filter(|hash| !hash.is_empty())
}

/// The workload that owns the pod: the Deployment of a ReplicaSet, the CronJob of a scheduled Job. Both names follow from the owner's, so
/// no request is needed. A static pod is owned by its node and has no workload.
fn workload_of(
    owners: &[OwnerReference],
    template_hash: Option<&str>,
    created: Option<i64>,
) -> Option<Workload> {
    let owner = owners.iter().find(|owner| owner.controller == Some(true)).or_else(|| owners.first())?;
    let present = |text: &'_ Option<String>| text.clone().filter(|text| !text.is_empty());
    let (kind, name) = (present(&owner.kind)?, present(&owner.name)?);
    let above = match kind.as_str() {
        "Node" => return None,
        "ReplicaSet" => template_hash
            .and_then(|hash| name.strip_suffix(hash)?.strip_suffix('-'))
            .map(|name| ("Deployment", name)),
        "Job" => name
            .rsplit_once('-')
            .filter(|(_, minute)| is_schedule_of(minute, created))
            .map(|(name, _)| ("CronJob", name)),
        _ => None,
    };
    let above = above.filter(|(_, name)| !name.is_empty());
    let above = above.map(|(kind, name)| Workload { kind: kind.to_owned(), name: name.to_owned() });
    Some(above.unwrap_or(Workload { kind, name }))
}

/// Whether a Job's suffix is the minute, since 1970, at which a CronJob has scheduled the Job of a pod of this age: not long before the
/// pod was made, which is what a date such as `20261124` is not. A pod that is made again after its node's end can be days late.
fn is_schedule_of(minute: &str, created: Option<i64>) -> bool {
    let is_number = !minute.is_empty() && minute.bytes().all(|byte| byte.is_ascii_digit());
    let (Some(minute), Some(created)) = (minute.parse::<i64>().ok().filter(|_| is_number), created) else {
        return false;
    };
    let late = created.saturating_sub(minute.saturating_mul(60));
    (-SCHEDULED_AHEAD..=SCHEDULED_BEFORE).contains(&late)
}

/// Owner references as kubelet writes them, unless they are very many.
fn owners_text(owners: &[OwnerReference]) -> Option<String> {
    let mut text = Vec::new();
    for owner in owners {
        text.extend_from_slice(if text.is_empty() { b"[{" } else { b",{" });
        let fields = [
            ("apiVersion", &owner.api_version),
            ("kind", &owner.kind),
            ("name", &owner.name),
            ("uid", &owner.uid),
        ];
        let mut separator = "";
        for (key, value) in fields.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?))) {
            text.extend_from_slice(format!("{separator}\"{key}\":").as_bytes());
            push_string(&mut text, value.as_bytes());
            separator = ",";
        }
        for (key, value) in
            [("controller", owner.controller), ("blockOwnerDeletion", owner.block_owner_deletion)]
        {
            if let Some(value) = value {
                text.extend_from_slice(format!("{separator}\"{key}\":{value}").as_bytes());
                separator = ",";
            }
        }
        text.push(b'}');
        if text.len() > MAX_OWNERS {
            return None;
        }
    }
    text.push(b']');
    String::from_utf8(text).ok().filter(|text| text.len() > 1)
}

fn weight(pairs: &Option<Pairs>) -> u64 {
    pairs.iter().flat_map(|pairs| &pairs.0).map(pair_weight).fold(0, u64::saturating_add)
}

fn pair_weight((key, value): &(String, String)) -> u64 {
    (key.len().saturating_add(value.len()).saturating_add(PAIR_WEIGHT)) as u64
}

/// Takes the longest away until so many bytes are gone, or all are; returns how many are.
fn shorten(Pairs(pairs): &mut Pairs, excess: u64) -> u64 {
    let mut by_weight: Vec<usize> = (0..pairs.len()).collect();
    by_weight.sort_by_key(|at| Reverse(pairs.get(*at).map_or(0, pair_weight)));
    let (mut gone, mut leaving) = (0u64, vec![false; pairs.len()]);
    for at in by_weight {
        if gone >= excess {
            break;
        }
        gone = gone.saturating_add(pairs.get(at).map_or(0, pair_weight));
        if let Some(leaving) = leaving.get_mut(at) {
            *leaving = true;
        }
    }
    let mut leaving = leaving.into_iter();
    pairs.retain(|_| !leaving.next().unwrap_or(false));
    pairs.shrink_to_fit();
    gone
}

/// Pods that had the name before, of which is known what is their own.
const MAX_OLDER: usize = 4;
/// A CronJob's Job is named by the minute of its time; how long before its pod that can be, in seconds, and how long after, by clocks that
/// differ.
const SCHEDULED_BEFORE: i64 = 7 * 86_400;
const SCHEDULED_AHEAD: i64 = 3_600;
/// Longest list of owners that is handed on, in bytes: the API allows one controller and has no limit on others.
const MAX_OWNERS: usize = 4 << 10;
/// Pairs that a pod file may have, and their bytes: more are not even held while a pod is read.
const MOST_PAIRS: usize = 1024;
const MOST_PAIR_BYTES: usize = 512 << 10;
/// What a pair, a container and a pod weigh besides their texts: what Rust needs for them, about; of a pod also what is kept of it besides
/// it, such as the names of its file.
const PAIR_WEIGHT: usize = 64;
const CONTAINER_WEIGHT: usize = 160;
const POD_WEIGHT: usize = 1_200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_built_in_filters() {
        for (image_id, expected) in [
            ("docker-pullable://r/i@sha256:9", Some("r/i@sha256:9")),
            ("docker://sha256:9", Some("sha256:9")),
            ("registry:5000/i@sha256:9", Some("registry:5000/i@sha256:9")),
            ("sha256:9", Some("sha256:9")),
            ("r/i@sha256:9", Some("r/i@sha256:9")),
            ("r/i", None),
            ("docker://", None),
            ("", None),
        ] {
            assert_eq!(container_hash(image_id), expected, "{image_id}");
        }
    }
}
