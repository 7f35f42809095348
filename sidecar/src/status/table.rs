//! Every number of the sidecar: name, unit, meaning. The README repeats it and a test holds the two equal.

/// A number without labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "TABLE says what each means")]
pub enum StatusMetric {
    Polls,
    EarlyPolls,
    PollAge,
    PollSeconds,
    ListBytes,
    Pods,
    Skipped,
    Shortened,
    Omitted,
    Files,
    Written,
    Removed,
    FilesFailed,
    Awaited,
    GivenUp,
    Watching,
    Ready,
    FilterMetricsAge,
}

/// A row of [`TABLE`]: metric, name, unit, meaning. A name that ends in `_total` is a counter, any other a gauge.
pub type StatusRow = (StatusMetric, &'static str, &'static str, &'static str);

/// Every number without labels.
pub const TABLE: [StatusRow; COUNT] = [
    (StatusMetric::Polls, "nodesieve_sidecar_polls_total", "requests", "sent to the kubelet, or tried to"),
    (
        StatusMetric::EarlyPolls,
        "nodesieve_sidecar_polls_early_total",
        "requests",
        "of these, because a new pod or container had appeared",
    ),
    (
        StatusMetric::PollAge,
        "nodesieve_sidecar_poll_age_seconds",
        "seconds",
        "since the last list that was taken; since the start while there is none",
    ),
    (
        StatusMetric::PollSeconds,
        "nodesieve_sidecar_poll_seconds",
        "seconds",
        "that the last list took to come",
    ),
    (StatusMetric::ListBytes, "nodesieve_sidecar_list_bytes", "bytes", "of the last list"),
    (StatusMetric::Pods, "nodesieve_sidecar_pods", "pods", "in the last list, those of one name together"),
    (
        StatusMetric::Skipped,
        "nodesieve_sidecar_pods_skipped",
        "pods",
        "of the last list without a file: unreadable, or without a usable name",
    ),
    (
        StatusMetric::Shortened,
        "nodesieve_sidecar_pods_shortened",
        "pods",
        "of the last list without annotations, or these and labels, because their file would be too large",
    ),
    (
        StatusMetric::Omitted,
        "nodesieve_sidecar_values_omitted",
        "values",
        "of labels and annotations of the last list that are longer than `--max-value`",
    ),
    (
        StatusMetric::Files,
        "nodesieve_sidecar_files",
        "files",
        "of pods in the list, and of those gone for less than `--grace`",
    ),
    (
        StatusMetric::Written,
        "nodesieve_sidecar_files_written_total",
        "files",
        "written because they were new or had changed",
    ),
    (StatusMetric::Removed, "nodesieve_sidecar_files_removed_total", "files", "removed after `--grace`"),
    (
        StatusMetric::FilesFailed,
        "nodesieve_sidecar_files_failed_total",
        "files",
        "that could not be written or removed, the directory as a whole counting as one",
    ),
    (
        StatusMetric::Awaited,
        "nodesieve_sidecar_awaited",
        "containers",
        "and pods that have appeared and are not in a list yet",
    ),
    (
        StatusMetric::GivenUp,
        "nodesieve_sidecar_given_up_total",
        "containers",
        "and pods that were in no list 8 s after they appeared; later lists may have them",
    ),
    (
        StatusMetric::Watching,
        "nodesieve_sidecar_watching",
        "bool",
        "1 when all directories that should be watched for new logs are",
    ),
    (StatusMetric::Ready, "nodesieve_sidecar_ready", "bool", "what `/readyz` says"),
    (
        StatusMetric::FilterMetricsAge,
        "nodesieve_sidecar_filter_metrics_age_seconds",
        "seconds",
        "since the filter wrote its metrics; NaN while there are none that can be served",
    ),
];

/// Name, unit and meaning of the failures, which have the label `kind`.
pub const FAILED: (&str, &str, &str) = (
    "nodesieve_sidecar_polls_failed_total",
    "requests",
    "without a list that was taken, by kind; the files stay as they are",
);

/// How many numbers there are.
pub(super) const COUNT: usize = 18;
