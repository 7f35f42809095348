//! The level that a structured line states: a JSON object, or logfmt from its start.
//!
//! Keys are compared without case. A word in a key for levels counts wherever the object has it at the top; a number only
//! in the keys and scales of those who count levels. What wraps another record has the level of that one, because the
//! wrapper (a container engine, an operator, a header of its own) only says that it passed something on.

use super::{Severity, names, wrapped_text};
use crate::json::{self, Escapes, Level, Members, Value};
use crate::swar;

/// What a key may say about the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LevelKey {
    /// A name of a level; a number by tens (pino, bunyan), or GELF's.
    Level,
    /// `status`: a name of a level, if nothing else says one. Most are something else.
    Status,
    /// OpenTelemetry's number.
    OtelNumber,
    /// journald's `PRIORITY`: a name, or syslog's number.
    Priority,
    /// Python's `levelno`.
    PythonNumber,
    /// MongoDB's letter.
    Mongo,
    /// The message, or what may hold a record that this one wraps.
    Message,
    /// An object with a level of its own: `log`, `record`.
    Nested,
    /// One of the keys by which pino and bunyan are known.
    Usual,
    /// `short_message`, GELF's.
    Gelf,
    /// `@t`, which every line of Serilog's compact format has.
    Serilog,
    /// `ts`, `v` and `err` of klog's JSON.
    KlogTime,
    KlogVerbosity,
    KlogError,
    /// `stream`, of a container engine's own file.
    Stream,
}

/// The keys, in lower case and in the order of their lengths, with what they may say.
const KEYS: [(&[u8], LevelKey); 40] = [
    (b"l", LevelKey::Level),
    (b"s", LevelKey::Mongo),
    (b"m", LevelKey::Message),
    (b"v", LevelKey::KlogVerbosity),
    (b"@l", LevelKey::Level),
    (b"@m", LevelKey::Message),
    (b"@t", LevelKey::Serilog),
    (b"ts", LevelKey::KlogTime),
    (b"lvl", LevelKey::Level),
    (b"msg", LevelKey::Message),
    (b"@mt", LevelKey::Message),
    (b"log", LevelKey::Nested),
    (b"pid", LevelKey::Usual),
    (b"err", LevelKey::KlogError),
    (b"body", LevelKey::Message),
    (b"time", LevelKey::Usual),
    (b"level", LevelKey::Level),
    (b"@level", LevelKey::Level),
    (b"status", LevelKey::Status),
    (b"record", LevelKey::Nested),
    (b"stream", LevelKey::Stream),
    (b"levelno", LevelKey::PythonNumber),
    (b"message", LevelKey::Message),
    (b"severity", LevelKey::Level),
    (b"loglevel", LevelKey::Level),
    (b"priority", LevelKey::Priority),
    (b"@message", LevelKey::Message),
    (b"hostname", LevelKey::Usual),
    (b"log.level", LevelKey::Level),
    (b"log_level", LevelKey::Level),
    (b"levelname", LevelKey::Level),
    (b"timestamp", LevelKey::Usual),
    (b"level_name", LevelKey::Level),
    (b"@timestamp", LevelKey::Usual),
    (b"severitytext", LevelKey::Level),
    (b"severity_text", LevelKey::Level),
    (b"short_message", LevelKey::Gelf),
    (b"error_severity", LevelKey::Level),
    (b"severitynumber", LevelKey::OtelNumber),
    (b"severity_number", LevelKey::OtelNumber),
];

/// The keys whose value is a level, in lower case: what the documentation has to name.
pub fn level_keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter()
        .filter(|(_, key)| {
            !matches!(key, LevelKey::Message | LevelKey::Usual | LevelKey::Stream | LevelKey::Nested)
        })
        .filter(|(_, key)| {
            !matches!(key, LevelKey::Gelf | LevelKey::Serilog | LevelKey::KlogTime | LevelKey::KlogError)
        })
        .filter_map(|(name, _)| std::str::from_utf8(name).ok())
}

