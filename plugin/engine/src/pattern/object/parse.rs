//! `{ ... }` to conditions and their joints.

use crate::pattern::error::{PatternError, PatternErrorKind};
use crate::pattern::joined::joined;
use crate::pattern::lex::PatternReader;
use crate::pattern::object::{ObjectPattern, PropertyCondition, PropertySelector, Test};
use crate::pattern::value::Compared;

/// Reads a pattern whose `{` the reader stands at and whose `}` is its last character.
pub(in crate::pattern) fn parse(reader: &mut PatternReader<'_>) -> Result<ObjectPattern, PatternError> {
    reader.bump();
    let mut wildcards = 0usize;
    let logic = joined(reader, "a selector like $.name", |reader| {
        let start = reader.at();
        let selector = PropertySelector::read(reader)?;
        wildcards = wildcards.saturating_add(usize::from(selector.has_wildcard()));
        if wildcards > MAX_WILDCARDS {
            return Err(reader.error(PatternErrorKind::TooManyWildcards, start..reader.at()));
        }
        reader.skip_blank();
        Ok(PropertyCondition::new(selector, test(reader)?))
    })?;
    if !reader.eat("}") {
        return Err(reader.expected("&&, || or the closing }"));
    }
    if !reader.rest().is_empty() {
        return Err(reader.expected("nothing behind the closing }"));
    }
    Ok(ObjectPattern { logic })
}

fn test(reader: &mut PatternReader<'_>) -> Result<Test, PatternError> {
    if reader.keyword("IS") {
        reader.skip_blank();
        for (word, test) in [("NULL", Test::IsNull), ("TRUE", Test::IsTrue), ("FALSE", Test::IsFalse)] {
            if reader.keyword(word) {
                return Ok(test);
            }
        }
        return Err(reader.expected("NULL, TRUE or FALSE behind IS"));
    }
    if reader.keyword("NOT") {
        reader.skip_blank();
        if reader.keyword("EXISTS") {
            return Ok(Test::NotExists);
        }
        return Err(reader.expected("EXISTS behind NOT"));
    }
    Compared::read(reader).map(Test::Compare)
}

/// AWS's own limit of selectors with a wildcard.
const MAX_WILDCARDS: usize = 3;
