//! Programs that are known by how their lines start: glog, syslog, Redis, npm.

use super::Front;
use crate::severity::{Severity, names};

/// What only stands at the very start: syslog's priority, the headers of klog and glog, Ruby's, Redis' marks.
pub(super) fn at_the_start(text: &[u8]) -> Option<Front> {
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
pub(super) fn glog(text: &[u8]) -> Option<Option<usize>> {
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
pub(super) fn syslog_priority(text: &[u8]) -> Option<Severity> {
    let end = text.iter().take(5).position(|&byte| byte == b'>')?;
    let digits = std::str::from_utf8(text.get(1..end)?).ok()?;
    let priority: u8 = digits.parse().ok().filter(|&priority| priority <= 191)?;
    names::syslog(&[b'0'.wrapping_add(priority % 8)])
}

/// `1:M 20 Nov 2026 10:00:00.000 # `: Redis writes its level as a mark behind the time (`serverLogRaw` in src/server.c). A
/// word of its own behind the mark is more.
pub(super) fn redis(text: &[u8]) -> Option<Severity> {
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
pub(super) fn npm(text: &[u8]) -> Option<Severity> {
    let rest = text.strip_prefix(b"npm ")?;
    let length = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (word, behind) = rest.split_at_checked(length)?;
    let name = names::name(word).filter(|name| !name.is_word)?;
    matches!(behind, [b' ', ..] | [b'!', b' ', ..]).then_some(name.severity)
}

/// What klog's predecessor puts before a line that is logged early.
pub(super) const BEFORE_FLAGS: &[u8] = b"ERROR: logging before flag.Parse: ";
