//! The last layer: a real Fluent Bit loads the compiled filter with the shipped configuration.
//!
//! Skipped where there is none. Each run has its own ports and directories, and nothing here measures time, so they run side by side.

use crate::images;
use crate::moto::Moto;
use crate::support;
use host_test::compare::{Destination, Difference, ORDER_INDEPENDENT, RunComparison};
use host_test::fluent_bit::{self, LOGS, MetadataFilter, PODS, Running, Setup};
use nodesieve_engine::config;
use nodesieve_launcher::MODULE_VARIABLE;
use nodesieve_preview::billing::Bill;
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(120);
const SEEN: u64 = 20_074;

pub(crate) fn program() -> Option<PathBuf> {
    let program = fluent_bit::find();
    if program.is_none() {
        support::skip("fluent-bit", "no fluent-bit");
    }
    program
}

fn compare(program: &Path, conf: &str, source: &str, overrides: &[(&str, &str)]) -> Difference {
    compare_at(program, None, conf, source, overrides, || None)
}

pub(crate) fn compare_at(
    program: &Path,
    ahead_of_time: Option<&Path>,
    conf: &str,
    source: &str,
    overrides: &[(&str, &str)],
    destination: impl Fn() -> Option<Moto>,
) -> Difference {
    let directory = support::conf();
    let pod_list = fs::read(directory.join("samples/podlist.json")).unwrap();
    let rules = config::load(source).unwrap().rules;
    // Fluent Bit sends out what it has of an unfinished line every 4 s: where that falls between two parts of a line it is two records.
    // Lines of many parts have a test of their own.
    let (logs, _) = logs_of_whole_lines();
    let comparison = RunComparison {
        fluent_bit: program,
        module: &support::module(),
        ahead_of_time,
        conf: &directory.join(conf),
        source,
        rules: &rules,
        logs: logs.path(),
        pod_list: &pod_list,
        overrides,
        timeout: LONG,
    };
    let destination = destination();
    comparison.run_to(destination.as_ref().map(|moto| moto as &dyn Destination)).unwrap()
}

