//! Signs by which a line shows what it is a part of.

use super::frame::{contains, starts};
use crate::severity::crash;

/// A line of PostgreSQL's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PostgresPart {
    /// `ERROR:  duplicate key`, which stands for itself.
    Error,
    /// `DETAIL:  Key (id)=(7) already exists.`
    Note,
    /// `STATEMENT:  INSERT ...`
    Quote,
}

/// What a line of PostgreSQL's is, behind its prefix: a word in capitals, a colon, two blanks.
pub(super) fn postgres(text: &[u8]) -> Option<PostgresPart> {
    let at = text.windows(3).position(|window| window == b":  ")?;
    let before = text.get(..at)?;
    let letters = before.iter().rev().take_while(|byte| byte.is_ascii_uppercase()).count();
    let word = before.get(before.len().wrapping_sub(letters)..)?;
    match word {
        b"ERROR" | b"FATAL" | b"PANIC" => Some(PostgresPart::Error),
        b"DETAIL" | b"HINT" | b"CONTEXT" | b"LOCATION" => Some(PostgresPart::Note),
        b"STATEMENT" | b"QUERY" => Some(PostgresPart::Quote),
        _ => None,
    }
}

pub(super) fn is_go(text: &[u8]) -> bool {
    crash::is_goroutine(text)
        || starts(
            text,
            &["panic: ", "fatal error: ", "SIGQUIT: ", "SIGSEGV: ", "SIGABRT: ", "unexpected fault address "],
        )
}

/// `ValueError: bad`, `KeyboardInterrupt`, `requests.exceptions.Timeout: ...`: a dotted name, then a colon or nothing.
pub(super) fn names_exception(text: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    let length = text.iter().take_while(|byte| is_name(byte)).count();
    length > 0
        && text.first().is_some_and(u8::is_ascii_alphabetic)
        && matches!(text.get(length), None | Some(b':'))
}

/// `database_url`, `items -> 0 -> name`, `body.0.name`: where pydantic found something wrong.
pub(super) fn is_field(text: &[u8]) -> bool {
    let is_name = |part: &[u8]| {
        !part.is_empty()
            && part.iter().all(|byte| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'_' | b'.' | b'-' | b'[' | b']' | b'`' | b'(' | b')' | b',')
            })
    };
    text.len() <= 120
        && text.split(|byte| *byte == b' ').all(|part| part == b"->" || is_name(part))
        && (contains(text, b" -> ") || !text.contains(&b' '))
}

/// `rbx    0x0`
pub(super) fn is_register(text: &[u8]) -> bool {
    let name = text.iter().take(7).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let rest = text.get(name..).unwrap_or_default();
    (2..=6).contains(&name) && rest.first() == Some(&b' ') && rest.trim_ascii_start().starts_with(b"0x")
}

/// `main.main()`, `net/http.(*conn).serve(0xc0001)`, `panic({0x1, 0x2})`: no blank before the first parenthesis, and it closes
/// the line.
pub(super) fn is_go_call(text: &[u8]) -> bool {
    let open = text.iter().position(|byte| *byte == b'(');
    let is_closed = matches!(text.last(), Some(b')')) || text.ends_with(b"...)");
    is_closed && open.is_some_and(|open| open > 0 && !text.iter().take(open).any(|byte| *byte == b' '))
}
