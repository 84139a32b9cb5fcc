//! Introspection: what a token says, if it is active at the resource that asks (RFC 7662, RFC 9701).

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::active_token::{Inactive, active_token};
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::model::resource::Resource;
use crate::oauth::error::{Reason, TokenError};
use crate::revocation::KnownToken;

/// What a resource server learns about a token.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum TokenDescription<'t> {
    /// The token is active.
    Active(ActiveToken<'t>),
    /// It is not, whatever the reason (RFC 7662 §2.2).
    Inactive {
        /// False.
        active: bool,
    },
}

/// The claims of an active token (RFC 7662 §2.2, RFC 9470 §6.2). They contain no email.
#[derive(Debug, Serialize)]
pub struct ActiveToken<'t> {
    active: bool,
    iss: &'t str,
    aud: &'t str,
    sub: &'t str,
    client_id: &'t str,
    iat: UnixSeconds,
    exp: UnixSeconds,
    jti: &'t str,
    token_type: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    teamspace: &'t str,
    teamspace_id: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<UnixSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'t str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    amr: &'t [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'t Value>,
}

/// The claims of a signed answer. `sub` and `exp` would make it look like a token (RFC 9701 §5).
#[derive(Debug, Serialize)]
pub struct SignedDescription<'t> {
    iss: &'t str,
    aud: &'t str,
    iat: UnixSeconds,
    token_introspection: TokenDescription<'t>,
}

impl<'t> TokenDescription<'t> {
    /// Describes a token; none is one that is not active. `issuer` is ours.
    pub fn of(token: Option<&'t KnownToken>, issuer: &'t str) -> Self {
        let Some(KnownToken { token, .. }) = token else { return Self::Inactive { active: false } };
        Self::Active(ActiveToken {
            active: true,
            iss: issuer,
            aud: &token.audience,
            sub: &token.member_id,
            client_id: &token.client_id,
            iat: token.issued_at,
            exp: token.expires_at,
            jti: &token.token_id,
            token_type: "Bearer",
            scope: token.scopes.join(" "),
            teamspace: &token.teamspace,
            teamspace_id: &token.teamspace_id,
            auth_time: token.auth_time,
            acr: token.acr.as_deref(),
            amr: &token.amr,
            act: token.act.as_ref(),
        })
    }

    /// The claims of a signed answer to a resource.
    pub fn to_be_signed(
        self,
        resource: &'t Resource,
        issuer: &'t str,
        iat: UnixSeconds,
    ) -> SignedDescription<'t> {
        SignedDescription { iss: issuer, aud: &resource.identifier, iat, token_introspection: self }
    }
}

/// The token if it is active at a resource. An error means that nobody can tell.
pub fn introspect(
    app: &App,
    token: &str,
    resource: &Resource,
) -> Result<Option<Arc<KnownToken>>, TokenError> {
    match active_token(app, token, resource) {
        Ok(known) => Ok(Some(known)),
        Err(unknown @ Inactive::NotKnowable) => Err(TokenError::unavailable(Reason::INTERNAL, unknown)),
        Err(
            Inactive::NotOurs
            | Inactive::OtherResource
            | Inactive::Expired
            | Inactive::Revoked
            | Inactive::Withdrawn,
        ) => Ok(None),
    }
}
