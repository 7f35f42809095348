//! What is wrong with a pattern, and where.

use std::fmt;
use std::ops::Range;

/// Why a pattern was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// What is wrong.
    pub kind: PatternErrorKind,
    /// The bytes of the pattern that are at fault.
    pub span: Range<usize>,
}

/// The ways in which a pattern can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternErrorKind {
    /// More than 1024 characters.
    TooLong(usize),
    /// A pattern that opens with a delimiter and does not end with its counterpart.
    Unclosed {
        /// What it starts with.
        open: char,
        /// What it must end with.
        close: char,
    },
    /// A character outside quotes that a bare term may not contain.
    NeedsQuotes(char),
    /// A quote that nothing closes.
    UnclosedQuote,
    /// `""` as a term.
    EmptyPhrase,
    /// `-` or `?` with no term behind it.
    LoneSign(char),
    /// A phrase that touches the text behind it, as in `"a"b`.
    TouchesQuote(char),
    /// Something else stands where this is needed.
    Expected {
        /// What is needed.
        what: &'static str,
        /// What stands there; empty at the end.
        found: Box<str>,
    },
    /// A run of operator characters that is none, as `==`.
    NotAnOperator(Box<str>),
    /// `<`, `<=`, `>` or `>=` with something else than a number.
    OrderNeedsNumber {
        /// The operator.
        sign: &'static str,
        /// What stands behind it.
        found: Box<str>,
    },
    /// A character in a value that needs quotes.
    ValueCharacter(char),
    /// `= null`.
    BareNull,
    /// A number with an exponent beyond 32 bits.
    Exponent(Box<str>),
    /// `['` that nothing closes.
    UnclosedName,
    /// `['']`.
    EmptyName,
    /// A `(` that nothing closes.
    UnclosedParenthesis,
    /// `!(...)`.
    NoNegation,
    /// More than 64 parentheses in each other.
    TooNested,
    /// A second `*` in one selector.
    SecondWildcard,
    /// A fourth selector with `*`.
    TooManyWildcards,
    /// A third regular expression.
    TooManyRegexes,
    /// A field name that starts with a digit.
    FieldName(Box<str>),
    /// A field name that an entry before it has.
    DuplicateField(Box<str>),
    /// A second `...`.
    SecondEllipsis,
    /// A condition on two fields.
    OtherField {
        /// The entry's field.
        first: Box<str>,
        /// The other one.
        second: Box<str>,
    },
    /// A `%` that nothing closes.
    UnclosedRegex,
    /// `%%`.
    EmptyRegex,
    /// Something behind the `%` that ends a pattern's expression.
    BehindRegex(char),
    /// A character outside the subset.
    RegexCharacter(char),
    /// An escape outside the subset.
    RegexEscape(Box<str>),
    /// `\x` without two hexadecimal digits that name an ASCII character.
    RegexHex(Box<str>),
    /// A class that nothing closes.
    RegexClass,
    /// A range that is none.
    RegexRange(Box<str>),
    /// A repetition of nothing, or of a repetition.
    RegexRepeat(char),
    /// Braces that are no repetition.
    RegexTimes(Box<str>),
    /// More positions than an expression may have.
    RegexTooLarge,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use PatternErrorKind as Kind;
        match &self.kind {
            Kind::TooLong(length) => {
                write!(f, "the pattern has {length} characters; at most 1024 are allowed")
            }
            Kind::Unclosed { open, close } => {
                write!(f, "a pattern that starts with '{open}' must end with '{close}'")
            }
            Kind::NeedsQuotes(found) => {
                write!(f, "invalid character {} in a term without quotes", shown(*found))
            }
            Kind::UnclosedQuote => f.write_str("nothing closes this quote"),
            Kind::EmptyPhrase => f.write_str("a phrase may not be empty"),
            Kind::LoneSign(sign) => write!(f, "no term follows this '{sign}'"),
            Kind::TouchesQuote(found) => {
                write!(
                    f,
                    "a phrase must be followed by a blank, '-', '?' or the end, found {}",
                    shown(*found)
                )
            }
            Kind::Expected { what, found } if found.is_empty() => {
                write!(f, "expected {what}, found the end of the pattern")
            }
            Kind::Expected { what, found } => write!(f, "expected {what}, found `{}`", clipped(found)),
            Kind::NotAnOperator(found) => write!(f, "`{}` is not an operator", clipped(found)),
            Kind::OrderNeedsNumber { sign, found } => {
                write!(f, "`{sign}` needs a number without quotes, found `{}`", clipped(found))
            }
            Kind::ValueCharacter(found) => {
                write!(f, "invalid character {} in a value without quotes", shown(*found))
            }
            Kind::BareNull => f.write_str("`null` without quotes is not a value"),
            Kind::Exponent(number) => write!(f, "the exponent of `{}` is too large", clipped(number)),
            Kind::UnclosedName => f.write_str("nothing closes this `['`"),
            Kind::EmptyName => f.write_str("a name may not be empty"),
            Kind::UnclosedParenthesis => f.write_str("nothing closes this parenthesis"),
            Kind::NoNegation => f.write_str("there is no `!` in front of conditions"),
            Kind::TooNested => f.write_str("parentheses nest deeper than 64 levels"),
            Kind::SecondWildcard => f.write_str("a selector may have one `*`, this one has more"),
            Kind::TooManyWildcards => {
                f.write_str("a pattern may have three selectors with `*`, this is the fourth")
            }
            Kind::TooManyRegexes => {
                f.write_str("a pattern may have two regular expressions, this is the third")
            }
            Kind::FieldName(name) => {
                write!(f, "`{}` is not a field name: it starts with a digit", clipped(name))
            }
            Kind::DuplicateField(name) => write!(f, "duplicate field `{}`", clipped(name)),
            Kind::SecondEllipsis => f.write_str("duplicate `...`: a pattern may skip fields once"),
            Kind::OtherField { first, second } => {
                write!(f, "a condition on `{}` may not ask for `{}`", clipped(first), clipped(second))
            }
            Kind::UnclosedRegex => f.write_str("nothing closes this regular expression"),
            Kind::EmptyRegex => f.write_str("a regular expression may not be empty"),
            Kind::BehindRegex(found) => {
                write!(f, "invalid character {} behind the regular expression's '%'", shown(*found))
            }
            Kind::RegexCharacter(found) => {
                write!(f, "{} is not supported in a regular expression", shown(*found))
            }
            Kind::RegexEscape(escape) => write!(f, "`{escape}` is not supported in a regular expression"),
            Kind::RegexHex(escape) => {
                write!(f, "`{escape}` does not name an ASCII character by two hexadecimal digits")
            }
            Kind::RegexClass => f.write_str("nothing closes this `[`"),
            Kind::RegexRange(range) => write!(f, "`{range}` is not a range of characters"),
            Kind::RegexRepeat(sign) => write!(f, "there is nothing that this '{sign}' could repeat"),
            Kind::RegexTimes(braces) => write!(f, "`{}` is not a repetition", clipped(braces)),
            Kind::RegexTooLarge => f.write_str("the regular expression is too large: at most 4096 positions"),
        }
    }
}

