//! The template of a line: what stays of its text when everything variable is taken out, as a 64-bit key.
//!
//! Lines of the same shape share a key, so that they can be counted, summed up and thinned out together. Programs that
//! find templates by comparing lines give each node its own answer, and another one after a restart. **The rule kept
//! here:** a key depends on the logged text alone, is the same on every node and stays so for ever (XXH3 of the masked
//! text). Nothing is learned. A change of any rule below changes keys; the tests pin some.
//!
//! Text is read as pieces: the longest runs of ASCII letters and digits. These become `<*>`:
//!
//! | what | example | becomes |
//! |---|---|---|
//! | digits; the sign behind a blank, `=`, `,`, `:` or an opening bracket; `%`, ` %` or `µs` behind | `rows=-42 40%` | `rows=<*>` |
//! | digits and at most four letters behind | `12ms 3.5GB 014Z 1e-9` | `<*>` |
//! | letters `a` to `f` and digits; `0x` and such | `fe22b29e 0xdead` | `<*>` |
//! | any piece with two or more runs of digits | `x2v9k 20T10` | `<*>` |
//! | the digits of any other piece | `http2 user42 k8s v1.9` | `http<*> user<*> k<*>s v<*>` |
//! | behind letters or digits and a `-`, 5 or more consonants in lower case, or 3 or more and a number: Kubernetes' random names have no vowels | `web-xkvqz web-hvrz9` | `web-<*>` |
//! | UUIDs, IPv6 and MAC addresses as a whole | `fe80::abcd` | `<*>` |
//! | `AM` and `PM` behind a value; ISO 8601's durations | `10:00 AM PT5S` | `<*>` |
//! | `Nov`, `Fri` before 1 or 2 of blank `,` `/` `-` and a digit or another such name | `Fri Nov 20` | `<*>` |
//! | quoted strings, in `"`, `'` or backticks; the quote does not stand behind a letter or digit, `'` also ends before none | `"GET /" don't` | `<*> don't` |
//! | 8 or more of the letters `a` to `f` | `deadbeef` | `<*>` |
//! | mail addresses | `to bob@example.com` | `to <*>` |
//! | the values of a query | `/find?q=shoes&page=2` | `/find?q=<*>&page=<*>` |
//! | values in a row with 1 to 3 of blank `,` `;` `:` `.` `/` `-` `+` `_` or a bar between: lists, addresses, times | `10:00:00,123 [1, 2]` | `<*> [<*>]` |
//!
//! Kept are the letter of klog's `E1123 10:00:00`, a level, and the words of a quoted string behind `msg=`, `message=`,
//! `event=`, `err=` or `error=`, behind klog's header, or behind a level: there the quotes hold the message. A quote behind a
//! backslash or without its partner is a character like others. Of an HTTP status its class is kept, `5xx`: behind a request,
//! `status`, `code` or `HTTP/1.1`, between gin's bars and behind HAProxy's times; a 500 is no repeat of a 200.
//!
//! Blanks count as one, at both ends as none; ANSI colours are skipped. Read are at most 2048 bytes and the first line
//! that is not blank; of the masked text the first 1024 bytes count, so that a cut through values of different lengths is
//! rarely seen, and what stands up to its 48th value. A quoted string that the cut leaves open ends there.
//!
//! A line that is a JSON object is known by its message (the first string of `input.message_keys`), its error (the string
//! of `error`, `err` or `exception`, where that is not the message), its level (the first field for levels that holds a string
//! of at most 16 bytes, or a pino number), its status (the class of an HTTP status, a gRPC code, or the word in `status`) and
//! the set of its keys, all masked in the same way. Of more than 256 keys the first 256 count.

use crate::json::{self, Level, Outline, Value, push_string};
use crate::line::Line;
use crate::severity;
use crate::swar;
use xxhash_rust::xxh3::xxh3_64_with_seed;

mod mask;
mod names;
mod shape;
use mask::{is_constant, mask_into};
pub use names::MESSAGE_KEYS;
use names::{ANSWERS, ERROR_LENGTHS, ERRORS, STATUS_LENGTHS, STATUSES};

/// 64-bit key of a line's template.
///
/// `message_keys` are the keys of a JSON line that may hold its message.
pub fn template(line: &Line<'_>, message_keys: &[Box<str>]) -> u64 {
    match JsonLine::of(line) {
        Some(object) => object.key(message_keys),
        None => {
            let mut masked = Vec::new();
            with_text(line, |text| mask_into(text, &mut masked));
            hash(&masked, TEXT_SEED)
        }
    }
}

