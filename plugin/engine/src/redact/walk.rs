//! One walk over JSON text that replaces what is to go and leaves every other byte where it is.
//!
//! It takes whatever it is given: records that cannot be read are redacted too, and for these a string is what stands between quotes.
//! Nothing here recurses over containers; strings that are JSON are walked in turn, a few levels deep.

use super::apply::{Place, Redactor};
use crate::json::{push_string, unescape};
use std::borrow::Cow;

pub(super) struct Walk<'w, 'r> {
    redactor: &'w mut Redactor<'r>,
    text: &'w [u8],
    at: usize,
    place: Place<'w>,
    spared: &'w [&'w str],
    out: Vec<u8>,
    /// How much of the text is in `out`, or gone.
    copied: usize,
    open: Vec<Container>,
    /// The keys to where the walk is, if somebody needs them.
    path: Option<Vec<Vec<u8>>>,
}

/// A container that is open.
struct Container {
    is_object: bool,
    /// The rules that are about all in it.
    bits: u64,
    /// The key of its value that comes next, and where it starts.
    key: Option<(usize, Vec<u8>)>,
}

impl<'w, 'r> Walk<'w, 'r> {
    pub(super) fn new(
        redactor: &'w mut Redactor<'r>,
        text: &'w [u8],
        place: Place<'w>,
        spared: &'w [&'w str],
    ) -> Walk<'w, 'r> {
        let path = redactor.needs_paths().then(Vec::new);
        Walk { redactor, text, at: 0, place, spared, out: Vec::new(), copied: 0, open: Vec::new(), path }
    }

    /// The text without what is to go, or `None` when it stays as it is.
    pub(super) fn run(mut self) -> Option<Vec<u8>> {
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b'}' | b']' => {
                    self.at = self.at.wrapping_add(1);
                    self.open.pop();
                    self.value_ended();
                }
                b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' => self.at = self.at.wrapping_add(1),
                b'"' if self.is_before_key() => self.key(),
                _ => self.value(),
            }
        }
        if self.copied == 0 {
            return None;
        }
        self.out.extend_from_slice(self.text.get(self.copied..).unwrap_or_default());
        Some(self.out)
    }

    fn is_before_key(&self) -> bool {
        self.open.last().is_some_and(|container| container.is_object && container.key.is_none())
    }

    fn key(&mut self) {
        let start = self.at;
        let (content, end) = self.string();
        let key = resolved(content).into_owned();
        // A key is a text like any other, but no value of itself.
        let place = Place { depth: u32::MAX, name: None, ..self.place };
        if let Some(path) = &mut self.path {
            path.push(key.clone());
        }
        // One that goes with its value is not replaced before.
        let about = self.redactor.about(&key, self.path.as_deref().unwrap_or_default());
        if self.redactor.taker(about).is_none()
            && let Some(other) = self.redactor.plain(&key, place)
        {
            self.copy_to(start);
            push_string(&mut self.out, &other);
            self.copied = end;
        }
        self.at = end;
        if let Some(container) = self.open.last_mut() {
            container.key = Some((start, key));
        }
    }

    fn value(&mut self) {
        let start = self.at;
        let around = self.open.last().map_or(self.place.bits, |container| container.bits);
        let key = self.open.last().and_then(|container| container.key.as_ref()).map(|(_, key)| key.clone());
        if let Some(key) = &key
            && self.place.depth == 0
            && self.open.len() == 1
            && self.spared.iter().any(|spared| spared.as_bytes() == key)
        {
            self.skip();
            return self.value_ended();
        }
        let about = match &key {
            Some(key) => self.redactor.about(key, self.path.as_deref().unwrap_or_default()),
            None => 0,
        };
        if let Some(taker) = self.redactor.taker(about) {
            self.take(taker, start);
            return self.value_ended();
        }
        let bits = around | about;
        match self.text.get(start) {
            Some(open @ (b'{' | b'[')) => {
                self.at = start.wrapping_add(1);
                self.open.push(Container { is_object: *open == b'{', bits, key: None });
                return;
            }
            Some(b'"') => {
                let (content, end) = self.string();
                let name = key.as_deref().or(self.place.name);
                let place = Place { bits, name, depth: self.place.depth.saturating_add(1) };
                if let Some(other) = self.redactor.inner(&resolved(content), place) {
                    self.copy_to(start);
                    push_string(&mut self.out, &other);
                    self.copied = end;
                }
                self.at = end;
            }
            _ => {
                self.skip();
                let place = Place { bits, name: key.as_deref(), depth: u32::MAX };
                let scalar = self.text.get(start..self.at).unwrap_or_default();
                if let Some(other) = self.redactor.plain(scalar, place) {
                    self.copy_to(start);
                    push_string(&mut self.out, &other);
                    self.copied = self.at;
                }
            }
        }
        self.value_ended();
    }

    /// Replaces the value that starts here, or takes it away with its key.
    fn take(&mut self, rule: usize, start: usize) {
        let found = match self.text.get(start) {
            Some(b'"') => {
                let (content, end) = self.string();
                self.at = end;
                resolved(content)
            }
            _ => {
                self.skip();
                Cow::Borrowed(self.text.get(start..self.at).unwrap_or_default())
            }
        };
        let member = self.open.last().and_then(|container| container.key.as_ref()).map(|(start, _)| *start);
        match (self.redactor.replaced(rule, &found), member) {
            (Some(other), _) => {
                self.copy_to(start);
                push_string(&mut self.out, &other);
                self.copied = self.at;
            }
            (None, Some(member)) => self.remove(member),
            (None, None) => {}
        }
    }

    /// Leaves out the member from its key to here, with one of the commas around it.
    fn remove(&mut self, member: usize) {
        self.copy_to(member);
        let blanks =
            self.text.get(self.at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_whitespace());
        let next = self.at.wrapping_add(blanks.count());
        if self.text.get(next) == Some(&b',') {
            self.at = next.wrapping_add(1);
        } else {
            let kept = self.out.trim_ascii_end().len();
            let kept = self.out.get(..kept).unwrap_or_default();
            let kept = kept.strip_suffix(b",").map_or(self.out.len(), <[u8]>::len);
            self.out.truncate(kept);
        }
        self.copied = self.at;
    }

    fn copy_to(&mut self, end: usize) {
        // A key that was replaced is in `out` already.
        self.out.extend_from_slice(self.text.get(self.copied..end).unwrap_or_default());
        self.copied = self.copied.max(end);
    }

    fn value_ended(&mut self) {
        if let Some(container) = self.open.last_mut()
            && container.is_object
            && container.key.take().is_some()
            && let Some(path) = &mut self.path
        {
            path.pop();
        }
    }

    /// The content of the string that starts here, and where it ends.
    fn string(&self) -> (&'w [u8], usize) {
        let start = self.at.wrapping_add(1);
        let mut from = start;
        while let Some(found) = crate::swar::find_either(self.text, from, b'"', b'\\') {
            if self.text.get(found) == Some(&b'"') {
                return (self.text.get(start..found).unwrap_or_default(), found.wrapping_add(1));
            }
            from = found.wrapping_add(2);
        }
        (self.text.get(start..).unwrap_or_default(), self.text.len())
    }

    /// Goes behind the value that starts here.
    fn skip(&mut self) {
        let mut depth = 0usize;
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b'"' => {
                    let (_, end) = self.string();
                    self.at = end;
                }
                b'{' | b'[' => {
                    depth = depth.wrapping_add(1);
                    self.at = self.at.wrapping_add(1);
                }
                b'}' | b']' if depth > 0 => {
                    depth = depth.wrapping_sub(1);
                    self.at = self.at.wrapping_add(1);
                }
                b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' if depth > 0 => self.at = self.at.wrapping_add(1),
                b'}' | b']' | b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' => return,
                _ => {
                    let is_in = |byte: &u8| {
                        !matches!(
                            byte,
                            b'"' | b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\n' | b'\r' | b'\t'
                        )
                    };
                    let rest = self.text.get(self.at..).unwrap_or_default();
                    self.at = self.at.wrapping_add(rest.iter().take_while(|byte| is_in(byte)).count());
                }
            }
            if depth == 0 {
                return;
            }
        }
    }
}

fn resolved(content: &[u8]) -> Cow<'_, [u8]> {
    if crate::swar::find_byte(content, 0, b'\\').is_some() {
        Cow::Owned(unescape(content))
    } else {
        Cow::Borrowed(content)
    }
}
