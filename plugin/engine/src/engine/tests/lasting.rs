//! What outlives a filter: unreported counts, budgets, and the last summary.

use super::both_ways::BothWays;
use super::lifting::recalled;
use super::traffic::{SECOND, START, adds_up, run, whole, with};
use super::{NoPods, engine, input};
use crate::engine::{Answer, Input, JournalWrite, SLOT, SavedError, taken_over_by};
use crate::metrics::Metric;
use crate::time::{EventTime, Now};
use proptest::prelude::*;
use std::collections::BTreeSet;

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
    assert!(saved.starts_with("{\"nodesieve_state\":2,\"epoch\":1}\n"), "{saved}");

    let mut second = restarted(&saved);
    assert_eq!(second.counters().get(Metric::Restored), 2 + 3 + 1);
    assert_eq!(feed(&mut second, "paid").0, Answer::Drop, "the day's budget is not filled up by a restart");
    let sent = summaries(&mut second, START);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(whole(sent[0].as_bytes(), &["nodesieve", "dropped"]), Some(7));
    assert!(sent[0].contains("{\"rule\":\"few\",\"stage\":\"rule\",\"dropped\":3,"), "{}", sent[0]);
}

/// A filter and what it has on disk: the state of the last tick, and the journal.
struct OnDisk {
    engine: BothWays,
    state: String,
    journal: Vec<u8>,
    /// Summaries that have arrived: a copy is told by its instance and number.
    arrived: BTreeSet<String>,
}

impl OnDisk {
    fn new(rules: &str) -> OnDisk {
        let mut on_disk = OnDisk {
            engine: engine(rules),
            state: String::new(),
            journal: Vec::new(),
            arrived: BTreeSet::new(),
        };
        on_disk.save();
        on_disk
    }

    fn write(&mut self, write: JournalWrite) {
        let (start, end) = (write.offset as usize, write.offset as usize + SLOT);
        self.journal.resize(self.journal.len().max(end), 0);
        self.journal[start..end].copy_from_slice(&write.bytes);
    }

    fn save(&mut self) {
        if let Some(state) = self.engine.state_to_save(Now(START)) {
            self.state = state;
        }
        let header = self.engine.journal_header(Now(START));
        self.write(header);
    }

    /// The records that a record's answer reports.
    fn feed(&mut self, text: &str, second: u64) -> u64 {
        if self.engine.summary_taken() {
            let header = self.engine.journal_header(Now(START));
            self.write(header);
        }
        let mut out = Vec::new();
        let now = START + second * SECOND;
        let time = EventTime { sec: (now / SECOND) as u32, nsec: 0 };
        let text = format!("{{\"log\":\"{text}\"}}");
        let answer =
            self.engine.filter(Input { time, ..input(&text) }, &mut Now(now), &mut NoPods, &mut out).0;
        if let Some(write) = self.engine.journal_write() {
            self.write(write);
            while let Some(write) = self.engine.further_journal_write() {
                self.write(write);
            }
        }
        if answer == Answer::Drop {
            return 0;
        }
        let record = String::from_utf8(out).unwrap();
        whole(record.as_bytes(), &["nodesieve", "count"]).unwrap_or(1) + recalled(&record)
    }

    /// The records that a tick's summary reports.
    fn tick(&mut self, second: u64) -> u64 {
        let mut out = Vec::new();
        let answer = self.engine.tick(b"{}", Now(START + second * SECOND), &mut out);
        self.save();
        let is_new = answer == Answer::Keep && self.arrived.insert(String::from_utf8(out.clone()).unwrap());
        if is_new { whole(&out, &["nodesieve", "dropped"]).unwrap() } else { 0 }
    }

    /// The filter ends without a word, and another starts.
    fn restart(&mut self, rules: &str) {
        let mut next = engine(rules);
        next.restore_left(&self.state, &self.journal, Now(START)).unwrap();
        (self.engine, self.journal) = (next, Vec::new());
        self.save();
    }
}

const ALL_KINDS: &str = "version: 1\ndefaults: { summary: 7s, ceiling: { rate: 1/s } }\n\
    guards: [{ name: errors, when: { severity: error }, ceiling: { rate: 2/s }, lift: { for: 2s, rate: 1/s }, recall: { lines: 3, bytes: 1KiB } }]\nrules:\n\
    - { name: gone, when: { message: gone }, drop: {}, reason: test }\n\
    - { name: few, when: { message: few }, first: { n: 1, per: 3s, by: [container, template] } }\n\
    - { name: some, when: { message: some }, limit: { rate: 1/s } }\n\
    - { name: dim, when: { message: dim }, sample: { rate: 1/3 } }\n";

