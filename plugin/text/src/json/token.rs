//! Where the tokens of JSON end: strings, scalars and white space, at either quoting level.
//!
//! Every byte of every record passes through here once. The rule kept: whole words first, bytes only where a word
//! does not decide.

use crate::json::Level;
use crate::json::escape::{Escapes, pass_escapes};
use crate::swar;

/// What bytes are to a scalar, as bits.
pub(super) struct ScalarBytes;

impl ScalarBytes {
    /// Ends it.
    const END: u8 = 1;
    /// Cannot be in one.
    const WRONG: u8 = 2;
    /// A letter of `nan`, `inf` or an exponent: nobody knows whether the host reads it back.
    pub(super) const ODD: u8 = 4;

    #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // While compiling.
    const fn classes() -> [u8; 256] {
        let (mut classes, mut byte) = ([0u8; 256], 0usize);
        while byte < 256 {
            classes[byte] = match byte as u8 {
                b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' | b'\\' => Self::END,
                b'"' | b'{' | b'[' | b':' => Self::WRONG,
                b'0'..=b'9' | b'-' | b'+' | b'.' => 0,
                _ => Self::ODD,
            };
            byte += 1;
        }
        classes
    }
}

static SCALAR: [u8; 256] = ScalarBytes::classes();

/// How long the scalar is that a text starts with, and what bytes of it are; `None` where it does not end or has what no scalar
/// has.
#[inline]
pub(super) fn scalar_length(rest: &[u8]) -> Option<(usize, u8)> {
    let (mut left, mut seen) = (rest, 0u8);
    while let Some((word, behind)) = left.split_first_chunk::<8>()
        && swar::are_digits(*word)
    {
        left = behind;
    }
    let mut length = rest.len().wrapping_sub(left.len());
    for byte in left {
        let class = SCALAR.get(usize::from(*byte)).copied().unwrap_or(0);
        if class & (ScalarBytes::END | ScalarBytes::WRONG) != 0 {
            // A number of very many digits is one that the host may not read back.
            let is_long = if length > LONGEST_DIGITS { ScalarBytes::ODD } else { 0 };
            return (class & ScalarBytes::END != 0).then_some((length, seen | is_long));
        }
        seen |= class;
        length = length.wrapping_add(1);
    }
    None
}

/// The first byte at or after `at` that is not white space; inside quotes, `\n`, `\t` and `\r` are white space too.
#[inline]
pub fn skip_blank(text: &[u8], at: usize, level: Level) -> usize {
    match text.get(at) {
        Some(byte) if *byte > b' ' && *byte != b'\\' => at,
        Some(b'\\') if text.get(at.wrapping_add(1)) == Some(&b'"') => at,
        _ => skip_blanks(text, at, level),
    }
}

#[inline(never)]
fn skip_blanks(text: &[u8], mut at: usize, level: Level) -> usize {
    loop {
        match text.get(at) {
            Some(b' ' | b'\n' | b'\t' | b'\r') => {
                at = at.wrapping_add(1);
                if let Some(rest) = text.get(at..)
                    && matches!(rest, [b' ', b' ', ..])
                {
                    at = at.wrapping_add(swar::leading(rest, b' '));
                }
            }
            Some(b'\\') if level == Level::Quoted => match text.get(at.wrapping_add(1)) {
                Some(b'n' | b't' | b'r') => at = at.wrapping_add(2),
                _ => return at,
            },
            _ => return at,
        }
    }
}

pub(super) fn after_quote(text: &[u8], at: usize, level: Level) -> Option<usize> {
    match level {
        Level::Plain => (text.get(at) == Some(&b'"')).then(|| at.wrapping_add(1)),
        Level::Quoted => (text.get(at..at.wrapping_add(2)) == Some(b"\\\"")).then(|| at.wrapping_add(2)),
    }
}

/// Where the content of a string ends, where the text goes on, and what escapes were passed, for a string whose content
/// starts at `content`. One pass: every line is a string, and no other pass over it is needed to know its escapes.
///
/// Most escapes are those of quotes, and in a line that is JSON there is one in nearly every word: behind the first they are
/// passed eight bytes at a time, any other one by one.
#[inline]
pub(crate) fn plain_end(text: &[u8], content: usize) -> Option<(usize, usize, Escapes)> {
    let mut escapes = Escapes::None;
    let mut from = content;
    // Whether there are escapes of something else than quotes.
    let mut is_mixed = false;
    loop {
        let at = swar::find_either(text, from, b'"', b'\\')?;
        if text.get(at) == Some(&b'"') {
            return Some((at, at.wrapping_add(1), escapes));
        }
        from = at.wrapping_add(2);
        match text.get(at.wrapping_add(1)) {
            Some(b'"') if !is_mixed => {
                escapes = escapes.max(Escapes::Short);
                from = from.wrapping_add(swar::pass_quoted(text, from));
                continue;
            }
            Some(_) => {
                is_mixed = true;
                // An escape is two bytes at the least, so that this comes to an end.
                from = at.wrapping_add(pass_escapes(text.get(at..)?, &mut escapes).max(2));
            }
            None => return None,
        }
    }
}

/// The same for a string inside a string, where any backslash in it is [`Escapes::Irregular`].
pub(super) fn quoted_end(text: &[u8], content: usize) -> Option<(usize, usize, Escapes)> {
    let mut from = content;
    loop {
        let quote = swar::find_byte(text, from, b'"')?;
        let after = quote.wrapping_add(1);
        let before = text.get(content..quote)?;
        let backslashes = match before {
            [.., b'\\', b'\\', b'\\', b'\\'] => swar::trailing(before, b'\\'),
            [.., b'\\', b'\\', b'\\'] => 3,
            [.., b'\\', b'\\'] => 2,
            [.., b'\\'] => 1,
            _ => 0,
        };
        match backslashes % 4 {
            // One backslash escapes the quote for the record, every further pair is one backslash of the line.
            1 => {
                let end = quote.wrapping_sub(1);
                // Every quote that was passed stands behind one.
                let has_more =
                    from != content || swar::find_byte(text.get(content..end)?, 0, b'\\').is_some();
                return Some((end, after, if has_more { Escapes::Irregular } else { Escapes::None }));
            }
            // Unescaped: the record's own string ends here, so the line's string never did.
            0 | 2 => return None,
            _ => from = after,
        }
        // Where there is one quote of the line, there are more.
        while text.get(from..).and_then(<[u8]>::first_chunk::<4>) == Some(br#"\\\""#) {
            from = from.wrapping_add(4);
        }
    }
}

/// Where the next backslash stands.
#[inline(always)]
pub(crate) fn find_backslash(text: &[u8]) -> Option<usize> {
    let [first, second] = text.first_chunk::<16>()?.as_chunks::<8>().0 else { return None };
    let found = swar::zero_bytes(u64::from_le_bytes(*first) ^ BACKSLASHES);
    if found != 0 {
        return Some((found.trailing_zeros() / 8) as usize);
    }
    let found = swar::zero_bytes(u64::from_le_bytes(*second) ^ BACKSLASHES);
    if found != 0 {
        return Some((found.trailing_zeros() / 8).wrapping_add(8) as usize);
    }
    far_backslash(text)
}

#[inline(never)]
fn far_backslash(text: &[u8]) -> Option<usize> {
    swar::find_byte(text, 16, b'\\')
}

/// Eight backslashes.
pub(super) const BACKSLASHES: u64 = 0x5c5c_5c5c_5c5c_5c5c;
/// More digits than that are looked at whole.
const LONGEST_DIGITS: usize = 300;