/// Not inlined: its constants would be kept below what masks, which goes deep, and Fluent Bit gives a filter 8 KB for all calls.
#[inline(never)]
fn hash(text: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(text, seed)
}

/// The masked text of a line, at most `limit` bytes, cut on a character boundary: what a summary shows as example. Never
/// contains a masked value.
///
/// A JSON object is shown as one with its level, its message and the names of its keys; of its values there is nothing
/// else.
pub fn masked(line: &Line<'_>, message_keys: &[Box<str>], limit: usize) -> String {
    let mut shown = Vec::new();
    match JsonLine::of(line) {
        Some(object) => object.show(message_keys, &mut shown),
        None => with_text(line, |text| mask_into(text, &mut shown)),
    }
    let mut text = String::from_utf8_lossy(&shown).into_owned();
    text.truncate(text.floor_char_boundary(limit));
    text
}

/// The same of a text by itself.
pub fn masked_text(text: &[u8], message_keys: &[Box<str>], limit: usize) -> String {
    let mut written = Vec::new();
    json::push_string(&mut written, text);
    let content = written.get(1..written.len().saturating_sub(1)).unwrap_or_default();
    masked(&Line::new(content), message_keys, limit)
}

/// The start of a line's text. Of a long line only what can be needed is unescaped.
fn with_text(line: &Line<'_>, read: impl FnOnce(&[u8])) {
    match line.escapes() {
        json::Escapes::None => read(line.text()),
        // Others need all of it.
        json::Escapes::Irregular if line.raw().len() <= MAX_WRITTEN => read(line.text()),
        // That is all of it, and others may ask for it too.
        _ if line.raw().len() <= ENOUGH => read(line.text()),
        _ => read(&json::unescape_start(line.raw(), ENOUGH)),
    }
}

/// What a JSON object says besides the names of its keys, escapes resolved.
struct Said {
    level: Vec<u8>,
    message: Option<Vec<u8>>,
    error: Option<Vec<u8>>,
    status: Option<Vec<u8>>,
}

/// A line that is a JSON object.
struct JsonLine<'a> {
    outline: &'a Outline,
    text: &'a [u8],
    level: Level,
}

