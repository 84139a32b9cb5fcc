//! `private_key_jwt`: the assertion by which a client proves who it is (RFC 7521 §4.2, RFC 7523 §2.2 and §3; OpenID
//! Connect Core §9; draft-ietf-oauth-rfc7523bis §4).

use std::sync::Arc;

use serde_json::{Map, Value};

use super::client_keys::{ClientKeyError, ClientKeys};
use super::jws::{JwsFault, UnverifiedJws};
use super::key::VerificationKey;
use crate::clock::UnixSeconds;
use crate::config::Config;
use crate::model::client::KeySource;
use crate::oauth::credentials::refused;
use crate::oauth::difference::expectation;
use crate::oauth::error::{Reason, TokenError};
use crate::random::digest;
use crate::store::Conflict;
use crate::store::ledger::ClientAssertionUse;

/// Longest time from now to `exp`, in seconds. Libraries set between a minute and an hour, and the use of each assertion
/// is remembered until then.
const MAX_LIFETIME: i64 = 3600;
/// Longest `jti`, in bytes.
const MAX_JTI: usize = 256;
/// The largest accepted time: the year 9999.
const MAX_TIME: f64 = 253_402_300_799.0;

/// What to do about a claim that is almost right.
const AT_THE_CLIENT: &str = "Correct it where the client makes its assertions.";

/// Why an assertion proves nothing. The text is for the decision log.
#[derive(Debug, thiserror::Error)]
pub enum ClientAssertionFault {
    /// It is not a signed JWT that could be a client assertion.
    #[error("client_assertion: {0}")]
    Unreadable(#[from] JwsFault),
    /// None of the client's keys made the signature.
    #[error("client_assertion: the signature is not by the client's key")]
    Signature,
    /// A claim is absent or has another form.
    #[error("client_assertion: {0} must be {1}")]
    Claim(&'static str, &'static str),
    /// A claim has another value.
    #[error("client_assertion: {0}")]
    Differs(String),
    /// It has expired.
    #[error("client_assertion: expired {0:.0} s ago; compare the clocks")]
    Expired(f64),
    /// It is from the future.
    #[error("client_assertion: valid in {0:.0} s; compare the clocks")]
    NotYetValid(f64),
    /// It would have to be remembered for too long.
    #[error("client_assertion: expires in {0:.0} s; at most {MAX_LIFETIME} s are accepted")]
    LivesTooLong(f64),
}

/// What an assertion must say.
pub struct ExpectedClient<'a> {
    /// The client whose keys verified it.
    pub client_id: &'a str,
    /// Our issuer, exactly.
    pub issuer: &'a str,
    /// The time of the request.
    pub now: UnixSeconds,
    /// The tolerated difference of the clocks, in seconds.
    pub clock_skew: i64,
}

impl<'a> ExpectedClient<'a> {
    /// By the configuration of this server.
    pub fn new(client_id: &'a str, config: &'a Config, now: UnixSeconds) -> Self {
        let clock_skew = config.assertion.clock_skew.as_secs();
        Self { client_id, issuer: &config.issuer, now, clock_skew }
    }
}

/// Verifies an assertion with the keys of its sender and no others. `source` is where they are by the registration.
pub async fn verify_by_keys(
    unverified: UnverifiedClientAssertion<'_>,
    (keys, source): (&ClientKeys, &KeySource),
    expected: &ExpectedClient<'_>,
) -> Result<ClientAssertionUse, TokenError> {
    let (kid, algorithm) = (unverified.header().kid(), unverified.header().algorithm());
    let found = keys.find(expected.client_id, source, kid, algorithm).await;
    let found = found.map_err(|error| no_keys(keys, error))?;
    unverified.verify(&found, expected).map_err(|fault| failed(fault.to_string()))
}

fn no_keys(keys: &ClientKeys, error: ClientKeyError) -> TokenError {
    match error {
        ClientKeyError::Unknown(detail) => failed(format!("client_assertion: {detail}")),
        ClientKeyError::Busy => TokenError::unavailable(Reason::CLIENT_KEYS_UNREACHABLE, error),
        ClientKeyError::Unreachable => {
            let mut unavailable = TokenError::unavailable(Reason::CLIENT_KEYS_UNREACHABLE, error);
            // Nobody asks again before.
            unavailable.retry_after = Some(keys.min_refresh_interval());
            unavailable
        }
    }
}

/// The refusal of an assertion. The detail is for the log.
pub fn failed(detail: String) -> TokenError {
    refused(Reason::CLIENT_AUTH_FAILED).detail(detail)
}

/// The refusal of an assertion that was used, or that can no longer be shown to be unused (RFC 7523 §3, point 7).
pub fn assertion_replayed(conflict: Conflict) -> TokenError {
    refused(Reason::CLIENT_ASSERTION_REPLAYED).detail(conflict.to_string())
}

/// An assertion whose sender is unknown: only the client that it names and the key id may be read, to choose the key.
pub struct UnverifiedClientAssertion<'a>(UnverifiedJws<'a>);

