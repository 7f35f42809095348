//! One traffic table drives every policy; what is kept, counted and summed up is known beforehand.

use super::both_ways::BothWays;
use super::{NoPods, engine};
use crate::config::load;
use crate::engine::{Answer, Input};
use crate::json::{self, Level, Value};
use crate::metrics::Metric;
use crate::time::{EventTime, Now};

/// A minute of three containers: `web` writes ten lines a second, `job` one, `cron` a hundred at once in its middle.
pub(super) fn minute() -> Vec<(u64, &'static str, String)> {
    let mut lines = Vec::new();
    for n in 0..600u64 {
        lines.push((n * SECOND / 10, "web", format!("request {n} took {} ms", n % 7)));
    }
    for n in 0..60u64 {
        lines.push((n * SECOND, "job", format!("step {n} done")));
    }
    for n in 0..100u64 {
        lines.push((30 * SECOND + n, "cron", format!("cleaned {n} files")));
    }
    lines.sort();
    lines
}

/// What came of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Came {
    /// Kept of web, job, cron.
    pub(super) kept: [u64; 3],
    /// What the kept stand for besides themselves.
    pub(super) counted: u64,
    /// What summaries say was dropped.
    pub(super) summarised: u64,
}

impl Came {
    fn take(&mut self, container: usize, out: &[u8]) {
        self.kept[container] += 1;
        self.counted += whole(out, &["nodesieve", "count"]).unwrap_or(1) - 1;
    }
}

pub(super) fn whole(text: &[u8], path: &[&str]) -> Option<u64> {
    let path: Vec<Box<str>> = path.iter().map(|key| Box::from(*key)).collect();
    match json::lookup(text, Level::Plain, &path)? {
        Value::Scalar(digits) => std::str::from_utf8(digits).ok()?.parse().ok(),
        _ => None,
    }
}

/// Feeds the minute, `late` after it happened if that is given, and ticks until everything is summed up.
pub(super) fn run(engine: &mut BothWays, late: Option<u64>) -> Came {
    let mut came = Came::default();
    let mut out = Vec::new();
    for (at, container, text) in minute() {
        let (event, now) = (START + at, START + late.unwrap_or(at));
        let tag = format!("kube.var.log.containers.{container}-1_shop_{container}-0a.log");
        let record = format!("{{\"log\":\"{text}\"}}");
        let time = EventTime { sec: (event / SECOND) as u32, nsec: (event % SECOND) as u32 };
        let input = Input { tag: tag.as_bytes(), time, text: record.as_bytes() };
        if engine.filter(input, &mut Now(now), &mut NoPods, &mut out).0 != Answer::Drop {
            came.take(["web", "job", "cron"].iter().position(|name| *name == container).unwrap(), &out);
        }
    }
    let end = START + late.unwrap_or_default() + 60 * SECOND;
    for tick in [end, end + 61 * SECOND, end + 62 * SECOND] {
        if engine.tick(b"{\"node\":\"n\"}", Now(tick), &mut out) == Answer::Keep {
            came.summarised += whole(&out, &["nodesieve", "dropped"]).unwrap();
        }
    }
    came
}

/// The equation that always holds.
#[track_caller]
pub(super) fn adds_up(engine: &mut BothWays, came: &Came) {
    let kept: u64 = came.kept.iter().sum();
    let open = engine.unreported().records;
    let counters = engine.counters();
    assert_eq!(counters.get(Metric::Seen), 760);
    assert_eq!(kept + came.counted + came.summarised + open, 760, "{came:?}, open {open}");
    assert_eq!(counters.get(Metric::Counted), came.counted);
    assert_eq!(counters.get(Metric::Summarised), came.summarised);
    assert_eq!(counters.get(Metric::Dropped) + kept, 760);
}

pub(super) fn with(policy: &str) -> BothWays {
    engine(&format!("version: 1\nrules: [{{ name: it, {policy} }}]\n"))
}

