//! The engine alone and the compiled module as faces.

use crate::faces::Face;
use crate::support;
use host_test::cases::Expected;
use host_test::guest::Returned;
use nodesieve_engine::config::RuleFile;
use nodesieve_engine::engine::{Answer, Engine, Input};
use nodesieve_engine::pods::{PodSource, Unavailable};
use nodesieve_engine::rule_test;
use nodesieve_engine::time::{EventTime, Now};
use std::collections::BTreeMap;

struct Native {
    engine: Engine,
    pods: Files,
}

#[derive(Default)]
struct Files(BTreeMap<String, String>);

impl PodSource for Files {
    fn read(&mut self, file_name: &str, into: &mut Vec<u8>) -> Result<(), Unavailable> {
        into.extend_from_slice(self.0.get(file_name).ok_or(Unavailable::Missing)?.as_bytes());
        Ok(())
    }
}

impl Face for Native {
    fn rules(&mut self, source: &str) {
        if let Ok(loaded) = rule_test::load_explained(source) {
            self.engine.replace_rules(loaded.rules);
        }
    }

    fn pod(&mut self, name: &str, content: Option<&str>) {
        match content {
            Some(content) => drop(self.pods.0.insert(name.into(), content.into())),
            None => drop(self.pods.0.remove(name)),
        }
    }

    fn filter(&mut self, tag: &str, time: u64, text: &str) -> Expected {
        let event = EventTime { sec: (time / 1_000_000_000) as u32, nsec: (time % 1_000_000_000) as u32 };
        let input = Input { tag: tag.as_bytes(), time: event, text: text.as_bytes() };
        let mut out = Vec::new();
        if tag == "nodesieve.tick" {
            return match self.engine.tick(text.as_bytes(), Now(time), &mut out) {
                Answer::Keep => Expected::Keep(String::from_utf8(out).unwrap()),
                _ => Expected::Drop,
            };
        }
        match self.engine.filter(input, &mut Now(time), &mut self.pods, &mut out).0 {
            Answer::Drop => Expected::Drop,
            Answer::Echo => Expected::Echo,
            Answer::Keep => Expected::Keep(String::from_utf8(out).unwrap()),
        }
    }

    fn metrics(&mut self, time: u64) -> String {
        self.engine.render_metrics("0", Now(time))
    }
}

struct CoreWasm {
    guest: host_test::guest::Guest,
    tree: host_test::tree::NodeTree,
    late: u64,
}

impl CoreWasm {
    fn tick(&mut self, time: u64) {
        self.guest.clock().advance_to(time);
        let answer = self.guest.filter(b"nodesieve.tick", (0, 0), b"{}");
        assert!(!matches!(answer, Returned::Lost(_)), "{answer:?}");
    }
}

impl Face for CoreWasm {
    fn rules(&mut self, source: &str) {
        self.tree.put_rules(source).unwrap();
        self.tick(0);
    }

    fn pod(&mut self, name: &str, content: Option<&str>) {
        let path = self.tree.pods_directory().join(name);
        match content {
            Some(content) => std::fs::write(path, content).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
    }

    fn filter(&mut self, tag: &str, time: u64, text: &str) -> Expected {
        self.guest.clock().advance_to(time);
        let event = ((time / 1_000_000_000) as u32, (time % 1_000_000_000) as u32);
        match self.guest.filter(tag.as_bytes(), event, text.as_bytes()) {
            Returned::Dropped => Expected::Drop,
            Returned::Kept(answer) if answer == text.as_bytes() => Expected::Keep(text.into()),
            Returned::Kept(answer) => Expected::Keep(String::from_utf8(answer).unwrap()),
            Returned::Lost(_) => Expected::Echo,
        }
    }

    fn metrics(&mut self, time: u64) -> String {
        // Written every 10 s; the case's own clock must not be disturbed by waiting for it, so it comes last.
        self.late += 11_000_000_000;
        self.tick(time + self.late);
        self.tree.metrics().unwrap()
    }
}

pub(crate) fn native(source: &str) -> Box<dyn Face> {
    let rules = rule_test::load_explained(source)
        .map(|loaded| loaded.rules)
        .unwrap_or_else(|_| RuleFile::default().into());
    Box::new(Native { engine: Engine::new(rules, 7), pods: Files::default() })
}

pub(crate) fn core_wasm(source: &str) -> Box<dyn Face> {
    let (guest, tree) = support::start(source);
    Box::new(CoreWasm { guest, tree, late: 0 })
}
