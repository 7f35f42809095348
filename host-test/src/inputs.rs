//! Records from files on disk, as Fluent Bit's tail input would make them, in the order of time.

pub use nodesieve_preview::inputs::Record;

use crate::archive::content;
use nodesieve_podlist::{Limits, project};
use nodesieve_preview::inputs::written_records;
use serde::Deserialize;
use serde_json::{Value, json};
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
    #[error("read logs in {path}: no *.log files{}", first_left_out(.left_out))]
    Empty {
        /// The directory.
        path: PathBuf,
        /// The first of what there was instead.
        left_out: Option<(PathBuf, String)>,
    },
    /// A file is no list of pods.
    #[error("read pods in {path}: {reason}")]
    Pods {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
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

/// A list of pods as JSON: of `kubectl get pods` in either format, of one pod, or of a kubelet. The error names this file.
///
/// # Errors
/// [`InputError`] for a file that cannot be read, or is no such list.
pub fn pod_list(path: &Path) -> Result<Vec<u8>, InputError> {
    let found = content(path).map_err(|reason| InputError::Read { path: path.to_owned(), reason })?;
    let wrong = |reason: String| InputError::Pods { path: path.to_owned(), reason };
    let is_json = found.trim_ascii_start().starts_with(b"{");
    let list = match is_json {
        true => found,
        false => of_yaml(&found).map_err(wrong)?,
    };
    // One pod is a list of one.
    let list = match serde_json::from_slice::<Kind>(&list) {
        Ok(Kind { kind: Some(kind) }) if kind == "Pod" => {
            [b"{\"kind\":\"List\",\"items\":[".as_slice(), &list, b"]}"].concat()
        }
        _ => list,
    };
    project(list.as_slice(), &Limits::default()).map_err(|reason| wrong(reason.to_string()))?;
    Ok(list)
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

/// All pods of YAML's documents.
fn of_yaml(content: &[u8]) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(content).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut items = Vec::new();
    for document in text.split("\n---") {
        let document = document.strip_prefix("---").unwrap_or(document);
        match yaml_serde::from_str::<Value>(document).map_err(|reason| reason.to_string())? {
            Value::Object(mut root) => match root.remove("items") {
                Some(Value::Array(more)) => items.extend(more),
                _ if root.get("kind").and_then(Value::as_str) == Some("Pod") => {
                    items.push(Value::Object(root))
                }
                _ => return Err("it is neither a list of pods nor a pod".to_owned()),
            },
            Value::Null => {}
            _ => return Err("it is neither a list of pods nor a pod".to_owned()),
        }
    }
    serde_json::to_vec(&json!({ "kind": "List", "items": items })).map_err(|reason| reason.to_string())
}

/// Reads a file of records, one JSON object `{"tag","time":[s,ns],"record"}` per line.
///
/// # Errors
/// [`InputError`] for a file that cannot be read, or the first line that is not such an object.
pub fn records(path: &Path) -> Result<Vec<Record>, InputError> {
    let found = content(path).map_err(|reason| InputError::Read { path: path.to_owned(), reason })?;
    written_records(&found).map_err(|(line, reason)| InputError::Record {
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

/// That there was something else.
fn first_left_out(left_out: &Option<(PathBuf, String)>) -> String {
    left_out.as_ref().map_or_else(String::new, |(path, why)| format!("; left out {}: {why}", path.display()))
}
