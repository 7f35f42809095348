//! Pod files on disk: one per pod, in one directory.
//!
//! The rule it keeps: a reader sees the old content or the new one, never a part, and a file that need not change is
//! not touched. Nothing outside the directory is ever read or written: names come from the engine, and a link that
//! somebody else put there is replaced, not followed. A directory has one writer.

use nodesieve_engine::pods::{FileError, PodFile, file_name};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The directory that the filter reads.
#[derive(Debug)]
pub struct PodFileStore {
    path: PathBuf,
}

/// What [`PodFileStore::write`] did.
#[derive(Debug, Default)]
pub struct WrittenFiles {
    /// Files that are new or have new content.
    pub written: u64,
    /// Files that were as they should be.
    pub unchanged: u64,
    /// Files that could not be written; what was there before still is.
    pub failed: Vec<StoreError>,
}

/// What [`PodFileStore::retain`] did.
#[derive(Debug, Default)]
pub struct Removed {
    /// Files that are gone now.
    pub removed: u64,
    /// Files that could not be removed.
    pub failed: Vec<StoreError>,
}

/// Why something on disk is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory is not there and cannot be made, or is something else.
    #[error("create pod directory {}: {reason}", path.display())]
    Create {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The directory cannot be listed.
    #[error("list pod directory {}: {reason}", path.display())]
    List {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// Kubernetes would not allow the pod's namespace or name, so it has no file.
    #[error("name pod file of {namespace:?}/{pod:?}: not a namespace and pod name of Kubernetes")]
    Name {
        /// The namespace as given.
        namespace: String,
        /// The pod name as given.
        pod: String,
    },
    /// No reader would take the file.
    #[error("encode pod file {}: {reason}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// What the engine said.
        reason: FileError,
    },
    /// The file could not be written or put into its place.
    #[error("write pod file {}: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The file could not be removed.
    #[error("remove pod file {}: {reason}", path.display())]
    Remove {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

impl PodFileStore {
    /// The directory at `path`. Nothing is looked at yet.
    pub fn new(path: impl Into<PathBuf>) -> PodFileStore {
        PodFileStore { path: path.into() }
    }

    /// Writes the file of each pod whose content is new. The directory is made (0755) if it is not there, but its
    /// parent is not: that is a mounted volume, and without one nobody would read the files.
    ///
    /// # Errors
    /// [`StoreError::Create`] when there is no directory, [`StoreError::Remove`] when what a crash left over cannot be
    /// removed. A failure with one pod is in [`WrittenFiles::failed`] and does not stop the others.
    pub fn write(&mut self, pods: &[PodFile]) -> Result<WrittenFiles, StoreError> {
        create(&self.path).map_err(|reason| StoreError::Create { path: self.path.clone(), reason })?;
        let temporary = self.path.join(TEMPORARY);
        remove_if_there(&temporary).map_err(|reason| StoreError::Remove { path: temporary, reason })?;
        let mut answer = WrittenFiles::default();
        for pod in pods {
            match self.write_pod(pod) {
                Ok(true) => answer.written = answer.written.saturating_add(1),
                Ok(false) => answer.unchanged = answer.unchanged.saturating_add(1),
                Err(error) => answer.failed.push(error),
            }
        }
        Ok(answer)
    }

    /// The file that there is for a pod of this name; `None` when there is none that a reader would take.
    pub fn read(&self, namespace: &str, pod: &str) -> Option<PodFile> {
        let path = self.path.join(file_name(namespace, pod)?);
        // A link that somebody else put there is not followed.
        let is_file = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
        let content = is_file.then(|| fs::read(&path).ok()).flatten()?;
        PodFile::decode(&content, namespace, pod).ok()
    }

    /// Removes every pod file whose name is not in `keep`: those of an empty set are all. What is not a pod file by
    /// its name stays.
    ///
    /// # Errors
    /// [`StoreError::List`] when the directory cannot be read. A file that cannot be removed is in
    /// [`Removed::failed`] and does not stop the others.
    pub fn retain(&mut self, keep: &BTreeSet<String>) -> Result<Removed, StoreError> {
        let mut answer = Removed::default();
        for name in self.names()?.difference(keep) {
            let path = self.path.join(name);
            match fs::remove_file(&path) {
                Ok(()) => answer.removed = answer.removed.saturating_add(1),
                Err(reason) => answer.failed.push(StoreError::Remove { path, reason }),
            }
        }
        Ok(answer)
    }

    /// The names of all pod files in the directory.
    ///
    /// # Errors
    /// [`StoreError::List`] when the directory cannot be read.
    pub fn names(&self) -> Result<BTreeSet<String>, StoreError> {
        let list = |reason| StoreError::List { path: self.path.clone(), reason };
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(&self.path).map_err(list)? {
            // What is not UTF-8 is no name of ours.
            let name = entry.map_err(list)?.file_name().into_string().ok();
            names.extend(name.filter(|name| is_pod_file(name)));
        }
        Ok(names)
    }

    /// Whether the pod's file had to be written.
    /// What each pod file has, in bytes.
    ///
    /// # Errors
    /// [`StoreError::List`] when the directory cannot be read.
    pub fn sizes(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let names = self.names()?.into_iter();
        // One that is gone meanwhile has none.
        Ok(names
            .filter_map(|name| Some((fs::symlink_metadata(self.path.join(&name)).ok()?.len(), name)))
            .map(|(size, name)| (name, size))
            .collect())
    }

    fn write_pod(&self, pod: &PodFile) -> Result<bool, StoreError> {
        let name = file_name(&pod.namespace, &pod.pod)
            .ok_or_else(|| StoreError::Name { namespace: pod.namespace.clone(), pod: pod.pod.clone() })?;
        let path = self.path.join(name);
        let content = match pod.encode() {
            Ok(content) => content,
            Err(reason) => return Err(StoreError::Encode { path, reason }),
        };
        if is_current(&path, &content) {
            return Ok(false);
        }
        let temporary = self.path.join(TEMPORARY);
        match replace(&temporary, &path, &content) {
            Ok(()) => Ok(true),
            Err(reason) => {
                // On a full disk its room is needed. If it cannot go, the next write says so.
                let _ = remove_if_there(&temporary);
                Err(StoreError::Write { path, reason })
            }
        }
    }
}

fn create(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    // With those above it: `--pods-dir` may be anywhere.
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
    // The mode again, because the umask has changed it.
    fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE))
}

