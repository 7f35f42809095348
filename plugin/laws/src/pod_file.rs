//! Any bytes as the file of a pod: reading is total, what is taken is JSON and written back reads as itself, and a record gets what is
//! in it or nothing.

use crate::behaviour::Behaviour;
use crate::calls::{START, TAGS};
use crate::engines::Engines;
use crate::json::is_json;
use crate::record::{check_answer, event_time};
use nodesieve_engine::config::load;
use nodesieve_engine::engine::Input;
use nodesieve_engine::pods::{FileError, MAX_FILE_BYTES, PodFile, PodSource, Unavailable};
use nodesieve_engine::time::Now;

pub(crate) fn check(data: &[u8]) -> Behaviour {
    let read = PodFile::decode(data, "shop", "web-1");
    decide(data);
    let file = match read {
        Ok(file) => file,
        Err(FileError::OtherPod(namespace, pod)) => {
            let file = PodFile::decode(data, &namespace, &pod);
            assert!(file.is_ok(), "{file:?}");
            return Behaviour::of("another's");
        }
        Err(error) => {
            // Places and values are not news.
            let kind: String =
                error.to_string().chars().filter(|character| !character.is_ascii_digit()).collect();
            return Behaviour::of(kind);
        }
    };
    assert!(is_json(data), "taken, and no JSON");
    assert_eq!((&*file.namespace, &*file.pod), ("shop", "web-1"));
    match file.encode() {
        Ok(content) => {
            let again = PodFile::decode(&content, "shop", "web-1");
            assert_eq!(again.as_ref(), Ok(&file));
            assert_eq!(again.and_then(|again| again.encode()).as_deref(), Ok(&*content));
        }
        Err(error) => {
            assert!(matches!(error, FileError::TooLarge(bytes) if bytes > MAX_FILE_BYTES), "{error}")
        }
    }
    for id in ["0a", "0b"] {
        let seen = file.clone().as_seen_by(id);
        assert_eq!(seen.containers, file.containers);
    }
    let PodFile { uid, node, ip, labels, annotations, workload, containers, older, .. } = &file;
    let known = [
        uid.is_some(),
        node.is_some(),
        ip.is_some(),
        labels.is_some(),
        annotations.is_some(),
        workload.is_some(),
    ];
    let pairs = labels.iter().chain(annotations).map(|pairs| pairs.0.len().min(4)).sum::<usize>();
    Behaviour::of((known, pairs, containers.len().min(4), older.len().min(4)))
}

/// A record whose pod has this file.
fn decide(content: &[u8]) {
    let Ok(loaded) = load(RULES) else { panic!("the rules of the law load") };
    let mut engines = Engines::new(&loaded.rules);
    let mut pods = OneFile(content);
    for (n, text) in [
        r#"{"log":"x","stream":"stdout"}"#,
        r#"{"log":"x","stream":"stdout"}"#,
        r#"{"kubernetes":1,"log":"y"}"#,
    ]
    .iter()
    .enumerate()
    {
        let clock = START + n as i64 * 100;
        let input = Input { tag: TAGS[0].as_bytes(), time: event_time(clock, 0), text: text.as_bytes() };
        let answer = engines.filter(input, Now(clock.unsigned_abs() * 1_000_000), &mut pods);
        check_answer(text.as_bytes(), answer, &engines.out, &loaded.rules);
    }
    engines.add_up(Now(START.unsigned_abs() * 1_000_000));
}

struct OneFile<'c>(&'c [u8]);

impl PodSource for OneFile<'_> {
    fn read(&mut self, _: &str, into: &mut Vec<u8>) -> Result<(), Unavailable> {
        into.extend_from_slice(self.0);
        Ok(())
    }
}

const RULES: &str = "version: 1\nenrich: { fields: all, annotations: true }\nexclude_annotations: true\nrules:\n\
    - { name: web, when: { labels: 'app=web', annotations: 'note=x' }, drop: {}, reason: test }\n\
    - { name: owned, when: { workload: 'web*' }, sample: { rate: 1/2 } }\n\
    - { name: young, when: { container_age: '<60s' }, keep: {} }\n";

pub(crate) const WORDS: &[&str] = &[
    "{\"version\":1,\"namespace\":\"shop\",\"pod\":\"web-1\"",
    ",\"uid\":\"u\"",
    ",\"node\":\"n\"",
    ",\"ip\":\"10.0.0.1\"",
    ",\"labels\":{",
    "\"app\":\"web\"",
    ",\"annotations\":{",
    "\"note\":\"x\"",
    "\"fluentbit.io/exclude\":\"true\"",
    ",\"workload\":{\"kind\":\"Deployment\",\"name\":\"web\"}",
    ",\"containers\":[",
    "{\"name\":\"web\",\"id\":\"0a\"",
    ",\"image\":\"i\"",
    ",\"hash\":\"h\"",
    ",\"started\":1795168790",
    ",\"restarts\":2",
    ",\"older\":[",
    "{\"ids\":[\"0a\"]",
    "null",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u0000",
    "\\ud83d\\ude00",
    "\\ud800",
    "-0",
    "9223372036854775808",
    "1.5",
    "1e999",
    "\u{e9}",
    " ",
    "\n",
    "\0",
];
