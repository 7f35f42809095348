//! The compiled module at the limit of its memory: nothing that a line, a pod or a rule file can be makes it trap, and when a call
//! does not return all the same, it finds back by itself.

use crate::support;
use host_test::guest::{Guest, Loss, Returned};
use host_test::tree::NodeTree;
use nodesieve_engine::engine::TICK_TAG;
use nodesieve_engine::pods::{Container, Pairs, PodFile, file_name};
use nodesieve_sidecar::exposition;

const START: u64 = 1_800_000_000;

fn value(tree: &NodeTree, name: &str) -> u64 {
    exposition::value(&tree.metrics().unwrap(), name).unwrap() as u64
}

fn tick(guest: &mut Guest, second: u64) -> Returned {
    guest.clock().advance_to((START + second) * 1_000_000_000);
    guest.filter(TICK_TAG, ((START + second) as u32, 0), b"{\"node\":\"n\"}")
}

fn id(n: usize) -> String {
    format!("{n:064x}")
}

fn tag(pod: &str, container: usize) -> String {
    format!("kube.var.log.containers.{pod}_n_app-{}.log", id(container))
}

/// Writes a pod with so many containers and labels or annotations, of so many bytes each.
fn put_pod(
    tree: &NodeTree,
    pod: &str,
    containers: usize,
    (labels, annotations): (usize, usize),
    bytes: usize,
) {
    let pairs = |count: usize| {
        Some(Pairs((0..count).map(|n| (format!("key-{n:04}"), "\"x".repeat(bytes / 2))).collect()))
    };
    let mut file = PodFile::new("n", pod);
    file.labels = pairs(labels);
    file.annotations = pairs(annotations);
    let container = |n| Container { name: "app".into(), id: id(n), started: Some(5), ..Container::default() };
    file.containers = (0..containers).map(container).collect();
    let path = tree.pods_directory().join(file_name("n", pod).unwrap());
    std::fs::write(path, file.encode().unwrap()).unwrap();
}

const KEPT: &str = "rules: [{ name: one, when: { labels: a=b }, keep: {} }]\n";

/// Scenario: lines of up to 140 MB, which fit neither into a delivery nor, twice, into the filter's memory.
/// Guarantees: up to 32 MiB they are cut to `input.max_record`, beyond that a marker stands for them; none traps, the rules stay in
/// force, and the memory does not stay taken.
#[test]
fn a_line_of_any_size_is_cut_or_marked() {
    let (mut guest, tree) = support::start(
        "version: 1\nrules: [{ name: noise, when: { message: noise }, drop: {}, reason: test }]\n",
    );
    tick(&mut guest, 0);
    for megabytes in [30, 34, 140] {
        for (front, piece) in [("", "x"), ("noise ", "x"), ("", "\\u0001"), ("{\\\"a\\\":\\\"", "\\\\n")] {
            let length = megabytes * 1_000_000;
            let record = format!("{{\"log\":\"{front}{}\"}}", piece.repeat(length / piece.len()));
            let answer = guest.filter(tag("web", 1).as_bytes(), (START as u32, 0), record.as_bytes());
            let is_noise = front == "noise ";
            match answer {
                Returned::Dropped => assert!(is_noise && megabytes < 33, "{megabytes} {piece}"),
                Returned::Kept(text) if megabytes < 33 => {
                    assert!(!is_noise && text.len() <= 1_000_000, "{megabytes} {piece}");
                }
                Returned::Kept(text) => assert_eq!(
                    String::from_utf8(text).unwrap(),
                    format!(
                        "{{\"nodesieve\":{{\"fault\":\"the record is larger than 32 MiB\"}},\"truncated\":{}}}",
                        record.len()
                    )
                ),
                Returned::Lost(loss) => panic!("{megabytes} {piece}: {loss}"),
            }
        }
    }
    assert!(guest.memory_bytes() < 80 << 20, "{}", guest.memory_bytes());
    let noise = guest.filter(tag("web", 1).as_bytes(), (START as u32, 0), b"{\"log\":\"noise\"}");
    assert_eq!(noise, Returned::Dropped, "the rules are in force");
    tick(&mut guest, 20);
    assert_eq!(value(&tree, "nodesieve_fault_null_total"), 8);
    assert_eq!(value(&tree, "nodesieve_pass_through"), 0);
}

