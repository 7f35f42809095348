//! The sidecar's two halves without the network between them: what kubelet says becomes pod files, and pod files
//! become files.
//!
//! **The promise:** an answer that is not a list of pods changes nothing on disk ([`project`] is an error), and a pod
//! or a file that cannot be dealt with costs that pod only. Format and names of the files belong to the engine
//! ([`nodesieve_engine::pods`]), so that writer and reader cannot drift apart.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod kubelet;
mod projection;
mod store;

pub use projection::{PodFiles, ProjectError, project};
pub use store::{PodDirectory, Removed, StoreError, Written};
