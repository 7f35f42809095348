//! The kubelet's side of HTTP, and of what comes before it on a connection.

use super::failure_mode::FailureMode;
use super::{FakePodsApi, RequestCounts, StreamMode, answer, items, list};
use crate::fake::{Handshake, Socket};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, put};
use serde_json::Value;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// What the server's thread and its owner have in common.
pub(super) struct SharedKubelet {
    token: Option<String>,
    is_controlled: bool,
    pods_api: Option<FakePodsApi>,
    inner: Mutex<KubeletState>,
    changed: Condvar,
    /// Ends what hangs.
    released: Notify,
}

struct KubeletState {
    mode: FailureMode,
    pods: Bytes,
    asked: RequestCounts,
}

impl SharedKubelet {
    pub(super) fn new(
        token: Option<String>,
        is_controlled: bool,
        pods: Vec<u8>,
        pods_api: Option<FakePodsApi>,
    ) -> SharedKubelet {
        let inner =
            KubeletState { mode: FailureMode::Ok, pods: pods.into(), asked: RequestCounts::default() };
        SharedKubelet {
            token,
            is_controlled,
            pods_api,
            inner: Mutex::new(inner),
            changed: Condvar::new(),
            released: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, KubeletState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_mode(&self, mode: FailureMode) {
        self.lock().mode = mode;
        self.released.notify_waiters();
    }

    /// Whether there is a Pods API that behaves like this now.
    pub(super) fn set_stream_mode(&self, mode: StreamMode) -> bool {
        self.pods_api.as_ref().inspect(|api| api.set_mode(mode)).is_some()
    }

    pub(super) fn set_pods(&self, pods: Vec<u8>) {
        if let Some(api) = &self.pods_api {
            api.set_pods(&items(&pods));
        }
        self.lock().pods = pods.into();
    }

    pub(super) fn asked(&self) -> RequestCounts {
        self.lock().asked
    }

    fn count(&self, change: impl FnOnce(&mut RequestCounts)) {
        change(&mut self.lock().asked);
        self.changed.notify_all();
    }

    pub(super) fn wait_until(&self, condition: impl Fn(&RequestCounts) -> bool, timeout: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), timeout, |inner| !condition(&inner.asked));
        let (inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        condition(&inner.asked)
    }
}

/// Opens a connection, unless the mode is one in which nobody gets as far as HTTP.
pub(super) async fn open(
    shared: Arc<SharedKubelet>,
    socket: TcpStream,
    handshake: Handshake,
) -> Option<Socket> {
    shared.count(|asked| asked.connections += 1);
    let mode = shared.lock().mode;
    match mode {
        FailureMode::Close => return None,
        FailureMode::NoCertificate => {
            no_certificate(socket).await;
            return None;
        }
        _ => {}
    }
    let opened = handshake.accept(socket).await;
    if opened.is_err() {
        shared.count(|asked| asked.failed_handshakes += 1);
    }
    opened.ok()
}

/// What a TLS server says that has no certificate for the client: the fatal alert `internal_error` (RFC 8446, 6.2).
async fn no_certificate(socket: TcpStream) {
    // Not before the client has spoken: a reset would overtake the alert.
    if socket.readable().await.is_err() || socket.try_read(&mut [0; 4096]).is_err() {
        return;
    }
    let _ = socket.try_write(&[21, 3, 3, 0, 2, 2, 80]);
}

/// `GET /pods`, and with `is_controlled` also what changes the fake while it runs. Everything else is 404, as a kubelet
/// that permits nothing but `/pods` would have it, and counted.
pub(super) fn routes(shared: Arc<SharedKubelet>) -> Router {
    let mut routes = Router::new();
    if shared.is_controlled {
        let controls = Router::new()
            .route("/mode", put(set_mode).fallback(no_control))
            .route("/stream-mode", put(set_stream_mode).fallback(no_control))
            .route("/pods", put(set_pods).fallback(no_control))
            .route("/asked", any(asked))
            .fallback(no_control)
            .layer(DefaultBodyLimit::disable());
        routes = routes.nest("/fake", controls);
    }
    routes.fallback(answer).with_state(shared)
}

async fn answer(State(shared): State<Arc<SharedKubelet>>, request: Request) -> Response {
    let sent = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let is_known = shared.token.as_ref().is_none_or(|token| sent == Some(&format!("Bearer {token}")));
    let is_pods =
        request.method() == Method::GET && request.uri().path() == "/pods" && request.uri().query().is_none();
    shared.count(|asked| {
        let count = if is_pods { &mut asked.pods } else { &mut asked.others };
        *count += 1;
        asked.strangers += u64::from(!is_known);
    });
    if !is_known {
        return respond(StatusCode::UNAUTHORIZED, "Unauthorized");
    }
    if !is_pods {
        return respond(StatusCode::NOT_FOUND, "404 page not found\n");
    }
    let (mode, pods) = {
        let inner = shared.lock();
        (inner.mode, inner.pods.clone())
    };
    if mode == FailureMode::Hang {
        // A kubelet that hangs is restarted one day, and with it end its connections.
        shared.released.notified().await;
        return respond(StatusCode::SERVICE_UNAVAILABLE, "restarting\n");
    }
    if mode == FailureMode::Ok {
        shared.count(|asked| asked.lists += 1);
    }
    misbehave(mode, pods)
}

fn misbehave(mode: FailureMode, pods: Bytes) -> Response {
    let ok = |body: Body| respond(StatusCode::OK, body);
    match mode {
        FailureMode::Ok | FailureMode::Hang | FailureMode::NoCertificate | FailureMode::Close => {
            ok(pods.into())
        }
        FailureMode::Empty => ok(r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]}"#.into()),
        FailureMode::Null => ok(r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":null}"#.into()),
        FailureMode::NoItems => ok("{}".into()),
        FailureMode::Array => ok("[]".into()),
        FailureMode::BrokenOff => answer::broken_off(ok(answer::half_and_reset(&pods)), pods.len()),
        FailureMode::Cut => ok(answer::half(&pods).into()),
        FailureMode::Tiny => ok(first_pod(&pods).into()),
        FailureMode::Slow => ok(answer::slow(pods)),
        FailureMode::Stall => ok(answer::stall(&pods)),
        FailureMode::Unauthorized => respond(StatusCode::UNAUTHORIZED, "Unauthorized"),
        FailureMode::Forbidden => respond(
            StatusCode::FORBIDDEN,
            "Forbidden (user=system:serviceaccount:nodesieve:nodesieve, verb=get, resource=nodes, subresource(s)=[pods proxy])\n",
        ),
        FailureMode::Error => respond(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n"),
        FailureMode::Html => ok("<!doctype html><title>502 Bad Gateway</title>\n".into()),
        FailureMode::Endless => {
            ok(answer::endless("{\"items\":[", &r#"{"metadata":{"name":"x","namespace":"y"}},"#.repeat(1000)))
        }
    }
}

fn first_pod(pods: &[u8]) -> Vec<u8> {
    let parsed: Value = serde_json::from_slice(pods).unwrap_or_default();
    list(parsed["items"].as_array().into_iter().flatten().take(1).cloned())
}

async fn set_mode(State(shared): State<Arc<SharedKubelet>>, body: Bytes) -> Response {
    match String::from_utf8_lossy(&body).parse() {
        Ok(mode) if FailureMode::is_deaf(mode) => respond(
            StatusCode::BAD_REQUEST,
            format!("{mode}: nothing could change that again; start with it\n"),
        ),
        Ok(mode) => {
            shared.set_mode(mode);
            respond(StatusCode::OK, format!("{mode}\n"))
        }
        Err(error) => respond(StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}

async fn set_stream_mode(State(shared): State<Arc<SharedKubelet>>, body: Bytes) -> Response {
    match String::from_utf8_lossy(&body).parse() {
        Ok(mode) if shared.set_stream_mode(mode) => respond(StatusCode::OK, format!("{mode}\n")),
        Ok(_) => respond(StatusCode::NOT_FOUND, "there is no Pods API; start with --pods-api-socket\n"),
        Err(error) => respond(StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}

async fn set_pods(State(shared): State<Arc<SharedKubelet>>, body: Bytes) -> Response {
    let said = format!("{} bytes\n", body.len());
    shared.set_pods(body.into());
    respond(StatusCode::OK, said)
}

async fn asked(State(shared): State<Arc<SharedKubelet>>) -> Response {
    respond(StatusCode::OK, format!("{:?}\n", shared.asked()))
}

async fn no_control() -> Response {
    respond(StatusCode::NOT_FOUND, "PUT /fake/mode, PUT /fake/stream-mode, PUT /fake/pods, GET /fake/asked\n")
}

fn respond(status: StatusCode, body: impl Into<Body>) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.into()).into_response()
}
