//! Which kubelet gets the token: one with a certificate of the cluster's CA, or any with `--kubelet-insecure-tls`.
//!
//! The rule it keeps: without that flag no request is sent to a kubelet whose certificate is not signed by the given CA for
//! the address that is asked.

use crate::off_loop::OffLoop;
use crate::settings::TlsTrust;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The CA file cannot be read.
    #[error("read certificates {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// It has none, or one that is none.
    #[error("read certificates {}: {reason}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A host that a certificate cannot be for.
    #[error("name kubelet {0:?}: neither an address nor a name")]
    Name(String),
    /// The versions of TLS do not fit the cryptography.
    #[error("set up TLS: {0}")]
    Setup(rustls::Error),
}

/// TLS configurations, made anew when the CA file changes.
#[derive(Debug)]
pub(crate) struct TlsClient {
    trust: TlsTrust,
    /// The file's content and what was made of it.
    made: Option<(Vec<u8>, Arc<ClientConfig>)>,
    reading: OffLoop,
}

impl TlsClient {
    pub(crate) fn new(trust: TlsTrust) -> TlsClient {
        TlsClient { trust, made: None, reading: OffLoop::default() }
    }

    /// The configuration for the next connection.
    pub(crate) async fn config(&mut self) -> Result<Arc<ClientConfig>, TlsError> {
        let content = match &self.trust {
            TlsTrust::Anybody => Vec::new(),
            TlsTrust::Authority { ca_file, .. } => {
                let file = ca_file.clone();
                let read = self.reading.io(move || std::fs::read(file)).await;
                read.map_err(|reason| TlsError::Read { path: ca_file.clone(), reason })?
            }
        };
        if let Some((known, config)) = &self.made
            && *known == content
        {
            return Ok(Arc::clone(config));
        }
        let provider = Arc::new(ring::default_provider());
        let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?;
        let mut config = match &self.trust {
            TlsTrust::Anybody => versions
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(TakesAny(provider)))
                .with_no_client_auth(),
            TlsTrust::Authority { ca_file, .. } => {
                let failed = |reason| TlsError::Certificates { path: ca_file.clone(), reason };
                versions.with_root_certificates(roots(&content).map_err(failed)?).with_no_client_auth()
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        self.made = Some((content, Arc::clone(&config)));
        Ok(config)
    }

    /// The name that the certificate of `host` must have.
    pub(crate) fn server_name(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        let name = match &self.trust {
            TlsTrust::Authority { server_name: Some(name), .. } => name,
            _ => host.trim_matches(['[', ']']),
        };
        ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.to_owned()))
    }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("there are none in it".to_owned()) } else { Ok(roots) }
}

/// For kubelets with self-signed certificates: the peer must hold the key of the certificate that it presents, and any
/// certificate is accepted.
#[derive(Debug)]
struct TakesAny(Arc<CryptoProvider>);

impl ServerCertVerifier for TakesAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::off_loop::waited_for;

    fn authority(path: PathBuf, server_name: Option<&str>) -> TlsClient {
        TlsClient::new(TlsTrust::Authority { ca_file: path, server_name: server_name.map(str::to_owned) })
    }

    #[test]
    fn a_file_without_certificates_is_an_error_that_names_it() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("ca.crt");
        let error =
            |path: &PathBuf| waited_for(authority(path.clone(), None).config()).unwrap_err().to_string();
        assert!(error(&path).starts_with(&format!("read certificates {}: ", path.display())));
        std::fs::write(&path, "nothing\n").unwrap();
        assert!(error(&path).ends_with("there are none in it"));
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(error(&path).starts_with("read certificates "));
    }

    #[test]
    fn a_configuration_is_made_once() {
        let mut client = TlsClient::new(TlsTrust::Anybody);
        assert!(Arc::ptr_eq(&waited_for(client.config()).unwrap(), &waited_for(client.config()).unwrap()));
    }

    #[test]
    fn a_certificate_is_for_the_host_unless_another_name_is_given() {
        let name = |host, given| {
            authority("/x".into(), given).server_name(host).map(|name| name.to_str().into_owned())
        };
        assert_eq!(name("10.0.0.1", None).unwrap(), "10.0.0.1");
        assert_eq!(name("[fd00::1]", None).unwrap(), "fd00::1");
        assert_eq!(name("10.0.0.1", Some("node-a")).unwrap(), "node-a");
        let error = name("a b", None).unwrap_err().to_string();
        assert_eq!(error, "name kubelet \"a b\": neither an address nor a name");
    }
}
