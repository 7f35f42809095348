//! The `PutRecordBatch` call as AWS documents it: what is valid, and what the answers look like.
//!
//! It exists apart from the server so that every limit can be tested as a function of bytes. The rule it
//! keeps: a call is either valid as a whole or refused as a whole with the documented error code. Sources:
//!
//! - limits: <https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html> (500 records,
//!   4 MiB per call) and `API_Record.html` (1,024,000 bytes before base64);
//! - authorization errors: `CommonErrors.html` of the same reference (403 and 400);
//! - error texts that the reference does not give: answers of the real service quoted in osquery issue 3568
//!   and boto3 issue 2804.
//!
//! Stricter than the reference: an empty record (documented minimum: 0 bytes) is refused, because no sender
//! of ours has a reason to send one.

use std::borrow::Cow;

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nodesieve_preview::billing::MAX_RECORD_BYTES;
use serde::{Deserialize, Serialize};

/// Most records in one call.
pub const MAX_RECORDS_PER_CALL: usize = 500;
/// Most bytes in all records of one call, before base64 (4 MiB).
pub const MAX_CALL_BYTES: usize = 4 * 1024 * 1024;
/// Most bytes in a request body (8 MiB): a limit of the fake, well above 4 MiB in base64.
pub const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Value of the `X-Amz-Target` header of the only operation there is.
pub(super) const TARGET: &str = "Firehose_20150804.PutRecordBatch";
/// Content type of requests and answers.
pub(super) const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// Start of the `Authorization` header.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256 ";
/// Error code of a throttled call or record.
const UNAVAILABLE: &str = "ServiceUnavailableException";

/// A call that is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn unknown_operation(what: impl Into<String>) -> Self {
        Self::bad("UnknownOperationException", what)
    }

    pub(super) fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, "Slow down.")
    }

    pub(super) fn too_large() -> Self {
        let message = format!("Request body exceeds {MAX_BODY_BYTES} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException", message)
    }

    /// The JSON body of the answer.
    pub(super) fn body(&self) -> Vec<u8> {
        serde_json::json!({ "__type": self.code, "message": self.message }).to_string().into_bytes()
    }
}

/// Checks that an `Authorization` header is there and complete. The signature is **not** verified: the
/// fake has no credentials, any sender is welcome.
pub(super) fn authorize(header: Option<&[u8]>) -> Result<(), ApiError> {
    let Some(header) = header else {
        let message = "Missing Authentication Token";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "MissingAuthenticationTokenException", message));
    };
    let incomplete = |message: String| ApiError::bad("IncompleteSignatureException", message);
    let header = String::from_utf8_lossy(header);
    let Some(parameters) = header.strip_prefix(ALGORITHM) else {
        return Err(incomplete(format!("Authorization header must start with '{ALGORITHM}'")));
    };
    for name in ["Credential", "SignedHeaders", "Signature"] {
        let given = parameters
            .split(',')
            .filter_map(|parameter| parameter.trim().split_once('='))
            .any(|(key, value)| key == name && !value.is_empty());
        if !given {
            return Err(incomplete(format!("Authorization header requires '{name}' parameter.")));
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(rename = "DeliveryStreamName")]
    stream: Option<String>,
    #[serde(rename = "Records", borrow)]
    records: Option<Vec<CallRecord<'a>>>,
}

#[derive(Deserialize)]
struct CallRecord<'a> {
    #[serde(rename = "Data", borrow)]
    data: Option<Data<'a>>,
}

/// A newtype because serde borrows a `Cow` only when it is not inside an `Option`.
#[derive(Deserialize)]
struct Data<'a>(#[serde(borrow)] Cow<'a, str>);

/// The decoded records of a valid call to `stream`, or why the call is refused.
pub(super) fn decode(stream: &str, body: &[u8]) -> Result<Vec<Vec<u8>>, ApiError> {
    let call: Call<'_> = serde_json::from_slice(body)
        .map_err(|error| ApiError::bad("SerializationException", error.to_string()))?;

    let mut problems = Vec::new();
    if call.stream.is_none() {
        problems.push(problem("null", "deliveryStreamName", "not be null"));
    }
    let records = decode_records(call.records, &mut problems)?;
    if !problems.is_empty() {
        let noun = if problems.len() == 1 { "error" } else { "errors" };
        let message = format!("{} validation {noun} detected: {}", problems.len(), problems.join("; "));
        return Err(ApiError::bad("ValidationException", message));
    }
    if let Some(name) = call.stream.filter(|name| name != stream) {
        let message = format!("Firehose {name} under account 000000000000 not found.");
        return Err(ApiError::bad("ResourceNotFoundException", message));
    }
    if records.iter().map(Vec::len).sum::<usize>() > MAX_CALL_BYTES {
        return Err(ApiError::bad("InvalidArgumentException", "Records size exceeds 4 MB limit"));
    }
    Ok(records)
}

