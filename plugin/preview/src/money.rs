//! What the bytes cost: Amazon Data Firehose bills each record in steps of 5,120 bytes.
//!
//! Prices are those of us-east-1 (Direct PUT, first 500 TB a month) as of [`PRICES_DATE`]; flags override them.

use serde::Serialize;

/// When the built-in prices were looked up.
pub const PRICES_DATE: &str = "2026-11";
/// Firehose Direct PUT, dollars per GB ingested.
pub const FIREHOSE_PER_GB: f64 = 0.029;
/// CloudWatch Logs standard class, dollars per GB ingested, for comparison.
pub const CLOUDWATCH_PER_GB: f64 = 0.50;

/// How often Fluent Bit flushes as `conf/fluent-bit.yaml` has it, in seconds: lines of one container in one flush share a billed
/// record.
pub const FLUSH_SECONDS: u32 = 5;

/// Dollars per GB.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Prices {
    /// Firehose ingestion.
    pub firehose_per_gb: f64,
    /// CloudWatch Logs ingestion.
    pub cloudwatch_per_gb: f64,
    /// When these were looked up, or `given` when a flag gave one.
    pub date: &'static str,
}

impl Prices {
    /// These prices; where they are the built-in ones, with their date.
    pub fn given(firehose_per_gb: f64, cloudwatch_per_gb: f64) -> Prices {
        let given = Prices { firehose_per_gb, cloudwatch_per_gb, ..Prices::default() };
        if given == Prices::default() { given } else { Prices { date: "given", ..given } }
    }
}

impl Default for Prices {
    fn default() -> Prices {
        Prices { firehose_per_gb: FIREHOSE_PER_GB, cloudwatch_per_gb: CLOUDWATCH_PER_GB, date: PRICES_DATE }
    }
}

/// A number as it is without any filter, as it is today with Fluent Bit's kubernetes filter, and with nodesieve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ThreeWays<T> {
    /// Every line, without metadata.
    pub raw: T,
    /// Every line with the built-in filter's whole object.
    pub kubernetes_filter: T,
    /// What is kept, with the rule file's metadata, and summaries.
    pub nodesieve: T,
}

/// A number for each place that records can go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ByDestination<T> {
    /// Firehose, lines of a container and flush joined into records of up to 1,000 KiB: what `conf/` ships to.
    pub firehose_aggregated: T,
    /// Firehose, each line a record, as Fluent Bit sends them by default.
    pub firehose: T,
    /// CloudWatch Logs, standard class.
    pub cloudwatch: T,
}

/// What a saving against the kubernetes filter is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Saved {
    /// Records that are dropped.
    pub dropped_records: f64,
    /// Less metadata on those that are kept; less than nothing when there is more.
    pub leaner_metadata: f64,
}

impl<T> ByDestination<T> {
    /// The same places with numbers made of these.
    pub fn map<U>(self, mut number: impl FnMut(T) -> U) -> ByDestination<U> {
        ByDestination {
            firehose_aggregated: number(self.firehose_aggregated),
            firehose: number(self.firehose),
            cloudwatch: number(self.cloudwatch),
        }
    }

    /// Two numbers for each place.
    pub fn zip<U>(self, other: ByDestination<U>) -> ByDestination<(T, U)> {
        ByDestination {
            firehose_aggregated: (self.firehose_aggregated, other.firehose_aggregated),
            firehose: (self.firehose, other.firehose),
            cloudwatch: (self.cloudwatch, other.cloudwatch),
        }
    }

    /// Each place with its name for people.
    pub fn named(self) -> [(&'static str, T); 3] {
        [
            ("Firehose to S3, lines aggregated (as shipped)", self.firehose_aggregated),
            ("Firehose to S3, a record per line", self.firehose),
            ("CloudWatch Logs (for comparison)", self.cloudwatch),
        ]
    }
}

impl<T> ThreeWays<T> {
    /// The same ways with numbers made of these.
    pub fn map<U>(self, mut number: impl FnMut(T) -> U) -> ThreeWays<U> {
        ThreeWays {
            raw: number(self.raw),
            kubernetes_filter: number(self.kubernetes_filter),
            nodesieve: number(self.nodesieve),
        }
    }
}

impl Prices {
    /// Dollars for 30 days of one node when the bytes are those of `span_seconds`; nothing for a run of less than [`LEAST_SECONDS`].
    pub fn dollars(self, bytes: ByDestination<u64>, span_seconds: f64) -> ByDestination<f64> {
        if span_seconds < LEAST_SECONDS {
            return ByDestination::default();
        }
        let per_gb = ByDestination {
            firehose_aggregated: self.firehose_per_gb,
            firehose: self.firehose_per_gb,
            cloudwatch: self.cloudwatch_per_gb,
        };
        bytes.zip(per_gb).map(|(bytes, per_gb)| bytes as f64 / GB * per_gb * MONTH_SECONDS / span_seconds)
    }
}

/// A run that is shorter says nothing of a month.
pub const LEAST_SECONDS: f64 = 10.0;
/// AWS divides by 1,048,576 KB in its examples.
const GB: f64 = 1_073_741_824.0;
const MONTH_SECONDS: f64 = 30.0 * 86_400.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gigabyte_a_day_is_thirty_a_month() {
        let bytes = ByDestination { firehose_aggregated: 0, firehose: 1 << 30, cloudwatch: 2 << 30 };
        let dollars = Prices::default().dollars(bytes, 86_400.0);
        assert!((dollars.firehose - 0.87).abs() < 1e-9 && (dollars.cloudwatch - 30.0).abs() < 1e-9);
        assert_eq!(Prices::default().dollars(bytes, 0.0), ByDestination::default());
        assert_eq!(Prices::default().dollars(bytes, 9.9), ByDestination::default());
    }
}
