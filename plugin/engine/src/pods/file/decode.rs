//! A pod file read: by the walker that reads lines too, because a JSON library would be a twelfth of the module.
//!
//! What is a pod file and what is not is as `serde_json` with derived types has it, which is how this was read before, and
//! which the tests compare with: members may come in any order, unknown ones are passed over, a known one may be there
//! only once, `null` is nothing where nothing is allowed. Three things are refused that it takes, and none is ever
//! written: an array of the fields' values in place of an object, and in members that are passed over bytes that are not
//! UTF-8 and values nested deeper than [`crate::json::MAX_DEPTH`].

use super::{Container, OlderPod, Pairs, PodFile, VERSION, Workload};
use crate::json::JsonReader;
use std::borrow::Cow;

/// What was read, or the reason why it cannot be.
type Decoded<T> = Result<T, String>;

/// Reads the content of a pod file, whosever it is and however many entries it has.
pub(super) fn decode(content: &[u8]) -> Decoded<PodFile> {
    let content = std::str::from_utf8(content).map_err(|error| error.to_string())?;
    let mut reader = JsonReader::new(content);
    let file = file(&mut reader)?;
    if reader.peek().is_none() { Ok(file) } else { Err(broken(&reader)) }
}

fn file(reader: &mut JsonReader<'_>) -> Decoded<PodFile> {
    let (mut version, mut namespace, mut pod) = (None, None, None);
    let (mut uid, mut node, mut ip) = (None, None, None);
    let (mut labels, mut annotations, mut workload, mut containers) = (None, None, None, None);
    let (mut owners, mut older) = (None, None);
    object(reader, "the file", &mut |reader, key| match &*key {
        "version" => once(&mut version, reader, &key, known_version),
        "namespace" => once(&mut namespace, reader, &key, text),
        "pod" => once(&mut pod, reader, &key, text),
        "uid" => once(&mut uid, reader, &key, text_or_null),
        "node" => once(&mut node, reader, &key, text_or_null),
        "ip" => once(&mut ip, reader, &key, text_or_null),
        "labels" => once(&mut labels, reader, &key, pairs),
        "annotations" => once(&mut annotations, reader, &key, pairs),
        "workload" => once(&mut workload, reader, &key, owner),
        "owners" => once(&mut owners, reader, &key, text_or_null),
        "containers" => once(&mut containers, reader, &key, |reader, field| list(reader, field, &container)),
        "older" => once(&mut older, reader, &key, |reader, field| list(reader, field, &older_pod)),
        _ => pass(reader),
    })?;
    needed(version, "version")?;
    Ok(PodFile {
        namespace: needed(namespace, "namespace")?,
        pod: needed(pod, "pod")?,
        uid: uid.flatten(),
        node: node.flatten(),
        ip: ip.flatten(),
        labels: labels.flatten(),
        annotations: annotations.flatten(),
        workload: workload.flatten(),
        owners: owners.flatten(),
        containers: containers.unwrap_or_default(),
        older: older.unwrap_or_default(),
    })
}

fn owner(reader: &mut JsonReader<'_>, field: &str) -> Decoded<Option<Workload>> {
    if is_null(reader)? {
        return Ok(None);
    }
    let (mut kind, mut name) = (None, None);
    object(reader, field, &mut |reader, key| match &*key {
        "kind" => once(&mut kind, reader, &key, text),
        "name" => once(&mut name, reader, &key, text),
        _ => pass(reader),
    })?;
    Ok(Some(Workload { kind: needed(kind, "kind")?, name: needed(name, "name")? }))
}

fn list<'a, T>(
    reader: &mut JsonReader<'a>,
    field: &str,
    item: &dyn Fn(&mut JsonReader<'a>) -> Decoded<T>,
) -> Decoded<Vec<T>> {
    if !reader.take(b'[') {
        return Err(wrong(reader, field, "is not a list"));
    }
    let mut found = Vec::new();
    while reader.next(b']', found.is_empty()).ok_or_else(|| broken(reader))? {
        found.push(item(reader)?);
    }
    Ok(found)
}

fn older_pod(reader: &mut JsonReader<'_>) -> Decoded<OlderPod> {
    let (mut uid, mut node, mut ip) = (None, None, None);
    let (mut labels, mut annotations, mut workload, mut ids) = (None, None, None, None);
    object(reader, "an older pod", &mut |reader, key| match &*key {
        "uid" => once(&mut uid, reader, &key, text_or_null),
        "node" => once(&mut node, reader, &key, text_or_null),
        "ip" => once(&mut ip, reader, &key, text_or_null),
        "labels" => once(&mut labels, reader, &key, pairs),
        "annotations" => once(&mut annotations, reader, &key, pairs),
        "workload" => once(&mut workload, reader, &key, owner),
        "ids" => {
            once(&mut ids, reader, &key, |reader, field| list(reader, field, &|reader| text(reader, "an id")))
        }
        _ => pass(reader),
    })?;
    Ok(OlderPod {
        uid: uid.flatten(),
        node: node.flatten(),
        ip: ip.flatten(),
        labels: labels.flatten(),
        annotations: annotations.flatten(),
        workload: workload.flatten(),
        ids: ids.unwrap_or_default(),
    })
}

