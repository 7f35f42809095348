//! The literate cases of `host-test/cases`, and the faces that they run through.

use host_test::cases::{Case, CaseStep, Expected, Fed, read};
use nodesieve_engine::pods::file_name;
use nodesieve_sidecar::exposition;
use std::path::Path;

/// The case files by their names, with their sections.
pub(crate) fn files() -> Vec<(String, Vec<Case>)> {
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
pub(crate) trait Face {
    fn rules(&mut self, source: &str);
    fn pod(&mut self, name: &str, content: Option<&str>);
    fn filter(&mut self, tag: &str, time: u64, text: &str) -> Expected;
    fn metrics(&mut self, time: u64) -> String;
}

pub(crate) fn run(case: &Case, file: &str, start: impl FnMut(&str) -> Box<dyn Face>) {
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
pub(crate) fn feed(
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
pub(crate) fn without_instance(text: String) -> String {
    let name = "\"instance\":\"";
    match text.split_once(name) {
        Some((before, rest)) => format!("{before}{name}*{}", &rest[16..]),
        None => text,
    }
}
