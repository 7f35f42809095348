//! The client that delivers batches to a Firehose.
//!
//! It exists so that the harness can send records without a running Fluent Bit. Its requests are signed, so any endpoint
//! that speaks the protocol takes them: AWS's, the fake, moto.
//!
//! The rule it keeps: a record that the server accepted is not sent again. That is better than the plugin,
//! which sends a whole batch again after a partial failure; so a comparison of both must expect duplicates
//! from the plugin, not from here.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::outcome::{self, DeliverError, PutOutcome, ReceivedRecordAnswer};
use super::protocol::{CONTENT_TYPE, TARGET};
use super::signing::RequestSigner;

/// Most calls per put: the first one and the retries of failed records.
const MAX_ATTEMPTS: usize = 5;
/// Longest time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for a whole call.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection, kept alive between calls, to one delivery stream of one Firehose.
#[derive(Debug, Clone)]
pub struct FirehoseClient {
    agent: ureq::Agent,
    url: String,
    /// What the `Host` header says, which is signed.
    host: String,
    signer: RequestSigner,
    /// Start of each request body, up to and including the bracket of the records.
    opening: String,
}

impl FirehoseClient {
    /// A client for `stream` at `url` (`http://HOST[:PORT]` or `https://HOST[:PORT]`), which signs with credentials that
    /// only fakes take. `ca_pem` is the only CA to trust; without one it is those that browsers trust. Does not connect
    /// yet. 5 seconds to connect, 30 seconds for a call.
    ///
    /// # Errors
    /// [`DeliverError::Url`] and [`DeliverError::Ca`].
    pub fn new(url: &str, stream: &str, ca_pem: Option<&str>) -> Result<FirehoseClient, DeliverError> {
        Self::with_timeout(url, stream, ca_pem, CALL_TIMEOUT)
    }

