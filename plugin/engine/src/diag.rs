//! Mistakes in a user's file, shown so that they can be corrected: a stable code, the place, a caret, and help.
//!
//! All mistakes of a file are collected in one pass and shown together. The frame is plain text without dependencies,
//! because the filter itself prints it to Fluent Bit's log.

use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::ops::Range;

/// What kind of mistake; the number never changes its meaning and is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The text is not YAML.
    Syntax,
    /// Nested deeper than 16 levels.
    TooDeep,
    /// An anchor, alias or tag.
    Anchor,
    /// The same key twice in one mapping.
    DuplicateKey,
    /// More bytes, values, rules or mistakes than a node takes.
    TooLarge,
    /// A mapping where text belongs, and the like.
    WrongKind,
    /// A key that means nothing here.
    UnknownKey,
    /// A key that must be there is not.
    MissingKey,
    /// `version` is not 1.
    Version,
    /// A value out of its range or not one of its choices.
    Value,
    /// A duration without unit, or with an unknown one.
    Duration,
    /// A share that is no probability, or not one in a whole number.
    Rate,
    /// A rule name that is not lower case letters, digits and dashes, or is taken by nodesieve itself.
    Name,
    /// Two rules with one name.
    DuplicateName,
    /// A name pattern that can match nothing.
    Glob,
    /// A path that does not start with a slash or climbs with `..`.
    Path,
    /// A rate, size or burst that cannot be read.
    Amount,
    /// A pattern that is refused.
    Pattern,
    /// A pattern that is legal but surely not meant.
    PatternDoubt,
    /// An annotation that the sidecar does not write unless it is told to.
    Unwritten,
    /// A label selector that is refused.
    Selector,
    /// A kind of secret whose form much else has.
    FalseHits,
    /// A rule without a policy, or with more than one.
    Policy,
    /// A drop that neither ends nor says why.
    Unexplained,
    /// A rule behind one that matches everything.
    Unreachable,
    /// A test of the file's own that does not hold.
    Test,
}

impl Code {
    /// Every code with its name and what it means.
    pub const ALL: [(Code, &'static str, &'static str); 26] = [
        (Code::Syntax, "NS100", "the text is not YAML"),
        (Code::TooDeep, "NS101", "nested deeper than 16 levels"),
        (Code::Anchor, "NS102", "anchors, aliases and tags are not used in rule files"),
        (Code::DuplicateKey, "NS103", "the same key twice"),
        (Code::TooLarge, "NS104", "more bytes, values, rules or mistakes than a node takes"),
        (Code::WrongKind, "NS200", "a mapping where text belongs, and the like"),
        (Code::UnknownKey, "NS201", "a key that means nothing here"),
        (Code::MissingKey, "NS202", "a key that must be there is not"),
        (Code::Version, "NS203", "a version other than 1"),
        (Code::Value, "NS300", "a value out of its range or not one of its choices"),
        (Code::Duration, "NS301", "a duration without unit, or with an unknown one"),
        (Code::Rate, "NS302", "a share that is not a probability"),
        (Code::Name, "NS303", "a name that a rule may not have"),
        (Code::DuplicateName, "NS304", "two rules with one name"),
        (Code::Glob, "NS305", "a name pattern that can match nothing"),
        (Code::Path, "NS306", "a path that is not absolute"),
        (Code::Amount, "NS307", "a rate, size or burst that cannot be read"),
        (Code::Pattern, "NS400", "a pattern that is refused"),
        (Code::PatternDoubt, "NS401", "a pattern that is legal but surely not meant"),
        (Code::Unwritten, "NS403", "an annotation that the sidecar does not write unless it is told to"),
        (Code::Selector, "NS402", "a label selector that is refused"),
        (Code::FalseHits, "NS404", "a kind of secret whose form much else has"),
        (Code::Policy, "NS500", "a rule without a policy, or with more than one"),
        (Code::Unexplained, "NS501", "a drop that neither ends nor says why"),
        (Code::Unreachable, "NS502", "a rule behind one that decides everything"),
        (Code::Test, "NS600", "a test of the file that does not hold"),
    ];

