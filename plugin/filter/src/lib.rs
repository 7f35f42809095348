//! nodesieve as the hosts see it: each face translates to one engine call and back.
//!
//! `fluentbit` is the ABI of Fluent Bit's wasm filter, `allocator` the memory for its records, `wasi` what std does not call of the host, and
//! nowhere else do we write `unsafe`; `housekeeping` is what a
//! filter does besides filtering (read rules and pod files, write metrics and state) and runs on any target, so that it is tested natively.
//! `component` and `browser` are for other hosts, behind features of their names, and only built for
//! wasm32-unknown-unknown: neither is in the module that Fluent Bit loads.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

#[cfg(any(test, all(target_arch = "wasm32", target_os = "wasi")))]
mod allocator;
#[cfg(all(target_arch = "wasm32", target_os = "unknown", feature = "browser"))]
mod browser;
#[cfg(all(target_arch = "wasm32", target_os = "unknown", feature = "component"))]
mod component;
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
mod files;
#[cfg(all(target_arch = "wasm32", target_os = "wasi"))]
mod fluentbit;
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
#[cfg_attr(
    not(all(target_arch = "wasm32", target_os = "wasi")),
    expect(dead_code, reason = "used by the wasi face")
)]
mod housekeeping;
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
mod lives;
#[cfg(all(target_arch = "wasm32", target_os = "wasi"))]
mod wasi;
