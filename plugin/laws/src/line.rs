//! Any bytes as a line: the strict walk takes a text and its escaped form for the same, what it takes has the members that the lenient
//! walk finds, and nothing that looks at a line minds whether the host has escaped what is beyond ASCII.

use crate::behaviour::Behaviour;
use crate::json::{ascii_only, is_json};
use nodesieve_engine::continuation::Look;
use nodesieve_engine::json::{Level, Members, Outline, push_string};
use nodesieve_engine::line::Line;
use nodesieve_engine::severity::{self, Severity};
use nodesieve_engine::template::{masked, template};

pub(crate) fn check(data: &[u8]) -> Behaviour {
    let text = String::from_utf8_lossy(data);
    let mut written = Vec::new();
    push_string(&mut written, text.as_bytes());
    let quoted = written.get(1..written.len() - 1).unwrap_or_default();
    let plain = Outline::of(text.as_bytes(), Level::Plain);
    assert_eq!(plain.is_some(), Outline::of(quoted, Level::Quoted).is_some());
    if plain.is_some() {
        assert!(is_json(text.as_bytes()), "the strict walk takes what is no JSON");
    }
    if let Some(outline) = &plain {
        let Ok(mut members) = Members::open(text.as_bytes(), Level::Plain) else {
            panic!("the lenient walk does not open what the strict one takes")
        };
        while let Ok(Some(member)) = members.next() {
            if outline.is_whole() && !member.key.contains(&b'\\') {
                assert!(outline.get(text.as_bytes(), Level::Plain, member.key).is_some());
            }
        }
    }
    let as_printed = Line::exactly(quoted);
    assert_eq!(as_printed.text(), text.as_bytes());
    let keys = [Box::from("msg"), Box::from("message")];
    let shape = template(&as_printed, &keys);
    assert!(masked(&as_printed, &keys, 100).len() <= 100);
    let is_tail = Look::at(&as_printed, severity::read(&as_printed)).is_tail();
    let level = Severity::of(&as_printed);
    let in_ascii = ascii_only(&String::from_utf8_lossy(quoted));
    let otherwise = Line::exactly(in_ascii.as_bytes());
    assert_eq!(otherwise.text(), text.as_bytes());
    if text.len() <= SHORT && stands_apart(&text) {
        assert_eq!(Severity::of(&otherwise), level, "the level with what is beyond ASCII escaped");
        assert_eq!(template(&otherwise, &keys), shape, "the template with what is beyond ASCII escaped");
        let by_other = Look::at(&otherwise, severity::read(&otherwise)).is_tail();
        assert_eq!(by_other, is_tail, "whether it goes on with what is beyond ASCII escaped");
    }
    // Whatever a host may send between quotes.
    let raw = Line::new(data);
    let _ = (Severity::of(&raw), template(&raw, &keys), masked(&raw, &keys, 100));
    Behaviour::of((
        plain.is_some(),
        level.map(|level| level.name()),
        is_tail,
        shape % 64,
        text.len().checked_ilog2(),
    ))
}

/// Whether what is beyond ASCII has only blanks beside it. A word ends where an escape begins, and not at a letter with an accent: what
/// is glued to a level, as in `level=warné`, is passed over where the host has escaped it, and makes it none where it has not.
fn stands_apart(text: &str) -> bool {
    let is_apart = |one: char, other: char| one.is_ascii() == other.is_ascii() || one == ' ' || other == ' ';
    text.chars().zip(text.chars().skip(1)).all(|(one, other)| is_apart(one, other))
}

/// How long a line may be that is compared over its escapes: what looks at the start of a line counts bytes as they are written.
const SHORT: usize = 40;

pub(crate) const WORDS: &[&str] = &[
    "{\"level\":\"error\"",
    "\"msg\":\"",
    "\"message\":\"",
    "\"}",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "\\u00e9",
    "\\ud83d\\ude00",
    "\\n",
    ":",
    ",",
    "null",
    "true",
    "-1.5e9",
    "1e999",
    "ERROR ",
    "level=warn ",
    " at com.x.Y(Z.java:7)",
    "Caused by: ",
    "Traceback (most recent call last):",
    "2026-11-20T10:00:00Z ",
    "\u{1b}[31m",
    "<13>",
    "E1120 10:00:00.000000 1 a.go:7] ",
    "\"severity\":3",
    "é",
    "\u{feff}",
    "\u{2028}",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "10.0.0.1 - - [20/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 500 2",
];
