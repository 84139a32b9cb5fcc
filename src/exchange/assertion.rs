//! From a text that claims to be an ID-JAG to one that is: the only way to an [`IdJag`].
//!
//! draft-ietf-oauth-identity-assertion-authz-grant §3.1, §4.4.1; RFC 7523 §3; RFC 8725.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::claims::{Claims, Expectations};
use crate::idp::key::{ALLOWED_ALGORITHMS, VerificationKey, allowed_algorithm};
use crate::oauth::error::{Reason, TokenError, shown};
use crate::oauth::json::parse_object;
use crate::random::digest;

/// The media type of an ID-JAG (§3.1 of the draft), which keeps it apart from every other JWT.
const TYP: &str = "oauth-id-jag+jwt";

/// A well-formed JWS with an allowed algorithm and the right type. Its sender is unknown: only the issuer and the key
/// id may be read, to choose the key that verifies it.
pub struct UnverifiedAssertion<'a> {
    signing_input: &'a str,
    signature: &'a str,
    algorithm: Algorithm,
    kid: Option<String>,
    issuer: String,
    payload: Map<String, Value>,
}

/// An assertion that its issuer has signed. It may still be for somebody else, or no longer valid.
#[derive(Debug)]
pub struct AuthenticAssertion {
    claims: Claims,
    id: String,
}

/// A verified ID-JAG for us and for this client, valid now.
#[derive(Debug)]
pub struct IdJag(AuthenticAssertion);

/// An authentic assertion that breaks a rule.
#[derive(Debug)]
pub struct Unfit {
    /// The assertion, whose claims the decision log may show.
    pub assertion: Box<AuthenticAssertion>,
    /// The answer to the request.
    pub error: TokenError,
}

impl<'a> UnverifiedAssertion<'a> {
    /// Reads header and payload strictly. `max_size` is in bytes.
    pub fn peek(assertion: &'a str, max_size: usize) -> Result<Self, TokenError> {
        let malformed = || TokenError::unverified(Reason::ASSERTION_MALFORMED);
        if assertion.len() > max_size {
            return Err(malformed().detail(format!("longer than {max_size} bytes")));
        }
        let mut parts = assertion.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed().detail("not three parts; encrypted assertions are not supported"));
        };
        let header_claims = decode(header).ok_or_else(malformed)?;
        let (algorithm, kid) = check_header(&header_claims)?;
        let payload_claims = decode(payload).ok_or_else(malformed)?;
        let issuer = match payload_claims.get("iss") {
            Some(Value::String(issuer)) => issuer.clone(),
            _ => return Err(malformed().detail("iss is missing or no string")),
        };
        Ok(Self {
            signing_input: assertion.get(..header.len() + 1 + payload.len()).unwrap_or_default(),
            signature,
            algorithm,
            kid,
            issuer,
            payload: payload_claims,
        })
    }

    /// The `iss`, for choosing a configured issuer and nothing else.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The `kid`, for choosing one of that issuer's keys.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Its `alg`, one of those that are allowed.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks the signature, and the types of the claims.
    pub fn authenticate(self, keys: &[Arc<VerificationKey>]) -> Result<AuthenticAssertion, TokenError> {
        // Only canonical base64url, as for the other parts: otherwise one signature could be written in two ways.
        let signature = URL_SAFE_NO_PAD.decode(self.signature).unwrap_or_default();
        let message = self.signing_input.as_bytes();
        if !keys.iter().any(|key| key.verifies(self.algorithm, message, &signature)) {
            return Err(TokenError::unverified(Reason::SIGNATURE_BAD));
        }
        let claims = Claims::read(self.payload)?;
        let id = digest(&format!("{}\0{}", claims.iss, claims.jti));
        Ok(AuthenticAssertion { claims, id })
    }
}

impl AuthenticAssertion {
    /// The issuer's claims: enough to tell an administrator whose sign-in it was.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// SHA-256 over issuer and jti.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Checks every claim.
    pub fn check(self, expected: &Expectations) -> Result<IdJag, Unfit> {
        match self.claims.check(expected) {
            Ok(()) => Ok(IdJag(self)),
            Err(error) => Err(Unfit { assertion: Box::new(self), error }),
        }
    }
}

impl IdJag {
    /// The assertion that was checked.
    pub fn assertion(&self) -> &AuthenticAssertion {
        &self.0
    }

    /// Its claims, all of them checked.
    pub fn claims(&self) -> &Claims {
        &self.0.claims
    }

    /// SHA-256 over issuer and jti. The use of the assertion is recorded under it.
    pub fn id(&self) -> &str {
        &self.0.id
    }
}

/// Canonical base64url (no padding, no stray bits) of one strict JSON object.
fn decode(part: &str) -> Option<Map<String, Value>> {
    parse_object(&URL_SAFE_NO_PAD.decode(part).ok()?)
}

/// Checks `alg` and `typ`, and refuses forbidden members. `jwk`, `jku`, `x5u` and `x5c` are ignored: keys come only
/// from the configured issuer (RFC 8725 §3.10).
fn check_header(header: &Map<String, Value>) -> Result<(Algorithm, Option<String>), TokenError> {
    let malformed = |detail: &str| TokenError::unverified(Reason::ASSERTION_MALFORMED).detail(detail);
    if header.contains_key("crit") || header.contains_key("b64") {
        return Err(malformed("crit and b64 are not supported"));
    }
    let alg = header.get("alg").and_then(Value::as_str).ok_or_else(|| malformed("alg is missing"))?;
    let Some(algorithm) = allowed_algorithm(alg) else {
        return Err(TokenError::unverified(Reason::ALG_NOT_ALLOWED)
            .detail(format!("alg is {}; {ALLOWED_ALGORITHMS} are allowed", shown(alg))));
    };
    let typ = header.get("typ").and_then(Value::as_str).unwrap_or_default();
    if !is_id_jag(typ) {
        return Err(TokenError::unverified(Reason::TYP_WRONG)
            .detail(format!("typ is {}, expected {TYP}", shown(typ))));
    }
    match header.get("kid") {
        None => Ok((algorithm, None)),
        Some(Value::String(kid)) if kid.len() <= 256 => Ok((algorithm, Some(kid.clone()))),
        Some(_) => Err(malformed("kid is no string of at most 256 bytes")),
    }
}

/// Media types are compared without regard to case, and `application/` may be omitted (RFC 7515 §4.1.9).
fn is_id_jag(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == TYP
}
