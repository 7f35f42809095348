//! What Kubernetes accepts as the key and the value of a label: `IsLabelKey` and `IsLabelValue` of apimachinery.
//!
//! Lengths are bytes. They are checked last, when every character is known to be ASCII.

use crate::selector::error::{LabelPart, SelectorError, SelectorErrorKind};

/// Checks a key that starts at byte `at` of the selector.
pub(super) fn check_key(key: &str, at: usize) -> Result<(), SelectorError> {
    let Some((prefix, name)) = key.split_once('/') else {
        return check_name(key, at, LabelPart::Name);
    };
    let slash = at.wrapping_add(prefix.len());
    let behind = slash.wrapping_add(1);
    if let Some(second) = name.find('/') {
        return Err(one(SelectorErrorKind::SecondSlash, behind.wrapping_add(second)));
    }
    if prefix.is_empty() {
        return Err(one(SelectorErrorKind::EmptyPrefix, slash));
    }
    if name.is_empty() {
        return Err(one(SelectorErrorKind::EmptyName, slash));
    }
    check_prefix(prefix, at)?;
    check_name(name, behind, LabelPart::Name)
}

/// Checks a value that starts at byte `at` of the selector.
pub(super) fn check_value(value: &str, at: usize) -> Result<(), SelectorError> {
    check_name(value, at, LabelPart::Value)
}

fn check_name(name: &str, at: usize, part: LabelPart) -> Result<(), SelectorError> {
    check_characters(name, at, part, |found| {
        found.is_ascii_alphanumeric() || matches!(found, '-' | '_' | '.')
    })?;
    let bytes = name.as_bytes();
    let last = bytes.len().saturating_sub(1);
    for (index, byte) in [(0, bytes.first()), (last, bytes.last())] {
        if let Some(byte) = byte.filter(|byte| !byte.is_ascii_alphanumeric()) {
            return Err(edge(*byte, at.wrapping_add(index), part));
        }
    }
    check_length(name, at, part, MAX_NAME)
}

/// A DNS-1123 subdomain. As in apimachinery, its labels have no limit of their own.
fn check_prefix(prefix: &str, at: usize) -> Result<(), SelectorError> {
    check_characters(prefix, at, LabelPart::Prefix, |found| {
        found.is_ascii_lowercase() || found.is_ascii_digit() || matches!(found, '-' | '.')
    })?;
    let mut before = b'.';
    let mut end = at;
    for byte in prefix.bytes() {
        match (before, byte) {
            (b'.', b'.' | b'-') => return Err(edge(byte, end, LabelPart::Prefix)),
            (b'-', b'.') => return Err(edge(before, end.wrapping_sub(1), LabelPart::Prefix)),
            _ => {}
        }
        before = byte;
        end = end.wrapping_add(1);
    }
    if matches!(before, b'.' | b'-') {
        return Err(edge(before, end.wrapping_sub(1), LabelPart::Prefix));
    }
    check_length(prefix, at, LabelPart::Prefix, MAX_PREFIX)
}

fn check_characters(
    text: &str,
    at: usize,
    part: LabelPart,
    is_allowed: fn(char) -> bool,
) -> Result<(), SelectorError> {
    let Some((index, found)) = text.char_indices().find(|(_, found)| !is_allowed(*found)) else {
        return Ok(());
    };
    let start = at.wrapping_add(index);
    let span = start..start.wrapping_add(found.len_utf8());
    Err(SelectorError { kind: SelectorErrorKind::Character { found, part }, span })
}

fn check_length(text: &str, at: usize, part: LabelPart, limit: usize) -> Result<(), SelectorError> {
    let length = text.len();
    if length <= limit {
        return Ok(());
    }
    let span = at..at.wrapping_add(length);
    Err(SelectorError { kind: SelectorErrorKind::PartTooLong { length, limit, part }, span })
}

fn edge(found: u8, at: usize, part: LabelPart) -> SelectorError {
    one(SelectorErrorKind::Edge { found: char::from(found), part }, at)
}

/// An error about one byte.
fn one(kind: SelectorErrorKind, at: usize) -> SelectorError {
    SelectorError { kind, span: at..at.wrapping_add(1) }
}

/// Bytes of a name or a value: `labelKeyMaxLength`, `LabelValueMaxLength`.
const MAX_NAME: usize = 63;

/// Bytes of a prefix: `DNS1123SubdomainMaxLength`.
const MAX_PREFIX: usize = 253;