    /// As [`FirehoseClient::new`], with the longest time for a whole call.
    ///
    /// # Errors
    /// As [`FirehoseClient::new`].
    pub fn with_timeout(
        url: &str,
        stream: &str,
        ca_pem: Option<&str>,
        timeout: Duration,
    ) -> Result<FirehoseClient, DeliverError> {
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent("nodesieve")
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(timeout));
        let host = host_of(url)?;
        if let Some(pem) = ca_pem.filter(|_| url.starts_with("https:")) {
            let ca_error =
                |error: ureq::Error| DeliverError::Ca { url: url.into(), reason: error.to_string() };
            let ca = Certificate::from_pem(pem.as_bytes()).map_err(ca_error)?;
            let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[ca])).build();
            config = config.tls_config(tls);
        }
        let stream = serde_json::Value::from(stream);
        Ok(FirehoseClient {
            agent: config.build().new_agent(),
            url: url.trim_end_matches('/').into(),
            host,
            signer: RequestSigner::placeholder(),
            opening: format!(r#"{{"DeliveryStreamName":{stream},"Records":["#),
        })
    }

    /// Host, and port unless it goes without saying.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The same with another signer.
    #[must_use]
    pub fn signed_by(self, signer: RequestSigner) -> FirehoseClient {
        FirehoseClient { signer, ..self }
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
            if let Some(error) = answers.iter().find_map(ReceivedRecordAnswer::error) {
                reason = error;
            }
            let mut answers = answers.iter();
            waiting.retain(|_| answers.next().is_some_and(ReceivedRecordAnswer::failed));
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
    ) -> Result<Vec<ReceivedRecordAnswer>, DeliverError> {
        let transport = |error: ureq::Error| DeliverError::Transport {
            url: self.url.clone(),
            reason: error.to_string(),
            accepted,
        };
        let body = self.body(indexes.iter().filter_map(|index| records.get(*index)));
        let headers =
            [("host", self.host.as_str()), ("content-type", CONTENT_TYPE), ("x-amz-target", TARGET)];
        let signed = self
            .signer
            .sign(&self.url, &headers, body.as_bytes(), SystemTime::now())
            .map_err(|reason| DeliverError::Sign { url: self.url.clone(), reason, accepted })?;
        let mut request = self.agent.post(&self.url);
        for (name, value) in headers.into_iter().chain(signed.iter().map(|(name, value)| (&**name, &**value)))
        {
            request = request.header(name, value);
        }
        let mut response = request.send(body.as_bytes()).map_err(transport)?;
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

/// What the `Host` header of a request to `url` says; anything but a scheme, a host and a port is an error.
fn host_of(url: &str) -> Result<String, DeliverError> {
    let url_error = |reason: String| DeliverError::Url { url: url.into(), reason };
    let uri: ureq::http::Uri =
        url.parse().map_err(|error: ureq::http::uri::InvalidUri| url_error(error.to_string()))?;
    if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
        return Err(url_error("must not have a path".into()));
    }
    match (uri.scheme_str(), uri.host(), uri.port_u16()) {
        // A port that goes without saying is not part of the header, and so not of the signature.
        (Some("http"), Some(host), None | Some(80)) | (Some("https"), Some(host), None | Some(443)) => {
            Ok(host.to_owned())
        }
        (Some("http" | "https"), Some(host), Some(port)) => Ok(format!("{host}:{port}")),
        _ => Err(url_error("must start with http:// or https:// and a host".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Batcher, Firehose, FirehoseFault, FirehoseOptions};
    use super::*;

    fn start(tls: bool) -> Firehose {
        Firehose::start(FirehoseOptions { tls, ..FirehoseOptions::default() }).unwrap()
    }

    fn client(firehose: &Firehose) -> FirehoseClient {
        FirehoseClient::new(&firehose.url(), "nodesieve", firehose.ca_pem()).unwrap()
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
        firehose.set_fault(FirehoseFault::PartialFailure { every: 7 });
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
        firehose.set_fault(FirehoseFault::PartialFailure { every: 1 });
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
        firehose.set_fault(FirehoseFault::Unavailable);
        let error = client(&firehose).put(&records(1)).unwrap_err().to_string();
        let expected = format!("put records to {}: status 503, ", firehose.url());
        assert!(error.starts_with(&expected) && error.contains("ServiceUnavailableException"), "{error}");
        firehose.set_fault(FirehoseFault::None);
        let other = FirehoseClient::new(&firehose.url(), "other \"stream\"", None).unwrap();
        let error = other.put(&records(1)).unwrap_err().to_string();
        assert!(error.contains("status 400") && error.contains("ResourceNotFoundException"), "{error}");
    }

    #[test]
    fn gives_up_on_a_stalled_call_and_the_server_can_stop() {
        let firehose = start(false);
        firehose.set_fault(FirehoseFault::Stall);
        let timeout = Duration::from_millis(300);
        let client = FirehoseClient::with_timeout(&firehose.url(), "nodesieve", None, timeout).unwrap();
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
        let by_name = FirehoseClient::new(&local, "nodesieve", firehose.ca_pem()).unwrap();
        assert_eq!(by_name.put(&records(1)).unwrap().accepted, 1);
        let received = firehose.received();
        assert_eq!((received.connections, received.records, received.failed_handshakes), (2, 7, 0));

        let other = start(true);
        let stranger = FirehoseClient::new(&firehose.url(), "nodesieve", other.ca_pem()).unwrap();
        assert!(matches!(stranger.put(&records(1)), Err(DeliverError::Transport { .. })));
        assert!(firehose.wait_until(|received| received.failed_handshakes == 1, Duration::from_secs(30)));
        assert_eq!(firehose.received().records, 7);
    }

    #[test]
    fn refuses_urls_and_cas_it_cannot_use() {
        for url in ["", "127.0.0.1:80", "ftp://host", "http://host/path", "http://host/?query"] {
            assert!(matches!(FirehoseClient::new(url, "s", None), Err(DeliverError::Url { .. })), "{url}");
        }
        let error = FirehoseClient::new("https://127.0.0.1", "s", Some("no certificate")).unwrap_err();
        assert!(error.to_string().starts_with("read ca certificate for https://127.0.0.1: "), "{error}");
        assert!(FirehoseClient::new("http://127.0.0.1:80/", "s", None).is_ok());
    }

    #[test]
    fn a_port_that_goes_without_saying_is_not_signed() {
        let hosts = [
            ("https://firehose.eu-west-1.amazonaws.com:443", "firehose.eu-west-1.amazonaws.com"),
            ("http://localhost:80/", "localhost"),
            ("http://localhost:443", "localhost:443"),
            ("https://[::1]:8443", "[::1]:8443"),
        ];
        for (url, host) in hosts {
            assert_eq!(host_of(url).as_deref(), Ok(host), "{url}");
        }
    }

    /// Without a CA of its own only the public ones are trusted, and the fake's is none of them.
    #[test]
    fn public_authorities_are_trusted_unless_another_is_given() {
        let firehose = start(true);
        let client = FirehoseClient::new(&firehose.url(), "nodesieve", None).unwrap();
        let error = client.put(&records(1)).unwrap_err().to_string();
        assert!(error.contains("certificate"), "{error}");
    }
}
