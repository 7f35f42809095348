//! A container's log file, as tail reads it with `multiline.parser: docker, cri`, which is what `conf/` ships.
//!
//! Checked against Fluent Bit 5.1.1 byte by byte, odd files included (`host-test/tests/it/odd_files.rs`; sources:
//! src/multiline/flb_ml.c, src/multiline/flb_ml_parser_{docker,cri}.c, plugins/in_tail/tail_file.c):
//!
//! - a line of containerd or CRI-O is `<time> <stream> <P or F> <text>`; `P` parts of a stream are joined until an `F`;
//! - a line of Docker is a JSON object with a text in `log`, joined until one that ends in a newline; what stands behind the
//!   object is not looked at, and its other members stay;
//! - the members of a joined line are those of its first part;
//! - any other line ends what is open, then is a record of its own;
//! - a line whose time cannot be (before 1970, behind 2106, or none at all) makes no record: its text stands in front of the
//!   next line of its stream.

use crate::host_json;
use crate::inputs::host_time::{HostTime, host_time};
use crate::inputs::{Read, Record, date_the_first};
use serde_json::{Map, Value};

/// The records of one file, in the order in which their last parts stand. A record that has the present time in Fluent Bit has
/// that of the record before it, or of the first one.
pub(super) fn read(content: &[u8], tag: &str) -> Read {
    let mut reader = LogFileReader { tag, open: Vec::new(), read: Read::default(), latest: (0, 0) };
    // What stands behind the last newline is still being written: tail waits for the rest. NULs at the start are what a
    // rotation by copy and truncation leaves behind.
    let complete = content.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end.saturating_add(1));
    let content = content.get(..complete).unwrap_or_default();
    let nuls = content.iter().take_while(|byte| **byte == 0).count();
    for line in content.get(nuls..).unwrap_or_default().split_inclusive(|&byte| byte == b'\n') {
        reader.line(line.strip_suffix(b"\n").unwrap_or(line));
    }
    // Fluent Bit ends open lines after 4 s; a file that is replayed has no later.
    reader.flush();
    reader.read.skipped = reader.open.iter().map(|group| group.lines).sum();
    date_the_first(&mut reader.read.records);
    reader.read
}

/// Whether a line is one of containerd's or CRI-O's with a time that can be.
pub(super) fn is_cri_line(line: &[u8]) -> bool {
    cri_part(line).is_some_and(|part| matches!(part.context.time, HostTime::At(_)))
}

/// Whether a line is one of Docker's with a time that can be.
pub(super) fn is_docker_line(line: &[u8]) -> bool {
    docker_part(line)
        .is_some_and(|part| matches!(part.context.time, HostTime::At(_)) && part.stream.as_ref().is_some())
}

struct LogFileReader<'a> {
    tag: &'a str,
    open: Vec<Group>,
    read: Read,
    latest: (u32, u32),
}

/// Which of the two parsers took a line; each has groups of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineKind {
    Docker,
    Cri,
}

/// The parts of a line so far.
struct Group {
    kind: LineKind,
    stream: Option<String>,
    /// The first part's members and time; `None` when they could not be a record.
    context: Option<Context>,
    log: Vec<u8>,
    /// Lines in `log` that have not become a record.
    lines: usize,
}

struct Context {
    members: LineMembers,
    time: HostTime,
}

enum LineMembers {
    /// Time, stream and flag as written.
    Cri([Vec<u8>; 3]),
    /// All of the object, `log` among them.
    Docker(Map<String, Value>),
}

/// What one line adds.
struct LinePart {
    kind: LineKind,
    stream: Option<String>,
    context: Context,
    text: Vec<u8>,
    is_last: bool,
}

