//! The one pipeline, in reading order: bytes, record, guards, rules, verdict, metadata, bytes.
//!
//! A record that cannot be read is echoed and counted; only a rule (or `no_match: drop`) drops. The pod cache is
//! touched when a condition that needs metadata is reached or the record is kept: what an early rule drops costs no
//! look-up.

mod decide;
mod explain;
mod facts;

pub use explain::{Explained, Step, StepResult};

use crate::config::RuleFile;
use crate::config::model::{Action, Policy, Rule};
use crate::json::{self, Malformed, push_string};
use crate::metrics::{Counters, Metric, Stage};
use crate::pods::{Cache, Found, PodSource};
use crate::record::{Append, Names, RecordView, Shape, TRUNCATED};
use crate::stream::{Side, Streams};
use crate::swar;
use crate::tag::ContainerTag;
use crate::time::{EventTime, Now};
use facts::{Facts, Metadata};

/// One record as the host hands it over.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The tag.
    pub tag: &'a [u8],
    /// When the record says it happened.
    pub time: EventTime,
    /// The record as JSON text.
    pub text: &'a [u8],
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It ends here.
    Drop,
    /// It goes on as what was written to the output buffer.
    Keep,
    /// It goes on as it came: it could not be read.
    Echo,
}

/// What was decided and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Keep or drop.
    pub action: Action,
    /// What decided.
    pub why: Why,
}

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The guard of this position.
    Guard(usize),
    /// The rule of this position.
    Rule(usize),
    /// Neither; `defaults.no_match` did.
    NoMatch,
    /// A condition was unknown for want of metadata.
    Unknown,
    /// The record could not be read.
    Fault(Fault),
}

/// Why a record could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The record or its tag is not UTF-8.
    Utf8,
    /// The text is not one JSON object.
    Record,
    /// Its containers nest deeper than [`crate::json::MAX_DEPTH`].
    Depth,
}

/// The filter without its host.
#[derive(Debug)]
pub struct Engine {
    rules: RuleFile,
    names: Names,
    shape: Shape,
    /// The `nodesieve` object that a kept record of this rule carries, by position in guards and rules.
    annotations: Vec<Option<Vec<u8>>>,
    /// Where decisions are counted, by position in guards and rules, then the outcomes.
    rows: Vec<usize>,
    streams: Streams<Verdict>,
    cache: Cache,
    counters: Counters,
    random: fastrand::Rng,
}

impl Engine {
    /// A filter with these rules. `seed` starts the generator of random sampling.
    pub fn new(rules: RuleFile, seed: u64) -> Engine {
        let mut engine = Engine {
            names: names(&rules),
            shape: Shape::default(),
            annotations: Vec::new(),
            rows: Vec::new(),
            streams: Streams::new(),
            cache: Cache::new(rules.pods.cache),
            counters: Counters::default(),
            random: fastrand::Rng::with_seed(seed),
            rules,
        };
        engine.prepare();
        engine
    }

    /// Puts other rules in force. Counters go on; the pod cache starts anew only when what it holds would differ.
    pub fn replace_rules(&mut self, rules: RuleFile) {
        let same_metadata = rules.pods == self.rules.pods && rules.enrich == self.rules.enrich;
        if !same_metadata {
            self.cache = Cache::new(rules.pods.cache);
        }
        self.names = names(&rules);
        self.shape = Shape::default();
        // A trace that is being written stays whole: its lines keep their verdict, under the same name if there is one.
        let old = std::mem::replace(&mut self.rules, rules);
        let rules = &self.rules;
        let meets = |container: Option<ContainerTag<'_>>| decide::tag_meets(rules, container);
        let renamed = |verdict: Verdict| Verdict { why: same_name(&old, rules, verdict.why), ..verdict };
        self.streams.rejudge(&rules.input.tag_prefix, meets, renamed);
        self.prepare();
    }

    /// The rules in force.
    pub fn rules(&self) -> &RuleFile {
        &self.rules
    }

    /// The numbers so far, gauges as of the last record.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The numbers, for a face to count what only it can see.
    pub fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// Brings the gauges up to date and renders all numbers as Prometheus text.
    pub fn render_metrics(&mut self, version: &str) -> String {
        self.counters.set(Metric::PodsCached, self.cache.len() as u64);
        self.counters.set(Metric::TagsTracked, self.streams.len() as u64);
        self.counters.render(version)
    }

