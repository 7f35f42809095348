//! No error is dropped: the shipped rules in a real Fluent Bit, with containers whose errors are hard to recognise.
//!
//! It exists because the rules keep an error only if the filter recognises it and all the lines that belong to it: a padded
//! line is not part of the line before it; a crash report is one report over all its lines, also when its service writes to
//! both streams and other containers write in between.

use crate::fluent_bit::program;
use crate::support;
use host_test::fluent_bit::{MetadataFilter, Running, Setup};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

/// Rounds of every service; a round has one error of each.
const ROUNDS: usize = 300;

const ID: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";

/// A line of a service: whether it has to arrive, the stream, the text.
type Line = (bool, &'static str, String);

/// A container's name, and what it writes in a round.
type Service = (&'static str, fn(usize) -> Vec<Line>);

/// Pads every line with four blanks, as Consul does.
fn agent(round: usize) -> Vec<Line> {
    let time = "2026-11-20T10:00:00.001Z";
    vec![
        (
            false,
            "stdout",
            format!("    {time} [DEBUG] agent.http: Request finished: id={round} latency=1.2ms"),
        ),
        (true, "stdout", format!("    {time} [ERROR] agent: failed to sync remote state: round {round}")),
        (false, "stdout", format!("    {time} [INFO]  agent: Synced check: check=service:web-{round}")),
        (false, "stdout", format!("    {time} [DEBUG] agent: Node info in sync: round={round}")),
    ]
}

/// An exception with a cause, logged and not caught, with the columns of the mistake.
fn python(round: usize) -> Vec<Line> {
    let error = |text: &str| (true, "stderr", text.replace('$', &round.to_string()));
    vec![
        (false, "stdout", format!("2026-11-20 10:00:00,001 - worker - INFO - took job {round}")),
        error("Traceback (most recent call last):"),
        error("  File \"/app/store.py\", line 41, in read"),
        error("    return self.pool.get(timeout=$)"),
        error("           ^^^^^^^^^^^^^^^^^^^^^^^^"),
        error("KeyError: 'pool-$'"),
        error(""),
        error("The above exception was the direct cause of the following exception:"),
        error(""),
        error("Traceback (most recent call last):"),
        error("  File \"/app/main.py\", line 7, in <module>"),
        error("    run($)"),
        error("RuntimeError: job $ failed"),
        (false, "stdout", format!("2026-11-20 10:00:00,002 - worker - DEBUG - job {round} is over")),
    ]
}

/// A trace of a framework that numbers no frame, with what it suppressed and what was the cause.
fn java(round: usize) -> Vec<Line> {
    let error = |text: &str| (true, "stdout", text.replace('$', &round.to_string()));
    vec![
        (
            false,
            "stdout",
            format!("2026-11-20 10:00:00.001  INFO 1 --- [io-8080-exec-1] c.s.Orders : order {round} taken"),
        ),
        error("2026-11-20 10:00:00.002 ERROR 1 --- [io-8080-exec-1] c.s.Orders : order $ failed"),
        error("java.lang.IllegalStateException: order $ is closed"),
        error("\tat com.shop.Orders.pay(Orders.java:41) ~[app.jar:1.0]"),
        error("\tSuppressed: java.io.IOException: stream $"),
        error("\t\tat com.shop.Log.close(Log.java:7)"),
        error("\t\t... 3 common frames omitted"),
        error("Caused by: java.sql.SQLException: no connection"),
        error("\tat com.shop.Db.open(Db.java:12)"),
        error("\t... 21 more"),
        (
            false,
            "stdout",
            format!(
                "2026-11-20 10:00:00.003 DEBUG 1 --- [io-8080-exec-1] c.s.Orders : order {round} is over"
            ),
        ),
    ]
}

/// The texts of a container's records, in the order of arrival.
fn arrived(texts: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for text in texts {
        let record: Value = serde_json::from_str(text).unwrap();
        if let (Some(container), Some(line)) =
            (record["kubernetes"]["container_name"].as_str(), record["log"].as_str())
        {
            lines.entry(container.to_owned()).or_default().push(line.to_owned());
        }
    }
    lines
}

/// What kubelet answers of pods of one container each, which have run for a day.
fn pod_list(names: &[&str]) -> Vec<u8> {
    let pods: Vec<Value> = names
        .iter()
        .map(|name| {
            json!({
                "metadata": { "name": format!("{name}-0"), "namespace": "shop-eu", "uid": name },
                "status": { "containerStatuses": [{
                    "name": name,
                    "containerID": format!("containerd://{ID}"),
                    "state": { "running": { "startedAt": "2026-11-19T10:00:00Z" } },
                }]},
            })
        })
        .collect();
    serde_json::to_vec(&json!({ "items": pods })).unwrap()
}

/// Scenario: the shipped rules; a container that pads its lines, a Python and a Java service, each with an error in each of
/// 300 seconds between lines that the rules thin out.
/// Guarantees: every error and every line of its report arrives, in its order; nearly all debug lines do not.
#[test]
fn every_error_arrives_with_all_its_lines() {
    let Some(fluent_bit) = program() else { return };
    let logs = tempfile::tempdir().unwrap();
    let services: [Service; 3] = [("agent", agent), ("worker", python), ("orders", java)];
    let mut total = 0;
    let mut expected = Vec::new();
    for (name, lines) in services {
        let mut content = String::new();
        let mut errors = Vec::new();
        for round in 0..ROUNDS {
            for (is_error, stream, text) in lines(round) {
                let (minute, second) = (round / 60, round % 60);
                writeln!(content, "2026-11-20T10:{minute:02}:{second:02}.123456789Z {stream} F {text}")
                    .unwrap();
                total += 1;
                if is_error {
                    errors.push(text);
                }
            }
        }
        fs::write(logs.path().join(format!("{name}-0_shop-eu_{name}-{ID}.log")), content).unwrap();
        expected.push((name, errors));
    }
    let mut running = Running::start(Setup {
        fluent_bit: &fluent_bit,
        module: &support::module(),
        conf: &support::conf().join("fluent-bit.yaml"),
        rules: &support::example_rules(),
        logs: logs.path(),
        pod_list: Some(&pod_list(&services.map(|(name, _)| name))),
        filter: MetadataFilter::Nodesieve,
        disk: None,
        elsewhere: None,
        overrides: &[],
    })
    .unwrap();
    running.wait_for(total, Duration::from_secs(60)).unwrap();
    let arrived = arrived(&running.stop().unwrap().texts);
    for (name, errors) in &expected {
        let lines = &arrived[*name];
        let mut rest = lines.iter();
        let missing = errors.iter().find(|error| !rest.any(|line| line == *error));
        assert_eq!(missing, None, "{name}: {} of {} lines arrived", lines.len(), errors.len());
        let debug = lines.iter().filter(|line| line.contains("DEBUG")).count();
        assert!(debug < ROUNDS / 4, "{name}: {debug} debug lines");
    }
}
