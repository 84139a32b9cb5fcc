//! A verified access token: its claims, and what can revoke it.

use aws_lc_rs::digest;
use serde_json::Value;

use crate::clock::UnixSeconds;
use crate::model::revocation::{RevocationKind, publication_id};
use crate::oauth::authorization_details::Detail;

/// An access token of ours whose signature was verified. It may have expired or been revoked.
#[derive(Debug)]
pub struct AccessToken {
    /// The `jti`.
    pub token_id: String,
    /// The `sub`: the member's id.
    pub member_id: String,
    /// The slug of the teamspace when the token was issued.
    pub teamspace: String,
    /// The id of the teamspace.
    pub teamspace_id: String,
    /// The identity provider whose assertion led to the token; none in tokens of older versions.
    pub identity_provider_id: Option<String>,
    /// The client that the token was issued to.
    pub client_id: String,
    /// The `aud`: the identifier of the one resource that the token is for.
    pub audience: String,
    /// The granted scopes.
    pub scopes: Vec<String>,
    /// The granted authorization details.
    pub authorization_details: Vec<Detail>,
    /// The `iat`.
    pub issued_at: UnixSeconds,
    /// The `exp`.
    pub expires_at: UnixSeconds,
    /// When the person signed in at the identity provider.
    pub auth_time: Option<UnixSeconds>,
    /// How strongly they signed in (OpenID Connect Core §2).
    pub acr: Option<String>,
    /// The methods by which they signed in (RFC 8176).
    pub amr: Vec<String>,
    /// Who acts for them (RFC 8693 §4.1).
    pub act: Option<Value>,
    /// The thumbprint of the key that it is bound to (RFC 7638); none for a bearer token.
    pub key_thumbprint: Option<String>,
    /// The id of the key that signed.
    pub kid: String,
}

/// An object of a revocation, as a key of fixed size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RevocationKey([u8; 16]);

impl RevocationKey {
    /// The key of an object.
    pub fn of(kind: RevocationKind, object: &str) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(kind.as_str().as_bytes());
        context.update(b" ");
        context.update(object.as_bytes());
        let mut key = [0; 16];
        // A digest of SHA-256 has 32 bytes.
        key.iter_mut().zip(context.finish().as_ref()).for_each(|(byte, digested)| *byte = *digested);
        Self(key)
    }
}

/// Every object whose revocation concerns a token.
#[derive(Debug)]
pub struct TokenMarks(Vec<RevocationKey>);

impl TokenMarks {
    /// Those of a token for the resource with this id.
    pub fn of(token: &AccessToken, resource_id: &str) -> Self {
        let objects = token.revocation_objects(resource_id);
        Self(objects.iter().map(|(kind, object)| RevocationKey::of(*kind, object)).collect())
    }

    /// Their keys.
    pub fn keys(&self) -> &[RevocationKey] {
        &self.0
    }
}

impl AccessToken {
    /// Whether an authorization detail limits it to some tools.
    pub fn is_limited_to_tools(&self) -> bool {
        self.authorization_details.iter().any(Detail::is_tool_limit)
    }

    /// Every object whose revocation concerns the token. `resource_id` is that of its audience.
    pub fn revocation_objects(&self, resource_id: &str) -> Vec<(RevocationKind, String)> {
        let mut objects = vec![
            (RevocationKind::Token, self.token_id.clone()),
            (RevocationKind::Member, self.member_id.clone()),
            (RevocationKind::Teamspace, self.teamspace_id.clone()),
            (RevocationKind::Client, self.client_id.clone()),
            (RevocationKind::Resource, resource_id.to_owned()),
            (RevocationKind::Publication, publication_id(resource_id, &self.teamspace_id)),
            (RevocationKind::Everything, String::new()),
        ];
        let provider = self.identity_provider_id.clone();
        objects.extend(provider.map(|id| (RevocationKind::IdentityProvider, id)));
        objects
    }
}
