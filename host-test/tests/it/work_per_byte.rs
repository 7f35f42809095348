//! A byte costs about the same whatever it is: a tenant whose lines are nothing but control characters, quotes or brackets must not
//! take the node's filter away from all others.
//!
//! Counted are instructions (fuel) of the compiled module, without the bytes of the answer. Each record has a layout of its own, so
//! that it is read in full. The rule kept here: what a line costs is compared with plain text of as many bytes, as the host hands them
//! over, under the same rules; and ten times the bytes cost no more than ten times as much.

use crate::support;
use host_test::guest::{Guest, Returned};
use host_test::kubelet::{FakePod, list};
use host_test::replay::write_pods;
use host_test::tree::NodeTree;
use std::fmt::Write as _;
use std::fs;

/// How many times what plain text costs a line may cost.
const MOST: f64 = 4.0;
/// Lines that cost more than that, and how much: what was measured and a tenth. A number here goes down, and no line is added. Keys that
/// are spelled with `\u0041` may be any, so each has to be resolved where keys are asked for: by redaction, and by JSON patterns.
const DEARER: &[(&str, f64)] = &[("an object of keys with escapes", 11.2)];

/// Sizes of a line, in bytes as logged.
const SIZES: [usize; 2] = [150, 1500];

const PROSE: &str =
    "The customer has opened the page and looked at several of the products on it before leaving again. ";