/// Guarantees: Fluent Bit knows every key of both files as they are shipped.
#[test]
fn fluent_bit_reads_both_configurations_without_a_complaint() {
    let Some(program) = program() else { return };
    let directory = tempfile::tempdir().unwrap();
    let dry_run = |path: &Path| {
        let output = Command::new(&program)
            .args(["--dry-run", "-c"])
            .arg(path)
            .envs([("AWS_REGION", "us-east-1"), ("DELIVERY_STREAM", "s"), ("NODE_NAME", "n")])
            .env(MODULE_VARIABLE, support::module())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    let here = directory.path().display().to_string();
    for name in ["fluent-bit.yaml", "fluent-bit.conf"] {
        // Even a dry run looks for the module and the directories that it may see.
        let shipped = fs::read_to_string(support::conf().join(name))
            .unwrap()
            .replace("/etc/nodesieve,/run/nodesieve,/var/lib/nodesieve/filter", &here);
        let path = directory.path().join(name);
        fs::write(&path, &shipped).unwrap();
        let (is_well, said) = dry_run(&path);
        assert!(is_well && !said.contains("[error]") && !said.contains("[ warn]"), "{name}: {said}");
        fs::write(&path, shipped.replace("rotate_wait", "rotate_await")).unwrap();
        assert!(!dry_run(&path).0, "{name}: a key that is none is refused");
    }
}

#[test]
fn delivers_exactly_what_the_replay_predicts() {
    let Some(program) = program() else { return };
    let difference = compare(&program, "fluent-bit.yaml", ORDER_INDEPENDENT, &[]);
    assert!(difference.exact && difference.is_well(), "{difference:#?}");
    assert!(difference.dropped > 1000 && difference.delivered > 1000, "{difference:#?}");
}

/// Guarantees: a Firehose that is not our fake takes what is sent, and its object in S3 has the lines that were kept and
/// no others.
#[test]
fn the_objects_in_s3_have_exactly_the_kept_lines() {
    let Some(program) = program() else { return };
    if !Moto::is_installed() {
        return;
    }
    let difference =
        compare_at(&program, None, "fluent-bit.yaml", ORDER_INDEPENDENT, &[], || Some(Moto::start()));
    assert!(difference.exact && difference.is_well(), "{difference:#?}");
    assert!(difference.dropped > 1000 && difference.delivered > 1000, "{difference:#?}");
}

/// Guarantees: the module that the Dockerfile's own command compiles ahead of time decides and delivers the same.
#[test]
fn the_module_as_machine_code_delivers_the_same() {
    let Some(program) = program() else { return };
    let Some(code) = images::machine_code(images::this_architecture()) else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("nodesieve.aot");
    fs::write(&file, code).unwrap();
    let difference = compare_at(&program, Some(&file), "fluent-bit.yaml", ORDER_INDEPENDENT, &[], || None);
    assert!(difference.exact && difference.is_well(), "{difference:#?}");
    assert!(difference.dropped > 1000 && difference.delivered > 1000, "{difference:#?}");
}

#[test]
fn the_classic_twin_on_the_default_stack_delivers_the_same() {
    let Some(program) = program() else { return };
    let difference = compare(&program, "fluent-bit.conf", ORDER_INDEPENDENT, &[("wasm_stack_size", "8192")]);
    assert!(difference.exact && difference.is_well(), "{difference:#?}");
}

#[test]
fn the_shipped_rules_conserve_counts() {
    let Some(program) = program() else { return };
    let source = support::example_rules();
    let difference = compare(&program, "fluent-bit.yaml", &source, &[]);
    assert!(!difference.exact && difference.is_well(), "{difference:#?}");
    let apart = difference.kept.abs_diff(difference.expected);
    assert!(apart < 200, "chance moves a few records, not {apart}: {difference:#?}");
}

/// The shipped pipeline with these rules, and a sidecar where there is a pod list.
pub(crate) fn start<'a>(
    program: &'a Path,
    module: &'a Path,
    conf: &'a Path,
    rules: &'a str,
    logs: &'a Path,
    pod_list: Option<&'a [u8]>,
) -> Running {
    Running::start(Setup {
        fluent_bit: program,
        module,
        conf,
        rules,
        logs,
        pod_list,
        filter: MetadataFilter::Nodesieve,
        disk: None,
        elsewhere: None,
        overrides: &[],
    })
    .unwrap()
}

/// The sample logs and how many lines they have, but for the container with lines of many parts: see `compare_at`.
pub(crate) fn logs_of_whole_lines() -> (tempfile::TempDir, u64) {
    let logs = tempfile::tempdir().unwrap();
    let mut lines = 0;
    for entry in fs::read_dir(support::conf().join("samples/containers")).unwrap() {
        let path = entry.unwrap().path();
        let content = fs::read_to_string(&path).unwrap();
        if !content.contains(" P ") {
            lines += content.lines().count() as u64;
            fs::write(logs.path().join(path.file_name().unwrap()), content).unwrap();
        }
    }
    (logs, lines)
}

/// Appends to every log what it holds.
fn write_all_again(running: &Running) {
    for entry in fs::read_dir(running.at(LOGS)).unwrap() {
        let path = entry.unwrap().path();
        let again = fs::read(&path).unwrap();
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&again).unwrap();
    }
}

/// Writes a line as containerd does: parts of 16 KiB, the last one marked `F`.
fn write_line(file: &Path, line: &str) {
    let mut content = String::new();
    let parts: Vec<&[u8]> = line.as_bytes().chunks(16 * 1024).collect();
    for (index, part) in parts.iter().enumerate() {
        let flag = if index + 1 == parts.len() { 'F' } else { 'P' };
        content.push_str(&format!(
            "2026-11-20T10:00:00.000000001Z stdout {flag} {}\n",
            String::from_utf8_lossy(part)
        ));
    }
    fs::write(file, content).unwrap();
}

