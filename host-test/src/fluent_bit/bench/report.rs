//! The numbers of a CPU bench: medians, differences, ratios.
//!
//! The rule it keeps: a number that was not measured is absent. It is never 0, which would be a result.

use super::LogFolder;
use super::measured::{MeasuredPipeline, RunCost};
use super::pipeline::Sink;
use crate::table::{Align, Table, bytes, grouped};
use serde::Serialize;

/// All that was measured. Serialised as the `--format json` of `fluent-bit --bench`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CpuReport {
    /// Lines of a run.
    pub records: u64,
    /// Runs of each pipeline.
    pub rounds: u32,
    /// One for each output.
    pub tables: Vec<CpuTable>,
}

/// The pipelines in front of one output.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CpuTable {
    /// Fluent Bit's name of the output.
    pub output: &'static str,
    /// The one without a filter first.
    pub pipelines: Vec<PipelineCost>,
}

/// What one pipeline costs: medians over all rounds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PipelineCost {
    /// Its filters.
    pub name: String,
    /// How they run.
    pub runs_as: &'static str,
    /// Why it did not run; all numbers are absent then.
    pub skipped: Option<String>,
    /// CPU time of the whole process for a record, in microseconds, without the start.
    pub cpu_us: Option<f64>,
    /// The same without what the pipeline without a filter costs.
    pub filters_us: Option<f64>,
    /// `filters_us` as a multiple of the built-in filter's.
    pub to_kubernetes: Option<f64>,
    /// As a multiple of ten rules in Lua and the built-in filter behind them.
    pub to_lua_kubernetes: Option<f64>,
    /// As a multiple of the built-in filter and ten rules in Lua behind it.
    pub to_kubernetes_lua: Option<f64>,
    /// CPU time of a start, with one line of each pod, in milliseconds.
    pub start_ms: Option<f64>,
    /// The most memory that the process had resident, in bytes.
    pub memory: Option<u64>,
    /// How many lines arrived.
    pub delivered: Option<u64>,
}

impl CpuTable {
    /// The medians of what was measured; what is missing is absent.
    pub(super) fn of(
        sink: Sink,
        measured: &[MeasuredPipeline],
        full: &LogFolder,
        start: &LogFolder,
    ) -> CpuTable {
        let records = full.records.saturating_sub(start.records).max(1) as f64;
        let mut pipelines: Vec<PipelineCost> =
            measured.iter().map(|pipeline| PipelineCost::of(pipeline, records)).collect();
        let cost = |pipelines: &[PipelineCost], name: &str| {
            pipelines.iter().find(|pipeline| pipeline.name == name).and_then(|pipeline| pipeline.filters_us)
        };
        let none = pipelines.first().and_then(|none| none.cpu_us);
        for pipeline in pipelines.iter_mut().skip(1) {
            pipeline.filters_us = pipeline.cpu_us.zip(none).map(|(own, none)| own - none);
        }
        let kubernetes = cost(&pipelines, "kubernetes");
        let lua_first = cost(&pipelines, "lua, kubernetes");
        let lua_last = cost(&pipelines, "kubernetes, lua");
        for pipeline in &mut pipelines {
            let ratio = |to: Option<f64>| pipeline.filters_us.zip(to).map(|(own, to)| own / to);
            (pipeline.to_kubernetes, pipeline.to_lua_kubernetes, pipeline.to_kubernetes_lua) =
                (ratio(kubernetes), ratio(lua_first), ratio(lua_last));
        }
        CpuTable { output: sink.name(), pipelines }
    }
}

impl PipelineCost {
    fn of(measured: &MeasuredPipeline, records: f64) -> PipelineCost {
        let of_runs = |number: &dyn Fn(&(RunCost, RunCost)) -> f64| median(measured.runs.iter().map(number));
        PipelineCost {
            name: measured.pipeline.name(),
            runs_as: measured.pipeline.runs_as(),
            skipped: measured.skipped.clone(),
            cpu_us: of_runs(&|(start, full)| {
                full.cpu_ms.saturating_sub(start.cpu_ms) as f64 * 1000.0 / records
            }),
            start_ms: of_runs(&|(start, _)| start.cpu_ms as f64),
            memory: of_runs(&|(_, full)| full.memory as f64).map(|bytes| bytes as u64),
            delivered: of_runs(&|(_, full)| full.delivered as f64).map(|lines| lines as u64),
            ..PipelineCost::default()
        }
    }
}

