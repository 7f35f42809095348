//! Crash reports by their runtime: which lines they have a place for, although none of them looks like a part by itself.
//!
//! A body is what is known of the report that is open. It takes the next line and says what is open then, or that the line
//! is not its own. Everything here looks at the start of a line.

use super::frame::{contains, starts, starts_with_time};
use super::signs::{PostgresPart, is_field, is_go, is_go_call, is_register, names_exception, postgres};
use super::{LineShape, Look};
use crate::severity::crash;

/// The report that a line has opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// A log line: frames and causes may follow, and what is indented.
    Plain,
    /// Python, inside a traceback: code and the line that names the exception.
    Traceback,
    /// Behind `  File "a.py", line 1`: one line of code, whatever it is.
    Source,
    /// Behind the line that names the exception, or before the traceback: a message, notes, another traceback.
    Raised,
    /// The same of an exception that lists fields: pydantic's.
    Fields,
    /// A statement in brackets, over as many lines as it has.
    Statement,
    /// Go: goroutines with their calls.
    Go,
    /// Go's race detector, up to its line of signs.
    Race,
    /// Node, before the error: the place, a line of source, a caret.
    Script {
        /// Whether the line of source has been.
        has_source: bool,
    },
    /// Node's error and Rust's: an object that is open, or prose behind it.
    Error {
        /// Braces and brackets that are open at line ends.
        open: u16,
    },
    /// A panic in Rust whose message comes on the next line.
    Panicked,
    /// JSON over several lines.
    Object {
        /// Braces and brackets that are open.
        open: u16,
    },
    /// PostgreSQL: `DETAIL`, `HINT`, `STATEMENT` and what they quote.
    Postgres {
        /// Whether a statement is quoted, over as many lines as it has.
        is_quoting: bool,
    },
    /// A block of prose that ends where a line says something of itself: a sanitizer's report, Spring's, MySQL's.
    Prose,
}

impl Body {
    /// The body that a line opens which stands for itself.
    pub fn opened_by(look: &Look<'_>) -> Body {
        let text = look.text;
        match text.first() {
            Some(b'T') if starts(text, &["Traceback (most recent call last)"]) => Body::Traceback,
            Some(b'E' | b'+')
                if starts(text, &["Exception Group Traceback", "+ Exception Group Traceback"]) =>
            {
                Body::Traceback
            }
            Some(b'E')
                if starts(
                    text,
                    &["Exception ignored in", "Exception in thread Thread", "Exception in callback "],
                ) =>
            {
                Body::Raised
            }
            Some(b'E') if starts(text, &["Error: ", "Error:"]) => Body::Error { open: opened(look) },
            Some(b'p' | b'f' | b'g' | b'S' | b'u') if is_go(text) => Body::Go,
            Some(b'W') if text == b"WARNING: DATA RACE" => Body::Race,
            Some(b't') if text.starts_with(b"thread '") => Body::Panicked,
            Some(b't') if text.starts_with(b"terminate called ") => Body::Plain,
            Some(b'{' | b'[') if look.last == b'{' || look.last == b'[' => Body::Object { open: 1 },
            Some(b'=')
                if contains(text, b"ERROR: AddressSanitizer")
                    || contains(text, b"ERROR: LeakSanitizer")
                    || contains(text, b"WARNING: ThreadSanitizer")
                    || contains(text, b"WARNING: MemorySanitizer") =>
            {
                Body::Prose
            }
            _ if look.is_crash => Body::of_crash(look),
            _ if matches!(look.last, b'{' | b'[') => Body::Error { open: 1 },
            _ if look.is_failure => Body::of_failure(look),
            _ => Body::Plain,
        }
    }

    fn of_crash(look: &Look<'_>) -> Body {
        let text = look.text;
        if contains(text, b"http: panic serving ") {
            Body::Go
        } else if text == b"panic recovered:"
            || text.ends_with(b" panic recovered:")
            || text.starts_with(b"# A fatal error ")
        {
            Body::Prose
        } else if text.ends_with(b"]: ") || text.ends_with(b"]:") {
            // `AggregateError [ECONNREFUSED]: ` of Node, with its frames.
            Body::Error { open: 0 }
        } else if text == b"Unhandled exception:" {
            // Dart says what it was on the next line.
            Body::Panicked
        } else if contains(text, b"mysqld got signal ")
            || contains(text, b"InnoDB: Assertion failure")
            || text.starts_with(b"*** ")
        {
            Body::Prose
        } else if text.starts_with(b"The application panicked") {
            Body::Error { open: 0 }
        } else if crash::is_script(text) {
            Body::Script { has_source: false }
        } else if text.starts_with(b"pydantic") && contains(text, b"ValidationError") {
            Body::Fields
        } else if matches!(look.last, b'{' | b'[') {
            Body::Error { open: 1 }
        } else {
            Body::Plain
        }
    }

