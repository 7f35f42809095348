//! What a byte can be at the front of a line, by one look into a table.
//!
//! A front is read token by token, and a line of the oddest bytes is nothing but tokens: each byte must cost a few instructions and
//! not a comparison with every bracket there is.

use crate::head::COLOUR;

/// A letter.
pub(super) const LETTER: u16 = 1;
/// Ends a token: a blank, colour, bracket, bar or quote.
pub(super) const TOKEN_END: u16 = 2;
/// Can be in the key of a pair.
pub(super) const KEY: u16 = 4;
/// Can be in the name of what was thrown.
pub(super) const NAME: u16 = 8;
/// Can be in a number, a date or a time and what is glued to it.
pub(super) const NUMBER: u16 = 16;
/// Ends the value of a pair that has no quotes.
pub(super) const VALUE_END: u16 = 32;

/// Stands before the last part of a name.
pub(super) const SEPARATOR: u16 = 64;
/// Stands between a key and its value.
pub(super) const EQUALS: u16 = 128;
/// Is in no word of a sentence, whatever stands behind the word or joins two.
pub(super) const ODD: u16 = 256;

/// A line ends.
pub(super) const LINE_END: u16 = 512;
/// Everything but a letter.
pub(super) const NO_LETTER: u16 = 1024;

/// How long the token is that a text starts with, and the classes of its bytes.
#[inline(always)]
pub(super) fn token(text: &[u8]) -> (usize, u16) {
    let mut seen = 0u16;
    for (at, byte) in text.iter().enumerate() {
        let class = class_of(*byte);
        if class & TOKEN_END != 0 {
            return (at, seen);
        }
        seen |= class;
    }
    (text.len(), seen)
}

/// How many bytes at the start of a text are of a class.
#[inline(always)]
pub(super) fn span(text: &[u8], class: u16) -> usize {
    text.iter().position(|byte| class_of(*byte) & class == 0).unwrap_or(text.len())
}

/// How many bytes at the start of a text are not of a class.
#[inline(always)]
pub(super) fn span_without(text: &[u8], class: u16) -> usize {
    text.iter().position(|byte| class_of(*byte) & class != 0).unwrap_or(text.len())
}

/// The classes of a byte.
#[inline(always)]
pub(super) fn class_of(byte: u8) -> u16 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // While compiling.
static CLASSES: [u16; 256] = {
    let (mut classes, mut byte) = ([0u16; 256], 0usize);
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => LETTER | KEY | NAME | NUMBER,
            b'0'..=b'9' => KEY | NAME | NUMBER | ODD,
            b'_' => KEY | NAME | NUMBER | ODD,
            b'.' => KEY | NAME | SEPARATOR,
            b'@' => KEY | NUMBER | ODD,
            b'-' => KEY,
            b'/' => KEY | SEPARATOR | ODD,
            b'$' => NAME | ODD,
            b':' => NAME | SEPARATOR | ODD,
            b'=' => EQUALS | ODD,
            b'\\' => NAME | VALUE_END | ODD,
            b'+' => NUMBER | ODD,
            b',' | b'!' => 0,
            b' ' | b'\t' => TOKEN_END | VALUE_END,
            COLOUR | b'[' | b']' | b'(' | b')' | b'<' | b'>' | b'{' | b'}' | b'|' | b'"' | b'\'' => TOKEN_END,
            b'\n' => LINE_END | ODD,
            _ => ODD,
        };
        if !(byte as u8).is_ascii_alphabetic() {
            classes[byte] |= NO_LETTER;
        }
        byte += 1;
    }
    classes
};
