//! The stand-in's HTTP server: one thread, one address, one delivery stream.
//!
//! It exists so that a test or a bench starts a Firehose in one line and drops it at the end. The rule it
//! keeps: the server never outlives its [`Firehose`] value, and everything that can go wrong at the start
//! (port, certificate, thread) goes wrong in [`Firehose::start`], never later on the thread.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::http::Server;
use super::state::{Fault, Received, Shared};
use super::tls;

/// How to start a [`Firehose`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Serve HTTPS with a certificate made at the start, see [`Firehose::ca_pem`].
    pub tls: bool,
    /// TCP port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Name of the only delivery stream there is.
    pub stream: String,
    /// Keep the data of accepted records in memory for [`Firehose::records`]; `false` only counts them.
    pub keep_records: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { tls: false, port: 0, stream: "nodesieve".into(), keep_records: true }
    }
}

/// Why a [`Firehose`] did not start.
#[derive(Debug, thiserror::Error)]
pub enum FirehoseError {
    /// The address is taken or not permitted.
    #[error("bind firehose stand-in to {address}: {reason}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        reason: std::io::Error,
    },
    /// No certificate for HTTPS.
    #[error("make certificate for firehose stand-in on {address}: {reason}")]
    Certificate {
        /// The address of the server.
        address: SocketAddr,
        /// What rcgen or rustls said.
        reason: String,
    },
    /// No runtime or no thread.
    #[error("start thread of firehose stand-in on {address}: {reason}")]
    Thread {
        /// The address of the server.
        address: SocketAddr,
        /// What the system said.
        reason: std::io::Error,
    },
}

/// A running stand-in. Dropping it closes all connections and ends its thread.
pub struct Firehose {
    address: SocketAddr,
    ca_pem: Option<String>,
    shared: Arc<Shared>,
    /// Dropping the sender tells the thread to end.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Firehose {
    /// Starts a stand-in on 127.0.0.1; it accepts connections when this returns.
    ///
    /// # Errors
    /// [`FirehoseError`] when the address, the certificate or the thread cannot be had.
    pub fn start(options: Options) -> Result<Firehose, FirehoseError> {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let thread_error = |reason| FirehoseError::Thread { address: wanted, reason };
        let runtime = Builder::new_current_thread().enable_io().build().map_err(thread_error)?;
        let (listener, address) = bind(&runtime, wanted)?;
        let (ca_pem, acceptor) = match options.tls {
            true => tls::self_signed()
                .map(|(pem, acceptor)| (Some(pem), Some(acceptor)))
                .map_err(|reason| FirehoseError::Certificate { address, reason })?,
            false => (None, None),
        };
        let shared = Arc::new(Shared::new(options.keep_records));
        let (stop, stopped) = oneshot::channel::<()>();
        let server = Server { stream: options.stream.into(), shared: Arc::clone(&shared) };
        let thread = std::thread::Builder::new()
            .name("firehose".into())
            .spawn(move || {
                runtime.spawn(accept(listener, acceptor, server));
                // An error means that the sender was dropped, which is how the owner says stop. The runtime
                // ends with this closure and drops all connections, also the stalled ones.
                let _ = runtime.block_on(stopped);
            })
            .map_err(|reason| FirehoseError::Thread { address, reason })?;
        Ok(Firehose { address, ca_pem, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL, `http://127.0.0.1:PORT` or `https://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.ca_pem.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The certificate, which is its own CA, as PEM (for `localhost` and 127.0.0.1); `None` without TLS.
    ///
    /// Fluent Bit's `kinesis_firehose` output speaks nothing but TLS and refuses the property `tls`: write
    /// this to a file and give it `endpoint`, `port` and `tls.ca_file`.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// A snapshot of the totals; never half a call.
    #[must_use]
    pub fn received(&self) -> Received {
        self.shared.received()
    }

    /// Copies of the accepted records (decoded) in the order of their arrival; empty without
    /// [`Options::keep_records`].
    #[must_use]
    pub fn records(&self) -> Vec<Vec<u8>> {
        self.shared.records()
    }

    /// As [`Firehose::records`], but hands the records over and forgets them; the totals stay.
    #[must_use]
    pub fn take_records(&self) -> Vec<Vec<u8>> {
        self.shared.take_records()
    }

    /// Misbehaves from the next call on; [`Fault::None`] behaves again.
    pub fn set_fault(&self, fault: Fault) {
        self.shared.set_fault(fault);
    }

    /// Blocks until `condition` holds for the totals, `timeout` at most; tells whether it holds. The
    /// condition is called under the lock of the totals and must not call this value.
    pub fn wait_until(&self, condition: impl Fn(&Received) -> bool, timeout: Duration) -> bool {
        self.shared.wait_until(condition, timeout)
    }
}

impl Drop for Firehose {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn bind(runtime: &Runtime, address: SocketAddr) -> Result<(TcpListener, SocketAddr), FirehoseError> {
    let _context = runtime.enter();
    let listen = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((TcpListener::from_std(listener)?, address))
    };
    listen().map_err(|reason| FirehoseError::Bind { address, reason })
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, server: Server) {
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            // The peer has gone, or there are no more file descriptors: let the open connections end.
            tokio::task::yield_now().await;
            continue;
        };
        let _ = socket.set_nodelay(true);
        server.shared.count(|received| received.connections += 1);
        let (acceptor, server) = (acceptor.clone(), server.clone());
        tokio::spawn(async move {
            match acceptor {
                None => server.connection(socket).await,
                Some(acceptor) => match acceptor.accept(socket).await {
                    Ok(socket) => server.connection(socket).await,
                    Err(_) => server.shared.count(|received| received.failed_handshakes += 1),
                },
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Firehose {
        Firehose::start(Options::default()).unwrap()
    }

    #[test]
    fn names_the_address_that_is_taken() {
        let firehose = start();
        let port = firehose.address().port();
        let Err(error) = Firehose::start(Options { port, ..Options::default() }) else {
            panic!("port {port} was given out twice");
        };
        assert!(error.to_string().starts_with(&format!("bind firehose stand-in to 127.0.0.1:{port}: ")));
    }

    #[test]
    fn closes_open_connections_on_drop() {
        let firehose = start();
        let mut socket = std::net::TcpStream::connect(firehose.address()).unwrap();
        assert!(firehose.wait_until(|received| received.connections == 1, Duration::from_secs(30)));
        drop(firehose);
        assert!(matches!(std::io::Read::read(&mut socket, &mut [0]), Ok(0) | Err(_)));
    }
}
