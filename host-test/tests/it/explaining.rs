//! `nodesieve explain`: what became of a line, and why, in words and as JSON.

use crate::command_line::{out, run};
use crate::support;

#[test]
fn explain_names_the_condition_that_failed() {
    let input =
        "{\"tag\":\"kube.var.log.containers.a_shop-eu_b-0a.log\",\"record\":{\"log\":\"INFO hello\"}}\n";
    let output = run(&["explain", "--format", "json"], input);
    assert!(output.status.success(), "{output:?}");
    let told: serde_json::Value = serde_json::from_str(out(&output)).unwrap();
    assert_eq!(
        told["steps"][0],
        serde_json::json!({
            "stage": "guard", "name": "errors", "result": "failed", "condition": "severity", "detail": "severity is info"
        })
    );
    assert_eq!(
        (&told["rule"], &told["action"], &told["severity"]),
        (&"unknown".into(), &"keep".into(), &"info".into())
    );
    assert!(out(&run(&["explain"], input)).contains("guard fresh: unknown: container_age"));
    assert_eq!(run(&["explain"], "{}\n").status.code(), Some(2));
}

#[test]
fn explain_names_the_term_selector_or_field_that_decides() {
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("r.yaml");
    std::fs::write(
        &rules,
        "version: 1\nrules:\n\
         - { name: term, when: { message: 'hello -world' }, keep: {} }\n\
         - { name: json, when: { message: '{ $.status >= 500 }' }, keep: {} }\n\
         - { name: field, when: { message: '[a, b=404, ...]' }, keep: {} }\n\
         - { name: label, when: { labels: 'app in (web,api)' }, keep: {} }\n\
         - { name: record, when: { record: '{ $.kubernetes.labels.app = web }' }, keep: {} }\n",
    )
    .unwrap();
    let pods = r#"{"items":[{"metadata":{"name":"a","namespace":"shop","uid":"u","labels":{"app":"db"}},"status":{"containerStatuses":[{"name":"b","containerID":"containerd://0a","state":{"running":{}}}]}}]}"#;
    let pod_list = directory.path().join("pods.json");
    std::fs::write(&pod_list, pods).unwrap();
    let input =
        "{\"tag\":\"kube.var.log.containers.a_shop_b-0a.log\",\"record\":{\"log\":\"hello world\"}}\n";
    let (rules, pod_list) = (rules.to_str().unwrap(), pod_list.to_str().unwrap());
    let output = run(&["explain", "--rules", rules, "--pods", pod_list], input);
    let told = out(&output);
    for line in [
        "rule term: failed: message, \"world\" occurs",
        "rule json: failed: message, the line is not one JSON object",
        "rule field: failed: message, b = 404: b is \"world\"",
        "rule label: failed: labels, app in (api,web): app is \"db\"",
        "rule record: failed: record, $.kubernetes.labels.app = web: $.kubernetes.labels.app is \"db\"",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
}

/// Guarantees: what depends on the records before is decided, as on the node, and by itself with `--alone`.
#[test]
fn explain_decides_each_record_after_those_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("r.yaml");
    std::fs::write(
        &rules,
        "version: 1\nguards: [{ name: errors, when: { severity: '>=error' } }]\n\
         rules: [{ name: some, first: { n: 1, per: 1m } }]\n",
    )
    .unwrap();
    let record = |log: &str| {
        serde_json::json!({ "tag": "kube.var.log.containers.a_shop_b-0a.log", "record": { "log": log } })
            .to_string()
    };
    let input = [
        record("INFO one"),
        record("INFO two"),
        record("ERROR pay failed"),
        record("java.lang.IllegalStateException: closed"),
        record("\tat a.B.c(B.java:1)"),
        record("    INFO padded, and no part of that"),
    ]
    .join("\n");
    let told = |flags: &[&str]| -> Vec<(String, String, bool)> {
        let arguments =
            [&["explain", "--format", "json", "--rules", rules.to_str().unwrap()], flags].concat();
        out(&run(&arguments, &input))
            .lines()
            .map(|line| {
                let told: serde_json::Value = serde_json::from_str(line).unwrap();
                let text = |key: &str| told[key].as_str().unwrap().to_owned();
                (text("rule"), text("action"), told["continues"] == true)
            })
            .collect()
    };
    let is = |rule: &str, action: &str, continues| (rule.to_owned(), action.to_owned(), continues);
    assert_eq!(
        told(&[]),
        [
            is("some", "keep", false),
            is("some", "drop", false),
            is("errors", "keep", false),
            is("errors", "keep", true),
            is("errors", "keep", true),
            is("some", "drop", false),
        ]
    );
    let alone = told(&["--alone"]);
    assert_eq!(alone[1], is("some", "depends", false));
    assert_eq!(alone[4], is("some", "depends", false));
}

