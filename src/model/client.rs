//! Registered OAuth clients.

use subtle::ConstantTimeEq as _;

use crate::clock::UnixSeconds;
use crate::random::digest;
use crate::text_enum::text_enum;

text_enum! {
    /// How a client authenticates (RFC 7591 §2). The two secret methods are interchangeable for one client.
    AuthMethod {
        /// Id and secret in the `Authorization` header (RFC 6749 §2.3.1).
        Basic = "client_secret_basic",
        /// Id and secret in the form (RFC 6749 §2.3.1).
        Post = "client_secret_post",
        /// An assertion that it signs with a key of its own (RFC 7523 §2.2).
        PrivateKeyJwt = "private_key_jwt",
        /// Not at all: a public client (RFC 6749 §2.1). Only an operator's word makes a client one.
        None = "none",
    }
}

impl AuthMethod {
    /// Whether the client proves itself with a secret.
    pub fn sends_secret(self) -> bool {
        match self {
            Self::Basic | Self::Post => true,
            Self::PrivateKeyJwt | Self::None => false,
        }
    }

    /// Whether the client proves itself with keys of its own.
    pub fn has_keys(self) -> bool {
        match self {
            Self::PrivateKeyJwt => true,
            Self::Basic | Self::Post | Self::None => false,
        }
    }
}

/// Where the public keys of a client are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Here: a JWK Set as JSON (RFC 7591 §2, `jwks`).
    Registered(String),
    /// At an address (`jwks_uri`).
    Fetched(String),
}

impl KeySource {
    /// A JWK Set, or else an address; none without either.
    pub fn of(jwks: Option<String>, jwks_uri: Option<String>) -> Option<Self> {
        jwks.map(Self::Registered).or(jwks_uri.map(Self::Fetched))
    }

    /// The JWK Set as JSON, if it is here.
    pub fn jwks(&self) -> Option<&str> {
        match self {
            Self::Registered(jwks) => Some(jwks),
            Self::Fetched(_) => None,
        }
    }

    /// The address of the keys, if they are fetched.
    pub fn jwks_uri(&self) -> Option<&str> {
        match self {
            Self::Registered(_) => None,
            Self::Fetched(uri) => Some(uri),
        }
    }
}

/// A client of the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredClient {
    /// The identifier (RFC 6749 §2.2), which we choose; unique in the deployment, and no secret.
    pub client_id: String,
    /// The name for people, as the administrator wrote it.
    pub client_name: String,
    /// The way of sending the secret that the client was registered with.
    pub token_endpoint_auth_method: AuthMethod,
    /// The grant types that it may use (RFC 7591 §2).
    pub grant_types: Vec<String>,
    /// Groups that policies can name.
    pub groups: Vec<String>,
    /// Whether it gets tokens. A client that is switched off is refused as if its secret were wrong.
    pub enabled: bool,
    /// Whether its tokens must be bound to a key (RFC 9449 §5.2).
    pub dpop_bound_access_tokens: bool,
    /// The time of its registration.
    pub created_at: UnixSeconds,
    /// The host of the metadata document that describes it; none if it is registered.
    pub document_host: Option<String>,
    /// The keys that verify its assertions; none if it has another way.
    pub keys: Option<KeySource>,
    /// One, or two while the older is being replaced; oldest first. None if it sends no secret.
    pub secrets: Vec<ClientSecret>,
}

/// SHA-256 of a secret; the secret itself is shown once and never kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSecret {
    /// The identifier by which an administrator deletes this secret; it reveals nothing about it.
    pub id: String,
    /// The client that proves itself with the secret.
    pub client_id: String,
    /// The digest in lower-case hexadecimal, 64 digits.
    pub secret_digest: String,
    /// The time at which the secret was made and shown.
    pub created_at: UnixSeconds,
}

/// Most live secrets of one client: one, and the one that replaces it.
pub const MAX_SECRETS: usize = 2;

/// Whether a text can be the secret of a client: long enough, and of characters that a header can hold.
pub fn is_client_secret(text: &str) -> bool {
    (16..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl RegisteredClient {
    /// Compares with every live secret. The time does not show how much was right.
    pub fn has_secret(&self, secret: &str) -> bool {
        let presented = digest(secret);
        self.secrets.iter().fold(false, |found, known| {
            found | bool::from(known.secret_digest.as_bytes().ct_eq(presented.as_bytes()))
        })
    }

    /// The oldest secrets, which go when a new one is added.
    pub fn replaced_by_new_secret(&self) -> &[ClientSecret] {
        let surplus = (self.secrets.len() + 1).saturating_sub(MAX_SECRETS);
        self.secrets.get(..surplus).unwrap_or_default()
    }
}
