//! How severe a line is, read from the line itself and as cheaply as possible.
//!
//! The agent's own status says nothing (containers log everything to stdout or stderr), so the line has to: a level
//! in its JSON or logfmt, a level word in its usual places, klog's and syslog's prefixes, the openings of Java, Python
//! and Go crashes. Where none of these stands, the severity is unknown and satisfies no comparison: a guess in either
//! direction would drop an error or keep a flood.

use crate::json::{self, Escapes, Members, Value};
use crate::line::Line;
use crate::swar;

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

    /// The severity that a line states, or `None` when it states none.
    ///
    /// Looked for in this order, the first that is there decides:
    /// 1. a JSON line's top-level `level`, `severity` or `lvl`: a word, or a number of the pino/bunyan scale;
    /// 2. a leading syslog priority `<3>`, klog header `E1123 `, crash opening (`panic: `, `Traceback (`,
    ///    `Exception in thread`, `java.lang.NullPointerException`), level word or `[word]`;
    /// 3. logfmt's `level=`, `severity=` or `lvl=` anywhere;
    /// 4. a level word in capitals or `[word]` among the first words, as log frameworks write it behind the time.
    pub fn of(line: &Line<'_>) -> Option<Severity> {
        if line.raw().first() == Some(&b'{') {
            return of_json(line);
        }
        let unescaped;
        let head = match line.escapes() {
            Escapes::None => line.raw(),
            _ => {
                unescaped = json::unescape(json::cut(line.raw(), HEAD));
                &unescaped
            }
        };
        let body = if line.escapes() == Escapes::Irregular { line.text() } else { line.raw() };
        opening(head).or_else(|| logfmt(json::cut(body, LOGFMT))).or_else(|| among_first_words(head))
    }
}

/// JSON: the keys are found by their `v`, a rare letter that `level`, `severity` and `lvl` share; no `v`, no walk.
fn of_json(line: &Line<'_>) -> Option<Severity> {
    let (text, level) = line.as_json();
    let mut from = 0usize;
    loop {
        let v = swar::find_byte(text, from, b'v')?;
        let before = |count: usize| text.get(v.wrapping_sub(count)..v).unwrap_or_default();
        let after = text.get(v.wrapping_add(1)..).unwrap_or_default();
        let is_key = (before(2) == b"le" && after.starts_with(b"el"))
            || (before(2) == b"se" && after.starts_with(b"erity"))
            || (before(1) == b"l" && after.starts_with(b"l"));
        if is_key {
            break;
        }
        from = v.wrapping_add(1);
    }
    let mut members = Members::open(text, level).ok()?;
    while let Ok(Some(member)) = members.next() {
        if matches!(member.key, b"level" | b"severity" | b"lvl") {
            // One that says nothing we know leaves the word to the next.
            let found = match member.value {
                Value::String(text) => word(text),
                Value::Scalar(number) => numeric(number),
                Value::Object(_) | Value::Array(_) => None,
            };
            if found.is_some() {
                return found;
            }
        }
    }
    None
}

/// What stands at the very start of a plain line.
fn opening(text: &[u8]) -> Option<Severity> {
    match text.first()? {
        b'<' => syslog_priority(text),
        b'[' => bracketed(text),
        // A colour before the level word.
        0x1b => after_colour(text).and_then(|rest| bracketed(rest).or_else(|| leading_word(rest))),
        first if first.is_ascii_uppercase() => klog(text)
            .or_else(|| {
                [b"Traceback (most recent call last)".as_slice(), b"Exception in thread "]
                    .iter()
                    .any(|opening| text.starts_with(opening))
                    .then_some(Severity::Error)
            })
            .or_else(|| leading_word(text)),
        first if first.is_ascii_lowercase() => {
            if text.starts_with(b"panic: ") || text.starts_with(b"fatal error: ") {
                return Some(Severity::Fatal);
            }
            leading_word(text).or_else(|| java_exception(text))
        }
        _ => None,
    }
}

