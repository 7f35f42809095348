//! How severe a line is, read from the line itself and as cheaply as possible.
//!
//! The agent's own status says nothing (containers log everything to stdout or stderr), so the line has to. [`PRECEDENCE`]
//! is the order in which it is asked, each step with its reason; the first that says something decides. Where none does,
//! the severity is unknown and satisfies no comparison: a guess in either direction would drop an error or keep a flood. So
//! a level word in running text is none, and a number is a level only in the keys and scales of those who count levels.

use crate::head;
use crate::json::{Escapes, Level};
use crate::line::Line;
use crate::path::Path;
use crate::swar;
use front::Front;

mod access_log;
mod bytes;
pub(crate) mod crash;
mod front;
mod level_key;
mod logfmt;
mod memo;
mod names;
mod structured;

pub use level_key::level_keys;
pub(crate) use level_key::{is_level_key, of_field};
pub use memo::{Glimpse, LevelMemo};

/// The six levels, in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Finest detail.
    Trace,
    /// For whoever debugs the program.
    Debug,
    /// Normal operation.
    Info,
    /// Unusual, but handled.
    Warn,
    /// Something failed.
    Error,
    /// The process or the system is going down.
    Fatal,
}

impl Severity {
    /// All levels with the names that rule files use, in rising order.
    pub const NAMES: [(&'static str, Severity); 6] = [
        ("trace", Severity::Trace),
        ("debug", Severity::Debug),
        ("info", Severity::Info),
        ("warn", Severity::Warn),
        ("error", Severity::Error),
        ("fatal", Severity::Fatal),
    ];

    /// The level's name in rule files.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Trace => "trace",
            Severity::Debug => "debug",
            Severity::Info => "info",
            Severity::Warn => "warn",
            Severity::Error => "error",
            Severity::Fatal => "fatal",
        }
    }
}

/// A step of the order in which a line is asked for its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrecedenceStep {
    /// A key of `input.severity`.
    Further,
    /// A JSON object's or logfmt's own level.
    Structured,
    /// The level in front of the message.
    Front,
    /// The opening of a crash report.
    Crash,
    /// A field of the record itself.
    Record,
}

/// A step with what it reads, an example, and why it has its place.
#[derive(Clone, Copy, Debug)]
pub struct ExplainedLevel {
    /// The step.
    pub step: PrecedenceStep,
    /// What is read.
    pub reads: &'static str,
    /// A line, or a record where the step reads that.
    pub example: &'static str,
    /// Its level.
    pub severity: Severity,
    /// Why it has its place.
    pub because: &'static str,
}

/// The order in which a line is asked for its level. The documentation has this table, and a test compares the two.
pub const PRECEDENCE: [ExplainedLevel; 7] = [
    ExplainedLevel {
        step: PrecedenceStep::Further,
        reads: "the keys of `input.severity`, in the line's JSON, else in the record",
        example: r#"{"app":{"sev":"ERROR"},"level":"info"}"#,
        severity: Severity::Error,
        because: "you know your programs better than any list",
    },
    ExplainedLevel {
        step: PrecedenceStep::Structured,
        reads: "a record that the line wraps: JSON in a JSON field, behind a klog or glog header, `record` of a PostgreSQL operator",
        example: r#"I1120 10:00:00.000001 1 a.go:1] {"severity":"ERROR"}"#,
        severity: Severity::Error,
        because: "the wrapper only says that it passed something on",
    },
    ExplainedLevel {
        step: PrecedenceStep::Structured,
        reads: "the level of a JSON object, at its top: a name, or a number in the keys and scales that use numbers",
        example: r#"{"level":50,"time":1700000000000,"msg":"level=info"}"#,
        severity: Severity::Error,
        because: "the program states it, in a place made for it",
    },
    ExplainedLevel {
        step: PrecedenceStep::Structured,
        reads: "the level of a line that is logfmt from its start; names only",
        example: r#"time=10:00 level=warn msg="ERROR 7""#,
        severity: Severity::Warn,
        because: "the same; behind running text `level=` is part of a message",
    },
    ExplainedLevel {
        step: PrecedenceStep::Front,
        reads: "the level in front of the message, behind time, process, thread and logger: a name, a name in brackets, a letter, a syslog priority",
        example: "2026-11-20 10:00:00,123 [main] ERROR c.a.Pay - set level=debug",
        severity: Severity::Error,
        because: "log frameworks write it there, and nothing of the message stands before it",
    },
    ExplainedLevel {
        step: PrecedenceStep::Crash,
        reads: "the opening of a crash report",
        example: "java.lang.IllegalStateException: closed",
        severity: Severity::Error,
        because: "a runtime that has lost its program writes no level",
    },
    ExplainedLevel {
        step: PrecedenceStep::Record,
        reads: "the same keys in the record itself",
        example: r#"{"log":"closed","level":"warn"}"#,
        severity: Severity::Warn,
        because: "a parser before the filter has taken the line apart; what is left of the line comes first",
    },
];

/// What a line says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its level.
    pub severity: Severity,
    /// Where that stands.
    pub step: PrecedenceStep,
}

impl Severity {
    /// The severity that a line states by itself, or `None` when it states none.
    pub fn of(line: &Line<'_>) -> Option<Severity> {
        read(line).map(|reading| reading.severity)
    }
}

/// The level in the first of these keys that says one, in the line or in the record around it.
pub(crate) fn of_further(record: &[u8], line: Option<&Line<'_>>, further: &[Path]) -> Option<Severity> {
    let level = |text: Vec<u8>| names::value(&text).or_else(|| names::pino(&text));
    further.iter().find_map(|path| {
        let in_line = line.and_then(|line| path.in_line(line)).and_then(level);
        in_line.or_else(|| path.in_record(record).and_then(level))
    })
}

