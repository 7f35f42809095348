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

/// Dollars for 30 days of one node at the rate of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Money {
    /// Firehose for what was delivered, each line a record.
    pub firehose: f64,
    /// The same with aggregation.
    pub firehose_aggregated: f64,
    /// Firehose for everything seen, each line a record.
    pub firehose_unfiltered: f64,
    /// The same with aggregation.
    pub firehose_unfiltered_aggregated: f64,
    /// CloudWatch Logs for what was delivered.
    pub cloudwatch: f64,
    /// CloudWatch Logs for everything seen.
    pub cloudwatch_unfiltered: f64,
}

/// The bytes that money is computed from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bytes {
    /// Billed for what was delivered, each line a record.
    pub billed: u64,
    /// The same with aggregation.
    pub billed_aggregated: u64,
    /// Billed for everything seen, each line a record.
    pub unfiltered: u64,
    /// The same with aggregation.
    pub unfiltered_aggregated: u64,
    /// Delivered.
    pub out: u64,
    /// Seen.
    pub seen: u64,
}

impl Money {
    /// Dollars for 30 days when `bytes` are those of `span_seconds`; nothing for a run of less than [`LEAST_SECONDS`].
    pub fn of(bytes: Bytes, span_seconds: f64, prices: Prices) -> Money {
        if span_seconds < LEAST_SECONDS {
            return Money::default();
        }
        let month = MONTH_SECONDS / span_seconds;
        let dollars = |bytes: u64, per_gb: f64| bytes as f64 / GB * per_gb * month;
        Money {
            firehose: dollars(bytes.billed, prices.firehose_per_gb),
            firehose_aggregated: dollars(bytes.billed_aggregated, prices.firehose_per_gb),
            firehose_unfiltered: dollars(bytes.unfiltered, prices.firehose_per_gb),
            firehose_unfiltered_aggregated: dollars(bytes.unfiltered_aggregated, prices.firehose_per_gb),
            cloudwatch: dollars(bytes.out, prices.cloudwatch_per_gb),
            cloudwatch_unfiltered: dollars(bytes.seen, prices.cloudwatch_per_gb),
        }
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
        let bytes = Bytes { billed: 1 << 30, seen: 2 << 30, ..Bytes::default() };
        let money = Money::of(bytes, 86_400.0, Prices::default());
        assert!((money.firehose - 0.87).abs() < 1e-9 && (money.cloudwatch_unfiltered - 30.0).abs() < 1e-9);
        assert_eq!(Money::of(bytes, 0.0, Prices::default()), Money::default());
        assert_eq!(Money::of(bytes, 9.9, Prices::default()), Money::default());
    }
}
