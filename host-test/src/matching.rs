//! One pattern or selector asked about one event: for `nodesieve match`, and for whoever compares us with another
//! implementation.

use nodesieve_engine::json::push_string;
use nodesieve_engine::line::Line;
use nodesieve_engine::pattern::{Pattern, Searched};
use nodesieve_engine::selector::Selector;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// A line of `match --batch`: a pattern with an event, or a selector with labels.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Question {
    /// A CloudWatch pattern and the event, which is taken exactly as it is.
    Pattern {
        /// The pattern.
        pattern: String,
        /// The event.
        event: String,
    },
    /// A Kubernetes label selector and labels; `null` are none.
    Selector {
        /// The selector.
        selector: String,
        /// The labels.
        labels: Option<BTreeMap<String, String>>,
    },
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MatchAnswer {
    /// Whether it matches.
    Match(bool),
    /// It could not be asked.
    Error(Refusal),
}

/// Why a pattern or selector was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// What is wrong.
    pub message: String,
    /// From where to where in the pattern or selector, in characters; absent when the question itself is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<(usize, usize)>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Answers one line of `match --batch`; a line that is no question is answered with an error.
pub fn answer(line: &str) -> MatchAnswer {
    match serde_json::from_str(line) {
        Ok(Question::Pattern { pattern, event }) => match Pattern::parse(&pattern) {
            Ok(compiled) => MatchAnswer::Match(event_matches(&compiled, &event)),
            Err(error) => refuse(&pattern, &error.span, error.to_string(), error.help()),
        },
        Ok(Question::Selector { selector, labels }) => match Selector::parse(&selector) {
            Ok(compiled) => {
                let labels = labels.unwrap_or_default();
                MatchAnswer::Match(compiled.matches(|key| labels.get(key).map(String::as_str)))
            }
            Err(error) => refuse(&selector, &error.span, error.to_string(), error.help()),
        },
        Err(error) => {
            let message = format!("read question: {error}");
            MatchAnswer::Error(Refusal { message, span: None, help: Some(SHAPE.into()) })
        }
    }
}

/// Whether an event matches, asked as the filter asks: about the content of a JSON string.
pub fn event_matches(pattern: &Pattern, event: &str) -> bool {
    let mut written = Vec::new();
    push_string(&mut written, event.as_bytes());
    let content = written.get(1..written.len().saturating_sub(1)).unwrap_or_default();
    pattern.matches(&Searched::alone(&Line::exactly(content)))
}

fn refuse(text: &str, span: &Range<usize>, message: String, help: &str) -> MatchAnswer {
    let characters = |bytes: usize| text.get(..bytes).unwrap_or(text).chars().count();
    let span = Some((characters(span.start), characters(span.end)));
    MatchAnswer::Error(Refusal { message, span, help: Some(help.to_owned()) })
}

const SHAPE: &str = r#"write {"pattern":"...","event":"..."} or {"selector":"...","labels":{...}}"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn answers(line: &str, expected: &str) {
        assert_eq!(serde_json::to_string(&answer(line)).unwrap(), expected, "{line}");
    }

    #[test]
    fn each_line_has_its_answer() {
        answers(r#"{"pattern":"ERROR","event":"an ERROR"}"#, r#"{"match":true}"#);
        answers(r#"{"pattern":"{ $.a = 1 }","event":"{\"a\":2}"}"#, r#"{"match":false}"#);
        answers(r#"{"pattern":"%^a$%","event":"a\n"}"#, r#"{"match":false}"#);
        answers(r#"{"selector":"app in (a,b)","labels":{"app":"b"}}"#, r#"{"match":true}"#);
        answers(r#"{"selector":"!app","labels":null}"#, r#"{"match":true}"#);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        answers(
            r#"{"pattern":"größe:","event":""}"#,
            r#"{"error":{"message":"invalid character ':' in a term without quotes","span":[5,6],"help":"put the term into double quotes"}}"#,
        );
        assert!(matches!(
            answer(r#"{"selector":"a=b,","labels":{}}"#),
            MatchAnswer::Error(Refusal { span: Some(_), .. })
        ));
        assert!(matches!(answer("x"), MatchAnswer::Error(Refusal { span: None, .. })));
        assert!(matches!(
            answer(r#"{"pattern":"a","event":1}"#),
            MatchAnswer::Error(Refusal { span: None, .. })
        ));
    }
}
