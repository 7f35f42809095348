//! Fuzzing and soaking with a host: sequences of calls of the compiled module beside the engine, and the filter under everything at
//! once, in wasmtime and in a real Fluent Bit. Short here; `NODESIEVE_FUZZ_SECONDS` makes all of it long.

use crate::fluent_bit::program;
use crate::support;
use host_test::artefact;
use host_test::fluent_bit::{NodeSoak, NodeSoakReport};
use host_test::guest::CompiledModule;
use host_test::soak::{Soak, SoakLength, beside_the_engine};
use nodesieve_laws::calls::WORDS;
use nodesieve_laws::fuzz::{Fuzzing, SECONDS};
use std::path::Path;
use std::time::Duration;

/// For how many seconds, when it is to be long.
fn seconds() -> Option<u64> {
    std::env::var(SECONDS).ok()?.parse().ok()
}

#[test]
fn the_module_answers_any_sequence_of_calls_as_the_engine_does() {
    let module = CompiledModule::load(&support::module()).unwrap();
    let fuzzing = Fuzzing {
        name: "calls",
        seeds: &artefact::workspace().join("plugin/fuzz/seeds/record"),
        words: WORDS,
        executions: 60,
        seed: 1,
        found: Path::new(env!("CARGO_TARGET_TMPDIR")),
    };
    match fuzzing.run(|data| beside_the_engine(&module, data)) {
        Ok(report) => {
            eprintln!("{report}");
            assert!(report.behaviours > 20, "seeds lead nowhere: {report}");
        }
        Err(broken) => panic!("calls: {broken}"),
    }
}

fn soak(faults: u32) {
    let module = support::module();
    let length = seconds()
        .map_or(SoakLength::Records(30_000), |seconds| SoakLength::Time(Duration::from_secs(seconds)));
    let report = Soak { module: &module, seed: 1, length, faults }.run(|_, _| {}).unwrap();
    eprintln!("{report:#?}");
    assert!(report.broken.is_empty(), "{report:#?}");
    assert!(report.dropped > 1000 && report.counted > 0 && report.summarised > 0, "{report:#?}");
    assert_eq!(report.injected > 100, faults > 0, "{report:#?}");
}

#[test]
fn the_module_holds_its_laws_under_everything_at_once() {
    soak(0);
}

#[test]
fn the_module_holds_its_laws_while_files_fail() {
    soak(20);
}

/// Scenario: a million lines (here 50,000) while rules change, pods come and go and logs are rotated.
/// Guarantees: every line arrives, and what Fluent Bit has resident does not grow any more once it has grown.
#[test]
fn a_real_fluent_bit_neither_loses_lines_nor_grows() {
    let Some(program) = program() else { return };
    let (module, conf) = (support::module(), support::conf().join("fluent-bit.yaml"));
    let is_long = seconds().is_some();
    let run = NodeSoak {
        fluent_bit: &program,
        module: &module,
        conf: &conf,
        lines: if is_long { 1_000_000 } else { 50_000 },
        rounds: if is_long { 100 } else { 10 },
    };
    let report: NodeSoakReport = run.run(|_| {}).unwrap();
    eprintln!("{report:#?}");
    assert_eq!((report.lost, report.repeated), (0, 0), "{report:#?}");
    assert!(report.reloads > 2 && report.pods > 20, "{report:#?}");
    if is_long {
        assert!(report.memory_end <= report.memory_warm + report.memory_warm / 10, "it grows: {report:#?}");
    }
}
