//! A pod file written, and string maps as kubelet sends them: for the sidecar, hence with serde, and only with the feature
//! `encode`, because nothing of it belongs in the module.

use super::{Container, FileError, MAX_FILE_BYTES, OlderPod, Pairs, PodFile, VERSION, Workload};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt;

impl PodFile {
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
}

impl Serialize for PodFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", &VERSION)?;
        map.serialize_entry("namespace", &self.namespace)?;
        map.serialize_entry("pod", &self.pod)?;
        known(&mut map, "uid", self.uid.as_ref())?;
        known(&mut map, "node", self.node.as_ref())?;
        known(&mut map, "ip", self.ip.as_ref())?;
        known(&mut map, "labels", self.labels.as_ref())?;
        known(&mut map, "annotations", self.annotations.as_ref())?;
        known(&mut map, "workload", self.workload.as_ref())?;
        known(&mut map, "owners", self.owners.as_ref())?;
        known(&mut map, "containers", Some(&self.containers).filter(|containers| !containers.is_empty()))?;
        known(&mut map, "older", Some(&self.older).filter(|older| !older.is_empty()))?;
        map.end()
    }
}

impl Serialize for OlderPod {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        known(&mut map, "uid", self.uid.as_ref())?;
        known(&mut map, "node", self.node.as_ref())?;
        known(&mut map, "ip", self.ip.as_ref())?;
        known(&mut map, "labels", self.labels.as_ref())?;
        known(&mut map, "annotations", self.annotations.as_ref())?;
        known(&mut map, "workload", self.workload.as_ref())?;
        map.serialize_entry("ids", &self.ids)?;
        map.end()
    }
}

impl Serialize for Workload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("kind", &self.kind)?;
        map.serialize_entry("name", &self.name)?;
        map.end()
    }
}

impl Serialize for Container {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("id", &self.id)?;
        known(&mut map, "image", self.image.as_ref())?;
        known(&mut map, "hash", self.hash.as_ref())?;
        known(&mut map, "started", self.started.as_ref())?;
        known(&mut map, "restarts", self.restarts.as_ref())?;
        map.end()
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

/// Writes a member unless it is not known.
fn known<M: SerializeMap, T: Serialize>(map: &mut M, key: &str, value: Option<&T>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(key, value))
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
                while let Some(key) = map.next_key::<String>()? {
                    match map.next_value()? {
                        serde_json::Value::String(value) => pairs.push((key, value)),
                        // The API allows null for a string map's value and means the empty string.
                        serde_json::Value::Null => pairs.push((key, String::new())),
                        // What has no business to be there costs itself and not the pod.
                        _ => {}
                    }
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
