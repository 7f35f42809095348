//! Any bytes as a line: the strict walk takes a text and its escaped form for the same, and what it takes has the members that
//! the lenient walk finds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nodesieve_engine::json::{Level, Members, Outline, push_string};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut written = Vec::new();
    push_string(&mut written, text.as_bytes());
    let quoted = &written[1..written.len() - 1];
    let plain = Outline::of(text.as_bytes(), Level::Plain);
    assert_eq!(plain.is_some(), Outline::of(quoted, Level::Quoted).is_some());
    let Some(outline) = plain else { return };
    let mut members = Members::open(text.as_bytes(), Level::Plain).expect("an object opens");
    while let Ok(Some(member)) = members.next() {
        if outline.is_whole() && !member.key.contains(&b'\\') {
            assert!(outline.get(text.as_bytes(), Level::Plain, member.key).is_some());
        }
    }
});
