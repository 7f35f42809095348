//! The openings of crash reports: what a runtime writes when something was thrown and nobody caught it.
//!
//! These lines state no level of their own. That they are errors is what they are.

use super::{Severity, bytes};
use crate::swar;

/// The severity of the crash report that `text` opens at `at`, which is where a message starts.
pub(crate) fn opening(text: &[u8], at: usize) -> Option<Severity> {
    opening_of(text.get(at..)?, None)
}

/// As [`opening`], where a token starts whose length and [classes](bytes::token) are known.
#[inline]
pub(super) fn opening_before(text: &[u8], at: usize, (length, seen): (usize, u16)) -> Option<Severity> {
    let rest = text.get(at..)?;
    // One that ends with something else than a blank goes on for this.
    let is_whole = matches!(rest.get(length), None | Some(b' ')) && seen & bytes::LINE_END == 0;
    opening_of(rest, if is_whole { rest.get(..length) } else { None })
}

/// `known` is what stands before the first blank, if that is known.
#[inline(never)]
fn opening_of(rest: &[u8], known: Option<&[u8]>) -> Option<Severity> {
    match rest.first()? {
        b'T' if rest.starts_with(b"Traceback (most recent call last)") => Some(Severity::Error),
        b'T' if rest.starts_with(b"The application panicked (crashed)") => Some(Severity::Fatal),
        b'I' if rest.starts_with(b"InnoDB: Assertion failure") => Some(Severity::Fatal),
        b'm' if rest.starts_with(b"mysqld got signal ") => Some(Severity::Fatal),
        b'E' if starts(
            rest,
            &[
                b"Exception in thread ",
                b"Exception Group Traceback",
                b"Exception ignored in",
                b"Exception caught by ",
            ],
        ) =>
        {
            Some(Severity::Error)
        }
        b'E' if rest.starts_with(b"Error: ") || rest == b"Error" => Some(Severity::Error),
        b'p' if rest.starts_with(b"panic: ") => Some(Severity::Fatal),
        // Gin's recovery.
        b'p' if rest == b"panic recovered:" => Some(Severity::Error),
        b'd' if rest.starts_with(b"double free or corruption") => Some(Severity::Fatal),
        b'A' if rest.starts_with(b"Aborted (core dumped)") => Some(Severity::Fatal),
        b'T' if rest.starts_with(b"Terminating due to java.lang.OutOfMemoryError") => Some(Severity::Fatal),
        b'#' if rest.starts_with(b"# A fatal error has been detected by the ") => Some(Severity::Fatal),
        b'r' if rest.starts_with(b"runtime: out of memory: ") => Some(Severity::Fatal),
        b'f' if rest.starts_with(b"fatal error: ") => Some(Severity::Fatal),
        b'F' if rest.starts_with(b"Fatal error: ") => Some(Severity::Fatal),
        b'F' if rest.starts_with(b"Fatal Python error: ") => Some(Severity::Fatal),
        b'P' if rest.starts_with(b"PHP ") => php(rest.get(4..)?),
        b'P' if starts(rest, &[b"Parse error: "]) => Some(Severity::Error),
        b'h' if rest.starts_with(b"http: panic serving ") => Some(Severity::Error),
        b'g' if is_goroutine(rest) => Some(Severity::Error),
        b't' if rest.starts_with(b"thread '") && contains(rest, b" panicked at ") => Some(Severity::Fatal),
        b't' if rest.starts_with(b"terminate called ") => Some(Severity::Fatal),
        b'U' if starts(
            rest,
            &[b"Unhandled exception. ", b"Unhandled exception:", b"Unhandled Exception:"],
        ) =>
        {
            Some(Severity::Error)
        }
        b'U' if starts(rest, &[b"Uncaught ", b"UnhandledPromiseRejection", b"Unhandled rejection "]) => {
            Some(if is_warning(rest) { Severity::Warn } else { Severity::Error })
        }
        b'u' if starts(
            rest,
            &[b"uncaughtException", b"unexpected fault address ", b"unhandledRejection: "],
        ) =>
        {
            Some(Severity::Error)
        }
        b'C' if rest.starts_with(b"Caused by: ") => Some(Severity::Error),
        b'S' if starts(rest, &[b"SIGSEGV: ", b"SIGQUIT: ", b"SIGABRT: ", b"Segmentation fault"]) => {
            Some(Severity::Fatal)
        }
        b'*' if starts(
            rest,
            &[
                b"*** Error in `",
                b"*** stack smashing detected",
                b"*** buffer overflow detected",
                b"*** SIGSEGV received at ",
                b"*** SIGABRT received at ",
                b"*** SIGBUS received at ",
            ],
        ) =>
        {
            Some(Severity::Fatal)
        }
        b'*' if rest.starts_with(b"** (") && contains(rest, b") ") => Some(Severity::Error),
        b'=' if rest.starts_with(b"=") => erlang(rest),
        // MinIO's block: `API: PutObject(bucket=b)`, then `Time:`, `DeploymentID:`, `Error:` and frames.
        b'A' if rest.starts_with(b"API: ") && rest.last() == Some(&b')') && is_call(rest.get(5..)?) => {
            Some(Severity::Error)
        }
        b'O' | b'J' if starts(rest, &[b"OpenJDK ", b"Java HotSpot"]) && contains(rest, b" VM warning: ") => {
            Some(Severity::Warn)
        }
        b'/' | b'a'..=b'z' | b'A'..=b'Z' => by_its_token(rest, known),
        _ => None,
    }
}

