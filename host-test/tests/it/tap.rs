//! `nodesieve tap` on a real Fluent Bit with its sidecar: what it shows is what was decided, and nothing is another for it.

use crate::command_line::{out, run};
use crate::{fluent_bit, support};
use host_test::fluent_bit::{End, LOGS, Running};
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Output;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);
const RULES: &str = "version: 1\ntap: { request: /run/nodesieve/pods/.tap, file: /run/nodesieve/tap.ndjson }\nrules:\n\
    - { name: noise, when: { message: noise }, drop: {}, reason: says nothing }\n";

fn start(rules: &str) -> Option<Running> {
    let program = fluent_bit::program()?;
    let logs = tempfile::tempdir().unwrap();
    let pod_list = std::fs::read(support::conf().join("samples/podlist.json")).unwrap();
    let (module, conf) = (support::module(), support::conf().join("fluent-bit.yaml"));
    Some(fluent_bit::start(&program, &module, &conf, rules, logs.path(), Some(&pod_list)))
}

fn url(running: &Running) -> String {
    format!("http://{}", running.metadata().unwrap().sidecar.as_ref().unwrap().tap_address().unwrap())
}

/// Appends a noisy line and a plain one, so many times.
fn write(running: &Running, times: usize) {
    let path = running.at(LOGS).join(format!("web-1_shop_app-{:064x}.log", 7));
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    for n in 0..times {
        let line = format!(
            "2026-11-20T10:00:00Z stdout F noise {n}\n2026-11-20T10:00:00Z stdout F order {n} for bob@example.com\n"
        );
        file.write_all(line.as_bytes()).unwrap();
    }
}

/// The command with these arguments, and lines that come while it looks.
fn tapped(running: &Running, arguments: &[&str], lines: usize) -> Output {
    let url = url(running);
    let arguments = [&["tap", "--url", &url], arguments].concat();
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| run(&arguments, ""));
        let request = running.at("/run/nodesieve/pods/.tap");
        let answers = running.at("/run/nodesieve/tap.ndjson");
        // Lines come once the filter has seen the request.
        let asked_at = std::time::Instant::now();
        let opened = |text: String| text.lines().last().is_some_and(|line| line.contains("\"tap\":\"open\""));
        while asked_at.elapsed() < LONG
            && !looking.is_finished()
            && !(request.exists() && std::fs::read_to_string(&answers).is_ok_and(opened))
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        write(running, lines);
        looking.join().unwrap()
    })
}

/// Guarantees: each verdict that is asked for is shown once, with its reason and a masked line; counts are those of the records; and a stop
/// in between costs the tap and nothing else.
#[test]
fn verdicts_are_shown_as_they_are_made() {
    let Some(mut running) = start(RULES) else { return };
    let output = tapped(&running, &["--seconds", "6", "--format", "json"], 20);
    let lines: Vec<Value> = out(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |verdict: &str| lines.iter().filter(|line| line["verdict"] == verdict).collect::<Vec<_>>();
    assert!(output.status.success(), "{output:?}");
    assert_eq!((of("kept").len(), of("dropped").len()), (20, 20), "{lines:#?}");
    assert_eq!(
        (&of("dropped")[0]["rule"], &of("dropped")[0]["reason"]),
        (&"noise".into(), &"says nothing".into())
    );
    assert_eq!(
        (&of("kept")[3]["line"], &of("kept")[3]["namespace"]),
        (&"order <*> for <*>".into(), &"shop".into())
    );
    assert_eq!(lines.last().unwrap()["tap"], "closed");

    let output =
        tapped(&running, &["--seconds", "5", "--rule", "noise", "--match", "noise", "--rate", "5"], 200);
    let text = out(&output);
    assert!((5..=25).contains(&text.lines().count()), "{text}");
    assert!(
        text.lines()
            .all(|line| line.contains(" shop/web-1/app dropped by rule noise (says nothing): noise <*>")),
        "{text}"
    );
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("tap: open") && said.contains(" lines lost") && said.contains("tap: closed"),
        "{said}"
    );

    let output = run(&["tap", "--url", &url(&running), "--seconds", "5", "--raw"], "");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(1) && said.contains("tap: refused: read tap request: raw: "),
        "{said}"
    );

    running.restart(End::Terminated).unwrap();
    let output = tapped(&running, &["--seconds", "5", "--format", "json"], 10);
    assert_eq!(
        out(&output).lines().filter(|line| line.contains("\"verdict\"")).count(),
        20,
        "{}",
        out(&output)
    );
    let metrics = running.wait_for(20, LONG).unwrap();
    assert_eq!((metrics.seen(), metrics.kept()), (20, 10));
    let outcome = running.stop().unwrap();
    assert_eq!(outcome.records.len(), 20 + 200 + 10);
}

/// Guarantees: without a section nobody can look, and is told so; two cannot look at once; a reader that goes takes its request along.
#[test]
fn nobody_looks_where_the_rule_file_does_not_say_so_and_one_at_a_time() {
    let Some(running) = start("version: 1\nrules: []\n") else { return };
    let address = running.metadata().unwrap().sidecar.as_ref().unwrap().tap_address().unwrap();
    let mut first = TcpStream::connect(address).unwrap();
    first.write_all(b"GET /tap?seconds=600 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut head = [0; 15];
    first.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    let second = run(&["tap", "--url", &url(&running)], "");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(second.status.code() == Some(2) && said.contains("409 Conflict: another tap is open"), "{said}");
    drop(first);
    let request = running.at("/run/nodesieve/pods/.tap");
    let from = std::time::Instant::now();
    while request.exists() {
        assert!(from.elapsed() < LONG, "the request of a reader that has gone stays");
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = run(&["tap", "--url", &url(&running), "--seconds", "60"], "");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(1) && said.contains("tap: silent: the filter does not answer"),
        "{said}"
    );
    assert!(!running.at("/run/nodesieve/tap.ndjson").exists());
}
