//! Rule files for the harness: read, checked, and shown with all their mistakes.

pub use nodesieve_preview::findings::Finding;

use nodesieve_engine::config::Loaded;
use nodesieve_engine::diag::{Paint, render_all};
use nodesieve_engine::rule_test;
use nodesieve_preview::findings::finding;
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
    #[error("{shown}rule file {path} has {count} mistake{}", if *.count == 1 { "" } else { "s" })]
    Mistakes {
        /// The file.
        path: PathBuf,
        /// The mistakes, rendered.
        shown: String,
        /// How many.
        count: usize,
    },
}

/// A rule file's text and what it means; its own tests have been run.
///
/// # Errors
/// [`RuleFileError`] for a file that cannot be read or used.
pub fn load(path: &Path, paint: Paint) -> Result<(String, Loaded), RuleFileError> {
    let source = read(path)?;
    match rule_test::load_explained(&source) {
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
    let diagnostics = match rule_test::load_explained(&source) {
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
