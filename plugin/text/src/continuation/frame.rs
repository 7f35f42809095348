//! Lines that are parts of a crash report wherever they stand: no log line looks like them.
//!
//! One list for all runtimes, because a line does not say which one wrote it. `text` is the start of the line without its
//! padding.

use crate::severity::crash;

/// Whether a line is a frame, a cause, or another part by itself. `indent` is how far it is indented.
pub(super) fn is_frame(text: &[u8], indent: usize) -> bool {
    match text.first() {
        Some(b'a') if indent > 0 => is_at(text),
        Some(b'.') => is_more(text),
        Some(b'C') => {
            starts(text, &["Caused by:"])
                || indent == 0 && text.starts_with(b"Caused by ") && text.ends_with(b":")
        }
        Some(b'S') => starts(text, &["Suppressed: ", "Stack trace:", "Stack backtrace:"]),
        Some(b'W') => starts(text, &["Wrapped by: "]),
        Some(b'E') => {
            starts(text, &["Error has been observed at the following site(s):", "Exception Group Traceback"])
                && indent == 0
                && text.starts_with(b"Error has")
        }
        Some(b'O') => starts(text, &["Original Stack Trace:"]),
        Some(b'A') => starts(text, &["Assembly trace from producer"]),
        Some(b'*') => starts(text, &["*__"]),
        Some(b'|') if indent > 0 => starts(text, &["|_ ", "| "]),
        Some(b'+') if indent > 0 => starts(text, &["+-", "+--"]),
        Some(b'_') if indent > 0 => starts(text, &["_|", "__"]),
        Some(b'(') if indent > 0 => starts(text, &["(Coroutine boundary)"]) || is_elixir(text),
        Some(b'[') => starts(
            text,
            &[
                "[CIRCULAR REFERENCE",
                "[signal ",
                "[originating from goroutine",
                "[stacktrace]",
                "[cause]: ",
                "[errors]: [",
            ],
        ),
        Some(b'F') if indent > 0 => text.starts_with(b"File \"") && contains(text, b"\", line "),
        Some(b'^' | b'~') => indent > 0 && text.iter().all(|byte| matches!(byte, b'^' | b'~' | b' ')),
        Some(b'-') => {
            starts(text, &["--- End of ", "---> ", "--> "]) && (indent > 0 || text.starts_with(b"--- End"))
        }
        Some(b'c') => starts(text, &["created by "]) && text.iter().skip(11).any(|byte| *byte == b'.'),
        Some(b'f') if indent > 0 => {
            text.starts_with(b"from ") && (is_place(text.get(5..).unwrap_or_default()))
        }
        Some(b'#') => is_numbered(text),
        Some(b't') if indent > 0 => starts(text, &["thrown in "]) && contains(text, b" on line "),
        Some(b'D') => starts(text, &["During handling of the above exception", "During task with name "]),
        Some(b'T') => starts(text, &["The above exception was the direct cause"]),
        Some(b's') => text == b"stack backtrace:",
        Some(b'n') => starts(text, &["note: run with `RUST_BACKTRACE", "note: Some details are omitted"]),
        Some(b'N') => starts(text, &["Node.js v"]) && text.len() < 24,
        Some(b'P') => {
            starts(text, &["PHP Stack trace:"])
                || text.starts_with(b"PHP   ") && text.get(6).is_some_and(u8::is_ascii_digit)
        }
        Some(b'/') if indent > 0 => is_go_place(text),
        Some(b'0'..=b'9') if indent > 0 && is_backtrace(text) => true,
        Some(b'0'..=b'9') => is_address(text),
        _ => false,
    }
}

/// What was thrown, or a traceback: what a runtime or a logger writes behind the line that tells of the error.
pub(super) fn follows_error(text: &[u8]) -> bool {
    crash::names_thrown(text)
        || starts(
            text,
            &[
                "Traceback (most recent call last)",
                "Exception Group Traceback",
                "+ Exception Group Traceback",
                "** (",
            ],
        )
        || crash::is_goroutine(text)
}

/// Whether a line is a part of a report that is open right before it: what runtimes and libraries write below an error.
pub(super) fn is_tail(text: &[u8]) -> bool {
    // In the order of: Erlang and Elixir, asyncio and aiohttp, SQLAlchemy, eyre, Node, PHP, Celery, Swift, Dart.
    const STARTS: [&str; 36] = [
        "** ",
        "Last message",
        "State: ",
        "Client #PID<",
        "future: <",
        "task: <",
        "handle: <",
        "client_session: <",
        "connections: [",
        "transport: <",
        "protocol: <",
        "source_traceback: ",
        "[SQL: ",
        "[parameters: ",
        "(Background on this error at: ",
        "Message: ",
        "Location:",
        "Backtrace omitted",
        "Run with ",
        "Emitted 'error' event",
        "Thrown at:",
        "Stack trace",
        "Stack backtrace:",
        "Next ",
        "\"} ",
        "\"}",
        "\"\"\"",
        "*** ",
        "Thread ",
        "<asynchronous suspension>",
        "Backtrace",
        "Registers:",
        "Images ",
        "Call stack:",
        "Arguments: ",
        "SUMMARY: ",
    ];
    starts(text, &STARTS) || is_symbol(text) || is_ruby_place(text)
}

