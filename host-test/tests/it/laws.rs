//! Property tests: laws that hold for any input to the compiled module, called as Fluent Bit calls it.

use crate::support;
use host_test::guest::Returned;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const RULES: &str = "version: 1\nguards:\n  - { name: errors, when: { severity: '>=error' } }\nrules:\n  \
    - { name: noise, when: { message: 'noise -signal' }, drop: {}, reason: test }\n  \
    - { name: some, when: { stream: stdout }, sample: { rate: 1/2, by: trace_id, else_by: '$.user.id' } }\n";

/// Scenario: bytes of every kind as record and tag: random, and JSON that is broken in one place.
/// Guarantees: the filter never traps; only a record that a rule matched is dropped; what it hands back is one object
/// or the record as it came.
#[test]
fn bad_input_never_traps_and_is_never_lost() {
    let (guest, _tree) = support::start(RULES);
    guest.clock().advance_to(1_800_000_000_000_000_000);
    let guest = std::cell::RefCell::new(guest);
    let json = prop_oneof![
        Just(r#"{"log":"noise","stream":"stdout","n":[1,{"a":"b\\u00e9"}]}"#.to_owned()),
        Just(
            r#"{"log":"{\"level\":\"error\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}"}"#.to_owned()
        ),
        Just(r#"{"message":"Traceback (most recent call last):\n","x":nan}"#.to_owned()),
        Just(r#"{"log":"\\u001b[31mERROR\\t\\\\","kubernetes":{"a":1},"nodesieve":1}"#.to_owned()),
    ];
    let broken = (json, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(text, at, byte)| {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes
    });
    let record = prop_oneof![prop::collection::vec(any::<u8>(), 0..200), broken];
    let tag = prop_oneof![
        Just(b"kube.var.log.containers.web-1_shop_app-0a.log".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    let mut runner = TestRunner::new(Config { cases: 4000, failure_persistence: None, ..Config::default() });
    runner
        .run(&(tag, record, any::<u32>()), |(tag, record, sec)| {
            // The host's text has no NUL, and the tick is not a record.
            prop_assume!(!record.contains(&0) && !tag.contains(&0));
            match guest.borrow_mut().filter(&tag, (sec, 5), &record) {
                Returned::Kept(text) => {
                    let is_object = serde_json::from_slice::<serde_json::Value>(&text)
                        .is_ok_and(|value| value.is_object());
                    prop_assert!(is_object);
                }
                Returned::Dropped => {
                    // An empty text comes back as an empty text: there is no record in it.
                    let could_match = record.is_empty()
                        || record.windows(5).any(|part| part == b"noise")
                        || record.windows(6).any(|part| part == b"stdout");
                    prop_assert!(could_match, "dropped {:?}", String::from_utf8_lossy(&record));
                }
                Returned::Lost(loss) => {
                    // Only what was no object when it came may be none when it goes.
                    let was_readable = serde_json::from_slice::<serde_json::Value>(&record)
                        .is_ok_and(|value| value.is_object());
                    prop_assert!(!was_readable, "{loss}");
                    prop_assert!(!loss.to_string().contains("trap"), "{loss}");
                }
            }
            Ok(())
        })
        .unwrap();
}