    fn of_failure(look: &Look<'_>) -> Body {
        let text = look.text;
        if postgres(text).is_some() { Body::Postgres { is_quoting: false } } else { Body::Plain }
    }

    /// Whether it waits for lines of its own, whatever other line comes between.
    pub fn is_waiting(self) -> bool {
        match self {
            Body::Source | Body::Traceback => true,
            Body::Error { open } => open > 0,
            _ => false,
        }
    }

    /// Whether it belongs to a crash report for certain.
    pub fn is_report(self) -> bool {
        !matches!(self, Body::Plain | Body::Object { .. } | Body::Postgres { .. } | Body::Error { .. })
    }

    /// The body behind a line that belongs to it, or `None` when the line does not. `is_next` says that no line has come
    /// between.
    pub fn continued_by(self, look: &Look<'_>, is_next: bool) -> Option<Body> {
        let text = look.text;
        match self {
            Body::Source => {
                let is_code = look.indent > 2 && !starts_with_time(text);
                if is_code && look.shape != LineShape::Frame {
                    Some(Body::Traceback)
                } else {
                    Body::Traceback.continued_by(look, is_next)
                }
            }
            Body::Traceback => self.traceback(look),
            Body::Raised | Body::Fields => self.raised(look, is_next),
            Body::Statement => match look.shape {
                LineShape::Own => None,
                _ if look.last == b']' => Some(Body::Raised),
                _ => is_next.then_some(self),
            },
            Body::Go => self.go(look, is_next),
            Body::Race => {
                let is_sign = text.iter().all(|byte| *byte == b'=');
                let is_part =
                    starts(text, &["Read at ", "Write at ", "Previous ", "Goroutine ", "Found "]) || is_sign;
                (is_part || matches!(look.shape, LineShape::Blank | LineShape::Indented | LineShape::Frame))
                    .then_some(self)
            }
            Body::Script { has_source: false } => is_next.then_some(Body::Script { has_source: true }),
            Body::Script { has_source: true } => match look.shape {
                LineShape::Blank | LineShape::Frame | LineShape::Indented => Some(self),
                LineShape::Opening { .. } => Some(Body::Error { open: opened(look) }),
                _ => starts(text, &["throw "]).then_some(self),
            },
            Body::Error { open } => error(look, open, is_next),
            Body::Panicked => match look.shape {
                LineShape::Frame => Some(Body::Error { open: 0 }),
                LineShape::Own => None,
                _ => is_next.then_some(Body::Error { open: 0 }),
            },
            Body::Object { open } => object(look, open),
            Body::Postgres { is_quoting } => {
                if let Some(part) = postgres(text) {
                    return (part != PostgresPart::Error)
                        .then_some(Body::Postgres { is_quoting: part == PostgresPart::Quote });
                }
                match look.shape {
                    LineShape::Indented => Some(self),
                    // A statement goes on as it was written, at the line's start too, unless it is a line of its own.
                    LineShape::Blank if is_next => Some(self),
                    LineShape::Bare if is_next && is_quoting && look.indent > 0 => Some(self),
                    _ => None,
                }
            }
            Body::Prose => match look.shape {
                LineShape::Own => None,
                // A sanitizer's last line.
                _ if text.ends_with(b"ABORTING") => Some(Body::Plain),
                _ => is_next.then_some(self),
            },
            Body::Plain => plain(look, is_next),
        }
    }

    fn traceback(self, look: &Look<'_>) -> Option<Body> {
        let text = look.text;
        match look.shape {
            LineShape::Frame if text.starts_with(b"File \"") => Some(Body::Source),
            // An exception group draws its tree on the left.
            LineShape::Frame => Some(self),
            _ if look.indent > 0 && matches!(text.first(), Some(b'|' | b'+')) => Some(self),
            LineShape::Indented => Some(self),
            LineShape::Opening { is_indented: true, .. } => Some(self),
            LineShape::Blank | LineShape::Own => None,
            LineShape::Opening { .. } | LineShape::Bare => {
                if look.indent > 0 || !names_exception(text) {
                    return None;
                }
                Some(if contains(text, b"ValidationError") { Body::Fields } else { Body::Raised })
            }
        }
    }

