//! What is masked as a whole: quoted texts, queries, mail addresses; and what stays of numbers, the class of a status.

use super::Mask;
use crate::severity;
use crate::swar;
use crate::template::shape::{self, BLANK, DIGIT, OPENING, WORD, class};

impl Mask<'_, '_> {
    /// Signs, quotes, colons and ANSI sequences.
    #[inline(never)]
    pub(super) fn special(&mut self, at: usize, byte: u8) -> usize {
        let next = at.wrapping_add(1);
        let before = self.before(at);
        match byte {
            b'+' | b'-' if class(self.peek(next)) & DIGIT != 0 && class(before) & OPENING != 0 => {
                self.piece(at, next)
            }
            b':' if self.peek(next) == b':' && class(before) & WORD == 0 && before != b':' => {
                let Some(end) = shape::ipv6(self.text, at) else { return next };
                self.value(at, end);
                end
            }
            b'"' | b'\'' | b'`' => self.quote(at, byte, before),
            b'?' | b'&' => self.query(next),
            b'/' => {
                if before == b' ' && !self.awaits_status {
                    self.awaits_status = self.is_request(at);
                }
                next
            }
            0x1b if self.peek(next) == b'[' => {
                let mut end = next.wrapping_add(1);
                while matches!(self.peek(end), b'0'..=b'?') {
                    end = end.wrapping_add(1);
                }
                if matches!(self.peek(end), b'@'..=b'~') {
                    end = end.wrapping_add(1);
                }
                self.copy(at, end);
                self.visible_from = end;
                end
            }
            _ => next,
        }
    }

    pub(super) fn quote(&mut self, at: usize, quote: u8, before: u8) -> usize {
        let next = at.wrapping_add(1);
        if self.message_end == Some(at) {
            self.message_end = None;
            return next;
        }
        if before == b'\\'
            && let Some(end) = self.message_end
        {
            return self.quoted_in_message(at, quote, end);
        }
        if class(before) & WORD != 0 || before == b'\\' {
            return next;
        }
        let Some(close) = self.closing(next, quote) else { return next };
        if self.message_end.is_none() && self.is_message(at) {
            self.message_end = Some(close);
            return next;
        }
        let end = close.wrapping_add(1).min(self.text.len());
        let inner = self.text.get(next..close).unwrap_or_default();
        self.awaits_status = self.awaits_status || has_protocol(inner);
        self.value(at, end);
        if let Some(class) = inner.strip_prefix(b"HTTP/").and_then(status_class) {
            // `"HTTP/1.1 500 Internal Server Error"` of httpx.
            self.out.push(class);
            self.out.extend_from_slice(b"xx");
        }
        end
    }

    /// A string with escaped quotes inside a quoted message: `msg="user \"bob\" gone"`.
    pub(super) fn quoted_in_message(&mut self, at: usize, quote: u8, end: usize) -> usize {
        let next = at.wrapping_add(1);
        let rest = self.text.get(next..end).unwrap_or_default();
        let close =
            rest.iter().take(MAX_QUOTED).position(|byte| *byte == quote).map(|at| next.wrapping_add(at));
        match close.filter(|close| self.peek(close.wrapping_sub(1)) == b'\\') {
            Some(close) => {
                let end = close.wrapping_add(1);
                self.value(at.wrapping_sub(1), end);
                end
            }
            None => next,
        }
    }

    /// Where the quote that ends a string stands. That there is none is remembered: whoever looks for it further behind
    /// finds none either, and looking again for each quote would take quadratic time.
    pub(super) fn closing(&mut self, from: usize, quote: u8) -> Option<usize> {
        let end = self.message_end.unwrap_or(self.text.len());
        let open_end = (self.is_cut && self.message_end.is_none()).then_some(end);
        let unclosed = self.unclosed.get_mut(match quote {
            b'"' => 0usize,
            b'\'' => 1,
            _ => 2,
        })?;
        if *unclosed >= end {
            return open_end;
        }
        let text = self.text.get(..end)?;
        let mut at = from;
        while let Some(found) = swar::find_either(text, at, quote, b'\\') {
            let next = found.wrapping_add(1);
            if self.text.get(found) == Some(&b'\\') {
                at = next.wrapping_add(1);
                continue;
            }
            let inside_word = quote == b'\'' && text.get(next).is_some_and(|&byte| class(byte) & WORD != 0);
            if !inside_word {
                return Some(found);
            }
            at = next;
        }
        *unclosed = end;
        open_end
    }

    /// Whether the quote at `at` opens a message.
    pub(super) fn is_message(&self, at: usize) -> bool {
        let before = self.text.get(self.visible_from..at).unwrap_or_default();
        match before {
            [.., b'='] => MESSAGES.iter().any(|name| {
                before
                    .strip_suffix(*name)
                    .is_some_and(|before| before.last().is_none_or(|byte| *byte == b' '))
            }),
            // An object behind the text, as zap's console has it.
            [.., b':'] | [.., b':', b' ']
                if ERRORS.iter().any(|name| before.trim_ascii_end().ends_with(name)) =>
            {
                true
            }
            [.., b']', b' '] if self.is_klog => true,
            // `ERROR "disk full"`, `[error] "disk full"`: nothing else says what it is about.
            [before @ .., b' ' | b'\t'] => severity::ends_in_level(before),
            _ => false,
        }
    }

