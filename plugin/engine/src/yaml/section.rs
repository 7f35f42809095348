//! Reading a mapping: its known keys, each with its type, and a mistake for everything else.

use crate::diag::{Code, Diagnostic, MAX_SHOWN, did_you_mean, in_order};
use crate::glob::Globs;
use crate::time::parse_duration;
use crate::yaml::{Node, NodeKind, Quoting, meant, parse_bytes};
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

/// Collects mistakes; every reading method notes what is wrong and answers `None`, so that the pass goes on. Of very many the
/// first [`MAX_SHOWN`] are kept, and the others counted.
#[derive(Default)]
pub(crate) struct Mistakes {
    list: Vec<Diagnostic>,
    more: usize,
    /// Whether one of them is more than a warning.
    are_serious: bool,
    /// Bytes of all patterns so far.
    patterns: usize,
}

impl Mistakes {
    pub(crate) fn note(&mut self, code: Code, span: &Range<usize>, message: impl Into<String>) {
        self.push(|| Diagnostic::new(code, span.clone(), message), code);
    }

    fn push(&mut self, make: impl FnOnce() -> Diagnostic, code: Code) {
        self.are_serious |= !code.is_warning();
        if self.is_full() {
            self.more = self.more.saturating_add(1);
        } else {
            self.list.push(make());
        }
    }

    /// Takes note of a pattern: what all of them ask of a line is bounded by how long they are.
    pub(crate) fn count_pattern(&mut self, text: &str, span: &Range<usize>) {
        let had_room = self.patterns <= MAX_PATTERNS;
        self.patterns = self.patterns.saturating_add(text.len());
        if had_room && self.patterns > MAX_PATTERNS {
            let message = format!("the patterns up to here have more than {MAX_PATTERNS} bytes");
            let help = "a node asks all of them about its lines: use namespace, container or labels where they will do";
            self.note_with_help(Code::TooLarge, span, message, help);
        }
    }

    /// Whether there are so many that the next is only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MAX_SHOWN
    }

    /// Whether the file cannot be used for them.
    pub(crate) fn are_serious(&self) -> bool {
        self.are_serious
    }

    /// All of them in the order of their places, and how many more there are.
    pub(crate) fn in_order(self, source: &str) -> Vec<Diagnostic> {
        let Mistakes { list, more, are_serious: _, patterns: _ } = self;
        let end = list.iter().map(|mistake| mistake.span.end).max().unwrap_or_default();
        let mut list = in_order(list, source);
        if more > 0 {
            let message = format!("{more} more mistakes are not shown");
            list.push(Diagnostic::new(Code::TooLarge, end..end, message));
        }
        list
    }

    /// The known word that is nearest to one, unless nobody would be told.
    pub(crate) fn near<'k>(&self, word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
        if self.is_full() { None } else { did_you_mean(word, known) }
    }

    pub(crate) fn note_with_help(
        &mut self,
        code: Code,
        span: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(|| Diagnostic::new(code, span.clone(), message).with_help(help), code);
    }

    pub(crate) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.kind {
            NodeKind::Scalar { text, .. } => Some(text),
            kind => {
                let message = format!("{what} must be text, found {}", name(kind));
                self.note_with_help(Code::WrongKind, &node.span, message, meant::text_instead_of(what, node));
                None
            }
        }
    }

    pub(crate) fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        match self.text(node, what)? {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                self.note(Code::Value, &node.span, format!("{what} must be true or false, found `{other}`"));
                None
            }
        }
    }

    pub(crate) fn duration(&mut self, node: &Node, what: &str) -> Option<Duration> {
        let text = self.text(node, what)?;
        let found = parse_duration(text);
        if found.is_none() {
            let help = "write a number with its unit: 500ms, 60s, 10m, 2h, 1d";
            self.note_with_help(Code::Duration, &node.span, format!("`{text}` is not a duration"), help);
        }
        found
    }

    pub(crate) fn count(&mut self, node: &Node, what: &str, range: RangeInclusive<usize>) -> Option<usize> {
        let text = self.text(node, what)?;
        let found = text.replace('_', "").parse::<usize>().ok().filter(|count| range.contains(count));
        if found.is_none() {
            let (low, high) = (range.start(), range.end());
            self.note(
                Code::Value,
                &node.span,
                format!("{what} must be a whole number from {low} to {high}, found `{text}`"),
            );
        }
        found
    }

    /// A number of bytes, with a unit or without.
    pub(crate) fn size(&mut self, node: &Node, what: &str, range: RangeInclusive<usize>) -> Option<usize> {
        let text = self.text(node, what)?;
        let plain = || text.replace('_', "").parse::<usize>().ok();
        let found = parse_bytes(text).and_then(|bytes| usize::try_from(bytes).ok()).or_else(plain);
        let found = found.filter(|bytes| range.contains(bytes));
        if found.is_none() {
            let (low, high) = (range.start(), range.end());
            let message = format!("{what} must be {low} to {high} bytes, found `{text}`");
            self.note_with_help(Code::Value, &node.span, message, "write a size, such as 16KiB or 16384");
        }
        found
    }

    /// One text or a list of texts; never an empty list.
    pub(crate) fn texts<'n>(&mut self, node: &'n Node, what: &str) -> Option<Vec<(&'n str, Range<usize>)>> {
        let items: Vec<&Node> = match &node.kind {
            NodeKind::List(list) => list.iter().collect(),
            _ => vec![node],
        };
        if items.is_empty() {
            self.note(Code::Value, &node.span, format!("{what} must not be an empty list"));
            return None;
        }
        items.into_iter().map(|item| Some((self.text(item, what)?, item.span.clone()))).collect()
    }

    pub(crate) fn globs(&mut self, node: &Node, what: &str, allowed: fn(char) -> bool) -> Option<Globs> {
        let texts = self.texts(node, what)?;
        for (text, span) in &texts {
            let wrong =
                text.chars().find(|&character| !matches!(character, '*' | '?') && !allowed(character));
            if let Some(wrong) = wrong {
                let message = format!("`{text}` can match no {what}: none contains '{wrong}'");
                let help = match text.split_at_checked(1) {
                    Some(("!", rest)) => format!("did you mean `not: {{ {what}: {rest} }}`?"),
                    _ if wrong == ',' => {
                        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
                        format!("write a list: [{}]", parts.join(", "))
                    }
                    _ if matches!(wrong, '|' | '(' | '^' | '$' | '[') => {
                        "it is a glob and no regular expression: * (any run) and ? (one character); a list for several".to_owned()
                    }
                    _ => "globs know * (any run) and ? (one character)".to_owned(),
                };
                self.note_with_help(Code::Glob, span, message, help);
            }
            if text.is_empty() {
                self.note(Code::Value, span, format!("{what} must not be empty"));
            }
        }
        Some(Globs::new(texts.into_iter().map(|(text, _)| text)))
    }

    /// An absolute path without `..`.
    pub(crate) fn path(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.text(node, what)?;
        let climbs = text.split('/').any(|part| part == "..");
        if !text.starts_with('/') || climbs || text.contains('\0') {
            let help = "the filter sees only the directories in accessible_paths, by their full paths";
            self.note_with_help(
                Code::Path,
                &node.span,
                format!("{what} must be an absolute path, found `{text}`"),
                help,
            );
            return None;
        }
        Some(text.to_owned())
    }
}

