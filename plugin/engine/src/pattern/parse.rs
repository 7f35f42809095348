//! Text to terms: one pass, each step takes the rest of the text and hands on what is behind it.

use crate::pattern::error::{PatternError, PatternErrorKind};
use crate::pattern::terms::{Sign, Terms};

/// Reads a pattern. See [`crate::pattern::Pattern::parse`].
pub(super) fn parse(text: &str) -> Result<Terms, PatternError> {
    let length = text.chars().count();
    if length > MAX_CHARACTERS {
        return Err(PatternError { kind: PatternErrorKind::TooLong(length), span: 0..text.len() });
    }
    let start = text.len().wrapping_sub(text.trim_start().len());
    let form = match text.trim_start().chars().next() {
        Some('{') => Some("JSON"),
        Some('[') => Some("space-delimited"),
        Some('%') => Some("regular expression"),
        _ => None,
    };
    if let Some(form) = form {
        return Err(PatternError {
            kind: PatternErrorKind::Unsupported(form),
            span: start..text.trim_end().len(),
        });
    }
    let mut reader = Reader { text, at: start };
    let mut terms = Terms::default();
    while let Some((sign, term)) = reader.term()? {
        terms.push(sign, term);
    }
    Ok(terms)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn term(&mut self) -> Result<Option<(Sign, String)>, PatternError> {
        self.skip_blank();
        let start = self.at;
        let sign = match self.peek() {
            None => return Ok(None),
            Some('-') => Sign::Excluded,
            Some('?') => Sign::Optional,
            Some(_) => Sign::Plain,
        };
        if sign != Sign::Plain {
            self.bump();
            self.skip_blank();
        }
        match self.peek() {
            Some('"') => self.phrase().map(|term| Some((sign, term))),
            Some(next) if is_bare(next) => Ok(Some((sign, self.bare()?))),
            Some('-' | '?') | None => {
                let sign = self.text.get(start..).and_then(|rest| rest.chars().next()).unwrap_or('-');
                Err(self.error(PatternErrorKind::LoneSign(sign), start, start.wrapping_add(1)))
            }
            Some(other) => Err(self.needs_quotes(other)),
        }
    }

    fn bare(&mut self) -> Result<String, PatternError> {
        let start = self.at;
        while let Some(next) = self.peek() {
            match next {
                '-' | '?' => break,
                _ if next.is_whitespace() => break,
                _ if is_bare(next) => self.bump(),
                _ => return Err(self.needs_quotes(next)),
            }
        }
        Ok(self.text.get(start..self.at).unwrap_or_default().to_owned())
    }

    fn phrase(&mut self) -> Result<String, PatternError> {
        let start = self.at;
        self.bump();
        let mut content = String::new();
        loop {
            let Some(next) = self.peek() else {
                return Err(self.error(PatternErrorKind::UnclosedQuote, start, start.wrapping_add(1)));
            };
            self.bump();
            match (next, self.peek()) {
                ('"', _) => break,
                ('\\', Some(escaped @ ('"' | '\\'))) => {
                    content.push(escaped);
                    self.bump();
                }
                _ => content.push(next),
            }
        }
        if content.is_empty() {
            return Err(self.error(PatternErrorKind::EmptyPhrase, start, self.at));
        }
        match self.peek() {
            None | Some('-' | '?') => Ok(content),
            Some(next) if next.is_whitespace() => Ok(content),
            Some(next) => {
                let end = self.at.wrapping_add(next.len_utf8());
                Err(self.error(PatternErrorKind::TouchesQuote, self.at, end))
            }
        }
    }

    fn needs_quotes(&self, found: char) -> PatternError {
        let end = self.at.wrapping_add(found.len_utf8());
        self.error(PatternErrorKind::NeedsQuotes(found), self.at, end)
    }

    fn error(&self, kind: PatternErrorKind, start: usize, end: usize) -> PatternError {
        PatternError { kind, span: start..end }
    }

    fn skip_blank(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.bump();
        }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn bump(&mut self) {
        self.at = self.at.wrapping_add(self.peek().map_or(0, char::len_utf8));
    }
}

/// Characters that a term may contain without quotes.
pub(super) fn is_bare(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.')
}

/// AWS's own limit.
const MAX_CHARACTERS: usize = 1024;

#[cfg(test)]
mod tests {
    use crate::pattern::Pattern;

    #[track_caller]
    fn refused(pattern: &str, message: &str, span: std::ops::Range<usize>) {
        let error = Pattern::parse(pattern).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.span), (message, span), "{pattern}");
    }

    #[test]
    fn every_mistake_is_named_with_its_place() {
        refused("a:b", "invalid character ':' in a term without quotes", 1..2);
        refused("ERR*", "invalid character '*' in a term without quotes", 3..4);
        refused("ERROR [x]", "invalid character '[' in a term without quotes", 6..7);
        refused("'a b'", "invalid character ''' in a term without quotes", 0..1);
        refused("ERROR \"open", "nothing closes this quote", 6..7);
        refused("\"\"", "a phrase may not be empty", 0..2);
        refused("\"A\"B", "a phrase must be followed by a blank, '-', '?' or the end", 3..4);
        refused("\"A\"\"B\"", "a phrase must be followed by a blank, '-', '?' or the end", 3..4);
        refused("a -", "no term follows this '-'", 2..3);
        refused("? ", "no term follows this '?'", 0..1);
        refused("--a", "no term follows this '-'", 0..1);
        refused(&"a".repeat(1025), "the pattern has 1025 characters; at most 1024 are allowed", 0..1025);
        assert!(Pattern::parse(&"a".repeat(1024)).is_ok());
    }

    #[test]
    fn forms_of_later_versions_are_refused_by_name() {
        refused(" { $.a = 1 }", "JSON patterns are not supported by this version", 1..12);
        refused("[ERROR]", "space-delimited patterns are not supported by this version", 0..7);
        refused("%a+%", "regular expression patterns are not supported by this version", 0..4);
    }

    #[test]
    fn surely_unintended_patterns_are_warned_about() {
        let warnings = |text: &str| {
            let found = Pattern::parse(text).unwrap().warnings(text);
            found.into_iter().map(|warning| warning.message).collect::<Vec<_>>()
        };
        assert_eq!(warnings("ERROR abc-123"), ["`abc-123` is two terms: `abc`, and one that excludes `123`"]);
        assert_eq!(warnings("?a b"), ["the ?optional terms are ignored because the pattern has other terms"]);
        assert!(warnings("ERROR \"abc-123\" -x ").is_empty() && warnings("?a ?b").is_empty());
    }
}
