//! One proof, from the header to what it shows (RFC 9449 §4.3).

use serde_json::{Map, Value};
use url::Url;

use super::header::ProofHeader;
use super::nonce::Nonces;
use super::public_key::public_key;
use crate::clock::UnixSeconds;
use crate::idp::jws::{AnonymousJws, JwsFault};
use crate::idp::key::Unusable;
use crate::oauth::error::shown;
use crate::random::digest;
use crate::store::ledger::ProofUse;

/// How far `iat` may be from now in either direction, in seconds.
pub(super) const WINDOW: i64 = 300;

/// Longest proof, in bytes: one with an RSA key of 8192 bits has about 4,500.
const MAX_SIZE: usize = 8 * 1024;
/// Longest `jti`, in bytes.
const MAX_JTI: usize = 256;
/// Longest `htu`, in bytes.
const MAX_URI: usize = 2048;
/// The largest accepted time: the year 9999.
const MAX_TIME: f64 = 253_402_300_799.0;

/// Why a header proves nothing. The text is for the decision log.
#[derive(Debug, thiserror::Error)]
pub enum ProofFault {
    /// There are several headers.
    #[error("several DPoP headers")]
    Several,
    /// It is no JWT that could be a proof.
    #[error("{0}")]
    Unreadable(#[from] JwsFault),
    /// The header names no key, or one that may not be used.
    #[error("the key in jwk {0}")]
    Key(#[from] Unusable),
    /// There is no key.
    #[error("jwk is missing")]
    NoKey,
    /// The key's kind is another one than that of the algorithm.
    #[error("alg does not fit the key in jwk")]
    Algorithm,
    /// The key in the header did not make the signature.
    #[error("the signature is not by the key in jwk")]
    Signature,
    /// A claim is absent or has another form.
    #[error("{0} must be {1}")]
    Claim(&'static str, &'static str),
    /// It is for another method.
    #[error("htm is {0}, expected {1}")]
    Method(String, String),
    /// It is for another address.
    #[error("htu is {0}, expected {1}")]
    Uri(String, String),
    /// It was made too long ago, or will be made.
    #[error("iat is {0:.0} s from now; at most {WINDOW} s are accepted; compare the clocks")]
    Time(f64),
    /// It has no fresh nonce: the sender gets one and tries again.
    #[error("nonce is {0}")]
    Nonce(&'static str),
    /// It is for another token.
    #[error("ath is not the hash of the token")]
    Token,
}

/// What a proof must be about.
#[derive(Debug)]
pub struct ExpectedProof<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The request's address.
    pub uri: &'a str,
    /// The token that it comes with; none at the token endpoint.
    pub token: Option<&'a str>,
    /// The nonces of which it must have one; none where it needs none.
    pub nonces: Option<&'a Nonces>,
    /// The time of the request.
    pub now: UnixSeconds,
}

/// A good proof. Only [`DpopProof::verify`] makes one.
#[derive(Debug, Clone)]
pub struct DpopProof {
    /// The thumbprint of the key (RFC 7638).
    pub thumbprint: String,
    /// It is good once: whatever it is accepted for must use it up.
    pub used: ProofUse,
}

impl DpopProof {
    /// Verifies the proof of a request; none without a header.
    pub fn verify(
        header: ProofHeader<'_>,
        expected: &ExpectedProof<'_>,
    ) -> Result<Option<Self>, Box<ProofFault>> {
        match header {
            ProofHeader::Absent => Ok(None),
            ProofHeader::Several => Err(Box::new(ProofFault::Several)),
            ProofHeader::One(value) => Self::read(value, expected).map(Some).map_err(Box::new),
        }
    }

    fn read(value: &[u8], expected: &ExpectedProof<'_>) -> Result<Self, ProofFault> {
        let text = std::str::from_utf8(value).map_err(|_| JwsFault::Encoding)?;
        let jws = AnonymousJws::peek(text, MAX_SIZE, |typ| typ == "dpop+jwt")?;
        // §4.3 names the value itself, without the liberties of media types.
        if let Some(typ) = jws.header("typ").and_then(Value::as_str).filter(|typ| *typ != "dpop+jwt") {
            return Err(JwsFault::Type(shown(typ)).into());
        }
        let key = public_key(jws.header("jwk").ok_or(ProofFault::NoKey)?)?;
        if !key.fits(jws.algorithm()) {
            return Err(ProofFault::Algorithm);
        }
        let payload = jws.verified(&key).ok_or(ProofFault::Signature)?;
        let thumbprint = key.thumbprint();
        let used = ProofClaims(&payload).check(&thumbprint, expected)?;
        Ok(Self { thumbprint, used })
    }
}

/// The claims of a proof with a good signature.
struct ProofClaims<'a>(&'a Map<String, Value>);

impl ProofClaims<'_> {
    /// Checks every claim, and names the one use.
    fn check(&self, thumbprint: &str, expected: &ExpectedProof<'_>) -> Result<ProofUse, ProofFault> {
        let method = self.text("htm", "the method of the request", 64)?;
        if method != expected.method {
            return Err(ProofFault::Method(shown(method), shown(expected.method)));
        }
        let uri = self.text("htu", "the address of the request", MAX_URI)?;
        if !is_same_address(uri, expected.uri) {
            return Err(ProofFault::Uri(shown(uri), shown(expected.uri)));
        }
        let iat = self.time(expected.now)?;
        if let Some(token) = expected.token
            && self.text("ath", "the hash of the token", 64)? != digest(token)
        {
            return Err(ProofFault::Token);
        }
        if let Some(nonces) = expected.nonces {
            self.check_nonce(nonces)?;
        }
        let jti = self.text("jti", "a string of 1 to 256 bytes", MAX_JTI)?;
        Ok(ProofUse {
            // No issuer's assertion has a name that begins so: issuers are URLs. Two senders may choose the same jti.
            id: digest(&format!("dpop\0{thumbprint}\0{jti}")),
            // In range, since the time is near now.
            issued_at: iat as UnixSeconds,
            expires_at: iat.ceil() as UnixSeconds + WINDOW + 1,
        })
    }