    fn raised(self, look: &Look<'_>, is_next: bool) -> Option<Body> {
        let text = look.text;
        if starts(text, &["Traceback (most recent call last)", "+ Exception Group Traceback"]) {
            return Some(Body::Traceback);
        }
        // What SQLAlchemy and psycopg put behind their message, and asyncio behind its own.
        const TAILS: [&str; 13] = [
            "[SQL: ",
            "[parameters: ",
            "(Background on this error at: ",
            "LINE ",
            "DETAIL: ",
            "HINT: ",
            "CONTEXT: ",
            "[cached since ",
            "future: <",
            "task: <",
            "handle: <",
            "client_session: <",
            "For further information ",
        ];
        if starts(text, &TAILS) {
            let is_open = text.first() == Some(&b'[') && look.last != b']';
            return Some(if is_open { Body::Statement } else { self });
        }
        match look.shape {
            LineShape::Frame if text.starts_with(b"File \"") => Some(Body::Source),
            LineShape::Frame => Some(self),
            LineShape::Indented | LineShape::Blank => is_next.then_some(self),
            LineShape::Bare if self == Body::Fields && is_next => is_field(text).then_some(self),
            _ => None,
        }
    }

    fn go(self, look: &Look<'_>, is_next: bool) -> Option<Body> {
        let text = look.text;
        let is_part = crash::is_goroutine(text)
            || starts(
                text,
                &[
                    "created by ",
                    "[signal ",
                    "exit status ",
                    "main.",
                    "runtime: ",
                    "runtime stack:",
                    "panic(",
                ],
            )
            || starts(
                text,
                &["SIGQUIT: ", "PC=", "r8 ", "rax ", "rip ", "...additional frames elided", "[recovered]"],
            )
            || is_go_call(text)
            || is_register(text);
        match look.shape {
            _ if is_part && !starts_with_time(text) => Some(self),
            LineShape::Frame | LineShape::Indented => Some(self),
            LineShape::Opening { is_indented: true, .. } => Some(self),
            LineShape::Blank => is_next.then_some(self),
            _ => None,
        }
    }
}

/// A log line with what belongs to it by its look.
fn plain(look: &Look<'_>, is_next: bool) -> Option<Body> {
    match look.shape {
        LineShape::Frame => Some(if look.text.starts_with(b"File \"") {
            Body::Source
        } else if look.last == b'{' {
            Body::Error { open: 1 }
        } else {
            Body::Plain
        }),
        LineShape::Indented if is_next => {
            Some(if matches!(look.last, b'{' | b'[') { Body::Object { open: 1 } } else { Body::Plain })
        }
        _ => None,
    }
}

/// An error with its object and what may stand behind it.
fn error(look: &Look<'_>, open: u16, is_next: bool) -> Option<Body> {
    let text = look.text;
    if open > 0 {
        let closes = matches!(text.first(), Some(b'}' | b']'));
        let mut now = if closes { open.saturating_sub(1) } else { open };
        now = now.saturating_add(opened(look));
        // A member may be an object of its own, or one of several errors.
        let is_member = look.shape != LineShape::Own
            || matches!(text.first(), Some(b'{' | b'[' | b'"'))
            || text.starts_with(b"Error: ");
        return (closes
            || look.indent > 0 && is_member
            || matches!(look.shape, LineShape::Blank | LineShape::Frame))
        .then_some(Body::Error { open: now });
    }
    const TAILS: [&str; 6] =
        ["Caused by:", "Stack backtrace:", "Location:", "Emitted 'error' event", "Require stack:", "- /"];
    let is_tail = starts(text, &TAILS);
    match look.shape {
        LineShape::Frame | LineShape::Indented => Some(Body::Error { open: opened(look) }),
        LineShape::Blank => is_next.then_some(Body::Error { open: 0 }),
        _ => is_tail.then_some(Body::Error { open: opened(look) }),
    }
}

/// JSON over several lines: members and closing brackets, up to the last.
fn object(look: &Look<'_>, open: u16) -> Option<Body> {
    if open == 0 {
        return None;
    }
    let closes = matches!(look.text.first(), Some(b'}' | b']'));
    if !closes && look.indent == 0 && !matches!(look.text.first(), Some(b'"')) {
        return None;
    }
    if starts_with_time(look.text) {
        return None;
    }
    let now = if closes { open.saturating_sub(1) } else { open };
    Some(Body::Object { open: now.saturating_add(opened(look)) })
}

/// What a line leaves open at its end.
fn opened(look: &Look<'_>) -> u16 {
    u16::from(matches!(look.last, b'{' | b'['))
}