/// Lines of one kind, by what they are made of: what they start with, what is repeated, and what they end with.
const LINES: &[(&str, [&str; 3])] = &[
    ("control characters", ["", "\u{1}", ""]),
    ("control characters and letters", ["", "a\u{1}", ""]),
    ("deletes", ["", "\u{7f}", ""]),
    ("tabs", ["", "\t", ""]),
    ("tabs and letters", ["", "a\t", ""]),
    ("ends of lines", ["", "\n", ""]),
    ("colours", ["", "\u{1b}[31mred\u{1b}[0m ", ""]),
    ("colours that do not end", ["", "\u{1b}[3", ""]),
    ("quotes", ["", "\"", ""]),
    ("quotes and blanks", ["", " \"", ""]),
    ("quoted words", ["", "\"ab\" ", ""]),
    ("apostrophes", ["", " 'a", ""]),
    ("backticks", ["", " `", ""]),
    ("backslashes", ["", "\\", ""]),
    ("backslashes and quotes", ["", "\\\"", ""]),
    ("backslashes and letters", ["", "\\n", ""]),
    ("Cyrillic", ["", "Привет мир ", ""]),
    ("Chinese", ["", "漢字", ""]),
    ("pictures", ["", "😀", ""]),
    ("digits", ["", "0123456789", ""]),
    ("numbers", ["", "200 ", ""]),
    ("numbers in words", ["", "http2 ", ""]),
    ("addresses", ["", "10.0.0.1 ", ""]),
    ("times", ["", "10:00:00 ", ""]),
    ("dates", ["", "2026-11-20T10:00:00Z ", ""]),
    ("percent", ["", "1 % ", ""]),
    ("brackets", ["", "[]", ""]),
    ("opening brackets", ["", "[{(<", ""]),
    ("braces", ["", "{}", ""]),
    ("blanks", ["", " ", ""]),
    ("blanks before a letter", ["a", " ", "a"]),
    ("equals signs", ["", "=", ""]),
    ("colons", ["", ":", ""]),
    ("commas", ["", ",", ""]),
    ("dots", ["", ".", ""]),
    ("dashes", ["", "-", ""]),
    ("percent signs", ["", "%", ""]),
    ("slashes", ["", "/", ""]),
    ("letters and colons", ["", "a:", ""]),
    ("letters and equals signs", ["", "a=", ""]),
    ("pairs", ["", "a=b ", ""]),
    ("pairs with quotes", ["", "a=\"b c\" ", ""]),
    ("pairs of levels", ["", "level=x ", ""]),
    ("messages in quotes", ["", "msg=\"a\" ", ""]),
    ("messages that do not end", ["", "msg=\"", ""]),
    ("ids of traces", ["", "trace_id=x ", ""]),
    ("hexadecimal words", ["", "fe22b29e ", ""]),
    ("identifiers", ["", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736 ", ""]),
    ("IPv6", ["", "fe80::abcd ", ""]),
    ("mail addresses", ["", "a@b.c ", ""]),
    ("queries", ["", "?a=b", ""]),
    ("months", ["", "Nov ", ""]),
    ("requests", ["", "\"GET / HTTP/1.1\" 200 ", ""]),
    ("probes that are none", ["", "kube-prob/", ""]),
    ("levels that are none", ["", "ERRO", ""]),
    ("levels in brackets", ["", "[INFO", ""]),
    ("headers of klog", ["E1123 10:00:00.123456 1 a.go:1] ", "{\"a\":", ""]),
    ("tracebacks that are none", ["", "Traceback (most recent call last", ""]),
    ("frames behind tabs", ["", "\tat a.b(c) ", ""]),
    ("exceptions that are none", ["", "java.lang.IllegalStateException", ""]),
    ("carets", ["  ", "^~", ""]),
    ("an object of members", ["{", "\"a\":1,", "\"b\":2}"]),
    ("an object of strings", ["{", "\"a\":\"b\",", "\"b\":2}"]),
    ("an object of levels", ["{", "\"level\":\"x\",", "\"b\":2}"]),
    ("an object of objects", ["{", "\"level\":{\"a\":1},", "\"b\":2}"]),
    ("an object of arrays", ["{", "\"a\":[[[[{}]]]],", "\"b\":2}"]),
    ("an object with escapes", ["{\"level\":\"info\",\"a\":\"", "\\\"", "\"}"]),
    ("an object with lines", ["{\"level\":\"info\",\"a\":\"", "\\n", "\"}"]),
    ("an object of wrapped objects", ["{", "\"log\":\"{\\\"a\\\":1}\",", "\"b\":2}"]),
    ("an object that does not end", ["{", "\"a\":1,", ""]),
    ("an object over lines", ["{", "\n\t\"a\":\t1,", "\"b\":2}"]),
    ("openings of objects", ["", "{\"a\":", ""]),
    ("an object of numbers with fractions", ["{", "\"ab\": -1.5e3, ", "\"b\":2}"]),
    ("an object of words", ["{", "\"ab\":true,", "\"b\":2}"]),
    ("an object of messages", ["{", "\"msg\":\"a\",", "\"b\":2}"]),
    ("an object of text in lines", ["{\"level\":\"info\",\"a\":\"", "\\tat a.b(c)\\n", "\"}"]),
    ("an object of keys with escapes", ["{", "\"a\\u0062\":1,", "\"b\":2}"]),
    ("an object of braces in strings", ["{", "\"a\":\"{}\",", "\"b\":2}"]),
    ("an array of numbers", ["[", "1,", "2]"]),
    ("an array of strings", ["[", "\"a\",", "\"b\"]"]),
    ("opening braces", ["", "{", ""]),
    ("closing braces", ["", "}", ""]),
    ("opening parentheses", ["", "(", ""]),
    ("escapes of a terminal", ["", "\u{1b}", ""]),
    ("accents", ["", "é", ""]),
    ("accents and letters", ["", "aé ", ""]),
    ("fractions", ["", "1.5 ", ""]),
    ("hexadecimal numbers", ["", "0x1f ", ""]),
    ("names with dots", ["", "a.b.c ", ""]),
    ("letters by themselves", ["", "a ", ""]),
    ("capitals", ["", "A", ""]),
    ("paths", ["", "/a/b/c ", ""]),
    ("bars", ["", "a | ", ""]),
    ("angles", ["", "<6>", ""]),
    ("values of levels", ["", "lvl=i ", ""]),
    ("keys of levels", ["", "\"level\": ", ""]),
    ("carriage returns", ["", "a\r\n", ""]),
    ("a soup of escapes", ["", "\\\"\n\ta\u{1}\u{1b}[0m \\\\b\"", ""]),
    ("a soup of everything", ["", "\\é\"[1=😀{]\n:}trace_id=ERROR \u{1}kube-probe/", ""]),
    ("a soup of punctuation", ["", "[(\"':={,.-%] )}\" ", ""]),
];

/// A line of about so many bytes; what is repeated is whole.
fn line([start, unit, end]: [&str; 3], size: usize) -> String {
    let room = size.saturating_sub(start.len() + end.len());
    format!("{start}{}{end}", unit.repeat((room / unit.len()).max(1)))
}

/// A line as the host writes it into a record.
fn written(line: &str) -> String {
    let mut out = String::new();
    for character in line.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_ascii_control() => write!(out, "\\u{:04x}", u32::from(control)).unwrap(),
            other => out.push(other),
        }
    }
    out
}

/// A filter with some rules that knows one pod, which is a day old, and what it has been handed so far.
struct Metered {
    guest: Guest,
    _tree: NodeTree,
    tag: String,
    records: usize,
}

