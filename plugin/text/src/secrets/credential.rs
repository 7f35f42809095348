//! Keys and tokens.

use super::{InPrivateKey, before, find_word, run};
use crate::swar;
use memchr::memmem;
use std::ops::Range;

/// Access key ids, and secret keys by the name in front of them, which `name` is where the text is a value by itself.
///
/// Source: the unique identifiers of the IAM User Guide (`AKIA`, `ASIA`) and the length of a secret access key.
pub(super) fn aws_keys(text: &[u8], name: Option<&[u8]>, hits: &mut Vec<Range<usize>>) {
    let mut from = 0usize;
    while let Some(at) = swar::find_byte(text, from, b'I') {
        from = at.wrapping_add(1);
        let Some(start) = at.checked_sub(2) else { continue };
        let is_id = matches!(text.get(start..at.wrapping_add(2)), Some([b'A', b'K' | b'S', b'I', b'A']));
        if !is_id || before(text, start).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
            continue;
        }
        let length = run(text, start, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let end = start.wrapping_add(length);
        let is_glued = text.get(end).is_some_and(u8::is_ascii_alphanumeric);
        if length == ACCESS_KEY && !is_glued {
            hits.push(start..end);
        }
        from = end.max(from);
    }
    if let Some(name) = name
        && find_word(name, 0, b"secret").is_some_and(|at| secret_name_end(name, at).is_some())
    {
        let blanks = run(text, 0, is_blank);
        hits.extend(secret_key(text, blanks));
    }
    let mut from = 0usize;
    while let Some(at) = find_word(text, from, b"secret") {
        from = at.wrapping_add(6);
        if let Some(end) = secret_name_end(text, at)
            && let Some(value) = value_behind(text, end)
        {
            hits.extend(secret_key(text, value));
        }
    }
}

/// The end of a name like `secret_access_key` or `SecretAccessKey` that starts here.
fn secret_name_end(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at.wrapping_add(6);
    for word in [b"access".as_slice(), b"key"] {
        at = at.wrapping_add(run(text, at, |byte| matches!(byte, b'_' | b'-' | b'.' | b' ')).min(1));
        let there = text.get(at..at.wrapping_add(word.len()))?;
        if !there.eq_ignore_ascii_case(word) {
            return None;
        }
        at = at.wrapping_add(word.len());
    }
    Some(at)
}

/// Where the value starts that stands behind a name: behind the rest of it, quotes, blanks, and a colon or equals sign.
fn value_behind(text: &[u8], at: usize) -> Option<usize> {
    let at = at.wrapping_add(run(text, at, is_base64url));
    let is_around = |byte: u8| is_blank(byte) || matches!(byte, b'"' | b'\'' | b'\\');
    let sign = at.wrapping_add(run(text, at, is_around));
    let behind = sign.wrapping_add(run(text, sign, |byte| matches!(byte, b'=' | b':' | b'>')).min(2));
    if behind == sign {
        return None;
    }
    Some(behind.wrapping_add(run(text, behind, is_around)))
}

/// The secret key that starts here, if there is one.
fn secret_key(text: &[u8], start: usize) -> Option<Range<usize>> {
    let is_in_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+');
    let end = start.wrapping_add(run(text, start, is_in_key));
    let is_longer = matches!(text.get(end), Some(b'=' | b'_' | b'-'));
    (end.wrapping_sub(start) == SECRET_KEY && !is_longer).then_some(start..end)
}

/// JSON Web Tokens (RFC 7519): both of the first two parts begin as `{"` does in base64url, or as `{` and a blank.
pub(super) fn jwts(text: &[u8], hits: &mut Vec<Range<usize>>) {
    let mut from = 0usize;
    while let Some(at) = swar::find_byte(text, from, b'J') {
        from = at.wrapping_add(1);
        let Some(start) = at.checked_sub(2) else { continue };
        let is_start = matches!(text.get(start..at), Some(b"ey"));
        if !is_start || before(text, start).is_some_and(is_base64url) {
            continue;
        }
        let head = start.wrapping_add(run(text, start, is_base64url));
        from = head;
        let body = head.wrapping_add(1);
        if text.get(head) != Some(&b'.') || text.get(body..body.wrapping_add(2)) != Some(b"ey") {
            continue;
        }
        let end = body.wrapping_add(run(text, body, is_base64url));
        from = end;
        if text.get(end) == Some(&b'.') {
            let signature = end.wrapping_add(1);
            from = signature.wrapping_add(run(text, signature, is_base64url));
            hits.push(start..from);
        }
    }
}

