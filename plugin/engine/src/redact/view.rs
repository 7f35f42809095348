//! A text with its escapes resolved as far as they matter to a search, and where each part of it is written.
//!
//! Lines bring JSON along that is no JSON as a whole: behind a prefix, cut off, nested deeper than is looked. What is sought in it may be
//! written `a\u0040b.example`, and a line break in front of it is the letter `n`.

use std::borrow::Cow;
use std::ops::Range;

/// A text as it is searched.
pub(super) struct View<'t> {
    pub(super) text: Cow<'t, [u8]>,
    /// Where parts start, in the view and in the text; none where both are the same.
    parts: Vec<(usize, usize)>,
    written: usize,
}

impl<'t> View<'t> {
    pub(super) fn of(text: &'t [u8]) -> View<'t> {
        let mut view = View { text: Cow::Borrowed(text), parts: Vec::new(), written: text.len() };
        let mut resolved: Vec<u8> = Vec::new();
        let (mut from, mut copied) = (0usize, 0usize);
        while let Some(first) = crate::swar::find_either(text, from, b'\\', ESCAPE) {
            let row = crate::swar::leading(text.get(first..).unwrap_or_default(), b'\\');
            let letter = first.wrapping_add(row);
            from = letter;
            let found =
                if row == 0 { Some((ESCAPE, 1)) } else { escape(text.get(letter..).unwrap_or_default()) };
            let Some((mut character, mut length)) = found else { continue };
            if character == ESCAPE {
                // The letter that ends a colour is not glued to what it colours.
                length = length
                    .wrapping_add(sequence(text.get(letter.wrapping_add(length)..).unwrap_or_default()));
                character = b'\n';
            }
            resolved.extend_from_slice(text.get(copied..first).unwrap_or_default());
            view.parts.push((resolved.len(), first));
            resolved.push(character);
            from = letter.wrapping_add(length);
            copied = from;
            view.parts.push((resolved.len(), copied));
        }
        if !view.parts.is_empty() {
            resolved.extend_from_slice(text.get(copied..).unwrap_or_default());
            view.text = Cow::Owned(resolved);
        }
        view
    }

    /// Whether it differs from what is written.
    pub(super) fn is_resolved(&self) -> bool {
        !self.parts.is_empty()
    }

    /// Where a part of the view is written.
    pub(super) fn written(&self, part: Range<usize>) -> Range<usize> {
        let start = self.place(part.start);
        let end = if part.end >= self.text.len() { self.written } else { self.place(part.end) };
        start..end
    }

    fn place(&self, at: usize) -> usize {
        let behind = self.parts.partition_point(|(start, _)| *start <= at);
        match behind.checked_sub(1).and_then(|last| self.parts.get(last)) {
            Some((start, written)) => written.wrapping_add(at.wrapping_sub(*start)),
            None => at,
        }
    }
}

/// How long the ANSI sequence is that an escape character begins, without that.
fn sequence(rest: &[u8]) -> usize {
    let Some(parameters) = rest.strip_prefix(b"[") else { return 0 };
    let length =
        parameters.iter().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b'?')).count();
    if parameters.get(length).is_some_and(u8::is_ascii_alphabetic) { length.wrapping_add(2) } else { 1 }
}

/// The character that an escape stands for, and its length behind the backslashes.
fn escape(rest: &[u8]) -> Option<(u8, usize)> {
    match rest {
        [b'n' | b'r' | b't', ..] => Some((b'\n', 1)),
        [b'/', ..] => Some((b'/', 1)),
        [b'u', b'0', b'0', high, low, ..] => {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let character = digit(*high)?.wrapping_mul(16).wrapping_add(digit(*low)?);
            character.is_ascii().then_some((character, 5))
        }
        _ => None,
    }
}

/// What begins an ANSI sequence.
const ESCAPE: u8 = 0x1b;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_resolved_and_parts_found_again() {
        let text = br"x\\u0040y\nz\\";
        let view = View::of(text);
        assert_eq!(&*view.text, b"x@y\nz\\\\");
        assert_eq!(view.written(0..3), 0..9);
        assert_eq!(view.written(1..2), 1..8);
        assert_eq!(view.written(4..5), 11..12);
        let view = View::of(b"\x1b[31;1ma@b.de\x1b[0m c");
        assert_eq!(&*view.text, b"\na@b.de\n c");
        assert_eq!(view.written(1..7), 7..13);
        assert_eq!(&*View::of(br"\u001b[31ma@b.de\/").text, b"\na@b.de/");
        assert!(!View::of(b"plain \\ text").is_resolved());
    }

    proptest! {
        #[test]
        fn every_part_of_a_view_is_a_part_of_the_text(text in r"[ax@\\nu04]{0,30}", from in 0usize..30, length in 0usize..30) {
            let view = View::of(text.as_bytes());
            let start = from.min(view.text.len());
            let end = (start + length).min(view.text.len());
            let written = view.written(start..end);
            prop_assert!(written.start <= written.end && written.end <= text.len());
            prop_assert_eq!(view.written(0..view.text.len()), 0..text.len());
        }
    }
}
