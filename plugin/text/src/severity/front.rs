//! The level in front of a line's message: behind time, process, thread and logger, as log frameworks write it.
//!
//! A line is read token by token for as long as what stands there can stand in front of a message: times, numbers,
//! brackets, punctuation, names with dots, colons or dashes in them. Ordinary words are a message: one may be the name of a
//! logger or a thread behind a time, with more of them the search is over. So a level word in running text is none.

use super::{Severity, bytes, crash, level_key, logfmt, names};
use crate::head::COLOUR;

mod level_word;
mod start;

use level_word::{is_calendar, is_level, one_letter, within_token};
use start::{at_the_start, glog};

/// What stands in front of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// A level.
    Level(Severity),
    /// A level with another record behind it, which starts here.
    Around(Severity, usize),
    /// The opening of a crash report.
    Crash(Severity),
    /// A JSON object, perhaps; the brace is the first in the text.
    Json,
    /// Nothing.
    Nothing,
}

/// What has been passed on the way to the message.
struct Prelude {
    /// A time, or another token of digits that only machines write.
    is_dated: bool,
    /// Brackets, a time, or the name of a program.
    is_prefixed: bool,
    /// Ordinary words since the last thing that is none.
    words: u8,
    /// A program's name with its colon.
    is_named: bool,
    /// The opening bracket that is open.
    bracket: u8,
    /// Whether something else stands between that bracket and the token.
    bracket_has_more: bool,
    /// What stands before the token: a tab, a colour, a bar.
    before: u8,
    /// Whether nothing has been passed but blanks and colours.
    is_start: bool,
    /// Whether the line starts as an item of a list does, with a dash of its own.
    is_item: bool,
}

/// Looks in front of a message. `text` is the start of a line without its leading blanks and colours; `before` is the last of
/// those.
pub(super) fn front(text: &[u8], before: u8) -> Front {
    if let Some(found) = at_the_start(text) {
        return found;
    }
    let mut passed = Prelude {
        is_dated: false,
        is_prefixed: false,
        words: 0,
        is_named: false,
        bracket: 0,
        bracket_has_more: false,
        before,
        is_start: true,
        is_item: false,
    };
    let mut at = 0usize;
    for _ in 0..MAX_TOKENS {
        let Some(&byte) = text.get(at) else { break };
        match byte {
            b' ' | b'\t' | COLOUR => {
                passed.before = if passed.before == COLOUR && byte == b' ' { COLOUR } else { byte };
                at = at.wrapping_add(1);
                while text.get(at) == Some(&b' ') {
                    at = at.wrapping_add(1);
                }
                continue;
            }
            b'|' => {
                (passed.words, passed.before) = (0, b'|');
                at = at.wrapping_add(1);
            }
            b'[' | b'(' | b'<' => {
                // `[TypeError: x] {`, as Node prints an error without a stack.
                if byte == b'['
                    && passed.is_start
                    && let Some(severity) = crash::opening(text, at.wrapping_add(1))
                {
                    return Front::Crash(severity);
                }
                (passed.bracket, passed.bracket_has_more, passed.before) = (byte, false, byte);
                at = at.wrapping_add(1);
                while matches!(text.get(at), Some(b' ' | &COLOUR)) {
                    at = at.wrapping_add(1);
                }
                continue;
            }
            b']' | b')' | b'>' | b'}' => {
                (passed.bracket, passed.words, passed.before) = (0, 0, byte);
                passed.is_prefixed = true;
                at = at.wrapping_add(1);
            }
            b'{' => {
                let next = text.get(at.wrapping_add(1)..).unwrap_or_default().trim_ascii_start().first();
                if matches!(next, Some(b'"')) {
                    return Front::Json;
                }
                (passed.bracket, passed.bracket_has_more, passed.before) = (byte, false, byte);
                at = at.wrapping_add(1);
            }
            b'0'..=b'9' => at = digits(text, at, &mut passed),
            b'a'..=b'z' | b'A'..=b'Z' => match word(text, at, &mut passed) {
                Ok(next) => at = next,
                Err(found) => return found,
            },
            b'"' | b'\'' | b'`' => return Front::Nothing,
            b'/' => {
                if let Some(severity) = crash::opening(text, at) {
                    return Front::Crash(severity);
                }
                at = end_of_token(text, at.wrapping_add(1));
                passed.words = 0;
            }
            // Symbols, dashes, marks: `-`, `#`, `*`, `⨯`.
            _ => {
                if matches!(byte, b'*' | b'=' | b'#')
                    && passed.is_start
                    && let Some(severity) = crash::opening(text, at)
                {
                    return Front::Crash(severity);
                }
                if byte == b'-' && matches!(text.get(at.wrapping_add(1)), Some(b' ')) {
                    passed.words = 0;
                    passed.is_item = passed.is_start;
                    passed.is_prefixed |= !passed.is_start;
                }
                passed.bracket_has_more = true;
                passed.before = byte;
                at = at.wrapping_add(1);
                // A mark of its own leaves the start where it was.
                if passed.is_start && byte >= 0x80 {
                    continue;
                }
            }
        }
        passed.is_start = false;
    }
    Front::Nothing
}

