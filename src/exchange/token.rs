//! The access token: a JWT profile of RFC 9068.

use serde::Serialize;
use serde_json::Value;

use super::commit::Committed;
use crate::clock::UnixSeconds;
use crate::signing::{SigningError, SigningKey};

/// The content of a token. It needs what the policies permitted, so there is none without a decision.
#[derive(Debug, Clone)]
pub struct Grant {
    pub member_id: String,
    /// Its slug, which may become another teamspace's.
    pub teamspace: String,
    pub teamspace_id: String,
    pub client_id: String,
    pub resource: String,
    pub scopes: Vec<String>,
    pub issued_at: UnixSeconds,
    pub expires_at: UnixSeconds,
    pub token_id: String,
    pub auth_time: Option<UnixSeconds>,
    pub acr: Option<String>,
    pub amr: Vec<String>,
    pub act: Option<Value>,
}

/// The claims of an access token. There is no email in it: resources learn our member id only.
#[derive(Debug, Serialize)]
struct AccessTokenClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    client_id: &'a str,
    iat: UnixSeconds,
    exp: UnixSeconds,
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    teamspace: &'a str,
    teamspace_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<UnixSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amr: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'a Value>,
}

/// The token answer: RFC 6749 §5.1, with `resource` as the draft's next revision has it. No refresh
/// token: a new assertion renews (draft §4.4.3).
#[derive(Debug, Serialize)]
pub struct TokenResponse {
    pub access_token: String,
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: i64,
    pub scope: String,
    pub resource: String,
}

impl<'a> AccessTokenClaims<'a> {
    fn of(grant: &'a Grant, scope: &'a str, issuer: &'a str) -> Self {
        Self {
            iss: issuer,
            aud: &grant.resource,
            sub: &grant.member_id,
            client_id: &grant.client_id,
            iat: grant.issued_at,
            exp: grant.expires_at,
            jti: &grant.token_id,
            scope: (!scope.is_empty()).then_some(scope),
            teamspace: &grant.teamspace,
            teamspace_id: &grant.teamspace_id,
            auth_time: grant.auth_time,
            acr: grant.acr.as_deref(),
            amr: (!grant.amr.is_empty()).then_some(grant.amr.as_slice()),
            act: grant.act.as_ref(),
        }
    }
}

/// A token that is signed, and good for nothing before its grant is written down: only then it can be taken out.
pub struct Sealed(TokenResponse);

impl Sealed {
    /// The answer to whoever redeemed the assertion.
    pub fn open(self, _: Committed) -> TokenResponse {
        self.0
    }
}

/// Signs the token of a grant.
pub fn mint(grant: &Grant, issuer: &str, key: &SigningKey) -> Result<Sealed, SigningError> {
    let scope = grant.scopes.join(" ");
    Ok(Sealed(TokenResponse {
        access_token: key.sign(&AccessTokenClaims::of(grant, &scope, issuer))?,
        token_type: "Bearer",
        expires_in: grant.expires_at - grant.issued_at,
        scope,
        resource: grant.resource.clone(),
    }))
}

/// The claims of the token that a grant would lead to. It is not signed, and good for nothing.
pub fn preview(grant: &Grant, issuer: &str) -> Value {
    let scope = grant.scopes.join(" ");
    // Plain data always serializes.
    serde_json::to_value(AccessTokenClaims::of(grant, &scope, issuer)).unwrap_or_default()
}
