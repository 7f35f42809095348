//! The options of Fluent Bit's `kubernetes` filter, one by one.
//!
//! Source: Fluent Bit 5.1.1, plugins/filter_kubernetes/kubernetes.c (`config_map`). An option that is not in this list is said to be
//! unknown, never passed over.

use super::chain::{Chain, Section};
use super::report::{Fate, ReportLine};
use nodesieve_engine::config::model::{TagRegex, TagRegexError};

/// What the rule file says in its place.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) tag_prefix: Option<String>,
    pub(super) tag_regex: Option<String>,
    /// Keys and values of `enrich`.
    pub(super) enrich: Vec<(&'static str, String)>,
    pub(super) exclude_annotations: bool,
    /// Variables of the sidecar.
    pub(super) sidecar: Vec<(&'static str, String)>,
    pub(super) merges: bool,
    pub(super) keeps_log: bool,
}

/// The options of the filter, and a line of the report for each.
pub(super) fn read(filter: &Section, chain: &Chain, report: &mut Vec<ReportLine>) -> Head {
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
    let prefix = filter.text("kube_tag_prefix").unwrap_or_else(|| DEFAULT_PREFIX.to_owned());
    let by_parser = filter.text("regex_parser").map(|parser| tag_regex(&parser, &prefix, chain));
    let head = Head {
        tag_prefix: Some(prefix).filter(|prefix| prefix != DEFAULT_PREFIX),
        tag_regex: by_parser.as_ref().and_then(|found| found.clone().ok()),
        enrich,
        exclude_annotations: filter.is_on("k8s-logging.exclude", false),
        sidecar,
        merges,
        keeps_log,
    };
    for (key, value) in &filter.properties {
        let value = super::chain::written(value);
        let (fate, how) = match (key.to_ascii_lowercase().as_str(), &by_parser) {
            ("regex_parser", Some(Ok(_))) => (Fate::Translated, BY_REGEX.to_owned()),
            ("regex_parser", Some(Err(why))) => (Fate::Impossible, why.clone()),
            (key, _) => option(key, filter, merges),
        };
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

/// The expression of a parser for what stands behind the prefix, as one for the whole tag.
fn tag_regex(parser: &str, prefix: &str, chain: &Chain) -> Result<String, String> {
    let no_parser = || {
        format!(
            "there is no parser `{parser}` with an expression in this configuration or its parsers' files: write it as input.tag_regex"
        )
    };
    let own = chain.expression_of(parser).ok_or_else(no_parser)?;
    // Ruby's anchors are those of a line, and a tag is one.
    let own = own.trim_start_matches('/').trim_end_matches('/').replace("\\A", "^").replace("\\Z", "$");
    let literal: String = prefix
        .chars()
        .flat_map(|c| (!c.is_ascii_alphanumeric() && c != '_').then_some('\\').into_iter().chain([c]))
        .collect();
    let whole = match own.strip_prefix('^') {
        // Where it begins is said once; what comes behind may be alternatives.
        Some(rest) if !rest.contains('|') => format!("^{literal}{rest}"),
        _ if has_anchor(&own) => return Err("its `^` stands for the end of the prefix, in one alternative of several: write it as input.tag_regex, for the whole tag".to_owned()),
        _ => format!("^{literal}.*?(?:{own})"),
    };
    match TagRegex::parse(&whole) {
        Ok(_) => Ok(whole),
        Err(TagRegexError::Syntax(reason)) => Err(format!("its expression is refused: {reason}")),
        Err(TagRegexError::MissingGroup(group)) => Err(format!("its expression has no group {group}")),
        Err(TagRegexError::UnknownGroup(group)) => Err(format!("its group {group} means nothing here")),
    }
}

/// Whether a `^` stands for a place, and not for itself or for what a class has not.
fn has_anchor(expression: &str) -> bool {
    let mut before = ' ';
    expression.chars().any(|c| {
        let is_anchor = c == '^' && !matches!(before, '[' | '\\');
        before = c;
        is_anchor
    })
}

/// All fields of the built-in filter, with owners.
const WITH_OWNERS: &str = "[pod_name, namespace_name, pod_id, labels, annotations, ownerReferences, host, pod_ip, container_name, \
    docker_id, container_hash, container_image]";
const BY_REGEX: &str = "input.tag_regex, with the prefix in it. A tag that is the prefix and a file name as kubelet makes them is read as \
    such, whatever the expression";
const DEFAULT_PREFIX: &str = "kube.var.log.containers.";
