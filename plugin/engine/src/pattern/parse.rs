//! Text to a pattern: the form by the first character, and the terms.

use crate::pattern::error::{PatternError, PatternErrorKind};
use crate::pattern::lex::{PatternReader, is_blank};
use crate::pattern::terms::{TermSign, Terms};
use crate::pattern::{Form, fields, object};
use crate::search::Needle;

/// Reads a pattern. See [`crate::pattern::Pattern::parse`].
pub(super) fn parse(text: &str) -> Result<Form, PatternError> {
    let length = text.chars().count();
    if length > MAX_CHARACTERS {
        return Err(PatternError { kind: PatternErrorKind::TooLong(length), span: 0..text.len() });
    }
    let inner = text.trim_end_matches(is_blank);
    let mut reader = PatternReader::new(inner, 0);
    reader.skip_blank();
    let start = reader.at();
    let close = match reader.peek() {
        Some('{') => Some(('{', '}')),
        Some('[') => Some(('[', ']')),
        Some('%') => Some(('%', '%')),
        _ => None,
    };
    if let Some((open, close)) = close
        && (!inner.ends_with(close) || reader.rest().len() == 1)
    {
        let kind = PatternErrorKind::Unclosed { open, close };
        return Err(reader.error(kind, start..start.wrapping_add(1)));
    }
    match reader.peek() {
        Some('{') => object::parse(&mut reader).map(Form::Object),
        Some('[') => {
            let pattern = fields::parse(&mut reader)?;
            let needed = pattern.needed_text().map(|text| Box::new(Needle::new(text.to_owned())));
            Ok(Form::Fields(pattern, needed))
        }
        Some('%') => {
            let regex = reader.regex()?;
            match reader.peek() {
                None => Ok(Form::Regex(regex)),
                Some(found) => {
                    let at = reader.at();
                    let span = at..at.wrapping_add(found.len_utf8());
                    Err(reader.error(PatternErrorKind::BehindRegex(found), span))
                }
            }
        }
        _ => {
            let mut terms = Terms::default();
            while let Some((sign, term)) = term(&mut reader)? {
                terms.push(sign, term);
            }
            Ok(Form::Terms(terms))
        }
    }
}

fn term(reader: &mut PatternReader<'_>) -> Result<Option<(TermSign, String)>, PatternError> {
    reader.skip_blank();
    let start = reader.at();
    let (sign, character) = match reader.peek() {
        None => return Ok(None),
        Some(character @ '-') => (TermSign::Excluded, character),
        Some(character @ '?') => (TermSign::Optional, character),
        Some(character) => (TermSign::Plain, character),
    };
    if sign != TermSign::Plain {
        reader.bump();
        reader.skip_blank();
    }
    match reader.peek() {
        Some('"') => phrase(reader).map(|term| Some((sign, term))),
        Some(next) if is_bare(next) => Ok(Some((sign, bare(reader)?))),
        Some('-' | '?') | None => {
            Err(reader.error(PatternErrorKind::LoneSign(character), start..start.wrapping_add(1)))
        }
        Some(other) => Err(needs_quotes(reader, other)),
    }
}

fn bare(reader: &mut PatternReader<'_>) -> Result<String, PatternError> {
    let term = reader.take_while(is_bare);
    match reader.peek() {
        None | Some('-' | '?') => Ok(term.to_owned()),
        Some(next) if is_blank(next) => Ok(term.to_owned()),
        Some(next) => Err(needs_quotes(reader, next)),
    }
}

fn phrase(reader: &mut PatternReader<'_>) -> Result<String, PatternError> {
    let start = reader.at();
    let content = reader.quoted()?;
    if content.is_empty() {
        return Err(reader.error(PatternErrorKind::EmptyPhrase, start..reader.at()));
    }
    match reader.peek() {
        None | Some('-' | '?') => Ok(content),
        Some(next) if is_blank(next) => Ok(content),
        Some(next) => {
            let end = reader.at().wrapping_add(next.len_utf8());
            Err(reader.error(PatternErrorKind::TouchesQuote(next), reader.at()..end))
        }
    }
}

fn needs_quotes(reader: &PatternReader<'_>, found: char) -> PatternError {
    let end = reader.at().wrapping_add(found.len_utf8());
    reader.error(PatternErrorKind::NeedsQuotes(found), reader.at()..end)
}

/// Characters that a term may contain without quotes.
pub(super) fn is_bare(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.')
}

/// AWS's own limit.
const MAX_CHARACTERS: usize = 1024;
