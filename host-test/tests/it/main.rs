//! One binary for all integration tests; a file for each theme.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "../shared/faces.rs"]
mod faces;
#[path = "../shared/component.rs"]
mod in_component;

mod accounts;
mod architecture;
mod aws;
mod bench;
mod beside;
mod browser_engine;
mod chromium;
mod cluster_services;
mod command_line;
mod component;
mod conf;
mod diff;
mod documents;
mod errors_arrive;
mod explaining;
mod faults;
mod first_hour;
mod fluent_bit;
mod helm;
mod images;
mod images_built;
mod kubelet_and_fluent_bit;
mod launcher;
mod laws;
mod machine_code;
mod manifests;
mod measures;
mod memory;
mod merge_log;
mod migrations;
mod module;
mod monitoring;
mod moto;
mod notes;
mod odd_files;
mod patterns;
mod permissions;
mod playground;
mod playground_state;
mod policies;
mod queries;
mod redaction;
mod replay;
mod report;
mod rule_limits;
mod security;
mod selectors;
mod sharing;
mod sidecar;
mod sidecar_bounds;
mod sidecar_program;
mod soak;
mod supply_chain;
mod support;
mod tap;
mod untee;
mod vocabulary;
mod work_per_byte;
