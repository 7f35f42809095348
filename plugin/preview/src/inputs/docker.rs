//! Docker's json-file logs, as tail with `multiline.parser docker` reads them.
//!
//! A line is `{"log":"text\n","stream":"stdout","time":"..."}`; docker splits at 16 KiB, and all but the last part of a
//! line lack the newline. The record has the parts joined, the newline included, and the keys in the file's order.

use crate::inputs::{Record, parse_time, text_of};
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
/// over, as tail does.
pub(super) fn records(content: &[u8], tag: &str) -> Vec<Record> {
    let mut open: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut found = Vec::new();
    let mut finish = |stream: &str, (text, time): (String, String)| {
        let fields = [("log", text.as_str()), ("stream", stream), ("time", time.as_str())];
        found.push(Record {
            tag: tag.to_owned(),
            time: parse_time(&time).unwrap_or_default(),
            text: text_of(&fields),
        });
    };
    for line in content.split(|&byte| byte == b'\n') {
        let Ok(line) = serde_json::from_slice::<Line>(line) else { continue };
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
    found
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
        let texts: Vec<String> =
            records(content.as_bytes(), "t").into_iter().map(|record| record.text).collect();
        assert_eq!(
            texts,
            [
                r#"{"log":"err\n","stream":"stderr","time":"2026-11-20T10:00:00.2Z"}"#,
                r#"{"log":"a b\n","stream":"stdout","time":"2026-11-20T10:00:00.1Z"}"#,
            ]
        );
    }
}
