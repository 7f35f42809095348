//! Log files as they lie on nodes and in archives: /var/log/containers, /var/log/pods, copies of them, rotated and compressed.
//!
//! The rule it keeps: what a person has named is read or is an error; what lies in a directory beside logs, and links to nothing among
//! several paths, are left out and named. Nothing that is no log is taken for one.

use crate::archive::content;
use crate::inputs::{InputError, Record};
use nodesieve_engine::pods::PodFile;
use nodesieve_podlist::{Limits, project};
use nodesieve_preview::inputs::{PastedFormat, log_file, merge, pasted};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What paths came to.
#[derive(Debug, Default)]
pub struct NodeLogs {
    /// All records, in the order of time.
    pub records: Vec<Record>,
    /// Files that were left out, and why.
    pub left_out: Vec<(PathBuf, String)>,
}

/// Reads log files and directories of them; `-` is stdin. Tags are `tag_prefix` and the name that a file has, or would have, in
/// /var/log/containers. `pod_list` tells the ids of containers whose files in /var/log/pods do not.
///
/// # Errors
/// [`InputError`] for a named path that cannot be read or holds no log, and for a directory in which there is none.
pub fn read(paths: &[PathBuf], tag_prefix: &str, pod_list: Option<&[u8]>) -> Result<NodeLogs, InputError> {
    let pods = pod_list.and_then(|list| project(list, &Limits::default()).ok()).map(|found| found.files);
    let mut reading = Reading {
        tag_prefix,
        pods: pods.unwrap_or_default(),
        seen: BTreeSet::new(),
        streams: Vec::new(),
        left_out: Vec::new(),
    };
    for path in paths {
        if path.is_dir() {
            let before = reading.streams.len();
            reading.directory(path, 0)?;
            if reading.streams.len() == before {
                let left_out = reading.left_out.into_iter().next();
                return Err(InputError::Empty { path: path.clone(), left_out });
            }
        } else if paths.len() > 1 && is_unreadable(path) {
            // A shell has named it: `/var/log/containers/*.log`.
            reading.left_out.push((path.clone(), "a link to nothing, or not for this user".to_owned()));
        } else {
            reading.named(path)?;
        }
    }
    if reading.streams.is_empty()
        && let (Some(path), Some(left_out)) = (paths.first(), reading.left_out.first())
    {
        return Err(InputError::Empty { path: path.clone(), left_out: Some(left_out.clone()) });
    }
    Ok(NodeLogs { records: merge(reading.streams), left_out: reading.left_out })
}

/// The same without what was left out.
///
/// # Errors
/// As [`read`].
pub fn records(paths: &[PathBuf], tag_prefix: &str) -> Result<Vec<Record>, InputError> {
    read(paths, tag_prefix, None).map(|found| found.records)
}

struct Reading<'r> {
    tag_prefix: &'r str,
    pods: Vec<PodFile>,
    /// Files by their real paths: a link and its target are one.
    seen: BTreeSet<PathBuf>,
    streams: Vec<Vec<Record>>,
    left_out: Vec<(PathBuf, String)>,
}

