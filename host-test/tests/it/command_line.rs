//! The program as a user meets it: data on stdout, messages on stderr, exit codes.

use crate::support;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};

pub(crate) fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nodesieve"))
        .args(arguments)
        .env("NODESIEVE_WASM", support::module())
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

pub(crate) fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn replay_prints_one_json_object_with_the_promised_keys() {
    let output = run(&["replay", "--format", "json"], "");
    assert!(output.status.success(), "{output:?}");
    let ledger: serde_json::Value = serde_json::from_str(out(&output)).unwrap();
    for key in [
        "seen",
        "kept",
        "dropped",
        "enriched",
        "metadata_missing",
        "faults",
        "delivered",
        "bytes_in",
        "bytes_out",
        "billed_bytes",
    ] {
        assert!(ledger[key].is_u64(), "{key}");
    }
    for destination in ["firehose_aggregated", "firehose", "cloudwatch"] {
        let dollars = |way: &str| ledger["dollars"][destination][way].as_f64().unwrap();
        assert!(dollars("raw") <= dollars("kubernetes_filter"), "{destination}");
        assert!(dollars("nodesieve") < dollars("kubernetes_filter"), "{destination}");
    }
    for key in ["name", "matched", "kept", "dropped"] {
        assert!(!ledger["rules"][0][key].is_null(), "{key}");
    }
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn nodes_scale_to_a_fleet_measured_against_the_quotas_given() {
    let arguments = ["replay", "--nodes", "300", "--quota-mib", "0.5", "--format", "json"];
    let output = run(&arguments, "");
    let told: serde_json::Value = serde_json::from_str(out(&output)).unwrap();
    let fleet = &told["fleet"];
    let year = fleet["dollars_a_year"]["cloudwatch"]["nodesieve"].as_f64().unwrap();
    let month = told["dollars"]["cloudwatch"]["nodesieve"].as_f64().unwrap();
    assert!((year / month / 300.0 - 365.0 / 30.0).abs() < 1e-6, "{year} {month}");
    let mib = fleet["mib_per_second"].as_f64().unwrap();
    assert_eq!(fleet["streams"].as_f64().unwrap(), (mib / 0.5).ceil());
    let text = run(&["replay", "--nodes", "300"], "");
    assert!(out(&text).contains("300 nodes, dollars a year"), "{}", out(&text));
    let refused = run(&["replay", "--nodes", "300", "--quota-mib", "0"], "");
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn the_table_is_the_default_and_adds_up() {
    let output = run(&[], "");
    assert!(output.status.success());
    assert!(out(&output).contains("adds up: seen 20074 = kept "), "{}", out(&output));
}

#[test]
fn records_go_in_and_delivered_records_come_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(
        path("in.ndjson"),
        "{\"tag\":\"t\",\"time\":[1800000000,5],\"record\":{\"log\":\"\u{fc}\"}}\n",
    )
    .unwrap();
    std::fs::write(path("rules.yaml"), "version: 1\n").unwrap();
    let output = run(
        &[
            "replay",
            "--rules",
            &path("rules.yaml"),
            "--records",
            &path("in.ndjson"),
            "--out",
            &path("out.ndjson"),
        ],
        "",
    );
    assert!(output.status.success(), "{output:?}");
    let delivered = std::fs::read_to_string(path("out.ndjson")).unwrap();
    assert_eq!(delivered, "{\"tag\":\"t\",\"time\":[1800000000,5],\"record\":{\"log\":\"ü\"}}\n");
}

/// Guarantees: the same sum that a query over the delivered records makes is the number of records that went in.
#[test]
fn what_is_delivered_accounts_for_what_was_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let rules = "version: 1\nrules:\n\
        - { name: few, when: { message: few }, first: { n: 1, per: 10s, then: 1/4 } }\n\
        - { name: all, when: { message: noise }, drop: {}, reason: test }\n";
    std::fs::write(path("rules.yaml"), rules).unwrap();
    let record =
        |log: &str| format!("{{\"tag\":\"t\",\"time\":[1800000000,5],\"record\":{{\"log\":\"{log}\"}}}}\n");
    std::fs::write(path("in.ndjson"), [record("few").repeat(7), record("noise").repeat(3)].concat()).unwrap();
    let (rules, records, delivered) = (path("rules.yaml"), path("in.ndjson"), path("out.ndjson"));
    let output = run(&["replay", "--rules", &rules, "--records", &records, "--out", &delivered], "");
    assert!(output.status.success(), "{output:?}");
    let (mut counts, mut summaries) = (Vec::new(), Vec::new());
    for line in std::fs::read_to_string(delivered).unwrap().lines() {
        let found: serde_json::Value = serde_json::from_str(line).unwrap();
        let told = &found["record"]["nodesieve"];
        if told["summary"] == true {
            assert_eq!(found["tag"], "nodesieve.tick");
            summaries.push(told["dropped"].as_u64().unwrap());
        } else {
            counts.push(told["count"].as_u64().unwrap_or(1));
        }
    }
    // The first, the fourth of those behind it with three before it, and two more that nobody came after.
    assert_eq!((counts, summaries), (vec![1, 4], vec![2 + 3]));
}