    /// Counts a record that a face had to answer without showing it to the engine; `fault` says why.
    pub fn count_untouched(&mut self, fault: Metric, bytes_in: usize, bytes_out: usize) {
        self.counters.add(fault, 1);
        self.count(Verdict { action: Action::Keep, why: Why::Fault(Fault::Record) }, bytes_in, bytes_out);
    }

    /// Decides one record. `out` holds the answer when it is [`Answer::Keep`], and is cleared in any case.
    #[inline]
    pub fn filter(
        &mut self,
        input: Input<'_>,
        now: Now,
        pods: &mut dyn PodSource,
        out: &mut Vec<u8>,
    ) -> (Answer, Verdict) {
        out.clear();
        match self.try_filter(input, now, pods, out) {
            Ok(verdict) => {
                let answer = if verdict.action == Action::Drop { Answer::Drop } else { Answer::Keep };
                self.count(verdict, input.text.len(), out.len());
                (answer, verdict)
            }
            Err(fault) => {
                let metric = match fault {
                    Fault::Utf8 => Metric::FaultUtf8,
                    Fault::Record => Metric::FaultRecord,
                    Fault::Depth => Metric::FaultDepth,
                };
                self.counters.add(metric, 1);
                out.clear();
                // A record that is only too deep may still hold numbers that would lose it on the way back.
                let mended = if fault == Fault::Depth { json::mend(input.text, out) } else { 0 };
                self.counters.add(Metric::NumbersMended, mended as u64);
                let answer = if mended > 0 { Answer::Keep } else { Answer::Echo };
                let verdict = Verdict { action: Action::Keep, why: Why::Fault(fault) };
                self.count(verdict, input.text.len(), if mended > 0 { out.len() } else { input.text.len() });
                (answer, verdict)
            }
        }
    }

