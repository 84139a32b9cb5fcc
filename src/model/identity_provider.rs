//! Whom a teamspace believes.

use crate::clock::UnixSeconds;
use crate::text_enum::text_enum;

text_enum! {
    /// Which product issues the assertions; it decides extra checks on save.
    Provider { Okta = "okta", Claude = "claude", Oidc = "oidc" }
}

/// Whom a teamspace believes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityProvider {
    pub teamspace_id: String,
    pub provider: Provider,
    /// Exactly as the provider's metadata says it.
    pub issuer: String,
    /// From the metadata, at save time; never followed to another place silently.
    pub jwks_uri: String,
    /// Space-separated scopes to grant; empty passes through what the provider authorized.
    pub scope: String,
    /// The claim that lists the subject's groups.
    pub groups_claim: String,
    pub enabled: bool,
    pub created_at: UnixSeconds,
    pub updated_at: UnixSeconds,
}

impl IdentityProvider {
    /// The scopes to grant; none when the setting is blank.
    pub fn scope_setting(&self) -> Option<Vec<String>> {
        let scopes: Vec<String> = self.scope.split_whitespace().map(str::to_owned).collect();
        (!scopes.is_empty()).then_some(scopes)
    }
}