#[test]
fn check_shows_every_mistake_and_exits_with_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("r.yaml");
    std::fs::write(&file, "version: 1\nrules:\n  - { nmae: a, when: { message: 'a:b' }, drop: {} }\n")
        .unwrap();
    let output = run(&["check", file.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(
        words.contains("error[NS201]: unknown key `nmae` in rule") && words.contains("error[NS400]"),
        "{words}"
    );
    assert!(words.contains("did you mean `name`?") && !words.contains('\x1b'));
    assert!(out(&run(&["check", file.to_str().unwrap()], "")).ends_with("r.yaml: 4 errors, 0 warnings\n"));
    let json = run(&["check", "--format", "json", file.to_str().unwrap()], "");
    let findings: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&findings[2]["code"], &findings[2]["line"]), (&"NS400".into(), &3.into()));
    assert_eq!(run(&["check", "/nonexistent.yaml"], "").status.code(), Some(2));
}

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
fn match_answers_questions_and_filters_lines() {
    let questions = "{\"pattern\":\"ERROR\",\"event\":\"an ERROR\"}\n\n{\"selector\":\"a!=b\",\"labels\":{}}\nno question\n";
    let output = run(&["match", "--batch"], questions);
    let answers: Vec<serde_json::Value> =
        out(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers[..2], [serde_json::json!({"match": true}), serde_json::json!({"match": true})]);
    assert!(answers[2]["error"]["message"].as_str().unwrap().starts_with("read question"));
    assert_eq!(output.status.code(), Some(0));

    let found = run(&["match", "{ $.status >= 500 }"], "{\"status\":502}\nplain\n{\"status\":200}\n");
    assert_eq!((out(&found), found.status.code()), ("{\"status\":502}\n", Some(0)));
    assert_eq!(run(&["match", "ERROR"], "fine\n").status.code(), Some(1));
    let refused = run(&["match", "a:b"], "");
    assert_eq!(refused.status.code(), Some(2));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("invalid character ':'") && words.contains("\n  |  ^\n"), "{words}");
    let doubted = run(&["match", "[ERROR]"], "x\n");
    assert!(String::from_utf8_lossy(&doubted.stderr).contains("matches every line"));
    assert_eq!(run(&["match"], "").status.code(), Some(2));
}

#[test]
fn a_rule_file_with_mistakes_is_not_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("r.yaml");
    std::fs::write(&file, "version: 7\n").unwrap();
    let output = run(&["replay", "--rules", file.to_str().unwrap()], "");
    assert_eq!((output.status.code(), out(&output)), (Some(1), ""));
}

