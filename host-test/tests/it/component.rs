//! The component, run by wasmtime with the imports of its world and no others.

use crate::cases::Face;
use host_test::cases::Expected;
use host_test::fluent_bit::FilterMetrics;
use nodesieve_engine::pods::PodSource as _;
use nodesieve_preview::findings::finding;
use nodesieve_preview::pods::PodTable;
use std::sync::OnceLock;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Store};

wasmtime::component::bindgen!({ path: "../plugin/filter/wit", world: "filter" });

use nodesieve::filter::host::Host;
use nodesieve::filter::types::{Action, EventTime, Severity, Stage, Unavailable};

/// What the world asks of its host.
struct Node {
    now: u64,
    pods: PodTable,
    /// What it says of a pod file that is not there.
    absence: Unavailable,
}

impl Default for Node {
    fn default() -> Node {
        Node { now: 0, pods: PodTable::default(), absence: Unavailable::Missing }
    }
}

impl nodesieve::filter::types::Host for Node {}

impl Host for Node {
    fn now(&mut self) -> u64 {
        self.now
    }

    fn seed(&mut self) -> u64 {
        7
    }

    fn pod_file(&mut self, name: String) -> Result<Vec<u8>, Unavailable> {
        let mut content = Vec::new();
        self.pods.read(&name, &mut content).map(|()| content).map_err(|_| self.absence)
    }
}

/// The component and its host.
pub struct InComponent {
    store: Store<Node>,
    filter: Filter,
}

fn binary() -> &'static [u8] {
    static BINARY: OnceLock<Vec<u8>> = OnceLock::new();
    BINARY.get_or_init(|| host_test::component::component().unwrap())
}

impl InComponent {
    /// Started with these rules.
    pub fn start(source: &str) -> InComponent {
        static COMPILED: OnceLock<(Engine, Component)> = OnceLock::new();
        let (engine, component) = COMPILED.get_or_init(|| {
            let engine = Engine::default();
            let component = Component::from_binary(&engine, binary()).unwrap();
            (engine, component)
        });
        let mut linker = Linker::new(engine);
        Filter::add_to_linker::<_, HasSelf<_>>(&mut linker, |node| node).unwrap();
        let mut store = Store::new(engine, Node::default());
        let filter = Filter::instantiate(&mut store, component, &linker).unwrap();
        let mut face = InComponent { store, filter };
        face.rules(source);
        face
    }

    fn decide(&mut self, records: &[LogRecord]) -> Vec<Verdict> {
        self.filter.call_decide(&mut self.store, records).unwrap()
    }
}

fn record(tag: &str, time: u64, text: &str) -> LogRecord {
    let time =
        EventTime { seconds: (time / 1_000_000_000) as u32, nanoseconds: (time % 1_000_000_000) as u32 };
    LogRecord { tag: tag.into(), time, text: text.into() }
}

impl Face for InComponent {
    fn rules(&mut self, source: &str) {
        // Rules that are refused leave those before them: a case says what then happens.
        let _ = self.filter.call_load(&mut self.store, source).unwrap();
    }

    fn pod(&mut self, name: &str, content: Option<&str>) {
        self.store.data_mut().pods.put(name, content.map(str::as_bytes));
    }

    fn filter(&mut self, tag: &str, time: u64, text: &str) -> Expected {
        self.store.data_mut().now = time;
        if tag == "nodesieve.tick" {
            return match self.filter.call_tick(&mut self.store, text.as_bytes()).unwrap() {
                Some(summary) => Expected::Keep(String::from_utf8(summary).unwrap()),
                None => Expected::Drop,
            };
        }
        let verdict = self.decide(&[record(tag, time, text)]).remove(0);
        match verdict.text {
            Some(text) => Expected::Keep(String::from_utf8(text).unwrap()),
            None => Expected::Drop,
        }
    }

    fn metrics(&mut self, time: u64) -> String {
        self.store.data_mut().now = time;
        self.filter.call_metrics(&mut self.store).unwrap()
    }
}

