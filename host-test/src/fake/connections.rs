//! Connections on their way to HTTP.
//!
//! It exists because a fake has to fail below HTTP too: refuse a connection, or break off its TLS handshake. The rule it
//! keeps: each connection is opened in a task of its own, so one that never gets through its handshake holds up no other.

use axum::serve::Listener;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// A connection on which HTTP is spoken, with TLS or without.
pub(crate) type Socket = Box<dyn Duplex>;

/// Both directions of a connection.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A connection as a [`Socket`].
pub(crate) fn boxed(stream: impl Duplex + 'static) -> Socket {
    Box::new(stream)
}

/// The server's side of a TLS handshake, if it speaks TLS.
#[derive(Clone)]
pub(crate) struct Handshake(Option<TlsAcceptor>);

impl Handshake {
    pub(super) fn tls(acceptor: TlsAcceptor) -> Handshake {
        Handshake(Some(acceptor))
    }

    pub(super) fn none() -> Handshake {
        Handshake(None)
    }

    /// Shakes hands; without TLS there is nothing to do.
    ///
    /// # Errors
    /// What the other side made of the certificate, or that it has gone.
    pub(crate) async fn accept(self, socket: TcpStream) -> io::Result<Socket> {
        match self.0 {
            None => Ok(boxed(socket)),
            Some(acceptor) => acceptor.accept(socket).await.map(boxed),
        }
    }
}

/// The opened connections, in the order in which they are ready. Its tasks end with the runtime.
pub(super) struct Connections {
    opened: mpsc::Receiver<Socket>,
    address: SocketAddr,
}

impl Connections {
    /// Accepts connections and has each opened by `open`.
    pub(super) fn accept<O, F>(
        listener: TcpListener,
        address: SocketAddr,
        handshake: Handshake,
        open: O,
    ) -> Connections
    where
        O: Fn(TcpStream, Handshake) -> F + Send + 'static,
        F: Future<Output = Option<Socket>> + Send + 'static,
    {
        let (sender, opened) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let Ok((socket, _)) = listener.accept().await else {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                let _ = socket.set_nodelay(true);
                let (sender, opening) = (sender.clone(), open(socket, handshake.clone()));
                tokio::spawn(async move {
                    if let Some(socket) = opening.await {
                        let _ = sender.send(socket).await;
                    }
                });
            }
        });
        Connections { opened, address }
    }
}

impl Listener for Connections {
    type Io = Socket;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Socket, SocketAddr) {
        match self.opened.recv().await {
            Some(socket) => (socket, self.address),
            // The task that accepts never ends before the runtime does.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// After a failure to accept, because the peer has gone or there are no more file descriptors: lets open connections end.
const PAUSE: Duration = Duration::from_millis(10);
