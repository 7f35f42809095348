//! The record of a test, taken apart into what the filter really gets: a tag, a pod file, and JSON text.

use crate::diag::Code;
use crate::json::{Level, Outline, push_string};
use crate::tag::ContainerTag;
use crate::yaml::{Mistakes, Node, NodeKind, Quoting, Section};

/// The pod that a record's metadata describes; what it does not say is made up.
pub(super) struct Described {
    pub(super) tag: String,
    /// Its pod file, in front of and behind the container's start.
    pub(super) file: (Vec<u8>, Vec<u8>),
}

pub(super) fn pod(prefix: &str, node: Option<&Node>, mistakes: &mut Mistakes) -> Option<Described> {
    let section = match node {
        Some(node) => Some(Section::open(node, "kubernetes", &METADATA, mistakes)?),
        None => None,
    };
    let id = "0a".repeat(32);
    let mut text = |key: &str, default: &str| match section.as_ref().and_then(|section| section.get(key)) {
        Some(node) => mistakes.text(node, key).map(str::to_owned),
        None => Some(default.to_owned()),
    };
    let [namespace, pod, container, id] =
        [("namespace_name", "default"), ("pod_name", "pod"), ("container_name", "app"), ("docker_id", &id)]
            .map(|(key, default)| text(key, default));
    let (namespace, pod, container, id) = (namespace?, pod?, container?, id?);
    let tag = format!("{prefix}{pod}_{namespace}_{container}-{id}.log");
    let is_named =
        |tag: ContainerTag<'_>| tag.pod == pod && tag.namespace == namespace && tag.container == container;
    if !ContainerTag::parse(&tag, prefix).is_some_and(is_named) {
        let span = node.map_or(0..0, |node| node.span.clone());
        let message = format!("`{namespace}`, `{pod}`, `{container}` are no names of a container on a node");
        let help =
            "names are lower case letters, digits and dashes, those of pods dots too; an id is hexadecimal";
        mistakes.note_with_help(Code::Value, &span, message, help);
        return None;
    }
    let mut front = b"{\"version\":1".to_vec();
    member(&mut front, "namespace", &namespace);
    member(&mut front, "pod", &pod);
    for (key, name) in [("pod_id", "uid"), ("host", "node"), ("pod_ip", "ip")] {
        if section.as_ref().is_some_and(|section| section.get(key).is_some()) {
            member(&mut front, name, &text(key, "")?);
        }
    }
    let workload = text("workload", "")?;
    if !workload.is_empty() {
        front.extend_from_slice(b",\"workload\":{\"kind\":");
        push_string(&mut front, text("workload_kind", "Deployment")?.as_bytes());
        member(&mut front, "name", &workload);
        front.push(b'}');
    }
    let mut back = Vec::new();
    for (key, name) in [("container_image", "image"), ("container_hash", "hash")] {
        if section.as_ref().is_some_and(|section| section.get(key).is_some()) {
            member(&mut back, name, &text(key, "")?);
        }
    }
    back.extend_from_slice(b"}]}");
    for key in ["labels", "annotations"] {
        front.extend_from_slice(format!(",\"{key}\":").as_bytes());
        match section.as_ref().and_then(|section| section.get(key)) {
            Some(node) => pairs(node, key, &mut front, mistakes)?,
            None => front.extend_from_slice(b"{}"),
        }
    }
    front.extend_from_slice(b",\"containers\":[{\"name\":");
    push_string(&mut front, container.as_bytes());
    member(&mut front, "id", &id);
    front.extend_from_slice(b",\"started\":");
    Some(Described { tag, file: (front, back) })
}

fn member(into: &mut Vec<u8>, name: &str, value: &str) {
    into.extend_from_slice(format!(",\"{name}\":").as_bytes());
    push_string(into, value.as_bytes());
}

fn pairs(node: &Node, what: &str, into: &mut Vec<u8>, mistakes: &mut Mistakes) -> Option<()> {
    let NodeKind::Map(map) = &node.kind else {
        mistakes.note(Code::WrongKind, &node.span, format!("{what} must be a mapping"));
        return None;
    };
    into.push(b'{');
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            into.push(b',');
        }
        push_string(into, mistakes.text(key, what)?.as_bytes());
        into.push(b':');
        push_string(into, mistakes.text(value, what)?.as_bytes());
    }
    into.push(b'}');
    Some(())
}

/// Whether a node is this text.
pub(super) fn is_text(node: &Node, wanted: &str) -> bool {
    matches!(&node.kind, NodeKind::Scalar { text, .. } if text == wanted)
}

/// A node as JSON. Rule files are at most 16 levels deep.
fn json(node: &Node, out: &mut Vec<u8>) {
    match &node.kind {
        NodeKind::Scalar { text, quoting: Quoting::Plain } if is_json_scalar(text) => {
            out.extend_from_slice(text.as_bytes());
        }
        NodeKind::Scalar { text, quoting: Quoting::Plain } if text.is_empty() || text == "~" => {
            out.extend_from_slice(b"null");
        }
        NodeKind::Scalar { text, .. } => push_string(out, text.as_bytes()),
        NodeKind::List(list) => {
            out.push(b'[');
            for (index, node) in list.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                json(node, out);
            }
            out.push(b']');
        }
        NodeKind::Map(map) => object(map.iter(), out),
    }
}

/// Members as a JSON object.
pub(super) fn object<'n>(members: impl Iterator<Item = &'n (Node, Node)>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (key, value)) in members.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if let NodeKind::Scalar { text, .. } = &key.kind {
            push_string(out, text.as_bytes());
        }
        out.push(b':');
        json(value, out);
    }
    out.push(b'}');
}

/// Whether a plain text of YAML is the same value in JSON.
fn is_json_scalar(text: &str) -> bool {
    let is_number =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    let wrapped = format!("{{\"\":{text}}}");
    matches!(text, "true" | "false" | "null")
        || is_number && Outline::of(wrapped.as_bytes(), Level::Plain).is_some()
}

const METADATA: [&str; 13] = [
    "namespace_name",
    "pod_name",
    "pod_id",
    "labels",
    "annotations",
    "host",
    "pod_ip",
    "container_name",
    "docker_id",
    "container_image",
    "container_hash",
    "workload",
    "workload_kind",
];
