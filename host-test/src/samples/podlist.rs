//! The kubelet's answer to `GET /pods` for the sample node: fields in the order of the Go structs, maps in
//! the order of their keys, as Go's JSON encoder prints them.

use serde_json::{Map, Value, json};

use super::access_logs::NODE_IP;
use super::dice::Dice;
use super::fleet::{SampleContainer, SampleOwner, SamplePod};
use super::moment::{SampleTime, WINDOW_START};
use super::node::NODE_NAME;
use super::schedule::SampleRun;

/// `podlist.json`: the listed ones of `pods`.
pub fn render(pods: &[SamplePod], seed: u64) -> Vec<u8> {
    let listed = pods.iter().enumerate().filter(|(_, pod)| pod.listed);
    let items: Vec<Value> = listed.map(|(index, pod)| item(pod, index, seed)).collect();
    let list = json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items });
    indent_by_one(&format!("{list:#}")).into_bytes()
}

/// serde_json indents by two blanks; one keeps the file small and its diffs readable all the same. No string
/// can be hit, for JSON strings hold no raw line feeds.
fn indent_by_one(pretty: &str) -> String {
    let mut text = String::with_capacity(pretty.len());
    for line in pretty.lines() {
        let content = line.trim_start_matches(' ');
        text.extend(std::iter::repeat_n(' ', (line.len() - content.len()) / 2));
        text.push_str(content);
        text.push('\n');
    }
    text
}

fn item(pod: &SamplePod, index: usize, seed: u64) -> Value {
    let ip = if on_host_network(pod) { NODE_IP.to_owned() } else { format!("10.42.3.{}", 11 + index * 3) };
    json!({ "metadata": metadata(pod, seed), "spec": spec(pod), "status": status(pod, &ip, seed) })
}

fn on_host_network(pod: &SamplePod) -> bool {
    matches!(pod.owner, SampleOwner::Manifest | SampleOwner::DaemonSet(_))
}

fn created(pod: &SamplePod) -> SampleTime {
    WINDOW_START.minus_seconds(pod.age_seconds)
}

fn sorted(pairs: &[(String, String)]) -> Value {
    let mut pairs: Vec<_> = pairs.to_vec();
    pairs.sort();
    // A later pair replaces an earlier one of the same key without moving it.
    Value::Object(pairs.into_iter().map(|(key, value)| (key, Value::from(value))).collect())
}

fn metadata(pod: &SamplePod, seed: u64) -> Value {
    let mut dice = Dice::of(seed, &format!("uid/{}/{}", pod.namespace, pod.name));
    let is_static = matches!(pod.owner, SampleOwner::Manifest);
    // The uid of a static pod is the hash of its manifest.
    let uid = if is_static { dice.hex(32) } else { dice.uuid() };
    let mut annotations = pod.annotations.clone();
    let seen = created(pod).plus_nanos(314_159_265).rfc3339_nanos();
    annotations.push(("kubernetes.io/config.seen".to_owned(), seen));
    let source = if is_static { "file" } else { "api" };
    annotations.push(("kubernetes.io/config.source".to_owned(), source.to_owned()));
    if is_static {
        annotations.push(("kubernetes.io/config.hash".to_owned(), uid.clone()));
    }
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(pod.name));
    if let Some(prefix) = generate_name(pod) {
        fields.insert("generateName".to_owned(), json!(prefix));
    }
    fields.insert("namespace".to_owned(), json!(pod.namespace));
    fields.insert("uid".to_owned(), json!(uid));
    // The API server never saw a static pod's manifest, so nobody stamped it.
    let stamp = if is_static { Value::Null } else { json!(created(pod).rfc3339()) };
    fields.insert("creationTimestamp".to_owned(), stamp);
    fields.insert("labels".to_owned(), sorted(&pod.labels));
    fields.insert("annotations".to_owned(), sorted(&annotations));
    if let Some(owner) = owner_reference(pod, seed) {
        fields.insert("ownerReferences".to_owned(), json!([owner]));
    }
    Value::Object(fields)
}

fn generate_name(pod: &SamplePod) -> Option<String> {
    match &pod.owner {
        SampleOwner::ReplicaSet(name)
        | SampleOwner::DaemonSet(name)
        | SampleOwner::StatefulSet(name)
        | SampleOwner::Job(name) => Some(format!("{name}-")),
        SampleOwner::Workflow(_) | SampleOwner::Manifest => None,
    }
}

