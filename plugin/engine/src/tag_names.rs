//! A tag with the container that it names, taken apart once.
//!
//! It exists because every record asks for it, and to cut a tag costs more than to look at its parts.

use crate::tag::ContainerTag;

/// A tag, and the container that it names.
#[derive(Debug)]
pub(crate) struct TagNames {
    tag: Box<str>,
    container: Option<ContainerNames>,
}

/// What [`ContainerTag`] borrows: owned, because to cut four texts out of a tag costs more than to look at them.
#[derive(Debug)]
struct ContainerNames {
    pod: Box<str>,
    namespace: Box<str>,
    container: Box<str>,
    id: Box<str>,
}

impl TagNames {
    pub(crate) fn of(tag: &str, parsed: Option<ContainerTag<'_>>) -> TagNames {
        let container = parsed.map(|found| ContainerNames {
            pod: found.pod.into(),
            namespace: found.namespace.into(),
            container: found.container.into(),
            id: found.id.into(),
        });
        TagNames { tag: tag.into(), container }
    }

    /// The tag itself.
    #[inline]
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    /// The container that the tag names.
    #[inline]
    pub(crate) fn container(&self) -> Option<ContainerTag<'_>> {
        let ContainerNames { pod, namespace, container, id } = self.container.as_ref()?;
        Some(ContainerTag { pod, namespace, container, id })
    }
}
