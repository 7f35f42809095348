//! Records from files on disk, as Fluent Bit's tail input would make them, in the order of time.

pub use nodesieve_preview::inputs::Record;

use nodesieve_preview::inputs::{log_file, merge, written_records};
use std::fs;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why input could not be read.
#[derive(Debug, Error)]
pub enum InputError {
    /// A file or directory could not be read.
    #[error("read {path}: {reason}")]
    Read {
        /// The path.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// There is nothing to read.
    #[error("read logs in {0}: no *.log files")]
    Empty(PathBuf),
    /// A line of a records file is not a record.
    #[error("read record at {path}:{line}: {reason}")]
    Record {
        /// The file.
        path: PathBuf,
        /// Its line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads container log files, or the `*.log` files of directories.
///
/// The tag is `tag_prefix` and the file's name, as tail makes it of a file in /var/log/containers.
///
/// # Errors
/// [`InputError`] for a path that cannot be read and for a directory without log files.
pub fn logs(paths: &[PathBuf], tag_prefix: &str) -> Result<Vec<Record>, InputError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            files.extend(log_files(path)?);
            if files.len() == before {
                return Err(InputError::Empty(path.clone()));
            }
        } else {
            files.push(path.clone());
        }
    }
    let mut streams = Vec::new();
    for file in &files {
        let content = fs::read(file).map_err(|reason| InputError::Read { path: file.clone(), reason })?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let tag = format!("{tag_prefix}{name}");
        streams.push(log_file(&content, &tag));
    }
    Ok(merge(streams))
}

/// Reads a file of records, one JSON object `{"tag","time":[s,ns],"record"}` per line.
///
/// # Errors
/// [`InputError`] for a file that cannot be read, or the first line that is not such an object.
pub fn records(path: &Path) -> Result<Vec<Record>, InputError> {
    let content = fs::read(path).map_err(|reason| InputError::Read { path: path.to_owned(), reason })?;
    written_records(&content).map_err(|(line, reason)| InputError::Record {
        path: path.to_owned(),
        line,
        reason,
    })
}

/// Reads one such object.
///
/// # Errors
/// [`InputError::Record`] when it is none; the path is `-`.
pub fn record(line: &str) -> Result<Record, InputError> {
    let error = |line, reason| InputError::Record { path: PathBuf::from("-"), line, reason };
    let found = written_records(line.as_bytes()).map_err(|(line, reason)| error(line, reason))?;
    found.into_iter().next().ok_or_else(|| error(1, "empty".into()))
}

fn log_files(directory: &Path) -> Result<Vec<PathBuf>, InputError> {
    let error = |reason| InputError::Read { path: directory.to_owned(), reason };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
