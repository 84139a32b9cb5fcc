//! From a text that claims to be an ID-JAG to one that is: the only way to an [`IdJag`].
//!
//! draft-ietf-oauth-identity-assertion-authz-grant §3.1, §4.4.1; RFC 7523 §3; RFC 8725.

use std::sync::Arc;

use jsonwebtoken::Algorithm;

use super::claims::{Claims, Expectations};
use crate::idp::jws::{JwsFault, UnverifiedJws};
use crate::idp::key::VerificationKey;
use crate::oauth::error::{Reason, TokenError};
use crate::random::digest;

/// The media type of an ID-JAG (§3.1 of the draft), which keeps it apart from every other JWT.
const TYP: &str = "oauth-id-jag+jwt";

/// A well-formed JWS with an allowed algorithm and the right type. Its sender is unknown: only the issuer and the key
/// id may be read, to choose the key that verifies it.
pub struct UnverifiedAssertion<'a>(UnverifiedJws<'a>);

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
    pub error: Box<TokenError>,
}

impl<'a> UnverifiedAssertion<'a> {
    /// Reads header and payload strictly. `max_size` is in bytes.
    pub fn peek(assertion: &'a str, max_size: usize) -> Result<Self, TokenError> {
        Ok(Self(UnverifiedJws::peek(assertion, max_size, |typ| typ == TYP).map_err(unreadable)?))
    }

    /// The `iss`, for choosing a configured issuer and nothing else.
    pub fn issuer(&self) -> &str {
        self.0.issuer()
    }

    /// The `kid`, for choosing one of that issuer's keys.
    pub fn kid(&self) -> Option<&str> {
        self.0.kid()
    }

    /// Its `alg`, one of those that are allowed.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    /// Checks the signature, and the types of the claims.
    pub fn authenticate(self, keys: &[Arc<VerificationKey>]) -> Result<AuthenticAssertion, TokenError> {
        let payload = self.0.verified(keys).ok_or_else(|| TokenError::unverified(Reason::SIGNATURE_BAD))?;
        let claims = Claims::read(payload)?;
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
            Err(error) => Err(Unfit { assertion: Box::new(self), error: Box::new(error) }),
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

/// The refusal of an assertion that cannot be read.
fn unreadable(fault: JwsFault) -> TokenError {
    match fault {
        JwsFault::Algorithm(_) => TokenError::unverified(Reason::ALG_NOT_ALLOWED).detail(fault.to_string()),
        JwsFault::Type(_) => {
            TokenError::unverified(Reason::TYP_WRONG).detail(format!("{fault}, expected {TYP}"))
        }
        JwsFault::Encoding => TokenError::unverified(Reason::ASSERTION_MALFORMED),
        other => TokenError::unverified(Reason::ASSERTION_MALFORMED).detail(other.to_string()),
    }
}