/// A fake that runs until it is dropped.
struct Serving(std::process::Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The kubelet that the command serves, where it is, and who takes its certificate.
fn served(directory: &std::path::Path, arguments: &[&str]) -> (Serving, String, ureq::Agent) {
    let ca = directory.join("ca.pem");
    let mut child = Command::new(env!("CARGO_BIN_EXE_nodesieve"))
        .args(["kubelet", "--port", "0", "--ca", ca.to_str().unwrap()])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let serving = Serving(child);
    let base = url.trim().strip_suffix("/pods").unwrap().to_owned();
    let certificate = ureq::tls::Certificate::from_pem(&std::fs::read(&ca).unwrap()).unwrap();
    let roots = ureq::tls::RootCerts::new_with_certs(&[certificate]);
    let agent = ureq::Agent::config_builder()
        .tls_config(ureq::tls::TlsConfig::builder().root_certs(roots).build())
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .new_agent();
    (serving, base, agent)
}

/// Guarantees: it speaks the Pods API where it is told to, fails as it is told at the start and later, and says what it does not know.
#[test]
fn a_kubelet_speaks_the_pods_api_and_can_be_made_to_fail_at_it() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("pods-api.sock");
    let socket = socket.to_str().unwrap();
    let arguments = ["--pods-api-socket", socket, "--stream-mode", "denied"];
    let (_serving, base, agent) = served(directory.path(), &arguments);
    let put =
        |body: &str| agent.put(format!("{base}/fake/stream-mode")).send(body).unwrap().status().as_u16();
    let pods = directory.path().join("pods");
    let once = || {
        let output = Command::new(host_test::artefact::sidecar().unwrap())
            .env_clear()
            .args(["--once", "--source", "pods-api", "--pods-api-socket", socket, "--pods-dir"])
            .arg(&pods)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = once();
    assert!(code == Some(1) && said.contains("not permitted"), "{said}");
    assert_eq!((put("sleepy"), put("ok")), (400, 200));
    let (code, said) = once();
    assert_eq!(code, Some(0), "{said}");
    assert!(
        pods.join("kube-system_coredns-668d6bf9bc-p7x2c.json").exists(),
        "{:?}",
        std::fs::read_dir(&pods)
    );
    let (_serving, base, agent) = served(tempfile::tempdir().unwrap().path(), &[]);
    let status = agent.put(format!("{base}/fake/stream-mode")).send("ok").unwrap().status();
    assert_eq!(status.as_u16(), 404, "there is no Pods API");
    let alone = run(&["kubelet", "--ca", "ca.pem", "--stream-mode", "ok"], "");
    assert!(String::from_utf8_lossy(&alone.stderr).contains("--pods-api-socket"), "{alone:?}");
}

#[test]
fn a_kubelet_can_be_made_to_misbehave_while_it_runs() {
    let directory = tempfile::tempdir().unwrap();
    let (_serving, base, agent) = served(directory.path(), &["--token", "secret"]);
    let pods = |token: &str| {
        let request = agent.get(format!("{base}/pods")).header("Authorization", format!("Bearer {token}"));
        let mut response = request.call().unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    };
    let put = |path: &str, body: &str| {
        let mut response = agent.put(format!("{base}/fake/{path}")).send(body).unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    };
    assert!(pods("secret").1.contains("coredns"));
    assert_eq!(pods("other").0, 401);
    assert_eq!(put("mode", "null"), (200, "null\n".into()));
    assert!(pods("secret").1.contains("\"items\":null"));
    assert_eq!((put("mode", "sleepy").0, put("mode", "no-certificate").0), (400, 400));
    assert_eq!((put("mode", "ok").0, put("pods", "{\"items\":[]}").0), (200, 200));
    assert_eq!(pods("secret"), (200, "{\"items\":[]}".into()));
    let asked = agent.get(format!("{base}/fake/asked")).call().unwrap().body_mut().read_to_string().unwrap();
    assert!(asked.contains("pods: 4") && asked.contains("strangers: 1"), "{asked}");
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

/// Scenario: the program with the filter inside, alone in an empty directory with somebody's logs.
/// Guarantees: `init`, `check`, `replay` and `explain` need nothing else.
#[test]
fn the_released_program_runs_alone_in_an_empty_directory() {
    let root = support::conf().join("..");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "host-test", "--bin", "nodesieve-alone"])
        .args(["--features", "embedded,component,playground", "--message-format", "json"])
        .env("NODESIEVE_WASM", support::module())
        .current_dir(&root)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let messages = String::from_utf8(built.stdout).unwrap();
    let program = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().filter(|path| path.ends_with("nodesieve-alone")).map(str::to_owned)
    });
    let empty = tempfile::tempdir().unwrap();
    let at = |name: &str| empty.path().join(name);
    std::fs::copy(program.unwrap(), at("nodesieve")).unwrap();
    std::fs::create_dir(at("logs")).unwrap();
    let lines: String = (0..30)
        .map(|n| format!("2026-11-20T10:00:{:02}.1Z stdout F INFO cache of {n} shards refreshed\n", n))
        .collect();
    std::fs::write(at("logs/web-1_shop_app-0a.log"), lines).unwrap();
    let alone = |arguments: &[&str]| {
        let mut command = Command::new(at("nodesieve"));
        command.args(arguments).current_dir(empty.path()).env_clear().env("TMPDIR", empty.path());
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        out(&output).to_owned()
    };
    alone(&["init", "--logs", "logs"]);
    assert!(std::fs::read_to_string(at("nodesieve.yaml")).unwrap().contains("name: like-shards-refreshed"));
    assert!(alone(&["check", "nodesieve.yaml"]).contains("0 errors, 0 warnings"));
    assert!(
        alone(&["replay", "--rules", "nodesieve.yaml", "--logs", "logs"])
            .contains("adds up: seen 30 = kept 30")
    );
    let told = alone(&["explain", "--rules", "nodesieve.yaml", "--logs", "logs", "--grep", "cache of 7"]);
    // Without its pod's metadata nobody knows whether the container is fresh.
    assert!(told.contains("guard fresh: unknown") && told.contains("=> keep (unknown)"), "{told}");
    assert!(alone(&[]).contains("adds up: seen 20074"));
    // And nothing is left behind.
    let mut left: Vec<_> =
        std::fs::read_dir(empty.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["logs", "nodesieve", "nodesieve.yaml"]);
}

