//! `namespace`, `pod`, `container`: globs over the names in the tag.

use crate::condition::{DecideBy, RecordTest, WrittenCondition, is, is_name};
use crate::facts::{Facts, Metadata};
use crate::glob::Globs;
use crate::tag::ContainerTag;
use crate::yaml::Mistakes;

/// The container's namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct InNamespace(pub(super) Globs);

/// The container's pod.
#[derive(Clone, Debug, PartialEq)]
pub struct InPod(pub(super) Globs);

/// The container's name.
#[derive(Clone, Debug, PartialEq)]
pub struct InContainer(pub(super) Globs);

/// The three differ in their key and in the part of the tag that they compare.
macro_rules! tag_names {
    ($($test:ident is $key:literal by $part:ident),+) => {$(
        impl RecordTest for $test {
            const KEY: &'static str = $key;

            const DECIDE: DecideBy<$test> = DecideBy::Tag(|test, container| {
                container.is_some_and(|tag: &ContainerTag<'_>| test.0.matches(tag.$part))
            });

            fn read(written: &WrittenCondition<'_>, mistakes: &mut Mistakes) -> Option<$test> {
                mistakes.globs(written.node, Self::KEY, is_name).map($test)
            }

            fn found(&self, facts: &Facts<'_>, _: &mut Metadata<'_>) -> Option<String> {
                Some(is(Self::KEY, facts.container().map(|tag| tag.$part)))
            }
        }
    )+};
}

tag_names! {
    InNamespace is "namespace" by namespace,
    InPod is "pod" by pod,
    InContainer is "container" by container
}
