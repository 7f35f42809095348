//! What somebody does in the first hour, one step behind the other, in a directory of their own: from logs to a rule file that is checked,
//! tried, explained and compared.

use crate::command_line::{out, run};
use crate::documents;
use crate::support;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

const POD: &str = "kind: Pod
metadata: { name: web-1, namespace: shop, labels: { app: web } }
status:
  containerStatuses:
    - name: app
      restartCount: 0
      containerID: containerd://0a0a0a0a0a0a
      state: { running: { startedAt: 2026-11-19T10:00:00Z } }
";

#[test]
fn the_first_hour_leads_from_logs_to_rules_that_are_understood() {
    let own = tempfile::tempdir().unwrap();
    let at = |name: &str| own.path().join(name).to_str().unwrap().to_owned();
    // A node's logs, with what lies beside them.
    let logs = own.path().join("pods/shop_web-1_uid/app");
    fs::create_dir_all(&logs).unwrap();
    let lines: String = (0..50)
        .map(|n| {
            let level = if n % 10 == 0 { "ERROR order failed" } else { "INFO order placed with success" };
            format!("2026-11-20T10:00:{n:02}.1Z stdout F {level} id={n}\n")
        })
        .collect();
    fs::write(logs.join("0.log"), lines).unwrap();
    fs::write(logs.join("core"), b"\x7fELF").unwrap();
    symlink(at("nowhere"), logs.join("gone.log")).unwrap();
    fs::write(at("pods.yaml"), POD).unwrap();
    let (logs, pods) = (at("pods"), at("pods.yaml"));
    let input = ["--logs", logs.as_str(), "--pods", pods.as_str()];
    let with_input = |arguments: &[&str]| run(&[arguments, &input[..]].concat(), "");

    // Every mistake is told at once, each with what to write.
    fs::write(at("first.yaml"), documents::first_mistakes().0).unwrap();
    let checked = run(&["check", &at("first.yaml")], "");
    let words = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(out(&checked).contains("10 errors"), "{words}");
    assert_eq!(words.matches("= help: ").count(), 10, "{words}");

    // A file that starts from the logs is right as it stands, and drops nothing of them.
    let rules = at("rules.yaml");
    assert!(with_input(&["init", &rules]).status.success());
    assert!(fs::read_to_string(&rules).unwrap().contains("name: like-info-order-placed-with"));
    assert!(out(&run(&["check", &rules], "")).contains("0 errors, 0 warnings"));
    let replayed = with_input(&["replay", "--rules", &rules]);
    assert!(out(&replayed).contains("seen 50 = kept 50 + dropped 0"), "{}", out(&replayed));
    let words = String::from_utf8_lossy(&replayed.stderr).into_owned();
    assert!(
        words.contains("gone.log: a link to nothing") && words.contains("core: no *.log file"),
        "{words}"
    );

    // What is taken out of shadow mode drops, `diff` says what changes and `explain` why.
    let bold = at("bold.yaml");
    let text = fs::read_to_string(&rules)
        .unwrap()
        .replace("sample: { rate: 1/10 }\n    mode: shadow", "sample: { rate: 1/10 }");
    fs::write(&bold, text.replace("expect: { shadow: like", "expect: { rule: like")).unwrap();
    let difference = with_input(&["diff", &rules, &bold]);
    assert_eq!(difference.status.code(), Some(1), "{difference:?}");
    assert!(out(&difference).contains("like-info-order-placed-with"), "{}", out(&difference));
    let explained = with_input(&["explain", "--rules", &bold, "--grep", "id=20"]);
    assert!(out(&explained).contains("=> keep (errors)"), "{}", out(&explained));
    // A line that is gone: which rule took it, and by what.
    let gone = with_input(&["explain", "--rules", &bold, "--grep", "order placed", "--limit", "50"]);
    let gone = out(&gone);
    let dropped = gone.find("=> drop (like-info-order-placed-with").unwrap_or_else(|| panic!("{gone}"));
    let before = &gone[..dropped];
    assert!(before.contains("guard errors: failed: severity, severity is info"), "{gone}");
    assert!(before.contains("rule like-info-order-placed-with") && before.contains(": matched"), "{gone}");

    // The page shows the same in a browser.
    let page = at("page");
    assert!(run(&["playground", "--out", &page], "").status.success());
    assert!(support::conf().is_dir() && own.path().join("page/index.html").is_file());
}

