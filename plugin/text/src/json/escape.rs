//! Escapes of JSON strings: written, resolved, and never cut in two.

use crate::swar;

mod blocks;
mod pass;

pub(crate) use pass::pass_escapes;

/// Which escapes a string contains, from harmless to inconvenient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Escapes {
    /// None: the text is its own meaning.
    None,
    /// Only the short ones and `\u` of control characters below U+0020: each character has one spelling.
    Short,
    /// The same, and escaped backslashes: what the text means may have escapes of its own.
    Nested,
    /// Also `\u` of characters beyond ASCII: ASCII still has one spelling, the rest has two.
    Wide,
    /// `\/` or `\u` of a printable ASCII character, which no printer we know writes: anything may have two spellings.
    Irregular,
}

impl Escapes {
    /// The escapes of a string's content.
    pub fn of(content: &[u8]) -> Escapes {
        let mut worst = Escapes::None;
        let mut from = 0usize;
        while let Some(backslash) = swar::find_byte(content, from, b'\\') {
            worst = worst.max(Escapes::at(content, backslash));
            from = backslash.wrapping_add(2);
        }
        worst
    }

    /// The kind of the one escape at `backslash`.
    #[inline]
    pub(super) fn at(content: &[u8], backslash: usize) -> Escapes {
        match content.get(backslash.wrapping_add(1)) {
            Some(b'"' | b'n' | b't' | b'r' | b'b' | b'f') => Escapes::Short,
            Some(b'\\') => Escapes::Nested,
            Some(b'u') => match content.get(backslash.wrapping_add(2)..backslash.wrapping_add(5)) {
                Some([b'0', b'0', b'0' | b'1']) => Escapes::Short,
                Some([b'0', b'0', b'2'..=b'7']) | None => Escapes::Irregular,
                Some(_) => Escapes::Wide,
            },
            _ => Escapes::Irregular,
        }
    }
}

/// Whether a string inside a string may have a UTF-16 unit of its own, `\\u0041`: then any character in it may have two spellings.
pub fn has_nested_units(content: &[u8]) -> bool {
    let mut from = 0usize;
    while let Some(at) = swar::find_pair(content, from, (2, b'u'), (1, b'\\'), 3) {
        if content.get(at) == Some(&b'\\') {
            return true;
        }
        from = at.wrapping_add(1);
    }
    false
}

/// Appends `content` as a JSON string with its quotes.
///
/// Control characters, quotes and backslashes are escaped (RFC 8259, section 7); all other bytes stay, so the result
/// is valid JSON when `content` is UTF-8.
pub fn push_string(out: &mut Vec<u8>, content: &[u8]) {
    out.push(b'"');
    let mut rest = content;
    while let Some(at) = swar::find_special(rest) {
        let (plain, special) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let Some((byte, behind)) = special.split_first() else { break };
        rest = behind;
        match *byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                let hex = |digit: u8| *HEX.get(usize::from(digit)).unwrap_or(&b'0');
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
            }
            byte => out.push(byte),
        }
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// The content of a JSON string with its escapes resolved.
pub fn unescape(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len());
    unescape_into(content, &mut out);
    out
}

/// As [`unescape`], into a buffer that is cleared first.
///
/// A lone surrogate becomes U+FFFD; an escape that JSON does not know stays as it is.
pub fn unescape_into(content: &[u8], out: &mut Vec<u8>) {
    out.clear();
    resolve(content, usize::MAX, out);
}

/// As [`unescape`], of as much as gives `enough` bytes, and maybe some more.
pub fn unescape_start(content: &[u8], enough: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len().min(enough).wrapping_add(32));
    resolve(content, enough, &mut out);
    out
}

