//! Text that a person has at hand: a log file, several as `tail -n +1 *.log` prints them, records, or just lines.
//!
//! The rule it keeps: no line is refused that Fluent Bit would take. What is no container log becomes a record whose `log` is the
//! line, in a container that a rule can name, a millisecond after the line before it.

use super::{Read, Record, container, merge, ndjson, parse_time};
use crate::host_json;

/// What a text was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastedFormat {
    /// containerd's or CRI-O's lines, `<time> <stream> <F or P> <text>`.
    Cri,
    /// Docker's JSON lines.
    Docker,
    /// One JSON object `{"tag","time","record"}` per line.
    Records,
    /// Any other lines.
    Plain,
}

impl PastedFormat {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            PastedFormat::Cri => "cri",
            PastedFormat::Docker => "docker",
            PastedFormat::Records => "records",
            PastedFormat::Plain => "plain",
        }
    }
}

/// What a text came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pasted {
    /// The records with a time, in its order.
    pub records: Vec<Record>,
    /// Records of files whose lines have no times, in the order of the lines, their times counted from 0.
    pub untimed: Vec<Record>,
    /// What the text was taken for; of several files, the first.
    pub format: PastedFormat,
    /// The tags that were made here, of files' names; those of written records are their own.
    pub tags: Vec<String>,
    /// Lines that are no record of this format, and lost in Fluent Bit as well.
    pub skipped: usize,
}

/// The records of a text. `name` is its file's name, which gives namespace, pod and container when kubelet has made it.
pub fn pasted(name: &str, content: &[u8], tag_prefix: &str) -> Pasted {
    let mut all = Pasted {
        records: Vec::new(),
        untimed: Vec::new(),
        format: PastedFormat::Plain,
        tags: Vec::new(),
        skipped: 0,
    };
    let (mut first, mut streams) = (None, Vec::new());
    for (name, content) in files(name, content) {
        let tag = format!("{tag_prefix}{}", log_name(name));
        let (format, read, is_timed) = file(content, &tag);
        first.get_or_insert(format);
        all.skipped = all.skipped.saturating_add(read.skipped);
        if format != PastedFormat::Records {
            all.tags.push(tag);
        }
        if is_timed { streams.push(read.records) } else { follow(&mut all.untimed, read.records, 0) }
    }
    Pasted { records: merge(streams), format: first.unwrap_or(PastedFormat::Plain), ..all }
}

/// Appends records whose times count from 0, so that they start in the second after the last, or at `start` when there is none:
/// lines without a time of two files do not mingle.
pub fn follow(records: &mut Vec<Record>, more: Vec<Record>, start: u32) {
    let base = records.last().map_or(start, |last| last.time.0.saturating_add(1));
    records.extend(more.into_iter().map(|mut record| {
        record.time.0 = record.time.0.saturating_add(base);
        record
    }));
}

/// Where lines go whose file's name says nothing: a name that kubelet could have given.
const NO_NAME: &str = "pasted_default_lines";
/// Lines that are looked at to tell the format: the first may be cut off.
const LOOKED_AT: usize = 20;

/// The format, the records, and whether they have times.
fn file(content: &[u8], tag: &str) -> (PastedFormat, Read, bool) {
    // A file may end without a newline when a person has cut it; tail would wait for the rest.
    let whole = || [content, b"\n"].concat();
    let lines = content.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    match lines.take(LOOKED_AT).find_map(shape).unwrap_or(PastedFormat::Plain) {
        format @ (PastedFormat::Cri | PastedFormat::Docker) => (format, container::read(&whole(), tag), true),
        PastedFormat::Records => (PastedFormat::Records, ndjson::read(content), true),
        PastedFormat::Plain => {
            let (records, is_timed) = plain(content, tag);
            (PastedFormat::Plain, Read { records, skipped: 0 }, is_timed)
        }
    }
}

/// The format that a line can only have.
fn shape(line: &[u8]) -> Option<PastedFormat> {
    if container::is_cri_line(line) {
        Some(PastedFormat::Cri)
    } else if container::is_docker_line(line) {
        Some(PastedFormat::Docker)
    } else {
        ndjson::is_line(line).then_some(PastedFormat::Records)
    }
}

