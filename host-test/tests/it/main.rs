//! One binary for all integration tests; a file for each theme.

mod cases;
mod command_line;
mod conf;
mod fluent_bit;
mod laws;
mod module;
mod replay;
mod support;
