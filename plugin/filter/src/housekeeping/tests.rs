//! Housekeeping with real files, in a directory of their own.

use super::*;
use nodesieve_engine::pods::{MAX_FILE_BYTES, PodSource, Unavailable};
use nodesieve_engine::time::EventTime;
use std::fs;

mod fragments;
mod lasting;
mod tap;

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