proptest! {
    /// Scenario: records, ticks, reloads and ends of the filter in any order; each end is as sudden as a kill.
    /// Guarantees: counts of the kept + summaries + unreported = records, to the record. A summary comes again, as it was, only when
    /// the host had not called since.
    #[test]
    fn counts_are_exact_whenever_the_filter_ends(steps in prop::collection::vec((0u8..9, 0u64..3), 1..120)) {
        let mut filter = OnDisk::new(ALL_KINDS);
        let (mut second, mut seen, mut reported) = (0, 0, 0);
        for (step, wait) in steps {
            second += wait;
            match step {
                0 => filter.restart(ALL_KINDS),
                1 => reported += filter.tick(second),
                2 => {
                    // Another set of rules, as housekeeping puts it in force: with a tick.
                    let rules = if wait > 0 { ALL_KINDS.replace("name: some", "name: others") } else { ALL_KINDS.into() };
                    filter.engine.replace_rules(crate::config::load(&rules).unwrap().rules);
                    filter.save();
                }
                text => {
                    seen += 1;
                    let text = ["gone", "few a", "some", "dim", "plain", "ERROR x"][text as usize - 3];
                    reported += filter.feed(text, second);
                }
            }
            let unreported = filter.engine.unreported().records;
            prop_assert_eq!(reported + unreported, seen, "step {}", step);
        }
        filter.restart("version: 1\n");
        prop_assert_eq!(reported + filter.engine.counters().get(Metric::Restored), seen);
    }
}

/// What a kill takes from the page cache is nothing; what a power failure leaves of the journal is as if it had not been written.
#[test]
fn without_its_journal_a_state_is_that_of_its_tick() {
    let mut filter = OnDisk::new(ALL_KINDS);
    for _ in 0..5 {
        filter.feed("gone", 0);
    }
    filter.tick(1);
    filter.feed("gone", 1);
    let restored = |journal: &[u8]| {
        let mut next = engine(ALL_KINDS);
        next.restore_left(&filter.state, journal, Now(START)).unwrap();
        next.counters().get(Metric::Restored)
    };
    assert_eq!(restored(&filter.journal), 6);
    assert_eq!((restored(b""), restored(&filter.journal[..SLOT])), (5, 5));
    let mut torn = filter.journal.clone();
    torn.iter_mut().skip(SLOT).for_each(|byte| *byte ^= 0x55);
    assert_eq!(restored(&torn), 5);
}

#[test]
fn a_filter_that_has_taken_over_another_says_so_until_that_one_s_files_are_gone() {
    let mut filter = OnDisk::new(ALL_KINDS);
    filter.feed("gone", 0);
    filter.restart(ALL_KINDS);
    assert_eq!(taken_over_by(&filter.state).collect::<Vec<_>>(), ["00000000000000aa"]);
    filter.engine.both(|engine| engine.is_gone("00000000000000aa"));
    filter.feed("gone", 1);
    filter.tick(1);
    assert_eq!(taken_over_by(&filter.state).count(), 0);
}

#[test]
fn a_state_whose_numbers_cannot_be_is_refused_as_a_whole() {
    let state = |line: &str| {
        let good = r#"{"account":"gone","stage":"rule","row":1,"records":2,"bytes":50}"#;
        format!("{{\"nodesieve_state\":2,\"epoch\":1}}\n{good}\n{line}\n{{\"lines\":3}}\n")
    };
    let now = Now(1_800_000_000 * SECOND);
    let restored = |line: &str| {
        let mut engine = engine(RULES);
        let result = engine.restore_left(&state(line), b"", now);
        (result, engine.counters().get(Metric::Restored))
    };
    let fine = r#"{"account":"few","stage":"rule","row":2,"records":3,"bytes":900}"#;
    assert_eq!(restored(fine), (Ok(()), 5));
    for absurd in [
        r#"{"account":"few","stage":"rule","row":2,"records":18446744073709551615,"bytes":900}"#,
        r#"{"account":"few","stage":"rule","row":2,"records":999999999999,"bytes":900}"#,
        r#"{"account":"few","stage":"rule","row":2,"records":3,"bytes":90000000000}"#,
        r#"{"account":"few","stage":"rule","row":2,"records":0,"bytes":9}"#,
        r#"{"account":"few","stage":"rule","row":99999999,"records":1,"bytes":9}"#,
        r#"{"account":"few","stage":"rule","records":3,"bytes":90,"first":7,"last":3}"#,
        r#"{"account":"few","stage":"rule","records":3,"bytes":90,"first":7,"last":2900000000000000000}"#,
        r#"{"spent":"paid","key":"other","label":"","day":99999,"bytes":1}"#,
        r#"{"spent":"paid","key":"other","label":"","day":20000,"bytes":9999999999999999}"#,
    ] {
        assert_eq!(restored(absurd), (Err(SavedError::Absurd(3)), 0), "{absurd}");
    }
}

#[test]
fn a_state_from_before_there_was_a_journal_is_taken() {
    let state = "{\"nodesieve_state\":1}\n\
        {\"account\":\"gone\",\"stage\":\"rule\",\"records\":2,\"bytes\":50}\n{\"lines\":2}\n";
    assert_eq!(restarted(state).counters().get(Metric::Restored), 2);
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
    for first in ["{\"nodesieve_state\":3}", "{\"nodesieve_state\":2}", "{\"nodesieve_state\":\"1\"}", "x"] {
        assert_eq!(engine(RULES).restore(&format!("{first}\n{{\"lines\":1}}\n")), Err(SavedError::Version));
    }
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
