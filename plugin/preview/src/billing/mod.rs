//! What Amazon Data Firehose bills for records.
//!
//! It is a module of its own because the figure decides what a filter saves, so the rule has to be readable on
//! one screen. The rule it keeps: a pure function of the records' lengths, nothing else.

mod aggregate;

pub use aggregate::AggregatedBill;

/// Most bytes in one record, before base64 (1,000 KiB).
pub const MAX_RECORD_BYTES: usize = 1_024_000;

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

/// What Firehose bills for records, each a line of its own or aggregated.
#[derive(Clone, Debug)]
pub struct Bill {
    /// How often Fluent Bit flushes, in seconds.
    flush_seconds: u64,
    /// The flush that the last record is in, counted from 1970.
    flush: u64,
    records: u64,
    refused: u64,
    bytes: u64,
    per_record: u64,
    aggregated: AggregatedBill,
}

impl Bill {
    /// Nothing billed. `flush_seconds` is how often Fluent Bit flushes; 0 is taken for 1.
    pub fn new(flush_seconds: u32) -> Bill {
        Bill {
            flush_seconds: u64::from(flush_seconds.max(1)),
            flush: 0,
            records: 0,
            refused: 0,
            bytes: 0,
            per_record: 0,
            aggregated: AggregatedBill::new(),
        }
    }

    /// Adds a record of this many bytes, its newline not included, that is read at this second since 1970.
    pub fn add(&mut self, tag: &str, seconds: u64, length: usize) {
        // What is older than the record before it is read now, as that one was.
        let flush = seconds.checked_div(self.flush_seconds).unwrap_or_default();
        if flush > self.flush {
            self.aggregated.end_of_flush();
            self.flush = flush;
        }
        let Ok(line) = Refused::check(length) else {
            // Refused, here as by the output, and billed nothing.
            self.refused = self.refused.saturating_add(1);
            return;
        };
        self.records = self.records.saturating_add(1);
        self.bytes = self.bytes.saturating_add(length as u64);
        self.per_record = self.per_record.saturating_add(billed_bytes(line));
        let _ = self.aggregated.add(tag, length);
    }

    /// Records on the bill.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Their bytes, without newlines.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Records that are too large for Firehose.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Bytes billed when each line is a record.
    pub fn per_record(&self) -> u64 {
        self.per_record
    }

    /// Bytes billed when what a tag has between two flushes is joined into records of up to 1,000 KiB.
    pub fn aggregated(&self) -> u64 {
        self.aggregated.billed()
    }
}

/// Why a record cannot be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The record has no bytes; the plugin discards these too.
    #[error("add record to batch: the record is empty")]
    Empty,
    /// The record is too long; `length` and `limit` are bytes including the newline.
    #[error("add record to batch: {length} bytes with newline, must be less than {limit}")]
    TooLong {
        /// Length of the record with its newline.
        length: usize,
        /// The first length that is refused.
        limit: usize,
    },
}

impl Refused {
    /// The length with the newline of a record of `len` bytes, or why the plugin would discard the record.
    /// # Errors
    /// For an empty record, and for one of [`MAX_RECORD_BYTES`] or more.
    pub fn check(len: usize) -> Result<usize, Refused> {
        let length = len.saturating_add(1);
        match len {
            0 => Err(Refused::Empty),
            _ if length >= MAX_RECORD_BYTES => Err(Refused::TooLong { length, limit: MAX_RECORD_BYTES }),
            _ => Ok(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_share_a_record_with_those_of_their_tag_and_flush() {
        let mut bill = Bill::new(5);
        for (tag, second) in [("a", 10), ("a", 14), ("b", 12), ("a", 15), ("a", 3)] {
            bill.add(tag, second, 100);
        }
        assert_eq!((bill.per_record(), bill.aggregated()), (5 * 5_120, 3 * 5_120));
        assert_eq!(Bill::new(0).flush_seconds, 1);
    }

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
