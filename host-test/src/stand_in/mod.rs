//! What the stand-ins for Firehose and kubelet have in common: a thread with a server on 127.0.0.1, and its certificate.
//!
//! The rule kept here: a server never outlives its value, and everything that can go wrong at the start (port,
//! certificate, thread) goes wrong in `StandIn::start`, never later on the thread.

mod tls;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// Why a stand-in did not start.
#[derive(Debug, thiserror::Error)]
pub enum StandInError {
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

/// A running server. Dropping it closes all connections and ends its thread.
pub(crate) struct StandIn {
    address: SocketAddr,
    ca_pem: Option<String>,
    /// Dropping the sender tells the thread to end.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl StandIn {
    /// Starts a server on 127.0.0.1 at `port`, any if 0, which hands its connections to `connection`, with what does their
    /// TLS if there is any. It accepts connections when this returns.
    pub(crate) fn start<C, F>(
        name: &'static str,
        port: u16,
        with_tls: bool,
        connection: C,
    ) -> Result<StandIn, StandInError>
    where
        C: Fn(TcpStream, Option<TlsAcceptor>) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let thread_error = |reason| StandInError::Thread { name, address: wanted, reason };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(thread_error)?;
        let (listener, address) =
            bind(&runtime, wanted).map_err(|reason| StandInError::Bind { name, address: wanted, reason })?;
        let (ca_pem, acceptor) = match with_tls {
            true => tls::identity(name)
                .map(|(pem, acceptor)| (Some(pem), Some(acceptor)))
                .map_err(|reason| StandInError::Certificate { name, address, reason })?,
            false => (None, None),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(listener, acceptor, connection) => {}
                        // An error means that the sender was dropped, which is how the owner says stop. The runtime ends
                        // with this closure and drops all connections, also the stalled ones.
                        _ = stopped => {}
                    }
                });
            })
            .map_err(thread_error)?;
        Ok(StandIn { address, ca_pem, stop: Some(stop), thread: Some(thread) })
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

    /// The certificate of who has signed the server's, as PEM; `None` without TLS.
    pub(crate) fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }
}

impl Drop for StandIn {
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

async fn accept<C, F>(listener: TcpListener, acceptor: Option<TlsAcceptor>, connection: C)
where
    C: Fn(TcpStream, Option<TlsAcceptor>) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            // The peer has gone, or there are no more file descriptors: let the open connections end.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let _ = socket.set_nodelay(true);
        tokio::spawn(connection(socket, acceptor.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn start(port: u16) -> Result<StandIn, StandInError> {
        // Holds its connections open.
        StandIn::start("test", port, false, |socket, _| async move {
            std::future::pending::<()>().await;
            drop(socket);
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