#[test]
fn explain_takes_the_lines_of_logs_that_are_asked_for_and_any_text_on_stdin() {
    let samples = ["explain", "--logs", "conf/samples/containers", "--pods", "conf/samples/podlist.json"];
    let samples: Vec<String> = samples
        .iter()
        .map(|part| part.replace("conf/", &format!("{}/", support::conf().display())))
        .collect();
    let samples: Vec<&str> = samples.iter().map(String::as_str).collect();
    let found = run(
        &[&samples, &["--grep", "kube-probe/", "--at", "2026-11-20T10:00:00", "--limit", "1"][..]].concat(),
        "",
    );
    assert!(
        out(&found).contains("rule probes: matched\n  => drop (probes)\n     it is counted"),
        "{}",
        out(&found)
    );
    assert!(String::from_utf8_lossy(&found.stderr).contains("more lines are chosen"), "{found:?}");
    let none = run(&[&samples, &["--grep", "no such text"][..]].concat(), "");
    assert_eq!(none.status.code(), Some(1));
    for (lines, form) in [
        ("2026-11-20T10:00:00Z stderr F ERROR boom\n", "lines of containerd or CRI-O"),
        (
            "{\"log\":\"ERROR boom\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-20T10:00:00Z\"}\n",
            "lines of Docker",
        ),
        ("2026-11-20T10:00:00Z ERROR boom\n", "lines with a time in front"),
        ("ERROR boom\n", "lines of text"),
    ] {
        let output = run(&["explain"], lines);
        assert!(String::from_utf8_lossy(&output.stderr).contains(form), "{output:?}");
        assert!(out(&output).contains("=> keep (errors)"), "{}", out(&output));
    }
    // A file of them, too.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.txt");
    std::fs::write(&file, "started\nERROR boom\n").unwrap();
    let output = run(&["explain", "--logs", file.to_str().unwrap(), "--grep", "boom"], "");
    assert!(String::from_utf8_lossy(&output.stderr).contains("app.txt: 2 lines of text"), "{output:?}");
    assert!(out(&output).contains("=> keep (errors)"), "{}", out(&output));
    let unknown = run(&["explain"], "hello\n");
    assert!(out(&unknown).contains("its pod's metadata is missing"), "{}", out(&unknown));
}

/// Guarantees: an outcome that no rule is says in words what it means: who keeps the pod's lines out, and what becomes of what cannot be read.
#[test]
fn explain_says_what_an_outcome_means() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("rules.yaml"), "version: 1\nexclude_annotations: true\n").unwrap();
    std::fs::write(
        at("pods.yaml"),
        "kind: Pod\nmetadata: { name: web-1, namespace: shop, uid: u, annotations: { fluentbit.io/exclude: 'true' } }\n\
         status: { containerStatuses: [{ name: app, containerID: 'containerd://0a0a' }] }\n",
    )
    .unwrap();
    let logs = folder.path().join("pods/shop_web-1_uid/app");
    std::fs::create_dir_all(&logs).unwrap();
    std::fs::write(logs.join("0.log"), "2026-11-20T10:00:01.1Z stdout F hello\n").unwrap();
    let (rules, pods, logs) = (at("rules.yaml"), at("pods.yaml"), at("pods"));
    let excluded =
        run(&["explain", "--rules", &rules, "--logs", &logs, "--pods", &pods, "--grep", "hello"], "");
    let said = out(&excluded);
    assert!(
        said.contains("=> drop (exclude)\n     an annotation of its pod, fluentbit.io/exclude"),
        "{said}"
    );
    let members: serde_json::Map<String, serde_json::Value> =
        (0..70_000).map(|n| (format!("k{n}"), 0.into())).collect();
    let record = serde_json::json!({ "tag": "kube.a", "time": [1_800_000_000, 0], "record": members });
    let faulty = run(&["explain", "--rules", &rules], &format!("{record}\n"));
    let said = out(&faulty);
    assert!(said.contains("=> keep (fault: more than 65,536 members, passed on untouched)"), "{faulty:?}");
    assert!(said.contains("Fluent Bit gets it back as it came, and a metric counts it"), "{faulty:?}");
}

/// Guarantees: of a dropped line that an error brings back it is said, with the record that has it.
#[test]
fn explain_says_which_lines_came_back_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.yaml");
    std::fs::write(
        &rules,
        "version: 1\nguards: [{ name: errors, when: { message: ERROR }, recall: { lines: 2, bytes: 8KiB } }]\n\
         rules: [{ name: noise, when: { message: noise }, drop: {}, reason: noise }]\n",
    )
    .unwrap();
    let rules = rules.to_str().unwrap();
    let log = folder.path().join("web-1_shop_app-0a.log");
    let line = |second: u32, text: &str| format!("2026-11-20T10:00:{second:02}.5Z stdout F {text}\n");
    let texts = ["noise one", "noise two", "noise three", "ERROR it failed", "noise four"];
    let lines: String = texts.iter().zip(1..).map(|(text, second)| line(second, text)).collect();
    std::fs::write(&log, lines).unwrap();
    let arguments = ["explain", "--rules", rules, "--logs", log.to_str().unwrap(), "--grep", "noise"];
    let told = run(&arguments, "");
    let told: Vec<&str> = out(&told).split("{\"time\"").skip(1).collect();
    let came_back =
        "it came back: in nodesieve.recalled of the record of 2026-11-20T10:00:04.500Z, by the guard errors";
    let said: Vec<bool> = told.iter().map(|line| line.contains(came_back)).collect();
    assert_eq!(said, [false, true, true, false], "{told:#?}");
    assert!(told.iter().all(|line| line.contains("=> drop (noise)")), "{told:#?}");
    let json = run(&[&arguments[..], &["--format", "json"]].concat(), "");
    let recalled: Vec<serde_json::Value> = out(&json)
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["recalled"]["guard"].take())
        .collect();
    assert_eq!(
        recalled,
        [serde_json::Value::Null, "errors".into(), "errors".into(), serde_json::Value::Null]
    );
}
