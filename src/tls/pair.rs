//! A certificate and its key, from PEM files.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::aws_lc_rs::digest::{self, SHA256};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, InconsistentKeys, ServerConfig};

use super::expiry;
use crate::clock::UnixSeconds;
use crate::config;

/// Most bytes of a file; the rest is not read. A chain of three certificates has six KiB.
const MAX_FILE: u64 = 256 * 1024;

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("`{key}`: cannot read {}: {source}", .path.display())]
    File {
        /// The key of the configuration that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The error from the system.
        source: io::Error,
    },
    /// There is no certificate in the file.
    #[error("`tls.certificate_file`: {} is not a certificate in PEM; expected -----BEGIN CERTIFICATE-----, the server's own first, then the intermediate ones", .0.display())]
    NoCertificate(PathBuf),
    /// There is no private key in the file.
    #[error("`tls.key_file`: {} is not a private key in PEM; expected -----BEGIN PRIVATE KEY-----, without a password", .0.display())]
    NoKey(PathBuf),
    /// The key is another certificate's.
    #[error("`tls.key_file`: {} does not belong to the certificate in {}; set the key with which that certificate was requested", .key.display(), .certificate.display())]
    OtherKey {
        /// The file with the key.
        key: PathBuf,
        /// The file with the certificate.
        certificate: PathBuf,
    },
    /// The certificate or the key is of a kind that TLS cannot use.
    #[error("`tls.certificate_file` and `tls.key_file` cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The contents of both files as a digest, or why they cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contents(Result<Vec<u8>, ErrorKind>);

/// The settings for connections, and when their certificate expires.
type Usable = (Arc<ServerConfig>, UnixSeconds);

/// Where the certificate and its key are.
pub(super) struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
}

/// The contents of both files.
pub(super) struct PemPair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    /// Of what was read.
    pub(super) fn of(read: &Result<PemPair, TlsError>) -> Self {
        Self(match read {
            Ok(PemPair { certificate, key }) => {
                let mut digest = digest::Context::new(&SHA256);
                digest.update(&certificate.len().to_be_bytes());
                digest.update(certificate);
                digest.update(key);
                Ok(digest.finish().as_ref().to_vec())
            }
            Err(TlsError::File { source, .. }) => Err(source.kind()),
            Err(_) => Err(ErrorKind::InvalidData),
        })
    }
}

impl TlsFiles {
    /// The configured files.
    pub(super) fn of(settings: &config::Tls) -> Option<Self> {
        let (certificate, key) = (settings.certificate_file.clone()?, settings.key_file.clone()?);
        Some(Self { certificate, key })
    }

    /// Reads both files.
    pub(super) fn read(&self) -> Result<PemPair, TlsError> {
        Ok(PemPair {
            certificate: read_file("tls.certificate_file", &self.certificate)?,
            key: read_file("tls.key_file", &self.key)?,
        })
    }

    /// Makes of both files what connections need.
    pub(super) fn use_pair(&self, pair: &PemPair) -> Result<Usable, TlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pair.certificate).collect();
        let no_certificate = || TlsError::NoCertificate(self.certificate.clone());
        let chain = chain.map_err(|_| no_certificate())?;
        let expires = chain.first().and_then(|own| expiry::of(own)).ok_or_else(no_certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&pair.key).map_err(|_| TlsError::NoKey(self.key.clone()))?;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key);
        let mut config = config.map_err(|error| self.explain(error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok((Arc::new(config), expires))
    }

    fn explain(&self, error: rustls::Error) -> TlsError {
        match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::OtherKey { key: self.key.clone(), certificate: self.certificate.clone() }
            }
            error => TlsError::Unusable(error),
        }
    }
}

fn read_file(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes));
    read.map_err(|source| TlsError::File { key, path: path.to_owned(), source })?;
    Ok(bytes)
}