/// Whether `path` is a plain file with that content that everybody can read. What cannot be told is not current: the
/// file is written again, which heals it or says what is wrong.
fn is_current(path: &Path, content: &[u8]) -> bool {
    let Ok(found) = fs::symlink_metadata(path) else {
        return false;
    };
    found.is_file()
        && found.permissions().mode() & 0o7777 == FILE_MODE
        && usize::try_from(found.len()) == Ok(content.len())
        && fs::read(path).is_ok_and(|known| known == content)
}

/// Not synced to disk: after a crash of the node a broken file is refused by its readers and differs from what the
/// next write wants.
fn replace(temporary: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    // New and nothing else: an existing name could be a link to somewhere.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(temporary)?;
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    file.write_all(content)?;
    drop(file);
    fs::rename(temporary, path)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    // Looked for first: a read-only volume refuses to remove even what is not there.
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        _ => fs::remove_file(path),
    }
}

/// Whether the engine could have given that name.
fn is_pod_file(name: &str) -> bool {
    !name.starts_with('.') && name.contains('_') && name.ends_with(".json")
}

/// The one file that is written to before it gets its name. Because it is one, crashes cannot pile them up.
const TEMPORARY: &str = ".pod.tmp";
/// Root without capabilities, as Fluent Bit often runs, cannot read another user's 0600.
const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;

#[cfg(test)]
pub(crate) mod tests;
