//! What AWS would bill if Fluent Bit's `simple_aggregation` were on.
//!
//! It exists because aggregation is the obvious alternative to filtering: both lower the bill, so the harness
//! compares them. The rule it keeps: same limits and same extra newline as `src/aws/flb_aws_aggregation.c`
//! and `plugins/out_kinesis_firehose/firehose_api.c` of Fluent Bit, without holding any data.
//!
//! What those files do: every event is its JSON and a newline; events are joined in a buffer of 1,024,000
//! bytes until the next one would not fit; then, and at the end of each flush, the buffer becomes one record,
//! with one more newline at its end unless the buffer is full to the last byte. A flush is of one chunk, and a chunk of one
//! tag: quiet containers pay 5 KB for each flush in which they say anything.

use super::{MAX_RECORD_BYTES, Refused, billed_bytes};
use std::collections::BTreeMap;

/// Adds up the bill for records that are aggregated as Fluent Bit would, from their tags and lengths alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AggregatedBill {
    /// Bytes in the open aggregate of each tag: each event with its newline, without the final extra one.
    open: BTreeMap<Box<str>, usize>,
    closed: Total,
}

/// Most aggregates that are open at once. At the cap all are closed, as by a flush that comes early.
const MAX_OPEN: usize = 65_536;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Total {
    records: u64,
    bytes: u64,
    billed: u64,
}

impl AggregatedBill {
    /// A bill with nothing on it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event of `len` bytes, without its newline, that travels under `tag`.
    ///
    /// # Errors
    /// [`Refused`] for an event that the plugin would discard: an empty one, or one of 1,024,000 bytes or
    /// more including its newline. The bill stays as it was.
    pub fn add(&mut self, tag: &str, len: usize) -> Result<(), Refused> {
        let length = Refused::check(len)?;
        if let Some(open) = self.open.get_mut(tag) {
            if open.saturating_add(length) > MAX_RECORD_BYTES {
                self.closed.add(*open);
                *open = 0;
            }
            *open = open.saturating_add(length);
            return Ok(());
        }
        if self.open.len() >= MAX_OPEN {
            self.end_of_flush();
        }
        self.open.insert(tag.into(), length);
        Ok(())
    }

    /// Closes all open aggregates, as Fluent Bit does at the end of each flush: what one tag has gathered since the flush before
    /// is one chunk, and an aggregate never spans two.
    pub fn end_of_flush(&mut self) {
        self.closed = self.total();
        self.open.clear();
    }

    /// Billed bytes of all aggregates, the open ones included as if the flush ended here.
    #[must_use]
    pub fn billed(&self) -> u64 {
        self.total().billed
    }

    /// Number of aggregated records, the open ones included.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.total().records
    }

    /// Bytes of all aggregated records (before base64), newlines and the open ones included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.total().bytes
    }

    fn total(&self) -> Total {
        let mut total = self.closed;
        self.open.values().for_each(|open| total.add(*open));
        total
    }
}

impl Total {
    /// Adds an aggregate of so many bytes, which gets one more newline unless it is full.
    fn add(&mut self, open: usize) {
        let record = open.saturating_add(usize::from(open < MAX_RECORD_BYTES));
        self.records = self.records.saturating_add(1);
        self.bytes = self.bytes.saturating_add(record as u64);
        self.billed = self.billed.saturating_add(billed_bytes(record));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same with real buffers: a transcript of the plugin's code, for comparison.
    fn aggregate(records: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut done = Vec::new();
        let mut buffer = Vec::new();
        let mut finalize = |buffer: &mut Vec<u8>| {
            if buffer.is_empty() {
                return;
            }
            if buffer.len() < MAX_RECORD_BYTES {
                buffer.push(b'\n');
            }
            done.push(std::mem::take(buffer));
        };
        for record in records {
            if record.is_empty() || record.len() + 1 >= MAX_RECORD_BYTES {
                continue;
            }
            if buffer.len() + record.len() + 1 > MAX_RECORD_BYTES {
                finalize(&mut buffer);
            }
            buffer.extend_from_slice(record);
            buffer.push(b'\n');
        }
        finalize(&mut buffer);
        done
    }

    #[test]
    fn equals_the_plugin_on_mixed_lengths() {
        let lengths = [1, 0, 199, 511_999, 511_998, 2_000_000, 1_023_998, 1_023_999, 5, 700_000, 400_000];
        let records: Vec<Vec<u8>> = lengths.iter().map(|length| vec![b'x'; *length]).collect();
        let mut bill = AggregatedBill::new();
        for record in &records {
            let _ = bill.add("t", record.len());
        }
        let aggregates = aggregate(&records);
        assert!(aggregates.iter().all(|record| record.len() <= MAX_RECORD_BYTES));
        assert_eq!(bill.records(), aggregates.len() as u64);
        assert_eq!(bill.bytes(), aggregates.iter().map(|record| record.len() as u64).sum::<u64>());
        assert_eq!(bill.billed(), aggregates.iter().map(|record| billed_bytes(record.len())).sum::<u64>());
    }

    #[test]
    fn a_full_buffer_gets_no_extra_newline() {
        let mut bill = AggregatedBill::new();
        bill.add("t", 511_999).unwrap();
        bill.add("t", 511_999).unwrap();
        assert_eq!((bill.records(), bill.bytes()), (1, 1_024_000));
        bill.add("t", 1).unwrap();
        assert_eq!((bill.records(), bill.bytes(), bill.billed()), (2, 1_024_003, 1_024_000 + 5_120));
    }

    #[test]
    fn the_extra_newline_is_billed() {
        let mut bill = AggregatedBill::new();
        bill.add("t", 5_118).unwrap();
        assert_eq!((bill.bytes(), bill.billed()), (5_120, 5_120));
        bill.add("t", 1).unwrap();
        assert_eq!((bill.bytes(), bill.billed()), (5_122, 10_240));
    }

    #[test]
    fn refuses_what_the_plugin_discards() {
        let mut bill = AggregatedBill::new();
        assert_eq!(bill.add("t", 0), Err(Refused::Empty));
        assert!(bill.add("t", 1_023_998).is_ok());
        assert!(bill.add("t", 1_023_999).is_err());
        assert_eq!(bill.records(), 1);
    }

    #[test]
    fn a_flush_ends_an_aggregate_and_an_empty_one_costs_nothing() {
        let mut bill = AggregatedBill::new();
        bill.end_of_flush();
        assert_eq!((bill.records(), bill.billed()), (0, 0));
        bill.add("t", 100).unwrap();
        bill.end_of_flush();
        bill.end_of_flush();
        bill.add("t", 100).unwrap();
        assert_eq!((bill.records(), bill.billed()), (2, 10_240));
    }

    #[test]
    fn tags_do_not_share_a_record() {
        let mut bill = AggregatedBill::new();
        for tag in ["a", "b", "a", "c", "b"] {
            bill.add(tag, 100).unwrap();
        }
        assert_eq!((bill.records(), bill.bytes(), bill.billed()), (3, 5 * 101 + 3, 3 * 5_120));
    }

    #[test]
    fn at_the_cap_of_tags_nothing_is_lost() {
        let mut bill = AggregatedBill::new();
        for n in 0..=MAX_OPEN {
            bill.add(&n.to_string(), 9).unwrap();
        }
        assert_eq!((bill.open.len(), bill.records()), (1, MAX_OPEN as u64 + 1));
    }
}
