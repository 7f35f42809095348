//! Selectors: `$.user.id`, `$.list[0]`, `$.list[*].name`, `$.['app.kubernetes.io/name']`.

use crate::pattern::error::{PatternError, PatternErrorKind};
use crate::pattern::lex::{Reader, is_name};
use crate::pattern::object::eval::TAG_KEYS;
use std::fmt;

/// Which nodes of a JSON object: a row of steps from its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    pub(super) steps: Box<[Step]>,
}

/// From a node to nodes below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The member of an object.
    Key(Box<str>),
    /// The element of an array, from zero.
    Index(usize),
    /// Every member of an object or element of an array.
    Every,
}

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// [`PatternError`] for anything but `$.` and a name, `*` or `['...']` at first (`$`, `$[0]`, `$['a']`), for what is
    /// neither an index nor `*` nor a name in single quotes in brackets (`[-1]`, `["a"]`), and for a second wildcard.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Selector, PatternError> {
        let start = reader.at();
        if !reader.eat("$") {
            return Err(reader.expected("a selector like $.name"));
        }
        let mut steps = Vec::new();
        loop {
            if reader.eat(".") {
                steps.push(Selector::dotted(reader)?);
            } else if steps.is_empty() {
                return Err(reader.expected("a dot behind $"));
            } else if reader.peek() == Some('[') {
                steps.push(Selector::bracketed(reader, false)?);
            } else {
                break;
            }
        }
        if steps.iter().filter(|step| **step == Step::Every).count() > 1 {
            return Err(reader.error(PatternErrorKind::SecondWildcard, start..reader.at()));
        }
        Ok(Selector { steps: steps.into() })
    }

    /// Whether it asks for anything that stands under `key` in a record.
    pub(in crate::pattern) fn mentions(&self, key: &str) -> bool {
        match &*self.steps {
            [Step::Key(first), ..] => **first == *key,
            [Step::Every, ..] => true,
            _ => false,
        }
    }

    /// Whether it asks for what stands under `key` in a record, as far as a tag does not say it.
    pub(in crate::pattern) fn reaches_into(&self, key: &str) -> bool {
        match &*self.steps {
            [Step::Key(first), Step::Key(second), ..] => **first == *key && !TAG_KEYS.contains(&&**second),
            [Step::Key(first), _, ..] => **first == *key,
            [Step::Every, _, ..] => true,
            _ => false,
        }
    }

    /// Whether it asks for something that every record has whose tag names a container.
    pub(in crate::pattern) fn is_said_by_tag(&self) -> bool {
        matches!(&*self.steps, [Step::Key(_), Step::Key(key)] if TAG_KEYS.contains(&&**key))
    }

    /// Whether it has a `*`.
    pub fn has_wildcard(&self) -> bool {
        self.steps.contains(&Step::Every)
    }

    fn dotted(reader: &mut Reader<'_>) -> Result<Step, PatternError> {
        match reader.peek() {
            Some('*') => {
                reader.bump();
                Ok(Step::Every)
            }
            Some('[') => Selector::bracketed(reader, true),
            _ => match reader.take_while(is_name) {
                "" => Err(reader.expected("a name, * or ['...'] behind the dot")),
                name => Ok(Step::Key(name.into())),
            },
        }
    }

    /// What stands in brackets; behind a dot only a name.
    fn bracketed(reader: &mut Reader<'_>, only_name: bool) -> Result<Step, PatternError> {
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
                Step::Key(name.into())
            }
            _ if only_name => return Err(reader.expected("a name in single quotes")),
            Some('*') => {
                reader.bump();
                Step::Every
            }
            Some('0'..='9') => {
                let digits = reader.take_while(|next| next.is_ascii_digit());
                // No array is as long as what does not fit.
                Step::Index(digits.parse().unwrap_or(usize::MAX))
            }
            _ => return Err(reader.expected("an index, * or a name in single quotes")),
        };
        if !reader.eat("]") {
            return Err(reader.expected("a closing ]"));
        }
        Ok(step)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                Step::Key(name) if name.chars().all(is_name) => write!(f, ".{name}")?,
                Step::Key(name) => {
                    write!(f, ".['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"))?;
                }
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Every if index == 0 => f.write_str(".*")?,
                Step::Every => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}
