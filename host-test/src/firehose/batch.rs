//! Packs records into batches that fit one `PutRecordBatch` call.
//!
//! It exists so that the harness sends what Fluent Bit's `out_kinesis_firehose` would: each record with a
//! newline at its end, 500 records at most per call, records of 1,024,000 bytes and more discarded.
//!
//! The rule it keeps: a record is in exactly one batch or is refused and counted; none is cut or lost.
//!
//! One difference: the plugin limits the request body, base64 and JSON included, to 4 MiB, which is about
//! 3 MiB of data; this one uses the limit of the API, 4 MiB of data. The number of calls may therefore be
//! lower than the plugin's for large records; the records, and with them the bill, are the same.

use super::protocol::{MAX_CALL_BYTES, MAX_RECORDS_PER_CALL};
use nodesieve_preview::billing::Refused;

/// Records for one call, each with its newline: 1 to 500 of them, 4 MiB at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    records: Vec<Vec<u8>>,
    bytes: usize,
}

impl Batch {
    /// The records, as [`super::FirehoseClient::put`] takes them.
    #[must_use]
    pub fn records(&self) -> &[Vec<u8>] {
        &self.records
    }

    /// Bytes of all records (before base64), newlines included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The records by value.
    #[must_use]
    pub fn into_records(self) -> Vec<Vec<u8>> {
        self.records
    }
}

/// Packs records into batches, in the order in which they are added.
#[derive(Debug, Clone, Default)]
pub struct Batcher {
    open: Batch,
    refused: u64,
    refused_bytes: u64,
}

impl Batcher {
    /// A batcher without records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a record (without its newline, which is appended here) and returns the batch that became full:
    /// either the previous records, because this one did not fit any more, or all 500 including this one.
    ///
    /// # Errors
    /// [`Refused`], also counted in [`Batcher::refused`]; the batch stays as it was.
    pub fn add(&mut self, record: &[u8]) -> Result<Option<Batch>, Refused> {
        let length = Refused::check(record.len()).inspect_err(|_| {
            self.refused += 1;
            self.refused_bytes += record.len() as u64;
        })?;
        let mut line = Vec::with_capacity(length);
        line.extend_from_slice(record);
        line.push(b'\n');

        let overfull = self.open.bytes + length > MAX_CALL_BYTES;
        let mut full = if overfull { self.finish() } else { None };
        self.open.bytes += length;
        self.open.records.push(line);
        if self.open.records.len() == MAX_RECORDS_PER_CALL {
            full = self.finish();
        }
        Ok(full)
    }

    /// Takes the records that are left, `None` if there are none. The batcher can still be used.
    pub fn finish(&mut self) -> Option<Batch> {
        (!self.open.records.is_empty()).then(|| std::mem::take(&mut self.open))
    }

    /// Number of records refused so far.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Bytes of the records refused so far, without newlines.
    #[must_use]
    pub fn refused_bytes(&self) -> u64 {
        self.refused_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_handed_out_with_its_500th_record() {
        let mut batcher = Batcher::new();
        for number in 1..=499 {
            assert_eq!(batcher.add(b"line"), Ok(None), "record {number}");
        }
        let batch = batcher.add(b"last").unwrap().unwrap();
        assert_eq!((batch.records().len(), batch.bytes()), (500, 2_500));
        assert_eq!(batch.records()[499], b"last\n");
        assert_eq!(batcher.add(b"501st"), Ok(None));
        assert_eq!(batcher.finish().map(Batch::into_records), Some(vec![b"501st\n".to_vec()]));
        assert_eq!(batcher.finish(), None);
    }

    #[test]
    fn a_batch_may_have_exactly_4_mib() {
        let mut batcher = Batcher::new();
        for _ in 0..4 {
            assert_eq!(batcher.add(&vec![b'x'; 999_999]), Ok(None));
        }
        assert_eq!(batcher.add(&vec![b'y'; 194_303]), Ok(None));
        let full = batcher.add(b"z").unwrap().unwrap();
        assert_eq!((full.records().len(), full.bytes()), (5, MAX_CALL_BYTES));
        assert_eq!(batcher.finish().map(|batch| batch.bytes()), Some(2));
    }

    #[test]
    fn one_byte_over_4_mib_starts_a_new_batch() {
        let mut batcher = Batcher::new();
        for _ in 0..4 {
            assert_eq!(batcher.add(&vec![b'x'; 999_999]), Ok(None));
        }
        let full = batcher.add(&vec![b'y'; 194_304]).unwrap().unwrap();
        assert_eq!((full.records().len(), full.bytes()), (4, 4_000_000));
        assert_eq!(batcher.finish().map(|batch| batch.bytes()), Some(194_305));
    }

    #[test]
    fn refuses_and_counts_long_and_empty_records() {
        let mut batcher = Batcher::new();
        assert_eq!(batcher.add(&vec![b'x'; 1_023_998]), Ok(None));
        let refused = batcher.add(&vec![b'x'; 1_023_999]);
        assert_eq!(refused, Err(Refused::TooLong { length: 1_024_000, limit: 1_024_000 }));
        assert_eq!(batcher.add(b""), Err(Refused::Empty));
        assert_eq!((batcher.refused(), batcher.refused_bytes()), (2, 1_023_999));
        assert_eq!(batcher.finish().map(|batch| batch.bytes()), Some(1_023_999));
    }
}
