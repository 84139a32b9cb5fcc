//! The suite's keys, and tokens that are signed with them exactly as they are written.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::random;

/// Something is wrong with the suite's keys.
#[derive(Debug, thiserror::Error)]
pub enum SuiteKeyError {
    /// A key could not be made, read or used.
    #[error("the cryptography of this machine failed")]
    Cryptography,
    /// The file cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// Where the keys are kept.
        path: String,
        /// Why it failed.
        cause: io::Error,
    },
    /// The file holds something else.
    #[error("{0} does not hold the keys of an earlier run; remove it, and new ones are made")]
    Spoilt(String),
}

impl From<aws_lc_rs::error::Unspecified> for SuiteKeyError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Cryptography
    }
}

impl From<aws_lc_rs::error::KeyRejected> for SuiteKeyError {
    fn from(_: aws_lc_rs::error::KeyRejected) -> Self {
        Self::Cryptography
    }
}

/// The algorithm that assertions are signed with (RFC 7518 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SuiteAlg {
    /// RSA with SHA-256, as Okta signs.
    #[value(name = "RS256")]
    Rs256,
    /// ECDSA over P-256.
    #[value(name = "ES256")]
    Es256,
}

impl SuiteAlg {
    /// The name in headers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }

    /// The one with a key of the other kind.
    pub const fn other(self) -> Self {
        match self {
            Self::Rs256 => Self::Es256,
            Self::Es256 => Self::Rs256,
        }
    }
}

enum SuitePair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

/// A private key of the suite.
pub struct SuiteKey {
    pair: SuitePair,
    jwk: Value,
    kid: String,
}

fn generate(alg: SuiteAlg) -> Result<Vec<u8>, SuiteKeyError> {
    match alg {
        SuiteAlg::Rs256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
            Ok(AsDer::<Pkcs8V1Der<'_>>::as_der(&pair)?.as_ref().to_vec())
        }
        SuiteAlg::Es256 => {
            let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())?;
            Ok(key.as_ref().to_vec())
        }
    }
}

impl SuiteKey {
    /// A new one.
    pub fn generate(alg: SuiteAlg) -> Result<Self, SuiteKeyError> {
        Self::from_pkcs8(alg, &generate(alg)?)
    }