impl<'a> UnverifiedClientAssertion<'a> {
    /// Reads header and payload strictly. `max_size` is in bytes.
    ///
    /// Every other kind of JWT has a `typ` of its own, which is refused (RFC 8725 §3.12). Older libraries set `JWT` or
    /// none.
    pub fn peek(assertion: &'a str, max_size: usize) -> Result<Self, ClientAssertionFault> {
        let is_type = |typ: &str| matches!(typ, "" | "jwt" | "client-authentication+jwt");
        Ok(Self(UnverifiedJws::peek(assertion, max_size, is_type)?))
    }

    /// The token itself, for choosing the client and its key and for nothing else.
    pub fn header(&self) -> &UnverifiedJws<'a> {
        &self.0
    }

    /// Checks the signature, then every claim.
    pub fn verify(
        self,
        keys: &[Arc<VerificationKey>],
        expected: &ExpectedClient<'_>,
    ) -> Result<ClientAssertionUse, ClientAssertionFault> {
        let payload = self.0.verified(keys).ok_or(ClientAssertionFault::Signature)?;
        let claims = Claimed(&payload);
        claims.must_be("iss", expected.client_id)?;
        claims.must_be("sub", expected.client_id)?;
        claims.check_audience(expected.issuer)?;
        let jti = claims.text("jti").filter(|jti| (1..=MAX_JTI).contains(&jti.len()));
        let jti = jti.ok_or(ClientAssertionFault::Claim("jti", "a string of 1 to 256 bytes"))?;
        let (issued_at, expires_at) = claims.times(expected)?;
        // No identity provider's assertion has a name that begins so: issuers are URLs.
        let id = digest(&format!("private_key_jwt\0{}\0{jti}", expected.client_id));
        Ok(ClientAssertionUse { id, issued_at, expires_at })
    }
}

/// The claims of an assertion with a good signature.
struct Claimed<'a>(&'a Map<String, Value>);

impl Claimed<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn must_be(&self, name: &'static str, expected: &str) -> Result<(), ClientAssertionFault> {
        match self.text(name).ok_or(ClientAssertionFault::Claim(name, "the client id"))? {
            found if found == expected => Ok(()),
            found => Err(ClientAssertionFault::Differs(expectation(name, expected, found, AT_THE_CLIENT))),
        }
    }

    /// Our issuer alone, as a string or an array of one: an assertion for several servers, or for the token endpoint's
    /// URL, could have been meant for somebody else (draft-ietf-oauth-rfc7523bis §4).
    fn check_audience(&self, issuer: &str) -> Result<(), ClientAssertionFault> {
        let only = match self.0.get("aud") {
            Some(Value::Array(several)) => match several.as_slice() {
                [only] => only.as_str(),
                _ => None,
            },
            Some(one) => one.as_str(),
            None => None,
        };
        match only.ok_or(ClientAssertionFault::Claim("aud", "this server's issuer, and nothing else"))? {
            found if found == issuer => Ok(()),
            found => Err(ClientAssertionFault::Differs(expectation("aud", issuer, found, AT_THE_CLIENT))),
        }
    }

    /// A NumericDate (RFC 7519 §2).
    fn time(&self, name: &'static str) -> Result<Option<f64>, ClientAssertionFault> {
        let time = |value: &Value| value.as_f64().filter(|time| (0.0..=MAX_TIME).contains(time));
        let fault = ClientAssertionFault::Claim(name, "a number of seconds since 1970");
        self.0.get(name).map(|value| time(value).ok_or(fault)).transpose()
    }

    /// The earliest time at which it can have been used, and the time from which it is refused for its age alone.
    fn times(
        &self,
        expected: &ExpectedClient<'_>,
    ) -> Result<(UnixSeconds, UnixSeconds), ClientAssertionFault> {
        let (now, skew) = (expected.now as f64, expected.clock_skew as f64);
        let exp = self.time("exp")?;
        let exp = exp.ok_or(ClientAssertionFault::Claim("exp", "a number of seconds since 1970"))?;
        let (iat, nbf) = (self.time("iat")?, self.time("nbf")?);
        if now >= exp + skew {
            return Err(ClientAssertionFault::Expired(now - exp));
        }
        if exp - now > MAX_LIFETIME as f64 + skew {
            return Err(ClientAssertionFault::LivesTooLong(exp - now));
        }
        let start = [iat, nbf].into_iter().flatten().fold(0.0, f64::max);
        if start > now + skew {
            return Err(ClientAssertionFault::NotYetValid(start - now));
        }
        // In range, since each time is bounded. Without `iat` (optional in RFC 7523 §3) it was accepted at `exp` less the
        // longest lifetime at the earliest.
        let accepted_from = exp.floor() as UnixSeconds - MAX_LIFETIME - expected.clock_skew;
        let expires_at = exp.ceil() as UnixSeconds + expected.clock_skew + 1;
        Ok((iat.map_or(accepted_from, |iat| iat as UnixSeconds), expires_at))
    }
}
