//! A certificate for a fake server, made when it starts, and the CA that has signed it.
//!
//! It exists so that the TLS path of a peer can be tested without files or fixtures that expire. The rule it keeps: the
//! keys never leave the process; only the CA certificate is handed out.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// Subject alternative names of the certificate.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// Makes a certificate for `localhost` and 127.0.0.1; returns the CA certificate as PEM with the acceptor that serves
/// the server's (TLS 1.2 and 1.3, HTTP/1.1).
pub(super) fn identity(name: &str) -> Result<(String, TlsAcceptor), String> {
    let text = |error: rcgen::Error| error.to_string();
    let ca_key = KeyPair::generate().map_err(text)?;
    let mut ca = CertificateParams::new(Vec::new()).map_err(text)?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, format!("nodesieve {name} authority"));
    let ca_certificate = ca.self_signed(&ca_key).map_err(text)?;

    let key = KeyPair::generate().map_err(text)?;
    let mut params = CertificateParams::new(NAMES.map(String::from)).map_err(text)?;
    params.distinguished_name.push(DnType::CommonName, format!("nodesieve {name}"));
    let certificate = params.signed_by(&key, &Issuer::new(ca, ca_key)).map_err(text)?;

    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], private)
        })
        .map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((ca_certificate.pem(), TlsAcceptor::from(Arc::new(config))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_a_new_certificate_each_time_and_keeps_the_keys() {
        let (first, _) = identity("test").unwrap();
        let (second, _) = identity("test").unwrap();
        assert!(first.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(!first.contains("PRIVATE KEY"));
        assert_ne!(first, second);
    }
}