    /// The end of the mail address that starts at `from`.
    #[inline(never)]
    pub(super) fn mail(&self, from: usize) -> Option<usize> {
        let is_local = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+');
        let rest = self.text.get(from..)?;
        let local = rest.iter().take(MAX_MAIL).take_while(is_local).count();
        let domain = rest.get(local..)?.strip_prefix(b"@")?;
        let is_domain = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        let length = domain.iter().take(MAX_MAIL).take_while(is_domain).count();
        let name = domain.get(..length)?;
        // A dot or dash at its end belongs to the sentence.
        let end = name.iter().rposition(u8::is_ascii_alphanumeric)?.wrapping_add(1);
        let is_mail = name.get(..end)?.contains(&b'.') && name.first().is_some_and(u8::is_ascii_alphanumeric);
        is_mail.then(|| from.wrapping_add(local).wrapping_add(1).wrapping_add(end))
    }

    /// The value of a query's key behind `?` or `&`; returns where to go on.
    pub(super) fn query(&mut self, from: usize) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        let is_key =
            |byte: &&u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'.' | b'-' | b'[' | b']');
        let key = rest.iter().take(MAX_QUERY_KEY).take_while(is_key).count();
        if key == 0 || rest.get(key) != Some(&b'=') {
            return from;
        }
        let start = from.wrapping_add(key).wrapping_add(1);
        let value = self.text.get(start..).unwrap_or_default();
        let is_end = |byte: &u8| {
            class(*byte) & BLANK != 0
                || matches!(byte, b'&' | b'"' | b'\'' | b'`' | b')' | b'>' | b']' | b'#' | b',' | b';' | 0x1b)
        };
        let length = value.iter().position(is_end).unwrap_or(value.len());
        if length == 0 {
            return start;
        }
        let end = start.wrapping_add(length);
        self.value(start, end);
        end
    }

    /// Whether a path at `at` stands behind the method of a request.
    pub(super) fn is_request(&self, at: usize) -> bool {
        let before = self.text.get(at.saturating_sub(8)..at).unwrap_or_default();
        METHODS.iter().any(|method| before.ends_with(method))
    }

    /// Whether the three digits from `from` to `end` are an HTTP status.
    #[inline(never)]
    pub(super) fn is_status(&self, from: usize, end: usize) -> bool {
        let next = self.peek(end);
        let is_whole = matches!(next, 0 | b' ' | b',' | b';' | b'"' | b')' | b']' | b'|' | b'}' | 0x1b)
            || next == b'.' && class(self.peek(end.wrapping_add(1))) & WORD == 0;
        if !(b'1'..=b'5').contains(&self.peek(from)) || !is_whole {
            return false;
        }
        let before = self.text.get(from.saturating_sub(24)..from).unwrap_or_default();
        if let [.., b' '] = before
            && self.awaits_status
        {
            return true;
        }
        if self.visible_from == from && self.awaits_status {
            return true;
        }
        let is_bar =
            matches!(before, [.., b'|', b' ']) && next == b' ' && self.peek(end.wrapping_add(1)) == b'|';
        let word = match before {
            [word @ .., b'=' | b':' | b' '] => word.strip_suffix(b":").unwrap_or(word),
            _ => return false,
        };
        let ends_with = |name: &[u8]| {
            let at = word.len().wrapping_sub(name.len());
            word.get(at..).is_some_and(|end| end.eq_ignore_ascii_case(name))
        };
        is_bar
            || CODES.iter().any(|name| ends_with(name))
            || before.ends_with(b" ")
                && (b"HTTP/1.0 HTTP/1.1 HTTP/2.0 HTTP/2 HTTP/3 HTTP"
                    .split(|byte| *byte == b' ')
                    .any(ends_with)
                    || is_times(word))
    }
}

/// Whether a request stands in a quoted text: ` HTTP/`.
fn has_protocol(text: &[u8]) -> bool {
    let mut from = 1usize;
    while let Some(at) = swar::find_byte(text, from, b'H') {
        if let Some([b' ', _, b'T', b'T', b'P', b'/', ..]) = text.get(at.wrapping_sub(1)..) {
            return true;
        }
        from = at.wrapping_add(1);
    }
    false
}

/// The class of the status in `1.1 500 Internal Server Error`.
fn status_class(text: &[u8]) -> Option<u8> {
    let blank = text.iter().position(|byte| *byte == b' ')?;
    match text.get(blank.wrapping_add(1)..)? {
        [class @ b'1'..=b'5', b'0'..=b'9', b'0'..=b'9', ..] => Some(*class),
        _ => None,
    }
}

/// HAProxy's times, `0/0/1/2/3`, stand before the status.
fn is_times(word: &[u8]) -> bool {
    let is_time = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b'/' | b'-' | b'+');
    let length = word.iter().rev().take_while(is_time).count();
    let times = word.get(word.len().wrapping_sub(length)..).unwrap_or_default();
    times.iter().filter(|byte| **byte == b'/').count() == 4
}

/// The keys whose quoted value is a message.
const MESSAGES: [&[u8]; 5] = [b"msg=", b"message=", b"event=", b"err=", b"error="];

/// The same in an object.
const ERRORS: [&[u8]; 2] = [b"\"error\":", b"\"err\":"];

/// What stands between a method and a path.
const METHODS: [&[u8]; 7] = [b"GET ", b"POST ", b"PUT ", b"HEAD ", b"PATCH ", b"DELETE ", b"OPTIONS "];

/// What a status stands behind.
const CODES: [&[u8]; 4] = [b"status", b"code", b"resp", b"Completed"];

/// Longest string in a quoted message.
const MAX_QUOTED: usize = 256;

/// Longest local part and domain of a mail address.
const MAX_MAIL: usize = 64;

/// Longest key of a query.
const MAX_QUERY_KEY: usize = 32;
