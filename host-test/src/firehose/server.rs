//! The fake's server: one address, one delivery stream.
//!
//! It exists so that a test or a bench starts a Firehose in one line and drops it at the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::http;
use super::state::{FirehoseFault, Received, SharedFirehose};
use crate::fake::{FakeError, FakeOptions, FakeServer};

/// How to start a [`Firehose`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirehoseOptions {
    /// Serve HTTPS with a certificate made at the start, see [`Firehose::ca_pem`].
    pub tls: bool,
    /// TCP port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Name of the only delivery stream there is.
    pub stream: String,
    /// Keep the data of accepted records in memory for [`Firehose::records`]; `false` only counts them.
    pub keep_records: bool,
}

impl Default for FirehoseOptions {
    fn default() -> Self {
        Self { tls: false, port: 0, stream: "nodesieve".into(), keep_records: true }
    }
}

/// A running fake. Dropping it closes all connections and ends its thread.
pub struct Firehose {
    server: FakeServer,
    shared: Arc<SharedFirehose>,
}

impl Firehose {
    /// Starts a fake on 127.0.0.1; it accepts connections when this returns.
    ///
    /// # Errors
    /// [`FakeError`] when the address, the certificate or the thread cannot be had.
    pub fn start(options: FirehoseOptions) -> Result<Firehose, FakeError> {
        let shared = Arc::new(SharedFirehose::new(options.keep_records));
        let routes = http::routes(options.stream.into(), Arc::clone(&shared));
        let counts = Arc::clone(&shared);
        let fake = FakeOptions { name: "fake firehose", port: options.port, has_tls: options.tls };
        let server = FakeServer::start(fake, routes, move |socket, handshake| {
            let counts = Arc::clone(&counts);
            counts.count(|received| received.connections += 1);
            async move {
                let opened = handshake.accept(socket).await;
                if opened.is_err() {
                    counts.count(|received| received.failed_handshakes += 1);
                }
                opened.ok()
            }
        })?;
        Ok(Firehose { server, shared })
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The base URL, `http://127.0.0.1:PORT` or `https://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The CA certificate that the server's is signed with (for `localhost` and 127.0.0.1), as PEM; `None` without TLS.
    ///
    /// Fluent Bit's `kinesis_firehose` output speaks nothing but TLS and refuses the property `tls`: write
    /// this to a file and give it `endpoint`, `port` and `tls.ca_file`.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.server.ca_pem()
    }

    /// A snapshot of the totals; never half a call.
    #[must_use]
    pub fn received(&self) -> Received {
        self.shared.received()
    }

    /// Copies of the accepted records (decoded) in the order of their arrival; empty without
    /// [`FirehoseOptions::keep_records`].
    #[must_use]
    pub fn records(&self) -> Vec<Vec<u8>> {
        self.shared.records()
    }

    /// As [`Firehose::records`], but hands the records over and forgets them; the totals stay.
    #[must_use]
    pub fn take_records(&self) -> Vec<Vec<u8>> {
        self.shared.take_records()
    }

    /// Misbehaves from the next call on; [`FirehoseFault::None`] behaves again.
    pub fn set_fault(&self, fault: FirehoseFault) {
        self.shared.set_fault(fault);
    }

    /// Blocks until `condition` holds for the totals, `timeout` at most; tells whether it holds. The
    /// condition is called under the lock of the totals and must not call this value.
    pub fn wait_until(&self, condition: impl Fn(&Received) -> bool, timeout: Duration) -> bool {
        self.shared.wait_until(condition, timeout)
    }
}