/// The number in the middle; of an even count the lower of the two.
fn median(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

impl std::fmt::Display for CpuReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let CpuReport { records, rounds, .. } = self;
        for table in &self.tables {
            writeln!(f, "{} lines, medians of {rounds}, output {}", grouped(*records), table.output)?;
            writeln!(f, "{table}")?;
        }
        write!(
            f,
            "us: CPU time for a record, the start taken off. filters: without what the pipeline none costs."
        )?;
        writeln!(f, " x ...: as a multiple of that pipeline's filters.")
    }
}

impl std::fmt::Display for CpuTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers = [
            "us",
            "filters us",
            "x kubernetes",
            "x lua, kubernetes",
            "x kubernetes, lua",
            "start ms",
            "memory",
            "delivered",
        ];
        let columns: Vec<_> = [("filters", Align::Left), ("as", Align::Left)]
            .into_iter()
            .chain(numbers.into_iter().map(|name| (name, Align::Right)))
            .collect();
        let mut table = Table::new(&columns);
        let mut skipped = String::new();
        for pipeline in &self.pipelines {
            if let Some(reason) = &pipeline.skipped {
                skipped.push_str(&format!("{} skipped: {reason}\n", pipeline.name));
                continue;
            }
            let shown = |number: Option<f64>, digits: usize| {
                number.map_or("-".to_owned(), |number| format!("{number:.digits$}"))
            };
            table.row(vec![
                pipeline.name.clone(),
                pipeline.runs_as.to_owned(),
                shown(pipeline.cpu_us, 2),
                shown(pipeline.filters_us, 2),
                shown(pipeline.to_kubernetes, 2),
                shown(pipeline.to_lua_kubernetes, 2),
                shown(pipeline.to_kubernetes_lua, 2),
                shown(pipeline.start_ms, 0),
                pipeline.memory.map_or("-".to_owned(), bytes),
                pipeline.delivered.map_or("-".to_owned(), grouped),
            ]);
        }
        write!(f, "{table}{skipped}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::pipeline::{FilterStage, Pipeline};
    use super::*;
    use crate::bench::WorkloadSize;
    use crate::fluent_bit::node::TemporaryNode;

    #[test]
    fn filters_are_compared_by_what_they_add() {
        let node = TemporaryNode::new().unwrap();
        let size = |run| WorkloadSize { run, turns: 1, ..WorkloadSize::of_records(0) };
        let (full, start) = (
            LogFolder::write(&node, "full", size(101)).unwrap(),
            LogFolder::write(&node, "start", size(1)).unwrap(),
        );
        let measured = |stages: &[FilterStage], skipped: Option<&str>, cpu: &[u64]| {
            let cost = |cpu_ms| RunCost { cpu_ms, memory: 1000, delivered: 7 };
            let mut measured = MeasuredPipeline::new(skipped.map(str::to_owned), Pipeline(stages.to_vec()));
            measured.runs = cpu.iter().map(|cpu| (cost(10), cost(10 + cpu))).collect();
            measured
        };
        use FilterStage::{Kubernetes, Lua};
        // 3000 lines: 3 ms are 1 us each.
        let table = CpuTable::of(
            Sink::Counter,
            &[
                measured(&[], None, &[12, 90, 3]),
                measured(&[Kubernetes], None, &[18, 18, 18]),
                measured(&[Lua, Kubernetes], None, &[24, 24, 24]),
                measured(&[Kubernetes, Lua], Some("no `lua`"), &[]),
            ],
            &full,
            &start,
        );
        let [none, kubernetes, lua, skipped] = table.pipelines.as_slice() else { panic!("{table:?}") };
        assert_eq!((none.cpu_us, none.filters_us, none.start_ms), (Some(4.0), None, Some(10.0)));
        assert_eq!((kubernetes.filters_us, kubernetes.to_kubernetes), (Some(2.0), Some(1.0)));
        assert_eq!(
            (lua.to_kubernetes, lua.to_lua_kubernetes, lua.to_kubernetes_lua),
            (Some(2.0), Some(1.0), None)
        );
        assert_eq!((skipped.cpu_us, skipped.memory), (None, None));
        assert!(table.to_string().ends_with("\nkubernetes, lua skipped: no `lua`\n"), "{table}");
    }
}
