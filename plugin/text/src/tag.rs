//! The tag that tail gives a container's log file, taken apart.
//!
//! kubelet names the links in /var/log/containers `<pod>_<namespace>_<container>-<container id>.log` and tail turns
//! the path into the tag. The built-in filter drops as many bytes as the configured prefix has, whatever they are; a
//! prefix that is off by one then yields a wrong pod name (fluent-bit issues 9142, 3689). Here the prefix is compared.
//!
//! kubelet cuts names at 255 bytes (`logSymlink` in pkg/kubelet/kuberuntime), so the id may be shorter than 64, or the cut may
//! lie in the container's name: what stands behind its last dash is then no id, and taken for one it would make another
//! container of it.

/// A container as its tag names it. Borrowed from the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerTag<'a> {
    /// Pod name, a DNS subdomain.
    pub pod: &'a str,
    /// Namespace, a DNS label.
    pub namespace: &'a str,
    /// Container name, a DNS label.
    pub container: &'a str,
    /// Container id: 64 hexadecimal digits as a rule, fewer when kubelet had to cut the file name.
    pub id: &'a str,
}

/// What [`ContainerTag`] borrows: owned, because to cut four texts out of a tag costs more than to look at them.
#[derive(Debug)]
pub struct ContainerNames {
    pod: Box<str>,
    namespace: Box<str>,
    container: Box<str>,
    id: Box<str>,
}

impl ContainerNames {
    /// A copy of a tag's names.
    pub fn of(tag: &ContainerTag<'_>) -> ContainerNames {
        ContainerNames {
            pod: tag.pod.into(),
            namespace: tag.namespace.into(),
            container: tag.container.into(),
            id: tag.id.into(),
        }
    }

    /// The names.
    #[inline]
    pub fn borrowed(&self) -> ContainerTag<'_> {
        let ContainerNames { pod, namespace, container, id } = self;
        ContainerTag { pod, namespace, container, id }
    }
}

impl<'a> ContainerTag<'a> {
    /// Takes `tag` apart after `prefix`.
    ///
    /// # Errors
    /// `None` when the tag does not start with `prefix`, does not end in `.log`, lacks one of the separators, or when
    /// a part is not a name that Kubernetes would allow (`Pod_ns_c-0a.log`); and for a file name of 255 bytes that may
    /// have been cut before its container id.
    pub fn parse(tag: &'a str, prefix: &str) -> Option<ContainerTag<'a>> {
        let stem = tag.strip_prefix(prefix)?.strip_suffix(LOG)?;
        let (pod, rest) = stem.split_once('_')?;
        let (namespace, rest) = rest.split_once('_')?;
        let (container, id) = rest.rsplit_once('-')?;
        // So many hexadecimal digits are no part of a name that a person has given.
        let is_cut = stem.len().wrapping_add(LOG.len()) >= MAX_FILE_NAME && id.len() < WHOLE_ID;
        let is_certain =
            !is_cut || id.len() >= SHORTEST_CUT_ID && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let parts = ContainerTag { pod, namespace, container, id };
        (!id.is_empty() && is_certain).then_some(parts)?.checked()
    }

    /// These parts, if they are names that Kubernetes would allow. An empty id stands for one that is not known.
    pub fn checked(self) -> Option<ContainerTag<'a>> {
        let id_is_valid = self.id.len() <= MAX_ID
            && self.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let ContainerTag { pod, namespace, container, .. } = self;
        let is_valid =
            is_dns_subdomain(pod) && is_dns_label(namespace) && is_dns_label(container) && id_is_valid;
        is_valid.then_some(self)
    }

    /// Whether the id is all there, not cut by kubelet.
    pub fn has_whole_id(&self) -> bool {
        self.id.len() == WHOLE_ID
    }
}

/// Whether `name` is a DNS label as Kubernetes allows it for namespaces and containers (RFC 1123, at most 63 bytes).
pub fn is_dns_label(name: &str) -> bool {
    name.len() <= 63 && is_label(name)
}