/// What a line says of its level, and where.
pub fn read(line: &Line<'_>) -> Option<Reading> {
    let raw = line.raw();
    if raw.first() == Some(&b'{') {
        let (text, level) = line.as_json();
        let severity = structured::json(text, level, line.escapes(), 0)?;
        return Some(Reading { severity, step: PrecedenceStep::Structured });
    }
    let is_digit = raw.first().is_some_and(u8::is_ascii_digit);
    if is_digit && access_log::is_access_log(raw) { None } else { read_on(line) }
}

/// What a line says that is neither an object nor an access log.
fn read_on(line: &Line<'_>) -> Option<Reading> {
    let raw = line.raw();
    // Before the start of the line is read: logfmt has an escape in nearly every value.
    if logfmt::key_length(raw).is_some()
        && let Some(severity) = of_logfmt(line, raw)
    {
        return Some(Reading { severity, step: PrecedenceStep::Structured });
    }
    let head = line.head();
    let start = padding(head);
    let text = head.get(start..).unwrap_or_default();
    if text.first() == Some(&b'"') {
        // A member of JSON over several lines.
        let severity = structured::member(text)?;
        return Some(Reading { severity, step: PrecedenceStep::Structured });
    }
    if start > 0
        && logfmt::key_length(text).is_some()
        && let Some(severity) = of_logfmt(line, raw)
    {
        return Some(Reading { severity, step: PrecedenceStep::Structured });
    }
    let before = start.checked_sub(1).and_then(|at| head.get(at)).copied().unwrap_or(b' ');
    let (severity, step) = match front::front(text, before) {
        Front::Level(severity) => (severity, PrecedenceStep::Front),
        Front::Crash(severity) => (severity, PrecedenceStep::Crash),
        Front::Around(outer, _) => match behind_header(line) {
            Some(inner) => (inner, PrecedenceStep::Structured),
            None => (outer, PrecedenceStep::Front),
        },
        Front::Json => (behind_header(line)?, PrecedenceStep::Structured),
        Front::Nothing => return None,
    };
    Some(Reading { severity, step })
}

/// The level of a text that another record wraps.
fn wrapped_text(text: &[u8], depth: u8) -> Option<Severity> {
    let text = text.trim_ascii();
    if text.first() == Some(&b'{') {
        return structured::json(text, Level::Plain, Escapes::Nested, depth);
    }
    if logfmt::key_length(text).is_some()
        && let Some(severity) = logfmt::logfmt(text, false)
    {
        return Some(severity);
    }
    let mut head = text.get(..text.len().min(head::MAX_HEAD)).unwrap_or_default().to_vec();
    head::shorten(&mut head);
    match front::front(head.get(padding(&head)..).unwrap_or_default(), b' ') {
        Front::Level(severity) | Front::Crash(severity) => Some(severity),
        Front::Around(outer, start) => {
            let inner =
                structured::json(text.get(start..).unwrap_or_default(), Level::Plain, Escapes::Nested, depth);
            inner.or(Some(outer))
        }
        Front::Json | Front::Nothing => None,
    }
}

/// The JSON object that stands behind a time, a header or the name of a container.
fn behind_header(line: &Line<'_>) -> Option<Severity> {
    let (text, level) = line.as_json();
    let at = swar::find_byte(text, 0, b'{')?;
    structured::json(text.get(at..)?, level, Escapes::Nested, 0)
}

fn of_logfmt(line: &Line<'_>, raw: &[u8]) -> Option<Severity> {
    let blanks = raw.iter().take_while(|byte| **byte == b' ').count();
    match line.escapes() {
        Escapes::None => logfmt::logfmt(raw.get(blanks..)?, false),
        Escapes::Irregular => logfmt::logfmt(line.text().trim_ascii_start(), false),
        Escapes::Short | Escapes::Nested | Escapes::Wide => logfmt::logfmt(raw.get(blanks..)?, true),
    }
}

/// Whether a line is logfmt from its start, behind its padding.
pub(crate) fn is_logfmt(head: &[u8]) -> bool {
    logfmt::is_logfmt(head, false)
}

/// Whether a text ends in a level: `... ERROR`, `... [error]`, `... warn:`.
pub(crate) fn ends_in_level(text: &[u8]) -> bool {
    let text = text.trim_ascii_end();
    let closed = text.strip_suffix(b":").or_else(|| text.strip_suffix(b"]")).unwrap_or(text);
    let letters =
        closed.trim_ascii_end().iter().rev().take(12).take_while(|byte| byte.is_ascii_alphabetic()).count();
    if letters == 0 {
        return false;
    }
    let closed = closed.trim_ascii_end();
    let word = closed.get(closed.len().wrapping_sub(letters)..).unwrap_or_default();
    let before = closed.get(closed.len().wrapping_sub(letters).wrapping_sub(1));
    let is_apart =
        before.is_none_or(|byte| matches!(*byte, b' ' | b'\t' | b'[' | b'|' | b':' | head::COLOUR | b'm'));
    let capitals = word.len() >= 3 && word.iter().all(u8::is_ascii_uppercase);
    is_apart && names::name(word).is_some_and(|name| !name.is_word) && (capitals || closed.len() < text.len())
}

/// The blanks and colours that a line is padded with.
pub(crate) fn padding(head: &[u8]) -> usize {
    head.iter().take_while(|byte| matches!(**byte, b' ' | b'\t' | head::COLOUR | 0)).count()
}

#[cfg(test)]
mod tests;
