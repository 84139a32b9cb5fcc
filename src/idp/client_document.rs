//! A Client ID Metadata Document: what a client says about itself at the URL that is its id
//! (draft-ietf-oauth-client-id-metadata-document-01).

use serde_json::{Map, Value};
use url::Url;

use super::key_set::{KeySet, NoUsableKey};
use crate::model::client::{AuthMethod, KeySource, RegisteredClient};
use crate::oauth::json::parse_object;
use crate::oauth::request::JWT_BEARER;

/// Largest document, in bytes (§6.6 of the draft).
pub(super) const MAX_DOCUMENT: usize = 5 * 1024;
/// Longest name that is taken, in characters.
const MAX_NAME: usize = 200;
/// The other grant that a client of this profile uses, at the identity provider (RFC 8693 §2.1).
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The profile of ID-JAGs (draft-ietf-oauth-identity-assertion-authz-grant §8).
const ID_JAG_PROFILE: &str = "urn:ietf:params:oauth:grant-profile:id-jag";

/// Why a document makes no client.
#[derive(Debug, thiserror::Error)]
pub enum DocumentFault {
    /// It is not one strict JSON object.
    #[error("the document is no JSON object without repeated names")]
    NotAnObject,
    /// §4.1: `client_id` is the URL, compared as a text.
    #[error("the document's client_id is not its URL")]
    OtherId,
    /// §4.1: everybody can read the document.
    #[error("the document has {0}, and a secret in it is none")]
    Secret(&'static str),
    /// Another way of authentication than those that need no secret.
    #[error("token_endpoint_auth_method must be private_key_jwt or none")]
    Method,
    /// Not exactly one place for the keys of `private_key_jwt`.
    #[error("a client with private_key_jwt needs exactly one of jwks and jwks_uri")]
    Keys,
    /// No key in it can be used.
    #[error("jwks: {0}")]
    NoUsableKey(#[from] NoUsableKey),
    /// A member has another type.
    #[error("{0} has a wrong type")]
    Type(&'static str),
}

/// The client that a document describes. `null` counts as absent.
pub(super) fn read(url: &str, body: &[u8]) -> Result<RegisteredClient, DocumentFault> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let mut members = parse_object(body).ok_or(DocumentFault::NotAnObject)?;
    members.retain(|_, value| !value.is_null());
    let document = Members(&members);
    if document.text("client_id")? != Some(url) {
        return Err(DocumentFault::OtherId);
    }
    document.check_secrets()?;
    document.check_grants(url)?;
    let (method, keys) = document.authentication()?;
    let name = document.text("client_name")?.unwrap_or(url);
    Ok(RegisteredClient {
        client_id: url.to_owned(),
        client_name: name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect(),
        token_endpoint_auth_method: method,
        // Clients leave out grants that they use at few servers: what it may do here, the configuration and the policies
        // say.
        grant_types: vec![JWT_BEARER.to_owned()],
        groups: Vec::new(),
        enabled: true,
        dpop_bound_access_tokens: document.flag("dpop_bound_access_tokens")?,
        created_at: 0,
        document_host: host_of(url),
        keys,
        secrets: Vec::new(),
    })
}

/// The host of a document's URL.
pub fn host_of(url: &str) -> Option<String> {
    Url::parse(url).ok()?.host_str().map(str::to_owned)
}

struct Members<'a>(&'a Map<String, Value>);

impl Members<'_> {
    fn text(&self, name: &'static str) -> Result<Option<&str>, DocumentFault> {
        self.0.get(name).map(|value| value.as_str().ok_or(DocumentFault::Type(name))).transpose()
    }

    /// False where it is absent.
    fn flag(&self, name: &'static str) -> Result<bool, DocumentFault> {
        self.0.get(name).map_or(Ok(false), |value| value.as_bool().ok_or(DocumentFault::Type(name)))
    }

    fn texts(&self, name: &'static str) -> Result<Option<Vec<&str>>, DocumentFault> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let items = value.as_array().ok_or(DocumentFault::Type(name))?;
        let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
        texts.map(Some).ok_or(DocumentFault::Type(name))
    }

    /// §4.1 and §6.2: no secret, and no key that signs.
    fn check_secrets(&self) -> Result<(), DocumentFault> {
        for name in ["client_secret", "client_secret_expires_at"] {
            if self.0.contains_key(name) {
                return Err(DocumentFault::Secret(name));
            }
        }
        let keys = self.0.get("jwks").and_then(|jwks| jwks.get("keys")).and_then(Value::as_array);
        let is_secret = |key: &Value| ["d", "k", "p", "q"].iter().any(|name| key.get(name).is_some());
        match keys.is_some_and(|keys| keys.iter().any(is_secret)) {
            true => Err(DocumentFault::Secret("a private or symmetric key in jwks")),
            false => Ok(()),
        }
    }

    /// §8 of the ID-JAG draft: the profile implies both grants. Clients that leave one out mean it all the same, so that
    /// the log says it and nobody is refused.
    fn check_grants(&self, url: &str) -> Result<(), DocumentFault> {
        let profiles = self.texts("authorization_grant_profiles_supported")?.unwrap_or_default();
        let grants = self.texts("grant_types")?.unwrap_or_default();
        let has_both = grants.contains(&JWT_BEARER) && grants.contains(&TOKEN_EXCHANGE);
        if profiles.contains(&ID_JAG_PROFILE) && !has_both {
            tracing::warn!(
                client_id = url,
                "a client's metadata document names the ID-JAG profile, but not both of its grants"
            );
        }
        Ok(())
    }

    /// RFC 7591 §2: the default is a secret, which a document cannot have.
    fn authentication(&self) -> Result<(AuthMethod, Option<KeySource>), DocumentFault> {
        match self.text("token_endpoint_auth_method")? {
            Some("none") => return Ok((AuthMethod::None, None)),
            Some("private_key_jwt") => {}
            _ => return Err(DocumentFault::Method),
        }
        let keys = match (self.0.get("jwks"), self.text("jwks_uri")?) {
            (Some(jwks), None) => {
                KeySet::parse(jwks)?;
                KeySource::Registered(jwks.to_string())
            }
            (None, Some(uri)) => KeySource::Fetched(uri.to_owned()),
            _ => return Err(DocumentFault::Keys),
        };
        Ok((AuthMethod::PrivateKeyJwt, Some(keys)))
    }
}