impl Metered {
    fn start(rules: &str) -> Metered {
        let (guest, tree) = support::start(rules);
        let id = "a".repeat(64);
        let mut pod = FakePod::new("shop-eu", "web-1").with("web", &id);
        pod.created = "2026-11-20T10:00:00Z".into();
        write_pods(&list([pod.item()]), &tree.pods_directory()).unwrap();
        let tag = format!("kube.var.log.containers.web-1_shop-eu_web-{id}.log");
        let mut metered = Metered { guest, _tree: tree, tag, records: 0 };
        metered.guest.clock().advance_to(u64::from(NOW) * 1_000_000_000);
        // What is done once, is done: the pod is read, each rule has an example of what it drops.
        for first in
            ["INFO started", "WARN slow", "ERROR failed", "DEBUG x", "GET /healthz kube-probe/ \" 200 "]
        {
            metered.once(&written(first));
        }
        metered
    }

    /// Instructions of one record without the bytes of its answer. No other record is laid out like it.
    fn once(&mut self, written: &str) -> u64 {
        self.records += 1;
        let text = format!(
            r#"{{"time":"2026-11-21T10:00:00.123456789Z","stream":"stdout","layout_{}":"x","log":"{written}"}}"#,
            self.records
        );
        match self.guest.filter(self.tag.as_bytes(), (NOW, 0), text.as_bytes()) {
            Returned::Kept(answer) => self.guest.fuel_used().saturating_sub(answer.len() as u64),
            Returned::Dropped => self.guest.fuel_used(),
            Returned::Lost(loss) => panic!("{loss}: {text}"),
        }
    }

    /// The same of the one in the middle of three, so that what happens now and then is not taken for what a line costs.
    fn fuel(&mut self, written: &str) -> u64 {
        let mut three = [0; 3].map(|_: u64| self.once(written));
        three.sort_unstable();
        three[1]
    }

    /// Of plain text that arrives as so many bytes.
    fn plain(&mut self, length: usize) -> u64 {
        let text: String = PROSE.chars().cycle().take(length).collect();
        self.fuel(&text)
    }
}

/// 2026-11-21T10:00:00Z, a day behind the pod's start.
const NOW: u32 = 1_795_255_200;

/// The rule files that are shipped, with their names.
fn rule_files() -> Vec<(String, String)> {
    let mut paths = vec![support::conf().join("nodesieve.yaml")];
    paths.extend(fs::read_dir(support::conf().join("rules")).unwrap().map(|entry| entry.unwrap().path()));
    paths.sort();
    let read = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).unwrap())
    };
    paths.into_iter().map(read).collect()
}

/// Guarantees: no byte costs more than some times what a byte of plain text does, whatever rules are in force.
#[test]
fn a_byte_costs_at_most_four_times_what_a_byte_of_plain_text_does() {
    let mut broken = Vec::new();
    for (name, rules) in rule_files() {
        let mut metered = Metered::start(&rules);
        for (kind, parts) in LINES {
            let most = DEARER.iter().find(|(dearer, _)| dearer == kind).map_or(MOST, |(_, most)| *most);
            for size in SIZES {
                let written = written(&line(*parts, size));
                let (fuel, plain) = (metered.fuel(&written), metered.plain(written.len()));
                let times = fuel as f64 / plain as f64;
                if times > most {
                    broken.push(format!(
                        "{times:5.1} of {most}: {kind}, {size} bytes, {name}: {fuel} and {plain}"
                    ));
                }
            }
        }
    }
    broken.sort();
    assert!(broken.is_empty(), "{} lines are too dear:\n{}", broken.len(), broken.join("\n"));
}

/// Guarantees: four times the bytes are four times the work at the most, so that no line is a way to stop the node. Shorter lines may
/// have ways of their own.
#[test]
fn the_work_is_linear_in_the_line() {
    let mut broken = Vec::new();
    for (name, rules) in rule_files() {
        let mut metered = Metered::start(&rules);
        for (kind, parts) in LINES {
            let [short, long] = [15_000, 60_000].map(|size| written(&line(*parts, size)));
            let (few, many) = (metered.fuel(&short), metered.fuel(&long));
            // What is of its own size (the record, the tag) and what has a bound is in the first already.
            let times = many as f64 / few as f64 / (long.len() as f64 / short.len() as f64);
            if times > 1.3 {
                broken.push(format!(
                    "{times:5.1}: {kind}, {name}: {few} for {}, {many} for {}",
                    short.len(),
                    long.len()
                ));
            }
        }
    }
    assert!(broken.is_empty(), "{} lines take more than linear time:\n{}", broken.len(), broken.join("\n"));
}

/// Guarantees: a kind that may cost more is one that is measured.
#[test]
fn every_dearer_line_is_a_line() {
    for (kind, most) in DEARER {
        assert!(LINES.iter().any(|(known, _)| known == kind), "{kind}");
        assert!(*most > MOST, "{kind}");
    }
}