/// What the first token says: its last letters tell most words from all that name something thrown.
fn by_its_token(text: &[u8], known: Option<&[u8]>) -> Option<Severity> {
    let token = match known {
        Some(token) if token.len() <= MAX_NAME => token,
        _ => token(text),
    };
    let found = match token {
        [.., b':', b'i', b'n'] => ruby(text, token),
        [.., b'n' | b'r' | b'p' | b'k' | b'g'] | [.., b'n' | b'r' | b'p' | b'k' | b'g', b':'] => {
            thrown(text, token)
        }
        _ => None,
    };
    found.or_else(|| script(text))
}

/// `java.lang.IllegalStateException: closed`, `TypeError: x is not a function`, `ValueError`: a name that says what it is,
/// then a colon or nothing.
fn thrown(text: &[u8], token: &[u8]) -> Option<Severity> {
    let name = token.strip_suffix(b":").unwrap_or(token);
    let has_colon = name.len() < token.len();
    // Its last letters tell most words from it.
    let is_error = [&b"Exception"[..], b"Error", b"ExceptionGroup", b"RemoteTraceback"]
        .iter()
        .any(|end| name.ends_with(end));
    // `NoMethodError (undefined method 'name' for nil):`
    let is_rails =
        || text.get(token.len()..).is_some_and(|rest| rest.starts_with(b" (") && rest.ends_with(b"):"));
    // `TypeError [ERR_INVALID_ARG_TYPE]: The "path" argument ...`, of Node.
    let is_coded = || {
        let rest = text.get(token.len()..).and_then(|rest| rest.strip_prefix(b" ["));
        let is_code = |byte: &&u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || **byte == b'_';
        rest.is_some_and(|rest| {
            let code = rest.iter().take(MAX_NAME).take_while(is_code).count();
            code > 0 && rest.get(code..).is_some_and(|rest| rest.starts_with(b"]:"))
        })
    };
    if !is_error && !name.ends_with(b"Warning") {
        return None;
    }
    let is_coded = is_error && !has_colon && is_coded();
    if !has_colon && token.len() < text.len() && !is_rails() && !is_coded {
        return None;
    }
    if bytes::span(name, bytes::NAME) < name.len() {
        return None;
    }
    let class = name.rsplit(|byte| matches!(byte, b'.' | b':' | b'\\' | b'$')).next()?;
    if !class.first()?.is_ascii_uppercase() {
        return None;
    }
    if is_error {
        // `Error` itself says it with a colon only.
        return (class.len() > 5 || has_colon || is_coded).then_some(Severity::Error);
    }
    (class.len() > 7 && has_colon).then_some(Severity::Warn)
}

