//! A tag with the container that it names, taken apart once.
//!
//! It exists because every record asks for it, and to cut a tag costs more than to look at its parts.

use crate::hash::xxh3;
use crate::tag::{ContainerNames, ContainerTag};
use std::cell::OnceCell;

/// A tag, and the container that it names.
#[derive(Debug)]
pub(crate) struct TagNames {
    tag: Box<str>,
    container: Option<ContainerNames>,
    namespace: NamespaceId,
    /// Its keys, made when a rule asks for them.
    keys: [OnceCell<NameKey>; 3],
}

/// How much of a container's names a key has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NamesUpTo {
    /// The namespace.
    Namespace,
    /// The same and the pod.
    Pod,
    /// Both and the container.
    Container,
}

/// A key of names: the same for all records of a tag.
#[derive(Debug)]
pub(crate) struct NameKey {
    /// The names with slashes between them, and a NUL at the end.
    pub(crate) text: Box<[u8]>,
    pub(crate) hash: u64,
}

/// A namespace, as a number: a hash of its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct NamespaceId(pub(crate) u64);

impl NamespaceId {
    /// That of a tag which names no container.
    pub(crate) const NONE: NamespaceId = NamespaceId(0);

    /// That of a name.
    pub(crate) fn of(name: &str) -> NamespaceId {
        NamespaceId(xxh3(name.as_bytes()))
    }
}

impl TagNames {
    pub(crate) fn of(tag: &str, parsed: Option<ContainerTag<'_>>) -> TagNames {
        let container = parsed.as_ref().map(ContainerNames::of);
        let namespace = parsed.map_or(NamespaceId::NONE, |found| NamespaceId::of(found.namespace));
        TagNames { tag: tag.into(), container, namespace, keys: Default::default() }
    }

    /// The tag itself.
    #[inline]
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    /// The namespace of the container that the tag names.
    #[inline]
    pub(crate) fn namespace(&self) -> NamespaceId {
        self.namespace
    }

    /// The container that the tag names.
    #[inline]
    pub(crate) fn container(&self) -> Option<ContainerTag<'_>> {
        self.container.as_ref().map(ContainerNames::borrowed)
    }

    /// The key of so many of its names; `None` where the tag names no container.
    #[inline]
    pub(crate) fn key(&self, up_to: NamesUpTo) -> Option<&NameKey> {
        let key = self.keys.get(up_to as usize)?;
        if key.get().is_none() {
            let made = self.make_key(up_to)?;
            return Some(key.get_or_init(|| made));
        }
        key.get()
    }

    #[inline(never)]
    fn make_key(&self, up_to: NamesUpTo) -> Option<NameKey> {
        let mut text = Vec::new();
        write_names(&self.container()?, up_to, &mut text);
        text.push(0);
        Some(NameKey { hash: xxh3(&text), text: text.into() })
    }
}

/// Writes so many of a container's names, with slashes between them.
pub(crate) fn write_names(tag: &ContainerTag<'_>, up_to: NamesUpTo, into: &mut Vec<u8>) {
    let names = match up_to {
        NamesUpTo::Namespace => &[tag.namespace][..],
        NamesUpTo::Pod => &[tag.namespace, tag.pod],
        NamesUpTo::Container => &[tag.namespace, tag.pod, tag.container],
    };
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            into.push(b'/');
        }
        into.extend_from_slice(name.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_names_is_what_is_written_and_its_hash() {
        let tag = format!("kube.var.log.containers.web-1_shop_app-{}.log", "0a".repeat(32));
        let names = TagNames::of(&tag, ContainerTag::parse(&tag, "kube.var.log.containers."));
        for (up_to, text) in [
            (NamesUpTo::Namespace, "shop\0"),
            (NamesUpTo::Pod, "shop/web-1\0"),
            (NamesUpTo::Container, "shop/web-1/app\0"),
        ] {
            // The second time it is remembered.
            for _ in 0..2 {
                let key = names.key(up_to).unwrap();
                assert_eq!((&*key.text, key.hash), (text.as_bytes(), xxh3(text.as_bytes())));
            }
        }
        assert!(TagNames::of("no.container", None).key(NamesUpTo::Pod).is_none());
    }
}
