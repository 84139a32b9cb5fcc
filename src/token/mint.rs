//! Signs access tokens: JWTs in the profile of RFC 9068.

use serde::Serialize;
use serde_json::Value;

use super::confirmation::{Confirmation, token_type};
use super::grant::Grant;
use crate::clock::UnixSeconds;
use crate::oauth::authorization_details::Detail;
use crate::signing::{JwtType, SigningError, SigningKey};
use crate::store::Committed;

/// The claims of an access token. They contain no email: resources learn only our member id.
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
    #[serde(skip_serializing_if = "<[Detail]>::is_empty")]
    authorization_details: &'a [Detail],
    teamspace: &'a str,
    teamspace_id: &'a str,
    identity_provider_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<UnixSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amr: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation<&'a str>>,
}

/// The token response: RFC 6749 §5.1, with `resource` as in the draft's next revision. There is no refresh token: a
/// new assertion renews (draft §4.4.3).
#[derive(Debug, Serialize)]
pub struct TokenResponse {
    /// The signed token.
    pub access_token: String,
    /// How it is presented: `Bearer` (RFC 6750), or `DPoP` (RFC 9449).
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: i64,
    /// The granted scopes, with spaces between them.
    pub scope: String,
    /// The resource that it is for.
    pub resource: String,
    /// The granted authorization details (RFC 9396 §7).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authorization_details: Vec<Detail>,
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
            authorization_details: &grant.details,
            teamspace: &grant.teamspace,
            teamspace_id: &grant.teamspace_id,
            identity_provider_id: &grant.identity_provider_id,
            auth_time: grant.auth_time,
            acr: grant.acr.as_deref(),
            amr: (!grant.amr.is_empty()).then_some(grant.amr.as_slice()),
            act: grant.act.as_ref(),
            cnf: grant.key_thumbprint.as_deref().map(|jkt| Confirmation { jkt }),
        }
    }
}

/// A signed token that may not be sent yet: [`Self::open`] requires the proof that its grant is committed.
pub struct SealedToken(TokenResponse);

impl SealedToken {
    /// Opens it for whoever redeemed the assertion.
    pub fn open(self, _: Committed) -> TokenResponse {
        self.0
    }
}

/// Signs the token of a grant.
pub fn mint(grant: &Grant, issuer: &str, key: &SigningKey) -> Result<SealedToken, SigningError> {
    let scope = grant.scopes.join(" ");
    Ok(SealedToken(TokenResponse {
        access_token: key.sign(JwtType::AccessToken, &AccessTokenClaims::of(grant, &scope, issuer))?,
        token_type: token_type(grant.key_thumbprint.as_deref()),
        expires_in: grant.expires_at - grant.issued_at,
        scope,
        resource: grant.resource.clone(),
        authorization_details: grant.details.clone(),
    }))
}

/// The claims of the token that a grant would lead to. It is not signed, and cannot be used.
pub fn preview(grant: &Grant, issuer: &str) -> Value {
    let scope = grant.scopes.join(" ");
    // Plain data always serializes.
    serde_json::to_value(AccessTokenClaims::of(grant, &scope, issuer)).unwrap_or_default()
}
