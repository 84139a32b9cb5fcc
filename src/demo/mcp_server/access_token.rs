//! Verification of a JWT access token (RFC 9068 section 4).

use jsonwebtoken::{Header, Validation};
use serde::Deserialize;

use super::keys::{IssuerKey, IssuerKeySet, KeyFetchError};

/// Seconds of clock skew that `exp` and `nbf` tolerate.
const LEEWAY: u64 = 10;

/// Why a token is refused; the text goes into `error_description`.
#[derive(Debug, thiserror::Error)]
pub(super) enum AccessTokenError {
    #[error("the token is not a signed JWT")]
    Malformed,
    #[error("the token is not of type at+jwt")]
    Type,
    #[error("the token has a critical header that is not understood")]
    Critical,
    #[error("the token names no key")]
    NoKeyId,
    #[error("the token is signed with an unknown key")]
    UnknownKey,
    #[error("the signing algorithm is not accepted")]
    Algorithm,
    #[error("the signature or the claims are not valid")]
    Signature,
    #[error("the token has another issuer")]
    Issuer,
    #[error("the token is for another resource")]
    Audience,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the token is bound to a key, of which there is no proof")]
    BoundToKey,
    /// Not the token's fault, so not an `invalid_token`.
    #[error("the signing keys are not available")]
    KeysUnavailable(#[from] KeyFetchError),
}

/// The claims of a verified access token, as tools find them in the request's extensions.
///
/// A struct rather than a map, so that serde refuses a repeated claim (RFC 7519 section 4)
/// and a claim of the wrong type.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct CallerToken {
    /// The issuer; a string, never an array.
    pub iss: String,
    aud: Audience,
    /// Expiry in Unix seconds.
    pub exp: u64,
    nbf: Option<u64>,
    /// The member for whom the client acts.
    pub sub: String,
    /// The client that the token was issued to.
    pub client_id: String,
    /// Granted scopes, separated by spaces.
    pub scope: Option<String>,
    /// The slug of the teamspace, a claim of Countersign's own: for people to read, since a teamspace can be renamed.
    pub teamspace: Option<String>,
    /// The id of the teamspace, which never becomes another's: what data is kept under.
    pub teamspace_id: Option<String>,
    /// The key that the token is bound to, if it is no bearer token (RFC 9449 section 6).
    cnf: Option<serde_json::Value>,
}

/// RFC 7519 section 4.1.3 allows a string or an array. More than one audience would let
/// another resource server replay the token here, so the array has exactly one member.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Only([String; 1]),
}

impl Audience {
    fn is(&self, resource: &str) -> bool {
        match self {
            Self::One(audience) | Self::Only([audience]) => audience == resource,
        }
    }
}

/// The claims that a token must have.
pub(super) struct ExpectedToken<'a> {
    pub(super) issuer: &'a str,
    pub(super) resource: &'a str,
    pub(super) now: u64,
}

/// Header, key, signature, claims: nothing of the token is used before the step before it.
pub(super) async fn verify(
    token: &str,
    keys: &IssuerKeySet,
    expected: &ExpectedToken<'_>,
) -> Result<CallerToken, AccessTokenError> {
    // `alg: none` is no algorithm that jsonwebtoken can parse, so it ends here.
    let header = jsonwebtoken::decode_header(token).map_err(|_| AccessTokenError::Malformed)?;
    let kid = check_header(&header)?;
    let key = keys.find(kid, expected.now).await?.ok_or(AccessTokenError::UnknownKey)?;
    let claims = check_signature(token, &header, &key)?;
    check_claims(&claims, expected)?;
    Ok(claims)
}

fn check_header(header: &Header) -> Result<&str, AccessTokenError> {
    // RFC 9068 section 4; media types are case-insensitive, and RFC 7515 section 4.1.9 lets
    // `application/` be left out. It keeps ID tokens and ID-JAGs from passing as access tokens.
    let typ = header.typ.as_deref().ok_or(AccessTokenError::Type)?;
    if !["at+jwt", "application/at+jwt"].iter().any(|accepted| typ.eq_ignore_ascii_case(accepted)) {
        return Err(AccessTokenError::Type);
    }
    // RFC 7515 section 4.1.11: no extension is understood here; jsonwebtoken does not look.
    if header.crit.is_some() {
        return Err(AccessTokenError::Critical);
    }
    header.kid.as_deref().ok_or(AccessTokenError::NoKeyId)
}

/// The key, not the token, says which algorithm applies (RFC 8725 section 3.1).
fn check_signature(token: &str, header: &Header, key: &IssuerKey) -> Result<CallerToken, AccessTokenError> {
    if header.alg != key.algorithm {
        return Err(AccessTokenError::Algorithm);
    }
    // jsonwebtoken takes any overlap for `aud`, arrays for `iss` and the system clock for
    // `exp`; all of that is checked below instead.
    let mut validation = Validation::new(key.algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    jsonwebtoken::decode::<CallerToken>(token, &key.decoding, &validation)
        .map(|data| data.claims)
        .map_err(|_| AccessTokenError::Signature)
}

fn check_claims(claims: &CallerToken, expected: &ExpectedToken<'_>) -> Result<(), AccessTokenError> {
    if claims.iss != expected.issuer {
        return Err(AccessTokenError::Issuer);
    }
    if !claims.aud.is(expected.resource) {
        return Err(AccessTokenError::Audience);
    }
    if claims.exp.saturating_add(LEEWAY) <= expected.now {
        return Err(AccessTokenError::Expired);
    }
    let not_before = claims.nbf.unwrap_or(0);
    if not_before > expected.now.saturating_add(LEEWAY) {
        return Err(AccessTokenError::NotYetValid);
    }
    // RFC 9449 section 7.1: whoever has found such a token must not be able to use it.
    if claims.cnf.is_some() {
        return Err(AccessTokenError::BoundToKey);
    }
    Ok(())
}
