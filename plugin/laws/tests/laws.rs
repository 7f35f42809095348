//! Every law, run on changed seeds: a fixed number of executions, or with `NODESIEVE_FUZZ_SECONDS` so many seconds of CPU time each.
//!
//! `NODESIEVE_FUZZ_SECONDS=600 cargo test --release --package nodesieve-laws -- --nocapture` is the long form. What breaks a law is
//! written to `target/tmp`, and belongs into `plugin/fuzz/seeds` once it is mended.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "tests read manifests")]

use nodesieve_laws::fuzz::Fuzzing;
use nodesieve_laws::{LAWS, law};
use std::fs;
use std::path::{Path, PathBuf};

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds")
}

fn holds(name: &str) {
    let law = law(name).unwrap();
    let fuzzing = Fuzzing {
        name,
        seeds: &seeds().join(name),
        words: law.words,
        executions: law.executions,
        seed: 1,
        found: Path::new(env!("CARGO_TARGET_TMPDIR")),
    };
    match fuzzing.run(law.check) {
        Ok(report) => {
            eprintln!("{report}");
            assert!(report.behaviours > 20, "seeds lead nowhere: {report}");
        }
        Err(broken) => panic!("{name}: {broken}"),
    }
}

#[test]
fn a_line_is_read_alike_however_it_is_escaped() {
    holds("line");
}

#[test]
fn a_pattern_prints_and_matches_alike_however_the_event_is_escaped() {
    holds("pattern");
}

#[test]
fn a_selector_prints_and_selects_as_its_normal_form_says() {
    holds("selector");
}

#[test]
fn a_rule_file_loads_and_decides_or_says_where_it_is_wrong() {
    holds("rules");
}

#[test]
fn records_are_counted_once_and_go_on_as_they_came() {
    holds("record");
}

#[test]
fn a_pod_file_reads_back_as_itself() {
    holds("pod_file");
}

#[test]
fn a_pod_list_is_its_pods() {
    holds("pod_list");
}

#[test]
fn a_saved_state_is_refused_or_reported_once() {
    holds("state");
}

/// cargo-fuzz finds its targets by their names in its manifest, and each needs a file and seeds.
#[test]
fn every_law_is_a_target_of_cargo_fuzz_with_seeds() {
    let fuzz = seeds().join("..");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for law in LAWS {
        let name = law.name;
        assert!(
            manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n")),
            "{name}"
        );
        let target = fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("law(\"{name}\")")), "{name}");
        assert!(fs::read_dir(seeds().join(name)).unwrap().count() >= 5, "{name} has few seeds");
    }
}