#[test]
fn large_records_arrive_and_those_over_the_limit_are_cut_and_marked() {
    let Some(program) = program() else { return };
    let logs = tempfile::tempdir().unwrap();
    let overhead = r#"{"time":"2026-11-20T10:00:00.000000001Z","stream":"stdout","_p":"P","log":""}"#.len();
    for (name, size) in [("a", 999_000), ("b", 1_024_000), ("c", 3_000_000)] {
        write_line(
            &logs.path().join(format!("{name}_n_app-{}.log", "0a".repeat(32))),
            &name.repeat(size - overhead),
        );
    }
    // Escaped, as Fluent Bit does unless told otherwise, it would have three times its size, and be cut.
    let in_two_bytes = "ü".repeat(490_000);
    write_line(&logs.path().join(format!("u_n_app-{}.log", "0a".repeat(32))), &in_two_bytes);
    let (module, conf) = (support::module(), support::conf().join("fluent-bit.yaml"));
    let mut running = start(&program, &module, &conf, "version: 1\n", logs.path(), None);
    running.wait_for(4, LONG).unwrap();
    let outcome = running.stop().unwrap();
    let find =
        |pod: &str| outcome.records.iter().find(|record| record["kubernetes"]["pod_name"] == pod).unwrap();
    assert_eq!(outcome.records.len(), 4, "{}", outcome.log);
    assert!(find("u")["log"] == in_two_bytes && find("u").get("truncated").is_none());
    assert_eq!(find("a")["log"].as_str().unwrap().len(), 999_000 - overhead);
    assert_eq!(find("a").get("truncated"), None);
    for (pod, size) in [("b", 1_024_000u64), ("c", 3_000_000)] {
        let record = find(pod);
        assert!(record["truncated"].as_u64().unwrap() >= size, "{pod}");
        assert!((990_000..1_000_000).contains(&record["log"].as_str().unwrap().len()), "{pod}");
    }
}

/// Scenario: the sample logs; then the rule file is swapped as a ConfigMap is, the pods directory is removed, and all
/// logs are written once more.
/// Guarantees: counters continue over chunks, the new rules decide, and not one record is more or less.
#[test]
fn state_lives_over_chunks_and_changes_on_disk_cost_no_record() {
    let Some(program) = program() else { return };
    let pod_list = fs::read(support::conf().join("samples/podlist.json")).unwrap();
    let (logs, lines) = logs_of_whole_lines();
    let rules =
        "version: 1\nrules: [{ name: shop, when: { namespace: 'shop-*' }, drop: {}, reason: test }]\n";
    let (module, conf) = (support::module(), support::conf().join("fluent-bit.yaml"));
    let mut running = start(&program, &module, &conf, rules, logs.path(), Some(&pod_list));
    let first = running.wait_for(lines, LONG).unwrap();
    assert!(first.get("nodesieve_rule_dropped_total{rule=\"shop\",stage=\"rule\"}").unwrap() > 1000);

    let swapped = rules.replace("shop-*", "payments").replace("name: shop", "name: pay");
    running.put_rules(&swapped).unwrap();
    running
        .wait_until("take the new rules", |metrics| metrics.get("nodesieve_reloads_total") == Some(2), LONG)
        .unwrap();
    fs::remove_dir_all(running.at(PODS)).unwrap();
    write_all_again(&running);
    let second = running.wait_for(2 * lines, LONG).unwrap();
    let outcome = running.stop().unwrap();
    assert_eq!((second.seen(), second.get("nodesieve_pass_through")), (2 * lines, Some(0)));
    assert!(second.get("nodesieve_rule_dropped_total{rule=\"pay\",stage=\"rule\"}").unwrap() > 1000);
    assert_eq!(outcome.records.len() as u64, outcome.metrics.kept());
    assert_eq!(outcome.metrics.get("nodesieve_tick_seen"), Some(1));
}

