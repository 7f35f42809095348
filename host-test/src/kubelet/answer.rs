//! Bodies of answers that come bit by bit, in part, or without end.

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_LENGTH;
use axum::response::Response;
use futures_util::stream::{self, StreamExt as _};
use std::io;
use std::time::Duration;
use tokio::time::sleep;

/// The first half.
pub(super) fn half(bytes: &Bytes) -> Bytes {
    bytes.slice(..bytes.len() / 2)
}

/// A byte at a time.
pub(super) fn slow(bytes: Bytes) -> Body {
    Body::from_stream(stream::unfold(bytes, |mut rest| async {
        if rest.is_empty() {
            return None;
        }
        sleep(PAUSE).await;
        Some((Ok::<_, io::Error>(rest.split_to(1)), rest))
    }))
}

/// The first half, and then the connection breaks. See [`broken_off`].
pub(super) fn half_and_reset(bytes: &Bytes) -> Body {
    Body::from_stream(stream::iter([Ok(half(bytes)), Err(io::Error::from(io::ErrorKind::ConnectionReset))]))
}

/// Has the answer promise so many bytes, although its body breaks off before.
pub(super) fn broken_off(mut response: Response, promised: usize) -> Response {
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(promised));
    response
}

/// The first half, and then nothing.
pub(super) fn stall(bytes: &Bytes) -> Body {
    let first = stream::iter([Ok::<_, io::Error>(half(bytes))]);
    Body::from_stream(first.chain(stream::pending()))
}

/// `first`, and then `again` for ever.
pub(super) fn endless(first: &'static str, again: &str) -> Body {
    let again = Bytes::copy_from_slice(again.as_bytes());
    let chunks = stream::iter([Bytes::from_static(first.as_bytes())]).chain(stream::repeat(again));
    Body::from_stream(chunks.map(Ok::<_, io::Error>))
}

/// Between two bytes of a slow answer: never long enough for silence, always too long for the whole.
const PAUSE: Duration = Duration::from_millis(20);
