//! The page over HTTP, on 127.0.0.1 only.

use super::Asset;
use crate::stand_in::{StandIn, StandInError};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

/// Why the page is not served.
pub type ServeError = StandInError;

/// A running server; dropping it ends it.
pub struct Server {
    stand_in: StandIn,
}

/// What page and worker may load: their own files. The page has the same in a meta element, which a worker does not inherit.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'none'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

type Files = BTreeMap<String, (&'static str, Bytes)>;

impl Server {
    /// Serves on this port, any if 0.
    ///
    /// # Errors
    /// [`ServeError`] when the port is taken or not permitted.
    pub fn start(assets: Vec<Asset>, port: u16) -> Result<Server, ServeError> {
        let file =
            |asset: Asset| (format!("/{}", asset.name), (asset.media_type, Bytes::from(asset.content)));
        let files: Arc<Files> = Arc::new(assets.into_iter().map(file).collect());
        let stand_in = StandIn::start("playground", port, false, move |stream, _| {
            let files = Arc::clone(&files);
            async move {
                let service = service_fn(move |request| {
                    let answer = answer(&request, &files);
                    async move { Ok::<_, Infallible>(answer) }
                });
                // A browser that goes away in the middle is no concern of ours.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            }
        })?;
        Ok(Server { stand_in })
    }

    /// The page's address.
    pub fn url(&self) -> String {
        format!("{}/", self.stand_in.url())
    }
}

fn answer(request: &Request<Incoming>, files: &Files) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return told(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
    }
    // A name that somebody else has pointed at 127.0.0.1 is not ours.
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !["127.0.0.1", "localhost"].contains(&name) {
        return told(StatusCode::FORBIDDEN, "only 127.0.0.1 and localhost\n");
    }
    let path = match request.uri().path() {
        "/" => "/index.html",
        path => path,
    };
    let Some((media_type, content)) = files.get(path) else {
        return told(StatusCode::NOT_FOUND, "no such file\n");
    };
    let mut response = Response::new(Full::new(content.clone()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

fn told(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}
