//! The largest rule files that there can be, in the compiled module: what does not fit is refused as `check` does it, and what fits
//! neither stalls a node nor makes its records dear.

use crate::support;
use host_test::guest::{Guest, Returned};
use nodesieve_engine::engine::TICK_TAG;
use std::fmt::Write as _;

/// Instructions in a quarter of a second, interpreted: 1.2 ns each.
const QUARTER_OF_A_SECOND: u64 = 210_000_000;
const MAX_BYTES: usize = nodesieve_engine::config::MAX_BYTES;

fn tick(guest: &mut Guest) -> u64 {
    assert_eq!(guest.filter(TICK_TAG, (0, 0), b"{}"), Returned::Dropped);
    guest.fuel_used()
}

/// What a filter says and needs when this file takes the place of a good one.
fn read(rules: &str) -> (u64, String, Guest, host_test::tree::NodeTree) {
    let (mut guest, tree) = support::start("version: 1\nrules: [{ name: all, drop: {}, reason: test }]\n");
    guest.clock().advance_to(1_800_000_000_000_000_000);
    tick(&mut guest);
    tree.put_rules(rules).unwrap();
    let fuel = tick(&mut guest);
    let said = guest.stderr();
    (fuel, said, guest, tree)
}

fn many(n: usize, each: impl Fn(usize) -> String) -> String {
    let mut rules = "version: 1\nrules:\n".to_owned();
    (0..n).for_each(|at| writeln!(rules, "- {}", each(at)).unwrap());
    rules
}

#[test]
fn files_beyond_the_limits_are_refused_quickly() {
    let rule = |n: usize| format!("{{ name: r{n}, when: {{ message: 'term{n}' }}, drop: {{}}, reason: x }}");
    let mistakes = many(5_500, |n| format!("{{ nmae{}: r{n}, when: [] }}", "x".repeat(20)));
    for (name, rules, code) in [
        ("a comment of 1 MiB", format!("version: 1\n#{}\n", "x".repeat(MAX_BYTES)), "NS104"),
        ("20,000 rules", many(20_000, |n| format!("{{ name: r{n}, drop: {{}} }}")), "NS104"),
        ("501 rules", many(501, rule), "NS104"),
        (
            "many mistakes",
            mistakes[..MAX_BYTES.min(mistakes.len())].rsplit_once('\n').unwrap().0.to_owned(),
            "NS20",
        ),
        ("values", format!("version: 1\nx: [{}a]\n", "a,".repeat(MAX_BYTES / 2 - 20)), "NS104"),
        ("open", format!("version: 1\nx: {}\n", "[".repeat(MAX_BYTES - 20)), "NS10"),
        (
            "patterns",
            many(90, |n| {
                format!(
                    "{{ name: r{n}, when: {{ message: '{}' }}, sample: {{ rate: 1/10 }} }}",
                    "?term ".repeat(150)
                )
            }),
            "NS104",
        ),
        ("keys", format!("version: 1\nx: {{{}}}\n", "a: 1,".repeat(19_000)), "NS10"),
        ("one long text", format!("version: 1\nx: \"{}\"\n", "\\u00e9".repeat(MAX_BYTES / 6 - 10)), "NS201"),
        (
            "tests of large lines",
            format!(
                "version: 1\ntests: [{{ record: {{ log: '{}' }}, repeat: {{ n: 20000 }}, expect: {{ action: keep }} }}]\n",
                "x".repeat(900_000)
            ),
            "NS104",
        ),
    ] {
        let (fuel, said, mut guest, _tree) = read(&rules);
        eprintln!(
            "{name}: {fuel} instructions, {} bytes said, {} MB",
            said.len(),
            guest.memory_bytes() >> 20
        );
        assert!(
            said.contains(code) && said.contains("stay in force"),
            "{name}: {}",
            &said[..said.len().min(600)]
        );
        assert!(said.len() < 100_000, "{name}: {}", said.len());
        assert!(fuel < QUARTER_OF_A_SECOND, "{name}: {fuel}");
        assert_eq!(guest.filter(b"t", (0, 0), b"{\"log\":\"x\"}"), Returned::Dropped, "{name}");
    }
}

#[test]
fn the_largest_files_that_are_taken_cost_little_and_fit() {
    let tag = format!("kube.var.log.containers.web-1_shop_app-{}.log", "0a".repeat(32));
    let terms = many(500, |n| {
        format!("{{ name: r{n}, when: {{ message: 'term{n} or another{n}' }}, sample: {{ rate: 1/10 }} }}")
    });
    let long = many(72, |n| {
        let terms: String = (0..100).map(|t| format!("?t{n}x{t} ")).collect();
        format!("{{ name: r{n}, when: {{ message: '{terms}' }}, sample: {{ rate: 1/10 }} }}")
    });
    let regexes = many(500, |n| {
        format!(
            "{{ name: r{n}, when: {{ message: '%a[bc]{{2,9}}{n}.*x{n}%' }}, limit: {{ rate: 1/s, by: pod }} }}"
        )
    });
    for (name, rules) in [("terms", terms), ("long patterns", long), ("regexes", regexes)] {
        let (fuel, said, mut guest, tree) = read(&rules);
        assert!(said.is_empty(), "{name}: {}", &said[..said.len().min(400)]);
        // And once more, while the first is in force.
        tree.put_rules(&format!("{rules}# changed\n")).unwrap();
        let again = tick(&mut guest);
        let mut record = 0;
        for n in 0..4 {
            let text =
                format!("{{\"log\":\"GET /cart/{n} 200 in 3 ms for another user\",\"stream\":\"stdout\"}}");
            assert!(
                matches!(guest.filter(tag.as_bytes(), (0, 0), text.as_bytes()), Returned::Kept(_)),
                "{name}"
            );
            record = guest.fuel_used();
        }
        eprintln!(
            "{name}: {} bytes, {fuel} and {again} instructions, {record} a record, {} MB",
            rules.len(),
            guest.memory_bytes() >> 20
        );
        assert!(fuel.max(again) < 2 * QUARTER_OF_A_SECOND, "{name}: {fuel} {again}");
        assert!(guest.memory_bytes() < 96 << 20, "{name}: {}", guest.memory_bytes());
    }
}
