//! nodesieve as the hosts see it: each face translates to one engine call and back.
//!
//! `fluentbit` is the ABI of Fluent Bit's wasm filter and the only place with `unsafe`; `host` is what a filter does
//! besides filtering (read rules and pod files, write metrics) and runs on any target, so that it is tested natively.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod files;
#[cfg(all(target_arch = "wasm32", target_os = "wasi"))]
mod fluentbit;
#[cfg_attr(
    not(all(target_arch = "wasm32", target_os = "wasi")),
    expect(dead_code, reason = "used by the wasi face")
)]
mod host;
