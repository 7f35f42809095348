//! The JSON object that a line holds, made ready to stand among the members of its record.
//!
//! Every value stays as it was written: the host reads our answer with the parser that its own filter merges with, so what that
//! one would have read, it reads. The rule kept here: only what the host reads back is handed on, because of an answer that it
//! cannot read it loses the record. So the object is looked at whole, and a number beyond the doubles, an escape that JSON does
//! not know, or containers nested too deep leave the line as it is.
//!
//! Source of behaviour: Fluent Bit 5.1.1, plugins/filter_kubernetes/kubernetes.c (`merge_log_handler`, `get_value_length`) and
//! src/flb_pack.c with yyjson, as measured; where they lose a record, this does not.

use crate::hash::key_bit;
use crate::json::escape::{code_unit, push_string, unescape};
use crate::json::grammar::{self, Grammar, scalar};
use crate::json::outline::Walk;
use crate::json::{Level, MAX_MEMBERS, skip_blank};
use crate::swar;
use std::cell::OnceCell;

/// The members of an object, one behind the other, without its braces.
#[derive(Debug)]
pub struct Embedded {
    text: Vec<u8>,
    places: Vec<Place>,
    key_bits: u64,
    /// Whether a key may stand there twice.
    may_have_doubles: bool,
    /// The keys with their escapes resolved, in order, once somebody looks for one among very many.
    sorted: OnceCell<Vec<Vec<u8>>>,
}

/// Offsets into the text.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Of the key's opening quote.
    start: usize,
    /// Of its closing one.
    key_end: usize,
    end: usize,
}

impl Embedded {
    /// The object that `line` is, which stands as it was logged, without the escapes of a record.
    ///
    /// Blanks before it are allowed, and any text behind it that is not a JSON value of its own (`{"a":1} done`, but not
    /// `{"a":1}{"b":2}`). With `trim`, strings that are members lose newlines at their end, and the two characters `\n` and `\r`
    /// too, but never their first character. `under` is how many objects of the record its members will stand in. `None` for everything else, for an object without members, and when memory is
    /// short.
    pub fn of(line: &[u8], trim: bool, under: u32) -> Option<Embedded> {
        let start = skip_blank(line, 0, Level::Plain);
        let (b'{', inner) = line.get(start..)?.split_first()? else { return None };
        let mut reading = Reading::new(line, MAX_DEPTH.saturating_sub(under))?;
        let mut embedded = Embedded {
            text: Vec::new(),
            places: Vec::new(),
            key_bits: 0,
            may_have_doubles: false,
            sorted: OnceCell::new(),
        };
        let mut rest = Walk::<false>::blank(inner);
        reading.copied = reading.offset(rest);
        let behind = loop {
            rest = reading.member(rest, trim, &mut embedded)?;
            match rest.split_first()? {
                (b',', behind) => rest = Walk::<false>::blank(behind),
                (b'}', behind) => break behind,
                _ => match Walk::<false>::blank(rest).split_first()? {
                    (b',', behind) => rest = Walk::<false>::blank(behind),
                    (b'}', behind) => break behind,
                    _ => return None,
                },
            }
        };
        let last = embedded.places.last()?.end;
        reading.flush(reading.offset(behind).wrapping_sub(1));
        reading.out.truncate(last);
        let tail = Walk::<false>::blank(behind);
        if !tail.is_empty() && grammar::value(&mut Reading::new(tail, MAX_DEPTH)?, tail).is_some() {
            return None;
        }
        embedded.text = reading.out;
        if embedded.may_have_doubles {
            embedded.keep_the_last_of_each_key();
        }
        Some(embedded)
    }

    /// How many members there are.
    pub fn members(&self) -> usize {
        self.places.len()
    }