    fn text(&self, name: &'static str, wanted: &'static str, max: usize) -> Result<&str, ProofFault> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.filter(|text| (1..=max).contains(&text.len())).ok_or(ProofFault::Claim(name, wanted))
    }

    /// §4.3: the nonce is one that we gave out a short time ago.
    fn check_nonce(&self, nonces: &Nonces) -> Result<(), ProofFault> {
        match self.0.get("nonce") {
            None => Err(ProofFault::Nonce("missing")),
            Some(Value::String(nonce)) if nonces.has(nonce) => Ok(()),
            Some(_) => Err(ProofFault::Nonce("not a fresh one of ours")),
        }
    }

    /// The `iat`, which must be near now.
    fn time(&self, now: UnixSeconds) -> Result<f64, ProofFault> {
        let iat = self.0.get("iat").and_then(Value::as_f64).filter(|iat| (0.0..=MAX_TIME).contains(iat));
        let iat = iat.ok_or(ProofFault::Claim("iat", "a number of seconds since 1970"))?;
        let apart = (iat - now as f64).abs();
        if apart > WINDOW as f64 { Err(ProofFault::Time(apart)) } else { Ok(iat) }
    }
}

/// Whether two texts are one address. Most senders write it as we do, and then nothing has to be parsed.
fn is_same_address(uri: &str, expected: &str) -> bool {
    uri == expected || bare(uri).is_some_and(|uri| bare(expected) == Some(uri))
}

/// An address without query and fragment, after the normalization of RFC 3986 §6.2.2 and §6.2.3, as §4.3 compares it. The
/// URL parser would mend white space and backslashes.
fn bare(text: &str) -> Option<Url> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let mut url = is_plain.then(|| Url::parse(text).ok()).flatten()?;
    (url.has_host() && url.username().is_empty() && url.password().is_none()).then_some(())?;
    url.set_query(None);
    url.set_fragment(None);
    Some(url)
}