#[track_caller]
fn check(policy: &str, kept: [u64; 3], counted: u64) {
    for annotate in [true, false] {
        let source =
            format!("version: 1\ndefaults: {{ annotate: {annotate} }}\nrules: [{{ name: it, {policy} }}]\n");
        let mut engine = engine(&source);
        let came = run(&mut engine, None);
        assert_eq!(came.kept, kept, "{policy}");
        // Where nothing is written onto records, summaries say it all.
        assert_eq!(came.counted, if annotate { counted } else { 0 }, "{policy}");
        assert_eq!(engine.unreported().records, 0);
        adds_up(&mut engine, &came);
    }
}

#[test]
fn every_policy_keeps_exactly_what_it_says() {
    check("keep: {}", [600, 60, 100], 0);
    check("drop: {}, reason: test", [0, 0, 0], 0);
    // Each window of 10 s: 5, then every tenth of the other 95 or 5. What follows the last kept one of a window is counted
    // by the first of the next: 5 of web's windows, with 95 - 9 * 10 = 5 left over, and 5 of job's.
    check(
        "first: { n: 5, per: 10s, then: 1/10, by: container }",
        [6 * 14, 6 * 5, 14],
        6 * 81 + 5 * 5 + 5 * 5 + 81,
    );
    check("first: { n: 5, per: 10s, by: container }", [6 * 5, 6 * 5, 5], 5 * 95 + 5 * 5);
    check("first: { n: 100, per: 1h }", [90, 10, 0], 0);
    // web: a burst of 10 and 2 a second for 59.9 s. cron comes in one instant.
    check("limit: { rate: 2/s, burst: 10, by: container }", [10 + 119, 60, 10], 600 - 129 - 4);
    check("limit: { rate: 1/m, burst: 3 }", [2, 1, 0], 0);
    check("dedup: { window: 10s }", [6, 6, 1], 5 * 99 + 5 * 9);
    check("dedup: { window: 1h, by: pod }", [1, 1, 1], 0);
    // A goal above what comes.
    check("target: { rate: 1000/s, by: container }", [600, 60, 100], 0);
    check("budget: { spend: 1GB/day, by: pod }", [600, 60, 100], 0);
    check("sample: { rate: 1 }", [600, 60, 100], 0);
}

/// Scenario: a budget of 4,000 bytes a day for each pod.
/// Guarantees: what is delivered is counted with its metadata; each pod ends with the record that takes it over its budget.
#[test]
fn a_budget_ends_with_the_record_that_uses_it_up() {
    let mut engine = with("budget: { spend: 4kB/day, by: pod }");
    let came = run(&mut engine, None);
    adds_up(&mut engine, &came);
    let spent = engine.counters().get(Metric::BytesOut);
    assert!((12_000..12_600).contains(&spent), "{spent}");
    assert!(came.kept.iter().all(|kept| (20..40).contains(kept)), "{came:?}");
    // The next day all is well again.
    assert!(run_at(&mut engine, 86_400 * SECOND));
}

fn run_at(engine: &mut BothWays, later: u64) -> bool {
    let now = START + later;
    let time = EventTime { sec: (now / SECOND) as u32, nsec: 0 };
    let tag = b"kube.var.log.containers.web-1_shop_web-0a.log";
    let input = Input { tag, time, text: b"{\"log\":\"x\"}" };
    engine.filter(input, &mut Now(now), &mut NoPods, &mut Vec::new()).0 == Answer::Keep
}

#[test]
fn a_budget_turns_into_a_goal_at_its_soft_limit() {
    let mut engine =
        with("budget: { spend: 1MB/day, by: pod, soft: 0.005, over: { rate: 1/s, interval: 1s } }");
    let came = run(&mut engine, None);
    adds_up(&mut engine, &came);
    let [web, job, _] = came.kept;
    // 5,000 bytes are some 35 lines of web, in 4 s; then one a second, with a burst of one interval.
    assert!((70..120).contains(&web), "{came:?}");
    assert!(job >= 45, "{came:?}");
}

