//! The sidecar: what the node's kubelet says about its pods becomes one small file per pod, and nothing that kubelet does
//! can hurt the node's logs.
//!
//! **The promise:** only a plausible list of pods removes pod files; any other answer leaves them as they are, and a pod or a file
//! that cannot be dealt with costs that pod only. Where the kubelet has the Pods API, each change is told once; else there are two requests
//! a minute, and a few for a pod that starts, however many records there are. The API server gets none. Format and names of the files belong to the engine
//! ([`nodesieve_engine::pods`]), so that writer and reader cannot drift apart.
//!
//! One poll, step by step: [`SidecarSettings`] -> `schedule` (when) -> `poll` and `client` (ask) -> [`nodesieve_podlist::project`] (read as it
//! comes, and what of it) -> `trust` (is it plausible) -> `files`, `publish` and [`PodFileStore`] -> `status` (metrics and log events). One
//! change that is told: `pods_api` (the stream) -> `follow` (what is known) -> the same. `run` is the loop around them, `watch` tells it
//! what is new, `serve` answers probes and scrapes.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod client;
pub mod exposition;
mod files;
mod filter_metrics;
mod follow;
mod off_loop;
mod pods_api;
mod poll;
mod publish;
mod run;
mod schedule;
mod serve;
mod settings;
mod status;
mod store;
mod tap;
mod tls;
mod trust;
mod watch;

pub use client::PollError;
pub use pods_api::StreamError;
pub use run::{Log, Sidecar};
pub use serve::StartError;
pub use settings::{
    KubeletSettings, Order, PodListSource, SETTINGS, Setting, SettingsError, SidecarSettings, TapSettings,
    TlsTrust, Watched, settings,
};
pub use status::{FAILED, LogEvent, STREAMS_FAILED, StatusMetric, TABLE};
pub use store::{PodFileStore, Removed, StoreError, WrittenFiles};
pub use tls::TlsError;
pub use trust::Doubt;
