//! The main job on the sample logs.

use crate::support;
use host_test::guest::{Loss, Returned};
use host_test::money::{FLUSH_SECONDS, Prices, ThreeWays};
use host_test::node_logs;
use host_test::replay::{Replay, ReplayOutcome};
use nodesieve_engine::config;
use nodesieve_sidecar::exposition;

fn replay(source: &str, seed: u64) -> (ReplayOutcome, Vec<Vec<u8>>) {
    replay_flushed(source, seed, FLUSH_SECONDS)
}

fn replay_flushed(source: &str, seed: u64, flush_seconds: u32) -> (ReplayOutcome, Vec<Vec<u8>>) {
    let samples = support::conf().join("samples");
    let rules = config::load(source).unwrap().rules;
    let records = node_logs::records(&[samples.join("containers")], &rules.input.tag_prefix).unwrap();
    let pod_list = std::fs::read(samples.join("podlist.json")).unwrap();
    let module = support::module();
    let replay = Replay {
        module: &module,
        source,
        rules: &rules,
        pod_list: Some(&pod_list),
        records: &records,
        endpoint: None,
        seed,
        prices: Prices::default(),
        flush_seconds,
    };
    let mut delivered = Vec::new();
    let outcome = replay.run(|_| {}, |_, text| delivered.push(text.to_vec())).unwrap();
    (outcome, delivered)
}

fn example_rules() -> String {
    std::fs::read_to_string(support::conf().join("rules/example-cluster.yaml")).unwrap()
}

#[test]
fn the_sample_ledger_adds_up_and_every_rule_has_work() {
    let (outcome, delivered) = replay(&example_rules(), 1);
    let ledger = &outcome.ledger;
    assert_eq!(outcome.imbalances, Vec::<String>::new());
    assert_eq!((ledger.faults, ledger.undeliverable), (0, 0), "{:?}", outcome.losses);
    assert_eq!(ledger.seen, 20_074, "20,095 CRI lines, of which 21 are parts of others");
    assert_eq!(delivered.len() as u64, ledger.delivered);
    assert_eq!(ledger.kept, ledger.enriched + ledger.metadata_missing + ledger.no_container_tag);
    let billed = ledger.billed.firehose;
    assert!(billed.nodesieve < billed.raw && ledger.dollars.firehose.nodesieve > 0.0);
    for (name, ((ways, spent), saved)) in ledger.billed.zip(ledger.dollars).zip(ledger.saved).named() {
        assert!(
            ways.raw <= ways.kubernetes_filter && ways.nodesieve < ways.kubernetes_filter,
            "{name}: {ways:?}"
        );
        let parts = saved.dropped_records + saved.leaner_metadata;
        assert!((spent.kubernetes_filter - spent.nodesieve - parts).abs() < 1e-9, "{name}: {saved:?}");
    }
    for rule in ledger.rules.iter().filter(|rule| rule.stage != "outcome") {
        assert!(rule.matched > 0, "{} matches no sample line", rule.name);
    }
}

/// Guarantees: the documents' dollars are what the replay computes from the samples.
#[test]
fn the_documents_tell_the_costs_that_the_replay_computes() {
    let ledger = replay(&example_rules(), 1).0.ledger;
    let readme = crate::documents::all();
    for (name, ways) in ledger.dollars.named() {
        let ThreeWays { raw, kubernetes_filter, nodesieve } = ways;
        let row = format!("| {name} | {raw:.2} | {kubernetes_filter:.2} | {nodesieve:.2} |");
        assert!(readme.contains(&row), "the documents lack the row\n{row}");
    }
    let mut dearer = f64::INFINITY;
    for (flush, name) in
        [(1, "1 s, Fluent Bit's default"), (5, "5 s, as shipped"), (15, "15 s"), (60, "60 s")]
    {
        let ways = replay_flushed(&example_rules(), 1, flush).0.ledger.dollars.firehose_aggregated;
        let ThreeWays { raw, kubernetes_filter, nodesieve } = ways;
        let row = format!("| {name} | {raw:.2} | {kubernetes_filter:.2} | {nodesieve:.2} |");
        assert!(readme.contains(&row), "the documents lack the row\n{row}");
        assert!(nodesieve < dearer);
        dearer = nodesieve;
    }
    let Prices { firehose_per_gb, cloudwatch_per_gb, date } = ledger.prices;
    for part in
        [format!("${firehose_per_gb:.3}"), format!("${cloudwatch_per_gb:.2}"), format!("as of {date}")]
    {
        assert!(readme.contains(&part), "{part}");
    }
}

#[test]
fn the_same_seed_gives_the_same_answer_and_another_one_another() {
    let (first, once) = replay(&example_rules(), 1);
    let (second, again) = replay(&example_rules(), 1);
    assert_eq!(first.ledger, second.ledger);
    assert!(once == again, "the delivered records differ");
    assert!(replay(&example_rules(), 2).1 != once, "the seed changes nothing");
}