impl std::error::Error for PatternError {}

impl PatternError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        use PatternErrorKind as Kind;
        match &self.kind {
            Kind::TooLong(_) => "split it into several rules",
            Kind::Unclosed { .. } => {
                "close it, or put a term that starts with this character into double quotes"
            }
            Kind::NeedsQuotes('!') => {
                "for lines without a word write -word, or `not` in `when`; for the character itself put the term into double quotes"
            }
            Kind::NeedsQuotes('|' | '(' | ')') => {
                "for one of several words write ?this ?that; for the character itself put the term into double quotes"
            }
            Kind::NeedsQuotes('*') => {
                "a term is found anywhere in the line, and has no wildcards; expressions stand in percent signs: %GET .* 500%"
            }
            Kind::NeedsQuotes(_) => "put the term into double quotes",
            Kind::UnclosedQuote => "add a closing quote; write \\\" for a quote inside a phrase",
            Kind::EmptyPhrase => "an empty pattern matches everything",
            Kind::LoneSign(_) => "write the term behind the sign, or put the sign into quotes",
            Kind::TouchesQuote(_) => "put a blank between them, or both into one phrase",
            Kind::Expected { what, found } => help_for(what, found),
            Kind::NotAnOperator(found) if found.starts_with("==") => "write one `=`",
            Kind::NotAnOperator(_) => "operators are = != < <= > >=",
            Kind::OrderNeedsNumber { .. } => "compare texts with = or !=, `*` is a wildcard in them",
            Kind::ValueCharacter('\'') => "put the value into double quotes; single ones quote nothing",
            Kind::ValueCharacter(_) => "put the value into double quotes",
            Kind::BareNull => "write `IS NULL`, or \"null\" for the text",
            Kind::Exponent(_) => "no JSON number is that large or small",
            Kind::UnclosedName | Kind::EmptyName => "write $.['name']",
            Kind::UnclosedParenthesis => "add a closing )",
            Kind::NoNegation => {
                "turn the conditions around: != for =, || for &&; or put the pattern under `not` in `when`"
            }
            Kind::TooNested | Kind::RegexTooLarge => "make it simpler, or use several rules",
            Kind::SecondWildcard | Kind::TooManyWildcards => "name the member, or its index",
            Kind::TooManyRegexes => "join them with `|`, or use several rules",
            Kind::FieldName(_) => "field names consist of letters, digits and _, and start with no digit",
            Kind::DuplicateField(_) => "names are only labels: give each field its own",
            Kind::SecondEllipsis => "leave one out",
            Kind::OtherField { .. } => "give each field its own entry: [a = 1, b = 2]",
            Kind::UnclosedRegex => "add a closing %; write \\x25 for a percent sign inside",
            Kind::EmptyRegex => "an empty pattern matches everything",
            Kind::BehindRegex(_) => {
                "a regular expression is a pattern by itself; write \\x25 for a percent sign inside"
            }
            Kind::RegexCharacter('(' | ')') => {
                "there are no groups: write the alternatives out, %this|that%; \\x28 and \\x29 are the characters themselves"
            }
            Kind::RegexCharacter(found) if !found.is_ascii() => "only ASCII; `.` matches any character",
            Kind::RegexCharacter(_) => "write it as \\xhh, by its two hexadecimal digits",
            Kind::RegexEscape(_) => "escapes are \\d \\D \\s \\S \\w \\W, \\xhh, and \\ before a symbol",
            Kind::RegexHex(_) => "write \\x3A for a colon; up to \\x7F",
            Kind::RegexClass => "add a closing ]; write \\[ for the character itself",
            Kind::RegexRange(_) => "a range goes from the lower to the higher character: [a-z]",
            Kind::RegexRepeat(_) => "put a character or a class before it, or a \\ to mean the sign itself",
            Kind::RegexTimes(_) => "write {m}, {m,}, {,n} or {m,n}; write \\{ for the character itself",
        }
    }
}

