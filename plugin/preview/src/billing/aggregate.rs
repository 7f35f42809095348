//! What AWS would bill if Fluent Bit's `simple_aggregation` were on.
//!
//! It exists because aggregation is the obvious alternative to filtering: both lower the bill, so the harness
//! compares them. The rule it keeps: same limits and same extra newline as `src/aws/flb_aws_aggregation.c`
//! and `plugins/out_kinesis_firehose/firehose_api.c` of Fluent Bit, without holding any data.
//!
//! What those files do: every event is its JSON and a newline; events are joined in a buffer of 1,024,000
//! bytes until the next one would not fit; then, and at the end of each flush, the buffer becomes one record,
//! with one more newline at its end unless the buffer is full to the last byte.

use super::{MAX_RECORD_BYTES, Refused, billed_bytes};

/// Adds up the bill for records that are aggregated as Fluent Bit would, from their lengths alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AggregatedBill {
    /// Bytes in the open aggregate: each event with its newline, without the final extra one.
    open: usize,
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

    /// Adds an event of `len` bytes, without its newline.
    ///
    /// # Errors
    /// [`Refused`] for an event that the plugin would discard: an empty one, or one of 1,024,000 bytes or
    /// more including its newline. The bill stays as it was.
    pub fn add(&mut self, len: usize) -> Result<(), Refused> {
        let length = Refused::check(len)?;
        if self.open.saturating_add(length) > MAX_RECORD_BYTES {
            self.end_of_flush();
        }
        self.open = self.open.saturating_add(length);
        Ok(())
    }

    /// Closes the open aggregate, as Fluent Bit does at the end of each flush (one chunk of one tag): an
    /// aggregate never spans two flushes. Without these calls the result is the lowest possible bill.
    pub fn end_of_flush(&mut self) {
        if let Some(record) = self.open_record() {
            self.records = self.records.saturating_add(1);
            self.bytes = self.bytes.saturating_add(record as u64);
            self.billed = self.billed.saturating_add(billed_bytes(record));
            self.open = 0;
        }
    }

    /// Billed bytes of all aggregates, the open one included as if the flush ended here.
    #[must_use]
    pub fn billed(&self) -> u64 {
        self.billed.saturating_add(self.open_record().map_or(0, billed_bytes))
    }

    /// Number of aggregated records, the open one included.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records.saturating_add(u64::from(self.open > 0))
    }

    /// Bytes of all aggregated records (before base64), newlines and the open one included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.saturating_add(self.open_record().map_or(0, |record| record as u64))
    }

    /// Length that the open aggregate would have as a record, if there is one.
    fn open_record(&self) -> Option<usize> {
        (self.open > 0).then(|| self.open.saturating_add(usize::from(self.open < MAX_RECORD_BYTES)))
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
            let _ = bill.add(record.len());
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
        bill.add(511_999).unwrap();
        bill.add(511_999).unwrap();
        assert_eq!((bill.records(), bill.bytes()), (1, 1_024_000));
        bill.add(1).unwrap();
        assert_eq!((bill.records(), bill.bytes(), bill.billed()), (2, 1_024_003, 1_024_000 + 5_120));
    }

    #[test]
    fn the_extra_newline_is_billed() {
        let mut bill = AggregatedBill::new();
        bill.add(5_118).unwrap();
        assert_eq!((bill.bytes(), bill.billed()), (5_120, 5_120));
        bill.add(1).unwrap();
        assert_eq!((bill.bytes(), bill.billed()), (5_122, 10_240));
    }

    #[test]
    fn refuses_what_the_plugin_discards() {
        let mut bill = AggregatedBill::new();
        assert_eq!(bill.add(0), Err(Refused::Empty));
        assert!(bill.add(1_023_998).is_ok());
        assert!(bill.add(1_023_999).is_err());
        assert_eq!(bill.records(), 1);
    }

    #[test]
    fn a_flush_ends_an_aggregate_and_an_empty_one_costs_nothing() {
        let mut bill = AggregatedBill::new();
        bill.end_of_flush();
        assert_eq!((bill.records(), bill.billed()), (0, 0));
        bill.add(100).unwrap();
        bill.end_of_flush();
        bill.end_of_flush();
        bill.add(100).unwrap();
        assert_eq!((bill.records(), bill.billed()), (2, 10_240));
    }
}
