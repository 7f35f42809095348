//! The start of a line as it reads on a terminal: escapes resolved, each ANSI sequence one byte.
//!
//! Levels, times and crash openings stand near the start of a line. Most lines have no escapes there, and are read where
//! they stand.

use crate::json::{self, Escapes};
use crate::swar;

/// Stands for an ANSI sequence: no text, and where one ends a word ends.
pub const COLOUR: u8 = 0x1b;
/// How much of a line is looked at, in bytes as written.
pub const MAX_HEAD: usize = 256;

/// The start of a line, if it reads as it stands.
///
/// The first quote of a line ends what stands in front of its message, so that a start whose first escape is that of a quote is
/// taken up to it: access logs are the most frequent lines of all. But not behind an indent, where frames have quotes in them,
/// and not where the quote is a value's or JSON's.
#[inline]
pub(crate) fn as_it_stands(raw: &[u8], escapes: Escapes) -> Option<&[u8]> {
    let start = raw.get(..MAX_HEAD.min(raw.len())).unwrap_or_default();
    if escapes == Escapes::None {
        return Some(start);
    }
    let Some(backslash) = swar::find_byte(start, 0, b'\\') else { return Some(start) };
    let is_prefix = matches!(start.first(), Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'['));
    let (before, behind) = start.split_at_checked(backslash)?;
    let ends_there = matches!(behind, [_, b'"', ..]) && !matches!(before.last(), Some(b'{' | b'=' | b'['));
    (is_prefix && ends_there).then_some(before)
}

/// The start of a line with its escapes resolved and its ANSI sequences shortened.
#[inline(never)]
pub(crate) fn resolved(raw: &[u8]) -> Vec<u8> {
    let mut text = json::unescape(json::cut(raw, MAX_HEAD));
    shorten(&mut text);
    text
}

/// Replaces every ANSI sequence by one [`COLOUR`].
pub(crate) fn shorten(text: &mut Vec<u8>) {
    let Some(first) = swar::find_byte(text, 0, 0x1b) else { return };
    let (mut from, mut to) = (first, first);
    while let Some(&byte) = text.get(from) {
        from = from.wrapping_add(1);
        let mut kept = byte;
        if byte == 0x1b {
            kept = COLOUR;
            if text.get(from) == Some(&b'[') {
                from = from.wrapping_add(1);
                while text.get(from).is_some_and(|byte| !(b'@'..=b'~').contains(byte)) {
                    from = from.wrapping_add(1);
                }
                from = from.wrapping_add(1);
            }
        }
        if let Some(place) = text.get_mut(to) {
            *place = kept;
        }
        to = to.wrapping_add(1);
    }
    text.truncate(to);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_one_byte() {
        let mut text = b"a\x1b[31;1mb\x1b[m\x1bc\x1b[3".to_vec();
        shorten(&mut text);
        assert_eq!(text, b"a\x1bb\x1b\x1bc\x1b");
    }

    #[test]
    fn a_start_reads_as_on_a_terminal() {
        for (content, expected) in
            [("plain", "plain"), (r"a\tb", "a\tb"), (r"\u001b[31mERROR\u001b[0m", "\x1bERROR\x1b")]
        {
            let line = crate::line::Line::new(content.as_bytes());
            assert_eq!(line.head(), expected.as_bytes(), "{content}");
        }
    }
}
