//! What is legal in a pattern but surely not meant.

use crate::pattern::object::{PropertyCondition, Test};
use crate::pattern::value::{Compared, Literal, Operator};
use crate::pattern::{Form, Pattern};

/// What is legal but surely not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternWarning {
    /// What happens, in the author's terms.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Pattern {
    /// What is legal in the pattern but surely not meant, such as `abc-123`, `?a b`, `[ERROR]` or `{ $.a = true }`; `text`
    /// is what it was read from.
    pub fn warnings(&self, text: &str) -> Vec<PatternWarning> {
        let mut found = Vec::new();
        match &self.form {
            Form::Terms(terms) => {
                if terms.optional_are_ignored() {
                    found.push(PatternWarning {
                        message: "the ?optional terms are ignored because the pattern has other terms".into(),
                        help: "use either only ?optional terms or none".into(),
                    });
                }
                signs_inside_words(text, &mut found);
                found.extend(operator_as_word(text));
            }
            Form::Fields(fields, _) if fields.takes_any_line() => found.push(PatternWarning {
                message: format!(
                    "`{text}` matches every line: it is a row of fields, and names no condition"
                ),
                help: format!("write \"{text}\" with double quotes to search for that text"),
            }),
            Form::Object(object) => {
                for condition in object.logic.iter() {
                    found.extend(word_for_boolean(condition));
                }
            }
            Form::Fields(..) | Form::Regex(_) => {}
        }
        found
    }

    /// Selectors that are compared with `!=` and are not asked for with NOT EXISTS: records without them do not match.
    pub fn differs_only_where_present(&self) -> Vec<PatternWarning> {
        let Form::Object(object) = &self.form else { return Vec::new() };
        let is_bare = |condition: &&PropertyCondition| {
            matches!(&condition.test, Test::Compare(comparison) if comparison.operator == Operator::NotEqual)
                && !condition.selector.has_wildcard()
                && !condition.selector.is_said_by_tag()
                && !object.logic.iter().any(|other| {
                    let is_needed = object.logic.is_conjunction() && !std::ptr::eq(other, *condition);
                    other.selector == condition.selector && (is_needed || other.test == Test::NotExists)
                })
        };
        let warn = |condition: &PropertyCondition| PatternWarning {
            message: format!("`{condition}` is false for records without {}", condition.selector),
            help: format!("if those are meant too: ({} NOT EXISTS) || ({condition})", condition.selector),
        };
        object.logic.iter().filter(is_bare).map(warn).collect()
    }
}

/// What stands between the phrases of a term pattern.
fn outside_phrases(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut is_inside, mut is_escaped) = (0usize, false, false);
    for (at, character) in text.char_indices() {
        match character {
            '"' if !is_inside => found.push(text.get(start..at).unwrap_or_default()),
            '"' if !is_escaped => start = at.wrapping_add(1),
            _ => {
                is_escaped = is_inside && character == '\\' && !is_escaped;
                continue;
            }
        }
        if is_inside && is_escaped {
            is_escaped = false;
        } else {
            is_inside = !is_inside;
        }
    }
    if !is_inside {
        found.push(text.get(start..).unwrap_or_default());
    }
    found
}

fn signs_inside_words(text: &str, found: &mut Vec<PatternWarning>) {
    for word in outside_phrases(text).into_iter().flat_map(str::split_whitespace) {
        let inner = word.trim_start_matches(['-', '?']);
        if let Some(at) = inner.find(['-', '?']) {
            let (head, tail) = inner.split_at(at);
            if !head.is_empty() && !tail.trim_matches(['-', '?']).is_empty() {
                let sign = if tail.starts_with('-') { "excludes" } else { "makes optional" };
                let rest = tail.trim_matches(['-', '?']);
                found.push(PatternWarning {
                    message: format!("`{inner}` is two terms: `{head}`, and one that {sign} `{rest}`"),
                    help: format!("write \"{inner}\" with quotes to search for that text"),
                });
            }
        }
    }
}

/// `a OR b`: a pattern of terms has no operators, so that only lines with the word itself would match.
fn operator_as_word(text: &str) -> Option<PatternWarning> {
    let words: Vec<&str> = outside_phrases(text).into_iter().flat_map(str::split_whitespace).collect();
    let word = words.iter().find(|word| matches!(**word, "OR" | "AND" | "NOT"))?;
    let others: Vec<&str> =
        words.iter().copied().filter(|other| !matches!(*other, "OR" | "AND" | "NOT")).collect();
    let help = match *word {
        _ if others.is_empty() || text.contains('"') => {
            "for one of several write ?this ?that, for all of them this that, for none -this".to_owned()
        }
        "OR" => format!(
            "for one of them write {}",
            others.iter().map(|word| format!("?{word}")).collect::<Vec<_>>().join(" ")
        ),
        "AND" => format!("for all of them write {}", others.join(" ")),
        _ => "for lines without a word write -word".to_owned(),
    };
    Some(PatternWarning {
        message: format!("`{word}` is a word that the line must have, and no operator"),
        help,
    })
}

fn word_for_boolean(condition: &PropertyCondition) -> Option<PatternWarning> {
    let Test::Compare(Compared { operator, value: Literal::Text { text, quoted: false } }) = &condition.test
    else {
        return None;
    };
    let is_word = |word: &str| text.text().eq_ignore_ascii_case(word);
    if !is_word("true") && !is_word("false") {
        return None;
    }
    let (sign, word) = (operator.sign(), text.text());
    Some(PatternWarning {
        message: format!("`{sign} {word}` compares with the text \"{word}\", never with the boolean"),
        help: format!("write `{} IS {}` for the boolean", condition.selector, word.to_ascii_uppercase()),
    })
}
