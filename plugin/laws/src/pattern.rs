//! Any bytes as a pattern (the first line) and as an event (the rest): nothing panics, what is printed reads back, an explanation is
//! there exactly when there is no match, and the answer does not hang on how the event is escaped.

use crate::behaviour::{Behaviour, variant};
use crate::json::escaped_throughout;
use nodesieve_engine::json::push_string;
use nodesieve_engine::line::Line;
use nodesieve_engine::pattern::{Pattern, Searched};

pub(crate) fn check(data: &[u8]) -> Behaviour {
    let text = String::from_utf8_lossy(data);
    let (pattern, event) = text.split_once('\n').unwrap_or((&text, ""));
    let compiled = match Pattern::parse(pattern) {
        Ok(compiled) => compiled,
        Err(error) => {
            assert!(pattern.get(error.span.clone()).is_some(), "{error:?}");
            assert!(!error.to_string().is_empty());
            return Behaviour::of(("refused", variant(&error.kind)));
        }
    };
    for warning in compiled.warnings(pattern) {
        assert!(!warning.message.is_empty());
    }
    let printed = compiled.to_string();
    // The normal form has blanks and parentheses that an author need not write, and may so be over the limit.
    if printed.chars().count() <= MOST_CHARACTERS {
        let again = Pattern::parse(&printed);
        assert_eq!(again.as_ref(), Ok(&compiled), "{printed}");
        assert_eq!(again.map(|again| again.to_string()).ok().as_deref(), Some(&*printed));
    }
    let mut written = Vec::new();
    push_string(&mut written, event.as_bytes());
    let escaped = Line::exactly(written.get(1..written.len() - 1).unwrap_or_default());
    let found = compiled.matches(&Searched::alone(&escaped));
    // Asked again, what was remembered answers the same.
    assert_eq!(compiled.matches(&Searched::alone(&escaped)), found);
    assert_eq!(compiled.why_not(&escaped).is_none(), found);
    let throughout = escaped_throughout(event);
    let otherwise = Line::exactly(throughout.as_bytes());
    assert_eq!(compiled.matches(&Searched::alone(&otherwise)), found, "by another escape");
    // Whatever a host may send between quotes.
    let raw = Line::new(event.as_bytes());
    let _ = compiled.matches(&Searched::alone(&raw));
    let form = printed.chars().next().filter(|first| "{[%".contains(*first));
    Behaviour::of((form, found, printed.len() / 16, compiled.warnings(pattern).len()))
}

/// A pattern has at most so many.
const MOST_CHARACTERS: usize = 1024;

pub(crate) const WORDS: &[&str] = &[
    "{ $.a = 1 }",
    "$.level",
    " = ",
    " != ",
    " > ",
    " <= ",
    " && ",
    " || ",
    "IS NULL",
    "NOT EXISTS",
    "IS TRUE",
    "(",
    ")",
    "[*]",
    "[0]",
    "*",
    "%",
    "[ip, user, ..., status=4*]",
    "...",
    "-",
    "?",
    "\"",
    "\\",
    "\\\"",
    "{\"a\":[1,{\"b\":\"x\"}]}",
    "\n",
    "^",
    "$",
    "[a-z]",
    "\\d",
    "\\s",
    "+",
    "|",
    ".",
    "1e3",
    "0.5",
    "null",
    "true",
    "ERROR",
    "é",
    "{",
    "}",
    "[",
    "]",
    ",",
    "{ $.a.b[1].c = \"x*y\" }",
    "%err|fail%",
];
