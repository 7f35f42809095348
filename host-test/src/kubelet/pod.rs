//! Pods for a list, in the shape that kubelet gives them.

use serde_json::{Map, Value, json};

/// A pod, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FakePod {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// When it was made, RFC 3339.
    pub created: String,
    /// Whether it is being deleted.
    pub is_leaving: bool,
    /// Labels.
    pub labels: Vec<(String, String)>,
    /// Annotations.
    pub annotations: Vec<(String, String)>,
    /// Name and id of each container, with the id of the run before; an empty id is a container that waits.
    pub containers: Vec<(String, String, Option<String>)>,
    /// How many bytes of environment and volumes it has, none of which a pod file needs.
    pub ballast: usize,
}

impl FakePod {
    /// A pod with one label, `app`, and without containers.
    pub fn new(namespace: &str, name: &str) -> FakePod {
        FakePod {
            namespace: namespace.into(),
            name: name.into(),
            uid: format!("uid-of-{name}"),
            created: "2026-11-20T10:00:00Z".into(),
            labels: vec![("app".into(), name.into())],
            ..FakePod::default()
        }
    }

    /// The same with a container that runs.
    pub fn with(mut self, container: &str, id: &str) -> FakePod {
        self.containers.push((container.into(), id.into(), None));
        self
    }

    /// As an item of a list.
    pub fn item(&self) -> Value {
        let map = |pairs: &[(String, String)]| -> Map<String, Value> {
            pairs.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
        };
        let status = |(name, id, before): &(String, String, Option<String>)| {
            let state = match id.as_str() {
                "" => json!({ "waiting": { "reason": "ContainerCreating" } }),
                _ => json!({ "running": { "startedAt": self.created } }),
            };
            let last = before.as_ref().map(|id| {
                json!({ "terminated": { "startedAt": self.created, "containerID": format!("containerd://{id}") } })
            });
            let mut status = json!({
                "name": name, "state": state, "lastState": last.unwrap_or(json!({})), "image": "r/app:1",
                "imageID": "r/app@sha256:9", "restartCount": u8::from(before.is_some()),
            });
            if let (false, Some(status)) = (id.is_empty(), status.as_object_mut()) {
                status.insert("containerID".into(), json!(format!("containerd://{id}")));
            }
            status
        };
        let statuses: Vec<Value> = self.containers.iter().map(status).collect();
        let mut metadata = json!({
            "name": self.name, "namespace": self.namespace, "uid": self.uid, "creationTimestamp": self.created,
        });
        if self.is_leaving {
            metadata["deletionTimestamp"] = self.created.clone().into();
        }
        // Go leaves empty maps out.
        for (key, pairs) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            if !pairs.is_empty() {
                metadata[key] = map(pairs).into();
            }
        }
        let env = json!([{ "name": "BALLAST", "value": "x".repeat(self.ballast) }]);
        json!({
            "metadata": metadata,
            "spec": { "nodeName": "node-1", "containers": [{ "name": "app", "env": env }] },
            "status": { "phase": "Running", "podIP": "10.42.0.7", "containerStatuses": statuses },
        })
    }
}

/// A list of such items.
pub fn list(items: impl IntoIterator<Item = Value>) -> Vec<u8> {
    let items: Vec<Value> = items.into_iter().collect();
    json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items }).to_string().into_bytes()
}

/// The items of a list; none of what is no list.
pub fn items(pod_list: &[u8]) -> Vec<Value> {
    let list: Value = serde_json::from_slice(pod_list).unwrap_or_default();
    list["items"].as_array().cloned().unwrap_or_default()
}
