//! The sidecar: what the node's kubelet says about its pods becomes one small file per pod, and nothing that kubelet does
//! can hurt the node's logs.
//!
//! **The promise:** an answer that is not a list of pods, or cannot be true, changes nothing on disk, and a pod or a file
//! that cannot be dealt with costs that pod only. There are two requests a minute, and a few for a pod that starts, however
//! many records there are; the API server gets none. Format and names of the files belong to the engine
//! ([`nodesieve_engine::pods`]), so that writer and reader cannot drift apart.
//!
//! One poll's way: [`SidecarSettings`] -> `schedule` (when) -> `client` (ask) -> [`nodesieve_podlist::project`] (read as it comes, and what
//! of it) -> `trust` (can it be true) -> `publish` and [`PodFileStore`] (files) -> `status` (numbers and words). `run` is the
//! loop around them, `watch` tells it what is new, `serve` answers for it.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod client;
pub mod exposition;
mod filter_metrics;
mod publish;
mod run;
mod schedule;
mod serve;
mod settings;
mod status;
mod store;
mod tls;
mod trust;
mod watch;

pub use client::PollError;
pub use run::{Log, Sidecar};
pub use serve::StartError;
pub use settings::{
    KubeletSettings, Order, PodListSource, SETTINGS, Setting, SettingsError, SidecarSettings, TlsTrust,
    Watched, settings,
};
pub use status::{FAILED, LogEvent, StatusMetric, TABLE};
pub use store::{PodFileStore, Removed, StoreError, WrittenFiles};
pub use tls::TlsError;
pub use trust::Doubt;
