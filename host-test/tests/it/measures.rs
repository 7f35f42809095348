//! Measures and volume in a real Fluent Bit: what they count adds up over reload, SIGTERM and kill, and changes nothing else.

use crate::{fluent_bit, support};
use host_test::fluent_bit::{End, FilterMetrics, LOGS, Running};
use nodesieve_sidecar::exposition::samples;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// The sum of a metric over its series, of those with this label.
fn sum(metrics: &FilterMetrics, name: &str, label: &str) -> u64 {
    let found = samples(metrics.text()).filter(|sample| sample.name == name && sample.series.contains(label));
    found.map(|sample| sample.value as u64).sum()
}

const REQUESTS: &str = "nodesieve_measure_requests_total";
const LATENCY: &str = "nodesieve_measure_latency_ms_count";
const VOLUME: &str = "nodesieve_volume_records_total";

/// A rule file that drops what it measures; `more` is a change that concerns neither.
fn rules(more: &str) -> String {
    format!(
        "version: 1\nmetrics: {{ every: 1s }}\ndefaults: {{ summary: 2s }}\nvolume: {{}}\nmeasure:\n\
         - {{ name: requests, when: {{ message: '{{ $.status = * }}' }}, counter: {{}}, by: [namespace, $.status class] }}\n\
         - {{ name: latency, when: {{ message: '{{ $.status = * }}' }}, histogram: {{ of: $.ms, unit: ms, buckets: [10, 100] }} }}\n\
         rules:\n- {{ name: requests, when: {{ message: '{{ $.status = * }}' }}, drop: {{}}, reason: measured }}\n{more}"
    )
}

