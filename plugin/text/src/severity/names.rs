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
    let Some(folded) = folded(text) else { return long_name(text) };
    if text.len() < 5 { short_name(folded) } else { whole_name(folded) }
}

const fn sure(severity: Severity) -> Option<Name> {
    Some(Name { severity, is_word: false })
}

const fn word(severity: Severity) -> Option<Name> {
    Some(Name { severity, is_word: true })
}

/// A name of at most four letters.
///
/// Apart from longer ones, since an interpreter keeps the constants of a function on its stack, and of what is called last it wants
/// room for twice as much.
#[inline(never)]
fn short_name(folded: u64) -> Option<Name> {
    match folded {
        ERR | ERRO | EROR => sure(Severity::Error),
        INFO | INF => sure(Severity::Info),
        WARN | WRN => sure(Severity::Warn),
        DBUG | DBG | DEBU | DEBG => sure(Severity::Debug),
        FTL | FATA => sure(Severity::Fatal),
        FAIL => word(Severity::Error),
        FINE => word(Severity::Debug),
        TRCE | TRC | TRAC => word(Severity::Trace),
        CRIT => word(Severity::Fatal),
        NOTE => word(Severity::Info),
        PNC => word(Severity::Fatal),
        LOG => word(Severity::Info),
        VRB => word(Severity::Trace),
        HTTP => word(Severity::Debug),
        _ => None,
    }
}

/// A name of five to eight letters.
#[inline(never)]
fn whole_name(folded: u64) -> Option<Name> {
    match folded {
        ERROR => sure(Severity::Error),
        EMERG => word(Severity::Fatal),
        WARNING => sure(Severity::Warn),
        DEBUG => sure(Severity::Debug),
        DEFAULT => word(Severity::Info),
        DPANIC => word(Severity::Fatal),
        FATAL => sure(Severity::Fatal),
        FAILURE => word(Severity::Error),
        FINER | FINEST => word(Severity::Trace),
        TRACE => word(Severity::Trace),
        CRITICAL => word(Severity::Fatal),
        CONFIG => word(Severity::Debug),
        SEVERE => sure(Severity::Error),
        SILLY => word(Severity::Trace),
        SYSTEM | SUCCESS => word(Severity::Info),
        NOTICE => word(Severity::Info),
        ALERT => word(Severity::Fatal),
        PANIC => word(Severity::Fatal),
        VERBOSE => word(Severity::Trace),
        _ => None,
    }
}

/// A name of more than eight letters.
fn long_name(text: &[u8]) -> Option<Name> {
    let is = |name: &[u8]| text.eq_ignore_ascii_case(name);
    if is(b"information") || is(b"informational") {
        return Some(Name { severity: Severity::Info, is_word: false });
    }
    is(b"emergency").then_some(Name { severity: Severity::Fatal, is_word: true })
}

/// A text of at most eight bytes as a number, in lower case; what is no letter does not become one.
#[inline(always)]
pub(super) const fn folded(text: &[u8]) -> Option<u64> {
    let bytes = match text {
        [] => 0,
        [a] => u64::from_le_bytes([*a, 0, 0, 0, 0, 0, 0, 0]),
        [a, b] => u64::from_le_bytes([*a, *b, 0, 0, 0, 0, 0, 0]),
        [a, b, c] => u64::from_le_bytes([*a, *b, *c, 0, 0, 0, 0, 0]),
        _ if text.len() <= 8 => {
            let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) else {
                return None;
            };
            let shift = (text.len() as u32).wrapping_sub(4).wrapping_mul(8);
            u32::from_le_bytes(*first) as u64 | (u32::from_le_bytes(*last) as u64).wrapping_shl(shift)
        }
        _ => return None,
    };
    // Of two letters one is the other with this bit, and no other byte becomes a letter by it.
    let all = u64::MAX.wrapping_shr(64u32.wrapping_sub((text.len() as u32).wrapping_mul(8)));
    Some(bytes | 0x2020_2020_2020_2020 & if text.is_empty() { 0 } else { all })
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
    let is_end = |(at, byte): (usize, &u8)| match byte {
        0x1b => true,
        b'\\' => !is_beyond_ascii(text.get(at..).unwrap_or_default()),
        _ => false,
    };
    let end = text.iter().enumerate().position(is_end).unwrap_or(text.len());
    text.get(..end).unwrap_or_default().trim_ascii()
}

