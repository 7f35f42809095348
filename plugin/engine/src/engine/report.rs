//! What an engine says of itself: its rules, its numbers, and the gauges among them.
//!
//! The rule kept here: nothing is decided here, and whoever asks changes nothing but gauges.

use super::{Engine, FragmentState};
use crate::config::RuleFile;
use crate::engine::applies::is_over;
use crate::metrics::{Counters, Metric, TABLE};
use crate::redact::Seed;
use crate::time::Now;
use crate::unreported::Unreported;

impl Engine {
    /// The rules in force.
    pub fn rules(&self) -> &RuleFile {
        &self.file
    }

    /// A number of this engine's own, under which its summaries go.
    pub fn instance(&self) -> u64 {
        self.summaries.instance
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
    #[inline(never)]
    pub fn render_metrics(&mut self, version: &str, now: Now) -> String {
        self.refresh_gauges(now);
        let mut text = self.counters.render(version);
        // A host that keeps nothing never asks for what is to be saved, and is shown all there is.
        let is_saved = self.file.state_dir.is_some() && self.series_saved.is_some();
        self.measuring.render(is_saved, &mut text);
        self.volumes.render(is_saved, &mut text);
        self.redacting.render(&mut text);
        self.delegating.render(&mut text);
        text
    }

    /// Which fragments there are, for their metrics.
    pub fn note_fragments(&mut self, fragments: Vec<FragmentState>) {
        self.delegating.fragments = fragments;
    }

    /// What hashes of redacted text go by, from the file that the rules name; without one they are masked.
    pub fn set_redact_seed(&mut self, seed: Option<Seed>) {
        self.redacting.set_seed(seed);
        self.counters.set(Metric::RedactSeedMissing, u64::from(self.redacting.lacks_seed()));
    }

    /// Hits by rule of redact since the start.
    pub fn redactions(&self) -> impl Iterator<Item = (&str, u64)> {
        self.redacting.hits()
    }

    /// What was measured, volume, and what was redacted, lifted, recalled and delegated, as they stand: each series with its value.
    pub fn measured(&self) -> Vec<(String, String)> {
        let mut text = String::new();
        self.measuring.render(false, &mut text);
        self.volumes.render(false, &mut text);
        self.redacting.render(&mut text);
        self.delegating.render(&mut text);
        for metric in [Metric::Redacted, Metric::Lifted, Metric::Recalled] {
            let name = TABLE.iter().find(|(other, ..)| *other == metric).map_or("", |(_, name, ..)| name);
            if self.counters.get(metric) > 0 {
                text.push_str(&format!("{name} {}\n", self.counters.get(metric)));
            }
        }
        let series =
            text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        series.map(|(series, value)| (series.to_owned(), value.to_owned())).collect()
    }

    /// Brings the gauges among [`Engine::counters`] up to date.
    #[inline(never)]
    pub fn refresh_gauges(&mut self, now: Now) {
        let unreported = self.unreported().records;
        let expired = self.expired(now).count();
        self.counters.set(Metric::Unreported, unreported);
        self.counters.set(Metric::KeysTracked, self.shared.capacity.taken() as u64);
        self.counters.set(Metric::RulesExpired, expired as u64);
        self.counters.set(Metric::PodsCached, self.cache.len() as u64);
        self.counters.set(Metric::TagsTracked, self.streams.len() as u64);
        self.counters.set(Metric::MeasureSeries, self.measuring.series() as u64);
    }

    /// The names of the rules whose `until` is over.
    pub fn expired(&self, now: Now) -> impl Iterator<Item = &str> {
        self.file.all().filter(move |rule| is_over(rule, now)).map(|rule| &*rule.name)
    }

    /// What is dropped and not reported yet.
    pub(super) fn unreported(&self) -> Unreported {
        let mut sum = Unreported::default();
        self.counters.rules().iter().for_each(|row| sum.add(row.unreported.open));
        sum
    }
}
