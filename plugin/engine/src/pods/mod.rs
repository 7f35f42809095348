//! What the node knows about its pods: the files that the sidecar writes, the cache that reads them, and the
//! `kubernetes` object that goes onto a record.
//!
//! Format and file name are owned here and used by both sides, so they cannot drift apart.

mod cache;
mod exclude;
mod file;
mod meta;
mod own;
mod render;

pub(crate) use cache::Remembered;
pub use cache::{Cache, CacheSettings, Found};
pub use exclude::Excluded;
pub use file::{Container, FileError, MAX_FILE_BYTES, OlderPod, Pairs, PodFile, Workload, file_name};
pub use meta::{OfPod, PodMeta};
pub(crate) use own::{OwnMemo, completed};
pub use render::{EnrichFields, Enrichment, Field, MetadataFrom, Selection, all_that_is_known};

/// Keys of annotations that the sidecar writes unless it is told otherwise, as globs: those that nodesieve reads by itself. Anybody may
/// write 256 kB of others onto a pod.
pub const WRITTEN_ANNOTATIONS: [&str; 2] = ["fluentbit.io/exclude*", "nodesieve.io/*"];

/// Whether the sidecar writes an annotation, or some of those of a glob, without being told to.
pub(crate) fn is_written_by_default(key: &str) -> bool {
    WRITTEN_ANNOTATIONS.iter().any(|glob| key.starts_with(glob.trim_end_matches('*')))
}

/// Where pod files come from: a directory on the node, or a map in a test.
pub trait PodSource {
    /// Reads the file of that name into `into`, which is empty.
    ///
    /// # Errors
    /// [`Unavailable::Missing`] when there is no such file, [`Unavailable::Unreadable`] for anything else.
    fn read(&mut self, file_name: &str, into: &mut Vec<u8>) -> Result<(), Unavailable>;
}

/// No pod files, where nobody is to look for any.
pub(crate) struct NoPods;

impl PodSource for NoPods {
    fn read(&mut self, _: &str, _: &mut Vec<u8>) -> Result<(), Unavailable> {
        Err(Unavailable::Missing)
    }
}

/// Why a pod file could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// There is no such file.
    Missing,
    /// It is there but cannot be read.
    Unreadable,
}