fn help_for(what: &str, found: &str) -> &'static str {
    match (what, found) {
        (_, "and" | "AND") => "write &&",
        (_, "or" | "OR") => "write ||",
        ("an operator", "EXISTS" | "exists") => {
            "write `= *` for any text or number; only NOT EXISTS has a keyword"
        }
        ("a dot behind $", _) => "write $.name, or $.['a name with other characters']",
        ("a name, * or ['...'] behind the dot" | "a name in single quotes", _) => {
            "write $.['a name with other characters']"
        }
        ("EXISTS behind NOT", _) => "conditions are = != < <= > >= IS NULL, IS TRUE, IS FALSE, NOT EXISTS",
        ("NULL, TRUE or FALSE behind IS", _) => "there is no IS NOT: write `NOT EXISTS`, or a comparison",
        ("an operator", _) => "operators are = != < <= > >= IS NOT",
        _ => "conditions look like { $.status >= 500 && $.user NOT EXISTS } or [ip, user, status = 4*]",
    }
}

/// A character in quotes, or by its number where nobody would see it.
fn shown(character: char) -> String {
    if character.is_control() || (character.is_whitespace() && character != ' ') {
        format!("U+{:04X}", u32::from(character))
    } else {
        format!("'{character}'")
    }
}

/// A token of which a hundred characters say enough.
fn clipped(token: &str) -> &str {
    token.char_indices().nth(100).and_then(|(end, _)| token.get(..end)).unwrap_or(token)
}
