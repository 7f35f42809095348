//! The section `enrich`: what is put onto kept records.

use crate::condition::doubt_annotation;
use crate::config::lower::is_off;
use crate::config::model::RuleFile;
use crate::diag::Code;
use crate::pods::{EnrichFields, Field, MetadataFrom, Selection};
use crate::record::Merge;
use crate::yaml::{Mistakes, Node, NodeKind, Quoting, Section};

pub(super) fn enrich(node: &Node, file: &mut RuleFile, mistakes: &mut Mistakes) -> Option<()> {
    // Nothing is put onto records; rules see what there is all the same.
    if is_off(node) {
        file.enrich.fields = EnrichFields::Only(Vec::new());
        return Some(());
    }
    let section = Section::open(
        node,
        "enrich",
        &["fields", "labels", "annotations", "key", "max_bytes", "merge_log"],
        mistakes,
    )?;
    let enrich = &mut file.enrich;
    if let Some(fields) = section.get("fields").and_then(|node| fields(node, mistakes)) {
        enrich.fields = fields;
    }
    for (key, slot) in [("labels", &mut enrich.labels), ("annotations", &mut enrich.annotations)] {
        if let Some(node) = section.get(key) {
            *slot = match &node.kind {
                NodeKind::Scalar { text, quoting: Quoting::Plain } if text == "true" => Selection::All,
                NodeKind::Scalar { text, quoting: Quoting::Plain } if text == "false" => Selection::None,
                _ => {
                    let globs = mistakes.globs(node, "key", is_metadata_key)?;
                    if key == "annotations" {
                        doubt_annotations(node, mistakes);
                    }
                    Selection::Matching(globs)
                }
            };
        }
    }
    if let Some(node) = section.get("max_bytes") {
        enrich.max_bytes = mistakes.size(node, "enrich.max_bytes", 1024..=262_144)?;
    }
    if let Some(node) = section.get("key") {
        enrich.key = key(node, "enrich.key", "the metadata", mistakes)?;
    }
    if let Some(node) = section.get("merge_log") {
        file.merge_log = merge_log(node, mistakes);
    }
    Some(())
}

/// Notes those that nobody writes unless told to.
fn doubt_annotations(node: &Node, mistakes: &mut Mistakes) {
    let each = match &node.kind {
        NodeKind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    for item in each {
        if let NodeKind::Scalar { text, .. } = &item.kind {
            doubt_annotation(text, &item.span, mistakes);
        }
    }
}

/// Where metadata comes from.
pub(super) fn metadata(node: &Node, file: &mut RuleFile, mistakes: &mut Mistakes) -> Option<()> {
    let section = Section::open(node, "metadata", &["source"], mistakes)?;
    let node = section.get("source")?;
    match mistakes.text(node, "metadata.source")? {
        "auto" => file.enrich.source = MetadataFrom::Auto,
        "pods" => file.enrich.source = MetadataFrom::Pods,
        "record" => file.enrich.source = MetadataFrom::Record,
        other => {
            let message = format!("metadata.source must be auto, pods or record, found `{other}`");
            mistakes.note(Code::Value, &node.span, message);
        }
    }
    Some(())
}

/// `true`, `false`, or how.
fn merge_log(node: &Node, mistakes: &mut Mistakes) -> Option<Merge> {
    if let NodeKind::Scalar { quoting: Quoting::Plain, .. } = &node.kind {
        return mistakes.boolean(node, "enrich.merge_log")?.then(Merge::default);
    }
    let section = Section::open(node, "enrich.merge_log", &["key", "keep_log", "trim"], mistakes)?;
    let mut merge = Merge::default();
    if let Some(node) = section.get("key") {
        merge.key = Some(key(node, "enrich.merge_log.key", "the merged line", mistakes)?);
    }
    for (key, slot) in [("keep_log", &mut merge.keep_log), ("trim", &mut merge.trim)] {
        if let Some(node) = section.get(key) {
            *slot = mistakes.boolean(node, key)?;
        }
    }
    Some(merge)
}

/// The name of a member that we put onto records. Refused ones are handed on too, so that what depends on them is looked at.
fn key(node: &Node, what: &str, holds: &str, mistakes: &mut Mistakes) -> Option<Box<str>> {
    let key = mistakes.text(node, what)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let reserved = ["nodesieve", crate::record::TRUNCATED].contains(&key);
    if key.is_empty() || reserved || !key.bytes().all(plain) {
        let message = format!("`{key}` cannot be the key of {holds}");
        mistakes.note_with_help(Code::Value, &node.span, message, "use letters, digits, `_`, `-` and `.`");
    }
    Some(key.into())
}

/// What we put onto a record must not take the place of the line, nor of what says where it came from, nor of each other.
pub(super) fn keys_are_free(top: &Section<'_>, file: &RuleFile, mistakes: &mut Mistakes) {
    let Some(node) = top.get("enrich") else { return };
    let is_taken =
        |key: &str| key == "stream" || key == "time" || file.input.message.iter().any(|name| &**name == key);
    let key = &*file.enrich.key;
    if is_taken(key) {
        let message = format!("the metadata cannot be called `{key}`: it would replace that field");
        mistakes.note_with_help(Code::Value, &node.span, message, "leave `enrich.key` out for `kubernetes`");
    }
    if let Some(Merge { key: Some(merged), .. }) = &file.merge_log
        && (is_taken(merged) || **merged == *key)
    {
        let message = format!("the merged line cannot be called `{merged}`: it would replace that field");
        let help = "leave `enrich.merge_log.key` out to put its members beside the record's own";
        mistakes.note_with_help(Code::Value, &node.span, message, help);
    }
}

fn fields(node: &Node, mistakes: &mut Mistakes) -> Option<EnrichFields> {
    if let NodeKind::Scalar { text, .. } = &node.kind {
        match text.as_str() {
            "all" => return Some(EnrichFields::All),
            "lean" => return Some(EnrichFields::Lean),
            _ => {}
        }
    }
    let mut chosen = Vec::new();
    for (text, span) in mistakes.texts(node, "enrich.fields")? {
        match Field::NAMES.iter().find(|(name, _)| *name == text) {
            Some((_, field)) => chosen.push(*field),
            None => {
                let names = Field::NAMES.iter().map(|(name, _)| *name);
                let help = match mistakes.near(text, names.clone().chain(["all", "lean"])) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!(
                        "known fields: all, lean, or a list of {}",
                        names.collect::<Vec<_>>().join(", ")
                    ),
                };
                mistakes.note_with_help(
                    Code::Value,
                    &span,
                    format!("`{text}` is not a metadata field"),
                    help,
                );
            }
        }
    }
    Some(EnrichFields::Only(chosen))
}

/// Characters of label and annotation keys (`[prefix/]name`).
fn is_metadata_key(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '/')
}
