//! One call as HTTP: from the request to the answer.
//!
//! It exists between the server, which owns connections, and the protocol, which knows nothing of HTTP. The
//! rule it keeps: a body is read to its end, or to a fixed limit, before anything is answered, so a sender
//! reads an answer and not a reset.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Method, StatusCode, request};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;

use super::protocol::{self, ApiError, MAX_BODY_BYTES};
use super::state::{FirehoseFault, SharedFirehose};

/// How much of a too large body is read and thrown away before the connection is closed, in bytes: a sender
/// that is still writing would otherwise see a reset instead of the 413.
const MAX_DISCARDED_BYTES: usize = 4 * MAX_BODY_BYTES;

/// What each call needs to be answered.
#[derive(Clone)]
struct FirehoseService {
    stream: Arc<str>,
    shared: Arc<SharedFirehose>,
}

/// Answers every call, whatever its method and path: the protocol says which are refused, and how.
pub(super) fn routes(stream: Arc<str>, shared: Arc<SharedFirehose>) -> Router {
    Router::new().fallback(answer).with_state(FirehoseService { stream, shared })
}

async fn answer(
    State(FirehoseService { stream, shared }): State<FirehoseService>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    // The peer broke off; there is nobody to tell, and no call to count.
    let Ok(body) = read(body).await else { return StatusCode::BAD_REQUEST.into_response() };
    let fault = shared.fault();
    if fault == FirehoseFault::Stall {
        shared.count(|received| received.stalled_calls += 1);
        std::future::pending::<()>().await;
    }
    let records = match (fault, body) {
        (_, None) => Err(ApiError::too_large()),
        (FirehoseFault::Unavailable, _) => Err(ApiError::unavailable()),
        (FirehoseFault::Throttled { .. }, _) if shared.is_throttled() => Err(ApiError::unavailable()),
        (_, Some(body)) => {
            check(&head).and_then(|()| protocol::decode(&stream, &body)).map(|records| (records, body.len()))
        }
    };
    match records {
        Ok((records, body)) => respond(StatusCode::OK, protocol::answer(&shared.accept(records, body))),
        Err(error) => {
            shared.count(|received| received.rejected_calls += 1);
            respond(error.status, error.body())
        }
    }
}

/// Checks everything of a call that is not in its body.
fn check(head: &request::Parts) -> Result<(), ApiError> {
    let header = |name: &str| head.headers.get(name).map(|value| value.as_bytes());
    if head.method != Method::POST || head.uri.path() != "/" {
        return Err(ApiError::unknown_operation(format!(
            "no operation at {} {}",
            head.method,
            head.uri.path()
        )));
    }
    if header(CONTENT_TYPE.as_str()) != Some(protocol::CONTENT_TYPE.as_bytes()) {
        return Err(ApiError::unknown_operation(format!("content type must be {}", protocol::CONTENT_TYPE)));
    }
    let target = String::from_utf8_lossy(header("x-amz-target").unwrap_or_default());
    if target != protocol::TARGET {
        return Err(ApiError::unknown_operation(format!(
            "no operation '{target}', only {}",
            protocol::TARGET
        )));
    }
    protocol::authorize(header(AUTHORIZATION.as_str()))
}

/// The request body, `None` if it is larger than [`MAX_BODY_BYTES`].
async fn read(body: Body) -> Result<Option<Vec<u8>>, axum::Error> {
    let mut chunks = body.into_data_stream();
    let mut data = Vec::new();
    let mut length = 0_usize;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        length += chunk.len();
        if length <= MAX_BODY_BYTES {
            data.extend_from_slice(&chunk);
        } else if length <= MAX_DISCARDED_BYTES {
            data = Vec::new();
        } else {
            break;
        }
    }
    Ok((length <= MAX_BODY_BYTES).then_some(data))
}

fn respond(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(CONTENT_TYPE, protocol::CONTENT_TYPE)], body).into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Firehose, FirehoseOptions};
    use super::*;

    const AUTH: &str = "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c";
    const CALL: &str = r#"{"DeliveryStreamName":"nodesieve","Records":[{"Data":"aGVsbG8K"}]}"#;

    fn start() -> Firehose {
        Firehose::start(FirehoseOptions::default()).unwrap()
    }

    /// Posts a body with headers; returns status and answer.
    fn post(url: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
        let mut request = config.new_agent().post(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.send(body).unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }

    fn headers<'a>(target: &'a str, auth: &'a str) -> [(&'a str, &'a str); 3] {
        [("X-Amz-Target", target), ("Content-Type", protocol::CONTENT_TYPE), ("Authorization", auth)]
    }

    #[test]
    fn takes_a_call_and_keeps_its_record() {
        let firehose = start();
        let (status, body) = post(&firehose.url(), &headers(protocol::TARGET, AUTH), CALL.as_bytes());
        assert_eq!(status, 200, "{body}");
        assert!(body.contains(r#""FailedPutCount":0,"#));
        assert!(firehose.wait_until(|received| received.records == 1, Duration::from_secs(30)));
        assert_eq!(firehose.records(), [b"hello\n"]);
        let received = firehose.received();
        assert_eq!((received.bytes, received.billed_bytes), (6, 5_120));
        assert_eq!(received.body_bytes, CALL.len() as u64);
        assert_eq!((firehose.take_records().len(), firehose.records().len()), (1, 0));
    }

    #[test]
    fn refuses_calls_with_missing_or_wrong_headers() {
        let firehose = start();
        let url = firehose.url();
        let all = headers(protocol::TARGET, AUTH);
        let other = headers("Firehose_20150804.PutRecord", AUTH);
        let bearer = headers(protocol::TARGET, "Bearer x");
        let cases = [
            (all[..2].to_vec(), 403, "MissingAuthenticationTokenException"),
            (bearer.to_vec(), 400, "IncompleteSignatureException"),
            (other.to_vec(), 400, "UnknownOperationException"),
            (all[1..].to_vec(), 400, "UnknownOperationException"),
            (vec![all[0], ("Content-Type", "text/plain"), all[2]], 400, "UnknownOperationException"),
        ];
        for (headers, status, code) in cases {
            let (got, body) = post(&url, &headers, CALL.as_bytes());
            assert_eq!(got, status, "{body}");
            assert!(body.starts_with(&format!(r#"{{"__type":"{code}","message":""#)), "{body}");
        }
        let (got, body) = post(&format!("{url}/other"), &all, CALL.as_bytes());
        assert_eq!(got, 400, "{body}");
        assert_eq!((firehose.received().rejected_calls, firehose.received().calls), (6, 0));
    }

    #[test]
    fn answers_413_to_a_body_over_8_mib() {
        let firehose = start();
        let headers = headers(protocol::TARGET, AUTH);
        let (status, body) = post(&firehose.url(), &headers, &vec![b' '; MAX_BODY_BYTES + 1]);
        assert_eq!(status, 413, "{body}");
        let (status, body) = post(&firehose.url(), &headers, &vec![b' '; MAX_BODY_BYTES]);
        assert_eq!(status, 400, "{body}");
        assert!(body.contains("SerializationException"), "{body}");
    }

    #[test]
    fn answers_503_while_unavailable() {
        let firehose = start();
        firehose.set_fault(FirehoseFault::Unavailable);
        let headers = headers(protocol::TARGET, AUTH);
        let (status, body) = post(&firehose.url(), &headers, CALL.as_bytes());
        assert_eq!((status, body.contains("ServiceUnavailableException")), (503, true));
        firehose.set_fault(FirehoseFault::None);
        assert_eq!(post(&firehose.url(), &headers, CALL.as_bytes()).0, 200);
    }
}