#[test]
fn a_floor_keeps_one_record_of_each_key_and_window() {
    let mut engine = with("limit: { rate: 1/h, by: namespace }, floor: { per: 20s, by: pod }");
    let came = run(&mut engine, None);
    // web's first record is the limit's; it has started its floor's window too. The others are the floors'.
    assert_eq!(came.kept, [3, 3, 1]);
    adds_up(&mut engine, &came);
}

#[test]
fn a_guard_above_its_ceiling_keeps_one_of_a_kind_in_ten_seconds() {
    let guards = "version: 1\nguards: [{ name: all, ceiling: { rate: 2/s, burst: 10, by: pod } }]\n\
        rules: [{ name: never, drop: {}, reason: test }]\n";
    let mut engine = engine(guards);
    let came = run(&mut engine, None);
    // As the limit above. In web's case something is over the ceiling in every window of 10 s from the second second on.
    assert_eq!(came.kept, [129 + 6, 60, 11]);
    adds_up(&mut engine, &came);
    let never = engine.counters().rules().iter().find(|row| &*row.name == "never").unwrap();
    assert_eq!(never.matched(), 0, "rules are not asked");
}

#[test]
fn a_shadow_rule_counts_what_it_would_do_and_changes_nothing() {
    let source = "version: 1\nrules: [{ name: would, limit: { rate: 2/s, burst: 10, by: container }, mode: shadow },\n\
        { name: gone, drop: {}, reason: test, mode: shadow }, { name: does, first: { n: 5, per: 10s, by: container } }]\n";
    let mut engine = engine(source);
    let came = run(&mut engine, None);
    assert_eq!(came.kept, [30, 30, 5]);
    adds_up(&mut engine, &came);
    let shadows: Vec<_> =
        engine.counters().shadows().iter().map(|row| (&*row.name, row.matched, row.dropped)).collect();
    assert_eq!(shadows, [("would", 760, 760 - 199), ("gone", 760, 760)]);
}

/// Scenario: the minute arrives at once, an hour after it happened, as after an outage.
/// Guarantees: it is limited as it would have been in its time, not as one burst.
#[test]
fn a_backlog_is_limited_by_the_time_in_which_it_happened() {
    for (policy, kept) in [
        ("limit: { rate: 2/s, burst: 10, by: container }", [129, 60, 10]),
        ("first: { n: 5, per: 10s, then: 1/10, by: container }", [84, 30, 14]),
        ("dedup: { window: 10s }", [6, 6, 1]),
    ] {
        let mut engine = with(policy);
        let came = run(&mut engine, Some(3600 * SECOND));
        assert_eq!(came.kept, kept, "{policy}");
        adds_up(&mut engine, &came);
        assert_eq!(engine.counters().get(Metric::Late), 760);
    }
    let mut engine = with("target: { rate: 2/s, interval: 5s }");
    let came = run(&mut engine, Some(3600 * SECOND));
    let kept: u64 = came.kept.iter().sum();
    assert!((90..=160).contains(&kept), "two a second for a minute, not for an instant: {came:?}");
    adds_up(&mut engine, &came);
}

/// Guarantees: what is late and what is in time do not use up each other's limit.
#[test]
fn late_records_take_nothing_from_those_in_time() {
    let mut engine = with("limit: { rate: 1/s, burst: 5, by: container }");
    let feed = |engine: &mut BothWays, late: u64| {
        let now = START + 7200 * SECOND;
        let event = now - late;
        let time = EventTime { sec: (event / SECOND) as u32, nsec: 0 };
        let input = Input { tag: b"kube.var.log.containers.p_n_c-0a.log", time, text: b"{\"log\":\"x\"}" };
        engine.filter(input, &mut Now(now), &mut NoPods, &mut Vec::new()).0 == Answer::Keep
    };
    assert_eq!((0..20).filter(|_| feed(&mut engine, 3600 * SECOND)).count(), 5);
    assert_eq!((0..20).filter(|_| feed(&mut engine, 0)).count(), 5);
    assert_eq!((0..20).filter(|_| feed(&mut engine, 61 * SECOND)).count(), 5, "an hour has passed for it");
    assert_eq!((0..20).filter(|_| feed(&mut engine, 60 * SECOND)).count(), 0, "a minute late is in time");
}

