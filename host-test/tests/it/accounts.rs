//! A real Fluent Bit that is ended and started again under load: counts of what is delivered + summaries + what is not reported yet
//! are the lines on disk.
//!
//! Skipped where there is no Fluent Bit.

use crate::fluent_bit::program;
use crate::support;
use host_test::fluent_bit::{End, FilterMetrics, LOGS, MetadataFilter, RunOutcome, Running, Setup};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

/// Policies that report by counts and by summaries.
const RULES: &str = "version: 1\ndefaults: { summary: 3s }\nrules:\n\
    - { name: some, when: { container: app0 }, limit: { rate: 1/s, by: container } }\n\
    - { name: few, when: { container: app1 }, first: { n: 1, per: 2s, by: container } }\n\
    - { name: gone, when: { container: app2 }, drop: {}, reason: test }\n";
const ROUNDS: u64 = 8;
/// 500 lines a second, for a second and a half each round.
const STEPS: u64 = 15;
const LINES_A_STEP: u64 = 50;
const LONG: Duration = Duration::from_secs(60);

/// Writes so many lines, over three containers; one in fifty comes in parts.
fn write(running: &Running, step: u64) {
    for container in 0..3 {
        let mut text = String::new();
        for n in (0..LINES_A_STEP).filter(|n| n % 3 == container) {
            let stamp = "2026-11-20T10:00:00.000000001Z stdout";
            if n == 7 {
                text.push_str(&format!("{stamp} P {}\n{stamp} P {}\n", "a".repeat(1000), "b".repeat(1000)));
            }
            text.push_str(&format!("{stamp} F line {n} of step {step}\n"));
        }
        let path = running.at(LOGS).join(format!("web-1_shop_app{container}-{}.log", "0a".repeat(32)));
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}

fn run(mut each_round: impl FnMut(&mut Running, u64)) -> Option<(RunOutcome, u64)> {
    let program = program()?;
    let logs = tempfile::tempdir().unwrap();
    let (module, conf) = (support::module(), support::conf().join("fluent-bit.yaml"));
    let mut running = Running::start(Setup {
        fluent_bit: &program,
        module: &module,
        conf: &conf,
        rules: RULES,
        logs: logs.path(),
        pod_list: None,
        filter: MetadataFilter::Nodesieve,
        disk: None,
        elsewhere: None,
        overrides: &[("refresh_interval", "1"), ("flush", "1"), ("grace", "5")],
    })
    .unwrap();
    let mut lines = 0;
    for round in 0..ROUNDS {
        for step in 0..STEPS {
            write(&running, step);
            lines += LINES_A_STEP;
            if step == STEPS / 2 {
                each_round(&mut running, round);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    // What earlier lives have left is taken over within some seconds, and then all of it is summed up.
    std::thread::sleep(Duration::from_secs(8));
    let is_told = |metrics: &FilterMetrics| metrics.get("nodesieve_records_open") == Some(0);
    running.wait_until("sum up", is_told, LONG).unwrap();
    let outcome = running.stop().unwrap();
    assert_eq!(outcome.metrics.get("nodesieve_state_failed_total"), Some(0));
    assert_eq!(outcome.metrics.get("nodesieve_pass_through"), Some(0));
    Some((outcome, lines))
}

/// What the delivered records, the summaries and the filter's own number say. When Fluent Bit ends while tail has read a part of a
/// line, it delivers that part by itself, and past all filters: those are no lines.
fn accounted(outcome: &RunOutcome) -> u64 {
    let reported = &outcome.reported;
    let is_part = |record: &&serde_json::Value| !record["log"].as_str().unwrap_or_default().contains("line ");
    let parts = outcome.records.iter().filter(is_part).count() as u64;
    let sum = reported.records + reported.counted + reported.summarised - parts;
    sum + outcome.metrics.get("nodesieve_records_open").unwrap()
}

#[test]
fn counts_are_exact_over_eight_rollouts_under_load() {
    let Some((outcome, lines)) = run(|running, _| running.restart(End::Terminated).unwrap()) else { return };
    eprintln!("{lines} lines, {} accounted, {:?}", accounted(&outcome), outcome.reported);
    assert_eq!(accounted(&outcome), lines, "{:?}", outcome.reported);
}

/// A kill repeats or loses what tail was just reading: at most what it takes from each file in one go.
#[test]
fn counts_are_nearly_exact_over_eight_kills_under_load() {
    let Some((outcome, lines)) = run(|running, _| running.restart(End::Killed).unwrap()) else { return };
    eprintln!("{lines} lines, {} accounted, {:?}", accounted(&outcome), outcome.reported);
    assert!(accounted(&outcome).abs_diff(lines) <= ROUNDS * 3 * LINES_A_STEP, "{:?}", outcome.reported);
}

#[test]
fn counts_are_exact_over_eight_reloads_under_load() {
    let others = RULES.replace("name: some", "name: others").replace("n: 1,", "n: 2,");
    let reload = |running: &mut Running, round: u64| {
        running.put_rules(if round.is_multiple_of(2) { &others } else { RULES }).unwrap();
    };
    let Some((outcome, lines)) = run(reload) else { return };
    eprintln!("{lines} lines, {} accounted, {:?}", accounted(&outcome), outcome.reported);
    assert!(outcome.metrics.get("nodesieve_reloads_total") >= Some(ROUNDS), "{:?}", outcome.metrics.text());
    assert_eq!(accounted(&outcome), lines, "{:?}", outcome.reported);
    assert_eq!(outcome.metrics.seen(), lines);
}
