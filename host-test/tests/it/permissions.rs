//! Who may read whose files: both programs with the users and capabilities of conf/k8s/daemonset.yaml, on real files.
//!
//! Skipped where there is no Fluent Bit, no `setpriv`, or no root.

use crate::fluent_bit::program;
use crate::support;
use host_test::artefact;
use host_test::fluent_bit::{LOGS, METRICS, MetadataFilter, PODS, Running, SHARED, Setup};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The sidecar's user.
const SIDECAR: u32 = 65532;
/// `setpriv`'s options for `drop: [ ALL ]` and `allowPrivilegeEscalation: false`.
const NO_RIGHTS: &str = "--clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs";

fn setpriv(user: u32) -> String {
    format!("setpriv --reuid {user} --regid {user} {NO_RIGHTS}")
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Scenario: the sidecar runs as its user and Fluent Bit as uid 0, neither with a capability; the volume between them is
/// as kubelet makes it, logs are as the runtime makes them, and one log is a stranger's and nobody else's to read.
/// Guarantees: each reads what the other writes; all of root's logs are shipped with their pods' labels, the stranger's
/// is not, which shows that the rights were gone.
#[test]
fn without_capabilities_each_reads_what_the_other_writes() {
    let Some(fluent_bit) = program() else { return };
    let as_root = format!("{} true", setpriv(0));
    if !Command::new("sh").args(["-c", &as_root]).output().is_ok_and(|output| output.status.success()) {
        crate::support::skip("setpriv", "no setpriv, or no root");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::write(at("fluent-bit"), format!("#!/bin/sh\nexec {} {} \"$@\"\n", setpriv(0), fluent_bit.display()))
        .unwrap();
    set_mode(&at("fluent-bit"), 0o755);
    fs::create_dir(at("none")).unwrap();
    let mut running = Running::start(Setup {
        fluent_bit: &at("fluent-bit"),
        module: &support::module(),
        conf: &support::conf().join("fluent-bit.yaml"),
        rules: "version: 1\n",
        logs: &at("none"),
        pod_list: None,
        filter: MetadataFilter::Nodesieve,
        disk: None,
        elsewhere: None,
        overrides: &[("refresh_interval", "1")],
    })
    .unwrap();

    // An emptyDir is everybody's. The way there is closed otherwise, which it is not on a node.
    set_mode(running.tree(), 0o755);
    fs::remove_dir_all(running.at(PODS)).unwrap();
    set_mode(&running.at(SHARED), 0o777);
    fs::copy(artefact::sidecar().unwrap(), running.tree().join("sidecar")).unwrap();
    fs::copy(support::conf().join("samples/podlist.json"), running.tree().join("podlist.json")).unwrap();
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "exec {} ./sidecar --once --pods-file podlist.json --pods-dir {}",
            setpriv(SIDECAR),
            running.at(PODS).display()
        ))
        .current_dir(running.tree())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let id = "c958d0d792bf00321f509e1e5bf5ce4529329c980edc4d838e77d6b8d77cdec4";
    let line = "2026-11-20T10:00:00.000000001Z stdout F here\n";
    for (name, owner, mode) in [
        (format!("exporter-0_batch_exporter-{id}.log"), 0, 0o640),
        (format!("stranger-0_batch_exporter-{id}.log"), 1000, 0o600),
    ] {
        let path = running.at(LOGS).join(name);
        let beside = running.tree().join("new.log");
        fs::write(&beside, line.repeat(3)).unwrap();
        set_mode(&beside, mode);
        chown(&beside, Some(owner), Some(owner)).unwrap();
        fs::rename(beside, path).unwrap();
    }
    running.wait_for(3, Duration::from_secs(60)).unwrap();
    let metrics = fs::metadata(running.at(METRICS)).unwrap().permissions().mode();
    assert_eq!(metrics & 0o004, 0o004, "the sidecar has to read them: {metrics:o}");
    let outcome = running.stop().unwrap();
    assert!(outcome.log.contains("stranger-0"), "Fluent Bit tells what it cannot read: {}", outcome.log);
    assert_eq!(outcome.records.len(), 3);
    for record in &outcome.records {
        let kubernetes = &record["kubernetes"];
        assert_eq!(
            (&kubernetes["pod_name"], &kubernetes["labels"]["app"]),
            (&"exporter-0".into(), &"exporter".into())
        );
    }
}
