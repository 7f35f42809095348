//! YAML text to a tree of nodes that know where they stand, and the reading of settings from them.
//!
//! Rule files need mappings, lists and text; anchors, aliases, tags and several documents are refused. Depth is
//! limited, because the tree is built and read by recursion on the guest's small stack.

mod amounts;
pub(crate) mod meant;
mod section;

pub use amounts::{Rate, Unit, parse_bytes};
pub(crate) use amounts::{parse_one_in, parse_rate};
pub(crate) use section::{Mistakes, Section, is_name, named};

use crate::diag::{Code, Diagnostic, MAX_SHOWN};
use saphyr_parser::{Event, Parser, ScalarStyle};
use std::collections::BTreeSet;
use std::ops::Range;

/// A part of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Its bytes in the source.
    pub span: Range<usize>,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// Text, quoted or not.
    Scalar {
        /// The value, quotes and escapes resolved.
        text: String,
        /// How it was quoted.
        quoting: Quoting,
    },
    /// A list.
    List(Vec<Node>),
    /// A mapping in the order written.
    Map(Vec<(Node, Node)>),
}

/// How a text was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoting {
    /// Without quotes: `null`, `true` and numbers may be meant.
    Plain,
    /// In single quotes.
    Single,
    /// In double quotes.
    Double,
    /// As a block (`|` or `>`).
    Block,
}

/// Reads a file.
///
/// # Errors
/// The first thing that is not YAML ends the reading; what the subset excludes is collected.
pub fn read(source: &str) -> Result<Node, Vec<Diagnostic>> {
    let offsets = Offsets::new(source);
    let mut events = Vec::new();
    let mut mistakes = Vec::new();
    let mut depth = 0usize;
    for event in Parser::new_from_str(source) {
        match event {
            Ok((event, span)) => {
                // The parser itself needs stack for each level: what is too deep is not read to its end.
                match event {
                    Event::SequenceStart(..) | Event::MappingStart(..) => depth = depth.saturating_add(1),
                    Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
                    _ => {}
                }
                if depth > MAX_DEPTH {
                    let at = offsets.byte(span.start.index());
                    let message = format!("nested deeper than {MAX_DEPTH} levels");
                    mistakes.push(Diagnostic::new(Code::TooDeep, at..at.saturating_add(1), message));
                    return Err(mistakes);
                }
                if events.len() >= MAX_VALUES {
                    let at = offsets.byte(span.start.index());
                    let message = format!("the file has more than {MAX_VALUES} values");
                    mistakes.push(Diagnostic::new(Code::TooLarge, at..at.saturating_add(1), message));
                    return Err(mistakes);
                }
                events.push((event, offsets.byte(span.start.index())..offsets.byte(span.end.index())));
            }
            Err(error) => {
                let at = offsets.byte(error.marker().index());
                let mistake =
                    Diagnostic::new(Code::Syntax, at..at.saturating_add(1), error.info().to_owned());
                mistakes.push(match source.get(at..).and_then(|rest| rest.chars().next()) {
                    Some(first @ ('%' | '@' | '`')) => mistake
                        .with_help(format!("text that starts with {first} needs single quotes around it")),
                    _ => mistake,
                });
                return Err(mistakes);
            }
        }
    }
    let mut builder = Builder { source, events: events.into_iter(), mistakes };
    let root = builder.document();
    match root {
        Some(root) if builder.mistakes.is_empty() => Ok(root),
        _ => {
            if builder.mistakes.is_empty() {
                let empty = Diagnostic::new(Code::MissingKey, 0..0, "the file is empty");
                builder.mistakes.push(empty.with_help("start with `version: 1`"));
            }
            Err(builder.mistakes)
        }
    }
}

struct Builder<'s> {
    source: &'s str,
    events: std::vec::IntoIter<(Event<'s>, Range<usize>)>,
    mistakes: Vec<Diagnostic>,
}

impl<'s> Builder<'s> {
    fn document(&mut self) -> Option<Node> {
        let mut root = None;
        while let Some((event, span)) = self.events.next() {
            match event {
                Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Nothing => {}
                Event::DocumentStart(_) if root.is_some() => {
                    self.mistakes.push(Diagnostic::new(Code::Syntax, span, "a rule file is one document"));
                    return root;
                }
                Event::DocumentStart(_) => {}
                event => root = self.node(event, span),
            }
        }
        root
    }