/// The commands of the README's blocks for a shell, without their comments.
fn commands_of_the_readme() -> Vec<String> {
    let readme = fs::read_to_string(support::conf().join("../README.md")).unwrap();
    let blocks = host_test::cases::blocks(&readme).into_iter();
    let blocks = blocks.filter(|block| block.info == "sh" && block.heading == "Try it");
    let lines = blocks.map(|block| block.content).collect::<String>();
    lines.lines().map(|line| line.split(" #").next().unwrap().trim().to_owned()).collect()
}

/// The files of this checkout as a clone of it would have them, those that are new included.
fn cloned(into: &Path) -> bool {
    let root = support::conf().join("..");
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output();
    let Some(listed) = listed.ok().filter(|listed| listed.status.success()) else { return false };
    for name in String::from_utf8(listed.stdout).unwrap().split_terminator('\0') {
        // One that has been removed and not committed yet.
        if root.join(name).exists() {
            fs::create_dir_all(into.join(name).parent().unwrap()).unwrap();
            fs::copy(root.join(name), into.join(name)).unwrap();
        }
    }
    true
}

/// Scenario: a fresh clone, and the README's commands in their order, with somebody's own logs in the place of a node's.
/// Guarantees: the first prints the ledger that adds up; the second is what CI runs on a clean clone; each of the others leads on.
#[test]
fn the_readmes_commands_lead_from_a_fresh_clone_to_rules_of_ones_own() {
    let clone = tempfile::tempdir().unwrap();
    if !cloned(clone.path()) {
        return support::skip("git", "no git, or no clone");
    }
    let commands = commands_of_the_readme();
    let [first, second, pods, own @ .., page] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!((first.as_str(), second.as_str()), ("cargo run --release", "cargo test --workspace"));
    let ci = fs::read_to_string(support::conf().join("../.ci/run")).unwrap();
    assert_eq!(ci.trim_end().lines().last(), Some(second.as_str()));
    assert!(pods.starts_with("kubectl get pods ") && page.ends_with("-- playground"), "{commands:?}");

    // What has been built for other tests is built for this one too.
    let target = support::conf().join("../target/fresh-clone");
    let in_clone = |command: &str, directory: &Path| {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(directory)
            .env("CARGO_TARGET_DIR", &target)
            .env("NODESIEVE_WASM", support::module())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), said)
    };
    let (code, told, said) = in_clone(first, clone.path());
    assert_eq!(code, Some(0), "{said}");
    assert!(told.contains("adds up: seen 20074 = kept "), "{told}");
    assert!(told.contains("Firehose to S3, lines aggregated (as shipped)"), "{told}");

    let node = tempfile::tempdir().unwrap();
    let logs = node.path().join("pods/shop_web-1_uid/app");
    fs::create_dir_all(&logs).unwrap();
    let lines: String = (0..60)
        .map(|n| format!("2026-11-20T10:00:{n:02}.1Z stdout F INFO order {} placed with success\n", 4700 + n))
        .collect();
    fs::write(logs.join("0.log"), lines).unwrap();
    fs::write(node.path().join("pods.json"), POD).unwrap();
    let program = target.join("release/nodesieve");
    let expected = [
        ("init", ""),
        ("check", "0 errors, 0 warnings"),
        ("replay", "adds up: seen 60 = kept 60"),
        ("explain", "INFO order 4711 placed"),
    ];
    assert_eq!(own.len(), expected.len(), "{own:?}");
    for (command, (name, part)) in own.iter().zip(expected) {
        assert!(command.starts_with(&format!("cargo run --release -- {name} ")), "{command}");
        let command = command
            .replace("cargo run --release --", &program.display().to_string())
            .replace("/var/log/pods", "pods");
        let (code, told, said) = in_clone(&command, node.path());
        assert!(code == Some(0) && told.contains(part), "{command}: {told}{said}");
    }
    let rules = fs::read_to_string(node.path().join("my.yaml")).unwrap();
    assert!(rules.contains("  - name: like-") && rules.contains("placed with success"), "{rules}");
}
