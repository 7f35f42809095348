//! What Amazon Data Firehose bills for one record.
//!
//! It is a file of its own because the figure decides what a filter saves, so the rule has to be readable on
//! one screen. The rule it keeps: a pure function of the record's length, nothing else.

/// The size that a record is rounded up to a multiple of, in bytes.
pub const BILLING_STEP: u64 = 5_120;

/// The bytes that AWS bills for one record of `record_len` bytes (before base64).
///
/// Source: <https://aws.amazon.com/firehose/pricing/>, "Direct PUT" ingestion: billed per GB ingested, in
/// 5 KB increments per record (a 3 KB record is billed as 5 KB, a 12 KB record as 15 KB); the page gives 5 KB
/// as 5,120 bytes. The rounding is per record and not per call: two records of 1 KB in one `PutRecordBatch`
/// are billed as 10 KB. An empty record is counted as one step.
#[must_use]
pub fn billed_bytes(record_len: usize) -> u64 {
    (record_len as u64).div_ceil(BILLING_STEP).max(1).saturating_mul(BILLING_STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_each_record_up_to_the_next_step() {
        let expected = [
            (0, 5_120),
            (1, 5_120),
            (3 * 1024, 5_120),
            (5_119, 5_120),
            (5_120, 5_120),
            (5_121, 10_240),
            (12 * 1024, 15_360),
            (42 * 1024, 46_080),
            (1_024_000, 1_024_000),
        ];
        for (length, billed) in expected {
            assert_eq!(billed_bytes(length), billed, "length {length}");
        }
    }
}