fn owner_reference(pod: &SamplePod, seed: u64) -> Option<Value> {
    let (api, kind, name) = match &pod.owner {
        SampleOwner::ReplicaSet(name) => ("apps/v1", "ReplicaSet", name),
        SampleOwner::DaemonSet(name) => ("apps/v1", "DaemonSet", name),
        SampleOwner::StatefulSet(name) => ("apps/v1", "StatefulSet", name),
        SampleOwner::Job(name) => ("batch/v1", "Job", name),
        SampleOwner::Workflow(name) => ("argoproj.io/v1alpha1", "Workflow", name),
        SampleOwner::Manifest => return None,
    };
    let uid = Dice::of(seed, &format!("owner/{}/{kind}/{name}", pod.namespace)).uuid();
    Some(json!({
        "apiVersion": api, "kind": kind, "name": name, "uid": uid,
        "controller": true, "blockOwnerDeletion": true,
    }))
}

fn spec(pod: &SamplePod) -> Value {
    let volumes = json!([{
        "name": "kube-api-access-7xq2p",
        "projected": {
            "sources": [
                { "serviceAccountToken": { "expirationSeconds": 3607, "path": "token" } },
                { "configMap": { "name": "kube-root-ca.crt", "items": [
                    { "key": "ca.crt", "path": "ca.crt" },
                ] } },
            ],
            "defaultMode": 420,
        },
    }]);
    let mut fields = Map::new();
    fields.insert("volumes".to_owned(), volumes);
    let init: Vec<Value> = pod.containers.iter().filter(|one| one.init).map(container_spec).collect();
    if !init.is_empty() {
        fields.insert("initContainers".to_owned(), Value::from(init));
    }
    let main: Vec<Value> = pod.containers.iter().filter(|one| !one.init).map(container_spec).collect();
    fields.insert("containers".to_owned(), Value::from(main));
    let restart = match pod.owner {
        SampleOwner::Job(_) => "OnFailure",
        SampleOwner::Workflow(_) => "Never",
        _ => "Always",
    };
    fields.insert("restartPolicy".to_owned(), json!(restart));
    fields.insert("terminationGracePeriodSeconds".to_owned(), json!(30));
    fields.insert("dnsPolicy".to_owned(), json!("ClusterFirst"));
    fields.insert("serviceAccountName".to_owned(), json!("default"));
    fields.insert("serviceAccount".to_owned(), json!("default"));
    fields.insert("nodeName".to_owned(), json!(NODE_NAME));
    if on_host_network(pod) {
        fields.insert("hostNetwork".to_owned(), json!(true));
    }
    fields.insert("securityContext".to_owned(), json!({}));
    fields.insert("schedulerName".to_owned(), json!("default-scheduler"));
    let toleration = json!([{
        "key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
        "tolerationSeconds": 300,
    }]);
    fields.insert("tolerations".to_owned(), toleration);
    fields.insert("priority".to_owned(), json!(0));
    fields.insert("enableServiceLinks".to_owned(), json!(true));
    fields.insert("preemptionPolicy".to_owned(), json!("PreemptLowerPriority"));
    Value::Object(fields)
}

fn container_spec(container: &SampleContainer) -> Value {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(container.name));
    fields.insert("image".to_owned(), json!(container.image));
    let env = json!([
        { "name": "POD_NAME", "valueFrom": {
            "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.name" },
        } },
        { "name": "LOG_FORMAT", "value": "{\"time\":\"rfc3339\"}" },
    ]);
    fields.insert("env".to_owned(), env);
    fields.insert("resources".to_owned(), json!({ "requests": { "cpu": "100m", "memory": "128Mi" } }));
    let mounts = json!([{
        "name": "kube-api-access-7xq2p",
        "readOnly": true,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    }]);
    fields.insert("volumeMounts".to_owned(), mounts);
    if let Some(seconds) = container.probe_seconds {
        let probe = json!({
            "httpGet": { "path": "/healthz", "port": 8080, "scheme": "HTTP" },
            "timeoutSeconds": 1, "periodSeconds": seconds, "successThreshold": 1, "failureThreshold": 3,
        });
        fields.insert("livenessProbe".to_owned(), probe.clone());
        fields.insert("readinessProbe".to_owned(), probe);
    }
    fields.insert("terminationMessagePath".to_owned(), json!("/dev/termination-log"));
    fields.insert("terminationMessagePolicy".to_owned(), json!("File"));
    fields.insert("imagePullPolicy".to_owned(), json!("IfNotPresent"));
    Value::Object(fields)
}

