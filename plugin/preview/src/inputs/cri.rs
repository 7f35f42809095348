//! Logs of containerd and CRI-O, as tail with `multiline.parser cri` reads them.
//!
//! Checked against Fluent Bit 5.1.1 record by record (src/multiline/flb_ml_parser_cri.c, src/multiline/flb_ml.c,
//! plugins/in_tail/tail_file.c): a line is `<time> <stream> <P or F> <text>`; `P` parts of a stream are joined without
//! anything between them until an `F`; time and `_p` are those of the first part. A line of another shape first ends
//! what is open, then becomes a record of its own.

use crate::host_json;
use crate::inputs::{Read, Record, date_the_first, parse_time};

/// The records of one file, in the order in which their last parts stand. A line of another shape has the time of the record
/// before it, or of the first one; Fluent Bit gives it the present time.
pub(super) fn read(content: &[u8], tag: &str) -> Read {
    let mut reader = Reader { tag, open: Vec::new(), read: Read::default(), latest: (0, 0) };
    // What stands behind the last newline is still being written: tail waits for the rest.
    let complete = content.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end.saturating_add(1));
    for line in content.get(..complete).unwrap_or_default().split_inclusive(|&byte| byte == b'\n') {
        reader.line(line.strip_suffix(b"\n").unwrap_or(line));
    }
    // Fluent Bit ends open lines after 4 s; a file that is replayed has no later.
    reader.flush();
    date_the_first(&mut reader.read.records);
    reader.read
}

/// Whether a line has this shape.
pub(super) fn is_line(line: &[u8]) -> bool {
    Part::read(line).is_some_and(|part| std::str::from_utf8(part.time).ok().and_then(parse_time).is_some())
}

struct Reader<'a> {
    tag: &'a str,
    open: Vec<Group>,
    read: Read,
    latest: (u32, u32),
}

/// The parts of a line so far.
struct Group {
    time: Vec<u8>,
    stream: Vec<u8>,
    flag: u8,
    log: Vec<u8>,
}

struct Part<'l> {
    time: &'l [u8],
    stream: &'l [u8],
    flag: u8,
    text: &'l [u8],
}

impl Reader<'_> {
    fn line(&mut self, line: &[u8]) {
        let line = if line.len() >= 2 { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
        let Some(part) = Part::read(line) else {
            self.flush();
            if !line.is_empty() {
                let mut text = String::from("{\"log\":");
                host_json::push_bytes(&mut text, line);
                text.push('}');
                self.read.records.push(Record { tag: self.tag.to_owned(), time: self.latest, text });
            }
            return;
        };
        let found = self.open.iter().position(|group| group.stream == part.stream);
        let index = found.unwrap_or_else(|| {
            let (time, stream) = (part.time.to_vec(), part.stream.to_vec());
            self.open.push(Group { time, stream, flag: part.flag, log: Vec::new() });
            self.open.len().saturating_sub(1)
        });
        if let Some(group) = self.open.get_mut(index) {
            group.log.extend_from_slice(part.text);
        }
        if part.flag == b'F' {
            let group = self.open.remove(index);
            self.finish(&group);
        }
    }

    fn flush(&mut self) {
        for group in std::mem::take(&mut self.open) {
            self.finish(&group);
        }
    }

    fn finish(&mut self, group: &Group) {
        // A time that cannot be read loses the record in Fluent Bit.
        let Some(time) = std::str::from_utf8(&group.time).ok().and_then(parse_time) else {
            self.read.skipped = self.read.skipped.saturating_add(1);
            return;
        };
        self.latest = time;
        let mut text = String::with_capacity(group.log.len().saturating_add(96));
        let fields: [(&str, &[u8]); 4] = [
            ("{\"time\":", &group.time),
            (",\"stream\":", &group.stream),
            (",\"_p\":", &[group.flag]),
            (",\"log\":", &group.log),
        ];
        for (key, value) in fields {
            text.push_str(key);
            host_json::push_bytes(&mut text, value);
        }
        text.push('}');
        self.read.records.push(Record { tag: self.tag.to_owned(), time, text });
    }
}

impl<'l> Part<'l> {
    /// `^(?<time>.+?) (?<stream>stdout|stderr) (?<_p>F|P) (?<log>.*)$`, leftmost and lazy.
    fn read(line: &'l [u8]) -> Option<Part<'l>> {
        let blanks = line.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b' ').map(|(at, _)| at);
        blanks.into_iter().find_map(|at| {
            let (time, rest) = line.split_at_checked(at)?;
            let rest = rest.get(1..)?;
            let (stream, rest) = rest.split_at_checked(6)?;
            match (stream, rest) {
                (b"stdout" | b"stderr", [b' ', flag @ (b'F' | b'P'), b' ', text @ ..]) => {
                    Some(Part { time, stream, flag: *flag, text })
                }
                _ => None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
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
}
