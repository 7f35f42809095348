//! What is done to the bytes of every record: texts searched, JSON walked and lines read where they stand.
//!
//! **Why a crate of its own:** the filter is interpreted, so these loops are compiled for speed. All around them (rule
//! files, patterns being compiled, pod files) runs once per reload or per pod and is compiled for size, which is
//! nearly half of the module. Cargo draws that line between crates, and so it is drawn here: what looks at bytes is in this
//! crate, what decides is in `nodesieve-engine`, which hands these modules on under their names.
//!
//! **The promise** is that crate's: no clock, no file, no environment variable, no socket, no random device; nothing
//! panics, whatever the bytes are.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod automaton;
pub mod continuation;
pub mod fields;
pub mod glob;
pub mod hash;
pub mod head;
pub mod json;
pub mod line;
pub mod many;
pub mod number;
pub mod path;
pub mod record;
pub mod search;
pub mod secrets;
pub mod severity;
pub mod swar;
pub mod tag;
pub mod template;
pub mod time;
pub mod trace;
pub mod utf8;
pub mod wildcard;
