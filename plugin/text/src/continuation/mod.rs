//! Which lines belong together: a stack trace to the error it follows, a member to its object, a statement to its error.
//!
//! Container runtimes write a crash report line by line, and a filter that judges each by itself tears it. But a line that is
//! indented is not a part for that: many loggers pad what they write. **The rule kept here:** a line is a part when it looks
//! like one (`frame`), when the report that is open has a place for it ([`body`]), or when it is indented and says nothing
//! of itself: no level, no time, no JSON and no logfmt of its own, no crash report that it opens.

pub mod body;
mod frame;
mod signs;

use crate::head;
use crate::line::Line;
use crate::severity::{self, PrecedenceStep, Reading, Severity};
use crate::swar;

pub use body::Body;

/// A line next to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineShape {
    /// A frame, a cause, a part of a report that no log line looks like.
    Frame,
    /// Indented, and it says nothing of itself.
    Indented,
    /// Blank.
    Blank,
    /// It says nothing of itself, and starts like any line.
    Bare,
    /// The opening of a crash report; what was thrown, or a traceback, may go with the error that it follows.
    Opening {
        /// Whether it may go with an error before it.
        follows_error: bool,
        /// Whether it is indented.
        is_indented: bool,
    },
    /// It stands for itself.
    Own,
}

/// A line as continuations see it.
#[derive(Debug)]
pub struct Look<'t> {
    /// Its start as it reads on a terminal, without what it is padded with.
    pub(crate) text: &'t [u8],
    /// The blanks that it is padded with.
    pub(crate) indent: usize,
    /// The last byte of the line, of a long one too.
    pub(crate) last: u8,
    /// Whether it says that it is an error.
    pub is_failure: bool,
    /// Whether it opens a crash report.
    pub(crate) is_crash: bool,
    /// What it is next to others.
    pub shape: LineShape,
}

impl<'t> Look<'t> {
    /// Whether it is a part of a report that is open right before it.
    pub fn is_tail(&self) -> bool {
        frame::is_tail(self.text)
    }

    /// Whether it is a line of stars, which Spring puts around what it says of a start that failed.
    pub fn is_stars(&self) -> bool {
        self.text.len() >= 10 && self.text.iter().all(|byte| *byte == b'*')
    }

    /// Looks at a line; `reading` is what it says of itself.
    pub fn at(line: &'t Line<'_>, reading: Option<Reading>) -> Look<'t> {
        if let [b'{', b'\\' | b'"', .., b'}'] = line.raw() {
            // JSON on one line is the most frequent of all, and stands for itself.
            return Look {
                text: b"{",
                indent: 0,
                last: b'}',
                is_failure: false,
                is_crash: false,
                shape: LineShape::Own,
            };
        }
        let raw = line.raw();
        let step = reading.map(|reading| reading.step);
        let is_failure = reading.is_some_and(|reading| reading.severity >= Severity::Error);
        if matches!(step, Some(PrecedenceStep::Structured | PrecedenceStep::Front))
            && !matches!(raw.first(), None | Some(b' ' | b'\\'))
        {
            // A line that states its level where lines start is no part: nothing that is one does.
            let text = raw.get(..head::MAX_HEAD.min(raw.len())).unwrap_or_default();
            let last = raw.last().copied().unwrap_or(b' ');
            return Look { text, indent: 0, last, is_failure, is_crash: false, shape: LineShape::Own };
        }
        let head = line.head();
        let indent = head.iter().take_while(|byte| matches!(**byte, b' ' | b'\t')).count();
        let text = head.get(severity::padding(head)..).unwrap_or_default().trim_ascii_end();
        // The start may end before the line does; a bracket at the line's end is written as it is.
        let padded = raw.len().wrapping_sub(swar::trailing(raw, b' '));
        let last = match raw.get(..padded).unwrap_or_default().trim_ascii_end().last() {
            bracket @ Some(b'{' | b'[' | b'}' | b']' | b',') => bracket,
            other if raw.len() > head::MAX_HEAD => other,
            _ => text.last(),
        };
        let shape = shape(line, text, indent, step);
        Look {
            text,
            indent,
            last: last.copied().unwrap_or(b' '),
            is_failure,
            is_crash: step == Some(PrecedenceStep::Crash),
            shape,
        }
    }
}

fn shape(line: &Line<'_>, text: &[u8], indent: usize, step: Option<PrecedenceStep>) -> LineShape {
    if text.is_empty() {
        return LineShape::Blank;
    }
    if frame::is_frame(text, indent) {
        return LineShape::Frame;
    }
    match step {
        Some(PrecedenceStep::Crash) => {
            let follows_error = frame::follows_error(text);
            return LineShape::Opening { follows_error, is_indented: indent > 0 };
        }
        Some(_) => return LineShape::Own,
        None => {}
    }
    if indent == 0 {
        return LineShape::Bare;
    }
    let is_own = frame::starts_with_time(text)
        || text.first() == Some(&b'{') && line.outline().is_some()
        || severity::is_logfmt(text);
    if is_own { LineShape::Own } else { LineShape::Indented }
}

#[cfg(test)]
mod tests;
