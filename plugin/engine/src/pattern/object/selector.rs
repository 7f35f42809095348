//! Selectors: `$.user.id`, `$.list[0]`, `$.list[*].name`, `$.['app.kubernetes.io/name']`.

use crate::pattern::error::{PatternError, PatternErrorKind};
use crate::pattern::lex::{PatternReader, is_name};
use crate::pattern::object::eval::TAG_KEYS;
use std::fmt;

/// Which nodes of a JSON object: a row of steps from its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertySelector {
    pub(super) steps: Box<[SelectorStep]>,
}

/// From a node to nodes below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SelectorStep {
    /// The member of an object.
    Key(Box<str>),
    /// The element of an array, from zero.
    Index(usize),
    /// Every member of an object or element of an array.
    Every,
}

impl PropertySelector {
    /// Reads a selector.
    ///
    /// # Errors
    /// [`PatternError`] for anything but `$.` and a name, `*` or `['...']` at first (`$`, `$[0]`, `$['a']`), for what is
    /// neither an index nor `*` nor a name in single quotes in brackets (`[-1]`, `["a"]`), and for a second wildcard.
    pub(super) fn read(reader: &mut PatternReader<'_>) -> Result<PropertySelector, PatternError> {
        let start = reader.at();
        if !reader.eat("$") {
            return Err(reader.expected("a selector like $.name"));
        }
        let mut steps = Vec::new();
        loop {
            if reader.eat(".") {
                steps.push(PropertySelector::dotted(reader)?);
            } else if steps.is_empty() {
                return Err(reader.expected("a dot behind $"));
            } else if reader.peek() == Some('[') {
                steps.push(PropertySelector::bracketed(reader, false)?);
            } else {
                break;
            }
        }
        if steps.iter().filter(|step| **step == SelectorStep::Every).count() > 1 {
            return Err(reader.error(PatternErrorKind::SecondWildcard, start..reader.at()));
        }
        Ok(PropertySelector { steps: steps.into() })
    }

    /// Whether it asks for anything that stands under `key` in a record.
    pub(in crate::pattern) fn mentions(&self, key: &str) -> bool {
        match &*self.steps {
            [SelectorStep::Key(first), ..] => **first == *key,
            [SelectorStep::Every, ..] => true,
            _ => false,
        }
    }

    /// Whether it asks for what stands under `key` in a record, as far as a tag does not say it.
    pub(in crate::pattern) fn reaches_into(&self, key: &str) -> bool {
        match &*self.steps {
            [SelectorStep::Key(first), SelectorStep::Key(second), ..] => {
                **first == *key && !TAG_KEYS.contains(&&**second)
            }
            [SelectorStep::Key(first), _, ..] => **first == *key,
            [SelectorStep::Every, _, ..] => true,
            _ => false,
        }
    }

    /// Whether it asks for something that every record has whose tag names a container.
    pub(in crate::pattern) fn is_said_by_tag(&self) -> bool {
        matches!(&*self.steps, [SelectorStep::Key(_), SelectorStep::Key(key)] if TAG_KEYS.contains(&&**key))
    }

    /// Whether it has a `*`.
    pub fn has_wildcard(&self) -> bool {
        self.steps.contains(&SelectorStep::Every)
    }

    fn dotted(reader: &mut PatternReader<'_>) -> Result<SelectorStep, PatternError> {
        match reader.peek() {
            Some('*') => {
                reader.bump();
                Ok(SelectorStep::Every)
            }
            Some('[') => PropertySelector::bracketed(reader, true),
            _ => match reader.take_while(is_name) {
                "" => Err(reader.expected("a name, * or ['...'] behind the dot")),
                name => Ok(SelectorStep::Key(name.into())),
            },
        }
    }

    /// What stands in brackets; behind a dot only a name.
    fn bracketed(reader: &mut PatternReader<'_>, only_name: bool) -> Result<SelectorStep, PatternError> {
        let start = reader.at();
        reader.bump();
        let step = match reader.peek() {
            Some('\'') => {
                reader.bump();
                let mut name = String::new();
                loop {
                    let Some(next) = reader.peek() else {
                        let kind = PatternErrorKind::UnclosedName;
                        return Err(reader.error(kind, start..start.wrapping_add(2)));
                    };
                    reader.bump();
                    match (next, reader.peek()) {
                        ('\'', _) => break,
                        ('\\', Some(escaped @ ('\'' | '\\'))) => {
                            name.push(escaped);
                            reader.bump();
                        }
                        _ => name.push(next),
                    }
                }
                if name.is_empty() {
                    return Err(reader.error(PatternErrorKind::EmptyName, start..reader.at()));
                }
                SelectorStep::Key(name.into())
            }
            _ if only_name => return Err(reader.expected("a name in single quotes")),
            Some('*') => {
                reader.bump();
                SelectorStep::Every
            }
            Some('0'..='9') => {
                let digits = reader.take_while(|next| next.is_ascii_digit());
                // No array is as long as what does not fit.
                SelectorStep::Index(digits.parse().unwrap_or(usize::MAX))
            }
            _ => return Err(reader.expected("an index, * or a name in single quotes")),
        };
        if !reader.eat("]") {
            return Err(reader.expected("a closing ]"));
        }
        Ok(step)
    }
}

impl fmt::Display for PropertySelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                SelectorStep::Key(name) if name.chars().all(is_name) => write!(f, ".{name}")?,
                SelectorStep::Key(name) => {
                    write!(f, ".['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"))?;
                }
                SelectorStep::Index(index) => write!(f, "[{index}]")?,
                SelectorStep::Every if index == 0 => f.write_str(".*")?,
                SelectorStep::Every => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}
