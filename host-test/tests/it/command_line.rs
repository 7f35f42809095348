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
