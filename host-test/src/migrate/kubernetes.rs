//! The options of Fluent Bit's `kubernetes` filter, one by one.
//!
//! Source: Fluent Bit 5.1.1, plugins/filter_kubernetes/kubernetes.c (`config_map`). An option that is not in this list is said to be
//! unknown, never passed over.

use super::chain::Section;
use super::report::{Fate, ReportLine};

/// What the rule file says in its place.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) tag_prefix: Option<String>,
    /// Keys and values of `enrich`.
    pub(super) enrich: Vec<(&'static str, String)>,
    pub(super) exclude_annotations: bool,
    /// Variables of the sidecar.
    pub(super) sidecar: Vec<(&'static str, String)>,
    pub(super) merges: bool,
    pub(super) keeps_log: bool,
}

/// The options of the filter, and a line of the report for each.
pub(super) fn read(filter: &Section, report: &mut Vec<ReportLine>) -> Head {
    let merges = filter.is_on("merge_log", false);
    let keeps_log = filter.is_on("keep_log", true);
    let trims = filter.is_on("merge_log_trim", true);
    let key = filter.text("merge_log_key").filter(|key| !key.is_empty());
    let (labels, annotations) = (filter.is_on("labels", true), filter.is_on("annotations", true));
    let mut enrich = vec![
        ("fields", if filter.is_on("owner_references", false) { WITH_OWNERS } else { "all" }.to_owned()),
        ("labels", labels.to_string()),
        ("annotations", annotations.to_string()),
    ];
    if merges {
        let mut how = Vec::new();
        how.extend(key.as_ref().map(|key| format!("key: '{key}'")));
        how.extend((!keeps_log).then(|| "keep_log: false".to_owned()));
        how.extend((!trims).then(|| "trim: false".to_owned()));
        let how = if how.is_empty() { "true".to_owned() } else { format!("{{ {} }}", how.join(", ")) };
        enrich.push(("merge_log", how));
    }
    let mut sidecar = Vec::new();
    if annotations {
        sidecar.push(("NODESIEVE_ANNOTATIONS", "*".to_owned()));
    }
    let head = Head {
        tag_prefix: filter.text("kube_tag_prefix").filter(|prefix| prefix != DEFAULT_PREFIX),
        enrich,
        exclude_annotations: filter.is_on("k8s-logging.exclude", false),
        sidecar,
        merges,
        keeps_log,
    };
    for (key, value) in &filter.properties {
        let value = super::chain::written(value);
        let (fate, how) = option(&key.to_ascii_lowercase(), filter, merges);
        report.push(ReportLine { place: filter.place.clone(), what: format!("{key} {value}"), fate, how });
    }
    report.push(line(filter, "its metadata", Fate::Differs, "a container whose file name kubelet has cut has metadata, where the \
        built-in filter has none; a restarted container's records have the id of their own run, where it may write another run's; and `{}` \
        without the line (Keep_Log Off), or an object nested deeper than 62, stays a line, where it is lost"));
    if annotations {
        let how = "kubectl's last-applied-configuration, the whole manifest, is left out (NODESIEVE_ANNOTATIONS_DENY), and so are labels and \
            annotations of more than 16 KiB (NODESIEVE_MAX_VALUE) and what makes the object larger than 256 KiB (enrich.max_bytes)";
        report.push(line(filter, "its annotations", Fate::Differs, how));
    }
    report.push(line(
        filter,
        "before a pod is known",
        Fate::Differs,
        "the built-in filter waits for its kubelet, with all other records; this one keeps the record with what the tag says, for the \
        second that the sidecar needs to see a new pod",
    ));
    report.push(line(
        filter,
        "records as JSON",
        Fate::Differs,
        "each record goes through JSON once: a number that JSON cannot say (nan, \
        infinity) becomes a text",
    ));
    head
}

fn line(filter: &Section, what: &str, fate: Fate, how: &str) -> ReportLine {
    ReportLine { place: filter.place.clone(), what: what.into(), fate, how: how.into() }
}

fn option(key: &str, filter: &Section, merges: bool) -> (Fate, String) {
    let is_on = filter.is_on(key, false);
    let (fate, how) = match key {
        "name" => (Fate::Translated, "the filter `wasm` with nodesieve, in its place"),
        "match" | "match_regex" => (Fate::Translated, "the same records, and the tick"),
        "alias" | "log_level" => (Fate::Translated, "on the new filter"),
        "kube_tag_prefix" => (Fate::Translated, "input.tag_prefix"),
        "merge_log" => (Fate::Translated, "enrich.merge_log; rules see the record before that"),
        "keep_log" | "merge_log_key" | "merge_log_trim" if merges => (Fate::Translated, "enrich.merge_log"),
        "keep_log" | "merge_log_key" | "merge_log_trim" => (Fate::Gone, "means nothing without Merge_Log"),
        "labels" | "annotations" if is_on => (Fate::Translated, "enrich, and the sidecar writes all of them"),
        "labels" | "annotations" => (Fate::Translated, "enrich"),
        "k8s-logging.exclude" if is_on => (
            Fate::Differs,
            "exclude_annotations. Where a pod has more than one of them, the one for the container counts before the one for the pod, \
             and of those the one for the stream; the built-in filter takes the one that comes last by its order",
        ),
        "k8s-logging.parser" if is_on => (
            Fate::Impossible,
            "a filter in WebAssembly cannot run a parser. For pods annotated with fluentbit.io/parser, behind this filter: `rewrite_tag` \
             with `Rule $kubernetes['annotations']['fluentbit.io/parser'] ^(NAME)$ parsed.$TAG false`, then the filter `parser` with \
             `Match parsed.*`, `Key_Name log` and `Parser NAME`. Until then such pods' lines are not parsed",
        ),
        "k8s-logging.exclude" | "k8s-logging.parser" => (Fate::Gone, "was off"),
        "use_kubelet" if is_on => (Fate::Sidecar, "it asks the node's kubelet, and nobody else"),
        "use_kubelet" | "kube_url" => {
            (Fate::Gone, "the API server is never asked; the sidecar asks the node's kubelet")
        }
        "kubelet_host" => (Fate::Sidecar, "NODESIEVE_KUBELET_HOST"),
        "kubelet_port" => (Fate::Sidecar, "NODESIEVE_KUBELET_PORT"),
        "kube_ca_file"
        | "kube_ca_path"
        | "kube_token_file"
        | "kube_token_ttl"
        | "kube_namespace_file"
        | "tls.verify"
        | "tls.debug"
        | "tls.vhost"
        | "tls.verify_hostname" => (Fate::Sidecar, "its own settings, with the cluster's as the default"),
        "buffer_size" => (Fate::Sidecar, "answers of any size up to 64 MiB are read"),
        "kube_meta_cache_ttl" => (Fate::Gone, "pods.ttl is 60 s"),
        "dns_retries" | "dns_wait_time" => (Fate::Gone, "no name is looked up"),
        "cache_use_docker_id" => (Fate::Gone, "metadata is always by the container's id"),
        "owner_references"
        | "namespace_labels"
        | "namespace_annotations"
        | "namespace_metadata_only"
        | "use_journal"
        | "dummy_meta"
        | "use_tag_for_meta"
        | "aws_use_pod_association"
        | "use_pod_association"
            if !is_on =>
        {
            (Fate::Gone, "was off")
        }
        "owner_references" => (Fate::Translated, "ownerReferences in enrich.fields"),
        "namespace_labels"
        | "namespace_annotations"
        | "namespace_metadata_only"
        | "kube_meta_namespace_cache_ttl" => {
            (Fate::Impossible, "a kubelet does not know namespaces' labels and annotations")
        }
        "regex_parser" => {
            (Fate::Impossible, "the tag must be <prefix><pod>_<namespace>_<container>-<id>.log")
        }
        "merge_parser" => (Fate::Impossible, "only JSON is merged; put the filter `parser` behind this one"),
        "use_journal" => {
            (Fate::Impossible, "lines of journald have no such tag; keep the built-in filter for them")
        }
        "kube_token_command" => (Fate::Impossible, "the sidecar reads its token from a file"),
        "kube_meta_preload_cache_dir" | "dummy_meta" => (Fate::Gone, "is for tests"),
        "use_tag_for_meta" => (Fate::Translated, "without the sidecar the tag is all that is known"),
        key if key.starts_with("aws_pod")
            || key.ends_with("use_pod_association")
            || key == "set_platform" =>
        {
            (
                Fate::Impossible,
                "is for CloudWatch Application Signals; keep the built-in filter, and this one behind it",
            )
        }
        _ => (
            Fate::Impossible,
            "is not known; if it matters, keep the built-in filter, and this one behind it (`enrich: off`, metadata.source: record)",
        ),
    };
    (fate, how.to_owned())
}

/// All fields of the built-in filter, with owners.
const WITH_OWNERS: &str = "[pod_name, namespace_name, pod_id, labels, annotations, ownerReferences, host, pod_ip, container_name, \
    docker_id, container_hash, container_image]";
const DEFAULT_PREFIX: &str = "kube.var.log.containers.";
