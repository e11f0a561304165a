//! TLS as a client, with the authorities of the system and what `--ca` names.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::io::link::Transport;

/// Whom to believe.
#[derive(Clone)]
pub(super) struct Trust(TlsConnector);

impl Trust {
    pub(super) fn new(named: Option<&Path>) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let named = named.map_or_else(|| Ok(Vec::new()), read)?;
        roots.add_parsable_certificates(named.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let settings = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let settings = if named.is_empty() {
            settings.with_root_certificates(roots)
        } else {
            let authorities =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .map_err(io::Error::other)?;
            settings
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Named { authorities, named }))
        };
        let settings = Arc::new(settings.with_no_client_auth());
        Ok(Self(TlsConnector::from(settings)))
    }

    /// Shakes hands; the certificate must be that of `host`, a name or an address.
    pub(super) async fn connect<T: Transport>(
        &self,
        host: &str,
        io: T,
    ) -> io::Result<TlsStream<T>> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        self.0.connect(name, io).await
    }
}

fn read(file: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let bad = |what: &dyn fmt::Display| {
        let what = format!("{}: {what}", file.display());
        io::Error::new(io::ErrorKind::InvalidData, what)
    };
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| bad(&error))?;
    if certificates.is_empty() {
        return Err(bad(&"holds no certificate (PEM)"));
    }
    Ok(certificates)
}

/// Authorities, and servers' own certificates. What `openssl req -x509` makes is both at once, which
/// webpki refuses as the certificate of a server.
#[derive(Debug)]
struct Named {
    authorities: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.named.iter().any(|named| named == certificate) {
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.authorities
            .verify_server_cert(certificate, intermediates, name, stapled, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}
