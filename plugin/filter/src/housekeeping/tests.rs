//! Housekeeping with real files, in a directory of their own.

use super::*;
use nodesieve_engine::pods::{MAX_FILE_BYTES, PodSource, Unavailable};
use nodesieve_engine::time::EventTime;
use std::fs;

/// A directory of its own for each test, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("nodesieve-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("pods")).unwrap();
        fs::create_dir_all(path.join("state")).unwrap();
        Scratch(path)
    }

    fn rules(&self, rules: &str) -> String {
        let root = self.0.display();
        format!(
            "version: 1\npods: {{ dir: {root}/pods }}\nmetrics: {{ file: {root}/metrics.prom }}\nstate: {{ dir: {root}/state }}\n{rules}"
        )
    }

    fn put(&self, name: &str, content: &str) {
        fs::write(self.0.join(name), content).unwrap();
    }

    fn files(&self, prefix: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.0.join("state")).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = entries
            .filter(|path| path.file_name().is_some_and(|name| name.to_str().unwrap().starts_with(prefix)))
            .collect();
        files.sort();
        files
    }

    /// How many filters have a state here.
    fn states(&self) -> usize {
        self.files("state")
            .iter()
            .filter(|path| path.extension().is_some_and(|ending| ending == "ndjson"))
            .count()
    }

    fn metric(&self, name: &str) -> String {
        let text = fs::read_to_string(self.0.join("metrics.prom")).unwrap();
        let line = text.lines().find(|line| line.split([' ', '{']).next() == Some(name)).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const DROP_NOISE: &str = "rules: [{ name: noise, when: { message: noise }, drop: {}, reason: test }]\n";

fn feed(housekeeping: &mut Housekeeping, tag: &str, text: &str, second: u64) -> Answer {
    let input = Input { tag: tag.as_bytes(), time: EventTime::default(), text: text.as_bytes() };
    housekeeping.filter(
        input,
        (Now(second * 1_000_000_000), &mut Now(second * 1_000_000_000)),
        &mut Vec::new(),
    )
}

const NOISE: &str = r#"{"log":"noise"}"#;

#[test]
fn rules_change_when_their_file_does_and_stay_when_the_new_one_is_bad() {
    let scratch = Scratch::new("reload");
    scratch.put("nodesieve.yaml", &scratch.rules(DROP_NOISE));
    let mut housekeeping = Housekeeping::start(&[PathBuf::from("/nonexistent"), scratch.0.clone()], 1);
    assert_eq!(feed(&mut housekeeping, "t", NOISE, 100), Answer::Drop);

    scratch.put("nodesieve.yaml", &scratch.rules("rules: [{ nmae: x }]\n"));
    assert_eq!(feed(&mut housekeeping, "nodesieve.tick", "{}", 110), Answer::Drop);
    assert_eq!(feed(&mut housekeeping, "t", NOISE, 110), Answer::Drop, "the old rules stay");
    assert_eq!(scratch.metric("nodesieve_config_valid"), "0");
    assert_eq!(scratch.metric("nodesieve_reloads_refused_total"), "1");

    scratch.put("nodesieve.yaml", &scratch.rules("rules: []\n"));
    feed(&mut housekeeping, "nodesieve.tick", "{}", 120);
    assert_eq!(feed(&mut housekeeping, "t", NOISE, 120), Answer::Keep);
    assert_eq!(scratch.metric("nodesieve_config_valid"), "1");
    assert_eq!(scratch.metric("nodesieve_ticks_total"), "2");
}

#[test]
fn a_config_map_swap_of_symlinks_takes_effect() {
    let scratch = Scratch::new("symlink");
    for (version, rules) in [("v1", DROP_NOISE), ("v2", "rules: []\n# changed\n")] {
        fs::create_dir_all(scratch.0.join(version)).unwrap();
        fs::write(scratch.0.join(version).join("nodesieve.yaml"), scratch.rules(rules)).unwrap();
    }
    std::os::unix::fs::symlink("v1", scratch.0.join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/nodesieve.yaml", scratch.0.join("nodesieve.yaml")).unwrap();
    let mut housekeeping = Housekeeping::start(std::slice::from_ref(&scratch.0), 1);
    assert_eq!(feed(&mut housekeeping, "t", NOISE, 100), Answer::Drop);
    std::os::unix::fs::symlink("v2", scratch.0.join("..data_tmp")).unwrap();
    fs::rename(scratch.0.join("..data_tmp"), scratch.0.join("..data")).unwrap();
    assert_eq!(feed(&mut housekeeping, "t", NOISE, 102), Answer::Keep);
}

#[test]
fn without_rules_all_is_kept_and_said() {
    let scratch = Scratch::new("none");
    let mut housekeeping = Housekeeping::start(std::slice::from_ref(&scratch.0), 1);
    assert_eq!(feed(&mut housekeeping, "t", NOISE, 100), Answer::Keep);
    scratch.put("nodesieve.yaml", "version: 2\n");
    let mut housekeeping = Housekeeping::start(std::slice::from_ref(&scratch.0), 1);
    assert_eq!(feed(&mut housekeeping, "t", NOISE, 100), Answer::Keep);
    assert_eq!(housekeeping.engine.counters().get(Metric::ConfigValid), 0);
}

#[test]
fn a_rule_file_that_comes_later_is_found_and_one_that_goes_is_missed() {
    let scratch = Scratch::new("late");
    let mut housekeeping = Housekeeping::start(std::slice::from_ref(&scratch.0), 1);
    assert_eq!(feed(&mut housekeeping, "t", NOISE, 100), Answer::Keep);
    scratch.put("nodesieve.yaml", &scratch.rules(DROP_NOISE));
    feed(&mut housekeeping, "nodesieve.tick", "{}", 101);
    assert_eq!(feed(&mut housekeeping, "t", NOISE, 101), Answer::Drop);
    fs::remove_file(scratch.0.join("nodesieve.yaml")).unwrap();
    feed(&mut housekeeping, "nodesieve.tick", "{}", 102);
    assert_eq!(housekeeping.engine.counters().get(Metric::ConfigValid), 0);
    assert_eq!(feed(&mut housekeeping, "t", NOISE, 102), Answer::Drop, "the rules stay");
}

#[test]
fn a_rule_file_that_is_too_large_is_refused_and_not_cut() {
    let scratch = Scratch::new("large");
    scratch.put("nodesieve.yaml", &format!("{}#{}\n", scratch.rules(""), "x".repeat(1 << 20)));
    let housekeeping = Housekeeping::start(std::slice::from_ref(&scratch.0), 1);
    assert_eq!(housekeeping.engine.counters().get(Metric::ConfigValid), 0);
}

#[test]
fn housekeeping_runs_on_the_record_path_when_there_is_no_tick() {
    let scratch = Scratch::new("tickless");
    scratch.put("nodesieve.yaml", &scratch.rules(""));
    let mut housekeeping = Housekeeping::start(std::slice::from_ref(&scratch.0), 1);
    feed(&mut housekeeping, "t", NOISE, 100);
    assert_eq!(scratch.metric("nodesieve_tick_seen"), "0");
    fs::remove_file(scratch.0.join("metrics.prom")).unwrap();
    feed(&mut housekeeping, "t", NOISE, 105);
    assert!(!scratch.0.join("metrics.prom").exists(), "written every 10 s only");
    feed(&mut housekeeping, "t", NOISE, 110);
    // Housekeeping comes before the record on whose path it runs.
    assert_eq!(scratch.metric("nodesieve_records_seen_total"), "2");
}

#[test]
fn metrics_that_cannot_be_written_are_counted_and_cost_no_record() {
    let scratch = Scratch::new("full");
    scratch.put(
        "nodesieve.yaml",
        "version: 1\nmetrics: { file: /nonexistent/metrics.prom }\nstate: { dir: off }\n",
    );
    let mut housekeeping = Housekeeping::start(std::slice::from_ref(&scratch.0), 1);
    assert_eq!(feed(&mut housekeeping, "t", NOISE, 100), Answer::Keep);
    assert_eq!(housekeeping.engine.counters().get(Metric::MetricsFailed), 1);
}

#[test]
fn paths_that_the_filter_cannot_see_are_named() {
    let scratch = Scratch::new("paths");
    scratch.put("nodesieve.yaml", &scratch.rules(""));
    let housekeeping = Housekeeping::start(std::slice::from_ref(&scratch.0), 1);
    assert_eq!(housekeeping.unreachable_paths(housekeeping.engine.rules()), Vec::<&str>::new());
    let unseen = RuleFile::default();
    assert_eq!(
        housekeeping.unreachable_paths(&unseen),
        ["/run/nodesieve/pods", "/run/nodesieve/metrics.prom", "/var/lib/nodesieve/filter"]
    );
}

#[test]
fn pod_files_are_read_with_a_limit() {
    let scratch = Scratch::new("pods");
    let mut pods = PodFilesOnNode(scratch.0.join("pods"));
    let mut content = Vec::new();
    assert_eq!(pods.read("n_p.json", &mut content), Err(Unavailable::Missing));
    fs::write(scratch.0.join("pods/n_p.json"), vec![b' '; MAX_FILE_BYTES * 2]).unwrap();
    assert_eq!(pods.read("n_p.json", &mut content), Ok(()));
    assert_eq!(content.len(), MAX_FILE_BYTES + 1);
    fs::create_dir(scratch.0.join("pods/n_d.json")).unwrap();
    assert_eq!(pods.read("n_d.json", &mut Vec::new()), Err(Unavailable::Unreadable));
}

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

/// Scenario: a file with a mistake is rolled out, and then the filter starts anew.
/// Guarantees: the rules that were good last are in force, and the numbers say which they are.
#[test]
fn at_the_start_a_bad_file_gives_way_to_the_last_good_one() {
    let scratch = Scratch::new("last-good");
    scratch.put("nodesieve.yaml", &scratch.rules(DROP_NOISE));
    drop(Housekeeping::start(&[scratch.0.clone(), scratch.0.join("state")], 1));
    let failing =
        format!("{DROP_NOISE}tests: [{{ record: {{ log: hello }}, expect: {{ action: drop }} }}]\n");
    for bad in ["rules: [{ nmae: x }]\n".to_owned(), failing] {
        scratch.put("nodesieve.yaml", &scratch.rules(&bad));
        let mut housekeeping = Housekeeping::start(&[scratch.0.clone(), scratch.0.join("state")], 1);
        assert_eq!(feed(&mut housekeeping, "t", NOISE, 100), Answer::Drop);
        let metric = |metric| housekeeping.engine.counters().get(metric);
        assert_eq!(
            (metric(Metric::LastGood), metric(Metric::ConfigValid), metric(Metric::Reloads)),
            (1, 0, 0)
        );
    }
    scratch.put("nodesieve.yaml", &scratch.rules("rules: []\n"));
    let mut housekeeping = Housekeeping::start(&[scratch.0.clone(), scratch.0.join("state")], 1);
    assert_eq!(feed(&mut housekeeping, "t", NOISE, 100), Answer::Keep);
    assert_eq!(housekeeping.engine.counters().get(Metric::LastGood), 0);
}

/// Scenario: the clock is past the end of every rule, those of the file's tests included.
#[test]
fn a_file_does_not_break_by_the_calendar() {
    let scratch = Scratch::new("calendar");
    let rules = "rules: [{ name: noise, when: { message: noise }, drop: {}, until: 2027-01-01T00:00:00Z }]\n\
        tests: [{ record: { log: noise }, expect: { rule: noise, action: drop } }]\n";
    scratch.put("nodesieve.yaml", &scratch.rules(rules));
    let mut housekeeping = Housekeeping::start(std::slice::from_ref(&scratch.0), 1);
    let late = 4_000_000_000;
    assert_eq!(feed(&mut housekeeping, "t", NOISE, late), Answer::Keep, "the rule is inert");
    feed(&mut housekeeping, "nodesieve.tick", "{}", late + 20);
    assert_eq!(scratch.metric("nodesieve_rules_expired"), "1");
    assert_eq!(scratch.metric("nodesieve_config_valid"), "1");
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

/// Scenario: the rule file comes later than the filter, and is a bad one.
#[test]
fn the_last_good_rules_serve_while_there_is_no_better_file() {
    let scratch = Scratch::new("late-and-bad");
    scratch.put("nodesieve.yaml", &scratch.rules(DROP_NOISE));
    drop(Housekeeping::start(&[scratch.0.clone(), scratch.0.join("state")], 1));
    fs::remove_file(scratch.0.join("nodesieve.yaml")).unwrap();
    let mut housekeeping = Housekeeping::start(&[scratch.0.clone(), scratch.0.join("state")], 1);
    assert_eq!(feed(&mut housekeeping, "t", NOISE, 100), Answer::Drop);
    scratch.put("nodesieve.yaml", "version: 2\n");
    feed(&mut housekeeping, "nodesieve.tick", "{}", 101);
    assert_eq!(feed(&mut housekeeping, "t", NOISE, 101), Answer::Drop);
    assert_eq!(housekeeping.engine.counters().get(Metric::LastGood), 1);
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

#[test]
fn when_the_tick_stops_records_carry_the_chores_again() {
    let scratch = Scratch::new("tick-stops");
    scratch.put("nodesieve.yaml", &scratch.rules(""));
    let mut housekeeping = Housekeeping::start(std::slice::from_ref(&scratch.0), 1);
    feed(&mut housekeeping, "nodesieve.tick", "{}", 100);
    scratch.put("nodesieve.yaml", &scratch.rules(DROP_NOISE));
    assert_eq!(feed(&mut housekeeping, "t", NOISE, 129), Answer::Keep, "the tick may still come");
    assert_eq!(feed(&mut housekeeping, "t", NOISE, 130), Answer::Drop);
    assert_eq!(housekeeping.engine.counters().get(Metric::TickSeen), 0);
}

/// A clock that goes on by five milliseconds whenever it is read.
struct Busy(Now);

impl Clock for Busy {
    fn now(&mut self) -> Now {
        self.0 = self.0.after(std::time::Duration::from_millis(5));
        self.0
    }
}

/// Scenario: the tests of a rule file take two seconds; it is there at the start, and later another one replaces it.
/// Guarantees: nothing takes longer than a quarter of a second; until the tests have passed the last good rules decide, or those
/// before; then the new ones do, and a file whose tests fail never does.
#[test]
fn long_tests_of_rules_do_not_make_records_wait() {
    let scratch = Scratch::new("slices");
    let tests = "tests: [{ record: { log: '$n' }, repeat: { n: 400 }, expect: { action: keep } }]\n";
    let keep_all = scratch.rules("rules: []\n");
    scratch.put("nodesieve.yaml", &scratch.rules(&format!("{DROP_NOISE}{tests}")));
    scratch.put("last-good.yaml", &keep_all);
    let mut housekeeping = Housekeeping::start(std::slice::from_ref(&scratch.0), 1);
    let mut clock = Busy(Now(100_000_000_000));
    let mut out = Vec::new();
    let mut record = |housekeeping: &mut Housekeeping, tag: &str| {
        clock.0 = clock.0.after(std::time::Duration::from_millis(10));
        let before = clock.0;
        let input = Input { tag: tag.as_bytes(), time: EventTime::default(), text: NOISE.as_bytes() };
        let answer = housekeeping.filter(input, (before, &mut clock), &mut out);
        let took = clock.0.since(before).unwrap();
        assert!(took.as_millis() <= 275, "{took:?}");
        (answer, took.as_millis())
    };
    let mut first = Vec::new();
    while record(&mut housekeeping, "t").0 == Answer::Keep {
        first.push(record(&mut housekeeping, "t").1);
    }
    let waited = first.iter().filter(|took| **took > 40).count();
    assert!(first.len() > 50 && waited == 0, "records go on between slices: {first:?}");
    assert_eq!(housekeeping.engine.counters().get(Metric::LastGood), 0);

    let failing = tests.replace("action: keep", "action: drop");
    scratch.put("nodesieve.yaml", &scratch.rules(&failing));
    for _ in 0..30 {
        record(&mut housekeeping, "nodesieve.tick");
        assert_eq!(record(&mut housekeeping, "t").0, Answer::Drop, "the rules before stay");
    }
    assert_eq!(housekeeping.engine.counters().get(Metric::ReloadsRefused), 1);

    scratch.put("nodesieve.yaml", &scratch.rules(&format!("rules: []\n{tests}")));
    let ticks = (1..)
        .find(|_| {
            record(&mut housekeeping, "nodesieve.tick");
            record(&mut housekeeping, "t").0 == Answer::Keep
        })
        .unwrap();
    assert!((5..20).contains(&ticks), "{ticks} ticks");
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