/// Appends a content with its escapes resolved, until there is enough of it.
///
/// Words are written as they stand, and what is behind an escape over what was written too much: where there is one escape, the next
/// is near.
fn resolve(content: &[u8], enough: usize, out: &mut Vec<u8>) {
    let base = out.len();
    // Nothing takes more bytes than it is written with.
    let room = content.len().min(enough.saturating_add(SPARE));
    out.resize(base.saturating_add(room), 0);
    let mut to = out.get_mut(base..).unwrap_or_default();
    let (mut rest, mut plain_words) = (content, 0u8);
    while room.wrapping_sub(to.len()) < enough {
        let (Some(word), Some(place)) = (rest.first_chunk::<8>(), to.first_chunk_mut::<8>()) else {
            let Some((read, written)) = resolve_few(rest, to) else { break };
            rest = rest.get(read..).unwrap_or_default();
            to = behind(to, written);
            continue;
        };
        *place = *word;
        plain_words = plain_words.wrapping_add(1);
        let found = swar::zero_bytes(u64::from_le_bytes(*word) ^ BACKSLASHES);
        if found == 0 && plain_words < 4 {
            rest = rest.get(8..).unwrap_or_default();
            to = behind(to, 8);
            continue;
        }
        plain_words = 0;
        if found == 0 {
            // A long row without escapes, as far as there is room.
            let row = swar::find_byte(rest, 8, b'\\').unwrap_or(rest.len()).min(to.len());
            if let (Some(from), Some(place)) = (rest.get(8..row), to.get_mut(8..row)) {
                place.copy_from_slice(from);
            }
            rest = rest.get(row..).unwrap_or_default();
            to = behind(to, row);
            continue;
        }
        let plain = (found.trailing_zeros() / 8) as usize;
        rest = rest.get(plain..).unwrap_or_default();
        to = behind(to, plain);
        // Those that stand one behind the other.
        while let [b'\\', letter, ..] = rest
            && let Some(place) = to.first_mut()
        {
            match SHORT.get(usize::from(*letter)) {
                Some(meant @ 1..) => {
                    *place = *meant;
                    rest = rest.get(2..).unwrap_or_default();
                    to = behind(to, 1);
                }
                _ => {
                    let Some((read, written)) = resolve_few(rest, to) else { break };
                    rest = rest.get(read..).unwrap_or_default();
                    to = behind(to, written);
                }
            }
        }
    }
    let unused = to.len();
    out.truncate(out.len().saturating_sub(unused));
}

/// What is left of a place to write to.
#[inline(always)]
fn behind(to: &mut [u8], length: usize) -> &mut [u8] {
    to.get_mut(length..).unwrap_or_default()
}

/// Writes what the first byte, escape or row of UTF-16 units stands for; how much was read and written, or `None` where nothing is left
/// of one of them.
#[inline(never)]
fn resolve_few(rest: &[u8], to: &mut [u8]) -> Option<(usize, usize)> {
    let place = to.first_mut()?;
    let (read, meant) = match rest {
        [] => return None,
        [b'\\', b'u', ..] => match ascii_units(rest, to) {
            (0, _) => unit(rest),
            passed => return Some(passed),
        },
        [b'\\', letter, ..] => match SHORT.get(usize::from(*letter)) {
            Some(meant @ 1..) => (2, Meant::of(&[*meant])),
            _ => (2, Meant::of(&[b'\\', *letter])),
        },
        [byte, ..] => {
            *place = *byte;
            return Some((1, 1));
        }
    };
    let length = meant.length.min(to.len());
    to.get_mut(..length)?.copy_from_slice(meant.bytes.get(..length)?);
    Some((read, length))
}

/// Writes what the UTF-16 units at the start stand for, where they are ASCII and something follows: most are control characters, and of
/// those there are many. How much was read and written.
#[inline(always)]
fn ascii_units(escapes: &[u8], to: &mut [u8]) -> (usize, usize) {
    let mut rest = escapes;
    let mut written = 0usize;
    for place in to {
        let Some(unit) = rest.first_chunk::<8>() else { break };
        let unit = u64::from_le_bytes(*unit);
        if unit & ASCII_UNIT_MASK != ASCII_UNIT {
            break;
        }
        let Some(low @ 0..16) = DIGITS.get(usize::from((unit >> 40) as u8)) else { break };
        *place = (unit >> 28 & 0x70) as u8 | low;
        written = written.wrapping_add(1);
        rest = rest.get(6..).unwrap_or_default();
    }
    (escapes.len().wrapping_sub(rest.len()), written)
}

/// The few bytes that an escape stands for.
struct Meant {
    bytes: [u8; 6],
    length: usize,
}

impl Meant {
    fn of(text: &[u8]) -> Meant {
        let mut bytes = [0; 6];
        bytes.iter_mut().zip(text).for_each(|(to, byte)| *to = *byte);
        Meant { bytes, length: text.len().min(6) }
    }
}