    /// The code as it is printed and searched for, such as `NS201`.
    pub fn name(self) -> &'static str {
        Code::ALL.iter().find(|(code, ..)| *code == self).map_or("NS000", |(_, name, _)| name)
    }

    /// Whether the file can be used all the same.
    pub fn is_warning(self) -> bool {
        matches!(
            self,
            Code::Glob | Code::PatternDoubt | Code::Unwritten | Code::FalseHits | Code::Unreachable
        )
    }
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind.
    pub code: Code,
    /// The bytes of the source that are at fault.
    pub span: Range<usize>,
    /// What is wrong, lower case, without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake without help.
    pub fn new(code: Code, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic { code, span, message: message.into(), help: None }
    }

    /// The same with help.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Diagnostic {
        Diagnostic { help: Some(help.into()), ..self }
    }

    /// Line and column of the mistake in `source`, both counted from 1, the column in characters.
    pub fn position(&self, source: &str) -> (usize, usize) {
        Places::of(source).position(self.span.start)
    }

    /// The mistake with its place in `source`, the file called `file`, as several lines of text.
    pub fn render(&self, source: &str, file: &str, paint: Paint) -> String {
        self.render_at(&mut Places::of(source), file, paint)
    }

    fn render_at(&self, places: &mut Places<'_>, file: &str, paint: Paint) -> String {
        let source = places.source;
        let (line, column) = places.position(self.span.start);
        // Of a long line only what stands around the caret: minified files are one line.
        let at = self.span.start.min(source.len());
        let before: String =
            source.get(places.line_start..at).unwrap_or_default().chars().rev().take(SHOWN / 2).collect();
        let indent = before.chars().count();
        let rest = source.get(at..).unwrap_or_default();
        let rest = rest.chars().take_while(|character| *character != '\n').take(SHOWN.saturating_sub(indent));
        let text: String = before.chars().rev().chain(rest).collect();
        let text = text.trim_end_matches('\r');
        let rest_of_line = text.chars().count().saturating_sub(indent).max(1);
        let spanned = source.get(self.span.clone()).unwrap_or_default();
        let width =
            spanned.lines().next().unwrap_or_default().chars().take(SHOWN).count().clamp(1, rest_of_line);
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        // A tab stays a tab in front of the caret, so that the two lines align in any terminal.
        let indent: String =
            text.chars().take(indent).map(|character| if character == '\t' { '\t' } else { ' ' }).collect();
        let (kind, style) = if self.code.is_warning() { ("warning", WARNING) } else { ("error", ERROR) };
        let mut out = String::new();
        let heading = paint.apply(style, &format!("{kind}[{}]", self.code.name()));
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{heading}: {}", self.message);
        let _ = writeln!(out, "{margin}--> {file}:{line}:{column}");
        let _ = writeln!(out, "{margin} |");
        let _ = writeln!(out, "{number} | {text}");
        let _ = writeln!(out, "{margin} | {indent}{}", paint.apply(style, &"^".repeat(width)));
        if let Some(help) = &self.help {
            let _ = writeln!(out, "{margin} = {}: {help}", paint.apply(HELP, "help"));
        }
        out
    }
}

/// Lines and columns of a text, found by going through it once as long as they are asked for in their order.
struct Places<'s> {
    source: &'s str,
    /// What has been gone through, and what that is: line and column from 0, and where the line starts.
    at: usize,
    line: usize,
    column: usize,
    line_start: usize,
}

impl<'s> Places<'s> {
    fn of(source: &'s str) -> Places<'s> {
        Places { source, at: 0, line: 0, column: 0, line_start: 0 }
    }

    /// Line and column of a byte, both from 1. Behind the end it is the end.
    fn position(&mut self, byte: usize) -> (usize, usize) {
        let byte = self.source.floor_char_boundary(byte);
        if byte < self.at {
            *self = Places::of(self.source);
        }
        let passed = self.source.get(self.at..byte).unwrap_or_default();
        match passed.rfind('\n') {
            Some(last) => {
                self.line = self.line.saturating_add(passed.matches('\n').count());
                self.line_start = self.at.saturating_add(last).saturating_add(1);
                self.column = passed.get(last.saturating_add(1)..).unwrap_or_default().chars().count();
            }
            None => self.column = self.column.saturating_add(passed.chars().count()),
        }
        self.at = byte;
        (self.line.saturating_add(1), self.column.saturating_add(1))
    }
}

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Plain text.
    Plain,
    /// ANSI colours.
    Ansi,
}

