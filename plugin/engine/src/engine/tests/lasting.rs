//! What outlives a filter: unreported counts, budgets, and the last summary.

use super::both_ways::BothWays;
use super::traffic::{SECOND, START, adds_up, run, whole, with};
use super::{NoPods, engine, input};
use crate::engine::{Answer, Input, SavedError};
use crate::metrics::Metric;
use crate::time::{EventTime, Now};
use proptest::prelude::*;

const RULES: &str = "version: 1\nrules:\n\
    - { name: gone, when: { message: gone }, drop: {}, reason: test }\n\
    - { name: few, when: { message: few }, first: { n: 1, per: 1h, by: container } }\n\
    - { name: paid, budget: { spend: 1kB/day, by: pod } }\n";

fn feed(engine: &mut BothWays, text: &str) -> (Answer, u64) {
    let mut out = Vec::new();
    let text = format!("{{\"log\":\"{text}\"}}");
    let answer = engine.filter(input(&text), &mut Now(START), &mut NoPods, &mut out).0;
    (answer, whole(&out, &["nodesieve", "count"]).unwrap_or(1))
}

/// A filter that starts with what another has left.
fn restarted(saved: &str) -> BothWays {
    let mut engine = engine(RULES);
    engine.restore(saved).unwrap();
    engine
}

/// The summaries of the next minutes, by what they say was dropped.
fn summaries(engine: &mut BothWays, from: u64) -> Vec<String> {
    let mut found = Vec::new();
    let mut out = Vec::new();
    for tick in 0..130 {
        if engine.tick(b"{\"node\":\"n\"}", Now(from + tick * SECOND), &mut out) == Answer::Keep {
            found.push(String::from_utf8(out.clone()).unwrap());
        }
    }
    found
}

#[test]
fn open_counts_and_budgets_survive_a_restart() {
    let mut first = engine(RULES);
    for text in ["gone", "gone", "few", "few", "few", "few"] {
        feed(&mut first, text);
    }
    while feed(&mut first, &"paid ".repeat(20)).0 == Answer::Keep {}
    let saved = first.state_to_save(Now(START)).unwrap();
    assert_eq!(first.state_to_save(Now(START)), None, "nothing has changed since");

    let mut second = restarted(&saved);
    assert_eq!(second.counters().get(Metric::Restored), 2 + 3 + 1);
    assert_eq!(feed(&mut second, "paid").0, Answer::Drop, "the day's budget is not filled up by a restart");
    let sent = summaries(&mut second, START);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(whole(sent[0].as_bytes(), &["nodesieve", "dropped"]), Some(7));
    assert!(sent[0].contains("{\"rule\":\"few\",\"stage\":\"rule\",\"dropped\":3,"), "{}", sent[0]);
}

/// Scenario: a kill at any moment; the state was saved on the tick before.
/// Guarantees: over both lives, what is reported twice or not at all is at most what happened since that tick.
#[test]
fn a_kill_repeats_or_loses_at_most_what_happened_since_the_last_tick() {
    for since_tick in 0..8u64 {
        let mut first = engine(RULES);
        let mut reported = 0;
        for _ in 0..5 {
            feed(&mut first, "gone");
            feed(&mut first, "few");
        }
        let saved = first.state_to_save(Now(START)).unwrap();
        let dropped_before = first.counters().get(Metric::Dropped);
        for n in 0..since_tick {
            let (answer, count) = feed(&mut first, if n % 2 == 0 { "gone" } else { "few" });
            if answer == Answer::Keep {
                reported += count - 1;
            }
        }
        let dropped = first.counters().get(Metric::Dropped);
        drop(first);
        let mut second = restarted(&saved);
        for summary in summaries(&mut second, START) {
            reported += whole(summary.as_bytes(), &["nodesieve", "dropped"]).unwrap();
        }
        assert!(
            dropped.abs_diff(reported) <= dropped - dropped_before,
            "{since_tick}: {dropped}, {reported}"
        );
        assert_eq!(dropped - reported, since_tick, "here all of them are lost, none is repeated");
    }
}

/// Scenario: the same, but what has happened since the tick is that a count was reported.
#[test]
fn a_count_that_went_out_after_the_tick_is_repeated_once() {
    let source = "version: 1\nrules: [{ name: it, first: { n: 1, per: 10s } }]\n";
    let mut first = engine(source);
    let at = |engine: &mut BothWays, second: u64| {
        let mut out = Vec::new();
        let now = START + second * SECOND;
        let time = EventTime { sec: (now / SECOND) as u32, nsec: 0 };
        engine.filter(Input { time, ..input("{\"log\":\"x\"}") }, &mut Now(now), &mut NoPods, &mut out);
        whole(&out, &["nodesieve", "count"])
    };
    for _ in 0..4 {
        at(&mut first, 0);
    }
    let saved = first.state_to_save(Now(START)).unwrap();
    assert_eq!(at(&mut first, 10), Some(4), "three were dropped");
    let mut second = engine(source);
    second.restore(&saved).unwrap();
    let sent = summaries(&mut second, START);
    assert_eq!(whole(sent[0].as_bytes(), &["nodesieve", "dropped"]), Some(3), "repeated: that tick's counts");
}

