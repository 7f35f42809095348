//! The sidecar: what the node's kubelet says about its pods becomes one small file per pod, and nothing that kubelet does
//! can hurt the node's logs.
//!
//! **The promise:** an answer that is not a list of pods, or cannot be true, changes nothing on disk, and a pod or a file
//! that cannot be dealt with costs that pod only. There are two requests a minute, and a few for a pod that starts, however
//! many records there are; the API server gets none. Format and names of the files belong to the engine
//! ([`nodesieve_engine::pods`]), so that writer and reader cannot drift apart.
//!
//! One poll's way: [`Settings`] -> `schedule` (when) -> `client` (ask) -> `listing` (read as it comes) -> [`project`] (what
//! of it) -> `trust` (can it be true) -> `publish` and [`PodDirectory`] (files) -> `board` (numbers and words). `run` is the
//! loop around them, `watch` tells it what is new, `serve` answers for it.
//!
//! Without the feature `agent` there is only [`project`], a pure function, for who wants to know what pod files a list would
//! give: it runs in a browser.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

#[cfg(feature = "agent")]
mod board;
#[cfg(feature = "agent")]
mod client;
#[cfg(feature = "agent")]
mod exposition;
mod kubelet;
mod limits;
mod listing;
mod projection;
#[cfg(feature = "agent")]
mod publish;
#[cfg(feature = "agent")]
mod run;
#[cfg(feature = "agent")]
mod schedule;
#[cfg(feature = "agent")]
#[cfg(test)]
mod scratch;
#[cfg(feature = "agent")]
mod serve;
#[cfg(feature = "agent")]
mod settings;
#[cfg(feature = "agent")]
mod store;
#[cfg(feature = "agent")]
mod tls;
#[cfg(feature = "agent")]
mod trust;
#[cfg(feature = "agent")]
mod watch;

#[cfg(feature = "agent")]
pub use board::{FAILED, Metric, TABLE, Words};
#[cfg(feature = "agent")]
pub use client::PollError;
pub use limits::{Keys, Limits};
pub use listing::ListError;
pub use projection::{PodFiles, project};
#[cfg(feature = "agent")]
pub use run::{Log, Sidecar};
#[cfg(feature = "agent")]
pub use serve::StartError;
#[cfg(feature = "agent")]
pub use settings::{
    Kubelet, Order, SETTINGS, Setting, Settings, SettingsError, Source, TlsTrust, Watched, settings,
};
#[cfg(feature = "agent")]
pub use store::{PodDirectory, Removed, StoreError, Written};
#[cfg(feature = "agent")]
pub use tls::TlsError;
#[cfg(feature = "agent")]
pub use trust::Doubt;