/// Whether a text can be the name of a rule or a measure.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(allowed)
}

/// The `name` in a section; `what` it is, and what its name is for.
pub(crate) fn named<'n>(
    section: &Section<'n>,
    what: &str,
    help: &str,
    mistakes: &mut Mistakes,
) -> Option<&'n str> {
    let Some(node) = section.get("name") else {
        let span = section.span.start..section.span.start.saturating_add(1);
        mistakes.note_with_help(Code::MissingKey, &span, format!("this {what} has no `name`"), help);
        return None;
    };
    let name = mistakes.text(node, "name")?;
    if !is_name(name) {
        let message =
            format!("`{name}` is not a name: 1 to {MAX_NAME} lower case letters, digits and dashes");
        mistakes.note(Code::Name, &node.span, message);
        return None;
    }
    Some(name)
}

/// Longest name, in bytes: it stands on records and in metric labels.
pub(crate) const MAX_NAME: usize = 63;
/// Bytes of all patterns of a file.
const MAX_PATTERNS: usize = 64 << 10;

/// A mapping whose keys have been checked.
pub(crate) struct Section<'n> {
    entries: Vec<(&'n str, &'n Node, &'n Node)>,
    pub(crate) span: Range<usize>,
}

impl<'n> Section<'n> {
    /// Opens a mapping. `known` are its keys.
    pub(crate) fn open(
        node: &'n Node,
        what: &str,
        known: &[&'static str],
        mistakes: &mut Mistakes,
    ) -> Option<Section<'n>> {
        let map = match &node.kind {
            NodeKind::Map(map) => map,
            // `drop:` with nothing behind it.
            NodeKind::Scalar { text, quoting: Quoting::Plain }
                if text.is_empty() || text == "~" || text == "null" =>
            {
                return Some(Section { entries: Vec::new(), span: node.span.clone() });
            }
            kind => {
                let message = format!("{what} must be a mapping, found {}", name(kind));
                match meant::mapping_instead_of(what, node) {
                    Some(help) => mistakes.note_with_help(Code::WrongKind, &node.span, message, help),
                    None => mistakes.note(Code::WrongKind, &node.span, message),
                }
                return None;
            }
        };
        let mut entries = Vec::new();
        for (key, value) in map {
            let NodeKind::Scalar { text, .. } = &key.kind else { continue };
            if known.contains(&text.as_str()) {
                entries.push((text.as_str(), key, value));
            } else {
                let message = format!("unknown key `{text}` in {what}");
                let meant = || meant::key(text, known);
                let help = match mistakes.near(text, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => meant().unwrap_or_else(|| format!("known keys: {}", known.join(", "))),
                };
                mistakes.note_with_help(Code::UnknownKey, &key.span, message, help);
            }
        }
        Some(Section { entries, span: node.span.clone() })
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(name, ..)| *name == key).map(|(_, _, value)| *value)
    }

    /// The keys that are there, with their places and values.
    pub(crate) fn entries(&self) -> &[(&'n str, &'n Node, &'n Node)] {
        &self.entries
    }
}

fn name(kind: &NodeKind) -> &'static str {
    match kind {
        NodeKind::Scalar { .. } => "text",
        NodeKind::List(_) => "a list",
        NodeKind::Map(_) => "a mapping",
    }
}
