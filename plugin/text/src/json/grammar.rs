//! The grammar of JSON, read strictly: scalars, escapes, and how values nest.
//!
//! One walk for all who may not take for JSON what only looks like it: the outline of a line, the reader of files, and the
//! object that a line hands to its record. They differ in how strings are written and what becomes of them, which is what a
//! [`Grammar`] says. The walk is iterative and as deep as the grammar allows, at most 256.

use crate::swar;

/// How strings and blanks are written, and what a reader makes of strings and scalars. Every step takes what is left of a text
/// and hands on what is left behind it.
pub(super) trait Grammar<'t> {
    /// How deep containers may nest, at most 256.
    fn max_depth(&self) -> u32;

    /// What is left behind blanks.
    fn blank(rest: &'t [u8]) -> &'t [u8];

    /// What is left behind the string that `rest` starts with.
    fn string(&mut self, rest: &'t [u8]) -> Option<&'t [u8]>;

    /// What is left behind a number, `true`, `false` or `null`.
    fn scalar(&mut self, rest: &'t [u8]) -> Option<&'t [u8]>;
}

/// What is left behind a colon and the blanks around it.
#[inline(always)]
pub(super) fn colon<'t, G: Grammar<'t>>(rest: &'t [u8]) -> Option<&'t [u8]> {
    match rest {
        [b':', behind @ ..] => Some(G::blank(behind)),
        _ => match G::blank(rest) {
            [b':', behind @ ..] => Some(G::blank(behind)),
            _ => None,
        },
    }
}

/// What is left behind a value.
#[inline(always)]
pub(super) fn value<'t, G: Grammar<'t>>(grammar: &mut G, rest: &'t [u8]) -> Option<&'t [u8]> {
    match rest.first()? {
        b'{' | b'[' => container(grammar, rest),
        b'"' | b'\\' => grammar.string(rest),
        _ => grammar.scalar(rest),
    }
}

/// What is left behind the container that `rest` starts with; one bit per open container.
#[inline(never)]
fn container<'t, G: Grammar<'t>>(grammar: &mut G, mut rest: &'t [u8]) -> Option<&'t [u8]> {
    let mut objects = [0u64; 4];
    let mut depth = 0u32;
    loop {
        rest = match rest.split_first()? {
            (open @ (b'{' | b'['), inner) => {
                if depth >= grammar.max_depth() {
                    return None;
                }
                let word = objects.get_mut((depth / 64) as usize)?;
                let bit = 1u64 << (depth % 64);
                *word = if *open == b'{' { *word | bit } else { *word & !bit };
                depth = depth.wrapping_add(1);
                let inner = G::blank(inner);
                match (open, inner.split_first()?) {
                    (b'{', (b'}', behind)) | (b'[', (b']', behind)) => {
                        depth = depth.wrapping_sub(1);
                        behind
                    }
                    (b'{', _) => {
                        rest = colon::<G>(grammar.string(inner)?)?;
                        continue;
                    }
                    _ => {
                        rest = inner;
                        continue;
                    }
                }
            }
            (b'"' | b'\\', _) => grammar.string(rest)?,
            _ => grammar.scalar(rest)?,
        };
        // Behind a value: containers close until there is another one.
        loop {
            let Some(top) = depth.checked_sub(1) else { return Some(rest) };
            let is_object = objects.get((top / 64) as usize)? & (1u64 << (top % 64)) != 0;
            match (G::blank(rest).split_first()?, is_object) {
                ((b',', behind), true) => {
                    rest = colon::<G>(grammar.string(G::blank(behind))?)?;
                    break;
                }
                ((b',', behind), false) => {
                    rest = G::blank(behind);
                    break;
                }
                ((b'}', behind), true) | ((b']', behind), false) => {
                    rest = behind;
                    depth = top;
                }
                _ => return None,
            }
        }
    }
}

/// What is left behind a number, `true`, `false` or `null`.
#[inline]
pub(super) fn scalar(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [b't', b'r', b'u', b'e', behind @ ..] | [b'n', b'u', b'l', b'l', behind @ ..] => Some(behind),
        [b'f', b'a', b'l', b's', b'e', behind @ ..] => Some(behind),
        _ => number(rest),
    }
}

/// The length of the escape that `text` starts with.
pub(super) fn escape(text: &[u8]) -> Option<usize> {
    match text.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => text.get(2..6)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}

/// What is left behind the JSON number that `text` starts with.
#[inline]
pub(super) fn number(text: &[u8]) -> Option<&[u8]> {
    // Many are one digit.
    if let [b'0'..=b'9', behind @ ..] = text
        && let [b',' | b'}', ..] = behind
    {
        return Some(behind);
    }
    let unsigned = match text {
        [b'-', behind @ ..] => behind,
        _ => text,
    };
    let mut rest = digits(unsigned)?;
    // A leading zero stands alone.
    if unsigned.first() == Some(&b'0') && unsigned.len().wrapping_sub(rest.len()) > 1 {
        return None;
    }
    if let [b'.', fraction @ ..] = rest {
        rest = digits(fraction)?;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        rest = match exponent {
            [b'+' | b'-', behind @ ..] => digits(behind)?,
            _ => digits(exponent)?,
        };
    }
    Some(rest)
}

/// What is left behind a whole number of up to seven digits with a comma or a brace behind it; `None` for any other value, and where
/// less than a word is left.
#[inline(always)]
pub(super) fn behind_short_integer(text: &[u8]) -> Option<&[u8]> {
    let digits = swar::leading_digits(*text.first_chunk::<8>()?);
    if digits > 1 && text.first() == Some(&b'0') {
        return None;
    }
    let rest = text.get(digits..)?;
    (digits > 0 && matches!(rest, [b',' | b'}', ..])).then_some(rest)
}

/// What is left behind digits, of which there is at least one.
#[inline(always)]
fn digits(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        let digits = swar::leading_digits(*word);
        if digits < 8 {
            rest = rest.get(digits..)?;
            return (rest.len() < text.len()).then_some(rest);
        }
        rest = behind;
    }
    while let [b'0'..=b'9', behind @ ..] = rest {
        rest = behind;
    }
    (rest.len() < text.len()).then_some(rest)
}
