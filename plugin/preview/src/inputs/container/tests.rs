//! Odd lines, each as Fluent Bit 5.1.1 took it.

use super::*;

#[track_caller]
fn check(lines: &[&str], expected: &[&str]) {
    let content: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let texts: Vec<String> =
        read(content.as_bytes(), "t").records.into_iter().map(|record| record.text).collect();
    assert_eq!(texts, expected);
}

const T: &str = "2026-11-20T10:00:00.1Z";

#[test]
fn a_line_is_a_record_with_its_text_untouched() {
    check(
        &[&format!("{T} stdout F a \"b\""), &format!("{T} stderr F "), &format!("{T} stdout F   ")],
        &[
            r#"{"time":"2026-11-20T10:00:00.1Z","stream":"stdout","_p":"F","log":"a \"b\""}"#,
            r#"{"time":"2026-11-20T10:00:00.1Z","stream":"stderr","_p":"F","log":""}"#,
            r#"{"time":"2026-11-20T10:00:00.1Z","stream":"stdout","_p":"F","log":"  "}"#,
        ],
    );
}

#[test]
fn parts_are_joined_within_their_stream() {
    check(
        &[
            &format!("{T} stdout P one "),
            &format!("{T} stderr F err"),
            "2026-11-20T10:00:00.2Z stdout P two ",
            "2026-11-20T10:00:00.3Z stdout F three",
        ],
        &[
            r#"{"time":"2026-11-20T10:00:00.1Z","stream":"stderr","_p":"F","log":"err"}"#,
            r#"{"time":"2026-11-20T10:00:00.1Z","stream":"stdout","_p":"P","log":"one two three"}"#,
        ],
    );
}

#[test]
fn what_is_no_cri_line_ends_what_is_open() {
    check(
        &[
            &format!("{T} stdout P open"),
            "raw line",
            "",
            &format!("{T} stdout F"),
            &format!("{T} stdout F x\r"),
        ],
        &[
            r#"{"time":"2026-11-20T10:00:00.1Z","stream":"stdout","_p":"P","log":"open"}"#,
            r#"{"log":"raw line"}"#,
            r#"{"log":"2026-11-20T10:00:00.1Z stdout F"}"#,
            r#"{"time":"2026-11-20T10:00:00.1Z","stream":"stdout","_p":"F","log":"x"}"#,
        ],
    );
}

#[test]
fn lines_without_a_time_have_that_of_their_neighbour_and_those_with_a_bad_one_are_told() {
    let content = format!("cut off\n{T} stdout F x\nraw\nnever stdout F lost\n");
    let found = read(content.as_bytes(), "t");
    let times: Vec<_> = found.records.iter().map(|record| record.time).collect();
    assert_eq!((times, found.skipped), (vec![(1_795_168_800, 100_000_000); 3], 1));
}

#[test]
fn the_end_of_the_file_is_handled_as_tail_does() {
    let content = format!("{T} stdout P open\n{T} stdout F unfinished");
    let found = read(content.as_bytes(), "t").records;
    assert_eq!(found.len(), 1);
    assert!(found[0].text.contains(r#""log":"open""#));
}

#[test]
fn docker_s_parts_are_joined_and_its_other_members_stay() {
    check(
        &[
            r#"{"log":"a ","stream":"stdout","time":"2026-11-20T10:00:00.1Z","attrs":{"z":1,"a":"é"}}"#,
            r#"{"log":"err\n","stream":"stderr","time":"2026-11-20T10:00:00.2Z"}"#,
            r#"{"log":"b\n","stream":"stdout","time":"2026-11-20T10:00:00.3Z"}"#,
            r#"{"log":"open","stream":"stdout","time":"2026-11-20T10:00:00.4Z"} behind"#,
            "not json",
            r#"{"log":7,"stream":"stdout"}"#,
        ],
        &[
            r#"{"log":"err\n","stream":"stderr","time":"2026-11-20T10:00:00.2Z"}"#,
            r#"{"log":"a b\n","stream":"stdout","time":"2026-11-20T10:00:00.1Z","attrs":{"z":1,"a":"é"}}"#,
            r#"{"log":"open","stream":"stdout","time":"2026-11-20T10:00:00.4Z"}"#,
            r#"{"log":"not json"}"#,
            r#"{"log":"{\"log\":7,\"stream\":\"stdout\"}"}"#,
        ],
    );
}

#[test]
fn a_text_without_a_time_stands_in_front_of_the_next() {
    check(
        &[
            "never stdout F bad one",
            "never stderr F bad err",
            "raw",
            "2026-11-20T10:00:00.3Z stderr F good err",
            "never stdout P bad two",
            "2026-11-20T10:00:00.4Z stdout F good out",
            "1970-01-01T00:00:00Z stdout F epoch",
        ],
        &[
            r#"{"log":"raw"}"#,
            r#"{"time":"2026-11-20T10:00:00.3Z","stream":"stderr","_p":"F","log":"bad errgood err"}"#,
            r#"{"time":"1970-01-01T00:00:00Z","stream":"stdout","_p":"F","log":"bad onebad twogood outepoch"}"#,
        ],
    );
}

#[test]
fn nuls_at_the_start_are_passed_over() {
    let content = format!("\0\0\0{T} stdout F a\n");
    assert!(read(content.as_bytes(), "t").records[0].text.contains("\"log\":\"a\""));
}
