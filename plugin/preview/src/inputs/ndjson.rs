//! Records written down: one JSON object `{"tag","time":[seconds,nanoseconds],"record"}` per line.

use crate::host_json;
use crate::inputs::{Read, Record};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NdjsonLine {
    tag: String,
    #[serde(default)]
    time: (u32, u32),
    record: Value,
}

/// The records, in the order written; or the number of the first bad line and what is wrong with it.
pub(super) fn records(content: &[u8]) -> Result<Vec<Record>, (usize, String)> {
    lines(content).map(|(number, line)| record(line).map_err(|reason| (number, reason))).collect()
}

/// The records of the lines that are one.
pub(super) fn read(content: &[u8]) -> Read {
    let mut read = Read::default();
    for (_, line) in lines(content) {
        match record(line) {
            Ok(record) => read.records.push(record),
            Err(_) => read.skipped = read.skipped.saturating_add(1),
        }
    }
    read
}

/// Whether a line has this shape.
pub(super) fn is_line(line: &[u8]) -> bool {
    record(line).is_ok()
}

/// Lines that are not blank, with their numbers.
fn lines(content: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = content.split(|&byte| byte == b'\n').enumerate();
    lines
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(index, line)| (index.saturating_add(1), line))
}

fn record(line: &[u8]) -> Result<Record, String> {
    let line: NdjsonLine = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if !line.record.is_object() {
        return Err("`record` is not an object".into());
    }
    Ok(Record { tag: line.tag, time: line.time, text: host_json::print(&line.record) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines_and_names_the_bad_one() {
        let read = |text: &str| records(text.as_bytes());
        let found = read("{\"tag\":\"t\",\"time\":[5,7],\"record\":{\"b\":\"ü\",\"a\":1}}\n\n").unwrap();
        assert_eq!(found, [Record { tag: "t".into(), time: (5, 7), text: r#"{"b":"ü","a":1}"#.into() }]);
        assert_eq!(
            read("\n{\"tag\":\"t\",\"record\":[1]}").unwrap_err(),
            (2, "`record` is not an object".into())
        );
        assert!(read("{\"tag\":\"t\",\"recrod\":{}}").unwrap_err().1.contains("unknown field `recrod`"));
    }
}
