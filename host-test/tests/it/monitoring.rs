//! Alerts and dashboard ask for numbers that exist.

use crate::manifests::list;
use crate::support;
use nodesieve_engine::metrics;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// Fluent Bit's own numbers that are looked at, as its `/api/v2/metrics/prometheus` names them (5.1.1).
const FLUENT_BIT: [&str; 6] = [
    "fluentbit_output_chunk_available_capacity_percent",
    "fluentbit_output_dropped_records_total",
    "fluentbit_output_proc_records_total",
    "fluentbit_output_retried_records_total",
    "fluentbit_output_retries_total",
    "fluentbit_storage_fs_chunks",
];

fn read(name: &str) -> String {
    fs::read_to_string(support::conf().join("k8s/monitoring").join(name)).unwrap()
}

/// The metrics that a text names.
fn asked_for(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("nodesieve_") || word.starts_with("fluentbit_")).collect()
}

#[test]
fn alerts_and_dashboard_ask_for_numbers_that_exist() {
    let known: BTreeSet<&str> = metrics::TABLE
        .iter()
        .map(|row| row.1)
        .chain(
            metrics::RULE_TABLE
                .iter()
                .chain(&metrics::SHADOW_TABLE)
                .chain(&metrics::FRAGMENT_TABLE)
                .map(|row| row.0),
        )
        .chain([metrics::REDACT_TABLE.0])
        .chain(nodesieve_engine::measure::VOLUME_TABLE.map(|row| row.0))
        .chain(nodesieve_sidecar::TABLE.iter().map(|row| row.1))
        .chain([nodesieve_sidecar::FAILED.0, nodesieve_sidecar::STREAMS_FAILED.0, "nodesieve_info"])
        .chain(FLUENT_BIT)
        .collect();
    for name in ["alerts.yaml", "dashboard.json"] {
        let text = read(name);
        let asked = asked_for(&text);
        assert!(asked.len() > 8, "{name}: {asked:?}");
        let unknown: Vec<_> = asked.difference(&known).collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
    }
    let both = read("alerts.yaml") + &read("dashboard.json");
    assert!(FLUENT_BIT.iter().all(|name| asked_for(&both).contains(name)));
}

/// Guarantees: every alert says what is wrong, what to do, and how serious it is; Prometheus reads its expression.
#[test]
fn every_alert_is_complete_and_can_be_read_by_prometheus() {
    let resource: Value = yaml_serde::from_str(&read("alerts.yaml")).unwrap();
    let groups = &resource["spec"]["groups"];
    let alerts: Vec<&Value> = list(groups).iter().flat_map(|group| list(&group["rules"])).collect();
    assert!(alerts.len() >= 10);
    for alert in &alerts {
        let parts = [
            &alert["alert"],
            &alert["expr"],
            &alert["labels"]["severity"],
            &alert["annotations"]["summary"],
            &alert["annotations"]["description"],
        ];
        assert!(parts.iter().all(|part| part.as_str().is_some_and(|text| !text.is_empty())), "{alert}");
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rules.yaml");
    fs::write(&path, yaml_serde::to_string(&json!({ "groups": groups })).unwrap()).unwrap();
    match Command::new("promtool").args(["check", "rules"]).arg(&path).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
            assert!(said.contains(&format!("{} rules found", alerts.len())), "{said}");
        }
        Err(_) => crate::support::skip("promtool", "no promtool"),
    }
}

#[test]
fn the_dashboard_is_one_with_panels_that_do_not_overlap() {
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).unwrap();
    let mut places = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24);
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(places.insert((x, y)), "{}", panel["title"]);
            }
        }
        assert!(
            !panel["targets"].as_array().unwrap().is_empty()
                && panel["fieldConfig"]["defaults"]["unit"].is_string()
        );
    }
}
