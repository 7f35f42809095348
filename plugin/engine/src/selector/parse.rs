//! Text to requirements: a lexer that holds one token, and a step for each part of a requirement.
//!
//! apimachinery scans all tokens first and then parses. Its scan cannot fail, so both at once accept the same.

use crate::selector::error::{SelectorError, SelectorErrorKind, TokenPlace};
use crate::selector::eval::integer;
use crate::selector::names::{check_key, check_value};
use crate::selector::{Bound, EqualsSign, LabelCondition, Requirement};
use std::collections::BTreeSet;
use std::ops::Range;

/// Reads a selector. See [`crate::selector::Selector::parse`].
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    if text.len() > MAX_BYTES {
        return Err(SelectorError { kind: SelectorErrorKind::TooLong(text.len()), span: 0..text.len() });
    }
    let mut reader = SelectorReader { text, token: Token::Comma, span: 0..0 };
    reader.advance();
    let mut requirements = Vec::new();
    let mut place = TokenPlace::Start;
    if reader.token == Token::End {
        return Ok(requirements);
    }
    loop {
        requirements.push(reader.requirement(place)?);
        if reader.token == Token::End {
            return Ok(requirements);
        }
        if reader.token != Token::Comma {
            return Err(reader.unexpected(TokenPlace::AfterRequirement));
        }
        reader.advance();
        place = TokenPlace::AfterComma;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    End,
    Comma,
    Open,
    Close,
    Not,
    Equals,
    DoubleEquals,
    NotEquals,
    Greater,
    Less,
    Word,
}

/// The text with the token that is read next. Behind the last one, `token` stays [`Token::End`].
struct SelectorReader<'a> {
    text: &'a str,
    token: Token,
    span: Range<usize>,
}

impl<'a> SelectorReader<'a> {
    fn requirement(&mut self, place: TokenPlace) -> Result<Requirement, SelectorError> {
        if self.token == Token::Not {
            self.advance();
            let key = self.key(TokenPlace::AfterNot)?;
            if !matches!(self.token, Token::End | Token::Comma) {
                return Err(self.unexpected(TokenPlace::AfterNotKey));
            }
            return Ok(Requirement { key, condition: LabelCondition::Absent });
        }
        let key = self.key(place)?;
        let condition = match self.token {
            Token::End | Token::Comma => LabelCondition::Exists,
            Token::Equals => LabelCondition::Equals(EqualsSign::Single, self.value()?),
            Token::DoubleEquals => LabelCondition::Equals(EqualsSign::Double, self.value()?),
            Token::NotEquals => LabelCondition::Differs(self.value()?),
            Token::Greater => LabelCondition::Above(self.bound()?),
            Token::Less => LabelCondition::Below(self.bound()?),
            Token::Word if self.found() == "in" => LabelCondition::In(self.set()?),
            Token::Word if self.found() == "notin" => LabelCondition::NotIn(self.set()?),
            Token::Word | Token::Not | Token::Open | Token::Close => {
                return Err(self.unexpected(TokenPlace::AfterKey));
            }
        };
        Ok(Requirement { key, condition })
    }

    fn key(&mut self, place: TokenPlace) -> Result<String, SelectorError> {
        if self.token != Token::Word {
            return Err(self.unexpected(place));
        }
        let key = self.found();
        check_key(key, self.span.start)?;
        self.advance();
        Ok(key.to_owned())
    }

    /// The value behind an operator; nothing is the empty one.
    fn value(&mut self) -> Result<String, SelectorError> {
        self.advance();
        if matches!(self.token, Token::End | Token::Comma) {
            return Ok(String::new());
        }
        self.word(TokenPlace::AfterOperator)
    }

    /// The integer behind `>` or `<`. A value has no sign, so neither has this.
    fn bound(&mut self) -> Result<Bound, SelectorError> {
        self.advance();
        if self.token != Token::Word {
            return Err(self.unexpected(TokenPlace::AfterComparison));
        }
        let found = self.found();
        match integer(found).filter(|_| found.bytes().all(|byte| byte.is_ascii_digit())) {
            Some(number) => self.word(TokenPlace::AfterComparison).map(|digits| Bound { digits, number }),
            None => Err(SelectorError {
                kind: SelectorErrorKind::NotInteger(found.to_owned()),
                span: self.span.clone(),
            }),
        }
    }

    /// The values behind `in` or `notin`. Wherever one is missing it is the empty one.
    fn set(&mut self) -> Result<BTreeSet<String>, SelectorError> {
        self.advance();
        if self.token != Token::Open {
            return Err(self.unexpected(TokenPlace::AfterIn));
        }
        let mut values = BTreeSet::new();
        while self.token != Token::Close {
            self.advance();
            if matches!(self.token, Token::Comma | Token::Close) {
                values.insert(String::new());
                continue;
            }
            values.insert(self.word(TokenPlace::InSet)?);
            if !matches!(self.token, Token::Comma | Token::Close) {
                return Err(self.unexpected(TokenPlace::AfterSetValue));
            }
        }
        self.advance();
        Ok(values)
    }

    /// The value that must stand here.
    fn word(&mut self, place: TokenPlace) -> Result<String, SelectorError> {
        if self.token != Token::Word {
            return Err(self.unexpected(place));
        }
        let value = self.found();
        check_value(value, self.span.start)?;
        self.advance();
        Ok(value.to_owned())
    }

    fn unexpected(&self, place: TokenPlace) -> SelectorError {
        let found = (self.token != Token::End).then(|| self.found().to_owned());
        SelectorError { kind: SelectorErrorKind::Unexpected { found, place }, span: self.span.clone() }
    }

    /// The text of the token.
    fn found(&self) -> &'a str {
        self.text.get(self.span.clone()).unwrap_or_default()
    }

    /// Reads the next token: the longest symbol, else everything up to a blank, a symbol or a NUL.
    fn advance(&mut self) {
        if self.token == Token::End {
            return;
        }
        let bytes = self.text.as_bytes();
        let at = |index: usize| bytes.get(index).copied().unwrap_or(NUL);
        let mut start = self.span.end;
        if start > 0 && at(start) == NUL {
            start = start.wrapping_add(1).min(bytes.len());
        }
        while is_blank(at(start)) {
            start = start.wrapping_add(1);
        }
        let second = at(start.wrapping_add(1));
        let (token, length) = match at(start) {
            NUL => (Token::End, 0),
            b',' => (Token::Comma, 1),
            b'(' => (Token::Open, 1),
            b')' => (Token::Close, 1),
            b'>' => (Token::Greater, 1),
            b'<' => (Token::Less, 1),
            b'!' if second == b'=' => (Token::NotEquals, 2),
            b'=' if second == b'=' => (Token::DoubleEquals, 2),
            b'!' => (Token::Not, 1),
            b'=' => (Token::Equals, 1),
            _ => (Token::Word, 1),
        };
        let mut end = start.wrapping_add(length);
        while token == Token::Word && !ends_word(at(end)) {
            end = end.wrapping_add(1);
        }
        self.token = token;
        self.span = start..end;
    }
}

/// Not `is_whitespace`: a no-break space or a vertical tab belongs to the word around it, which is then refused.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn ends_word(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b'=' | b'!' | b'(' | b')' | b',' | b'>' | b'<' | NUL)
}

/// What apimachinery's lexer reads behind the end, and therefore takes for the end.
const NUL: u8 = 0;

/// A guard of our own, in bytes. Label selectors that people write have some hundred.
const MAX_BYTES: usize = 4096;
