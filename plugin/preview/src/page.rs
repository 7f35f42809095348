//! What the page in a browser asks for, as texts and numbers; its face only translates.
//!
//! The rule it keeps: nothing a person pastes is an error that ends the page. Rules that cannot be used leave those before
//! them in force, a text that is no pod list leaves the pods before it.

mod record_set;
mod wire;

pub use wire::{Added, DecisionRow, Detail, LoadedRules, Shown};

use crate::bundle::{Bundle, LoadedBundle};
use crate::explanation::explain;
use crate::findings::placed;
use crate::fleet::{Fleet, Quotas};
use crate::inputs::{Record, pasted};
use crate::money::Prices;
use crate::panel::{self, Rows};
use crate::pods::PodTable;
use crate::run::PreviewRun;
use crate::survey::Dimensions;
use nodesieve_engine::config::RuleFile;
use nodesieve_engine::config::model::{InputSettings, Policy, Rule};
use nodesieve_engine::engine::{Engine, OUTCOMES};
use nodesieve_engine::metrics::Stage;
use nodesieve_engine::record::{Names, RecordView};
use nodesieve_engine::severity::{self, Severity};
use nodesieve_engine::time::{EventTime, Now};
use record_set::RecordSet;
use std::ops::Range;
use std::rc::Rc;

/// Kept texts that are remembered for explanations, in bytes; beyond it the run is repeated up to the record that is asked for.
const MAX_REMEMBERED: usize = 128 << 20;
/// Ticks after which [`Page::advance`] comes back early: each is work too, and a gap between two records has up to an hour of them.
const MAX_TICKS: u64 = 20_000;
/// Longest message in a row of the list, in characters.
const MAX_MESSAGE: usize = 400;
/// The bit of a dropped record in its verdict.
const DROPPED: u16 = 1;

/// Everything behind the page.
#[derive(Debug)]
pub struct Page {
    rules: Rc<RuleFile>,
    records: RecordSet,
    pods: PodTable,
    prices: Prices,
    /// Nodes that the cost is scaled to; one is the node itself.
    nodes: u32,
    dimensions: Dimensions,
    /// Whether records or what the rules say of their form have changed since dimensions were found.
    is_stale: bool,
    run: PreviewRun,
    explainer: Engine,
    verdicts: Vec<u16>,
    /// Positions of the records that continue the line before them, ascending.
    continued: Vec<usize>,
    remembered: Vec<u8>,
    /// Where the text of each record ends in `remembered`.
    ends: Vec<usize>,
}

impl Default for Page {
    fn default() -> Page {
        let (rules, dimensions) = (Rc::new(RuleFile::default()), Dimensions::default());
        Page {
            run: PreviewRun::new(&rules, &dimensions),
            explainer: Engine::new(Rc::clone(&rules), 0),
            rules,
            records: RecordSet::default(),
            pods: PodTable::default(),
            prices: Prices::default(),
            nodes: 1,
            dimensions,
            is_stale: false,
            verdicts: Vec::new(),
            continued: Vec::new(),
            remembered: Vec::new(),
            ends: Vec::new(),
        }
    }
}

impl Page {
    /// Reads rules; when they can be used, the next run uses them.
    pub fn load(&mut self, source: &str) -> LoadedRules {
        let (usable, found) = match Bundle::of(source).load() {
            Ok(LoadedBundle { loaded, findings, refused: _ }) => {
                self.use_rules(loaded.rules);
                (true, loaded.warnings.into_iter().chain(findings).collect())
            }
            Err(mistakes) => (false, mistakes),
        };
        let place = |diagnostic| placed(diagnostic, source, "nodesieve.yaml");
        LoadedRules { usable, findings: found.iter().map(place).collect() }
    }

    /// Forgets all records.
    pub fn clear(&mut self) {
        self.records = RecordSet::default();
        self.begin_anew();
    }

    /// Adds the records of a text, as [`pasted`] reads it.
    pub fn add(&mut self, name: &str, content: &[u8]) -> Added {
        let found = pasted(name, content, &self.rules.input.tag_prefix);
        let records = found.records.len().saturating_add(found.untimed.len());
        let added = Added { records, format: found.format.name(), skipped: found.skipped };
        self.records.add(found);
        self.begin_anew();
        added
    }

    /// Takes a pod list; an empty text forgets the pods.
    ///
    /// # Errors
    /// What is wrong with a text that is no pod list; the pods before it stay.
    pub fn take_pods(&mut self, list: &[u8]) -> Result<usize, String> {
        self.pods = if list.is_empty() { PodTable::default() } else { PodTable::of(list)? };
        Ok(self.pods.len())
    }

    /// Dollars per GB, and how many nodes like this one there are.
    pub fn set_prices(&mut self, firehose_per_gb: f64, cloudwatch_per_gb: f64, nodes: u32) {
        self.nodes = nodes;
        self.prices = Prices::given(firehose_per_gb, cloudwatch_per_gb);
    }

