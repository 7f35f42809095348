//! What is kept on behalf of teams, and how much of it: their fragments and their pods' annotations.
//!
//! The rule kept here: a namespace has what `delegate` gives it, whatever its fragment, its pods and their number; when that is used up,
//! its records come to what they come to without the team.

use crate::config::model::{Delegate, MaxKeep, RuleFile};
use crate::diag::Code;
use crate::metrics::{Counters, FRAGMENT_TABLE, Metric};
use crate::moment::{LateClock, Moment};
use crate::pods::PodMeta;
use crate::policy::{Buckets, GcraRate};
use crate::tag_names::NamespaceId;
use crate::threshold::Probability;
use crate::time::parse_rfc3339;
use crate::yaml::{Rate, Unit, parse_rate};
use hashbrown::HashMap;
use std::fmt::Write as _;
use std::num::NonZeroU64;
use std::rc::Rc;

/// What all namespaces have had.
#[derive(Debug, Default)]
pub(super) struct Delegating {
    rate: Option<GcraRate>,
    budget: Option<u64>,
    accounts: HashMap<u64, Had>,
    /// Of those that came too late for one of their own.
    rest: Had,
    pods: HashMap<u64, Had>,
    /// Of those that came too late for one of their own.
    other_pods: Had,
    /// What the pod asks for of which the last record was.
    memo: Option<(Rc<PodMeta>, PodAsks)>,
    /// Whether something was spent since it was saved.
    pub(super) has_news: bool,
    pub(super) fragments: Vec<FragmentState>,
}

/// What has become of a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FragmentState {
    /// The namespace that it is about.
    pub namespace: Box<str>,
    /// Rules of it that are in force.
    pub rules: usize,
    /// What is first wrong with the one on disk, if that is refused.
    pub refused: Option<Code>,
}

/// What a namespace has had, or a pod of its own limit.
#[derive(Debug, Default)]
struct Had {
    buckets: Buckets,
    late: LateClock,
    /// When last, of a pod.
    last: u64,
    /// Days since 1970, and bytes of that day.
    day: u32,
    bytes: u64,
}

/// What a pod's annotations ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct PodAsks {
    pub(super) sample: Option<Probability>,
    pub(super) limit: Option<Rate>,
    /// Until when, in seconds since 1970.
    until: Option<i64>,
    /// Whether one of them could not be read.
    pub(super) is_refused: bool,
}

impl PodAsks {
    /// Reads `nodesieve.io/sample`, `/limit` and `/until`.
    pub(super) fn of(meta: &PodMeta) -> PodAsks {
        let mut asks = PodAsks::default();
        let Some(annotations) = &meta.of_pod.annotations else { return asks };
        for (key, value) in &annotations.0 {
            let Some(name) = key.strip_prefix("nodesieve.io/") else { continue };
            let value = value.trim();
            let is_read = match name {
                "sample" => {
                    asks.sample = Probability::parse(value);
                    asks.sample.is_some()
                }
                "limit" => {
                    asks.limit =
                        parse_rate(value).filter(|rate| rate.unit == Unit::Bytes || rate.per_second() <= 1e6);
                    asks.limit.is_some()
                }
                "until" => {
                    asks.until = parse_rfc3339(value);
                    asks.until.is_some()
                }
                _ => true,
            };
            asks.is_refused |= !is_read;
        }
        // An end that nobody can read has been.
        if asks.is_refused
            && asks.until.is_none()
            && annotations.0.iter().any(|(key, _)| key == "nodesieve.io/until")
        {
            asks.until = Some(0);
        }
        asks
    }

    /// Whether it asks for anything now.
    pub(super) fn is_on(&self, now: u64) -> bool {
        let now = i64::try_from(now / 1_000_000_000).unwrap_or(i64::MAX);
        (self.sample.is_some() || self.limit.is_some()) && self.until.is_none_or(|until| now < until)
    }
}

impl Delegating {
    /// Follows the rules in force; what was had stays.
    pub(super) fn put_in_force(&mut self, file: &RuleFile) {
        self.memo = None;
        let Some(delegate) = &file.delegate else {
            (self.rate, self.budget) = (None, None);
            return;
        };
        self.rate = match delegate.max_keep {
            MaxKeep::Rate(rate) => Some(gcra(&rate)),
            MaxKeep::All | MaxKeep::Share(_) => None,
        };
        self.budget = delegate.budget.map(NonZeroU64::get);
    }

    /// What a pod asks for.
    pub(super) fn asks(&mut self, meta: &Rc<PodMeta>, counters: &mut Counters) -> PodAsks {
        match &self.memo {
            Some((known, asks)) if Rc::ptr_eq(known, meta) => *asks,
            _ => {
                let asks = PodAsks::of(meta);
                counters.add(Metric::PodAsksRefused, u64::from(asks.is_refused));
                self.memo = Some((Rc::clone(meta), asks));
                asks
            }
        }
    }