/// Bearer tokens (RFC 6750): the word in any case, blanks, and eight characters of its `b64token` at least.
pub(super) fn bearer_tokens(text: &[u8], hits: &mut Vec<Range<usize>>) {
    let mut from = 0usize;
    while let Some(at) = find_word(text, from, b"bearer") {
        from = at.wrapping_add(6);
        let blanks = run(text, from, |byte| byte == b' ' || byte == b'\t');
        if blanks == 0 || before(text, at).is_some_and(|byte| byte.is_ascii_alphabetic()) {
            continue;
        }
        let start = from.wrapping_add(blanks);
        let is_in_token = |byte: u8| is_base64url(byte) || matches!(byte, b'.' | b'~' | b'+' | b'/' | b'=');
        let length = run(text, start, is_in_token);
        from = start;
        if length >= SHORTEST_TOKEN {
            from = start.wrapping_add(length);
            hits.push(start..from);
        }
    }
}

/// Private keys in their armour (RFC 7468, and that of OpenPGP, RFC 9580).
pub(super) fn private_keys(text: &[u8], hits: &mut Vec<Range<usize>>) {
    let open = armours(text, |begin, end| hits.push(begin..end));
    hits.extend(open.map(|begin| begin..text.len()));
}

/// Whether a text ends inside a private key.
pub(super) fn open_private_key(text: &[u8]) -> bool {
    armours(text, |_, _| {}).is_some()
}

/// Hands over the keys that have an end, and returns where one begins that has none.
fn armours(text: &[u8], mut each: impl FnMut(usize, usize)) -> Option<usize> {
    // One byte that few texts have: to get ready for a search costs more than a text like most.
    swar::find_byte(text, 0, b'V')?;
    let mut open: Option<(usize, &[u8])> = None;
    for label in memmem::find_iter(text, LABEL) {
        let behind = label.wrapping_add(LABEL.len());
        let block = if text.get(behind..).is_some_and(|rest| rest.starts_with(b" BLOCK")) { 6 } else { 0 };
        let end = behind.wrapping_add(block);
        if !text.get(end..).is_some_and(|rest| rest.starts_with(DASHES)) {
            continue;
        }
        // `-----BEGIN RSA `: the words in front are capital letters.
        let front = text.get(label.saturating_sub(LONGEST_LABEL)..label).unwrap_or_default();
        let is_in_words = |byte: &&u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || **byte == b' ';
        let start = label.wrapping_sub(front.iter().rev().take_while(is_in_words).count());
        let words = text.get(start..label).unwrap_or_default();
        let dashes = start.checked_sub(DASHES.len()).filter(|at| text.get(*at..start) == Some(DASHES));
        let Some(begin) = dashes else { continue };
        match (words.strip_prefix(b"BEGIN "), words.strip_prefix(b"END "), open) {
            (Some(kind), _, None) => open = Some((begin, kind)),
            (_, Some(kind), Some((begin, wanted))) if kind == wanted => {
                each(begin, end.wrapping_add(DASHES.len()));
                open = None;
            }
            _ => {}
        }
    }
    open.map(|(begin, _)| begin)
}

/// What a line is to a key that a line before it began.
pub(super) fn continues(line: &[u8]) -> Option<InPrivateKey> {
    let line = line.trim_ascii();
    if memmem::find(line, b"-----END ")
        .is_some_and(|at| memmem::find(line.get(at..).unwrap_or_default(), LABEL).is_some())
    {
        return Some(InPrivateKey::End);
    }
    let is_in_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    // `Proc-Type: 4,ENCRYPTED`, `DEK-Info: ...`, `Version: ...`.
    let name = line.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'-').count();
    let is_header = name > 3
        && line.get(name..).is_some_and(|rest| rest.starts_with(b": "))
        && line.first().is_some_and(u8::is_ascii_uppercase);
    (line.len() <= LONGEST_LINE && (line.iter().all(is_in_base64) || is_header)).then_some(InPrivateKey::Part)
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

const ACCESS_KEY: usize = 20;
const SECRET_KEY: usize = 40;
const SHORTEST_TOKEN: usize = 8;
const LABEL: &[u8] = b"PRIVATE KEY";
const DASHES: &[u8] = b"-----";
/// Longest text between the dashes and the label.
const LONGEST_LABEL: usize = 40;
/// Longest line of a key in its armour; those in use have 64 and 76.
const LONGEST_LINE: usize = 80;
