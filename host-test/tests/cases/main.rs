//! The literate cases: each section, and each block of a file that has no sections, is a test of its own, by its name.
//!
//! `cargo test cases::merge_log` runs one file alone and `cargo test cases::merge_log::members` one section of it. With `NODESIEVE_BLESS=1` what comes
//! out is written into the files that run: answers and numbers, `+` and `-` of patterns and reports, messages of what is refused. It is read
//! before it is committed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "tests: one that cannot go on has failed"
)]

mod blessing;
#[path = "../shared/faces.rs"]
mod faces;
mod faces_of_ours;
#[path = "../shared/component.rs"]
mod in_component;
mod lines;
mod patterns;
mod sections;
#[expect(dead_code, reason = "the other tests need the rest of it")]
#[path = "../it/support.rs"]
mod support;

use libtest_mimic::{Arguments, Trial};
use std::collections::BTreeMap;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut trials = Trials::default();
    sections::add(&mut trials);
    lines::add(&mut trials);
    patterns::add(&mut trials);
    libtest_mimic::run(&Arguments::from_args(), trials.all).exit_code()
}

/// A test of one section or block: where it is in its file, and the file's place among the names.
type Test = fn(&str, usize);

/// Tests with names of their own.
#[derive(Default)]
struct Trials {
    all: Vec<Trial>,
    names: BTreeMap<String, usize>,
}

impl Trials {
    /// Tests of one section or block, whose name `words` become; behind it stands what each is about, if there are several.
    fn add(&mut self, place: &str, words: &str, then: &[(&str, Test)], at: usize) {
        let words =
            words.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let name = words.map(str::to_lowercase).collect::<Vec<_>>().join("_");
        let name: String = name.chars().take(LONGEST_NAME).collect();
        let count = self.names.entry(format!("{place}::{name}")).or_default();
        *count += 1;
        let name = if *count > 1 || name.is_empty() { format!("{name}_{count}") } else { name };
        for (what, run) in then {
            let (place, run) = (place.to_owned(), *run);
            let last = if what.is_empty() { String::new() } else { format!("::{what}") };
            self.all.push(Trial::test(format!("cases::{place}::{name}{last}"), move || {
                run(&place, at);
                Ok(())
            }));
        }
    }
}

const LONGEST_NAME: usize = 60;
