//! What the filter writes down, over ends, moves and neighbours.

use super::*;

/// Takes ticks until one answers with a record.
fn summary(housekeeping: &mut Housekeeping, from: u64) -> String {
    let mut out = Vec::new();
    for second in from..from + 200 {
        let input = Input { tag: TICK_TAG, time: EventTime::default(), text: b"{\"node\":\"node-1\"}" };
        if housekeeping.filter(
            input,
            (Now(second * 1_000_000_000), &mut Now(second * 1_000_000_000)),
            &mut out,
        ) == Answer::Keep
        {
            return String::from_utf8(out).unwrap();
        }
    }
    String::new()
}

/// Scenario: the filter is killed and starts again, twice; the last time its saved state is spoilt.
/// Guarantees: what was open is summed up by the next filter; a spoilt state is counted and stops nothing.
#[test]
fn what_is_open_survives_the_end_of_the_filter() {
    let scratch = Scratch::new("state");
    scratch.put("nodesieve.yaml", &scratch.rules(DROP_NOISE));
    let start = || Housekeeping::start(std::slice::from_ref(&scratch.0), 1);
    let mut first = start();
    for _ in 0..3 {
        assert_eq!(feed(&mut first, "t", NOISE, 100), Answer::Drop);
    }
    feed(&mut first, "nodesieve.tick", "{}", 101);
    assert_eq!(feed(&mut first, "t", NOISE, 101), Answer::Drop, "after the last tick");
    drop(first);
    let mut second = start();
    feed(&mut second, "nodesieve.tick", "{}", 101);
    assert_eq!(second.engine.counters().get(Metric::Restored), 4);
    let said = summary(&mut second, 102);
    assert!(said.contains("\"node\":\"node-1\"") && said.contains("\"dropped\":4,"), "{said}");
    drop(second);
    let mut third = start();
    assert_eq!(summary(&mut third, 300), said, "word for word: nobody knows whether it arrived");
    scratch.put("state/state.ndjson", "{\"nodesieve_state\":1}\n{\"acc");
    let mut fourth = start();
    feed(&mut fourth, "nodesieve.tick", "{}", 600);
    assert_eq!(fourth.engine.counters().get(Metric::StateFailed), 1);
    assert_eq!(fourth.engine.counters().get(Metric::Restored), 0);
}

/// Scenario: two filters of one Fluent Bit have the same rule file, and so the same state directory; then both end.
/// Guarantees: what was open before is taken up by one of them and not by the other, each keeps its own, both say so, and what both
/// have left is taken up once.
#[test]
fn of_two_filters_each_keeps_its_own_counts() {
    let scratch = Scratch::new("two-filters");
    scratch.put("nodesieve.yaml", &scratch.rules(DROP_NOISE));
    let start = |seed| Housekeeping::start(std::slice::from_ref(&scratch.0), seed);
    let mut before = start(1);
    feed(&mut before, "t", NOISE, 100);
    drop(before);
    let (mut one, mut other) = (start(2), start(3));
    for second in 200..206 {
        for housekeeping in [&mut one, &mut other] {
            feed(housekeeping, "t", NOISE, second);
            feed(housekeeping, "nodesieve.tick", "{}", second);
        }
    }
    let restored = [&one, &other].map(|housekeeping| housekeeping.engine.counters().get(Metric::Restored));
    let shared = [&one, &other].map(|housekeeping| housekeeping.engine.counters().get(Metric::StateShared));
    assert_eq!((restored, shared), ([1, 0], [1, 1]));
    drop((one, other));
    let mut after = start(4);
    feed(&mut after, "nodesieve.tick", "{}", 300);
    assert_eq!(after.engine.counters().get(Metric::Restored), 13);
    assert_eq!(scratch.states(), 1, "what was taken over is gone");
}

/// Scenario: the filter ends again and again, sooner than the next one can know that the one before does not live.
/// Guarantees: nothing is lost and nothing counted twice.
#[test]
fn lives_that_follow_each_other_quickly_lose_nothing() {
    let scratch = Scratch::new("quick-lives");
    scratch.put("nodesieve.yaml", &scratch.rules(DROP_NOISE));
    let mut last = None;
    for life in 0..30 {
        let mut housekeeping = Housekeeping::start(std::slice::from_ref(&scratch.0), 1000 + life);
        for n in 0..3 {
            feed(&mut housekeeping, "t", NOISE, 100 + life);
            if (life + n) % 3 == 0 {
                feed(&mut housekeeping, "nodesieve.tick", "{}", 100 + life);
            }
        }
        last = Some(housekeeping);
    }
    let mut last = last.unwrap();
    assert!(scratch.states() < 6, "those of some seconds: {}", scratch.states());
    for second in 130..140 {
        feed(&mut last, "nodesieve.tick", "{}", second);
    }
    assert_eq!(last.engine.counters().get(Metric::Restored), 29 * 3);
    assert_eq!(scratch.states(), 1);
}