/// Guarantees: the lines of a stack trace are not stopped by a limit in their middle, and are paid for afterwards.
#[test]
fn a_trace_stays_whole_under_a_limit_and_is_paid_for() {
    let mut engine = with("limit: { rate: 1/s, burst: 2, by: container }");
    let mut feed = |second: u64, text: &str| {
        let now = START + second * SECOND;
        let time = EventTime { sec: (now / SECOND) as u32, nsec: 0 };
        let text = format!("{{\"log\":\"{text}\"}}");
        let tag = b"kube.var.log.containers.p_n_c-0a.log";
        engine
            .filter(Input { tag, time, text: text.as_bytes() }, &mut Now(now), &mut NoPods, &mut Vec::new())
            .0
            == Answer::Keep
    };
    assert!(feed(0, "failed"));
    assert!((0..6).all(|_| feed(0, "  at x")));
    assert!(!feed(5, "other"), "five seconds of debt");
    assert!(feed(6, "other"));
}

#[test]
fn reloading_keeps_the_state_of_rules_that_decide_the_same() {
    let limit = "version: 1\nrules: [{ name: it, limit: { rate: 1/h, burst: 3, by: pod }, reason: a }]\n";
    let mut engine = engine(limit);
    assert!((0..3).all(|_| run_at(&mut engine, 0)) && !run_at(&mut engine, 0));
    let same = limit
        .replace("reason: a", "reason: b, until: 2099-01-01T00:00:00Z")
        .replace("rules: [", "rules: [{ name: new, when: { pod: x }, keep: {} }, ");
    engine.replace_rules(load(&same).unwrap().rules);
    assert!(!run_at(&mut engine, 0), "the bucket is as empty as before");
    engine.replace_rules(load(&limit.replace("burst: 3", "burst: 4")).unwrap().rules);
    assert!(run_at(&mut engine, 0), "another limit starts anew");
    engine.replace_rules(load("version: 1\n").unwrap().rules);
    let mut out = Vec::new();
    engine.tick(b"{}", Now(START), &mut out);
    assert_eq!(engine.tick(b"{}", Now(START + 60 * SECOND), &mut out), Answer::Keep);
    let summary = String::from_utf8(out).unwrap();
    assert!(
        summary.contains("{\"rule\":\"it\",\"stage\":\"rule\",\"dropped\":2,"),
        "under its old name: {summary}"
    );
    assert!(summary.contains("\"keys\":[{\"key\":\"shop/web-1\",\"dropped\":2}],\"other\":0"), "{summary}");
}

pub(super) const SECOND: u64 = 1_000_000_000;
/// 2027-01-15T08:00:00Z, far enough from midnight.
pub(super) const START: u64 = 1_800_000_000 * SECOND;

/// Scenario: more rules than there is room for if each has all the keys that it may have.
#[test]
fn all_rules_together_have_a_cap() {
    let names: Vec<String> = (0..20)
        .map(|n| format!("{{ name: r{n}, when: {{ container: c{n} }}, limit: {{ rate: 1/h, by: $.u }} }}"))
        .collect();
    let mut engine = engine(&format!("version: 1\nrules: [{}]\n", names.join(", ")));
    for n in 0..90_000u64 {
        let tag = format!("kube.var.log.containers.p_n_c{}-0a.log", n / 4500);
        let text = format!("{{\"u\":{n}}}");
        let time = EventTime { sec: (START / SECOND) as u32, nsec: 0 };
        let input = Input { tag: tag.as_bytes(), time, text: text.as_bytes() };
        engine.filter(input, &mut Now(START), &mut NoPods, &mut Vec::new());
    }
    let metrics = engine.render_metrics("0", Now(START));
    assert!(metrics.contains("\nnodesieve_keys_tracked 65536\n"), "full, and no more");
    // 16 rules with all of their 4,096 keys and one shared state each, and four that only share.
    assert_eq!(engine.counters().get(Metric::Kept), 16 * 4097 + 4);
}
