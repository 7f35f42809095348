//! What bytes can be and what has a shape of its own: dates with names, UUIDs and IPv6 addresses.
//!
//! Everything here looks at a bounded number of bytes.

/// A byte of the text, or 0 outside.
#[inline(always)]
pub(super) fn byte_at(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// Whether a month or weekday stands at `at` and a date goes on behind it.
pub(super) fn is_calendar(text: &[u8], at: usize) -> bool {
    let name = |at: usize| {
        let name = text.get(at..at.wrapping_add(3)).unwrap_or_default();
        name.first().is_some_and(u8::is_ascii_uppercase) && CALENDAR.iter().any(|known| *known == name)
    };
    let is_between = |at: usize| matches!(byte_at(text, at), b' ' | b',' | b'/' | b'-');
    let goes_on = |at: usize| {
        class(byte_at(text, at)) & DIGIT != 0
            || (name(at) && class(byte_at(text, at.wrapping_add(3))) & WORD == 0)
    };
    let behind = at.wrapping_add(3);
    let next = behind.wrapping_add(1);
    name(at) && is_between(behind) && (goes_on(next) || (is_between(next) && goes_on(next.wrapping_add(1))))
}

/// The end of the UUID at `from`.
#[inline(never)]
pub(super) fn uuid(text: &[u8], from: usize) -> Option<usize> {
    let end = from.wrapping_add(36);
    let shape = text.get(from..end)?;
    let fits = |(at, &byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => class(byte) & (DIGIT | HEX) != 0,
    };
    (shape.iter().enumerate().all(fits) && class(byte_at(text, end)) & WORD == 0).then_some(end)
}

/// Whether a MAC address stands at `from`: six groups of two hex digits, with colons or with dashes.
#[inline(never)]
pub(super) fn mac(text: &[u8], from: usize) -> bool {
    let separator = byte_at(text, from.wrapping_add(2));
    let fits = |(at, &byte): (usize, &u8)| match at % 3 {
        2 => byte == separator,
        _ => class(byte) & (DIGIT | HEX) != 0,
    };
    let end = from.wrapping_add(17);
    text.get(from..end).is_some_and(|shape| shape.iter().enumerate().all(fits))
        && class(byte_at(text, end)) & WORD == 0
        && byte_at(text, end) != separator
}

/// The end of the IPv6 address at `from`: groups of at most four hex digits with a `::` or seven colons, and a digit
/// somewhere, so that `fade::bed` stays two names.
#[inline(never)]
pub(super) fn ipv6(text: &[u8], from: usize) -> Option<usize> {
    let (mut colons, mut group, mut length) = (0u8, 0u8, 0usize);
    let (mut is_short, mut seen, mut previous) = (false, 0u8, 0u8);
    for &byte in text.get(from..)?.iter().take(MAX_IPV6) {
        if byte == b':' {
            if previous == b':' {
                if is_short {
                    return None;
                }
                is_short = true;
            }
            colons = colons.wrapping_add(1);
            // Seven, and one that belongs to the sentence.
            if colons > 8 {
                return None;
            }
            group = 0;
        } else if class(byte) & (DIGIT | HEX) != 0 {
            seen |= class(byte);
            group = group.wrapping_add(1);
            if group > 4 {
                return None;
            }
        } else if class(byte) & WORD != 0 {
            return None;
        } else {
            break;
        }
        previous = byte;
        length = length.wrapping_add(1);
    }
    // A single colon at the end belongs to the sentence.
    let end = from.wrapping_add(length);
    if previous == b':' && byte_at(text, end.wrapping_sub(2)) != b':' {
        length = length.wrapping_sub(1);
        colons = colons.wrapping_sub(1);
    }
    let is_address = seen & DIGIT != 0 && (colons == 7 || (is_short && colons < 7));
    (is_address && length < MAX_IPV6).then(|| from.wrapping_add(length))
}

/// Before these a date goes on, or it is a word.
const CALENDAR: [&[u8; 3]; 19] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec", b"Mon",
    b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun",
];
/// One more than the longest address, which has eight groups of four.
const MAX_IPV6: usize = 40;

/// A decimal digit.
pub(super) const DIGIT: u8 = 1;
/// A letter that is also a hex digit.
pub(super) const HEX: u8 = 2;
/// Another letter.
pub(super) const LETTER: u8 = 4;
/// What pieces are made of.
pub(super) const WORD: u8 = DIGIT | HEX | LETTER;
/// A letter that Kubernetes' random names do not have.
pub(super) const NAMED: u8 = 8;
/// Blanks of one line.
pub(super) const BLANK: u8 = 16;
/// Something that may be more than itself.
pub(super) const SPECIAL: u8 = 32;
/// Between two values that are one.
pub(super) const JOINT: u8 = 64;
/// A sign behind it belongs to a number.
pub(super) const OPENING: u8 = 128;

/// What a byte can be, as bits.
#[inline(always)]
pub(super) fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

static CLASSES: [u8; 256] = classes();

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // While compiling.
const fn classes() -> [u8; 256] {
    let mut classes = [0u8; 256];
    let mut byte = 0usize;
    while byte < 256 {
        let character = byte as u8;
        classes[byte] = match character {
            b'0'..=b'9' => DIGIT,
            b'a' | b'e' | b'A'..=b'F' => HEX | NAMED,
            b'b'..=b'd' | b'f' => HEX,
            b'i' | b'o' | b'u' | b'y' | b'G'..=b'Z' => LETTER | NAMED,
            b'g'..=b'z' => LETTER,
            b' ' | b'\t' | b'\r' | 0x0b | 0x0c => BLANK | JOINT | OPENING,
            b'"' | b'\'' | b'`' | b'?' | b'&' | 0x1b => SPECIAL,
            b'+' | b'-' => SPECIAL | JOINT,
            b':' => SPECIAL | JOINT | OPENING,
            b',' => JOINT | OPENING,
            b'=' | b'(' | b'[' | b'{' | b'<' => OPENING,
            b'/' => SPECIAL | JOINT,
            b';' | b'.' | b'_' | b'|' => JOINT,
            _ => 0,
        };
        byte += 1;
    }
    classes
}
