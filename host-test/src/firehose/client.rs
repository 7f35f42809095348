//! The client that delivers batches to a Firehose.
//!
//! It exists so that the harness can send records without a running Fluent Bit. **For fakes only** (this
//! one, moto): its `Authorization` header is complete but made of constants, so no real AWS endpoint accepts
//! it, and no real credentials are ever read or sent.
//!
//! The rule it keeps: a record that the server accepted is not sent again. That is better than the plugin,
//! which sends a whole batch again after a partial failure; so a comparison of both must expect duplicates
//! from the plugin, not from here.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::outcome::{self, DeliverError, PutOutcome, RecordAnswer};
use super::protocol::{ALGORITHM, CONTENT_TYPE, TARGET};

/// Access key ID of the header, as moto's documentation uses it.
const ACCESS_KEY: &str = "testing";
/// Scope of the credential; moto finds the service in it.
const SCOPE: &str = "20150804/us-east-1/firehose/aws4_request";
/// Time of the request; fakes do not compare it with the clock.
const DATE: &str = "20150804T000000Z";
/// Most calls per put: the first one and the retries of failed records.
const MAX_ATTEMPTS: usize = 5;
/// Longest time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for a whole call.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection, kept alive between calls, to one delivery stream of one Firehose.
#[derive(Debug, Clone)]
pub struct Client {
    agent: ureq::Agent,
    url: String,
    authorization: String,
    /// Start of each request body, up to and including the bracket of the records.
    opening: String,
}

impl Client {
    /// A client for `stream` at `url` (`http://HOST[:PORT]`, or `https://` with the CA to trust as PEM). Does
    /// not connect yet. 5 seconds to connect, 30 seconds for a call.
    ///
    /// # Errors
    /// [`DeliverError::Url`] and [`DeliverError::Ca`].
    pub fn new(url: &str, stream: &str, ca_pem: Option<&str>) -> Result<Client, DeliverError> {
        Self::with_timeout(url, stream, ca_pem, CALL_TIMEOUT)
    }