/// Scenario: lines that are objects of very many members, of one long value or of the same key again and again, merged where memory
/// is as full of pods as it gets.
/// Guarantees: each is merged or stays a line; none traps.
#[test]
fn a_line_of_any_shape_is_merged_or_stays() {
    let (mut guest, tree) = support::start(
        "version: 1\nenrich: { annotations: true, max_bytes: 256KiB, merge_log: { keep_log: false } }\npods: { max_bytes: 64MiB }\n",
    );
    tick(&mut guest, 0);
    for pod in 0..130 {
        let name = format!("full-{pod}");
        put_pod(&tree, &name, 1, (10, 10), 16_000);
        guest.filter(tag(&name, 0).as_bytes(), (START as u32, 0), b"{\"log\":\"x\"}");
    }
    let list =
        |member: &dyn Fn(usize) -> String, count: usize| (0..count).map(member).collect::<Vec<_>>().join(",");
    let long = "\\u0061".repeat(600_000);
    for inner in [
        list(&|n| format!("\"k{n}\":{n}"), 65_000),
        list(&|n| format!("\"k{n}\":{n}"), 66_000),
        list(&|n| format!("\"\\u006b{n}\":\"x\\n\""), 65_000),
        list(&|_| "\"k\":1".to_owned(), 65_000),
        format!("\"a\":\"{long}\""),
        format!("\"{long}\":1"),
        format!("\"a\":\"{}\"", "\\ud800".repeat(400_000)),
        format!("\"a\":\"{}\"", "\u{1}".repeat(400_000)),
        format!("\"a\":{}{}", "[1,".repeat(61), "[".repeat(1_000_000)),
    ] {
        let line = serde_json::to_string(&format!("{{{inner}}}")).unwrap();
        let record = format!("{{\"stream\":\"stdout\",\"log\":{line}}}");
        let answer = guest.filter(tag("web", 1).as_bytes(), (START as u32, 0), record.as_bytes());
        let start: String = record.chars().take(60).collect();
        assert!(matches!(&answer, Returned::Kept(text) if text.len() <= 1_000_000), "{start}: {answer:?}");
    }
    tick(&mut guest, 20);
    assert!(value(&tree, "nodesieve_records_merged_total") >= 4);
    assert_eq!(value(&tree, "nodesieve_pass_through"), 0);
}

/// Scenario: a record of many members, of many numbers that the host cannot read back, or nested without end, small and large.
/// Guarantees: each is handed on, or a marker in its place where it would be too large to be delivered.
#[test]
fn a_record_of_any_shape_is_handed_on_or_marked() {
    let (mut guest, tree) = support::start(
        "version: 1\ninput: { severity: $.a }\nrules: [{ name: one, limit: { rate: 1000000/s, by: [$.a, $.log, trace_id] } }]\n",
    );
    tick(&mut guest, 0);
    let members =
        |n: usize| format!("{{{}\"z\":1}}", (0..n).map(|n| format!("\"k{n}\":1,")).collect::<String>());
    let numbers = |n: usize| format!("{{\"a\":[{}1]}}", "nan,".repeat(n));
    let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
    let doubled =
        |n: usize| format!("{{{}\"z\":1}}", "\"kubernetes\":1,\"log\":\"x\",\"nodesieve\":{},".repeat(n));
    let key = |n: usize| format!("{{\"\\u0001{}\":1,\"log\":\"x\"}}", "\\n".repeat(n * 60));
    let scalar = |n: usize| {
        format!("{{\"a\":{},\"log\":\"{{\\\"a\\\":{}}}\"}}", "1".repeat(n * 60), "1".repeat(n * 60))
    };
    let shapes: [&dyn Fn(usize) -> String; 6] = [&members, &numbers, &nested, &doubled, &key, &scalar];
    for (at, shape) in shapes.iter().enumerate() {
        for n in [10, 200, 1000, 30_000, 70_000, 300_000, 500_000] {
            let record = shape(n);
            let answer = guest.filter(tag("web", 1).as_bytes(), (START as u32, 0), record.as_bytes());
            let Returned::Kept(text) = answer else { panic!("{at} {n}: {answer:?}") };
            assert!(text.len() <= 1_000_000, "{at} {n}: {}", text.len());
        }
    }
    tick(&mut guest, 20);
    assert_eq!(value(&tree, "nodesieve_pass_through"), 0);
    assert!(value(&tree, "nodesieve_fault_size_total") >= 3);
}

