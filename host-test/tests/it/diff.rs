//! `nodesieve diff`: two rule files on the sample logs.

use crate::command_line::{out, run};
use crate::support;
use std::path::PathBuf;
use tempfile::TempDir;

const OLD: &str = "version: 1\nrules:\n\
    - { name: probes, when: { message: '\"kube-probe/\" \"\\\" 200 \"' }, drop: {}, reason: noise }\n";
const ONE_MORE: &str = "- { name: debug, when: { severity: '<=debug' }, drop: {}, reason: noise }\n";

/// Two rule files in a directory that lives as long as the test.
fn files(old: &str, new: &str) -> (TempDir, [String; 2]) {
    let directory = tempfile::tempdir().unwrap();
    let paths = [("old.yaml", old), ("new.yaml", new)].map(|(name, text)| {
        let path: PathBuf = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    });
    (directory, paths)
}

fn json(old: &str, new: &str) -> (Option<i32>, serde_json::Value) {
    let (_directory, [old, new]) = files(old, new);
    let output = run(&["diff", &old, &new, "--format", "json"], "");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn the_same_rules_change_nothing() {
    let shipped = support::conf().join("nodesieve.yaml");
    let shipped = shipped.to_str().unwrap();
    let output = run(&["diff", shipped, shipped], "");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(out(&output).starts_with("nothing changes: "), "{}", out(&output));
    // Words that people read are no rules.
    let (code, told) = json(OLD, &OLD.replace("noise", "they say nothing"));
    assert_eq!((code, &told["changed"]), (Some(0), &false.into()));
}

/// Guarantees: what one more rule drops is missing from the kept records and from the outcome `none`, to the record.
#[test]
fn one_more_drop_shows_exactly_what_it_drops() {
    let new = format!("{OLD}{ONE_MORE}");
    let (code, told) = json(OLD, &new);
    assert_eq!((code, &told["changed"]), (Some(1), &true.into()));
    let rule = |name: &str| {
        let rules = told["rules"].as_array().unwrap();
        rules.iter().find(|rule| rule["name"] == name).unwrap().clone()
    };
    let number = |value: &serde_json::Value| value.as_u64().unwrap();
    // So many lines of the samples are at debug level; none of them is a probe.
    let dropped = 4176;
    assert_eq!(rule("debug")["dropped"], serde_json::json!({ "old": 0, "new": dropped }));
    assert_eq!(rule("debug")["kept"]["new"], 0);
    assert_eq!(rule("probes")["dropped"]["old"], rule("probes")["dropped"]["new"]);
    for kept in [&rule("none")["kept"], &told["totals"]["kept"]] {
        assert_eq!(number(&kept["old"]) - number(&kept["new"]), dropped);
    }
    assert_eq!(told["totals"]["only_here"], serde_json::json!({ "old": dropped, "new": 0 }));
    let billed = &told["totals"]["billed_bytes"];
    // No debug line is larger than the 5,120 bytes that each record is billed for.
    let summaries = &told["totals"]["summaries"];
    let records = number(&summaries["old"]) + dropped - number(&summaries["new"]);
    assert!(number(&billed["old"]) - number(&billed["new"]) <= records * 5120);

    let (_directory, [old, new]) = files(OLD, &new);
    let output = run(&["diff", &old, &new], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("records kept") && out(&output).contains("debug"), "{}", out(&output));
}

#[test]
fn a_trial_in_shadow_mode_changes_no_record() {
    let shadow = ONE_MORE.replace("drop: {}", "drop: {}, mode: shadow");
    let (code, told) = json(OLD, &format!("{OLD}{shadow}"));
    assert_eq!(code, Some(1), "its numbers are new");
    assert_eq!(told["totals"]["kept"]["old"], told["totals"]["kept"]["new"]);
    assert_eq!(told["totals"]["only_here"], serde_json::json!({ "old": 0, "new": 0 }));
}

#[test]
fn a_rule_file_that_cannot_be_used_is_a_failure_and_no_change() {
    let (_directory, [old, new]) = files(OLD, "version: 7\n");
    let output = run(&["diff", &old, &new], "");
    assert_eq!((output.status.code(), out(&output)), (Some(2), ""));
    assert!(String::from_utf8_lossy(&output.stderr).contains("NS203"));
    assert_eq!(run(&["diff", &old, "/nonexistent.yaml"], "").status.code(), Some(2));
}

/// Guarantees: metrics of two nodes are compared by share; the exit code says whether they differ.
#[test]
fn two_releases_are_compared_by_their_nodes_numbers() {
    let text = |seen: u64, kept: u64| {
        format!(
            "# TYPE nodesieve_records_seen_total counter\nnodesieve_records_seen_total {seen}\n\
             nodesieve_records_kept_total {kept}\nnodesieve_records_dropped_total {}\nnodesieve_config_valid 1\n",
            seen - kept
        )
    };
    let compared = |old: &str, new: &str, more: &[&str]| {
        let (_directory, [old, new]) = files(old, new);
        let output = run(&[&["diff", "--metrics", &old, &new], more].concat(), "");
        (output.status.code(), out(&output).to_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (stable, canary) = (text(100_000, 40_000), text(2_000, 900));
    let (code, told, _) = compared(&stable, &canary, &[]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("records kept      400.0  450.0\n"), "{told}");
    let (code, told, _) = compared(&stable, &canary, &["--tolerance", "5", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["differs"]), (Some(1), &true.into()), "{told}");
    let (code, _, said) = compared(&stable, "nothing\n", &[]);
    assert!(
        code == Some(2) && said.contains("new.yaml") && said.contains("no nodesieve_records_seen_total"),
        "{said}"
    );
}
