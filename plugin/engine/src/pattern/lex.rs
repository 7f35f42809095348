//! The pieces that all forms of a pattern are made of: one reader that moves over the text and knows where it stands.

use crate::pattern::error::{PatternError, PatternErrorKind};
use crate::pattern::regex::Regex;
use std::ops::Range;

/// A place in a pattern, and what has been used up of what a pattern may hold.
#[derive(Debug)]
pub(super) struct PatternReader<'a> {
    text: &'a str,
    at: usize,
    /// Regular expressions read so far.
    regexes: usize,
}

impl<'a> PatternReader<'a> {
    /// Reads `text`, which is the pattern up to where this reader may go, from `at`.
    pub(super) fn new(text: &'a str, at: usize) -> PatternReader<'a> {
        PatternReader { text, at, regexes: 0 }
    }

    /// Where it stands, in bytes from the start of the pattern.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next character.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The whole pattern.
    pub(super) fn all(&self) -> &'a str {
        self.text
    }

    /// Moves to a place that another reader of the same text has reached.
    pub(super) fn move_to(&mut self, at: usize) {
        self.at = at;
    }

    /// What has been read since `start`.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Moves past the next character.
    pub(super) fn bump(&mut self) {
        self.at = self.at.wrapping_add(self.peek().map_or(0, char::len_utf8));
    }

    /// Moves past `text` if it comes next.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let comes = self.rest().starts_with(text);
        if comes {
            self.at = self.at.wrapping_add(text.len());
        }
        comes
    }

    /// Moves past blanks.
    pub(super) fn skip_blank(&mut self) {
        self.take_while(is_blank);
    }

    /// Moves past characters of a kind and hands them on.
    pub(super) fn take_while(&mut self, kind: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|next| !kind(next)).unwrap_or(rest.len());
        self.at = self.at.wrapping_add(length);
        rest.get(..length).unwrap_or_default()
    }

    /// Moves past a keyword in any case if it comes next as a whole word.
    pub(super) fn keyword(&mut self, keyword: &str) -> bool {
        let rest = self.rest();
        let comes = rest.get(..keyword.len()).is_some_and(|word| word.eq_ignore_ascii_case(keyword))
            && !rest.get(keyword.len()..).and_then(|rest| rest.chars().next()).is_some_and(is_name);
        if comes {
            self.at = self.at.wrapping_add(keyword.len());
        }
        comes
    }

    /// The text between the quotes that start here, `\"` and `\\` resolved; any other backslash is itself.
    pub(super) fn quoted(&mut self) -> Result<String, PatternError> {
        let start = self.at;
        self.bump();
        let mut content = String::new();
        loop {
            let Some(next) = self.peek() else {
                return Err(self.error(PatternErrorKind::UnclosedQuote, start..start.wrapping_add(1)));
            };
            self.bump();
            match (next, self.peek()) {
                ('"', _) => return Ok(content),
                ('\\', Some(escaped @ ('"' | '\\'))) => {
                    content.push(escaped);
                    self.bump();
                }
                _ => content.push(next),
            }
        }
    }

    /// The regular expression that starts here with its `%`.
    pub(super) fn regex(&mut self) -> Result<Regex, PatternError> {
        let start = self.at;
        self.bump();
        let body_at = self.at;
        let body = self.take_while(|next| next != '%');
        if !self.eat("%") {
            return Err(self.error(PatternErrorKind::UnclosedRegex, start..start.wrapping_add(1)));
        }
        if body.is_empty() {
            return Err(self.error(PatternErrorKind::EmptyRegex, start..self.at));
        }
        self.regexes = self.regexes.saturating_add(1);
        if self.regexes > MAX_REGEXES {
            return Err(self.error(PatternErrorKind::TooManyRegexes, start..self.at));
        }
        Regex::new(body, body_at)
    }

    /// An error for a part of the pattern.
    pub(super) fn error(&self, kind: PatternErrorKind, span: Range<usize>) -> PatternError {
        PatternError { kind, span }
    }

    /// What is wanted here does not stand here.
    pub(super) fn expected(&self, what: &'static str) -> PatternError {
        let rest = self.rest();
        // One character that means something by itself, or the word that starts here.
        let length = match rest.char_indices().find(|(_, next)| !is_name(*next)) {
            Some((0, next)) => next.len_utf8(),
            Some((length, _)) => length,
            None => rest.len(),
        };
        let found = rest.get(..length).unwrap_or_default();
        let kind = PatternErrorKind::Expected { what, found: found.into() };
        let end = self.at.wrapping_add(length.max(usize::from(rest.is_empty())));
        // At the end there is nothing to point at but the last character.
        let start = if rest.is_empty() { self.at.saturating_sub(1) } else { self.at };
        self.error(kind, start..if rest.is_empty() { self.at } else { end })
    }
}

/// What separates the parts of a pattern and the fields of a line: ASCII white space, as `\s` in an expression.
pub(super) fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r')
}

/// Characters of a name in a JSON selector: letters, digits, `_` and `-`.
pub(super) fn is_name(character: char) -> bool {
    character.is_alphabetic() || character.is_ascii_digit() || matches!(character, '_' | '-')
}

/// AWS's own limit.
const MAX_REGEXES: usize = 2;