impl Paint {
    fn apply(self, style: &str, text: &str) -> String {
        match self {
            Paint::Plain => text.to_owned(),
            Paint::Ansi => format!("\x1b[{style}m{text}\x1b[0m"),
        }
    }
}

/// The mistakes of a file in the order of their places, which are whole characters of `source`: a place of one byte may be that of a
/// longer character, or lie behind the end.
pub fn in_order(mut diagnostics: Vec<Diagnostic>, source: &str) -> Vec<Diagnostic> {
    for Diagnostic { span, .. } in &mut diagnostics {
        let start = source.floor_char_boundary(span.start);
        *span = start..source.ceil_char_boundary(span.end).max(start);
    }
    // A heap of small keys: a sort would be ten times the code, and quadratic time a way to stop the filter.
    let keys = diagnostics.iter().enumerate().map(|(at, one)| (one.span.start, one.code, at));
    let order = keys.collect::<BinaryHeap<_>>().into_sorted_vec();
    let mut slots: Vec<Option<Diagnostic>> = diagnostics.into_iter().map(Some).collect();
    order.into_iter().filter_map(|(.., at)| slots.get_mut(at)?.take()).collect()
}

/// The mistakes of a file as text, in the order given; of very many the first [`MAX_SHOWN`].
#[inline(never)]
pub fn render_all(diagnostics: &[Diagnostic], source: &str, file: &str, paint: Paint) -> String {
    let mut places = Places::of(source);
    // And the one that says how many more there are.
    let most = MAX_SHOWN.saturating_add(1);
    let shown = diagnostics.iter().take(most);
    let shown = shown.map(|diagnostic| diagnostic.render_at(&mut places, file, paint));
    let mut out = shown.collect::<Vec<_>>().join("\n");
    if let Some(more) = diagnostics.len().checked_sub(most).filter(|more| *more > 0) {
        out.push_str(&format!("\nand {more} more\n"));
    }
    out
}

