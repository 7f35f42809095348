//! What the fake Firehose, the fake kubelet and the playground have in common: a thread with a server on 127.0.0.1, and its
//! certificate.
//!
//! The rules kept here: a server never outlives its value, and everything that can go wrong at the start (port, certificate,
//! thread) goes wrong in `FakeServer::start`, never later on the thread.

mod connections;
mod tls;

pub(crate) use connections::{Handshake, Socket};

use axum::Router;
use connections::Connections;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum FakeError {
    /// The address is taken or not permitted.
    #[error("bind {name} to {address}: {reason}")]
    Bind {
        /// What it is.
        name: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        reason: std::io::Error,
    },
    /// No certificate for HTTPS.
    #[error("make certificate for {name} on {address}: {reason}")]
    Certificate {
        /// What it is.
        name: &'static str,
        /// The address of the server.
        address: SocketAddr,
        /// What rcgen or rustls said.
        reason: String,
    },
    /// No socket, or no thread behind it.
    #[error("serve on socket {path}: {reason}")]
    Socket {
        /// The socket.
        path: std::path::PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// No runtime or no thread.
    #[error("start thread of {name} on {address}: {reason}")]
    Thread {
        /// What it is.
        name: &'static str,
        /// The address of the server.
        address: SocketAddr,
        /// What the system said.
        reason: std::io::Error,
    },
}

/// How to start a [`FakeServer`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct FakeOptions {
    /// What it is, for errors and as the name of its thread.
    pub(crate) name: &'static str,
    /// TCP port on 127.0.0.1, any if 0.
    pub(crate) port: u16,
    /// Whether it speaks HTTPS, with a certificate made at the start.
    pub(crate) has_tls: bool,
}

/// A running server. Dropping it closes all connections and ends its thread.
pub(crate) struct FakeServer {
    address: SocketAddr,
    ca_pem: Option<String>,
    /// Dropping the sender tells the thread to end.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeServer {
    /// Starts a server that answers with `routes`; it accepts connections when this returns. `open` gets each connection
    /// before there is any HTTP on it, so that a failure below HTTP can be played there; it returns what HTTP is then
    /// spoken on, or nothing.
    pub(crate) fn start<O, F>(options: FakeOptions, routes: Router, open: O) -> Result<FakeServer, FakeError>
    where
        O: Fn(TcpStream, Handshake) -> F + Send + 'static,
        F: Future<Output = Option<Socket>> + Send + 'static,
    {
        let FakeOptions { name, port, has_tls } = options;
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let thread_error = |reason| FakeError::Thread { name, address: wanted, reason };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(thread_error)?;
        let (listener, address) =
            bind(&runtime, wanted).map_err(|reason| FakeError::Bind { name, address: wanted, reason })?;
        let (ca_pem, handshake) = match has_tls {
            true => tls::identity(name)
                .map(|(pem, acceptor)| (Some(pem), Handshake::tls(acceptor)))
                .map_err(|reason| FakeError::Certificate { name, address, reason })?,
            false => (None, Handshake::none()),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                runtime.block_on(async {
                    let connections = Connections::accept(listener, address, handshake, open);
                    tokio::select! {
                        // axum's server never ends by itself.
                        _ = axum::serve(connections, routes).into_future() => {}
                        // An error means that the sender was dropped, which is how the owner says stop. The runtime ends
                        // with this closure and drops all connections, also the stalled ones.
                        _ = stopped => {}
                    }
                });
            })
            .map_err(thread_error)?;
        Ok(FakeServer { address, ca_pem, stop: Some(stop), thread: Some(thread) })
    }

    /// The address it listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL without a slash at the end.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.ca_pem.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The CA certificate that the server's is signed with, as PEM; `None` without TLS.
    pub(crate) fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn bind(runtime: &Runtime, address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let _context = runtime.enter();
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((TcpListener::from_std(listener)?, address))
}

#[cfg(test)]
mod tests {
    use super::connections::boxed;
    use super::*;
    use std::io::Read as _;

    fn start(port: u16) -> Result<FakeServer, FakeError> {
        let options = FakeOptions { name: "test", port, has_tls: false };
        // Holds its connections open.
        FakeServer::start(options, Router::new(), |socket, _| async move {
            std::future::pending::<()>().await;
            Some(boxed(socket))
        })
    }

    #[test]
    fn names_the_address_that_is_taken() {
        let first = start(0).unwrap();
        let port = first.address().port();
        let Err(error) = start(port) else { panic!("port {port} was given out twice") };
        assert!(error.to_string().starts_with(&format!("bind test to 127.0.0.1:{port}: ")));
    }

    #[test]
    fn closes_open_connections_on_drop() {
        let server = start(0).unwrap();
        let mut socket = std::net::TcpStream::connect(server.address()).unwrap();
        drop(server);
        assert!(matches!(socket.read(&mut [0]), Ok(0) | Err(_)));
    }
}
