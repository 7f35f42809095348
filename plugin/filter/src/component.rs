//! The component-model face: the world of `wit/filter.wit`.
//!
//! Whatever the host hands over is answered: rules that cannot be used are findings, a record that cannot be read goes on
//! as it came. Only where memory ends does a call trap. Built by `host-test` for wasm32-unknown-unknown, which has no WASI imports, so that the component needs nothing
//! of its host but the imports of its world.

use nodesieve_engine::config::RuleFile;
use nodesieve_engine::config::model::Action;
use nodesieve_engine::diag::Diagnostic;
use nodesieve_engine::engine::{Answer, Engine, Input};
use nodesieve_engine::metrics;
use nodesieve_engine::pods::{PodSource, Unavailable};
use nodesieve_engine::rule_test;
use nodesieve_engine::time::{EventTime, Now};
use std::cell::RefCell;

mod bindings {
    #![allow(unsafe_code, missing_docs, clippy::all, reason = "generated from the world")]

    wit_bindgen::generate!({ path: "wit", world: "filter", pub_export_macro: true, default_bindings_module: "crate::component::bindings" });
}

use bindings::nodesieve::filter::host;
use bindings::nodesieve::filter::types::{self, Finding, LogRecord, Severity, Stage, Verdict};

struct Component;

#[allow(unsafe_code, reason = "generated from the world")]
mod export {
    super::bindings::export!(Component with_types_in super::bindings);
    use super::Component;
}

thread_local! {
    /// One instance is one filter, and its calls do not overlap.
    static ENGINE: RefCell<Option<Engine>> = const { RefCell::new(None) };
}

impl bindings::Guest for Component {
    fn load(rules: String) -> Result<Vec<Finding>, Vec<Finding>> {
        let tell =
            |found: &[Diagnostic]| found.iter().map(|diagnostic| finding(diagnostic, &rules)).collect();
        match rule_test::load_explained(&rules) {
            Ok(loaded) => {
                with_engine((), |engine| {
                    engine.count_reload(true);
                    engine.replace_rules(loaded.rules);
                });
                Ok(tell(&loaded.warnings))
            }
            Err(mistakes) => {
                with_engine((), |engine| engine.count_reload(false));
                Err(tell(&mistakes))
            }
        }
    }

    fn decide(records: Vec<LogRecord>) -> Vec<Verdict> {
        with_engine(Vec::new(), |engine| records.iter().map(|record| verdict(engine, record)).collect())
    }

    fn tick(text: Vec<u8>) -> Option<Vec<u8>> {
        with_engine(None, |engine| {
            let mut summary = Vec::new();
            let answer = engine.tick(&text, Now(host::now()), &mut summary);
            (answer == Answer::Keep).then_some(summary)
        })
    }

    fn metrics() -> String {
        let version = env!("CARGO_PKG_VERSION");
        with_engine(String::new(), |engine| engine.render_metrics(version, Now(host::now())))
    }
}

/// `otherwise` is for a call within a call, which the component model does not make.
fn with_engine<T>(otherwise: T, run: impl FnOnce(&mut Engine) -> T) -> T {
    ENGINE.with(|engine| match engine.try_borrow_mut() {
        Ok(mut engine) => run(engine.get_or_insert_with(|| Engine::new(RuleFile::default(), host::seed()))),
        Err(_) => otherwise,
    })
}

fn verdict(engine: &mut Engine, record: &LogRecord) -> Verdict {
    let time = EventTime { sec: record.time.seconds, nsec: record.time.nanoseconds };
    let input = Input { tag: &record.tag, time, text: &record.text };
    let mut out = Vec::new();
    let (answer, verdict) = engine.filter(input, &mut Now(host::now()), &mut HostPods, &mut out);
    let (stage, rule) = verdict.why.named(engine.rules());
    Verdict {
        action: match verdict.action {
            Action::Keep => types::Action::Keep,
            Action::Drop => types::Action::Drop,
        },
        stage: match stage {
            metrics::Stage::Guard => Stage::Guard,
            metrics::Stage::Rule => Stage::Rule,
            metrics::Stage::Outcome => Stage::Outcome,
        },
        rule: rule.into(),
        text: match answer {
            Answer::Drop => None,
            Answer::Keep => Some(out),
            Answer::Echo => Some(record.text.clone()),
        },
    }
}

fn finding(diagnostic: &Diagnostic, source: &str) -> Finding {
    let (line, column) = diagnostic.position(source);
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Finding {
        line: number(line),
        column: number(column),
        code: diagnostic.code.name().into(),
        severity: if diagnostic.code.is_warning() { Severity::Warning } else { Severity::Error },
        message: diagnostic.message.clone(),
        help: diagnostic.help.clone(),
    }
}

/// Pod files of the host.
struct HostPods;

impl PodSource for HostPods {
    fn read(&mut self, file_name: &str, into: &mut Vec<u8>) -> Result<(), Unavailable> {
        let content = host::pod_file(file_name).map_err(|reason| match reason {
            types::Unavailable::Missing => Unavailable::Missing,
            types::Unavailable::Unreadable => Unavailable::Unreadable,
        })?;
        into.extend_from_slice(&content);
        Ok(())
    }
}
