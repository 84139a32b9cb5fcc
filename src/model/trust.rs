//! What a teamspace trusts of an identity provider, and how that changed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::UnixSeconds;
use crate::text_enum::text_enum;

text_enum! {
    /// The kind of a change of trust.
    TrustChangeKind {
        /// An administrator added the identity provider.
        Added = "added",
        /// An administrator changed its issuer, its tenant or the address of its keys.
        Changed = "changed",
        /// An administrator enabled it.
        Enabled = "enabled",
        /// An administrator disabled it.
        Disabled = "disabled",
        /// The identity provider publishes other keys.
        Keys = "keys",
        /// The identity provider's metadata names another issuer or another address of the keys than before.
        Metadata = "metadata",
    }
}

/// A public key, by its names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct TrustedKey {
    /// Its name in the key set; null where the set gives it none.
    #[schema(required)]
    pub kid: Option<String>,
    /// The SHA-256 thumbprint of RFC 7638, in base64url.
    pub thumbprint: String,
}

/// What is known of an identity provider on one side of a change. Members that the change is not about are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrustedParts {
    /// The issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub issuer: Option<String>,
    /// The tenant that assertions must name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tenant: Option<String>,
    /// The address of the keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub jwks_uri: Option<String>,
    /// The keys that can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub keys: Option<Vec<TrustedKey>>,
}

/// A change of the trust in an identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustChange {
    /// The identity provider.
    pub provider_id: String,
    /// The time of the change, or when it was noticed.
    pub at: UnixSeconds,
    /// Its kind.
    pub kind: TrustChangeKind,
    /// The name of the administrator; empty for the identity provider itself.
    pub actor: String,
    /// The identifier of the administrator's request; empty otherwise.
    pub request_id: String,
    /// The trusted or named parts before; none when there was nothing.
    pub old: Option<TrustedParts>,
    /// The trusted or named parts afterwards; none when there is nothing.
    pub new: Option<TrustedParts>,
}

/// What the metadata of an issuer names at present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedByMetadata {
    /// Its `issuer`.
    pub issuer: String,
    /// Its `jwks_uri`, if it has one.
    pub jwks_uri: Option<String>,
}

impl NamedByMetadata {
    /// Whether this is what an administrator saved.
    pub fn agrees(&self, issuer: &str, jwks_uri: &str) -> bool {
        self.issuer == issuer && self.jwks_uri.as_deref() == Some(jwks_uri)
    }
}

/// Metadata that names something else than what an administrator saved. It is not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataDifference {
    /// Issuer and address of keys that it names.
    pub named: NamedByMetadata,
    /// When that was noticed.
    pub since: UnixSeconds,
}
