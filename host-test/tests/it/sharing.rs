//! Redaction, lifts, recalls and teams in a real Fluent Bit and in a replay: nothing leaves that must not, and all counts add up.

use crate::{fluent_bit, support};
use host_test::bench::{BenchPath, FuelBench};
use host_test::fluent_bit::{End, FilterMetrics, LOGS, Running};
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// Appends lines to a container's log.
fn write<'l>(running: &Running, namespace: &str, lines: impl IntoIterator<Item = &'l str>) -> u64 {
    let path = running.at(LOGS).join(format!("web-1_{namespace}_app-{:064x}.log", 7));
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let mut count = 0;
    for line in lines {
        file.write_all(format!("2026-11-20T10:00:00.{count:09}Z stdout F {line}\n").as_bytes()).unwrap();
        count += 1;
    }
    count
}

fn start(program: &std::path::Path, rules: &str, logs: &std::path::Path) -> Running {
    let conf = support::conf().join("fluent-bit.yaml");
    fluent_bit::start(program, &support::module(), &conf, rules, logs, None)
}

/// Scenario: all lines of the corpus through the shipped pipeline, a private key over several of them.
/// Guarantees: no hit leaves the node, in records, in summaries or in metrics, and none is in Fluent Bit's log; every line arrives.
#[test]
fn no_secret_of_the_corpus_leaves_a_real_fluent_bit() {
    let Some(program) = fluent_bit::program() else { return };
    let samples = crate::redaction::corpus();
    let logs = tempfile::tempdir().unwrap();
    let redact = "redact: [{ name: it, kind: [email, ipv4, ipv6, credit_card, aws_key, jwt, bearer_token, private_key] }]\n";
    let rules = format!(
        "version: 1\nmetrics: {{ every: 1s }}\ndefaults: {{ summary: 2s }}\nmeasure: [{{ name: users, counter: {{}}, by: $.email }}]\n{redact}\
         rules: [{{ name: some, when: {{ namespace: dropped }}, first: {{ n: 3, per: 1h, by: $.email }} }}]\n"
    );
    let mut running = start(&program, &rules, logs.path());
    let lines: Vec<&str> = samples.iter().flat_map(|sample| sample.line.lines()).collect();
    // Those that are dropped become examples and labels.
    let total =
        write(&running, "shop", lines.iter().copied()) + write(&running, "dropped", lines.iter().copied());
    let seen = |metrics: &FilterMetrics| metrics.seen() >= total;
    running.wait_until("see all lines", seen, LONG).unwrap();
    let is_told = |metrics: &FilterMetrics| {
        metrics.get("nodesieve_records_open") == Some(0) && metrics.get("nodesieve_summaries_total") > Some(0)
    };
    running.wait_until("sum up", is_told, LONG).unwrap();
    let outcome = running.stop().unwrap();
    let summaries: String = outcome.summaries.iter().map(Value::to_string).collect();
    assert!(
        !outcome.summaries.is_empty() && outcome.metrics.get("nodesieve_records_redacted_total") > Some(100)
    );
    // Warnings about kinds give examples of their own.
    let log: String = outcome.log.lines().filter(|line| !line.contains("also hits")).collect();
    let everything = crate::redaction::resolved(&outcome.texts.join("\n"))
        + &crate::redaction::resolved(&summaries)
        + outcome.metrics.text()
        + &log;
    // What stands in a near miss, such as an address in a longer row of numbers, is no secret.
    let mut alone = crate::redaction::engine(redact);
    let near: String = lines.iter().map(|line| crate::redaction::filtered(&mut alone, line).1).collect();
    let near = crate::redaction::resolved(&near);
    let hits = samples
        .iter()
        .flat_map(|sample| &sample.hits)
        .filter(|hit| !hit.contains('\n') && !near.contains(hit.as_str()));
    let mut checked = 0;
    for hit in hits {
        assert!(!everything.contains(hit.as_str()), "{hit}");
        checked += 1;
    }
    assert!(checked > 350, "{checked}");
    assert_eq!(
        outcome.reported.records
            + outcome.reported.counted
            + outcome.reported.summarised
            + outcome.metrics.get("nodesieve_records_open").unwrap(),
        total
    );
}