impl LogFileReader<'_> {
    fn line(&mut self, line: &[u8]) {
        let line = if line.len() >= 2 { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
        match docker_part(line).or_else(|| cri_part(line)) {
            Some(part) => self.part(part),
            None => {
                self.flush();
                if !line.is_empty() {
                    let mut text = String::from("{\"log\":");
                    host_json::push_bytes(&mut text, line);
                    text.push('}');
                    self.read.records.push(Record { tag: self.tag.to_owned(), time: self.latest, text });
                }
            }
        }
    }

    fn part(&mut self, part: LinePart) {
        let LinePart { kind, stream, context, text, is_last } = part;
        let found = self.open.iter().position(|group| group.kind == kind && group.stream == stream);
        let index = found.unwrap_or_else(|| {
            self.open.push(Group { kind, stream, context: None, log: Vec::new(), lines: 0 });
            self.open.len().saturating_sub(1)
        });
        let Some(group) = self.open.get_mut(index) else { return };
        group.context.get_or_insert(context);
        group.log.extend_from_slice(&text);
        group.lines = group.lines.saturating_add(1);
        if is_last {
            self.finish(index);
        }
    }

    fn flush(&mut self) {
        (0..self.open.len()).for_each(|index| self.finish(index));
    }

    fn finish(&mut self, index: usize) {
        let Some(group) = self.open.get_mut(index) else { return };
        let Some(Context { members, time }) = group.context.take() else { return };
        self.latest = match time {
            HostTime::At(time) => time,
            HostTime::Now => self.latest,
            // The text stays, and the next line's members are the record's.
            HostTime::Never => return,
        };
        group.lines = 0;
        let log = std::mem::take(&mut group.log);
        let mut text = String::with_capacity(log.len().saturating_add(96));
        match members {
            LineMembers::Cri([time, stream, flag]) => {
                let fields: [(&str, &[u8]); 4] = [
                    ("{\"time\":", &time),
                    (",\"stream\":", &stream),
                    (",\"_p\":", &flag),
                    (",\"log\":", &log),
                ];
                for (key, value) in fields {
                    text.push_str(key);
                    host_json::push_bytes(&mut text, value);
                }
            }
            LineMembers::Docker(members) => {
                for (at, (key, value)) in members.iter().enumerate() {
                    text.push(if at == 0 { '{' } else { ',' });
                    host_json::push_string(&mut text, key);
                    text.push(':');
                    if key == LOG {
                        host_json::push_bytes(&mut text, &log);
                    } else {
                        host_json::push_value(&mut text, value);
                    }
                }
            }
        }
        text.push('}');
        self.read.records.push(Record { tag: self.tag.to_owned(), time: self.latest, text });
    }
}

/// `^(?<time>.+?) (?<stream>stdout|stderr) (?<_p>F|P) (?<log>.*)$`, leftmost and lazy.
fn cri_part(line: &[u8]) -> Option<LinePart> {
    let mut blanks = line.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b' ').map(|(at, _)| at);
    blanks.find_map(|at| {
        let (time, rest) = line.split_at_checked(at)?;
        let (stream, rest) = rest.get(1..)?.split_at_checked(6)?;
        match (stream, rest) {
            (b"stdout" | b"stderr", [b' ', flag @ (b'F' | b'P'), b' ', text @ ..]) => Some(LinePart {
                kind: LineKind::Cri,
                stream: Some(String::from_utf8_lossy(stream).into_owned()),
                context: Context {
                    time: host_time(time),
                    members: LineMembers::Cri([time.to_vec(), stream.to_vec(), vec![*flag]]),
                },
                text: text.to_vec(),
                is_last: *flag == b'F',
            }),
            _ => None,
        }
    })
}

/// A JSON object whose `log` is a text that is not empty.
fn docker_part(line: &[u8]) -> Option<LinePart> {
    if line.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    // Bytes that are no UTF-8 are what the printer makes of them either way.
    let text = String::from_utf8_lossy(line);
    let mut objects = serde_json::Deserializer::from_str(&text).into_iter::<Map<String, Value>>();
    let members = objects.next()?.ok()?;
    let text = |key: &str| members.get(key).and_then(Value::as_str);
    let log = text(LOG).filter(|log| !log.is_empty())?.as_bytes().to_vec();
    let time = text("time").map_or(HostTime::Now, |time| host_time(time.as_bytes()));
    Some(LinePart {
        kind: LineKind::Docker,
        stream: text("stream").map(str::to_owned),
        is_last: log.ends_with(b"\n"),
        text: log,
        context: Context { time, members: LineMembers::Docker(members) },
    })
}

const LOG: &str = "log";

#[cfg(test)]
mod tests;
