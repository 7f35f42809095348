//! What came of a delivery, and what the server's answer says about it.
//!
//! It exists apart from the client so that its errors can be read in one place. The rule it keeps: an answer
//! that does not say for each record whether it was accepted is an error, never a guess.

use serde::Deserialize;

/// Why records were not delivered. `accepted` counts the records that earlier attempts of the same put did
/// deliver: not to be sent again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// The URL is not `http://HOST[:PORT]` or `https://HOST[:PORT]`.
    #[error("read firehose url {url}: {reason}")]
    Url {
        /// As given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The CA that was given is no certificate in PEM.
    #[error("read ca certificate for {url}: {reason}")]
    Ca {
        /// As given.
        url: String,
        /// What is wrong with the certificate.
        reason: String,
    },
    /// The call could not be signed.
    #[error("sign records for {url}: {reason}")]
    Sign {
        /// The server.
        url: String,
        /// Why.
        reason: String,
        /// Records delivered before.
        accepted: usize,
    },
    /// No answer: connection, TLS, time-out.
    #[error("put records to {url}: {reason}")]
    Transport {
        /// The server.
        url: String,
        /// What ureq said.
        reason: String,
        /// Records delivered before.
        accepted: usize,
    },
    /// The server refused the call as a whole.
    #[error("put records to {url}: status {status}, {reason}")]
    Refused {
        /// The server.
        url: String,
        /// HTTP status.
        status: u16,
        /// The answer: error code and message in JSON.
        reason: String,
        /// Records delivered before.
        accepted: usize,
    },
    /// The answer is none that `PutRecordBatch` gives; it is unknown which records of the call were accepted.
    #[error("read answer of {url}: {reason}")]
    Answer {
        /// The server.
        url: String,
        /// What is wrong with it.
        reason: String,
        /// Records delivered before.
        accepted: usize,
    },
    /// Some records failed in every attempt.
    #[error("put records to {url}: {} still failing after {attempts} attempts, {reason}", failed.len())]
    Failing {
        /// The server.
        url: String,
        /// Number of calls made.
        attempts: usize,
        /// Error code and message of the first record that still fails.
        reason: String,
        /// Records delivered before.
        accepted: usize,
        /// Indexes, in the slice given to put, of the records that were not delivered.
        failed: Vec<usize>,
    },
}

/// What a put did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PutOutcome {
    /// Records delivered: all that were given.
    pub accepted: usize,
    /// Calls made, retries included.
    pub calls: usize,
    /// Records sent again, once for each retry.
    pub retried: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceivedAnswer {
    failed_put_count: usize,
    request_responses: Vec<ReceivedRecordAnswer>,
}

/// What the answer says about one record.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceivedRecordAnswer {
    error_code: Option<String>,
    error_message: Option<String>,
}

impl ReceivedRecordAnswer {
    pub(super) fn failed(&self) -> bool {
        self.error_code.is_some()
    }

    /// Error code and message, if the record failed.
    pub(super) fn error(&self) -> Option<String> {
        let code = self.error_code.as_deref()?;
        Some(format!("{code}: {}", self.error_message.as_deref().unwrap_or_default()))
    }
}

/// The answers for the `sent` records of one call, or what is wrong with the body of the answer.
pub(super) fn read_answer(body: &[u8], sent: usize) -> Result<Vec<ReceivedRecordAnswer>, String> {
    let answer: ReceivedAnswer = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let records = answer.request_responses;
    if records.len() != sent {
        return Err(format!("{sent} records sent, {} answered", records.len()));
    }
    let failed = records.iter().filter(|record| record.failed()).count();
    if failed != answer.failed_put_count {
        return Err(format!("FailedPutCount is {}, error codes are {failed}", answer.failed_put_count));
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_an_answer_with_a_failed_record() {
        let body = br#"{"FailedPutCount":1,"Encrypted":false,"RequestResponses":[{"RecordId":"1"},
            {"ErrorCode":"InternalFailure","ErrorMessage":"why"}]}"#;
        let errors: Vec<_> = read_answer(body, 2).unwrap().iter().map(ReceivedRecordAnswer::error).collect();
        assert_eq!(errors, [None, Some("InternalFailure: why".into())]);
    }

    #[test]
    fn refuses_an_answer_that_does_not_add_up() {
        let one = br#"{"FailedPutCount":0,"RequestResponses":[{"RecordId":"1"}]}"#;
        assert_eq!(read_answer(one, 2), Err("2 records sent, 1 answered".into()));
        let none = br#"{"FailedPutCount":1,"RequestResponses":[{"RecordId":"1"}]}"#;
        assert_eq!(read_answer(none, 1), Err("FailedPutCount is 1, error codes are 0".into()));
        assert!(read_answer(b"", 1).is_err());
    }

    #[test]
    fn error_texts_name_action_url_and_reason() {
        let error = DeliverError::Failing {
            url: "http://host".into(),
            attempts: 5,
            reason: "Slow down.".into(),
            accepted: 1,
            failed: vec![0, 3],
        };
        let expected = "put records to http://host: 2 still failing after 5 attempts, Slow down.";
        assert_eq!(error.to_string(), expected);
    }
}