/// Scenario: the filter ends when it has saved what it took over, and before it has removed where that was.
#[test]
fn what_was_taken_over_and_is_still_there_is_not_counted_again() {
    let scratch = Scratch::new("taken-over");
    scratch.put("nodesieve.yaml", &scratch.rules(DROP_NOISE));
    let start = |seed| Housekeeping::start(std::slice::from_ref(&scratch.0), seed);
    let mut first = start(1);
    feed(&mut first, "t", NOISE, 100);
    drop(first);
    let of_first: Vec<(PathBuf, Vec<u8>)> =
        scratch.files("state-").into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    let mut second = start(2);
    feed(&mut second, "t", NOISE, 200);
    assert_eq!(second.engine.counters().get(Metric::Restored), 1);
    drop(second);
    // As if the last step had not come, in the state that names what it has taken over.
    for (path, content) in &of_first {
        fs::write(path, content).unwrap();
    }
    let state = scratch.files("state-").into_iter().find(|path| {
        path.extension().is_some_and(|ending| ending == "ndjson")
            && of_first.iter().all(|(of_first, _)| of_first != path)
    });
    let text = fs::read_to_string(state.as_ref().unwrap()).unwrap();
    let name = of_first[0].0.file_stem().unwrap().to_str().unwrap().trim_start_matches("state-").to_owned();
    let (first_line, rest) = text.split_once('\n').unwrap();
    let lines: usize = text.lines().count();
    let rest = rest.replace(&format!("{{\"lines\":{}}}", lines - 1), &format!("{{\"lines\":{lines}}}"));
    fs::write(state.unwrap(), format!("{first_line}\n{{\"taken_over\":\"{name}\"}}\n{rest}")).unwrap();
    let mut third = start(3);
    feed(&mut third, "t", NOISE, 300);
    assert_eq!(third.engine.counters().get(Metric::Restored), 2);
    assert_eq!(scratch.states(), 1);
}

#[test]
fn a_state_that_cannot_be_written_is_counted_and_costs_no_record() {
    let scratch = Scratch::new("no-state");
    scratch.put(
        "nodesieve.yaml",
        &scratch.rules(DROP_NOISE).replace("state: { dir: ", "state: { dir: /nonexistent"),
    );
    let mut housekeeping = Housekeeping::start(std::slice::from_ref(&scratch.0), 1);
    assert_eq!(feed(&mut housekeeping, "t", NOISE, 100), Answer::Drop);
    for second in 101..104 {
        feed(&mut housekeeping, "nodesieve.tick", "{}", second);
    }
    // Once for the good rules, twice with the first record, then with each tick.
    assert_eq!(housekeeping.engine.counters().get(Metric::StateFailed), 6);
}

/// Scenario: `state.dir` moves to another place and back.
/// Guarantees: what was open is reported once, not once for each place.
#[test]
fn a_state_that_moves_leaves_nothing_behind() {
    let scratch = Scratch::new("moves");
    fs::create_dir_all(scratch.0.join("other")).unwrap();
    let here = scratch.rules(DROP_NOISE);
    let there = here.replace(
        &format!("state: {{ dir: {}/state", scratch.0.display()),
        &format!("state: {{ dir: {}/other", scratch.0.display()),
    );
    scratch.put("nodesieve.yaml", &here);
    let mut housekeeping = Housekeeping::start(std::slice::from_ref(&scratch.0), 1);
    feed(&mut housekeeping, "t", NOISE, 100);
    feed(&mut housekeeping, "nodesieve.tick", "{}", 101);
    assert_eq!(scratch.states(), 1);
    scratch.put("nodesieve.yaml", &there);
    feed(&mut housekeeping, "nodesieve.tick", "{}", 102);
    let there = || fs::read_dir(scratch.0.join("other")).unwrap().count();
    assert_eq!((scratch.states(), there()), (0, 3), "state, journal and the last good rules");
    scratch.put("nodesieve.yaml", &here.replace("state: { dir: ", "state: { dir: off } #"));
    feed(&mut housekeeping, "nodesieve.tick", "{}", 103);
    assert_eq!(there(), 1);
}

/// Scenario: 30,000 records are dropped in a second, and the filter ends.
/// Guarantees: the first ten thousand are exact, of the others at most fifteen of a rule are lost; at the next tick all are.
#[test]
fn a_flood_of_dropped_records_is_written_down_in_part() {
    let scratch = Scratch::new("written-in-part");
    scratch.put("nodesieve.yaml", &scratch.rules(DROP_NOISE));
    let start = |seed| Housekeeping::start(std::slice::from_ref(&scratch.0), seed);
    let mut second = 100;
    let (mut dropped, mut restored) = (0, 0);
    for (seed, (records, most_lost)) in [(1, (9_000, 0)), (2, (30_007, 15)), (3, (20_001, 15))] {
        let mut housekeeping = start(seed);
        feed(&mut housekeeping, "nodesieve.tick", "{}", second);
        for _ in 0..records {
            feed(&mut housekeeping, "t", NOISE, second);
        }
        dropped += records;
        second += 100;
        let mut next = start(seed + 100);
        feed(&mut next, "nodesieve.tick", "{}", second);
        let found = next.engine.counters().get(Metric::Restored);
        assert!((0..=most_lost).contains(&(dropped - found)), "{found} of {dropped}");
        (dropped, restored) = (found, restored + 1);
        second += 100;
    }
    assert_eq!(restored, 3);
    let mut last = start(7);
    feed(&mut last, "nodesieve.tick", "{}", second);
    for _ in 0..30_007 {
        feed(&mut last, "t", NOISE, second);
    }
    feed(&mut last, "nodesieve.tick", "{}", second + 1);
    drop(last);
    let mut next = start(8);
    feed(&mut next, "nodesieve.tick", "{}", second + 100);
    assert_eq!(next.engine.counters().get(Metric::Restored), dropped + 30_007);
}
