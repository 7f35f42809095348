//! Health and metrics over HTTP, for kubelet's probes and for Prometheus.
//!
//! The rule it keeps: it answers at once from the status; no client, however slow and however many there are, delays the
//! polling.

use crate::exposition;
use crate::filter_metrics;
use crate::off_loop::{OffLoop, silence};
use crate::status::{LogEvent, Status};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

/// Why the sidecar did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, or none of this machine's.
    #[error("listen on {address}: {reason}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        reason: std::io::Error,
    },
}

/// What the main loop and the HTTP connections share.
#[derive(Debug)]
pub(crate) struct SharedStatus {
    status: Mutex<Status>,
    filter_metrics: PathBuf,
    /// The main loop is stuck when it has not turned for that long.
    longest_turn: Duration,
    /// Log events that came up while a request was answered; the main loop logs them.
    events: Mutex<Vec<LogEvent>>,
    /// Reads the filter's metrics.
    reading: OffLoop,
}

impl SharedStatus {
    pub(crate) fn new(status: Status, filter_metrics: PathBuf, longest_turn: Duration) -> SharedStatus {
        SharedStatus {
            status: Mutex::new(status),
            filter_metrics,
            longest_turn,
            events: Mutex::default(),
            reading: OffLoop::default(),
        }
    }

    pub(crate) fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log events since this was last called.
    pub(crate) fn take_events(&self) -> Vec<LogEvent> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Everything under `/metrics`: the sidecar's and the filter's.
    pub(crate) async fn metrics(&self) -> String {
        let path = self.filter_metrics.clone();
        let hangs = format!("read filter's metrics {}: {}", path.display(), silence(LONGEST_READ));
        let read = self
            .reading
            .within(LONGEST_READ, move || filter_metrics::read(&path).map_err(|error| error.to_string()));
        let read = read.await.unwrap_or(Err(hangs));
        let now = Instant::now();
        let (filter, found) = match read {
            Ok(Some((text, age))) => (text, Ok(Some(age))),
            Ok(None) => (String::new(), Ok(None)),
            Err(error) => (String::new(), Err(error)),
        };
        let mut status = self.status();
        let events = status.filter_metrics(found, now);
        let mut text = status.render(now);
        drop(status);
        self.events.lock().unwrap_or_else(PoisonError::into_inner).extend(events);
        text.push_str(&filter);
        text
    }

    async fn answer(&self, method: &Method, path: &str) -> (StatusCode, String) {
        if method != Method::GET && method != Method::HEAD {
            return (StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".to_owned());
        }
        let now = Instant::now();
        match path {
            "/healthz" => {
                let silent = now.saturating_duration_since(self.status().last_turn());
                if silent <= self.longest_turn {
                    (StatusCode::OK, "ok\n".to_owned())
                } else {
                    (StatusCode::SERVICE_UNAVAILABLE, format!("stuck for {} s\n", silent.as_secs()))
                }
            }
            "/readyz" => {
                let status = self.status();
                match (status.is_ready(now), status.has_list()) {
                    (true, true) => (StatusCode::OK, "ready\n".to_owned()),
                    (true, false) => (StatusCode::OK, "ready, without a list so far\n".to_owned()),
                    (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "no list so far\n".to_owned()),
                }
            }
            "/metrics" => (StatusCode::OK, self.metrics().await),
            _ => (StatusCode::NOT_FOUND, "/healthz, /readyz and /metrics\n".to_owned()),
        }
    }
}

/// The server.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<SharedStatus>,
}

impl Server {
    /// Listens on `address`; in place of all IPv6 addresses on all IPv4 addresses where there is no IPv6.
    pub(crate) async fn bind(address: SocketAddr, shared: Arc<SharedStatus>) -> Result<Server, StartError> {
        let mut bound = TcpListener::bind(address).await;
        let is_taken = |error: &std::io::Error| {
            matches!(error.kind(), std::io::ErrorKind::AddrInUse | std::io::ErrorKind::PermissionDenied)
        };
        if address.is_ipv6()
            && address.ip().is_unspecified()
            && bound.as_ref().is_err_and(|error| !is_taken(error))
        {
            bound = TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await;
        }
        let failed = |reason| StartError::Bind { address, reason };
        let listener = bound.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Server { listener, address, shared })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `end` is there or its sender is gone; what is being answered then gets half a second.
    pub(crate) async fn run(self, mut end: oneshot::Receiver<()>) {
        let mut connections = JoinSet::new();
        let mut by_age: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            tokio::select! {
                _ = &mut end => break,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((socket, _)) => {
                        by_age.retain(|connection| !connection.is_finished());
                        // Kubelet's probe must not wait behind connections that send nothing.
                        if by_age.len() >= MOST_CONNECTIONS && let Some(oldest) = by_age.pop_front() {
                            oldest.abort();
                        }
                        by_age.push_back(connections.spawn(serve(socket, Arc::clone(&self.shared))));
                    }
                    // The peer has gone, or there are no more file descriptors: let the open ones end.
                    Err(_) => tokio::time::sleep(PAUSE).await,
                },
            }
        }
        drop(self.listener);
        let _ = timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await;
    }
}