/// Whether an escape stands for a character beyond ASCII, which a host may write either way: it is part of the word, as the character is.
fn is_beyond_ascii(escape: &[u8]) -> bool {
    let behind = escape.iter().position(|byte| *byte != b'\\').and_then(|at| escape.get(at..));
    let digits = behind.and_then(|behind| behind.strip_prefix(b"u")).and_then(|rest| rest.get(..4));
    digits.is_some_and(|digits| {
        matches!(digits, [b'0', b'0', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', _])
            || !digits.starts_with(b"00")
    })
}

fn is_digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// The names of at most eight letters, folded.
mod short {
    use super::folded;

    const fn name(text: &[u8]) -> u64 {
        match folded(text) {
            Some(folded) => folded,
            None => 0,
        }
    }

    pub(super) const ERROR: u64 = name(b"error");
    pub(super) const ERR: u64 = name(b"err");
    pub(super) const ERRO: u64 = name(b"erro");
    pub(super) const EROR: u64 = name(b"eror");
    pub(super) const EMERG: u64 = name(b"emerg");
    pub(super) const INFO: u64 = name(b"info");
    pub(super) const INF: u64 = name(b"inf");
    pub(super) const WARN: u64 = name(b"warn");
    pub(super) const WARNING: u64 = name(b"warning");
    pub(super) const WRN: u64 = name(b"wrn");
    pub(super) const DEBUG: u64 = name(b"debug");
    pub(super) const DBUG: u64 = name(b"dbug");
    pub(super) const DBG: u64 = name(b"dbg");
    pub(super) const DEBU: u64 = name(b"debu");
    pub(super) const DEBG: u64 = name(b"debg");
    pub(super) const DEFAULT: u64 = name(b"default");
    pub(super) const DPANIC: u64 = name(b"dpanic");
    pub(super) const FATAL: u64 = name(b"fatal");
    pub(super) const FTL: u64 = name(b"ftl");
    pub(super) const FATA: u64 = name(b"fata");
    pub(super) const FAIL: u64 = name(b"fail");
    pub(super) const FAILURE: u64 = name(b"failure");
    pub(super) const FINE: u64 = name(b"fine");
    pub(super) const FINER: u64 = name(b"finer");
    pub(super) const FINEST: u64 = name(b"finest");
    pub(super) const TRACE: u64 = name(b"trace");
    pub(super) const TRCE: u64 = name(b"trce");
    pub(super) const TRC: u64 = name(b"trc");
    pub(super) const TRAC: u64 = name(b"trac");
    pub(super) const CRITICAL: u64 = name(b"critical");
    pub(super) const CRIT: u64 = name(b"crit");
    pub(super) const CONFIG: u64 = name(b"config");
    pub(super) const SEVERE: u64 = name(b"severe");
    pub(super) const SILLY: u64 = name(b"silly");
    pub(super) const SYSTEM: u64 = name(b"system");
    pub(super) const SUCCESS: u64 = name(b"success");
    pub(super) const NOTICE: u64 = name(b"notice");
    pub(super) const NOTE: u64 = name(b"note");
    pub(super) const ALERT: u64 = name(b"alert");
    pub(super) const PANIC: u64 = name(b"panic");
    pub(super) const PNC: u64 = name(b"pnc");
    pub(super) const LOG: u64 = name(b"log");
    pub(super) const VERBOSE: u64 = name(b"verbose");
    pub(super) const VRB: u64 = name(b"vrb");
    pub(super) const HTTP: u64 = name(b"http");
}
use short::*;

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
    lengths[0] = 1 << 5;
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

    use proptest::prelude::*;

    /// The names, each with its level and whether it is a word.
    const NAMES: [(&str, Severity, bool); 48] = [
        ("error", Severity::Error, false),
        ("err", Severity::Error, false),
        ("erro", Severity::Error, false),
        ("eror", Severity::Error, false),
        ("severe", Severity::Error, false),
        ("emergency", Severity::Fatal, true),
        ("emerg", Severity::Fatal, true),
        ("dpanic", Severity::Fatal, true),
        ("critical", Severity::Fatal, true),
        ("crit", Severity::Fatal, true),
        ("alert", Severity::Fatal, true),
        ("panic", Severity::Fatal, true),
        ("pnc", Severity::Fatal, true),
        ("info", Severity::Info, false),
        ("inf", Severity::Info, false),
        ("information", Severity::Info, false),
        ("informational", Severity::Info, false),
        ("warn", Severity::Warn, false),
        ("warning", Severity::Warn, false),
        ("wrn", Severity::Warn, false),
        ("debug", Severity::Debug, false),
        ("dbug", Severity::Debug, false),
        ("dbg", Severity::Debug, false),
        ("debu", Severity::Debug, false),
        ("debg", Severity::Debug, false),
        ("default", Severity::Info, true),
        ("system", Severity::Info, true),
        ("success", Severity::Info, true),
        ("notice", Severity::Info, true),
        ("note", Severity::Info, true),
        ("log", Severity::Info, true),
        ("fatal", Severity::Fatal, false),
        ("ftl", Severity::Fatal, false),
        ("fata", Severity::Fatal, false),
        ("fail", Severity::Error, true),
        ("failure", Severity::Error, true),
        ("fine", Severity::Debug, true),
        ("config", Severity::Debug, true),
        ("http", Severity::Debug, true),
        ("finer", Severity::Trace, true),
        ("finest", Severity::Trace, true),
        ("trace", Severity::Trace, true),
        ("trce", Severity::Trace, true),
        ("trc", Severity::Trace, true),
        ("trac", Severity::Trace, true),
        ("silly", Severity::Trace, true),
        ("verbose", Severity::Trace, true),
        ("vrb", Severity::Trace, true),
    ];

    #[test]
    fn every_name_is_one_in_any_case() {
        for (text, severity, is_word) in NAMES {
            for text in
                [text.to_owned(), text.to_uppercase(), format!("{}{}", &text[..1].to_uppercase(), &text[1..])]
            {
                assert_eq!(name(text.as_bytes()), Some(Name { severity, is_word }), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_else_is_a_name(
            at in 0..NAMES.len(), place in any::<prop::sample::Index>(), byte in any::<u8>(), is_longer in any::<bool>(),
        ) {
            let mut text = NAMES[at].0.as_bytes().to_vec();
            let place = place.index(text.len());
            if is_longer { text.insert(place, byte) } else { text[place] = byte }
            let known = NAMES.iter().find(|(name, _, _)| text.eq_ignore_ascii_case(name.as_bytes()));
            prop_assert_eq!(name(&text), known.map(|(_, severity, is_word)| Name { severity: *severity, is_word: *is_word }));
        }
    }
}