/// Scenario: noise that is dropped, sampled lines, and now and then an error; a reload, a SIGTERM and a start, a kill and a start.
/// Guarantees: every line is kept, recalled, counted or summed up once; what came back is marked, and what was held at an end is dropped.
#[test]
fn recalled_lines_move_from_dropped_to_kept_once_over_reload_restart_and_kill() {
    let Some(program) = fluent_bit::program() else { return };
    let logs = tempfile::tempdir().unwrap();
    let rules = |more: &str| {
        format!(
            "version: 1\nmetrics: {{ every: 1s }}\ndefaults: {{ summary: 2s }}\n\
             guards: [{{ name: errors, when: {{ message: ERROR }}, ceiling: {{ rate: 100/s }}, lift: {{ for: 1s, rate: 5/s }}, recall: {{ lines: 10, bytes: 8KiB }} }}]\n\
             rules:\n- {{ name: noise, when: {{ message: noise }}, drop: {{}}, reason: noise }}\n- {{ name: some, sample: {{ rate: 1/10 }} }}\n{more}"
        )
    };
    let mut running = start(&program, &rules(""), logs.path());
    let lines: Vec<String> = (0..1500)
        .map(|n| match n % 50 {
            49 => format!("ERROR {n}"),
            rest if rest % 3 == 0 => format!("plain {n}"),
            _ => format!("noise {n}"),
        })
        .collect();
    let all = || lines.iter().map(String::as_str);
    let mut total = write(&running, "shop", all());
    let settled = |metrics: &FilterMetrics, total: u64| metrics.seen() >= total;
    running.wait_until("see the first lines", |metrics| settled(metrics, total), LONG).unwrap();
    running.put_rules(&rules("- { name: never, when: { message: never }, keep: {} }\n")).unwrap();
    running.wait_until("reload", |metrics| metrics.get("nodesieve_reloads_total") > Some(1), LONG).unwrap();
    total += write(&running, "shop", all());
    running.wait_until("see lines over a reload", |metrics| settled(metrics, total), LONG).unwrap();
    let open = |metrics: &FilterMetrics| {
        let value = |name| metrics.get(name).unwrap();
        value("nodesieve_records_open") + value("nodesieve_records_held")
    };
    // What one that has ended had on disk is taken over when it has been silent for a while, and before the next end: two that are
    // left would be taken over one after the other.
    let is_taken_over = |metrics: &FilterMetrics| metrics.get("nodesieve_records_restored_total") > Some(0);
    let left = open(&running.metrics());
    let anew = |running: &Running| std::fs::remove_file(running.at("/run/nodesieve/metrics.prom")).unwrap();
    running.restart(End::Terminated).unwrap();
    anew(&running);
    total += write(&running, "shop", all());
    let ticks = |metrics: &FilterMetrics| metrics.get("nodesieve_ticks_total").unwrap_or_default();
    let seen =
        running.wait_until("see lines over a restart", |metrics| settled(metrics, 1500), LONG).unwrap();
    if left > 0 {
        running.wait_until("take over what the first left", is_taken_over, LONG).unwrap();
    }
    // What has been answered is on disk when Fluent Bit has come to something else. A kill before that would have lines read again, and
    // would lose a summary; one right behind would have a chunk delivered twice. So it comes behind three ticks that had none.
    let summaries = |metrics: &FilterMetrics| metrics.get("nodesieve_summaries_total").unwrap_or_default();
    let mut last = seen;
    loop {
        let next = running.wait_until("go on", |metrics| ticks(metrics) > ticks(&last) + 2, LONG).unwrap();
        let before = std::mem::replace(&mut last, next);
        if summaries(&before) == summaries(&last) {
            break;
        }
    }
    running.restart(End::Killed).unwrap();
    anew(&running);
    let again = write(&running, "shop", all());
    running.wait_until("see lines over a kill", |metrics| settled(metrics, again), LONG).unwrap();
    if open(&last) > 0 {
        running.wait_until("take over what was left", is_taken_over, LONG).unwrap();
    }
    let outcome = running.stop().unwrap();
    let reported = &outcome.reported;
    let open = open(&outcome.metrics);
    // What tail had read and not noted when it was killed is read again.
    total += outcome.metrics.seen();
    assert!(reported.recalled > 100, "{reported:?}");
    assert_eq!(
        reported.records + reported.counted + reported.summarised + open,
        total,
        "{reported:?} {open}"
    );
    let errors = outcome.records.iter().filter(|record| record["nodesieve"]["recalled"].is_array());
    for error in errors {
        assert!(error["log"].as_str().unwrap().starts_with("ERROR"));
        let lines = error["nodesieve"]["recalled"].as_array().unwrap();
        assert!(
            lines.len() <= 10
                && lines.iter().all(|line| line["record"]["log"].is_string() && line["rule"].is_string())
        );
    }
    assert!(outcome.records.iter().any(|record| record["nodesieve"]["lifted"] == true));
}