/// One violated constraint, in the words of the real service.
fn problem(value: &str, member: &str, constraint: &str) -> String {
    format!("Value {value} at '{member}' failed to satisfy constraint: Member must {constraint}")
}

fn decode_records(
    records: Option<Vec<CallRecord<'_>>>,
    problems: &mut Vec<String>,
) -> Result<Vec<Vec<u8>>, ApiError> {
    let Some(records) = records else {
        problems.push(problem("null", "records", "not be null"));
        return Ok(Vec::new());
    };
    let count = records.len();
    if let Some(constraint) = length_constraint(count, MAX_RECORDS_PER_CALL) {
        problems.push(problem(&format!("'[{count} records]'"), "records", &constraint));
        return Ok(Vec::new());
    }
    let mut decoded = Vec::with_capacity(count);
    for (index, record) in records.into_iter().enumerate() {
        let member = format!("records.{}.member.data", index + 1);
        let Some(Data(text)) = record.data else {
            problems.push(problem("null", &member, "not be null"));
            continue;
        };
        let data = STANDARD
            .decode(text.as_bytes())
            .map_err(|error| ApiError::bad("SerializationException", format!("{member}: {error}")))?;
        if let Some(constraint) = length_constraint(data.len(), MAX_RECORD_BYTES) {
            let value = format!("'java.nio.HeapByteBuffer[pos=0 lim={0} cap={0}]'", data.len());
            problems.push(problem(&value, &member, &constraint));
        }
        decoded.push(data);
    }
    Ok(decoded)
}

