//! The two tokens: the ID token of a sign-in and the ID-JAG of an exchange.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::{Error, IdpTokenError};
use super::{DemoIdp, DemoPerson};

const ID_TOKEN_LIFETIME: u64 = 3600;
const ID_TOKEN_TYPE: &str = "JWT";
const ID_JAG_TYPE: &str = "oauth-id-jag+jwt";

/// `OpenID` Connect Core section 2, as far as the exchange needs it.
#[derive(Serialize, Deserialize)]
pub(super) struct IdToken {
    iss: String,
    pub(super) sub: String,
    /// A string, not an array: this identity provider issues for one client at a time.
    aud: String,
    iat: u64,
    exp: u64,
    jti: String,
    pub(super) auth_time: u64,
    amr: Vec<String>,
    preferred_username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    /// From the authentication request, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
}

/// The Identity Assertion JWT Authorization Grant (ID-JAG draft section 3.1).
#[derive(Serialize)]
struct IdJagClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    groups: &'a [String],
    iat: u64,
    exp: u64,
    jti: String,
    /// The claims that depend on the product which this looks like.
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// The content of an ID-JAG, once every check has passed.
pub(super) struct Assertion<'a> {
    pub(super) person: &'a DemoPerson,
    pub(super) auth_time: u64,
    pub(super) audience: &'a str,
    pub(super) client_id: &'a str,
    pub(super) resource: Option<&'a str>,
    pub(super) scope: Option<&'a str>,
}

/// Signs an ID token for a person who has just authenticated.
pub(super) fn issue_id_token(
    idp: &DemoIdp,
    person: &DemoPerson,
    client_id: &str,
    nonce: Option<String>,
) -> Result<String, Error> {
    let now = idp.now();
    let claims = IdToken {
        iss: idp.inner.issuer.clone(),
        sub: person.subject.clone(),
        aud: client_id.to_owned(),
        iat: now,
        exp: now.saturating_add(ID_TOKEN_LIFETIME),
        jti: token_id("ID.")?,
        auth_time: now,
        amr: vec!["mfa".to_owned(), "otp".to_owned(), "pwd".to_owned()],
        preferred_username: person.name.clone(),
        email: person.email.clone(),
        email_verified: person.email.as_ref().map(|_| true),
        nonce,
        groups: person.groups.clone(),
    };
    idp.inner.key.sign(ID_TOKEN_TYPE, &claims)
}

/// The ID token presented as `subject_token`, if it was issued here to this client.
pub(super) fn verify_id_token(idp: &DemoIdp, token: &str, client_id: &str) -> Result<IdToken, IdpTokenError> {
    // RFC 8693 section 2.2.2: an invalid subject token is an `invalid_request`.
    let claims: IdToken = idp
        .inner
        .key
        .verify(ID_TOKEN_TYPE, token)
        .map_err(|_| IdpTokenError::InvalidRequest("the subject_token is not an ID token of ours"))?;
    if claims.iss != idp.inner.issuer {
        return Err(IdpTokenError::InvalidRequest("the subject_token has another issuer"));
    }
    // Otherwise a client could trade an ID token that some other client leaked.
    if claims.aud != client_id {
        return Err(IdpTokenError::InvalidRequest("the subject_token was issued to another client"));
    }
    if claims.exp <= idp.now() {
        return Err(IdpTokenError::InvalidRequest("the subject_token has expired"));
    }
    Ok(claims)
}

/// Signs the ID-JAG.
pub(super) fn issue_id_jag(idp: &DemoIdp, assertion: &Assertion<'_>) -> Result<String, Error> {
    let (now, likeness) = (idp.now(), idp.inner.likeness);
    let claims = IdJagClaims {
        iss: &idp.inner.issuer,
        sub: &assertion.person.subject,
        aud: assertion.audience,
        client_id: assertion.client_id,
        resource: assertion.resource,
        scope: assertion.scope,
        email: assertion.person.email.as_deref(),
        groups: &assertion.person.groups,
        iat: now,
        exp: now.saturating_add(likeness.lifetime()),
        jti: token_id(likeness.token_id_prefix())?,
        others: likeness.claims(assertion.person, assertion.auth_time),
    };
    idp.inner.key.sign(ID_JAG_TYPE, &claims)
}

/// A prefix and 256 random bits, so that a `jti` never repeats (RFC 7519 section 4.1.7).
pub(super) fn token_id(prefix: &str) -> Result<String, Error> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}
