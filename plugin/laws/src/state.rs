//! Any bytes as a saved state: it is refused and nothing is taken, or it is taken and what was taken is reported, once.

use crate::behaviour::{Behaviour, variant};
use crate::calls::{Pods, START, TAGS};
use crate::engines::Engines;
use crate::json::members;
use crate::record::{check_answer, event_time, sums};
use nodesieve_engine::config::load;
use nodesieve_engine::engine::Input;
use nodesieve_engine::time::Now;

pub(crate) fn check(data: &[u8]) -> Behaviour {
    let text = String::from_utf8_lossy(data);
    let as_it_is = restore(&text);
    let mended = restore(&mended(&text));
    Behaviour::of((as_it_is, mended))
}

/// The same lines in a frame that fits: what is mutated seldom counts its own lines.
fn mended(text: &str) -> String {
    let is_frame = |line: &&str| line.starts_with("{\"nodesieve_state\"") || line.starts_with("{\"lines\"");
    let lines: Vec<&str> = text.lines().filter(|line| !is_frame(line)).collect();
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    format!("{{\"nodesieve_state\":1}}\n{body}{{\"lines\":{}}}\n", lines.len() + 1)
}

fn restore(text: &str) -> Behaviour {
    let Ok(loaded) = load(RULES) else { panic!("the rules of the law load") };
    let mut engines = Engines::new(&loaded.rules);
    let mut clock = START;
    let now = |clock: i64| Now(clock.unsigned_abs() * 1_000_000);
    if let Err(error) = engines.restore(text) {
        assert_eq!(
            (engines.restored(), engines.unreported(now(clock))),
            (0, 0),
            "refused, and taken in part"
        );
        assert!(!engines.tick(now(clock)), "a summary of what was refused");
        engines.add_up(now(clock));
        return Behaviour::of(("refused", variant(&error)));
    }
    // A lone surrogate in a key is none for the other reader.
    if text.lines().any(|line| members(line.as_bytes()).is_none()) {
        return Behaviour::of("taken, with a lone surrogate");
    }
    let accounts: Vec<u64> = text.lines().filter_map(records_of_account).collect();
    let sum = accounts.iter().try_fold(0u64, |sum, records| sum.checked_add(*records));
    // Numbers that only a broken disk writes saturate.
    let is_sane = engines.restored() < 1 << 60 && sum.is_some_and(|sum| sum < 1 << 60);
    if is_sane {
        let sum: u64 = accounts.iter().sum();
        assert_eq!((engines.restored(), engines.unreported(now(clock))), (sum, sum), "{text}");
    }
    let before = text.lines().filter(|line| is_summary_of_before(line)).count();
    let (mut came, mut summaries) = (Vec::new(), 0);
    for (n, log) in ["gone", "few", "paid", "few", "x"].iter().cycle().take(25).enumerate() {
        clock += 700;
        let text = format!("{{\"log\":\"{log} {n}\",\"u\":\"{}\"}}", n % 3);
        let input = Input { tag: TAGS[n % 2].as_bytes(), time: event_time(clock, 0), text: text.as_bytes() };
        let answer = engines.filter(input, now(clock), &mut Pods::default());
        check_answer(text.as_bytes(), answer, &engines.out, &loaded.rules);
        came.push(answer.0 == nodesieve_engine::engine::Answer::Drop);
        if n % 3 == 2 {
            // The first are those of lives before, whose sums are not ours.
            let is_before = n / 3 < before;
            let is_summary =
                if is_before { engines.tick(now(clock)) } else { engines.tick_and_sum(now(clock)) };
            assert!(is_summary || !is_before, "the summary that may not have arrived comes again");
            summaries += usize::from(is_summary);
        }
    }
    if is_sane {
        engines.add_up(now(clock));
        check_again(&mut engines, now(clock));
    }
    Behaviour::of(("taken", is_sane, before.min(3), accounts.len().min(5), came, summaries))
}

/// What is saved after all that is taken by the next.
fn check_again(engines: &mut Engines, now: Now) {
    let unreported = engines.unreported(now);
    let Some(saved) = engines.state_to_save(now) else { return };
    let Ok(loaded) = load(RULES) else { return };
    let mut next = Engines::new(&loaded.rules);
    assert_eq!(next.restore(&saved), Ok(()), "{saved}");
    assert_eq!(next.unreported(now), unreported, "{saved}");
    if next.tick(now) {
        let (_, dropped) = sums(&next.out);
        assert!(saved.contains("{\"summary\":"), "{dropped} out of nothing");
    }
}

/// The value of a member of a line as another reader reads it; of several the last.
fn member<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    members(line.as_bytes())?.into_iter().rev().find(|(other, _)| other == key).map(|(_, value)| value)
}

/// Whether a line is the end: it counts lines, whatever else stands in it.
fn is_end(line: &str) -> bool {
    member(line, "lines").is_some_and(|lines| lines.parse::<u64>().is_ok())
}

/// Whether a line is the last summary of the life before.
fn is_summary_of_before(line: &str) -> bool {
    member(line, "summary").is_some_and(|summary| summary.starts_with('"')) && !is_end(line)
}

/// How many records a line says are unreported.
fn records_of_account(line: &str) -> Option<u64> {
    let is_account = member(line, "account").is_some_and(|name| name.starts_with('"'));
    if !is_account || is_end(line) || is_summary_of_before(line) {
        return None;
    }
    member(line, "records")?.parse().ok()
}

const RULES: &str = "version: 1\ndefaults: { summary: 5s }\nrules:\n\
    - { name: gone, when: { message: gone }, drop: {}, reason: test }\n\
    - { name: few, when: { message: few }, first: { n: 1, per: 10s, by: container } }\n\
    - { name: paid, when: { message: paid }, budget: { spend: 1kB/day, by: $.u } }\n";

pub(crate) const WORDS: &[&str] = &[
    "{\"nodesieve_state\":1}\n",
    "{\"lines\":2}\n",
    "{\"summary\":\"{\\\"nodesieve\\\":{\\\"summary\\\":true,\\\"dropped\\\":5}}\"}\n",
    "{\"account\":\"gone\",\"stage\":\"rule\",\"records\":2,\"bytes\":30}\n",
    ",\"first\":1795168800000000000,\"last\":1795168801000000000",
    "{\"account\":\"few\",\"stage\":\"outcome\",\"records\":18446744073709551615,\"bytes\":0}\n",
    "\"guard\"",
    "\"none\"",
    "\"other\"",
    "{\"spent\":\"paid\",\"key\":\"00000000000000ff\",\"label\":\"x\",\"day\":20777,\"bytes\":900}\n",
    "\"key\":\"other\"",
    "\"day\":4294967295",
    "\"bytes\":18446744073709551615",
    "\\u0000",
    "\\\"",
    "\\n",
    "\n",
    "\r\n",
    "{",
    "}",
    "\"",
    ":",
    ",",
    "-1",
    "1e3",
    "1.0",
    " ",
    "\u{e9}",
    "\0",
    "\\ud800",
];
