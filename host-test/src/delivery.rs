//! Kept records on their way to Firehose: packed as `kinesis_firehose` packs them, sent, and billed.

use crate::firehose::{AggregatedBill, Batch, Batcher, Client, DeliverError, billed_bytes};

/// Sends records to an endpoint.
#[derive(Debug)]
pub struct Delivery {
    client: Client,
    batcher: Batcher,
    bill: Bill,
    delivered: u64,
    calls: u64,
}

/// What Firehose bills for records, each a line of its own or aggregated.
#[derive(Debug)]
pub struct Bill {
    per_record: u64,
    aggregated: AggregatedBill,
}

impl Bill {
    /// Nothing billed.
    pub fn new() -> Bill {
        Bill { per_record: 0, aggregated: AggregatedBill::new() }
    }

    /// Adds a record of this many bytes, its newline not included.
    pub fn add(&mut self, length: usize) {
        let line = length.saturating_add(1);
        self.per_record = self.per_record.saturating_add(billed_bytes(line));
        // A line too large to aggregate is refused, here as by the output, and billed nothing.
        let _ = self.aggregated.add(length);
    }

    /// Bytes billed when each line is a record.
    pub fn per_record(&self) -> u64 {
        self.per_record
    }

    /// Bytes billed when lines are joined into records of up to 1,000 KiB.
    pub fn aggregated(&self) -> u64 {
        self.aggregated.billed()
    }
}

impl Default for Bill {
    fn default() -> Bill {
        Bill::new()
    }
}

impl Delivery {
    /// A delivery to the endpoint of this client.
    pub fn new(client: Client) -> Delivery {
        Delivery { client, batcher: Batcher::new(), bill: Bill::new(), delivered: 0, calls: 0 }
    }

    /// Takes one record.
    ///
    /// # Errors
    /// [`DeliverError`] when a full batch was sent and not accepted.
    pub fn add(&mut self, record: &[u8]) -> Result<(), DeliverError> {
        match self.batcher.add(record) {
            Ok(full) => {
                self.bill.add(record.len());
                full.map_or(Ok(()), |batch| self.send(&batch))
            }
            // Too large for Firehose: the batcher counts it, as `undeliverable` reports.
            Err(_) => Ok(()),
        }
    }

    /// Sends what is left.
    ///
    /// # Errors
    /// [`DeliverError`] when it was not accepted.
    pub fn finish(&mut self) -> Result<(), DeliverError> {
        self.batcher.finish().map_or(Ok(()), |batch| self.send(&batch))
    }

    /// Records that the endpoint accepted.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Records that are too large for Firehose.
    pub fn undeliverable(&self) -> u64 {
        self.batcher.refused()
    }

    /// Calls made.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// What is billed.
    pub fn bill(&self) -> &Bill {
        &self.bill
    }

    fn send(&mut self, batch: &Batch) -> Result<(), DeliverError> {
        let outcome = self.client.put(batch.records())?;
        self.delivered = self.delivered.saturating_add(outcome.accepted as u64);
        self.calls = self.calls.saturating_add(outcome.calls as u64);
        Ok(())
    }
}
