//! Memory that a record asks for once its stream is known. A binary of its own, because its allocator counts.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use host_test::bench::{BenchInput, CountedWork, GeneratedNode, WorkloadSize, paths};
use nodesieve_engine::config;
use nodesieve_engine::engine::{Engine, Input};
use nodesieve_engine::time::{EventTime, Now};
use nodesieve_preview::pods::PodTable;

/// How often a record of the second half of the bench's workload asks the allocator for memory: on average, and at most.
fn asked_for(rules: &str, line: usize) -> (f64, u64) {
    let node = GeneratedNode::new(WorkloadSize { turns: 4, ..WorkloadSize::of_lines(line) });
    let records = node.records();
    let mut pods = PodTable::of(&node.pod_list).unwrap();
    let mut engine = Engine::new(config::load(rules).unwrap().rules, 7);
    let mut out = Vec::new();
    let mut counts = Vec::new();
    for (record, at) in records.iter().zip(0u64..) {
        let time = EventTime { sec: record.time.0, nsec: record.time.1 };
        let input = Input { tag: record.tag.as_bytes(), time, text: record.text.as_bytes() };
        let mut now = Now(1_800_000_000_000_000_000 + at * 100_000);
        let counted = allocation_counter::measure(|| {
            engine.filter(input, &mut now, &mut pods, &mut out);
        });
        counts.push(counted.count_total);
    }
    let known = counts.split_off(counts.len() / 2);
    (known.iter().sum::<u64>() as f64 / known.len() as f64, known.iter().copied().max().unwrap())
}

/// Guarantees: no record asks for memory, whatever decides it and whether its JSON is read or metadata is put onto it; but one that
/// stands for others asks for their count, and a line that becomes members of its record for these.
#[test]
fn a_record_of_a_known_stream_asks_for_no_memory_unless_its_line_is_merged() {
    let mut seen = 0;
    for path in paths("version: 1\n") {
        let BenchInput::Lines(line) = path.input else { continue };
        // Of longer lines the workload has too few to know its streams.
        if path.counted != CountedWork::Filter || line > 150 {
            continue;
        }
        let (average, most) = asked_for(&path.rules, line);
        eprintln!("{}: {average:.3} on average, {most} at most", path.name);
        let family = path.name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '-');
        let (average_allowed, most_allowed) = match family {
            "drop-by-tag" | "drop-by-term" | "severity-guard" | "keep-lean" | "keep-full"
            | "json-condition" | "sampled" | "json-and-trace" => (0.0, 0),
            "ten-rules" | "hundred-rules" => (0.01, 1),
            "merge" | "merge-alone" => (4.5, 16),
            other => panic!("a path of no family: {other}"),
        };
        assert!(average <= average_allowed && most <= most_allowed, "{}: {average}, {most}", path.name);
        seen += 1;
    }
    assert!(seen > 15, "{seen}");
}