/// Answers one request, with a limit to how long it may take.
async fn serve(socket: TcpStream, shared: Arc<SharedStatus>) {
    let service = service_fn(|request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move {
            let (status, mut text) = shared.answer(request.method(), request.uri().path()).await;
            let mut content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            let accepted = request.headers().get(ACCEPT).and_then(|accepted| accepted.to_str().ok());
            if request.uri().path() == "/metrics"
                && accepted.is_some_and(|accepted| accepted.contains("application/openmetrics-text"))
                && let Some(openmetrics) = exposition::openmetrics(&text)
            {
                text = openmetrics;
                content_type =
                    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
            }
            let mut response = Response::new(Full::new(Bytes::from(text)));
            *response.status_mut() = status;
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    http.keep_alive(false).max_buf_size(MAX_BUFFER).timer(TokioTimer::new()).header_read_timeout(LONGEST);
    // An error means that the peer broke off; there is nobody to tell.
    let _ = timeout(LONGEST, http.serve_connection(TokioIo::new(socket), service)).await;
}

/// Connections at a time: probes, a few scrapers, and those that hang. One more ends the oldest.
const MOST_CONNECTIONS: usize = 64;
/// How long reading the filter's metrics may take: a scraper waits for ten seconds by default.
const LONGEST_READ: Duration = Duration::from_secs(2);
/// How long a connection may take.
const LONGEST: Duration = Duration::from_secs(10);
/// How long connections have when the sidecar is to stop.
const DRAIN: Duration = Duration::from_millis(500);
/// After a failure to accept.
const PAUSE: Duration = Duration::from_millis(100);
/// For requests, in bytes; hyper's least is 8192.
const MAX_BUFFER: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(longest_turn: Duration) -> SharedStatus {
        let now = Instant::now();
        SharedStatus::new(Status::new(Duration::from_secs(3600), now), "/nonexistent".into(), longest_turn)
    }

    fn answer(shared: &SharedStatus, method: &Method, path: &str) -> (StatusCode, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(shared.answer(method, path))
    }

    #[test]
    fn scrapers_that_come_together_get_the_filters_numbers_each() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("metrics.prom");
        std::fs::write(&file, "nodesieve_x 1\n").unwrap();
        let status = Status::new(Duration::from_secs(3600), Instant::now());
        let shared = SharedStatus::new(status, file, Duration::from_secs(3600));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (one, other) = runtime.block_on(async { tokio::join!(shared.metrics(), shared.metrics()) });
        assert!(one.contains("\nnodesieve_x 1\n") && other.contains("\nnodesieve_x 1\n"));
        assert_eq!(shared.take_events(), []);
    }

    #[track_caller]
    fn check(shared: &SharedStatus, path: &str, status: u16, text: &str) {
        let (got, said) = answer(shared, &Method::GET, path);
        assert_eq!((got.as_u16(), said.as_str()), (status, text));
    }

    #[test]
    fn each_path_has_its_answer() {
        let shared = shared(Duration::from_secs(3600));
        check(&shared, "/healthz", 200, "ok\n");
        check(&shared, "/readyz", 503, "no list so far\n");
        check(&shared, "/", 404, "/healthz, /readyz and /metrics\n");
        let (status, text) = answer(&shared, &Method::GET, "/metrics");
        assert!(status == 200 && text.contains("\nnodesieve_sidecar_ready 0\n"), "{text}");
        assert_eq!(answer(&shared, &Method::POST, "/healthz").0, 405);
    }

    #[test]
    fn a_main_loop_that_is_stuck_is_not_healthy() {
        let shared = shared(Duration::ZERO);
        while shared.status().last_turn() >= Instant::now() {}
        check(&shared, "/healthz", 503, "stuck for 0 s\n");
    }

    #[test]
    fn metrics_of_the_filter_that_cannot_be_served_are_told_once() {
        let shared = SharedStatus { filter_metrics: "/proc".into(), ..shared(Duration::ZERO) };
        answer(&shared, &Method::GET, "/metrics");
        answer(&shared, &Method::GET, "/metrics");
        let events = shared.take_events();
        assert!(
            matches!(events.as_slice(), [LogEvent::Warning(text)] if text.starts_with("read filter's metrics /proc: ")),
            "{events:?}"
        );
        assert_eq!(shared.take_events(), []);
    }
}
