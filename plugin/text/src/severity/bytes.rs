//! What a byte can be at the front of a line, by one look into a table.
//!
//! A front is read token by token, and a line of the oddest bytes is nothing but tokens: each byte must cost a few instructions and
//! not a comparison with every bracket there is.

use crate::head::COLOUR;

/// A letter.
pub(super) const LETTER: u8 = 1;
/// Ends a token: a blank, colour, bracket, bar or quote.
pub(super) const TOKEN_END: u8 = 2;
/// Can be in the key of a pair.
pub(super) const KEY: u8 = 4;
/// Can be in the name of what was thrown.
pub(super) const NAME: u8 = 8;
/// Can be in a number, a date or a time and what is glued to it.
pub(super) const NUMBER: u8 = 16;
/// Ends the value of a pair that has no quotes.
pub(super) const VALUE_END: u8 = 32;

/// How many bytes at the start of a text are of a class.
#[inline(always)]
pub(super) fn span(text: &[u8], class: u8) -> usize {
    text.iter().position(|byte| class_of(*byte) & class == 0).unwrap_or(text.len())
}

/// How many bytes at the start of a text are not of a class.
#[inline(always)]
pub(super) fn span_without(text: &[u8], class: u8) -> usize {
    text.iter().position(|byte| class_of(*byte) & class != 0).unwrap_or(text.len())
}

#[inline(always)]
fn class_of(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // While compiling.
static CLASSES: [u8; 256] = {
    let (mut classes, mut byte) = ([0u8; 256], 0usize);
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => LETTER | KEY | NAME | NUMBER,
            b'0'..=b'9' => KEY | NAME | NUMBER,
            b'_' => KEY | NAME | NUMBER,
            b'.' => KEY | NAME,
            b'@' => KEY | NUMBER,
            b'-' | b'/' => KEY,
            b'$' | b':' => NAME,
            b'\\' => NAME | VALUE_END,
            b'+' => NUMBER,
            b' ' | b'\t' => TOKEN_END | VALUE_END,
            COLOUR | b'[' | b']' | b'(' | b')' | b'<' | b'>' | b'{' | b'}' | b'|' | b'"' | b'\'' => TOKEN_END,
            _ => 0,
        };
        byte += 1;
    }
    classes
};
