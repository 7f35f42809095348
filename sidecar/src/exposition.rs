//! The filter's metrics, as far as they can be handed on.
//!
//! The rule it keeps: one bad line makes a scraper refuse a whole answer, so a file that is not Prometheus' text format,
//! line by line, is left out as a whole, and our own numbers still arrive.

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
        // To open a pipe could take for ever.
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
    match text.lines().position(|line| !is_exposition(line)) {
        Some(index) => Err(FilterMetricsError::Line { path: path.to_owned(), line: index.saturating_add(1) }),
        None => Ok(Some((text, SystemTime::now().duration_since(written).unwrap_or_default()))),
    }
}

/// Whether a line may stand in an answer: a comment, or `name{label="value",...} number`, and none of our own names.
fn is_exposition(line: &str) -> bool {
    if line.is_empty() || line.starts_with("# ") {
        return !line.contains(OURS);
    }
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').unwrap_or(line.len());
    let Some((name, rest)) = line.split_at_checked(end) else { return false };
    let rest = match rest.strip_prefix('{') {
        Some(labels) => match after_labels(labels) {
            Some(rest) => rest,
            None => return false,
        },
        None => rest,
    };
    let Some(value) = rest.strip_prefix(' ') else { return false };
    let is_name = name.starts_with(|first: char| !first.is_ascii_digit()) && !name.starts_with(OURS);
    is_name && value.parse::<f64>().is_ok()
}

/// What comes after `label="value",...}`.
fn after_labels(mut rest: &str) -> Option<&str> {
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Some(after);
        }
        let (name, value) = rest.split_once("=\"")?;
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let mut is_escaped = false;
        let end = value.find(|c| {
            let ends = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            ends
        })?;
        let (_, after) = value.split_at_checked(end)?;
        let after = after.strip_prefix('"')?;
        rest = after.strip_prefix(',').unwrap_or(after);
        if !is_name || (rest.len() == after.len() && !rest.starts_with('}')) {
            return None;
        }
    }
}

/// With 1024 rules and their rows the filter writes some 400 kB.
const MAX_BYTES: u64 = 4 << 20;
/// How our own names start.
const OURS: &str = "nodesieve_sidecar_";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn what_the_filter_writes_is_handed_on() {
        let text = nodesieve_engine::metrics::Counters::default().render("0.1.0");
        let scratch = Scratch::new();
        let path = scratch.at("metrics.prom");
        assert!(read(&path).unwrap().is_none());
        std::fs::write(&path, &text).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().0, text);
    }

    #[test]
    fn a_pipe_in_its_place_is_not_waited_for() {
        let scratch = Scratch::new();
        let path = scratch.at("metrics.prom");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(matches!(read(&path), Err(FilterMetricsError::Read { .. })));
    }

    #[test]
    fn a_line_is_a_comment_or_a_sample() {
        let good = [
            "",
            "# HELP a b",
            "a 1",
            "a_total{rule=\"x\",stage=\"rule\"} 12",
            "a{b=\"c } \\\" d\\\\\"} 1e3",
            "a{} NaN",
        ];
        for line in good {
            assert!(is_exposition(line), "{line}");
        }
        let bad = [
            "a",
            "a ",
            "a b",
            "1a 1",
            " a 1",
            "a{b=c} 1",
            "a{b=\"c\" 1",
            "a{b=\"c\"x=\"d\"} 1",
            "a{b=\"c\"}1",
            "{} 1",
            "#x",
            "nodesieve_sidecar_pods 1",
            "# TYPE nodesieve_sidecar_pods gauge",
            "a{=\"c\"} 1",
        ];
        for line in bad {
            assert!(!is_exposition(line), "{line}");
        }
    }

    #[test]
    fn a_file_with_a_bad_line_is_left_out_and_the_line_is_named() {
        let scratch = Scratch::new();
        let path = scratch.at("metrics.prom");
        std::fs::write(&path, "a 1\nb 2\nhalf a li").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.ends_with("line 3 is not Prometheus' text format"), "{error}");
        std::fs::write(&path, "a 1\nb 2").unwrap();
        assert_eq!(read(&path).unwrap().unwrap().0, "a 1\nb 2\n");
        std::fs::write(&path, [0xff]).unwrap();
        assert!(matches!(read(&path), Err(FilterMetricsError::Read { .. })));
    }
}