/// The known word that is nearest to `word`, if any is near enough to have been meant.
pub fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let allowed = (word.len() / 3).max(1);
    // What is longer than any word that is known is none of them written wrong.
    if word.len() > LONGEST_WORD {
        return None;
    }
    known
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= allowed)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be inserted, left out, changed or swapped with their neighbour to get from one word to the
/// other (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) =
        (one.chars().take(64).collect(), other.chars().take(64).collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (index, a) in one.iter().enumerate() {
        let mut row = vec![index.saturating_add(1)];
        for (column, b) in other.iter().enumerate() {
            // The costs in the row `up` rows above, `back` columns to the left of the one that is computed.
            let at = |up: usize, back: usize| {
                let column = column.saturating_add(1).checked_sub(back)?;
                let row = if up == 0 { &row } else { rows.get(index.saturating_add(1).checked_sub(up)?)? };
                row.get(column).copied()
            };
            let changed = at(1, 1).map(|cost| cost.saturating_add(usize::from(a != b)));
            let inserted = [at(1, 0), at(0, 1)].into_iter().flatten().map(|cost| cost.saturating_add(1));
            let before = |list: &[char], at: usize| at.checked_sub(1).and_then(|at| list.get(at).copied());
            let is_swap = before(&one, index) == Some(*b) && before(&other, column) == Some(*a);
            let swapped = if is_swap { at(2, 2).map(|cost| cost.saturating_add(1)) } else { None };
            row.push(inserted.chain(changed).chain(swapped).min().unwrap_or_default());
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last()).copied().unwrap_or_default()
}

/// How many mistakes of one file are told, the rest is a number: they would not be read, and the guest's memory is small.
pub const MAX_SHOWN: usize = 100;
/// Longest word for which a near one is looked for, in bytes: a name of a rule has 63.
const LONGEST_WORD: usize = 80;
/// How much of a source line is shown, in characters.
const SHOWN: usize = 160;
const ERROR: &str = "1;31";
const WARNING: &str = "1;33";
const HELP: &str = "1;36";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_shown_with_its_line_and_a_caret() {
        let source = "version: 1\nrules:\n  - nmae: x\n";
        let shown =
            Diagnostic::new(Code::UnknownKey, 22..26, "unknown key `nmae`").with_help("did you mean `name`?");
        assert_eq!(
            shown.render(source, "nodesieve.yaml", Paint::Plain),
            "error[NS201]: unknown key `nmae`\n --> nodesieve.yaml:3:5\n  |\n3 |   - nmae: x\n  |     ^^^^\n  = help: did you mean `name`?\n"
        );
        let coloured = shown.render(source, "f", Paint::Ansi);
        assert!(coloured.starts_with("\x1b[1;31merror[NS201]\x1b[0m: "));
    }

    #[test]
    fn places_count_characters_and_survive_the_end_of_the_text() {
        let source = "ä: ö\n\tx";
        assert_eq!(Diagnostic::new(Code::Syntax, 4..6, "").position(source), (1, 4));
        let at_end = Diagnostic::new(Code::Syntax, 9..9, "here").render(source, "f", Paint::Plain);
        assert!(at_end.contains("2 | \tx\n  | \t ^"), "{at_end}");
        let behind = Diagnostic::new(Code::Syntax, 99..120, "x").render(source, "f", Paint::Plain);
        assert!(behind.contains("f:2:3"));
    }

    #[test]
    fn a_place_is_made_of_whole_characters_of_the_text() {
        let of = |span| Diagnostic::new(Code::Syntax, span, "");
        let spans: Vec<_> = in_order(vec![of(9..10), of(0..1), of(4..5), of(1..1)], "ä: ö")
            .into_iter()
            .map(|one| one.span)
            .collect();
        assert_eq!(spans, [0..2, 0..2, 4..6, 6..6]);
    }

    #[test]
    fn long_lines_and_long_lists_are_shown_in_part() {
        let source = format!("{}key: value{}", "x".repeat(100_000), "y".repeat(100_000));
        let mistake = Diagnostic::new(Code::UnknownKey, 100_000..100_003, "unknown");
        let shown = mistake.render(&source, "f", Paint::Plain);
        assert!(
            shown.len() < 600 && shown.contains("xkey: value") && shown.contains("f:1:100001"),
            "{shown}"
        );
        let caret = shown.lines().nth(4).unwrap().find('^');
        assert_eq!(caret, shown.lines().nth(3).unwrap().find("key"));
        let all = render_all(&vec![mistake; 1000], &source, "f", Paint::Plain);
        assert!(all.len() < 60_000 && all.ends_with("and 899 more\n"), "{}", all.len());
    }

    #[test]
    fn places_are_the_same_in_whatever_order_they_are_asked_for() {
        let source = "a\nbé\tc\n\nlong line\r\nlast";
        let slow = |byte: usize| {
            let before = &source[..source.floor_char_boundary(byte)];
            let line = before.rsplit('\n').next().unwrap();
            (before.matches('\n').count() + 1, line.chars().count() + 1)
        };
        let mut places = Places::of(source);
        for byte in (0..=source.len()).chain((0..source.len() + 3).rev()).chain([7, 7, 3, 20]) {
            assert_eq!(places.position(byte), slow(byte), "{byte}");
        }
    }

    #[test]
    fn suggests_only_what_is_near() {
        let known = ["namespace", "pod", "container", "message"];
        assert_eq!(did_you_mean("namspace", known), Some("namespace"));
        assert_eq!(did_you_mean("mesage", known), Some("message"));
        assert_eq!(did_you_mean("pods", known), Some("pod"));
        assert_eq!(did_you_mean("labels", known), None);
        assert_eq!(did_you_mean("nmae", ["name", "when"]), Some("name"));
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("nmae", "name"), 1);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn codes_are_distinct_and_complete() {
        let mut names: Vec<&str> = Code::ALL.iter().map(|(_, name, _)| *name).collect();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|(code, name, _)| code.name() == *name));
    }
}
