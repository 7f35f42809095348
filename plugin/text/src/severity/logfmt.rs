//! Lines of `key=value` pairs.

use crate::json::find_backslash;
use crate::severity::level_key::{LevelKey, key};
use crate::severity::{Severity, bytes, names};
use crate::swar;

/// The level of a line that is logfmt from its start: `key=value` pairs and nothing else before the level.
///
/// `is_escaped` says whether quotes are written `\"`. A number is no level here: nobody who writes logfmt counts.
pub(super) fn logfmt(text: &[u8], is_escaped: bool) -> Option<Severity> {
    let text = text.get(..text.len().min(MAX_LOGFMT)).unwrap_or_default();
    let (mut rest, mut levels) = (text, 0u8);
    for pairs in 1..=MOST_PAIRS {
        let length = key_length(rest)?;
        let (name, behind) = rest.split_at_checked(length)?;
        let behind = behind.get(1..)?;
        let (value, behind) = match behind.first() {
            Some(b'"' | b'\\') => match short_quoted(behind, is_escaped) {
                Some(found) => found,
                None => {
                    let (value, end) = pair_value(behind, 0, is_escaped)?;
                    (value, behind.get(end..)?)
                }
            },
            _ => behind.split_at_checked(bytes::span_without(behind, bytes::VALUE_END))?,
        };
        if may_be_level(name)
            && let Some(LevelKey::Level | LevelKey::Priority) = key(name)
        {
            levels = levels.wrapping_add(1);
            let Some(found) = names::value(value) else {
                if levels == MOST_LEVELS {
                    return None;
                }
                rest = next_pair(behind)?;
                continue;
            };
            // One pair alone is rather a setting: `LOG_LEVEL=debug`.
            let is_alone = pairs == 1
                && key_length(behind.trim_ascii_start()).is_none()
                && name.iter().any(u8::is_ascii_uppercase);
            return (!is_alone).then_some(found);
        }
        rest = next_pair(behind)?;
    }
    None
}

/// A value in quotes that are written `\"`, as most are: without escapes; and what is behind it.
#[inline(always)]
fn short_quoted(text: &[u8], is_escaped: bool) -> Option<(&[u8], &[u8])> {
    let [b'\\', b'"', content @ ..] = text else { return None };
    let (value, behind) = content.split_at_checked(find_backslash(content).filter(|_| is_escaped)?)?;
    Some((value, behind.strip_prefix(br#"\""#)?))
}

/// What is left behind blanks.
#[inline(always)]
fn next_pair(behind: &[u8]) -> Option<&[u8]> {
    match behind {
        [b' ', next @ ..] if next.first() != Some(&b' ') => Some(next),
        _ => behind.get(swar::leading(behind, b' ')..),
    }
}

/// Whether a key may say a level, by its first letter.
#[inline]
fn may_be_level(name: &[u8]) -> bool {
    name.len() > 1 && matches!(name, [b'l' | b'L' | b's' | b'S' | b'p' | b'P' | b'e' | b'E' | b'@', ..])
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
#[inline]
pub(super) fn key_length(text: &[u8]) -> Option<usize> {
    if !text.first()?.is_ascii_alphabetic() && text.first() != Some(&b'@') {
        return None;
    }
    let length = bytes::span(text.get(..MAX_KEY).unwrap_or(text), bytes::KEY);
    (text.get(length) == Some(&b'=')).then_some(length)
}

/// The value at `start` and where it ends, quotes included.
pub(super) fn pair_value(text: &[u8], start: usize, is_escaped: bool) -> Option<(&[u8], usize)> {
    let rest = text.get(start..)?;
    let opening: &[u8] = if is_escaped { b"\\\"" } else { b"\"" };
    if !rest.starts_with(opening) {
        let length = bytes::span_without(rest, bytes::VALUE_END);
        return Some((rest.get(..length)?, start.wrapping_add(length)));
    }
    let from = start.wrapping_add(opening.len());
    let mut at = from;
    loop {
        let quote = swar::find_byte(text, at, b'"')?;
        let before = text.get(from..quote)?;
        let backslashes = swar::trailing(before, b'\\');
        let closes = if is_escaped { backslashes % 4 == 1 } else { backslashes.is_multiple_of(2) };
        if closes {
            let end = quote.wrapping_sub(usize::from(is_escaped));
            return Some((text.get(from..end)?, quote.wrapping_add(1)));
        }
        at = quote.wrapping_add(1);
        // Where there is one quote of the value, there are more.
        loop {
            at = match text.get(at..)? {
                [b'\\', b'\\', b'\\', b'"', ..] if is_escaped => at.wrapping_add(4),
                [b'\\', b'"', ..] if !is_escaped => at.wrapping_add(2),
                _ => break,
            };
        }
    }
}

/// How far into a line a pair is looked for, in bytes.
pub(super) const MAX_LOGFMT: usize = 4096;

/// How many pairs are read for a level. Programs write it among the first; a line of nothing but pairs must not cost a reading for each.
const MOST_PAIRS: u32 = 40;

/// How many levels that are none are read: who writes that many means something else.
const MOST_LEVELS: u8 = 8;

/// Longest key of a pair.
pub(super) const MAX_KEY: usize = 48;
