//! The grant that a token is made of.

use serde_json::Value;

use crate::clock::UnixSeconds;
use crate::oauth::authorization_details::Detail;

/// The content of a token. It is made from what the policies permitted, so it cannot exist without a decision.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The `sub`.
    pub member_id: String,
    /// The teamspace's slug. It may later belong to another teamspace.
    pub teamspace: String,
    /// The id of the teamspace.
    pub teamspace_id: String,
    /// The identity provider whose assertion led to it.
    pub identity_provider_id: String,
    /// The client that gets it.
    pub client_id: String,
    /// The `aud`.
    pub resource: String,
    /// The permitted scopes.
    pub scopes: Vec<String>,
    /// The permitted authorization details.
    pub details: Vec<Detail>,
    /// The `iat`.
    pub issued_at: UnixSeconds,
    /// The `exp`.
    pub expires_at: UnixSeconds,
    /// The `jti`.
    pub token_id: String,
    /// When the person signed in at the identity provider.
    pub auth_time: Option<UnixSeconds>,
    /// How strongly they signed in.
    pub acr: Option<String>,
    /// By which methods they signed in.
    pub amr: Vec<String>,
    /// Who acts for them.
    pub act: Option<Value>,
    /// The thumbprint of the key that it is bound to (RFC 7638); none for a bearer token.
    pub key_thumbprint: Option<String>,
}
