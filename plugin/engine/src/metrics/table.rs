//! Every number's name, unit and meaning.

/// A number without labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "TABLE says what each means")]
pub enum Metric {
    Seen,
    Kept,
    Dropped,
    BytesIn,
    BytesOut,
    Sampled,
    Counted,
    Summarised,
    Open,
    Restored,
    Summaries,
    Late,
    Continued,
    Enriched,
    MetadataMissing,
    NoContainerTag,
    Truncated,
    NumbersMended,
    KeysReplaced,
    FaultNull,
    FaultUtf8,
    FaultRecord,
    FaultDepth,
    FaultUnfinished,
    PodReads,
    PodHits,
    PodStale,
    PodMissing,
    PodRefused,
    Reloads,
    ReloadsRefused,
    MetricsFailed,
    StateFailed,
    Ticks,
    PodsCached,
    TagsTracked,
    KeysTracked,
    RulesExpired,
    ConfigValid,
    LastGood,
    StateShared,
    TickSeen,
    PassThrough,
}

/// Whether a number only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It grows until the filter restarts.
    Counter,
    /// It is what is now.
    Gauge,
}

/// A row of [`TABLE`]: metric, name in the metrics file, kind, unit, meaning.
pub type Row = (Metric, &'static str, Kind, &'static str, &'static str);

/// Every number without labels.
pub const TABLE: [Row; COUNT] = [
    (
        Metric::Seen,
        "nodesieve_records_seen_total",
        Kind::Counter,
        "records",
        "handed over by Fluent Bit, ticks excluded",
    ),
    (Metric::Kept, "nodesieve_records_kept_total", Kind::Counter, "records", "handed back"),
    (
        Metric::Dropped,
        "nodesieve_records_dropped_total",
        Kind::Counter,
        "records",
        "dropped by a rule, a ceiling, an annotation or no_match",
    ),
    (Metric::BytesIn, "nodesieve_bytes_in_total", Kind::Counter, "bytes", "JSON text of the records seen"),
    (Metric::BytesOut, "nodesieve_bytes_out_total", Kind::Counter, "bytes", "JSON text of the records kept"),
    (
        Metric::Sampled,
        "nodesieve_records_sampled_total",
        Kind::Counter,
        "records",
        "decided by a sample policy",
    ),
    (
        Metric::Counted,
        "nodesieve_records_counted_total",
        Kind::Counter,
        "records",
        "dropped, and reported in the count of a later record",
    ),
    (
        Metric::Summarised,
        "nodesieve_records_summarised_total",
        Kind::Counter,
        "records",
        "dropped, and reported in a summary",
    ),
    (
        Metric::Open,
        "nodesieve_records_open",
        Kind::Gauge,
        "records",
        "dropped and not reported yet: dropped + restored = counted + summarised + open",
    ),
    (
        Metric::Restored,
        "nodesieve_records_restored_total",
        Kind::Counter,
        "records",
        "dropped before the last start and not reported then",
    ),
    (
        Metric::Summaries,
        "nodesieve_summaries_total",
        Kind::Counter,
        "records",
        "of our own that sum up what was dropped",
    ),
    (
        Metric::Late,
        "nodesieve_records_late_total",
        Kind::Counter,
        "records",
        "that came more than 60 s after they happened: limits measure them by their own time",
    ),
    (
        Metric::Continued,
        "nodesieve_records_continued_total",
        Kind::Counter,
        "records",
        "decided with the line before them",
    ),
    (
        Metric::Enriched,
        "nodesieve_records_enriched_total",
        Kind::Counter,
        "records",
        "kept with metadata from a pod file",
    ),
    (
        Metric::MetadataMissing,
        "nodesieve_records_metadata_missing_total",
        Kind::Counter,
        "records",
        "kept with the tag's keys only, or because a condition was unknown",
    ),
    (
        Metric::NoContainerTag,
        "nodesieve_records_no_container_tag_total",
        Kind::Counter,
        "records",
        "kept without metadata because the tag names no container",
    ),
    (
        Metric::Truncated,
        "nodesieve_records_truncated_total",
        Kind::Counter,
        "records",
        "cut to input.max_record",
    ),
    (
        Metric::NumbersMended,
        "nodesieve_numbers_mended_total",
        Kind::Counter,
        "numbers",
        "turned into strings because Fluent Bit cannot read them back",
    ),
    (
        Metric::KeysReplaced,
        "nodesieve_keys_replaced_total",
        Kind::Counter,
        "records",
        "that had a key of ours already",
    ),
    (
        Metric::FaultNull,
        "nodesieve_fault_null_total",
        Kind::Counter,
        "records",
        "that did not fit into the guest's memory; a marker went on in their place",
    ),
    (
        Metric::FaultUtf8,
        "nodesieve_fault_utf8_total",
        Kind::Counter,
        "records",
        "passed on untouched: not UTF-8",
    ),
    (
        Metric::FaultRecord,
        "nodesieve_fault_record_total",
        Kind::Counter,
        "records",
        "passed on untouched: not one JSON object",
    ),
    (
        Metric::FaultDepth,
        "nodesieve_fault_depth_total",
        Kind::Counter,
        "records",
        "passed on untouched: nested too deep",
    ),
    (
        Metric::FaultUnfinished,
        "nodesieve_fault_unfinished_total",
        Kind::Counter,
        "records",
        "passed on untouched because an earlier call never returned",
    ),
    (
        Metric::PodReads,
        "nodesieve_pod_reads_total",
        Kind::Counter,
        "lookups",
        "answered by reading a pod file",
    ),
    (Metric::PodHits, "nodesieve_pod_hits_total", Kind::Counter, "lookups", "answered from the cache"),
    (
        Metric::PodStale,
        "nodesieve_pod_stale_total",
        Kind::Counter,
        "lookups",
        "answered with what was known before the file went away",
    ),
    (Metric::PodMissing, "nodesieve_pod_missing_total", Kind::Counter, "lookups", "without a pod file"),
    (
        Metric::PodRefused,
        "nodesieve_pod_refused_total",
        Kind::Counter,
        "lookups",
        "with a pod file that could not be read",
    ),
    (
        Metric::Reloads,
        "nodesieve_reloads_total",
        Kind::Counter,
        "reloads",
        "of the rule file that took effect",
    ),
    (
        Metric::ReloadsRefused,
        "nodesieve_reloads_refused_total",
        Kind::Counter,
        "reloads",
        "refused because of mistakes in the file",
    ),
    (
        Metric::MetricsFailed,
        "nodesieve_metrics_write_failed_total",
        Kind::Counter,
        "writes",
        "of the metrics file that failed",
    ),
    (
        Metric::StateFailed,
        "nodesieve_state_failed_total",
        Kind::Counter,
        "files",
        "of state.dir that could not be written or read",
    ),
    (Metric::Ticks, "nodesieve_ticks_total", Kind::Counter, "records", "of the tick input"),
    (Metric::PodsCached, "nodesieve_pods_cached", Kind::Gauge, "containers", "in the pod cache"),
    (Metric::TagsTracked, "nodesieve_tags_tracked", Kind::Gauge, "tags", "whose last line is remembered"),
    (
        Metric::KeysTracked,
        "nodesieve_keys_tracked",
        Kind::Gauge,
        "keys",
        "that have a state of their own, of all rules",
    ),
    (
        Metric::RulesExpired,
        "nodesieve_rules_expired",
        Kind::Gauge,
        "rules",
        "whose until is over: they decide nothing",
    ),
    (
        Metric::ConfigValid,
        "nodesieve_config_valid",
        Kind::Gauge,
        "bool",
        "1 when the rule file on disk is in force, 0 when it is missing or was refused",
    ),
    (
        Metric::LastGood,
        "nodesieve_last_good_rules",
        Kind::Gauge,
        "bool",
        "1 when the rule file was refused at the start and the last good one is in force",
    ),
    (
        Metric::StateShared,
        "nodesieve_state_shared",
        Kind::Gauge,
        "bool",
        "1 when another filter keeps its state in state.dir: this one keeps none",
    ),
    (
        Metric::TickSeen,
        "nodesieve_tick_seen",
        Kind::Gauge,
        "bool",
        "0 when no tick input feeds the filter: chores then ride on ordinary records, and there are no summaries",
    ),
    (
        Metric::PassThrough,
        "nodesieve_pass_through",
        Kind::Gauge,
        "bool",
        "1 after a call that never returned: records pass untouched",
    ),
];

/// The numbers of every guard, rule and outcome without a rule, with labels `rule` and `stage`.
pub const RULE_TABLE: [(&str, &str, &str); 4] = [
    ("nodesieve_rule_matched_total", "records", "decided here"),
    ("nodesieve_rule_kept_total", "records", "decided here and kept"),
    ("nodesieve_rule_dropped_total", "records", "decided here and dropped"),
    ("nodesieve_rule_dropped_bytes_total", "bytes", "JSON text of the records dropped here"),
];

/// What the rules in shadow mode would do, with label `rule`. Outside all totals.
pub const SHADOW_TABLE: [(&str, &str, &str); 3] = [
    ("nodesieve_shadow_matched_total", "records", "that a rule in shadow mode would decide"),
    ("nodesieve_shadow_dropped_total", "records", "that it would drop"),
    ("nodesieve_shadow_dropped_bytes_total", "bytes", "JSON text of the records that it would drop"),
];

/// How many numbers without labels there are.
pub(super) const COUNT: usize = 43;