/// Whether a record's own field may say its level.
pub(crate) fn is_level_key(name: &[u8]) -> bool {
    matches!(
        key(name),
        Some(LevelKey::Level | LevelKey::OtelNumber | LevelKey::Priority | LevelKey::PythonNumber)
    ) && name.len() > 1
}

/// The level that a record's own field says; `text` is its value as written.
pub(crate) fn of_field(name: &[u8], value: Value<'_>) -> Option<Severity> {
    match (key(name)?, value) {
        (LevelKey::Level, Value::String(text)) => names::value(text).or_else(|| names::pino(text)),
        (LevelKey::Level, Value::Scalar(text)) => names::pino(text),
        (LevelKey::OtelNumber, Value::Scalar(text) | Value::String(text)) => names::otel(text),
        (LevelKey::Priority, Value::String(text)) => names::value(text).or_else(|| names::syslog(text)),
        (LevelKey::Priority, Value::Scalar(text)) => names::syslog(text),
        (LevelKey::PythonNumber, Value::Scalar(text)) => names::python(text),
        _ => None,
    }
}

fn key(name: &[u8]) -> Option<LevelKey> {
    let first = name.first()? | 0x20;
    let (from, to) = *RANGES.get(name.len())?;
    let candidates = KEYS.get(usize::from(from)..usize::from(to))?;
    let is_it = |known: &&(&[u8], LevelKey)| {
        known.0.first().is_some_and(|own| own | 0x20 == first) && known.0.eq_ignore_ascii_case(name)
    };
    candidates.iter().find(is_it).map(|(_, key)| *key)
}

/// Where the keys of each length stand.
const RANGES: [(u8, u8); 16] = {
    let (mut ranges, mut at) = ([(0u8, 0u8); 16], 0usize);
    #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // While compiling.
    while at < KEYS.len() {
        let length = KEYS[at].0.len();
        assert!(at == 0 || KEYS[at - 1].0.len() <= length, "keys stand in the order of their lengths");
        if ranges[length].1 == 0 {
            ranges[length].0 = at as u8;
        }
        ranges[length].1 = at as u8 + 1;
        at += 1;
    }
    ranges
};

/// What a JSON object says of its level, `text` being it from its brace on. `depth` is how many records are around it.
#[inline]
pub(super) fn json(text: &[u8], level: Level, escapes: Escapes, depth: u8) -> Option<Severity> {
    // Most objects say it near their start, with a name, and wrap nothing.
    if depth == 0
        && !text.ends_with(b"}}")
        && swar::find_either(text, 0, b'v', b'V').is_some()
        && (escapes < Escapes::Nested || !may_wrap(text))
        && let Some(found) = near_the_start(text, level)
    {
        return Some(found);
    }
    json_in_full(text, level, escapes, depth)
}

/// The first level by its name among the first members.
fn near_the_start(text: &[u8], level: Level) -> Option<Severity> {
    let mut walk = Members::open(text, level).ok()?;
    for _ in 0..NEAR {
        let Ok(Some(member)) = walk.next() else { return None };
        match (key(member.key), member.value) {
            // What a record wraps says more than it does itself.
            (Some(LevelKey::Nested | LevelKey::Message), Value::Object(_)) => return None,
            (Some(LevelKey::Level), Value::String(text)) if member.key.len() > 1 => {
                if let Some(found) = names::value(text) {
                    return Some(found);
                }
            }
            (Some(LevelKey::OtelNumber | LevelKey::Priority | LevelKey::PythonNumber), _) => return None,
            _ => {}
        }
    }
    None
}

#[inline(never)]
fn json_in_full(text: &[u8], level: Level, escapes: Escapes, depth: u8) -> Option<Severity> {
    let mut walk = Members::open(text, level).ok()?;
    let mut seen = SaidByObject::default();
    while let Ok(Some(member)) = walk.next() {
        let Some(key) = key(member.key) else { continue };
        if let Some(found) = seen.take(key, member.key, member.value, level, member.escapes, depth) {
            return Some(found);
        }
        // Of most lines the walk ends with the level: only JSON in a string could say more.
        if seen.word.is_some() && depth == 0 && (escapes < Escapes::Nested || !may_wrap(text)) {
            break;
        }
    }
    if seen.word.is_some() && depth == 0 && wraps_postgres(text) {
        // The operator's `record`, behind the level of the operator's own line.
        let found = json_member(text, level, b"record").and_then(|record| within(record, level));
        return found.or(seen.word);
    }
    seen.conclusion(level, depth)
}

