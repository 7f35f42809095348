//! What is wrong with a selector.

use std::fmt;
use std::ops::Range;

/// Why a selector was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorError {
    /// What is wrong.
    pub kind: SelectorErrorKind,
    /// The bytes of the selector that are at fault; empty where something is missing at the end.
    pub span: Range<usize>,
}

/// The ways in which a selector can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectorErrorKind {
    /// More than 4096 bytes.
    TooLong(usize),
    /// A token where another one must stand.
    Unexpected {
        /// The token, `None` for the end of the selector.
        found: Option<String>,
        /// Where it stands.
        place: TokenPlace,
    },
    /// `/x`.
    EmptyPrefix,
    /// `x/`.
    EmptyName,
    /// `a/b/c`.
    SecondSlash,
    /// A character that a key or value may not contain.
    Character {
        /// The first of them.
        found: char,
        /// What it stands in.
        part: LabelPart,
    },
    /// A character that may stand inside, but not at the start or end.
    Edge {
        /// That character.
        found: char,
        /// What it starts or ends.
        part: LabelPart,
    },
    /// More bytes than a label may have.
    PartTooLong {
        /// What is too long.
        part: LabelPart,
        /// Its bytes.
        length: usize,
        /// As many are allowed.
        limit: usize,
    },
    /// Something behind `>` or `<` that is no integer of 64 bits without sign.
    NotInteger(String),
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelPart {
    /// What stands before the slash of a key.
    Prefix,
    /// What stands behind it, or the whole of a key without slash.
    Name,
    /// A value.
    Value,
}

/// Where a token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPlace {
    /// Where the first requirement must start.
    Start,
    /// Where the next one must start.
    AfterComma,
    /// Behind `!`.
    AfterNot,
    /// Behind `!` and its key.
    AfterNotKey,
    /// Behind a key.
    AfterKey,
    /// Behind `=`, `==` or `!=`.
    AfterOperator,
    /// Behind `>` or `<`.
    AfterComparison,
    /// Behind `in` or `notin`.
    AfterIn,
    /// Where a value of a set must stand.
    InSet,
    /// Behind a value of a set.
    AfterSetValue,
    /// Behind a whole requirement.
    AfterRequirement,
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            SelectorErrorKind::TooLong(length) => {
                write!(f, "the selector has {length} bytes; at most 4096 are allowed")
            }
            SelectorErrorKind::Unexpected { found: Some(found), place } => {
                write!(f, "found '{found}' {}; expected {}", place.name(), place.expected())
            }
            SelectorErrorKind::Unexpected { found: None, place } => {
                write!(f, "found the end {}; expected {}", place.name(), place.expected())
            }
            SelectorErrorKind::EmptyPrefix => f.write_str("nothing stands before the '/' of the key"),
            SelectorErrorKind::EmptyName => f.write_str("nothing stands behind the '/' of the key"),
            SelectorErrorKind::SecondSlash => f.write_str("found a second '/' in the key"),
            SelectorErrorKind::Character { found, part } if is_visible(*found) => {
                write!(f, "invalid character '{found}' in {}", part.name())
            }
            SelectorErrorKind::Character { found, part } => {
                write!(f, "invalid character U+{:04X} in {}", u32::from(*found), part.name())
            }
            SelectorErrorKind::Edge { found, part: LabelPart::Prefix } => {
                write!(f, "no part of the key's prefix may start or end with '{found}'")
            }
            SelectorErrorKind::Edge { found, part } => {
                write!(f, "{} may not start or end with '{found}'", part.name())
            }
            SelectorErrorKind::PartTooLong { part, length, limit } => {
                write!(f, "{} has {length} bytes; at most {limit} are allowed", part.name())
            }
            SelectorErrorKind::NotInteger(found) => {
                write!(f, "'{found}' is not an integer from 0 to 9223372036854775807")
            }
        }
    }
}

