//! A fake of Amazon Data Firehose, and the small client that delivers records to it.
//!
//! It exists so that the test harness can measure what a Fluent Bit pipeline really delivers, in records,
//! bytes and billed bytes, without an AWS account, a container or a Python process.
//!
//! The rule it keeps: a call over a documented limit is refused as a whole with the error code of the real
//! `PutRecordBatch`, and a record counts as received only when the answer tells the sender that it was
//! accepted. The `Authorization` header has to be complete, but its signature is **not** verified.
//!
//! - [`Firehose`]: the server, on its own thread; [`FirehoseFault`] makes it misbehave, [`Received`] counts.
//! - [`Batcher`] and [`FirehoseClient`]: pack records as Fluent Bit's `out_kinesis_firehose` does, and deliver them.
//! - [`billed_bytes`] and [`AggregatedBill`]: what AWS would bill for them.

mod batch;
mod client;
mod http;
mod outcome;
mod protocol;
mod server;
mod signing;
mod state;

pub use batch::{Batch, Batcher};
pub use client::FirehoseClient;
pub use nodesieve_preview::billing::{AggregatedBill, BILLING_STEP, MAX_RECORD_BYTES, Refused, billed_bytes};
pub use outcome::{DeliverError, PutOutcome};
pub use protocol::{MAX_BODY_BYTES, MAX_CALL_BYTES, MAX_RECORDS_PER_CALL};
pub use server::{Firehose, FirehoseOptions};
pub use signing::RequestSigner;
pub use state::{FirehoseFault, Received};
