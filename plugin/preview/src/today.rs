//! What Fluent Bit's own `kubernetes` filter puts onto a record: the pipeline that most have today, which a saving is measured against.
//!
//! The rule it keeps: it is the built-in filter's object at its defaults, all keys, labels and annotations, and lines merged as the rule
//! file has it; never less, or we would look better than we are. kubectl's copy of the manifest is left out, which makes it smaller.

use crate::inputs::Record;
use nodesieve_engine::config::RuleFile;
use nodesieve_engine::config::model::InputSettings;
use nodesieve_engine::engine::{Answer, Engine, Input};
use nodesieve_engine::pods::{Enrichment, PodSource};
use nodesieve_engine::time::{EventTime, Now};

/// The built-in filter, as far as bytes go.
#[derive(Debug)]
pub struct KubernetesFilter {
    engine: Engine,
    out: Vec<u8>,
}

impl KubernetesFilter {
    /// The filter in the place of nodesieve with these rules.
    pub fn beside(rules: &RuleFile) -> KubernetesFilter {
        let file = RuleFile {
            input: InputSettings { continuation: None, ..rules.input.clone() },
            enrich: Enrichment { max_bytes: MOST_METADATA, ..Enrichment::all() },
            merge_log: rules.merge_log.clone(),
            annotate: false,
            summary: None,
            state_dir: None,
            ..RuleFile::default()
        };
        KubernetesFilter { engine: Engine::new(file, 0), out: Vec::new() }
    }

    /// Bytes of JSON that a record has behind it.
    pub fn length(&mut self, record: &Record, now: Now, pods: &mut dyn PodSource) -> usize {
        let time = EventTime { sec: record.time.0, nsec: record.time.1 };
        let input = Input { tag: record.tag.as_bytes(), time, text: record.text.as_bytes() };
        match self.engine.filter(input, &mut { now }, pods, &mut self.out).0 {
            Answer::Keep => self.out.len(),
            Answer::Drop | Answer::Echo => record.text.len(),
        }
    }
}

/// More metadata than any pod has.
const MOST_METADATA: usize = 262_144;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pods::PodTable;
    use nodesieve_engine::config;

    #[test]
    fn a_record_has_the_whole_object_whatever_the_rules_put_on_it() {
        let list = br#"{"kind":"PodList","items":[{"metadata":{"name":"web-1","namespace":"shop","uid":"u","labels":{"app":"web"},"annotations":{"a/b":"c"}},"spec":{"nodeName":"n"}}]}"#;
        let mut pods = PodTable::of(list).unwrap();
        let mut length = |rules: &str, text: &str| {
            let rules = config::load(rules).unwrap().rules;
            let record = Record {
                tag: "kube.var.log.containers.web-1_shop_app-0a.log".into(),
                time: (1_800_000_000, 0),
                text: text.into(),
            };
            KubernetesFilter::beside(&rules).length(&record, Now(0), &mut pods)
        };
        let expected = r#"{"log":"{}","kubernetes":{"pod_name":"web-1","namespace_name":"shop","pod_id":"u","labels":{"app":"web"},"annotations":{"a/b":"c"},"host":"n","container_name":"app","docker_id":"0a"}}"#;
        let dropped = "version: 1\nenrich: off\nrules: [{ name: all, drop: {}, reason: r, until: 2030-01-01T00:00:00Z }]\n";
        assert_eq!(length(dropped, r#"{"log":"{}"}"#), expected.len());
        let merged = length("version: 1\nenrich: { merge_log: true }\n", r#"{"log":"{\"a\":1}"}"#);
        assert_eq!(merged, expected.len() + r#"{\"a\":1}"#.len() - 2 + r#""a":1,"#.len());
        assert_eq!(length("version: 1\n", "no record"), 9);
    }
}
