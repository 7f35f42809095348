//! Pod files in memory: what the sidecar would write for a pod list, made by its own code.

use nodesieve_engine::pods::{PodSource, Unavailable, file_name};
use nodesieve_podlist::{Limits, project};
use std::collections::BTreeMap;

/// Pod files by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodTable(BTreeMap<String, Vec<u8>>);

impl PodTable {
    /// The files of a list as the kubelet or `kubectl get pods -o json` gives it.
    ///
    /// # Errors
    /// What is wrong with a text that is no such list.
    pub fn of(list: &[u8]) -> Result<PodTable, String> {
        let projected = project(list, &Limits::default()).map_err(|error| error.to_string())?;
        let mut files = BTreeMap::new();
        for pod in &projected.files {
            let name = file_name(&pod.namespace, &pod.pod);
            if let (Some(name), Ok(content)) = (name, pod.encode()) {
                files.insert(name, content);
            }
        }
        Ok(PodTable(files))
    }

    /// Puts a file, or takes it away.
    pub fn put(&mut self, name: &str, content: Option<&[u8]>) {
        match content {
            Some(content) => drop(self.0.insert(name.to_owned(), content.to_vec())),
            None => drop(self.0.remove(name)),
        }
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PodSource for PodTable {
    fn read(&mut self, file_name: &str, into: &mut Vec<u8>) -> Result<(), Unavailable> {
        into.extend_from_slice(self.0.get(file_name).ok_or(Unavailable::Missing)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_becomes_the_files_that_the_filter_asks_for() {
        let list = br#"{"kind":"PodList","items":[{"metadata":{"name":"web-1","namespace":"shop","labels":{"app":"web"}}}]}"#;
        let mut pods = PodTable::of(list).unwrap();
        let mut content = Vec::new();
        pods.read(&file_name("shop", "web-1").unwrap(), &mut content).unwrap();
        assert!(String::from_utf8(content).unwrap().contains(r#""app":"web""#));
        assert_eq!(pods.read("none", &mut Vec::new()), Err(Unavailable::Missing));
        assert!(PodTable::of(b"[]").unwrap_err().starts_with("read pod list"));
    }
}
