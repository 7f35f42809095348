//! What a rule file means. Every value here is valid; the defaults are those of the empty file.

mod policy;

pub use policy::{
    Budget, Dedup, First, Floor, Key, Limit, Part, Policy, PolicyKind, Rate, Sample, Target, Unit,
};

use crate::glob::Globs;
use crate::path::Path;
use crate::pattern::Pattern;
use crate::pods::{CacheSettings, Enrichment};
use crate::selector::Selector;
use crate::severity::Severity;
use crate::template;
use std::num::NonZeroUsize;
use std::time::Duration;

/// A rule file.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleFile {
    /// How records are read.
    pub input: Input,
    /// Where metadata comes from.
    pub pods: Pods,
    /// What goes onto kept records.
    pub enrich: Enrichment,
    /// Where the filter's own numbers go.
    pub metrics: Metrics,
    /// Where open counts, budgets and the last good rule file are kept; `None` keeps them nowhere.
    pub state_dir: Option<String>,
    /// Whether `fluentbit.io/exclude` annotations drop records.
    pub exclude_annotations: bool,
    /// How often a summary is sent; `None` never.
    pub summary: Option<Duration>,
    /// Most keys of one rule.
    pub max_keys: usize,
    /// What becomes of a record that no guard and no rule decides.
    pub no_match: Action,
    /// Whether a record says which sampling it went through.
    pub annotate: bool,
    /// Guards, in order.
    pub guards: Vec<Rule>,
    /// Rules, in order.
    pub rules: Vec<Rule>,
}

/// How records are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What a container's tag starts with.
    pub tag_prefix: String,
    /// Fields that may hold the line.
    pub message: Vec<Box<str>>,
    /// Fields that may hold a trace id, in the line or the record.
    pub trace_id: Vec<Path>,
    /// Further fields that may hold a level, asked before the known ones.
    pub severity: Vec<Path>,
    /// Fields of a line's JSON that may hold its message, the first that holds a string.
    pub message_keys: Vec<Box<str>>,
    /// Which lines go with the one before; `None` when each is judged by itself.
    pub continuation: Option<Continuation>,
    /// Largest answer, in bytes.
    pub max_record: usize,
}

/// How far a continuation reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Continuation {
    /// In event time, from the line before.
    pub within: Duration,
    /// In lines, from the first.
    pub lines: u32,
}

/// Where metadata comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pods {
    /// Directory of the pod files.
    pub dir: String,
    /// How long what is believed.
    pub cache: CacheSettings,
}

/// Where the filter's own numbers go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// The file.
    pub file: String,
    /// How often it is written.
    pub every: Duration,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes on.
    Keep,
    /// It ends here.
    Drop,
}

/// A guard or a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name, unique in the file.
    pub name: Box<str>,
    /// When it decides.
    pub when: When,
    /// What it decides. Guards keep.
    pub policy: Policy,
    /// What is kept although the policy would not.
    pub floor: Option<Floor>,
    /// Of a guard: how much it keeps before it thins out.
    pub ceiling: Option<Limit>,
    /// Whether it only counts what it would do.
    pub shadow: bool,
    /// When it stops deciding, in seconds since 1970.
    pub until: Option<i64>,
    /// Why it is there.
    pub reason: Option<String>,
}

impl Rule {
    /// Whether another rule decides the same: name, conditions and policy, whatever its `until` and `reason`.
    pub fn decides_as(&self, other: &Rule) -> bool {
        let Rule { name, when, policy, floor, ceiling, shadow, until: _, reason: _ } = self;
        *name == other.name
            && *when == other.when
            && *policy == other.policy
            && *floor == other.floor
            && *ceiling == other.ceiling
            && *shadow == other.shadow
    }
}

/// Conditions; all that are there must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct When {
    /// The tag's namespace.
    pub namespace: Option<Globs>,
    /// The tag's pod.
    pub pod: Option<Globs>,
    /// The tag's container.
    pub container: Option<Globs>,
    /// The record's stream.
    pub stream: Option<Box<str>>,
    /// The line's severity.
    pub severity: Option<SeverityTest>,
    /// The line.
    pub message: Option<Pattern>,
    /// The record with its metadata; unknown where that is missing.
    pub record: Option<Pattern>,
    /// The pod's labels; unknown without metadata.
    pub labels: Option<Selector>,
    /// The pod's annotations; unknown without metadata.
    pub annotations: Option<Selector>,
    /// What owns the pod; unknown without metadata.
    pub workload: Option<Globs>,
    /// How long the container had run when the record was written; unknown without metadata.
    pub container_age: Option<AgeTest>,
}

/// A comparison of two ordered values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `=`, or no sign
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    More,
}

impl Comparison {
    /// Whether `left` compares to `right` as asked.
    pub fn holds<T: Ord>(self, left: T, right: T) -> bool {
        match self {
            Comparison::Less => left < right,
            Comparison::AtMost => left <= right,
            Comparison::Equal => left == right,
            Comparison::AtLeast => left >= right,
            Comparison::More => left > right,
        }
    }
}

/// What a line's severity must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeverityTest {
    /// Compared with a level; an unknown severity never holds.
    Compared(Comparison, Severity),
    /// Unknown.
    Unknown,
}

/// How old a container must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeTest {
    /// The comparison.
    pub comparison: Comparison,
    /// The age.
    pub age: Duration,
}

impl Default for RuleFile {
    fn default() -> RuleFile {
        RuleFile {
            input: Input::default(),
            pods: Pods::default(),
            enrich: Enrichment::all(),
            metrics: Metrics { file: "/run/nodesieve/metrics.prom".into(), every: Duration::from_secs(10) },
            state_dir: Some("/var/lib/nodesieve".into()),
            exclude_annotations: false,
            summary: Some(Duration::from_secs(60)),
            max_keys: 4096,
            no_match: Action::Keep,
            annotate: true,
            guards: Vec::new(),
            rules: Vec::new(),
        }
    }
}

impl Default for Input {
    fn default() -> Input {
        Input {
            tag_prefix: "kube.var.log.containers.".into(),
            message: ["log", "message"].map(Box::from).to_vec(),
            trace_id: TRACE_IDS.iter().filter_map(|name| Path::parse(name)).collect(),
            severity: Vec::new(),
            message_keys: template::MESSAGE_KEYS.map(Box::from).to_vec(),
            continuation: Some(Continuation { within: Duration::from_secs(5), lines: 500 }),
            max_record: 1_000_000,
        }
    }
}

impl Default for Pods {
    fn default() -> Pods {
        Pods {
            dir: "/run/nodesieve/pods".into(),
            cache: CacheSettings {
                ttl: Duration::from_secs(60),
                stale: Duration::from_secs(600),
                missing_ttl: Duration::from_secs(2),
                capacity: NonZeroUsize::new(1024).unwrap_or(NonZeroUsize::MIN),
            },
        }
    }
}

/// Where trace ids stand by default: W3C's and X-Ray's names, Datadog's, ECS' and Google's.
pub const TRACE_IDS: [&str; 9] = [
    "trace_id",
    "traceId",
    "traceID",
    "traceparent",
    "xray_trace_id",
    "dd.trace_id",
    "dd_trace_id",
    "trace.id",
    "logging.googleapis.com/trace",
];
