//! Text that a person has at hand: a log file, several as `tail -n +1 *.log` prints them, records, or just lines.
//!
//! The rule it keeps: no line is refused. What is no container log becomes a record whose `log` is the line, in a container
//! that a rule can name, a millisecond after the line before it.

use super::{Record, cri, host_json, merge, ndjson, parse_time};

/// What a text was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// containerd's or CRI-O's lines, `<time> <stream> <F or P> <text>`.
    Cri,
    /// Docker's JSON lines.
    Docker,
    /// One JSON object `{"tag","time","record"}` per line.
    Records,
    /// Any other lines.
    Plain,
}

impl Format {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Format::Cri => "cri",
            Format::Docker => "docker",
            Format::Records => "records",
            Format::Plain => "plain",
        }
    }
}

/// What a text came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pasted {
    /// The records, in the order of time.
    pub records: Vec<Record>,
    /// What the text was taken for; of several files, the first.
    pub format: Format,
    /// The tags that were made here, of files' names; those of written records are their own.
    pub tags: Vec<String>,
}

/// The records of a text. `name` is its file's name, which gives namespace, pod and container when kubelet has made it;
/// `start` is the time of the first line where the lines have none, in seconds since 1970.
pub fn pasted(name: &str, content: &[u8], tag_prefix: &str, start: u32) -> Pasted {
    let mut format = None;
    let (mut streams, mut tags) = (Vec::new(), Vec::new());
    let mut start = start;
    for (name, content) in files(name, content) {
        let tag = format!("{tag_prefix}{}", log_name(name));
        let (found, records) = file(content, &tag, start);
        format.get_or_insert(found);
        if found == Format::Plain {
            // Lines without a time of two files do not mingle.
            start = records.last().map_or(start, |last| last.time.0.saturating_add(1)).max(start);
        }
        if found != Format::Records {
            tags.push(tag);
        }
        streams.push(records);
    }
    Pasted { records: merge(streams), format: format.unwrap_or(Format::Plain), tags }
}

/// Where lines go whose file's name says nothing: a name that kubelet could have given.
const NO_NAME: &str = "pasted_default_lines";

fn file(content: &[u8], tag: &str, start: u32) -> (Format, Vec<Record>) {
    // A file may end without a newline when a person has cut it; tail would wait for the rest.
    let whole = [content, b"\n"].concat();
    let first = content.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    let first = first.unwrap_or_default();
    if first.starts_with(b"{") {
        if let Ok(records) = ndjson::records(content) {
            return (Format::Records, records);
        }
        let records = super::docker::records(&whole, tag);
        if !records.is_empty() && has_keys(first, &["\"log\"", "\"stream\"", "\"time\""]) {
            return (Format::Docker, records);
        }
    } else if cri::is_line(first) {
        return (Format::Cri, cri::records(&whole, tag));
    }
    (Format::Plain, plain(content, tag, start))
}

/// Each line as the message of a record. Lines that start with a time keep it, as `kubectl logs --timestamps` writes them;
/// the rest follow a millisecond apart.
fn plain(content: &[u8], tag: &str, start: u32) -> Vec<Record> {
    let mut time = (start, 0u32);
    let mut records = Vec::new();
    for line in content.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let (own, message) = with_time(line).map_or((None, line), |(time, message)| (Some(time), message));
        time = own.unwrap_or(time);
        let mut text = String::with_capacity(message.len().saturating_add(32));
        text.push_str("{\"stream\":\"stdout\",\"log\":");
        host_json::push_bytes(&mut text, message);
        text.push('}');
        records.push(Record { tag: tag.to_owned(), time, text });
        time = match time.1.saturating_add(1_000_000) {
            nanoseconds @ 0..1_000_000_000 => (time.0, nanoseconds),
            _ => (time.0.saturating_add(1), 0),
        };
    }
    records
}

/// A line's leading RFC 3339 time with a `T`, and what follows behind a blank.
fn with_time(line: &[u8]) -> Option<((u32, u32), &[u8])> {
    let end = line.iter().take(36).position(|&byte| byte == b' ')?;
    let (time, rest) = line.split_at_checked(end)?;
    let time = std::str::from_utf8(time).ok().filter(|time| time.as_bytes().get(10) == Some(&b'T'))?;
    Some((parse_time(time)?, rest.get(1..)?))
}

/// The file name of a log whose name kubelet has made, without its directory and `.log` kept; else one that holds it.
fn log_name(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let is_kubelets = base.strip_suffix(".log").is_some_and(|stem| stem.split('_').count() == 3);
    if is_kubelets { base.to_owned() } else { format!("{NO_NAME}-{}.log", "0".repeat(64)) }
}