/// `sigs.k8s.io/controller-runtime/pkg/internal/controller.(*Controller).Start.func2.2`: zap writes stacks without parentheses.
fn is_symbol(text: &[u8]) -> bool {
    let is_inside = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'.' | b'/' | b'*' | b'(' | b')' | b'-' | b'[' | b']')
    };
    text.len() > 5
        && text.iter().all(is_inside)
        && text.contains(&b'.')
        && (text.contains(&b'/') || contains(text, b"(*") || starts(text, &["main.", "runtime."]))
}

/// ``lib/rack/cookie.rb:20:in `call'``
pub(super) fn is_ruby_place(text: &[u8]) -> bool {
    let token =
        text.get(..text.iter().position(|byte| *byte == b' ').unwrap_or(text.len())).unwrap_or_default();
    token.ends_with(b":in")
}

/// `at com.example.A.b(A.java:1)`, `at f (/app/a.js:1:2)`, `at App.Get() in /src/App.cs:line 5`, `at /rustc/a.rs:1:5`.
fn is_at(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"at ") else { return false };
    let has_call = rest.contains(&b'(')
        || contains(rest, b" in ")
        || rest.starts_with(b"async ")
        || rest.starts_with(b"new ");
    // A place with its column; pretty tracing writes `at src/main.rs:17` below each event.
    let mut parts = rest.split(|byte| *byte == b':').rev();
    let is_number = |part: Option<&[u8]>| {
        part.is_some_and(|part| {
            !part.is_empty() && part.iter().take_while(|byte| byte.is_ascii_digit()).count() > 0
        })
    };
    has_call || is_number(parts.next()) && is_number(parts.next()) || contains(rest, b" [as ")
}

/// `... 23 more`, `... 87 common frames omitted`.
fn is_more(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"... ") else { return false };
    rest.first().is_some_and(u8::is_ascii_digit)
        && (rest.ends_with(b" more") || contains(rest, b"frames ") || contains(rest, b" lines matching "))
}

/// `#0 /app/a.php(3): f()`, `#0      main (file:///a.dart:3:5)`, `#1 {main}`, `#0 0x55 in f /a.c:3`.
fn is_numbered(text: &[u8]) -> bool {
    let digits = text.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    let rest = text.get(digits.wrapping_add(1)..).unwrap_or_default();
    let behind = rest.trim_ascii_start();
    let is_place = behind.contains(&b'(') || behind.starts_with(b"{main}") || behind.starts_with(b"0x");
    (1..=3).contains(&digits) && rest.first() == Some(&b' ') && is_place
}

/// `0. DB::Exception::Exception(...) @ 0x00000c5d in /usr/bin/clickhouse`
fn is_address(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits <= 3 && text.get(digits..).is_some_and(|rest| rest.starts_with(b". ") && contains(rest, b" @ 0x"))
}

/// `   0: std::panicking::begin_panic`, `   1: 0x55d - main`, `  12: __libc_start_main`.
fn is_backtrace(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let Some(rest) = text.get(digits..).and_then(|rest| rest.strip_prefix(b": ")) else { return false };
    let name = rest
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'<' | b'>' | b'$'))
        .count();
    digits <= 3
        && rest.get(..name).is_some_and(|name| {
            contains(name, b"::")
                || name.starts_with(b"0x")
                || name.starts_with(b"_")
                || name.len() == rest.len()
        })
}

/// `/usr/local/go/src/net/http/server.go:1868 +0xb9`
fn is_go_place(text: &[u8]) -> bool {
    contains(text, b".go:")
}

/// `(app 1.0.0) lib/app.ex:3: App.f/1`
fn is_elixir(text: &[u8]) -> bool {
    contains(text, b".ex:") || contains(text, b".exs:") || contains(text, b".erl:")
}

/// `a.rb:3:in 'f'`
fn is_place(text: &[u8]) -> bool {
    contains(text, b":in ") || text.contains(&b':')
}

/// Whether a line starts with a time: `2026-11-20`, `10:00:00`, `[2026-...`, `2026/11/20`, `20-Nov-2026`.
pub(super) fn starts_with_time(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"[").unwrap_or(text);
    let digits = text.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
    let rest = text.get(digits..).unwrap_or_default();
    match (digits, rest) {
        (4, [b'-' | b'/' | b'.', a, b, b'-' | b'/' | b'.', ..]) => a.is_ascii_digit() && b.is_ascii_digit(),
        (2, [b':', a, b, b':', c, ..]) => [a, b, c].iter().all(|byte| byte.is_ascii_digit()),
        (2, [b'-' | b'/' | b'.', a, b, b'-' | b'/' | b'.', c, ..]) => {
            [a, b, c].iter().all(|byte| byte.is_ascii_digit())
        }
        (2, [b'-' | b'/', month, ..]) => month.is_ascii_uppercase(),
        _ => false,
    }
}

pub(super) fn starts(text: &[u8], with: &[&str]) -> bool {
    with.iter().any(|start| text.starts_with(start.as_bytes()))
}

pub(super) fn contains(text: &[u8], needle: &[u8]) -> bool {
    text.windows(needle.len()).any(|window| window == needle)
}
