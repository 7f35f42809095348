//! The page over HTTP, on 127.0.0.1 only.

use super::Asset;
use crate::fake::{FakeError, FakeOptions, FakeServer};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why the page is not served.
pub type ServeError = FakeError;

/// A running server; dropping it ends it.
pub struct PageServer {
    server: FakeServer,
}

/// What page and worker may load: their own files. The page has the same in a meta element, which a worker does not inherit.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'none'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

type Files = BTreeMap<String, (&'static str, Bytes)>;

impl PageServer {
    /// Serves on this port, any if 0.
    ///
    /// # Errors
    /// [`ServeError`] when the port is taken or not permitted.
    pub fn start(assets: Vec<Asset>, port: u16) -> Result<PageServer, ServeError> {
        let file =
            |asset: Asset| (format!("/{}", asset.name), (asset.media_type, Bytes::from(asset.content)));
        let files: Arc<Files> = Arc::new(assets.into_iter().map(file).collect());
        let routes = Router::new().fallback(answer).with_state(files);
        let options = FakeOptions { name: "playground", port, has_tls: false };
        let server = FakeServer::start(options, routes, |socket, handshake| async move {
            handshake.accept(socket).await.ok()
        })?;
        Ok(PageServer { server })
    }

    /// The page's address.
    pub fn url(&self) -> String {
        format!("{}/", self.server.url())
    }
}

async fn answer(State(files): State<Arc<Files>>, request: Request) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, "only GET\n").into_response();
    }
    // A name that somebody else has pointed at 127.0.0.1 is not ours.
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !["127.0.0.1", "localhost"].contains(&name) {
        return (StatusCode::FORBIDDEN, "only 127.0.0.1 and localhost\n").into_response();
    }
    let path = match request.uri().path() {
        "/" => "/index.html",
        path => path,
    };
    let Some((media_type, content)) = files.get(path) else {
        return (StatusCode::NOT_FOUND, "no such file\n").into_response();
    };
    let headers =
        [(CONTENT_TYPE, *media_type), (CACHE_CONTROL, "no-store"), (CONTENT_SECURITY_POLICY, POLICY)];
    (headers, content.clone()).into_response()
}
