//! The literate cases of `host-test/cases`, each run through the engine alone and through the compiled module.

use crate::component::InComponent;
use crate::support;
use host_test::cases::{Case, CaseStep, Expected, read};
use host_test::guest::Returned;
use nodesieve_engine::config::RuleFile;
use nodesieve_engine::engine::{Answer, Engine, Input};
use nodesieve_engine::pods::{PodSource, Unavailable, file_name};
use nodesieve_engine::rule_test;
use nodesieve_engine::time::{EventTime, Now};
use nodesieve_sidecar::exposition;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut files: Vec<PathBuf> = directory.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    files.sort();
    assert!(files.len() >= 8, "the cases are gone");
    files
}

/// A face: what a case needs of a host.
pub trait Face {
    fn rules(&mut self, source: &str);
    fn pod(&mut self, name: &str, content: Option<&str>);
    fn filter(&mut self, tag: &str, time: u64, text: &str) -> Expected;
    fn metrics(&mut self, time: u64) -> String;
}

fn run(case: &Case, file: &Path, mut start: impl FnMut(&str) -> Box<dyn Face>) {
    let mut face: Option<Box<dyn Face>> = None;
    let mut pods: Vec<(String, Option<String>)> = Vec::new();
    let mut time = 1_800_000_000_000_000_000;
    for step in &case.steps {
        match step {
            CaseStep::Rules(source) => match &mut face {
                Some(face) => face.rules(source),
                None => {
                    let mut started = start(source);
                    pods.drain(..).for_each(|(name, content)| started.pod(&name, content.as_deref()));
                    face = Some(started);
                }
            },
            CaseStep::Pod { namespace, pod, content } => {
                let name = file_name(namespace, pod).unwrap();
                match &mut face {
                    Some(face) => face.pod(&name, content.as_deref()),
                    None => pods.push((name, content.clone())),
                }
            }
            CaseStep::Records(records) => {
                let face = face.get_or_insert_with(|| {
                    let mut started = start("version: 1\n");
                    pods.drain(..).for_each(|(name, content)| started.pod(&name, content.as_deref()));
                    started
                });
                for fed in records {
                    time = fed.time.unwrap_or(time);
                    let answer = face.filter(&fed.tag, time, &fed.text);
                    // The module's echo of a readable record cannot be told from an answer of the same text.
                    let is_echo = fed.answer == Expected::Echo && answer == Expected::Keep(fed.text.clone());
                    if !is_echo {
                        assert_eq!(
                            without_instance(answer.to_string()),
                            fed.answer.to_string(),
                            "{}: {}",
                            file.display(),
                            fed.text
                        );
                    }
                }
            }
            CaseStep::Metrics(expected) => {
                let text = face.get_or_insert_with(|| start("version: 1\n")).metrics(time);
                for (name, value) in expected {
                    let mut all = exposition::samples(&text);
                    let found = all.find(|sample| *name == sample.name || *name == sample.series);
                    let found = found.map(|sample| sample.value as u64);
                    assert_eq!(found, Some(*value), "{}: {name}", file.display());
                }
            }
        }
    }
}

/// Every start of the filter is another instance.
fn without_instance(text: String) -> String {
    let name = "\"instance\":\"";
    match text.split_once(name) {
        Some((before, rest)) => format!("{before}{name}*{}", &rest[16..]),
        None => text,
    }
}

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

#[test]
fn cases_hold_in_the_engine() {
    for file in files() {
        let case = read(&std::fs::read_to_string(&file).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        run(&case, &file, |source| {
            let rules = rule_test::load_explained(source)
                .map(|loaded| loaded.rules)
                .unwrap_or_else(|_| RuleFile::default().into());
            Box::new(Native { engine: Engine::new(rules, 7), pods: Files::default() })
        });
    }
}

/// Every case through one face.
pub fn run_all(mut start: impl FnMut(&str) -> Box<dyn Face>) {
    for file in files() {
        let case = read(&std::fs::read_to_string(&file).unwrap()).unwrap();
        run(&case, &file, &mut start);
    }
}

#[test]
fn cases_hold_in_the_compiled_module() {
    run_all(|source| {
        let (guest, tree) = support::start(source);
        Box::new(CoreWasm { guest, tree, late: 0 })
    });
}

#[test]
fn cases_hold_in_the_component() {
    run_all(|source| Box::new(InComponent::start(source)));
}
