//! Any bytes as calls of a host: quick and reference answer alike, everything adds up, and an answer is the record as it came with
//! members put behind it.

use crate::behaviour::{Behaviour, variant};
use crate::calls::{Call, Pods, START, TAGS, calls, moved, rules};
use crate::engines::Engines;
use crate::json::{is_json, members};
use nodesieve_engine::config::{RuleFile, load};
use nodesieve_engine::engine::{Action, Answer, Input, Verdict, Why};
use nodesieve_engine::json::{Level, Value, lookup, quote_unreadable};
use nodesieve_engine::record::{Merge, TRUNCATED};
use nodesieve_engine::time::{EventTime, Now};
use std::collections::BTreeSet;
use std::rc::Rc;

pub(crate) fn check(data: &[u8]) -> Behaviour {
    let mut engines = Engines::new(&rule_file(0));
    let mut pods = Pods::default();
    let (mut tag, mut clock, mut late, mut in_force) = (TAGS[0].as_bytes(), START, 0, 0);
    let mut came = BTreeSet::new();
    for call in calls(data) {
        let now = Now(clock.unsigned_abs() * 1_000_000);
        match call {
            Call::Tag(other) => tag = other,
            Call::Clock(by) => clock = moved(clock, by),
            Call::Late(seconds) => late = seconds,
            Call::Pods(revision) => pods = Pods(revision),
            Call::Rules(other) => {
                in_force = other;
                engines.replace_rules(&rule_file(other));
            }
            Call::Tick => {
                let is_summary = engines.tick_and_sum(now);
                came.insert(format!("tick {is_summary}"));
            }
            Call::Restart => restart(&mut engines, &rule_file(in_force), now),
            // No host sends less than an object.
            Call::Record(text) if text.len() < 2 => {}
            Call::Record(text) => {
                let time = event_time(clock, late);
                let (answer, verdict) = engines.filter(Input { tag, time, text }, now, &mut pods);
                check_answer(text, (answer, verdict), &engines.out, engines.rules());
                let is_more = count((answer, verdict), &engines.out) > 1;
                let is_cut =
                    answer == Answer::Keep && engines.out.windows(11).any(|part| part == b"\"truncated\"");
                came.insert(format!("{in_force} {answer:?} {} {is_more} {is_cut}", variant(&verdict.why)));
            }
        }
    }
    engines.add_up(Now(clock.unsigned_abs() * 1_000_000));
    Behaviour::of(came)
}

/// When a record happened, by the clock and how late it is.
pub fn event_time(clock: i64, late: u32) -> EventTime {
    let millis = clock.saturating_sub(i64::from(late).saturating_mul(1000)).max(0);
    EventTime { sec: (millis / 1000) as u32, nsec: (millis % 1000) as u32 * 1_000_000 }
}

fn rule_file(index: usize) -> Rc<RuleFile> {
    match load(&rules(index)) {
        Ok(loaded) => loaded.rules,
        Err(mistakes) => panic!("rules {index}: {mistakes:?}"),
    }
}

/// What is unreported comes back; what a life before has counted is its own.
fn restart(engines: &mut Engines, rules: &Rc<RuleFile>, now: Now) {
    engines.add_up(now);
    let unreported = engines.unreported(now);
    let Some(saved) = engines.state_to_save(now) else { return };
    let mut next = Engines::new(rules);
    assert_eq!(next.restore(&saved), Ok(()), "{saved}");
    assert_eq!(next.unreported(now), unreported, "{saved}");
    assert_eq!(next.restored(), unreported);
    if saved.contains("\n{\"summary\":") {
        assert!(next.tick(now), "the summary that may not have arrived comes again");
    }
    *engines = next;
}

/// How many records an answer stands for.
pub(crate) fn count((answer, verdict): (Answer, Verdict), out: &[u8]) -> u64 {
    if answer != Answer::Keep || matches!(verdict.why, Why::Fault(_)) {
        return 1;
    }
    sums(out).0
}

/// How many records a summary sums up.
pub(crate) fn summed(out: &[u8]) -> u64 {
    sums(out).1
}

