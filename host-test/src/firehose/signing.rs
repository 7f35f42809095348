//! Signatures of requests, AWS Signature Version 4.
//!
//! It exists so that `nodesieve replay --firehose` can deliver to any endpoint, AWS's own included. The rules it keeps:
//! credentials come from the environment, as AWS's own tools read them, and are never written anywhere; without any a
//! request is signed with well-known ones, which the fake and moto take.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use std::time::SystemTime;

/// Both parts of the credentials where there are none, as moto's documentation has them.
const PLACEHOLDER: &str = "testing";
/// Region where neither the environment nor the host name says one.
const REGION: &str = "us-east-1";

/// Who signs, for which service and region.
#[derive(Clone, Debug)]
pub struct RequestSigner {
    credentials: Credentials,
    region: String,
    service: &'static str,
}

impl RequestSigner {
    /// Signs with credentials that only fakes take. Nothing is read from the environment.
    pub fn placeholder() -> RequestSigner {
        RequestSigner::from_variables(|_| None, "")
    }

    /// Signs for the endpoint at `host` with `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, for the
    /// region in `AWS_REGION` or `AWS_DEFAULT_REGION`, or else that of a host called `firehose.REGION.amazonaws.com`.
    pub fn from_env(host: &str) -> RequestSigner {
        RequestSigner::from_variables(|name| std::env::var(name).ok(), host)
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>, host: &str) -> RequestSigner {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let credentials = match (given("AWS_ACCESS_KEY_ID"), given("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => {
                Credentials::new(id, secret, given("AWS_SESSION_TOKEN"), None, "environment")
            }
            _ => Credentials::new(PLACEHOLDER, PLACEHOLDER, None, None, "placeholder"),
        };
        let region = given("AWS_REGION")
            .or_else(|| given("AWS_DEFAULT_REGION"))
            .or_else(|| region_of(host))
            .unwrap_or_else(|| REGION.to_owned());
        RequestSigner { credentials, region, service: "firehose" }
    }

    /// The headers that a `POST` of `body` to `url` needs besides `headers`: date, signature, and a session's token.
    ///
    /// # Errors
    /// Why there can be no signature, such as a URL or a header that is none.
    pub(super) fn sign(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        now: SystemTime,
    ) -> Result<Vec<(String, String)>, String> {
        let identity = self.credentials.clone().into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?;
        let request = SignableRequest::new("POST", url, headers.iter().copied(), SignableBody::Bytes(body))
            .map_err(|error| error.to_string())?;
        let (signed, _) = sign(request, &parameters.into()).map_err(|error| error.to_string())?.into_parts();
        Ok(signed.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// The region in the name of one of AWS's hosts.
fn region_of(host: &str) -> Option<String> {
    let (region, domain) = host.strip_prefix("firehose.")?.split_once('.')?;
    ["amazonaws.com", "amazonaws.com.cn"].contains(&domain).then(|| region.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn signer(variables: &[(&str, &str)], host: &str) -> RequestSigner {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        RequestSigner::from_variables(|name| find(name).map(str::to_owned), host)
    }

    fn authorization(headers: &[(String, String)]) -> &str {
        &headers.iter().find(|(name, _)| name == "authorization").unwrap().1
    }

    /// 2015-08-30T12:36:00Z, the time of AWS's examples.
    fn then() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160)
    }

    /// `post-vanilla` of the test suite that AWS publishes for Signature Version 4.
    #[test]
    fn a_signature_is_the_one_that_aws_publishes() {
        let variables = [
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        ];
        let signer = RequestSigner { service: "service", ..signer(&variables, "") };
        let headers = signer.sign("https://example.amazonaws.com/", &[], b"", then()).unwrap();
        assert_eq!(
            authorization(&headers),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
        assert!(headers.contains(&("x-amz-date".into(), "20150830T123600Z".into())), "{headers:?}");
    }

    #[test]
    fn the_signature_depends_on_body_headers_and_time() {
        let signer = RequestSigner::placeholder();
        let sign = |target, body: &[u8], now| {
            let headers = signer.sign("http://127.0.0.1:80", &[("x-amz-target", target)], body, now).unwrap();
            authorization(&headers).to_owned()
        };
        let all = [
            sign("a", b"1", then()),
            sign("a", b"2", then()),
            sign("b", b"1", then()),
            sign("a", b"1", then() + Duration::from_secs(1)),
        ];
        assert_eq!(all[0], sign("a", b"1", then()));
        assert!(all[1..].iter().all(|other| *other != all[0]), "{all:?}");
        assert!(all[0].contains("SignedHeaders=host;x-amz-date;x-amz-target, "), "{}", all[0]);
    }

    #[test]
    fn a_sessions_token_is_sent_and_half_of_the_credentials_are_none() {
        let keys = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
        let headers =
            |variables: &[(&str, &str)]| signer(variables, "").sign("http://a", &[], b"", then()).unwrap();
        let with_token = headers(&[keys[0], keys[1], ("AWS_SESSION_TOKEN", "token")]);
        assert!(with_token.contains(&("x-amz-security-token".into(), "token".into())), "{with_token:?}");
        assert!(authorization(&with_token).contains("Credential=id/20150830/"));
        let half = headers(&keys[..1]);
        assert!(authorization(&half).contains("Credential=testing/20150830/us-east-1/firehose/"));
    }

    #[test]
    fn the_region_is_the_environments_or_the_hosts() {
        let region = |variables: &[(&str, &str)], host| signer(variables, host).region;
        let host = "firehose.eu-west-1.amazonaws.com";
        assert_eq!(region(&[], host), "eu-west-1");
        assert_eq!(region(&[], "firehose.cn-north-1.amazonaws.com.cn"), "cn-north-1");
        assert_eq!(region(&[("AWS_DEFAULT_REGION", "b")], host), "b");
        assert_eq!(region(&[("AWS_DEFAULT_REGION", "b"), ("AWS_REGION", "a")], host), "a");
        assert_eq!(region(&[("AWS_REGION", "")], "127.0.0.1"), "us-east-1");
    }
}
