//! The pipelines that are compared, and Fluent Bit's configuration for each.
//!
//! The rule it keeps: they differ in their filters and in nothing else. Input and output are set as `conf/fluent-bit.yaml` sets
//! them, but for buffers in memory and an end when all files are read.

use super::super::config::built_in_filter;
use super::super::{FILTER_STATE, FluentBitError, METRICS, MODULE, RULES};
use crate::bench::paths;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sink {
    /// They are counted.
    Counter,
    /// To the fake Firehose, over TLS and aggregated.
    Firehose,
}

/// A filter of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FilterStage {
    /// Fluent Bit's own.
    Kubernetes,
    /// Ten rules by hand.
    Lua,
    /// nodesieve, with the rules of a path of `nodesieve bench`, as machine code or not.
    Nodesieve { path: &'static str, is_machine_code: bool },
}

/// Filters behind each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pipeline(pub(super) Vec<FilterStage>);

/// Where things are that a configuration names.
pub(super) struct ConfigPlaces<'a> {
    /// The node's root.
    pub(super) root: &'a Path,
    /// Directory with the log files.
    pub(super) logs: &'a Path,
    /// Port of the fake kubelet.
    pub(super) kubelet_port: u16,
    /// Port of the fake Firehose.
    pub(super) firehose_port: u16,
}

/// What the Fluent Bit at hand was built with.
pub(super) struct Plugins(String);

impl Sink {
    pub(super) const ALL: [Sink; 2] = [Sink::Counter, Sink::Firehose];

    /// The output's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Sink::Counter => "counter",
            Sink::Firehose => "kinesis_firehose",
        }
    }
}

impl FilterStage {
    /// The filter's name in Fluent Bit.
    fn plugin(self) -> &'static str {
        match self {
            FilterStage::Kubernetes => "kubernetes",
            FilterStage::Lua => "lua",
            FilterStage::Nodesieve { .. } => "wasm",
        }
    }

    fn config(self, places: &ConfigPlaces<'_>) -> String {
        let root = places.root.display();
        match self {
            FilterStage::Kubernetes => built_in_filter(places.kubelet_port, places.root, &[]),
            FilterStage::Lua => {
                format!(
                    "    - name: lua\n      match: kube.*\n      script: {root}/ten_rules.lua\n      call: filter\n"
                )
            }
            FilterStage::Nodesieve { .. } => {
                let run = METRICS.rsplit_once('/').map_or(METRICS, |(directory, _)| directory);
                format!(
                    "    - name: wasm\n      match_regex: ^(kube\\.|nodesieve\\.tick$)\n      event_format: json\n      \
                     wasm_path: {root}{MODULE}/nodesieve.wasm\n      function_name: filter\n      \
                     accessible_paths: {root}{RULES},{root}{run},{root}{FILTER_STATE}\n      wasm_stack_size: 256k\n"
                )
            }
        }
    }
}

impl Pipeline {
    /// The pipelines for an output, the one without filters first.
    pub(super) fn all(sink: Sink, has_machine_code: bool) -> Vec<Pipeline> {
        use FilterStage::{Kubernetes, Lua, Nodesieve};
        let mut all = vec![vec![], vec![Kubernetes], vec![Lua, Kubernetes], vec![Kubernetes, Lua]];
        let paths: &[&'static str] = match sink {
            Sink::Counter => &["drop-by-tag", "keep-lean", "keep-full", "ten-rules"],
            Sink::Firehose => &["keep-lean", "ten-rules"],
        };
        for path in paths {
            all.push(vec![Nodesieve { path, is_machine_code: false }]);
            if has_machine_code {
                all.push(vec![Nodesieve { path, is_machine_code: true }]);
            }
        }
        all.into_iter().map(Pipeline).collect()
    }

    /// Its name: what filters do, in their order.
    pub(super) fn name(&self) -> String {
        let name = |stage: &FilterStage| match stage {
            FilterStage::Nodesieve { path, .. } => *path,
            other => other.plugin(),
        };
        match self.0.as_slice() {
            [] => "none".to_owned(),
            stages => stages.iter().map(name).collect::<Vec<_>>().join(", "),
        }
    }