    /// Begins a run and says how many records there are.
    pub fn start(&mut self) -> usize {
        if std::mem::take(&mut self.is_stale) {
            self.records.settle();
            let input = &self.rules.input;
            self.dimensions = Dimensions::of(self.records.records(), input);
            self.dimensions.trust_only(self.records.timed());
        }
        self.forget_run();
        self.explainer = Engine::new(Rc::clone(&self.rules), 0);
        self.records.records().len()
    }

    /// Takes so many more records, or fewer where gaps between them are long, and says how many are done. With the last one the
    /// run is complete.
    pub fn advance(&mut self, count: usize) -> usize {
        if self.is_stale {
            self.start();
        }
        let (from, ticks) = (self.run.done(), self.run.ticks());
        for record in self.records.records().iter().skip(from).take(count) {
            if self.run.ticks().saturating_sub(ticks) > MAX_TICKS {
                break;
            }
            let outcome = self.run.take(record, &self.dimensions, &mut self.pods);
            let row = u16::try_from(outcome.row).unwrap_or(u16::MAX >> 1).min(u16::MAX >> 1);
            let dropped = if outcome.text.is_none() { DROPPED } else { 0 };
            if outcome.is_continued {
                self.continued.push(self.verdicts.len());
            }
            self.verdicts.push(row.wrapping_shl(1) | dropped);
            if let Some(text) = outcome.text
                && self.remembered.len().saturating_add(text.len()) <= MAX_REMEMBERED
            {
                self.remembered.extend_from_slice(text);
                self.ends
                    .resize(self.run.done().saturating_sub(1), self.ends.last().copied().unwrap_or_default());
                self.ends.push(self.remembered.len());
            }
        }
        if self.run.done() >= self.records.records().len() {
            self.run.finish(&self.dimensions);
        }
        self.run.done()
    }

    /// What verdicts are about: guards, rules, then outcomes.
    pub fn rows(&self) -> Vec<DecisionRow> {
        let stages =
            [(Stage::Guard, &self.explainer.rules().guards), (Stage::Rule, &self.explainer.rules().rules)];
        let decided = stages.into_iter().flat_map(|(stage, rules)| {
            rules.iter().map(move |rule| DecisionRow {
                name: rule.name.to_string(),
                stage: stage.name(),
                policy_kind: policy_kind(rule),
                meaning: None,
            })
        });
        let outcome = |name: &str| DecisionRow {
            name: name.into(),
            stage: Stage::Outcome.name(),
            policy_kind: None,
            meaning: Some(panel::meaning(name)),
        };
        decided.chain(OUTCOMES.map(outcome)).collect()
    }

    /// For each record from `from` on: its row twice, and one more when it is dropped.
    pub fn verdicts(&self, from: usize) -> &[u16] {
        self.verdicts.get(from..).unwrap_or_default()
    }

    /// The volume so far.
    pub fn panel(&mut self) -> String {
        let (ledger, imbalances) = self.run.ledger(self.prices);
        let breakdown = self.run.breakdown(&self.dimensions);
        // Before the end of a run drops that no summary has yet are no imbalance.
        let wrong = if self.run.done() >= self.records.records().len() { imbalances } else { Vec::new() };
        let fleet = (self.nodes > 1).then(|| Fleet::of(self.nodes, &ledger, Quotas::default())).flatten();
        let mut shown = panel::volume(&ledger, &breakdown, &wrong, Rows::Buttons, fleet.as_ref());
        shown.push_str(&panel::measured(&self.run.measured()));
        shown
    }

    /// Records as rows of the list.
    pub fn lines(&self, indexes: &[u32]) -> Vec<Shown> {
        let names = Names::new(self.rules.input.message.clone(), Vec::new(), Vec::new());
        let records =
            indexes.iter().filter_map(|&index| self.records.records().get(usize::try_from(index).ok()?));
        let day = |record: Option<&Record>| record.map(|record| record.time.0 / 86_400);
        let is_one_day = day(self.records.records().first()) == day(self.records.records().last());
        let time = if is_one_day { 11..23 } else { 5..23 };
        records.map(|record| shown(record, &names, &self.rules.input, time.clone())).collect()
    }

    /// Everything about a record that this run has taken.
    pub fn detail(&mut self, index: usize) -> Option<Detail> {
        let record = self.records.records().get(index)?;
        let verdict = *self.verdicts.get(index)?;
        let is_dropped = verdict & DROPPED == DROPPED;
        let answer = if is_dropped { None } else { Some(self.answer(index)) };
        // The run's clock does not go back where a record's time does.
        let before = self.records.records().iter().take(index.saturating_add(1));
        let now = Now(before.map(Record::nanoseconds).max().unwrap_or_default());
        let explanation = explain(&mut self.explainer, record, now, &mut self.pods);
        Some(Detail {
            tag: record.tag.clone(),
            time: EventTime { sec: record.time.0, nsec: record.time.1 }.to_rfc3339(),
            record: record.text.clone(),
            action: if is_dropped { "drop" } else { "keep" },
            row: usize::from(verdict.wrapping_shr(1)),
            answer,
            is_continued: self.continued.binary_search(&index).is_ok(),
            explanation,
        })
    }

