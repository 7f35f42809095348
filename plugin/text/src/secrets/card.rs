//! Card numbers: digits that begin as an issuer's do and whose check digit is right.
//!
//! Source: ISO/IEC 7812-1 (Luhn's formula), and the issuers' published ranges.

use super::{before, is_word, run};
use std::ops::Range;

/// All numbers of cards, in one row or in groups.
pub(super) fn cards(text: &[u8], hits: &mut Vec<Range<usize>>) {
    let mut at = 0usize;
    while let Some(rest) = text.get(at..) {
        let Some(skipped) = rest.iter().position(u8::is_ascii_digit) else { return };
        let start = at.wrapping_add(skipped);
        let digits = run(text, start, |byte| byte.is_ascii_digit());
        at = start.wrapping_add(digits);
        let is_glued = match before(text, start) {
            Some(b'.') => before(text, start.wrapping_sub(1)).is_some_and(|byte| byte.is_ascii_digit()),
            Some(byte) => is_word(byte),
            None => false,
        };
        if is_glued {
            continue;
        }
        let found = match digits {
            4 => grouped(text, start),
            13..=19 => ends(text, at).then_some(at).filter(|end| is_card(text, start, *end)),
            _ => None,
        };
        if let Some(end) = found {
            hits.push(start..end);
            at = end;
        }
    }
}

/// The end of a number in groups with the same sign between them.
fn grouped(text: &[u8], start: usize) -> Option<usize> {
    let sign = *text.get(start.wrapping_add(4))?;
    if sign != b' ' && sign != b'-' {
        return None;
    }
    // An issuer's first digits, before anything else is looked at.
    if !matches!(text.get(start), Some(b'2'..=b'6')) {
        return None;
    }
    let group = |at: usize| run(text, at, |byte| byte.is_ascii_digit());
    let behind = |end: usize| (text.get(end) == Some(&sign)).then_some(end.wrapping_add(1));
    let second = start.wrapping_add(5);
    let is_number = |end: usize| ends(text, end) && is_card(text, start, end);
    match group(second) {
        6 => {
            let third = behind(second.wrapping_add(6))?;
            let end = third.wrapping_add(group(third).min(6));
            is_number(end).then_some(end)
        }
        4 => {
            let third = behind(second.wrapping_add(4)).filter(|third| group(*third) == 4)?;
            let fourth = behind(third.wrapping_add(4)).filter(|fourth| group(*fourth) == 4)?;
            let end = fourth.wrapping_add(4);
            let longer = behind(end).and_then(|fifth| {
                let digits = group(fifth);
                (1..=3).contains(&digits).then_some(fifth.wrapping_add(digits))
            });
            longer.filter(|end| is_number(*end)).or_else(|| is_number(end).then_some(end))
        }
        _ => None,
    }
}

/// Whether a number may end here.
fn ends(text: &[u8], end: usize) -> bool {
    text.get(end).is_none_or(|next| !is_word(*next))
}

/// Whether the digits in here are those of a card.
fn is_card(text: &[u8], start: usize, end: usize) -> bool {
    let digits = || text.get(start..end).unwrap_or_default().iter().filter(|byte| byte.is_ascii_digit());
    let length = digits().count();
    let prefix =
        digits().take(4).fold(0u32, |sum, digit| sum.wrapping_mul(10).wrapping_add(u32::from(digit & 15)));
    is_issued(prefix, length) && is_checked(digits().rev())
}

/// Whether an issuer has numbers of this length that begin with these four digits.
fn is_issued(prefix: u32, length: usize) -> bool {
    match prefix {
        4000..=4999 => matches!(length, 13 | 16 | 19),
        5100..=5599 | 2221..=2720 => length == 16,
        3400..=3499 | 3700..=3799 => length == 15,
        3000..=3059 | 3600..=3699 | 3800..=3999 => length == 14,
        6011 | 6200..=6299 | 6440..=6599 | 3528..=3589 => (16..=19).contains(&length),
        _ => false,
    }
}

/// Luhn's formula, from the last digit on.
fn is_checked<'d>(digits: impl Iterator<Item = &'d u8>) -> bool {
    let sum = digits.enumerate().fold(0u32, |sum, (place, digit)| {
        let digit = u32::from(digit & 15);
        let digit = if place % 2 == 0 { digit } else { digit.wrapping_mul(2) };
        sum.wrapping_add(if digit > 9 { digit.wrapping_sub(9) } else { digit })
    });
    sum % 10 == 0
}