    fn from_pkcs8(alg: SuiteAlg, pkcs8: &[u8]) -> Result<Self, SuiteKeyError> {
        let pair = match alg {
            SuiteAlg::Rs256 => SuitePair::Rsa(RsaKeyPair::from_pkcs8(pkcs8)?),
            SuiteAlg::Es256 => {
                SuitePair::Ec(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)?)
            }
        };
        let jwk = match &pair {
            SuitePair::Rsa(pair) => {
                let key = pair.public_key();
                let (n, e) = (key.modulus(), key.exponent());
                json!({
                    "e": URL_SAFE_NO_PAD.encode(e.big_endian_without_leading_zero()),
                    "kty": "RSA",
                    "n": URL_SAFE_NO_PAD.encode(n.big_endian_without_leading_zero()),
                })
            }
            SuitePair::Ec(pair) => {
                // The first byte says that both coordinates follow (SEC 1 §2.3.3).
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "crv": "P-256", "kty": "EC", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
            }
        };
        let kid = random::digest(&jwk.to_string());
        Ok(Self { pair, jwk, kid })
    }

    /// Its id: the thumbprint of RFC 7638, since the members are in its order.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The members that make the key, without an id (RFC 7517 §4).
    pub fn bare_jwk(&self) -> &Value {
        &self.jwk
    }

    /// The key as a key set has it.
    pub fn public_jwk(&self) -> Value {
        let mut jwk = self.jwk.clone();
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".into(), self.kid.as_str().into());
            members.insert("use".into(), "sig".into());
            members.insert("alg".into(), self.alg().as_str().into());
        }
        jwk
    }

    /// The algorithm of its kind.
    pub fn alg(&self) -> SuiteAlg {
        match self.pair {
            SuitePair::Rsa(_) => SuiteAlg::Rs256,
            SuitePair::Ec(_) => SuiteAlg::Es256,
        }
    }

    /// The public key in PEM, which careless verifiers take for a shared secret (RFC 8725 §2.1).
    pub fn public_pem(&self) -> Result<String, SuiteKeyError> {
        let der = match &self.pair {
            SuitePair::Rsa(pair) => AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key())?,
            SuitePair::Ec(pair) => AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key())?,
        };
        let base64 = STANDARD.encode(der.as_ref());
        let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
        for line in base64.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        Ok(pem + "-----END PUBLIC KEY-----\n")
    }

    /// A signature of this key over any text, with PSS padding where the algorithm says so.
    pub fn signature(&self, alg: &str, message: &[u8]) -> Result<Vec<u8>, SuiteKeyError> {
        let random = SystemRandom::new();
        match &self.pair {
            SuitePair::Rsa(pair) => {
                let padding: &dyn RsaEncoding =
                    if alg == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut signature)?;
                Ok(signature)
            }
            SuitePair::Ec(pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
        }
    }

    /// A JWS in compact serialization (RFC 7515 §7.1) over header and payload as they are.
    pub fn sign(&self, alg: &str, header: &str, payload: &str) -> Result<String, SuiteKeyError> {
        let message = signing_input(header, payload);
        let signature = self.signature(alg, message.as_bytes())?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Header and payload as they are signed (RFC 7515 §5.1).
pub fn signing_input(header: &str, payload: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

/// A JWS whose secret is a text (HS256, RFC 7518 §3.2).
pub fn sign_with_secret(secret: &str, header: &str, payload: &str) -> String {
    let message = signing_input(header, payload);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// All keys of a run.
pub struct SuiteKeys {
    rs256: SuiteKey,
    es256: SuiteKey,
    /// The client's own, for `private_key_jwt` and proofs.
    pub client: SuiteKey,
    /// Of somebody whom the server does not trust.
    pub stranger: SuiteKey,
    /// The same with RSA, for headers that name the good key's algorithm.
    pub rsa_stranger: SuiteKey,
}

/// The keys that a server was told about, and which must be the same the next time.
#[derive(Serialize, Deserialize)]
struct KeptKeys {
    rs256: String,
    es256: String,
    client: String,
}

impl KeptKeys {
    fn generate() -> Result<Self, SuiteKeyError> {
        let encoded = |alg| generate(alg).map(|key| STANDARD.encode(key));
        Ok(Self {
            rs256: encoded(SuiteAlg::Rs256)?,
            es256: encoded(SuiteAlg::Es256)?,
            client: encoded(SuiteAlg::Es256)?,
        })
    }
}

impl SuiteKeys {
    /// New ones, which are kept nowhere.
    pub fn generate() -> Result<Self, SuiteKeyError> {
        Self::of(&KeptKeys::generate()?)
    }

    /// The keys in a file; made where there is none.
    pub fn kept_in(path: &Path) -> Result<Self, SuiteKeyError> {
        let file = |cause| SuiteKeyError::File { path: path.display().to_string(), cause };
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let spoilt = || SuiteKeyError::Spoilt(path.display().to_string());
                let kept: KeptKeys = serde_json::from_str(&text).map_err(|_| spoilt())?;
                Self::of(&kept).map_err(|_| spoilt())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let kept = KeptKeys::generate()?;
                let text = serde_json::to_string(&kept).map_err(|error| file(error.into()))?;
                let mut made =
                    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(file)?;
                made.write_all(text.as_bytes()).map_err(file)?;
                Self::of(&kept)
            }
            Err(error) => Err(file(error)),
        }
    }

    fn of(kept: &KeptKeys) -> Result<Self, SuiteKeyError> {
        let key = |alg, text: &str| {
            let pkcs8 = STANDARD.decode(text).map_err(|_| SuiteKeyError::Cryptography)?;
            SuiteKey::from_pkcs8(alg, &pkcs8)
        };
        Ok(Self {
            rs256: key(SuiteAlg::Rs256, &kept.rs256)?,
            es256: key(SuiteAlg::Es256, &kept.es256)?,
            client: key(SuiteAlg::Es256, &kept.client)?,
            stranger: SuiteKey::generate(SuiteAlg::Es256)?,
            rsa_stranger: SuiteKey::generate(SuiteAlg::Rs256)?,
        })
    }

    /// The identity provider's key for an algorithm.
    pub fn trusted(&self, alg: SuiteAlg) -> &SuiteKey {
        match alg {
            SuiteAlg::Rs256 => &self.rs256,
            SuiteAlg::Es256 => &self.es256,
        }
    }

    /// A key of the same kind that nobody published under the good one's id.
    pub fn untrusted(&self, alg: SuiteAlg) -> &SuiteKey {
        match alg {
            SuiteAlg::Rs256 => &self.rsa_stranger,
            SuiteAlg::Es256 => &self.stranger,
        }
    }

    /// The identity provider's key set.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.rs256.public_jwk(), self.es256.public_jwk()] })
    }
}
