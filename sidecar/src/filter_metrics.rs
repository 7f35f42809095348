//! The filter's metrics, checked before the sidecar serves them.
//!
//! The rule it keeps: one bad line makes a scraper refuse a whole answer, so a file that is not Prometheus' text format,
//! line by line, is left out as a whole, and our own numbers still arrive.

use crate::exposition;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Why the file is left out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilterMetricsError {
    /// It cannot be read, or is too large, or not UTF-8.
    #[error("read filter's metrics {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// A line is no sample and no comment.
    #[error("read filter's metrics {}: line {line} is not Prometheus' text format", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which one, from 1.
        line: usize,
    },
}

/// The text and how old it is; `None` while the filter has written none.
pub(crate) fn read(path: &Path) -> Result<Option<(String, Duration)>, FilterMetricsError> {
    let failed = |reason| FilterMetricsError::Read { path: path.to_owned(), reason };
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        // Opening a pipe could block for ever.
        Ok(_) => return Err(failed(ErrorKind::InvalidInput.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    let file = File::open(path).map_err(failed)?;
    let written = file.metadata().and_then(|metadata| metadata.modified()).map_err(failed)?;
    let mut text = String::new();
    file.take(MAX_BYTES.saturating_add(1)).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(failed(ErrorKind::FileTooLarge.into()));
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    match text.lines().position(|line| !may_be_served(line)) {
        Some(index) => Err(FilterMetricsError::Line { path: path.to_owned(), line: index.saturating_add(1) }),
        None => Ok(Some((text, SystemTime::now().duration_since(written).unwrap_or_default()))),
    }
}

/// Whether a line may stand in an answer: a comment or a sample, and none of our own names.
fn may_be_served(line: &str) -> bool {
    match exposition::line(line) {
        Ok(Some(sample)) => !sample.name.starts_with(OURS),
        Ok(None) => !line.contains(OURS),
        Err(exposition::NotExposition) => false,
    }
}

/// With 1024 rules and their rows the filter writes some 400 kB.
const MAX_BYTES: u64 = 4 << 20;
/// How our own names start.
const OURS: &str = "nodesieve_sidecar_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_filter_writes_is_handed_on() {
        let text = nodesieve_engine::metrics::Counters::default().render("0.1.0");
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("metrics.prom");
        assert!(read(&path).unwrap().is_none());
        std::fs::write(&path, &text).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().0, text);
    }

    #[test]
    fn a_pipe_in_its_place_is_not_waited_for() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("metrics.prom");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        assert!(matches!(read(&path), Err(FilterMetricsError::Read { .. })));
    }

    #[test]
    fn our_own_names_are_not_the_filters_to_write() {
        for line in ["a_nodesieve_sidecar_pods 1", "a 1", "# HELP a b", ""] {
            assert!(may_be_served(line), "{line}");
        }
        for line in ["nodesieve_sidecar_pods 1", "# TYPE nodesieve_sidecar_pods gauge", "a"] {
            assert!(!may_be_served(line), "{line}");
        }
    }

    #[test]
    fn a_file_with_a_bad_line_is_left_out_and_the_line_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("metrics.prom");
        std::fs::write(&path, "a 1\nb 2\nhalf a li").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.ends_with("line 3 is not Prometheus' text format"), "{error}");
        std::fs::write(&path, "a 1\nb 2").unwrap();
        assert_eq!(read(&path).unwrap().unwrap().0, "a 1\nb 2\n");
        std::fs::write(&path, [0xff]).unwrap();
        assert!(matches!(read(&path), Err(FilterMetricsError::Read { .. })));
    }
}
