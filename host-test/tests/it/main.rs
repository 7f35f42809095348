//! One binary for all integration tests; a file for each theme.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod architecture;
mod bench;
mod browser_engine;
mod cases;
mod chromium;
mod cluster_services;
mod command_line;
mod component;
mod conf;
mod diff;
mod errors_arrive;
mod faults;
mod fluent_bit;
mod images;
mod kubelet_and_fluent_bit;
mod laws;
mod lines;
mod manifests;
mod module;
mod monitoring;
mod moto;
mod odd_files;
mod pattern_cases;
mod patterns;
mod permissions;
mod playground;
mod playground_state;
mod policies;
mod replay;
mod report;
mod sidecar;
mod sidecar_program;
mod support;
mod vocabulary;
