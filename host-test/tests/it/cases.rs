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
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(format!("{}.md", file.replace('_', "-")))
}

/// The case files by their names, with their sections.
fn files() -> Vec<(String, Vec<Case>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let files = directory.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let files =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).map(|path| {
            let source = std::fs::read_to_string(&path).unwrap();
            let cases = read(&source).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_stem().unwrap().to_str().unwrap().replace('-', "_"), cases)
        });
    let mut files: Vec<(String, Vec<Case>)> = files.collect();
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files
}

/// A face: what a case needs of a host.
pub trait Face {
    fn rules(&mut self, source: &str);
    fn pod(&mut self, name: &str, content: Option<&str>);
    fn filter(&mut self, tag: &str, time: u64, text: &str) -> Expected;
    fn metrics(&mut self, time: u64) -> String;
}

fn run(case: &Case, file: &str, start: impl FnMut(&str) -> Box<dyn Face>) {
    let numbers = feed(case, start, &mut |fed, answer| {
        // The module's echo of a readable record cannot be told from an answer of the same text.
        let is_echo = fed.answer == Expected::Echo && answer == Expected::Keep(fed.text.clone());
        if !is_echo {
            let (answer, expected) = (without_instance(answer.to_string()), fed.answer.to_string());
            assert_eq!(answer, expected, "{file}, {}: {}", case.title, fed.text);
        }
    });
    for (name, found, expected) in numbers {
        assert_eq!(found, Some(expected), "{file}, {}: {name}", case.title);
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
    for (name, cases) in files() {
        cases.iter().for_each(|case| run(case, &name, &mut start));
    }
}

/// A section by the names of its file and its heading; the first heading is the file's own.
fn section(file: &str, name: &str) -> Case {
    bless_where_asked(file);
    let (_, cases) = files().into_iter().find(|(found, _)| found == file).unwrap();
    cases.into_iter().enumerate().find(|(at, case)| section_name(*at, case) == name).unwrap().1
}

fn section_name(at: usize, case: &Case) -> String {
    if at == 0 { "itself".into() } else { case.name() }
}

fn native(source: &str) -> Box<dyn Face> {
    let rules = rule_test::load_explained(source)
        .map(|loaded| loaded.rules)
        .unwrap_or_else(|_| RuleFile::default().into());
    Box::new(Native { engine: Engine::new(rules, 7), pods: Files::default() })
}

fn core_wasm(source: &str) -> Box<dyn Face> {
    let (guest, tree) = support::start(source);
    Box::new(CoreWasm { guest, tree, late: 0 })
}

fn component(source: &str) -> Box<dyn Face> {
    Box::new(InComponent::start(source))
}

/// A test for each face, for each section of each file: `cargo test cases::merge_log` runs one file alone,
/// `cargo test cases::merge_log::members` one section of it.
macro_rules! case_files {
    ($($file:ident [$($section:ident),+]),+ $(,)?) => {
        $(mod $file {
            $(mod $section {
                use super::super::*;

                #[test]
                fn holds_in_the_engine() {
                    run(&section(stringify!($file), stringify!($section)), stringify!($file), native);
                }

                #[test]
                fn holds_in_the_compiled_module() {
                    run(&section(stringify!($file), stringify!($section)), stringify!($file), core_wasm);
                }

                #[test]
                fn holds_in_the_component() {
                    run(&section(stringify!($file), stringify!($section)), stringify!($file), component);
                }
            })+
        })+

        /// Guarantees: no file and no section is left out.
        #[test]
        fn every_section_has_its_tests() {
            let listed: Vec<(String, Vec<String>)> =
                vec![$((stringify!($file).into(), vec![$(stringify!($section).into()),+])),+];
            let found = files().into_iter().map(|(name, cases)| {
                (name, cases.iter().enumerate().map(|(at, case)| section_name(at, case)).collect())
            });
            assert_eq!(found.collect::<Vec<(String, Vec<String>)>>(), listed);
        }
    };
}

case_files! {
    any_and_not [itself],
    bad_rules [itself],
    cache [itself],
    conditions [itself],
    continuation [itself],
    counting [itself],
    enrichment [itself, keys_that_are_asked_for],
    exclude [itself],
    faults [itself],
    first_match [itself],
    host_limits [itself],
    labels [itself],
    merge_log [itself, members_of_the_same_name, without_the_line_and_under_a_key, records_that_become_too_large],
    own_metadata [itself, rules_alone, with_a_line_that_is_merged, as_it_was],
    own_tags [itself],
    own_tests [itself],
    reading_records [itself],
    record [itself],
    sampling [itself],
    shadow [itself],
    three_values [itself],
    unknown_and_ceilings [itself],
}

/// Writes the answers of the engine into a case file, once in a run: what is blessed is read before it is committed.
fn bless_where_asked(file: &str) {
    static BLESSED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut blessed = BLESSED.lock().unwrap();
    if std::env::var_os("NODESIEVE_BLESS").is_some() && blessed.insert(file.to_owned()) {
        let (_, cases) = files().into_iter().find(|(found, _)| found == file).unwrap();
        std::fs::write(path(file), blessed_text(&cases, file)).unwrap();
    }
}

fn blessed_text(cases: &[Case], file: &str) -> String {
    let mut answers = Vec::new();
    for case in cases {
        let asked = Case {
            title: case.title.clone(),
            steps: case.steps.iter().filter(|step| !matches!(step, CaseStep::Metrics(_))).cloned().collect(),
        };
        feed(&asked, native, &mut |fed, answer| {
            let is_echo = fed.answer == Expected::Echo && answer == Expected::Keep(fed.text.clone());
            answers.push(if is_echo { fed.answer.to_string() } else { without_instance(answer.to_string()) });
        });
    }
    let mut answers = answers.into_iter();
    let (mut text, mut is_answer) = (String::new(), false);
    for line in std::fs::read_to_string(path(file)).unwrap().lines() {
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
    text
}
