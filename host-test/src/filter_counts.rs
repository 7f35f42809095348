//! The filter's own counts, read from the metrics file that a compiled filter has written.

use nodesieve_engine::metrics::TABLE;
use nodesieve_preview::counts::FilterCounts;
use nodesieve_preview::ledger::RuleLine;
use nodesieve_sidecar::exposition::{MetricSample, samples};

/// The counts in a metrics file.
pub fn read(metrics: &str) -> FilterCounts {
    let mut rules = Vec::new();
    let mut shadows = Vec::new();
    for sample in samples(metrics) {
        if sample.name.starts_with("nodesieve_rule_") {
            add(&mut rules, &sample);
        } else if sample.name.starts_with("nodesieve_shadow_") {
            add(&mut shadows, &sample);
        }
    }
    let mut counts = FilterCounts::new(rules, shadows);
    for sample in samples(metrics) {
        if let Some((metric, ..)) = TABLE.iter().find(|(_, name, ..)| *name == sample.name) {
            counts.set(*metric, sample.value as u64);
        }
    }
    counts
}

fn add(lines: &mut Vec<RuleLine>, sample: &MetricSample<'_>) {
    let name = sample.label("rule").unwrap_or_default();
    let stage = sample.label("stage").unwrap_or("shadow");
    let index = lines.iter().position(|line| line.name == name && line.stage == stage).unwrap_or_else(|| {
        lines.push(RuleLine { name: name.into(), stage: stage.into(), ..RuleLine::default() });
        lines.len() - 1
    });
    let Some(line) = lines.get_mut(index) else { return };
    let value = sample.value as u64;
    match sample.name {
        "nodesieve_rule_matched_total" | "nodesieve_shadow_matched_total" => line.matched = value,
        "nodesieve_rule_kept_total" => line.kept = value,
        "nodesieve_rule_dropped_total" | "nodesieve_shadow_dropped_total" => line.dropped = value,
        "nodesieve_rule_dropped_bytes_total" | "nodesieve_shadow_dropped_bytes_total" => {
            line.dropped_bytes = value;
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodesieve_engine::config::load;
    use nodesieve_engine::engine::{Engine, Input};
    use nodesieve_engine::time::{EventTime, Now};
    use nodesieve_preview::pods::PodTable;

    #[test]
    fn what_is_read_is_what_the_engine_has_counted() {
        let source = "version: 1\nguards: [{ name: errors, when: { severity: '>=error' } }]\nrules:\n\
            - { name: wait, when: { message: x }, drop: {}, reason: try, mode: shadow }\n\
            - { name: noise, when: { message: x }, drop: {}, reason: none }\n";
        let mut engine = Engine::new(load(source).unwrap().rules, 1);
        for text in [r#"{"log":"x"}"#, r#"{"log":"level=error x"}"#, r#"{"log":"y"}"#, "no record"] {
            let input = Input { tag: b"t", time: EventTime::default(), text: text.as_bytes() };
            engine.filter(input, &mut Now(1), &mut PodTable::default(), &mut Vec::new());
        }
        let metrics = engine.render_metrics("0", Now(1));
        let counts = read(&metrics);
        assert_eq!(counts, FilterCounts::from(engine.counters()));
        assert_eq!((counts.faults(), counts.rules().len(), counts.shadows().len()), (1, 6, 1));
    }
}
