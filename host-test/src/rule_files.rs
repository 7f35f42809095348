//! Rule files for the harness: read, checked, and shown with all their mistakes.

pub use nodesieve_preview::findings::Finding;

use nodesieve_engine::config::Loaded;
use nodesieve_engine::diag::{Diagnostic, Paint, render_all};
use nodesieve_engine::rule_test;
use nodesieve_preview::bundle::{Bundle, Part};
use nodesieve_preview::findings::finding;
use std::path::{Path, PathBuf};
use std::rc::Rc;
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

/// A rule file that was read, with the fragments beside it.
#[derive(Debug)]
pub struct LoadedFiles {
    /// Its text and that of the fragments that are good, as one.
    pub source: String,
    /// What both mean; their own tests have been run.
    pub loaded: Loaded,
    /// The mistakes of fragments that are refused, rendered.
    pub refused: String,
    /// What the file and its good fragments are warned about, rendered.
    pub warned: String,
}

/// Reads a rule file, and the fragments in `rules.d` beside it if it delegates anything.
///
/// # Errors
/// [`RuleFileError`] for a file that cannot be read or used; a fragment that cannot be used is left out.
pub fn load(path: &Path, paint: Paint) -> Result<LoadedFiles, RuleFileError> {
    let source = read(path)?;
    let mut loaded = rule_test::load_explained(&source).map_err(|mistakes| RuleFileError::Mistakes {
        shown: render_all(&mistakes, &source, &path.display().to_string(), paint),
        count: mistakes.len(),
        path: path.to_owned(),
    })?;
    let (mut good, mut texts, mut refused) = (Vec::new(), Vec::new(), String::new());
    let mut warned = render_all(&loaded.warnings, &source, &path.display().to_string(), paint);
    for fragment in fragments(path, &loaded)? {
        let (found, mistakes) = fragment.part().load(&loaded.rules);
        match found {
            Some(found) => {
                warned.push_str(&fragment.rendered(&mistakes, paint));
                good.push(found);
                texts.push(fragment);
            }
            None => refused.push_str(&fragment.rendered(&mistakes, paint)),
        }
    }
    let source = Bundle::joined(&source, texts.iter().map(|found| (&*found.namespace, &*found.text)));
    if !good.is_empty() {
        loaded.rules = Rc::new(loaded.rules.with_fragments(&good));
    }
    Ok(LoadedFiles { source, loaded, refused, warned })
}

/// Checks a rule file and the fragments in `rules.d` beside it, or a fragment with the `nodesieve.yaml` beside its directory: the
/// findings, warnings included, and the same rendered.
///
/// # Errors
/// [`RuleFileError::Read`] for a file that cannot be read.
pub fn check(path: &Path, paint: Paint) -> Result<(Vec<Finding>, String), RuleFileError> {
    if let Some(platform) = platform_of(path) {
        let source = read(&platform)?;
        if let Ok(loaded) = rule_test::load_explained(&source) {
            let fragment = FragmentFile::read(path)?;
            let (_, found) = fragment.part().load(&loaded.rules);
            return Ok((fragment.findings(&found), fragment.rendered(&found, paint)));
        }
    }
    let source = read(path)?;
    let file = path.display().to_string();
    let found = |diagnostics: &[Diagnostic]| -> Vec<Finding> {
        diagnostics.iter().map(|diagnostic| finding(diagnostic, &source, &file)).collect()
    };
    let loaded = match rule_test::load_explained(&source) {
        Ok(loaded) => loaded,
        Err(mistakes) => return Ok((found(&mistakes), render_all(&mistakes, &source, &file, paint))),
    };
    let mut findings = found(&loaded.warnings);
    let mut shown = render_all(&loaded.warnings, &source, &file, paint);
    for fragment in fragments(path, &loaded)? {
        let (_, found) = fragment.part().load(&loaded.rules);
        findings.extend(fragment.findings(&found));
        shown.push_str(&fragment.rendered(&found, paint));
    }
    Ok((findings, shown))
}

/// A fragment on disk.
struct FragmentFile {
    path: PathBuf,
    namespace: String,
    text: String,
}

impl FragmentFile {
    fn read(path: &Path) -> Result<FragmentFile, RuleFileError> {
        let namespace = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(FragmentFile { path: path.to_owned(), namespace, text: read(path)? })
    }

    fn part(&self) -> Part<'_> {
        Part { namespace: &self.namespace, text: &self.text, at: 0 }
    }

    fn findings(&self, diagnostics: &[Diagnostic]) -> Vec<Finding> {
        let file = self.path.display().to_string();
        diagnostics.iter().map(|diagnostic| finding(diagnostic, &self.text, &file)).collect()
    }

    fn rendered(&self, diagnostics: &[Diagnostic], paint: Paint) -> String {
        render_all(diagnostics, &self.text, &self.path.display().to_string(), paint)
    }
}

/// The fragments beside a rule file that delegates something, by name.
fn fragments(path: &Path, loaded: &Loaded) -> Result<Vec<FragmentFile>, RuleFileError> {
    let directory = path.parent().unwrap_or(path).join(FRAGMENTS);
    if loaded.rules.delegate.is_none() || !directory.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(&directory)
        .map_err(|reason| RuleFileError::Read { path: directory.clone(), reason })?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_fragment = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "yaml");
    let mut paths: Vec<PathBuf> = paths.filter(is_fragment).collect();
    paths.sort();
    paths.iter().map(|path| FragmentFile::read(path)).collect()
}

/// The platform's rule file, if a path is that of a fragment.
fn platform_of(path: &Path) -> Option<PathBuf> {
    let directory = path.parent().filter(|directory| directory.ends_with(FRAGMENTS))?;
    let platform = directory.parent()?.join("nodesieve.yaml");
    platform.is_file().then_some(platform)
}

fn read(path: &Path) -> Result<String, RuleFileError> {
    std::fs::read_to_string(path).map_err(|reason| RuleFileError::Read { path: path.to_owned(), reason })
}

/// Where fragments are, beside the rule file.
const FRAGMENTS: &str = "rules.d";
