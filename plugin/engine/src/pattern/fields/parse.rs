//! `[ ... ]` to entries.

use crate::pattern::error::{PatternError, PatternErrorKind};
use crate::pattern::fields::{FieldEntry, FieldPattern, FieldTest};
use crate::pattern::joined::joined;
use crate::pattern::lex::PatternReader;
use crate::pattern::value::Compared;

/// Reads a pattern whose `[` the reader stands at and whose `]` is its last character.
pub(in crate::pattern) fn parse(reader: &mut PatternReader<'_>) -> Result<FieldPattern, PatternError> {
    reader.bump();
    let (mut left, mut right) = (Vec::new(), None);
    let mut names: Vec<Box<str>> = Vec::new();
    reader.skip_blank();
    let mut is_first = true;
    loop {
        reader.skip_blank();
        if is_first && reader.eat("]") {
            break;
        }
        is_first = false;
        let start = reader.at();
        match entry(reader)? {
            None if right.is_some() => {
                return Err(reader.error(PatternErrorKind::SecondEllipsis, start..reader.at()));
            }
            None => right = Some(Vec::new()),
            Some((entry, end)) => {
                if let Some(name) = entry.name() {
                    if names.iter().any(|known| **known == *name) {
                        let kind = PatternErrorKind::DuplicateField(name.into());
                        return Err(reader.error(kind, start..end));
                    }
                    names.push(name.into());
                }
                right.as_mut().unwrap_or(&mut left).push(entry);
            }
        }
        reader.skip_blank();
        if reader.eat(",") {
            continue;
        }
        if reader.eat("]") {
            break;
        }
        return Err(reader.expected("a comma or the closing ]"));
    }
    if reader.rest().is_empty() {
        Ok(FieldPattern { left, right })
    } else {
        Err(reader.expected("nothing behind the closing ]"))
    }
}

/// One entry and where its name ends; `None` for an ellipsis.
fn entry(reader: &mut PatternReader<'_>) -> Result<Option<(FieldEntry, usize)>, PatternError> {
    if reader.eat("...") {
        return Ok(None);
    }
    if let Some(',' | ']') = reader.peek() {
        return Ok(Some((FieldEntry::Unnamed, reader.at())));
    }
    if reader.peek() != Some('(') {
        // A name alone, or the first of a condition.
        let mut ahead = PatternReader::new(reader.all(), reader.at());
        let name = field_name(&mut ahead)?;
        let end = ahead.at();
        ahead.skip_blank();
        if let Some(',' | ']') = ahead.peek() {
            reader.move_to(end);
            return Ok(Some((FieldEntry::Named(name.into()), end)));
        }
    }
    let mut first: Option<(Box<str>, usize)> = None;
    let logic = joined(reader, "a field name", |reader| {
        let start = reader.at();
        let name = field_name(reader)?;
        match &first {
            None => first = Some((name.into(), reader.at())),
            Some((known, _)) if **known == *name => {}
            Some((known, _)) => {
                let kind = PatternErrorKind::OtherField { first: known.clone(), second: name.into() };
                return Err(reader.error(kind, start..reader.at()));
            }
        }
        reader.skip_blank();
        Ok(FieldTest { name: name.into(), comparison: Compared::read(reader)? })
    })?;
    Ok(Some((FieldEntry::Tested(logic), first.map_or(0, |(_, end)| end))))
}

fn field_name<'a>(reader: &mut PatternReader<'a>) -> Result<&'a str, PatternError> {
    let start = reader.at();
    let name = reader.take_while(|next| next.is_ascii_alphanumeric() || next == '_');
    if name.is_empty() {
        return Err(reader.expected("a field name"));
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(reader.error(PatternErrorKind::FieldName(name.into()), start..reader.at()));
    }
    Ok(name)
}