/// Scenario: the filter is killed right behind the tick that made a summary.
/// Guarantees: the summary comes again word for word, so that its copy can be told by instance and number.
#[test]
fn a_summary_of_which_nobody_knows_whether_it_arrived_is_sent_again_as_it_was() {
    let mut first = engine(RULES);
    feed(&mut first, "gone");
    let mut out = Vec::new();
    first.tick(b"{}", Now(START), &mut out);
    assert_eq!(first.tick(b"{}", Now(START + 60 * SECOND), &mut out), Answer::Keep);
    let summary = String::from_utf8(out.clone()).unwrap();
    let saved = first.state_to_save(Now(START)).unwrap();
    let mut second = restarted(&saved);
    let sent = summaries(&mut second, START + 61 * SECOND);
    assert_eq!(sent, [summary], "once, and nothing besides");
    // A tick later it is known to be with the host.
    assert_eq!(first.tick(b"{}", Now(START + 61 * SECOND), &mut out), Answer::Drop);
    let saved = first.state_to_save(Now(START)).unwrap();
    assert_eq!(summaries(&mut restarted(&saved), START + 61 * SECOND), [""; 0]);
}

#[test]
fn a_saved_state_that_is_not_whole_is_refused_as_a_whole() {
    let mut first = engine(RULES);
    for text in ["gone", "few", "few", "paid"] {
        feed(&mut first, text);
    }
    let saved = first.state_to_save(Now(START)).unwrap();
    assert!(engine(RULES).restore(&saved).is_ok());
    for end in 0..saved.len() {
        let mut cut = engine(RULES);
        assert!(cut.restore(&saved[..end]).is_err(), "{end} of {} bytes", saved.len());
        assert_eq!(cut.counters().get(Metric::Restored), 0);
    }
    assert_eq!(engine(RULES).restore("{\"nodesieve_state\":2}\n{\"lines\":1}\n"), Err(SavedError::Version));
    let strange = saved.replace("\"account\":\"gone\"", "\"acount\":\"gone\"");
    assert_eq!(engine(RULES).restore(&strange), Err(SavedError::Line(2)));
}

/// Scenario: a byte of a line is damaged, or something is written behind the end.
/// Guarantees: nothing is taken, not even what could still be read.
#[test]
fn a_saved_state_that_is_damaged_in_its_middle_or_behind_its_end_is_refused() {
    let account =
        "{\"account\":\"gone\",\"stage\":\"rule\",\"records\":2,\"bytes\":30,\"first\":5,\"last\":6}\n";
    let saved = |line: &str, rest: &str| format!("{{\"nodesieve_state\":1}}\n{line}{{\"lines\":2}}\n{rest}");
    assert!(engine(RULES).restore(&saved(account, "")).is_ok());
    let damaged = account.replace("\"first\":5", "\"first\":5x\"y\"");
    for (text, line) in [(saved(&damaged, ""), 2), (saved(account, account), 4)] {
        let mut engine = engine(RULES);
        assert_eq!(engine.restore(&text), Err(SavedError::Line(line)), "{text}");
        assert_eq!(engine.counters().get(Metric::Restored), 0);
    }
}

/// Guarantees: what has no room in one summary comes with the next tick, and no summary is larger than a record may be.
#[test]
fn summaries_are_cut_between_rules() {
    let rules: String = (0..30)
        .map(|n| format!("{{ name: r{n}, when: {{ message: x{n}y }}, drop: {{}}, reason: test }},"))
        .collect();
    let mut engine = engine(&format!("version: 1\ninput: {{ max_record: 2048 }}\nrules: [{rules}]\n"));
    for n in 0..30 {
        feed(&mut engine, &format!("{} x{n}y", "word ".repeat(30)));
    }
    let sent = summaries(&mut engine, START);
    assert!(sent.len() > 3, "{}", sent.len());
    assert!(sent.iter().all(|summary| summary.len() <= 2048));
    let sum: u64 = sent.iter().map(|text| whole(text.as_bytes(), &["nodesieve", "dropped"]).unwrap()).sum();
    assert_eq!(sum, 30);
    let sequences: Vec<_> =
        sent.iter().map(|text| whole(text.as_bytes(), &["nodesieve", "sequence"])).collect();
    assert_eq!(sequences, (1..=sent.len() as u64).map(Some).collect::<Vec<_>>());
}

#[test]
fn without_summaries_nothing_is_lost_but_stays_open() {
    let mut engine =
        engine("version: 1\ndefaults: { summary: off }\nrules: [{ name: it, drop: {}, reason: test }]\n");
    let came = run(&mut engine, None);
    assert_eq!((came.summarised, engine.unreported().records), (0, 760));
    adds_up(&mut engine, &came);
}

#[test]
fn a_clock_that_goes_back_makes_no_summary_wait() {
    let mut engine = with("drop: {}, reason: test");
    let mut out = Vec::new();
    engine.tick(b"{}", Now(START), &mut out);
    feed(&mut engine, "x");
    assert_eq!(engine.tick(b"{}", Now(START - 3600 * SECOND), &mut out), Answer::Keep);
}

#[test]
fn what_a_budget_spends_is_saved_every_ten_seconds() {
    let mut first = engine(RULES);
    let mut spend = |after: u64| {
        assert_eq!(feed(&mut first, "paid").0, Answer::Keep);
        first.state_to_save(Now(START + after * SECOND))
    };
    assert!(spend(0).is_some() && spend(1).is_none() && spend(9).is_none());
    assert!(spend(10).unwrap().contains("{\"spent\":\"paid\","));
}

proptest! {
    #[test]
    fn no_text_stops_a_restore(text in "\\PC{0,200}") {
        let _ = engine(RULES).restore(&text);
        let _ = engine(RULES).restore(&format!("{{\"nodesieve_state\":1}}\n{text}\n{{\"lines\":2}}\n"));
    }
}