/// The length of the `2026-11-20`, the `2026-11-20T10:00:00` or the `10:00:00` that a text starts with, without what is behind it;
/// 0 for none. Most lines start so, and it is eight bytes at a time.
#[inline]
fn date_or_time(text: &[u8]) -> usize {
    /// A digit's upper half, and all of a separator.
    const fn mask(shape: &[u8; 8]) -> (u64, u64) {
        let (mut mask, mut wanted, mut at) = (0u64, 0u64, 0u32);
        #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // While compiling.
        while at < 8 {
            let byte = shape[at as usize];
            let (own, bits) = if byte == b'0' { (0xf0u8, 0x30u8) } else { (0xff, byte) };
            mask |= (own as u64) << (at * 8);
            wanted |= (bits as u64) << (at * 8);
            at += 1;
        }
        (mask, wanted)
    }
    const DATE: (u64, u64) = mask(b"0000-00-");
    const SLASHED: (u64, u64) = mask(b"0000/00/");
    const TIME: (u64, u64) = mask(b"00:00:00");
    let word = |at: usize| text.get(at..)?.first_chunk::<8>().map(|word| u64::from_le_bytes(*word));
    let fits = |word: u64, (mask, wanted): (u64, u64)| word & mask == wanted;
    let Some(first) = word(0) else { return 0 };
    if fits(first, TIME) {
        return 8;
    }
    if !fits(first, DATE) && !fits(first, SLASHED) {
        return 0;
    }
    match text.get(8..11) {
        Some([b'0'..=b'9', b'0'..=b'9', b'T']) if word(11).is_some_and(|word| fits(word, TIME)) => 19,
        Some([b'0'..=b'9', b'0'..=b'9', _]) => 10,
        _ => 0,
    }
}

/// Passes a token that starts with a digit; returns its end.
#[inline(never)]
fn digits(text: &[u8], at: usize, passed: &mut Prelude) -> usize {
    let known = date_or_time(text.get(at..).unwrap_or_default());
    let mut end = at.wrapping_add(known);
    // A colon, a dash, a slash or a dot: a number alone has none.
    let mut is_joined = known > 0;
    while let Some(&byte) = text.get(end) {
        if bytes::class_of(byte) & bytes::NUMBER == 0 {
            match byte {
                b'-' | b'/' | b'.' => is_joined = true,
                // `10:00:00,123:ERROR:root:boom`
                b':' | b',' if text.get(end.wrapping_add(1)).is_some_and(u8::is_ascii_uppercase) => break,
                b':' => is_joined = true,
                b',' => {}
                _ => break,
            }
        }
        end = end.wrapping_add(1);
    }
    passed.is_dated |= is_joined || end.wrapping_sub(at) >= 10;
    (passed.words, passed.before, passed.is_prefixed, passed.bracket_has_more) = (0, b'0', true, true);
    // What is glued to the time with a colon or a comma starts a token of its own.
    if matches!(text.get(end), Some(b':' | b',')) { end.wrapping_add(1) } else { end }
}