impl<'a> JsonLine<'a> {
    fn of(line: &'a Line<'_>) -> Option<JsonLine<'a>> {
        let outline = line.outline()?;
        let (text, level) = line.as_json();
        Some(JsonLine { outline, text, level })
    }

    /// The key of its template.
    #[inline(never)]
    fn key(&self, message_keys: &[Box<str>]) -> u64 {
        let (Said { message, error, status, .. }, mut known) = self.known(message_keys);
        for (mark, text) in [(1u8, message), (2, error)] {
            let Some(text) = text else { continue };
            known.push(mark);
            mask_into(&text, &mut known);
        }
        if let Some(status) = status {
            known.push(3);
            known.extend_from_slice(&status);
        }
        hash(&known, OBJECT_SEED)
    }

    /// What it says, and the part of its key that is not masked.
    #[inline(never)]
    fn known(&self, message_keys: &[Box<str>]) -> (Said, Vec<u8>) {
        let mut hashes = Vec::with_capacity(16);
        self.each_key(|key| insert(&mut hashes, hash(key, KEY_SEED)));
        let keys = hashes.iter().fold(0u64, |sum, hash| sum.wrapping_add(*hash));
        let said = self.said(message_keys);
        let mut known = Vec::with_capacity(128);
        known.extend_from_slice(&keys.to_le_bytes());
        // Its length comes first: level and message cannot run into each other.
        known.push(said.level.len() as u8);
        known.extend_from_slice(&said.level);
        (said, known)
    }

    /// The keys, masked; not distinct yet.
    fn each_key(&self, mut take: impl FnMut(&[u8])) {
        let mut masked = Vec::new();
        for (written, has_escapes) in self.outline.keys(self.text) {
            // Most keys are words, and masking leaves those as they are.
            if !has_escapes && is_constant(written) {
                take(written);
                continue;
            }
            masked.clear();
            mask_into(&self.resolved(written), &mut masked);
            take(&masked);
        }
    }

    /// What its members say besides their names.
    fn said(&self, message_keys: &[Box<str>]) -> Said {
        let mut message: Option<(usize, &[u8])> = None;
        let mut error: Option<(usize, &[u8])> = None;
        let mut status: Option<(usize, Vec<u8>)> = None;
        let mut level = Vec::new();
        let lengths = message_keys.iter().fold(0u64, |seen, name| seen | 1 << name.len().min(63));
        for (written, has_escapes, value) in self.outline.members(self.text, self.level) {
            let resolved;
            let name = if has_escapes {
                resolved = self.resolved(written);
                resolved.as_slice()
            } else {
                written
            };
            // Of a key that stands there twice the last value counts, so one of the same rank takes the place.
            let better = |rank: usize, found: Option<usize>| found.is_none_or(|found| rank <= found);
            let length = 1u64 << name.len().min(63);
            if lengths & length != 0
                && let Value::String(text) = value
                && let Some(rank) = message_keys.iter().position(|key| swar::equal(key.as_bytes(), name))
                && better(rank, message.map(|(rank, _)| rank))
            {
                message = Some((rank, text));
            }
            if ERROR_LENGTHS & length != 0
                && matches!(name.first(), Some(b'e' | b'E' | b's' | b'@' | b't'))
                && let Some(rank) = ERRORS.iter().position(|key| *key == name)
                && better(rank, error.map(|(rank, _)| rank))
                && let Some(text) = self.error(value)
            {
                error = Some((rank, text));
            }
            if STATUS_LENGTHS & length != 0
                && matches!(name.first(), Some(b's' | b'r' | b'h' | b'c' | b'D' | b'g' | b'S'))
                && let Some(rank) = STATUSES.iter().position(|key| *key == name)
                && better(rank, status.as_ref().map(|(rank, _)| *rank))
                && let Some(found) = self.status(rank, value)
            {
                status = Some((rank, found));
            }
            if level.is_empty() && severity::is_level_key(name) {
                level = self.level(value);
            }
        }
        let is_other = |error: &(usize, &[u8])| message.is_none_or(|(_, text)| !std::ptr::eq(text, error.1));
        Said {
            level,
            error: error.filter(is_other).map(|(_, text)| match self.resolved(text) {
                start if start.starts_with(TRACEBACK) => raised(self.resolved_whole(text)),
                start => start,
            }),
            message: message.map(|(_, text)| self.resolved(text)),
            status: status.map(|(_, status)| status),
        }
    }

    /// What went wrong: a text, or of an object its message, else its kind.
    fn error<'b>(&self, value: Value<'b>) -> Option<&'b [u8]> {
        match value {
            Value::String(text) => Some(text),
            Value::Object(text) => {
                let names = ["message", "type", "name", "exceptionType"];
                names.iter().find_map(|name| match json::lookup(text, self.level, &[Box::from(*name)]) {
                    Some(Value::String(text)) => Some(text),
                    _ => None,
                })
            }
            Value::Scalar(_) | Value::Array(_) => None,
        }
    }

    /// What came of a request: the class of its status, or a word. `rank` is that of its key.
    fn status(&self, rank: usize, value: Value<'_>) -> Option<Vec<u8>> {
        match value {
            Value::Object(text) if rank >= ANSWERS => {
                let path = |name: &str| [Box::from(name)];
                let names = ["statusCode", "status_code", "status"];
                let nested = [Box::from("response"), Box::from("status_code")];
                names
                    .iter()
                    .find_map(|name| json::lookup(text, self.level, &path(name)).and_then(said))
                    .or_else(|| json::lookup(text, self.level, &nested).and_then(said))
            }
            // gRPC's codes are 0 to 16.
            Value::Scalar(code @ ([b'0'..=b'9'] | [b'1', b'0'..=b'6']))
                if STATUSES.get(rank).is_some_and(|name| name.starts_with(b"grpc")) =>
            {
                Some(code.to_vec())
            }
            Value::String(_) | Value::Scalar(_) if rank < ANSWERS => said(value),
            _ => None,
        }
    }

    /// A level, masked and in lower case; empty if it is none.
    fn level(&self, value: Value<'_>) -> Vec<u8> {
        let mut masked = Vec::new();
        match value {
            Value::String(content) if content.len() <= MAX_LEVEL.wrapping_mul(MAX_SPELLING) => {
                let level = self.resolved(content);
                if level.len() <= MAX_LEVEL {
                    mask_into(&level, &mut masked);
                }
            }
            // Pino and bunyan count from 10 to 60; any other number may be anything.
            Value::Scalar(number @ [b'1'..=b'6', b'0']) => masked.extend_from_slice(number),
            _ => {}
        }
        masked.make_ascii_lowercase();
        masked
    }

    /// A string with its escapes resolved, as far as masking reads it.
    fn resolved(&self, written: &[u8]) -> Vec<u8> {
        match self.level {
            Level::Plain => json::unescape_start(written, ENOUGH),
            Level::Quoted => {
                let once = json::unescape_start(written, ENOUGH.wrapping_mul(MAX_SPELLING));
                // Without a backslash there is nothing more to resolve.
                let has_more = swar::find_byte(&once, 0, b'\\').is_some();
                if has_more { json::unescape_start(&once, ENOUGH) } else { once }
            }
        }
    }

    /// The same as far as its last line is looked for.
    fn resolved_whole(&self, written: &[u8]) -> Vec<u8> {
        let once = json::unescape(json::cut(written, MAX_WRITTEN));
        match self.level {
            Level::Plain => once,
            Level::Quoted => json::unescape(&once),
        }
    }

    fn show(&self, message_keys: &[Box<str>], out: &mut Vec<u8>) {
        let Said { level, message, error, status } = self.said(message_keys);
        out.push(b'{');
        if !level.is_empty() {
            out.extend_from_slice(b"\"level\":");
            push_string(out, &level);
            out.push(b',');
        }
        for (shown, text) in [(&b"\"message\":"[..], message), (b"\"error\":", error)] {
            let Some(text) = text else { continue };
            let mut part = Vec::new();
            mask_into(&text, &mut part);
            out.extend_from_slice(shown);
            push_string(out, &part);
            out.push(b',');
        }
        if let Some(status) = status {
            out.extend_from_slice(b"\"status\":");
            push_string(out, &status);
            out.push(b',');
        }
        let mut keys = Vec::new();
        self.each_key(|key| insert(&mut keys, key.to_vec()));
        out.extend_from_slice(b"\"keys\":[");
        for (index, key) in keys.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            push_string(out, key);
        }
        out.extend_from_slice(b"]}");
    }
}