fn container(reader: &mut JsonReader<'_>) -> Decoded<Container> {
    let (mut name, mut id) = (None, None);
    let (mut image, mut hash, mut started, mut restarts) = (None, None, None, None);
    object(reader, "a container", &mut |reader, key| match &*key {
        "name" => once(&mut name, reader, &key, text),
        "id" => once(&mut id, reader, &key, text),
        "image" => once(&mut image, reader, &key, text_or_null),
        "hash" => once(&mut hash, reader, &key, text_or_null),
        "started" => once(&mut started, reader, &key, integer_or_null),
        "restarts" => once(&mut restarts, reader, &key, integer_or_null),
        _ => pass(reader),
    })?;
    Ok(Container {
        name: needed(name, "name")?,
        id: needed(id, "id")?,
        image: image.flatten(),
        hash: hash.flatten(),
        started: started.flatten(),
        restarts: restarts.flatten(),
    })
}

/// String pairs, of which several may have the same key: it is whoever looks one up that takes the last.
fn pairs(reader: &mut JsonReader<'_>, field: &str) -> Decoded<Option<Pairs>> {
    if is_null(reader)? {
        return Ok(None);
    }
    let mut found = Vec::new();
    object(reader, field, &mut |reader, key| {
        // The API allows null for a string map's value and means the empty string.
        let value = text_or_null(reader, field)?.unwrap_or_default();
        found.push((key.into_owned(), value));
        Ok(())
    })?;
    Ok(Some(Pairs(found)))
}

/// Hands every key to `member`, which reads the value.
fn object<'a>(
    reader: &mut JsonReader<'a>,
    what: &str,
    member: &mut dyn FnMut(&mut JsonReader<'a>, Cow<'a, str>) -> Decoded<()>,
) -> Decoded<()> {
    if !reader.take(b'{') {
        return Err(wrong(reader, what, "is not an object"));
    }
    let mut is_first = true;
    while reader.next(b'}', is_first).ok_or_else(|| broken(reader))? {
        is_first = false;
        let key = reader.key().ok_or_else(|| broken(reader))?;
        member(reader, key)?;
    }
    Ok(())
}

/// Reads a field that may be there only once.
fn once<'a, T>(
    found: &mut Option<T>,
    reader: &mut JsonReader<'a>,
    field: &str,
    read: impl Fn(&mut JsonReader<'a>, &str) -> Decoded<T>,
) -> Decoded<()> {
    match found.replace(read(reader, field)?) {
        None => Ok(()),
        Some(_) => Err(format!("{field} is there twice")),
    }
}

fn needed<T>(found: Option<T>, field: &str) -> Decoded<T> {
    found.ok_or_else(|| format!("{field} is missing"))
}

fn text(reader: &mut JsonReader<'_>, field: &str) -> Decoded<String> {
    match reader.peek() {
        Some(b'"') => reader.string().map(Cow::into_owned).ok_or_else(|| broken(reader)),
        _ => Err(wrong(reader, field, "is not a string")),
    }
}

fn text_or_null(reader: &mut JsonReader<'_>, field: &str) -> Decoded<Option<String>> {
    if is_null(reader)? { Ok(None) } else { text(reader, field).map(Some) }
}

fn known_version(reader: &mut JsonReader<'_>, field: &str) -> Decoded<()> {
    match integer(reader, field)? {
        VERSION => Ok(()),
        other => Err(format!("{field} {other} is not {VERSION}")),
    }
}

fn integer_or_null(reader: &mut JsonReader<'_>, field: &str) -> Decoded<Option<i64>> {
    if is_null(reader)? { Ok(None) } else { integer(reader, field).map(Some) }
}

fn integer(reader: &mut JsonReader<'_>, field: &str) -> Decoded<i64> {
    let written = reader.value().ok_or_else(|| broken(reader))?;
    // A zero with a sign is a float, the one number that a float and an integer write alike.
    let number = Some(written).filter(|written| *written != "-0").and_then(|written| written.parse().ok());
    number.ok_or_else(|| format!("{field} is not a 64-bit integer"))
}

/// Passes a `null`.
fn is_null(reader: &mut JsonReader<'_>) -> Decoded<bool> {
    if reader.peek() != Some(b'n') {
        return Ok(false);
    }
    pass(reader).map(|()| true)
}

fn pass(reader: &mut JsonReader<'_>) -> Decoded<()> {
    reader.value().map(|_| ()).ok_or_else(|| broken(reader))
}

/// The reason against what comes next: what it is not, if it is JSON at all.
#[cold]
fn wrong(reader: &mut JsonReader<'_>, field: &str, is: &str) -> String {
    match pass(reader) {
        Ok(()) => format!("{field} {is}"),
        Err(broken) => broken,
    }
}

#[cold]
fn broken(reader: &JsonReader<'_>) -> String {
    format!("no JSON at byte {}", reader.position())
}
