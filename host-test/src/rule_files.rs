//! Rule files for the harness: read, checked, and shown with all their mistakes.

use nodesieve_engine::config::Loaded;
use nodesieve_engine::diag::{Diagnostic, Paint, render_all};
use nodesieve_engine::trial;
use serde::Serialize;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a rule file cannot be used.
#[derive(Debug, Error)]
pub enum RuleFileError {
    /// It could not be read.
    #[error("read rule file {path}: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// It has mistakes; the text shows each with its place.
    #[error("{shown}rule file {path} has {count} mistakes")]
    Mistakes {
        /// The file.
        path: PathBuf,
        /// The mistakes, rendered.
        shown: String,
        /// How many.
        count: usize,
    },
}

/// A mistake as `--format json` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// The stable code.
    pub code: &'static str,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// A rule file's text and what it means; its own tests have been run.
///
/// # Errors
/// [`RuleFileError`] for a file that cannot be read or used.
pub fn load(path: &Path, paint: Paint) -> Result<(String, Loaded), RuleFileError> {
    let source = read(path)?;
    match trial::load_explained(&source) {
        Ok(loaded) => Ok((source, loaded)),
        Err(mistakes) => Err(RuleFileError::Mistakes {
            shown: render_all(&mistakes, &source, &path.display().to_string(), paint),
            count: mistakes.len(),
            path: path.to_owned(),
        }),
    }
}

/// Checks a rule file: the findings, warnings included, and the same rendered.
///
/// # Errors
/// [`RuleFileError::Read`] for a file that cannot be read.
pub fn check(path: &Path, paint: Paint) -> Result<(Vec<Finding>, String), RuleFileError> {
    let source = read(path)?;
    let diagnostics = match trial::load_explained(&source) {
        Ok(loaded) => loaded.warnings,
        Err(mistakes) => mistakes,
    };
    let file = path.display().to_string();
    let shown = render_all(&diagnostics, &source, &file, paint);
    Ok((diagnostics.iter().map(|diagnostic| finding(diagnostic, &source, &file)).collect(), shown))
}

fn read(path: &Path) -> Result<String, RuleFileError> {
    std::fs::read_to_string(path).map_err(|reason| RuleFileError::Read { path: path.to_owned(), reason })
}

fn finding(diagnostic: &Diagnostic, source: &str, file: &str) -> Finding {
    let (line, column) = diagnostic.position(source);
    Finding {
        file: file.to_owned(),
        line,
        column,
        code: diagnostic.code.name(),
        severity: if diagnostic.code.is_warning() { "warning" } else { "error" },
        message: diagnostic.message.clone(),
        help: diagnostic.help.clone(),
    }
}
