//! What is shipped in `conf/`, also where the program is all that there is.

use crate::artefact::{ArtefactError, unpacked, workspace};
use crate::samples;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The rules for the samples, in `conf/`: what runs when nothing else is asked for.
pub const EXAMPLE_RULES: &str = "rules/example-cluster.yaml";

/// The shipped configuration: that of the checkout, or where there is none the samples and their rules, made anew from the program
/// alone.
///
/// # Errors
/// [`ArtefactError::Unpack`].
pub fn conf() -> Result<PathBuf, ArtefactError> {
    let in_checkout = workspace().join("conf");
    if in_checkout.is_dir() && !cfg!(feature = "embedded") {
        return Ok(in_checkout);
    }
    static MADE: OnceLock<Result<PathBuf, ArtefactError>> = OnceLock::new();
    let unpack = || {
        unpacked("conf", |path| {
            fs::create_dir_all(path.join("rules"))?;
            fs::write(path.join(EXAMPLE_RULES), include_str!("../../conf/rules/example-cluster.yaml"))?;
            fs::write(path.join("nodesieve.yaml"), include_str!("../../conf/nodesieve.yaml"))?;
            samples::write(&path.join("samples"), samples::DEFAULT_SEED)
                .map(drop)
                .map_err(std::io::Error::other)
        })
    };
    MADE.get_or_init(unpack).clone()
}
