//! The literate cases of `host-test/cases`, each run through the engine alone, through the compiled module and as a component.
//! `NODESIEVE_BLESS=1 cargo test cases::merge_log` writes the answers of a file anew.

use crate::component::InComponent;
use crate::support;
use host_test::cases::{Case, CaseStep, Expected, Fed, read};
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

fn run(case: &Case, file: &Path, start: impl FnMut(&str) -> Box<dyn Face>) {
    let numbers = feed(case, start, &mut |fed, answer| {
        // The module's echo of a readable record cannot be told from an answer of the same text.
        let is_echo = fed.answer == Expected::Echo && answer == Expected::Keep(fed.text.clone());
        if !is_echo {
            let (answer, expected) = (without_instance(answer.to_string()), fed.answer.to_string());
            assert_eq!(answer, expected, "{}: {}", file.display(), fed.text);
        }
    });
    for (name, found, expected) in numbers {
        assert_eq!(found, Some(expected), "{}: {name}", file.display());
    }
}

/// Takes the steps of a case; `answered` gets each record with what came back. Returns the numbers that are asked for: name, found,
/// expected.
fn feed(
    case: &Case,
    mut start: impl FnMut(&str) -> Box<dyn Face>,
    answered: &mut dyn FnMut(&Fed, Expected),
) -> Vec<(String, Option<u64>, u64)> {
    let mut face: Option<Box<dyn Face>> = None;
    let mut pods: Vec<(String, Option<String>)> = Vec::new();
    let mut time = 1_800_000_000_000_000_000;
    let mut numbers = Vec::new();
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
                    answered(fed, face.filter(&fed.tag, time, &fed.text));
                }
            }
            CaseStep::Metrics(expected) => {
                let text = face.get_or_insert_with(|| start("version: 1\n")).metrics(time);
                for (name, value) in expected {
                    let mut all = exposition::samples(&text);
                    let found = all.find(|sample| *name == sample.name || *name == sample.series);
                    numbers.push((name.clone(), found.map(|sample| sample.value as u64), *value));
                }
            }
        }
    }
    numbers
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

/// Every case through one face.
pub fn run_all(mut start: impl FnMut(&str) -> Box<dyn Face>) {
    for file in files() {
        let case = read(&std::fs::read_to_string(&file).unwrap()).unwrap();
        run(&case, &file, &mut start);
    }
}

fn one(name: &str) -> (Case, PathBuf) {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(format!("{}.md", name.replace('_', "-")));
    let source = std::fs::read_to_string(&file).unwrap();
    let case = read(&source).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    (case, file)
}

fn native(source: &str) -> Box<dyn Face> {
    let rules = rule_test::load_explained(source)
        .map(|loaded| loaded.rules)
        .unwrap_or_else(|_| RuleFile::default().into());
    Box::new(Native { engine: Engine::new(rules, 7), pods: Files::default() })
}

/// A module with a test for each face, for each file: `cargo test cases::merge_log` runs one file alone.
macro_rules! case_files {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            use super::*;

            #[test]
            fn holds_in_the_engine() {
                let (case, file) = one(stringify!($name));
                if std::env::var_os("NODESIEVE_BLESS").is_some() {
                    bless(&case, &file);
                }
                run(&one(stringify!($name)).0, &file, native);
            }

            #[test]
            fn holds_in_the_compiled_module() {
                let (case, file) = one(stringify!($name));
                run(&case, &file, |source| {
                    let (guest, tree) = support::start(source);
                    Box::new(CoreWasm { guest, tree, late: 0 })
                });
            }

            #[test]
            fn holds_in_the_component() {
                let (case, file) = one(stringify!($name));
                run(&case, &file, |source| Box::new(InComponent::start(source)));
            }
        })+

        /// Guarantees: no file is left out.
        #[test]
        fn every_case_file_has_its_tests() {
            let listed = [$(stringify!($name)),+].map(|name| format!("{}.md", name.replace('_', "-")));
            let found: Vec<String> =
                files().iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
            assert_eq!(found, listed);
        }
    };
}

case_files! {
    any_and_not,
    bad_rules,
    cache,
    conditions,
    continuation,
    counting,
    enrichment,
    exclude,
    faults,
    first_match,
    host_limits,
    labels,
    merge_log,
    own_metadata,
    own_tags,
    own_tests,
    reading_records,
    record,
    sampling,
    shadow,
    three_values,
    unknown_and_ceilings,
}

/// Writes the answers of the engine into a case file: what is blessed is read before it is committed.
fn bless(case: &Case, file: &Path) {
    let mut answers = Vec::new();
    let asked = Case {
        title: case.title.clone(),
        steps: case.steps.iter().filter(|step| !matches!(step, CaseStep::Metrics(_))).cloned().collect(),
    };
    feed(&asked, native, &mut |fed, answer| {
        let is_echo = fed.answer == Expected::Echo && answer == Expected::Keep(fed.text.clone());
        answers.push(if is_echo { fed.answer.to_string() } else { without_instance(answer.to_string()) });
    });
    let mut answers = answers.into_iter();
    let (mut text, mut is_answer) = (String::new(), false);
    for line in std::fs::read_to_string(file).unwrap().lines() {
        match (is_answer, line) {
            (true, "```") => is_answer = false,
            (true, _) => {
                text.push_str(&answers.next().unwrap());
                text.push('\n');
                continue;
            }
            (false, line) => is_answer = line == "```answers",
        }
        text.push_str(line);
        text.push('\n');
    }
    std::fs::write(file, text).unwrap();
}
