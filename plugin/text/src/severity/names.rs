//! The names of levels, and the scales of those who count them.
//!
//! Where a level has a place of its own (a key, brackets), any of these names is one. In running text some of them are
//! ordinary words: those say [`Name::is_word`].

use super::Severity;

/// A name of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) severity: Severity,
    /// Whether it is an ordinary word too, and a level only where something more says so.
    pub(super) is_word: bool,
}

/// The level that a name stands for, in any case.
pub(super) fn name(text: &[u8]) -> Option<Name> {
    // Most words have another length than all names that start so.
    let first = text.first()?.to_ascii_lowercase().wrapping_sub(b'a');
    let lengths = *LENGTHS.get(usize::from(first))?;
    if text.len() > LONGEST || lengths & (1u16 << text.len()) == 0 {
        return None;
    }
    let mut lower = [0u8; LONGEST];
    let slot = lower.get_mut(..text.len())?;
    for (to, from) in slot.iter_mut().zip(text) {
        *to = from.to_ascii_lowercase();
    }
    let sure = |severity| Some(Name { severity, is_word: false });
    let word = |severity| Some(Name { severity, is_word: true });
    // Most words are told by their first letter.
    match *slot.first()? {
        b'e' => match &*slot {
            b"error" | b"err" | b"erro" | b"eror" => sure(Severity::Error),
            b"emergency" | b"emerg" => word(Severity::Fatal),
            _ => None,
        },
        b'i' => match &*slot {
            b"info" | b"inf" | b"information" | b"informational" => sure(Severity::Info),
            _ => None,
        },
        b'w' => match &*slot {
            b"warn" | b"warning" | b"wrn" => sure(Severity::Warn),
            _ => None,
        },
        b'd' => match &*slot {
            b"debug" | b"dbug" | b"dbg" | b"debu" | b"debg" => sure(Severity::Debug),
            b"default" => word(Severity::Info),
            b"dpanic" => word(Severity::Fatal),
            _ => None,
        },
        b'f' => match &*slot {
            b"fatal" | b"ftl" | b"fata" => sure(Severity::Fatal),
            b"fail" | b"failure" => word(Severity::Error),
            b"fine" => word(Severity::Debug),
            b"finer" | b"finest" => word(Severity::Trace),
            _ => None,
        },
        b't' => match &*slot {
            b"trace" | b"trce" | b"trc" | b"trac" => word(Severity::Trace),
            _ => None,
        },
        b'c' => match &*slot {
            b"critical" | b"crit" => word(Severity::Fatal),
            b"config" => word(Severity::Debug),
            _ => None,
        },
        b's' => match &*slot {
            b"severe" => sure(Severity::Error),
            b"silly" => word(Severity::Trace),
            b"system" | b"success" => word(Severity::Info),
            _ => None,
        },
        b'n' => match &*slot {
            b"notice" | b"note" => word(Severity::Info),
            _ => None,
        },
        b'a' => (&*slot == b"alert").then_some(Name { severity: Severity::Fatal, is_word: true }),
        b'p' => match &*slot {
            b"panic" | b"pnc" => word(Severity::Fatal),
            _ => None,
        },
        b'l' => (&*slot == b"log").then_some(Name { severity: Severity::Info, is_word: true }),
        b'v' => match &*slot {
            b"verbose" | b"vrb" => word(Severity::Trace),
            _ => None,
        },
        b'h' => (&*slot == b"http").then_some(Name { severity: Severity::Debug, is_word: true }),
        _ => None,
    }
}

/// The letter that stands for a level in klog, glog, logcat, MongoDB's text and Ruby's `Logger`.
pub(super) fn letter(letter: u8) -> Option<Severity> {
    Some(match letter {
        b'I' => Severity::Info,
        b'W' => Severity::Warn,
        b'E' => Severity::Error,
        b'F' => Severity::Fatal,
        b'D' => Severity::Debug,
        b'T' | b'V' => Severity::Trace,
        _ => return None,
    })
}

/// A level as the value of a key: a name, with padding and colours around it, an offset behind it (slog's `ERROR+2`),
/// `Level(-3)` of zap, or a letter.
#[inline]
pub(super) fn value(text: &[u8]) -> Option<Severity> {
    // Most are a name and nothing else.
    match name(text) {
        Some(name) => Some(name.severity),
        None => decorated(text),
    }
}

#[inline(never)]
fn decorated(text: &[u8]) -> Option<Severity> {
    let text = uncoloured(text);
    if let [one] = text {
        return letter(one.to_ascii_uppercase());
    }
    let letters = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (word, rest) = text.split_at_checked(letters)?;
    match rest {
        [] => name(word).map(|name| name.severity),
        [b'+' | b'-', digits @ ..] if is_digits(digits) => name(word).map(|name| name.severity),
        // PostgreSQL's and MongoDB's five degrees of detail.
        [b'1'..=b'5'] if matches!(word, b"D" | b"DEBUG") => Some(Severity::Debug),
        [b'(', inner @ .., b')'] => numbered(word, inner),
        _ => None,
    }
}

