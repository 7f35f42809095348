//! The text of a regular expression to its branches: one walk, every character checked against the subset.

use crate::automaton::{Branch, Class, Element, Times};
use crate::pattern::error::{PatternError, PatternErrorKind};

/// Reads an expression; branches that can match nowhere, as `a^`, are left out.
pub(super) fn parse(body: &str, at: usize) -> Result<Vec<Branch>, PatternError> {
    let mut walk = RegexReader { body: body.as_bytes(), at: 0, base: at };
    if let Some((place, found)) = body.char_indices().find(|(_, found)| !is_allowed(*found)) {
        let start = at.wrapping_add(place);
        let span = start..start.wrapping_add(found.len_utf8());
        return Err(PatternError { kind: PatternErrorKind::RegexCharacter(found), span });
    }
    let mut branches = Vec::new();
    let mut positions = 0usize;
    loop {
        let branch = walk.branch(&mut positions)?;
        branches.extend(tie(branch));
        if walk.peek().is_none() {
            return Ok(branches);
        }
        walk.bump();
    }
}

enum Atom {
    Class(Class),
    Start,
    End,
}

struct RegexReader<'a> {
    body: &'a [u8],
    at: usize,
    base: usize,
}

impl RegexReader<'_> {
    /// Up to the next `|` or the end.
    fn branch(&mut self, positions: &mut usize) -> Result<Vec<Atomic>, PatternError> {
        let mut row = Vec::new();
        while let Some(next) = self.peek()
            && next != b'|'
        {
            let start = self.at;
            let class = match self.atom(next)? {
                Atom::Start => Err(Tie::Start),
                Atom::End => Err(Tie::End),
                Atom::Class(class) => Ok(class),
            };
            let Some((least, most)) = self.times()? else {
                row.push(match class {
                    Ok(class) => Atomic::Element(Element { class, times: Times::Once }),
                    Err(tie) => Atomic::Tie(tie),
                });
                *positions = positions.saturating_add(1);
                continue;
            };
            let class = match class {
                Ok(class) => class,
                // Once or more often is once; perhaps not at all asks for nothing.
                Err(tie) => {
                    row.extend((least > 0).then_some(Atomic::Tie(tie)));
                    continue;
                }
            };
            let mut push = |times, count: u32| {
                *positions = positions.saturating_add(count as usize);
                if *positions <= MAX_POSITIONS {
                    row.extend((0..count).map(|_| Atomic::Element(Element { class, times })));
                }
            };
            push(Times::Once, least);
            match most {
                None => push(Times::Repeatedly, 1),
                Some(most) => push(Times::Optionally, most.saturating_sub(least)),
            }
            if *positions > MAX_POSITIONS {
                return Err(self.error(PatternErrorKind::RegexTooLarge, start, self.at));
            }
        }
        if *positions > MAX_POSITIONS {
            return Err(self.error(PatternErrorKind::RegexTooLarge, 0, self.body.len()));
        }
        Ok(row)
    }

    fn atom(&mut self, next: u8) -> Result<Atom, PatternError> {
        let start = self.at;
        self.bump();
        Ok(match next {
            b'^' => Atom::Start,
            b'$' => Atom::End,
            b'.' => Atom::Class(Class::one(b'\n').complement()),
            b'[' => Atom::Class(self.class(start)?),
            b'\\' => Atom::Class(self.escape(start)?.0),
            b'*' | b'+' | b'?' | b'{' => return Err(self.nothing_to_repeat(start)),
            other => Atom::Class(Class::one(other)),
        })
    }

    /// Behind a backslash; the character, if it is a single one.
    fn escape(&mut self, start: usize) -> Result<(Class, Option<u8>), PatternError> {
        let Some(next) = self.peek() else {
            return Err(self.error(PatternErrorKind::RegexEscape("\\".into()), start, self.at));
        };
        self.bump();
        if let Some(class) = Class::named(next) {
            return Ok((class, None));
        }
        if next == b'x' {
            let end = self.at.wrapping_add(2).min(self.body.len());
            let digits = self.body.get(self.at..end).unwrap_or_default();
            let text = std::str::from_utf8(digits).unwrap_or_default();
            let is_hex = digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit);
            let code = if is_hex { u8::from_str_radix(text, 16).ok() } else { None };
            return match code.filter(u8::is_ascii) {
                Some(code) => {
                    self.at = end;
                    Ok((Class::one(code), Some(code)))
                }
                None => Err(self.error(PatternErrorKind::RegexHex(format!("\\x{text}").into()), start, end)),
            };
        }
        if next.is_ascii_alphanumeric() {
            let escape = format!("\\{}", char::from(next)).into();
            return Err(self.error(PatternErrorKind::RegexEscape(escape), start, self.at));
        }
        Ok((Class::one(next), Some(next)))
    }

    /// Behind the `[` at `start`. A `]` in the first place and a `-` in the first or last stand for themselves, and so does
    /// every operator but `\`.
    fn class(&mut self, start: usize) -> Result<Class, PatternError> {
        let negated = self.peek() == Some(b'^');
        if negated {
            self.bump();
        }
        let first = self.at;
        let mut class = Class::default();
        loop {
            let from = self.at;
            let Some(next) = self.peek() else {
                return Err(self.error(PatternErrorKind::RegexClass, start, start.wrapping_add(1)));
            };
            if next == b']' && self.at != first {
                self.bump();
                return Ok(if negated { class.complement() } else { class });
            }
            let (low_class, low) = self.member()?;
            let is_range = self.peek() == Some(b'-')
                && self.body.get(self.at.wrapping_add(1)).is_some_and(|&after| after != b']');
            if !is_range {
                class = class.or(low_class);
                continue;
            }
            self.bump();
            let (_, high) = self.member()?;
            match (low, high) {
                (Some(low), Some(high)) if low <= high => class = class.or(Class::range(low, high)),
                _ => {
                    let range = self.body.get(from..self.at).unwrap_or_default();
                    let range = String::from_utf8_lossy(range).into();
                    return Err(self.error(PatternErrorKind::RegexRange(range), from, self.at));
                }
            }
        }
    }

    /// One member of a class; the character, if it is a single one.
    fn member(&mut self) -> Result<(Class, Option<u8>), PatternError> {
        let start = self.at;
        let Some(next) = self.peek() else {
            return Err(self.error(PatternErrorKind::RegexClass, start, start));
        };
        self.bump();
        if next == b'\\' { self.escape(start) } else { Ok((Class::one(next), Some(next))) }
    }

    /// A repetition, if one stands here: at least, at most.
    fn times(&mut self) -> Result<Option<(u32, Option<u32>)>, PatternError> {
        let start = self.at;
        let times = match self.peek() {
            Some(b'*') => (0, None),
            Some(b'+') => (1, None),
            Some(b'?') => (0, Some(1)),
            Some(b'{') => {
                let times = self.braces();
                let Some(times) = times else {
                    let rest = self.body.get(start..).unwrap_or_default();
                    let length =
                        rest.iter().position(|&byte| byte == b'}').map_or(1, |at| at.wrapping_add(1));
                    let end = start.wrapping_add(length);
                    let text = rest.get(..length).unwrap_or_default();
                    let text = String::from_utf8_lossy(text).into();
                    return Err(self.error(PatternErrorKind::RegexTimes(text), start, end));
                };
                times
            }
            _ => return Ok(None),
        };
        if self.at == start {
            self.bump();
        }
        // A lazy repetition matches in the same texts.
        if self.peek() == Some(b'?') {
            self.bump();
        }
        match self.peek() {
            Some(b'*' | b'+' | b'?' | b'{') => Err(self.nothing_to_repeat(self.at)),
            _ => Ok(Some(times)),
        }
    }

    /// `{m}`, `{m,}`, `{,n}` or `{m,n}`, moved behind; `None` and not moved when it is none of them.
    fn braces(&mut self) -> Option<(u32, Option<u32>)> {
        let rest = self.body.get(self.at..)?;
        let length = rest.iter().position(|&byte| byte == b'}')?;
        let inner = std::str::from_utf8(rest.get(1..length)?).ok()?;
        let count = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            // What does not fit is refused for its size.
            is_number.then(|| text.parse::<u32>().unwrap_or(u32::MAX))
        };
        let times = match inner.split_once(',') {
            None => {
                let exactly = count(inner)?;
                (exactly, Some(exactly))
            }
            Some((least, "")) => (count(least)?, None),
            Some(("", most)) => (0, Some(count(most)?)),
            Some((least, most)) => (count(least)?, Some(count(most)?)),
        };
        if times.1.is_some_and(|most| most < times.0) {
            return None;
        }
        self.at = self.at.wrapping_add(length).wrapping_add(1);
        Some(times)
    }

    fn nothing_to_repeat(&self, at: usize) -> PatternError {
        let sign = self.body.get(at).copied().map_or('*', char::from);
        self.error(PatternErrorKind::RegexRepeat(sign), at, at.wrapping_add(1))
    }

    fn error(&self, kind: PatternErrorKind, start: usize, end: usize) -> PatternError {
        PatternError { kind, span: self.base.wrapping_add(start)..self.base.wrapping_add(end) }
    }

    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn bump(&mut self) {
        self.at = self.at.wrapping_add(1);
    }
}