/// What has been seen of an object.
#[derive(Default)]
struct SaidByObject<'a> {
    word: Option<Severity>,
    /// A number in a key for levels.
    number: Option<&'a [u8]>,
    status: Option<Severity>,
    mongo: Option<Severity>,
    is_usual: bool,
    is_gelf: bool,
    is_serilog: bool,
    is_klog: bool,
    verbosity: bool,
    error: bool,
    has_message: bool,
    has_object_time: bool,
    is_engine: bool,
    engine_text: Option<&'a [u8]>,
}

impl<'a> SaidByObject<'a> {
    /// Takes a member; what it says is final if it is a wrapped record's.
    fn take(
        &mut self,
        key: LevelKey,
        name: &[u8],
        value: Value<'a>,
        level: Level,
        escapes: Escapes,
        depth: u8,
    ) -> Option<Severity> {
        match (key, value) {
            // MongoDB's `t` is the only object that a text is known by; `l` alone is no level but zap's `L`.
            (LevelKey::Level, Value::String(text)) if name.len() > 1 || name == b"L" => {
                self.word = self.word.or_else(|| names::value(text));
                self.number = self.number.or(Some(text));
            }
            (LevelKey::Level, Value::Scalar(text)) if name.len() > 1 => {
                self.number = self.number.or(Some(text))
            }
            (LevelKey::Level, Value::Object(text)) if name.len() > 1 => {
                self.word = self.word.or_else(|| within(text, level)).or_else(|| names_itself(text, level));
            }
            (LevelKey::OtelNumber, _) | (LevelKey::Priority, _) | (LevelKey::PythonNumber, _) => {
                self.word = self.word.or_else(|| of_field(name, value));
            }
            (LevelKey::Status, Value::String(text)) => {
                self.status = self.status.or_else(|| {
                    let name = names::name(text)?;
                    (!matches!(text.first(), Some(b'f' | b's' | b'd' | b'l'))).then_some(name.severity)
                });
            }
            (LevelKey::Mongo, Value::String(text)) => self.mongo = names::value(text),
            (LevelKey::Nested | LevelKey::Message, Value::Object(text)) => {
                let found = within(text, level);
                if found.is_some() {
                    return found;
                }
                self.has_message = true;
            }
            (LevelKey::Nested | LevelKey::Message, Value::String(text)) => {
                self.has_message = true;
                if key == LevelKey::Nested {
                    self.engine_text = Some(text);
                }
                if escapes != Escapes::None && depth < MOST_WRAPPERS && text.first() == Some(&b'{') {
                    let inner = resolved(text, level);
                    return json(&inner, Level::Plain, Escapes::Nested, depth.saturating_add(1));
                }
            }
            (LevelKey::Usual, Value::Object(_)) => {}
            (LevelKey::Usual, _) => self.is_usual = true,
            (LevelKey::Gelf, _) => self.is_gelf = true,
            (LevelKey::Serilog, _) => self.is_serilog = true,
            (LevelKey::KlogTime, Value::Scalar(_)) => (self.is_klog, self.is_usual) = (true, true),
            (LevelKey::KlogTime, _) => self.is_usual = true,
            (LevelKey::KlogVerbosity, Value::Scalar(_)) => self.verbosity = true,
            (LevelKey::KlogError, Value::String(_)) => self.error = true,
            (LevelKey::Stream, Value::String(_)) => self.is_engine = true,
            _ => {}
        }
        self.has_object_time |= matches!(value, Value::Object(_)) && name == b"t";
        None
    }