/// Appends so many lines to a container's log, of which each third is no request; how many requests.
fn write(running: &Running, from: u64, lines: u64) -> u64 {
    let path = running.at(LOGS).join(format!("web-1_shop_app-{:064x}.log", 7));
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let mut requests = 0;
    for n in from..from + lines {
        let line = match n % 3 {
            0 => format!("line {n}"),
            _ => {
                format!(r#"{{"status":{},"ms":{},"trace_id":"{:032x}"}}"#, 200 + n % 2 * 300, n % 200, n + 1)
            }
        };
        requests += u64::from(n % 3 != 0);
        file.write_all(format!("2026-11-20T10:00:00.{:09}Z stdout F {line}\n", n).as_bytes()).unwrap();
    }
    requests
}

/// Waits until the metrics file has all of this.
#[track_caller]
fn wait(running: &mut Running, what: &str, requests: u64, records: u64) -> FilterMetrics {
    let is_there = |metrics: &FilterMetrics| {
        sum(metrics, REQUESTS, "") >= requests && sum(metrics, VOLUME, "") >= records
    };
    running.wait_until(what, is_there, LONG).unwrap()
}

/// Scenario: lines, a reload, lines, SIGTERM and a start, lines, a kill and a start, lines; between any two, what has come is shown.
/// Guarantees: no number that was shown goes back, all lines are counted, those of a kill at most as often as the filter has seen them, and
/// summaries account for what was dropped as ever.
#[test]
fn what_is_measured_adds_up_over_reload_sigterm_and_kill() {
    let Some(program) = fluent_bit::program() else { return };
    let logs = tempfile::tempdir().unwrap();
    let mut running = fluent_bit::start(
        &program,
        &support::module(),
        &support::conf().join("fluent-bit.yaml"),
        &rules(""),
        logs.path(),
        None,
    );
    let mut requests = write(&running, 0, 3000);
    let before = wait(&mut running, "measure the first lines", requests, 3000).get("nodesieve_reloads_total");

    running.put_rules(&rules("- { name: never, when: { message: never }, keep: {} }\n")).unwrap();
    let reloaded = |metrics: &FilterMetrics| metrics.get("nodesieve_reloads_total") > before;
    running.wait_until("reload", reloaded, LONG).unwrap();
    requests += write(&running, 3000, 3000);
    let metrics = wait(&mut running, "measure over a reload", requests, 6000);
    assert_eq!((sum(&metrics, REQUESTS, ""), sum(&metrics, LATENCY, "")), (requests, requests));
    assert_eq!(sum(&metrics, REQUESTS, "status=\"5xx\""), requests / 2);
    assert_eq!(sum(&metrics, VOLUME, ""), 6000);
    assert_eq!(sum(&metrics, VOLUME, "outcome=\"dropped\""), requests);
    assert_eq!(metrics.get("nodesieve_records_dropped_total"), Some(requests));

    running.restart(End::Terminated).unwrap();
    requests += write(&running, 6000, 3000);
    let metrics = wait(&mut running, "measure over a restart", requests, 9000);
    assert_eq!((sum(&metrics, REQUESTS, ""), sum(&metrics, VOLUME, "")), (requests, 9000));

    running.restart(End::Killed).unwrap();
    let first = write(&running, 9000, 3000);
    let metrics = wait(&mut running, "measure over a kill", requests + first, 12_000);
    // What tail had read and not noted is read again.
    let seen = metrics.seen();
    assert!(seen >= 3000, "{seen}");
    assert_eq!(sum(&metrics, VOLUME, ""), 9000 + seen);
    assert_eq!(
        sum(&metrics, REQUESTS, ""),
        requests + metrics.get("nodesieve_records_dropped_total").unwrap()
    );
    crate::sidecar::running::parse_with_prometheus(metrics.text());
    // The slowest of the last minute, with its trace.
    let openmetrics = nodesieve_sidecar::exposition::openmetrics(metrics.text()).unwrap();
    let exemplar = openmetrics.lines().find(|line| line.contains(" # {trace_id=\"")).unwrap();
    assert!(
        exemplar.starts_with("nodesieve_measure_latency_ms_bucket{le=\"+Inf\"} ")
            && exemplar.contains("\"} 199 "),
        "{exemplar}"
    );
    read_as_openmetrics(&openmetrics);
    let outcome = running.stop().unwrap();
    let mut copies = BTreeSet::new();
    let mut told = 0;
    for summary in outcome.summaries.iter().map(|record| &record["nodesieve"]) {
        if copies.insert((summary["instance"].to_string(), summary["sequence"].to_string())) {
            told += summary["volume"].as_array().into_iter().flatten().map(records_of).sum::<u64>();
        }
    }
    assert!((3000..=9000 + seen).contains(&told), "summaries say who made what, nothing twice: {told}");
}

fn records_of(entry: &serde_json::Value) -> u64 {
    assert_eq!(entry["namespace"], "shop");
    entry["kept"].as_u64().unwrap() + entry["dropped"].as_u64().unwrap()
}

/// Guarantees: a replay of the shipped rule file shows what it has measured, in text, JSON and the page, and all of it.
#[test]
fn a_replay_shows_what_was_measured() {
    let rules = support::conf().join("rules/measure.yaml").display().to_string();
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("report.html").display().to_string();
    let output = crate::command_line::run(&["replay", "--rules", &rules, "--report", &page], "");
    let text = crate::command_line::out(&output);
    let series =
        "nodesieve_measure_requests_total{namespace=\"shop-eu\",workload=\"catalog\",status=\"5xx\"}";
    let line = text.lines().find(|line| line.starts_with(series)).unwrap_or_else(|| panic!("{text}"));
    assert_eq!(line.split_whitespace().last(), Some("47"));
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("nodesieve_measure_requests_total{namespace=&quot;shop-eu&quot;"), "escaped");
    let output = crate::command_line::run(&["replay", "--rules", &rules, "--format", "json"], "");
    let told: serde_json::Value = serde_json::from_str(crate::command_line::out(&output)).unwrap();
    let measured = told["measured"].as_array().unwrap();
    let requests = measured
        .iter()
        .filter(|one| one["series"].as_str().unwrap().starts_with("nodesieve_measure_requests_total"));
    assert_eq!(requests.map(|one| one["value"].as_f64().unwrap()).sum::<f64>(), 1440.0);
}

/// Reads OpenMetrics with the strict parser of Prometheus' own Python client, where that is installed.
fn read_as_openmetrics(text: &str) {
    let script = "import sys\nfrom prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n\
        found = [s for f in parse(sys.stdin.read()) for s in f.samples]\n\
        print(sum(1 for s in found if s.exemplar), len(found))";
    let has = std::process::Command::new("python3").args(["-c", "import prometheus_client"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        return support::skip("prometheus-client", "no python3 with prometheus_client");
    }
    let mut child = std::process::Command::new("python3")
        .args(["-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    let samples = text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(told.trim(), format!("1 {samples}"));
}
