//! A node's run as a fleet of such nodes: dollars a year, what a stream has to take, and what is asked of whom.
//!
//! Quotas are Firehose's defaults for Direct PUT in us-east-1, us-west-2 and eu-west-1 as of [`QUOTAS_DATE`] (Amazon Data Firehose
//! quota page: elsewhere a fifth of the bytes and records, and half of the requests); flags override them, and AWS raises them.

use crate::ledger::Ledger;
use crate::money::{ByDestination, PRICES_DATE, ThreeWays};
use crate::numbers::grouped;
use serde::Serialize;

/// When the built-in quotas were looked up.
pub const QUOTAS_DATE: &str = PRICES_DATE;

/// What one delivery stream takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quotas {
    /// Records a second.
    pub records: f64,
    /// MiB a second.
    pub mib: f64,
    /// Calls of PutRecordBatch a second.
    pub requests: f64,
}

impl Default for Quotas {
    fn default() -> Quotas {
        Quotas { records: 500_000.0, mib: 5.0, requests: 2_000.0 }
    }
}

/// What a fleet comes to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Fleet {
    /// Nodes like this one.
    pub nodes: u32,
    /// Dollars for 365 days.
    pub dollars_a_year: ByDestination<ThreeWays<f64>>,
    /// Records a second, each line one: fewer when they are aggregated.
    pub records_per_second: f64,
    /// MiB a second.
    pub mib_per_second: f64,
    /// Calls a second: at least one for each node's flush.
    pub requests_per_second: f64,
    /// What one stream takes.
    pub quotas: Quotas,
    /// Streams that this needs, at an even rate.
    pub streams: u64,
    /// Requests to all kubelets, by the sidecars that poll.
    pub kubelet_requests_per_minute: u64,
    /// Requests to the API server: none is ever made.
    pub api_server_requests_per_minute: u64,
}

impl Fleet {
    /// So many nodes like the one of the run; `None` when the run says nothing of a month.
    pub fn of(nodes: u32, ledger: &Ledger, quotas: Quotas) -> Option<Fleet> {
        if !ledger.is_timed() {
            return None;
        }
        let times = f64::from(nodes);
        let per_second = |number: f64| number / ledger.span_seconds * times;
        let records_per_second = per_second(ledger.delivered as f64);
        let mib_per_second = per_second(ledger.delivered_bytes as f64 / MIB);
        let requests_per_second =
            (times / f64::from(ledger.flush_seconds.max(1))).max(per_second(ledger.firehose_calls as f64));
        let parts = [
            (records_per_second, quotas.records),
            (mib_per_second, quotas.mib),
            (requests_per_second, quotas.requests),
        ];
        let streams = parts.iter().map(|(rate, quota)| (rate / quota).ceil()).fold(1.0, f64::max);
        Some(Fleet {
            nodes,
            dollars_a_year: ledger.dollars.map(|ways| ways.map(|dollars| dollars * times * MONTHS_A_YEAR)),
            records_per_second,
            mib_per_second,
            requests_per_second,
            quotas,
            streams: streams as u64,
            kubelet_requests_per_minute: u64::from(nodes).saturating_mul(POLLS_A_MINUTE),
            api_server_requests_per_minute: 0,
        })
    }

    /// What is asked of the stream and of whom, a sentence each.
    pub fn demands(&self) -> [String; 3] {
        let Quotas { records, mib, requests } = self.quotas;
        let of = |rate: f64, quota: f64| format!("{rate:.1} of {quota} ({:.1}%)", rate / quota * 100.0);
        let given = if self.quotas == Quotas::default() {
            format!("quotas are Firehose's defaults in us-east-1 ({QUOTAS_DATE})")
        } else {
            "quotas are those that were given".to_owned()
        };
        [
            format!(
                "a stream, per second: {} records at most, {} MiB, {} calls; streams needed at an even rate: {}",
                of(self.records_per_second, records),
                of(self.mib_per_second, mib),
                of(self.requests_per_second, requests),
                self.streams,
            ),
            given,
            format!(
                "kubelets: {} requests a minute, {POLLS_A_MINUTE} on each node; API server: none",
                grouped(self.kubelet_requests_per_minute)
            ),
        ]
    }
}

const MIB: f64 = 1_048_576.0;
/// Of 30 days.
const MONTHS_A_YEAR: f64 = 365.0 / 30.0;
/// What the sidecar asks for without news of pods: its `--interval` of 30 s.
const POLLS_A_MINUTE: u64 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_is_so_many_nodes_and_its_stream_is_measured_by_what_is_nearest_to_its_quota() {
        let ways = ThreeWays { raw: 3.0, kubernetes_filter: 6.0, nodesieve: 1.5 };
        let ledger = Ledger {
            span_seconds: 10.0,
            flush_seconds: 5,
            delivered: 1_000,
            delivered_bytes: 1 << 20,
            dollars: ByDestination { firehose_aggregated: ways, ..ByDestination::default() },
            ..Ledger::default()
        };
        let fleet = Fleet::of(100, &ledger, Quotas::default()).unwrap();
        assert_eq!(
            (fleet.records_per_second, fleet.mib_per_second, fleet.requests_per_second),
            (10_000.0, 10.0, 20.0)
        );
        assert_eq!((fleet.streams, fleet.kubelet_requests_per_minute), (2, 200));
        assert!((fleet.dollars_a_year.firehose_aggregated.kubernetes_filter - 7_300.0).abs() < 1e-9);
        assert_eq!(Fleet::of(1, &Ledger { span_seconds: 1.0, ..ledger }, Quotas::default()), None);
    }
}