/// What a UTF-16 unit, or a pair of them, stands for, and its length as written. What is no unit stands for itself.
#[inline(never)]
fn unit(written: &[u8]) -> (usize, Meant) {
    let Some(first) = code_unit(written, 0) else {
        let meant = Meant::of(written);
        return (meant.length, meant);
    };
    let length = escape_length(written, 0);
    let second = if length == 12 { code_unit(written, 6) } else { None };
    let decoded = char::decode_utf16([first].into_iter().chain(second)).next();
    let character = decoded.and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER);
    (length, Meant::of(character.encode_utf8(&mut [0; 4]).as_bytes()))
}

/// The longest start of a string's content that is at most `limit` bytes and cuts neither an escape, nor a surrogate
/// pair, nor a UTF-8 character.
///
/// Only what stands around the limit is looked at: of an escape there, the backslash is found from behind, and whether the run of
/// backslashes that it ends makes it one.
pub fn cut(content: &[u8], limit: usize) -> &[u8] {
    if content.len() <= limit {
        return content;
    }
    let start = content.get(..limit.saturating_sub(LONGEST)).unwrap_or_default();
    // An escape that starts before the last backslash of this start ends before the limit.
    let near = start.get(start.len().saturating_sub(LONGEST)..).unwrap_or_default();
    let mut from = match near.iter().rposition(|byte| *byte == b'\\') {
        None => start.len(),
        Some(last) => {
            let behind = start.len().wrapping_sub(near.len()).wrapping_add(last).wrapping_add(1);
            let run = swar::trailing(start.get(..behind).unwrap_or_default(), b'\\');
            if run % 2 == 1 { behind.wrapping_sub(1) } else { behind }
        }
    };
    let mut end = limit;
    while let Some(backslash) = swar::find_byte(content.get(..limit).unwrap_or_default(), from, b'\\') {
        from = backslash.wrapping_add(escape_length(content, backslash));
        if from > limit {
            end = backslash;
            break;
        }
    }
    // A continuation byte right behind the cut means that the cut stands inside a character.
    while end > 0 && content.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end = end.wrapping_sub(1);
    }
    content.get(..end).unwrap_or_default()
}

/// The bytes of the escape at `backslash`; a surrogate pair counts as one escape of 12.
fn escape_length(content: &[u8], backslash: usize) -> usize {
    if content.get(backslash.wrapping_add(1)) != Some(&b'u') {
        return 2;
    }
    let next = backslash.wrapping_add(6);
    let high = code_unit(content, backslash).is_some_and(|unit| unit & 0xfc00 == 0xd800);
    let low = || code_unit(content, next).is_some_and(|unit| unit & 0xfc00 == 0xdc00);
    if high && low() { 12 } else { 6 }
}

/// The unit of UTF-16 that the escape at `backslash` stands for.
#[inline]
pub(super) fn code_unit(content: &[u8], backslash: usize) -> Option<u16> {
    let [b'\\', b'u', digits @ ..] = content.get(backslash..)?.first_chunk::<6>()? else { return None };
    let digit = |byte: u8| u16::from(DIGITS.get(usize::from(byte)).copied().unwrap_or(NO_DIGIT));
    let [one, two, three, four] = digits.map(digit);
    if (one | two | three | four) & u16::from(NO_DIGIT) != 0 {
        return None;
    }
    Some(one << 12 | two << 8 | three << 4 | four)
}

/// How many bytes more than enough may be written.
const SPARE: usize = 16;
/// Eight backslashes.
const BACKSLASHES: u64 = 0x5c5c_5c5c_5c5c_5c5c;
/// What the six bytes of a unit of ASCII start with, `\u00` and a digit below 8, and the bits that say so.
const ASCII_UNIT: u64 = 0x30_3030_755c;
const ASCII_UNIT_MASK: u64 = 0xf8_ffff_ffff;
/// The longest escape: a surrogate pair.
const LONGEST: usize = 12;

/// What a letter behind a backslash stands for, 0 for none.
#[allow(clippy::indexing_slicing)] // While compiling.
static SHORT: [u8; 256] = {
    let mut letters = [0u8; 256];
    letters[b'n' as usize] = b'\n';
    letters[b't' as usize] = b'\t';
    letters[b'r' as usize] = b'\r';
    letters[b'b' as usize] = 8;
    letters[b'f' as usize] = 12;
    letters[b'"' as usize] = b'"';
    letters[b'\\' as usize] = b'\\';
    letters[b'/' as usize] = b'/';
    letters
};

