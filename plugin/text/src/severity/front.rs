//! The level in front of a line's message: behind time, process, thread and logger, as log frameworks write it.
//!
//! A line is read token by token for as long as what stands there can stand in front of a message: times, numbers,
//! brackets, punctuation, names with dots, colons or dashes in them. Ordinary words are a message: one may be the name of a
//! logger or a thread behind a time, with more of them the search is over. So a level word in running text is none.
//!
//! Longer than other files: it is one walk with one memory of what has been passed, and what each token may be depends on it.

use super::{Severity, crash, names, structured};
use crate::head::COLOUR;

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

/// What only stands at the very start: syslog's priority, the headers of klog and glog, Ruby's, Redis' marks.
fn at_the_start(text: &[u8]) -> Option<Front> {
    match *text.first()? {
        b'<' => syslog_priority(text).map(Front::Level),
        first @ (b'I' | b'W' | b'E' | b'F' | b'D') => {
            let level = names::letter(first)?;
            match text.get(1)? {
                b'0'..=b'9' => glog(text).map(|behind| match behind {
                    Some(start) => Front::Around(level, start),
                    None => Front::Level(level),
                }),
                // `E, [2026-11-20T10:00:00.000000 #1] ERROR -- : boom`
                b',' if text.get(1..4) == Some(b", [") => Some(Front::Level(level)),
                b'R' if text.starts_with(BEFORE_FLAGS) => {
                    match text.get(BEFORE_FLAGS.len()..).map(|rest| (rest.first().copied(), glog(rest))) {
                        Some((Some(letter), Some(_))) => names::letter(letter).map(Front::Level),
                        _ => None,
                    }
                }
                _ => None,
            }
        }
        // A process and its role, where others have a date: `1:M 20 Nov`.
        b'0'..=b'9' if text.get(4) != Some(&b'-') => redis(text).map(Front::Level),
        b'n' => npm(text).map(Front::Level),
        _ => None,
    }
}

/// `E1123 10:00:00.123456`, with a year glog's `E20261123 10:...` and CockroachDB's `E261123 10:...`: letter, date, time.
/// `None` when it is none; where a JSON object stands behind the header, its place.
fn glog(text: &[u8]) -> Option<Option<usize>> {
    let digits = text.get(1..)?.iter().take(9).take_while(|byte| byte.is_ascii_digit()).count();
    if !matches!(digits, 4 | 6 | 8) {
        return None;
    }
    let time = text.get(digits.wrapping_add(1)..)?;
    if !matches!(time, [b' ', a, b, ..] if a.is_ascii_digit() && b.is_ascii_digit()) {
        return None;
    }
    let from = digits.wrapping_add(3);
    let close = text.get(from..)?.iter().position(|&byte| byte == b']');
    let behind = close.and_then(|close| from.checked_add(close)?.checked_add(2));
    Some(behind.filter(|at| text.get(*at) == Some(&b'{')))
}

/// `<3>`: facility * 8 + severity (RFC 5424, section 6.2.1).
fn syslog_priority(text: &[u8]) -> Option<Severity> {
    let end = text.iter().take(5).position(|&byte| byte == b'>')?;
    let digits = std::str::from_utf8(text.get(1..end)?).ok()?;
    let priority: u8 = digits.parse().ok().filter(|&priority| priority <= 191)?;
    names::syslog(&[b'0'.wrapping_add(priority % 8)])
}

/// `1:M 20 Nov 2026 10:00:00.000 # `: Redis writes its level as a mark behind the time (`serverLogRaw` in src/server.c). A
/// word of its own behind the mark is more.
fn redis(text: &[u8]) -> Option<Severity> {
    let pid = text.iter().take(8).take_while(|byte| byte.is_ascii_digit()).count();
    let [b':', b'X' | b'C' | b'S' | b'M', b' ', date @ ..] = text.get(pid..)? else { return None };
    // `20 Nov 2026 10:00:00.000 `, the day with one digit or two.
    let time = date.iter().take(22).position(|&byte| byte == b':')?;
    let mark = date.get(time.checked_add(10)?..)?;
    match mark {
        [b' ', b'#', b' ', b'W', b'A', b'R', b'N', ..] => Some(Severity::Warn),
        [b' ', b'.' | b'-', b' ', ..] => Some(Severity::Debug),
        [b' ', b'*', b' ', ..] => Some(Severity::Info),
        [b' ', b'#', b' ', ..] => Some(Severity::Warn),
        _ => None,
    }
}

