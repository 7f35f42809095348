//! Records from files, as Fluent Bit's tail input would make them, in the order of time.
//!
//! Files are merged by timestamp; records of one file keep their order even where their times go back, because tail
//! reads a file from its start to its end.

mod cri;
mod docker;
mod ndjson;

use crate::host_json;
use std::fs;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// One record on its way to the filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The tag.
    pub tag: String,
    /// Seconds and nanoseconds since 1970.
    pub time: (u32, u32),
    /// The record as the host's JSON text.
    pub text: String,
}

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
        let is_docker = content.first() == Some(&b'{');
        streams.push(if is_docker { docker::records(&content, &tag) } else { cri::records(&content, &tag) });
    }
    Ok(merge(streams))
}

/// Reads a file of records, one JSON object `{"tag","time":[s,ns],"record"}` per line.
///
/// # Errors
/// [`InputError`] for a file that cannot be read, or the first line that is not such an object.
pub fn records(path: &Path) -> Result<Vec<Record>, InputError> {
    let content = fs::read(path).map_err(|reason| InputError::Read { path: path.to_owned(), reason })?;
    ndjson::records(&content).map_err(|(line, reason)| InputError::Record {
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
    let found = ndjson::records(line.as_bytes()).map_err(|(line, reason)| error(line, reason))?;
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

fn merge(streams: Vec<Vec<Record>>) -> Vec<Record> {
    let mut all = Vec::with_capacity(streams.iter().map(Vec::len).sum());
    for records in streams {
        let mut latest = (0, 0);
        for record in records {
            latest = latest.max(record.time);
            all.push((latest, record));
        }
    }
    // Stable: what one file has at the same time stays in its order, files in the order of their names.
    all.sort_by_key(|(time, _)| *time);
    all.into_iter().map(|(_, record)| record).collect()
}

/// A record of string fields as the host's JSON text.
fn text_of(fields: &[(&str, &str)]) -> String {
    let mut out = String::from("{");
    for (index, (key, value)) in fields.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        host_json::push_string(&mut out, key);
        out.push(':');
        host_json::push_string(&mut out, value);
    }
    out.push('}');
    out
}

/// An RFC 3339 time with nanoseconds, as container runtimes write it; `None` when it is none.
fn parse_time(text: &str) -> Option<(u32, u32)> {
    let seconds = nodesieve_engine::time::parse_rfc3339(text)?;
    let fraction = text.get(19..)?.strip_prefix('.').unwrap_or_default();
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).take(9).count();
    let nanoseconds: u32 = format!("{:0<9}", fraction.get(..digits)?).parse().ok()?;
    Some((u32::try_from(seconds).ok()?, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_nanoseconds() {
        assert_eq!(parse_time("2026-11-20T10:00:00.123456789Z"), Some((1_795_168_800, 123_456_789)));
        assert_eq!(parse_time("2026-11-20T11:00:00.5+01:00"), Some((1_795_168_800, 500_000_000)));
        assert_eq!(parse_time("2026-11-20T10:00:00Z"), Some((1_795_168_800, 0)));
        assert_eq!(parse_time("yesterday"), None);
    }

    #[test]
    fn files_merge_by_time_and_keep_their_own_order() {
        let record =
            |tag: &str, sec: u32, text: &str| Record { tag: tag.into(), time: (sec, 0), text: text.into() };
        let merged = merge(vec![
            vec![record("a", 1, "1"), record("a", 9, "2"), record("a", 3, "3")],
            vec![record("b", 5, "4"), record("b", 9, "5")],
        ]);
        let order: Vec<&str> = merged.iter().map(|record| record.text.as_str()).collect();
        assert_eq!(order, ["1", "4", "2", "3", "5"]);
    }
}