fn status(pod: &SamplePod, ip: &str, seed: u64) -> Value {
    let waits = pod.containers.iter().any(|container| container.runs.is_empty());
    let done = matches!(pod.owner, SampleOwner::Job(_));
    let phase = if waits {
        "Pending"
    } else if done {
        "Succeeded"
    } else {
        "Running"
    };
    let ready = if waits || done { "False" } else { "True" };
    let since = created(pod).plus_seconds(1).rfc3339();
    let condition = |kind: &str, status: &str| {
        json!({
            "type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": since,
        })
    };
    let conditions = json!([
        condition("PodReadyToStartContainers", if done { "False" } else { "True" }),
        condition("Initialized", "True"),
        condition("Ready", ready),
        condition("ContainersReady", ready),
        condition("PodScheduled", "True"),
    ]);
    let statuses = |init: bool| -> Vec<Value> {
        let chosen = pod.containers.iter().filter(|container| container.init == init);
        chosen.map(|container| container_status(pod, container, seed)).collect()
    };
    let mut fields = Map::new();
    fields.insert("phase".to_owned(), json!(phase));
    fields.insert("conditions".to_owned(), conditions);
    fields.insert("hostIP".to_owned(), json!(NODE_IP));
    fields.insert("hostIPs".to_owned(), json!([{ "ip": NODE_IP }]));
    fields.insert("podIP".to_owned(), json!(ip));
    fields.insert("podIPs".to_owned(), json!([{ "ip": ip }]));
    fields.insert("startTime".to_owned(), json!(created(pod).rfc3339()));
    let init = statuses(true);
    if !init.is_empty() {
        fields.insert("initContainerStatuses".to_owned(), Value::from(init));
    }
    fields.insert("containerStatuses".to_owned(), Value::from(statuses(false)));
    fields.insert("qosClass".to_owned(), json!("Burstable"));
    Value::Object(fields)
}

fn container_status(pod: &SamplePod, container: &SampleContainer, seed: u64) -> Value {
    // The list is from just before the end of the window: a container that crashes again then is still up.
    let finished = container.init || matches!(pod.owner, SampleOwner::Job(_));
    let mut lives = container.runs.iter().zip(&container.ids).rev();
    let current = lives.next();
    let last_state = lives.next().map_or(json!({}), |(run, id)| terminated(*run, id, 2, "Error"));
    let state = match current {
        None => json!({ "waiting": {
            "reason": "ImagePullBackOff",
            "message": format!("Back-off pulling image \"{}\"", container.image),
        } }),
        Some((run, id)) if finished => terminated(*run, id, 0, "Completed"),
        Some((run, _)) => {
            let started = if run.starts { run.from } else { created(pod).plus_seconds(4) };
            json!({ "running": { "startedAt": started.rfc3339() } })
        }
    };
    let runs = current.is_some() && !finished;
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(container.name));
    fields.insert("state".to_owned(), state);
    fields.insert("lastState".to_owned(), last_state);
    // An init container counts as ready once it has done its work.
    fields.insert("ready".to_owned(), json!(runs || container.init));
    fields.insert("restartCount".to_owned(), json!(container.runs.len().saturating_sub(1)));
    fields.insert("image".to_owned(), json!(container.image));
    match current {
        // Neither is known before the image is there; Go leaves out only the empty container id.
        None => fields.insert("imageID".to_owned(), json!("")),
        Some((_, id)) => {
            fields.insert("imageID".to_owned(), json!(image_id(container.image, seed)));
            fields.insert("containerID".to_owned(), json!(format!("containerd://{id}")))
        }
    };
    fields.insert("started".to_owned(), json!(runs));
    Value::Object(fields)
}

fn terminated(run: SampleRun, id: &str, exit_code: u64, reason: &str) -> Value {
    json!({ "terminated": {
        "exitCode": exit_code,
        "reason": reason,
        "startedAt": run.from.rfc3339(),
        "finishedAt": run.to.rfc3339(),
        "containerID": format!("containerd://{id}"),
    } })
}

/// The digest belongs to the image, whichever pod runs it.
fn image_id(image: &str, seed: u64) -> String {
    let repository = image.rsplit_once(':').map_or(image, |(repository, _)| repository);
    format!("{repository}@sha256:{}", Dice::of(seed, &format!("image/{image}")).hex(64))
}