/// Reads a token that starts with a letter: where to go on, or what it says.
#[inline(never)]
fn word(text: &[u8], at: usize, passed: &mut Prelude) -> Result<usize, Front> {
    let rest = text.get(at..).unwrap_or_default();
    let (token_length, seen) = bytes::token(rest);
    let token = rest.get(..token_length).unwrap_or_default();
    let length = if seen & bytes::NO_LETTER == 0 && token_length <= MAX_WORD {
        token_length
    } else {
        bytes::span(rest.get(..MAX_WORD).unwrap_or(rest), bytes::LETTER)
    };
    let word = rest.get(..length).unwrap_or_default();
    let behind = rest.get(length..).unwrap_or_default();
    let next = behind.first().copied().unwrap_or(b' ');
    if length == 1 && passed.words < 2 {
        // A header behind that of a container engine, of `docker compose` or of syslog.
        let is_header = next.is_ascii_digit() && glog(rest).is_some();
        let severity = if is_header {
            names::letter(word.first().copied().unwrap_or(0))
        } else {
            one_letter(word, behind, passed)
        };
        if let Some(severity) = severity {
            return Err(Front::Level(severity));
        }
    }
    // `http: panic serving` starts with a level of winston's.
    if word == b"http"
        && let Some(severity) = crash::opening(text, at)
    {
        return Err(Front::Crash(severity));
    }
    if let Some(name) = names::name(word)
        && is_level(word, name, behind, passed)
    {
        let bar = behind.trim_ascii_start();
        if passed.is_start && bar.first() == Some(&b'|') {
            // Tanuki's wrapper, `INFO   | jvm 1    | 2026/11/20 10:00:00 | W [x]`: the line behind the last bar.
            return Err(wrapper(text, name.severity));
        }
        return Err(Front::Level(name.severity));
    }
    if next == b'('
        && let Some(close) = behind.iter().take(6).position(|&byte| byte == b')')
        && let Some(severity) = names::numbered(word, behind.get(1..close).unwrap_or_default())
    {
        return Err(Front::Level(severity));
    }
    let end = at.wrapping_add(token_length);
    if passed.bracket == 0
        && passed.words == 0
        && let Some(severity) = crash::opening_before(text, at, (token_length, seen))
    {
        return Err(Front::Crash(severity));
    }
    if seen & bytes::SEPARATOR != 0
        && let Some(severity) = within_token(token, text.get(end..).unwrap_or_default(), passed)
    {
        return Err(Front::Level(severity));
    }
    let before = std::mem::replace(&mut passed.before, b'a');
    passed.bracket_has_more = true;
    if passed.bracket != 0 {
        return Ok(end);
    }
    // `app[12]:`, a program with its process, as syslog names it.
    let is_program = || {
        let digits = behind.iter().skip(1).take(10).take_while(|byte| byte.is_ascii_digit()).count();
        next == b'['
            && digits > 0
            && behind.get(digits.wrapping_add(1)..).is_some_and(|rest| rest.starts_with(b"]:"))
    };
    let is_name = end > at.wrapping_add(length) || is_program();
    if is_name {
        if seen & bytes::EQUALS != 0
            && let Some(length) = logfmt::key_length(token)
        {
            return pair(text, at, length, passed);
        }
        passed.is_prefixed = true;
        passed.is_named |= token.last() == Some(&b':') || text.get(end) == Some(&b'[');
        if passed.is_named {
            passed.words = 0;
        } else if seen & bytes::ODD == 0 {
            // `error-prone`, `well,`: words all the same.
            passed.words = passed.words.saturating_add(1);
        }
    } else if !is_calendar(word, passed) {
        passed.words = passed.words.saturating_add(1);
    } else {
        passed.is_prefixed = true;
    }
    // A column of its own, as the Datadog agent has them.
    let next_is_bar =
        || passed.is_dated && text.get(end..).unwrap_or_default().trim_ascii_start().first() == Some(&b'|');
    let next_is_bracket = || text.get(end..).unwrap_or_default().trim_ascii_start().first() == Some(&b'[');
    let is_over = match passed.words {
        0 => false,
        1 => {
            !(passed.is_dated || passed.is_prefixed || before == b'|' || next_is_bracket())
                || word.first().is_some_and(u8::is_ascii_uppercase)
                    && !is_name
                    && !next_is_bracket()
                    && !next_is_bar()
                    && before != b'|'
        }
        2 => !(passed.is_dated && passed.is_named),
        _ => true,
    };
    if is_over { Err(Front::Nothing) } else { Ok(end) }
}

/// Passes a `key=value` pair in front of a message; behind a time it may be the level.
fn pair(text: &[u8], at: usize, length: usize, passed: &mut Prelude) -> Result<usize, Front> {
    let start = at.wrapping_add(length).wrapping_add(1);
    let rest = text.get(start..).unwrap_or_default();
    let is_quoted = rest.first() == Some(&b'"');
    let stop = if is_quoted { b'"' } else { b' ' };
    let from = usize::from(is_quoted);
    let length_of_value = rest.iter().skip(from).position(|&byte| byte == stop || byte == b'\t');
    let Some(end) = length_of_value else { return Err(Front::Nothing) };
    let value = rest.get(from..from.wrapping_add(end)).unwrap_or_default();
    let name = text.get(at..at.wrapping_add(length)).unwrap_or_default();
    if passed.is_dated
        && passed.words == 0
        && level_key::is_level_key(name)
        && let Some(severity) = names::value(value)
    {
        return Err(Front::Level(severity));
    }
    passed.is_prefixed = true;
    passed.is_dated |= matches!(name, b"time" | b"ts" | b"t" | b"timestamp" | b"date");
    Ok(start.wrapping_add(from).wrapping_add(end).wrapping_add(from))
}

/// The line behind the last bar of a wrapper; its own level where the line has none.
fn wrapper(text: &[u8], outer: Severity) -> Front {
    let mut bars = text.iter().enumerate().filter(|(_, byte)| **byte == b'|').map(|(at, _)| at);
    let third = bars.nth(2);
    let inner = third.and_then(|at| text.get(at.wrapping_add(1)..)).map(<[u8]>::trim_ascii_start);
    let Some(inner) = inner else { return Front::Level(outer) };
    // The wrapper's own columns are over: a letter counts here as behind a time.
    if let [letter, b' ', b'[', ..] = inner
        && let Some(severity) = names::letter(*letter)
    {
        return Front::Level(severity);
    }
    match front(inner, b' ') {
        Front::Level(severity) | Front::Crash(severity) => Front::Level(severity),
        Front::Around(..) | Front::Json | Front::Nothing => Front::Level(outer),
    }
}

/// The end of a token: the next blank, colour, bracket, bar or quote.
fn end_of_token(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from.wrapping_add(bytes::span_without(rest, bytes::TOKEN_END))
}

/// How many tokens may stand in front of a message.
const MAX_TOKENS: usize = 48;
/// Longest word that is looked at as a whole.
const MAX_WORD: usize = 40;
