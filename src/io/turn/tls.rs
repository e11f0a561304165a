//! The certificate of `tls:` listeners.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};

/// TLS 1.2 and 1.3 with a certificate that can be exchanged while connections live.
#[derive(Debug)]
pub(super) struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<ServerConfig>>,
}

impl Certificates {
    pub(super) fn load(certificate: PathBuf, key: PathBuf) -> Result<Self, CertificateError> {
        let current = RwLock::new(read(&certificate, &key)?);
        Ok(Self {
            certificate,
            key,
            current,
        })
    }

    /// Reads the files again, for connections that come from now on. What was there stays when the
    /// files are no good.
    pub(super) fn reload(&self) -> Result<(), CertificateError> {
        let read = read(&self.certificate, &self.key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    pub(super) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A file that cannot be read, or is not what it should be.
    #[error("turn.{key}: {}: {source}", path.display())]
    File {
        /// `certificate` or `key`.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The two do not fit each other, or the kind of key is not known.
    #[error("turn.certificate and turn.key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, CertificateError> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|chain| match chain.is_empty() {
            true => Err(pem::Error::NoItemsFound),
            false => Ok(chain),
        })
        .map_err(|error| failed("certificate", certificate, error))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| failed("key", key, error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}

fn failed(key: &'static str, path: &Path, error: pem::Error) -> CertificateError {
    let source = match error {
        pem::Error::Io(error) => error,
        pem::Error::NoItemsFound => io::Error::other("there is none in PEM form in it"),
        error => io::Error::other(error),
    };
    CertificateError::File {
        key,
        path: path.to_owned(),
        source,
    }
}
