//! The stand-in's side of a connection.

use super::answer::Answer;
use super::mode::Mode;
use super::{Asked, list};
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// What the server's thread and its owner have in common.
pub(super) struct Shared {
    token: Option<String>,
    is_controlled: bool,
    inner: Mutex<Inner>,
    changed: Condvar,
    /// Ends what hangs.
    released: Notify,
}

struct Inner {
    mode: Mode,
    pods: Bytes,
    asked: Asked,
}

impl Shared {
    pub(super) fn new(token: Option<String>, is_controlled: bool, pods: Vec<u8>) -> Shared {
        let inner = Inner { mode: Mode::Ok, pods: pods.into(), asked: Asked::default() };
        Shared {
            token,
            is_controlled,
            inner: Mutex::new(inner),
            changed: Condvar::new(),
            released: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_mode(&self, mode: Mode) {
        self.lock().mode = mode;
        self.released.notify_waiters();
    }

    pub(super) fn set_pods(&self, pods: Vec<u8>) {
        self.lock().pods = pods.into();
    }

    pub(super) fn asked(&self) -> Asked {
        self.lock().asked
    }

    fn count(&self, change: impl FnOnce(&mut Asked)) {
        change(&mut self.lock().asked);
        self.changed.notify_all();
    }

    pub(super) fn wait_until(&self, condition: impl Fn(&Asked) -> bool, timeout: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), timeout, |inner| !condition(&inner.asked));
        let (inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        condition(&inner.asked)
    }
}

/// Answers the requests of one connection until the peer closes it.
pub(super) async fn connection(shared: Arc<Shared>, socket: TcpStream, acceptor: Option<TlsAcceptor>) {
    shared.count(|asked| asked.connections += 1);
    let mode = shared.lock().mode;
    match mode {
        Mode::Close => return,
        Mode::NoCertificate => return no_certificate(socket).await,
        _ => {}
    }
    let Some(acceptor) = acceptor else { return };
    let Ok(socket) = acceptor.accept(socket).await else {
        return shared.count(|asked| asked.failed_handshakes += 1);
    };
    let service = service_fn(|request| answer(&shared, request));
    // An error means that one of the two broke off; there is nobody to tell.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}

/// What a TLS server says that has no certificate for the client: the fatal alert `internal_error` (RFC 8446, 6.2).
async fn no_certificate(socket: TcpStream) {
    // Not before the client has spoken: a reset would overtake the alert.
    if socket.readable().await.is_err() || socket.try_read(&mut [0; 4096]).is_err() {
        return;
    }
    let _ = socket.try_write(&[21, 3, 3, 0, 2, 2, 80]);
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Result<Response<Answer>, hyper::Error> {
    if shared.is_controlled && request.uri().path().starts_with("/stand-in/") {
        return control(shared, request).await;
    }
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
        return Ok(respond(StatusCode::UNAUTHORIZED, Answer::whole("Unauthorized")));
    }
    if !is_pods {
        return Ok(respond(StatusCode::NOT_FOUND, Answer::whole("404 page not found\n")));
    }
    let (mode, pods) = {
        let inner = shared.lock();
        (inner.mode, inner.pods.clone())
    };
    let (status, body) = if mode == Mode::Hang {
        // A kubelet that hangs is restarted one day, and with it end its connections.
        shared.released.notified().await;
        (StatusCode::SERVICE_UNAVAILABLE, Answer::whole("restarting\n"))
    } else {
        misbehave(mode, pods)
    };
    if mode == Mode::Ok {
        shared.count(|asked| asked.lists += 1);
    }
    Ok(respond(status, body))
}

fn misbehave(mode: Mode, pods: Bytes) -> (StatusCode, Answer) {
    let ok = |body| (StatusCode::OK, body);
    match mode {
        Mode::Ok | Mode::Hang | Mode::NoCertificate | Mode::Close => ok(Answer::whole(pods)),
        Mode::Empty => ok(Answer::whole(r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]}"#)),
        Mode::Null => ok(Answer::whole(r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":null}"#)),
        Mode::NoItems => ok(Answer::whole("{}")),
        Mode::Array => ok(Answer::whole("[]")),
        Mode::BrokenOff => {
            let promised = pods.len() as u64;
            ok(Answer::BrokenOff { first: Some(Answer::half(&pods)), promised })
        }
        Mode::Cut => ok(Answer::whole(Answer::half(&pods))),
        Mode::Tiny => ok(Answer::whole(first_pod(&pods))),
        Mode::Slow => ok(Answer::slow(pods)),
        Mode::Stall => ok(Answer::Stall(Some(Answer::half(&pods)))),
        Mode::Unauthorized => (StatusCode::UNAUTHORIZED, Answer::whole("Unauthorized")),
        Mode::Forbidden => (
            StatusCode::FORBIDDEN,
            Answer::whole(
                "Forbidden (user=system:serviceaccount:nodesieve:nodesieve, verb=get, resource=nodes, subresource(s)=[pods proxy])\n",
            ),
        ),
        Mode::Error => (StatusCode::INTERNAL_SERVER_ERROR, Answer::whole("internal error\n")),
        Mode::Html => ok(Answer::whole("<!doctype html><title>502 Bad Gateway</title>\n")),
        Mode::Endless => {
            let again = r#"{"metadata":{"name":"x","namespace":"y"}},"#.repeat(1000);
            ok(Answer::Endless { first: Some(Bytes::from_static(b"{\"items\":[")), again: again.into() })
        }
    }
}

fn first_pod(pods: &[u8]) -> Vec<u8> {
    let parsed: Value = serde_json::from_slice(pods).unwrap_or_default();
    list(parsed["items"].as_array().into_iter().flatten().take(1).cloned())
}

async fn control(shared: &Shared, request: Request<Incoming>) -> Result<Response<Answer>, hyper::Error> {
    let path = request.uri().path().to_owned();
    let is_put = request.method() == Method::PUT;
    let body = request.into_body().collect().await?.to_bytes();
    let (status, said) = match path.as_str() {
        "/stand-in/mode" if is_put => match String::from_utf8_lossy(&body).parse() {
            Ok(mode) if Mode::is_deaf(mode) => {
                (StatusCode::BAD_REQUEST, format!("{mode}: nothing could change that again; start with it\n"))
            }
            Ok(mode) => {
                shared.set_mode(mode);
                (StatusCode::OK, format!("{mode}\n"))
            }
            Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")),
        },
        "/stand-in/pods" if is_put => {
            shared.set_pods(body.to_vec());
            (StatusCode::OK, format!("{} bytes\n", body.len()))
        }
        "/stand-in/asked" => (StatusCode::OK, format!("{:?}\n", shared.asked())),
        _ => (
            StatusCode::NOT_FOUND,
            "PUT /stand-in/mode, PUT /stand-in/pods, GET /stand-in/asked\n".to_owned(),
        ),
    };
    Ok(respond(status, Answer::whole(said)))
}

fn respond(status: StatusCode, body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