    /// The keys as written.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.places.iter().map(|place| self.key(place))
    }

    /// Whether one of them has this key, whose escapes are resolved.
    pub fn has_key(&self, key: &[u8]) -> bool {
        if self.key_bits & (key_bit(key) | ESCAPED) == 0 {
            return false;
        }
        if self.places.len() > FEW {
            let sorted = self.sorted.get_or_init(|| {
                let mut keys: Vec<Vec<u8>> = self.places.iter().map(|place| self.resolved(place)).collect();
                keys.sort_unstable();
                keys
            });
            return sorted.binary_search_by(|own| own.as_slice().cmp(key)).is_ok();
        }
        self.keys().any(|own| swar::equal(own, key) || own.contains(&b'\\') && unescape(own) == key)
    }

    /// The members as JSON, with commas between them.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    fn resolved(&self, place: &Place) -> Vec<u8> {
        let key = self.key(place);
        if key.contains(&b'\\') { unescape(key) } else { key.to_vec() }
    }

    fn key(&self, place: &Place) -> &[u8] {
        self.text.get(place.start.wrapping_add(1)..place.key_end).unwrap_or_default()
    }

    /// Adds a member whose key has this bit; one with escapes may be any other.
    fn push(&mut self, place: Place, bit: u64) -> Option<()> {
        self.may_have_doubles |= self.key_bits & (bit | ESCAPED) != 0 || bit == ESCAPED && self.key_bits != 0;
        self.key_bits |= bit;
        self.places.try_reserve(1).ok()?;
        self.places.push(place);
        Some(())
    }

    /// Of a key that stands there more than once, the last value is what every reader downstream takes.
    fn keep_the_last_of_each_key(&mut self) {
        let places = self.places.iter().enumerate();
        let mut keys: Vec<(Vec<u8>, usize)> =
            places.map(|(index, place)| (self.resolved(place), index)).collect();
        keys.sort_unstable();
        let mut is_kept = vec![true; self.places.len()];
        for pair in keys.windows(2) {
            if let [(first, index), (second, _)] = pair
                && first == second
                && let Some(flag) = is_kept.get_mut(*index)
            {
                *flag = false;
            }
        }
        if is_kept.iter().all(|kept| *kept) {
            return;
        }
        let mut text = Vec::with_capacity(self.text.len());
        let mut places = Vec::new();
        for (place, _) in self.places.iter().zip(is_kept).filter(|(_, kept)| *kept) {
            if !text.is_empty() {
                text.push(b',');
            }
            let (start, length) = (text.len(), place.end.wrapping_sub(place.start));
            let key_end = start.wrapping_add(place.key_end.wrapping_sub(place.start));
            places.push(Place { start, key_end, end: start.wrapping_add(length) });
            text.extend_from_slice(self.text.get(place.start..place.end).unwrap_or_default());
        }
        (self.text, self.places) = (text, places);
    }
}

/// The walk over a line, and what it makes of it: the text itself, but where the host would read something else.
struct Reading<'t> {
    text: &'t [u8],
    /// How deep a member's value may nest.
    depth: u32,
    /// Escapes and control characters that were passed.
    special: usize,
    /// Up to where `out` has the text.
    copied: usize,
    out: Vec<u8>,
}

impl<'t> Reading<'t> {
    fn new(text: &'t [u8], depth: u32) -> Option<Reading<'t>> {
        let mut out = Vec::new();
        out.try_reserve(text.len()).ok()?;
        Some(Reading { text, depth, special: 0, copied: 0, out })
    }

    /// Reads a member; what is left behind it.
    fn member(&mut self, rest: &'t [u8], trim: bool, embedded: &mut Embedded) -> Option<&'t [u8]> {
        if embedded.places.len() >= MAX_MEMBERS {
            return None;
        }
        let start = self.position(rest);
        let special = self.special;
        let behind = self.string(rest)?;
        let has_escapes = self.special != special;
        let key_end = self.position(behind).wrapping_sub(1);
        let value = grammar::colon::<Self>(behind)?;
        let (content, special) = (self.position(value).wrapping_add(1), self.special);
        let behind = grammar::value(self, value)?;
        if trim && self.special != special && value.first() == Some(&b'"') {
            self.trim(content, self.offset(behind))?;
        }
        let place = Place { start, key_end, end: self.position(behind) };
        let bit = match has_escapes {
            true => ESCAPED,
            false => {
                let from = self.offset(rest).wrapping_add(1);
                key_bit(self.text.get(from..from.wrapping_add(key_end.wrapping_sub(start).wrapping_sub(1)))?)
            }
        };
        embedded.push(place, bit)?;
        Some(behind)
    }

    /// Takes newlines off the end of a string, whose content starts at `content` in what is written and which ends before
    /// `behind` in the text.
    fn trim(&mut self, content: usize, behind: usize) -> Option<()> {
        let end = behind.wrapping_sub(1);
        // Most strings end in neither, however it is spelled: `\u000a` is a newline too.
        let tail = self.text.get(end.saturating_sub(7)..end)?;
        if !matches!(tail, [.., b'\n'] | [.., b'\\', b'n' | b'r'])
            && !tail.windows(2).any(|pair| pair == b"\\u")
        {
            return Some(());
        }
        self.flush(end);
        let meant = unescape(self.out.get(content..)?);
        let mut left = meant.as_slice();
        loop {
            left = match left {
                [start @ .., b'\n'] if !start.is_empty() => start,
                [start @ .., b'\\', b'n' | b'r'] => start,
                _ => break,
            };
        }
        if left.len() < meant.len() {
            self.out.truncate(content.wrapping_sub(1));
            push_string(&mut self.out, left);
            self.copied = behind;
        }
        Some(())
    }

    /// Where in the text `rest` starts, which is what is left of it.
    fn offset(&self, rest: &[u8]) -> usize {
        self.text.len().wrapping_sub(rest.len())
    }

    /// Where in what is written `rest` will start.
    fn position(&self, rest: &[u8]) -> usize {
        self.out.len().wrapping_add(self.offset(rest).wrapping_sub(self.copied))
    }

    fn flush(&mut self, to: usize) {
        self.out.extend_from_slice(self.text.get(self.copied..to).unwrap_or_default());
        self.copied = to;
    }

    /// Writes something else in the place of what stands from `start` to `end`.
    fn replace(&mut self, start: usize, end: usize, with: &[u8]) -> Option<()> {
        let left = self.text.len().wrapping_sub(start);
        self.out.try_reserve(left.wrapping_add(with.len())).ok()?;
        self.flush(start);
        self.out.extend_from_slice(with);
        self.copied = end;
        Some(())
    }

    /// Passes the escape at `at`, and writes another one where the host would: for half of a pair the replacement character,
    /// for less than four digits the characters themselves.
    fn escape(&mut self, at: usize) -> Option<usize> {
        let behind = at.wrapping_add(2);
        match self.text.get(at.wrapping_add(1))? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => return Some(behind),
            b'u' => {}
            _ => return None,
        }
        let next = at.wrapping_add(6);
        let end = match code_unit(self.text, at) {
            None => return self.short_escape(at),
            Some(0xd800..=0xdbff) => match code_unit(self.text, next) {
                Some(0xdc00..=0xdfff) => return Some(next.wrapping_add(6)),
                Some(_) => next.wrapping_add(6),
                None if self.text.get(next..)?.starts_with(b"\\u") => {
                    next.wrapping_add(2).wrapping_add(self.hexadecimals(next.wrapping_add(2)))
                }
                None => next,
            },
            Some(0xdc00..=0xdfff) => next,
            Some(_) => return Some(next),
        };
        self.replace(at, end, b"\\ufffd")?;
        Some(end)
    }

    /// An escape of less than four digits. The host takes it for its own characters and loses the one behind it.
    fn short_escape(&mut self, at: usize) -> Option<usize> {
        let digits = at.wrapping_add(2);
        let end = digits.wrapping_add(self.hexadecimals(digits));
        let behind = match self.text.get(end)? {
            b'"' | b'\'' => end,
            b'\\' | ..b' ' | 0x80.. => return None,
            _ => end.wrapping_add(1),
        };
        let written = [b"\\".as_slice(), self.text.get(at..end)?].concat();
        self.replace(at, behind, &written)?;
        Some(behind)
    }

    fn hexadecimals(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        rest.iter().take(4).take_while(|byte| byte.is_ascii_hexdigit()).count()
    }
}

impl<'t> Grammar<'t> for Reading<'t> {
    fn max_depth(&self) -> u32 {
        self.depth
    }

