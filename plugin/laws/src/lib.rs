//! What is true of any input, a law for each kind of input that reaches nodesieve from outside.
//!
//! It exists so that cargo-fuzz (`plugin/fuzz`, which needs nightly and libFuzzer and is a workspace of its own) and `cargo test`
//! (stable, [`fuzz`]) feed the same code, and so that it is compiled without the harness. The rule it keeps: a body says what must
//! hold by asserting it, needs nothing but its bytes, and does the same for the same bytes; what it returns tells the driver whether
//! an input has led somewhere new.
#![forbid(unsafe_code)]
#![expect(clippy::panic, reason = "a law that is broken panics, that is how libFuzzer and tests hear of it")]

mod behaviour;
pub mod calls;
mod engines;
pub mod fuzz;
mod json;
mod line;
pub mod native;
mod pattern;
mod pod_file;
mod pod_list;
mod record;
mod rules;
mod selector;
mod state;

pub use behaviour::Behaviour;
pub use record::{check_answer, event_time, sums};

/// A kind of input and what is true of it.
#[derive(Clone, Copy, Debug)]
pub struct Law {
    /// Its name, which is also that of its directory of seeds and of its cargo-fuzz target.
    pub name: &'static str,
    /// Panics when the law is broken.
    pub check: fn(&[u8]) -> Behaviour,
    /// What its inputs are made of: inserted now and then.
    pub words: &'static [&'static str],
    /// How often it is run in a short run: unoptimised in about three seconds.
    pub executions: u64,
}

/// All of them but the sequences of calls of the compiled module, which take a host.
pub const LAWS: [Law; 8] = [
    Law { name: "line", check: line::check, words: line::WORDS, executions: 12_000 },
    Law { name: "pattern", check: pattern::check, words: pattern::WORDS, executions: 15_000 },
    Law { name: "selector", check: selector::check, words: selector::WORDS, executions: 40_000 },
    Law { name: "rules", check: rules::check, words: rules::WORDS, executions: 10_000 },
    Law { name: "record", check: record::check, words: calls::WORDS, executions: 3_000 },
    Law { name: "pod_file", check: pod_file::check, words: pod_file::WORDS, executions: 6_000 },
    Law { name: "pod_list", check: pod_list::check, words: pod_list::WORDS, executions: 20_000 },
    Law { name: "state", check: state::check, words: state::WORDS, executions: 6_000 },
];

/// The law of this name, for a cargo-fuzz target.
pub fn law(name: &str) -> Option<Law> {
    LAWS.into_iter().find(|law| law.name == name)
}