/// Whether `name` is a DNS subdomain as Kubernetes allows it for pods: labels with dots between, at most 253 bytes.
pub fn is_dns_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    ends.iter().all(|end| end.is_some_and(|&byte| byte != b'-'))
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

/// What log files end in.
const LOG: &str = ".log";
/// Longest file name, in bytes: what is longer is cut by kubelet.
const MAX_FILE_NAME: usize = 255;
/// Digits that a cut id has at the least to be one for certain.
const SHORTEST_CUT_ID: usize = 12;
/// Digits of a container id.
const WHOLE_ID: usize = 64;
/// Length of a container id that kubelet did not have to cut.
const MAX_ID: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "kube.var.log.containers.";
    const ID: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

    #[track_caller]
    fn parts(name: &str) -> Option<(String, String, String, usize)> {
        let tag = format!("{PREFIX}{name}.log");
        let found = ContainerTag::parse(&tag, PREFIX)?;
        Some((found.pod.into(), found.namespace.into(), found.container.into(), found.id.len()))
    }

    #[test]
    fn takes_kubelet_names_apart() {
        let expected = |pod: &str, ns: &str, c: &str, id| Some((pod.into(), ns.into(), c.into(), id));
        assert_eq!(parts(&format!("web-1_shop_app-{ID}")), expected("web-1", "shop", "app", 64));
        assert_eq!(
            parts(&format!("etcd-ip-10-0-1-23.ec2.internal_kube-system_etcd-{ID}")),
            expected("etcd-ip-10-0-1-23.ec2.internal", "kube-system", "etcd", 64)
        );
        assert_eq!(parts(&format!("p_n_istio-proxy-{ID}")), expected("p", "n", "istio-proxy", 64));
        assert_eq!(parts("p_n_c-0f1e2d"), expected("p", "n", "c", 6));
    }

    #[test]
    fn a_name_that_is_cut_before_the_id_names_no_container() {
        let cut = |rest: &str| {
            let pod = "p".repeat(255 - "_shop_.log".len() - rest.len());
            parts(&format!("{pod}_shop_{rest}")).map(|(_, _, container, id)| (container, id))
        };
        for rest in ["istio-", "istio-pro", "istio-proxy", "istio-fade", "istio-proxy-0f1e2d", "app"] {
            assert_eq!(cut(rest), None, "{rest}");
        }
        assert_eq!(cut("istio-proxy-0f1e2d3c4b5a"), Some(("istio-proxy".into(), 12)));
        assert_eq!(cut(&format!("istio-proxy-{ID}")), Some(("istio-proxy".into(), 64)));
    }

    #[test]
    fn a_prefix_is_compared_and_not_counted() {
        let tag = format!("kube.var.log.containers.web_n_c-{ID}.log");
        assert!(ContainerTag::parse(&tag, PREFIX).is_some());
        assert_eq!(ContainerTag::parse(&tag, "kube.var.log.container."), None);
        assert_eq!(ContainerTag::parse(&tag, "kube.XXX.log.containers."), None);
        assert!(
            ContainerTag::parse(&tag, "kube.var.log.containers.").is_some_and(|found| found.pod == "web")
        );
    }

    #[test]
    fn refuses_what_kubelet_never_writes() {
        for name in [
            "",
            "p",
            "p_n",
            "p_n_c",
            "Pod_n_c-0a",
            "p_n_c-",
            "p_n_c-0A",
            "_n_c-0a",
            "p__c-0a",
            "p_n_-0a",
            "p..q_n_c-0a",
            "-p_n_c-0a",
            "p_n.m_c-0a",
            "../x_n_c-0a",
            "p_n_c-0a/b",
        ] {
            assert_eq!(parts(name), None, "{name}");
        }
        assert_eq!(parts(&format!("p_n_c-{ID}0")), None);
        assert_eq!(ContainerTag::parse(PREFIX, PREFIX), None);
    }
}
