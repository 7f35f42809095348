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
    Received,
    Streaming,
    StreamEvents,
    Pods,
    Skipped,
    Shortened,
    Omitted,
    Files,
    FilesBytes,
    Written,
    Removed,
    Evicted,
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
        "since the last list that was taken or, while streaming, since the pods were last looked at as a whole; since the start while there is none",
    ),
    (
        StatusMetric::PollSeconds,
        "nodesieve_sidecar_poll_seconds",
        "seconds",
        "that the last list took to come",
    ),
    (StatusMetric::ListBytes, "nodesieve_sidecar_list_bytes", "bytes", "of the last list that was asked for"),
    (
        StatusMetric::Received,
        "nodesieve_sidecar_received_bytes_total",
        "bytes",
        "of lists that were taken and of events, as the kubelet has sent them",
    ),
    (
        StatusMetric::Streaming,
        "nodesieve_sidecar_streaming",
        "bool",
        "1 while the kubelet's Pods API tells each change; 0 while the kubelet is polled",
    ),
    (
        StatusMetric::StreamEvents,
        "nodesieve_sidecar_stream_events_total",
        "events",
        "that the Pods API has sent",
    ),
    (StatusMetric::Pods, "nodesieve_sidecar_pods", "pods", "that are known, those of one name together"),
    (
        StatusMetric::Skipped,
        "nodesieve_sidecar_pods_skipped",
        "pods",
        "of those that are known without a file: unreadable, without a usable name, or beyond `--max-total`",
    ),
    (
        StatusMetric::Shortened,
        "nodesieve_sidecar_pods_shortened",
        "pods",
        "without some of their annotations or labels, which are more than `--max-pod`, or than `--max-total` for all",
    ),
    (
        StatusMetric::Omitted,
        "nodesieve_sidecar_values_omitted",
        "values",
        "of labels and annotations of the last list that are no strings or longer than `--max-value`",
    ),
    (
        StatusMetric::Files,
        "nodesieve_sidecar_files",
        "files",
        "of pods in the list, and of those gone for less than `--grace`",
    ),
    (
        StatusMetric::FilesBytes,
        "nodesieve_sidecar_files_bytes",
        "bytes",
        "of these files when they were last looked at as a whole",
    ),
    (
        StatusMetric::Written,
        "nodesieve_sidecar_files_written_total",
        "files",
        "written because they were new or had changed",
    ),
    (
        StatusMetric::Removed,
        "nodesieve_sidecar_files_removed_total",
        "files",
        "removed, after `--grace` or for want of room",
    ),
    (
        StatusMetric::Evicted,
        "nodesieve_sidecar_files_evicted_total",
        "files",
        "of these, of pods that were gone, before `--grace` was over: all together had more than `--max-total`",
    ),
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

/// The same of streams.
pub const STREAMS_FAILED: (&str, &str, &str) = (
    "nodesieve_sidecar_streams_failed_total",
    "streams",
    "of the Pods API that did not begin or have ended, by kind; the kubelet is polled then",
);

/// How many numbers there are.
pub(super) const COUNT: usize = 23;