    #[inline]
    fn try_filter(
        &mut self,
        input: Input<'_>,
        now: Now,
        pods: &mut dyn PodSource,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, Fault> {
        let Engine { rules, names, shape, annotations, streams, cache, counters, random, .. } = self;
        let record = read(input.text, names, shape)?;
        let line = record.line();
        let side = if record.stream() == Some(b"stderr") { Side::Err } else { Side::Out };
        let meets = |container: Option<ContainerTag<'_>>| decide::tag_meets(rules, container);
        let state = streams.tag(input.tag, &rules.input.tag_prefix, meets).ok_or(Fault::Utf8)?;
        let tag = state.name();
        let container = state.container(&tag);
        let mut metadata = Metadata::new(&tag, container, &rules.enrich, now, cache, pods);

        let continued = match (&line, rules.input.continuation) {
            (Some(line), Some(limits)) => state.continues(side, line, input.time, limits),
            _ => None,
        };
        let verdict = match continued {
            Some(verdict) => {
                counters.add(Metric::Continued, 1);
                verdict
            }
            None => {
                let facts = Facts::new(&record, line.as_ref(), container, input.time, now, &rules.input);
                let verdict = decide::decide(rules, &state.meets, &facts, &mut metadata, random);
                if let Some(line) = &line {
                    state.begin(side, line, input.time, verdict);
                }
                verdict
            }
        };

        if verdict.action == Action::Keep {
            let meta = metadata.get();
            let rendered =
                meta.as_ref().map(|meta| meta.rendered.as_slice()).filter(|object| *object != b"{}");
            let kubernetes = rendered.map(|value| Append { key: &rules.enrich.key, value });
            let annotation = position(rules, verdict.why).and_then(|at| annotations.get(at)?.as_deref());
            let annotation = annotation.map(|value| Append { key: ANNOTATION, value });
            let written = match (kubernetes, annotation) {
                (Some(first), Some(second)) => record.write(&[first, second], rules.input.max_record, out),
                (Some(one), None) | (None, Some(one)) => record.write(&[one], rules.input.max_record, out),
                (None, None) => record.write(&[], rules.input.max_record, out),
            };
            counters.add(Metric::KeysReplaced, u64::from(written.replaced));
            counters.add(Metric::NumbersMended, written.mended as u64);
            counters.add(Metric::Truncated, u64::from(written.truncated.is_some()));
            counters.add(
                match meta {
                    None => Metric::NoContainerTag,
                    Some(meta) if meta.known && verdict.why != Why::Unknown => Metric::Enriched,
                    Some(_) => Metric::MetadataMissing,
                },
                1,
            );
        }
        if let Some(found) = metadata.found() {
            let metric = match found {
                Found::Hit => Metric::PodHits,
                Found::Read => Metric::PodReads,
                Found::Stale => Metric::PodStale,
                Found::Missing => Metric::PodMissing,
                Found::Refused => Metric::PodRefused,
            };
            counters.add(metric, 1);
        }
        Ok(verdict)
    }

    #[inline]
    fn count(&mut self, verdict: Verdict, bytes_in: usize, bytes_out: usize) {
        let counters = &mut self.counters;
        counters.add(Metric::Seen, 1);
        counters.add(Metric::BytesIn, bytes_in as u64);
        let dropped = verdict.action == Action::Drop;
        if dropped {
            counters.add(Metric::Dropped, 1);
        } else {
            counters.add(Metric::Kept, 1);
            counters.add(Metric::BytesOut, bytes_out as u64);
        }
        let decided = self.rules.guards.len().wrapping_add(self.rules.rules.len());
        let at = match verdict.why {
            Why::Guard(_) | Why::Rule(_) => position(&self.rules, verdict.why).unwrap_or(decided),
            Why::NoMatch => decided,
            Why::Unknown => decided.wrapping_add(1),
            Why::Fault(_) => decided.wrapping_add(2),
        };
        if decide::sample_of(&self.rules, verdict.why).is_some() {
            counters.add(Metric::Sampled, 1);
        }
        if let Some(row) = self.rows.get(at) {
            counters.decide(*row, dropped.then_some(bytes_in));
        }
    }

    fn prepare(&mut self) {
        let Engine { rules, counters, .. } = self;
        let guards = rules.guards.iter().map(|rule| (rule, Stage::Guard));
        let all = guards.chain(rules.rules.iter().map(|rule| (rule, Stage::Rule)));
        let outcomes = OUTCOMES.into_iter().map(|name| (name, Stage::Outcome));
        self.annotations =
            all.clone().map(|(rule, _)| annotation(rules.annotate, &rule.name, &rule.policy)).collect();
        self.rows = all
            .map(|(rule, stage)| (&*rule.name, stage))
            .chain(outcomes)
            .map(|(name, stage)| counters.row(name, stage))
            .collect();
    }
}

/// What decided, by its place in other rules; a guard or rule that is not in them any more has decided as no rule.
fn same_name(old: &RuleFile, new: &RuleFile, why: Why) -> Why {
    let find = |old: &[Rule], new: &[Rule], at: usize| {
        let name = &old.get(at)?.name;
        new.iter().position(|rule| rule.name == *name)
    };
    match why {
        Why::Guard(at) => find(&old.guards, &new.guards, at).map_or(Why::NoMatch, Why::Guard),
        Why::Rule(at) => find(&old.rules, &new.rules, at).map_or(Why::NoMatch, Why::Rule),
        other => other,
    }
}

/// The position of what decided among guards and rules.
#[inline]
fn position(rules: &RuleFile, why: Why) -> Option<usize> {
    match why {
        Why::Guard(at) => Some(at),
        Why::Rule(at) => Some(rules.guards.len().wrapping_add(at)),
        Why::NoMatch | Why::Unknown | Why::Fault(_) => None,
    }
}

fn names(rules: &RuleFile) -> Names {
    let appended = [&*rules.enrich.key, ANNOTATION, TRUNCATED].map(Box::from).to_vec();
    Names::new(rules.input.message.clone(), appended)
}

fn annotation(annotate: bool, name: &str, policy: &Policy) -> Option<Vec<u8>> {
    let Policy::Sample(sample) = policy else { return None };
    if !annotate {
        return None;
    }
    let mut object = b"{\"rule\":".to_vec();
    push_string(&mut object, name.as_bytes());
    let rest = format!(",\"rate\":{},\"th\":\"{}\"}}", sample.rate.value(), sample.threshold.text());
    object.extend_from_slice(rest.as_bytes());
    Some(object)
}

/// The structure of a record that is UTF-8, checked many bytes at a time: the host escapes everything beyond ASCII unless
/// it is told not to.
#[inline]
fn read<'a>(text: &'a [u8], names: &Names, shape: &mut Shape) -> Result<RecordView<'a>, Fault> {
    if !swar::is_ascii(text) && std::str::from_utf8(text).is_err() {
        return Err(Fault::Utf8);
    }
    RecordView::read_shaped(text, names, shape).map_err(|reason| match reason {
        Malformed::Syntax => Fault::Record,
        Malformed::TooDeep => Fault::Depth,
    })
}

/// The key under which a kept record says which sampling it went through.
const ANNOTATION: &str = "nodesieve";
/// The rows of what no guard and no rule decides, in the order of [`Why`].
const OUTCOMES: [&str; 3] = ["none", "unknown", "fault"];

#[cfg(test)]
mod tests;
