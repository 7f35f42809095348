//! What a rule file means. Every value here is valid; the defaults are those of the empty file.

pub use crate::condition::{AgeTest, Condition, SeverityTest, When};
pub use crate::config::delegate::{Delegate, MaxKeep, Owner};
pub use crate::input::{Continuation, InputSettings, TRACE_IDS, TagRegex, TagRegexError};
pub use crate::key::{Key, Part};
pub use crate::measure::{Label, LabelOf, Measure, Measured, Shown, ValueAt, Volume};
pub use crate::policy::{
    Action, Budget, Ceiling, Dedup, Drop, First, Floor, Keep, Lift, LiftBy, Limit, Policy, PolicyKind,
    Recall, Role, Sample, Target,
};
pub use crate::redact::{Redact, With};
pub use crate::tap::Tap;
pub use crate::yaml::{Rate, Unit};

use crate::pods::{CacheSettings, EnrichFields, Enrichment, Selection};
use crate::record::Merge;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

/// A rule file.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleFile {
    /// How records are read.
    pub input: InputSettings,
    /// Where metadata comes from.
    pub pods: PodSettings,
    /// What goes onto kept records.
    pub enrich: Enrichment,
    /// Whether and how lines that are JSON objects are merged into kept records.
    pub merge_log: Option<Merge>,
    /// Where the filter's own numbers go.
    pub metrics: MetricsSettings,
    /// Where unreported counts, budgets and the last good rule file are kept; `None` keeps them nowhere.
    pub state_dir: Option<String>,
    /// Whether `fluentbit.io/exclude` annotations drop records.
    pub exclude_annotations: bool,
    /// How often a summary is sent; `None` never.
    pub summary: Option<Duration>,
    /// Most keys of one rule.
    pub max_keys: usize,
    /// What becomes of a record that no guard and no rule decides.
    pub no_match: Action,
    /// What bounds the records that no guard and no rule decides: a rule behind all others, with a ceiling and without a
    /// condition. `None` bounds nothing.
    pub ceiling: Option<Rc<Rule>>,
    /// Whether a record says which sampling it went through.
    pub annotate: bool,
    /// What is redacted on kept records, in order.
    pub redacts: Vec<Rc<Redact>>,
    /// Where the seed of `with: hash` is.
    pub redact_seed: Option<String>,
    /// What is measured of records, whatever rules decide.
    pub measures: Vec<Rc<Measure>>,
    /// What is counted of each namespace; `None` nothing.
    pub volume: Option<Volume>,
    /// What a tap may; `None`: nobody can look.
    pub tap: Option<Tap>,
    /// What teams may decide for themselves; `None`: nothing.
    pub delegate: Option<Delegate>,
    /// The namespaces of their fragments, each with the places of its rules.
    pub fragments: Vec<(Box<str>, Range<usize>)>,
    /// Guards, in order.
    pub guards: Vec<Rc<Rule>>,
    /// Rules, in order.
    pub rules: Vec<Rc<Rule>>,
}

/// Where metadata comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSettings {
    /// Directory of the pod files.
    pub dir: String,
    /// How long what is believed.
    pub cache: CacheSettings,
}

/// Where the filter's own numbers go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsSettings {
    /// The file.
    pub file: String,
    /// How often it is written.
    pub every: Duration,
}

/// A guard or a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name, unique in the file.
    pub name: Box<str>,
    /// When it decides.
    pub when: When,
    /// What it decides. A guard keeps, under its ceiling if it has one.
    pub policy: Policy,
    /// What is kept although the policy would not.
    pub floor: Option<Floor>,
    /// Of a guard, what else is kept for a while once it has met a record.
    pub lift: Option<Lift>,
    /// Of a guard, which dropped lines come back with a record that it meets.
    pub recall: Option<Recall>,
    /// Whether it only counts what it would do.
    pub shadow: bool,
    /// When it stops deciding, in seconds since 1970.
    pub until: Option<i64>,
    /// Why it is there.
    pub reason: Option<String>,
    /// Whose it is.
    pub owner: Owner,
}

impl Rule {
    /// Whether another rule decides the same: name, conditions and policy, whatever its `until` and `reason`.
    pub fn decides_as(&self, other: &Rule) -> bool {
        let Rule { name, when, policy, floor, lift, recall, shadow, until: _, reason: _, owner: _ } = self;
        *name == other.name
            && *when == other.when
            && *policy == other.policy
            && *floor == other.floor
            && *lift == other.lift
            && *recall == other.recall
            && *shadow == other.shadow
    }
}

impl RuleFile {
    /// The ceiling of what no guard and no rule decides, as the last rule that a record meets.
    pub(crate) fn last_resort(ceiling: Ceiling) -> Rc<Rule> {
        Rc::new(Rule {
            name: NO_RULE.into(),
            when: When::default(),
            policy: Policy::Ceiling(ceiling),
            floor: None,
            lift: None,
            recall: None,
            shadow: false,
            until: None,
            reason: None,
            owner: Owner::Platform,
        })
    }

    /// All guards, then all rules: the order in which a record meets them.
    pub fn all(&self) -> impl Iterator<Item = &Rc<Rule>> + Clone {
        self.guards.iter().chain(&self.rules)
    }
}

/// The name under which reports count what no guard and no rule decides. No rule can have it.
pub(crate) const NO_RULE: &str = "none";

impl Default for RuleFile {
    fn default() -> RuleFile {
        RuleFile {
            input: InputSettings::default(),
            pods: PodSettings::default(),
            // The built-in filter's keys, but for what only tools write, at length.
            enrich: Enrichment {
                fields: EnrichFields::Lean,
                annotations: Selection::None,
                ..Enrichment::all()
            },
            merge_log: None,
            metrics: MetricsSettings {
                file: "/run/nodesieve/metrics.prom".into(),
                every: Duration::from_secs(10),
            },
            state_dir: Some("/var/lib/nodesieve/filter".into()),
            exclude_annotations: false,
            summary: Some(Duration::from_secs(60)),
            max_keys: 4096,
            no_match: Action::Keep,
            ceiling: None,
            annotate: true,
            redacts: Vec::new(),
            redact_seed: None,
            measures: Vec::new(),
            volume: None,
            tap: None,
            delegate: None,
            fragments: Vec::new(),
            guards: Vec::new(),
            rules: Vec::new(),
        }
    }
}

impl Default for PodSettings {
    fn default() -> PodSettings {
        PodSettings {
            dir: "/run/nodesieve/pods".into(),
            cache: CacheSettings {
                ttl: Duration::from_secs(60),
                stale: Duration::from_secs(600),
                missing_ttl: Duration::from_secs(2),
                capacity: NonZeroUsize::new(1024).unwrap_or(NonZeroUsize::MIN),
                max_bytes: 16 << 20,
            },
        }
    }
}
