//! Kept records on their way to Firehose: packed as `kinesis_firehose` packs them, and sent.

use crate::firehose::{Batch, Batcher, DeliverError, FirehoseClient};

/// Sends records to an endpoint.
#[derive(Debug)]
pub struct Delivery {
    client: FirehoseClient,
    batcher: Batcher,
    delivered: u64,
    calls: u64,
}

impl Delivery {
    /// A delivery to the endpoint of this client.
    pub fn new(client: FirehoseClient) -> Delivery {
        Delivery { client, batcher: Batcher::new(), delivered: 0, calls: 0 }
    }

    /// Takes one record.
    ///
    /// # Errors
    /// [`DeliverError`] when a full batch was sent and not accepted.
    pub fn add(&mut self, record: &[u8]) -> Result<(), DeliverError> {
        match self.batcher.add(record) {
            Ok(full) => full.map_or(Ok(()), |batch| self.send(&batch)),
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

    fn send(&mut self, batch: &Batch) -> Result<(), DeliverError> {
        let outcome = self.client.put(batch.records())?;
        self.delivered = self.delivered.saturating_add(outcome.accepted as u64);
        self.calls = self.calls.saturating_add(outcome.calls as u64);
        Ok(())
    }
}