/// `npm ERR! code ELIFECYCLE`, `npm warn deprecated x`: the one program that writes its name and no colon.
fn npm(text: &[u8]) -> Option<Severity> {
    let rest = text.strip_prefix(b"npm ")?;
    let length = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (word, behind) = rest.split_at_checked(length)?;
    let name = names::name(word).filter(|name| !name.is_word)?;
    matches!(behind, [b' ', ..] | [b'!', b' ', ..]).then_some(name.severity)
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
fn digits(text: &[u8], at: usize, passed: &mut Prelude) -> usize {
    let known = date_or_time(text.get(at..).unwrap_or_default());
    let mut end = at.wrapping_add(known);
    let (mut colons, mut others) = (u8::from(known > 0), 0u8);
    while let Some(&byte) = text.get(end) {
        match byte {
            b':' => {
                // `10:00:00,123:ERROR:root:boom`
                if text.get(end.wrapping_add(1)).is_some_and(u8::is_ascii_uppercase) {
                    break;
                }
                colons = colons.saturating_add(1);
            }
            b'-' | b'/' | b'.' => others = others.saturating_add(1),
            b',' if text.get(end.wrapping_add(1)).is_some_and(u8::is_ascii_uppercase) => break,
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'+' | b',' | b'_' | b'@' => {}
            _ => break,
        }
        end = end.wrapping_add(1);
    }
    passed.is_dated |= colons > 0 || others > 0 || end.wrapping_sub(at) >= 10;
    (passed.words, passed.before, passed.is_prefixed, passed.bracket_has_more) = (0, b'0', true, true);
    // What is glued to the time with a colon or a comma starts a token of its own.
    if matches!(text.get(end), Some(b':' | b',')) { end.wrapping_add(1) } else { end }
}

/// Reads a token that starts with a letter: where to go on, or what it says.
fn word(text: &[u8], at: usize, passed: &mut Prelude) -> Result<usize, Front> {
    let rest = text.get(at..).unwrap_or_default();
    let length = rest.iter().take(MAX_WORD).take_while(|byte| byte.is_ascii_alphabetic()).count();
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
    if passed.bracket == 0
        && passed.words == 0
        && let Some(severity) = crash::opening(text, at)
    {
        return Err(Front::Crash(severity));
    }
    let end = end_of_token(text, at.wrapping_add(length));
    let token = text.get(at..end).unwrap_or_default();
    if let Some(severity) = within_token(token, text.get(end..).unwrap_or_default(), passed) {
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
        if let Some(length) = structured::key_length(token) {
            return pair(text, at, length, passed);
        }
        passed.is_prefixed = true;
        passed.is_named |= token.last() == Some(&b':') || text.get(end) == Some(&b'[');
        if passed.is_named {
            passed.words = 0;
        } else if token
            .iter()
            .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b',' | b'.' | b'!' | b'-'))
        {
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

/// Whether a level's name is a level where it stands.
fn is_level(word: &[u8], name: names::Name, behind: &[u8], passed: &Prelude) -> bool {
    let next = behind.first().copied().unwrap_or(b' ');
    let after = behind.get(1).copied().unwrap_or(b' ');
    let is_capital = |byte: &u8| byte.is_ascii_uppercase();
    let capitals = word.iter().all(is_capital) && word.len() >= 3;
    let lower = word.iter().all(u8::is_ascii_lowercase);
    let rest = behind.trim_ascii_start();
    let is_padded = || behind.starts_with(b"  ") || next == b'\t' || next == b' ' && rest.is_empty();
    let is_set_off = || {
        matches!(rest.first(), Some(b'[' | b'(' | b'|' | b'<'))
            || rest.starts_with(b"- ")
            || rest.starts_with(b"-- ")
    };
    let colour = passed.before == COLOUR && next == COLOUR;
    if passed.bracket != 0 {
        let close = match passed.bracket {
            b'[' => b']',
            b'<' => b'>',
            b'{' => return false,
            _ => b')',
        };
        let inner = behind.iter().find(|byte| !matches!(**byte, b' ' | COLOUR)).copied().unwrap_or(0);
        let is_all = inner == close && !passed.bracket_has_more;
        if is_all {
            // Components have such names too: `[config]`, `[default]`, `[log]`, `[trace]`.
            let is_component = matches!(
                word.to_ascii_lowercase().as_slice(),
                b"config" | b"default" | b"log" | b"fine" | b"http" | b"system" | b"note"
            );
            return match (capitals, name.is_word) {
                _ if is_component => passed.is_dated && !lower && word != b"CONFIG" && word != b"DEFAULT",
                (true, _) | (_, false) => passed.bracket != b'(' || capitals,
                (false, true) => {
                    passed.is_dated || passed.is_prefixed || word.eq_ignore_ascii_case(b"notice")
                }
            };
        }
        // `[2026-11-20T10:00:00Z ERROR app]`, `[10:00:00 INF]`, `[ERROR app::db]`, `[... : ERROR/Worker-1]`
        if passed.bracket_has_more {
            return match next {
                b' ' => capitals && (passed.is_dated || inner == close),
                b'/' => capitals,
                b':' => capitals && after.is_ascii_alphabetic(),
                byte => byte == close && (capitals || passed.before == b':'),
            };
        }
        return capitals
            && (matches!(next, b'/')
                || next == b' '
                    && passed.bracket == b'['
                    && !name.is_word
                    && behind.iter().take(64).any(|byte| matches!(byte, b':' | b'.' | b'0'..=b'9')));
    }
    if capitals {
        let in_front = passed.words == 0 || passed.words == 1 && passed.is_dated && !name.is_word;
        return match next {
            b':' => {
                in_front
                    && (matches!(after, b' ' | b'\t' | b'[' | COLOUR)
                        || after.is_ascii_alphabetic()
                        || behind.len() == 1)
                    && (!name.is_word
                        || !matches!(word, b"LOG" | b"CONFIG" | b"DEFAULT" | b"SYSTEM" | b"HTTP" | b"NOTE")
                        || passed.is_dated
                        || behind.starts_with(b":  ")
                        || word == b"CONFIG" && word_of_message(rest))
            }
            b' ' | b'\t' | COLOUR | b'|' if !in_front => false,
            b' ' | b'\t' | COLOUR | b'|' => {
                if passed.is_named && passed.words == 0 && !passed.is_dated {
                    return is_set_off() || is_padded();
                }
                if !name.is_word {
                    // `DEBUG /x HTTP/1.1` is a request.
                    return !(passed.is_start && rest.starts_with(b"/") && is_request(rest));
                }
                match word {
                    // `| TRACE | ERROR |`: a component, and the level behind it.
                    _ if rest.strip_prefix(b"| ").is_some_and(starts_with_level) => false,
                    b"CONFIG" | b"DEFAULT" | b"FINE" | b"SYSTEM" | b"NOTE" | b"HTTP" => {
                        is_set_off() && passed.is_dated
                    }
                    b"LOG" => is_set_off() || passed.is_dated && names_logger(rest),
                    _ => {
                        passed.is_dated
                            || is_set_off()
                            || is_padded()
                            || colour
                            || names_logger(rest)
                            || matches!(word, b"CRITICAL" | b"CRIT") && !in_capitals(rest)
                    }
                }
            }
            b'[' => in_front && (!name.is_word || passed.is_dated || passed.is_start),
            b'(' => in_front && !name.is_word,
            b'*' | b']' => in_front && passed.before == b'*',
            b'!' => in_front,
            b'>' => in_front && passed.is_dated,
            b',' => passed.is_dated,
            b'/' => passed.is_dated && in_front && !name.is_word,
            b'+' | b'-' => in_front && after.is_ascii_digit() && passed.is_dated,
            b'1'..=b'5' => word == b"DEBUG" && after == b':' && in_front,
            _ => false,
        };
    }
    let title =
        word.first().is_some_and(u8::is_ascii_uppercase) && word.iter().skip(1).all(u8::is_ascii_lowercase);
    if passed.words > 0 || !(lower || title) {
        return false;
    }
    let is_separate = || matches!(after, b' ' | b'\t' | COLOUR) || behind.len() == 1;
    match next {
        b':' if is_separate() => match word.to_ascii_lowercase().as_slice() {
            b"log" | b"config" | b"default" | b"fine" | b"finer" | b"finest" | b"note" | b"alert"
            | b"system" => passed.is_dated && title,
            b"panic" | b"success" => false,
            b"trace" | b"failure" => passed.is_dated || colour,
            b"fail" | b"http" => lower,
            _ => true,
        },
        COLOUR if colour => !matches!(word, b"log" | b"config" | b"default" | b"fine" | b"note" | b"system"),
        b'\t' => passed.is_dated && lower,
        b' ' if lower && !name.is_word => {
            // `warn  - x` of Next.js, `- error x` of its later versions.
            let is_column = is_set_off() && !rest.get(1).is_some_and(u8::is_ascii_digit);
            rest.starts_with(b"- ")
                || passed.before == b' ' && passed.is_dated && (is_column || behind.starts_with(b"  "))
                || passed.is_item && !passed.is_dated && !passed.is_prefixed
        }
        b'|' | b' ' if passed.before == b'|' && rest.first() == Some(&b'|') => passed.is_dated,
        _ => false,
    }
}

/// A level's letter: `[I 10:00:00 Lab]`, `2026-11-20T10:00:00 E NETWORK [conn]`, `[E]`, `| W [x]`, `SLF4J(W): `.
fn one_letter(word: &[u8], behind: &[u8], passed: &Prelude) -> Option<Severity> {
    let severity = match word {
        // etcd's capnslog has a letter for critical.
        b"C" if behind.starts_with(b" | ") => Severity::Fatal,
        _ => names::letter(*word.first()?)?,
    };
    let is_stream_flag = passed.before == b'a' || passed.words > 0;
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let (behind, has_degree) = match behind {
        [b'1'..=b'5', rest @ ..] if word == b"D" => (rest, true),
        _ => (behind, false),
    };
    let rest = behind.trim_ascii_start();
    let is_found = match (passed.bracket, behind.first()) {
        (b'[', Some(b']')) => !passed.bracket_has_more && (passed.is_dated || passed.is_prefixed),
        (b'[', Some(b' ')) => digit(rest.first()) || is_place(rest),
        // Telegraf's.
        (0, Some(b'!')) => passed.is_dated && behind.starts_with(b"! "),
        (b'(', Some(b')')) => passed.before == b'(' && behind.starts_with(b"):"),
        (0, Some(b' ')) if !is_stream_flag => {
            let is_set_off = matches!(rest.first(), Some(b'[' | b'(')) || has_degree;
            // Components in capitals, as MongoDB has them, or a tag with its colon, as logcat has them.
            let word = rest.iter().take(32).take_while(|byte| byte.is_ascii_alphanumeric()).count();
            let component = rest.get(..word).unwrap_or_default();
            let in_capitals = component.len() > 1 && component.iter().all(u8::is_ascii_uppercase);
            let is_tag = rest.first().is_some_and(u8::is_ascii_uppercase) && rest.get(word) == Some(&b':');
            passed.is_dated
                && (is_set_off || in_capitals || is_tag || is_place(rest) || rest.starts_with(b"| "))
                || passed.before == b'|' && is_set_off
        }
        _ => false,
    };
    is_found.then_some(severity)
}

/// Whether a place in code follows: `socket.cpp:464]`.
fn is_place(rest: &[u8]) -> bool {
    let token = rest.get(..end_of_token(rest, 0)).unwrap_or_default();
    rest.get(token.len()) == Some(&b']')
        && token.last().is_some_and(u8::is_ascii_digit)
        && token.contains(&b'.')
        && token.contains(&b':')
}

/// A level as the last part of a name: `core:error` and `Server thread/INFO` in brackets, `app.ERROR:` of Monolog,
/// `log4j:WARN `.
fn within_token(token: &[u8], behind: &[u8], passed: &Prelude) -> Option<Severity> {
    let body = token.strip_suffix(b":").unwrap_or(token);
    let at = body.iter().rposition(|byte| matches!(byte, b'.' | b':' | b'/'))?;
    let (separator, last) = (*body.get(at)?, body.get(at.wrapping_add(1)..)?);
    // Apache's eight degrees of detail.
    let name = names::name(match last {
        [word @ .., b'1'..=b'8'] if word == b"trace" => word,
        _ => last,
    })?;
    let capitals = last.iter().all(u8::is_ascii_uppercase);
    let is_found = match separator {
        b':' if passed.bracket != 0 => behind.first() == Some(&b']'),
        b'/' if passed.bracket != 0 => capitals && behind.first() == Some(&b']'),
        b'.' => capitals && token.len() > body.len() && (passed.is_dated || passed.is_prefixed),
        b':' => capitals && !name.is_word && passed.words == 0 && passed.is_start,
        _ => false,
    };
    is_found.then_some(name.severity)
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
        && structured::is_level_key(name)
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
    let is_end = |byte: &u8| {
        matches!(
            *byte,
            b' ' | b'\t'
                | COLOUR
                | b'['
                | b']'
                | b'('
                | b')'
                | b'<'
                | b'>'
                | b'{'
                | b'}'
                | b'|'
                | b'"'
                | b'\''
        )
    };
    from.wrapping_add(rest.iter().position(is_end).unwrap_or(rest.len()))
}

/// Words of a date or a stream that stand in front of a message: months, days, noon, zones, `stdout F`.
fn is_calendar(word: &[u8], passed: &Prelude) -> bool {
    if word.len() == 3 && word.first().is_some_and(u8::is_ascii_uppercase) {
        const NAMES: [&[u8; 3]; 19] = [
            b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
            b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun",
        ];
        if NAMES.iter().any(|name| *name == word) {
            return true;
        }
    }
    let is_zone = (1..=4).contains(&word.len()) && word.iter().all(u8::is_ascii_uppercase);
    passed.is_dated && (is_zone || matches!(word, b"stdout" | b"stderr"))
}

/// Whether a column starts that is a level.
fn starts_with_level(rest: &[u8]) -> bool {
    let token = rest.get(..end_of_token(rest, 0)).unwrap_or_default();
    names::name(token).is_some_and(|name| !name.is_word) && token.iter().all(u8::is_ascii_uppercase)
}

/// Whether what follows is the name of a logger or a place in code rather than a sentence.
fn names_logger(rest: &[u8]) -> bool {
    let token = rest.get(..end_of_token(rest, 0)).unwrap_or_default();
    let inner = token.strip_suffix(b":").unwrap_or(token);
    token.len() > inner.len()
        || inner.iter().any(|byte| matches!(byte, b'.' | b':')) && !inner.starts_with(b"/")
}

/// Whether a path with its protocol follows.
fn is_request(rest: &[u8]) -> bool {
    let behind = rest.get(end_of_token(rest, 0)..).unwrap_or_default();
    behind.starts_with(b" HTTP/")
}

/// Whether the next word is in capitals, as in a heading.
fn in_capitals(rest: &[u8]) -> bool {
    let length = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    length > 1 && rest.iter().take(length).all(u8::is_ascii_uppercase)
}

/// Whether a message follows a colon.
fn word_of_message(rest: &[u8]) -> bool {
    rest.strip_prefix(b": ").is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_lowercase))
}

/// What klog's predecessor puts before a line that is logged early.
const BEFORE_FLAGS: &[u8] = b"ERROR: logging before flag.Parse: ";
/// How many tokens may stand in front of a message.
const MAX_TOKENS: usize = 48;
/// Longest word that is looked at as a whole.
const MAX_WORD: usize = 40;
