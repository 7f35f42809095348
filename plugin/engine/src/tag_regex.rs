//! Tags of one's own making: `input.tag_regex`, an expression whose named groups say which container a tag names.
//!
//! It is for those who have tail make tags by its `Tag_Regex`, such as `kube.<namespace_name>.<pod_name>.<container_name>`, and
//! tell the built-in filter by `Regex_Parser`. The names of the groups are those of that filter (Fluent Bit,
//! plugins/filter_kubernetes/kube_regex.h).
//!
//! The rule kept here: an expression takes time linear in the tag, whatever both are; what it finds has to be names that Kubernetes
//! allows, as in [`crate::tag`], for pod files are opened by them.

use crate::tag::ContainerTag;
use regex_lite::{Regex, RegexBuilder};
use std::fmt;

/// An expression with groups of these names.
#[derive(Clone)]
pub struct TagRegex {
    compiled: Regex,
}

/// Why an expression is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagRegexError {
    /// It is none, too large, or nested too deeply: `(a`, `\d{4000}{4000}`.
    Syntax(String),
    /// A group is missing without which no container is named: `(?<pod_name>.+)`.
    MissingGroup(&'static str),
    /// A group has a name that means nothing, with what else there is: `(?<pod>.+)`.
    UnknownGroup(String),
}

impl TagRegex {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`TagRegexError`].
    pub fn parse(text: &str) -> Result<TagRegex, TagRegexError> {
        let built = RegexBuilder::new(text).size_limit(MAX_PROGRAM).nest_limit(MAX_NESTED).build();
        let compiled = built.map_err(|reason| TagRegexError::Syntax(reason.to_string()))?;
        let groups = || compiled.capture_names().flatten();
        if let Some(unknown) = groups().find(|name| !GROUPS.contains(name) && *name != ID && *name != IGNORED)
        {
            return Err(TagRegexError::UnknownGroup(unknown.to_owned()));
        }
        match GROUPS.iter().find(|wanted| !groups().any(|name| name == **wanted)) {
            Some(missing) => Err(TagRegexError::MissingGroup(missing)),
            None => Ok(TagRegex { compiled }),
        }
    }

    /// The container that a tag names, if the expression matches and what its groups hold are names of Kubernetes.
    pub(crate) fn container_of<'t>(&self, tag: &'t str) -> Option<ContainerTag<'t>> {
        if tag.len() > MAX_TAG {
            return None;
        }
        let found = self.compiled.captures(tag)?;
        let group = |name| found.name(name).map(|group| group.as_str());
        let [pod, namespace, container] = GROUPS.map(group);
        let (pod, namespace, container) = (pod?, namespace?, container?);
        ContainerTag { pod, namespace, container, id: group(ID).unwrap_or_default() }.checked()
    }
}

impl fmt::Debug for TagRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TagRegex").field(&self.compiled.as_str()).finish()
    }
}

impl PartialEq for TagRegex {
    fn eq(&self, other: &TagRegex) -> bool {
        self.compiled.as_str() == other.compiled.as_str()
    }
}

impl Eq for TagRegex {}

/// Groups that there have to be.
const GROUPS: [&str; 3] = ["pod_name", "namespace_name", "container_name"];
/// The group of the container's id. Without it metadata is by the container's name.
pub(crate) const ID: &str = "docker_id";
/// A group of the built-in filter's own expression that says nothing about a container.
const IGNORED: &str = "tag";
/// Bytes of a compiled expression: some hundred steps, each of which a tag's byte may meet once.
const MAX_PROGRAM: usize = 32 * 1024;
/// How deep groups may be nested: the stack of `wasm_stack_size: 256k` holds far more; the default of 8 KiB holds three.
const MAX_NESTED: u32 = 10;
/// Longest tag that is looked at, in bytes: tail's are at most as long as a path.
const MAX_TAG: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What Fluent Bit has when none is set (plugins/filter_kubernetes/kube_regex.h, `KUBE_TAG_TO_REGEX`).
    const BUILT_IN: &str = r"(?<pod_name>[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)_(?<namespace_name>[^_]+)_(?<container_name>.+)-(?<docker_id>[a-z0-9]{64})\.log$";

    #[track_caller]
    fn parts(expression: &str, tag: &str) -> Option<[String; 4]> {
        let expression = TagRegex::parse(expression).unwrap();
        expression
            .container_of(tag)
            .map(|tag| [tag.pod, tag.namespace, tag.container, tag.id].map(String::from))
    }

    fn found(parts: [&str; 4]) -> Option<[String; 4]> {
        Some(parts.map(String::from))
    }

    #[test]
    fn named_groups_say_which_container_a_tag_names() {
        let own = r"^app\.(?<namespace_name>[^.]+)\.(?<pod_name>.+)\.(?<container_name>[^.]+)$";
        assert_eq!(parts(own, "app.shop.web-1.proxy"), found(["web-1", "shop", "proxy", ""]));
        assert_eq!(parts(own, "app.shop.ip-10.ec2.etcd"), found(["ip-10.ec2", "shop", "etcd", ""]));
        assert_eq!(parts(own, "other.shop.web-1.proxy"), None);
        let id = "0a".repeat(32);
        let tag = format!("web-1_shop_istio-proxy-{id}.log");
        assert_eq!(parts(BUILT_IN, &tag), found(["web-1", "shop", "istio-proxy", &id]));
    }

    #[test]
    fn what_is_no_name_of_kubernetes_names_no_container() {
        let own = r"^(?P<namespace_name>.*)/(?P<pod_name>.*)/(?P<container_name>.*)/(?P<docker_id>.*)$";
        assert_eq!(parts(own, "shop/web/app/0a"), found(["web", "shop", "app", "0a"]));
        for tag in [
            "../web/app/0a",
            "shop/../app/0a",
            "shop/Web/app/0a",
            "shop/web//0a",
            "shop/web/app/0A",
            "shop/web/\u{e9}/0a",
        ] {
            assert_eq!(parts(own, tag), None, "{tag}");
        }
        assert_eq!(parts(own, &format!("shop/web/app/{}", "0".repeat(65))), None);
        assert_eq!(parts(own, &format!("shop/{}/app/0a", "a".repeat(5000))), None);
    }

    #[test]
    fn an_expression_without_the_groups_or_beyond_the_limits_is_refused() {
        assert_eq!(
            TagRegex::parse("(?<pod_name>a)(?<namespace_name>b)"),
            Err(TagRegexError::MissingGroup("container_name"))
        );
        assert_eq!(TagRegex::parse("(?<pod>a)"), Err(TagRegexError::UnknownGroup("pod".into())));
        let nested = format!("{}a{}", "(".repeat(11), ")".repeat(11));
        for refused in ["(", "(?=a)", r"(a)\1", "a{9999}{9999}", "[a-", &nested, &"a".repeat(100_000)] {
            assert!(matches!(TagRegex::parse(refused), Err(TagRegexError::Syntax(_))), "{refused:.40}");
        }
    }

    proptest! {
        #[test]
        fn any_expression_is_read_and_any_tag_looked_at_without_a_panic(
            expression in "\\PC{0,40}|([(]|[)]|[?<>*+|{}.^$]|pod_name|[a-z]|,|[0-9]|\\\\|\\[|\\]){0,40}",
            tag in "\\PC{0,60}|[a-z._-]{0,60}",
        ) {
            let groups = "(?<pod_name>.*?)(?<namespace_name>.*)(?<container_name>.*)";
            if let Ok(expression) = TagRegex::parse(&format!("{groups}{expression}")) {
                expression.container_of(&tag);
            }
        }
    }
}
