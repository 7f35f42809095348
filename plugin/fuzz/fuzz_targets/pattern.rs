//! Any bytes as a pattern (the first line) and as an event (the rest): nothing panics, what is printed reads back, and an
//! explanation is there exactly when there is no match.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nodesieve_engine::json::push_string;
use nodesieve_engine::line::Line;
use nodesieve_engine::pattern::{Pattern, Searched};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (pattern, event) = text.split_once('\n').unwrap_or((&text, ""));
    let compiled = match Pattern::parse(pattern) {
        Ok(compiled) => compiled,
        Err(error) => {
            assert!(pattern.get(error.span.clone()).is_some(), "{error:?}");
            return;
        }
    };
    let _ = compiled.warnings(pattern);
    assert_eq!(Pattern::parse(&compiled.to_string()).as_ref(), Ok(&compiled));
    let mut written = Vec::new();
    push_string(&mut written, event.as_bytes());
    let escaped = Line::exactly(&written[1..written.len() - 1]);
    let found = compiled.matches(&Searched::alone(&escaped));
    // Asked again, what was remembered answers the same.
    assert_eq!(compiled.matches(&Searched::alone(&escaped)), found);
    assert_eq!(compiled.why_not(&escaped).is_none(), found);
    // Whatever a host may send between quotes.
    let raw = Line::new(event.as_bytes());
    let _ = compiled.matches(&Searched::alone(&raw));
});
