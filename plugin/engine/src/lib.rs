//! The whole of nodesieve's logic, and nothing else.
//!
//! **The promise:** this crate reads no clock, no file, no environment variable, no socket and no random device.
//! Text, records and time come in as arguments; verdicts and bytes go out. What it needs from outside on the way
//! (a pod file on a cache miss) comes through the one trait [`pods::PodSource`]. The faces in `plugin/` and the
//! harness in `host-test/` translate to and from this crate; a decision about log content belongs here.
//!
//! **Failure:** after a rule file has loaded, nothing about rules can fail. A record that cannot be read is handed
//! back untouched ([`engine::Answer::Echo`]) and counted: only a rule may drop.
//!
//! The modules in the order a record meets them: [`tag`] and [`record`] read it, [`severity`], [`pattern`] and
//! [`config`] decide on it, [`threshold`] draws, [`pods`] enriches, [`engine`] is the one pipeline.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub use nodesieve_text::{
    automaton, continuation, fields, glob, hash, json, line, many, number, path, record, search, secrets,
    severity, swar, tag, template, time, trace, utf8, wildcard,
};

mod condition;
pub mod config;
pub mod diag;
pub mod engine;
mod facts;
mod input;
mod key;
pub mod measure;
pub mod metrics;
mod moment;
pub mod pattern;
pub mod pods;
mod policy;
pub mod redact;
pub mod rule_test;
pub mod selector;
mod stream;
mod tag_names;
mod tag_regex;
pub mod tap;
pub mod threshold;
mod unreported;
mod yaml;
