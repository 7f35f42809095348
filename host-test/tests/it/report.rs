//! The report of a replay as a page.

use crate::chromium::{self, Chromium};
use crate::support;
use host_test::html_report::html;
use host_test::{artefact, money, node_logs, replay};
use nodesieve_preview::fleet::{Fleet, Quotas};
use nodesieve_preview::panel::SECTIONS;
use serde_json::json;

const NODES: u32 = 300;

fn report() -> (String, replay::ReplayOutcome) {
    let source = std::fs::read_to_string(support::conf().join("rules/example-cluster.yaml")).unwrap();
    let rules = nodesieve_engine::rule_test::load_explained(&source).unwrap().rules;
    let samples = support::conf().join("samples");
    let mut records = node_logs::records(&[samples.join("containers")], &rules.input.tag_prefix).unwrap();
    records.truncate(3000);
    let pods = std::fs::read(samples.join("podlist.json")).unwrap();
    let module = artefact::module(None).unwrap();
    let replay = replay::Replay {
        module: &module,
        source: &source,
        rules: &rules,
        pod_list: Some(&pods),
        records: &records,
        endpoint: None,
        seed: 1,
        prices: money::Prices::default(),
        flush_seconds: money::FLUSH_SECONDS,
    };
    let outcome = replay.run(|_| {}, |_, _| {}).unwrap();
    let fleet = Fleet::of(NODES, &outcome.ledger, Quotas::default()).unwrap();
    (html(&outcome, "conf/<nodesieve>.yaml", "the sample logs", Some(&fleet)), outcome)
}

#[test]
fn a_report_is_one_page_with_everything_in_it() {
    let (page, outcome) = report();
    for (id, title) in SECTIONS {
        assert!(page.contains(&format!("<section id=\"{id}\"")) && page.contains(title), "{id}");
    }
    for foreign in ["<script", "src=", "href=", "@import", "<button", "conf/<nodesieve>"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    let seen: u64 = outcome.breakdown.namespaces.iter().map(|named| named.volume.seen).sum();
    let kept: u64 = outcome.breakdown.times.iter().map(|span| span.volume.kept).sum();
    assert_eq!((seen, kept), (outcome.ledger.seen, outcome.ledger.kept));
    assert!(!outcome.breakdown.templates.is_empty() && outcome.breakdown.templates.len() <= 20);
    assert!(page.contains(&format!("adds up: seen {}", outcome.ledger.seen)));
    let fleet = page.split_once("<table id=\"fleet\"").unwrap().1;
    assert!(fleet.contains(&format!("{NODES} nodes")) && fleet.contains("API server: none"));
    let yearly = outcome.ledger.dollars.cloudwatch.kubernetes_filter * f64::from(NODES) * 365.0 / 30.0;
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    assert!(digits(fleet).contains(&digits(&format!("{yearly:.2}"))), "{yearly}: {fleet}");
}

#[test]
fn a_report_can_be_read_in_print() {
    let Some(program) = chromium::find() else {
        crate::support::skip("chromium", "no chromium");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.html");
    std::fs::write(&path, report().0).unwrap();
    let mut browser = Chromium::open(&program, &format!("file://{}", path.display()));
    browser.wait_for("document.querySelector('#cost')");
    browser.picture("report");
    browser.call("Emulation.setEmulatedMedia", json!({ "media": "print" }));
    browser.call(
        "Emulation.setDeviceMetricsOverride",
        json!({ "width": 720, "height": 1020, "deviceScaleFactor": 1, "mobile": false }),
    );
    assert_eq!(browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
    let ground = browser.evaluate("getComputedStyle(document.body).backgroundColor");
    assert_eq!(ground, "rgb(255, 255, 255)");
    browser.picture("report-print");
    let pdf = browser.call("Page.printToPDF", json!({}));
    assert!(pdf["data"].as_str().unwrap().starts_with("JVBERi0"), "no PDF");
    assert_eq!(browser.complaints, Vec::<String>::new());
}
