//! What others make and we take in: crates on the terms of `.deny.toml`, and the hosted workflow's actions, each by its commit.

use crate::support;
use std::fs;
use std::process::Command;

/// Guarantees: whoever moves an action's tag changes nothing of ours, and no job may write.
#[test]
fn hosted_actions_are_named_by_commit_and_may_only_read() {
    let workflows = fs::read_dir(host_test::artefact::workspace().join(".github/workflows")).unwrap();
    let mut actions = 0;
    for path in workflows.map(|entry| entry.unwrap().path()) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("\npermissions:\n  contents: read\n"), "{}", path.display());
        assert!(!text.contains(": write"), "{}", path.display());
        for line in text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses:"))
        {
            actions += 1;
            let (action, version) =
                line.split_once('#').unwrap_or_else(|| panic!("no version behind {line}"));
            let commit = action.trim().split_once('@').unwrap().1;
            assert!(commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{line}");
            assert!(version.trim().starts_with('v'), "{line}");
        }
    }
    assert!(actions > 0);
}

/// Guarantees: licences, duplicates and sources of all crates are allowed ones. Known faults need the network: the hosted workflow.
#[test]
fn crates_keep_the_terms_of_the_deny_file() {
    if Command::new("cargo-deny").arg("--version").output().is_err() {
        return support::skip("cargo-deny", "no cargo-deny");
    }
    let checked = Command::new("cargo-deny")
        .args(["--color", "never", "check", "bans", "licenses", "sources"])
        .current_dir(host_test::artefact::workspace())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
}
