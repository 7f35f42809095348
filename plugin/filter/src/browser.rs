//! The browser face: `nodesieve playground` serves it, and a worker of the page calls it.
//!
//! Everything is decided and counted in `nodesieve-preview`; here are only JavaScript's types. Answers with a structure are JSON
//! text, because that crosses at once and is what `nodesieve --format json` prints.

use nodesieve_engine::config::RuleFile;
use nodesieve_engine::engine::{Answer, Engine, Input};
use nodesieve_engine::rule_test;
use nodesieve_engine::time::{EventTime, Now};
use nodesieve_preview::page::Page;
use nodesieve_preview::pods::PodTable;
use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;

/// Everything behind the page; each method is the one of [`Page`] with its name.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct Preview(Page);

#[wasm_bindgen]
impl Preview {
    /// No rules, no records: everything would be kept.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Preview {
        Preview::default()
    }

    /// `{"usable", "findings": [...]}`.
    pub fn load(&mut self, source: &str) -> String {
        json(&self.0.load(source))
    }

    /// Forgets all records.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// `{"records", "format"}`.
    pub fn add(&mut self, name: &str, content: &[u8]) -> String {
        json(&self.0.add(name, content))
    }

    /// `{"pods"}` or `{"error"}`; an empty list forgets the pods.
    pub fn pods(&mut self, list: &[u8]) -> String {
        match self.0.take_pods(list) {
            Ok(pods) => json(&serde_json::json!({ "pods": pods })),
            Err(error) => json(&serde_json::json!({ "error": error })),
        }
    }

    /// Dollars per GB.
    pub fn prices(&mut self, firehose_per_gb: f64, cloudwatch_per_gb: f64, nodes: u32) {
        self.0.set_prices(firehose_per_gb, cloudwatch_per_gb, nodes);
    }

    /// Begins a run; how many records there are.
    pub fn start(&mut self) -> usize {
        self.0.start()
    }

    /// Takes so many more records; how many are done.
    pub fn advance(&mut self, records: usize) -> usize {
        self.0.advance(records)
    }

    /// `[{"name", "stage"}]`.
    pub fn rows(&self) -> String {
        json(&self.0.rows())
    }

    /// Row twice, and one more when dropped.
    pub fn verdicts(&self, from: usize) -> Vec<u16> {
        self.0.verdicts(from).to_vec()
    }

    /// HTML.
    pub fn panel(&mut self) -> String {
        self.0.panel()
    }

    /// The numbers of `nodesieve replay --format json`.
    pub fn ledger(&mut self) -> String {
        json(&self.0.ledger().0)
    }

    /// Rows of the list.
    pub fn lines(&self, indexes: &[u32]) -> String {
        json(&self.0.lines(indexes))
    }

    /// Everything about one record, or `null`.
    pub fn explain(&mut self, index: usize) -> String {
        json(&self.0.detail(index))
    }

    /// Positions of the records with this text.
    pub fn search(&self, text: &str) -> Vec<u32> {
        self.0.search(text)
    }
}

/// The filter record by record, with the caller's clock and pod files: what a test of this face needs, and who wants
/// to show single decisions.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Filter {
    engine: Engine,
    pods: PodTable,
}

#[wasm_bindgen]
impl Filter {
    /// A filter that keeps everything.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Filter {
        Filter::default()
    }

    /// Puts rules in force when they can be used, and says whether they can.
    pub fn load(&mut self, source: &str) -> bool {
        let loaded = rule_test::load_explained(source);
        let is_usable = loaded.is_ok();
        self.engine.count_reload(is_usable);
        if let Ok(loaded) = loaded {
            self.engine.replace_rules(loaded.rules);
        }
        is_usable
    }

    /// Puts a pod file, or takes it away when there is no content.
    pub fn pod(&mut self, file_name: &str, content: Option<Vec<u8>>) {
        self.pods.put(file_name, content.as_deref());
    }

    /// Decides a record: the text that goes on, or nothing. Times are in nanoseconds since 1970.
    pub fn decide(&mut self, tag: &str, time: u64, now: u64, text: &str) -> Option<String> {
        let whole = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let (seconds, nanoseconds) = (time.wrapping_div(SECOND), time.wrapping_rem(SECOND));
        let time = EventTime { sec: whole(seconds), nsec: whole(nanoseconds) };
        let input = Input { tag: tag.as_bytes(), time, text: text.as_bytes() };
        let mut out = Vec::new();
        match self.engine.filter(input, &mut Now(now), &mut self.pods, &mut out).0 {
            Answer::Drop => None,
            Answer::Keep => Some(String::from_utf8_lossy(&out).into_owned()),
            Answer::Echo => Some(text.to_owned()),
        }
    }

    /// The summary that is due, if there is one.
    pub fn tick(&mut self, text: &str, now: u64) -> Option<String> {
        let mut out = Vec::new();
        let answer = self.engine.tick(text.as_bytes(), Now(now), &mut out);
        (answer == Answer::Keep).then(|| String::from_utf8_lossy(&out).into_owned())
    }

    /// All numbers as Prometheus text.
    pub fn metrics(&mut self, now: u64) -> String {
        self.engine.render_metrics(env!("CARGO_PKG_VERSION"), Now(now))
    }
}

impl Default for Filter {
    fn default() -> Filter {
        Filter { engine: Engine::new(RuleFile::default(), SEED), pods: PodTable::default() }
    }
}

/// What random sampling starts from.
const SEED: u64 = 1;
const SECOND: u64 = 1_000_000_000;

/// The text of an answer; these types have nothing that JSON cannot hold.
fn json(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).unwrap_or_else(|_| "null".into())
}