/// `Level(-3)`, as zap prints a level without a name: below debug (-1) is more detail, above fatal (5) there is nothing.
pub(super) fn numbered(word: &[u8], inner: &[u8]) -> Option<Severity> {
    if !word.eq_ignore_ascii_case(b"level") {
        return None;
    }
    match inner {
        [b'-', digits @ ..] if is_digits(digits) => Some(Severity::Debug),
        [digit] => Some(match digit {
            b'0' => Severity::Info,
            b'1' => Severity::Warn,
            b'2' => Severity::Error,
            b'3'..=b'9' => Severity::Fatal,
            _ => return None,
        }),
        _ => None,
    }
}

/// pino and bunyan, by tens: 10 trace, 20 debug, 30 info, 40 warn, 50 error, 60 fatal.
pub(super) fn pino(text: &[u8]) -> Option<Severity> {
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

/// syslog, GELF and journald: 0 emergency to 7 debug (RFC 5424, section 6.2.1).
pub(super) fn syslog(text: &[u8]) -> Option<Severity> {
    Some(match text {
        b"0" | b"1" | b"2" => Severity::Fatal,
        b"3" => Severity::Error,
        b"4" => Severity::Warn,
        b"5" | b"6" => Severity::Info,
        b"7" => Severity::Debug,
        _ => return None,
    })
}

/// OpenTelemetry's `SeverityNumber`: 1 to 24, four to a level.
pub(super) fn otel(text: &[u8]) -> Option<Severity> {
    let number: u8 = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(match number {
        1..=4 => Severity::Trace,
        5..=8 => Severity::Debug,
        9..=12 => Severity::Info,
        13..=16 => Severity::Warn,
        17..=20 => Severity::Error,
        21..=24 => Severity::Fatal,
        _ => return None,
    })
}

/// Python's `levelno`: 10 debug, 20 info, 30 warning, 40 error, 50 critical.
pub(super) fn python(text: &[u8]) -> Option<Severity> {
    Some(match text {
        b"10" => Severity::Debug,
        b"20" => Severity::Info,
        b"30" => Severity::Warn,
        b"40" => Severity::Error,
        b"50" => Severity::Fatal,
        _ => return None,
    })
}

/// Without blanks around it and without ANSI sequences at both ends, written as they are or as JSON's `\u001b`.
fn uncoloured(text: &[u8]) -> &[u8] {
    let mut text = text.trim_ascii();
    while let Some(rest) =
        ["\x1b[", "\\u001b[", "\\\\u001b["].iter().find_map(|start| text.strip_prefix(start.as_bytes()))
    {
        let end = rest.iter().take(16).position(u8::is_ascii_alphabetic).map_or(0, |at| at.wrapping_add(1));
        text = rest.get(end..).unwrap_or_default().trim_ascii();
    }
    let end = text.iter().position(|byte| matches!(byte, 0x1b | b'\\')).unwrap_or(text.len());
    text.get(..end).unwrap_or_default().trim_ascii()
}

fn is_digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// The lengths of the names that start with each letter, a bit for each.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // While compiling.
const LENGTHS: [u16; 26] = {
    let mut lengths = [0u16; 26];
    lengths[b'e' as usize - b'a' as usize] = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 9;
    lengths[b'i' as usize - b'a' as usize] = 1 << 3 | 1 << 4 | 1 << 11 | 1 << 13;
    lengths[b'w' as usize - b'a' as usize] = 1 << 3 | 1 << 4 | 1 << 7;
    lengths[b'd' as usize - b'a' as usize] = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7;
    lengths[b'f' as usize - b'a' as usize] = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7;
    lengths[b't' as usize - b'a' as usize] = 1 << 3 | 1 << 4 | 1 << 5;
    lengths[b'c' as usize - b'a' as usize] = 1 << 4 | 1 << 6 | 1 << 8;
    lengths[b's' as usize - b'a' as usize] = 1 << 5 | 1 << 6 | 1 << 7;
    lengths[b'n' as usize - b'a' as usize] = 1 << 4 | 1 << 6;
    lengths[b'a' as usize - b'a' as usize] = 1 << 5;
    lengths[b'p' as usize - b'a' as usize] = 1 << 3 | 1 << 5;
    lengths[b'l' as usize - b'a' as usize] = 1 << 3;
    lengths[b'v' as usize - b'a' as usize] = 1 << 3 | 1 << 7;
    lengths[b'h' as usize - b'a' as usize] = 1 << 4;
    lengths
};

/// The longest name: `informational`.
const LONGEST: usize = 13;

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantees: no name is passed by for its length. The list is that of the source.
    #[test]
    fn every_name_has_its_letter_and_length_in_the_table() {
        let source = include_str!("names.rs");
        let body = source.split("match *slot.first()? {").nth(1).unwrap().split("\n}\n").next().unwrap();
        let names: Vec<&str> = body.split(" b\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(names.len() > 40, "{names:?}");
        for known in names {
            assert!(name(known.as_bytes()).is_some(), "{known}");
            assert!(name(known.to_uppercase().as_bytes()).is_some(), "{known}");
        }
    }
}
