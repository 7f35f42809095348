//! Comparisons and the values they compare with, the same in JSON and in space-delimited patterns.

use crate::number::{self, Number};
use crate::pattern::error::{PatternError, PatternErrorKind};
use crate::pattern::lex::{PatternReader, is_blank};
use crate::pattern::regex::Regex;
use crate::wildcard::Wildcard;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// A comparison with a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Compared {
    pub(super) operator: Operator,
    pub(super) value: Literal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// What is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    /// A number without quotes, as written, and its millionths if it is a short one.
    Number(Box<str>, Option<i64>),
    /// A bare or quoted text, `*` in it is a wildcard.
    Text {
        text: Wildcard,
        quoted: bool,
    },
    Regex(Regex),
}

/// What is compared: a JSON value or a field. Anything else, as null or an object, compares to nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operand<'a> {
    /// A JSON string, escapes resolved.
    JsonString(&'a [u8]),
    /// A JSON number as written.
    JsonNumber(&'a [u8]),
    /// A field of a space-delimited line, a number if it looks like one.
    Field(&'a [u8]),
}

impl Compared {
    /// Reads an operator and a value.
    ///
    /// # Errors
    /// [`PatternError`] for what is no operator (`==`, `=!`), a missing or bare `null` value, a character that needs quotes
    /// (`a:b`), an order without a number (`> "5"`), an exponent beyond 32 bits, and what quotes and regular expressions
    /// can be wrong in.
    pub(super) fn read(reader: &mut PatternReader<'_>) -> Result<Compared, PatternError> {
        let start = reader.at();
        let sign = reader.take_while(|next| matches!(next, '=' | '!' | '<' | '>'));
        let Some((_, operator)) = Operator::SIGNS.into_iter().find(|(text, _)| *text == sign) else {
            if sign.is_empty() {
                return Err(reader.expected("an operator"));
            }
            return Err(reader.error(PatternErrorKind::NotAnOperator(sign.into()), start..reader.at()));
        };
        reader.skip_blank();
        let start = reader.at();
        let value = Literal::read(reader)?;
        if operator.is_order() && !matches!(value, Literal::Number(..)) {
            let found = reader.since(start).into();
            let kind = PatternErrorKind::OrderNeedsNumber { sign: operator.sign(), found };
            return Err(reader.error(kind, start..reader.at()));
        }
        Ok(Compared { operator, value })
    }

    /// Whether `=`, `<` and so on hold for the operand; for `!=`, whether it differs.
    #[inline]
    pub(super) fn holds(&self, operand: Operand<'_>) -> bool {
        match self.operator {
            Operator::Equal => self.value.equals(operand),
            Operator::NotEqual => !self.value.equals(operand),
            order => self.value.order(operand).is_some_and(|found| match order {
                Operator::Less => found == Ordering::Less,
                Operator::AtMost => found != Ordering::Greater,
                Operator::More => found == Ordering::Greater,
                _ => found != Ordering::Less,
            }),
        }
    }
}

impl Operator {
    const SIGNS: [(&'static str, Operator); 6] = [
        ("=", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<", Operator::Less),
        ("<=", Operator::AtMost),
        (">", Operator::More),
        (">=", Operator::AtLeast),
    ];

    /// As it is written.
    pub(super) fn sign(self) -> &'static str {
        Operator::SIGNS.iter().find(|(_, operator)| *operator == self).map_or("=", |(sign, _)| sign)
    }

    fn is_order(self) -> bool {
        !matches!(self, Operator::Equal | Operator::NotEqual)
    }
}

impl Literal {
    fn read(reader: &mut PatternReader<'_>) -> Result<Literal, PatternError> {
        match reader.peek() {
            Some('"') => Ok(Literal::Text { text: Wildcard::new(reader.quoted()?), quoted: true }),
            Some('%') => reader.regex().map(Literal::Regex),
            Some(_) => Literal::bare(reader),
            None => Err(reader.expected("a value")),
        }
    }

    fn bare(reader: &mut PatternReader<'_>) -> Result<Literal, PatternError> {
        let start = reader.at();
        let ends = |next: char| is_blank(next) || matches!(next, ')' | '}' | ']' | ',' | '&' | '|');
        let token = reader.take_while(|next| !ends(next));
        if token.is_empty() {
            return Err(reader.expected("a value"));
        }
        if Number::read(token.as_bytes()).is_some() {
            if !exponent_fits(token) {
                return Err(reader.error(PatternErrorKind::Exponent(token.into()), start..reader.at()));
            }
            return Ok(Literal::Number(token.into(), number::millionths(token.as_bytes())));
        }
        let allowed = |next: char| next.is_alphanumeric() || matches!(next, '_' | '.' | '*' | '-');
        if let Some((at, found)) = token.char_indices().find(|(_, found)| !allowed(*found)) {
            let at = start.wrapping_add(at);
            let span = at..at.wrapping_add(found.len_utf8());
            return Err(reader.error(PatternErrorKind::ValueCharacter(found), span));
        }
        if token == "null" {
            return Err(reader.error(PatternErrorKind::BareNull, start..reader.at()));
        }
        Ok(Literal::Text { text: Wildcard::new(token.to_owned()), quoted: false })
    }

    #[inline]
    fn equals(&self, operand: Operand<'_>) -> bool {
        match (self, operand) {
            (Literal::Number(text, _), Operand::JsonString(content)) => text.as_bytes() == content,
            (Literal::Number(..), _) => self.order(operand) == Some(Ordering::Equal),
            (Literal::Text { text, .. }, operand) => text.matches(&operand.text()),
            (Literal::Regex(regex), operand) => regex.matches_text(&operand.text()),
        }
    }

    /// How a number compares to this one; `None` when one of them is no number, or beyond the doubles.
    #[inline]
    fn order(&self, operand: Operand<'_>) -> Option<Ordering> {
        let Literal::Number(literal, short) = self else { return None };
        let text = match operand {
            Operand::JsonString(_) => return None,
            Operand::JsonNumber(text) | Operand::Field(text) => text,
        };
        if let (Some(literal), Some(found)) = (short, number::millionths(text)) {
            return Some(found.cmp(literal));
        }
        Number::read(text)?.compare(Number::read(literal.as_bytes())?)
    }
}

impl<'a> Operand<'a> {
    /// The text that quoted values, wildcards and regular expressions are compared with.
    #[inline]
    pub(super) fn text(self) -> Cow<'a, [u8]> {
        match self {
            Operand::JsonString(text) | Operand::Field(text) => Cow::Borrowed(text),
            Operand::JsonNumber(text) => match Number::read(text) {
                Some(number) => Cow::Owned(number.text().into_bytes()),
                None => Cow::Borrowed(text),
            },
        }
    }
}

/// Whether the exponent of a number, if it has one, fits into 32 bits.
fn exponent_fits(number: &str) -> bool {
    number.split_once(['e', 'E']).is_none_or(|(_, exponent)| exponent.parse::<i32>().is_ok())
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operator.sign(), self.value)
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Number(text, _) => f.write_str(text),
            Literal::Text { text, quoted: false } => f.write_str(text.text()),
            Literal::Text { text, quoted: true } => write_quoted(f, text.text()),
            Literal::Regex(regex) => write!(f, "%{}%", regex.source()),
        }
    }
}

/// A text between quotes, so that it reads back as itself.
pub(super) fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
