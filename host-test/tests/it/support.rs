//! What several themes need: the compiled filter and a place for its files.

use host_test::artefact;
use host_test::guest::{Guest, GuestSettings};
use host_test::tree::NodeTree;
use nodesieve_engine::config::{self, RuleFile};
use std::path::PathBuf;

/// The compiled filter.
pub(crate) fn module() -> PathBuf {
    artefact::module(None).unwrap()
}

/// The repository's conf directory.
pub(crate) fn conf() -> PathBuf {
    artefact::workspace().join("conf")
}

/// The rules of the samples without their own tests: a Fluent Bit on a busy machine keeps everything until these have run, and what is
/// counted is to be what the rules do.
pub(crate) fn example_rules() -> String {
    let source = std::fs::read_to_string(conf().join("rules/example-cluster.yaml")).unwrap();
    let (rules, tests) = source.split_once("\ntests:\n").unwrap();
    assert!(tests.contains("expect:") && !rules.contains("expect:"));
    rules.to_owned()
}

/// A filter with this rule file, which may be a bad one.
pub(crate) fn start(source: &str) -> (Guest, NodeTree) {
    let rules =
        config::load(source).map(|loaded| loaded.rules).unwrap_or_else(|_| RuleFile::default().into());
    let tree = NodeTree::new(source, &rules).unwrap();
    let settings = GuestSettings { preopens: tree.preopens().to_vec(), seed: 7 };
    (Guest::start(&module(), &settings).unwrap(), tree)
}

/// Says that a test is left out for want of something; where `NODESIEVE_REQUIRE` names that (a list with commas, or `all`), it fails
/// instead: what must not be left out before a release is not left out unseen.
pub(crate) fn skip(what: &str, why: &str) {
    let required = std::env::var("NODESIEVE_REQUIRE").unwrap_or_default();
    let is_required = required.split(',').any(|name| name.trim() == what || name.trim() == "all");
    assert!(!is_required, "NODESIEVE_REQUIRE has {what}: {why}");
    eprintln!("skipped: {why}");
}
