//! The regular expressions of filter patterns, `%...%`: AWS's subset, compiled to a bit-parallel automaton.
//!
//! # Syntax
//! ASCII letters, digits, `: _ # = @ / ; , -` and the blank stand for themselves. Operators are `^ $ . ? * + | [ ]` and
//! `{m}`, `{m,}`, `{,n}`, `{m,n}`; `\` takes the meaning off an operator or symbol; `\d \D \s \S \w \W` are ASCII
//! classes and `\xhh` is an ASCII character. There are no groups and no back-references, so no parentheses, not even
//! escaped ones.
//!
//! # Matching
//! A search anywhere in the text. `^` and `$` are the start and the end of the text, never of a line within it. `.` is
//! any character but a newline. A character is a Unicode character; none beyond ASCII can be named, so `.`, `[^a]`,
//! `\D`, `\S` and `\W` are what matches them.
//!
//! # Cost
//! The body is checked and translated here, never handed to a regex library: what AWS takes and what libraries take
//! differ in both directions (`a{,3}`, `[[]`, `a++`, `\d` in Unicode). Without groups every expression is a list of
//! branches, each a row of characters that must, may or may repeatedly occur. Such a row fits into the bits of a few
//! words, and one character of text costs a handful of operations whatever the expression: linear in the text, no
//! recursion, no backtracking. (Navarro and Raffinot, *Flexible Pattern Matching in Strings*, 2002, section 4: the
//! extended Shift-And algorithm.) A text that a branch needs is searched for first, which decides most lines.

mod parse;

use crate::automaton::{Automaton, Branch};
use crate::pattern::error::PatternError;
use crate::search::{Needle, Searched};
use std::ops::Range;

/// A compiled regular expression.
#[derive(Clone, Debug)]
pub struct Regex {
    source: Box<str>,
    search: Search,
}

#[derive(Clone, Debug)]
enum Search {
    /// A branch matches the empty text wherever it stands.
    Always,
    /// A text occurs, or one of several: every branch is a plain text.
    Texts(Vec<Needle>),
    /// The automaton accepts; but not when none of the texts occurs that the branches need. No texts: ask it at once.
    Run { needs: Vec<Needle>, automaton: Box<Automaton> },
}

impl PartialEq for Regex {
    fn eq(&self, other: &Regex) -> bool {
        self.source == other.source
    }
}

impl Regex {
    /// Compiles what stands between the `%`; `at` is where it starts in the pattern, for the places of errors.
    ///
    /// # Errors
    /// [`PatternError`] for a character or escape outside the subset (`a!`, `(a)`, `\b`), an unclosed class (`[a`), a
    /// range that runs backwards (`[z-a]`), a repetition of nothing (`*a`, `a++`) or without sense (`a{3,2}`), and an
    /// expression of more than 4,096 positions (`a{5000}`).
    pub(super) fn new(body: &str, at: usize) -> Result<Regex, PatternError> {
        let branches = parse::parse(body, at)?;
        let search = if branches.iter().any(Branch::is_always) {
            Search::Always
        } else if let Some(texts) = all(&branches, Branch::text) {
            Search::Texts(texts)
        } else {
            let needs = all(&branches, Branch::needed_text).unwrap_or_default();
            Search::Run { needs, automaton: Box::new(Automaton::new(&branches)) }
        };
        Ok(Regex { source: body.into(), search })
    }

    /// Texts of which a line in which it is found has one; none where it may have none of any.
    pub(super) fn needed_texts(&self) -> &[Needle] {
        match &self.search {
            Search::Always => &[],
            Search::Texts(texts) | Search::Run { needs: texts, .. } => texts,
        }
    }

    /// The expression as written, without its `%`.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it is found in the line; the line is unescaped only when its raw text does not decide.
    #[inline]
    pub(super) fn matches(&self, line: &Searched<'_>) -> bool {
        match &self.search {
            Search::Always => true,
            Search::Texts(texts) => texts.iter().any(|text| line.has(text)),
            Search::Run { needs, automaton } => {
                (needs.is_empty() || needs.iter().any(|text| line.has(text)))
                    && automaton.is_found_in(line.line().text())
            }
        }
    }

    /// The parts of a text without escapes that stand in a match.
    pub(super) fn spans_in(&self, text: &[u8]) -> Vec<Range<usize>> {
        match &self.search {
            Search::Always => Vec::new(),
            Search::Texts(texts) => texts.iter().flat_map(|needle| needle.spans_in(text)).collect(),
            Search::Run { automaton, .. } => automaton.spans_in(text),
        }
    }

    /// Whether it matches the empty text, and so every text.
    pub(super) fn is_always(&self) -> bool {
        matches!(self.search, Search::Always)
    }

    /// Whether it is found in a text without escapes.
    #[inline]
    pub(super) fn matches_text(&self, text: &[u8]) -> bool {
        match &self.search {
            Search::Always => true,
            Search::Texts(texts) => texts.iter().any(|needle| needle.occurs_in_text(text)),
            Search::Run { automaton, .. } => automaton.is_found_in(text),
        }
    }
}

/// One text for each branch, or `None` when a branch has none.
fn all(branches: &[Branch], text: fn(&Branch) -> Option<String>) -> Option<Vec<Needle>> {
    branches.iter().map(|branch| text(branch).map(Needle::new)).collect()
}

#[cfg(test)]
mod tests;