/// The constraint that a length of 0, or of more than `most`, does not satisfy.
fn length_constraint(length: usize, most: usize) -> Option<String> {
    match length {
        0 => Some("have length greater than or equal to 1".into()),
        _ if length > most => Some(format!("have length less than or equal to {most}")),
        _ => None,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutAnswer {
    failed_put_count: usize,
    encrypted: bool,
    request_responses: Vec<PutRecordAnswer>,
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "PascalCase")]
enum PutRecordAnswer {
    Accepted { record_id: String },
    Failed { error_code: &'static str, error_message: &'static str },
}

/// The body of the answer to a valid call: for each record the number under which it was accepted, or `None`
/// if it failed. Compact JSON: the plugin searches the text for `"FailedPutCount":0`.
pub(super) fn answer(numbers: &[Option<u64>]) -> Vec<u8> {
    let one = |number: &Option<u64>| match number {
        Some(number) => PutRecordAnswer::Accepted { record_id: format!("{number:032x}") },
        None => PutRecordAnswer::Failed { error_code: UNAVAILABLE, error_message: "Slow down." },
    };
    let answer = PutAnswer {
        failed_put_count: numbers.iter().filter(|number| number.is_none()).count(),
        encrypted: false,
        request_responses: numbers.iter().map(one).collect(),
    };
    // Serializing plain strings and numbers to memory cannot fail; an empty body would say so if it did.
    serde_json::to_vec(&answer).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(stream: &str, records: &[Vec<u8>]) -> Vec<u8> {
        let records: Vec<_> =
            records.iter().map(|data| serde_json::json!({ "Data": STANDARD.encode(data) })).collect();
        serde_json::json!({ "DeliveryStreamName": stream, "Records": records }).to_string().into_bytes()
    }

    /// Error code and message of a refused call.
    fn refusal(body: &[u8]) -> (&'static str, String) {
        let error = decode("logs", body).unwrap_err();
        assert_eq!(error.status, StatusCode::BAD_REQUEST);
        (error.code, error.message)
    }

    #[test]
    fn decodes_a_call_with_escaped_base64() {
        let body =
            br#"{"DeliveryStreamName":"logs","Records":[{"Data":"aGVsbG8K"},{"Data":"\/\/\/\/"}],"More":1}"#;
        assert_eq!(decode("logs", body), Ok(vec![b"hello\n".to_vec(), vec![0xff; 3]]));
    }

    #[test]
    fn takes_500_records_and_refuses_501_and_0() {
        assert_eq!(
            decode("logs", &call("logs", &vec![b"x".to_vec(); 500])).map(|records| records.len()),
            Ok(500)
        );
        for count in [501, 0] {
            let (code, message) = refusal(&call("logs", &vec![b"x".to_vec(); count]));
            assert_eq!(code, "ValidationException");
            assert!(message.starts_with("1 validation error detected: Value"), "{message}");
        }
    }

    #[test]
    fn takes_a_record_of_1_024_000_bytes_and_refuses_one_more_and_none() {
        assert!(decode("logs", &call("logs", &[vec![b'x'; 1_024_000]])).is_ok());
        let (code, message) = refusal(&call("logs", &[b"x".to_vec(), vec![b'x'; 1_024_001]]));
        assert_eq!(code, "ValidationException");
        assert!(message.contains("lim=1024001") && message.contains("'records.2.member.data'"), "{message}");
        let (code, message) = refusal(&call("logs", &[Vec::new(), Vec::new()]));
        assert_eq!(code, "ValidationException");
        assert!(message.starts_with("2 validation errors detected"), "{message}");
    }

    #[test]
    fn takes_4_mib_and_refuses_one_byte_more() {
        let mut records = vec![vec![b'x'; 1_024_000]; 4];
        records.push(vec![b'x'; MAX_CALL_BYTES - 4_096_000]);
        assert!(decode("logs", &call("logs", &records)).is_ok());
        records.push(vec![b'x']);
        let (code, message) = refusal(&call("logs", &records));
        assert_eq!((code, message.as_str()), ("InvalidArgumentException", "Records size exceeds 4 MB limit"));
    }

    #[test]
    fn names_what_is_missing_or_unreadable() {
        let unknown = refusal(&call("other", &[b"x".to_vec()]));
        assert_eq!(unknown.0, "ResourceNotFoundException");
        assert_eq!(unknown.1, "Firehose other under account 000000000000 not found.");
        for body in ["", "{", "[1]", r#"{"DeliveryStreamName":"logs","Records":[{"Data":"%"}]}"#] {
            assert_eq!(refusal(body.as_bytes()).0, "SerializationException", "{body}");
        }
        assert!(refusal(b"{}").1.starts_with("2 validation errors detected"));
        assert_eq!(refusal(br#"{"DeliveryStreamName":"logs","Records":[{}]}"#).0, "ValidationException");
    }

    #[test]
    fn wants_a_complete_authorization_header() {
        let complete =
            "AWS4-HMAC-SHA256 Credential=a/b/c/firehose/aws4_request, SignedHeaders=host, Signature=0";
        assert_eq!(authorize(Some(complete.as_bytes())), Ok(()));
        assert_eq!(authorize(Some(complete.replace(", ", ",").as_bytes())), Ok(()));
        let error = authorize(None).unwrap_err();
        assert_eq!((error.status.as_u16(), error.code), (403, "MissingAuthenticationTokenException"));
        for broken in ["Bearer x", "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=", ""] {
            let error = authorize(Some(broken.as_bytes())).unwrap_err();
            assert_eq!(
                (error.status.as_u16(), error.code),
                (400, "IncompleteSignatureException"),
                "{broken}"
            );
        }
    }

    #[test]
    fn answers_as_the_plugin_reads_them() {
        let good = String::from_utf8(answer(&[Some(0), Some(255)])).unwrap();
        assert!(
            good.starts_with(r#"{"FailedPutCount":0,"Encrypted":false,"RequestResponses":[{"RecordId":"0"#)
        );
        assert!(good.ends_with(r#"ff"}]}"#));
        let partial = String::from_utf8(answer(&[None])).unwrap();
        assert_eq!(
            partial,
            concat!(
                r#"{"FailedPutCount":1,"Encrypted":false,"RequestResponses":"#,
                r#"[{"ErrorCode":"ServiceUnavailableException","ErrorMessage":"Slow down."}]}"#
            )
        );
        let error = String::from_utf8(ApiError::unavailable().body()).unwrap();
        assert_eq!(error, r#"{"__type":"ServiceUnavailableException","message":"Slow down."}"#);
    }
}
