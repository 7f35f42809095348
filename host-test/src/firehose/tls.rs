//! A certificate for the stand-in that is made when it starts.
//!
//! It exists so that the TLS path of a sender can be tested without files or fixtures that expire. The rule
//! it keeps: the key never leaves the process; only the certificate, which is its own CA, is handed out.

use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// Subject alternative names of the certificate.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// Makes a self-signed certificate for `localhost` and 127.0.0.1; returns it as PEM with the acceptor that
/// serves it (TLS 1.2 and 1.3, HTTP/1.1).
pub(super) fn self_signed() -> Result<(String, TlsAcceptor), String> {
    let key = KeyPair::generate().map_err(|error| error.to_string())?;
    let mut params = CertificateParams::new(NAMES.map(String::from)).map_err(|error| error.to_string())?;
    params.distinguished_name.push(DnType::CommonName, "nodesieve firehose stand-in");
    let certificate = params.self_signed(&key).map_err(|error| error.to_string())?;

    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], private)
        })
        .map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((certificate.pem(), TlsAcceptor::from(Arc::new(config))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_a_new_certificate_each_time_and_keeps_the_key() {
        let (first, _) = self_signed().unwrap();
        let (second, _) = self_signed().unwrap();
        assert!(first.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(!first.contains("PRIVATE KEY"));
        assert_ne!(first, second);
    }
}