/// Scenario: 40 pods with ten containers each have 1,000 labels; 30 others have 250 kB of annotations, and a rule asks for those.
/// Guarantees: all records are kept whole, with metadata where there is room for it; no trap, and the cache keeps to its bytes.
#[test]
fn pods_with_much_metadata_do_not_fill_the_memory() {
    let rules = format!("version: 1\nenrich: {{ annotations: true }}\n{KEPT}");
    for rules in [rules.clone(), rules.replace("labels: a=b", "record: '{ $.kubernetes.annotations.a = b }'")]
    {
        let (mut guest, tree) = support::start(&rules);
        tick(&mut guest, 0);
        for pod in 0..70 {
            let pairs = if pod < 40 { ((1000, 0), 8) } else { ((5, 1000), 250) };
            put_pod(&tree, &format!("web-{pod}"), 10, pairs.0, pairs.1);
        }
        for round in 0..2 {
            for pod in 0..70 {
                for container in 0..10 {
                    let tag = tag(&format!("web-{pod}"), container);
                    let answer =
                        guest.filter(tag.as_bytes(), ((START + round) as u32, 0), b"{\"log\":\"x\"}");
                    let Returned::Kept(text) = answer else { panic!("{pod} {container}: {answer:?}") };
                    assert!(
                        text.len() < 16_384 + 100 && text.starts_with(b"{\"log\":\"x\""),
                        "{}",
                        text.len()
                    );
                }
            }
            tick(&mut guest, 10 * (round + 1));
        }
        assert!(guest.memory_bytes() < 64 << 20, "{}", guest.memory_bytes());
        assert_eq!(value(&tree, "nodesieve_pass_through"), 0);
        assert!(value(&tree, "nodesieve_records_metadata_truncated_total") > 0);
        // And a large record after all that.
        let large = format!("{{\"log\":\"{}\"}}", "y".repeat(30_000_000));
        let answer = guest.filter(tag("web-1", 1).as_bytes(), (START as u32, 0), large.as_bytes());
        assert!(matches!(&answer, Returned::Kept(text) if text.len() <= 1_000_000), "{answer:?}");
    }
}

/// A call that traps half-way, at several points of it, loses its record, as the host has it. Records pass untouched until the next
/// tick; then a new filter goes on from what was saved.
#[test]
fn after_a_call_that_never_returned_the_filter_starts_anew_with_the_next_tick() {
    for fuel in [300, 500, 800, 1500, 2500, 4000] {
        let (mut guest, tree) = support::start(
            "version: 1\nrules: [{ name: all, when: { message: line }, drop: {}, reason: test }]\n",
        );
        let record = br#"{"stream":"stdout","log":"a line of some length, so that there is work to do"}"#;
        tick(&mut guest, 0);
        assert_eq!(guest.filter(b"t", (0, 0), record), Returned::Dropped);
        tick(&mut guest, 1);
        let lost = guest.filter_interrupted(b"another-tag", (0, 0), record, fuel);
        assert!(matches!(lost, Returned::Lost(Loss::Trap(_))), "{fuel}: {lost:?}");
        assert_eq!(guest.filter(b"t", (0, 0), record), Returned::Kept(record.to_vec()), "{fuel}");
        assert_eq!(tick(&mut guest, 2), Returned::Dropped, "{fuel}");
        assert_eq!(guest.filter(b"t", (0, 0), record), Returned::Dropped, "{fuel}: the rules are back");
        tick(&mut guest, 20);
        assert_eq!(
            (value(&tree, "nodesieve_pass_through"), value(&tree, "nodesieve_recoveries")),
            (0, 1),
            "{fuel}"
        );
        let said = guest.stderr();
        assert!(said.contains("a call never returned") && said.contains("1 of 8 times"), "{said}");
    }
}

/// Where there are no ticks, a second of the clock does.
#[test]
fn without_ticks_the_filter_starts_anew_after_a_second() {
    let (mut guest, _tree) = support::start("version: 1\nrules: [{ name: all, drop: {}, reason: test }]\n");
    guest.clock().advance_to(START * 1_000_000_000);
    let record = br#"{"log":"a line"}"#;
    assert_eq!(guest.filter(b"t", (0, 0), record), Returned::Dropped);
    guest.filter_interrupted(b"u", (0, 0), record, 400);
    assert_eq!(guest.filter(b"t", (0, 0), record), Returned::Kept(record.to_vec()));
    guest.clock().advance_to((START + 1) * 1_000_000_000);
    assert_eq!(guest.filter(b"t", (0, 0), record), Returned::Dropped);
}

/// Scenario: one record in two traps, tick for tick.
/// Guarantees: eight times a new filter starts; then records pass untouched for good, and that is said once.
#[test]
fn a_filter_that_traps_again_and_again_ends_as_one_that_changes_nothing() {
    let (mut guest, tree) = support::start("version: 1\nrules: [{ name: all, drop: {}, reason: test }]\n");
    let record = br#"{"log":"a line"}"#;
    for second in 0..20 {
        tick(&mut guest, second);
        let answer = guest.filter(b"t", (0, 0), record);
        let expected = if second < 9 { Returned::Dropped } else { Returned::Kept(record.to_vec()) };
        assert_eq!(answer, expected, "{second}");
        guest.filter_interrupted(b"u", (0, 0), record, 300);
    }
    tick(&mut guest, 100);
    let said = guest.stderr();
    assert_eq!(
        (said.matches("starts anew").count(), said.matches("cannot start anew").count()),
        (8, 1),
        "{said}"
    );
    assert_eq!(value(&tree, "nodesieve_pass_through"), 1);
}