impl SelectorError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match &self.kind {
            SelectorErrorKind::TooLong(_) => "split it into several rules",
            SelectorErrorKind::Unexpected { found, place } => {
                place.help(found.as_deref().unwrap_or_default())
            }
            SelectorErrorKind::EmptyPrefix => "leave the '/' out, or write a domain before it",
            SelectorErrorKind::EmptyName => "write a name behind the '/'",
            SelectorErrorKind::SecondSlash => "a key is a name, or a prefix, '/' and a name: example.com/app",
            SelectorErrorKind::Character { found: '|' | '&', .. } => {
                "all requirements must hold, with ',' between them; for either value write key in (a,b)"
            }
            SelectorErrorKind::Character { found: ':', part: LabelPart::Name } => {
                "write key=value; letters, digits, '-', '_' and '.' make a key"
            }
            SelectorErrorKind::Character { found: '"' | '\'', .. } => "leave the quotes out",
            SelectorErrorKind::Character { found: '*', .. } => {
                "there are no wildcards; key alone takes any value"
            }
            SelectorErrorKind::Character { part: LabelPart::Prefix, .. } => {
                "use lower case letters, digits, '-' and '.'"
            }
            SelectorErrorKind::Character { .. } => "use letters, digits, '-', '_' and '.'",
            SelectorErrorKind::Edge { part: LabelPart::Prefix, .. } => {
                "put a lower case letter or a digit at both ends and around every '.'"
            }
            SelectorErrorKind::Edge { .. } => "put a letter or a digit at both ends",
            SelectorErrorKind::PartTooLong { .. } => "Kubernetes allows no such label, so no pod has it",
            SelectorErrorKind::NotInteger(_) => "write digits only; text is compared by =, !=, in and notin",
        }
    }
}

impl LabelPart {
    fn name(self) -> &'static str {
        match self {
            LabelPart::Prefix => "the key's prefix",
            LabelPart::Name => "the key's name",
            LabelPart::Value => "the value",
        }
    }
}

impl TokenPlace {
    fn name(self) -> &'static str {
        match self {
            TokenPlace::Start => "at the start",
            TokenPlace::AfterComma => "after ','",
            TokenPlace::AfterNot => "after '!'",
            TokenPlace::AfterNotKey => "after '!' and a key",
            TokenPlace::AfterKey => "after the key",
            TokenPlace::AfterOperator => "after the operator",
            TokenPlace::AfterComparison => "after '>' or '<'",
            TokenPlace::AfterIn => "after 'in' or 'notin'",
            TokenPlace::InSet => "in the set",
            TokenPlace::AfterSetValue => "after a value of the set",
            TokenPlace::AfterRequirement => "after the requirement",
        }
    }

    fn expected(self) -> &'static str {
        match self {
            TokenPlace::Start | TokenPlace::AfterComma => "a key or '!'",
            TokenPlace::AfterNot => "a key",
            TokenPlace::AfterKey => "an operator, ',' or the end",
            TokenPlace::AfterOperator => "a value, ',' or the end",
            TokenPlace::AfterComparison => "an integer",
            TokenPlace::AfterIn => "'('",
            TokenPlace::InSet => "a value, ',' or ')'",
            TokenPlace::AfterSetValue => "',' or ')'",
            TokenPlace::AfterNotKey | TokenPlace::AfterRequirement => "',' or the end",
        }
    }

    fn help(self, found: &str) -> &'static str {
        match self {
            TokenPlace::Start => "start with the key of a label, as in app=web",
            TokenPlace::AfterComma => "remove the ',' or write a requirement behind it",
            TokenPlace::AfterNot => "!key means that the pod has no such label",
            TokenPlace::AfterNotKey => "!key stands alone; to compare, write key!=value",
            TokenPlace::AfterKey | TokenPlace::AfterOperator if found == "(" => {
                "for several values write key in (a,b)"
            }
            TokenPlace::AfterKey if found == "exists" => "key alone means that the label exists",
            TokenPlace::AfterKey if found.eq_ignore_ascii_case("in") => "write in with small letters",
            TokenPlace::AfterKey if found.eq_ignore_ascii_case("notin") => "write notin with small letters",
            TokenPlace::AfterKey => "use one of = == != in notin > <, or put ',' between two requirements",
            TokenPlace::AfterOperator => "write one value, or none for the empty one",
            TokenPlace::AfterComparison if found == "=" => {
                "there is no >= and no <=; compare with the next integer"
            }
            TokenPlace::AfterComparison => "write an integer behind it",
            TokenPlace::AfterIn => "put the values into parentheses: key in (a,b)",
            TokenPlace::InSet | TokenPlace::AfterSetValue => {
                "put ',' between the values and ')' behind the last"
            }
            TokenPlace::AfterRequirement => "put ',' between requirements; all of them must hold",
        }
    }
}

/// Whether a character can be shown between quotes; a no-break space or a control character cannot.
fn is_visible(character: char) -> bool {
    character.is_ascii_graphic() || character.is_alphanumeric()
}