/// Each line as the message of a record, and whether there are times. Lines that start with a time keep it, as `kubectl logs
/// --timestamps` writes them; the rest follow a millisecond apart, before the first time all at that one.
fn plain(content: &[u8], tag: &str) -> (Vec<Record>, bool) {
    let lines = content.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines = lines.filter(|line| !line.is_empty());
    let first = lines.clone().find_map(with_time).map(|(time, _)| time);
    // A stack trace has a time on its first line only; a time on one line in a hundred is what that line speaks of.
    let dated = lines.clone().filter(|line| with_time(line).is_some()).count();
    let is_timed = dated.saturating_mul(100) >= lines.clone().count().max(1);
    let first = first.filter(|_| is_timed);
    let mut time = first.unwrap_or_default();
    let mut has_begun = !is_timed;
    let mut records = Vec::new();
    for line in lines {
        let own = if is_timed { with_time(line) } else { None };
        let (own, message) = own.map_or((None, line), |(time, message)| (Some(time), message));
        has_begun |= own.is_some();
        time = own.unwrap_or(time);
        let mut text = String::with_capacity(message.len().saturating_add(32));
        text.push_str("{\"stream\":\"stdout\",\"log\":");
        host_json::push_bytes(&mut text, message);
        text.push('}');
        records.push(Record { tag: tag.to_owned(), time, text });
        if has_begun {
            time = match time.1.saturating_add(1_000_000) {
                nanoseconds @ 0..1_000_000_000 => (time.0, nanoseconds),
                _ => (time.0.saturating_add(1), 0),
            };
        }
    }
    (records, is_timed)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Pasted {
        pasted(name, text.as_bytes(), "kube.")
    }

    #[test]
    fn plain_lines_are_messages_a_millisecond_apart() {
        let found = read("", "one \"1\"\n\n  at two\r\n");
        assert_eq!(found.format, PastedFormat::Plain);
        let shown: Vec<_> = found.untimed.iter().map(|record| (record.time, &*record.text)).collect();
        assert_eq!(
            shown,
            [
                ((0, 0), r#"{"stream":"stdout","log":"one \"1\""}"#),
                ((0, 1_000_000), r#"{"stream":"stdout","log":"  at two"}"#)
            ]
        );
        let tag = &found.untimed[0].tag;
        assert!(tag.starts_with("kube.pasted_default_lines-000") && tag.ends_with("0.log"), "{tag}");
    }

    #[test]
    fn lines_with_a_time_of_their_own_keep_it() {
        let found = read("", "2026-11-20T10:00:00.5Z started\nand more\n2026-11-20 10:00:01 not RFC 3339\n");
        let shown: Vec<_> = found.records.iter().map(|record| (record.time, &*record.text)).collect();
        assert_eq!(shown[0], ((1_795_168_800, 500_000_000), r#"{"stream":"stdout","log":"started"}"#));
        assert_eq!(shown[1].0, (1_795_168_800, 501_000_000));
        assert!(shown[2].1.contains("2026-11-20 10:00:01"));
        let found = read("", "banner\nof two lines\n2026-11-20T10:00:00Z started\n");
        let times: Vec<_> = found.records.iter().map(|record| record.time).collect();
        assert_eq!((times, found.untimed.len()), (vec![(1_795_168_800, 0); 3], 0));
        let found = read("", &format!("2026-11-20T10:00:00Z once\n{}", "and never again\n".repeat(200)));
        assert_eq!((found.records.len(), found.untimed.len()), (0, 201));
        assert!(found.untimed[0].text.contains("2026-11-20T10:00:00Z once"));
    }

    #[test]
    fn a_file_of_kubelets_name_keeps_it() {
        let name = format!("/var/log/containers/web-1_shop_web-{}.log", "a".repeat(64));
        let found = read(&name, "2026-11-20T10:00:00.1Z stdout F hello");
        assert_eq!((found.format, found.records.len()), (PastedFormat::Cri, 1));
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
        let order: Vec<_> = found.untimed.iter().map(|record| record.time.0).collect();
        assert_eq!((order, found.records.len()), (vec![0, 0, 1], 0));
        let more = read("", "third\n").untimed;
        let mut all = Vec::new();
        follow(&mut all, found.untimed, 100);
        follow(&mut all, more, 100);
        let order: Vec<_> = all.iter().map(|record| record.time.0).collect();
        assert_eq!(order, [100, 100, 101, 102]);
    }

    #[test]
    fn json_lines_are_told_apart() {
        let docker = r#"{"log":"x\n","stream":"stdout","time":"2026-11-20T10:00:00Z"}"#;
        let records = r#"{"tag":"t","time":[5,0],"record":{"log":"x"}}"#;
        let own = r#"{"level":"info","msg":"x"}"#;
        let formats = [docker, records].map(|text| (read("", text).format, read("", text).records.len()));
        assert_eq!(formats, [(PastedFormat::Docker, 1), (PastedFormat::Records, 1)]);
        assert_eq!((read("", own).format, read("", own).untimed.len()), (PastedFormat::Plain, 1));
        assert_eq!(read("", "").records, []);
    }

    #[test]
    fn a_cut_off_first_or_last_line_does_not_change_the_format() {
        let cri = "2026-11-20T10:00:00Z stdout P a\n2026-11-20T10:00:00Z stdout F b\n";
        let docker = "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-20T10:00:00Z\"}\n";
        let records = "{\"tag\":\"t\",\"time\":[5,0],\"record\":{\"log\":\"x\"}}\n";
        let cut = |text: &str| {
            let found = read("", &format!("ut off\n{text}{}", text.get(..20).unwrap()));
            (found.format, found.records.len(), found.skipped)
        };
        // In container logs such a line is a record, as in Fluent Bit.
        assert_eq!(cut(cri), (PastedFormat::Cri, 3, 0));
        assert_eq!(cut(docker), (PastedFormat::Docker, 3, 0));
        assert_eq!(cut(records), (PastedFormat::Records, 1, 2));
    }
}