    /// As [`Client::new`], with the longest time for a whole call.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_timeout(
        url: &str,
        stream: &str,
        ca_pem: Option<&str>,
        timeout: Duration,
    ) -> Result<Client, DeliverError> {
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent("nodesieve")
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(timeout));
        if needs_tls(url)? {
            let ca_error = |reason: String| DeliverError::Ca { url: url.into(), reason };
            let pem = ca_pem.ok_or_else(|| ca_error("none given, public cas are not used".into()))?;
            let ca = Certificate::from_pem(pem.as_bytes()).map_err(|error| ca_error(error.to_string()))?;
            let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[ca])).build();
            config = config.tls_config(tls);
        }
        let stream = serde_json::Value::from(stream);
        Ok(Client {
            agent: config.build().new_agent(),
            url: url.trim_end_matches('/').into(),
            authorization: format!(
                "{ALGORITHM}Credential={ACCESS_KEY}/{SCOPE}, \
                 SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={:064}",
                0
            ),
            opening: format!(r#"{{"DeliveryStreamName":{stream},"Records":["#),
        })
    }

    /// Delivers the records of one batch (see [`super::Batcher`], which keeps the limits). Records that fail
    /// on their own are sent again at once, alone, in five calls at most. No records, no call.
    ///
    /// # Errors
    /// [`DeliverError`]; a call that fails as a whole is not repeated.
    pub fn put(&self, records: &[Vec<u8>]) -> Result<PutOutcome, DeliverError> {
        let mut outcome = PutOutcome::default();
        let mut waiting: Vec<usize> = (0..records.len()).collect();
        let mut reason = String::new();
        while !waiting.is_empty() {
            if outcome.calls == MAX_ATTEMPTS {
                let (attempts, accepted) = (outcome.calls, outcome.accepted);
                let url = self.url.clone();
                return Err(DeliverError::Failing { url, attempts, reason, accepted, failed: waiting });
            }
            if outcome.calls > 0 {
                outcome.retried += waiting.len();
            }
            let answers = self.call(records, &waiting, outcome.accepted)?;
            outcome.calls += 1;
            let sent = waiting.len();
            if let Some(error) = answers.iter().find_map(RecordAnswer::error) {
                reason = error;
            }
            let mut answers = answers.iter();
            waiting.retain(|_| answers.next().is_some_and(RecordAnswer::failed));
            outcome.accepted += sent - waiting.len();
        }
        Ok(outcome)
    }

    /// One call with the records at `indexes`; returns an answer for each.
    fn call(
        &self,
        records: &[Vec<u8>],
        indexes: &[usize],
        accepted: usize,
    ) -> Result<Vec<RecordAnswer>, DeliverError> {
        let transport = |error: ureq::Error| DeliverError::Transport {
            url: self.url.clone(),
            reason: error.to_string(),
            accepted,
        };
        let mut response = self
            .agent
            .post(&self.url)
            .header("Content-Type", CONTENT_TYPE)
            .header("X-Amz-Target", TARGET)
            .header("X-Amz-Date", DATE)
            .header("Authorization", &self.authorization)
            .send(self.body(indexes.iter().filter_map(|index| records.get(*index))).as_bytes())
            .map_err(transport)?;
        let status = response.status().as_u16();
        let body = response.body_mut().read_to_vec().map_err(transport)?;
        if status != 200 {
            let reason = String::from_utf8_lossy(&body).into_owned();
            return Err(DeliverError::Refused { url: self.url.clone(), status, reason, accepted });
        }
        outcome::read_answer(&body, indexes.len()).map_err(|reason| DeliverError::Answer {
            url: self.url.clone(),
            reason,
            accepted,
        })
    }

    fn body<'a>(&self, records: impl Iterator<Item = &'a Vec<u8>>) -> String {
        let mut body = self.opening.clone();
        for (index, record) in records.enumerate() {
            body.push_str(if index == 0 { r#"{"Data":""# } else { r#",{"Data":""# });
            STANDARD.encode_string(record, &mut body);
            body.push_str(r#""}"#);
        }
        body.push_str("]}");
        body
    }
}

/// Whether the URL is an `https` one; anything but a scheme, a host and a port is an error.
fn needs_tls(url: &str) -> Result<bool, DeliverError> {
    let url_error = |reason: String| DeliverError::Url { url: url.into(), reason };
    let uri: ureq::http::Uri =
        url.parse().map_err(|error: ureq::http::uri::InvalidUri| url_error(error.to_string()))?;
    if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
        return Err(url_error("must not have a path".into()));
    }
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(_)) => Ok(false),
        (Some("https"), Some(_)) => Ok(true),
        _ => Err(url_error("must start with http:// or https:// and a host".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Batcher, Fault, Firehose, Options};
    use super::*;

    fn start(tls: bool) -> Firehose {
        Firehose::start(Options { tls, ..Options::default() }).unwrap()
    }

    fn client(firehose: &Firehose) -> Client {
        Client::new(&firehose.url(), "nodesieve", firehose.ca_pem()).unwrap()
    }

    fn records(count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|number| format!("record {number}\n").into_bytes()).collect()
    }

    #[test]
    fn several_calls_use_one_connection() {
        let firehose = start(false);
        let client = client(&firehose);
        for _ in 0..5 {
            assert_eq!(client.put(&records(3)), Ok(PutOutcome { accepted: 3, calls: 1, retried: 0 }));
        }
        assert_eq!(client.put(&[]), Ok(PutOutcome::default()));
        let received = firehose.received();
        assert_eq!((received.connections, received.calls, received.records), (1, 5, 15));
    }

    #[test]
    fn delivers_every_byte_value_and_the_largest_batch() {
        let firehose = start(false);
        let mut batcher = Batcher::new();
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(batcher.add(&all), Ok(None));
        let mut full = None;
        while full.is_none() {
            full = batcher.add(&vec![0xfe; 1_023_998]).unwrap();
        }
        let full = full.unwrap();
        assert_eq!(client(&firehose).put(full.records()).unwrap().accepted, 5);
        assert_eq!(firehose.records(), full.records());
        assert_eq!(firehose.records()[0], [all.as_slice(), b"\n"].concat());
    }

    #[test]
    fn recovers_a_partial_failure_without_loss_or_duplicates() {
        let firehose = start(false);
        firehose.set_fault(Fault::PartialFailure { every: 7 });
        let sent = records(500);
        let outcome = client(&firehose).put(&sent).unwrap();
        assert_eq!(outcome.accepted, 500);
        assert!(outcome.calls > 1 && outcome.retried >= 500 / 7, "{outcome:?}");
        let mut got = firehose.take_records();
        let mut expected = sent;
        got.sort();
        expected.sort();
        assert_eq!(got, expected);
        assert_eq!(firehose.received().failed_records, outcome.retried as u64);
    }

    #[test]
    fn gives_up_on_records_that_always_fail_and_names_them() {
        let firehose = start(false);
        firehose.set_fault(Fault::PartialFailure { every: 1 });
        let Err(DeliverError::Failing { attempts, accepted, failed, reason, .. }) =
            client(&firehose).put(&records(2))
        else {
            panic!("records that fail were delivered");
        };
        assert_eq!((attempts, accepted, failed), (MAX_ATTEMPTS, 0, vec![0, 1]));
        assert_eq!(reason, "ServiceUnavailableException: Slow down.");
        assert_eq!(firehose.received().records, 0);
    }

    #[test]
    fn reports_a_refused_call_with_url_and_code() {
        let firehose = start(false);
        firehose.set_fault(Fault::Unavailable);
        let error = client(&firehose).put(&records(1)).unwrap_err().to_string();
        let expected = format!("put records to {}: status 503, ", firehose.url());
        assert!(error.starts_with(&expected) && error.contains("ServiceUnavailableException"), "{error}");
        firehose.set_fault(Fault::None);
        let other = Client::new(&firehose.url(), "other \"stream\"", None).unwrap();
        let error = other.put(&records(1)).unwrap_err().to_string();
        assert!(error.contains("status 400") && error.contains("ResourceNotFoundException"), "{error}");
    }

    #[test]
    fn gives_up_on_a_stalled_call_and_the_server_can_stop() {
        let firehose = start(false);
        firehose.set_fault(Fault::Stall);
        let timeout = Duration::from_millis(300);
        let client = Client::with_timeout(&firehose.url(), "nodesieve", None, timeout).unwrap();
        assert!(matches!(client.put(&records(1)), Err(DeliverError::Transport { accepted: 0, .. })));
        assert!(firehose.wait_until(|received| received.stalled_calls == 1, Duration::from_secs(30)));
        drop(firehose);
        assert!(matches!(client.put(&records(1)), Err(DeliverError::Transport { .. })));
    }

    #[test]
    fn round_trip_over_tls_needs_the_right_ca() {
        let firehose = start(true);
        let good = client(&firehose);
        assert_eq!(good.put(&records(3)).unwrap().accepted, 3);
        assert_eq!(good.put(&records(3)).unwrap().accepted, 3);
        let local = firehose.url().replace("127.0.0.1", "localhost");
        let by_name = Client::new(&local, "nodesieve", firehose.ca_pem()).unwrap();
        assert_eq!(by_name.put(&records(1)).unwrap().accepted, 1);
        let received = firehose.received();
        assert_eq!((received.connections, received.records, received.failed_handshakes), (2, 7, 0));

        let other = start(true);
        let stranger = Client::new(&firehose.url(), "nodesieve", other.ca_pem()).unwrap();
        assert!(matches!(stranger.put(&records(1)), Err(DeliverError::Transport { .. })));
        assert!(firehose.wait_until(|received| received.failed_handshakes == 1, Duration::from_secs(30)));
        assert_eq!(firehose.received().records, 7);
    }

    #[test]
    fn refuses_urls_and_cas_it_cannot_use() {
        for url in ["", "127.0.0.1:80", "ftp://host", "http://host/path", "http://host/?query"] {
            assert!(matches!(Client::new(url, "s", None), Err(DeliverError::Url { .. })), "{url}");
        }
        for ca in [None, Some("no certificate")] {
            let error = Client::new("https://127.0.0.1", "s", ca).unwrap_err();
            assert!(error.to_string().starts_with("read ca certificate for https://127.0.0.1: "), "{error}");
        }
        assert!(Client::new("http://127.0.0.1:80/", "s", None).is_ok());
    }
}
