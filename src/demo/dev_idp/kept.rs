//! The files that outlive a restart: the signing key, and the certificate for TLS.

use std::io::{self, ErrorKind, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints,
};
use tempfile::NamedTempFile;

use super::super::identity_provider::{self, DemoIdp};
use crate::clock::{Clock as _, SystemClock};
use crate::config;
use crate::tls::ServerTls;

const SIGNING_KEY: &str = "signing-key.der";
/// The certificate that clients trust.
const CA: &str = "ca.pem";
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
/// How long a certificate is good, in days. Some systems accept no longer one.
const LIFETIME: i64 = 825;

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// A file or directory cannot be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        cause: io::Error,
    },
    /// A file has other content than expected.
    #[error("{why}. Delete {} to have it made anew; whoever trusts it must do so again", path.display())]
    Spoilt {
        /// The file.
        path: PathBuf,
        /// The fault in its content.
        why: String,
    },
    /// The signing key cannot be made.
    #[error("{0}")]
    SigningKey(#[from] identity_provider::Error),
    /// The certificate cannot be made.
    #[error("the certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
}

/// The directory with what is kept.
#[derive(Debug, Clone)]
pub struct KeptDir(PathBuf);

/// A certificate in use.
pub struct KeptCertificate {
    /// The file that clients must trust.
    pub ca_file: PathBuf,
    /// The certificate and its key, in use.
    pub tls: Arc<ServerTls>,
}

impl KeptDir {
    /// Makes the directory where it is missing, for this user alone.
    pub fn open(path: &Path) -> Result<Self, KeptError> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.and_then(|()| path.canonicalize()).map(Self).map_err(at(path))
    }

    /// The private key that signs tokens; made where there is none.
    pub fn signing_key(&self) -> Result<Vec<u8>, KeptError> {
        let path = self.0.join(SIGNING_KEY);
        match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            read => return read.map_err(at(&path)),
        }
        let key = DemoIdp::make_key()?;
        let mut file = NamedTempFile::new_in(&self.0).map_err(at(&self.0))?;
        file.write_all(&key).map_err(at(&path))?;
        match file.persist_noclobber(&path) {
            Ok(_) => Ok(key),
            // Another process was first.
            Err(_) => std::fs::read(&path).map_err(at(&path)),
        }
    }

    /// Says that the signing key is no key.
    pub fn spoilt_signing_key(&self, cause: &identity_provider::Error) -> KeptError {
        let path = self.0.join(SIGNING_KEY);
        KeptError::Spoilt { path, why: cause.to_string() }
    }

    /// The certificate for an address and this machine's own names; made where there is none.
    pub fn certificate(&self, address: IpAddr) -> Result<KeptCertificate, KeptError> {
        let dir = self.0.join(if own_names().contains(&address) {
            "tls".to_owned()
        } else {
            format!("tls-{}", address.to_string().replace(':', "-"))
        });
        if !dir.join(CA).exists() {
            self.make_certificate(address, &dir)?;
        }
        let settings =
            config::Tls { certificate_file: Some(dir.join(CERTIFICATE)), key_file: Some(dir.join(KEY)) };
        let spoilt = |why: String| KeptError::Spoilt { path: dir.clone(), why };
        let tls = ServerTls::of(&settings).map_err(|error| spoilt(error.to_string()))?;
        let tls = tls.ok_or_else(|| spoilt("it has no certificate".to_owned()))?;
        if tls.expires() < SystemClock.now() {
            return Err(spoilt("the certificate has expired".to_owned()));
        }
        Ok(KeptCertificate { ca_file: dir.join(CA), tls })
    }

    /// All files at once: nobody finds half of them.
    fn make_certificate(&self, address: IpAddr, dir: &Path) -> Result<(), KeptError> {
        let half = tempfile::Builder::new().prefix(".tls-").tempdir_in(&self.0).map_err(at(&self.0))?;
        for (name, content) in make(address)? {
            let path = half.path().join(name);
            let written = std::fs::write(&path, content).and_then(|()| {
                std::fs::set_permissions(
                    &path,
                    std::fs::Permissions::from_mode(if name == KEY { 0o600 } else { 0o644 }),
                )
            });
            written.map_err(at(&path))?;
        }
        match std::fs::rename(half.path(), dir) {
            // Another process was first.
            Err(_) if dir.join(CA).exists() => Ok(()),
            renamed => renamed.map_err(at(dir)),
        }
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> KeptError {
    move |cause| KeptError::File { path: path.to_owned(), cause }
}

fn own_names() -> [IpAddr; 2] {
    [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
}

/// A certificate, its key, and the authority that signed it. The authority's key is thrown away, and of all host names it
/// may vouch for `localhost` only: trusting it lets nobody else in. Addresses are not constrained, because BoringSSL, and
/// so Claude Code, refuses a certificate whose authority has a constraint of addresses.
fn make(address: IpAddr) -> Result<[(&'static str, String); 3], KeptError> {
    let mut addresses = own_names().to_vec();
    if !addresses.contains(&address) {
        addresses.push(address);
    }
    let mut authority = params(Vec::new(), "Countersign development CA (this machine only)")?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let permitted_subtrees = vec![GeneralSubtree::DnsName("localhost".to_owned())];
    authority.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    let (authority_key, key) = (KeyPair::generate()?, KeyPair::generate()?);
    let ca = authority.self_signed(&authority_key)?;
    let mut names = vec!["localhost".to_owned()];
    names.extend(addresses.iter().map(IpAddr::to_string));
    let mut own = params(names, "Countersign development identity provider")?;
    own.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    own.use_authority_key_identifier_extension = true;
    let certificate = own.signed_by(&key, &Issuer::from_params(&authority, authority_key))?;
    Ok([(CA, ca.pem()), (CERTIFICATE, certificate.pem()), (KEY, key.serialize_pem())])
}

/// A day before now, since clocks differ, to the end of the lifetime.
fn params(names: Vec<String>, common_name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let day = |days: i64| {
        let at = SystemClock.now().saturating_add(days.saturating_mul(86_400));
        let date =
            jiff::Timestamp::from_second(at).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC).date();
        rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    (params.not_before, params.not_after) = (day(-1), day(LIFETIME));
    Ok(params)
}
