//! The filter as a component: built for wasm32-unknown-unknown and encoded here, with no tool to install.

use crate::artefact::{self, ArtefactError};
use thiserror::Error;
use wit_component::ComponentEncoder;

/// Why there is no component.
#[derive(Debug, Error)]
pub enum ComponentError {
    /// Its core module could not be built.
    #[error(transparent)]
    Build(#[from] ArtefactError),
    /// The core module could not be read.
    #[error("read core module {path}: {reason}")]
    Read {
        /// The module.
        path: std::path::PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The core module does not fit its world.
    #[error("encode component of world nodesieve:filter/filter: {0}")]
    Encode(String),
}

/// The component of the world in plugin/filter/wit/filter.wit, as a binary.
///
/// # Errors
/// [`ComponentError`].
pub fn component() -> Result<Vec<u8>, ComponentError> {
    let path = artefact::face("component")?;
    let core = std::fs::read(&path).map_err(|reason| ComponentError::Read { path, reason })?;
    let encode = |reason: anyhow::Error| ComponentError::Encode(format!("{reason:#}"));
    let mut encoder = ComponentEncoder::default().validate(true).module(&core).map_err(encode)?;
    encoder.encode().map_err(encode)
}
