//! Docker's json-file logs, as tail with `multiline.parser docker` reads them.
//!
//! A line is `{"log":"text\n","stream":"stdout","time":"..."}`; docker splits at 16 KiB, and all but the last part of a
//! line lack the newline. The record has the parts joined, the newline included, and the keys `log`, `stream`, `time`. What
//! docker's options `labels` and `env` add as `attrs` is left out.

use crate::inputs::{Read, Record, date_the_first, parse_time, text_of};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Line {
    log: String,
    #[serde(default)]
    stream: String,
    #[serde(default)]
    time: String,
}

/// The records of one file, in the order in which their last parts stand. Lines that are no such object are passed
/// over, as tail does. A record whose time cannot be read has that of the one before it.
pub(super) fn read(content: &[u8], tag: &str) -> Read {
    let mut open: BTreeMap<String, (String, String)> = BTreeMap::new();
    let (mut found, mut skipped, mut latest) = (Vec::new(), 0usize, (0, 0));
    let mut finish = |stream: &str, (text, time): (String, String)| {
        let fields = [("log", text.as_str()), ("stream", stream), ("time", time.as_str())];
        latest = parse_time(&time).unwrap_or(latest);
        found.push(Record { tag: tag.to_owned(), time: latest, text: text_of(&fields) });
    };
    for line in content.split(|&byte| byte == b'\n') {
        let Ok(line) = serde_json::from_slice::<Line>(line) else {
            skipped = skipped.saturating_add(usize::from(!line.trim_ascii().is_empty()));
            continue;
        };
        let (text, _) = open.entry(line.stream.clone()).or_insert_with(|| (String::new(), line.time));
        text.push_str(&line.log);
        if text.ends_with('\n')
            && let Some(whole) = open.remove(&line.stream)
        {
            finish(&line.stream, whole);
        }
    }
    for (stream, part) in open {
        finish(&stream, part);
    }
    date_the_first(&mut found);
    Read { records: found, skipped }
}

/// Whether a line has this shape.
pub(super) fn is_line(line: &[u8]) -> bool {
    serde_json::from_slice::<Line>(line)
        .is_ok_and(|line| parse_time(&line.time).is_some() && !line.stream.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_parts_of_a_line_per_stream() {
        let content = concat!(
            r#"{"log":"a ","stream":"stdout","time":"2026-11-20T10:00:00.1Z"}"#,
            "\n",
            r#"{"log":"err\n","stream":"stderr","time":"2026-11-20T10:00:00.2Z"}"#,
            "\n",
            "not json\n",
            r#"{"log":"b\n","stream":"stdout","time":"2026-11-20T10:00:00.3Z"}"#,
            "\n",
        );
        let found = read(content.as_bytes(), "t");
        assert_eq!(found.skipped, 1);
        let texts: Vec<String> = found.records.into_iter().map(|record| record.text).collect();
        assert_eq!(
            texts,
            [
                r#"{"log":"err\n","stream":"stderr","time":"2026-11-20T10:00:00.2Z"}"#,
                r#"{"log":"a b\n","stream":"stdout","time":"2026-11-20T10:00:00.1Z"}"#,
            ]
        );
    }
}