#[test]
fn a_component_asks_its_host_for_nothing_but_its_world() {
    let InComponent { .. } = InComponent::start("version: 1\n");
    let mut imports = Vec::new();
    for payload in wasmparser::Parser::new(0).parse_all(binary()) {
        if let wasmparser::Payload::ComponentImportSection(section) = payload.unwrap() {
            imports.extend(section.into_iter().map(|import| import.unwrap().name.name.to_owned()));
        }
    }
    // Types that the world names are no functions.
    imports.retain(|name| name.contains(':'));
    assert_eq!(imports, ["nodesieve:filter/types@1.0.0", "nodesieve:filter/host@1.0.0"]);
}

#[test]
fn verdicts_say_what_decided_and_findings_where_the_mistake_is() {
    let mut face = InComponent::start(
        "version: 1\nrules: [{ name: probes, when: { message: healthz }, drop: {}, reason: noise }]\n",
    );
    let verdicts = face.decide(&[
        record("t", 5, r#"{"log":"GET /healthz"}"#),
        record("t", 6, r#"{"log":"other"}"#),
        record("t", 7, "not a record"),
    ]);
    let told: Vec<_> = verdicts
        .iter()
        .map(|verdict| (verdict.action, verdict.stage, &*verdict.rule, verdict.text.is_some()))
        .collect();
    assert_eq!(
        told,
        [
            (Action::Drop, Stage::Rule, "probes", false),
            (Action::Keep, Stage::Outcome, "none", true),
            (Action::Keep, Stage::Outcome, "fault", true)
        ]
    );
    let refused = face.filter.call_load(&mut face.store, "version: 1\nrulez: []\n").unwrap().unwrap_err();
    assert_eq!((refused[0].line, refused[0].column, &*refused[0].code), (2, 1, "NS201"));
    let still = face.decide(&[record("t", 8, r#"{"log":"GET /healthz"}"#)]);
    assert_eq!(still[0].action, Action::Drop);
}

#[test]
fn guards_warnings_and_numbers_are_told_as_everywhere() {
    // A rule behind one that takes everything is doubted, and usable.
    let doubted = "version: 1\n\
        guards: [{ name: errors, when: { severity: '>=error' } }]\n\
        rules: [{ name: lost, drop: {}, reason: all }, { name: late, when: { container: a }, keep: {} }]\n";
    let mut face = InComponent::start("version: 1\n");
    let mut load = |source: &str| {
        let found = match face.filter.call_load(&mut face.store, source).unwrap() {
            Ok(warnings) => (true, warnings),
            Err(mistakes) => (false, mistakes),
        };
        let native = match nodesieve_engine::rule_test::load_explained(source) {
            Ok(loaded) => (true, loaded.warnings),
            Err(mistakes) => (false, mistakes),
        };
        assert!(!found.1.is_empty() && (found.0, found.1.len()) == (native.0, native.1.len()));
        for (found, native) in found.1.iter().zip(&native.1) {
            let native = finding(native, source, "");
            let severity = if native.severity == "warning" { Severity::Warning } else { Severity::Error };
            assert_eq!((found.line as usize, found.column as usize), (native.line, native.column));
            assert_eq!((&*found.code, found.severity), (native.code, severity));
            assert_eq!((&found.message, &found.help), (&native.message, &native.help));
        }
    };
    load(doubted);
    load("version: 1\nrulez: []\nrules: [{ name: A }]\n");
    let verdict = face.decide(&[record("t", 5, r#"{"log":"level=error no"}"#)]).remove(0);
    assert_eq!((verdict.action, verdict.stage, &*verdict.rule), (Action::Keep, Stage::Guard, "errors"));

    face.store.data_mut().absence = Unavailable::Unreadable;
    let tag = format!("kube.var.log.containers.p_n_c-{:064}.log", 0);
    face.decide(&[record(&tag, 6, r#"{"log":"level=error no"}"#)]);
    face.filter("nodesieve.tick", 7, "{}");
    let metrics = FilterMetrics::new(face.metrics(8));
    let numbers = [
        "nodesieve_reloads_total",
        "nodesieve_reloads_refused_total",
        "nodesieve_config_valid",
        "nodesieve_ticks_total",
        "nodesieve_tick_seen",
        "nodesieve_pod_refused_total",
    ];
    assert_eq!(numbers.map(|name| metrics.get(name)), [2, 1, 0, 1, 1, 1].map(Some));
}
