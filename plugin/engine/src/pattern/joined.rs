//! Conditions joined by `&&`, `||` and parentheses, read the same way in JSON and in space-delimited patterns.

use crate::pattern::error::{PatternError, PatternErrorKind};
use crate::pattern::lex::PatternReader;
use crate::pattern::logic::Logic;

/// Conditions joined by `&&`, `||` and parentheses, as many as stand here. Without recursion, see [`Logic`].
pub(super) fn joined<C>(
    reader: &mut PatternReader<'_>,
    what: &'static str,
    mut condition: impl FnMut(&mut PatternReader<'_>) -> Result<C, PatternError>,
) -> Result<Logic<C>, PatternError> {
    let (mut conditions, mut levels) = (Vec::new(), Vec::new());
    let mut open = Vec::new();
    loop {
        reader.skip_blank();
        if reader.peek() == Some('(') {
            open.push(reader.at());
            if open.len() > MAX_DEPTH {
                let here = reader.at();
                return Err(reader.error(PatternErrorKind::TooNested, here..here.wrapping_add(1)));
            }
            reader.bump();
            continue;
        }
        if let Some(sign @ ('!' | ')' | '}')) = reader.peek() {
            return Err(match sign {
                '!' => {
                    let here = reader.at();
                    reader.error(PatternErrorKind::NoNegation, here..here.wrapping_add(1))
                }
                _ => reader.expected(what),
            });
        }
        conditions.push(condition(reader)?);
        reader.skip_blank();
        while let Some(at) = open.pop() {
            if !reader.eat(")") {
                open.push(at);
                break;
            }
            reader.skip_blank();
        }
        let is_and = reader.eat("&&");
        if !is_and && !reader.eat("||") {
            break;
        }
        // At most 64 parentheses, so a level fits.
        let level = open.len().wrapping_mul(2).wrapping_add(usize::from(is_and));
        levels.push(u8::try_from(level).unwrap_or(u8::MAX));
    }
    match open.pop() {
        Some(at) if matches!(reader.peek(), Some('}' | ']' | ',') | None) => {
            Err(reader.error(PatternErrorKind::UnclosedParenthesis, at..at.wrapping_add(1)))
        }
        Some(_) => Err(reader.expected("&&, || or a closing )")),
        None => Ok(Logic::new(conditions, levels)),
    }
}

/// Parentheses open at once.
const MAX_DEPTH: usize = 64;
