//! Introspection: what a token says, if it is active at the resource that asks (RFC 7662, RFC 9701).

use std::sync::Arc;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::active_token::{Inactive, active_token};
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::model::resource::Resource;
use crate::oauth::authorization_details::Detail;
use crate::oauth::error::{Reason, TokenError};
use crate::revocation::{KnownToken, LookedAtBy};
use crate::token::{Confirmation, token_type};

/// What a resource server learns about a token: its claims; nothing of one that is not active, whatever the reason (RFC
/// 7662 §2.2).
#[derive(Debug)]
pub struct TokenDescription<'t>(Option<ActiveToken<'t>>);

impl Serialize for TokenDescription<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(token) = &self.0 {
            return token.serialize(serializer);
        }
        let mut nothing = serializer.serialize_map(Some(1))?;
        nothing.serialize_entry("active", &false)?;
        nothing.end()
    }
}

/// The claims of an active token (RFC 7662 §2.2, RFC 9396 §9.2, RFC 9449 §6.2, RFC 9470 §6.2). They contain no email.
#[derive(Debug, Serialize)]
struct ActiveToken<'t> {
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
    #[serde(skip_serializing_if = "<[Detail]>::is_empty")]
    authorization_details: &'t [Detail],
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
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation<&'t str>>,
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
        Self(token.map(|KnownToken { token, .. }| ActiveToken {
            active: true,
            iss: issuer,
            aud: &token.audience,
            sub: &token.member_id,
            client_id: &token.client_id,
            iat: token.issued_at,
            exp: token.expires_at,
            jti: &token.token_id,
            token_type: token_type(token.key_thumbprint.as_deref()),
            scope: token.scopes.join(" "),
            authorization_details: &token.authorization_details,
            teamspace: &token.teamspace,
            teamspace_id: &token.teamspace_id,
            auth_time: token.auth_time,
            acr: token.acr.as_deref(),
            amr: &token.amr,
            act: token.act.as_ref(),
            cnf: token.key_thumbprint.as_deref().map(|jkt| Confirmation { jkt }),
        }))
    }

    /// Whether the token is active.
    pub fn is_active(&self) -> bool {
        self.0.is_some()
    }

    /// The claims of a signed answer to a resource.
    pub fn into_claims(
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
        Ok(known) => {
            app.token_uses.count(&known, LookedAtBy::Introspection, app.clock.now());
            Ok(Some(known))
        }
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
