//! The directories that the filter sees on a node, as a temporary tree.
//!
//! The guest is shown the deployed paths (`/etc/nodesieve`, `/run/nodesieve`), so the rule file runs as it is; only
//! the directories behind them are temporary.

use crate::guest::Preopen;
use nodesieve_engine::config::RuleFile;
use nodesieve_preview::bundle::Bundle;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use thiserror::Error;

/// Where the rule file is deployed.
pub const CONFIG_DIRECTORY: &str = "/etc/nodesieve";

/// Why the tree could not be made or read.
#[derive(Debug, Error)]
pub enum TreeError {
    /// A file or directory could not be made.
    #[error("make {path} in the temporary tree: {reason}")]
    Make {
        /// The path.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The filter has not written its metrics.
    #[error("read the filter's metrics {path}: {reason}")]
    Metrics {
        /// The path.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
}

/// A temporary tree, removed when dropped.
#[derive(Debug)]
pub struct NodeTree {
    root: TempDir,
    pods: PathBuf,
    metrics: PathBuf,
    preopens: Vec<Preopen>,
}

impl NodeTree {
    /// A tree with this rule file in it. `rules` is what it means, for the paths that it names.
    ///
    /// # Errors
    /// [`TreeError::Make`] when the disk says no.
    pub fn new(source: &str, rules: &RuleFile) -> Result<NodeTree, TreeError> {
        let root = tempfile::Builder::new()
            .prefix("nodesieve-")
            .tempdir()
            .map_err(|reason| TreeError::Make { path: std::env::temp_dir(), reason })?;
        let pods = PathBuf::from(&rules.pods.dir);
        let metrics = PathBuf::from(&rules.metrics.file);
        let parent = |path: &Path| path.parent().unwrap_or(path).to_owned();
        let mut tree = NodeTree { preopens: Vec::new(), pods, metrics, root };
        let state = rules.state_dir.as_ref().map(PathBuf::from);
        let shown = [PathBuf::from(CONFIG_DIRECTORY), parent(&tree.pods), parent(&tree.metrics)];
        for guest in shown.into_iter().chain(state.clone()) {
            let inside = tree.preopens.iter().any(|known| guest.starts_with(&known.guest));
            if !inside {
                let host = tree.host_path(&guest);
                make_directory(&host)?;
                tree.preopens.push(Preopen { host, guest: guest.to_string_lossy().into_owned() });
            }
        }
        make_directory(&tree.pods_directory())?;
        make_directory(&tree.host_path(&parent(&tree.metrics)))?;
        if let Some(state) = state {
            make_directory(&tree.host_path(&state))?;
        }
        tree.put_rules(source)?;
        Ok(tree)
    }

    /// The directories that the guest sees, the one with the rule file first.
    pub fn preopens(&self) -> &[Preopen] {
        &self.preopens
    }

    /// Where the pod files are.
    pub fn pods_directory(&self) -> PathBuf {
        self.host_path(&self.pods)
    }

    /// Replaces the rule file, and the fragments that follow it in the text.
    ///
    /// # Errors
    /// [`TreeError::Make`] when the disk says no.
    pub fn put_rules(&self, source: &str) -> Result<(), TreeError> {
        let directory = self.host_path(Path::new(CONFIG_DIRECTORY));
        let bundle = Bundle::of(source);
        let put = |path: PathBuf, text: &str| {
            fs::write(&path, text).map_err(|reason| TreeError::Make { path, reason })
        };
        let fragments = directory.join("rules.d");
        if fragments.is_dir() {
            fs::remove_dir_all(&fragments)
                .map_err(|reason| TreeError::Make { path: fragments.clone(), reason })?;
        }
        if !bundle.fragments.is_empty() {
            make_directory(&fragments)?;
        }
        for part in &bundle.fragments {
            put(fragments.join(format!("{}.yaml", part.namespace)), part.text)?;
        }
        put(directory.join("nodesieve.yaml"), bundle.platform)
    }

    /// The metrics that the filter has written.
    ///
    /// # Errors
    /// [`TreeError::Metrics`] when it has written none.
    pub fn metrics(&self) -> Result<String, TreeError> {
        let path = self.host_path(&self.metrics);
        fs::read_to_string(&path).map_err(|reason| TreeError::Metrics { path, reason })
    }

    /// Where a path of the guest lies.
    pub fn host_path(&self, guest: &Path) -> PathBuf {
        self.root.path().join(guest.strip_prefix("/").unwrap_or(guest))
    }
}

fn make_directory(path: &Path) -> Result<(), TreeError> {
    fs::create_dir_all(path).map_err(|reason| TreeError::Make { path: path.to_owned(), reason })
}
