//! Fragments on disk: read, refused alone, taken away; and the seed of hashes.

use super::{NOISE, Scratch, feed};
use crate::housekeeping::Housekeeping;
use nodesieve_engine::engine::{Answer, Input};
use nodesieve_engine::time::{EventTime, Now};
use std::fs;

const TICK: &str = "nodesieve.tick";
const PAYMENTS: &str = "kube.var.log.containers.web-1_payments_app-0a.log";
const SHOP: &str = "kube.var.log.containers.web-1_shop_app-0a.log";
const DROPS: &str =
    "version: 1\nrules: [{ name: noise, when: { message: noise }, drop: {}, reason: ours }]\n";

fn start(scratch: &Scratch, more: &str) -> Housekeeping {
    fs::create_dir_all(scratch.0.join("rules.d")).unwrap();
    scratch.put("nodesieve.yaml", &scratch.rules(more));
    Housekeeping::start(std::slice::from_ref(&scratch.0), 1)
}

#[test]
fn a_fragment_decides_for_its_namespace_from_the_first_record_on_and_changes_with_its_file() {
    let scratch = Scratch::new("fragments");
    fs::create_dir_all(scratch.0.join("rules.d")).unwrap();
    scratch.put("rules.d/payments.yaml", DROPS);
    let mut housekeeping = start(&scratch, "delegate: {}\n");
    assert_eq!(feed(&mut housekeeping, PAYMENTS, NOISE, 100), Answer::Drop);
    assert_eq!(feed(&mut housekeeping, SHOP, NOISE, 100), Answer::Keep);
    // A bad one is refused, and the one before it stays.
    scratch.put("rules.d/payments.yaml", "version: 1\nguards: [{ name: mine, when: {} }]\n");
    scratch.put("rules.d/shop.yaml", DROPS);
    feed(&mut housekeeping, TICK, "{}", 110);
    assert_eq!(feed(&mut housekeeping, PAYMENTS, NOISE, 110), Answer::Drop);
    assert_eq!(feed(&mut housekeeping, SHOP, NOISE, 110), Answer::Drop);
    feed(&mut housekeeping, TICK, "{}", 121);
    let text = fs::read_to_string(scratch.0.join("metrics.prom")).unwrap();
    assert!(text.contains("nodesieve_fragment_valid{namespace=\"payments\",code=\"NS201\"} 0\n"), "{text}");
    assert!(text.contains("nodesieve_fragment_valid{namespace=\"shop\",code=\"\"} 1\n"));
    assert!(text.contains("nodesieve_rule_dropped_total{rule=\"payments/noise\",stage=\"rule\"} 2\n"));
    // One that is taken away decides no more.
    fs::remove_file(scratch.0.join("rules.d/payments.yaml")).unwrap();
    feed(&mut housekeeping, TICK, "{}", 130);
    assert_eq!(feed(&mut housekeeping, PAYMENTS, NOISE, 130), Answer::Keep);
    assert_eq!(feed(&mut housekeeping, SHOP, NOISE, 130), Answer::Drop);
    // And none does when nothing is delegated any more.
    scratch.put("nodesieve.yaml", &scratch.rules("rules: [{ name: all, keep: {} }]\n"));
    feed(&mut housekeeping, TICK, "{}", 140);
    assert_eq!(feed(&mut housekeeping, SHOP, NOISE, 140), Answer::Keep);
}

#[test]
fn fragments_go_with_other_rules_of_the_platform_at_once() {
    let scratch = Scratch::new("fragments-reload");
    fs::create_dir_all(scratch.0.join("rules.d")).unwrap();
    scratch.put("rules.d/payments.yaml", DROPS);
    let mut housekeeping = start(&scratch, "delegate: {}\n");
    assert_eq!(feed(&mut housekeeping, PAYMENTS, NOISE, 100), Answer::Drop);
    scratch.put("nodesieve.yaml", &scratch.rules("delegate: { policies: [drop, sample] }\n"));
    feed(&mut housekeeping, TICK, "{}", 110);
    assert_eq!(feed(&mut housekeeping, PAYMENTS, NOISE, 110), Answer::Drop);
    scratch.put("nodesieve.yaml", &scratch.rules("delegate: { policies: [sample, keep] }\n"));
    feed(&mut housekeeping, TICK, "{}", 120);
    assert_eq!(feed(&mut housekeeping, PAYMENTS, NOISE, 120), Answer::Keep, "it is not delegated any more");
}

#[test]
fn what_would_be_hashed_is_masked_until_there_is_a_seed() {
    let scratch = Scratch::new("redact-seed");
    let seed = scratch.0.join("seed");
    let rules = format!(
        "defaults: {{ redact_seed: {} }}\nredact: [{{ name: mail, kind: email, with: hash }}]\n",
        seed.display()
    );
    let mut housekeeping = start(&scratch, &rules);
    let mut line = |second: u64| {
        let now = Now(second * 1_000_000_000);
        let mut out = Vec::new();
        for (tag, text) in [(TICK, "{}"), (SHOP, r#"{"log":"a@example.com"}"#)] {
            let input = Input { tag: tag.as_bytes(), time: EventTime::default(), text: text.as_bytes() };
            housekeeping.filter(input, (now, &mut { now }), &mut out);
        }
        String::from_utf8(out).unwrap()
    };
    assert!(line(100).contains("[redacted:mail]"));
    fs::write(&seed, "short").unwrap();
    assert!(line(101).contains("[redacted:mail]"));
    fs::write(&seed, "sixteen bytes or more\n").unwrap();
    assert!(line(102).contains("[hashed:mail:"), "{}", line(103));
}
