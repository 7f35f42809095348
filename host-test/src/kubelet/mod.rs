//! A fake of a node's kubelet, as far as a pod list goes: TLS, a bearer token, `GET /pods`, and the
//! failure modes of a real one.
//!
//! It exists so that the sidecar, and Fluent Bit's built-in filter beside it, can be tested against them. The rule it
//! keeps: the failure mode can be changed at any time, and every request is counted.
//!
//! - [`FakeKubelet`]: the server; [`FailureMode`] makes it misbehave, [`RequestCounts`] counts.
//! - [`FakePodsApi`]: its Pods API on a Unix socket; [`StreamMode`] makes that misbehave.
//! - [`FakePod`]: a pod for its list.

mod answer;
mod failure_mode;
mod http;
mod pod;
mod pods_api;

pub use failure_mode::FailureMode;
pub use pod::{FakePod, items, list};
pub use pods_api::{FakePodsApi, StreamCounts, StreamMode};

use crate::fake::{FakeError, FakeOptions, FakeServer};
use http::SharedKubelet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How to start a [`FakeKubelet`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubeletOptions {
    /// TCP port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The bearer token that it wants to see; any if `None`.
    pub token: Option<String>,
    /// Whether `PUT /fake/mode`, `PUT /fake/stream-mode` and `PUT /fake/pods` change what it does and answers.
    pub is_controlled: bool,
    /// Where its Pods API listens; nowhere if `None`.
    pub pods_api: Option<PathBuf>,
}

/// What was asked since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// TCP connections accepted.
    pub connections: u64,
    /// TLS handshakes that failed, for instance because the other side does not trust the certificate.
    pub failed_handshakes: u64,
    /// Requests for `/pods`.
    pub pods: u64,
    /// Requests for anything else: ours are none.
    pub others: u64,
    /// Requests with a wrong token or without one.
    pub strangers: u64,
    /// Lists that were answered whole.
    pub lists: u64,
}

/// A running fake. Dropping it closes all connections, also those that hang, and ends its thread.
pub struct FakeKubelet {
    server: FakeServer,
    shared: Arc<SharedKubelet>,
}

impl FakeKubelet {
    /// Starts a fake on 127.0.0.1 that answers with `pod_list`; it accepts connections when this returns.
    ///
    /// # Errors
    /// [`FakeError`] when the address, the certificate or the thread cannot be had.
    pub fn start(options: KubeletOptions, pod_list: impl Into<Vec<u8>>) -> Result<FakeKubelet, FakeError> {
        let pod_list = pod_list.into();
        let pods_api =
            options.pods_api.map(|socket| FakePodsApi::start(&socket, &items(&pod_list))).transpose()?;
        let shared = SharedKubelet::new(options.token, options.is_controlled, pod_list, pods_api);
        let shared = Arc::new(shared);
        let routes = http::routes(Arc::clone(&shared));
        let fake = FakeOptions { name: "fake kubelet", port: options.port, has_tls: true };
        let opener = Arc::clone(&shared);
        let server = FakeServer::start(fake, routes, move |socket, handshake| {
            http::open(Arc::clone(&opener), socket, handshake)
        })?;
        Ok(FakeKubelet { server, shared })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The base URL without a slash at the end.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The CA certificate that the server's is signed with (for `localhost` and 127.0.0.1), as PEM.
    pub fn ca_pem(&self) -> &str {
        self.server.ca_pem().unwrap_or_default()
    }

    /// Behaves like this from the next request on. What hangs is answered 503.
    pub fn set_mode(&self, mode: FailureMode) {
        self.shared.set_mode(mode);
    }

    /// Its Pods API behaves like this from the next request on.
    pub fn set_stream_mode(&self, mode: StreamMode) {
        self.shared.set_stream_mode(mode);
    }

    /// Answers with another list from the next request on, and tells who follows its Pods API what has changed.
    pub fn set_pods(&self, pod_list: impl Into<Vec<u8>>) {
        self.shared.set_pods(pod_list.into());
    }

    /// A snapshot of the counts.
    pub fn asked(&self) -> RequestCounts {
        self.shared.asked()
    }

    /// Blocks until `condition` holds for the counts, `timeout` at most; tells whether it holds.
    pub fn wait_until(&self, condition: impl Fn(&RequestCounts) -> bool, timeout: Duration) -> bool {
        self.shared.wait_until(condition, timeout)
    }
}