/// Scenario: two namespaces in one pipeline; one of them writes a fragment that is bad, then one that drops all it can.
/// Guarantees: the other's lines come to what they come to without it, the platform's guards hold, a bad fragment is refused alone and
/// said so in metrics and log.
#[test]
fn a_hostile_fragment_changes_nothing_for_another_namespace() {
    let Some(program) = fluent_bit::program() else { return };
    let platform = "version: 1\nmetrics: { every: 1s }\ndelegate: { max_keep_rate: 100/s }\n\
        guards: [{ name: audit, when: { message: audit } }]\nrules: [{ name: debug, when: { message: debug }, drop: {}, reason: noise }]\n";
    let quiet = "version: 1\nrules: [{ name: chatty, when: { message: chatty }, first: { n: 5, per: 1h, by: pod } }]\n";
    let with = |loud: &str| {
        nodesieve_preview::bundle::Bundle::joined(
            platform,
            [("loud", loud), ("quiet", quiet)].into_iter().filter(|(_, text)| !text.is_empty()),
        )
    };
    let lines: Vec<String> =
        (0..600).map(|n| format!("{} {n}", ["chatty", "debug", "audit", "fine"][n % 4])).collect();
    let run = |first: &str, second: &str| {
        let logs = tempfile::tempdir().unwrap();
        let mut running = start(&program, &with(first), logs.path());
        let mut total = 0;
        for (round, rules) in [first, second].into_iter().enumerate() {
            running.put_rules(&with(rules)).unwrap();
            // The first of the loud ones is refused, the second is in force.
            let (namespace, code, valid) = match (rules, round) {
                ("", _) => ("quiet", "", 1),
                (_, 0) => ("loud", "NS201", 0),
                (_, _) => ("loud", "", 1),
            };
            let series = format!("nodesieve_fragment_valid{{namespace=\"{namespace}\",code=\"{code}\"}}");
            let is_read = |metrics: &FilterMetrics| metrics.get(&series) == Some(valid);
            running.wait_until("read fragments", is_read, LONG).unwrap();
            total += write(&running, "quiet", lines.iter().map(String::as_str));
            total += write(&running, "loud", lines.iter().map(String::as_str));
            running.wait_until("see all lines", |metrics| metrics.seen() >= total, LONG).unwrap();
        }
        running.stop().unwrap()
    };
    let of = |outcome: &host_test::fluent_bit::RunOutcome, namespace: &str, word: &str| {
        let records =
            outcome.records.iter().filter(|record| record["kubernetes"]["namespace_name"] == namespace);
        let texts = records.map(|record| record["log"].as_str().unwrap().to_owned());
        texts.filter(|text| text.starts_with(word)).collect::<Vec<String>>()
    };
    let alone = run("", "");
    let hostile = run(
        "version: 1\nguards: [{ name: all, when: {} }]\nrules: [{ name: x, when: { namespace: quiet }, drop: {}, reason: mine }]\n",
        "version: 1\nrules: [{ name: all, drop: {}, reason: mine }]\n",
    );
    assert_eq!(of(&alone, "quiet", ""), of(&hostile, "quiet", ""));
    assert_eq!(of(&alone, "quiet", "chatty").len(), 5);
    assert_eq!(of(&hostile, "loud", "audit").len(), 300, "the platform's guard holds");
    assert_eq!(
        of(&hostile, "loud", "fine").len(),
        150,
        "its bad fragment decides nothing, its own then drops"
    );
    assert!(
        hostile.log.contains("rules.d/loud.yaml: it is refused") && hostile.log.contains("NS201"),
        "{}",
        hostile.log
    );
    let dropped = "nodesieve_rule_dropped_total{rule=\"loud/all\",stage=\"rule\"}";
    assert_eq!(hostile.metrics.get(dropped), Some(450));
}

/// Guarantees: a hundred fragments cost the records of a container only its own.
#[test]
fn a_hundred_fragments_cost_a_record_only_its_own() {
    let mut bench = FuelBench::new(&support::module(), &support::conf()).unwrap();
    let path = bench.paths().unwrap().into_iter().find(|path| path.name == "drop-by-term").unwrap();
    let platform = format!("{}delegate: {{ annotations: false }}\n", path.rules);
    let fragment = "version: 1\nrules:\n  - { name: a, when: { message: nothing-such }, drop: {}, reason: x }\n  - { name: b, when: { message: neither }, drop: {}, reason: x }\n";
    nodesieve_engine::config::load(&platform).unwrap_or_else(|mistakes| panic!("{mistakes:?} {platform}"));
    let mut fuel = |fragments: usize| {
        let names: Vec<String> = (0..fragments).map(|n| format!("team-{n}")).collect();
        let rules = nodesieve_preview::bundle::Bundle::joined(
            &platform,
            names.iter().map(|name| (name.as_str(), fragment)),
        );
        bench.measure(&BenchPath { rules, ..path.clone() }).unwrap().fuel as i64
    };
    let (none, one, hundred) = (fuel(0), fuel(1), fuel(100));
    eprintln!("{none} {one} {hundred}");
    assert!((hundred - one).abs() <= 20 && one - none <= 20, "{none} {one} {hundred}");
}