    /// Positions of the records that show `text`, in either case: in the line, in namespace/pod/container as the list has it, or, where
    /// no line is found, anywhere in the record.
    pub fn search(&self, text: &str) -> Vec<u32> {
        let wanted = text.to_lowercase();
        let input = &self.rules.input;
        let names = Names::new(input.message.clone(), Vec::new(), Vec::new());
        let holds = |text: &str| text.to_lowercase().contains(&wanted);
        let found = self.records.records().iter().enumerate().filter(|(_, record)| {
            let view = RecordView::read(record.text.as_bytes(), &names).ok();
            let is_in_text = match view.as_ref().and_then(RecordView::line) {
                Some(line) => holds(&String::from_utf8_lossy(line.text())),
                None => holds(&record.text),
            };
            is_in_text
                || match input.container_of(&record.tag) {
                    Some(tag) => holds(&format!("{}/{}/{}", tag.namespace, tag.pod, tag.container)),
                    None => holds(&record.tag),
                }
        });
        found.filter_map(|(index, _)| u32::try_from(index).ok()).collect()
    }

    /// The numbers so far, and where they do not add up.
    pub fn ledger(&mut self) -> (crate::ledger::Ledger, Vec<String>) {
        self.run.ledger(self.prices)
    }

    /// Ends the run under way: it is about other records.
    fn begin_anew(&mut self) {
        self.is_stale = true;
        self.dimensions = Dimensions::default();
        self.forget_run();
    }

    fn forget_run(&mut self) {
        self.run = PreviewRun::new(&self.rules, &self.dimensions);
        self.verdicts.clear();
        self.continued.clear();
        self.remembered.clear();
        self.ends.clear();
    }

    fn use_rules(&mut self, rules: Rc<RuleFile>) {
        let (old, new) = (&self.rules.input, &rules.input);
        if old.tag_prefix != new.tag_prefix {
            self.records.rename(&old.tag_prefix, &new.tag_prefix);
        }
        let same_tags = old.tag_prefix == new.tag_prefix && old.tag_regex == new.tag_regex;
        self.is_stale |= !same_tags || old.message != new.message;
        self.rules = rules;
    }

    /// The text of a kept record.
    fn answer(&self, index: usize) -> String {
        let end = self.ends.get(index).copied();
        let start = index.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        let remembered = start.zip(end).and_then(|(start, end)| self.remembered.get(start..end));
        if let Some(text) = remembered.filter(|text| !text.is_empty()) {
            return String::from_utf8_lossy(text).into_owned();
        }
        let rules = Rc::new(self.explainer.rules().clone());
        let mut again = PreviewRun::new(&rules, &self.dimensions);
        let mut pods = self.pods.clone();
        let mut answer = String::new();
        for (at, record) in self.records.records().iter().enumerate().take(index.saturating_add(1)) {
            let outcome = again.take(record, &self.dimensions, &mut pods);
            if at == index {
                answer = String::from_utf8_lossy(outcome.text.unwrap_or_default()).into_owned();
            }
        }
        answer
    }
}

fn policy_kind(rule: &Rule) -> Option<&'static str> {
    match &rule.policy {
        Policy::Keep(_) | Policy::Drop(_) => None,
        policy => Some(policy.kind().name()),
    }
}

fn shown(record: &Record, names: &Names, input: &InputSettings, part: Range<usize>) -> Shown {
    let view = RecordView::read(record.text.as_bytes(), names).ok();
    let line = view.as_ref().and_then(RecordView::line);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let tag = input.container_of(&record.tag);
    let time = EventTime { sec: record.time.0, nsec: record.time.1 }.to_rfc3339();
    let reading = || line.as_ref().and_then(severity::read);
    let severity = view.as_ref().and_then(|view| view.severity(line.as_ref(), &input.severity, reading));
    let whole = line.as_ref().map_or_else(|| record.text.clone(), |line| text(line.text()));
    Shown {
        time: time.get(part).unwrap_or(&time).replace('T', " "),
        namespace: tag.map_or_else(String::new, |tag| tag.namespace.to_owned()),
        pod: tag.map_or_else(String::new, |tag| tag.pod.to_owned()),
        container: tag.map_or_else(String::new, |tag| tag.container.to_owned()),
        stream: view.as_ref().and_then(RecordView::stream).map_or_else(String::new, text),
        severity: severity.map(Severity::name),
        message: whole.chars().take(MAX_MESSAGE).collect(),
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