    fn node(&mut self, event: Event<'s>, span: Range<usize>) -> Option<Node> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_anchor(anchor != 0 || tag.is_some(), &span);
                let quoting = match style {
                    ScalarStyle::Plain => Quoting::Plain,
                    ScalarStyle::SingleQuoted => Quoting::Single,
                    ScalarStyle::DoubleQuoted => Quoting::Double,
                    ScalarStyle::Literal | ScalarStyle::Folded => Quoting::Block,
                };
                // The parser's span of a plain text may run into the blanks behind it.
                let written = self.source.get(span.clone()).unwrap_or_default().trim_end();
                let end = span.start.saturating_add(written.len());
                Some(Node {
                    kind: NodeKind::Scalar { text: text.into_owned(), quoting },
                    span: span.start..end,
                })
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_anchor(anchor != 0 || tag.is_some(), &span);
                let mut list = Vec::new();
                let mut end = span.end;
                while let Some((event, inner)) = self.events.next() {
                    if event == Event::SequenceEnd {
                        end = inner.end;
                        break;
                    }
                    list.extend(self.node(event, inner));
                }
                Some(Node { kind: NodeKind::List(list), span: span.start..end })
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_anchor(anchor != 0 || tag.is_some(), &span);
                let mut map: Vec<(Node, Node)> = Vec::new();
                let mut seen = BTreeSet::new();
                let mut end = span.end;
                while let Some((event, inner)) = self.events.next() {
                    if event == Event::MappingEnd {
                        end = inner.end;
                        break;
                    }
                    let key = self.node(event, inner);
                    let value = self.events.next().and_then(|(event, inner)| self.node(event, inner));
                    if let (Some(key), Some(value)) = (key, value) {
                        self.check_key(&key, &mut seen);
                        map.push((key, value));
                    }
                }
                Some(Node { kind: NodeKind::Map(map), span: span.start..end })
            }
            Event::Alias(_) => {
                self.refuse_anchor(true, &span);
                Some(Node { kind: NodeKind::Scalar { text: String::new(), quoting: Quoting::Plain }, span })
            }
            _ => None,
        }
    }

    fn check_key(&mut self, key: &Node, seen: &mut BTreeSet<String>) {
        match &key.kind {
            NodeKind::Scalar { text, .. } if seen.insert(text.clone()) => {}
            NodeKind::Scalar { text, .. } => {
                let message = format!("the key `{text}` stands here twice");
                self.mistake(Diagnostic::new(Code::DuplicateKey, key.span.clone(), message));
            }
            _ => self.mistake(Diagnostic::new(Code::WrongKind, key.span.clone(), "a key must be text")),
        }
    }

    fn refuse_anchor(&mut self, present: bool, span: &Range<usize>) {
        if present {
            let message = "anchors, aliases and tags are not used in rule files";
            self.mistake(
                Diagnostic::new(Code::Anchor, span.clone(), message).with_help("write the value out"),
            );
        }
    }

    /// Of very many the first are told.
    fn mistake(&mut self, mistake: Diagnostic) {
        if self.mistakes.len() < MAX_SHOWN {
            self.mistakes.push(mistake);
        }
    }
}

/// Character positions, as the parser counts them, to byte positions.
struct Offsets {
    bytes: Option<Vec<usize>>,
    length: usize,
}

impl Offsets {
    fn new(source: &str) -> Offsets {
        let bytes = (!source.is_ascii()).then(|| source.char_indices().map(|(at, _)| at).collect());
        Offsets { bytes, length: source.len() }
    }

    fn byte(&self, character: usize) -> usize {
        match &self.bytes {
            None => character.min(self.length),
            Some(bytes) => bytes.get(character).copied().unwrap_or(self.length),
        }
    }
}

/// Most values of a rule file, keys, lists and mappings among them: a rule has some dozens.
const MAX_VALUES: usize = 40_000;
/// Deepest nesting of a rule file. The format itself needs 5; 8 KiB of guest stack bear far more than 16.
const MAX_DEPTH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(node: &Node) -> &str {
        match &node.kind {
            NodeKind::Scalar { text, .. } => text,
            _ => "(not text)",
        }
    }

    #[test]
    fn every_node_knows_its_bytes() {
        let source = "a: ü # comment\nb: [x, 'y z']\nc: { d: \"e\" }\n";
        let root = read(source).unwrap();
        let NodeKind::Map(map) = &root.kind else { panic!("not a map") };
        let spans: Vec<&str> = map.iter().map(|(_, value)| &source[value.span.clone()]).collect();
        assert_eq!(spans, ["ü", "[x, 'y z']", "{ d: \"e\" }"]);
        let NodeKind::List(list) = &map[1].1.kind else { panic!("not a list") };
        assert_eq!((text(&list[1]), &source[list[1].span.clone()]), ("y z", "'y z'"));
    }

    #[track_caller]
    fn refused(source: &str, code: Code, at: usize) {
        let mistakes = read(source).unwrap_err();
        assert_eq!((mistakes[0].code, mistakes[0].span.start), (code, at), "{mistakes:?}");
    }

    #[test]
    fn refuses_what_rule_files_do_not_use() {
        refused("a: &x 1\nb: *x\n", Code::Anchor, 3);
        refused("a: 1\na: 2\n", Code::DuplicateKey, 5);
        refused("a: !!str 1\n", Code::Anchor, 3);
        refused("", Code::MissingKey, 0);
        refused("a: 1\n---\nb: 2\n", Code::Syntax, 5);
        assert_eq!(read("a: [1\n").unwrap_err()[0].code, Code::Syntax);
        assert_eq!(read("a: \"open\n").unwrap_err()[0].code, Code::Syntax);
        assert_eq!(read("[1]: 2\n").unwrap_err()[0].code, Code::WrongKind);
    }

    #[test]
    fn values_are_limited() {
        let list = |values: usize| format!("[{}a]", "a,".repeat(values));
        assert!(read(&list(MAX_VALUES - 10)).is_ok());
        refused(&list(MAX_VALUES), Code::TooLarge, 2 * (MAX_VALUES - 3) + 1);
    }

    #[test]
    fn depth_is_limited_exactly() {
        let nest = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nest(MAX_DEPTH)).is_ok());
        assert_eq!(read(&nest(MAX_DEPTH + 1)).unwrap_err()[0].code, Code::TooDeep);
        assert!(read(&nest(5000)).is_err());
    }
}