/// What stands before the first blank.
fn token(text: &[u8]) -> &[u8] {
    let start = text.get(..text.len().min(MAX_NAME)).unwrap_or_default();
    let end = swar::find_either(start, 0, b' ', b'\n').unwrap_or(start.len());
    start.get(..end).unwrap_or_default()
}

/// Whether a line names something that was thrown, and nothing else: the last line of a Python traceback, the first of a
/// Java one behind its log line.
pub(crate) fn names_thrown(text: &[u8]) -> bool {
    thrown(text, token(text)).is_some()
}

/// Behind `PHP `: `Fatal error:  Uncaught ...`, `Warning:  ...`.
fn php(rest: &[u8]) -> Option<Severity> {
    Some(match rest.iter().position(|&byte| byte == b':').and_then(|colon| rest.get(..colon))? {
        b"Fatal error" | b"Recoverable fatal error" => Severity::Fatal,
        b"Parse error" | b"Core error" | b"Compile error" => Severity::Error,
        b"Warning" | b"Deprecated" | b"Core warning" | b"User warning" => Severity::Warn,
        b"Notice" | b"Strict Standards" => Severity::Info,
        _ => return None,
    })
}

/// `/app/a.rb:3:in 'divide': divided by 0 (ZeroDivisionError)`.
fn ruby(text: &[u8], token: &[u8]) -> Option<Severity> {
    let place = token.strip_suffix(b":in")?;
    let behind = text.get(token.len().wrapping_add(1)..)?;
    let digits = place.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let is_place = digits > 0 && place.get(..place.len().wrapping_sub(digits))?.ends_with(b":");
    (is_place && matches!(behind.first(), Some(b'`' | b'\'')) && contains(behind, b": "))
        .then_some(Severity::Error)
}

/// `/app/server.js:12`: the first line of what Node says of an error that nobody caught.
fn script(text: &[u8]) -> Option<Severity> {
    (text.last()?.is_ascii_digit() && is_script(text)).then_some(Severity::Error)
}

/// `/app/server.js:12`, `node:events:502`, `file:///app/a.mjs:3`: where Node was, before it says what was thrown.
pub(crate) fn is_script(text: &[u8]) -> bool {
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let Some(path) = text
        .len()
        .checked_sub(digits)
        .and_then(|end| text.get(..end))
        .and_then(|path| path.strip_suffix(b":"))
    else {
        return false;
    };
    let is_file = [&b".js"[..], b".mjs", b".cjs", b".ts", b".mts"].iter().any(|end| path.ends_with(end));
    digits > 0 && !path.contains(&b' ') && (path.starts_with(b"node:") || is_file && path.contains(&b'/'))
}

/// `=ERROR REPORT==== 20-Nov-2026::10:00:00 ===`, `=CRASH REPORT====`.
fn erlang(text: &[u8]) -> Option<Severity> {
    let name = text.get(1..)?;
    let name = name.get(..name.windows(8).take(24).position(|window| window == b" REPORT=")?)?;
    Some(match name {
        b"ERROR" | b"CRASH" | b"SUPERVISOR" => Severity::Error,
        b"WARNING" => Severity::Warn,
        b"INFO" | b"PROGRESS" | b"NOTICE" => Severity::Info,
        _ => return None,
    })
}

/// `goroutine 34 [running]:`
pub(crate) fn is_goroutine(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"goroutine ") else { return false };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && rest.get(digits..).is_some_and(|rest| rest.starts_with(b" [") || rest.starts_with(b" gp="))
}

/// `SYSTEM()`, `PutObject(bucket=b)`
fn is_call(text: &[u8]) -> bool {
    let name = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'.').count();
    name > 0 && text.get(name) == Some(&b'(')
}

fn is_warning(text: &[u8]) -> bool {
    let length = text.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    text.get(..length).is_some_and(|word| word.ends_with(b"Warning"))
}

fn starts(text: &[u8], openings: &[&[u8]]) -> bool {
    openings.iter().any(|opening| text.starts_with(opening))
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    text.get(..text.len().min(MAX_NAME))
        .is_some_and(|text| text.windows(needle.len()).any(|window| window == needle))
}

/// Longest name of what was thrown.
const MAX_NAME: usize = 160;