/// Guarantees: both sides of a comparison see the same lines, also where these can be read only once.
#[test]
fn diff_compares_two_rule_files_on_the_lines_of_stdin() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("old.yaml"), "version: 1\n").unwrap();
    std::fs::write(at("new.yaml"), "version: 1\nrules: [{ name: a, drop: {}, reason: r }]\n").unwrap();
    let lines = "2026-11-20T10:00:00.1Z stdout F one\n2026-11-20T10:00:01.1Z stdout F two\n";
    let arguments = ["diff", &at("old.yaml"), &at("new.yaml"), "--logs", "-", "--format", "json"];
    let told: serde_json::Value = serde_json::from_str(out(&run(&arguments, lines))).unwrap();
    assert_eq!((&told["totals"]["kept"]["old"], &told["totals"]["dropped"]["new"]), (&2.into(), &2.into()));
}

#[test]
fn a_rule_file_is_never_written_over_without_being_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yaml");
    let path = path.to_str().unwrap();
    assert!(run(&["init", path], "").status.success());
    let again = run(&["init", path], "");
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("--force takes its place"), "{again:?}");
    assert!(run(&["suggest", path, "--force"], "").status.success());
    assert!(run(&["completions", "fish"], "").status.success());
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let page = run(&["man"], "");
    assert!(out(&page).contains("nodesieve\\-replay(1)"), "{}", out(&page));
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    assert!(run(&["man", "--out", pages.to_str().unwrap()], "").status.success());
    let page = |name: &str| std::fs::read_to_string(pages.join(name)).unwrap();
    assert!(page("nodesieve.1").contains("TH nodesieve 1"));
    for (command, option) in [("replay", "rules"), ("explain", "grep"), ("diff", "metrics"), ("tap", "rate")]
    {
        let text = page(&format!("nodesieve-{command}.1"));
        assert!(text.contains(&format!("\\-\\-{option}")), "{text}");
    }
    let refused = run(&["man", "--out", "/dev/null/man1"], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("write manual pages to /dev/null/man1"));
}