/// Scenario: three containers write two lines each, four times, each time when what was before has arrived.
/// Guarantees: what a container writes between two flushes is one billed record, two containers or two flushes share none: as a
/// replay bills them.
#[test]
fn a_container_s_lines_between_two_flushes_are_one_billed_record() {
    let Some(program) = program() else { return };
    let logs = tempfile::tempdir().unwrap();
    let (module, conf) = (support::module(), support::conf().join("fluent-bit.yaml"));
    let running = start(&program, &module, &conf, "version: 1\n", logs.path(), None);
    let mut bill = Bill::new(1);
    for round in 1..=4u64 {
        for container in ["a", "b", "c"] {
            let name = format!("p_n_{container}-{:064}.log", 0);
            let mut file =
                fs::OpenOptions::new().create(true).append(true).open(running.at(LOGS).join(&name)).unwrap();
            file.write_all("2026-11-20T10:00:00.000000001Z stdout F line\n".repeat(2).as_bytes()).unwrap();
            (0..2).for_each(|_| bill.add(&name, round, 100));
        }
        assert!(
            running.firehose().wait_until(|received| received.records >= 3 * round, LONG),
            "round {round}"
        );
    }
    let outcome = running.stop().unwrap();
    assert_eq!((outcome.records.len(), outcome.received.records), (24, 12));
    assert_eq!(outcome.received.billed_bytes, bill.aggregated());
}

#[test]
fn an_outage_of_firehose_loses_nothing() {
    let Some(program) = program() else { return };
    let (module, conf) = (support::module(), support::conf().join("fluent-bit.yaml"));
    let logs = support::conf().join("samples/containers");
    let setup = Setup {
        fluent_bit: &program,
        module: &module,
        conf: &conf,
        rules: "version: 1\n",
        logs: &logs,
        pod_list: None,
        filter: MetadataFilter::Nodesieve,
        disk: None,
        elsewhere: None,
        overrides: &[("scheduler.cap", "5")],
    };
    let mut running = Running::start(setup).unwrap();
    running.firehose().set_fault(host_test::firehose::FirehoseFault::Unavailable);
    let seen = running.wait_for(SEEN, LONG).unwrap().seen();
    assert!(running.firehose().wait_until(|received| received.rejected_calls > 20, LONG));
    running.firehose().set_fault(host_test::firehose::FirehoseFault::None);
    let outcome = running.stop().unwrap();
    let lines: Vec<&Value> = outcome.records.iter().collect();
    assert!(lines.len() as u64 >= seen, "{} of {seen}", lines.len());
}

