//! A tenant that floods takes from itself first: laws of a quiet namespace beside one that writes ever new keys.

use super::both_ways::BothWays;
use super::traffic::{SECOND, START};
use super::{NoPods, load};
use crate::engine::{Answer, Engine, Input};
use crate::time::{EventTime, Now};

/// Attackers, by new keys a second, and for how many seconds.
const ATTACKS: [(u64, u64); 6] = [(1, 60), (10, 60), (150, 60), (400, 60), (1_000, 35), (10_000, 12)];
/// With more than that a second, the reference would take too long.
const BOTH_WAYS: u64 = 400;

/// One record.
struct Line {
    at: u64,
    is_rare: bool,
    text: String,
}

/// What is kept: of the quiet namespace, of what it writes only once among that, and of all others.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    quiet: u64,
    rare: u64,
    loud: u64,
}

enum Filter {
    Both(Box<BothWays>),
    Quick(Box<Engine>),
}

impl Filter {
    fn new(rules: &str, is_long: bool) -> Filter {
        let rules = load(rules).unwrap().rules;
        if is_long {
            Filter::Quick(Box::new(Engine::new(rules, 7)))
        } else {
            Filter::Both(Box::new(BothWays::new(rules, 7)))
        }
    }

    /// Whether a record is kept.
    fn put(&mut self, tag: &str, text: &str, at: u64) -> u64 {
        let mut now = Now(START + at);
        let time = EventTime { sec: (now.0 / SECOND) as u32, nsec: (now.0 % SECOND) as u32 };
        let input = Input { tag: tag.as_bytes(), time, text: text.as_bytes() };
        let answer = match self {
            Filter::Both(engine) => engine.filter(input, &mut now, &mut NoPods, &mut Vec::new()).0,
            Filter::Quick(engine) => engine.filter(input, &mut now, &mut NoPods, &mut Vec::new()).0,
        };
        u64::from(answer != Answer::Drop)
    }
}

/// A name of letters: digits would be masked out of a template.
fn word(mut number: u64) -> String {
    let mut word = String::from("k");
    for _ in 0..6 {
        word.push(char::from(b'a' + (number % 16) as u8));
        number /= 16;
    }
    word
}

fn text(key: u64) -> String {
    format!("{{\"log\":\"warning about {}\",\"u\":\"{}\"}}", word(key), word(key))
}

fn tag(namespace: &str) -> String {
    format!("kube.var.log.containers.p_{namespace}_c-0a.log")
}

/// What the quiet one writes: three keys, each twice a second, and every five seconds a line that it writes only once.
fn quiet(seconds: u64) -> Vec<Line> {
    let mut lines = Vec::new();
    for half in 0..seconds * 2 {
        let at = half * SECOND / 2 + SECOND / 7;
        lines.extend((0..3).map(|key| Line { at: at + key, is_rare: false, text: text(key) }));
        if half % 10 == 3 {
            lines.push(Line { at: at + 9, is_rare: true, text: text(1000 + half) });
        }
    }
    lines
}

/// The quiet one beside an attacker with so many new keys a second, which come from these tags by turns.
fn run(rules: &str, seconds: u64, attack: u64, loud: &[String]) -> Kept {
    let mut filter = Filter::new(rules, attack > BOTH_WAYS);
    let mut kept = Kept::default();
    let mut new = 0;
    for line in quiet(seconds) {
        while attack > 0 && new * SECOND / attack < line.at {
            let tag = &loud[new as usize % loud.len()];
            kept.loud += filter.put(tag, &text(50_000 + new), new * SECOND / attack);
            new += 1;
        }
        let is_kept = filter.put(&tag("quiet"), &line.text, line.at);
        kept.quiet += is_kept;
        kept.rare += is_kept * u64::from(line.is_rare);
    }
    kept
}

/// Guarantees: within a twentieth, or one record, the same is kept of the quiet namespace as when it is alone, and of what
/// it writes only once too.
#[track_caller]
fn is_as_alone(rules: &str, attacks: &[(u64, u64)], loud: &[String]) {
    for &(attack, seconds) in attacks {
        let (alone, beside) = (run(rules, seconds, 0, loud), run(rules, seconds, attack, loud));
        let is_close = |alone: u64, beside: u64| alone.abs_diff(beside) <= (alone / 20).max(1);
        assert!(alone.quiet > 0 && beside.loud > 0);
        assert!(
            is_close(alone.quiet, beside.quiet) && is_close(alone.rare, beside.rare),
            "{rules}{attack}/s: {alone:?} {beside:?}"
        );
    }
}

