//! The MCP servers that tokens are issued for (`resource`, RFC 8707).

use subtle::ConstantTimeEq as _;
use url::Url;

use super::client::KeySource;
use crate::clock::UnixSeconds;
use crate::random::digest;

/// Where the metadata of a host's resources begins (RFC 9728 §3).
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A scope of a resource.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceScope {
    /// One scope token (RFC 6749 §3.3: printable ASCII without spaces, `"` and `\`).
    pub name: String,
    /// A description for people of what the scope allows. May be empty.
    #[serde(default)]
    pub description: String,
}

/// An MCP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// A random identifier, unique in the deployment.
    pub id: String,
    /// The `aud` of its tokens, as registered.
    pub identifier: String,
    /// The identifier after the syntax normalization of RFC 3986 §6.2.2, by which it is found.
    pub normalized: String,
    /// The name for people.
    pub name: String,
    /// Empty: any well-formed scope passes through, each decided by policy.
    pub scopes: Vec<ResourceScope>,
    /// Considered when neither the assertion nor the teamspace names scopes.
    pub default_scopes: Vec<String>,
    /// Slugs of the teamspaces that may use it; none means every teamspace.
    pub teamspaces: Option<Vec<String>>,
    /// Scopes that forward-auth demands of every request.
    pub required_scopes: Vec<String>,
    /// Whether forward-auth wants the server's credentials beside the caller's token.
    pub forward_auth_credentials: bool,
    /// Whether forward-auth asks the policies about each tool.
    pub tool_policies: bool,
    /// Whether its tokens must be bound to a key (RFC 9728 §2, `dpop_bound_access_tokens_required`).
    pub dpop_bound_access_tokens: bool,
    /// The credentials with which the server asks about tokens.
    pub credentials: Vec<ResourceCredential>,
    /// The time of its registration.
    pub created_at: UnixSeconds,
}

/// The most credentials of a resource: two servers, each with new ones beside the old ones.
pub const MAX_CREDENTIALS: usize = 4;

/// Credentials of a resource. They are not a client's: no tokens are issued to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceCredential {
    /// A random identifier, unique in the deployment; also not the id of a client.
    pub client_id: String,
    /// The resource that they belong to.
    pub resource_id: String,
    /// How the server proves that they are its own.
    pub proof: CredentialProof,
    /// The time at which they were made.
    pub created_at: UnixSeconds,
}

/// How a server proves that credentials are its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialProof {
    /// SHA-256 of the secret, which is shown once and never kept.
    SecretDigest(String),
    /// The keys that verify the assertions that it signs (RFC 7523 §2.2).
    Keys(KeySource),
}

impl ResourceCredential {
    /// The digest of the secret, if there is one.
    pub fn secret_digest(&self) -> Option<&str> {
        match &self.proof {
            CredentialProof::SecretDigest(digest) => Some(digest),
            CredentialProof::Keys(_) => None,
        }
    }

    /// The keys, if there are any.
    pub fn keys(&self) -> Option<&KeySource> {
        match &self.proof {
            CredentialProof::SecretDigest(_) => None,
            CredentialProof::Keys(keys) => Some(keys),
        }
    }
}

impl Resource {
    /// Whether credentials of this resource have this id and secret. The time does not show how much was right.
    pub fn has_credential(&self, client_id: &str, secret: &str) -> bool {
        let presented = digest(secret);
        let known = self.credential(client_id).and_then(ResourceCredential::secret_digest);
        known.is_some_and(|known| known.as_bytes().ct_eq(presented.as_bytes()).into())
    }

    /// The credentials with this id.
    pub fn credential(&self, client_id: &str) -> Option<&ResourceCredential> {
        self.credentials.iter().find(|credential| credential.client_id == client_id)
    }

    /// Whether scopes are enough for forward-auth.
    pub fn is_content_with(&self, scopes: &[String]) -> bool {
        self.required_scopes.iter().all(|required| scopes.contains(required))
    }

    /// Whether this server is offered to a teamspace.
    pub fn is_published_to(&self, slug: &str) -> bool {
        self.teamspaces.as_ref().is_none_or(|slugs| slugs.iter().any(|s| s == slug))
    }

    /// The metadata that a client looks for at the server (RFC 9728 §2). `issuer` is ours.
    pub fn metadata(&self, issuer: &str) -> serde_json::Value {
        let mut metadata = serde_json::json!({
            "resource": self.identifier,
            "authorization_servers": [issuer],
            "bearer_methods_supported": ["header"],
            "resource_name": self.name,
        });
        let Some(members) = metadata.as_object_mut() else { return metadata };
        if !self.scopes.is_empty() {
            let scopes: Vec<&str> = self.scopes.iter().map(|scope| scope.name.as_str()).collect();
            members.insert("scopes_supported".into(), serde_json::json!(scopes));
        }
        if self.dpop_bound_access_tokens {
            members.insert("dpop_bound_access_tokens_required".into(), true.into());
        }
        metadata
    }

    /// The address at which clients look for that metadata (RFC 9728 §3.1): the path follows the well-known one.
    pub fn metadata_url(&self) -> String {
        let Ok(mut url) = Url::parse(&self.identifier) else { return WELL_KNOWN.to_owned() };
        url.set_path(&format!("{WELL_KNOWN}{}", url.path().trim_end_matches('/')));
        url.into()
    }

    /// Whether a scope is one of this server's.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.is_empty() || self.scopes.iter().any(|s| s.name == scope)
    }
}
