//! Records written down: one JSON object `{"tag","time":[seconds,nanoseconds],"record"}` per line.

use crate::host_json;
use crate::inputs::Record;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    tag: String,
    #[serde(default)]
    time: (u32, u32),
    record: Value,
}

/// The records, in the order written; or the number of the first bad line and what is wrong with it.
pub(super) fn records(content: &[u8]) -> Result<Vec<Record>, (usize, String)> {
    let mut found = Vec::new();
    for (index, line) in content.split(|&byte| byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let number = index.saturating_add(1);
        let line: Line = serde_json::from_slice(line).map_err(|error| (number, error.to_string()))?;
        if !line.record.is_object() {
            return Err((number, "`record` is not an object".into()));
        }
        found.push(Record { tag: line.tag, time: line.time, text: host_json::print(&line.record) });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines_and_names_the_bad_one() {
        let read = |text: &str| records(text.as_bytes());
        let found = read("{\"tag\":\"t\",\"time\":[5,7],\"record\":{\"b\":\"ü\",\"a\":1}}\n\n").unwrap();
        assert_eq!(found, [Record { tag: "t".into(), time: (5, 7), text: r#"{"b":"\u00fc","a":1}"#.into() }]);
        assert_eq!(
            read("\n{\"tag\":\"t\",\"record\":[1]}").unwrap_err(),
            (2, "`record` is not an object".into())
        );
        assert!(read("{\"tag\":\"t\",\"recrod\":{}}").unwrap_err().1.contains("unknown field `recrod`"));
    }
}
