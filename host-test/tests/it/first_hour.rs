//! What somebody does in the first hour, one step behind the other, in a directory of their own: from logs to a rule file that is checked,
//! tried, explained and compared.

use crate::command_line::{out, run};
use crate::documents;
use crate::support;
use std::fs;
use std::os::unix::fs::symlink;

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

    // The page shows the same in a browser.
    let page = at("page");
    assert!(run(&["playground", "--out", &page], "").status.success());
    assert!(support::conf().is_dir() && own.path().join("page/index.html").is_file());
}