    /// What all members together say.
    fn conclusion(self, level: Level, depth: u8) -> Option<Severity> {
        if self.word.is_some() {
            return self.word;
        }
        let number = self.number.and_then(|text| {
            if self.is_gelf {
                names::syslog(text)
            } else if self.is_usual || self.has_message {
                names::pino(text)
            } else {
                None
            }
        });
        if number.is_some() {
            return number;
        }
        if self.mongo.is_some() && self.has_message {
            return self.mongo;
        }
        // klog writes no level: an error has `err`, all else a verbosity.
        if self.is_klog && self.has_message && (self.error || self.verbosity) {
            return Some(if self.verbosity { Severity::Info } else { Severity::Error });
        }
        // Serilog leaves out `@l` where it is Information.
        if self.is_serilog && self.has_message && self.number.is_none() {
            return Some(Severity::Info);
        }
        if self.status.is_some() && self.has_message {
            return self.status;
        }
        if self.is_engine && depth < MOST_WRAPPERS {
            let text = resolved(self.engine_text?, level);
            return wrapped_text(&text, depth.saturating_add(1));
        }
        None
    }
}

/// A level that is an object with its name: loguru's `{"name":"ERROR","no":40}`, log4js' `{"levelStr":"ERROR"}`.
fn names_itself(text: &[u8], level: Level) -> Option<Severity> {
    let mut walk = Members::open(text, level).ok()?;
    while let Ok(Some(member)) = walk.next() {
        if let (b"name" | b"levelStr", Value::String(text)) = (member.key, member.value) {
            return names::value(text);
        }
    }
    None
}

