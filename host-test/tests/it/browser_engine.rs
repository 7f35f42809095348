//! The engine in a real browser: it counts as the compiled filter does, and all case files hold in it.

use crate::chromium::Chromium;
use crate::faces::{self, Face};
use crate::playground::{COMPLETE, browser, sample, unpacked};
use host_test::cases::Expected;
use nodesieve_preview::panel::{self, Rows};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;

/// One of every policy, those that draw among them.
const EVERY_POLICY: &str = "version: 1
guards:
  - { name: errors, when: { severity: '>=error' }, ceiling: { rate: 1/s, by: pod } }
rules:
  - { name: probes, when: { message: '?healthz ?readyz' }, drop: {}, reason: probes }
  - { name: quiet, when: { labels: 'tier=batch' }, limit: { rate: 1/s, burst: 5, by: container } }
  - { name: repeats, when: { namespace: kube-system }, dedup: { window: 10s, by: [container, template] } }
  - { name: start, when: { container: istio-proxy }, first: { n: 2, per: 10s, by: [pod, template] } }
  - { name: traced, when: { message: '{ $.trace_id = * }' }, sample: { rate: 0.5, by: trace_id } }
  - { name: evenly, when: { namespace: 'shop-*' }, target: { rate: 2/s, by: template } }
  - { name: by-chance, when: { severity: unknown }, sample: { rate: 1/3 } }
  - { name: debug, when: { severity: '<=debug' }, drop: {}, reason: what if, mode: shadow }
";

#[test]
fn the_page_counts_as_replay_does() {
    let Some((_alone, _server, mut browser)) = browser() else { return };
    browser.wait_for(COMPLETE);
    let source = EVERY_POLICY;
    let rules = nodesieve_engine::rule_test::load_explained(source).unwrap().rules;
    let records = sample();
    assert!(records.len() > 2000, "{}", records.len());
    let module = host_test::artefact::module(None).unwrap();
    let replay = host_test::replay::Replay {
        module: &module,
        source,
        rules: &rules,
        pod_list: Some(&unpacked("pods.gz")),
        records: &records,
        endpoint: None,
        seed: nodesieve_preview::run::SEED,
        prices: host_test::money::Prices::default(),
        flush_seconds: host_test::money::FLUSH_SECONDS,
    };
    let outcome = replay.run(|_| {}, |_, _| {}).unwrap();
    // Both are read back from text, whose last digit a reader of numbers may round otherwise than who wrote it.
    let expected: Value = serde_json::from_str(&serde_json::to_string(&outcome.ledger).unwrap()).unwrap();
    browser.evaluate(&format!("window.RULES = {}; null", json!(source)));
    let found = browser.evaluate(
        "(async () => { const engine = await import('/engine.js'); await engine.default({ module_or_path: '/engine_bg.wasm' }); const inflate = async name => new Uint8Array(await new Response((await fetch(name)).body.pipeThrough(new DecompressionStream('gzip'))).arrayBuffer()); \
         const preview = new engine.Preview(); preview.load(RULES); preview.add('', await inflate('/sample.gz')); preview.pods(await inflate('/pods.gz')); \
         const total = preview.start(); while (preview.advance(777) < total); return preview.ledger() + '\\n' + preview.panel(); })()",
    );
    let (ledger, html) = found.as_str().unwrap().split_once('\n').unwrap();
    let mut found: Value = serde_json::from_str(ledger).unwrap();
    assert_eq!(found["rules"], expected["rules"]);
    // All but the calls to Firehose, which a browser does not make.
    found["firehose_calls"] = expected["firehose_calls"].clone();
    assert_eq!(found, expected);
    assert_eq!(html, panel::volume(&outcome.ledger, &outcome.breakdown, &[], Rows::Buttons, None));
}

/// The engine of the page, record by record.
struct InBrowser(Rc<RefCell<Chromium>>);

impl InBrowser {
    fn evaluate(&self, expression: &str) -> Value {
        self.0.borrow_mut().evaluate(expression)
    }
}

impl Face for InBrowser {
    fn rules(&mut self, source: &str) {
        self.evaluate(&format!("filter.load({})", json!(source)));
    }

    fn pod(&mut self, name: &str, content: Option<&str>) {
        let content =
            content.map_or("undefined".into(), |text| format!("new TextEncoder().encode({})", json!(text)));
        self.evaluate(&format!("filter.pod({}, {content})", json!(name)));
    }

    fn filter(&mut self, tag: &str, time: u64, text: &str) -> Expected {
        let call = match tag {
            "nodesieve.tick" => format!("filter.tick({}, {time}n) ?? null", json!(text)),
            _ => format!("filter.decide({}, {time}n, {time}n, {}) ?? null", json!(tag), json!(text)),
        };
        match self.evaluate(&call) {
            Value::String(text) => Expected::Keep(text),
            _ => Expected::Drop,
        }
    }

    fn metrics(&mut self, time: u64) -> String {
        self.evaluate(&format!("filter.metrics({time}n)")).as_str().unwrap().to_owned()
    }
}

#[test]
fn cases_hold_in_the_browser_engine() {
    let Some((_alone, _server, browser)) = browser() else { return };
    let browser = Rc::new(RefCell::new(browser));
    browser.borrow_mut().wait_for(COMPLETE);
    browser
        .borrow_mut()
        .evaluate("(async () => { window.engine = await import('/engine.js'); await engine.default({ module_or_path: '/engine_bg.wasm' }); })()");
    let mut start = |source: &str| -> Box<dyn Face> {
        let mut face = InBrowser(Rc::clone(&browser));
        face.evaluate("window.filter?.free(); window.filter = new engine.Filter(); null");
        face.rules(source);
        Box::new(face)
    };
    for (name, cases) in faces::files() {
        cases.iter().for_each(|case| faces::run(case, &name, &mut start));
    }
}
