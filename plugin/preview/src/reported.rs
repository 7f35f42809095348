//! What delivered records say about those that were not delivered: counts and summaries.
//!
//! The same sum that a query over the delivered records makes. A summary that arrives twice has the same instance and
//! number, and is added once.

use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeSet;

/// The sums over delivered records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// Records that are no summaries, those that came back with others among them.
    pub records: u64,
    /// Of these, those that came back with others.
    pub recalled: u64,
    /// Dropped records that their counts report.
    pub counted: u64,
    /// Summaries, each once.
    pub summaries: u64,
    /// Dropped records in them.
    pub summarised: u64,
    seen: BTreeSet<(String, u64)>,
}

#[derive(Deserialize)]
struct Delivered {
    nodesieve: Option<Annotation>,
}

#[derive(Deserialize)]
#[serde(default)]
struct Annotation {
    count: u64,
    summary: bool,
    recalled: Vec<IgnoredAny>,
    instance: String,
    sequence: u64,
    dropped: u64,
}

impl Default for Annotation {
    fn default() -> Annotation {
        Annotation {
            count: 1,
            summary: false,
            recalled: Vec::new(),
            instance: String::new(),
            sequence: 0,
            dropped: 0,
        }
    }
}

impl Reported {
    /// Adds a delivered record, as JSON; whether it is a summary.
    pub fn add(&mut self, text: &[u8]) -> bool {
        // Most records have none, and reading those would be half of a run's time.
        let may_have_one = std::str::from_utf8(text).is_ok_and(|text| text.contains("\"nodesieve\""));
        if !may_have_one {
            self.records = self.records.saturating_add(1);
            return false;
        }
        // A record of somebody else's making may hold anything under that key.
        let annotation = serde_json::from_slice::<Delivered>(text).ok().and_then(|record| record.nodesieve);
        let annotation = annotation.unwrap_or_default();
        if !annotation.summary {
            let recalled = annotation.recalled.len() as u64;
            self.records = self.records.saturating_add(1).saturating_add(recalled);
            self.recalled = self.recalled.saturating_add(recalled);
            self.counted = self.counted.saturating_add(annotation.count.saturating_sub(1));
        } else if self.seen.insert((annotation.instance, annotation.sequence)) {
            self.summaries = self.summaries.saturating_add(1);
            self.summarised = self.summarised.saturating_add(annotation.dropped);
        }
        annotation.summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_summaries_are_added_once() {
        let mut reported = Reported::default();
        let summary = br#"{"nodesieve":{"summary":true,"instance":"a","sequence":1,"dropped":7}}"#;
        for text in [
            br#"{"log":"x"}"#.as_slice(),
            br#"{"log":"x","nodesieve":{"rule":"r","count":5}}"#,
            br#"{"log":"x","nodesieve":{"rule":"r","rate":0.1,"th":"e666"}}"#,
            br#"{"log":"x","nodesieve":"mine"}"#,
            br#"{"log":"x","nodesieve":{"rule":"r","count":2,"recalled":[{"record":{}},{"record":{}}]}}"#,
            summary,
            summary,
        ] {
            reported.add(text);
        }
        assert_eq!((reported.records, reported.recalled, reported.counted), (7, 2, 5));
        assert_eq!((reported.summaries, reported.summarised), (1, 7));
    }
}