impl Reading<'_> {
    fn named(&mut self, path: &Path) -> Result<(), InputError> {
        let error = |reason| InputError::Read { path: path.to_owned(), reason };
        let text = content(path).map_err(error)?;
        let tag = self.tag(path);
        self.streams.push(of_file(&text, &tag, path).map_err(|reason| error(io::Error::other(reason)))?);
        Ok(())
    }

    fn directory(&mut self, directory: &Path, depth: usize) -> Result<(), InputError> {
        let error = |reason| InputError::Read { path: directory.to_owned(), reason };
        let mut entries = Vec::new();
        for entry in fs::read_dir(directory).map_err(error)? {
            entries.push(entry.map_err(error)?.path());
        }
        entries.sort();
        for path in entries {
            match fs::metadata(&path) {
                Err(reason) if path.is_symlink() && reason.kind() == io::ErrorKind::NotFound => {
                    self.left_out.push((path, "a link to nothing".to_owned()));
                }
                Err(reason) => self.left_out.push((path, reason.to_string())),
                Ok(found) if found.is_dir() => {
                    if depth < MAX_DEPTH && !path.is_symlink() {
                        if let Err(InputError::Read { path, reason }) = self.directory(&path, depth + 1) {
                            self.left_out.push((path, reason.to_string()));
                        }
                    } else {
                        self.left_out.push((path, "a directory".to_owned()));
                    }
                }
                Ok(found) if !found.is_file() => self.left_out.push((path, "no file".to_owned())),
                Ok(_) if !is_log(&path) => self.left_out.push((path, "no *.log file".to_owned())),
                Ok(_) => self.file(path),
            }
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf) {
        let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        if !self.seen.insert(real) {
            self.left_out.push((path, "read already, under another name".to_owned()));
            return;
        }
        let tag = self.tag(&path);
        match content(&path) {
            Err(reason) => self.left_out.push((path, reason.to_string())),
            Ok(text) => match of_file(&text, &tag, &path) {
                Ok(found) => self.streams.push(found),
                Err(reason) => self.left_out.push((path, reason)),
            },
        }
    }

    /// The tag that tail gives, or would give the link in /var/log/containers.
    fn tag(&self, path: &Path) -> String {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = match self.below_pods(path) {
            Some(name) => name,
            None => format!("{}{}", stem(&name), if stem(&name).len() < name.len() { ".log" } else { "" }),
        };
        format!("{}{name}", self.tag_prefix)
    }

    /// The name of the link that kubelet makes for `<namespace>_<pod>_<uid>/<container>/<restarts>.log`.
    fn below_pods(&self, path: &Path) -> Option<String> {
        let text = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
        let (file, container) = (text(path)?, text(path.parent()?)?);
        let of_pod = text(path.parent()?.parent()?)?;
        let mut parts = of_pod.split('_');
        let (namespace, pod, _uid) = (parts.next()?, parts.next()?, parts.next()?);
        let restarts: i64 = stem(&file).parse().ok()?;
        if parts.next().is_some() {
            return None;
        }
        let known = self.pods.iter().find(|known| known.namespace == namespace && known.pod == pod);
        let runs =
            || known.into_iter().flat_map(|known| &known.containers).filter(|run| run.name == container);
        let run = runs().find(|run| run.restarts == Some(restarts));
        let id = run.map_or_else(|| "0".repeat(64), |run| run.id.clone());
        Some(format!("{pod}_{namespace}_{container}-{id}.log"))
    }
}

/// A file's records, or why it is no log.
/// Whether a path is there and cannot be opened, which is nobody's mistake who has named many.
fn is_unreadable(path: &Path) -> bool {
    match fs::File::open(path) {
        Ok(_) => false,
        Err(reason) => path.is_symlink() || reason.kind() == io::ErrorKind::PermissionDenied,
    }
}

fn of_file(text: &[u8], tag: &str, path: &Path) -> Result<Vec<Record>, String> {
    if text.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let name = path.to_string_lossy();
    let found = pasted(&name, text, "");
    match found.format {
        // With tail's own reader: it waits for the rest of a line that has no end.
        PastedFormat::Cri | PastedFormat::Docker => Ok(log_file(text, tag)),
        PastedFormat::Plain if found.records.is_empty() => Err(
            "its lines are none of containerd, CRI-O or Docker, have no time in front and are no records: `explain` takes any lines".to_owned(),
        ),
        PastedFormat::Plain => {
            let named = |record: Record| Record { tag: tag.to_owned(), ..record };
            Ok(found.records.into_iter().map(named).collect())
        }
        PastedFormat::Records => Ok(found.records),
    }
}

/// Whether a file in a directory is a log: also a rotated one, or a compressed one.
fn is_log(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".log") || stem(&name).len() < name.len()
}

/// A log's name without `.log` and what rotation and compression put behind it, or the name as it is.
fn stem(name: &str) -> &str {
    let plain = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name);
    if let Some(stem) = plain.strip_suffix(".log") {
        return stem;
    }
    match plain.rsplit_once(".log") {
        // `0.log.20261120-100000`, `x.log.1`.
        Some((stem, rotated))
            if rotated.starts_with(['.', '-'])
                && rotated.bytes().skip(1).all(|byte| byte.is_ascii_digit() || byte == b'-') =>
        {
            stem
        }
        _ => name,
    }
}

/// How deep directories are searched: /var/log, pods, a pod, a container.
const MAX_DEPTH: usize = 4;

#[cfg(test)]
mod tests;
