//! Signed tokens of others in the compact form (RFC 7515 §3.1), read strictly. Nothing in one is trusted before its
//! signature is verified: only its issuer, its header's key and its algorithm may be read, to choose the key.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::key::{ALLOWED_ALGORITHMS, VerificationKey, allowed_algorithm};
use crate::oauth::error::shown;
use crate::oauth::json::parse_object;

/// A well-formed token with an allowed algorithm and an accepted type. Nothing says whose it is.
pub struct AnonymousJws<'a> {
    signing_input: &'a str,
    signature: &'a str,
    algorithm: Algorithm,
    kid: Option<String>,
    header: Map<String, Value>,
    payload: Map<String, Value>,
}

/// The same with an issuer. Its sender is unknown.
pub struct UnverifiedJws<'a> {
    jws: AnonymousJws<'a>,
    issuer: String,
}

/// Why a token cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwsFault {
    /// It is longer than the limit, in bytes.
    #[error("longer than {0} bytes")]
    TooLong(usize),
    /// It is encrypted, or no token at all.
    #[error("not three parts; encrypted tokens are not supported")]
    Parts,
    /// A part is no canonical base64url, or no strict JSON object.
    #[error("a part is no JSON object in base64url")]
    Encoding,
    /// The header demands an extension.
    #[error("crit and b64 are not supported")]
    Extension,
    /// The header names no algorithm.
    #[error("alg is missing")]
    NoAlgorithm,
    /// The algorithm is none of those that are allowed.
    #[error("alg is {0}; {ALLOWED_ALGORITHMS} are allowed")]
    Algorithm(String),
    /// The type is another one.
    #[error("typ is {0}")]
    Type(String),
    /// The key id is unusable.
    #[error("kid is no string of at most 256 bytes")]
    KeyId,
    /// The token names no issuer.
    #[error("iss is missing or no string")]
    NoIssuer,
}

impl<'a> AnonymousJws<'a> {
    /// Reads header and payload strictly. `max_size` is in bytes. `is_type` gets the type in lower case without
    /// `application/`; it is empty when the header has none.
    pub fn peek(token: &'a str, max_size: usize, is_type: fn(&str) -> bool) -> Result<Self, JwsFault> {
        if token.len() > max_size {
            return Err(JwsFault::TooLong(max_size));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(JwsFault::Parts);
        };
        let members = decode(header)?;
        let (algorithm, kid) = check_header(&members, is_type)?;
        Ok(Self {
            signing_input: token.get(..header.len() + 1 + payload.len()).unwrap_or_default(),
            signature,
            algorithm,
            kid,
            header: members,
            payload: decode(payload)?,
        })
    }

    /// A member of the header.
    pub fn header(&self, name: &str) -> Option<&Value> {
        self.header.get(name)
    }

    /// Its `alg`, one of those that are allowed.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The claims, if the key made the signature.
    pub fn verified(self, key: &VerificationKey) -> Option<Map<String, Value>> {
        self.is_signed_by(key).then_some(self.payload)
    }

    fn is_signed_by(&self, key: &VerificationKey) -> bool {
        // Only canonical base64url, as for the other parts: otherwise one signature could be written in two ways.
        let signature = URL_SAFE_NO_PAD.decode(self.signature).unwrap_or_default();
        key.verifies(self.algorithm, self.signing_input.as_bytes(), &signature)
    }
}

impl<'a> UnverifiedJws<'a> {
    /// Reads header and payload strictly, as [`AnonymousJws::peek`] does.
    pub fn peek(token: &'a str, max_size: usize, is_type: fn(&str) -> bool) -> Result<Self, JwsFault> {
        let jws = AnonymousJws::peek(token, max_size, is_type)?;
        match jws.payload.get("iss") {
            Some(Value::String(issuer)) => Ok(Self { issuer: issuer.clone(), jws }),
            _ => Err(JwsFault::NoIssuer),
        }
    }

    /// The `iss`, for choosing a configured issuer and nothing else.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The `kid`, for choosing one of that issuer's keys.
    pub fn kid(&self) -> Option<&str> {
        self.jws.kid.as_deref()
    }

    /// Its `alg`, one of those that are allowed.
    pub fn algorithm(&self) -> Algorithm {
        self.jws.algorithm
    }

    /// The claims, if one of the keys made the signature.
    pub fn verified(self, keys: &[Arc<VerificationKey>]) -> Option<Map<String, Value>> {
        keys.iter().any(|key| self.jws.is_signed_by(key)).then_some(self.jws.payload)
    }
}

/// Canonical base64url (no padding, no stray bits) of one strict JSON object.
fn decode(part: &str) -> Result<Map<String, Value>, JwsFault> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsFault::Encoding)?;
    parse_object(&bytes).ok_or(JwsFault::Encoding)
}

/// Checks `alg` and `typ`, and refuses forbidden members. `jku`, `x5u` and `x5c` are ignored, and `jwk` except in proofs
/// of possession: keys of an issuer come only from its configuration (RFC 8725 §3.10).
fn check_header(
    header: &Map<String, Value>,
    is_type: fn(&str) -> bool,
) -> Result<(Algorithm, Option<String>), JwsFault> {
    if header.contains_key("crit") || header.contains_key("b64") {
        return Err(JwsFault::Extension);
    }
    let alg = header.get("alg").and_then(Value::as_str).ok_or(JwsFault::NoAlgorithm)?;
    let algorithm = allowed_algorithm(alg).ok_or_else(|| JwsFault::Algorithm(shown(alg)))?;
    check_type(header, is_type)?;
    match header.get("kid") {
        None => Ok((algorithm, None)),
        Some(Value::String(kid)) if kid.len() <= 256 => Ok((algorithm, Some(kid.clone()))),
        Some(_) => Err(JwsFault::KeyId),
    }
}

/// Media types are compared without regard to case, and `application/` may be omitted (RFC 7515 §4.1.9). A type that is
/// no text is none that anybody takes.
fn check_type(header: &Map<String, Value>, is_type: fn(&str) -> bool) -> Result<(), JwsFault> {
    let typ = match header.get("typ") {
        None => "",
        Some(Value::String(typ)) => typ.as_str(),
        Some(_) => return Err(JwsFault::Type("no string".to_owned())),
    };
    let lower = typ.to_ascii_lowercase();
    match is_type(lower.strip_prefix("application/").unwrap_or(&lower)) {
        true => Ok(()),
        false => Err(JwsFault::Type(shown(typ))),
    }
}