    /// Whether a record of a namespace may be kept on behalf of its team.
    #[inline(never)]
    pub(super) fn has_room(&mut self, namespace: NamespaceId, bytes: u64, moment: &Moment) -> bool {
        let (rate, budget) = (self.rate, self.budget);
        let had = self.had(namespace);
        let today = day_of(moment);
        if budget.is_some_and(|budget| had.day == today && had.bytes >= budget) {
            return false;
        }
        let now = had.late.measure(moment);
        rate.is_none_or(|rate| had.buckets.of(moment).has_room(&rate, bytes, now))
    }

    /// One was: of so many bytes as it came, and as it went.
    #[inline(never)]
    pub(super) fn charge(&mut self, namespace: NamespaceId, (came, went): (u64, u64), moment: &Moment) {
        let (rate, budget) = (self.rate, self.budget);
        let had = self.had(namespace);
        if let Some(rate) = rate {
            let now = had.late.measure(moment);
            had.buckets.of(moment).owe(&rate, came, now);
        }
        if budget.is_some() {
            let today = day_of(moment);
            // A clock that goes back opens no new day.
            if had.day < today {
                (had.day, had.bytes) = (today, 0);
            }
            had.bytes = had.bytes.saturating_add(went);
            self.has_news = true;
        }
    }

    /// Whether a pod's own limit has room for a record, which it is charged with then.
    pub(super) fn pod_has_room(&mut self, pod: u64, rate: &Rate, bytes: u64, moment: &Moment) -> bool {
        let is_new = !self.pods.contains_key(&pod);
        if is_new && self.pods.len() >= MOST_PODS {
            self.pods.retain(|_, bucket| moment.now.saturating_sub(bucket.last) < IDLE);
        }
        let bucket = match is_new && self.pods.len() >= MOST_PODS {
            true => &mut self.other_pods,
            false => self.pods.entry(pod).or_default(),
        };
        bucket.last = moment.now;
        let now = bucket.late.measure(moment);
        bucket.buckets.of(moment).take(&gcra(rate), bytes, now)
    }

    fn had(&mut self, namespace: NamespaceId) -> &mut Had {
        if self.accounts.len() >= MOST_NAMESPACES && !self.accounts.contains_key(&namespace.0) {
            return &mut self.rest;
        }
        self.accounts.entry(namespace.0).or_default()
    }

    /// The metrics of fragments. Namespaces need no escapes; of a file that cannot be one, the name is not shown.
    pub(super) fn render(&self, out: &mut String) {
        if self.fragments.is_empty() {
            return;
        }
        let [valid, rules] = FRAGMENT_TABLE;
        let _ = writeln!(out, "# HELP {} {} {}\n# TYPE {} gauge", valid.0, valid.1, valid.2, valid.0);
        let named = |state: &FragmentState| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            if state.namespace.bytes().all(is_plain) { state.namespace.clone() } else { Box::from("?") }
        };
        for state in &self.fragments {
            let code = state.refused.map_or("", Code::name);
            let value = u8::from(state.refused.is_none());
            let _ = writeln!(out, "{}{{namespace=\"{}\",code=\"{code}\"}} {value}", valid.0, named(state));
        }
        let _ = writeln!(out, "# HELP {} {} {}\n# TYPE {} gauge", rules.0, rules.1, rules.2, rules.0);
        for state in &self.fragments {
            let _ = writeln!(out, "{}{{namespace=\"{}\"}} {}", rules.0, named(state), state.rules);
        }
    }

    /// What of budgets has to outlive the filter: namespace, day and bytes.
    pub(super) fn spent(&self) -> impl Iterator<Item = (NamespaceId, u32, u64)> {
        self.accounts
            .iter()
            .filter(|(_, had)| had.bytes > 0)
            .map(|(namespace, had)| (NamespaceId(*namespace), had.day, had.bytes))
    }

    /// Puts back what was spent.
    pub(super) fn put_spent(&mut self, namespace: NamespaceId, day: u32, bytes: u64) {
        let had = self.had(namespace);
        if day > had.day {
            (had.day, had.bytes) = (day, bytes);
        } else if day == had.day {
            had.bytes = had.bytes.saturating_add(bytes);
        }
    }
}

/// What a pod asks for at most, by what is delegated.
pub(super) fn limit_within(delegate: &Delegate, wanted: Rate) -> Rate {
    match delegate.max_keep {
        MaxKeep::Rate(most) if most.unit == wanted.unit && most.per_second() < wanted.per_second() => most,
        MaxKeep::All | MaxKeep::Share(_) | MaxKeep::Rate(_) => wanted,
    }
}

/// A rate whose burst is what it gives in a second.
fn gcra(rate: &Rate) -> GcraRate {
    GcraRate::new(rate, NonZeroU64::new(rate.per_second() as u64).unwrap_or(NonZeroU64::MIN))
}

fn day_of(moment: &Moment) -> u32 {
    u32::try_from(moment.now / 86_400_000_000_000).unwrap_or(u32::MAX)
}

/// Namespaces with an account of their own: a node has fewer.
const MOST_NAMESPACES: usize = 1024;
/// Pods with a limit of their own, and after what time, in nanoseconds, one that is silent makes room.
const MOST_PODS: usize = 4096;
const IDLE: u64 = 60_000_000_000;