/// `E1123 10:00:00.123456`: severity letter, month and day (klog, text format).
fn klog(text: &[u8]) -> Option<Severity> {
    let severity = match text.first()? {
        b'I' => Severity::Info,
        b'W' => Severity::Warn,
        b'E' => Severity::Error,
        b'F' => Severity::Fatal,
        _ => return None,
    };
    match text.get(1..6)? {
        [a, b, c, d, b' '] if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()) => Some(severity),
        _ => None,
    }
}

/// `<3>`: facility * 8 + severity (RFC 5424, section 6.2.1).
fn syslog_priority(text: &[u8]) -> Option<Severity> {
    let end = text.iter().take(5).position(|&byte| byte == b'>')?;
    let digits = std::str::from_utf8(text.get(1..end)?).ok()?;
    let priority: u8 = digits.parse().ok().filter(|&priority| priority <= 191)?;
    Some(match priority % 8 {
        0..=2 => Severity::Fatal,
        3 => Severity::Error,
        4 => Severity::Warn,
        5 | 6 => Severity::Info,
        _ => Severity::Debug,
    })
}

/// `[ERROR]`, `[ error ]`, `[error] [client ...]`.
fn bracketed(text: &[u8]) -> Option<Severity> {
    let inner = text.strip_prefix(b"[")?;
    let end = inner.iter().take(12).position(|&byte| byte == b']')?;
    word(inner.get(..end)?.trim_ascii())
}

/// `ERROR something`, `error: something`, `WARN|something`.
fn leading_word(text: &[u8]) -> Option<Severity> {
    let length = text.iter().take(12).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let found = plain_word(text.get(..length)?, text.get(length) == Some(&b':'))?;
    let in_capitals =
        text.first().is_some_and(u8::is_ascii_uppercase) && text.get(1).is_some_and(u8::is_ascii_uppercase);
    match text.get(length) {
        None | Some(b':' | b'[' | b']' | b'|') => Some(found),
        Some(b' ' | b'\t' | b',' | b'-' | 0x1b) if in_capitals => Some(found),
        _ => None,
    }
}

/// `java.lang.IllegalStateException: ...`: dotted lower-case package, then a class name that says what it is.
fn java_exception(text: &[u8]) -> Option<Severity> {
    // Cheaply first: a package starts with a short word in lower case and a dot.
    let package = text.iter().take(16).take_while(|byte| byte.is_ascii_lowercase()).count();
    if text.get(package) != Some(&b'.') {
        return None;
    }
    let end = text
        .iter()
        .take(160)
        .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$')));
    let name = text.get(..end.unwrap_or(text.len().min(160)))?;
    let class = name.rsplit(|&byte| byte == b'.').next()?;
    let dotted = class.len() < name.len() && class.first().is_some_and(u8::is_ascii_uppercase);
    (dotted && (class.ends_with(b"Exception") || class.ends_with(b"Error"))).then_some(Severity::Error)
}

/// `level=error`, `severity="warn"`, `lvl=dbug`, as a key of its own: at the start or behind a blank.
fn logfmt(text: &[u8]) -> Option<Severity> {
    let mut from = 0usize;
    while let Some(at) = swar::find_byte(text, from, b'=') {
        from = at.wrapping_add(1);
        let before = text.get(..at).unwrap_or_default();
        let key = [b"level".as_slice(), b"severity", b"lvl"].into_iter().find(|key| before.ends_with(key));
        let Some(key) = key else { continue };
        let stands_alone = match before.len().checked_sub(key.len()).and_then(|at| at.checked_sub(1)) {
            Some(previous) => match before.get(previous) {
                // An escaped tab or newline ends in its letter.
                Some(b't' | b'n') => before.get(previous.wrapping_sub(1)) == Some(&b'\\'),
                blank => matches!(blank, Some(b' ' | b'\t')),
            },
            None => true,
        };
        if !stands_alone {
            continue;
        }
        let value = text.get(from..).unwrap_or_default();
        let value = value.strip_prefix(b"\\\"").or_else(|| value.strip_prefix(b"\"")).unwrap_or(value);
        let length = value.iter().take(12).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let value = value.get(..length).unwrap_or_default();
        if let Some(found) = word(value).or_else(|| numeric(value)) {
            return Some(found);
        }
    }
    None
}