/// Guarantees: traces are complete: a trace id that is delivered is delivered with all its lines that the rule decided.
#[test]
fn traces_are_kept_whole_or_not_at_all() {
    let rules = "version: 1\nrules:\n  - { name: traces, when: { namespace: 'shop-*', message: trace_id }, \
        sample: { rate: 1/4, by: trace_id } }\n";
    let (_, delivered) = replay(rules, 1);
    let count = |texts: &mut dyn Iterator<Item = String>| {
        let mut counts = std::collections::BTreeMap::<String, usize>::new();
        for text in texts {
            if let Some(id) = text.split("trace_id\\\":\\\"").nth(1).and_then(|rest| rest.get(..32)) {
                *counts.entry(id.to_owned()).or_default() += 1;
            }
        }
        counts
    };
    let samples = support::conf().join("samples/containers");
    let all = node_logs::records(&[samples], "kube.var.log.containers.").unwrap();
    let seen =
        count(&mut all.into_iter().filter(|record| record.tag.contains("_shop-")).map(|record| record.text));
    let kept = count(
        &mut delivered
            .into_iter()
            .map(|text| String::from_utf8(text).unwrap())
            .filter(|text| text.contains("\"th\":")),
    );
    assert!(kept.len() * 3 < seen.len() && kept.len() * 5 > seen.len(), "{} of {}", kept.len(), seen.len());
    for (id, lines) in &kept {
        assert_eq!(seen.get(id), Some(lines), "{id}");
    }
}

#[test]
fn a_record_that_does_not_fit_into_memory_leaves_a_mark() {
    let (mut guest, tree) = support::start("version: 1\n");
    let Returned::Kept(text) = guest.filter_without_memory(b"t", (0, 0), 90_000_000) else { panic!("lost") };
    let length = text.len() as u64;
    assert!(String::from_utf8(text).unwrap().contains("larger than 32 MiB"));
    assert_eq!(guest.filter_without_memory(b"nodesieve.tick", (0, 0), 90_000_000), Returned::Dropped);
    guest.clock().advance_to(1_800_000_000_000_000_000);
    guest.filter(b"nodesieve.tick", (0, 0), b"{}");
    let metrics = tree.metrics().unwrap();
    let value = |wanted: &str| exposition::value(&metrics, wanted).unwrap() as u64;
    assert_eq!((value("nodesieve_fault_null_total"), value("nodesieve_records_kept_total")), (1, 1));
    assert_eq!((value("nodesieve_bytes_in_total"), value("nodesieve_bytes_out_total")), (90_000_000, length));
}

/// Scenario: one line of 30 MB, of characters that JSON escapes, and of ordinary ones.
/// Guarantees: no trap; the record is cut to the limit, and the filter keeps filtering.
#[test]
fn a_huge_line_is_cut_and_the_filter_goes_on() {
    let (mut guest, _tree) = support::start(
        "version: 1\nguards: [{ name: errors, when: { severity: '>=error', message: 'größe' } }]\n",
    );
    for piece in ["\\\"", "\\u00e9", "plain "] {
        let text = format!("{{\"log\":\"{}\"}}", piece.repeat(30_000_000 / piece.len()));
        let answer = guest.filter(b"t", (0, 0), text.as_bytes());
        let Returned::Kept(text) = answer else { panic!("{piece}: {answer:?}") };
        assert!((999_980..=1_000_000).contains(&text.len()), "{}", text.len());
    }
    assert_eq!(guest.filter(b"t", (0, 0), b"{\"a\":1}"), Returned::Kept(b"{\"a\":1}".to_vec()));
}

/// Scenario: a rule file of one line with thousands of mistakes replaces a good one.
/// Guarantees: it is refused, the old rules stay in force, and what is said about it is short: a hundred mistakes and a count.
#[test]
fn a_hostile_rule_file_neither_traps_nor_takes_the_rules_away() {
    let (mut guest, tree) = support::start("version: 1\nrules: [{ name: all, drop: {}, reason: test }]\n");
    guest.clock().advance_to(1_800_000_000_000_000_000);
    assert_eq!(guest.filter(b"t", (0, 0), b"{\"a\":1}"), Returned::Dropped);
    let rules: Vec<String> =
        (0..3000).map(|n| format!(r#"{{"nmae":"r{n}","when":{{"labels":"a","message":"b:c"}}}}"#)).collect();
    tree.put_rules(&format!(r#"{{"version":1,"rules":[{}]}}"#, rules.join(","))).unwrap();
    assert_eq!(guest.filter(b"nodesieve.tick", (0, 0), b"{}"), Returned::Dropped);
    assert_eq!(guest.filter(b"t", (0, 0), b"{\"a\":1}"), Returned::Dropped);
    let said = guest.stderr();
    assert!(
        said.len() < 60_000 && said.contains("more than 100 mistakes") && said.contains("stay in force"),
        "{said}"
    );
}

#[test]
fn bytes_that_are_not_utf8_come_back_as_they_went() {
    let (mut guest, _tree) = support::start("version: 1\nrules: [{ name: all, drop: {}, reason: test }]\n");
    let answer = guest.filter(b"t", (0, 0), b"{\"log\":\"\xff\"}");
    // serde, like Fluent Bit's parser, takes no such string; what matters is that it was handed back as it was.
    assert!(
        matches!(&answer, Returned::Lost(Loss::Json { text, .. }) if text == b"{\"log\":\"\xff\"}"),
        "{answer:?}"
    );
    assert_eq!(guest.filter(b"t\xff", (0, 0), b"{\"a\":1}"), Returned::Kept(b"{\"a\":1}".to_vec()));
}
