//! Where in a record is sought: under keys by their names, in fields by their paths, or everywhere.

use crate::diag::Code;
use crate::glob::Globs;
use crate::secrets::Sign;
use crate::yaml::{Mistakes, Node, Section};

/// Fields and keys; of neither, everywhere.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scope {
    fields: Vec<Vec<Box<str>>>,
    keys: Option<Globs>,
}

impl Scope {
    /// Reads `fields` and `keys`.
    pub(super) fn read(section: &Section<'_>, mistakes: &mut Mistakes) -> Option<Scope> {
        let mut scope = Scope::default();
        let mut is_good = true;
        if let Some(node) = section.get("keys") {
            match keys(node, mistakes) {
                Some(keys) => scope.keys = Some(keys),
                None => is_good = false,
            }
        }
        if let Some(node) = section.get("fields") {
            for (text, span) in mistakes.texts(node, "fields")? {
                match path(text) {
                    Some(path) => scope.fields.push(path),
                    None => {
                        let message = format!("`{text}` is not a field");
                        let help = "write a path of names, $.user.email; a list's elements have the path of the list";
                        mistakes.note_with_help(Code::Value, &span, message, help);
                        is_good = false;
                    }
                }
            }
        }
        is_good.then_some(scope)
    }

    pub(crate) fn is_everywhere(&self) -> bool {
        self.fields.is_empty() && self.keys.is_none()
    }

    /// Whether a field by its path is meant.
    pub(super) fn has_paths(&self) -> bool {
        !self.fields.is_empty()
    }

    /// Whether the value of a key is meant, whatever its case.
    pub(super) fn has_key(&self, key: &[u8]) -> bool {
        let Some(keys) = &self.keys else { return false };
        std::str::from_utf8(key).is_ok_and(|key| keys.matches(&key.to_ascii_lowercase()))
    }

    /// Whether keys by their names are meant.
    pub(super) fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// Whether the value at the end of a path of keys is meant.
    pub(super) fn has_field(&self, path: &[Vec<u8>]) -> bool {
        let is_it = |wanted: &Vec<Box<str>>| {
            wanted.len() == path.len()
                && wanted.iter().zip(path).all(|(wanted, key)| wanted.as_bytes() == key)
        };
        self.fields.iter().any(is_it)
    }

    /// What a text has that has one of these; `None` of everywhere.
    pub(super) fn signs(&self) -> Option<Vec<Sign>> {
        if self.is_everywhere() {
            return None;
        }
        let of_keys = self.keys.iter().flat_map(Globs::texts).map(|glob| {
            let part = glob.split(['*', '?']).max_by_key(|part| part.len()).unwrap_or_default();
            Sign::within(part.as_bytes(), false)
        });
        let of_fields =
            self.fields.iter().filter_map(|path| path.last()).map(|name| Sign::within(name.as_bytes(), true));
        Some(of_keys.chain(of_fields).collect())
    }
}

fn keys(node: &Node, mistakes: &mut Mistakes) -> Option<Globs> {
    let mut globs = Vec::new();
    let mut is_good = true;
    for (text, span) in mistakes.texts(node, "keys")? {
        if text.is_empty() || text.chars().all(|character| character == '*') {
            let message = "a key that may have any name is every value of every record";
            let help = "write a part of the name, '*password*', or leave `keys` out";
            mistakes.note_with_help(Code::Value, &span, message, help);
            is_good = false;
        }
        globs.push(text.to_ascii_lowercase());
    }
    is_good.then(|| Globs::new(globs))
}

/// `$.a.b` and `a.b`; `[*]` means nothing, since a list's elements have its path.
fn path(text: &str) -> Option<Vec<Box<str>>> {
    let text = text.strip_prefix("$.").unwrap_or(text).replace("[*]", "");
    let names: Vec<Box<str>> = text.split('.').map(Box::from).collect();
    let is_name = |name: &str| !name.is_empty() && !name.contains(['[', ']', '$', '"', '*']);
    names.iter().all(|name| is_name(name)).then_some(names)
}
