//! The directories of a node, below a temporary root.
//!
//! It exists so that a test can do to a running Fluent Bit what happens on a node: rules are swapped as kubelet swaps
//! a ConfigMap, pod files go away, lines are added. The rule it keeps: everything is below one root that is removed
//! with it.

use super::{FILTER_STATE, FluentBitError, LOGS, MODULE, PODS, RULES, STATE, rules};
use crate::volume::TmpfsVolume;
use nodesieve_preview::bundle::Bundle;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A node's directories, removed when dropped.
#[derive(Debug)]
pub(super) struct TemporaryNode {
    /// Behind [`STATE`]. Before the root, so that it is unmounted first.
    disk: Option<TmpfsVolume>,
    root: TempDir,
    /// How often rules were put.
    revision: u32,
}

impl TemporaryNode {
    /// The directories that the configuration needs, all empty.
    pub(super) fn new() -> Result<TemporaryNode, FluentBitError> {
        let root = tempfile::Builder::new()
            .prefix("nodesieve-fluent-bit-")
            .tempdir()
            .map_err(|reason| FluentBitError::Make { path: std::env::temp_dir(), reason })?;
        let node = TemporaryNode { disk: None, root, revision: 0 };
        for directory in [LOGS, RULES, PODS, FILTER_STATE, MODULE] {
            let path = node.at(directory);
            fs::create_dir_all(&path).map_err(|reason| FluentBitError::Make { path, reason })?;
        }
        Ok(node)
    }

    /// Gives [`STATE`] a disk of its own with this room.
    pub(super) fn mount_disk(&mut self, bytes: u64) -> Result<(), FluentBitError> {
        let path = self.at(STATE);
        let disk =
            TmpfsVolume::mount(&path, bytes).map_err(|reason| FluentBitError::Make { path, reason })?;
        self.disk = Some(disk);
        let path = self.at(FILTER_STATE);
        fs::create_dir_all(&path).map_err(|reason| FluentBitError::Make { path, reason })
    }

    pub(super) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Where a deployed path is.
    pub(super) fn at(&self, deployed: &str) -> PathBuf {
        self.root().join(deployed.trim_start_matches('/'))
    }

    /// Writes a file below the root.
    pub(super) fn put(&self, deployed: &str, content: &str) -> Result<PathBuf, FluentBitError> {
        let path = self.at(deployed);
        match fs::write(&path, content) {
            Ok(()) => Ok(path),
            Err(reason) => Err(FluentBitError::Make { path, reason }),
        }
    }

    /// Copies the files of a directory, not its directories; links are followed.
    pub(super) fn copy_files(&self, from: &Path, deployed: &str) -> Result<(), FluentBitError> {
        let unreadable = |reason| FluentBitError::Read { path: from.to_owned(), reason };
        for entry in fs::read_dir(from).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if entry.path().is_file() {
                self.copy(&entry.path(), &self.at(deployed).join(entry.file_name()))?;
            }
        }
        Ok(())
    }

    /// Copies one file.
    pub(super) fn copy(&self, from: &Path, to: &Path) -> Result<(), FluentBitError> {
        // `fs::copy` takes permissions along; a read-only original would make a copy that cannot be written to.
        let content =
            fs::read(from).map_err(|reason| FluentBitError::Read { path: from.to_owned(), reason })?;
        fs::write(to, content).map_err(|reason| FluentBitError::Make { path: to.to_owned(), reason })
    }

    /// Puts a rule file as kubelet does: into a directory of its own, to which `..data` then points.
    pub(super) fn put_rules(&mut self, text: &str) -> Result<(), FluentBitError> {
        self.revision += 1;
        let version = format!("..{:04}", self.revision);
        let directory = self.at(RULES).join(&version);
        fs::create_dir_all(&directory)
            .map_err(|reason| FluentBitError::Make { path: directory.clone(), reason })?;
        let bundle = Bundle::of(text);
        self.put(&format!("{RULES}/{version}/nodesieve.yaml"), &rules::placed(bundle.platform, self.root()))?;
        let fragments = directory.join("rules.d");
        fs::create_dir_all(&fragments).map_err(|reason| FluentBitError::Make { path: fragments, reason })?;
        for part in &bundle.fragments {
            self.put(&format!("{RULES}/{version}/rules.d/{}.yaml", part.namespace), part.text)?;
        }
        link(&version, &self.at(RULES).join("..data"))?;
        if self.revision == 1 {
            link("..data/nodesieve.yaml", &self.at(RULES).join("nodesieve.yaml"))?;
            link("..data/rules.d", &self.at(RULES).join("rules.d"))?;
        }
        Ok(())
    }
}

/// Makes a symbolic link, or points an existing one elsewhere in one step.
fn link(target: &str, path: &Path) -> Result<(), FluentBitError> {
    let beside = path.with_file_name("..new");
    std::os::unix::fs::symlink(target, &beside)
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|reason| FluentBitError::Make { path: path.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_swapped_behind_a_link_that_stays() {
        let mut node = TemporaryNode::new().unwrap();
        let read =
            |node: &TemporaryNode| fs::read_to_string(node.at("/etc/nodesieve/nodesieve.yaml")).unwrap();
        node.put_rules("version: 1\n").unwrap();
        assert!(read(&node).starts_with("version: 1\npods: { dir: "));
        node.put_rules("version: 2\n").unwrap();
        assert!(read(&node).starts_with("version: 2\n"));
        assert_eq!(fs::read_link(node.at("/etc/nodesieve/..data")).unwrap(), Path::new("..0002"));
        let root = node.root().to_owned();
        drop(node);
        assert!(!root.exists());
    }

    #[test]
    fn only_files_are_copied_and_a_missing_directory_is_named() {
        let (from, node) = (TemporaryNode::new().unwrap(), TemporaryNode::new().unwrap());
        from.put("/run/nodesieve/a.json", "{}").unwrap();
        node.copy_files(&from.at("/run/nodesieve"), PODS).unwrap();
        assert_eq!(fs::read_dir(node.at(PODS)).unwrap().count(), 1);
        let error = node.copy_files(Path::new("/nonexistent"), PODS).unwrap_err().to_string();
        assert!(error.starts_with("read /nonexistent for fluent-bit: "), "{error}");
    }
}
