//! Registered OAuth clients.

use crate::clock::UnixSeconds;
use crate::text_enum::text_enum;

text_enum! {
    /// How a client authenticates (RFC 7591 §2). The two secret methods are interchangeable for one client.
    AuthMethod { Basic = "client_secret_basic", Post = "client_secret_post" }
}

/// A client of the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredClient {
    pub client_id: String,
    pub client_name: String,
    pub token_endpoint_auth_method: AuthMethod,
    pub grant_types: Vec<String>,
    /// Groups that policies can name.
    pub groups: Vec<String>,
    pub enabled: bool,
    pub created_at: UnixSeconds,
    /// One, or two while the older is being replaced; oldest first.
    pub secrets: Vec<ClientSecret>,
}

/// SHA-256 of a secret; the secret itself is shown once and never kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSecret {
    pub id: String,
    pub client_id: String,
    pub secret_digest: String,
    pub created_at: UnixSeconds,
}

/// Most live secrets of one client: one, and the one that replaces it.
pub const MAX_SECRETS: usize = 2;

impl RegisteredClient {
    /// The oldest secrets, which go when a new one is added.
    pub fn replaced_by_new_secret(&self) -> &[ClientSecret] {
        let surplus = (self.secrets.len() + 1).saturating_sub(MAX_SECRETS);
        self.secrets.get(..surplus).unwrap_or_default()
    }
}