/// The parts of what `tail -n +1` prints of several files, each behind `==> name <==`; or the text itself.
fn files<'c>(name: &'c str, content: &'c [u8]) -> Vec<(&'c str, &'c [u8])> {
    let mut found = Vec::new();
    let (mut current, mut start, mut at) = (name, 0usize, 0usize);
    for line in content.split_inclusive(|&byte| byte == b'\n') {
        let behind = at.saturating_add(line.len());
        if let Some(heading) = heading(line) {
            found.push((current, content.get(start..at).unwrap_or_default()));
            (current, start) = (heading, behind);
        }
        at = behind;
    }
    found.push((current, content.get(start..).unwrap_or_default()));
    let has_lines = |part: &(&str, &[u8])| !part.1.trim_ascii().is_empty();
    found.retain(has_lines);
    found
}

fn heading(line: &[u8]) -> Option<&str> {
    let line = line.trim_ascii_end().strip_prefix(b"==> ")?.strip_suffix(b" <==")?;
    std::str::from_utf8(line).ok()
}

fn has_keys(line: &[u8], keys: &[&str]) -> bool {
    let text = String::from_utf8_lossy(line);
    keys.iter().all(|key| text.contains(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Pasted {
        pasted(name, text.as_bytes(), "kube.", 100)
    }

    #[test]
    fn plain_lines_are_messages_a_millisecond_apart() {
        let found = read("", "one \"1\"\n\n  at two\r\n");
        assert_eq!(found.format, Format::Plain);
        let shown: Vec<_> = found.records.iter().map(|record| (record.time, &*record.text)).collect();
        assert_eq!(
            shown,
            [
                ((100, 0), r#"{"stream":"stdout","log":"one \"1\""}"#),
                ((100, 1_000_000), r#"{"stream":"stdout","log":"  at two"}"#)
            ]
        );
        let tag = &found.records[0].tag;
        assert!(tag.starts_with("kube.pasted_default_lines-000") && tag.ends_with("0.log"), "{tag}");
    }

    #[test]
    fn lines_with_a_time_of_their_own_keep_it() {
        let found = read("", "2026-11-20T10:00:00.5Z started\nand more\n2026-11-20 10:00:01 not RFC 3339\n");
        let shown: Vec<_> = found.records.iter().map(|record| (record.time, &*record.text)).collect();
        assert_eq!(shown[0], ((1_795_168_800, 500_000_000), r#"{"stream":"stdout","log":"started"}"#));
        assert_eq!(shown[1].0, (1_795_168_800, 501_000_000));
        assert!(shown[2].1.contains("2026-11-20 10:00:01"));
    }

    #[test]
    fn a_file_of_kubelets_name_keeps_it() {
        let name = format!("/var/log/containers/web-1_shop_web-{}.log", "a".repeat(64));
        let found = read(&name, "2026-11-20T10:00:00.1Z stdout F hello");
        assert_eq!((found.format, found.records.len()), (Format::Cri, 1));
        assert_eq!(found.records[0].tag, format!("kube.web-1_shop_web-{}.log", "a".repeat(64)));
    }

    #[test]
    fn several_files_are_merged_by_time() {
        let text = "==> a_n_c-1.log <==\n2026-11-20T10:00:02Z stdout F second\n\n==> b_n_c-2.log <==\n\
                    2026-11-20T10:00:01Z stdout F first\n";
        let found = read("", text);
        let tags: Vec<_> = found.records.iter().map(|record| &*record.tag).collect();
        assert_eq!(tags, ["kube.b_n_c-2.log", "kube.a_n_c-1.log"]);
    }

    #[test]
    fn lines_without_a_time_of_two_files_do_not_mingle() {
        let found = read("", "==> one <==\nError: boom\n    at a\n==> two <==\nhello\n");
        let order: Vec<_> = found.records.iter().map(|record| record.time.0).collect();
        assert_eq!(order, [100, 100, 101]);
    }

    #[test]
    fn json_lines_are_told_apart() {
        let docker = r#"{"log":"x\n","stream":"stdout","time":"2026-11-20T10:00:00Z"}"#;
        let records = r#"{"tag":"t","time":[5,0],"record":{"log":"x"}}"#;
        let own = r#"{"level":"info","msg":"x"}"#;
        let formats =
            [docker, records, own].map(|text| (read("", text).format, read("", text).records.len()));
        assert_eq!(formats, [(Format::Docker, 1), (Format::Records, 1), (Format::Plain, 1)]);
        assert_eq!(read("", "").records, []);
    }
}
