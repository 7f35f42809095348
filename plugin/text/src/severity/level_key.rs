//! The keys under which programs write a level, and what each says about its value.

use crate::json::Value;
use crate::severity::{Severity, names};

/// What a key may say about the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LevelKey {
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
pub(super) const KEYS: [(&[u8], LevelKey); 40] = [
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

#[inline(always)]
pub(super) fn key(name: &[u8]) -> Option<LevelKey> {
    // Most keys are none, and their length and first byte say so.
    let first = u32::from(*name.first()?) & 31;
    if FIRSTS.get(name.len())?.wrapping_shr(first) & 1 == 0 {
        return None;
    }
    known_key(name)
}

#[inline(never)]
fn known_key(name: &[u8]) -> Option<LevelKey> {
    let (from, to) = *RANGES.get(name.len())?;
    let candidates = KEYS.get(usize::from(from)..usize::from(to))?;
    let Some(folded) = names::folded(name) else {
        let first = name.first()? | 0x20;
        let is_it = |known: &&(&[u8], LevelKey)| {
            known.0.first().is_some_and(|own| own | 0x20 == first) && known.0.eq_ignore_ascii_case(name)
        };
        return candidates.iter().find(is_it).map(|(_, key)| *key);
    };
    let at = FOLDED.get(usize::from(from)..usize::from(to))?.iter().position(|known| *known == folded)?;
    let (known, key) = candidates.get(at)?;
    // `@` folds as a backtick does.
    (known.first() != Some(&b'@') || name.first() == Some(&b'@')).then_some(*key)
}

/// The keys [folded](names::folded), 0 for those that are too long for that.
static FOLDED: [u64; KEYS.len()] = {
    let (mut folded, mut at) = ([0u64; KEYS.len()], 0usize);
    #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // While compiling.
    while at < KEYS.len() {
        folded[at] = match names::folded(KEYS[at].0) {
            Some(key) => key,
            None => 0,
        };
        at += 1;
    }
    folded
};

/// Where the keys of each length stand.
pub(super) const RANGES: [(u8, u8); 16] = {
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

/// For each length the first bytes of its keys, one bit for those that differ in nothing but the upper three bits, as case does.
static FIRSTS: [u32; 16] = {
    let (mut firsts, mut at) = ([0u32; 16], 0usize);
    #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // While compiling.
    while at < KEYS.len() {
        let key = KEYS[at].0;
        firsts[key.len()] |= 1 << (key[0] & 31);
        at += 1;
    }
    firsts
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_key_is_what_differs_from_a_known_one_by_case_only(
            at in 0..KEYS.len(), place in any::<prop::sample::Index>(), byte in any::<u8>(), is_upper in any::<bool>(), is_changed in any::<bool>(),
        ) {
            let mut name = if is_upper { KEYS[at].0.to_ascii_uppercase() } else { KEYS[at].0.to_vec() };
            if is_changed {
                let place = place.index(name.len());
                name[place] = byte;
            }
            let known = KEYS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name)).map(|(_, key)| *key);
            prop_assert_eq!(key(&name), known, "{}", String::from_utf8_lossy(&name));
        }
    }
}