    #[inline(always)]
    fn blank(rest: &'t [u8]) -> &'t [u8] {
        Walk::<false>::blank(rest)
    }

    fn string(&mut self, rest: &'t [u8]) -> Option<&'t [u8]> {
        if rest.first() != Some(&b'"') {
            return None;
        }
        let mut at = self.offset(rest).wrapping_add(1);
        loop {
            at = at.wrapping_add(swar::find_special(self.text.get(at..)?)?);
            let byte = self.text.get(at)?;
            if *byte == b'"' {
                return self.text.get(at.wrapping_add(1)..);
            }
            self.special = self.special.wrapping_add(1);
            match byte {
                b'\\' => at = self.escape(at)?,
                // As it stands it would be no JSON.
                control => {
                    let mut written = Vec::with_capacity(8);
                    push_string(&mut written, &[*control]);
                    let escape = written.get(1..written.len().wrapping_sub(1))?;
                    self.replace(at, at.wrapping_add(1), escape)?;
                    at = at.wrapping_add(1);
                }
            }
        }
    }

    fn scalar(&mut self, rest: &'t [u8]) -> Option<&'t [u8]> {
        let behind = scalar(rest)?;
        let written = rest.get(..rest.len().wrapping_sub(behind.len()))?;
        is_printed(written).then_some(behind)
    }
}

/// How deep a record may nest for the host to read it back: 63 is what Fluent Bit 5.1.1 does, with 64 it loses the record.
const MAX_DEPTH: u32 = 63;

/// Whether the host reads a scalar and prints it so that others do: it prints 16 digits of a double, which makes the largest
/// infinite.
fn is_printed(scalar: &[u8]) -> bool {
    // `9e99` is no large number.
    let may_be_large =
        scalar.len() > 4 && (scalar.len() > 300 || scalar.iter().any(|byte| matches!(byte, b'e' | b'E')));
    if !may_be_large || matches!(scalar, b"true" | b"false") {
        return true;
    }
    let number = std::str::from_utf8(scalar).ok().and_then(|text| text.parse::<f64>().ok());
    number.is_some_and(|number| number.abs() <= 1.797_693_134_862_315e308)
}

/// So many keys are looked at one by one.
const FEW: usize = 32;
/// The bit of all keys with escapes; others may have it too.
const ESCAPED: u64 = 1 << 63;

#[cfg(test)]
mod tests;