/// The level of an object inside another one, by its own keys only.
fn within(text: &[u8], level: Level) -> Option<Severity> {
    let mut walk = Members::open(text, level).ok()?;
    while let Ok(Some(member)) = walk.next() {
        let found = match (key(member.key), member.value) {
            (Some(LevelKey::Level), Value::String(text)) if member.key.len() > 1 => names::value(text),
            (Some(LevelKey::Level), Value::Object(text)) => names_itself(text, level),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The level in a member that has a line to itself: `"level": "error",`.
pub(super) fn member(text: &[u8]) -> Option<Severity> {
    let rest = text.strip_prefix(b"\"")?;
    let close = rest.iter().take(MAX_KEY).position(|byte| *byte == b'"')?;
    let name = rest.get(..close).filter(|name| is_level_key(name))?;
    let value = rest.get(close.wrapping_add(1)..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let end = |text: &[u8]| matches!(text, [] | [b','] | [b' ', ..] | [b'}', ..]);
    match value {
        [b'"', text @ ..] => {
            let close = text.iter().take(MAX_KEY).position(|byte| *byte == b'"')?;
            let behind = text.get(close.wrapping_add(1)..)?;
            if end(behind) { of_field(name, Value::String(text.get(..close)?)) } else { None }
        }
        _ => {
            let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if end(value.get(digits..)?) { of_field(name, Value::Scalar(value.get(..digits)?)) } else { None }
        }
    }
}

fn json_member<'a>(text: &'a [u8], level: Level, name: &[u8]) -> Option<&'a [u8]> {
    let mut walk = Members::open(text, level).ok()?;
    while let Ok(Some(member)) = walk.next() {
        if let (true, Value::Object(object)) = (member.key == name, member.value) {
            return Some(object);
        }
    }
    None
}

/// Whether a string of an object that stands inside a string may hold an object itself: `{\\\"`.
fn may_wrap(text: &[u8]) -> bool {
    let mut from = 1usize;
    while let Some(at) = swar::find_pair(text, from, (0, b'{'), (2, b'\\'), 3) {
        if text.get(at.wrapping_add(1)) == Some(&b'\\') {
            return true;
        }
        from = at.wrapping_add(1);
    }
    false
}

/// Whether `error_severity` stands somewhere, the level of a PostgreSQL record that an operator wraps: CloudNativePG has it in
/// the last member.
fn wraps_postgres(text: &[u8]) -> bool {
    const NAME: &[u8] = b"error_severity";
    if !text.ends_with(b"}}") {
        return false;
    }
    let mut from = 0usize;
    while let Some(at) = swar::find_pair(text, from, (5, b'_'), (13, b'y'), NAME.len()) {
        if text.get(at..at.wrapping_add(NAME.len())) == Some(NAME) {
            return true;
        }
        from = at.wrapping_add(1);
    }
    false
}

/// A string's content with its escapes resolved, as far as a level can stand in it.
fn resolved(text: &[u8], level: Level) -> Vec<u8> {
    let once = json::unescape(json::cut(text, MAX_WRAPPED));
    match level {
        Level::Plain => once,
        Level::Quoted => json::unescape(&once),
    }
}

/// The level of a line that is logfmt from its start: `key=value` pairs and nothing else before the level.
///
/// `is_escaped` says whether quotes are written `\"`. A number is no level here: nobody who writes logfmt counts.
pub(super) fn logfmt(text: &[u8], is_escaped: bool) -> Option<Severity> {
    let text = text.get(..text.len().min(MAX_LOGFMT)).unwrap_or_default();
    let mut at = 0usize;
    let mut pairs = 0usize;
    loop {
        let rest = text.get(at..)?;
        let length = key_length(rest)?;
        let name = rest.get(..length)?;
        pairs = pairs.wrapping_add(1);
        let start = at.wrapping_add(length).wrapping_add(1);
        let (value, end) = pair_value(text, start, is_escaped)?;
        if let Some(LevelKey::Level | LevelKey::Priority) = key(name)
            && name.len() > 1
            && let Some(found) = names::value(value)
        {
            // One pair alone is rather a setting: `LOG_LEVEL=debug`.
            let more = text.get(end..).unwrap_or_default().trim_ascii_start();
            let is_alone =
                pairs == 1 && key_length(more).is_none() && name.iter().any(u8::is_ascii_uppercase);
            return (!is_alone).then_some(found);
        }
        at = end;
        while matches!(text.get(at), Some(b' ')) {
            at = at.wrapping_add(1);
        }
    }
}

/// Whether a line is logfmt: two pairs at its start at the least.
pub(super) fn is_logfmt(text: &[u8], is_escaped: bool) -> bool {
    let first = || {
        let length = key_length(text)?;
        let (_, end) = pair_value(text, length.wrapping_add(1), is_escaped)?;
        key_length(text.get(end..)?.strip_prefix(b" ")?)
    };
    first().is_some()
}

/// The length of the key that a pair starts with.
pub(super) fn key_length(text: &[u8]) -> Option<usize> {
    if !text.first()?.is_ascii_alphabetic() && text.first() != Some(&b'@') {
        return None;
    }
    let is_inside =
        |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'@' | b'-' | b'/');
    let length = text.iter().take(MAX_KEY).take_while(is_inside).count();
    (text.get(length) == Some(&b'=')).then_some(length)
}

/// The value at `start` and where it ends, quotes included.
fn pair_value(text: &[u8], start: usize, is_escaped: bool) -> Option<(&[u8], usize)> {
    let rest = text.get(start..)?;
    let opening: &[u8] = if is_escaped { b"\\\"" } else { b"\"" };
    if !rest.starts_with(opening) {
        let length = rest.iter().position(|byte| matches!(byte, b' ' | b'\\' | b'\t')).unwrap_or(rest.len());
        return Some((rest.get(..length)?, start.wrapping_add(length)));
    }
    let from = start.wrapping_add(opening.len());
    let mut at = from;
    loop {
        let quote = swar::find_byte(text, at, b'"')?;
        let before = text.get(from..quote)?;
        let backslashes = before.iter().rev().take_while(|&&byte| byte == b'\\').count();
        let closes = if is_escaped { backslashes % 4 == 1 } else { backslashes % 2 == 0 };
        if closes {
            let end = quote.wrapping_sub(usize::from(is_escaped));
            return Some((text.get(from..end)?, quote.wrapping_add(1)));
        }
        at = quote.wrapping_add(1);
    }
}

/// How many members count as near the start of an object.
const NEAR: usize = 8;
/// How many records may be wrapped in each other.
const MOST_WRAPPERS: u8 = 2;
/// How much of a wrapped record is read, in bytes as written.
const MAX_WRAPPED: usize = 4096;
/// How far into a line a pair is looked for, in bytes.
const MAX_LOGFMT: usize = 4096;
/// Longest key of a pair.
const MAX_KEY: usize = 48;
