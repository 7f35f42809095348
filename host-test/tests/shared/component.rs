//! The component, run by wasmtime with the imports of its world and no others.

use crate::faces::Face;
use host_test::cases::Expected;
use nodesieve_engine::pods::PodSource as _;
use nodesieve_preview::pods::PodTable;
use std::sync::OnceLock;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Store};

wasmtime::component::bindgen!({ path: "../plugin/filter/wit", world: "filter" });

use nodesieve::filter::host::Host;
use nodesieve::filter::types::{EventTime, Unavailable};

/// What the world asks of its host.
pub(crate) struct Node {
    now: u64,
    pods: PodTable,
    /// What it says of a pod file that is not there.
    pub(crate) absence: Unavailable,
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
pub(crate) struct InComponent {
    pub(crate) store: Store<Node>,
    pub(crate) filter: Filter,
}

pub(crate) fn binary() -> &'static [u8] {
    static BINARY: OnceLock<Vec<u8>> = OnceLock::new();
    BINARY.get_or_init(|| host_test::component::component().unwrap())
}

impl InComponent {
    /// Started with these rules.
    pub(crate) fn start(source: &str) -> InComponent {
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

    pub(crate) fn decide(&mut self, records: &[LogRecord]) -> Vec<Verdict> {
        self.filter.call_decide(&mut self.store, records).unwrap()
    }
}

pub(crate) fn record(tag: &str, time: u64, text: &str) -> LogRecord {
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
