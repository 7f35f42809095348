//! What patterns cost inside the guest, in instructions on the sample logs.

use crate::support;
use host_test::inputs::Record;
use host_test::node_logs;

/// Guest instructions for all of these records with this rule file; the first pass fills caches.
fn fuel(rules: &str, records: &[Record]) -> u64 {
    assert!(nodesieve_engine::config::load(rules).is_ok(), "{rules}");
    let (mut guest, _tree) = support::start(rules);
    guest.clock().advance_to(1_800_000_000_000_000_000);
    let mut pass = || {
        records
            .iter()
            .map(|record| {
                guest.filter(record.tag.as_bytes(), (1_800_000_000, 0), record.text.as_bytes());
                guest.fuel_used()
            })
            .sum()
    };
    let _: u64 = pass();
    pass()
}

/// Rules that drop what each pattern matches; the rest is dropped too, so that no answer is written.
fn rules(patterns: &[&str]) -> String {
    let rules = patterns.iter().enumerate().map(|(index, pattern)| {
        format!("  - {{ name: r{index}, when: {{ message: '{pattern}' }}, drop: {{}}, reason: x }}\n")
    });
    format!("version: 1\ndefaults: {{ no_match: drop }}\nrules:\n{}", rules.collect::<String>())
}

/// Rules that drop everything as well, after reading it.
fn reading() -> String {
    "version: 1\ndefaults: { no_match: drop }\nrules: [{ name: r, when: { stream: stderr }, drop: {}, reason: x }]\n".into()
}

fn samples() -> Vec<Record> {
    node_logs::records(&[support::conf().join("samples/containers")], "kube.var.log.containers.").unwrap()
}

/// Bars: under 2 instructions for each byte of a line that does not hold the term, 3.3 for a term of nothing but common
/// letters; and ten such rules under three times one.
#[test]
fn terms_that_do_not_occur_cost_little_per_byte_and_hardly_more_together() {
    let terms = [
        "OutOfMemory",
        "segfault",
        "deadlock",
        "CrashLoop",
        "unreachable",
        "certificate",
        "overflow",
        "throttled",
        "Traceback",
        "evicted",
    ];
    // What a byte costs is the difference between a long line and a short one.
    for term in terms {
        let cost = |words: usize| {
            let line = "GET /cart/17 200 took 3 ms for user 4711 in shop-eu; ".repeat(words);
            let records = [record(&line)];
            (line.len() as u64, fuel(&rules(&[term]), &records) - fuel(&reading(), &records))
        };
        let ((short, few), (long, many)) = (cost(10), cost(60));
        let per_byte = (many - few) as f64 / (long - short) as f64;
        eprintln!("{term}: {per_byte:.2} per byte, {few} for {short}");
        // Capitals but T, which stands in every timestamp, are rare in logs.
        let bar = if term.contains(['C', 'L', 'M']) { 2.0 } else { 3.3 };
        assert!(per_byte < bar, "{term}: {per_byte:.2} per byte");
    }
    let records: Vec<Record> = samples().into_iter().step_by(10).collect();
    let one = fuel(&rules(&terms[..1]), &records);
    let ten = fuel(&rules(&terms), &records);
    eprintln!("sample logs: ten {:.2} of one", ten as f64 / one as f64);
    assert!(ten < 3 * one, "ten {ten}, one {one}");
}

/// Bar: 3,000 instructions for two selectors on a line of 300 bytes whose first condition fails, 4,000 when it is the second.
/// A line that matches is walked from end to end as well, once for all rules.
#[test]
fn a_json_pattern_costs_little_where_it_does_not_match() {
    let line = r#"{\"ts\":\"2026-11-20T10:00:00.002Z\",\"level\":\"info\",\"service\":\"cart\",\"msg\":\"item added to the cart of a customer\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"00f067aa0ba902b7\",\"status\":200,\"duration_ms\":12.5,\"path\":\"/api/v1/cart/items\",\"method\":\"POST\",\"user\":{\"id\":77,\"plan\":\"gold\"}}"#;
    let records = [record(line)];
    let none = fuel(&reading(), &records);
    let cost = |pattern: &str| fuel(&rules(&[pattern]), &records) - none;
    for (pattern, bar) in [
        ("{ $.status >= 500 && $.level = \"error\" }", 3_000),
        ("{ $.level = \"info\" && $.status >= 500 }", 4_000),
    ] {
        eprintln!("{pattern}: {}", cost(pattern));
        assert!(cost(pattern) < bar, "{pattern}: {}", cost(pattern));
    }
    let matching = cost("{ $.level = \"info\" && $.status >= 200 }");
    eprintln!("matching: {matching}");
    assert!(matching < 10_800, "{matching}");
}

/// Guarantees: ten times the line is at most some twelve times the work, whatever the pattern and the line are. More than ten is the
/// wildcard's: it sorts the keys of an object, because the last of equal ones counts.
#[test]
fn a_hostile_pattern_stays_linear_in_the_line() {
    let nested = format!("{{ $.a{} = 1 }}", ".a".repeat(200));
    let stars = format!("{{ $.a = \"{}\" }}", "a*".repeat(200));
    let wide = format!("%{}%", (0..20).map(|i| format!("c{{,{i}}}d|")).collect::<String>());
    let cases: [(&str, &dyn Fn(usize) -> String); 8] = [
        (&nested, &|n| {
            format!(r#"{{\"a\":{}1{}}}"#, r#"{\"a\":"#.repeat(200), "}".repeat(200)) + &" ".repeat(n)
        }),
        (&stars, &|n| format!(r#"{{\"a\":\"{}b\"}}"#, "a".repeat(n))),
        ("{ $.* = 1 }", &|n| {
            format!(r#"{{{}\"z\":2}}"#, (0..n / 14).map(|i| format!(r#"\"k{i:05}\":2,"#)).collect::<String>())
        }),
        ("%a{0,60}a{60}b%", &|n| "a".repeat(n)),
        ("%[ab]*[bc]*[cd]*x{500}y%", &|n| "x".repeat(n)),
        (&wide, &|n| "c".repeat(n)),
        ("[a, ..., b=x]", &|n| "\\\"[ ".repeat(n / 4)),
        ("aaaaaaaab", &|n| "a".repeat(n)),
    ];
    for (pattern, line) in cases {
        let cost = |n: usize| {
            let records = [record(&line(n))];
            fuel(&rules(&[pattern]), &records)
        };
        let (short, long) = (cost(20_000), cost(200_000));
        assert!(long * 2 < 25 * short, "{pattern}: {short} for 20 kB, {long} for 200 kB");
        assert!(long < 200_000 * 600, "{pattern}: {long} for 200 kB");
    }
}

fn record(line: &str) -> Record {
    Record {
        tag: format!("kube.var.log.containers.web-1_shop-eu_app-{}.log", "0a".repeat(32)),
        time: (1_800_000_000, 0),
        text: format!(r#"{{"log":"{line}"}}"#),
    }
}
