//! Files as the filter needs them: read with a limit, written whole, told apart without reading.

use nodesieve_engine::pods::{MAX_FILE_BYTES, PodSource, Unavailable};
use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What tells one content of a file from the next without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

/// The directory that the sidecar fills.
pub(crate) struct PodFilesOnNode(pub(crate) PathBuf);

impl PodSource for PodFilesOnNode {
    fn read(&mut self, file_name: &str, into: &mut Vec<u8>) -> Result<(), Unavailable> {
        let file = File::open(self.0.join(file_name)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Unavailable::Missing,
            _ => Unavailable::Unreadable,
        })?;
        // One byte more than allowed is enough for the decoder to refuse the file.
        let limit = (MAX_FILE_BYTES as u64).saturating_add(1);
        file.take(limit).read_to_end(into).map(drop).map_err(|_| Unavailable::Unreadable)
    }
}

/// A file of this name, in the first of the directories that has one.
pub(crate) fn find_file(directories: &[PathBuf], name: &str) -> Option<PathBuf> {
    directories.iter().map(|directory| directory.join(name)).find(|path| path.exists())
}

pub(crate) fn stamp(path: &Path) -> Option<Stamp> {
    let of = |metadata: Metadata| Stamp { modified: metadata.modified().ok(), bytes: metadata.len() };
    fs::metadata(path).ok().map(of)
}

/// The text of a file of at most `limit` bytes.
pub(crate) fn read_text(path: &Path, limit: u64) -> std::io::Result<String> {
    let mut source = String::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_string(&mut source)?;
    if source.len() as u64 > limit {
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, format!("larger than {limit} bytes")));
    }
    Ok(source)
}

/// The bytes of a file, `limit` at most.
pub(crate) fn read_bytes(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Overwrites a few bytes of a file, in one call of the host: a kill comes before or behind it.
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    #[cfg(unix)]
    let written = std::os::unix::fs::FileExt::write_at(file, bytes, offset)?;
    #[cfg(target_os = "wasi")]
    let written = crate::wasi::write_at(file, bytes, offset)?;
    if written == bytes.len() { Ok(()) } else { Err(ErrorKind::WriteZero.into()) }
}

/// Writes to Fluent Bit's log, which may be a full disk or a closed pipe: `eprintln` would end the filter there.
pub(crate) fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Writes beside the file and renames, so that a reader never sees half of it.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, content)?;
    fs::rename(&beside, path)
}