enum Atomic {
    Element(Element),
    Tie(Tie),
}

#[derive(Clone, Copy, PartialEq)]
enum Tie {
    Start,
    End,
}

/// Resolves `^` and `$`: nothing can be matched before the start and nothing behind the end, so what stands there must be
/// able to be missing.
fn tie(row: Vec<Atomic>) -> Option<Branch> {
    let is = |wanted: Tie| move |atomic: &Atomic| matches!(atomic, Atomic::Tie(tie) if *tie == wanted);
    let start = row.iter().rposition(is(Tie::Start));
    let end = row.iter().position(is(Tie::End));
    let mut branch = Branch { elements: Vec::new(), at_start: start.is_some(), at_end: end.is_some() };
    for (index, atomic) in row.into_iter().enumerate() {
        let Atomic::Element(element) = atomic else { continue };
        let is_outside = start.is_some_and(|start| index < start) || end.is_some_and(|end| index > end);
        match (is_outside, element.may_be_missing()) {
            (false, _) => branch.elements.push(element),
            (true, true) => {}
            (true, false) => return None,
        }
    }
    Some(branch)
}

/// What AWS lets stand in an expression at all.
fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || ":_#=@/;,- ^$?*+{}[].|\\".contains(character)
}

/// How many positions the automaton has at most.
const MAX_POSITIONS: usize = 4096;