/// What an answer's text says of others: how many records it stands for, itself included, and how many it sums up.
pub fn sums(out: &[u8]) -> (u64, u64) {
    let number = |key: &str| match lookup(out, Level::Plain, &["nodesieve", key].map(Box::from)) {
        Some(Value::Scalar(digits)) => std::str::from_utf8(digits).ok()?.parse().ok(),
        _ => None,
    };
    (number("count").unwrap_or(1), number("dropped").unwrap_or_default())
}

/// What is true of one answer to one record.
pub fn check_answer(text: &[u8], (answer, verdict): (Answer, Verdict), out: &[u8], rules: &RuleFile) {
    let is_faulty = matches!(verdict.why, Why::Fault(_));
    match answer {
        Answer::Drop => assert_eq!((verdict.action, is_faulty), (Action::Drop, false)),
        Answer::Echo => assert!(verdict.action == Action::Keep && is_faulty),
        Answer::Keep => assert_eq!(verdict.action, Action::Keep),
    }
    if answer == Answer::Keep {
        check_kept(text, out, is_faulty, rules);
    }
}

fn check_kept(text: &[u8], out: &[u8], is_faulty: bool, rules: &RuleFile) {
    let shown = || format!("{}\nfrom {}", String::from_utf8_lossy(out), String::from_utf8_lossy(text));
    let mut readable = Vec::new();
    quote_unreadable(text, &mut readable);
    let was_json = is_json(&readable);
    assert!(!was_json || is_json(out), "no JSON: {}", shown());
    if is_faulty {
        let is_marker = out.starts_with(b"{\"nodesieve\":{\"fault\":")
            && text.len().max(readable.len()) > rules.input.max_record;
        assert!(
            is_marker || out == readable,
            "a record that is too deep only has its numbers quoted: {}",
            shown()
        );
        return;
    }
    let most = rules.input.max_record;
    assert!(out.len() <= most, "{} bytes, at most {most}: {}", out.len(), shown());
    // A host that wrote blanks around it gets them back.
    let object = out.trim_ascii();
    assert!(object.starts_with(b"{") && object.ends_with(b"}"), "{}", shown());
    let (Some(own), Some(found)) = (members(&readable), members(out)) else { return };
    let ours = [&*rules.enrich.key, "nodesieve", TRUNCATED];
    let is_truncated = found.last().is_some_and(|(key, _)| key == TRUNCATED) && own.last() != found.last();
    if is_truncated {
        return;
    }
    if let Some(merge) = &rules.merge_log {
        check_merged(&own, &found, &ours, merge, rules, &shown);
        return;
    }
    let kept = |list: &[(String, &str)]| -> Vec<(String, String)> {
        let rest = list.iter().filter(|(key, _)| !ours.contains(&&**key));
        rest.map(|(key, value)| (key.clone(), (*value).to_owned())).collect()
    };
    assert_eq!(kept(&found), kept(&own), "members of its own: {}", shown());
    for key in ours {
        let times = found.iter().filter(|(other, _)| other == key).count();
        let before = own.iter().filter(|(other, _)| other == key).count();
        assert!(times <= before.max(1), "{key} is there {times} times: {}", shown());
    }
}

/// A member of a record whose line may have been merged is there, or another one of its name, or it was the line of an object.
fn check_merged(
    own: &[(String, &str)],
    found: &[(String, &str)],
    ours: &[&str],
    merge: &Merge,
    rules: &RuleFile,
    shown: &dyn Fn() -> String,
) {
    let is_line = |key: &str| rules.input.message.iter().any(|name| **name == *key);
    let is_object = |value: &str| {
        serde_json::from_str::<String>(value).is_ok_and(|line| line.trim_start().starts_with('{'))
    };
    let may_merge = own.iter().any(|(key, value)| is_line(key) && is_object(value));
    for (key, value) in own.iter().filter(|(key, _)| !ours.contains(&&**key)) {
        let is_there = found.contains(&(key.clone(), value));
        let is_replaced = may_merge && found.iter().any(|(other, _)| other == key);
        let has_gone = may_merge && !merge.keep_log && is_line(key);
        assert!(is_there || is_replaced || has_gone, "{key} is lost: {}", shown());
    }
    for (key, _) in found {
        let times = |list: &[(String, &str)]| list.iter().filter(|(other, _)| other == key).count();
        assert!(times(found) <= times(own).max(1), "{key} is there twice: {}", shown());
    }
}