    /// How its filters run.
    pub(super) fn runs_as(&self) -> &'static str {
        match self.0.first() {
            None => "-",
            Some(FilterStage::Nodesieve { is_machine_code: true, .. }) => "machine code",
            Some(FilterStage::Nodesieve { is_machine_code: false, .. }) => "interpreted",
            Some(_) if self.0.contains(&FilterStage::Lua) => "C and LuaJIT",
            Some(_) => "C",
        }
    }

    /// Whether everything arrives.
    pub(super) fn keeps_all(&self) -> bool {
        self.0.iter().all(|stage| match stage {
            FilterStage::Kubernetes => true,
            FilterStage::Lua => false,
            FilterStage::Nodesieve { path, .. } => path.starts_with("keep-"),
        })
    }

    /// The rule file of nodesieve, where it is one of the filters.
    pub(super) fn rules(&self) -> Option<String> {
        let wanted = self.0.iter().find_map(|stage| match stage {
            FilterStage::Nodesieve { path, .. } => Some(*path),
            _ => None,
        })?;
        paths("").into_iter().find(|path| path.name == wanted).map(|path| path.rules)
    }

    /// Fluent Bit's configuration.
    pub(super) fn config(&self, sink: Sink, places: &ConfigPlaces<'_>) -> String {
        let (root, logs) = (places.root.display(), places.logs.display());
        // Only errors: a warning in the middle of a number that the counter prints would hide it.
        let mut text = format!(
            "service:\n  flush: 0.5\n  grace: 60\n  log_level: error\n  json.escape_unicode: false\npipeline:\n  inputs:\n    \
             - name: tail\n      path: {logs}/*.log\n      tag: 'kube.var.log.containers.<file>'\n      \
             tag_regex: '(?<file>[^/]+)$'\n      multiline.parser: docker, cri\n      read_from_head: true\n      \
             exit_on_eof: true\n      buffer_max_size: 1M\n      skip_long_lines: true\n"
        );
        if self.rules().is_some() {
            text.push_str(
                "    - name: dummy\n      tag: nodesieve.tick\n      dummy: '{\"node\":\"node-1\"}'\n      rate: 1\n",
            );
        }
        if !self.0.is_empty() {
            text.push_str("  filters:\n");
            self.0.iter().for_each(|stage| text.push_str(&stage.config(places)));
        }
        text.push_str("  outputs:\n");
        text.push_str(&match sink {
            Sink::Counter => "    - name: counter\n      match: kube.*\n".to_owned(),
            Sink::Firehose => format!(
                "    - name: kinesis_firehose\n      match: kube.*\n      region: us-east-1\n      \
                 delivery_stream: ${{DELIVERY_STREAM}}\n      endpoint: 127.0.0.1\n      port: {}\n      \
                 tls.ca_file: {root}/ca.pem\n      simple_aggregation: true\n      retry_limit: no_limits\n",
                places.firehose_port
            ),
        });
        text
    }
}

impl Plugins {
    /// Asks a Fluent Bit.
    ///
    /// # Errors
    /// [`FluentBitError::Start`].
    pub(super) fn of(fluent_bit: &Path) -> Result<Plugins, FluentBitError> {
        let output = Command::new(fluent_bit)
            .arg("--help")
            .output()
            .map_err(|reason| FluentBitError::Start { path: PathBuf::from(fluent_bit), reason })?;
        Ok(Plugins(String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    /// Why a pipeline cannot run, if it cannot.
    pub(super) fn missing(&self, pipeline: &Pipeline, sink: Sink) -> Option<String> {
        let needed = pipeline.0.iter().map(|stage| stage.plugin()).chain([sink.name()]);
        let mut missing = needed.filter(|name| !self.has(name));
        missing.next().map(|name| format!("this Fluent Bit was built without `{name}`"))
    }

    fn has(&self, name: &str) -> bool {
        self.0.lines().any(|line| line.starts_with("  ") && line.split_whitespace().next() == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "Inputs\n  tail                    Tail files\nFilters\n  kubernetes              Metadata\n  \
                        wasm                    WASM\nOutputs\n  counter                 Records counter\n";

    #[test]
    fn a_pipeline_without_its_plugin_is_skipped_with_the_reason() {
        let plugins = Plugins(HELP.into());
        let skipped = |stages: &[FilterStage], sink| plugins.missing(&Pipeline(stages.to_vec()), sink);
        assert_eq!(skipped(&[FilterStage::Kubernetes], Sink::Counter), None);
        assert_eq!(
            skipped(&[FilterStage::Lua, FilterStage::Kubernetes], Sink::Counter).as_deref(),
            Some("this Fluent Bit was built without `lua`")
        );
        assert!(skipped(&[], Sink::Firehose).is_some_and(|reason| reason.contains("kinesis_firehose")));
    }

    #[test]
    fn pipelines_have_names_and_rules_of_their_own() {
        let all = Pipeline::all(Sink::Counter, true);
        assert_eq!(all.len(), 12);
        assert_eq!(all[0].name(), "none");
        assert_eq!((all[2].name().as_str(), all[2].runs_as()), ("lua, kubernetes", "C and LuaJIT"));
        for pipeline in &all[4..] {
            assert!(pipeline.rules().is_some_and(|rules| rules.starts_with("version: 1\n")), "{pipeline:?}");
        }
        assert!(all[6].keeps_all() && !all[4].keeps_all());
        assert_eq!(Pipeline::all(Sink::Firehose, false).len(), 6);
    }

    #[test]
    fn only_filters_tell_two_configurations_apart() {
        let places = ConfigPlaces {
            root: Path::new("/t"),
            logs: Path::new("/logs"),
            kubelet_port: 1,
            firehose_port: 2,
        };
        let none = Pipeline(vec![]).config(Sink::Counter, &places);
        let own = Pipeline(vec![FilterStage::Kubernetes]).config(Sink::Counter, &places);
        let (before, rest) = own.split_once("  filters:\n").unwrap();
        let after = rest.split_once("  outputs:\n").unwrap().1;
        assert_eq!(none, format!("{before}  outputs:\n{after}"));
    }
}
