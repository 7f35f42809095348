//! What the commands note on stderr: what met nothing, what was left out, and what a rule file is warned about.

use crate::command_line::run;

/// Scenario: a directory as it lies on a node, and a rule file with a namespace spelt wrong.
/// Guarantees: what is left out is named, a name that nothing has is told with the nearest, and `--strict` makes that count.
#[test]
fn what_met_nothing_and_what_was_left_out_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let logs = directory.path().join("pods/payments_api-1_uid/app");
    std::fs::create_dir_all(&logs).unwrap();
    std::fs::write(logs.join("0.log"), "2026-11-20T10:00:00.1Z stdout F hello\n").unwrap();
    std::fs::write(logs.join("notes.md"), "no log\n").unwrap();
    std::fs::write(at("pods.yaml"), "kind: Pod\nmetadata: {name: api-1, namespace: payments}\n").unwrap();
    std::fs::write(
        at("rules.yaml"),
        "version: 1\nrules: [{ name: a, when: { namespace: paymnets }, keep: {} }]\n",
    )
    .unwrap();
    let (rules, logs, pods) = (at("rules.yaml"), at("pods"), at("pods.yaml"));
    for command in [
        &["replay", "--rules", &rules, "--logs", &logs, "--pods", &pods][..],
        &["check", &rules, "--logs", &logs, "--pods", &pods],
        &["diff", &rules, &rules, "--logs", &logs, "--pods", &pods],
    ] {
        let output = run(command, "");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(words.contains("no namespace here is `paymnets`: did you mean payments?"), "{words}");
        assert!(words.contains("notes.md: no *.log file"), "{words}");
        assert_eq!(output.status.code(), Some(0), "{command:?}: {words}");
        let strict = run(&[command, &["--strict"]].concat(), "");
        assert_eq!(strict.status.code(), Some(1), "{command:?}");
    }
    // Nothing is doubtful about this one but what `check` warns of.
    std::fs::write(
        at("warned.yaml"),
        "version: 1\nrules:\n  - { name: a, when: { namespace: payments, message: 'hello OR bye' }, mode: shadow, keep: {} }\n  - { name: b, when: { namespace: payments }, keep: {} }\n",
    )
    .unwrap();
    let warned = at("warned.yaml");
    for command in [
        &["replay", "--rules", &warned, "--logs", &logs][..],
        &["check", &warned],
        &["diff", &warned, &warned, "--logs", &logs],
    ] {
        let output = run(command, "");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(words.contains("NS401"), "{command:?}: {words}");
        assert_eq!(output.status.code(), Some(0), "{command:?}: {words}");
        let strict = run(&[command, &["--strict"]].concat(), "");
        assert_eq!(strict.status.code(), Some(1), "{command:?}");
    }
    // As a shell names them: one of these leads nowhere.
    let (log, link) = (at("pods/payments_api-1_uid/app/0.log"), at("gone.log"));
    std::os::unix::fs::symlink(at("nowhere.log"), &link).unwrap();
    let output = run(&["replay", "--rules", &rules, "--logs", &log, "--logs", &link], "");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("left out") && words.contains("gone.log: a link to nothing"), "{words}");
    assert_eq!(output.status.code(), Some(0), "{words}");
    let alone = run(&["replay", "--rules", &rules, "--logs", &link], "");
    assert_ne!(alone.status.code(), Some(0), "{alone:?}");
    let wrong = run(&["replay", "--pods", &rules], "");
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("rules.yaml: it is neither"), "{wrong:?}");
}