/// A level word behind the time: `2026-11-20 10:00:01.123  INFO 1 --- [...]`, `10:00:01 [error] 31#31: ...`.
fn among_first_words(text: &[u8]) -> Option<Severity> {
    let head = text.get(..HEAD.min(text.len()))?;
    let mut at = 0usize;
    for _ in 0..FIRST_WORDS {
        let end = swar::find_either(head, at, b' ', b'\t').unwrap_or(head.len());
        let candidate = head.get(at..end).unwrap_or_default();
        at = end.wrapping_add(1);
        // Only a capital, a bracket or a colour can start what is looked for; times and threads go by at once.
        if !matches!(candidate.first(), Some(b'A'..=b'Z' | b'[' | 0x1b)) {
            continue;
        }
        let candidate = after_colour(candidate).unwrap_or(candidate);
        if let Some(found) = bracketed(candidate) {
            return Some(found);
        }
        let length = candidate.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
        let ends = matches!(candidate.get(length), None | Some(b':' | b',' | b']' | b'-' | b'|' | 0x1b));
        if length >= 3
            && ends
            && let Some(found) =
                plain_word(candidate.get(..length).unwrap_or_default(), candidate.get(length) == Some(&b':'))
        {
            return Some(found);
        }
    }
    None
}

/// Behind one ANSI colour: `ESC[1;31mERROR`.
fn after_colour(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b"\x1b[")?;
    let length = rest.iter().take(8).take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
    rest.get(length..)?.strip_prefix(b"m")
}

/// A level word in running text, where `config: not found` and `LOG FILE missing` are no levels. The rarer words of
/// java.util.logging count in capitals and with a colon behind them only.
fn plain_word(text: &[u8], before_colon: bool) -> Option<Severity> {
    const AMBIGUOUS: [&[u8]; 8] =
        [b"config", b"fine", b"finer", b"finest", b"default", b"log", b"silly", b"verbose"];
    let is_ambiguous = AMBIGUOUS.iter().any(|word| text.eq_ignore_ascii_case(word));
    let is_java = before_colon && matches!(text, b"CONFIG" | b"FINE" | b"FINER" | b"FINEST");
    if is_ambiguous && !is_java { None } else { word(text) }
}

/// A level word in any case.
fn word(text: &[u8]) -> Option<Severity> {
    let mut lower = [0u8; 11];
    let slot = lower.get_mut(..text.len())?;
    for (to, from) in slot.iter_mut().zip(text) {
        *to = from.to_ascii_lowercase();
    }
    Some(match &*slot {
        b"trace" | b"finest" | b"finer" | b"verbose" | b"silly" => Severity::Trace,
        b"debug" | b"dbug" | b"dbg" | b"fine" | b"config" => Severity::Debug,
        b"info" | b"information" | b"inf" | b"notice" | b"default" | b"log" => Severity::Info,
        b"warn" | b"warning" | b"wrn" => Severity::Warn,
        b"error" | b"err" | b"severe" | b"eror" => Severity::Error,
        b"fatal" | b"critical" | b"crit" | b"panic" | b"dpanic" | b"emerg" | b"emergency" | b"alert"
        | b"ftl" => Severity::Fatal,
        _ => return None,
    })
}

/// pino and bunyan: 10 trace, 20 debug, 30 info, 40 warn, 50 error, 60 fatal. Smaller numbers are ambiguous (syslog
/// and OpenTelemetry count in opposite directions) and stay unknown.
fn numeric(text: &[u8]) -> Option<Severity> {
    Some(match text {
        b"10" => Severity::Trace,
        b"20" => Severity::Debug,
        b"30" => Severity::Info,
        b"40" => Severity::Warn,
        b"50" => Severity::Error,
        b"60" => Severity::Fatal,
        _ => return None,
    })
}

/// How far into a line a level word is looked for, in bytes and in words, empty ones counted: time, thread and logger stand before it.
const HEAD: usize = 96;
const FIRST_WORDS: usize = 8;
/// How far into a line a logfmt key is looked for, in bytes.
const LOGFMT: usize = 4096;

#[cfg(test)]
mod tests;
