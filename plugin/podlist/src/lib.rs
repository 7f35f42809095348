//! A kubelet's list of pods to the content of pod files: a pure function, which the sidecar calls on a node and the page in a
//! browser.
//!
//! **The promise:** no clock, no file, no socket. An answer that is not a list of pods is an error, so that nobody takes it
//! for a node without pods; a pod that cannot be read costs that pod only. Format and names of the files belong to the
//! engine ([`nodesieve_engine::pods`]), so that writer and reader cannot drift apart.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod limits;
mod listing;
mod pod;
mod pod_list;
mod pod_set;
mod projection;
#[cfg(feature = "protobuf")]
pub mod protobuf;

pub use limits::{Counts, KeyFilter, Limits};
pub use listing::ListError;
pub use pod::Pod;
pub use pod_set::{PodFiles, PodSet};
pub use projection::project;
