//! Each section of a case file through the engine alone, the compiled module and the component.

use crate::blessing::{bless, is_asked_for};
use crate::faces::{Face, feed, files, run, without_instance};
use crate::faces_of_ours::{core_wasm, native};
use crate::in_component::InComponent;
use crate::{Test, Trials};
use host_test::cases::{Block, Case, CaseStep, Expected};
use std::path::{Path, PathBuf};

pub(crate) fn add(trials: &mut Trials) {
    for (file, cases) in files() {
        for (at, case) in cases.iter().enumerate() {
            // The first heading is the file's own.
            let name = if at == 0 { "itself" } else { &case.title };
            let faces: [(&str, Test); 3] = [
                ("holds_in_the_engine", holds_in_the_engine),
                ("holds_in_the_compiled_module", holds_in_the_compiled_module),
                ("holds_in_the_component", holds_in_the_component),
            ];
            trials.add(&file, name, &faces, at);
        }
    }
}

fn holds_in_the_engine(file: &str, at: usize) {
    run(&section(file, at), file, native);
}

fn holds_in_the_compiled_module(file: &str, at: usize) {
    run(&section(file, at), file, core_wasm);
}

fn holds_in_the_component(file: &str, at: usize) {
    run(&section(file, at), file, |source| -> Box<dyn Face> { Box::new(InComponent::start(source)) });
}

fn section(file: &str, at: usize) -> Case {
    let found = || files().into_iter().find(|(found, _)| found == file).unwrap().1;
    if is_asked_for() {
        let mut texts = found().iter().flat_map(texts).collect::<Vec<_>>().into_iter();
        let is_answer = |block: &Block| block.info == "answers" || block.info == "metrics";
        bless(&path(file), |block| is_answer(block).then(|| texts.next().unwrap()));
    }
    found().swap_remove(at)
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(format!("{}.md", file.replace('_', "-")))
}

/// What stands in the blocks of answers and numbers of a section.
fn texts(case: &Case) -> Vec<String> {
    let mut answers = Vec::new();
    let numbers = feed(case, native, &mut |fed, answer| {
        let is_echo = fed.answer == Expected::Echo && answer == Expected::Keep(fed.text.clone());
        let text = if is_echo { fed.answer.to_string() } else { without_instance(answer.to_string()) };
        answers.push(text);
    });
    let numbers =
        numbers.into_iter().map(|(name, found, expected)| format!("{name} {}", found.unwrap_or(expected)));
    let (mut answers, mut numbers) = (answers.into_iter(), numbers.collect::<Vec<_>>().into_iter());
    let block = |step: &CaseStep| match step {
        CaseStep::Records(records) => Some(lines(&mut answers, records.len())),
        CaseStep::Metrics(expected) => Some(lines(&mut numbers, expected.len())),
        CaseStep::Rules(_) | CaseStep::Pod { .. } => None,
    };
    case.steps.iter().filter_map(block).collect()
}

fn lines(all: &mut impl Iterator<Item = String>, count: usize) -> String {
    all.take(count).map(|line| line + "\n").collect()
}
