//! One container log file in the CRI format, as containerd writes it.

use super::moment::SampleTime;

/// containerd's `max_container_log_line_size`: longer content goes out in pieces of this many bytes.
pub const MAX_CONTENT: usize = 16_384;

/// Where a program wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CriStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line as a program writes it, without its line feed.
pub struct CriLine {
    /// Where it was written.
    pub stream: CriStream,
    /// Its text.
    pub text: String,
}

impl CriLine {
    /// A line on standard output.
    pub fn out(text: impl Into<String>) -> Self {
        Self { stream: CriStream::Stdout, text: text.into() }
    }

    /// A line on standard error.
    pub fn err(text: impl Into<String>) -> Self {
        Self { stream: CriStream::Stderr, text: text.into() }
    }
}

/// A log file in the making.
pub struct CriLog {
    bytes: Vec<u8>,
    lines: usize,
    last: SampleTime,
}

impl CriLog {
    /// An empty file whose lines are all later than `start`.
    pub fn starting(start: SampleTime) -> Self {
        Self { bytes: Vec::new(), lines: 0, last: start }
    }

    /// Adds `line`, split if it is too long; a time that would run backwards is moved on.
    pub fn push(&mut self, at: SampleTime, line: &CriLine) {
        let mut rest = line.text.as_bytes();
        let mut at = at;
        while rest.len() > MAX_CONTENT {
            let (piece, remainder) = rest.split_at(MAX_CONTENT);
            self.push_piece(at, line.stream, 'P', piece);
            // containerd stamps each piece as it drains the pipe.
            at = at.plus_nanos(9_137);
            rest = remainder;
        }
        self.push_piece(at, line.stream, 'F', rest);
    }

    /// The time of the newest line.
    pub fn last(&self) -> SampleTime {
        self.last
    }

    /// How many CRI lines the file has.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// The finished file.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn push_piece(&mut self, at: SampleTime, stream: CriStream, flag: char, content: &[u8]) {
        self.last = at.max(self.last.plus_nanos(1));
        let stream = match stream {
            CriStream::Stdout => "stdout",
            CriStream::Stderr => "stderr",
        };
        let head = format!("{} {stream} {flag} ", self.last.rfc3339_nanos());
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(content);
        self.bytes.push(b'\n');
        self.lines += 1;
    }
}
