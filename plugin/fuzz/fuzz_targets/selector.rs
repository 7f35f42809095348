//! Any bytes as a selector (the first line) and as labels (`key=value` in each further line): nothing panics, what is printed
//! reads back and means the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nodesieve_engine::selector::Selector;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (selector, labels) = text.split_once('\n').unwrap_or((&text, ""));
    let Ok(compiled) = Selector::parse(selector) else { return };
    let get = |key: &str| {
        labels.lines().rev().filter_map(|line| line.split_once('=')).find(|(name, _)| *name == key).map(|(_, value)| value)
    };
    let matches = compiled.matches(get);
    assert_eq!(compiled.first_failed(get).is_none(), matches);
    let again = Selector::parse(&compiled.to_string());
    assert_eq!(again.as_ref(), Ok(&compiled));
});
