//! Label selectors, against Kubernetes' own answers.

use host_test::artefact;
use host_test::matching::{MatchAnswer, answer};

/// Answers of Kubernetes' own selector code (apimachinery, pkg/labels) to selectors of every kind.
#[test]
fn selectors_are_read_and_matched_as_kubernetes_does() {
    let text =
        std::fs::read_to_string(artefact::workspace().join("host-test/cases/selectors.ndjson")).unwrap();
    let mut count = 0;
    for line in text.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let expected = case.get("match").and_then(serde_json::Value::as_bool);
        let found = match answer(line) {
            MatchAnswer::Match(matches) => Some(matches),
            MatchAnswer::Error(_) => None,
        };
        assert_eq!(found, expected, "{line}");
        count += 1;
    }
    assert!(count >= 890, "only {count} cases are left");
}