fn of(policy: &str) -> String {
    format!("version: 1\nrules: [{{ name: it, {policy} }}]\n")
}

#[test]
fn windows_and_their_floors_are_those_of_a_namespace_alone() {
    for policy in [
        "first: { n: 2, per: 10s, then: 1/10, by: [namespace, $.u] }",
        "first: { n: 2, per: 10s, by: $.u }, floor: { per: 3s, by: $.u }",
        "dedup: { window: 30s }",
        "dedup: { window: 4s, by: $.u }",
    ] {
        is_as_alone(&of(policy), &ATTACKS, &[tag("loud")]);
    }
}

#[test]
fn limits_and_budgets_are_those_of_a_namespace_alone() {
    for policy in [
        "limit: { rate: 1/s, burst: 3, by: [container, $.u] }",
        "limit: { rate: 100B/s, by: [pod, template] }, floor: { per: 2s, by: [pod, template] }",
        "budget: { spend: 2kB/day, by: $.u }",
        "budget: { spend: 2kB/day, by: [namespace, $.u], soft: 0.1, over: { rate: 1/s, by: $.u } }, floor: { per: 5s }",
        "budget: { spend: 9kB/day, by: namespace, soft: 0.1, over: { rate: 4/s, by: $.u } }",
    ] {
        is_as_alone(&of(policy), &ATTACKS, &[tag("loud")]);
    }
}

#[test]
fn ceilings_are_those_of_a_namespace_alone() {
    for ceiling in ["{ rate: 1/s, burst: 3, by: [pod, $.u] }", "{ rate: 1/s, burst: 2, by: pod }"] {
        let rules = format!("version: 1\nguards: [{{ name: it, ceiling: {ceiling} }}]\n");
        is_as_alone(&rules, &ATTACKS, &[tag("loud")]);
    }
}

/// A goal is one for all, so what is kept of one is not kept of another. The law: a namespace that asks for less than its
/// equal share of half of the goal is kept whole, whatever others do; here the share is 10/s, and 6.2/s come.
#[test]
fn a_target_keeps_a_namespace_whole_up_to_its_share_of_half_of_the_goal() {
    let attacks = [(1, 60), (10, 60), (150, 60), (400, 60), (600, 60), (1_000, 60), (10_000, 25)];
    for policy in [
        "target: { rate: 40/s, by: [pod, $.u] }",
        "target: { rate: 40/s, by: template }, floor: { per: 10s }",
    ] {
        is_as_alone(&of(policy), &attacks, &[tag("loud")]);
        let beside = run(&of(policy), 60, 1_000, &[tag("loud")]);
        // The rest is the attacker's, and no more than the cap.
        assert!((1_500..=60 * 48 + 401).contains(&beside.loud), "{beside:?}");
    }
}

/// Where it asks for more, it shares by the level of its own keys: the rare ones are whole.
#[test]
fn a_target_keeps_the_rare_keys_of_a_namespace_beyond_its_share_too() {
    let beside = run(&of("target: { rate: 16/s, by: $.u }"), 60, 1_000, &[tag("loud")]);
    assert!(beside.rare >= 11 && (240..330).contains(&beside.quiet), "{beside:?}");
}

/// Several attackers, one without a namespace; and more namespaces than are told apart.
#[test]
fn it_makes_no_difference_how_many_attackers_there_are() {
    let few: Vec<String> =
        ["loud-1", "loud-2", "loud-3"].iter().map(|name| tag(name)).chain(["other.tag".into()]).collect();
    let many: Vec<String> = (0..400).map(|n| tag(&format!("loud-{n}"))).collect();
    for loud in [&few, &many[..250]] {
        is_as_alone(&of("dedup: { window: 30s }"), &[(400, 60), (10_000, 12)], loud);
        is_as_alone(&of("limit: { rate: 1/s, burst: 3, by: $.u }"), &[(10_000, 12)], loud);
    }
    // Whoever comes when there are too many shares with those that did too; the quiet one has come before.
    is_as_alone(&of("dedup: { window: 30s }"), &[(400, 60)], &many);
}

/// Scenario: a rule that the attacker meets has room for all keys of all rules.
#[test]
fn a_flood_in_one_rule_leaves_room_in_another() {
    let rules = "version: 1\ndefaults: { max_keys: 65536 }\nrules:\n\
         - { name: flooded, when: { namespace: loud }, dedup: { window: 1h, by: $.u } }\n\
         - { name: it, dedup: { window: 1h, by: $.u } }\n";
    is_as_alone(rules, &[(10_000, 20)], &[tag("loud")]);
}
