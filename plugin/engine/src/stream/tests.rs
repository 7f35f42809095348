//! Which lines go together, fed one by one.

use super::*;
use crate::json::push_string;
use crate::line::Line;
use crate::metrics::{Counters, Stage};
use crate::severity;
use std::time::Duration;

const LIMITS: Continuation = Continuation { within: Duration::from_secs(5), lines: 500 };

fn turned_to<'s, D: Clone>(streams: &'s mut Streams<(), D>, tag: &[u8]) -> &'s mut TagState<(), D> {
    streams.turn_to(tag, &InputSettings::default(), |_| ()).unwrap();
    streams.last().unwrap()
}

/// Feeds lines one second apart; each is `|` for one that stands for itself or `+` for one that continues.
#[track_caller]
fn check(limits: Continuation, lines: &[&str]) {
    let mut streams: Streams<(), usize> = Streams::new();
    for (index, expected) in lines.iter().enumerate() {
        let (mark, text) = expected.split_at(1);
        let mut content = Vec::new();
        push_string(&mut content, text.as_bytes());
        let line = Line::new(&content[1..content.len() - 1]);
        let time = EventTime { sec: index as u32, nsec: 0 };
        let state = turned_to(&mut streams, b"t");
        let look = Look::at(&line, severity::read(&line));
        let found = state.runs.continues(StreamSide::Out, &look, time, limits);
        assert_eq!(found.is_some(), mark == "+", "{text}");
        if found.is_none() {
            state.runs.begin(StreamSide::Out, &look, time, index);
        }
    }
}

#[test]
fn java_traces_stay_whole() {
    check(
        LIMITS,
        &[
            "|ERROR boom",
            "+\tat a.B.c(B.java:1)",
            "+Caused by: java.io.IOException: x",
            "+\tat d.E.f(E.java:2)",
            "+... 23 more",
            "+\t... 23 more",
            "|INFO next",
        ],
    );
}

#[test]
fn python_tracebacks_stay_whole_and_end() {
    check(
        LIMITS,
        &[
            "|Traceback (most recent call last):",
            "+  File \"a.py\", line 1, in f",
            "+    g()",
            "+ValueError: bad",
            "+",
            "+During handling of the above exception, another exception occurred:",
            "+",
            "+Traceback (most recent call last):",
            "+  File \"b.py\", line 2",
            "+requests.exceptions.Timeout: slow",
            "|worker: restarting",
        ],
    );
    check(LIMITS, &["|Traceback (most recent call last):", "+  File", "|not an exception line"]);
}

#[test]
fn go_panics_stay_whole() {
    check(
        LIMITS,
        &[
            "|panic: runtime error: index out of range [5] with length 3",
            "+",
            "+goroutine 1 [running]:",
            "+main.main()",
            "+\t/app/main.go:42 +0x1d",
            "+net/http.(*conn).serve(0xc0001, {0x1, 0x2})",
            "+exit status 2",
            "|2026/11/20 10:00:00 started (again)",
        ],
    );
}

#[test]
fn ordinary_lines_stand_for_themselves() {
    check(LIMITS, &["| leading blank with nothing before", "|a", "|", "|b", "+  c"]);
}

#[test]
fn a_run_ends_after_its_lines_and_its_time() {
    let limits = Continuation { within: Duration::from_secs(5), lines: 3 };
    check(limits, &["|a", "+ 1", "+ 2", "| 3", "+ 4"]);
    let tight = Continuation { within: Duration::from_millis(999), lines: 3 };
    check(tight, &["|a", "| 1"]);
}

#[test]
fn streams_of_one_tag_are_apart() {
    let mut streams: Streams<(), u8> = Streams::new();
    let (head, tail, time) = (Line::new(b"ERROR x"), Line::new(b"  at y"), EventTime::default());
    let (head, tail) = (Look::at(&head, severity::read(&head)), Look::at(&tail, None));
    let state = turned_to(&mut streams, b"t");
    state.runs.begin(StreamSide::Err, &head, time, 1);
    assert_eq!(state.runs.continues(StreamSide::Out, &tail, time, LIMITS), None);
    assert_eq!(state.runs.continues(StreamSide::Err, &tail, time, LIMITS), Some((1, Slot::Latest)));
}

#[test]
fn tags_are_bounded() {
    let mut streams: Streams<(), u8> = Streams::new();
    for n in 0..5000 {
        turned_to(&mut streams, format!("t{n}").as_bytes());
    }
    assert_eq!(streams.len(), MAX_TAGS);
}

#[test]
fn of_two_tags_with_one_hash_the_later_makes_the_earlier_forgotten() {
    // A word of eight letters changes the hash, and another one behind it changes it back.
    let tag = |first: u64, second: u64| [first.to_le_bytes(), second.to_le_bytes(), *b"and more"].concat();
    let mixed = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let first = |n: u32| u64::from_le_bytes(format!("tag{n:05}").into_bytes().try_into().unwrap());
    let (one, behind_one) = (first(0), u64::from_le_bytes(*b"one word"));
    let behind = |n: u32| mixed(0, first(n)).rotate_left(5) ^ mixed(0, one).rotate_left(5) ^ behind_one;
    let other = (1..).find(|n| behind(*n).to_le_bytes().is_ascii()).unwrap();
    let (one, other) = (tag(one, behind_one), tag(first(other), behind(other)));
    assert_eq!(hash::words(&one), hash::words(&other));

    let row = Counters::default().row_of("one", Stage::Rule);
    let mut streams: Streams<(), u8> = Streams::new();
    for (tag, begins) in [(&one, true), (&other, true), (&other, false), (&one, true)] {
        let state = turned_to(&mut streams, tag);
        assert_eq!(state.names.tag().as_bytes(), tag);
        assert_eq!(state.dropped.0.is_empty(), begins);
        state.dropped.note(row, 1);
        assert_eq!(streams.len(), 1);
    }
}