/// What a hexadecimal digit is worth.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // While compiling.
static DIGITS: [u8; 256] = {
    let (mut digits, mut byte) = ([NO_DIGIT; 256], 0usize);
    while byte < 256 {
        digits[byte] = match byte as u8 {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ b'a'..=b'f' => digit - b'a' + 10,
            digit @ b'A'..=b'F' => digit - b'A' + 10,
            _ => NO_DIGIT,
        };
        byte += 1;
    }
    digits
};
const NO_DIGIT: u8 = 0x80;

const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn resolves_every_escape() {
        assert_eq!(unescape(br#"a\n\t\"\\\/\u00e9\ud83d\ude00z"#), "a\n\t\"\\/é😀z".as_bytes());
        assert_eq!(unescape(br"\ud83d!"), "\u{fffd}!".as_bytes());
        assert_eq!(unescape(br"\x\u12"), br"\x\u12");
    }

    #[test]
    fn cuts_on_a_boundary() {
        assert_eq!(cut(b"abc", 3), b"abc");
        assert_eq!(cut(br"ab\nc", 3), b"ab");
        assert_eq!(cut(br"a\ud83d\ude00b", 8), b"a");
        assert_eq!(cut("aé".as_bytes(), 2), b"a");
        assert_eq!(cut("ééé".as_bytes(), 4), "éé".as_bytes());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(text in "\\PC*|[\u{0}-\u{1f}\"\\\\/é😀]{0,12}") {
            let mut out = Vec::new();
            push_string(&mut out, text.as_bytes());
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text.clone());
            prop_assert_eq!(unescape(&out[1..out.len() - 1]), text.as_bytes());
        }

        #[test]
        fn escapes_mean_what_they_mean_to_others(
            text in "(a|é|[a-z]{17}|\\\\n|\\\\\\\\|\\\\/|(\\\\u00[0-7][0-9a-fA-F]){1,9}|\\\\u00[89a-f]0|\\\\u4e2d|\\\\ud83d\\\\ude00){0,30}",
        ) {
            let expected: String = serde_json::from_str(&format!("\"{text}\"")).unwrap();
            prop_assert_eq!(unescape(text.as_bytes()), expected.as_bytes());
        }

        /// From the start, escape by escape.
        #[test]
        fn a_cut_is_where_reading_from_the_start_has_it(
            text in "(a|é|\\\\\\\\|\\\\n|\\\\\"|\\\\u0001|\\\\ud83d\\\\ude00|\\\\ud83d|(\\\\\\\\){9}){0,30}", limit in 0usize..120,
        ) {
            let content = text.as_bytes();
            let (mut at, mut end) = (0, limit.min(content.len()));
            while at < end {
                let length = if content[at] == b'\\' { escape_length(content, at) } else { 1 };
                if at + length > end {
                    end = at;
                }
                at += length;
            }
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            prop_assert_eq!(cut(content, limit), &content[..end]);
        }

        #[test]
        fn as_much_is_resolved_as_is_enough(text in "(a|é|\\\\n|\\\\u0001|\\\\u00e9|\\\\ud83d\\\\ude00){0,30}", enough in 0usize..60) {
            let (all, start) = (unescape(text.as_bytes()), unescape_start(text.as_bytes(), enough));
            prop_assert!(all.starts_with(&start) && start.len() >= enough.min(all.len()));
        }

        #[test]
        fn every_cut_is_valid_json_and_a_start_of_the_text(text in "[a\n\"é😀\\\\]{0,12}", limit in 0usize..80, ascii in any::<bool>()) {
            let mut written = serde_json::to_string(&text).unwrap();
            if ascii {
                written = written.chars().flat_map(|c| {
                    if c.is_ascii() { vec![c] } else {
                        c.encode_utf16(&mut [0; 2]).iter().flat_map(|u| format!("\\u{u:04x}").chars().collect::<Vec<_>>()).collect()
                    }
                }).collect();
            }
            let content = &written.as_bytes()[1..written.len() - 1];
            let start = cut(content, limit);
            prop_assert!(start.len() <= limit);
            prop_assert!(content.len() <= limit || start.len() + 12 > limit);
            let quoted = [b"\"", start, b"\""].concat();
            let read: String = serde_json::from_slice(&quoted).unwrap();
            prop_assert!(text.starts_with(&read));
        }
    }
}
