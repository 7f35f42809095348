//! A tag with the container that it names, taken apart once.
//!
//! It exists because every record asks for it, and to cut a tag costs more than to look at its parts.

use crate::hash::xxh3;
use crate::tag::{ContainerNames, ContainerTag};

/// A tag, and the container that it names.
#[derive(Debug)]
pub(crate) struct TagNames {
    tag: Box<str>,
    container: Option<ContainerNames>,
    namespace: NamespaceId,
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
        TagNames { tag: tag.into(), container, namespace }
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
}
