//! Addresses: of people, and of machines.

use super::{before, is_word, run};
use crate::swar;
use std::net::Ipv6Addr;
use std::ops::Range;

/// `local@label.label`: each byte is looked at once from each of the two signs around it.
pub(super) fn emails(text: &[u8], hits: &mut Vec<Range<usize>>) {
    let mut free = 0usize;
    let mut from = 0usize;
    while let Some(at) = swar::find_byte(text, from, b'@') {
        from = at.wrapping_add(1);
        let local = text.get(free..at).unwrap_or_default();
        let length = local.iter().rev().take_while(|byte| is_local(**byte)).count();
        free = from;
        if length == 0 {
            continue;
        }
        if let Some(end) = domain_end(text, from) {
            hits.push(at.wrapping_sub(length)..end);
            (from, free) = (end, end);
        }
    }
}

/// The end of the domain that starts here: the last label that can be a top level one.
fn domain_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    let mut found = None;
    let mut labels = 0u32;
    loop {
        let length = run(text, at, is_label);
        if length == 0 {
            return found;
        }
        let end = at.wrapping_add(length);
        let label = text.get(at..end).unwrap_or_default();
        if labels > 0 && is_top_level(label) {
            found = Some(end);
        }
        labels = labels.saturating_add(1);
        if text.get(end) != Some(&b'.') {
            return found;
        }
        at = end.wrapping_add(1);
    }
}

fn is_top_level(label: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
    label.len() >= 2 && label.iter().all(is_letter) || label.len() > 4 && label.starts_with(b"xn--")
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || !byte.is_ascii()
        || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'\'' | b'-')
}

fn is_label(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || !byte.is_ascii()
}

/// Four numbers with dots between them.
pub(super) fn ipv4(text: &[u8], hits: &mut Vec<Range<usize>>) {
    let mut free = 0usize;
    let mut from = 0usize;
    while let Some(dot) = swar::find_byte(text, from, b'.') {
        from = dot.wrapping_add(1);
        let digits = text.get(free..dot).unwrap_or_default();
        let length = digits.iter().rev().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        let start = dot.wrapping_sub(length);
        let is_inside = before(text, start).is_some_and(|before| is_word(before) || before == b'.');
        if length == 0 || length > 3 || is_inside {
            continue;
        }
        if let Some(end) = ipv4_end(text, start) {
            hits.push(start..end);
            (from, free) = (end, end);
        }
    }
}

fn ipv4_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    for part in 0..4u8 {
        if part > 0 {
            if text.get(at) != Some(&b'.') {
                return None;
            }
            at = at.wrapping_add(1);
        }
        let digits = run(text, at, |byte| byte.is_ascii_digit());
        let end = at.wrapping_add(digits);
        let number = text.get(at..end)?;
        let value = match number {
            [] | [b'0', _, ..] => return None,
            [_] | [_, _] | [_, _, _] => number
                .iter()
                .fold(0u32, |value, digit| value.wrapping_mul(10).wrapping_add(u32::from(digit & 15))),
            _ => return None,
        };
        if value > 255 {
            return None;
        }
        at = end;
    }
    let is_longer = match (text.get(at), text.get(at.wrapping_add(1))) {
        (Some(b'.'), Some(next)) => next.is_ascii_digit(),
        (Some(next), _) => is_word(*next),
        (None, _) => false,
    };
    (!is_longer).then_some(at)
}

/// Rows of hexadecimal digits and colons that are an address.
pub(super) fn ipv6(text: &[u8], hits: &mut Vec<Range<usize>>) {
    let mut free = 0usize;
    let mut from = 0usize;
    while let Some(colon) = swar::find_byte(text, from, b':') {
        let head = text.get(free..colon).unwrap_or_default();
        let length = head.iter().rev().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let start = colon.wrapping_sub(length);
        let end = start
            .wrapping_add(run(text, start, |byte| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.'));
        (from, free) = (end, end);
        let is_double = text.get(colon.wrapping_add(1)) == Some(&b':');
        let begins = length > 0 || is_double;
        let front = text.get(..start).unwrap_or_default();
        if begins && (front.ends_with(b".") || ends_in_letter(front)) {
            continue;
        }
        if begins_with_letter(text.get(end..).unwrap_or_default()) {
            continue;
        }
        if let Some(found) = address(text, start, end) {
            hits.push(found);
        }
    }
}

/// Whether a text ends in a letter or digit; beyond ASCII, in anything but the signs that stand around words.
fn ends_in_letter(text: &[u8]) -> bool {
    match text {
        [.., last] if last.is_ascii() => is_word(*last),
        [.., 0xc2, _] | [.., 0xe2, 0x80 | 0x81, _] | [.., 0xe3, 0x80, _] | [] => false,
        _ => true,
    }
}

/// The same of its start.
fn begins_with_letter(text: &[u8]) -> bool {
    match text {
        [first, ..] if first.is_ascii() => is_word(*first),
        [0xc2, _, ..] | [0xe2, 0x80 | 0x81, ..] | [0xe3, 0x80, ..] | [] => false,
        _ => true,
    }
}

/// The address in a row of hexadecimal digits, colons and dots: without the signs of the sentence around it.
fn address(text: &[u8], start: usize, end: usize) -> Option<Range<usize>> {
    let (mut start, mut end) = (start, end);
    while let Some(found @ [.., last]) = text.get(start..end) {
        if *last != b'.' && (*last != b':' || found.ends_with(b"::")) {
            break;
        }
        end = end.wrapping_sub(1);
    }
    if let Some([b':', next, ..]) = text.get(start..end)
        && *next != b':'
    {
        start = start.wrapping_add(1);
    }
    let found = text.get(start..end)?;
    let has_digit = found.iter().any(u8::is_ascii_hexdigit);
    if !has_digit || found.len() > LONGEST_IPV6 {
        return None;
    }
    std::str::from_utf8(found).ok()?.parse::<Ipv6Addr>().ok().map(|_| start..end)
}

/// Eight groups of four digits, the last two as four numbers.
const LONGEST_IPV6: usize = 45;
