//! The level that a structured line states: a JSON object, or logfmt from its start.
//!
//! Keys are compared without case. A word in a key for levels counts wherever the object has it at the top; a number only
//! in the keys and scales of those who count levels. What wraps another record has the level of that one, because the
//! wrapper (a container engine, an operator, a header of its own) only says that it passed something on.

use super::level_key::{LevelKey, is_level_key, key, of_field};
use super::logfmt::MAX_KEY;
use super::{Severity, names, wrapped_text};
use crate::json::{self, Escapes, Level, Members, Value};
use crate::swar;

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
    let (mut seen, mut left) = (SaidByObject::default(), MOST_MEMBERS);
    while left > 0
        && let Ok(Some(member)) = walk.next()
    {
        left = left.wrapping_sub(1);
        let Some(key) = key(member.key) else {
            left = walk.pass_dull(left, |name| super::level_key::key(name).is_none());
            continue;
        };
        if let Some(found) = seen.take(key, member.key, member.value, level, member.escapes, depth) {
            return Some(found);
        }
        if seen.has_read_levels() || seen.has_looked() {
            break;
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
    /// How many values were read for what is in them.
    looked_into: u8,
    /// How many strings under a key for levels.
    levels: u8,
}

impl<'a> SaidByObject<'a> {
    /// Whether so many levels were none that the object is read no further.
    fn has_read_levels(&self) -> bool {
        self.levels >= MOST_LEVELS && self.word.is_none()
    }

    /// Whether so many values were read for what is in them that the object is read no further.
    fn has_looked(&self) -> bool {
        self.looked_into >= MOST_LOOKED_INTO
    }

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
        if let (
            LevelKey::Level | LevelKey::Nested | LevelKey::Message,
            Value::Object(_) | Value::String([b'{', ..]),
        ) = (key, value)
        {
            self.looked_into = self.looked_into.saturating_add(1);
        }
        match (key, value) {
            // MongoDB's `t` is the only object that a text is known by; `l` alone is no level but zap's `L`.
            (LevelKey::Level, Value::String(text)) if name.len() > 1 || name == b"L" => {
                self.levels = self.levels.saturating_add(1);
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
    swar::has_three(text.get(1..).unwrap_or_default(), [b'{', b'\\', b'\\'])
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

/// How many members of an object are read for a level: an object of thousands of small ones must not cost a reading for each.
const MOST_MEMBERS: u32 = 64;
/// How many members count as near the start of an object.
const NEAR: usize = 8;
/// How many values of an object are read for a level inside them: no program wraps as many records in one.
const MOST_LOOKED_INTO: u8 = 4;
/// How many texts under keys for levels are read that are none: no program writes as many.
const MOST_LEVELS: u8 = 8;
/// How many records may be wrapped in each other.
const MOST_WRAPPERS: u8 = 2;
/// How much of a wrapped record is read, in bytes as written.
const MAX_WRAPPED: usize = 4096;