/// Puts a value where it belongs in an ordered list, unless it is there: an object has a dozen keys, at most 256.
fn insert<T: Ord>(list: &mut Vec<T>, value: T) {
    if let Err(at) = list.binary_search(&value) {
        list.insert(at, value);
    }
}

/// The line of a traceback that says what was raised: its last. All others start alike.
fn raised(text: Vec<u8>) -> Vec<u8> {
    if !text.starts_with(TRACEBACK) {
        return text;
    }
    let last = text.split(|byte| *byte == b'\n').rev().find(|line| !line.trim_ascii().is_empty());
    last.map_or_else(Vec::new, <[u8]>::to_vec)
}

/// What a status says: the class of an HTTP status, or a word.
fn said(value: Value<'_>) -> Option<Vec<u8>> {
    let (Value::String(text) | Value::Scalar(text)) = value else { return None };
    match text {
        [class @ b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'] => Some(vec![*class, b'x', b'x']),
        _ if matches!(value, Value::Scalar(_)) => None,
        // `OK`, `Unavailable`, `failed`: one word.
        _ if (1..=MAX_LEVEL).contains(&text.len()) && text.iter().all(u8::is_ascii_alphabetic) => {
            Some(text.to_ascii_lowercase())
        }
        _ => None,
    }
}

/// A longer level is no level.
const MAX_LEVEL: usize = 16;
/// The most bytes that one byte of text takes as written: `\\u0041`, an escape inside a string inside a string.
const MAX_SPELLING: usize = 7;
/// So much of a text is all that masking reads of it, and tells that there is more.
const ENOUGH: usize = mask::MAX_TEXT + 64;
const TRACEBACK: &[u8] = b"Traceback (most recent call last)";
/// So much of a string as written has all the text that is read, and one more escape that may be cut.
const MAX_WRITTEN: usize = mask::MAX_TEXT * MAX_SPELLING + 64;

// Seeds keep texts, objects and keys apart. They are part of every key: never change them.
const TEXT_SEED: u64 = 0x7465_7874;
const OBJECT_SEED: u64 = 0x6f62_6a65_6374;
const KEY_SEED: u64 = 0x6b65_7973;

#[cfg(test)]
mod tests;
