//! Whom a teamspace believes.

use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::member_link::LinkBy;
use crate::clock::UnixSeconds;
use crate::text_enum::text_enum;

text_enum! {
    /// Which product issues the assertions; it decides extra checks on save.
    Provider {
        /// Okta, with Cross App Access.
        Okta = "okta",
        /// Claude, as an identity provider of its own.
        Claude = "claude",
        /// Microsoft Entra.
        Entra = "entra",
        /// Any other provider that publishes OpenID Connect or OAuth metadata.
        Oidc = "oidc",
    }
}

impl Provider {
    /// The name of an identity provider that nobody has named.
    pub fn default_name(self) -> &'static str {
        match self {
            Self::Okta => "Okta",
            Self::Claude => "Claude",
            Self::Entra => "Microsoft Entra",
            Self::Oidc => "OpenID Connect",
        }
    }
}

text_enum! {
    /// The type of a claim's value.
    ClaimType {
        /// A JSON string; Cedar's `String`.
        Text = "text",
        /// A whole number of 64 bits; Cedar's `Long`.
        Long = "long",
        /// True or false; Cedar's `Bool`.
        Boolean = "boolean",
        /// An array of strings, or one string; Cedar's `Set<String>`.
        Texts = "texts",
    }
}

/// A claim of this identity provider that policies may read, beside those that every assertion can have.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "WrittenClaim", into = "WrittenClaim")]
pub struct CustomClaim {
    /// The claim's name in the assertion.
    pub name: String,
    /// The type that a value must have; a claim of another type refuses the assertion.
    pub claim_type: ClaimType,
}

/// A custom claim in JSON: its name alone means a text.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "a custom claim is its name, or an object with its name and its type: text, long, boolean or texts"
)]
enum WrittenClaim {
    Name(String),
    Typed(TypedClaim),
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TypedClaim {
    name: String,
    #[serde(rename = "type")]
    claim_type: ClaimType,
}

impl PartialSchema for CustomClaim {
    fn schema() -> RefOr<Schema> {
        WrittenClaim::schema()
    }
}

impl ToSchema for CustomClaim {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        WrittenClaim::schemas(schemas);
    }
}

impl From<WrittenClaim> for CustomClaim {
    fn from(written: WrittenClaim) -> Self {
        match written {
            WrittenClaim::Name(name) => Self { name, claim_type: ClaimType::Text },
            WrittenClaim::Typed(TypedClaim { name, claim_type }) => Self { name, claim_type },
        }
    }
}

impl From<CustomClaim> for WrittenClaim {
    fn from(CustomClaim { name, claim_type }: CustomClaim) -> Self {
        match claim_type {
            ClaimType::Text => Self::Name(name),
            _ => Self::Typed(TypedClaim { name, claim_type }),
        }
    }
}

/// An identity provider that a teamspace believes. A teamspace may have several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityProvider {
    /// A random identifier, unique in the deployment. Policies read it as the id of `principal.provider`.
    pub id: String,
    /// The teamspace that believes it.
    pub teamspace_id: String,
    /// For people; unique in its teamspace.
    pub name: String,
    /// The product, for its own checks and for the wizard's instructions.
    pub provider: Provider,
    /// Exactly as the provider's metadata says it.
    pub issuer: String,
    /// The only `tenant` that assertions may name; one that names none, or another, is not this provider's.
    pub tenant: Option<String>,
    /// From the metadata, at save time; never followed to another place silently.
    pub jwks_uri: String,
    /// Space-separated scopes to grant; empty passes through what the provider authorized.
    pub scope: String,
    /// The claim that lists the subject's groups.
    pub groups_claim: String,
    /// The claims that policies may read as `claims.custom`.
    pub custom_claims: Vec<CustomClaim>,
    /// The client id under which the provider knows this service, the audience of its logout tokens (OpenID Connect
    /// Back-Channel Logout). None are taken without one.
    pub logout_client_id: Option<String>,
    /// The provider as SAML names it. With it, assertions need a `sub_id` with a NameID from there, and people are known
    /// by it as well.
    pub saml_issuer: Option<String>,
    /// The claim by whose value a person is linked to a member once, when the subject is not known. Assertions need it.
    pub link_by: Option<LinkBy>,
    /// Whether its assertions are accepted.
    pub enabled: bool,
    /// The time at which it was added.
    pub created_at: UnixSeconds,
    /// The time of the last change by an administrator.
    pub updated_at: UnixSeconds,
}

impl IdentityProvider {
    /// The scopes to grant; none when the setting is blank.
    pub fn scope_setting(&self) -> Option<Vec<String>> {
        let scopes: Vec<String> = self.scope.split_whitespace().map(str::to_owned).collect();
        (!scopes.is_empty()).then_some(scopes)
    }
}