/// Scenario: the sample logs under policies that drop by count, by time and by chance, with a summary every two seconds.
/// Guarantees: summaries arrive at Firehose through the tick, and what is delivered accounts for every line on disk.
#[test]
fn delivered_counts_and_summaries_account_for_every_line() {
    let Some(program) = program() else { return };
    let (logs, lines) = logs_of_whole_lines();
    let rules = "version: 1\ndefaults: { summary: 2s }\n\
        guards: [{ name: errors, when: { severity: '>=error' }, ceiling: { rate: 5/s, by: pod } }]\n\
        rules:\n\
        - { name: probes, when: { message: '\"kube-probe\"' }, drop: {}, reason: test }\n\
        - { name: shop, when: { namespace: shop-* }, first: { n: 10, per: 10s, then: 1/10, by: [pod, template] } }\n\
        - { name: pay, when: { namespace: payments }, limit: { rate: 20/s, burst: 50, by: container } }\n\
        - { name: dns, when: { container: coredns }, dedup: { window: 5s } }\n\
        - { name: tenants, when: { namespace: tenant-* }, target: { rate: 2/s, by: template, interval: 2s } }\n\
        - { name: paid, when: { namespace: ingress }, budget: { spend: 50kB/day, by: pod } }\n\
        - { name: rest, sample: { rate: 1/3 } }\n\
        tests:\n\
        - { record: { log: 'a $n', kubernetes: { namespace_name: shop-eu } }, repeat: { n: 110 }, expect: { rule: shop, kept: 20 } }\n\
        - { record: { log: x, kubernetes: { namespace_name: tenant-a } }, repeat: { n: 10 }, expect: { rule: tenants } }\n\
        - { record: { log: '{\"message\":\"a 7\"}', kubernetes: { container_name: coredns } }, repeat: { n: 2 }, expect: { kept: 1 } }\n";
    let (module, conf) = (support::module(), support::conf().join("fluent-bit.yaml"));
    let setup = Setup {
        fluent_bit: &program,
        module: &module,
        conf: &conf,
        rules,
        logs: logs.path(),
        pod_list: None,
        filter: MetadataFilter::Nodesieve,
        disk: None,
        elsewhere: None,
        // Fluent Bit's default is 8192, and the tests of the file run on it too: a kilobyte has to be left.
        overrides: &[("wasm_stack_size", "7168")],
    };
    let mut running = Running::start(setup).unwrap();
    let summed_up = |summaries: u64| {
        move |metrics: &fluent_bit::FilterMetrics| {
            let metric = |name| metrics.get(name).unwrap_or_default();
            metric("nodesieve_summaries_total") >= summaries && metric("nodesieve_records_open") == 0
        }
    };
    running.wait_for(lines, LONG).unwrap();
    running.wait_until("sum up", summed_up(1), LONG).unwrap();
    write_all_again(&running);
    let lines = 2 * lines;
    running.wait_for(lines, LONG).unwrap();
    running.wait_until("sum up again", summed_up(2), LONG).unwrap();
    let outcome = running.stop().unwrap();
    let metric = |name: &str| outcome.metrics.get(name).unwrap();
    assert_eq!(metric("nodesieve_records_seen_total"), lines);
    assert_eq!(outcome.records.len() as u64, outcome.metrics.kept());
    let reported = &outcome.reported;
    assert!(reported.summaries >= 2 && reported.counted > 100 && reported.summarised > 1000, "{reported:?}");
    assert_eq!(
        reported.records + reported.counted + reported.summarised + metric("nodesieve_records_open"),
        lines,
        "{reported:?}"
    );
    assert_eq!(metric("nodesieve_records_summarised_total"), reported.summarised);
    assert_eq!(metric("nodesieve_state_failed_total"), 0);
    for rule in ["probes", "shop", "pay", "dns", "tenants", "paid", "rest"] {
        assert!(
            metric(&format!("nodesieve_rule_dropped_total{{rule=\"{rule}\",stage=\"rule\"}}")) > 0,
            "{rule}"
        );
    }
}

/// Scenario: every line is dropped and summed up; Fluent Bit is killed as soon as there is a summary, which may have been
/// delivered or not, so it is sent again after the start.
/// Guarantees: what arrives, each summary counted once, accounts for every line.
#[test]
fn a_summary_in_doubt_is_sent_again_after_a_kill_and_accounts_for_every_line() {
    let Some(program) = program() else { return };
    let (logs, lines) = logs_of_whole_lines();
    let rules = "version: 1\ndefaults: { summary: 2s }\nrules: [{ name: all, drop: {}, reason: test }]\n";
    let (module, conf) = (support::module(), support::conf().join("fluent-bit.yaml"));
    let mut running = start(&program, &module, &conf, rules, logs.path(), None);
    let is_told = |metrics: &fluent_bit::FilterMetrics| {
        metrics.get("nodesieve_summaries_total").is_some_and(|count| count > 0)
            && metrics.get("nodesieve_records_open") == Some(0)
    };
    running.wait_for(lines, LONG).unwrap();
    running.wait_until("sum up", is_told, LONG).unwrap();
    running.restart(fluent_bit::End::Killed).unwrap();
    running
        .wait_until(
            "start again",
            |metrics| metrics.seen() == 0 && metrics.get("nodesieve_ticks_total") > Some(3),
            LONG,
        )
        .unwrap();
    let outcome = running.stop().unwrap();
    assert_eq!((outcome.records.len(), outcome.reported.summarised), (0, lines), "{}", outcome.log);
}
