//! Whether a word at the front of a line is the level of the line, or only a word.

use super::{Prelude, end_of_token};
use crate::head::COLOUR;
use crate::severity::{Severity, names};

/// Whether a level's name is a level where it stands.
#[inline(never)]
pub(super) fn is_level(word: &[u8], name: names::Name, behind: &[u8], passed: &Prelude) -> bool {
    let next = behind.first().copied().unwrap_or(b' ');
    if passed.bracket == 0 && next.is_ascii_alphanumeric() && !(next.is_ascii_digit() && word == b"DEBUG") {
        // A letter or digit goes on with the word.
        return false;
    }
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
#[inline(never)]
pub(super) fn one_letter(word: &[u8], behind: &[u8], passed: &Prelude) -> Option<Severity> {
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
pub(super) fn is_place(rest: &[u8]) -> bool {
    let token = rest.get(..end_of_token(rest, 0)).unwrap_or_default();
    rest.get(token.len()) == Some(&b']')
        && token.last().is_some_and(u8::is_ascii_digit)
        && token.contains(&b'.')
        && token.contains(&b':')
}

/// A level as the last part of a name: `core:error` and `Server thread/INFO` in brackets, `app.ERROR:` of Monolog,
/// `log4j:WARN `.
pub(super) fn within_token(token: &[u8], behind: &[u8], passed: &Prelude) -> Option<Severity> {
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

/// Words of a date or a stream that stand in front of a message: months, days, noon, zones, `stdout F`.
pub(super) fn is_calendar(word: &[u8], passed: &Prelude) -> bool {
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
pub(super) fn starts_with_level(rest: &[u8]) -> bool {
    let token = rest.get(..end_of_token(rest, 0)).unwrap_or_default();
    names::name(token).is_some_and(|name| !name.is_word) && token.iter().all(u8::is_ascii_uppercase)
}

/// Whether what follows is the name of a logger or a place in code rather than a sentence.
pub(super) fn names_logger(rest: &[u8]) -> bool {
    let token = rest.get(..end_of_token(rest, 0)).unwrap_or_default();
    let inner = token.strip_suffix(b":").unwrap_or(token);
    token.len() > inner.len()
        || inner.iter().any(|byte| matches!(byte, b'.' | b':')) && !inner.starts_with(b"/")
}

/// Whether a path with its protocol follows.
pub(super) fn is_request(rest: &[u8]) -> bool {
    let behind = rest.get(end_of_token(rest, 0)..).unwrap_or_default();
    behind.starts_with(b" HTTP/")
}

/// Whether the next word is in capitals, as in a heading.
pub(super) fn in_capitals(rest: &[u8]) -> bool {
    let length = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    length > 1 && rest.iter().take(length).all(u8::is_ascii_uppercase)
}

/// Whether a message follows a colon.
pub(super) fn word_of_message(rest: &[u8]) -> bool {
    rest.strip_prefix(b": ").is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_lowercase))
}
