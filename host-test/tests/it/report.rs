//! The report of a replay as a page.

use crate::chromium::{self, Chromium};
use crate::support;
use host_test::html_report::html;
use host_test::{artefact, money, node_logs, replay};
use nodesieve_preview::fleet::{Fleet, Quotas};
use nodesieve_preview::money::ThreeWays;
use nodesieve_preview::numbers::{bytes, dollars};
use nodesieve_preview::panel::{self, Rows, SECTIONS};
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

/// A browser with the report, and the directory that it is in.
fn opened() -> Option<(Chromium, tempfile::TempDir)> {
    let Some(program) = chromium::find() else {
        support::skip("chromium", "no chromium");
        return None;
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.html");
    std::fs::write(&path, report().0).unwrap();
    let mut browser = Chromium::open(&program, &format!("file://{}", path.display()));
    browser.wait_for("document.querySelector('#cost')");
    Some((browser, directory))
}

/// What stands in a piece of HTML, part by part.
fn parts(html: &str) -> Vec<String> {
    let texts = html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text).trim());
    texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// Guarantees: text, report and page have the three columns under the same words, and in them the numbers of the ledger, for each
/// destination and for the fleet.
#[test]
fn text_report_and_page_have_the_three_columns_with_the_numbers_of_the_ledger() {
    let (report, outcome) = report();
    let ledger = &outcome.ledger;
    let fleet = Fleet::of(NODES, ledger, Quotas::default()).unwrap();
    let text = host_test::report::text(&outcome, Some(&fleet));
    let page = panel::volume(ledger, &outcome.breakdown, &[], Rows::Text, Some(&fleet));
    let columns = ["raw", "with kubernetes filter", "with nodesieve", "saved"];
    let words = columns.join(" ");
    let single = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = text.lines().map(single).collect();
    assert!(
        lines.iter().any(|line| line.starts_with("billed, and dollars a month") && line.contains(&words)),
        "{text}"
    );
    assert!(
        lines.iter().any(|line| line.contains("nodes, dollars a year") && line.contains(&words)),
        "{text}"
    );
    let of = |ways: ThreeWays<String>| [ways.raw, ways.kubernetes_filter, ways.nodesieve];
    let each = ledger.billed.zip(ledger.dollars).zip(fleet.dollars_a_year).named();
    for (name, ((billed, spent), yearly)) in each {
        let saved = |ways: ThreeWays<f64>| dollars(ways.kubernetes_filter - ways.nodesieve);
        let (billed, month, year) = (of(billed.map(bytes)), of(spent.map(dollars)), of(yearly.map(dollars)));
        let at = lines.iter().position(|line| line.starts_with(name)).unwrap();
        assert!(lines[at].contains(&billed.join(" ")), "{}", lines[at]);
        assert!(
            lines[at + 1].starts_with(&format!("$ {} {}", month.join(" "), saved(spent))),
            "{}",
            lines[at + 1]
        );
        assert!(lines.contains(&format!("{name} {} {}", year.join(" "), saved(yearly))), "{text}");
        for html in [&report, &page] {
            // Thousands are set apart there.
            let parts: Vec<String> = parts(html).iter().map(|part| part.replace('\u{202f}', "")).collect();
            let follows = |start: &[&str], cells: &[String]| {
                let wanted: Vec<&str> =
                    start.iter().copied().chain(cells.iter().map(String::as_str)).collect();
                assert!(parts.windows(wanted.len()).any(|found| found == wanted), "{wanted:?}: {parts:#?}");
            };
            let usd = |numbers: [String; 3]| numbers.map(|number| format!("${number}"));
            assert_eq!(parts.windows(4).filter(|found| *found == columns).count(), 2);
            follows(&[name, "billed bytes"], &billed);
            follows(&["a month"], &usd(month.clone()));
            follows(&[name, "a year"], &usd(year.clone()));
        }
    }
}

/// Guarantees: what it costs is seen whole, light and dark, on a desk and on a telephone.
#[test]
fn the_columns_are_seen_whole_light_and_dark_and_on_a_telephone() {
    let Some((mut browser, _directory)) = opened() else { return };
    for (width, height, device) in [(1280, 900, "desk"), (390, 844, "phone")] {
        browser.call(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 }),
        );
        let mut grounds = Vec::new();
        for scheme in ["light", "dark"] {
            let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
            browser.call("Emulation.setEmulatedMedia", json!({ "features": features }));
            grounds.push(browser.evaluate("getComputedStyle(document.body).backgroundColor"));
            browser.evaluate("document.querySelector('#cost').scrollIntoView()");
            let is_whole = "[...document.querySelectorAll('#cost th, #cost td')].every(cell => { const box = cell.getBoundingClientRect(); \
                return box.width > 0 && box.left >= 0 && box.right <= innerWidth + 1; })";
            assert_eq!(browser.evaluate(is_whole), true, "{device} {scheme}");
            assert_eq!(browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
            browser.picture(&format!("report-cost-{device}-{scheme}"));
        }
        assert_ne!(grounds[0], grounds[1], "{device}");
    }
}

#[test]
fn a_report_can_be_read_in_print() {
    let Some((mut browser, _directory)) = opened() else { return };
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
